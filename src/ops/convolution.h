/* convolution.h -- what the recording of convolutions and their kernels share. */
#ifndef TAPIR_SRC_OPS_CONVOLUTION_H
#define TAPIR_SRC_OPS_CONVOLUTION_H

#include <tapir/op.h>

/* The attributes of all three ops.  Pairs are along height and width. */
typedef struct tp__convolution {
    int64_t stride[2], padding[2], dilation[2], groups;
    int64_t size[2]; /* what the operands do not tell: of the images, of the weight; else 0 */
} tp__convolution;

/* One trilinear form of images, weight and result has three partial derivatives, each of them an op of the other two. */
typedef enum tp__convolution_role {
    TP__CONVOLUTION,        /* images, weight -> result */
    TP__CONVOLUTION_IMAGES, /* result, weight -> images */
    TP__CONVOLUTION_WEIGHT  /* images, result -> weight */
} tp__convolution_role;

/* The shapes of all three, whichever two of them are the operands.  Of tp__convolution_shapes the operands must be right. */
typedef struct tp__convolution_parts {
    tp_shape images, weight, result;
} tp__convolution_parts;

tp__convolution_parts tp__convolution_shapes(tp__convolution_role role, const tp_shape *x_shape,
                                             const tp__convolution *a);

/* The shape rule of all three, for plain operands. */
const char *tp__convolution_infer(tp_inference *i, tp__convolution_role role);

/* Is the kernel of one element, and does it move by one, without padding, in one group? */
bool tp__convolution_is_pointwise(const tp__convolution_parts *p, const tp__convolution *a);

/* Is operand k images or a result, and not the weight? */
bool tp__has_channels(tp__convolution_role role, int k);

/* How many places a kernel of this extent has along an axis of this length; 0 or less if it does not fit. */
int64_t tp__convolution_places(const tp__convolution *a, int axis, int64_t length, int64_t extent);

/* ---- Kernels: columns of patches, and products by CBLAS (convolution_kernels.c) ---------------------------- */

size_t tp__convolve_scratch(const tp_shape *x_shape, int n, const void *attr);
size_t tp__convolve_images_scratch(const tp_shape *x_shape, int n, const void *attr);
size_t tp__convolve_weight_scratch(const tp_shape *x_shape, int n, const void *attr);

tp_status tp__convolve(const tp_call *call);
tp_status tp__convolve_images(const tp_call *call);
tp_status tp__convolve_weight(const tp_call *call);

/* ---- Channels in blocks, [n,channels/block,...,block]: what a library computes faster ------------------------
 *
 * These are recorded by what rewrites the graph of a program, after differentiation. */

/* The block of channels with which oneDNN computes this convolution of plain operands of these shapes faster than the kernels
 * above, or 0 if it does not: it was not built in, has no kernel for that, or is not worth the conversions
 * (convolution_blocked.c). */
int64_t tp__convolution_block(tp__convolution_role role, const tp_shape *x_shape, tp_dtype dtype,
                              const tp__convolution *a);

/* Given that there is a block: is it as fast with plain operands and a plain result, so that it pays only if one of these is in blocks
 * already?  (Pointwise ones are matrix products.) */
bool tp__convolution_is_fast_plain(tp__convolution_role role, const tp_shape *x_shape,
                                   const tp__convolution *a);

/* Records it.  Images and results are operands in blocks (of rank 5) or, where their channels are no multiple of the block,
 * plain; the weight is plain.  Its result is in blocks where its channels allow, else plain.  A pointwise convolution may be given
 * plain operands whose channels would make blocks: its result is then plain, too.  Where the
 * operands do not tell the size of the result, it is that of `like`, in blocks or plain, or if that is absent attr.size.  It has
 * no derivative. */
tp_tensor tp__record_blocked_convolution(tp__convolution_role role, tp_tensor a, tp_tensor b,
                                         tp__convolution attr, int64_t block, tp_tensor like);

#endif
