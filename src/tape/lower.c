/* lower.c -- the planner's second half: the instructions of a loop kernel.
 *
 * A value that is computed here and needed later in the same loop lies in a register (a block); in memory where it is stored
 * anyway and the kernel order is the memory's; or, when the row is longer than a block and another phase needs it, in a
 * spilled row.  What is read with strides other than the kernel's is gathered into a register first.
 */
#include "planner.h"

typedef struct lowering {
    planner *p;
    tp__kernel *kernel;
    int32_t order[TP_MAX_RANK]; /* dimension of the space, by dimension in kernel order */
    int32_t capacity;
    tp__instruction *instruction;
    bool failed;
} lowering;

/* ---- Mode ------------------------------------------------------------------------------------------ */

static void count_phases(lowering *l)
{
    planner *p = l->p;
    tp__kernel *kernel = l->kernel;
    int32_t last = 0;

    for (int32_t i = 0; i < kernel->nodes; i++) {
        placed *at = &p->at[kernel->node[i]];
        const tp__step *step = &p->program->step[kernel->node[i]];
        at->phase = 0;
        for (int32_t k = 0; k < step->n; k++) {
            const placed *x = &p->at[p->at[step->input[k]].base];
            if (x->kernel == kernel && x->phase > at->phase)
                at->phase = x->phase;
        }
        if (step->op->kind == TP_REDUCE) {
            last = at->phase > last ? at->phase : last;
            at->phase++;
        } else if (!at->row) {
            last = at->phase > last ? at->phase : last;
        }
    }
    kernel->phases = last + 1;
}

/* Bits 0 .. n-1. */
static uint32_t low_bits(int64_t n)
{
    return (uint32_t)(((uint64_t)1 << n) - 1);
}

static tp__mode mode_of(const tp__kernel *kernel)
{
    const uint32_t all = low_bits(kernel->space.rank);
    int64_t reduced = 0;
    for (int64_t d = 0; d < kernel->space.rank; d++)
        reduced += kernel->mask >> d & 1;
    if ((kernel->mask == 0 || kernel->mask == all) && kernel->phases == 1)
        return TP__FLAT;
    if (kernel->mask == (low_bits(reduced) << (kernel->space.rank - reduced)))
        return TP__ROWS;
    if (kernel->mask == low_bits(reduced))
        return TP__COLUMNS;
    return TP__MIXED;
}

enum { WORTH_A_BLOCK = 64 };

/* The last dimensions in kernel order, as far as they are the last ones in memory. */
static void find_runs(lowering *l)
{
    tp__kernel *k = l->kernel;
    if (k->mode != TP__MIXED || k->whole_rows)
        return;
    k->run = 1;
    for (k->outer = (int32_t)k->space.rank; k->outer > 0 && l->order[k->outer - 1] == k->outer - 1;
         k->outer--)
        k->run *= k->shape.dim[k->outer - 1];
    if (k->run < WORTH_A_BLOCK)
        k->run = 0;
}

static void choose_mode(lowering *l)
{
    tp__kernel *k = l->kernel;
    int32_t at = 0;

    k->mode = mode_of(k);
    k->rows = k->length = 1;
    for (int pass = 0; pass < 2; pass++) /* kept dimensions first, but in columns */
        for (int32_t d = 0; d < k->space.rank; d++) {
            const bool reduced = k->mask >> d & 1;
            if (k->mode == TP__FLAT || k->mode == TP__COLUMNS ? pass == 1 : reduced != (pass == 1))
                continue;
            l->order[at++] = d;
        }
    k->shape.rank = k->space.rank;
    for (int32_t d = 0; d < at; d++) {
        const bool reduced = k->mode == TP__FLAT || (k->mask >> l->order[d] & 1);
        k->shape.dim[d] = k->space.dim[l->order[d]];
        *(reduced ? &k->length : &k->rows) *= k->shape.dim[d];
        if (!reduced)
            k->row_shape.dim[k->row_shape.rank++] = k->shape.dim[d];
    }
    k->whole_rows = (k->mode == TP__ROWS || k->mode == TP__MIXED) && k->length <= TP__BLOCK;
    find_runs(l);
}

