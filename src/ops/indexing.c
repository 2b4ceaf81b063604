/* indexing.c -- take_along_axis and index_select pick by index; scatter_add and index_add, their transposes, add up.  Each
 * pair's ops are each other's derivative.
 *
 * All four see their arrays as [outer, axis, inner].
 */
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "sums.h"

typedef struct index_attr {
    int64_t axis; /* of the array that is picked from or added to; may be negative until its rank is known */
    int64_t size; /* of that axis in the result of the adding ops; else 0 */
} index_attr;

/* ---- Shapes ---------------------------------------------------------------------------------------- */

/* What the shape rules of all four begin with: operand 1 is the index. */
static const char *index_fault(tp_inference *i)
{
    if (i->x_dtype[1] != TP_I32) {
        i->fault = TP_BAD_DTYPE;
        return "indices must be i32";
    }
    i->fault = TP_BAD_SHAPE;
    i->y_dtype = i->x_dtype[0];
    return NULL;
}

/* Sizes alike but for one axis? */
static bool alike_beside(tp_shape a, tp_shape b, int axis)
{
    a.dim[axis] = b.dim[axis] = 0;
    return tp_shape_equal(a, b);
}

static const char *take_infer(tp_inference *i)
{
    const tp_shape *x = &i->x_shape[0], *index = &i->x_shape[1];
    const int axis = tp_normal_axis((int)((const index_attr *)i->attr)->axis, x->rank);
    const char *fault = index_fault(i);
    if (fault != NULL)
        return fault;
    if (axis < 0)
        return "the axis is out of range";
    if (index->rank != x->rank || !alike_beside(*x, *index, axis))
        return "the index must have the tensor's sizes but for the axis";
    if (x->dim[axis] == 0 && tp_shape_count(*index) > 0)
        return "there is nothing to pick from";
    i->y_shape = *index;
    return NULL;
}

/* Operand 0 is the source; the axis is counted from the front. */
static const char *scatter_infer(tp_inference *i)
{
    const index_attr *a = i->attr;
    const char *fault = index_fault(i);
    if (fault != NULL)
        return fault;
    if (!tp_shape_equal(i->x_shape[0], i->x_shape[1]))
        return "the index must have the source's shape";
    if (tp_normal_axis((int)a->axis, i->x_shape[0].rank) < 0)
        return "the axis is out of range";
    if (a->size == 0 && tp_shape_count(i->x_shape[1]) > 0)
        return "there is nothing to add to";
    i->y_shape = i->x_shape[0];
    i->y_shape.dim[tp_normal_axis((int)a->axis, i->y_shape.rank)] = a->size;
    return NULL;
}

static const char *select_infer(tp_inference *i)
{
    const tp_shape *x = &i->x_shape[0], *index = &i->x_shape[1];
    const int axis = tp_normal_axis((int)((const index_attr *)i->attr)->axis, x->rank);
    const char *fault = index_fault(i);
    if (fault != NULL)
        return fault;
    if (axis < 0)
        return "the axis is out of range";
    if (x->rank - 1 + index->rank > TP_MAX_RANK)
        return "the result would have more than 8 axes";
    if (x->dim[axis] == 0 && tp_shape_count(*index) > 0)
        return "there is nothing to pick from";
    i->y_shape = (tp_shape){0};
    for (int64_t d = 0; d < axis; d++)
        i->y_shape.dim[i->y_shape.rank++] = x->dim[d];
    for (int64_t d = 0; d < index->rank; d++)
        i->y_shape.dim[i->y_shape.rank++] = index->dim[d];
    for (int64_t d = axis + 1; d < x->rank; d++)
        i->y_shape.dim[i->y_shape.rank++] = x->dim[d];
    return NULL;
}

static const char *index_add_infer(tp_inference *i)
{
    const index_attr *a = i->attr;
    const tp_shape *source = &i->x_shape[0], *index = &i->x_shape[1];
    const char *fault = index_fault(i);
    if (fault != NULL)
        return fault;
    const int64_t rank = source->rank - index->rank + 1;
    if (a->axis < 0 || a->axis >= rank)
        return "the source has too few axes";
    for (int64_t d = 0; d < index->rank; d++)
        if (source->dim[a->axis + d] != index->dim[d])
            return "the source does not have the index's shape in the axis's place";
    if (a->size == 0 && tp_shape_count(*index) > 0)
        return "there is nothing to add to";
    i->y_shape = (tp_shape){.rank = rank};
    for (int64_t d = 0; d < rank; d++)
        i->y_shape.dim[d] = d < a->axis    ? source->dim[d]
                            : d == a->axis ? a->size
                                           : source->dim[d + index->rank - 1];
    return NULL;
}

