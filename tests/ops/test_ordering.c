/* test_ordering.c -- argmax, argmin, sort and topk at ties, signed zeros, NaN and infinities, against the plainest sort
 * there is; medians and quantiles. */
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

/* ---- sort, argsort --------------------------------------------------------------------------------------- */

enum { LONGEST = 2500 };

/* Does a go before b?  NaN goes last; equal numbers, 0 and -0 among them, before none. */
static bool goes_before(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b))
        return !isnan(a);
    return descending ? a > b : a < b;
}

/* Positions in order, by stable insertion. */
static void sort_plainly(const double *x, int64_t n, bool descending, int32_t *position)
{
    for (int32_t i = 0; i < (int32_t)n; i++) {
        int32_t j = i;
        for (; j > 0 && goes_before(x[i], x[position[j - 1]], descending) &&
               !(isnan(x[i]) && isnan(x[position[j - 1]]));
             j--)
            position[j] = position[j - 1];
        position[j] = i;
    }
}

typedef enum pattern { DISTINCT, FEW_VALUES, ASCENDING, DESCENDING, CONSTANT, SPECIAL, PATTERNS } pattern;

static void fill(pattern kind, tp_dtype dtype, int64_t n, double *x)
{
    static const double special[] = {0, -0.0, NAN, HUGE_VAL, -HUGE_VAL, 1, -1, -NAN, 0x1p-149, -0x1p-149};
    generator g = seeded((uint64_t)n + 31 * (uint64_t)kind);
    for (int64_t i = 0; i < n; i++) {
        switch (kind) {
        case DISTINCT: x[i] = next_between(&g, -1e6, 1e6); break;
        case FEW_VALUES: x[i] = (double)(next_below(&g, 5) - 2); break;
        case ASCENDING: x[i] = (double)(i - n / 2) * 0.25; break;
        case DESCENDING: x[i] = (double)(n / 2 - i) * 0.25; break;
        case CONSTANT: x[i] = -1.5; break;
        default: x[i] = special[next_below(&g, 10)];
        }
        if (dtype == TP_I32)
            x[i] = kind == SPECIAL ? (i % 3 == 0 ? INT32_MIN : i % 3 == 1 ? INT32_MAX : 0) : floor(x[i]);
    }
}

static void check_sort(tp_dtype dtype, const double *x, int64_t n, bool descending)
{
    static double values[LONGEST], positions[LONGEST], expected[LONGEST], taken[LONGEST];
    static int32_t order[LONGEST];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, dtype, TP_SHAPE(n), x);

    sort_plainly(x, n, descending, order);
    compute(tp_sort(leaf, 0, descending), values);
    compute(tp_argsort(leaf, 0, descending), positions);
    compute(tp_take_along_axis(leaf, tp_argsort(leaf, 0, descending), 0), taken);
    for (int64_t i = 0; i < n; i++)
        expected[i] = order[i];
    assert_same("positions", positions, expected, n);
    for (int64_t i = 0; i < n; i++)
        expected[i] = x[order[i]] + (dtype == TP_I32 ? 0.0 : -0.0); /* i32 has no -0 */
    assert_same("values", values, expected, n);
    assert_same("what stands there", taken, expected, n);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_against_a_plain_sort(void **state)
{
    static const int64_t sizes[] = {1, 2, 3, 17, 40, 41, 64, 255, 767, 768, 769, 2500};
    static double x[LONGEST];
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (pattern kind = DISTINCT; kind < PATTERNS; kind++)
            for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++)
                for (int descending = 0; descending < 2; descending++) {
                    fill(kind, dtype, sizes[k], x);
                    check_sort(dtype, x, sizes[k], descending);
                }
}

/* Doubles that differ only beyond what a float, or half a key, holds. */
static void test_close_doubles(void **state)
{
    static double x[100];
    (void)state;
    for (int scale = 0; scale < 2; scale++) {
        for (int i = 0; i < 100; i++)
            x[i] = (scale ? -1 : 1) + (double)(i * 37 % 100) * 0x1p-50;
        for (int64_t n = 30; n <= 100; n += 70) { /* few, and many */
            check_sort(TP_F64, x, n, false);
            check_sort(TP_F64, x, n, true);
        }
    }
}

