/* matmul.c -- batched matrix products by CBLAS. */
#include <cblas.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"

/* y = op(a) op(b) over the last two axes; a flag transposes its operand. */
typedef struct matmul_attr {
    int32_t transpose_a, transpose_b;
} matmul_attr;

/* Rows and columns of op(x). */
static int64_t rows_of(const tp_shape *x, int32_t transposed)
{
    return x->dim[x->rank - (transposed ? 1 : 2)];
}

static int64_t columns_of(const tp_shape *x, int32_t transposed)
{
    return x->dim[x->rank - (transposed ? 2 : 1)];
}

static tp_shape batch_of(const tp_shape *x)
{
    tp_shape batch = {.rank = x->rank - 2};
    for (int64_t d = 0; d < batch.rank; d++)
        batch.dim[d] = x->dim[d];
    return batch;
}

/* ---- Shape ----------------------------------------------------------------------------------------- */

static const char *matmul_infer(tp_inference *i)
{
    const matmul_attr *p = i->attr;
    const tp_shape *a = &i->x_shape[0], *b = &i->x_shape[1];

    if (!i->same_dtype)
        return "the operands' dtypes differ (convert with tp_cast)";
    if (i->x_dtype[0] == TP_I32) {
        i->fault = TP_BAD_DTYPE;
        return "it needs f32 or f64";
    }
    if (a->rank == 1 && b->rank == 1) /* they come here as they are only when their sizes differ */
        return "the inner dimensions differ";
    if (a->rank < 2 || b->rank < 2)
        return "the operands must have at least one axis";
    if (columns_of(a, p->transpose_a) != rows_of(b, p->transpose_b))
        return "the inner dimensions differ";
    const tp_shape batch_a = batch_of(a), batch_b = batch_of(b);
    if (!tp_broadcast(&batch_a, &batch_b, &i->y_shape))
        return "the leading axes do not broadcast";
    const int64_t largest = INT32_MAX;
    if (a->dim[a->rank - 2] > largest || a->dim[a->rank - 1] > largest || b->dim[b->rank - 2] > largest ||
        b->dim[b->rank - 1] > largest)
        return "a matrix is larger than the BLAS can count";
    i->y_shape.dim[i->y_shape.rank++] = rows_of(a, p->transpose_a);
    i->y_shape.dim[i->y_shape.rank++] = columns_of(b, p->transpose_b);
    return NULL;
}

/* ---- Kernel ---------------------------------------------------------------------------------------- */

typedef struct product { /* one matrix product */
    CBLAS_TRANSPOSE transpose_a, transpose_b;
    int m, n, k, lda, ldb;
} product;

static void multiply(tp_dtype dtype, const product *p, const void *a, const void *b, void *y)
{
    if (dtype == TP_F32)
        cblas_sgemm(CblasRowMajor, p->transpose_a, p->transpose_b, p->m, p->n, p->k, 1, a, p->lda, b, p->ldb,
                    0, y, p->n);
    else
        cblas_dgemm(CblasRowMajor, p->transpose_a, p->transpose_b, p->m, p->n, p->k, 1, a, p->lda, b, p->ldb,
                    0, y, p->n);
}

/* Matrix number of the operand for batch number `linear` of the result. */
static int64_t matrix_index(const tp_shape *operand, const tp_shape *batch, int64_t linear)
{
    const tp_shape own = batch_of(operand);
    const tp_strides s = tp_row_major(&own);
    int64_t index = 0;
    for (int64_t d = 1; d <= batch->rank; d++) {
        const int64_t size = batch->dim[batch->rank - d];
        if (d <= own.rank)
            index += linear % size * s.stride[own.rank - d];
        linear /= size;
    }
    return index;
}

