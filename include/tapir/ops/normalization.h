/* tapir/ops/normalization.h -- batch normalization, a composition.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_NORMALIZATION_H
#define TAPIR_OPS_NORMALIZATION_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors that are absent ((tp_tensor){0}) are left out; all have the shape [channels]. */
typedef struct tp_batch_norm_options {
    tp_tensor weight, bias; /* absent: 1 and 0 */
    /* Parameters: what evaluation uses, and training moves towards the batch's; both or neither. */
    tp_tensor running_mean, running_variance;
    bool evaluate; /* with the running statistics instead of the batch's */
    /* A number that decides in every run instead of `evaluate`: 0 evaluates, anything else trains.  So one recording does
     * both; it is an input or a parameter of shape [] or [1]. */
    tp_tensor training;
    tp_optional_number momentum; /* default: 0.1 */
    tp_optional_number epsilon;  /* default: 1e-5 */
} tp_batch_norm_options;

/* For every channel (axis 1 of x): (x - mean) / sqrt(variance + epsilon) * weight + bias, with mean and variance over all other
 * axes, the variance divided by n.  Ioffe and Szegedy, "Batch Normalization", 2015.
 *
 * *update, unless NULL, becomes the assignment of the new running statistics: (1 - momentum) running + momentum batch's, the
 * variance divided by n - 1.  It must be among the outputs of the program that trains; else they never change.  Where there
 * are none to assign it is absent; in a run that evaluates they are assigned what they were. */
TP_API tp_tensor tp_batch_norm(tp_tensor x, const tp_batch_norm_options *options, tp_tensor *update);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_batch_norm(x, ...) tp_batch_norm(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
