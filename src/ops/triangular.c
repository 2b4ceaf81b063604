/* triangular.c -- triangular systems and Cholesky factors, by CBLAS and LAPACK. */
#include <cblas.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lapack.h"
#include "lists.h"
#include "matrices.h"

/* ---- triangular_solve ------------------------------------------------------------------------------ */

/* With T the triangle of a: op(T) y = b, or, from the right, y op(T) = b. */
typedef struct triangular_attr {
    int32_t upper, transpose, unit, right;
} triangular_attr;

static const char *triangular_infer(tp_inference *i)
{
    return tp__solve_infer(i, ((const triangular_attr *)i->attr)->right);
}

/* y is b at first. */
static void solve_in_place(tp_dtype dtype, const triangular_attr *p, int n, const void *a, int rows,
                           int columns, void *y)
{
    const CBLAS_SIDE side = p->right ? CblasRight : CblasLeft;
    const CBLAS_UPLO triangle = p->upper ? CblasUpper : CblasLower;
    const CBLAS_TRANSPOSE transpose = p->transpose ? CblasTrans : CblasNoTrans;
    const CBLAS_DIAG diagonal = p->unit ? CblasUnit : CblasNonUnit;

    if (dtype == TP_F32)
        cblas_strsm(CblasRowMajor, side, triangle, transpose, diagonal, rows, columns, 1, a, n, y, columns);
    else
        cblas_dtrsm(CblasRowMajor, side, triangle, transpose, diagonal, rows, columns, 1, a, n, y, columns);
}

static int64_t first_zero_on_diagonal(tp_dtype dtype, int64_t n, const void *a)
{
    for (int64_t i = 0; i < n; i++)
        if (tp__get(dtype, a, i * n + i) == 0)
            return i;
    return -1;
}

static tp_status triangular_run(const tp_call *c)
{
    const triangular_attr *p = c->attr;
    const tp_dtype dtype = c->y.dtype;
    const int64_t n = tp__rows(&c->x[0].shape, false);
    const int64_t rows = tp__rows(&c->y.shape, false), columns = tp__columns(&c->y.shape, false);
    const size_t bytes = (size_t)(rows * columns) * tp_dtype_size(dtype);
    tp__batches batch = tp__first_batch(c);

    for (int64_t i = 0; i < batch.count && bytes > 0; i++, tp__next_batch(&batch)) {
        const void *a = tp__matrix(&c->x[0], batch.at[0]);
        const int64_t zero = p->unit ? -1 : first_zero_on_diagonal(dtype, n, a);
        if (zero >= 0) {
            const tp_shape own = tp__batch_shape(&c->x[0].shape, 2);
            char text[TP_TEXT_SIZE];
            return tp_call_fail(c, "%s is singular: element %lld of its diagonal is 0",
                                tp__matrix_name(&own, batch.at[0], text), (long long)zero);
        }
        void *y = tp__matrix(&c->y, i);
        memcpy(y, tp__matrix(&c->x[1], batch.at[1]), bytes);
        solve_in_place(dtype, p, (int)n, a, (int)rows, (int)columns, y);
    }
    return TP_OK;
}

static const tp_op triangular_solve;

static tp_tensor record_triangular(tp_tensor a, tp_tensor b, triangular_attr p)
{
    return tp__record_solve(&triangular_solve, a, b, &p);
}

/* b' = op(T)^-T g, and op(T)' = -b' y^T; from the right b' = g op(T)^-T and op(T)' = -y^T b'.  Of T' the part that is read. */
static void triangular_vjp(const tp_vjp *d)
{
    const triangular_attr p = *(const triangular_attr *)d->attr;
    triangular_attr back = p;

    back.transpose = !p.transpose;
    const tp_tensor db = record_triangular(d->x[0], d->g, back);
    if (d->need[1])
        d->dx[1] = db;
    if (!d->need[0])
        return;
    const tp_tensor minus = tp_neg(db);
    const bool db_first = p.right == p.transpose; /* in the product of db and y that T' is */
    const tp_tensor da =
        db_first ? tp__product(minus, d->y, p.right, !p.right) : tp__product(d->y, minus, p.right, !p.right);
    d->dx[0] = p.upper ? tp_triu(da, p.unit) : tp_tril(da, -p.unit);
}

