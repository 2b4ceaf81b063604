/* cumulative.c -- cumsum and cumprod along an axis, and the linear recurrence that derivatives of cumprod are made of. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"
#include "lists.h"

typedef struct along_attr {
    int64_t axis;    /* from the front */
    int64_t reverse; /* from the end of the axis to its front */
} along_attr;

/* ---- Lanes ----------------------------------------------------------------------------------------- *
 *
 * An array is [outer, n, inner].  A lane is what one running fold goes over.  Lanes side by side take turns, since each
 * waits for its own last result: columns of an [n, inner], or rows where inner is 1.  Folds are kept in double (of i32
 * in int64_t), and every result is rounded from there. */

enum { ROWS = 4, MANY_COLUMNS = 32, COLUMNS = 8, MOST_LANES = MANY_COLUMNS };

typedef struct lanes {
    int64_t n, step; /* elements of a lane; from one to the next */
    int64_t count,
        apart;      /* lanes: 1, or ROWS, or apart by 1 and COLUMNS or MANY_COLUMNS; from one to the next */
    int64_t factor; /* of a recurrence: from an element to its factor */
} lanes;

/* From element `at` of the operands on.  Returns -1, or the first element whose result does not fit. */
typedef int64_t (*lane_kernel)(const lanes *s, int64_t at, const tp_array *x, void *y);

/* ---- Sums and products ----------------------------------------------------------------------------- */

static inline void fold_f32(const lanes *s, bool product, int64_t count, int64_t apart, const float *x,
                            float *y)
{
    double so_far[MOST_LANES];
    for (int64_t l = 0; l < count; l++)
        so_far[l] = product ? 1 : -0.0; /* -0: adding to it changes not even a zero's sign */
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t l = 0; l < count; l++) {
            const int64_t k = i * s->step + l * apart;
            so_far[l] = product ? so_far[l] * (double)x[k] : so_far[l] + (double)x[k];
            y[k] = (float)so_far[l];
        }
}

static inline void fold_f64(const lanes *s, bool product, int64_t count, int64_t apart, const double *x,
                            double *y)
{
    double so_far[MOST_LANES];
    for (int64_t l = 0; l < count; l++)
        so_far[l] = product ? 1 : -0.0;
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t l = 0; l < count; l++) {
            const int64_t k = i * s->step + l * apart;
            so_far[l] = product ? so_far[l] * x[k] : so_far[l] + x[k];
            y[k] = so_far[l];
        }
}

/* Returns the first element of a lane that does not fit, or -1. */
static inline int64_t fold_i32(const lanes *s, bool product, const int32_t *x, int32_t *y)
{
    for (int64_t l = 0; l < s->count; l++) {
        int64_t so_far = product ? 1 : 0;
        for (int64_t i = 0; i < s->n; i++) {
            const int64_t k = i * s->step + l * s->apart;
            so_far = product ? so_far * x[k] : so_far + x[k];
            if (so_far < INT32_MIN || so_far > INT32_MAX)
                return k;
            y[k] = (int32_t)so_far;
        }
    }
    return -1;
}

/* Constants make each a loop of its own, with the folds in registers. */
static inline void fold_floats(const lanes *s, bool product, const float *x, float *y)
{
    if (s->count == 1)
        fold_f32(s, product, 1, 0, x, y);
    else if (s->count == ROWS)
        fold_f32(s, product, ROWS, s->apart, x, y);
    else if (s->count == COLUMNS)
        fold_f32(s, product, COLUMNS, 1, x, y);
    else
        fold_f32(s, product, MANY_COLUMNS, 1, x, y);
}

static inline void fold_doubles(const lanes *s, bool product, const double *x, double *y)
{
    if (s->count == 1)
        fold_f64(s, product, 1, 0, x, y);
    else if (s->count == ROWS)
        fold_f64(s, product, ROWS, s->apart, x, y);
    else if (s->count == COLUMNS)
        fold_f64(s, product, COLUMNS, 1, x, y);
    else
        fold_f64(s, product, MANY_COLUMNS, 1, x, y);
}

