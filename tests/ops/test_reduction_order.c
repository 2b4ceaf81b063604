/* test_reduction_order.c -- the order in which reductions fold, as tapir/op.h documents it (tp_fold), written a
 * second time and compared bit for bit; sums over every set of axes; the accuracy that the order buys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "values.h"

/* ---- The order, a second time ------------------------------------------------------------------------- */

typedef double (*fold)(double a, double b);

static double fold_sum(double a, double b)
{
    return a + b;
}

static double fold_prod(double a, double b)
{
    return a * b;
}

static double fold_max(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static double fold_min(double a, double b)
{
    return isnan(a) || a < b ? a : b;
}

/* Lanes start, start + step, ... below TP_LANES: the even half of them, then the odd half. */
static double fold_lanes(fold f, const double *lane, int start, int step)
{
    if (step == TP_LANES)
        return lane[start];
    return f(fold_lanes(f, lane, start, 2 * step), fold_lanes(f, lane, start + step, 2 * step));
}

static double fold_tile(fold f, double identity, const double *x, int64_t n)
{
    double lane[TP_LANES];
    for (int l = 0; l < TP_LANES; l++)
        lane[l] = identity;
    for (int64_t i = 0; i < n; i++)
        lane[i % TP_LANES] = f(lane[i % TP_LANES], x[i]);
    return fold_lanes(f, lane, 0, 1);
}

/* Pairwise: the largest power of two of the tiles by halves, then the rest. */
static double fold_tiles(fold f, double identity, const double *x, int64_t n)
{
    const int64_t tiles = (n + TP_TILE - 1) / TP_TILE;
    int64_t first = 1;

    if (tiles <= 1)
        return fold_tile(f, identity, x, n);
    while (2 * first < tiles)
        first *= 2;
    const int64_t cut = first * TP_TILE;
    return f(fold_tiles(f, identity, x, cut), fold_tiles(f, identity, x + cut, n - cut));
}

static const struct {
    const char *name;
    tp_tensor (*all)(tp_tensor x);
    tp_tensor (*over)(tp_tensor x, tp_axes axes, bool keepdims);
    fold f;
    double identity;
} kinds[] = {
    {"sum", tp_sum, tp_sum_over, fold_sum, -0.0},
    {"prod", tp_prod, tp_prod_over, fold_prod, 1},
    {"max", tp_max, tp_max_over, fold_max, -INFINITY},
    {"min", tp_min, tp_min_over, fold_min, INFINITY},
};
enum { KINDS = 4, LONGEST = 300000 };

/* Numbers whose sum depends on the order in every bit: x and -x far apart, scattered.  Around 1 for products. */
static void fill(double *x, int64_t n, bool product, uint64_t seed)
{
    generator g = seeded(seed);
    for (int64_t i = 0; i < n; i++)
        x[i] = product ? next_between(&g, 0.98, 1.02)
                       : as_f32(ldexp(next_between(&g, -1, 1), (int)next_below(&g, 40)));
    for (int64_t i = 0; !product && i + 1 < n; i++) {
        const int64_t j = i + 1 + next_below(&g, n - i - 1);
        if (next_chance(&g, 0.7))
            x[j] = -x[i];
    }
}

/* y of a long leaf, without the helpers' limit. */
static double reduce_long(tp_tensor (*all)(tp_tensor), tp_dtype dtype, const double *x, int64_t n)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = tp_parameter(tape, dtype, TP_SHAPE(n), NULL), y = all(leaf);
    float *f32 = dtype == TP_F32 ? tp_leaf_data(leaf, TP_F32) : NULL;
    double *f64 = dtype == TP_F64 ? tp_leaf_data(leaf, TP_F64) : NULL;

    for (int64_t i = 0; i < n; i++) {
        if (f32 != NULL)
            f32[i] = (float)x[i];
        else
            f64[i] = x[i];
    }
    const double result = compute_one(y);
    assert_no_error(tape);
    tp_tape_destroy(tape);
    return result;
}

