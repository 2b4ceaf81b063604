/* test_golden_shape.c -- the golden cases ops_shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_ops.h"

static tp_shape shape_option(const golden_record *r, const char *key)
{
    tp_shape shape = {0};
    shape.rank = golden_integers(r->c, key, shape.dim, TP_MAX_RANK);
    return shape;
}

static tp_axes axes_option(const golden_record *r, const char *key)
{
    const tp_shape list = shape_option(r, key);
    tp_axes axes = {.n = (int)list.rank};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = (int)list.dim[k];
    return axes;
}

static int axis_option(const golden_record *r)
{
    return (int)golden_integer(r->c, "axis");
}

static void build_reshape(golden_record *r)
{
    r->out[0] = tp_reshape(r->x[0], shape_option(r, "shape"));
}

static void build_expand(golden_record *r)
{
    r->out[0] = tp_expand(r->x[0], shape_option(r, "shape"));
}

static void build_permute(golden_record *r)
{
    r->out[0] = tp_permute(r->x[0], axes_option(r, "perm"));
}

static void build_transpose(golden_record *r)
{
    const tp_axes axes = axes_option(r, "axes");
    r->out[0] = tp_transpose(r->x[0], axes.axis[0], axes.axis[1]);
}

static void build_slice(golden_record *r)
{
    const tp_shape start = shape_option(r, "start"), stop = shape_option(r, "stop"),
                   step = shape_option(r, "step");
    r->out[0] = r->x[0];
    for (int k = 0; k < (int)start.rank; k++)
        r->out[0] = tp_slice(r->out[0], k, start.dim[k], stop.dim[k], step.dim[k]);
}

static void build_concat(golden_record *r)
{
    r->out[0] = tp_concat(r->x, r->n, axis_option(r));
}

/* A new axis of size 1 in each, then joined along it. */
static void build_stack(golden_record *r)
{
    tp_tensor row[GOLDEN_MAX_TENSORS];
    const tp_shape own = tp_shape_of(r->x[0]);
    const int axis = axis_option(r) < 0 ? axis_option(r) + (int)own.rank + 1 : axis_option(r);
    tp_shape with = {.rank = own.rank + 1};

    for (int d = 0; d < (int)with.rank; d++)
        with.dim[d] = d == axis ? 1 : own.dim[d < axis ? d : d - 1];
    for (int k = 0; k < r->n; k++)
        row[k] = tp_reshape(r->x[k], with);
    r->out[0] = tp_concat(row, r->n, axis);
}

static void build_split(golden_record *r)
{
    const tp_shape sizes = shape_option(r, "sizes");
    int64_t at = 0;
    for (int k = 0; k < (int)sizes.rank; k++) {
        r->out[k] = tp_slice(r->x[0], axis_option(r), at, at + sizes.dim[k], 1);
        at += sizes.dim[k];
    }
}

/* Each axis in two: repetitions, then the axis itself. */
static void build_tile(golden_record *r)
{
    const tp_shape reps = shape_option(r, "reps"), own = tp_shape_of(r->x[0]);
    tp_shape with = {.rank = 2 * own.rank}, repeated = with, flat = own;
    for (int d = 0; d < (int)own.rank; d++) {
        with.dim[2 * d] = 1;
        repeated.dim[2 * d] = reps.dim[d];
        with.dim[2 * d + 1] = repeated.dim[2 * d + 1] = own.dim[d];
        flat.dim[d] = reps.dim[d] * own.dim[d];
    }
    r->out[0] = tp_reshape(tp_expand(tp_reshape(r->x[0], with), repeated), flat);
}

static void build_gather(golden_record *r)
{
    r->out[0] = tp_take_along_axis(r->x[0], golden_input(r, "index"), axis_option(r));
}

static void build_index_select(golden_record *r)
{
    r->out[0] = tp_index_select(r->x[0], golden_input(r, "index"), axis_option(r));
}

static void build_scatter_add(golden_record *r)
{
    r->out[0] = tp_scatter_add(r->x[0], golden_input(r, "index"), golden_input(r, "src"), axis_option(r));
}

/* Column minus row of the last two axes. */
static tp_tensor diagonal_number(tp_tensor x)
{
    const tp_shape s = tp_shape_of(x);
    const tp_tensor row = tp_iota(x.tape, TP_F64, s.dim[s.rank - 2]),
                    column = tp_iota(x.tape, TP_F64, s.dim[s.rank - 1]);
    return tp_sub(column, tp_reshape(row, TP_SHAPE(-1, 1)));
}

static void build_tril(golden_record *r)
{
    const tp_tensor x = r->x[0], k = tp_scalar(r->tape, golden_number(r->c, "k"));
    r->out[0] = tp_where(tp_less_equal(diagonal_number(x), k), x, tp_scalar(r->tape, 0));
}

static void build_triu(golden_record *r)
{
    const tp_tensor x = r->x[0], k = tp_scalar(r->tape, golden_number(r->c, "k"));
    r->out[0] = tp_where(tp_greater_equal(diagonal_number(x), k), x, tp_scalar(r->tape, 0));
}

static const golden_op ops[] = {
    {"reshape", .build = build_reshape},
    {"permute", .build = build_permute},
    {"transpose", .build = build_transpose},
    {"slice", .build = build_slice},
    {"concat", .build = build_concat},
    {"expand", .build = build_expand},
    {"gather", .build = build_gather},
    {"index_select", .build = build_index_select},
    {"scatter_add", .build = build_scatter_add},
    /* composed in this file */
    {"stack", .build = build_stack},
    {"split", .build = build_split},
    {"tile", .build = build_tile},
    {"tril", .build = build_tril},
    {"triu", .build = build_triu},
    /* not there yet */
    {.op = "pad"},
    {.op = "flip"},
    {.op = "roll"},
    {.op = "cumsum"},
    {.op = "cumprod"},
    {.op = "sort"},
    {.op = "topk"},
    {.op = "diagonal"},
};

static void test_shape(void **state)
{
    (void)state;
    golden_run_ops("ops_shape.txt", ops, (int)(sizeof ops / sizeof *ops), 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
