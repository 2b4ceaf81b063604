/* test_finite.c -- the finite check: what is a fault and what is not, and that the message names where it came from. */
#include "tape_test.h"

typedef struct check {
    tp_tape *tape;
    tp_program *program;
} check;

static tp_program *compile_checked(const tp_tensor *outputs, int n)
{
    tp_program *program = tp_compile(outputs, n, &(tp_compile_options){.check_finite = true});
    if (program == NULL)
        fail_msg("%s", tp_tape_message(outputs[0].tape));
    return program;
}

/* The run of these outputs fails with a message that has these fragments, in order, and changes nothing. */
static void expect_fault(tp_tensor output, const char *first, const char *second)
{
    tp_program *program = compile_checked(&output, 1);
    assert_int_equal(tp_run(program), TP_NOT_FINITE);
    const char *message = tp_program_message(program), *found = strstr(message, first);
    if (found == NULL || strstr(found, second) == NULL)
        fail_msg("\"%s\" does not contain \"%s\" and \"%s\"", message, first, second);
    assert_string_equal(tp_tape_message(output.tape), message);
    tp_tape_clear_error(output.tape);
    tp_program_destroy(program);
}

static void expect_no_fault(tp_tensor output)
{
    tp_program *program = compile_checked(&output, 1);
    if (tp_run(program) != TP_OK)
        fail_msg("%s", tp_program_message(program));
    tp_program_destroy(program);
}

static tp_tensor vector(tp_tape *tape, int64_t n, const float *values)
{
    return tp_parameter(tape, TP_F32, TP_SHAPE(n), values);
}

/* ---- Forward ---------------------------------------------------------------------------------------- */

static void test_the_first_nan_is_named(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    float values[20] = {0};
    char place[300];
    (void)state;

    for (int i = 0; i < 20; i++)
        values[i] = 1;
    values[17] = -0.3125f;
    const tp_tensor x = vector(tape, 20, values);
    tp_scope_begin(tape, "bounded_mse");
    tp_scope_begin(tape, "huber");
    const int line = __LINE__ + 1;
    const tp_tensor y = tp_log(x);
    tp_scope_end(tape);
    snprintf(place, sizeof place, "nan at %s:%d", __FILE__, line);
    expect_fault(tp_mean(tp_exp(tp_square(y))), "bounded_mse/huber: log of -0.3125 (element 17) gave ",
                 place);
    tp_tape_destroy(tape);
}

static void test_each_kind_is_walked_back(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape, 6, (float[]){1, 2, 3, 4, 0, 6});
    const tp_tensor bad = tp_div(tp_scalar(tape, 2), x), m = tp_reshape(bad, TP_SHAPE(2, 3));
    const tp_tensor one = tp_full(tape, TP_F32, TP_SHAPE(3, 2), 1), w = vector(tape, 6, NULL);
    const char *origin = "div of 2, 0 (element 4) gave inf";
    (void)state;

    expect_fault(bad, origin, "");
    expect_fault(tp_sum(bad), origin, "");
    expect_fault(tp_max_over(m, TP_AXES(0), false), origin, "");
    expect_fault(tp_transpose(m, 0, 1), origin, "");
    expect_fault(tp_slice(tp_transpose(m, 0, 1), 0, 1, 3, 1), origin, "");
    expect_fault(tp_expand(tp_slice(m, 1, 1, 2, 1), TP_SHAPE(4, 2, 5)), origin, "");
    expect_fault(tp_matmul(m, one), origin, "");
    expect_fault(tp_concat((tp_tensor[]){x, bad}, 2, 0), origin, "");
    expect_fault(tp_assign(w, bad), origin, "");
    expect_fault(tp_group((tp_tensor[]){tp_assign(w, tp_neg(bad))}, 1), origin, "");
    expect_fault(tp_add(x, tp_sum(bad)), origin, "");
    expect_fault(tp_where(tp_less(x, tp_scalar(tape, 2)), bad, x), origin, "");
    expect_fault(tp_sub(tp_cast(bad, TP_F64), tp_cast(bad, TP_F64)), origin, "");
    tp_tape_destroy(tape);
}

