/* error_rows_program.h -- rows for src/tape/gradient.c, rule.c, program.c, reference.c and diagnose.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_PROGRAM_H
#define TAPIR_TESTS_ERROR_ROWS_PROGRAM_H

#include "error_rows.h"

/* ---- gradient.c: arguments -------------------------------------------------------------------------- */

static void differentiate(fixture *f, tp_tensor y, tp_tensor wrt)
{
    tp_tensor g = f->a4;
    f->gives_status = true;
    f->returned = (tp_gradient)(tp_locate(y, f->file, f->line), &wrt, 1, &g);
    assert_false(tp_is_valid(g));
}

static void gradient_of_many(fixture *f)
{
    PLACE(f), differentiate(f, tp_neg(f->a23), f->a23);
}

static void gradient_of_assignment(fixture *f)
{
    const tp_tensor w = tp_parameter(f->tape, TP_F32, TP_SHAPE_0D, NULL);
    PLACE(f), differentiate(f, tp_assign(w, f->number), w);
}

static void gradient_of_i32(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->i3), f->a4);
}

static void gradient_for_absent(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), f->absent);
}

static void gradient_for_foreign(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), f->foreign);
}

static void gradient_for_poison(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), f->poison);
}

static void gradient_for_stale(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), f->stale);
}

static void gradient_for_i32(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), f->i3);
}

static void gradient_for_assignment(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), tp_assign(f->a4, f->number));
}

static void gradient_for_number(fixture *f)
{
    PLACE(f), differentiate(f, tp_sum(f->a4), tp_full(f->tape, TP_F32, TP_SHAPE(4), 2));
}

/* The second reshape reads a4, not the first: asked for the first, the sweep would find nothing and answer 0. */
static void gradient_for_bypassed_view(fixture *f)
{
    const tp_tensor first = tp_reshape(f->a4, TP_SHAPE(2, 2)), second = tp_reshape(first, TP_SHAPE(1, 4));
    PLACE(f), differentiate(f, tp_sum(tp_exp(second)), first);
}

static void gradient_for_bypassed_expand(fixture *f)
{
    const tp_tensor many = tp_expand(f->a4, TP_SHAPE(3, 4));
    PLACE(f), differentiate(f, tp_sum(tp_mul(many, many)), many);
}

static void gradient_for_bypassed_neg(fixture *f)
{
    const tp_tensor minus = tp_neg(f->a4);
    PLACE(f), differentiate(f, tp_sum(tp_exp(tp_neg(minus))), minus);
}

static void gradient_to_null(fixture *f)
{
    const tp_tensor loss = tp_sum(f->a4);
    RETURNS(f, tp_gradient(loss, &f->a4, 1, NULL));
}

static void gradient_of_minus_one(fixture *f)
{
    tp_tensor g;
    const tp_tensor loss = tp_sum(f->a4);
    RETURNS(f, tp_gradient(loss, &f->a4, -1, &g));
}

static void weigh(fixture *f, tp_tensor seed)
{
    tp_tensor g = f->a4;
    f->gives_status = true;
    f->returned = (tp_vector_jacobian)(tp_locate(tp_exp(f->a4), f->file, f->line), seed, &f->a4, 1, &g, NULL);
    assert_false(tp_is_valid(g));
}

static void seed_absent(fixture *f)
{
    PLACE(f), weigh(f, f->absent);
}

static void seed_foreign(fixture *f)
{
    PLACE(f), weigh(f, f->foreign);
}

static void seed_dtype(fixture *f)
{
    PLACE(f), weigh(f, f->d23);
}

static void gradient_without_memory(fixture *f)
{
    const tp_tensor loss = tp_sum(f->a4);
    fail_allocation(f, 0);
    PLACE(f), differentiate(f, loss, f->a4);
}

static void gradient_of_nine_without_memory(fixture *f)
{
    tp_tensor x[9];
    for (int k = 0; k < 9; k++)
        x[k] = f->a4;
    const tp_tensor loss = tp_sum((PLACE(f), tp_concat(x, 9, 0)));
    fail_allocation(f, 2); /* two for the sweep, then the rule's operands */
    differentiate(f, loss, f->a4);
}

/* ---- rule.c ------------------------------------------------------------------------------------------- */

static void identity(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    memcpy(y, x[0], (size_t)n * sizeof(float));
}

/* A rule has nothing but its operands: it finds here what else it needs, and leaves its place. */
static fixture *in_rule;

