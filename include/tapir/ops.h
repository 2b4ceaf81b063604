/* tapir/ops.h -- the operations a loss is written with.
 *
 * Conventions, unless an op says otherwise:
 *  - Operands broadcast by NumPy's rules and have one dtype (f32, f64, where stated also i32); weak scalars
 *    (tp_scalar) take it.  The result has that dtype.
 *  - Axes may be negative and count from the end.
 *  - NaN goes in, NaN comes out, through every op that looks at the element.
 *  - Floating results are the same bits wherever an element stands; docs/math.md has the accuracy of each function.
 *  - i32 arithmetic wraps modulo 2^32; sums and products of i32 that do not fit are an error of the run.
 *  - Errors: see tapir/tape.h.  Shapes that do not fit are TP_BAD_SHAPE, dtypes TP_BAD_DTYPE.
 *  - "Kink" says what the derivative is where there is none.
 */
#ifndef TAPIR_OPS_H
#define TAPIR_OPS_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Elementwise: arithmetic (also i32, but for division) -------------------------------------------- */

TP_API tp_tensor tp_neg(tp_tensor x);                  /* -x */
TP_API tp_tensor tp_add(tp_tensor a, tp_tensor b);     /* a + b */
TP_API tp_tensor tp_sub(tp_tensor a, tp_tensor b);     /* a - b */
TP_API tp_tensor tp_mul(tp_tensor a, tp_tensor b);     /* a b */
TP_API tp_tensor tp_div(tp_tensor a, tp_tensor b);     /* a / b; f32 and f64 only */
TP_API tp_tensor tp_scale(tp_tensor x, double factor); /* factor x */
TP_API tp_tensor tp_square(tp_tensor x);               /* x^2 */
TP_API tp_tensor tp_abs(tp_tensor x);                  /* |x|; kink: 0 at 0 */
TP_API tp_tensor tp_sign(tp_tensor x);                 /* -1, 0 or 1; derivative 0 */
TP_API tp_tensor tp_maximum(tp_tensor a, tp_tensor b); /* the larger; kink: half each at a tie */
TP_API tp_tensor tp_minimum(tp_tensor a, tp_tensor b); /* the smaller; kink: half each at a tie */

/* min(max(x, low), high); low <= high, neither NaN (infinite leaves that side open).  Kink: derivative 1 on
 * [low, high], ends included, else 0. */
TP_API tp_tensor tp_clamp(tp_tensor x, double low, double high);

/* ---- Elementwise: functions (f32 and f64) ----------------------------------------------------------- */

TP_API tp_tensor tp_sqrt(tp_tensor x);     /* square root; derivative infinite at 0, NaN below */
TP_API tp_tensor tp_exp(tp_tensor x);      /* e^x */
TP_API tp_tensor tp_expm1(tp_tensor x);    /* e^x - 1, accurate near 0 */
TP_API tp_tensor tp_log(tp_tensor x);      /* natural logarithm */
TP_API tp_tensor tp_log1p(tp_tensor x);    /* log(1 + x), accurate near 0 */
TP_API tp_tensor tp_tanh(tp_tensor x);     /* hyperbolic tangent */
TP_API tp_tensor tp_sigmoid(tp_tensor x);  /* 1 / (1 + e^-x) */
TP_API tp_tensor tp_softplus(tp_tensor x); /* log(1 + e^x) without overflow */
TP_API tp_tensor tp_relu(tp_tensor x);     /* max(x, 0), NaN kept; kink: 0 at 0 */

/* ---- Elementwise: choosing (also i32) --------------------------------------------------------------- */