static void test_other_origins(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape, 4, (float[]){3e38f, 3e38f, 1, 1000}), hot = tp_slice(x, 0, 3, 4, 1);
    const tp_tensor inf = vector(tape, 3, (float[]){1, 2, -INFINITY}), a = tp_reshape(x, TP_SHAPE(1, 4));
    const tp_tensor d = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){1, 1e300});
    (void)state;

    expect_fault(tp_exp(hot), "exp of 1000 (element 0) gave inf", "");
    expect_fault(tp_sum(x), "sum of f32[4] (element 0) gave inf", "");
    expect_fault(tp_matmul(a, tp_full(tape, TP_F32, TP_SHAPE(4, 2), 2)), "matmul of f32[1,4], f32[4,2]",
                 "inf");
    expect_fault(tp_sum(tp_exp(tp_neg(inf))), "parameter holds -inf (element 2)", "");
    expect_fault(inf, "parameter holds -inf (element 2)", __FILE__);
    expect_fault(tp_cast(d, TP_F32), "cast_f32 of 1e+300 (element 1) gave inf", "");
    expect_fault(tp_full(tape, TP_F32, TP_SHAPE(2), NAN), "scalar holds nan (element 0)", "");
    tp_tape_destroy(tape);
}

/* A bad value that does not reach a result is nobody's fault. */
static void test_what_is_no_fault(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape, 3, (float[]){-1, 0, 4}), zero = tp_scalar(tape, 0);
    const tp_tensor safe = tp_where(tp_greater(x, zero), tp_log(x), zero);
    float out[3];
    (void)state;

    expect_no_fault(safe);
    expect_no_fault(tp_div(tp_scalar(tape, 1), tp_div(tp_scalar(tape, 1), tp_relu(x)))); /* 1 / inf */
    expect_no_fault(tp_cast(tp_log(x), TP_I32));
    expect_no_fault(tp_less(tp_log(x), zero));
    expect_no_fault(tp_guard(tp_relu(x), tp_log(x)));
    evaluate(safe, out, 3);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] > 1.38f);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

/* Two bad operands: the one named is that which, being finite, would have made the result finite. */
static void test_the_operand_to_blame(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape, 1, (float[]){-4}), zero = tp_scalar(tape, 0);
    const tp_tensor root = tp_sqrt(x), log = tp_log(tp_sub(x, tp_scalar(tape, 1)));
    (void)state;

    expect_fault(tp_where(tp_less(x, zero), root, log), "sqrt of -4 (element 0) gave nan", "");
    expect_fault(tp_where(tp_greater(x, zero), root, log), "log of -5 (element 0) gave nan", "");
    tp_tape_destroy(tape);
}

/* ---- Backward --------------------------------------------------------------------------------------- */

static void test_a_backward_nan_names_its_forward_op(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 4, (float[]){1, 4, 0, 9});
    char place[300];
    tp_tensor g, h;
    (void)state;

    tp_scope_begin(tape, "penalty");
    const int line = __LINE__ + 1;
    const tp_tensor loss = tp_sum(tp_sqrt(w));
    tp_scope_end(tape);
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    snprintf(place, sizeof place, "in the gradient of sqrt of 0 at %s:%d", __FILE__, line);
    expect_fault(g, "penalty: div of 0.5, 0 (element 2) gave inf, ", place);
    expect_no_fault(loss);
    assert_int_equal(tp_gradient(tp_sum(tp_square(g)), &w, 1, &h), TP_OK); /* second order: the root again */
    expect_fault(h, "(element 2)", "in the gradient of sqrt of 0 at ");
    tp_tape_destroy(tape);
}

static void test_a_backward_nan_through_a_call(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F32, TP_SHAPE(1, 2), (float[]){3e38f, 3e38f});
    const tp_tensor b = tp_parameter(tape, TP_F32, TP_SHAPE(2, 1), NULL);
    tp_tensor g;
    (void)state;

    const tp_tensor loss = tp_sum(tp_scale(tp_matmul(a, b), 100));
    assert_int_equal(tp_gradient(loss, &b, 1, &g), TP_OK);
    expect_fault(g, "matmul of f32[1,2], f32[1,1] (element 0) gave inf, in the gradient of matmul at ",
                 __FILE__);
    tp_tape_destroy(tape);
}

/* ---- Nothing is assigned ---------------------------------------------------------------------------- */

