/* op_rows_structure.c -- rows of views, concat, matmul, sources and control. */
#include "op_rows.h"

/* Builders that differ in a small number share a switch on row->correction. */

static tp_tensor build_reshape(const tp_tensor *x, const op_row *row)
{
    static const tp_shape target[] = {{1, {24}}, {2, {-1, 6}}, {4, {4, 1, 3, 2}}};
    return tp_reshape(x[0], target[row->correction]);
}

static tp_tensor build_permute(const tp_tensor *x, const op_row *row)
{
    static const tp_axes axes[] = {{3, {2, 0, 1}}, {3, {-1, -2, -3}}, {3, {0, 1, 2}}};
    return tp_permute(x[0], axes[row->correction]);
}

static tp_tensor build_transpose(const tp_tensor *x, const op_row *row)
{
    return row->correction == 0 ? tp_transpose(x[0], 0, 2) : tp_transpose(x[0], -1, 1);
}

static tp_tensor build_expand(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_expand(x[0], TP_SHAPE(2, 3, 4));
}

static tp_tensor build_slice(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_slice(x[0], 1, 1, 3, 1);
    case 1: return tp_slice(x[0], -1, 0, TP_END, 2);
    case 2: return tp_slice(x[0], 2, -3, -1, 1);
    case 3: return tp_slice(tp_slice(x[0], 2, 1, TP_END, 1), 2, 0, TP_END, 2);
    case 4: return tp_slice(x[0], 0, 1, 1, 1); /* nothing */
    default: return tp_slice(tp_slice(x[0], 2, 0, TP_END, 3), 1, 2, 3, 5);
    }
}

static tp_tensor build_concat(const tp_tensor *x, const op_row *row)
{
    return tp_concat(x, row->n, row->correction);
}

/* More operands than fit without an allocation. */
static tp_tensor build_long_concat(const tp_tensor *x, const op_row *row)
{
    (void)row;
    const tp_tensor many[] = {x[0], x[1], x[0], x[1], x[1], x[0], x[0], x[1], x[0], x[1], x[0]};
    return tp_concat(many, (int)(sizeof many / sizeof *many), 0);
}

static tp_tensor build_matmul(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_matmul(x[0], x[1]);
}

/* ---- Sources and control ------------------------------------------------------------------------------ */

static tp_tensor build_full(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_mul(x[0], tp_full(x[0].tape, tp_dtype_of(x[0]), TP_SHAPE(4, 2, 3), 1.25));
}

static tp_tensor build_scalar_of(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_sub(tp_scalar_of(x[0].tape, tp_dtype_of(x[0]), 2), x[0]);
}

static tp_tensor build_iota(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_mul(x[0], tp_iota(x[0].tape, tp_dtype_of(x[0]), 3));
}

static tp_tensor build_check_index(const tp_tensor *x, const op_row *row)
{
    (void)row;
    const tp_tensor index = tp_check_index(tp_iota(x[0].tape, TP_I32, 3), 3, false, 0);
    return tp_add(x[0], tp_cast(index, tp_dtype_of(x[0])));
}

/* Assignments have no value; recording one beside must not disturb. */
static tp_tensor build_assign(const tp_tensor *x, const op_row *row)
{
    (void)row;
    const tp_tensor state = tp_parameter(x[0].tape, tp_dtype_of(x[0]), tp_shape_of(x[0]), NULL);
    const tp_tensor both[] = {tp_assign(state, x[0]), tp_assign(state, tp_neg(x[0]))};
    tp_group(both, 2);
    return tp_square(x[0]);
}

/* ---- The rows ----------------------------------------------------------------------------------------- */

static const tp_shape cube = {3, {2, 3, 4}};

static void add_variants(op_row_table *t, const char *name,
                         tp_tensor (*build)(const tp_tensor *, const op_row *), int variants)
{
    static const char *const number[] = {"1st", "2nd", "3rd", "4th", "5th", "6th"};
    for (int k = 0; k < variants; k++)
        add_row(t, (op_row){.constructor = name,
                            .variant = number[k],
                            .n = 1,
                            .build = build,
                            .correction = k,
                            .shape = {cube},
                            .flags = ROW_I32});
}

