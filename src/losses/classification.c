/* classification.c -- losses over classes: cross_entropy nll categorical_cross_entropy focal_categorical
 * multilabel_soft_margin. */
#include <math.h>

#include "binary.h"
#include "classes.h"

/* The scores and the target are alive, and the scores have classes.  The target takes the loss's place. */
static bool begin(tp__classes *c, tp_tensor scores, const char *name, tp_tensor *target, tp_optional_int axis)
{
    const tp_tensor at = tp__loss_at(scores, *target);
    char tensor[32];

    snprintf(tensor, sizeof tensor, "%s tensor", name);
    if (!tp__loss_operand(at, scores, tensor) || !tp__loss_operand(at, *target, "target"))
        return false;
    *target = tp__loss_here(at, *target);
    return tp__classes_of(c, scores, name, axis);
}

static bool check_smoothing(tp_tensor at, double smoothing)
{
    if (smoothing >= 0 && smoothing <= 1)
        return true;
    tp_fail(at, TP_BAD_ARGUMENT, "label_smoothing must be in [0, 1], not %g", smoothing);
    return false;
}

/* (1 - e) x + e / C y */
static tp_tensor smoothed(const tp__classes *c, double e, tp_tensor x, tp_tensor y)
{
    return e == 0 ? x : tp_add(tp_scale(x, 1 - e), tp_scale(y, e / (double)c->count));
}

/* -sum over the classes of w[c] x[c], by rows. */
static tp_tensor minus_weighted_sum(const tp__classes *c, tp_tensor x)
{
    return tp_neg(tp__classes_sum(c, c->weight.tape != NULL ? tp__loss_weighted(c->weight, x) : x));
}

/* ---- cross_entropy, nll ------------------------------------------------------------------------------ */

/* *mass: how much each row counts in a mean; left absent where all count 1. */
static tp_tensor nll_of_indices(const tp__classes *c, tp_tensor lp, tp_tensor target, double smoothing,
                                tp_tensor *mass)
{
    const tp__class_labels y = tp__classes_labels(c, target);
    const tp_tensor at_class = tp_where(y.hit, lp, tp_scalar_of(lp.tape, c->dtype, 0));
    const tp_tensor r = minus_weighted_sum(c, smoothed(c, smoothing, at_class, lp));

    if (c->weight.tape != NULL)
        *mass = tp__classes_pick(c, &y, c->weight);
    return tp__classes_without_ignored(c, &y, r, mass);
}

/* The logits less the largest of their row, which is no function of them as far as gradients go: a softmax stays the same
 * whatever is subtracted.  An infinite one is left alone. */
static tp_tensor centred(const tp__classes *c)
{
    const tp_tensor x = c->scores, largest = tp_max_over(x, TP_AXES(c->axis), true);
    const tp_tensor infinite = tp_equal(tp_abs(largest), tp_scalar(x.tape, HUGE_VAL));
    return tp_sub(x, tp_stop_gradient(tp_where(infinite, tp_scalar(x.tape, 0), largest)));
}

/* log sum e^x - x[y], which is nll_of_indices of the log_softmax with a term less for each class: the other classes'
 * logarithms are never formed. */
static tp_tensor cross_entropy_of_indices(const tp__classes *c, tp_tensor target, tp_tensor *mass)
{
    const tp__class_labels y = tp__classes_labels(c, target);
    const tp_tensor x = centred(c);
    tp_tensor r = tp_sub(tp_log(tp__classes_sum(c, tp_exp(x))), tp__classes_pick(c, &y, x));

    if (c->weight.tape != NULL) {
        *mass = tp__classes_pick(c, &y, c->weight);
        r = tp__loss_weighted(*mass, r);
    }
    return tp__classes_without_ignored(c, &y, r, mass);
}

static tp_tensor cross_entropy(tp_tensor logits, tp_tensor target, const tp_cross_entropy_options *o)
{
    const tp_tensor invalid = tp__loss_invalid(tp__loss_at(logits, target));
    tp_tensor mass = {0}, r;
    tp__classes c;

    if (!begin(&c, logits, "logits", &target, o->axis) || !check_smoothing(logits, o->label_smoothing) ||
        !tp__classes_weigh(&c, o->class_weight) || !tp__classes_target(&c, target, true, true))
        return invalid;
    c.ignore = o->ignore;
    if (tp_dtype_of(target) != TP_I32 && o->ignore.given)
        return tp_fail(logits, TP_BAD_ARGUMENT,
                       "ignore needs class indices: give ignored rows a weight of 0 instead");
    if (tp_dtype_of(target) == TP_I32 && o->label_smoothing == 0)
        return tp__loss_reduce(cross_entropy_of_indices(&c, target, &mass), o->weight, mass, o->reduction);
    const tp_tensor lp = tp_log_softmax(logits, c.axis);
    if (tp_dtype_of(target) == TP_I32)
        r = nll_of_indices(&c, lp, target, o->label_smoothing, &mass);
    else
        r = minus_weighted_sum(
            &c, tp__loss_weighted(smoothed(&c, o->label_smoothing, target, tp_scalar(target.tape, 1)), lp));
    return tp__loss_reduce(r, o->weight, mass, o->reduction);
}

