/* test_memory.c -- the k-th allocation fails, for every k: a clear status, no crash, no leak; and nothing is allocated
 * elsewhere or while running.
 */
#include "tape_test.h"

#include "error_scan.h"

#include <glob.h>

/* ---- A user's call that needs scratch --------------------------------------------------------------- */

static size_t scratch_for_copy(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    return (size_t)tp_shape_count(x_shape[0]) * sizeof(float);
}

static tp_status copy_twice(const tp_call *c)
{
    const size_t bytes = (size_t)tp_shape_count(c->y.shape) * sizeof(float);
    if ((uintptr_t)c->scratch % 64 != 0)
        return tp_call_fail(c, "the scratch is not aligned");
    memcpy(c->scratch, c->x[0].data, bytes);
    memcpy(c->y.data, c->scratch, bytes);
    return TP_OK;
}

static void pass_on(const tp_vjp *d)
{
    d->dx[0] = d->g;
}

static const tp_op copy_op = {
    .name = "copy",
    .kind = TP_CALL,
    .arity = 1,
    .vjp = pass_on,
    .run = copy_twice,
    .scratch_size = scratch_for_copy,
};

/* ---- A scenario that touches everything ------------------------------------------------------------- */

typedef struct scenario {
    memory memory;
    tp_tape *tape;
    tp_tensor x, w, v, labels;
    tp_tensor loss, steps;
    tp_program *train, *watch;
    float value; /* of the loss */
} scenario;

static void make_leaves(scenario *s)
{
    const float w[12] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12};
    const int32_t labels[4] = {0, 1, 2, 1};
    s->x = tp_input(s->tape, TP_F32, TP_SHAPE(4, 12));
    s->w = tp_parameter(s->tape, TP_F32, TP_SHAPE(12), w);
    s->v = tp_parameter(s->tape, TP_F32, TP_SHAPE(12, 3), NULL);
    s->labels = tp_constant(s->tape, TP_I32, TP_SHAPE(4), labels);
    tp_constant(s->tape, TP_F64, TP_SHAPE(0), NULL);
}

/* Beyond 512 nodes: three chunks, and the hash table grows twice. */
static tp_tensor long_chain(scenario *s, tp_tensor y)
{
    tp_scope_begin(s->tape, "chain");
    for (int k = 0; k < 200; k++)
        y = tp_add(tp_scale(y, 1 + k / 1024.0), tp_scalar(s->tape, k));
    tp_scope_end(s->tape);
    return y;
}

/* Nine operands and more need memory of their own, while recording and in the sweep. */
static tp_tensor long_concat(tp_tensor y)
{
    tp_tensor part[12];
    for (int k = 0; k < 12; k++)
        part[k] = tp_slice(y, 0, 11 - k, 12 - k, 1);
    return tp_concat(part, 12, 0);
}

static void record_loss(scenario *s)
{
    char name[17000]; /* more than a block of the arena */
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    tp_scope_begin(s->tape, name);
    const tp_tensor reversed = long_concat(tp_tanh(long_chain(s, tp_scale(s->w, 1e-3))));
    const tp_tensor copied = tp_record(&copy_op, &reversed, 1, NULL);
    const tp_tensor logits = tp_matmul(tp_mul(s->x, copied), s->v);
    const tp_tensor index = tp_check_index(s->labels, 3, false, 0);
    const tp_tensor hit =
        tp_cast(tp_equal(tp_reshape(index, TP_SHAPE(4, 1)), tp_iota(s->tape, TP_I32, 3)), TP_F32);
    const tp_tensor noise = tp_scale(tp_uniform(s->tape, TP_F32, TP_SHAPE(4, 3)), 0);
    s->loss = tp_neg(tp_mean(tp_mul(hit, tp_add(tp_log_softmax(logits, 1), noise))));
    tp_scope_end(s->tape);
}

static void record_steps(scenario *s)
{
    const tp_tensor wrt[2] = {s->w, s->v};
    tp_tensor g[2], h[2], step[2];
    tp_gradient(s->loss, wrt, 2, g);
    tp_gradient(tp_add(tp_sum(tp_square(g[0])), tp_sum(tp_square(g[1]))), wrt, 2, h);
    for (int k = 0; k < 2; k++)
        step[k] = tp_assign(wrt[k], tp_sub(wrt[k], tp_scale(tp_add(g[k], h[k]), 0.1)));
    s->steps = tp_group(step, 2);
}

static void record_and_rewind(scenario *s)
{
    const tp_mark mark = tp_tape_mark(s->tape);
    const tp_tensor extra = tp_parameter(s->tape, TP_F64, TP_SHAPE(100), NULL);
    tp_tensor y = extra;
    for (int k = 0; k < 300; k++)
        y = tp_add(tp_exp(y), tp_scalar(s->tape, k));
    tp_program_destroy(compile_one(y));
    assert_int_not_equal(tp_tape_rewind(mark), TP_BAD_STATE);
    assert_false(tp_is_valid(y));
}

static void run_all(scenario *s)
{
    float batch[48], w[12];
    for (int k = 0; k < 48; k++)
        batch[k] = (float)(k % 7) / 4;
    tp_write(s->x, batch, 48);
    const int64_t calls = s->memory.calls;
    for (int k = 0; k < 3; k++) {
        tp_run(s->train);
        tp_run(s->watch);
    }
    s->value = (float)tp_item(s->loss);
    tp_read(s->w, w, 12);
    assert_int_equal(s->memory.calls, calls); /* running allocates nothing */
}

