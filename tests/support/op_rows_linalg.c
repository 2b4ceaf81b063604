/* op_rows_linalg.c -- rows of linear algebra.  Matrices that are inverted or factorized are made well conditioned in the
 * row, whatever the operand.
 */
#include "op_rows.h"

/* c on the diagonal of the last two axes, which have n elements each. */
static tp_tensor identity(tp_tensor x, double c)
{
    const tp_shape s = tp_shape_of(x);
    if (!tp_is_valid(x))
        return x;
    const tp_tensor n = tp_iota(x.tape, tp_dtype_of(x), s.dim[s.rank - 1]);
    return tp_scale(tp_equal(tp_reshape(n, TP_SHAPE(-1, 1)), n), c);
}

/* Diagonally dominant for operands in [-1, 1] of up to 3 x 3. */
static tp_tensor shifted(tp_tensor x)
{
    return tp_add(x, identity(x, 4));
}

/* x x^T + 2 */
static tp_tensor gram(tp_tensor x)
{
    const tp_tensor y = tp_matmul(x, tp_transpose(x, -2, -1));
    return tp_add(y, identity(y, 2));
}

/* ---- Builders: `correction` chooses among variants --------------------------------------------------- */

static tp_tensor build_outer(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_outer(x[0], x[1]);
}

static tp_tensor build_trace(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_trace(x[0]);
}

/* The variant is the subscripts. */
static tp_tensor build_einsum(const tp_tensor *x, const op_row *row)
{
    return tp_einsum(row->variant, x, row->n);
}

static tp_tensor build_cholesky(const tp_tensor *x, const op_row *row)
{
    switch (row->correction) {
    case 0: return tp_cholesky(gram(x[0]), NULL);
    case 1: return tp_cholesky(gram(x[0]), &(tp_cholesky_options){.upper = true});
    default: return tp_cholesky(shifted(x[0]), NULL); /* not symmetric */
    }
}

/* Bits: upper, transpose, unit diagonal. */
static tp_tensor build_triangular_solve(const tp_tensor *x, const op_row *row)
{
    const tp_triangular_options options = {row->correction & 1, row->correction & 2, row->correction & 4};
    return tp_triangular_solve(shifted(x[0]), x[1], row->correction == 0 ? NULL : &options);
}

static tp_tensor build_solve(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_solve(shifted(x[0]), x[1]);
}

/* With rows in another order, so that there is something to swap. */
static tp_tensor build_pivoted_solve(const tp_tensor *x, const op_row *row)
{
    const tp_tensor a = shifted(x[0]);
    (void)row;
    return tp_solve(tp_concat((tp_tensor[]){tp_slice(a, -2, 1, TP_END, 1), tp_slice(a, -2, 0, 1, 1)}, 2, -2),
                    x[1]);
}

static tp_tensor build_inverse(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_inverse(shifted(x[0]));
}

static tp_tensor build_det(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_scale(tp_det(shifted(x[0])), 0.05);
}

static tp_tensor build_slogdet(const tp_tensor *x, const op_row *row)
{
    tp_tensor sign;
    (void)row;
    const tp_tensor value = tp_slogdet(tp_neg(shifted(x[0])), &sign);
    return tp_mul(sign, value);
}

/* ---- The rows ----------------------------------------------------------------------------------------- */

typedef tp_tensor (*builder)(const tp_tensor *x, const op_row *row);

static void add_matrix_row(op_row_table *t, const char *name, builder build, int variant, tp_shape a)
{
    add_row(t, (op_row){.constructor = name,
                        .n = 1,
                        .build = build,
                        .correction = variant,
                        .shape = {a},
                        .low = -1,
                        .high = 1,
                        .flags = ROW_ASKS});
}

