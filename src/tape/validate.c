/* validate.c -- what an op must be for the executor to run it: a user's op is checked before it does harm. */
#include "sweep.h"

/* ---- The definition -------------------------------------------------------------------------------- */

static const char *arity_fault(const tp_op *op, int n)
{
    if (op->arity != TP_ANY_ARITY && op->arity != n)
        return "wrong number of operands";
    switch (op->kind) {
    case TP_MAP:
        return n == 0 ? "a map needs an operand" : n > TP_TILE ? "too many operands for a map" : NULL;
    case TP_REDUCE: return n != 1 ? "a reduction takes one operand" : NULL;
    case TP_VIEW: /* a checkpoint also names its boundary */
        return n != 1 && op != &tp__checkpoint_op ? "a view takes one operand" : NULL;
    case TP_SOURCE: return n != 0 ? "a source takes no operands" : NULL;
    case TP_ASSIGN: return n != 2 ? "an assignment takes a leaf and a value" : NULL;
    case TP_CALL:
    case TP_GROUP: return NULL;
    case TP_LEAF: break;
    }
    return "this kind of op cannot be recorded";
}

const char *tp__op_fault(const tp_op *op, int n, const void *attr)
{
    const char *fault = arity_fault(op, n);
    if (fault != NULL)
        return fault;
    if (op->attr_size > 0 && attr == NULL)
        return "its attributes are missing";
    if (op->kind == TP_CALL && op->run == NULL)
        return "a call needs a kernel";
    if (op->kind == TP_VIEW && op->view == NULL)
        return "a view needs its stride rule";
    if ((op->flags & TP_OP_REPEATS) && op->kind != TP_VIEW)
        return "only a view can repeat its operand";
    return NULL;
}

/* ---- What the shape rule yields --------------------------------------------------------------------- */

/* Does every element of the view lie inside the operand? */
static bool view_stays_inside(const tp_op *op, const tp_inference *i)
{
    const int64_t last = tp_shape_count(i->x_shape[0]) - 1;
    tp_strides s = tp_row_major(&i->x_shape[0]);

    if (!op->view(&i->x_shape[0], &i->y_shape, i->attr, &s))
        return false;
    if (tp_shape_count(i->y_shape) == 0)
        return true;
    if (s.offset < 0 || s.offset > last)
        return false;
    int64_t below = s.offset, above = last - s.offset; /* how far the strides may still go */
    for (int64_t d = 0; d < i->y_shape.rank; d++) {
        const int64_t steps = i->y_shape.dim[d] - 1, stride = s.stride[d];
        int64_t *room = stride < 0 ? &below : &above;
        if (steps == 0 || stride == 0)
            continue;
        if (stride < -last || stride > last || steps > *room / (stride < 0 ? -stride : stride))
            return false;
        *room -= steps * (stride < 0 ? -stride : stride);
    }
    return true;
}

static const char *map_fault(const tp_inference *i)
{
    tp_shape joint = {0};
    bool broadcasts = true;
    for (int k = 0; k < i->n; k++)
        broadcasts = broadcasts && tp_broadcast(&joint, &i->x_shape[k], &joint);
    return broadcasts && tp_shape_equal(joint, i->y_shape) ? NULL
                                                           : "a map yields its operands' broadcast shape";
}

static const char *reduction_fault(const tp_inference *i)
{
    const tp_shape *x = &i->x_shape[0];
    bool fits = i->y_shape.rank == x->rank && i->y_dtype == i->x_dtype[0];
    for (int64_t d = 0; d < x->rank && fits; d++)
        fits = i->y_shape.dim[d] == x->dim[d] || i->y_shape.dim[d] == 1;
    return fits ? NULL : "a reduction keeps dtype and rank, and the size of an axis or 1";
}

static bool has_kernel(const tp_op *op, const tp_inference *i)
{
    switch (op->kind) {
    case TP_MAP: return op->map[i->x_dtype[0]] != NULL;
    case TP_SOURCE: return op->source[i->y_dtype] != NULL;
    case TP_REDUCE: return op->reduce[i->x_dtype[0]] != NULL;
    case TP_LEAF:
    case TP_VIEW:
    case TP_CALL:
    case TP_ASSIGN:
    case TP_GROUP: return true;
    }
    return true;
}

const char *tp__inference_fault(const tp_op *op, tp_inference *i)
{
    const char *fault = tp__shape_fault(&i->y_shape);
    i->fault = TP_BAD_SHAPE;
    if (fault != NULL)
        return fault;
    i->fault = TP_BAD_DTYPE;
    if ((unsigned)i->y_dtype >= TP_DTYPE_COUNT)
        return "the op yields no dtype";
    if (!has_kernel(op, i))
        return "there is no kernel for this dtype";
    i->fault = TP_BAD_ARGUMENT;
    if (op->kind == TP_MAP)
        return map_fault(i);
    if (op->kind == TP_REDUCE)
        return reduction_fault(i);
    if (op->kind == TP_VIEW && (i->y_dtype != i->x_dtype[0] || !view_stays_inside(op, i)))
        return "a view keeps its operand's dtype and stays inside it";
    if (op->kind == TP_ASSIGN && (i->y_dtype != i->x_dtype[0] || i->x_dtype[1] != i->x_dtype[0] ||
                                  !i->broadcasts || !tp_shape_equal(i->y_shape, i->x_shape[0])))
        return "an assignment keeps the leaf's dtype and shape";
    return NULL;
}