static tp_strides in_kernel_order(const lowering *l, const tp_strides *s)
{
    tp_strides o = {.offset = s->offset};
    for (int64_t d = 0; d < l->kernel->space.rank; d++)
        o.stride[d] = s->stride[l->order[d]];
    return o;
}

/* Of the kept dimensions only. */
static tp_strides row_strides(const lowering *l, const tp_strides *s)
{
    tp_strides o = {.offset = s->offset};
    int64_t at = 0;
    for (int64_t d = 0; d < l->kernel->space.rank; d++)
        if (!(l->kernel->mask >> d & 1))
            o.stride[at++] = s->stride[d];
    return o;
}

/* ---- Instructions ---------------------------------------------------------------------------------- */

static tp__instruction *emit(lowering *l, tp__instruction_kind kind, int32_t step, int32_t phase, bool row,
                             int32_t n)
{
    tp__kernel *kernel = l->kernel;
    if (kernel->instructions == l->capacity) {
        const int32_t capacity = l->capacity ? 2 * l->capacity : 32;
        tp__instruction *more = tp__arena_take(&l->p->program->arena, (size_t)capacity * sizeof *more);
        if (more == NULL) {
            l->failed = true;
            return NULL;
        }
        if (kernel->instructions > 0)
            memcpy(more, l->instruction, (size_t)kernel->instructions * sizeof *more);
        l->instruction = more;
        l->capacity = capacity;
    }
    tp__operand *x = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *x);
    if (x == NULL) {
        l->failed = true;
        return NULL;
    }
    tp__instruction *i = &l->instruction[kernel->instructions++];
    const tp__step *s = &l->p->program->step[step];
    *i = (tp__instruction){.kind = kind,
                           .row = row,
                           .phase = phase,
                           .step = step,
                           .dtype = s->dtype,
                           .attr = s->attr,
                           .before = -1,
                           .shared_by = -1,
                           .n = n,
                           .x = x};
    i->y = (tp__operand){.kind = TP__REGISTER, .size = (int32_t)tp_dtype_size(s->dtype), .step = -1};
    return i;
}

static tp__operand memory_operand(const lowering *l, tp__operand_kind kind, int32_t base)
{
    return (tp__operand){
        .kind = kind, .size = (int32_t)tp_dtype_size(l->p->program->step[base].dtype), .step = base};
}

/* A register is named by the instruction that fills it, until allocation gives it a place. */
static tp__operand register_of(const lowering *l, const tp__instruction *filler)
{
    return (tp__operand){.kind = TP__REGISTER,
                         .size = filler->y.size,
                         .step = -1,
                         .offset = (size_t)(filler - l->instruction)};
}

