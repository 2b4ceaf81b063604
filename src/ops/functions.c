/* functions.c -- sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p.  Kernels are in tapir/scalar.h and
 * tapir/scalar_exponential.h. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>

#include "lists.h"
#include "operands.h"

static const double ln_2 = 0.69314718055994530942, ln_10 = 2.30258509299404568402;

static tp_tensor number(const tp_vjp *d, double value)
{
    return tp_scalar(d->y.tape, value);
}

/* ---- sqrt, rsqrt, reciprocal ------------------------------------------------------------------------ */

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

TP_MAP1(rsqrt, 1 / TP_SQRT(x))

/* -y / (2 x), where the y^3 of the textbook would overflow sooner. */
static void rsqrt_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_div(tp_scale(d->y, -0.5), d->x[0]));
}

static const tp_op reciprocal_root = {
    .name = "rsqrt",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = rsqrt_vjp,
    TP_MAP_KERNELS(rsqrt),
    .low = 0.05,
    .high = 4,
};

tp_tensor tp_rsqrt(tp_tensor x)
{
    return tp_record(&reciprocal_root, &x, 1, NULL);
}

tp_tensor tp_reciprocal(tp_tensor x)
{
    if (x.tape == NULL)
        return x;
    if (!tp__is_floating(x, "reciprocal"))
        return tp__invalid_like(x);
    return tp_div(tp_locate(tp_scalar(x.tape, 1), x.file, x.line), x);
}

/* ---- exp, exp2, expm1 ------------------------------------------------------------------------------ */

TP_MAP1(exp, TP_EXP(x))

static void exp_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->y);
}

TP_FUSED2(exp_of_sub, TP_EXP(a - b))
static const tp_fusion exp_fusion[] = {
    {&tp__sub, 0, NULL, 0, TP_FUSED_KERNELS(exp_of_sub)},
    {.inner = NULL},
};

static const tp_op exponential = {
    .name = "exp",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = exp_vjp,
    .fusion = exp_fusion,
    TP_MAP_KERNELS(exp),
};

tp_tensor tp_exp(tp_tensor x)
{
    return tp_record(&exponential, &x, 1, NULL);
}

TP_MAP1(exp2, TP_EXP2(x))

static void exp2_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->y, ln_2));
}

static const tp_op exponential_base_2 = {
    .name = "exp2",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = exp2_vjp,
    TP_MAP_KERNELS(exp2),
};

tp_tensor tp_exp2(tp_tensor x)
{
    return tp_record(&exponential_base_2, &x, 1, NULL);
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

/* ---- log, log2, log10, log1p ------------------------------------------------------------------------ */

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

TP_MAP1(log2, TP_LOG2(x))

static void log2_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(tp_scale(d->g, 1 / ln_2), d->x[0]);
}

static const tp_op logarithm_base_2 = {
    .name = "log2",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = log2_vjp,
    TP_MAP_KERNELS(log2),
    .low = 0.05,
    .high = 4,
};

tp_tensor tp_log2(tp_tensor x)
{
    return tp_record(&logarithm_base_2, &x, 1, NULL);
}

TP_MAP1(log10, TP_LOG10(x))

static void log10_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(tp_scale(d->g, 1 / ln_10), d->x[0]);
}

static const tp_op logarithm_base_10 = {
    .name = "log10",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = log10_vjp,
    TP_MAP_KERNELS(log10),
    .low = 0.05,
    .high = 4,
};

tp_tensor tp_log10(tp_tensor x)
{
    return tp_record(&logarithm_base_10, &x, 1, NULL);
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

const tp_op *const tp__function_ops[] = {
    &square_root, &reciprocal_root,  &exponential,       &exponential_base_2, &exponential_minus_1,
    &logarithm,   &logarithm_base_2, &logarithm_base_10, &logarithm_1_plus,   NULL};
