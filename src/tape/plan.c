/* plan.c -- group, lower, then give every stored value a place in one block of memory.
 *
 * A value needs its place from the kernel that computes it to the last that reads it; places are reused after that.  All
 * lifetimes are known, so the largest values choose first.
 */
#include "planner.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { MOST_THREADS = 64 };

static size_t rounded(size_t bytes)
{
    return (bytes + TP__ALIGNMENT - 1) & ~(size_t)(TP__ALIGNMENT - 1);
}

/* ---- Places ---------------------------------------------------------------------------------------- */

/* A piece of memory, for one value or for several that are written over each other. */
typedef struct piece {
    size_t begin, bytes;
    int32_t first, last; /* orders of the kernels between which it is needed */
} piece;

typedef struct layout {
    piece *piece;
    int32_t pieces;
    int32_t *placed; /* of those that have a place, by place; of the small ones only what is alive */
    int32_t n;
    size_t peak;
} layout;

static size_t bytes_of(const tp__step *step)
{
    return rounded((size_t)step->count * tp_dtype_size(step->dtype));
}

/* Does the planner have to find memory for the values of the step? */
static bool owns_memory(const planner *p, int32_t s)
{
    return p->at[s].kernel != NULL && p->at[s].stored && p->at[s].base == s &&
           p->program->step[s].leaf == NULL && p->at[s].leaf == NULL;
}

/* A value that dies in this loop, and over which another can be written; or -1. */
static int32_t find_dying(const planner *p, const tp__kernel *k, int32_t value)
{
    const tp__step *step = p->program->step;
    for (int32_t i = 0; i < k->instructions; i++)
        for (int32_t j = 0; j < k->instruction[i].n; j++) {
            const int32_t old = k->instruction[i].x[j].step;
            if (old >= 0 && owns_memory(p, old) && p->at[old].last == k->order && p->at[old].kernel != k &&
                bytes_of(&step[old]) == bytes_of(&step[value]) && tp__may_overwrite(k, value, old))
                return old;
        }
    return -1;
}

/* Which piece each value has: one of its own, or that of a value that dies where it is computed. */
static void cut_pieces(const planner *p, layout *l, int32_t *piece_of)
{
    for (const tp__kernel *k = p->plan->kernel; k != NULL; k = k->next)
        for (int32_t i = 0; i < (k->is_loop ? k->nodes : 1); i++) {
            const int32_t s = k->is_loop ? k->node[i] : k->step;
            if (!owns_memory(p, s))
                continue;
            const int32_t old = k->is_loop ? find_dying(p, k, s) : -1;
            if (old >= 0 && l->piece[piece_of[old]].last == k->order) { /* else another has it already */
                piece_of[s] = piece_of[old];
                l->piece[piece_of[s]].last = p->at[s].last;
                continue;
            }
            piece_of[s] = l->pieces;
            l->piece[l->pieces++] = (piece){0, bytes_of(&p->program->step[s]), k->order, p->at[s].last};
        }
}

/* The lowest gap that is large enough, from `floor` on, among the placed ones that are needed at the same time. */
static void place(layout *l, int32_t which, size_t floor)
{
    piece *own = &l->piece[which];
    size_t begin = floor;
    int32_t at = 0;

    for (int32_t i = 0; i < l->n; i++) {
        const piece *other = &l->piece[l->placed[i]];
        if (other->last < own->first || other->first > own->last)
            continue;
        if (other->begin >= begin + own->bytes)
            break;
        begin = other->begin + other->bytes > begin ? other->begin + other->bytes : begin;
    }
    own->begin = begin;
    while (at < l->n && l->piece[l->placed[at]].begin <= begin)
        at++;
    memmove(l->placed + at + 1, l->placed + at, (size_t)(l->n - at) * sizeof *l->placed);
    l->placed[at] = which;
    l->n++;
    l->peak = begin + own->bytes > l->peak ? begin + own->bytes : l->peak;
}

/* Pieces below this are many, and together little: they are placed as they come. */
static const size_t small = 4096;

/* The large ones by size, the largest first: later ones fill gaps. */
static void place_large(layout *l)
{
    for (size_t below = SIZE_MAX, size = 0; below > small; below = size) {
        size = 0;
        for (int32_t i = 0; i < l->pieces; i++)
            if (l->piece[i].bytes < below && l->piece[i].bytes > size)
                size = l->piece[i].bytes;
        if (size < small)
            return;
        for (int32_t i = 0; i < l->pieces; i++)
            if (l->piece[i].bytes == size)
                place(l, i, 0);
    }
}

static void drop_dead(layout *l, int32_t order)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < l->n; i++)
        if (l->piece[l->placed[i]].last >= order)
            l->placed[kept++] = l->placed[i];
    l->n = kept;
}

