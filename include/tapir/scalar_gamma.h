/* tapir/scalar_gamma.h -- the logarithm of the gamma function and its derivatives as plain C.
 *
 *     tp_lgamma_f64(x)        log |gamma(x)|
 *     tp_digamma_f64(x)       its derivative
 *     tp_polygamma_f64(n, x)  the n-th derivative of digamma, n >= 1
 *
 * and ..._f32, which are these rounded.  Unlike those of tapir/scalar.h they branch and loop, so a loop over them is no
 * vector code; but they consist of the same arithmetic, so their bits are the same on every machine, and unlike C's lgamma
 * they write no global.  For x > 0 the errors are at most 4 ulp, 5 ulp and 6 + 2 n ulp; for x < 0, where the functions pass
 * through 0 between their poles, that much of the larger of the terms in their reflection formulas.
 *
 * Formulas: NIST Digital Library of Mathematical Functions, 5.5 (recurrence, reflection), 5.11 (large x), 5.15.
 */
#ifndef TAPIR_SCALAR_GAMMA_H
#define TAPIR_SCALAR_GAMMA_H

#include <tapir/scalar.h>
#include <tapir/scalar_trigonometric.h>

#define TP__PI 0x1.921fb54442d18p1

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
static inline double tp__polynomial(const double *c, int n, double x)
{
    double y = c[n - 1];
    for (int k = n - 2; k >= 0; k--)
        y = y * x + c[k];
    return y;
}

/* x minus the nearest whole number, in [-1/2, 1/2]; exact. */
static inline double tp__off_whole(double x)
{
    return x - rint(x);
}

/* ---- log |gamma(x)| ------------------------------------------------------------------------------------ */

/* log gamma(2 + t) = t R(t) for -3/4 <= t <= 1/2; error 2^-53.5 */
static inline double tp__lgamma_near_2(double t)
{
    static const double R[] = {
        0x1.b0ee6072093cep-2,   0x1.4a34cc4a60fa6p-2,   -0x1.13e001a557601p-4,  0x1.51322ac7d839p-6,
        -0x1.e404fc2191f79p-8,  0x1.7add6eadd2d9fp-9,   -0x1.38ac5c2a0724p-10,  0x1.0b36af7b470ebp-11,
        -0x1.d3fd4df654466p-13, 0x1.a127b4d95a259p-14,  -0x1.78de06a743f59p-15, 0x1.580d996a167c5p-16,
        -0x1.3cc8079599093p-17, 0x1.258e9b3afbdc9p-18,  -0x1.10c51fe54a7a6p-19, 0x1.0230686f00562p-20,
        -0x1.f83f90fa7de5ep-22, 0x1.8355c62114e47p-23,  -0x1.3e460fc64c0c7p-24, 0x1.00467eee0f4c7p-23,
        -0x1.eaf044b3aa44fp-27, -0x1.c1045cca0e12ep-25, -0x1.949384aef9915p-25};
    return t * tp__polynomial(R, (int)(sizeof R / sizeof *R), t);
}

/* Stirling's series: (x - 1/2) log x - x + log(2 pi) / 2 + 1 / (12 x) - ..., for x >= 8. */
static inline double tp__lgamma_far(double x)
{
    static const double c[] = {1.0 / 12,        -1.0 / 360, 1.0 / 1260,       -1.0 / 1680,     1.0 / 1188,
                               -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400, 43867.0 / 244188};
    const double inverse = 1 / x;
    const double series = inverse * tp__polynomial(c, (int)(sizeof c / sizeof *c), inverse * inverse);
    const double constant = 0.41893853320467274178; /* (log(2 pi) - 1) / 2 */
    return (x - 0.5) * (tp_log_f64(x) - 1) + (series + constant);
}

