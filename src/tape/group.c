/* group.c -- the planner's first half: which steps share a loop.
 *
 * Steps are taken in order.  Each joins the first kernel, at or after those of its operands, that runs over its dimensions
 * and in which every operand computed there lies in a register at the very element that is needed; or else starts a kernel
 * right after its operands' last one.  So the order of kernels is always one in which they can run.
 */
#include "planner.h"

enum { MOST_NODES = 96 }; /* per kernel */

/* ---- Dimensions ------------------------------------------------------------------------------------ */

static tp_shape without_ones(const tp_shape *shape)
{
    tp_shape s = {0};
    for (int64_t d = 0; d < shape->rank; d++)
        if (shape->dim[d] != 1)
            s.dim[s.rank++] = shape->dim[d];
    return s;
}

static tp_shape kept_dims(const tp__kernel *kernel)
{
    tp_shape s = {0};
    for (int64_t d = 0; d < kernel->space.rank; d++)
        if (!(kernel->mask >> d & 1))
            s.dim[s.rank++] = kernel->space.dim[d];
    return s;
}

tp_strides tp__natural(const tp__kernel *kernel, bool row)
{
    tp_strides s = {0};
    int64_t step = 1;
    for (int64_t d = kernel->space.rank - 1; d >= 0; d--) {
        if (row && (kernel->mask >> d & 1))
            continue;
        s.stride[d] = step;
        step *= kernel->space.dim[d];
    }
    return s;
}

bool tp__same_strides(const tp__kernel *kernel, const tp_strides *a, const tp_strides *b)
{
    if (a->offset != b->offset)
        return false;
    for (int64_t d = 0; d < kernel->space.rank; d++)
        if (a->stride[d] != b->stride[d])
            return false;
    return true;
}

tp_strides tp__access(const planner *p, const tp__kernel *kernel, const tp__step *step, bool row,
                      int32_t operand)
{
    const tp__step *x = &p->program->step[operand];
    const tp_shape *walked = step->op->kind == TP_REDUCE ? &x->shape : &step->shape;
    const tp_strides *own = &p->at[operand].strides;
    tp_strides s = {.offset = own->offset};
    int64_t at = 0; /* kernel dimension */

    for (int64_t d = 0; d < walked->rank; d++) {
        if (walked->dim[d] == 1)
            continue;
        while (row && (kernel->mask >> at & 1))
            at++;
        const int64_t e = d - (walked->rank - x->shape.rank);
        s.stride[at++] = e >= 0 && x->shape.dim[e] != 1 ? own->stride[e] : 0;
    }
    return s;
}

/* ---- Views ----------------------------------------------------------------------------------------- */

static bool is_row_major(const tp__step *step, const tp_strides *s)
{
    const tp_strides plain = tp_row_major(&step->shape);
    for (int64_t d = 0; d < step->shape.rank; d++)
        if (step->shape.dim[d] != 1 && s->stride[d] != plain.stride[d])
            return false;
    return true;
}

static void make_copy(planner *p, int32_t s)
{
    placed *at = &p->at[s];
    at->copied_from = at->base;
    at->copied_strides = at->strides;
    at->is_copy = true;
    at->base = s;
    at->strides = tp_row_major(&p->program->step[s].shape);
}

/* Some readers want rows without gaps: then a view that is none becomes a copy. */
static void make_contiguous(planner *p, int32_t s)
{
    if (p->at[s].base != s && !is_row_major(&p->program->step[s], &p->at[s].strides))
        make_copy(p, s);
}

/* And a result must not change with the leaf that it is a view of. */
static void make_result(planner *p, int32_t s)
{
    make_contiguous(p, s);
    if (p->at[s].base != s && p->program->step[p->at[s].base].leaf != NULL)
        make_copy(p, s);
}

