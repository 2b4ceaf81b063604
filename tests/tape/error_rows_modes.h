/* error_rows_modes.h -- rows for src/tape/modes.c, forward.c and checkpoint.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_MODES_H
#define TAPIR_TESTS_ERROR_ROWS_MODES_H

#include <tapir/modes.h>

#include "error_rows_program.h" /* its user ops */

/* ---- Products with a direction ---------------------------------------------------------------------- */

/* Marks the place, and calls where that stands. */
static void push(fixture *f, tp_tensor y, tp_tensor wrt, tp_tensor direction)
{
    tp_tensor out = f->a4;
    f->gives_status = true;
    f->returned = (tp_jvp)(tp_locate(y, f->file, f->line), &wrt, &direction, 1, &out);
    assert_false(tp_is_valid(out));
}

static void multiply(fixture *f, tp_tensor loss, tp_tensor wrt, tp_tensor direction)
{
    tp_tensor out = f->a4;
    f->gives_status = true;
    f->returned = (tp_hessian_vector)(tp_locate(loss, f->file, f->line), &wrt, &direction, 1, &out);
    assert_false(tp_is_valid(out));
}

static void jvp_to_null(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    RETURNS(f, tp_jvp(y, &f->a4, &f->a4, 1, NULL));
}

static void jvp_of_null(fixture *f)
{
    tp_tensor out = f->a4;
    RETURNS(f, tp_jvp(f->a4, NULL, &f->a4, 1, &out));
    assert_false(tp_is_valid(out));
}

static void jvp_of_i32(fixture *f)
{
    PLACE(f), push(f, f->i3, f->a4, f->a4);
}

static void jvp_for_absent(fixture *f)
{
    PLACE(f), push(f, f->a4, f->absent, f->a4);
}

static void jvp_along_absent(fixture *f)
{
    PLACE(f), push(f, f->a4, f->a4, f->absent);
}

static void jvp_along_foreign(fixture *f)
{
    PLACE(f), push(f, f->a4, f->a4, f->foreign);
}

static void jvp_along_stale(fixture *f)
{
    PLACE(f), push(f, f->a4, f->a4, f->stale);
}

static void jvp_along_f64(fixture *f)
{
    PLACE(f), push(f, f->a23, f->a23, f->d23);
}

static void jvp_along_another_shape(fixture *f)
{
    PLACE(f), push(f, f->a4, f->a4, f->a23);
}

static void jvp_without_rule(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = 1, .map = {identity}};
    PLACE(f),
        push(f, tp_record(&op, (tp_tensor[]){tp_locate(f->a4, f->file, f->line)}, 1, NULL), f->a4, f->a4);
}

/* Its rule's rule is missing. */
static void record_without_rule(const tp_vjp *d)
{
    static const tp_op op = {.name = "user_gradient", .kind = TP_CALL, .arity = 1, .run = run_identity};
    d->dx[0] = tp_record(&op, &d->g, 1, NULL);
}

static void jvp_without_second_rule(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_CALL, .arity = 1, .vjp = record_without_rule, .run = run_identity};
    PLACE(f),
        push(f, tp_record(&op, (tp_tensor[]){tp_locate(f->a4, f->file, f->line)}, 1, NULL), f->a4, f->a4);
}

static void jvp_through_another_shape(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .vjp = yield_five, .map = {identity}};
    in_rule = f;
    PLACE(f),
        push(f, tp_record(&op, (tp_tensor[]){tp_locate(f->a4, f->file, f->line)}, 1, NULL), f->a4, f->a4);
    f->line = in_rule->line;
}

static void jvp_without_memory(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    fail_allocation(f, 1);
    PLACE(f), push(f, y, f->a4, f->a4);
}

static void hessian_vector_of_many(fixture *f)
{
    PLACE(f), multiply(f, f->a4, f->a4, f->a4);
}

static void hessian_vector_along_f64(fixture *f)
{
    PLACE(f), multiply(f, tp_sum(tp_exp(f->a23)), f->a23, f->d23);
}

static void hessian_vector_without_memory(fixture *f)
{
    const tp_tensor loss = tp_sum(f->a4);
    fail_allocation(f, 0);
    PLACE(f), multiply(f, loss, f->a4, f->a4);
}

