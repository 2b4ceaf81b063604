/* test_recorded.c -- tp_check_recorded: graphs that are there already; and tp_op_verify on built-in ops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <tapir/cmocka.h>
#include <tapir/tapir.h>

static const float some[12] = {0.3f, -1.2f, 0.7f, 2.1f, -0.4f, 1.1f, 0.9f, -0.8f, 1.7f, 0.2f, -1.9f, 0.6f};
static const tp_check_options second = {.second = true};

static tp_tensor some_f32(tp_tape *tape, tp_shape shape)
{
    return tp_parameter(tape, TP_F32, shape, some);
}

/* ---- tp_check_recorded ----------------------------------------------------------------------------- */

static void test_leaves(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4, 3)), w = some_f32(tape, TP_SHAPE(3, 2));
    const tp_tensor labels = tp_constant(tape, TP_I32, TP_SHAPE(4), (int32_t[]){0, 1, 1, 0});

    assert_int_equal(tp_write(x, some, 12), TP_OK);
    const tp_tensor loss = tp_cross_entropy(tp_matmul(x, w), labels, NULL);
    tp_assert_recorded(loss, &w, 1, &second);
    tp_assert_recorded(loss, ((tp_tensor[]){w, x}), 2, &second);
    tp_assert_recorded(tp_matmul(x, w), ((tp_tensor[]){x, w}), 2, NULL);
    tp_assert_recorded(w, &w, 1, NULL);
    tp_assert_recorded(tp_sum(x), &w, 1, NULL); /* not reached: a gradient of zeros */
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

/* A tensor on the way may vary by itself; what it was computed from then stays. */
static void test_tensors_between(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, TP_SHAPE(4, 3));
    const tp_tensor h = tp_exp(x), y = tp_add(tp_square(h), x), loss = tp_sum(y);
    tp_check_report report;

    tp_assert_recorded(loss, &h, 1, &second);
    tp_assert_recorded(loss, ((tp_tensor[]){y, h, x}), 3, NULL);
    assert_true(tp_check_recorded(loss, &h, 1, NULL, &report));
    assert_int_equal(report.checked, 12);
    tp_tape_destroy(tape);
}

/* Everything that names a dtype or draws numbers. */
static void test_all_kinds_of_nodes(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, TP_SHAPE(3, 4)), wide = tp_cast(x, TP_F64);
    tp_tensor y = tp_mul(tp_cast(tp_exp(wide), TP_F32), tp_uniform(tape, TP_F32, TP_SHAPE(3, 4)));

    y = tp_add(y, tp_mul(x, tp_iota(tape, TP_F32, 4)));
    y = tp_add(y, tp_full(tape, TP_F32, TP_SHAPE(3, 1), 0.1));
    y = tp_where(tp_constant(tape, TP_I32, TP_SHAPE(4), (int32_t[]){1, 0, 2, 0}), tp_square(y), y);
    y = tp_concat((tp_tensor[]){y, y, x, y, x, y, x, x, y, x}, 10, 0); /* more operands than a few */
    y = tp_softmax(tp_permute(tp_slice(y, 0, 0, TP_END, 2), TP_AXES(1, 0)), -1);
    tp_tensor g;
    assert_int_equal(tp_gradient(tp_mean(tp_square(y)), &x, 1, &g), TP_OK);
    tp_assert_recorded(tp_mean(tp_square(y)), &x, 1, &second);
    tp_assert_recorded(y, &x, 1, NULL);
    tp_assert_recorded(tp_mean(tp_tanh(g)), &x, 1, NULL); /* a graph with gradients in it */
    tp_assert_recorded(tp_mean(tp_mul(x, tp_stop_gradient(x))), &x, 1, NULL);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