static bool same(const tp_strides *a, const tp_strides *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static tp__operand gather(lowering *l, int32_t base, tp_strides strides, int32_t phase, bool row)
{
    const bool any_phase = l->kernel->whole_rows;
    for (int32_t j = 0; j < l->kernel->instructions; j++) {
        const tp__instruction *i = &l->instruction[j];
        if (i->kind == TP__GATHER && i->step == base && same(&i->strides, &strides) && i->row == row &&
            (i->phase == phase || (any_phase && i->phase <= phase)))
            return register_of(l, i);
    }
    tp__instruction *i = emit(l, TP__GATHER, base, phase, row, 1);
    if (i == NULL)
        return (tp__operand){0};
    i->strides = strides;
    i->x[0] = memory_operand(l, TP__FIXED, base);
    return register_of(l, i);
}

/* One number for all that a block holds. */
static tp__operand single(tp__operand o)
{
    o.single = true;
    return o;
}

/* Does a block never hold more than one row? */
static bool one_row_to_a_block(const tp__kernel *k)
{
    return (k->mode == TP__ROWS || k->mode == TP__MIXED) && k->length > TP__BLOCK / 2;
}

static tp__operand spread(lowering *l, int32_t base, tp__operand row_value, int32_t phase)
{
    const bool any_phase = l->kernel->whole_rows;
    for (int32_t j = 0; j < l->kernel->instructions; j++) {
        const tp__instruction *i = &l->instruction[j];
        if (i->kind == TP__SPREAD && i->step == base &&
            (i->phase == phase || (any_phase && i->phase <= phase)))
            return register_of(l, i);
    }
    tp__instruction *i = emit(l, TP__SPREAD, base, phase, false, 1);
    if (i == NULL)
        return (tp__operand){0};
    i->once = true;
    i->x[0] = row_value;
    return register_of(l, i);
}

/* ---- Operands -------------------------------------------------------------------------------------- */

static bool all_zero(const tp__kernel *k, const tp_strides *strides)
{
    for (int64_t d = 0; d < k->space.rank; d++)
        if (strides->stride[d] != 0)
            return false;
    return true;
}

/* The same for all elements, or all rows. */
static tp__operand one_number(const lowering *l, int32_t base, int64_t offset)
{
    tp__operand o = single(memory_operand(l, TP__FIXED, base));
    o.offset = (size_t)offset * (size_t)o.size;
    return o;
}

/* The strides of one row without gaps, for all rows. */
static bool is_line(const tp__kernel *k, const tp_strides *strides)
{
    int64_t step = 1;
    for (int64_t d = k->space.rank - 1; d >= 0; d--) {
        const bool reduced = k->mask >> d & 1;
        if (strides->stride[d] != (reduced ? step : 0))
            return false;
        step *= reduced ? k->space.dim[d] : 1;
    }
    return strides->offset == 0;
}

/* Is memory with these strides (in kernel order) one run, or one number, along the dimensions of a run? */
static bool runs(const tp__kernel *k, const tp_strides *strides, bool *single_number)
{
    bool zero = true, one = true;
    int64_t step = 1;
    for (int64_t d = k->space.rank - 1; d >= k->outer; d--) {
        zero = zero && strides->stride[d] == 0;
        one = one && strides->stride[d] == step;
        step *= k->shape.dim[d];
    }
    *single_number = zero;
    return k->run > 0 && (zero || one);
}

static tp__operand run_operand(lowering *l, int32_t base, const tp_strides *strides, bool single_number)
{
    tp__operand o = memory_operand(l, TP__RUN, base);
    int64_t *outer = tp__arena_take(&l->p->program->arena, (size_t)l->kernel->outer * sizeof *outer);
    if (outer == NULL) {
        l->failed = true;
        return o;
    }
    for (int32_t d = 0; d < l->kernel->outer; d++)
        outer[d] = strides->stride[d] * o.size;
    o.outer = outer;
    o.offset = (size_t)(strides->offset * o.size);
    o.single = single_number;
    return o;
}

/* A row value, for elements of the row. */
static tp__operand of_row(lowering *l, int32_t base, tp__operand row_value, int32_t phase)
{
    return one_row_to_a_block(l->kernel) ? single(row_value) : spread(l, base, row_value, phase);
}

static tp__operand from_memory(lowering *l, int32_t base, const tp_strides *strides, int32_t phase, bool row)
{
    const tp__kernel *k = l->kernel;
    const tp_strides full = tp__natural(k, false), by_row = tp__natural(k, true);

    if (row && tp__same_strides(k, strides, &by_row))
        return memory_operand(l, TP__ROW, base);
    if (!row && k->mode != TP__MIXED && tp__same_strides(k, strides, &full))
        return memory_operand(l, TP__FULL, base);
    if (all_zero(k, strides))
        return one_number(l, base, strides->offset);
    if (row)
        return gather(l, base, row_strides(l, strides), phase, true);
    if (k->mode == TP__COLUMNS && tp__same_strides(k, strides, &by_row))
        return memory_operand(l, TP__ROW, base);
    if (k->mode != TP__FLAT && tp__same_strides(k, strides, &by_row))
        return of_row(l, base, memory_operand(l, TP__ROW, base), phase);
    if (k->mode == TP__ROWS && one_row_to_a_block(k) && is_line(k, strides))
        return memory_operand(l, TP__LINE, base);
    if (k->mode == TP__COLUMNS && is_line(k, strides))
        return single(memory_operand(l, TP__LINE, base));
    const tp_strides ordered = in_kernel_order(l, strides);
    bool single_number;
    if (runs(k, &ordered, &single_number))
        return run_operand(l, base, &ordered, single_number);
    return gather(l, base, ordered, phase, false);
}

static tp__operand operand_of(lowering *l, int32_t s, int32_t input, int32_t phase, bool row)
{
    const planner *p = l->p;
    const tp__step *step = &p->program->step[s];
    const int32_t base = p->at[input].base;
    const placed *at = &p->at[base];

    if (p->program->step[base].op == &tp__scalar_op)
        return one_number(l, base, 0);
    if (at->kernel != l->kernel) {
        const tp_strides strides = tp__access(p, l->kernel, step, row, input);
        return from_memory(l, base, &strides, phase, row);
    }
    const tp__operand value = at->value;
    if (!at->row || row || l->kernel->mode == TP__COLUMNS)
        return value;
    return of_row(l, base, value, phase);
}

/* ---- Results --------------------------------------------------------------------------------------- */

/* Is the value read in a phase after its own? */
static bool crosses_phases(const lowering *l, int32_t s)
{
    const planner *p = l->p;
    for (int32_t i = 0; i < l->kernel->nodes; i++) {
        const int32_t reader = l->kernel->node[i];
        const tp__step *step = &p->program->step[reader];
        const int32_t phase = p->at[reader].phase - (step->op->kind == TP_REDUCE);
        for (int32_t k = 0; k < step->n; k++)
            if (p->at[step->input[k]].base == s && phase > p->at[s].phase)
                return true;
    }
    return false;
}

/* Where the result of instruction `i` for step `s` goes; a scatter follows where memory has another order. */
static void place_result(lowering *l, int32_t index, int32_t s)
{
    placed *at = &l->p->at[s];
    tp__kernel *k = l->kernel;
    const bool natural_order = at->row || k->mode != TP__MIXED;
    const tp_strides natural = tp__natural(k, false), full = in_kernel_order(l, &natural);

    if (at->stored && at->total)
        l->instruction[index].y = memory_operand(l, TP__FIXED, s);
    else if (at->stored && natural_order)
        l->instruction[index].y = memory_operand(l, at->row ? TP__ROW : TP__FULL, s);
    else if (at->stored && k->run > 0)
        l->instruction[index].y = run_operand(l, s, &full, false);
    else if (!at->row && !k->whole_rows && k->mode != TP__FLAT && crosses_phases(l, s))
        l->instruction[index].y.kind = TP__SPILL;
    at->value = l->instruction[index].y;
    if (at->value.kind == TP__REGISTER || at->value.kind == TP__SPILL)
        at->value.offset = (size_t)index; /* named by its instruction */
    if (at->stored && !natural_order && k->run == 0) {
        tp__instruction *i = emit(l, TP__SCATTER, s, at->phase, false, 1);
        if (i == NULL)
            return;
        i->strides = full;
        i->x[0] = at->value;
        i->y = memory_operand(l, TP__FIXED, s);
    }
}

/* Do other steps of the kernel share a part with this one? */
static bool shares(const lowering *l, int32_t s)
{
    const tp__step *steps = l->p->program->step, *step = &steps[s];
    for (int32_t i = 0; step->op->sharing != NULL && i < l->kernel->nodes; i++) {
        const tp__step *other = &steps[l->kernel->node[i]];
        if (other != step && other->op->sharing != NULL &&
            other->op->sharing->part == step->op->sharing->part && other->input[0] == step->input[0] &&
            l->p->at[l->kernel->node[i]].phase == l->p->at[s].phase)
            return true;
    }
    return false;
}

/* The shared part of a step's operand `x`, computed before or now. */
static tp__operand shared_part(lowering *l, int32_t s, tp__operand x, int32_t phase, bool row)
{
    const tp__step *step = &l->p->program->step[s];
    const tp_map_kernel map = step->op->sharing->part->map[step->dtype];
    for (int32_t j = 0; j < l->kernel->instructions; j++) {
        const tp__instruction *i = &l->instruction[j];
        if (i->map == map && i->phase == phase && i->row == row && i->shared_by == step->input[0])
            return register_of(l, i);
    }
    tp__instruction *i = emit(l, TP__APPLY, s, phase, row, 1);
    if (i == NULL)
        return x;
    i->part = step->op->sharing->part;
    i->shared_by = step->input[0];
    i->map = map;
    i->x[0] = x;
    return register_of(l, i);
}

static void lower_node(lowering *l, int32_t s)
{
    const planner *p = l->p;
    const tp__step *step = &p->program->step[s];
    const bool reduces = step->op->kind == TP_REDUCE;
    const bool row = p->at[s].row && !reduces;
    const int32_t phase = p->at[s].phase - reduces;
    tp__operand x[TP__MOST_OPERANDS];

    const bool shared = !reduces && shares(l, s);
    int32_t n = step->n;

    for (int32_t k = 0; k < step->n; k++)
        x[k] = operand_of(l, s, step->input[k], phase, row);
    if (shared)
        x[n++] = shared_part(l, s, x[0], phase, row);
    tp__instruction *i = emit(l, reduces ? TP__FOLD : TP__APPLY, s, phase, row, n);
    if (i == NULL)
        return;
    memcpy(i->x, x, (size_t)n * sizeof *x);
    const tp_dtype in = p->program->step[step->input[0]].dtype;
    if (reduces) {
        i->reduction = step->op->reduce[in];
        i->fold_number = l->kernel->folds++;
        i->total = p->at[s].total;
        l->kernel->totals |= i->total;
    } else if (shared) {
        i->mixed = step->op->sharing->of[in];
        i->singles = TP_SINGLES2_;
        i->part = step->op->sharing->part;
    } else {
        i->map = step->op->map[in];
        i->mixed = step->op->singles != 0 ? step->op->mixed[in] : NULL;
        i->singles = i->mixed != NULL ? step->op->singles : 0;
    }
    place_result(l, (int32_t)(i - l->instruction), s);
}

/* ---- Pairs ----------------------------------------------------------------------------------------- */

static bool has_kernel(const tp_fusion *f, const tp__instruction *outer, tp_dtype dtype)
{
    return outer->kind == TP__FOLD ? f->fold[dtype] != NULL : f->mixed[dtype] != NULL;
}

static const tp_fusion *find_fusion(const lowering *l, const tp__instruction *outer,
                                    const tp__instruction *inner, int32_t k)
{
    const tp__step *steps = l->p->program->step;
    const tp_fusion *f = steps[outer->step].op->fusion;
    if (outer->part != NULL || inner->part != NULL)
        return NULL;
    if ((outer->kind != TP__APPLY && outer->kind != TP__FOLD) || inner->kind != TP__APPLY ||
        outer->n + inner->n - 1 > TP__MOST_OPERANDS || inner->phase != outer->phase ||
        inner->row != outer->row || inner->dtype != outer->dtype)
        return NULL;
    for (; f != NULL && f->inner != NULL; f++)
        if (f->inner == steps[inner->step].op && f->operand == k && has_kernel(f, outer, inner->dtype) &&
            inner->fused == f->innermost && inner->innermost == NULL &&
            inner->fused_operand == f->innermost_operand)
            return f;
    return NULL;
}

/* The inner instruction's operands take the place of operand k. */
static bool splice(lowering *l, tp__instruction *outer, const tp__instruction *inner, int32_t k)
{
    const int32_t n = outer->n + inner->n - 1;
    tp__operand *x = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *x);
    if (x == NULL)
        return false;
    memcpy(x, outer->x, (size_t)k * sizeof *x);
    memcpy(x + k, inner->x, (size_t)inner->n * sizeof *x);
    memcpy(x + k + inner->n, outer->x + k + 1, (size_t)(outer->n - k - 1) * sizeof *x);
    outer->x = x;
    outer->n = n;
    return true;
}

