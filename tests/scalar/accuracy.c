/* accuracy.c -- measures the errors of tapir/scalar.h and prints them as a Markdown table.
 *
 *     accuracy [STRIDE]
 *
 * float:  every STRIDE-th of the 2^32 bit patterns (1: all of them) against libm's double functions.
 * double: 4.2 million points per function against MPFR.
 *
 * An error is |y - exact| in units in the last place of `exact`; a wrong NaN or infinity counts as inf. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <mpfr.h>

#include <tapir/scalar.h>

enum { EXP, EXPM1, LOG, LOG1P, TANH, SIGMOID, SOFTPLUS, FUNCTIONS };

static const char *const name[FUNCTIONS] = {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus"};

/* ---- What is collected --------------------------------------------------------------------------------- */

typedef struct error_summary {
    double max, at, sum;
    uint64_t points; /* where the function has a value */
} error_summary;

static void add_error(error_summary *s, double error, double x)
{
    if (!(error <= s->max)) {
        s->max = error;
        s->at = x;
    }
    s->sum += error;
    s->points++;
}

static void merge(error_summary *total, const error_summary *part)
{
    if (!(part->max <= total->max)) {
        total->max = part->max;
        total->at = part->at;
    }
    total->sum += part->sum;
    total->points += part->points;
}

static void print_row(int f, const char *dtype, const error_summary *s)
{
    printf("| %s | %s | %.3f | %a | %.3f | %" PRIu64 " |\n", name[f], dtype, s->max, s->at,
           s->sum / (double)s->points, s->points);
    fflush(stdout);
}

/* ---- float: all of them ---------------------------------------------------------------------------------- */

enum { BLOCK = 1024 };

#define BLOCK_OF(FUNCTION)                                                                                   \
    _Pragma("omp simd") for (int i = 0; i < BLOCK; i++) y[i] = FUNCTION(x[i]);                               \
    break

static void tapir_block(int f, const float *x, float *y)
{
    switch (f) {
    case EXP: BLOCK_OF(tp_exp_f32);
    case EXPM1: BLOCK_OF(tp_expm1_f32);
    case LOG: BLOCK_OF(tp_log_f32);
    case LOG1P: BLOCK_OF(tp_log1p_f32);
    case TANH: BLOCK_OF(tp_tanh_f32);
    case SIGMOID: BLOCK_OF(tp_sigmoid_f32);
    default: BLOCK_OF(tp_softplus_f32);
    }
}

