/* test_regression.c -- tp_loss_reduce, tp_mse and tp_huber beyond the golden cases. */
#include "evaluate.h"

#include <stdio.h>

static const double prediction_values[6] = {0.5, -2, 3, 1e-3, 7, -0.25};
static const double target_values[6] = {0, 1, 3, 0.5, -4, -0.75};

typedef tp_tensor loss_function(tp_tensor prediction, tp_tensor target, tp_reduction reduction,
                                tp_tensor weight);

static tp_tensor mse(tp_tensor prediction, tp_tensor target, tp_reduction reduction, tp_tensor weight)
{
    return tp_mse(prediction, target, &(tp_loss_options){.reduction = reduction, .weight = weight});
}

static tp_tensor huber(tp_tensor prediction, tp_tensor target, tp_reduction reduction, tp_tensor weight)
{
    return tp_huber(prediction, target,
                    &(tp_huber_options){.reduction = reduction, .weight = weight, .delta = 0.75});
}

static double mse_of(double d)
{
    return d * d;
}

static double huber_of(double d)
{
    return fabs(d) <= 0.75 ? d * d / 2 : 0.75 * (fabs(d) - 0.375);
}

static double mse_slope(double d)
{
    return 2 * d;
}

static double huber_slope(double d)
{
    return fmax(-0.75, fmin(d, 0.75));
}

static const struct family {
    loss_function *loss;
    double (*value)(double d);
    double (*slope)(double d);
} families[] = {{mse, mse_of, mse_slope}, {huber, huber_of, huber_slope}};

#define FOR_EACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

/* ---- Shapes ---------------------------------------------------------------------------------------- */

/* Value and gradient of the mean over `count` elements against plain C. */
static void check_mean(const struct family *f, tp_tensor prediction, tp_tensor target, const double *p,
                       const double *t, int64_t count)
{
    double gradient[6], expected = 0;
    const double value =
        gradient_of(f->loss(prediction, target, TP_MEAN, (tp_tensor){0}), prediction, gradient, count);

    for (int64_t i = 0; i < count; i++)
        expected += f->value(p[i] - t[i]) / (double)count;
    assert_close(value, expected, 1e-14);
    for (int64_t i = 0; i < count; i++)
        assert_close(gradient[i], f->slope(p[i] - t[i]) / (double)count, 1e-14);
}

static void shapes(void **state)
{
    static const tp_shape shape[] = {{0, {0}},    {1, {1}},       {1, {6}},
                                     {2, {2, 3}}, {3, {1, 6, 1}}, {4, {1, 1, 1, 1}}};
    (void)state;
    FOR_EACH_FAMILY(f)
        for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
            tp_tape *tape = tp_tape_create(NULL);
            const tp_tensor p = tp_parameter(tape, TP_F64, shape[s], prediction_values);
            const tp_tensor t = tp_constant(tape, TP_F64, shape[s], target_values);
            check_mean(f, p, t, prediction_values, target_values, tp_shape_count(shape[s]));
            tp_tape_destroy(tape);
        }
}

static void no_elements(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(3, 1), prediction_values);
        const tp_tensor x = tp_constant(tape, TP_F64, TP_SHAPE(0, 3), NULL);
        const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(0, 1), NULL);
        const tp_tensor weight = tp_constant(tape, TP_F64, TP_SHAPE(1), prediction_values);
        double gradient[3];
        for (int weighted = 0; weighted < 2; weighted++)
            for (int reduction = TP_MEAN; reduction <= TP_SUM; reduction++) {
                const tp_tensor loss =
                    f->loss(tp_matmul(x, w), t, (tp_reduction)reduction, weighted ? weight : (tp_tensor){0});
                const double value = gradient_of(loss, w, gradient, 3);
                assert_true(value == 0 && !signbit(value));
                for (int i = 0; i < 3; i++)
                    assert_true(gradient[i] == 0);
            }
        const tp_tensor none = f->loss(tp_matmul(x, w), t, TP_NONE, weight);
        assert_true(tp_shape_equal(tp_shape_of(none), TP_SHAPE(0, 1)));
        assert_tape_fine(tape);
        tp_tape_destroy(tape);
    }
}

