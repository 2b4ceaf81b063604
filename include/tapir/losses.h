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
 * Every loss first yields one number per element (mse, bce), per row (cross_entropy), per pair (contrastive) or per
 * region (dice); below and in the headers of the families these are r, or r[i].
 *
 * Weights.  `weight` (optional) has the loss's dtype and a shape that broadcasts to r's, and r[i] becomes
 * weight[i] r[i].  An element with weight 0 is left out: it yields 0 and no gradient to what it was computed from,
 * even where that is NaN or infinite (a missing target, say).  A weight is an ordinary tensor and may receive a
 * gradient, of a mean also through what the mean divides by.  Weights should not be negative.  Factors with other names
 * (pos_weight, alpha, class_weight) are part of r and do not count in what a mean divides by, but for the class weights
 * of cross_entropy and nll with class indices.
 *
 * What a mean divides by.  One rule for all losses: TP_MEAN divides by the sum of the weights, each counting 1 when there
 * are none.  The other means divide by a count, whatever the weights.
 *
 *     TP_MEAN            sum of weight[i] r[i] / sum of weight[i]       without weights: / the number of r's
 *     TP_MEAN_BY_COUNT   sum of weight[i] r[i] / the number of r's
 *     TP_MEAN_BY_BATCH   sum of weight[i] r[i] / the size of r's first axis (1 if it has none)
 *     TP_SUM             sum of weight[i] r[i]
 *     TP_NONE            weight[i] r[i], in r's shape
 *
 * With TP_MEAN weights of 0 and 1 give the mean over what is left in, a common factor of all weights changes nothing,
 * and a weight of 2 is like having an element twice.  scikit-learn's sample_weight and the class weights of PyTorch's
 * cross_entropy do the same.  TP_MEAN_BY_COUNT is what Keras' sample_weight and PyTorch's binary_cross_entropy(weight=)
 * mean by "mean"; ignored elements count, too.  TP_MEAN_BY_BATCH is PyTorch's "batchmean", which makes kl_div a divergence.
 *
 * Empty means.  When a mean would divide by 0 (no elements, all weights 0, every label ignored) the loss is 0 and so
 * are its gradients; it is never NaN.
 *
 * Shapes.  A target that merely broadcasts, such as [n] against [n,1], is TP_BAD_SHAPE, for r would be [n,n].  Where a
 * loss takes the option .broadcast, that can be allowed; a single number (tp_scalar or 0-d) always is.
 *
 * Labels.  Where a target says yes or no (0 and 1, or -1 and 1), it may be i32 or of the loss's dtype.
 *
 * Kinks.  "Kink" says what the derivative is where there is none.
 *
 * Errors, all at recording unless said otherwise: a tensor that is absent, stale or another tape's (TP_BAD_HANDLE),
 * a weight or target of another dtype (TP_BAD_DTYPE), shapes that do not fit (TP_BAD_SHAPE), senseless options
 * (TP_BAD_ARGUMENT).
 */
#ifndef TAPIR_LOSSES_H
#define TAPIR_LOSSES_H

#include <tapir/losses/classification.h>
#include <tapir/losses/margin.h>
#include <tapir/losses/metric.h>
#include <tapir/losses/reduction.h>
#include <tapir/losses/regression.h>
#include <tapir/losses/segmentation.h>
#include <tapir/losses/sequence.h>

#endif
