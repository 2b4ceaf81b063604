/* channel_sums.h -- sums per channel, where channels lie in blocks. */
#ifndef TAPIR_SRC_OPS_CHANNEL_SUMS_H
#define TAPIR_SRC_OPS_CHANNEL_SUMS_H

#include <tapir/op.h>

/* x [n, channels / b, ..., b] summed over all axes but channels and blocks, which keep size 1; `by_image`: not over n. */
tp_tensor tp__sum_per_channel(tp_tensor x, bool by_image);

#endif
