/* test_classification.c -- tp_cross_entropy beyond the golden cases. */
#include "evaluate.h"

#include <stdio.h>

enum { N = 3, C = 4 };

static const double logit_values[N * C] = {0.5, -2, 3, 1e-3, 7, -0.25, 0.75, 1, -1, -1, 2, 0.125};
static const int32_t labels[N] = {2, 0, 3};
static const double class_weights[C] = {1, 0.5, 2, 3};

static double log_softmax(const double *row, int c)
{
    double largest = row[0], sum = 0;
    for (int k = 1; k < C; k++)
        largest = fmax(largest, row[k]);
    for (int k = 0; k < C; k++)
        sum += exp(row[k] - largest);
    return row[c] - largest - log(sum);
}

/* ---- Reductions and weights ------------------------------------------------------------------------- */

static void weights_of_rows_and_classes(void **state)
{
    const double row_weights[N] = {2, 0, 1};
    double sum = 0, total = 0, gradient[N * C];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), labels);
    tp_cross_entropy_options o = {
        .weight = tp_constant(tape, TP_F64, TP_SHAPE(N), row_weights),
        .class_weight = tp_constant(tape, TP_F64, TP_SHAPE(C), class_weights),
    };
    for (int i = 0; i < N; i++) {
        const double w = row_weights[i] * class_weights[labels[i]];
        sum -= w * log_softmax(logit_values + i * C, labels[i]);
        total += w;
    }
    assert_close(gradient_of(tp_cross_entropy(x, y, &o), x, gradient, N * C), sum / total, 1e-14);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < C; c++) {
            const double w = row_weights[i] * class_weights[labels[i]] / total;
            const double slope = exp(log_softmax(logit_values + i * C, c)) - (c == labels[i]);
            assert_close(gradient[i * C + c], w * slope, 1e-14);
        }
    o.reduction = TP_SUM;
    assert_close(value_of(tp_cross_entropy(x, y, &o)), sum, 1e-14);

    /* Row weights count in the mean of ignored rows' company too. */
    o = (tp_cross_entropy_options){.weight = o.weight, .ignore = {true, labels[0]}};
    assert_close(value_of(tp_cross_entropy(x, y, &o)), -log_softmax(logit_values + 2 * C, labels[2]), 1e-14);
    tp_tape_destroy(tape);
}

/* With probabilities a mean divides by the rows, whatever the class weights, or by the rows' weights. */
static void mean_with_probabilities(void **state)
{
    const double p[N * C] = {0.25, 0.25, 0.5, 0, 1, 0, 0, 0, 0.1, 0.2, 0.3, 0.4}, row_weights[N] = {2, 0, 1};
    double r[N] = {0};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor t = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), p);
    tp_cross_entropy_options o = {.class_weight = tp_constant(tape, TP_F64, TP_SHAPE(C), class_weights)};
    for (int i = 0; i < N * C; i++)
        r[i / C] -= class_weights[i % C] * p[i] * log_softmax(logit_values + i / C * C, i % C);
    assert_close(value_of(tp_cross_entropy(x, t, &o)), (r[0] + r[1] + r[2]) / N, 1e-14);
    o.weight = tp_constant(tape, TP_F64, TP_SHAPE(N), row_weights);
    assert_close(value_of(tp_cross_entropy(x, t, &o)), (2 * r[0] + r[2]) / 3, 1e-14);
    tp_tape_destroy(tape);
}

/* One-hot probabilities and indices are the same loss, smoothed or not. */
static void indices_are_one_hot(void **state)
{
    double one_hot[N * C] = {0}, g[N * C], h[N * C];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), labels);
    for (int i = 0; i < N; i++)
        one_hot[i * C + labels[i]] = 1;
    const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(N, C), one_hot);
    for (int k = 0; k <= 4; k++) {
        const tp_cross_entropy_options o = {.label_smoothing = 0.25 * k};
        const double a = gradient_of(tp_cross_entropy(x, y, &o), x, g, N * C);
        const double b = gradient_of(tp_cross_entropy(x, t, &o), x, h, N * C);
        double expected = 0;
        for (int i = 0; i < N * C; i++) {
            const double q = (1 - 0.25 * k) * one_hot[i] + 0.25 * k / C;
            expected -= q * log_softmax(logit_values + i / C * C, i % C) / N;
            assert_close(g[i], h[i], 1e-14);
        }
        assert_close(a, expected, 1e-14);
        assert_close(b, expected, 1e-14);
    }
    tp_tape_destroy(tape);
}

