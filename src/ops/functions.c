/* functions.c -- sqrt exp expm1 log log1p tanh sigmoid softplus, and relu.  Kernels are in tapir/scalar.h. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>

#include "lists.h"

static tp_tensor number(const tp_vjp *d, double value)
{
    return tp_scalar(d->y.tape, value);
}

/* ---- sqrt ------------------------------------------------------------------------------------------ */

TP_MAP1(sqrt, TP_SQRT(x))

static void sqrt_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(tp_scale(d->g, 0.5), d->y);
}

static const tp_op square_root = {
    .name = "sqrt",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sqrt_vjp,
    TP_MAP_KERNELS(sqrt),
    .low = 0.01,
    .high = 4,
};

tp_tensor tp_sqrt(tp_tensor x)
{
    return tp_record(&square_root, &x, 1, NULL);
}

/* ---- exp, expm1 ------------------------------------------------------------------------------------ */

TP_MAP1(exp, TP_EXP(x))

static void exp_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->y);
}

static const tp_op exponential = {
    .name = "exp",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = exp_vjp,
    TP_MAP_KERNELS(exp),
};

tp_tensor tp_exp(tp_tensor x)
{
    return tp_record(&exponential, &x, 1, NULL);
}

TP_MAP1(expm1, TP_EXPM1(x))

static void expm1_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_exp(d->x[0])); /* y + 1 would lose all digits where y is near -1 */
}

static const tp_op exponential_minus_1 = {
    .name = "expm1",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = expm1_vjp,
    TP_MAP_KERNELS(expm1),
};

tp_tensor tp_expm1(tp_tensor x)
{
    return tp_record(&exponential_minus_1, &x, 1, NULL);
}

/* ---- log, log1p ------------------------------------------------------------------------------------ */

TP_MAP1(log, TP_LOG(x))

static void log_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, d->x[0]);
}

static const tp_op logarithm = {
    .name = "log",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = log_vjp,
    TP_MAP_KERNELS(log),
    .low = 0.05,
    .high = 4,
};

tp_tensor tp_log(tp_tensor x)
{
    return tp_record(&logarithm, &x, 1, NULL);
}

TP_MAP1(log1p, TP_LOG1P(x))

static void log1p_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, tp_add(d->x[0], number(d, 1)));
}

static const tp_op logarithm_1_plus = {
    .name = "log1p",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = log1p_vjp,
    TP_MAP_KERNELS(log1p),
    .low = -0.9,
    .high = 4,
};

tp_tensor tp_log1p(tp_tensor x)
{
    return tp_record(&logarithm_1_plus, &x, 1, NULL);
}

/* ---- tanh, sigmoid, softplus ------------------------------------------------------------------------ */

TP_MAP1(tanh, TP_TANH(x))

static void tanh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sub(number(d, 1), tp_square(d->y)));
}

static const tp_op hyperbolic_tangent = {
    .name = "tanh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = tanh_vjp,
    TP_MAP_KERNELS(tanh),
};

tp_tensor tp_tanh(tp_tensor x)
{
    return tp_record(&hyperbolic_tangent, &x, 1, NULL);
}

TP_MAP1(sigmoid, TP_SIGMOID(x))

static void sigmoid_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_mul(d->y, tp_sub(number(d, 1), d->y)));
}

static const tp_op sigmoid = {
    .name = "sigmoid",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sigmoid_vjp,
    TP_MAP_KERNELS(sigmoid),
};

tp_tensor tp_sigmoid(tp_tensor x)
{
    return tp_record(&sigmoid, &x, 1, NULL);
}

TP_MAP1(softplus, TP_SOFTPLUS(x))

static void softplus_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sigmoid(d->x[0]));
}

static const tp_op softplus = {
    .name = "softplus",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = softplus_vjp,
    TP_MAP_KERNELS(softplus),
    .low = -30,
    .high = 30,
};

tp_tensor tp_softplus(tp_tensor x)
{
    return tp_record(&softplus, &x, 1, NULL);
}

/* ---- relu ------------------------------------------------------------------------------------------ */

tp_tensor tp_relu(tp_tensor x)
{
    if (x.tape == NULL)
        return x;
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_where(tp_less_equal(x, zero), zero, x); /* this way round a NaN stays */
}

const tp_op *const tp__function_ops[] = {&square_root, &exponential,      &exponential_minus_1,
                                         &logarithm,   &logarithm_1_plus, &hyperbolic_tangent,
                                         &sigmoid,     &softplus,         NULL};
