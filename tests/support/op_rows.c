/* op_rows.c -- the table of rows, samples for their operands, operands in all forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "op_rows.h"

/* ---- The table --------------------------------------------------------------------------------------- */

void add_row(op_row_table *table, op_row row)
{
    assert_in_range((uintmax_t)table->n, 0, OP_ROWS_MAX - 1);
    if (row.low == 0 && row.high == 0)
        row.low = -2, row.high = 2;
    if (row.shape[0].rank == 0 && (row.flags & ROW_MAP))
        for (int k = 0; k < row.n; k++)
            row.shape[k] = TP_SHAPE(2, 3);
    table->row[table->n++] = row;
}

const op_row *op_rows(int *count)
{
    static op_row_table table;
    if (table.n == 0) {
        add_map_rows(&table);
        add_function_rows(&table);
        add_reduction_rows(&table);
        add_structure_rows(&table);
        add_indexing_rows(&table);
        add_ordering_rows(&table);
        add_arrange_rows(&table);
        add_random_rows(&table);
        add_linalg_rows(&table);
        add_mode_rows(&table);
        add_convolution_rows(&table);
        add_sequence_rows(&table);
    }
    *count = table.n;
    return table.row;
}

const char *row_name(const op_row *row, char text[128])
{
    int used = snprintf(text, 128, "%s", row->constructor);
    if (row->variant != NULL)
        used += snprintf(text + used, 128 - (size_t)used, " (%s)", row->variant);
    if (row->over != NULL) {
        used += snprintf(text + used, 128 - (size_t)used, " axes");
        for (int k = 0; k < row->axes.n && k < TP_MAX_RANK; k++)
            used += snprintf(text + used, 128 - (size_t)used, " %d", row->axes.axis[k]);
        snprintf(text + used, 128 - (size_t)used, row->keepdims ? " kept" : "");
    }
    return text;
}

bool row_has_value(const op_row *row)
{
    return row->value1 != NULL || row->value2 != NULL || row->value3 != NULL;
}

double row_value(const op_row *row, const double *x)
{
    if (row->value1 != NULL)
        return row->value1(x[0]);
    return row->value2 != NULL ? row->value2(x[0], x[1]) : row->value3(x[0], x[1], x[2]);
}

bool row_value_fits(const op_row *row, tp_dtype dtype, double got, double expected)
{
    const double unit = dtype == TP_F32 ? 0x1p-23 : 0x1p-52;
    if ((row->flags & ROW_ABSOLUTE) && fabs(expected) < 1)
        return fabs(got - expected) <= 4 * unit;
    return ulps_apart(dtype, got, expected) <= 4;
}

/* ---- Sampling ---------------------------------------------------------------------------------------- */

void start_sampler(sampler *s, const op_row *row, int64_t total, uint64_t seed)
{
    s->random = seeded(seed);
    s->row = row;
    s->total = total > 0 ? total : 1;
    s->drawn = 0;
    assert_in_range((uintmax_t)s->total, 1, sizeof s->order / sizeof *s->order);
    for (int64_t i = 0; i < s->total; i++) { /* a shuffle */
        const int64_t j = next_below(&s->random, i + 1);
        s->order[i] = s->order[j];
        s->order[j] = i;
    }
}

/* The middle part of one of `total` strata of equal width. */
static double draw(sampler *s)
{
    const double width = (s->row->high - s->row->low) / (double)s->total;
    const int64_t stratum = s->order[s->drawn++ % s->total];
    double x = s->row->low + width * ((double)stratum + next_between(&s->random, 0.3, 0.7));
    for (int k = 0; k < s->row->kinks; k++)
        if (fabs(x - s->row->kink[k]) < 0.02)
            x = s->row->kink[k] + (x < s->row->kink[k] ? -0.02 : 0.02);
    return as_f32(x);
}

void draw_values(sampler *s, double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = draw(s);
}

/* ---- Operands in all forms --------------------------------------------------------------------------- */

const char *form_name(operand_form form)
{
    static const char *const name[FORMS] = {"leaf",     "interior", "permuted",     "sliced",
                                            "expanded", "reshaped", "concatenated", "flipped"};
    return name[form];
}

