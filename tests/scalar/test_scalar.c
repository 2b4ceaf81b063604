/* test_scalar.c -- tapir/scalar.h: special values, accuracy, and the same bits however a loop is compiled. */
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

#include <tapir/scalar.h>

enum { EXP, EXPM1, LOG, LOG1P, TANH, SIGMOID, SOFTPLUS, SQRT, ABS, SIGN, MAX, MIN, FUNCTIONS };
enum { MEASURED = SOFTPLUS + 1 }; /* the functions with an error to measure come first */

static const char *const name[FUNCTIONS] = {"exp",      "expm1", "log", "log1p", "tanh", "sigmoid",
                                            "softplus", "sqrt",  "abs", "sign",  "max",  "min"};

/* Does STATEMENT(expression of a[i] and b[i]) for function f. */
#define FOR_FUNCTION(f, STATEMENT)                                                                           \
    switch (f) {                                                                                             \
    case EXP: STATEMENT(TP_EXP(a[i])); break;                                                                \
    case EXPM1: STATEMENT(TP_EXPM1(a[i])); break;                                                            \
    case LOG: STATEMENT(TP_LOG(a[i])); break;                                                                \
    case LOG1P: STATEMENT(TP_LOG1P(a[i])); break;                                                            \
    case TANH: STATEMENT(TP_TANH(a[i])); break;                                                              \
    case SIGMOID: STATEMENT(TP_SIGMOID(a[i])); break;                                                        \
    case SOFTPLUS: STATEMENT(TP_SOFTPLUS(a[i])); break;                                                      \
    case SQRT: STATEMENT(TP_SQRT(a[i])); break;                                                              \
    case ABS: STATEMENT(TP_ABS(a[i])); break;                                                                \
    case SIGN: STATEMENT(TP_SIGN(a[i])); break;                                                              \
    case MAX: STATEMENT(TP_MAX(a[i], b[i])); break;                                                          \
    case MIN: STATEMENT(TP_MIN(a[i], b[i])); break;                                                          \
    default: break;                                                                                          \
    }

/* Places where a function changes its formula or its result its kind. */
static const double hard_points[] = {1,
                                     -1,
                                     0.70710678118654752,
                                     1.4142135623730951,
                                     0.41421356237309505,
                                     -0.29289321881345248,
                                     0.3466,
                                     -0.34,
                                     0.6931471805599453,
                                     -0.6931471805599453,
                                     0.14384103622589045,
                                     88.7228391,
                                     -87.33,
                                     -104,
                                     709.782712893384,
                                     -708.39641853226,
                                     -745.1332191019412,
                                     -36.7,
                                     37.4,
                                     -17.3,
                                     9.01,
                                     19.06,
                                     2,
                                     0.5};
enum { HARD_POINTS = sizeof hard_points / sizeof *hard_points };

#include "scalar_loops.h"

/* ---- Accuracy ---------------------------------------------------------------------------------------------- */

/* The bounds that tapir/scalar.h states, in ulp. */
static const double bound[MEASURED] = {
    [EXP] = 1, [EXPM1] = 1.5, [LOG] = 1, [LOG1P] = 1.5, [TANH] = 2, [SIGMOID] = 3, [SOFTPLUS] = 2};

static double libm(int f, double x)
{
    switch (f) {
    case EXP: return exp(x);
    case EXPM1: return expm1(x);
    case LOG: return log(x);
    case LOG1P: return log1p(x);
    case TANH: return tanh(x);
    case SIGMOID: return 1 / (1 + exp(-x));
    default: return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
    }
}

static long double libm_long(int f, long double x)
{
    switch (f) {
    case EXP: return expl(x);
    case EXPM1: return expm1l(x);
    case LOG: return logl(x);
    case LOG1P: return log1pl(x);
    case TANH: return tanhl(x);
    case SIGMOID: return 1 / (1 + expl(-x));
    default: return (x < 0 ? 0 : x) + log1pl(expl(-fabsl(x)));
    }
}

static void test_accuracy_f32(void **state)
{
    (void)state;
    for (int f = 0; f < MEASURED; f++) {
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
            const float x = tp__from_bits_f32((uint32_t)bits);
            const float y = scalar_f32(f, x, x);
            const long double error = ulp_error(y, libm(f, x), FLT_MANT_DIG, FLT_MIN_EXP, FLT_MAX_EXP);
            if (!(error <= bound[f]))
                fail_msg("%s_f32(%a) = %a is %.2Lf ulp off", name[f], (double)x, (double)y, error);
        }
    }
}

