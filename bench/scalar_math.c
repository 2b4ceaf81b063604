/* scalar_math.c -- the functions of tapir/scalar*.h, in a loop compiled for AVX2, beside libm one by one and glibc's
 * vector library libmvec for AVX2.
 *
 * All three run in turn, many times, over the same 1024 values in cache; the fastest round of each counts.  Prints
 * nanoseconds per element and, in brackets, how many times as long as Tapir that is. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>
#include <tapir/scalar_special.h>
#include <tapir/scalar_trigonometric.h>

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

static float libm_tanh_softplus_f32(float x)
{
    return tanhf(log1pf(expf(x)));
}

static double libm_tanh_softplus_f64(double x)
{
    return tanh(log1p(exp(x)));
}

static float libm_normal_cdf_f32(float x)
{
    return 0.5f * erfcf(x * -0.70710678f);
}

static double libm_normal_cdf_f64(double x)
{
    return 0.5 * erfc(x * -0.70710678118654752440);
}

/* Those that libmvec has come first. */
enum {
    EXP,
    EXPM1,
    LOG,
    LOG1P,
    TANH,
    EXP2,
    LOG2,
    LOG10,
    SINH,
    COSH,
    ASINH,
    ACOSH,
    ATANH,
    SIN,
    COS,
    TAN,
    ASIN,
    ACOS,
    ATAN,
    ERF,
    ERFC,
    SIGMOID,
    SOFTPLUS,
    TANH_SOFTPLUS,
    NORMAL_CDF,
    FUNCTIONS
};

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
    [EXP2] = {"exp2", -10, 10, exp2f, exp2},
    [LOG2] = {"log2", 0.01, 100, log2f, log2},
    [LOG10] = {"log10", 0.01, 100, log10f, log10},
    [SINH] = {"sinh", -5, 5, sinhf, sinh},
    [COSH] = {"cosh", -5, 5, coshf, cosh},
    [ASINH] = {"asinh", -10, 10, asinhf, asinh},
    [ACOSH] = {"acosh", 1, 10, acoshf, acosh},
    [ATANH] = {"atanh", -0.99, 0.99, atanhf, atanh},
    [SIN] = {"sin", -10, 10, sinf, sin},
    [COS] = {"cos", -10, 10, cosf, cos},
    [TAN] = {"tan", -10, 10, tanf, tan},
    [ASIN] = {"asin", -1, 1, asinf, asin},
    [ACOS] = {"acos", -1, 1, acosf, acos},
    [ATAN] = {"atan", -5, 5, atanf, atan},
    [ERF] = {"erf", -3, 3, erff, erf},
    [ERFC] = {"erfc", -3, 5, erfcf, erfc},
    [SIGMOID] = {"sigmoid", -10, 10, libm_sigmoid_f32, libm_sigmoid_f64},
    [SOFTPLUS] = {"softplus", -10, 10, libm_softplus_f32, libm_softplus_f64},
    [TANH_SOFTPLUS] = {"tanh_softplus", -10, 10, libm_tanh_softplus_f32, libm_tanh_softplus_f64},
    [NORMAL_CDF] = {"normal_cdf", -5, 5, libm_normal_cdf_f32, libm_normal_cdf_f64},
};

/* ---- libmvec ------------------------------------------------------------------------------------------------- */

#if defined __x86_64__ && defined __GNUC__ && defined __GLIBC__ && __GLIBC_PREREQ(2, 35)
#define HAVE_LIBMVEC 1

/* The names are those of the x86-64 vector ABI: d is AVX2, N unmasked, then the number of lanes. */
typedef float f32x8 __attribute__((vector_size(32)));
typedef double f64x4 __attribute__((vector_size(32)));
f32x8 _ZGVdN8v_expf(f32x8), _ZGVdN8v_expm1f(f32x8), _ZGVdN8v_logf(f32x8), _ZGVdN8v_log1pf(f32x8),
    _ZGVdN8v_tanhf(f32x8), _ZGVdN8v_exp2f(f32x8), _ZGVdN8v_log2f(f32x8), _ZGVdN8v_log10f(f32x8),
    _ZGVdN8v_sinhf(f32x8), _ZGVdN8v_coshf(f32x8), _ZGVdN8v_asinhf(f32x8), _ZGVdN8v_acoshf(f32x8),
    _ZGVdN8v_atanhf(f32x8), _ZGVdN8v_sinf(f32x8), _ZGVdN8v_cosf(f32x8), _ZGVdN8v_tanf(f32x8),
    _ZGVdN8v_asinf(f32x8), _ZGVdN8v_acosf(f32x8), _ZGVdN8v_atanf(f32x8), _ZGVdN8v_erff(f32x8),
    _ZGVdN8v_erfcf(f32x8);
