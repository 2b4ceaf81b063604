/* ctc.c -- connectionist temporal classification of a batch: the mean over sequences, and the gradient with respect to the
 * logits; beside the forward-backward recursion in log space as one writes it down, with float's expf and logf. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sizes {
    int64_t frames, sequences, classes, labels; /* T, N, C, S */
} sizes;

typedef struct setup {
    pass pass;
    sizes of;
    const int32_t *target, *input_length, *target_length;
    float *lp, *alpha, *beta; /* by hand: [T,N,C], [T,2 S + 1] twice */
    tp_program *program;
    double loss; /* by hand */
} setup;

/* ---- By hand ------------------------------------------------------------------------------------------- */

static void log_softmax(int64_t rows, int64_t classes, const float *x, float *y)
{
    for (int64_t r = 0; r < rows; r++, x += classes, y += classes) {
        float most = x[0], sum = 0;
        for (int64_t c = 1; c < classes; c++)
            most = x[c] > most ? x[c] : most;
        for (int64_t c = 0; c < classes; c++)
            sum += expf(x[c] - most);
        const float shift = most + logf(sum);
        for (int64_t c = 0; c < classes; c++)
            y[c] = x[c] - shift;
    }
}

static float log_sum(float a, float b, float c)
{
    float most = a > b ? a : b;
    most = most > c ? most : c;
    if (most == -INFINITY)
        return most;
    return most + logf(expf(a - most) + expf(b - most) + expf(c - most));
}

/* A sequence's states in a row: blank, label, blank, ... */
typedef struct states {
    int64_t frames, count;
    int32_t of[256]; /* their classes */
    const float *lp; /* of frame 0 */
    int64_t step;    /* to the next frame */
} states;

static bool skips(const states *s, int64_t from)
{
    return from % 2 == 1 && from + 2 < s->count && s->of[from] != s->of[from + 2];
}

static float forwards(const states *s, float *alpha)
{
    for (int64_t k = 0; k < s->count; k++)
        alpha[k] = k < 2 ? s->lp[s->of[k]] : -INFINITY;
    for (int64_t t = 1; t < s->frames; t++) {
        const float *before = alpha + (t - 1) * s->count, *lp = s->lp + t * s->step;
        float *now = alpha + t * s->count;
        for (int64_t k = 0; k < s->count; k++) {
            const float one = k > 0 ? before[k - 1] : -INFINITY,
                        two = k > 1 && skips(s, k - 2) ? before[k - 2] : -INFINITY;
            now[k] = log_sum(before[k], one, two) + lp[s->of[k]];
        }
    }
    const float *last = alpha + (s->frames - 1) * s->count;
    return log_sum(last[s->count - 1], s->count > 1 ? last[s->count - 2] : -INFINITY, -INFINITY);
}

static void backwards(const states *s, float *beta)
{
    float *last = beta + (s->frames - 1) * s->count;
    for (int64_t k = 0; k < s->count; k++)
        last[k] = k + 2 >= s->count ? s->lp[(s->frames - 1) * s->step + s->of[k]] : -INFINITY;
    for (int64_t t = s->frames - 2; t >= 0; t--) {
        const float *after = beta + (t + 1) * s->count, *lp = s->lp + t * s->step;
        float *now = beta + t * s->count;
        for (int64_t k = 0; k < s->count; k++) {
            const float one = k + 1 < s->count ? after[k + 1] : -INFINITY,
                        two = skips(s, k) ? after[k + 2] : -INFINITY;
            now[k] = log_sum(after[k], one, two) + lp[s->of[k]];
        }
    }
}

/* g = (softmax - posterior) / N; alpha and beta both have the frame's own log-probability. */
static void gradient(const setup *p, const states *s, float log_p, float *g)
{
    const float scale = 1 / (float)p->of.sequences;
    for (int64_t t = 0; t < s->frames; t++, g += s->step) {
        const float *lp = s->lp + t * s->step;
        for (int64_t c = 0; c < p->of.classes; c++)
            g[c] = expf(lp[c]) * scale;
        for (int64_t k = 0; k < s->count; k++)
            g[s->of[k]] -=
                expf(p->alpha[t * s->count + k] + p->beta[t * s->count + k] - lp[s->of[k]] - log_p) * scale;
    }
}