tp_shape leaf_shape_for(operand_form form, tp_shape shape)
{
    tp_shape leaf = shape;
    for (int64_t d = 0; d < shape.rank; d++) {
        if (form == FORM_PERMUTED)
            leaf.dim[d] = shape.dim[shape.rank - 1 - d];
        else if (form == FORM_SLICED)
            leaf.dim[d] = 2 * shape.dim[d] + 1;
        else if (form == FORM_EXPANDED && d % 2 == 0)
            leaf.dim[d] = 1;
    }
    return form == FORM_RESHAPED ? TP_SHAPE(tp_shape_count(shape)) : leaf;
}

/* The x of x + 0.05 x^3 = y. */
static double solve_cubic(double y)
{
    double x = y;
    for (int i = 0; i < 50; i++)
        x -= (x + 0.05 * x * x * x - y) / (1 + 0.15 * x * x);
    return as_f32(x);
}

static tp_tensor permuted(tp_tensor leaf)
{
    tp_axes axes = {.n = (int)tp_shape_of(leaf).rank};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = axes.n - 1 - k;
    return tp_permute(leaf, axes);
}

static tp_tensor sliced(tp_tensor leaf)
{
    const int rank = (int)tp_shape_of(leaf).rank;
    for (int k = 0; k < rank; k++)
        leaf = tp_slice(leaf, k, 1, TP_END, 2);
    return leaf;
}

static tp_tensor concatenated(tp_tensor leaf)
{
    const tp_shape shape = tp_shape_of(leaf);
    if (shape.rank == 0)
        return tp_reshape(
            tp_slice(
                tp_concat((tp_tensor[]){tp_reshape(leaf, TP_SHAPE(1)), tp_reshape(leaf, TP_SHAPE(1))}, 2, 0),
                0, 0, 1, 1),
            TP_SHAPE_0D);
    return tp_slice(tp_concat((tp_tensor[]){leaf, leaf}, 2, -1), -1, 0, shape.dim[shape.rank - 1], 1);
}

static tp_tensor flipped(tp_tensor leaf)
{
    tp_axes axes = {.n = (int)tp_shape_of(leaf).rank};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = k;
    return tp_flip(leaf, axes);
}

static tp_tensor seen_as(operand_form form, tp_tensor leaf, tp_shape shape)
{
    switch (form) {
    case FORM_INTERIOR: return tp_add(leaf, tp_scale(tp_mul(leaf, tp_square(leaf)), 0.05));
    case FORM_PERMUTED: return permuted(leaf);
    case FORM_SLICED: return sliced(leaf);
    case FORM_EXPANDED: return tp_expand(leaf, shape);
    case FORM_RESHAPED: return tp_reshape(leaf, shape);
    case FORM_CONCATENATED: return concatenated(leaf);
    case FORM_FLIPPED: return flipped(leaf);
    case FORM_LEAF:
    case FORMS: break;
    }
    return leaf;
}

tp_tensor make_operand(tp_tape *tape, operand_form form, tp_dtype dtype, tp_shape shape, sampler *s,
                       bool constant, tp_tensor *leaf)
{
    const tp_shape own = leaf_shape_for(form, shape);
    const int64_t n = tp_shape_count(own);
    double values[VALUES_MAX];

    assert_in_range((uintmax_t)n, 0, VALUES_MAX);
    draw_values(s, values, n);
    for (int64_t i = 0; form == FORM_INTERIOR && i < n; i++)
        values[i] = solve_cubic(values[i]);
    *leaf = constant ? make_constant(tape, dtype, own, values) : make_leaf(tape, dtype, own, values);
    return seen_as(form, *leaf, shape);
}

/* ---- A row as a loss --------------------------------------------------------------------------------- */

tp_tensor loss_of(tp_tensor y, uint64_t seed)
{
    const int64_t n = tp_count_of(y);
    double weight[VALUES_MAX];
    generator g = seeded(seed);

    assert_in_range((uintmax_t)n, 0, VALUES_MAX);
    for (int64_t i = 0; i < n; i++)
        weight[i] = next_between(&g, 0.25, 1.5) * (next_chance(&g, 0.5) ? 1 : -1);
    const tp_tensor w = make_constant(y.tape, tp_dtype_of(y), tp_shape_of(y), weight);
    return tp_sum(tp_mul(y, tp_add(w, tp_scale(y, 0.5))));
}
