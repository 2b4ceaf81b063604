/* shape.c -- reshape permute transpose expand: the same elements, seen with other strides. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

/* Any view of one repeated number is that number repeated. */
static tp_tensor repeat_constant(tp_tensor x, tp_shape shape)
{
    double value;
    if (!tp_is_scalar_constant(x, &value))
        return (tp_tensor){0};
    return tp_expand(tp_locate(tp_scalar_of(x.tape, tp_dtype_of(x), value), x.file, x.line), shape);
}

/* ---- reshape --------------------------------------------------------------------------------------- */

static const char *reshape_infer(tp_inference *i)
{
    const tp_shape *shape = i->attr;
    if (tp_shape_count(*shape) != tp_shape_count(i->x_shape[0]))
        return "the number of elements differs";
    i->y_shape = *shape;
    return NULL;
}

static bool reshape_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    const tp_strides plain = tp_row_major(x_shape);
    const int64_t offset = s->offset;
    (void)attr;
    for (int64_t d = 0; d < x_shape->rank; d++)
        if (x_shape->dim[d] != 1 && s->stride[d] != plain.stride[d])
            return false;
    *s = tp_row_major(y_shape);
    s->offset = offset;
    return true;
}

static void reshape_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_reshape(d->g, tp_shape_of(d->x[0]));
}

static const tp_op reshape;

static tp_tensor reshape_simplify(const tp_tensor *x, int n, const void *attr)
{
    const tp_shape *shape = attr;
    (void)n;
    if (tp_shape_equal(tp_shape_of(x[0]), *shape))
        return x[0];
    if (tp_op_of(x[0]) == &reshape)
        return tp_reshape(tp_operand_of(x[0], 0), *shape);
    return repeat_constant(x[0], *shape);
}

static const tp_op reshape = {
    .name = "reshape",
    .kind = TP_VIEW,
    .arity = 1,
    .attr_size = sizeof(tp_shape),
    .infer = reshape_infer,
    .vjp = reshape_vjp,
    .simplify = reshape_simplify,
    .view = reshape_view,
};

tp_tensor tp_reshape(tp_tensor x, tp_shape shape)
{
    const tp_shape own = tp_shape_of(x);
    char from[TP_TEXT_SIZE], to[TP_TEXT_SIZE];
    tp_shape wanted = {.rank = shape.rank};
    int open = -1, opens = 0;

    if (!tp_is_valid(x))
        return tp_record(&reshape, &x, 1, &wanted);
    if (shape.rank < 0 || shape.rank > TP_MAX_RANK)
        return tp_fail(x, TP_BAD_SHAPE, "reshape: the rank must be 0..8, but is %lld", (long long)shape.rank);
    tp_describe(tp_dtype_of(x), &own, from);
    tp_describe(tp_dtype_of(x), &shape, to);
    tp_shape others = {.rank = shape.rank}; /* with 1 for a size that is open */
    for (int d = 0; d < (int)shape.rank; d++) {
        if (shape.dim[d] < -1)
            return tp_fail(x, TP_BAD_SHAPE, "reshape: a size is negative: %s to %s", from, to);
        wanted.dim[d] = shape.dim[d];
        others.dim[d] = shape.dim[d] == -1 ? 1 : shape.dim[d];
        if (shape.dim[d] == -1) {
            open = d;
            opens++;
        }
    }
    const int64_t known = tp_shape_count(others);
    if (opens > 1)
        return tp_fail(x, TP_BAD_SHAPE, "reshape: only one size may be -1: %s to %s", from, to);
    if (opens == 1) {
        if (known == 0 || tp_count_of(x) % known != 0)
            return tp_fail(x, TP_BAD_SHAPE, "reshape: the size -1 cannot be worked out: %s to %s", from, to);
        wanted.dim[open] = tp_count_of(x) / known;
    }
    if (tp_shape_count(wanted) != tp_count_of(x))
        return tp_fail(x, TP_BAD_SHAPE, "reshape: the number of elements differs: %s to %s", from, to);
    return tp_record(&reshape, &x, 1, &wanted);
}

/* ---- permute --------------------------------------------------------------------------------------- */

typedef struct permute_attr {
    int64_t axis[TP_MAX_RANK]; /* of x, by axis of y; 0 beyond the rank */
} permute_attr;

static const char *permute_infer(tp_inference *i)
{
    const permute_attr *a = i->attr;
    for (int64_t d = 0; d < i->x_shape[0].rank; d++)
        i->y_shape.dim[d] = i->x_shape[0].dim[a->axis[d]];
    return NULL;
}

static bool permute_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    const permute_attr *a = attr;
    const tp_strides old = *s;
    (void)y_shape;
    for (int64_t d = 0; d < x_shape->rank; d++)
        s->stride[d] = old.stride[a->axis[d]];
    return true;
}

static void permute_vjp(const tp_vjp *d)
{
    const permute_attr *a = d->attr;
    tp_axes back = {.n = (int)tp_shape_of(d->y).rank};
    for (int k = 0; k < back.n; k++)
        back.axis[a->axis[k]] = k;
    d->dx[0] = tp_permute(d->g, back);
}

static const tp_op permute;

static tp_tensor permute_simplify(const tp_tensor *x, int n, const void *attr)
{
    const permute_attr *a = attr;
    const tp_shape shape = tp_shape_of(x[0]);
    tp_axes joint = {.n = (int)shape.rank};
    tp_shape y = shape;
    bool identity = true;

    (void)n;
    for (int64_t d = 0; d < shape.rank; d++) {
        identity = identity && a->axis[d] == d;
        y.dim[d] = shape.dim[a->axis[d]];
    }
    if (identity)
        return x[0];
    if (tp_op_of(x[0]) == &permute) {
        const permute_attr *first = tp_attr_of(x[0]);
        for (int k = 0; k < joint.n; k++)
            joint.axis[k] = (int)first->axis[a->axis[k]];
        return tp_permute(tp_operand_of(x[0], 0), joint);
    }
    return repeat_constant(x[0], y);
}

