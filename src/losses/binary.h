/* binary.h -- binary cross-entropy by its logits, element by element. */
#ifndef TAPIR_LOSSES_BINARY_H
#define TAPIR_LOSSES_BINARY_H

#include "common.h"

/* r of bce_with_logits; `pos_weight` may be absent. */
tp_tensor tp__binary_cross_entropy(tp_tensor logits, tp_tensor target, tp_tensor pos_weight);

/* -yes log sigmoid(x) - no log sigmoid(-x) */
tp_tensor tp__binary_cross_entropy_by(tp_tensor x, tp_tensor yes, tp_tensor no);

#endif