static void test_every_axis_is_sorted(void **state)
{
    static double x[60], got[60];
    tp_tape *tape = tp_tape_create(NULL);
    const int64_t step[] = {20, 5, 1}, size[] = {3, 4, 5};
    (void)state;

    for (int i = 0; i < 60; i++)
        x[i] = i * 37 % 60;
    const tp_tensor leaf = make_leaf(tape, TP_F32, TP_SHAPE(3, 4, 5), x);
    for (int axis = 0; axis < 3; axis++) {
        compute(tp_sort(leaf, axis - 3, true), got);
        for (int i = 0; i < 60; i++)
            assert_true(i / step[axis] % size[axis] == size[axis] - 1 || got[i] > got[i + step[axis]]);
    }
    assert_no_error(tape);
    assert_false(tp_is_valid(tp_sort(tp_scalar_of(tape, TP_F32, 1), 0, false)));
    assert_error(tape, TP_BAD_SHAPE, "sort: axis 0 is out of range for f32[]");
    tp_tape_destroy(tape);
}

/* The op as anybody may record it: a number is a row of one. */
static void test_op_on_a_number(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor row = tp_parameter(tape, TP_F64, TP_SHAPE(2), NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE_0D, (double[]){5});
    const tp_tensor made[] = {tp_sort(row, 0, true), tp_argsort(row, 0, true)};
    double got;
    (void)state;

    const tp_tensor same = tp_record(tp_op_of(made[0]), &x, 1, tp_attr_of(made[0]));
    assert_true(compute_one(same) == 5);
    assert_true(compute_one(tp_record(tp_op_of(made[1]), &x, 1, tp_attr_of(made[1]))) == 0);
    compute_gradient(tp_square(same), x, &got);
    assert_true(got == 10);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- topk ------------------------------------------------------------------------------------------------ */

static void check_topk(tp_dtype dtype, const double *x, int64_t n, int64_t k, bool largest)
{
    static double values[LONGEST], positions[LONGEST], expected[LONGEST];
    static int32_t order[LONGEST];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, dtype, TP_SHAPE(n), x);

    sort_plainly(x, n, largest, order);
    compute(tp_argtopk(leaf, k, 0, largest), positions);
    compute(tp_topk(leaf, k, 0, largest), values);
    for (int64_t i = 0; i < k; i++)
        expected[i] = order[i];
    assert_same("positions", positions, expected, k);
    for (int64_t i = 0; i < k; i++)
        expected[i] = x[order[i]] + (dtype == TP_I32 ? 0.0 : -0.0);
    assert_same("values", values, expected, k);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_first_of_the_sorted(void **state)
{
    static const int64_t sizes[] = {1, 3, 64, 129, 500, 2500},
                         counts[] = {0, 1, 2, 10, 63, 64, 65, 100, 400, 2500};
    static double x[LONGEST];
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (pattern kind = DISTINCT; kind < PATTERNS; kind++)
            for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++)
                for (size_t c = 0; c < sizeof counts / sizeof *counts && counts[c] <= sizes[s]; c++) {
                    fill(kind, dtype, sizes[s], x);
                    check_topk(dtype, x, sizes[s], counts[c], true);
                    check_topk(dtype, x, sizes[s], counts[c], false);
                }
}

static void test_topk_of_rows(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {1, 5, 3, 9, 2, 7, 4, 4, 8};
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(3, 3), x);
    double got[9];
    (void)state;

    compute(tp_topk(leaf, 2, 0, true), got);
    assert_same("columns", got, (double[]){9, 5, 8, 4, 4, 7}, 6);
    compute(tp_argtopk(leaf, 2, 0, true), got);
    assert_same("where", got, (double[]){1, 0, 2, 2, 2, 1}, 6);
    compute(tp_topk(leaf, 2, 1, false), got);
    assert_same("rows", got, (double[]){1, 3, 2, 7, 4, 4}, 6);
    compute_gradient(tp_sum(tp_square(tp_topk(leaf, 2, 1, false))), leaf, got);
    assert_same("gradient", got, (double[]){2, 0, 6, 0, 4, 14, 8, 8, 0}, 9);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- median, quantile ------------------------------------------------------------------------------------ */

