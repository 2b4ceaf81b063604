/* op_rows_functions.c -- rows of the elementwise functions: powers, trigonometric, hyperbolic, special, rounding, logic,
 * activations.
 */
#include <math.h>

#include "op_rows.h"

/* ---- Values by libm ----------------------------------------------------------------------------------- */

static double v_reciprocal(double x)
{
    return 1 / x;
}
static double v_rsqrt(double x)
{
    return 1 / sqrt(x);
}
static double v_same(double x)
{
    return x;
}
static double v_square(double x)
{
    return x * x;
}
static double v_cube(double x)
{
    return x * x * x;
}
static double v_2_to(double x)
{
    return pow(2, x);
}
static double v_to_1_25(double x)
{
    return pow(x, 1.25);
}
static double v_one(double x)
{
    (void)x;
    return 1;
}
static double v_hypot(double a, double b)
{
    return hypot(a, b);
}
static double v_logaddexp(double a, double b)
{
    if (isnan(a) || isnan(b) || a == b)
        return a == b ? a + log(2) : a + b;
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}
static double v_xlogy(double a, double b)
{
    return a == 0 && !isnan(b) ? 0 : a * log(b);
}

static double v_exp_minus_half_square(double x)
{
    return (double)expl(-0.5L * (long double)x * (long double)x);
}
static double v_normal_pdf(double x)
{
    return 0.39894228040143267794 * v_exp_minus_half_square(x);
}
static double v_normal_cdf(double x)
{
    return (double)(0.5L * erfcl(-(long double)x * 0.70710678118654752440084436210484904L));
}

/* By recurrence to where the series in 1 / x^2 is good; never by reflection. */
static double v_digamma(double x)
{
    static const long double c[] = {1.0L / 12, -1.0L / 120, 1.0L / 252, -1.0L / 240, 1.0L / 132};
    long double y = x, sum = 0, series = 0;
    if (x == 0 || isnan(x) || (x < 0 && x == floor(x)))
        return x == 0 ? -1 / x : (double)NAN;
    for (; y < 100; y += 1)
        sum -= 1 / y;
    for (int k = 4; k >= 0; k--)
        series = (series + c[k]) / (y * y);
    return (double)(sum + logl(y) - 0.5L / y - series);
}
static double v_trigamma(double x)
{
    static const long double b[] = {1.0L / 6, -1.0L / 30, 1.0L / 42, -1.0L / 30, 5.0L / 66};
    long double y = x, sum = 0, series = 0;
    if (isnan(x) || x == -(double)INFINITY || (x <= 0 && x == floor(x)))
        return isnan(x) || x == -(double)INFINITY ? (double)NAN : (double)INFINITY;
    for (; y < 100; y += 1)
        sum += 1 / (y * y);
    for (int k = 4; k >= 0; k--)
        series = (series + b[k]) / (y * y);
    return (double)(sum + (1 + 0.5L / y + series) / y);
}

static double v_not(double x)
{
    return x == 0;
}
static double v_isnan(double x)
{
    return isnan(x) != 0;
}
static double v_isinf(double x)
{
    return isinf(x) != 0;
}
static double v_isfinite(double x)
{
    return isfinite(x) != 0;
}
static double v_and(double a, double b)
{
    return a != 0 && b != 0;
}
static double v_or(double a, double b)
{
    return a != 0 || b != 0;
}
static double v_xor(double a, double b)
{
    return (a != 0) != (b != 0);
}
static double v_nan_to_num(double x)
{
    return isnan(x) ? 0.5 : isinf(x) ? (x > 0 ? 0 : -3) : x;
}

static double v_leaky_relu(double x)
{
    return x > 0 ? x : 0.125 * x;
}
static double v_elu(double x)
{
    return x > 0 ? x : 1.5 * expm1(x);
}
static double v_selu(double x)
{
    return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x));
}
static double v_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double v_log_sigmoid(double x)
{
    return isnan(x) ? x : -(fmax(-x, 0) + log1p(exp(-fabs(x))));
}
static double v_silu(double x)
{
    return x * v_sigmoid(x);
}
static double v_mish(double x)
{
    return x * tanh(log1p(exp(x)));
}
static double v_gelu(double x)
{
    return x * v_normal_cdf(x);
}

