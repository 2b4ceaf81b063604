/* record.c -- tp_record: check, infer, fold, simplify, find or append. */
#include <math.h>

#include "tape.h"

#include <tapir/ops.h>

enum { FEW = 8 }; /* operands that need no allocation */

typedef struct recording {
    tp_tape *tape;
    const tp_op *op;
    const void *attr;
    int n;
    tp_tensor *x;
    tp_shape *shape;
    tp_dtype *dtype;
    int32_t *id;
    tp__place place;
} recording;

/* "mul: <reason>: f32[6,3], f32[4]" */
static tp_tensor fail_on_operands(const recording *r, tp_status status, const char *reason)
{
    char message[TP__MESSAGE / 2], operand[TP_TEXT_SIZE];
    tp__text text = {message, sizeof message, 0};

    message[0] = '\0';
    for (int k = 0; k < r->n; k++)
        tp__text_add(&text, "%s%s", k > 0 ? ", " : ": ", tp_describe(r->dtype[k], &r->shape[k], operand));
    tp__fail(r->tape, status, r->place, "%s: %s%s", r->op->name, reason, message);
    return tp__invalid(r->tape);
}

/* ---- Operands -------------------------------------------------------------------------------------- */

/* False when the result is invalid; the error, if it is a new one, is stored. */
static bool check_operands(recording *r)
{
    for (int k = 0; k < r->n && r->place.file == NULL; k++) {
        r->place.file = r->x[k].file;
        r->place.line = r->x[k].line;
    }
    for (int k = 0; k < r->n; k++)
        if (r->x[k].tape != NULL && r->x[k].id < 0)
            return false;
    for (int k = 0; k < r->n; k++) {
        const char *fault = tp_handle_fault(r->tape, r->x[k]);
        if (fault != NULL) {
            tp__fail(r->tape, TP_BAD_HANDLE, r->place, "%s: operand %d %s", r->op->name, k, fault);
            return false;
        }
    }
    return true;
}

static bool check_op(const recording *r)
{
    const char *fault = tp__op_fault(r->op, r->n, r->attr);
    if (fault != NULL)
        tp__fail(r->tape, TP_BAD_ARGUMENT, r->place, "%s: %s", r->op->name, fault);
    return fault == NULL;
}

/* Assignments have no value: only a group takes them, and nothing else. */
static bool check_assignments(const recording *r)
{
    for (int k = 0; k < r->n; k++) {
        const tp_kind kind = tp__node_at(r->tape, r->x[k].id)->op->kind;
        const bool assigns = kind == TP_ASSIGN || kind == TP_GROUP;
        if (assigns == (r->op->kind == TP_GROUP))
            continue;
        tp__fail(r->tape, TP_BAD_ARGUMENT, r->place,
                 assigns ? "%s: operand %d is an assignment, which has no value"
                         : "%s: operand %d is no assignment",
                 r->op->name, k);
        return false;
    }
    if (r->op->kind == TP_ASSIGN && !tp_is_writable(r->x[0])) {
        tp__fail(r->tape, TP_BAD_ARGUMENT, r->place, "%s: only inputs and parameters can be assigned, not %s",
                 r->op->name, tp__node_at(r->tape, r->x[0].id)->op->name);
        return false;
    }
    return true;
}

static void load_operand(recording *r, int k)
{
    const tp__node *node = tp__node_at(r->tape, r->x[k].id);
    r->id[k] = r->x[k].id;
    r->shape[k] = node->shape;
    r->dtype[k] = node->dtype;
}

static bool checks(recording *r)
{
    return check_operands(r) && check_op(r) && check_assignments(r);
}

/* ---- Scalars --------------------------------------------------------------------------------------- */

const tp_op tp__scalar_op = {.name = "scalar", .kind = TP_LEAF, .attr_size = sizeof(tp__scalar_attr)};

static tp_tensor find_or_append(tp_tape *tape, const tp_op *op, tp_dtype dtype, const tp_shape *shape,
                                const int32_t *input, int n, const void *attr, tp__place place);

static const char *scalar_fault(tp_dtype dtype, double value)
{
    if (dtype == TP_I32 && !(value >= INT32_MIN && value <= INT32_MAX && value == floor(value)))
        return "is no 32-bit integer";
    if (dtype == TP_F32 && isfinite(value) && !isfinite((float)value))
        return "is beyond the range of f32";
    return NULL;
}

