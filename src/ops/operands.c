/* operands.c -- checks that several families share. */
#include "operands.h"

#include <math.h>
#include <tapir/op.h>

bool tp__is_floating(tp_tensor x, const char *op_name)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];
    if (tp_dtype_of(x) != TP_I32)
        return true;
    tp_fail(x, TP_BAD_DTYPE, "%s: it takes f32 or f64, not %s", op_name, tp_describe(TP_I32, &shape, text));
    return false;
}

bool tp__is_finite_parameter(tp_tensor x, const char *op_name, const char *parameter, double value)
{
    if (isfinite(value))
        return true;
    tp_fail(x, TP_BAD_ARGUMENT, "%s: the %s must be finite, but is %g", op_name, parameter, value);
    return false;
}

tp_tensor tp__invalid_like(tp_tensor x)
{
    return (tp_tensor){.tape = x.tape, .id = -1};
}
