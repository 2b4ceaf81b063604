/* golden_ops.c -- records a golden case, differentiates it twice, in every mode, compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tapir/modes.h>

#include "golden_ops.h"

/* ---- Inputs ---------------------------------------------------------------------------------------------- */

static tp_shape shape_of_block(const golden_block *b)
{
    tp_shape shape = {.rank = b->rank};
    for (int d = 0; d < b->rank; d++)
        shape.dim[d] = b->dim[d];
    return shape;
}

static tp_tensor record_input(golden_record *r, const golden_block *b)
{
    int32_t index[VALUES_MAX];
    if (b->f64 != NULL && golden_find(r->c, GOLDEN_GRAD, b->name) != NULL)
        return tp_parameter(r->tape, TP_F64, shape_of_block(b), b->f64);
    if (b->f64 != NULL)
        return tp_constant(r->tape, TP_F64, shape_of_block(b), b->f64);
    assert_in_range((uintmax_t)b->count, 0, VALUES_MAX);
    for (int64_t i = 0; i < b->count; i++)
        index[i] = (int32_t)b->i64[i];
    return tp_constant(r->tape, TP_I32, shape_of_block(b), index);
}

static const golden_block *input_block(const golden_record *r, int k)
{
    for (int b = 0, seen = 0; b < r->c->block_count; b++)
        if (r->c->block[b].kind == GOLDEN_IN && seen++ == k)
            return &r->c->block[b];
    return NULL;
}

tp_tensor golden_input(const golden_record *r, const char *name)
{
    for (int k = 0; k < r->n; k++)
        if (strcmp(input_block(r, k)->name, name) == 0)
            return r->x[k];
    return (tp_tensor){0};
}

static bool all_axes(const golden_case *c)
{
    for (int k = 0; k < c->option_count; k++)
        if (strcmp(c->option[k].key, "axes") == 0)
            return strcmp(c->option[k].value[0], "all") == 0;
    return false;
}

tp_axes golden_axes(const golden_record *r)
{
    int64_t list[TP_MAX_RANK];
    tp_axes axes = {.n = (int)tp_shape_of(r->x[0]).rank};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = k;
    if (all_axes(r->c))
        return axes;
    axes.n = golden_integers(r->c, "axes", list, TP_MAX_RANK);
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = (int)list[k];
    return axes;
}

/* ---- Outputs and derivatives ------------------------------------------------------------------------------- */

static void compare(const golden_record *r, golden_kind kind, const char *name, tp_tensor y)
{
    static double got[VALUES_MAX];
    const golden_block *block = golden_get(r->c, kind, name);

    if (!tp_shape_equal(tp_shape_of(y), shape_of_block(block)))
        fail_msg("%s:%d: case %s: %s %s has another shape: %s", r->c->file, block->line, r->c->name,
                 golden_kind_name(kind), name, tp_tape_message(r->tape));
    compute(y, got);
    if (block->i64 == NULL) {
        golden_check(r->c, block, got, block->count, GOLDEN_TOLERANCE);
        return;
    }
    for (int64_t i = 0; i < block->count; i++)
        if (got[i] != (double)block->i64[i])
            fail_msg("%s:%d: case %s: element %lld of %s is %g instead of %lld", r->c->file, block->line,
                     r->c->name, (long long)i, name, got[i], (long long)block->i64[i]);
}

static tp_tensor constant_of(const golden_record *r, golden_kind kind, const char *name)
{
    const golden_block *b = golden_get(r->c, kind, name);
    return tp_constant(r->tape, TP_F64, shape_of_block(b), b->f64);
}

/* Compares the outputs and returns sum of cot * out. */
static tp_tensor check_outputs(const golden_record *r)
{
    tp_tensor loss = tp_scalar_of(r->tape, TP_F64, 0);
    for (int b = 0, k = 0; b < r->c->block_count; b++) {
        const golden_block *block = &r->c->block[b];
        if (block->kind != GOLDEN_OUT)
            continue;
        compare(r, GOLDEN_OUT, block->name, r->out[k]);
        if (golden_find(r->c, GOLDEN_COT, block->name) != NULL)
            loss = tp_add(loss, tp_sum(tp_mul(constant_of(r, GOLDEN_COT, block->name), r->out[k])));
        k++;
    }
    return loss;
}