static inline double tp__lgamma_positive(double x)
{
    double product = 1;
    if (x < 0.5) /* gamma(x) = gamma(2 + x) / (x (1 + x)) */
        return tp__lgamma_near_2(x) - tp_log_f64(x + x * x);
    if (x < 1.25)
        return tp__lgamma_near_2(x - 1) - tp_log1p_f64(x - 1);
    if (x >= 8)
        return tp__lgamma_far(x);
    while (x >= 2.5) {
        x -= 1;
        product *= x;
    }
    return tp_log_f64(product) + tp__lgamma_near_2(x - 2);
}

/* gamma(x) gamma(-x) = -pi / (x sin(pi x)) */
static inline double tp_lgamma_f64(double x)
{
    const double a = fabs(x);
    if (a < 0x1p-60 || a > DBL_MAX)
        return a < 0x1p-60 ? -tp_log_f64(a) : a;
    if (!(x < 0))
        return x > 0 ? tp__lgamma_positive(x) : x;
    const double off = tp__off_whole(x);
    if (off == 0)
        return (double)INFINITY;
    return tp_log_f64(TP__PI / (a * tp_sin_f64(TP__PI * fabs(off)))) - tp__lgamma_positive(a);
}

/* ---- digamma -------------------------------------------------------------------------------------------- */

/* On [1, 2] as (x - root) times a polynomial in x - 3/2; error 2^-53.5 */
static inline double tp__digamma_near_root(double x)
{
    static const double D[] = {
        0x1.e6f0cbb873617p-1,  -0x1.b1cb63005ee98p-2,  0x1.eca189b8e6d99p-3,  -0x1.2feeeb98a7a31p-3,
        0x1.8512e5905da64p-4,  -0x1.fb44202a07455p-5,  0x1.4de9aa059a511p-5,  -0x1.b9f8b1249ce14p-6,
        0x1.256475f1455e6p-6,  -0x1.8635627bbd4fap-7,  0x1.03c006a628633p-7,  -0x1.5a06cc6bfeb78p-8,
        0x1.cd3e745f048afp-9,  -0x1.336b44545e5cap-9,  0x1.980d9a2c7c8a4p-10, -0x1.0fcd3e860626p-10,
        0x1.7b4a2bdbfbf23p-11, -0x1.fc4793c07be3dp-12, 0x1.dc1a3b3178d6ep-13, -0x1.3438edb6a031ap-13,
        0x1.1079cc76f7592p-12, -0x1.724a3a5d27123p-13};
    const double from_root = (x - 0x1.762d86356be3fp0) - 0x1.b86a722197829p-54;
    return from_root * tp__polynomial(D, (int)(sizeof D / sizeof *D), x - 1.5);
}

static inline double tp__digamma_positive(double x)
{
    /* log x - 1 / (2 x) - sum of B_2k / (2 k x^2k) */
    static const double c[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                               1.0 / 132, -691.0 / 32760, 1.0 / 12,  -3617.0 / 8160};
    double sum = 0;
    if (x >= 10) {
        const double inverse = 1 / x, square = inverse * inverse;
        return tp_log_f64(x) -
               (0.5 * inverse + square * tp__polynomial(c, (int)(sizeof c / sizeof *c), square));
    }
    if (x < 1)
        return tp__digamma_near_root(x + 1) - 1 / x;
    for (; x > 2; sum += 1 / x)
        x -= 1;
    return sum + tp__digamma_near_root(x);
}

/* digamma(x) = digamma(1 - x) - pi / tan(pi x) */
static inline double tp_digamma_f64(double x)
{
    if (x > 0)
        return tp__digamma_positive(x);
    if (x == 0)
        return -1 / x;
    const double off = tp__off_whole(x);
    if (!(off != 0))
        return (double)NAN;
    return tp__digamma_positive(1 - x) - TP__PI / tp_tan_f64(TP__PI * off);
}

/* ---- polygamma ------------------------------------------------------------------------------------------ */

/* x^n by squaring */
static inline double tp__whole_power(double x, int n)
{
    double y = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2 == 1)
            y *= x;
    return y;
}

/* (-1)^(n+1) polygamma(n, x) for x > 0, the sum of n! / (x + j)^(n+1) over all j: the first ones by themselves, the others
 * as (n-1)! / y^n (1 + n / (2 y) + sum of B_2k (2k+n-1)! / ((2k)! (n-1)! y^2k)), y >= n + 15. */
