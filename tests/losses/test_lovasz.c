/* test_lovasz.c -- lovasz_hinge and lovasz_softmax against the definition, with sorted errors and Jaccard losses; what is
 * ignored, what is empty, ties. */
#include "evaluate.h"

#include <stdlib.h>

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

/* ---- The definition -------------------------------------------------------------------------------- */

/* A pixel's error and label, for the reference below. */
typedef struct pixel {
    double error;
    int label;
} pixel;

static int by_error(const void *a, const void *b)
{
    const pixel *x = a, *y = b;
    return (x->error < y->error) - (x->error > y->error);
}

/* The extension by the definition, J and all. */
static double extension_of(pixel *pixels, int n)
{
    double labels = 0, seen = 0, before = 0, sum = 0;
    for (int k = 0; k < n; k++)
        labels += pixels[k].label;
    qsort(pixels, (size_t)n, sizeof *pixels, by_error);
    for (int k = 0; k < n; k++) {
        seen += pixels[k].label;
        const double jaccard = 1 - (labels - seen) / (labels + (k + 1 - seen));
        sum += fmax(0, pixels[k].error) * (jaccard - before);
        before = jaccard;
    }
    return sum;
}

/* The k-th of a fixed sequence in [0, 1), without pattern. */
static double fraction(uint32_t k)
{
    uint32_t x = 2654435769u * (k + 1);
    x = (x ^ x >> 16) * 2246822519u;
    x = (x ^ x >> 13) * 3266489917u;
    return (double)(x >> 8) / 16777216;
}

/* Many pixels in f32, of which a share is labelled: differences of J in f32 would have no digits left. */
static void many_pixels(void **state)
{
    enum { N = 100000 };
    static const double shares[] = {0, 1e-4, 0.3, 1};
    pixel *pixels = malloc(N * sizeof *pixels);
    float *x_values = malloc(N * sizeof *x_values);
    int32_t *t_values_of = malloc(N * sizeof *t_values_of);
    (void)state;
    for (int s = 0; s < 4; s++) {
        for (int i = 0; i < N; i++) {
            x_values[i] = (float)(4 * fraction((uint32_t)i) - 2);
            t_values_of[i] = fraction((uint32_t)(N + i)) < shares[s];
            pixels[i] = (pixel){1 - (double)x_values[i] * (2 * t_values_of[i] - 1), t_values_of[i]};
        }
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(N), x_values),
                        t = tp_constant(tape, TP_I32, TP_SHAPE(N), t_values_of);
        assert_relative(value_of(tp_lovasz_hinge(x, t, NULL)), extension_of(pixels, N), 1e-6);
        tp_tape_destroy(tape);
    }
    free(pixels);
    free(x_values);
    free(t_values_of);
}

/* Of errors 0 and 1 the extension is Jaccard's loss of the set of wrong pixels; here for every set and every target. */
static void vertices(void **state)
{
    enum { N = 5 };
    (void)state;
    for (unsigned set = 0; set < 1u << (2 * N); set++) {
        double logits[N], p[N], t[N];
        for (int i = 0; i < N; i++) {
            t[i] = set >> i & 1;
            p[i] = set >> (N + i) & 1;
            logits[i] = 2 * p[i] - 1; /* right by just the margin, or wrong by 2 */
        }
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor target = numbers(tape, TP_SHAPE(N), t);
        const tp_tensor hinge = tp_lovasz_hinge(numbers(tape, TP_SHAPE(N), logits), target, NULL);
        const tp_tensor plain =
            tp_jaccard(numbers(tape, TP_SHAPE(N), p), target, &(tp_jaccard_options){.smooth = {true, 0}});
        tp_program *program = evaluate((tp_tensor[]){hinge, plain}, 2);
        assert_close(tp_item(hinge), 2 * tp_item(plain), 1e-15);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* Samples [2], classes [3], pixels [4]; the last class is not in the second sample. */
static const int32_t class_of[8] = {0, 1, 2, 1, 1, 0, 0, 1};

static double probability_value(int n, int c, int i)
{
    return fraction((uint32_t)(100 + 12 * n + 4 * c + i));
}

/* The extension for class c of samples first <= n < last, without pixels of the class that is ignored. */
static double class_loss(int first, int last, int c, int ignored, bool *occurs)
{
    pixel pixels[8];
    int n = 0;
    *occurs = false;
    for (int s = first; s < last; s++)
        for (int i = 0; i < 4; i++) {
            const int label = class_of[4 * s + i];
            if (label == ignored)
                continue;
            *occurs = *occurs || label == c;
            pixels[n++] = (pixel){fabs((label == c) - probability_value(s, c, i)), label == c};
        }
    return extension_of(pixels, n);
}

static double classes_loss(int first, int last, bool all, int ignored)
{
    double sum = 0;
    int count = 0;
    for (int c = 0; c < 3; c++) {
        bool occurs;
        const double loss = class_loss(first, last, c, ignored, &occurs);
        sum += all || occurs ? loss : 0;
        count += all || occurs;
    }
    return sum / count;
}

static void softmax_by_definition(void **state)
{
    double p[24], q[24];
    (void)state;
    for (int n = 0; n < 2; n++)
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < 4; i++)
                p[12 * n + 4 * c + i] = q[3 * (4 * n + i) + c] = probability_value(n, c, i);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = numbers(tape, TP_SHAPE(2, 3, 2, 2), p), last = numbers(tape, TP_SHAPE(2, 4, 3), q);
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(2, 2, 2), class_of);
    const tp_tensor flat = tp_reshape(y, TP_SHAPE(2, 4));
    for (int k = 0; k < 8; k++) {
        const bool all = k & 1, per_sample = k & 2;
        const int ignored = k & 4 ? 1 : -1;
        const tp_lovasz_softmax_options o = {
            .all_classes = all, .per_sample = per_sample, .ignore = {k & 4, 1}};
        tp_lovasz_softmax_options at_end = o;
        at_end.axis = (tp_optional_int){true, -1};
        const double expected =
            per_sample ? (classes_loss(0, 1, all, ignored) + classes_loss(1, 2, all, ignored)) / 2
                       : classes_loss(0, 2, all, ignored);
        assert_close(value_of(tp_lovasz_softmax(x, y, &o)), expected, 1e-15);
        assert_close(value_of(tp_lovasz_softmax(last, flat, &at_end)), expected, 1e-15);
    }
    tp_tape_destroy(tape);
}

