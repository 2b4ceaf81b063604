/* tapir/scalar_exponential.h -- exponentials and logarithms to other bases, hyperbolic functions and their inverses, as
 * plain C.
 *
 * In the manner of tapir/scalar.h, whose remarks on flags and bits hold here too.
 *
 *     function                            value                 error at most
 *     tp_exp2_f32       tp_exp2_f64       2^x                   1.5 ulp
 *     tp_log2_f32       tp_log2_f64       log x / log 2         1.5
 *     tp_log10_f32      tp_log10_f64      log x / log 10        1.5
 *     tp_sinh_f32       tp_sinh_f64       (e^x - e^-x) / 2      3
 *     tp_cosh_f32       tp_cosh_f64       (e^x + e^-x) / 2      1.5
 *     tp_asinh_f32      tp_asinh_f64      inverse of sinh       3
 *     tp_acosh_f32      tp_acosh_f64      inverse of cosh       3
 *     tp_atanh_f32      tp_atanh_f64      inverse of tanh       3
 *     tp_tanh_softplus_f32, ..._f64       tanh(log(1 + e^x))    5
 *
 * Whole powers of 2 and of 10 have exact logarithms.  In float these are computed in double and rounded once, so
 * there the errors are below 0.51 ulp, but for tanh_softplus, which is a straight line of floats.
 */
#ifndef TAPIR_SCALAR_EXPONENTIAL_H
#define TAPIR_SCALAR_EXPONENTIAL_H

#include <tapir/scalar.h>

/* ---- 2^x --------------------------------------------------------------------------------------------- */

/* x = k + r with |r| <= 1/2, exactly; k is applied as in tp_exp_f64. */
static inline double tp_exp2_f64(double x)
{
    const double shift = 0x1.8p52 + 2046;
    double a = x < -1080 ? -1080 : x;
    a = a > 1030 ? 1030 : a;
    const double shifted = a + shift;
    const double r = a - (shifted - shift);

    /* 2^r = 1 + r ln2 + r^2 Q(r); error 2^-57.6 */
    const double r2 = r * r, r4 = r2 * r2;
    const double q01 = 0x1.ebfbdff82c5a1p-3 + r * 0x1.c6b08d704a046p-5;
    const double q23 = 0x1.3b2ab6fba0791p-7 + r * 0x1.5d87fe78c3785p-10;
    const double q45 = 0x1.4309130dc57f3p-13 + r * 0x1.ffcbfbc7b3af9p-17;
    const double q67 = 0x1.62bfc9f548793p-20 + r * 0x1.b52653068d4cp-24;
    const double q89 = 0x1.e617b504c2e73p-28 + r * 0x1.e7c69953b9236p-32;
    const double Q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);

    const uint64_t k_plus_2046 = tp__bits_f64(shifted), half = k_plus_2046 >> 1;
    const double scale_a = tp__from_bits_f64(half << 52);
    const double scale_b = tp__from_bits_f64((k_plus_2046 - half) << 52);
    return (1 + (r * 0x1.62e42fefa39efp-1 + r2 * Q)) * scale_a * scale_b;
}

/* ---- Logarithms to base 2 and 10 --------------------------------------------------------------------- */

/* k base + log(1 + f) c, where c = high + low with 26 bits in high.  26 bits of f times these is exact, and so is the
 * rounding error of the one large sum: what is rounded otherwise is small. */
static inline double tp__scaled_log_f64(double k_high, double k_low, double f, double high, double low)
{
    const double f_high = tp__from_bits_f64(tp__bits_f64(f) & ~(uint64_t)0x7ffffff), f_low = f - f_high;
    const double leading = f_high * high;
    const double small = (f_low * high + f * low) + (k_low + tp__log_tail_f64(f) * (high + low));
    const double sum = k_high + leading, lost = (k_high - sum) + leading;
    return sum + (lost + small);
}

static inline double tp_log2_f64(double x)
{
    const double shift = x < DBL_MIN ? 52 : 0;
    const tp__log_parts_f64 p = tp__log_parts_of_f64(x < DBL_MIN ? x * 0x1p52 : x);
    double y = tp__scaled_log_f64(p.k - shift, 0, p.f, 0x1.715476p0, 0x1.4ae0bf85ddf44p-26);
    y = x < (double)INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -(double)INFINITY : (double)NAN;
}

static inline double tp_log10_f64(double x)
{
    const double shift = x < DBL_MIN ? 52 : 0;
    const tp__log_parts_f64 p = tp__log_parts_of_f64(x < DBL_MIN ? x * 0x1p52 : x);
    const double k = p.k - shift;
    double y = tp__scaled_log_f64(k * 0x1.34413509f6p-2, k * 0x1.9fef311f12b36p-42, p.f, 0x1.bcb7b1p-2,
                                  0x1.49b9438ca9aaep-28);
    y = x < (double)INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -(double)INFINITY : (double)NAN;
}

/* ---- Hyperbolic functions ---------------------------------------------------------------------------- */

/* e^x / 2 for 0 <= x <= 712: finite a little longer than e^x. */
static inline double tp__half_exp_f64(double x)
{
    const tp__exp_parts_f64 e = tp__exp_parts_of_f64(x);
    const uint64_t half = e.k_plus_2046 >> 1;
    const double scale_a = tp__from_bits_f64(half << 52);
    const double scale_b = tp__from_bits_f64((e.k_plus_2046 - half) << 52);
    return (0.5 + 0.5 * (e.r + e.tail)) * scale_a * scale_b;
}