/* A view needs no work if its strides can be read off its operand's, which a row-major operand always allows. */
static void resolve(planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    placed *at = &p->at[s];

    *at = (placed){.base = s, .strides = tp_row_major(&step->shape), .last = -1};
    if (step->op->kind != TP_VIEW || step->count == 0)
        return;
    const int32_t x = step->input[0];
    tp_strides strides = p->at[x].strides;
    if (!step->op->view(&p->program->step[x].shape, &step->shape, step->attr, &strides)) {
        make_contiguous(p, x);
        strides = p->at[x].strides;
        step->op->view(&p->program->step[x].shape, &step->shape, step->attr, &strides);
    }
    at->base = p->at[x].base;
    at->strides = strides;
}

static bool is_loop_step(const planner *p, const tp__step *step)
{
    if (step->count == 0 || step->n > TP__MOST_OPERANDS)
        return false;
    if (step->op->kind == TP_MAP)
        return true;
    if (step->op->kind != TP_REDUCE)
        return false;
    const tp__step *x = &p->program->step[step->input[0]];
    return x->count > 0 && x->count != step->count;
}

static int32_t count_copies(const planner *p)
{
    int32_t copies = 0;
    for (int32_t s = 0; s < p->program->steps; s++)
        copies += p->at[s].is_copy;
    return copies;
}

/* Copies are decided before anything is placed, so that all readers of a view see the same.  A copy may leave gaps in
 * views of it that had none, whose readers then want copies too: so again, until there are no more. */
static void resolve_all(planner *p)
{
    const tp_program *program = p->program;
    int32_t before, copies = 0;

    for (int32_t s = 0; s < program->steps; s++)
        resolve(p, s);
    do {
        before = copies;
        for (int32_t s = 0; s < program->steps; s++) {
            const tp__step *step = &program->step[s];
            if (step->op->kind == TP_VIEW && !p->at[s].is_copy)
                resolve(p, s);
            if (!is_loop_step(p, step) && step->op->kind != TP_VIEW)
                for (int32_t k = 0; k < step->n; k++)
                    make_contiguous(p, step->input[k]);
        }
        for (int32_t k = 0; k < program->outputs; k++)
            make_result(p, program->output[k].step);
        copies = count_copies(p);
    } while (copies != before);
}

/* ---- Kernels --------------------------------------------------------------------------------------- */

static int32_t order_of(const planner *p, int32_t base)
{
    const tp__kernel *kernel = p->at[base].kernel;
    return kernel != NULL ? kernel->order : -1;
}

/* The order of the last kernel among those that compute the operands, or -1. */
static int32_t operands_order(const planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    int32_t last = -1;

    if (p->at[s].is_copy)
        return order_of(p, p->at[s].copied_from);
    for (int32_t k = 0; k < step->n; k++) {
        const int32_t order = order_of(p, p->at[step->input[k]].base);
        last = order > last ? order : last;
    }
    return last;
}

static bool make_room_for_kernel(planner *p)
{
    if (p->plan->kernels < p->kernel_capacity)
        return true;
    const int32_t capacity = p->kernel_capacity ? 2 * p->kernel_capacity : 64;
    tp__kernel **more = tp__arena_take(&p->program->arena, (size_t)capacity * sizeof(tp__kernel *));
    if (more == NULL)
        return false;
    if (p->plan->kernels > 0)
        memcpy(more, p->by_order, (size_t)p->plan->kernels * sizeof(tp__kernel *));
    p->by_order = more;
    p->kernel_capacity = capacity;
    return true;
}

/* A new kernel behind the one of the given order. */
static tp__kernel *insert_kernel(planner *p, int32_t after)
{
    const int32_t count = p->plan->kernels, order = after < count - 1 ? after + 1 : count;
    tp__kernel *kernel = tp__arena_take(&p->program->arena, sizeof *kernel);

    if (kernel == NULL || !make_room_for_kernel(p))
        return NULL;
    memmove(p->by_order + order + 1, p->by_order + order, (size_t)(count - order) * sizeof(tp__kernel *));
    p->by_order[order] = kernel;
    p->plan->kernels++;
    for (int32_t o = order; o <= count; o++)
        p->by_order[o]->order = o;
    kernel->next = order < count ? p->by_order[order + 1] : NULL;
    *(order > 0 ? &p->by_order[order - 1]->next : &p->plan->kernel) = kernel;
    return kernel;
}