static void through_user_op(fixture *f, const tp_op *op)
{
    in_rule = f;
    f->file = __FILE__;
    f->line = __LINE__ + 1;
    const tp_tensor y = tp_record(op, (tp_tensor[]){TP_HERE(f->a4)}, 1, NULL);
    tp_tensor g = f->a4;
    f->gives_status = true;
    f->returned = (tp_gradient)(tp_locate(tp_sum(y), f->file, f->line), &f->a4, 1, &g);
    assert_false(tp_is_valid(g));
}

static void rule_missing(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = 1, .map = {identity}};
    through_user_op(f, &op);
}

static void yield_five(const tp_vjp *d)
{
    PLACE(in_rule), d->dx[0] = tp_full(d->g.tape, TP_F32, TP_SHAPE(5), 1);
}

static void rule_of_another_shape(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .vjp = yield_five, .map = {identity}};
    through_user_op(f, &op);
}

static tp_status run_identity(const tp_call *c)
{
    memcpy(c->y.data, c->x[0].data, (size_t)tp_shape_count(c->y.shape) * sizeof(float));
    return TP_OK;
}

static void rule_of_another_shape_for_a_call(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_CALL, .arity = 1, .vjp = yield_five, .run = run_identity};
    through_user_op(f, &op);
}

static void yield_f64(const tp_vjp *d)
{
    PLACE(in_rule), d->dx[0] = tp_cast(d->g, TP_F64);
}

static void rule_of_another_dtype(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_MAP, .arity = 1, .vjp = yield_f64, .map = {identity}};
    through_user_op(f, &op);
}

static void yield_foreign(const tp_vjp *d)
{
    d->dx[0] = tp_full(in_rule->other, TP_F32, TP_SHAPE(4), 1);
}

static void rule_of_another_tape(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .vjp = yield_foreign, .map = {identity}};
    through_user_op(f, &op);
}

static void yield_invalid(const tp_vjp *d)
{
    d->dx[0] = (tp_tensor){.tape = d->g.tape, .id = -1};
}

static void rule_of_nothing(fixture *f)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .vjp = yield_invalid, .map = {identity}};
    through_user_op(f, &op);
}

static const error_row gradient_rows[] = {
    {"gradient of many",
     gradient_of_many,
     TP_BAD_SHAPE,
     {"gradient: the loss must have one element, but it is f32[2,3] (reduce it, or use tp_vector_jacobian)"}},
    {"gradient of an assignment", gradient_of_assignment, TP_BAD_ARGUMENT, {"gradient: assign has no value"}},
    {"gradient of i32", gradient_of_i32, TP_BAD_DTYPE, {"gradient: the differentiated tensor is i32"}},
    {"for an absent tensor", gradient_for_absent, TP_BAD_HANDLE, {"gradient: wrt[0] is absent"}},
    {"for a foreign tensor",
     gradient_for_foreign,
     TP_BAD_HANDLE,
     {"gradient: wrt[0] belongs to another tape"}},
    {"for an invalid tensor", gradient_for_poison, TP_BAD_HANDLE, {"gradient: wrt[0] is invalid"}},
    {"for a stale tensor",
     gradient_for_stale,
     TP_BAD_HANDLE,
     {"gradient: wrt[0] is stale: the tape was rewound past it"}},
    {"for i32", gradient_for_i32, TP_BAD_DTYPE, {"gradient: wrt[0] is i32; only f32 and f64 have gradients"}},
    {"for an assignment",
     gradient_for_assignment,
     TP_BAD_ARGUMENT,
     {"gradient: wrt[0] (assign) is an assignment, which has no value"}},
    {"for a known number",
     gradient_for_number,
     TP_BAD_ARGUMENT,
     {"gradient: wrt[0] (expand) is a known number, which folds into what uses it: make it a parameter"}},
    {"for a reshape that was bypassed",
     gradient_for_bypassed_view,
     TP_BAD_ARGUMENT,
     {"gradient: wrt[0] (reshape) was simplified away where it is used: take what it was made of"}},
    {"for an expand that was bypassed",
     gradient_for_bypassed_expand,
     TP_BAD_ARGUMENT,
     {"gradient: wrt[0] (expand) was simplified away"}},
    {"for a neg that was bypassed",
     gradient_for_bypassed_neg,
     TP_BAD_ARGUMENT,
     {"gradient: wrt[0] (neg) was simplified away"}},
    {"gradient to NULL", gradient_to_null, TP_BAD_ARGUMENT, {"gradient: wrt or out is NULL"}},
    {"gradient for -1 tensors", gradient_of_minus_one, TP_BAD_ARGUMENT, {"gradient: wrt or out is NULL"}},
    {"absent seed", seed_absent, TP_BAD_HANDLE, {"gradient: the seed is absent"}},
    {"foreign seed", seed_foreign, TP_BAD_HANDLE, {"gradient: the seed belongs to another tape"}},
    {"seed of another dtype", seed_dtype, TP_BAD_DTYPE, {"gradient: the seed is f64, the tensor f32"}},
    {"out of memory for the sweep", gradient_without_memory, TP_OUT_OF_MEMORY, {"gradient: out of memory"}},
};

