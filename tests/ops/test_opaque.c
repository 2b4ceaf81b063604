/* test_opaque.c -- callbacks as ops: values and gradients among recorded ops, what each method is worth, error bars, noise,
 * counts, threads, failing runs.  Their messages are in tests/tape/error_rows_opaque.h.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/check.h>
#include <tapir/losses.h>
#include <tapir/modes.h>
#include <tapir/opaque.h>

#include "values.h"

#undef tp_opaque /* in debug builds too, only what a test asks for is looked at */

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- Functions with known derivatives ------------------------------------------------------------------------ */

/* y = (x0 x1 + sin x2, exp x0 - x2^2, x1^3), here and as recorded ops. */
static int smooth(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)user;
    if (n != 3 || m != 3)
        return 1;
    y[0] = x[0] * x[1] + sin(x[2]);
    y[1] = exp(x[0]) - x[2] * x[2];
    y[2] = x[1] * x[1] * x[1];
    return 0;
}

static tp_tensor recorded_smooth(tp_tensor x)
{
    tp_tensor e[3];
    for (int k = 0; k < 3; k++)
        e[k] = tp_slice(x, 0, k, k + 1, 1);
    return tp_concat((tp_tensor[]){tp_add(tp_mul(e[0], e[1]), tp_sin(e[2])),
                                   tp_sub(tp_exp(e[0]), tp_square(e[2])), tp_mul(e[1], tp_square(e[1]))},
                     3, 0);
}

static int derivative_of_smooth(const double *x, size_t n, const double *g, size_t m, double *dx, void *user)
{
    (void)n, (void)m, (void)user;
    dx[0] = g[0] * x[1] + g[1] * exp(x[0]);
    dx[1] = g[0] * x[0] + g[2] * 3 * x[1] * x[1];
    dx[2] = g[0] * cos(x[2]) - g[1] * 2 * x[2];
    return 0;
}

static const double at[3] = {0.3, -1.2, 0.8};

/* A loss with ops on both sides of `function`, which maps 3 numbers to 3. */
static tp_tensor loss_around(tp_tensor x, tp_tensor y_of(tp_tensor, const tp_opaque_options *),
                             const tp_opaque_options *options)
{
    const tp_tensor inner = tp_mul(x, tp_add(tp_tanh(x), tp_scalar(x.tape, 1.5)));
    const tp_tensor y = y_of(inner, options);
    return tp_mean(tp_square(tp_sub(tp_exp(tp_scale(y, 0.25)), tp_scalar(x.tape, 0.5))));
}

static tp_tensor opaque_smooth(tp_tensor x, const tp_opaque_options *options)
{
    return tp_opaque(x, TP_SHAPE(3), smooth, NULL, options);
}

static tp_tensor open_smooth(tp_tensor x, const tp_opaque_options *options)
{
    (void)options;
    return recorded_smooth(x);
}

/* ---- Among other ops ------------------------------------------------------------------------------------------ */

static void compare_with_recorded(tp_dtype dtype, const tp_opaque_options *options, double tolerance)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, dtype, TP_SHAPE(3), at);
    double got[3], expected[3];

    compute(loss_around(x, opaque_smooth, options), got);
    compute(loss_around(x, open_smooth, NULL), expected);
    assert_close("value", got, expected, 1, dtype == TP_F32 ? 1e-6 : 1e-14);
    compute_gradient(loss_around(x, opaque_smooth, options), x, got);
    compute_gradient(loss_around(x, open_smooth, NULL), x, expected);
    assert_close("gradient", got, expected, 3, tolerance);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_it_composes(void **state)
{
    static const struct {
        tp_opaque_options options;
        double f64, f32;
    } rows[] = {
        {{.method = TP_OPAQUE_CENTRAL}, 1e-8, 1e-6},
        {{.method = TP_OPAQUE_FORWARD}, 1e-6, 2e-6},
        {{.method = TP_OPAQUE_RICHARDSON}, 1e-11, 1e-6},
        {{.derivative = derivative_of_smooth, .verify = true, .guard = true}, 1e-14, 1e-6},
        {{.method = TP_OPAQUE_CENTRAL, .guard = true, .verify = true, .thread_safe = true}, 1e-8, 1e-6},
        {{.method = TP_OPAQUE_CENTRAL, .noise = {true, 0}}, 1e-8, 1e-6},
        {{.method = TP_OPAQUE_CENTRAL, .step = 1e-4}, 1e-6, 2e-6},
    };
    (void)state;
    for (int k = 0; k < COUNT(rows); k++) {
        compare_with_recorded(TP_F64, &rows[k].options, rows[k].f64);
        compare_with_recorded(TP_F32, &rows[k].options, rows[k].f32);
    }
    compare_with_recorded(TP_F64, NULL, 1e-8);
}

