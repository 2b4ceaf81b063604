/* train.h -- the check of the gradient, and the training, whatever the data are. */
#ifndef SIAMESE_TRAIN_H
#define SIAMESE_TRAIN_H

#include "settings.h"

/* Writes a batch into the leaves `image` and `label` (loss_kind). */
typedef void fill_batch(void *user, const model *m);

typedef struct lesson {
    fill_batch *fill;
    void *user;
    double rate;
    bool decays; /* the rate falls to 0 by a half cosine */
    int steps;
    const char *csv;
} lesson;

/* Both print what they find, and return false when it is not good. */
bool check_gradient(const lesson *l, const model *m);
bool train(const lesson *l, const model *m);

#endif
