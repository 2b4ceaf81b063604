/* test_random.c -- the distributions of the random ops, by statistics with fixed seeds: each number is compared with what
 * it is in the limit, within five standard deviations or the quantile that goes with one in a million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <tapir/check.h>

#include "normal_quantile.h"
#include "values.h"

enum { N = 200000 };

/* ---- Drawing ----------------------------------------------------------------------------------------------- */

/* The values of a program's output after its next run; the buffer holds them until the next call of the same slot. */
static const double *run_and_read(tp_program *program, tp_tensor y, int slot)
{
    static double value[2][N];
    run_ok(program);
    const void *data = tp_values(y, tp_dtype_of(y));
    for (int64_t i = 0; i < tp_count_of(y); i++)
        value[slot][i] = tp_dtype_of(y) == TP_F32   ? (double)((const float *)data)[i]
                         : tp_dtype_of(y) == TP_F64 ? ((const double *)data)[i]
                                                    : (double)((const int32_t *)data)[i];
    return value[slot];
}

static tp_program *compile_free(tp_tensor y)
{
    tp_program *program = tp_compile(&y, 1, NULL);
    assert_non_null(program);
    return program;
}

/* ---- Statistics -------------------------------------------------------------------------------------------- */

/* The mean of x^power. */
static double moment(const double *x, int64_t n, int power)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += pow(x[i], power);
    return sum / (double)n;
}

static double correlation(const double *x, const double *y, int64_t n)
{
    const double mx = moment(x, n, 1), my = moment(y, n, 1);
    double xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    return xy / sqrt(xx * yy);
}

/* `got` has mean `expected` and standard deviation `deviation` in theory. */
static void assert_within(const char *what, double got, double expected, double deviation)
{
    if (!(fabs(got - expected) < 5 * deviation))
        fail_msg("%s is %g: %g standard deviations from %g", what, got, (got - expected) / deviation,
                 expected);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: the largest distance from the distribution function, times the root of n, is beyond 2.7 once in a
 * million. */
static void assert_distributed(const char *what, const double *x, int64_t n, double (*cdf)(double))
{
    static double sorted[N];
    double largest = 0;
    memcpy(sorted, x, (size_t)n * sizeof *x);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (int64_t i = 0; i < n; i++) {
        const double f = cdf(sorted[i]);
        largest = fmax(largest, fmax(fabs(f - (double)i / (double)n), fabs(f - (double)(i + 1) / (double)n)));
    }
    if (!(largest * sqrt((double)n) < 2.7))
        fail_msg("%s: Kolmogorov-Smirnov statistic %g", what, largest * sqrt((double)n));
}

/* Chi-square of `cells` counts that should be alike: within five standard deviations of its mean. */
static void assert_even(const char *what, const int64_t *count, int64_t cells)
{
    int64_t total = 0;
    double chi = 0;
    for (int64_t k = 0; k < cells; k++)
        total += count[k];
    const double expected = (double)total / (double)cells;
    for (int64_t k = 0; k < cells; k++)
        chi += ((double)count[k] - expected) * ((double)count[k] - expected) / expected;
    assert_within(what, chi, (double)cells - 1, sqrt(2 * ((double)cells - 1)));
}

static double uniform_cdf(double x)
{
    return fmin(fmax(x, 0), 1);
}

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

/* ---- uniform ----------------------------------------------------------------------------------------------- */

static void test_uniform(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 41});
        const tp_tensor y = tp_uniform(tape, (tp_dtype)dtype, TP_SHAPE(N));
        tp_program *program = compile_free(y);
        const double *x = run_and_read(program, y, 0);
        int64_t count[256] = {0}, pair[256] = {0};

        assert_within("mean", moment(x, N, 1), 0.5, sqrt(1.0 / 12 / N));
        assert_within("mean square", moment(x, N, 2), 1.0 / 3, sqrt(4.0 / 45 / N));
        assert_distributed("uniform", x, N, uniform_cdf);
        for (int i = 0; i < N; i++) {
            count[(int)(x[i] * 256)]++;
            pair[(int)(x[i] * 16) * 16 + (int)(x[(i + 1) % N] * 16)] += i % 2 == 0;
        }
        assert_even("chi-square of 256 cells", count, 256);
        assert_even("chi-square of neighbours", pair, 256);
        assert_within("correlation of neighbours", correlation(x, x + 1, N - 1), 0, 1 / sqrt(N));
        assert_within("correlation four apart", correlation(x, x + 4, N - 4), 0, 1 / sqrt(N));
        assert_within("correlation of runs", correlation(x, run_and_read(program, y, 1), N), 0, 1 / sqrt(N));
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* ---- normal ------------------------------------------------------------------------------------------------ */

