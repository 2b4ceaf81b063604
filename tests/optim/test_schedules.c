/* test_schedules.c -- schedules where the golden cases do not go: ends, defaults, senseless arguments, rates of a program. */
#include "optim_test.h"

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-14))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void defaults(void **state)
{
    const int64_t milestones[3] = {7, 3, 9}; /* in any order */
    (void)state;
    assert_near(tp_step_decay_rate(&(tp_step_decay){.rate = 2, .every = 3}, 8), 0.02);
    assert_near(tp_multi_step_decay_rate(
                    &(tp_multi_step_decay){.rate = 2, .milestone = milestones, .milestones = 3}, 7),
                0.02);
    assert_near(tp_multi_step_decay_rate(&(tp_multi_step_decay){.rate = 2}, 100), 2);
    assert_near(tp_polynomial_decay_rate(&(tp_polynomial_decay){.rate = 2, .steps = 4}, 1), 1.5);
    assert_near(tp_one_cycle_rate(&(tp_one_cycle){.rate = 1, .steps = 20}, 0), 1.0 / 25);
    assert_near(tp_one_cycle_rate(&(tp_one_cycle){.rate = 1, .steps = 20}, 5), 1);
    assert_near(tp_one_cycle_rate(&(tp_one_cycle){.rate = 1, .steps = 20}, 19), 1e-4 / 25);
}

static void ends(void **state)
{
    const tp_polynomial_decay polynomial = {.rate = 2, .steps = 4, .power = 3, .least = 0.5};
    const tp_linear_change change = {.rate = 2, .first = 0, .last = 0.5, .steps = 4};
    const tp_one_cycle cycle = {.rate = 3, .steps = 10}, tiny = {.rate = 3, .steps = 1},
                       three = {.rate = 3, .steps = 2, .three_phases = true};
    (void)state;
    assert_near(tp_polynomial_decay_rate(&polynomial, 0), 2);
    assert_near(tp_polynomial_decay_rate(&polynomial, 2), 0.5 + 1.5 / 8);
    assert_near(tp_polynomial_decay_rate(&polynomial, 4), 0.5);
    assert_near(tp_polynomial_decay_rate(&polynomial, INT64_MAX), 0.5);
    assert_near(tp_linear_change_rate(&change, 0), 0);
    assert_near(tp_linear_change_rate(&change, 5), 1);
    assert_near(tp_one_cycle_rate(&cycle, 1000), 3 / 25e4); /* stays */
    assert_near(tp_one_cycle_rate(&tiny, 0), 3 / 25e4);
    for (int64_t k = 0; k < 4; k++) /* phases shorter than a step */
        assert_true(isfinite(tp_one_cycle_rate(&three, k)));
    assert_near(tp_warm_up(2, 0, 4), 0.5);
    assert_near(tp_warm_up(2, 3, 4), 2);
    assert_near(tp_warm_up(2, 99, 4), 2);
    assert_near(tp_warm_up(2, 0, 0), 2);
}

static void restarts(void **state)
{
    const tp_cosine_restarts same = {.rate = 1, .steps = 5}, doubling = {.rate = 1, .steps = 3, .growth = 2},
                             vast = {.rate = 1, .steps = 2, .growth = INT64_MAX};
    (void)state;
    for (int64_t k = 0; k < 30; k++)
        assert_near(tp_cosine_restarts_rate(&same, k), tp_cosine_restarts_rate(&same, k % 5));
    assert_near(tp_cosine_restarts_rate(&doubling, 3 + 6 + 12), 1);
    assert_near(tp_cosine_restarts_rate(&doubling, 3 + 6 + 6), 0.5);
    assert_near(tp_cosine_restarts_rate(&same, (int64_t)5 << 50), 1); /* at once, not by walking there */
    assert_true(tp_cosine_restarts_rate(&doubling, INT64_MAX) >= 0);
    assert_near(tp_cosine_restarts_rate(&vast, 2), 1);
    assert_true(tp_cosine_restarts_rate(&vast, INT64_MAX) < 1);
}

