/* error_rows_validate.h -- rows for src/tape/validate.c: ops that are no good. */
#ifndef TAPIR_TESTS_ERROR_ROWS_VALIDATE_H
#define TAPIR_TESTS_ERROR_ROWS_VALIDATE_H

#include "error_rows.h"

/* ---- validate.c: definitions ------------------------------------------------------------------------ */

static void copy_map(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    memcpy(y, x[0], (size_t)n * sizeof(float));
}

static void record_user_op(fixture *f, const tp_op *op, const tp_tensor *x, int n)
{
    RESULT(f, tp_record_on(TP_HERE_TAPE(f->tape), op, x, n, NULL));
}

static void user_arity(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = 2, .map = {copy_map}};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_arity_built_in(fixture *f)
{
    record_user_op(f, tp_op_of(tp_neg(f->a4)), (tp_tensor[]){f->a4, f->a4}, 2);
}

static void user_map_of_nothing(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .map = {copy_map}};
    record_user_op(f, &op, NULL, 0);
}

static void user_map_of_too_many(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = TP_ANY_ARITY, .map = {copy_map}};
    static tp_tensor x[2000];
    for (int k = 0; k < 2000; k++)
        x[k] = f->a4;
    record_user_op(f, &op, x, 2000);
}

static void user_reduction_of_two(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_REDUCE, .arity = 2};
    record_user_op(f, &op, (tp_tensor[]){f->a4, f->a4}, 2);
}

static void user_view_of_nothing(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_VIEW};
    record_user_op(f, &op, NULL, 0);
}

static void user_source_of_something(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_SOURCE, .arity = 1};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_assignment_of_one(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_ASSIGN, .arity = TP_ANY_ARITY};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_assignment_of_none(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_ASSIGN, .arity = TP_ANY_ARITY};
    record_user_op(f, &op, NULL, 0);
}

static void user_leaf(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_LEAF};
    record_user_op(f, &op, NULL, 0);
}

static void user_kind(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = (tp_kind)99, .arity = 1};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_attributes(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = 1, .attr_size = 8, .map = {copy_map}};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_call_without_kernel(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_CALL, .arity = 1};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_view_without_rule(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_VIEW, .arity = 1};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_repeating_map(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .flags = TP_OP_REPEATS, .map = {copy_map}};
    record_user_op(f, &op, &f->a4, 1);
}

static void kernel_missing(fixture *f)
{
    RESULT(f, tp_exp(f->i3));
}

/* ---- validate.c: shape rules ------------------------------------------------------------------------ */

static const char *infer_nothing(tp_inference *i)
{
    (void)i;
    return NULL;
}

static const char *infer_weak(tp_inference *i)
{
    i->y_dtype = TP_WEAK;
    return NULL;
}

static const char *infer_five(tp_inference *i)
{
    i->y_shape = TP_SHAPE(5);
    return NULL;
}

static const char *infer_f64(tp_inference *i)
{
    i->y_dtype = TP_F64;
    return NULL;
}

static bool same_strides(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr, (void)s;
    return true;
}

static bool backwards(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr;
    s->stride[0] = -s->stride[0];
    return true;
}

static bool no_strides(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr, (void)s;
    return false;
}

static void user_dtype(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .infer = infer_weak, .map = {copy_map}};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_map_without_kernel(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .infer = infer_nothing, .map = {copy_map}};
    record_user_op(f, &op, &f->d23, 1);
}

static void user_reduction_without_kernel(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_REDUCE, .arity = 1, .infer = infer_nothing};
    record_user_op(f, &op, &f->i3, 1);
}

static void user_source_without_kernel(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_SOURCE};
    record_user_op(f, &op, NULL, 0);
}

static void user_map_of_another_shape(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .infer = infer_five, .map = {copy_map}};
    record_user_op(f, &op, &f->a4, 1);
}

static tp_partial no_tile(int64_t n, const void *const *x)
{
    (void)n, (void)x;
    return (tp_partial){0};
}

static const tp_fold no_reduction = {.tile = no_tile};

static void user_reduction_of_another_shape(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_REDUCE, .arity = 1, .infer = infer_five, .reduce = {&no_reduction}};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_reduction_of_another_dtype(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_REDUCE, .arity = 1, .infer = infer_f64, .reduce = {&no_reduction}};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_view_too_large(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_VIEW, .arity = 1, .infer = infer_five, .view = same_strides};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_view_before_the_start(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_VIEW, .arity = 1, .view = backwards};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_view_without_strides(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_VIEW, .arity = 1, .view = no_strides};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_view_of_another_dtype(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_VIEW, .arity = 1, .infer = infer_f64, .view = same_strides};
    record_user_op(f, &op, &f->a4, 1);
}

