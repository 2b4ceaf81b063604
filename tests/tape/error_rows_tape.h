/* error_rows_tape.h -- rows for src/tape/tape.c, shape.c and leaf.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_TAPE_H
#define TAPIR_TESTS_ERROR_ROWS_TAPE_H

#include "error_rows.h"
#include "tape.h"

/* ---- tape.c ----------------------------------------------------------------------------------------- */

static void run_out_while_appending(fixture *f)
{
    while (tp_tape_count(f->tape) < 256)
        tp_scalar(f->tape, (double)tp_tape_count(f->tape));
    fail_allocation(f, 1); /* the hash table grows; then a chunk is missing */
    RESULT(f, tp_neg(f->a23));
}

static void run_out_in_scope(fixture *f)
{
    char name[20000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    fail_allocation(f, 0);
    tp_scope_begin(f->tape, name);
}

static void end_no_scope(fixture *f)
{
    tp_scope_end(f->tape);
}

static void differentiate_stale(fixture *f)
{
    tp_tensor g;
    RETURNS(f, tp_gradient(f->stale, &f->a23, 1, &g));
}

static void rewind_twice(fixture *f)
{
    const tp_mark before = tp_tape_mark(f->tape);
    tp_neg(f->a23);
    const tp_mark after = tp_tape_mark(f->tape);
    tp_tape_rewind(before);
    RETURNS_NOWHERE(f, tp_tape_rewind(after));
}

static void rewind_past_used_leaf(fixture *f)
{
    const tp_mark mark = tp_tape_mark(f->tape);
    const tp_tensor w = (PLACE(f), tp_parameter(f->tape, TP_F32, TP_SHAPE(7), NULL));
    compile(f, tp_sum(w));
    RETURNS_NOWHERE(f, tp_tape_rewind(mark));
}

static const error_row tape_rows[] = {
    {"out of memory for a chunk of nodes",
     run_out_while_appending,
     TP_OUT_OF_MEMORY,
     {"neg: out of memory while recording"}},
    {"out of memory for a scope", run_out_in_scope, TP_OUT_OF_MEMORY, {"tp_scope_begin: out of memory"}},
    {"end without begin", end_no_scope, TP_BAD_STATE, {"tp_scope_end: no scope is open"}},
    {"gradient of a stale tensor",
     differentiate_stale,
     TP_BAD_HANDLE,
     {"gradient: the tensor is stale: the tape was rewound past it"}},
};

static const error_row tape_use_rows[] = {
    {"stale mark",
     rewind_twice,
     TP_BAD_STATE,
     {"tp_tape_rewind: the tape was already rewound past this mark"}},
    {"rewind past a used leaf",
     rewind_past_used_leaf,
     TP_BAD_STATE,
     {"tp_tape_rewind: the parameter f32[7] made after the mark is used by a program"}},
};

/* ---- shape.c ---------------------------------------------------------------------------------------- */

static void rank_nine(fixture *f)
{
    RESULT(f, tp_input(f->tape, TP_F32, (tp_shape){.rank = 9}));
}

static void rank_negative(fixture *f)
{
    RESULT(f, tp_parameter(f->tape, TP_F32, (tp_shape){.rank = -1}, NULL));
}

static void size_negative(fixture *f)
{
    RESULT(f, tp_input(f->tape, TP_F64, TP_SHAPE(2, -3)));
}

static void size_huge(fixture *f)
{
    RESULT(f, tp_input(f->tape, TP_F32, TP_SHAPE(INT64_MAX)));
}

static void product_overflows(fixture *f)
{
    RESULT(f, tp_constant(f->tape, TP_I32, TP_SHAPE((int64_t)1 << 32, (int64_t)1 << 32), ""));
}

static void product_overflows_beside_zero(fixture *f)
{
    RESULT(f, tp_input(f->tape, TP_F32, TP_SHAPE(0, (int64_t)1 << 40, (int64_t)1 << 40)));
}

static void broadcast_overflows(fixture *f)
{
    const tp_tensor a = tp_full(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 40, 1), 1);
    RESULT(f, tp_add(a, tp_uniform(f->tape, TP_F32, TP_SHAPE((int64_t)1 << 40))));
}

