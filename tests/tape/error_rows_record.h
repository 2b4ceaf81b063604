/* error_rows_record.h -- rows for src/tape/record.c: operands and scalars. */
#ifndef TAPIR_TESTS_ERROR_ROWS_RECORD_H
#define TAPIR_TESTS_ERROR_ROWS_RECORD_H

#include "error_rows.h"

/* ---- record.c: operands ----------------------------------------------------------------------------- */

static void operand_absent(fixture *f)
{
    RESULT(f, tp_add(f->a23, f->absent));
}

static void operand_foreign(fixture *f)
{
    RESULT(f, tp_mul(f->a23, f->foreign));
}

static void operand_stale(fixture *f)
{
    RESULT(f, tp_exp(f->stale));
}

static void operand_assigned(fixture *f)
{
    const tp_tensor step = tp_assign(f->a4, f->number);
    RESULT(f, tp_add(f->a4, step));
}

static void group_of_values(fixture *f)
{
    RESULT(f, tp_group((tp_tensor[]){tp_assign(f->a4, f->number), f->a4}, 2));
}

static void assign_constant(fixture *f)
{
    RESULT(f, tp_assign(f->constant, f->number));
}

static void assign_interior(fixture *f)
{
    RESULT(f, tp_assign(tp_neg(f->a4), f->number));
}

static void assign_scalar(fixture *f)
{
    RESULT(f, tp_assign(f->number, f->number));
}

static void operand_dtypes(fixture *f)
{
    RESULT(f, tp_sub(f->a23, f->d23));
}

static void operand_dtypes_i32(fixture *f)
{
    RESULT(f, tp_where(f->a23, f->d23, f->i23));
}

static void operand_shapes(fixture *f)
{
    RESULT(f, tp_div(f->a23, f->a4));
}

/* ---- record.c: scalars ------------------------------------------------------------------------------ */

static void half_an_integer(fixture *f)
{
    RESULT(f, tp_scale(f->i3, 0.5));
}

static void integer_too_large(fixture *f)
{
    RESULT(f, tp_add(f->i3, tp_scalar(f->tape, 2147483648.0)));
}

static void integer_from_nan(fixture *f)
{
    RESULT(f, tp_maximum(f->i3, tp_scalar(f->tape, NAN)));
}

static void scalar_beyond_f32(fixture *f)
{
    RESULT(f, tp_scale(f->a23, 1e300));
}

static void typed_half_an_integer(fixture *f)
{
    RESULT(f, tp_scalar_of(f->tape, TP_I32, 0.5));
}

static void typed_beyond_f32(fixture *f)
{
    RESULT(f, tp_scalar_of(f->tape, TP_F32, -1e39));
}

static void scalar_of_weak(fixture *f)
{
    RESULT(f, tp_scalar_of(f->tape, TP_WEAK, 1));
}

static void sum_of_weak(fixture *f)
{
    RESULT(f, tp_sum(f->number));
}

static void reshape_weak(fixture *f)
{
    RESULT(f, tp_reshape(f->number, TP_SHAPE(1, 1)));
}

static void concat_weak(fixture *f)
{
    RESULT(f, tp_concat((tp_tensor[]){f->number, f->number}, 2, 0));
}

/* ---- record.c: memory, arguments -------------------------------------------------------------------- */

static void run_out_of_buckets(fixture *f)
{
    while (tp_tape_count(f->tape) < 256)
        tp_scalar(f->tape, (double)tp_tape_count(f->tape));
    fail_allocation(f, 0);
    RESULT(f, tp_neg(f->a23));
}

static void run_out_for_operands(fixture *f)
{
    tp_tensor x[9];
    for (int k = 0; k < 9; k++)
        x[k] = f->a4;
    fail_allocation(f, 0);
    RESULT(f, tp_concat(x, 9, 0));
}

static void record_nothing(fixture *f)
{
    f->gives_tensor = true;
    f->result = tp_record_on(f->tape, NULL, NULL, 0, NULL);
}

static void record_nameless(fixture *f)
{
    static const tp_op nameless = {.kind = TP_CALL, .arity = 1};
    f->gives_tensor = true;
    f->result = tp_record(&nameless, &f->a4, 1, NULL);
}