/* Targets that are one number, weak or not, need no opt-in. */
static void single_number_targets(void **state)
{
    const double same[6] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), prediction_values);
        check_mean(f, p, tp_scalar(tape, 0.5), prediction_values, same, 6);
        check_mean(f, p, tp_scalar_of(tape, TP_F64, 0.5), prediction_values, same, 6);
        check_mean(f, p, tp_constant(tape, TP_F64, TP_SHAPE_0D, same), prediction_values, same, 6);
        tp_tape_destroy(tape);
    }
}

/* Views with scattered elements give what the same numbers give in row-major order, to the bit. */
static void scattered_operands(void **state)
{
    const double twelve[12] = {0.5, 9, -2, 9, 3, 9, 1e-3, 9, 7, 9, -0.25, 9};
    const double turned[6] = {0, 0.5, 1, -4, 3, -0.75};
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_slice(tp_parameter(tape, TP_F64, TP_SHAPE(2, 6), twelve), 1, 0, TP_END, 2);
        const tp_tensor t = tp_transpose(tp_constant(tape, TP_F64, TP_SHAPE(3, 2), turned), 0, 1);
        const tp_tensor q = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), prediction_values);
        const tp_tensor u = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), target_values);
        double a[6], b[6];
        const double x = gradient_of(f->loss(p, t, TP_MEAN, (tp_tensor){0}), p, a, 6);
        const double y = gradient_of(f->loss(q, u, TP_MEAN, (tp_tensor){0}), q, b, 6);
        assert_true(x == y);
        assert_memory_equal(a, b, sizeof a);
        check_mean(f, p, t, prediction_values, target_values, 6);
        tp_tape_destroy(tape);
    }
}

static void broadcast_when_asked(void **state)
{
    const double column[2] = {1, 2}, row[3] = {0, 1, 5};
    double gradient[2];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(2, 1), column);
    const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(3), row);
    const tp_tensor loss = tp_mse(p, t, &(tp_loss_options){.broadcast = true});
    /* (1 0 16 + 4 1 9) / 6 */
    assert_close(gradient_of(loss, p, gradient, 2), 31.0 / 6, 1e-15);
    assert_close(gradient[0], 2 * (1 + 0 - 4) / 6.0, 1e-15);
    assert_close(gradient[1], 2 * (2 + 1 - 3) / 6.0, 1e-15);
    tp_tape_destroy(tape);
}

/* ---- Weights --------------------------------------------------------------------------------------- */

static void weighted_mean(void **state)
{
    const double w[6] = {1, 0, 2, 0.5, 3, 0};
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(6), prediction_values);
        const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(6), target_values);
        const tp_tensor weight = tp_parameter(tape, TP_F64, TP_SHAPE(6), w);
        double gradient[6], by_weight[6], each[6], sum = 0, total = 0;

        for (int i = 0; i < 6; i++) {
            sum += w[i] * f->value(prediction_values[i] - target_values[i]);
            total += w[i];
        }
        const tp_tensor loss = f->loss(p, t, TP_MEAN, weight);
        assert_close(gradient_of(loss, p, gradient, 6), sum / total, 1e-14);
        gradient_of(loss, weight, by_weight, 6);
        for (int i = 0; i < 6; i++) {
            const double d = prediction_values[i] - target_values[i];
            assert_close(gradient[i], w[i] * f->slope(d) / total, 1e-14);
            assert_close(by_weight[i], (f->value(d) - sum / total) / total, 1e-14);
        }
        assert_close(value_of(f->loss(p, t, TP_SUM, weight)), sum, 1e-14);
        const tp_tensor none = f->loss(p, t, TP_NONE, weight);
        tp_program *program = evaluate(&none, 1);
        read_doubles(none, each, 6);
        for (int i = 0; i < 6; i++)
            assert_close(each[i], w[i] * f->value(prediction_values[i] - target_values[i]), 1e-14);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* The mean divides by the weights of all elements also where a weight stands for several. */
