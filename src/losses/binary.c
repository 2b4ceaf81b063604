/* binary.c -- losses of yes or no, and of log-probabilities, element by element: bce bce_with_logits focal kl_div. */
#include <math.h>

#include "binary.h"

/* ---- bce -------------------------------------------------------------------------------------------- */

/* The prediction's gradient ends where it is 0 or 1: there one logarithm is cut off, and the other's slope leads out of
 * [0, 1]. */
static tp_tensor bce_of_probabilities(tp_tensor prediction, tp_tensor target, const void *none)
{
    const tp_tensor rest = tp__loss_minus(1, prediction), product = tp_mul(prediction, rest);
    const tp_tensor at_edge = tp_equal(product, tp__loss_number(prediction, 0));
    const tp_tensor p = tp_where(at_edge, tp_stop_gradient(prediction), prediction);
    const tp_tensor yes = tp_clamp(tp_log(p), -100, HUGE_VAL);
    const tp_tensor no = tp_clamp(tp_log1p(tp_neg(p)), -100, HUGE_VAL);
    (void)none;
    return tp_neg(tp_add(tp_mul(target, tp_sub(yes, no)), no));
}

tp_tensor tp_bce(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    static const tp__elementwise bce = {"bce", "prediction", true, bce_of_probabilities};
    return tp__elementwise_loss(&bce, prediction, target, options, NULL);
}

/* ---- bce_with_logits --------------------------------------------------------------------------------- */

/* With h = 1 where x >= 0, else 0:
 *
 *     softplus(x) - t x = x (h - t) + softplus_tail(x)
 *
 * For t = 0 or 1 the first term is exactly 0 on the right side, so the tails stay exact; and so do those of the gradient,
 * h - t + sigmoid_tail(x), which reads the same exponential.  At 0 both terms have the derivatives of the side x >= 0, and
 * their sum those of softplus.
 *
 * With other factors than t and 1 - t: the tail has their sum, and x has the second or minus the first. */
tp_tensor tp__binary_cross_entropy(tp_tensor x, tp_tensor t, tp_tensor pos_weight)
{
    if (pos_weight.tape != NULL)
        return tp__binary_cross_entropy_by(x, tp_mul(pos_weight, t), tp__loss_minus(1, t));
    const tp_tensor right = tp_greater_equal(x, tp__loss_number(x, 0));
    return tp_add(tp_mul(x, tp_sub(right, t)), tp_softplus_tail(x));
}

tp_tensor tp__binary_cross_entropy_by(tp_tensor x, tp_tensor yes, tp_tensor no)
{
    const tp_tensor right = tp_greater_equal(x, tp__loss_number(x, 0));
    const tp_tensor slope = tp_where(right, no, tp_neg(yes));
    return tp_add(tp_mul(x, slope), tp_mul(tp_add(yes, no), tp_softplus_tail(x)));
}

static tp_tensor bce_of_logits(tp_tensor logits, tp_tensor target, const void *parameters)
{
    tp_tensor pos_weight = *(const tp_tensor *)parameters;
    const tp_shape p = tp_shape_of(logits), t = tp_shape_of(target);
    tp_shape joint = p;

    tp_broadcast(&p, &t, &joint);
    if (!tp__loss_option(logits, &pos_weight, "positive weight", tp_dtype_of(logits)) ||
        !tp__loss_fits(logits, pos_weight, "positive weight", &joint))
        return tp__loss_invalid(logits);
    return tp__binary_cross_entropy(logits, target, pos_weight);
}

tp_tensor tp_bce_with_logits(tp_tensor logits, tp_tensor target, const tp_bce_with_logits_options *options)
{
    static const tp__elementwise bce = {"bce_with_logits", "logits tensor", true, bce_of_logits};
    const tp_bce_with_logits_options o = options != NULL ? *options : (tp_bce_with_logits_options){0};
    return tp__elementwise_loss(&bce, logits, target, &(tp_loss_options){o.reduction, o.weight, o.broadcast},
                                &o.pos_weight);
}

/* ---- focal ------------------------------------------------------------------------------------------- */

typedef struct focal_parameters {
    double alpha, gamma;
} focal_parameters;

/* The probability of what is not true, s + t - 2 s t, is tiny where its power makes r tinier still: digits lost there do
 * not show, and softplus and sigmoid take fewer ops than sharing their exponential would. */
static tp_tensor focal_of_logits(tp_tensor x, tp_tensor t, const void *parameters)
{
    const focal_parameters *p = parameters;

    if (!(p->alpha <= 1))
        return tp_fail(x, TP_BAD_ARGUMENT, "alpha must be at most 1, not %g", p->alpha);
    if (!(p->gamma >= 0))
        return tp_fail(x, TP_BAD_ARGUMENT, "gamma must not be negative, but is %g", p->gamma);
    tp_tensor r;
    if (p->gamma == 0) {
        r = tp__binary_cross_entropy(x, t, (tp_tensor){0});
    } else {
        const tp_tensor wrong = tp_add(tp_mul(tp_sigmoid(x), tp__loss_minus(1, tp_scale(t, 2))), t);
        r = tp_mul(tp__loss_power(wrong, p->gamma), tp_sub(tp_softplus(x), tp_mul(x, t)));
    }
    if (p->alpha < 0)
        return r;
    return tp_mul(tp__loss_plus(tp_scale(t, 2 * p->alpha - 1), 1 - p->alpha), r);
}

tp_tensor tp_focal(tp_tensor logits, tp_tensor target, const tp_focal_options *options)
{
    static const tp__elementwise focal = {"focal", "logits tensor", true, focal_of_logits};
    const tp_focal_options o = options != NULL ? *options : (tp_focal_options){0};
    return tp__elementwise_loss(
        &focal, logits, target, &(tp_loss_options){o.reduction, o.weight, o.broadcast},
        &(focal_parameters){tp__loss_default(o.alpha, 0.25), tp__loss_given(o.gamma, 2)});
}

/* ---- kl_div ------------------------------------------------------------------------------------------ */

static tp_tensor divergence(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const bool log_target = *(const bool *)parameters;

    if (log_target)
        return tp_mul(tp_exp(target), tp_sub(target, prediction));
    return tp__loss_weighted(target, tp_sub(tp_log(target), prediction));
}

tp_tensor tp_kl_div(tp_tensor prediction, tp_tensor target, const tp_kl_div_options *options)
{
    static const tp__elementwise kl_div = {"kl_div", "prediction", false, divergence};
    const tp_kl_div_options o = options != NULL ? *options : (tp_kl_div_options){0};
    return tp__elementwise_loss(&kl_div, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &o.log_target);
}
