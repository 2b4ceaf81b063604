/* arrange.c -- squeeze unsqueeze stack split tile repeat flip roll: elements in another arrangement. */
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"
#include "lists.h"

/* ---- squeeze, unsqueeze ---------------------------------------------------------------------------- */

tp_tensor tp_squeeze(tp_tensor x, tp_axes axes)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask;
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_reshape(x, shape);
    if (!tp__axes_mask(x, "squeeze", axes, &mask))
        return (tp_tensor){.tape = x.tape, .id = -1};
    for (int d = 0; d < shape.rank; d++)
        if ((mask >> d & 1) && shape.dim[d] != 1)
            return tp_fail(x, TP_BAD_SHAPE, "squeeze: axis %d of %s does not have size 1", d,
                           tp_describe(tp_dtype_of(x), &shape, text));
    return tp__drop_axes(x, mask);
}

tp_tensor tp_unsqueeze(tp_tensor x, int axis)
{
    const tp_shape shape = tp_shape_of(x);
    const int at = tp_normal_axis(axis, shape.rank + 1);
    tp_shape wanted = {.rank = shape.rank + 1};
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_reshape(x, shape);
    tp_describe(tp_dtype_of(x), &shape, text);
    if (shape.rank == TP_MAX_RANK)
        return tp_fail(x, TP_BAD_SHAPE, "unsqueeze: %s has 8 axes already", text);
    if (at < 0)
        return tp_fail(x, TP_BAD_SHAPE, "unsqueeze: the new axis %d is out of range for %s", axis, text);
    for (int d = 0; d < wanted.rank; d++)
        wanted.dim[d] = d == at ? 1 : shape.dim[d < at ? d : d - 1];
    return tp_reshape(x, wanted);
}

/* ---- stack ----------------------------------------------------------------------------------------- */

typedef struct axis_attr {
    int64_t axis; /* may be negative until the operands' rank is known */
    int64_t amount;
} axis_attr;

static const char *stack_infer(tp_inference *i)
{
    const axis_attr *a = i->attr;
    if (i->n == 0)
        return "there is nothing to stack";
    if (!i->same_dtype)
        return "the operands' dtypes differ (convert with tp_cast)";
    const tp_shape x = i->x_shape[0];
    for (int k = 1; k < i->n; k++)
        if (!tp_shape_equal(i->x_shape[k], x))
            return "the operands' shapes differ";
    const int axis = tp_normal_axis((int)a->axis, x.rank + 1);
    if (x.rank == TP_MAX_RANK)
        return "the operands have 8 axes already";
    if (axis < 0)
        return "the new axis is out of range";
    i->y_shape = (tp_shape){.rank = x.rank + 1};
    for (int d = 0; d < i->y_shape.rank; d++)
        i->y_shape.dim[d] = d == axis ? i->n : x.dim[d < axis ? d : d - 1];
    return NULL;
}

/* Elements before, and bytes behind, an axis. */
static void sizes_around(const tp_array *array, int axis, size_t *outer, size_t *inner)
{
    *outer = 1;
    *inner = tp_dtype_size(array->dtype);
    for (int d = 0; d < axis; d++)
        *outer *= (size_t)array->shape.dim[d];
    for (int64_t d = axis + 1; d < array->shape.rank; d++)
        *inner *= (size_t)array->shape.dim[d];
}

static tp_status stack_run(const tp_call *c)
{
    const int axis = tp_normal_axis((int)((const axis_attr *)c->attr)->axis, c->y.shape.rank);
    char *y = c->y.data;
    size_t outer, inner;

    sizes_around(&c->y, axis, &outer, &inner);
    for (size_t o = 0; o < outer; o++)
        for (int k = 0; k < c->n; k++, y += inner)
            memcpy(y, (const char *)c->x[k].data + o * inner, inner);
    return TP_OK;
}

static void stack_vjp(const tp_vjp *d)
{
    const int axis = tp_normal_axis((int)((const axis_attr *)d->attr)->axis, tp_shape_of(d->y).rank);
    for (int k = 0; k < d->n; k++)
        if (d->need[k])
            d->dx[k] = tp_squeeze(tp_slice(d->g, axis, k, k + 1, 1), TP_AXES(axis));
}

static const tp_op stack = {
    .name = "stack",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .attr_size = sizeof(axis_attr),
    .infer = stack_infer,
    .vjp = stack_vjp,
    .run = stack_run,
};

tp_tensor tp_stack(const tp_tensor *x, int n, int axis)
{
    return tp_record(&stack, x, n, &(axis_attr){axis, 0});
}