static void senseless(void **state)
{
    (void)state;
    const double rates[] = {
        tp_step_decay_rate(NULL, 0),
        tp_step_decay_rate(&(tp_step_decay){.rate = 1}, 0),
        tp_step_decay_rate(&(tp_step_decay){.rate = 1, .every = 2}, -1),
        tp_multi_step_decay_rate(NULL, 0),
        tp_multi_step_decay_rate(&(tp_multi_step_decay){.rate = 1, .milestones = 2}, 0),
        tp_multi_step_decay_rate(&(tp_multi_step_decay){.rate = 1}, -1),
        tp_exponential_decay_rate(NULL, 0),
        tp_exponential_decay_rate(&(tp_exponential_decay){1, 0.5}, -1),
        tp_polynomial_decay_rate(NULL, 0),
        tp_polynomial_decay_rate(&(tp_polynomial_decay){.rate = 1}, 0),
        tp_polynomial_decay_rate(&(tp_polynomial_decay){.rate = 1, .steps = 2}, -1),
        tp_linear_change_rate(NULL, 0),
        tp_linear_change_rate(&(tp_linear_change){.rate = 1}, 0),
        tp_linear_change_rate(&(tp_linear_change){.rate = 1, .steps = 1}, -1),
        tp_cosine_decay_rate(NULL, 0),
        tp_cosine_decay_rate(&(tp_cosine_decay){.rate = 1}, 0),
        tp_cosine_decay_rate(&(tp_cosine_decay){.rate = 1, .steps = 3}, -1),
        tp_cosine_restarts_rate(NULL, 0),
        tp_cosine_restarts_rate(&(tp_cosine_restarts){.rate = 1}, 0),
        tp_cosine_restarts_rate(&(tp_cosine_restarts){.rate = 1, .steps = 1, .growth = -1}, 0),
        tp_cosine_restarts_rate(&(tp_cosine_restarts){.rate = 1, .steps = 1}, -1),
        tp_one_cycle_rate(NULL, 0),
        tp_one_cycle_rate(&(tp_one_cycle){.rate = 1}, 0),
        tp_one_cycle_rate(&(tp_one_cycle){.rate = 1, .steps = 5}, -1),
        tp_warm_up(1, -1, 4),
        tp_plateau_report(NULL, 1),
    };
    for (size_t k = 0; k < COUNT_OF(rates); k++)
        if (!isnan(rates[k]))
            fail_msg("number %d is %g", (int)k, rates[k]);
}

static void plateaus(void **state)
{
    tp_plateau p = {.rate = 1};
    (void)state;
    tp_plateau_report(&p, 1);
    for (int k = 0; k < 10; k++) /* the default patience */
        assert_near(tp_plateau_report(&p, 1), 1);
    assert_near(tp_plateau_report(&p, NAN), 0.1); /* is never good */
    assert_near(tp_plateau_report(&p, 0.5), 0.1);
    assert_true(p.best == 0.5 && p.bad == 0);

    tp_plateau impatient = {.rate = 1, .patience = {true, 0}, .factor = 0.5, .least = 0.4};
    assert_near(tp_plateau_report(&impatient, NAN), 0.5); /* not as the first either */
    assert_near(tp_plateau_report(&impatient, INFINITY), 0.4);
    assert_near(tp_plateau_report(&impatient, 3), 0.4);
    assert_near(tp_plateau_report(&impatient, 3), 0.4); /* not below the least */

    tp_plateau steady = {.rate = 1, .patience = {true, 0}, .factor = 0.5, .epsilon = {true, 0.375}};
    tp_plateau_report(&steady, 1);
    assert_near(tp_plateau_report(&steady, 1), 0.5);
    assert_near(tp_plateau_report(&steady, 1), 0.5); /* a change by 0.25 is too small to be made */
}

/* The rate is what the program uses, without compiling again. */
static void a_scheduled_program(void **state)
{
    const tp_cosine_decay decay = {.rate = 0.5, .steps = 8, .least = 0.125};
    double x = 1;
    tp_optimiser o;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE_0D, &x);
    const tp_tensor step = tp_sgd(tp_scale(tp_square(w), 0.5), &w, 1, &(tp_sgd_options){.optimiser = &o});
    tp_program *program = compile_all(&step, 1);
    for (int64_t k = 0; k < 8; k++) {
        const double rate = tp_warm_up(tp_cosine_decay_rate(&decay, k), k, 3);
        assert_int_equal(tp_set_rate(o.rate, rate), TP_OK);
        run_ok(program);
        x -= rate * x;
        assert_true(element(w, 0) == x);
    }
    assert_true(element(o.count, 0) == 8);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),  cmocka_unit_test(ends),     cmocka_unit_test(restarts),
        cmocka_unit_test(senseless), cmocka_unit_test(plateaus), cmocka_unit_test(a_scheduled_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
