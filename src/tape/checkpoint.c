/* checkpoint.c -- tp_checkpoint: values that the reverse sweep computes again instead of keeping them.
 *
 * A checkpoint is a view of y that also names its boundary.  When the sweep comes to it with the adjoint g, what lies
 * between (the stretch) is recorded again, over copies of the boundary.  The copy is a library call that waits for g: by
 * that the new nodes are others than the old ones, and cannot run before the backward pass has come so far.  The sweep then
 * goes on over the old nodes as ever, in the same order and with the same adjoints, but their rules see the new ones as
 * operands and results (tp__sweep.substitute).  So the gradient is the same expression of the same values.
 */
#include "sweep.h"

#include <tapir/modes.h>
#include <tapir/ops.h>

/* ---- The ops --------------------------------------------------------------------------------------- */

static const char *first_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return NULL;
}

static bool same_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr, (void)s;
    return true;
}

static void to_first(const tp_vjp *d)
{
    d->dx[0] = d->g;
}

/* Of y and the boundary: y. */
const tp_op tp__checkpoint_op = {
    .name = "checkpoint",
    .kind = TP_VIEW,
    .arity = TP_ANY_ARITY,
    .infer = first_infer,
    .vjp = to_first,
    .view = same_view,
};

static tp_status copy_first(const tp_call *c)
{
    const size_t bytes = (size_t)tp_shape_count(c->y.shape) * tp_dtype_size(c->y.dtype);
    if (bytes > 0)
        memcpy(c->y.data, c->x[0].data, bytes);
    return TP_OK;
}

/* What a copy waits for: the adjoint, and y where the adjoint does not come after it. */
typedef struct waiting {
    tp_tensor x[3]; /* the first place is for what waits */
    int n;
} waiting;

static tp_tensor wait_blocked(const tp_blocked *b);

/* Of a tensor and what to wait for: a copy of the tensor. */
static const tp_op wait = {
    .name = "wait",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .infer = first_infer,
    .vjp = to_first,
    .run = copy_first,
    .blocked = wait_blocked,
};

/* The tensor in blocks; what to wait for either way, as it is at hand. */
static tp_tensor wait_blocked(const tp_blocked *b)
{
    waiting w = {.n = tp_blocked_operands(b)};

    for (int k = 0; k < w.n; k++)
        w.x[k] = tp_is_blocked(b, k) ? tp_blocked_operand(b, k) : tp_plain_operand(b, k);
    return tp_is_blocked(b, 0) ? tp_record(&wait, w.x, w.n, NULL) : (tp_tensor){0};
}

static const char *redraw_infer(tp_inference *i)
{
    const tp__redraw_attr *a = i->attr;
    i->y_shape = a->shape;
    i->y_dtype = (tp_dtype)a->dtype;
    return NULL;
}

/* Of what to wait for: the numbers that a random source drew. */
static const tp_op redraw = {
    .name = "redraw",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .attr_size = sizeof(tp__redraw_attr),
    .infer = redraw_infer,
    .vjp = tp_zero_derivative,
    .run = tp__redraw_run,
};

static bool can_redraw(const tp__node *node)
{
    return node->op->kind == TP_SOURCE && (node->op->flags & TP_OP_IMPURE) &&
           node->op->attr_size <= sizeof((tp__redraw_attr){0}.attr);
}

static tp_tensor record_redraw(const tp__node *node, tp_tensor *wait_for, int n)
{
    tp__redraw_attr a = {
        .source = node->op, .shape = node->shape, .dtype = node->dtype, .ordinal = node->ordinal};
    if (node->op->attr_size > 0)
        memcpy(a.attr, node->attr, node->op->attr_size);
    wait_for[0] = tp_locate(wait_for[0], node->place.file, node->place.line);
    return tp_record(&redraw, wait_for, n, &a);
}

/* ---- The stretch ----------------------------------------------------------------------------------- */

/* What a node is to the stretch. */
enum {
    OUTSIDE, /* y does not need it */
    KEPT,    /* y needs it, but it does not change with the boundary */
    NAMED,   /* the boundary */
    IMPURE,  /* run once, between the boundary and y: it is kept, and something like a boundary */
    RECOMPUTED,
    READ = 8 /* with NAMED or IMPURE: something recomputed reads it */
};

