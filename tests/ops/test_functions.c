/* test_functions.c -- the elementwise functions where digits are easily lost: near 0, near poles and far out, with their
 * first and second derivatives; what tp_pow makes of known exponents; blocks of near and far angles; replacing NaN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

/* ---- Digits ---------------------------------------------------------------------------------------------- */

typedef struct point {
    const char *name;
    tp_tensor (*f)(tp_tensor x);
    double x, y, slope, curvature; /* by mpmath, of 60 digits and more */
} point;

static const point points[] = {
    {"log_sigmoid", tp_log_sigmoid, -700, -700, 1, -9.8596765437597709e-305},
    {"log_sigmoid", tp_log_sigmoid, -40, -40, 1, -4.248354255291589e-18},
    {"log_sigmoid", tp_log_sigmoid, -1, -1.3132616875182228, 0.73105857863000488, -0.19661193324148185},
    {"log_sigmoid", tp_log_sigmoid, 1, -0.31326168751822283, 0.26894142136999512, -0.19661193324148185},
    {"log_sigmoid", tp_log_sigmoid, 30, -9.3576229688397368e-14, 9.357622968839299e-14,
     -9.3576229688384233e-14},
    {"log_sigmoid", tp_log_sigmoid, 700, -9.8596765437597709e-305, 9.8596765437597709e-305,
     -9.8596765437597709e-305},
    {"softplus", tp_softplus, -700, 9.8596765437597709e-305, 9.8596765437597709e-305,
     9.8596765437597709e-305},
    {"softplus", tp_softplus, -40, 4.248354255291589e-18, 4.248354255291589e-18, 4.248354255291589e-18},
    {"softplus", tp_softplus, 1, 1.3132616875182228, 0.73105857863000488, 0.19661193324148185},
    {"softplus", tp_softplus, 30, 30.000000000000094, 0.99999999999990642, 9.3576229688384233e-14},
    {"silu", tp_silu, -700, -6.9017735806318396e-302, -6.8919139040880798e-302, -6.8820542275443201e-302},
    {"silu", tp_silu, -40, -1.6993417021166356e-16, -1.6568581595637197e-16, -1.6143746170108038e-16},
    {"silu", tp_silu, -3, -0.14227761953270034, -0.088104106015169617, -0.032321404521006171},
    {"silu", tp_silu, 2, 1.7615941559557649, 1.0907842487848955, 0.05006216869470691},
    {"silu", tp_silu, 40, 40, 1.0000000000000002, -1.6143746170108038e-16},
    {"mish", tp_mish, -700, -6.9017735806318396e-302, -6.8919139040880798e-302, -6.8820542275443201e-302},
    {"mish", tp_mish, -40, -1.6993417021166356e-16, -1.6568581595637197e-16, -1.6143746170108038e-16},
    {"mish", tp_mish, -3, -0.14564746127562459, -0.093393114532320836, -0.03992871324212925},
    {"mish", tp_mish, 2, 1.9439589595339945, 1.0693179342794897, -0.057724667408294055},
    {"mish", tp_mish, 40, 40, 1, -5.6311363300776952e-33},
    {"gelu", tp_gelu, -37, -2.1184613523340934e-298, -7.8382986694185162e-297, -2.8980489559341359e-295},
    {"gelu", tp_gelu, -12, -2.1317785344932148e-32, -2.5578956616748956e-31, -3.0478649046415457e-30},
    {"gelu", tp_gelu, -3, -0.0040496940948902836, -0.011945647204183927, -0.03102293888356605},
    {"gelu", tp_gelu, 2, 1.9544997361036416, 1.0852318010781969, -0.1079819330263761},
    {"gelu", tp_gelu, 9, 9, 1, -8.1210211216184427e-17},
    {"gelu_tanh", tp_gelu_tanh, -5, -2.291796196629506e-7, -1.5463619875325946e-6, -9.9341322249962021e-6},
    {"gelu_tanh", tp_gelu_tanh, -2, -0.045402305912224981, -0.086099256623618382, -0.10787507995107845},
    {"gelu_tanh", tp_gelu_tanh, 2, 1.954597694087775, 1.0860992566236184, -0.10787507995107845},
    {"gelu_tanh", tp_gelu_tanh, 5, 4.9999997708203803, 1.0000015463619875, -9.9341322249962021e-6},
    {"normal_cdf", tp_normal_cdf, -37, 5.7255712225245768e-300, 2.1200065515246056e-298,
     7.8440242406410408e-297},
    {"normal_cdf", tp_normal_cdf, -12, 1.776482112077679e-33, 2.1463837356630603e-32, 2.5756604827956724e-31},
    {"normal_cdf", tp_normal_cdf, -1, 0.15865525393145705, 0.24197072451914335, 0.24197072451914335},
    {"normal_cdf", tp_normal_cdf, 2, 0.97724986805182079, 0.053990966513188052, -0.1079819330263761},
    {"normal_pdf", tp_normal_pdf, -37, 2.1200065515246056e-298, 7.8440242406410408e-297,
     2.9001689624856605e-295},
    {"normal_pdf", tp_normal_pdf, -12, 2.1463837356630603e-32, 2.5756604827956724e-31,
     3.0693287419981763e-30},
    {"normal_pdf", tp_normal_pdf, 3, 0.0044318484119380072, -0.013295545235814022, 0.035454787295504057},
    {"erf", tp_erf, 1e-300, 1.1283791670955126e-300, 1.1283791670955126, -2.2567583341910251e-300},
    {"erf", tp_erf, 1e-05, 1.1283791670579e-5, 1.1283791669826747, -2.2567583339653495e-5},
    {"erf", tp_erf, 2, 0.99532226501895273, 0.020666985354092054, -0.082667941416368215},
    {"erf", tp_erf, 5, 0.99999999999846254, 1.5670866531017335e-11, -1.5670866531017335e-10},
    {"erfc", tp_erfc, 1e-05, 0.99998871620832942, -1.1283791669826747, 2.2567583339653495e-5},
    {"erfc", tp_erfc, 3, 2.2090496998585441e-5, -0.00013925305194674785, 0.00083551831168048712},
    {"erfc", tp_erfc, 26, 5.6631924088561428e-296, -2.9470349932662695e-294, 1.5324581964984602e-292},
    {"expm1", tp_expm1, 1e-300, 1e-300, 1, 1},
    {"expm1", tp_expm1, -1e-09, -9.9999999950000006e-10, 0.999999999, 0.999999999},
    {"expm1", tp_expm1, 1e-05, 1.0000050000166668e-5, 1.0000100000500002, 1.0000100000500002},
    {"log1p", tp_log1p, 1e-300, 1e-300, 1, -1},
    {"log1p", tp_log1p, -1e-09, -1.0000000005000001e-9, 1.000000001, -1.000000002},
    {"log1p", tp_log1p, 1e-05, 9.9999500003333317e-6, 0.999990000099999, -0.999980000299996},
    {"log1p", tp_log1p, -0.999, -6.9077552789821362, 999.99999999999911, -999999.99999999822},
    {"atanh", tp_atanh, 1e-300, 1e-300, 1, 2e-300},
    {"atanh", tp_atanh, 1e-05, 1.0000000000333334e-5, 1.0000000001, 2.0000000004000002e-5},
    {"atanh", tp_atanh, 0x1.ffffep-1, 7.2780451574607898, 524288.25000011921, 549755813887.875},
    {"atanh", tp_atanh, -0x1.fffffffffep-1, -14.209517201478651, 549755813888.25, -6.0446290980731459e23},
    {"asin", tp_asin, 1e-05, 1.0000000000166667e-5, 1.00000000005, 1.0000000001500001e-5},
    {"asin", tp_asin, 0x1.ffffep-1, 1.5694152587531342, 724.0775165685779, 379624971.98724111},
    {"asin", tp_asin, -0x1.fffffffffep-1, -1.5707949780957443, 741455.20018963384, -4.0761930704155676e17},
    {"acos", tp_acos, 1e-05, 1.5707863267948965, -1.00000000005, -1.0000000001500001e-5},
    {"acos", tp_acos, 0x1.ffffep-1, 0.0013810680417624172, -724.0775165685779, -379624971.98724111},
    {"acos", tp_acos, -0x1.fffffffffep-1, 3.1415913048906409, -741455.20018963384, 4.0761930704155676e17},
    {"acosh", tp_acosh, 0x1.0000000001p+0, 1.3486991523485068e-6, 741455.20018929667, -4.0761930704174213e17},
    {"acosh", tp_acosh, 0x1.00001p+0, 0.0013810678222475812, 724.0771713015949, -379625153.0065771},
    {"acosh", tp_acosh, 100000, 12.206072645505174, 1.00000000005e-5, -1.00000000015e-10},
    {"acosh", tp_acosh, 1e200, 461.21016577936908, 1e-200, 0},
    {"asinh", tp_asinh, 1e-300, 1e-300, 1, -1e-300},
    {"asinh", tp_asinh, 1e-05, 9.9999999998333342e-6, 0.99999999995, -9.9999999985000008e-6},
    {"asinh", tp_asinh, 100000, 12.206072645555174, 9.9999999995e-6, -9.9999999985e-11},
    {"asinh", tp_asinh, 1e200, 461.21016577936908, 1e-200, 0},
    {"atan", tp_atan, 1e-05, 9.9999999996666675e-6, 0.9999999999, -1.9999999996000002e-5},
    {"atan", tp_atan, 100000, 1.570786326794897, 9.999999999e-11, -1.9999999996e-15},
    {"atan", tp_atan, 1e50, 1.5707963267948966, 1e-100, -2e-150},
    {"sinh", tp_sinh, 1e-300, 1e-300, 1, 1e-300},
    {"sinh", tp_sinh, 1e-05, 1.0000000000166667e-5, 1.00000000005, 1.0000000000166667e-5},
    {"sinh", tp_sinh, 300, 9.7121319762062797e129, 9.7121319762062797e129, 9.7121319762062797e129},
    {"tan", tp_tan, 1e-05, 1.0000000000333334e-5, 1.0000000001, 2.0000000002666668e-5},
    {"tan", tp_tan, 1.5703125, 2066.8551897466035, 4271891.3753824684, 17658761718.486022},
    {"rsqrt", tp_rsqrt, 1e-100, 9.9999999999999999e49, -4.9999999999999999e149, 7.4999999999999996e249},
    {"rsqrt", tp_rsqrt, 1e-05, 316.22776601683792, -15811388.300841895, 2371708245126.284},
    {"rsqrt", tp_rsqrt, 1e100, 9.9999999999999999e-51, -4.9999999999999999e-151, 7.4999999999999997e-251},
    {"reciprocal", tp_reciprocal, 1e-80, 1e80, -1.0000000000000001e160, 2.0000000000000002e240},
    {"reciprocal", tp_reciprocal, -1e-05, -99999.999999999992, -9999999999.9999984, -1999999999999999.5},
    {"reciprocal", tp_reciprocal, 1e80, 1e-80, -1e-160, 2.0e-240},
    {"lgamma", tp_lgamma, 1e-05, 11.512919692895826, -100000.57719921567, 10000000001.644908},
    {"lgamma", tp_lgamma, 0x1.00001p+0, -5.5047500661488668e-7, -0.57721409617125439, 1.6449317741095887},
    {"lgamma", tp_lgamma, 1.9999990463256836, -4.0319826848018476e-7, 0.42278372004122804,
     0.64493445224140905},
    {"lgamma", tp_lgamma, 50, 144.56574394634489, 3.9019896734278922, 0.020201333226697126},
    {"lgamma", tp_lgamma, -0.75, 1.5757045971498584, -2.8941202000429321, 18.975106932284889},
    {"digamma", tp_digamma, 1e-05, -100000.57719921567, 10000000001.644908, -2000000000000001.9},
    {"digamma", tp_digamma, 1.5, 0.036489973978576521, 0.93480220054467931, -0.82879664423432},
    {"digamma", tp_digamma, 50, 3.9019896734278922, 0.020201333226697126, -0.00040807998933759693},
    {"digamma", tp_digamma, -0.75, -2.8941202000429321, 18.975106932284889, -124.58699919679618},
    {"log2", tp_log2, 0x1.00000004p+0, 1.3436144592400232e-9, 1.4426950395453489, -1.4426950382017345},
    {"log2", tp_log2, 1e200, 664.38561897747247, 1.4426950408889635e-200, 0},
    {"log10", tp_log10, 0x1.00000004p+0, 4.0446825483908663e-10, 0.43429448149878357, -0.43429448109431532},
    {"log10", tp_log10, 1e200, 200, 4.3429448190325184e-201, 0},
    {"exp2", tp_exp2, -700, 1.9010915662951598e-211, 1.3177362591637804e-211, 9.1338517276098377e-212},
    {"exp2", tp_exp2, -0.5, 0.70710678118654752, 0.4901290717342736, 0.33973158418307493},
    {"exp2", tp_exp2, 700, 5.2601359015483735e210, 3.6460483695204012e210, 2.5272481475182517e210},
    {"tanh", tp_tanh, 1e-300, 1e-300, 1, -2e-300},
    {"tanh", tp_tanh, 1e-05, 9.9999999996666675e-6, 0.9999999999, -1.9999999997333335e-5},
    {"tanh", tp_tanh, -1, -0.76159415595576489, 0.41997434161402607, 0.6397000084492245},
};