/* ---- What the kernels share ------------------------------------------------------------------------- */

static int64_t sizes_between(const tp_shape *shape, int64_t from, int64_t to)
{
    int64_t count = 1;
    for (int64_t d = from; d < to; d++)
        count *= shape->dim[d];
    return count;
}

/* The first of n indices outside [0, size), or -1. */
TP_INSTRUCTION_SETS
static int64_t first_outside(const int32_t *index, int64_t n, int64_t size)
{
    const int32_t last = size > INT32_MAX ? INT32_MAX : (int32_t)(size - 1);
    uint32_t sign = 0; /* of an index, or of what is left above it */
    for (int64_t i = 0; i < n; i++)
        sign |= (uint32_t)index[i] | ((uint32_t)last - (uint32_t)index[i]);
    for (int64_t i = 0; i < n && sign >> 31; i++)
        if (index[i] < 0 || index[i] > last)
            return i;
    return -1;
}

/* Checks indices start .. start + n - 1 of a call. */
static tp_status check_indices(const tp_call *c, int64_t start, int64_t n, int64_t size)
{
    const int32_t *index = c->x[1].data;
    const int64_t at = first_outside(index + start, n, size);
    if (at < 0)
        return TP_OK;
    return tp_call_fail(c, "the index %d (element %lld) is outside [0, %lld)", (int)index[start + at],
                        (long long)(start + at), (long long)size);
}

/* An array as [outer, axis, inner], and how long the axis is in the array that is picked from or added to, and in the other. */
typedef struct layout {
    int64_t outer, inner;
    int64_t whole, part;
} layout;

/* ---- take_along_axis ------------------------------------------------------------------------------- */

static void take_4(uint32_t *y, const uint32_t *x, const int32_t *index, int64_t part, int64_t inner)
{
    if (inner == 1) {
        for (int64_t k = 0; k < part; k++)
            y[k] = x[index[k]];
        return;
    }
    for (int64_t k = 0; k < part; k++, y += inner, index += inner)
        for (int64_t j = 0; j < inner; j++)
            y[j] = x[index[j] * inner + j];
}

static void take_8(uint64_t *y, const uint64_t *x, const int32_t *index, int64_t part, int64_t inner)
{
    if (inner == 1) {
        for (int64_t k = 0; k < part; k++)
            y[k] = x[index[k]];
        return;
    }
    for (int64_t k = 0; k < part; k++, y += inner, index += inner)
        for (int64_t j = 0; j < inner; j++)
            y[j] = x[index[j] * inner + j];
}

static layout layout_along(const tp_shape *whole, const tp_shape *part, int64_t axis)
{
    const int d = tp_normal_axis((int)axis, whole->rank);
    return (layout){sizes_between(whole, 0, d), sizes_between(whole, d + 1, whole->rank), whole->dim[d],
                    part->dim[d]};
}

static tp_status take_run(const tp_call *c)
{
    enum { AT_ONCE = 1024 }; /* indices checked before they are used, while they are in the cache */
    const layout l = layout_along(&c->x[0].shape, &c->y.shape, ((const index_attr *)c->attr)->axis);
    const int32_t *index = c->x[1].data;
    const int64_t row = l.part * l.inner, x_row = l.whole * l.inner, rows = 1 + AT_ONCE / row;

    for (int64_t o = 0; o < l.outer; o++) {
        if (o % rows == 0) {
            const int64_t here = l.outer - o < rows ? l.outer - o : rows;
            const tp_status status = check_indices(c, o * row, here * row, l.whole);
            if (status != TP_OK)
                return status;
        }
        if (tp_dtype_size(c->y.dtype) == sizeof(uint32_t))
            take_4((uint32_t *)c->y.data + o * row, (const uint32_t *)c->x[0].data + o * x_row,
                   index + o * row, l.part, l.inner);
        else
            take_8((uint64_t *)c->y.data + o * row, (const uint64_t *)c->x[0].data + o * x_row,
                   index + o * row, l.part, l.inner);
    }
    return TP_OK;
}