static bool is_register(const tp__operand *x, int32_t filler)
{
    return x->kind == TP__REGISTER && x->offset == (size_t)filler;
}

/* Has every reader a kernel for the pair, so that the inner instruction goes? */
static bool can_go(const lowering *l, int32_t inner)
{
    bool read = false;
    for (int32_t j = inner + 1; j < l->kernel->instructions; j++) {
        const tp__instruction *outer = &l->instruction[j];
        int32_t times = 0;
        for (int32_t k = 0; k < outer->n; k++)
            if (is_register(&outer->x[k], inner)) {
                if (times++ > 0 || outer->fused != NULL ||
                    find_fusion(l, outer, &l->instruction[inner], k) == NULL)
                    return false;
                read = true;
            }
    }
    return read;
}

static bool fuse(lowering *l, tp__instruction *outer, const tp__instruction *inner, int32_t k)
{
    const tp_fusion *f = find_fusion(l, outer, inner, k);
    if (!splice(l, outer, inner, k))
        return false;
    outer->map = NULL;
    outer->mixed = f->mixed[outer->dtype];
    outer->singles = f->singles;
    outer->reduction = f->fold[outer->dtype];
    outer->fused = f->inner;
    outer->fused_operand = k;
    outer->innermost = f->innermost;
    return true;
}

