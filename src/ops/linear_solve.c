/* linear_solve.c -- general square matrices, by LAPACK's LU: solve, inverse, det, slogdet; and trace. */
#include <cblas.h>
#include <math.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lapack.h"
#include "lists.h"
#include "matrices.h"

/* ---- LU -------------------------------------------------------------------------------------------- */

/* By columns, a matrix that lies here by rows is its transpose: a^T = P L U.  Read by rows again, lu holds U^T in its lower
 * triangle and L^T, whose diagonal is 1, above. */
typedef struct factors {
    tp_dtype dtype;
    int n;
    void *lu;
    int *pivot;     /* row i was swapped with row pivot[i] - 1 */
    bool is_finite; /* the matrix was; else nothing was computed */
    int singular;   /* the first diagonal element of U that is 0, counted from 1, or 0 */
} factors;

/* lu, which is the matrix, and its pivots. */
static void factorize(factors *f)
{
    f->singular = 0;
    f->is_finite = tp__all_finite(f->dtype, f->lu, (int64_t)f->n * f->n);
    if (!f->is_finite)
        return;
    if (f->dtype == TP_F32)
        sgetrf_(&f->n, &f->n, f->lu, &f->n, f->pivot, &f->singular);
    else
        dgetrf_(&f->n, &f->n, f->lu, &f->n, f->pivot, &f->singular);
}

static size_t matrix_bytes(const tp_shape *x)
{
    return (size_t)tp__rows(x, false) * (size_t)tp__columns(x, false) * sizeof(double);
}

/* For the pivots, and a matrix before them. */
static size_t factors_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    return matrix_bytes(&x_shape[0]) + (size_t)tp__rows(&x_shape[0], false) * sizeof(int);
}

static factors factors_in_scratch(const tp_call *c)
{
    const tp_shape *a = &c->x[0].shape;
    char *scratch = c->scratch;
    return (factors){.dtype = c->x[0].dtype,
                     .n = (int)tp__rows(a, false),
                     .lu = scratch,
                     .pivot = (int *)(void *)(scratch + matrix_bytes(a))};
}

/* Copies matrix k of the first operand and factorizes it. */
static void load_factors(const tp_call *c, int64_t k, factors *f)
{
    memcpy(f->lu, tp__matrix(&c->x[0], k), (size_t)f->n * (size_t)f->n * tp_dtype_size(f->dtype));
    factorize(f);
}

static tp_status fail_singular(const tp_call *c, int64_t k, const factors *f)
{
    const tp_shape batch = tp__batch_shape(&c->x[0].shape, 2);
    char text[TP_TEXT_SIZE];
    return tp_call_fail(c, "%s is singular: pivot %d of its LU factorization is 0",
                        tp__matrix_name(&batch, k, text), f->singular);
}

/* ---- solve ----------------------------------------------------------------------------------------- */

typedef struct solve_attr {
    int64_t transpose;
} solve_attr;

static const char *solve_infer(tp_inference *i)
{
    return tp__solve_infer(i, false);
}

static void swap_bytes(char *a, char *b, size_t n)
{
    char kept[256];
    for (size_t at = 0; at < n; at += sizeof kept) {
        const size_t here = n - at < sizeof kept ? n - at : sizeof kept;
        memcpy(kept, a + at, here);
        memcpy(a + at, b + at, here);
        memcpy(b + at, kept, here);
    }
}

static void swap_rows(const factors *f, bool backwards, int columns, void *y)
{
    const size_t bytes = (size_t)columns * tp_dtype_size(f->dtype);
    for (int k = 0; k < f->n; k++) {
        const int i = backwards ? f->n - 1 - k : k, j = f->pivot[i] - 1;
        if (i != j)
            swap_bytes((char *)y + (size_t)i * bytes, (char *)y + (size_t)j * bytes, bytes);
    }
}

