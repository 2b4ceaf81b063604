/* rule.c -- one node's derivative rule: what it sees, and what it yields made fit to be added up. */
#include "sweep.h"

#include <tapir/ops.h>

/* ---- Running it ------------------------------------------------------------------------------------ */

static bool make_room(tp__rule *r, const char *mode)
{
    const size_t n = (size_t)r->node->n;
    if (n <= TP__RULE_FEW) {
        r->x = r->few;
        r->need = r->few_flags;
    } else {
        r->bytes = n * (2 * sizeof *r->x + 2 * sizeof *r->need);
        r->many = tp__allocate(&r->tape->allocator, r->bytes);
        if (r->many == NULL) {
            tp__fail(r->tape, TP_OUT_OF_MEMORY, r->node->place, "%s: out of memory", mode);
            return false;
        }
        r->x = r->many;
        r->need = (bool *)(r->x + 2 * n);
    }
    r->dx = r->x + n;
    r->finite = r->need + n;
    return true;
}

bool tp__rule_begin(tp__rule *r, tp_tape *tape, int32_t id, const char *mode)
{
    const tp__node *node = tp__node_at(tape, id);

    *r = (tp__rule){.tape = tape, .node = node, .outer_origin = tape->origin, .outer_inside = tape->inside};
    tape->origin = id;
    tape->inside = &node->place;
    if (node->op->vjp == NULL) {
        tp__fail(tape, TP_NO_DERIVATIVE, node->place, "%s: %s has no derivative", mode, node->op->name);
        return false;
    }
    if (!make_room(r, mode))
        return false;
    r->y = tp__handle(tape, id);
    for (int32_t k = 0; k < node->n; k++) {
        r->x[k] = tp_locate(tp__handle(tape, node->input[k]), node->place.file, node->place.line);
        r->dx[k] = (tp_tensor){0};
        r->need[k] = r->finite[k] = false;
    }
    return true;
}

void tp__rule_end(tp__rule *r)
{
    r->tape->origin = r->outer_origin;
    r->tape->inside = r->outer_inside;
    tp__release(&r->tape->allocator, r->many, r->bytes);
}

bool tp__rule_run(tp__rule *r, tp_tensor g)
{
    const tp_vjp d = {
        .g = tp_locate(g, r->node->place.file, r->node->place.line),
        .y = r->y,
        .x = r->x,
        .n = r->node->n,
        .attr = r->node->attr,
        .need = r->need,
        .dx = r->dx,
        .finite = r->finite,
    };
    r->node->op->vjp(&d);
    return !r->tape->blocked;
}

/* ---- What it yields -------------------------------------------------------------------------------- */

static tp_tensor wrong_result(const tp__rule *r, int32_t k, tp_tensor v)
{
    const tp__node *operand = tp__node_at(r->tape, r->node->input[k]);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];
    const tp_shape shape = tp_shape_of(v);
    tp_describe(tp_dtype_of(v), &shape, got);
    tp_describe(operand->dtype, &operand->shape, expected);
    return tp_fail(v, TP_BAD_SHAPE, "gradient of %s: its rule yields %s for operand %d, which is %s",
                   r->node->op->name, got, (int)k, expected);
}

tp_tensor tp__rule_result(const tp__rule *r, int32_t k)
{
    const tp__node *operand = tp__node_at(r->tape, r->node->input[k]);
    const tp_tensor v = r->dx[k];
    double value = 0;

    if (v.tape != r->tape || tp__resolve(v, NULL) == NULL) {
        if (!r->tape->blocked) /* else the rule's own error is the one to report */
            tp__fail(r->tape, TP_BAD_HANDLE, r->node->place,
                     "gradient of %s: its rule yields %s for operand %d", r->node->op->name,
                     v.tape != r->tape ? "another tape's tensor" : "an invalid tensor", (int)k);
        return tp__invalid(r->tape);
    }
    if (tp_dtype_of(v) == TP_WEAK) {
        tp_is_scalar_constant(v, &value);
        return tp_locate(tp_scalar_of(r->tape, operand->dtype, value), v.file, v.line);
    }
    return tp_dtype_of(v) == operand->dtype ? v : wrong_result(r, k, v);
}

tp_tensor tp__sum_to_operand(const tp__rule *r, int32_t k, tp_tensor v)
{
    const tp__node *node = r->node, *operand = tp__node_at(r->tape, node->input[k]);
    tp_shape joint;

    if (!tp_is_valid(v))
        return v;
    /* A map's contribution stands for one of y's shape, however few elements it has itself. */
    if (node->op->kind == TP_MAP) {
        const tp_shape shape = tp_shape_of(v);
        if (!tp_broadcast(&shape, &node->shape, &joint) || !tp_shape_equal(joint, node->shape))
            return wrong_result(r, k, v);
        if (tp_shape_equal(node->shape, operand->shape))
            return v; /* adding it up broadcasts it */
        v = tp_expand(v, node->shape);
    }
    const tp_shape shape = tp_shape_of(v);
    if (tp_shape_equal(shape, operand->shape))
        return v;
    if (!tp_broadcast(&shape, &operand->shape, &joint) || !tp_shape_equal(joint, shape))
        return wrong_result(r, k, v);
    return tp_sum_to(v, operand->shape);
}

void tp_zero_derivative(const tp_vjp *d)
{
    (void)d;
}

/* ---- Masks ----------------------------------------------------------------------------------------- */

tp_tensor tp__take_masks_off(tp_tensor x, tp__masks *m)
{
    m->n = 0;
    while (m->n < TP__MOST_MASKS && (tp__resolve(x, NULL)->op->flags & TP_OP_MASKS)) {
        m->node[m->n++] = x;
        x = tp_operand_of(x, 1);
    }
    return x;
}

tp_tensor tp__put_masks_on(tp_tensor x, const tp__masks *m)
{
    for (int k = m->n - 1; k >= 0; k--)
        x = tp_record(tp_op_of(m->node[k]), (tp_tensor[]){tp_operand_of(m->node[k], 0), x}, 2, NULL);
    return x;
}
