/* pooling.c -- max_pool2d, avg_pool2d.
 *
 * A maximum is picked by its position, which is an op of its own; so its derivative is a sum by index, whose derivative picks
 * again.  A mean is linear: it and its transpose are each other's derivative.
 */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

/* Pairs are along height and width. */
typedef struct pooling_attr {
    int64_t window[2], stride[2], padding[2], dilation[2];
    int64_t ceil_mode;
    int64_t only_true; /* avg_pool2d: divides by the elements that are no padding */
    int64_t size[2];   /* of the transpose's images; else 0 */
} pooling_attr;

/* ---- Shapes ------------------------------------------------------------------------------------------- */

/* How many windows there are along an axis of this length. */
static int64_t windows_of(const pooling_attr *a, int axis, int64_t length)
{
    const int64_t stride = a->stride[axis],
                  room = length + 2 * a->padding[axis] - a->dilation[axis] * (a->window[axis] - 1) - 1;
    int64_t n = room < 0 ? 0 : (room + (a->ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (a->ceil_mode && n > 1 && (n - 1) * stride >= length + a->padding[axis])
        n--; /* it would begin beyond the edge */
    return n;
}

/* Does window i hold an element of the axis? */
static bool holds_something(const pooling_attr *a, int axis, int64_t length, int64_t i)
{
    const int64_t start = i * a->stride[axis] - a->padding[axis], step = a->dilation[axis];
    const int64_t first =
        start < 0 ? (-start + step - 1) / step : 0; /* of its elements, the first not before 0 */
    return first < a->window[axis] && start + first * step < length;
}

static const char *attribute_fault(tp_inference *i, const pooling_attr *a)
{
    i->fault = TP_BAD_ARGUMENT;
    for (int axis = 0; axis < 2; axis++) {
        if (a->window[axis] < 1)
            return "the window must have at least 1 element along both axes";
        if (a->stride[axis] < 1 || a->dilation[axis] < 1)
            return "strides and dilations must be at least 1, along both axes";
        if (a->padding[axis] < 0)
            return "the padding must not be negative";
        if (a->window[axis] > INT32_MAX || a->stride[axis] > INT32_MAX || a->dilation[axis] > INT32_MAX ||
            a->padding[axis] > INT32_MAX)
            return "windows, strides, dilations and paddings must be below 2^31";
    }
    i->fault = TP_BAD_SHAPE;
    return NULL;
}

/* What all shape rules begin with. */
static const char *images_fault(tp_inference *i)
{
    const char *fault = tp__float_fault(i);
    if (fault == NULL)
        fault = attribute_fault(i, i->attr);
    if (fault == NULL && i->x_shape[0].rank != 4)
        fault = "images are [n,channels,height,width]";
    if (fault == NULL && (i->x_shape[0].dim[2] > INT32_MAX || i->x_shape[0].dim[3] > INT32_MAX))
        fault = "the images are too large to count their elements in i32";
    return fault;
}

/* Sets the last two sizes of y to those of the windows over an image of the given size. */
static const char *count_windows(const pooling_attr *a, const int64_t *length, tp_shape *y)
{
    for (int axis = 0; axis < 2; axis++) {
        const int64_t n = windows_of(a, axis, length[axis]);
        if (n < 1)
            return "the window is larger than the padded images";
        for (int64_t i = 0; i < n; i++)
            if (!holds_something(a, axis, length[axis], i))
                return "there is a window with nothing but padding in it";
        y->dim[2 + axis] = n;
    }
    return NULL;
}

static const char *windows_infer(tp_inference *i)
{
    const char *fault = images_fault(i);
    if (fault != NULL)
        return fault;
    i->y_shape = i->x_shape[0];
    return count_windows(i->attr, &i->x_shape[0].dim[2], &i->y_shape);
}

/* ---- Positions of maxima -------------------------------------------------------------------------------- */

static const char *position_infer(tp_inference *i)
{
    const char *fault = windows_infer(i);
    i->y_dtype = TP_I32;
    if (fault == NULL && i->x_shape[0].dim[2] * i->x_shape[0].dim[3] > INT32_MAX)
        return "the images are too large to count their elements in i32";
    return fault;
}

/* The elements of a window inside the image along an axis: start, start + dilation, ... below end. */
typedef struct extent {
    int64_t start, end;
} extent;

static extent extent_of(const pooling_attr *a, int axis, int64_t length, int64_t i)
{
    const int64_t step = a->dilation[axis];
    extent e = {.start = i * a->stride[axis] - a->padding[axis]};
    e.end = e.start + step * (a->window[axis] - 1) + 1;
    if (e.start < 0)
        e.start += (-e.start + step - 1) / step * step;
    if (e.end > length)
        e.end = length;
    return e;
}

/* The first largest element of a window, or the first NaN. */
static int32_t position_f32(const float *x, int64_t width, extent rows, extent columns, const pooling_attr *a)
{
    int64_t best = rows.start * width + columns.start;
    for (int64_t r = rows.start; r < rows.end; r += a->dilation[0])
        for (int64_t c = columns.start; c < columns.end; c += a->dilation[1]) {
            const float value = x[r * width + c], before = x[best];
            if (value > before || (value != value && before == before))
                best = r * width + c;
        }
    return (int32_t)best;
}

static int32_t position_f64(const double *x, int64_t width, extent rows, extent columns,
                            const pooling_attr *a)
{
    int64_t best = rows.start * width + columns.start;
    for (int64_t r = rows.start; r < rows.end; r += a->dilation[0])
        for (int64_t c = columns.start; c < columns.end; c += a->dilation[1]) {
            const double value = x[r * width + c], before = x[best];
            if (value > before || (value != value && before == before))
                best = r * width + c;
        }
    return (int32_t)best;
}

static tp_status position_run(const tp_call *c)
{
    const pooling_attr *a = c->attr;
    const tp_shape *xs = &c->x[0].shape, *ys = &c->y.shape;
    const int64_t planes = xs->dim[0] * xs->dim[1], h = xs->dim[2], w = xs->dim[3];
    int32_t *y = c->y.data;

    for (int64_t p = 0; p < planes; p++)
        for (int64_t i = 0; i < ys->dim[2]; i++) {
            const extent rows = extent_of(a, 0, h, i);
            for (int64_t j = 0; j < ys->dim[3]; j++) {
                const extent columns = extent_of(a, 1, w, j);
                *y++ = c->x[0].dtype == TP_F32
                           ? position_f32((const float *)c->x[0].data + p * h * w, w, rows, columns, a)
                           : position_f64((const double *)c->x[0].data + p * h * w, w, rows, columns, a);
            }
        }
    return TP_OK;
}

static const tp_op max_position = {
    .name = "max_pool2d",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(pooling_attr),
    .infer = position_infer,
    .vjp = tp_zero_derivative,
    .run = position_run,
};

/* ---- Means ------------------------------------------------------------------------------------------------ */

/* What a window is divided by. */
static double divisor_of(const pooling_attr *a, const int64_t *length, int64_t i, int64_t j)
{
    const int64_t at[2] = {i, j};
    double divisor = 1;
    for (int axis = 0; axis < 2; axis++) {
        const extent e = extent_of(a, axis, length[axis], at[axis]);
        const int64_t start = at[axis] * a->stride[axis] - a->padding[axis],
                      past = length[axis] + a->padding[axis], end = start + a->window[axis];
        divisor *= (double)(a->only_true ? e.end - e.start : (end < past ? end : past) - start);
    }
    return divisor;
}

static double window_sum(const tp_array *x, int64_t plane, extent rows, extent columns)
{
    const int64_t width = x->shape.dim[3];
    double sum = 0;
    for (int64_t r = rows.start; r < rows.end; r++)
        for (int64_t c = columns.start; c < columns.end; c++)
            sum += tp__get(x->dtype, x->data, plane + r * width + c);
    return sum;
}

static tp_status mean_run(const tp_call *c)
{
    const pooling_attr *a = c->attr;
    const tp_shape *xs = &c->x[0].shape, *ys = &c->y.shape;
    const int64_t planes = xs->dim[0] * xs->dim[1], plane = xs->dim[2] * xs->dim[3];
    int64_t at = 0;

    for (int64_t p = 0; p < planes; p++)
        for (int64_t i = 0; i < ys->dim[2]; i++) {
            const extent rows = extent_of(a, 0, xs->dim[2], i);
            for (int64_t j = 0; j < ys->dim[3]; j++) {
                const double sum = window_sum(&c->x[0], p * plane, rows, extent_of(a, 1, xs->dim[3], j));
                tp__set(c->y.dtype, c->y.data, at++, sum / divisor_of(a, &xs->dim[2], i, j));
            }
        }
    return TP_OK;
}

/* The windows over element i of an axis: start .. end - 1 of n. */
static extent windows_over(const pooling_attr *a, int axis, int64_t n, int64_t i)
{
    const int64_t stride = a->stride[axis], from = i + a->padding[axis] - a->window[axis] + 1;
    extent e = {from <= 0 ? 0 : (from + stride - 1) / stride, (i + a->padding[axis]) / stride + 1};
    if (e.end > n)
        e.end = n;
    return e;
}

static double spread_sum(const tp_call *c, int64_t plane, extent rows, extent columns)
{
    const tp_array *g = &c->x[0];
    double sum = 0;
    for (int64_t i = rows.start; i < rows.end; i++)
        for (int64_t j = columns.start; j < columns.end; j++)
            sum += tp__get(g->dtype, g->data, plane + i * g->shape.dim[3] + j) /
                   divisor_of(c->attr, &c->y.shape.dim[2], i, j);
    return sum;
}

/* The transpose: every element's share of the windows over it. */
static tp_status spread_run(const tp_call *c)
{
    const pooling_attr *a = c->attr;
    const tp_shape *gs = &c->x[0].shape, *ys = &c->y.shape;
    const int64_t planes = gs->dim[0] * gs->dim[1], plane = gs->dim[2] * gs->dim[3];
    int64_t at = 0;

    for (int64_t p = 0; p < planes; p++)
        for (int64_t i = 0; i < ys->dim[2]; i++) {
            const extent rows = windows_over(a, 0, gs->dim[2], i);
            for (int64_t j = 0; j < ys->dim[3]; j++)
                tp__set(c->y.dtype, c->y.data, at++,
                        spread_sum(c, p * plane, rows, windows_over(a, 1, gs->dim[3], j)));
        }
    return TP_OK;
}

static const char *spread_infer(tp_inference *i)
{
    const pooling_attr *a = i->attr;
    const char *fault = images_fault(i);
    tp_shape windows = i->x_shape[0];

    if (fault == NULL)
        fault = count_windows(a, a->size, &windows);
    if (fault != NULL)
        return fault;
    if (!tp_shape_equal(windows, i->x_shape[0]))
        return "images of this size have another number of windows";
    i->y_shape = i->x_shape[0];
    i->y_shape.dim[2] = a->size[0];
    i->y_shape.dim[3] = a->size[1];
    return NULL;
}

static void mean_vjp(const tp_vjp *d);
static void spread_vjp(const tp_vjp *d);

static const tp_op mean_pool = {
    .name = "avg_pool2d",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(pooling_attr),
    .infer = windows_infer,
    .vjp = mean_vjp,
    .run = mean_run,
};

static const tp_op spread = {
    .name = "avg_pool2d_transpose",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(pooling_attr),
    .infer = spread_infer,
    .vjp = spread_vjp,
    .run = spread_run,
};

static void mean_vjp(const tp_vjp *d)
{
    pooling_attr a = *(const pooling_attr *)d->attr;
    const tp_shape shape = tp_shape_of(d->x[0]);
    a.size[0] = shape.dim[2];
    a.size[1] = shape.dim[3];
    d->dx[0] = tp_record(&spread, &d->g, 1, &a);
}

static void spread_vjp(const tp_vjp *d)
{
    pooling_attr a = *(const pooling_attr *)d->attr;
    a.size[0] = a.size[1] = 0;
    d->dx[0] = tp_record(&mean_pool, &d->g, 1, &a);
}

/* ---- Recording ---------------------------------------------------------------------------------------------- */

static void set_pair(int64_t to[2], const int64_t given[2], int64_t first, int64_t second)
{
    const bool none = given[0] == 0 && given[1] == 0;
    to[0] = none ? first : given[0];
    to[1] = none ? second : given[1];
}

static pooling_attr attributes(int64_t height, int64_t width, const tp_pooling_options *o)
{
    static const tp_pooling_options defaults = {0};
    pooling_attr a = {.window = {height, width}};
    if (o == NULL)
        o = &defaults;
    set_pair(a.stride, o->stride, height, width);
    set_pair(a.padding, o->padding, 0, 0);
    set_pair(a.dilation, o->dilation, 1, 1);
    a.ceil_mode = o->ceil_mode;
    a.only_true = o->only_true_elements;
    return a;
}

tp_tensor tp_max_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options)
{
    pooling_attr a = attributes(height, width, options);
    a.only_true = 0;
    const tp_tensor position = tp_record(&max_position, &x, 1, &a);
    if (!tp_is_valid(position))
        return position;
    const tp_shape xs = tp_shape_of(x), ys = tp_shape_of(position);
    const tp_tensor planes = tp_reshape(x, TP_SHAPE(xs.dim[0], xs.dim[1], xs.dim[2] * xs.dim[3])),
                    flat = tp_reshape(position, TP_SHAPE(ys.dim[0], ys.dim[1], ys.dim[2] * ys.dim[3]));
    return tp_reshape(tp_take_along_axis(planes, flat, 2), ys);
}

tp_tensor tp_avg_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options)
{
    const pooling_attr a = attributes(height, width, options);
    if (a.dilation[0] != 1 || a.dilation[1] != 1)
        return tp_fail(x, TP_BAD_ARGUMENT, "avg_pool2d: its windows have no dilation");
    return tp_record(&mean_pool, &x, 1, &a);
}

const tp_op *const tp__pooling_ops[] = {&max_position, &mean_pool, &spread, NULL};