/* Slopes of the form y (1 - y) or 1 - y^2 lose their relative accuracy where y is near 1: these curvatures are only as
 * good as that of 1. */
static bool is_saturated(const point *p)
{
    static const char *const gated[] = {"log_sigmoid", "softplus", "silu", "mish", "gelu_tanh"};
    for (int k = 0; k < 5; k++)
        if (strcmp(p->name, gated[k]) == 0)
            return k == 0 ? p->x < -30 : p->x > 4;
    return false;
}

static void check_digits(const point *p, const char *what, double got, double expected, double floor)
{
    const double scale = fabs(expected) > floor ? fabs(expected) : floor;
    if (!(fabs(got - expected) <= 1e-13 * scale))
        fail_msg("%s of %s at %.17g is %.17g, not %.17g", what, p->name, p->x, got, expected);
}

static void test_digits(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof points / sizeof *points; k++) {
        const point *p = &points[k];
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE_0D, &p->x);
        tp_tensor y[3] = {p->f(x)};
        double got[3];

        assert_int_equal(tp_gradient(y[0], &x, 1, &y[1]), TP_OK);
        assert_int_equal(tp_gradient(y[1], &x, 1, &y[2]), TP_OK);
        for (int order = 0; order < 3; order++)
            compute(y[order], &got[order]);
        check_digits(p, "value", got[0], p->y, 0);
        check_digits(p, "slope", got[1], p->slope, 0);
        check_digits(p, "curvature", got[2], p->curvature, is_saturated(p) ? 1 : 0);
        assert_no_error(tape);
        tp_tape_destroy(tape);
    }
}

