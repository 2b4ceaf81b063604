/* ordering.c -- sort argsort topk argtopk.  The ops order the last axis; the constructors bring the axis there. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"
#include "lists.h"
#include "radix.h"

typedef struct order_attr {
    int64_t descending;
    int64_t k; /* how many of a row; unused by sort and argsort */
} order_attr;

/* A number is a row of one. */
static int64_t row_length(const tp_shape *shape)
{
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}

/* Positions must fit i32, also those that the derivative of sort asks for. */
static const char *order_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return row_length(i->x_shape) > INT32_MAX ? "the axis is longer than an i32 can count" : NULL;
}

static const char *argsort_infer(tp_inference *i)
{
    i->y_dtype = TP_I32;
    return order_infer(i);
}

/* Two buffers of a key for each element of a row. */
static size_t order_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    return 2 * (size_t)row_length(x_shape) * sizeof(uint64_t);
}

/* ---- sort ------------------------------------------------------------------------------------------ *
 *
 * Of the values alone, which takes half the memory and time that their positions would. */

static tp_status sort_run(const tp_call *c)
{
    const bool descending = ((const order_attr *)c->attr)->descending != 0;
    const int64_t n = row_length(&c->y.shape), rows = n > 0 ? tp_shape_count(c->y.shape) / n : 0;
    const size_t size = tp_dtype_size(c->y.dtype) * (size_t)n;

    for (int64_t r = 0; r < rows; r++)
        tp__sort_values(c->y.dtype, n, descending, (const char *)c->x[0].data + (size_t)r * size,
                        (char *)c->y.data + (size_t)r * size, c->scratch);
    return TP_OK;
}

/* ---- Positions in order ---------------------------------------------------------------------------- *
 *
 * A place is a position in a row, in the low 32 bits, below the 32 bits of a key that it is sorted by. */

typedef struct row {
    tp_dtype dtype;
    bool descending;
    const void *x;
} row;

static uint64_t key_at(const row *r, uint32_t i)
{
    const uint32_t flip = r->descending ? UINT32_MAX : 0;
    if (r->dtype == TP_F32)
        return tp__key_f32(((const float *)r->x)[i], flip);
    if (r->dtype == TP_F64)
        return tp__key_f64(((const double *)r->x)[i], r->descending ? UINT64_MAX : 0);
    return tp__key_i32(((const int32_t *)r->x)[i], flip);
}

static void attach_keys(const row *r, int64_t n, uint64_t *place, int shift)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t position = (uint32_t)place[i];
        place[i] = (key_at(r, position) >> shift) << 32 | position;
    }
}

/* Sorts n places by what the row has there; equal ones stay in their order.  Keys of 64 bits are sorted by in two turns,
 * the low half first. */
static uint64_t *order_places(const row *r, int64_t n, uint64_t *place, uint64_t *other)
{
    if (r->dtype == TP_F64) {
        attach_keys(r, n, place, 0);
        uint64_t *sorted = tp__sort_pairs(n, place, other);
        other = sorted == place ? other : place;
        place = sorted;
    }
    attach_keys(r, n, place, r->dtype == TP_F64 ? 32 : 0);
    return tp__sort_pairs(n, place, other);
}

static tp_status argsort_run(const tp_call *c)
{
    const int64_t n = row_length(&c->y.shape), count = tp_shape_count(c->y.shape);
    const size_t size = tp_dtype_size(c->x[0].dtype);
    uint64_t *place = c->scratch;
    row r = {c->x[0].dtype, ((const order_attr *)c->attr)->descending != 0, NULL};

    for (int64_t at = 0; at < count; at += n) {
        r.x = (const char *)c->x[0].data + (size_t)at * size;
        for (int64_t i = 0; i < n; i++)
            place[i] = (uint64_t)i;
        const uint64_t *sorted = order_places(&r, n, place, place + n);
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)c->y.data)[at + i] = (int32_t)(uint32_t)sorted[i];
    }
    return TP_OK;
}

/* ---- The first k ----------------------------------------------------------------------------------- *
 *
 * `limit` is the key of the last of the k best so far: only a smaller one, for an equal one comes later, is of interest.
 * Most blocks of a long row have none. */

enum { BLOCK = 128, FEW = 64 };

TP_INSTRUCTION_SETS
static bool is_below_f32(int64_t n, const float *x, uint32_t flip, uint32_t limit)
{
    uint32_t below = 0;
    for (int64_t i = 0; i < n; i++)
        below |= tp__key_f32(x[i], flip) < limit;
    return below != 0;
}

