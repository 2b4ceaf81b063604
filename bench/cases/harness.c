/* harness.c -- timing and printing. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tapir/op.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROUNDS = 15, FEWEST_ROUNDS = 5 };
static const double SAMPLE = 2e-3, LONGEST = 1.5; /* seconds: of a sample at least, of a row about */

volatile double bench_sink;

double bench_now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *bench_allocate(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (memory == NULL) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    memset(memory, 0, bytes);
    return memory;
}

void bench_fill(float *x, int64_t n, double low, double high, uint64_t seed)
{
    uint64_t bits = seed * 2654435761u + 1;
    for (int64_t i = 0; i < n; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(low + (high - low) * ((double)(bits >> 40) / 16777216.0));
    }
}

tp_tensor bench_leaf(tp_tape *tape, tp_shape shape, uint64_t seed, const float **data)
{
    const tp_tensor x = tp_parameter(tape, TP_F32, shape, NULL);
    float *values = tp_leaf_data(x, TP_F32);
    bench_fill(values, tp_shape_count(shape), -1, 1, seed);
    *data = values;
    return x;
}

#if defined __GNUC__
void openblas_set_num_threads(int threads) __attribute__((weak));
#define HAVE_BLAS_THREADS (openblas_set_num_threads != NULL)
#else
#define HAVE_BLAS_THREADS                 0
#define openblas_set_num_threads(threads) (void)(threads)
#endif

void bench_threads(int threads)
{
#ifdef _OPENMP
    omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

void bench_blas_threads(int threads)
{
    if (HAVE_BLAS_THREADS)
        openblas_set_num_threads(threads);
}

/* ---- Which rows --------------------------------------------------------------------------------------- */

bool bench_wants(const suite *s, const char *name, int64_t n, int threads)
{
    char text[160];
#ifndef _OPENMP
    if (threads > 1)
        return false;
#endif
    snprintf(text, sizeof text, "%s/%lld/%d", name, (long long)n, threads);
    return s->filter == NULL || strstr(text, s->filter) != NULL;
}

/* ---- Agreement ---------------------------------------------------------------------------------------- */

static bool disagree(suite *s, const char *name, const char *what, long long at, double a, double b)
{
    printf("%s: not timed, as results differ: %s, element %lld: Tapir %.9g, expected %.9g\n", name, what, at,
           a, b);
    s->failures++;
    return false;
}

static double size_of(double x)
{
    return x < 0 ? -x : x;
}

bool bench_agree(suite *s, const char *name, const char *what, double a, double b, double tolerance)
{
    return size_of(a - b) <= tolerance * size_of(b) ? true : disagree(s, name, what, 0, a, b);
}

bool bench_agree_f64(suite *s, const char *name, const char *what, int64_t n, const double *a,
                     const double *b, double tolerance)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = size_of(b[i]) > largest ? size_of(b[i]) : largest;
    for (int64_t i = 0; i < n; i++)
        if (!(size_of(a[i] - b[i]) <= tolerance * largest))
            return disagree(s, name, what, i, a[i], b[i]);
    return true;
}

bool bench_agree_f32(suite *s, const char *name, const char *what, int64_t n, const float *a, const float *b,
                     double tolerance)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = size_of((double)b[i]) > largest ? size_of((double)b[i]) : largest;
    for (int64_t i = 0; i < n; i++)
        if (!(size_of((double)a[i] - (double)b[i]) <= tolerance * largest))
            return disagree(s, name, what, i, (double)a[i], (double)b[i]);
    return true;
}

tp_program *bench_compile(suite *s, const char *name, const tp_tensor *outputs, int n)
{
    tp_program *program = tp_compile(outputs, n, NULL);
    const char *message = tp_tape_message(outputs[0].tape);
    if (program != NULL && tp_run(program) == TP_OK)
        return program;
    printf("%s: not timed: %s\n", name, program == NULL ? message : tp_program_message(program));
    tp_program_destroy(program);
    s->failures++;
    return NULL;
}

/* ---- The same-footprint pass --------------------------------------------------------------------------- */

TP_INSTRUCTION_SETS
static void subtract(int64_t n, const float *restrict p, const float *restrict y, float *restrict g)
{
    for (int64_t i = 0; i < n; i++)
        g[i] = p[i] - y[i];
}

TP_INSTRUCTION_SETS
static void subtract_number(int64_t n, const float *restrict p, float y, float *restrict g)
{
    for (int64_t i = 0; i < n; i++)
        g[i] = p[i] - y;
}

static void pass_share(const pass *w, int64_t from, int64_t to)
{
    if (w->y != NULL)
        subtract(to - from, w->p + from, w->y + from, w->g + from);
    else
        subtract_number(to - from, w->p + from, 0.5f, w->g + from);
}

void bench_pass(void *state)
{
    const pass *w = state;
    const int of = w->threads;
    if (of == 1) {
        pass_share(w, 0, w->n);
        return;
    }
#pragma omp parallel for num_threads(of) schedule(static)
    for (int t = 0; t < of; t++)
        pass_share(w, bench_share(w->n, 1024, t, of), bench_share(w->n, 1024, t + 1, of));
}

/* ---- Timing -------------------------------------------------------------------------------------------- */

typedef struct timing {
    work *work;
    void *state;
    bool processor_time;
    int64_t repeats;
    int samples;
    double sample[2 * ROUNDS];
} timing;

