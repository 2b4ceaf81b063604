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

static void build_stack(golden_record *r)
{
    r->out[0] = tp_stack(r->x, r->n, axis_option(r));
}

static void build_split(golden_record *r)
{
    const tp_shape sizes = shape_option(r, "sizes");
    assert_int_equal(tp_split(r->x[0], axis_option(r), sizes.dim, (int)sizes.rank, r->out), TP_OK);
}

static void build_tile(golden_record *r)
{
    const tp_shape reps = shape_option(r, "reps");
    r->out[0] = r->x[0];
    for (int k = 0; k < (int)reps.rank; k++)
        r->out[0] = tp_tile(r->out[0], k, reps.dim[k]);
}

static void build_pad(golden_record *r)
{
    static const char *const mode[] = {"constant", "reflect", "replicate", "circular"};
    const tp_shape before = shape_option(r, "before"), after = shape_option(r, "after");
    tp_pad_options options = {.value = golden_number(r->c, "value")};
    for (int k = 0; k < 4; k++)
        if (golden_is(r->c, "mode", mode[k]))
            options.mode = (tp_pad_mode)k;
    r->out[0] = r->x[0];
    for (int k = 0; k < (int)before.rank; k++)
        r->out[0] = tp_pad(r->out[0], k, before.dim[k], after.dim[k], &options);
}

static void build_flip(golden_record *r)
{
    r->out[0] = tp_flip(r->x[0], axes_option(r, "axes"));
}

static void build_roll(golden_record *r)
{
    const tp_axes axes = axes_option(r, "axes");
    const tp_shape shifts = shape_option(r, "shifts");
    r->out[0] = r->x[0];
    for (int k = 0; k < axes.n; k++)
        r->out[0] = tp_roll(r->out[0], axes.axis[k], shifts.dim[k]);
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

static void build_tril(golden_record *r)
{
    r->out[0] = tp_tril(r->x[0], golden_integer(r->c, "k"));
}

static void build_triu(golden_record *r)
{
    r->out[0] = tp_triu(r->x[0], golden_integer(r->c, "k"));
}

static void build_diagonal(golden_record *r)
{
    r->out[0] = tp_diagonal(r->x[0], golden_integer(r->c, "offset"), (int)golden_integer(r->c, "axis1"),
                            (int)golden_integer(r->c, "axis2"));
}

static void build_cumsum(golden_record *r)
{
    r->out[0] = tp_cumsum(r->x[0], axis_option(r));
}

static void build_cumprod(golden_record *r)
{
    r->out[0] = tp_cumprod(r->x[0], axis_option(r));
}

static void build_sort(golden_record *r)
{
    const bool descending = golden_switch(r->c, "descending");
    r->out[0] = tp_sort(r->x[0], axis_option(r), descending);
    r->out[1] = tp_argsort(r->x[0], axis_option(r), descending);
}

static void build_topk(golden_record *r)
{
    const int64_t k = golden_integer(r->c, "k");
    const bool largest = golden_switch(r->c, "largest");
    r->out[0] = tp_topk(r->x[0], k, axis_option(r), largest);
    r->out[1] = tp_argtopk(r->x[0], k, axis_option(r), largest);
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
    {"cumsum", .build = build_cumsum},
    {"cumprod", .build = build_cumprod},
    {"stack", .build = build_stack},
    {"split", .build = build_split},
    {"tile", .build = build_tile},
    {"tril", .build = build_tril},
    {"triu", .build = build_triu},
    {"pad", .build = build_pad},
    {"flip", .build = build_flip},
    {"roll", .build = build_roll},
    {"diagonal", .build = build_diagonal},
    {"sort", .build = build_sort},
    {"topk", .build = build_topk},
};

static void test_shape(void **state)
{
    (void)state;
    golden_run_ops("ops_shape.txt", ops, (int)(sizeof ops / sizeof *ops), 82);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
