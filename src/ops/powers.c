/* powers.c -- pow hypot fmod logaddexp xlogy. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>
#include <tapir/scalar_trigonometric.h>

#include "lists.h"

static tp_tensor number(const tp_vjp *d, double value)
{
    return tp_scalar(d->y.tape, value);
}

static tp_tensor record2(const tp_op *op, tp_tensor a, tp_tensor b)
{
    return tp_record(op, (tp_tensor[]){a, b}, 2, NULL);
}

/* ---- pow ------------------------------------------------------------------------------------------- */

TP_MAP2(pow, TP_POW(a, b))

/* b a^(b-1), where 0 * 0^-1 must be 0.  The guard, and not a choice, keeps its derivative by b there, a^(b-1). */
static tp_tensor base_slope(const tp_vjp *d)
{
    const tp_tensor a = d->x[0], b = d->x[1];
    const tp_tensor slope = tp_mul(b, tp_pow(a, tp_sub(b, number(d, 1))));
    double known;
    return tp_is_scalar_constant(b, &known) && known != 0 ? slope : tp_guard(b, slope);
}

/* a^b log a, where 0 * log 0 must be 0. */
static tp_tensor exponent_slope(const tp_vjp *d)
{
    const tp_tensor a = d->x[0], b = d->x[1], zero = number(d, 0);
    const tp_tensor vanishes = tp_logical_and(tp_equal(a, zero), tp_greater_equal(b, zero));
    return tp_mul(d->y, tp_where(vanishes, zero, tp_log(a)));
}

static void pow_vjp(const tp_vjp *d)
{
    if (d->need[0])
        d->dx[0] = tp_mul(d->g, base_slope(d));
    if (d->need[1])
        d->dx[1] = tp_mul(d->g, exponent_slope(d));
}

static const tp_op power = {
    .name = "pow",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = pow_vjp,
    TP_MAP_KERNELS(pow),
    .low = 0.3,
    .high = 2,
};

/* Does the exponent leave shape and dtype to the base? */
static bool is_plain_number(tp_tensor a, tp_tensor b, double *value)
{
    if (!tp_is_valid(a) || !tp_is_scalar_constant(b, value) || b.tape != a.tape)
        return false;
    return tp_dtype_of(b) == TP_WEAK ||
           (tp_dtype_of(b) == tp_dtype_of(a) && tp_shape_of(b).rank == 0 && tp_dtype_of(b) != TP_I32);
}

tp_tensor tp_pow(tp_tensor a, tp_tensor b)
{
    double exponent;
    if (is_plain_number(a, b, &exponent) && (tp_dtype_of(a) == TP_F32 || tp_dtype_of(a) == TP_F64)) {
        if (exponent == 1)
            return a;
        if (exponent == 2)
            return tp_square(a);
        if (exponent == 3)
            return tp_mul(tp_square(a), a);
        if (exponent == 0.5)
            return tp_sqrt(a);
        if (exponent == -1)
            return tp_reciprocal(a);
        if (exponent == -0.5)
            return tp_rsqrt(a);
    }
    return record2(&power, a, b);
}

/* ---- hypot ----------------------------------------------------------------------------------------- */

TP_MAP2(hypot, TP_HYPOT(a, b))

static void hypot_vjp(const tp_vjp *d)
{
    const tp_tensor zero = number(d, 0), origin = tp_equal(d->y, zero);
    for (int k = 0; k < 2; k++)
        if (d->need[k])
            d->dx[k] = tp_mul(d->g, tp_where(origin, zero, tp_div(d->x[k], d->y)));
}

static const tp_op hypotenuse = {
    .name = "hypot",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = hypot_vjp,
    TP_MAP_KERNELS(hypot),
    .low = 0.3,
    .high = 2,
};

tp_tensor tp_hypot(tp_tensor a, tp_tensor b)
{
    return record2(&hypotenuse, a, b);
}

/* ---- fmod ------------------------------------------------------------------------------------------ */

TP_MAP2(fmod, TP_FMOD(a, b))

/* The quotient is a whole number once the rest is off: rounding finds it also where a / b would round up to the next. */
static void fmod_vjp(const tp_vjp *d)
{
    d->dx[0] = d->g;
    if (d->need[1])
        d->dx[1] = tp_neg(tp_mul(d->g, tp_round(tp_div(tp_sub(d->x[0], d->y), d->x[1]))));
    d->finite[0] = true;
}

static const tp_op remainder_toward_0 = {
    .name = "fmod",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = fmod_vjp,
    TP_MAP_KERNELS(fmod),
    .low = 1.1,
    .high = 1.9,
};

tp_tensor tp_fmod(tp_tensor a, tp_tensor b)
{
    return record2(&remainder_toward_0, a, b);
}

/* ---- logaddexp ------------------------------------------------------------------------------------- */

/* e^a / (e^a + e^b).  Of two equal infinities it is 1/2, as of any two that are equal. */
TP_MAP2(exponential_share, TP_SIGMOID(a == b ? (T)0 : a - b))

static void exponential_share_vjp(const tp_vjp *d)
{
    const tp_tensor slope = tp_mul(d->g, tp_mul(d->y, tp_sub(number(d, 1), d->y)));
    d->dx[0] = slope;
    d->dx[1] = tp_neg(slope);
}

static const tp_op exponential_share = {
    .name = "exponential_share",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = exponential_share_vjp,
    TP_MAP_KERNELS(exponential_share),
};

TP_MAP2(logaddexp, TP_MAX(a, b) + TP_SOFTPLUS(a == b ? (T)0 : -TP_ABS(a - b)))

static void logaddexp_vjp(const tp_vjp *d)
{
    for (int k = 0; k < 2; k++)
        if (d->need[k])
            d->dx[k] = tp_mul(d->g, record2(&exponential_share, d->x[k], d->x[1 - k]));
}

static const tp_op log_sum_of_exponentials = {
    .name = "logaddexp",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = logaddexp_vjp,
    TP_MAP_KERNELS(logaddexp),
};

tp_tensor tp_logaddexp(tp_tensor a, tp_tensor b)
{
    return record2(&log_sum_of_exponentials, a, b);
}

/* ---- xlogy ----------------------------------------------------------------------------------------- */

TP_MAP2(xlogy, a == 0 && b == b ? (T)0 : a * TP_LOG(b))

/* By a: log b, but 0 where that is no number and a is 0.  By b: a / b, where the guard keeps its derivative by a. */
static void xlogy_vjp(const tp_vjp *d)
{
    const tp_tensor a = d->x[0], b = d->x[1], zero = number(d, 0);
    if (d->need[0]) {
        const tp_tensor left_out = tp_logical_and(tp_equal(a, zero), tp_less_equal(b, zero));
        d->dx[0] = tp_mul(d->g, tp_where(left_out, zero, tp_log(b)));
    }
    if (d->need[1])
        d->dx[1] = tp_mul(d->g, tp_guard(a, tp_div(a, b)));
}

static const tp_op multiple_of_log = {
    .name = "xlogy",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = xlogy_vjp,
    TP_MAP_KERNELS(xlogy),
    .low = 0.3,
    .high = 3,
};

tp_tensor tp_xlogy(tp_tensor a, tp_tensor b)
{
    return record2(&multiple_of_log, a, b);
}

const tp_op *const tp__power_ops[] = {
    &power,           &hypotenuse, &remainder_toward_0, &exponential_share, &log_sum_of_exponentials,
    &multiple_of_log, NULL};