/* ---- index_select ---------------------------------------------------------------------------------- */

static layout layout_select(const tp_shape *whole, const tp_shape *index, int64_t axis)
{
    const int d = tp_normal_axis((int)axis, whole->rank);
    return (layout){sizes_between(whole, 0, d), sizes_between(whole, d + 1, whole->rank), whole->dim[d],
                    tp_shape_count(*index)};
}

/* Slices of some bytes. */
static void select_slices(char *y, const char *x, const int32_t *index, int64_t n, size_t bytes)
{
    if (bytes == sizeof(uint32_t)) {
        take_4((uint32_t *)(void *)y, (const uint32_t *)(const void *)x, index, n, 1);
    } else if (bytes == sizeof(uint64_t)) {
        take_8((uint64_t *)(void *)y, (const uint64_t *)(const void *)x, index, n, 1);
    } else {
        for (int64_t k = 0; k < n; k++)
            memcpy(y + (size_t)k * bytes, x + (size_t)index[k] * bytes, bytes);
    }
}

static tp_status select_run(const tp_call *c)
{
    const layout l = layout_select(&c->x[0].shape, &c->x[1].shape, ((const index_attr *)c->attr)->axis);
    const size_t slice = (size_t)l.inner * tp_dtype_size(c->y.dtype);
    const tp_status status = check_indices(c, 0, l.part, l.whole);

    for (int64_t o = 0; o < l.outer && status == TP_OK; o++)
        select_slices((char *)c->y.data + (size_t)(o * l.part) * slice,
                      (const char *)c->x[0].data + (size_t)(o * l.whole) * slice, c->x[1].data, l.part,
                      slice);
    return status;
}

/* ---- scatter_add ----------------------------------------------------------------------------------- */

/* Columns first .. first + width - 1 of one [part, inner] into sums of [whole, width]. */
typedef struct strip {
    const int32_t *index;
    int64_t part, inner, width;
} strip;

static void scatter_f32(const strip *s, tp_partial *sum, const float *x)
{
    const int32_t *index = s->index;
    for (int64_t k = 0; k < s->part && s->inner == 1; k++)
        sum[index[k]].f += (double)x[k];
    for (int64_t k = 0; k < s->part && s->inner > 1; k++, index += s->inner, x += s->inner)
        for (int64_t j = 0; j < s->width; j++)
            sum[index[j] * s->width + j].f += (double)x[j];
}

static void scatter_f64(const strip *s, tp_partial *sum, const double *x)
{
    const int32_t *index = s->index;
    for (int64_t k = 0; k < s->part && s->inner == 1; k++)
        sum[index[k]].f += x[k];
    for (int64_t k = 0; k < s->part && s->inner > 1; k++, index += s->inner, x += s->inner)
        for (int64_t j = 0; j < s->width; j++)
            sum[index[j] * s->width + j].f += x[j];
}

static void scatter_i32(const strip *s, tp_partial *sum, const int32_t *x)
{
    const int32_t *index = s->index;
    for (int64_t k = 0; k < s->part && s->inner == 1; k++)
        sum[index[k]].i += x[k];
    for (int64_t k = 0; k < s->part && s->inner > 1; k++, index += s->inner, x += s->inner)
        for (int64_t j = 0; j < s->width; j++)
            sum[index[j] * s->width + j].i += x[j];
}

/* Columns that are summed together: as many as keep the sums in the cache, but at least a cache line of them. */
static int64_t strip_width(const layout *l)
{
    enum { IN_CACHE = 32768, LEAST = 16 };
    int64_t width = l->whole > 0 ? IN_CACHE / l->whole : IN_CACHE;
    width = width < LEAST ? LEAST : width;
    return width < l->inner ? width : l->inner;
}

static size_t scatter_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const index_attr *a = attr;
    layout l = layout_along(&x_shape[0], &x_shape[0], a->axis);
    (void)n;
    l.whole = a->size;
    return (size_t)(l.whole * strip_width(&l)) * sizeof(tp_partial);
}

