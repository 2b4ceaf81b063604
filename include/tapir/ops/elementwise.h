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

/* Whole numbers (of i32: the operand itself); derivative 0, also where they jump. */
TP_API tp_tensor tp_floor(tp_tensor x); /* the largest that is not above x */
TP_API tp_tensor tp_ceil(tp_tensor x);  /* the least that is not below x */
TP_API tp_tensor tp_round(tp_tensor x); /* the nearest; halves go to the even one: 0.5 to 0, 1.5 to 2 */
TP_API tp_tensor tp_trunc(tp_tensor x); /* x without its fraction: toward 0 */

/* ---- Elementwise: powers and logarithms (f32 and f64) ------------------------------------------------ */

TP_API tp_tensor tp_sqrt(tp_tensor x);       /* square root; derivative infinite at 0, NaN below */
TP_API tp_tensor tp_rsqrt(tp_tensor x);      /* 1 / sqrt(x) */
TP_API tp_tensor tp_reciprocal(tp_tensor x); /* 1 / x */
TP_API tp_tensor tp_exp(tp_tensor x);        /* e^x */
TP_API tp_tensor tp_exp2(tp_tensor x);       /* 2^x */
TP_API tp_tensor tp_expm1(tp_tensor x);      /* e^x - 1, accurate near 0 */
TP_API tp_tensor tp_log(tp_tensor x);        /* natural logarithm */
TP_API tp_tensor tp_log2(tp_tensor x);       /* logarithm to base 2 */
TP_API tp_tensor tp_log10(tp_tensor x);      /* logarithm to base 10 */
TP_API tp_tensor tp_log1p(tp_tensor x);      /* log(1 + x), accurate near 0 */

/* a^b; NaN where a < 0 and b is not whole.  An exponent that is a known number 1, 2, 3, 0.5, -1 or -0.5 is
 * computed as a, a^2, a^2 a, sqrt, reciprocal or rsqrt.  Derivatives: b a^(b-1), which is 0 where b is 0; and a^b log a,
 * which is 0 where a is 0 and b >= 0, and NaN where a < 0. */
TP_API tp_tensor tp_pow(tp_tensor a, tp_tensor b);

/* sqrt(a^2 + b^2), where the squares cannot overflow or underflow.  Kink: both derivatives 0 at (0, 0). */
TP_API tp_tensor tp_hypot(tp_tensor a, tp_tensor b);

/* The rest of a / b, exactly: a - n b with n = a / b rounded toward 0; it has the sign of a; NaN where b is 0.
 * Derivatives 1 and -n, also where it jumps. */
TP_API tp_tensor tp_fmod(tp_tensor a, tp_tensor b);

/* log(e^a + e^b) without overflow; of two equal infinities that infinity. */
TP_API tp_tensor tp_logaddexp(tp_tensor a, tp_tensor b);

/* a log b, and 0 where a is 0, also against log 0 or the log of a negative number (not of a NaN).  There the derivative
 * of b is 0, and that of a is 0 as well where b <= 0. */
TP_API tp_tensor tp_xlogy(tp_tensor a, tp_tensor b);

/* ---- Elementwise: trigonometric and hyperbolic functions (f32 and f64) -------------------------------- */

/* Of angles in radians. */
TP_API tp_tensor tp_sin(tp_tensor x);
TP_API tp_tensor tp_cos(tp_tensor x);
TP_API tp_tensor tp_tan(tp_tensor x);

/* Arc sine in [-pi/2, pi/2], arc cosine in [0, pi]: NaN outside [-1, 1], the derivatives infinite at 1 and -1.  Arc tangent
 * in [-pi/2, pi/2]. */
TP_API tp_tensor tp_asin(tp_tensor x);
TP_API tp_tensor tp_acos(tp_tensor x);
TP_API tp_tensor tp_atan(tp_tensor x);

/* The angle of the point (x = b, y = a) in [-pi, pi], with C's rules for zeros: pi for (0, -0), -pi for (-0, -0).  Kink: both
 * derivatives 0 at the origin. */
