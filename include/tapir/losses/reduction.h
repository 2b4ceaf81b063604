/* tapir/losses/reduction.h -- what becomes of the elements' losses.  The conventions are in tapir/losses.h. */
#ifndef TAPIR_LOSSES_REDUCTION_H
#define TAPIR_LOSSES_REDUCTION_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of the elements' losses; see "What a mean divides by" in tapir/losses.h. */
typedef enum tp_reduction {
    TP_MEAN = 0,      /* 0-d: the sum divided by the sum of the weights */
    TP_SUM,           /* 0-d */
    TP_NONE,          /* one number per element, row or pair */
    TP_MEAN_BY_COUNT, /* 0-d: the sum divided by the number of elements, rows or pairs */
    TP_MEAN_BY_BATCH  /* 0-d: the sum divided by the size of their first axis */
} tp_reduction;

/* What losses without further options take. */
typedef struct tp_loss_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element, row or pair */
    bool broadcast;         /* let prediction and target broadcast against each other */
} tp_loss_options;

/* For losses of your own: reduces the elements' losses `r` (f32 or f64, any shape) as every loss here does, with the
 * same rules for weights, what a mean divides by, and empty means.  `weight` is optional ((tp_tensor){0}). */
TP_API tp_tensor tp_loss_reduce(tp_tensor r, tp_tensor weight, tp_reduction reduction);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_loss_reduce(r, ...) tp_loss_reduce(TP_HERE(r), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