/* ---- Nothing to average ----------------------------------------------------------------------------- */

static void assert_zero_to_second_order(tp_tensor loss, tp_tensor x, int64_t count)
{
    double g[N * C], h[N * C];
    tp_tensor first;
    const double value = gradient_of(loss, x, g, count);
    assert_true(value == 0);
    tp_gradient(loss, &x, 1, &first);
    gradient_of(tp_sum(tp_mul(first, x)), x, h, count);
    for (int64_t i = 0; i < count; i++)
        assert_true(g[i] == 0 && h[i] == 0);
}

static void all_ignored(void **state)
{
    const int32_t none[N] = {-100, -100, -100};
    double with_nan[N * C];
    (void)state;
    memcpy(with_nan, logit_values, sizeof with_nan);
    with_nan[1] = NAN;
    with_nan[5] = HUGE_VAL;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), with_nan);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), none);
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(C), class_weights);
    for (int k = 0; k < 4; k++) {
        const tp_cross_entropy_options o = {
            .ignore = {true, -100},
            .class_weight = k & 1 ? w : (tp_tensor){0},
            .label_smoothing = k & 2 ? 0.1 : 0,
        };
        double g[N * C];
        assert_true(gradient_of(tp_cross_entropy(x, y, &o), x, g, N * C) == 0);
        for (int i = 0; i < N * C; i++)
            assert_true(g[i] == 0);
        if (k & 1)
            assert_zero_to_second_order(tp_cross_entropy(x, y, &o), w, C);
    }
    const tp_tensor finite = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    assert_zero_to_second_order(
        tp_cross_entropy(finite, y, &(tp_cross_entropy_options){.ignore = {true, -100}}), finite, N * C);
    tp_tape_destroy(tape);
}

static void class_weights_zero(void **state)
{
    const double zeros[C] = {0}, only_others[C] = {0, 1, 0, 0};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), labels);
    tp_cross_entropy_options o = {.class_weight = tp_parameter(tape, TP_F64, TP_SHAPE(C), zeros)};
    assert_zero_to_second_order(tp_cross_entropy(x, y, &o), x, N * C);
    o.class_weight = tp_constant(tape, TP_F64, TP_SHAPE(C), only_others); /* of a class that no row has */
    assert_zero_to_second_order(tp_cross_entropy(x, y, &o), x, N * C);
    o = (tp_cross_entropy_options){.weight = tp_scalar(tape, 0)};
    assert_zero_to_second_order(tp_cross_entropy(x, y, &o), x, N * C);
    tp_tape_destroy(tape);
}

static void no_rows(void **state)
{
    double g[C];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor bias = tp_parameter(tape, TP_F64, TP_SHAPE(C), logit_values);
    const tp_tensor x = tp_expand(bias, TP_SHAPE(0, C));
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(0), NULL);
    const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(0, C), NULL);
    for (int k = 0; k < 4; k++) {
        const tp_cross_entropy_options o = {.ignore = {k == 1, 0},
                                            .class_weight = k == 2 ? bias : (tp_tensor){0}};
        assert_true(gradient_of(tp_cross_entropy(x, k == 3 ? t : y, &o), bias, g, C) == 0);
        for (int i = 0; i < C; i++)
            assert_true(g[i] == 0);
    }
    tp_tape_destroy(tape);
}

/* An ignored row may hold anything and changes nothing, whether its label is a class or not. */
static void ignored_rows(void **state)
{
    double with_nan[N * C], g[N * C];
    (void)state;
    memcpy(with_nan, logit_values, sizeof with_nan);
    with_nan[C] = NAN;
    with_nan[C + 1] = -HUGE_VAL;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), with_nan);
    for (int k = 0; k < 4; k++) {
        const int32_t ignored = k & 1 ? 0 : -1, some[N] = {2, ignored, 3};
        const double e = k & 2 ? 0.25 : 0;
        const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), some);
        const tp_cross_entropy_options o = {.ignore = {true, ignored}, .label_smoothing = e};
        double expected = 0;
        for (int i = 0; i < N * C; i++)
            if (i / C != 1)
                expected -=
                    ((1 - e) * (i % C == some[i / C]) + e / C) * log_softmax(with_nan + i / C * C, i % C) / 2;
        assert_close(gradient_of(tp_cross_entropy(x, y, &o), x, g, N * C), expected, 1e-14);
        for (int c = 0; c < C; c++) {
            assert_true(g[C + c] == 0);
            assert_close(g[c], (exp(log_softmax(with_nan, c)) - (1 - e) * (c == 2) - e / C) / 2, 1e-14);
        }
    }
    tp_tape_destroy(tape);
}

