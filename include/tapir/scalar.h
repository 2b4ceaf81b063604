/* tapir/scalar.h -- the scalar functions of Tapir's map kernels, as plain C.
 *
 * Each is a straight line of + - * / sqrt, selects and integer shifts: no call, no table, no branch, no fused
 * multiply-add.  So any compiler can turn a loop over it into vector code for any instruction set, and a value
 * gives the same bits in the body of such a loop, in its tail and in scalar code, on every machine with IEEE
 * arithmetic.  docs/math.md tells why it is done this way and lists measured errors and speeds.
 *
 *     function                            value           error at most
 *     tp_exp_f32        tp_exp_f64        e^x                  1 ulp
 *     tp_expm1_f32      tp_expm1_f64      e^x - 1              1.5
 *     tp_log_f32        tp_log_f64        log x                1
 *     tp_log1p_f32      tp_log1p_f64      log(1 + x)           1.5
 *     tp_tanh_f32       tp_tanh_f64       tanh x               2
 *     tp_sigmoid_f32    tp_sigmoid_f64    1 / (1 + e^-x)       3
 *     tp_softplus_f32   tp_softplus_f64   log(1 + e^x)         2
 *
 * and max, min, sign.  Special values are those of C's Annex F: a NaN stays a NaN, zeros keep their sign,
 * infinities go where the mathematics sends them, results overflow to inf and underflow gradually.  Neither errno
 * nor the floating-point exceptions mean anything here.
 *
 * Compile with -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math: without the second, GNU C forms fused
 * multiply-adds where the machine has them, and bits differ; without the others, gcc does not vectorise.  In C
 * the macros TP_EXP(x) ... TP_MIN(a, b) at the end choose the function by the type of the argument.
 */
#ifndef TAPIR_SCALAR_H
#define TAPIR_SCALAR_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined __FAST_MATH__ || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error                                                                                                       \
    "tapir/scalar.h needs IEEE arithmetic: no -ffast-math, and no excess precision (-mfpmath=sse on old x86)"
#endif

/* How the coefficients were made: each polynomial is a weighted minimax fit (Remez exchange, 60 digits), rounded
 * from the lowest coefficient up, the rest fitted again after each rounding.  "error 2^-n" is what the rounded
 * polynomial adds to the relative error of the function named.  They are evaluated in pairs, not by Horner's
 * rule: a long loop body waits for its chain of operations more than it suffers from their number.
 *
 * ln 2 = HIGH + LOW, with so few bits in HIGH that k * HIGH is exact for every exponent k. */
#define TP__LN2_HIGH_F32 0x1.62e4p-1f
#define TP__LN2_LOW_F32  0x1.7f7d1cp-20f
#define TP__LN2_HIGH_F64 0x1.62e42fefap-1
#define TP__LN2_LOW_F64  0x1.cf79abc9e3b3ap-40

/* ---- A number and its bits --------------------------------------------------------------------------- */