static double v_gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

/* ---- Builders ----------------------------------------------------------------------------------------- */

static tp_tensor build_unary(const tp_tensor *x, const op_row *row)
{
    return row->unary(x[0]);
}
static tp_tensor build_binary(const tp_tensor *x, const op_row *row)
{
    return row->binary(x[0], x[1]);
}

static tp_tensor to_the(const tp_tensor *x, double exponent)
{
    return tp_pow(x[0], tp_scalar(x[0].tape, exponent));
}
static tp_tensor build_pow_0(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 0);
}
static tp_tensor build_pow_1(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 1);
}
static tp_tensor build_pow_2(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 2);
}
static tp_tensor build_pow_3(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 3);
}
static tp_tensor build_pow_half(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 0.5);
}
static tp_tensor build_pow_minus_1(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, -1);
}
static tp_tensor build_pow_minus_half(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, -0.5);
}
static tp_tensor build_pow_1_25(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return to_the(x, 1.25);
}
static tp_tensor build_2_to(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_pow(tp_scalar(x[0].tape, 2), x[0]);
}
/* The quotient is between 4.1 and 4.95. */
static tp_tensor build_fmod(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_fmod(tp_scale(x[0], 4.5), x[1]);
}
static tp_tensor build_polygamma_0(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_polygamma(x[0], 0);
}
static tp_tensor build_polygamma_1(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_polygamma(x[0], 1);
}
static tp_tensor build_polygamma_4(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_polygamma(x[0], 4);
}
static tp_tensor build_nan_to_num(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_nan_to_num(x[0], &(tp_nan_to_num_options){.nan = 0.5,
                                                        .positive_infinity = {true, 0},
                                                        .negative_infinity = {true, -3}});
}
static tp_tensor build_nan_to_num_default(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_nan_to_num(x[0], NULL);
}
static tp_tensor build_leaky_relu(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_leaky_relu(x[0], 0.125);
}
static tp_tensor build_elu(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_elu(x[0], 1.5);
}

/* ---- The rows ----------------------------------------------------------------------------------------- */

/* Away from 0, which is harmless where there is no kink, and from -1. */
static void add_built(op_row_table *t, const char *name, const char *variant,
                      tp_tensor (*build)(const tp_tensor *, const op_row *), double (*value)(double),
                      double low, double high, unsigned flags)
{
    add_row(t, (op_row){.constructor = name,
                        .variant = variant,
                        .n = 1,
                        .build = build,
                        .value1 = value,
                        .low = low,
                        .high = high,
                        .kink = {0, -1},
                        .kinks = 2,
                        .flags = ROW_MAP | flags});
}

static void add_unary(op_row_table *t, const char *name, tp_tensor (*unary)(tp_tensor),
                      double (*value)(double), double low, double high, unsigned flags)
{
    add_built(t, name, NULL, build_unary, value, low, high, flags);
    t->row[t->n - 1].unary = unary;
}

static void add_binary(op_row_table *t, const char *name, tp_tensor (*binary)(tp_tensor, tp_tensor),
                       double (*value)(double, double), double low, double high, unsigned flags)
{
    add_row(t, (op_row){.constructor = name,
                        .n = 2,
                        .build = build_binary,
                        .binary = binary,
                        .value2 = value,
                        .low = low,
                        .high = high,
                        .kinks = 1,
                        .flags = ROW_MAP | flags});
}