TP_INSTRUCTION_SETS
static bool is_below_f64(int64_t n, const double *x, uint64_t flip, uint64_t limit)
{
    uint64_t below = 0;
    for (int64_t i = 0; i < n; i++)
        below |= tp__key_f64(x[i], flip) < limit;
    return below != 0;
}

TP_INSTRUCTION_SETS
static bool is_below_i32(int64_t n, const int32_t *x, uint32_t flip, uint32_t limit)
{
    uint32_t below = 0;
    for (int64_t i = 0; i < n; i++)
        below |= tp__key_i32(x[i], flip) < limit;
    return below != 0;
}

/* Has one of the n elements from `start` on a key below the limit? */
static bool is_below(const row *r, int64_t start, int64_t n, uint64_t limit)
{
    const uint32_t flip = r->descending ? UINT32_MAX : 0;
    if (r->dtype == TP_F32)
        return is_below_f32(n, (const float *)r->x + start, flip, (uint32_t)limit);
    if (r->dtype == TP_F64)
        return is_below_f64(n, (const double *)r->x + start, r->descending ? UINT64_MAX : 0, limit);
    return is_below_i32(n, (const int32_t *)r->x + start, flip, (uint32_t)limit);
}

/* Their keys. */
TP_INSTRUCTION_SETS
static void block_keys(const row *r, int64_t start, int64_t n, uint64_t *key)
{
    const uint32_t flip = r->descending ? UINT32_MAX : 0;
    if (r->dtype == TP_F32) {
        for (int64_t i = 0; i < n; i++)
            key[i] = tp__key_f32(((const float *)r->x)[start + i], flip);
    } else if (r->dtype == TP_F64) {
        for (int64_t i = 0; i < n; i++)
            key[i] = tp__key_f64(((const double *)r->x)[start + i], r->descending ? UINT64_MAX : 0);
    } else {
        for (int64_t i = 0; i < n; i++)
            key[i] = tp__key_i32(((const int32_t *)r->x)[start + i], flip);
    }
}

/* For k <= FEW: the best so far are kept in order. */
static void first_few(const row *r, int64_t n, int64_t k, int32_t *y)
{
    uint64_t best[FEW], key[BLOCK];
    int64_t have = 0;

    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t length = n - start < BLOCK ? n - start : BLOCK;
        if (have == k && !is_below(r, start, length, best[k - 1]))
            continue;
        block_keys(r, start, length, key);
        for (int64_t i = 0; i < length; i++) {
            if (have == k && key[i] >= best[k - 1])
                continue;
            int64_t j = have < k ? have++ : k - 1;
            for (; j > 0 && best[j - 1] > key[i]; j--) {
                best[j] = best[j - 1];
                y[j] = y[j - 1];
            }
            best[j] = key[i];
            y[j] = (int32_t)(start + i);
        }
    }
}

/* Places that are collected before all but the best k are dropped, which by then are a quarter at most. */
static int64_t topk_room(int64_t n, int64_t k)
{
    return (n / 4 < k ? n : 4 * k) + BLOCK;
}

static void first_many(const row *r, int64_t n, int64_t k, int32_t *y, uint64_t *place)
{
    const int64_t room = topk_room(n, k);
    uint64_t *other = place + room, key[BLOCK], limit = 0;
    int64_t have = 0;
    bool open = true; /* there is no limit yet */

    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t length = n - start < BLOCK ? n - start : BLOCK;
        if (have + BLOCK > room) {
            uint64_t *sorted = order_places(r, have, place, other);
            other = sorted == place ? other : place;
            place = sorted;
            have = k;
            limit = key_at(r, (uint32_t)place[k - 1]);
            open = false;
        }
        if (!open && !is_below(r, start, length, limit))
            continue;
        block_keys(r, start, length, key);
        for (int64_t i = 0; i < length; i++) {
            place[have] = (uint64_t)(start + i);
            have += open || key[i] < limit;
        }
    }
    place = order_places(r, have, place, other);
    for (int64_t i = 0; i < k; i++)
        y[i] = (int32_t)(uint32_t)place[i];
}

static size_t argtopk_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return 2 * (size_t)topk_room(row_length(x_shape), ((const order_attr *)attr)->k) * sizeof(uint64_t);
}

static const char *argtopk_infer(tp_inference *i)
{
    const int64_t k = ((const order_attr *)i->attr)->k;
    const char *fault = argsort_infer(i);
    if (fault == NULL && (k < 0 || k > row_length(i->x_shape)))
        return "k is not between 0 and the size of the axis";
    if (i->y_shape.rank > 0)
        i->y_shape.dim[i->y_shape.rank - 1] = k;
    return fault;
}

