/* axes.h -- sets of axes, as the reductions and what is composed of them see them. */
#ifndef TAPIR_SRC_OPS_AXES_H
#define TAPIR_SRC_OPS_AXES_H

#include <tapir/op.h>

/* Every axis of x. */
tp_axes tp__all_axes(tp_tensor x);

/* Bit d is set for axis d.  False, and the error stored, for an axis out of range or named twice. */
bool tp__axes_mask(tp_tensor x, const char *op_name, tp_axes axes, uint64_t *mask);

/* The product of the masked sizes. */
int64_t tp__masked_count(const tp_shape *shape, uint64_t mask);

/* The shape with the masked axes as size 1, or without them. */
tp_shape tp__reduced(const tp_shape *shape, uint64_t mask, bool keepdims);

/* x without the masked axes, which have size 1. */
tp_tensor tp__drop_axes(tp_tensor x, uint64_t mask);

/* The axis as 0 .. rank - 1; -1, and the error stored, when it is out of range. */
int tp__one_axis(tp_tensor x, const char *op_name, int axis);

/* The masked axes moved behind the others, in their order, and made one. */
tp_tensor tp__as_rows(tp_tensor x, uint64_t mask);

#endif