tp_tensor tp_cross_entropy(tp_tensor logits, tp_tensor target, const tp_cross_entropy_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "cross_entropy");
    const tp_tensor loss =
        cross_entropy(logits, target, options != NULL ? options : &(tp_cross_entropy_options){0});
    tp_scope_end(tape);
    return loss;
}

static tp_tensor nll(tp_tensor prediction, tp_tensor target, const tp_nll_options *o)
{
    tp_tensor mass = {0};
    tp__classes c;

    if (!begin(&c, prediction, "predictions", &target, o->axis) || !tp__classes_weigh(&c, o->class_weight) ||
        !tp__classes_target(&c, target, true, false))
        return tp__loss_invalid(tp__loss_at(prediction, target));
    c.ignore = o->ignore;
    const tp_tensor r = nll_of_indices(&c, prediction, target, 0, &mass);
    return tp__loss_reduce(r, o->weight, mass, o->reduction);
}

tp_tensor tp_nll(tp_tensor prediction, tp_tensor target, const tp_nll_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "nll");
    const tp_tensor loss = nll(prediction, target, options != NULL ? options : &(tp_nll_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- categorical_cross_entropy ----------------------------------------------------------------------- */

static tp_tensor categorical_cross_entropy(tp_tensor prediction, tp_tensor target,
                                           const tp_categorical_cross_entropy_options *o)
{
    const double epsilon = tp__loss_default(o->epsilon, 1e-7);
    tp__classes c;

    if (!begin(&c, prediction, "predictions", &target, o->axis) ||
        !check_smoothing(prediction, o->label_smoothing) || !tp__classes_target(&c, target, false, true))
        return tp__loss_invalid(tp__loss_at(prediction, target));
    if (!(epsilon > 0 && epsilon <= 0.5))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must be in (0, 1/2], not %g", epsilon);
    const tp_tensor sum = tp_sum_over(prediction, TP_AXES(c.axis), true);
    const tp_tensor q = tp_clamp(tp_div(prediction, sum), epsilon, 1 - epsilon);
    const tp_tensor t = smoothed(&c, o->label_smoothing, target, tp_scalar(target.tape, 1));
    const tp_tensor r = tp_neg(tp__classes_sum(&c, tp_mul(t, tp_log(q))));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_categorical_cross_entropy(tp_tensor prediction, tp_tensor target,
                                       const tp_categorical_cross_entropy_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "categorical_cross_entropy");
    const tp_tensor loss = categorical_cross_entropy(
        prediction, target, options != NULL ? options : &(tp_categorical_cross_entropy_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- focal_categorical ------------------------------------------------------------------------------- */

static tp_tensor focal_categorical(tp_tensor logits, tp_tensor target, const tp_focal_categorical_options *o)
{
    const double gamma = tp__loss_given(o->gamma, 2);
    tp_tensor mass = {0};
    tp__classes c;

    if (!begin(&c, logits, "logits", &target, o->axis) || !tp__classes_weigh(&c, o->class_weight) ||
        !tp__classes_target(&c, target, true, false))
        return tp__loss_invalid(tp__loss_at(logits, target));
    if (!(gamma >= 0))
        return tp_fail(logits, TP_BAD_ARGUMENT, "gamma must not be negative, but is %g", gamma);
    c.ignore = o->ignore;
    const tp__class_labels y = tp__classes_labels(&c, target);
    tp_tensor r = tp_neg(tp__classes_pick(&c, &y, tp_log_softmax(logits, c.axis)));
    if (gamma != 0) /* 1 - e^lp, to the last digit where the class is almost certain */
        r = tp_mul(tp__loss_power(tp_neg(tp_expm1(tp_neg(r))), gamma), r);
    if (c.weight.tape != NULL)
        r = tp__loss_weighted(tp__classes_pick(&c, &y, c.weight), r);
    r = tp__classes_without_ignored(&c, &y, r, &mass);
    return tp__loss_reduce(r, o->weight, mass, o->reduction);
}

tp_tensor tp_focal_categorical(tp_tensor logits, tp_tensor target,
                               const tp_focal_categorical_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "focal_categorical");
    const tp_tensor loss =
        focal_categorical(logits, target, options != NULL ? options : &(tp_focal_categorical_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- multilabel_soft_margin -------------------------------------------------------------------------- */

static tp_tensor multilabel_soft_margin(tp_tensor logits, tp_tensor target, const tp_multilabel_options *o)
{
    const tp_tensor at = tp__loss_at(logits, target);
    tp__classes c;

    if (!tp__loss_pair(at, logits, "logits tensor", &target, true, false) ||
        !tp__classes_of(&c, logits, "logits", o->axis) || !tp__classes_weigh(&c, o->class_weight))
        return tp__loss_invalid(at);
    tp_tensor r = tp__binary_cross_entropy(logits, target, (tp_tensor){0});
    if (c.weight.tape != NULL)
        r = tp__loss_weighted(c.weight, r);
    r = tp_mean_over(r, TP_AXES(c.axis), false);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_multilabel_soft_margin(tp_tensor logits, tp_tensor target, const tp_multilabel_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "multilabel_soft_margin");
    const tp_tensor loss =
        multilabel_soft_margin(logits, target, options != NULL ? options : &(tp_multilabel_options){0});
    tp_scope_end(tape);
    return loss;
}
