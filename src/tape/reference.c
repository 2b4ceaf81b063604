/* reference.c -- the reference executor: node by node, every value stored, nothing fused.
 *
 * The oracle of the tests, and the debugging mode: with check_finite it looks at every value it stores.  It fixes
 * what any other executor must reproduce to the bit, above all the order in which reductions fold (tapir/op.h,
 * tp_fold).
 */
#include <math.h>

#include "tape.h"

struct tp_failure {
    tp_program *program;
    const tp__step *step;
};

/* ---- Maps ------------------------------------------------------------------------------------------ */

/* n operand elements from `start` on, contiguous: in place where they lie so, else gathered into `block`. */
static const void *load_block(const tp__step *x, const tp__step *y, int64_t start, int64_t n, void *block)
{
    const size_t size = tp_dtype_size(x->dtype);
    if (tp_shape_equal(x->shape, y->shape))
        return (const char *)x->data + (size_t)start * size;
    const tp_strides strides = tp__broadcast_strides(&x->shape, &y->shape);
    tp__gather(block, x->data, size, &y->shape, &strides, start, n);
    return block;
}

static bool finite_at(const void *data, tp_dtype dtype, int64_t i)
{
    if (dtype == TP_F32)
        return isfinite(((const float *)data)[i]);
    return dtype != TP_F64 || isfinite(((const double *)data)[i]);
}

static void count_hidden(tp__step *step, const void *last, tp_dtype last_dtype, int64_t start, int64_t n)
{
    const char *y = (const char *)step->data + (size_t)start * tp_dtype_size(step->dtype);
    for (int64_t i = 0; i < n; i++)
        if (!finite_at(last, last_dtype, i) && finite_at(y, step->dtype, i) && step->hidden++ == 0)
            step->hidden_at = start + i;
}

static void run_map(const tp_program *program, tp__step *step)
{
    const tp__step *first = &program->step[step->input[0]];
    const tp_map_kernel kernel = step->op->map[first->dtype];
    const size_t size = tp_dtype_size(step->dtype);
    const size_t block = TP_TILE * sizeof(double);
    const void **x = program->block; /* the first block holds the operands' pointers */

    for (int64_t start = 0; start < step->count; start += TP_TILE) {
        const int64_t n = step->count - start < TP_TILE ? step->count - start : TP_TILE;
        for (int32_t k = 0; k < step->n; k++)
            x[k] = load_block(&program->step[step->input[k]], step, start, n,
                              (char *)program->block + (size_t)(k + 1) * block);
        kernel(n, (char *)step->data + (size_t)start * size, x, step->attr);
        if (program->options.check_finite && (step->op->flags & TP_OP_HIDES))
            count_hidden(step, x[step->n - 1], program->step[step->input[step->n - 1]].dtype, start, n);
    }
}

/* ---- Reductions ------------------------------------------------------------------------------------ */

/* The operand seen with the kept axes first and the reduced ones, in their order, last. */
static void split_axes(const tp_shape *x, const tp_shape *y, tp_shape *shape, tp_strides *strides,
                       int64_t *reduced)
{
    const tp_strides own = tp_row_major(x);
    *shape = (tp_shape){.rank = x->rank};
    *strides = (tp_strides){0};
    *reduced = 1;
    int64_t at = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t d = 0; d < x->rank; d++) {
            const bool is_reduced = y->dim[d] != x->dim[d];
            if (is_reduced != (pass == 1))
                continue;
            shape->dim[at] = x->dim[d];
            strides->stride[at++] = own.stride[d];
            if (is_reduced)
                *reduced *= x->dim[d];
        }
}

void tp__push_tile(const tp_fold *reduction, tp_partial level[64], uint64_t tiles_before, tp_partial p)
{
    int k = 0;
    for (uint64_t carry = tiles_before; carry & 1; carry >>= 1)
        p = reduction->merge(level[k++], p);
    level[k] = p;
}

