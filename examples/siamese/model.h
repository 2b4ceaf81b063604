/* model.h -- the shared embedding, its loss, and the program of a training step. */
#ifndef SIAMESE_MODEL_H
#define SIAMESE_MODEL_H

#include <tapir/tapir.h>

enum { FEATURES = 64, BATCH = 64, CLASSES = 32, EACH = 4, AT_ONCE = 256, MOST_PARAMETERS = 6 };

/* DENSE: a hidden layer of 512.  CONVOLUTIONAL: 3x3 to 32 channels and 3x3 to 64, each with pooling and relu.  Then a dense layer
 * to FEATURES numbers. */
typedef enum net_kind { DENSE, CONVOLUTIONAL } net_kind;

/* A batch is BATCH pairs: all first images, then all second ones, and a label for each, 0 for a pair of one class and 1 for one
 * of two; or as many triplets, all anchors, positives, negatives; or CLASSES times EACH images of one class. */
typedef enum loss_kind { CONTRASTIVE, TRIPLETS, ALL_TRIPLETS } loss_kind;

typedef struct model_options {
    net_kind net;
    loss_kind loss;
    int side;              /* of the images, in pixels */
    bool on_sphere;        /* features are divided by their length */
    double margin;         /* of the loss */
    double similar_weight; /* of pairs of one class; 0: as that of others */
    uint64_t seed;
} model_options;

typedef struct model {
    model_options o;
    int pixels, images; /* of an image; in a batch */
    tp_tape *tape;
    tp_collection *layers;
    const tp_tensor *parameter; /* weight and bias of each layer in turn */
    int parameters;
    tp_tensor image, label; /* [images, pixels], [BATCH] */
    tp_tensor loss;
    tp_optimiser adam;
    tp_program *train;
    tp_tensor shown, features; /* [AT_ONCE, pixels], [AT_ONCE, FEATURES] */
    tp_program *embed;
} model;

/* False after an error, which is on the tape.  Remarks of the lint go to stderr. */
bool model_create(model *m, const model_options *options);
void model_destroy(model *m);

/* Is the gradient of the loss by all weights right?  At the first few pairs, triplets or classes of the batch in the leaves. */
bool model_check(const model *m, tp_check_report *report);

/* The features of `count` images. */
bool model_embed(model *m, const float *images, int count, float *features);

/* "contrastive", ... */
const char *loss_name(loss_kind kind);

#endif