static void record_without_operands(fixture *f)
{
    f->gives_tensor = true;
    f->result = tp_record_on(f->tape, tp_op_of(tp_neg(f->a4)), NULL, 1, NULL);
}

static const error_row record_rows[] = {
    {"absent operand", operand_absent, TP_BAD_HANDLE, {"add: operand 1 is absent"}},
    {"foreign operand", operand_foreign, TP_BAD_HANDLE, {"mul: operand 1 belongs to another tape"}},
    {"stale operand",
     operand_stale,
     TP_BAD_HANDLE,
     {"exp: operand 0 is stale: the tape was rewound past it"}},
    {"assignment as operand",
     operand_assigned,
     TP_BAD_ARGUMENT,
     {"add: operand 1 is an assignment, which has no value"}},
    {"group of values", group_of_values, TP_BAD_ARGUMENT, {"group: operand 1 is no assignment"}},
    {"assign to a constant",
     assign_constant,
     TP_BAD_ARGUMENT,
     {"assign: only inputs and parameters can be assigned, not constant"}},
    {"assign to an interior tensor",
     assign_interior,
     TP_BAD_ARGUMENT,
     {"assign: only inputs and parameters can be assigned, not neg"}},
    {"assign to a scalar",
     assign_scalar,
     TP_BAD_ARGUMENT,
     {"assign: only inputs and parameters can be assigned, not scalar"}},
    {"f32 and f64",
     operand_dtypes,
     TP_BAD_DTYPE,
     {"sub: the operands' dtypes differ (convert with tp_cast): f32[2,3], f64[2,3]"}},
    {"branches of two dtypes",
     operand_dtypes_i32,
     TP_BAD_DTYPE,
     {"where: the operands' dtypes differ", "f64[2,3], f64[2,3], i32[2,3]"}},
    {"shapes",
     operand_shapes,
     TP_BAD_SHAPE,
     {"div: the operands' shapes do not broadcast: f32[2,3], f32[4]"}},
    {"0.5 meets i32",
     half_an_integer,
     TP_BAD_DTYPE,
     {"mul: the scalar 0.5 is no 32-bit integer: i32[3], weak[]"}},
    {"2^31 meets i32",
     integer_too_large,
     TP_BAD_DTYPE,
     {"add: the scalar 2147483648 is no 32-bit integer: i32[3], weak[]"}},
    {"NaN meets i32", integer_from_nan, TP_BAD_DTYPE, {"maximum: the scalar nan is no 32-bit integer"}},
    {"1e300 meets f32",
     scalar_beyond_f32,
     TP_BAD_DTYPE,
     {"mul: the scalar 1e+300 is beyond the range of f32: f32[2,3], weak[]"}},
    {"0.5 as i32", typed_half_an_integer, TP_BAD_DTYPE, {"scalar: 0.5 is no 32-bit integer"}},
    {"-1e39 as f32", typed_beyond_f32, TP_BAD_DTYPE, {"scalar: -1e+39 is beyond the range of f32"}},
    {"scalar of no dtype", scalar_of_weak, TP_BAD_DTYPE, {"tp_scalar_of: the dtype must be f32, f64 or i32"}},
    {"sum of a weak scalar",
     sum_of_weak,
     TP_BAD_DTYPE,
     {"sum: a weak scalar has no dtype here: use tp_scalar_of: weak[]"}},
    {"reshape of a weak scalar", reshape_weak, TP_BAD_DTYPE, {"reshape: a weak scalar has no dtype here"}},
    {"concat of weak scalars", concat_weak, TP_BAD_DTYPE, {"concat: a weak scalar has no dtype here"}},
    {"out of memory for the hash table",
     run_out_of_buckets,
     TP_OUT_OF_MEMORY,
     {"neg: out of memory while recording"}},
    {"out of memory for operands",
     run_out_for_operands,
     TP_OUT_OF_MEMORY,
     {"concat: out of memory while recording"}},
    {"record nothing",
     record_nothing,
     TP_BAD_ARGUMENT,
     {"tp_record: the op, its name or its operands are missing"}},
    {"record a nameless op", record_nameless, TP_BAD_ARGUMENT, {"tp_record: the op, its name"}},
    {"record without operands", record_without_operands, TP_BAD_ARGUMENT, {"tp_record: the op, its name"}},
};

#endif
