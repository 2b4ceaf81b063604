/* cross_entropy.c -- softmax cross-entropy with class indices: the mean over rows, and the gradient with respect to
 * the logits. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <tapir/op.h>
#include <tapir/scalar.h>

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor library(tp_tensor x, tp_tensor label)
{
    return tp_cross_entropy(x, label, NULL);
}

/* mean(log sum e^x - x[label]) */
static tp_tensor composed(tp_tensor x, tp_tensor label)
{
    const int64_t rows = tp_shape_of(x).dim[0], classes = tp_shape_of(x).dim[1];
    const tp_tensor column = tp_reshape(label, TP_SHAPE(rows, 1));
    const tp_tensor hit = tp_equal(column, tp_iota(x.tape, TP_I32, classes));
    const tp_tensor chosen = tp_where(hit, x, tp_scalar(x.tape, 0));
    return tp_mean(tp_sub(tp_logsumexp_over(x, TP_AXES(1), false), tp_sum_over(chosen, TP_AXES(1), false)));
}

/* ---- By hand ------------------------------------------------------------------------------------------- */

enum { STRIP = 1024, SHORT_ROW = 64 };

typedef double hand_rows(int64_t rows, int64_t classes, const float *x, const int32_t *label, float *g,
                         float c);

/* Row by row: the largest, then e^(x - largest) and its sum, then the scaling.  Sum of the losses. */
TP_INSTRUCTION_SETS
static double long_rows(int64_t rows, int64_t classes, const float *restrict x, const int32_t *restrict label,
                        float *restrict g, float c)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++, x += classes, g += classes) {
        float largest = x[0];
#pragma omp simd reduction(max : largest)
        for (int64_t i = 0; i < classes; i++)
            largest = x[i] > largest ? x[i] : largest;

        double total = 0;
        for (int64_t start = 0; start < classes; start += STRIP) {
            const int64_t end = classes - start < STRIP ? classes : start + STRIP;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = start; i < end; i++) {
                const float e = tp_exp_f32(x[i] - largest);
                g[i] = e;
                sum += e;
            }
            total += (double)sum;
        }

        const float factor = c / (float)total;
        for (int64_t i = 0; i < classes; i++)
            g[i] *= factor;
        g[label[r]] -= c;
        loss += log(total) + (double)largest - (double)x[label[r]];
    }
    return loss;
}

/* Several short rows at a time, so that the exponentials, which are most of the work, fill whole vectors. */
TP_INSTRUCTION_SETS
static double short_rows(int64_t rows, int64_t classes, const float *restrict x,
                         const int32_t *restrict label, float *restrict g, float c)
{
    float of_row[STRIP], factor[STRIP], shifted[STRIP];
    const int64_t at_once = STRIP / classes;
    double loss = 0;

    for (int64_t from = 0; from < rows; from += at_once, x += at_once * classes, g += at_once * classes) {
        const int64_t here = rows - from < at_once ? rows - from : at_once, n = here * classes;
        for (int64_t r = 0; r < here; r++) {
            float largest = x[r * classes];
            for (int64_t i = 1; i < classes; i++)
                largest = x[r * classes + i] > largest ? x[r * classes + i] : largest;
            of_row[r] = largest;
            for (int64_t i = 0; i < classes; i++)
                shifted[r * classes + i] = x[r * classes + i] - largest;
        }
        for (int64_t i = 0; i < n; i++)
            g[i] = tp_exp_f32(shifted[i]);
        for (int64_t r = 0; r < here; r++) {
            float total = 0;
            for (int64_t i = 0; i < classes; i++)
                total += g[r * classes + i];
            of_row[r] += -x[r * classes + label[from + r]];
            factor[r] = total;
        }
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t r = 0; r < here; r++) {
            sum += of_row[r] + tp_log_f32(factor[r]);
            factor[r] = c / factor[r];
        }
        for (int64_t r = 0; r < here; r++) {
            for (int64_t i = 0; i < classes; i++)
                g[r * classes + i] *= factor[r];
            g[r * classes + label[from + r]] -= c;
        }
        loss += (double)sum;
    }
    return loss;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

typedef struct setup {
    pass pass;
    int64_t rows, classes;
    const int32_t *label;
    tp_program *program;
    double loss; /* by hand */
} setup;

static void run_hand(void *state)
{
    setup *s = state;
    hand_rows *hand = s->classes <= SHORT_ROW ? short_rows : long_rows;
    const float c = (float)(1 / (double)s->rows);
    const int of = s->pass.threads;
    double loss = 0;

#pragma omp parallel for num_threads(of) if (of > 1) schedule(static) reduction(+ : loss)
    for (int t = 0; t < of; t++) {
        const int64_t from = s->rows * t / of, to = s->rows * (t + 1) / of;
        loss += hand(to - from, s->classes, s->pass.p + from * s->classes, s->label + from,
                     s->pass.g + from * s->classes, c);
    }
    bench_sink = s->loss = loss / (double)s->rows;
}

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

typedef tp_tensor recorder(tp_tensor x, tp_tensor label);

static void run_case(suite *s, const char *kind, recorder *record, int64_t rows, int64_t classes, int threads)
{
    char name[64];
    const int64_t n = rows * classes;
    snprintf(name, sizeof name, "%s %lldx%lld", kind, (long long)rows, (long long)classes);
    if (!bench_wants(s, name, n, threads))
        return;
    bench_threads(threads);

    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(rows, classes)),
                    label = tp_input(tape, TP_I32, TP_SHAPE(rows));
    const tp_tensor loss = record(x, label);
    tp_tensor gradient;
    tp_gradient(loss, &x, 1, &gradient);

    float *x_data = tp_leaf_data(x, TP_F32);
    int32_t *label_data = tp_leaf_data(label, TP_I32);
    bench_fill(x_data, n, -3, 3, 1);
    for (int64_t r = 0; r < rows; r++)
        label_data[r] = (int32_t)(r * 7919 % classes);

    setup state = {.rows = rows, .classes = classes, .label = label_data};
    state.pass =
        (pass){.n = n, .threads = threads, .p = x_data, .g = bench_allocate((size_t)n * sizeof(float))};
    state.program = bench_compile(s, name, (tp_tensor[]){loss, gradient}, 2);
    run_hand(&state);
    if (state.program != NULL && bench_agree(s, name, "loss", tp_item(loss), state.loss, 1e-5) &&
        bench_agree_f32(s, name, "gradient", n, tp_values(gradient, TP_F32), state.pass.g, 1e-5))
        bench_row(s, &(row){.name = name,
                            .dtype = "f32",
                            .n = n,
                            .threads = threads,
                            .hand = run_hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = (size_t)(n + rows) * sizeof(float),
                            .outputs = (size_t)(n + 1) * sizeof(float)});
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(state.pass.g);
}

void bench_cross_entropy(suite *s)
{
    static const int64_t sizes[][2] = {{100000, 10}, {8192, 1000}, {512, 50000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int threads = 1; threads <= 2; threads++) {
            run_case(s, "cross_entropy", library, sizes[i][0], sizes[i][1], threads);
            run_case(s, "cross_entropy_composed", composed, sizes[i][0], sizes[i][1], threads);
        }
}
