/* common.c -- checking operands, weights, what a mean divides by, and pieces of losses. */
#include "common.h"

/* ---- Operands -------------------------------------------------------------------------------------- */

tp_tensor tp__loss_at(tp_tensor a, tp_tensor b)
{
    return a.tape != NULL ? a : b;
}

tp_tensor tp__loss_invalid(tp_tensor at)
{
    return (tp_tensor){.tape = at.tape, .id = -1};
}

tp_tensor tp__loss_here(tp_tensor at, tp_tensor x)
{
    return at.file != NULL ? tp_locate(x, at.file, at.line) : x;
}

bool tp__loss_operand(tp_tensor at, tp_tensor x, const char *name)
{
    const char *fault = tp_handle_fault(at.tape, x);
    if (fault == NULL || (x.tape == at.tape && x.id < 0))
        return fault == NULL;
    tp_fail(at, TP_BAD_HANDLE, "the %s %s", name, fault);
    return false;
}

bool tp__loss_float(tp_tensor at, tp_tensor x, const char *name)
{
    const tp_dtype dtype = tp_dtype_of(x);
    if (!tp__loss_operand(at, x, name))
        return false;
    if (dtype != TP_F32 && dtype != TP_F64)
        tp_fail(at, TP_BAD_DTYPE, "the %s is %s, but must be f32 or f64", name, tp_dtype_name(dtype));
    return dtype == TP_F32 || dtype == TP_F64;
}

bool tp__loss_option(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype)
{
    if (x->tape == NULL)
        return true;
    if (!tp__loss_operand(at, *x, name))
        return false;
    if (tp_dtype_of(*x) == TP_WEAK)
        *x = tp_cast(*x, dtype);
    *x = tp__loss_here(at, *x);
    if (tp_dtype_of(*x) != dtype && tp_is_valid(*x))
        tp_fail(at, TP_BAD_DTYPE, "the %s is %s, but the loss is %s (convert it with tp_cast)", name,
                tp_dtype_name(tp_dtype_of(*x)), tp_dtype_name(dtype));
    return tp_dtype_of(*x) == dtype;
}

bool tp__loss_label(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype)
{
    if (!tp__loss_operand(at, *x, name))
        return false;
    if (tp_dtype_of(*x) == TP_I32)
        *x = tp_cast(tp__loss_here(at, *x), dtype);
    return tp__loss_option(at, x, name, dtype);
}

bool tp__loss_fits(tp_tensor at, tp_tensor x, const char *name, const tp_shape *shape)
{
    const tp_shape own = tp_shape_of(x);
    tp_shape joint;
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (x.tape == NULL || (tp_broadcast(&own, shape, &joint) && tp_shape_equal(joint, *shape)))
        return true;
    tp_fail(at, TP_BAD_SHAPE, "the %s is %s, which does not broadcast to the loss's shape %s", name,
            tp_describe(tp_dtype_of(x), &own, got), tp_describe(tp_dtype_of(at), shape, expected));
    return false;
}

bool tp__loss_alike(tp_tensor x, const char *name, tp_tensor like, const char *like_name)
{
    const tp_shape shape = tp_shape_of(x), wanted = tp_shape_of(like);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (tp_dtype_of(x) == tp_dtype_of(like) && tp_shape_equal(shape, wanted))
        return true;
    tp_fail(like, tp_dtype_of(x) == tp_dtype_of(like) ? TP_BAD_SHAPE : TP_BAD_DTYPE,
            "the %s is %s, but must be as the %s, %s", name, tp_describe(tp_dtype_of(x), &shape, got),
            like_name, tp_describe(tp_dtype_of(like), &wanted, expected));
    return false;
}

/* ---- Elementwise losses ---------------------------------------------------------------------------- */

/* The users' most frequent silent mistake, [n] against [n,1], is an error here. */
static bool check_shapes(tp_tensor prediction, const char *name, tp_tensor target, bool broadcast)
{
    const tp_shape p = tp_shape_of(prediction), t = tp_shape_of(target);
    char target_text[TP_TEXT_SIZE], prediction_text[TP_TEXT_SIZE], joint_text[TP_TEXT_SIZE];
    tp_shape joint;

    if (tp_shape_equal(p, t) || t.rank == 0)
        return true;
    const bool fits = tp_broadcast(&p, &t, &joint);
    if (fits && broadcast)
        return true;
    tp_describe(tp_dtype_of(target), &t, target_text);
    tp_describe(tp_dtype_of(prediction), &p, prediction_text);
    if (fits)
        tp_fail(prediction, TP_BAD_SHAPE,
                "the target is %s and the %s %s: the loss would be %s; reshape one of them, or set "
                ".broadcast if that is meant",
                target_text, name, prediction_text, tp_describe(tp_dtype_of(prediction), &joint, joint_text));
    else
        tp_fail(prediction, TP_BAD_SHAPE, "the target is %s, but the %s is %s: the shapes must be equal",
                target_text, name, prediction_text);
    return false;
}

bool tp__loss_pair(tp_tensor at, tp_tensor prediction, const char *name, tp_tensor *target, bool takes_labels,
                   bool broadcast)
{
    const tp_dtype dtype = tp_dtype_of(prediction);

    if (!tp__loss_operand(at, prediction, name) || !tp__loss_operand(at, *target, "target") ||
        !tp__loss_float(at, prediction, name))
        return false;
    if (takes_labels ? !tp__loss_label(at, target, "target", dtype)
                     : !tp__loss_option(at, target, "target", dtype))
        return false;
    return check_shapes(prediction, name, *target, broadcast);
}

