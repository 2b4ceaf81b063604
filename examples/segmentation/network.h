/* network.h -- two networks that colour pictures in, their loss, and the programs that train and ask them. */
#ifndef SEGMENTATION_NETWORK_H
#define SEGMENTATION_NETWORK_H

#include <tapir/tapir.h>

enum { BATCH = 8, MOST_LAYERS = 9, MOST_TERMS = 3 };

typedef enum net_kind { SMALL_NET, U_NET } net_kind;
typedef enum loss_kind { DICE, DICE_BCE } loss_kind;

typedef struct network {
    net_kind kind;
    loss_kind loss_kind;
    tp_tape *tape;
    tp_collection *weights;
    tp_conv2d_layer layer[MOST_LAYERS];

    /* A batch, recorded once.  The last one of an epoch is filled up: `weight`, [BATCH], is 0 for what is not of it. */
    tp_tensor image; /* [BATCH, 1, height, width] */
    tp_tensor mask; /* as large as what the network yields: half of that in height and width if it is small */
    tp_tensor weight;
    tp_tensor probability;
    tp_named term[MOST_TERMS]; /* the loss, and if it has parts, they */
    int terms;

    tp_optimiser adam;
    tp_program *train;   /* the terms, and a step of Adam */
    tp_program *predict; /* the probabilities, without mask and weight */
} network;

/* A network with first values by the seed, for pictures of height by width pixels.  What tp_lint remarks about its loss goes
 * to stderr.  False when that is anything, or an error is on the tape; to be destroyed in any case. */
bool network_create(network *n, net_kind kind, loss_kind loss, int height, int width, uint64_t seed);
void network_destroy(network *n);

/* Which pixels of `count` images the network takes for objects: 1 where the probability is above a half, in the size that it
 * yields.  False when a run fails; the tape has the message. */
bool network_predict(const network *n, const float *image, int count, uint8_t *predicted);

/* Compares the gradient of the loss, of two small pictures of random numbers, with finite differences. */
bool network_check(const network *n, tp_check_report *report);

#endif
