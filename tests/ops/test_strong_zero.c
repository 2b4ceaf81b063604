/* test_strong_zero.c -- an adjoint that is exactly 0 contributes 0, also against an infinite or NaN slope; what is not
 * behind such a zero stays; and a zero that only happens to be one (a residual) does not hide the second derivative.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tapir/losses.h>

#include "tape.h"
#include "values.h"

enum { POINTS = 4 };

/* Losses whose untaken branch is singular.  x > 0 everywhere chooses the branch. */
static tp_tensor positive(tp_tensor x)
{
    return tp_greater(x, tp_scalar(x.tape, 0));
}

static tp_tensor zero_of(tp_tensor x)
{
    return tp_scalar(x.tape, 0);
}

static tp_tensor guarded_log(tp_tensor x)
{
    return tp_where(positive(x), tp_log(x), zero_of(x));
}

static tp_tensor guarded_sqrt(tp_tensor x)
{
    return tp_where(positive(x), tp_sqrt(x), zero_of(x));
}

static tp_tensor guarded_reciprocal(tp_tensor x)
{
    return tp_where(positive(x), tp_div(tp_scalar(x.tape, 1), x), zero_of(x));
}

static tp_tensor guarded_ratio(tp_tensor x)
{
    return tp_where(positive(x), tp_div(tp_exp(x), tp_square(x)), zero_of(x));
}

static tp_tensor guarded_log1p(tp_tensor x)
{
    return tp_where(positive(x), tp_log1p(tp_sub(x, tp_scalar(x.tape, 1))), zero_of(x));
}

static tp_tensor guarded_entropy(tp_tensor x)
{
    return tp_where(positive(x), tp_mul(x, tp_log(x)), zero_of(x));
}

static tp_tensor guarded_root_of_log(tp_tensor x)
{
    return tp_where(positive(x), tp_sqrt(tp_square(tp_log(x))), zero_of(x));
}

/* exp(1 / x) overflows long before 0. */
static tp_tensor guarded_overflow(tp_tensor x)
{
    return tp_where(positive(x), tp_exp(tp_div(tp_scalar(x.tape, -1), x)), zero_of(x));
}

static tp_tensor guarded_acos(tp_tensor x)
{
    return tp_where(positive(x), tp_acos(tp_sub(tp_scalar(x.tape, 1), tp_scale(x, 0.25))), zero_of(x));
}

static tp_tensor guarded_by_reciprocal(tp_tensor x)
{
    return tp_where(positive(x), tp_sin(tp_reciprocal(x)), zero_of(x));
}

static tp_tensor guarded_digamma(tp_tensor x)
{
    return tp_where(positive(x), tp_digamma(x), zero_of(x));
}

static tp_tensor guarded_logaddexp(tp_tensor x)
{
    return tp_where(positive(x), tp_logaddexp(tp_log(x), tp_reciprocal(x)), zero_of(x));
}

/* Two guards, one in the other. */
static tp_tensor nested(tp_tensor x)
{
    const tp_tensor inner = tp_where(positive(x), tp_log(x), tp_scalar(x.tape, -1));
    return tp_where(tp_greater(inner, tp_scalar(x.tape, -2)), tp_sqrt(tp_add(inner, tp_scalar(x.tape, 2))),
                    zero_of(x));
}

static tp_tensor guarded_by_product(tp_tensor x)
{
    return tp_mul(positive(x), tp_where(positive(x), tp_log(x), zero_of(x)));
}

/* Functions of x - 1, x + 1 or x with a pole, a branch point or a NaN at and below 0. */
static tp_tensor guarded_rsqrt(tp_tensor x)
{
    return tp_where(positive(x), tp_rsqrt(x), zero_of(x));
}

static tp_tensor guarded_acosh(tp_tensor x)
{
    return tp_where(positive(x), tp_acosh(tp_add(x, tp_scalar(x.tape, 1))), zero_of(x));
}

static tp_tensor guarded_atanh(tp_tensor x)
{
    const tp_tensor inside = tp_sub(tp_scalar(x.tape, 1), tp_scale(x, 0.5)); /* 1 at 0, 1.5 at -1 */
    return tp_where(positive(x), tp_atanh(tp_minimum(inside, tp_scalar(x.tape, 2))), zero_of(x));
}

static tp_tensor guarded_asin(tp_tensor x)
{
    return tp_where(positive(x), tp_asin(tp_sub(tp_scalar(x.tape, 1), tp_scale(x, 0.5))), zero_of(x));
}

