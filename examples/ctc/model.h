/* model.h -- a convolutional network that reads strings, trained by the CTC loss. */
#ifndef TAPIR_EXAMPLES_CTC_MODEL_H
#define TAPIR_EXAMPLES_CTC_MODEL_H

#include <tapir/tapir.h>

#include "strings.h"

enum { BATCH = 16 };

typedef struct model {
    tp_tape *tape;
    tp_collection *net;
    int64_t frames; /* that scores are given for: half of the input's */
    int weights;    /* numbers to learn */

    /* Leaves that hold a batch. */
    tp_tensor x, length, halved, target, target_length, weight;

    tp_tensor loss; /* mean of -log p per label */
    tp_tensor best; /* [frames, batch]: the best class */
    tp_optimiser adam;
    tp_program *train, *read; /* read: loss and best */
} model;

/* For strings like these; h channels in each layer.  False after an error, which is on the tape. */
bool model_create(model *m, const strings *like, int64_t h, uint64_t seed);
void model_destroy(model *m);

/* Batches of strings for the model's leaves; NULL after an error on the tape. */
tp_batches *model_batches(const model *m, const strings *s, bool shuffle, uint64_t seed);

#endif
