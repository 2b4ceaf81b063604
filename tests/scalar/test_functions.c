/* test_functions.c -- tapir/scalar_exponential.h, scalar_trigonometric.h, scalar_special.h and scalar_gamma.h: special
 * values, accuracy, and the same bits however a loop is compiled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <tapir/scalar_exponential.h>
#include <tapir/scalar_gamma.h>
#include <tapir/scalar_special.h>
#include <tapir/scalar_trigonometric.h>

enum {
    EXP2,
    LOG2,
    LOG10,
    SINH,
    COSH,
    ASINH,
    ACOSH,
    ATANH,
    TANH_SOFTPLUS,
    SIN,
    COS,
    TAN,
    ASIN,
    ACOS,
    ATAN,
    ERF,
    ERFC,
    EXP_MINUS_SQUARE,
    NORMAL_PDF,
    NORMAL_CDF,
    LGAMMA,
    DIGAMMA,
    ATAN2,
    HYPOT,
    SIN_NEAR,
    COS_NEAR,
    TAN_NEAR,
    FUNCTIONS
};
enum { UNARY = DIGAMMA + 1, MEASURED = HYPOT + 1 };

static const char *const name[FUNCTIONS] = {
    "exp2",       "log2",       "log10",         "sinh",    "cosh",  "asinh",
    "acosh",      "atanh",      "tanh_softplus", "sin",     "cos",   "tan",
    "asin",       "acos",       "atan",          "erf",     "erfc",  "exp_minus_square",
    "normal_pdf", "normal_cdf", "lgamma",        "digamma", "atan2", "hypot",
    "sin_near",   "cos_near",   "tan_near"};

/* Does STATEMENT(expression of a[i] and b[i]) for function f. */
#define FOR_FUNCTION(f, STATEMENT)                                                                           \
    switch (f) {                                                                                             \
    case EXP2: STATEMENT(TP_EXP2(a[i])); break;                                                              \
    case LOG2: STATEMENT(TP_LOG2(a[i])); break;                                                              \
    case LOG10: STATEMENT(TP_LOG10(a[i])); break;                                                            \
    case SINH: STATEMENT(TP_SINH(a[i])); break;                                                              \
    case COSH: STATEMENT(TP_COSH(a[i])); break;                                                              \
    case ASINH: STATEMENT(TP_ASINH(a[i])); break;                                                            \
    case ACOSH: STATEMENT(TP_ACOSH(a[i])); break;                                                            \
    case ATANH: STATEMENT(TP_ATANH(a[i])); break;                                                            \
    case TANH_SOFTPLUS: STATEMENT(TP_TANH_SOFTPLUS(a[i])); break;                                            \
    case SIN: STATEMENT(TP_SIN(a[i])); break;                                                                \
    case COS: STATEMENT(TP_COS(a[i])); break;                                                                \
    case TAN: STATEMENT(TP_TAN(a[i])); break;                                                                \
    case ASIN: STATEMENT(TP_ASIN(a[i])); break;                                                              \
    case ACOS: STATEMENT(TP_ACOS(a[i])); break;                                                              \
    case ATAN: STATEMENT(TP_ATAN(a[i])); break;                                                              \
    case ERF: STATEMENT(TP_ERF(a[i])); break;                                                                \
    case ERFC: STATEMENT(TP_ERFC(a[i])); break;                                                              \
    case EXP_MINUS_SQUARE: STATEMENT(TP_EXP_MINUS_SQUARE(a[i])); break;                                      \
    case NORMAL_PDF: STATEMENT(TP_NORMAL_PDF(a[i])); break;                                                  \
    case NORMAL_CDF: STATEMENT(TP_NORMAL_CDF(a[i])); break;                                                  \
    case LGAMMA: STATEMENT(TP_LGAMMA(a[i])); break;                                                          \
    case DIGAMMA: STATEMENT(TP_DIGAMMA(a[i])); break;                                                        \
    case ATAN2: STATEMENT(TP_ATAN2(a[i], b[i])); break;                                                      \
    case HYPOT: STATEMENT(TP_HYPOT(a[i], b[i])); break;                                                      \
    case SIN_NEAR: STATEMENT(TP_SIN_NEAR(a[i])); break;                                                      \
    case COS_NEAR: STATEMENT(TP_COS_NEAR(a[i])); break;                                                      \
    case TAN_NEAR: STATEMENT(TP_TAN_NEAR(a[i])); break;                                                      \
    default: break;                                                                                          \
    }