static void check_length(int64_t n, tp_dtype dtype, double *x)
{
    for (int k = 0; k < KINDS; k++) {
        fill(x, n, kinds[k].f == fold_prod, (uint64_t)n + 100 * (uint64_t)k);
        double expected = fold_tiles(kinds[k].f, kinds[k].identity, x, n);
        if (dtype == TP_F32)
            expected = as_f32(expected);
        const double got = reduce_long(kinds[k].all, dtype, x, n);
        if (!same_f64(got, expected))
            fail_msg("%s of %lld %s: %.17g instead of %.17g", kinds[k].name, (long long)n,
                     tp_dtype_name(dtype), got, expected);
    }
}

static void test_order(void **state)
{
    static const int64_t length[] = {1,    2,    7,    15,   16,   17,   31,    100,
                                     1007, 1008, 1023, 1024, 1025, 1040, 2047,  2048,
                                     2049, 3072, 3077, 5000, 7168, 8191, 65536, 299999};
    double *x = malloc(LONGEST * sizeof *x);

    (void)state;
    assert_non_null(x);
    for (size_t k = 0; k < sizeof length / sizeof *length; k++) {
        check_length(length[k], TP_F32, x);
        check_length(length[k], TP_F64, x);
    }
    free(x);
}

/* The sum of zeros keeps their sign, however few the last tile has. */
static void test_negative_zeros(void **state)
{
    static double x[1100];
    (void)state;
    for (int i = 0; i < 1100; i++)
        x[i] = -0.0;
    for (int64_t n = 1; n <= 1100; n = 2 * n + 1) {
        assert_true(same_f64(reduce_long(tp_sum, TP_F64, x, n), -0.0));
        assert_true(same_f64(reduce_long(tp_sum, TP_F32, x, n), -0.0));
    }
}

/* The order must matter for the numbers above, or the test would show nothing. */
static void test_order_matters(void **state)
{
    static double x[5000];
    double plain = 0;
    (void)state;
    fill(x, 5000, false, 5000);
    for (int i = 0; i < 5000; i++)
        plain += x[i];
    assert_false(same_f64(plain, fold_tiles(fold_sum, -0.0, x, 5000)));
}

/* ---- Every set of axes --------------------------------------------------------------------------------- */

/* x with the elements that fold into one result side by side, in row-major order; returns how many fold into one. */
static int64_t group(const double *x, tp_shape shape, unsigned mask, int64_t results, double *grouped)
{
    static int64_t filled[VALUES_MAX];
    const int64_t n = tp_shape_count(shape), each = results > 0 ? n / results : 0;

    for (int64_t i = 0; i < results; i++)
        filled[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, result = 0, step = 1;
        for (int64_t d = shape.rank - 1; d >= 0; d--) {
            if (!(mask >> d & 1)) {
                result += rest % shape.dim[d] * step;
                step *= shape.dim[d];
            }
            rest /= shape.dim[d];
        }
        grouped[result * each + filled[result]++] = x[i];
    }
    return each;
}

static tp_shape reduced_shape(tp_shape shape, unsigned mask, bool keepdims)
{
    tp_shape y = {.rank = 0};
    for (int64_t d = 0; d < shape.rank; d++) {
        if (!(mask >> d & 1))
            y.dim[y.rank++] = shape.dim[d];
        else if (keepdims)
            y.dim[y.rank++] = 1;
    }
    return y;
}

/* The axes in a scrambled order, some counted from the end. */
static tp_axes axes_of(unsigned mask, int64_t rank)
{
    tp_axes axes = {.n = 0};
    for (int d = (int)rank - 1; d >= 0; d--)
        if (mask >> d & 1)
            axes.axis[axes.n++] = d % 2 == 0 ? d : d - (int)rank;
    return axes;
}

