/* test_formulas.c -- formulas that no golden case has, and what rounding could do to the others. */
#include "optim_test.h"

/* Lion and the defaults of AdamW, of which there are no golden cases. */
static void lion_by_hand(void **state)
{
    double x[2] = {1, -0.5}, m[2] = {0, 0};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = tp_parameter(tape, TP_F64, TP_SHAPE(2), x),
                    g = tp_input(tape, TP_F64, TP_SHAPE(2));
    const tp_tensor step =
        tp_lion(g, &leaf, 1,
                &(tp_lion_options){
                    .learning_rate = 0.01, .gradients = &g, .weight_decay = 0.3, .beta1 = {true, 0.8}});
    tp_program *program = compile_all(&step, 1);
    for (int k = 0; k < 20; k++) {
        const double slope[2] = {sin(k + 1.0), k % 5 == 0 ? 0 : cos(3.0 * k)};
        double now[2];
        set_values(g, slope);
        run_ok(program);
        get_values(leaf, now);
        for (int i = 0; i < 2; i++) {
            const double c = 0.8 * m[i] + (1 - 0.8) * slope[i];
            x[i] = x[i] * (1 - 0.01 * 0.3) - 0.01 * ((c > 0) - (c < 0));
            m[i] = 0.99 * m[i] + (1 - 0.99) * slope[i];
            assert_true(fabs(now[i] - x[i]) <= 1e-14);
        }
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void adamw_decays_by_default(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(1), (double[]){2});
    const tp_tensor zero = tp_input(tape, TP_F64, TP_SHAPE(1));
    set_values(zero, (double[]){0});
    const tp_tensor step =
        tp_adamw(zero, &x, 1, &(tp_adam_options){.learning_rate = 0.5, .gradients = &zero});
    tp_program *program = compile_all(&step, 1);
    run_ok(program);
    assert_true(element(x, 0) == 2 * (1 - 0.5 * 0.01));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* In f32 the first steps are as exact as any: what depends on t is computed in f64. */
static void bias_correction_in_f32(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(3), NULL);
    const tp_tensor g = tp_constant(tape, TP_F32, TP_SHAPE(3), (float[]){1, -1e-3f, 1e4f});
    const tp_tensor step = tp_adam(g, &x, 1, &(tp_adam_options){.learning_rate = 1, .gradients = &g});
    tp_program *program = compile_all(&step, 1);
    for (int k = 1; k <= 100; k++) { /* a constant gradient: each step has the length of the rate */
        double now[3];
        run_ok(program);
        get_values(x, now);
        assert_true(fabs(now[0] + k) <= 2e-6 * k && fabs(now[1] - k) <= 2e-5 * k &&
                    fabs(now[2] + k) <= 2e-6 * k);
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Rounding may make v - a^2 negative when the gradient hardly changes. */
static void centred_without_spread(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(64), NULL);
    const tp_tensor g = tp_add(tp_scale(tp_iota(tape, TP_F32, 64), 0.01), tp_scalar(tape, 1));
    const tp_tensor step = tp_rmsprop(
        g, &x, 1,
        &(tp_rmsprop_options){.gradients = &g, .centred = true, .alpha = {true, 0.5}, .epsilon = {true, 1}});
    tp_program *program = tp_compile(&step, 1, &(tp_compile_options){.check_finite = true});
    for (int k = 0; k < 200; k++)
        run_ok(program);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lion_by_hand),
        cmocka_unit_test(adamw_decays_by_default),
        cmocka_unit_test(bias_correction_in_f32),
        cmocka_unit_test(centred_without_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
