/* test_exact.c -- where plain formulas overflow, lose digits or have no derivative: values and derivatives of both orders
 * against closed forms. */
#include "evaluate.h"

#include <stdio.h>

/* Value and derivatives of both orders of sum(r) by x, element by element, which is what they are for an elementwise r. */
typedef struct three {
    double r, slope, curvature;
} three;

static three at(tp_tensor none, tp_tensor x, int i, int n)
{
    double r[16], g[16], h[16];
    tp_tensor first, second;

    tp_gradient(tp_sum(none), &x, 1, &first);
    tp_gradient(tp_sum(first), &x, 1, &second);
    tp_program *program = evaluate((tp_tensor[]){none, first, second}, 3);
    read_doubles(none, r, n);
    read_doubles(first, g, n);
    read_doubles(second, h, n);
    tp_program_destroy(program);
    return (three){r[i], g[i], h[i]};
}

/* Relative to the number itself, however small. */
static void assert_relative(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static tp_tensor leaf_of(tp_tape *tape, tp_dtype dtype, const double *values, int n)
{
    float narrow[16];
    for (int i = 0; i < n; i++)
        narrow[i] = (float)values[i];
    return tp_parameter(tape, dtype, TP_SHAPE(n), dtype == TP_F32 ? (void *)narrow : (void *)values);
}

/* ---- bce_with_logits ------------------------------------------------------------------------------- */

/* Of t = 0: softplus x, sigmoid x, sigmoid x sigmoid -x; of t = 1 the mirror image. */
static three bce_expected(double x, double t)
{
    const double z = t == 1 ? -x : x, e = exp(-fabs(z)), s = (z < 0 ? e : 1) / (1 + e);
    return (three){(z > 0 ? z : 0) + log1p(e), t == 1 ? -s : s, e / ((1 + e) * (1 + e))};
}

static void check_bce(tp_dtype dtype, const double *x_values, int n, double tolerance)
{
    for (int t = 0; t < 2; t++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = leaf_of(tape, dtype, x_values, n);
        const tp_tensor r =
            tp_bce_with_logits(x, tp_scalar(tape, t), &(tp_bce_with_logits_options){.reduction = TP_NONE});
        for (int i = 0; i < n; i++) {
            const three got = at(r, x, i, n), expected = bce_expected(x_values[i], t);
            assert_relative(got.r, expected.r, tolerance);
            assert_relative(got.slope, expected.slope, tolerance);
            assert_relative(got.curvature, expected.curvature, tolerance);
        }
        tp_tape_destroy(tape);
    }
}

static void bce_tails(void **state)
{
    const double x[9] = {0, 1e-3, -0.5, 3, -17, 40, -40, 300, -700},
                 narrow[7] = {0, 0.25, -0.5, 3, -17, 40, -80};
    (void)state;
    check_bce(TP_F64, x, 9, 1e-14);
    check_bce(TP_F32, narrow, 7, 1e-6);
}

/* Beyond what exp can hold: no overflow, and the linear side is linear. */
static void bce_huge(void **state)
{
    const double x_values[4] = {1e300, -1e300, 1e4, -1e4};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of(tape, TP_F64, x_values, 4);
    for (int t = 0; t < 2; t++) {
        const tp_tensor r =
            tp_bce_with_logits(x, tp_scalar(tape, t), &(tp_bce_with_logits_options){.reduction = TP_NONE});
        for (int i = 0; i < 4; i++) {
            const bool right = (x_values[i] > 0) == (t == 1);
            const three got = at(r, x, i, 4);
            assert_true(got.r == (right ? 0 : fabs(x_values[i])));
            assert_true(got.slope == (right ? 0 : t == 1 ? -1 : 1));
            assert_true(got.curvature == 0);
        }
    }
    tp_tape_destroy(tape);
}

/* The weight of the positive part, and a target between: r = p t softplus(-x) + (1 - t) softplus(x). */
static void bce_positive_weight(void **state)
{
    const double x_values[6] = {0, 2, -3, 40, -40, 0.125}, p = 3;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of(tape, TP_F64, x_values, 6);
    for (int k = 0; k <= 2; k++) {
        const double t = 0.5 * k;
        const tp_tensor r = tp_bce_with_logits(
            x, tp_scalar(tape, t),
            &(tp_bce_with_logits_options){.reduction = TP_NONE, .pos_weight = tp_scalar(tape, p)});
        for (int i = 0; i < 6; i++) {
            const three got = at(r, x, i, 6);
            const three yes = bce_expected(x_values[i], 1), no = bce_expected(x_values[i], 0);
            assert_relative(got.r, p * t * yes.r + (1 - t) * no.r, 1e-14);
            assert_relative(got.slope, p * t * yes.slope + (1 - t) * no.slope, 1e-14);
            assert_relative(got.curvature, p * t * yes.curvature + (1 - t) * no.curvature, 1e-14);
        }
    }
    tp_tape_destroy(tape);
}

/* ---- bce -------------------------------------------------------------------------------------------- */

static void bce_edges(void **state)
{
    const double p_values[4] = {0, 1, 1e-300, 0.25}, narrow_p[1] = {1e-44};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = leaf_of(tape, TP_F64, p_values, 4);
    const tp_tensor yes = tp_bce(p, tp_scalar(tape, 1), &(tp_loss_options){.reduction = TP_NONE});
    const tp_tensor no = tp_bce(p, tp_scalar(tape, 0), &(tp_loss_options){.reduction = TP_NONE});
    const double far = 100; /* the cut-off */
    const three expected_yes[4] = {{far, 0, 0}, {0, 0, 0}, {far, 0, 0}, {log(4), -4, 16}};
    const three expected_no[4] = {{0, 0, 0}, {far, 0, 0}, {1e-300, 1, 1}, {-log(0.75), 4 / 3.0, 16 / 9.0}};
    for (int i = 0; i < 4; i++)
        for (int t = 0; t < 2; t++) {
            const three got = at(t ? yes : no, p, i, 4), expected = t ? expected_yes[i] : expected_no[i];
            assert_close(got.r, expected.r, 1e-15);
            assert_close(got.slope, expected.slope, 1e-15);
            assert_close(got.curvature, expected.curvature, 1e-15);
        }
    const tp_tensor narrow = leaf_of(tape, TP_F32, narrow_p, 1);
    assert_close(value_of(tp_bce(narrow, tp_scalar(tape, 1), NULL)), 100, 1e-6);
    tp_tape_destroy(tape);
}

/* ---- focal ------------------------------------------------------------------------------------------ */

/* Far out, and with powers whose logarithm or slope is infinite at 0. */
static void focal_far_out(void **state)
{
    const double x_values[6] = {0, 5, 50, 800, -50, -800}, gammas[4] = {0, 0.5, 1, 3.5};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of(tape, TP_F64, x_values, 6);
    for (int k = 0; k < 4; k++)
        for (int t = 0; t < 2; t++) {
            const tp_focal_options o = {.reduction = TP_NONE, .gamma = {true, gammas[k]}};
            const tp_tensor r = tp_focal(x, tp_scalar(tape, t), &o);
            for (int i = 0; i < 6; i++) {
                const three got = at(r, x, i, 6), ce = bce_expected(x_values[i], t);
                const double wrong = fabs(ce.slope), share = t ? 0.25 : 0.75;
                assert_close(got.r, share * pow(wrong, gammas[k]) * ce.r, 1e-13);
                assert_true(isfinite(got.slope) && isfinite(got.curvature));
            }
        }
    /* Several classes: a class that is certain, and one that is ruled out. */
    const double logits[6] = {800, 0, 0, -HUGE_VAL, 1, 2};
    const int32_t labels[2] = {0, 2};
    const tp_tensor z = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), logits);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(2), labels);
    for (int k = 0; k < 4; k++) {
        double g[6];
        const double p = 1 / (1 + exp(-1)), expected = -pow(1 - p, gammas[k]) * log(p);
        const tp_focal_categorical_options o = {.reduction = TP_SUM, .gamma = {true, gammas[k]}};
        assert_close(gradient_of(tp_focal_categorical(z, y, &o), z, g, 6), expected, 1e-14);
        for (int i = 0; i < 6; i++)
            assert_true(isfinite(g[i]));
        assert_true(g[3] == 0);
    }
    tp_tape_destroy(tape);
}