/* All that y is made of, from the oldest tensor of the boundary on. */
typedef struct stretch {
    tp_tape *tape;
    int32_t low, high;
    unsigned char *part; /* [id - low] */
} stretch;

static unsigned char *part_of(const stretch *t, int32_t id)
{
    return id >= t->low && id <= t->high ? &t->part[id - t->low] : NULL;
}

static bool changes(const stretch *t, const tp__node *node)
{
    bool yes = can_redraw(node);
    for (int32_t k = 0; k < node->n && !yes; k++) {
        const unsigned char *part = part_of(t, node->input[k]);
        yes = part != NULL && *part >= NAMED;
    }
    return yes;
}

/* Downwards what is needed, upwards what changes. */
static void find_parts(const stretch *t)
{
    for (int32_t id = t->high; id >= t->low; id--) {
        const tp__node *node = tp__node_at(t->tape, id);
        for (int32_t k = 0; k < node->n && *part_of(t, id) == KEPT; k++) {
            unsigned char *part = part_of(t, node->input[k]);
            if (part != NULL && *part == OUTSIDE)
                *part = KEPT;
        }
    }
    for (int32_t id = t->low; id <= t->high; id++) {
        const tp__node *node = tp__node_at(t->tape, id);
        if (*part_of(t, id) != KEPT || !changes(t, node))
            continue;
        *part_of(t, id) = (node->op->flags & TP_OP_IMPURE) && !can_redraw(node) ? IMPURE : RECOMPUTED;
        for (int32_t k = 0; k < node->n; k++) {
            unsigned char *part = part_of(t, node->input[k]);
            if (part != NULL && (*part == NAMED || *part == IMPURE))
                *part |= READ;
        }
    }
}

/* Does `visit` for a tensor of the boundary, and for those that simplifications read in its stead. */
enum { MOST_BYPASSES = 8 };
static void for_boundary(stretch *t, int32_t id, int bypasses, void (*visit)(stretch *t, int32_t id))
{
    const tp__node *node = tp__node_at(t->tape, id);
    visit(t, id);
    for (int32_t k = 0; k < node->n && node->bypassed && bypasses < MOST_BYPASSES; k++)
        for_boundary(t, node->input[k], bypasses + 1, visit);
}

static void lower(stretch *t, int32_t id)
{
    t->low = id < t->low ? id : t->low;
}

static void name(stretch *t, int32_t id)
{
    if (id <= t->high)
        *part_of(t, id) = NAMED;
}

/* False when out of memory; close it all the same. */
static bool open_stretch(stretch *t, tp_tape *tape, int32_t y, const int32_t *boundary, int32_t n)
{
    *t = (stretch){.tape = tape, .low = y, .high = y};
    for (int32_t k = 0; k < n; k++)
        for_boundary(t, boundary[k], 0, lower);
    const size_t span = (size_t)(t->high - t->low) + 1;
    t->part = tp__allocate(&tape->allocator, span);
    if (t->part == NULL)
        return false;
    memset(t->part, OUTSIDE, span);
    *part_of(t, y) = KEPT;
    for (int32_t k = 0; k < n; k++)
        for_boundary(t, boundary[k], 0, name);
    find_parts(t);
    return true;
}

static void close_stretch(stretch *t)
{
    tp__release(&t->tape->allocator, t->part, (size_t)(t->high - t->low) + 1);
}

/* ---- Recording it again ---------------------------------------------------------------------------- */

static int32_t without_views(const tp_tape *tape, int32_t id)
{
    while (tp__node_at(tape, id)->op->kind == TP_VIEW)
        id = tp__node_at(tape, id)->input[0];
    return id;
}

/* Is `id` computed from y?  -1: out of memory. */
static int comes_after(const tp_tape *tape, int32_t id, int32_t y)
{
    if (id <= y)
        return id == y;
    const size_t span = (size_t)(id - y) + 1;
    bool *needed = tp__allocate(&tape->allocator, span);
    if (needed == NULL)
        return -1;
    memset(needed, 0, span);
    needed[id - y] = true;
    for (int32_t i = id; i > y; i--) {
        const tp__node *node = tp__node_at(tape, i);
        for (int32_t k = 0; k < node->n && needed[i - y]; k++)
            if (node->input[k] >= y)
                needed[node->input[k] - y] = true;
    }
    const int after = needed[0];
    tp__release(&tape->allocator, needed, span);
    return after;
}

