/* constraints_regularisers.c -- norms, total variation, orthogonality, entropy. */
#include <math.h>

#include <tapir/constraints.h>

#include "common.h"

static bool check_factor(tp_tensor x, double lambda)
{
    if (!tp__loss_float(x, x, "regularised tensor"))
        return false;
    if (!isfinite(lambda))
        tp_fail(x, TP_BAD_ARGUMENT, "the factor must be finite, not %g", lambda);
    return isfinite(lambda);
}

/* ---- Norms ------------------------------------------------------------------------------------------- */

tp_tensor tp_l1_penalty(tp_tensor x, double lambda)
{
    tp_scope_begin(x.tape, "l1_penalty");
    const bool fine = check_factor(x, lambda);
    const tp_tensor loss = fine ? tp_scale(tp_sum(tp_abs(x)), lambda) : tp__loss_invalid(x);
    tp_scope_end(x.tape);
    return loss;
}

tp_tensor tp_l2_penalty(tp_tensor x, double lambda)
{
    tp_scope_begin(x.tape, "l2_penalty");
    const bool fine = check_factor(x, lambda);
    const tp_tensor loss = fine ? tp_scale(tp_sum(tp_square(x)), lambda) : tp__loss_invalid(x);
    tp_scope_end(x.tape);
    return loss;
}

static tp_tensor record_elastic_net(tp_tensor x, double alpha, double ratio)
{
    if (!check_factor(x, alpha))
        return tp__loss_invalid(x);
    if (!(ratio >= 0 && ratio <= 1))
        return tp_fail(x, TP_BAD_ARGUMENT, "the ratio must be in [0, 1], not %g", ratio);
    return tp_add(tp_scale(tp_sum(tp_abs(x)), alpha * ratio),
                  tp_scale(tp_sum(tp_square(x)), alpha * (1 - ratio) / 2));
}

tp_tensor tp_elastic_net(tp_tensor x, double alpha, double ratio)
{
    tp_scope_begin(x.tape, "elastic_net");
    const tp_tensor loss = record_elastic_net(x, alpha, ratio);
    tp_scope_end(x.tape);
    return loss;
}

/* sqrt(s) with derivative 0 at 0. */
static tp_tensor root(tp_tensor s)
{
    const tp_tensor zero = tp__loss_number(s, 0), none = tp_less_equal(s, zero);
    return tp_where(none, zero, tp_sqrt(tp_where(none, tp__loss_number(s, 1), s)));
}

static tp_tensor record_group_lasso(tp_tensor x, tp_tensor group, int64_t groups, double lambda)
{
    if (!check_factor(x, lambda) || !tp__loss_operand(x, group, "group"))
        return tp__loss_invalid(x);
    if (tp_shape_of(x).rank != 1 || !tp_shape_equal(tp_shape_of(x), tp_shape_of(group)))
        return tp_fail(x, TP_BAD_SHAPE, "the tensor and its groups must be vectors of one length");
    if (tp_dtype_of(group) != TP_I32)
        return tp_fail(x, TP_BAD_DTYPE, "the groups are %s, but must be i32",
                       tp_dtype_name(tp_dtype_of(group)));
    if (groups < 0)
        return tp_fail(x, TP_BAD_ARGUMENT, "the number of groups must not be negative");
    tp_tape *tape = x.file != NULL ? tp_locate_tape(x.tape, x.file, x.line) : x.tape;
    const tp_tensor zeros = tp_full(tape, tp_dtype_of(x), TP_SHAPE(groups), 0);
    const tp_tensor ones = tp_expand(tp__loss_number(x, 1), tp_shape_of(x));
    const tp_tensor squares = tp_index_add(zeros, group, tp_square(x), 0);
    const tp_tensor sizes = tp_index_add(zeros, group, ones, 0);
    return tp_scale(tp_sum(tp_mul(tp_sqrt(sizes), root(squares))), lambda);
}

tp_tensor tp_group_lasso(tp_tensor x, tp_tensor group, int64_t groups, double lambda)
{
    tp_scope_begin(x.tape, "group_lasso");
    const tp_tensor loss = record_group_lasso(x, group, groups, lambda);
    tp_scope_end(x.tape);
    return loss;
}

/* ---- Total variation --------------------------------------------------------------------------------- */

/* Neighbours' differences along an axis with at least one element. */
static tp_tensor differences(tp_tensor x, int axis)
{
    const tp_shape shape = tp_shape_of(x);
    const int64_t n = shape.dim[shape.rank + axis];
    return tp_sub(tp_slice(x, axis, 1, n, 1), tp_slice(x, axis, 0, n - 1, 1));
}

