/* test_statistics.c -- std, norms, logsumexp, any and all where they have no derivative, or no elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "values.h"

static const double INF = HUGE_VAL;

typedef struct scene {
    tp_tape *tape;
    tp_tensor x;
} scene;

static scene scene_of(tp_dtype dtype, tp_shape shape, const double *values)
{
    tp_tape *tape = tp_tape_create(NULL);
    return (scene){tape, make_leaf(tape, dtype, shape, values)};
}

static void close_scene(scene *s)
{
    assert_no_error(s->tape);
    tp_tape_destroy(s->tape);
}

static void expect_gradient(scene *s, tp_tensor loss, const double *expected)
{
    double got[16];
    compute_gradient(loss, s->x, got);
    assert_same("gradient", got, expected, tp_count_of(s->x));
}

/* ---- std ------------------------------------------------------------------------------------------------- */

static void test_no_spread_has_no_slope(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(2, 3), (double[]){2, 2, 2, 0, 3, 6});
    double got[6];
    (void)state;

    const tp_tensor std = tp_std_over(s.x, TP_AXES(1), 0, false);
    compute(std, got);
    assert_same("std", got, (double[]){0, sqrt(6)}, 2);
    const double slope = 1 / sqrt(6);
    compute_gradient(tp_sum(std), s.x, got);
    assert_close("gradient", got, (double[]){0, 0, 0, -slope, 0, slope}, 6, 1e-15);
    close_scene(&s);
}

static void test_std_squared_is_var(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(5), (double[]){0.5, -1, 2, 7, 1.25});
    (void)state;
    for (int correction = 0; correction < 2; correction++) {
        const double std = compute_one(tp_std(s.x, correction)), var = compute_one(tp_var(s.x, correction));
        assert_true(fabs(std * std - var) < 1e-14 * var);
    }
    close_scene(&s);
}

/* ---- norms ----------------------------------------------------------------------------------------------- */

static void test_orders(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(4), (double[]){3, -4, 0, 4});
    (void)state;

    assert_true(compute_one(tp_vector_norm(s.x, 1)) == 11);
    assert_int_equal(tp_vector_norm(s.x, 2).id, tp_norm(s.x).id);
    assert_true(compute_one(tp_vector_norm(s.x, INF)) == 4);
    expect_gradient(&s, tp_vector_norm(s.x, 1), (double[]){1, -1, 0, 1});
    expect_gradient(&s, tp_vector_norm(s.x, INF), (double[]){0, -0.5, 0, 0.5}); /* a tie is shared */
    close_scene(&s);
}

static void test_zero_vector(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(3), (double[]){0, -0.0, 0});
    const double order[] = {1, 2, INF};
    (void)state;
    for (int k = 0; k < 3; k++) {
        const tp_tensor norm = tp_vector_norm(s.x, order[k]);
        assert_true(compute_one(norm) == 0);
        double got[3];
        compute_gradient(norm, s.x, got);
        for (int i = 0; i < 3; i++)
            assert_true(got[i] == 0);
    }
    close_scene(&s);
}

static void test_norms_of_nothing(void **state)
{
    scene s = scene_of(TP_F32, TP_SHAPE(0), NULL);
    (void)state;
    assert_true(compute_one(tp_vector_norm(s.x, 1)) == 0);
    assert_true(compute_one(tp_vector_norm(s.x, 2)) == 0);
    assert_false(tp_is_valid(tp_vector_norm(s.x, INF)));
    assert_error(s.tape, TP_BAD_SHAPE, "vector_norm: there is none of no elements: f32[0]");
    /* no result that would need an element */
    const tp_tensor rows = tp_parameter(s.tape, TP_F32, TP_SHAPE(0, 0), NULL);
    assert_int_equal(tp_count_of(tp_vector_norm_over(rows, TP_AXES(1), INF, false)), 0);
    close_scene(&s);
}

/* ---- logsumexp ------------------------------------------------------------------------------------------- */

