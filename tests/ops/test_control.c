/* test_control.c -- sources, scalars, stop_gradient, assign, group and check_index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

/* ---- Sources ---------------------------------------------------------------------------------------------- */

static void test_iota(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    double got[2000];
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++) {
        compute(tp_iota(tape, dtype, 2000), got);
        for (int i = 0; i < 2000; i++)
            assert_true(got[i] == i);
        assert_int_equal(tp_count_of(tp_iota(tape, dtype, 0)), 0);
        assert_int_equal(tp_iota(tape, dtype, 5).id, tp_iota(tape, dtype, 5).id);
    }
    assert_false(tp_is_valid(tp_iota(tape, TP_F32, -1)));
    assert_error(tape, TP_BAD_SHAPE, "iota");
    assert_false(tp_is_valid(tp_iota(tape, TP_F32, (1 << 24) + 2)));
    tp_tape_clear_error(tape);
    tp_tape_destroy(tape);
}

static void test_full(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    double got[6], value;
    const tp_tensor x = tp_full(tape, TP_F32, TP_SHAPE(2, 3), 0.1);
    (void)state;
    compute(x, got);
    for (int i = 0; i < 6; i++)
        assert_true(got[i] == (double)0.1f);
    assert_true(tp_is_scalar_constant(x, &value) && value == 0.1); /* the double is kept */
    assert_true(tp_is_scalar_constant(tp_add(x, x), &value));
    compute(tp_add(x, x), got);
    assert_true(got[5] == (double)(0.1f + 0.1f)); /* folded as its own kernel computes */
    tp_tape_destroy(tape);
}

/* ---- Random numbers --------------------------------------------------------------------------------------- */

enum { DRAWS = 4000 };

static void check_uniform(tp_dtype dtype, double resolution)
{
    static double first[DRAWS], second[DRAWS];
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 5});
    const tp_tensor a = tp_uniform(tape, dtype, TP_SHAPE(DRAWS)),
                    b = tp_uniform(tape, dtype, TP_SHAPE(DRAWS));
    tp_program *program = tp_compile((tp_tensor[]){a, b}, 2, NULL);
    double sum = 0, squares = 0, product = 0;

    assert_int_not_equal(a.id, b.id);
    run_ok(program);
    get_values(a, first);
    get_values(b, second);
    for (int i = 0; i < DRAWS; i++) {
        assert_true(first[i] >= 0 && first[i] < 1);
        assert_true(first[i] / resolution == floor(first[i] / resolution));
        sum += first[i] - 0.5;
        squares += (first[i] - 0.5) * (first[i] - 0.5);
        product += (first[i] - 0.5) * (second[i] - 0.5);
    }
    const double deviation = sqrt(1.0 / 12 / DRAWS);
    assert_true(fabs(sum / DRAWS) < 4 * deviation);
    assert_true(fabs(squares / DRAWS - 1.0 / 12) < 4 * sqrt(1.0 / 180 / DRAWS));
    assert_true(fabs(product / DRAWS) < 4.0 / 12 / sqrt(DRAWS)); /* two draws have nothing in common */

    run_ok(program);
    get_values(a, second);
    int same = 0;
    for (int i = 0; i < DRAWS; i++)
        same += first[i] == second[i];
    assert_in_range(same, 0, 10); /* new numbers each run */
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_uniform(void **state)
{
    (void)state;
    check_uniform(TP_F32, 0x1p-24);
    check_uniform(TP_F64, 0x1p-53);
}

/* The numbers of run `run` of a tape with a seed; other ops between change nothing. */
static void draw(uint64_t seed, int run, bool freeze, bool clutter, double got[5])
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = seed});
    if (clutter)
        tp_exp(tp_scalar_of(tape, TP_F64, 1));
    const tp_tensor x = tp_uniform(tape, TP_F64, TP_SHAPE(5));
    tp_program *program = tp_compile(&x, 1, &(tp_compile_options){.freeze_random = freeze});
    for (int k = 0; k <= run; k++)
        run_ok(program);
    get_values(x, got);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_uniform_is_reproducible(void **state)
{
    double a[5], b[5];
    (void)state;
    draw(1, 2, false, false, a);
    draw(1, 2, false, true, b);
    assert_same("same seed, same run", b, a, 5);
    draw(2, 2, false, false, b);
    assert_false(same_f64(a[0], b[0]));
    draw(1, 1, false, false, b);
    assert_false(same_f64(a[0], b[0]));
    draw(1, 0, true, false, a);
    draw(1, 3, true, false, b);
    assert_same("frozen", b, a, 5);
}