/* ---- log_cosh, tukey --------------------------------------------------------------------------------- */

static void log_cosh_near_and_far(void **state)
{
    const double d[9] = {0, 1e-12, -1e-5, 0.5, -1, 19.9, -20.5, 750, -1e300};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of(tape, TP_F64, d, 9), narrow = leaf_of(tape, TP_F32, d, 8);
    const tp_loss_options none = {.reduction = TP_NONE};
    const tp_tensor r = tp_log_cosh(x, tp_scalar(tape, 0), &none);
    const tp_tensor small = tp_log_cosh(narrow, tp_scalar(tape, 0), &none);
    for (int i = 0; i < 9; i++) {
        const double a = fabs(d[i]), series = a * a / 2 - a * a * a * a / 12;
        const double expected = a < 1e-3 ? series : a > 300 ? a - log(2) : log(cosh(a));
        const three got = at(r, x, i, 9);
        assert_relative(got.r, expected, 4e-15);
        assert_relative(got.slope, tanh(d[i]), 1e-14);
        assert_close(got.curvature, 1 - tanh(d[i]) * tanh(d[i]), 1e-14);
        if (i == 8)
            continue;
        const three rough = at(small, narrow, i, 8);
        assert_relative(rough.r, expected, 1e-6);
        assert_relative(rough.slope, tanh(d[i]), 1e-6);
        assert_close(rough.curvature, 1 - tanh(d[i]) * tanh(d[i]), 1e-5);
    }
    tp_tape_destroy(tape);
}

