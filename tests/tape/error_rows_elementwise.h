/* error_rows_elementwise.h -- rows for src/ops/operands.c and special.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_ELEMENTWISE_H
#define TAPIR_TESTS_ERROR_ROWS_ELEMENTWISE_H

#include "error_rows.h"

/* ---- operands.c -------------------------------------------------------------------------------------- */

static void reciprocal_of_integers(fixture *f)
{
    RESULT(f, tp_reciprocal(f->i3));
}

static void log_sigmoid_of_integers(fixture *f)
{
    RESULT(f, tp_log_sigmoid(f->i23));
}

static void elu_of_integers(fixture *f)
{
    RESULT(f, tp_elu(f->i3, 1));
}

static void selu_of_integers(fixture *f)
{
    RESULT(f, tp_selu(f->i3));
}

static void leaky_relu_of_integers(fixture *f)
{
    RESULT(f, tp_leaky_relu(f->i3, 0.5));
}

static void gelu_tanh_of_integers(fixture *f)
{
    RESULT(f, tp_gelu_tanh(f->i3));
}

static void infinite_slope(fixture *f)
{
    RESULT(f, tp_leaky_relu(f->a23, HUGE_VAL));
}

static void alpha_of_nan(fixture *f)
{
    RESULT(f, tp_elu(f->a23, NAN));
}

static const error_row operands_rows[] = {
    {"reciprocal of integers",
     reciprocal_of_integers,
     TP_BAD_DTYPE,
     {"reciprocal: it takes f32 or f64, not i32[3]"}},
    {"log_sigmoid of integers",
     log_sigmoid_of_integers,
     TP_BAD_DTYPE,
     {"log_sigmoid: it takes f32 or f64, not i32[2,3]"}},
    {"elu of integers", elu_of_integers, TP_BAD_DTYPE, {"elu: it takes f32 or f64, not i32[3]"}},
    {"selu of integers", selu_of_integers, TP_BAD_DTYPE, {"selu: it takes f32 or f64, not i32[3]"}},
    {"leaky_relu of integers",
     leaky_relu_of_integers,
     TP_BAD_DTYPE,
     {"leaky_relu: it takes f32 or f64, not i32[3]"}},
    {"gelu_tanh of integers",
     gelu_tanh_of_integers,
     TP_BAD_DTYPE,
     {"gelu_tanh: it takes f32 or f64, not i32[3]"}},
    {"an infinite slope",
     infinite_slope,
     TP_BAD_ARGUMENT,
     {"leaky_relu: the slope must be finite, but is inf"}},
    {"NaN as alpha", alpha_of_nan, TP_BAD_ARGUMENT, {"elu: the alpha must be finite, but is nan"}},
};

/* ---- special.c --------------------------------------------------------------------------------------- */

static void polygamma_below_0(fixture *f)
{
    RESULT(f, tp_polygamma(f->a23, -1));
}

static void polygamma_beyond(fixture *f)
{
    RESULT(f, tp_polygamma(f->a23, TP_POLYGAMMA_ORDERS + 1));
}

static void derivative_of_the_last_polygamma(fixture *f)
{
    tp_tensor g;
    const tp_tensor y = tp_sum(tp_polygamma(f->a23, TP_POLYGAMMA_ORDERS));
    f->returned = tp_gradient(y, &f->a23, 1, &g);
    f->gives_status = true;
    PLACE(f);
    f->line -= 3; /* where the polygamma was recorded */
}

static const error_row special_rows[] = {
    {"polygamma of order -1",
     polygamma_below_0,
     TP_BAD_ARGUMENT,
     {"polygamma: the order must be 0 to 20, but is -1"}},
    {"polygamma of order 21",
     polygamma_beyond,
     TP_BAD_ARGUMENT,
     {"polygamma: the order must be 0 to 20, but is 21"}},
    {"derivative of the last polygamma",
     derivative_of_the_last_polygamma,
     TP_NO_DERIVATIVE,
     {"gradient: polygamma has no derivative beyond order 20"}},
};

#endif