/* One piece [whole, inner] of y, strip by strip. */
static tp_status scatter_piece(const tp_call *c, const layout *l, int64_t o)
{
    const int64_t width = strip_width(l), x_start = o * l->part * l->inner, y_start = o * l->whole * l->inner;
    tp_partial *sum = c->scratch;

    for (int64_t first = 0; first < l->inner; first += width) {
        const int64_t here = l->inner - first < width ? l->inner - first : width, at = x_start + first;
        const strip s = {(const int32_t *)c->x[1].data + at, l->part, l->inner, here};
        memset(sum, 0, (size_t)(l->whole * here) * sizeof *sum);
        if (c->y.dtype == TP_F32)
            scatter_f32(&s, sum, (const float *)c->x[0].data + at);
        else if (c->y.dtype == TP_F64)
            scatter_f64(&s, sum, (const double *)c->x[0].data + at);
        else
            scatter_i32(&s, sum, (const int32_t *)c->x[0].data + at);
        const bool all = here == l->inner; /* then the sums lie as the result does */
        for (int64_t i = 0; i < (all ? 1 : l->whole); i++) {
            const tp_status status = tp__store_sums(c, y_start + i * l->inner + first,
                                                    all ? l->whole * here : here, sum + i * here);
            if (status != TP_OK)
                return status;
        }
    }
    return TP_OK;
}

static tp_status scatter_run(const tp_call *c)
{
    const layout l = layout_along(&c->y.shape, &c->x[0].shape, ((const index_attr *)c->attr)->axis);
    tp_status status = check_indices(c, 0, l.outer * l.part * l.inner, l.whole);

    for (int64_t o = 0; o < l.outer && status == TP_OK; o++)
        status = scatter_piece(c, &l, o);
    return status;
}

/* ---- index_add ------------------------------------------------------------------------------------- */

TP_INSTRUCTION_SETS
static void add_slice(tp_dtype dtype, int64_t n, tp_partial *sum, const void *data, int64_t start)
{
    if (dtype == TP_F32) {
        const float *x = (const float *)data + start;
        for (int64_t i = 0; i < n; i++)
            sum[i].f += (double)x[i];
    } else if (dtype == TP_F64) {
        const double *x = (const double *)data + start;
        for (int64_t i = 0; i < n; i++)
            sum[i].f += x[i];
    } else {
        const int32_t *x = (const int32_t *)data + start;
        for (int64_t i = 0; i < n; i++)
            sum[i].i += x[i];
    }
}

/* Sums that fit into the cache are kept all at once, and the source is read in its order.  More of them are made one slice
 * after the other, which needs little memory, but jumps about in the source. */
static bool keeps_all_sums(const layout *l)
{
    enum { MOST = 1 << 20 };
    return l->whole * l->inner <= MOST;
}

/* Piece o, in the source's order. */
static tp_status add_in_order(const tp_call *c, const layout *l, int64_t o)
{
    const int32_t *index = c->x[1].data;
    const int64_t count = l->whole * l->inner;
    tp_partial *sum = c->scratch;

    memset(sum, 0, (size_t)count * sizeof *sum);
    for (int64_t k = 0; k < l->part; k++)
        add_slice(c->y.dtype, l->inner, sum + index[k] * l->inner, c->x[0].data,
                  (o * l->part + k) * l->inner);
    return tp__store_sums(c, o * count, count, sum);
}

/* Which slices of the source go to which of the result: those of result slice i are order[start[i]] .. order[start[i + 1] - 1],
 * in the source's order. */
typedef struct slices {
    int64_t *start, *order;
    tp_partial *sum;
} slices;

enum { SUMS_AT_ONCE = 512 };

/* A counting sort. */
static slices sort_slices(const tp_call *c, const layout *l)
{
    const int32_t *index = c->x[1].data;
    slices s = {.start = c->scratch};
    int64_t *end = s.start + 1; /* first where the next slice of i goes, at last where those of i end */

    s.order = s.start + l->whole + 2;
    s.sum = (tp_partial *)(void *)(s.order + l->part);
    memset(s.start, 0, (size_t)(l->whole + 2) * sizeof *s.start);
    for (int64_t k = 0; k < l->part; k++)
        end[index[k] + 1]++;
    for (int64_t i = 0; i < l->whole; i++)
        end[i + 1] += end[i];
    for (int64_t k = 0; k < l->part; k++)
        s.order[end[index[k]]++] = k;
    return s;
}

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* The beginning of a slice of the source that will be wanted soon. */
static void fetch_slice(const tp_call *c, const layout *l, int64_t o, int64_t k, int64_t j)
{
    const size_t size = tp_dtype_size(c->y.dtype);
    const char *x = (const char *)c->x[0].data + (size_t)((o * l->part + k) * l->inner + j) * size;
    for (size_t at = 0; at < 256 && at < (size_t)(l->inner - j) * size; at += 64)
        PREFETCH(x + at);
}

