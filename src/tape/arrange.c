/* arrange.c -- a loop kernel's instructions: pairs become one, numbers and registers get their places, all an order. */
#include "lower.h"

/* ---- Pairs ----------------------------------------------------------------------------------------- */

static bool has_kernel(const tp_fusion *f, const tp__instruction *outer, tp_dtype dtype)
{
    return outer->kind == TP__FOLD ? f->fold[dtype] != NULL : f->mixed[dtype] != NULL;
}

/* Registers last through the phases only where a block holds whole rows. */
static bool can_move(const lowering *l, int32_t from, int32_t to)
{
    return from == to || (l->kernel->whole_rows && from < to);
}

static const tp_fusion *find_fusion(const lowering *l, const tp__instruction *outer,
                                    const tp__instruction *inner, int32_t k)
{
    const tp__step *steps = l->p->program->step;
    const tp_fusion *f = steps[outer->step].op->fusion;
    if (outer->part != NULL || inner->part != NULL)
        return NULL;
    if ((outer->kind != TP__APPLY && outer->kind != TP__FOLD) || inner->kind != TP__APPLY ||
        outer->n + inner->n - 1 > TP__MOST_OPERANDS || !can_move(l, inner->phase, outer->phase) ||
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
        tp__instruction *i = tp__emit(l, TP__SPREAD, l->instruction[index].step, phase, false, 1);
        if (i == NULL)
            return false;
        i->row = l->instruction[index].row;
        i->once = !i->row && o.kind != TP__LINE; /* a line's number is another for each block */
        i->before = index;
        i->y.size = o.size;
        i->x[0] = o;
        wide = tp__register_of(l, i);
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

/* ---- The order in which they run --------------------------------------------------------------------- */

/* What is done once per row (or block of whole rows) before a phase's elements. */
static bool is_row_stage(const tp__instruction *i)
{
    return i->row || i->once;
}

static int sort_key(const tp__instruction *i)
{
    if (i->steady)
        return -1;
    return 2 * i->phase + !is_row_stage(i);
}

/* Does instruction a run before b? */
static bool runs_before(const lowering *l, int32_t a, int32_t b)
{
    const int key_a = sort_key(&l->instruction[a]), key_b = sort_key(&l->instruction[b]);
    return key_a != key_b ? key_a < key_b : a < b;
}

/* ---- Spilled rows ---------------------------------------------------------------------------------- */

static bool touches(const tp__instruction *i, const tp__operand *memory)
{
    bool touched = i->y.step == memory->step;
    for (int32_t k = 0; k < i->n; k++)
        touched = touched || i->x[k].step == memory->step;
    return touched;
}

/* The last reader of the row that instruction `spilled` fills. */
static int32_t last_reader(const lowering *l, int32_t spilled)
{
    int32_t last = -1;
    for (int32_t j = spilled + 1; j < l->kernel->instructions; j++)
        for (int32_t k = 0; k < l->instruction[j].n && !l->instruction[j].dropped; k++)
            if (l->instruction[j].x[k].kind == TP__SPILL &&
                l->instruction[j].x[k].offset == (size_t)spilled && (last < 0 || runs_before(l, last, j)))
                last = j;
    return last;
}

/* A row can wait where the result is going to be that is computed from it last, element by element. */
static void spill_into_results(lowering *l)
{
    for (int32_t i = 0; i < l->kernel->instructions; i++) {
        tp__instruction *spilled = &l->instruction[i];
        if (spilled->y.kind != TP__SPILL || spilled->dropped)
            continue;
        const int32_t last = last_reader(l, i);
        const tp__operand *y = last >= 0 ? &l->instruction[last].y : NULL;
        bool free = y != NULL && (y->kind == TP__FULL || y->kind == TP__RUN) && y->size == spilled->y.size &&
                    l->instruction[last].kind == TP__APPLY && l->instruction[last].phase > spilled->phase;
        for (int32_t j = 0; j < l->kernel->instructions && free; j++)
            free = l->instruction[j].dropped || !runs_before(l, j, last) || !touches(&l->instruction[j], y);
        if (!free)
            continue;
        for (int32_t j = 0; j < l->kernel->instructions; j++)
            for (int32_t k = 0; k < l->instruction[j].n; k++) {
                tp__operand *x = &l->instruction[j].x[k];
                if (x->kind == TP__SPILL && x->offset == (size_t)i)
                    *x = *y;
            }
        spilled->y = *y;
    }
}

/* ---- Order and registers --------------------------------------------------------------------------- */

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
    for (int key = -1; key <= 2 * kernel->phases + 1; key++)
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
    if (kernel->instruction[i].steady)
        return kernel->instructions - 1;
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
    kernel->register_bytes = bytes;
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

/* ---- Frames ---------------------------------------------------------------------------------------- */

static void note_moving(tp__kernel *kernel, const tp__operand *o, int32_t slot)
{
    if (o->index != TP__AT_NOTHING || o->kind == TP__RUN)
        kernel->moving[kernel->movings++] = (tp__moving){slot, o};
}

static bool lay_out_frame(lowering *l)
{
    tp__kernel *kernel = l->kernel;
    for (int32_t i = 0; i < kernel->instructions; i++) {
        kernel->instruction[i].slot = kernel->slots;
        kernel->slots += 1 + kernel->instruction[i].n;
    }
    kernel->moving = tp__arena_take(&l->p->program->arena, (size_t)kernel->slots * sizeof *kernel->moving);
    if (kernel->moving == NULL)
        return false;
    for (int32_t i = 0; i < kernel->instructions; i++) {
        tp__instruction *instruction = &kernel->instruction[i];
        instruction->moving = kernel->movings;
        note_moving(kernel, &instruction->y, instruction->slot);
        for (int32_t k = 0; k < instruction->n; k++)
            note_moving(kernel, &instruction->x[k], instruction->slot + 1 + k);
    }
    return true;
}

bool tp__arrange(lowering *l)
{
    tp__kernel *kernel = l->kernel;

    if (!fuse_pairs(l))
        return false;
    drop_unread(l);
    spill_into_results(l);
    if (!settle_singles(l) || !sort_instructions(l) || !give_registers(l))
        return false;
    lay_out_scratch(kernel);
    for (int32_t i = 0; i < kernel->instructions; i++) {
        set_addressing(kernel, &kernel->instruction[i].y);
        for (int32_t k = 0; k < kernel->instruction[i].n; k++)
            set_addressing(kernel, &kernel->instruction[i].x[k]);
    }
    return lay_out_frame(l);
}