static void tukey_near_and_far(void **state)
{
    const double d[6] = {0, 1e-5, 1, -2, 2.5, 1e200};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of(tape, TP_F64, d, 6);
    const tp_tensor r = tp_tukey(x, tp_scalar(tape, 0), &(tp_tukey_options){.reduction = TP_NONE, .c = 2});
    for (int i = 0; i < 6; i++) {
        const double m = fmin(d[i] * d[i] / 4, 1), w = 1 - m;
        const three got = at(r, x, i, 6);
        assert_relative(got.r, 4 / 6.0 * m * (3 - 3 * m + m * m), 1e-15);
        assert_relative(got.slope, m < 1 ? d[i] * w * w : 0, 1e-15);
    }
    const tp_tensor narrow = leaf_of(tape, TP_F32, (const double[]){1e-5}, 1);
    const tp_tensor rough = tp_tukey(narrow, tp_scalar(tape, 0), &(tp_tukey_options){.c = 2});
    assert_relative(value_of(rough), 5e-11, 1e-6); /* 1 - (1 - m)^3 would be 0 */
    tp_tape_destroy(tape);
}

/* ---- Distances of 0 ---------------------------------------------------------------------------------- */

static void identical_pairs(void **state)
{
    const double a_values[6] = {0.5, 1, 0.25, -1, 2, 3}, b_values[6] = {0.5, 1, 0.25, -1, 2.5, 3};
    const int32_t y_values[3] = {0, 1,
                                 1}; /* similar, different, different; the first two pairs are identical */
    double g[6], h[6];
    tp_tensor first;
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F64, TP_SHAPE(3, 2), a_values);
    const tp_tensor b = tp_constant(tape, TP_F64, TP_SHAPE(3, 2), b_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(3), y_values);
    const tp_tensor loss = tp_contrastive(a, b, y, &(tp_contrastive_options){.reduction = TP_SUM});
    assert_close(gradient_of(loss, a, g, 6), 0 + 1 + 0.25, 1e-15);
    tp_gradient(loss, &a, 1, &first);
    gradient_of(tp_sum(first), a, h, 6);
    for (int i = 0; i < 4; i++)
        assert_true(g[i] == 0);
    assert_close(g[4], 1, 1e-15);        /* 2 (margin - d) (a - b) / d, pushed away */
    assert_true(h[0] == 2 && h[1] == 2); /* of d^2 */
    assert_true(h[2] == 0 && h[3] == 0); /* of (margin - d)^2, where it has none */
    assert_true(isfinite(h[4]) && isfinite(h[5]));
    tp_tape_destroy(tape);
}

