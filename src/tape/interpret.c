/* interpret.c -- runs a plan: kernel by kernel, block by block, instruction by instruction. */
#include "plan.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Elements times instructions below which waking other threads costs more than they save. */
enum { WORTH_A_TEAM = 400000 };

typedef struct block {
    int64_t n, rows;
    /* First element in kernel order, first row, first element within the row (columns: line). */
    int64_t index[TP__INDEX_COUNT];
    /* Of a kernel with runs: which run, by outer dimension, and how far into it. */
    int64_t outer[TP_MAX_RANK], in_run;
} block;

typedef struct loop { /* one thread's share of a kernel's run */
    const tp__kernel *kernel;
    const struct tp__plan *plan;
    char *scratch;
    void **frame;
    const tp__instruction *unfit; /* a fold whose result does not fit i32 */
    int64_t unfit_row, unfit_value;
} loop;

/* ---- Operands -------------------------------------------------------------------------------------- */

static char *run_address(const loop *l, const tp__operand *o, const block *b)
{
    int64_t offset = o->single ? 0 : b->in_run * o->size;
    for (int32_t d = 0; d < l->kernel->outer; d++)
        offset += b->outer[d] * o->outer[d];
    return o->memory + offset;
}

static inline char *address(const loop *l, const tp__operand *o, const block *b)
{
    char *base = o->in_scratch ? l->scratch + o->offset : o->memory;
    if (o->kind == TP__RUN)
        return run_address(l, o, b);
    return base + b->index[o->index] * o->stride;
}

/* Every number `times` times.  Few are written as a whole vector, whose rest the next number's overwrites: a register has
 * room for that behind its end. */
#define REPEAT(TYPE, VECTOR)                                                                                 \
    do {                                                                                                     \
        TYPE *y = out;                                                                                       \
        for (int64_t r = 0; r < n && times <= VECTOR; r++)                                                   \
            for (int64_t i = 0; i < VECTOR; i++)                                                             \
                y[r * times + i] = ((const TYPE *)x)[r];                                                     \
        for (int64_t r = 0; r < n && times > VECTOR; r++)                                                    \
            for (int64_t i = 0; i < times; i++)                                                              \
                y[r * times + i] = ((const TYPE *)x)[r];                                                     \
    } while (0)

TP_INSTRUCTION_SETS
static void repeat(void *out, const void *x, int32_t size, int64_t n, int64_t times)
{
    if (size == 4)
        REPEAT(uint32_t, 16);
    else
        REPEAT(uint64_t, 8);
}

static void spread(const loop *l, const tp__instruction *i, const block *b)
{
    const int64_t n = i->row ? b->rows : b->n, numbers = i->x[0].single ? 1 : b->rows;
    repeat(address(l, &i->y, b), address(l, &i->x[0], b), i->y.size, numbers, n / numbers);
}

static void gather(const loop *l, const tp__instruction *i, const block *b)
{
    const tp__kernel *k = l->kernel;
    char *y = address(l, &i->y, b);
    const size_t size = (size_t)i->y.size;
    if (i->row)
        tp__gather(y, i->x[0].memory, size, &k->row_shape, &i->strides, b->index[TP__AT_ROW], b->rows);
    else
        tp__gather(y, i->x[0].memory, size, &k->shape, &i->strides, b->index[TP__AT_ELEMENT], b->n);
}

static inline const void *const *operands(const loop *l, const tp__instruction *i)
{
    return (const void *const *)(l->frame + i->slot + 1);
}

static inline void apply(const loop *l, const tp__instruction *i, const block *b)
{
    const int64_t n = i->row ? b->rows : b->n;
    if (i->mixed != NULL)
        i->mixed(n, l->frame[i->slot], operands(l, i), i->attr, i->single);
    else
        i->map(n, l->frame[i->slot], operands(l, i), i->attr);
}

static void copy_operands(const loop *l, const tp__instruction *i, const void *x[TP__MOST_OPERANDS])
{
    for (int32_t k = 0; k < i->n; k++)
        x[k] = l->frame[i->slot + 1 + k];
}

/* ---- Folds ----------------------------------------------------------------------------------------- */

static void note_unfit(loop *l, const tp__instruction *i, int64_t row, int64_t value)
{
    if (l->unfit != NULL)
        return;
    l->unfit = i;
    l->unfit_row = row;
    l->unfit_value = value;
}

