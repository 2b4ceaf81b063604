/* error_rows_views.h -- rows for src/ops/shape.c, slice.c and source.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_VIEWS_H
#define TAPIR_TESTS_ERROR_ROWS_VIEWS_H

#include "error_rows.h"

/* ---- shape.c ---------------------------------------------------------------------------------------- */

static void reshape_rank(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, (tp_shape){.rank = 9}));
}

static void reshape_negative(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, TP_SHAPE(-2, -3)));
}

static void reshape_two_open(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, TP_SHAPE(-1, -1)));
}

static void reshape_open_uneven(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, TP_SHAPE(4, -1)));
}

static void reshape_open_beside_zero(fixture *f)
{
    RESULT(f, tp_reshape(nothing(f), TP_SHAPE(0, -1)));
}

static void reshape_count(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, TP_SHAPE(4, 2)));
}

static void reshape_count_of_nothing(fixture *f)
{
    RESULT(f, tp_reshape(nothing(f), TP_SHAPE(3, 5)));
}

static void reshape_overflow(fixture *f)
{
    RESULT(f, tp_reshape(f->a23, TP_SHAPE(6, INT64_MAX, 3)));
}

static void reshape_by_hand(fixture *f)
{
    const tp_op *reshape = tp_op_of(tp_reshape(f->a4, TP_SHAPE(2, 2)));
    RESULT(f, tp_record(reshape, (tp_tensor[]){TP_HERE(f->a23)}, 1, &TP_SHAPE(7)));
}

static void permute_count(fixture *f)
{
    RESULT(f, tp_permute(f->a23, TP_AXES(0)));
}

static void permute_range(fixture *f)
{
    RESULT(f, tp_permute(f->a23, TP_AXES(0, 2)));
}

static void permute_twice(fixture *f)
{
    RESULT(f, tp_permute(f->a23, TP_AXES(1, -1)));
}

static void transpose_range(fixture *f)
{
    RESULT(f, tp_transpose(f->a23, 0, -3));
}

static void expand_rank(fixture *f)
{
    RESULT(f, tp_expand(f->a23, (tp_shape){.rank = -1}));
}

static void expand_shape(fixture *f)
{
    RESULT(f, tp_expand(f->a23, TP_SHAPE(2, 6)));
}

static void expand_negative(fixture *f)
{
    RESULT(f, tp_full(f->tape, TP_F32, TP_SHAPE(2, -1), 0));
}

static void expand_by_hand(fixture *f)
{
    const tp_op *expand = tp_op_of(tp_expand(f->a4, TP_SHAPE(2, 4)));
    RESULT(f, tp_record(expand, (tp_tensor[]){TP_HERE(f->a23)}, 1, &TP_SHAPE(7)));
}

static const error_row view_rows[] = {
    {"reshape to rank 9", reshape_rank, TP_BAD_SHAPE, {"reshape: the rank must be 0..8, but is 9"}},
    {"reshape to negative sizes",
     reshape_negative,
     TP_BAD_SHAPE,
     {"reshape: a size is negative: f32[2,3] to f32[-2,-3]"}},
    {"two open sizes",
     reshape_two_open,
     TP_BAD_SHAPE,
     {"reshape: only one size may be -1: f32[2,3] to f32[-1,-1]"}},
    {"open size uneven",
     reshape_open_uneven,
     TP_BAD_SHAPE,
     {"reshape: the size -1 cannot be worked out: f32[2,3] to f32[4,-1]"}},
    {"open size beside zero",
     reshape_open_beside_zero,
     TP_BAD_SHAPE,
     {"reshape: the size -1 cannot be worked out: f32[2,0] to f32[0,-1]"}},
    {"reshape to another count",
     reshape_count,
     TP_BAD_SHAPE,
     {"reshape: the number of elements differs: f32[2,3] to f32[4,2]"}},
    {"reshape nothing to something",
     reshape_count_of_nothing,
     TP_BAD_SHAPE,
     {"reshape: the number of elements differs: f32[2,0] to f32[3,5]"}},
    {"reshape overflows",
     reshape_overflow,
     TP_BAD_SHAPE,
     {"reshape: the number of elements differs: f32[2,3] to f32[6,9223372036854775807,3]"}},
    {"reshape by hand", reshape_by_hand, TP_BAD_SHAPE, {"reshape: the number of elements differs: f32[2,3]"}},
    {"permute with too few axes", permute_count, TP_BAD_SHAPE, {"permute: 1 axes were given for f32[2,3]"}},
    {"permute out of range", permute_range, TP_BAD_SHAPE, {"permute: axis 2 is out of range for f32[2,3]"}},
    {"permute with an axis twice",
     permute_twice,
     TP_BAD_SHAPE,
     {"permute: axis 1 is named twice for f32[2,3]"}},
    {"transpose out of range",
     transpose_range,
     TP_BAD_SHAPE,
     {"transpose: axis -3 is out of range for f32[2,3]"}},
    {"expand to rank -1", expand_rank, TP_BAD_SHAPE, {"expand: the rank must be 0..8, but is -1"}},
    {"expand to another shape",
     expand_shape,
     TP_BAD_SHAPE,
     {"expand: f32[2,3] does not broadcast to f32[2,6]"}},
    {"full of negative size", expand_negative, TP_BAD_SHAPE, {"expand: negative size: f32[]"}},
    {"expand by hand",
     expand_by_hand,
     TP_BAD_SHAPE,
     {"expand: the tensor does not broadcast to the shape: f32[2,3]"}},
};