/* With h = (e^|x| - 1) / 2 it is h + h / (2 h + 1); far out e^|x| / 2. */
static inline double tp_sinh_f64(double x)
{
    double a = fabs(x);
    a = a > 712 ? 712 : a;
    const double h = 0.5 * tp__expm1_in_range_f64(a);
    const double y = a < 22 ? h + h / (2 * h + 1) : tp__half_exp_f64(a);
    return fabs(x) < 0x1p-28 ? x : tp__copy_sign_f64(y, x);
}

static inline double tp_cosh_f64(double x)
{
    const double a = fabs(x);
    const double h = tp__half_exp_f64(a > 712 ? 712 : a);
    return h + 0.25 / h;
}

/* log(1 + u), as tp_log1p_f64 does it; or, for a large u that would not fit doubled, log(2 u). */
static inline double tp__log1p_or_log_2_f64(double u, int large)
{
    const double w = large ? u : 1 + u;
    const double lost = u < 1 ? u - (w - 1) : 1 - (w - u);
    const double inverse = tp__from_bits_f64(0x7fde620000000000u - tp__bits_f64(w < 0x1p60 ? w : 0x1p60));
    const tp__log_parts_f64 p = tp__log_parts_of_f64(w);
    const int near = p.k == 0;
    const double y =
        tp__log_sum_f64(large ? p.k + 1 : p.k, near ? u : p.f, near || large ? 0 : lost * inverse);
    return w < (double)INFINITY ? y : w;
}

/* log(a + sqrt(a^2 + 1)) = log(1 + a + a^2 / (1 + sqrt(a^2 + 1))) with a = |x| */
static inline double tp_asinh_f64(double x)
{
    const double a = fabs(x), square = a * a;
    const int large = a > 0x1p28;
    const double u = a + square / (1 + sqrt(1 + square));
    const double y = tp__log1p_or_log_2_f64(large ? a : u, large);
    return a < 0x1p-28 ? x : tp__copy_sign_f64(y, x);
}

/* log(x + sqrt(x^2 - 1)) = log(1 + t + sqrt(t (t + 2))) with t = x - 1 */
static inline double tp_acosh_f64(double x)
{
    const double t = x - 1;
    const int large = x > 0x1p28;
    const double y = tp__log1p_or_log_2_f64(large ? x : t + sqrt(t * (t + 2)), large);
    return x < 1 ? (double)NAN : y;
}

/* log((1 + a) / (1 - a)) / 2 = log(1 + 2 a / (1 - a)) / 2 with a = |x| */
static inline double tp_atanh_f64(double x)
{
    const double a = fabs(x);
    const double y = 0.5 * tp_log1p_f64(2 * a / (1 - a));
    return a < 0x1p-28 ? x : tp__copy_sign_f64(y, x);
}

/* ---- tanh(softplus(x)), the gate of mish ----------------------------------------------------------------
 *
 * With w = e^x it is ((1 + w)^2 - 1) / ((1 + w)^2 + 1) = n / (n + 2), n = w (w + 2): far above 0 it is 1. */
static inline double tp_tanh_softplus_f64(double x)
{
    const double w = tp_exp_f64(x > 40 ? 40 : x), n = w * (w + 2);
    return n / (n + 2);
}

static inline float tp_tanh_softplus_f32(float x)
{
    const float w = tp_exp_f32(x > 20 ? 20 : x), n = w * (w + 2);
    return n / (n + 2);
}

/* ---- In float, by way of double ----------------------------------------------------------------------- */

static inline float tp_exp2_f32(float x)
{
    return (float)tp_exp2_f64((double)x);
}

static inline float tp_log2_f32(float x)
{
    return (float)tp_log2_f64((double)x);
}

static inline float tp_log10_f32(float x)
{
    return (float)tp_log10_f64((double)x);
}

static inline float tp_sinh_f32(float x)
{
    return (float)tp_sinh_f64((double)x);
}

static inline float tp_cosh_f32(float x)
{
    return (float)tp_cosh_f64((double)x);
}

static inline float tp_asinh_f32(float x)
{
    return (float)tp_asinh_f64((double)x);
}

static inline float tp_acosh_f32(float x)
{
    return (float)tp_acosh_f64((double)x);
}

static inline float tp_atanh_f32(float x)
{
    return (float)tp_atanh_f64((double)x);
}

/* ---- The same by the type of the argument ----------------------------------------------------------- */

#define TP_EXP2(x)          TP_BY_TYPE_(x, tp_exp2_f32, tp_exp2_f64)(x)
#define TP_LOG2(x)          TP_BY_TYPE_(x, tp_log2_f32, tp_log2_f64)(x)
#define TP_LOG10(x)         TP_BY_TYPE_(x, tp_log10_f32, tp_log10_f64)(x)
#define TP_SINH(x)          TP_BY_TYPE_(x, tp_sinh_f32, tp_sinh_f64)(x)
#define TP_COSH(x)          TP_BY_TYPE_(x, tp_cosh_f32, tp_cosh_f64)(x)
#define TP_ASINH(x)         TP_BY_TYPE_(x, tp_asinh_f32, tp_asinh_f64)(x)
#define TP_ACOSH(x)         TP_BY_TYPE_(x, tp_acosh_f32, tp_acosh_f64)(x)
#define TP_ATANH(x)         TP_BY_TYPE_(x, tp_atanh_f32, tp_atanh_f64)(x)
#define TP_POW(a, b)        TP_BY_TYPE_((a) + (b), powf, pow)(a, b) /* libm's */
#define TP_TANH_SOFTPLUS(x) TP_BY_TYPE_(x, tp_tanh_softplus_f32, tp_tanh_softplus_f64)(x)

#endif
