/* norm.c -- layer norm and batch norm: the sum of c y for a fixed c, and its gradients.  "plain" is the normalisation
 * alone, with the gradient with respect to x; "affine" has a scale and a shift, and their gradients too. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include <tapir/op.h>

static const double EPSILON = 1e-5;

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor normalised(tp_tensor x, tp_axes axes)
{
    const tp_tensor mean = tp_mean_over(x, axes, true), var = tp_var_over(x, axes, 0, true);
    const tp_tensor sigma = tp_sqrt(tp_add(var, tp_scalar(x.tape, EPSILON)));
    return tp_mul(tp_sub(x, mean), tp_div(tp_scalar(x.tape, 1), sigma));
}

/* ---- By hand ------------------------------------------------------------------------------------------- *
 *
 * x and c are `outer` pieces of `inner` elements each, `stride` apart, that are normalised together.  Sums of float
 * over a strip, of double over strips. */

enum { STRIP = 1024 };

typedef struct group {
    int64_t outer, inner, stride;
    const float *x, *c;
    float *dx;
} group;

typedef struct sums {
    double a, b;
} sums;

/* For n elements: of x, and of c. */
static inline __attribute__((always_inline)) sums add_up(int64_t n, const float *x, const float *c)
{
    float a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
    for (int64_t i = 0; i < n; i++) {
        a += x[i];
        b += c[i];
    }
    return (sums){(double)a, (double)b};
}

/* Sums over the group's strips. */
#define EACH_STRIP(G, TOTAL, CALL)                                                                           \
    for (int64_t o = 0; o < (G)->outer; o++)                                                                 \
        for (int64_t start = 0; start < (G)->inner; start += STRIP) {                                        \
            const int64_t n = (G)->inner - start < STRIP ? (G)->inner - start : STRIP;                       \
            const float *x = (G)->x + o * (G)->stride + start, *c = (G)->c + o * (G)->stride + start;        \
            const sums s = CALL;                                                                             \
            (TOTAL).a += s.a;                                                                                \
            (TOTAL).b += s.b;                                                                                \
        }

/* Of (x - mean)^2, and of c (x - mean). */
static inline __attribute__((always_inline)) sums moments(int64_t n, const float *x, const float *c,
                                                          float mean)
{
    float a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
    for (int64_t i = 0; i < n; i++) {
        const float d = x[i] - mean;
        a += d * d;
        b += c[i] * d;
    }
    return (sums){(double)a, (double)b};
}

/* One group with one scale and shift: dx, and in *of the sums that the gradients of scale and shift are. */
TP_INSTRUCTION_SETS
static double hand_group(const group *g, float scale, float shift, sums *of)
{
    const double count = (double)(g->outer * g->inner);
    sums first = {0, 0}, second = {0, 0};

    EACH_STRIP(g, first, add_up(n, x, c))
    const float mean = (float)(first.a / count);
    EACH_STRIP(g, second, moments(n, x, c, mean))

    const double inverse = 1 / sqrt(second.a / count + EPSILON);
    *of = (sums){second.b * inverse, first.b};
    /* dx = scale / sigma (c - mean(c) - xhat mean(c xhat)) = a c + b + d (x - mean) */
    const double a = (double)scale * inverse, d = -a * inverse * of->a / count;
    const float fa = (float)a, fd = (float)d, fb = (float)(-a * first.b / count);
    for (int64_t o = 0; o < g->outer; o++) {
        const float *restrict x = g->x + o * g->stride, *restrict c = g->c + o * g->stride;
        float *restrict dx = g->dx + o * g->stride;
        for (int64_t i = 0; i < g->inner; i++)
            dx[i] = fa * c[i] + (fb + fd * (x[i] - mean));
    }
    return of->a * (double)scale + of->b * (double)shift;
}

