/* test_golden.c -- trajectories of optimisers, rates of schedules and clipped gradients against PyTorch's. */
#include "optim_test.h"

#include <stdlib.h>

#include "golden.h"

static int64_t count_of(const golden_case *c, const char *name)
{
    return golden_get(c, GOLDEN_IN, name)->count;
}

/* ---- Optimisers -------------------------------------------------------------------------------------- */

static tp_optional_number given(const golden_case *c, const char *key)
{
    return (tp_optional_number){true, golden_number(c, key)};
}

#define OF_CASE(c, g)                                                                                        \
    .learning_rate = golden_number(c, "lr"), .gradients = g, .weight_decay = golden_number(c, "weight_decay")

static tp_tensor adam_of(const golden_case *c, tp_tensor loss, const tp_tensor *x, const tp_tensor *g)
{
    const tp_adam_options o = {OF_CASE(c, g), .beta1 = given(c, "beta1"), .beta2 = given(c, "beta2"),
                               .epsilon = given(c, "eps"), .amsgrad = golden_switch(c, "amsgrad")};
    /* Without decay AdamW is Adam: 0 is not among the options of tp_adamw. */
    return strcmp(c->op, "adamw") == 0 && o.weight_decay != 0 ? tp_adamw(loss, x, 1, &o)
                                                              : tp_adam(loss, x, 1, &o);
}

static tp_tensor adamax_of(const golden_case *c, tp_tensor loss, const tp_tensor *x, const tp_tensor *g)
{
    const tp_adamax_options o = {OF_CASE(c, g), .beta1 = given(c, "beta1"), .beta2 = given(c, "beta2"),
                                 .epsilon = given(c, "eps")};
    return strcmp(c->op, "radam") == 0 ? tp_radam(loss, x, 1, &o) : tp_adamax(loss, x, 1, &o);
}

static tp_tensor step_of(const golden_case *c, tp_tensor loss, const tp_tensor *x, const tp_tensor *g)
{
    if (strcmp(c->op, "sgd") == 0)
        return tp_sgd(loss, x, 1,
                      &(tp_sgd_options){OF_CASE(c, g), .momentum = golden_number(c, "momentum"),
                                        .dampening = golden_number(c, "dampening"),
                                        .nesterov = golden_switch(c, "nesterov")});
    if (strcmp(c->op, "adam") == 0 || strcmp(c->op, "adamw") == 0)
        return adam_of(c, loss, x, g);
    if (strcmp(c->op, "adamax") == 0 || strcmp(c->op, "radam") == 0)
        return adamax_of(c, loss, x, g);
    if (strcmp(c->op, "nadam") == 0)
        return tp_nadam(loss, x, 1,
                        &(tp_nadam_options){OF_CASE(c, g), .beta1 = given(c, "beta1"),
                                            .beta2 = given(c, "beta2"), .epsilon = given(c, "eps"),
                                            .momentum_decay = given(c, "momentum_decay")});
    if (strcmp(c->op, "rmsprop") == 0)
        return tp_rmsprop(loss, x, 1,
                          &(tp_rmsprop_options){OF_CASE(c, g), .alpha = given(c, "alpha"),
                                                .epsilon = given(c, "eps"),
                                                .momentum = golden_number(c, "momentum"),
                                                .centred = golden_switch(c, "centered")});
    if (strcmp(c->op, "adagrad") == 0)
        return tp_adagrad(loss, x, 1,
                          &(tp_adagrad_options){OF_CASE(c, g), .rate_decay = golden_number(c, "lr_decay"),
                                                .initial = golden_number(c, "initial_accumulator_value"),
                                                .epsilon = given(c, "eps")});
    if (strcmp(c->op, "adadelta") == 0)
        return tp_adadelta(loss, x, 1,
                           &(tp_adadelta_options){OF_CASE(c, g), .rho = given(c, "rho"),
                                                  .epsilon = golden_number(c, "eps")});
    return (tp_tensor){0};
}

typedef struct variant {
    tp_dtype dtype;
    double tolerance;
    bool given_gradient;
} variant;