static tp_tensor record_scalar(tp_tape *tape, tp_dtype dtype, double value, tp__place place)
{
    const char *fault = scalar_fault(dtype, value);
    if (fault != NULL) {
        tp__fail(tape, TP_BAD_DTYPE, place, "scalar: %.15g %s", value, fault);
        return tp__invalid(tape);
    }
    const tp__scalar_attr attr = {value, dtype};
    const tp_shape shape = {0};
    return find_or_append(tape, &tp__scalar_op, dtype, &shape, NULL, 0, &attr, place);
}

tp_tensor tp_scalar(tp_tape *tape, double value)
{
    if (tape == NULL)
        return (tp_tensor){0};
    return record_scalar(tape, TP_WEAK, value, tp__take_here(tape));
}

tp_tensor tp_scalar_of(tp_tape *tape, tp_dtype dtype, double value)
{
    if (tape == NULL)
        return (tp_tensor){0};
    const tp__place place = tp__take_here(tape);
    if ((unsigned)dtype >= TP_DTYPE_COUNT) {
        tp__fail(tape, TP_BAD_DTYPE, place, "tp_scalar_of: the dtype must be f32, f64 or i32");
        return tp__invalid(tape);
    }
    return record_scalar(tape, tp_dtype_on(tape, dtype), value, place);
}

static double scalar_value(const tp__node *node)
{
    return ((const tp__scalar_attr *)node->attr)->value;
}

bool tp_is_scalar_constant(tp_tensor tensor, double *value)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    while (node != NULL && node->op->kind == TP_VIEW)
        node = tp__node_at(tensor.tape, node->input[0]);
    if (node == NULL || node->op != &tp__scalar_op)
        return false;
    if (value != NULL)
        *value = scalar_value(node);
    return true;
}

/* Weak operands take the dtype of the first one that has one; false when an error was stored. */
static bool settle_weak(recording *r)
{
    tp_dtype settled = TP_WEAK;
    for (int k = 0; k < r->n && settled == TP_WEAK; k++)
        settled = r->dtype[k];
    for (int k = 0; k < r->n; k++) {
        if (r->dtype[k] != TP_WEAK)
            continue;
        if (settled == TP_WEAK) {
            fail_on_operands(r, TP_BAD_DTYPE, "a weak scalar has no dtype here: use tp_scalar_of");
            return false;
        }
        const double value = scalar_value(tp__node_at(r->tape, r->id[k]));
        if (scalar_fault(settled, value) != NULL) {
            char reason[TP_TEXT_SIZE];
            snprintf(reason, sizeof reason, "the scalar %.15g %s", value, scalar_fault(settled, value));
            fail_on_operands(r, TP_BAD_DTYPE, reason);
            return false;
        }
        r->x[k] = record_scalar(r->tape, settled, value, r->place);
        if (r->x[k].id < 0)
            return false;
        load_operand(r, k);
    }
    return true;
}

/* ---- Folding --------------------------------------------------------------------------------------- */

typedef union cell {
    float f32;
    double f64;
    int32_t i32;
} cell;

static cell to_cell(tp_dtype dtype, double value)
{
    cell c = {.f64 = value};
    if (dtype == TP_F32)
        c.f32 = (float)value;
    else if (dtype == TP_I32)
        c.i32 = (int32_t)value;
    return c;
}

static double from_cell(tp_dtype dtype, cell c)
{
    return dtype == TP_F32 ? (double)c.f32 : dtype == TP_I32 ? (double)c.i32 : c.f64;
}

/* A pure map of numbers that are known now, however often each is repeated. */
static bool can_fold(const recording *r, double *value)
{
    const tp_dtype in = r->n > 0 && r->dtype[0] != TP_WEAK ? r->dtype[0] : TP_F64;
    if (r->op->kind != TP_MAP || (r->op->flags & TP_OP_IMPURE) || r->n == 0 || r->n > FEW ||
        r->op->map[in] == NULL)
        return false;
    for (int k = 0; k < r->n; k++)
        if (r->dtype[k] != r->dtype[0] || !tp_is_scalar_constant(r->x[k], &value[k]))
            return false;
    return true;
}