static const error_row rule_rows[] = {
    {"out of memory for nine operands",
     gradient_of_nine_without_memory,
     TP_OUT_OF_MEMORY,
     {"gradient: out of memory"}},
    {"rule missing", rule_missing, TP_NO_DERIVATIVE, {"gradient: user has no derivative"}},
    {"rule of another shape",
     rule_of_another_shape,
     TP_BAD_SHAPE,
     {"gradient of user: its rule yields f32[5] for operand 0, which is f32[4]"}},
    {"rule of another shape, call",
     rule_of_another_shape_for_a_call,
     TP_BAD_SHAPE,
     {"gradient of user: its rule yields f32[5] for operand 0, which is f32[4]"}},
    {"rule of another dtype",
     rule_of_another_dtype,
     TP_BAD_SHAPE,
     {"gradient of user: its rule yields f64", "for operand 0, which is f32[4]"}},
    {"rule of another tape",
     rule_of_another_tape,
     TP_BAD_HANDLE,
     {"gradient of user: its rule yields another tape's tensor for operand 0"}},
    {"rule of nothing",
     rule_of_nothing,
     TP_BAD_HANDLE,
     {"gradient of user: its rule yields an invalid tensor for operand 0"}},
};

/* ---- program.c -------------------------------------------------------------------------------------- */

static void compile_fails(const tp_tensor *outputs, int n)
{
    assert_null(tp_compile(outputs, n, NULL));
}

static void two_assignments(fixture *f)
{
    const tp_tensor one = tp_assign(f->a4, f->number), two = (PLACE(f), tp_assign(f->a4, tp_neg(f->a4)));
    compile_fails((tp_tensor[]){one, two}, 2);
}

static void two_equal_assignments(fixture *f)
{
    const tp_tensor one = tp_assign(f->a4, f->number), two = (PLACE(f), tp_assign(f->a4, f->number));
    compile_fails((tp_tensor[]){tp_group((tp_tensor[]){one, two}, 2)}, 1);
}

static void compile_without_memory(fixture *f)
{
    fail_allocation(f, 0);
    compile_fails(&f->a4, 1);
}

static void compile_without_program(fixture *f)
{
    fail_allocation(f, 1);
    compile_fails(&f->a4, 1);
}

static void compile_without_steps(fixture *f)
{
    fail_allocation(f, 2);
    compile_fails(&f->a4, 1);
}

/* 4 times 2^62 bytes: their sum is 0 modulo 2^64. */
static void compile_too_large(fixture *f)
{
    tp_tensor x[4];
    for (int k = 0; k < 4; k++)
        x[k] = tp_uniform(f->tape, TP_F64, TP_SHAPE((int64_t)1 << 59));
    compile_fails(x, 4);
}

static void output_absent(fixture *f)
{
    compile_fails((tp_tensor[]){f->absent, f->a4}, 2);
}

static void output_foreign(fixture *f)
{
    compile_fails((tp_tensor[]){f->a4, f->foreign}, 2);
}

static void output_invalid(fixture *f)
{
    compile_fails((tp_tensor[]){f->a4, f->poison}, 2);
}

static void output_stale(fixture *f)
{
    PLACE(f), compile_fails((tp_tensor[]){TP_HERE(f->stale)}, 1);
}

