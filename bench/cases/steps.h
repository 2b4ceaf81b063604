/* steps.h -- two training steps of convolutional networks, and their losses once more in plain C. */
#ifndef TAPIR_BENCH_STEPS_H
#define TAPIR_BENCH_STEPS_H

#include "bare.h"
#include "harness.h"

enum { STEP_PARAMETERS = 6, STEP_CONVOLUTIONS = 3, STEP_FEATURES = 64 };

/* Convolution, relu, pooling, convolution, relu, and then
 *     segments      a 1x1 convolution to one channel, a sigmoid, the Dice loss of the whole batch
 *     else          pooling, a dense layer, the margin loss of triplets: first all anchors, then all positives, then all negatives */
typedef struct step_network {
    const char *name;
    bool segments;
    int images, channels, size; /* of the images */
    bare_shape convolution[STEP_CONVOLUTIONS];
    int convolutions;
} step_network;

/* Added to the numerator and the denominator of the Dice loss, as the margin to the triplets'. */
#define STEP_DICE_EPSILON 1e-6
#define STEP_MARGIN       1.0

/* The loss in double, image by image and loop by loop: parameter[2 k] and [2 k + 1] are the weight and the bias of layer k; the
 * target has a number per place of the result, or is NULL for triplets. */
double step_loss_by_hand(const step_network *net, double *const *parameter, const float *images,
                         const float *target);

#endif
