/* elementwise.c -- losses that are a mean over elements: forward, and the gradient with respect to the prediction. */
#include "harness.h"

#include <stdlib.h>

#include <tapir/op.h>
#include <tapir/scalar.h>

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor mse(tp_tensor p, tp_tensor y)
{
    return tp_mean(tp_square(tp_sub(p, y)));
}

static tp_tensor huber(tp_tensor p, tp_tensor y)
{
    const tp_tensor d = tp_sub(p, y), a = tp_abs(d);
    const tp_tensor inside = tp_less_equal(a, tp_scalar(p.tape, 1));
    return tp_mean(tp_where(inside, tp_scale(tp_square(d), 0.5), tp_sub(a, tp_scalar(p.tape, 0.5))));
}

static tp_tensor bounded_mse(tp_tensor p, tp_tensor y)
{
    const tp_tensor below = tp_relu(tp_sub(tp_scalar(p.tape, 0), p));
    const tp_tensor above = tp_relu(tp_sub(p, tp_scalar(p.tape, 1)));
    const tp_tensor outside = tp_add(tp_mean(tp_square(below)), tp_mean(tp_square(above)));
    return tp_add(mse(p, y), tp_scale(outside, 10));
}

static tp_tensor bce_elements(tp_tensor x, tp_tensor y)
{
    return tp_sub(tp_softplus(x), tp_mul(x, y));
}

static tp_tensor bce(tp_tensor x, tp_tensor y)
{
    return tp_mean(bce_elements(x, y));
}

/* 1 - x */
static tp_tensor rest(tp_tensor x)
{
    return tp_sub(tp_scalar(x.tape, 1), x);
}

static tp_tensor focal(tp_tensor x, tp_tensor y)
{
    const tp_tensor p = tp_sigmoid(x);
    const tp_tensor right = tp_add(tp_mul(p, y), tp_mul(rest(p), rest(y)));
    const tp_tensor share = tp_add(tp_scale(y, 0.25), tp_scale(rest(y), 0.75));
    return tp_mean(tp_mul(tp_mul(share, tp_square(rest(right))), bce_elements(x, y)));
}

/* ---- By hand ------------------------------------------------------------------------------------------- *
 *
 * An element's loss and its derivative with respect to the prediction. */

#define INLINE static inline __attribute__((always_inline))

typedef struct point {
    float loss, slope;
} point;

INLINE point mse_at(float p, float y)
{
    const float d = p - y;
    return (point){d * d, 2 * d};
}

INLINE point huber_at(float p, float y)
{
    const float d = p - y, a = fabsf(d), low = d > -1 ? d : -1;
    return (point){a <= 1 ? 0.5f * d * d : a - 0.5f, low < 1 ? low : 1};
}

INLINE point bounded_mse_at(float p, float y)
{
    const float d = p - y, below = p < 0 ? p : 0, over = p - 1, above = over > 0 ? over : 0;
    return (point){d * d + 10 * (below * below + above * above), 2 * d + 20 * (below + above)};
}

/* softplus and sigmoid share e^-|x| after inlining. */
INLINE point bce_at(float x, float y)
{
    return (point){tp_softplus_f32(x) - x * y, tp_sigmoid_f32(x) - y};
}

INLINE point focal_at(float x, float y)
{
    const float s = tp_sigmoid_f32(x), ce = tp_softplus_f32(x) - x * y;
    const float wrong = 1 - (s * y + (1 - s) * (1 - y)), share = 0.75f - 0.5f * y, sw = share * wrong;
    const float slope = s * (1 - s) * (1 - 2 * y); /* of wrong */
    return (point){sw * wrong * ce, sw * (2 * slope * ce + wrong * (s - y))};
}

/* Each returns the sum of n elements' losses and writes their gradients; c is 1 / the number of elements in all.  Strips
 * are short enough for their sum to be exact to 1e-6 in float. */
typedef double hand_loss(int64_t n, const float *p, const float *y, float *g, float c);

#define SUM_OF(POINT_AT)                                                                                     \
    double total = 0;                                                                                        \
    for (int64_t start = 0; start < n; start += 1024) {                                                      \
        const int64_t end = n - start < 1024 ? n : start + 1024;                                             \
        float sum = 0;                                                                                       \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = start; i < end; i++)                         \
        {                                                                                                    \
            const point at = POINT_AT(p[i], y[i]);                                                           \
            sum += at.loss;                                                                                  \
            g[i] = c * at.slope;                                                                             \
        }                                                                                                    \
        total += (double)sum;                                                                                \
    }                                                                                                        \
    return total

