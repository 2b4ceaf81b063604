/* diagonal.c -- diagonal and its transpose; tril and triu. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "put_back.h"

/* The diagonal of axes a and b of a tensor of shape `whole` whose elements have index_b - index_a = offset. */
typedef struct diagonal_attr {
    int64_t a, b, offset;
    tp_shape whole;
} diagonal_attr;

/* NULL and the diagonal's shape: the other axes, then the diagonal itself; or why there is none. */
static const char *diagonal_shape(const diagonal_attr *d, tp_shape *shape)
{
    const tp_shape *x = &d->whole;
    if (d->a < 0 || d->a >= x->rank || d->b < 0 || d->b >= x->rank)
        return "an axis is out of range";
    if (d->a == d->b)
        return "the two axes are one";
    const int64_t rows = x->dim[d->a] + (d->offset < 0 ? d->offset : 0);
    const int64_t columns = x->dim[d->b] - (d->offset > 0 ? d->offset : 0);
    const int64_t length = rows < columns ? rows : columns;
    *shape = (tp_shape){0};
    for (int64_t k = 0; k < x->rank; k++)
        if (k != d->a && k != d->b)
            shape->dim[shape->rank++] = x->dim[k];
    shape->dim[shape->rank++] = length > 0 ? length : 0;
    return NULL;
}

static void diagonal_strides(const diagonal_attr *d, tp_strides *s)
{
    const tp_strides whole = *s;
    int64_t at = 0;
    *s = (tp_strides){.offset = whole.offset};
    s->offset += d->offset > 0 ? d->offset * whole.stride[d->b] : -d->offset * whole.stride[d->a];
    for (int64_t k = 0; k < d->whole.rank; k++)
        if (k != d->a && k != d->b)
            s->stride[at++] = whole.stride[k];
    s->stride[at] = whole.stride[d->a] + whole.stride[d->b];
}

/* ---- diagonal -------------------------------------------------------------------------------------- */

static const char *diagonal_infer(tp_inference *i)
{
    const diagonal_attr *a = i->attr;
    if (!tp_shape_equal(a->whole, i->x_shape[0]))
        return "the attributes are of another shape";
    return diagonal_shape(a, &i->y_shape);
}

static bool diagonal_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape;
    diagonal_strides(attr, s);
    return true;
}

static const tp_op diagonal, undiagonal;

static void diagonal_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_record(&undiagonal, &d->g, 1, d->attr);
}

static tp_tensor diagonal_simplify(const tp_tensor *x, int n, const void *attr)
{
    tp_shape shape;
    double value;
    (void)n;
    if (!tp_is_scalar_constant(x[0], &value) || diagonal_shape(attr, &shape) != NULL)
        return (tp_tensor){0};
    return tp_expand(tp_scalar_of(x[0].tape, tp_dtype_of(x[0]), value), shape);
}

static const tp_op diagonal = {
    .name = "diagonal",
    .kind = TP_VIEW,
    .arity = 1,
    .attr_size = sizeof(diagonal_attr),
    .infer = diagonal_infer,
    .vjp = diagonal_vjp,
    .simplify = diagonal_simplify,
    .view = diagonal_view,
};

tp_tensor tp_diagonal(tp_tensor x, int64_t offset, int axis_a, int axis_b)
{
    diagonal_attr attr = {.whole = tp_shape_of(x)};
    const int64_t rank = attr.whole.rank;

    attr.a = tp_normal_axis(axis_a, rank);
    attr.b = tp_normal_axis(axis_b, rank);
    /* Beyond the axes there is nothing, however far; so the sums above stay small. */
    const int64_t rows = attr.a >= 0 ? attr.whole.dim[attr.a] : 0,
                  columns = attr.b >= 0 ? attr.whole.dim[attr.b] : 0;
    attr.offset = offset < -rows ? -rows : offset > columns ? columns : offset;
    return tp_record(&diagonal, &x, 1, &attr);
}

