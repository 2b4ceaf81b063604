/* scalar_loops.h -- what the tests of scalar functions share: values, errors in ulp, and the same bits however a loop is
 * compiled.
 *
 * Before it is included there must be: FUNCTIONS and name[FUNCTIONS]; FOR_FUNCTION(f, STATEMENT), which does
 * STATEMENT(expression of a[i] and b[i]) for function f; and hard_points[HARD_POINTS], where a function changes its formula
 * or its result its kind.
 */
#ifndef TAPIR_TESTS_SCALAR_LOOPS_H
#define TAPIR_TESTS_SCALAR_LOOPS_H

/* ---- One value at a time ------------------------------------------------------------------------------- */

#define RETURN(EXPRESSION) return EXPRESSION

__attribute__((noinline)) static float scalar_f32(int f, volatile float x, volatile float x2)
{
    const float a[] = {x}, b[] = {x2};
    const int i = 0;
    FOR_FUNCTION(f, RETURN)
    return 0;
}

__attribute__((noinline)) static double scalar_f64(int f, volatile double x, volatile double x2)
{
    const double a[] = {x}, b[] = {x2};
    const int i = 0;
    FOR_FUNCTION(f, RETURN)
    return 0;
}

/* ---- Loops, for each instruction set --------------------------------------------------------------------- */

#define LOOP(EXPRESSION)                                                                                     \
    _Pragma("omp simd") for (int i = 0; i < n; i++)                                                          \
    {                                                                                                        \
        y[i] = EXPRESSION;                                                                                   \
    }

__attribute__((always_inline)) static inline void loop_f32(int f, int n, const float *a, const float *b,
                                                           float *y)
{
    FOR_FUNCTION(f, LOOP)
}

__attribute__((always_inline)) static inline void loop_f64(int f, int n, const double *a, const double *b,
                                                           double *y)
{
    FOR_FUNCTION(f, LOOP)
}

static void baseline_f32(int f, int n, const float *a, const float *b, float *y)
{
    loop_f32(f, n, a, b, y);
}

