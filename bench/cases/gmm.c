/* gmm.c -- ADBench's Gaussian mixture: log posterior and its gradient, f64, checked against reference values.
 *
 * (Srajer, Kukelova, Fitzgibbon, "A Benchmark of Selected Algorithmic Differentiation Tools on Some Problems in Computer
 * Vision and Machine Learning", 2018; github.com/microsoft/ADBench, data/gmm/1k.)
 *
 * Files gmm_d<d>_K<k>_n1000.txt in the directory given by --data: a first line "gmm d D k K n N gamma G m M", then blocks
 * "name count" and so many numbers: alphas (K), means (K x D), icf (K x D(D+1)/2: first D logs of the diagonal, then the
 * strictly lower triangle column by column), x (N x D), objective (1), gradient (of alphas, means, icf). */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALPHAS, MEANS, ICF, X, OBJECTIVE, GRADIENT, BLOCKS };

typedef struct instance {
    int64_t d, k, n;
    double gamma, m;
    double *block[BLOCKS];
    tp_program *objective, *gradient;
} instance;

/* ---- Reading ------------------------------------------------------------------------------------------- */

static bool read_block(FILE *file, const char *name, int64_t count, double **values)
{
    char word[32];
    long long found;
    if (fscanf(file, "%31s %lld", word, &found) != 2 || strcmp(word, name) != 0 || found != count)
        return false;
    *values = bench_allocate((size_t)count * sizeof **values);
    for (int64_t i = 0; i < count; i++)
        if (fscanf(file, "%lf", &(*values)[i]) != 1)
            return false;
    return true;
}

static bool read_instance(const char *path, instance *g)
{
    FILE *file = fopen(path, "r");
    long long d, k, n;
    if (file == NULL)
        return false;
    bool fine = fscanf(file, "gmm d %lld k %lld n %lld gamma %lf m %lf", &d, &k, &n, &g->gamma, &g->m) == 5 &&
                d > 0 && k > 0 && n > 0;
    if (fine) {
        g->d = d;
        g->k = k;
        g->n = n;
        const int64_t triangle = d * (d + 1) / 2;
        fine = read_block(file, "alphas", k, &g->block[ALPHAS]) &&
               read_block(file, "means", k * d, &g->block[MEANS]) &&
               read_block(file, "icf", k * triangle, &g->block[ICF]) &&
               read_block(file, "x", n * d, &g->block[X]) &&
               read_block(file, "objective", 1, &g->block[OBJECTIVE]) &&
               read_block(file, "gradient", k + k * d + k * triangle, &g->block[GRADIENT]);
    }
    fclose(file);
    return fine;
}

/* ---- Recorded ------------------------------------------------------------------------------------------ */

/* [D(D-1)/2, D D], 1 where the packed element is that element of the matrix: packed rows times this are matrices. */
static tp_tensor unpacking(tp_tape *tape, int64_t d)
{
    const int64_t packed = d * (d - 1) / 2;
    double *one = bench_allocate((size_t)(packed * d * d) * sizeof *one);
    for (int64_t column = 0, p = 0; column < d; column++)
        for (int64_t i = column + 1; i < d; i++, p++)
            one[p * d * d + i * d + column] = 1;
    const tp_tensor t = tp_constant(tape, TP_F64, TP_SHAPE(packed, d * d), one);
    free(one);
    return t;
}

static tp_tensor identity(tp_tape *tape, int64_t d)
{
    const tp_tensor i = tp_iota(tape, TP_I32, d);
    return tp_cast(tp_equal(tp_reshape(i, TP_SHAPE(d, 1)), i), TP_F64);
}

/* -C K of the prior (Wishart). */
static double prior_constant(const instance *g)
{
    const double pi = 3.14159265358979323846, d = (double)g->d, degrees = d + g->m + 1;
    double log_gamma = 0.25 * d * (d - 1) * log(pi);
    for (int64_t j = 1; j <= g->d; j++)
        log_gamma += lgamma(0.5 * degrees + 0.5 * (double)(1 - j));
    return -(double)g->k * (degrees * d * (log(g->gamma) - 0.5 * log(2)) - log_gamma);
}

