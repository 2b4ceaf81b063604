/* test_cumulative.c -- running sums and products: against plain loops to the bit, zeros among the factors at three orders,
 * strong zeros, what accumulates in double.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "values.h"

/* ---- Against plain loops --------------------------------------------------------------------------------- */

typedef tp_tensor (*running)(tp_tensor x, int axis);

/* The running fold of `x` along an axis, kept in double. */
static void fold_plainly(tp_dtype dtype, tp_shape shape, int axis, bool product, const double *x, double *y)
{
    int64_t inner = 1, outer = 1;
    const int64_t n = shape.dim[axis];
    for (int d = 0; d < axis; d++)
        outer *= shape.dim[d];
    for (int64_t d = axis + 1; d < shape.rank; d++)
        inner *= shape.dim[d];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++) {
            double so_far = product ? 1 : -0.0;
            for (int64_t i = 0; i < n; i++) {
                const int64_t k = (o * n + i) * inner + j;
                so_far = product ? so_far * x[k] : so_far + x[k];
                y[k] = dtype == TP_F32 ? as_f32(so_far) : dtype == TP_I32 ? so_far + 0.0 : so_far; /* no -0 */
            }
        }
}

static void check_loops(tp_dtype dtype, tp_shape shape, int axis, bool product)
{
    static double x[VALUES_MAX], expected[VALUES_MAX], got[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    const int64_t n = tp_shape_count(shape);
    generator g = seeded(21);

    for (int64_t i = 0; i < n; i++)
        x[i] = dtype == TP_I32 ? (double)(next_below(&g, 3) - 1) : next_between(&g, -1.5, 1.5);
    const tp_tensor leaf = make_leaf(tape, dtype, shape, x);
    compute(product ? tp_cumprod(leaf, axis) : tp_cumsum(leaf, axis), got);
    fold_plainly(dtype, shape, axis, product, x, expected);
    assert_same(product ? "cumprod" : "cumsum", got, expected, n);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_plain_loops(void **state)
{
    static const tp_shape shape[] = {{1, {1}},         {1, {1000}},      {2, {9, 11}},      {2, {4, 1}},
                                     {3, {3, 5, 32}},  {3, {2, 7, 100}}, {4, {2, 3, 4, 5}}, {3, {5, 1, 33}},
                                     {3, {1, 64, 31}}, {2, {6, 1024}},   {3, {3, 2, 1}}};
    (void)state;
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (int axis = 0; axis < (int)shape[k].rank; axis++)
            for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++)
                for (int product = 0; product < 2; product++)
                    check_loops(dtype, shape[k], axis, product);
}

/* The gradient of a weighted sum of running sums is the running sum of the weights from the other end. */
static void test_from_the_end(void **state)
{
    static double x[VALUES_MAX], got[VALUES_MAX], expected[VALUES_MAX], weight[VALUES_MAX];
    const tp_shape shape = TP_SHAPE(3, 5, 7);
    (void)state;
    for (int axis = 0; axis < 3; axis++) {
        tp_tape *tape = tp_tape_create(NULL);
        for (int i = 0; i < 105; i++)
            weight[i] = i * 0.5 - 7;
        const tp_tensor leaf = make_leaf(tape, TP_F64, shape, x);
        const tp_tensor w = make_constant(tape, TP_F64, shape, weight);
        compute_gradient(tp_sum(tp_mul(tp_cumsum(leaf, axis), w)), leaf, got);
        const int64_t step = axis == 0 ? 35 : axis == 1 ? 7 : 1, n = shape.dim[axis];
        for (int64_t i = 104; i >= 0; i--)
            expected[i] = weight[i] + (i / step % n < n - 1 ? expected[i + step] : 0);
        assert_same("from the end", got, expected, 105);
        tp_tape_destroy(tape);
    }
}

/* ---- Rounding -------------------------------------------------------------------------------------------- */

static void test_f32_accumulates_in_double(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {16777216, 1, 1, 1, -16777216}, sums[] = {16777216, 16777216, 16777218, 16777220, 3};
    const double f[] = {3, 0x1p100, 0x1p100, 0x1p-100, 0x1p-100},
                 products[] = {3, 0x3p100, INFINITY, 0x3p100, 3};
    double got[5];
    (void)state;

    compute(tp_cumsum(make_leaf(tape, TP_F32, TP_SHAPE(5), x), 0), got);
    assert_same("sums", got, sums, 5);
    compute(tp_cumprod(make_leaf(tape, TP_F32, TP_SHAPE(5), f), 0), got);
    assert_same("products", got, products, 5);
    compute(tp_cumsum(make_leaf(tape, TP_F32, TP_SHAPE(2), (double[]){-0.0, -0.0}), 0), got);
    assert_true(signbit(got[0]) && signbit(got[1]));
    tp_tape_destroy(tape);
}

static void test_i32_must_fit_at_every_element(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {1 << 16, 1 << 15, 0, 5};
    const tp_tensor leaf = make_leaf(tape, TP_I32, TP_SHAPE(4), x), y = tp_cumprod(leaf, 0);
    double got[4];
    (void)state;

    tp_program *program = compile_all(&y, 1);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    assert_error(tape, TP_BAD_VALUE, "cumprod: a result does not fit i32 (element 1)");
    set_values(leaf, (double[]){-(1 << 16), 1 << 15, 0, 5}); /* this end of the range has one more */
    run_ok(program);
    get_values(y, got);
    assert_same("products", got, (double[]){-65536, -2147483648.0, 0, 0}, 4);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Zeros among the factors ----------------------------------------------------------------------------- */

enum { FACTORS = 6 };

/* The same of other ops: the product of each beginning, by multiplication alone. */
static tp_tensor products_of_beginnings(tp_tensor x, int axis)
{
    tp_tensor y[FACTORS];
    y[0] = tp_slice(x, axis, 0, 1, 1);
    for (int k = 1; k < FACTORS; k++)
        y[k] = tp_mul(y[k - 1], tp_slice(x, axis, k, k + 1, 1));
    return tp_concat(y, FACTORS, axis);
}

/* Value, gradient, and two more derivatives along fixed directions. */
static void three_orders(running fold, const double *values, double result[4][FACTORS])
{
    const double weight[FACTORS] = {1, -2, 0.5, 3, -1.5, 0.75}, one[FACTORS] = {1, 2, -1, 0.5, 1, -2},
                 two[FACTORS] = {-1, 0.5, 2, 1, -0.5, 1};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(FACTORS), values), y = fold(x, 0);
    tp_tensor loss = tp_sum(tp_mul(y, make_constant(tape, TP_F64, TP_SHAPE(FACTORS), weight))), g[3];

    compute(y, result[0]);
    for (int order = 0; order < 3; order++) {
        assert_int_equal(tp_gradient(loss, &x, 1, &g[order]), TP_OK);
        compute(g[order], result[order + 1]);
        loss =
            tp_sum(tp_mul(g[order], make_constant(tape, TP_F64, TP_SHAPE(FACTORS), order == 0 ? one : two)));
    }
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_zeros_among_the_factors(void **state)
{
    static const double x[][FACTORS] = {
        {2, -3, 0.5, 4, 1.5, -1}, {2, 0, 0.5, 4, 1.5, -1}, {0, 0, 0, 4, 1.5, 0}, {2, -3, 0, 0, 1.5, -1},
        {0, 3, 0.5, 4, 0, -1},    {2, 3, 1, 4, 2, 0},      {0, 0, 0, 0, 0, 0}};
    double got[4][FACTORS], expected[4][FACTORS];
    (void)state;
    for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
        three_orders(tp_cumprod, x[k], got);
        three_orders(products_of_beginnings, x[k], expected);
        for (int order = 0; order < 4; order++)
            assert_close("order", got[order], expected[order], FACTORS, 1e-14);
    }
}

/* ---- Strong zeros ---------------------------------------------------------------------------------------- */

/* What no result that is asked for reads contributes nothing, whatever it is. */
static void test_beyond_what_is_asked_for(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double values[] = {2, 3, INFINITY, NAN};
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(4), values);
    double got[4];
    (void)state;

    const tp_tensor y = tp_sum(tp_slice(tp_cumprod(x, 0), 0, 0, 2, 1));
    compute_gradient(y, x, got);
    assert_same("gradient", got, (double[]){4, 2, 0, 0}, 4);
    compute_hvp(y, x, (double[]){1, 10, 100, 1000}, got);
    assert_same("hvp", got, (double[]){10, 1, 0, 0}, 4);
    compute_gradient(tp_sum(tp_slice(tp_cumsum(x, 0), 0, 0, 2, 1)), x, got);
    assert_same("of sums", got, (double[]){2, 1, 0, 0}, 4);
    tp_tape_destroy(tape);
}

/* NaN and infinity come out of the values, though. */
static void test_nan_comes_out(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(3), (double[]){0, INFINITY, 1});
    double got[3];
    (void)state;
    compute(tp_cumprod(x, 0), got);
    assert_true(got[0] == 0 && isnan(got[1]) && isnan(got[2]));
    compute(tp_cumsum(make_leaf(tape, TP_F32, TP_SHAPE(3), (double[]){1, NAN, 1}), 0), got);
    assert_true(got[0] == 1 && isnan(got[1]) && isnan(got[2]));
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_loops),
        cmocka_unit_test(test_from_the_end),
        cmocka_unit_test(test_f32_accumulates_in_double),
        cmocka_unit_test(test_i32_must_fit_at_every_element),
        cmocka_unit_test(test_zeros_among_the_factors),
        cmocka_unit_test(test_beyond_what_is_asked_for),
        cmocka_unit_test(test_nan_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