static const error_row shape_rows[] = {
    {"rank 9", rank_nine, TP_BAD_SHAPE, {"input: rank is outside 0..8: f32[0,0,0,0,0,0,0,0]"}},
    {"rank -1", rank_negative, TP_BAD_SHAPE, {"parameter: rank is outside 0..8"}},
    {"negative size", size_negative, TP_BAD_SHAPE, {"input: negative size: f64[2,-3]"}},
    {"huge size", size_huge, TP_BAD_SHAPE, {"input: too many elements: f32[9223372036854775807]"}},
    {"product overflows",
     product_overflows,
     TP_BAD_SHAPE,
     {"constant: too many elements: i32[4294967296,4294967296]"}},
    {"product overflows, beside a zero",
     product_overflows_beside_zero,
     TP_BAD_SHAPE,
     {"input: too many elements"}},
    {"broadcast product overflows",
     broadcast_overflows,
     TP_BAD_SHAPE,
     {"add: too many elements: f32[1099511627776,1], f32[1099511627776]"}},
};

/* ---- leaf.c ----------------------------------------------------------------------------------------- */

static const float six[6] = {1, 2, 3, 4, 5, 6};

static void leaf_without_dtype(fixture *f)
{
    RESULT(f, tp_input(f->tape, TP_WEAK, TP_SHAPE(2)));
}

static void leaf_of_no_dtype(fixture *f)
{
    RESULT(f, tp_parameter(f->tape, (tp_dtype)77, TP_SHAPE(2), NULL));
}

static void constant_without_values(fixture *f)
{
    RESULT(f, tp_constant(f->tape, TP_F32, TP_SHAPE(2, 3), NULL));
}

static void run_out_for_leaf(fixture *f)
{
    fail_allocation(f, 0);
    RESULT(f, tp_input(f->tape, TP_F32, TP_SHAPE(5)));
}

static void run_out_for_leaf_data(fixture *f)
{
    RESULT(f, tp_parameter(f->tape, TP_F64, TP_SHAPE((int64_t)1 << 59), NULL));
}

static void write_invalid(fixture *f)
{
    RETURNS(f, tp_write(f->poison, six, 6));
}

static void write_stale(fixture *f)
{
    RETURNS(f, tp_write(f->stale, six, 6));
}

static void write_constant(fixture *f)
{
    RETURNS(f, tp_write(f->constant, six, 3));
}

static void write_interior(fixture *f)
{
    RETURNS(f, tp_write(tp_neg(f->a23), six, 6));
}

static void write_other_dtype(fixture *f)
{
    RETURNS(f, tp_write(f->d23, six, 6));
}

static void write_other_count(fixture *f)
{
    RETURNS(f, tp_write(f->input, six, 5));
}

static void write_negative_count(fixture *f)
{
    RETURNS(f, tp_write(f->input, six, -1));
}

static void write_null(fixture *f)
{
    RETURNS(f, tp_write(f->input, (const float *)NULL, 6));
}

static void leaf_data_of_kept_double(fixture *f)
{
    f->tape->keep_double = true;
    const tp_tensor w = tp_parameter(f->tape, TP_F32, TP_SHAPE(2), NULL);
    PLACE(f), assert_null(tp_leaf_data(w, TP_F32));
}

static void leaf_data_of_constant(fixture *f)
{
    PLACE(f), assert_null(tp_leaf_data(f->constant, TP_F32));
}

static void read_other_dtype(fixture *f)
{
    double out[6];
    RETURNS(f, tp_read(f->a23, out, 6));
}

static void read_weak(fixture *f)
{
    double out;
    RETURNS(f, tp_read(f->number, &out, 1));
}

static void read_unwritten(fixture *f)
{
    float out[6];
    RETURNS(f, tp_read(f->input, out, 6));
}

static void read_before_compiling(fixture *f)
{
    float out[6];
    RETURNS(f, tp_read(tp_neg(f->a23), out, 6));
}

static void read_before_running(fixture *f)
{
    const tp_tensor y = tp_neg(f->a23);
    compile(f, y);
    PLACE(f), assert_null(tp_values(y, TP_F32));
}