static inline int64_t fold_lanes(const lanes *s, bool product, int64_t at, const tp_array *x, void *y)
{
    int64_t bad = -1;
    if (x->dtype == TP_F32)
        fold_floats(s, product, (const float *)x->data + at, (float *)y + at);
    else if (x->dtype == TP_F64)
        fold_doubles(s, product, (const double *)x->data + at, (double *)y + at);
    else
        bad = fold_i32(s, product, (const int32_t *)x->data + at, (int32_t *)y + at);
    return bad < 0 ? -1 : at + bad;
}

TP_INSTRUCTION_SETS
static int64_t sum_lanes(const lanes *s, int64_t at, const tp_array *x, void *y)
{
    return fold_lanes(s, false, at, x, y);
}

TP_INSTRUCTION_SETS
static int64_t multiply_lanes(const lanes *s, int64_t at, const tp_array *x, void *y)
{
    return fold_lanes(s, true, at, x, y);
}

/* ---- Linear recurrences ---------------------------------------------------------------------------- */

/* s = term + s x, where a 0 annihilates x, even if that is infinite or NaN.  The first element has no factor: there may be
 * none in memory, and the 0 before it reads none. */
static void recur_f32(const lanes *s, const float *x, const float *term, float *y)
{
    double so_far[MOST_LANES] = {0};
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t l = 0; l < s->count; l++) {
            const int64_t k = i * s->step + l * s->apart;
            so_far[l] = (double)term[k] + (so_far[l] == 0 ? 0 : so_far[l] * (double)x[k + s->factor]);
            y[k] = (float)so_far[l];
        }
}

static void recur_f64(const lanes *s, const double *x, const double *term, double *y)
{
    double so_far[MOST_LANES] = {0};
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t l = 0; l < s->count; l++) {
            const int64_t k = i * s->step + l * s->apart;
            so_far[l] = term[k] + (so_far[l] == 0 ? 0 : so_far[l] * x[k + s->factor]);
            y[k] = so_far[l];
        }
}

static int64_t recur_lanes(const lanes *s, int64_t at, const tp_array *x, void *y)
{
    if (x->dtype == TP_F32)
        recur_f32(s, (const float *)x[0].data + at, (const float *)x[1].data + at, (float *)y + at);
    else
        recur_f64(s, (const double *)x[0].data + at, (const double *)x[1].data + at, (double *)y + at);
    return -1;
}

/* ---- Walking over an array ------------------------------------------------------------------------- */

static int64_t size_between(const tp_shape *shape, int64_t from, int64_t to)
{
    int64_t count = 1;
    for (int64_t d = from; d < to; d++)
        count *= shape->dim[d];
    return count;
}

/* How many of the `left` lanes take turns. */
static int64_t lanes_at_once(int64_t left, bool are_rows)
{
    if (are_rows)
        return left >= ROWS ? ROWS : 1;
    return left >= MANY_COLUMNS ? MANY_COLUMNS : left >= COLUMNS ? COLUMNS : 1;
}

static tp_status run_along(const tp_call *c, lane_kernel kernel)
{
    const along_attr *a = c->attr;
    const tp_shape *shape = &c->y.shape;
    const int64_t outer = size_between(shape, 0, a->axis), n = shape->dim[a->axis],
                  inner = size_between(shape, a->axis + 1, shape->rank);
    const bool rows = inner == 1;
    const int64_t start = a->reverse ? (n - 1) * inner : 0, side = rows ? outer : inner;
    lanes s = {
        .n = n, .step = a->reverse ? -inner : inner, .apart = rows ? n : 1, .factor = a->reverse ? inner : 0};
    int64_t bad = -1;

    for (int64_t o = 0; o < (rows ? 1 : outer); o++)
        for (int64_t first = 0; first < side && bad < 0; first += s.count) {
            s.count = lanes_at_once(side - first, rows);
            bad = kernel(&s, o * n * inner + start + first * s.apart, c->x, c->y.data);
        }
    return bad < 0 ? TP_OK : tp_call_fail(c, "a result does not fit i32 (element %lld)", (long long)bad);
}

static tp_status cumsum_run(const tp_call *c)
{
    return run_along(c, sum_lanes);
}

static tp_status cumprod_run(const tp_call *c)
{
    return run_along(c, multiply_lanes);
}

static tp_status recurrence_run(const tp_call *c)
{
    return run_along(c, recur_lanes);
}

/* ---- Derivatives ----------------------------------------------------------------------------------- */

static const tp_op cumsum, cumprod, recurrence;