static const tp_op permute = {
    .name = "permute",
    .kind = TP_VIEW,
    .arity = 1,
    .attr_size = sizeof(permute_attr),
    .infer = permute_infer,
    .vjp = permute_vjp,
    .simplify = permute_simplify,
    .view = permute_view,
};

bool tp__is_transpose(tp_tensor x)
{
    const int64_t rank = tp_shape_of(x).rank;
    const permute_attr *a = tp_attr_of(x);

    if (tp_op_of(x) != &permute || rank < 2 || a->axis[rank - 1] != rank - 2)
        return false;
    for (int64_t d = 0; d < rank - 2; d++)
        if (a->axis[d] != d)
            return false;
    return true;
}

tp_tensor tp_permute(tp_tensor x, tp_axes axes)
{
    const tp_shape shape = tp_shape_of(x);
    permute_attr attr = {{0}};
    uint64_t seen = 0;
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_record(&permute, &x, 1, &attr);
    tp_describe(tp_dtype_of(x), &shape, text);
    if (axes.n != shape.rank)
        return tp_fail(x, TP_BAD_SHAPE, "permute: %d axes were given for %s", axes.n, text);
    for (int k = 0; k < axes.n; k++) {
        const int axis = tp_normal_axis(axes.axis[k], shape.rank);
        if (axis < 0)
            return tp_fail(x, TP_BAD_SHAPE, "permute: axis %d is out of range for %s", axes.axis[k], text);
        if (seen >> axis & 1)
            return tp_fail(x, TP_BAD_SHAPE, "permute: axis %d is named twice for %s", axis, text);
        seen |= (uint64_t)1 << axis;
        attr.axis[k] = axis;
    }
    return tp_record(&permute, &x, 1, &attr);
}

tp_tensor tp_transpose(tp_tensor x, int axis_a, int axis_b)
{
    const tp_shape shape = tp_shape_of(x);
    const int a = tp_normal_axis(axis_a, shape.rank), b = tp_normal_axis(axis_b, shape.rank);
    tp_axes axes = {.n = (int)shape.rank};

    if (tp_is_valid(x) && (a < 0 || b < 0)) {
        char text[TP_TEXT_SIZE];
        return tp_fail(x, TP_BAD_SHAPE, "transpose: axis %d is out of range for %s", a < 0 ? axis_a : axis_b,
                       tp_describe(tp_dtype_of(x), &shape, text));
    }
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = k == a ? b : k == b ? a : k;
    return tp_permute(x, axes);
}

/* ---- expand ---------------------------------------------------------------------------------------- */

static const char *expand_infer(tp_inference *i)
{
    const tp_shape *shape = i->attr;
    if (!tp_broadcast(&i->x_shape[0], shape, &i->y_shape) || !tp_shape_equal(i->y_shape, *shape))
        return "the tensor does not broadcast to the shape";
    return NULL;
}

static bool expand_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    tp_strides y = {.offset = s->offset};
    (void)attr;
    for (int64_t d = 1; d <= x_shape->rank; d++)
        y.stride[y_shape->rank - d] = x_shape->dim[x_shape->rank - d] == 1 ? 0 : s->stride[x_shape->rank - d];
    *s = y;
    return true;
}

static void expand_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_sum_to(d->g, tp_shape_of(d->x[0]));
}

static const tp_op expand;

static tp_tensor expand_simplify(const tp_tensor *x, int n, const void *attr)
{
    const tp_shape *shape = attr;
    (void)n;
    if (tp_shape_equal(tp_shape_of(x[0]), *shape))
        return x[0];
    return tp_op_of(x[0]) == &expand ? tp_expand(tp_operand_of(x[0], 0), *shape) : (tp_tensor){0};
}

static const tp_op expand = {
    .name = "expand",
    .kind = TP_VIEW,
    .arity = 1,
    .flags = TP_OP_REPEATS,
    .attr_size = sizeof(tp_shape),
    .infer = expand_infer,
    .vjp = expand_vjp,
    .simplify = expand_simplify,
    .view = expand_view,
};

tp_tensor tp_expand(tp_tensor x, tp_shape shape)
{
    tp_shape wanted = {.rank = shape.rank};
    const tp_shape own = tp_shape_of(x);
    tp_shape joint;

    if (!tp_is_valid(x))
        return tp_record(&expand, &x, 1, &wanted);
    if (shape.rank < 0 || shape.rank > TP_MAX_RANK)
        return tp_fail(x, TP_BAD_SHAPE, "expand: the rank must be 0..8, but is %lld", (long long)shape.rank);
    for (int64_t d = 0; d < shape.rank; d++)
        wanted.dim[d] = shape.dim[d];
    if (!tp_broadcast(&own, &wanted, &joint) || !tp_shape_equal(joint, wanted)) {
        char from[TP_TEXT_SIZE], to[TP_TEXT_SIZE];
        return tp_fail(x, TP_BAD_SHAPE, "expand: %s does not broadcast to %s",
                       tp_describe(tp_dtype_of(x), &own, from), tp_describe(tp_dtype_of(x), &wanted, to));
    }
    return tp_record(&expand, &x, 1, &wanted);
}

const tp_op *const tp__shape_ops[] = {&reshape, &permute, &expand, NULL};
