/* resampling.c -- upsample_nearest, upsample_bilinear: one axis after the other, by an op that is linear and its transpose,
 * which are each other's derivative.
 *
 * The ops also take channels in blocks (pooling.h), which no constructor records.
 */
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"
#include "pooling.h"

enum { NEAREST, LINEAR, LINEAR_ALIGNED };

typedef struct resample_attr {
    int64_t axis;
    int64_t size; /* of that axis in the result */
    int64_t mode;
} resample_attr;

/* ---- Shape -------------------------------------------------------------------------------------------------- */

static const char *resample_infer(tp_inference *i)
{
    const resample_attr *a = i->attr;
    const char *fault = tp__float_fault(i);
    if (fault != NULL)
        return fault;
    if (i->x_shape[0].rank != 4 && i->x_shape[0].rank != 5)
        return "images are [n,channels,height,width]";
    if (a->size < 1 || i->x_shape[0].dim[a->axis] < 1)
        return "images must have at least one row and one column, before and after";
    if (a->size > INT32_MAX || i->x_shape[0].dim[a->axis] > INT32_MAX)
        return "the images are larger than i32 can count";
    i->y_shape.dim[a->axis] = a->size;
    return NULL;
}

/* ---- Places ---------------------------------------------------------------------------------------------------- */

/* Place j of `many` lies between elements low and high of `few`; `weight` is that of high. */
typedef struct between {
    int32_t low, high;
    double weight;
} between;

static between between_of(int64_t mode, int64_t few, int64_t many, int64_t j)
{
    if (mode == NEAREST)
        return (between){(int32_t)(j * few / many), (int32_t)(j * few / many), 0};
    double at = ((double)j + 0.5) * (double)few / (double)many - 0.5;
    if (mode == LINEAR_ALIGNED)
        at = many > 1 ? (double)j * (double)(few - 1) / (double)(many - 1) : 0;
    if (at < 0)
        at = 0;
    int64_t low = (int64_t)at;
    if (low > few - 1)
        low = few - 1;
    return (between){(int32_t)low, (int32_t)(low < few - 1 ? low + 1 : low), at - (double)low};
}

/* Arrays as [outer, axis, inner]: the axis is `few` long where elements are, and `many` where places are between them. */
typedef struct layout {
    int64_t outer, inner, few, many;
    tp_dtype dtype;
    bool twice;     /* as many places again as elements */
    between *place; /* all of them */
    int64_t *first; /* of the places beside each element; NULL where nothing needs it */
    double *sum;    /* a line of sums, or NULL likewise */
} layout;

static size_t layout_size(const tp_shape *x_shape, const resample_attr *a, bool transposed)
{
    const int64_t n = x_shape->dim[a->axis], few = transposed ? a->size : n, many = transposed ? n : a->size;
    int64_t inner = 1;
    if (tp_shape_count(*x_shape) == 0)
        return 0;
    for (int64_t d = a->axis + 1; d < x_shape->rank; d++)
        inner *= x_shape->dim[d];
    return (size_t)many * sizeof(between) +
           (transposed ? (size_t)few * sizeof(int64_t) + (size_t)inner * sizeof(double) : 0);
}

static layout make_layout(const tp_call *c, bool transposed)
{
    const resample_attr *a = c->attr;
    const tp_shape *xs = &c->x[0].shape;
    const int64_t n = xs->dim[a->axis];
    layout l = {.outer = 1,
                .inner = 1,
                .few = transposed ? a->size : n,
                .many = transposed ? n : a->size,
                .dtype = c->y.dtype,
                .place = c->scratch};
    for (int64_t d = 0; d < xs->rank; d++) {
        if (d < a->axis)
            l.outer *= xs->dim[d];
        else if (d > a->axis)
            l.inner *= xs->dim[d];
    }
    l.twice = l.many == 2 * l.few;
    for (int64_t j = 0; j < l.many; j++)
        l.place[j] = between_of(a->mode, l.few, l.many, j);
    if (!transposed)
        return l;
    l.first = (int64_t *)(void *)(l.place + l.many);
    l.sum = (double *)(void *)(l.first + l.few);
    for (int64_t i = 0, j = 0; i < l.few; i++) {
        while (j < l.many && l.place[j].high < i)
            j++;
        l.first[i] = j;
    }
    return l;
}

/* ---- Nearest -------------------------------------------------------------------------------------------------------- */

/* Numbers side by side: `length` neighbours at once. */
TP__INLINED void repeat_4_by(int64_t length, int64_t n, uint32_t *restrict y, const uint32_t *restrict x)
{
    for (int64_t j = 0; j < n; j += length) {
        const int64_t start = tp__block_start(n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) y[2 * i] = y[2 * i + 1] = x[i];
    }
}

