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

/* ---- generalised_dice, bce_dice, combo ------------------------------------------------------------- */

static void generalised_by_hand(void **state)
{
    /* Two samples, three classes, two pixels; the classes are in the target 3 times, once and never. */
    const double p[12] = {0.5, 1, 0.5, 0, 0, 0, 0.25, 0, 0.75, 0.75, 0, 0.25},
                 t[12] = {1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0};
    double g[12];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = numbers(tape, TP_SHAPE(2, 3, 2), p), y = numbers(tape, TP_SHAPE(2, 3, 2), t);
    /* Over all: TP 1.5, 0.75, 0; FP + FN 0.25 + 1.5, 0.5 + 0.75 + 0.25, 0.25. */
    const double w[3] = {1.0 / 9, 1, 1 / 0.5}, wrong[3] = {1.75, 1.5, 0.25}, hit[3] = {1.5, 0.75, 0};
    double above = 0, below = 0;
    for (int c = 0; c < 3; c++) {
        above += w[c] * wrong[c];
        below += w[c] * (2 * hit[c] + wrong[c]);
    }
    const tp_generalised_dice_options o = {.epsilon = 0.5};
    assert_close(value_of(tp_generalised_dice(x, y, &o)), above / below, 1e-15);
    /* The first sample alone: 2 of the first class, none of the others. */
    const tp_tensor each = tp_generalised_dice(
        x, y, &(tp_generalised_dice_options){.epsilon = 0.5, .per_sample = true, .reduction = TP_NONE});
    const double first = (0.5 / 4 + 0.5 * 2) / (3.5 / 4 + 0.5 * 2);
    const double second = (1.25 + 1 + 0.25 * 2) / (1.25 + 2.5 + 0.25 * 2);
    expect_values(each, (double[]){first, second}, 2);
    /* Nothing there, nothing predicted; and a target that is one number. */
    const tp_tensor nothing = numbers(tape, TP_SHAPE(2, 3, 2), (double[12]){0});
    assert_true(gradient_of(tp_generalised_dice(nothing, nothing, NULL), nothing, g, 12) == 0);
    for (int i = 0; i < 12; i++)
        assert_true(isfinite(g[i]));
    const tp_tensor ones = numbers(tape, TP_SHAPE(1, 2, 1), (double[]){0.5, 1});
    assert_close(value_of(tp_generalised_dice(ones, tp_scalar(tape, 1), NULL)), 0.5 / 3.5, 1e-15);
    tp_tape_destroy(tape);
}

static void bce_and_dice(void **state)
{
    double g[4], h[4], k[4];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = numbers(tape, TP_SHAPE(2, 2), (double[]){2, -40, 0.5, 300}),
                    t = numbers(tape, TP_SHAPE(2, 2), t_values);
    const tp_dice_options dice = {.from_logits = true, .per_sample = true, .smooth = {true, 0.5}};
    const double a = gradient_of(tp_bce_with_logits(x, t, NULL), x, g, 4);
    const double b = gradient_of(tp_dice(x, t, &dice), x, h, 4);
    const tp_bce_dice_options both = {
        .per_sample = true, .smooth = {true, 0.5}, .bce_weight = {true, 0.25}, .dice_weight = {true, 3}};
    assert_close(gradient_of(tp_bce_dice(x, t, &both), x, k, 4), 0.25 * a + 3 * b, 1e-15);
    for (int i = 0; i < 4; i++)
        assert_relative(k[i], 0.25 * g[i] + 3 * h[i], 1e-14);
    const tp_bce_dice_options no_dice = {.dice_weight = {true, 0}}, no_bce = {.bce_weight = {true, 0}};
    assert_true(value_of(tp_bce_dice(x, t, &no_dice)) == a);
    assert_close(value_of(tp_bce_dice(x, t, &no_bce)),
                 value_of(tp_dice(x, t, &(tp_dice_options){.from_logits = true})), 1e-15);
    tp_tape_destroy(tape);
}

static void combo_by_hand(void **state)
{
    double g[4], h[4];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = numbers(tape, TP_SHAPE(4), (double[]){0.8, 0.3, 0.05, 1}),
                    t = numbers(tape, TP_SHAPE(4), (double[]){1, 0, 1, 0});
    const tp_combo_options o = {.alpha = {true, 0.25}, .beta = {true, 0.75}, .epsilon = 0.1};
    const double entropy = -(0.75 * (log(0.8) + log(0.1)) + 0.25 * (log(0.7) + log(0.1))) / 4;
    const double overlap = (2 * 0.85 + 1) / (2.15 + 2 + 1);
    assert_close(gradient_of(tp_combo(p, t, &o), p, g, 4), 0.25 * entropy - 0.75 * overlap, 1e-15);
    /* Pixels that are cut have the overlap's gradient only. */
    const double apart = 0.75 * overlap / 5.15, common = -0.75 * 2 / 5.15 + apart;
    assert_close(g[2], common, 1e-15);
    assert_close(g[3], apart, 1e-15);
    assert_close(g[0], common - 0.25 * 0.75 / 0.8 / 4, 1e-15);
    assert_close(g[1], apart + 0.25 * 0.25 / 0.7 / 4, 1e-15);

    /* Logits of any size; what f32 rounds 1 - epsilon to is 1. */
    const float logits[4] = {1e30f, 1e30f, -20, -1e30f};
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(4), logits), y = tp_cast(t, TP_F32);
    for (int k = 0; k < 2; k++) {
        const tp_combo_options far = {.from_logits = k == 0, .epsilon = 1e-9};
        const tp_tensor from = k == 0 ? x : tp_sigmoid(x);
        const double expected = 0.5 * 0.5 * (20 - log(1e-9)) / 4 - 0.5 * 3 / 5;
        assert_close(gradient_of(tp_combo(from, y, &far), from, h, 4), expected, 1e-6);
        for (int i = 0; i < 4; i++)
            assert_true(isfinite(h[i]));
    }
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
        cmocka_unit_test(by_hand),        cmocka_unit_test(regions),
        cmocka_unit_test(empty_regions),  cmocka_unit_test(nearly_perfect),
        cmocka_unit_test(logits_far_out), cmocka_unit_test(generalised_by_hand),
        cmocka_unit_test(bce_and_dice),   cmocka_unit_test(combo_by_hand),
        cmocka_unit_test(few_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
