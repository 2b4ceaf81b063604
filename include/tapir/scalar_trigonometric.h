/* tapir/scalar_trigonometric.h -- sine, cosine, tangent, their inverses, atan2 and hypot as plain C.
 *
 * In the manner of tapir/scalar.h, whose remarks on flags and bits hold here too.
 *
 *     function                            value                 error at most
 *     tp_sin_f32        tp_sin_f64        sin x                 1 ulp
 *     tp_cos_f32        tp_cos_f64        cos x                 1
 *     tp_tan_f32        tp_tan_f64        tan x                 2.5
 *     tp_asin_f32       tp_asin_f64       arc sine              2
 *     tp_acos_f32       tp_acos_f64       arc cosine            1.5
 *     tp_atan_f32       tp_atan_f64       arc tangent           2
 *     tp_atan2_f32      tp_atan2_f64      angle of (b, a)       2.5
 *     tp_hypot_f32      tp_hypot_f64      sqrt(a^2 + b^2)       1.5
 *
 * In float they are computed in double and rounded once, so there these errors are below 0.6 ulp.
 *
 * sin, cos and tan are straight lines for |x| <= TP_TRIGONOMETRIC_RANGE, the functions tp__..._near.  Beyond, where few
 * have use for them, they ask libm: a loop that shall become vector code calls the near ones, after a look at all its x.
 */
#ifndef TAPIR_SCALAR_TRIGONOMETRIC_H
#define TAPIR_SCALAR_TRIGONOMETRIC_H

#include <tapir/scalar.h>

/* pi, pi / 2 and pi / 4, each as the sum of a double and what it lacks. */
#define TP__PI_HIGH      0x1.921fb54442d18p1
#define TP__PI_LOW       0x1.1a62633145c07p-53
#define TP__PI_HALF_HIGH 0x1.921fb54442d18p0
#define TP__PI_HALF_LOW  0x1.1a62633145c07p-54
#define TP__PI_4TH_HIGH  0x1.921fb54442d18p-1
#define TP__PI_4TH_LOW   0x1.1a62633145c07p-55

/* ---- Sine, cosine, tangent ---------------------------------------------------------------------------
 *
 * x = k pi/2 + r with |r| <= pi/4, and the quadrant is k mod 4: it stands in the low bits of x / (pi/2) + 1.5 * 2^52.
 * pi/2 is taken in parts of 30 bits, so that k times a part is exact for k < 2^23. */
#define TP_TRIGONOMETRIC_RANGE 0x1p23

#define TP__PI_HALF_1   0x1.921fb54p0
#define TP__PI_HALF_2   0x1.10b46118p-30
#define TP__PI_HALF_3   0x1.313198ap-61
#define TP__PI_HALF_4   0x1.701b839a25205p-92
#define TP__PI_HALF_234 0x1.10b4611a62633p-30 /* the last three, as far as a double goes */
#define TP__2_BY_PI     0x1.45f306dc9c883p-1

typedef struct tp__angle {
    double r, tail; /* their sum is the angle within the quadrant */
    uint64_t quadrant;
} tp__angle;

/* Each part is taken off with what the subtraction loses: near a multiple of pi/2 little else is left. */
static inline tp__angle tp__angle_of(double x)
{
    const double shifted = x * TP__2_BY_PI + 0x1.8p52;
    const double k = shifted - 0x1.8p52;
    const double a = x - k * TP__PI_HALF_1; /* exact */
    const double b = k * TP__PI_HALF_2, c = k * TP__PI_HALF_3;
    const double a_b = a - b, lost_b = (a - a_b) - b;
    const double a_b_c = a_b - c, lost_c = (a_b - a_b_c) - c;
    const double low = (lost_b + lost_c) - k * TP__PI_HALF_4;
    const double r = a_b_c + low;
    const tp__angle angle = {r, (a_b_c - r) + low, tp__bits_f64(shifted)};
    return angle;
}

