/* test_meta.c -- differentiating through a step: gradients of a second loss of the new parameters, with respect to the
 * learning rate and to the parameters before.
 */
#include "optim_test.h"

#include <tapir/cmocka.h>

static const double start[4] = {0.5, -1.25, 2, -0.75}, goal[4] = {1, 0.5, -0.5, 0.25};

typedef struct unrolled {
    tp_tape *tape;
    tp_tensor x, rate, after, validation;
    tp_optimiser made;
} unrolled;

/* One step on a loss, then another loss of what it led to. */
static unrolled unroll(const struct named_optimiser *o, tp_dtype dtype, const double *x, const double *state)
{
    unrolled u = {.tape = tp_tape_create(NULL)};
    double values[MAX_SLOTS][4];
    u.x = make_leaf(u.tape, dtype, TP_SHAPE(4), x);
    u.rate = tp_parameter(u.tape, TP_F64, TP_SHAPE_0D, (double[]){0.125});
    const tp_tensor target = make_constant(u.tape, dtype, TP_SHAPE(4), goal);
    const tp_tensor d = tp_sub(u.x, target);
    const tp_tensor loss = tp_sum(tp_add(tp_square(d), tp_scale(tp_mul(tp_square(d), tp_square(d)), 0.125)));
    const tp_tensor step =
        o->record(loss, &u.x, 1, &(base_options){.rate = u.rate, .optimiser = &u.made, .weight_decay = 0.25});
    for (int s = 0; s < o->slots; s++) {
        for (int i = 0; i < 4;
             i++) /* where it is a second moment it must be positive, and above the mean's square */
            values[s][i] = s == o->mean ? state[i] : 8 * fabs(state[i]);
        set_values(tp_optimiser_state(&u.made, 0, s), values[s]);
    }
    u.after = tp_step_value(step, u.x);
    u.validation = tp_mean(tp_square(tp_sub(u.after, tp_scalar(u.tape, 0.3))));
    return u;
}

/* First and second derivatives, against differences. */
static void against_differences(void **state)
{
    const double moments[4] = {0.5, -0.25, 1, -2};
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        unrolled u = unroll(o, TP_F64, start, moments);
        tp_check_report report;
        const tp_tensor wrt[2] = {u.x, u.rate};
        if (!tp_check_recorded(u.validation, wrt, 2, &(tp_check_options){.second = true}, &report))
            fail_msg("%s, %d slots: %s", o->name, o->slots, report.message);
        assert_true(report.second && report.checked >= 5);
        assert_no_error(u.tape);
        tp_tape_destroy(u.tape);
    }
}

/* x: parameters and learning rate, recorded on the checker's own tape. */
static tp_tensor after_adam(const tp_tensor *x, void *user)
{
    const tp_tensor loss = tp_sum(tp_square(tp_square(x[0])));
    const tp_tensor step = tp_adam(loss, x, 1, &(tp_adam_options){.rate = x[1], .epsilon = {true, 0.5}});
    (void)user;
    return tp_sum(tp_square(tp_step_value(step, x[0])));
}

static void as_a_function(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {make_leaf(tape, TP_F32, TP_SHAPE(4), start),
                            tp_parameter(tape, TP_F32, TP_SHAPE_0D, (float[]){0.125f})};
    tp_assert_gradient(after_adam, NULL, x, 2, &(tp_check_options){.second = true});
    tp_tape_destroy(tape);
}

/* From states of zeros and with gradients of which one is 0, where the root of v has no derivative: all is finite, in the
 * first and in the second derivatives, and also in f32. */
static void gradients_of_zero(void **state)
{
    const double at_goal[4] = {1, 0.5, 3, 0.25}, zero[4] = {0};
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
            unrolled u = unroll(o, (tp_dtype)dtype, at_goal, zero);
            const tp_tensor wrt[2] = {u.x, u.rate};
            tp_tensor g[2], h[2];
            double value[4];
            tp_gradient(u.validation, wrt, 2, g);
            tp_gradient(tp_add(tp_cast(tp_sum(g[0]), TP_F64), g[1]), wrt, 2, h);
            tp_program *program = tp_compile((tp_tensor[]){u.after, g[0], g[1], h[0], h[1]}, 5,
                                             &(tp_compile_options){.check_finite = true});
            assert_no_error(u.tape);
            if (tp_run(program) != TP_OK)
                fail_msg("%s, %d slots, %s: %s", o->name, o->slots, tp_dtype_name((tp_dtype)dtype),
                         tp_program_message(program));
            get_values(g[1], value);
            assert_true(value[0] != 0);
            tp_program_destroy(program);
            tp_tape_destroy(u.tape);
        }
    }
}

