/* regression.c -- losses of the difference d between prediction and target: mse mae huber smooth_l1 quantile_loss log_cosh
 * tukey barron. */
#include <math.h>

#include "common.h"

/* ---- mse, mae --------------------------------------------------------------------------------------- */

static tp_tensor squared(tp_tensor prediction, tp_tensor target, const void *none)
{
    (void)none;
    return tp_square(tp_sub(prediction, target));
}

tp_tensor tp_mse(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    static const tp__elementwise mse = {"mse", "prediction", false, squared};
    return tp__elementwise_loss(&mse, prediction, target, options, NULL);
}

static tp_tensor absolute(tp_tensor prediction, tp_tensor target, const void *none)
{
    (void)none;
    return tp_abs(tp_sub(prediction, target));
}

tp_tensor tp_mae(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    static const tp__elementwise mae = {"mae", "prediction", false, absolute};
    return tp__elementwise_loss(&mae, prediction, target, options, NULL);
}

/* ---- huber, smooth_l1 -------------------------------------------------------------------------------- */

static tp_tensor huberised(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double delta = *(const double *)parameters;

    if (!(delta > 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "delta must be positive, not %g", delta);
    const tp_tensor d = tp_sub(prediction, target), size = tp_abs(d);
    const tp_tensor square = tp_scale(tp_square(d), 0.5);
    const tp_tensor linear = tp_scale(tp_sub(size, tp__loss_number(d, 0.5 * delta)), delta);
    return tp_where(tp_less_equal(size, tp__loss_number(d, delta)), square, linear);
}

tp_tensor tp_huber(tp_tensor prediction, tp_tensor target, const tp_huber_options *options)
{
    static const tp__elementwise huber = {"huber", "prediction", false, huberised};
    const tp_huber_options o = options != NULL ? *options : (tp_huber_options){0};
    const double delta = tp__loss_default(o.delta, 1);
    return tp__elementwise_loss(&huber, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &delta);
}

static tp_tensor smoothed(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double beta = *(const double *)parameters;

    if (!(beta >= 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "beta must not be negative, but is %g", beta);
    const tp_tensor d = tp_sub(prediction, target), size = tp_abs(d);
    if (beta == 0)
        return size;
    const tp_tensor square = tp_scale(tp_square(d), 0.5 / beta);
    return tp_where(tp_less(size, tp__loss_number(d, beta)), square, tp__loss_plus(size, -0.5 * beta));
}

tp_tensor tp_smooth_l1(tp_tensor prediction, tp_tensor target, const tp_smooth_l1_options *options)
{
    static const tp__elementwise smooth_l1 = {"smooth_l1", "prediction", false, smoothed};
    const tp_smooth_l1_options o = options != NULL ? *options : (tp_smooth_l1_options){0};
    const double beta = tp__loss_given(o.beta, 1);
    return tp__elementwise_loss(&smooth_l1, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &beta);
}

/* ---- quantile_loss ----------------------------------------------------------------------------------- */

/* max(tau e, (tau - 1) e) with e = -d, as |d| / 2 + (1/2 - tau) d: fewer ops, and the tie is in the middle. */
static tp_tensor pinball(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double tau = *(const double *)parameters;

    if (!(tau > 0 && tau < 1))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "tau must be between 0 and 1, not %g", tau);
    const tp_tensor d = tp_sub(prediction, target);
    return tp_add(tp_scale(tp_abs(d), 0.5), tp_scale(d, 0.5 - tau));
}

tp_tensor tp_quantile_loss(tp_tensor prediction, tp_tensor target, double tau, const tp_loss_options *options)
{
    static const tp__elementwise quantile = {"quantile_loss", "prediction", false, pinball};
    return tp__elementwise_loss(&quantile, prediction, target, options, &tau);
}

/* ---- log_cosh ---------------------------------------------------------------------------------------- */

/* log cosh a = log1p(cosh a - 1) with cosh a - 1 = E^2 / (2 (1 + E)), E = e^a - 1: no digit is lost near 0, where a
 * difference of exponentials or of softplus and a loses all.  E^2 must not overflow: from 20 on it is a - log 2, to 1e-17.
 * |d| is written as a choice of signs, whose derivative at 0 is 1 and not 0: with it the second derivative there is right,
 * too. */
static tp_tensor log_of_cosh(tp_tensor prediction, tp_tensor target, const void *none)
{
    const tp_tensor d = tp_sub(prediction, target), one = tp__loss_number(d, 1);
    const tp_tensor negative = tp_less(d, tp__loss_number(d, 0));
    const tp_tensor size = tp_mul(d, tp_where(negative, tp__loss_number(d, -1), one));
    const tp_tensor limit = tp__loss_number(d, 20), far = tp_greater(size, limit);
    const tp_tensor e = tp_expm1(tp_where(far, limit, size));
    const tp_tensor excess = tp_div(tp_scale(tp_square(e), 0.5), tp_add(e, one));
    (void)none;
    return tp_where(far, tp__loss_plus(size, -0.69314718055994530942), tp_log1p(excess));
}

tp_tensor tp_log_cosh(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    static const tp__elementwise log_cosh = {"log_cosh", "prediction", false, log_of_cosh};
    return tp__elementwise_loss(&log_cosh, prediction, target, options, NULL);
}

/* ---- tukey ------------------------------------------------------------------------------------------- */

/* 1 - (1 - m)^3 = m (3 + m (m - 3)), which keeps its digits near 0, with m = min((d / c)^2, 1). */
static tp_tensor biweight(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double c = *(const double *)parameters;

    if (!(c > 0 && c < HUGE_VAL))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "c must be positive and finite, not %g", c);
    const tp_tensor d = tp_sub(prediction, target);
    const tp_tensor m = tp_clamp(tp_square(tp_scale(d, 1 / c)), -HUGE_VAL, 1);
    const tp_tensor rest = tp__loss_plus(tp_mul(m, tp__loss_plus(m, -3)), 3);
    return tp_scale(tp_mul(m, rest), c * c / 6);
}

