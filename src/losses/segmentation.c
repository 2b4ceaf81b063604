/* segmentation.c -- losses of overlapping regions: dice jaccard tversky focal_tversky, generalised_dice, bce_dice combo. */
#include <math.h>

#include "binary.h"
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

/* ---- dice, jaccard, tversky, focal_tversky -------------------------------------------------------------------------------------- */

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

/* ---- generalised_dice -------------------------------------------------------------------------------- */

static tp_tensor generalised_dice(tp_tensor prediction, tp_tensor target,
                                  const tp_generalised_dice_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    const double epsilon = tp__loss_default(o->epsilon, 1e-6);
    const overlap dice = dice_overlap((tp_optional_number){0});
    tp__regions regions;

    if (!tp__loss_pair(at, prediction, "prediction", &target, true, false) ||
        !tp__regions_of(&regions, prediction, "prediction", o->per_sample, true))
        return tp__loss_invalid(at);
    if (!(epsilon > 0 && isfinite(epsilon)))
        return tp_fail(at, TP_BAD_ARGUMENT, "epsilon must be positive and finite, not %g", epsilon);
    const tp_tensor t = tp_expand(target, tp_shape_of(prediction)), both = tp_mul(prediction, t);
    const tp_tensor size = sum_within(&regions, t);
    const tp_tensor factor = tp_div(tp__loss_number(size, 1), tp_clamp(tp_square(size), epsilon, HUGE_VAL));
    const tp_tensor wrong = wrong_pixels(probability_of(prediction, false), t, both, &dice, &regions);
    const tp_tensor all = tp_add(tp_scale(sum_within(&regions, both), 2), wrong);
    const tp_axes classes = TP_AXES(-1);
    const tp_tensor r = tp_div(tp_sum_over(tp_mul(factor, wrong), classes, false),
                               tp_clamp(tp_sum_over(tp_mul(factor, all), classes, false), epsilon, HUGE_VAL));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_generalised_dice(tp_tensor prediction, tp_tensor target,
                              const tp_generalised_dice_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "generalised_dice");
    const tp_tensor loss =
        generalised_dice(prediction, target, options != NULL ? options : &(tp_generalised_dice_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- bce_dice ---------------------------------------------------------------------------------------- */

/* factor * mean of x within each region */
static tp_tensor scaled_mean(const tp__regions *regions, tp_tensor x, double factor)
{
    return tp_scale(sum_within(regions, x), factor / (double)regions->size);
}

static tp_tensor bce_dice(tp_tensor logits, tp_tensor target, const tp_bce_dice_options *o)
{
    const tp_tensor at = tp__loss_at(logits, target);
    const double bce_weight = tp__loss_given(o->bce_weight, 1),
                 dice_weight = tp__loss_given(o->dice_weight, 1);
    const overlap dice = dice_overlap(o->smooth);
    tp__regions regions;

    if (!tp__loss_pair(at, logits, "logits tensor", &target, true, false) ||
        !tp__regions_of(&regions, logits, "logits tensor", o->per_sample, o->per_class) ||
        !check_overlap(at, &dice) || !check_factor(at, "bce_weight", bce_weight) ||
        !check_factor(at, "dice_weight", dice_weight))
        return tp__loss_invalid(at);
    const tp_tensor bce = tp__binary_cross_entropy(logits, target, (tp_tensor){0});
    const tp_tensor r = tp_add(scaled_mean(&regions, bce, bce_weight),
                               tp_scale(overlap_loss(&dice, &regions, logits, target, true), dice_weight));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_bce_dice(tp_tensor logits, tp_tensor target, const tp_bce_dice_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "bce_dice");
    const tp_tensor loss = bce_dice(logits, target, options != NULL ? options : &(tp_bce_dice_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- combo ------------------------------------------------------------------------------------------- */

/* -yes log q - no log(1 - q), q being p cut to [epsilon, 1 - epsilon].  Of logits the cut is one of x, and the logarithms are
 * those of sigmoid; of probabilities it is one of p and of 1 - p, since 1 - epsilon may be 1 in f32. */
static tp_tensor cut_cross_entropy(tp_tensor x, bool from_logits, tp_tensor yes, tp_tensor no, double epsilon)
{
    if (from_logits) {
        const double limit = log1p(-epsilon) - log(epsilon);
        return tp__binary_cross_entropy_by(tp_clamp(x, -limit, limit), yes, no);
    }
    const tp_tensor log_q = tp_log(tp_clamp(x, epsilon, 1 - epsilon));
    const tp_tensor log_rest = tp_log(tp_clamp(tp__loss_minus(1, x), epsilon, 1 - epsilon));
    return tp_neg(tp_add(tp_mul(yes, log_q), tp_mul(no, log_rest)));
}

static bool check_share(tp_tensor at, const char *name, double value)
{
    if (value >= 0 && value <= 1)
        return true;
    tp_fail(at, TP_BAD_ARGUMENT, "%s must be in [0, 1], not %g", name, value);
    return false;
}

static tp_tensor combo(tp_tensor prediction, tp_tensor target, const tp_combo_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    const double alpha = tp__loss_given(o->alpha, 0.5), beta = tp__loss_given(o->beta, 0.5),
                 epsilon = tp__loss_default(o->epsilon, 1e-7);
    const overlap dice = dice_overlap(o->smooth);
    tp__regions regions;

    if (!tp__loss_pair(at, prediction, "prediction", &target, true, false) ||
        !tp__regions_of(&regions, prediction, "prediction", o->per_sample, o->per_class) ||
        !check_overlap(at, &dice) || !check_share(at, "alpha", alpha) || !check_share(at, "beta", beta))
        return tp__loss_invalid(at);
    if (!(epsilon > 0 && epsilon < 0.5))
        return tp_fail(at, TP_BAD_ARGUMENT, "epsilon must be in (0, 1/2), not %g", epsilon);
    const tp_tensor yes = tp_scale(target, beta), no = tp_scale(tp__loss_minus(1, target), 1 - beta);
    const tp_tensor entropy = cut_cross_entropy(prediction, o->from_logits, yes, no, epsilon);
    const tp_tensor unlike = overlap_loss(&dice, &regions, prediction, target, o->from_logits);
    /* minus Dice's coefficient is `unlike` - 1 */
    const tp_tensor r =
        tp_add(scaled_mean(&regions, entropy, alpha), tp_scale(tp__loss_plus(unlike, -1), 1 - alpha));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_combo(tp_tensor prediction, tp_tensor target, const tp_combo_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "combo");
    const tp_tensor loss = combo(prediction, target, options != NULL ? options : &(tp_combo_options){0});
    tp_scope_end(tape);
    return loss;
}
