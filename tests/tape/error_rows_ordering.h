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

#endif