static void add_power_rows(op_row_table *t)
{
    add_unary(t, "tp_rsqrt", tp_rsqrt, v_rsqrt, 0.1, 4, 0);
    add_unary(t, "tp_reciprocal", tp_reciprocal, v_reciprocal, -2, -0.3, 0);
    add_unary(t, "tp_exp2", tp_exp2, exp2, -3, 3, 0);
    add_unary(t, "tp_log2", tp_log2, log2, 0.1, 4, 0);
    add_unary(t, "tp_log10", tp_log10, log10, 0.1, 4, 0);
    add_binary(t, "tp_pow", tp_pow, pow, 0.3, 2, 0);
    add_built(t, "tp_pow", "to the 0", build_pow_0, v_one, -2, 2, 0);
    add_built(t, "tp_pow", "to the 1", build_pow_1, v_same, -2, 2, 0);
    add_built(t, "tp_pow", "to the 2", build_pow_2, v_square, -2, 2, 0);
    add_built(t, "tp_pow", "to the 3", build_pow_3, v_cube, -2, 2, 0);
    add_built(t, "tp_pow", "to the 1/2", build_pow_half, sqrt, 0.1, 3, 0);
    add_built(t, "tp_pow", "to the -1", build_pow_minus_1, v_reciprocal, 0.3, 2, 0);
    add_built(t, "tp_pow", "to the -1/2", build_pow_minus_half, v_rsqrt, 0.3, 2, 0);
    add_built(t, "tp_pow", "to the 1.25", build_pow_1_25, v_to_1_25, 0.1, 2, 0);
    add_built(t, "tp_pow", "of 2", build_2_to, v_2_to, -2, 2, 0);
    add_binary(t, "tp_hypot", tp_hypot, v_hypot, 0.3, 2, 0);
    add_binary(t, "tp_fmod", tp_fmod, fmod, -2, 2, ROW_NO_DIFFERENCES); /* they would cross a jump */
    add_row(t, (op_row){.constructor = "tp_fmod",
                        .variant = "between two jumps",
                        .n = 2,
                        .build = build_fmod,
                        .low = 1.1,
                        .high = 1.2,
                        .flags = ROW_MAP});
    add_binary(t, "tp_logaddexp", tp_logaddexp, v_logaddexp, -2, 2, ROW_ABSOLUTE);
    add_binary(t, "tp_xlogy", tp_xlogy, v_xlogy, 0.3, 2, 0);
}

static void add_trigonometric_rows(op_row_table *t)
{
    add_unary(t, "tp_sin", tp_sin, sin, -7, 7, 0);
    add_unary(t, "tp_cos", tp_cos, cos, -7, 7, 0);
    add_unary(t, "tp_tan", tp_tan, tan, -1.2, 1.2, 0);
    add_unary(t, "tp_asin", tp_asin, asin, -0.9, 0.9, 0);
    add_unary(t, "tp_acos", tp_acos, acos, -0.9, 0.9, 0);
    add_unary(t, "tp_atan", tp_atan, atan, -3, 3, 0);
    add_binary(t, "tp_atan2", tp_atan2, atan2, 0.3, 2, 0);
    add_binary(t, "tp_atan2", tp_atan2, atan2, -2, -0.3, 0);
    add_unary(t, "tp_sinh", tp_sinh, sinh, -2, 2, 0);
    add_unary(t, "tp_cosh", tp_cosh, cosh, -2, 2, 0);
    add_unary(t, "tp_asinh", tp_asinh, asinh, -3, 3, 0);
    add_unary(t, "tp_acosh", tp_acosh, acosh, 1.2, 4, 0);
    add_unary(t, "tp_atanh", tp_atanh, atanh, -0.85, 0.85, 0);
}

