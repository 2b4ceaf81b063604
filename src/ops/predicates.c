/* predicates.c -- isnan isinf isfinite, logical_not logical_and logical_or logical_xor, nan_to_num. */
#include <float.h>
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"

static tp_tensor number(tp_tensor at, double value)
{
    return tp_scalar(at.tape, value);
}

/* ---- isnan, isinf, isfinite ------------------------------------------------------------------------ */

tp_tensor tp_isnan(tp_tensor x)
{
    return tp_not_equal(x, x);
}

tp_tensor tp_isinf(tp_tensor x)
{
    if (x.tape == NULL)
        return x;
    if (tp_dtype_of(x) == TP_I32) /* which has no infinity to compare with */
        return tp_not_equal(x, x);
    return tp_equal(tp_abs(x), number(x, HUGE_VAL));
}

/* Infinity minus itself is NaN. */
tp_tensor tp_isfinite(tp_tensor x)
{
    return x.tape == NULL ? x : tp_equal(tp_sub(x, x), number(x, 0));
}

/* ---- Logic ----------------------------------------------------------------------------------------- */

TP_MAP2(logical_and, (a != 0) & (b != 0))
TP_MAP2_I32(logical_and, (a != 0) & (b != 0))
TP_MAP2(logical_or, (a != 0) | (b != 0))
TP_MAP2_I32(logical_or, (a != 0) | (b != 0))
TP_MAP2(logical_xor, (a != 0) ^ (b != 0))
TP_MAP2_I32(logical_xor, (a != 0) ^ (b != 0))

#define LOGICAL(NAME)                                                                                        \
    {                                                                                                        \
        .name = #NAME, .kind = TP_MAP, .arity = 2, .flags = TP_OP_FINITE, .vjp = tp_zero_derivative,         \
        TP_MAP_KERNELS_I32(NAME)                                                                             \
    }

static const tp_op logical_and = LOGICAL(logical_and);
static const tp_op logical_or = LOGICAL(logical_or);
static const tp_op logical_xor = LOGICAL(logical_xor);

tp_tensor tp_logical_not(tp_tensor x)
{
    return x.tape == NULL ? x : tp_equal(x, number(x, 0));
}

tp_tensor tp_logical_and(tp_tensor a, tp_tensor b)
{
    return tp_record(&logical_and, (tp_tensor[]){a, b}, 2, NULL);
}

tp_tensor tp_logical_or(tp_tensor a, tp_tensor b)
{
    return tp_record(&logical_or, (tp_tensor[]){a, b}, 2, NULL);
}

tp_tensor tp_logical_xor(tp_tensor a, tp_tensor b)
{
    return tp_record(&logical_xor, (tp_tensor[]){a, b}, 2, NULL);
}

/* ---- nan_to_num ------------------------------------------------------------------------------------ */

tp_tensor tp_nan_to_num(tp_tensor x, const tp_nan_to_num_options *options)
{
    const tp_nan_to_num_options o = options != NULL ? *options : (tp_nan_to_num_options){0};
    const double largest = tp_dtype_of(x) == TP_F32 ? (double)FLT_MAX : DBL_MAX;

    if (x.tape == NULL || tp_dtype_of(x) == TP_I32)
        return x;
    const tp_tensor above = number(x, o.positive_infinity.given ? o.positive_infinity.value : largest);
    const tp_tensor below = number(x, o.negative_infinity.given ? o.negative_infinity.value : -largest);
    const tp_tensor infinite = tp_where(tp_greater(x, number(x, 0)), above, below);
    return tp_where(tp_isfinite(x), x, tp_where(tp_isnan(x), number(x, o.nan), infinite));
}

const tp_op *const tp__predicate_ops[] = {&logical_and, &logical_or, &logical_xor, NULL};
