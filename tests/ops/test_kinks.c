/* test_kinks.c -- what the derivative is where there is none, as tapir/ops.h documents it, and products with zeros. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

/* ---- Elementwise --------------------------------------------------------------------------------------- */

static tp_tensor clamp_unit(tp_tensor x)
{
    return tp_clamp(x, -1, 1);
}

static tp_tensor clamp_to_point(tp_tensor x)
{
    return tp_clamp(x, 0, 0);
}

static tp_tensor clamp_above(tp_tensor x)
{
    return tp_clamp(x, -HUGE_VAL, 1);
}

static tp_tensor clamp_nowhere(tp_tensor x)
{
    return tp_clamp(x, -HUGE_VAL, HUGE_VAL);
}

static tp_tensor maximum_with_zero(tp_tensor x)
{
    return tp_maximum(x, tp_scalar(x.tape, 0));
}

static tp_tensor minimum_with_zero(tp_tensor x)
{
    return tp_minimum(tp_scalar(x.tape, 0), x);
}

static tp_tensor equal_to_zero(tp_tensor x)
{
    return tp_equal(x, tp_scalar(x.tape, 0));
}

static tp_tensor to_integer(tp_tensor x)
{
    return tp_cast(tp_cast(x, TP_I32), tp_dtype_of(x));
}

static tp_tensor leaky_tenth(tp_tensor x)
{
    return tp_leaky_relu(x, 0.125);
}

static tp_tensor elu_half(tp_tensor x)
{
    return tp_elu(x, 0.5);
}

static tp_tensor from_nan(tp_tensor x)
{
    return tp_nan_to_num(x, NULL);
}

static tp_tensor hypot_with_zero(tp_tensor x)
{
    return tp_hypot(x, tp_scalar(x.tape, 0));
}

static tp_tensor angle_from_zero(tp_tensor x)
{
    return tp_atan2(x, tp_scalar(x.tape, 0.25));
}

static tp_tensor to_the_quarter(tp_tensor x)
{
    return tp_pow(x, tp_scalar(x.tape, 0.25));
}

static tp_tensor to_the_fourth(tp_tensor x)
{
    return tp_pow(x, tp_scalar(x.tape, 4));
}

static tp_tensor to_the_0(tp_tensor x)
{
    return tp_pow(x, tp_scalar(x.tape, 0));
}

static tp_tensor xlogy_by_itself(tp_tensor x)
{
    return tp_xlogy(x, x);
}

static tp_tensor is_positive_and_odd(tp_tensor x)
{
    return tp_logical_and(tp_greater(x, tp_scalar(x.tape, 0)), x);
}

enum { POINTS = 5 };

typedef struct kink {
    const char *name;
    tp_tensor (*f)(tp_tensor x);
    double x[POINTS], slope[POINTS];
} kink;

