/* blocks.c -- channels in blocks: what libraries compute faster when the channels of an image lie in blocks.
 *
 * Of a tensor [n, channels, ...] whose channels are a multiple of the block b, the same values in blocks are
 * [n, channels / b, ..., b].  Before a program copies its nodes, those that gain from it are recorded again over such tensors,
 * and so is all that can follow them (maps, reshapes, sums, pooling), up to what needs the channels as they were.  The copies
 * are taken from the new nodes; then the tape is rewound, and nobody sees them.
 */
#include "sweep.h"

#include <tapir/ops.h>

struct tp_blocked {
    tp_tape *tape;
    int64_t block;
    int32_t *plain;       /* by node: what has its value now as it was recorded, or -1 */
    int32_t *in_blocks;   /* by node: what has its value in blocks, or -1 */
    const tp__node *node; /* worked on */
};

/* ---- Shapes ---------------------------------------------------------------------------------------- */

static bool can_be_blocked(const tp_shape *shape, int64_t block)
{
    return shape->rank >= 3 && shape->rank < TP_MAX_RANK && shape->dim[1] > 0 && shape->dim[1] % block == 0;
}

static tp_shape blocked_shape(const tp_shape *shape, int64_t block)
{
    tp_shape s = *shape;
    s.dim[1] /= block;
    s.dim[s.rank++] = block;
    return s;
}

/* Do the values lie in the same order in both?  If the channels are all there is. */
static bool same_order(const tp_shape *shape)
{
    for (int64_t d = 2; d < shape->rank; d++)
        if (shape->dim[d] != 1)
            return false;
    return true;
}

/* As many axes as y has, those in front of size 1. */
static tp_shape aligned_shape(const tp_shape *x, const tp_shape *y)
{
    tp_shape s = {.rank = y->rank};
    for (int64_t d = 0; d < y->rank; d++) {
        const int64_t e = d - (y->rank - x->rank);
        s.dim[d] = e < 0 ? 1 : x->dim[e];
    }
    return s;
}

/* ---- A value, either way --------------------------------------------------------------------------- */

static tp_tensor handle(const tp_blocked *b, int32_t id)
{
    return tp_locate(tp__handle(b->tape, id), b->node->place.file, b->node->place.line);
}

static tp_tensor to_blocks(const tp_blocked *b, tp_tensor x)
{
    const tp_shape shape = tp_shape_of(x);
    return same_order(&shape) ? tp_reshape(x, blocked_shape(&shape, b->block))
                              : tp_channels_to_blocks(x, b->block);
}

static tp_tensor plain_of(const tp_blocked *b, int32_t id)
{
    const tp_shape *shape = &tp__node_at(b->tape, id)->shape;
    if (b->plain[id] < 0) {
        const tp_tensor x = handle(b, b->in_blocks[id]);
        b->plain[id] = (same_order(shape) ? tp_reshape(x, *shape) : tp_channels_from_blocks(x)).id;
    }
    return b->plain[id] >= 0 ? handle(b, b->plain[id]) : tp__invalid(b->tape);
}

static tp_tensor operand_beside(const tp_blocked *b, int32_t id, const tp_shape *y);

/* Its channels must be a multiple of the block. */
static tp_tensor blocked_of(const tp_blocked *b, int32_t id)
{
    const tp__node *node = tp__node_at(b->tape, id);
    if (b->in_blocks[id] < 0 && (node->op->flags & TP_OP_REPEATS))
        b->in_blocks[id] =
            tp_expand(operand_beside(b, node->input[0], &node->shape), blocked_shape(&node->shape, b->block))
                .id;
    else if (b->in_blocks[id] < 0)
        b->in_blocks[id] = to_blocks(b, plain_of(b, id)).id;
    return b->in_blocks[id] >= 0 ? handle(b, b->in_blocks[id]) : tp__invalid(b->tape);
}

/* A tensor that broadcasts to y, as one that broadcasts to y in blocks. */
static tp_tensor operand_beside(const tp_blocked *b, int32_t id, const tp_shape *y)
{
    const tp_shape *own = &tp__node_at(b->tape, id)->shape;
    tp_shape aligned = aligned_shape(own, y);

    if (tp_shape_count(*own) == 1)
        return plain_of(b, id);
    if (aligned.dim[1] == 1) {
        aligned.dim[aligned.rank++] = 1;
        return tp_reshape(plain_of(b, id), aligned);
    }
    return own->rank == y->rank ? blocked_of(b, id) : to_blocks(b, tp_reshape(plain_of(b, id), aligned));
}

/* ---- What a rule asks for -------------------------------------------------------------------------- */

static bool has_operand(const tp_blocked *b, int k)
{
    return b != NULL && k >= 0 && k < b->node->n;
}

