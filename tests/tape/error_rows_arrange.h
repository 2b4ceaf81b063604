/* error_rows_arrange.h -- rows for src/ops/arrange.c, diagonal.c and padding.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_ARRANGE_H
#define TAPIR_TESTS_ERROR_ROWS_ARRANGE_H

#include "error_rows.h"

static tp_tensor eight_axes(fixture *f)
{
    return tp_full(f->tape, TP_F32, TP_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), 2);
}

/* ---- arrange.c -------------------------------------------------------------------------------------- */

static void squeeze_size(fixture *f)
{
    RESULT(f, tp_squeeze(f->a23, TP_AXES(-1)));
}

static void unsqueeze_eight(fixture *f)
{
    RESULT(f, tp_unsqueeze(eight_axes(f), 0));
}

static void unsqueeze_axis(fixture *f)
{
    RESULT(f, tp_unsqueeze(f->a23, 3));
}

static void stack_nothing(fixture *f)
{
    const tp_tensor two = tp_stack((tp_tensor[]){f->a4, f->a4}, 2, 0);
    f->gives_tensor = true;
    f->result = tp_record_on(f->tape, tp_op_of(two), NULL, 0, tp_attr_of(two));
}

static void stack_dtypes(fixture *f)
{
    RESULT(f, tp_stack((tp_tensor[]){f->a23, f->d23}, 2, 0));
}

static void stack_shapes(fixture *f)
{
    RESULT(f, tp_stack((tp_tensor[]){f->a23, f->a32}, 2, 0));
}

static void stack_eight(fixture *f)
{
    RESULT(f, tp_stack((tp_tensor[]){eight_axes(f)}, 1, 0));
}

static void stack_axis(fixture *f)
{
    RESULT(f, tp_stack((tp_tensor[]){f->a23, f->a23}, 2, -4));
}

static void split_axis(fixture *f)
{
    tp_tensor out[2];
    RETURNS(f, tp_split(f->a23, 2, (int64_t[]){1, 1}, 2, out));
    assert_false(tp_is_valid(out[0]) || tp_is_valid(out[1]));
}

static void split_size(fixture *f)
{
    tp_tensor out[2];
    RETURNS(f, tp_split(f->a23, 1, (int64_t[]){1, 3}, 2, out));
    assert_false(tp_is_valid(out[0]) || tp_is_valid(out[1]));
}

static void split_negative(fixture *f)
{
    tp_tensor out[2];
    RETURNS(f, tp_split(f->a23, 1, (int64_t[]){-1, 4}, 2, out));
}

static void split_rest(fixture *f)
{
    tp_tensor out[2];
    RETURNS(f, tp_split(f->a23, 1, (int64_t[]){1, 1}, 2, out));
}

static void split_null(fixture *f)
{
    RETURNS(f, tp_split(f->a23, 1, (int64_t[]){1, 2}, 2, NULL));
}

static void tile_axis(fixture *f)
{
    RESULT(f, tp_tile(f->a23, 2, 2));
}

static void repeat_negative(fixture *f)
{
    RESULT(f, tp_repeat(f->a23, 1, -2));
}

static void roll_axis(fixture *f)
{
    RESULT(f, tp_roll(f->a23, -3, 1));
}

static void roll_axis_by_hand(fixture *f)
{
    const tp_tensor rolled = tp_roll(f->a23, 1, 1);
    RESULT(f, tp_record(tp_op_of(rolled), (tp_tensor[]){TP_HERE(f->a4)}, 1, tp_attr_of(rolled)));
}

static void roll_shift_by_hand(fixture *f)
{
    const tp_tensor rolled = tp_roll(f->a23, 0, 1);
    RESULT(f, tp_record(tp_op_of(rolled), (tp_tensor[]){TP_HERE(f->a23)}, 1, (int64_t[]){1, 3}));
}