static tp_tensor record_along(const tp_op *op, const tp_tensor *x, int n, int64_t axis, bool reverse)
{
    return tp_record(op, x, n, &(along_attr){axis, reverse});
}

/* An element is in all sums from it on. */
static void cumsum_vjp(const tp_vjp *d)
{
    const along_attr *a = d->attr;
    d->dx[0] = record_along(&cumsum, &d->g, 1, a->axis, !a->reverse);
}

/* Element i + 1 of the result is element i of x, and its first is `value`. */
static tp_tensor shifted(tp_tensor x, int64_t axis, double value)
{
    tp_shape first = tp_shape_of(x);
    const int64_t n = first.dim[axis];
    first.dim[axis] = 1;
    const tp_tensor front = tp_full(x.tape, tp_dtype_of(x), first, value);
    return tp_concat((tp_tensor[]){front, tp_slice(x, (int)axis, 0, n - 1, 1)}, 2, (int)axis);
}

/* y[i] is the product of x up to x[i].  So dx[i] = y[i - 1] s[i], where s[i] = g[i] + x[i + 1] s[i + 1] adds up what all
 * results from i on contribute: without division, so it is exact with zeros among the factors, at any order. */
static void cumprod_vjp(const tp_vjp *d)
{
    const along_attr *a = d->attr;
    if (tp_count_of(d->y) == 0)
        return;
    const tp_tensor s = record_along(&recurrence, (tp_tensor[]){d->x[0], d->g}, 2, a->axis, true);
    d->dx[0] = tp_guard(s, tp_mul(s, shifted(d->y, a->axis, 1)));
}

/* The adjoint of y[i] = b[i] + x[i] y[i - 1] runs the other way with the same factors: s[i] = g[i] + x[i + 1] s[i + 1].  That of
 * b is s, that of x[i] is s[i] y[i - 1]; in reverse s and y change places.  A factor that the zero before it hid, being
 * infinite or NaN, passes nothing on, as in guard. */
static void recurrence_vjp(const tp_vjp *d)
{
    const along_attr *a = d->attr;
    const tp_tensor x = d->x[0], zero = tp_scalar(d->y.tape, 0);
    if (tp_count_of(d->y) == 0)
        return;
    const tp_tensor before = a->reverse ? d->y : shifted(d->y, a->axis, 0); /* what the factor x[i] meets */
    const tp_tensor finite = tp_equal(tp_sub(x, x), zero);
    const tp_tensor factor = tp_where(finite, x, tp_guard(before, x));
    const tp_tensor s = record_along(&recurrence, (tp_tensor[]){factor, d->g}, 2, a->axis, !a->reverse);
    const tp_tensor after = a->reverse ? shifted(s, a->axis, 0) : s;
    d->dx[0] = tp_guard(after, tp_mul(after, before));
    d->dx[1] = s;
}

/* ---- Ops ------------------------------------------------------------------------------------------- */

static const char *along_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return NULL;
}

static const tp_op cumsum = {
    .name = "cumsum",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(along_attr),
    .infer = along_infer,
    .vjp = cumsum_vjp,
    .run = cumsum_run,
};

static const tp_op cumprod = {
    .name = "cumprod",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(along_attr),
    .infer = along_infer,
    .vjp = cumprod_vjp,
    .run = cumprod_run,
};

static const tp_op recurrence = {
    .name = "recurrence",
    .kind = TP_CALL,
    .arity = 2,
    .attr_size = sizeof(along_attr),
    .infer = along_infer,
    .vjp = recurrence_vjp,
    .run = recurrence_run,
};

static tp_tensor fold_along(const tp_op *op, tp_tensor x, int axis)
{
    int d = 0;
    if (tp_is_valid(x) && (d = tp__one_axis(x, op->name, axis)) < 0)
        return (tp_tensor){.tape = x.tape, .id = -1};
    return record_along(op, &x, 1, d, false);
}

tp_tensor tp_cumsum(tp_tensor x, int axis)
{
    return fold_along(&cumsum, x, axis);
}

tp_tensor tp_cumprod(tp_tensor x, int axis)
{
    return fold_along(&cumprod, x, axis);
}

const tp_op *const tp__cumulative_ops[] = {&cumsum, &cumprod, &recurrence, NULL};