/* In f32 the same functions keep the digits of a float. */
static void test_digits_of_f32(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof points / sizeof *points; k++) {
        const point *p = &points[k];
        const double least = 1e-30, most = 1e30;
        if (as_f32(p->x) != p->x || fabs(p->y) < least || fabs(p->y) > most || fabs(p->slope) < least)
            continue;
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE_0D, &p->x), y = p->f(x);
        double value, slope;
        compute(y, &value);
        compute_gradient(y, x, &slope);
        if (!(fabs(value - p->y) <= 1e-6 * fabs(p->y)) || !(fabs(slope - p->slope) <= 1e-5 * fabs(p->slope)))
            fail_msg("%s in f32 at %g: %.9g and %.9g, not %.9g and %.9g", p->name, p->x, value, slope, p->y,
                     p->slope);
        tp_tape_destroy(tape);
    }
}

/* ---- Functions of two ------------------------------------------------------------------------------------ */

typedef struct pair {
    const char *name;
    tp_tensor (*f)(tp_tensor a, tp_tensor b);
    double a, b, y, by_a, by_b;
} pair;

static const pair pairs[] = {
    {"hypot", tp_hypot, 3e200, -4e200, 5e200, 0.6, -0.8},
    {"hypot", tp_hypot, 3e-200, 4e-200, 5e-200, 0.6, 0.8},
    {"hypot", tp_hypot, 0, 0, 0, 0, 0},
    {"hypot", tp_hypot, -0.0, 0, 0, 0, 0},
    {"hypot", tp_hypot, -5, 0, 5, -1, 0},
    {"atan2", tp_atan2, 3e200, 4e200, 0.64350110879328438680, 1.6e-201, -1.2e-201},
    {"atan2", tp_atan2, 3e-200, -4e-200, 2.4980915447965088516, -1.6e199, -1.2e199},
    {"atan2", tp_atan2, 0, 0, 0, 0, 0},
    {"atan2", tp_atan2, 0, -0.0, 3.14159265358979323846, 0, 0},
    {"atan2", tp_atan2, -0.0, -2, -3.14159265358979323846, -0.5, 0},
    {"atan2", tp_atan2, 2, 0, 1.57079632679489661923, 0, -0.5},
    {"logaddexp", tp_logaddexp, 1000, 999, 1000.3132616875182228, 0.73105857863000487925,
     0.26894142136999512074},
    {"logaddexp", tp_logaddexp, -1e308, 1e308, 1e308, 0, 1},
    {"logaddexp", tp_logaddexp, 0, -800, 0, 1, 0},
    {"logaddexp", tp_logaddexp, -5, -740, -5, 1, 6.2174e-320},
    {"logaddexp", tp_logaddexp, -INFINITY, -INFINITY, -INFINITY, 0.5, 0.5},
    {"logaddexp", tp_logaddexp, INFINITY, INFINITY, INFINITY, 0.5, 0.5},
    {"logaddexp", tp_logaddexp, -INFINITY, 3, 3, 0, 1},
    {"logaddexp", tp_logaddexp, INFINITY, 3, INFINITY, 1, 0},
    {"xlogy", tp_xlogy, 0, 0, 0, 0, 0},
    {"xlogy", tp_xlogy, 0, -2, 0, 0, 0},
    {"xlogy", tp_xlogy, 0, 3, 0, 1.0986122886681098, 0},
    {"xlogy", tp_xlogy, 0, INFINITY, 0, INFINITY, 0},
    {"xlogy", tp_xlogy, 2, 0, -INFINITY, -INFINITY, INFINITY},
    {"xlogy", tp_xlogy, 2, 0.5, -1.3862943611198906, -0.69314718055994531, 4},
    {"xlogy", tp_xlogy, 2, -1, NAN, NAN, -2},
    {"pow", tp_pow, 0, 2, 0, 0, 0},
    {"pow", tp_pow, 0, 1, 0, 1, 0},
    {"pow", tp_pow, 0, 0.5, 0, INFINITY, 0},
    {"pow", tp_pow, 0, 0, 1, 0, 0},
    {"pow", tp_pow, 0, -1, INFINITY, -INFINITY, -INFINITY},
    {"pow", tp_pow, 5, 0, 1, 0, 1.6094379124341003},
    {"pow", tp_pow, -2, 3, -8, 12, NAN},
    {"pow", tp_pow, -2, 0, 1, 0, NAN},
    {"pow", tp_pow, -2, 0.5, NAN, NAN, NAN},
    {"pow", tp_pow, 1, 1e300, 1, 1e300, 0},
    {"fmod", tp_fmod, 7, 2, 1, 1, -3},
    {"fmod", tp_fmod, -7, 2, -1, 1, 3},
    {"fmod", tp_fmod, 7, -2, 1, 1, 3},
    {"fmod", tp_fmod, 4, 2, 0, 1, -2},
    {"fmod", tp_fmod, 6 - 0x1p-50, 2, 2 - 0x1p-50, 1, -2}, /* the quotient rounds to 3 */
    {"fmod", tp_fmod, 1e300, 3e-300, NAN, 1, -HUGE_VAL},
    {"fmod", tp_fmod, 5, INFINITY, 5, 1, 0},
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        const pair *p = &pairs[k];
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE_0D, &p->a),
                        b = make_leaf(tape, TP_F64, TP_SHAPE_0D, &p->b), y = p->f(a, b);
        const double expected[] = {p->y, p->by_a, p->by_b};
        double got[3];
        char what[96];

        compute(y, &got[0]);
        compute_gradient(y, a, &got[1]);
        compute_gradient(y, b, &got[2]);
        if (p->f == tp_fmod && isnan(p->y)) /* whatever rest there is */
            got[0] = NAN;
        for (int i = 0; i < 3; i++) {
            snprintf(what, sizeof what, "%s(%g, %g), number %d", p->name, p->a, p->b, i);
            if (fabs(expected[i]) < 1e-300 || !isfinite(expected[i]))
                assert_close(what, &got[i], &expected[i], 1, 1e-320);
            else if (!(fabs(got[i] / expected[i] - 1) < 1e-14))
                fail_msg("%s: %.17g instead of %.17g", what, got[i], expected[i]);
        }
        assert_no_error(tape);
        tp_tape_destroy(tape);
    }
}

