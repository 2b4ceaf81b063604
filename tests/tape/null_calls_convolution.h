/* null_calls_convolution.h -- the calls of tapir/ops/convolution.h, pooling.h and normalization.h for null_calls.h. */
#ifndef TAPIR_TESTS_NULL_CALLS_CONVOLUTION_H
#define TAPIR_TESTS_NULL_CALLS_CONVOLUTION_H

static inline tp_tensor call_convolution(int k, tp_tensor x, tp_tensor y)
{
    const tp_tensor none = {0};
    switch (k) {
    case 0: return tp_conv2d(x, y, none, NULL);
    case 1: return tp_conv2d(y, x, none, NULL);
    case 2: return tp_conv1d(x, y, none, NULL);
    case 3: return tp_conv1d(y, x, y, NULL);
    case 4: return tp_conv_transpose2d(x, y, none, NULL);
    case 5: return tp_conv_transpose2d(y, x, y, NULL);
    case 6: return tp_max_pool2d(x, 2, 2, NULL);
    case 7: return tp_avg_pool2d(x, 2, 2, NULL);
    case 8: return tp_upsample_nearest(x, 2, 2);
    case 9: return tp_upsample_bilinear(x, 2, 2, NULL);
    case 10: return tp_batch_norm(x, NULL, NULL);
    case 11: return tp_channels_to_blocks(x, 1);
    case 12: return tp_channels_from_blocks(x);
    default: return no_more;
    }
}

#endif