static void run_hand(void *state)
{
    setup *p = state;
    const sizes z = p->of;
    double loss = 0;

    log_softmax(z.frames * z.sequences, z.classes, p->pass.p, p->lp);
    memset(p->pass.g, 0, (size_t)p->pass.n * sizeof(float));
    for (int64_t n = 0; n < z.sequences; n++) {
        states s = {.frames = p->input_length[n],
                    .count = 2 * p->target_length[n] + 1,
                    .lp = p->lp + n * z.classes,
                    .step = z.sequences * z.classes};
        for (int64_t k = 0; k < s.count; k++)
            s.of[k] = k % 2 == 0 ? 0 : p->target[n * z.labels + k / 2];
        const float log_p = forwards(&s, p->alpha);
        backwards(&s, p->beta);
        gradient(p, &s, log_p, p->pass.g + n * z.classes);
        loss -= (double)log_p;
    }
    bench_sink = p->loss = loss / (double)z.sequences;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

/* Targets of S labels and of some fewer, now and then with equal neighbours; inputs of T frames and some fewer. */
static void fill(const sizes *z, int32_t *target, int32_t *input_length, int32_t *target_length)
{
    for (int64_t n = 0; n < z->sequences; n++) {
        input_length[n] = (int32_t)(z->frames - n % 4 * z->frames / 20);
        target_length[n] = (int32_t)(z->labels - n % 5);
        for (int64_t k = 0; k < z->labels; k++)
            target[n * z->labels + k] = (int32_t)(1 + (k - k / 8 + n) * 7 % (z->classes - 1));
    }
}

static void measure(suite *s, const char *name, setup *p, tp_tensor loss, tp_tensor g)
{
    const sizes z = p->of;
    p->program = bench_compile(s, name, (tp_tensor[]){loss, g}, 2);
    run_hand(p);
    if (p->program != NULL && bench_agree(s, name, "loss", tp_item(loss), p->loss, 1e-5) &&
        bench_agree_f32(s, name, "gradient", p->pass.n, tp_values(g, TP_F32), p->pass.g,
                        2e-3)) /* hand: floats */
        bench_row(s, &(row){.name = name,
                            .dtype = "f32",
                            .n = p->pass.n,
                            .threads = 1,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = p,
                            .program = p->program,
                            .leaves = (size_t)(p->pass.n + z.sequences * (z.labels + 2)) * sizeof(float),
                            .outputs = (size_t)(p->pass.n + 1) * sizeof(float)});
    tp_program_destroy(p->program);
}

static void run_case(suite *s, sizes z)
{
    const int64_t n = z.frames * z.sequences * z.classes, cells = z.frames * (2 * z.labels + 1);
    char name[64];
    snprintf(name, sizeof name, "ctc %lldx%lldx%lld of %lld labels", (long long)z.frames,
             (long long)z.sequences, (long long)z.classes, (long long)z.labels);
    if (!bench_wants(s, name, n, 1))
        return;
    bench_threads(1);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(z.frames, z.sequences, z.classes)),
                    target = tp_input(tape, TP_I32, TP_SHAPE(z.sequences, z.labels)),
                    input_length = tp_input(tape, TP_I32, TP_SHAPE(z.sequences)),
                    target_length = tp_input(tape, TP_I32, TP_SHAPE(z.sequences));
    const tp_tensor loss = tp_ctc(x, target, input_length, target_length, NULL);
    tp_tensor g;
    tp_gradient(loss, &x, 1, &g);
    bench_fill(tp_leaf_data(x, TP_F32), n, -3, 3, 1);
    fill(&z, tp_leaf_data(target, TP_I32), tp_leaf_data(input_length, TP_I32),
         tp_leaf_data(target_length, TP_I32));

    setup p = {.of = z,
               .target = tp_leaf_data(target, TP_I32),
               .input_length = tp_leaf_data(input_length, TP_I32),
               .target_length = tp_leaf_data(target_length, TP_I32),
               .lp = bench_allocate((size_t)n * sizeof(float)),
               .alpha = bench_allocate((size_t)cells * sizeof(float)),
               .beta = bench_allocate((size_t)cells * sizeof(float))};
    p.pass = (pass){
        .n = n, .threads = 1, .p = tp_leaf_data(x, TP_F32), .g = bench_allocate((size_t)n * sizeof(float))};
    measure(s, name, &p, loss, g);
    tp_tape_destroy(tape);
    free(p.lp);
    free(p.alpha);
    free(p.beta);
    free(p.pass.g);
}

void bench_ctc(suite *s)
{
    run_case(s, (sizes){100, 16, 30, 20});
    run_case(s, (sizes){150, 16, 60, 30});
    run_case(s, (sizes){200, 16, 100, 40});
}
