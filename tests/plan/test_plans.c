/* test_plans.c -- what the plan of a known loss looks like: kernels, traffic, memory, and the texts that show it. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/losses.h>
#include <tapir/ops.h>
#include <tapir/program.h>

enum { N = 100000 };

static tp_tensor vector(tp_tape *tape)
{
    return tp_parameter(tape, TP_F32, TP_SHAPE(N), NULL);
}

static tp_program *compile_with_gradient(tp_tensor loss, tp_tensor wrt)
{
    tp_tensor gradient;
    assert_int_equal(tp_gradient(loss, &wrt, 1, &gradient), TP_OK);
    tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
    assert_non_null(program);
    return program;
}

static void finish(tp_tape *tape, tp_program *program)
{
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* The loss and its gradient read the prediction and the target once, and write the gradient once. */
static void expect_one_pass(tp_program *program, int operands)
{
    const tp_program_summary r = tp_program_report(program);
    assert_int_equal(r.loops, 1);
    assert_int_equal(r.calls, 0);
    assert_int_equal(r.bytes_read, operands * N * 4);
    assert_int_equal(r.bytes_written, N * 4 + 4);
    assert_true(r.memory < N * 4 + (1 << 20));
    assert_int_equal(r.memory, tp_program_memory(program));
    assert_true(r.reproducible);
}

static void test_mse_is_one_pass(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = vector(tape), y = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_mse(p, y, NULL), p);
    expect_one_pass(program, 2);
    finish(tape, program);
}

static void test_huber_is_one_pass(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = vector(tape), y = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_huber(p, y, NULL), p);
    expect_one_pass(program, 2);
    finish(tape, program);
}

/* A row is swept while it is in the cache: nothing of its size is stored but the gradient. */
static void test_softmax_stays_in_its_rows(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(512, 1000), NULL);
    const tp_tensor labels = tp_input(tape, TP_I32, TP_SHAPE(512));
    (void)state;
    tp_program *program = compile_with_gradient(tp_cross_entropy(x, labels, NULL), x);
    assert_true(tp_program_memory(program) < 512 * 1000 * 4 + (1 << 19));
    finish(tape, program);
}

static void test_library_calls_are_told(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F32, TP_SHAPE(30, 20), NULL);
    const tp_tensor b = tp_parameter(tape, TP_F32, TP_SHAPE(20, 10), NULL);
    (void)state;
    tp_program *program = compile_with_gradient(tp_sum(tp_square(tp_matmul(a, b))), a);
    const tp_program_summary r = tp_program_report(program);
    assert_int_equal(r.calls, 2);
    assert_false(r.reproducible);
    finish(tape, program);
}

/* Memory is reused: a chain of products of growing length needs no more of it. */
static int64_t memory_of_chain(int length)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(64, 64), NULL);
    for (int i = 0; i < length; i++)
        x = tp_matmul(x, x);
    tp_program *program = tp_compile(&x, 1, NULL);
    const int64_t bytes = (int64_t)tp_program_memory(program);
    finish(tape, program);
    return bytes;
}

static void test_memory_is_reused(void **state)
{
    (void)state;
    assert_int_equal(memory_of_chain(12), memory_of_chain(4));
}

static char *text_of(void (*print)(const tp_program *, FILE *), const tp_program *program)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    print(program, stream);
    fclose(stream);
    return text;
}

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* A loop may write over what it is the last to read. */
static void test_loops_write_over_what_dies(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape), w = vector(tape);
    (void)state;
    const tp_tensor y = tp_mul(tp_cumsum(x, 0), w);
    tp_program *program = tp_compile(&y, 1, NULL);
    assert_true(tp_program_memory(program) < N * 4 + (1 << 18));
    finish(tape, program);
}

/* The mask of relu's derivative is made from relu's result where it is needed, and never stored. */
static void test_cheap_maps_are_late(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape), y = tp_relu(tp_cumsum(x, 0));
    (void)state;
    tp_program *program = compile_with_gradient(tp_sum(tp_square(tp_cumsum(y, 0))), x);
    const tp_program_summary r = tp_program_report(program);
    /* four sums, relu, the adjoint of the last sum and of relu's operand, the loss */
    assert_int_equal(r.bytes_written, 7 * N * 4 + 4);
    finish(tape, program);
}

