/* error_rows_convolution.h -- rows for src/ops/convolution.c, pooling.c, resampling.c and normalization.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_CONVOLUTION_H
#define TAPIR_TESTS_ERROR_ROWS_CONVOLUTION_H

#include "error_rows.h"

/* f32[n,c,h,w] */
static tp_tensor images(fixture *f, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return tp_input(f->tape, TP_F32, TP_SHAPE(n, c, h, w));
}

static void convolve(fixture *f, tp_convolution_options options)
{
    const tp_tensor x = images(f, 1, 4, 5, 5), w = images(f, 2, 4, 3, 3);
    RESULT(f, tp_conv2d(x, w, (tp_tensor){0}, &options));
}

/* ---- convolution.c ------------------------------------------------------------------------------------ */

static void convolution_groups(fixture *f)
{
    convolve(f, (tp_convolution_options){.groups = -1});
}

static void convolution_stride(fixture *f)
{
    convolve(f, (tp_convolution_options){.stride = {2}});
}

static void convolution_padding(fixture *f)
{
    convolve(f, (tp_convolution_options){.padding = {0, -1}});
}

static void convolution_far(fixture *f)
{
    convolve(f, (tp_convolution_options){.padding = {0, INT64_MAX}});
}

static void convolution_channels(fixture *f)
{
    convolve(f, (tp_convolution_options){.groups = 2});
}

static void convolution_output_channels(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5), w = images(f, 3, 2, 3, 3);
    RESULT(f, tp_conv2d(x, w, (tp_tensor){0}, &(tp_convolution_options){.groups = 2}));
}

static void convolution_rank(fixture *f)
{
    RESULT(f, tp_conv2d(f->a23, images(f, 1, 1, 1, 1), (tp_tensor){0}, NULL));
}

static void convolution_dtype(fixture *f)
{
    const tp_tensor x = images(f, 1, 1, 2, 2);
    RESULT(f, tp_conv2d(x, tp_cast(x, TP_F64), (tp_tensor){0}, NULL));
}

static void convolution_i32(fixture *f)
{
    const tp_tensor x = tp_input(f->tape, TP_I32, TP_SHAPE(1, 1, 2, 2));
    RESULT(f, tp_conv2d(x, x, (tp_tensor){0}, NULL));
}

static void convolution_no_kernel(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5);
    RESULT(f, tp_conv2d(x, images(f, 1, 4, 0, 1), (tp_tensor){0}, NULL));
}

static void convolution_large_kernel(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5);
    RESULT(f, tp_conv2d(x, images(f, 1, 4, 6, 1), (tp_tensor){0}, NULL));
}

static void convolution_large_images(fixture *f)
{
    const tp_tensor x = images(f, 0, 1, INT64_C(1) << 31, 1);
    RESULT(f, tp_conv2d(x, images(f, 1, 1, 1, 1), (tp_tensor){0}, NULL));
}

static void convolution_large_result(fixture *f)
{
    const tp_tensor x = images(f, 0, 1, INT64_C(1) << 16, INT64_C(1) << 16);
    RESULT(f, tp_conv2d(x, images(f, 1, 1, 1, 1), (tp_tensor){0}, NULL));
}

static void convolution_bias(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5);
    RESULT(f, tp_conv2d(x, images(f, 2, 4, 3, 3), f->a4, NULL));
}

static void convolution_sequence(fixture *f)
{
    RESULT(f, tp_conv1d(f->a23, f->a32, (tp_tensor){0}, NULL));
}

static void transposed_channels(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5);
    RESULT(f, tp_conv_transpose2d(x, images(f, 3, 2, 3, 3), (tp_tensor){0}, NULL));
}

static void transposed_nothing(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 1, 1);
    RESULT(f, tp_conv_transpose2d(x, images(f, 4, 2, 1, 1), (tp_tensor){0},
                                  &(tp_convolution_options){.padding = {1, 1}}));
}

static void transposed_large(fixture *f)
{
    const tp_tensor x = images(f, 0, 1, INT32_MAX, 1);
    RESULT(f, tp_conv_transpose2d(x, images(f, 1, 1, 1, 1), (tp_tensor){0},
                                  &(tp_convolution_options){.stride = {2, 1}}));
}

static void transposed_output_padding(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5);
    RESULT(f, tp_conv_transpose2d(x, images(f, 4, 2, 3, 3), (tp_tensor){0},
                                  &(tp_convolution_options){.output_padding = {0, 1}}));
}

