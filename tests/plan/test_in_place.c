/* test_in_place.c -- assignments that are written into the leaf at once: never where a reader of the old value could tell,
 * nor before something that may fail; and where they are, the program holds no second copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/ops.h>
#include <tapir/program.h>

enum { N = 20000, LEAVES = 3, OUTPUTS = 6 };

/* Leaves a, b, c of N numbers each; a case records its outputs. */
typedef int build(const tp_tensor *leaf, tp_tensor *output);

typedef struct scene {
    tp_tape *tape;
    tp_tensor leaf[LEAVES], output[OUTPUTS];
    int outputs;
    tp_program *program;
} scene;

static scene make(build *record, bool reference)
{
    scene s = {.tape = tp_tape_create(NULL)};
    for (int k = 0; k < LEAVES; k++) {
        s.leaf[k] = tp_parameter(s.tape, TP_F32, TP_SHAPE(N), NULL);
        float *x = tp_leaf_data(s.leaf[k], TP_F32);
        for (int i = 0; i < N; i++)
            x[i] = (float)((i * 7 + k * 13) % 101) / 50 - 1;
    }
    s.outputs = record(s.leaf, s.output);
    s.program = tp_compile(s.output, s.outputs, &(tp_compile_options){.reference = reference});
    if (s.program == NULL)
        fail_msg("%s", tp_tape_message(s.tape));
    return s;
}

static void end(scene *s)
{
    tp_program_destroy(s->program);
    tp_tape_destroy(s->tape);
}

static void expect_same(tp_tensor a, tp_tensor b)
{
    const size_t bytes = (size_t)tp_count_of(a) * sizeof(float);
    assert_memory_equal(tp_values(a, TP_F32), tp_values(b, TP_F32), bytes);
}

/* Three runs give the leaves and outputs of the reference executor. */
static void check(build *record)
{
    scene expected = make(record, true), got = make(record, false);
    for (int run = 0; run < 3; run++) {
        assert_int_equal(tp_run(expected.program), TP_OK);
        assert_int_equal(tp_run(got.program), TP_OK);
        for (int k = 0; k < LEAVES; k++)
            expect_same(got.leaf[k], expected.leaf[k]);
        for (int k = 0; k < got.outputs; k++)
            if (tp_program_output(got.program, k, TP_F32) != NULL)
                assert_memory_equal(tp_program_output(got.program, k, TP_F32),
                                    tp_program_output(expected.program, k, TP_F32),
                                    (size_t)tp_count_of(got.output[k]) * sizeof(float));
    }
    end(&expected);
    end(&got);
}

/* a := a - 0.1 d/da mean (a - b)^2 */
static int descend(const tp_tensor *x, tp_tensor *y)
{
    tp_tensor g;
    y[0] = tp_mean(tp_square(tp_sub(x[0], x[1])));
    assert_int_equal(tp_gradient(y[0], &x[0], 1, &g), TP_OK);
    y[1] = tp_assign(x[0], tp_sub(x[0], tp_scale(g, 0.1)));
    return 2;
}

static int swap(const tp_tensor *x, tp_tensor *y)
{
    y[0] = tp_assign(x[0], x[1]);
    y[1] = tp_assign(x[1], x[0]);
    return 2;
}

/* New values made of both old ones. */
static int rotate(const tp_tensor *x, tp_tensor *y)
{
    y[0] = tp_assign(x[0], tp_add(tp_scale(x[0], 0.8), tp_scale(x[1], 0.6)));
    y[1] = tp_assign(x[1], tp_sub(tp_scale(x[1], 0.8), tp_scale(x[0], 0.6)));
    return 2;
}

/* Old and new value both wanted. */
static int keep_both(const tp_tensor *x, tp_tensor *y)
{
    const tp_tensor sum = tp_add(x[0], x[1]);
    y[0] = tp_assign(x[0], sum);
    y[1] = x[0];
    y[2] = sum;
    return 3;
}

