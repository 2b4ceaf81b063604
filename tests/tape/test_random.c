/* test_random.c -- random numbers: new ones each run, the same for the same seed, whatever else is recorded. */
#include "tape_test.h"

enum { N = 16 };

typedef struct draws {
    tp_tape *tape;
    tp_tensor a, b, label;
    tp_program *program;
} draws;

static draws make_draws(uint64_t seed, bool freeze, bool clutter)
{
    draws d = {.tape = tp_tape_create(&(tp_tape_options){.seed = seed})};
    tp_tensor w = tp_parameter(d.tape, TP_F32, TP_SHAPE(N), NULL);
    for (int k = 0; clutter && k < 30; k++)
        w = tp_exp(tp_add(w, tp_input(d.tape, TP_F32, TP_SHAPE(N))));
    if (clutter)
        tp_assign(tp_parameter(d.tape, TP_F32, TP_SHAPE(N), NULL), w);
    d.a = tp_uniform(d.tape, TP_F32, TP_SHAPE(N));
    if (clutter)
        tp_iota(d.tape, TP_F32, 9);
    d.b = tp_uniform(d.tape, TP_F64, TP_SHAPE(N));
    d.label = tp_input(d.tape, TP_I32, TP_SHAPE(1));
    tp_write(d.label, ((int32_t[]){0}), 1);
    d.program = tp_compile((tp_tensor[]){d.a, d.b, tp_check_index(d.label, 1, false, 0)}, 3,
                           &(tp_compile_options){.freeze_random = freeze});
    assert_non_null(d.program);
    return d;
}

static void run_and_read(draws *d, float a[N], double b[N])
{
    assert_int_equal(tp_run(d->program), TP_OK);
    assert_int_equal(tp_read(d->a, a, N), TP_OK);
    assert_int_equal(tp_read(d->b, b, N), TP_OK);
}

static void drop_draws(draws *d)
{
    tp_program_destroy(d->program);
    tp_tape_destroy(d->tape);
}

static void test_each_run_draws_anew(void **state)
{
    draws d = make_draws(1, false, false);
    float a[4][N];
    double b[4][N];
    (void)state;
    for (int run = 0; run < 4; run++) {
        run_and_read(&d, a[run], b[run]);
        for (int before = 0; before < run; before++) {
            assert_memory_not_equal(a[run], a[before], sizeof a[0]);
            assert_memory_not_equal(b[run], b[before], sizeof b[0]);
        }
        for (int i = 0; i < N; i++) {
            assert_true(a[run][i] >= 0 && a[run][i] < 1 &&
                        a[run][i] * 0x1p24f == floorf(a[run][i] * 0x1p24f));
            assert_true(b[run][i] >= 0 && b[run][i] < 1 && b[run][i] * 0x1p53 == floor(b[run][i] * 0x1p53));
        }
    }
    drop_draws(&d);
}

static void expect_same(draws *x, draws *y, bool same)
{
    for (int run = 0; run < 3; run++) {
        float a[2][N];
        double b[2][N];
        run_and_read(x, a[0], b[0]);
        run_and_read(y, a[1], b[1]);
        assert_true((memcmp(a[0], a[1], sizeof a[0]) == 0) == same);
        assert_true((memcmp(b[0], b[1], sizeof b[0]) == 0) == same);
    }
    drop_draws(x);
    drop_draws(y);
}

static void test_the_seed_decides(void **state)
{
    draws a = make_draws(7, false, false), b = make_draws(7, false, false);
    draws c = make_draws(7, false, false), d = make_draws(8, false, false);
    draws e = make_draws(7, false, false), f = make_draws(7 + ((uint64_t)1 << 32), false, false);
    (void)state;
    expect_same(&a, &b, true);
    expect_same(&c, &d, false);
    expect_same(&e, &f, false);
}

/* Leaves, maps, assignments and sources that draw nothing change no number. */
static void test_other_recording_does_not_matter(void **state)
{
    draws a = make_draws(7, false, false), b = make_draws(7, false, true);
    (void)state;
    expect_same(&a, &b, true);
}

static void test_frozen_numbers_stay(void **state)
{
    draws frozen = make_draws(7, true, false), free_draws = make_draws(7, false, false);
    float first[N], a[N];
    double b[N];
    (void)state;
    run_and_read(&frozen, first, b);
    for (int run = 0; run < 3; run++) {
        run_and_read(&frozen, a, b);
        assert_memory_equal(a, first, sizeof a);
    }
    run_and_read(&free_draws, a, b); /* a frozen program draws what the first run of all would */
    assert_memory_equal(a, first, sizeof a);
    drop_draws(&frozen);
    drop_draws(&free_draws);
}

static void test_a_failed_run_does_not_count(void **state)
{
    draws failing = make_draws(7, false, false), fine = make_draws(7, false, false);
    float a[2][N];
    double b[2][N];
    (void)state;
    run_and_read(&failing, a[0], b[0]);
    run_and_read(&fine, a[1], b[1]);
    tp_write(failing.label, ((int32_t[]){1}), 1);
    assert_int_equal(tp_run(failing.program), TP_BAD_VALUE);
    tp_write(failing.label, ((int32_t[]){0}), 1);
    tp_tape_clear_error(failing.tape);
    expect_same(&failing, &fine, true);
}

static void test_numbers_differ_by_node_and_are_spread(void **state)
{
    enum { MANY = 20000 };
    static float values[MANY];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_uniform(tape, TP_F32, TP_SHAPE(MANY)),
                    y = tp_uniform(tape, TP_F32, TP_SHAPE(MANY));
    double mean = 0, square = 0, product = 0, next = 0;
    static float others[MANY];
    (void)state;

    tp_program *program = tp_compile((tp_tensor[]){x, y}, 2, NULL);
    assert_int_equal(tp_run(program), TP_OK);
    tp_read(x, values, MANY);
    tp_read(y, others, MANY);
    for (int i = 0; i < MANY; i++) {
        const double u = values[i] - 0.5;
        mean += u / MANY;
        square += u * u / MANY;
        product += u * (others[i] - 0.5) / MANY;
        next += u * (values[(i + 1) % MANY] - 0.5) / MANY;
    }
    assert_true(fabs(mean) < 0.01 && fabs(square - 1.0 / 12) < 0.003); /* five standard deviations */
    assert_true(fabs(product) < 0.003 && fabs(next) < 0.003);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* The published known-answer test of Philox4x32-10: counter and key all zero. */
static void test_known_answer(void **state)
{
    static const uint32_t expected[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_uniform(tape, TP_F32, TP_SHAPE(4));
    float values[4];
    (void)state;
    evaluate(x, values, 4);
    for (int i = 0; i < 4; i++)
        assert_true(values[i] == (float)(expected[i] >> 8) * 0x1p-24f);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_run_draws_anew),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_other_recording_does_not_matter),
        cmocka_unit_test(test_frozen_numbers_stay),
        cmocka_unit_test(test_a_failed_run_does_not_count),
        cmocka_unit_test(test_numbers_differ_by_node_and_are_spread),
        cmocka_unit_test(test_known_answer),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