static bool check_axes(tp_tensor x, double lambda, int axes)
{
    const tp_shape shape = tp_shape_of(x);

    if (!check_factor(x, lambda))
        return false;
    for (int k = 1; k <= axes; k++)
        if (shape.rank < k || shape.dim[shape.rank - k] < 1) {
            tp_fail(x, TP_BAD_SHAPE, "the tensor must have elements along its last %s",
                    axes == 1 ? "axis" : "two axes");
            return false;
        }
    return true;
}

static tp_tensor record_variation(tp_tensor x, double lambda, int power)
{
    if (!check_axes(x, lambda, 1))
        return tp__loss_invalid(x);
    if (power != 1 && power != 2)
        return tp_fail(x, TP_BAD_ARGUMENT, "the power must be 1 or 2, not %d", power);
    const tp_tensor d = differences(x, -1);
    return tp_scale(tp_sum(power == 1 ? tp_abs(d) : tp_square(d)), lambda);
}

tp_tensor tp_total_variation(tp_tensor x, double lambda, int power)
{
    tp_scope_begin(x.tape, "total_variation");
    const tp_tensor loss = record_variation(x, lambda, power);
    tp_scope_end(x.tape);
    return loss;
}

static tp_tensor record_variation_2d(tp_tensor x, double lambda, const tp_total_variation_options *o)
{
    const double epsilon = tp__loss_default(o->epsilon, 1e-12);
    const tp_shape shape = tp_shape_of(x);

    if (!check_axes(x, lambda, 2))
        return tp__loss_invalid(x);
    if (!(epsilon > 0))
        return tp_fail(x, TP_BAD_ARGUMENT, "epsilon must be positive, not %g", epsilon);
    const tp_tensor dh = differences(x, -2), dw = differences(x, -1);
    if (!o->isotropic)
        return tp_scale(tp_add(tp_sum(tp_abs(dh)), tp_sum(tp_abs(dw))), lambda);
    const tp_tensor both = tp_add(tp_square(tp_slice(dh, -1, 0, shape.dim[shape.rank - 1] - 1, 1)),
                                  tp_square(tp_slice(dw, -2, 0, shape.dim[shape.rank - 2] - 1, 1)));
    return tp_scale(tp_sum(tp_sqrt(tp__loss_plus(both, epsilon))), lambda);
}

tp_tensor tp_total_variation_2d(tp_tensor x, double lambda, const tp_total_variation_options *options)
{
    static const tp_total_variation_options defaults = {0};

    tp_scope_begin(x.tape, "total_variation_2d");
    const tp_tensor loss = record_variation_2d(x, lambda, options != NULL ? options : &defaults);
    tp_scope_end(x.tape);
    return loss;
}

/* ---- Orthogonality, entropy -------------------------------------------------------------------------- */

static tp_tensor record_orthogonality(tp_tensor w, double lambda)
{
    const tp_shape shape = tp_shape_of(w);

    if (!check_factor(w, lambda))
        return tp__loss_invalid(w);
    if (shape.rank != 2)
        return tp_fail(w, TP_BAD_SHAPE, "the tensor must be a matrix");
    const tp_tensor k = tp__loss_counter(w, shape.dim[1]), column = tp_reshape(k, TP_SHAPE(shape.dim[1], 1));
    const tp_tensor identity = tp_cast(tp_equal(column, k), tp_dtype_of(w));
    return tp_scale(tp_sum(tp_square(tp_sub(tp_matmul(tp_transpose(w, 0, 1), w), identity))), lambda);
}

tp_tensor tp_orthogonality(tp_tensor w, double lambda)
{
    tp_scope_begin(w.tape, "orthogonality");
    const tp_tensor loss = record_orthogonality(w, lambda);
    tp_scope_end(w.tape);
    return loss;
}

static tp_tensor record_entropy(tp_tensor logits, const tp_loss_options *o)
{
    const tp_shape shape = tp_shape_of(logits);

    if (!tp__loss_float(logits, logits, "logits tensor"))
        return tp__loss_invalid(logits);
    if (shape.rank < 1 || shape.dim[shape.rank - 1] < 1)
        return tp_fail(logits, TP_BAD_SHAPE, "the logits tensor must have classes along its last axis");
    const tp_tensor log_p = tp_log_softmax(logits, -1);
    const tp_tensor r = tp_neg(tp_sum_over(tp_mul(tp_exp(log_p), log_p), TP_AXES(-1), false));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_entropy(tp_tensor logits, const tp_loss_options *options)
{
    static const tp_loss_options defaults = {0};

    tp_scope_begin(logits.tape, "entropy");
    const tp_tensor loss = record_entropy(logits, options != NULL ? options : &defaults);
    tp_scope_end(logits.tape);
    return loss;
}