/* An instruction whose readers all have a kernel for the pair becomes one with each of them. */
static bool fuse_pairs(lowering *l)
{
    for (int32_t i = 0; i < l->kernel->instructions; i++) {
        const tp__instruction *inner = &l->instruction[i];
        if (inner->kind != TP__APPLY || inner->y.kind != TP__REGISTER || !can_go(l, i))
            continue;
        for (int32_t j = i + 1; j < l->kernel->instructions; j++)
            for (int32_t k = 0; k < l->instruction[j].n; k++)
                if (is_register(&l->instruction[j].x[k], i) && !fuse(l, &l->instruction[j], inner, k))
                    return false;
    }
    return true;
}

/* ---- Single numbers -------------------------------------------------------------------------------- */

/* One operand that the kernel cannot take as a single number becomes a block. */
static bool widen(lowering *l, int32_t index, int32_t k)
{
    const tp__operand o = l->instruction[index].x[k];
    const int32_t phase = l->instruction[index].phase;
    tp__operand wide = {.kind = TP__FIXED, .size = o.size, .step = o.step};

    if (o.step >= 0 && l->p->program->step[o.step].op == &tp__scalar_op) {
        l->p->at[o.step].is_block = true;
    } else {
        tp__instruction *i = emit(l, TP__SPREAD, l->instruction[index].step, phase, false, 1);
        if (i == NULL)
            return false;
        i->row = l->instruction[index].row;
        i->once = !i->row && o.kind != TP__LINE; /* a line's number is another for each block */
        i->before = index;
        i->y.size = o.size;
        i->x[0] = o;
        wide = register_of(l, i);
    }
    l->instruction[index].x[k] = wide;
    return true;
}

