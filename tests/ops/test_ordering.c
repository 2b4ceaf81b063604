/* test_ordering.c -- argmax, argmin at ties, NaN and infinities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "values.h"

static const double INF = HUGE_VAL;

/* ---- argmax, argmin -------------------------------------------------------------------------------------- */

static void check_positions(tp_dtype dtype, const double *x, int64_t n, double largest, double smallest)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, dtype, TP_SHAPE(n), x);
    const tp_tensor at[] = {tp_argmax(leaf), tp_argmin(leaf)};
    assert_int_equal(tp_dtype_of(at[0]), TP_I32);
    assert_true(compute_one(at[0]) == largest);
    assert_true(compute_one(at[1]) == smallest);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_first_at_a_tie(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++) {
        check_positions(dtype, (double[]){1, 3, 0, 3, 0}, 5, 1, 2);
        check_positions(dtype, (double[]){0, -0.0, 0}, 3, 0, 0);
        check_positions(dtype, (double[]){-2, -1, -1, -2}, 4, 1, 0);
        check_positions(dtype, (double[]){7}, 1, 0, 0);
    }
    check_positions(TP_I32, (double[]){INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN}, 4, 0, 1);
}

static void test_infinities(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++) {
        check_positions(dtype, (double[]){-INF, -INF}, 2, 0, 0);
        check_positions(dtype, (double[]){INF, INF}, 2, 0, 0);
        check_positions(dtype, (double[]){1, -INF, INF, -INF, INF}, 5, 2, 1);
    }
}

/* Where tp_max and tp_min are NaN, this is why. */
static void test_first_nan_wins(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++) {
        check_positions(dtype, (double[]){1, NAN, INF, NAN, -INF}, 5, 1, 1);
        check_positions(dtype, (double[]){-NAN, 5}, 2, 0, 0);
        check_positions(dtype, (double[]){-INF, 2, NAN}, 3, 2, 2);
    }
}

static void test_position_over_axes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {1, 9, 2, 3, 4, 5, 6, 7, 8, 0, 9, 9};
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(2, 3, 2), x);
    double got[12];
    (void)state;

    compute(tp_argmax_over(leaf, TP_AXES(1), false), got);
    assert_same("one axis", got, (double[]){2, 0, 2, 2}, 4);
    compute(tp_argmax_over(leaf, TP_AXES(2, 0), true), got);
    assert_same("two axes", got, (double[]){1, 2, 2}, 3);
    assert_true(tp_shape_equal(tp_shape_of(tp_argmax_over(leaf, TP_AXES(2, 0), true)), TP_SHAPE(1, 3, 1)));
    assert_true(compute_one(tp_argmax(leaf)) == 1);
    assert_true(compute_one(tp_argmin_over(leaf, TP_AXES(0, 1, 2), false)) == 9);
    compute(tp_argmin_over(leaf, (tp_axes){.n = 0}, false), got);
    for (int i = 0; i < 12; i++)
        assert_true(got[i] == 0);
    assert_no_error(tape);

    /* no axis to spare: rank 8, and none reduced */
    const tp_tensor full = tp_parameter(tape, TP_F32, TP_SHAPE(1, 1, 2, 1, 1, 1, 1, 1), NULL);
    assert_int_equal(tp_shape_of(tp_argmax_over(full, (tp_axes){.n = 0}, false)).rank, 8);
    assert_int_equal(tp_shape_of(tp_argmax_over(full, TP_AXES(2), true)).rank, 8);
    /* no rows at all */
    const tp_tensor none = tp_parameter(tape, TP_F32, TP_SHAPE(0, 3), NULL);
    assert_int_equal(tp_count_of(tp_argmax_over(none, TP_AXES(1), false)), 0);
    assert_no_error(tape);
    assert_false(tp_is_valid(tp_argmax(tp_scalar(tape, 1))));
    assert_error(tape, TP_BAD_DTYPE, "argmax: a weak scalar has no dtype here");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_at_a_tie),
        cmocka_unit_test(test_infinities),
        cmocka_unit_test(test_first_nan_wins),
        cmocka_unit_test(test_position_over_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