static bool add_node(planner *p, tp__kernel *kernel, int32_t s, bool row)
{
    if (kernel->nodes == kernel->node_capacity) {
        const int32_t capacity = kernel->node_capacity ? 2 * kernel->node_capacity : 8;
        int32_t *node = tp__arena_take(&p->program->arena, (size_t)capacity * sizeof *node);
        if (node == NULL) {
            p->failed = true;
            return false;
        }
        if (kernel->nodes > 0)
            memcpy(node, kernel->node, (size_t)kernel->nodes * sizeof *node);
        kernel->node = node;
        kernel->node_capacity = capacity;
    }
    kernel->node[kernel->nodes++] = s;
    p->at[s].kernel = kernel;
    p->at[s].row = row;
    return true;
}

/* ---- Joining --------------------------------------------------------------------------------------- */

/* May a reduced value be read again in the same loop?  Only while the row is still in cache, and when the rows
 * are enough to keep all threads busy, or the whole is small. */
static bool rows_can_be_swept_again(const tp__kernel *kernel)
{
    int64_t rows = 1, length = 1;
    for (int64_t d = 0; d < kernel->space.rank; d++)
        if (kernel->mask >> d & 1)
            length *= kernel->space.dim[d];
        else
            rows *= kernel->space.dim[d];
    return length <= 65536 && (rows >= 4 || rows * length <= 16384);
}

static bool operands_fit(const planner *p, const tp__kernel *kernel, int32_t s, bool row)
{
    const tp__step *step = &p->program->step[s];
    for (int32_t k = 0; k < step->n; k++) {
        const int32_t base = p->at[step->input[k]].base;
        if (p->at[base].kernel != kernel)
            continue;
        if (p->at[base].total)
            return false;
        const bool base_row = p->at[base].row;
        const tp_strides strides = tp__access(p, kernel, step, row, step->input[k]);
        const tp_strides natural = tp__natural(kernel, base_row);
        if (!tp__same_strides(kernel, &strides, &natural))
            return false;
        if (row != base_row && (row || !rows_can_be_swept_again(kernel)))
            return false;
    }
    return true;
}

static bool reads_row_of(const planner *p, const tp__kernel *kernel, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    for (int32_t k = 0; k < step->n; k++) {
        const placed *base = &p->at[p->at[step->input[k]].base];
        if (base->kernel == kernel && base->row && !base->total)
            return true;
    }
    return false;
}

static bool join_map(planner *p, tp__kernel *kernel, int32_t s, const tp_shape *space)
{
    if (tp_shape_equal(*space, kernel->space))
        return operands_fit(p, kernel, s, false) && add_node(p, kernel, s, false);
    if (kernel->mask == 0 || !tp_shape_equal(*space, kept_dims(kernel)) || !reads_row_of(p, kernel, s))
        return false;
    return operands_fit(p, kernel, s, true) && add_node(p, kernel, s, true);
}

/* May a fold over all dimensions join one over the last ones?  If tiles do not cross rows. */
static bool is_total(const tp__kernel *kernel, uint32_t mask)
{
    const int64_t rank = kernel->space.rank;
    int64_t length = 1, d = rank - 1;

    for (; d >= 0 && (kernel->mask >> d & 1); d--)
        length *= kernel->space.dim[d];
    return kernel->mask >> (d + 1) << (d + 1) == kernel->mask && mask == ((uint32_t)1 << rank) - 1 &&
           length % TP_TILE == 0;
}

