/* tapir/scalar_special.h -- error functions and the normal distribution as plain C.
 *
 * In the manner of tapir/scalar.h, whose remarks on flags and bits hold here too.
 *
 *     function                                          value                           error at most
 *     tp_erf_f32               tp_erf_f64               erf x                           2.5 ulp
 *     tp_erfc_f32              tp_erfc_f64              1 - erf x                       6
 *     tp_exp_minus_square_f32  tp_exp_minus_square_f64  e^(-x^2)                        1
 *     tp_normal_pdf_f32        tp_normal_pdf_f64        e^(-x^2 / 2) / sqrt(2 pi)       2.5
 *     tp_normal_cdf_f32        tp_normal_cdf_f64        its integral from -infinity     7
 *
 * also far out, down to the smallest denormals.
 */
#ifndef TAPIR_SCALAR_SPECIAL_H
#define TAPIR_SCALAR_SPECIAL_H

#include <tapir/scalar.h>

/* ---- e^(-x^2) ------------------------------------------------------------------------------------------
 *
 * Rounding x^2 to a float or a double would cost e^(-x^2) as many ulps as x^2 has units.  So the square is taken exactly,
 * as that of a, which is x cut to half its bits, plus the rest (x - a) (x + a); and the rest joins what the reduction of
 * the exponent already carries along. */

typedef struct tp__square_f64 {
    double high, low; /* their sum is x^2; high has few enough bits that no later step rounds it */
} tp__square_f64;

/* x^2 for 0 <= x, as if x were not above most. */
static inline tp__square_f64 tp__square_of_f64(double x, double most)
{
    x = x > most ? most : x;
    const double a = tp__from_bits_f64(tp__bits_f64(x) & ~(uint64_t)0x7ffffff);
    const tp__square_f64 square = {a * a, (x - a) * (x + a)};
    return square;
}

/* e^-(high + low) for 0 <= high <= 1600: beyond 746 it is 0. */
static inline double tp__exp_minus_f64(double high, double low)
{
    const double shift = 0x1.8p52 + 2046;
    const double limited = high > 746 ? 746 : high;
    const double shifted = shift - limited * 0x1.71547652b82fep0;
    const double k = shifted - shift;
    const double r_high = -limited - k * TP__LN2_HIGH_F64; /* exact */
    const double r_low = k * TP__LN2_LOW_F64 + low;
    const double tail = tp__exp_tail_f64(r_high - r_low) - r_low;

    const uint64_t k_plus_2046 = tp__bits_f64(shifted), half = k_plus_2046 >> 1;
    const double scale_a = tp__from_bits_f64(half << 52);
    const double scale_b = tp__from_bits_f64((k_plus_2046 - half) << 52);
    return (1 + (r_high + tail)) * scale_a * scale_b;
}

typedef struct tp__square_f32 {
    float high, low;
} tp__square_f32;

static inline tp__square_f32 tp__square_of_f32(float x, float most)
{
    x = x > most ? most : x;
    const float a = tp__from_bits_f32(tp__bits_f32(x) & ~(uint32_t)0xfff);
    const tp__square_f32 square = {a * a, (x - a) * (x + a)};
    return square;
}

/* e^-(high + low) for 0 <= high <= 230: beyond 104 it is 0. */
static inline float tp__exp_minus_f32(float high, float low)
{
    const float shift = 0x1.8p23f + 254;
    const float limited = high > 104 ? 104 : high;
    const float shifted = shift - (limited + low) * 0x1.715476p0f; /* low is not so small here */
    const float k = shifted - shift;
    const float r_high = -limited - k * TP__LN2_HIGH_F32;
    const float r_low = k * TP__LN2_LOW_F32 + low;
    const float tail = tp__exp_tail_f32(r_high - r_low) - r_low;

    const uint32_t k_plus_254 = tp__bits_f32(shifted), half = k_plus_254 >> 1;
    const float scale_a = tp__from_bits_f32(half << 23);
    const float scale_b = tp__from_bits_f32((k_plus_254 - half) << 23);
    return (1 + (r_high + tail)) * scale_a * scale_b;
}

/* Here and below a NaN is handed on: within, it meets itself with the other sign, and which one wins is the compiler's
 * choice. */
static inline double tp_exp_minus_square_f64(double x)
{
    const tp__square_f64 s = tp__square_of_f64(fabs(x), 28);
    const double y = tp__exp_minus_f64(s.high, s.low);
    return x != x ? x : y;
}

static inline float tp_exp_minus_square_f32(float x)
{
    const tp__square_f32 s = tp__square_of_f32(fabsf(x), 11);
    const float y = tp__exp_minus_f32(s.high, s.low);
    return x != x ? x : y;
}