/* ---- Extreme logits --------------------------------------------------------------------------------- */

static void huge_and_infinite_logits(void **state)
{
    /* A class that is ruled out; logits whose exponentials overflow; differences that underflow. */
    const double rows[N * C] = {1, -HUGE_VAL, 2, 0, 1e300, -1e300, 0, 1e300, -800, 800, 0, 1};
    const int32_t y_values[N] = {2, 0, 1};
    const double p[N * C] = {0.5, 0, 0.5, 0, 0.5, 0, 0, 0.5, 0, 1, 0, 0};
    const double z = 1 + exp(-1) + exp(-2), expected[N] = {log(z), log(2), 0};
    double each[N], g[N * C], by_class[C], by_target[N * C], h[N * C];
    tp_tensor first;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), rows);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), y_values);
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(C), class_weights);
    const tp_tensor r = tp_cross_entropy(x, y, &(tp_cross_entropy_options){.reduction = TP_NONE});
    const tp_tensor loss = tp_sum(r);
    gradient_of(loss, x, g, N * C);
    tp_gradient(loss, &x, 1, &first);
    gradient_of(tp_sum(first), x, h, N * C);
    tp_program *program = evaluate(&r, 1);
    read_doubles(r, each, N);
    tp_program_destroy(program);
    for (int i = 0; i < N; i++)
        assert_close(each[i], expected[i], 1e-15);
    const double slope[N * C] = {exp(-1) / z, 0, 1 / z - 1, exp(-2) / z, -0.5, 0, 0, 0.5, 0, 0, 0, 0};
    for (int i = 0; i < N * C; i++) {
        assert_close(g[i], slope[i], 1e-15);
        assert_close(h[i], 0, 1e-15); /* a row's gradient sums to 0, always */
    }
    /* The class that is ruled out has no part in the class weights' gradient either. */
    gradient_of(tp_cross_entropy(x, y, &(tp_cross_entropy_options){.reduction = TP_SUM, .class_weight = w}),
                w, by_class, C);
    assert_close(by_class[0], log(2), 1e-15);
    assert_true(by_class[1] == 0 && by_class[3] == 0);
    assert_close(by_class[2], log(z), 1e-15);

    const tp_tensor t = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), p);
    const tp_tensor soft = tp_cross_entropy(x, t, &(tp_cross_entropy_options){.reduction = TP_SUM});
    assert_close(gradient_of(soft, x, g, N * C), log(z) + 0.5 + log(2), 1e-15);
    for (int i = 0; i < N * C; i++)
        assert_true(isfinite(g[i]));
    gradient_of(soft, t, by_target, N * C);
    assert_true(by_target[1] == 0);
    assert_close(by_target[3], log(z) + 2, 1e-15);

    /* A target on it, or smoothing over it, is an infinite loss. */
    const int32_t on_it[N] = {1, 0, 1};
    const tp_tensor bad = tp_constant(tape, TP_I32, TP_SHAPE(N), on_it);
    assert_true(value_of(tp_cross_entropy(x, bad, NULL)) == HUGE_VAL);
    assert_true(value_of(tp_cross_entropy(x, y, &(tp_cross_entropy_options){.label_smoothing = 0.1})) ==
                HUGE_VAL);
    tp_tape_destroy(tape);
}

/* ---- Shapes ---------------------------------------------------------------------------------------- */

