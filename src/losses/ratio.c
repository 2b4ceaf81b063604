/* ratio.c -- losses of ratios, logarithms and angles: mape msle cosine_loss. */
#include <math.h>

#include "common.h"

/* ---- mape -------------------------------------------------------------------------------------------- */

typedef struct mape_parameters {
    double epsilon, scale;
} mape_parameters;

static tp_tensor percentage(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const mape_parameters *p = parameters;

    if (!(p->epsilon > 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must be positive, not %g", p->epsilon);
    const tp_tensor size = tp_clamp(tp_abs(target), p->epsilon, HUGE_VAL);
    return tp_scale(tp_div(tp_abs(tp_sub(prediction, target)), size), p->scale);
}

tp_tensor tp_mape(tp_tensor prediction, tp_tensor target, const tp_mape_options *options)
{
    static const tp__elementwise mape = {"mape", "prediction", false, percentage};
    const tp_mape_options o = options != NULL ? *options : (tp_mape_options){0};
    return tp__elementwise_loss(
        &mape, prediction, target, &(tp_loss_options){o.reduction, o.weight, o.broadcast},
        &(mape_parameters){tp__loss_default(o.epsilon, 1e-7), tp__loss_default(o.scale, 100)});
}

/* ---- msle -------------------------------------------------------------------------------------------- */

static tp_tensor squared_logarithmic(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const double epsilon = *(const double *)parameters;

    if (!(epsilon > -1))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must be above -1, not %g", epsilon);
    const tp_tensor p = tp_log1p(tp_clamp(prediction, epsilon, HUGE_VAL));
    return tp_square(tp_sub(p, tp_log1p(tp_clamp(target, epsilon, HUGE_VAL))));
}

tp_tensor tp_msle(tp_tensor prediction, tp_tensor target, const tp_msle_options *options)
{
    static const tp__elementwise msle = {"msle", "prediction", false, squared_logarithmic};
    const tp_msle_options o = options != NULL ? *options : (tp_msle_options){0};
    const double epsilon = tp__loss_default(o.epsilon, 1e-7);
    return tp__elementwise_loss(&msle, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast}, &epsilon);
}

/* ---- cosine_loss ------------------------------------------------------------------------------------- */

typedef struct cosine_parameters {
    tp_optional_int axis;
    double epsilon;
} cosine_parameters;

/* max(|x|, epsilon), by the square: so it is smooth at the zero vector, and its slope below epsilon is x / epsilon. */
static tp_tensor length(tp_tensor x, tp_axes axes, double epsilon)
{
    return tp_sqrt(tp__loss_floor(tp_sum_over(tp_square(x), axes, false), epsilon * epsilon));
}

static tp_tensor one_minus_cosine(tp_tensor prediction, tp_tensor target, const void *parameters)
{
    const cosine_parameters *p = parameters;
    const tp_tensor product = tp_mul(prediction, target);
    const tp_shape shape = tp_shape_of(product), own = tp_shape_of(prediction);
    const int axis = tp_normal_axis(p->axis.given ? p->axis.value : -1, shape.rank);
    char text[TP_TEXT_SIZE];

    if (axis < 0)
        return tp_fail(prediction, TP_BAD_SHAPE, "axis %d is out of range for the prediction %s",
                       p->axis.given ? (int)p->axis.value : -1,
                       tp_describe(tp_dtype_of(prediction), &own, text));
    if (!(p->epsilon > 0))
        return tp_fail(prediction, TP_BAD_ARGUMENT, "epsilon must be positive, not %g", p->epsilon);
    const tp_axes axes = TP_AXES(axis);
    /* Both as wide as their product: a vector that was broadcast along its own axis is longer than it looks. */
    const tp_tensor a = length(tp_expand(prediction, shape), axes, p->epsilon);
    const tp_tensor b = length(tp_expand(target, shape), axes, p->epsilon);
    return tp__loss_minus(1, tp_div(tp_sum_over(product, axes, false), tp_mul(a, b)));
}

tp_tensor tp_cosine_loss(tp_tensor prediction, tp_tensor target, const tp_cosine_options *options)
{
    static const tp__elementwise cosine = {"cosine_loss", "prediction", false, one_minus_cosine};
    const tp_cosine_options o = options != NULL ? *options : (tp_cosine_options){0};
    return tp__elementwise_loss(&cosine, prediction, target,
                                &(tp_loss_options){o.reduction, o.weight, o.broadcast},
                                &(cosine_parameters){o.axis, tp__loss_default(o.epsilon, 1e-8)});
}
