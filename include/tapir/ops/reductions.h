/* tapir/ops/reductions.h -- sums, extrema and statistics over axes.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_REDUCTIONS_H
#define TAPIR_OPS_REDUCTIONS_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Over all axes: a 0-d result.  ..._over: over the given axes (none given: x itself), which keepdims leaves in place
 * with size 1.  An axis named twice or out of range is TP_BAD_SHAPE.  f32 sums and products are accumulated in
 * double, in an order that does not depend on threads (tapir/op.h, tp_fold). */
TP_API tp_tensor tp_sum(tp_tensor x); /* 0 for no elements; also i32 */
TP_API tp_tensor tp_sum_over(tp_tensor x, tp_axes axes, bool keepdims);

/* Product, 1 for no elements; also i32.  The gradient is exact with zeros among the factors, at any order. */
TP_API tp_tensor tp_prod(tp_tensor x);
TP_API tp_tensor tp_prod_over(tp_tensor x, tp_axes axes, bool keepdims);

/* Largest and smallest; also i32.  No elements: TP_BAD_SHAPE.  Kink: elements that tie share the gradient. */
TP_API tp_tensor tp_max(tp_tensor x);
TP_API tp_tensor tp_max_over(tp_tensor x, tp_axes axes, bool keepdims);
TP_API tp_tensor tp_min(tp_tensor x);
TP_API tp_tensor tp_min_over(tp_tensor x, tp_axes axes, bool keepdims);

/* Sum divided by the number of elements reduced; TP_BAD_SHAPE when that is 0. */
TP_API tp_tensor tp_mean(tp_tensor x);
TP_API tp_tensor tp_mean_over(tp_tensor x, tp_axes axes, bool keepdims);

/* sum (x - mean)^2 / (n - correction), n the number of elements reduced; correction 0 (population) or 1 (sample,
 * "Bessel"), and less than n, else TP_BAD_SHAPE. */
TP_API tp_tensor tp_var(tp_tensor x, int correction);
TP_API tp_tensor tp_var_over(tp_tensor x, tp_axes axes, int correction, bool keepdims);

/* sqrt(sum x^2), not scaled: squares beyond the range overflow.  Kink: gradient 0 at the zero vector. */
TP_API tp_tensor tp_norm(tp_tensor x);
TP_API tp_tensor tp_norm_over(tp_tensor x, tp_axes axes, bool keepdims);

/* log sum e^x, without overflow; -inf entries count 0.  No elements: TP_BAD_SHAPE. */
TP_API tp_tensor tp_logsumexp(tp_tensor x);
TP_API tp_tensor tp_logsumexp_over(tp_tensor x, tp_axes axes, bool keepdims);

/* e^x / sum e^x, and x - log sum e^x, along one axis, without overflow. */
TP_API tp_tensor tp_softmax(tp_tensor x, int axis);
TP_API tp_tensor tp_log_softmax(tp_tensor x, int axis);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_sum(x)                 tp_sum(TP_HERE(x))
#define tp_sum_over(x, ...)       tp_sum_over(TP_HERE(x), __VA_ARGS__)
#define tp_prod(x)                tp_prod(TP_HERE(x))
#define tp_prod_over(x, ...)      tp_prod_over(TP_HERE(x), __VA_ARGS__)
#define tp_max(x)                 tp_max(TP_HERE(x))
#define tp_max_over(x, ...)       tp_max_over(TP_HERE(x), __VA_ARGS__)
#define tp_min(x)                 tp_min(TP_HERE(x))
#define tp_min_over(x, ...)       tp_min_over(TP_HERE(x), __VA_ARGS__)
#define tp_mean(x)                tp_mean(TP_HERE(x))
#define tp_mean_over(x, ...)      tp_mean_over(TP_HERE(x), __VA_ARGS__)
#define tp_var(x, ...)            tp_var(TP_HERE(x), __VA_ARGS__)
#define tp_var_over(x, ...)       tp_var_over(TP_HERE(x), __VA_ARGS__)
#define tp_norm(x)                tp_norm(TP_HERE(x))
#define tp_norm_over(x, ...)      tp_norm_over(TP_HERE(x), __VA_ARGS__)
#define tp_logsumexp(x)           tp_logsumexp(TP_HERE(x))
#define tp_logsumexp_over(x, ...) tp_logsumexp_over(TP_HERE(x), __VA_ARGS__)
#define tp_softmax(x, ...)        tp_softmax(TP_HERE(x), __VA_ARGS__)
#define tp_log_softmax(x, ...)    tp_log_softmax(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
