/* test_convolution.c -- convolutions against sums written out, in f32 and f64, also in several blocks; batch normalization
 * whose running statistics move; NaN and ties in pooling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "values.h"

/* ---- Convolutions written out ---------------------------------------------------------------------------- */

typedef struct geometry {
    int64_t n, in, h, w, out, kh, kw; /* in, out: of all groups */
    tp_convolution_options o;
    int64_t ho, wo;
} geometry;

/* Calls `add` with the elements of images, weight and result that meet. */
typedef void (*meeting)(int64_t image, int64_t weight, int64_t result, void *user);

static void for_each_meeting(const geometry *g, meeting add, void *user)
{
    const int64_t in = g->in / g->o.groups, out = g->out / g->o.groups;
    for (int64_t r = 0; r < g->n * g->out * g->ho * g->wo; r++)
        for (int64_t k = 0; k < in * g->kh * g->kw; k++) {
            const int64_t j = r % g->wo, i = r / g->wo % g->ho, o = r / g->wo / g->ho % g->out,
                          b = r / g->wo / g->ho / g->out;
            const int64_t kx = k % g->kw, ky = k / g->kw % g->kh, c = k / g->kw / g->kh;
            const int64_t y = i * g->o.stride[0] - g->o.padding[0] + ky * g->o.dilation[0],
                          x = j * g->o.stride[1] - g->o.padding[1] + kx * g->o.dilation[1];
            if (y >= 0 && y < g->h && x >= 0 && x < g->w)
                add(((b * g->in + o / out * in + c) * g->h + y) * g->w + x, o * in * g->kh * g->kw + k, r,
                    user);
        }
}

typedef struct arrays {
    double *images, *weight, *result;
    double *of_images, *of_weight, *of_result; /* computed of the other two */
} arrays;

static void add_all(int64_t image, int64_t weight, int64_t result, void *user)
{
    const arrays *a = user;
    a->of_result[result] += a->images[image] * a->weight[weight];
    a->of_images[image] += a->result[result] * a->weight[weight];
    a->of_weight[weight] += a->result[result] * a->images[image];
}

static double *numbers(int64_t n, uint64_t seed)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    generator random = seeded(seed);
    assert_non_null(x);
    for (int64_t i = 0; i < n && seed > 0; i++)
        x[i] = next_between(&random, -1, 1);
    return x;
}

static double *read_all(tp_tensor x, tp_dtype dtype)
{
    const int64_t n = tp_count_of(x);
    double *y = numbers(n, 0);
    const void *values = tp_values(x, dtype);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        y[i] = dtype == TP_F32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
    return y;
}

static tp_tensor leaf_of(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *x)
{
    const int64_t n = tp_shape_count(shape);
    const tp_tensor leaf = tp_parameter(tape, dtype, shape, NULL);
    void *data = tp_leaf_data(leaf, dtype);
    for (int64_t i = 0; i < n; i++)
        if (dtype == TP_F32)
            ((float *)data)[i] = (float)x[i];
        else
            ((double *)data)[i] = x[i];
    return leaf;
}

static void expect(const char *what, tp_tensor y, tp_dtype dtype, const double *expected)
{
    double *got = read_all(y, dtype);
    assert_close(what, got, expected, tp_count_of(y), dtype == TP_F32 ? 2e-5 : 1e-13);
    free(got);
}

/* The convolution and its two gradients, of the adjoint `result`. */
static void check_geometry(geometry g, tp_dtype dtype)
{
    tp_tape *tape = tp_tape_create(NULL);
    g.ho = (g.h + 2 * g.o.padding[0] - g.o.dilation[0] * (g.kh - 1) - 1) / g.o.stride[0] + 1;
    g.wo = (g.w + 2 * g.o.padding[1] - g.o.dilation[1] * (g.kw - 1) - 1) / g.o.stride[1] + 1;
    const tp_shape xs = TP_SHAPE(g.n, g.in, g.h, g.w), ws = TP_SHAPE(g.out, g.in / g.o.groups, g.kh, g.kw),
                   ys = TP_SHAPE(g.n, g.out, g.ho, g.wo);
    arrays a = {.images = numbers(tp_shape_count(xs), 1),
                .weight = numbers(tp_shape_count(ws), 2),
                .result = numbers(tp_shape_count(ys), 3),
                .of_images = numbers(tp_shape_count(xs), 0),
                .of_weight = numbers(tp_shape_count(ws), 0),
                .of_result = numbers(tp_shape_count(ys), 0)};
    for_each_meeting(&g, add_all, &a);

    const tp_tensor wrt[] = {leaf_of(tape, dtype, xs, a.images), leaf_of(tape, dtype, ws, a.weight)};
    tp_tensor output[3] = {tp_conv2d(wrt[0], wrt[1], (tp_tensor){0}, &g.o)};
    assert_int_equal(
        tp_vector_jacobian(output[0], leaf_of(tape, dtype, ys, a.result), wrt, 2, output + 1, NULL), TP_OK);
    tp_program *program = compile_all(output, 3);
    run_ok(program);
    expect("convolution", output[0], dtype, a.of_result);
    expect("gradient of the images", output[1], dtype, a.of_images);
    expect("gradient of the weight", output[2], dtype, a.of_weight);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    double *all[] = {a.images, a.weight, a.result, a.of_images, a.of_weight, a.of_result};
    for (int k = 0; k < 6; k++)
        free(all[k]);
}

