/* test_golden_layers.c -- the golden cases ops_nn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <string.h>

#include "golden_ops.h"

/* ---- ops_nn ------------------------------------------------------------------------------------------------ */

static void build_softmax(golden_record *r)
{
    r->out[0] = tp_softmax(r->x[0], (int)golden_integer(r->c, "axis"));
}

static void build_log_softmax(golden_record *r)
{
    r->out[0] = tp_log_softmax(r->x[0], (int)golden_integer(r->c, "axis"));
}

/* scale y + offset, each of them optional and of the given shape */
static tp_tensor affine(const golden_record *r, tp_tensor y, tp_shape shape)
{
    const tp_tensor weight = golden_input(r, "weight"), bias = golden_input(r, "bias");
    if (weight.tape != NULL)
        y = tp_mul(y, tp_reshape(weight, shape));
    return bias.tape != NULL ? tp_add(y, tp_reshape(bias, shape)) : y;
}

static void build_linear(golden_record *r)
{
    const tp_tensor bias = golden_input(r, "bias");
    r->out[0] = tp_matmul(golden_input(r, "x"), tp_transpose(golden_input(r, "weight"), 0, 1));
    if (bias.tape != NULL)
        r->out[0] = tp_add(r->out[0], bias);
}

/* (x - mean) / sqrt(variance + eps) */
static tp_tensor normalized(const golden_record *r, tp_tensor x, tp_tensor mean, tp_tensor variance)
{
    const tp_tensor eps = tp_scalar(r->tape, golden_number(r->c, "eps"));
    return tp_div(tp_sub(x, mean), tp_sqrt(tp_add(variance, eps)));
}

static tp_tensor normalized_over(const golden_record *r, tp_tensor x, tp_axes axes)
{
    return normalized(r, x, tp_mean_over(x, axes, true), tp_var_over(x, axes, 0, true));
}

static void build_layer_norm(golden_record *r)
{
    const tp_tensor x = golden_input(r, "x"), weight = golden_input(r, "weight");
    tp_axes axes = {.n = (int)golden_integer(r->c, "ndims")};
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] = -1 - k;
    r->out[0] = affine(r, normalized_over(r, x, axes), tp_shape_of(weight));
}

/* Size C along axis 1, 1 along the others. */
static tp_shape channel_shape(tp_shape x)
{
    tp_shape shape = x;
    for (int64_t d = 0; d < x.rank; d++)
        shape.dim[d] = d == 1 ? x.dim[d] : 1;
    return shape;
}

static void build_group_norm(golden_record *r)
{
    const tp_tensor x = golden_input(r, "x");
    const tp_shape shape = tp_shape_of(x);
    const tp_tensor blocks = tp_reshape(x, TP_SHAPE(shape.dim[0], golden_integer(r->c, "groups"), -1));
    const tp_tensor y = tp_reshape(normalized_over(r, blocks, TP_AXES(-1)), shape);
    r->out[0] = affine(r, y, channel_shape(shape));
}

/* A running statistic: a parameter that holds the file's values. */
static tp_tensor running(const golden_record *r, const char *name)
{
    const golden_block *block = golden_get(r->c, GOLDEN_IN, name);
    return tp_parameter(r->tape, TP_F64, TP_SHAPE(block->count), block->f64);
}

/* What the update assigns, as outputs: the operands of the assignments. */
static void build_batch_norm(golden_record *r)
{
    const bool training = golden_switch(r->c, "training");
    const tp_batch_norm_options options = {
        .weight = golden_input(r, "weight"),
        .bias = golden_input(r, "bias"),
        .running_mean = running(r, "running_mean"),
        .running_variance = running(r, "running_var"),
        .momentum = {true, golden_number(r->c, "momentum")},
        .epsilon = {true, golden_number(r->c, "eps")},
        .evaluate = !training,
    };
    tp_tensor update;
    r->out[0] = tp_batch_norm(golden_input(r, "x"), &options, &update);
    for (int k = 0; k < 2 && training; k++)
        r->out[1 + k] = tp_operand_of(tp_operand_of(update, k), 1);
    if (!training)
        assert_null(update.tape);
}

/* ---- Convolutions, pooling, other sizes ------------------------------------------------------------------- */

static void pair(const golden_record *r, const char *key, int64_t to[2])
{
    if (golden_has(r->c, key))
        golden_integers(r->c, key, to, 2);
}

static tp_convolution_options convolution_options(const golden_record *r)
{
    tp_convolution_options o = {.groups = golden_integer(r->c, "groups")};
    pair(r, "stride", o.stride);
    pair(r, "padding", o.padding);
    pair(r, "dilation", o.dilation);
    pair(r, "output_padding", o.output_padding);
    return o;
}

static void build_conv1d(golden_record *r)
{
    const tp_convolution_options o = convolution_options(r);
    r->out[0] = tp_conv1d(golden_input(r, "x"), golden_input(r, "weight"), golden_input(r, "bias"), &o);
}

static void build_conv2d(golden_record *r)
{
    const tp_convolution_options o = convolution_options(r);
    r->out[0] = tp_conv2d(golden_input(r, "x"), golden_input(r, "weight"), golden_input(r, "bias"), &o);
}

