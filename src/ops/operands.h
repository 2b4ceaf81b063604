/* operands.h -- what compositions of elementwise ops ask of their operands, and an op that derivatives share. */
#ifndef TAPIR_SRC_OPS_OPERANDS_H
#define TAPIR_SRC_OPS_OPERANDS_H

#include <tapir/tape.h>

/* False after storing the error when x is i32, for an op that is a composition and so would be called by the name of the
 * first op in it. */
bool tp__is_floating(tp_tensor x, const char *op_name);

/* False after storing the error unless the parameter of an op is finite. */
bool tp__is_finite_parameter(tp_tensor x, const char *op_name, const char *parameter, double value);

/* What a failed constructor returns. */
tp_tensor tp__invalid_like(tp_tensor x);

/* 1 - x^2 = (1 - x) (1 + x), which near 1 has the digits of the right side, and the derivative -2 x of the left. */
tp_tensor tp__one_minus_square(tp_tensor x);

#endif
