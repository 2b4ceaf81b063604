/* special.c -- erf erfc normal_pdf normal_cdf lgamma digamma polygamma.  Kernels are in tapir/scalar_special.h and
 * tapir/scalar_gamma.h. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar_gamma.h>
#include <tapir/scalar_special.h>

#include "lists.h"

static tp_tensor record1(const tp_op *op, tp_tensor x)
{
    return tp_record(op, &x, 1, NULL);
}

/* ---- e^(-x^2), the slope of erf but for a factor ------------------------------------------------------- */

TP_MAP1(exp_minus_square, TP_EXP_MINUS_SQUARE(x))

/* x y, but 0 where y is 0 because x is infinite. */
static tp_tensor moment(const tp_vjp *d)
{
    return tp_guard(d->y, tp_mul(d->x[0], d->y));
}

static void exp_minus_square_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_scale(d->g, -2), moment(d));
}

static const tp_op exp_minus_square = {
    .name = "exp_minus_square",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = exp_minus_square_vjp,
    TP_MAP_KERNELS(exp_minus_square),
};

/* ---- erf, erfc ------------------------------------------------------------------------------------- */

static const double two_by_root_pi = 1.12837916709551257390;

TP_MAP1(erf, TP_ERF(x))

static void erf_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_scale(d->g, two_by_root_pi), record1(&exp_minus_square, d->x[0]));
}

static const tp_op error_function = {
    .name = "erf",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = erf_vjp,
    TP_MAP_KERNELS(erf),
};

tp_tensor tp_erf(tp_tensor x)
{
    return record1(&error_function, x);
}

TP_MAP1(erfc, TP_ERFC(x))

static void erfc_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_scale(d->g, -two_by_root_pi), record1(&exp_minus_square, d->x[0]));
}

static const tp_op complementary_error_function = {
    .name = "erfc",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = erfc_vjp,
    TP_MAP_KERNELS(erfc),
};

tp_tensor tp_erfc(tp_tensor x)
{
    return record1(&complementary_error_function, x);
}

/* ---- The normal distribution ------------------------------------------------------------------------- */

TP_MAP1(normal_pdf, TP_NORMAL_PDF(x))

static void normal_pdf_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_neg(tp_mul(d->g, moment(d)));
}

static const tp_op normal_density = {
    .name = "normal_pdf",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = normal_pdf_vjp,
    TP_MAP_KERNELS(normal_pdf),
};

tp_tensor tp_normal_pdf(tp_tensor x)
{
    return record1(&normal_density, x);
}

TP_MAP1(normal_cdf, TP_NORMAL_CDF(x))

static void normal_cdf_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_normal_pdf(d->x[0]));
}

static const tp_op normal_distribution = {
    .name = "normal_cdf",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = normal_cdf_vjp,
    TP_MAP_KERNELS(normal_cdf),
};

tp_tensor tp_normal_cdf(tp_tensor x)
{
    return record1(&normal_distribution, x);
}

/* ---- lgamma, digamma, polygamma ----------------------------------------------------------------------- */

TP_MAP1(lgamma, TP_LGAMMA(x))

static void lgamma_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_digamma(d->x[0]));
}

static const tp_op log_gamma = {
    .name = "lgamma",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = lgamma_vjp,
    TP_MAP_KERNELS(lgamma),
    .low = 0.3,
    .high = 4,
};

tp_tensor tp_lgamma(tp_tensor x)
{
    return record1(&log_gamma, x);
}

TP_MAP1(digamma, TP_DIGAMMA(x))

static void digamma_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_polygamma(d->x[0], 1));
}

static const tp_op digamma = {
    .name = "digamma",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = digamma_vjp,
    TP_MAP_KERNELS(digamma),
    .low = 0.3,
    .high = 4,
};

tp_tensor tp_digamma(tp_tensor x)
{
    return record1(&digamma, x);
}

typedef struct polygamma_attr {
    int64_t order;
} polygamma_attr;

TP_MAP1(polygamma, TP_POLYGAMMA((int)((const polygamma_attr *)attr)->order, x))

static void polygamma_vjp(const tp_vjp *d)
{
    const int order = (int)((const polygamma_attr *)d->attr)->order;
    if (order == TP_POLYGAMMA_ORDERS)
        tp_fail(d->y, TP_NO_DERIVATIVE, "gradient: polygamma has no derivative beyond order %d",
                TP_POLYGAMMA_ORDERS);
    else
        d->dx[0] = tp_mul(d->g, tp_polygamma(d->x[0], order + 1));
}

static const tp_op polygamma = {
    .name = "polygamma",
    .kind = TP_MAP,
    .arity = 1,
    .attr_size = sizeof(polygamma_attr),
    .vjp = polygamma_vjp,
    TP_MAP_KERNELS(polygamma),
    .low = 0.3,
    .high = 4,
};

tp_tensor tp_polygamma(tp_tensor x, int order)
{
    if (order < 0 || order > TP_POLYGAMMA_ORDERS)
        return tp_fail(x, TP_BAD_ARGUMENT, "polygamma: the order must be 0 to %d, but is %d",
                       TP_POLYGAMMA_ORDERS, order);
    return order == 0 ? tp_digamma(x) : tp_record(&polygamma, &x, 1, &(polygamma_attr){order});
}

const tp_op *const tp__special_ops[] = {
    &exp_minus_square, &error_function,      &complementary_error_function,
    &normal_density,   &normal_distribution, &log_gamma,
    &digamma,          &polygamma,           NULL};
