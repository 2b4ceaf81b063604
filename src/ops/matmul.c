/* matmul.c -- batched matrix products: by CBLAS, or, when all sizes are small, by a loop of our own; and outer. */
#include <cblas.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

/* y = op(a) op(b) over the last two axes; a flag transposes its operand. */
typedef struct matmul_attr {
    int32_t transpose_a, transpose_b;
} matmul_attr;

/* ---- Shape ----------------------------------------------------------------------------------------- */

static const char *matmul_infer(tp_inference *i)
{
    const matmul_attr *p = i->attr;
    const tp_shape *a = &i->x_shape[0], *b = &i->x_shape[1];
    const char *fault = tp__float_fault(i);

    if (fault != NULL)
        return fault;
    if (a->rank == 1 && b->rank == 1) /* they come here as they are only when their sizes differ */
        return "the inner dimensions differ";
    if (a->rank < 2 || b->rank < 2)
        return "the operands must have at least one axis";
    if (tp__columns(a, p->transpose_a) != tp__rows(b, p->transpose_b))
        return "the inner dimensions differ";
    const tp_shape batch_a = tp__batch_shape(a, 2), batch_b = tp__batch_shape(b, 2);
    if (!tp_broadcast(&batch_a, &batch_b, &i->y_shape))
        return "the leading axes do not broadcast";
    if (!tp__blas_can_count(a) || !tp__blas_can_count(b))
        return "a matrix is larger than the BLAS can count";
    i->y_shape.dim[i->y_shape.rank++] = tp__rows(a, p->transpose_a);
    i->y_shape.dim[i->y_shape.rank++] = tp__columns(b, p->transpose_b);
    return NULL;
}

/* ---- Kernel: CBLAS --------------------------------------------------------------------------------- */

typedef struct product { /* one matrix product: m x k times k x n */
    bool transpose_a, transpose_b;
    int m, n, k, lda, ldb;
} product;

static product product_of(const tp_call *c)
{
    const matmul_attr *attr = c->attr;
    const tp_shape *a = &c->x[0].shape, *b = &c->x[1].shape;
    return (product){
        .transpose_a = attr->transpose_a,
        .transpose_b = attr->transpose_b,
        .m = (int)tp__rows(a, attr->transpose_a),
        .n = (int)tp__columns(b, attr->transpose_b),
        .k = (int)tp__columns(a, attr->transpose_a),
        .lda = (int)tp__columns(a, false),
        .ldb = (int)tp__columns(b, false),
    };
}

/* y = op(a) x for a vector x and a matrix that is stored with the given rows and columns. */
static void multiply_vector(tp_dtype dtype, bool transpose, int rows, int columns, const void *a,
                            const void *x, void *y)
{
    const CBLAS_TRANSPOSE t = transpose ? CblasTrans : CblasNoTrans;
    if (dtype == TP_F32)
        cblas_sgemv(CblasRowMajor, t, rows, columns, 1, a, columns, x, 1, 0, y, 1);
    else
        cblas_dgemv(CblasRowMajor, t, rows, columns, 1, a, columns, x, 1, 0, y, 1);
}

/* A product with a vector goes several times faster as such. */
static void multiply(tp_dtype dtype, const product *p, const void *a, const void *b, void *y)
{
    const CBLAS_TRANSPOSE ta = p->transpose_a ? CblasTrans : CblasNoTrans,
                          tb = p->transpose_b ? CblasTrans : CblasNoTrans;
    if (p->n == 1)
        multiply_vector(dtype, p->transpose_a, p->transpose_a ? p->k : p->m, p->lda, a, b, y);
    else if (p->m == 1) /* y' = op(b)' a' */
        multiply_vector(dtype, !p->transpose_b, p->transpose_b ? p->n : p->k, p->ldb, b, a, y);
    else if (dtype == TP_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, p->m, p->n, p->k, 1, a, p->lda, b, p->ldb, 0, y, p->n);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, p->m, p->n, p->k, 1, a, p->lda, b, p->ldb, 0, y, p->n);
}

static tp_status matmul_run(const tp_call *c)
{
    const product p = product_of(c);
    tp__batches batch = tp__first_batch(c);

    if (p.k == 0) { /* no library is called with a zero dimension */
        memset(c->y.data, 0, (size_t)tp_shape_count(c->y.shape) * tp_dtype_size(c->y.dtype));
        return TP_OK;
    }
    for (int64_t i = 0; i < batch.count; i++, tp__next_batch(&batch))
        multiply(c->y.dtype, &p, tp__matrix(&c->x[0], batch.at[0]), tp__matrix(&c->x[1], batch.at[1]),
                 tp__matrix(&c->y, i));
    return TP_OK;
}