/* sin(r + tail) = r + r^3 S(r^2) + tail (1 - r^2 / 2); error 2^-57.9 */
static inline double tp__sin_kernel(double r, double tail)
{
    const double z = r * r, z2 = z * z;
    const double s01 = -0x1.5555555555548p-3 + z * 0x1.111111110f73p-7;
    const double s23 = -0x1.a01a019be9211p-13 + z * 0x1.71de35552a89bp-19;
    const double s45 = -0x1.ae5e4b82e4c29p-26 + z * 0x1.5d8b552f40528p-33;
    const double S = s01 + z2 * (s23 + z2 * s45);
    return r + (r * z * S + (tail - 0.5 * z * tail));
}

/* cos(r + tail) = 1 - r^2 / 2 + r^4 C(r^2) - r tail; error 2^-63.9.  What 1 - r^2 / 2 loses is known. */
static inline double tp__cos_kernel(double r, double tail)
{
    const double z = r * r, z2 = z * z;
    const double c01 = 0x1.555555555554bp-5 + z * -0x1.6c16c16c15014p-10;
    const double c23 = 0x1.a01a019c8efadp-16 + z * -0x1.27e4f7f169139p-22;
    const double c45 = 0x1.1ee9dbae7304bp-29 + z * -0x1.8fa6716ede9cdp-37;
    const double C = c01 + z2 * (c23 + z2 * c45);
    const double h = 0.5 * z, w = 1 - h;
    return w + (((1 - w) - h) + (z2 * C - r * tail));
}

/* x with the sign changed where bit 1 of the quadrant is set. */
static inline double tp__sign_by_quadrant(double x, uint64_t quadrant)
{
    return tp__from_bits_f64(tp__bits_f64(x) ^ ((quadrant & 2) << 62));
}

/* By bit 0 of the quadrant: a mask, for baseline x86 cannot compare vectors of 64-bit integers. */
static inline double tp__by_quadrant(uint64_t quadrant, double if_odd, double if_even)
{
    const uint64_t odd = 0 - (quadrant & 1);
    return tp__from_bits_f64((tp__bits_f64(if_odd) & odd) | (tp__bits_f64(if_even) & ~odd));
}

static inline double tp__sin_near_f64(double x)
{
    const tp__angle a = tp__angle_of(x);
    const double s = tp__sin_kernel(a.r, a.tail), c = tp__cos_kernel(a.r, a.tail);
    const double y = tp__sign_by_quadrant(tp__by_quadrant(a.quadrant, c, s), a.quadrant);
    return fabs(x) < 0x1p-27 ? x : y; /* -0 */
}

static inline double tp__cos_near_f64(double x)
{
    const tp__angle a = tp__angle_of(x);
    const double s = tp__sin_kernel(a.r, a.tail), c = tp__cos_kernel(a.r, a.tail);
    return tp__sign_by_quadrant(tp__by_quadrant(a.quadrant, s, c), a.quadrant + 1);
}

static inline double tp__tan_near_f64(double x)
{
    const tp__angle a = tp__angle_of(x);
    const double s = tp__sin_kernel(a.r, a.tail), c = tp__cos_kernel(a.r, a.tail);
    const double y = tp__by_quadrant(a.quadrant, -c, s) / tp__by_quadrant(a.quadrant, s, c);
    return fabs(x) < 0x1p-27 ? x : y;
}

/* In float: r needs no tail, and the polynomials are shorter. */
static inline tp__angle tp__angle_of_f32(float x)
{
    const double shifted = (double)x * TP__2_BY_PI + 0x1.8p52;
    const double k = shifted - 0x1.8p52;
    const double r = ((double)x - k * TP__PI_HALF_1) - k * TP__PI_HALF_234;
    const tp__angle angle = {r, 0, tp__bits_f64(shifted)};
    return angle;
}

