/* test_threads.c -- several tapes on several threads at once: there is nothing they share.  To be run under
 * ThreadSanitizer.
 */
#include "tape_test.h"

#include <pthread.h>
#include <tapir/losses.h>

enum { THREADS = 6, ROUNDS = 12, STEPS = 5, ROWS = 40, COLUMNS = 7 };

typedef struct worker {
    memory memory;
    bool multiplies; /* the BLAS has threads and locks of its own: one worker alone calls it */
    float losses[ROUNDS * STEPS];
    char message[300]; /* of the error that every round makes */
} worker;

static tp_tensor predict(const worker *w, tp_tensor x, tp_tensor weight)
{
    if (w->multiplies)
        return tp_matmul(x, weight);
    return tp_sum_over(tp_mul(x, weight), TP_AXES(-1), false);
}

/* A small training program: forward, gradient and update, random numbers, a check. */
static tp_program *record(const worker *w, tp_tape *tape, tp_tensor *loss)
{
    tp_tensor step, g;
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(ROWS, COLUMNS));
    const tp_tensor weight = tp_parameter(tape, TP_F32, TP_SHAPE(COLUMNS), NULL);
    const tp_tensor noise = tp_scale(tp_uniform(tape, TP_F32, TP_SHAPE(ROWS)), 0.01);
    float *data = tp_leaf_data(x, TP_F32);

    for (int i = 0; i < ROWS * COLUMNS; i++)
        data[i] = (float)(i % 11) / 10;
    tp_scope_begin(tape, "fit");
    const tp_tensor y = tp_add(predict(w, x, weight), noise);
    *loss = tp_add(tp_huber(y, tp_full(tape, TP_F32, TP_SHAPE(ROWS), 1), NULL),
                   tp_logsumexp(tp_softplus(weight)));
    tp_scope_end(tape);
    tp_gradient(*loss, &weight, 1, &g);
    step = tp_assign(weight, tp_sub(weight, tp_scale(g, 0.05)));
    return tp_compile((tp_tensor[]){*loss, step}, 2, &(tp_compile_options){.check_finite = true});
}

static void one_round(worker *w, float losses[STEPS])
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.allocator = memory_allocator(&w->memory), .seed = 3});
    const tp_mark mark = tp_tape_mark(tape);
    tp_tensor loss;

    tp_program_destroy(record(w, tape, &loss));
    tp_tape_rewind(mark);
    tp_program *program = record(w, tape, &loss);
    for (int k = 0; k < STEPS; k++) {
        tp_run(program);
        losses[k] = (float)tp_item(loss);
    }
    tp_add(loss, tp_full(tape, TP_F64, TP_SHAPE(2), 0.5));
    snprintf(w->message, sizeof w->message, "%s", tp_tape_message(tape));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void *work(void *user)
{
    worker *w = user;
    for (int k = 0; k < ROUNDS; k++)
        one_round(w, w->losses + k * STEPS);
    return NULL;
}

static void test_tapes_on_threads_do_not_meet(void **state)
{
    static worker workers[THREADS], alone;
    pthread_t thread[THREADS];
    (void)state;

    for (int k = 0; k < THREADS; k++) {
        workers[k] = (worker){.multiplies = k == 0};
        assert_int_equal(pthread_create(&thread[k], NULL, work, &workers[k]), 0);
    }
    for (int k = 0; k < THREADS; k++)
        assert_int_equal(pthread_join(thread[k], NULL), 0);
    work(&alone);
    for (int k = 0; k < ROUNDS * STEPS; k++) {
        assert_true(same_bits(alone.losses[k], alone.losses[k % STEPS]));
        assert_true(alone.losses[k] > 0 && (k % STEPS == 0 || alone.losses[k] < alone.losses[k - 1]));
        for (int t = 1; t < THREADS; t++)
            assert_true(same_bits(workers[t].losses[k], alone.losses[k]));
        assert_true(fabsf(workers[0].losses[k] - alone.losses[k]) < 1e-5f);
    }
    for (int t = 0; t < THREADS; t++) {
        expect_text(workers[t].message, "add: the operands' dtypes differ");
        assert_all_released(&workers[t].memory);
    }
}

/* One tape may wander from thread to thread, as long as one at a time uses it. */
static void *continue_recording(void *user)
{
    tp_tensor *x = user;
    *x = tp_exp(*x);
    return NULL;
}

static void test_a_tape_may_wander(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE_0D, NULL);
    (void)state;
    for (int k = 0; k < 3; k++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, continue_recording, &x), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_true(fabsf(evaluate1(x) - 15.1542622f) < 1e-4f);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tapes_on_threads_do_not_meet),
        cmocka_unit_test(test_a_tape_may_wander),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
