/* resampling.c -- upsample_nearest, upsample_bilinear: one axis after the other, by an op that is linear and its transpose,
 * which are each other's derivative.
 */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

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
    if (i->x_shape[0].rank != 4)
        return "images are [n,channels,height,width]";
    if (a->size < 1 || i->x_shape[0].dim[a->axis] < 1)
        return "images must have at least one row and one column, before and after";
    if (a->size > INT32_MAX || i->x_shape[0].dim[a->axis] > INT32_MAX)
        return "the images are larger than i32 can count";
    i->y_shape.dim[a->axis] = a->size;
    return NULL;
}

/* ---- Kernels -------------------------------------------------------------------------------------------------- */

/* Place j of `many` lies between elements low and high of `few`; `weight` is that of high. */
typedef struct between {
    int64_t low, high;
    double weight;
} between;

static between between_of(int64_t mode, int64_t few, int64_t many, int64_t j)
{
    if (mode == NEAREST)
        return (between){j * few / many, j * few / many, 0};
    double at = ((double)j + 0.5) * (double)few / (double)many - 0.5;
    if (mode == LINEAR_ALIGNED)
        at = many > 1 ? (double)j * (double)(few - 1) / (double)(many - 1) : 0;
    if (at < 0)
        at = 0;
    int64_t low = (int64_t)at;
    if (low > few - 1)
        low = few - 1;
    return (between){low, low < few - 1 ? low + 1 : low, at - (double)low};
}

/* An array as [outer, axis, inner]. */
typedef struct layout {
    int64_t outer, inner, x, y; /* x, y: how long the axis is in each */
} layout;

static layout layout_of(const tp_call *c)
{
    const int64_t axis = ((const resample_attr *)c->attr)->axis;
    layout l = {1, 1, c->x[0].shape.dim[axis], c->y.shape.dim[axis]};
    for (int64_t d = 0; d < 4; d++) {
        if (d < axis)
            l.outer *= c->y.shape.dim[d];
        else if (d > axis)
            l.inner *= c->y.shape.dim[d];
    }
    return l;
}

static tp_status resample_run(const tp_call *c)
{
    const resample_attr *a = c->attr;
    const layout l = layout_of(c);
    const tp_dtype dtype = c->y.dtype;
    const void *x = c->x[0].data;

    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t j = 0; j < l.y; j++) {
            const between b = between_of(a->mode, l.x, l.y, j);
            const int64_t low = (o * l.x + b.low) * l.inner, high = (o * l.x + b.high) * l.inner,
                          to = (o * l.y + j) * l.inner;
            if (b.weight == 0) /* whatever the other one is, NaN included */
                for (int64_t k = 0; k < l.inner; k++)
                    tp__set(dtype, c->y.data, to + k, tp__get(dtype, x, low + k));
            else
                for (int64_t k = 0; k < l.inner; k++)
                    tp__set(dtype, c->y.data, to + k,
                            (1 - b.weight) * tp__get(dtype, x, low + k) +
                                b.weight * tp__get(dtype, x, high + k));
        }
    return TP_OK;
}

static size_t transpose_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    int64_t inner = 1;
    (void)n;
    for (int64_t d = ((const resample_attr *)attr)->axis + 1; d < 4; d++)
        inner *= x_shape[0].dim[d];
    return (size_t)inner * sizeof(double);
}

/* sum += weight * line */
static void add_line(double *sum, const tp_array *x, int64_t at, int64_t n, double weight)
{
    for (int64_t k = 0; k < n; k++)
        sum[k] += weight * tp__get(x->dtype, x->data, at + k);
}

/* Element by element of the result: places that lie beside it follow one another.  Summed in double. */
static tp_status transpose_run(const tp_call *c)
{
    const resample_attr *a = c->attr;
    const layout l = layout_of(c);
    double *sum = c->scratch;

    for (int64_t o = 0; o < l.outer; o++) {
        int64_t first = 0; /* of the places that are not all before the element */
        for (int64_t i = 0; i < l.y; i++) {
            for (int64_t k = 0; k < l.inner; k++)
                sum[k] = 0;
            while (first < l.x && between_of(a->mode, l.y, l.x, first).high < i)
                first++;
            for (int64_t j = first; j < l.x; j++) {
                const between b = between_of(a->mode, l.y, l.x, j);
                if (b.low > i)
                    break;
                if (b.low == i)
                    add_line(sum, &c->x[0], (o * l.x + j) * l.inner, l.inner, 1 - b.weight);
                if (b.high == i && b.weight != 0)
                    add_line(sum, &c->x[0], (o * l.x + j) * l.inner, l.inner, b.weight);
            }
            for (int64_t k = 0; k < l.inner; k++)
                tp__set(c->y.dtype, c->y.data, (o * l.y + i) * l.inner + k, sum[k]);
        }
    }
    return TP_OK;
}

/* ---- The ops ---------------------------------------------------------------------------------------------------- */

static void resample_vjp(const tp_vjp *d);
static void transpose_vjp(const tp_vjp *d);

static const tp_op resample = {
    .name = "upsample",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(resample_attr),
    .infer = resample_infer,
    .vjp = resample_vjp,
    .run = resample_run,
};

static const tp_op resample_transpose = {
    .name = "upsample_transpose",
    .kind = TP_CALL,
    .arity = 1,
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