/* Places where a function changes its formula or its result its kind. */
static const double hard_points[] = {1,
                                     -1,
                                     0.5,
                                     -0.5,
                                     0.75,
                                     1.4142135623730951,
                                     0.41421356237309505,
                                     0.70710678118654752,
                                     1.0606601717798212,
                                     0.7853981633974483,
                                     1.5707963267948966,
                                     -2.356194490192345,
                                     3.141592653589793,
                                     -31.41592653589793,
                                     52707.17930999,
                                     8388608,
                                     22,
                                     268435456,
                                     -1074,
                                     1024,
                                     10.05,
                                     27.2,
                                     -38.5,
                                     -14.2,
                                     710.4,
                                     1.4616321449683623,
                                     2,
                                     2.5,
                                     8,
                                     10,
                                     -2.4570247382208006};
enum { HARD_POINTS = sizeof hard_points / sizeof *hard_points };

#include "scalar_loops.h"

/* ---- Accuracy ---------------------------------------------------------------------------------------------- */

/* The bounds that the headers state, in ulp. */
typedef struct bounds {
    double f32, f64;
} bounds;

static const bounds bound[MEASURED] = {
    [EXP2] = {0.51, 1.5},      [LOG2] = {0.51, 1.5},  [LOG10] = {0.51, 1.5},
    [SINH] = {0.51, 3},        [COSH] = {0.51, 1.5},  [ASINH] = {0.51, 3},
    [ACOSH] = {0.51, 3},       [ATANH] = {0.51, 3},   [TANH_SOFTPLUS] = {5, 5},
    [SIN] = {0.6, 1},          [COS] = {0.6, 1},      [TAN] = {0.51, 2.5},
    [ASIN] = {0.51, 2},        [ACOS] = {0.51, 1.5},  [ATAN] = {0.51, 2},
    [ERF] = {2.5, 2.5},        [ERFC] = {6, 6},       [EXP_MINUS_SQUARE] = {1, 1},
    [NORMAL_PDF] = {2.5, 2.5}, [NORMAL_CDF] = {7, 7}, [LGAMMA] = {0.51, 4},
    [DIGAMMA] = {0.51, 5},     [ATAN2] = {0.51, 2.5}, [HYPOT] = {0.51, 1.5},
};

/* By recurrence to where the series in 1 / x^2 is good. */
static long double digamma(long double x)
{
    static const long double c[] = {1.0L / 12, -1.0L / 120, 1.0L / 252, -1.0L / 240, 1.0L / 132};
    long double sum = 0, series = 0;
    for (; x < 60; x += 1)
        sum -= 1 / x;
    for (int k = 4; k >= 0; k--)
        series = (series + c[k]) / (x * x);
    return sum + logl(x) - 0.5L / x - series;
}

static long double exact(int f, long double x, long double x2)
{
    switch (f) {
    case EXP2: return exp2l(x);
    case LOG2: return log2l(x);
    case LOG10: return log10l(x);
    case SINH: return sinhl(x);
    case COSH: return coshl(x);
    case ASINH: return asinhl(x);
    case ACOSH: return acoshl(x);
    case ATANH: return atanhl(x);
    case TANH_SOFTPLUS: return tanhl(log1pl(expl(x)));
    case SIN: return sinl(x);
    case COS: return cosl(x);
    case TAN: return tanl(x);
    case ASIN: return asinl(x);
    case ACOS: return acosl(x);
    case ATAN: return atanl(x);
    case ERF: return erfl(x);
    case ERFC: return erfcl(x);
    case EXP_MINUS_SQUARE: return expl(-x * x);
    case NORMAL_PDF: return expl(-0.5L * x * x) * 0.3989422804014326779399460599343818685L;
    case NORMAL_CDF: return 0.5L * erfcl(-x * 0.7071067811865475244008443621048490393L);
    case LGAMMA: return lgammal(x);
    case DIGAMMA: return digamma(x);
    case ATAN2: return atan2l(x, x2);
    default: return hypotl(x, x2);
    }
}

/* Where the bounds hold and `exact` is exact: gamma functions pass through 0 below it, digamma at 1.46; beyond the range
 * it is libm's errors that count. */
static bool is_measured(int f, double x)
{
    if (f == LGAMMA || f == DIGAMMA)
        return x > 0 && x < 1e15 && (f == LGAMMA || fabs(x - 1.4616321449683623) > 0.01);
    return f < SIN || f > TAN || fabs(x) <= TP_TRIGONOMETRIC_RANGE;
}

static void check_f32(int f, float x, float x2)
{
    const float y = scalar_f32(f, x, x2);
    const long double error = ulp_error(y, exact(f, x, x2), FLT_MANT_DIG, FLT_MIN_EXP, FLT_MAX_EXP);
    if (!(error <= bound[f].f32))
        fail_msg("%s_f32(%a, %a) = %a is %.2Lf ulp off", name[f], (double)x, (double)x2, (double)y, error);
}