static const error_row arrange_rows[] = {
    {"squeeze a long axis", squeeze_size, TP_BAD_SHAPE, {"squeeze: axis 1 of f32[2,3] does not have size 1"}},
    {"a ninth axis", unsqueeze_eight, TP_BAD_SHAPE, {"unsqueeze: f32[1,1,1,1,1,1,1,1] has 8 axes already"}},
    {"a new axis out of range",
     unsqueeze_axis,
     TP_BAD_SHAPE,
     {"unsqueeze: the new axis 3 is out of range for f32[2,3]"}},
    {"stack of nothing", stack_nothing, TP_BAD_SHAPE, {"stack: there is nothing to stack"}},
    {"stack of two dtypes",
     stack_dtypes,
     TP_BAD_DTYPE,
     {"stack: the operands' dtypes differ (convert with tp_cast): f32[2,3], f64[2,3]"}},
    {"stack of two shapes",
     stack_shapes,
     TP_BAD_SHAPE,
     {"stack: the operands' shapes differ: f32[2,3], f32[3,2]"}},
    {"stack of eight axes",
     stack_eight,
     TP_BAD_SHAPE,
     {"stack: the operands have 8 axes already: f32[1,1,1,1,1,1,1,1]"}},
    {"stack along no axis",
     stack_axis,
     TP_BAD_SHAPE,
     {"stack: the new axis is out of range: f32[2,3], f32[2,3]"}},
    {"split along no axis", split_axis, TP_BAD_SHAPE, {"split: axis 2 is out of range for f32[2,3]"}},
    {"split too long",
     split_size,
     TP_BAD_SHAPE,
     {"split: the size 3 (piece 1) does not fit axis 1 of f32[2,3]"}},
    {"split of negative size",
     split_negative,
     TP_BAD_SHAPE,
     {"split: the size -1 (piece 0) does not fit axis 1 of f32[2,3]"}},
    {"split with a rest", split_rest, TP_BAD_SHAPE, {"split: the sizes leave 1 of axis 1 of f32[2,3]"}},
    {"split into NULL", split_null, TP_BAD_ARGUMENT, {"split: sizes or out is NULL"}},
    {"tile along no axis", tile_axis, TP_BAD_SHAPE, {"tile: axis 2 is out of range for f32[2,3]"}},
    {"repeat -2 times", repeat_negative, TP_BAD_ARGUMENT, {"repeat: the count is negative: -2"}},
    {"roll along no axis", roll_axis, TP_BAD_SHAPE, {"roll: axis -3 is out of range for f32[2,3]"}},
    {"roll along no axis by hand",
     roll_axis_by_hand,
     TP_BAD_SHAPE,
     {"roll: the axis is out of range: f32[4]"}},
    {"roll too far by hand",
     roll_shift_by_hand,
     TP_BAD_SHAPE,
     {"roll: the shift is beyond the axis: f32[2,3]"}},
};

/* ---- diagonal.c ------------------------------------------------------------------------------------- */

static void diagonal_axis(fixture *f)
{
    RESULT(f, tp_diagonal(f->a23, 0, 0, 2));
}

static void diagonal_axis_twice(fixture *f)
{
    RESULT(f, tp_diagonal(f->a23, 0, 1, -1));
}

static void diagonal_by_hand(fixture *f)
{
    const tp_tensor part = tp_diagonal(f->a23, 0, 0, 1);
    RESULT(f, tp_record(tp_op_of(part), (tp_tensor[]){TP_HERE(f->a32)}, 1, tp_attr_of(part)));
}

static void undiagonal_by_hand(fixture *f)
{
    const tp_tensor square = tp_diagonal_embed(f->a4, 0);
    RESULT(f, tp_record(tp_op_of(square), (tp_tensor[]){TP_HERE(f->a23)}, 1, tp_attr_of(square)));
}

static void embed_number(fixture *f)
{
    RESULT(f, tp_diagonal_embed(tp_scalar_of(f->tape, TP_F32, 1), 0));
}

static void embed_far(fixture *f)
{
    RESULT(f, tp_diagonal_embed(f->a4, INT64_MIN));
}

static void triangle_of_a_vector(fixture *f)
{
    RESULT(f, tp_tril(f->a4, 0));
}

