/* test_program.c -- compile and run: outputs, assignments, several programs, random numbers, empty tensors, memory. */
#include "tape_test.h"

static tp_tensor parameter(tp_tape *tape, int64_t n, const float *values)
{
    return tp_parameter(tape, TP_F32, TP_SHAPE(n), values);
}

static void expect_values(tp_tensor x, const float *expected, int64_t count)
{
    float out[64];
    assert_int_equal(tp_read(x, out, count), TP_OK);
    for (int64_t i = 0; i < count; i++)
        if (!same_bits(out[i], expected[i]))
            fail_msg("element %d is %g, not %g", (int)i, (double)out[i], (double)expected[i]);
}

static void run_well(tp_program *program)
{
    if (tp_run(program) != TP_OK)
        fail_msg("%s", tp_program_message(program));
}

/* ---- Outputs ---------------------------------------------------------------------------------------- */

static void test_outputs_persist_until_the_next_run(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = parameter(tape, 2, (float[]){1, 2}), y = tp_scale(w, 3);
    tp_program *program = compile_one(y);
    (void)state;

    run_well(program);
    const float *values = tp_values(y, TP_F32);
    tp_write(w, ((float[]){7, 8}), 2);
    for (int k = 0; k < 100; k++)
        tp_exp(tp_add(y, tp_scalar(tape, k)));
    evaluate1(tp_sum(y)); /* another program */
    expect_values(y, (float[]){3, 6}, 2);
    assert_ptr_equal(tp_values(y, TP_F32), values);
    run_well(program);
    assert_ptr_equal(tp_values(y, TP_F32), values);
    expect_values(y, (float[]){21, 24}, 2);
    tp_program_destroy(program);
    assert_null(tp_values(y, TP_F32));
    expect_error(tape, TP_BAD_STATE, "not computed");
    tp_tape_destroy(tape);
}