static inline double tp__polygamma_positive(int n, double x)
{
    static const double bernoulli[] = {1.0 / 6,       -1.0 / 30,      1.0 / 42, -1.0 / 30,
                                       5.0 / 66,      -691.0 / 2730,  7.0 / 6,  -3617.0 / 510,
                                       43867.0 / 798, -174611.0 / 330};
    double factorial = 1, sum = 0, series = 0, term = 1;

    for (int k = 2; k < n; k++)
        factorial *= k; /* (n-1)! */
    for (; x < n + 15; x += 1)
        sum += 1 / tp__whole_power(x, n + 1);
    const double inverse = 1 / x;
    for (int k = 1; k <= 10; k++) { /* term is (2k+n-1)! / ((2k)! (n-1)! x^2k) */
        term *= (double)(2 * k + n - 2) * inverse / (2 * k - 1);
        term *= (double)(2 * k + n - 1) * inverse / (2 * k);
        series += bernoulli[k - 1] * term;
    }
    return factorial * (n * sum + tp__whole_power(inverse, n) * (1 + (0.5 * n * inverse + series)));
}

enum { TP__POLYGAMMA_MOST = 20 };

/* The n-th derivative of pi cot(pi x) is pi^(n+1) P_n(cot(pi x)) with P_0(c) = c, P_n = -(1 + c^2) P_(n-1)'. */
static inline double tp__cotangent_derivative(int n, double cotangent)
{
    double p[TP__POLYGAMMA_MOST + 3] = {0, 1};
    for (int k = 1; k <= n; k++) {
        double slope[TP__POLYGAMMA_MOST + 3] = {0};
        for (int j = 0; j < k; j++)
            slope[j] = (j + 1) * p[j + 1];
        for (int j = 0; j <= k + 1; j++)
            p[j] = -(slope[j] + (j >= 2 ? slope[j - 2] : 0));
    }
    double y = p[n + 1]; /* every second coefficient is 0 */
    for (int j = n - 1; j >= 0; j -= 2)
        y = y * cotangent * cotangent + p[j];
    y = n % 2 == 0 ? y * cotangent : y;
    return y * tp__whole_power(TP__PI, n + 1);
}

/* For 1 <= n <= 20.  polygamma(n, x) = (-1)^n polygamma(n, 1 - x) - d^n/dx^n pi cot(pi x) */
static inline double tp_polygamma_f64(int n, double x)
{
    const int odd = n % 2;
    if (x >= 0) /* also -0, whose power has a sign */
        return odd ? tp__polygamma_positive(n, x) : -tp__polygamma_positive(n, x);
    const double off = tp__off_whole(x);
    if (off == 0)
        return odd ? (double)INFINITY : (double)NAN;
    if (off != off)
        return (double)NAN;
    /* (-1)^n polygamma(n, 1 - x) has the sign -1 for every n */
    return -tp__polygamma_positive(n, 1 - x) - tp__cotangent_derivative(n, 1 / tp_tan_f64(TP__PI * off));
}

/* ---- In float ------------------------------------------------------------------------------------------- */

static inline float tp_lgamma_f32(float x)
{
    return (float)tp_lgamma_f64((double)x);
}

static inline float tp_digamma_f32(float x)
{
    return (float)tp_digamma_f64((double)x);
}

static inline float tp_polygamma_f32(int n, float x)
{
    return (float)tp_polygamma_f64(n, (double)x);
}

#define TP_LGAMMA(x)       TP_BY_TYPE_(x, tp_lgamma_f32, tp_lgamma_f64)(x)
#define TP_DIGAMMA(x)      TP_BY_TYPE_(x, tp_digamma_f32, tp_digamma_f64)(x)
#define TP_POLYGAMMA(n, x) TP_BY_TYPE_(x, tp_polygamma_f32, tp_polygamma_f64)(n, x)

#endif
