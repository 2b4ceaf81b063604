/* regression.c -- tp_mse, tp_huber. */
#include <math.h>

#include "common.h"

static bool is_single_number(tp_tensor x)
{
    return tp_shape_of(x).rank == 0;
}

/* The users' most frequent silent mistake, [n] against [n,1], is an error here. */
static bool check_shapes(tp_tensor prediction, tp_tensor target, bool broadcast)
{
    const tp_shape p = tp_shape_of(prediction), t = tp_shape_of(target);
    char target_text[TP_TEXT_SIZE], prediction_text[TP_TEXT_SIZE], joint_text[TP_TEXT_SIZE];
    tp_shape joint;

    if (tp_shape_equal(p, t) || is_single_number(target))
        return true;
    const bool fits = tp_broadcast(&p, &t, &joint);
    if (fits && broadcast)
        return true;
    tp_describe(tp_dtype_of(target), &t, target_text);
    tp_describe(tp_dtype_of(prediction), &p, prediction_text);
    if (fits)
        tp_fail(
            prediction, TP_BAD_SHAPE,
            "the target is %s and the prediction %s: their difference would be %s; reshape one of them, or set "
            ".broadcast if that is meant",
            target_text, prediction_text, tp_describe(tp_dtype_of(prediction), &joint, joint_text));
    else
        tp_fail(prediction, TP_BAD_SHAPE,
                "the target is %s, but the prediction is %s: the shapes must be equal", target_text,
                prediction_text);
    return false;
}

/* prediction - target, or an invalid tensor. */
static tp_tensor difference(tp_tensor prediction, tp_tensor target, bool broadcast)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    const tp_dtype dtype = tp_dtype_of(prediction);

    if (!tp__loss_operand(at, prediction, "prediction") || !tp__loss_operand(at, target, "target"))
        return tp__loss_invalid(at);
    if (dtype != TP_F32 && dtype != TP_F64)
        return tp_fail(at, TP_BAD_DTYPE, "the prediction is %s, but must be f32 or f64",
                       tp_dtype_name(dtype));
    if (!tp__loss_option(at, &target, "target", dtype) || !check_shapes(prediction, target, broadcast))
        return tp__loss_invalid(at);
    return tp_sub(prediction, target);
}

/* ---- mse ------------------------------------------------------------------------------------------- */

static tp_tensor mse(tp_tensor prediction, tp_tensor target, const tp_loss_options *o)
{
    const tp_tensor d = difference(prediction, target, o->broadcast);
    return tp__loss_reduce(tp_square(d), o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_mse(tp_tensor prediction, tp_tensor target, const tp_loss_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "mse");
    const tp_tensor loss = mse(prediction, target, options != NULL ? options : &(tp_loss_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- huber ----------------------------------------------------------------------------------------- */

static tp_tensor huber(tp_tensor prediction, tp_tensor target, const tp_huber_options *o)
{
    const tp_tensor d = difference(prediction, target, o->broadcast);
    const double delta = o->delta != 0 ? o->delta : 1;

    if (!tp_is_valid(d))
        return d;
    if (!(delta > 0))
        return tp_fail(d, TP_BAD_ARGUMENT, "delta must be positive, not %g", delta);
    const tp_tensor size = tp_abs(d);
    const tp_tensor square = tp_scale(tp_square(d), 0.5);
    const tp_tensor linear = tp_scale(tp_sub(size, tp_scalar(d.tape, 0.5 * delta)), delta);
    const tp_tensor r = tp_where(tp_less_equal(size, tp_scalar(d.tape, delta)), square, linear);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_huber(tp_tensor prediction, tp_tensor target, const tp_huber_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "huber");
    const tp_tensor loss = huber(prediction, target, options != NULL ? options : &(tp_huber_options){0});
    tp_scope_end(tape);
    return loss;
}
