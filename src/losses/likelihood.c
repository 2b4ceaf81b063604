/* likelihood.c -- negative log likelihoods of numbers: poisson_nll gaussian_nll. */
#include <math.h>

#include "common.h"

static const double log_2_pi = 1.83787706640934548356;

/* ---- poisson_nll ------------------------------------------------------------------------------------- */

typedef struct poisson_parameters {
    bool rate, full;
    double epsilon;
} poisson_parameters;

/* log t! by Stirling, where t > 1. */
static tp_tensor log_factorial(tp_tensor t)
{
    const tp_tensor log_t = tp_log(t);
    const tp_tensor root = tp__loss_plus(tp_scale(log_t, 0.5), 0.5 * log_2_pi);
    const tp_tensor stirling = tp_add(tp_sub(tp_mul(t, log_t), t), root);
    return tp_where(tp_greater(t, tp__loss_number(t, 1)), stirling, tp__loss_number(t, 0));
}

static tp_tensor poisson(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const poisson_parameters *p = parameters;
    tp_tensor r;

    if (!(p->epsilon >= 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must not be negative, but is %g", p->epsilon);
    if (p->rate)
        r = tp_sub(prediction, tp_mul(target, tp_log(tp__loss_plus(prediction, p->epsilon))));
    else
        r = tp_sub(tp_exp(prediction), tp_mul(target, prediction));
    return p->full ? tp_add(r, log_factorial(target)) : r;
}

tp_tensor tp_poisson_nll(tp_tensor prediction, tp_tensor target, const tp_poisson_nll_options *options)
{
    static const tp__elementwise nll = {"poisson_nll", "prediction", false, poisson};
    const tp_poisson_nll_options o = options != NULL ? *options : (tp_poisson_nll_options){0};
    return tp__elementwise_loss(&nll, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast},
                                &(poisson_parameters){o.rate, o.full, tp__loss_default(o.epsilon, 1e-8)});
}

/* ---- gaussian_nll ------------------------------------------------------------------------------------ */

typedef struct gaussian_parameters {
    tp_tensor variance;
    bool full;
    double epsilon;
} gaussian_parameters;

/* The variance in a shape that broadcasts to r's as the header says, or an invalid tensor. */
static tp_tensor variance_of(tp_tensor d, tp_tensor variance)
{
    const tp_shape shape = tp_shape_of(d), own = tp_shape_of(variance);
    tp_shape row = shape;
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (tp_shape_equal(own, shape))
        return variance;
    if (row.rank > 0) {
        row.dim[row.rank - 1] = 1;
        if (tp_shape_equal(own, row))
            return variance;
        row.dim[--row.rank] = 0;
        if (tp_shape_equal(own, row)) {
            row.dim[row.rank++] = 1;
            return tp_reshape(variance, row);
        }
    }
    return tp_fail(d, TP_BAD_SHAPE,
                   "the variance is %s, but must be as the loss, %s, or have one number for each row of it",
                   tp_describe(tp_dtype_of(variance), &own, got),
                   tp_describe(tp_dtype_of(d), &shape, expected));
}

static tp_tensor gaussian(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    gaussian_parameters p = *(const gaussian_parameters *)parameters;

    if (!tp__loss_operand(prediction, p.variance, "variance") ||
        !tp__loss_option(prediction, &p.variance, "variance", tp_dtype_of(prediction)))
        return tp__loss_invalid(prediction);
    if (!(p.epsilon > 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must be positive, not %g", p.epsilon);
    const tp_tensor d = tp_sub(prediction, target);
    const tp_tensor variance = variance_of(d, p.variance);
    if (!tp_is_valid(variance))
        return variance;
    const tp_tensor v = tp__loss_floor(variance, p.epsilon);
    const tp_tensor r = tp_scale(tp_add(tp_log(v), tp_div(tp_square(d), v)), 0.5);
    return p.full ? tp__loss_plus(r, 0.5 * log_2_pi) : r;
}

tp_tensor tp_gaussian_nll(tp_tensor prediction, tp_tensor target, tp_tensor variance,
                          const tp_gaussian_nll_options *options)
{
    static const tp__elementwise nll = {"gaussian_nll", "prediction", false, gaussian};
    const tp_gaussian_nll_options o = options != NULL ? *options : (tp_gaussian_nll_options){0};
    return tp__elementwise_loss(&nll, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast},
                                &(gaussian_parameters){variance, o.full, tp__loss_default(o.epsilon, 1e-6)});
}