/* The gradient for m = -x is x, so that it no longer depends on m. */
static void hessian_vector_for_bypassed(fixture *f)
{
    const tp_tensor minus = tp_neg(f->a4);
    PLACE(f), multiply(f, tp_sum(tp_scale(tp_mul(minus, tp_exp(minus)), -1)), minus, f->a4);
}

/* ---- Matrices --------------------------------------------------------------------------------------- */

static void differentiate_all(fixture *f, tp_tensor y, tp_tensor wrt, const tp_jacobian_options *options)
{
    tp_tensor out = f->a4;
    f->gives_status = true;
    f->returned = (tp_jacobian)(tp_locate(y, f->file, f->line), wrt, &out, options);
    assert_false(tp_is_valid(out));
}

static void jacobian_of_too_many(fixture *f)
{
    const tp_tensor w = tp_parameter(f->tape, TP_F32, TP_SHAPE(4097), NULL);
    PLACE(f), differentiate_all(f, tp_exp(w), w, NULL);
}

static void jacobian_in_no_mode(fixture *f)
{
    PLACE(f), differentiate_all(f, f->a4, f->a4, &(tp_jacobian_options){.mode = (tp_jacobian_mode)7});
}

static void jacobian_of_minus_one_sweep(fixture *f)
{
    PLACE(f), differentiate_all(f, f->a4, f->a4, &(tp_jacobian_options){.most_sweeps = -1});
}

static void jacobian_of_rank_nine(fixture *f)
{
    const tp_tensor y = tp_reshape(f->a4, TP_SHAPE(1, 1, 1, 1, 1, 1, 2, 2));
    PLACE(f), differentiate_all(f, y, f->a4, NULL);
}

static void jacobian_to_null(fixture *f)
{
    RETURNS(f, tp_jacobian(f->a4, f->a4, NULL, NULL));
}

static void jacobian_without_memory(fixture *f)
{
    fail_allocation(f, 0);
    PLACE(f), differentiate_all(f, f->a4, f->a4, NULL);
}

static void matrix_of_two_dtypes(fixture *f)
{
    const tp_tensor both[2] = {f->a23, f->d23}, y = tp_add(f->a23, tp_cast(f->d23, TP_F32));
    tp_tensor out;
    RETURNS(f, tp_jacobian_matrix(y, both, 2, &out, NULL));
    assert_false(tp_is_valid(out));
}

static void matrix_of_nothing(fixture *f)
{
    tp_tensor out;
    RETURNS(f, tp_jacobian_matrix(f->a4, &f->a4, 0, &out, NULL));
    assert_false(tp_is_valid(out));
}

static void hessian_of_too_many(fixture *f)
{
    const tp_tensor two[2] = {f->a4, f->a23};
    const tp_tensor loss = tp_add(tp_sum(tp_exp(f->a4)), tp_sum(f->a23));
    tp_tensor out;
    RETURNS(f, tp_hessian_matrix(loss, two, 2, &out, &(tp_jacobian_options){.most_sweeps = 9}));
    assert_false(tp_is_valid(out));
}

static void hessian_of_rank_ten(fixture *f)
{
    const tp_tensor w = tp_parameter(f->tape, TP_F32, TP_SHAPE(1, 1, 1, 1, 2), NULL);
    const tp_tensor loss = tp_sum(tp_exp(w));
    tp_tensor out;
    RETURNS(f, tp_hessian(loss, w, &out, NULL));
    assert_false(tp_is_valid(out));
}

