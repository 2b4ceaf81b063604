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

static void sort_axis(fixture *f)
{
    RESULT(f, tp_argsort(f->a23, -3, true));
}

static void quantile_axis(fixture *f)
{
    RESULT(f, tp_median_over(f->a23, TP_AXES(1, 1), false));
}

static const error_row ordering_axes_rows[] = {
    {"axis to sort along", sort_axis, TP_BAD_SHAPE, {"argsort: axis -3 is out of range for f32[2,3]"}},
    {"axis of a median", quantile_axis, TP_BAD_SHAPE, {"median: axis 1 is named twice for f32[2,3]"}},
    {"axis of a running product",
     cumulative_axis,
     TP_BAD_SHAPE,
     {"cumprod: axis 2 is out of range for f32[2,3]"}},
};

/* ---- ordering.c ------------------------------------------------------------------------------------- */

static void sort_beyond_i32(fixture *f)
{
    const tp_tensor x = tp_full(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 31, 1), 1);
    RESULT(f, tp_sort(x, 0, false));
}

static void more_than_there_are(fixture *f)
{
    RESULT(f, tp_topk(f->a23, 4, -1, true));
}

static void less_than_none(fixture *f)
{
    RESULT(f, tp_argtopk(f->a23, -1, 0, false));
}

/* The op is anybody's, once a tensor was made by it. */
static void more_of_another(fixture *f)
{
    const tp_tensor two = tp_argtopk(f->a23, 2, 1, true),
                    one = tp_parameter(f->tape, TP_F32, TP_SHAPE(1), NULL);
    f->gives_tensor = true;
    f->result = tp_record(tp_op_of(two), &one, 1, tp_attr_of(two));
    f->file = one.file;
    f->line = one.line;
}

static const error_row ordering_rows[] = {
    {"sort beyond i32",
     sort_beyond_i32,
     TP_BAD_SHAPE,
     {"sort: the axis is longer than an i32 can count: f32[1,2147483648]"}},
    {"more than there are",
     more_than_there_are,
     TP_BAD_SHAPE,
     {"topk: k is 4, which axis 1 of f32[2,3] does not have"}},
    {"less than none",
     less_than_none,
     TP_BAD_SHAPE,
     {"argtopk: k is -1, which axis 0 of f32[2,3] does not have"}},
    {"more of another",
     more_of_another,
     TP_BAD_SHAPE,
     {"argtopk: k is not between 0 and the size of the axis: f32[1]"}},
};

#endif
