/* tapir/ops/convolution.h -- convolutions over images.  f32 and f64.
 *
 * Images are [n, channels, height, width].  "Convolution" is cross-correlation, as usual in networks: with zeros around x,
 *
 *     y[b, o, i, j] = bias[o] + sum over c, k, l of
 *                     weight[o, c, k, l] x[b, c', i stride[0] - padding[0] + k dilation[0], j stride[1] - ...],
 *
 * where c' is channel c of the group that o belongs to.  Sums are the CBLAS's: their order, and with several threads their
 * last bits, are its own.  Derivatives are recorded with these same ops, so they have derivatives of any order.
 *
 * The other conventions are in tapir/ops.h.
 */
#ifndef TAPIR_OPS_CONVOLUTION_H
#define TAPIR_OPS_CONVOLUTION_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pairs are along height and width (tp_conv1d takes the first): .stride = {2, 2}.  A pair of zeros is the default; one zero
 * in a stride or a dilation is an error. */
typedef struct tp_convolution_options {
    int64_t groups;      /* blocks of channels, each seeing its own block of inputs; default: 1 */
    int64_t stride[2];   /* default: 1, 1 */
    int64_t padding[2];  /* zeros on both sides of each axis */
    int64_t dilation[2]; /* distance between the kernel's elements; default: 1, 1 */
    int64_t output_padding
        [2]; /* of tp_conv_transpose2d alone: rows and columns added to the result; below the stride */
} tp_convolution_options;

/* x [n, in, h, w], weight [out, in / groups, kh, kw], bias [out] or absent ((tp_tensor){0}).  The result is [n, out, ho, wo],
 * ho = floor((h + 2 padding - dilation (kh - 1) - 1) / stride) + 1, wo likewise. */
TP_API tp_tensor tp_conv2d(tp_tensor x, tp_tensor weight, tp_tensor bias,
                           const tp_convolution_options *options);

/* The same along one axis: x [n, in, l], weight [out, in / groups, k]. */
TP_API tp_tensor tp_conv1d(tp_tensor x, tp_tensor weight, tp_tensor bias,
                           const tp_convolution_options *options);

/* The transpose of tp_conv2d in its images: x[b, c, i, j] weight[c, o, k, l] is added to the result's element
 * [b, o', i stride[0] - padding[0] + k dilation[0], ...].  x [n, in, h, w], weight [in, out / groups, kh, kw], bias [out] or
 * absent; the result has the height (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + output_padding, the width likewise. */
TP_API tp_tensor tp_conv_transpose2d(tp_tensor x, tp_tensor weight, tp_tensor bias,
                                     const tp_convolution_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_conv2d(x, ...)           tp_conv2d(TP_HERE(x), __VA_ARGS__)
#define tp_conv1d(x, ...)           tp_conv1d(TP_HERE(x), __VA_ARGS__)
#define tp_conv_transpose2d(x, ...) tp_conv_transpose2d(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