static const tp_op triangular_solve = {
    .name = "triangular_solve",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(triangular_attr),
    .infer = triangular_infer,
    .vjp = triangular_vjp,
    .run = triangular_run,
};

tp_tensor tp_triangular_solve(tp_tensor a, tp_tensor b, const tp_triangular_options *options)
{
    const tp_triangular_options o = options != NULL ? *options : (tp_triangular_options){0};
    return record_triangular(a, b, (triangular_attr){o.upper, o.transpose, o.unit_diagonal, false});
}

/* ---- cholesky -------------------------------------------------------------------------------------- */

static const char *cholesky_infer(tp_inference *i)
{
    const char *fault = tp__float_fault(i);
    i->y_shape = i->x_shape[0];
    return fault != NULL ? fault : tp__square_fault(i, 0);
}

/* The lower triangle of (a + a^T) / 2, and zeros above it. */
static void copy_symmetric(tp_dtype dtype, int64_t n, const void *a, void *y)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++)
            tp__set(dtype, y, i * n + j,
                    0.5 * tp__get(dtype, a, i * n + j) + 0.5 * tp__get(dtype, a, j * n + i));
        for (int64_t j = i + 1; j < n; j++)
            tp__set(dtype, y, i * n + j, 0);
    }
}

/* By columns, what lies here by rows is the upper triangle U of L^T, and L L^T = U^T U. */
static int factorize_in_place(tp_dtype dtype, int n, void *y)
{
    int info = 0;
    if (dtype == TP_F32)
        spotrf_("U", &n, y, &n, &info, 1);
    else
        dpotrf_("U", &n, y, &n, &info, 1);
    return info;
}

static tp_status cholesky_run(const tp_call *c)
{
    const tp_dtype dtype = c->y.dtype;
    const tp_shape batch = tp__batch_shape(&c->y.shape, 2);
    const int64_t n = tp__rows(&c->y.shape, false);

    for (int64_t k = 0; k < tp_shape_count(batch) && n > 0; k++) {
        void *y = tp__matrix(&c->y, k);
        copy_symmetric(dtype, n, tp__matrix(&c->x[0], k), y);
        if (!tp__all_finite(dtype, y, n * n)) {
            tp__fill_nan(dtype, y, n * n);
            continue;
        }
        const int minor = factorize_in_place(dtype, (int)n, y);
        char text[TP_TEXT_SIZE];
        if (minor > 0)
            return tp_call_fail(c,
                                "%s is not positive definite: its leading minor of order %d is not positive",
                                tp__matrix_name(&batch, k, text), minor);
    }
    return TP_OK;
}

/* Murray, "Differentiation of the Cholesky decomposition", 2016, section 5: with P the lower triangle of L^T g and half its
 * diagonal, a' = L^-T (P + P^T) / 2 L^-1.  Only the lower triangle of g matters to P. */
static void cholesky_vjp(const tp_vjp *d)
{
    const tp_tensor product = tp__product(d->y, d->g, true, false);
    const tp_tensor below = tp_transpose(tp_tril(product, -1), -2, -1);
    const tp_tensor both = tp_scale(tp_add(tp_tril(product, 0), below), 0.5);
    const tp_tensor left = record_triangular(d->y, both, (triangular_attr){.transpose = true});
    d->dx[0] = record_triangular(d->y, left, (triangular_attr){.right = true});
}

static const tp_op cholesky = {
    .name = "cholesky",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_THREAD_DEPENDENT,
    .infer = cholesky_infer,
    .vjp = cholesky_vjp,
    .run = cholesky_run,
};

tp_tensor tp_cholesky(tp_tensor a, const tp_cholesky_options *options)
{
    const tp_tensor lower = tp_record(&cholesky, &a, 1, NULL);
    return options != NULL && options->upper && tp_is_valid(lower) ? tp_transpose(lower, -2, -1) : lower;
}

const tp_op *const tp__triangular_ops[] = {&triangular_solve, &cholesky, NULL};