static const kink elementwise[] = {
    {"abs", tp_abs, {0, -0.0, -2, 3, 1e-30}, {0, 0, -1, 1, 1}},
    {"abs", tp_abs, {INFINITY, -INFINITY, 0x1p-1074, -0x1p-1074, NAN}, {1, -1, 1, -1, NAN}},
    {"sign", tp_sign, {0, -0.0, -2, 3, INFINITY}, {0, 0, 0, 0, 0}},
    {"relu", tp_relu, {0, -0.0, -2, 3, 0x1p-1074}, {0, 0, 0, 1, 1}},
    {"clamp", clamp_unit, {-1, 1, -1 - 0x1p-52, 1 + 0x1p-52, 0}, {1, 1, 0, 0, 1}},
    {"clamp", clamp_unit, {INFINITY, -INFINITY, 1 - 0x1p-53, -0.0, 5}, {0, 0, 1, 1, 0}},
    {"clamp to a point", clamp_to_point, {0, -0.0, 1, -1, 0x1p-1074}, {1, 1, 0, 0, 0}},
    {"clamp above", clamp_above, {1, 2, -1e300, 1 + 0x1p-52, 0}, {1, 0, 1, 0, 1}},
    {"clamp open", clamp_nowhere, {1, 2, -1e300, INFINITY, 0}, {1, 1, 1, 1, 1}},
    {"maximum", maximum_with_zero, {0, -0.0, -2, 3, 1e-30}, {0.5, 0.5, 0, 1, 1}},
    {"minimum", minimum_with_zero, {0, -0.0, -2, 3, 1e-30}, {0.5, 0.5, 1, 0, 0}},
    {"equal", equal_to_zero, {0, -0.0, -2, 3, NAN}, {0, 0, 0, 0, 0}},
    {"cast to i32", to_integer, {0, 1, -2.5, 3e10, NAN}, {0, 0, 0, 0, 0}},
    {"sqrt", tp_sqrt, {0, 4, -1, 0.25, INFINITY}, {INFINITY, 0.25, NAN, 1, 0}},
    {"log", tp_log, {0, 4, -2, INFINITY, NAN}, {INFINITY, 0.25, -0.5, 0, NAN}},
    {"log1p", tp_log1p, {-1, 0, 1, INFINITY, NAN}, {INFINITY, 1, 0.5, 0, NAN}},
    {"exp", tp_exp, {-INFINITY, 0, 800, -800, NAN}, {0, 1, INFINITY, 0, NAN}},
    {"tanh", tp_tanh, {-INFINITY, 0, 800, -800, NAN}, {0, 1, 0, 0, NAN}},
    {"sigmoid", tp_sigmoid, {-INFINITY, 0, 800, -800, NAN}, {0, 0.25, 0, 0, NAN}},
    {"softplus", tp_softplus, {-INFINITY, 0, 800, -800, NAN}, {0, 0.5, 1, 0, NAN}},
    {"softplus_tail", tp_softplus_tail, {0, -0.0, 800, -800, NAN}, {-0.5, -0.5, 0, 0, NAN}},
    {"sigmoid_tail", tp_sigmoid_tail, {0, -0.0, 800, -800, NAN}, {0.25, 0.25, 0, 0, NAN}},
    {"leaky_relu", leaky_tenth, {0, -0.0, -2, 3, 0x1p-149}, {0.125, 0.125, 0.125, 1, 1}},
    {"leaky_relu", leaky_tenth, {INFINITY, -INFINITY, NAN, -1, 1}, {1, 0.125, 0.125, 0.125, 1}},
    {"elu", elu_half, {0, -0.0, 800, 3, -INFINITY}, {0.5, 0.5, 1, 1, 0}},
    {"log_sigmoid", tp_log_sigmoid, {-INFINITY, 0, 800, -800, INFINITY}, {1, 0.5, 0, 1, 0}},
    {"silu", tp_silu, {0, 800, -800, NAN, -0.0}, {0.5, 1, 0, NAN, 0.5}},
    {"gelu", tp_gelu, {0, 800, -800, NAN, -0.0}, {0.5, 1, 0, NAN, 0.5}},
    {"gelu_tanh", tp_gelu_tanh, {0, 800, -800, NAN, -0.0}, {0.5, 1, 0, NAN, 0.5}},
    {"gelu_tanh", tp_gelu_tanh, {1e20, -1e20, 1e30, -1e30, 1e9}, {1, 0, 1, 0, 1}},
    {"mish", tp_mish, {800, -800, NAN, 100, -1e5}, {1, 0, NAN, 1, 0}},
    {"floor", tp_floor, {0, 1, -1, 0.5, NAN}, {0, 0, 0, 0, 0}},
    {"ceil", tp_ceil, {0, 1, -1, 0.5, INFINITY}, {0, 0, 0, 0, 0}},
    {"round", tp_round, {0.5, 1.5, -0.5, 2, NAN}, {0, 0, 0, 0, 0}},
    {"trunc", tp_trunc, {0, 1, -1, 0.5, NAN}, {0, 0, 0, 0, 0}},
    {"isnan", tp_isnan, {0, 1, NAN, INFINITY, -2}, {0, 0, 0, 0, 0}},
    {"isfinite", tp_isfinite, {0, 1, NAN, INFINITY, -INFINITY}, {0, 0, 0, 0, 0}},
    {"isinf", tp_isinf, {0, 1, NAN, INFINITY, -INFINITY}, {0, 0, 0, 0, 0}},
    {"logical_not", tp_logical_not, {0, 1, NAN, INFINITY, -2}, {0, 0, 0, 0, 0}},
    {"logical_and", is_positive_and_odd, {0, 1, NAN, INFINITY, -2}, {0, 0, 0, 0, 0}},
    {"nan_to_num", from_nan, {0, 1, NAN, INFINITY, -INFINITY}, {1, 1, 0, 0, 0}},
    {"rsqrt", tp_rsqrt, {0, 4, -1, 0.25, INFINITY}, {-INFINITY, -0.0625, NAN, -4, 0}},
    {"reciprocal", tp_reciprocal, {0, -0.0, INFINITY, -2, 0.5}, {-INFINITY, -INFINITY, 0, -0.25, -4}},
    {"exp2", tp_exp2, {-INFINITY, 2000, -2000, NAN, 1e9}, {0, INFINITY, 0, NAN, INFINITY}},
    {"asin", tp_asin, {1, -1, 0, 1.5, NAN}, {INFINITY, INFINITY, 1, NAN, NAN}},
    {"acos", tp_acos, {1, -1, 0, -1.5, NAN}, {-INFINITY, -INFINITY, -1, NAN, NAN}},
    {"atan", tp_atan, {INFINITY, -INFINITY, 0, 1, NAN}, {0, 0, 1, 0.5, NAN}},
    {"acosh", tp_acosh, {1, 0, -2, INFINITY, NAN}, {INFINITY, NAN, NAN, 0, NAN}},
    {"asinh", tp_asinh, {INFINITY, -INFINITY, 0, -0.0, NAN}, {0, 0, 1, 1, NAN}},
    {"atanh", tp_atanh, {1, -1, 0, -0.0, NAN}, {INFINITY, INFINITY, 1, 1, NAN}},
    {"tan", tp_tan, {0, -0.0, INFINITY, NAN, 0}, {1, 1, NAN, NAN, 1}},
    {"erf", tp_erf, {INFINITY, -INFINITY, 40, -40, NAN}, {0, 0, 0, 0, NAN}},
    {"normal_cdf", tp_normal_cdf, {INFINITY, -INFINITY, 60, -60, NAN}, {0, 0, 0, 0, NAN}},
    {"normal_pdf", tp_normal_pdf, {INFINITY, -INFINITY, 60, -60, 0}, {0, 0, 0, 0, 0}},
    {"lgamma", tp_lgamma, {0, -0.0, -1, INFINITY, NAN}, {-INFINITY, INFINITY, NAN, INFINITY, NAN}},
    {"digamma", tp_digamma, {0, -0.0, -1, INFINITY, NAN}, {INFINITY, INFINITY, INFINITY, 0, NAN}},
    {"hypot", hypot_with_zero, {0, -0.0, 3, -2, 0x1p-149}, {0, 0, 1, -1, 1}},
    {"atan2", angle_from_zero, {0, -0.0, INFINITY, -INFINITY, 0}, {4, 4, 0, 0, 4}},
    {"pow of 1/4", to_the_quarter, {0, 1, 16, -1, INFINITY}, {INFINITY, 0.25, 0.03125, NAN, 0}},
    {"pow of 4", to_the_fourth, {0, -0.0, 1, -2, INFINITY}, {0, 0, 4, -32, INFINITY}},
    {"pow of 0", to_the_0, {0, -0.0, 1, -2, INFINITY}, {0, 0, 0, 0, 0}},
    {"xlogy", xlogy_by_itself, {0, 1, -0.0, -2, NAN}, {0, 1, 0, NAN, NAN}},
};

