/* error_rows_indexing.h -- rows for src/ops/indexing.c and sums.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_INDEXING_H
#define TAPIR_TESTS_ERROR_ROWS_INDEXING_H

#include "error_rows.h"

/* i32 of a shape of at most 8 elements, all `value`. */
static tp_tensor indices(fixture *f, tp_shape shape, int32_t value)
{
    const int32_t values[8] = {value, value, value, value, value, value, value, value};
    return tp_constant(f->tape, TP_I32, shape, values);
}

/* ---- take_along_axis, index_select ------------------------------------------------------------------- */

static void take_by_floats(fixture *f)
{
    RESULT(f, tp_take_along_axis(f->a23, f->a23, 1));
}

static void take_by_a_number(fixture *f)
{
    RESULT(f, tp_index_select(f->a23, f->number, 1));
}

static void take_axis(fixture *f)
{
    RESULT(f, tp_take_along_axis(f->a23, f->i23, 2));
}

static void take_rank(fixture *f)
{
    RESULT(f, tp_take_along_axis(f->a23, f->i3, 1));
}

static void take_sizes(fixture *f)
{
    RESULT(f, tp_take_along_axis(f->a32, f->i23, 1));
}

static void take_from_nothing(fixture *f)
{
    RESULT(f, tp_take_along_axis(nothing(f), f->i23, 1));
}

static void select_axis(fixture *f)
{
    RESULT(f, tp_index_select(f->a23, f->i3, -3));
}

static void select_of_a_number(fixture *f)
{
    RESULT(f, tp_index_select(tp_scalar_of(f->tape, TP_F32, 1), f->i3, 0));
}

static void select_too_many_axes(fixture *f)
{
    const tp_tensor index = indices(f, TP_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), 0);
    RESULT(f, tp_index_select(f->a23, index, 0));
}

static void select_from_nothing(fixture *f)
{
    RESULT(f, tp_index_select(nothing(f), f->i3, 1));
}

/* ---- scatter_add, index_add --------------------------------------------------------------------------- */

static void scatter_by_floats(fixture *f)
{
    RESULT(f, tp_scatter_add(f->a23, f->a23, f->a23, 0));
}

static void scatter_axis(fixture *f)
{
    RESULT(f, tp_scatter_add(f->a23, f->i23, f->a23, -3));
}

static void scatter_axis_by_hand(fixture *f)
{
    const tp_tensor sums = tp_scatter_add(tp_full(f->tape, TP_F32, TP_SHAPE(2, 3), 0), f->i23, f->a23, 0);
    const int64_t attr[] = {2, 3};
    RESULT(f, tp_record(tp_op_of(sums), (tp_tensor[]){TP_HERE(f->a23), f->i23}, 2, attr));
}

static void scatter_shapes(fixture *f)
{
    RESULT(f, tp_scatter_add(f->a23, f->i3, f->a23, 0));
}

static void scatter_into_nothing(fixture *f)
{
    RESULT(f, tp_scatter_add(nothing(f), f->i23, f->a23, 1));
}

static void scatter_into_another_shape(fixture *f)
{
    RESULT(f, tp_scatter_add(tp_full(f->tape, TP_F32, TP_SHAPE(1, 3), 1), f->i23, f->a23, 1));
}

static void scatter_into_another_dtype(fixture *f)
{
    RESULT(f, tp_scatter_add(f->d23, f->i23, f->a23, 1));
}

static void index_add_few_axes(fixture *f)
{
    RESULT(f, tp_index_add(f->a23, f->i23, f->a4, 1));
}

static void index_add_shape(fixture *f)
{
    RESULT(f, tp_index_add(f->a23, f->i3, f->a4, 0));
}

static void index_add_into_nothing(fixture *f)
{
    RESULT(f, tp_index_add(nothing(f), f->i3, f->a23, 1));
}

