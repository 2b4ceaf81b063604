/* step.c -- looking into a recorded step, and writing learning rates. */
#include <math.h>

#include "common.h"

/* The assignments of a step, in order: `most` of them, from number `first` on, go to out[]; all are counted. */
typedef struct walk {
    tp_tensor *out;
    int first, most, seen;
} walk;

static void walk_step(walk *w, tp_tensor step)
{
    const tp_op *op = tp_op_of(step);
    if (op == NULL)
        return;
    if (op->kind == TP_ASSIGN) {
        if (w->seen >= w->first && w->seen - w->first < w->most)
            w->out[w->seen - w->first] = step;
        w->seen++;
        return;
    }
    tp_tensor part;
    for (int k = 0; op->kind == TP_GROUP && tp_is_valid(part = tp_operand_of(step, k)); k++)
        walk_step(w, part);
}

int tp_step_leaves(tp_tensor step, tp_tensor *leaf, int capacity)
{
    walk w = {.out = leaf, .most = leaf != NULL && capacity > 0 ? capacity : 0};
    walk_step(&w, step);
    for (int k = 0; k < w.most && k < w.seen; k++)
        leaf[k] = tp_operand_of(leaf[k], 0);
    return w.seen;
}

static tp_tensor assignment_to(tp_tensor step, tp_tensor leaf)
{
    const tp_op *op = tp_op_of(step);
    tp_tensor part, found = {0};

    if (op == NULL || leaf.tape != step.tape || !tp_is_valid(leaf))
        return found;
    if (op->kind == TP_ASSIGN)
        return tp_operand_of(step, 0).id == leaf.id ? step : found;
    for (int k = 0; op->kind == TP_GROUP && tp_is_valid(part = tp_operand_of(step, k)); k++) {
        found = assignment_to(part, leaf);
        if (found.tape != NULL)
            break;
    }
    return found;
}

tp_tensor tp_step_value(tp_tensor step, tp_tensor leaf)
{
    return tp_operand_of(assignment_to(step, leaf), 1);
}

tp_tensor tp_optimiser_state(const tp_optimiser *o, int k, int slot)
{
    tp_tensor leaf = {0};
    if (o == NULL || k < 0 || k >= o->parameters || slot < 0 || slot >= o->slots)
        return leaf;
    walk w = {.out = &leaf, .first = o->scalars + k * (1 + o->slots) + 1 + slot, .most = 1};
    walk_step(&w, o->step);
    return tp_operand_of(leaf, 0);
}

tp_status tp_set_rate(tp_tensor rate, double value)
{
    if (!isfinite(value)) {
        tp_fail(rate, TP_BAD_ARGUMENT, "tp_set_rate: the rate must be finite, not %g", value);
        return TP_BAD_ARGUMENT;
    }
    if (tp_dtype_of(rate) == TP_F32)
        return tp_write_as(rate, TP_F32, &(float){(float)value}, 1);
    return tp_write_as(rate, TP_F64, &value, 1);
}