/* d^2 f / da db where a rule takes care of 0: a choice there would make it 0. */
static void check_mixed(const char *what, tp_tensor (*f)(tp_tensor, tp_tensor), double a, double b,
                        double expected)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE_0D, &a),
                    z = make_leaf(tape, TP_F64, TP_SHAPE_0D, &b);
    tp_tensor by_a, by_b;
    double got[2];
    assert_int_equal(tp_gradient(f(x, z), &x, 1, &by_a), TP_OK);
    assert_int_equal(tp_gradient(f(x, z), &z, 1, &by_b), TP_OK);
    compute_gradient(by_a, z, &got[0]);
    compute_gradient(by_b, x, &got[1]);
    assert_close(what, got, (double[]){expected, expected}, 2, 1e-14);
    tp_tape_destroy(tape);
}

static void test_mixed_second_derivatives(void **state)
{
    (void)state;
    check_mixed("pow with exponent 0", tp_pow, 4, 0, 0.25);
    check_mixed("pow", tp_pow, 2, 3, 4 + 12 * log(2));
    check_mixed("xlogy at 0", tp_xlogy, 0, 4, 0.25);
    check_mixed("xlogy", tp_xlogy, 3, 4, 0.25);
    check_mixed("logaddexp at a tie", tp_logaddexp, 2, 2, -0.25);
    check_mixed("hypot", tp_hypot, 3, 4, -12.0 / 125);
    check_mixed("atan2", tp_atan2, 3, 4, (9.0 - 16) / 625);
    check_mixed("fmod", tp_fmod, 7, 2, 0);
}

