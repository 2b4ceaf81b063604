/* test_gradients.c -- every loss, reduction and option against finite differences, to second order. */
#include "evaluate.h"

#include <stdio.h>
#include <tapir/cmocka.h>

static const double prediction_values[6] = {0.5, -2, 3, 0.125, 7, -0.25};
static const double target_values[6] = {0, 1, 3.25, 0.5, -4, -0.75};
static const double weight_values[6] = {1, 0.5, 0, 2, 0.25, 1.5};
static const float narrow_prediction[6] = {0.5f, -2, 3, 0.125f, 7, -0.25f};
static const float narrow_target[6] = {0, 1, 3.25f, 0.5f, -4, -0.75f};

typedef struct choice {
    tp_reduction reduction;
    bool huber, weighted, broadcast;
    /* cross_entropy */
    bool class_weighted, ignores;
    double label_smoothing;
} choice;

static const tp_check_options to_second_order = {.second = true};

static void report_choice(const choice *c)
{
    print_message(
        "  reduction %d, huber %d, weighted %d, broadcast %d, class weights %d, ignores %d, smoothing %g\n",
        (int)c->reduction, c->huber, c->weighted, c->broadcast, c->class_weighted, c->ignores,
        c->label_smoothing);
}

static void check(tp_loss_function function, choice *c, const tp_tensor *x, int n)
{
    tp_check_report report;
    if (tp_check_gradient(function, c, x, n, &to_second_order, &report))
        return;
    report_choice(c);
    fail_msg("%s", report.message);
}

/* ---- Regression ------------------------------------------------------------------------------------- */

/* x: prediction, target, weight. */
static tp_tensor regression(const tp_tensor *x, void *user)
{
    const choice *c = user;
    const tp_tensor weight = c->weighted ? x[2] : (tp_tensor){0};
    if (!c->huber)
        return tp_mse(
            x[0], x[1],
            &(tp_loss_options){.reduction = c->reduction, .weight = weight, .broadcast = c->broadcast});
    return tp_huber(
        x[0], x[1],
        &(tp_huber_options){
            .reduction = c->reduction, .weight = weight, .broadcast = c->broadcast, .delta = 0.75});
}

static void regression_losses(void **state)
{
    (void)state;
    for (int k = 0; k < 12; k++) {
        choice c = {.reduction = (tp_reduction)(k % 3), .huber = k / 3 % 2 == 1, .weighted = k >= 6};
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x[3] = {
            tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), prediction_values),
            tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), target_values),
            tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), weight_values),
        };
        check(regression, &c, x, 3);

        const tp_tensor narrow[3] = {
            tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), narrow_prediction),
            tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), narrow_target),
            tp_parameter(tape, TP_F32, TP_SHAPE(3), (float[]){1, 0.5f, 0.25f}), /* stands for both rows */
        };
        check(regression, &c, narrow, 3);

        c.broadcast = true;
        const tp_tensor wide[3] = {
            tp_parameter(tape, TP_F64, TP_SHAPE(2, 1), prediction_values),
            tp_parameter(tape, TP_F64, TP_SHAPE(3), target_values),
            tp_parameter(tape, TP_F64, TP_SHAPE(2, 1), weight_values),
        };
        check(regression, &c, wide, 3);
        const tp_tensor numbers[3] = {
            tp_parameter(tape, TP_F64, TP_SHAPE_0D, prediction_values),
            tp_parameter(tape, TP_F64, TP_SHAPE_0D, target_values),
            tp_parameter(tape, TP_F64, TP_SHAPE_0D, weight_values),
        };
        check(regression, &c, numbers, 3);
        assert_tape_fine(tape);
        tp_tape_destroy(tape);
    }
}

/* ---- Cross-entropy ---------------------------------------------------------------------------------- */

enum { N = 2, C = 3 };

/* x: logits [N,C,2], target, row weights [N,2], class weights [C]. */
static tp_tensor cross_entropy(const tp_tensor *x, void *user)
{
    const choice *c = user;
    return tp_cross_entropy(x[0], x[1],
                            &(tp_cross_entropy_options){
                                .reduction = c->reduction,
                                .weight = c->weighted ? x[2] : (tp_tensor){0},
                                .class_weight = c->class_weighted ? x[3] : (tp_tensor){0},
                                .label_smoothing = c->label_smoothing,
                                .ignore = {c->ignores, -1},
                            });
}