TP_API tp_tensor tp_atan2(tp_tensor a, tp_tensor b);

/* Hyperbolic functions and their inverses. */
TP_API tp_tensor tp_sinh(tp_tensor x);
TP_API tp_tensor tp_cosh(tp_tensor x);
TP_API tp_tensor tp_tanh(tp_tensor x);
TP_API tp_tensor tp_asinh(tp_tensor x);
TP_API tp_tensor tp_acosh(tp_tensor x); /* NaN below 1; derivative infinite at 1 */
TP_API tp_tensor tp_atanh(tp_tensor x); /* infinite at 1 and -1, NaN beyond */

/* ---- Elementwise: special functions (f32 and f64) ----------------------------------------------------- */

TP_API tp_tensor tp_erf(tp_tensor x);  /* 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x */
TP_API tp_tensor tp_erfc(tp_tensor x); /* 1 - erf(x), accurate for large x */

/* Density and distribution function of the standard normal distribution: e^(-x^2 / 2) / sqrt(2 pi), and its integral
 * from -infinity to x, accurate for x far below 0. */
TP_API tp_tensor tp_normal_pdf(tp_tensor x);
TP_API tp_tensor tp_normal_cdf(tp_tensor x);

/* log |gamma(x)|; infinite at 0, -1, -2, ...  Its derivatives digamma(x) and polygamma of order 1, 2, ...: NaN at these
 * poles, but that digamma is -infinity at +0, infinity at -0, and odd orders are infinite.  (NIST Digital Library of
 * Mathematical Functions, chapter 5.) */
TP_API tp_tensor tp_lgamma(tp_tensor x);
TP_API tp_tensor tp_digamma(tp_tensor x);

/* The derivative of that order of digamma; 1: trigamma.  The order is 0 (digamma itself) to TP_POLYGAMMA_ORDERS, else
 * TP_BAD_ARGUMENT; the derivative of the last one is TP_NO_DERIVATIVE. */
#define TP_POLYGAMMA_ORDERS 20
TP_API tp_tensor tp_polygamma(tp_tensor x, int order);

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

/* 1 where it holds, 0 elsewhere, in the operand's dtype; derivative 0.  In the logical ones a number counts as true
 * when it is not 0; a NaN is not 0. */