/* Runs the op's own kernel on them. */
static tp_tensor fold(const recording *r, tp_dtype y_dtype, const double *value)
{
    const tp_dtype in = r->dtype[0] == TP_WEAK ? TP_F64 : r->dtype[0];
    cell operand[FEW], y = {0};
    const void *x[FEW];

    for (int k = 0; k < r->n; k++) {
        operand[k] = to_cell(in, value[k]);
        x[k] = &operand[k];
    }
    r->op->map[in](1, &y, x, r->attr);
    return record_scalar(r->tape, y_dtype, from_cell(y_dtype == TP_WEAK ? TP_F64 : y_dtype, y), r->place);
}

/* ---- Shape and dtype ------------------------------------------------------------------------------- */

static const char *infer_map(const tp_inference *i)
{
    if (!i->same_dtype)
        return "the operands' dtypes differ (convert with tp_cast)";
    if (!i->broadcasts)
        return "the operands' shapes do not broadcast";
    return NULL;
}

static bool infer(const recording *r, tp_inference *i)
{
    *i = (tp_inference){
        .n = r->n,
        .x_shape = r->shape,
        .x_dtype = r->dtype,
        .attr = r->attr,
        .same_dtype = true,
        .broadcasts = true,
        .y_dtype = r->n > 0 ? r->dtype[0] : TP_F32,
    };
    for (int k = 0; k < r->n; k++) {
        i->same_dtype = i->same_dtype && r->dtype[k] == r->dtype[0];
        i->broadcasts = i->broadcasts && tp_broadcast(&i->y_shape, &r->shape[k], &i->y_shape);
    }
    if (!i->broadcasts)
        i->y_shape = (tp_shape){0};
    i->fault = i->same_dtype ? TP_BAD_SHAPE : TP_BAD_DTYPE;
    const char *fault = r->op->infer != NULL ? r->op->infer(i) : infer_map(i);
    if (fault == NULL)
        fault = tp__inference_fault(r->op, i);
    if (fault != NULL)
        fail_on_operands(r, i->fault, fault);
    return fault == NULL;
}

/* What is recorded next reads past the node. */
static void bypass(const recording *r, tp__node *node)
{
    if (!r->tape->rewrites)
        node->bypassed = true;
}

/* A map reads what a broadcasting view repeats, not the view, wherever the result's shape stays. */
static void see_through_repeats(recording *r, const tp_shape *y)
{
    for (int k = 0; k < r->n; k++) {
        tp__node *node = tp__node_at(r->tape, r->id[k]);
        while (node->op->flags & TP_OP_REPEATS) {
            tp__node *source = tp__node_at(r->tape, node->input[0]);
            tp_shape without = source->shape;
            for (int j = 0; j < r->n; j++)
                if (j != k)
                    tp_broadcast(&without, &r->shape[j], &without);
            if (!tp_shape_equal(without, *y))
                break;
            bypass(r, node);
            r->x[k] = tp_locate(tp__handle(r->tape, node->input[0]), r->place.file, r->place.line);
            load_operand(r, k);
            node = source;
        }
    }
}

static int32_t source_of_repeats(const tp_tape *tape, int32_t id)
{
    while (tp__node_at(tape, id)->op->flags & TP_OP_REPEATS)
        id = tp__node_at(tape, id)->input[0];
    return id;
}

/* A map of operands that all repeat something repeats the map of what they repeat: then the operands become that, and
 * *y its shape. */
static void take_out_repeats(recording *r, tp_shape *y)
{
    tp_shape small = {0};
    for (int k = 0; k < r->n; k++)
        if (!tp_broadcast(&small, &tp__node_at(r->tape, source_of_repeats(r->tape, r->id[k]))->shape, &small))
            return;
    if (tp_shape_equal(small, *y))
        return;
    for (int k = 0; k < r->n; k++) {
        for (int32_t id = r->id[k]; tp__node_at(r->tape, id)->op->flags & TP_OP_REPEATS;
             id = tp__node_at(r->tape, id)->input[0])
            bypass(r, tp__node_at(r->tape, id));
        const int32_t source = source_of_repeats(r->tape, r->id[k]);
        r->x[k] = tp_locate(tp__handle(r->tape, source), r->place.file, r->place.line);
        load_operand(r, k);
    }
    *y = small;
}

/* ---- Hash-consing ---------------------------------------------------------------------------------- */

static uint32_t mix(uint32_t hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ b[i]) * 16777619u; /* FNV-1a */
    return hash;
}