static tp_tensor record(const instance *g, tp_tensor alphas, tp_tensor means, tp_tensor icf, tp_tensor x)
{
    tp_tape *tape = x.tape;
    const int64_t d = g->d, k = g->k, n = g->n;
    const tp_tensor log_diagonal = tp_slice(icf, 1, 0, d, 1), lower = tp_slice(icf, 1, d, TP_END, 1);
    const tp_tensor diagonal = tp_exp(log_diagonal), log_det = tp_sum_over(log_diagonal, TP_AXES(1), false);

    /* Q x - Q mu for all components at once: x times the transpose of all Q below each other. */
    const tp_tensor strict = tp_reshape(tp_matmul(lower, unpacking(tape, d)), TP_SHAPE(k, d, d));
    const tp_tensor q = tp_add(strict, tp_mul(tp_reshape(diagonal, TP_SHAPE(k, d, 1)), identity(tape, d)));
    const tp_tensor q_mean = tp_sum_over(tp_mul(q, tp_reshape(means, TP_SHAPE(k, 1, d))), TP_AXES(2), false);
    const tp_tensor q_x =
        tp_reshape(tp_matmul(x, tp_transpose(tp_reshape(q, TP_SHAPE(k * d, d)), 0, 1)), TP_SHAPE(n, k, d));
    const tp_tensor distance = tp_sum_over(tp_square(tp_sub(q_x, q_mean)), TP_AXES(2), false);

    const tp_tensor term = tp_sub(tp_add(alphas, log_det), tp_scale(distance, 0.5));
    const tp_tensor fit =
        tp_sub(tp_sum(tp_logsumexp_over(term, TP_AXES(1), false)), tp_scale(tp_logsumexp(alphas), (double)n));
    const tp_tensor squares = tp_add(tp_sum(tp_square(diagonal)), tp_sum(tp_square(lower)));
    const tp_tensor prior =
        tp_sub(tp_scale(squares, 0.5 * g->gamma * g->gamma), tp_scale(tp_sum(log_det), g->m));
    const double constant = prior_constant(g) - 0.5 * (double)(n * d) * log(2 * 3.14159265358979323846);
    return tp_add(tp_add(fit, prior), tp_scalar(tape, constant));
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void run_gradient(void *state)
{
    tp_run(((instance *)state)->gradient);
}

static void run_objective(void *state)
{
    tp_run(((instance *)state)->objective);
}

static bool agrees(suite *s, const char *name, const instance *g, tp_tensor objective,
                   const tp_tensor *gradient)
{
    static const char *const what[] = {"gradient of alphas", "gradient of means", "gradient of icf"};
    const double *expected = g->block[GRADIENT];
    bool fine = bench_agree(s, name, "objective", tp_item(objective), g->block[OBJECTIVE][0], 1e-10);
    for (int i = 0; i < 3 && fine; i++) {
        const int64_t count = tp_count_of(gradient[i]);
        fine = bench_agree_f64(s, name, what[i], count, tp_values(gradient[i], TP_F64), expected, 1e-10);
        expected += count;
    }
    return fine;
}

static void time_instance(suite *s, const char *name, instance *g)
{
    tp_tape *tape = tp_tape_create(NULL);
    const int64_t triangle = g->d * (g->d + 1) / 2;
    const tp_tensor leaf[] = {
        tp_parameter(tape, TP_F64, TP_SHAPE(g->k), g->block[ALPHAS]),
        tp_parameter(tape, TP_F64, TP_SHAPE(g->k, g->d), g->block[MEANS]),
        tp_parameter(tape, TP_F64, TP_SHAPE(g->k, triangle), g->block[ICF]),
        tp_parameter(tape, TP_F64, TP_SHAPE(g->n, g->d), g->block[X]),
    };
    tp_tensor output[4];
    output[0] = record(g, leaf[0], leaf[1], leaf[2], leaf[3]);
    tp_gradient(output[0], leaf, 3, output + 1);

    g->objective = bench_compile(s, name, output, 1);
    g->gradient = g->objective != NULL ? bench_compile(s, name, output, 4) : NULL;
    if (g->gradient != NULL && agrees(s, name, g, output[0], output + 1)) {
        const size_t trained = (size_t)(g->k * (1 + g->d + triangle)), data = (size_t)(g->n * g->d),
                     size = sizeof(double);
        bench_row(s, &(row){.name = name,
                            .dtype = "f64",
                            .n = g->n,
                            .threads = 1,
                            .tapir = run_gradient,
                            .hand = run_objective,
                            .state = g,
                            .program = g->gradient,
                            .leaves = (trained + data) * size,
                            .outputs = (trained + 1) * size});
    }
    tp_program_destroy(g->gradient);
    tp_program_destroy(g->objective);
    tp_tape_destroy(tape);
}

static void run_case(suite *s, int d, int k)
{
    char name[64], path[1024];
    instance g = {0};
    snprintf(name, sizeof name, "gmm d%d K%d gradient/objective", d, k);
    if (!bench_wants(s, name, 1000, 1))
        return;
    if (s->data == NULL) {
        fprintf(stderr, "%s: skipped: needs --data DIR\n", name);
        return;
    }
    snprintf(path, sizeof path, "%s/gmm_d%d_K%d_n1000.txt", s->data, d, k);
    bench_threads(1);
    bench_blas_threads(1);
    if (read_instance(path, &g))
        time_instance(s, name, &g);
    else
        fprintf(stderr, "%s: skipped: %s is missing or not as expected\n", name, path);
    for (int b = 0; b < BLOCKS; b++)
        free(g.block[b]);
}

void bench_gmm(suite *s)
{
    run_case(s, 10, 25);
    run_case(s, 20, 50);
}