/* The transposed convolution recorded by hand, for images that it cannot have come from. */
static void transposed_other_size(fixture *f)
{
    const tp_tensor x = images(f, 1, 4, 5, 5),
                    y = tp_conv_transpose2d(x, images(f, 4, 2, 3, 3), (tp_tensor){0}, NULL);
    RESULT(f,
           tp_record(tp_op_of(y),
                     (tp_tensor[]){tp_locate(images(f, 1, 4, 4, 5), f->file, f->line), tp_operand_of(y, 1)},
                     2, tp_attr_of(y)));
}

static const error_row convolution_rows[] = {
    {"no group", convolution_groups, TP_BAD_ARGUMENT, {"conv2d: there must be at least 1 group"}},
    {"one stride of two",
     convolution_stride,
     TP_BAD_ARGUMENT,
     {"conv2d: strides and dilations must be at least 1, along both axes: f32[1,4,5,5], f32[2,4,3,3]"}},
    {"negative padding", convolution_padding, TP_BAD_ARGUMENT, {"conv2d: the padding must not be negative"}},
    {"far padding",
     convolution_far,
     TP_BAD_ARGUMENT,
     {"conv2d: strides, dilations and paddings must be below 2^31"}},
    {"channels",
     convolution_channels,
     TP_BAD_SHAPE,
     {"conv2d: the images must have groups times as many channels as the weight"}},
    {"output channels",
     convolution_output_channels,
     TP_BAD_SHAPE,
     {"conv2d: the groups must divide the output channels"}},
    {"not images",
     convolution_rank,
     TP_BAD_SHAPE,
     {"conv2d: images are [n,channels,height,width], the weight is [out,in/groups,height,width]: f32[2,3]"}},
    {"two dtypes", convolution_dtype, TP_BAD_DTYPE, {"conv2d: the operands' dtypes differ"}},
    {"integers", convolution_i32, TP_BAD_DTYPE, {"conv2d: it needs f32 or f64"}},
    {"no kernel", convolution_no_kernel, TP_BAD_SHAPE, {"conv2d: the kernel must not be empty"}},
    {"large kernel",
     convolution_large_kernel,
     TP_BAD_SHAPE,
     {"conv2d: the kernel is larger than the padded images: f32[1,4,5,5], f32[1,4,6,1]"}},
    {"large images",
     convolution_large_images,
     TP_BAD_SHAPE,
     {"conv2d: the images or the kernel are larger than the BLAS can count"}},
    {"large result",
     convolution_large_result,
     TP_BAD_SHAPE,
     {"conv2d: the images or the kernel are larger than the BLAS can count"}},
    {"bias", convolution_bias, TP_BAD_SHAPE, {"conv2d: the bias must have the shape [2], but is f32[4]"}},
    {"not sequences",
     convolution_sequence,
     TP_BAD_SHAPE,
     {"conv1d: sequences are [n,channels,length], the weight is [out,in/groups,length]: f32[2,3], f32[3,2]"}},
    {"channels of the transpose",
     transposed_channels,
     TP_BAD_SHAPE,
     {"conv_transpose2d: the weight is not for that many channels"}},
    {"nothing left",
     transposed_nothing,
     TP_BAD_SHAPE,
     {"conv_transpose2d: the padding leaves nothing of the images"}},
    {"large images of the transpose",
     transposed_large,
     TP_BAD_SHAPE,
     {"conv_transpose2d: the images or the kernel are larger than the BLAS can count"}},
    {"output padding",
     transposed_output_padding,
     TP_BAD_ARGUMENT,
     {"conv_transpose2d: the output padding must be at least 0 and below the stride, but is 1"}},
    {"another size",
     transposed_other_size,
     TP_BAD_SHAPE,
     {"conv_transpose2d: no convolution of images of this size has a result of that size"}},
};

/* ---- pooling.c ---------------------------------------------------------------------------------------- */

static void pool(fixture *f, int64_t height, int64_t width, tp_pooling_options options)
{
    const tp_tensor x = images(f, 1, 1, 3, 3);
    RESULT(f, tp_max_pool2d(x, height, width, &options));
}

static void pooling_window(fixture *f)
{
    pool(f, 2, 0, (tp_pooling_options){0});
}

static void pooling_stride(fixture *f)
{
    pool(f, 2, 2, (tp_pooling_options){.stride = {0, 1}});
}

static void pooling_padding(fixture *f)
{
    pool(f, 2, 2, (tp_pooling_options){.padding = {-1, 0}});
}

static void pooling_far(fixture *f)
{
    pool(f, INT64_C(1) << 32, 2, (tp_pooling_options){0});
}

static void pooling_rank(fixture *f)
{
    RESULT(f, tp_avg_pool2d(f->a23, 2, 2, NULL));
}

