/* tapir/ops/pooling.h -- maxima and means over windows of images, and images of another size.  f32 and f64.
 *
 * Images are [n, channels, height, width].  The other conventions are in tapir/ops.h.
 */
#ifndef TAPIR_OPS_POOLING_H
#define TAPIR_OPS_POOLING_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Windows ------------------------------------------------------------------------------------------ */

/* Pairs are along height and width; a pair of zeros is the default, one zero in a stride or a dilation an error. */
typedef struct tp_pooling_options {
    bool ceil_mode;      /* also a last window that reaches over the edge, if it begins before it */
    int64_t stride[2];   /* default: the window's size */
    int64_t padding[2];  /* on both sides of each axis */
    int64_t dilation[2]; /* of tp_max_pool2d alone: distance between the window's elements; default: 1, 1 */
    bool
        only_true_elements; /* of tp_avg_pool2d alone: divide by the elements inside the image, not by the window's size */
} tp_pooling_options;

/* The largest element of every window of the given height and width; padding takes no part.  The result's height is
 * floor((h + 2 padding - dilation (window - 1) - 1) / stride) + 1, its width likewise.  NaN wins.  A window of nothing but
 * padding is an error.  Kink: of equal elements the first in row-major order has the gradient. */
TP_API tp_tensor tp_max_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options);

/* The mean of every window, with zeros as padding.  What ceil_mode adds beyond the padding does not count. */
TP_API tp_tensor tp_avg_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options);

/* ---- Other sizes ---------------------------------------------------------------------------------------- */

/* The images in a given height and width, larger or smaller: y[i, j] = x[floor(i h / height), floor(j w / width)]. */
TP_API tp_tensor tp_upsample_nearest(tp_tensor x, int64_t height, int64_t width);

typedef struct tp_bilinear_options {
    bool align_corners; /* the corners' centres stay where they are; else the image's edges do */
} tp_bilinear_options;

/* Interpolated linearly along both axes at the source coordinate max(0, (i + 0.5) h / height - 0.5), or with align_corners
 * i (h - 1) / (height - 1), which is 0 for a height of 1; beyond the last row is the last row. */
TP_API tp_tensor tp_upsample_bilinear(tp_tensor x, int64_t height, int64_t width,
                                      const tp_bilinear_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_max_pool2d(x, ...)        tp_max_pool2d(TP_HERE(x), __VA_ARGS__)
#define tp_avg_pool2d(x, ...)        tp_avg_pool2d(TP_HERE(x), __VA_ARGS__)
#define tp_upsample_nearest(x, ...)  tp_upsample_nearest(TP_HERE(x), __VA_ARGS__)
#define tp_upsample_bilinear(x, ...) tp_upsample_bilinear(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
