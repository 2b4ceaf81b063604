/* lower.c -- the planner's second half: the instructions of a loop kernel.
 *
 * A value that is computed here and needed later in the same loop lies in a register (a block); in memory where it is stored
 * anyway and the kernel order is the memory's; or, when the row is longer than a block and another phase needs it, in a
 * spilled row.  What is read with strides other than the kernel's is gathered into a register first.
 */
#include "lower.h"

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

tp__instruction *tp__emit(lowering *l, tp__instruction_kind kind, int32_t step, int32_t phase, bool row,
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

tp__operand tp__register_of(const lowering *l, const tp__instruction *filler)
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

/* Strides in kernel order, where the kept dimensions come first. */
static bool same_for_all_rows(const tp__kernel *k, const tp_strides *strides)
{
    for (int64_t d = 0; d < k->row_shape.rank; d++)
        if (strides->stride[d] != 0)
            return false;
    return true;
}

static tp__operand gather(lowering *l, int32_t base, tp_strides strides, int32_t phase, bool row)
{
    const bool any_phase = l->kernel->whole_rows;
    for (int32_t j = 0; j < l->kernel->instructions; j++) {
        const tp__instruction *i = &l->instruction[j];
        if (i->kind == TP__GATHER && i->step == base && same(&i->strides, &strides) && i->row == row &&
            (i->phase == phase || (any_phase && i->phase <= phase)))
            return tp__register_of(l, i);
    }
    tp__instruction *i = tp__emit(l, TP__GATHER, base, phase, row, 1);
    if (i == NULL)
        return (tp__operand){0};
    i->strides = strides;
    i->x[0] = memory_operand(l, TP__FIXED, base);
    i->steady = any_phase && !row && same_for_all_rows(l->kernel, &strides);
    return tp__register_of(l, i);
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
            return tp__register_of(l, i);
    }
    tp__instruction *i = tp__emit(l, TP__SPREAD, base, phase, false, 1);
    if (i == NULL)
        return (tp__operand){0};
    i->once = true;
    i->x[0] = row_value;
    return tp__register_of(l, i);
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

static tp__operand operand_of(lowering *l, int32_t s, int32_t input, int32_t phase, bool row);

static void set_map(const lowering *l, tp__instruction *i, int32_t s)
{
    const tp__step *step = &l->p->program->step[s];
    const tp_dtype in = l->p->program->step[step->input[0]].dtype;
    i->map = step->op->map[in];
    i->mixed = step->op->singles != 0 ? step->op->mixed[in] : NULL;
    i->singles = i->mixed != NULL ? step->op->singles : 0;
}

/* A full value of an earlier phase that was not kept. */
static tp__operand computed_again(lowering *l, int32_t s, int32_t phase)
{
    const tp__step *step = &l->p->program->step[s];
    tp__operand x[TP__MOST_OPERANDS];

    for (int32_t j = 0; j < l->kernel->instructions; j++) {
        const tp__instruction *i = &l->instruction[j];
        if (i->kind == TP__APPLY && i->step == s && i->phase == phase && i->part == NULL)
            return tp__register_of(l, i);
    }
    for (int32_t k = 0; k < step->n; k++)
        x[k] = operand_of(l, s, step->input[k], phase, false);
    tp__instruction *i = tp__emit(l, TP__APPLY, s, phase, false, step->n);
    if (i == NULL)
        return (tp__operand){0};
    memcpy(i->x, x, (size_t)step->n * sizeof *x);
    set_map(l, i, s);
    return tp__register_of(l, i);
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
    if (!at->row && at->phase < phase && at->value.kind == TP__REGISTER && !l->kernel->whole_rows)
        return computed_again(l, base, phase);
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

/* Is computing the value again as good as keeping it?  If it takes one instruction from what is at hand then, too. */
static bool is_cheap(const lowering *l, int32_t s)
{
    const planner *p = l->p;
    const tp__step *step = &p->program->step[s];
    for (int32_t k = 0; k < step->n; k++) {
        const placed *x = &p->at[p->at[step->input[k]].base];
        if (x->kernel == l->kernel && !x->row && x->value.kind == TP__REGISTER)
            return false;
    }
    return (step->op->flags & TP_OP_CHEAP) && step->op->kind == TP_MAP;
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
    else if (!at->row && !k->whole_rows && k->mode != TP__FLAT && crosses_phases(l, s) && !is_cheap(l, s))
        l->instruction[index].y.kind = TP__SPILL;
    at->value = l->instruction[index].y;
    if (at->value.kind == TP__REGISTER || at->value.kind == TP__SPILL)
        at->value.offset = (size_t)index; /* named by its instruction */
    if (at->stored && !natural_order && k->run == 0) {
        tp__instruction *i = tp__emit(l, TP__SCATTER, s, at->phase, false, 1);
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
            return tp__register_of(l, i);
    }
    tp__instruction *i = tp__emit(l, TP__APPLY, s, phase, row, 1);
    if (i == NULL)
        return x;
    i->part = step->op->sharing->part;
    i->shared_by = step->input[0];
    i->map = map;
    i->x[0] = x;
    return tp__register_of(l, i);
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
    tp__instruction *i = tp__emit(l, reduces ? TP__FOLD : TP__APPLY, s, phase, row, n);
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
        set_map(l, i, s);
    }
    place_result(l, (int32_t)(i - l->instruction), s);
}

bool tp__lower(planner *p, tp__kernel *kernel)
{
    lowering l = {.p = p, .kernel = kernel};

    count_phases(&l);
    choose_mode(&l);
    for (int32_t i = 0; i < kernel->nodes && !l.failed; i++)
        lower_node(&l, kernel->node[i]);
    if (l.failed || !tp__arrange(&l))
        return false;
    kernel->cost = kernel->rows * kernel->length * (kernel->instructions + 1);
    kernel->tiles = ((kernel->mode == TP__FLAT ? 1 : kernel->rows) * kernel->length - 1) / TP_TILE + 1;
    return true;
}