static void input_unwritten(fixture *f)
{
    const tp_tensor x = (PLACE(f), tp_input(f->tape, TP_F32, TP_SHAPE(8)));
    compile(f, tp_sum(x));
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static const error_row program_rows[] = {
    {"two assignments to a leaf",
     two_assignments,
     TP_BAD_STATE,
     {"tp_compile: two assignments change the same parameter f32[4]"}},
    {"the same assignment twice",
     two_equal_assignments,
     TP_BAD_STATE,
     {"tp_compile: two assignments change the same parameter f32[4]"}},
    {"out of memory for outputs", compile_without_memory, TP_OUT_OF_MEMORY, {"tp_compile: out of memory"}},
    {"out of memory for a program", compile_without_program, TP_OUT_OF_MEMORY, {"tp_compile: out of memory"}},
    {"out of memory for steps", compile_without_steps, TP_OUT_OF_MEMORY, {"tp_compile: out of memory"}},
    {"a program of 2^64 bytes", compile_too_large, TP_OUT_OF_MEMORY, {"tp_compile: out of memory"}},
    {"absent output", output_absent, TP_BAD_HANDLE, {"tp_compile: an output is absent"}},
    {"foreign output", output_foreign, TP_BAD_HANDLE, {"tp_compile: the outputs belong to different tapes"}},
    {"invalid output", output_invalid, TP_BAD_HANDLE, {"tp_compile: an output is invalid"}},
    {"stale output",
     output_stale,
     TP_BAD_HANDLE,
     {"tp_compile: an output is stale: the tape was rewound past it"}},
};

static const error_row program_use_rows[] = {
    {"input not written", input_unwritten, TP_BAD_STATE, {"tp_run: the input f32[8] was not written yet"}},
};

/* ---- reference.c, diagnose.c ------------------------------------------------------------------------ */

static void run(fixture *f, tp_tensor output, bool check_finite)
{
    f->program = tp_compile(&output, 1, &(tp_compile_options){.check_finite = check_finite});
    assert_non_null(f->program);
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static void sum_too_large(fixture *f)
{
    PLACE(f), run(f, tp_sum_over(f->i23, TP_AXES(1), false), false);
}

static tp_status fail_quietly(const tp_call *c)
{
    (void)c;
    return TP_BAD_STATE;
}

static void kernel_without_reason(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_CALL, .arity = 1, .run = fail_quietly};
    PLACE(f), run(f, tp_record(&op, (tp_tensor[]){TP_HERE(f->a4)}, 1, NULL), false);
}

static tp_status complain_and_go_on(const tp_call *c)
{
    tp_call_fail(c, "%d of %d", 1, c->n);
    return TP_OK;
}

static void kernel_that_goes_on(fixture *f)
{
    static const tp_op op = {.name = "user", .kind = TP_CALL, .arity = 1, .run = complain_and_go_on};
    PLACE(f), run(f, tp_record(&op, (tp_tensor[]){TP_HERE(f->a4)}, 1, NULL), false);
}

static const error_row reference_rows[] = {
    {"integer sum too large",
     sum_too_large,
     TP_BAD_VALUE,
     {"sum: the result 6442450941 does not fit i32 (element 0)"}},
    {"kernel without a reason",
     kernel_without_reason,
     TP_BAD_VALUE,
     {"user: its kernel failed without a reason"}},
    {"kernel that fails and goes on", kernel_that_goes_on, TP_BAD_VALUE, {"user: 1 of 1"}},
};

static void log_of_negative(fixture *f)
{
    PLACE(f), run(f, tp_sum(tp_log(tp_neg(f->a4))), true);
}

static void infinity_in_input(fixture *f)
{
    const tp_tensor x = (PLACE(f), tp_parameter(f->tape, TP_F32, TP_SHAPE(3), (float[]){1, 2, INFINITY}));
    run(f, tp_exp(x), true);
}

static void root_at_zero(fixture *f)
{
    tp_tensor g;
    const tp_tensor w = tp_parameter(f->tape, TP_F32, TP_SHAPE(3), (float[]){1, 0, 4});
    const tp_tensor loss = (PLACE(f), tp_sum(tp_sqrt(w)));
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    run(f, g, true);
}

static const error_row diagnose_rows[] = {
    {"logarithm of -1", log_of_negative, TP_NOT_FINITE, {"log of -1 (element 0) gave nan"}},
    {"infinity in a leaf", infinity_in_input, TP_NOT_FINITE, {"parameter holds inf (element 2)"}},
    {"root at 0",
     root_at_zero,
     TP_NOT_FINITE,
     {"div of 0.5, 0 (element 1) gave inf, in the gradient of sqrt of 0"}},
};

#endif