/* The class axis anywhere, and logits that are a permuted and a sliced view. */
static void class_axis(void **state)
{
    double shuffled[2 * N * C];
    (void)state;
    for (int i = 0; i < N; i++)
        for (int c = 0; c < C; c++) {
            shuffled[(c * N + i) * 2] = logit_values[i * C + c];
            shuffled[(c * N + i) * 2 + 1] = 99;
        }
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor all = tp_parameter(tape, TP_F64, TP_SHAPE(C, N, 2), shuffled);
    const tp_tensor columns = tp_reshape(tp_slice(all, 2, 0, 1, 1), TP_SHAPE(C, N));
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), labels);
    double g[N * C], h[N * C], k[N * C];
    const double plain = gradient_of(tp_cross_entropy(x, y, NULL), x, g, N * C);
    const tp_tensor turned = tp_transpose(columns, 0, 1);
    assert_true(gradient_of(tp_cross_entropy(turned, y, NULL), turned, h, N * C) == plain);
    for (int axis = -2; axis <= 0; axis += 2) {
        const tp_cross_entropy_options o = {.axis = {true, axis}};
        assert_close(gradient_of(tp_cross_entropy(columns, y, &o), columns, k, N * C), plain, 1e-15);
        for (int i = 0; i < N * C; i++) {
            assert_true(g[i] == h[i]);
            assert_close(k[i % C * N + i / C], g[i], 1e-15);
        }
    }
    tp_tape_destroy(tape);
}

static void single_row_and_class(void **state)
{
    double g[C];
    const int32_t label = 1;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor row = tp_parameter(tape, TP_F64, TP_SHAPE(C), logit_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE_0D, &label);
    assert_close(gradient_of(tp_cross_entropy(row, y, NULL), row, g, C), -log_softmax(logit_values, 1),
                 1e-14);
    const tp_tensor none = tp_cross_entropy(row, y, &(tp_cross_entropy_options){.reduction = TP_NONE});
    assert_int_equal(tp_shape_of(none).rank, 0);

    const tp_tensor one = tp_parameter(tape, TP_F64, TP_SHAPE(3, 1), logit_values);
    const tp_tensor first = tp_full(tape, TP_I32, TP_SHAPE(3), 0);
    assert_true(gradient_of(tp_cross_entropy(one, first, NULL), one, g, 3) == 0);
    assert_true(g[0] == 0 && g[1] == 0 && g[2] == 0);
    tp_tape_destroy(tape);
}

/* ---- Bad labels at run time ------------------------------------------------------------------------- */

static void label_out_of_range(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(N, C), logit_values);
    const tp_tensor y = tp_input(tape, TP_I32, TP_SHAPE(N));
    const tp_tensor kept = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){42});
    const tp_tensor loss = tp_cross_entropy(x, y, &(tp_cross_entropy_options){.ignore = {true, -1}});
    const int line = __LINE__ - 1;
    char place[64];
    snprintf(place, sizeof place, "test_classification.c:%d", line);
    tp_program *program = tp_compile((tp_tensor[]){loss, tp_assign(kept, loss)}, 2, NULL);
    assert_non_null(program);

    static const int32_t bad[][N] = {{0, 4, 1}, {0, 1, -2}, {INT32_MAX, 0, 0}, {INT32_MIN, 0, 0}};
    static const char *const named[] = {"4 (element 1)", "-2 (element 2)", "2147483647 (element 0)",
                                        "-2147483648 (element 0)"};
    for (int k = 0; k < 4; k++) {
        assert_int_equal(tp_write(y, bad[k], N), TP_OK);
        assert_int_equal(tp_run(program), TP_BAD_VALUE);
        assert_non_null(strstr(tp_program_message(program), named[k]));
        assert_non_null(strstr(tp_program_message(program), "outside [0, 4)"));
        assert_error(tape, TP_BAD_VALUE, "cross_entropy: ", place);
        assert_true(tp_item(kept) == 42);
    }
    assert_int_equal(tp_write(y, ((int32_t[]){0, -1, 3}), N), TP_OK); /* the tape stays usable */
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(tp_item(kept) == tp_item(loss));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Errors ---------------------------------------------------------------------------------------- */

#define ASSERT_ERROR(TARGET, STATUS, TEXT, ...)                                                              \
    do {                                                                                                     \
        assert_false(tp_is_valid(tp_cross_entropy(x, TARGET, &(tp_cross_entropy_options){__VA_ARGS__})));    \
        assert_error(tape, STATUS, "cross_entropy: " TEXT, "test_classification.c");                         \
    } while (0)

