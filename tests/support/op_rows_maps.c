/* op_rows_maps.c -- rows of the elementwise ops. */
#include <math.h>

#include "op_rows.h"

/* ---- Values by libm ----------------------------------------------------------------------------------- */

static double v_neg(double x)
{
    return -x;
}
static double v_scale(double x)
{
    return -2.5 * x;
}
static double v_triple(double x)
{
    return 3 * x;
}
static double v_same(double x)
{
    return x;
}
static double v_square(double x)
{
    return x * x;
}
static double v_sign(double x)
{
    return isnan(x) ? x : (double)((x > 0) - (x < 0));
}
static double v_clamp(double x)
{
    return x < -1 ? -1 : x > 1.5 ? 1.5 : x;
}
static double v_clamp_above(double x)
{
    return x > 0.5 ? 0.5 : x;
}
static double v_clamp_below(double x)
{
    return x < -0.5 ? -0.5 : x;
}
static double v_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double v_softplus(double x)
{
    return isnan(x) ? x : fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double v_softplus_tail(double x)
{
    return log1p(exp(-fabs(x)));
}

static double v_sigmoid_tail(double x)
{
    return (x < 0 ? 1 : -1) * exp(-fabs(x)) / (1 + exp(-fabs(x)));
}
static double v_relu(double x)
{
    return x <= 0 ? 0 : x;
}
static double v_from_left(double x)
{
    return 2 - x;
}
static double v_reciprocal(double x)
{
    return 3 / x;
}
static double v_above_half(double x)
{
    return isnan(x) || x > 0.5 ? x : 0.5;
}

static double v_add(double a, double b)
{
    return a + b;
}
static double v_sub(double a, double b)
{
    return a - b;
}
static double v_mul(double a, double b)
{
    return a * b;
}
static double v_div(double a, double b)
{
    return a / b;
}
static double v_maximum(double a, double b)
{
    return isnan(a) ? a : isnan(b) ? b : a > b ? a : b;
}
static double v_minimum(double a, double b)
{
    return isnan(a) ? a : isnan(b) ? b : a < b ? a : b;
}
static double v_equal(double a, double b)
{
    return a == b;
}
static double v_not_equal(double a, double b)
{
    return a != b;
}
static double v_less(double a, double b)
{
    return a < b;
}
static double v_less_equal(double a, double b)
{
    return a <= b;
}
static double v_greater(double a, double b)
{
    return a > b;
}
static double v_greater_equal(double a, double b)
{
    return a >= b;
}
static double v_guard(double a, double b)
{
    return a == 0 ? 0 : b;
}
static double v_where(double c, double a, double b)
{
    return c > 0 ? a : b;
}
static double v_where_plain(double c, double a, double b)
{
    return c != 0 ? a : b;
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

static tp_tensor build_scale(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_scale(x[0], -2.5);
}

static tp_tensor build_triple(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_scale(x[0], 3);
}

static tp_tensor build_scale_by_1(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_scale(x[0], 1);
}

static tp_tensor build_clamp(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_clamp(x[0], -1, 1.5);
}

static tp_tensor build_clamp_above(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_clamp(x[0], -HUGE_VAL, 0.5);
}

static tp_tensor build_clamp_below(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_clamp(x[0], -0.5, HUGE_VAL);
}

/* A weak scalar on the left; on the right. */
static tp_tensor build_sub_from(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_sub(tp_scalar(x[0].tape, 2), x[0]);
}

static tp_tensor build_div_of(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_div(tp_scalar(x[0].tape, 3), x[0]);
}

static tp_tensor build_maximum_half(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_maximum(x[0], tp_scalar(x[0].tape, 0.5));
}

static tp_tensor build_where(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_where(tp_greater(x[0], tp_scalar(x[0].tape, 0)), x[1], x[2]);
}

static tp_tensor build_where_plain(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_where(x[0], x[1], x[2]);
}

static tp_tensor build_where_i32(const tp_tensor *x, const op_row *row)
{
    (void)row;
    const tp_tensor is_positive = tp_greater(x[0], tp_scalar(x[0].tape, 0));
    return tp_where(tp_cast(is_positive, TP_I32), x[1], x[2]);
}

static tp_tensor build_cast(const tp_tensor *x, const op_row *row)
{
    const tp_dtype own = tp_dtype_of(x[0]);
    (void)row;
    return tp_cast(tp_cast(x[0], own == TP_F32 ? TP_F64 : TP_F32), own);
}

/* ---- The rows ----------------------------------------------------------------------------------------- */

static void add_unary(op_row_table *t, const char *name, tp_tensor (*unary)(tp_tensor),
                      double (*value)(double), double low, double high, unsigned flags)
{
    add_row(t, (op_row){.constructor = name,
                        .n = 1,
                        .build = build_unary,
                        .unary = unary,
                        .value1 = value,
                        .low = low,
                        .high = high,
                        .kinks = 1, /* at 0: harmless where there is none */
                        .flags = ROW_MAP | flags});
}

static void add_unary_rows(op_row_table *t)
{
    add_unary(t, "tp_neg", tp_neg, v_neg, -2, 2, ROW_I32);
    add_unary(t, "tp_square", tp_square, v_square, -2, 2, ROW_I32);
    add_unary(t, "tp_abs", tp_abs, fabs, -2, 2, ROW_I32);
    add_unary(t, "tp_sign", tp_sign, v_sign, -2, 2, ROW_I32);
    add_unary(t, "tp_sqrt", tp_sqrt, sqrt, 0.1, 4, 0);
    add_unary(t, "tp_exp", tp_exp, exp, -3, 2, 0);
    add_unary(t, "tp_expm1", tp_expm1, expm1, -3, 2, 0);
    add_unary(t, "tp_log", tp_log, log, 0.1, 4, 0);
    add_unary(t, "tp_log1p", tp_log1p, log1p, -0.85, 4, 0);
    add_unary(t, "tp_tanh", tp_tanh, tanh, -3, 3, 0);
    add_unary(t, "tp_sigmoid", tp_sigmoid, v_sigmoid, -6, 6, 0);
    add_unary(t, "tp_softplus", tp_softplus, v_softplus, -30, 30, 0);
    add_unary(t, "tp_softplus_tail", tp_softplus_tail, v_softplus_tail, -30, 30, 0);
    add_unary(t, "tp_sigmoid_tail", tp_sigmoid_tail, v_sigmoid_tail, -6, 6, 0);
    add_unary(t, "tp_relu", tp_relu, v_relu, -2, 2, ROW_I32);
    add_unary(t, "tp_stop_gradient", tp_stop_gradient, v_same, -2, 2, ROW_I32 | ROW_NO_DIFFERENCES);
}

static void add_built(op_row_table *t, const char *name, const char *variant,
                      tp_tensor (*build)(const tp_tensor *, const op_row *), double (*value)(double),
                      double kink, unsigned flags)
{
    add_row(t, (op_row){.constructor = name,
                        .variant = variant,
                        .n = 1,
                        .build = build,
                        .value1 = value,
                        .kink = {kink, -1},
                        .kinks = 2,
                        .flags = ROW_MAP | flags});
}

static void add_parametrised_rows(op_row_table *t)
{
    add_built(t, "tp_scale", NULL, build_scale, v_scale, 0, 0);
    add_built(t, "tp_scale", "by 3", build_triple, v_triple, 0, ROW_I32);
    add_built(t, "tp_scale", "by 1", build_scale_by_1, v_same, 0, ROW_I32);
    add_built(t, "tp_clamp", NULL, build_clamp, v_clamp, 1.5, 0);
    add_built(t, "tp_clamp", "above", build_clamp_above, v_clamp_above, 0.5, 0);
    add_built(t, "tp_clamp", "below", build_clamp_below, v_clamp_below, -0.5, 0);
    add_built(t, "tp_scalar", "on the left of sub", build_sub_from, v_from_left, 0, ROW_I32);
    add_built(t, "tp_maximum", "with a scalar", build_maximum_half, v_above_half, 0.5, 0);
    add_row(t, (op_row){.constructor = "tp_div",
                        .variant = "of a scalar",
                        .n = 1,
                        .build = build_div_of,
                        .value1 = v_reciprocal,
                        .low = 0.3,
                        .high = 2,
                        .flags = ROW_MAP});
    add_built(t, "tp_cast", NULL, build_cast, NULL, 0, ROW_ROUNDS | ROW_ASKS);
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

static void add_binary_rows(op_row_table *t)
{
    add_binary(t, "tp_add", tp_add, v_add, -2, 2, ROW_I32);
    add_binary(t, "tp_sub", tp_sub, v_sub, -2, 2, ROW_I32);
    add_binary(t, "tp_mul", tp_mul, v_mul, -2, 2, ROW_I32);
    add_binary(t, "tp_div", tp_div, v_div, 0.3, 2, 0);
    add_binary(t, "tp_div", tp_div, v_div, -2, -0.3, 0);
    add_binary(t, "tp_maximum", tp_maximum, v_maximum, -2, 2, ROW_I32);
    add_binary(t, "tp_minimum", tp_minimum, v_minimum, -2, 2, ROW_I32);
    add_binary(t, "tp_equal", tp_equal, v_equal, -2, 2, ROW_I32);
    add_binary(t, "tp_not_equal", tp_not_equal, v_not_equal, -2, 2, ROW_I32);
    add_binary(t, "tp_less", tp_less, v_less, -2, 2, ROW_I32);
    add_binary(t, "tp_less_equal", tp_less_equal, v_less_equal, -2, 2, ROW_I32);
    add_binary(t, "tp_greater", tp_greater, v_greater, -2, 2, ROW_I32);
    add_binary(t, "tp_greater_equal", tp_greater_equal, v_greater_equal, -2, 2, ROW_I32);
    add_binary(t, "tp_guard", tp_guard, v_guard, -2, 2, 0);
}

static void add_where(op_row_table *t, const char *variant,
                      tp_tensor (*build)(const tp_tensor *, const op_row *),
                      double (*value)(double, double, double), unsigned flags)
{
    add_row(t, (op_row){.constructor = "tp_where",
                        .variant = variant,
                        .n = 3,
                        .build = build,
                        .value3 = value,
                        .kinks = 1,
                        .flags = ROW_MAP | flags});
}

void add_map_rows(op_row_table *t)
{
    add_unary_rows(t);
    add_parametrised_rows(t);
    add_binary_rows(t);
    add_where(t, NULL, build_where, v_where, ROW_I32);
    add_where(t, "any number as condition", build_where_plain, v_where_plain, ROW_I32);
    add_where(t, "i32 condition", build_where_i32, v_where, 0);
}