TP__INLINED void repeat_4_of(int64_t inner, int64_t n, uint32_t *restrict y, const uint32_t *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < inner; k++)
            y[2 * i * inner + k] = y[(2 * i + 1) * inner + k] = x[i * inner + k];
}

/* Every line twice. */
TP_INSTRUCTION_SETS
static void repeat_4(int64_t inner, int64_t n, uint32_t *y, const uint32_t *x)
{
    if (inner == 16)
        repeat_4_of(16, n, y, x);
    else if (inner == 8)
        repeat_4_of(8, n, y, x);
    else if (inner > 1)
        repeat_4_of(inner, n, y, x);
    else if (n >= 16)
        repeat_4_by(16, n, y, x);
    else if (n >= 8)
        repeat_4_by(8, n, y, x);
    else if (n >= 4)
        repeat_4_by(4, n, y, x);
    else
        repeat_4_by(1, n, y, x);
}

/* One array of the axis and what is inside it: lines as they are. */
static void copy_lines(const layout *l, char *y, const char *x)
{
    const size_t size = tp_dtype_size(l->dtype), line = (size_t)l->inner * size;

    for (int64_t j = 0; j < l->many; j++) {
        const int64_t low = l->place[j].low;
        if (l->inner > 1)
            memcpy(y + (size_t)j * line, x + (size_t)low * line, line);
        else if (size == sizeof(uint32_t))
            ((uint32_t *)(void *)y)[j] = ((const uint32_t *)(const void *)x)[low];
        else
            ((uint64_t *)(void *)y)[j] = ((const uint64_t *)(const void *)x)[low];
    }
}

TP__INLINED void add_pairs_by(int64_t length, int64_t n, float *restrict y, const float *restrict x)
{
    for (int64_t j = 0; j < n; j += length) {
        const int64_t start = tp__block_start(n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) y[i] =
            (float)(0.0 + (double)x[2 * i] + (double)x[2 * i + 1]);
    }
}

TP__INLINED void add_pairs_of(tp_dtype dtype, int64_t inner, int64_t n, void *restrict y,
                              const void *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < inner; k++)
            tp__set(dtype, y, i * inner + k,
                    0.0 + tp__get(dtype, x, 2 * i * inner + k) + tp__get(dtype, x, (2 * i + 1) * inner + k));
}

/* The sum of each two lines. */
TP_INSTRUCTION_SETS
static void add_pairs(tp_dtype dtype, int64_t inner, int64_t n, void *y, const void *x)
{
    if (dtype == TP_F64)
        add_pairs_of(TP_F64, inner, n, y, x);
    else if (inner == 16)
        add_pairs_of(TP_F32, 16, n, y, x);
    else if (inner == 8)
        add_pairs_of(TP_F32, 8, n, y, x);
    else if (inner > 1)
        add_pairs_of(TP_F32, inner, n, y, x);
    else if (n >= 16)
        add_pairs_by(16, n, y, x);
    else if (n >= 8)
        add_pairs_by(8, n, y, x);
    else if (n >= 4)
        add_pairs_by(4, n, y, x);
    else
        add_pairs_by(1, n, y, x);
}

/* ---- Linear ----------------------------------------------------------------------------------------------------------- */

/* Places from .. to - 1.  Where a weight is 0, the element is taken whatever the other one is, NaN included. */
TP__INLINED void interpolate_of(tp_dtype dtype, const layout *l, int64_t inner, int64_t from, int64_t to,
                                void *restrict y, const void *restrict x)
{
    for (int64_t j = from; j < to; j++) {
        const between b = l->place[j];
        for (int64_t k = 0; k < inner; k++) {
            const double low = tp__get(dtype, x, b.low * inner + k),
                         high = tp__get(dtype, x, b.high * inner + k);
            tp__set(dtype, y, j * inner + k, b.weight == 0 ? low : (1 - b.weight) * low + b.weight * high);
        }
    }
}

TP_INSTRUCTION_SETS
static void interpolate(const layout *l, int64_t from, int64_t to, void *y, const void *x)
{
    if (l->dtype == TP_F64)
        interpolate_of(TP_F64, l, l->inner, from, to, y, x);
    else if (l->inner == 1)
        interpolate_of(TP_F32, l, 1, from, to, y, x);
    else if (l->inner == 8)
        interpolate_of(TP_F32, l, 8, from, to, y, x);
    else if (l->inner == 16)
        interpolate_of(TP_F32, l, 16, from, to, y, x);
    else
        interpolate_of(TP_F32, l, l->inner, from, to, y, x);
}