tp_partial tp__fold_levels(const tp_fold *reduction, const tp_partial level[64], uint64_t tiles)
{
    int k = 0;
    while (!(tiles >> k & 1))
        k++;
    tp_partial total = level[k];
    for (k++; tiles >> k; k++)
        if (tiles >> k & 1)
            total = reduction->merge(level[k], total);
    return total;
}

static tp_partial fold_tiles(const tp_fold *reduction, const tp_program *program, const tp__step *x,
                             const tp_shape *shape, const tp_strides *strides, int64_t start, int64_t n)
{
    const void *const elements[] = {program->block};
    tp_partial level[64];
    uint64_t tiles = 0;

    for (int64_t done = 0; done < n; done += TP_TILE, tiles++) {
        const int64_t length = n - done < TP_TILE ? n - done : TP_TILE;
        tp__gather(program->block, x->data, tp_dtype_size(x->dtype), shape, strides, start + done, length);
        tp__push_tile(reduction, level, tiles, reduction->tile(length, elements));
    }
    if (tiles == 0) { /* the identity; that of sums is -0, which is no answer */
        const tp_partial none = reduction->tile(0, elements);
        return x->dtype == TP_I32 ? none : (tp_partial){.f = none.f + 0.0};
    }
    return tp__fold_levels(reduction, level, tiles);
}

bool tp__store_partial(tp_dtype dtype, void *data, int64_t i, tp_partial p)
{
    if (dtype == TP_F32)
        ((float *)data)[i] = (float)p.f;
    else if (dtype == TP_F64)
        ((double *)data)[i] = p.f;
    else if (p.i >= INT32_MIN && p.i <= INT32_MAX)
        ((int32_t *)data)[i] = (int32_t)p.i;
    else
        return false;
    return true;
}

tp_status tp__fail_unfit(tp_program *program, const tp__step *step, int64_t value, int64_t element)
{
    return tp__run_fail(program, TP_BAD_VALUE, step, "%s: the result %lld does not fit i32 (element %lld)",
                        step->op->name, (long long)value, (long long)element);
}

static tp_status run_reduce(tp_program *program, const tp__step *step)
{
    const tp__step *x = &program->step[step->input[0]];
    const tp_fold *reduction = step->op->reduce[x->dtype];
    tp_shape shape;
    tp_strides strides;
    int64_t reduced;

    split_axes(&x->shape, &step->shape, &shape, &strides, &reduced);
    for (int64_t i = 0; i < step->count; i++) {
        const tp_partial p = fold_tiles(reduction, program, x, &shape, &strides, i * reduced, reduced);
        if (!tp__store_partial(step->dtype, step->data, i, p))
            return tp__fail_unfit(program, step, p.i, i);
    }
    return TP_OK;
}

/* ---- Other kinds ----------------------------------------------------------------------------------- */

static void run_view(const tp_program *program, const tp__step *step)
{
    const tp__step *x = &program->step[step->input[0]];
    tp_strides strides = tp_row_major(&x->shape);
    step->op->view(&x->shape, &step->shape, step->attr, &strides);
    tp__gather(step->data, x->data, tp_dtype_size(step->dtype), &step->shape, &strides, 0, step->count);
}

static void draw(const tp_program *program, const tp_op *source, const void *attr, uint64_t ordinal,
                 const tp_array *y)
{
    const uint64_t run = program->options.freeze_random ? 0 : program->tape->runs;
    const uint64_t key[3] = {program->tape->seed, ordinal, run};
    source->source[y->dtype](0, tp_shape_count(y->shape), y->data, attr, key);
}

static void run_source(const tp_program *program, const tp__step *step)
{
    draw(program, step->op, step->attr, step->ordinal, &(tp_array){step->data, step->dtype, step->shape});
}

tp_status tp__redraw_run(const tp_call *c)
{
    const tp__redraw_attr *a = c->attr;
    draw(c->failure->program, a->source, a->attr, (uint64_t)a->ordinal, &c->y);
    return TP_OK;
}

