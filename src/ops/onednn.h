/* onednn.h -- convolutions of f32 by oneDNN, whose kernels want channels in blocks (onednn.c). */
#ifndef TAPIR_SRC_OPS_ONEDNN_H
#define TAPIR_SRC_OPS_ONEDNN_H

#include "convolution.h"

/* One of the three products, and how images and result lie: [n,channels/block,height,width,block], or plain. */
typedef struct tp__onednn_convolution {
    tp__convolution_role role;
    tp__convolution_parts parts; /* as they would be plain; nothing is empty */
    const tp__convolution *a;
    int64_t block;
    bool images_in_blocks, result_in_blocks;
} tp__onednn_convolution;

/* How many channels lie together for the best kernels of this machine; 0: it has none, or Tapir was built without oneDNN. */
int64_t tp__onednn_block(void);

/* Has it a kernel made for such a convolution?  Its reference kernel, which takes anything, is slower by orders. */
bool tp__onednn_has_kernel(const tp__onednn_convolution *c);

/* Bytes of scratch that tp__onednn_run needs for this number of threads; 0 if it cannot run. */
size_t tp__onednn_scratch(const tp__onednn_convolution *c);

/* Computes role's operand of the other two: data[0] are the images, data[1] the weight, data[2] the result.  The scratch is
 * `room` bytes, aligned to 64; if that is too little for more threads than were counted on, oneDNN allocates.  Returns NULL, or
 * the name of oneDNN's error. */
const char *tp__onednn_run(const tp__onednn_convolution *c, void *const data[3], void *scratch, size_t room);

#endif