static unsigned single_operands(const tp__instruction *i)
{
    unsigned single = 0;
    for (int32_t k = 0; k < i->n; k++)
        single |= (unsigned)i->x[k].single << k;
    return single;
}

static bool settle_singles(lowering *l)
{
    const int32_t n = l->kernel->instructions;
    for (int32_t j = 0; j < n; j++) {
        const tp__instruction_kind kind = l->instruction[j].kind;
        if (l->instruction[j].dropped || kind == TP__GATHER || kind == TP__SPREAD)
            continue;
        for (int32_t k = l->instruction[j].n - 1; k >= 0; k--) {
            const unsigned single = single_operands(&l->instruction[j]);
            if (single == 0 || (l->instruction[j].singles >> single & 1))
                break;
            if (l->instruction[j].x[k].single && !widen(l, j, k))
                return false;
        }
        l->instruction[j].single = single_operands(&l->instruction[j]);
    }
    return true;
}

/* ---- What nothing reads ---------------------------------------------------------------------------- */

/* What nothing reads any more. */
static void drop_unread(lowering *l)
{
    tp__kernel *kernel = l->kernel;
    for (int32_t i = kernel->instructions - 1; i >= 0; i--) {
        tp__instruction *instruction = &l->instruction[i];
        bool read = instruction->kind == TP__SCATTER ||
                    (instruction->y.kind != TP__REGISTER && instruction->y.kind != TP__SPILL);
        for (int32_t j = i + 1; j < kernel->instructions && !read; j++)
            for (int32_t k = 0; k < l->instruction[j].n && !l->instruction[j].dropped; k++) {
                const tp__operand *x = &l->instruction[j].x[k];
                read = read || ((x->kind == TP__REGISTER || x->kind == TP__SPILL) && x->offset == (size_t)i);
            }
        instruction->dropped = !read;
    }
}

