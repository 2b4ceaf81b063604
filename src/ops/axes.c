/* axes.c -- sets of axes. */
#include "axes.h"

#include <tapir/ops.h>

tp_axes tp__all_axes(tp_tensor x)
{
    tp_axes axes = {.n = (int)tp_shape_of(x).rank};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = k;
    return axes;
}

bool tp__axes_mask(tp_tensor x, const char *op_name, tp_axes axes, uint64_t *mask)
{
    const tp_shape shape = tp_shape_of(x);
    *mask = 0;
    if (axes.n < 0 || axes.n > TP_MAX_RANK) {
        tp_fail(x, TP_BAD_SHAPE, "%s: %d axes were given; at most 8 are possible", op_name, axes.n);
        return false;
    }
    for (int k = 0; k < axes.n; k++) {
        const int axis = tp_normal_axis(axes.axis[k], shape.rank);
        char text[TP_TEXT_SIZE];
        if (axis < 0 || (*mask >> axis & 1)) {
            tp_fail(x, TP_BAD_SHAPE, "%s: axis %d is %s for %s", op_name, axes.axis[k],
                    axis < 0 ? "out of range" : "named twice", tp_describe(tp_dtype_of(x), &shape, text));
            return false;
        }
        *mask |= (uint64_t)1 << axis;
    }
    return true;
}

int64_t tp__masked_count(const tp_shape *shape, uint64_t mask)
{
    int64_t count = 1;
    for (int64_t d = 0; d < shape->rank; d++)
        if (mask >> d & 1)
            count *= shape->dim[d];
    return count;
}

tp_tensor tp__drop_axes(tp_tensor x, uint64_t mask)
{
    const tp_shape shape = tp_shape_of(x);
    tp_shape dropped = {0};
    for (int64_t d = 0; d < shape.rank; d++)
        if (!(mask >> d & 1))
            dropped.dim[dropped.rank++] = shape.dim[d];
    return tp_reshape(x, dropped);
}
