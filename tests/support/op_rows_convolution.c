/* op_rows_convolution.c -- rows of convolutions, pooling, resampling and batch normalization. */
#include "op_rows.h"

/* ---- Convolutions: `correction` chooses among options ------------------------------------------------- */

static const tp_convolution_options convolutions[] = {
    {0},
    {.stride = {2, 2}},
    {.stride = {1, 2}, .padding = {1, 1}},
    {.padding = {2, 0}, .dilation = {2, 1}},
    {.groups = 2},
    {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2},
    {.stride = {3, 2}, .padding = {1, 0}},
    {.stride = {2, 2}, .output_padding = {1, 0}},
};

static tp_tensor build_conv2d(const tp_tensor *x, const op_row *row)
{
    return tp_conv2d(x[0], x[1], row->n > 2 ? x[2] : (tp_tensor){0}, &convolutions[row->correction]);
}

static tp_tensor build_conv1d(const tp_tensor *x, const op_row *row)
{
    return tp_conv1d(x[0], x[1], row->n > 2 ? x[2] : (tp_tensor){0}, &convolutions[row->correction]);
}

static tp_tensor build_transpose(const tp_tensor *x, const op_row *row)
{
    return tp_conv_transpose2d(x[0], x[1], row->n > 2 ? x[2] : (tp_tensor){0},
                               &convolutions[row->correction]);
}

typedef tp_tensor (*builder)(const tp_tensor *x, const op_row *row);

typedef struct convolution_row {
    int options;
    tp_shape x, weight;
    int64_t bias; /* 0: none */
} convolution_row;

static void add_convolutions(op_row_table *t, const char *name, builder build, const convolution_row *rows,
                             int n)
{
    for (int k = 0; k < n; k++)
        add_row(t, (op_row){.constructor = name,
                            .n = rows[k].bias > 0 ? 3 : 2,
                            .build = build,
                            .correction = rows[k].options,
                            .shape = {rows[k].x, rows[k].weight, {1, {rows[k].bias}}},
                            /* that a bias may be absent is no error */
                            .flags = rows[k].bias > 0 ? ROW_ASKS : 0});
}

static void add_all_convolutions(op_row_table *t)
{
    static const convolution_row plain[] = {
        {0, {4, {1, 1, 3, 3}}, {4, {1, 1, 2, 2}}, 0}, {0, {4, {2, 1, 2, 3}}, {4, {2, 1, 1, 1}}, 2},
        {1, {4, {1, 2, 4, 3}}, {4, {1, 2, 2, 1}}, 0}, {2, {4, {1, 1, 3, 4}}, {4, {2, 1, 3, 2}}, 2},
        {3, {4, {1, 1, 3, 3}}, {4, {1, 1, 2, 3}}, 0}, {4, {4, {1, 2, 2, 2}}, {4, {4, 1, 1, 2}}, 0},
        {5, {4, {1, 2, 3, 3}}, {4, {2, 1, 2, 3}}, 0}, {6, {4, {1, 1, 5, 4}}, {4, {1, 1, 2, 1}}, 1},
        {2, {4, {1, 1, 1, 1}}, {4, {1, 1, 2, 2}}, 0}, /* windows that lie in the padding but for a corner */
        {0, {4, {0, 1, 3, 3}}, {4, {1, 1, 2, 2}}, 0}, {0, {4, {1, 0, 3, 3}}, {4, {2, 0, 2, 2}}, 2},
        {0, {4, {1, 2, 3, 3}}, {4, {0, 2, 2, 2}}, 0},
    };
    static const convolution_row lines[] = {
        {0, {3, {1, 1, 4}}, {3, {2, 1, 2}}, 2},
        {1, {3, {2, 1, 5}}, {3, {1, 1, 2}}, 0},
        {3, {3, {1, 2, 3}}, {3, {1, 2, 3}}, 0},
        {4, {3, {1, 2, 3}}, {3, {2, 1, 2}}, 0},
    };
    static const convolution_row transposed[] = {
        {0, {4, {1, 1, 2, 2}}, {4, {1, 1, 2, 2}}, 0}, {0, {4, {2, 2, 1, 2}}, {4, {2, 1, 1, 1}}, 1},
        {1, {4, {1, 1, 2, 2}}, {4, {1, 2, 3, 2}}, 2}, {2, {4, {1, 1, 2, 3}}, {4, {1, 1, 3, 2}}, 0},
        {3, {4, {1, 1, 4, 2}}, {4, {1, 1, 2, 2}}, 0}, {4, {4, {1, 2, 2, 2}}, {4, {2, 2, 1, 2}}, 0},
        {7, {4, {1, 1, 2, 2}}, {4, {1, 1, 2, 2}}, 0}, {0, {4, {0, 1, 2, 2}}, {4, {1, 1, 2, 2}}, 0},
    };
    add_convolutions(t, "tp_conv2d", build_conv2d, plain, sizeof plain / sizeof *plain);
    add_convolutions(t, "tp_conv1d", build_conv1d, lines, sizeof lines / sizeof *lines);
    add_convolutions(t, "tp_conv_transpose2d", build_transpose, transposed,
                     sizeof transposed / sizeof *transposed);
}

/* ---- Pooling ------------------------------------------------------------------------------------------- */