static void check_quantile(tp_dtype dtype, const double *x, int64_t n, double q, double expected)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double got = compute_one(tp_quantile(make_leaf(tape, dtype, TP_SHAPE(n), x), q));
    assert_same("quantile", &got, &expected, 1);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_quantiles(void **state)
{
    const double x[] = {7, 1, 3, 5};
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++) {
        check_quantile(dtype, x, 4, 0, 1);
        check_quantile(dtype, x, 4, 1, 7);
        check_quantile(dtype, x, 4, 0.5, 4);
        check_quantile(dtype, x, 4, 0.25, 2.5);
        check_quantile(dtype, x, 3, 0.5, 3);
        check_quantile(dtype, x, 1, 0.3, 7);
        check_quantile(dtype, (double[]){2, -0.0}, 2, 0, -0.0);
        check_quantile(dtype, (double[]){INF, 1, INF, INF}, 4, 0.5, INF);
        check_quantile(dtype, (double[]){1, INF}, 2, 0.25, INF);
        check_quantile(dtype, (double[]){1, -INF}, 2, 0.25, -INF);
        check_quantile(dtype, (double[]){-INF, INF}, 2, 0.5, NAN);
        check_quantile(dtype, (double[]){1, NAN, 2, 3}, 4, 0, NAN);
    }
    check_quantile(TP_F64, (double[]){-1.7e308, 1.7e308}, 2, 0.5, 0); /* their difference overflows */
}

/* Between equal numbers lies that number. */
static void test_quantiles_of_one_number(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++)
        for (int k = 0; k <= 20; k++) {
            const double same = dtype == TP_F32 ? as_f32(k / 7.0) : k / 7.0;
            check_quantile(dtype, (double[]){same, same, same}, 3, k / 20.0, same);
        }
}

static void test_median(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {5, 1, 9, 3, 2, 2, 8, 0};
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(2, 4), x);
    double got[8];
    (void)state;

    compute(tp_median_over(leaf, TP_AXES(1), false), got);
    assert_same("rows", got, (double[]){4, 2}, 2);
    compute(tp_median_over(leaf, TP_AXES(0), true), got);
    assert_same("columns", got, (double[]){3.5, 1.5, 8.5, 1.5}, 4);
    assert_true(compute_one(tp_median(leaf)) == 2.5);
    assert_int_equal(tp_median(leaf).id, tp_quantile(leaf, 0.5).id);
    assert_int_equal(tp_median_over(leaf, (tp_axes){.n = 0}, true).id, leaf.id);
    compute_gradient(tp_sum(tp_median_over(leaf, TP_AXES(1), false)), leaf, got);
    assert_same("gradient", got, (double[]){0.5, 0, 0, 0.5, 0.5, 0.5, 0, 0}, 8); /* in the second row a tie */
    assert_no_error(tape);

    const tp_tensor rows = tp_parameter(tape, TP_F64, TP_SHAPE(0, 3), NULL);
    assert_int_equal(tp_count_of(tp_median_over(rows, TP_AXES(1), false)), 0);
    assert_no_error(tape);
    assert_false(tp_is_valid(tp_median_over(rows, TP_AXES(0), false)));
    assert_error(tape, TP_BAD_SHAPE, "median: there is none of no elements: f64[0,3]");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_at_a_tie),
        cmocka_unit_test(test_infinities),
        cmocka_unit_test(test_first_nan_wins),
        cmocka_unit_test(test_position_over_axes),
        cmocka_unit_test(test_against_a_plain_sort),
        cmocka_unit_test(test_close_doubles),
        cmocka_unit_test(test_every_axis_is_sorted),
        cmocka_unit_test(test_op_on_a_number),
        cmocka_unit_test(test_first_of_the_sorted),
        cmocka_unit_test(test_topk_of_rows),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_quantiles_of_one_number),
        cmocka_unit_test(test_median),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