static void test_normal(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 42});
        const tp_tensor y = tp_normal(tape, (tp_dtype)dtype, TP_SHAPE(2, N / 2));
        tp_program *program = compile_free(y);
        const double *x = run_and_read(program, y, 0);
        int64_t beyond = 0;

        assert_within("mean", moment(x, N, 1), 0, 1 / sqrt(N));
        assert_within("variance", moment(x, N, 2), 1, sqrt(2.0 / N));
        assert_within("skewness", moment(x, N, 3), 0, sqrt(15.0 / N));
        assert_within("kurtosis", moment(x, N, 4), 3, sqrt(96.0 / N));
        assert_distributed("normal", x, N, normal_cdf);
        for (int i = 0; i < N; i++)
            beyond += fabs(x[i]) > 3;
        const double p = erfc(3 / sqrt(2));
        assert_within("beyond 3", (double)beyond / N, p, sqrt(p / N));
        assert_within("correlation of neighbours", correlation(x, x + 1, N - 1), 0, 1 / sqrt(N));
        assert_within("correlation of runs", correlation(x, run_and_read(program, y, 1), N), 0, 1 / sqrt(N));
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* The quantiles of the words: uniform numbers of the same tape, node and run are their upper bits. */
static void test_normal_is_the_quantile_of_the_words(void **state)
{
    enum { M = 4000 };
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    const tp_tensor z = tp_normal(tape, TP_F64, TP_SHAPE(M)), u = tp_uniform(other, TP_F64, TP_SHAPE(M));
    static double got[M], part[M];
    (void)state;
    compute(z, got);
    compute(u, part);
    for (int i = 0; i < M; i++) {
        /* Below z lies u, but for the bits that u lacks. */
        const double lower = part[i] < 0.5 ? part[i] : 1 - part[i], beyond = normal_cdf(-fabs(got[i]));
        assert_true((got[i] < 0) == (part[i] < 0.5));
        assert_true(fabs(beyond - lower) <= 0x1p-52 + 4e-15 * lower);
    }
    tp_tape_destroy(tape);
    tp_tape_destroy(other);
}

/* Against the distribution function in long double, into the farthest tail: d z = d u / density. */
static void test_quantiles_are_accurate(void **state)
{
    (void)state;
    for (double exponent = 1; exponent < 63; exponent += 0.01) {
        const double u = exp2(-exponent);
        const double z = u < TP__QUANTILE_CENTRE ? tp__quantile_tail(u) : tp__quantile_centre(u);
        const long double at = z, part = erfcl(at / sqrtl(2)) / 2;
        const long double density = expl(-at * at / 2) / sqrtl(2 * acosl(-1));
        const long double error = (part - (long double)u) / density;
        if (!(fabsl(error) <= 1.5e-15L * fmaxl(at, 0.1L)))
            fail_msg("the quantile of 2^-%g is %.17g: off by %Lg", exponent, z, error);
    }
}

/* Philox's known answers for a counter and a key of zero (tests/tape/test_random.c), as quantiles. */
static void test_known_answer(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    double z[4];
    (void)state;
    compute(tp_normal(tape, TP_F32, TP_SHAPE(4)), z);
    assert_same("normal", z, (double[]){-0x1.05f4ap-2, 0x1.2d769ep+0, 0x1.42a76ep-1, 0x1.11fbd6p-2}, 4);
    tp_tape_destroy(tape);
}

/* ---- bernoulli ---------------------------------------------------------------------------------------------- */

static void test_bernoulli(void **state)
{
    static const double probability[] = {0.5, 0.1, 0.003, 0.75, 0.9999};
    (void)state;
    for (size_t k = 0; k < sizeof probability / sizeof *probability; k++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 43});
        const double p = probability[k];
        const tp_tensor y = tp_bernoulli(tape, TP_F32, TP_SHAPE(N), p);
        tp_program *program = compile_free(y);
        const double *x = run_and_read(program, y, 0);
        int64_t both = 0;
        for (int i = 0; i < N; i++) {
            assert_true(x[i] == 0 || x[i] == 1);
            both += x[i] == 1 && x[(i + 1) % N] == 1;
        }
        assert_within("frequency", moment(x, N, 1), p, sqrt(p * (1 - p) / N));
        assert_within("frequency of pairs", (double)both / N, p * p, sqrt(3 * p * p * (1 - p * p) / N));
        assert_within("correlation of runs", correlation(x, run_and_read(program, y, 1), N), 0, 1 / sqrt(N));
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

