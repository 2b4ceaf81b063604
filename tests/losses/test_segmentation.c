/* test_segmentation.c -- losses of segmentations against numbers worked out by hand: regions, what is empty, logits far out,
 * and how many loops they take. */
#include "evaluate.h"

static tp_tensor numbers(tp_tape *tape, tp_shape shape, const double *values)
{
    return tp_parameter(tape, TP_F64, shape, values);
}

/* Relative to the number itself, however small. */
static void assert_relative(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void expect_values(tp_tensor x, const double *expected, int n)
{
    double values[16];
    tp_program *program = evaluate(&x, 1);
    read_doubles(x, values, n);
    for (int i = 0; i < n; i++)
        assert_close(values[i], expected[i], 1e-15);
    tp_program_destroy(program);
}

/* ---- Overlaps by hand ------------------------------------------------------------------------------ */

/* TP, FP and FN are 1.5, 0.25 and 0.5. */
static const double p_values[4] = {0.5, 0.25, 1, 0}, t_values[4] = {1, 0, 1, 0};

static void by_hand(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = numbers(tape, TP_SHAPE(2, 2), p_values);
    const tp_tensor t = tp_constant(tape, TP_I32, TP_SHAPE(2, 2), (int32_t[]){1, 0, 1, 0});
    const tp_optional_number none = {true, 0}, half = {true, 0.5};

    assert_close(value_of(tp_dice(p, t, NULL)), 0.75 / 4.75, 1e-15);
    assert_close(value_of(tp_dice(p, t, &(tp_dice_options){.smooth = none})), 0.75 / 3.75, 1e-15);
    assert_close(value_of(tp_dice(p, t, &(tp_dice_options){.squared = true})),
                 (0.25 + 0.0625) / (1.25 + 0.0625 + 2 + 1), 1e-15);
    assert_close(value_of(tp_jaccard(p, t, NULL)), 0.75 / 3.25, 1e-15);
    assert_close(value_of(tp_jaccard(p, t, &(tp_jaccard_options){.smooth = half})), 0.75 / 2.75, 1e-15);
    const double tversky = (0.3 * 0.25 + 0.7 * 0.5) / (1.5 + 0.3 * 0.25 + 0.7 * 0.5 + 1);
    assert_close(value_of(tp_tversky(p, t, NULL)), tversky, 1e-15);
    assert_close(value_of(tp_focal_tversky(p, t, NULL)), pow(tversky, 0.75), 1e-15);
    assert_close(value_of(tp_focal_tversky(p, t, &(tp_focal_tversky_options){.gamma = 3})), pow(tversky, 3),
                 1e-15);
    assert_close(value_of(tp_tversky(p, t, &(tp_tversky_options){.alpha = {true, 2}, .beta = {true, 0}})),
                 0.5 / 3, 1e-15);
    /* Dice's coefficient is one of Tversky's. */
    const tp_tversky_options halves = {.smooth = half, .alpha = half, .beta = half};
    assert_close(value_of(tp_tversky(p, t, &halves)), 0.75 / 4.75, 1e-15);
    tp_tape_destroy(tape);
}

static void regions(void **state)
{
    const double each[8] = {0.5, 0.25, 1, 0, 0.5, 0.25, 1, 0}, expected_n[2] = {0.75 / 2.75, 0},
                 expected_c[2] = {0.5 / 4.5, 0.25 / 1.25};
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = numbers(tape, TP_SHAPE(2, 2), p_values), t = numbers(tape, TP_SHAPE(2, 2), t_values);
    const tp_tensor w = numbers(tape, TP_SHAPE(2), (double[]){3, 1});

    expect_values(tp_dice(p, t, &(tp_dice_options){.per_sample = true, .reduction = TP_NONE}), expected_n, 2);
    expect_values(tp_dice(p, t, &(tp_dice_options){.per_class = true, .reduction = TP_NONE}), expected_c, 2);
    assert_close(value_of(tp_dice(p, t, &(tp_dice_options){.per_sample = true})), 0.75 / 5.5, 1e-15);
    assert_close(value_of(tp_dice(p, t, &(tp_dice_options){.per_class = true, .weight = w})),
                 (3 * expected_c[0] + expected_c[1]) / 4, 1e-15);
    /* The same for each sample and class, of two pixels each, along axes that are no neighbours. */
    const tp_tensor image = numbers(tape, TP_SHAPE(2, 2, 2), each);
    const tp_tensor turned = tp_permute(image, TP_AXES(1, 0, 2));
    const tp_tensor both =
        tp_jaccard(turned, tp_expand(tp_reshape(t, TP_SHAPE(2, 1, 2)), TP_SHAPE(2, 2, 2)),
                   &(tp_jaccard_options){.per_sample = true, .per_class = true, .reduction = TP_NONE});
    expect_values(both, (double[]){0.75 / 2.25, 0.75 / 2.25, 0, 0}, 4);
    assert_close(value_of(tp_jaccard(image, tp_scalar(tape, 1), NULL)), 4.5 / 9, 1e-15);
    tp_tape_destroy(tape);
}

/* ---- Empty regions --------------------------------------------------------------------------------- */

static void empty_regions(void **state)
{
    double g[2], h[2];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor t = numbers(tape, TP_SHAPE(2), (double[]){0, 0});
    const tp_tensor p = numbers(tape, TP_SHAPE(2), (double[]){0.25, 0.5});

    /* Predicted where nothing is: P / (P + 1), of slope 1 / (P + 1)^2. */
    assert_close(gradient_of(tp_dice(p, t, NULL), p, g, 2), 0.75 / 1.75, 1e-15);
    assert_close(g[0], 1 / (1.75 * 1.75), 1e-15);
    assert_true(gradient_of(tp_jaccard(p, t, &(tp_jaccard_options){.smooth = {true, 0}}), p, g, 2) == 1);
    assert_true(g[0] == 0 && g[1] == 0);
    /* Nothing predicted either. */
    for (int k = 0; k < 8; k++) {
        const tp_optional_number smooth = {true, k & 1};
        tp_tensor first, loss = tp_dice(t, t, &(tp_dice_options){.smooth = smooth});
        if (k >= 2)
            loss = k < 4   ? tp_jaccard(t, t, &(tp_jaccard_options){.smooth = smooth})
                   : k < 6 ? tp_tversky(t, t, &(tp_tversky_options){.smooth = smooth})
                           : tp_dice(t, t, &(tp_dice_options){.smooth = smooth, .squared = true});
        assert_true(gradient_of(loss, t, g, 2) == 0);
        tp_gradient(loss, &t, 1, &first);
        gradient_of(tp_sum(first), t, h, 2);
        for (int i = 0; i < 2; i++)
            assert_true(isfinite(g[i]) && isfinite(h[i]) && (smooth.value == 1 || g[i] == 0));
    }
    /* One of two regions. */
    const tp_tensor some = numbers(tape, TP_SHAPE(2, 1), (double[]){0, 1});
    const tp_dice_options strict = {.per_sample = true, .smooth = {true, 0}};
    assert_true(value_of(tp_dice(some, some, &strict)) == 0);
    assert_true(value_of(tp_dice(some, numbers(tape, TP_SHAPE(2, 1), (double[]){0, 0}), &strict)) == 0.5);
    tp_tape_destroy(tape);
}

/* Nearly perfect, 1 minus a ratio would be 1 minus 1; and below the exponent 1 a perfect segmentation has no slope. */
static void nearly_perfect(void **state)
{
    const double e = 1e-20;
    double g[2];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = numbers(tape, TP_SHAPE(2), (double[]){e, 1}),
                    t = numbers(tape, TP_SHAPE(2), (double[]){0, 1});
    assert_relative(gradient_of(tp_dice(p, t, NULL), p, g, 2), e / 3, 1e-15);
    assert_relative(g[0], 1 / 3.0, 1e-15);
    assert_relative(g[1], -1 / 3.0, 1e-15);
    assert_relative(value_of(tp_jaccard(p, t, NULL)), e / 2, 1e-15);
    assert_relative(value_of(tp_dice(p, t, &(tp_dice_options){.squared = true})), e * e / 3, 1e-15);
    assert_relative(value_of(tp_focal_tversky(p, t, NULL)), pow(0.3 * e / 2, 0.75), 1e-14);
    assert_true(gradient_of(tp_focal_tversky(t, t, NULL), t, g, 2) == 0);
    assert_true(g[0] == 0 && g[1] == 0);
    tp_tape_destroy(tape);
}

/* ---- Logits far out -------------------------------------------------------------------------------- */

/* One pixel, smooth 1.  With q = 1 - p: target 1 has r = q / (2 p + q + 1), target 0 p / (p + 1). */
static void check_logit(tp_dtype dtype, double logit, bool squared, double tolerance)
{
    const double e = exp(-fabs(logit)), tail = e / (1 + e), p = logit < 0 ? tail : 1 / (1 + e),
                 q = logit < 0 ? 1 / (1 + e) : tail, slope = tail / (1 + e);
    for (int label = 0; label < 2; label++) {
        tp_tape *tape = tp_tape_create(NULL);
        const float narrow = (float)logit;
        const tp_tensor x =
            tp_parameter(tape, dtype, TP_SHAPE(1), dtype == TP_F32 ? (void *)&narrow : (void *)&logit);
        const tp_tensor loss =
            tp_dice(x, tp_scalar(tape, label), &(tp_dice_options){.from_logits = true, .squared = squared});
        double g, wrong = label ? q : p, all = label ? 2 * p + q + 1 : p + 1, turn = label ? -1 : 1, by = 1;
        if (squared) {
            by = 2 * p;
            all = p * p + label + 1;
            turn *= 2 * wrong;
            wrong *= wrong;
        }
        /* (wrong / all)', with all' = p' by for either label */
        const double expected = slope * (turn - by * wrong / all) / all;
        assert_relative(gradient_of(loss, x, &g, 1), wrong / all, tolerance);
        assert_relative(g, expected, tolerance);
        tp_tape_destroy(tape);
    }
}

static void logits_far_out(void **state)
{
    static const double logits[] = {0, 1e-3, -0.5, 3, -17, 40, -40, 300, -300},
                        narrow[] = {0, 0.25, -0.5, 3, -17, 35, -35};
    double g[4];
    (void)state;
    for (int k = 0; k < 9; k++)
        for (int squared = 0; squared < 2; squared++)
            check_logit(TP_F64, logits[k], squared, 1e-14);
    for (int k = 0; k < 7; k++)
        for (int squared = 0; squared < 2; squared++)
            check_logit(TP_F32, narrow[k], squared, 2e-6);

    /* Beyond what exp can hold: two right, two wrong. */
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = numbers(tape, TP_SHAPE(4), (double[]){1e300, -1e300, 1e4, -1e4}),
                    t = numbers(tape, TP_SHAPE(4), (double[]){1, 0, 0, 1});
    assert_true(gradient_of(tp_dice(x, t, &(tp_dice_options){.from_logits = true}), x, g, 4) == 0.4);
    for (int i = 0; i < 4; i++)
        assert_true(g[i] == 0);
    tp_tape_destroy(tape);
}

/* ---- Loops ----------------------------------------------------------------------------------------- */

/* The sums of the whole batch are one pass and the gradient another; a sample's sums are read again while the sample is at
 * hand, and the mean over samples is a second, small loop. */
static void few_loops(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_shape shape = TP_SHAPE(8, 1, 128, 128);
        const tp_tensor p = tp_input(tape, TP_F32, shape), t = tp_input(tape, TP_F32, shape);
        const tp_dice_options o = {.per_sample = k & 1, .from_logits = k & 2};
        tp_tensor gradient, loss = tp_dice(p, t, &o);
        tp_gradient(loss, &p, 1, &gradient);
        tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
        assert_tape_fine(tape);
        const tp_program_summary summary = tp_program_report(program);
        assert_int_equal(summary.loops, 2);
        assert_int_equal(summary.calls, 0);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),        cmocka_unit_test(regions),        cmocka_unit_test(empty_regions),
        cmocka_unit_test(nearly_perfect), cmocka_unit_test(logits_far_out), cmocka_unit_test(few_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
