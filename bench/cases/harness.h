/* harness.h -- what the cases share: whether a row is wanted, agreement, interleaved timing, one printed row. */
#ifndef TAPIR_BENCH_HARNESS_H
#define TAPIR_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tapir/tapir.h>

typedef struct suite {
    const char *filter; /* rows whose name/n/threads contains it; NULL: all */
    const char *data;   /* directory with reference instances, or NULL */
    bool csv;
    bool busy;    /* the machine is: fastest samples, and processor time where there is one thread */
    bool profile; /* run Tapir alone, for a profiler */
    bool plan;    /* show the programs' plans instead */
    int failures; /* cases that did not agree */
} suite;

typedef void work(void *state);

typedef struct row {
    const char *name, *dtype;
    int64_t n;
    int threads;
    work *tapir;            /* NULL: the program is run */
    work *hand, *bound;     /* may be NULL */
    void *state;            /* of these three */
    tp_program *program;    /* whose memory and plan are shown; may be NULL if there is `tapir` */
    double per;             /* a call's time is divided by this; 0 stands for 1 */
    size_t leaves, outputs; /* bytes */
} row;

bool bench_wants(const suite *s, const char *name, int64_t n, int threads);

/* Threads of what follows, which tp_compile takes from OpenMP; and where it can be set, of the BLAS. */
void bench_threads(int threads);
void bench_blas_threads(int threads);

/* Names the columns, and unless they go to a program the library of the bare convolutions. */
void bench_heading(const suite *s, const char *convolutions);

/* Times hand, Tapir, hand, bound in turn and prints the medians; or, for a profile, runs Tapir for a second. */
void bench_row(suite *s, const row *r);

/* True when |a - b| <= tolerance |b|, and for arrays: of the largest |b|.  Else says so and counts a failure. */
bool bench_agree(suite *s, const char *name, const char *what, double a, double b, double tolerance);
bool bench_agree_f32(suite *s, const char *name, const char *what, int64_t n, const float *a, const float *b,
                     double tolerance);
bool bench_agree_f64(suite *s, const char *name, const char *what, int64_t n, const double *a,
                     const double *b, double tolerance);

/* Compiles and runs once; NULL, a message and a failure when something is wrong. */
tp_program *bench_compile(suite *s, const char *name, const tp_tensor *outputs, int n);

/* Uniform in [low, high), the same numbers for the same seed. */
void bench_fill(float *x, int64_t n, double low, double high, uint64_t seed);

/* A parameter so filled, from -1 to 1; *data becomes its memory. */
tp_tensor bench_leaf(tp_tape *tape, tp_shape shape, uint64_t seed, const float **data);

/* Aligned, or exits: a bench without memory has nothing to say. */
void *bench_allocate(size_t bytes);

double bench_now(void); /* seconds */

/* Keeps what was computed. */
extern volatile double bench_sink;

/* ---- The same-footprint pass: g = p - y, or g = p - c with one input. */
typedef struct pass {
    int64_t n;
    int threads;
    const float *p, *y; /* y may be NULL */
    float *g;
} pass;
void bench_pass(void *pass);

/* A thread's share of n: from share * t / of to share * (t + 1) / of, in whole units. */
static inline int64_t bench_share(int64_t n, int64_t unit, int t, int of)
{
    const int64_t units = (n + unit - 1) / unit, at = units * t / of * unit;
    return at < n ? at : n;
}

/* ---- Families of cases ---- */
void bench_elementwise(suite *s);
void bench_cross_entropy(suite *s);
void bench_norm(suite *s);
void bench_opaque(suite *s);
void bench_products(suite *s);
void bench_convolution(suite *s);
void bench_steps(suite *s);
void bench_indexing(suite *s);
void bench_mlp(suite *s);
void bench_modes(suite *s);
void bench_optim(suite *s);
void bench_record(suite *s);
void bench_gmm(suite *s);
void bench_ordering(suite *s);
void bench_constraints(suite *s);
void bench_ctc(suite *s);

#endif