/* Behind the large ones, in the order of time. */
static void place_small(layout *l)
{
    const size_t floor = l->peak;
    l->n = 0;
    for (int32_t i = 0; i < l->pieces; i++)
        if (l->piece[i].bytes < small) {
            drop_dead(l, l->piece[i].first);
            place(l, i, floor);
        }
}

static bool place_values(planner *p, size_t *offset, size_t *peak)
{
    const tp_allocator *allocator = &p->program->tape->allocator;
    const size_t steps = (size_t)p->program->steps;
    int32_t *piece_of = tp__allocate(allocator, steps * sizeof *piece_of);
    layout l = {.piece = tp__allocate(allocator, steps * sizeof *l.piece),
                .placed = tp__allocate(allocator, steps * sizeof *l.placed)};

    const bool fine = piece_of != NULL && l.piece != NULL && l.placed != NULL;
    if (fine) {
        cut_pieces(p, &l, piece_of);
        place_large(&l);
        place_small(&l);
        for (int32_t s = 0; s < p->program->steps; s++)
            if (owns_memory(p, s))
                offset[s] = l.piece[piece_of[s]].begin;
    }
    *peak = l.peak;
    tp__release(allocator, piece_of, steps * sizeof *piece_of);
    tp__release(allocator, l.piece, steps * sizeof *l.piece);
    tp__release(allocator, l.placed, steps * sizeof *l.placed);
    return fine;
}

/* ---- Constants ------------------------------------------------------------------------------------- */

/* A known number stands alone, or repeated over a block where some kernel reads it as it reads anything else. */
static int64_t constant_count(const planner *p, int32_t s)
{
    if (p->program->step[s].op != &tp__scalar_op)
        return 0;
    return p->at[s].is_block ? TP__BLOCK : 1;
}

static size_t constant_bytes(const planner *p, int32_t s)
{
    const int64_t count = constant_count(p, s);
    const size_t bytes = rounded((size_t)count * tp_dtype_size(p->program->step[s].dtype));
    return count > 1 ? bytes + TP__ALIGNMENT : bytes; /* neighbours use different sets of the cache */
}

static void fill_constant(const tp__step *step, int64_t count)
{
    const double value = ((const tp__scalar_attr *)step->attr)->value;
    for (int64_t i = 0; i < count; i++)
        if (step->dtype == TP_F32)
            ((float *)step->data)[i] = (float)value;
        else if (step->dtype == TP_F64)
            ((double *)step->data)[i] = value;
        else
            ((int32_t *)step->data)[i] = (int32_t)value;
}

/* ---- Addresses ------------------------------------------------------------------------------------- */

static void set_address(const planner *p, tp__operand *o)
{
    if (o->step >= 0)
        o->memory = (char *)p->program->step[o->step].data + o->offset;
}

static void set_addresses(planner *p)
{
    for (tp__kernel *k = p->plan->kernel; k != NULL; k = k->next)
        for (int32_t i = 0; i < k->instructions; i++) {
            tp__instruction *instruction = &k->instruction[i];
            set_address(p, &instruction->y);
            for (int32_t j = 0; j < instruction->n; j++)
                set_address(p, &instruction->x[j]);
        }
}

/* Views without gaps are read in place also by those who know nothing of strides. */
static void point_views(planner *p)
{
    for (int32_t s = 0; s < p->program->steps; s++) {
        tp__step *step = &p->program->step[s];
        const placed *at = &p->at[s];
        const tp__step *base = &p->program->step[at->base];
        if (at->base != s && base->data != NULL)
            step->data = (char *)base->data + at->strides.offset * (int64_t)tp_dtype_size(step->dtype);
    }
}

static void fill_frame(const struct tp__plan *plan, const tp__kernel *k, int32_t thread)
{
    void **frame = plan->frame_memory + (size_t)thread * plan->frames + k->frame;
    char *scratch = plan->scratch_memory + (size_t)thread * plan->scratch;
    for (int32_t i = 0; i < k->instructions; i++) {
        const tp__instruction *instruction = &k->instruction[i];
        for (int32_t j = -1; j < instruction->n; j++) {
            const tp__operand *o = j < 0 ? &instruction->y : &instruction->x[j];
            frame[instruction->slot + 1 + j] = o->in_scratch ? scratch + o->offset : o->memory;
        }
    }
}

static void fill_frames(const struct tp__plan *plan)
{
    for (int32_t t = 0; t < plan->threads; t++)
        for (const tp__kernel *k = plan->kernel; k != NULL; k = k->next)
            fill_frame(plan, k, t);
}