/* ---- Order and registers --------------------------------------------------------------------------- */

/* What is done once per row (or block of whole rows) before a phase's elements. */
static bool is_row_stage(const tp__instruction *i)
{
    return i->row || i->once;
}

static int sort_key(const tp__instruction *i)
{
    return 2 * i->phase + !is_row_stage(i);
}

static int32_t place_sorted(const lowering *l, tp__instruction *sorted, int32_t *moved, int32_t i, int key,
                            int32_t at)
{
    if (sort_key(&l->instruction[i]) != key || l->instruction[i].dropped)
        return at;
    moved[i] = at;
    sorted[at] = l->instruction[i];
    return at + 1;
}

/* Stable: by phase, row stage first; those that were made for another right before it.  Names of registers follow. */
static bool sort_instructions(lowering *l)
{
    tp__kernel *kernel = l->kernel;
    const int32_t n = kernel->instructions;
    tp__instruction *sorted = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *sorted);
    int32_t *moved = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *moved);
    int32_t at = 0;

    if (sorted == NULL || moved == NULL)
        return false;
    for (int key = 0; key <= 2 * kernel->phases + 1; key++)
        for (int32_t i = 0; i < n && l->instruction[i].before < 0; i++) {
            for (int32_t j = n - 1; j > i && l->instruction[j].before >= 0; j--)
                if (l->instruction[j].before == i)
                    at = place_sorted(l, sorted, moved, j, key, at);
            at = place_sorted(l, sorted, moved, i, key, at);
        }
    kernel->instructions = at;
    for (int32_t i = 0; i < at; i++)
        for (int32_t k = 0; k < sorted[i].n; k++)
            if (sorted[i].x[k].kind == TP__REGISTER || sorted[i].x[k].kind == TP__SPILL)
                sorted[i].x[k].offset = (size_t)moved[sorted[i].x[k].offset];
    kernel->instruction = sorted;
    return true;
}

/* The last instruction before which the register filled by `i` must not be given away.  In a swept row, what the row
 * stage filled is read by every block of the phase, and what a fold fills is filled after the last block. */
static int32_t end_of_use(const tp__kernel *kernel, int32_t i)
{
    int32_t end = i;
    for (int32_t j = i + 1; j < kernel->instructions; j++)
        for (int32_t k = 0; k < kernel->instruction[j].n; k++) {
            const tp__operand *x = &kernel->instruction[j].x[k];
            if (x->kind == TP__REGISTER && x->offset == (size_t)i)
                end = j;
        }
    const bool lasting = is_row_stage(&kernel->instruction[i]) || kernel->instruction[i].kind == TP__FOLD;
    if (!kernel->whole_rows && lasting)
        while (end + 1 < kernel->instructions &&
               sort_key(&kernel->instruction[end + 1]) == sort_key(&kernel->instruction[end]))
            end++;
    return end;
}

static bool give_registers(lowering *l)
{
    tp__kernel *kernel = l->kernel;
    const int32_t n = kernel->instructions;
    int32_t *end = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *end);
    int32_t *slot = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *slot);
    int32_t *busy_until = tp__arena_take(&l->p->program->arena, (size_t)n * sizeof *busy_until);
    int32_t registers = 0;

    if (end == NULL || slot == NULL || busy_until == NULL)
        return false;
    for (int32_t i = 0; i < n; i++) {
        tp__instruction *instruction = &kernel->instruction[i];
        slot[i] = -1;
        if (instruction->y.kind != TP__REGISTER || instruction->kind == TP__SCATTER)
            continue;
        end[i] = end_of_use(kernel, i);
        /* An operand that ends here may be overwritten in place by a map of the same element size. */
        int32_t r = 0;
        for (; r < registers; r++)
            if (busy_until[r] < i)
                break;
        if (r == registers)
            registers++;
        busy_until[r] = end[i];
        slot[i] = r;
    }
    /* Not a multiple of the page size: neighbouring registers use different sets of the cache. */
    int32_t widest = 4;
    for (int32_t i = 0; i < n; i++)
        widest = kernel->instruction[i].y.size > widest ? kernel->instruction[i].y.size : widest;
    const size_t bytes = (size_t)(TP__BLOCK * widest) + 2 * TP__ALIGNMENT;
    for (int32_t i = 0; i < n; i++) {
        tp__instruction *instruction = &kernel->instruction[i];
        if (slot[i] >= 0)
            instruction->y.offset = (size_t)slot[i] * bytes;
    }
    kernel->scratch = (size_t)registers * bytes;
    return true;
}