static inline double tp_normal_pdf_f64(double x)
{
    const tp__square_f64 s = tp__square_of_f64(fabs(x), 40);
    const double y = 0x1.9884533d43651p-2 * tp__exp_minus_f64(0.5 * s.high, 0.5 * s.low);
    return x != x ? x : y;
}

static inline float tp_normal_pdf_f32(float x)
{
    const tp__square_f32 s = tp__square_of_f32(fabsf(x), 15);
    const float y = 0x1.988454p-2f * tp__exp_minus_f32(0.5f * s.high, 0.5f * s.low);
    return x != x ? x : y;
}

/* ---- e^(x^2) erfc(x) for x >= 0 ------------------------------------------------------------------------
 *
 * as h(t) / (x + k): t = (x - k) / (x + k) puts all x into [-1, 1), and h changes little there. */

/* k = 3.25, x <= 28; error 2^-54.7 */
static inline double tp__scaled_erfc_f64(double x)
{
    const double inverse = 1 / (x + 3.25), t = (x - 3.25) * inverse;
    const double t2 = t * t, t4 = t2 * t2, t8 = t4 * t4;
    const double h0 = 0x1.14c83272cd828p0 + t * -0x1.d3741415543f9p-1;
    const double h2 = 0x1.4a9d9e1f9387ap-1 + t * -0x1.802b3d168392p-2;
    const double h4 = 0x1.6044a3a2a68d8p-3 + t * -0x1.d0488c87d59bp-5;
    const double h6 = 0x1.3841beb821ba4p-7 + t * 0x1.d9c7833f769a6p-10;
    const double h8 = -0x1.860c0393f132ap-10 + t * 0x1.4e33e47617acbp-13;
    const double h10 = 0x1.355a27662af49p-13 + t * -0x1.69deada904e4dp-15;
    const double h12 = -0x1.00db0d16f5f1p-16 + t * 0x1.f26a768ddd4b7p-18;
    const double h14 = 0x1.0e47c744d0ee6p-19 + t * -0x1.42929acef4927p-20;
    const double h16 = -0x1.7fcf433bec859p-22 + t * 0x1.91ac249afec33p-23;
    const double h18 = 0x1.480da6c8bdf65p-24 + t * -0x1.a07ec0760b9ddp-26;
    const double h20 = -0x1.0d002221087aap-26 + t * 0x1.37fd57cfca769p-30;
    const double h22 = 0x1.1bde5dad5acbcp-29 + t * 0x1.72d623797d29fp-32;
    const double low = (h0 + t2 * h2) + t4 * (h4 + t2 * h6);
    const double middle = (h8 + t2 * h10) + t4 * (h12 + t2 * h14);
    const double high = (h16 + t2 * h18) + t4 * (h20 + t2 * h22);
    return (low + t8 * (middle + t8 * high)) * inverse;
}

/* k = 2, x <= 10.1; error 2^-24.0 */
static inline float tp__scaled_erfc_f32(float x)
{
    const float inverse = 1 / (x + 2), t = (x - 2) * inverse;
    const float t2 = t * t, t4 = t2 * t2;
    const float h0 = 0x1.058672p0f + t * -0x1.5fd386p-1f;
    const float h2 = 0x1.1e2ddap-2f + t * -0x1.2a87f6p-5f;
    const float h4 = -0x1.60598ap-6f + t * 0x1.a8673ap-8f;
    const float h6 = 0x1.916c08p-9f + t * -0x1.b43da8p-11f;
    const float h8 = -0x1.36ac7ep-11f + t * 0x1.89c276p-15f;
    const float high = (h4 + t2 * h6) + t4 * (h8 + t2 * 0x1.236cd6p-14f);
    return ((h0 + t2 * h2) + t4 * high) * inverse;
}

/* ---- erf, erfc ----------------------------------------------------------------------------------------- */

/* erf(x) for |x| <= 3/4 is x + x P(x^2), with P so small that its roundings hardly count; error 2^-56.3 */
static inline double tp__erf_near_f64(double x)
{
    const double z = x * x, z2 = z * z, z4 = z2 * z2;
    const double p01 = 0x1.06eba8214db69p-3 + z * -0x1.812746b037a33p-2;
    const double p23 = 0x1.ce2f21a046eaep-4 + z * -0x1.b82ce313f32a7p-6;
    const double p45 = 0x1.565bcd4c7b57p-8 + z * -0x1.c02dc0112a366p-11;
    const double p67 = 0x1.f9a48c2e0df9ap-14 + z * -0x1.f4eab1769c49ap-17;
    const double p89 = 0x1.bac794378d9a3p-20 + z * -0x1.61bbc748c6566p-23;
    const double P = (p01 + z2 * p23) + z4 * ((p45 + z2 * p67) + z4 * (p89 + z2 * 0x1.caabf73fce25dp-27));
    return x + x * P;
}