tp_tensor tp_stack_at(const char *file, int line, const tp_tensor *x, int n, int axis)
{
    if (x != NULL && n > 0)
        tp_locate_tape(x[0].tape, file, line);
    return tp_stack(x, n, axis);
}

/* ---- split ----------------------------------------------------------------------------------------- */

/* NULL, or an error's status: then it is stored. */
static tp_status split_fault(tp_tensor x, int axis, const int64_t *sizes, int n)
{
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    char text[TP_TEXT_SIZE];

    tp_describe(tp_dtype_of(x), &shape, text);
    if (d < 0) {
        tp_fail(x, TP_BAD_SHAPE, "split: axis %d is out of range for %s", axis, text);
        return TP_BAD_SHAPE;
    }
    int64_t left = shape.dim[d];
    for (int k = 0; k < n; k++) {
        if (sizes[k] < 0 || sizes[k] > left) {
            tp_fail(x, TP_BAD_SHAPE, "split: the size %lld (piece %d) does not fit axis %d of %s",
                    (long long)sizes[k], k, d, text);
            return TP_BAD_SHAPE;
        }
        left -= sizes[k];
    }
    if (left == 0)
        return TP_OK;
    tp_fail(x, TP_BAD_SHAPE, "split: the sizes leave %lld of axis %d of %s", (long long)left, d, text);
    return TP_BAD_SHAPE;
}

static tp_status split_checked(tp_tensor x, int axis, const int64_t *sizes, int n, tp_tensor *out)
{
    int64_t at = 0;
    if (n < 0 || (n > 0 && (sizes == NULL || out == NULL))) {
        tp_fail(x, TP_BAD_ARGUMENT, "split: sizes or out is NULL");
        return TP_BAD_ARGUMENT;
    }
    if (!tp_is_valid(x)) {
        tp_slice(x, axis, 0, TP_END, 1); /* says what is wrong, unless that was said before */
        return x.tape != NULL && tp_tape_status(x.tape) != TP_OK ? tp_tape_status(x.tape) : TP_BAD_HANDLE;
    }
    const tp_status status = split_fault(x, axis, sizes, n);
    for (int k = 0; k < n && status == TP_OK; at += sizes[k++])
        out[k] = tp_slice(x, axis, at, at + sizes[k], 1);
    return status;
}

tp_status tp_split(tp_tensor x, int axis, const int64_t *sizes, int n, tp_tensor *out)
{
    const tp_status status = split_checked(x, axis, sizes, n, out);
    for (int k = 0; status != TP_OK && out != NULL && k < n; k++)
        out[k] = (tp_tensor){.tape = x.tape, .id = x.tape != NULL ? -1 : 0};
    return status;
}

/* ---- tile, repeat ---------------------------------------------------------------------------------- */

/* x seen as [before, 1, behind], the middle repeated, seen as x with `axis` that many times as long. */
static tp_tensor repeat_between(tp_tensor x, const char *name, int axis, int64_t count, bool whole_axis)
{
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    tp_shape split = {3, {1, 1, 1}}, wanted = shape;
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_reshape(x, shape);
    if (d < 0)
        return tp_fail(x, TP_BAD_SHAPE, "%s: axis %d is out of range for %s", name, axis,
                       tp_describe(tp_dtype_of(x), &shape, text));
    if (count < 0)
        return tp_fail(x, TP_BAD_ARGUMENT, "%s: the count is negative: %lld", name, (long long)count);
    for (int k = 0; k < shape.rank; k++)
        split.dim[k < d || (k == d && !whole_axis) ? 0 : 2] *= shape.dim[k];
    const tp_tensor before = tp_reshape(x, split);
    split.dim[1] = count;
    const tp_tensor y = tp_expand(before, split);
    if (!tp_is_valid(y))
        return y;
    wanted.dim[d] *= count;
    return tp_reshape(y, wanted);
}

tp_tensor tp_tile(tp_tensor x, int axis, int64_t count)
{
    return repeat_between(x, "tile", axis, count, true);
}

tp_tensor tp_repeat(tp_tensor x, int axis, int64_t count)
{
    return repeat_between(x, "repeat", axis, count, false);
}

/* ---- flip ------------------------------------------------------------------------------------------ */

typedef struct flip_attr {
    uint64_t mask; /* bit d: axis d is reversed */
} flip_attr;

static const char *flip_infer(tp_inference *i)
{
    (void)i; /* the result is as the operand */
    return NULL;
}

static bool flip_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    const flip_attr *a = attr;
    (void)y_shape;
    for (int64_t d = 0; d < x_shape->rank; d++)
        if (a->mask >> d & 1) {
            s->offset += (x_shape->dim[d] - 1) * s->stride[d];
            s->stride[d] = -s->stride[d];
        }
    return true;
}