/* Two callbacks in a row, one used twice, and its gradient beside that of recorded ops. */
static void test_several(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    const tp_opaque_options options = {.method = TP_OPAQUE_RICHARDSON};
    const tp_tensor one = opaque_smooth(x, &options), two = opaque_smooth(one, &options);
    const tp_tensor open = recorded_smooth(x), wide = recorded_smooth(open);
    double got[3], expected[3];

    (void)state;
    compute_gradient(tp_sum(tp_mul(tp_add(two, one), tp_mul(one, x))), x, got);
    compute_gradient(tp_sum(tp_mul(tp_add(wide, open), tp_mul(open, x))), x, expected);
    assert_close("gradient", got, expected, 3, 1e-9);
    tp_tape_destroy(tape);
}

static int count_elements(const double *x, size_t n, double *y, size_t m, void *user)
{
    double sum = 0;
    ++*(int *)user;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    for (size_t j = 0; j < m; j++)
        y[j] = sum * (double)(j + 1);
    return 0;
}

static void test_shapes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    const tp_tensor number = make_leaf(tape, TP_F64, TP_SHAPE_0D, (double[]){2});
    const tp_tensor nothing = make_leaf(tape, TP_F64, TP_SHAPE(0, 4), NULL);
    const tp_tensor turned = tp_permute(x, TP_AXES(1, 0));
    double got[6];
    int calls = 0;

    (void)state;
    compute(tp_opaque(turned, TP_SHAPE(2, 1), count_elements, &calls, NULL), got);
    assert_close("of a view", got, (double[]){21, 42}, 2, 0);
    compute_gradient(tp_sum(tp_opaque(turned, TP_SHAPE(2, 1), count_elements, &calls, NULL)), x, got);
    assert_close("of a view", got, (double[]){3, 3, 3, 3, 3, 3}, 6, 1e-9);
    assert_close("of a number",
                 &(double){compute_one(tp_opaque(number, TP_SHAPE_0D, count_elements, &calls, NULL))},
                 (double[]){2}, 1, 0);
    compute_gradient(tp_opaque(number, TP_SHAPE_0D, count_elements, &calls, NULL), number, got);
    assert_close("of a number", got, (double[]){1}, 1, 1e-9);
    compute(tp_opaque(nothing, TP_SHAPE(2), count_elements, &calls, NULL), got);
    assert_close("of nothing", got, (double[]){0, 0}, 2, 0);
    calls = 0;
    compute_gradient(tp_sum(tp_opaque(nothing, TP_SHAPE(2), count_elements, &calls, NULL)), nothing, got);
    assert_int_equal(calls, 1); /* the value */
    calls = 0;
    compute(tp_opaque(x, TP_SHAPE(3, 0), count_elements, &calls, NULL), got);
    compute_gradient(tp_sum(tp_opaque(x, TP_SHAPE(3, 0), count_elements, &calls, NULL)), x, got);
    assert_close("of no result", got, (double[]){0, 0, 0, 0, 0, 0}, 6, 0);
    assert_int_equal(calls, 0);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* Expressions of one callback are never one tensor, and it is called when the program runs, once each. */