static void test_bernoulli_in_every_dtype_is_one_pattern(void **state)
{
    enum { M = 1000 };
    static double value[3][M];
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_I32; dtype++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 44});
        compute(tp_bernoulli(tape, (tp_dtype)dtype, TP_SHAPE(M), 0.3), value[dtype]);
        tp_tape_destroy(tape);
    }
    assert_same("f64", value[1], value[0], M);
    assert_same("i32", value[2], value[0], M);
}

static void test_certain_outcomes_are_known_numbers(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    double value;
    (void)state;
    assert_true(tp_is_scalar_constant(tp_bernoulli(tape, TP_F32, TP_SHAPE(4), 0), &value) && value == 0);
    assert_true(tp_is_scalar_constant(tp_bernoulli(tape, TP_I32, TP_SHAPE(4), 1), &value) && value == 1);
    assert_true(tp_is_scalar_constant(tp_bernoulli(tape, TP_F64, TP_SHAPE(4), 1e-12), &value) && value == 0);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- permutation ---------------------------------------------------------------------------------------------- */

static void test_permutations_hold_every_number_once(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 1000, 100000};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 45});
        const int64_t n = sizes[k];
        const tp_tensor y = tp_permutation(tape, n);
        tp_program *program = compile_free(y);
        assert_int_equal(tp_dtype_of(y), TP_I32);
        assert_true(tp_shape_equal(tp_shape_of(y), TP_SHAPE(n)));
        for (int run = 0; run < 2; run++) {
            const double *x = run_and_read(program, y, 0);
            char *seen = calloc((size_t)n + 1, 1);
            assert_non_null(seen);
            for (int64_t i = 0; i < n; i++) {
                assert_true(x[i] >= 0 && x[i] < (double)n && seen[(int64_t)x[i]] == 0);
                seen[(int64_t)x[i]] = 1;
            }
            free(seen);
        }
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* All 24 orders of four numbers; and where each of ten numbers goes. */
static void test_permutations_are_even(void **state)
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 46});
    const tp_tensor four = tp_permutation(tape, 4), ten = tp_permutation(tape, 10);
    tp_program *program = tp_compile((tp_tensor[]){four, ten}, 2, NULL);
    int64_t order[256] = {0}, place[100] = {0}, dense[24];
    int orders = 0;
    (void)state;

    for (int run = 0; run < 24000; run++) {
        int32_t a[4], b[10];
        run_ok(program);
        tp_read(four, a, 4);
        tp_read(ten, b, 10);
        order[a[0] * 64 + a[1] * 16 + a[2] * 4 + a[3]]++;
        for (int i = 0; i < 10; i++)
            place[i * 10 + b[i]]++;
    }
    for (int k = 0; k < 256; k++)
        if (order[k] > 0 && orders < 24)
            dense[orders++] = order[k];
    assert_int_equal(orders, 24);
    assert_even("chi-square of 24 orders", dense, 24);
    assert_even("chi-square of the places", place, 100);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- dropout ------------------------------------------------------------------------------------------------- */

