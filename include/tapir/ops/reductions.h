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

/* 1 where any, or every, element is not 0 (a NaN is not 0), else 0, in x's dtype; also i32.  Of no elements: 0, and 1.
 * Derivative 0. */
TP_API tp_tensor tp_any(tp_tensor x);
TP_API tp_tensor tp_any_over(tp_tensor x, tp_axes axes, bool keepdims);
TP_API tp_tensor tp_all(tp_tensor x);
TP_API tp_tensor tp_all_over(tp_tensor x, tp_axes axes, bool keepdims);

/* Sum divided by the number of elements reduced; TP_BAD_SHAPE when that is 0. */
TP_API tp_tensor tp_mean(tp_tensor x);
TP_API tp_tensor tp_mean_over(tp_tensor x, tp_axes axes, bool keepdims);

/* sum (x - mean)^2 / (n - correction), n the number of elements reduced; correction 0 (population) or 1 (sample,
 * "Bessel"), and less than n, else TP_BAD_SHAPE. */
TP_API tp_tensor tp_var(tp_tensor x, int correction);
TP_API tp_tensor tp_var_over(tp_tensor x, tp_axes axes, int correction, bool keepdims);

/* The square root of that.  Kink: gradient 0 where the variance is 0. */
TP_API tp_tensor tp_std(tp_tensor x, int correction);
TP_API tp_tensor tp_std_over(tp_tensor x, tp_axes axes, int correction, bool keepdims);

/* The q-quantile, 0 <= q <= 1, else TP_BAD_ARGUMENT: with the n elements in ascending order, the one at q (n - 1), counted
 * from 0, or between two of them by linear interpolation (Hyndman and Fan, "Sample quantiles in statistical packages", The
 * American Statistician 50, 1996, definition 7; NumPy's default).  The median is the 0.5-quantile: of an even number of
 * elements the mean of the two in the middle.  NaN if an element is.  No elements: TP_BAD_SHAPE.  The gradient goes to the
 * one or two elements that the result is made of; kink: at a tie to those that tp_argsort puts there. */
TP_API tp_tensor tp_median(tp_tensor x);
TP_API tp_tensor tp_median_over(tp_tensor x, tp_axes axes, bool keepdims);
TP_API tp_tensor tp_quantile(tp_tensor x, double q);
TP_API tp_tensor tp_quantile_over(tp_tensor x, tp_axes axes, double q, bool keepdims);

/* sqrt(sum x^2), not scaled: squares beyond the range overflow.  Kink: gradient 0 at the zero vector. */
TP_API tp_tensor tp_norm(tp_tensor x);
TP_API tp_tensor tp_norm_over(tp_tensor x, tp_axes axes, bool keepdims);

/* The norm of order 1, sum |x|; of order 2, tp_norm; or of order infinity (HUGE_VAL), the largest |x|, which of no
 * elements is TP_BAD_SHAPE.  Another order is TP_BAD_ARGUMENT.  Kinks: those of tp_abs, tp_norm and tp_max. */
TP_API tp_tensor tp_vector_norm(tp_tensor x, double order);
TP_API tp_tensor tp_vector_norm_over(tp_tensor x, tp_axes axes, double order, bool keepdims);

/* log sum e^x, without overflow; -inf entries count 0, and where there is nothing else the result is -inf and the
 * gradient 0.  No elements: TP_BAD_SHAPE. */
TP_API tp_tensor tp_logsumexp(tp_tensor x);
TP_API tp_tensor tp_logsumexp_over(tp_tensor x, tp_axes axes, bool keepdims);

/* e^x / sum e^x, and x - log sum e^x, along one axis, without overflow. */
TP_API tp_tensor tp_softmax(tp_tensor x, int axis);
TP_API tp_tensor tp_log_softmax(tp_tensor x, int axis);

/* Running sums and products along one axis: y[i] = x[0] + ... + x[i], and x[0] ... x[i].  Also i32; a result that does not
 * fit is an error of the run.  f32 is accumulated in double, and every result rounded from there.  The gradient of
 * cumprod is exact with zeros among the factors, at any order. */
TP_API tp_tensor tp_cumsum(tp_tensor x, int axis);
TP_API tp_tensor tp_cumprod(tp_tensor x, int axis);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_sum(x)                   tp_sum(TP_HERE(x))
#define tp_sum_over(x, ...)         tp_sum_over(TP_HERE(x), __VA_ARGS__)
#define tp_prod(x)                  tp_prod(TP_HERE(x))
#define tp_prod_over(x, ...)        tp_prod_over(TP_HERE(x), __VA_ARGS__)
#define tp_max(x)                   tp_max(TP_HERE(x))
#define tp_max_over(x, ...)         tp_max_over(TP_HERE(x), __VA_ARGS__)
#define tp_min(x)                   tp_min(TP_HERE(x))
#define tp_min_over(x, ...)         tp_min_over(TP_HERE(x), __VA_ARGS__)
#define tp_any(x)                   tp_any(TP_HERE(x))
#define tp_any_over(x, ...)         tp_any_over(TP_HERE(x), __VA_ARGS__)
#define tp_all(x)                   tp_all(TP_HERE(x))
#define tp_all_over(x, ...)         tp_all_over(TP_HERE(x), __VA_ARGS__)
#define tp_mean(x)                  tp_mean(TP_HERE(x))
#define tp_mean_over(x, ...)        tp_mean_over(TP_HERE(x), __VA_ARGS__)
#define tp_var(x, ...)              tp_var(TP_HERE(x), __VA_ARGS__)
#define tp_var_over(x, ...)         tp_var_over(TP_HERE(x), __VA_ARGS__)
#define tp_std(x, ...)              tp_std(TP_HERE(x), __VA_ARGS__)
#define tp_std_over(x, ...)         tp_std_over(TP_HERE(x), __VA_ARGS__)
#define tp_median(x)                tp_median(TP_HERE(x))
#define tp_median_over(x, ...)      tp_median_over(TP_HERE(x), __VA_ARGS__)
#define tp_quantile(x, ...)         tp_quantile(TP_HERE(x), __VA_ARGS__)
#define tp_quantile_over(x, ...)    tp_quantile_over(TP_HERE(x), __VA_ARGS__)
#define tp_norm(x)                  tp_norm(TP_HERE(x))
#define tp_norm_over(x, ...)        tp_norm_over(TP_HERE(x), __VA_ARGS__)
#define tp_vector_norm(x, ...)      tp_vector_norm(TP_HERE(x), __VA_ARGS__)
#define tp_vector_norm_over(x, ...) tp_vector_norm_over(TP_HERE(x), __VA_ARGS__)
#define tp_logsumexp(x)             tp_logsumexp(TP_HERE(x))
#define tp_logsumexp_over(x, ...)   tp_logsumexp_over(TP_HERE(x), __VA_ARGS__)
#define tp_cumsum(x, ...)           tp_cumsum(TP_HERE(x), __VA_ARGS__)
#define tp_cumprod(x, ...)          tp_cumprod(TP_HERE(x), __VA_ARGS__)
#define tp_softmax(x, ...)          tp_softmax(TP_HERE(x), __VA_ARGS__)
#define tp_log_softmax(x, ...)      tp_log_softmax(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
