/* op_rows_reductions.c -- rows of the reductions and of what is composed of them, over many sets of axes. */
#include <math.h>

#include "op_rows.h"

static tp_tensor build_all(const tp_tensor *x, const op_row *row)
{
    return row->unary(x[0]);
}

static tp_tensor build_over(const tp_tensor *x, const op_row *row)
{
    return row->over(x[0], row->axes, row->keepdims);
}

static tp_tensor build_along(const tp_tensor *x, const op_row *row)
{
    return row->along(x[0], row->axes.axis[0]);
}

static tp_tensor build_var(const tp_tensor *x, const op_row *row)
{
    return tp_var(x[0], row->correction);
}

static tp_tensor var_over_0(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_var_over(x, axes, 0, keepdims);
}

static tp_tensor var_over_1(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_var_over(x, axes, 1, keepdims);
}

static tp_tensor build_std(const tp_tensor *x, const op_row *row)
{
    return tp_std(x[0], row->correction);
}

static tp_tensor std_over_0(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_std_over(x, axes, 0, keepdims);
}

static tp_tensor std_over_1(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_std_over(x, axes, 1, keepdims);
}

static tp_tensor norm_1(tp_tensor x)
{
    return tp_vector_norm(x, 1);
}

static tp_tensor norm_2(tp_tensor x)
{
    return tp_vector_norm(x, 2);
}

static tp_tensor norm_infinity(tp_tensor x)
{
    return tp_vector_norm(x, HUGE_VAL);
}

static tp_tensor norm_1_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_vector_norm_over(x, axes, 1, keepdims);
}

static tp_tensor norm_2_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_vector_norm_over(x, axes, 2, keepdims);
}

static tp_tensor norm_infinity_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_vector_norm_over(x, axes, HUGE_VAL, keepdims);
}

static tp_tensor third(tp_tensor x)
{
    return tp_quantile(x, 0.3);
}

static tp_tensor third_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_quantile_over(x, axes, 0.3, keepdims);
}

static tp_tensor whole_quantile_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_quantile_over(x, axes, 1, keepdims);
}

static tp_tensor build_sum_to(const tp_tensor *x, const op_row *row)
{
    static const tp_shape target[] = {{2, {3, 1}},    {1, {4}},    {0, {0}},
                                      {3, {2, 3, 4}}, {2, {1, 4}}, {3, {2, 1, 1}}};
    return tp_sum_to(x[0], target[row->correction]);
}

/* Whole numbers, some of them 0, of the elements' own dtype. */
static tp_tensor any_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_mul(tp_any_over(x, axes, keepdims), tp_sum_over(x, axes, keepdims));
}

static tp_tensor all_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return tp_add(tp_all_over(x, axes, keepdims), tp_sum_over(x, axes, keepdims));
}

static tp_tensor any_times(tp_tensor x)
{
    return tp_mul(tp_any(x), tp_sum(x));
}

static tp_tensor all_plus(tp_tensor x)
{
    return tp_add(tp_all(x), tp_sum(x));
}

static const tp_shape cube = {3, {2, 3, 4}};

static void add_all(op_row_table *t, const char *name, tp_tensor (*unary)(tp_tensor), unsigned flags)
{
    static const tp_shape shape[] = {{3, {2, 3, 4}}, {1, {7}}, {0, {0}}, {2, {1, 1}}};
    for (int k = 0; k < (int)(sizeof shape / sizeof *shape); k++)
        add_row(t, (op_row){.constructor = name,
                            .n = 1,
                            .build = build_all,
                            .unary = unary,
                            .shape = {shape[k]},
                            .low = 0.25,
                            .high = 2,
                            .flags = flags});
}

static void add_over(op_row_table *t, const char *name, const char *variant,
                     tp_tensor (*over)(tp_tensor, tp_axes, bool), unsigned flags)
{
    static const tp_axes axes[] = {{0, {0}}, {1, {0}}, {1, {-2}}, {2, {2, 0}}, {3, {0, 1, 2}}};
    /* one element is too few, or has no spread, where the root has no slope */
    const bool needs_spread =
        over == var_over_1 || over == std_over_0 || over == std_over_1; /* one element is too few */
    for (int k = needs_spread ? 1 : 0; k < (int)(sizeof axes / sizeof *axes); k++)
        for (int keep = 0; keep < 2; keep++)
            add_row(t, (op_row){.constructor = name,
                                .variant = variant,
                                .n = 1,
                                .build = build_over,
                                .over = over,
                                .axes = axes[k],
                                .keepdims = keep,
                                .shape = {cube},
                                .low = -1.5,
                                .high = 2,
                                .kinks = 1,
                                .flags = flags});
}

