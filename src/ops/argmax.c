/* argmax.c -- argmax argmin: where the largest and the smallest element stand. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"
#include "lists.h"

/* Over the last axis, which the result does not have. */
static const char *arg_infer(tp_inference *i)
{
    const int64_t rank = i->x_shape[0].rank, n = rank > 0 ? i->x_shape[0].dim[rank - 1] : 0;
    i->y_shape = i->x_shape[0];
    if (rank > 0)
        i->y_shape.dim[--i->y_shape.rank] = 0;
    i->y_dtype = TP_I32;
    if (n == 0 && tp_shape_count(i->y_shape) > 0)
        return "there is no largest or smallest of no elements";
    if (n > INT32_MAX)
        return "there are more elements than an i32 can count";
    return NULL;
}

/* ---- One row --------------------------------------------------------------------------------------- *
 *
 * The first element that beats all before it and that no later one beats, or the first NaN.  `sign` is -1 for the
 * smallest: negation is exact. */

static int64_t first_largest_f32(int64_t n, const float *x, float sign)
{
    float best = -HUGE_VALF;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(sign * x[i] <= best)) { /* larger, or a NaN */
            best = sign * x[i];
            at = i;
            if (best != best)
                break;
        }
    return at;
}

static int64_t first_largest_f64(int64_t n, const double *x, double sign)
{
    double best = -HUGE_VAL;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(sign * x[i] <= best)) {
            best = sign * x[i];
            at = i;
            if (best != best)
                break;
        }
    return at;
}

static int64_t first_largest_i32(int64_t n, const int32_t *x, int64_t sign)
{
    int64_t best = INT64_MIN, at = 0;
    for (int64_t i = 0; i < n; i++)
        if (sign * x[i] > best) {
            best = sign * x[i];
            at = i;
        }
    return at;
}

static tp_status run_rows(const tp_call *c, int sign)
{
    const tp_array *x = &c->x[0];
    const int64_t rows = tp_shape_count(c->y.shape), n = x->shape.dim[x->shape.rank - 1];
    int32_t *y = c->y.data;

    for (int64_t r = 0; r < rows; r++)
        y[r] =
            (int32_t)(x->dtype == TP_F32   ? first_largest_f32(n, (const float *)x->data + r * n, (float)sign)
                      : x->dtype == TP_F64 ? first_largest_f64(n, (const double *)x->data + r * n, sign)
                                           : first_largest_i32(n, (const int32_t *)x->data + r * n, sign));
    return TP_OK;
}

static tp_status argmax_run(const tp_call *c)
{
    return run_rows(c, 1);
}

static tp_status argmin_run(const tp_call *c)
{
    return run_rows(c, -1);
}

/* ---- The ops --------------------------------------------------------------------------------------- */

static const tp_op argmax = {
    .name = "argmax",
    .kind = TP_CALL,
    .arity = 1,
    .infer = arg_infer,
    .vjp = tp_zero_derivative,
    .run = argmax_run,
};

static const tp_op argmin = {
    .name = "argmin",
    .kind = TP_CALL,
    .arity = 1,
    .infer = arg_infer,
    .vjp = tp_zero_derivative,
    .run = argmin_run,
};

static tp_tensor position_over(const tp_op *op, tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask;

    if (!tp_is_valid(x) || tp_dtype_of(x) == TP_WEAK)
        return tp_record(op, &x, 1, NULL); /* which is an error */
    if (!tp__axes_mask(x, op->name, axes, &mask))
        return (tp_tensor){.tape = x.tape, .id = -1};
    if (mask == 0)
        return tp_full(x.tape, TP_I32, shape, 0);
    const tp_tensor rows = tp__as_rows(x, mask), y = tp_record(op, &rows, 1, NULL);
    return tp_is_valid(y) ? tp_reshape(y, tp__reduced(&shape, mask, keepdims)) : y;
}

tp_tensor tp_argmax(tp_tensor x)
{
    return tp_argmax_over(x, tp__all_axes(x), false);
}

tp_tensor tp_argmax_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return position_over(&argmax, x, axes, keepdims);
}

tp_tensor tp_argmin(tp_tensor x)
{
    return tp_argmin_over(x, tp__all_axes(x), false);
}

tp_tensor tp_argmin_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return position_over(&argmin, x, axes, keepdims);
}

const tp_op *const tp__argmax_ops[] = {&argmax, &argmin, NULL};