static void test_accuracy_f32(void **state)
{
    (void)state;
    for (int f = 0; f < UNARY; f++)
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 16411) {
            const float x = tp__from_bits_f32((uint32_t)bits);
            if (is_measured(f, x))
                check_f32(f, x, x);
        }
    for (int f = UNARY; f < MEASURED; f++) {
        uint64_t random = 4;
        for (int i = 0; i < 200000; i++)
            check_f32(f, (float)sample(&random), (float)sample(&random));
    }
}

static void test_accuracy_f64(void **state)
{
    (void)state;
    /* long double squares and sums with an error of its own; where it is double, libm's comes on top. */
    const double slack = LDBL_MANT_DIG > DBL_MANT_DIG ? 0.5 : 1.5;
    for (int f = 0; f < MEASURED; f++) {
        uint64_t random = 3;
        for (int i = 0; i < 100000; i++) {
            const double x = sample(&random), x2 = sample(&random);
            if (!is_measured(f, x))
                continue;
            const double y = scalar_f64(f, x, x2);
            const long double error = ulp_error(y, exact(f, x, x2), DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX_EXP);
            if (!(error <= bound[f].f64 + slack))
                fail_msg("%s_f64(%a, %a) = %a is %.2Lf ulp off", name[f], x, x2, y, error);
        }
    }
}

/* Beyond the range it is libm that answers, in float too. */
static void test_beyond_the_range(void **state)
{
    (void)state;
    for (double x = TP_TRIGONOMETRIC_RANGE * 1.0001; x < 1e300; x *= -3.7) {
        assert_true(scalar_f64(SIN, x, 0) == sin(x));
        assert_true(scalar_f64(COS, x, 0) == cos(x));
        assert_true(scalar_f64(TAN, x, 0) == tan(x));
    }
    for (float x = 8388609.0f; fabsf(x) < 1e37f; x *= -3.5f) {
        assert_true(scalar_f32(SIN, x, 0) == (float)sin((double)x));
        assert_true(scalar_f32(COS, x, 0) == (float)cos((double)x));
        assert_true(scalar_f32(TAN, x, 0) == (float)tan((double)x));
    }
}

/* The nearest doubles to multiples of pi/2 have sines and cosines near 0, with all their digits. */
static void test_near_multiples_of_half_pi(void **state)
{
    const long double half_pi = 1.5707963267948966192313216916397514421L;
    (void)state;
    for (int k = 1; k < 5300000; k = k * 3 + 1) {
        const double x = (double)(half_pi * k);
        for (int f = SIN; f <= TAN; f++) {
            const long double error =
                ulp_error(scalar_f64(f, x, 0), exact(f, x, 0), DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX_EXP);
            if (!(error <= bound[f].f64 + 0.5))
                fail_msg("%s(%a) is %.2Lf ulp off", name[f], x, error);
        }
    }
}

/* ---- Special values ---------------------------------------------------------------------------------------- */

/* The same in both dtypes, and as C has them. */
static void test_special_values(void **state)
{
    static const double at[] = {0.0,      -0.0, 1,   -1,   INFINITY, -INFINITY, NAN,  2,   -2,    0.5,
                                0x1p-149, 20,   -20, 1000, -1000,    FLT_MAX,   -150, 128, 88.75, -104};
    enum { POINTS = sizeof at / sizeof *at };
    (void)state;
    for (int f = 0; f < MEASURED; f++)
        for (int i = 0; i < POINTS; i++)
            for (int j = 0; j < (f < UNARY ? 1 : POINTS); j++) {
                if (f == DIGAMMA && at[i] <= 0)
                    continue;
                const double expected = (double)exact(f, at[i], at[j]);
                const double y64 = scalar_f64(f, at[i], at[j]);
                const double y32 = scalar_f32(f, (float)at[i], (float)at[j]);
                const bool plain = expected != 0 && isfinite(expected);
                if (isnan(expected) ? !isnan(y64) : !plain && tp__bits_f64(y64) != tp__bits_f64(expected))
                    fail_msg("%s_f64(%g, %g) = %g, not %g", name[f], at[i], at[j], y64, expected);
                if (isnan(expected) ? !isnan(y32) : !plain && tp__bits_f64(y32) != tp__bits_f64(expected))
                    fail_msg("%s_f32(%g, %g) = %g, not %g", name[f], at[i], at[j], y32, expected);
            }
}

/* Whole powers of 2 and 10, which have exact logarithms. */
static void test_exact_logarithms(void **state)
{
    double power = 1;
    (void)state;
    for (int k = -1074; k < 1024; k++) {
        assert_true(scalar_f64(LOG2, ldexp(1, k), 0) == k);
        assert_true(scalar_f64(EXP2, k, 0) == ldexp(1, k));
    }
    for (int k = 0; k <= 22; k++, power *= 10)
        assert_true(scalar_f64(LOG10, power, 0) == k);
}