/* ---- pow with a known exponent ---------------------------------------------------------------------------- */

static void check_power(double exponent, const char *op, double x, double y)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){x, x});
    const tp_tensor weak = tp_pow(a, tp_scalar(tape, exponent)),
                    typed = tp_pow(a, tp_scalar_of(tape, TP_F64, exponent));
    double got[2];

    assert_string_equal(tp_op_of(weak)->name, op);
    assert_int_equal(typed.id, weak.id);
    compute(weak, got);
    assert_close(op, got, (double[]){y, y}, 2, 1e-15);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_known_exponents(void **state)
{
    (void)state;
    check_power(1, "parameter", -3, -3);
    check_power(2, "square", -3, 9);
    check_power(3, "mul", -3, -27);
    check_power(0.5, "sqrt", 9, 3);
    check_power(-1, "div", -4, -0.25);
    check_power(-0.5, "rsqrt", 4, 0.5);
    check_power(0, "pow", -3, 1);
    check_power(4, "pow", -3, 81);
}

/* Where the exponent has a shape or a dtype of its own it is not taken for a plain number. */
static void test_exponents_that_are_tensors(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){3, -2});
    const tp_tensor wide = tp_pow(a, tp_full(tape, TP_F64, TP_SHAPE(3, 1), 2));
    double got[6];

    (void)state;
    assert_true(tp_shape_equal(tp_shape_of(wide), TP_SHAPE(3, 2)));
    compute(wide, got);
    assert_close("square in another shape", got, (double[]){9, 4, 9, 4, 9, 4}, 6, 0);
    assert_false(tp_is_valid(tp_pow(a, tp_scalar_of(tape, TP_F32, 2))));
    assert_error(tape, TP_BAD_DTYPE, "pow");
    assert_false(
        tp_is_valid(tp_pow(make_leaf(tape, TP_I32, TP_SHAPE(1), (double[]){3}), tp_scalar(tape, 2))));
    assert_error(tape, TP_BAD_DTYPE, "pow");
    assert_true(compute_one(tp_pow(tp_scalar(tape, 3), tp_scalar_of(tape, TP_F64, 2))) == 9);
    tp_tape_destroy(tape);
}