static void broadcast_weights(void **state)
{
    const double per_row[2] = {3, 1}, per_column[3] = {1, 0, 2};
    double gradient[6];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), prediction_values);
    const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), target_values);
    double d2[6];
    for (int i = 0; i < 6; i++)
        d2[i] = mse_of(prediction_values[i] - target_values[i]);

    const tp_tensor rows = tp_constant(tape, TP_F64, TP_SHAPE(2, 1), per_row);
    assert_close(gradient_of(mse(p, t, TP_MEAN, rows), p, gradient, 6),
                 (3 * (d2[0] + d2[1] + d2[2]) + d2[3] + d2[4] + d2[5]) / 12, 1e-14);
    const tp_tensor columns = tp_constant(tape, TP_F64, TP_SHAPE(3), per_column);
    assert_close(gradient_of(mse(p, t, TP_MEAN, columns), p, gradient, 6),
                 (d2[0] + 2 * d2[2] + d2[3] + 2 * d2[5]) / 6, 1e-14);
    assert_true(gradient[1] == 0 && gradient[4] == 0);
    /* A common factor changes nothing. */
    assert_close(value_of(mse(p, t, TP_MEAN, tp_scalar(tape, 5))),
                 value_of(mse(p, t, TP_MEAN, (tp_tensor){0})), 1e-14);
    assert_close(value_of(mse(p, t, TP_SUM, tp_scalar(tape, 5))),
                 5 * (d2[0] + d2[1] + d2[2] + d2[3] + d2[4] + d2[5]), 1e-14);
    tp_tape_destroy(tape);
}

/* Weight 0 leaves an element out, whatever it holds, at first and second order. */
static void missing_targets(void **state)
{
    const double p_values[5] = {1, 2, HUGE_VAL, 4, 5}, t_values[5] = {0, NAN, 1, HUGE_VAL, 5.5},
                 w_values[5] = {1, 0, 0, 0, 3};
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(5), p_values);
        const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(5), t_values);
        const tp_tensor w = tp_constant(tape, TP_F64, TP_SHAPE(5), w_values);
        double g[5], h[5];
        tp_tensor first;

        const tp_tensor loss = f->loss(p, t, TP_MEAN, w);
        assert_close(gradient_of(loss, p, g, 5), (f->value(1) + 3 * f->value(-0.5)) / 4, 1e-15);
        tp_gradient(loss, &p, 1, &first);
        gradient_of(tp_sum(first), p, h, 5);
        for (int i = 1; i < 4; i++)
            assert_true(g[i] == 0 && h[i] == 0);
        assert_close(g[0], f->slope(1) / 4, 1e-15);
        assert_close(g[4], 3 * f->slope(-0.5) / 4, 1e-15);
        assert_close(h[4], 3 * f->slope(1e-3) / 1e-3 / 4, 1e-12); /* both are on the square there */
        tp_tape_destroy(tape);
    }
}

