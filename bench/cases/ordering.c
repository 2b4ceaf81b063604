/* ordering.c -- sort, topk and cumsum of rows: values alone, no gradient.  By hand: a radix sort, a heap, a loop. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

typedef struct setup {
    pass pass; /* p is x, g the result by hand */
    int64_t rows, n, k;
    int32_t *position; /* of topk, by hand */
    uint32_t *key, *other;
    tp_program *program;
} setup;

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

/* ---- sort ---------------------------------------------------------------------------------------------- */

/* Least significant digit first, 11 bits at a time; all numbers finite and none -0. */
static void hand_sort(void *state)
{
    enum { BITS = 11, DIGITS = 3, VALUES = 1 << BITS };
    const setup *s = state;

    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->pass.p + r * s->n;
        float *y = s->pass.g + r * s->n;
        uint32_t count[DIGITS][VALUES], *key = s->key, *other = s->other;

        memset(count, 0, sizeof count);
        for (int64_t i = 0; i < s->n; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, sizeof bits);
            bits ^= (uint32_t) - (int32_t)(bits >> 31) | (uint32_t)1 << 31;
            key[i] = bits;
            for (int d = 0; d < DIGITS; d++)
                count[d][bits >> d * BITS & (VALUES - 1)]++;
        }
        for (int d = 0; d < DIGITS; d++) {
            uint32_t start = 0, *next = count[d], *swap = key;
            for (int v = 0; v < VALUES; v++) {
                const uint32_t here = next[v];
                next[v] = start;
                start += here;
            }
            for (int64_t i = 0; i < s->n; i++)
                other[next[key[i] >> d * BITS & (VALUES - 1)]++] = key[i];
            key = other;
            other = swap;
        }
        for (int64_t i = 0; i < s->n; i++) {
            const uint32_t bits = key[i] ^ (((key[i] >> 31) - 1) | (uint32_t)1 << 31);
            memcpy(y + i, &bits, sizeof bits);
        }
    }
}

/* ---- topk ---------------------------------------------------------------------------------------------- */

/* The heap's root is the least of the k largest; of equal ones the later is less. */
static void sift_down(int64_t k, float *value, int32_t *position, int64_t at)
{
    const float v = value[at];
    const int32_t p = position[at];
    for (int64_t child; (child = 2 * at + 1) < k; at = child) {
        if (child + 1 < k && (value[child + 1] < value[child] ||
                              (value[child + 1] == value[child] && position[child + 1] > position[child])))
            child++;
        if (v < value[child] || (v == value[child] && p > position[child]))
            break;
        value[at] = value[child];
        position[at] = position[child];
    }
    value[at] = v;
    position[at] = p;
}

static void hand_topk(void *state)
{
    const setup *s = state;
    const int64_t k = s->k;

    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->pass.p + r * s->n;
        float *value = s->pass.g + r * k;
        int32_t *position = s->position + r * k;
        for (int64_t i = 0; i < k; i++) {
            value[i] = x[i];
            position[i] = (int32_t)i;
        }
        for (int64_t i = k / 2 - 1; i >= 0; i--)
            sift_down(k, value, position, i);
        for (int64_t i = k; i < s->n; i++)
            if (x[i] > value[0]) {
                value[0] = x[i];
                position[0] = (int32_t)i;
                sift_down(k, value, position, 0);
            }
        for (int64_t left = k - 1; left > 0; left--) { /* the least goes last */
            const float v = value[0];
            const int32_t p = position[0];
            value[0] = value[left];
            position[0] = position[left];
            sift_down(left, value, position, 0);
            value[left] = v;
            position[left] = p;
        }
    }
}

/* ---- cumsum -------------------------------------------------------------------------------------------- */

static void hand_cumsum(void *state)
{
    const setup *s = state;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->pass.p + r * s->n;
        float *y = s->pass.g + r * s->n;
        double sum = 0;
        for (int64_t i = 0; i < s->n; i++) {
            sum += (double)x[i];
            y[i] = (float)sum;
        }
    }
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

typedef struct ordering_case {
    const char *name;
    work *hand;
    int64_t rows, n, k;
} ordering_case;

static int record(const ordering_case *c, tp_tensor x, tp_tensor output[2])
{
    output[0] = c->hand == hand_sort     ? tp_sort(x, 1, false)
                : c->hand == hand_cumsum ? tp_cumsum(x, 1)
                                         : tp_topk(x, c->k, 1, true);
    if (c->hand != hand_topk)
        return 1;
    output[1] = tp_argtopk(x, c->k, 1, true);
    return 2;
}

static bool agrees(suite *s, const ordering_case *c, const setup *state, const tp_tensor output[2])
{
    const int64_t count = c->rows * (c->hand == hand_topk ? c->k : c->n);
    const int32_t *positions = c->hand == hand_topk ? tp_values(output[1], TP_I32) : NULL;

    if (!bench_agree_f32(s, c->name, "values", count, tp_values(output[0], TP_F32), state->pass.g, 0))
        return false;
    for (int64_t i = 0; i < count && positions != NULL; i++)
        if (!bench_agree(s, c->name, "position", positions[i], state->position[i], 0))
            return false;
    return true;
}

static void run_case(suite *s, const ordering_case *c)
{
    const int64_t count = c->rows * c->n;
    const size_t bytes = (size_t)count * sizeof(float);
    tp_tensor output[2];

    if (!bench_wants(s, c->name, count, 1))
        return;
    bench_threads(1);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(c->rows, c->n));
    float *data = tp_leaf_data(x, TP_F32);
    bench_fill(data, count, -2, 2, 7);
    setup state = {.pass = {count, 1, data, NULL, bench_allocate(bytes)},
                   .rows = c->rows,
                   .n = c->n,
                   .k = c->k,
                   .position = bench_allocate(bytes),
                   .key = bench_allocate(bytes),
                   .other = bench_allocate(bytes)};
    const int outputs = record(c, x, output);
    state.program = bench_compile(s, c->name, output, outputs);
    c->hand(&state);
    if (state.program != NULL && agrees(s, c, &state, output))
        bench_row(s, &(row){.name = c->name,
                            .dtype = "f32",
                            .n = count,
                            .threads = 1,
                            .hand = c->hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = bytes,
                            .outputs = (size_t)c->rows * (c->k > 0 ? 2 * (size_t)c->k : (size_t)c->n) *
                                       sizeof(float)});
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(state.pass.g);
    free(state.position);
    free(state.key);
    free(state.other);
}

void bench_ordering(suite *s)
{
    static const ordering_case cases[] = {
        {"sort 1x1000000", hand_sort, 1, 1000000, 0},
        {"sort 1000x1000", hand_sort, 1000, 1000, 0},
        {"top 10 of 1x1000000", hand_topk, 1, 1000000, 10},
        {"top 10 of 1000x1000", hand_topk, 1000, 1000, 10},
        {"top 100 of 1x1000000", hand_topk, 1, 1000000, 100},
        {"top 100 of 1000x1000", hand_topk, 1000, 1000, 100},
        {"cumsum 1x1000000", hand_cumsum, 1, 1000000, 0},
        {"cumsum 1000x1000", hand_cumsum, 1000, 1000, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        run_case(s, &cases[k]);
}