/* 1 where true, 0 where false, in the operands' dtype; false against NaN, but for not_equal; derivative 0. */
TP_API tp_tensor tp_equal(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_not_equal(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_less(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_less_equal(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_greater(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_greater_equal(tp_tensor a, tp_tensor b);

/* a where condition is not 0 (a NaN is not 0), else b.  The condition may have any dtype; a and b share one.
 * No gradient reaches the condition, none the branch not taken, whatever its value (strong zero). */
TP_API tp_tensor tp_where(tp_tensor condition, tp_tensor a, tp_tensor b);

/* The same numbers in another dtype.  To i32: toward zero, beyond its range the nearest end, NaN the lowest
 * number; derivative 0 then.  A weak scalar becomes tp_scalar_of. */
TP_API tp_tensor tp_cast(tp_tensor x, tp_dtype dtype);

/* ---- Reductions -------------------------------------------------------------------------------------- */

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

/* ---- Shape (any dtype) ------------------------------------------------------------------------------- */

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

/* ---- Matrix product (f32 and f64) ------------------------------------------------------------------- */

/* NumPy's matmul: [..., m, k] times [..., k, n], the leading axes broadcast; a 1-D a is a row, a 1-D b a column,
 * and that axis is dropped again.  k = 0 gives zeros.  By the system's CBLAS. */
TP_API tp_tensor tp_matmul(tp_tensor a, tp_tensor b);

/* ---- Sources ----------------------------------------------------------------------------------------- */

/* A tensor of `shape` that is `value` everywhere.  Takes no memory. */
TP_API tp_tensor tp_full(tp_tape *tape, tp_dtype dtype, tp_shape shape, double value);

/* 0, 1, ..., n - 1. */
TP_API tp_tensor tp_iota(tp_tape *tape, tp_dtype dtype, int64_t n);

/* Uniform random numbers in [0, 1), new ones at each run of a program; f32 or f64, multiples of 2^-24 or 2^-53.
 * They depend only on the tape's seed, on the order of recording and on the number of runs before, not on threads.
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
TP_API tp_tensor tp_uniform(tp_tape *tape, tp_dtype dtype, tp_shape shape);

/* ---- Control ----------------------------------------------------------------------------------------- */

/* x, through which no gradient passes. */
TP_API tp_tensor tp_stop_gradient(tp_tensor x);

/* v, but 0 where g is 0, also if v is NaN or infinite there.  This is what the reverse sweep wraps around
 * contributions (strong zero), g being the adjoint.  The gradient passes to v as if it were v everywhere, but for the
 * elements where a NaN or an infinity was hidden, and not to g. */
TP_API tp_tensor tp_guard(tp_tensor g, tp_tensor v);

/* When a program with this handle among its outputs has run, `leaf` (an input or parameter) holds `value`,
 * broadcast to its shape.  All reads in the run see the old value.  The handle has no value of its own.  One
 * assignment to a leaf per program. */
TP_API tp_tensor tp_assign(tp_tensor leaf, tp_tensor value);

/* Several assignments as one handle. */
TP_API tp_tensor tp_group(const tp_tensor *x, int n);
TP_API tp_tensor tp_group_at(const char *file, int line, const tp_tensor *x, int n);

/* x (i32), checked at run time: an element outside [0, count), other than `except` if has_except, ends the run with
 * TP_BAD_VALUE and a message that names element and value. */
TP_API tp_tensor tp_check_index(tp_tensor x, int64_t count, bool has_except, int32_t except);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_neg(x)                 tp_neg(TP_HERE(x))
#define tp_add(a, ...)            tp_add(TP_HERE(a), __VA_ARGS__)
#define tp_sub(a, ...)            tp_sub(TP_HERE(a), __VA_ARGS__)
#define tp_mul(a, ...)            tp_mul(TP_HERE(a), __VA_ARGS__)
#define tp_div(a, ...)            tp_div(TP_HERE(a), __VA_ARGS__)
#define tp_scale(x, ...)          tp_scale(TP_HERE(x), __VA_ARGS__)
#define tp_square(x)              tp_square(TP_HERE(x))
#define tp_abs(x)                 tp_abs(TP_HERE(x))
#define tp_sign(x)                tp_sign(TP_HERE(x))
#define tp_maximum(a, ...)        tp_maximum(TP_HERE(a), __VA_ARGS__)
#define tp_minimum(a, ...)        tp_minimum(TP_HERE(a), __VA_ARGS__)
#define tp_clamp(x, ...)          tp_clamp(TP_HERE(x), __VA_ARGS__)
#define tp_sqrt(x)                tp_sqrt(TP_HERE(x))
#define tp_exp(x)                 tp_exp(TP_HERE(x))
#define tp_expm1(x)               tp_expm1(TP_HERE(x))
#define tp_log(x)                 tp_log(TP_HERE(x))
#define tp_log1p(x)               tp_log1p(TP_HERE(x))
#define tp_tanh(x)                tp_tanh(TP_HERE(x))
#define tp_sigmoid(x)             tp_sigmoid(TP_HERE(x))
#define tp_softplus(x)            tp_softplus(TP_HERE(x))
#define tp_relu(x)                tp_relu(TP_HERE(x))
#define tp_equal(a, ...)          tp_equal(TP_HERE(a), __VA_ARGS__)
#define tp_not_equal(a, ...)      tp_not_equal(TP_HERE(a), __VA_ARGS__)
#define tp_less(a, ...)           tp_less(TP_HERE(a), __VA_ARGS__)
#define tp_less_equal(a, ...)     tp_less_equal(TP_HERE(a), __VA_ARGS__)
#define tp_greater(a, ...)        tp_greater(TP_HERE(a), __VA_ARGS__)
#define tp_greater_equal(a, ...)  tp_greater_equal(TP_HERE(a), __VA_ARGS__)
#define tp_where(condition, ...)  tp_where(TP_HERE(condition), __VA_ARGS__)
#define tp_cast(x, ...)           tp_cast(TP_HERE(x), __VA_ARGS__)
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
#define tp_reshape(x, ...)        tp_reshape(TP_HERE(x), __VA_ARGS__)
#define tp_permute(x, ...)        tp_permute(TP_HERE(x), __VA_ARGS__)
#define tp_transpose(x, ...)      tp_transpose(TP_HERE(x), __VA_ARGS__)
#define tp_expand(x, ...)         tp_expand(TP_HERE(x), __VA_ARGS__)
#define tp_sum_to(x, ...)         tp_sum_to(TP_HERE(x), __VA_ARGS__)
#define tp_slice(x, ...)          tp_slice(TP_HERE(x), __VA_ARGS__)
#define tp_matmul(a, ...)         tp_matmul(TP_HERE(a), __VA_ARGS__)
#define tp_full(tape, ...)        tp_full(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_iota(tape, ...)        tp_iota(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_uniform(tape, ...)     tp_uniform(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_stop_gradient(x)       tp_stop_gradient(TP_HERE(x))
#define tp_guard(g, ...)          tp_guard(TP_HERE(g), __VA_ARGS__)
#define tp_assign(leaf, ...)      tp_assign(TP_HERE(leaf), __VA_ARGS__)
#define tp_check_index(x, ...)    tp_check_index(TP_HERE(x), __VA_ARGS__)

/* An array may be written as (tp_tensor[]){a, b}, whose comma would part it if the macro named it. */
#define tp_concat(...) tp_concat_at(__FILE__, __LINE__, __VA_ARGS__)
#define tp_group(...)  tp_group_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
