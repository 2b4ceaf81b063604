/* margin.c -- margins of single scores: hinge squared_hinge soft_margin hinge_embedding margin_ranking. */
#include <math.h>

#include "common.h"

/* margin - target prediction, or an invalid tensor. */
static tp_tensor lack(tp_tensor prediction, tp_tensor target, double margin)
{
    if (!isfinite(margin))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "the margin must be finite, not %g", margin);
    return tp__loss_minus(margin, tp_mul(target, prediction));
}

/* max(0, x) whose derivative at 0 is 1. */
static tp_tensor positive_part(tp_tensor x)
{
    return tp_clamp(x, 0, HUGE_VAL);
}

/* ---- hinge, squared_hinge, soft_margin --------------------------------------------------------------- */

static tp_tensor hinged(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    return tp_relu(lack(prediction, target, *(const double *)parameters));
}

tp_tensor tp_hinge(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options)
{
    static const tp__elementwise hinge = {"hinge", "prediction", true, hinged};
    const tp_hinge_options o = options != NULL ? *options : (tp_hinge_options){0};
    const double margin = tp__loss_given(o.margin, 1);
    return tp__elementwise_loss(&hinge, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &margin);
}

static tp_tensor squarely_hinged(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    return tp_square(tp_relu(lack(prediction, target, *(const double *)parameters)));
}

tp_tensor tp_squared_hinge(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options)
{
    static const tp__elementwise hinge = {"squared_hinge", "prediction", true, squarely_hinged};
    const tp_hinge_options o = options != NULL ? *options : (tp_hinge_options){0};
    const double margin = tp__loss_given(o.margin, 1);
    return tp__elementwise_loss(&hinge, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &margin);
}

static tp_tensor softly(tp_tensor prediction, tp_tensor target, const void *none)
{
    (void)none;
    return tp_softplus(tp_neg(tp_mul(target, prediction)));
}

tp_tensor tp_soft_margin(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    static const tp__elementwise soft_margin = {"soft_margin", "prediction", true, softly};
    return tp__elementwise_loss(&soft_margin, prediction, target, options, NULL);
}

/* ---- hinge_embedding --------------------------------------------------------------------------------- */

static tp_tensor hinged_distance(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double margin = *(const double *)parameters;

    if (!isfinite(margin))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "the margin must be finite, not %g", margin);
    const tp_tensor together = tp_greater(target, tp__loss_number(prediction, 0));
    return tp_where(together, prediction, positive_part(tp__loss_minus(margin, prediction)));
}

tp_tensor tp_hinge_embedding(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options)
{
    static const tp__elementwise hinge = {"hinge_embedding", "prediction", true, hinged_distance};
    const tp_hinge_options o = options != NULL ? *options : (tp_hinge_options){0};
    const double margin = tp__loss_given(o.margin, 1);
    return tp__elementwise_loss(&hinge, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &margin);
}

/* ---- margin_ranking ---------------------------------------------------------------------------------- */

static tp_tensor margin_ranking(tp_tensor first, tp_tensor second, tp_tensor target,
                                const tp_ranking_options *o)
{
    const tp_tensor at = tp__loss_at(tp__loss_at(first, second), target);

    if (!tp__loss_float(at, first, "first score") || !tp__loss_operand(at, second, "second score") ||
        !tp__loss_alike(second, "second score", first, "first score") ||
        !tp__loss_pair(at, first, "first score", &target, true, false))
        return tp__loss_invalid(at);
    const tp_tensor missing = lack(tp_sub(first, second), target, o->margin);
    return tp__loss_reduce(positive_part(missing), o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_margin_ranking(tp_tensor first, tp_tensor second, tp_tensor target,
                            const tp_ranking_options *options)
{
    tp_tape *tape = tp__loss_at(tp__loss_at(first, second), target).tape;

    tp_scope_begin(tape, "margin_ranking");
    const tp_tensor loss =
        margin_ranking(first, second, target, options != NULL ? options : &(tp_ranking_options){0});
    tp_scope_end(tape);
    return loss;
}