/* Philox4x32-10 of a zero counter and key, from the reference implementation's known answers: the first numbers of the
 * first run of a tape with seed 0. */
static void test_uniform_is_philox(void **state)
{
    static const uint32_t known[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_uniform(tape, TP_F32, TP_SHAPE(9));
    double got[9];

    (void)state;
    compute(x, got);
    for (int i = 0; i < 4; i++)
        assert_true(got[i] == (double)(known[i] >> 8) * 0x1p-24);
    tp_tape_destroy(tape);

    tape = tp_tape_create(NULL);
    compute(tp_uniform(tape, TP_F64, TP_SHAPE(9)), got);
    for (int i = 0; i < 2; i++)
        assert_true(got[i] == (double)(((uint64_t)known[2 * i + 1] << 32 | known[2 * i]) >> 11) * 0x1p-53);
    tp_tape_destroy(tape);
}

static void numbers_of(tp_tensor source, int64_t start, int64_t n, double *out)
{
    static float f32[DRAWS];
    const uint64_t key[3] = {3, 1, 4};
    const tp_dtype dtype = tp_dtype_of(source);

    tp_op_of(source)->source[dtype](start, n, dtype == TP_F32 ? (void *)f32 : out, tp_attr_of(source), key);
    for (int64_t i = 0; dtype == TP_F32 && i < n; i++)
        out[i] = (double)f32[i];
}

/* A source's kernel gives the same numbers in pieces, and never one twice. */
static void check_pieces(tp_tensor source)
{
    static double whole[DRAWS], piece[DRAWS];

    numbers_of(source, 0, DRAWS, whole);
    for (int64_t at = 0, n = 1; at < DRAWS; at += n, n = n % 7 + 1)
        numbers_of(source, at, at + n > DRAWS ? DRAWS - at : n, piece + at);
    assert_same("in pieces", piece, whole, DRAWS);
    for (int i = 0; i < 200; i++)
        for (int j = 0; j < i; j++)
            assert_true(whole[i] != whole[j]);
}

static void test_sources_in_pieces(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++) {
        check_pieces(tp_uniform(tape, dtype, TP_SHAPE(DRAWS)));
        check_pieces(tp_iota(tape, dtype, DRAWS));
    }
    tp_tape_destroy(tape);
}

/* ---- Scalars ---------------------------------------------------------------------------------------------- */

static void test_weak_scalars(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(2), (double[]){1, 2});
    const tp_tensor k = make_leaf(tape, TP_I32, TP_SHAPE(2), (double[]){1, 2});
    const tp_tensor third = tp_div(tp_scalar(tape, 1), tp_scalar(tape, 3)); /* in double */
    double got[2], value;

    (void)state;
    assert_int_equal(tp_dtype_of(third), TP_WEAK);
    assert_true(tp_is_scalar_constant(third, &value) && value == 1.0 / 3);
    compute(tp_mul(x, third), got);
    assert_true(got[1] == (double)(2 * (float)(1.0 / 3)));
    compute(tp_add(tp_scalar(tape, 3), k), got);
    assert_same("i32", got, (double[]){4, 5}, 2);
    assert_int_equal(tp_dtype_of(tp_sub(tp_scalar(tape, 3), k)), TP_I32);
    tp_add(k, tp_scalar(tape, 0.5));
    assert_error(tape, TP_BAD_DTYPE, "0.5");
    tp_add(k, tp_scalar(tape, 4e9));
    assert_error(tape, TP_BAD_DTYPE, "32-bit");
    tp_mul(x, tp_scalar(tape, 1e39));
    assert_error(tape, TP_BAD_DTYPE, "f32");
    compute(tp_mul(x, tp_scalar(tape, INFINITY)), got);
    assert_same("inf", got, (double[]){INFINITY, INFINITY}, 2);
    tp_tape_destroy(tape);
}