static void all_weights_zero(void **state)
{
    const double zeros[6] = {0};
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(6), prediction_values);
        const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(6), target_values);
        const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(6), zeros);
        double g[6], by_weight[6], h[6];
        tp_tensor first[2];

        const tp_tensor loss = f->loss(p, t, TP_MEAN, w);
        assert_true(gradient_of(loss, p, g, 6) == 0);
        gradient_of(loss, w, by_weight, 6);
        tp_gradient(loss, (tp_tensor[]){p, w}, 2, first);
        for (int k = 0; k < 2; k++) {
            gradient_of(tp_sum(tp_mul(first[k], p)), k == 0 ? p : w, h, 6);
            for (int i = 0; i < 6; i++)
                assert_true(h[i] == 0);
        }
        for (int i = 0; i < 6; i++)
            assert_true(g[i] == 0 && by_weight[i] == 0);

        /* That is no work of the strong zero: nothing divides by 0. */
        tp_vector_jacobian(loss, tp_scalar(tape, 1), (tp_tensor[]){p, w}, 2, first,
                           &(tp_gradient_options){.no_strong_zero = true});
        tp_program *program = evaluate(first, 2);
        for (int k = 0; k < 2; k++) {
            read_doubles(first[k], g, 6);
            for (int i = 0; i < 6; i++)
                assert_true(g[i] == 0);
        }
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* A loss of the user's own gets the same rules. */
static void reduce_own_loss(void **state)
{
    const double w[3] = {2, 0, 1};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor r = tp_abs(tp_constant(tape, TP_F64, TP_SHAPE(3), prediction_values));
    const tp_tensor weight = tp_constant(tape, TP_F64, TP_SHAPE(3), w);
    assert_close(value_of(tp_loss_reduce(r, (tp_tensor){0}, TP_MEAN)), 5.5 / 3, 1e-15);
    assert_close(value_of(tp_loss_reduce(r, weight, TP_MEAN)), 4.0 / 3, 1e-15);
    assert_close(value_of(tp_loss_reduce(r, weight, TP_SUM)), 4, 1e-15);
    tp_tape_destroy(tape);
}

/* What a loss records stands at the line of the loss, not where its operands were made. */
static void places(void **state)
{
    char text[256], made[64], used[64];
    int at_made = 0, at_used = 0;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_input(tape, TP_F64, TP_SHAPE(3)), weight = tp_input(tape, TP_F64, TP_SHAPE(3));
    snprintf(made, sizeof made, "test_regression.c:%d\n", __LINE__ - 1);
    tp_mse(p, tp_scalar(tape, 1), &(tp_loss_options){.weight = weight});
    snprintf(used, sizeof used, "mse: %s:%d\n", __FILE__, __LINE__ - 1);

    FILE *stream = tmpfile();
    tp_tape_print(tape, stream);
    rewind(stream);
    while (fgets(text, sizeof text, stream) != NULL) {
        at_made += strstr(text, made) != NULL;
        at_used += strstr(text, used) != NULL;
    }
    fclose(stream);
    assert_int_equal(at_made, 2); /* the two inputs */
    assert_in_range(at_used, 8, 20);
    tp_tape_destroy(tape);
}

/* ---- Huber's two branches --------------------------------------------------------------------------- */

static void huber_far_and_near(void **state)
{
    /* At the corner, far beyond where d^2 overflows, and with an infinite delta. */
    const double d[6] = {2, -2, 1e200, -1e200, 0, 1.5};
    double g[6], h[6], each[6];
    tp_tensor first;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(6), d);
    const tp_tensor none =
        tp_huber(p, tp_scalar(tape, 0), &(tp_huber_options){.reduction = TP_NONE, .delta = 2});
    const tp_tensor loss = tp_sum(none);
    gradient_of(loss, p, g, 6);
    tp_gradient(loss, &p, 1, &first);
    gradient_of(tp_sum(first), p, h, 6);
    tp_program *program = evaluate(&none, 1);
    read_doubles(none, each, 6);
    tp_program_destroy(program);
    for (int i = 0; i < 6; i++) {
        assert_close(each[i], fabs(d[i]) <= 2 ? d[i] * d[i] / 2 : 2 * (fabs(d[i]) - 1), 1e-15);
        assert_true(g[i] == fmax(-2, fmin(d[i], 2)));
        assert_true(h[i] == (fabs(d[i]) <= 2));
    }
    const tp_tensor few = tp_slice(p, 0, 4, TP_END, 1);
    const tp_tensor square = tp_huber(few, tp_scalar(tape, 0), &(tp_huber_options){.delta = HUGE_VAL});
    assert_close(gradient_of(square, few, g, 2), 1.5 * 1.5 / 4, 1e-15);
    assert_true(g[0] == 0 && g[1] == 0.75);
    tp_tape_destroy(tape);
}

