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

tp_shape tp__reduced(const tp_shape *shape, uint64_t mask, bool keepdims)
{
    tp_shape reduced = {0};
    for (int64_t d = 0; d < shape->rank; d++)
        if (!(mask >> d & 1))
            reduced.dim[reduced.rank++] = shape->dim[d];
        else if (keepdims)
            reduced.dim[reduced.rank++] = 1;
    return reduced;
}

tp_tensor tp__drop_axes(tp_tensor x, uint64_t mask)
{
    const tp_shape shape = tp_shape_of(x);
    return tp_reshape(x, tp__reduced(&shape, mask, false));
}

int tp__one_axis(tp_tensor x, const char *op_name, int axis)
{
    uint64_t mask;
    return tp__axes_mask(x, op_name, TP_AXES(axis), &mask) ? tp_normal_axis(axis, tp_shape_of(x).rank) : -1;
}

tp_tensor tp__as_rows(tp_tensor x, uint64_t mask)
{
    const tp_shape shape = tp_shape_of(x);
    tp_shape rows = tp__reduced(&shape, mask, false);
    tp_axes order = {.n = (int)shape.rank};
    int at = 0;

    for (uint64_t pass = 0; pass < 2; pass++)
        for (int axis = 0; axis < (int)shape.rank; axis++)
            if ((mask >> axis & 1) == pass)
                order.axis[at++] = axis;
    rows.dim[rows.rank++] = tp__masked_count(&shape, mask);
    return tp_reshape(tp_permute(x, order), rows);
}
