/* constraints.c -- a loss with a constraint, with two tasks, with multipliers: forward and the gradient with respect to the
 * predictions, in the cache. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include <tapir/op.h>
#include <tapir/scalar.h>

enum { CLASSES = 10, STRIP = 1000 };

static const float LAMBDA = 10, SECOND = 0.5f, RHO = 4;

typedef struct setup {
    pass pass;
    const struct rule *rule;
    const float *a, *b, *c; /* operands: a has a gradient */
    tp_program *program;
    double loss; /* by hand */
} setup;

/* ---- Probabilities that should sum to 1: -sum t log p per row, and LAMBDA (sum p - 1)^2 --------------- */

static tp_tensor record_sum_to_one(const tp_tensor *x)
{
    const tp_tensor likelihood = tp_sum_over(tp_mul(x[1], tp_log(x[0])), TP_AXES(1), false);
    return tp_add(tp_neg(tp_mean(likelihood)), tp_penalty(tp_sums_to(x[0], 1), (double)LAMBDA, NULL));
}

/* Strips of whole rows, so that the logarithms fill whole vectors. */
TP_INSTRUCTION_SETS
static double hand_sum_to_one(int64_t n, const float *restrict p, const float *restrict t,
                              const float *restrict none, float *restrict g)
{
    const float share = (float)CLASSES / (float)n;
    double loss = 0;
    (void)none;

    for (int64_t start = 0; start < n; start += STRIP) {
        const int64_t end = n - start < STRIP ? n : start + STRIP;
        float sum = 0, outside = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++) {
            sum -= t[i] * tp_log_f32(p[i]);
            g[i] = -share * t[i] / p[i];
        }
        for (int64_t r = start; r < end; r += CLASSES) {
            float total = -1;
            for (int64_t i = r; i < r + CLASSES; i++)
                total += p[i];
            outside += total * total;
            for (int64_t i = r; i < r + CLASSES; i++)
                g[i] += 2 * LAMBDA * share * total;
        }
        loss += (double)(sum + LAMBDA * outside);
    }
    return loss * (double)share;
}

/* ---- Two tasks on one prediction: squared error and SECOND times a cross-entropy ----------------------- */

static tp_tensor record_two_tasks(const tp_tensor *x)
{
    const tp_term term[] = {{"number", tp_mse(x[0], x[1], NULL), 1, false},
                            {"class", tp_bce_with_logits(x[0], x[2], NULL), (double)SECOND, true}};
    return tp_terms_total(term, 2, NULL, NULL);
}

TP_INSTRUCTION_SETS
static double hand_two_tasks(int64_t n, const float *restrict p, const float *restrict y,
                             const float *restrict label, float *restrict g)
{
    const float share = 1 / (float)n;
    double loss = 0;

    for (int64_t start = 0; start < n; start += STRIP) {
        const int64_t end = n - start < STRIP ? n : start + STRIP;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++) {
            const float d = p[i] - y[i], e = tp_exp_f32(-fabsf(p[i]));
            const float right = 1 / (1 + e), sigmoid = p[i] >= 0 ? right : e * right;
            const float softplus = (p[i] > 0 ? p[i] : 0) + tp_log1p_f32(e);
            sum += d * d + SECOND * (softplus - p[i] * label[i]);
            g[i] = share * (2 * d + SECOND * (sigmoid - label[i]));
        }
        loss += (double)sum;
    }
    return loss * (double)share;
}

/* ---- Predictions that should not exceed 1: squared error and multipliers, one per element -------------- */

static tp_tensor record_multipliers(const tp_tensor *x)
{
    const tp_tensor g = tp_at_most(x[0], tp_scalar(x[0].tape, 1)).part[0].value;
    const tp_tensor rho = tp_parameter(x[0].tape, TP_F32, TP_SHAPE_0D, &RHO);
    return tp_add(tp_mse(x[0], x[1], NULL), tp_augmented_inequality(g, x[2], rho));
}

