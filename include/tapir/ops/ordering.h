/* tapir/ops/ordering.h -- which elements are largest, smallest, between.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_ORDERING_H
#define TAPIR_OPS_ORDERING_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The position (i32) of the largest or smallest element, the first one at a tie; the first NaN if there is one, as
 * tp_max and tp_min are NaN then.  ..._over: among the elements of the given axes in row-major order, so for one axis
 * the index along it.  All dtypes; no gradient.  No elements: TP_BAD_SHAPE, as are more than 2^31 - 1. */
TP_API tp_tensor tp_argmax(tp_tensor x);
TP_API tp_tensor tp_argmax_over(tp_tensor x, tp_axes axes, bool keepdims);
TP_API tp_tensor tp_argmin(tp_tensor x);
TP_API tp_tensor tp_argmin_over(tp_tensor x, tp_axes axes, bool keepdims);

/* The elements along one axis in ascending order, or descending; and the positions (i32) that they come from, so that
 * tp_sort(x, axis, d) is tp_take_along_axis(x, tp_argsort(x, axis, d), axis).  Stable in either order: elements that are
 * equal, such as 0 and -0, stay in theirs.  NaN comes last in either order.  All dtypes; an axis longer than 2^31 - 1 is
 * TP_BAD_SHAPE.  The gradient goes back to where an element came from; kink: so it does at a tie. */
TP_API tp_tensor tp_sort(tp_tensor x, int axis, bool descending);
TP_API tp_tensor tp_argsort(tp_tensor x, int axis, bool descending);

/* The k largest elements along one axis in descending order, or the k smallest in ascending order; and their positions
 * (i32).  They are the first k of tp_sort and tp_argsort in that order: so a NaN is among them only if there are too few
 * numbers.  0 <= k <= the size of the axis, else TP_BAD_SHAPE. */
TP_API tp_tensor tp_topk(tp_tensor x, int64_t k, int axis, bool largest);
TP_API tp_tensor tp_argtopk(tp_tensor x, int64_t k, int axis, bool largest);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_argmax(x)           tp_argmax(TP_HERE(x))
#define tp_argmax_over(x, ...) tp_argmax_over(TP_HERE(x), __VA_ARGS__)
#define tp_argmin(x)           tp_argmin(TP_HERE(x))
#define tp_argmin_over(x, ...) tp_argmin_over(TP_HERE(x), __VA_ARGS__)
#define tp_sort(x, ...)        tp_sort(TP_HERE(x), __VA_ARGS__)
#define tp_argsort(x, ...)     tp_argsort(TP_HERE(x), __VA_ARGS__)
#define tp_topk(x, ...)        tp_topk(TP_HERE(x), __VA_ARGS__)
#define tp_argtopk(x, ...)     tp_argtopk(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
