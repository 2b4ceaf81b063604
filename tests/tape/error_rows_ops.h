/* error_rows_ops.h -- rows for src/ops, but for its views. */
#ifndef TAPIR_TESTS_ERROR_ROWS_OPS_H
#define TAPIR_TESTS_ERROR_ROWS_OPS_H

#include "error_rows.h"

/* ---- arithmetic.c, choice.c ------------------------------------------------------------------------- */

static void clamp_backwards(fixture *f)
{
    RESULT(f, tp_clamp(f->a23, 2, 1));
}

static void clamp_nan(fixture *f)
{
    RESULT(f, tp_clamp(f->a23, NAN, 1));
}

static const error_row arithmetic_rows[] = {
    {"bounds the wrong way round",
     clamp_backwards,
     TP_BAD_ARGUMENT,
     {"clamp: the bounds must be low <= high, but are 2 and 1"}},
    {"NaN as a bound",
     clamp_nan,
     TP_BAD_ARGUMENT,
     {"clamp: the bounds must be low <= high, but are nan and 1"}},
};

static void cast_to_weak(fixture *f)
{
    RESULT(f, tp_cast(f->a23, TP_WEAK));
}

static void cast_to_nothing(fixture *f)
{
    RESULT(f, tp_cast(f->a23, (tp_dtype)-1));
}

static const error_row choice_rows[] = {
    {"cast to weak", cast_to_weak, TP_BAD_DTYPE, {"cast: the dtype must be f32, f64 or i32"}},
    {"cast to no dtype", cast_to_nothing, TP_BAD_DTYPE, {"cast: the dtype must be f32, f64 or i32"}},
};

/* ---- axes.c, reductions.c, statistics.c -------------------------------------------------------------- */

static void nine_axes(fixture *f)
{
    RESULT(f, tp_sum_over(f->a23, (tp_axes){.n = 9}, false));
}

static void minus_one_axes(fixture *f)
{
    RESULT(f, tp_mean_over(f->a23, (tp_axes){.n = -1}, false));
}

static void axis_out_of_range(fixture *f)
{
    RESULT(f, tp_max_over(f->a23, TP_AXES(0, 2), true));
}

static void axis_below_range(fixture *f)
{
    RESULT(f, tp_softmax(f->a23, -3));
}

static void axis_of_a_number(fixture *f)
{
    RESULT(f, tp_sum_over(tp_scalar_of(f->tape, TP_F32, 1), TP_AXES(0), true));
}

static void axis_twice(fixture *f)
{
    RESULT(f, tp_prod_over(f->a23, TP_AXES(1, -1), false));
}

static void any_axis(fixture *f)
{
    RESULT(f, tp_any_over(f->a23, TP_AXES(0, 0), false));
}

static const error_row axes_rows[] = {
    {"axis twice, of any", any_axis, TP_BAD_SHAPE, {"any: axis 0 is named twice for f32[2,3]"}},
    {"nine axes", nine_axes, TP_BAD_SHAPE, {"sum: 9 axes were given; at most 8 are possible"}},
    {"-1 axes", minus_one_axes, TP_BAD_SHAPE, {"-1 axes were given; at most 8 are possible"}},
    {"axis out of range", axis_out_of_range, TP_BAD_SHAPE, {"max: axis 2 is out of range for f32[2,3]"}},
    {"axis below the range", axis_below_range, TP_BAD_SHAPE, {"axis -3 is out of range for f32[2,3]"}},
    {"axis of a number", axis_of_a_number, TP_BAD_SHAPE, {"sum: axis 0 is out of range for f32[]"}},
    {"axis twice", axis_twice, TP_BAD_SHAPE, {"prod: axis -1 is named twice for f32[2,3]"}},
};

static void largest_of_nothing(fixture *f)
{
    RESULT(f, tp_max_over(nothing(f), TP_AXES(1), false));
}

static void sum_to_unrelated(fixture *f)
{
    RESULT(f, tp_sum_to(f->a23, TP_SHAPE(3, 3)));
}

static void sum_to_rank_nine(fixture *f)
{
    RESULT(f, tp_sum_to(f->a23, (tp_shape){.rank = 9}));
}