TP_INSTRUCTION_SETS
static double hand_mse(int64_t n, const float *restrict p, const float *restrict y, float *restrict g,
                       float c)
{
    SUM_OF(mse_at);
}

TP_INSTRUCTION_SETS
static double hand_huber(int64_t n, const float *restrict p, const float *restrict y, float *restrict g,
                         float c)
{
    SUM_OF(huber_at);
}

TP_INSTRUCTION_SETS
static double hand_bounded_mse(int64_t n, const float *restrict p, const float *restrict y, float *restrict g,
                               float c)
{
    SUM_OF(bounded_mse_at);
}

TP_INSTRUCTION_SETS
static double hand_bce(int64_t n, const float *restrict p, const float *restrict y, float *restrict g,
                       float c)
{
    SUM_OF(bce_at);
}

TP_INSTRUCTION_SETS
static double hand_focal(int64_t n, const float *restrict p, const float *restrict y, float *restrict g,
                         float c)
{
    SUM_OF(focal_at);
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

typedef struct elementwise {
    const char *name;
    tp_tensor (*record)(tp_tensor p, tp_tensor y);
    hand_loss *hand;
    bool binary; /* targets are 0 or 1 */
} elementwise;

static const elementwise cases[] = {
    {"mse", mse, hand_mse, false},
    {"huber", huber, hand_huber, false},
    {"bounded_mse", bounded_mse, hand_bounded_mse, false},
    {"bce", bce, hand_bce, true},
    {"focal", focal, hand_focal, true},
};

typedef struct setup {
    pass pass;
    tp_program *program;
    hand_loss *hand;
    double loss; /* by hand */
} setup;

/* Other threads are woken only for what is worth it, as anyone would. */
static void run_hand(void *state)
{
    setup *s = state;
    const pass *w = &s->pass;
    const int of = w->n < 50000 ? 1 : w->threads;
    const float c = (float)(1 / (double)w->n);
    double sum = 0;

    if (of == 1) {
        sum = s->hand(w->n, w->p, w->y, w->g, c);
    } else {
#pragma omp parallel for num_threads(of) schedule(static) reduction(+ : sum)
        for (int t = 0; t < of; t++) {
            const int64_t from = bench_share(w->n, 1024, t, of), to = bench_share(w->n, 1024, t + 1, of);
            sum += s->hand(to - from, w->p + from, w->y + from, w->g + from, c);
        }
    }
    bench_sink = s->loss = sum / (double)w->n;
}

static void run_bound(void *state)
{
    setup *s = state;
    pass w = s->pass;
    w.threads = w.n < 50000 ? 1 : w.threads;
    bench_pass(&w);
}

static void run_case(suite *s, const elementwise *e, int64_t n, int threads)
{
    if (!bench_wants(s, e->name, n, threads))
        return;
    bench_threads(threads);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_input(tape, TP_F32, TP_SHAPE(n)), y = tp_input(tape, TP_F32, TP_SHAPE(n));
    const tp_tensor loss = e->record(p, y);
    tp_tensor gradient;
    tp_gradient(loss, &p, 1, &gradient);

    setup state = {.hand = e->hand, .pass = {.n = n, .threads = threads}};
    float *p_data = tp_leaf_data(p, TP_F32), *y_data = tp_leaf_data(y, TP_F32);
    state.pass.p = p_data;
    state.pass.y = y_data;
    state.pass.g = bench_allocate((size_t)n * sizeof(float));
    bench_fill(p_data, n, -3, 3, 1);
    bench_fill(y_data, n, 0, 1, 2);
    for (int64_t i = 0; i < n && e->binary; i++)
        y_data[i] = y_data[i] < 0.5f ? 0.0f : 1.0f;

    state.program = bench_compile(s, e->name, (tp_tensor[]){loss, gradient}, 2);
    run_hand(&state);
    if (state.program != NULL && bench_agree(s, e->name, "loss", tp_item(loss), state.loss, 1e-5) &&
        bench_agree_f32(s, e->name, "gradient", n, tp_values(gradient, TP_F32), state.pass.g, 1e-5))
        bench_row(s, &(row){.name = e->name,
                            .dtype = "f32",
                            .n = n,
                            .threads = threads,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = 2 * sizeof(float) * (size_t)n,
                            .outputs = sizeof(float) * (size_t)(n + 1)});
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(state.pass.g);
}

void bench_elementwise(suite *s)
{
    static const int64_t sizes[] = {100, 1000, 100000, 1000000, 10000000};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int threads = 1; threads <= 2; threads++)
                run_case(s, &cases[k], sizes[i], threads);
}