static uint32_t hash_of(const tp_op *op, tp_dtype dtype, const int32_t *input, int n, const void *attr)
{
    const uintptr_t address = (uintptr_t)op;
    uint32_t hash = mix(2166136261u, &address, sizeof address);
    hash = mix(hash, &dtype, sizeof dtype);
    if (n > 0)
        hash = mix(hash, input, (size_t)n * sizeof *input);
    if (op->attr_size > 0)
        hash = mix(hash, attr, op->attr_size);
    return hash != 0 ? hash : 1; /* 0 means "not in the table" */
}

static bool same_node(const tp__node *node, const tp_op *op, tp_dtype dtype, const int32_t *input, int n,
                      const void *attr)
{
    return node->op == op && node->dtype == dtype && node->n == n &&
           (n == 0 || memcmp(node->input, input, (size_t)n * sizeof *input) == 0) &&
           (op->attr_size == 0 || memcmp(node->attr, attr, op->attr_size) == 0);
}

/* Keeps about one node per bucket.  Re-inserting in order keeps each chain newest first, which rewind needs. */
static bool grow_table(tp_tape *tape)
{
    const int32_t buckets = tape->buckets ? tape->buckets * 2 : 256;
    int32_t *bucket = tp__allocate(&tape->allocator, (size_t)buckets * sizeof *bucket);
    if (bucket == NULL)
        return false;
    for (int32_t b = 0; b < buckets; b++)
        bucket[b] = -1;
    for (int32_t id = 0; id < tape->count; id++) {
        tp__node *node = tp__node_at(tape, id);
        if (node->hash == 0)
            continue;
        int32_t *head = &bucket[node->hash % (uint32_t)buckets];
        node->chain = *head;
        *head = id;
    }
    tp__release(&tape->allocator, tape->bucket, (size_t)tape->buckets * sizeof *bucket);
    tape->bucket = bucket;
    tape->buckets = buckets;
    return true;
}

static tp_tensor find_or_append(tp_tape *tape, const tp_op *op, tp_dtype dtype, const tp_shape *shape,
                                const int32_t *input, int n, const void *attr, tp__place place)
{
    if (tp__is_intrusion(tape, "recorded on it"))
        return tp__invalid(tape);
    const bool pure = !(op->flags & TP_OP_IMPURE);
    const uint32_t hash = pure ? hash_of(op, dtype, input, n, attr) : 0;

    if (pure && tape->count >= tape->buckets && !grow_table(tape)) {
        tp__fail(tape, TP_OUT_OF_MEMORY, place, "%s: out of memory while recording", op->name);
        return tp__invalid(tape);
    }
    int32_t found = -1;
    if (pure)
        for (found = tape->bucket[hash % (uint32_t)tape->buckets]; found >= 0;) {
            const tp__node *node = tp__node_at(tape, found);
            if (node->hash == hash && same_node(node, op, dtype, input, n, attr))
                break;
            found = node->chain;
        }
    if (found < 0) {
        tp__node *node = tp__append(tape, op, dtype, shape, input, n, attr, place);
        if (node == NULL)
            return tp__invalid(tape);
        found = tape->count - 1;
        if (pure) {
            int32_t *head = &tape->bucket[hash % (uint32_t)tape->buckets];
            node->hash = hash;
            node->chain = *head;
            *head = found;
        }
    }
    return tp_locate(tp__handle(tape, found), place.file, place.line);
}

/* ---- Record ---------------------------------------------------------------------------------------- */

/* The result of a simplification that reads neither x[k] nor is it: what is computed with it no longer depends on x[k]
 * for the reverse sweep. */
static void note_bypass(const recording *r, const tp__node *same, int32_t id)
{
    for (int k = 0; k < r->n; k++) {
        bool used = r->id[k] == id;
        for (int32_t j = 0; j < same->n; j++)
            used = used || same->input[j] == r->id[k];
        if (used)
            return;
    }
    for (int k = 0; k < r->n; k++)
        bypass(r, tp__node_at(r->tape, r->id[k]));
}

/* What the op's own rule knows to be equal, or an absent tensor. */
static tp_tensor simplified(const recording *r, const tp_inference *i)
{
    const tp_tensor same = r->op->simplify(r->x, r->n, r->attr);
    if (same.tape != r->tape || same.id < 0)
        return same.tape == r->tape ? same : (tp_tensor){0};
    const tp__node *node = tp__resolve(same, NULL);
    if (node == NULL || !tp_shape_equal(node->shape, i->y_shape) || node->dtype != i->y_dtype)
        return (tp_tensor){0};
    note_bypass(r, node, same.id);
    return tp_locate(same, r->place.file, r->place.line);
}