/* ---- undiagonal: zeros, and a diagonal ---------------------------------------------------------------- */

static const char *undiagonal_infer(tp_inference *i)
{
    const diagonal_attr *a = i->attr;
    tp_shape shape = {0};
    const char *fault = diagonal_shape(a, &shape);
    if (fault == NULL && !tp_shape_equal(shape, i->x_shape[0]))
        fault = "the operand does not have the diagonal's shape";
    i->y_shape = a->whole;
    return fault;
}

static tp_status undiagonal_run(const tp_call *c)
{
    tp_strides s = tp_row_major(&c->y.shape);
    diagonal_strides(c->attr, &s);
    tp__put_back(c, &s);
    return TP_OK;
}

static void undiagonal_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_record(&diagonal, &d->g, 1, d->attr);
}

static const tp_op undiagonal = {
    .name = "undiagonal",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(diagonal_attr),
    .infer = undiagonal_infer,
    .vjp = undiagonal_vjp,
    .run = undiagonal_run,
};

tp_tensor tp_diagonal_embed(tp_tensor x, int64_t offset)
{
    const int64_t limit = (int64_t)1 << 40; /* far beyond what memory can hold: sizes stay countable */
    diagonal_attr attr = {.offset = offset, .whole = tp_shape_of(x)};
    const int64_t rank = attr.whole.rank;
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_record(&undiagonal, &x, 1, &attr);
    tp_describe(tp_dtype_of(x), &attr.whole, text);
    if (rank == 0 || rank == TP_MAX_RANK)
        return tp_fail(x, TP_BAD_SHAPE, "diagonal_embed: it needs 1 to 7 axes, not %s", text);
    if (offset < -limit || offset > limit)
        return tp_fail(x, TP_BAD_SHAPE, "diagonal_embed: the offset %lld is too large", (long long)offset);
    attr.a = rank - 1;
    attr.b = rank;
    attr.whole.dim[rank - 1] += offset < 0 ? -offset : offset;
    attr.whole.dim[rank] = attr.whole.dim[rank - 1];
    attr.whole.rank = rank + 1;
    return tp_record(&undiagonal, &x, 1, &attr);
}

/* ---- tril, triu ------------------------------------------------------------------------------------ */

/* x on one side of a diagonal of its last two axes, the diagonal included, else 0. */
static tp_tensor band(tp_tensor x, const char *name, int64_t diagonal_number, bool lower)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_reshape(x, shape);
    if (shape.rank < 2)
        return tp_fail(x, TP_BAD_SHAPE, "%s: it needs a matrix, not %s", name,
                       tp_describe(tp_dtype_of(x), &shape, text));
    const int64_t rows = shape.dim[shape.rank - 2], columns = shape.dim[shape.rank - 1];
    const int64_t k = diagonal_number < -rows ? -rows : diagonal_number > columns ? columns : diagonal_number;
    tp_tape *tape = tp_locate_tape(x.tape, x.file, x.line);
    const tp_tensor row = tp_reshape(tp_iota(tape, TP_I32, rows), TP_SHAPE(rows, 1));
    const tp_tensor column = tp_iota(tp_locate_tape(tape, x.file, x.line), TP_I32, columns);
    const tp_tensor limit = tp_add(row, tp_scalar(tape, (double)k)); /* of the columns, by row */
    const tp_tensor inside = lower ? tp_less_equal(column, limit) : tp_less_equal(limit, column);
    return tp_where(tp_locate(inside, x.file, x.line), x, tp_scalar(tape, 0));
}

tp_tensor tp_tril(tp_tensor x, int64_t diagonal_number)
{
    return band(x, "tril", diagonal_number, true);
}

tp_tensor tp_triu(tp_tensor x, int64_t diagonal_number)
{
    return band(x, "triu", diagonal_number, false);
}

const tp_op *const tp__diagonal_ops[] = {&diagonal, &undiagonal, NULL};