/* For gradient descent both have a closed form: -g . grad V(x'), and H of the loss enters the other. */
static void of_gradient_descent(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(4), start);
    const tp_tensor rate = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){0.125});
    const tp_tensor loss = tp_scale(tp_sum(tp_square(x)), 0.5); /* g = x, H = 1 */
    const tp_tensor step = tp_sgd(loss, &x, 1, &(tp_sgd_options){.rate = rate});
    const tp_tensor after = tp_step_value(step, x), target = make_constant(tape, TP_F64, TP_SHAPE(4), goal);
    const tp_tensor validation = tp_scale(tp_sum(tp_square(tp_sub(after, target))), 0.5);
    double by_rate, by_x[4], expected = 0;

    compute_gradient(validation, rate, &by_rate);
    compute_gradient(validation, x, by_x);
    for (int i = 0; i < 4; i++) {
        const double slope = (1 - 0.125) * start[i] - goal[i];
        expected -= start[i] * slope;
        assert_true(fabs(by_x[i] - (1 - 0.125) * slope) <= 1e-14);
    }
    (void)state;
    assert_true(fabs(by_rate - expected) <= 1e-14);
    tp_tape_destroy(tape);
}

/* Learning the learning rate: a program that trains both. */
static void a_trained_rate(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(4), start);
    const tp_tensor rate = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){0.01});
    const tp_tensor target = make_constant(tape, TP_F64, TP_SHAPE(4), goal);
    const tp_tensor loss = tp_sum(tp_square(tp_sub(x, target)));
    const tp_tensor step = tp_sgd(loss, &x, 1, &(tp_sgd_options){.rate = rate});
    const tp_tensor next = tp_sum(tp_square(tp_sub(tp_step_value(step, x), target)));
    const tp_tensor meta = tp_sgd(next, &rate, 1, &(tp_sgd_options){.learning_rate = 1e-3});
    tp_program *program = compile_all((tp_tensor[]){next, step, meta}, 3);
    run_ok(program);
    const double first = tp_item(next);
    for (int k = 0; k < 30; k++)
        run_ok(program);
    assert_true(element(rate, 0) > 0.1 && element(rate, 0) < 1);
    assert_true(tp_item(next) < 1e-2 * first);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Clipped gradients too, at a norm of 0 as well. */
static void through_clipping(void **state)
{
    (void)state;
    static const double orders[] = {1, 2, HUGE_VAL};
    for (size_t k = 0; k < COUNT_OF(orders); k++)
        for (int zero = 0; zero < 2; zero++) {
            tp_tape *tape = tp_tape_create(NULL);
            const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(4), zero ? (double[4]){0} : start);
            tp_tensor g[1] = {tp_mul(x, tp_constant(tape, TP_F64, TP_SHAPE(4), goal))};
            tp_tensor slope;
            double value[4];
            const tp_tensor norm = tp_clip_by_norm(g, 1, 0.5, &(tp_clip_options){.order = orders[k]});
            const tp_tensor result = tp_add(tp_sum(tp_square(tp_add(g[0], tp_scalar(tape, 1)))), norm);
            if (!zero)
                assert_true(tp_check_recorded(result, &x, 1, &(tp_check_options){.second = true}, NULL));
            tp_gradient(tp_sum(tp_square(g[0])), &x, 1, &slope);
            compute(slope, value);
            assert_true(isfinite(value[0]));
            tp_tape_destroy(tape);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_differences), cmocka_unit_test(as_a_function),
        cmocka_unit_test(gradients_of_zero),   cmocka_unit_test(of_gradient_descent),
        cmocka_unit_test(a_trained_rate),      cmocka_unit_test(through_clipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