static const error_row modes_rows[] = {
    {"jvp to NULL", jvp_to_null, TP_BAD_ARGUMENT, {"jvp: wrt, direction or out is missing"}},
    {"jvp for NULL", jvp_of_null, TP_BAD_ARGUMENT, {"jvp: wrt, direction or out is missing"}},
    {"jvp of i32", jvp_of_i32, TP_BAD_DTYPE, {"jvp: the differentiated tensor is i32"}},
    {"jvp for an absent tensor", jvp_for_absent, TP_BAD_HANDLE, {"jvp: wrt[0] is absent"}},
    {"jvp along an absent one", jvp_along_absent, TP_BAD_HANDLE, {"jvp: direction[0] is absent"}},
    {"jvp along a foreign one",
     jvp_along_foreign,
     TP_BAD_HANDLE,
     {"jvp: direction[0] belongs to another tape"}},
    {"jvp along a stale one",
     jvp_along_stale,
     TP_BAD_HANDLE,
     {"jvp: direction[0] is stale: the tape was rewound past it"}},
    {"jvp along another dtype", jvp_along_f64, TP_BAD_DTYPE, {"jvp: direction[0] is f64, the tensor f32"}},
    {"jvp along another shape",
     jvp_along_another_shape,
     TP_BAD_SHAPE,
     {"expand: f32[2,3] does not broadcast to f32[4]"}},
    {"hessian_vector of many",
     hessian_vector_of_many,
     TP_BAD_SHAPE,
     {"hessian_vector: the loss must have one element, but it is f32[4]"}},
    {"hessian_vector along another dtype",
     hessian_vector_along_f64,
     TP_BAD_DTYPE,
     {"hessian_vector: direction[0] is f64, the tensor f32"}},
    {"hessian_vector without memory",
     hessian_vector_without_memory,
     TP_OUT_OF_MEMORY,
     {"hessian_vector: out of memory"}},
    {"hessian_vector for a tensor that the gradient bypassed",
     hessian_vector_for_bypassed,
     TP_BAD_ARGUMENT,
     {"hessian_vector: wrt[0] (neg) was simplified away where it is used"}},
    {"jacobian of too many",
     jacobian_of_too_many,
     TP_BAD_ARGUMENT,
     {"jacobian: 4097 sweeps for a matrix of 4097 by 4097 are more than most_sweeps, 4096 (a product with a "
      "direction, tp_jvp or tp_hessian_vector, needs one)"}},
    {"jacobian in no mode", jacobian_in_no_mode, TP_BAD_ARGUMENT, {"jacobian: there is no such mode: 7"}},
    {"jacobian of -1 sweeps",
     jacobian_of_minus_one_sweep,
     TP_BAD_ARGUMENT,
     {"jacobian: most_sweeps must be 0..2147483647, but is -1"}},
    {"jacobian of rank 9",
     jacobian_of_rank_nine,
     TP_BAD_SHAPE,
     {"jacobian: the derivative of f32[1,1,1,1,1,1,2,2] by f32[4] would have rank 9, more than 8 (reshape them, or "
      "use tp_jacobian_matrix)"}},
    {"jacobian to NULL", jacobian_to_null, TP_BAD_ARGUMENT, {"jacobian: wrt, direction or out is missing"}},
    {"jacobian without memory", jacobian_without_memory, TP_OUT_OF_MEMORY, {"jacobian: out of memory"}},
    {"matrix of two dtypes",
     matrix_of_two_dtypes,
     TP_BAD_DTYPE,
     {"jacobian_matrix: wrt[1] is f64, but wrt[0] f32: a matrix has one dtype"}},
    {"matrix of nothing",
     matrix_of_nothing,
     TP_BAD_ARGUMENT,
     {"jacobian_matrix: wrt, direction or out is missing"}},
    {"hessian of too many",
     hessian_of_too_many,
     TP_BAD_ARGUMENT,
     {"hessian_matrix: 10 sweeps for a matrix of 10 by 10 are more than most_sweeps, 9"}},
    {"hessian of rank 10",
     hessian_of_rank_ten,
     TP_BAD_SHAPE,
     {"hessian: the derivative of f32[1,1,1,1,2] by f32[1,1,1,1,2] would have rank 10"}},
};

static const error_row forward_rows[] = {
    {"jvp without rule", jvp_without_rule, TP_NO_DERIVATIVE, {"jvp: user has no derivative"}},
    {"jvp without the rule's rule",
     jvp_without_second_rule,
     TP_NO_DERIVATIVE,
     {"jvp: user_gradient has no derivative"}},
    {"jvp through a rule of another shape",
     jvp_through_another_shape,
     TP_BAD_SHAPE,
     {"gradient of user: its rule yields f32[5] for operand 0, which is f32[4]"}},
    {"jvp without memory", jvp_without_memory, TP_OUT_OF_MEMORY, {"jvp: out of memory"}},
};

/* ---- Checkpoints ------------------------------------------------------------------------------------ */

static void checkpoint_without_boundary(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    RESULT(f, tp_checkpoint(y, NULL, 1));
}

static void checkpoint_of_no_boundary(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    RESULT(f, tp_checkpoint(y, &f->a4, 0));
}

static void checkpoint_of_absent(fixture *f)
{
    const tp_tensor from = TP_HERE(f->a4);
    PLACE(f);
    f->gives_tensor = true;
    f->result = (tp_checkpoint)(f->absent, &(tp_tensor){from.tape, f->file, f->line, from.id, from.epoch}, 1);
}