static void test_it_is_called_when_run(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    int calls = 0;
    const tp_tensor a = tp_opaque(x, TP_SHAPE(1), count_elements, &calls, NULL),
                    b = tp_opaque(x, TP_SHAPE(1), count_elements, &calls, NULL);

    (void)state;
    assert_int_not_equal(a.id, b.id);
    tp_program *program = compile_all((tp_tensor[]){a, b}, 2);
    assert_int_equal(calls, 0);
    run_ok(program);
    assert_int_equal(calls, 2);
    run_ok(program);
    assert_int_equal(calls, 4);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- No second derivative --------------------------------------------------------------------------------------- */

static void test_no_second_derivative(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    const tp_tensor loss = loss_around(x, opaque_smooth, NULL);
    tp_tensor g, h;

    (void)state;
    assert_int_equal(tp_gradient(loss, &x, 1, &g), TP_OK);
    assert_int_equal(tp_gradient(tp_sum(g), &x, 1, &h), TP_NO_DERIVATIVE);
    assert_false(tp_is_valid(h));
    assert_error(tape, TP_NO_DERIVATIVE, "opaque_gradient has no derivative");
    assert_int_equal(tp_hessian_vector(loss, &x, &x, 1, &h), TP_NO_DERIVATIVE);
    assert_error(tape, TP_NO_DERIVATIVE, "opaque_gradient has no derivative");
    assert_int_equal(tp_jvp(loss, &x, &x, 1, &h), TP_NO_DERIVATIVE);
    assert_error(tape, TP_NO_DERIVATIVE, "opaque_gradient has no derivative");
    /* A loss whose gradient by w goes through the callback, but not the gradient's own dependence on w. */
    const tp_tensor w = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    const tp_tensor beside = tp_sum(tp_mul(tp_square(w), opaque_smooth(x, NULL)));
    assert_int_equal(tp_gradient(beside, &w, 1, &g), TP_OK);
    assert_int_equal(tp_gradient(tp_sum(g), &w, 1, &h), TP_OK);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Error bars --------------------------------------------------------------------------------------------------- */

typedef struct noisy {
    double size;        /* of the noise, uniform with this standard deviation */
    bool from_a_stream; /* equal calls differ */
    uint64_t stream;
} noisy;

static double noise_at(noisy *n, double seed)
{
    uint64_t z;
    memcpy(&z, &seed, sizeof z);
    if (n->from_a_stream)
        z = ++n->stream;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return n->size * 3.4641016151377544 * ((double)(z >> 11) * 0x1p-53 - 0.5);
}

static int noisy_smooth(const double *x, size_t n, double *y, size_t m, void *user)
{
    const int status = smooth(x, n, y, m, NULL);
    for (size_t j = 0; j < m; j++)
        y[j] += noise_at(user, y[j] + (double)j + x[0] * 1.7 + x[1] * 0.3 + x[2] * 2.9);
    return status;
}

/* At 40 points: how many of the elements lie within their bars, and how large the bars and the errors are. */
typedef struct coverage {
    int within, all;
    double bar, error; /* their roots of mean squares */
    double noise;      /* the largest that was reported */
} coverage;

static coverage cover(tp_opaque_function function, void *user, tp_opaque_options options)
{
    tp_tape *tape = tp_tape_create(NULL);
    double bar[3], x_value[3], got[3], expected[3];
    tp_opaque_report report = {.error_bars = bar};
    const double weight[3] = {1, -0.7, 0.4};
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    generator random = seeded(5);
    coverage c = {0};
    tp_tensor g;

    options.report = &report;
    const tp_tensor y = tp_opaque(x, TP_SHAPE(3), function, user, &options);
    tp_gradient(tp_sum(tp_mul(y, make_constant(tape, TP_F64, TP_SHAPE(3), weight))), &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    assert_non_null(program);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 3; i++)
            x_value[i] = next_between(&random, -2, 2);
        set_values(x, x_value);
        run_ok(program);
        get_values(g, got);
        derivative_of_smooth(x_value, 3, weight, 3, expected, NULL);
        for (int i = 0; i < 3; i++, c.all++) {
            c.within += fabs(got[i] - expected[i]) <= bar[i];
            c.bar += bar[i] * bar[i] / 120;
            c.error += pow(got[i] - expected[i], 2) / 120;
            assert_true(bar[i] <= report.error_bar);
        }
        assert_true(report.error_bar == bar[report.worst]);
        c.noise = fmax(c.noise, report.noise);
    }
    c.bar = sqrt(c.bar);
    c.error = sqrt(c.error);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return c;
}

static void test_error_bars(void **state)
{
    static const struct {
        const char *what;
        tp_opaque_options options;
        noisy noise;
        double error; /* at most, in the mean */
        int within;   /* percent */
    } rows[] = {
        {"central", {.method = TP_OPAQUE_CENTRAL}, {.size = 0}, 2e-9, 100},
        {"forward", {.method = TP_OPAQUE_FORWARD}, {.size = 0}, 4e-7, 100},
        {"richardson", {.method = TP_OPAQUE_RICHARDSON}, {.size = 0}, 1e-11, 100},
        {"central, 1e-6", {.method = TP_OPAQUE_CENTRAL}, {.size = 1e-6}, 1e-3, 95},
        {"forward, 1e-6", {.method = TP_OPAQUE_FORWARD}, {.size = 1e-6}, 2e-2, 95},
        {"richardson, 1e-6", {.method = TP_OPAQUE_RICHARDSON}, {.size = 1e-6}, 4e-4, 95},
        {"central, 1e-3", {.method = TP_OPAQUE_CENTRAL}, {.size = 1e-3}, 0.1, 95},
        {"central, 1e-3, told",
         {.method = TP_OPAQUE_CENTRAL, .noise = {true, 1e-3}},
         {.size = 1e-3},
         0.1,
         95},
        {"central, stream",
         {.method = TP_OPAQUE_CENTRAL, .stochastic = true, .verify = true, .guard = true},
         {.size = 1e-4, .from_a_stream = true},
         3e-2,
         95},
        {"richardson, stream",
         {.method = TP_OPAQUE_RICHARDSON, .stochastic = true},
         {.size = 1e-4, .from_a_stream = true},
         3e-2,
         95},
    };
    (void)state;
    for (int k = 0; k < COUNT(rows); k++) {
        noisy noise = rows[k].noise;
        const coverage c = cover(noisy_smooth, &noise, rows[k].options);
        if (100 * c.within < rows[k].within * c.all)
            fail_msg("%s: %d of %d elements are within their error bars", rows[k].what, c.within, c.all);
        if (!(c.error <= rows[k].error))
            fail_msg("%s: an error of %g", rows[k].what, c.error);
        if (!(c.bar <= 300 * c.error)) /* a bar that says nothing is none */
            fail_msg("%s: bars of %g for errors of %g", rows[k].what, c.bar, c.error);
        if (rows[k].noise.size > 0 &&
            !(c.noise < 10 * rows[k].noise.size && c.noise > rows[k].noise.size / 2))
            fail_msg("%s: a noise of %g", rows[k].what, c.noise);
    }
}

/* Steps are relative to x: the same accuracy for numbers of any size. */
static int cube(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)n, (void)m, (void)user;
    y[0] = x[0] * x[0] * x[0];
    return 0;
}