static double libm_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double libm_softplus(double x)
{
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

static double (*const libm[FUNCTIONS])(double) = {exp, expm1, log, log1p, tanh, libm_sigmoid, libm_softplus};

/* `exact` is a double, so near enough to the true value that 2^-29 ulp do not matter. */
static double float_error(float result, double exact)
{
    const double limit = 0x1p128;
    double y = result;
    if (isnan(y) || isinf(exact))
        return y == exact ? 0 : INFINITY;
    if (isinf(y)) { /* is it nearer than FLT_MAX?  As if floats went on beyond. */
        y = copysign(limit, y);
        exact = fabs(exact) < limit ? exact : copysign(limit, exact);
    }
    const int biased = (int)(tp__bits_f64(exact) >> 52 & 0x7ff);
    const int exponent = biased < 1023 - 126 ? -126 : biased - 1023;
    const double inverse_ulp = tp__from_bits_f64((uint64_t)(1023 + 23 - exponent) << 52);
    return fabs(y - exact) * inverse_ulp;
}

static void measure_block_f32(int f, uint64_t first, uint64_t stride, error_summary *s)
{
    float x[BLOCK], y[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        const uint64_t bits = (first + (uint64_t)i) * stride;
        x[i] = bits <= UINT32_MAX ? tp__from_bits_f32((uint32_t)bits) : NAN;
    }
    tapir_block(f, x, y);
    for (int i = 0; i < BLOCK; i++) {
        const double exact = libm[f](x[i]);
        if (!isnan(exact))
            add_error(s, float_error(y[i], exact), x[i]);
        else if (!isnan(y[i]))
            add_error(s, INFINITY, x[i]);
    }
}

static void measure_f32(int f, uint64_t stride)
{
    const int64_t blocks = (int64_t)(((UINT64_C(1) << 32) + stride * BLOCK - 1) / (stride * BLOCK));
    error_summary total = {0};
#pragma omp parallel
    {
        error_summary own = {0};
#pragma omp for schedule(dynamic, 256)
        for (int64_t block = 0; block < blocks; block++)
            measure_block_f32(f, (uint64_t)block * BLOCK, stride, &own);
#pragma omp critical
        merge(&total, &own);
    }
    print_row(f, "f32", &total);
}

/* ---- double: points where it could go wrong -------------------------------------------------------------- */

static double (*const tapir[FUNCTIONS])(double) = {tp_exp_f64,  tp_expm1_f64,   tp_log_f64,     tp_log1p_f64,
                                                   tp_tanh_f64, tp_sigmoid_f64, tp_softplus_f64};

static int mpfr_sigmoid(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_neg(y, x, rounding);
    mpfr_exp(y, y, rounding);
    mpfr_add_ui(y, y, 1, rounding);
    return mpfr_ui_div(y, 1, y, rounding);
}

/* log(1 + e^x) with x in place for the large ones, where the sum would lose e^-x. */
static int mpfr_softplus(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_abs(y, x, rounding);
    mpfr_neg(y, y, rounding);
    mpfr_exp(y, y, rounding);
    mpfr_log1p(y, y, rounding);
    return mpfr_sgn(x) > 0 ? mpfr_add(y, y, x, rounding) : 0;
}

static int (*const reference[FUNCTIONS])(mpfr_t, mpfr_srcptr, mpfr_rnd_t) = {
    mpfr_exp, mpfr_expm1, mpfr_log, mpfr_log1p, mpfr_tanh, mpfr_sigmoid, mpfr_softplus};

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

/* Where a formula, an exponent or the kind of the result changes. */
static const double thresholds[] = {0.25541281188299536, /* tanh = 1/4 */
                                    0.34657359027997264, /* ln 2 / 2 */
                                    0.41421356237309505, /* sqrt 2 - 1 */
                                    0.29289321881345248, /* 1 - sqrt 1/2 */
                                    0.70710678118654752,
                                    0.69314718055994531,
                                    0.88137358701954305, /* e^-x = sqrt 2 - 1 */
                                    1,
                                    1.4142135623730951,
                                    2,
                                    19.06,
                                    22,
                                    36.7368005696771,
                                    37.429947750237,
                                    40,
                                    708.39641853226411,
                                    709.78271289338397,
                                    710,
                                    744.44007192138126,
                                    745.13321910194122,
                                    746};
enum { THRESHOLDS = sizeof thresholds / sizeof *thresholds };

/* In equal parts: all magnitudes; those between 2^-60 and 2^10; even over -750 ... 750, -4 ... 4 and
 * -1/2 ... 1/2; close to 1 and to multiples of ln 2 / 2; close to a threshold. */
static double sample(uint64_t *state)
{
    const uint64_t kind = next_random(state) % 7, pick = next_random(state);
    const double sign = next_random(state) & 1 ? 1 : -1;
    const int distance = (int)(next_random(state) % 52);
    const double u = next_uniform(state);
    const double near = 1 + sign * ldexp(1 + u, -1 - distance);
    switch (kind) {
    case 0: return tp__from_bits_f64(pick % 0x7ff0000000000000u) * sign;
    case 1: return sign * ldexp(1 + u, (int)(pick % 70) - 60);
    case 2: return 1500 * u - 750;
    case 3: return 8 * u - 4;
    case 4: return u - 0.5;
    case 5: return near * (pick & 1 ? 1 : (double)((int)(pick >> 1 & 63) - 32) * 0.34657359027997264);
    default: return near * thresholds[pick % THRESHOLDS] * (pick >> 63 ? 1 : -1);
    }
}

static double double_error(double y, mpfr_t exact, mpfr_t scratch)
{
    if (isnan(y) || mpfr_inf_p(exact))
        return mpfr_cmp_d(exact, y) == 0 && !isnan(y) ? 0 : INFINITY;
    const bool zero = mpfr_zero_p(exact);
    const mpfr_exp_t exponent = zero || mpfr_get_exp(exact) < DBL_MIN_EXP ? DBL_MIN_EXP : mpfr_get_exp(exact);
    if (isinf(y)) { /* as if doubles went on beyond DBL_MAX */
        mpfr_set_ui_2exp(scratch, 1, DBL_MAX_EXP, MPFR_RNDN);
        if (y < 0)
            mpfr_neg(scratch, scratch, MPFR_RNDN);
        if (exponent > DBL_MAX_EXP)
            return (mpfr_sgn(exact) < 0) == (y < 0) ? 0 : INFINITY;
        mpfr_sub(scratch, scratch, exact, MPFR_RNDN);
    } else {
        mpfr_d_sub(scratch, y, exact, MPFR_RNDN);
    }
    mpfr_mul_2si(scratch, scratch, DBL_MANT_DIG - exponent, MPFR_RNDN);
    return fabs(mpfr_get_d(scratch, MPFR_RNDN));
}

static void measure_f64(int f)
{
    enum { PARTS = 420, PART = 10000 };
    error_summary total = {0};
#pragma omp parallel
    {
        error_summary own = {0};
        mpfr_t x, exact, scratch;
        mpfr_inits2(160, x, exact, scratch, (mpfr_ptr)0);
#pragma omp for schedule(dynamic, 1)
        for (int part = 0; part < PARTS; part++) {
            uint64_t state = (uint64_t)part << 32;
            for (int i = 0; i < PART; i++) {
                double point = sample(&state);
                if (f == LOG || (f == LOG1P && point < -1))
                    point = fabs(point);
                const double y = tapir[f](point);
                mpfr_set_d(x, point, MPFR_RNDN);
                reference[f](exact, x, MPFR_RNDN);
                if (!mpfr_nan_p(exact))
                    add_error(&own, double_error(y, exact, scratch), point);
                else if (!isnan(y))
                    add_error(&own, INFINITY, point);
            }
        }
        mpfr_clears(x, exact, scratch, (mpfr_ptr)0);
        mpfr_free_cache();
#pragma omp critical
        merge(&total, &own);
    }
    print_row(f, "f64", &total);
}

int main(int argc, char **argv)
{
    const long stride = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    if (stride < 1) {
        fprintf(stderr, "usage: accuracy [STRIDE]\n");
        return 2;
    }
    printf("| function | dtype | max ulp | at x | mean ulp | points |\n"
           "|---|---|---|---|---|---|\n");
    for (int f = 0; f < FUNCTIONS; f++) {
        measure_f32(f, (uint64_t)stride);
        measure_f64(f);
    }
    return 0;
}