static void test_convolutions_are_their_sums(void **state)
{
    static const geometry all[] = {
        {2, 3, 9, 11, 4, 3, 3, {.groups = 1, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}}, 0, 0},
        {2, 4, 12, 7, 6, 3, 2, {.groups = 2, .stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}}, 0, 0},
        {3, 5, 4, 6, 7, 1, 1, {.groups = 1, .stride = {1, 1}, .dilation = {1, 1}}, 0, 0},
        {1, 6, 8, 8, 6, 3, 3, {.groups = 6, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}}, 0, 0},
        {1, 2, 3, 3, 1, 1, 1, {.groups = 1, .stride = {2, 2}, .padding = {2, 1}, .dilation = {1, 1}}, 0, 0},
        /* more columns than are made at once: several blocks of rows, and rows longer than a block */
        {2,
         24,
         40,
         33,
         5,
         3,
         3,
         {.groups = 1, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}},
         0,
         0},
        {1,
         60,
         5,
         130,
         3,
         3,
         3,
         {.groups = 1, .stride = {1, 1}, .padding = {1, 0}, .dilation = {1, 1}},
         0,
         0},
        {1,
         60,
         5,
         260,
         2,
         1,
         5,
         {.groups = 1, .stride = {1, 2}, .padding = {0, 1}, .dilation = {1, 3}},
         0,
         0},
    };
    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        check_geometry(all[k], TP_F64);
        check_geometry(all[k], TP_F32);
    }
}

/* ---- Pooling: what the golden cases do not have ------------------------------------------------------------ */

static void test_nan_wins_and_padding_never_does(void **state)
{
    const double x[] = {-5, -7, NAN, -9, -3, -4, INFINITY, -1, -6};
    tp_tape *tape = tp_tape_create(NULL);
    double y[16];
    (void)state;
    const tp_tensor image = make_leaf(tape, TP_F64, TP_SHAPE(1, 1, 3, 3), x);
    compute(tp_max_pool2d(image, 2, 2, &(tp_pooling_options){.stride = {2, 2}, .padding = {1, 1}}), y);
    assert_same("maxima", y, (double[]){-5, NAN, INFINITY, -1}, 4);
    tp_tape_destroy(tape);
}

static void test_the_first_of_equals_has_the_gradient(void **state)
{
    const double ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    tp_tape *tape = tp_tape_create(NULL);
    double g[9];
    (void)state;
    const tp_tensor image = make_leaf(tape, TP_F64, TP_SHAPE(1, 1, 3, 3), ones);
    compute_gradient(tp_sum(tp_max_pool2d(image, 2, 2, &(tp_pooling_options){.stride = {1, 1}})), image, g);
    assert_same("gradient", g, (double[]){1, 1, 0, 1, 1, 0, 0, 0, 0}, 9);
    tp_tape_destroy(tape);
}

/* ---- Batch normalization ----------------------------------------------------------------------------------- */

/* One recording, which trains or evaluates as a leaf says. */
static void test_one_recording_trains_and_evaluates(void **state)
{
    const double x[] = {1, 3, 5, 7, 2, 2, 2, 6}; /* channel 0: 1 3 2 2, channel 1: 5 7 2 6 */
    tp_tape *tape = tp_tape_create(NULL);
    double y[8], expected[8], mean[2], variance[2];
    (void)state;
    const tp_tensor image = make_leaf(tape, TP_F64, TP_SHAPE(2, 2, 2), x),
                    training = make_leaf(tape, TP_F64, TP_SHAPE_0D, (double[]){1});
    const tp_batch_norm_options options = {
        .running_mean = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 0}),
        .running_variance = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){1, 1}),
        .training = training,
        .momentum = {true, 0.5},
        .epsilon = {true, 0},
    };
    tp_tensor update;
    const tp_tensor result = tp_batch_norm(image, &options, &update);
    tp_program *program = compile_all((tp_tensor[]){result, update}, 2);

    run_ok(program);
    get_values(result, y);
    for (int i = 0; i < 8; i++)
        expected[i] = (x[i] - (i / 2 % 2 == 0 ? 2 : 5)) / sqrt(i / 2 % 2 == 0 ? 0.5 : 3.5);
    assert_close("training", y, expected, 8, 1e-14);
    get_values(options.running_mean, mean);
    get_values(options.running_variance, variance);
    assert_close("running mean", mean, (double[]){1, 2.5}, 2, 1e-14);
    assert_close("running variance", variance, (double[]){0.5 + 1.0 / 3, 0.5 + 7.0 / 3}, 2, 1e-14);

    set_values(training, (double[]){0});
    run_ok(program);
    get_values(result, y);
    for (int i = 0; i < 8; i++)
        expected[i] = (x[i] - mean[i / 2 % 2]) / sqrt(variance[i / 2 % 2]);
    assert_close("evaluation", y, expected, 8, 1e-14);
    get_values(options.running_mean, y);
    assert_same("running mean, kept", y, mean, 2);
    get_values(options.running_variance, y);
    assert_same("running variance, kept", y, variance, 2);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions_are_their_sums),
        cmocka_unit_test(test_nan_wins_and_padding_never_does),
        cmocka_unit_test(test_the_first_of_equals_has_the_gradient),
        cmocka_unit_test(test_one_recording_trains_and_evaluates),
    };
    return cmocka_run_group_tests_name("convolution", tests, NULL, NULL);
}