static void test_poles_of_gamma_functions(void **state)
{
    (void)state;
    for (double x = -1; x > -1e18; x *= 3) {
        assert_true(isinf(tp_lgamma_f64(x)) && tp_lgamma_f64(x) > 0);
        assert_true(isnan(tp_digamma_f64(x)));
        assert_true(isinf(tp_polygamma_f64(1, x)) && isnan(tp_polygamma_f64(2, x)));
    }
    assert_true(tp_digamma_f64(0.0) == -(double)INFINITY && tp_digamma_f64(-0.0) == (double)INFINITY);
    for (int n = 1; n <= 20; n++) {
        assert_true(tp_polygamma_f64(n, 0.0) == (double)(n % 2 ? INFINITY : -INFINITY));
        assert_true(tp_polygamma_f64(n, -0.0) == (double)INFINITY);
        assert_true(tp_polygamma_f64(n, INFINITY) == 0);
        assert_true(isnan(tp_polygamma_f64(n, -INFINITY)) && isnan(tp_polygamma_f64(n, NAN)));
    }
    assert_true(isnan(tp_digamma_f64(-INFINITY)) && tp_digamma_f64(INFINITY) == (double)INFINITY);
    assert_true(tp_lgamma_f64(-INFINITY) == (double)INFINITY);
}

/* Values of mpmath, computed with 60 digits. */
static void test_polygamma_values(void **state)
{
    static const struct {
        int n;
        double x, y, slack; /* below 0 for the terms of the reflection */
    } table[] = {
        {1, 0.25, 17.197329154507110739, 0.0},
        {1, 1.0, 1.6449340668482264365, 0.0},
        {1, 7.5, 0.14261589669670379977, 0.0},
        {1, 100.0, 0.010050166663333571395, 0.0},
        {1, -0.5, 8.9348022005446793094, 1.8e-14},
        {1, -3.25, 19.474085068082155114, 3.5e-14},
        {2, 0.125, -1025.7533381181356826, 0.0},
        {2, 1.5, -0.8287966442343199956, 0.0},
        {2, 40.0, -0.00064082027183529858776, 0.0},
        {2, -0.25, 122.69736678366236037, 2.8e-13},
        {2, -2.75, -124.11765305971517997, 2.8e-13},
        {3, 0.5, 97.409091034002437236, 0.0},
        {3, 3.0, 0.1189394022668291491, 0.0},
        {3, -1.375, 345.45686635876072299, 9.2e-13},
        {4, 2.0, -0.88626612344087823195, 0.0},
        {4, -0.625, -2989.9682219437143038, 9.3e-12},
        {5, 0.75, 678.75334287457971361, 0.0},
        {5, -4.5, 15382.219778224131442, 5.5e-11},
        {7, 6.0, 0.004392957774072663361, 0.0},
        {7, -0.375, 13104420.127502417294, 5.8e-8},
        {10, 1.25, -312205.54998136854685, 0.0},
        {10, -2.25, 15220204740659.352777, 0.088},
        {13, 0.0625, 4.4870413687213324904e+26, 0.0},
        {16, 30.0, -3.923911550262916506e-12, 0.0},
        {20, 0.5, -5.1021653127394298787e+24, 0.0},
        {20, 25.0, -1.9464147666563566084e-11, 0.0},
        {20, -1.25, 1.0700016187896297695e+31, 1.1e+17},
    };
    (void)state;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        const double y = tp_polygamma_f64(table[k].n, table[k].x);
        const double tolerance = (6 + 2 * table[k].n) * 0x1p-52 * fabs(table[k].y) + table[k].slack;
        if (!(fabs(y - table[k].y) <= tolerance))
            fail_msg("polygamma(%d, %g) = %.17g, not %.17g", table[k].n, table[k].x, y, table[k].y);
        assert_true(tp_polygamma_f32(table[k].n, (float)table[k].x) ==
                    (float)tp_polygamma_f64(table[k].n, (double)(float)table[k].x));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_exact_logarithms),
        cmocka_unit_test(test_poles_of_gamma_functions),
        cmocka_unit_test(test_polygamma_values),
        cmocka_unit_test(test_beyond_the_range),
        cmocka_unit_test(test_near_multiples_of_half_pi),
        cmocka_unit_test(test_accuracy_f32),
        cmocka_unit_test(test_accuracy_f64),
        cmocka_unit_test(test_same_bits_baseline),
        cmocka_unit_test(test_same_bits_avx2),
        cmocka_unit_test(test_same_bits_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