TP_INSTRUCTION_SETS
static double hand_multipliers(int64_t n, const float *restrict p, const float *restrict y,
                               const float *restrict mu, float *restrict g)
{
    const float share = 1 / (float)n;
    double loss = 0;

    for (int64_t start = 0; start < n; start += STRIP) {
        const int64_t end = n - start < STRIP ? n : start + STRIP;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++) {
            const float d = p[i] - y[i], ahead = mu[i] + RHO * (p[i] - 1), kept = ahead > 0 ? ahead : 0;
            sum += share * (d * d) + (kept * kept - mu[i] * mu[i]) * (0.5f / RHO);
            g[i] = 2 * share * d + kept;
        }
        loss += (double)sum;
    }
    return loss;
}

/* ---- Predictions that should be equal to y: their square, and multipliers ------------------------------ */

static tp_tensor record_equality(const tp_tensor *x)
{
    const tp_tensor h = tp_equals(x[0], x[1]).part[0].value;
    const tp_tensor rho = tp_parameter(x[0].tape, TP_F32, TP_SHAPE_0D, &RHO);
    return tp_add(tp_mean(tp_square(x[0])), tp_augmented_equality(h, x[2], rho));
}

TP_INSTRUCTION_SETS
static double hand_equality(int64_t n, const float *restrict p, const float *restrict y,
                            const float *restrict multiplier, float *restrict g)
{
    const float share = 1 / (float)n;
    double loss = 0;

    for (int64_t start = 0; start < n; start += STRIP) {
        const int64_t end = n - start < STRIP ? n : start + STRIP;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++) {
            const float h = p[i] - y[i];
            sum += share * (p[i] * p[i]) + h * (multiplier[i] + 0.5f * RHO * h);
            g[i] = 2 * share * p[i] + multiplier[i] + RHO * h;
        }
        loss += (double)sum;
    }
    return loss;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static const struct rule {
    const char *name;
    tp_tensor (*record)(const tp_tensor *x);
    double (*hand)(int64_t n, const float *a, const float *b, const float *c, float *g);
    int operands;
    bool rows;
} rules[] = {
    {"sum to one CE", record_sum_to_one, hand_sum_to_one, 2, true},
    {"two tasks", record_two_tasks, hand_two_tasks, 3, false},
    {"augmented Lagrangian <=", record_multipliers, hand_multipliers, 3, false},
    {"augmented Lagrangian =", record_equality, hand_equality, 3, false},
};

static void run_hand(void *state)
{
    setup *s = state;
    bench_sink = s->loss = s->rule->hand(s->pass.n, s->a, s->b, s->c, s->pass.g);
}

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

static void run_case(suite *s, const struct rule *rule, int64_t n)
{
    if (!bench_wants(s, rule->name, n, 1))
        return;
    bench_threads(1);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_shape shape = rule->rows ? TP_SHAPE(n / CLASSES, CLASSES) : TP_SHAPE(n);
    tp_tensor x[3], gradient;
    float *data[3] = {NULL};
    for (int k = 0; k < rule->operands; k++) {
        x[k] = tp_input(tape, TP_F32, shape);
        data[k] = tp_leaf_data(x[k], TP_F32);
        bench_fill(data[k], n, 0.05, 1.5, (uint64_t)k + 1);
    }
    const tp_tensor loss = rule->record(x);
    tp_gradient(loss, x, 1, &gradient);

    setup state = {.rule = rule, .a = data[0], .b = data[1], .c = data[2]};
    state.pass = (pass){
        .n = n, .threads = 1, .p = data[0], .y = data[1], .g = bench_allocate((size_t)n * sizeof(float))};
    state.program = bench_compile(s, rule->name, (tp_tensor[]){loss, gradient}, 2);
    run_hand(&state);
    if (state.program != NULL && bench_agree(s, rule->name, "loss", tp_item(loss), state.loss, 1e-5) &&
        bench_agree_f32(s, rule->name, "gradient", n, tp_values(gradient, TP_F32), state.pass.g, 1e-5))
        bench_row(s, &(row){.name = rule->name,
                            .dtype = "f32",
                            .n = n,
                            .threads = 1,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = (size_t)(n * rule->operands) * sizeof(float),
                            .outputs = (size_t)(n + 1) * sizeof(float)});
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(state.pass.g);
}

void bench_constraints(suite *s)
{
    static const int64_t sizes[] = {10000, 100000};
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            run_case(s, &rules[k], sizes[i]);
}