static tp_status argtopk_run(const tp_call *c)
{
    const int64_t n = row_length(&c->x[0].shape), k = row_length(&c->y.shape),
                  rows = tp_shape_count(c->y.shape) / k;
    const size_t size = tp_dtype_size(c->x[0].dtype);
    row r = {c->x[0].dtype, ((const order_attr *)c->attr)->descending != 0, NULL};

    for (int64_t o = 0; o < rows; o++) {
        r.x = (const char *)c->x[0].data + (size_t)(o * n) * size;
        if (k <= FEW)
            first_few(&r, n, k, (int32_t *)c->y.data + o * k);
        else
            first_many(&r, n, k, (int32_t *)c->y.data + o * k, c->scratch);
    }
    return TP_OK;
}

/* ---- Ops ------------------------------------------------------------------------------------------- */

static const tp_op argsort;

/* Sorting puts x[p[i]] into y[i]: so the adjoint of y[i] goes back to p[i], and nothing passes to p. */
static void sort_vjp(const tp_vjp *d)
{
    const tp_tensor positions = tp_record(&argsort, d->x, 1, d->attr);
    const tp_tensor zeros = tp_full(d->g.tape, tp_dtype_of(d->g), tp_shape_of(d->g), 0);
    if (tp_shape_of(d->g).rank == 0)
        d->dx[0] = d->g;
    else
        d->dx[0] = tp_scatter_add(zeros, positions, d->g, -1);
}

static const tp_op sort = {
    .name = "sort",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(order_attr),
    .infer = order_infer,
    .vjp = sort_vjp,
    .run = sort_run,
    .scratch_size = order_scratch,
};

static const tp_op argsort = {
    .name = "argsort",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(order_attr),
    .infer = argsort_infer,
    .vjp = tp_zero_derivative,
    .run = argsort_run,
    .scratch_size = order_scratch,
};

static const tp_op argtopk = {
    .name = "argtopk",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(order_attr),
    .infer = argtopk_infer,
    .vjp = tp_zero_derivative,
    .run = argtopk_run,
    .scratch_size = argtopk_scratch,
};

/* ---- Constructors ---------------------------------------------------------------------------------- */

static tp_tensor invalid_like(tp_tensor x)
{
    return (tp_tensor){.tape = x.tape, .id = -1};
}

static tp_tensor order_along(const tp_op *op, tp_tensor x, int axis, bool descending)
{
    const order_attr a = {.descending = descending};
    if (!tp_is_valid(x))
        return tp_record(op, &x, 1, &a);
    const int d = tp__one_axis(x, op->name, axis);
    if (d < 0)
        return invalid_like(x);
    const tp_tensor last = tp_transpose(x, d, -1);
    return tp_transpose(tp_record(op, &last, 1, &a), d, -1);
}

tp_tensor tp_sort(tp_tensor x, int axis, bool descending)
{
    return order_along(&sort, x, axis, descending);
}

tp_tensor tp_argsort(tp_tensor x, int axis, bool descending)
{
    return order_along(&argsort, x, axis, descending);
}

/* The positions, or what stands there. */
static tp_tensor first_along(const char *name, tp_tensor x, int64_t k, int axis, bool largest, bool values)
{
    const order_attr a = {.descending = largest, .k = k};
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_record(&argtopk, &x, 1, &a);
    const int d = tp__one_axis(x, name, axis);
    if (d < 0)
        return invalid_like(x);
    if (k < 0 || k > shape.dim[d])
        return tp_fail(x, TP_BAD_SHAPE, "%s: k is %lld, which axis %d of %s does not have", name,
                       (long long)k, d, tp_describe(tp_dtype_of(x), &shape, text));
    const tp_tensor last = tp_transpose(x, d, -1), positions = tp_record(&argtopk, &last, 1, &a);
    return tp_transpose(values ? tp_take_along_axis(last, positions, -1) : positions, d, -1);
}

tp_tensor tp_topk(tp_tensor x, int64_t k, int axis, bool largest)
{
    return first_along("topk", x, k, axis, largest, true);
}

tp_tensor tp_argtopk(tp_tensor x, int64_t k, int axis, bool largest)
{
    return first_along("argtopk", x, k, axis, largest, false);
}

const tp_op *const tp__ordering_ops[] = {&sort, &argsort, &argtopk, NULL};