static void test_a_fault_changes_no_leaf(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = vector(tape, 1, (float[]){2}), b = vector(tape, 1, (float[]){1}),
                    x = tp_input(tape, TP_F32, TP_SHAPE(1));
    const tp_tensor good = tp_assign(a, tp_scale(a, 2)), bad = tp_assign(b, tp_log(x));
    tp_program *program = compile_checked((tp_tensor[]){good, bad, tp_neg(a)}, 3);
    tp_program *unchecked = tp_compile((tp_tensor[]){good, bad}, 2, NULL);
    (void)state;

    tp_write(x, ((float[]){-1}), 1);
    assert_int_equal(tp_run(program), TP_NOT_FINITE);
    assert_true(tp_item(a) == 2 && tp_item(b) == 1);
    assert_null(tp_program_output(program, 2, TP_F32));
    tp_tape_clear_error(tape);
    tp_write(x, ((float[]){1}), 1);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(tp_item(a) == 4 && tp_item(b) == 0);
    assert_string_equal(tp_program_message(program), "");
    tp_write(x, ((float[]){-1}), 1);
    assert_int_equal(tp_run(unchecked), TP_OK); /* not asked, not checked */
    assert_true(tp_item(a) == 8 && isnan(tp_item(b)));
    tp_program_destroy(program);
    tp_program_destroy(unchecked);
    tp_tape_destroy(tape);
}

/* ---- What the strong zero hides --------------------------------------------------------------------- */

static void test_hidden_values_are_counted(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(5)), labels = tp_input(tape, TP_I32, TP_SHAPE(1));
    const tp_tensor zero = tp_scalar(tape, 0);
    const tp_tensor loss = tp_sum(tp_where(tp_greater(x, zero), tp_sqrt(x), zero));
    const tp_tensor label = tp_check_index(labels, 1, false, 0);
    const char *message = NULL;
    tp_tensor g;
    (void)state;

    assert_int_equal(tp_gradient(loss, &x, 1, &g), TP_OK);
    tp_program *program = compile_checked((tp_tensor[]){label, g}, 2), *unchecked = compile_one(g);
    tp_write(labels, ((int32_t[]){0}), 1);
    tp_write(x, ((float[]){1, 0, 4, -1, -2}), 5);
    assert_int_equal(tp_run(program), TP_OK);
    assert_int_equal(tp_program_hidden(program, &message), 3);
    expect_text(message,
                "the strong zero hid: div of 0.5, 0 (element 1) gave inf, in the gradient of sqrt of 0 at ");
    float out[5];
    assert_int_equal(tp_read(g, out, 5), TP_OK);
    assert_true(out[0] == 0.5f && out[1] == 0 && out[2] == 0.25f && out[3] == 0 && out[4] == 0);

    tp_write(x, ((float[]){1, 1, 4, 1, 1}), 5);
    assert_int_equal(tp_run(program), TP_OK);
    assert_int_equal(tp_program_hidden(program, &message), 0);
    assert_string_equal(message, "");
    tp_write(x, ((float[]){1, -1, 4, 0, -2}), 5);
    assert_int_equal(tp_run(program), TP_OK);
    tp_write(labels, ((int32_t[]){7}), 1);
    assert_int_equal(tp_run(program), TP_BAD_VALUE); /* a run that does not get as far has hidden nothing */
    assert_int_equal(tp_program_hidden(program, &message), 0);
    assert_int_equal(tp_run(unchecked), TP_OK);
    assert_int_equal(tp_program_hidden(unchecked, NULL), 0);
    tp_program_destroy(program);
    tp_program_destroy(unchecked);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_nan_is_named),
        cmocka_unit_test(test_each_kind_is_walked_back),
        cmocka_unit_test(test_other_origins),
        cmocka_unit_test(test_what_is_no_fault),
        cmocka_unit_test(test_the_operand_to_blame),
        cmocka_unit_test(test_a_backward_nan_names_its_forward_op),
        cmocka_unit_test(test_a_backward_nan_through_a_call),
        cmocka_unit_test(test_a_fault_changes_no_leaf),
        cmocka_unit_test(test_hidden_values_are_counted),
    };
    return cmocka_run_group_tests_name("finite", tests, NULL, NULL);
}