/* A row of layer norm with a scale and shift per element, whose gradients are added to dscale and dshift. */
TP_INSTRUCTION_SETS
static double hand_affine_row(int64_t n, const float *restrict x, const float *restrict c, float *restrict dx,
                              const float *restrict scale, const float *restrict shift,
                              float *restrict dscale, float *restrict dshift)
{
    float total = 0, squares = 0, h_sum = 0, hx_sum = 0, loss = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; i++)
        total += x[i];
    const float mean = total / (float)n;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    const float inverse = 1 / sqrtf(squares / (float)n + (float)EPSILON);
#pragma omp simd reduction(+ : h_sum, hx_sum, loss)
    for (int64_t i = 0; i < n; i++) {
        const float hat = (x[i] - mean) * inverse, h = c[i] * scale[i];
        h_sum += h;
        hx_sum += h * hat;
        loss += c[i] * (hat * scale[i] + shift[i]);
        dscale[i] += c[i] * hat;
        dshift[i] += c[i];
    }
    const float h_mean = h_sum / (float)n, hx_mean = hx_sum / (float)n;
    for (int64_t i = 0; i < n; i++)
        dx[i] = inverse * (c[i] * scale[i] - h_mean - (x[i] - mean) * inverse * hx_mean);
    return (double)loss;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

typedef struct setup {
    pass pass; /* p is x, y is c, g is dx */
    bool layer, affine;
    int64_t batch, channels, inner; /* layer norm: rows, 1, columns */
    const float *scale, *shift;
    float *dscale, *dshift; /* for each thread */
    tp_program *program;
    double loss; /* by hand */
} setup;

static double layer_share(setup *s, int t, int64_t from, int64_t to)
{
    const int64_t n = s->inner;
    float *dscale = s->dscale + t * n, *dshift = s->dshift + t * n;
    double loss = 0;

    for (int64_t i = 0; i < n && s->affine; i++)
        dscale[i] = dshift[i] = 0;
    for (int64_t r = from; r < to; r++) {
        const float *x = s->pass.p + r * n, *c = s->pass.y + r * n;
        sums of;
        loss += s->affine ? hand_affine_row(n, x, c, s->pass.g + r * n, s->scale, s->shift, dscale, dshift)
                          : hand_group(&(group){1, n, n, x, c, s->pass.g + r * n}, 1, 0, &of);
    }
    return loss;
}

static double batch_share(setup *s, int64_t from, int64_t to)
{
    double loss = 0;
    for (int64_t k = from; k < to; k++) {
        const int64_t at = k * s->inner;
        const group g = {s->batch,       s->inner,       s->channels * s->inner,
                         s->pass.p + at, s->pass.y + at, s->pass.g + at};
        sums of;
        loss += hand_group(&g, s->affine ? s->scale[k] : 1, s->affine ? s->shift[k] : 0, &of);
        s->dscale[k] = (float)of.a;
        s->dshift[k] = (float)of.b;
    }
    return loss;
}

static void run_hand(void *state)
{
    setup *s = state;
    const int of = s->pass.threads;
    const int64_t groups = s->layer ? s->batch : s->channels;
    double loss = 0;

#pragma omp parallel for num_threads(of) if (of > 1) schedule(static) reduction(+ : loss)
    for (int t = 0; t < of; t++) {
        const int64_t from = groups * t / of, to = groups * (t + 1) / of;
        loss += s->layer ? layer_share(s, t, from, to) : batch_share(s, from, to);
    }
    for (int64_t t = 1; t < of && s->layer && s->affine; t++)
        for (int64_t i = 0; i < s->inner; i++) {
            s->dscale[i] += s->dscale[t * s->inner + i];
            s->dshift[i] += s->dshift[t * s->inner + i];
        }
    bench_sink = s->loss = loss;
}

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