static void test_dump(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = vector(tape), y = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_mse(p, y, NULL), p);
    char *text = text_of(tp_program_dump, program);
    expect_in(text, "kernel 0: loop over [100000], flat; reads 800000 bytes, writes 400004, 3 instructions");
    expect_in(text, "= fold sum of square of sub %0 %1\n");
    expect_in(text, "= mul of sub 2e-05 %0 %1\n");
    expect_in(text, "by row      %");
    free(text);
    text = text_of(tp_program_graph, program);
    expect_in(text, "digraph program {");
    expect_in(text, "subgraph cluster0 { label=\"kernel 0\";");
    free(text);
    tp_program *reference = tp_compile(&p, 1, &(tp_compile_options){.reference = true});
    text = text_of(tp_program_dump, reference);
    expect_in(text, "reference executor: 1 steps");
    free(text);
    tp_program_destroy(reference);
    finish(tape, program);
}

static void expect_in_dump(const tp_program *program, const char *part, bool there)
{
    char *text = text_of(tp_program_dump, program);
    if ((strstr(text, part) != NULL) != there)
        fail_msg("\"%s\" is%s in:\n%s", part, there ? " not" : "", text);
    free(text);
}

/* softplus and its derivative need one exponential. */
static void test_shared_parts(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_mean(tp_softplus(x)), x);
    expect_in_dump(program, "= exp_minus_abs %0\n", true);
    expect_one_pass(program, 1);
    finish(tape, program);
}

/* Both branches' gradients meet in one choice. */
static void test_branches_are_joined(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = vector(tape), y = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_huber(p, y, NULL), p);
    expect_in_dump(program, "keep", false);
    expect_in_dump(program, "drop", false);
    finish(tape, program);
}

static tp_tensor normalised(tp_tensor x, tp_axes axes)
{
    const tp_tensor var = tp_var_over(x, axes, 0, true), one = tp_scalar(x.tape, 1);
    return tp_mul(tp_sub(x, tp_mean_over(x, axes, true)), tp_div(one, tp_sqrt(tp_add(var, one))));
}

/* A sum over everything joins the rows that it is made of, if tiles do not cross them. */
static void test_totals_join_rows(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(64, 2048), NULL);
    const tp_tensor c = tp_parameter(tape, TP_F32, TP_SHAPE(64, 2048), NULL);
    (void)state;
    tp_program *program = compile_with_gradient(tp_sum(tp_mul(normalised(x, TP_AXES(1)), c)), x);
    const tp_program_summary r = tp_program_report(program);
    assert_int_equal(r.loops, 1);
    assert_int_equal(r.bytes_written, 64 * 2048 * 4 + 4);
    finish(tape, program);
}

/* What lies in runs is read and written in place, and rows wait in the memory of the result. */
static void test_runs_are_read_in_place(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(8, 4, 20, 20), NULL);
    const tp_tensor c = tp_parameter(tape, TP_F32, TP_SHAPE(8, 4, 20, 20), NULL);
    (void)state;
    tp_program *program = compile_with_gradient(tp_sum(tp_mul(normalised(x, TP_AXES(0, 2, 3)), c)), x);
    expect_in_dump(program, "rows, in runs of 400, 4 x 3200", true);
    expect_in_dump(program, "gather", false);
    expect_in_dump(program, "scatter", false);
    expect_in_dump(program, "row1", false);
    finish(tape, program);
}

/* Numbers that are the same for a whole block are read as such. */
static void test_numbers_are_not_repeated(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(100, 1000), NULL);
    const tp_tensor row = tp_parameter(tape, TP_F32, TP_SHAPE(100, 1), NULL);
    const tp_tensor one = tp_parameter(tape, TP_F32, TP_SHAPE(1), NULL);
    (void)state;
    const tp_tensor y = tp_softmax(tp_mul(tp_mul(x, row), one), 1);
    tp_program *program = tp_compile(&y, 1, NULL);
    expect_in_dump(program, "spread", false);
    expect_in_dump(program, "gather", false);
    finish(tape, program);
}

static void test_tape_graph(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    char *text = NULL;
    size_t size = 0;
    (void)state;
    tp_exp(tp_input(tape, TP_F32, TP_SHAPE(2, 3)));
    FILE *stream = open_memstream(&text, &size);
    tp_tape_graph(tape, stream);
    fclose(stream);
    expect_in(text, "n1 [label=\"%1 exp\\nf32[2,3]\"];\n    n0 -> n1;");
    free(text);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mse_is_one_pass),
        cmocka_unit_test(test_huber_is_one_pass),
        cmocka_unit_test(test_softmax_stays_in_its_rows),
        cmocka_unit_test(test_library_calls_are_told),
        cmocka_unit_test(test_memory_is_reused),
        cmocka_unit_test(test_loops_write_over_what_dies),
        cmocka_unit_test(test_cheap_maps_are_late),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_shared_parts),
        cmocka_unit_test(test_branches_are_joined),
        cmocka_unit_test(test_totals_join_rows),
        cmocka_unit_test(test_runs_are_read_in_place),
        cmocka_unit_test(test_numbers_are_not_repeated),
        cmocka_unit_test(test_tape_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