static bool find_waiting(const tp__sweep *s, int32_t y, tp_tensor g, waiting *w)
{
    const int32_t adjoint = without_views(s->tape, g.id);
    const int after = comes_after(s->tape, adjoint, without_views(s->tape, y));
    w->n = 1;
    if (tp__node_at(s->tape, adjoint)->op->kind != TP_LEAF)
        w->x[w->n++] = tp__handle(s->tape, adjoint);
    if (after == 0 || w->n == 1)
        w->x[w->n++] = tp__handle(s->tape, without_views(s->tape, tp__value_of(s, y).id));
    return after >= 0;
}

/* `x` has room for the node's operands. */
static tp_tensor record_again(const tp__sweep *s, const tp__node *node, waiting *w, tp_tensor *x)
{
    if (can_redraw(node))
        return record_redraw(node, w->x + 1, w->n - 1);
    for (int32_t k = 0; k < node->n; k++)
        x[k] = tp_locate(tp__value_of(s, node->input[k]), node->place.file, node->place.line);
    return tp_record(node->op, x, node->n, node->attr);
}

static bool record_part(tp__sweep *s, const stretch *t, waiting *w, tp_tensor *x)
{
    tp_tape *tape = s->tape;
    const tp__place *outer = tape->inside;

    for (int32_t id = t->low; id <= t->high; id++) {
        const tp__node *node = tp__node_at(tape, id);
        const int part = *part_of(t, id);
        if (part != RECOMPUTED && !(part & READ))
            continue;
        tape->inside = &node->place;
        w->x[0] = tp_locate(tp__value_of(s, id), node->place.file, node->place.line);
        const tp_tensor again =
            part == RECOMPUTED ? record_again(s, node, w, x) : tp_record(&wait, w->x, w->n, NULL);
        if (again.id < 0)
            return false;
        s->substitute[id] = again.id;
    }
    tape->inside = outer;
    return true;
}

static int32_t most_operands(const stretch *t)
{
    int32_t most = 1;
    for (int32_t id = t->low; id <= t->high; id++)
        if (*part_of(t, id) == RECOMPUTED && tp__node_at(t->tape, id)->n > most)
            most = tp__node_at(t->tape, id)->n;
    return most;
}

static bool make_substitutes(tp__sweep *s)
{
    if (s->substitute != NULL)
        return true;
    const size_t count = (size_t)s->high + 1;
    s->substitute = tp__allocate(&s->tape->allocator, count * sizeof *s->substitute);
    for (size_t i = 0; s->substitute != NULL && i < count; i++)
        s->substitute[i] = -1;
    return s->substitute != NULL;
}

bool tp__recompute(tp__sweep *s, int32_t id, tp_tensor g)
{
    const tp__node *node = tp__node_at(s->tape, id);
    const tp_allocator *allocator = &s->tape->allocator;
    stretch t;
    waiting w;
    tp_tensor *x = NULL;
    size_t bytes = 0;

    bool fine = open_stretch(&t, s->tape, node->input[0], node->input + 1, node->n - 1);
    if (fine) {
        bytes = (size_t)most_operands(&t) * sizeof *x;
        x = tp__allocate(allocator, bytes);
        fine = x != NULL && make_substitutes(s) && find_waiting(s, node->input[0], g, &w);
    }
    if (!fine)
        tp__fail(s->tape, TP_OUT_OF_MEMORY, node->place, "%s: out of memory for a checkpoint", s->mode);
    fine = fine && record_part(s, &t, &w, x);
    tp__release(allocator, x, bytes);
    close_stretch(&t);
    return fine;
}

/* ---- Public ---------------------------------------------------------------------------------------- */

static bool has_no_value(tp_tensor x)
{
    const tp_kind kind = tp__resolve(x, NULL)->op->kind;
    return kind == TP_ASSIGN || kind == TP_GROUP;
}

