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

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_argmax(x)           tp_argmax(TP_HERE(x))
#define tp_argmax_over(x, ...) tp_argmax_over(TP_HERE(x), __VA_ARGS__)
#define tp_argmin(x)           tp_argmin(TP_HERE(x))
#define tp_argmin_over(x, ...) tp_argmin_over(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
