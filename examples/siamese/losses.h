/* losses.h -- the losses of a batch of features. */
#ifndef SIAMESE_LOSSES_H
#define SIAMESE_LOSSES_H

#include "model.h"

/* `features` are in the order of the batch (loss_kind); any number of pairs, triplets or classes. */
tp_tensor record_loss(const model_options *o, tp_tensor features, tp_tensor label);

#endif