/* Results of rows, from the block's first on. */
static void store_rows(loop *l, const tp__instruction *i, const block *b, int64_t first, int64_t n,
                       const tp_partial *p)
{
    char *y = address(l, &i->y, b) + first * i->y.size;
    if (i->dtype == TP_F32)
        for (int64_t r = 0; r < n; r++)
            ((float *)(void *)y)[r] = (float)p[r].f;
    else
        for (int64_t r = 0; r < n; r++)
            if (!tp__store_partial(i->dtype, y, r, p[r]))
                note_unfit(l, i, b->index[TP__AT_ROW] + first + r, p[r].i);
}

static void fold_whole_rows(loop *l, const tp__instruction *i, const block *b)
{
    const void *x[TP__MOST_OPERANDS];
    const int64_t length = l->kernel->length;
    tp_partial p[TP__BLOCK];

    copy_operands(l, i, x);
    if (length <= 4 * TP_LANES) { /* side by side: a tile by itself would be all set-up */
        i->reduction->rows(b->rows, length, p, x);
    } else {
        for (int64_t r = 0; r < b->rows; r++) {
            p[r] = i->reduction->tile(length, x);
            for (int32_t k = 0; k < i->n; k++)
                x[k] = (const char *)x[k] + length * i->x[k].size;
        }
    }
    store_rows(l, i, b, 0, b->rows, p);
}

/* Columns: lanes, then levels, each TP__COLUMN_BLOCK partials wide. */
static tp_partial *lanes_of(const loop *l, const tp__instruction *i)
{
    return (tp_partial *)(void *)(l->scratch + i->fold);
}

static void clear_lanes(const tp__instruction *i, tp_partial *lane, int64_t n)
{
    const void *nothing[TP__MOST_OPERANDS] = {NULL};
    const tp_partial identity = i->reduction->tile(0, nothing);
    for (int64_t c = 0; c < n; c++)
        lane[c] = identity;
}

/* Of a single row, or of all rows: one per tile, whichever thread makes it. */
static tp_partial *tile_partials(const loop *l, const tp__instruction *i)
{
    return (tp_partial *)(void *)l->plan->partial_memory + (int64_t)i->fold_number * l->kernel->tiles;
}

/* A block that is a tile of a fold over all rows. */
static void fold_total(const loop *l, const tp__instruction *i, const block *b)
{
    const void *x[TP__MOST_OPERANDS];
    copy_operands(l, i, x);
    for (int64_t done = 0; done < b->n; done += TP_TILE) {
        tile_partials(l, i)[(b->index[TP__AT_ELEMENT] + done) / TP_TILE] = i->reduction->tile(TP_TILE, x);
        for (int32_t k = 0; k < i->n; k++)
            x[k] = (const char *)x[k] + TP_TILE * i->x[k].size;
    }
}

/* The lanes of a finished tile become one partial per column, which enters the levels. */
static void close_column_tile(const loop *l, const tp__instruction *i, int64_t tile, int64_t n)
{
    const int64_t wide = TP__COLUMN_BLOCK;
    tp_partial *lane = lanes_of(l, i), *level = lane + TP_LANES * wide;

    for (int64_t half = TP_LANES / 2; half > 0; half /= 2)
        for (int64_t a = 0; a < half; a++)
            i->reduction->merge_all(n, lane + a * wide, lane + (a + half) * wide);
    for (; tile & 1; tile >>= 1, level += wide)
        for (int64_t c = 0; c < n; c++)
            lane[c] = i->reduction->merge(level[c], lane[c]);
    memcpy(level, lane, (size_t)n * sizeof *lane);
}

static void fold_columns(const loop *l, const tp__instruction *i, const block *b)
{
    const int64_t in_tile = b->index[TP__AT_COLUMN] % TP_TILE, last = l->kernel->length - 1;
    const void *const *x = operands(l, i);

    for (int lane = 0; lane < TP_LANES && in_tile == 0; lane++)
        clear_lanes(i, lanes_of(l, i) + lane * TP__COLUMN_BLOCK, b->n);
    i->reduction->accumulate(b->n, lanes_of(l, i) + in_tile % TP_LANES * TP__COLUMN_BLOCK, x);
    if (in_tile == TP_TILE - 1 || b->index[TP__AT_COLUMN] == last)
        close_column_tile(l, i, b->index[TP__AT_COLUMN] / TP_TILE, b->n);
}

