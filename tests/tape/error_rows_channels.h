/* error_rows_channels.h -- rows for src/ops/channels.c and convolution_blocked.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_CHANNELS_H
#define TAPIR_TESTS_ERROR_ROWS_CHANNELS_H

#include "channel_sums.h"
#include "convolution.h"
#include "error_rows.h"

/* ---- channels.c ----------------------------------------------------------------------------------------- */

static void channels_block(fixture *f)
{
    RESULT(f, tp_channels_to_blocks(TP_HERE(f->a23), 0));
}

static void channels_multiple(fixture *f)
{
    RESULT(f, tp_channels_to_blocks(TP_HERE(f->a23), 2));
}

static void channels_rank(fixture *f)
{
    RESULT(f, tp_channels_from_blocks(TP_HERE(f->a23)));
}

static const error_row channels_rows[] = {
    {"block", channels_block, TP_BAD_SHAPE, {"channels_to_blocks: a block has at least 1 channel: f32[2,3]"}},
    {"multiple",
     channels_multiple,
     TP_BAD_SHAPE,
     {"channels_to_blocks: the channels, axis 1, must be a multiple of the block: f32[2,3]"}},
    {"rank",
     channels_rank,
     TP_BAD_SHAPE,
     {"channels_from_blocks: channels in blocks are [n,channels/block,...,block]: f32[2,3]"}},
};

/* ---- channel_sums.c ------------------------------------------------------------------------------------- */

static void sums_rank(fixture *f)
{
    RESULT(f, tp__sum_per_channel(TP_HERE(f->a23), false));
}

static void sums_dtype(fixture *f)
{
    const tp_tensor x = tp_parameter(f->tape, TP_F64, TP_SHAPE(1, 2, 2, 3), NULL);
    RESULT(f, tp__sum_per_channel(TP_HERE(x), true));
}

static const error_row sums_rows[] = {
    {"rank", sums_rank, TP_BAD_SHAPE, {"sum_per_channel: the tensor must be [n,channels/b,...,b]: f32[2,3]"}},
    {"dtype", sums_dtype, TP_BAD_DTYPE, {"sum_per_channel: the tensor must be f32: f64[1,2,2,3]"}},
};

/* ---- convolution_blocked.c ------------------------------------------------------------------------------ */

/* x convolved with a weight of one element for each of 6 channels. */
static tp_tensor convolve_in_blocks(tp_tensor x, int64_t block)
{
    const tp_tensor w = tp_parameter(x.tape, tp_dtype_of(x), TP_SHAPE(3, 6, 1, 1), NULL);
    const tp__convolution attr = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    return tp__record_blocked_convolution(TP__CONVOLUTION, x, w, attr, block, (tp_tensor){0});
}

/* 6 channels in blocks of 3. */
static tp_tensor threes(fixture *f, tp_dtype dtype)
{
    return tp_parameter(f->tape, dtype, TP_SHAPE(1, 2, 2, 2, 3), NULL);
}

static void in_blocks_block(fixture *f)
{
    const tp_tensor x = threes(f, TP_F32);
    RESULT(f, convolve_in_blocks(TP_HERE(x), 0));
}

static void in_blocks_other_block(fixture *f)
{
    const tp_tensor x = threes(f, TP_F32);
    RESULT(f, convolve_in_blocks(TP_HERE(x), 2));
}

static void in_blocks_f64(fixture *f)
{
    const tp_tensor x = threes(f, TP_F64);
    RESULT(f, convolve_in_blocks(TP_HERE(x), 3));
}

static const error_row in_blocks_rows[] = {
    {"block",
     in_blocks_block,
     TP_BAD_SHAPE,
     {"conv2d_in_blocks: a block has at least 1 channel: f32[1,2,2,2,3], f32[3,6,1,1]"}},
    {"another block",
     in_blocks_other_block,
     TP_BAD_SHAPE,
     {"conv2d_in_blocks: channels in blocks are [n,channels/block,height,width,block], and a weight has none: "
      "f32[1,2,2,2,3], f32[3,6,1,1]"}},
    {"f64",
     in_blocks_f64,
     TP_BAD_DTYPE,
     {"conv2d_in_blocks: channels in blocks need f32: f64[1,2,2,2,3], f64[3,6,1,1]"}},
};

/* Nobody has a kernel for blocks of 3. */
static void in_blocks_no_kernel(fixture *f)
{
    const tp_tensor x = threes(f, TP_F32);
    compile(f, (PLACE(f), convolve_in_blocks(TP_HERE(x), 3)));
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static const error_row in_blocks_use_rows[] = {
    {"no kernel",
     in_blocks_no_kernel,
     TP_BAD_VALUE,
     {"conv2d_in_blocks: oneDNN did not compute this of f32[1,2,2,2,3] and f32[3,6,1,1]: "}},
};

#endif