static void measure_kernels(struct tp__plan *plan)
{
    for (tp__kernel *k = plan->kernel; k != NULL; k = k->next) {
        plan->scratch = k->scratch > plan->scratch ? k->scratch : plan->scratch;
        k->frame = plan->frames;
        plan->frames += (size_t)k->slots;
        if (k->is_loop && (k->mode == TP__FLAT || k->totals)) {
            const size_t bytes = (size_t)k->folds * (size_t)k->tiles * sizeof(tp_partial);
            plan->partials = bytes > plan->partials ? bytes : plan->partials;
        }
    }
    plan->scratch = rounded(plan->scratch);
    plan->partials = rounded(plan->partials);
}

/* Values, constants, then what the threads need. */
static bool allocate(planner *p, const size_t *offset, size_t peak, size_t block_bytes, size_t call_bytes)
{
    tp_program *program = p->program;
    struct tp__plan *plan = p->plan;
    const size_t limit = SIZE_MAX / 4;
    size_t total = peak + TP__ALIGNMENT;

    if (peak > limit || block_bytes + call_bytes > limit)
        return false;

    measure_kernels(plan);
    for (int32_t s = 0; s < program->steps; s++)
        total += constant_bytes(p, s);
    const size_t frames = rounded(plan->frames * (size_t)plan->threads * sizeof(void *));
    total += tp__snapshot_bytes(program) + block_bytes + call_bytes + plan->partials +
             plan->scratch * (size_t)plan->threads + frames;
    program->memory = tp__allocate(&program->tape->allocator, total);
    if (program->memory == NULL)
        return false;
    program->memory_size = total;

    char *next = (char *)program->memory + peak + TP__ALIGNMENT;
    for (int32_t s = 0; s < program->steps; s++) {
        tp__step *step = &program->step[s];
        if (step->leaf == NULL &&
            step->op->kind != TP_GROUP) /* those without elements point somewhere, too */
            step->data = p->at[s].leaf != NULL ? p->at[s].leaf->data
                         : owns_memory(p, s)   ? (char *)program->memory + offset[s]
                         : step->count == 0    ? program->memory
                                               : NULL;
        if (step->op == &tp__scalar_op) {
            step->data = next;
            fill_constant(step, constant_count(p, s));
        }
        next += constant_bytes(p, s);
    }
    next = tp__place_snapshots(program, next);
    program->block = next;
    program->call_scratch = next + block_bytes;
    plan->partial_memory = next + block_bytes + call_bytes;
    plan->scratch_memory = plan->partial_memory + plan->partials;
    plan->frame_memory = (void **)(void *)(plan->scratch_memory + plan->scratch * (size_t)plan->threads);
    return true;
}

/* ---- Plan ------------------------------------------------------------------------------------------ */

static bool build(planner *p, size_t *offset)
{
    size_t block_bytes, call_bytes, peak;

    if (!tp__group(p))
        return false;
    for (tp__kernel *k = p->plan->kernel; k != NULL; k = k->next) {
        if (k->is_loop && !tp__lower(p, k))
            return false;
        if (!k->is_loop && p->at[k->step].is_copy) {
            k->copies = true;
            k->copied_from = p->at[k->step].copied_from;
            k->copied_strides = p->at[k->step].copied_strides;
        }
    }
    tp__assign_in_place(p);
    if (!tp__measure_scratch(p->program, &block_bytes, &call_bytes) || !place_values(p, offset, &peak) ||
        !allocate(p, offset, peak, block_bytes, call_bytes))
        return false;
    point_views(p);
    set_addresses(p);
    fill_frames(p->plan);
    return true;
}

/* A library with threads of its own (BLAS) and OpenMP's, which wait by spinning, would fight for the cores between
 * every two kernels: then the loops keep to one. */
static int32_t threads_for(const tp_program *program)
{
    int32_t threads = 1;
#ifdef _OPENMP
    threads = omp_get_max_threads() < MOST_THREADS ? omp_get_max_threads() : MOST_THREADS;
#endif
    for (int32_t s = 0; s < program->steps && !program->options.always_parallel; s++)
        if (program->step[s].op->flags & TP_OP_THREAD_DEPENDENT)
            return 1;
    return threads;
}

bool tp__plan(tp_program *program)
{
    const tp_allocator *allocator = &program->tape->allocator;
    const size_t steps = (size_t)program->steps;
    planner p = {.program = program, .plan = tp__arena_take(&program->arena, sizeof *p.plan)};
    size_t *offset = tp__allocate(allocator, steps * sizeof *offset);
    p.at = tp__allocate(allocator, steps * sizeof *p.at);
    bool fine = p.plan != NULL && offset != NULL && p.at != NULL;

    if (fine) {
        p.plan->always_parallel = program->options.always_parallel;
        p.plan->threads = threads_for(program);
        program->plan = p.plan;
        fine = build(&p, offset);
    }
    tp__release(allocator, offset, steps * sizeof *offset);
    tp__release(allocator, p.at, steps * sizeof *p.at);
    return fine;
}