/* ---- Near and far angles ------------------------------------------------------------------------------------ */

enum { ANGLES = 3000 };

/* A block with far angles takes another path: the others keep their bits. */
static void check_angles(tp_tensor (*f)(tp_tensor), double (*libm)(double), tp_dtype dtype)
{
    static double x[ANGLES], near[ANGLES], mixed[ANGLES];
    tp_tape *tape = tp_tape_create(NULL);
    generator g = seeded(9);
    double far;

    for (int i = 0; i < ANGLES; i++)
        x[i] = next_between(&g, -100, 100);
    compute(f(make_leaf(tape, dtype, TP_SHAPE(ANGLES), x)), near);
    for (int i = 0; i < ANGLES; i += 500)
        x[i] = as_f32(1e10 * (i + 1));
    compute(f(make_leaf(tape, dtype, TP_SHAPE(ANGLES), x)), mixed);
    for (int i = 0; i < ANGLES; i++)
        if (i % 500 != 0)
            assert_true(mixed[i] == near[i]);
    for (int i = 0; i < ANGLES; i += 500) {
        compute(f(make_leaf(tape, dtype, TP_SHAPE(1), &x[i])), &far);
        assert_true(mixed[i] == far);
        assert_true(far == (dtype == TP_F32 ? as_f32(libm(x[i])) : libm(x[i])));
    }
    tp_tape_destroy(tape);
}

