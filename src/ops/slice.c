/* slice.c -- slice, its gradient, and concat. */
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "put_back.h"

/* Element i of axis d of the result is element start[d] + i * step[d] of the operand. */
typedef struct slice_attr {
    int64_t start[TP_MAX_RANK], step[TP_MAX_RANK];
    tp_shape shape; /* of the slice; for unslice, of the whole */
} slice_attr;

static void slice_strides(const slice_attr *a, int64_t rank, tp_strides *s)
{
    for (int64_t d = 0; d < rank; d++) {
        s->offset += a->start[d] * s->stride[d];
        s->stride[d] *= a->step[d];
    }
}

/* ---- slice ----------------------------------------------------------------------------------------- */

static const char *slice_infer(tp_inference *i)
{
    const slice_attr *a = i->attr;
    i->y_shape = a->shape;
    return NULL;
}

static bool slice_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)y_shape;
    slice_strides(attr, x_shape->rank, s);
    return true;
}

static const tp_op slice, unslice;

static void slice_vjp(const tp_vjp *d)
{
    slice_attr back = *(const slice_attr *)d->attr;
    back.shape = tp_shape_of(d->x[0]);
    d->dx[0] = tp_record(&unslice, &d->g, 1, &back);
}

static tp_tensor slice_simplify(const tp_tensor *x, int n, const void *attr)
{
    const slice_attr *a = attr;
    double value;

    (void)n;
    if (tp_shape_equal(tp_shape_of(x[0]), a->shape))
        return x[0]; /* steps are positive: the whole */
    if (tp_is_scalar_constant(x[0], &value))
        return tp_expand(tp_scalar_of(x[0].tape, tp_dtype_of(x[0]), value), a->shape);
    if (tp_op_of(x[0]) != &slice)
        return (tp_tensor){0};
    slice_attr joint = *(const slice_attr *)tp_attr_of(x[0]);
    for (int64_t d = 0; d < a->shape.rank; d++) {
        joint.start[d] += a->start[d] * joint.step[d];
        joint.step[d] *= a->step[d];
    }
    joint.shape = a->shape;
    const tp_tensor whole = tp_operand_of(x[0], 0);
    return tp_record(&slice, &whole, 1, &joint);
}

static const tp_op slice = {
    .name = "slice",
    .kind = TP_VIEW,
    .arity = 1,
    .attr_size = sizeof(slice_attr),
    .infer = slice_infer,
    .vjp = slice_vjp,
    .simplify = slice_simplify,
    .view = slice_view,
};

tp_tensor tp_slice(tp_tensor x, int axis, int64_t start, int64_t stop, int64_t step)
{
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    slice_attr a = {.shape = shape};
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_record(&slice, &x, 1, &a);
    tp_describe(tp_dtype_of(x), &shape, text);
    if (d < 0)
        return tp_fail(x, TP_BAD_SHAPE, "slice: axis %d is out of range for %s", axis, text);
    const int64_t size = shape.dim[d];
    const int64_t first = start == TP_END ? size : start < 0 ? start + size : start;
    const int64_t end = stop == TP_END ? size : stop < 0 ? stop + size : stop;
    if (step < 1)
        return tp_fail(x, TP_BAD_ARGUMENT, "slice: the step must be at least 1, but is %lld",
                       (long long)step);
    if (first < 0 || first > size || end < 0 || end > size)
        return tp_fail(x, TP_BAD_SHAPE, "slice: %lld to %lld is beyond axis %d of %s", (long long)start,
                       (long long)stop, d, text);
    for (int64_t k = 0; k < shape.rank; k++)
        a.step[k] = 1;
    a.start[d] = first;
    a.shape.dim[d] = end > first ? (end - first - 1) / step + 1 : 0;
    a.step[d] = a.shape.dim[d] > 1 ? step : 1;
    return tp_record(&slice, &x, 1, &a);
}

/* ---- unslice: the elements put back where slice took them, zeros elsewhere ---------------------------- */