/* Part of a tile into its lanes.  A run may end anywhere, so that the first element need not belong to the first lane. */
static void fold_part(const tp__instruction *i, int64_t in_tile, int64_t n, tp_partial *lane,
                      const void *const *x)
{
    const int64_t first = in_tile % TP_LANES;
    tp_partial turned[TP_LANES];

    if (first == 0) {
        i->reduction->strip(n, lane, x);
        return;
    }
    for (int64_t l = 0; l < TP_LANES; l++)
        turned[l] = lane[(l + first) % TP_LANES];
    i->reduction->strip(n, turned, x);
    for (int64_t l = 0; l < TP_LANES; l++)
        lane[(l + first) % TP_LANES] = turned[l];
}

/* A part of a row: into the lanes of its tile; a full tile becomes a partial. */
static void fold_strip(loop *l, const tp__instruction *i, const block *b)
{
    const tp__kernel *k = l->kernel;
    const int64_t in_tile = b->index[TP__AT_COLUMN] % TP_TILE, tile = b->index[TP__AT_COLUMN] / TP_TILE;
    const bool ends = in_tile + b->n == TP_TILE || b->index[TP__AT_COLUMN] + b->n == k->length;
    const void *const *x = operands(l, i);
    tp_partial *lane = lanes_of(l, i), p;

    if (in_tile == 0 && ends) {
        p = i->reduction->tile(b->n, x);
    } else {
        if (in_tile == 0)
            clear_lanes(i, lane, TP_LANES);
        fold_part(i, in_tile, b->n, lane, x);
        if (!ends)
            return;
        p = i->reduction->close(lane);
    }
    if (k->mode == TP__FLAT)
        tile_partials(l, i)[tile] = p;
    else
        tp__push_tile(i->reduction, lane + TP_LANES, (uint64_t)tile, p);
}

static void fold(loop *l, const tp__instruction *i, const block *b)
{
    if (i->total)
        fold_total(l, i, b);
    else if (l->kernel->whole_rows)
        fold_whole_rows(l, i, b);
    else if (l->kernel->mode == TP__COLUMNS)
        fold_columns(l, i, b);
    else
        fold_strip(l, i, b);
}

/* After a row was swept. */
static void finish_fold(loop *l, const tp__instruction *i, const block *b)
{
    const uint64_t tiles = (uint64_t)((l->kernel->length - 1) / TP_TILE + 1);

    if (l->kernel->mode != TP__COLUMNS) {
        const tp_partial p = tp__fold_levels(i->reduction, lanes_of(l, i) + TP_LANES, tiles);
        store_rows(l, i, b, 0, 1, &p);
        return;
    }
    const tp_partial *level = lanes_of(l, i) + TP_LANES * TP__COLUMN_BLOCK;
    for (int64_t c = 0; c < b->rows; c++) {
        tp_partial one[64];
        for (int k = 0; tiles >> k; k++)
            one[k] = level[k * TP__COLUMN_BLOCK + c];
        const tp_partial p = tp__fold_levels(i->reduction, one, tiles);
        store_rows(l, i, b, c, 1, &p);
    }
}

/* The partials of a single row, or of all, whichever threads made them. */
static void finish_tiles(loop *l, const tp__instruction *i)
{
    const block whole = {.n = 1, .rows = 1};
    const tp_partial *p = tile_partials(l, i);
    tp_partial level[64];
    for (int64_t t = 0; t < l->kernel->tiles; t++)
        tp__push_tile(i->reduction, level, (uint64_t)t, p[t]);
    const tp_partial total = tp__fold_levels(i->reduction, level, (uint64_t)l->kernel->tiles);
    store_rows(l, i, &whole, 0, 1, &total);
}

/* ---- Instructions ---------------------------------------------------------------------------------- */

static void execute(loop *l, const tp__instruction *i, const block *b)
{
    switch (i->kind) {
    case TP__APPLY: break; /* inline in execute_all */
    case TP__GATHER: gather(l, i, b); break;
    case TP__FOLD: fold(l, i, b); break;
    case TP__SPREAD: spread(l, i, b); break;
    case TP__SCATTER:
        tp__scatter(i->y.memory, address(l, &i->x[0], b), (size_t)i->y.size, &l->kernel->shape, &i->strides,
                    b->index[TP__AT_ELEMENT], b->n);
        break;
    }
}

/* Instructions first .. end - 1 of a phase's row stage or elements. */
typedef struct stretch {
    int32_t first, end;
} stretch;

