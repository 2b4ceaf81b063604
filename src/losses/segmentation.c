/* segmentation.c -- losses of overlapping regions: dice jaccard tversky focal_tversky. */
#include <math.h>

#include "regions.h"

/* ---- Probabilities ----------------------------------------------------------------------------------- */

/* Logits come apart into a step, which is 1 where x >= 0, and a tail: sigmoid(x) is their sum.  1 - step - tail is sigmoid(-x),
 * and as one of its two sums is with 0, it keeps all digits of the tail. */
typedef struct probability {
    tp_tensor yes;  /* p */
    tp_tensor step; /* of logits; else absent */
    tp_tensor tail;
} probability;

static probability probability_of(tp_tensor x, bool from_logits)
{
    if (!from_logits)
        return (probability){.yes = x};
    const tp_tensor step = tp_greater_equal(x, tp__loss_number(x, 0)), tail = tp_sigmoid_tail(x);
    return (probability){tp_add(step, tail), step, tail};
}

/* (1 - p) t, where both = p t. */
static tp_tensor missed(probability p, tp_tensor t, tp_tensor both)
{
    if (p.step.tape == NULL)
        return tp_sub(t, both);
    return tp_mul(tp_sub(tp__loss_minus(1, p.step), p.tail), t);
}

/* p - t */
static tp_tensor difference(probability p, tp_tensor t)
{
    return p.step.tape == NULL ? tp_sub(p.yes, t) : tp_add(tp_sub(p.step, t), p.tail);
}

/* ---- The ratio --------------------------------------------------------------------------------------- */

/* r = (alpha FP + beta FN) / (hits TP + alpha FP + beta FN + smooth) */
typedef struct overlap {
    double hits, alpha, beta, smooth;
    bool squared; /* sum (p - t)^2 / (sum p^2 + sum t^2 + smooth) instead */
} overlap;

static overlap dice_overlap(tp_optional_number smooth)
{
    return (overlap){.hits = 2, .alpha = 1, .beta = 1, .smooth = tp__loss_given(smooth, 1)};
}

static bool check_factor(tp_tensor at, const char *name, double value)
{
    if (value >= 0 && isfinite(value))
        return true;
    tp_fail(at, TP_BAD_ARGUMENT, "%s must be finite and not negative, but is %g", name, value);
    return false;
}

static bool check_overlap(tp_tensor at, const overlap *o)
{
    return check_factor(at, "smooth", o->smooth) && check_factor(at, "alpha", o->alpha) &&
           check_factor(at, "beta", o->beta);
}

static tp_tensor sum_within(const tp__regions *regions, tp_tensor x)
{
    return tp_sum_over(x, regions->axes, false);
}

/* wrong / (everything + smooth).  Without smoothing, a region with nothing in it is right. */
static tp_tensor share(tp_tensor wrong, tp_tensor everything, double smooth)
{
    if (smooth == 0)
        return tp__loss_ratio(wrong, everything);
    return tp_div(wrong, tp__loss_plus(everything, smooth));
}

/* sum over pixels of alpha p (1 - t) + beta (1 - p) t; `both` is p t.  For t of 0 and 1, p - p t is exact. */
static tp_tensor wrong_pixels(probability p, tp_tensor t, tp_tensor both, const overlap *o,
                              const tp__regions *regions)
{
    const tp_tensor false_positive = tp_scale(tp_sub(p.yes, both), o->alpha);
    return sum_within(regions, tp_add(false_positive, tp_scale(missed(p, t, both), o->beta)));
}

/* r of each region. */
static tp_tensor overlap_loss(const overlap *o, const tp__regions *regions, tp_tensor prediction, tp_tensor t,
                              bool from_logits)
{
    const probability p = probability_of(prediction, from_logits);

    if (o->squared) {
        const tp_tensor wrong = sum_within(regions, tp_square(difference(p, t)));
        return share(wrong, sum_within(regions, tp_add(tp_square(p.yes), tp_square(t))), o->smooth);
    }
    const tp_tensor both = tp_mul(p.yes, t), wrong = wrong_pixels(p, t, both, o, regions);
    return share(wrong, tp_add(tp_scale(sum_within(regions, both), o->hits), wrong), o->smooth);
}