/* The gradient A (x - c) + noise[k] comes from a loss, (x - c) A (x - c) / 2 + noise x, or is given. */
static void check_trajectory(const golden_case *c, const variant *v)
{
    const int64_t n = count_of(c, "x0"), steps = count_of(c, "noise") / n;
    const golden_block *noise = golden_get(c, GOLDEN_IN, "noise"), *traj = golden_get(c, GOLDEN_OUT, "traj");
    tp_tape *tape = tp_tape_create(NULL);
    double *reached = calloc((size_t)(steps * n), sizeof *reached);

    const tp_tensor x = make_leaf(tape, v->dtype, TP_SHAPE(n), golden_get(c, GOLDEN_IN, "x0")->f64);
    const tp_tensor a = make_constant(tape, v->dtype, TP_SHAPE(n, n), golden_get(c, GOLDEN_IN, "A")->f64);
    const tp_tensor centre = make_constant(tape, v->dtype, TP_SHAPE(n), golden_get(c, GOLDEN_IN, "c")->f64);
    const tp_tensor extra = tp_input(tape, v->dtype, TP_SHAPE(n)), d = tp_sub(x, centre);
    const tp_tensor loss =
        tp_add(tp_scale(tp_sum(tp_mul(d, tp_matmul(a, d))), 0.5), tp_sum(tp_mul(extra, x)));
    const tp_tensor gradient = tp_add(tp_matmul(a, d), extra), absent = {0};
    const tp_tensor step = v->given_gradient ? step_of(c, absent, &x, &gradient) : step_of(c, loss, &x, NULL);

    tp_program *program = compile_all(&step, 1);
    for (int64_t k = 0; k < steps; k++) {
        set_values(extra, noise->f64 + k * n);
        run_ok(program);
        get_values(x, reached + k * n);
    }
    golden_check(c, traj, reached, steps * n, v->tolerance);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    free(reached);
}

static void check_trajectories(const variant *v)
{
    golden_reader *reader = golden_open("optim.txt");
    const golden_case *c;
    int cases = 0;
    while ((c = golden_next(reader)) != NULL)
        if (golden_find(c, GOLDEN_IN, "noise") != NULL) {
            check_trajectory(c, v);
            cases++;
        }
    assert_int_equal(cases, 55);
}

static void trajectories(void **state)
{
    (void)state;
    check_trajectories(&(variant){TP_F64, GOLDEN_TOLERANCE, false});
    check_trajectories(&(variant){TP_F64, GOLDEN_TOLERANCE, true});
}

static void trajectories_in_f32(void **state)
{
    (void)state;
    check_trajectories(&(variant){TP_F32, 2e-5, false});
}

/* ---- Clipping ---------------------------------------------------------------------------------------- */

static void check_clipping(const golden_case *c, tp_dtype dtype, double tolerance)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor g[3], norm = {0};
    double value[VALUES_MAX];
    char name[24];
    int n = 0;

    for (snprintf(name, sizeof name, "g0"); golden_find(c, GOLDEN_IN, name) != NULL;
         snprintf(name, sizeof name, "g%d", n)) {
        const golden_block *b = golden_get(c, GOLDEN_IN, name);
        tp_shape shape = {.rank = b->rank};
        memcpy(shape.dim, b->dim, (size_t)b->rank * sizeof *b->dim);
        g[n++] = make_leaf(tape, dtype, shape, b->f64);
    }
    if (strcmp(c->op, "clip_grad_norm") == 0)
        norm = tp_clip_by_norm(g, n, golden_number(c, "max_norm"),
                               &(tp_clip_options){.order = golden_number(c, "norm_type")});
    else
        assert_int_equal(tp_clip_by_value(g, n, golden_number(c, "clip")), TP_OK);
    for (int k = 0; k < n; k++) {
        snprintf(name, sizeof name, "g%d_out", k);
        assert_int_equal(tp_dtype_of(g[k]), dtype);
        compute(g[k], value);
        golden_check(c, golden_get(c, GOLDEN_OUT, name), value, tp_count_of(g[k]), tolerance);
    }
    if (norm.tape != NULL) {
        assert_int_equal(tp_dtype_of(norm), TP_F64);
        compute(norm, value);
        golden_check(c, golden_get(c, GOLDEN_OUT, "total_norm"), value, 1, tolerance);
    }
    tp_tape_destroy(tape);
}

static void clipping(void **state)
{
    (void)state;
    golden_reader *reader = golden_open("optim.txt");
    const golden_case *c;
    int cases = 0;
    while ((c = golden_next(reader)) != NULL)
        if (strncmp(c->op, "clip_", 5) == 0) {
            check_clipping(c, TP_F64, GOLDEN_TOLERANCE);
            check_clipping(c, TP_F32, 1e-6);
            cases++;
        }
    assert_int_equal(cases, 10);
}