/* Slice i of piece o. */
static tp_status add_up_slice(const tp_call *c, const layout *l, const slices *s, int64_t o, int64_t i)
{
    enum { AHEAD = 6 };
    const int64_t y_start = (o * l->whole + i) * l->inner, *order = s->order;
    tp_status status = TP_OK;

    for (int64_t j = 0; j < l->inner && status == TP_OK; j += SUMS_AT_ONCE) {
        const int64_t n = l->inner - j < SUMS_AT_ONCE ? l->inner - j : SUMS_AT_ONCE;
        memset(s->sum, 0, (size_t)n * sizeof *s->sum);
        for (int64_t k = s->start[i]; k < s->start[i + 1]; k++) {
            if (k + AHEAD < l->part)
                fetch_slice(c, l, o, order[k + AHEAD], j);
            add_slice(c->y.dtype, n, s->sum, c->x[0].data, (o * l->part + order[k]) * l->inner + j);
        }
        status = tp__store_sums(c, y_start + j, n, s->sum);
    }
    return status;
}

static tp_status add_sorted(const tp_call *c, const layout *l)
{
    const slices s = sort_slices(c, l);
    const size_t slice = (size_t)l->inner * tp_dtype_size(c->y.dtype);
    tp_status status = TP_OK;

    for (int64_t o = 0; o < l->outer; o++)
        for (int64_t i = 0; i < l->whole && status == TP_OK; i++)
            if (s.start[i] == s.start[i + 1])
                memset((char *)c->y.data + (size_t)(o * l->whole + i) * slice, 0, slice);
            else
                status = add_up_slice(c, l, &s, o, i);
    return status;
}

static size_t index_add_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const index_attr *a = attr;
    const int64_t part = tp_shape_count(x_shape[1]), behind = a->axis + x_shape[1].rank;
    const layout l = {.inner = sizes_between(&x_shape[0], behind, x_shape[0].rank), .whole = a->size};
    (void)n;
    if (keeps_all_sums(&l))
        return (size_t)(l.whole * l.inner) * sizeof(tp_partial);
    return (size_t)(l.whole + 2 + part) * sizeof(int64_t) + SUMS_AT_ONCE * sizeof(tp_partial);
}

static tp_status index_add_run(const tp_call *c)
{
    const layout l = layout_select(&c->y.shape, &c->x[1].shape, ((const index_attr *)c->attr)->axis);
    tp_status status = check_indices(c, 0, l.part, l.whole);

    if (status == TP_OK && !keeps_all_sums(&l))
        return add_sorted(c, &l);
    for (int64_t o = 0; o < l.outer && status == TP_OK; o++)
        status = add_in_order(c, &l, o);
    return status;
}

/* ---- Derivatives ----------------------------------------------------------------------------------- */

static const tp_op take_along_axis, scatter_add, index_select, index_add;

static int64_t size_along(tp_tensor x, int64_t axis)
{
    const tp_shape shape = tp_shape_of(x);
    return shape.dim[tp_normal_axis((int)axis, shape.rank)];
}

static tp_tensor record_pair(const tp_op *op, tp_tensor x, tp_tensor index, int64_t axis, int64_t size)
{
    return tp_record(op, (tp_tensor[]){x, index}, 2, &(index_attr){axis, size});
}

static void take_vjp(const tp_vjp *d)
{
    const index_attr *a = d->attr;
    d->dx[0] = record_pair(&scatter_add, d->g, d->x[1], a->axis, size_along(d->x[0], a->axis));
}

static void scatter_vjp(const tp_vjp *d)
{
    d->dx[0] = record_pair(&take_along_axis, d->g, d->x[1], ((const index_attr *)d->attr)->axis, 0);
}