static const error_row reduction_rows[] = {
    {"largest of nothing",
     largest_of_nothing,
     TP_BAD_SHAPE,
     {"max: there is no largest or smallest of no elements: f32[2,0]"}},
    {"sum to an unrelated shape",
     sum_to_unrelated,
     TP_BAD_SHAPE,
     {"sum_to: f32[2,3] does not come from broadcasting f32[3,3]"}},
    {"sum to rank 9",
     sum_to_rank_nine,
     TP_BAD_SHAPE,
     {"sum_to: f32[2,3] does not come from broadcasting f32[0,0"}},
};

static void mean_of_nothing(fixture *f)
{
    RESULT(f, tp_mean(nothing(f)));
}

static void mean_of_integers(fixture *f)
{
    RESULT(f, tp_mean(f->i3));
}

static void softmax_of_integers(fixture *f)
{
    RESULT(f, tp_softmax(f->i23, 1));
}

static void norm_of_integers(fixture *f)
{
    RESULT(f, tp_norm(f->i3));
}

static void correction_two(fixture *f)
{
    RESULT(f, tp_var(f->a23, 2));
}

static void variance_of_one(fixture *f)
{
    const tp_tensor one = tp_parameter(f->tape, TP_F32, TP_SHAPE(1), NULL);
    RESULT(f, tp_var(one, 1));
}

static void deviation_of_one(fixture *f)
{
    RESULT(f, tp_std_over(f->a23, (tp_axes){.n = 0}, 1, true));
}

static void norm_of_order_three(fixture *f)
{
    RESULT(f, tp_vector_norm(f->a23, 3));
}

static void norm_of_no_order(fixture *f)
{
    RESULT(f, tp_vector_norm_over(f->a23, TP_AXES(1), NAN, false));
}

static void statistic_axis(fixture *f)
{
    RESULT(f, tp_std_over(f->a23, TP_AXES(2), 0, false));
}

static void quantile_beyond_one(fixture *f)
{
    RESULT(f, tp_quantile(f->a23, 1.5));
}

static void median_of_integers(fixture *f)
{
    RESULT(f, tp_median(f->i3));
}

static const error_row statistics_rows[] = {
    {"quantile beyond 1",
     quantile_beyond_one,
     TP_BAD_ARGUMENT,
     {"quantile: q must be between 0 and 1, but is 1.5"}},
    {"median of integers", median_of_integers, TP_BAD_DTYPE, {"median: it needs f32 or f64, not i32[3]"}},
    {"mean of nothing", mean_of_nothing, TP_BAD_SHAPE, {"mean: there is none of no elements: f32[2,0]"}},
    {"mean of integers", mean_of_integers, TP_BAD_DTYPE, {"mean: it needs f32 or f64, not i32[3]"}},
    {"softmax of integers",
     softmax_of_integers,
     TP_BAD_DTYPE,
     {"softmax: it needs f32 or f64, not i32[2,3]"}},
    {"norm of integers", norm_of_integers, TP_BAD_DTYPE, {"norm: it needs f32 or f64, not i32[3]"}},
    {"correction 2", correction_two, TP_BAD_ARGUMENT, {"var: the correction must be 0 or 1, but is 2"}},
    {"deviation of one", deviation_of_one, TP_BAD_SHAPE, {"std: 1 element(s) are too few for correction 1"}},
    {"norm of order 3",
     norm_of_order_three,
     TP_BAD_ARGUMENT,
     {"vector_norm: the order must be 1, 2 or infinity, but is 3"}},
    {"norm of order NaN",
     norm_of_no_order,
     TP_BAD_ARGUMENT,
     {"vector_norm: the order must be 1, 2 or infinity, but is nan"}},
    {"axis of a statistic", statistic_axis, TP_BAD_SHAPE, {"std: axis 2 is out of range for f32[2,3]"}},
    {"variance of one", variance_of_one, TP_BAD_SHAPE, {"var: 1 element(s) are too few for correction 1"}},
};

/* ---- control.c -------------------------------------------------------------------------------------- */

static void assign_dtype(fixture *f)
{
    RESULT(f, tp_assign(f->a23, f->d23));
}

static void assign_shape(fixture *f)
{
    RESULT(f, tp_assign(f->a4, f->a23));
}

