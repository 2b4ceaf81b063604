/* scalar_math.c -- the functions of tapir/scalar.h, in a loop compiled for AVX2, beside libm one by one and glibc's
 * vector library libmvec for AVX2.
 *
 * All three run in turn, many times, over the same 1024 values in cache; the fastest round of each counts.  Prints
 * nanoseconds per element and, in brackets, how many times as long as Tapir that is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tapir/scalar.h>

#if defined __x86_64__ && defined __GNUC__
#define AVX2         __attribute__((target("avx2")))
#define CPU_HAS_AVX2 __builtin_cpu_supports("avx2")
#else
#define AVX2
#define CPU_HAS_AVX2 1
#endif

enum { N = 1024, ROUNDS = 300, REPEATS = 20 };

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float libm_sigmoid_f32(float x)
{
    return 1 / (1 + expf(-x));
}

static double libm_sigmoid_f64(double x)
{
    return 1 / (1 + exp(-x));
}

static float libm_softplus_f32(float x)
{
    return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
}

static double libm_softplus_f64(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

enum { EXP, EXPM1, LOG, LOG1P, TANH, SIGMOID, SOFTPLUS, FUNCTIONS };

/* libm is called as anyone would call it, through a pointer for brevity: its functions are not inlined anyway. */
typedef float f32_function(float);
typedef double f64_function(double);

static const struct {
    const char *name;
    double from, to; /* arguments */
    f32_function *f32;
    f64_function *f64;
} function[FUNCTIONS] = {
    [EXP] = {"exp", -10, 10, expf, exp},
    [EXPM1] = {"expm1", -5, 5, expm1f, expm1},
    [LOG] = {"log", 0.01, 100, logf, log},
    [LOG1P] = {"log1p", -0.9, 10, log1pf, log1p},
    [TANH] = {"tanh", -5, 5, tanhf, tanh},
    [SIGMOID] = {"sigmoid", -10, 10, libm_sigmoid_f32, libm_sigmoid_f64},
    [SOFTPLUS] = {"softplus", -10, 10, libm_softplus_f32, libm_softplus_f64},
};

/* ---- libmvec ------------------------------------------------------------------------------------------------- */

#if defined __x86_64__ && defined __GNUC__ && defined __GLIBC__ && __GLIBC_PREREQ(2, 35)
#define HAVE_LIBMVEC 1

/* The names are those of the x86-64 vector ABI: d is AVX2, N unmasked, then the number of lanes. */
typedef float f32x8 __attribute__((vector_size(32)));
typedef double f64x4 __attribute__((vector_size(32)));
f32x8 _ZGVdN8v_expf(f32x8), _ZGVdN8v_expm1f(f32x8), _ZGVdN8v_logf(f32x8), _ZGVdN8v_log1pf(f32x8),
    _ZGVdN8v_tanhf(f32x8);
f64x4 _ZGVdN4v_exp(f64x4), _ZGVdN4v_expm1(f64x4), _ZGVdN4v_log(f64x4), _ZGVdN4v_log1p(f64x4),
    _ZGVdN4v_tanh(f64x4);

static f32x8 (*const libmvec_f32[FUNCTIONS])(f32x8) = {_ZGVdN8v_expf, _ZGVdN8v_expm1f, _ZGVdN8v_logf,
                                                       _ZGVdN8v_log1pf, _ZGVdN8v_tanhf};
static f64x4 (*const libmvec_f64[FUNCTIONS])(f64x4) = {_ZGVdN4v_exp, _ZGVdN4v_expm1, _ZGVdN4v_log,
                                                       _ZGVdN4v_log1p, _ZGVdN4v_tanh};

AVX2 static void vector_loop_f32(int f, const float *x, float *y)
{
    for (int i = 0; i < N; i += 8) {
        f32x8 v;
        memcpy(&v, x + i, sizeof v);
        v = libmvec_f32[f](v);
        memcpy(y + i, &v, sizeof v);
    }
}

AVX2 static void vector_loop_f64(int f, const double *x, double *y)
{
    for (int i = 0; i < N; i += 4) {
        f64x4 v;
        memcpy(&v, x + i, sizeof v);
        v = libmvec_f64[f](v);
        memcpy(y + i, &v, sizeof v);
    }
}
#else
#define HAVE_LIBMVEC 0
#endif

static int has_libmvec(int f)
{
    return HAVE_LIBMVEC && f <= TANH;
}