static void check_slopes(const kink *k, tp_dtype dtype)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, dtype, TP_SHAPE(POINTS), k->x);
    double got[POINTS], expected[POINTS];
    char what[64];

    snprintf(what, sizeof what, "slope of %s in %s", k->name, tp_dtype_name(dtype));
    for (int i = 0; i < POINTS; i++)
        expected[i] = -2 * k->slope[i];
    compute_gradient(tp_sum(tp_scale(k->f(x), -2)), x, got);
    assert_close(what, got, expected, POINTS, 0);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_elementwise(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof elementwise / sizeof *elementwise; k++) {
        bool in_f32 = true;
        for (int i = 0; i < POINTS; i++)
            in_f32 = in_f32 && same_f64(as_f32(elementwise[k].x[i]), elementwise[k].x[i]);
        check_slopes(&elementwise[k], TP_F64);
        if (in_f32)
            check_slopes(&elementwise[k], TP_F32);
    }
}

/* Slopes far below 1 keep their digits. */
static void test_small_slopes(void **state)
{
    const double x[] = {-20, -50, -300}, tiny[] = {exp(-20), exp(-50), exp(-300)};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(3), x);
    double got[3];

    (void)state;
    for (int k = 0; k < 3; k++) {
        tp_tensor (*const f[])(tp_tensor) = {tp_exp, tp_expm1, tp_softplus};
        compute_gradient(tp_sum(f[k](leaf)), leaf, got);
        for (int i = 0; i < 3; i++)
            assert_true(fabs(got[i] / tiny[i] - 1) < 1e-8); /* softplus differs by e^x */
    }
    tp_tape_destroy(tape);
}