static void add_along(op_row_table *t, const char *name, tp_tensor (*along)(tp_tensor, int))
{
    for (int axis = -1; axis < 3; axis++)
        add_row(t, (op_row){.constructor = name,
                            .variant = axis < 0    ? "last axis"
                                       : axis == 0 ? "first axis"
                                                   : NULL,
                            .n = 1,
                            .build = build_along,
                            .along = along,
                            .axes = {1, {axis}},
                            .shape = {cube}});
}

static void add_variances(op_row_table *t)
{
    for (int correction = 0; correction < 2; correction++)
        add_row(t, (op_row){.constructor = "tp_var",
                            .variant = correction ? "sample" : "population",
                            .n = 1,
                            .build = build_var,
                            .correction = correction,
                            .shape = {cube}});
    add_over(t, "tp_var_over", "population", var_over_0, 0);
    add_over(t, "tp_var_over", "sample", var_over_1, 0);
    for (int correction = 0; correction < 2; correction++)
        add_row(t, (op_row){.constructor = "tp_std",
                            .variant = correction ? "sample" : "population",
                            .n = 1,
                            .build = build_std,
                            .correction = correction,
                            .shape = {cube}});
    add_over(t, "tp_std_over", "population", std_over_0, 0);
    add_over(t, "tp_std_over", "sample", std_over_1, 0);
}

static void add_norms(op_row_table *t)
{
    add_all(t, "tp_norm", tp_norm, 0);
    add_all(t, "tp_vector_norm", norm_1, 0);
    add_all(t, "tp_vector_norm", norm_2, 0);
    add_all(t, "tp_vector_norm", norm_infinity, 0);
    add_over(t, "tp_norm_over", NULL, tp_norm_over, 0);
    add_over(t, "tp_vector_norm_over", "order 1", norm_1_over, 0);
    add_over(t, "tp_vector_norm_over", "order 2", norm_2_over, 0);
    add_over(t, "tp_vector_norm_over", "order infinity", norm_infinity_over, 0);
}

/* Over wide ranges, so that steps of differences change no order. */
static void add_quantiles(op_row_table *t)
{
    const int first = t->n;
    add_all(t, "tp_median", tp_median, 0);
    add_all(t, "tp_quantile", third, 0);
    add_over(t, "tp_median_over", NULL, tp_median_over, 0);
    add_over(t, "tp_quantile_over", "q 0.3", third_over, 0);
    add_over(t, "tp_quantile_over", "q 1", whole_quantile_over, 0);
    for (int r = first; r < t->n; r++) {
        t->row[r].low = -16;
        t->row[r].high = 16;
    }
}

void add_reduction_rows(op_row_table *t)
{
    add_all(t, "tp_sum", tp_sum, ROW_I32);
    add_all(t, "tp_prod", tp_prod, ROW_I32);
    add_all(t, "tp_max", tp_max, ROW_I32);
    add_all(t, "tp_min", tp_min, ROW_I32);
    add_all(t, "tp_mean", tp_mean, 0);
    add_all(t, "tp_any", any_times, ROW_I32);
    add_all(t, "tp_all", all_plus, ROW_I32);
    add_all(t, "tp_logsumexp", tp_logsumexp, 0);
    add_over(t, "tp_sum_over", NULL, tp_sum_over, ROW_I32);
    add_over(t, "tp_prod_over", NULL, tp_prod_over, ROW_I32);
    add_over(t, "tp_max_over", NULL, tp_max_over, ROW_I32);
    add_over(t, "tp_min_over", NULL, tp_min_over, ROW_I32);
    add_over(t, "tp_mean_over", NULL, tp_mean_over, 0);
    add_over(t, "tp_any_over", NULL, any_over, ROW_I32);
    add_over(t, "tp_all_over", NULL, all_over, ROW_I32);
    add_norms(t);
    add_over(t, "tp_logsumexp_over", NULL, tp_logsumexp_over, 0);
    add_variances(t);
    add_quantiles(t);
    add_along(t, "tp_softmax", tp_softmax);
    add_along(t, "tp_log_softmax", tp_log_softmax);
    for (int target = 0; target < 6; target++)
        add_row(t, (op_row){.constructor = "tp_sum_to",
                            .n = 1,
                            .build = build_sum_to,
                            .correction = target,
                            .shape = {cube},
                            .flags = ROW_I32});
}