/* The new value is wanted, too. */
static int keep_new(const tp_tensor *x, tp_tensor *y)
{
    const tp_tensor sum = tp_add(x[0], x[1]);
    y[0] = tp_assign(x[0], sum);
    y[1] = sum;
    return 2;
}

static int keep_old(const tp_tensor *x, tp_tensor *y)
{
    y[0] = tp_assign(x[0], tp_scale(x[0], 0.5));
    y[1] = x[0];
    return 2;
}

/* The old value is read again by a later loop, in another order, and by a product. */
static int read_later(const tp_tensor *x, tp_tensor *y)
{
    const tp_tensor total = tp_sum(tp_exp(x[0]));
    const tp_tensor matrix = tp_reshape(x[0], TP_SHAPE(100, -1));
    y[0] = tp_assign(x[0], tp_scale(x[0], 0.5));
    y[1] = tp_sum(tp_mul(x[0], tp_div(x[1], total)));
    y[2] = tp_sum(tp_transpose(matrix, 0, 1));
    y[3] = tp_sum(tp_matmul(matrix, tp_transpose(matrix, 0, 1)));
    return 4;
}

/* The new value of an element is the old one of another. */
static int reverse(const tp_tensor *x, tp_tensor *y)
{
    y[0] = tp_assign(x[0], tp_add(tp_flip(x[0], TP_AXES(0)), x[1]));
    return 1;
}

/* One new value for two leaves; and a row statistic of what is overwritten. */
static int shared(const tp_tensor *x, tp_tensor *y)
{
    const tp_tensor rows = tp_reshape(x[2], TP_SHAPE(10, -1)), sum = tp_add(x[0], x[1]);
    y[0] = tp_assign(x[0], sum);
    y[1] = tp_assign(x[1], sum);
    y[2] = tp_assign(x[2], tp_reshape(tp_softmax(rows, 1), TP_SHAPE(-1)));
    return 3;
}

static void test_readers_see_the_old_value(void **state)
{
    build *const cases[] = {descend,  swap,       rotate,  keep_both, keep_new,
                            keep_old, read_later, reverse, shared};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        check(cases[k]);
}

static void test_no_second_copy(void **state)
{
    (void)state;
    scene s = make(descend, false);
    assert_true(tp_program_memory(s.program) < N * sizeof(float) - 30000);
    end(&s);
}

/* The index is checked after the new value was recorded; it is wrong, so the leaf must stay as it was. */
static int fail_late(const tp_tensor *x, tp_tensor *y)
{
    const tp_tensor label = tp_cast(x[1], TP_I32), one = tp_add(label, tp_scalar(x[0].tape, 1));
    y[0] = tp_assign(x[0], tp_scale(x[0], 0.5));
    y[1] = tp_check_index(one, 1, false, 0);
    return 2;
}

static void test_a_failed_run_changes_nothing(void **state)
{
    (void)state;
    scene s = make(fail_late, false), fresh = make(fail_late, true);
    assert_int_equal(tp_run(s.program), TP_BAD_VALUE);
    tp_tape_clear_error(s.tape);
    expect_same(s.leaf[0], fresh.leaf[0]);
    end(&s);
    end(&fresh);
}

/* A result stays when the leaf is written that was assigned it. */
static void test_results_are_no_leaves(void **state)
{
    (void)state;
    scene s = make(keep_new, false);
    float before, zero[N] = {0};
    assert_int_equal(tp_run(s.program), TP_OK);
    const float *sum = tp_program_output(s.program, 1, TP_F32);
    before = sum[0];
    assert_int_equal(tp_write(s.leaf[0], zero, N), TP_OK);
    assert_true(before != 0 && sum[0] == before);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_see_the_old_value),
        cmocka_unit_test(test_no_second_copy),
        cmocka_unit_test(test_results_are_no_leaves),
        cmocka_unit_test(test_a_failed_run_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