tp_tensor tp__elementwise_loss(const tp__elementwise *loss, tp_tensor prediction, tp_tensor target,
                               const tp_loss_options *options, const void *parameters)
{
    static const tp_loss_options defaults = {0};
    const tp_loss_options *o = options != NULL ? options : &defaults;
    const tp_tensor at = tp__loss_at(prediction, target);
    tp_tensor result = tp__loss_invalid(at);

    tp_scope_begin(at.tape, loss->scope);
    if (tp__loss_pair(at, prediction, loss->prediction, &target, loss->takes_labels, o->broadcast)) {
        const tp_tensor r = loss->rule(prediction, target, parameters);
        result = tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
    }
    tp_scope_end(at.tape);
    return result;
}

/* ---- Reducing -------------------------------------------------------------------------------------- */

/* The inner choice keeps NaN off the tape, where it would only be hidden. */
tp_tensor tp__loss_ratio(tp_tensor a, tp_tensor b)
{
    const tp_tensor zero = tp__loss_number(b, 0), empty = tp_equal(b, zero);
    return tp_where(empty, zero, tp_div(a, tp_where(empty, tp__loss_number(b, 1), b)));
}

static bool check_reduction(tp_tensor r, tp_tensor weight, tp_reduction reduction)
{
    const tp_shape shape = tp_shape_of(r);

    if (reduction != TP_MEAN && reduction != TP_SUM && reduction != TP_NONE &&
        reduction != TP_MEAN_BY_COUNT && reduction != TP_MEAN_BY_BATCH) {
        tp_fail(r, TP_BAD_ARGUMENT, "the reduction must be one of tp_reduction's, not %d", (int)reduction);
        return false;
    }
    return tp__loss_fits(r, weight, "weight", &shape);
}

tp_tensor tp__loss_reduce(tp_tensor r, tp_tensor weight, tp_tensor mass, tp_reduction reduction)
{
    const tp_shape shape = tp_shape_of(r);

    if (!tp_is_valid(r))
        return r;
    if (!tp__loss_option(r, &weight, "weight", tp_dtype_of(r)) || !check_reduction(r, weight, reduction))
        return tp__loss_invalid(r);
    if (weight.tape != NULL) {
        r = tp__loss_weighted(weight, r);
        mass = mass.tape != NULL ? tp__loss_weighted(mass, weight) : weight;
    }
    if (reduction == TP_NONE)
        return r;
    if (reduction == TP_SUM || tp_count_of(r) == 0)
        return tp_sum(r);
    if (reduction == TP_MEAN_BY_BATCH)
        return tp_div(tp_sum(r), tp__loss_number(r, shape.rank > 0 ? (double)shape.dim[0] : 1));
    if (mass.tape == NULL || reduction == TP_MEAN_BY_COUNT)
        return tp_mean(r);
    return tp__loss_ratio(tp_sum(r), tp_sum(tp_expand(mass, shape)));
}

static tp_tensor checked_reduce(tp_tensor r, tp_tensor weight, tp_reduction reduction)
{
    const tp_tensor at = tp__loss_at(r, weight);

    if (!tp__loss_float(at, r, "loss"))
        return tp__loss_invalid(at);
    return tp__loss_reduce(r, weight, (tp_tensor){0}, reduction);
}

tp_tensor tp_loss_reduce(tp_tensor r, tp_tensor weight, tp_reduction reduction)
{
    tp_tape *tape = tp__loss_at(r, weight).tape;

    tp_scope_begin(tape, "loss_reduce");
    const tp_tensor loss = checked_reduce(r, weight, reduction);
    tp_scope_end(tape);
    return loss;
}

/* ---- Pieces ---------------------------------------------------------------------------------------- */

tp_tensor tp__loss_number(tp_tensor x, double value)
{
    return tp_scalar_of(x.tape, tp_dtype_of(x), value);
}

tp_tensor tp__loss_counter(tp_tensor x, int64_t n)
{
    return tp_iota(x.file != NULL ? tp_locate_tape(x.tape, x.file, x.line) : x.tape, TP_I32, n);
}

tp_tensor tp__loss_minus(double number, tp_tensor x)
{
    return tp_sub(tp__loss_number(x, number), x);
}

tp_tensor tp__loss_plus(tp_tensor x, double number)
{
    return tp_add(x, tp__loss_number(x, number));
}

tp_tensor tp__loss_weighted(tp_tensor factor, tp_tensor x)
{
    return tp_guard(factor, tp_mul(factor, x));
}

tp_tensor tp__loss_power(tp_tensor x, double p)
{
    if (p == 1)
        return x;
    if (p == 2)
        return tp_square(x);
    return tp_exp(
        tp_scale(tp_log(x), p)); /* at 0 that is e^-inf; the strong zero keeps its gradient finite */
}

/* x - x is exactly 0, so that the value is `low` and the slope that of x. */
tp_tensor tp__loss_floor(tp_tensor x, double low)
{
    const tp_tensor bound = tp__loss_number(x, low);
    return tp_where(tp_less(x, bound), tp_add(tp_sub(x, tp_stop_gradient(x)), bound), x);
}

double tp__loss_given(tp_optional_number option, double otherwise)
{
    return option.given ? option.value : otherwise;
}

double tp__loss_default(double option, double otherwise)
{
    return option != 0 ? option : otherwise;
}