static tp_tensor simplify_or_append(recording *r, const tp_inference *i)
{
    for (int k = 0; k < r->n; k++) /* rules that record see one place */
        r->x[k] = tp_locate(r->x[k], r->place.file, r->place.line);
    if (r->op->simplify != NULL) {
        const tp_tensor same = simplified(r, i);
        if (same.tape != NULL)
            return same;
    }
    return find_or_append(r->tape, r->op, i->y_dtype, &i->y_shape, r->id, r->n, r->attr, r->place);
}

static tp_tensor record(recording *r)
{
    tp_inference i;
    double value[FEW];

    for (int k = 0; k < r->n; k++)
        load_operand(r, k);
    if (r->op->infer == NULL && can_fold(r, value) && r->dtype[0] == TP_WEAK)
        return fold(r, TP_WEAK, value);
    if (!settle_weak(r) || !infer(r, &i))
        return tp__invalid(r->tape);
    if (can_fold(r, value))
        return tp_expand(fold(r, i.y_dtype, value), i.y_shape);
    const tp_shape shape = i.y_shape;
    if (r->op->kind == TP_MAP && r->op->infer == NULL) {
        see_through_repeats(r, &i.y_shape);
        if (!(r->op->flags & TP_OP_IMPURE))
            take_out_repeats(r, &i.y_shape);
    }
    const tp_tensor y = simplify_or_append(r, &i);
    return tp_shape_equal(shape, i.y_shape) ? y : tp_expand(y, shape);
}

typedef struct operand_arrays {
    tp_tensor x[FEW];
    tp_shape shape[FEW];
    tp_dtype dtype[FEW];
    int32_t id[FEW];
} operand_arrays;

static tp_tensor record_many(recording *r, const tp_tensor *x)
{
    const size_t each = sizeof *r->x + sizeof *r->shape + sizeof *r->dtype + sizeof *r->id;
    char *memory = tp__allocate(&r->tape->allocator, each * (size_t)r->n);
    if (memory == NULL) {
        tp__fail(r->tape, TP_OUT_OF_MEMORY, r->place, "%s: out of memory while recording", r->op->name);
        return tp__invalid(r->tape);
    }
    r->shape = (tp_shape *)(void *)memory;
    r->x = (tp_tensor *)(void *)(r->shape + r->n);
    r->dtype = (tp_dtype *)(void *)(r->x + r->n);
    r->id = (int32_t *)(void *)(r->dtype + r->n);
    memcpy(r->x, x, (size_t)r->n * sizeof *x);
    const tp_tensor y = checks(r) ? record(r) : tp__invalid(r->tape);
    tp__release(&r->tape->allocator, memory, each * (size_t)r->n);
    return y;
}

tp_tensor tp_record_on(tp_tape *tape, const tp_op *op, const tp_tensor *x, int n, const void *attr)
{
    if (tape == NULL)
        return (tp_tensor){0};
    if (tp__is_intrusion(tape, "recorded on it"))
        return tp__invalid(tape);
    recording r = {.tape = tape, .op = op, .attr = attr, .n = n, .place = tp__take_here(tape)};
    if (op == NULL || op->name == NULL || n < 0 || (n > 0 && x == NULL)) {
        tp__fail(tape, TP_BAD_ARGUMENT, r.place, "tp_record: the op, its name or its operands are missing");
        return tp__invalid(tape);
    }
    if (n > FEW)
        return record_many(&r, x);
    operand_arrays few;
    r.x = few.x;
    r.shape = few.shape;
    r.dtype = few.dtype;
    r.id = few.id;
    if (n > 0)
        memcpy(few.x, x, (size_t)n * sizeof *x);
    return checks(&r) ? record(&r) : tp__invalid(tape);
}

tp_tensor tp_record(const tp_op *op, const tp_tensor *x, int n, const void *attr)
{
    for (int k = 0; x != NULL && k < n; k++)
        if (x[k].tape != NULL)
            return tp_record_on(x[k].tape, op, x, n, attr);
    return (tp_tensor){0};
}