static void solve_triangle(const factors *f, bool upper, bool transpose, int columns, void *y)
{
    const CBLAS_UPLO triangle = upper ? CblasUpper : CblasLower;
    const CBLAS_TRANSPOSE t = transpose ? CblasTrans : CblasNoTrans;
    const CBLAS_DIAG diagonal = upper ? CblasUnit : CblasNonUnit; /* L^T above, U^T below */
    if (f->dtype == TP_F32)
        cblas_strsm(CblasRowMajor, CblasLeft, triangle, t, diagonal, f->n, columns, 1, f->lu, f->n, y,
                    columns);
    else
        cblas_dtrsm(CblasRowMajor, CblasLeft, triangle, t, diagonal, f->n, columns, 1, f->lu, f->n, y,
                    columns);
}

/* a = U^T L^T P^T, so a^-1 = P L^-T U^-T and a^-T = U^-1 L^-1 P^T.  P^T swaps rows forwards, P backwards. */
static void solve_in_place(const factors *f, bool transpose, int columns, void *y)
{
    if (transpose)
        swap_rows(f, false, columns, y);
    solve_triangle(f, transpose, transpose, columns, y);
    solve_triangle(f, !transpose, transpose, columns, y);
    if (!transpose)
        swap_rows(f, true, columns, y);
}

static tp_status solve_run(const tp_call *c)
{
    const solve_attr *p = c->attr;
    const int columns = (int)tp__columns(&c->y.shape, false);
    factors f = factors_in_scratch(c);
    const int64_t count = (int64_t)f.n * columns;
    tp__batches batch = tp__first_batch(c);
    int64_t loaded = -1;

    for (int64_t i = 0; i < batch.count && count > 0; i++, tp__next_batch(&batch)) {
        void *y = tp__matrix(&c->y, i);
        if (batch.at[0] != loaded)
            load_factors(c, batch.at[0], &f);
        loaded = batch.at[0];
        if (f.singular > 0)
            return fail_singular(c, loaded, &f);
        if (!f.is_finite) {
            tp__fill_nan(f.dtype, y, count);
            continue;
        }
        memcpy(y, tp__matrix(&c->x[1], batch.at[1]), (size_t)count * tp_dtype_size(f.dtype));
        solve_in_place(&f, p->transpose, columns, y);
    }
    return TP_OK;
}

static const tp_op solve;

/* b' = op(a)^-T g, and op(a)' = -b' y^T. */
static void solve_vjp(const tp_vjp *d)
{
    const solve_attr *p = d->attr;
    const tp_tensor db = tp__record_solve(&solve, d->x[0], d->g, &(solve_attr){!p->transpose});
    if (d->need[1])
        d->dx[1] = db;
    if (d->need[0])
        d->dx[0] = p->transpose ? tp__product(d->y, tp_neg(db), false, true)
                                : tp__product(tp_neg(db), d->y, false, true);
}

static const tp_op solve = {
    .name = "solve",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(solve_attr),
    .infer = solve_infer,
    .vjp = solve_vjp,
    .run = solve_run,
    .scratch_size = factors_scratch,
};

tp_tensor tp_solve(tp_tensor a, tp_tensor b)
{
    return tp__record_solve(&solve, a, b, &(solve_attr){false});
}

/* ---- inverse --------------------------------------------------------------------------------------- */

enum { INVERSE_BLOCK = 64 }; /* columns that LAPACK inverts at a time */

static const char *square_infer(tp_inference *i)
{
    const char *fault = tp__float_fault(i);
    i->y_shape = i->x_shape[0];
    return fault != NULL ? fault : tp__square_fault(i, 0);
}

/* Work space in the matrix's stead, which is factorized where the result goes. */
static size_t inverse_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const size_t rows = (size_t)tp__rows(&x_shape[0], false);
    (void)n, (void)attr;
    return rows * INVERSE_BLOCK * sizeof(double) + rows * sizeof(int);
}

