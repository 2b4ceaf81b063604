/* tapir/ops/elementwise.h -- arithmetic, functions and choices, element by element.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_ELEMENTWISE_H
#define TAPIR_OPS_ELEMENTWISE_H

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

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_neg(x)                tp_neg(TP_HERE(x))
#define tp_add(a, ...)           tp_add(TP_HERE(a), __VA_ARGS__)
#define tp_sub(a, ...)           tp_sub(TP_HERE(a), __VA_ARGS__)
#define tp_mul(a, ...)           tp_mul(TP_HERE(a), __VA_ARGS__)
#define tp_div(a, ...)           tp_div(TP_HERE(a), __VA_ARGS__)
#define tp_scale(x, ...)         tp_scale(TP_HERE(x), __VA_ARGS__)
#define tp_square(x)             tp_square(TP_HERE(x))
#define tp_abs(x)                tp_abs(TP_HERE(x))
#define tp_sign(x)               tp_sign(TP_HERE(x))
#define tp_maximum(a, ...)       tp_maximum(TP_HERE(a), __VA_ARGS__)
#define tp_minimum(a, ...)       tp_minimum(TP_HERE(a), __VA_ARGS__)
#define tp_clamp(x, ...)         tp_clamp(TP_HERE(x), __VA_ARGS__)
#define tp_sqrt(x)               tp_sqrt(TP_HERE(x))
#define tp_exp(x)                tp_exp(TP_HERE(x))
#define tp_expm1(x)              tp_expm1(TP_HERE(x))
#define tp_log(x)                tp_log(TP_HERE(x))
#define tp_log1p(x)              tp_log1p(TP_HERE(x))
#define tp_tanh(x)               tp_tanh(TP_HERE(x))
#define tp_sigmoid(x)            tp_sigmoid(TP_HERE(x))
#define tp_softplus(x)           tp_softplus(TP_HERE(x))
#define tp_relu(x)               tp_relu(TP_HERE(x))
#define tp_equal(a, ...)         tp_equal(TP_HERE(a), __VA_ARGS__)
#define tp_not_equal(a, ...)     tp_not_equal(TP_HERE(a), __VA_ARGS__)
#define tp_less(a, ...)          tp_less(TP_HERE(a), __VA_ARGS__)
#define tp_less_equal(a, ...)    tp_less_equal(TP_HERE(a), __VA_ARGS__)
#define tp_greater(a, ...)       tp_greater(TP_HERE(a), __VA_ARGS__)
#define tp_greater_equal(a, ...) tp_greater_equal(TP_HERE(a), __VA_ARGS__)
#define tp_where(condition, ...) tp_where(TP_HERE(condition), __VA_ARGS__)
#define tp_cast(x, ...)          tp_cast(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