/* ---- Schedules --------------------------------------------------------------------------------------- */

static double decay_of(const golden_case *c, double rate, int64_t k)
{
    int64_t milestone[8] = {0};
    if (strcmp(c->op, "lr_step") == 0)
        return tp_step_decay_rate(
            &(tp_step_decay){rate, golden_integer(c, "step_size"), golden_number(c, "gamma")}, k);
    if (strcmp(c->op, "lr_multistep") == 0) {
        const int n = golden_integers(c, "milestones", milestone, 8);
        return tp_multi_step_decay_rate(&(tp_multi_step_decay){rate, milestone, n, golden_number(c, "gamma")},
                                        k);
    }
    if (strcmp(c->op, "lr_exponential") == 0)
        return tp_exponential_decay_rate(&(tp_exponential_decay){rate, golden_number(c, "gamma")}, k);
    if (strcmp(c->op, "lr_linear") == 0)
        return tp_linear_change_rate(&(tp_linear_change){rate, golden_number(c, "start_factor"),
                                                         golden_number(c, "end_factor"),
                                                         golden_integer(c, "total_iters")},
                                     k);
    assert_string_equal(c->op, "lr_polynomial");
    return tp_polynomial_decay_rate(
        &(tp_polynomial_decay){rate, golden_integer(c, "total_iters"), golden_number(c, "power"), 0}, k);
}

static double rate_of(const golden_case *c, int64_t k)
{
    if (strcmp(c->op, "lr_one_cycle") == 0)
        return tp_one_cycle_rate(&(tp_one_cycle){.rate = golden_number(c, "max_lr"),
                                                 .steps = golden_integer(c, "steps"),
                                                 .share = golden_number(c, "pct_start"),
                                                 .divisor = golden_number(c, "div_factor"),
                                                 .last_divisor = golden_number(c, "final_div_factor"),
                                                 .linear = golden_is(c, "anneal", "linear"),
                                                 .three_phases = golden_switch(c, "three_phase")},
                                 k);
    const double rate = golden_number(c, "base_lr");
    if (strcmp(c->op, "lr_cosine") == 0)
        return tp_cosine_decay_rate(
            &(tp_cosine_decay){rate, golden_integer(c, "t_max"), golden_number(c, "eta_min")}, k);
    if (strcmp(c->op, "lr_cosine_restarts") == 0)
        return tp_cosine_restarts_rate(&(tp_cosine_restarts){rate, golden_integer(c, "t_0"),
                                                             golden_integer(c, "t_mult"),
                                                             golden_number(c, "eta_min")},
                                       k);
    return decay_of(c, rate, k);
}

static void plateau_of(const golden_case *c, double *rate, int64_t n)
{
    const golden_block *metrics = golden_get(c, GOLDEN_IN, "metrics");
    tp_plateau p = {.rate = golden_number(c, "base_lr"),
                    .factor = golden_number(c, "factor"),
                    .patience = given(c, "patience"),
                    .threshold = given(c, "threshold"),
                    .epsilon = given(c, "eps"),
                    .maximise = golden_is(c, "mode", "max"),
                    .absolute = golden_is(c, "threshold_mode", "abs"),
                    .cooldown = golden_integer(c, "cooldown"),
                    .least = golden_number(c, "min_lr")};
    rate[0] = p.rate;
    for (int64_t k = 1; k < n; k++)
        rate[k] = tp_plateau_report(&p, metrics->f64[k - 1]);
}

static void schedules(void **state)
{
    (void)state;
    golden_reader *reader = golden_open("optim.txt");
    const golden_case *c;
    double rate[64];
    int cases = 0;
    while ((c = golden_next(reader)) != NULL) {
        if (strncmp(c->op, "lr_", 3) != 0)
            continue;
        const golden_block *lr = golden_get(c, GOLDEN_OUT, "lr");
        assert_in_range(lr->count, 1, 64);
        if (strcmp(c->op, "lr_plateau") == 0)
            plateau_of(c, rate, lr->count);
        for (int64_t k = 0; strcmp(c->op, "lr_plateau") != 0 && k < lr->count; k++)
            rate[k] = rate_of(c, k);
        golden_check(c, lr, rate, lr->count, GOLDEN_TOLERANCE);
        cases++;
    }
    assert_int_equal(cases, 19);
}