static bool join_reduction(planner *p, tp__kernel *kernel, int32_t s, const tp_shape *space, uint32_t mask)
{
    const bool same = kernel->mask == 0 || kernel->mask == mask;
    if (!tp_shape_equal(*space, kernel->space) || (!same && !is_total(kernel, mask)))
        return false;
    if (!operands_fit(p, kernel, s, false))
        return false;
    if (same)
        kernel->mask = mask;
    p->at[s].total = !same;
    return add_node(p, kernel, s, true);
}

/* Calls that waited for a reader go right before its kernel. */
static bool place_waiting_operands(planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    for (int32_t k = 0; k < step->n; k++) {
        placed *x = &p->at[p->at[step->input[k]].base];
        if (!x->waits)
            continue;
        tp__kernel *kernel = insert_kernel(p, p->at[s].kernel->order - 1);
        if (kernel == NULL)
            return false;
        kernel->step = p->at[step->input[k]].base;
        x->kernel = kernel;
        x->waits = false;
    }
    return true;
}

/* In a loop that comes after all operands, and at `after` or later. */
static bool place_in_loop(planner *p, int32_t s, int32_t after)
{
    const tp__step *step = &p->program->step[s];
    const bool reduces = step->op->kind == TP_REDUCE;
    const tp_shape *walked = reduces ? &p->program->step[step->input[0]].shape : &step->shape;
    const tp_shape space = without_ones(walked);
    const int32_t own = operands_order(p, s), lowest = own > after ? own : after;
    uint32_t mask = 0;

    for (int64_t d = 0, at = 0; reduces && d < walked->rank; d++)
        if (walked->dim[d] != 1) {
            if (step->shape.dim[d] == 1)
                mask |= 1u << at;
            at++;
        }
    for (int32_t o = lowest > 0 ? lowest : 0; o < p->plan->kernels; o++) {
        tp__kernel *k = p->by_order[o];
        if (!k->is_loop || k->nodes >= MOST_NODES)
            continue;
        if (reduces ? join_reduction(p, k, s, &space, mask) : join_map(p, k, s, &space))
            return true;
        if (p->failed)
            return false;
    }
    /* What is made of leaves alone starts where it was recorded; a few numbers first of all, for loops may want them. */
    const bool late = lowest < 0 && tp_shape_count(space) > TP__BLOCK;
    tp__kernel *kernel = insert_kernel(p, late ? INT32_MAX : lowest);
    if (kernel == NULL)
        return false;
    kernel->is_loop = true;
    kernel->space = space;
    kernel->mask = mask;
    return add_node(p, kernel, s, reduces);
}

/* Maps that waited for this reader go to where it can be. */
static bool place_waiting_maps(planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    const int32_t after = is_loop_step(p, step) ? operands_order(p, s) : -1;
    for (int32_t k = 0; k < step->n; k++) {
        const int32_t base = p->at[step->input[k]].base;
        if (!p->at[base].waits || p->program->step[base].op->kind != TP_MAP)
            continue;
        p->at[base].waits = false;
        if (!place_in_loop(p, base, after))
            return false;
    }
    return true;
}

static void note_readers(planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    for (int32_t k = 0; k < step->n; k++) {
        placed *x = &p->at[p->at[step->input[k]].base];
        x->read_elsewhere = x->read_elsewhere || x->kernel != p->at[s].kernel;
    }
}

/* Is it cheaper to read the one operand again than the result, had it been stored?  If that is in memory anyway: then it is
 * computed where it is first needed. */
static bool is_better_late(const planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    int many = 0;

    if (step->op->kind != TP_MAP || !(step->op->flags & TP_OP_CHEAP) || step->count <= TP__BLOCK ||
        p->at[s].is_output)
        return false;
    for (int32_t k = 0; k < step->n; k++) {
        const int32_t base = p->at[step->input[k]].base;
        const placed *x = &p->at[base];
        if (p->program->step[base].count == 1)
            continue;
        many++;
        if (x->waits || (x->kernel != NULL && x->kernel->is_loop && !x->read_elsewhere))
            return false;
    }
    return many == 1;
}