static tp_status matmul_run(const tp_call *c)
{
    const matmul_attr *attr = c->attr;
    const tp_shape *a = &c->x[0].shape, *b = &c->x[1].shape;
    const tp_shape batch = batch_of(&c->y.shape);
    const size_t size = tp_dtype_size(c->y.dtype);
    int64_t batches = tp_shape_count(batch);
    product p = {
        .transpose_a = attr->transpose_a ? CblasTrans : CblasNoTrans,
        .transpose_b = attr->transpose_b ? CblasTrans : CblasNoTrans,
        .m = (int)rows_of(a, attr->transpose_a),
        .n = (int)columns_of(b, attr->transpose_b),
        .k = (int)columns_of(a, attr->transpose_a),
        .lda = (int)a->dim[a->rank - 1],
        .ldb = (int)b->dim[b->rank - 1],
    };
    if (tp_shape_count(c->y.shape) == 0)
        return TP_OK;
    if (p.k == 0) { /* no library is called with a zero dimension */
        memset(c->y.data, 0, (size_t)tp_shape_count(c->y.shape) * size);
        return TP_OK;
    }
    /* One matrix b for all of a: the rows of all batches are one tall matrix. */
    if (b->rank == 2 && !attr->transpose_a && batches > 1 && batches * p.m <= INT32_MAX) {
        p.m *= (int)batches;
        batches = 1;
    }
    const int64_t a_size = (int64_t)a->dim[a->rank - 2] * a->dim[a->rank - 1];
    const int64_t b_size = (int64_t)b->dim[b->rank - 2] * b->dim[b->rank - 1];
    for (int64_t i = 0; i < batches; i++)
        multiply(c->y.dtype, &p,
                 (const char *)c->x[0].data + (size_t)(matrix_index(a, &batch, i) * a_size) * size,
                 (const char *)c->x[1].data + (size_t)(matrix_index(b, &batch, i) * b_size) * size,
                 (char *)c->y.data + (size_t)(i * p.m * p.n) * size);
    return TP_OK;
}

/* ---- Derivative ------------------------------------------------------------------------------------ */

static tp_tensor record_product(tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b);

static void matmul_vjp(const tp_vjp *d)
{
    const matmul_attr p = *(const matmul_attr *)d->attr;
    const tp_tensor a = d->x[0], b = d->x[1];
    if (d->need[0])
        d->dx[0] = p.transpose_a ? record_product(b, d->g, p.transpose_b, true)
                                 : record_product(d->g, b, false, !p.transpose_b);
    if (d->need[1])
        d->dx[1] = p.transpose_b ? record_product(d->g, a, true, p.transpose_a)
                                 : record_product(a, d->g, !p.transpose_a, false);
}

static const tp_op matmul = {
    .name = "matmul",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(matmul_attr),
    .infer = matmul_infer,
    .vjp = matmul_vjp,
    .run = matmul_run,
};

static tp_tensor record_product(tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b)
{
    return tp_record(&matmul, (tp_tensor[]){a, b}, 2, &(matmul_attr){transpose_a, transpose_b});
}

tp_tensor tp_matmul(tp_tensor a, tp_tensor b)
{
    const tp_shape sa = tp_shape_of(a), sb = tp_shape_of(b);
    const bool row = sa.rank == 1 && tp_is_valid(a), column = sb.rank == 1 && tp_is_valid(b);

    if (row && column && sa.dim[0] != sb.dim[0])
        return record_product(a, b, false, false); /* the message shows the shapes as given */
    const tp_tensor y = record_product(row ? tp_reshape(a, TP_SHAPE(1, sa.dim[0])) : a,
                                       column ? tp_reshape(b, TP_SHAPE(sb.dim[0], 1)) : b, false, false);
    const tp_shape full = tp_shape_of(y);
    tp_shape shape = {0};
    if (!tp_is_valid(y) || (!row && !column))
        return y;
    for (int64_t d = 0; d < full.rank; d++)
        if (!(row && d == full.rank - 2) && !(column && d == full.rank - 1))
            shape.dim[shape.rank++] = full.dim[d];
    return tp_reshape(y, shape);
}

const tp_op *const tp__matmul_ops[] = {&matmul, NULL};