static void test_accuracy_f64(void **state)
{
    (void)state;
    /* Where long double is double, libm's own error comes on top. */
    const double slack = LDBL_MANT_DIG > DBL_MANT_DIG ? 0.01 : 1;
    for (int f = 0; f < MEASURED; f++) {
        uint64_t random = 3;
        for (int i = 0; i < 200000; i++) {
            const double x = sample(&random);
            const double y = scalar_f64(f, x, x);
            const long double error = ulp_error(y, libm_long(f, x), DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX_EXP);
            if (!(error <= bound[f] + slack))
                fail_msg("%s_f64(%a) = %a is %.2Lf ulp off", name[f], x, y, error);
        }
    }
}

/* ---- Special values ---------------------------------------------------------------------------------------- */

typedef struct special_case {
    int f;
    double x, y;
} special_case;

/* The same in both dtypes.  inf and NaN are floats, and so become doubles in a constant expression. */
static const special_case common_cases[] = {
    {EXP, 0.0, 1},
    {EXP, -0.0, 1},
    {EXP, INFINITY, INFINITY},
    {EXP, -INFINITY, 0.0},
    {EXP, 1000, INFINITY},
    {EXP, -1000, 0.0},
    {EXP, NAN, NAN},
    {EXPM1, 0.0, 0.0},
    {EXPM1, -0.0, -0.0},
    {EXPM1, INFINITY, INFINITY},
    {EXPM1, -INFINITY, -1},
    {EXPM1, 1000, INFINITY},
    {EXPM1, -1000, -1},
    {EXPM1, NAN, NAN},
    {LOG, 1, 0.0},
    {LOG, 0.0, -INFINITY},
    {LOG, -0.0, -INFINITY},
    {LOG, INFINITY, INFINITY},
    {LOG, -INFINITY, NAN},
    {LOG, -1, NAN},
    {LOG, -1e-30, NAN},
    {LOG, NAN, NAN},
    {LOG1P, 0.0, 0.0},
    {LOG1P, -0.0, -0.0},
    {LOG1P, -1, -INFINITY},
    {LOG1P, -1.5, NAN},
    {LOG1P, INFINITY, INFINITY},
    {LOG1P, -INFINITY, NAN},
    {LOG1P, NAN, NAN},
    {TANH, 0.0, 0.0},
    {TANH, -0.0, -0.0},
    {TANH, 20, 1},
    {TANH, -20, -1},
    {TANH, INFINITY, 1},
    {TANH, -INFINITY, -1},
    {TANH, NAN, NAN},
    {SIGMOID, 0.0, 0.5},
    {SIGMOID, -0.0, 0.5},
    {SIGMOID, INFINITY, 1},
    {SIGMOID, -INFINITY, 0.0},
    {SIGMOID, 1000, 1},
    {SIGMOID, -1000, 0.0},
    {SIGMOID, NAN, NAN},
    {SOFTPLUS, INFINITY, INFINITY},
    {SOFTPLUS, -INFINITY, 0.0},
    {SOFTPLUS, 1000, 1000},
    {SOFTPLUS, -1000, 0.0},
    {SOFTPLUS, NAN, NAN},
    {SQRT, -0.0, -0.0},
    {SQRT, 9, 3},
    {SQRT, -1, NAN},
    {SQRT, INFINITY, INFINITY},
    {ABS, -0.0, 0.0},
    {ABS, -2, 2},
    {ABS, -INFINITY, INFINITY},
    {ABS, NAN, NAN},
    {SIGN, 0.0, 0.0},
    {SIGN, -0.0, 0.0},
    {SIGN, 5, 1},
    {SIGN, -5, -1},
    {SIGN, -INFINITY, -1},
    {SIGN, NAN, NAN},
};

static const special_case cases_f32[] = {
    {EXP, 0x1.62e42ep6, 0x1.ffff08p127}, /* the last that does not overflow */
    {EXP, 0x1.62e43p6, INFINITY},
    {EXP, -0x1.9fe368p6, 0x1p-149}, /* the last that does not underflow */
    {EXP, -0x1.9fe36ap6, 0.0},
    {EXPM1, 0x1.62e42ep6, 0x1.ffff08p127},
    {EXPM1, 0x1.62e43p6, INFINITY},
    {EXPM1, 0x1p-149, 0x1p-149},
    {EXPM1, -0x1.fffffcp-127, -0x1.fffffcp-127},
    {LOG, 0x1p-149, -0x1.9d1dap6},
    {LOG, 0x1p-126, -0x1.5d58ap6},
    {LOG1P, 0x1p-149, 0x1p-149},
    {LOG1P, -0x1.fffffcp-127, -0x1.fffffcp-127},
    {TANH, 0x1p-149, 0x1p-149},
    {TANH, -0x1.fffffcp-127, -0x1.fffffcp-127},
    {SIGMOID, -0x1.9fe368p6, 0x1p-149},
    {SOFTPLUS, -0x1.9fe368p6, 0x1p-149},
    {SOFTPLUS, 0.0, 0x1.62e43p-1},
};