static tp_tensor guarded_lgamma(tp_tensor x)
{
    return tp_where(positive(x), tp_lgamma(x), zero_of(x));
}

static tp_tensor guarded_power(tp_tensor x)
{
    return tp_where(positive(x), tp_pow(x, tp_scalar(x.tape, -1.5)), zero_of(x));
}

static tp_tensor guarded_self_power(tp_tensor x)
{
    return tp_where(positive(x), tp_pow(x, x), zero_of(x));
}

static tp_tensor guarded_log2(tp_tensor x)
{
    return tp_where(positive(x), tp_log2(x), zero_of(x));
}

typedef struct guarded {
    const char *name;
    tp_tensor (*f)(tp_tensor x);
    double slope[2], second[2]; /* at 0.5 and 2; both 0 at -1 and 0 */
} guarded;

static const guarded cases[] = {
    {"log", guarded_log, {2, 0.5}, {-4, -0.25}},
    {"sqrt",
     guarded_sqrt,
     {0.70710678118654752, 0.35355339059327376},
     {-0.70710678118654752, -0.08838834764831845}},
    {"reciprocal", guarded_reciprocal, {-4, -0.25}, {16, 0.25}},
    {"log1p", guarded_log1p, {2, 0.5}, {-4, -0.25}},
    {"entropy", guarded_entropy, {0.30685281944005469, 1.6931471805599453}, {2, 0.5}},
    {"root of log", guarded_root_of_log, {-2, 0.5}, {4, -0.25}},
    {"product", guarded_by_product, {2, 0.5}, {-4, -0.25}},
    {"rsqrt",
     guarded_rsqrt,
     {-1.414213562373095, -0.17677669529663688},
     {4.2426406871192851, 0.13258252147247766}},
    {"acosh",
     guarded_acosh,
     {0.89442719099991588, 0.35355339059327376},
     {-1.0733126291998991, -0.13258252147247766}},
    {"atanh", guarded_atanh, {-1.1428571428571429, -0.5}, {1.9591836734693878, 0.0}},
    {"asin", guarded_asin, {-0.75592894601845445, -0.5}, {0.64793909658724668, 0.0}},
    {"lgamma",
     guarded_lgamma,
     {-1.9635100260214235, 0.42278433509846714},
     {4.9348022005446793, 0.64493406684822644}},
    {"power",
     guarded_power,
     {-8.4852813742385703, -0.26516504294495532},
     {42.426406871192851, 0.33145630368119415}},
    {"self_power",
     guarded_self_power,
     {0.21697770945227393, 6.7725887222397812},
     {1.4807937842741703, 13.466989500152368}},
    {"log2",
     guarded_log2,
     {2.8853900817779268, 0.7213475204444817},
     {-5.7707801635558536, -0.36067376022224085}},
};

static void check_case(const guarded *c, tp_dtype dtype)
{
    const double x[POINTS] = {-1, 0, 0.5, 2};
    const double slope[POINTS] = {0, 0, c->slope[0], c->slope[1]};
    const double second[POINTS] = {0, 0, 3 * c->second[0], 4 * c->second[1]};
    const double tolerance = dtype == TP_F32 ? 1e-6 : 1e-14;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, dtype, TP_SHAPE(POINTS), x);
    double got[POINTS];

    compute_gradient(tp_sum(c->f(leaf)), leaf, got);
    assert_close(c->name, got, slope, POINTS, tolerance);
    compute_hvp(tp_sum(c->f(leaf)), leaf, (double[]){1, 2, 3, 4}, got);
    assert_close(c->name, got, second, POINTS, tolerance);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_untaken_branches(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        check_case(&cases[k], TP_F64);
        check_case(&cases[k], TP_F32);
    }
}

static void assert_all_finite(const char *what, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            fail_msg("%s: element %lld is %g", what, (long long)i, x[i]);
}

/* Up to order 3 nothing singular comes through, at a tiny x too. */
static void check_orders(const char *name, tp_tensor (*f)(tp_tensor))
{
    const double x[POINTS] = {-1, 0, -0.0, 2};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(POINTS), x);
    tp_tensor loss = tp_sum(f(leaf)), g;
    double got[POINTS];

    for (int order = 1; order <= 3; order++) {
        assert_int_equal(tp_gradient(loss, &leaf, 1, &g), TP_OK);
        compute(g, got);
        assert_all_finite(name, got, POINTS);
        assert_close(name, got, (double[]){0, 0, 0}, 3, 0);
        loss = tp_sum(tp_mul(g, tp_add(leaf, tp_scalar(tape, 3))));
    }
    tp_tape_destroy(tape);
}

