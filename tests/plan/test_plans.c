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

static void test_dump(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = vector(tape), y = vector(tape);
    (void)state;
    tp_program *program = compile_with_gradient(tp_mse(p, y, NULL), p);
    char *text = text_of(tp_program_dump, program);
    expect_in(text, "kernel 0: loop over [100000], flat; reads 800000 bytes, writes 400004, 5 instructions");
    expect_in(text, "= sub %0 %1\n");
    expect_in(text, "= fold sum ");
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
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_tape_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