static void checkpoint_of_stale(fixture *f)
{
    RESULT(f, tp_checkpoint(f->stale, &f->a4, 1));
}

static void checkpoint_from_foreign(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4), from[2] = {f->a4, f->foreign};
    RESULT(f, tp_checkpoint(y, from, 2));
}

static void checkpoint_from_assignment(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4), from = tp_assign(f->a4, y);
    RESULT(f, tp_checkpoint(y, &from, 1));
}

static void checkpoint_of_i32(fixture *f)
{
    const tp_tensor y = tp_neg(f->i3);
    RESULT(f, tp_checkpoint(y, &f->i3, 1));
}

static void checkpoint_of_itself(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    RESULT(f, tp_checkpoint(y, &y, 1));
}

static void checkpoint_from_elsewhere(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4), from = tp_neg(f->a23);
    RESULT(f, tp_checkpoint(y, &from, 1));
}

static void checkpoint_without_memory(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    fail_allocation(f, 0);
    RESULT(f, tp_checkpoint(y, &f->a4, 1));
}

static void checkpoint_without_memory_for_parts(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    fail_allocation(f, 1);
    RESULT(f, tp_checkpoint(y, &f->a4, 1));
}

static void checkpoint_without_memory_for_operands(fixture *f)
{
    const tp_tensor y = tp_exp(f->a4);
    fail_allocation(f, 2);
    RESULT(f, tp_checkpoint(y, &f->a4, 1));
}

static void recompute_without_memory(fixture *f)
{
    tp_tensor g = f->a4;
    const tp_tensor y = tp_exp(f->a4);
    f->file = __FILE__;
    f->line = __LINE__ + 1;
    const tp_tensor loss = tp_sum(tp_checkpoint(y, &f->a4, 1));
    fail_allocation(f, 2); /* two for the sweep */
    f->gives_status = true;
    f->returned = (tp_gradient)(loss, &f->a4, 1, &g);
    assert_false(tp_is_valid(g));
}

static const error_row checkpoint_rows[] = {
    {"checkpoint without boundary",
     checkpoint_without_boundary,
     TP_BAD_ARGUMENT,
     {"checkpoint: there is no boundary to recompute from"}},
    {"checkpoint of no boundary",
     checkpoint_of_no_boundary,
     TP_BAD_ARGUMENT,
     {"checkpoint: there is no boundary to recompute from"}},
    {"checkpoint of an absent tensor",
     checkpoint_of_absent,
     TP_BAD_HANDLE,
     {"checkpoint: the tensor is absent"}},
    {"checkpoint of a stale tensor",
     checkpoint_of_stale,
     TP_BAD_HANDLE,
     {"checkpoint: the tensor is stale: the tape was rewound past it"}},
    {"checkpoint from a foreign tensor",
     checkpoint_from_foreign,
     TP_BAD_HANDLE,
     {"checkpoint: boundary[1] belongs to another tape"}},
    {"checkpoint from an assignment",
     checkpoint_from_assignment,
     TP_BAD_ARGUMENT,
     {"checkpoint: boundary[0] is an assignment, which has no value"}},
    {"checkpoint of i32",
     checkpoint_of_i32,
     TP_BAD_DTYPE,
     {"checkpoint: the tensor is i32; only f32 and f64 have gradients to recompute for"}},
    {"checkpoint from itself",
     checkpoint_of_itself,
     TP_BAD_ARGUMENT,
     {"checkpoint: nothing lies between the boundary and the tensor, to be recomputed"}},
    {"checkpoint from elsewhere",
     checkpoint_from_elsewhere,
     TP_BAD_ARGUMENT,
     {"checkpoint: nothing lies between the boundary and the tensor, to be recomputed"}},
    {"checkpoint without memory", checkpoint_without_memory, TP_OUT_OF_MEMORY, {"checkpoint: out of memory"}},
    {"checkpoint without memory for its parts",
     checkpoint_without_memory_for_parts,
     TP_OUT_OF_MEMORY,
     {"checkpoint: out of memory"}},
    {"checkpoint without memory for its operands",
     checkpoint_without_memory_for_operands,
     TP_OUT_OF_MEMORY,
     {"checkpoint: out of memory"}},
    {"recomputing without memory",
     recompute_without_memory,
     TP_OUT_OF_MEMORY,
     {"gradient: out of memory for a checkpoint"}},
};

#endif