/* Both operands at a tie, and one tensor that is both. */
static void test_ties_of_two(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, -0.0});
    const tp_tensor b = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 3, 0});
    double got[3];

    (void)state;
    compute_gradient(tp_sum(tp_maximum(a, b)), a, got);
    assert_close("maximum, first", got, (double[]){0.5, 0, 0.5}, 3, 0);
    compute_gradient(tp_sum(tp_maximum(a, b)), b, got);
    assert_close("maximum, second", got, (double[]){0.5, 1, 0.5}, 3, 0);
    compute_gradient(tp_sum(tp_minimum(a, b)), a, got);
    assert_close("minimum, first", got, (double[]){0.5, 1, 0.5}, 3, 0);
    compute_gradient(tp_sum(tp_minimum(a, b)), b, got);
    assert_close("minimum, second", got, (double[]){0.5, 0, 0.5}, 3, 0);
    compute_gradient(tp_sum(tp_maximum(a, a)), a, got);
    assert_close("maximum of one", got, (double[]){1, 1, 1}, 3, 0);
    compute_gradient(tp_sum(tp_minimum(a, tp_add(a, tp_scalar(tape, 0)))), a, got);
    assert_close("minimum of equals", got, (double[]){1, 1, 1}, 3, 0);
    tp_tape_destroy(tape);
}

/* ---- Reductions ---------------------------------------------------------------------------------------- */

static void check_reduction(const char *what, tp_tensor (*f)(tp_tensor), const double *x,
                            const double *expected, int64_t n)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(n), x);
    double got[8];

    compute_gradient(tp_scale(f(leaf), 3), leaf, got);
    for (int64_t i = 0; i < n; i++)
        got[i] /= 3;
    assert_close(what, got, expected, n, 1e-15);
    tp_tape_destroy(tape);
}

static void test_ties_of_many(void **state)
{
    const double third = 1.0 / 3;
    (void)state;
    check_reduction("max", tp_max, (double[]){1, 5, 5, 2}, (double[]){0, 0.5, 0.5, 0}, 4);
    check_reduction("max", tp_max, (double[]){5, 5, 1, 5}, (double[]){third, third, 0, third}, 4);
    check_reduction("max", tp_max, (double[]){0, -0.0}, (double[]){0.5, 0.5}, 2);
    check_reduction("max", tp_max, (double[]){-INFINITY, -INFINITY}, (double[]){0.5, 0.5}, 2);
    check_reduction("max", tp_max, (double[]){7}, (double[]){1}, 1);
    check_reduction("min", tp_min, (double[]){1, 5, 5, 1}, (double[]){0.5, 0, 0, 0.5}, 4);
    check_reduction("min", tp_min, (double[]){3, INFINITY, 4}, (double[]){1, 0, 0}, 3);
    check_reduction("norm", tp_norm, (double[]){0, 0, 0}, (double[]){0, 0, 0}, 3);
    check_reduction("norm", tp_norm, (double[]){0, -0.0}, (double[]){0, 0}, 2);
    check_reduction("norm", tp_norm, (double[]){3, 0, -4}, (double[]){0.6, 0, -0.8}, 3);
    check_reduction("norm", tp_norm, (double[]){0}, (double[]){0}, 1);
    check_reduction("logsumexp", tp_logsumexp, (double[]){-INFINITY, 3, 3}, (double[]){0, 0.5, 0.5}, 3);
    check_reduction("logsumexp", tp_logsumexp, (double[]){1e4, -1e4}, (double[]){1, 0}, 2);
}