static void identical_triplets(void **state)
{
    const double values[2] = {0.5, 1}, powers[4] = {1, 2, 2.5, HUGE_VAL};
    (void)state;
    for (int k = 0; k < 4; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor a = tp_parameter(tape, TP_F64, TP_SHAPE(1, 2), values);
        const tp_tensor b = tp_constant(tape, TP_F64, TP_SHAPE(1, 2), values);
        const tp_triplet_options o = {.p = powers[k], .epsilon = {true, 0}};
        double g[2], h[2];
        tp_tensor first;
        const tp_tensor loss = tp_triplet_margin(a, b, b, &o);
        assert_true(gradient_of(loss, a, g, 2) == 1);
        tp_gradient(loss, &a, 1, &first);
        gradient_of(tp_sum(first), a, h, 2);
        for (int i = 0; i < 2; i++)
            assert_true(g[i] == 0 && h[i] == 0);
        tp_tape_destroy(tape);
    }
}

/* Zero vectors have no direction, and no derivative that is not finite. */
static void zero_vectors(void **state)
{
    const double a_values[6] = {0, 0, 0, 1, -2, 0.5}, b_values[6] = {1, 2, -1, 0, 0, 0};
    const int32_t groups[2] = {0, 0};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), a_values);
    const tp_tensor b = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), b_values);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(2), groups);
    const tp_tensor losses[] = {
        tp_cosine_loss(a, b, NULL), tp_cosine_embedding(a, b, tp_scalar(tape, 1), NULL),
        tp_info_nce(a, b, NULL),    tp_nt_xent(a, b, NULL),
        tp_supcon(a, y, NULL),      tp_multi_similarity(a, y, NULL),
        tp_circle(a, y, NULL),      tp_arcface(a, b, y, NULL),
    };
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
        double g[6], h[6];
        tp_tensor first;
        assert_true(isfinite(gradient_of(losses[k], a, g, 6)));
        tp_gradient(losses[k], &a, 1, &first);
        gradient_of(tp_sum(first), a, h, 6);
        for (int i = 0; i < 6; i++)
            assert_true(isfinite(g[i]) && isfinite(h[i]));
    }
    tp_tape_destroy(tape);
}

/* The length of a vector does not matter, however short it is. */
static void short_vectors(void **state)
{
    const double a_values[6] = {1, -2, 0.5, 0.25, 1, 3}, b_values[6] = {1, 2, -1, 0.5, 0, 1};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), a_values), tiny = tp_scale(a, 1e-9);
    const tp_tensor b = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), b_values);
    assert_close(value_of(tp_info_nce(tiny, b, NULL)), value_of(tp_info_nce(a, b, NULL)), 1e-13);
    assert_close(value_of(tp_nt_xent(b, tiny, NULL)), value_of(tp_nt_xent(b, a, NULL)), 1e-13);
    assert_close(value_of(tp_cosine_loss(tp_scale(a, 1e-7), b, NULL)), value_of(tp_cosine_loss(a, b, NULL)),
                 1e-13);
    tp_tape_destroy(tape);
}

/* ---- Single options ---------------------------------------------------------------------------------- */