static void add_solve_row(op_row_table *t, const char *name, builder build, int variant, tp_shape a,
                          tp_shape b)
{
    add_row(t, (op_row){.constructor = name,
                        .n = 2,
                        .build = build,
                        .correction = variant,
                        .shape = {a, b},
                        .low = -1,
                        .high = 1,
                        .flags = ROW_ASKS});
}

static void add_solves(op_row_table *t)
{
    static const tp_shape shape[][2] = {
        {{2, {3, 3}}, {2, {3, 2}}},       {{2, {2, 2}}, {1, {2}}},
        {{2, {1, 1}}, {2, {1, 3}}},       {{3, {2, 2, 2}}, {1, {2}}},
        {{3, {3, 2, 2}}, {2, {2, 1}}},    {{2, {2, 2}}, {3, {3, 2, 2}}},
        {{3, {2, 3, 3}}, {3, {2, 3, 1}}}, {{4, {2, 1, 2, 2}}, {3, {3, 2, 2}}},
        {{2, {0, 0}}, {2, {0, 2}}},       {{2, {2, 2}}, {2, {2, 0}}},
    };
    for (int k = 0; k < (int)(sizeof shape / sizeof *shape); k++) {
        add_solve_row(t, "tp_solve", build_solve, 0, shape[k][0], shape[k][1]);
        add_solve_row(t, "tp_triangular_solve", build_triangular_solve, k % 8, shape[k][0], shape[k][1]);
    }
    for (int k = 1; k < 8; k++)
        add_solve_row(t, "tp_triangular_solve", build_triangular_solve, k, shape[0][0], shape[0][1]);
    add_solve_row(t, "tp_solve", build_pivoted_solve, 0, shape[0][0], shape[0][1]);
    add_solve_row(t, "tp_solve", build_pivoted_solve, 0, shape[6][0], shape[6][1]);
}

static void add_one_matrix(op_row_table *t)
{
    static const tp_shape shape[] = {{2, {3, 3}},       {3, {2, 2, 2}}, {2, {1, 1}},
                                     {4, {2, 1, 2, 2}}, {2, {0, 0}},    {3, {0, 2, 2}}};
    for (int k = 0; k < (int)(sizeof shape / sizeof *shape); k++) {
        for (int variant = 0; variant < 3; variant++)
            add_matrix_row(t, "tp_cholesky", build_cholesky, variant, shape[k]);
        add_matrix_row(t, "tp_inverse", build_inverse, 0, shape[k]);
        add_matrix_row(t, "tp_det", build_det, 0, shape[k]);
        add_matrix_row(t, "tp_slogdet", build_slogdet, 0, shape[k]);
    }
    add_matrix_row(t, "tp_cholesky", build_cholesky, 0, TP_SHAPE(2, 3, 2));
    add_row(t, (op_row){"tp_trace", .n = 1, .build = build_trace, .shape = {{2, {3, 3}}}, .flags = ROW_I32});
    add_row(t,
            (op_row){"tp_trace", .n = 1, .build = build_trace, .shape = {{3, {2, 3, 4}}}, .flags = ROW_I32});
    add_row(t,
            (op_row){"tp_trace", .n = 1, .build = build_trace, .shape = {{3, {2, 3, 1}}}, .flags = ROW_I32});
    add_row(t, (op_row){"tp_trace", .n = 1, .build = build_trace, .shape = {{2, {0, 3}}}, .flags = ROW_I32});
}