f64x4 _ZGVdN4v_exp(f64x4), _ZGVdN4v_expm1(f64x4), _ZGVdN4v_log(f64x4), _ZGVdN4v_log1p(f64x4),
    _ZGVdN4v_tanh(f64x4), _ZGVdN4v_exp2(f64x4), _ZGVdN4v_log2(f64x4), _ZGVdN4v_log10(f64x4),
    _ZGVdN4v_sinh(f64x4), _ZGVdN4v_cosh(f64x4), _ZGVdN4v_asinh(f64x4), _ZGVdN4v_acosh(f64x4),
    _ZGVdN4v_atanh(f64x4), _ZGVdN4v_sin(f64x4), _ZGVdN4v_cos(f64x4), _ZGVdN4v_tan(f64x4),
    _ZGVdN4v_asin(f64x4), _ZGVdN4v_acos(f64x4), _ZGVdN4v_atan(f64x4), _ZGVdN4v_erf(f64x4),
    _ZGVdN4v_erfc(f64x4);

static f32x8 (*const libmvec_f32[FUNCTIONS])(f32x8) = {
    _ZGVdN8v_expf,   _ZGVdN8v_expm1f, _ZGVdN8v_logf,  _ZGVdN8v_log1pf, _ZGVdN8v_tanhf,  _ZGVdN8v_exp2f,
    _ZGVdN8v_log2f,  _ZGVdN8v_log10f, _ZGVdN8v_sinhf, _ZGVdN8v_coshf,  _ZGVdN8v_asinhf, _ZGVdN8v_acoshf,
    _ZGVdN8v_atanhf, _ZGVdN8v_sinf,   _ZGVdN8v_cosf,  _ZGVdN8v_tanf,   _ZGVdN8v_asinf,  _ZGVdN8v_acosf,
    _ZGVdN8v_atanf,  _ZGVdN8v_erff,   _ZGVdN8v_erfcf};
static f64x4 (*const libmvec_f64[FUNCTIONS])(f64x4) = {
    _ZGVdN4v_exp,   _ZGVdN4v_expm1, _ZGVdN4v_log,  _ZGVdN4v_log1p, _ZGVdN4v_tanh,  _ZGVdN4v_exp2,
    _ZGVdN4v_log2,  _ZGVdN4v_log10, _ZGVdN4v_sinh, _ZGVdN4v_cosh,  _ZGVdN4v_asinh, _ZGVdN4v_acosh,
    _ZGVdN4v_atanh, _ZGVdN4v_sin,   _ZGVdN4v_cos,  _ZGVdN4v_tan,   _ZGVdN4v_asin,  _ZGVdN4v_acos,
    _ZGVdN4v_atan,  _ZGVdN4v_erf,   _ZGVdN4v_erfc};

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
    return HAVE_LIBMVEC && f <= ERFC;
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
    case EXP2: LOOP(TP_EXP2);                                                                                \
    case LOG2: LOOP(TP_LOG2);                                                                                \
    case LOG10: LOOP(TP_LOG10);                                                                              \
    case SINH: LOOP(TP_SINH);                                                                                \
    case COSH: LOOP(TP_COSH);                                                                                \
    case ASINH: LOOP(TP_ASINH);                                                                              \
    case ACOSH: LOOP(TP_ACOSH);                                                                              \
    case ATANH: LOOP(TP_ATANH);                                                                              \
    case SIN: LOOP(TP_SIN_NEAR);                                                                             \
    case COS: LOOP(TP_COS_NEAR);                                                                             \
    case TAN: LOOP(TP_TAN_NEAR);                                                                             \
    case ASIN: LOOP(TP_ASIN);                                                                                \
    case ACOS: LOOP(TP_ACOS);                                                                                \
    case ATAN: LOOP(TP_ATAN);                                                                                \
    case ERF: LOOP(TP_ERF);                                                                                  \
    case ERFC: LOOP(TP_ERFC);                                                                                \
    case SIGMOID: LOOP(TP_SIGMOID);                                                                          \
    case SOFTPLUS: LOOP(TP_SOFTPLUS);                                                                        \
    case TANH_SOFTPLUS: LOOP(TP_TANH_SOFTPLUS);                                                              \
    default: LOOP(TP_NORMAL_CDF);                                                                            \
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

/* All of them, or those that are named. */
int main(int argc, char **argv)
{
    if (!CPU_HAS_AVX2) {
        fprintf(stderr, "scalar_math: needs AVX2\n");
        return 77;
    }
    printf("| function | dtype | Tapir, ns | libm, ns | libmvec, ns |\n|---|---|---|---|---|\n");
    for (int f = 0; f < FUNCTIONS; f++) {
        bool wanted = argc <= 1;
        for (int i = 1; i < argc; i++)
            wanted = wanted || strcmp(argv[i], function[f].name) == 0;
        if (wanted)
            measure(f);
    }
    return 0;
}