static void check_logsumexp(const double *x, double value, const double *gradient)
{
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++) {
        scene s = scene_of(dtype, TP_SHAPE(3), x);
        const tp_tensor y = tp_logsumexp(s.x);
        const double got = compute_one(y);
        assert_same("logsumexp", &got, &value, 1);
        expect_gradient(&s, y, gradient);
        close_scene(&s);
    }
}

static void test_logsumexp_of_infinities(void **state)
{
    (void)state;
    check_logsumexp((double[]){-INF, -INF, -INF}, -INF, (double[]){0, 0, 0});
    check_logsumexp((double[]){-INF, 3, -INF}, 3, (double[]){0, 1, 0});
    check_logsumexp((double[]){1e3, -INF, -1e3}, 1e3, (double[]){1, 0, 0});
}

/* Rows of -inf beside others, and a second derivative through both. */
static void test_logsumexp_row_by_row(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(2, 2), (double[]){-INF, -INF, 0, 0});
    double got[4];
    (void)state;

    const tp_tensor y = tp_sum(tp_logsumexp_over(s.x, TP_AXES(1), false));
    compute_gradient(y, s.x, got);
    assert_close("gradient", got, (double[]){0, 0, 0.5, 0.5}, 4, 1e-15);
    compute_hvp(y, s.x, (double[]){1, 1, 1, -1}, got);
    assert_close("hvp", got, (double[]){0, 0, 0.5, -0.5}, 4, 1e-15);
    close_scene(&s);
}

/* ---- any, all -------------------------------------------------------------------------------------------- */

static void check_truth(tp_dtype dtype, tp_shape shape, const double *x, double any, double all)
{
    scene s = scene_of(dtype, shape, x);
    assert_int_equal(tp_dtype_of(tp_any(s.x)), dtype);
    assert_int_equal(tp_dtype_of(tp_all(s.x)), dtype);
    assert_true(compute_one(tp_any(s.x)) == any);
    assert_true(compute_one(tp_all(s.x)) == all);
    close_scene(&s);
}

static void test_any_and_all(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++) {
        check_truth(dtype, TP_SHAPE(3), (double[]){0, -0.0, 0}, 0, 0);
        check_truth(dtype, TP_SHAPE(3), (double[]){0, -3, 0}, 1, 0);
        check_truth(dtype, TP_SHAPE(3), (double[]){1, -3, 7}, 1, 1);
        check_truth(dtype, TP_SHAPE(0), NULL, 0, 1);
        check_truth(dtype, TP_SHAPE_0D, (double[]){0}, 0, 0);
    }
    check_truth(TP_F32, TP_SHAPE(2), (double[]){NAN, 0}, 1, 0);
    check_truth(TP_F64, TP_SHAPE(2), (double[]){NAN, 0x1p-1074}, 1, 1);
    /* nonzero numbers that cancel */
    check_truth(TP_I32, TP_SHAPE(2), (double[]){-1, 1}, 1, 1);
}

static void test_any_and_all_over_axes(void **state)
{
    scene s = scene_of(TP_F64, TP_SHAPE(2, 3), (double[]){0, 0, 5, 0, NAN, 5});
    double got[3];
    (void)state;

    compute(tp_any_over(s.x, TP_AXES(0), false), got);
    assert_same("any", got, (double[]){0, 1, 1}, 3);
    compute(tp_all_over(s.x, TP_AXES(0), true), got);
    assert_same("all", got, (double[]){0, 0, 1}, 3);
    assert_true(tp_shape_equal(tp_shape_of(tp_all_over(s.x, TP_AXES(0), true)), TP_SHAPE(1, 3)));
    expect_gradient(&s, tp_any(s.x), (double[]){0, 0, 0, 0, 0, 0});
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_spread_has_no_slope),
        cmocka_unit_test(test_std_squared_is_var),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_zero_vector),
        cmocka_unit_test(test_norms_of_nothing),
        cmocka_unit_test(test_logsumexp_of_infinities),
        cmocka_unit_test(test_logsumexp_row_by_row),
        cmocka_unit_test(test_any_and_all),
        cmocka_unit_test(test_any_and_all_over_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