static const tp_op flip;

static tp_tensor record_flip(tp_tensor x, uint64_t mask)
{
    return tp_record(&flip, &x, 1, &(flip_attr){mask});
}

static void flip_vjp(const tp_vjp *d)
{
    d->dx[0] = record_flip(d->g, ((const flip_attr *)d->attr)->mask);
}

static tp_tensor flip_simplify(const tp_tensor *x, int n, const void *attr)
{
    const uint64_t mask = ((const flip_attr *)attr)->mask;
    (void)n;
    if (mask == 0 || tp_is_scalar_constant(x[0], NULL))
        return x[0];
    if (tp_op_of(x[0]) != &flip)
        return (tp_tensor){0};
    return record_flip(tp_operand_of(x[0], 0), mask ^ ((const flip_attr *)tp_attr_of(x[0]))->mask);
}

static const tp_op flip = {
    .name = "flip",
    .kind = TP_VIEW,
    .arity = 1,
    .attr_size = sizeof(flip_attr),
    .infer = flip_infer,
    .vjp = flip_vjp,
    .simplify = flip_simplify,
    .view = flip_view,
};

tp_tensor tp_flip(tp_tensor x, tp_axes axes)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask = 0;

    if (!tp_is_valid(x))
        return record_flip(x, 0);
    if (!tp__axes_mask(x, "flip", axes, &mask))
        return (tp_tensor){.tape = x.tape, .id = -1};
    for (int d = 0; d < shape.rank; d++) /* so that equal flips are one node */
        if (shape.dim[d] <= 1)
            mask &= ~((uint64_t)1 << d);
    return record_flip(x, mask);
}

/* ---- roll ------------------------------------------------------------------------------------------ */

static const char *roll_infer(tp_inference *i)
{
    const axis_attr *a = i->attr;
    if (a->axis < 0 || a->axis >= i->x_shape[0].rank)
        return "the axis is out of range";
    if (a->amount < 0 || (a->amount > 0 && a->amount >= i->x_shape[0].dim[a->axis]))
        return "the shift is beyond the axis";
    return NULL;
}

static tp_status roll_run(const tp_call *c)
{
    const axis_attr *a = c->attr;
    const char *x = c->x[0].data;
    char *y = c->y.data;
    size_t outer, inner;

    sizes_around(&c->y, (int)a->axis, &outer, &inner);
    const size_t front = (size_t)a->amount * inner, all = (size_t)c->y.shape.dim[a->axis] * inner;
    for (size_t o = 0; o < outer; o++, x += all, y += all) {
        memcpy(y, x + (all - front), front);
        memcpy(y + front, x, all - front);
    }
    return TP_OK;
}

static const tp_op roll;

static void roll_vjp(const tp_vjp *d)
{
    const axis_attr *a = d->attr;
    const int64_t size = tp_shape_of(d->y).dim[a->axis];
    d->dx[0] = tp_record(&roll, &d->g, 1, &(axis_attr){a->axis, a->amount > 0 ? size - a->amount : 0});
}

static tp_tensor roll_simplify(const tp_tensor *x, int n, const void *attr)
{
    const axis_attr *a = attr;
    (void)n;
    if (a->amount == 0 || tp_is_scalar_constant(x[0], NULL))
        return x[0];
    if (tp_op_of(x[0]) != &roll || ((const axis_attr *)tp_attr_of(x[0]))->axis != a->axis)
        return (tp_tensor){0};
    const int64_t both = a->amount + ((const axis_attr *)tp_attr_of(x[0]))->amount;
    const tp_tensor whole = tp_operand_of(x[0], 0);
    return tp_record(&roll, &whole, 1, &(axis_attr){a->axis, both % tp_shape_of(whole).dim[a->axis]});
}

static const tp_op roll = {
    .name = "roll",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(axis_attr),
    .infer = roll_infer,
    .vjp = roll_vjp,
    .simplify = roll_simplify,
    .run = roll_run,
};

tp_tensor tp_roll(tp_tensor x, int axis, int64_t shift)
{
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    char text[TP_TEXT_SIZE];

    if (tp_is_valid(x) && d < 0)
        return tp_fail(x, TP_BAD_SHAPE, "roll: axis %d is out of range for %s", axis,
                       tp_describe(tp_dtype_of(x), &shape, text));
    const int64_t size = d >= 0 && shape.dim[d] > 0 ? shape.dim[d] : 1, rest = shift % size;
    return tp_record(&roll, &x, 1, &(axis_attr){d, rest < 0 ? rest + size : rest});
}

const tp_op *const tp__arrange_ops[] = {&stack, &flip, &roll, NULL};