/* ---- The losses -------------------------------------------------------------------------------------- */

/* What their options have in common. */
typedef struct common_options {
    tp_reduction reduction;
    tp_tensor weight;
    bool per_sample, per_class, from_logits;
    double gamma; /* the exponent of the ratio */
} common_options;

static tp_tensor checked(tp_tensor prediction, tp_tensor target, const overlap *ratio,
                         const common_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    tp__regions regions;

    if (!tp__loss_pair(at, prediction, "prediction", &target, true, false) ||
        !tp__regions_of(&regions, prediction, "prediction", o->per_sample, o->per_class) ||
        !check_overlap(at, ratio))
        return tp__loss_invalid(at);
    if (!(o->gamma > 0 && isfinite(o->gamma)))
        return tp_fail(at, TP_BAD_ARGUMENT, "gamma must be positive and finite, not %g", o->gamma);
    const tp_tensor r = overlap_loss(ratio, &regions, prediction, target, o->from_logits);
    return tp__loss_reduce(tp__loss_power(r, o->gamma), o->weight, (tp_tensor){0}, o->reduction);
}

static tp_tensor in_scope(const char *scope, tp_tensor prediction, tp_tensor target, const overlap *ratio,
                          const common_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, scope);
    const tp_tensor loss = checked(prediction, target, ratio, options);
    tp_scope_end(tape);
    return loss;
}

tp_tensor tp_dice(tp_tensor prediction, tp_tensor target, const tp_dice_options *options)
{
    const tp_dice_options o = options != NULL ? *options : (tp_dice_options){0};
    overlap ratio = dice_overlap(o.smooth);

    ratio.squared = o.squared;
    return in_scope("dice", prediction, target, &ratio,
                    &(common_options){o.reduction, o.weight, o.per_sample, o.per_class, o.from_logits, 1});
}

tp_tensor tp_jaccard(tp_tensor prediction, tp_tensor target, const tp_jaccard_options *options)
{
    const tp_jaccard_options o = options != NULL ? *options : (tp_jaccard_options){0};
    const overlap ratio = {.hits = 1, .alpha = 1, .beta = 1, .smooth = tp__loss_given(o.smooth, 1)};

    return in_scope("jaccard", prediction, target, &ratio,
                    &(common_options){o.reduction, o.weight, o.per_sample, o.per_class, o.from_logits, 1});
}

static overlap tversky(tp_optional_number smooth, tp_optional_number alpha, tp_optional_number beta)
{
    return (overlap){.hits = 1,
                     .alpha = tp__loss_given(alpha, 0.3),
                     .beta = tp__loss_given(beta, 0.7),
                     .smooth = tp__loss_given(smooth, 1)};
}

tp_tensor tp_tversky(tp_tensor prediction, tp_tensor target, const tp_tversky_options *options)
{
    const tp_tversky_options o = options != NULL ? *options : (tp_tversky_options){0};
    const overlap ratio = tversky(o.smooth, o.alpha, o.beta);

    return in_scope("tversky", prediction, target, &ratio,
                    &(common_options){o.reduction, o.weight, o.per_sample, o.per_class, o.from_logits, 1});
}

tp_tensor tp_focal_tversky(tp_tensor prediction, tp_tensor target, const tp_focal_tversky_options *options)
{
    const tp_focal_tversky_options o = options != NULL ? *options : (tp_focal_tversky_options){0};
    const overlap ratio = tversky(o.smooth, o.alpha, o.beta);

    return in_scope("focal_tversky", prediction, target, &ratio,
                    &(common_options){o.reduction, o.weight, o.per_sample, o.per_class, o.from_logits,
                                      tp__loss_default(o.gamma, 0.75)});
}