static void read_other_count(fixture *f)
{
    float out[6];
    RETURNS(f, tp_read(f->a23, out, 7));
}

static void read_to_null(fixture *f)
{
    RETURNS(f, tp_read(f->a23, (float *)NULL, 6));
}

static void item_of_many(fixture *f)
{
    PLACE(f), assert_true(isnan(tp_item(f->a23)));
}

static const error_row leaf_rows[] = {
    {"weak leaf", leaf_without_dtype, TP_BAD_DTYPE, {"input: the dtype must be f32, f64 or i32"}},
    {"leaf of no dtype", leaf_of_no_dtype, TP_BAD_DTYPE, {"parameter: the dtype must be f32, f64 or i32"}},
    {"constant without values",
     constant_without_values,
     TP_BAD_ARGUMENT,
     {"constant: its values are NULL: f32[2,3]"}},
    {"out of memory for a leaf", run_out_for_leaf, TP_OUT_OF_MEMORY, {"input: out of memory for f32[5]"}},
    {"out of memory for its values",
     run_out_for_leaf_data,
     TP_OUT_OF_MEMORY,
     {"parameter: out of memory for f64[576460752303423488]"}},
};

static const error_row leaf_use_rows[] = {
    {"write to an invalid tensor", write_invalid, TP_BAD_HANDLE, {"tp_write: the tensor is invalid"}},
    {"write to a stale tensor",
     write_stale,
     TP_BAD_HANDLE,
     {"tp_write: the tensor is stale: the tape was rewound past it"}},
    {"write to a constant",
     write_constant,
     TP_BAD_ARGUMENT,
     {"tp_write: constant f32[3]: only inputs and parameters can be written"}},
    {"write to an interior tensor",
     write_interior,
     TP_BAD_ARGUMENT,
     {"tp_write: neg f32[2,3]: only inputs and parameters can be written"}},
    {"write another dtype",
     write_other_dtype,
     TP_BAD_DTYPE,
     {"tp_write: parameter f64[2,3]: the data's dtype differs from the leaf's"}},
    {"write too few",
     write_other_count,
     TP_BAD_SHAPE,
     {"tp_write: input f32[2,3] has 6 elements, but 5 were given"}},
    {"write -1", write_negative_count, TP_BAD_SHAPE, {"6 elements, but -1 were given"}},
    {"write NULL", write_null, TP_BAD_ARGUMENT, {"tp_write: input f32[2,3]: the data is NULL"}},
    {"f32 memory of a leaf kept as f64",
     leaf_data_of_kept_double,
     TP_BAD_DTYPE,
     {"tp_leaf_data: parameter f32[2]: the data's dtype differs from the leaf's"}},
    {"memory of a constant",
     leaf_data_of_constant,
     TP_BAD_ARGUMENT,
     {"tp_leaf_data: constant f32[3]: only inputs"}},
    {"read another dtype",
     read_other_dtype,
     TP_BAD_DTYPE,
     {"tp_read: parameter f32[2,3]: values of another dtype were asked for"}},
    {"read a weak scalar", read_weak, TP_BAD_DTYPE, {"tp_read: scalar weak[]: values of another dtype"}},
    {"read an input too early",
     read_unwritten,
     TP_BAD_STATE,
     {"tp_read: input f32[2,3]: this input was not written yet"}},
    {"read what no program computes",
     read_before_compiling,
     TP_BAD_STATE,
     {"tp_read: neg f32[2,3]: not computed: it must be an output of a program that has run"}},
    {"look before running", read_before_running, TP_BAD_STATE, {"tp_values: neg f32[2,3]: not computed"}},
    {"read too many",
     read_other_count,
     TP_BAD_SHAPE,
     {"tp_read: parameter f32[2,3]: the count differs from the number of elements"}},
    {"read to NULL", read_to_null, TP_BAD_ARGUMENT, {"tp_read: parameter f32[2,3]: the destination is NULL"}},
    {"item of many", item_of_many, TP_BAD_SHAPE, {"tp_item: parameter f32[2,3]: it must have one element"}},
};

#endif