/* To twice the size, but for the first and the last place: two between each two elements. */
TP__INLINED void interpolate_pairs_of(tp_dtype dtype, int64_t few, int64_t inner, void *restrict y,
                                      const void *restrict x)
{
    for (int64_t i = 0; i + 1 < few; i++)
        for (int64_t k = 0; k < inner; k++) {
            const double low = tp__get(dtype, x, i * inner + k),
                         high = tp__get(dtype, x, (i + 1) * inner + k);
            tp__set(dtype, y, (2 * i + 1) * inner + k, 0.75 * low + 0.25 * high);
            tp__set(dtype, y, (2 * i + 2) * inner + k, 0.25 * low + 0.75 * high);
        }
}

TP_INSTRUCTION_SETS
static void interpolate_pairs(const layout *l, void *y, const void *x)
{
    if (l->dtype == TP_F64)
        interpolate_pairs_of(TP_F64, l->few, l->inner, y, x);
    else if (l->inner == 1)
        interpolate_pairs_of(TP_F32, l->few, 1, y, x);
    else if (l->inner == 8)
        interpolate_pairs_of(TP_F32, l->few, 8, y, x);
    else if (l->inner == 16)
        interpolate_pairs_of(TP_F32, l->few, 16, y, x);
    else
        interpolate_pairs_of(TP_F32, l->few, l->inner, y, x);
}

/* Of elements from .. to - 1, what the places beside each of them yield: in the order of the places, in double. */
TP__INLINED void collect_of(tp_dtype dtype, const layout *l, int64_t inner, int64_t from, int64_t to,
                            double *restrict sum, void *restrict y, const void *restrict x)
{
    for (int64_t i = from; i < to; i++) {
        for (int64_t k = 0; k < inner; k++)
            sum[k] = 0;
        for (int64_t j = l->first[i]; j < l->many && l->place[j].low <= i; j++) {
            const between b = l->place[j];
            if (b.low == i)
                for (int64_t k = 0; k < inner; k++)
                    sum[k] += (1 - b.weight) * tp__get(dtype, x, j * inner + k);
            if (b.high == i && b.weight != 0)
                for (int64_t k = 0; k < inner; k++)
                    sum[k] += b.weight * tp__get(dtype, x, j * inner + k);
        }
        for (int64_t k = 0; k < inner; k++)
            tp__set(dtype, y, i * inner + k, sum[k]);
    }
}

TP_INSTRUCTION_SETS
static void collect(const layout *l, int64_t from, int64_t to, void *y, const void *x)
{
    if (l->dtype == TP_F64)
        collect_of(TP_F64, l, l->inner, from, to, l->sum, y, x);
    else if (l->inner == 1)
        collect_of(TP_F32, l, 1, from, to, l->sum, y, x);
    else if (l->inner == 8)
        collect_of(TP_F32, l, 8, from, to, l->sum, y, x);
    else if (l->inner == 16)
        collect_of(TP_F32, l, 16, from, to, l->sum, y, x);
    else
        collect_of(TP_F32, l, l->inner, from, to, l->sum, y, x);
}

/* From twice the size, but for the first and the last element. */
TP__INLINED void collect_pairs_of(tp_dtype dtype, int64_t few, int64_t inner, void *restrict y,
                                  const void *restrict x)
{
    for (int64_t i = 1; i + 1 < few; i++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t j = (2 * i - 1) * inner + k;
            tp__set(dtype, y, i * inner + k,
                    0.0 + 0.25 * tp__get(dtype, x, j) + 0.75 * tp__get(dtype, x, j + inner) +
                        0.75 * tp__get(dtype, x, j + 2 * inner) + 0.25 * tp__get(dtype, x, j + 3 * inner));
        }
}

TP_INSTRUCTION_SETS
static void collect_pairs(const layout *l, void *y, const void *x)
{
    if (l->dtype == TP_F64)
        collect_pairs_of(TP_F64, l->few, l->inner, y, x);
    else if (l->inner == 1)
        collect_pairs_of(TP_F32, l->few, 1, y, x);
    else if (l->inner == 8)
        collect_pairs_of(TP_F32, l->few, 8, y, x);
    else if (l->inner == 16)
        collect_pairs_of(TP_F32, l->few, 16, y, x);
    else
        collect_pairs_of(TP_F32, l->few, l->inner, y, x);
}

/* ---- All of it ---------------------------------------------------------------------------------------------------------- */

