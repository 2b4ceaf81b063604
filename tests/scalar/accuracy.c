/* accuracy.c -- measures the errors of the functions of tapir/scalar*.h and prints them as a Markdown table.
 *
 *     accuracy [STRIDE [NAME...]]
 *
 * float:  every STRIDE-th of the 2^32 bit patterns (1: all of them) against libm's double functions.
 * double: 4.2 million points per function against MPFR, a tenth of that where MPFR is slow.
 *
 * An error is |y - exact| in units in the last place of `exact`; a wrong NaN or infinity counts as inf. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>
#include <tapir/scalar_gamma.h>
#include <tapir/scalar_special.h>
#include <tapir/scalar_trigonometric.h>

/* ---- What is measured ------------------------------------------------------------------------------------ */

typedef int mpfr_function(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding);

typedef struct function {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    double (*libm)(double); /* for float: NULL where libm has none that is good enough */
    mpfr_function *reference;
    double low, high; /* double: where the function is defined, or its error bounded */
    bool slow;
} function;

static double libm_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double libm_softplus(double x)
{
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

static double libm_tanh_softplus(double x)
{
    return tanh(log1p(exp(x)));
}

static double libm_exp_minus_square(double x)
{
    return exp(-x * x);
}

static double libm_normal_pdf(double x)
{
    return exp(-0.5 * x * x) * 0.39894228040143267794;
}

static double libm_normal_cdf(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

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

static int mpfr_tanh_softplus(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_softplus(y, x, rounding);
    return mpfr_tanh(y, y, rounding);
}

static int mpfr_exp_minus_square(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_sqr(y, x, rounding);
    mpfr_neg(y, y, rounding);
    return mpfr_exp(y, y, rounding);
}

static int mpfr_normal_pdf(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_t root;
    mpfr_init2(root, mpfr_get_prec(y));
    mpfr_sqr(y, x, rounding);
    mpfr_div_si(y, y, -2, rounding);
    mpfr_exp(y, y, rounding);
    mpfr_const_pi(root, rounding);
    mpfr_mul_ui(root, root, 2, rounding);
    mpfr_sqrt(root, root, rounding);
    mpfr_div(y, y, root, rounding);
    mpfr_clear(root);
    return 0;
}

static int mpfr_normal_cdf(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    mpfr_sqrt_ui(y, 2, rounding);
    mpfr_div(y, x, y, rounding);
    mpfr_neg(y, y, rounding);
    mpfr_erfc(y, y, rounding);
    return mpfr_div_ui(y, y, 2, rounding);
}

static int mpfr_log_gamma(mpfr_t y, mpfr_srcptr x, mpfr_rnd_t rounding)
{
    int sign;
    return mpfr_lgamma(y, &sign, x, rounding);
}

#define PLAIN(NAME)         #NAME, tp_##NAME##_f32, tp_##NAME##_f64, NAME, mpfr_##NAME
#define OWN(NAME)           #NAME, tp_##NAME##_f32, tp_##NAME##_f64, libm_##NAME, mpfr_##NAME
#define EVERYWHERE          -HUGE_VAL, HUGE_VAL
#define TRIGONOMETRIC_RANGE -TP_TRIGONOMETRIC_RANGE, TP_TRIGONOMETRIC_RANGE

static const function functions[] = {
    {PLAIN(exp), EVERYWHERE, false},
    {PLAIN(expm1), EVERYWHERE, false},
    {PLAIN(log), 0, HUGE_VAL, false},
    {PLAIN(log1p), -1, HUGE_VAL, false},
    {PLAIN(tanh), EVERYWHERE, false},
    {OWN(sigmoid), EVERYWHERE, false},
    {OWN(softplus), EVERYWHERE, false},
    {PLAIN(exp2), EVERYWHERE, false},
    {PLAIN(log2), 0, HUGE_VAL, false},
    {PLAIN(log10), 0, HUGE_VAL, false},
    {PLAIN(sinh), EVERYWHERE, false},
    {PLAIN(cosh), EVERYWHERE, false},
    {PLAIN(asinh), EVERYWHERE, false},
    {PLAIN(acosh), 1, HUGE_VAL, false},
    {PLAIN(atanh), -1, 1, false},
    {OWN(tanh_softplus), EVERYWHERE, false},
    {PLAIN(sin), TRIGONOMETRIC_RANGE, false},
    {PLAIN(cos), TRIGONOMETRIC_RANGE, false},
    {PLAIN(tan), TRIGONOMETRIC_RANGE, false},
    {PLAIN(asin), -1, 1, false},
    {PLAIN(acos), -1, 1, false},
    {PLAIN(atan), EVERYWHERE, false},
    {PLAIN(erf), EVERYWHERE, true},
    {PLAIN(erfc), -30, 30, true},
    {OWN(exp_minus_square), EVERYWHERE, false},
    {OWN(normal_pdf), EVERYWHERE, false},
    {OWN(normal_cdf), -45, 45, true},
    {"lgamma", tp_lgamma_f32, tp_lgamma_f64, lgamma, mpfr_log_gamma, 0, 1e15, true},
    {"digamma", tp_digamma_f32, tp_digamma_f64, NULL, mpfr_digamma, 0, 1e15, true},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

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

static void print_row(const char *name, const char *dtype, const error_summary *s)
{
    printf("| %s | %s | %.3f | %a | %.3f | %" PRIu64 " |\n", name, dtype, s->max, s->at,
           s->sum / (double)s->points, s->points);
    fflush(stdout);
}

/* ---- float: all of them ---------------------------------------------------------------------------------- */

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

enum { BLOCK = 1024 };

static void measure_block_f32(const function *f, uint64_t first, uint64_t stride, error_summary *s)
{
    for (uint64_t i = first; i < first + BLOCK && i * stride <= UINT32_MAX; i++) {
        const float x = tp__from_bits_f32((uint32_t)(i * stride));
        const double exact = f->libm((double)x);
        const float y = f->f32(x);
        if (!isnan(exact))
            add_error(s, float_error(y, exact), (double)x);
        else if (!isnan(y))
            add_error(s, (double)INFINITY, (double)x);
    }
}

static void measure_f32(const function *f, uint64_t stride)
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
    print_row(f->name, "f32", &total);
}

/* ---- double: points where it could go wrong -------------------------------------------------------------- */

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
static const double thresholds[] = {
    0.25541281188299536,                                           /* tanh = 1/4 */
    0.34657359027997264,                                           /* ln 2 / 2 */
    0.41421356237309505,                                           /* sqrt 2 - 1 */
    0.29289321881345248,                                           /* 1 - sqrt 1/2 */
    0.70710678118654752, 0.69314718055994531, 0.88137358701954305, /* e^-x = sqrt 2 - 1 */
    1, 1.4142135623730951, 2, 19.06, 22, 36.7368005696771, 37.429947750237, 40, 708.39641853226411,
    709.78271289338397, 710, 744.44007192138126, 745.13321910194122, 746,
    /* of the functions beyond tapir/scalar.h */
    0.5, 0.75, 1.25, 2.5, 8, 10, 26.54325845425098, /* erfc becomes denormal */
    28, 38.5, 710.4758600739439, 1024, 1074, 0x1p28};
enum { THRESHOLDS = sizeof thresholds / sizeof *thresholds };

/* In equal parts: all magnitudes; those between 2^-60 and 2^10; even over -750 ... 750, -4 ... 4 and
 * -1/2 ... 1/2; close to 1 and to multiples of ln 2 / 2; close to a threshold; close to a multiple of pi / 4. */
static double sample(uint64_t *state)
{
    const uint64_t kind = next_random(state) % 8, pick = next_random(state);
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
    case 6: return near * (double)(pick % 10000000) * 0.78539816339744831;
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

static void measure_part_f64(const function *f, int part, int points, error_summary *s, mpfr_t x,
                             mpfr_t exact, mpfr_t scratch)
{
    uint64_t state = (uint64_t)part << 32;
    for (int i = 0; i < points;) {
        const double point = sample(&state);
        if (!(point >= f->low && point <= f->high))
            continue;
        const double y = f->f64(point);
        i++;
        mpfr_set_d(x, point, MPFR_RNDN);
        f->reference(exact, x, MPFR_RNDN);
        if (!mpfr_nan_p(exact))
            add_error(s, double_error(y, exact, scratch), point);
        else if (!isnan(y))
            add_error(s, (double)INFINITY, point);
    }
}

static void measure_f64(const function *f)
{
    enum { PARTS = 420 };
    const int points = f->slow ? 1000 : 10000;
    error_summary total = {0};
#pragma omp parallel
    {
        error_summary own = {0};
        mpfr_t x, exact, scratch;
        mpfr_inits2(160, x, exact, scratch, (mpfr_ptr)0);
#pragma omp for schedule(dynamic, 1)
        for (int part = 0; part < PARTS; part++)
            measure_part_f64(f, part, points, &own, x, exact, scratch);
        mpfr_clears(x, exact, scratch, (mpfr_ptr)0);
        mpfr_free_cache();
#pragma omp critical
        merge(&total, &own);
    }
    print_row(f->name, "f64", &total);
}

int main(int argc, char **argv)
{
    const long stride = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    if (stride < 1) {
        fprintf(stderr, "usage: accuracy [STRIDE [NAME...]]\n");
        return 2;
    }
    printf("| function | dtype | max ulp | at x | mean ulp | points |\n"
           "|---|---|---|---|---|---|\n");
    for (int k = 0; k < FUNCTIONS; k++) {
        bool wanted = argc <= 2;
        for (int i = 2; i < argc; i++)
            wanted = wanted || strcmp(argv[i], functions[k].name) == 0;
        if (wanted && functions[k].libm != NULL)
            measure_f32(&functions[k], (uint64_t)stride);
        if (wanted)
            measure_f64(&functions[k]);
    }
    return 0;
}