static inline uint32_t tp__bits_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float tp__from_bits_f32(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t tp__bits_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double tp__from_bits_f64(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |x| with the sign of `sign`; a NaN too. */
static inline double tp__copy_sign_f64(double x, double sign)
{
    const uint64_t bit = 0x8000000000000000u;
    return tp__from_bits_f64((tp__bits_f64(x) & ~bit) | (tp__bits_f64(sign) & bit));
}

/* ---- Exponentials, f32 -------------------------------------------------------------------------------
 *
 * x = k ln2 + r with |r| <= ln2 / 2, so e^x = 2^k e^r.  Adding 1.5 * 2^23 to x / ln2 leaves no room for a
 * fraction: the sum's low bits are the integer k, here plus 254, twice the bias of a float's exponent. */
typedef struct tp__exp_parts_f32 {
    float r, tail;       /* e^r = 1 + (r + tail); tail also holds what r lost in rounding */
    uint32_t k_plus_254; /* in the low bits; what stands above is shifted out by those who use it */
} tp__exp_parts_f32;

/* What e^r - 1 is beside r. */
static inline float tp__exp_tail_f32(float r)
{
    /* q(r) = (e^r - 1 - r) / r^2; error 2^-26.1 in e^r - 1, 2^-27.6 in e^r */
    const float r2 = r * r;
    const float q01 = 0.5f + r * 0x1.5554b6p-3f;
    const float q23 = 0x1.5555b2p-5f + r * 0x1.122428p-7f;
    const float q = q01 + r2 * (q23 + r2 * 0x1.6c5e8p-10f);
    return r2 * q;
}

static inline tp__exp_parts_f32 tp__exp_parts_of_f32(float x)
{
    const float shift = 0x1.8p23f + 254;
    const float shifted = x * 0x1.715476p0f + shift; /* x / ln2 */
    const float k = shifted - shift;
    const float high = x - k * TP__LN2_HIGH_F32; /* exact */
    const float low = k * TP__LN2_LOW_F32;
    const tp__exp_parts_f32 parts = {high, tp__exp_tail_f32(high - low) - low, tp__bits_f32(shifted)};
    return parts;
}

/* e^x for -104 <= x <= 89.  2^k is applied as two normal powers of two: so a denormal result is rounded as
 * such only once, and overflow comes by itself. */
static inline float tp__exp_in_range_f32(float x)
{
    const tp__exp_parts_f32 e = tp__exp_parts_of_f32(x);
    const uint32_t half = e.k_plus_254 >> 1;
    const float scale_a = tp__from_bits_f32(half << 23);
    const float scale_b = tp__from_bits_f32((e.k_plus_254 - half) << 23);
    return (1 + (e.r + e.tail)) * scale_a * scale_b;
}

/* e^x - 1 for -20 <= x <= 89, as twice (2^(k-1) - 1/2) + 2^(k-1) (r + tail), for 2^128 is no float.  The first
 * sum's rounding error is known exactly, as the first operand is the larger one or zero. */
static inline float tp__expm1_in_range_f32(float x)
{
    const tp__exp_parts_f32 e = tp__exp_parts_of_f32(x);
    const float scale = tp__from_bits_f32((e.k_plus_254 - 128) << 23);
    const float base = scale - 0.5f, step = scale * e.r;
    const float sum = base + step;
    const float lost = (base - sum) + step;
    return 2 * (sum + (lost + scale * e.tail));
}

/* e^-|x|, which cannot overflow: the safe way into sigmoid and softplus. */
static inline float tp__exp_minus_abs_f32(float x)
{
    const float a = -fabsf(x);
    return tp__exp_in_range_f32(a < -104 ? -104 : a);
}

/* Clamps keep a NaN, as every comparison with it is false. */
static inline float tp_exp_f32(float x)
{
    x = x < -104 ? -104 : x;
    x = x > 89 ? 89 : x;
    return tp__exp_in_range_f32(x);
}

static inline float tp_expm1_f32(float x)
{
    float a = x < -20 ? -20 : x;
    a = a > 89 ? 89 : a;
    const float y = tp__expm1_in_range_f32(a);
    return fabsf(x) < 0x1p-30f ? x : y; /* -0, and denormals, which the scaling would round */
}

/* tanh|x| = q = e / (e + 2) with e = e^2|x| - 1.  Small ones are taken as e/2 - (e/2) q, where the roundings
 * of e + 2 and of the division hardly count. */
static inline float tp_tanh_f32(float x)
{
    float a = fabsf(x);
    a = a > 10 ? 10 : a;
    const float e = tp__expm1_in_range_f32(2 * a);
    const float q = e / (e + 2), h = 0.5f * e;
    const float y = q < 0.25f ? h - h * q : q;
    return tp__from_bits_f32(tp__bits_f32(y) | (tp__bits_f32(x) & 0x80000000u));
}

/* From x and z = e^-|x|. */
static inline float tp__sigmoid_of_f32(float x, float z)
{
    return (x < 0 ? z : 1) / (1 + z);
}

static inline float tp_sigmoid_f32(float x)
{
    return tp__sigmoid_of_f32(x, tp__exp_minus_abs_f32(x));
}

/* ---- Logarithms, f32 ---------------------------------------------------------------------------------
 *
 * With s = f / (2 + f), log(1 + f) = log((1 + s) / (1 - s)) = 2s + s R(s^2); and as 2s = f - s f, this is
 * f - (h - s (h + R)) with h = f^2 / 2: f, which is exact, and a small correction. */

/* log(2^k (1 + f)) + more, for sqrt(1/2) <= 1 + f <= sqrt(2) and a small `more`. */
static inline float tp__log_sum_f32(float k, float f, float more)
{
    const float s = f / (2 + f), z = s * s;

    /* R(z) = log((1 + s) / (1 - s)) / s - 2; error 2^-30.2 in log(1 + f) */
    const float R = z * 0x1.55557ap-1f + z * z * (0x1.995ec2p-2f + z * 0x1.31e3fep-2f);

    const float h = 0.5f * f * f;
    const float tail = (s * (h + R) - h) + (k * TP__LN2_LOW_F32 + more);
    return k * TP__LN2_HIGH_F32 + (f + tail);
}

/* x = 2^k (1 + f).  Adding the difference between the bits of 1 and of sqrt(1/2) makes the exponent field
 * count from sqrt(1/2) instead of from 1. */
typedef struct tp__log_parts_f32 {
    float k, f;
} tp__log_parts_f32;

static inline tp__log_parts_f32 tp__log_parts_of_f32(float x)
{
    const uint32_t one = 0x3f800000u, sqrt_half = 0x3f3504f3u, mantissa = 0x007fffffu;
    const uint32_t bits = tp__bits_f32(x) + (one - sqrt_half);
    const float k = (float)(int32_t)(bits >> 23) - 127;
    const float f = tp__from_bits_f32((bits & mantissa) + sqrt_half) - 1;
    const tp__log_parts_f32 parts = {k, f};
    return parts;
}

static inline float tp_log_f32(float x)
{
    const float shift = x < FLT_MIN ? 23 : 0; /* of a denormal */
    const float normal = x < FLT_MIN ? x * 0x1p23f : x;
    const tp__log_parts_f32 p = tp__log_parts_of_f32(normal);
    float y = tp__log_sum_f32(p.k - shift, p.f, 0);
    y = x < INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -INFINITY : NAN;
}

/* log(1 + x) = log(w) + lost / w, where w = 1 + x is rounded and `lost` is what the rounding lost.  Since that
 * is at most half an ulp of w, five percent off is near enough for 1 / w: negating w's exponent and mantissa
 * as one integer gives that.  Where k = 0, f = x and nothing is lost. */
static inline float tp_log1p_f32(float x)
{
    const float w = 1 + x;
    const float lost = x < 1 ? x - (w - 1) : 1 - (w - x);
    const float inverse = tp__from_bits_f32(0x7ef31000u - tp__bits_f32(w < 0x1p30f ? w : 0x1p30f));
    const tp__log_parts_f32 p = tp__log_parts_of_f32(w);
    const int near = p.k == 0;
    float y = tp__log_sum_f32(p.k, near ? x : p.f, near ? 0 : lost * inverse);
    y = x + x == x ? x : y; /* -0, 0, inf */
    return x > -1 ? y : x == -1 ? -INFINITY : NAN;
}

/* max(x, 0) + log(1 + z), z = e^-|x|.  1 + z is 1 + f with f = z or, above sqrt(2), 2 (1 + f) with
 * f = (z - 1) / 2. */
static inline float tp__softplus_of_f32(float x, float z)
{
    const int halve = z > 0x1.a8279ap-2f;
    const float y = tp__log_sum_f32(halve ? 1 : 0, halve ? 0.5f * (z - 1) : z, 0);
    return (x > 0 ? x : 0) + y;
}

static inline float tp_softplus_f32(float x)
{
    return tp__softplus_of_f32(x, tp__exp_minus_abs_f32(x));
}

/* ---- The same in f64 ---------------------------------------------------------------------------------
 *
 * Step by step as above, with longer polynomials; remarks only where something differs.  1.5 * 2^52 takes
 * the place of 1.5 * 2^23, and 2046 that of 254. */
typedef struct tp__exp_parts_f64 {
    double r, tail;
    uint64_t k_plus_2046;
} tp__exp_parts_f64;

static inline double tp__exp_tail_f64(double r)
{
    /* q(r) = (e^r - 1 - r) / r^2; error 2^-55.2 in e^r - 1, 2^-56.7 in e^r */
    const double r2 = r * r, r4 = r2 * r2;
    const double q01 = 0.5 + r * 0x1.555555555553ep-3;
    const double q23 = 0x1.5555555553ae5p-5 + r * 0x1.1111111118d43p-7;
    const double q45 = 0x1.6c16c17a0f3f4p-10 + r * 0x1.a01a01719bbafp-13;
    const double q67 = 0x1.a019b35e1ef8fp-16 + r * 0x1.71de97770c3eap-19;
    const double q89 = 0x1.2897ae59b1a84p-22 + r * 0x1.ae4962a5c0354p-26;
    const double q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    return r2 * q;
}

static inline tp__exp_parts_f64 tp__exp_parts_of_f64(double x)
{
    const double shift = 0x1.8p52 + 2046;
    const double shifted = x * 0x1.71547652b82fep0 + shift;
    const double k = shifted - shift;
    const double high = x - k * TP__LN2_HIGH_F64;
    const double low = k * TP__LN2_LOW_F64;
    const tp__exp_parts_f64 parts = {high, tp__exp_tail_f64(high - low) - low, tp__bits_f64(shifted)};
    return parts;
}

/* e^x for -746 <= x <= 710. */
static inline double tp__exp_in_range_f64(double x)
{
    const tp__exp_parts_f64 e = tp__exp_parts_of_f64(x);
    const uint64_t half = e.k_plus_2046 >> 1;
    const double scale_a = tp__from_bits_f64(half << 52);
    const double scale_b = tp__from_bits_f64((e.k_plus_2046 - half) << 52);
    return (1 + (e.r + e.tail)) * scale_a * scale_b;
}

/* e^x - 1 for -40 <= x <= 710. */
static inline double tp__expm1_in_range_f64(double x)
{
    const tp__exp_parts_f64 e = tp__exp_parts_of_f64(x);
    const double scale = tp__from_bits_f64((e.k_plus_2046 - 1024) << 52);
    const double base = scale - 0.5, step = scale * e.r;
    const double sum = base + step;
    const double lost = (base - sum) + step;
    return 2 * (sum + (lost + scale * e.tail));
}

static inline double tp__exp_minus_abs_f64(double x)
{
    const double a = -fabs(x);
    return tp__exp_in_range_f64(a < -746 ? -746 : a);
}

static inline double tp_exp_f64(double x)
{
    x = x < -746 ? -746 : x;
    x = x > 710 ? 710 : x;
    return tp__exp_in_range_f64(x);
}

static inline double tp_expm1_f64(double x)
{
    double a = x < -40 ? -40 : x;
    a = a > 710 ? 710 : a;
    const double y = tp__expm1_in_range_f64(a);
    return fabs(x) < 0x1p-60 ? x : y;
}

static inline double tp_tanh_f64(double x)
{
    double a = fabs(x);
    a = a > 22 ? 22 : a;
    const double e = tp__expm1_in_range_f64(2 * a);
    const double q = e / (e + 2), h = 0.5 * e;
    const double y = q < 0.25 ? h - h * q : q;
    return tp__from_bits_f64(tp__bits_f64(y) | (tp__bits_f64(x) & 0x8000000000000000u));
}

/* From x and z = e^-|x|. */
static inline double tp__sigmoid_of_f64(double x, double z)
{
    return (x < 0 ? z : 1) / (1 + z);
}

static inline double tp_sigmoid_f64(double x)
{
    return tp__sigmoid_of_f64(x, tp__exp_minus_abs_f64(x));
}

/* What log(1 + f) is beside f. */
static inline double tp__log_tail_f64(double f)
{
    const double s = f / (2 + f), z = s * s, z2 = z * z;

    /* R(z) = log((1 + s) / (1 - s)) / s - 2; error 2^-59.5 in log(1 + f) */
    const double even = 0x1.999999997f995p-2 + z2 * (0x1.c71c51ce72bb6p-3 + z2 * 0x1.39a0535f6bdb3p-3);
    const double odd = 0x1.5555555555593p-1 +
                       z2 * (0x1.2492494233380p-2 + z2 * (0x1.74664bf41938bp-3 + z2 * 0x1.2f145e6db6beep-3));
    const double R = z * odd + z2 * even;

    const double h = 0.5 * f * f;
    return s * (h + R) - h;
}

static inline double tp__log_sum_f64(double k, double f, double more)
{
    const double tail = tp__log_tail_f64(f) + (k * TP__LN2_LOW_F64 + more);
    return k * TP__LN2_HIGH_F64 + (f + tail);
}

/* k, an integer below 2^52, becomes a double by standing in the mantissa of 2^52: few machines convert a
 * vector of uint64_t. */
typedef struct tp__log_parts_f64 {
    double k, f;
} tp__log_parts_f64;

static inline tp__log_parts_f64 tp__log_parts_of_f64(double x)
{
    const uint64_t one = 0x3ff0000000000000u, sqrt_half = 0x3fe6a09e667f3bcdu, mantissa = 0x000fffffffffffffu;
    const uint64_t bits = tp__bits_f64(x) + (one - sqrt_half);
    const uint64_t two52 = 0x4330000000000000u;
    const double k = tp__from_bits_f64((bits >> 52) | two52) - (0x1p52 + 1023);
    const double f = tp__from_bits_f64((bits & mantissa) + sqrt_half) - 1;
    const tp__log_parts_f64 parts = {k, f};
    return parts;
}

static inline double tp_log_f64(double x)
{
    const double shift = x < DBL_MIN ? 52 : 0;
    const double normal = x < DBL_MIN ? x * 0x1p52 : x;
    const tp__log_parts_f64 p = tp__log_parts_of_f64(normal);
    double y = tp__log_sum_f64(p.k - shift, p.f, 0);
    y = x < (double)INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -(double)INFINITY : (double)NAN;
}

static inline double tp_log1p_f64(double x)
{
    const double w = 1 + x;
    const double lost = x < 1 ? x - (w - 1) : 1 - (w - x);
    const double inverse = tp__from_bits_f64(0x7fde620000000000u - tp__bits_f64(w < 0x1p60 ? w : 0x1p60));
    const tp__log_parts_f64 p = tp__log_parts_of_f64(w);
    const int near = p.k == 0;
    double y = tp__log_sum_f64(p.k, near ? x : p.f, near ? 0 : lost * inverse);
    y = x + x == x ? x : y;
    return x > -1 ? y : x == -1 ? -(double)INFINITY : (double)NAN;
}

static inline double tp__softplus_of_f64(double x, double z)
{
    const int halve = z > 0x1.a827999fcef32p-2;
    const double y = tp__log_sum_f64(halve ? 1 : 0, halve ? 0.5 * (z - 1) : z, 0);
    return (x > 0 ? x : 0) + y;
}

static inline double tp_softplus_f64(double x)
{
    return tp__softplus_of_f64(x, tp__exp_minus_abs_f64(x));
}

/* ---- Maximum, minimum, sign ---------------------------------------------------------------------------- */

/* The larger of a and b; a NaN if either is one.  At a tie it is b, so max(+0, -0) is -0 and max(-0, +0) is +0:
 * an order between the zeros would cost half as much again. */
static inline float tp_max_f32(float a, float b)
{
    const float larger = a > b ? a : b;
    return a != a ? a : larger;
}

static inline double tp_max_f64(double a, double b)
{
    const double larger = a > b ? a : b;
    return a != a ? a : larger;
}

static inline float tp_min_f32(float a, float b)
{
    const float smaller = a < b ? a : b;
    return a != a ? a : smaller;
}

static inline double tp_min_f64(double a, double b)
{
    const double smaller = a < b ? a : b;
    return a != a ? a : smaller;
}

/* -1, +0 or 1; a NaN stays one.  x + 0 makes -0 to +0. */
static inline float tp_sign_f32(float x)
{
    return x > 0 ? 1.0f : x < 0 ? -1.0f : x + 0.0f;
}

static inline double tp_sign_f64(double x)
{
    return x > 0 ? 1.0 : x < 0 ? -1.0 : x + 0.0;
}

/* ---- The same by the type of the argument ----------------------------------------------------
 *
 * TP_MAX and TP_MIN go by the type of a + b, so a plain 0 takes the type of the other operand. */
#ifndef __cplusplus
#define TP_BY_TYPE_(X, F32, F64) _Generic((X), float : F32, double : F64)
#else
namespace tp_detail
{
constexpr auto by_type(float, float (*f)(float), double (*)(double))
{
    return f;
}
constexpr auto by_type(double, float (*)(float), double (*f)(double))
{
    return f;
}
constexpr auto by_type(float, float (*f)(float, float), double (*)(double, double))
{
    return f;
}
constexpr auto by_type(double, float (*)(float, float), double (*f)(double, double))
{
    return f;
}
constexpr auto by_type(float, float (*f)(int, float), double (*)(int, double))
{
    return f;
}
constexpr auto by_type(double, float (*)(int, float), double (*f)(int, double))
{
    return f;
}
} // namespace tp_detail
#define TP_BY_TYPE_(X, F32, F64) (::tp_detail::by_type(decltype(+(X))(), F32, F64))
#endif
#define TP_EXP(x)             TP_BY_TYPE_(x, tp_exp_f32, tp_exp_f64)(x)
#define TP_EXPM1(x)           TP_BY_TYPE_(x, tp_expm1_f32, tp_expm1_f64)(x)
#define TP_LOG(x)             TP_BY_TYPE_(x, tp_log_f32, tp_log_f64)(x)
#define TP_LOG1P(x)           TP_BY_TYPE_(x, tp_log1p_f32, tp_log1p_f64)(x)
#define TP_TANH(x)            TP_BY_TYPE_(x, tp_tanh_f32, tp_tanh_f64)(x)
#define TP_SIGMOID(x)         TP_BY_TYPE_(x, tp_sigmoid_f32, tp_sigmoid_f64)(x)
#define TP_SOFTPLUS(x)        TP_BY_TYPE_(x, tp_softplus_f32, tp_softplus_f64)(x)
#define TP__EXP_MINUS_ABS(x)  TP_BY_TYPE_(x, tp__exp_minus_abs_f32, tp__exp_minus_abs_f64)(x)
#define TP__SIGMOID_OF(x, z)  TP_BY_TYPE_(x, tp__sigmoid_of_f32, tp__sigmoid_of_f64)(x, z)
#define TP__SOFTPLUS_OF(x, z) TP_BY_TYPE_(x, tp__softplus_of_f32, tp__softplus_of_f64)(x, z)
#define TP_SQRT(x)            TP_BY_TYPE_(x, sqrtf, sqrt)(x)
#define TP_ABS(x)             TP_BY_TYPE_(x, fabsf, fabs)(x) /* clears the sign, also of -0 and NaN */
#define TP_FLOOR(x)           TP_BY_TYPE_(x, floorf, floor)(x)
#define TP_CEIL(x)            TP_BY_TYPE_(x, ceilf, ceil)(x)
#define TP_ROUND(x)           TP_BY_TYPE_(x, rintf, rint)(x) /* halves to the even one */
#define TP_TRUNC(x)           TP_BY_TYPE_(x, truncf, trunc)(x)
#define TP_FMOD(a, b)         TP_BY_TYPE_((a) + (b), fmodf, fmod)(a, b) /* exact as these are */
#define TP_SIGN(x)            TP_BY_TYPE_(x, tp_sign_f32, tp_sign_f64)(x)
#define TP_MAX(a, b)          TP_BY_TYPE_((a) + (b), tp_max_f32, tp_max_f64)(a, b)
#define TP_MIN(a, b)          TP_BY_TYPE_((a) + (b), tp_min_f32, tp_min_f64)(a, b)

#endif