static void f32_results(void **state)
{
    const float p_values[4] = {0.5f, -2, 3, 1e-3f}, t_values[4] = {0, 1, 3, 0.5f};
    double g[4];
    (void)state;
    FOR_EACH_FAMILY(f) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor p = tp_parameter(tape, TP_F32, TP_SHAPE(4), p_values);
        const tp_tensor t = tp_constant(tape, TP_F32, TP_SHAPE(4), t_values);
        const tp_tensor loss = f->loss(p, t, TP_MEAN, (tp_tensor){0});
        double expected = 0;
        assert_int_equal(tp_dtype_of(loss), TP_F32);
        for (int i = 0; i < 4; i++)
            expected += f->value((double)p_values[i] - (double)t_values[i]) / 4;
        assert_close(gradient_of(loss, p, g, 4), expected, 1e-6);
        for (int i = 0; i < 4; i++)
            assert_close(g[i], f->slope((double)p_values[i] - (double)t_values[i]) / 4, 1e-6);
        tp_tape_destroy(tape);
    }
}

/* ---- Errors ---------------------------------------------------------------------------------------- */

#define ASSERT_ERROR(CALL, STATUS, TEXT)                                                                     \
    do {                                                                                                     \
        assert_false(tp_is_valid(CALL));                                                                     \
        assert_error(tape, STATUS, TEXT, "test_regression.c");                                               \
    } while (0)

static void errors(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    const tp_tensor column = tp_input(tape, TP_F64, TP_SHAPE(4, 1)),
                    row = tp_input(tape, TP_F64, TP_SHAPE(4));
    const tp_tensor five = tp_input(tape, TP_F64, TP_SHAPE(5)), narrow = tp_input(tape, TP_F32, TP_SHAPE(4));
    const tp_tensor whole = tp_input(tape, TP_I32, TP_SHAPE(4)),
                    foreign = tp_input(other, TP_F64, TP_SHAPE(4));
    const tp_tensor absent = {0};
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor stale = tp_input(tape, TP_F64, TP_SHAPE(4));
    tp_tape_rewind(mark);

    ASSERT_ERROR(tp_mse(column, row, NULL), TP_BAD_SHAPE,
                 "mse: the target is f64[4] and the prediction f64[4,1]: the loss would be f64[4,4]; reshape "
                 "one of them, or set .broadcast if that is meant");
    ASSERT_ERROR(tp_huber(row, column, NULL), TP_BAD_SHAPE,
                 "huber: the target is f64[4,1] and the prediction f64[4]:");
    ASSERT_ERROR(tp_mse(tp_sum(row), row, NULL), TP_BAD_SHAPE,
                 "the target is f64[4] and the prediction f64[]");
    ASSERT_ERROR(tp_mse(row, five, NULL), TP_BAD_SHAPE,
                 "mse: the target is f64[5], but the prediction is f64[4]: the shapes must be equal");
    ASSERT_ERROR(tp_mse(row, five, &(tp_loss_options){.broadcast = true}), TP_BAD_SHAPE,
                 "the shapes must be equal");
    ASSERT_ERROR(tp_mse(row, narrow, NULL), TP_BAD_DTYPE,
                 "mse: the target is f32, but the loss is f64 (convert it with tp_cast)");
    ASSERT_ERROR(tp_mse(whole, whole, NULL), TP_BAD_DTYPE,
                 "mse: the prediction is i32, but must be f32 or f64");
    ASSERT_ERROR(tp_mse(tp_scalar(tape, 1), row, NULL), TP_BAD_DTYPE,
                 "the prediction is weak, but must be f32 or f64");
    ASSERT_ERROR(tp_mse(row, absent, NULL), TP_BAD_HANDLE, "mse: the target is absent");
    ASSERT_ERROR(tp_mse(row, foreign, NULL), TP_BAD_HANDLE, "mse: the target belongs to another tape");
    ASSERT_ERROR(tp_mse(row, stale, NULL), TP_BAD_HANDLE,
                 "mse: the target is stale: the tape was rewound past it");
    ASSERT_ERROR(tp_mse(stale, row, NULL), TP_BAD_HANDLE, "mse: the prediction is stale");
    ASSERT_ERROR(tp_mse(row, row, &(tp_loss_options){.weight = narrow}), TP_BAD_DTYPE,
                 "mse: the weight is f32, but the loss is f64 (convert it with tp_cast)");
    ASSERT_ERROR(tp_mse(row, row, &(tp_loss_options){.weight = column}), TP_BAD_SHAPE,
                 "mse: the weight is f64[4,1], which does not broadcast to the loss's shape f64[4]");
    ASSERT_ERROR(tp_mse(row, row, &(tp_loss_options){.weight = foreign}), TP_BAD_HANDLE,
                 "mse: the weight belongs to another tape");
    ASSERT_ERROR(tp_mse(row, row, &(tp_loss_options){.reduction = (tp_reduction)7}), TP_BAD_ARGUMENT,
                 "mse: the reduction must be one of tp_reduction's, not 7");
    ASSERT_ERROR(tp_huber(row, row, &(tp_huber_options){.delta = -1}), TP_BAD_ARGUMENT,
                 "huber: delta must be positive, not -1");
    ASSERT_ERROR(tp_huber(row, row, &(tp_huber_options){.delta = NAN}), TP_BAD_ARGUMENT,
                 "delta must be positive, not");
    ASSERT_ERROR(tp_loss_reduce(whole, absent, TP_MEAN), TP_BAD_DTYPE,
                 "loss_reduce: the loss is i32, but must be f32 or f64");
    ASSERT_ERROR(tp_loss_reduce(stale, absent, TP_MEAN), TP_BAD_HANDLE, "loss_reduce: the loss is stale");

    /* The scopes say where the loss was used. */
    tp_scope_begin(tape, "bounded_mse");
    ASSERT_ERROR(tp_mse(row, five, NULL), TP_BAD_SHAPE, "bounded_mse/mse: the target is");
    tp_scope_end(tape);
    tp_tape_destroy(other);
    tp_tape_destroy(tape);
}