static void pooling_large_images(fixture *f)
{
    RESULT(f, tp_max_pool2d(images(f, 0, 1, INT64_C(1) << 16, INT64_C(1) << 16), 32768, 32768, NULL));
}

static void pooling_larger_images(fixture *f)
{
    RESULT(f, tp_avg_pool2d(images(f, 0, 1, INT64_C(1) << 31, 1), 2, 1, NULL));
}

static void pooling_large_window(fixture *f)
{
    pool(f, 4, 2, (tp_pooling_options){0});
}

static void pooling_of_padding(fixture *f)
{
    pool(f, 2, 2, (tp_pooling_options){.padding = {2, 0}});
}

static void pooling_dilation(fixture *f)
{
    RESULT(f, tp_avg_pool2d(images(f, 1, 1, 3, 3), 2, 2, &(tp_pooling_options){.dilation = {2, 2}}));
}

/* The transpose, recorded by hand for the gradient of another number of windows. */
static void pooling_other_size(fixture *f)
{
    const tp_tensor x = tp_parameter(f->tape, TP_F32, TP_SHAPE(1, 1, 4, 4), NULL);
    tp_tensor g;
    tp_gradient(tp_sum(tp_exp(tp_avg_pool2d(x, 2, 2, NULL))), &x, 1, &g);
    RESULT(f, tp_record(tp_op_of(g), (tp_tensor[]){tp_locate(x, f->file, f->line)}, 1, tp_attr_of(g)));
}

/* Channels in blocks are for ops that a program records for itself. */
static void pooling_blocks(fixture *f)
{
    RESULT(f, tp_max_pool2d(tp_input(f->tape, TP_F32, TP_SHAPE(1, 1, 4, 4, 8)), 2, 2, NULL));
}

static void pooling_means_of_blocks(fixture *f)
{
    RESULT(f, tp_avg_pool2d(tp_input(f->tape, TP_F64, TP_SHAPE(1, 1, 4, 4, 8)), 2, 2, NULL));
}

/* The op that picks maxima, recorded by hand with other positions. */
static void pick_by(fixture *f, tp_tensor at)
{
    const tp_tensor x = images(f, 1, 1, 4, 4), y = tp_max_pool2d(x, 2, 2, NULL);
    RESULT(f, tp_record(tp_op_of(y), (tp_tensor[]){tp_locate(x, f->file, f->line), at}, 2, tp_attr_of(y)));
}

static void pooling_positions_dtype(fixture *f)
{
    pick_by(f, images(f, 1, 1, 2, 2));
}

static void pooling_positions_shape(fixture *f)
{
    pick_by(f, tp_input(f->tape, TP_I32, TP_SHAPE(1, 1, 2, 3)));
}

static const error_row pooling_rows[] = {
    {"maxima of blocks",
     pooling_blocks,
     TP_BAD_SHAPE,
     {"max_pool2d: images are [n,channels,height,width]: f32[1,1,4,4,8]"}},
    {"means of blocks",
     pooling_means_of_blocks,
     TP_BAD_SHAPE,
     {"avg_pool2d: images are [n,channels,height,width]: f64[1,1,4,4,8]"}},
    {"positions that are not i32",
     pooling_positions_dtype,
     TP_BAD_DTYPE,
     {"max_pool2d_pick: positions must be i32: f32[1,1,4,4], f32[1,1,2,2]"}},
    {"positions of other windows",
     pooling_positions_shape,
     TP_BAD_SHAPE,
     {"max_pool2d_pick: there must be one position for each window: f32[1,1,4,4], i32[1,1,2,3]"}},
    {"no window",
     pooling_window,
     TP_BAD_ARGUMENT,
     {"max_pool2d: the window must have at least 1 element along both axes: f32[1,1,3,3]"}},
    {"one stride of two",
     pooling_stride,
     TP_BAD_ARGUMENT,
     {"max_pool2d: strides and dilations must be at least 1, along both axes"}},
    {"negative padding", pooling_padding, TP_BAD_ARGUMENT, {"max_pool2d: the padding must not be negative"}},
    {"large window",
     pooling_far,
     TP_BAD_ARGUMENT,
     {"max_pool2d: windows, strides, dilations and paddings must be below 2^31"}},
    {"not images",
     pooling_rank,
     TP_BAD_SHAPE,
     {"avg_pool2d: images are [n,channels,height,width]: f32[2,3]"}},
    {"large images",
     pooling_large_images,
     TP_BAD_SHAPE,
     {"max_pool2d: the images are too large to count their elements in i32"}},
    {"larger images",
     pooling_larger_images,
     TP_BAD_SHAPE,
     {"avg_pool2d: the images are too large to count their elements in i32"}},
    {"larger than the images",
     pooling_large_window,
     TP_BAD_SHAPE,
     {"max_pool2d: the window is larger than the padded images"}},
    {"window of padding",
     pooling_of_padding,
     TP_BAD_SHAPE,
     {"max_pool2d: there is a window with nothing but padding in it"}},
    {"dilation of a mean", pooling_dilation, TP_BAD_ARGUMENT, {"avg_pool2d: its windows have no dilation"}},
    {"another size",
     pooling_other_size,
     TP_BAD_SHAPE,
     {"avg_pool2d_transpose: images of this size have another number of windows"}},
};

