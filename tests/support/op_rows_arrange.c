/* op_rows_arrange.c -- rows of arrangements: squeeze, stack, split, tile, flip, roll, pad, diagonals, triangles. */
#include "op_rows.h"

/* Builders share a switch on row->correction, which numbers the variants. */

static tp_tensor build_squeeze(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_squeeze(tp_reshape(x[0], TP_SHAPE(2, 1, 3, 4, 1)), TP_AXES(1, -1));
    case 1: return tp_squeeze(x[0], (tp_axes){0});
    default: return tp_squeeze(tp_slice(x[0], 1, 1, 2, 1), TP_AXES(1));
    }
}

static tp_tensor build_unsqueeze(const tp_tensor *x, const op_row *row)
{
    static const int axis[] = {0, 2, -1};
    return tp_unsqueeze(x[0], axis[row->correction]);
}

static tp_tensor build_stack(const tp_tensor *x, const op_row *row)
{
    return tp_stack(x, row->n, row->correction);
}

/* More operands than fit without an allocation. */
static tp_tensor build_long_stack(const tp_tensor *x, const op_row *row)
{
    (void)row;
    const tp_tensor many[] = {x[0], x[1], x[0], x[1], x[1], x[0], x[0], x[1], x[0], x[1], x[0]};
    return tp_stack(many, (int)(sizeof many / sizeof *many), 1);
}

/* The pieces, each with a weight of its own, put together again. */
static tp_tensor build_split(const tp_tensor *x, const op_row *row)
{
    static const int64_t sizes[][4] = {{2, 0, 1, 1}, {1, 1, 1, 0}, {0, 2, 0, 0}};
    static const int axis[] = {2, -2, 0};
    tp_tensor piece[4];
    tp_split(x[0], axis[row->correction], sizes[row->correction], 4, piece);
    for (int k = 0; k < 4; k++)
        piece[k] = tp_mul(piece[k], tp_scalar(x[0].tape, k + 1));
    return tp_concat(piece, 4, axis[row->correction]);
}

static tp_tensor build_tile(const tp_tensor *x, const op_row *row)
{
    static const int64_t count[] = {2, 3, 1, 0};
    static const int axis[] = {0, -1, 1, 1};
    return tp_tile(x[0], axis[row->correction], count[row->correction]);
}

static tp_tensor build_repeat(const tp_tensor *x, const op_row *row)
{
    static const int64_t count[] = {2, 3, 1, 0};
    static const int axis[] = {0, -1, 1, 1};
    return tp_repeat(x[0], axis[row->correction], count[row->correction]);
}

static tp_tensor build_flip(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_flip(x[0], TP_AXES(1));
    case 1: return tp_flip(x[0], TP_AXES(0, -1));
    case 2: return tp_flip(tp_flip(x[0], TP_AXES(0, 2)), TP_AXES(1, 2));
    case 3: return tp_slice(tp_flip(x[0], TP_AXES(0, 1, 2)), 2, 1, TP_END, 2);
    case 4: return tp_reshape(tp_flip(tp_slice(x[0], 2, 0, 3, 2), TP_AXES(2)), TP_SHAPE(12));
    default: return tp_transpose(tp_flip(x[0], TP_AXES(2)), 0, 2);
    }
}

static tp_tensor build_roll(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_roll(x[0], 2, 1);
    case 1: return tp_roll(x[0], -2, -1);
    case 2: return tp_roll(x[0], 0, 7);
    case 3: return tp_roll(tp_roll(x[0], 2, 3), 2, 1);
    case 4: return tp_roll(tp_roll(x[0], 2, 3), 1, 1);
    default: return tp_roll(tp_slice(x[0], 1, 0, 0, 1), 1, 5);
    }
}

static tp_tensor build_pad(const tp_tensor *x, const op_row *row)
{
    const tp_pad_options constant = {TP_PAD_CONSTANT, 3}, reflect = {.mode = TP_PAD_REFLECT},
                         replicate = {.mode = TP_PAD_REPLICATE}, circular = {.mode = TP_PAD_CIRCULAR};
    switch (row->correction) {
    case 0: return tp_pad(x[0], -1, 1, 2, NULL);
    case 1: return tp_pad(tp_pad(x[0], 0, 1, 0, &constant), 0, 1, 1, &constant);
    case 2: return tp_pad(tp_pad(x[0], 0, 2, 1, &replicate), 1, 0, 3, &replicate);
    case 3: return tp_pad(tp_pad(tp_pad(x[0], 0, 1, 1, &reflect), 2, 3, 0, &reflect), 1, 1, 2, &reflect);
    case 4: return tp_pad(tp_pad(x[0], 1, 3, 3, &circular), 0, 1, 2, &circular);
    default: return tp_pad(tp_pad(x[0], 1, 2, 2, &reflect), 1, 4, 1, &reflect);
    }
}