static const char *unslice_infer(tp_inference *i)
{
    const slice_attr *a = i->attr;
    if (i->x_dtype[0] == TP_I32) {
        i->fault = TP_BAD_DTYPE;
        return "it needs f32 or f64";
    }
    i->y_shape = a->shape;
    return NULL;
}

static tp_status unslice_run(const tp_call *c)
{
    tp_strides s = tp_row_major(&c->y.shape);
    slice_strides(c->attr, c->y.shape.rank, &s);
    tp__put_back(c, &s);
    return TP_OK;
}

static void unslice_vjp(const tp_vjp *d)
{
    slice_attr back = *(const slice_attr *)d->attr;
    back.shape = tp_shape_of(d->x[0]);
    d->dx[0] = tp_record(&slice, &d->g, 1, &back);
}

static const tp_op unslice = {
    .name = "unslice",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(slice_attr),
    .infer = unslice_infer,
    .vjp = unslice_vjp,
    .run = unslice_run,
};

/* ---- concat ---------------------------------------------------------------------------------------- */

typedef struct concat_attr {
    int64_t axis; /* may be negative until the operands' rank is known */
} concat_attr;

static const char *concat_infer(tp_inference *i)
{
    const concat_attr *a = i->attr;
    if (i->n == 0)
        return "there is nothing to join";
    if (!i->same_dtype)
        return "the operands' dtypes differ (convert with tp_cast)";
    i->y_shape = i->x_shape[0];
    const int axis = tp_normal_axis((int)a->axis, i->y_shape.rank);
    if (axis < 0)
        return "the axis is out of range";
    i->y_shape.dim[axis] = 0;
    for (int k = 0; k < i->n; k++) {
        tp_shape rest = i->x_shape[k];
        if (rest.rank != i->y_shape.rank)
            return "the operands' ranks differ";
        if (rest.dim[axis] > INT64_MAX - i->y_shape.dim[axis])
            return "too many elements";
        i->y_shape.dim[axis] += rest.dim[axis];
        rest.dim[axis] = i->y_shape.dim[axis];
        if (!tp_shape_equal(rest, i->y_shape))
            return "the operands' sizes differ along another axis";
    }
    return NULL;
}

static tp_status concat_run(const tp_call *c)
{
    const int axis = tp_normal_axis((int)((const concat_attr *)c->attr)->axis, c->y.shape.rank);
    size_t outer = 1, inner = tp_dtype_size(c->y.dtype);
    char *y = c->y.data;

    for (int d = 0; d < axis; d++)
        outer *= (size_t)c->y.shape.dim[d];
    for (int64_t d = axis + 1; d < c->y.shape.rank; d++)
        inner *= (size_t)c->y.shape.dim[d];
    for (size_t o = 0; o < outer; o++)
        for (int k = 0; k < c->n; k++) {
            const size_t bytes = (size_t)c->x[k].shape.dim[axis] * inner;
            if (bytes > 0)
                memcpy(y, (const char *)c->x[k].data + o * bytes, bytes);
            y += bytes;
        }
    return TP_OK;
}

static void concat_vjp(const tp_vjp *d)
{
    const int axis = tp_normal_axis((int)((const concat_attr *)d->attr)->axis, tp_shape_of(d->y).rank);
    int64_t at = 0;
    for (int k = 0; k < d->n; k++) {
        const int64_t size = tp_shape_of(d->x[k]).dim[axis];
        if (d->need[k])
            d->dx[k] = tp_slice(d->g, axis, at, at + size, 1);
        at += size;
    }
}

static const tp_op concat = {
    .name = "concat",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .attr_size = sizeof(concat_attr),
    .infer = concat_infer,
    .vjp = concat_vjp,
    .run = concat_run,
};

tp_tensor tp_concat(const tp_tensor *x, int n, int axis)
{
    return tp_record(&concat, x, n, &(concat_attr){axis});
}

tp_tensor tp_concat_at(const char *file, int line, const tp_tensor *x, int n, int axis)
{
    if (x != NULL && n > 0)
        tp_locate_tape(x[0].tape, file, line);
    return tp_concat(x, n, axis);
}

const tp_op *const tp__slice_ops[] = {&slice, &unslice, &concat, NULL};