/* error 2^-28.0 */
static inline double tp__sin_kernel_f32(double r)
{
    const double z = r * r;
    return r * (1 + z * (-0x1.555545255e964p-3 + z * (0x1.11073a8416a89p-7 + z * -0x1.9943b6ac82f67p-13)));
}

/* error 2^-33.0 */
static inline double tp__cos_kernel_f32(double r)
{
    const double z = r * r, z2 = z * z;
    const double C = 0x1.55554a107453cp-5 + z * (-0x1.6c0c3316d5685p-10 + z * 0x1.99eb71ccc8e6fp-16);
    return (1 - 0.5 * z) + z2 * C;
}

static inline float tp__sin_near_f32(float x)
{
    const tp__angle a = tp__angle_of_f32(x);
    const double s = tp__sin_kernel_f32(a.r), c = tp__cos_kernel_f32(a.r);
    return (float)tp__sign_by_quadrant(tp__by_quadrant(a.quadrant, c, s), a.quadrant);
}

static inline float tp__cos_near_f32(float x)
{
    const tp__angle a = tp__angle_of_f32(x);
    const double s = tp__sin_kernel_f32(a.r), c = tp__cos_kernel_f32(a.r);
    return (float)tp__sign_by_quadrant(tp__by_quadrant(a.quadrant, s, c), a.quadrant + 1);
}

static inline float tp__tan_near_f32(float x)
{
    return (float)tp__tan_near_f64((double)x);
}

static inline double tp_sin_f64(double x)
{
    return fabs(x) <= TP_TRIGONOMETRIC_RANGE ? tp__sin_near_f64(x) : sin(x);
}

static inline double tp_cos_f64(double x)
{
    return fabs(x) <= TP_TRIGONOMETRIC_RANGE ? tp__cos_near_f64(x) : cos(x);
}

static inline double tp_tan_f64(double x)
{
    return fabs(x) <= TP_TRIGONOMETRIC_RANGE ? tp__tan_near_f64(x) : tan(x);
}

static inline float tp_sin_f32(float x)
{
    return fabsf(x) <= (float)TP_TRIGONOMETRIC_RANGE ? tp__sin_near_f32(x) : (float)sin((double)x);
}

static inline float tp_cos_f32(float x)
{
    return fabsf(x) <= (float)TP_TRIGONOMETRIC_RANGE ? tp__cos_near_f32(x) : (float)cos((double)x);
}

static inline float tp_tan_f32(float x)
{
    return fabsf(x) <= (float)TP_TRIGONOMETRIC_RANGE ? tp__tan_near_f32(x) : (float)tan((double)x);
}

/* ---- Arc tangent, atan2 ------------------------------------------------------------------------------ */

/* atan(small / large) for 0 <= small <= large, at best with the error of one division: above tan(pi/8) as
 * pi/4 + atan((small - large) / (small + large)).  Also t = 0 / 0 is left to those who call. */
static inline double tp__atan_ratio(double small, double large)
{
    const int upper = small > 0x1.a827999fcef32p-2 * large;
    const double t = (upper ? small - large : small) / (upper ? small + large : large);

    /* A(z) = (atan(t) / t - 1) / z; error 2^-59.4 */
    const double z = t * t, z2 = z * z, z4 = z2 * z2;
    const double a01 = -0x1.555555555553dp-2 + z * 0x1.999999999585p-3;
    const double a23 = -0x1.24924922ac569p-3 + z * 0x1.c71c70e58d1fbp-4;
    const double a45 = -0x1.745cf8cb9a463p-4 + z * 0x1.3b1117d3f58a1p-4;
    const double a67 = -0x1.10eba8af290a7p-4 + z * 0x1.df0e5c555c79ap-5;
    const double a89 = -0x1.9cce5b4df0674p-5 + z * 0x1.37ca1f90f04c5p-5;
    const double A = (a01 + z2 * a23) + z4 * ((a45 + z2 * a67) + z4 * (a89 + z2 * -0x1.25505e6e08161p-6));

    const double curve = t * z * A;
    return upper ? TP__PI_4TH_HIGH + (t + (curve + TP__PI_4TH_LOW)) : t + curve;
}

