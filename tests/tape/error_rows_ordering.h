/* error_rows_ordering.h -- rows for what compares elements with each other. */
#ifndef TAPIR_TESTS_ERROR_ROWS_ORDERING_H
#define TAPIR_TESTS_ERROR_ROWS_ORDERING_H

#include "error_rows.h"

/* ---- argmax.c --------------------------------------------------------------------------------------- */

static void position_in_nothing(fixture *f)
{
    RESULT(f, tp_argmin_over(nothing(f), TP_AXES(-1), false));
}

static void position_beyond_i32(fixture *f)
{
    RESULT(f, tp_argmax(tp_full(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 31), 1)));
}

static const error_row argmax_rows[] = {
    {"position in nothing",
     position_in_nothing,
     TP_BAD_SHAPE,
     {"argmin: there is no largest or smallest of no elements: f32[2,0]"}},
    {"position beyond i32",
     position_beyond_i32,
     TP_BAD_SHAPE,
     {"argmax: there are more elements than an i32 can count: f32[2147483648]"}},
};

/* ---- cumulative.c ----------------------------------------------------------------------------------- */

static void sums_too_large(fixture *f)
{
    const tp_tensor y = (PLACE(f), tp_cumsum(f->i23, 1));
    compile(f, y);
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static const error_row cumulative_use_rows[] = {
    {"sums too large", sums_too_large, TP_BAD_VALUE, {"cumsum: a result does not fit i32 (element 1)"}},
};

static void cumulative_axis(fixture *f)
{
    RESULT(f, tp_cumprod(f->a23, 2));
}

static const error_row ordering_axes_rows[] = {
    {"axis of a running product",
     cumulative_axis,
     TP_BAD_SHAPE,
     {"cumprod: axis 2 is out of range for f32[2,3]"}},
};

#endif