static void play(scenario *s)
{
    s->tape = tape_with(&s->memory);
    tp_scope_begin(s->tape, "model");
    make_leaves(s);
    record_loss(s);
    record_steps(s);
    record_and_rewind(s);
    tp_scope_end(s->tape);
    s->train = tp_compile((tp_tensor[]){s->loss, s->steps, s->w}, 3, NULL);
    s->watch = tp_compile(&s->loss, 1, &(tp_compile_options){.check_finite = true, .freeze_random = true});
    run_all(s);
}

static void drop(scenario *s, bool tape_first)
{
    if (tape_first)
        tp_tape_destroy(s->tape);
    tp_program_destroy(s->watch);
    tp_program_destroy(s->train);
    if (!tape_first)
        tp_tape_destroy(s->tape);
    assert_all_released(&s->memory);
}

static void test_scenario_works(void **state)
{
    (void)state;
    for (int tape_first = 0; tape_first < 2; tape_first++) {
        scenario s = {0};
        play(&s);
        expect_ok(s.tape);
        assert_non_null(s.train);
        assert_non_null(s.watch);
        assert_true(s.value > 0 && s.value < 1);
        assert_true(tp_tape_count(s.tape) > 512);
        assert_true(s.memory.calls > 30);
        drop(&s, tape_first);
    }
}

/* The failure was noticed, and its message names what ran out of memory. */
static void check_failure(const scenario *s)
{
    if (s->tape == NULL)
        return;
    assert_int_equal(tp_tape_status(s->tape), TP_OUT_OF_MEMORY);
    expect_text(tp_tape_message(s->tape), "out of memory");
    assert_true(s->train == NULL || s->watch == NULL);
}

static void fail_each_allocation(bool fail_on, bool tape_first)
{
    int64_t k = 0;
    bool failed = true;
    while (failed) {
        scenario s = {.memory = {.fail_at = ++k, .fail_on = fail_on}};
        play(&s);
        failed = s.memory.calls >= k;
        if (failed)
            check_failure(&s);
        else
            expect_ok(s.tape);
        drop(&s, tape_first);
    }
    assert_true(k > 30);
}

static void test_one_allocation_fails(void **state)
{
    (void)state;
    fail_each_allocation(false, false);
    fail_each_allocation(false, true);
}

static void test_all_allocations_fail_from_one_on(void **state)
{
    (void)state;
    fail_each_allocation(true, false);
    fail_each_allocation(true, true);
}

/* After the failure the tape is as good as new: the same call works once there is memory. */
static void test_tape_recovers(void **state)
{
    (void)state;
    for (int64_t k = 2;; k++) {
        scenario s = {.memory = {.fail_at = k}};
        play(&s);
        const bool failed = s.memory.calls >= k;
        s.memory.fail_at = 0;
        tp_tape_clear_error(s.tape);
        const tp_tensor w = tp_parameter(s.tape, TP_F32, TP_SHAPE(3), (float[]){1, 2, 4});
        tp_tensor g;
        assert_int_equal(tp_gradient(tp_sum(tp_square(w)), &w, 1, &g), TP_OK);
        float out[3];
        evaluate(g, out, 3);
        assert_true(out[0] == 2 && out[1] == 4 && out[2] == 8);
        drop(&s, false);
        if (!failed)
            break;
    }
}

/* ---- Destroying ------------------------------------------------------------------------------------- */

static void test_programs_outlive_their_tape(void **state)
{
    memory m = {0};
    tp_tape *tape = tape_with(&m);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1, 2});
    tp_program *a = compile_one(tp_assign(w, tp_scale(w, 2))), *b = compile_one(tp_sum(w));
    (void)state;

    tp_tape_destroy(tape);
    assert_true(m.blocks > 0);
    assert_int_equal(tp_run(a), TP_OK);
    tp_program_destroy(a);
    assert_int_equal(tp_run(b), TP_OK);
    assert_true(*(const float *)tp_program_output(b, 0, TP_F32) == 6);
    tp_program_destroy(b);
    assert_all_released(&m);
}

/* ---- No other memory -------------------------------------------------------------------------------- */

static bool calls_function(const char *line, const char *name)
{
    const char *at = line;
    while ((at = strstr(at, name)) != NULL) {
        const bool whole = at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (whole && at[strlen(name)] == '(')
            return true;
        at++;
    }
    return false;
}

/* Lines of a source that call the C library's allocator. */
static int allocator_calls(const char *path)
{
    static const char *const names[] = {"malloc", "calloc",         "realloc", "free",   "aligned_alloc",
                                        "strdup", "posix_memalign", "alloca",  "strndup"};
    char line[400];
    int calls = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        for (size_t k = 0; k < COUNT_OF(names); k++)
            calls += calls_function(line, names[k]);
    fclose(file);
    return calls;
}

static void test_only_the_default_allocator_calls_the_library(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/src/*/*.[ch]", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 20);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        const bool is_default = strstr(found.gl_pathv[k], "src/tape/tape.c") != NULL;
        if (allocator_calls(found.gl_pathv[k]) != (is_default ? 2 : 0))
            fail_msg("%s takes memory that is not the user's allocator's", found.gl_pathv[k]);
    }
    globfree(&found);
}

static void test_default_allocator(void **state)
{
    scenario s = {0};
    (void)state;
    s.tape = tp_tape_create(NULL);
    make_leaves(&s);
    record_loss(&s);
    expect_ok(s.tape);
    assert_false(tp_is_valid(tp_input(s.tape, TP_F32, TP_SHAPE(2, -1))));
    tp_tape_destroy(s.tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenario_works),
        cmocka_unit_test(test_one_allocation_fails),
        cmocka_unit_test(test_all_allocations_fail_from_one_on),
        cmocka_unit_test(test_tape_recovers),
        cmocka_unit_test(test_programs_outlive_their_tape),
        cmocka_unit_test(test_only_the_default_allocator_calls_the_library),
        cmocka_unit_test(test_default_allocator),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