static tp_tensor build_pad_nothing(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_pad(tp_pad(x[0], 1, 1, 2, NULL), 0, 0, 0, NULL);
}

static tp_tensor build_diagonal(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_diagonal(x[0], 0, 1, 2);
    case 1: return tp_diagonal(x[0], 1, 0, -1);
    case 2: return tp_diagonal(x[0], -1, 2, 1);
    case 3: return tp_diagonal(x[0], -3, 0, 1); /* nothing */
    case 4: return tp_diagonal(tp_slice(x[0], 2, 0, 4, 3), 0, -1, 0);
    default: return tp_diagonal(tp_flip(x[0], TP_AXES(2)), 2, 1, 2);
    }
}

static tp_tensor build_diagonal_embed(const tp_tensor *x, const op_row *row)
{
    static const int64_t offset[] = {0, 2, -1};
    return tp_diagonal_embed(x[0], offset[row->correction]);
}

static tp_tensor build_tril(const tp_tensor *x, const op_row *row)
{
    static const int64_t diagonal[] = {0, 1, -2, -INT64_MAX, INT64_MAX};
    return tp_tril(x[0], diagonal[row->correction]);
}

static tp_tensor build_triu(const tp_tensor *x, const op_row *row)
{
    static const int64_t diagonal[] = {0, 1, -2, -INT64_MAX, INT64_MAX};
    return tp_triu(x[0], diagonal[row->correction]);
}

/* ---- The rows ------------------------------------------------------------------------------------------ */

typedef tp_tensor builder(const tp_tensor *x, const op_row *row);

static void add_variants(op_row_table *t, const char *name, builder *build, int variants, unsigned flags)
{
    static const char *const number[] = {"1st", "2nd", "3rd", "4th", "5th", "6th"};
    for (int k = 0; k < variants; k++)
        add_row(t, (op_row){.constructor = name,
                            .variant = number[k],
                            .n = 1,
                            .build = build,
                            .correction = k,
                            .shape = {{3, {2, 3, 4}}},
                            .flags = ROW_I32 | flags});
}

static void add_stacks(op_row_table *t)
{
    static const tp_shape shape[] = {{0, {0}}, {2, {2, 3}}, {2, {2, 1}}, {2, {0, 2}}};
    static const int axis[] = {0, -1, 1, 1};
    for (int k = 0; k < 4; k++)
        add_row(t, (op_row){.constructor = "tp_stack",
                            .n = k == 0 ? 2 : 3,
                            .build = build_stack,
                            .correction = axis[k],
                            .shape = {shape[k], shape[k], shape[k]},
                            .flags = ROW_I32});
    add_row(t, (op_row){.constructor = "tp_stack",
                        .variant = "eleven operands",
                        .n = 2,
                        .build = build_long_stack,
                        .shape = {shape[1], shape[1]},
                        .flags = ROW_I32});
}

void add_arrange_rows(op_row_table *t)
{
    add_variants(t, "tp_squeeze", build_squeeze, 3, 0);
    add_variants(t, "tp_unsqueeze", build_unsqueeze, 3, 0);
    add_stacks(t);
    add_variants(t, "tp_split", build_split, 3, 0);
    add_variants(t, "tp_tile", build_tile, 4, 0);
    add_variants(t, "tp_repeat", build_repeat, 4, 0);
    add_variants(t, "tp_flip", build_flip, 6, 0);
    add_variants(t, "tp_roll", build_roll, 6, 0);
    add_variants(t, "tp_pad", build_pad, 6, 0);
    add_variants(t, "tp_pad", build_pad_nothing, 1, 0);
    add_variants(t, "tp_diagonal", build_diagonal, 6, 0);
    add_variants(t, "tp_diagonal_embed", build_diagonal_embed, 3, 0);
    add_variants(t, "tp_tril", build_tril, 5, 0);
    add_variants(t, "tp_triu", build_triu, 5, 0);
}