/* Spilled rows and the states of folds behind the registers; then operands learn where their values lie. */
static void lay_out_scratch(tp__kernel *kernel)
{
    const int64_t wide = kernel->mode == TP__COLUMNS ? TP__COLUMN_BLOCK : 1;
    int64_t tiles = (kernel->length + TP_TILE - 1) / TP_TILE;
    int32_t levels = 1;

    for (; tiles > 0; tiles /= 2)
        levels++;
    for (int32_t i = 0; i < kernel->instructions; i++) {
        tp__instruction *x = &kernel->instruction[i];
        if (x->y.kind == TP__SPILL) {
            x->y.offset = kernel->scratch;
            kernel->scratch += ((size_t)(kernel->length * wide) * (size_t)x->y.size + 63) & ~(size_t)63;
        }
        if (x->kind == TP__FOLD && !kernel->whole_rows) {
            x->fold = kernel->scratch;
            kernel->scratch += (size_t)((TP_LANES + levels) * wide) * sizeof(tp_partial);
        }
    }
    for (int32_t i = 0; i < kernel->instructions; i++)
        for (int32_t k = 0; k < kernel->instruction[i].n; k++) {
            tp__operand *x = &kernel->instruction[i].x[k];
            if (x->kind == TP__REGISTER || x->kind == TP__SPILL)
                x->offset = kernel->instruction[x->offset].y.offset;
        }
}

static void set_addressing(const tp__kernel *kernel, tp__operand *o)
{
    static const uint8_t index[] = {
        [TP__FIXED] = TP__AT_NOTHING, [TP__FULL] = TP__AT_ELEMENT, [TP__ROW] = TP__AT_ROW,
        [TP__LINE] = TP__AT_COLUMN,   [TP__RUN] = TP__AT_NOTHING,  [TP__REGISTER] = TP__AT_NOTHING,
        [TP__SPILL] = TP__AT_COLUMN,
    };
    o->index = index[o->kind];
    o->in_scratch = o->kind == TP__REGISTER || o->kind == TP__SPILL;
    o->stride = o->size;
    if (o->kind == TP__SPILL && kernel->mode == TP__COLUMNS)
        o->stride *= TP__COLUMN_BLOCK;
}

bool tp__lower(planner *p, tp__kernel *kernel)
{
    lowering l = {.p = p, .kernel = kernel};

    count_phases(&l);
    choose_mode(&l);
    for (int32_t i = 0; i < kernel->nodes && !l.failed; i++)
        lower_node(&l, kernel->node[i]);
    if (l.failed || !fuse_pairs(&l))
        return false;
    drop_unread(&l);
    if (!settle_singles(&l))
        return false;
    if (!sort_instructions(&l) || !give_registers(&l))
        return false;
    lay_out_scratch(kernel);
    for (int32_t i = 0; i < kernel->instructions; i++) {
        set_addressing(kernel, &kernel->instruction[i].y);
        for (int32_t k = 0; k < kernel->instruction[i].n; k++)
            set_addressing(kernel, &kernel->instruction[i].x[k]);
    }
    kernel->cost = kernel->rows * kernel->length * (kernel->instructions + 1);
    kernel->tiles = ((kernel->mode == TP__FLAT ? 1 : kernel->rows) * kernel->length - 1) / TP_TILE + 1;
    return true;
}
