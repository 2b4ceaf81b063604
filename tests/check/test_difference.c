/* test_difference.c -- slopes of functions whose slopes are known: right within their error bars, at any scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "../../src/check/difference.h"

/* ---- Curves ---------------------------------------------------------------------------------------- */

typedef double (*function)(double x);

typedef struct place {
    function f;
    double x, value;
    int left; /* samples that are allowed; negative: any number */
} place;

static bool sample(void *user, double t, tp__sample *s)
{
    place *p = user;
    const volatile double to = p->x + t; /* what is stored */
    const double value = p->f(to);
    const bool same = value == p->value;

    if (p->left == 0)
        return false;
    p->left--;
    *s = (tp__sample){.t = to - p->x,
                      .f = same ? 0 : value - p->value,
                      .size = same ? 0 : fabs(value),
                      .base = same ? 0 : fabs(p->value)};
    return true;
}

static tp__slope slope_at(function f, double x, double magnitude, tp__goal goal)
{
    place p = {f, x, f(x), -1};
    tp__slope slope;
    const tp__curve curve = {
        .sample = sample,
        .user = &p,
        .scale = x != 0 ? fabs(x) : 1,
        .epsilon = DBL_EPSILON,
        .magnitude = fmax(magnitude, fmax(fabs(x), fabs(p.value))),
    };
    assert_true(tp__slope_at_zero(&curve, goal, &slope));
    return slope;
}

static const tp__goal never = {.expected = (double)NAN};

/* ---- Smooth functions ------------------------------------------------------------------------------ */

static double square(double x)
{
    return x * x;
}

static double twice(double x)
{
    return 2 * x;
}

static double inverse(double x)
{
    return 1 / x;
}

static double inverse_slope(double x)
{
    return -1 / (x * x);
}

static double root_slope(double x)
{
    return 0.5 / sqrt(x);
}

static double tanh_slope(double x)
{
    return 1 / (cosh(x) * cosh(x));
}