static void user_assignment_of_another_shape(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_ASSIGN, .arity = 2};
    record_user_op(f, &op, (tp_tensor[]){f->a4, tp_full(f->tape, TP_F32, TP_SHAPE(2, 4), 1)}, 2);
}

static const error_row validate_rows[] = {
    {"too few operands", user_arity, TP_BAD_ARGUMENT, {"user: wrong number of operands"}},
    {"too many operands", user_arity_built_in, TP_BAD_ARGUMENT, {"neg: wrong number of operands"}},
    {"map of nothing", user_map_of_nothing, TP_BAD_ARGUMENT, {"user: a map needs an operand"}},
    {"map of 2000", user_map_of_too_many, TP_BAD_ARGUMENT, {"user: too many operands for a map"}},
    {"reduction of two", user_reduction_of_two, TP_BAD_ARGUMENT, {"user: a reduction takes one operand"}},
    {"view of nothing", user_view_of_nothing, TP_BAD_ARGUMENT, {"user: a view takes one operand"}},
    {"source of something", user_source_of_something, TP_BAD_ARGUMENT, {"user: a source takes no operands"}},
    {"assignment of one",
     user_assignment_of_one,
     TP_BAD_ARGUMENT,
     {"user: an assignment takes a leaf and a value"}},
    {"assignment of none",
     user_assignment_of_none,
     TP_BAD_ARGUMENT,
     {"user: an assignment takes a leaf and a value"}},
    {"kind leaf", user_leaf, TP_BAD_ARGUMENT, {"user: this kind of op cannot be recorded"}},
    {"no kind", user_kind, TP_BAD_ARGUMENT, {"user: this kind of op cannot be recorded"}},
    {"attributes missing", user_attributes, TP_BAD_ARGUMENT, {"user: its attributes are missing"}},
    {"call without kernel", user_call_without_kernel, TP_BAD_ARGUMENT, {"user: a call needs a kernel"}},
    {"view without rule", user_view_without_rule, TP_BAD_ARGUMENT, {"user: a view needs its stride rule"}},
    {"map that repeats", user_repeating_map, TP_BAD_ARGUMENT, {"user: only a view can repeat its operand"}},
    {"result without dtype", user_dtype, TP_BAD_DTYPE, {"user: the op yields no dtype: f32[4]"}},
    {"function of i32", kernel_missing, TP_BAD_DTYPE, {"exp: there is no kernel for this dtype: i32[3]"}},
    {"map without kernel",
     user_map_without_kernel,
     TP_BAD_DTYPE,
     {"user: there is no kernel for this dtype: f64[2,3]"}},
    {"reduction without kernel",
     user_reduction_without_kernel,
     TP_BAD_DTYPE,
     {"user: there is no kernel for this dtype: i32[3]"}},
    {"source without kernel",
     user_source_without_kernel,
     TP_BAD_DTYPE,
     {"user: there is no kernel for this dtype"}},
    {"map of another shape",
     user_map_of_another_shape,
     TP_BAD_ARGUMENT,
     {"user: a map yields its operands' broadcast shape: f32[4]"}},
    {"reduction of another shape",
     user_reduction_of_another_shape,
     TP_BAD_ARGUMENT,
     {"user: a reduction keeps dtype and rank, and the size of an axis or 1: f32[4]"}},
    {"reduction of another dtype",
     user_reduction_of_another_dtype,
     TP_BAD_ARGUMENT,
     {"user: a reduction keeps dtype and rank"}},
    {"view too large",
     user_view_too_large,
     TP_BAD_ARGUMENT,
     {"user: a view keeps its operand's dtype and stays inside it: f32[4]"}},
    {"view before the start",
     user_view_before_the_start,
     TP_BAD_ARGUMENT,
     {"user: a view keeps its operand's dtype and stays inside it"}},
    {"view without strides",
     user_view_without_strides,
     TP_BAD_ARGUMENT,
     {"user: a view keeps its operand's dtype and stays inside it"}},
    {"view of another dtype",
     user_view_of_another_dtype,
     TP_BAD_ARGUMENT,
     {"user: a view keeps its operand's dtype and stays inside it"}},
    {"assignment of another shape",
     user_assignment_of_another_shape,
     TP_BAD_ARGUMENT,
     {"user: an assignment keeps the leaf's dtype and shape: f32[4], f32[2,4]"}},
};

#endif