/* May it wait for its first reader?  Also what depends on nothing that is computed before, so that it may run at any time. */
static bool may_wait(const planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    if (is_better_late(p, s))
        return true;
    bool waits = step->op->kind == TP_CALL || step->op->kind == TP_SOURCE;
    for (int32_t k = 0; k < step->n; k++) {
        const placed *x = &p->at[p->at[step->input[k]].base];
        waits = waits && x->kernel == NULL && !x->waits;
    }
    return waits;
}

/* As late as it was recorded: what it reads is freed sooner, what it computes lives shorter. */
static bool place_alone(planner *p, int32_t s)
{
    tp__kernel *kernel = insert_kernel(p, INT32_MAX);
    if (kernel == NULL)
        return false;
    kernel->step = s;
    p->at[s].kernel = kernel;
    return true;
}

/* A computed value of the leaf's own shape waits where it was computed; anything else is copied first. */
static bool waits_in_place(planner *p, int32_t s)
{
    const tp__step *step = &p->program->step[s];
    const int32_t value = step->input[1], base = p->at[value].base;
    const tp__step *x = &p->program->step[value];

    if (p->at[base].kernel == NULL || !tp_shape_equal(x->shape, step->shape) ||
        !is_row_major(x, &p->at[value].strides))
        return false;
    p->at[s].base = base;
    p->at[s].strides = p->at[value].strides;
    return true;
}

/* ---- What must be in memory, and until when ---------------------------------------------------------- */

static void read_memory(planner *p, int32_t base, int32_t order)
{
    p->at[base].stored = true;
    if (p->at[base].last < order)
        p->at[base].last = order;
}

static void find_stored(planner *p)
{
    const tp_program *program = p->program;
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__kernel *kernel = p->at[s].kernel;
        const tp__step *step = &program->step[s];
        if (kernel == NULL)
            continue;
        if (!kernel->is_loop)
            read_memory(p, s, kernel->order);
        if (p->at[s].is_copy) {
            read_memory(p, p->at[s].copied_from, kernel->order);
            continue;
        }
        for (int32_t k = 0; k < step->n; k++) {
            const int32_t base = p->at[step->input[k]].base;
            if (p->at[base].kernel != kernel || !kernel->is_loop)
                read_memory(p, base, kernel->order);
        }
    }
    for (int32_t k = 0; k < program->outputs; k++)
        read_memory(p, p->at[program->output[k].step].base, INT32_MAX);
    for (int32_t s = 0; s < program->steps; s++)
        if (program->step[s].op->kind == TP_ASSIGN)
            read_memory(p, p->at[s].base, INT32_MAX);
}

bool tp__group(planner *p)
{
    resolve_all(p);
    for (int32_t k = 0; k < p->program->outputs; k++)
        p->at[p->at[p->program->output[k].step].base].is_output = true;
    for (int32_t s = 0; s < p->program->steps; s++) {
        const tp__step *step = &p->program->step[s];
        const tp_kind kind = step->op->kind;
        bool fine = true;

        if (kind == TP_LEAF || kind == TP_GROUP || (kind == TP_VIEW && p->at[s].base != s))
            continue;
        if (step->count == 0)
            continue;
        if (!place_waiting_maps(p, s))
            return false;
        if (kind == TP_ASSIGN && waits_in_place(p, s))
            continue;
        if (may_wait(p, s)) {
            p->at[s].waits = true;
            continue;
        }
        fine = is_loop_step(p, step) ? place_in_loop(p, s, -1) : place_alone(p, s);
        if (!fine || !place_waiting_operands(p, s))
            return false;
        note_readers(p, s);
    }
    for (int32_t s = 0; s < p->program->steps; s++) /* outputs that nothing else reads */
        if (p->at[s].waits && !place_alone(p, s))
            return false;
    find_stored(p);
    return true;
}