/* The same by tp_hessian_vector, and by forward mode over the gradient; and the slope by forward mode. */
static void check_modes(const golden_record *r, tp_tensor loss, const tp_tensor *wrt, const char *const *name,
                        int n)
{
    tp_tensor direction[GOLDEN_MAX_TENSORS], g[GOLDEN_MAX_TENSORS], out[GOLDEN_MAX_TENSORS];
    tp_tensor slope, by_gradient = tp_scalar_of(r->tape, TP_F64, 0);

    for (int k = 0; k < n; k++)
        direction[k] = golden_find(r->c, GOLDEN_DIR, name[k]) != NULL ? constant_of(r, GOLDEN_DIR, name[k])
                                                                      : tp_scalar(r->tape, 0);
    assert_int_equal(tp_hessian_vector(loss, wrt, direction, n, out), TP_OK);
    for (int k = 0; k < n; k++)
        compare(r, GOLDEN_HVP, name[k], out[k]);
    assert_int_equal(tp_gradient(loss, wrt, n, g), TP_OK);
    for (int k = 0; k < n; k++) {
        by_gradient = tp_add(by_gradient, tp_sum(tp_mul(g[k], direction[k])));
        assert_int_equal(tp_jvp(g[k], wrt, direction, n, &out[k]), TP_OK);
        compare(r, GOLDEN_HVP, name[k], out[k]);
    }
    assert_int_equal(tp_jvp(loss, wrt, direction, n, &slope), TP_OK);
    const double a = compute_one(slope), b = compute_one(by_gradient);
    assert_close(r->c->name, &a, &b, 1, GOLDEN_TOLERANCE);
}

static void check_derivatives(const golden_record *r, tp_tensor loss)
{
    tp_tensor wrt[GOLDEN_MAX_TENSORS], g[GOLDEN_MAX_TENSORS], second[GOLDEN_MAX_TENSORS];
    const char *name[GOLDEN_MAX_TENSORS];
    tp_tensor along = tp_scalar_of(r->tape, TP_F64, 0);
    bool twice = false;
    int n = 0;

    for (int k = 0; k < r->n; k++) {
        name[n] = input_block(r, k)->name;
        if (golden_find(r->c, GOLDEN_GRAD, name[n]) != NULL)
            wrt[n++] = r->x[k];
    }
    assert_int_equal(tp_gradient(loss, wrt, n, g), TP_OK);
    for (int k = 0; k < n; k++) {
        compare(r, GOLDEN_GRAD, name[k], g[k]);
        if (golden_find(r->c, GOLDEN_DIR, name[k]) == NULL)
            continue;
        along = tp_add(along, tp_sum(tp_mul(constant_of(r, GOLDEN_DIR, name[k]), g[k])));
        twice = true;
    }
    if (!twice)
        return;
    assert_int_equal(tp_gradient(along, wrt, n, second), TP_OK);
    for (int k = 0; k < n; k++)
        compare(r, GOLDEN_HVP, name[k], second[k]);
    check_modes(r, loss, wrt, name, n);
}

/* ---- Cases ------------------------------------------------------------------------------------------------- */

static void build(const golden_op *op, golden_record *r)
{
    if (op->unary != NULL)
        r->out[0] = op->unary(r->x[0]);
    else if (op->binary != NULL)
        r->out[0] = op->binary(r->x[0], r->x[1]);
    else
        op->build(r);
}

static void run_case(const golden_case *c, const golden_op *op)
{
    golden_record r = {.c = c, .tape = tp_tape_create(NULL)};
    while (input_block(&r, r.n) != NULL) {
        assert_in_range(r.n, 0, GOLDEN_MAX_TENSORS - 1);
        r.x[r.n] = record_input(&r, input_block(&r, r.n));
        r.n++;
    }
    build(op, &r);
    if (tp_tape_status(r.tape) != TP_OK)
        fail_msg("%s:%d: case %s: %s", c->file, c->line, c->name, tp_tape_message(r.tape));
    check_derivatives(&r, check_outputs(&r));
    assert_no_error(r.tape);
    tp_tape_destroy(r.tape);
}

void golden_run_ops(const char *file, const golden_op *op, int n, int least)
{
    golden_reader *reader = golden_open(file);
    const golden_case *c;
    int ran = 0, later = 0;

    while ((c = golden_next(reader)) != NULL) {
        int k = 0;
        while (k < n && strcmp(op[k].op, c->op) != 0)
            k++;
        if (k == n)
            fail_msg("%s:%d: operation %s is not in the test's table", c->file, c->line, c->op);
        if (op[k].build == NULL && op[k].unary == NULL && op[k].binary == NULL) {
            later++;
            continue;
        }
        run_case(c, &op[k]);
        ran++;
    }
    print_message("%s: %d cases, %d of operations that do not exist yet\n", file, ran, later);
    assert_in_range(ran, least, 100000);
}
