/* normalization.c -- batch_norm, composed of other ops. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "operands.h"

static bool is_given(tp_tensor x)
{
    return x.tape != NULL;
}

/* False after storing the error, if that has not been done, unless x is [channels] or absent. */
static bool is_per_channel(tp_tensor x, tp_tensor of, const char *what)
{
    const tp_shape own = tp_shape_of(of), shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!is_given(of))
        return true;
    if (!tp_is_valid(of)) {
        tp_add(x, of); /* says what is wrong with it */
        return false;
    }
    if (own.rank == 1 && own.dim[0] == shape.dim[1])
        return true;
    tp_fail(x, TP_BAD_SHAPE, "batch_norm: the %s must have the shape [%lld], but is %s", what,
            (long long)shape.dim[1], tp_describe(tp_dtype_of(of), &own, text));
    return false;
}

/* False after storing the error. */
static bool check(tp_tensor x, const tp_batch_norm_options *o)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x)) {
        tp_neg(x); /* says what is wrong with it */
        return false;
    }
    if (!tp__is_floating(x, "batch_norm"))
        return false;
    if (shape.rank < 2) {
        tp_fail(x, TP_BAD_SHAPE, "batch_norm: the channels are axis 1: %s",
                tp_describe(tp_dtype_of(x), &shape, text));
        return false;
    }
    if (!is_per_channel(x, o->weight, "weight") || !is_per_channel(x, o->bias, "bias") ||
        !is_per_channel(x, o->running_mean, "running mean") ||
        !is_per_channel(x, o->running_variance, "running variance"))
        return false;
    const bool running = is_given(o->running_mean);
    if (running != is_given(o->running_variance) || (!running && (o->evaluate || is_given(o->training)))) {
        tp_fail(x, TP_BAD_ARGUMENT, "batch_norm: evaluation needs running statistics, both of them");
        return false;
    }
    if (running && !o->evaluate && tp_count_of(x) == shape.dim[1] && shape.dim[1] > 0) {
        tp_fail(x, TP_BAD_SHAPE, "batch_norm: training needs more than one value for each channel: %s",
                tp_describe(tp_dtype_of(x), &shape, text));
        return false;
    }
    return true;
}

/* [channels] along axis 1 of x. */
static tp_tensor along_channels(tp_tensor x, tp_tensor of)
{
    const tp_shape shape = tp_shape_of(x);
    tp_shape wanted = {.rank = shape.rank};
    for (int64_t d = 0; d < shape.rank; d++)
        wanted.dim[d] = d == 1 ? shape.dim[1] : 1;
    return tp_reshape(tp_locate(of, x.file, x.line), wanted);
}

/* A mask, or an absent tensor where the recording decides. */
static tp_tensor training_mask(tp_tensor x, tp_tensor training)
{
    if (!is_given(training))
        return training;
    return tp_not_equal(tp_reshape(tp_locate(training, x.file, x.line), TP_SHAPE_0D), tp_scalar(x.tape, 0));
}

/* `yes` where the mask is absent. */
static tp_tensor choose(tp_tensor mask, tp_tensor yes, tp_tensor no)
{
    return is_given(mask) ? tp_where(mask, yes, no) : yes;
}

/* The leaf moves towards the batch's value. */
static tp_tensor move(tp_tensor x, tp_tensor leaf, tp_tensor batch, double momentum, tp_tensor mask)
{
    const tp_tensor old = tp_locate(leaf, x.file, x.line), value = tp_reshape(batch, tp_shape_of(leaf)),
                    moved = tp_add(tp_scale(old, 1 - momentum), tp_scale(value, momentum));
    return tp_assign(old, tp_stop_gradient(choose(mask, moved, old)));
}

static double number_or(tp_optional_number given, double otherwise)
{
    return given.given ? given.value : otherwise;
}

/* What x is normalized by: those of the batch, the running ones, or whichever the mask says. */
typedef struct statistics {
    tp_tensor mean, variance;
} statistics;

static statistics train(tp_tensor x, const tp_batch_norm_options *o, tp_tensor *update)
{
    const tp_shape shape = tp_shape_of(x);
    const tp_tensor mask = training_mask(x, o->training);
    tp_axes axes = {0};
    for (int d = 0; d < (int)shape.rank; d++)
        if (d != 1)
            axes.axis[axes.n++] = d;

    statistics s = {tp_mean_over(x, axes, true), tp_var_over(x, axes, 0, true)};
    if (!is_given(o->running_mean) || !tp_is_valid(s.variance))
        return s;
    if (update != NULL) {
        const double n = shape.dim[1] > 0 ? (double)tp_count_of(x) / (double)shape.dim[1] : 2,
                     momentum = number_or(o->momentum, 0.1);
        const tp_tensor unbiased = tp_scale(s.variance, n / (n - 1));
        const tp_tensor moved[] = {move(x, o->running_mean, s.mean, momentum, mask),
                                   move(x, o->running_variance, unbiased, momentum, mask)};
        *update = tp_group(moved, 2);
    }
    s.mean = choose(mask, s.mean, along_channels(x, o->running_mean));
    s.variance = choose(mask, s.variance, along_channels(x, o->running_variance));
    return s;
}

tp_tensor tp_batch_norm(tp_tensor x, const tp_batch_norm_options *options, tp_tensor *update)
{
    static const tp_batch_norm_options defaults = {0};
    const tp_batch_norm_options *o = options != NULL ? options : &defaults;
    tp_tensor nothing;

    *(update != NULL ? update : &nothing) = (tp_tensor){0};
    if (!check(x, o))
        return tp__invalid_like(x);
    tp_scope_begin(x.tape, "batch_norm");
    const bool running = o->evaluate && !is_given(o->training);
    const statistics s =
        running ? (statistics){along_channels(x, o->running_mean), along_channels(x, o->running_variance)}
                : train(x, o, update);
    const tp_tensor epsilon = tp_scalar(x.tape, number_or(o->epsilon, 1e-5)),
                    root = tp_sqrt(tp_add(s.variance, epsilon));
    tp_tensor y = tp_div(tp_sub(x, s.mean), root);
    if (is_given(o->weight))
        y = tp_mul(y, along_channels(x, o->weight));
    if (is_given(o->bias))
        y = tp_add(y, along_channels(x, o->bias));
    tp_scope_end(x.tape);
    return y;
}