/* ---- The loops ----------------------------------------------------------------------------------------------- */

#define LOOP(FUNCTION)                                                                                       \
    for (int i = 0; i < N; i++)                                                                              \
        y[i] = FUNCTION(x[i]);                                                                               \
    break

#define LOOP_OF(f)                                                                                           \
    switch (f) {                                                                                             \
    case EXP: LOOP(TP_EXP);                                                                                  \
    case EXPM1: LOOP(TP_EXPM1);                                                                              \
    case LOG: LOOP(TP_LOG);                                                                                  \
    case LOG1P: LOOP(TP_LOG1P);                                                                              \
    case TANH: LOOP(TP_TANH);                                                                                \
    case SIGMOID: LOOP(TP_SIGMOID);                                                                          \
    default: LOOP(TP_SOFTPLUS);                                                                              \
    }

AVX2 static void tapir_loop_f32(int f, const float *restrict x, float *restrict y){LOOP_OF(f)}

AVX2 static void tapir_loop_f64(int f, const double *restrict x, double *restrict y)
{
    LOOP_OF(f)
}

static void libm_loop_f32(int f, const float *x, float *y)
{
    for (int i = 0; i < N; i++)
        y[i] = function[f].f32(x[i]);
}

static void libm_loop_f64(int f, const double *x, double *y)
{
    for (int i = 0; i < N; i++)
        y[i] = function[f].f64(x[i]);
}

/* ---- Measuring ----------------------------------------------------------------------------------------------- */

/* Takes one element of y after each round, so that no loop can be dropped. */
static volatile double sink;

typedef void loop_f32(int f, const float *x, float *y);
typedef void loop_f64(int f, const double *x, double *y);

static void time_f32(loop_f32 *loop, int f, const float *x, float *y, double *best)
{
    const double start = now();
    for (int i = 0; i < REPEATS; i++)
        loop(f, x, y);
    const double elapsed = (now() - start) / ((double)REPEATS * N);
    *best = elapsed < *best ? elapsed : *best;
    sink = (double)y[N / 2];
}

static void time_f64(loop_f64 *loop, int f, const double *x, double *y, double *best)
{
    const double start = now();
    for (int i = 0; i < REPEATS; i++)
        loop(f, x, y);
    const double elapsed = (now() - start) / ((double)REPEATS * N);
    *best = elapsed < *best ? elapsed : *best;
    sink = y[N / 2];
}

static void print_row(int f, const char *dtype, double tapir, double libm, double libmvec)
{
    printf("| %s | %s | %.2f | %.2f (%.1f) |", function[f].name, dtype, tapir * 1e9, libm * 1e9,
           libm / tapir);
    if (has_libmvec(f))
        printf(" %.2f (%.1f) |\n", libmvec * 1e9, libmvec / tapir);
    else
        printf(" |\n");
}

static void measure(int f)
{
    static float x[N], y[N];
    static double x64[N], y64[N];
    for (int i = 0; i < N; i++) {
        x64[i] = function[f].from + (function[f].to - function[f].from) * rand() / RAND_MAX;
        x[i] = (float)x64[i];
    }
    double tapir[2] = {1, 1}, libm[2] = {1, 1}, libmvec[2] = {1, 1};
    for (int round = 0; round < ROUNDS; round++) {
        time_f32(tapir_loop_f32, f, x, y, &tapir[0]);
        time_f32(libm_loop_f32, f, x, y, &libm[0]);
        time_f64(tapir_loop_f64, f, x64, y64, &tapir[1]);
        time_f64(libm_loop_f64, f, x64, y64, &libm[1]);
#if HAVE_LIBMVEC
        if (has_libmvec(f)) {
            time_f32(vector_loop_f32, f, x, y, &libmvec[0]);
            time_f64(vector_loop_f64, f, x64, y64, &libmvec[1]);
        }
#endif
    }
    print_row(f, "f32", tapir[0], libm[0], libmvec[0]);
    print_row(f, "f64", tapir[1], libm[1], libmvec[1]);
}

int main(void)
{
    if (!CPU_HAS_AVX2) {
        fprintf(stderr, "scalar_math: needs AVX2\n");
        return 77;
    }
    printf("| function | dtype | Tapir, ns | libm, ns | libmvec, ns |\n|---|---|---|---|---|\n");
    for (int f = 0; f < FUNCTIONS; f++)
        measure(f);
    return 0;
}
