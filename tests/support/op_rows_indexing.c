/* op_rows_indexing.c -- rows of tapir/ops/indexing.h.  Indices are constants that the builders make. */
#include "op_rows.h"

/* ---- Indices ------------------------------------------------------------------------------------------ */

/* Index e is (3 + 7 e + e^2) mod size: some repeat, some are left out. */
static tp_tensor make_index(tp_tape *tape, tp_shape shape, int64_t size)
{
    int32_t value[64] = {0};
    const int64_t n = tp_shape_count(shape);
    for (int64_t e = 0; e < n; e++)
        value[e] = (int32_t)((3 + 7 * e + e * e) % size);
    return tp_constant(tape, TP_I32, shape, value);
}

/* The same transposed, so that the kernel's operand is a view. */
static tp_tensor make_index_view(tp_tape *tape, tp_shape shape, int64_t size)
{
    const tp_shape turned = {2, {shape.dim[1], shape.dim[0]}};
    return tp_transpose(make_index(tape, turned, size), 0, 1);
}

/* The tape of the first operand that has one. */
static tp_tape *tape_of(const tp_tensor *x, const op_row *row)
{
    return x[0].tape == NULL && row->n > 1 ? x[1].tape : x[0].tape;
}

/* ---- take_along_axis, scatter_add ---------------------------------------------------------------------- */

typedef struct indexed { /* axis `axis` of x, size of it; the other tensor's shape follows from the index */
    tp_shape x, index;
    int axis;
    bool view;
} indexed;

static const indexed along[] = {
    {{1, {3}}, {1, {5}}, 0, false},       {{2, {2, 3}}, {2, {2, 2}}, -1, false},
    {{2, {4, 3}}, {2, {2, 3}}, 0, true},  {{3, {2, 3, 2}}, {3, {2, 4, 2}}, 1, false},
    {{2, {2, 3}}, {2, {2, 0}}, 1, false}, {{2, {1, 1}}, {2, {1, 1}}, -2, false},
};

static tp_tensor index_along(const tp_tensor *x, const op_row *row)
{
    const indexed *of = &along[row->correction];
    const int64_t size = of->x.dim[of->axis < 0 ? of->axis + of->x.rank : of->axis];
    return of->view ? make_index_view(tape_of(x, row), of->index, size)
                    : make_index(tape_of(x, row), of->index, size);
}

static tp_tensor build_take(const tp_tensor *x, const op_row *row)
{
    return tp_take_along_axis(x[0], index_along(x, row), along[row->correction].axis);
}

static tp_tensor build_scatter(const tp_tensor *x, const op_row *row)
{
    return tp_scatter_add(x[0], index_along(x, row), x[1], along[row->correction].axis);
}

/* Into known zeros, which are left out. */
static tp_tensor build_scatter_alone(const tp_tensor *x, const op_row *row)
{
    const indexed *of = &along[row->correction];
    const tp_tensor zero = tp_expand(tp_scalar_of(x[0].tape, tp_dtype_of(x[0]), 0), of->x);
    return tp_scatter_add(zero, index_along(x, row), x[0], of->axis);
}

/* ---- index_select, index_add --------------------------------------------------------------------------- */

static const indexed selected[] = {
    {{1, {3}}, {1, {5}}, 0, false},         {{2, {3, 2}}, {1, {4}}, 0, false},
    {{3, {2, 3, 2}}, {2, {2, 2}}, 1, true}, {{2, {2, 3}}, {0, {0}}, -1, false},
    {{2, {3, 2}}, {2, {0, 2}}, 0, false},   {{2, {2, 4}}, {1, {3}}, -1, false},
};
static const tp_shape selection[] = {{1, {5}}, {2, {4, 2}},    {4, {2, 2, 2, 2}},
                                     {1, {2}}, {3, {0, 2, 2}}, {2, {2, 3}}};

static tp_tensor index_of(const tp_tensor *x, const op_row *row)
{
    const indexed *of = &selected[row->correction];
    const int64_t size = of->x.dim[of->axis < 0 ? of->axis + of->x.rank : of->axis];
    return of->view ? make_index_view(tape_of(x, row), of->index, size)
                    : make_index(tape_of(x, row), of->index, size);
}

static tp_tensor build_select(const tp_tensor *x, const op_row *row)
{
    return tp_index_select(x[0], index_of(x, row), selected[row->correction].axis);
}

static tp_tensor build_index_add(const tp_tensor *x, const op_row *row)
{
    return tp_index_add(x[0], index_of(x, row), x[1], selected[row->correction].axis);
}

/* ---- one_hot, embedding -------------------------------------------------------------------------------- */

static tp_tensor build_one_hot(const tp_tensor *x, const op_row *row)
{
    const tp_tensor index = make_index(x[0].tape, row->correction ? TP_SHAPE(2) : TP_SHAPE_0D, 3);
    return tp_mul(x[0], tp_one_hot(index, 3, tp_dtype_of(x[0])));
}

static tp_tensor build_embedding(const tp_tensor *x, const op_row *row)
{
    const tp_tensor index = make_index(x[0].tape, TP_SHAPE(2, 3), 4);
    const tp_embedding_options padding = {
        .padding = {true, 99}}; /* no row: so the derivative is that of the value */
    return tp_embedding(x[0], index, row->correction ? &padding : NULL);
}

/* ---- The rows ------------------------------------------------------------------------------------------ */

void add_indexing_rows(op_row_table *t)
{
    for (int k = 0; k < 2; k++) {
        op_row row = {.n = 1, .correction = k, .flags = ROW_I32};
        row.constructor = "tp_embedding", row.build = build_embedding, row.shape[0] = TP_SHAPE(4, 2);
        add_row(t, row);
        row.constructor = "tp_one_hot", row.build = build_one_hot, row.shape[0] = TP_SHAPE(2, 3);
        row.flags |= ROW_ASKS;
        add_row(t, row);
    }
    for (int k = 0; k < (int)(sizeof along / sizeof *along); k++) {
        op_row row = {.n = 1, .correction = k, .flags = ROW_I32, .shape = {along[k].x, along[k].index}};
        row.constructor = "tp_take_along_axis", row.build = build_take;
        add_row(t, row);
        row.constructor = "tp_scatter_add", row.build = build_scatter, row.n = 2;
        add_row(t, row);
        row.variant = "into zeros", row.build = build_scatter_alone, row.n = 1, row.flags |= ROW_ASKS;
        row.shape[0] = along[k].index;
        add_row(t, row);
    }
    for (int k = 0; k < (int)(sizeof selected / sizeof *selected); k++) {
        op_row row = {.n = 1, .correction = k, .flags = ROW_I32, .shape = {selected[k].x, selection[k]}};
        row.constructor = "tp_index_select", row.build = build_select;
        add_row(t, row);
        row.constructor = "tp_index_add", row.build = build_index_add, row.n = 2;
        add_row(t, row);
    }
}