static void test_a_leaf_as_output_is_its_value_at_the_start(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = parameter(tape, 2, (float[]){1, 2});
    tp_program *program = tp_compile((tp_tensor[]){w, tp_assign(w, tp_scale(w, 10)), w}, 3, NULL);
    (void)state;

    for (int run = 0; run < 3; run++) {
        const float old = *(const float *)tp_values(w, TP_F32);
        run_well(program);
        assert_true(*(const float *)tp_program_output(program, 0, TP_F32) == old);
        assert_true(*(const float *)tp_program_output(program, 2, TP_F32) == old);
        assert_true(*(const float *)tp_values(w, TP_F32) == 10 * old);
    }
    tp_write(w, ((float[]){-1, -1}), 2); /* does not reach the output */
    assert_true(*(const float *)tp_program_output(program, 0, TP_F32) == 100);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_the_newest_run_is_read(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = parameter(tape, 2, (float[]){1, 2}), labels = tp_input(tape, TP_I32, TP_SHAPE(1));
    const tp_tensor y = tp_neg(w);
    tp_program *a = compile_one(y),
               *b = tp_compile((tp_tensor[]){y, tp_check_index(labels, 2, false, 0)}, 2, NULL);
    (void)state;

    tp_write(labels, ((int32_t[]){0}), 1);
    run_well(a);
    tp_write(w, ((float[]){5, 6}), 2);
    run_well(b);
    expect_values(y, (float[]){-5, -6}, 2);
    tp_write(w, ((float[]){7, 8}), 2);
    run_well(a);
    expect_values(y, (float[]){-7, -8}, 2);
    run_well(b);
    tp_write(labels, ((int32_t[]){2}), 1);
    assert_int_equal(tp_run(b), TP_BAD_VALUE); /* its values are gone, a's are the newest again */
    tp_tape_clear_error(tape);
    expect_values(y, (float[]){-7, -8}, 2);
    tp_program_destroy(a);
    assert_null(tp_values(y, TP_F32));
    tp_program_destroy(b);
    tp_tape_destroy(tape);
}

static void test_outputs_in_any_order_and_twice(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = parameter(tape, 2, (float[]){1, 2}), a = tp_exp(w), b = tp_sum(a), c = tp_neg(w);
    tp_program *program = tp_compile((tp_tensor[]){b, c, a, b, tp_scalar_of(tape, TP_F64, 0.1)}, 5, NULL);
    (void)state;

    run_well(program);
    assert_ptr_equal(tp_program_output(program, 0, TP_F32), tp_program_output(program, 3, TP_F32));
    assert_true(((const float *)tp_program_output(program, 1, TP_F32))[1] == -2);
    assert_true(*(const double *)tp_program_output(program, 4, TP_F64) == 0.1);
    assert_null(tp_program_output(program, 4, TP_F32));
    expect_ok(tape);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Assignments ------------------------------------------------------------------------------------ */

static void test_two_leaves_swap(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = parameter(tape, 2, (float[]){1, 2}), b = parameter(tape, 2, (float[]){3, 4});
    tp_program *program = compile_one(tp_group((tp_tensor[]){tp_assign(a, b), tp_assign(b, a)}, 2));
    (void)state;

    run_well(program);
    expect_values(a, (float[]){3, 4}, 2);
    expect_values(b, (float[]){1, 2}, 2);
    run_well(program);
    expect_values(a, (float[]){1, 2}, 2);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_a_leaf_gets_a_view_of_itself(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2, 2), (float[]){1, 2, 3, 4});
    const tp_tensor sum = tp_sum(tp_square(w));
    tp_program *program = tp_compile((tp_tensor[]){tp_assign(w, tp_transpose(w, 0, 1)), sum, w}, 3, NULL);
    (void)state;

    run_well(program);
    expect_values(w, (float[]){1, 3, 2, 4}, 4);
    expect_values(sum, (float[]){30}, 1);
    assert_true(((const float *)tp_program_output(program, 2, TP_F32))[1] == 2);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_assignments_broadcast(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), NULL),
                    b = tp_input(tape, TP_F32, TP_SHAPE(2, 2));
    const tp_tensor row = parameter(tape, 3, (float[]){1, 2, 3});
    tp_program *program =
        compile_one(tp_group((tp_tensor[]){tp_assign(a, row), tp_assign(b, tp_scalar(tape, 7))}, 2));
    (void)state;

    run_well(program); /* b need not be written: it is only assigned, and then it is */
    expect_values(a, (float[]){1, 2, 3, 1, 2, 3}, 6);
    expect_values(b, (float[]){7, 7, 7, 7}, 4);
    tp_program_destroy(program);
    program = compile_one(tp_assign(a, tp_reshape(tp_slice(row, 0, 0, 2, 1), TP_SHAPE(2, 1))));
    run_well(program);
    expect_values(a, (float[]){1, 1, 1, 2, 2, 2}, 6);
    tp_program_destroy(program);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_groups_nest(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor w[12], step[12];
    (void)state;
    for (int k = 0; k < 12; k++) {
        w[k] = parameter(tape, 1, (float[]){(float)k});
        step[k] = tp_assign(w[k], tp_scale(w[k], 2));
    }
    const tp_tensor inner = tp_group(step, 11), outer = tp_group((tp_tensor[]){inner, step[11], step[3]}, 3);
    tp_program *program = tp_compile((tp_tensor[]){outer, step[0]}, 2, NULL);
    run_well(program);
    for (int k = 0; k < 12; k++)
        assert_true(tp_item(w[k]) == 2 * k);
    float out[1];
    assert_int_equal(tp_read(outer, out, 1), TP_BAD_STATE);
    assert_int_equal(tp_read(step[0], out, 1), TP_BAD_STATE);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Sizes ------------------------------------------------------------------------------------------ */

/* Beyond a tile, with operands that repeat: the pieces fit together. */
static void test_many_elements_with_broadcasting(void **state)
{
    enum { ROWS = 37, COLUMNS = 91 };
    static float a[ROWS], b[COLUMNS], out[ROWS * COLUMNS];
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    for (int i = 0; i < ROWS; i++)
        a[i] = (float)i;
    for (int j = 0; j < COLUMNS; j++)
        b[j] = (float)(1000 * j);
    const tp_tensor column = tp_parameter(tape, TP_F32, TP_SHAPE(ROWS, 1), a),
                    row = parameter(tape, COLUMNS, b);
    evaluate(tp_add(column, row), out, ROWS * COLUMNS);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            assert_true(out[i * COLUMNS + j] == a[i] + b[j]);
    evaluate(tp_sum_over(tp_add(column, row), TP_AXES(1), false), out, ROWS);
    for (int i = 0; i < ROWS; i++)
        assert_true(out[i] == 91 * a[i] + 4095000);
    tp_tape_destroy(tape);
}

static void test_no_elements_anywhere(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(0, 3)),
                    w = tp_parameter(tape, TP_F32, TP_SHAPE(3, 2), NULL);
    const tp_tensor p = tp_parameter(tape, TP_F32, TP_SHAPE(0, 3), NULL),
                    one = parameter(tape, 1, (float[]){1});
    const tp_tensor maps = tp_exp(tp_add(x, tp_sum_over(w, TP_AXES(1), false)));
    const tp_tensor inner = tp_matmul(tp_transpose(x, 0, 1), p); /* [3,0] times [0,3]: zeros */
    tp_tensor g[2];
    (void)state;

    const tp_tensor loss = tp_add(tp_sum(tp_matmul(maps, w)), tp_sum(tp_mul(p, p)));
    assert_int_equal(tp_gradient(loss, (tp_tensor[]){w, p}, 2, g), TP_OK);
    const tp_tensor outputs[] = {loss,
                                 inner,
                                 g[0],
                                 g[1],
                                 tp_prod(x),
                                 tp_prod_over(x, TP_AXES(0), false),
                                 tp_max_over(x, TP_AXES(1), false),
                                 tp_concat((tp_tensor[]){x, x, maps}, 3, 0),
                                 tp_reshape(x, TP_SHAPE(7, 0)),
                                 tp_expand(tp_reshape(x, TP_SHAPE(1, 0, 3)), TP_SHAPE(5, 0, 3)),
                                 tp_slice(w, 0, 1, 1, 1),
                                 tp_expand(one, TP_SHAPE(0)),
                                 tp_softmax(x, 1),
                                 tp_uniform(tape, TP_F32, TP_SHAPE(0, 2)),
                                 tp_iota(tape, TP_F32, 0),
                                 tp_assign(p, x)};
    tp_program *program = tp_compile(outputs, COUNT_OF(outputs), &(tp_compile_options){.check_finite = true});
    expect_ok(tape);
    run_well(program);
    assert_true(tp_item(loss) == 0);
    expect_values(inner, (float[9]){0}, 9);
    expect_values(g[0], (float[6]){0}, 6);
    assert_true(*(const float *)tp_program_output(program, 4, TP_F32) == 1);
    expect_values(outputs[5], (float[]){1, 1, 1}, 3);
    assert_int_equal(tp_read_as(outputs[8], TP_F32, NULL, 0), TP_OK);
    expect_ok(tape);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_memory_is_told(void **state)
{
    memory m = {0};
    tp_tape *tape = tape_with(&m);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(1000), NULL);
    tp_program *leaf = compile_one(w), *map = compile_one(tp_exp(tp_exp(w)));
    tp_program *constant = compile_one(tp_full(tape, TP_F64, TP_SHAPE(5000), 1));
    (void)state;

    assert_true(tp_program_memory(leaf) >= 4000 &&
                tp_program_memory(leaf) < 8000); /* the value at the start */
    assert_true(tp_program_memory(map) >= 8000);
    assert_true(tp_program_memory(constant) >= 40000);
    const size_t before = tp_program_memory(map);
    run_well(map);
    assert_int_equal(tp_program_memory(map), before);
    tp_program_destroy(leaf);
    tp_program_destroy(map);
    tp_program_destroy(constant);
    tp_tape_destroy(tape);
    assert_all_released(&m);
}

/* A recording error stops compiling, not what was compiled before. */
static void test_programs_run_on_after_an_error(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = parameter(tape, 2, (float[]){1, 2}), y = tp_scale(w, 2);
    tp_program *program = compile_one(y);
    (void)state;

    assert_false(tp_is_valid(tp_reshape(w, TP_SHAPE(3))));
    assert_null(compile_one(y));
    run_well(program);
    expect_values(y, (float[]){2, 4}, 2);
    expect_error(tape, TP_BAD_SHAPE, "reshape: ");
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_persist_until_the_next_run),
        cmocka_unit_test(test_a_leaf_as_output_is_its_value_at_the_start),
        cmocka_unit_test(test_the_newest_run_is_read),
        cmocka_unit_test(test_outputs_in_any_order_and_twice),
        cmocka_unit_test(test_two_leaves_swap),
        cmocka_unit_test(test_a_leaf_gets_a_view_of_itself),
        cmocka_unit_test(test_assignments_broadcast),
        cmocka_unit_test(test_groups_nest),
        cmocka_unit_test(test_many_elements_with_broadcasting),
        cmocka_unit_test(test_no_elements_anywhere),
        cmocka_unit_test(test_memory_is_told),
        cmocka_unit_test(test_programs_run_on_after_an_error),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