/* Pixels that are ignored get no gradient, whatever they hold; a label that is neither ends the run. */
static void softmax_labels(void **state)
{
    double g[6];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = numbers(tape, TP_SHAPE(3, 2), (double[]){0.75, 0.25, NAN, NAN, 0.5, 0.5});
    const tp_tensor y = tp_input(tape, TP_I32, TP_SHAPE(3));
    const tp_tensor loss = tp_lovasz_softmax(p, y, &(tp_lovasz_softmax_options){.ignore = {true, 255}});
    tp_write(y, ((int32_t[]){0, 255, 1}), 3);
    /* Class 0: errors 0.5 (not of it) and 0.25; J 1/2, 1.  Class 1: 0.5 (of it) and 0.25; J 1, 1. */
    assert_close(gradient_of(loss, p, g, 6), (0.375 + 0.5) / 2, 1e-15);
    const double expected[6] = {-0.25, 0, 0, 0, 0.25, -0.5};
    for (int i = 0; i < 6; i++)
        assert_close(g[i], expected[i], 1e-15);
    tp_write(y, ((int32_t[]){255, 255, 255}), 3);
    assert_true(gradient_of(loss, p, g, 6) == 0);
    for (int i = 0; i < 6; i++)
        assert_true(g[i] == 0);
    tp_write(y, ((int32_t[]){0, 2, 1}), 3);
    tp_program *program = tp_compile(&loss, 1, NULL);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    assert_non_null(strstr(tp_program_message(program), "lovasz_softmax: "));
    assert_non_null(strstr(tp_program_message(program), "2 (element 1) is outside [0, 2)"));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void hinge_kinks(void **state)
{
    double g[4];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    /* Errors 2, 2, 0, -1: the first of the tie counts as the larger; none at 0 and below. */
    const tp_tensor x = numbers(tape, TP_SHAPE(4), (double[]){-1, 1, 1, -2});
    const tp_tensor t = tp_constant(tape, TP_I32, TP_SHAPE(4), (int32_t[]){1, 0, 1, 0});
    assert_close(gradient_of(tp_lovasz_hinge(x, t, NULL), x, g, 4), 2 * 2 / 3.0, 1e-15);
    const double expected[4] = {-0.5, 1 / 6.0, 0, 0};
    for (int i = 0; i < 4; i++)
        assert_close(g[i], expected[i], 1e-15);
    /* No label: the largest error alone.  No pixel: nothing. */
    assert_true(gradient_of(tp_lovasz_hinge(x, tp_scalar(tape, 0), NULL), x, g, 4) == 2);
    assert_true(g[0] == 0 && g[1] == 1 && g[2] == 0 && g[3] == 0);
    const tp_tensor none = tp_input(tape, TP_F64, TP_SHAPE(2, 0)), some = tp_input(tape, TP_F64, TP_SHAPE(0));
    assert_true(value_of(tp_lovasz_hinge(none, none, NULL)) == 0);
    assert_true(value_of(tp_lovasz_hinge(none, none, &(tp_lovasz_hinge_options){.per_sample = true})) == 0);
    assert_true(value_of(tp_lovasz_hinge(some, some, &(tp_lovasz_hinge_options){.per_sample = true})) == 0);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_pixels),           cmocka_unit_test(vertices),
        cmocka_unit_test(softmax_by_definition), cmocka_unit_test(softmax_labels),
        cmocka_unit_test(hinge_kinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