static double repeat(const timing *t)
{
    const clock_t ticks = clock();
    const double start = bench_now();
    for (int64_t i = 0; i < t->repeats; i++)
        t->work(t->state);
    return t->processor_time ? (double)(clock() - ticks) / CLOCKS_PER_SEC : bench_now() - start;
}

/* Warms up and finds how often to call for one sample; returns a sample's length. */
static double calibrate(timing *t)
{
    double elapsed = 0;
    if (t->work == NULL)
        return 0;
    t->repeats = 1;
    repeat(t);
    while ((elapsed = repeat(t)) < SAMPLE) {
        const double factor = elapsed > 0 ? 1.2 * SAMPLE / elapsed : 10;
        t->repeats = (int64_t)((double)t->repeats * (factor < 2 ? 2 : factor > 10 ? 10 : factor));
    }
    return elapsed;
}

static void take(timing *t)
{
    if (t->work != NULL)
        t->sample[t->samples++] = repeat(t) / (double)t->repeats;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds: the median, or the least. */
static double result(const suite *s, timing *t, double per)
{
    if (t->samples == 0)
        return 0;
    qsort(t->sample, (size_t)t->samples, sizeof *t->sample, ascending);
    return 1e9 * t->sample[s->busy ? 0 : t->samples / 2] / per;
}

/* ---- Printing ------------------------------------------------------------------------------------------ */

void bench_heading(const suite *s, const char *convolutions)
{
    if (s->csv) {
        printf("case,dtype,n,threads,tapir_ns,hand_ns,bound_ns,tapir/hand,tapir/bound,memory,footprint\n");
    } else {
        printf("bare convolutions by %s\n", convolutions);
        printf("%-34s %-5s %10s %7s %14s %14s %14s %10s %11s %9s %9s\n", "case", "dtype", "n", "threads",
               "tapir_ns", "hand_ns", "bound_ns", "tapir/hand", "tapir/bound", "memory", "footprint");
    }
}

/* A number that may be missing. */
static const char *number(const suite *s, char *text, size_t size, double x, int digits)
{
    if (x > 0)
        snprintf(text, size, "%.*f", digits, x);
    else
        snprintf(text, size, "%s", s->csv ? "" : "-");
    return text;
}

static void print_row(const suite *s, const row *r, double tapir, double hand, double bound)
{
    enum { SIZE = 32 };
    char ns[3][SIZE], over[2][SIZE], bytes[2][SIZE];
    const double unit = s->csv ? 1 : 1024.0 * 1024.0;
    const int digits = tapir < 1000 ? 1 : 0, byte_digits = s->csv ? 0 : 2;

    if (s->csv && strchr(r->name, ',') != NULL) {
        fprintf(stderr, "a case's name must have no comma: %s\n", r->name);
        exit(1);
    }
    number(s, ns[0], SIZE, tapir, digits);
    number(s, ns[1], SIZE, hand, digits);
    number(s, ns[2], SIZE, bound, digits);
    number(s, over[0], SIZE, hand > 0 ? tapir / hand : 0, 2);
    number(s, over[1], SIZE, bound > 0 ? tapir / bound : 0, 2);
    if (r->program == NULL)
        bytes[0][0] = bytes[1][0] = '\0';
    else {
        number(s, bytes[0], SIZE, (double)(r->leaves + tp_program_memory(r->program)) / unit, byte_digits);
        number(s, bytes[1], SIZE, (double)(r->leaves + r->outputs) / unit, byte_digits);
    }
    printf(s->csv ? "%s,%s,%lld,%d,%s,%s,%s,%s,%s,%s,%s\n"
                  : "%-34s %-5s %10lld %7d %14s %14s %14s %10s %11s %9s %9s\n",
           r->name, r->dtype, (long long)r->n, r->threads, ns[0], ns[1], ns[2], over[0], over[1], bytes[0],
           bytes[1]);
    fflush(stdout);
}

static void run_program(void *program)
{
    tp_run(program);
}

static timing timing_of_tapir(const row *r)
{
    return r->tapir != NULL ? (timing){.work = r->tapir, .state = r->state}
                            : (timing){.work = run_program, .state = r->program};
}

static void run_for_a_second(const row *r)
{
    timing t = timing_of_tapir(r);
    const double start = bench_now();
    int64_t runs = 0;
    for (calibrate(&t); bench_now() - start < 1; runs += t.repeats)
        repeat(&t);
    printf("%s: %lld runs\n", r->name, (long long)runs);
}

void bench_row(suite *s, const row *r)
{
    if (s->profile) {
        run_for_a_second(r);
        return;
    }
    if (s->plan) {
        printf("%s n %lld, threads %d\n", r->name, (long long)r->n, r->threads);
        tp_program_dump(r->program, stdout);
        return;
    }
    const bool processor_time = s->busy && r->threads == 1;
    timing tapir = timing_of_tapir(r), hand = {r->hand, r->state, processor_time, .samples = 0},
           bound = {r->bound, r->state, processor_time, .samples = 0};
    tapir.processor_time = processor_time;
    const double per = r->per > 0 ? r->per : 1,
                 round = calibrate(&tapir) + 2 * calibrate(&hand) + calibrate(&bound);
    const int affordable = (int)(LONGEST / round);
    const int rounds = affordable > ROUNDS ? ROUNDS : affordable < FEWEST_ROUNDS ? FEWEST_ROUNDS : affordable;

    for (int i = 0; i < rounds; i++) {
        take(&hand);
        take(&tapir);
        take(&hand);
        take(&bound);
    }
    print_row(s, r, result(s, &tapir, per), result(s, &hand, per), result(s, &bound, per));
}
