/* replay.c -- recorded nodes, recorded again: the same ops at the same places and in the same scopes. */
#include <tapir/ops.h>

#include "checker.h"

void tp__mark_needed(const tp_tape *tape, const tp_tensor *tensor, int n, bool *needed)
{
    memset(needed, 0, (size_t)tape->count * sizeof *needed);
    for (int k = 0; k < n; k++)
        needed[tensor[k].id] = true;
    for (int32_t id = tape->count - 1; id >= 0; id--) {
        const tp__node *node = tp__node_at(tape, id);
        for (int32_t k = 0; k < node->n && needed[id]; k++)
            needed[node->input[k]] = true;
    }
}

void tp__mark_active(const tp__scratch *s, int variables, bool *active)
{
    for (int k = 0; k < variables; k++)
        if (s->x[k].checked)
            active[s->x[k].leaf.id] = true;
    for (int32_t id = 0; id < s->tape->count; id++) {
        const tp__node *node = tp__node_at(s->tape, id);
        for (int32_t k = 0; k < node->n && tp__is_float(node->dtype); k++)
            active[id] = active[id] || active[node->input[k]];
    }
}

/* ---- Scopes and places ----------------------------------------------------------------------------- */

static void open_path(tp_tape *tape, const tp__scope *scope)
{
    if (scope == NULL)
        return;
    open_path(tape, scope->parent);
    tp_scope_begin(tape, scope->name);
}

/* ---- Leaves ---------------------------------------------------------------------------------------- */

static tp_tensor copy_leaf(tp_tape *to, const tp__node *node)
{
    if (node->op == &tp__scalar_op) {
        const double value = ((const tp__scalar_attr *)node->attr)->value;
        return node->dtype == TP_WEAK ? tp_scalar(to, value) : tp_scalar_of(to, node->dtype, value);
    }
    if (!node->leaf->written) {
        char text[TP_TEXT_SIZE];
        tp__fail(to, TP_BAD_STATE, node->place, "the %s %s has no values yet", node->op->name,
                 tp_describe(node->leaf->declared, &node->shape, text));
        return tp__invalid(to);
    }
    return tp_constant(to, node->dtype, node->shape, node->leaf->data);
}

/* ---- Ops ------------------------------------------------------------------------------------------- */

/* Casts and sources name their dtype, so on a tape that keeps f32 as f64 they are other ops. */
static tp_tensor record_op(tp_tape *to, const tp__node *node, const tp_tensor *x)
{
    const bool is_cast = node->op->kind == TP_MAP && node->n == 1 && strncmp(node->op->name, "cast_", 5) == 0;
    if (is_cast)
        return tp_cast(x[0], node->dtype);
    const tp_tensor y = tp_record_on(to, node->op, x, node->n, node->attr);
    const bool is_source = node->n == 0 || node->op->run == tp__redraw_run;
    if (is_source && tp_is_valid(y) && tp_dtype_of(y) != tp_dtype_on(to, tp_dtype_of(y)))
        return tp_cast(y, TP_F64);
    return y;
}

static tp_tensor record_node(const tp__replay *r, const tp__node *node)
{
    enum { FEW = 8 };
    tp_tensor few[FEW], *x = few;
    const tp__scope *open = r->to->scope;
    const size_t bytes = (size_t)node->n * sizeof *x;

    if (node->n > FEW)
        x = tp__allocate(&r->to->allocator, bytes);
    if (x == NULL) {
        tp__fail(r->to, TP_OUT_OF_MEMORY, node->place, "out of memory while recording again");
        return tp__invalid(r->to);
    }
    for (int32_t k = 0; k < node->n; k++)
        x[k] = tp_locate(r->map[node->input[k]], node->place.file, node->place.line);
    r->to->scope = NULL;
    open_path(r->to, node->place.scope);
    tp_locate_tape(r->to, node->place.file, node->place.line);
    const tp_tensor y = node->op->kind == TP_LEAF ? copy_leaf(r->to, node) : record_op(r->to, node, x);
    tp_locate_tape(r->to, NULL, 0);
    r->to->scope = open;
    if (x != few)
        tp__release(&r->to->allocator, x, bytes);
    return y;
}

static bool is_unchanged(const tp__replay *r, const tp__node *node)
{
    if (r->from != r->to)
        return false;
    for (int32_t k = 0; k < node->n; k++)
        if (r->map[node->input[k]].id != node->input[k])
            return false;
    return true;
}

/* Backwards what is needed, forwards in recording order; the map itself marks what is needed, by a line of -1. */
bool tp__replay_node(const tp__replay *r, int32_t id)
{
    enum { WANTED = -1 };

    if (r->map[id].tape == NULL)
        r->map[id].line = WANTED;
    for (int32_t i = id; i >= 0; i--) {
        const tp__node *node = tp__node_at(r->from, i);
        for (int32_t k = 0; k < node->n && r->map[i].tape == NULL && r->map[i].line == WANTED; k++)
            if (r->map[node->input[k]].tape == NULL)
                r->map[node->input[k]].line = WANTED;
    }
    for (int32_t i = 0; i <= id; i++) {
        const tp__node *node = tp__node_at(r->from, i);
        if (r->map[i].tape != NULL || r->map[i].line != WANTED)
            continue;
        r->map[i] = is_unchanged(r, node) ? tp__handle(r->to, i) : record_node(r, node);
        if (!tp_is_valid(r->map[i]))
            return false;
    }
    return true;
}
