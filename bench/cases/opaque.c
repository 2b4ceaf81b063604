/* opaque.c -- what Tapir adds to a callback: a central gradient of a cheap function of 8 numbers, of which the column "by hand"
 * calls the same function as often.  Times are per evaluation: the difference of the columns is the overhead.
 */
#include "harness.h"

#include <string.h>

enum { N = 8, M = 4 };

typedef struct setup {
    tp_program *program;
    tp_opaque_report report;
    int64_t calls;
    double x[N];
} setup;

static int cheap(const double *x, size_t n, double *y, size_t m, void *user)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    for (size_t j = 0; j < m; j++)
        y[j] = sum + (double)j * x[j];
    ++*(int64_t *)user;
    return 0;
}

static void run_hand(void *state)
{
    setup *s = state;
    const volatile tp_opaque_function function = cheap; /* as Tapir, which cannot see into it */
    double y[M], sum = 0;
    for (int64_t k = 0; k < s->report.gradient_evaluations; k++) {
        function(s->x, N, y, M, &s->calls);
        sum += y[M - 1];
    }
    bench_sink = sum;
}

static void run_case(suite *b, const char *name, tp_opaque_options options)
{
    setup s = {0};
    double g[N], expected[N];
    tp_tensor x, dx;

    if (!bench_wants(b, name, N, 1))
        return;
    bench_threads(1);
    tp_tape *tape = tp_tape_create(NULL);
    for (int i = 0; i < N; i++)
        s.x[i] = 0.25 * i - 1;
    x = tp_parameter(tape, TP_F64, TP_SHAPE(N), s.x);
    s.report.no_error_bars = true;
    options.report = &s.report;
    const tp_tensor y = tp_opaque(x, TP_SHAPE(M), cheap, &s.calls, &options);
    tp_gradient(tp_sum(y), &x, 1, &dx);
    s.program = bench_compile(b, name, &dx, 1);
    if (s.program != NULL) {
        for (int i = 0; i < N; i++)
            expected[i] = 2 * M * s.x[i] + (i < M ? i : 0);
        tp_read(dx, g, N);
        if (bench_agree_f64(b, name, "gradient", N, g, expected, 1e-6))
            bench_row(b, &(row){.name = name,
                                .dtype = "f64",
                                .n = N,
                                .threads = 1,
                                .hand = run_hand,
                                .state = &s,
                                .program = s.program,
                                .per = (double)s.report.gradient_evaluations,
                                .leaves = sizeof s.x,
                                .outputs = sizeof g});
    }
    tp_program_destroy(s.program);
    tp_tape_destroy(tape);
}

void bench_opaque(suite *b)
{
    run_case(b, "opaque", (tp_opaque_options){.noise = {true, 0}});
    run_case(b, "opaque noise measured", (tp_opaque_options){.method = TP_OPAQUE_CENTRAL});
    run_case(b, "opaque guarded", (tp_opaque_options){.noise = {true, 0}, .guard = true});
}