static void add_products(op_row_table *t)
{
    static const op_row rows[] = {
        {"tp_einsum", "ij,jk->ik", 2, .shape = {{2, {2, 3}}, {2, {3, 4}}}},
        {"tp_einsum", "ij,jk->ki", 2, .shape = {{2, {2, 3}}, {2, {3, 4}}}},
        {"tp_einsum", "ji , kj", 2, .shape = {{2, {2, 3}}, {2, {4, 2}}}},
        {"tp_einsum", "bij,bjk->bik", 2, .shape = {{3, {2, 2, 3}}, {3, {2, 3, 2}}}},
        {"tp_einsum", "ibj,kjb->kbi", 2, .shape = {{3, {2, 2, 3}}, {3, {2, 3, 2}}}},
        {"tp_einsum", "ijk,jkl->il", 2, .shape = {{3, {2, 2, 3}}, {3, {2, 3, 2}}}},
        {"tp_einsum", "ij,j->i", 2, .shape = {{2, {2, 3}}, {1, {3}}}},
        {"tp_einsum", "i,ij", 2, .shape = {{1, {2}}, {2, {2, 3}}}},
        {"tp_einsum", "i,i->", 2, .shape = {{1, {4}}, {1, {4}}}},
        {"tp_einsum", "i,j->ji", 2, .shape = {{1, {2}}, {1, {3}}}},
        {"tp_einsum", "ij,ji->j", 2, .shape = {{2, {2, 3}}, {2, {3, 2}}}},
        {"tp_einsum", "ij,i->ij", 2, .shape = {{2, {2, 3}}, {1, {2}}}},
        {"tp_einsum", "ii", 1, .shape = {{2, {3, 3}}}},
        {"tp_einsum", "ii->i", 1, .shape = {{2, {3, 3}}}},
        {"tp_einsum", "iji->ji", 1, .shape = {{3, {2, 3, 2}}}},
        {"tp_einsum", "iijj->ji", 1, .shape = {{4, {2, 2, 3, 3}}}},
        {"tp_einsum", "iii->", 1, .shape = {{3, {2, 2, 2}}}},
        {"tp_einsum", "ijk->kj", 1, .shape = {{3, {2, 3, 2}}}},
        {"tp_einsum", "bA", 1, .shape = {{2, {2, 3}}}},
        {"tp_einsum", "ij,jk,kl->il", 3, .shape = {{2, {2, 3}}, {2, {3, 2}}, {2, {2, 2}}}},
        {"tp_einsum", "i,ij,j->", 3, .shape = {{1, {2}}, {2, {2, 3}}, {1, {3}}}},
        {"tp_einsum", "bi,ij,bj->b", 3, .shape = {{2, {2, 2}}, {2, {2, 3}}, {2, {2, 3}}}},
        {"tp_einsum", "...ij,...jk->...ik", 2, .shape = {{3, {2, 2, 3}}, {2, {3, 2}}}},
        {"tp_einsum", "...i,...i", 2, .shape = {{3, {2, 1, 3}}, {2, {2, 3}}}},
        {"tp_einsum", "i...j,j...->...i", 2, .shape = {{3, {2, 3, 2}}, {2, {2, 1}}}},
        {"tp_einsum", ",ij->ji", 2, .shape = {{0, {0}}, {2, {2, 3}}}},
        {"tp_einsum", "->", 1, .shape = {{0, {0}}}},
        {"tp_einsum", "ij,jk->ik", 2, .shape = {{2, {2, 0}}, {2, {0, 3}}}},
        {"tp_einsum", "ij,jk->k", 2, .shape = {{2, {2, 3}}, {2, {3, 2}}}},
    };
    for (int k = 0; k < (int)(sizeof rows / sizeof *rows); k++) {
        op_row row = rows[k];
        row.build = build_einsum;
        add_row(t, row);
    }
    add_row(t, (op_row){"tp_outer", .n = 2, .build = build_outer, .shape = {{1, {3}}, {1, {4}}},
                        .flags = ROW_I32});
    add_row(t, (op_row){"tp_outer", .n = 2, .build = build_outer, .shape = {{1, {3}}, {1, {3}}},
                        .flags = ROW_I32});
    add_row(t, (op_row){"tp_outer", .n = 2, .build = build_outer, .shape = {{1, {0}}, {1, {1}}},
                        .flags = ROW_I32});
}

void add_linalg_rows(op_row_table *t)
{
    add_products(t);
    add_one_matrix(t);
    add_solves(t);
}