static void test_higher_orders_stay_finite(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        check_orders(cases[k].name, cases[k].f);
    check_orders("nested", nested);
    check_orders("ratio", guarded_ratio);
    check_orders("overflow", guarded_overflow);
    check_orders("acos", guarded_acos);
    check_orders("reciprocal", guarded_by_reciprocal);
    check_orders("digamma", guarded_digamma);
    check_orders("logaddexp", guarded_logaddexp);
}

/* 0 times an infinite slope, in each place where a rule multiplies. */
static void test_zero_times_infinity(void **state)
{
    const double inf = INFINITY;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 4});
    const tp_tensor zero = make_constant(tape, TP_F64, TP_SHAPE(2), (double[]){0, 1});
    const tp_tensor bad = make_constant(tape, TP_F64, TP_SHAPE(2), (double[]){inf, 2});
    const tp_tensor nan = make_constant(tape, TP_F64, TP_SHAPE(2), (double[]){NAN, 2});
    double got[2];

    (void)state;
    compute_gradient(tp_sum(tp_mul(zero, tp_sqrt(x))), x, got);
    assert_close("sqrt", got, (double[]){0, 0.25}, 2, 0);
    compute_gradient(tp_sum(tp_mul(zero, tp_log(x))), x, got);
    assert_close("log", got, (double[]){0, 0.25}, 2, 0);
    compute_gradient(tp_sum(tp_mul(zero, tp_mul(x, bad))), x, got);
    assert_close("mul by inf", got, (double[]){0, 2}, 2, 0);
    compute_gradient(tp_sum(tp_mul(zero, tp_mul(x, nan))), x, got);
    assert_close("mul by NaN", got, (double[]){0, 2}, 2, 0);
    compute_gradient(tp_sum(tp_mul(zero, tp_div(bad, x))), x, got);
    assert_close("div", got, (double[]){0, -0.125}, 2, 0);
    compute_gradient(tp_sum(tp_mul(zero, tp_exp(tp_mul(x, bad)))), x, got);
    assert_close("exp of inf", got, (double[]){0, 2 * exp(8)}, 2, 1e-15);
    compute_gradient(tp_sum(tp_mul(zero, tp_abs(tp_log(x)))), x, got);
    assert_close("abs of log", got, (double[]){0, 0.25}, 2, 0);
    compute_gradient(
        tp_sum(tp_mul(zero, tp_prod_over(tp_reshape(tp_concat((tp_tensor[]){x, bad}, 2, 0), TP_SHAPE(2, 2)),
                                         TP_AXES(0), false))),
        x, got);
    assert_close("prod", got, (double[]){0, 2}, 2, 0);
    tp_tape_destroy(tape);
}

/* A true infinity or NaN is not hidden. */
static void test_nothing_else_is_hidden(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 4});
    double got[2];

    (void)state;
    compute_gradient(tp_sum(tp_sqrt(x)), x, got);
    assert_close("sqrt", got, (double[]){INFINITY, 0.25}, 2, 0);
    compute_gradient(tp_sum(tp_log(tp_neg(x))), x, got);
    assert_close("log", got, (double[]){INFINITY, 0.25}, 2, 0); /* of -0 */
    compute_gradient(tp_sum(tp_mul(x, make_constant(tape, TP_F64, TP_SHAPE(2), (double[]){NAN, 1}))), x, got);
    assert_close("mul by NaN", got, (double[]){NAN, 1}, 2, 0);
    tp_tape_destroy(tape);
}

/* ---- Opting out ------------------------------------------------------------------------------------------ */

static void test_no_strong_zero(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 4});
    const tp_tensor loss = tp_sum(guarded_log(x)), one = tp_scalar(tape, 1);
    tp_tensor g;
    double got[2];

    (void)state;
    assert_int_equal(tp_vector_jacobian(loss, one, &x, 1, &g, &(tp_gradient_options){.no_strong_zero = true}),
                     TP_OK);
    compute(g, got);
    assert_close("opted out", got, (double[]){NAN, 0.25}, 2, 0);
    assert_int_equal(
        tp_vector_jacobian(loss, one, &x, 1, &g, &(tp_gradient_options){.no_strong_zero = false}), TP_OK);
    compute(g, got);
    assert_close("default", got, (double[]){0, 0.25}, 2, 0);

    const tp_tensor unreached = tp_sum(tp_mul(tp_sqrt(x), zero_of(x)));
    assert_int_equal(
        tp_vector_jacobian(unreached, one, &x, 1, &g, &(tp_gradient_options){.no_strong_zero = true}), TP_OK);
    compute(g, got);
    assert_close("0 times a constant", got, (double[]){NAN, 0}, 2, 0);
    tp_tape_destroy(tape);
}