static void test_scales(void **state)
{
    static const double sizes[] = {1e-8, 1e-3, 1, 1e6, 1e12};
    (void)state;
    for (int k = 0; k < COUNT(sizes); k++)
        for (int method = TP_OPAQUE_CENTRAL; method <= TP_OPAQUE_RICHARDSON; method++) {
            tp_tape *tape = tp_tape_create(NULL);
            const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(1), &sizes[k]);
            const tp_opaque_options options = {.method = (tp_opaque_method)method, .typical = 1e-10};
            double got;
            compute_gradient(tp_opaque(x, TP_SHAPE_0D, cube, NULL, &options), x, &got);
            got /= 3 * sizes[k] * sizes[k];
            assert_close("ratio", &got, (double[]){1}, 1, method == TP_OPAQUE_FORWARD ? 2e-7 : 1e-8);
            tp_tape_destroy(tape);
        }
}

/* ---- SPSA ------------------------------------------------------------------------------------------------------------ */

static int weighted(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)m, (void)user;
    y[0] = 0;
    for (size_t i = 0; i < n; i++)
        y[0] += (double)(i + 1) * sin(x[i]);
    return 0;
}

static void test_spsa(void **state)
{
    enum { N = 5, RUNS = 60 };
    const double x_value[N] = {0.1, -0.5, 1, 2, -1};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(N), x_value);
    double bar[N], got[N], first[N], mean[N] = {0};
    tp_opaque_report report = {.error_bars = bar};
    int within = 0;
    tp_tensor g;

    (void)state;
    const tp_tensor y =
        tp_opaque(x, TP_SHAPE_0D, weighted, NULL,
                  &(tp_opaque_options){
                      .method = TP_OPAQUE_SPSA, .directions = 20, .noise = {true, 0}, .report = &report});
    tp_gradient(y, &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    for (int run = 0; run < RUNS; run++) {
        run_ok(program);
        get_values(g, got);
        if (run == 0)
            memcpy(first, got, sizeof got);
        assert_int_equal(report.gradient_evaluations, 40);
        for (int i = 0; i < N; i++) {
            mean[i] += got[i] / RUNS;
            within += fabs(got[i] - (i + 1) * cos(x_value[i])) <= bar[i];
        }
    }
    assert_true(first[0] != got[0] || first[1] != got[1]); /* new directions each run */
    assert_true(within >= 97 * N * RUNS / 100);
    for (int i = 0; i < N; i++)
        assert_true(fabs(mean[i] - (i + 1) * cos(x_value[i])) < 0.5 && bar[i] < 6);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Parameter shift --------------------------------------------------------------------------------------------------- */

/* The expectation of Z on the second qubit after RY(x0) on the first, a CNOT, and RY(x1) on the second; and of ZZ. */
static int circuit(const double *x, size_t n, double *y, size_t m, void *user)
{
    const double c0 = cos(x[0] / 2), s0 = sin(x[0] / 2), c1 = cos(x[1] / 2), s1 = sin(x[1] / 2);
    /* amplitudes of 00, 01, 10, 11: after RY and CNOT, 00 and 11 */
    const double a00 = c0 * c1, a01 = c0 * s1, a10 = -s0 * s1, a11 = s0 * c1;
    (void)n, (void)m;
    ++*(int *)user;
    y[0] = a00 * a00 - a01 * a01 + a10 * a10 - a11 * a11;
    y[1] = a00 * a00 - a01 * a01 - a10 * a10 + a11 * a11;
    return 0;
}

static void test_parameter_shift(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double a = 0.7, b = -2.1;
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){a, b});
    const tp_opaque_options options = {.method = TP_OPAQUE_PARAMETER_SHIFT};
    const tp_tensor y = tp_opaque(x, TP_SHAPE(2), circuit, &(int){0}, &options);
    int calls = 0;
    double got[2];

    (void)state;
    compute(y, got);
    assert_close("expectation", got, (double[]){cos(a) * cos(b), cos(b)}, 2, 1e-15);
    const tp_tensor counted = tp_opaque(x, TP_SHAPE(2), circuit, &calls, &options);
    const tp_tensor energy =
        tp_sum(tp_mul(tp_square(counted), make_constant(tape, TP_F64, TP_SHAPE(2), (double[]){1, 3})));
    compute_gradient(energy, x, got);
    assert_int_equal(calls, 1 + 4);
    const double by_y[2] = {2 * cos(a) * cos(b), 6 * cos(b)};
    assert_close("gradient", got,
                 (double[]){-by_y[0] * sin(a) * cos(b), -by_y[0] * cos(a) * sin(b) - by_y[1] * sin(b)}, 2,
                 4e-15);
    tp_tape_destroy(tape);
}