static const error_row indexing_rows[] = {
    {"index of f32",
     take_by_floats,
     TP_BAD_DTYPE,
     {"take_along_axis: indices must be i32: f32[2,3], f32[2,3]"}},
    {"index that is weak",
     take_by_a_number,
     TP_BAD_DTYPE,
     {"index_select: indices must be i32: f32[2,3], f32[]"}},
    {"take along no axis",
     take_axis,
     TP_BAD_SHAPE,
     {"take_along_axis: the axis is out of range: f32[2,3], i32[2,3]"}},
    {"take by another rank",
     take_rank,
     TP_BAD_SHAPE,
     {"take_along_axis: the index must have the tensor's sizes but for the axis: f32[2,3], i32[3]"}},
    {"take by other sizes",
     take_sizes,
     TP_BAD_SHAPE,
     {"take_along_axis: the index must have the tensor's sizes but for the axis: f32[3,2], i32[2,3]"}},
    {"take from nothing",
     take_from_nothing,
     TP_BAD_SHAPE,
     {"take_along_axis: there is nothing to pick from: f32[2,0], i32[2,3]"}},
    {"select along no axis",
     select_axis,
     TP_BAD_SHAPE,
     {"index_select: the axis is out of range: f32[2,3], i32[3]"}},
    {"select from a number",
     select_of_a_number,
     TP_BAD_SHAPE,
     {"index_select: the axis is out of range: f32[]"}},
    {"select with nine axes",
     select_too_many_axes,
     TP_BAD_SHAPE,
     {"index_select: the result would have more than 8 axes: f32[2,3], i32[1,1,1,1,1,1,1,1]"}},
    {"select from nothing",
     select_from_nothing,
     TP_BAD_SHAPE,
     {"index_select: there is nothing to pick from: f32[2,0], i32[3]"}},
    {"scatter by f32",
     scatter_by_floats,
     TP_BAD_DTYPE,
     {"scatter_add: indices must be i32: f32[2,3], f32[2,3]"}},
    {"scatter along no axis",
     scatter_axis,
     TP_BAD_SHAPE,
     {"scatter_add: axis -3 is out of range for f32[2,3]"}},
    {"scatter along no axis by hand",
     scatter_axis_by_hand,
     TP_BAD_SHAPE,
     {"scatter_add: the axis is out of range: f32[2,3], i32[2,3]"}},
    {"scatter another shape",
     scatter_shapes,
     TP_BAD_SHAPE,
     {"scatter_add: the index must have the source's shape: f32[2,3], i32[3]"}},
    {"scatter into nothing",
     scatter_into_nothing,
     TP_BAD_SHAPE,
     {"scatter_add: there is nothing to add to: f32[2,3], i32[2,3]"}},
    {"scatter into another shape",
     scatter_into_another_shape,
     TP_BAD_SHAPE,
     {"scatter_add: the source gives sums of f32[2,3], but the tensor is f32[1,3]"}},
    {"scatter into another dtype",
     scatter_into_another_dtype,
     TP_BAD_DTYPE,
     {"scatter_add: the source gives sums of f32[2,3], but the tensor is f64[2,3]"}},
    {"add slices of too few axes",
     index_add_few_axes,
     TP_BAD_SHAPE,
     {"index_add: the source has too few axes: f32[4], i32[2,3]"}},
    {"add slices of another shape",
     index_add_shape,
     TP_BAD_SHAPE,
     {"index_add: the source does not have the index's shape in the axis's place: f32[4], i32[3]"}},
    {"add slices to nothing",
     index_add_into_nothing,
     TP_BAD_SHAPE,
     {"index_add: there is nothing to add to: f32[2,3], i32[3]"}},
};

/* ---- While running ------------------------------------------------------------------------------------ */

static void run_with(fixture *f, tp_tensor y)
{
    compile(f, y);
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static void index_too_large(fixture *f)
{
    const tp_tensor wide = tp_parameter(f->tape, TP_F32, TP_SHAPE(2, 3), NULL);
    run_with(f, (PLACE(f), tp_index_select(wide, f->i3, 1)));
}

static void index_negative(fixture *f)
{
    const tp_tensor wide = tp_parameter(f->tape, TP_F32, TP_SHAPE(6), NULL);
    run_with(f, (PLACE(f), tp_take_along_axis(wide, f->i3, 0)));
}

static void index_of_a_sum(fixture *f)
{
    const tp_tensor index = indices(f, TP_SHAPE(2, 2), 3), one = tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1);
    run_with(f, (PLACE(f), tp_scatter_add(f->a23, index, one, 1)));
}

static void label_beyond_the_classes(fixture *f)
{
    run_with(f, (PLACE(f), tp_one_hot(f->i3, 5, TP_F32)));
}

static void word_beyond_the_table(fixture *f)
{
    run_with(f, (PLACE(f), tp_embedding(f->a23, f->i3, NULL)));
}

static void scattered_sum_too_large(fixture *f)
{
    const tp_tensor zero = tp_full(f->tape, TP_I32, TP_SHAPE(2, 1), 0);
    run_with(f, (PLACE(f), tp_scatter_add(zero, indices(f, TP_SHAPE(2, 3), 0), f->i23, 1)));
}

static const error_row indexing_use_rows[] = {
    {"label beyond the classes",
     label_beyond_the_classes,
     TP_BAD_VALUE,
     {"one_hot: check_index: the index 5 (element 1) is outside [0, 5)"}},
    {"word beyond the table",
     word_beyond_the_table,
     TP_BAD_VALUE,
     {"embedding: index_select: the index 5 (element 1) is outside [0, 2)"}},
    {"index too large",
     index_too_large,
     TP_BAD_VALUE,
     {"index_select: the index 5 (element 1) is outside [0, 3)"}},
    {"index below 0",
     index_negative,
     TP_BAD_VALUE,
     {"take_along_axis: the index -1 (element 2) is outside [0, 6)"}},
    {"index of a sum too large",
     index_of_a_sum,
     TP_BAD_VALUE,
     {"scatter_add: the index 3 (element 0) is outside [0, 3)"}},
};

static const error_row sums_use_rows[] = {
    {"sum beyond i32",
     scattered_sum_too_large,
     TP_BAD_VALUE,
     {"scatter_add: the sum 6442450941 does not fit i32 (element 0)"}},
};

#endif