static void test_near_and_far_angles(void **state)
{
    tp_tensor (*const f[])(tp_tensor) = {tp_sin, tp_cos, tp_tan};
    double (*const libm[])(double) = {sin, cos, tan};
    (void)state;
    for (int k = 0; k < 3; k++) {
        check_angles(f[k], libm[k], TP_F32);
        check_angles(f[k], libm[k], TP_F64);
    }
}

/* ---- Rounding, predicates, nan_to_num ----------------------------------------------------------------------- */

static void test_halves_round_to_even(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 4503599627370497.5};
    double got[8];
    (void)state;
    compute(tp_round(make_leaf(tape, TP_F64, TP_SHAPE(8), x)), got);
    assert_same("round", got, (double[]){0, 2, 2, -0.0, -2, -2, 0, 4503599627370498}, 8);
    tp_tape_destroy(tape);
}

static void test_nan_to_num(void **state)
{
    const double x[] = {NAN, INFINITY, -INFINITY, -3, 0};
    const tp_nan_to_num_options options = {.nan = -1, .positive_infinity = {true, 7}};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor f64 = make_leaf(tape, TP_F64, TP_SHAPE(5), x),
                    f32 = make_leaf(tape, TP_F32, TP_SHAPE(5), x);
    double got[5];

    (void)state;
    compute(tp_nan_to_num(f64, NULL), got);
    assert_same("f64", got, (double[]){0, DBL_MAX, -DBL_MAX, -3, 0}, 5);
    compute(tp_nan_to_num(f32, NULL), got);
    assert_same("f32", got, (double[]){0, (double)FLT_MAX, -(double)FLT_MAX, -3, 0}, 5);
    compute(tp_nan_to_num(f64, &options), got);
    assert_same("options", got, (double[]){-1, 7, -DBL_MAX, -3, 0}, 5);
    compute_gradient(tp_sum(tp_square(tp_nan_to_num(f64, &options))), f64, got);
    assert_same("slope", got, (double[]){0, 0, 0, -6, 0}, 5);
    const tp_tensor whole = make_leaf(tape, TP_I32, TP_SHAPE(5), (double[]){1, 2, 3, 4, 5});
    assert_int_equal(tp_nan_to_num(whole, NULL).id, whole.id);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* A condition of one dtype chooses among another. */
static void test_logic_of_dtypes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){NAN, 2, 0});
    const tp_tensor k = make_leaf(tape, TP_I32, TP_SHAPE(3), (double[]){1, 0, 1});
    double got[3];

    (void)state;
    compute(tp_where(tp_logical_not(k), x, tp_scalar(tape, 5)), got);
    assert_same("where", got, (double[]){5, 2, 5}, 3);
    assert_false(tp_is_valid(tp_logical_and(x, k)));
    assert_error(tape, TP_BAD_DTYPE, "logical_and");
    compute(tp_logical_and(tp_cast(x, TP_I32), k), got);
    assert_same("and", got, (double[]){1, 0, 0}, 3);
    tp_tape_destroy(tape);
}

