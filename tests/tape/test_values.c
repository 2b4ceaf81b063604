/* test_values.c -- writing and reading: all or nothing, at the right time, the right dtype. */
#include "tape_test.h"

typedef struct values {
    tp_tape *tape;
    tp_tensor input, w, constant, y;
} values;

static int make_values(void **state)
{
    static values v;
    v.tape = tp_tape_create(NULL);
    v.input = tp_input(v.tape, TP_F32, TP_SHAPE(2, 2));
    v.w = tp_parameter(v.tape, TP_F32, TP_SHAPE(2), (float[]){1, 2});
    v.constant = tp_constant(v.tape, TP_F32, TP_SHAPE(2), (float[]){3, 4});
    v.y = tp_mul(v.input, tp_add(v.w, v.constant));
    *state = &v;
    return 0;
}

static int drop_values(void **state)
{
    values *v = *state;
    tp_tape_destroy(v->tape);
    return 0;
}

static void expect_leaf(tp_tensor leaf, float a, float b)
{
    float out[2];
    assert_int_equal(tp_read(leaf, out, 2), TP_OK);
    assert_true(out[0] == a && out[1] == b);
}

static void test_wrong_writes_change_nothing(void **state)
{
    const values *v = *state;
    const float many[4] = {9, 9, 9, 9};
    const double doubles[2] = {9, 9};
    const int32_t integers[2] = {9, 9};

    assert_int_equal(tp_write(v->w, many, 1), TP_BAD_SHAPE);
    assert_int_equal(tp_write(v->w, many, 3), TP_BAD_SHAPE);
    assert_int_equal(tp_write(v->w, many, -2), TP_BAD_SHAPE);
    assert_int_equal(tp_write(v->w, many, INT64_MAX), TP_BAD_SHAPE);
    assert_int_equal(tp_write(v->w, doubles, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_write(v->w, integers, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_write_as(v->w, TP_WEAK, many, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_write_as(v->w, (tp_dtype)99, many, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_write_as(v->w, TP_F32, NULL, 2), TP_BAD_ARGUMENT);
    expect_leaf(v->w, 1, 2);
    assert_int_equal(tp_write(v->constant, many, 2), TP_BAD_ARGUMENT);
    expect_leaf(v->constant, 3, 4);
    assert_int_equal(tp_write(v->y, many, 4), TP_BAD_ARGUMENT);
    assert_int_equal(tp_write(v->input, many, 3), TP_BAD_SHAPE);
    float out[4];
    assert_int_equal(tp_read(v->input, out, 4), TP_BAD_STATE); /* still not written */
}

static void test_wrong_reads_write_nothing(void **state)
{
    const values *v = *state;
    float out[4] = {7, 7, 7, 7};
    double doubles[4] = {7, 7, 7, 7};
    const float seven = 7;

    assert_int_equal(tp_read(v->w, out, 1), TP_BAD_SHAPE);
    assert_int_equal(tp_read(v->w, out, 3), TP_BAD_SHAPE);
    assert_int_equal(tp_read(v->w, out, -2), TP_BAD_SHAPE);
    assert_int_equal(tp_read(v->w, doubles, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_read_as(v->w, (tp_dtype)99, out, 2), TP_BAD_DTYPE);
    assert_int_equal(tp_read(v->input, out, 4), TP_BAD_STATE);
    assert_int_equal(tp_read(v->y, out, 4), TP_BAD_STATE);
    assert_true(isnan(tp_item(v->y)));
    assert_null(tp_values(v->y, TP_F32));
    assert_null(tp_values(v->input, TP_F32));
    assert_null(tp_values(v->w, TP_F64));
    for (int k = 0; k < 4; k++)
        assert_true(same_bits(out[k], seven) && doubles[k] == 7);
}

static void test_writing_a_leaf_to_itself(void **state)
{
    const values *v = *state;
    float *w = tp_leaf_data(v->w, TP_F32);
    assert_non_null(w);
    assert_int_equal(tp_write(v->w, w, 2), TP_OK);
    assert_int_equal(tp_read(v->w, w, 2), TP_OK);
    expect_leaf(v->w, 1, 2);
    w[1] = 5;
    expect_leaf(v->w, 1, 5);
    assert_ptr_equal(tp_values(v->w, TP_F32), w);
    expect_ok(v->tape);
}

static void test_leaf_data_is_aligned_and_counts_as_written(void **state)
{
    const values *v = *state;
    float *data = tp_leaf_data(v->input, TP_F32), out[4];
    assert_int_equal((uintptr_t)data % 64, 0);
    data[0] = data[1] = data[2] = data[3] = 1;
    tp_program *program = compile_one(v->y);
    assert_int_equal(tp_run(program), TP_OK);
    assert_int_equal(tp_read(v->y, out, 4), TP_OK);
    assert_true(out[0] == 4 && out[1] == 6 && out[3] == 6);
    tp_program_destroy(program);
    assert_null(tp_leaf_data(v->constant, TP_F32));
    assert_null(tp_leaf_data(v->y, TP_F32));
    assert_null(tp_leaf_data(v->w, TP_F64));
}

static void test_running_before_writing(void **state)
{
    const values *v = *state;
    tp_program *program = compile_one(v->y);
    assert_int_equal(tp_run(program), TP_BAD_STATE);
    expect_text(tp_program_message(program), "tp_run: the input f32[2,2] was not written yet");
    expect_error(v->tape, TP_BAD_STATE, "was not written yet");
    assert_int_equal(tp_write(v->input, ((float[]){1, 1, 1, 1}), 4), TP_OK);
    assert_int_equal(tp_run(program), TP_OK);
    assert_string_equal(tp_program_message(program), "");
    tp_program_destroy(program);
}

/* The labels of one batch are wrong: that run changes nothing, and the next is as if it had not been. */
static void test_a_wrong_label_changes_nothing(void **state)
{
    const values *v = *state;
    const tp_tensor labels = tp_input(v->tape, TP_I32, TP_SHAPE(3));
    const tp_tensor checked = tp_check_index(labels, 4, false, 0);
    const tp_tensor sum = tp_sum(checked);
    tp_program *program = tp_compile((tp_tensor[]){sum, tp_assign(v->w, tp_scale(v->w, 10))}, 2, NULL);
    int32_t out[1] = {77};

    tp_write(labels, ((int32_t[]){0, 3, 1}), 3);
    assert_int_equal(tp_run(program), TP_OK);
    expect_leaf(v->w, 10, 20);
    tp_write(labels, ((int32_t[]){0, 3, 4}), 3);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    expect_text(tp_program_message(program), "check_index: the index 4 (element 2) is outside [0, 4) at ");
    expect_leaf(v->w, 10, 20);
    expect_error(v->tape, TP_BAD_VALUE, "the index 4 (element 2)");
    assert_int_equal(tp_read(sum, out, 1), TP_BAD_STATE); /* the outputs of a failed run are not there */
    assert_true(out[0] == 77);
    assert_null(tp_program_output(program, 0, TP_I32));
    assert_true(tp_is_valid(tp_exp(v->w))); /* the tape records on, though the error was not cleared */
    tp_write(labels, ((int32_t[]){-1, 3, 4}), 3);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    expect_text(tp_program_message(program), "the index -1 (element 0)");
    tp_write(labels, ((int32_t[]){1, 1, 1}), 3);
    assert_int_equal(tp_run(program), TP_OK);
    expect_leaf(v->w, 100, 200);
    tp_program_destroy(program);
}

static void test_integer_overflow_changes_nothing(void **state)
{
    const values *v = *state;
    const tp_tensor i = tp_parameter(v->tape, TP_I32, TP_SHAPE(3), (int32_t[]){INT32_MAX, 1, -1});
    const tp_tensor sum = tp_sum(i), part = tp_sum(tp_slice(i, 0, 0, 2, 1)), product = tp_prod(i);
    tp_program *fine = tp_compile((tp_tensor[]){sum, product}, 2, NULL);
    tp_program *bad = tp_compile((tp_tensor[]){part, tp_assign(v->w, tp_scale(v->w, 10))}, 2, NULL);

    assert_int_equal(tp_run(fine), TP_OK);
    assert_true(tp_item(sum) == INT32_MAX && tp_item(product) == -(double)INT32_MAX);
    assert_int_equal(tp_run(bad), TP_BAD_VALUE);
    expect_error(v->tape, TP_BAD_VALUE, "sum: the result 2147483648 does not fit i32 (element 0) at ");
    expect_leaf(v->w, 1, 2);
    tp_program_destroy(fine);
    tp_program_destroy(bad);
}

static void test_items(void **state)
{
    const values *v = *state;
    assert_true(tp_item(tp_scalar(v->tape, 0.1)) == 0.1);
    assert_true(tp_item(tp_scalar_of(v->tape, TP_I32, -3)) == -3);
    assert_true(tp_item(tp_parameter(v->tape, TP_F32, TP_SHAPE(1, 1), (float[]){0.5f})) == 0.5);
    assert_true(tp_item(tp_constant(v->tape, TP_I32, TP_SHAPE_0D, (int32_t[]){INT32_MIN})) == INT32_MIN);
    assert_true(tp_item(tp_full(v->tape, TP_F64, TP_SHAPE(1), 0.25)) == 0.25);
    expect_ok(v->tape);
    assert_true(isnan(tp_item(tp_full(v->tape, TP_F64, TP_SHAPE(0), 0.25))));
    expect_error(v->tape, TP_BAD_SHAPE, "tp_item: ");
    assert_true(isnan(tp_item(tp_input(v->tape, TP_F32, TP_SHAPE_0D))));
    expect_error(v->tape, TP_BAD_STATE, "tp_item: input f32[]: this input was not written yet");
}

static void test_no_elements(void **state)
{
    const values *v = *state;
    const tp_tensor nothing = tp_input(v->tape, TP_F32, TP_SHAPE(3, 0));
    const tp_tensor empty = tp_constant(v->tape, TP_F32, TP_SHAPE(0), NULL);
    assert_int_equal(tp_read_as(nothing, TP_F32, NULL, 0), TP_OK); /* there is nothing to write first */
    assert_int_equal(tp_write_as(nothing, TP_F32, NULL, 0), TP_OK);
    assert_int_equal(tp_write_as(nothing, TP_F32, NULL, 1), TP_BAD_SHAPE);
    tp_tape_clear_error(v->tape);
    assert_non_null(tp_values(empty, TP_F32));
    tp_program *program = compile_one(tp_exp(nothing));
    assert_int_equal(tp_run(program), TP_OK);
    assert_non_null(tp_program_output(program, 0, TP_F32));
    tp_program_destroy(program);
    expect_ok(v->tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_writes_change_nothing, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_wrong_reads_write_nothing, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_writing_a_leaf_to_itself, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_leaf_data_is_aligned_and_counts_as_written, make_values,
                                        drop_values),
        cmocka_unit_test_setup_teardown(test_running_before_writing, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_a_wrong_label_changes_nothing, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_integer_overflow_changes_nothing, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_items, make_values, drop_values),
        cmocka_unit_test_setup_teardown(test_no_elements, make_values, drop_values),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