static void invert_in_place(const factors *f, void *work)
{
    const int work_size = f->n * INVERSE_BLOCK;
    int info = 0;
    if (f->dtype == TP_F32)
        sgetri_(&f->n, f->lu, &f->n, f->pivot, work, &work_size, &info);
    else
        dgetri_(&f->n, f->lu, &f->n, f->pivot, work, &work_size, &info);
}

/* The inverse of the transpose is the transpose of the inverse: rows or columns are all the same. */
static tp_status inverse_run(const tp_call *c)
{
    const tp_shape batch = tp__batch_shape(&c->y.shape, 2);
    const int64_t n = tp__rows(&c->y.shape, false);
    const size_t bytes = (size_t)(n * n) * tp_dtype_size(c->y.dtype);
    char *scratch = c->scratch;
    factors f = {.dtype = c->y.dtype,
                 .n = (int)n,
                 .pivot = (int *)(void *)(scratch + (size_t)n * INVERSE_BLOCK * sizeof(double))};

    for (int64_t k = 0; k < tp_shape_count(batch) && n > 0; k++) {
        f.lu = memcpy(tp__matrix(&c->y, k), tp__matrix(&c->x[0], k), bytes);
        factorize(&f);
        if (f.singular > 0)
            return fail_singular(c, k, &f);
        if (f.is_finite)
            invert_in_place(&f, scratch);
        else
            tp__fill_nan(f.dtype, f.lu, n * n);
    }
    return TP_OK;
}

/* a' = -y^T g y^T */
static void inverse_vjp(const tp_vjp *d)
{
    d->dx[0] = tp__product(tp__product(tp_neg(d->y), d->g, true, false), d->y, false, true);
}

static const tp_op inverse = {
    .name = "inverse",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_THREAD_DEPENDENT,
    .infer = square_infer,
    .vjp = inverse_vjp,
    .run = inverse_run,
    .scratch_size = inverse_scratch,
};

tp_tensor tp_inverse(tp_tensor a)
{
    return tp_record(&inverse, &a, 1, NULL);
}

/* ---- det, slogdet ---------------------------------------------------------------------------------- */

/* The determinant as fraction * 2^exponent, so that no product on the way leaves the range, and log |det|. */
typedef struct determinant {
    double fraction, logarithm;
    int64_t exponent;
} determinant;

static determinant determinant_of(const factors *f)
{
    determinant d = {.fraction = 1};
    if (!f->is_finite)
        return (determinant){NAN, NAN, 0};
    for (int64_t i = 0; i < f->n; i++) {
        const double pivot = tp__get(f->dtype, f->lu, i * f->n + i);
        int exponent;
        d.fraction = frexp(d.fraction * (f->pivot[i] == i + 1 ? pivot : -pivot), &exponent);
        d.exponent += exponent;
        d.logarithm += log(fabs(pivot));
    }
    d.fraction += 0; /* no -0: a singular matrix has no sign */
    return d;
}

static int clamped(int64_t exponent)
{
    const int64_t limit = 4096; /* beyond every double */
    return (int)(exponent < -limit ? -limit : exponent > limit ? limit : exponent);
}

static const char *det_infer(tp_inference *i)
{
    const char *fault = square_infer(i);
    if (fault == NULL)
        i->y_shape = tp__batch_shape(&i->x_shape[0], 2);
    return fault;
}

static tp_status det_run(const tp_call *c)
{
    const int64_t count = tp_shape_count(c->y.shape);
    factors f = factors_in_scratch(c);

    for (int64_t k = 0; k < count; k++) {
        if (f.n > 0)
            load_factors(c, k, &f);
        const determinant d = f.n > 0 ? determinant_of(&f) : (determinant){.fraction = 1};
        tp__set(c->y.dtype, c->y.data, k, ldexp(d.fraction, clamped(d.exponent)));
    }
    return TP_OK;
}