TP_API tp_tensor tp_isnan(tp_tensor x);
TP_API tp_tensor tp_isinf(tp_tensor x);
TP_API tp_tensor tp_isfinite(tp_tensor x);
TP_API tp_tensor tp_logical_not(tp_tensor x);
TP_API tp_tensor tp_logical_and(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_logical_or(tp_tensor a, tp_tensor b);
TP_API tp_tensor tp_logical_xor(tp_tensor a, tp_tensor b);

/* What stands for NaN and for infinities. */
typedef struct tp_nan_to_num_options {
    double nan;                           /* default: 0 */
    tp_optional_number positive_infinity; /* default: the largest number of the dtype */
    tp_optional_number negative_infinity; /* default: the lowest one */
} tp_nan_to_num_options;

/* x with NaN and infinities replaced; derivative 1 where x is finite, else 0. */
TP_API tp_tensor tp_nan_to_num(tp_tensor x, const tp_nan_to_num_options *options);

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
#define tp_floor(x)              tp_floor(TP_HERE(x))
#define tp_ceil(x)               tp_ceil(TP_HERE(x))
#define tp_round(x)              tp_round(TP_HERE(x))
#define tp_trunc(x)              tp_trunc(TP_HERE(x))
#define tp_sqrt(x)               tp_sqrt(TP_HERE(x))
#define tp_rsqrt(x)              tp_rsqrt(TP_HERE(x))
#define tp_reciprocal(x)         tp_reciprocal(TP_HERE(x))
#define tp_exp(x)                tp_exp(TP_HERE(x))
#define tp_exp2(x)               tp_exp2(TP_HERE(x))
#define tp_expm1(x)              tp_expm1(TP_HERE(x))
#define tp_log(x)                tp_log(TP_HERE(x))
#define tp_log2(x)               tp_log2(TP_HERE(x))
#define tp_log10(x)              tp_log10(TP_HERE(x))
#define tp_log1p(x)              tp_log1p(TP_HERE(x))
#define tp_pow(a, ...)           tp_pow(TP_HERE(a), __VA_ARGS__)
#define tp_hypot(a, ...)         tp_hypot(TP_HERE(a), __VA_ARGS__)
#define tp_fmod(a, ...)          tp_fmod(TP_HERE(a), __VA_ARGS__)
#define tp_logaddexp(a, ...)     tp_logaddexp(TP_HERE(a), __VA_ARGS__)
#define tp_xlogy(a, ...)         tp_xlogy(TP_HERE(a), __VA_ARGS__)
#define tp_sin(x)                tp_sin(TP_HERE(x))
#define tp_cos(x)                tp_cos(TP_HERE(x))
#define tp_tan(x)                tp_tan(TP_HERE(x))
#define tp_asin(x)               tp_asin(TP_HERE(x))
#define tp_acos(x)               tp_acos(TP_HERE(x))
#define tp_atan(x)               tp_atan(TP_HERE(x))
#define tp_atan2(a, ...)         tp_atan2(TP_HERE(a), __VA_ARGS__)
#define tp_sinh(x)               tp_sinh(TP_HERE(x))
#define tp_cosh(x)               tp_cosh(TP_HERE(x))
#define tp_tanh(x)               tp_tanh(TP_HERE(x))
#define tp_asinh(x)              tp_asinh(TP_HERE(x))
#define tp_acosh(x)              tp_acosh(TP_HERE(x))
#define tp_atanh(x)              tp_atanh(TP_HERE(x))
#define tp_erf(x)                tp_erf(TP_HERE(x))
#define tp_erfc(x)               tp_erfc(TP_HERE(x))
#define tp_normal_pdf(x)         tp_normal_pdf(TP_HERE(x))
#define tp_normal_cdf(x)         tp_normal_cdf(TP_HERE(x))
#define tp_lgamma(x)             tp_lgamma(TP_HERE(x))
#define tp_digamma(x)            tp_digamma(TP_HERE(x))
#define tp_polygamma(x, ...)     tp_polygamma(TP_HERE(x), __VA_ARGS__)
#define tp_equal(a, ...)         tp_equal(TP_HERE(a), __VA_ARGS__)
#define tp_not_equal(a, ...)     tp_not_equal(TP_HERE(a), __VA_ARGS__)
#define tp_less(a, ...)          tp_less(TP_HERE(a), __VA_ARGS__)
#define tp_less_equal(a, ...)    tp_less_equal(TP_HERE(a), __VA_ARGS__)
#define tp_greater(a, ...)       tp_greater(TP_HERE(a), __VA_ARGS__)
#define tp_greater_equal(a, ...) tp_greater_equal(TP_HERE(a), __VA_ARGS__)
#define tp_where(condition, ...) tp_where(TP_HERE(condition), __VA_ARGS__)
#define tp_isnan(x)              tp_isnan(TP_HERE(x))
#define tp_isinf(x)              tp_isinf(TP_HERE(x))
#define tp_isfinite(x)           tp_isfinite(TP_HERE(x))
#define tp_logical_not(x)        tp_logical_not(TP_HERE(x))
#define tp_logical_and(a, ...)   tp_logical_and(TP_HERE(a), __VA_ARGS__)
#define tp_logical_or(a, ...)    tp_logical_or(TP_HERE(a), __VA_ARGS__)
#define tp_logical_xor(a, ...)   tp_logical_xor(TP_HERE(a), __VA_ARGS__)
#define tp_nan_to_num(x, ...)    tp_nan_to_num(TP_HERE(x), __VA_ARGS__)
#define tp_cast(x, ...)          tp_cast(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