static stretch stage(const tp__kernel *k, int32_t from, int32_t phase, bool row_stage)
{
    stretch s = {from, from};
    while (s.end < k->instructions && k->instruction[s.end].phase == phase &&
           (k->instruction[s.end].row || k->instruction[s.end].once) == row_stage)
        s.end++;
    return s;
}

/* Where the operands of a stretch lie in this block. */
static inline void move_operands(const loop *l, stretch s, const block *b)
{
    const tp__kernel *k = l->kernel;
    const int32_t end = s.end < k->instructions ? k->instruction[s.end].moving : k->movings;
    for (int32_t m = k->instruction[s.first].moving; m < end; m++)
        l->frame[k->moving[m].slot] = address(l, k->moving[m].operand, b);
}

static void execute_all(loop *l, stretch s, const block *b)
{
    if (s.first == s.end)
        return;
    move_operands(l, s, b);
    const tp__instruction *end = l->kernel->instruction + s.end;
    for (const tp__instruction *i = l->kernel->instruction + s.first; i < end; i++)
        if (i->kind == TP__APPLY)
            apply(l, i, b);
        else
            execute(l, i, b);
}

/* The run that holds the block's first element; returns how many elements are left of it. */
static int64_t find_run(const tp__kernel *k, block *b)
{
    int64_t run = b->index[TP__AT_ELEMENT] / k->run;
    b->in_run = b->index[TP__AT_ELEMENT] % k->run;
    for (int32_t d = k->outer - 1; d >= 0; d--) {
        b->outer[d] = run % k->shape.dim[d];
        run /= k->shape.dim[d];
    }
    return k->run - b->in_run;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A block of a row (or of a line of columns) from its element j on. */
static void next_block(const tp__kernel *k, const block *whole, int64_t j, block *b)
{
    b->index[TP__AT_COLUMN] = j;
    if (k->mode == TP__COLUMNS) {
        b->index[TP__AT_ELEMENT] = j * k->rows + whole->index[TP__AT_ROW];
        b->n = whole->rows;
        return;
    }
    b->index[TP__AT_ELEMENT] = whole->index[TP__AT_ROW] * k->length + j;
    b->n = least(k->length - j, TP__BLOCK);
    if (k->run > 0)
        b->n = least(least(find_run(k, b), b->n), TP_TILE - j % TP_TILE);
}

/* One row (or one block of columns) phase by phase, each sweeping all of it. */
static void sweep_row(loop *l, const block *whole)
{
    const tp__kernel *k = l->kernel;
    const bool columns = k->mode == TP__COLUMNS;
    int32_t at = 0;

    for (int32_t phase = 0; phase <= k->phases; phase++) {
        const stretch once = stage(k, at, phase, true), full = stage(k, once.end, phase, false);
        block b = *whole;
        b.n = columns ? whole->rows : least(k->length, TP__BLOCK);
        execute_all(l, once, &b);
        for (int64_t j = 0; j < k->length && full.first < full.end; j += columns ? 1 : b.n) {
            next_block(k, whole, j, &b);
            execute_all(l, full, &b);
        }
        for (int32_t i = full.first; i < full.end; i++)
            if (k->instruction[i].kind == TP__FOLD && !k->instruction[i].total)
                finish_fold(l, &k->instruction[i], whole);
        at = full.end;
    }
}

/* ---- Kernels --------------------------------------------------------------------------------------- */

/* What a thread takes at a time, and how many of these there are. */
static int64_t pieces_of(const tp__kernel *k, int64_t *rows_at_once)
{
    *rows_at_once = 1;
    if (k->mode == TP__FLAT)
        return (k->length - 1) / TP_TILE + 1;
    if (k->mode == TP__COLUMNS)
        *rows_at_once = TP__COLUMN_BLOCK;
    else if (k->whole_rows)
        *rows_at_once = TP__BLOCK / k->length;
    return (k->rows - 1) / *rows_at_once + 1;
}

static void run_flat_share(loop *l, int64_t first, int64_t end)
{
    const tp__kernel *k = l->kernel;
    const stretch once = stage(k, 0, 0, true), full = stage(k, once.end, 0, false);
    const block any = {.n = k->length < TP__BLOCK ? k->length : TP__BLOCK, .rows = 1};
    const int64_t stop = end * TP_TILE < k->length ? end * TP_TILE : k->length;

    execute_all(l, once, &any);
    for (int64_t start = first * TP_TILE; start < stop; start += TP__BLOCK) {
        const int64_t left = stop - start;
        const block b = {.n = least(left, TP__BLOCK), .rows = 1, .index = {0, start, 0, start}};
        execute_all(l, full, &b);
    }
}

/* What follows the folds of a single row. */
static void finish_flat(loop *l)
{
    const tp__kernel *k = l->kernel;
    const stretch once = stage(k, 0, 0, true), full = stage(k, once.end, 0, false);
    const block row = {.n = 1, .rows = 1};

    for (int32_t i = full.first; i < full.end; i++)
        if (k->instruction[i].kind == TP__FOLD)
            finish_tiles(l, &k->instruction[i]);
    execute_all(l, (stretch){full.end, k->instructions}, &row);
}

static void run_share(loop *l, int64_t first, int64_t end, int64_t rows_at_once)
{
    const tp__kernel *k = l->kernel;
    if (k->mode == TP__FLAT) {
        run_flat_share(l, first, end);
        return;
    }
    int32_t steady = 0;
    while (k->whole_rows && steady < k->instructions && k->instruction[steady].steady)
        steady++;
    for (int64_t piece = first; piece < end; piece++) {
        const int64_t row = piece * rows_at_once, left = k->rows - row;
        block b = {.rows = left < rows_at_once ? left : rows_at_once, .index = {[TP__AT_ROW] = row}};
        b.index[TP__AT_ELEMENT] = k->mode == TP__COLUMNS ? row : row * k->length;
        b.n = b.rows * k->length;
        if (k->whole_rows)
            execute_all(l, (stretch){piece == first ? 0 : steady, k->instructions}, &b);
        else
            sweep_row(l, &b);
    }
}

static int team_size(const tp__kernel *k, const struct tp__plan *plan, int64_t pieces)
{
    if (plan->threads == 1 || (k->cost < WORTH_A_TEAM && !plan->always_parallel))
        return 1;
    return pieces < plan->threads ? (int)pieces : plan->threads;
}

static tp_status run_loop(tp_program *program, const tp__kernel *k)
{
    const struct tp__plan *plan = program->plan;
    int64_t rows_at_once;
    const int64_t pieces = pieces_of(k, &rows_at_once);
    const int threads = team_size(k, plan, pieces);
    loop result = {
        .kernel = k, .plan = plan, .scratch = plan->scratch_memory, .frame = plan->frame_memory + k->frame};

    if (threads == 1) {
        run_share(&result, 0, pieces, rows_at_once);
    } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
        {
            const int64_t t = omp_get_thread_num(), of = omp_get_num_threads();
            loop l = {.kernel = k,
                      .plan = plan,
                      .scratch = plan->scratch_memory + (size_t)t * plan->scratch,
                      .frame = plan->frame_memory + (size_t)t * plan->frames + k->frame};
            run_share(&l, pieces * t / of, pieces * (t + 1) / of, rows_at_once);
            if (l.unfit != NULL) {
#pragma omp critical(tapir_unfit)
                if (result.unfit == NULL || l.unfit_row < result.unfit_row)
                    result = l;
            }
        }
#endif
    }
    result.scratch = plan->scratch_memory; /* it may have become another thread's */
    result.frame = plan->frame_memory + k->frame;
    if (k->mode == TP__FLAT)
        finish_flat(&result);
    for (int32_t i = 0; i < k->instructions && k->totals; i++)
        if (k->instruction[i].total)
            finish_tiles(&result, &k->instruction[i]);
    if (result.unfit != NULL)
        return tp__fail_unfit(program, &program->step[result.unfit->step], result.unfit_value,
                              result.unfit_row);
    return TP_OK;
}

static tp_status run_alone(tp_program *program, const tp__kernel *k)
{
    tp__step *step = &program->step[k->step];
    if (!k->copies)
        return tp__reference_step(program, step);
    tp__gather(step->data, program->step[k->copied_from].data, tp_dtype_size(step->dtype), &step->shape,
               &k->copied_strides, 0, step->count);
    return TP_OK;
}

tp_status tp__plan_run(tp_program *program)
{
    for (const tp__kernel *k = program->plan->kernel; k != NULL; k = k->next) {
        const tp_status status = k->is_loop ? run_loop(program, k) : run_alone(program, k);
        if (status != TP_OK)
            return status;
    }
    return TP_OK;
}