static void cross_entropy_of(tp_dtype dtype, bool indices)
{
    const double logits[N * C * 2] = {0.5, -2, 3, 0.125, 2, -0.25, 0.75, 1, -1, -1, 2, 0.5};
    const double probabilities[N * C * 2] = {0.5, 0.25, 0.25, 0.25, 0.25, 0.5, 1, 0.125, 0, 0.5, 0, 0.375};
    float narrow_logits[N * C * 2], narrow_probabilities[N * C * 2];
    const int32_t labels[N * 2] = {2, 0, -1, 1};
    const void *values = logits, *soft = probabilities;

    for (int i = 0; i < N * C * 2; i++) {
        narrow_logits[i] = (float)logits[i];
        narrow_probabilities[i] = (float)probabilities[i];
    }
    if (dtype == TP_F32) {
        values = narrow_logits;
        soft = narrow_probabilities;
    }
    for (int k = 0; k < 24; k++) {
        choice c = {
            .reduction = (tp_reduction)(k % 3),
            .weighted = k / 3 % 2 == 1,
            .class_weighted = k / 6 % 2 == 1,
            .label_smoothing = k >= 12 ? 0.1 : 0,
            .ignores = indices,
        };
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x[4] = {
            tp_parameter(tape, dtype, TP_SHAPE(N, C, 2), values),
            indices ? tp_constant(tape, TP_I32, TP_SHAPE(N, 2), labels)
                    : tp_parameter(tape, dtype, TP_SHAPE(N, C, 2), soft),
            tp_cast(tp_parameter(tape, TP_F64, TP_SHAPE(N, 2), weight_values), dtype),
            tp_cast(tp_parameter(tape, TP_F64, TP_SHAPE(C), weight_values), dtype),
        };
        tp_program *program = evaluate(x + 2, 2);
        check(cross_entropy, &c, x, 4);
        assert_tape_fine(tape);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

static void cross_entropy_of_indices(void **state)
{
    (void)state;
    cross_entropy_of(TP_F64, true);
    cross_entropy_of(TP_F32, true);
}

static void cross_entropy_of_probabilities(void **state)
{
    (void)state;
    cross_entropy_of(TP_F64, false);
    cross_entropy_of(TP_F32, false);
}

/* ---- Inside a model --------------------------------------------------------------------------------- */

/* x: weights [3,3], inputs [4,3], labels: a batch through a layer, the logits permuted, two losses added. */
static tp_tensor model(const tp_tensor *x, void *user)
{
    (void)user;
    const tp_tensor scores = tp_tanh(tp_matmul(x[1], x[0]));
    const tp_tensor turned = tp_transpose(scores, 0, 1);
    const tp_tensor classes = tp_cross_entropy(turned, x[2], &(tp_cross_entropy_options){.axis = {true, 0}});
    const tp_tensor first = tp_slice(scores, 1, 0, 1, 1);
    return tp_add(classes, tp_huber(first, tp_slice(x[1], 1, 2, 3, 1), &(tp_huber_options){.delta = 0.5}));
}

static void in_a_model(void **state)
{
    const double weights[9] = {0.3, -0.2, 0.8, -0.5, 0.1, 0.4, 0.9, -0.7, 0.25};
    const double inputs[12] = {1, 0.5, -1, 0, 2, 0.25, -0.5, 1, 1.5, 0.75, -2, 0.5};
    const int32_t labels[4] = {0, 2, 1, 1};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[3] = {
        tp_parameter(tape, TP_F64, TP_SHAPE(3, 3), weights),
        tp_parameter(tape, TP_F64, TP_SHAPE(4, 3), inputs),
        tp_constant(tape, TP_I32, TP_SHAPE(4), labels),
    };
    tp_assert_gradient(model, NULL, x, 3, &to_second_order);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regression_losses),
        cmocka_unit_test(cross_entropy_of_indices),
        cmocka_unit_test(cross_entropy_of_probabilities),
        cmocka_unit_test(in_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