static inline double tp_atan_f64(double x)
{
    const double a = fabs(x);
    const double y = tp__atan_ratio(a > 1 ? 1 : a, a > 1 ? a : 1);
    return tp__copy_sign_f64(a > 1 ? TP__PI_HALF_HIGH - (y - TP__PI_HALF_LOW) : y, x);
}

/* The angle of the point (b, a).  Huge numbers are made smaller, so that their sum does not overflow, and tiny ones larger,
 * so that it is exact. */
static inline double tp_atan2_f64(double a, double b)
{
    const double high = fabs(a), wide = fabs(b);
    const double larger = high > wide ? high : wide, smaller = high > wide ? wide : high;
    const double scale = larger > 0x1p1000 ? 0x1p-60 : larger < 0x1p-900 ? 0x1p200 : 1;
    const double ratio = tp__atan_ratio(smaller * scale, larger * scale);

    double y = smaller == 0 || larger > DBL_MAX ? (smaller > DBL_MAX ? TP__PI_4TH_HIGH : 0) : ratio;
    y = high > wide ? TP__PI_HALF_HIGH - (y - TP__PI_HALF_LOW) : y;
    y = tp__copy_sign_f64(1, b) < 0 ? TP__PI_HIGH - (y - TP__PI_LOW) : y;
    y = tp__copy_sign_f64(y, a);
    return a != a ? a : b != b ? b : y;
}

/* ---- Arc sine and arc cosine -------------------------------------------------------------------------- */

/* (asin(s) / s - 1) / s^2 as a polynomial in z = s^2 <= 1/4; error 2^-59.9 in asin(s) */
static inline double tp__asin_polynomial(double z)
{
    const double z2 = z * z, z4 = z2 * z2;
    const double r01 = 0x1.5555555555577p-3 + z * 0x1.333333332e131p-4;
    const double r23 = 0x1.6db6db721266fp-5 + z * 0x1.f1c71a94f3d3dp-6;
    const double r45 = 0x1.6e8bdee017391p-6 + z * 0x1.1c49f060a3b58p-6;
    const double r67 = 0x1.ca1f8d03fcfb9p-7 + z * 0x1.75858d9137cb6p-7;
    const double r89 = 0x1.613c745aa6bb1p-7 + z * 0x1.e5f71285297d2p-9;
    const double rest = 0x1.639bf151be7d5p-6 + z * -0x1.57fcb943b53ccp-6 + z2 * 0x1.0b467cb786763p-5;
    return (r01 + z2 * r23) + z4 * ((r45 + z2 * r67) + z4 * (r89 + z2 * rest));
}

/* asin|x| = s + curve up to 1/2; above it pi/2 - 2 (s + curve) with s = sqrt((1 - |x|) / 2).  Beyond 1 s is a NaN. */
typedef struct tp__arc {
    double s, curve;
    int upper;
} tp__arc;

static inline tp__arc tp__arc_of(double a)
{
    const int upper = a > 0.5;
    const double z = upper ? 0.5 * (1 - a) : a * a;
    const double s = upper ? sqrt(z) : a;
    const tp__arc arc = {s, s * z * tp__asin_polynomial(z), upper};
    return arc;
}

static inline double tp_asin_f64(double x)
{
    const tp__arc arc = tp__arc_of(fabs(x));
    const double beyond = TP__PI_HALF_HIGH - (2 * arc.s + (2 * arc.curve - TP__PI_HALF_LOW));
    const double y = arc.upper ? beyond : arc.s + arc.curve;
    return tp__copy_sign_f64(y, x);
}