static double softplus(double x)
{
    return log1p(exp(-fabs(x))) + fmax(x, 0);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double bell(double x)
{
    return exp(-x * x);
}

static double bell_slope(double x)
{
    return -2 * x * exp(-x * x);
}

static double cubic(double x)
{
    return x * x * x - 2 * x + 1000;
}

static double cubic_slope(double x)
{
    return 3 * x * x - 2;
}

static double log_sum(double x)
{
    return log(exp(x) + exp(1.0)) - 1;
}

static double log_sum_slope(double x)
{
    return exp(x) / (exp(x) + exp(1.0));
}

/* A small variation on a large value; and one that only goes through a large value. */
static double on_top(double x)
{
    return 1e10 + x * x;
}

static double through(double x)
{
    const volatile double large = x + 1e8;
    return large - 1e8;
}

static double one(double x)
{
    (void)x;
    return 1;
}

static double arc(double x)
{
    return atan(1e4 * x) + 1000;
}

static double arc_slope(double x)
{
    return 1e4 / (1 + 1e8 * x * x);
}

static double in_single(double x)
{
    return (double)(float)sin((double)(float)x);
}

static const struct {
    const char *name;
    function f, slope;
    double magnitude;
    double low, high; /* of |x| */
    bool positive;
    double precise; /* error bar, relative to the slope; infinite: whatever is possible */
} known[] = {
    {"square", square, twice, 0, 1e-8, 1e8, false, 1e-8},
    {"inverse", inverse, inverse_slope, 0, 1e-8, 1e8, false, 1e-8},
    {"sqrt", sqrt, root_slope, 0, 1e-8, 1e8, true, 1e-8},
    {"log", log, inverse, 0, 1e-8, 1e8, true, 1e-8},
    {"exp", exp, exp, 0, 1e-8, 100, false, 1e-8},
    {"tanh", tanh, tanh_slope, 0, 1e-8, 10, false, 1e-4},
    {"sin", sin, cos, 0, 1e-8, 1e3, false, 1e-6},
    {"softplus", softplus, sigmoid, 0, 1e-8, 10, false, 1e-7},
    {"bell", bell, bell_slope, 0, 1e-3, 2, false, 1e-7},
    {"cubic", cubic, cubic_slope, 0, 1e-8, 1e8, false, 1e-6},
    {"log_sum", log_sum, log_sum_slope, 3, 1e-8, 1e8, false, INFINITY},
    {"on_top", on_top, twice, 1e10, 1e-8, 1e8, false, INFINITY},
    {"through", through, one, 1e8, 1e-8, 1e8, false, INFINITY},
    {"arc", arc, arc_slope, 1e3, 1e-8, 1e8, false, INFINITY},
    {"in_single", in_single, cos, 1, 1e-3, 10, false, INFINITY},
};

static uint64_t state = 1;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

static void test_error_bars_are_honest(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        for (int i = 0; i < 400; i++) {
            const double size = known[k].low * pow(known[k].high / known[k].low, uniform());
            const double x = !known[k].positive && i % 2 ? -size : size, expected = known[k].slope(x);
            if (!isfinite(known[k].f(x)))
                continue;
            const tp__slope s = slope_at(known[k].f, x, known[k].magnitude, never);
            const double error = expected < s.low    ? s.low - expected
                                 : expected > s.high ? expected - s.high
                                                     : 0;
            /* What rounding on the way hides cannot be seen from outside. */
            const double hidden =
                DBL_EPSILON * fmax(known[k].magnitude, fabs(x)) / s.step + 1e-12 * fabs(expected);
            if (!(error <= s.bar + hidden))
                fail_msg("%s at %.17g: %.17g, not %.17g .. %.17g +- %.3g", known[k].name, x, expected, s.low,
                         s.high, s.bar);
            if (isfinite(known[k].precise) && !(s.bar <= known[k].precise * fabs(expected)))
                fail_msg("%s at %.17g: %.17g +- %.3g is not precise", known[k].name, x, expected, s.bar);
        }
}

/* The variation of 1e10 + x^2 around 1 is lost at small steps, but not at large ones. */
static void test_takes_large_steps_where_values_are_large(void **unused)
{
    (void)unused;
    const tp__slope s = slope_at(on_top, 1, 1e10, never);
    assert_true(s.bar < 1e-6);
    assert_true(fabs(s.low - 2) <= s.bar);
}

static void test_stops_early_when_the_goal_is_met(void **unused)
{
    (void)unused;
    const tp__slope all = slope_at(exp, 1, 0, never);
    const tp__slope few = slope_at(exp, 1, 0, (tp__goal){exp(1), 1e-6, 0});
    assert_true(few.samples <= 8);
    assert_true(all.samples > 50);
    assert_true(fabs(few.low - exp(1)) <= few.bar);
}

/* ---- Kinks ----------------------------------------------------------------------------------------- */

static double ramp(double x)
{
    return x > 0 ? 3 * x + x * x : exp(x) - 1;
}

static double far_ramp(double x)
{
    return x > 1.001 ? x - 1.001 : 0;
}

static double signed_square(double x)
{
    return x * fabs(x);
}

static void assert_slopes(function f, double x, double low, double high, double precise)
{
    const tp__slope s = slope_at(f, x, 1, never);
    if (!(fabs(s.low - low) <= s.bar && fabs(s.high - high) <= s.bar && s.bar <= precise))
        fail_msg("at %g: %.17g .. %.17g +- %.3g, not %g .. %g", x, s.low, s.high, s.bar, low, high);
}

static void test_kinks_have_two_slopes(void **unused)
{
    (void)unused;
    assert_slopes(fabs, 0, -1, 1, 1e-9);
    assert_slopes(ramp, 0, 1, 3, 1e-6);
    assert_slopes(signed_square, 0, 0, 0, 1e-6);
}

static void test_a_kink_nearby_is_none_here(void **unused)
{
    (void)unused;
    assert_slopes(far_ramp, 1, 0, 0, 1e-9);
    assert_slopes(far_ramp, 1.002, 1, 1, 1e-9);
    assert_slopes(fabs, 1e-6, 1, 1, 1e-9);
}

/* ---- Jumps, edges, nothing ------------------------------------------------------------------------- */

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static double above(double x)
{
    return x > 1 ? 1 + x : 0;
}

static double steps(double x)
{
    return floor(10 * x) / 10;
}

static void test_branches_of_a_jump(void **unused)
{
    (void)unused;
    assert_slopes(sign, 0, 0, 0, 1e-6);
    assert_slopes(sign, 0.3, 0, 0, 1e-9);
    assert_slopes(above, 1, 0, 1, 1e-6);
    assert_slopes(steps, 1.03, 0, 0, 1e-9);
}

static double power(double x)
{
    return x * sqrt(x);
}

static double edge(double x)
{
    return x < 0 ? (double)NAN : 2 * x;
}

static double undefined(double x)
{
    return x == 1 ? 0 : (double)NAN;
}

static double constant(double x)
{
    (void)x;
    return 7;
}

static void test_edges_of_the_domain(void **unused)
{
    (void)unused;
    assert_slopes(edge, 0, 2, 2, 1e-9);
    assert_slopes(edge, 1e-9, 2, 2, 1e-9);
}

static void test_no_slope_no_estimate(void **unused)
{
    (void)unused;
    assert_true(isinf(slope_at(sqrt, 0, 1, never).bar));  /* infinite slope */
    assert_true(isinf(slope_at(power, 0, 1, never).bar)); /* slope 0, but no expansion */
    assert_true(isinf(slope_at(undefined, 1, 1, never).bar));
}

static void test_constants(void **unused)
{
    (void)unused;
    const tp__slope s = slope_at(constant, 3, 7, never);
    assert_true(s.low == 0 && s.high == 0 && s.bar < 1e-12);
}

static void test_giving_up(void **unused)
{
    (void)unused;
    for (int n = 0; n < 200; n += 7) {
        place p = {exp, 1, exp(1), n};
        tp__slope slope;
        const tp__curve curve = {
            .sample = sample, .user = &p, .scale = 1, .epsilon = DBL_EPSILON, .magnitude = 3};
        if (tp__slope_at_zero(&curve, never, &slope))
            assert_true(slope.samples <= n);
    }
}

/* Tiny and huge arguments do no harm. */
static void test_extreme_scales(void **unused)
{
    (void)unused;
    const double x[] = {DBL_MIN / 4, DBL_MIN, 1e-300, 1e-100, 1e100, 1e150};
    for (int k = 0; k < 6; k++) {
        const tp__slope s = slope_at(square, x[k], 0, never);
        assert_true(fabs(s.low - 2 * x[k]) <= s.bar);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_bars_are_honest),
        cmocka_unit_test(test_takes_large_steps_where_values_are_large),
        cmocka_unit_test(test_stops_early_when_the_goal_is_met),
        cmocka_unit_test(test_kinks_have_two_slopes),
        cmocka_unit_test(test_a_kink_nearby_is_none_here),
        cmocka_unit_test(test_branches_of_a_jump),
        cmocka_unit_test(test_edges_of_the_domain),
        cmocka_unit_test(test_no_slope_no_estimate),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_extreme_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
