/* modes.c -- what the other modes of differentiation cost beside the gradient: the column "by hand" is the gradient's
 * program (for a forward sweep the loss's), both in Tapir, so that the ratio is the price in gradients.
 *
 *     hvp         a Hessian-vector product, alone
 *     jvp         the loss's derivative along a direction, forward mode
 *     checkpoint  the gradient of 20 layers, every 4th kept; beside it the same gradient with all of them kept
 */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_WRT = 24, LAYERS = 20, EVERY = 4 };

typedef struct setup {
    tp_tape *tape;
    tp_tensor wrt[MOST_WRT], direction[MOST_WRT], gradient[MOST_WRT], loss;
    int n;
    uint64_t seed;
    tp_program *mode, *beside;
} setup;

static void run_mode(void *state)
{
    tp_run(((setup *)state)->mode);
}

static void run_beside(void *state)
{
    tp_run(((setup *)state)->beside);
}

static tp_tensor filled(setup *s, tp_shape shape, double low, double high)
{
    const tp_tensor x = tp_parameter(s->tape, TP_F32, shape, NULL);
    bench_fill(tp_leaf_data(x, TP_F32), tp_shape_count(shape), low, high, ++s->seed);
    return x;
}

static void add_wrt(setup *s, tp_shape shape, double spread)
{
    s->wrt[s->n] = filled(s, shape, -spread, spread);
    s->direction[s->n++] = filled(s, shape, -1, 1);
}

static size_t bytes_of(const setup *s)
{
    size_t bytes = 0;
    for (int k = 0; k < s->n; k++)
        bytes += (size_t)tp_count_of(s->wrt[k]) * sizeof(float);
    return bytes;
}

/* ---- Losses -------------------------------------------------------------------------------------------- */

/* A robust loss of single elements, as expensive as its functions: mean of log(cosh) by softplus. */
static void record_elementwise(setup *s, int64_t n)
{
    add_wrt(s, TP_SHAPE(n), 2);
    const tp_tensor target = filled(s, TP_SHAPE(n), -2, 2), r = tp_sub(s->wrt[0], target);
    s->loss =
        tp_mean(tp_sub(tp_add(r, tp_softplus(tp_scale(r, -2))), tp_scalar(s->tape, 0.6931471805599453)));
}

static void record_network(setup *s, int64_t batch)
{
    static const int64_t size[] = {784, 256, 128, 10};
    tp_tensor h = filled(s, TP_SHAPE(batch, size[0]), 0, 1);
    int32_t label[1024];

    for (int64_t i = 0; i < batch; i++)
        label[i] = (int32_t)(i % size[3]);
    for (int l = 0; l < 3; l++) {
        add_wrt(s, TP_SHAPE(size[l], size[l + 1]), sqrt(6.0 / (double)size[l]));
        add_wrt(s, TP_SHAPE(size[l + 1]), 0.1);
        h = tp_add(tp_matmul(h, s->wrt[2 * l]), s->wrt[2 * l + 1]);
        if (l < 2)
            h = tp_tanh(h);
    }
    s->loss = tp_cross_entropy(h, tp_constant(s->tape, TP_I32, TP_SHAPE(batch), label), NULL);
}

static void record_layers(setup *s, bool checkpoints)
{
    const int64_t batch = 256, width = 64;
    tp_tensor h = filled(s, TP_SHAPE(batch, width), -1, 1), from = h;
    for (int k = 0; k < LAYERS; k++) {
        add_wrt(s, TP_SHAPE(width, width), 0.2);
        h = tp_tanh(tp_matmul(h, s->wrt[k]));
        if (checkpoints && (k + 1) % EVERY == 0 && k + 1 < LAYERS)
            from = h = tp_checkpoint(h, &from, 1);
    }
    s->loss = tp_mean(tp_square(h));
}

/* ---- Agreement ----------------------------------------------------------------------------------------- */

/* Moves all wrt by t along the direction. */
static void move(setup *s, double t)
{
    for (int k = 0; k < s->n; k++) {
        float *x = tp_leaf_data(s->wrt[k], TP_F32);
        const float *d = tp_leaf_data(s->direction[k], TP_F32);
        for (int64_t i = 0; i < tp_count_of(s->wrt[k]); i++)
            x[i] = (float)((double)x[i] + t * (double)d[i]);
    }
}

