/* test_extremes.c -- elementwise rows at zeros, infinities, NaN, huge and tiny numbers: what libm and IEEE arithmetic say,
 * in f64 and f32; i32 at its ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_rows.h"

static const double special_f64[] = {
    0.0,      -0.0,    1,           -1,          INFINITY,     -INFINITY,    NAN,    DBL_MAX,
    -DBL_MAX, DBL_MIN, -DBL_MIN,    0x1p-1074,   -0x1p-1074,   0x1.8p-1060,  1e-300, -1e-300,
    1e300,    0.5,     -0.5,        1.5,         1e-17,        -1e-17,       1e17,   20,
    -20,      36,      -37,         709,         710,          -708,         -744,   -750,
    88,       -104,    1 - 0x1p-53, 1 + 0x1p-52, -1 + 0x1p-53, -1 - 0x1p-52,
};
static const double special_f32[] = {
    0.0,      -0.0,    1,           -1,          INFINITY,     -INFINITY,    NAN,      FLT_MAX,
    -FLT_MAX, FLT_MIN, -FLT_MIN,    0x1p-149,    -0x1p-149,    0x1.8p-140,   0x1p-100, -0x1p-100,
    0x1p100,  0.5,     -0.5,        1.5,         0x1p-30,      -0x1p-30,     0x1p30,   20,
    -20,      16,      -17,         88,          89,           -87,          -103,     -110,
    10,       -10,     1 - 0x1p-24, 1 + 0x1p-23, -1 + 0x1p-24, -1 - 0x1p-23,
};
enum { SPECIALS = sizeof special_f64 / sizeof *special_f64, FEW_SPECIALS = 16 };

static double rounded_to(tp_dtype dtype, double x)
{
    return dtype == TP_F32 ? as_f32(x) : x;
}

/* At a tie of zeros either may win. */
static bool zero_sign_matters(const op_row *row)
{
    return strcmp(row->constructor, "tp_maximum") != 0 && strcmp(row->constructor, "tp_minimum") != 0;
}

static void check_point(const op_row *row, tp_dtype dtype, const double *x, double got)
{
    const double expected = rounded_to(dtype, row_value(row, x));
    const bool sign_fits = expected != 0 || !zero_sign_matters(row) || signbit(got) == signbit(expected);
    char name[128];

    if (row_value_fits(row, dtype, got, expected) && (got != 0 || sign_fits))
        return;
    fail_msg("%s in %s of %g, %g, %g is %.17g instead of %.17g", row_name(row, name), tp_dtype_name(dtype),
             x[0], row->n > 1 ? x[1] : 0, row->n > 2 ? x[2] : 0, got, expected);
}

/* All combinations of the first `few` specials. */
static void check_row(const op_row *row, tp_dtype dtype, const double *special, int64_t few)
{
    static double operand[3][VALUES_MAX], y[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3];
    int64_t n = 1;

    for (int k = 0; k < row->n; k++)
        n *= few;
    for (int k = 0; k < row->n; k++) {
        int64_t step = 1;
        for (int j = 0; j < k; j++)
            step *= few;
        for (int64_t i = 0; i < n; i++)
            operand[k][i] = special[i / step % few];
        x[k] = make_leaf(tape, dtype, TP_SHAPE(n), operand[k]);
    }
    const tp_tensor result = row->build(x, row);
    assert_no_error(tape);
    compute(result, y);
    for (int64_t i = 0; i < n; i++) {
        const double at[3] = {operand[0][i], row->n > 1 ? operand[1][i] : 0, row->n > 2 ? operand[2][i] : 0};
        check_point(row, dtype, at, y[i]);
    }
    tp_tape_destroy(tape);
}

static void test_values_at_extremes(void **state)
{
    int count, cases = 0;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++) {
        if (!row_has_value(&row[r]))
            continue;
        const int64_t few = row[r].n == 3 ? FEW_SPECIALS : SPECIALS;
        check_row(&row[r], TP_F64, special_f64, few);
        check_row(&row[r], TP_F32, special_f32, few);
        cases++;
    }
    assert_in_range(cases, 35, 1000);
}

/* ---- Reductions and what is composed of them -------------------------------------------------------------- */

typedef struct special_reduction {
    const char *name;
    tp_tensor (*of)(tp_tensor x);
    double x[3], expected;
} special_reduction;