int64_t tp_block_of(const tp_blocked *b)
{
    return b != NULL ? b->block : 0;
}

const void *tp_blocked_attr(const tp_blocked *b)
{
    return b != NULL ? b->node->attr : NULL;
}

tp_shape tp_blocked_shape(const tp_blocked *b, int k)
{
    if (has_operand(b, k))
        return tp__node_at(b->tape, b->node->input[k])->shape;
    return b != NULL && k == -1 ? b->node->shape : (tp_shape){0};
}

tp_dtype tp_blocked_dtype(const tp_blocked *b)
{
    return b != NULL ? b->node->dtype : TP_F32;
}

int tp_blocked_operands(const tp_blocked *b)
{
    return b != NULL ? (int)b->node->n : 0;
}

tp_tensor tp_plain_operand(const tp_blocked *b, int k)
{
    return has_operand(b, k) ? plain_of(b, b->node->input[k]) : (tp_tensor){0};
}

tp_tensor tp_blocked_operand(const tp_blocked *b, int k)
{
    const tp_shape shape = tp_blocked_shape(b, k);
    return has_operand(b, k) && can_be_blocked(&shape, b->block) ? blocked_of(b, b->node->input[k])
                                                                 : (tp_tensor){0};
}

bool tp_is_blocked(const tp_blocked *b, int k)
{
    return has_operand(b, k) && b->in_blocks[b->node->input[k]] >= 0;
}

/* ---- One node in blocks; an absent tensor: it is recorded as it was --------------------------------- */

static bool some_operand_is_blocked(const tp_blocked *b)
{
    for (int32_t k = 0; k < b->node->n; k++)
        if (tp_is_blocked(b, k))
            return true;
    return false;
}

/* A map goes on in blocks if one of its operands that have an element for each of the result's is in blocks. */
static tp_tensor block_map(const tp_blocked *b, tp_tensor *x)
{
    const tp__node *node = b->node;
    bool goes_on = false;

    for (int32_t k = 0; k < node->n; k++)
        goes_on = goes_on || (tp_is_blocked(b, k) &&
                              tp_shape_equal(tp__node_at(b->tape, node->input[k])->shape, node->shape));
    if (!goes_on)
        return (tp_tensor){0};
    for (int32_t k = 0; k < node->n; k++)
        x[k] = operand_beside(b, node->input[k], &node->shape);
    return tp_record(node->op, x, node->n, node->attr);
}

/* Does a view keep the order of the elements, the images and the channels?  Then it is a reshape of what follows them. */
static bool keeps_channels(const tp__node *x, const tp__node *view)
{
    const tp_strides own = tp_row_major(&view->shape);
    tp_strides strides = tp_row_major(&x->shape);

    if (x->shape.rank < 3 || view->shape.rank < 3 || x->shape.dim[0] != view->shape.dim[0] ||
        x->shape.dim[1] != view->shape.dim[1] || tp_shape_count(x->shape) != tp_shape_count(view->shape) ||
        !view->op->view(&x->shape, &view->shape, view->attr, &strides) || strides.offset != 0)
        return false;
    for (int64_t d = 0; d < view->shape.rank; d++)
        if (view->shape.dim[d] != 1 && strides.stride[d] != own.stride[d])
            return false;
    return true;
}

static tp_tensor block_view(const tp_blocked *b)
{
    const tp__node *node = b->node;
    if (!tp_is_blocked(b, 0) || !can_be_blocked(&node->shape, b->block) ||
        !keeps_channels(tp__node_at(b->tape, node->input[0]), node))
        return (tp_tensor){0};
    return tp_reshape(blocked_of(b, node->input[0]), blocked_shape(&node->shape, b->block));
}

static tp_tensor block_call(const tp_blocked *b, tp_tensor *x)
{
    const tp__node *node = b->node;
    if (!(node->op->flags & TP_OP_PER_CHANNEL) || !some_operand_is_blocked(b))
        return (tp_tensor){0};
    for (int32_t k = 0; k < node->n; k++) {
        x[k] = tp_blocked_operand(b, (int)k);
        if (x[k].tape == NULL)
            return (tp_tensor){0};
    }
    return tp_record(node->op, x, node->n, node->attr);
}

/* In blocks, or as the op's own rule likes; an absent tensor when there is no gain. */
static tp_tensor record_blocked(const tp_blocked *b, tp_tensor *x)
{
    const tp_op *op = b->node->op;
    if (op->blocked != NULL)
        return op->block != NULL || some_operand_is_blocked(b) ? op->blocked(b) : (tp_tensor){0};
    switch (op->kind) {
    case TP_MAP: return block_map(b, x);
    case TP_VIEW: return block_view(b);
    case TP_CALL: return block_call(b, x);
    default: return (tp_tensor){0};
    }
}