/* ---- Kernel: small products ------------------------------------------------------------------------ */

/* Below about these sizes the call of a BLAS costs more than the product.  f32 is accumulated in double, and the sum
 * runs over k in order. */
enum { SMALL_SIDE = 16, SMALL_VOLUME = 512, ROWS = 4, COLUMNS = 8 };

static bool is_small(int64_t m, int64_t n, int64_t k)
{
    return m <= SMALL_SIDE && n <= SMALL_SIDE && k <= SMALL_SIDE && m * n * k <= SMALL_VOLUME;
}

/* Row i, column q of a matrix (or, with the strides swapped, of its transpose) goes to
 * out[i / block][q][i % block]; rows that are missing in the last block are 0. */
static void pack(tp_dtype dtype, const void *x, int64_t rows, int64_t columns, int64_t row_stride,
                 int64_t column_stride, int64_t block, double *out)
{
    const int64_t padded = (rows + block - 1) / block * block;
    for (int64_t i = 0; i < padded; i++)
        for (int64_t q = 0; q < columns; q++) {
            const int64_t at = i * row_stride + q * column_stride;
            double *to = &out[(i / block * columns + q) * block + i % block];
            *to = i < rows ? tp__get(dtype, x, at) : 0;
        }
}

/* sum[r][l] = sum over q of a[q][r] b[q][l] */
TP_INSTRUCTION_SETS
static void multiply_block(int64_t k, const double *a, const double *b, double sum[ROWS][COLUMNS])
{
    double s[ROWS][COLUMNS] = {{0}};
    for (int64_t q = 0; q < k; q++)
        for (int64_t r = 0; r < ROWS; r++)
            TP_SIMD_ for (int64_t l = 0; l < COLUMNS; l++)
            {
                s[r][l] += a[q * ROWS + r] * b[q * COLUMNS + l];
            }
    memcpy(sum, s, sizeof s);
}

static void store_block(tp_dtype dtype, void *y, int64_t row, int64_t column, int64_t m, int64_t n,
                        double sum[ROWS][COLUMNS])
{
    for (int64_t r = 0; r < ROWS && row + r < m; r++)
        for (int64_t l = 0; l < COLUMNS && column + l < n; l++)
            tp__set(dtype, y, (row + r) * n + column + l, sum[r][l]);
}

static void multiply_small(tp_dtype dtype, const product *p, const void *a, const void *b, void *y)
{
    double pa[SMALL_SIDE * SMALL_SIDE], pb[SMALL_SIDE * SMALL_SIDE], sum[ROWS][COLUMNS];

    pack(dtype, a, p->m, p->k, p->transpose_a ? 1 : p->lda, p->transpose_a ? p->lda : 1, ROWS, pa);
    pack(dtype, b, p->n, p->k, p->transpose_b ? p->ldb : 1, p->transpose_b ? 1 : p->ldb, COLUMNS, pb);
    for (int64_t i = 0; i < p->m; i += ROWS)
        for (int64_t j = 0; j < p->n; j += COLUMNS) {
            multiply_block(p->k, pa + i * p->k, pb + j * p->k, sum);
            store_block(dtype, y, i, j, p->m, p->n, sum);
        }
}

static tp_status small_run(const tp_call *c)
{
    const product p = product_of(c);
    tp__batches batch = tp__first_batch(c);

    if (!is_small(p.m, p.n, p.k)) /* somebody recorded the op by hand */
        return matmul_run(c);
    for (int64_t i = 0; i < batch.count; i++, tp__next_batch(&batch))
        multiply_small(c->y.dtype, &p, tp__matrix(&c->x[0], batch.at[0]), tp__matrix(&c->x[1], batch.at[1]),
                       tp__matrix(&c->y, i));
    return TP_OK;
}

/* ---- Derivative ------------------------------------------------------------------------------------ */

static void matmul_vjp(const tp_vjp *d)
{
    const matmul_attr p = *(const matmul_attr *)d->attr;
    const tp_tensor a = d->x[0], b = d->x[1];
    if (d->need[0])
        d->dx[0] = p.transpose_a ? tp__product(b, d->g, p.transpose_b, true)
                                 : tp__product(d->g, b, false, !p.transpose_b);
    if (d->need[1])
        d->dx[1] = p.transpose_b ? tp__product(d->g, a, true, p.transpose_a)
                                 : tp__product(a, d->g, !p.transpose_a, false);
}