/* Ties within each row of a matrix, shared by row. */
static void test_ties_by_row(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), (double[]){1, 1, 0, 2, 5, 5});
    double got[6];

    (void)state;
    compute_gradient(tp_sum(tp_max_over(x, TP_AXES(1), false)), x, got);
    assert_close("rows", got, (double[]){0.5, 0.5, 0, 0, 0.5, 0.5}, 6, 0);
    compute_gradient(tp_sum(tp_max_over(x, TP_AXES(0), true)), x, got);
    assert_close("columns", got, (double[]){0, 0, 0, 1, 1, 1}, 6, 0);
    compute_gradient(
        tp_sum(tp_norm_over(tp_mul(x, tp_constant(tape, TP_F64, TP_SHAPE(2, 1), (double[]){0, 1})),
                            TP_AXES(1), false)),
        x, got);
    assert_close("norms, one of them 0", got, (double[]){0, 0, 0, 2 / sqrt(54), 5 / sqrt(54), 5 / sqrt(54)},
                 6, 1e-15);
    tp_tape_destroy(tape);
}

/* ---- Products with zeros, by the definition -------------------------------------------------------------- */

/* The product of all but up to three. */
static double product_without(const double *x, int n, int i, int j, int k)
{
    double product = 1;
    for (int m = 0; m < n; m++)
        product *= m == i || m == j || m == k ? 1 : x[m];
    return product;
}

static void check_products(const double *x, int n)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(n), x);
    const double direction[] = {1, -2, 0.5, 3, -1, 2, 0.25};
    double got[8], first[8], second[8] = {0}, third[8] = {0};

    for (int i = 0; i < n; i++) {
        first[i] = product_without(x, n, i, i, i);
        for (int j = 0; j < n; j++) {
            if (j != i)
                second[i] += product_without(x, n, i, j, j) * direction[j];
            for (int k = 0; k < n; k++)
                if (j != i && k != i && k != j)
                    third[i] += product_without(x, n, i, j, k) * direction[j] * direction[k];
        }
    }
    const tp_tensor y = tp_prod(leaf);
    compute_gradient(y, leaf, got);
    assert_close("order 1", got, first, n, 1e-14);
    compute_hvp(y, leaf, direction, got);
    assert_close("order 2", got, second, n, 1e-14);

    tp_tensor g;
    const tp_tensor d = make_constant(tape, TP_F64, TP_SHAPE(n), direction);
    assert_int_equal(tp_gradient(y, &leaf, 1, &g), TP_OK);
    compute_hvp(tp_sum(tp_mul(g, d)), leaf, direction, got);
    assert_close("order 3", got, third, n, 1e-14);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_products_with_zeros(void **state)
{
    (void)state;
    check_products((double[]){2, 3}, 2);
    check_products((double[]){0, 3}, 2);
    check_products((double[]){0, 0}, 2);
    check_products((double[]){2, 0, -3}, 3);
    check_products((double[]){0, 2, 0}, 3);
    check_products((double[]){0, 0, 0}, 3);
    check_products((double[]){2, 0, 3, -1}, 4);
    check_products((double[]){0, 2, 3, 0}, 4);
    check_products((double[]){0, 0, 0, 4}, 4);
    check_products((double[]){-1, 0, 2, 0.5, 3}, 5);
    check_products((double[]){0, 1, 2, 3, 0, 4, 5}, 7);
    check_products((double[]){1, 0, 0, 3, 0, 4, 5}, 7);
}

/* Several axes at once, zeros in some of the products. */
static void test_products_over_axes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {1, 0, 2, 3, 4, 0, 5, 6, 0, 7, 8, 9};
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(2, 3, 2), x);
    double got[12], expected[12];

    (void)state;
    for (int i = 0; i < 12; i++) { /* over axes 0 and 2: by the middle index */
        expected[i] = 1;
        for (int j = 0; j < 12; j++)
            if (j != i && j / 2 % 3 == i / 2 % 3)
                expected[i] *= x[j];
    }
    compute_gradient(tp_sum(tp_prod_over(leaf, TP_AXES(2, 0), false)), leaf, got);
    assert_close("axes 0 and 2", got, expected, 12, 1e-14);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),        cmocka_unit_test(test_small_slopes),
        cmocka_unit_test(test_ties_of_two),        cmocka_unit_test(test_ties_of_many),
        cmocka_unit_test(test_ties_by_row),        cmocka_unit_test(test_products_with_zeros),
        cmocka_unit_test(test_products_over_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