static inline double tp_acos_f64(double x)
{
    const tp__arc arc = tp__arc_of(fabs(x));
    const double s = x < 0 ? -arc.s : arc.s, curve = x < 0 ? -arc.curve : arc.curve;
    const double inner = TP__PI_HALF_HIGH - (s + (curve - TP__PI_HALF_LOW));
    const double outer = 2 * (arc.s + arc.curve);
    const double turned = TP__PI_HIGH - (2 * arc.s + (2 * arc.curve - TP__PI_LOW));
    const double y = arc.upper ? (x < 0 ? turned : outer) : inner;
    return fabs(x) <= 1 ? y : (double)NAN; /* elsewhere several NaN meet */
}

/* ---- The hypotenuse ---------------------------------------------------------------------------------- */

/* Scaled by a power of two that brings the larger one near 1. */
static inline double tp_hypot_f64(double a, double b)
{
    const double high = fabs(a), wide = fabs(b);
    const double larger = high > wide ? high : wide;
    const double up = larger < 0x1p-500 ? 0x1p600 : 1, scale = larger > 0x1p500 ? 0x1p-600 : up;
    const double back = larger > 0x1p500 ? 0x1p600 : larger < 0x1p-500 ? 0x1p-600 : 1;
    const double p = high * scale, q = wide * scale;
    const double y = sqrt(p * p + q * q) * back;
    const double number = a != a ? a : b != b ? b : y;
    return high > DBL_MAX || wide > DBL_MAX ? (double)INFINITY : number; /* also beside a NaN, as in C */
}

/* ---- In float, by way of double ----------------------------------------------------------------------- */

static inline float tp_atan_f32(float x)
{
    return (float)tp_atan_f64((double)x);
}

static inline float tp_atan2_f32(float a, float b)
{
    return (float)tp_atan2_f64((double)a, (double)b);
}

static inline float tp_asin_f32(float x)
{
    return (float)tp_asin_f64((double)x);
}

static inline float tp_acos_f32(float x)
{
    return (float)tp_acos_f64((double)x);
}

/* The squares of floats are exact, and fit. */
static inline float tp_hypot_f32(float a, float b)
{
    const float y = (float)sqrt((double)a * (double)a + (double)b * (double)b);
    const float number = a != a ? a : b != b ? b : y;
    return fabsf(a) > FLT_MAX || fabsf(b) > FLT_MAX ? INFINITY : number;
}

/* ---- The same by the type of the argument ----------------------------------------------------------- */

#define TP_SIN(x)      TP_BY_TYPE_(x, tp_sin_f32, tp_sin_f64)(x)
#define TP_COS(x)      TP_BY_TYPE_(x, tp_cos_f32, tp_cos_f64)(x)
#define TP_TAN(x)      TP_BY_TYPE_(x, tp_tan_f32, tp_tan_f64)(x)
#define TP_SIN_NEAR(x) TP_BY_TYPE_(x, tp__sin_near_f32, tp__sin_near_f64)(x)
#define TP_COS_NEAR(x) TP_BY_TYPE_(x, tp__cos_near_f32, tp__cos_near_f64)(x)
#define TP_TAN_NEAR(x) TP_BY_TYPE_(x, tp__tan_near_f32, tp__tan_near_f64)(x)
#define TP_ASIN(x)     TP_BY_TYPE_(x, tp_asin_f32, tp_asin_f64)(x)
#define TP_ACOS(x)     TP_BY_TYPE_(x, tp_acos_f32, tp_acos_f64)(x)
#define TP_ATAN(x)     TP_BY_TYPE_(x, tp_atan_f32, tp_atan_f64)(x)
#define TP_ATAN2(a, b) TP_BY_TYPE_((a) + (b), tp_atan2_f32, tp_atan2_f64)(a, b)
#define TP_HYPOT(a, b) TP_BY_TYPE_((a) + (b), tp_hypot_f32, tp_hypot_f64)(a, b)

#endif
