/* tapir/ops/indexing.h -- elements and slices picked by index, and added up again.  The conventions are in tapir/ops.h.
 *
 * Indices are i32 and count from 0.  One below 0 or beyond the axis ends the run with TP_BAD_VALUE and a message that names
 * its position and its value.  Indices have no gradient.
 *
 * Sums are taken over the source's elements in row-major order, starting from 0, in double for f32 and f64 alike, and rounded
 * once; so they do not depend on threads.  Sums of i32 that do not fit are an error of the run.
 */
#ifndef TAPIR_OPS_INDEXING_H
#define TAPIR_OPS_INDEXING_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[.., k, ..] = x[.., index[.., k, ..], ..] along an axis: an element for each index (NumPy's take_along_axis, the gather
 * of other libraries).  The index has x's rank, and x's sizes but for that axis; y has its shape. */
TP_API tp_tensor tp_take_along_axis(tp_tensor x, tp_tensor index, int axis);

/* The transpose: x, with source[.., k, ..] added to the element [.., index[.., k, ..], ..], for every k.  The index has the
 * source's shape; the source has x's sizes but for the axis. */
TP_API tp_tensor tp_scatter_add(tp_tensor x, tp_tensor index, tp_tensor source, int axis);

/* The slices of x along an axis that the index names, in its order, repeats allowed: y[.., k, ..] = x[.., index[k], ..].  An
 * index of another rank than 1 puts its axes in the axis's place (NumPy's take): with axis 0, x [1000,64] and an index [8,20],
 * y is [8,20,64]; an index that is one number drops the axis. */
TP_API tp_tensor tp_index_select(tp_tensor x, tp_tensor index, int axis);

/* The transpose: x, with slice k of the source added to slice index[k] of x, for every k.  The source has the shape that
 * tp_index_select(x, index, axis) has. */
TP_API tp_tensor tp_index_add(tp_tensor x, tp_tensor index, tp_tensor source, int axis);

/* ---- Lookups ------------------------------------------------------------------------------------------- */

/* A new last axis of `classes` numbers: 1 at the index's place, else 0. */
TP_API tp_tensor tp_one_hot(tp_tensor index, int64_t classes, tp_dtype dtype);

typedef struct tp_embedding_options {
    tp_optional_int padding; /* rows looked up by this index give the table no gradient */
} tp_embedding_options;

/* The rows of a table that the index, of any shape, names: tp_index_select(table, index, 0). */
TP_API tp_tensor tp_embedding(tp_tensor table, tp_tensor index, const tp_embedding_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_take_along_axis(x, ...) tp_take_along_axis(TP_HERE(x), __VA_ARGS__)
#define tp_scatter_add(x, ...)     tp_scatter_add(TP_HERE(x), __VA_ARGS__)
#define tp_index_select(x, ...)    tp_index_select(TP_HERE(x), __VA_ARGS__)
#define tp_index_add(x, ...)       tp_index_add(TP_HERE(x), __VA_ARGS__)
#define tp_one_hot(index, ...)     tp_one_hot(TP_HERE(index), __VA_ARGS__)
#define tp_embedding(table, ...)   tp_embedding(TP_HERE(table), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