static tp_status resample_run(const tp_call *c)
{
    if (tp_shape_count(c->y.shape) == 0)
        return TP_OK;
    const layout l = make_layout(c, false);
    const int64_t mode = ((const resample_attr *)c->attr)->mode;
    const size_t line = (size_t)l.inner * tp_dtype_size(l.dtype);

    if (mode == NEAREST && l.twice && l.dtype == TP_F32) {
        repeat_4(l.inner, l.outer * l.few, c->y.data, c->x[0].data);
        return TP_OK;
    }
    for (int64_t o = 0; o < l.outer; o++) {
        char *y = (char *)c->y.data + (size_t)(o * l.many) * line;
        const char *x = (const char *)c->x[0].data + (size_t)(o * l.few) * line;
        if (mode == NEAREST) {
            copy_lines(&l, y, x);
        } else if (mode == LINEAR && l.twice) {
            interpolate(&l, 0, 1, y, x);
            interpolate_pairs(&l, y, x);
            interpolate(&l, l.many - 1, l.many, y, x);
        } else {
            interpolate(&l, 0, l.many, y, x);
        }
    }
    return TP_OK;
}

static tp_status transpose_run(const tp_call *c)
{
    if (tp_shape_count(c->y.shape) == 0)
        return TP_OK;
    const layout l = make_layout(c, true);
    const int64_t mode = ((const resample_attr *)c->attr)->mode;
    const size_t line = (size_t)l.inner * tp_dtype_size(l.dtype);

    if (mode == NEAREST && l.twice) {
        add_pairs(l.dtype, l.inner, l.outer * l.few, c->y.data, c->x[0].data);
        return TP_OK;
    }
    for (int64_t o = 0; o < l.outer; o++) {
        char *y = (char *)c->y.data + (size_t)(o * l.few) * line;
        const char *x = (const char *)c->x[0].data + (size_t)(o * l.many) * line;
        if (mode == LINEAR && l.twice) {
            collect(&l, 0, 1, y, x);
            collect_pairs(&l, y, x);
            collect(&l, l.few - 1, l.few, y, x);
        } else {
            collect(&l, 0, l.few, y, x);
        }
    }
    return TP_OK;
}

static size_t resample_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return layout_size(x_shape, attr, false);
}

static size_t transpose_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return layout_size(x_shape, attr, true);
}

/* ---- The ops ---------------------------------------------------------------------------------------------------- */

static void resample_vjp(const tp_vjp *d);
static void transpose_vjp(const tp_vjp *d);

static const tp_op resample = {
    .name = "upsample",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_INFALLIBLE | TP_OP_PER_CHANNEL,
    .attr_size = sizeof(resample_attr),
    .infer = resample_infer,
    .vjp = resample_vjp,
    .run = resample_run,
    .scratch_size = resample_scratch,
};

static const tp_op resample_transpose = {
    .name = "upsample_transpose",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_INFALLIBLE | TP_OP_PER_CHANNEL,
    .attr_size = sizeof(resample_attr),
    .infer = resample_infer,
    .vjp = transpose_vjp,
    .run = transpose_run,
    .scratch_size = transpose_scratch,
};

/* The other op, back to the operand's size. */
static void record_back(const tp_vjp *d, const tp_op *op)
{
    resample_attr a = *(const resample_attr *)d->attr;
    a.size = tp_shape_of(d->x[0]).dim[a.axis];
    d->dx[0] = tp_record(op, &d->g, 1, &a);
}

static void resample_vjp(const tp_vjp *d)
{
    record_back(d, &resample_transpose);
}

static void transpose_vjp(const tp_vjp *d)
{
    record_back(d, &resample);
}

/* Height first; an axis that keeps its size is left as it is, which every mode would do. */
static tp_tensor resize(tp_tensor x, int64_t height, int64_t width, int64_t mode)
{
    const int64_t size[2] = {height, width};
    x = tp__plain_images(x, "upsample");
    for (int axis = 0; axis < 2; axis++)
        if (tp_shape_of(x).rank != 4 || tp_shape_of(x).dim[2 + axis] != size[axis] || size[axis] < 1 ||
            tp_dtype_of(x) == TP_I32)
            x = tp_record(&resample, &x, 1, &(resample_attr){2 + axis, size[axis], mode});
    return x;
}

tp_tensor tp_upsample_nearest(tp_tensor x, int64_t height, int64_t width)
{
    return resize(x, height, width, NEAREST);
}

tp_tensor tp_upsample_bilinear(tp_tensor x, int64_t height, int64_t width, const tp_bilinear_options *options)
{
    return resize(x, height, width, options != NULL && options->align_corners ? LINEAR_ALIGNED : LINEAR);
}

const tp_op *const tp__resampling_ops[] = {&resample, &resample_transpose, NULL};
