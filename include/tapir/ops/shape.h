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

/* x[0], x[1], ... x[n-1], of one shape, along a new axis of the result. */
TP_API tp_tensor tp_stack(const tp_tensor *x, int n, int axis);
TP_API tp_tensor tp_stack_at(const char *file, int line, const tp_tensor *x, int n, int axis);

/* The opposite of tp_concat: out[0], ... out[n-1] get the consecutive pieces of x along an axis, which together are all of it,
 * else TP_BAD_SHAPE.  On an error the status is returned and stored, and every out[k] is invalid. */
TP_API tp_status tp_split(tp_tensor x, int axis, const int64_t *sizes, int n, tp_tensor *out);

/* Without the given axes, which must have size 1 (none given: x itself); with a new axis of size 1, which is axis `axis` of
 * the result. */
TP_API tp_tensor tp_squeeze(tp_tensor x, tp_axes axes);
TP_API tp_tensor tp_unsqueeze(tp_tensor x, int axis);

/* ---- Repeating and moving ----------------------------------------------------------------------------- */

/* An axis `count` times as long: all of it again and again (0 1 2 0 1 2), or each element (0 0 1 1 2 2). */
TP_API tp_tensor tp_tile(tp_tensor x, int axis, int64_t count);
TP_API tp_tensor tp_repeat(tp_tensor x, int axis, int64_t count);

/* In reverse along the given axes. */
TP_API tp_tensor tp_flip(tp_tensor x, tp_axes axes);

/* Shifted round along one axis: y[(k + shift) mod size] = x[k].  The shift may be negative, or beyond the size. */
TP_API tp_tensor tp_roll(tp_tensor x, int axis, int64_t shift);

/* What padding consists of. */
typedef enum tp_pad_mode {
    TP_PAD_CONSTANT = 0, /* a number */
    TP_PAD_REFLECT,      /* the axis mirrored, without its edge: less than its size on either side */
    TP_PAD_REPLICATE,    /* its first and last element */
    TP_PAD_CIRCULAR      /* its other end: at most its size on either side */
} tp_pad_mode;

typedef struct tp_pad_options {
    tp_pad_mode mode;
    double value; /* of TP_PAD_CONSTANT; x's dtype must have it */
} tp_pad_options;

/* `before` elements more in front of an axis, `after` behind it; padding several axes one after the other is one pass.
 * TP_BAD_SHAPE where the mode cannot yield as many.  The gradient adds up what comes from one element, in double. */
TP_API tp_tensor tp_pad(tp_tensor x, int axis, int64_t before, int64_t after, const tp_pad_options *options);

/* ---- Diagonals ----------------------------------------------------------------------------------------- */

/* The elements of which the index along axis_b is the one along axis_a plus `offset`; they are the last axis of the result,
 * behind all other axes.  None, where the offset is beyond the axes. */
TP_API tp_tensor tp_diagonal(tp_tensor x, int64_t offset, int axis_a, int axis_b);

/* The transpose: square matrices of zeros with the last axis of x on the diagonal `offset`: [.., n] becomes
 * [.., n + |offset|, n + |offset|]. */
TP_API tp_tensor tp_diagonal_embed(tp_tensor x, int64_t offset);

/* The lower, or upper, triangle of the last two axes, and 0 elsewhere, whatever was there: where the column minus the row is
 * at most, or at least, `diagonal`. */
TP_API tp_tensor tp_tril(tp_tensor x, int64_t diagonal);
TP_API tp_tensor tp_triu(tp_tensor x, int64_t diagonal);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_reshape(x, ...)        tp_reshape(TP_HERE(x), __VA_ARGS__)
#define tp_permute(x, ...)        tp_permute(TP_HERE(x), __VA_ARGS__)
#define tp_transpose(x, ...)      tp_transpose(TP_HERE(x), __VA_ARGS__)
#define tp_expand(x, ...)         tp_expand(TP_HERE(x), __VA_ARGS__)
#define tp_sum_to(x, ...)         tp_sum_to(TP_HERE(x), __VA_ARGS__)
#define tp_slice(x, ...)          tp_slice(TP_HERE(x), __VA_ARGS__)
#define tp_split(x, ...)          tp_split(TP_HERE(x), __VA_ARGS__)
#define tp_squeeze(x, ...)        tp_squeeze(TP_HERE(x), __VA_ARGS__)
#define tp_unsqueeze(x, ...)      tp_unsqueeze(TP_HERE(x), __VA_ARGS__)
#define tp_tile(x, ...)           tp_tile(TP_HERE(x), __VA_ARGS__)
#define tp_repeat(x, ...)         tp_repeat(TP_HERE(x), __VA_ARGS__)
#define tp_flip(x, ...)           tp_flip(TP_HERE(x), __VA_ARGS__)
#define tp_roll(x, ...)           tp_roll(TP_HERE(x), __VA_ARGS__)
#define tp_pad(x, ...)            tp_pad(TP_HERE(x), __VA_ARGS__)
#define tp_diagonal(x, ...)       tp_diagonal(TP_HERE(x), __VA_ARGS__)
#define tp_diagonal_embed(x, ...) tp_diagonal_embed(TP_HERE(x), __VA_ARGS__)
#define tp_tril(x, ...)           tp_tril(TP_HERE(x), __VA_ARGS__)
#define tp_triu(x, ...)           tp_triu(TP_HERE(x), __VA_ARGS__)

/* An array may be written as (tp_tensor[]){a, b}, whose comma would part it if the macro named it. */
#define tp_concat(...) tp_concat_at(__FILE__, __LINE__, __VA_ARGS__)
#define tp_stack(...)  tp_stack_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