static void test_leaves_the_tape_alone(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, TP_SHAPE(4)), h = tp_exp(x),
                    loss = tp_sum(tp_uniform(tape, TP_F32, TP_SHAPE(2)));
    const int64_t count = tp_tape_count(tape);
    tp_program *program = tp_compile(&loss, 1, NULL);

    assert_int_equal(tp_run(program), TP_OK);
    const double before = tp_item(loss);
    tp_assert_recorded(h, &x, 1, NULL);
    assert_int_equal(tp_tape_count(tape), count);
    assert_true(tp_item(loss) == before);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void assert_says(const tp_check_report *r, tp_status status, const char *says)
{
    assert_int_equal(r->verdict, TP_CHECK_ERROR);
    assert_int_equal(r->status, status);
    if (strstr(r->message, says) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", says, r->message);
}

static void test_errors(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, TP_SHAPE(4)), far = some_f32(other, TP_SHAPE(4));
    const tp_tensor input = tp_input(tape, TP_F32, TP_SHAPE(4)), loss = tp_sum(tp_mul(x, input));
    const tp_tensor late = tp_exp(input), labels = tp_constant(tape, TP_I32, TP_SHAPE(1), (int32_t[]){7});
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor stale = tp_sum(x);
    tp_check_report report;

    tp_tape_rewind(mark);
    assert_false(tp_check_recorded((tp_tensor){0}, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_HANDLE, "tp_check_recorded: the loss is absent");
    assert_false(tp_check_recorded((tp_tensor){.tape = tape, .id = -1}, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_HANDLE, "tp_check_recorded: the loss is invalid");
    assert_false(tp_check_recorded(stale, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_HANDLE, "tp_check_recorded: the loss is stale: the tape was rewound past it");
    assert_false(tp_check_recorded(loss, &far, 1, NULL, &report));
    assert_says(&report, TP_BAD_HANDLE, "tp_check_recorded: wrt[0] belongs to another tape than the loss");
    assert_false(tp_check_recorded(loss, &x, 0, NULL, &report));
    assert_says(&report, TP_BAD_ARGUMENT, "tp_check_recorded: there is nothing to vary: x is NULL or n is 0");
    assert_false(tp_check_recorded(loss, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_STATE, "tp_check_recorded: the input f32[4] has no values yet at ");
    assert_false(tp_check_recorded(tp_sum(late), &late, 1, NULL, &report));
    assert_says(&report, TP_BAD_STATE, "tp_check_recorded: the input f32[4] has no values yet at ");
    assert_false(tp_check_recorded(loss, &input, 1, NULL, &report));
    assert_says(&report, TP_BAD_STATE, "tp_check_recorded: x[0] has no values");
    assert_false(tp_check_recorded(labels, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_DTYPE, "tp_check_recorded: the function's result is i32");
    const tp_tensor bad = tp_cross_entropy(tp_reshape(x, TP_SHAPE(1, 4)), labels, NULL);
    assert_false(tp_check_recorded(bad, &x, 1, NULL, &report));
    assert_says(&report, TP_BAD_VALUE, "the index 7 (element 0) is outside [0, 4)");
    tp_tape_destroy(tape);
    tp_tape_destroy(other);
}

/* ---- tp_op_verify on built-in ops -------------------------------------------------------------------- */

/* The op that made y, at the leaves it was made from. */
static void verify_op_of(tp_tensor y)
{
    tp_tensor x[12];
    int n = 0;
    tp_check_report report;

    assert_true(tp_is_valid(y));
    while (tp_operand_of(y, n).tape != NULL && n < 12) {
        x[n] = tp_operand_of(y, n);
        n++;
    }
    if (!tp_op_verify(tp_op_of(y), x, n, tp_attr_of(y), NULL, &report))
        fail_msg("%s: %s", tp_op_of(y)->name, report.message);
    assert_true(report.second);
}

static void test_built_in_ops(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const float apart[12] = {0.35f, -1.1f, 0.72f, 2.3f, -0.45f, 1.3f, 0.5f, -0.3f, 1.9f, 0.25f, -1.6f, 0.66f};
    const tp_tensor x = some_f32(tape, TP_SHAPE(3, 4)), y = tp_parameter(tape, TP_F32, TP_SHAPE(3, 4), apart);
    const tp_tensor row = some_f32(tape, TP_SHAPE(4)), square = some_f32(tape, TP_SHAPE(3, 3));
    const tp_tensor positive = tp_parameter(tape, TP_F64, TP_SHAPE(3), (double[]){0.1, 2, 5});

    verify_op_of(tp_neg(x));
    verify_op_of(tp_add(x, row));
    verify_op_of(tp_sub(x, y));
    verify_op_of(tp_mul(x, row));
    verify_op_of(tp_mul(x, x));
    verify_op_of(tp_div(x, y));
    verify_op_of(tp_abs(x));
    verify_op_of(tp_sign(x));
    verify_op_of(tp_maximum(x, row)); /* the first row ties */
    verify_op_of(tp_minimum(x, y));
    verify_op_of(tp_exp(x));
    verify_op_of(tp_expm1(x));
    verify_op_of(tp_log(positive));
    verify_op_of(tp_log1p(positive));
    verify_op_of(tp_sqrt(positive));
    verify_op_of(tp_tanh(x));
    verify_op_of(tp_sigmoid(x));
    verify_op_of(tp_softplus(x));
    verify_op_of(tp_less(x, y));
    const tp_tensor chosen = tp_where(tp_less(x, y), y, row);
    tp_assert_op(tp_op_of(chosen), ((tp_tensor[]){x, y, row}), 3, NULL, NULL);
    verify_op_of(tp_guard(x, y));
    verify_op_of(tp_stop_gradient(x));
    verify_op_of(tp_sum_over(x, TP_AXES(0), true));
    verify_op_of(tp_prod_over(x, TP_AXES(1), true));
    verify_op_of(tp_max_over(x, TP_AXES(1), true));
    verify_op_of(tp_min_over(x, TP_AXES(0), true));
    verify_op_of(tp_reshape(x, TP_SHAPE(2, 6)));
    verify_op_of(tp_permute(x, TP_AXES(1, 0)));
    verify_op_of(tp_expand(row, TP_SHAPE(2, 4)));
    verify_op_of(tp_slice(x, 1, 1, TP_END, 2));
    verify_op_of(tp_concat((tp_tensor[]){x, y, x}, 3, 0));
    verify_op_of(tp_matmul(square, x));
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_tensors_between),
        cmocka_unit_test(test_all_kinds_of_nodes),
        cmocka_unit_test(test_leaves_the_tape_alone),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_built_in_ops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