static const error_row diagonal_rows[] = {
    {"diagonal of no axis", diagonal_axis, TP_BAD_SHAPE, {"diagonal: an axis is out of range: f32[2,3]"}},
    {"diagonal of one axis", diagonal_axis_twice, TP_BAD_SHAPE, {"diagonal: the two axes are one: f32[2,3]"}},
    {"diagonal by hand",
     diagonal_by_hand,
     TP_BAD_SHAPE,
     {"diagonal: the attributes are of another shape: f32[3,2]"}},
    {"diagonal put back by hand",
     undiagonal_by_hand,
     TP_BAD_SHAPE,
     {"undiagonal: the operand does not have the diagonal's shape: f32[2,3]"}},
    {"a number on a diagonal",
     embed_number,
     TP_BAD_SHAPE,
     {"diagonal_embed: it needs 1 to 7 axes, not f32[]"}},
    {"a diagonal far out",
     embed_far,
     TP_BAD_SHAPE,
     {"diagonal_embed: the offset -9223372036854775808 is too large"}},
    {"triangle of a vector", triangle_of_a_vector, TP_BAD_SHAPE, {"tril: it needs a matrix, not f32[4]"}},
};

/* ---- padding.c -------------------------------------------------------------------------------------- */

static void pad_axis(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 2, 1, 1, NULL));
}

static void pad_mode(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, 1, 1, &(tp_pad_options){.mode = (tp_pad_mode)7}));
}

static void pad_half(fixture *f)
{
    RESULT(f, tp_pad(f->i23, 1, 1, 1, &(tp_pad_options){.value = 0.5}));
}

static void pad_huge_number(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, 1, 1, &(tp_pad_options){.value = 1e39}));
}

static void pad_negative(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, 1, -1, NULL));
}

static void pad_too_far(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, INT64_MAX, 1, NULL));
}

static void pad_reflected(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, 1, 3, &(tp_pad_options){.mode = TP_PAD_REFLECT}));
}

static void pad_circular(fixture *f)
{
    RESULT(f, tp_pad(f->a23, 1, 4, 0, &(tp_pad_options){.mode = TP_PAD_CIRCULAR}));
}

static void pad_edge_of_nothing(fixture *f)
{
    RESULT(f, tp_pad(nothing(f), 1, 1, 0, &(tp_pad_options){.mode = TP_PAD_REPLICATE}));
}

static void unpad_by_hand(fixture *f)
{
    const tp_pad_options edge = {.mode = TP_PAD_REPLICATE};
    tp_tensor g;
    tp_gradient(tp_sum(tp_exp(tp_pad(f->a23, 1, 2, 2, &edge))), &f->a23, 1, &g);
    RESULT(f, tp_record(tp_op_of(g), (tp_tensor[]){TP_HERE(f->a23)}, 1, tp_attr_of(g)));
}

static const error_row padding_rows[] = {
    {"pad along no axis", pad_axis, TP_BAD_SHAPE, {"pad: axis 2 is out of range for f32[2,3]"}},
    {"pad in no mode", pad_mode, TP_BAD_ARGUMENT, {"pad: there is no mode 7"}},
    {"pad integers with a half", pad_half, TP_BAD_DTYPE, {"pad: the value 0.5 is no 32-bit integer"}},
    {"pad f32 with 1e39", pad_huge_number, TP_BAD_DTYPE, {"pad: the value 1e+39 is beyond the range of f32"}},
    {"pad by -1", pad_negative, TP_BAD_SHAPE, {"pad: the padding is negative: f32[2,3]"}},
    {"pad too far", pad_too_far, TP_BAD_SHAPE, {"pad: too many elements: f32[2,3]"}},
    {"reflect too far",
     pad_reflected,
     TP_BAD_SHAPE,
     {"pad: reflected padding must be smaller than the axis: f32[2,3]"}},
    {"wrap too far",
     pad_circular,
     TP_BAD_SHAPE,
     {"pad: circular padding must not be larger than the axis: f32[2,3]"}},
    {"edge of nothing", pad_edge_of_nothing, TP_BAD_SHAPE, {"pad: there is no edge to repeat: f32[2,0]"}},
    {"unpad by hand", unpad_by_hand, TP_BAD_SHAPE, {"unpad: the operand is not of a padded shape: f32[2,3]"}},
};

#endif