static const special_reduction reductions[] = {
    {"sum", tp_sum, {1, NAN, 2}, NAN},
    {"sum", tp_sum, {1, INFINITY, 2}, INFINITY},
    {"sum", tp_sum, {INFINITY, -INFINITY, 0}, NAN},
    {"sum", tp_sum, {1e30, 1, -1e30}, 1}, /* in the documented order */
    {"prod", tp_prod, {0, INFINITY, 1}, NAN},
    {"prod", tp_prod, {2, NAN, 0}, NAN},
    {"prod", tp_prod, {2, -INFINITY, 3}, -INFINITY},
    {"max", tp_max, {1, NAN, 2}, NAN},
    {"max", tp_max, {NAN, 1, 2}, NAN},
    {"max", tp_max, {1, 2, NAN}, NAN},
    {"max", tp_max, {-INFINITY, -INFINITY, -INFINITY}, -INFINITY},
    {"max", tp_max, {-INFINITY, INFINITY, 0}, INFINITY},
    {"min", tp_min, {1, NAN, 2}, NAN},
    {"min", tp_min, {2, 1, NAN}, NAN},
    {"min", tp_min, {INFINITY, INFINITY, INFINITY}, INFINITY},
    {"min", tp_min, {-INFINITY, INFINITY, 0}, -INFINITY},
    {"mean", tp_mean, {1, NAN, 2}, NAN},
    {"mean", tp_mean, {1, 2, 6}, 3},
    {"norm", tp_norm, {0, 0, 0}, 0},
    {"norm", tp_norm, {0, -0.0, 0}, 0},
    {"norm", tp_norm, {3, 0, -4}, 5},
    {"norm", tp_norm, {1, NAN, 2}, NAN},
    {"norm", tp_norm, {1, -INFINITY, 2}, INFINITY},
    {"logsumexp", tp_logsumexp, {-INFINITY, -INFINITY, -INFINITY}, -INFINITY},
    {"logsumexp", tp_logsumexp, {-INFINITY, 3, -INFINITY}, 3},
    {"logsumexp", tp_logsumexp, {INFINITY, 3, 1}, INFINITY},
    {"logsumexp", tp_logsumexp, {1, NAN, 2}, NAN},
    {"logsumexp", tp_logsumexp, {1e4, -1e4, 0}, 1e4},
    {"logsumexp", tp_logsumexp, {-1e30, -1e30, -1e30}, -1e30},
};

static void check_reductions(tp_dtype dtype)
{
    for (size_t k = 0; k < sizeof reductions / sizeof *reductions; k++) {
        const special_reduction *r = &reductions[k];
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = make_leaf(tape, dtype, TP_SHAPE(3), r->x);
        const double got = compute_one(r->of(x));
        if (!(ulps_apart(dtype, got, rounded_to(dtype, r->expected)) <= 1))
            fail_msg("%s of %g, %g, %g in %s is %.17g instead of %g", r->name, r->x[0], r->x[1], r->x[2],
                     tp_dtype_name(dtype), got, r->expected);
        assert_no_error(tape);
        tp_tape_destroy(tape);
    }
}

static void test_reductions_at_extremes(void **state)
{
    (void)state;
    check_reductions(TP_F64);
    check_reductions(TP_F32);
}

static void check_softmax(const double *x, const double *expected, const double *logarithm)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(3), x);
    double got[3];

    compute(tp_softmax(leaf, 0), got);
    assert_close("softmax", got, expected, 3, 1e-15);
    compute(tp_log_softmax(leaf, 0), got);
    assert_close("log_softmax", got, logarithm, 3, 1e-15);
    tp_tape_destroy(tape);
}

static void test_softmax_at_extremes(void **state)
{
    const double inf = INFINITY, half = log(0.5);
    (void)state;
    check_softmax((double[]){-inf, 2, 2}, (double[]){0, 0.5, 0.5}, (double[]){-inf, half, half});
    check_softmax((double[]){-inf, -inf, -3}, (double[]){0, 0, 1}, (double[]){-inf, -inf, 0});
    check_softmax((double[]){1e308, -1e308, 1e308}, (double[]){0.5, 0, 0.5}, (double[]){half, -inf, half});
    check_softmax((double[]){1, NAN, 2}, (double[]){NAN, NAN, NAN}, (double[]){NAN, NAN, NAN});
    check_softmax((double[]){1000, 1000, 0}, (double[]){0.5, 0.5, 0}, (double[]){half, half, -1000 + half});
}

/* Without elements: sums are 0 and products 1, both positive. */
static void test_reductions_of_nothing(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(0, 2), NULL),
                    k = tp_parameter(tape, TP_I32, TP_SHAPE(0), NULL);
    const double zero[] = {0, 0}, one[] = {1, 1};
    double got[2];

    (void)state;
    assert_same("sum", (double[]){compute_one(tp_sum(x))}, zero, 1);
    assert_same("prod", (double[]){compute_one(tp_prod(x))}, one, 1);
    compute(tp_sum_over(x, TP_AXES(0), false), got);
    assert_same("sum over", got, zero, 2);
    compute(tp_prod_over(x, TP_AXES(0), false), got);
    assert_same("prod over", got, one, 2);
    compute(tp_sum_to(x, TP_SHAPE(2)), got);
    assert_same("sum to", got, zero, 2);
    compute(tp_matmul(tp_transpose(x, 0, 1), tp_parameter(tape, TP_F64, TP_SHAPE(0), NULL)), got);
    assert_same("matmul", got, zero, 2);
    assert_same("norm", (double[]){compute_one(tp_norm(x))}, zero, 1);
    assert_same("i32 sum", (double[]){compute_one(tp_sum(k))}, zero, 1);
    assert_same("i32 prod", (double[]){compute_one(tp_prod(k))}, one, 1);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- i32 -------------------------------------------------------------------------------------------------- */