/* Output 0 of `mode` against the change of output 0 of `beside`, in the norm: f32 differences are coarse. */
static bool agrees(suite *b, setup *s, const char *name, double step)
{
    const int64_t n = tp_count_of(s->mode != NULL ? s->gradient[0] : s->loss);
    float *up = bench_allocate((size_t)n * sizeof *up), *down = bench_allocate((size_t)n * sizeof *down);
    double error = 0, size = 0;

    for (int side = 0; side < 2; side++) {
        move(s, side == 0 ? step : -2 * step);
        tp_run(s->beside);
        const float *value = tp_program_output(s->beside, 0, TP_F32);
        for (int64_t i = 0; i < n; i++)
            (side == 0 ? up : down)[i] = value[i];
    }
    move(s, step);
    tp_run(s->mode);
    const float *recorded = tp_program_output(s->mode, 0, TP_F32);
    for (int64_t i = 0; i < n; i++) {
        const double measured = ((double)up[i] - (double)down[i]) / (2 * step);
        error += pow((double)recorded[i] - measured, 2);
        size += measured * measured;
    }
    free(up);
    free(down);
    return bench_agree(b, name, "relative error", 1 + sqrt(error / size), 1, 0.02);
}

static bool same_gradients(suite *b, const setup *s, const char *name)
{
    tp_run(s->mode);
    tp_run(s->beside);
    for (int k = 0; k < LAYERS; k++)
        if (!bench_agree_f32(b, name, "gradient", tp_count_of(s->wrt[k]),
                             tp_program_output(s->mode, k, TP_F32), tp_program_output(s->beside, k, TP_F32),
                             0))
            return false;
    return true;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void finish(suite *b, setup *s, const char *name, int64_t n, int threads, bool agree)
{
    if (s->mode != NULL && s->beside != NULL && agree)
        bench_row(b, &(row){.name = name,
                            .dtype = "f32",
                            .n = n,
                            .threads = threads,
                            .tapir = run_mode,
                            .hand = run_beside,
                            .state = s,
                            .program = s->mode,
                            .leaves = bytes_of(s),
                            .outputs = bytes_of(s)});
    tp_program_destroy(s->mode);
    tp_program_destroy(s->beside);
    tp_tape_destroy(s->tape);
}

static bool start(suite *b, setup *s, const char *name, int64_t n, int threads)
{
    *s = (setup){0};
    if (!bench_wants(b, name, n, threads))
        return false;
    bench_threads(threads);
    bench_blas_threads(threads);
    s->tape = tp_tape_create(NULL);
    return true;
}

static void hessian_vector(suite *b, const char *name, int64_t n, int threads,
                           void (*record)(setup *, int64_t))
{
    setup s;
    tp_tensor out[MOST_WRT];
    if (!start(b, &s, name, n, threads))
        return;
    record(&s, n);
    tp_gradient(s.loss, s.wrt, s.n, s.gradient);
    tp_hessian_vector(s.loss, s.wrt, s.direction, s.n, out);
    s.mode = bench_compile(b, name, out, s.n);
    s.beside = bench_compile(b, name, s.gradient, s.n);
    finish(b, &s, name, n, threads, s.mode != NULL && s.beside != NULL && agrees(b, &s, name, 2e-3));
}

static void forward_mode(suite *b, const char *name, int64_t n, int threads, void (*record)(setup *, int64_t))
{
    setup s;
    if (!start(b, &s, name, n, threads))
        return;
    record(&s, n);
    s.gradient[0] = s.loss;
    tp_tensor out;
    tp_jvp(s.loss, s.wrt, s.direction, s.n, &out);
    s.mode = bench_compile(b, name, &out, 1);
    s.beside = bench_compile(b, name, &s.loss, 1);
    finish(b, &s, name, n, threads, s.mode != NULL && s.beside != NULL && agrees(b, &s, name, 2e-3));
}

static void checkpoints(suite *b, const char *name, int threads)
{
    setup s, plain;
    if (!start(b, &s, name, LAYERS, threads) || !start(b, &plain, name, LAYERS, threads))
        return;
    record_layers(&s, true);
    record_layers(&plain, false);
    tp_gradient(s.loss, s.wrt, s.n, s.gradient);
    tp_gradient(plain.loss, plain.wrt, plain.n, plain.gradient);
    s.mode = bench_compile(b, name, s.gradient, s.n);
    s.beside = bench_compile(b, name, plain.gradient, plain.n);
    finish(b, &s, name, LAYERS, threads, s.mode != NULL && s.beside != NULL && same_gradients(b, &s, name));
    tp_tape_destroy(plain.tape);
}

void bench_modes(suite *b)
{
    for (int threads = 1; threads <= 2; threads++) {
        hessian_vector(b, "hvp log_cosh", 100000, threads, record_elementwise);
        hessian_vector(b, "hvp mlp 784-256-128-10", 128, threads, record_network);
        forward_mode(b, "jvp log_cosh", 100000, threads, record_elementwise);
        forward_mode(b, "jvp mlp 784-256-128-10", 128, threads, record_network);
        checkpoints(b, "checkpoint 20 layers", threads);
    }
}