/* ---- As it was recorded ------------------------------------------------------------------------------ */

static int32_t record_plain(const tp_blocked *b, int32_t id, tp_tensor *x)
{
    const tp__node *node = b->node;
    bool changed = false;

    for (int32_t k = 0; k < node->n; k++) {
        x[k] = plain_of(b, node->input[k]);
        changed = changed || x[k].id != node->input[k];
    }
    return changed ? tp_record(node->op, x, node->n, node->attr).id : id;
}

/* ---- All nodes ------------------------------------------------------------------------------------- */

static void work_on(tp_blocked *b, int32_t id, tp_tensor *x)
{
    const tp__node *node = b->node = tp__node_at(b->tape, id);

    b->tape->origin = node->origin;
    b->tape->inside = &node->place;
    if (node->op == &tp__checkpoint_op) { /* no more than its operand, for a program */
        b->plain[id] = b->plain[node->input[0]];
        b->in_blocks[id] = b->in_blocks[node->input[0]];
        return;
    }
    const tp_tensor y = record_blocked(b, x);
    if (y.tape == NULL)
        b->plain[id] = record_plain(b, id, x);
    else if (tp_is_valid(y) && tp_shape_equal(tp_shape_of(y), node->shape))
        b->plain[id] = y.id;
    else
        b->in_blocks[id] = y.id;
}

/* The nodes that outputs need, among the first `count`. */
static void mark_needed(const tp_tape *tape, const int32_t *output, int n, bool *needed, int32_t count)
{
    memset(needed, 0, (size_t)count);
    for (int k = 0; k < n; k++)
        needed[output[k]] = true;
    for (int32_t id = count - 1; id >= 0; id--) {
        const tp__node *node = tp__node_at(tape, id);
        for (int32_t k = 0; needed[id] && k < node->n; k++)
            needed[node->input[k]] = true;
    }
}

/* The block that the first of them asks for, or 0; and how many operands they have at most. */
static int64_t find_block(const tp_tape *tape, const bool *needed, int32_t count, int32_t *most)
{
    enum { MOST_ASKED = 8 }; /* operands of an op that asks */
    int64_t block = 0;
    *most = 1;
    for (int32_t id = 0; id < count; id++) {
        const tp__node *node = tp__node_at(tape, id);
        if (!needed[id])
            continue;
        *most = node->n > *most ? node->n : *most;
        if (node->op->block == NULL || block != 0)
            continue;
        tp_shape shape[MOST_ASKED];
        for (int32_t k = 0; k < node->n && k < MOST_ASKED; k++)
            shape[k] = tp__node_at(tape, node->input[k])->shape;
        block = node->op->block(shape, node->dtype, node->attr);
    }
    return block;
}

static bool rewrite(tp_blocked *b, const bool *needed, int32_t count, tp_tensor *x)
{
    const tp__place *inside = b->tape->inside;
    const int32_t origin = b->tape->origin;

    b->tape->rewrites = true;
    for (int32_t id = 0; id < count && !b->tape->blocked; id++) {
        b->plain[id] = b->in_blocks[id] = -1;
        if (needed[id])
            work_on(b, id, x);
    }
    b->tape->rewrites = false;
    b->tape->inside = inside;
    b->tape->origin = origin;
    return !b->tape->blocked;
}

static bool rewrite_outputs(tp_blocked *b, const bool *needed, int32_t count, int32_t most, int32_t *output,
                            int n)
{
    const tp_allocator *allocator = &b->tape->allocator;
    const size_t ids = (size_t)count * sizeof *b->plain, operands = (size_t)most * sizeof(tp_tensor);
    tp_tensor *x = tp__allocate(allocator, operands);
    b->plain = tp__allocate(allocator, 2 * ids);
    b->in_blocks = b->plain + count;

    bool fine = x != NULL && b->plain != NULL && rewrite(b, needed, count, x);
    for (int k = 0; k < n && fine; k++) {
        b->node = tp__node_at(b->tape, output[k]);
        output[k] = plain_of(b, output[k]).id;
        fine = output[k] >= 0;
    }
    tp__release(allocator, x, operands);
    tp__release(allocator, b->plain, 2 * ids);
    return fine;
}

bool tp__block_channels(tp_tape *tape, int32_t *output, int n)
{
    const int32_t count = tape->count;
    bool *needed = tp__allocate(&tape->allocator, (size_t)count);
    int32_t most;

    if (needed == NULL)
        return false;
    mark_needed(tape, output, n, needed, count);
    tp_blocked b = {.tape = tape, .block = find_block(tape, needed, count, &most)};
    const bool fine = b.block == 0 || rewrite_outputs(&b, needed, count, most, output, n);
    tp__release(&tape->allocator, needed, (size_t)count);
    return fine;
}