/* Arithmetic with 0, 1 and -1 is left out only where that is exact, for zeros of either sign and for NaN. */
static void test_exact_simplification(void **state)
{
    const double at[] = {0, -0.0, NAN, -3, INFINITY};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(5), at);
    const tp_tensor zero = tp_scalar(tape, 0), minus_zero = tp_scalar(tape, -0.0), one = tp_scalar(tape, 1);
    const double plus_0[] = {0, 0, NAN, -3, INFINITY};
    double got[5];

    (void)state;
    compute(tp_add(x, zero), got);
    assert_same("x + 0", got, plus_0, 5);
    compute(tp_add(zero, x), got);
    assert_same("0 + x", got, plus_0, 5);
    compute(tp_sub(x, minus_zero), got);
    assert_same("x - -0", got, plus_0, 5);
    assert_int_equal(tp_add(x, minus_zero).id, x.id);
    assert_int_equal(tp_add(minus_zero, x).id, x.id);
    assert_int_equal(tp_sub(x, zero).id, x.id);
    assert_int_equal(tp_mul(x, one).id, x.id);
    assert_int_equal(tp_div(x, one).id, x.id);
    assert_int_equal(tp_neg(tp_neg(x)).id, x.id);
    compute(tp_mul(tp_scalar(tape, -1), x), got);
    assert_same("-1 x", got, (double[]){-0.0, 0, NAN, 3, -INFINITY}, 5);
    compute(tp_mul(x, zero), got);
    assert_same("0 x", got, (double[]){0, -0.0, NAN, -0.0, NAN}, 5);
    compute(tp_sub(zero, x), got);
    assert_same("0 - x", got, (double[]){0, 0, NAN, 3, -INFINITY}, 5);
    compute(tp_sub(x, x), got);
    assert_same("x - x", got, (double[]){0, 0, NAN, 0, NAN}, 5);
    compute(tp_maximum(x, x), got);
    assert_same("max(x, x)", got, at, 5);
    tp_tape_destroy(tape);
}

/* A condition is "not 0", whatever its dtype and that of the branches. */
static void test_where_conditions(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double at[] = {0.5, 0, -0.0, NAN, -1e-30};
    const tp_tensor a = make_leaf(tape, TP_I32, TP_SHAPE(5), (double[]){1, 1, 1, 1, 1});
    const tp_tensor b = make_leaf(tape, TP_I32, TP_SHAPE(5), (double[]){2, 2, 2, 2, 2});
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(5), at);
    double got[5];

    (void)state;
    compute(tp_where(make_leaf(tape, TP_F64, TP_SHAPE(5), at), a, b), got);
    assert_same("f64 chooses i32", got, (double[]){1, 2, 2, 1, 1}, 5);
    compute(tp_where(x, a, b), got);
    assert_same("f32 chooses i32", got, (double[]){1, 2, 2, 1, 1}, 5);
    compute(tp_where(tp_sub(a, b), x, tp_scalar(tape, 7)), got);
    assert_same("i32 chooses f32", got, (double[]){0.5, 0, -0.0, NAN, (double)-1e-30f}, 5);
    compute(tp_where(tp_scalar(tape, 0.5), a, b), got);
    assert_same("a weak condition", got, (double[]){1, 1, 1, 1, 1}, 5);
    compute(tp_where(tp_scalar(tape, 0), a, b), got);
    assert_same("a weak 0", got, (double[]){2, 2, 2, 2, 2}, 5);
    compute(tp_where(tp_scalar_of(tape, TP_I32, -1), a, b), got);
    assert_same("a negative condition", got, (double[]){1, 1, 1, 1, 1}, 5);
    compute(tp_where(tp_full(tape, TP_F64, TP_SHAPE(5), NAN), a, b), got);
    assert_same("NaN is not 0", got, (double[]){1, 1, 1, 1, 1}, 5);
    compute(tp_where(x, tp_scalar(tape, 3), tp_scalar(tape, 4)), got);
    assert_same("weak branches", got, (double[]){3, 4, 4, 3, 3}, 5);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- stop_gradient ---------------------------------------------------------------------------------------- */

static void test_stop_gradient(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, -2, 3});
    double got[3];

    (void)state;
    compute_gradient(tp_sum(tp_mul(x, tp_stop_gradient(x))), x, got);
    assert_same("half of a square", got, (double[]){1, -2, 3}, 3);
    compute_gradient(tp_sum(tp_square(tp_stop_gradient(x))), x, got);
    assert_same("nothing", got, (double[]){0, 0, 0}, 3);
    compute_hvp(tp_sum(tp_mul(tp_square(x), tp_stop_gradient(x))), x, (double[]){1, 1, 1}, got);
    assert_same("second order", got, (double[]){2, -4, 6}, 3);
    tp_tape_destroy(tape);
}

/* ---- Assignments ------------------------------------------------------------------------------------------ */

