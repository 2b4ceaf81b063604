/* activations.c -- relu leaky_relu elu selu, sigmoid log_sigmoid softplus and their tails, silu mish gelu. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>

#include "lists.h"
#include "operands.h"

static tp_tensor number(tp_tensor at, double value)
{
    return tp_scalar(at.tape, value);
}

/* ---- relu, leaky_relu ------------------------------------------------------------------------------ */

TP_MAP1(relu, x <= 0 ? 0 : x) /* this way round a NaN stays */
TP_MAP1_I32(relu, x <= 0 ? 0 : x)
TP_FUSED2(relu_add, a + b <= 0 ? 0 : a + b)
TP_FUSED2(relu_sub, a - b <= 0 ? 0 : a - b)

static const tp_fusion relu_fusion[] = {
    {&tp__add, 0, NULL, 0, TP_FUSED_KERNELS(relu_add)},
    {&tp__sub, 0, NULL, 0, TP_FUSED_KERNELS(relu_sub)},
    {.inner = NULL},
};

/* By the result, which is 0 just where the operand is not above 0: so the operand need not be kept. */
static void relu_vjp(const tp_vjp *d)
{
    const tp_tensor below = tp_less_equal(d->y, number(d->y, 0));
    d->dx[0] = tp_record(&tp__drop, (tp_tensor[]){below, d->g}, 2, NULL);
}

static const tp_op relu = {
    .name = "relu",
    .kind = TP_MAP,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .vjp = relu_vjp,
    .fusion = relu_fusion,
    TP_MAP_KERNELS_I32(relu),
};

tp_tensor tp_relu(tp_tensor x)
{
    return tp_record(&relu, &x, 1, NULL);
}

tp_tensor tp_leaky_relu(tp_tensor x, double slope)
{
    if (x.tape == NULL)
        return x;
    if (!tp__is_floating(x, "leaky_relu") || !tp__is_finite_parameter(x, "leaky_relu", "slope", slope))
        return tp__invalid_like(x);
    return tp_where(tp_greater(x, number(x, 0)), x, tp_scale(x, slope));
}

/* ---- elu, selu ------------------------------------------------------------------------------------- */

/* Far above 0, where e^x is infinite, the choice keeps that away from value and gradient. */
static tp_tensor exponential_below_0(tp_tensor x, double alpha)
{
    return tp_where(tp_greater(x, number(x, 0)), x, tp_scale(tp_expm1(x), alpha));
}

tp_tensor tp_elu(tp_tensor x, double alpha)
{
    if (x.tape == NULL)
        return x;
    if (!tp__is_floating(x, "elu") || !tp__is_finite_parameter(x, "elu", "alpha", alpha))
        return tp__invalid_like(x);
    return exponential_below_0(x, alpha);
}

tp_tensor tp_selu(tp_tensor x)
{
    if (x.tape == NULL)
        return x;
    if (!tp__is_floating(x, "selu"))
        return tp__invalid_like(x);
    return tp_scale(exponential_below_0(x, 1.6732632423543772848), 1.0507009873554804934);
}

/* ---- sigmoid --------------------------------------------------------------------------------------- */

/* What sigmoid and softplus of the same number share. */
TP_MAP1(exp_minus_abs, TP__EXP_MINUS_ABS(x))
static const tp_op exp_minus_abs = {
    .name = "exp_minus_abs", .kind = TP_MAP, .arity = 1, TP_MAP_KERNELS(exp_minus_abs)};

TP_MAP1(sigmoid, TP_SIGMOID(x))
TP_FUSED2(sigmoid_of, TP__SIGMOID_OF(a, b))
static const tp_sharing sigmoid_sharing = {&exp_minus_abs, {sigmoid_of_f32_mixed, sigmoid_of_f64_mixed}};

static void sigmoid_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_mul(d->y, tp_sub(number(d->y, 1), d->y)));
}

static const tp_op sigmoid = {
    .name = "sigmoid",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sigmoid_vjp,
    .sharing = &sigmoid_sharing,
    TP_MAP_KERNELS(sigmoid),
};

tp_tensor tp_sigmoid(tp_tensor x)
{
    return tp_record(&sigmoid, &x, 1, NULL);
}

/* ---- softplus, log_sigmoid ------------------------------------------------------------------------- */

TP_MAP1(softplus, TP_SOFTPLUS(x))
TP_FUSED2(softplus_of, TP__SOFTPLUS_OF(a, b))
static const tp_sharing softplus_sharing = {&exp_minus_abs, {softplus_of_f32_mixed, softplus_of_f64_mixed}};

