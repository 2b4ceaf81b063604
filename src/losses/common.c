/* common.c -- checking operands, weights, and what a mean divides by. */
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

bool tp__loss_operand(tp_tensor at, tp_tensor x, const char *name)
{
    const char *fault = "is stale: the tape was rewound past it";
    if (x.tape == at.tape && (tp_is_valid(x) || x.id < 0))
        return tp_is_valid(x);
    if (x.tape == NULL)
        fault = "is absent";
    else if (x.tape != at.tape)
        fault = "belongs to another tape";
    tp_fail(at, TP_BAD_HANDLE, "the %s %s", name, fault);
    return false;
}

bool tp__loss_option(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype)
{
    if (x->tape == NULL)
        return true;
    if (!tp__loss_operand(at, *x, name))
        return false;
    if (tp_dtype_of(*x) == TP_WEAK)
        *x = tp_cast(*x, dtype);
    if (at.file != NULL) /* what is recorded with it belongs to the loss's line */
        *x = tp_locate(*x, at.file, at.line);
    if (tp_dtype_of(*x) != dtype && tp_is_valid(*x))
        tp_fail(at, TP_BAD_DTYPE, "the %s is %s, but the loss is %s (convert it with tp_cast)", name,
                tp_dtype_name(tp_dtype_of(*x)), tp_dtype_name(dtype));
    return tp_dtype_of(*x) == dtype;
}

/* ---- Reducing -------------------------------------------------------------------------------------- */

tp_tensor tp__loss_weighted(tp_tensor factor, tp_tensor x)
{
    return tp_guard(factor, tp_mul(factor, x));
}

/* a / b, but 0 where b is 0.  The inner choice keeps NaN off the tape, where it would only be hidden. */
static tp_tensor ratio_or_zero(tp_tensor a, tp_tensor b)
{
    const tp_dtype dtype = tp_dtype_of(b);
    const tp_tensor zero = tp_scalar_of(b.tape, dtype, 0), one = tp_scalar_of(b.tape, dtype, 1);
    const tp_tensor empty = tp_equal(b, zero);
    return tp_where(empty, zero, tp_div(a, tp_where(empty, one, b)));
}

static bool check_reduction(tp_tensor r, tp_tensor weight, tp_reduction reduction)
{
    const tp_shape shape = tp_shape_of(r), w = tp_shape_of(weight);
    tp_shape joint;
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (reduction != TP_MEAN && reduction != TP_SUM && reduction != TP_NONE) {
        tp_fail(r, TP_BAD_ARGUMENT, "the reduction must be TP_MEAN, TP_SUM or TP_NONE, not %d",
                (int)reduction);
        return false;
    }
    if (!tp_broadcast(&w, &shape, &joint) || !tp_shape_equal(joint, shape)) {
        tp_fail(r, TP_BAD_SHAPE, "the weight is %s, which does not broadcast to the loss's shape %s",
                tp_describe(tp_dtype_of(weight), &w, got), tp_describe(tp_dtype_of(r), &shape, expected));
        return false;
    }
    return true;
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
    if (mass.tape == NULL)
        return tp_mean(r);
    return ratio_or_zero(tp_sum(r), tp_sum(tp_expand(mass, shape)));
}

static tp_tensor checked_reduce(tp_tensor r, tp_tensor weight, tp_reduction reduction)
{
    const tp_tensor at = tp__loss_at(r, weight);
    const tp_dtype dtype = tp_dtype_of(r);

    if (!tp__loss_operand(at, r, "loss"))
        return tp__loss_invalid(at);
    if (dtype != TP_F32 && dtype != TP_F64)
        return tp_fail(at, TP_BAD_DTYPE, "the loss is %s, but must be f32 or f64", tp_dtype_name(dtype));
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