static void baseline_f64(int f, int n, const double *a, const double *b, double *y)
{
    loop_f64(f, n, a, b, y);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void avx2_f32(int f, int n, const float *a, const float *b,
                                                         float *y)
{
    loop_f32(f, n, a, b, y);
}

__attribute__((target("avx2,fma"))) static void avx2_f64(int f, int n, const double *a, const double *b,
                                                         double *y)
{
    loop_f64(f, n, a, b, y);
}

__attribute__((target("avx512f"))) static void avx512_f32(int f, int n, const float *a, const float *b,
                                                          float *y)
{
    loop_f32(f, n, a, b, y);
}

__attribute__((target("avx512f"))) static void avx512_f64(int f, int n, const double *a, const double *b,
                                                          double *y)
{
    loop_f64(f, n, a, b, y);
}
#endif

/* ---- Values ---------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [0, 1). */
static double next_uniform(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* Any bits; any magnitude that matters; a plain range; close to a hard point. */
static double sample(uint64_t *state)
{
    const uint64_t kind = next_random(state) % 4, pick = next_random(state);
    const double sign = next_random(state) & 1 ? 1 : -1;
    const int distance = (int)(next_random(state) % 52);
    const double u = next_uniform(state);
    switch (kind) {
    case 0: return tp__from_bits_f64(pick);
    case 1: return sign * ldexp(1 + u, (int)(pick % 72) - 60);
    case 2: return (u - 0.5) * (pick & 1 ? 1500 : 8);
    default: return hard_points[pick % HARD_POINTS] * (1 + sign * ldexp(u, -distance));
    }
}

/* ---- One value, one result --------------------------------------------------------------------------------- */

enum { LONGEST = 70, OFFSETS = 16, SIZE = LONGEST + OFFSETS + 16 };

typedef void loops_f32(int f, int n, const float *a, const float *b, float *y);
typedef void loops_f64(int f, int n, const double *a, const double *b, double *y);

static const double special[] = {0.0,      -0.0,    INFINITY, -INFINITY, 1,        -1,       FLT_MIN,
                                 -FLT_MIN, FLT_MAX, DBL_MIN,  DBL_MAX,   -DBL_MAX, 0x1p-149, -5e-324};
enum { SPECIALS = sizeof special / sizeof *special };

static double any_value(uint64_t *state)
{
    const uint64_t pick = next_random(state) % (SPECIALS * 4);
    if (pick < SPECIALS)
        return special[pick];
    return pick == SPECIALS ? (double)NAN : pick == SPECIALS + 1 ? -(double)NAN : sample(state);
}

static void fail_bits(const char *isa, const char *dtype, int f, int n, int offset, int i)
{
    fail_msg("%s %s, %s loop of %d at offset %d: element %d differs", name[f], dtype, isa, n, offset, i);
}

static void check_loops_f32(const char *isa, loops_f32 *loops)
{
    uint64_t state = 1;
    for (int round = 0; round < 6; round++) {
        float a[SIZE], b[SIZE], y[SIZE], expected[SIZE];
        for (int i = 0; i < SIZE; i++) {
            a[i] = (float)any_value(&state);
            b[i] = next_random(&state) % 8 ? (float)any_value(&state) : -a[i];
        }
        for (int f = 0; f < FUNCTIONS; f++) {
            for (int i = 0; i < SIZE; i++)
                expected[i] = scalar_f32(f, a[i], b[i]);
            for (int n = 1; n <= LONGEST; n++) {
                for (int offset = 0; offset < OFFSETS; offset++) {
                    memset(y, 0x55, sizeof y);
                    loops(f, n, a + offset, b + offset, y + offset);
                    for (int i = 0; i < SIZE; i++) {
                        const bool inside = i >= offset && i < offset + n;
                        if (tp__bits_f32(y[i]) != (inside ? tp__bits_f32(expected[i]) : 0x55555555u))
                            fail_bits(isa, "f32", f, n, offset, i);
                    }
                }
            }
        }
    }
}

static void check_loops_f64(const char *isa, loops_f64 *loops)
{
    uint64_t state = 2;
    for (int round = 0; round < 6; round++) {
        double a[SIZE], b[SIZE], y[SIZE], expected[SIZE];
        for (int i = 0; i < SIZE; i++) {
            a[i] = any_value(&state);
            b[i] = next_random(&state) % 8 ? any_value(&state) : -a[i];
        }
        for (int f = 0; f < FUNCTIONS; f++) {
            for (int i = 0; i < SIZE; i++)
                expected[i] = scalar_f64(f, a[i], b[i]);
            for (int n = 1; n <= LONGEST; n++) {
                for (int offset = 0; offset < OFFSETS; offset++) {
                    memset(y, 0x55, sizeof y);
                    loops(f, n, a + offset, b + offset, y + offset);
                    for (int i = 0; i < SIZE; i++) {
                        const bool inside = i >= offset && i < offset + n;
                        if (tp__bits_f64(y[i]) != (inside ? tp__bits_f64(expected[i]) : 0x5555555555555555u))
                            fail_bits(isa, "f64", f, n, offset, i);
                    }
                }
            }
        }
    }
}

static void test_same_bits_baseline(void **state)
{
    (void)state;
    check_loops_f32("baseline", baseline_f32);
    check_loops_f64("baseline", baseline_f64);
}

static void test_same_bits_avx2(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_loops_f32("avx2", avx2_f32);
        check_loops_f64("avx2", avx2_f64);
        return;
    }
#endif
    skip();
}

static void test_same_bits_avx512(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        check_loops_f32("avx512f", avx512_f32);
        check_loops_f64("avx512f", avx512_f64);
        return;
    }
#endif
    skip();
}

/* ---- Errors ------------------------------------------------------------------------------------------------ */

/* |y - exact| in units in the last place of a number as large as `exact`, with `digits` binary digits and the
 * exponents of the dtype; inf where only one of the two is a NaN or an infinity that it should be. */
static long double ulp_error(long double y, long double exact, int digits, int min_exponent, int max_exponent)
{
    if (isnan(exact) || isnan(y))
        return isnan(exact) && isnan(y) ? 0 : INFINITY;
    if (isinf(exact))
        return y == exact ? 0 : INFINITY;
    const long double limit = ldexpl(1, max_exponent);
    if (isinf(y)) {
        y = copysignl(limit, y);
        if (fabsl(exact) >= limit)
            exact = copysignl(limit, exact);
    }
    int exponent;
    frexpl(exact, &exponent);
    exponent = exponent < min_exponent || exact == 0 ? min_exponent : exponent;
    return fabsl(ldexpl(y - exact, digits - exponent));
}

#endif
