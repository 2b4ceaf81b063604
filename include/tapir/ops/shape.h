/* tapir/ops/shape.h -- the same elements in another shape or order.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_SHAPE_H
#define TAPIR_OPS_SHAPE_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The same elements in row-major order; one size may be -1 and is worked out. */
TP_API tp_tensor tp_reshape(tp_tensor x, tp_shape shape);

/* Axis k of the result is axis axes.axis[k] of x; every axis exactly once. */
TP_API tp_tensor tp_permute(tp_tensor x, tp_axes axes);

/* Two axes swapped. */
TP_API tp_tensor tp_transpose(tp_tensor x, int axis_a, int axis_b);

/* Broadcast to a shape: new axes in front, axes of size 1 repeated. */
TP_API tp_tensor tp_expand(tp_tensor x, tp_shape shape);

/* The opposite: summed over the axes along which `shape` would have to be broadcast to get x's shape. */
TP_API tp_tensor tp_sum_to(tp_tensor x, tp_shape shape);

/* Elements start, start + step, ... before stop, along one axis.  step >= 1.  Negative start or stop count from the
 * end; TP_END stands for the end.  Beyond the axis is TP_BAD_SHAPE; stop <= start gives size 0. */
#define TP_END INT64_MAX
TP_API tp_tensor tp_slice(tp_tensor x, int axis, int64_t start, int64_t stop, int64_t step);

/* x[0], x[1], ... x[n-1] joined along an axis; all other sizes equal. */
TP_API tp_tensor tp_concat(const tp_tensor *x, int n, int axis);
TP_API tp_tensor tp_concat_at(const char *file, int line, const tp_tensor *x, int n, int axis);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_reshape(x, ...)   tp_reshape(TP_HERE(x), __VA_ARGS__)
#define tp_permute(x, ...)   tp_permute(TP_HERE(x), __VA_ARGS__)
#define tp_transpose(x, ...) tp_transpose(TP_HERE(x), __VA_ARGS__)
#define tp_expand(x, ...)    tp_expand(TP_HERE(x), __VA_ARGS__)
#define tp_sum_to(x, ...)    tp_sum_to(TP_HERE(x), __VA_ARGS__)
#define tp_slice(x, ...)     tp_slice(TP_HERE(x), __VA_ARGS__)

/* An array may be written as (tp_tensor[]){a, b}, whose comma would part it if the macro named it. */
#define tp_concat(...) tp_concat_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