/* ---- Counts -------------------------------------------------------------------------------------------------------------- */

static void expect_counts(tp_dtype dtype, tp_opaque_options options, bool bars, int64_t expected)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, dtype, TP_SHAPE(2, 5), (double[10]){0});
    tp_opaque_report report = {.no_error_bars = !bars};
    int calls = 0;
    tp_tensor g;

    options.report = &report;
    tp_gradient(tp_sum(tp_opaque(x, TP_SHAPE(3), count_elements, &calls, &options)), &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    for (int run = 1; run <= 3; run++) {
        run_ok(program);
        assert_int_equal(report.gradient_evaluations, expected);
        assert_int_equal(report.evaluations, run * (expected + 1)); /* and the value */
        assert_int_equal(report.evaluations, calls);
        assert_int_equal(report.gradients, run);
        assert_true(bars == isfinite(report.error_bar));
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_counts(void **state)
{
    const tp_optional_number rounding = {true, 0};
    (void)state;
    expect_counts(TP_F64, (tp_opaque_options){.noise = rounding}, false, 20);
    expect_counts(TP_F64, (tp_opaque_options){.noise = rounding}, true, 40);
    expect_counts(TP_F64, (tp_opaque_options){.noise = {true, 1e-9}, .typical = 2}, false, 20);
    expect_counts(TP_F64, (tp_opaque_options){.step = 1e-3}, false, 20);
    expect_counts(TP_F64, (tp_opaque_options){.method = TP_OPAQUE_FORWARD, .noise = rounding}, false, 10);
    expect_counts(TP_F64, (tp_opaque_options){.method = TP_OPAQUE_FORWARD, .noise = rounding}, true, 20);
    expect_counts(TP_F32, (tp_opaque_options){.method = TP_OPAQUE_FORWARD, .noise = rounding}, false, 11);
    expect_counts(TP_F64, (tp_opaque_options){.method = TP_OPAQUE_SPSA, .noise = rounding}, false, 2);
    expect_counts(TP_F64, (tp_opaque_options){.method = TP_OPAQUE_PARAMETER_SHIFT}, false, 20);
    expect_counts(TP_F64, (tp_opaque_options){.method = TP_OPAQUE_CENTRAL, .step = 1e-3}, true, 40 + 7);
}

static void test_zero_adjoint(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    int calls = 0;
    const tp_tensor y = tp_opaque(x, TP_SHAPE(2), count_elements, &calls, NULL);
    double got[3];

    (void)state;
    compute_gradient(tp_sum(tp_relu(tp_sub(tp_abs(y), tp_scalar(tape, 100)))), x, got);
    assert_close("gradient", got, (double[]){0, 0, 0}, 3, 0);
    assert_int_equal(calls, 1);
    tp_tape_destroy(tape);
}

/* ---- The user's own derivative ---------------------------------------------------------------------------------------------- */

static int absolute(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)n, (void)user;
    for (size_t j = 0; j < m; j++)
        y[j] = fabs(x[j]);
    return 0;
}

static int slope_of_absolute(const double *x, size_t n, const double *g, size_t m, double *dx, void *user)
{
    (void)m;
    for (size_t i = 0; i < n; i++)
        dx[i] = (x[i] > 0 ? 1 : x[i] < 0 ? -1 : *(double *)user) * g[i];
    return 0;
}

static tp_status verify_absolute(double at_kink)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){2, 0, -3});
    const tp_tensor y = tp_opaque(x, TP_SHAPE(3), absolute, &at_kink,
                                  &(tp_opaque_options){.derivative = slope_of_absolute, .verify = true});
    tp_tensor g;
    tp_gradient(tp_sum(y), &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    const tp_status status = tp_run(program);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return status;
}