static void test_i32_wraps(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double low = INT32_MIN, high = INT32_MAX;
    const tp_tensor a = make_leaf(tape, TP_I32, TP_SHAPE(3), (double[]){high, low, 65536});
    const tp_tensor b = make_leaf(tape, TP_I32, TP_SHAPE(3), (double[]){1, -1, 65537});
    double got[3];

    (void)state;
    compute(tp_add(a, b), got);
    assert_same("add", got, (double[]){low, high, 131073}, 3);
    compute(tp_sub(a, tp_neg(b)), got);
    assert_same("sub", got, (double[]){low, high, 131073}, 3);
    compute(tp_mul(a, b), got);
    assert_same("mul", got, (double[]){high, low, 65536}, 3);
    compute(tp_neg(a), got);
    assert_same("neg", got, (double[]){-high, low, -65536}, 3);
    compute(tp_abs(a), got);
    assert_same("abs", got, (double[]){high, low, 65536}, 3);
    tp_tape_destroy(tape);
}

static void check_i32_overflow(tp_tensor (*of)(tp_tensor), const double *x, bool fits, double expected)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor y = of(make_leaf(tape, TP_I32, TP_SHAPE(3), x));
    tp_program *program = compile_all(&y, 1);
    double got;

    assert_int_equal(tp_run(program), fits ? TP_OK : TP_BAD_VALUE);
    if (fits) {
        get_values(y, &got);
        assert_true(got == expected);
    } else {
        assert_error(tape, TP_BAD_VALUE, "does not fit i32");
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_i32_reductions_that_do_not_fit(void **state)
{
    const double low = INT32_MIN, high = INT32_MAX;
    (void)state;
    check_i32_overflow(tp_sum, (double[]){high, 1, 0}, false, 0);
    check_i32_overflow(tp_sum, (double[]){high, high, low}, true, high - 1);
    check_i32_overflow(tp_sum, (double[]){low, -1, 0}, false, 0);
    check_i32_overflow(tp_prod, (double[]){high, high, high}, false, 0);
    check_i32_overflow(tp_prod, (double[]){low, low, 0}, true, 0);
    check_i32_overflow(tp_prod, (double[]){65536, 32768, -1}, true, low);
    check_i32_overflow(tp_prod, (double[]){65536, 32768, 1}, false, 0);
    check_i32_overflow(tp_max, (double[]){low, low, low}, true, low);
    check_i32_overflow(tp_min, (double[]){high, high, high}, true, high);
}

static void test_casts(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double low = INT32_MIN, high = INT32_MAX;
    const double x[] = {1.9,      -1.9,      0.5,          1e10,          -1e10, NAN,
                        INFINITY, -INFINITY, 2147483647.5, -2147483648.5, -0.0};
    const double expected[] = {1, -1, 0, high, low, low, high, low, high, low, 0};
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(11), x),
                    single = make_leaf(tape, TP_F32, TP_SHAPE(11), x);
    double got[11];

    (void)state;
    compute(tp_cast(leaf, TP_I32), got);
    assert_same("f64 to i32", got, expected, 11);
    compute(tp_cast(single, TP_I32), got);
    assert_same("f32 to i32", got, (double[]){1, -1, 0, high, low, low, high, low, high, low, 0}, 11);
    compute(tp_cast(tp_cast(leaf, TP_I32), TP_F64), got);
    assert_same("i32 to f64", got, expected, 11);
    compute(tp_cast(make_leaf(tape, TP_I32, TP_SHAPE(2), (double[]){16777217, -3}), TP_F32), got);
    assert_same("i32 to f32", got, (double[]){16777216, -3}, 2);
    compute(tp_cast(make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){1e300, 0.1}), TP_F32), got);
    assert_same("f64 to f32", got, (double[]){INFINITY, (double)0.1f}, 2);
    assert_int_equal(tp_cast(leaf, TP_F64).id, leaf.id);

    /* a weak scalar becomes a number of that dtype */
    assert_int_equal(tp_cast(tp_scalar(tape, -2.7), TP_I32).id, tp_scalar_of(tape, TP_I32, -2).id);
    assert_int_equal(tp_cast(tp_scalar(tape, NAN), TP_I32).id, tp_scalar_of(tape, TP_I32, low).id);
    assert_int_equal(tp_cast(tp_scalar(tape, 0.1), TP_F32).id, tp_scalar_of(tape, TP_F32, 0.1).id);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_at_extremes),
        cmocka_unit_test(test_reductions_at_extremes),
        cmocka_unit_test(test_softmax_at_extremes),
        cmocka_unit_test(test_reductions_of_nothing),
        cmocka_unit_test(test_i32_wraps),
        cmocka_unit_test(test_i32_reductions_that_do_not_fit),
        cmocka_unit_test(test_casts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