static const tp_op matmul = {
    .name = "matmul",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT | TP_OP_INFALLIBLE,
    .attr_size = sizeof(matmul_attr),
    .infer = matmul_infer,
    .vjp = matmul_vjp,
    .run = matmul_run,
};

/* The same for SMALL sizes; its bits are the same for any number of threads. */
static const tp_op small_matmul = {
    .name = "matmul",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_INFALLIBLE,
    .attr_size = sizeof(matmul_attr),
    .infer = matmul_infer,
    .vjp = matmul_vjp,
    .run = small_run,
};

/* ---- Recording ------------------------------------------------------------------------------------- */

static bool is_matrix(tp_tensor x)
{
    return tp_is_valid(x) && tp_shape_of(x).rank >= 2;
}

/* A transposed view would be copied before the call; the flag says the same for nothing. */
static tp_tensor see_through_transpose(tp_tensor x, bool *transpose)
{
    if (!tp__is_transpose(x))
        return x;
    *transpose = !*transpose;
    return tp_transpose(x, -2, -1);
}

static tp_tensor record_product(tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b)
{
    const tp_shape sa = tp_shape_of(a), sb = tp_shape_of(b);
    const tp_op *op = &matmul;
    if (is_matrix(a) && is_matrix(b) &&
        is_small(tp__rows(&sa, transpose_a), tp__columns(&sb, transpose_b), tp__columns(&sa, transpose_a)))
        op = &small_matmul;
    return tp_record(op, (tp_tensor[]){a, b}, 2, &(matmul_attr){transpose_a, transpose_b});
}

/* Many matrices a times one matrix b: the rows of all of them are one tall matrix.  So is then the gradient of b, which
 * otherwise would be one product for each a, added up. */
static tp_tensor record_tall_product(tp_tensor a, tp_tensor b, bool transpose_b)
{
    const tp_shape sa = tp_shape_of(a);
    const tp_tensor tall = tp_reshape(a, TP_SHAPE(tp_count_of(a) / sa.dim[sa.rank - 1], sa.dim[sa.rank - 1]));
    const tp_tensor y = record_product(tall, b, false, transpose_b);
    tp_shape shape = sa;
    shape.dim[shape.rank - 1] = tp_shape_of(y).dim[1];
    return tp_is_valid(y) ? tp_reshape(y, shape) : y;
}

tp_tensor tp__product(tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b)
{
    tp_shape sa = tp_shape_of(a), sb = tp_shape_of(b);

    if (!is_matrix(a) || !is_matrix(b) || tp_dtype_of(a) != tp_dtype_of(b) ||
        tp__columns(&sa, transpose_a) != tp__rows(&sb, transpose_b))
        return record_product(a, b, transpose_a, transpose_b); /* the message shows the shapes as given */
    a = see_through_transpose(a, &transpose_a);
    b = see_through_transpose(b, &transpose_b);
    sa = tp_shape_of(a);
    sb = tp_shape_of(b);
    if (sa.rank > 2 && sb.rank == 2 && !transpose_a && tp_count_of(a) > 0 &&
        tp_count_of(a) / sa.dim[sa.rank - 1] <= INT32_MAX)
        return record_tall_product(a, b, transpose_b);
    return record_product(a, b, transpose_a, transpose_b);
}

tp_tensor tp_matmul(tp_tensor a, tp_tensor b)
{
    const tp_shape sa = tp_shape_of(a), sb = tp_shape_of(b);
    const bool row = sa.rank == 1 && tp_is_valid(a), column = sb.rank == 1 && tp_is_valid(b);

    if (row && column && sa.dim[0] != sb.dim[0])
        return record_product(a, b, false, false); /* the message shows the shapes as given */
    const tp_tensor y = tp__product(row ? tp_reshape(a, TP_SHAPE(1, sa.dim[0])) : a,
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

/* ---- outer ----------------------------------------------------------------------------------------- */

tp_tensor tp_outer(tp_tensor a, tp_tensor b)
{
    const tp_shape sa = tp_shape_of(a), sb = tp_shape_of(b);
    char left[TP_TEXT_SIZE], right[TP_TEXT_SIZE];

    if (tp_is_valid(a) && tp_is_valid(b) && (sa.rank != 1 || sb.rank != 1))
        return tp_fail(a, TP_BAD_SHAPE, "outer: the operands must be vectors: %s, %s",
                       tp_describe(tp_dtype_of(a), &sa, left), tp_describe(tp_dtype_of(b), &sb, right));
    return tp_mul(tp_is_valid(a) ? tp_reshape(a, TP_SHAPE(-1, 1)) : a, b);
}

const tp_op *const tp__matmul_ops[] = {&matmul, &small_matmul, NULL};
