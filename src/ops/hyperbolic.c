/* hyperbolic.c -- sinh cosh tanh asinh acosh atanh, and 1 - x^2 for their derivatives.  Kernels are in tapir/scalar_exponential.h; that of tanh is in
 * tapir/scalar.h. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>
#include <tapir/scalar_exponential.h>

#include "lists.h"
#include "operands.h"

static tp_tensor number(const tp_vjp *d, double value)
{
    return tp_scalar(d->y.tape, value);
}

/* ---- 1 - x^2 --------------------------------------------------------------------------------------- */

TP_MAP1(one_minus_square, (1 - x) * (1 + x))

static void one_minus_square_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_scale(d->g, -2), d->x[0]);
}

static const tp_op one_minus_square = {
    .name = "one_minus_square",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = one_minus_square_vjp,
    TP_MAP_KERNELS(one_minus_square),
};

tp_tensor tp__one_minus_square(tp_tensor x)
{
    return tp_record(&one_minus_square, &x, 1, NULL);
}

/* ---- sinh, cosh, tanh ------------------------------------------------------------------------------ */

TP_MAP1(sinh, TP_SINH(x))

static void sinh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_cosh(d->x[0]));
}

static const tp_op hyperbolic_sine = {
    .name = "sinh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sinh_vjp,
    TP_MAP_KERNELS(sinh),
};

tp_tensor tp_sinh(tp_tensor x)
{
    return tp_record(&hyperbolic_sine, &x, 1, NULL);
}

TP_MAP1(cosh, TP_COSH(x))

static void cosh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sinh(d->x[0]));
}

static const tp_op hyperbolic_cosine = {
    .name = "cosh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = cosh_vjp,
    TP_MAP_KERNELS(cosh),
};

tp_tensor tp_cosh(tp_tensor x)
{
    return tp_record(&hyperbolic_cosine, &x, 1, NULL);
}

TP_MAP1(tanh, TP_TANH(x))

static void tanh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp__one_minus_square(d->y));
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

/* ---- asinh, acosh, atanh --------------------------------------------------------------------------- */

TP_MAP1(asinh, TP_ASINH(x))

/* sqrt(1 + x^2), whose square may overflow, as a hypotenuse. */
static void asinh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, tp_hypot(d->x[0], number(d, 1)));
}

static const tp_op area_sine = {
    .name = "asinh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = asinh_vjp,
    TP_MAP_KERNELS(asinh),
};

tp_tensor tp_asinh(tp_tensor x)
{
    return tp_record(&area_sine, &x, 1, NULL);
}

TP_MAP1(acosh, TP_ACOSH(x))

/* sqrt(x^2 - 1) in two factors: accurate near 1, without overflow, and NaN below -1 too. */
static void acosh_vjp(const tp_vjp *d)
{
    const tp_tensor one = number(d, 1);
    const tp_tensor below = tp_sqrt(tp_sub(d->x[0], one)), above = tp_sqrt(tp_add(d->x[0], one));
    d->dx[0] = tp_div(d->g, tp_mul(below, above));
}

static const tp_op area_cosine = {
    .name = "acosh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = acosh_vjp,
    TP_MAP_KERNELS(acosh),
    .low = 1.1,
    .high = 4,
};

tp_tensor tp_acosh(tp_tensor x)
{
    return tp_record(&area_cosine, &x, 1, NULL);
}

TP_MAP1(atanh, TP_ATANH(x))

static void atanh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, tp__one_minus_square(d->x[0]));
}

static const tp_op area_tangent = {
    .name = "atanh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = atanh_vjp,
    TP_MAP_KERNELS(atanh),
    .low = -0.9,
    .high = 0.9,
};

tp_tensor tp_atanh(tp_tensor x)
{
    return tp_record(&area_tangent, &x, 1, NULL);
}

const tp_op *const tp__hyperbolic_ops[] = {
    &hyperbolic_sine, &hyperbolic_cosine, &hyperbolic_tangent, &area_sine, &area_cosine, &area_tangent, NULL};
