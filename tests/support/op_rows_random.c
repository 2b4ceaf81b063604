/* op_rows_random.c -- rows of tapir/ops/random.h. */
#include "op_rows.h"

static tp_tensor build_uniform(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_mul(x[0], tp_uniform(x[0].tape, tp_dtype_of(x[0]), TP_SHAPE(2, 3)));
}

static tp_tensor build_normal(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_mul(x[0], tp_normal(x[0].tape, tp_dtype_of(x[0]), TP_SHAPE(4, 2, 3)));
}

static tp_tensor build_bernoulli(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_mul(x[0], tp_bernoulli(x[0].tape, tp_dtype_of(x[0]), TP_SHAPE(5, 2, 3), 0.4));
}

static tp_tensor build_permutation(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_index_select(x[0], tp_permutation(x[0].tape, 3), 1);
}

static tp_tensor build_dropout(const tp_tensor *x, const op_row *row)
{
    return tp_dropout(x[0], row->correction * 0.5, true);
}

/* In evaluation it is x itself. */
static tp_tensor build_evaluation(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_add(x[0], tp_dropout(tp_square(x[0]), 0.5, false));
}

void add_random_rows(op_row_table *t)
{
    static const struct {
        const char *name, *variant;
        tp_tensor (*build)(const tp_tensor *, const op_row *);
        int half_probability;
        unsigned flags;
    } rows[] = {
        {"tp_uniform", NULL, build_uniform, 0, ROW_RANDOM | ROW_ASKS},
        {"tp_normal", NULL, build_normal, 0, ROW_RANDOM | ROW_ASKS},
        {"tp_bernoulli", NULL, build_bernoulli, 0, ROW_I32 | ROW_ASKS},
        {"tp_permutation", NULL, build_permutation, 0, ROW_I32},
        {"tp_dropout", "of nothing", build_dropout, 0, 0},
        {"tp_dropout", "of one half", build_dropout, 1, 0},
        {"tp_dropout", "of all", build_dropout, 2, 0},
        {"tp_dropout", "in evaluation", build_evaluation, 0, 0},
    };
    for (int k = 0; k < (int)(sizeof rows / sizeof *rows); k++)
        add_row(t, (op_row){.constructor = rows[k].name,
                            .variant = rows[k].variant,
                            .n = 1,
                            .shape = {{2, {2, 3}}},
                            .build = rows[k].build,
                            .correction = rows[k].half_probability,
                            .flags = rows[k].flags});
}
