/* optim.c -- an optimiser's step alone: parameters, gradients and state in memory, beside the loop fused by hand. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tapir/op.h>

/* A learning rate so small that thousands of steps leave the parameters nearly as they were. */
static const double RATE = 1e-7, DECAY1 = 0.9, DECAY2 = 0.999, EPSILON = 1e-8, MOMENTUM = 0.9;

enum { MOST_SLOTS = 2 };

typedef struct setup {
    const struct rule *rule;
    int64_t n;
    int threads;
    tp_program *program;
    const float *g;
    float *x, *state[MOST_SLOTS]; /* by hand */
    double t;
    pass pass;
} setup;

/* ---- By hand ------------------------------------------------------------------------------------------- */

TP_INSTRUCTION_SETS
static void adam_loop(int64_t n, const float *restrict g, float *restrict x, float *restrict m,
                      float *restrict v, float rate, float epsilon)
{
    const float keep1 = (float)DECAY1, add1 = (float)(1 - DECAY1), keep2 = (float)DECAY2,
                add2 = (float)(1 - DECAY2);
    for (int64_t i = 0; i < n; i++) {
        m[i] = keep1 * m[i] + add1 * g[i];
        v[i] = keep2 * v[i] + add2 * (g[i] * g[i]);
        x[i] -= rate * (m[i] / (sqrtf(v[i]) + epsilon));
    }
}

static void adam_share(const setup *s, int64_t from, int64_t to)
{
    const double bias = sqrt(1 - pow(DECAY2, s->t));
    adam_loop(to - from, s->g + from, s->x + from, s->state[0] + from, s->state[1] + from,
              (float)(RATE * bias / (1 - pow(DECAY1, s->t))), (float)(EPSILON * bias));
}

TP_INSTRUCTION_SETS
static void momentum_loop(int64_t n, const float *restrict g, float *restrict x, float *restrict b,
                          float rate)
{
    for (int64_t i = 0; i < n; i++) {
        b[i] = (float)MOMENTUM * b[i] + g[i];
        x[i] -= rate * b[i];
    }
}

static void momentum_share(const setup *s, int64_t from, int64_t to)
{
    momentum_loop(to - from, s->g + from, s->x + from, s->state[0] + from, (float)RATE);
}

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor record_adam(tp_tensor x, const tp_tensor *g, tp_optimiser *o)
{
    return tp_adam((tp_tensor){0}, &x, 1,
                   &(tp_adam_options){.learning_rate = RATE,
                                      .gradients = g,
                                      .optimiser = o,
                                      .beta1 = {true, DECAY1},
                                      .beta2 = {true, DECAY2},
                                      .epsilon = {true, EPSILON}});
}

static tp_tensor record_momentum(tp_tensor x, const tp_tensor *g, tp_optimiser *o)
{
    return tp_sgd(
        (tp_tensor){0}, &x, 1,
        &(tp_sgd_options){.learning_rate = RATE, .gradients = g, .optimiser = o, .momentum = MOMENTUM});
}

static const struct rule {
    const char *name;
    tp_tensor (*record)(tp_tensor x, const tp_tensor *g, tp_optimiser *o);
    void (*share)(const setup *s, int64_t from, int64_t to);
    int slots;
} rules[] = {
    {"adam", record_adam, adam_share, 2},
    {"sgd momentum", record_momentum, momentum_share, 1},
};

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void run_hand(void *state)
{
    setup *s = state;
    const int of = s->threads;
    s->t++;
    if (of == 1) {
        s->rule->share(s, 0, s->n);
        return;
    }
#pragma omp parallel for num_threads(of) schedule(static)
    for (int t = 0; t < of; t++)
        s->rule->share(s, bench_share(s->n, 1024, t, of), bench_share(s->n, 1024, t + 1, of));
}

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

static float *copy_of(const float *x, int64_t n)
{
    return memcpy(bench_allocate((size_t)n * sizeof *x), x, (size_t)n * sizeof *x);
}

/* After one step of each. */
static bool agrees(suite *b, const setup *s, tp_tensor x, const tp_optimiser *o)
{
    bool fine = bench_agree_f32(b, s->rule->name, "parameter", s->n, tp_values(x, TP_F32), s->x, 1e-6);
    for (int k = 0; k < s->rule->slots && fine; k++)
        fine = bench_agree_f32(b, s->rule->name, "state", s->n,
                               tp_values(tp_optimiser_state(o, 0, k), TP_F32), s->state[k], 1e-5);
    return fine;
}

/* Reads g, x and the state, writes x and the state: the bound's pass reads two and writes one. */
static void prepare_bound(setup *s)
{
    const int64_t streams = 3 + 2 * s->rule->slots, n = s->n * streams / 3;
    float *p = bench_allocate((size_t)n * sizeof *p), *y = bench_allocate((size_t)n * sizeof *y);
    bench_fill(p, n, -1, 1, 3);
    bench_fill(y, n, -1, 1, 4);
    s->pass =
        (pass){.n = n, .threads = s->threads, .p = p, .y = y, .g = bench_allocate((size_t)n * sizeof *p)};
}

static void release(setup *s)
{
    free(s->x);
    for (int k = 0; k < MOST_SLOTS; k++)
        free(s->state[k]);
    free((void *)s->pass.p);
    free((void *)s->pass.y);
    free(s->pass.g);
}

static void run_case(suite *b, const struct rule *rule, int64_t n, int threads)
{
    setup s = {.rule = rule, .n = n, .threads = threads};
    tp_optimiser o;
    if (!bench_wants(b, rule->name, n, threads))
        return;
    bench_threads(threads);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(n), NULL);
    const tp_tensor g = tp_input(tape, TP_F32, TP_SHAPE(n));
    bench_fill(tp_leaf_data(x, TP_F32), n, -1, 1, 1);
    bench_fill(tp_leaf_data(g, TP_F32), n, -1, 1, 2);
    s.g = tp_values(g, TP_F32);
    s.x = copy_of(tp_values(x, TP_F32), n);
    const tp_tensor step = rule->record(x, &g, &o);
    for (int k = 0; k < rule->slots; k++)
        s.state[k] = copy_of(tp_values(tp_optimiser_state(&o, 0, k), TP_F32), n);
    prepare_bound(&s);
    run_hand(&s);
    s.program = bench_compile(b, rule->name, &step, 1);
    if (s.program != NULL && agrees(b, &s, x, &o))
        bench_row(b, &(row){.name = rule->name,
                            .dtype = "f32",
                            .n = n,
                            .threads = threads,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = &s,
                            .program = s.program,
                            .leaves = (size_t)(2 + rule->slots) * (size_t)n * sizeof(float)});
    tp_program_destroy(s.program);
    tp_tape_destroy(tape);
    release(&s);
}

void bench_optim(suite *s)
{
    static const int64_t sizes[] = {100000, 10000000};
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int threads = 1; threads <= 2; threads++)
                run_case(s, &rules[k], sizes[i], threads);
}