static void softplus_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sigmoid(d->x[0]));
}

static const tp_op softplus = {
    .name = "softplus",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = softplus_vjp,
    .sharing = &softplus_sharing,
    TP_MAP_KERNELS(softplus),
    .low = -30,
    .high = 30,
};

tp_tensor tp_softplus(tp_tensor x)
{
    return tp_record(&softplus, &x, 1, NULL);
}

tp_tensor tp_log_sigmoid(tp_tensor x)
{
    if (!tp__is_floating(x, "log_sigmoid"))
        return tp__invalid_like(x);
    return tp_neg(tp_softplus(tp_neg(x)));
}

/* ---- sigmoid_tail, softplus_tail ---------------------------------------------------------------------- */

/* What is left of sigmoid and softplus without the step and the ramp that they approach: with the same exponential. */
TP_MAP1(sigmoid_tail, (x < 0 ? TP__EXP_MINUS_ABS(x) : -TP__EXP_MINUS_ABS(x)) / (1 + TP__EXP_MINUS_ABS(x)))
TP_FUSED2(sigmoid_tail_of, (a < 0 ? b : -b) / (1 + b))
static const tp_sharing sigmoid_tail_sharing = {&exp_minus_abs,
                                                {sigmoid_tail_of_f32_mixed, sigmoid_tail_of_f64_mixed}};

/* sigmoid (1 - sigmoid), of which |y| is one factor and 1 - |y| the other. */
static void sigmoid_tail_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sub(tp_abs(d->y), tp_square(d->y)));
}

static const tp_op sigmoid_tail = {
    .name = "sigmoid_tail",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sigmoid_tail_vjp,
    .sharing = &sigmoid_tail_sharing,
    TP_MAP_KERNELS(sigmoid_tail),
    .low = -6,
    .high = -0.1, /* a jump at 0 */
};

tp_tensor tp_sigmoid_tail(tp_tensor x)
{
    return tp_record(&sigmoid_tail, &x, 1, NULL);
}

TP_MAP1(softplus_tail, TP_SOFTPLUS(-TP_ABS(x)))
TP_FUSED2(softplus_tail_of, TP__SOFTPLUS_OF(-TP_ABS(a), b))
static const tp_sharing softplus_tail_sharing = {&exp_minus_abs,
                                                 {softplus_tail_of_f32_mixed, softplus_tail_of_f64_mixed}};

static void softplus_tail_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sigmoid_tail(d->x[0]));
}

static const tp_op softplus_tail = {
    .name = "softplus_tail",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = softplus_tail_vjp,
    .sharing = &softplus_tail_sharing,
    TP_MAP_KERNELS(softplus_tail),
    .low = -30,
    .high = 30,
};

tp_tensor tp_softplus_tail(tp_tensor x)
{
    return tp_record(&softplus_tail, &x, 1, NULL);
}

/* ---- silu, mish, gelu ------------------------------------------------------------------------------- */

/* As products with a gate, which value and gradient share. */

tp_tensor tp_silu(tp_tensor x)
{
    return tp_mul(x, tp_sigmoid(x));
}

/* One exponential and one division, where tanh of softplus would take two each and a logarithm. */
TP_MAP1(mish_gate, TP_TANH_SOFTPLUS(x))

/* The chain rule through tanh and softplus. */
static void mish_gate_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_mul(tp__one_minus_square(d->y), tp_sigmoid(d->x[0])));
}

static const tp_op mish_gate = {
    .name = "mish_gate",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = mish_gate_vjp,
    TP_MAP_KERNELS(mish_gate),
    .low = -5,
    .high = 5,
};

tp_tensor tp_mish(tp_tensor x)
{
    return tp_mul(x, tp_record(&mish_gate, &x, 1, NULL));
}

tp_tensor tp_gelu(tp_tensor x)
{
    return tp_mul(x, tp_normal_cdf(x));
}

/* (1 + tanh u) / 2 = sigmoid(2 u), which keeps its digits far below 0. */
tp_tensor tp_gelu_tanh(tp_tensor x)
{
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
    if (x.tape == NULL)
        return x;
    if (!tp__is_floating(x, "gelu_tanh"))
        return tp__invalid_like(x);
    const tp_tensor inner = tp_add(tp_scale(tp_square(x), 2 * root * 0.044715), number(x, 2 * root));
    return tp_mul(x, tp_sigmoid(tp_mul(x, inner)));
}

const tp_op *const tp__activation_ops[] = {&relu,          &sigmoid,   &softplus, &sigmoid_tail,
                                           &softplus_tail, &mish_gate, NULL};
