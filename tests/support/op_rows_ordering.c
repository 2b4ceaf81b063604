/* op_rows_ordering.c -- rows of what compares elements with each other, and of running sums and products. */
#include "op_rows.h"

enum { WIDE = 16 }; /* where elements may lie, so that steps of differences change no order */

static const tp_shape cube = {3, {2, 3, 4}};

/* A position has no gradient: it weights the element that it is of. */
static tp_tensor weighted(tp_tensor position, tp_tensor x)
{
    return tp_mul(tp_add(tp_cast(position, tp_dtype_of(x)), tp_scalar(x.tape, 1)), x);
}

static tp_tensor argmax_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_tensor position = tp_argmax_over(x, axes, keepdims);
    return weighted(position, tp_max_over(x, axes, keepdims));
}

static tp_tensor argmin_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_tensor position = tp_argmin_over(x, axes, keepdims);
    return weighted(position, tp_min_over(x, axes, keepdims));
}

static tp_tensor build_over(const tp_tensor *x, const op_row *row)
{
    return row->over(x[0], row->axes, row->keepdims);
}

static tp_tensor build_all(const tp_tensor *x, const op_row *row)
{
    return row->unary(x[0]);
}

static tp_tensor argmax_all(tp_tensor x)
{
    return weighted(tp_argmax(x), tp_max(x));
}

static tp_tensor argmin_all(tp_tensor x)
{
    return weighted(tp_argmin(x), tp_min(x));
}

static void add_over(op_row_table *t, const char *name, tp_tensor (*over)(tp_tensor, tp_axes, bool))
{
    static const tp_axes axes[] = {{0, {0}}, {1, {0}}, {1, {-2}}, {2, {2, 0}}, {3, {0, 1, 2}}};
    for (int k = 0; k < (int)(sizeof axes / sizeof *axes); k++)
        for (int keep = 0; keep < 2; keep++)
            add_row(t, (op_row){.constructor = name,
                                .n = 1,
                                .build = build_over,
                                .over = over,
                                .axes = axes[k],
                                .keepdims = keep,
                                .shape = {cube},
                                .flags = ROW_I32 | ROW_ASKS});
}

static void add_all(op_row_table *t, const char *name, tp_tensor (*unary)(tp_tensor))
{
    static const tp_shape shape[] = {{3, {2, 3, 4}}, {1, {7}}, {0, {0}}, {2, {1, 1}}};
    for (int k = 0; k < (int)(sizeof shape / sizeof *shape); k++)
        add_row(t, (op_row){.constructor = name,
                            .n = 1,
                            .build = build_all,
                            .unary = unary,
                            .shape = {shape[k]},
                            .flags = ROW_I32 | ROW_ASKS});
}

static tp_tensor build_along(const tp_tensor *x, const op_row *row)
{
    return row->along(x[0], row->axes.axis[0]);
}

/* The gradient of the gradient is a recurrence that runs forward. */
static tp_tensor cumprod_twice(tp_tensor x, int axis)
{
    return tp_cumprod(tp_cumprod(x, axis), -1);
}

static void add_along(op_row_table *t, const char *name, const char *variant,
                      tp_tensor (*along)(tp_tensor, int), double range, unsigned flags)
{
    static const tp_shape shape[] = {{3, {2, 3, 4}}, {3, {5, 1, 2}}, {3, {2, 0, 3}}};
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (int axis = -1; axis < 2; axis++)
            add_row(t, (op_row){.constructor = name,
                                .variant = variant,
                                .n = 1,
                                .build = build_along,
                                .along = along,
                                .axes = {1, {axis}},
                                .shape = {shape[k]},
                                .low = -range,
                                .high = range,
                                .flags = flags});
}

static tp_tensor sort_ascending(tp_tensor x, int axis)
{
    return tp_sort(x, axis, false);
}

static tp_tensor sort_descending(tp_tensor x, int axis)
{
    return tp_sort(x, axis, true);
}

static tp_tensor argsort_ascending(tp_tensor x, int axis)
{
    return weighted(tp_argsort(x, axis, false), x);
}

static tp_tensor argsort_descending(tp_tensor x, int axis)
{
    return weighted(tp_argsort(x, axis, true), x);
}

static tp_tensor two_largest(tp_tensor x, int axis)
{
    return tp_topk(x, 2, axis, true);
}

static tp_tensor smallest(tp_tensor x, int axis)
{
    return tp_topk(x, 1, axis, false);
}

static tp_tensor two_largest_positions(tp_tensor x, int axis)
{
    const tp_tensor positions = tp_argtopk(x, 2, axis, true);
    return weighted(positions, tp_take_along_axis(x, positions, axis));
}

static tp_tensor no_positions(tp_tensor x, int axis)
{
    const tp_tensor positions = tp_argtopk(x, 0, axis, false);
    return weighted(positions, tp_take_along_axis(x, positions, axis));
}

static void add_order_along(op_row_table *t, const char *name, const char *variant,
                            tp_tensor (*along)(tp_tensor, int), unsigned flags)
{
    for (int axis = -1; axis < 2; axis++)
        add_row(t, (op_row){.constructor = name,
                            .variant = variant,
                            .n = 1,
                            .build = build_along,
                            .along = along,
                            .axes = {1, {axis}},
                            .shape = {cube},
                            .low = -WIDE,
                            .high = WIDE,
                            .flags = ROW_I32 | flags});
}

void add_ordering_rows(op_row_table *t)
{
    add_all(t, "tp_argmax", argmax_all);
    add_all(t, "tp_argmin", argmin_all);
    add_over(t, "tp_argmax_over", argmax_over);
    add_over(t, "tp_argmin_over", argmin_over);
    add_along(t, "tp_cumsum", NULL, tp_cumsum, 2, ROW_I32);
    add_along(t, "tp_cumprod", NULL, tp_cumprod, 2, ROW_I32);
    add_along(t, "tp_cumprod", "of a cumprod", cumprod_twice, 2, 0);
    add_along(t, "tp_sort", "ascending", sort_ascending, WIDE, ROW_I32);
    add_along(t, "tp_sort", "descending", sort_descending, WIDE, ROW_I32);
    add_along(t, "tp_argsort", "ascending", argsort_ascending, WIDE, ROW_I32 | ROW_ASKS);
    add_along(t, "tp_argsort", "descending", argsort_descending, WIDE, ROW_I32 | ROW_ASKS);
    add_order_along(t, "tp_topk", "two largest", two_largest, 0);
    add_order_along(t, "tp_topk", "smallest", smallest, 0);
    add_order_along(t, "tp_argtopk", "two largest", two_largest_positions, ROW_ASKS);
    add_order_along(t, "tp_argtopk", "none", no_positions, ROW_ASKS);
}
