/* matrices.c -- batches of matrices, and triangles of them. */
#include "matrices.h"

#include <math.h>
#include <stdio.h>
#include <tapir/ops.h>

/* ---- Shapes ----------------------------------------------------------------------------------------- */

int64_t tp__rows(const tp_shape *x, bool transposed)
{
    return x->dim[x->rank - (transposed ? 1 : 2)];
}

int64_t tp__columns(const tp_shape *x, bool transposed)
{
    return x->dim[x->rank - (transposed ? 2 : 1)];
}

tp_shape tp__batch_shape(const tp_shape *x, int64_t own)
{
    tp_shape batch = {.rank = x->rank - own};
    for (int64_t d = 0; d < batch.rank; d++)
        batch.dim[d] = x->dim[d];
    return batch;
}

const char *tp__float_fault(tp_inference *i)
{
    if (!i->same_dtype)
        return "the operands' dtypes differ (convert with tp_cast)";
    if (i->x_dtype[0] != TP_I32)
        return NULL;
    i->fault = TP_BAD_DTYPE;
    return "it needs f32 or f64";
}

bool tp__blas_can_count(const tp_shape *x)
{
    return x->dim[x->rank - 2] <= INT32_MAX && x->dim[x->rank - 1] <= INT32_MAX;
}

const char *tp__square_fault(const tp_inference *i, int k)
{
    const tp_shape *x = &i->x_shape[k];
    if (x->rank < 2 || x->dim[x->rank - 2] != x->dim[x->rank - 1])
        return "the last two axes must be a square matrix";
    return NULL; /* no tensor is large enough for a square that LAPACK could not count */
}

const char *tp__solve_infer(tp_inference *i, bool right)
{
    const tp_shape *a = &i->x_shape[0], *b = &i->x_shape[1];
    const char *fault = tp__float_fault(i);

    if (fault == NULL)
        fault = tp__square_fault(i, 0);
    if (fault != NULL)
        return fault;
    if (b->rank < 2)
        return "the right-hand side must have at least one axis";
    if (tp__rows(b, right) != a->dim[a->rank - 1])
        return "the right-hand side does not have the matrix's size";
    if (!tp__blas_can_count(b))
        return "a matrix is larger than LAPACK can count";
    const tp_shape batch_a = tp__batch_shape(a, 2), batch_b = tp__batch_shape(b, 2);
    if (!tp_broadcast(&batch_a, &batch_b, &i->y_shape))
        return "the leading axes do not broadcast";
    i->y_shape.dim[i->y_shape.rank++] = tp__rows(b, false);
    i->y_shape.dim[i->y_shape.rank++] = tp__columns(b, false);
    return NULL;
}

/* ---- Kernels ---------------------------------------------------------------------------------------- */

tp__batches tp__first_batch(const tp_call *c)
{
    const tp_shape batch = tp__batch_shape(&c->y.shape, 2);
    tp__batches b = {.count = tp_shape_count(batch), .rank = batch.rank};

    for (int64_t d = 0; d < batch.rank; d++)
        b.dim[d] = batch.dim[d];
    for (int k = 0; k < c->n && k < 2; k++) {
        const tp_shape own = tp__batch_shape(&c->x[k].shape, 2);
        const tp_strides s = tp_row_major(&own);
        for (int64_t d = 1; d <= own.rank; d++)
            b.stride[k][batch.rank - d] = s.stride[own.rank - d];
    }
    return b;
}

void tp__next_batch(tp__batches *b)
{
    for (int64_t d = b->rank - 1; d >= 0; d--) { /* count like an odometer */
        b->at[0] += b->stride[0][d];
        b->at[1] += b->stride[1][d];
        if (++b->index[d] < b->dim[d])
            return;
        b->at[0] -= b->stride[0][d] * b->dim[d];
        b->at[1] -= b->stride[1][d] * b->dim[d];
        b->index[d] = 0;
    }
}

void *tp__matrix(const tp_array *array, int64_t k)
{
    const int64_t size = tp__rows(&array->shape, false) * tp__columns(&array->shape, false);
    return (char *)array->data + (size_t)(k * size) * tp_dtype_size(array->dtype);
}

bool tp__all_finite(tp_dtype dtype, const void *x, int64_t n)
{
    double rest = 0; /* what is finite less itself is 0 */
    for (int64_t i = 0; i < n; i++) {
        const double value = tp__get(dtype, x, i);
        rest += value - value;
    }
    return rest == 0;
}

void tp__fill_nan(tp_dtype dtype, void *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        tp__set(dtype, x, i, NAN);
}

const char *tp__matrix_name(const tp_shape *batch, int64_t k, char text[TP_TEXT_SIZE])
{
    int64_t index[TP_MAX_RANK];
    int used = snprintf(text, TP_TEXT_SIZE, batch->rank == 0 ? "the matrix" : "matrix [");

    for (int64_t d = batch->rank - 1; d >= 0; d--) {
        index[d] = k % batch->dim[d];
        k /= batch->dim[d];
    }
    for (int64_t d = 0; d < batch->rank && used < TP_TEXT_SIZE; d++)
        used += snprintf(text + used, TP_TEXT_SIZE - (size_t)used, "%lld%s", (long long)index[d],
                         d + 1 < batch->rank ? "," : "]");
    return text;
}

/* ---- Recording -------------------------------------------------------------------------------------- */

tp_tensor tp__record_solve(const tp_op *op, tp_tensor a, tp_tensor b, const void *attr)
{
    const bool vector = tp_is_valid(b) && tp_shape_of(b).rank == 1;
    const tp_tensor columns = vector ? tp_reshape(b, TP_SHAPE(-1, 1)) : b;
    const tp_tensor y = tp_record(op, (tp_tensor[]){a, columns}, 2, attr);
    const tp_shape full = tp_shape_of(y);

    if (!vector || !tp_is_valid(y))
        return y;
    return tp_reshape(y, tp__batch_shape(&full, 1));
}