/* What it computed rests on calls that did nothing; this is the error even if it failed for that. */
static tp_status fail_intrusion(tp_program *program, const tp__step *step)
{
    return tp__run_fail(program, TP_BAD_STATE, step,
                        "%s: what it calls used the tape whose program is running: it %s", step->op->name,
                        program->tape->intrusion);
}

static tp_status run_call(tp_program *program, const tp__step *step)
{
    const size_t arrays =
        ((size_t)step->n * sizeof(tp_array) + TP__ALIGNMENT - 1) & ~(size_t)(TP__ALIGNMENT - 1);
    struct tp_failure failure = {program, step};
    tp_array *x = program->call_scratch;

    for (int32_t k = 0; k < step->n; k++) {
        const tp__step *operand = &program->step[step->input[k]];
        x[k] = (tp_array){operand->data, operand->dtype, operand->shape};
    }
    program->tape->intrusion = NULL;
    program->tape->running = step;
    const tp_status status = step->op->run(&(tp_call){
        .y = {step->data, step->dtype, step->shape},
        .x = x,
        .n = step->n,
        .attr = step->attr,
        .scratch = (char *)program->call_scratch + arrays,
        .failure = &failure,
    });
    program->tape->running = NULL;
    if (program->tape->intrusion != NULL)
        return fail_intrusion(program, step);
    if (program->message[0] != '\0') /* tp_call_fail was called, whatever the kernel returns */
        return TP_BAD_VALUE;
    if (status != TP_OK)
        return tp__run_fail(program, TP_BAD_VALUE, step, "%s: its kernel failed without a reason",
                            step->op->name);
    return TP_OK;
}

tp_status tp_call_fail(const tp_call *call, const char *format, ...)
{
    char message[TP__MESSAGE / 2];
    tp__text text = {message, sizeof message, 0};
    va_list args;

    if (call == NULL || call->failure == NULL || format == NULL)
        return TP_BAD_VALUE;
    if (call->failure->program->tape->intrusion != NULL) /* run_call tells, and of this rather */
        return TP_BAD_STATE;
    va_start(args, format);
    tp__text_vadd(&text, format, args);
    va_end(args);
    const struct tp_failure *f = call->failure;
    return tp__run_fail(f->program, TP_BAD_VALUE, f->step, "%s: %s", f->step->op->name, message);
}

/* The new value of a leaf waits in the step's own memory until nothing can fail any more. */
static void run_assign(const tp_program *program, const tp__step *step)
{
    const tp__step *value = &program->step[step->input[1]];
    const tp_strides strides = tp__broadcast_strides(&value->shape, &step->shape);
    tp__gather(step->data, value->data, tp_dtype_size(step->dtype), &step->shape, &strides, 0, step->count);
}

/* ---- Run ------------------------------------------------------------------------------------------- */

static int64_t first_not_finite(const tp__step *step)
{
    if (step->data == NULL || step->dtype == TP_I32)
        return -1;
    for (int64_t i = 0; i < step->count; i++)
        if (!finite_at(step->data, step->dtype, i))
            return i;
    return -1;
}

tp_status tp__reference_step(tp_program *program, tp__step *step)
{
    switch (step->op->kind) {
    case TP_LEAF: return TP_OK;
    case TP_GROUP: return TP_OK;
    case TP_SOURCE: run_source(program, step); return TP_OK;
    case TP_MAP: run_map(program, step); return TP_OK;
    case TP_VIEW: run_view(program, step); return TP_OK;
    case TP_ASSIGN: run_assign(program, step); return TP_OK;
    case TP_REDUCE: return run_reduce(program, step);
    case TP_CALL: return run_call(program, step);
    }
    return TP_OK;
}

tp_status tp__reference_run(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        tp__step *step = &program->step[s];
        if (step->count > 0) {
            const tp_status status = tp__reference_step(program, step);
            if (status != TP_OK)
                return status;
        }
        if (program->options.check_finite)
            step->bad = first_not_finite(step);
    }
    if (program->options.check_finite)
        tp__explain_hidden(program);
    return TP_OK;
}