static const struct pooling {
    int64_t window[2];
    tp_pooling_options options;
} poolings[] = {
    {{2, 2}, {0}},
    {{3, 2}, {.stride = {1, 1}, .padding = {1, 0}}},
    {{2, 2}, {.stride = {2, 2}, .ceil_mode = true}},
    {{2, 3}, {.stride = {1, 2}, .padding = {1, 1}, .ceil_mode = true, .only_true_elements = true}},
    {{1, 1}, {.stride = {2, 3}}},
    {{2, 2}, {.stride = {1, 1}, .dilation = {1, 2}}}, /* the last: of max_pool2d alone */
};

static tp_tensor build_max_pool(const tp_tensor *x, const op_row *row)
{
    const struct pooling *p = &poolings[row->correction];
    return tp_max_pool2d(x[0], p->window[0], p->window[1], &p->options);
}

static tp_tensor build_avg_pool(const tp_tensor *x, const op_row *row)
{
    const struct pooling *p = &poolings[row->correction];
    return tp_avg_pool2d(x[0], p->window[0], p->window[1], &p->options);
}

/* Where an operand repeats an element its maximum is a tie: differences would see a kink.  So what is pooled are numbers far
 * apart, 0, -1, 2, -3, ..., and the operand moves them a little. */
static tp_tensor build_distinct_max_pool(const tp_tensor *x, const op_row *row)
{
    const tp_shape s = tp_shape_of(x[0]);
    if (!tp_is_valid(x[0]))
        return tp_max_pool2d(x[0], 2, 2, NULL);
    const tp_tensor n = tp_iota(x[0].tape, tp_dtype_of(x[0]), tp_shape_count(s));
    const tp_tensor apart = tp_mul(n, tp_cos(tp_scale(n, 3.14159265358979)));
    return build_max_pool((tp_tensor[]){tp_add(tp_scale(x[0], 0.1), tp_reshape(tp_scale(apart, 0.5), s))},
                          row);
}

static void add_poolings(op_row_table *t)
{
    static const tp_shape shape[] = {{4, {1, 2, 4, 4}}, {4, {2, 1, 3, 4}}, {4, {1, 1, 3, 5}},
                                     {4, {1, 1, 4, 3}}, {4, {1, 2, 3, 4}}, {4, {1, 1, 3, 4}},
                                     {4, {0, 2, 2, 2}}};
    for (int k = 0; k < 7; k++) {
        op_row row = {.constructor = "tp_max_pool2d",
                      .n = 1,
                      .build = build_distinct_max_pool,
                      .shape = {shape[k]},
                      .correction = k % 6,
                      .flags = ROW_ASKS};
        add_row(t, row);
        if (k % 6 == 5)
            continue;
        row.constructor = "tp_avg_pool2d";
        row.build = build_avg_pool;
        row.flags = 0;
        add_row(t, row);
    }
}

/* ---- Other sizes --------------------------------------------------------------------------------------- */

static tp_tensor build_nearest(const tp_tensor *x, const op_row *row)
{
    return tp_upsample_nearest(x[0], row->correction, 3);
}

static tp_tensor build_bilinear(const tp_tensor *x, const op_row *row)
{
    return tp_upsample_bilinear(x[0], row->correction, 3, NULL);
}

static tp_tensor build_aligned(const tp_tensor *x, const op_row *row)
{
    return tp_upsample_bilinear(x[0], row->correction, 3, &(tp_bilinear_options){.align_corners = true});
}

static void add_sizes(op_row_table *t)
{
    static const tp_shape shape[] = {
        {4, {1, 1, 2, 2}}, {4, {2, 1, 3, 3}}, {4, {1, 2, 1, 1}}, {4, {1, 1, 5, 4}}, {4, {0, 1, 2, 2}}};
    static const int height[] = {5, 3, 2, 1, 4};
    for (int k = 0; k < 5; k++) {
        op_row row = {.n = 1, .shape = {shape[k]}, .correction = height[k]};
        row.constructor = "tp_upsample_nearest", row.build = build_nearest;
        add_row(t, row);
        row.constructor = "tp_upsample_bilinear", row.build = build_bilinear;
        add_row(t, row);
        row.variant = "aligned corners", row.build = build_aligned;
        add_row(t, row);
    }
}

/* ---- Batch normalization --------------------------------------------------------------------------------- */

static tp_tensor build_batch_norm(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_batch_norm(x[0], &(tp_batch_norm_options){.weight = x[1], .bias = x[2], .epsilon = {true, 0.5}},
                         NULL);
}

static tp_tensor build_plain_batch_norm(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_batch_norm(x[0], &(tp_batch_norm_options){.epsilon = {true, 0.5}}, NULL);
}

static void add_batch_norms(op_row_table *t)
{
    static const tp_shape shape[] = {{4, {2, 2, 1, 2}}, {2, {4, 2}}, {3, {2, 1, 3}}, {3, {2, 0, 3}}};
    for (int k = 0; k < 4; k++) {
        add_row(t, (op_row){.constructor = "tp_batch_norm",
                            .variant = "weight and bias",
                            .n = 3,
                            .build = build_batch_norm,
                            .shape = {shape[k], {1, {shape[k].dim[1]}}, {1, {shape[k].dim[1]}}},
                            .flags = ROW_ASKS});
        add_row(t, (op_row){.constructor = "tp_batch_norm",
                            .n = 1,
                            .build = build_plain_batch_norm,
                            .shape = {shape[k]}});
    }
}

void add_convolution_rows(op_row_table *t)
{
    add_all_convolutions(t);
    add_poolings(t);
    add_sizes(t);
    add_batch_norms(t);
}
