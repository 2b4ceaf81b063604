/* rounding.c -- floor ceil round trunc.  C's functions are exact, so their bits are the same everywhere. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>

#include "lists.h"

TP_MAP1(floor, TP_FLOOR(x))
TP_MAP1(ceil, TP_CEIL(x))
TP_MAP1(round, TP_ROUND(x))
TP_MAP1(trunc, TP_TRUNC(x))
TP_MAP1_I32(whole, x)

#define ROUNDING(NAME)                                                                                       \
    {                                                                                                        \
        .name = #NAME, .kind = TP_MAP, .arity = 1, .flags = TP_OP_FINITE, .vjp = tp_zero_derivative,         \
        .map = {NAME##_f32, NAME##_f64, whole_i32}, .expression = NAME##_expression                          \
    }

static const tp_op floor_op = ROUNDING(floor);
static const tp_op ceil_op = ROUNDING(ceil);
static const tp_op round_op = ROUNDING(round);
static const tp_op trunc_op = ROUNDING(trunc);

tp_tensor tp_floor(tp_tensor x)
{
    return tp_record(&floor_op, &x, 1, NULL);
}

tp_tensor tp_ceil(tp_tensor x)
{
    return tp_record(&ceil_op, &x, 1, NULL);
}

tp_tensor tp_round(tp_tensor x)
{
    return tp_record(&round_op, &x, 1, NULL);
}

tp_tensor tp_trunc(tp_tensor x)
{
    return tp_record(&trunc_op, &x, 1, NULL);
}

const tp_op *const tp__rounding_ops[] = {&floor_op, &ceil_op, &round_op, &trunc_op, NULL};