/* TP_OK, or an error that is stored; or TP_BAD_HANDLE for a tensor that is invalid already. */
static tp_status check_arguments(tp_tensor at, tp_tensor y, const tp_tensor *boundary, int n)
{
    tp_tape *tape = at.tape;
    const tp__place place = tp__place_of(at);

    if (n <= 0 || boundary == NULL)
        return tp__fail(tape, TP_BAD_ARGUMENT, place, "checkpoint: there is no boundary to recompute from");
    for (int k = -1; k < n; k++) {
        const tp_tensor x = k < 0 ? y : boundary[k];
        char name[32];
        snprintf(name, sizeof name, k < 0 ? "the tensor" : "boundary[%d]", k);
        const char *fault = tp_handle_fault(tape, x);
        if (x.tape == tape && x.id < 0)
            return tp__failed(tape);
        if (fault != NULL)
            return tp__fail(tape, TP_BAD_HANDLE, place, "checkpoint: %s %s", name, fault);
        if (has_no_value(x))
            return tp__fail(tape, TP_BAD_ARGUMENT, place,
                            "checkpoint: %s is an assignment, which has no value", name);
    }
    if (tp_dtype_of(y) == TP_I32)
        return tp__fail(tape, TP_BAD_DTYPE, place,
                        "checkpoint: the tensor is i32; only f32 and f64 have gradients to recompute for");
    return TP_OK;
}

static int32_t count_read(const stretch *t)
{
    int32_t n = 0;
    for (int32_t id = t->low; id <= t->high; id++)
        n += *part_of(t, id) == (NAMED | READ);
    return n;
}

/* y and those of the boundary that are read; `operand` has room for all. */
static tp_tensor record_node(const stretch *t, tp_tensor y, tp_tensor *operand)
{
    int n = 1;
    operand[0] = y;
    for (int32_t id = t->low; id <= t->high; id++)
        if (*part_of(t, id) == (NAMED | READ))
            operand[n++] = tp__handle(t->tape, id);
    return tp_record(&tp__checkpoint_op, operand, n, NULL);
}

static tp_tensor record_checkpoint(const stretch *t, tp_tensor y)
{
    const int32_t read = count_read(t);
    const size_t bytes = ((size_t)read + 1) * sizeof y;
    if (*part_of(t, t->high) != RECOMPUTED || read == 0)
        return tp_fail(y, TP_BAD_ARGUMENT,
                       "checkpoint: nothing lies between the boundary and the tensor, to be recomputed");
    tp_tensor *operand = tp__allocate(&t->tape->allocator, bytes);
    if (operand == NULL)
        return tp_fail(y, TP_OUT_OF_MEMORY, "checkpoint: out of memory");
    const tp_tensor result = record_node(t, y, operand);
    tp__release(&t->tape->allocator, operand, bytes);
    return result;
}

static tp_tensor checkpoint(tp_tensor y, const tp_tensor *boundary, int n)
{
    const tp_allocator *allocator = &y.tape->allocator;
    const size_t bytes = (size_t)n * sizeof(int32_t);
    int32_t *id = tp__allocate(allocator, bytes);
    tp_tensor result = tp__invalid(y.tape);
    stretch t = {.tape = y.tape};

    for (int k = 0; k < n && id != NULL; k++)
        id[k] = boundary[k].id;
    if (id != NULL && open_stretch(&t, y.tape, y.id, id, n))
        result = record_checkpoint(&t, y);
    else
        tp__fail(y.tape, TP_OUT_OF_MEMORY, tp__place_of(y), "checkpoint: out of memory");
    if (id != NULL)
        close_stretch(&t);
    tp__release(allocator, id, bytes);
    return result;
}

tp_tensor tp_checkpoint(tp_tensor y, const tp_tensor *boundary, int n)
{
    tp_tensor at = y;
    for (int k = 0; k < n && boundary != NULL && at.tape == NULL; k++)
        at = boundary[k];
    if (at.tape == NULL)
        return at;
    if (check_arguments(at, y, boundary, n) != TP_OK)
        return tp__invalid(at.tape);
    return tp_is_scalar_constant(y, NULL) ? y : checkpoint(y, boundary, n);
}