/* ---- Counting what was hidden ----------------------------------------------------------------------------- */

static int64_t count_hidden(tp_tensor loss, tp_tensor x, bool check, const char **message)
{
    tp_tensor g;
    assert_int_equal(tp_gradient(loss, &x, 1, &g), TP_OK);
    tp_program *program = tp_compile(&g, 1, &(tp_compile_options){.check_finite = check});
    assert_non_null(program);
    run_ok(program);
    static char copy[1024];
    const int64_t hidden = tp_program_hidden(program, message);
    snprintf(copy, sizeof copy, "%s", *message);
    *message = copy;
    tp_program_destroy(program);
    return hidden;
}

static void test_hidden_is_counted(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(4), (double[]){-1, 0, 0, 2});
    const tp_tensor y = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){1, 2});
    const char *message = NULL;

    (void)state;
    assert_int_equal(count_hidden(tp_sum(guarded_log(x)), x, true, &message), 2);
    assert_non_null(strstr(message, "log"));
    assert_non_null(strstr(message, "element 1"));
    assert_int_equal(count_hidden(tp_sum(guarded_log(x)), x, false, &message), 0);
    assert_int_equal(count_hidden(tp_sum(guarded_log(y)), y, true, &message), 0);
    assert_string_equal(message, "");
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Zeros that are no masks ------------------------------------------------------------------------------ */

static tp_tensor mean_square(tp_tensor p, tp_tensor y)
{
    return tp_mean(tp_square(tp_sub(p, y)));
}

static tp_tensor huber(tp_tensor p, tp_tensor y)
{
    const tp_tensor d = tp_sub(p, y), far = tp_greater(tp_abs(d), tp_scalar(p.tape, 1));
    return tp_mean(tp_where(far, tp_sub(tp_abs(d), tp_scalar(p.tape, 0.5)), tp_scale(tp_square(d), 0.5)));
}

static tp_tensor tanh_by_residual(tp_tensor p, tp_tensor y)
{
    const tp_tensor d = tp_sub(p, y);
    return tp_mean(tp_mul(tp_tanh(d), d));
}

/* The adjoints meet zeros in several places: d (d exp(d) + d). */
static tp_tensor several_products(tp_tensor p, tp_tensor y)
{
    const tp_tensor d = tp_sub(p, y);
    return tp_mean(tp_mul(d, tp_add(tp_mul(d, tp_exp(d)), d)));
}

static tp_tensor library_mse(tp_tensor p, tp_tensor y)
{
    return tp_mse(p, y, NULL);
}

static tp_tensor library_huber(tp_tensor p, tp_tensor y)
{
    return tp_huber(p, y, NULL);
}

static void check_zero_residual(const char *what, tp_tensor (*f)(tp_tensor, tp_tensor), double curvature)
{
    const double values[] = {-1, 0, 0.5, 2};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = make_leaf(tape, TP_F64, TP_SHAPE(4), values),
                    y = make_constant(tape, TP_F64, TP_SHAPE(4), values);
    const double direction[] = {1, -2, 3, 4};
    double got[4], expected[4];

    compute_gradient(f(p, y), p, got);
    assert_close(what, got, (double[]){0, 0, 0, 0}, 4, 0);
    for (int i = 0; i < 4; i++)
        expected[i] = curvature * direction[i] / 4;
    compute_hvp(f(p, y), p, direction, got);
    assert_close(what, got, expected, 4, 1e-14);
    tp_tape_destroy(tape);
}

static void test_zero_residuals_keep_their_curvature(void **state)
{
    (void)state;
    check_zero_residual("mean square", mean_square, 2);
    check_zero_residual("huber", huber, 1);
    check_zero_residual("tanh", tanh_by_residual, 2);
    check_zero_residual("several products", several_products, 4);
    check_zero_residual("tp_mse", library_mse, 2);
    check_zero_residual("tp_huber", library_huber, 1);
}