/* error 2^-29.2 */
static inline float tp__erf_near_f32(float x)
{
    const float z = x * x, z2 = z * z;
    const float p01 = 0x1.06eba8p-3f + z * -0x1.81273ap-2f;
    const float p23 = 0x1.ce2acep-4f + z * -0x1.b7a75cp-6f;
    return x + x * (p01 + z2 * (p23 + z2 * (0x1.4f1888p-8f + z * -0x1.613e18p-11f)));
}

static inline double tp_erf_f64(double x)
{
    const double a = fabs(x) > 28 ? 28 : fabs(x);
    const tp__square_f64 s = tp__square_of_f64(a, 28);
    const double far = 1 - tp__scaled_erfc_f64(a) * tp__exp_minus_f64(s.high, s.low);
    const double y = a < 0.75 ? tp__erf_near_f64(x) : x < 0 ? -far : far;
    return x != x ? x : y;
}

static inline float tp_erf_f32(float x)
{
    const float a = fabsf(x) > 10.1f ? 10.1f : fabsf(x);
    const tp__square_f32 s = tp__square_of_f32(a, 11);
    const float far = 1 - tp__scaled_erfc_f32(a) * tp__exp_minus_f32(s.high, s.low);
    const float y = a < 0.75f ? tp__erf_near_f32(x) : x < 0 ? -far : far;
    return x != x ? x : y;
}

static inline double tp_erfc_f64(double x)
{
    const double a = fabs(x) > 28 ? 28 : fabs(x);
    const tp__square_f64 s = tp__square_of_f64(a, 28);
    const double far = tp__scaled_erfc_f64(a) * tp__exp_minus_f64(s.high, s.low);
    const double y = a < 0.75 ? 1 - tp__erf_near_f64(x) : x < 0 ? 2 - far : far;
    return x != x ? x : y;
}

static inline float tp_erfc_f32(float x)
{
    const float a = fabsf(x) > 10.1f ? 10.1f : fabsf(x);
    const tp__square_f32 s = tp__square_of_f32(a, 11);
    const float far = tp__scaled_erfc_f32(a) * tp__exp_minus_f32(s.high, s.low);
    const float y = a < 0.75f ? 1 - tp__erf_near_f32(x) : x < 0 ? 2 - far : far;
    return x != x ? x : y;
}

/* ---- The normal distribution ---------------------------------------------------------------------------
 *
 * (1 + erf(x / sqrt 2)) / 2, and far out erfc(-x / sqrt 2) / 2.  The rounding of x / sqrt 2 hardly moves the slow factor of
 * erfc; the fast one knows x^2 / 2 exactly. */

static inline double tp_normal_cdf_f64(double x)
{
    const double a = fabs(x) > 39 ? 39 : fabs(x);
    const tp__square_f64 s = tp__square_of_f64(a, 39);
    const double slow = 0.5 * tp__scaled_erfc_f64(a * 0x1.6a09e667f3bcdp-1);
    const double far = slow * tp__exp_minus_f64(0.5 * s.high, 0.5 * s.low);
    const double near = 0.5 + 0.5 * tp__erf_near_f64(x * 0x1.6a09e667f3bcdp-1);
    const double y = a < 1 ? near : x < 0 ? far : 1 - far;
    return x != x ? x : y;
}

static inline float tp_normal_cdf_f32(float x)
{
    const float a = fabsf(x) > 14.2f ? 14.2f : fabsf(x);
    const tp__square_f32 s = tp__square_of_f32(a, 15);
    const float slow = 0.5f * tp__scaled_erfc_f32(a * 0x1.6a09e6p-1f);
    const float far = slow * tp__exp_minus_f32(0.5f * s.high, 0.5f * s.low);
    const float near = 0.5f + 0.5f * tp__erf_near_f32(x * 0x1.6a09e6p-1f);
    const float y = a < 1 ? near : x < 0 ? far : 1 - far;
    return x != x ? x : y;
}

/* ---- The same by the type of the argument ----------------------------------------------------------- */

#define TP_ERF(x)              TP_BY_TYPE_(x, tp_erf_f32, tp_erf_f64)(x)
#define TP_ERFC(x)             TP_BY_TYPE_(x, tp_erfc_f32, tp_erfc_f64)(x)
#define TP_EXP_MINUS_SQUARE(x) TP_BY_TYPE_(x, tp_exp_minus_square_f32, tp_exp_minus_square_f64)(x)
#define TP_NORMAL_PDF(x)       TP_BY_TYPE_(x, tp_normal_pdf_f32, tp_normal_pdf_f64)(x)
#define TP_NORMAL_CDF(x)       TP_BY_TYPE_(x, tp_normal_cdf_f32, tp_normal_cdf_f64)(x)

#endif