/* One number for each matrix, to be multiplied with the matrix. */
static tp_tensor as_factor(tp_tensor x)
{
    tp_shape shape = tp_shape_of(x);
    shape.dim[shape.rank++] = 1;
    shape.dim[shape.rank++] = 1;
    return tp_is_valid(x) ? tp_reshape(x, shape) : x;
}

/* a' = g det(a) a^-T */
static void det_vjp(const tp_vjp *d)
{
    const tp_tensor back = tp_transpose(tp_inverse(d->x[0]), -2, -1);
    d->dx[0] = tp_mul(as_factor(tp_mul(d->g, d->y)), back);
}

static const tp_op det = {
    .name = "det",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_THREAD_DEPENDENT,
    .infer = det_infer,
    .vjp = det_vjp,
    .run = det_run,
    .scratch_size = factors_scratch,
};

tp_tensor tp_det(tp_tensor a)
{
    return tp_record(&det, &a, 1, NULL);
}

/* The last axis: the sign, log |det|. */
static const char *slogdet_infer(tp_inference *i)
{
    const char *fault = det_infer(i);
    if (fault == NULL)
        i->y_shape.dim[i->y_shape.rank++] = 2;
    return fault;
}

static tp_status slogdet_run(const tp_call *c)
{
    const int64_t count = tp_shape_count(c->y.shape) / 2;
    factors f = factors_in_scratch(c);

    for (int64_t k = 0; k < count; k++) {
        if (f.n > 0)
            load_factors(c, k, &f);
        const determinant d = f.n > 0 ? determinant_of(&f) : (determinant){.fraction = 1};
        const double sign = d.fraction > 0 ? 1 : d.fraction < 0 ? -1 : d.fraction;
        tp__set(c->y.dtype, c->y.data, 2 * k, sign);
        tp__set(c->y.dtype, c->y.data, 2 * k + 1, d.logarithm);
    }
    return TP_OK;
}

/* The sign is a constant; of the logarithm a' = g a^-T. */
static void slogdet_vjp(const tp_vjp *d)
{
    const tp_tensor g = tp_slice(d->g, -1, 1, 2, 1), back = tp_transpose(tp_inverse(d->x[0]), -2, -1);
    tp_shape shape = tp_shape_of(g);
    shape.dim[shape.rank++] = 1;
    d->dx[0] = tp_mul(tp_is_valid(g) ? tp_reshape(g, shape) : g, back);
}

static const tp_op slogdet = {
    .name = "slogdet",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_THREAD_DEPENDENT,
    .infer = slogdet_infer,
    .vjp = slogdet_vjp,
    .run = slogdet_run,
    .scratch_size = factors_scratch,
};

static tp_tensor part_of(tp_tensor pairs, int64_t k)
{
    const tp_shape full = tp_shape_of(pairs);
    return tp_reshape(tp_slice(pairs, -1, k, k + 1, 1), tp__batch_shape(&full, 1));
}

tp_tensor tp_slogdet(tp_tensor a, tp_tensor *sign)
{
    const tp_tensor pairs = tp_record(&slogdet, &a, 1, NULL);
    const bool valid = tp_is_valid(pairs);
    if (sign != NULL)
        *sign = valid ? part_of(pairs, 0) : pairs;
    return valid ? part_of(pairs, 1) : pairs;
}

/* ---- trace ----------------------------------------------------------------------------------------- */

tp_tensor tp_trace(tp_tensor a)
{
    const tp_shape shape = tp_shape_of(a);
    char text[TP_TEXT_SIZE];
    if (tp_is_valid(a) && shape.rank < 2)
        return tp_fail(a, TP_BAD_SHAPE, "trace: the operand must have at least two axes: %s",
                       tp_describe(tp_dtype_of(a), &shape, text));
    return tp_sum_over(tp_diagonal(a, 0, -2, -1), TP_AXES(-1), false);
}

const tp_op *const tp__solve_ops[] = {&solve, &inverse, &det, &slogdet, NULL};