static void errors(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    tp_tensor x = tp_input(tape, TP_F64, TP_SHAPE(N, C));
    const tp_tensor logits = x, y = tp_input(tape, TP_I32, TP_SHAPE(N)),
                    t = tp_input(tape, TP_F64, TP_SHAPE(N, C));
    const tp_tensor narrow = tp_input(tape, TP_F32, TP_SHAPE(C));
    const tp_tensor foreign = tp_input(other, TP_I32, TP_SHAPE(N)), absent = {0};

    ASSERT_ERROR(
        tp_input(tape, TP_I32, TP_SHAPE(N, 1)), TP_BAD_SHAPE,
        "the target is i32[3,1], but class indices must be i32[3]: the logits' shape without the class axis",
        0);
    ASSERT_ERROR(tp_input(tape, TP_I32, TP_SHAPE(N, C)), TP_BAD_SHAPE,
                 "the target is i32[3,4], but class indices", 0);
    ASSERT_ERROR(tp_input(tape, TP_F64, TP_SHAPE(N)), TP_BAD_SHAPE,
                 "the target is f64[3], but probabilities must be f64[3,4]: the logits' shape at ", 0);
    ASSERT_ERROR(tp_input(tape, TP_F32, TP_SHAPE(N, C)), TP_BAD_DTYPE,
                 "the target is f32[3,4], but must be i32 (class indices) or f64 (probabilities)", 0);
    ASSERT_ERROR(tp_scalar(tape, 2), TP_BAD_DTYPE, "the target is weak[], but must be i32", 0);
    ASSERT_ERROR(absent, TP_BAD_HANDLE, "the target is absent", 0);
    ASSERT_ERROR(foreign, TP_BAD_HANDLE, "the target belongs to another tape", 0);
    ASSERT_ERROR(y, TP_BAD_ARGUMENT, "label_smoothing must be in [0, 1], not -0.1", .label_smoothing = -0.1);
    ASSERT_ERROR(y, TP_BAD_ARGUMENT, "label_smoothing must be in [0, 1], not 1.5", .label_smoothing = 1.5);
    ASSERT_ERROR(y, TP_BAD_ARGUMENT, "label_smoothing must be in [0, 1], not", .label_smoothing = NAN);
    ASSERT_ERROR(y, TP_BAD_SHAPE, "class axis 2 is out of range for the logits f64[3,4]", .axis = {true, 2});
    ASSERT_ERROR(y, TP_BAD_SHAPE, "class axis -3 is out of range for the logits f64[3,4]",
                 .axis = {true, -3});
    ASSERT_ERROR(y, TP_BAD_SHAPE,
                 "the class weight is f64[3,4], but must have one number for each of the 4 classes",
                 .class_weight = t);
    ASSERT_ERROR(y, TP_BAD_DTYPE, "the class weight is f32, but the loss is f64", .class_weight = narrow);
    ASSERT_ERROR(y, TP_BAD_SHAPE,
                 "the weight is f64[3,4], which does not broadcast to the loss's shape f64[3]", .weight = t);
    ASSERT_ERROR(t, TP_BAD_ARGUMENT, "ignore needs class indices: give ignored rows a weight of 0 instead",
                 .ignore = {true, 0});
    ASSERT_ERROR(y, TP_BAD_ARGUMENT, "the reduction must be one of tp_reduction's, not -1",
                 .reduction = (tp_reduction)-1);
    x = y;
    ASSERT_ERROR(y, TP_BAD_DTYPE, "the logits are i32[3], but must be f32 or f64", 0);
    x = tp_sum(logits);
    ASSERT_ERROR(y, TP_BAD_SHAPE, "the logits are f64[]: they need a class axis", 0);
    x = tp_input(tape, TP_F64, TP_SHAPE(N, 0));
    ASSERT_ERROR(y, TP_BAD_SHAPE, "the logits are f64[3,0]: there are no classes on axis 1", 0);
    x = absent;
    ASSERT_ERROR(y, TP_BAD_HANDLE, "the logits tensor is absent", 0);

    assert_null(tp_cross_entropy(absent, absent, NULL).tape);
    tp_tape_destroy(other);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_rows_and_classes),
        cmocka_unit_test(mean_with_probabilities),
        cmocka_unit_test(indices_are_one_hot),
        cmocka_unit_test(all_ignored),
        cmocka_unit_test(class_weights_zero),
        cmocka_unit_test(no_rows),
        cmocka_unit_test(ignored_rows),
        cmocka_unit_test(huge_and_infinite_logits),
        cmocka_unit_test(class_axis),
        cmocka_unit_test(single_row_and_class),
        cmocka_unit_test(label_out_of_range),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