/* ---- Derivatives of any order ------------------------------------------------------------------------------- */

/* The 21st derivative of lgamma is polygamma 20; then it ends. */
static void test_lgamma_to_its_last_derivative(void **state)
{
    const double x = 2.5;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE_0D, &x);
    tp_tensor y = tp_lgamma(leaf);

    (void)state;
    for (int order = 1; order <= TP_POLYGAMMA_ORDERS + 1; order++)
        assert_int_equal(tp_gradient(y, &leaf, 1, &y), TP_OK);
    assert_true(fabs(compute_one(y) / -10709198259.1241325 - 1) < 1e-12);
    assert_int_equal(tp_gradient(y, &leaf, 1, &y), TP_NO_DERIVATIVE);
    assert_error(tape, TP_NO_DERIVATIVE, "polygamma has no derivative beyond order 20");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_digits_of_f32),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_mixed_second_derivatives),
        cmocka_unit_test(test_known_exponents),
        cmocka_unit_test(test_exponents_that_are_tensors),
        cmocka_unit_test(test_near_and_far_angles),
        cmocka_unit_test(test_halves_round_to_even),
        cmocka_unit_test(test_nan_to_num),
        cmocka_unit_test(test_logic_of_dtypes),
        cmocka_unit_test(test_lgamma_to_its_last_derivative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