/* ---- L-BFGS ------------------------------------------------------------------------------------------ */

static tp_tensor lbfgs_loss(const golden_case *c, tp_tensor x)
{
    tp_tape *tape = x.tape;
    const int64_t n = tp_count_of(x);
    if (golden_is(c, "problem", "rosenbrock")) {
        const tp_tensor here = tp_slice(x, 0, 0, n - 1, 1), next = tp_slice(x, 0, 1, n, 1);
        const tp_tensor valley = tp_square(tp_sub(next, tp_square(here)));
        return tp_sum(tp_add(tp_scale(valley, 100), tp_square(tp_sub(tp_scalar(tape, 1), here))));
    }
    const tp_tensor a = make_constant(tape, TP_F64, TP_SHAPE(n, n), golden_get(c, GOLDEN_IN, "A")->f64);
    const tp_tensor d =
        tp_sub(x, make_constant(tape, TP_F64, TP_SHAPE(n), golden_get(c, GOLDEN_IN, "c")->f64));
    return tp_scale(tp_sum(tp_mul(d, tp_matmul(a, d))), 0.5);
}

static void check_lbfgs(const golden_case *c)
{
    enum { MOST = 128 };
    const int64_t n = count_of(c, "x0"), steps = golden_integer(c, "steps");
    const golden_block *evaluations = golden_get(c, GOLDEN_OUT, "func_evals"),
                       *iterations = golden_get(c, GOLDEN_OUT, "n_iter");
    double x_after[MOST], loss_before[MOST];
    tp_tape *tape = tp_tape_create(NULL);
    tp_lbfgs lbfgs;

    assert_in_range(n * steps, 1, MOST);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(n), golden_get(c, GOLDEN_IN, "x0")->f64);
    const tp_lbfgs_options options = {
        .learning_rate = golden_number(c, "lr"),
        .iterations = (int)golden_integer(c, "max_iter"),
        .evaluations = (int)golden_integer(c, "max_eval"),
        .history = (int)golden_integer(c, "history_size"),
        .gradient_tolerance = given(c, "tolerance_grad"),
        .change_tolerance = given(c, "tolerance_change"),
        .fixed_step = golden_is(c, "line_search", "none"),
    };
    assert_int_equal(tp_lbfgs_create(&lbfgs, lbfgs_loss(c, x), &x, 1, &options), TP_OK);
    for (int64_t k = 0; k < steps; k++) {
        assert_int_equal(tp_lbfgs_step(&lbfgs), TP_OK);
        get_values(x, x_after + k * n);
        loss_before[k] = lbfgs.loss;
        if (lbfgs.total_evaluations != evaluations->i64[k] || lbfgs.total_iterations != iterations->i64[k])
            fail_msg("%s: call %d: %d evaluations and %d iterations, not %d and %d", c->name, (int)k,
                     (int)lbfgs.total_evaluations, (int)lbfgs.total_iterations, (int)evaluations->i64[k],
                     (int)iterations->i64[k]);
    }
    golden_check(c, golden_get(c, GOLDEN_OUT, "traj"), x_after, steps * n, GOLDEN_TOLERANCE);
    golden_check(c, golden_get(c, GOLDEN_OUT, "loss"), loss_before, steps, GOLDEN_TOLERANCE);
    tp_lbfgs_destroy(&lbfgs);
    tp_tape_destroy(tape);
}

static void lbfgs(void **state)
{
    (void)state;
    golden_reader *reader = golden_open("optim.txt");
    const golden_case *c;
    int cases = 0;
    while ((c = golden_next(reader)) != NULL)
        if (strcmp(c->op, "lbfgs") == 0) {
            check_lbfgs(c);
            cases++;
        }
    assert_int_equal(cases, 25);
}

/* ---- Nothing is left out ----------------------------------------------------------------------------- */

static void every_case_belongs_to_a_test(void **state)
{
    (void)state;
    golden_reader *reader = golden_open("optim.txt");
    int cases = 0;
    while (golden_next(reader) != NULL)
        cases++;
    assert_int_equal(cases, 55 + 10 + 19 + 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories), cmocka_unit_test(trajectories_in_f32),
        cmocka_unit_test(clipping),     cmocka_unit_test(schedules),
        cmocka_unit_test(lbfgs),        cmocka_unit_test(every_case_belongs_to_a_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