/* ---- slice.c, source.c ------------------------------------------------------------------------------ */

static void slice_axis(fixture *f)
{
    RESULT(f, tp_slice(f->a23, 2, 0, 1, 1));
}

static void slice_step(fixture *f)
{
    RESULT(f, tp_slice(f->a23, 0, 0, 1, 0));
}

static void slice_range(fixture *f)
{
    RESULT(f, tp_slice(f->a23, 1, 0, 4, 1));
}

static void slice_range_below(fixture *f)
{
    RESULT(f, tp_slice(f->a23, 1, INT64_MIN, TP_END, 1));
}

static void unslice_integers(fixture *f)
{
    tp_tensor g, part = tp_slice(f->a23, 1, 0, 2, 1);
    tp_gradient(tp_sum(tp_exp(part)), &f->a23, 1, &g);
    const tp_op *unslice = tp_op_of(g);
    RESULT(f, tp_record(unslice, (tp_tensor[]){TP_HERE(f->i23)}, 1, tp_attr_of(g)));
}

static void concat_nothing(fixture *f)
{
    const tp_tensor two = tp_concat((tp_tensor[]){f->a4, f->a4}, 2, 0);
    f->gives_tensor = true;
    f->result = tp_record_on(f->tape, tp_op_of(two), NULL, 0, &(int64_t){0});
}

static void concat_dtypes(fixture *f)
{
    RESULT(f, tp_concat((tp_tensor[]){f->a23, f->d23}, 2, 0));
}

static void concat_axis(fixture *f)
{
    RESULT(f, tp_concat((tp_tensor[]){f->a23, f->a23}, 2, 2));
}

static void concat_ranks(fixture *f)
{
    RESULT(f, tp_concat((tp_tensor[]){f->a23, f->a4}, 2, 0));
}

static void concat_sizes(fixture *f)
{
    RESULT(f, tp_concat((tp_tensor[]){f->a23, f->a32}, 2, 0));
}

static void concat_overflow(fixture *f)
{
    tp_tensor x[40];
    for (int k = 0; k < 40; k++)
        x[k] = tp_full(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 58), k);
    RESULT(f, tp_concat(x, 40, 0));
}

static const error_row slice_rows[] = {
    {"slice of no axis", slice_axis, TP_BAD_SHAPE, {"slice: axis 2 is out of range for f32[2,3]"}},
    {"slice with step 0", slice_step, TP_BAD_ARGUMENT, {"slice: the step must be at least 1, but is 0"}},
    {"slice too far", slice_range, TP_BAD_SHAPE, {"slice: 0 to 4 is beyond axis 1 of f32[2,3]"}},
    {"slice from too far",
     slice_range_below,
     TP_BAD_SHAPE,
     {"slice: -9223372036854775808 to 9223372036854775807 is beyond axis 1 of f32[2,3]"}},
    {"unslice of integers", unslice_integers, TP_BAD_DTYPE, {"unslice: it needs f32 or f64: i32[2,3]"}},
    {"concat of nothing", concat_nothing, TP_BAD_SHAPE, {"concat: there is nothing to join"}},
    {"concat of two dtypes",
     concat_dtypes,
     TP_BAD_DTYPE,
     {"concat: the operands' dtypes differ (convert with tp_cast): f32[2,3], f64[2,3]"}},
    {"concat along no axis",
     concat_axis,
     TP_BAD_SHAPE,
     {"concat: the axis is out of range: f32[2,3], f32[2,3]"}},
    {"concat of two ranks",
     concat_ranks,
     TP_BAD_SHAPE,
     {"concat: the operands' ranks differ: f32[2,3], f32[4]"}},
    {"concat of other sizes",
     concat_sizes,
     TP_BAD_SHAPE,
     {"concat: the operands' sizes differ along another axis: f32[2,3], f32[3,2]"}},
    {"concat too large",
     concat_overflow,
     TP_BAD_SHAPE,
     {"concat: too many elements: f32[288230376151711744], f32["}},
};

static void iota_negative(fixture *f)
{
    RESULT(f, tp_iota(f->tape, TP_I32, -1));
}

static void iota_too_far(fixture *f)
{
    RESULT(f, tp_iota(f->tape, TP_F32, ((int64_t)1 << 24) + 1));
}

static void iota_dtype(fixture *f)
{
    RESULT(f, tp_iota(f->tape, TP_WEAK, 3));
}

static const error_row source_rows[] = {
    {"iota of -1", iota_negative, TP_BAD_SHAPE, {"iota: the length is negative"}},
    {"iota too far", iota_too_far, TP_BAD_DTYPE, {"iota: the dtype cannot count that far"}},
    {"weak iota", iota_dtype, TP_BAD_DTYPE, {"iota: the dtype must be f32, f64 or i32"}},
};

#endif