static void build_conv_transpose2d(golden_record *r)
{
    const tp_convolution_options o = convolution_options(r);
    r->out[0] =
        tp_conv_transpose2d(golden_input(r, "x"), golden_input(r, "weight"), golden_input(r, "bias"), &o);
}

static void build_max_pool2d(golden_record *r)
{
    tp_pooling_options o = {.ceil_mode = golden_switch(r->c, "ceil_mode")};
    int64_t window[2];
    pair(r, "kernel", window);
    pair(r, "stride", o.stride);
    pair(r, "padding", o.padding);
    pair(r, "dilation", o.dilation);
    r->out[0] = tp_max_pool2d(r->x[0], window[0], window[1], &o);
}

static void build_avg_pool2d(golden_record *r)
{
    tp_pooling_options o = {.only_true_elements = !golden_switch(r->c, "count_include_pad")};
    int64_t window[2];
    pair(r, "kernel", window);
    pair(r, "stride", o.stride);
    pair(r, "padding", o.padding);
    r->out[0] = tp_avg_pool2d(r->x[0], window[0], window[1], &o);
}

static void build_upsample_nearest(golden_record *r)
{
    int64_t size[2];
    pair(r, "size", size);
    r->out[0] = tp_upsample_nearest(r->x[0], size[0], size[1]);
}

static void build_upsample_bilinear(golden_record *r)
{
    const tp_bilinear_options o = {.align_corners = golden_switch(r->c, "align_corners")};
    int64_t size[2];
    pair(r, "size", size);
    r->out[0] = tp_upsample_bilinear(r->x[0], size[0], size[1], &o);
}

static void build_dropout_mask(golden_record *r)
{
    const tp_tensor kept = tp_mul(r->x[0], tp_cast(r->x[1], TP_F64));
    r->out[0] = tp_div(kept, tp_scalar(r->tape, 1 - golden_number(r->c, "p")));
}

static void build_embedding(golden_record *r)
{
    const int64_t padding = golden_integer(r->c, "padding_idx");
    const tp_embedding_options options = {.padding = {padding >= 0, (int32_t)padding}};
    r->out[0] = tp_embedding(golden_input(r, "weight"), golden_input(r, "index"), &options);
}

static void build_attention(golden_record *r)
{
    const tp_tensor q = golden_input(r, "q"), k = golden_input(r, "k"), v = golden_input(r, "v");
    const tp_shape s = tp_shape_of(q);
    tp_tensor score = tp_scale(tp_matmul(q, tp_transpose(k, -2, -1)), 1 / sqrt((double)s.dim[2]));
    if (golden_switch(r->c, "causal")) {
        const tp_tensor query = tp_reshape(tp_iota(r->tape, TP_I32, s.dim[1]), TP_SHAPE(-1, 1));
        const tp_tensor later = tp_greater(tp_iota(r->tape, TP_I32, tp_shape_of(k).dim[1]), query);
        score = tp_where(later, tp_scalar(r->tape, -INFINITY), score);
    }
    r->out[0] = tp_matmul(tp_softmax(score, -1), v);
}

static const golden_op nn[] = {
    {"softmax", .build = build_softmax},
    {"log_softmax", .build = build_log_softmax},
    {"embedding", .build = build_embedding},
    /* composed in this file */
    {"linear", .build = build_linear},
    {"layer_norm", .build = build_layer_norm},
    {"group_norm", .build = build_group_norm},
    {"dropout_mask", .build = build_dropout_mask},
    {"attention", .build = build_attention},
    /* ops */
    {"batch_norm", .build = build_batch_norm},
    {"conv1d", .build = build_conv1d},
    {"conv2d", .build = build_conv2d},
    {"conv_transpose2d", .build = build_conv_transpose2d},
    {"max_pool2d", .build = build_max_pool2d},
    {"avg_pool2d", .build = build_avg_pool2d},
    {"upsample_bilinear", .build = build_upsample_bilinear},
    {"upsample_nearest", .build = build_upsample_nearest},
};

static void test_nn(void **state)
{
    (void)state;
    golden_run_ops("ops_nn.txt", nn, (int)(sizeof nn / sizeof *nn), 61);
}

/* ---- No family is forgotten --------------------------------------------------------------------------------- */

static void test_every_family_has_a_test(void **state)
{
    static const char *const known[] = {"ops_unary.txt", "ops_binary.txt", "ops_reduce.txt",
                                        "ops_shape.txt", "ops_linalg.txt", "ops_nn.txt"};
    DIR *directory = opendir(TAPIR_SOURCE_DIR "/tests/golden");
    const struct dirent *entry;
    int found = 0;

    (void)state;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        bool listed = strncmp(entry->d_name, "ops_", 4) != 0;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(entry->d_name, known[k]) == 0)
                listed = true, found++;
        if (!listed)
            fail_msg("tests/golden/%s is run by no test", entry->d_name);
    }
    closedir(directory);
    assert_int_equal(found, sizeof known / sizeof *known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nn),
        cmocka_unit_test(test_every_family_has_a_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
