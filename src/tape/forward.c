/* forward.c -- the forward sweep: tangents from wrt to y, by the rules of the reverse sweep.
 *
 * A map's rule at an adjoint of 1 is its local derivative, which multiplies the tangent.  Any other op's rule is recorded
 * for a stand-in of the adjoint: what it yields is linear in that, so a reverse sweep back to the stand-in, with the
 * operands' tangents as seeds, is the map that takes them to the tangent of the result.
 */
#include "sweep.h"

#include <tapir/ops.h>

typedef struct forward {
    tp_tape *tape;
    const char *mode;  /* for messages */
    int32_t low, high; /* ids that matter: from the oldest wrt to y */
    bool *needed;      /* [id - low]: y is made of it */
    int32_t *
        tangent; /* [id - low]: node of its tangent, of any shape that broadcasts to its own; or -1 for zero */
} forward;

/* ---- The stand-in for an adjoint ------------------------------------------------------------------- */

typedef struct standin_attr {
    tp_shape shape;
    int64_t dtype;
} standin_attr;

static const char *standin_infer(tp_inference *i)
{
    const standin_attr *a = i->attr;
    i->y_shape = a->shape;
    i->y_dtype = (tp_dtype)a->dtype;
    return NULL;
}

/* Ones: a rule that chooses by its adjoint (the strong zero inside prod's) sees where it is not zero. */
static tp_status fill_with_ones(const tp_call *c)
{
    const int64_t n = tp_shape_count(c->y.shape);
    for (int64_t i = 0; i < n; i++)
        if (c->y.dtype == TP_F32)
            ((float *)c->y.data)[i] = 1;
        else
            ((double *)c->y.data)[i] = 1;
    return TP_OK;
}

/* Impure, so that every one is new and near on the tape. */
static const tp_op standin = {
    .name = "any_adjoint",
    .kind = TP_CALL,
    .arity = 0,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(standin_attr),
    .infer = standin_infer,
    .run = fill_with_ones,
};

/* ---- Contributions --------------------------------------------------------------------------------- */

/* Zero is no contribution. */
static bool is_known_zero(tp_tensor x)
{
    double value;
    return tp_is_scalar_constant(x, &value) && value == 0;
}

/* The tangent of the k-th operand, or an absent tensor. */
static tp_tensor operand_tangent(const forward *f, const tp__node *node, int32_t k)
{
    const int32_t id = node->input[k];
    if (id < f->low || f->tangent[id - f->low] < 0)
        return (tp_tensor){0};
    return tp_locate(tp__handle(f->tape, f->tangent[id - f->low]), node->place.file, node->place.line);
}

/* derivative * tangent, but 0 where either is: the derivative's masks go onto the product. */
static tp_tensor strong_product(tp_tensor derivative, tp_tensor tangent, bool finite)
{
    tp__masks masks;
    derivative = tp__take_masks_off(derivative, &masks);
    tp_tensor v = tp_mul(derivative, tangent);
    if (!finite && !tp_is_scalar_constant(tangent, NULL))
        v = tp_guard(tangent, v);
    if (!tp_is_scalar_constant(derivative, NULL))
        v = tp_guard(derivative, v);
    return tp__put_masks_on(v, &masks);
}

/* What the k-th operand contributes to a map's tangent; absent if nothing, invalid after an error. */
static tp_tensor through_map(const tp__rule *r, int32_t k, tp_tensor tangent)
{
    tp_shape joint;
    const tp_tensor derivative = tp__rule_result(r, k);
    if (derivative.id < 0)
        return derivative;
    const tp_shape shape = tp_shape_of(derivative);
    if (!tp_broadcast(&shape, &r->node->shape, &joint) || !tp_shape_equal(joint, r->node->shape))
        return tp__sum_to_operand(r, k, derivative); /* reports it */
    if (is_known_zero(derivative))
        return (tp_tensor){0};
    const bool finite = r->finite[k] || (r->node->op->flags & TP_OP_FINITE);
    return tp_cast(strong_product(derivative, tangent, finite), r->node->dtype);
}

/* Adds to *total; false when that is, or the contribution was, invalid. */
static bool add_tangent(tp_tensor *total, tp_tensor v)
{
    if (v.tape == NULL || (v.id >= 0 && is_known_zero(v)))
        return true;
    *total = total->tape == NULL || v.id < 0 ? v : tp_add(*total, v);
    return total->id >= 0;
}

static bool push_map(const forward *f, tp__rule *r, tp_tensor *total)
{
    if (!tp__rule_run(r, tp_scalar_of(f->tape, r->node->dtype, 1)))
        return false;
    for (int32_t k = 0; k < r->node->n; k++)
        if (r->need[k] && r->dx[k].tape != NULL &&
            !add_tangent(total, through_map(r, k, operand_tangent(f, r->node, k))))
            return false;
    return true;
}

