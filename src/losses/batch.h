/* batch.h -- what the losses over all pairs of a batch share. */
#ifndef TAPIR_LOSSES_BATCH_H
#define TAPIR_LOSSES_BATCH_H

#include "common.h"

/* Is x [N, D], f32 or f64?  Its name in messages. */
bool tp__batch_of(tp_tensor at, tp_tensor x, const char *name);

/* Is labels i32 [N], N being x's rows?  It takes x's place. */
bool tp__batch_labels(tp_tensor x, tp_tensor *labels);

/* x / max(|x|, 1e-12) along the last axis. */
tp_tensor tp__normalised(tp_tensor x);

/* Masks [N, N] of x's dtype: 1 where row and column are the same one; where their labels are equal. */
tp_tensor tp__same_row(tp_tensor x);
tp_tensor tp__same_label(tp_tensor x, tp_tensor labels);

/* x where the mask is not 0, else -inf: what logsumexp leaves out. */
tp_tensor tp__only_where(tp_tensor mask, tp_tensor x);

#endif