static const special_case cases_f64[] = {
    {EXP, 0x1.62e42fefa39efp9, 0x1.fffffffffff2ap1023},
    {EXP, 0x1.62e42fefa39fp9, INFINITY},
    {EXP, -0x1.74910d52d3051p9, 0x1p-1074},
    {EXP, -0x1.74910d52d3052p9, 0.0},
    {EXPM1, 0x1.62e42fefa39efp9, 0x1.fffffffffff2ap1023},
    {EXPM1, 0x1.62e42fefa39fp9, INFINITY},
    {EXPM1, 0x1p-1074, 0x1p-1074},
    {EXPM1, -0x1.ffffffffffffep-1023, -0x1.ffffffffffffep-1023},
    {LOG, 0x1p-1074, -0x1.74385446d71c3p9},
    {LOG, 0x1p-1022, -0x1.6232bdd7abcd2p9},
    {LOG1P, 0x1p-1074, 0x1p-1074},
    {LOG1P, -0x1.ffffffffffffep-1023, -0x1.ffffffffffffep-1023},
    {TANH, 0x1p-1074, 0x1p-1074},
    {TANH, -0x1.ffffffffffffep-1023, -0x1.ffffffffffffep-1023},
    {SIGMOID, -0x1.74910d52d3051p9, 0x1p-1074},
    {SOFTPLUS, -0x1.74910d52d3051p9, 0x1p-1074},
    {SOFTPLUS, 0.0, 0x1.62e42fefa39efp-1},
};

static void check_f32(const special_case *c)
{
    const float y = scalar_f32(c->f, (float)c->x, 0);
    if (isnan(c->y) ? !isnan(y) : tp__bits_f32(y) != tp__bits_f32((float)c->y))
        fail_msg("%s_f32(%a) = %a, not %a", name[c->f], c->x, (double)y, c->y);
}

static void check_f64(const special_case *c)
{
    const double y = scalar_f64(c->f, c->x, 0);
    if (isnan(c->y) ? !isnan(y) : tp__bits_f64(y) != tp__bits_f64(c->y))
        fail_msg("%s_f64(%a) = %a, not %a", name[c->f], c->x, y, c->y);
}

static void test_special_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof common_cases / sizeof *common_cases; i++) {
        check_f32(&common_cases[i]);
        check_f64(&common_cases[i]);
    }
    for (size_t i = 0; i < sizeof cases_f32 / sizeof *cases_f32; i++)
        check_f32(&cases_f32[i]);
    for (size_t i = 0; i < sizeof cases_f64 / sizeof *cases_f64; i++)
        check_f64(&cases_f64[i]);
}

static void test_max_min(void **state)
{
    (void)state;
    for (int f = MAX; f <= MIN; f++) {
        assert_true(scalar_f32(f, -2, 3) == (f == MAX ? 3 : -2));
        assert_true(scalar_f32(f, 3, -2) == (f == MAX ? 3 : -2));
        assert_true(scalar_f64(f, -INFINITY, INFINITY) == (double)(f == MAX ? INFINITY : -INFINITY));
        assert_true(scalar_f64(f, INFINITY, -INFINITY) == (double)(f == MAX ? INFINITY : -INFINITY));

        assert_true(isnan(scalar_f32(f, NAN, 1)) && isnan(scalar_f32(f, 1, NAN)));
        assert_true(isnan(scalar_f64(f, NAN, INFINITY)) && isnan(scalar_f64(f, -INFINITY, NAN)));

        assert_true(signbit(scalar_f32(f, 0.0f, -0.0f)) && !signbit(scalar_f32(f, -0.0f, 0.0f)));
        assert_true(signbit(scalar_f64(f, 0.0, -0.0)) && !signbit(scalar_f64(f, -0.0, 0.0)));
    }
}

static void test_macros_keep_the_type(void **state)
{
    (void)state;
    const float x = 2;
    const double z = 2;
    assert_int_equal(sizeof(TP_EXP(x)), sizeof x);
    assert_int_equal(sizeof(TP_EXP(z)), sizeof z);
    assert_int_equal(sizeof(TP_SQRT(x)), sizeof x);
    assert_int_equal(sizeof(TP_ABS(z)), sizeof z);
    assert_int_equal(sizeof(TP_MAX(x, 0)), sizeof x);
    assert_int_equal(sizeof(TP_MIN(0, z)), sizeof z);
    assert_true(TP_MAX(-x, 0) == 0 && TP_MIN(0, z) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_values),       cmocka_unit_test(test_max_min),
        cmocka_unit_test(test_macros_keep_the_type), cmocka_unit_test(test_accuracy_f32),
        cmocka_unit_test(test_accuracy_f64),         cmocka_unit_test(test_same_bits_baseline),
        cmocka_unit_test(test_same_bits_avx2),       cmocka_unit_test(test_same_bits_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