static void select_vjp(const tp_vjp *d)
{
    const int64_t axis = tp_normal_axis((int)((const index_attr *)d->attr)->axis, tp_shape_of(d->x[0]).rank);
    d->dx[0] = record_pair(&index_add, d->g, d->x[1], axis, size_along(d->x[0], axis));
}

static void index_add_vjp(const tp_vjp *d)
{
    d->dx[0] = record_pair(&index_select, d->g, d->x[1], ((const index_attr *)d->attr)->axis, 0);
}

/* ---- Ops ------------------------------------------------------------------------------------------- */

static const tp_op take_along_axis = {
    .name = "take_along_axis",
    .kind = TP_CALL,
    .arity = 2,
    .attr_size = sizeof(index_attr),
    .infer = take_infer,
    .vjp = take_vjp,
    .run = take_run,
};

static const tp_op scatter_add = {
    .name = "scatter_add",
    .kind = TP_CALL,
    .arity = 2,
    .attr_size = sizeof(index_attr),
    .infer = scatter_infer,
    .vjp = scatter_vjp,
    .run = scatter_run,
    .scratch_size = scatter_scratch,
};

static const tp_op index_select = {
    .name = "index_select",
    .kind = TP_CALL,
    .arity = 2,
    .attr_size = sizeof(index_attr),
    .infer = select_infer,
    .vjp = select_vjp,
    .run = select_run,
};

static const tp_op index_add = {
    .name = "index_add",
    .kind = TP_CALL,
    .arity = 2,
    .attr_size = sizeof(index_attr),
    .infer = index_add_infer,
    .vjp = index_add_vjp,
    .run = index_add_run,
    .scratch_size = index_add_scratch,
};

/* ---- Constructors ---------------------------------------------------------------------------------- */

/* The axis from the front, so that equal calls are one node; as it is where there is no such axis. */
static int64_t normal(tp_tensor x, int axis)
{
    const int d = tp_normal_axis(axis, tp_shape_of(x).rank);
    return d >= 0 ? d : axis;
}

tp_tensor tp_take_along_axis(tp_tensor x, tp_tensor index, int axis)
{
    return record_pair(&take_along_axis, x, index, normal(x, axis), 0);
}

tp_tensor tp_index_select(tp_tensor x, tp_tensor index, int axis)
{
    return record_pair(&index_select, x, index, normal(x, axis), 0);
}

/* x and the sums of the source.  Sums added to known zeros are the sums: they start from 0, so none is -0. */
static tp_tensor add_sums(const tp_op *op, tp_tensor x, tp_tensor index, tp_tensor source, int axis)
{
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    char got[TP_TEXT_SIZE], wanted[TP_TEXT_SIZE];
    double value;

    if (!tp_is_valid(x) || !tp_is_valid(source) || x.tape != source.tape) /* adding says what is wrong */
        return tp_add(x, source);
    if (d < 0)
        return tp_fail(x, TP_BAD_SHAPE, "%s: axis %d is out of range for %s", op->name, axis,
                       tp_describe(tp_dtype_of(x), &shape, wanted));
    const tp_tensor sums = record_pair(op, tp_locate(source, x.file, x.line), index, d, shape.dim[d]);
    const tp_shape y = tp_shape_of(sums);
    if (tp_is_valid(sums) && (!tp_shape_equal(y, shape) || tp_dtype_of(sums) != tp_dtype_of(x)))
        return tp_fail(x, tp_shape_equal(y, shape) ? TP_BAD_DTYPE : TP_BAD_SHAPE,
                       "%s: the source gives sums of %s, but the tensor is %s", op->name,
                       tp_describe(tp_dtype_of(sums), &y, got), tp_describe(tp_dtype_of(x), &shape, wanted));
    return tp_is_scalar_constant(x, &value) && value == 0 ? sums : tp_add(x, sums);
}

tp_tensor tp_scatter_add(tp_tensor x, tp_tensor index, tp_tensor source, int axis)
{
    return add_sums(&scatter_add, x, index, source, axis);
}

tp_tensor tp_index_add(tp_tensor x, tp_tensor index, tp_tensor source, int axis)
{
    return add_sums(&index_add, x, index, source, axis);
}

const tp_op *const tp__indexing_ops[] = {&take_along_axis, &scatter_add, &index_select, &index_add, NULL};