/* Every run draws anew, and the gradient goes through the elements that this run kept. */
static void test_dropout_and_its_gradient_share_a_mask(void **state)
{
    enum { M = 5000 };
    static double ones[M], y[M], g[M], before[M];
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 47});
    const double p = 0.3, scale = 1 / (1 - p);
    (void)state;

    for (int i = 0; i < M; i++)
        ones[i] = i % 7 == 0 ? NAN : 2;
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(M), ones), out = tp_dropout(x, p, true);
    tp_tensor gradient;
    assert_int_equal(tp_gradient(tp_sum(tp_scale(out, 3)), &x, 1, &gradient), TP_OK);
    tp_program *program = tp_compile((tp_tensor[]){out, gradient}, 2, NULL);
    for (int run = 0; run < 3; run++) {
        int kept = 0, changed = 0;
        run_ok(program);
        get_values(out, y);
        get_values(gradient, g);
        for (int i = 0; i < M; i++) {
            const bool keeps = g[i] != 0;
            assert_true(g[i] == 0 || g[i] == 3 * scale);
            assert_true(same_f64(y[i], keeps ? ones[i] * scale : 0)); /* what is dropped is 0, NaN or not */
            changed += run > 0 && keeps != (before[i] != 0);
            kept += keeps;
        }
        assert_within("kept", (double)kept / M, 1 - p, sqrt(p * (1 - p) / M));
        if (run > 0)
            assert_within("changed", (double)changed / M, 2 * p * (1 - p), sqrt(0.25 / M));
        memcpy(before, g, sizeof g);
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_dropout_of_nothing_and_of_all(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double value[] = {1, NAN, 3};
    double y[3], g[3];
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(3), value);
    (void)state;

    assert_int_equal(tp_dropout(x, 0, true).id, x.id);
    assert_int_equal(tp_dropout(x, 0.5, false).id, x.id);
    assert_int_equal(tp_dropout(x, 1, false).id, x.id);
    const tp_tensor none = tp_dropout(x, 1, true);
    compute(none, y);
    compute_gradient(tp_sum(tp_mul(none, none)), x, g);
    assert_same("all dropped", y, (double[]){0, 0, 0}, 3);
    assert_same("its gradient", g, (double[]){0, 0, 0}, 3);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Together ---------------------------------------------------------------------------------------------- */

/* The gradient checker sees one draw, whatever is drawn. */
static tp_tensor noisy_loss(const tp_tensor *x, void *user)
{
    tp_tape *tape = x[0].tape;
    const tp_shape shape = tp_shape_of(x[0]);
    (void)user;
    const tp_tensor noise = tp_normal(tape, TP_F32, shape), order = tp_permutation(tape, shape.dim[0]);
    const tp_tensor seen = tp_index_select(tp_dropout(tp_square(x[0]), 0.4, true), order, 0);
    return tp_mean(tp_mul(seen, tp_add(noise, tp_bernoulli(tape, TP_F32, shape, 0.5))));
}

static void test_the_checker_freezes_what_is_random(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double value[] = {1, -2, 3, 0.5, -1.5, 2.5};
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(3, 2), value);
    tp_check_report report;
    (void)state;
    tp_check_gradient(noisy_loss, NULL, &x, 1, NULL, &report);
    if (report.verdict != TP_CHECK_PASSED)
        fail_msg("%s", report.message);
    tp_tape_destroy(tape);
}

/* The same bits for 1 to 4 threads, and by the reference executor; and an element does not depend on how many there are. */
static void test_threads_do_not_matter(void **state)
{
    enum { M = 3001 };
    static double value[5][3 * M];
    (void)state;
    for (int threads = 0; threads <= 4; threads++) {
#ifdef _OPENMP
        omp_set_num_threads(threads > 0 ? threads : 1);
#endif
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 48});
        const tp_tensor y[] = {tp_normal(tape, TP_F32, TP_SHAPE(M)),
                               tp_bernoulli(tape, TP_F64, TP_SHAPE(M), 0.2), tp_permutation(tape, M)};
        tp_program *program = tp_compile(
            y, 3, &(tp_compile_options){.reference = threads == 0, .always_parallel = threads > 0});
        run_ok(program);
        for (int k = 0; k < 3; k++)
            get_values(y[k], value[threads] + k * M);
        assert_same("threads", value[threads], value[0], 3 * M);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

static void test_an_element_depends_on_its_index_alone(void **state)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 127, 255, 256, 257, 1000};
    static double whole[1000], part[1000];
    (void)state;
    for (int which = 0; which < 5; which++)
        for (int k = (int)(sizeof sizes / sizeof *sizes) - 1; k >= 0; k--) {
            tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 49});
            const tp_dtype dtype = which % 2 ? TP_F64 : TP_F32;
            const tp_shape shape = TP_SHAPE(sizes[k]);
            compute(which < 2   ? tp_uniform(tape, dtype, shape)
                    : which < 4 ? tp_normal(tape, dtype, shape)
                                : tp_bernoulli(tape, TP_F32, shape, 0.5),
                    sizes[k] == 1000 ? whole : part);
            if (sizes[k] < 1000)
                assert_same("part", part, whole, sizes[k]);
            tp_tape_destroy(tape);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normal_is_the_quantile_of_the_words),
        cmocka_unit_test(test_quantiles_are_accurate),
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_bernoulli),
        cmocka_unit_test(test_bernoulli_in_every_dtype_is_one_pattern),
        cmocka_unit_test(test_certain_outcomes_are_known_numbers),
        cmocka_unit_test(test_permutations_hold_every_number_once),
        cmocka_unit_test(test_permutations_are_even),
        cmocka_unit_test(test_dropout_and_its_gradient_share_a_mask),
        cmocka_unit_test(test_dropout_of_nothing_and_of_all),
        cmocka_unit_test(test_the_checker_freezes_what_is_random),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_an_element_depends_on_its_index_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