static void limits_of_options(void **state)
{
    const double p_values[3] = {0.5, -2, 3};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(3), p_values), one = tp_scalar(tape, 1);
    assert_close(value_of(tp_smooth_l1(p, one, &(tp_smooth_l1_options){.beta = {true, 0}})),
                 value_of(tp_mae(p, one, NULL)), 0);
    assert_close(value_of(tp_smooth_l1(p, one, NULL)), value_of(tp_huber(p, one, NULL)), 0);
    assert_close(value_of(tp_hinge(p, one, &(tp_hinge_options){.margin = {true, 0}})), 2 / 3.0, 1e-15);
    assert_close(value_of(tp_barron(p, one, tp_scalar(tape, 2), NULL)), value_of(tp_mse(p, one, NULL)) / 2,
                 1e-15);
    assert_close(value_of(tp_quantile_loss(p, one, 0.5, NULL)), value_of(tp_mae(p, one, NULL)) / 2, 1e-15);
    assert_close(value_of(tp_focal(p, one, &(tp_focal_options){.alpha = -1, .gamma = {true, 0}})),
                 value_of(tp_bce_with_logits(p, one, NULL)), 1e-15);
    const tp_tensor rows = tp_reshape(p, TP_SHAPE(1, 3)), y = tp_full(tape, TP_I32, TP_SHAPE(1), 1);
    assert_close(value_of(tp_nll(tp_log_softmax(rows, 1), y, NULL)),
                 value_of(tp_cross_entropy(rows, y, NULL)), 1e-15);
    assert_close(
        value_of(tp_categorical_cross_entropy(
            tp_softmax(rows, 1), tp_constant(tape, TP_F64, TP_SHAPE(1, 3), (double[]){0, 1, 0}), NULL)),
        value_of(tp_cross_entropy(rows, y, NULL)), 1e-14);
    tp_tape_destroy(tape);
}

/* One rule for weights: TP_MEAN divides by their sum, TP_MEAN_BY_COUNT does not; pos_weight is no weight. */
static void means_of_weights(void **state)
{
    const double x_values[2] = {1, -1}, w_values[2] = {3, 1};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), x_values), one = tp_scalar(tape, 1);
    const tp_tensor w = tp_constant(tape, TP_F64, TP_SHAPE(2), w_values);
    const double near = log1p(exp(-1)), far = log1p(exp(1));
    tp_bce_with_logits_options o = {.weight = w};
    assert_close(value_of(tp_bce_with_logits(x, one, &o)), (3 * near + far) / 4, 1e-15);
    o.reduction = TP_MEAN_BY_COUNT;
    assert_close(value_of(tp_bce_with_logits(x, one, &o)), (3 * near + far) / 2, 1e-15);
    o = (tp_bce_with_logits_options){.pos_weight = w};
    assert_close(value_of(tp_bce_with_logits(x, one, &o)), (3 * near + far) / 2, 1e-15);
    tp_tape_destroy(tape);
}

/* A list's entries behind its end, and entries listed twice, do not count; one out of range ends the run. */
static void label_lists(void **state)
{
    const double p_values[3] = {0.5, 0.25, -1};
    const int32_t lists[3][3] = {{1, -1, 77}, {1, 1, -1}, {1, 1, 1}};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(3), p_values);
    const tp_tensor y = tp_input(tape, TP_I32, TP_SHAPE(3));
    const tp_tensor loss = tp_multilabel_margin(p, y, NULL);
    tp_program *program = tp_compile(&loss, 1, NULL);
    for (int k = 0; k < 3; k++) {
        tp_write(y, lists[k], 3);
        assert_int_equal(tp_run(program), TP_OK);
        assert_close(tp_item(loss), (1 - (0.25 - 0.5)) / 3, 1e-15);
    }
    tp_write(y, ((int32_t[]){0, 3, -1}), 3);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    assert_non_null(strstr(tp_program_message(program), "3 (element 1) is outside [0, 3)"));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bce_tails),           cmocka_unit_test(bce_huge),
        cmocka_unit_test(bce_positive_weight), cmocka_unit_test(bce_edges),
        cmocka_unit_test(focal_far_out),       cmocka_unit_test(log_cosh_near_and_far),
        cmocka_unit_test(tukey_near_and_far),  cmocka_unit_test(identical_pairs),
        cmocka_unit_test(identical_triplets),  cmocka_unit_test(zero_vectors),
        cmocka_unit_test(short_vectors),       cmocka_unit_test(limits_of_options),
        cmocka_unit_test(means_of_weights),    cmocka_unit_test(label_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