static void add_special_rows(op_row_table *t)
{
    add_unary(t, "tp_erf", tp_erf, erf, -2, 2, 0);
    add_unary(t, "tp_erfc", tp_erfc, erfc, -2, 2, 0);
    add_unary(t, "tp_normal_pdf", tp_normal_pdf, v_normal_pdf, -3, 3, 0);
    add_unary(t, "tp_normal_cdf", tp_normal_cdf, v_normal_cdf, -3, 3, 0);
    add_unary(t, "tp_lgamma", tp_lgamma, lgamma, 0.3, 4, 0);
    add_unary(t, "tp_lgamma", tp_lgamma, lgamma, -1.8, -1.2, ROW_ABSOLUTE);
    add_unary(t, "tp_digamma", tp_digamma, v_digamma, 0.3, 4, ROW_ABSOLUTE);
    add_unary(t, "tp_digamma", tp_digamma, v_digamma, -1.8, -1.2, ROW_ABSOLUTE);
    add_built(t, "tp_polygamma", "0", build_polygamma_0, v_digamma, 0.4, 4, ROW_ABSOLUTE);
    add_built(t, "tp_polygamma", "1", build_polygamma_1, v_trigamma, 0.4, 4, 0);
    add_built(t, "tp_polygamma", "1, below 0", build_polygamma_1, v_trigamma, -0.7, -0.3, 0);
    add_built(t, "tp_polygamma", "4", build_polygamma_4, NULL, 1, 4, 0);
}

/* Sampled within one step. */
static void add_rounding_rows(op_row_table *t)
{
    add_unary(t, "tp_floor", tp_floor, floor, -0.95, 0.95, ROW_I32);
    add_unary(t, "tp_ceil", tp_ceil, ceil, -0.95, 0.95, ROW_I32);
    add_unary(t, "tp_round", tp_round, rint, 0.55, 1.45, ROW_I32);
    add_unary(t, "tp_trunc", tp_trunc, trunc, -0.95, 0.95, ROW_I32);
}

static void add_predicate_rows(op_row_table *t)
{
    add_unary(t, "tp_isnan", tp_isnan, v_isnan, -2, 2, ROW_I32);
    add_unary(t, "tp_isinf", tp_isinf, v_isinf, -2, 2, ROW_I32);
    add_unary(t, "tp_isfinite", tp_isfinite, v_isfinite, -2, 2, ROW_I32);
    add_unary(t, "tp_logical_not", tp_logical_not, v_not, -2, 2, ROW_I32);
    add_binary(t, "tp_logical_and", tp_logical_and, v_and, -2, 2, ROW_I32);
    add_binary(t, "tp_logical_or", tp_logical_or, v_or, -2, 2, ROW_I32);
    add_binary(t, "tp_logical_xor", tp_logical_xor, v_xor, -2, 2, ROW_I32);
    add_built(t, "tp_nan_to_num", "options", build_nan_to_num, v_nan_to_num, -2, 2, 0);
    add_built(t, "tp_nan_to_num", "default", build_nan_to_num_default, NULL, -2, 2, ROW_I32);
}

static void add_activation_rows(op_row_table *t)
{
    add_built(t, "tp_leaky_relu", NULL, build_leaky_relu, v_leaky_relu, -2, 2, 0);
    add_built(t, "tp_elu", NULL, build_elu, v_elu, -2, 2, 0);
    add_unary(t, "tp_selu", tp_selu, v_selu, -2, 2, 0);
    add_unary(t, "tp_log_sigmoid", tp_log_sigmoid, v_log_sigmoid, -30, 30, 0);
    add_unary(t, "tp_silu", tp_silu, v_silu, -4, 4, ROW_ABSOLUTE);
    add_unary(t, "tp_mish", tp_mish, v_mish, -4, 4, ROW_ABSOLUTE);
    add_unary(t, "tp_gelu", tp_gelu, v_gelu, -4, 4, ROW_ABSOLUTE);
    add_unary(t, "tp_gelu_tanh", tp_gelu_tanh, v_gelu_tanh, -3, 3, ROW_ABSOLUTE);
}

void add_function_rows(op_row_table *t)
{
    add_power_rows(t);
    add_trigonometric_rows(t);
    add_special_rows(t);
    add_rounding_rows(t);
    add_predicate_rows(t);
    add_activation_rows(t);
}