static void add_concats(op_row_table *t)
{
    static const tp_shape shape[][3] = {
        {{1, {2}}, {1, {3}}, {1, {1}}},
        {{2, {2, 1}}, {2, {2, 3}}, {2, {2, 0}}},
        {{3, {2, 2, 3}}, {3, {2, 1, 3}}, {3, {2, 2, 3}}},
    };
    static const int axis[] = {0, -1, 1};
    for (int k = 0; k < 3; k++)
        add_row(t, (op_row){.constructor = "tp_concat",
                            .n = 3,
                            .build = build_concat,
                            .correction = axis[k],
                            .shape = {shape[k][0], shape[k][1], shape[k][2]},
                            .flags = ROW_I32});
    add_row(t, (op_row){.constructor = "tp_concat",
                        .variant = "one operand",
                        .n = 1,
                        .build = build_concat,
                        .shape = {{2, {2, 3}}},
                        .flags = ROW_I32});
    add_row(t, (op_row){.constructor = "tp_concat",
                        .variant = "eleven operands",
                        .n = 2,
                        .build = build_long_concat,
                        .shape = {{2, {2, 2}}, {2, {1, 2}}},
                        .flags = ROW_I32});
}

static void add_matmuls(op_row_table *t)
{
    static const tp_shape shape[][2] = {
        {{1, {3}}, {1, {3}}},
        {{1, {3}}, {2, {3, 2}}},
        {{2, {2, 3}}, {1, {3}}},
        {{2, {2, 3}}, {2, {3, 4}}},
        {{3, {2, 2, 3}}, {2, {3, 2}}},
        {{2, {2, 3}}, {3, {2, 3, 2}}},
        {{3, {2, 2, 3}}, {3, {2, 3, 2}}},
        {{4, {2, 1, 2, 3}}, {3, {3, 3, 2}}},
        {{1, {3}}, {3, {2, 3, 2}}},
        {{3, {2, 2, 3}}, {1, {3}}},
        {{2, {1, 1}}, {2, {1, 1}}},
        {{2, {2, 0}}, {2, {0, 3}}},
        {{3, {3, 1, 2}}, {2, {2, 1}}},
        /* too large for the kernel of small products */
        {{2, {17, 1}}, {2, {1, 2}}},
        {{2, {1, 17}}, {2, {17, 1}}},
        {{3, {2, 1, 17}}, {1, {17}}},
        {{2, {1, 17}}, {3, {2, 17, 2}}},
    };
    for (int k = 0; k < (int)(sizeof shape / sizeof *shape); k++)
        add_row(t, (op_row){.constructor = "tp_matmul",
                            .n = 2,
                            .build = build_matmul,
                            .shape = {shape[k][0], shape[k][1]}});
}

void add_structure_rows(op_row_table *t)
{
    static const tp_shape expanded[] = {{0, {0}}, {1, {4}}, {2, {3, 1}}, {3, {2, 1, 4}}, {3, {2, 3, 4}}};
    const op_row matrix = {.n = 1, .shape = {{2, {2, 3}}}};

    add_variants(t, "tp_reshape", build_reshape, 3);
    add_variants(t, "tp_permute", build_permute, 3);
    add_variants(t, "tp_transpose", build_transpose, 2);
    add_variants(t, "tp_slice", build_slice, 6);
    for (int k = 0; k < 5; k++)
        add_row(t, (op_row){.constructor = "tp_expand",
                            .n = 1,
                            .build = build_expand,
                            .shape = {expanded[k]},
                            .flags = ROW_I32});
    add_concats(t);
    add_matmuls(t);

    static const struct {
        const char *name;
        tp_tensor (*build)(const tp_tensor *, const op_row *);
        unsigned flags;
    } other[] = {
        {"tp_full", build_full, 0},           {"tp_scalar_of", build_scalar_of, ROW_I32},
        {"tp_iota", build_iota, ROW_I32},     {"tp_check_index", build_check_index, 0},
        {"tp_assign", build_assign, ROW_I32}, {"tp_group", build_assign, ROW_I32},
    };
    for (int k = 0; k < (int)(sizeof other / sizeof *other); k++) {
        op_row row = matrix;
        row.constructor = other[k].name;
        row.build = other[k].build;
        row.flags = other[k].flags | ROW_ASKS;
        add_row(t, row);
    }
}