static void test_derivatives_are_verified(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    tp_opaque_report report = {0};
    tp_tensor g;

    (void)state;
    assert_int_equal(verify_absolute(0), TP_OK);
    assert_int_equal(verify_absolute(-0.5), TP_OK);
    assert_int_equal(verify_absolute(1), TP_OK);
    assert_int_equal(verify_absolute(1.5), TP_BAD_VALUE);
    assert_int_equal(verify_absolute(NAN), TP_BAD_VALUE);
    /* in the first run alone */
    const tp_tensor y = tp_opaque(
        x, TP_SHAPE(3), smooth, NULL,
        &(tp_opaque_options){.derivative = derivative_of_smooth, .verify = true, .report = &report});
    tp_gradient(tp_sum(y), &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    run_ok(program);
    assert_true(report.gradient_evaluations > 0);
    const int64_t evaluations = report.evaluations;
    run_ok(program);
    assert_int_equal(report.evaluations, evaluations + 1);
    assert_int_equal(report.derivatives, 2);
    assert_true(report.error_bar == 0);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* The gradient checker sees an opaque function as any other op. */
static void test_the_checker_takes_it(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(3), at);
    const tp_opaque_options options = {.method = TP_OPAQUE_RICHARDSON};
    const tp_opaque_options wrong = {.method = TP_OPAQUE_FORWARD, .step = 0.1};
    tp_check_report report;

    (void)state;
    if (!tp_check_recorded(loss_around(x, opaque_smooth, &options), &x, 1, NULL, &report))
        fail_msg("%s", report.message);
    assert_false(tp_check_recorded(loss_around(x, opaque_smooth, &wrong), &x, 1, NULL, &report));
    assert_string_equal(report.fault_op, "opaque");
    tp_tape_destroy(tape);
}

/* ---- Threads ------------------------------------------------------------------------------------------------------------------- */

static int many(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)user;
    for (size_t j = 0; j < m; j++)
        y[j] = sin(x[j % n] * (double)(j + 1)) * x[(j + 1) % n];
    return 0;
}

static void gradient_by(tp_opaque_options options, double *got, int64_t *evaluations)
{
    tp_tape *tape = tp_tape_create(NULL);
    double value[17];
    tp_opaque_report report = {0};
    for (int i = 0; i < 17; i++)
        value[i] = 0.1 * i - 0.7;
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(17), value);
    options.report = &report;
    compute_gradient(tp_sum(tp_exp(tp_opaque(x, TP_SHAPE(9), many, NULL, &options))), x, got);
    *evaluations = report.evaluations;
    tp_tape_destroy(tape);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    for (int method = TP_OPAQUE_CENTRAL; method <= TP_OPAQUE_PARAMETER_SHIFT; method++) {
        tp_opaque_options options = {.method = (tp_opaque_method)method, .directions = 7};
        double alone[17], together[17];
        int64_t alone_count, together_count;
        gradient_by(options, alone, &alone_count);
        options.thread_safe = true;
        gradient_by(options, together, &together_count);
        assert_same("gradient", together, alone, 17);
        assert_int_equal(together_count, alone_count);
    }
}

