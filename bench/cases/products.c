/* products.c -- matrix products and their two gradients, beside the same three products by bare calls of the CBLAS: with a
 * transposed operand, of many small matrices, of a batch with one matrix, and with a vector. */
#include "harness.h"

#include <stdlib.h>

#include <cblas.h>

/* y = a b, or a b^T, for `batch` matrices a and as many matrices b, or one. */
typedef struct shapes {
    const char *name;
    int batch, m, k, n;
    bool transposed, shared; /* b is; all of the batch have one b */
} shapes;

static const shapes all_shapes[] = {
    {"product x w^T", 1, 128, 784, 256, true, true},  {"product small", 1000, 8, 8, 8, false, false},
    {"product smaller", 1000, 3, 3, 3, false, false}, {"product shared", 64, 32, 64, 64, false, true},
    {"product vector", 1, 2000, 64, 1, false, true},
};

typedef struct setup {
    const shapes *of;
    tp_tape *tape;
    tp_program *program;
    tp_tensor output[3];    /* y, da, db */
    const float *a, *b, *g; /* the leaves' */
    float *y, *da, *db;     /* by hand */
    int64_t a_count, b_count, y_count;
} setup;

/* ---- By hand ------------------------------------------------------------------------------------------- */

static void multiply(bool ta, bool tb, int m, int n, int k, const float *a, const float *b, float beta,
                     float *y)
{
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
                ta ? m : k, b, tb ? k : n, beta, y, n);
}

static void run_vector(const setup *s)
{
    const shapes *p = s->of;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, p->m, p->k, 1, s->a, p->k, s->b, 1, 0, s->y, 1);
    cblas_sgemv(CblasRowMajor, CblasTrans, p->m, p->k, 1, s->a, p->k, s->g, 1, 0, s->db, 1);
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->k; j++)
            s->da[i * p->k + j] = s->g[i] * s->b[j];
}

static void run_products(void *state)
{
    const setup *s = state;
    const shapes *p = s->of;
    const int rows = p->shared ? p->batch * p->m : p->m, times = p->shared ? 1 : p->batch;

    if (p->n == 1)
        run_vector(s);
    for (int i = 0; i < times && p->n > 1; i++) {
        const float *a = s->a + (int64_t)i * rows * p->k, *b = s->b + (int64_t)i * p->k * p->n,
                    *g = s->g + (int64_t)i * rows * p->n;
        float *db = s->db + (int64_t)i * p->k * p->n;
        multiply(false, p->transposed, rows, p->n, p->k, a, b, 0, s->y + (int64_t)i * rows * p->n);
        multiply(false, !p->transposed, rows, p->k, p->n, g, b, 0, s->da + (int64_t)i * rows * p->k);
        if (p->transposed)
            multiply(true, false, p->n, p->k, rows, g, a, 0, db);
        else
            multiply(true, false, p->k, p->n, rows, a, g, 0, db);
    }
    bench_sink = (double)s->y[0];
}

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static void record(setup *s)
{
    const shapes *p = s->of;
    const tp_shape stored = p->transposed ? TP_SHAPE(p->batch, p->n, p->k) : TP_SHAPE(p->batch, p->k, p->n);
    const tp_shape one = TP_SHAPE(stored.dim[1], stored.dim[2]);
    const tp_tensor a = bench_leaf(s->tape,
                                   p->batch > 1 ? TP_SHAPE(p->batch, p->m, p->k) : TP_SHAPE(p->m, p->k), 1,
                                   &s->a),
                    b = bench_leaf(s->tape, p->shared ? one : stored, 2, &s->b);
    const tp_tensor wrt[] = {a, b};

    s->output[0] = tp_matmul(a, p->transposed ? tp_transpose(b, -2, -1) : b);
    const tp_tensor g = bench_leaf(s->tape, tp_shape_of(s->output[0]), 3, &s->g);
    tp_vector_jacobian(s->output[0], g, wrt, 2, s->output + 1, NULL);
    s->a_count = tp_count_of(a);
    s->b_count = tp_count_of(b);
    s->y_count = tp_count_of(g);
}

static bool agrees(suite *b, const setup *s)
{
    const char *name = s->of->name;
    run_products((void *)s);
    return bench_agree_f32(b, name, "product", s->y_count, tp_values(s->output[0], TP_F32), s->y, 1e-5) &&
           bench_agree_f32(b, name, "gradient of a", s->a_count, tp_values(s->output[1], TP_F32), s->da,
                           1e-5) &&
           bench_agree_f32(b, name, "gradient of b", s->b_count, tp_values(s->output[2], TP_F32), s->db,
                           1e-5);
}

static void run_case(suite *b, const shapes *of, int threads)
{
    setup s = {.of = of};
    if (!bench_wants(b, of->name, of->batch, threads))
        return;
    bench_threads(threads);
    bench_blas_threads(threads);
    s.tape = tp_tape_create(NULL);
    record(&s);
    s.y = bench_allocate((size_t)s.y_count * sizeof(float));
    s.da = bench_allocate((size_t)s.a_count * sizeof(float));
    s.db = bench_allocate((size_t)s.b_count * sizeof(float));
    s.program = bench_compile(b, of->name, s.output, 3);
    if (s.program != NULL && agrees(b, &s))
        bench_row(b, &(row){.name = of->name,
                            .dtype = "f32",
                            .n = of->batch,
                            .threads = threads,
                            .hand = run_products,
                            .state = &s,
                            .program = s.program,
                            .leaves = (size_t)(s.a_count + s.b_count + s.y_count) * sizeof(float),
                            .outputs = (size_t)(s.a_count + s.b_count + s.y_count) * sizeof(float)});
    tp_program_destroy(s.program);
    tp_tape_destroy(s.tape);
    free(s.y);
    free(s.da);
    free(s.db);
}

void bench_products(suite *s)
{
    for (size_t i = 0; i < sizeof all_shapes / sizeof *all_shapes; i++)
        for (int threads = 1; threads <= 2; threads++)
            run_case(s, &all_shapes[i], threads);
}