static void assign_larger_shape(fixture *f)
{
    RESULT(f, tp_assign(f->a4, tp_full(f->tape, TP_F32, TP_SHAPE(2, 4), 1)));
}

static void index_dtype(fixture *f)
{
    RESULT(f, tp_check_index(f->a4, 3, false, 0));
}

static void index_count(fixture *f)
{
    RESULT(f, tp_check_index(f->i3, -1, false, 0));
}

static void label_too_large(fixture *f)
{
    const tp_tensor checked = (PLACE(f), tp_check_index(f->i3, 5, true, -1));
    compile(f, checked);
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static const error_row control_rows[] = {
    {"assign another dtype",
     assign_dtype,
     TP_BAD_DTYPE,
     {"assign: the value's dtype differs from the leaf's (convert with tp_cast): f32[2,3], f64[2,3]"}},
    {"assign another shape",
     assign_shape,
     TP_BAD_SHAPE,
     {"assign: the value does not broadcast to the leaf's shape: f32[4], f32[2,3]"}},
    {"assign a larger shape",
     assign_larger_shape,
     TP_BAD_SHAPE,
     {"assign: the value does not broadcast to the leaf's shape: f32[4], f32[2,4]"}},
    {"indices of f32", index_dtype, TP_BAD_DTYPE, {"check_index: indices must be i32: f32[4]"}},
    {"negative count of indices", index_count, TP_BAD_ARGUMENT, {"check_index: the count is negative: -1"}},
};

static const error_row control_use_rows[] = {
    {"label too large",
     label_too_large,
     TP_BAD_VALUE,
     {"check_index: the index 5 (element 1) is outside [0, 5)"}},
};

/* ---- matmul.c --------------------------------------------------------------------------------------- */

static void multiply_dtypes(fixture *f)
{
    RESULT(f, tp_matmul(f->a32, f->d23));
}

static void multiply_integers(fixture *f)
{
    RESULT(f, tp_matmul(f->i23, f->i3));
}

static void multiply_vectors(fixture *f)
{
    RESULT(f, tp_matmul(f->a4, f->constant));
}

static void multiply_numbers(fixture *f)
{
    RESULT(f, tp_matmul(f->a23, tp_scalar_of(f->tape, TP_F32, 1)));
}

static void multiply_inner(fixture *f)
{
    RESULT(f, tp_matmul(f->a23, f->a23));
}

static void multiply_batches(fixture *f)
{
    const tp_tensor a = tp_full(f->tape, TP_F32, TP_SHAPE(2, 2, 2), 1);
    RESULT(f, tp_matmul(a, tp_full(f->tape, TP_F32, TP_SHAPE(3, 2, 2), 1)));
}

static void multiply_huge(fixture *f)
{
    const tp_tensor a = tp_full(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 31, 2), 1);
    RESULT(f, tp_matmul(a, tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1)));
}

static const error_row matmul_rows[] = {
    {"product of two dtypes",
     multiply_dtypes,
     TP_BAD_DTYPE,
     {"matmul: the operands' dtypes differ (convert with tp_cast): f32[3,2], f64[2,3]"}},
    {"product of integers",
     multiply_integers,
     TP_BAD_DTYPE,
     {"matmul: it needs f32 or f64: i32[2,3], i32[3,1]"}},
    {"product of unlike vectors",
     multiply_vectors,
     TP_BAD_SHAPE,
     {"matmul: the inner dimensions differ: f32[4], f32[3]"}},
    {"product with a number",
     multiply_numbers,
     TP_BAD_SHAPE,
     {"matmul: the operands must have at least one axis: f32[2,3], f32[]"}},
    {"product of unlike matrices",
     multiply_inner,
     TP_BAD_SHAPE,
     {"matmul: the inner dimensions differ: f32[2,3], f32[2,3]"}},
    {"product of unlike batches",
     multiply_batches,
     TP_BAD_SHAPE,
     {"matmul: the leading axes do not broadcast: f32[2,2,2], f32[3,2,2]"}},
    {"product too large",
     multiply_huge,
     TP_BAD_SHAPE,
     {"matmul: a matrix is larger than the BLAS can count"}},
};

#endif