/* The outputs loss, dx and, if affine, the gradients of scale and shift. */
static int record(setup *s, tp_tape *tape, tp_tensor *x, tp_tensor *c, tp_tensor *parameter,
                  tp_tensor *output)
{
    const tp_shape shape =
        s->layer ? TP_SHAPE(s->batch, s->inner) : TP_SHAPE(s->batch, s->channels, 28, s->inner / 28);
    const tp_shape each = s->layer ? TP_SHAPE(s->inner) : TP_SHAPE(s->channels, 1, 1);
    *x = tp_input(tape, TP_F32, shape);
    *c = tp_input(tape, TP_F32, shape);
    tp_tensor y = normalised(*x, s->layer ? TP_AXES(1) : TP_AXES(0, 2, 3));
    if (s->affine) {
        parameter[0] = tp_parameter(tape, TP_F32, each, NULL);
        parameter[1] = tp_parameter(tape, TP_F32, each, NULL);
        y = tp_add(tp_mul(y, parameter[0]), parameter[1]);
    }
    output[0] = tp_sum(tp_mul(y, *c));
    tp_gradient(output[0], (tp_tensor[]){*x, parameter[0], parameter[1]}, s->affine ? 3 : 1, output + 1);
    return s->affine ? 4 : 2;
}

static bool agrees(suite *s, const char *name, const setup *state, const tp_tensor *output,
                   int64_t parameters)
{
    return bench_agree(s, name, "sum", tp_item(output[0]), state->loss, 1e-5) &&
           bench_agree_f32(s, name, "dx", state->pass.n, tp_values(output[1], TP_F32), state->pass.g, 1e-5) &&
           (!state->affine || (bench_agree_f32(s, name, "gradient of the scale", parameters,
                                               tp_values(output[2], TP_F32), state->dscale, 1e-5) &&
                               bench_agree_f32(s, name, "gradient of the shift", parameters,
                                               tp_values(output[3], TP_F32), state->dshift, 1e-5)));
}

static void run_case(suite *s, const char *name, setup state, int threads)
{
    const int64_t n = state.batch * state.channels * state.inner,
                  parameters = state.layer ? state.inner : state.channels;
    const size_t size = sizeof(float);
    tp_tensor x, c, parameter[2] = {{0}, {0}}, output[4];

    if (!bench_wants(s, name, n, threads))
        return;
    bench_threads(threads);
    tp_tape *tape = tp_tape_create(NULL);
    const int outputs = record(&state, tape, &x, &c, parameter, output);
    float *x_data = tp_leaf_data(x, TP_F32), *c_data = tp_leaf_data(c, TP_F32);
    bench_fill(x_data, n, -1, 3, 1);
    bench_fill(c_data, n, -1, 1.5, 2);
    if (state.affine) {
        float *scale = tp_leaf_data(parameter[0], TP_F32), *shift = tp_leaf_data(parameter[1], TP_F32);
        bench_fill(scale, parameters, 0.5, 1.5, 3);
        bench_fill(shift, parameters, 0.5, 1.5, 4);
        state.scale = scale;
        state.shift = shift;
    }
    state.pass = (pass){n, threads, x_data, c_data, bench_allocate((size_t)n * size)};
    state.dscale = bench_allocate((size_t)(parameters * threads) * size);
    state.dshift = bench_allocate((size_t)(parameters * threads) * size);
    state.program = bench_compile(s, name, output, outputs);
    run_hand(&state);
    if (state.program != NULL && agrees(s, name, &state, output, parameters)) {
        const size_t trained = state.affine ? 2 * (size_t)parameters : 0;
        bench_row(s, &(row){.name = name,
                            .dtype = "f32",
                            .n = n,
                            .threads = threads,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = (2 * (size_t)n + trained) * size,
                            .outputs = ((size_t)n + trained + 1) * size});
    }
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(state.pass.g);
    free(state.dscale);
    free(state.dshift);
}

void bench_norm(suite *s)
{
    const setup layer = {.layer = true, .batch = 8192, .channels = 1, .inner = 1024};
    const setup batch = {.batch = 64, .channels = 32, .inner = 28 * 28};
    setup layer_affine = layer, batch_affine = batch;
    layer_affine.affine = batch_affine.affine = true;
    for (int threads = 1; threads <= 2; threads++) {
        run_case(s, "layer_norm 8192x1024 plain", layer, threads);
        run_case(s, "layer_norm 8192x1024 affine", layer_affine, threads);
        run_case(s, "batch_norm 64x32x28x28 plain", batch, threads);
        run_case(s, "batch_norm 64x32x28x28 affine", batch_affine, threads);
    }
}