/* ---- resampling.c ------------------------------------------------------------------------------------- */

static void resampling_rank(fixture *f)
{
    RESULT(f, tp_upsample_nearest(f->a23, 2, 2));
}

static void resampling_to_nothing(fixture *f)
{
    RESULT(f, tp_upsample_bilinear(images(f, 1, 1, 3, 3), 2, 0, NULL));
}

static void resampling_large(fixture *f)
{
    RESULT(f, tp_upsample_nearest(images(f, 0, 1, 3, 3), INT64_C(1) << 31, 1));
}

static void resampling_blocks(fixture *f)
{
    RESULT(f, tp_upsample_bilinear(tp_input(f->tape, TP_F32, TP_SHAPE(1, 1, 4, 4, 8)), 8, 8, NULL));
}

static const error_row resampling_rows[] = {
    {"blocks",
     resampling_blocks,
     TP_BAD_SHAPE,
     {"upsample: images are [n,channels,height,width]: f32[1,1,4,4,8]"}},
    {"not images",
     resampling_rank,
     TP_BAD_SHAPE,
     {"upsample: images are [n,channels,height,width]: f32[2,3]"}},
    {"to nothing",
     resampling_to_nothing,
     TP_BAD_SHAPE,
     {"upsample: images must have at least one row and one column, before and after"}},
    {"large", resampling_large, TP_BAD_SHAPE, {"upsample: the images are larger than i32 can count"}},
};

/* ---- normalization.c ---------------------------------------------------------------------------------- */

static void normalization_i32(fixture *f)
{
    RESULT(f, tp_batch_norm(f->i23, NULL, NULL));
}

static void normalization_rank(fixture *f)
{
    RESULT(f, tp_batch_norm(f->a4, NULL, NULL));
}

static void normalization_shape(fixture *f)
{
    tp_tensor update;
    RESULT(f, tp_batch_norm(f->a23, &(tp_batch_norm_options){.bias = f->a4}, &update));
    assert_null(update.tape);
}

static void normalization_mean(fixture *f)
{
    RESULT(f, tp_batch_norm(f->a23, &(tp_batch_norm_options){.running_mean = f->a4}, NULL));
}

static void normalization_variance(fixture *f)
{
    RESULT(f, tp_batch_norm(f->a23, &(tp_batch_norm_options){.running_variance = f->a4}, NULL));
}

static void normalization_evaluation(fixture *f)
{
    RESULT(f, tp_batch_norm(f->a23, &(tp_batch_norm_options){.running_mean = f->constant}, NULL));
}

static void normalization_one_value(fixture *f)
{
    const tp_tensor x = tp_input(f->tape, TP_F32, TP_SHAPE(1, 3));
    RESULT(f, tp_batch_norm(
                  x, &(tp_batch_norm_options){.running_mean = f->constant, .running_variance = f->constant},
                  NULL));
}

static const error_row normalization_rows[] = {
    {"integers", normalization_i32, TP_BAD_DTYPE, {"batch_norm: it takes f32 or f64, not i32[2,3]"}},
    {"no channels", normalization_rank, TP_BAD_SHAPE, {"batch_norm: the channels are axis 1: f32[4]"}},
    {"bias",
     normalization_shape,
     TP_BAD_SHAPE,
     {"batch_norm: the bias must have the shape [3], but is f32[4]"}},
    {"running mean",
     normalization_mean,
     TP_BAD_SHAPE,
     {"batch_norm: the running mean must have the shape [3], but is f32[4]"}},
    {"running variance",
     normalization_variance,
     TP_BAD_SHAPE,
     {"batch_norm: the running variance must have the shape [3], but is f32[4]"}},
    {"half of the statistics",
     normalization_evaluation,
     TP_BAD_ARGUMENT,
     {"batch_norm: evaluation needs running statistics, both of them"}},
    {"one value for each channel",
     normalization_one_value,
     TP_BAD_SHAPE,
     {"batch_norm: training needs more than one value for each channel: f32[1,3]"}},
};

#endif