static void check_axes(int k, tp_dtype dtype, tp_shape shape, unsigned mask, bool keepdims)
{
    static double x[VALUES_MAX], part[VALUES_MAX], got[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_shape expected_shape = reduced_shape(shape, mask, keepdims);

    fill(x, tp_shape_count(shape), kinds[k].f == fold_prod, mask + 1);
    const tp_tensor y = kinds[k].over(make_leaf(tape, dtype, shape, x), axes_of(mask, shape.rank), keepdims);
    assert_no_error(tape);
    assert_true(tp_shape_equal(tp_shape_of(y), expected_shape));
    compute(y, got);
    const int64_t n = group(x, shape, mask, tp_count_of(y), part);
    for (int64_t i = 0; i < tp_count_of(y); i++) {
        double expected = fold_tiles(kinds[k].f, kinds[k].identity, part + i * n, n);
        expected = n == 0 && kinds[k].f == fold_sum ? 0 : expected;
        expected = dtype == TP_F32 ? as_f32(expected) : expected;
        if (!same_f64(got[i], expected))
            fail_msg("%s over axes %x, element %lld: %.17g instead of %.17g", kinds[k].name, mask,
                     (long long)i, got[i], expected);
    }
    tp_tape_destroy(tape);
}

static bool has_elements_to_fold(tp_shape shape, unsigned mask)
{
    for (int64_t d = 0; d < shape.rank; d++)
        if ((mask >> d & 1) && shape.dim[d] == 0)
            return false;
    return true;
}

static void test_every_set_of_axes(void **state)
{
    static const tp_shape shape[] = {{4, {2, 3, 4, 5}}, {4, {1, 3, 1, 2}}, {4, {3, 1, 5, 1}},
                                     {4, {2, 0, 3, 1}}, {2, {3, 1500}},    {2, {1500, 3}},
                                     {3, {2, 1100, 2}}, {0, {0}}};
    (void)state;
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
        for (unsigned mask = tp_shape_count(shape[s]) > 1000 ? 1 : 0; mask < 1u << shape[s].rank; mask++)
            for (int k = 0; k < KINDS; k++) {
                if (!has_elements_to_fold(shape[s], mask) &&
                    (kinds[k].f == fold_max || kinds[k].f == fold_min))
                    continue; /* refused */
                check_axes(k, TP_F64, shape[s], mask, true);
                check_axes(k, TP_F64, shape[s], mask, false);
                check_axes(k, TP_F32, shape[s], mask, false);
            }
}

/* ---- Accuracy ------------------------------------------------------------------------------------------ */

static void test_mean_of_ten_million(void **state)
{
    const int64_t n = 10000000;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(n)), mean = tp_mean(x);
    float *data = tp_leaf_data(x, TP_F32);

    (void)state;
    assert_non_null(data);
    for (int64_t i = 0; i < n; i++)
        data[i] = 0.1f;
    assert_true(ulps_apart(TP_F32, compute_one(mean), (double)0.1f) <= 1);
    tp_tape_destroy(tape);
}

/* The reference executor; loops split among threads. */
static int run_by_reference(void **state)
{
    (void)state;
    compile_options = (tp_compile_options){.reference = true};
    return 0;
}

static int run_in_parallel(void **state)
{
    (void)state;
    compile_options = (tp_compile_options){.always_parallel = true};
    return 0;
}

static int run_by_default(void **state)
{
    (void)state;
    compile_options = (tp_compile_options){0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, run_by_reference, run_by_default),
        cmocka_unit_test_setup_teardown(test_order, run_in_parallel, run_by_default),
        cmocka_unit_test_setup_teardown(test_every_set_of_axes, run_by_reference, run_by_default),
        cmocka_unit_test_setup_teardown(test_every_set_of_axes, run_in_parallel, run_by_default),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_matters),
        cmocka_unit_test(test_negative_zeros),
        cmocka_unit_test(test_every_set_of_axes),
        cmocka_unit_test(test_mean_of_ten_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