/* Any other op.  The rule's arrays get a second use: dx for what depends on the stand-in, x for the tangents. */
static bool push_linear(const forward *f, tp__rule *r, tp_tensor *total)
{
    const tp__node *node = r->node;
    tp_tape *tape = tp_locate_tape(f->tape, node->place.file, node->place.line);
    const tp_tensor g = tp_record_on(tape, &standin, NULL, 0, &(standin_attr){node->shape, node->dtype});
    tp_tensor out;
    int m = 0;

    if (g.id < 0 || !tp__rule_run(r, g))
        return false;
    for (int32_t k = 0; k < node->n; k++) {
        if (!r->need[k] || r->dx[k].tape == NULL)
            continue;
        const tp_tensor dx = tp__sum_to_operand(r, k, tp__rule_result(r, k));
        const tp_tensor seed = tp_expand(operand_tangent(f, node, k), tp_shape_of(dx));
        if (dx.id < 0 || seed.id < 0)
            return false;
        r->dx[m] = dx;
        r->x[m++] = seed;
    }
    if (m == 0)
        return true;
    return tp__pull_back(f->mode, r->dx, r->x, m, &g, 1, &out, true) == TP_OK && add_tangent(total, out);
}

/* ---- The sweep ------------------------------------------------------------------------------------- */

/* The tangent of a node that is no wrt; false after an error. */
static bool push_node(const forward *f, int32_t id, tp_tensor *tangent)
{
    const tp__node *node = tp__node_at(f->tape, id);
    bool moves = false, fine = true;
    tp__rule r;

    for (int32_t k = 0; k < node->n && tp__is_floating(node->dtype); k++)
        moves = moves || operand_tangent(f, node, k).tape != NULL;
    if (!moves || node->op->vjp == tp_zero_derivative)
        return true;
    if (node->op == &tp__checkpoint_op) {
        *tangent = operand_tangent(f, node, 0);
        return true;
    }
    fine = tp__rule_begin(&r, f->tape, id, f->mode);
    for (int32_t k = 0; k < node->n && fine; k++)
        r.need[k] = operand_tangent(f, node, k).tape != NULL;
    fine = fine && (node->op->kind == TP_MAP ? push_map(f, &r, tangent) : push_linear(f, &r, tangent));
    tp__rule_end(&r);
    return fine;
}

static void mark_needed(const forward *f)
{
    f->needed[f->high - f->low] = true;
    for (int32_t id = f->high; id >= f->low; id--) {
        const tp__node *node = tp__node_at(f->tape, id);
        for (int32_t k = 0; k < node->n && f->needed[id - f->low]; k++)
            if (node->input[k] >= f->low)
                f->needed[node->input[k] - f->low] = true;
    }
}

/* The sum of what comes from the operands and of the directions of the wrt that the node is. */
static bool find_tangent(const forward *f, int32_t id, const tp_tensor *wrt, const tp_tensor *direction,
                         int n)
{
    tp_tensor tangent = {0};
    if (!push_node(f, id, &tangent))
        return false;
    for (int k = 0; k < n; k++)
        if (wrt[k].id == id && !add_tangent(&tangent, direction[k]))
            return false;
    if (tangent.tape != NULL && !is_known_zero(tangent))
        f->tangent[id - f->low] = tangent.id;
    return true;
}

static tp_tensor sweep_with_memory(forward *f, tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction,
                                   int n)
{
    const size_t span = (size_t)(f->high - f->low) + 1;
    memset(f->needed, 0, span);
    for (size_t i = 0; i < span; i++)
        f->tangent[i] = -1;
    mark_needed(f);
    for (int32_t id = f->low; id <= f->high; id++)
        if (f->needed[id - f->low] && !find_tangent(f, id, wrt, direction, n))
            return tp__invalid(f->tape);
    const int32_t last = f->tangent[f->high - f->low];
    const tp_tensor tangent =
        last >= 0 ? tp__handle(f->tape, last) : tp_scalar_of(f->tape, tp_dtype_of(y), 0);
    return tp_expand(tp_locate(tangent, y.file, y.line), tp_shape_of(y));
}

tp_tensor tp__push_forward(const char *mode, tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction,
                           int n)
{
    forward f = {.tape = y.tape, .mode = mode, .low = y.id, .high = y.id};
    tp_tensor out = tp__invalid(y.tape);

    for (int k = 0; k < n; k++)
        f.low = wrt[k].id < f.low ? wrt[k].id : f.low;
    const tp_allocator *allocator = &f.tape->allocator;
    const size_t span = (size_t)(f.high - f.low) + 1;
    f.needed = tp__allocate(allocator, span);
    f.tangent = tp__allocate(allocator, span * sizeof *f.tangent);
    if (f.needed == NULL || f.tangent == NULL)
        tp__fail(f.tape, TP_OUT_OF_MEMORY, tp__place_of(y), "%s: out of memory", mode);
    else
        out = sweep_with_memory(&f, y, wrt, direction, n);
    tp__release(allocator, f.needed, span);
    tp__release(allocator, f.tangent, span * sizeof *f.tangent);
    return out;
}
