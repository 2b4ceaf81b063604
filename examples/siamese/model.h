/* model.h -- the shared embedding, its loss, and the program of a training step. */
#ifndef SIAMESE_MODEL_H
#define SIAMESE_MODEL_H

#include <tapir/tapir.h>

enum { HIDDEN = 512, FEATURES = 64, BATCH = 64, PARAMETERS = 4, AT_ONCE = 256 };

typedef enum loss_kind { CONTRASTIVE, TRIPLET } loss_kind;

typedef struct model {
    tp_tape *tape;
    loss_kind kind;
    int pixels, parts; /* images in a pair (2) or triplet (3) */
    tp_tensor parameter[PARAMETERS];
    tp_tensor image; /* [parts BATCH, pixels]: all first images, then all second ones, ... */
    tp_tensor label; /* [BATCH]: 0 for a pair of one class, 1 for one of two; not used by triplets */
    tp_tensor loss;
    tp_optimiser adam;
    tp_program *train;
    tp_tensor shown, features; /* [AT_ONCE, pixels], [AT_ONCE, FEATURES] */
    tp_program *embed;
} model;

/* False after an error, which is on the tape. */
bool model_create(model *m, loss_kind kind, int pixels, uint64_t seed);
void model_destroy(model *m);

/* Is the gradient of the loss by all weights right, at the images and labels in m->image and m->label? */
bool model_check(const model *m, tp_check_report *report);

/* The features of `count` images. */
bool model_embed(model *m, const float *images, int count, float *features);

#endif