tp_tensor tp_tukey(tp_tensor prediction, tp_tensor target, const tp_tukey_options *options)
{
    static const tp__elementwise tukey = {"tukey", "prediction", false, biweight};
    const tp_tukey_options o = options != NULL ? *options : (tp_tukey_options){0};
    const double c = tp__loss_default(o.c, 4.685);
    return tp__elementwise_loss(&tukey, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &c);
}

/* ---- barron ------------------------------------------------------------------------------------------ */

typedef struct barron_parameters {
    tp_tensor alpha, c;
} barron_parameters;

/* z = (d / c)^2 */
static tp_tensor barron_of_known(tp_tensor z, double alpha)
{
    if (alpha == 2)
        return tp_scale(z, 0.5);
    if (alpha == 0)
        return tp_log1p(tp_scale(z, 0.5));
    if (alpha == -HUGE_VAL)
        return tp_neg(tp_expm1(tp_scale(z, -0.5)));
    const double b = fabs(alpha - 2);
    return tp_scale(tp_expm1(tp_scale(tp_log1p(tp_scale(z, 1 / b)), alpha / 2)), b / alpha);
}

static tp_tensor barron_of_tensor(tp_tensor z, tp_tensor alpha)
{
    const tp_tensor b = tp_abs(tp__loss_plus(alpha, -2));
    const tp_tensor power = tp_expm1(tp_mul(tp_scale(alpha, 0.5), tp_log1p(tp_div(z, b))));
    return tp_mul(tp_div(b, alpha), power);
}

static tp_tensor robust(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    barron_parameters p = *(const barron_parameters *)parameters;
    const tp_dtype dtype = tp_dtype_of(prediction);
    double known;

    if (!tp__loss_operand(prediction, p.alpha, "alpha") ||
        !tp__loss_option(prediction, &p.alpha, "alpha", dtype) ||
        !tp__loss_option(prediction, &p.c, "scale c", dtype))
        return tp__loss_invalid(prediction);
    const tp_tensor d = tp_sub(prediction, target);
    const tp_shape shape = tp_shape_of(d);
    if (!tp__loss_fits(d, p.alpha, "alpha", &shape) || !tp__loss_fits(d, p.c, "scale c", &shape))
        return tp__loss_invalid(prediction);
    const tp_tensor z = tp_square(p.c.tape != NULL ? tp_div(d, p.c) : d);
    if (!tp_is_scalar_constant(p.alpha, &known))
        return barron_of_tensor(z, p.alpha);
    if (!(known < HUGE_VAL))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "alpha must be a number or -inf, not %g", known);
    return barron_of_known(z, known);
}

tp_tensor tp_barron(tp_tensor prediction, tp_tensor target, tp_tensor alpha, const tp_barron_options *options)
{
    static const tp__elementwise barron = {"barron", "prediction", false, robust};
    const tp_barron_options o = options != NULL ? *options : (tp_barron_options){0};
    return tp__elementwise_loss(&barron, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast},
                                &(barron_parameters){alpha, o.c});
}