/* The error is that of the first element that fails, whichever thread comes to it first. */
static int fails_on_the_right(const double *x, size_t n, double *y, size_t m, void *user)
{
    (void)m, (void)user;
    y[0] = x[0];
    for (size_t i = 5; i < n; i++)
        if (x[i] > 1)
            return (int)i;
    return 0;
}

static void test_the_first_failure_is_told(void **state)
{
    (void)state;
    for (int threads = 0; threads < 2; threads++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = tp_full(tape, TP_F64, TP_SHAPE(16), 1);
        const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(16), (double[16]){0});
        const tp_tensor counter = make_leaf(tape, TP_F64, TP_SHAPE_0D, (double[]){5});
        const tp_opaque_options options = {.thread_safe = threads == 1, .step = 0.125};
        const tp_tensor y = tp_opaque(tp_add(x, leaf), TP_SHAPE(1), fails_on_the_right, NULL, &options);
        tp_tensor g;
        tp_gradient(tp_sum(y), &leaf, 1, &g);
        const tp_tensor step = tp_assign(leaf, g), count = tp_assign(counter, tp_scale(counter, 2));
        tp_program *program = tp_compile((tp_tensor[]){step, count}, 2, NULL);
        double value[16];
        assert_int_equal(tp_run(program), TP_BAD_VALUE);
        assert_error(tape, TP_BAD_VALUE, "the callback returned 5, with x[5] moved by 0.125");
        get_values(counter, value); /* nothing was assigned */
        assert_true(value[0] == 5);
        get_values(leaf, value);
        assert_true(value[0] == 0);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* ---- Bad handles ----------------------------------------------------------------------------------------------------------------- */

static void test_bad_handles(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), at);
    (void)state;
    assert_null(tp_opaque((tp_tensor){0}, TP_SHAPE(3), smooth, NULL, NULL).tape);
    assert_null(tp_opaque_verified((tp_tensor){0}, TP_SHAPE(3), smooth, NULL, NULL).tape);
    assert_null(tp_opaque((tp_tensor){0}, TP_SHAPE(3), NULL, NULL, NULL).tape);
    const tp_tensor poison = {.tape = tape, .id = -1};
    assert_false(tp_is_valid(tp_opaque(poison, TP_SHAPE(3), NULL, NULL, NULL)));
    assert_false(tp_is_valid(tp_opaque_verified(poison, TP_SHAPE(3), smooth, NULL, NULL)));
    assert_no_error(tape);
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor stale = tp_exp(x);
    tp_tape_rewind(mark);
    assert_false(tp_is_valid(tp_opaque(stale, TP_SHAPE(3), smooth, NULL, NULL)));
    assert_error(tape, TP_BAD_HANDLE, "opaque: operand 0 is stale");
    assert_false(tp_is_valid(tp_opaque(tp_scalar(tape, 1), TP_SHAPE(3), smooth, NULL, NULL)));
    assert_error(tape, TP_BAD_DTYPE, "opaque: a weak scalar has no dtype here");
    assert_false(tp_is_valid(tp_opaque(x, (tp_shape){.rank = -1}, smooth, NULL, NULL)));
    assert_error(tape, TP_BAD_SHAPE, "opaque: ");
    assert_false(tp_is_valid(tp_opaque(x, (tp_shape){.rank = 9}, smooth, NULL, NULL)));
    assert_error(tape, TP_BAD_SHAPE, "opaque: ");
    assert_false(tp_is_valid(tp_opaque(x, TP_SHAPE(2, -1), smooth, NULL, NULL)));
    assert_error(tape, TP_BAD_SHAPE, "opaque: ");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_composes),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_it_is_called_when_run),
        cmocka_unit_test(test_no_second_derivative),
        cmocka_unit_test(test_error_bars),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_spsa),
        cmocka_unit_test(test_parameter_shift),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_zero_adjoint),
        cmocka_unit_test(test_derivatives_are_verified),
        cmocka_unit_test(test_the_checker_takes_it),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_the_first_failure_is_told),
        cmocka_unit_test(test_bad_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
