/* tapir/losses.h -- losses.
 *
 * A loss is a composition of ops (tapir/ops.h) and has no kernel and no derivative of its own: what is here could
 * be written the same way outside the library, and gradients of any order exist.  Each loss opens a scope with its
 * name, so messages say, for example,
 *
 *     bounded_mse/mse: the target is f32[64] and the prediction f32[64,1]: ... at train.c:42
 *
 * Options come last; NULL means all defaults, and a zeroed field means its default:
 *
 *     tp_huber(prediction, target, &(tp_huber_options){.delta = 0.5, .reduction = TP_SUM})
 *
 * Every loss first yields one number per element (mse, huber) or per row (cross_entropy); below these are r[i].
 *
 * Weights.  `weight` (optional) has the loss's dtype and a shape that broadcasts to r's, and r[i] becomes
 * weight[i] r[i].  An element with weight 0 is left out: it yields 0 and no gradient to what it was computed from,
 * even where that is NaN or infinite (a missing target, say).  A weight is an ordinary tensor and may receive a
 * gradient, of a mean also through what the mean divides by.  Weights should not be negative.
 *
 * What a mean divides by.  One rule: the sum of the weights, each counting 1 when there are none.
 *
 *     TP_MEAN   sum of weight[i] r[i] / sum of weight[i]       without weights: / the number of elements
 *     TP_SUM    sum of weight[i] r[i]
 *     TP_NONE   weight[i] r[i], in r's shape
 *
 * So weights of 0 and 1 give the mean over what is left in, a common factor of all weights changes nothing, and a
 * weight of 2 is like having an element twice.  scikit-learn's sample_weight and the class weights of PyTorch's
 * cross_entropy do the same; Keras' sample_weight and PyTorch's binary_cross_entropy(weight=) divide by the number of
 * elements instead: for that take tp_mean of the loss with TP_NONE.
 *
 * Empty means.  When a mean would divide by 0 (no elements, all weights 0, every label ignored) the loss is 0 and so
 * are its gradients; it is never NaN.
 *
 * Errors, all at recording unless said otherwise: a tensor that is absent, stale or another tape's (TP_BAD_HANDLE),
 * a weight or target of another dtype (TP_BAD_DTYPE), shapes that do not fit (TP_BAD_SHAPE), senseless options
 * (TP_BAD_ARGUMENT).
 */
#ifndef TAPIR_LOSSES_H
#define TAPIR_LOSSES_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of the elements' losses. */
typedef enum tp_reduction {
    TP_MEAN = 0, /* a 0-d tensor; see "What a mean divides by" */
    TP_SUM,      /* a 0-d tensor */
    TP_NONE      /* one number per element or row */
} tp_reduction;

/* ---- For losses of your own ------------------------------------------------------------------------- */

/* Reduces the elements' losses `r` (f32 or f64, any shape) as every loss here does: with the rules above for weights,
 * what a mean divides by, and empty means.  `weight` is optional ((tp_tensor){0}). */
TP_API tp_tensor tp_loss_reduce(tp_tensor r, tp_tensor weight, tp_reduction reduction);

/* ---- Regression ------------------------------------------------------------------------------------- */

typedef struct tp_loss_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element; see "Weights" */
    bool broadcast;         /* let prediction and target broadcast against each other */
} tp_loss_options;

/* Mean squared error: r = (prediction - target)^2.
 *
 * f32 or f64.  The target has exactly the prediction's shape, or is a single number (tp_scalar or 0-d).  Shapes that
 * merely broadcast, such as [n] against [n,1], are TP_BAD_SHAPE, since r would be [n,n]; if that is meant, say so
 * with .broadcast, and r has the broadcast shape.  Both may receive gradients: 2 (prediction - target). */
TP_API tp_tensor tp_mse(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

typedef struct tp_huber_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element; see "Weights" */
    bool broadcast;         /* as in tp_loss_options */
    double delta;           /* default: 1 */
} tp_huber_options;

/* Huber's loss, with d = prediction - target:
 *
 *     r = d^2 / 2                     where |d| <= delta
 *     r = delta (|d| - delta / 2)     elsewhere
 *
 * Its gradient is d clamped to [-delta, delta].  delta > 0 (0 stands for the default, 1); a negative or NaN delta is
 * TP_BAD_ARGUMENT, an infinite one gives d^2 / 2 everywhere.  Shapes and dtypes as in tp_mse.  Kink: at |d| = delta
 * the second derivative is that of the square, 1.  (Huber, "Robust Estimation of a Location Parameter", 1964.) */
TP_API tp_tensor tp_huber(tp_tensor prediction, tp_tensor target, const tp_huber_options *options);

/* ---- Classification --------------------------------------------------------------------------------- */

typedef struct tp_cross_entropy_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row; see "Weights" */
    tp_tensor class_weight; /* [C], one per class; default: 1 each */
    double label_smoothing; /* in [0, 1] */
    tp_optional_int ignore; /* rows with this label are left out; only with class indices */
    tp_optional_int axis;   /* of the classes; default: 1, or 0 when logits have rank 1 */
} tp_cross_entropy_options;

/* Cross-entropy of softmax(logits) against class indices or class probabilities.
 *
 * logits: f32 or f64, of C >= 1 unnormalised scores along the class axis; a row is what is left of the shape without
 * that axis.  With lp = log_softmax(logits), w = class_weight, e = label_smoothing:
 *
 *  - target i32, of the rows' shape: class indices y.  They are checked at run time: one outside [0, C), other than
 *    `ignore`, ends the run with TP_BAD_VALUE and names its element.
 *
 *        r = -(1 - e) w[y] lp[y] - e / C sum_c w[c] lp[c],     0 for ignored rows
 *
 *    The mean divides by the sum of weight w[y] over the rows that are not ignored: as PyTorch, the classes' weights
 *    count as weights of the rows.
 *
 *  - target of the logits' dtype and shape: probabilities t, which should sum to 1 along the class axis.  They may
 *    receive a gradient.
 *
 *        r = -sum_c w[c] ((1 - e) t[c] + e / C) lp[c]
 *
 *    The mean divides by the sum of `weight`, so without it by the number of rows, whatever the class weights: also as
 *    PyTorch.  `ignore` is TP_BAD_ARGUMENT here: use a weight of 0.
 *
 * Stable for logits of any finite size, and for -inf (a class that is ruled out): a class whose factor of lp[c] is 0
 * contributes 0 also where lp[c] is -inf.  A target on a class with logit -inf is an infinite loss, and so is any
 * label smoothing over such a class unless its class weight is 0.  A logit of +inf, or a row of -inf, gives NaN.
 *
 * An ignored row takes no part, even where its logits are NaN.  An ignored label may lie in [0, C) or outside.
 * (Label smoothing: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.) */
TP_API tp_tensor tp_cross_entropy(tp_tensor logits, tp_tensor target,
                                  const tp_cross_entropy_options *options);

/* ---- Places ----------------------------------------------------------------------------------------- */

#ifndef TP_NO_PLACE
#define tp_loss_reduce(r, ...)        tp_loss_reduce(TP_HERE(r), __VA_ARGS__)
#define tp_mse(prediction, ...)       tp_mse(TP_HERE(prediction), __VA_ARGS__)
#define tp_huber(prediction, ...)     tp_huber(TP_HERE(prediction), __VA_ARGS__)
#define tp_cross_entropy(logits, ...) tp_cross_entropy(TP_HERE(logits), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