/* Absent and invalid operands: no crash, and a consequence of an error is not another one. */
static void bad_handles(void **state)
{
    const tp_tensor absent = {0};
    (void)state;
    assert_null(tp_mse(absent, absent, NULL).tape);
    assert_null(tp_huber(absent, absent, NULL).tape);
    assert_null(tp_loss_reduce(absent, absent, TP_MEAN).tape);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F64, TP_SHAPE(4));
    assert_false(tp_is_valid(tp_mse(absent, x, NULL)));
    assert_error(tape, TP_BAD_HANDLE, "mse: the prediction is absent", "test_regression.c");
    const tp_tensor bad = tp_add(x, tp_input(tape, TP_F64, TP_SHAPE(3)));
    tp_tape_clear_error(tape);
    assert_false(tp_is_valid(tp_mse(bad, x, NULL)));
    assert_false(tp_is_valid(tp_huber(x, bad, NULL)));
    assert_false(tp_is_valid(tp_mse(x, x, &(tp_loss_options){.weight = bad})));
    assert_false(tp_is_valid(tp_loss_reduce(bad, absent, TP_SUM)));
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(no_elements),
        cmocka_unit_test(single_number_targets),
        cmocka_unit_test(scattered_operands),
        cmocka_unit_test(broadcast_when_asked),
        cmocka_unit_test(weighted_mean),
        cmocka_unit_test(broadcast_weights),
        cmocka_unit_test(missing_targets),
        cmocka_unit_test(all_weights_zero),
        cmocka_unit_test(reduce_own_loss),
        cmocka_unit_test(places),
        cmocka_unit_test(huber_far_and_near),
        cmocka_unit_test(f32_results),
        cmocka_unit_test(errors),
        cmocka_unit_test(bad_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