/* An adjoint that passes 0 while its own derivative does not: x^2 y at x = 0, and x y z at 0. */
static void test_zero_adjoints_keep_their_derivative(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 0});
    const tp_tensor y = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){3, 0});
    const tp_tensor loss = tp_sum(tp_mul(tp_square(x), tp_exp(y)));
    tp_tensor gx, gy;
    double got[2];

    (void)state;
    compute_hvp(loss, x, (double[]){1, 1}, got);
    assert_close("x^2 exp(y)", got, (double[]){2 * exp(3), 2}, 2, 1e-14);
    const tp_tensor cubic = tp_sum(tp_mul(tp_mul(x, y), tp_sub(y, tp_scalar(tape, 3))));
    assert_int_equal(tp_gradient(cubic, &x, 1, &gx), TP_OK); /* y (y - 3) */
    compute_gradient(tp_sum(gx), y, got);
    assert_close("mixed", got, (double[]){3, -3}, 2, 1e-14);
    assert_int_equal(tp_gradient(cubic, &y, 1, &gy), TP_OK); /* x (2 y - 3) */
    compute_gradient(tp_sum(gy), x, got);
    assert_close("mixed, the other way", got, (double[]){3, -3}, 2, 1e-14);
    tp_tape_destroy(tape);
}

/* Exact zeros of tp_guard itself. */
static void test_guard(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor g = make_leaf(tape, TP_F64, TP_SHAPE(4), (double[]){0, -0.0, 2, NAN});
    const tp_tensor v = make_leaf(tape, TP_F64, TP_SHAPE(4), (double[]){INFINITY, NAN, 5, 6});
    const tp_tensor finite = make_leaf(tape, TP_F64, TP_SHAPE(4), (double[]){7, -7, 5, 6});
    double got[4];

    (void)state;
    compute(tp_guard(g, v), got);
    assert_same("value", got, (double[]){0, 0, 5, 6}, 4);
    compute_gradient(tp_sum(tp_scale(tp_guard(g, finite), 3)), finite, got);
    assert_close("unmasked where v is finite", got, (double[]){3, 3, 3, 3}, 4, 0);
    compute_gradient(tp_sum(tp_scale(tp_guard(g, v), 3)), v, got);
    assert_close("nothing where it hid", got, (double[]){0, 0, 3, 3}, 4, 0);
    compute_gradient(tp_sum(tp_guard(g, finite)), g, got);
    assert_close("nothing to g", got, (double[]){0, 0, 0, 0}, 4, 0);
    tp_tape_destroy(tape);
}

/* ---- No guard where none is needed ------------------------------------------------------------------------- */

static int guards_in_gradient(tp_tensor loss, tp_tensor x)
{
    const int64_t before = tp_tape_count(loss.tape);
    tp_tensor g;
    int guards = 0;

    assert_int_equal(tp_gradient(loss, &x, 1, &g), TP_OK);
    for (int64_t id = before; id < tp_tape_count(loss.tape); id++)
        guards += strcmp(tp__node_at(loss.tape, (int32_t)id)->op->name, "guard") == 0;
    return guards;
}

static void test_guards_are_few(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), NULL);
    const tp_tensor y = tp_parameter(tape, TP_F64, TP_SHAPE(3, 2), NULL);

    (void)state;
    assert_int_equal(guards_in_gradient(tp_sum(tp_log(x)), x), 0); /* the adjoint is 1 everywhere */
    assert_int_equal(guards_in_gradient(tp_mean(tp_square(tp_sub(x, tp_scalar(tape, 1)))), x), 0);
    assert_int_equal(guards_in_gradient(tp_sum(tp_square(tp_matmul(x, y))), x), 0); /* a library call */
    assert_int_equal(guards_in_gradient(tp_sum(tp_square(tp_scale(tp_neg(x), 3))), x),
                     0); /* finite factors */
    assert_int_equal(guards_in_gradient(tp_sum(tp_square(tp_max_over(x, TP_AXES(0), false))), x), 0);
    assert_int_equal(guards_in_gradient(tp_sum(tp_square(tp_exp(x))), x), 1);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untaken_branches),
        cmocka_unit_test(test_higher_orders_stay_finite),
        cmocka_unit_test(test_zero_times_infinity),
        cmocka_unit_test(test_nothing_else_is_hidden),
        cmocka_unit_test(test_no_strong_zero),
        cmocka_unit_test(test_hidden_is_counted),
        cmocka_unit_test(test_zero_residuals_keep_their_curvature),
        cmocka_unit_test(test_zero_adjoints_keep_their_derivative),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_guards_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