static void test_swap(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){1, 2});
    const tp_tensor b = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){3, 4});
    const tp_tensor sum = tp_add(a, b), old = tp_reshape(a, TP_SHAPE(1, 2));
    const tp_tensor both = tp_group((tp_tensor[]){tp_assign(a, b), tp_assign(b, a)}, 2);
    tp_program *program = tp_compile((tp_tensor[]){both, sum, old, a}, 4, NULL);
    double got[2];

    (void)state;
    assert_non_null(program);
    for (int round = 0; round < 2; round++) {
        const double *first = round == 0 ? (double[]){1, 2} : (double[]){3, 4};
        run_ok(program);
        get_values(sum, got);
        assert_same("sum", got, (double[]){4, 6}, 2);
        get_values(old, got);
        assert_same("a view of the old value", got, first, 2);
        memcpy(got, tp_program_output(program, 3, TP_F64), sizeof got);
        assert_same("the leaf as output", got, first, 2);
        get_values(a, got);
        assert_same("a is b", got, round == 0 ? (double[]){3, 4} : (double[]){1, 2}, 2);
        get_values(b, got);
        assert_same("b is a", got, first, 2);
    }
    assert_null(tp_program_output(program, 0, TP_F64));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Broadcast values, weak values, other leaves of the same program. */
static void test_assign_broadcasts(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2, 2), NULL),
                    k = tp_parameter(tape, TP_I32, TP_SHAPE(2), NULL);
    const tp_tensor row = make_leaf(tape, TP_F32, TP_SHAPE(2), (double[]){5, 6});
    const tp_tensor all[] = {tp_assign(w, tp_add(w, row)), tp_assign(k, tp_scalar(tape, 7))};
    tp_program *program = tp_compile(all, 2, NULL);
    double got[4];

    (void)state;
    run_ok(program);
    run_ok(program);
    get_values(w, got);
    assert_same("w", got, (double[]){10, 12, 10, 12}, 4);
    get_values(k, got);
    assert_same("k", got, (double[]){7, 7}, 2);
    tp_program_destroy(program);

    assert_false(tp_is_valid(tp_assign(row, w)));
    assert_error(tape, TP_BAD_SHAPE, "assign");
    assert_false(tp_is_valid(tp_assign(w, k)));
    assert_error(tape, TP_BAD_DTYPE, "assign");
    assert_false(tp_is_valid(tp_assign(tp_neg(w), row)));
    assert_error(tape, TP_BAD_ARGUMENT, "assign");
    assert_false(tp_is_valid(tp_add(all[0], w)));
    assert_error(tape, TP_BAD_ARGUMENT, "assign");
    assert_null(tp_compile((tp_tensor[]){all[0], tp_assign(w, row)}, 2, NULL));
    assert_error(tape, TP_BAD_STATE, "two assignments");
    tp_tape_destroy(tape);
}

/* ---- check_index ------------------------------------------------------------------------------------------ */

static tp_status run_check(const double *index, bool has_except, double *state_after, char *message)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_I32, TP_SHAPE(4), index),
                    w = make_leaf(tape, TP_I32, TP_SHAPE(4), (double[4]){9});
    const tp_tensor checked = tp_check_index(x, 3, has_except, -1), assigned = tp_assign(w, checked);
    tp_program *program = tp_compile((tp_tensor[]){assigned}, 1, NULL);
    const tp_status status = tp_run(program);

    snprintf(message, 256, "%s", tp_program_message(program));
    get_values(w, state_after);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return status;
}

static void test_check_index(void **state)
{
    char message[256];
    double got[4];

    (void)state;
    assert_int_equal(run_check((double[]){0, 2, 1, 2}, false, got, message), TP_OK);
    assert_same("passed through", got, (double[]){0, 2, 1, 2}, 4);
    assert_int_equal(run_check((double[]){0, 2, 3, 2}, false, got, message), TP_BAD_VALUE);
    assert_non_null(strstr(message, "the index 3 (element 2) is outside [0, 3)"));
    assert_same("nothing was assigned", got, (double[]){9, 0, 0, 0}, 4);
    assert_int_equal(run_check((double[]){0, -1, 1, 2}, false, got, message), TP_BAD_VALUE);
    assert_int_equal(run_check((double[]){0, -1, 1, 2}, true, got, message), TP_OK);
    assert_int_equal(run_check((double[]){0, -2, 1, 2}, true, got, message), TP_BAD_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iota),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_uniform_is_reproducible),
        cmocka_unit_test(test_uniform_is_philox),
        cmocka_unit_test(test_sources_in_pieces),
        cmocka_unit_test(test_weak_scalars),
        cmocka_unit_test(test_exact_simplification),
        cmocka_unit_test(test_where_conditions),
        cmocka_unit_test(test_stop_gradient),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_assign_broadcasts),
        cmocka_unit_test(test_check_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
