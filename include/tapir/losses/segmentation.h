/* tapir/losses/segmentation.h -- losses of segmentations: how well what is predicted overlaps with what is there.  The
 * conventions are in tapir/losses.h.
 *
 * A prediction p says of each pixel (voxel, ...) how probable it is that it belongs to the object, and the target t
 * whether it does: 0 or 1, or a number between, of the prediction's dtype or i32, of its shape or one number.  With the
 * option .from_logits the prediction holds logits instead, and p is their sigmoid; then p and 1 - p keep their relative
 * accuracy however large the logits are, and so do value and gradient of the loss.
 *
 * Regions.  An overlap is that of a whole region, so there is one r for each region, and `weight` is one number for each
 * region.  By default all pixels together are one region and r is 0-d.  With .per_sample the first axis goes through
 * samples, each a region of its own, and r is [N]; with .per_class the second axis goes through classes, the prediction
 * being [N, C, ...], and r is [C], or [N, C] with both.  (Of logits of classes that exclude each other take tp_softmax first.)
 *
 * What overlaps, summed over a region:
 *
 *     TP = sum p t        FP = sum p (1 - t)        FN = sum (1 - p) t
 *
 * These are also sums over products where libraries that are given 0 and 1 count.  All losses are computed as a ratio of such
 * sums, not as 1 minus one: so they keep their digits near 0, where a segmentation is nearly perfect.
 *
 * Smoothing.  `smooth` is added to both sides of a ratio, so that a region in which nothing is and nothing is predicted
 * has r = 0.  In an empty region (t = 0) r grows from there to 1 the more is predicted, smooth being the sum of p at which
 * it is about 1/2; a small smooth therefore leaves next to no gradient where an empty region has much predicted in it.  The
 * default is 1, the size of a pixel.  With smooth 0 a region that has neither prediction nor target still has r = 0, with
 * gradient 0.  Negative or infinite is TP_BAD_ARGUMENT.
 */
#ifndef TAPIR_LOSSES_SEGMENTATION_H
#define TAPIR_LOSSES_SEGMENTATION_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Overlaps ---------------------------------------------------------------------------------------- */

typedef struct tp_dice_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per region */
    bool per_sample;           /* a region for each sample */
    bool per_class;            /* a region for each class */
    bool from_logits;          /* the prediction holds logits */
    bool squared;              /* V-Net's denominator */
    tp_optional_number smooth; /* default: 1 */
} tp_dice_options;

/* 1 minus Dice's coefficient, the harmonic mean of precision and recall:
 *
 *     r = 1 - (2 sum p t + smooth) / (sum p + sum t + smooth)
 *       = (FP + FN) / (2 TP + FP + FN + smooth)
 *
 * or, with .squared, which is the same for p and t of 0 and 1:
 *
 *     r = 1 - (2 sum p t + smooth) / (sum p^2 + sum t^2 + smooth)
 *       = sum (p - t)^2 / (sum p^2 + sum t^2 + smooth)
 *
 * (Milletari, Navab and Ahmadi, "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation",
 * 3DV 2016, for the latter.) */
TP_API tp_tensor tp_dice(tp_tensor prediction, tp_tensor target, const tp_dice_options *options);

typedef struct tp_jaccard_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per region */
    bool per_sample;           /* a region for each sample */
    bool per_class;            /* a region for each class */
    bool from_logits;          /* the prediction holds logits */
    tp_optional_number smooth; /* default: 1 */
} tp_jaccard_options;

/* 1 minus Jaccard's index, intersection over union:
 *
 *     r = 1 - (sum p t + smooth) / (sum p + sum t - sum p t + smooth)
 *       = (FP + FN) / (TP + FP + FN + smooth)
 *
 * (Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation", ISVC 2016.) */
TP_API tp_tensor tp_jaccard(tp_tensor prediction, tp_tensor target, const tp_jaccard_options *options);

typedef struct tp_tversky_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per region */
    bool per_sample;           /* a region for each sample */
    bool per_class;            /* a region for each class */
    bool from_logits;          /* the prediction holds logits */
    tp_optional_number smooth; /* default: 1 */
    tp_optional_number alpha;  /* of false positives; default: 0.3 */
    tp_optional_number beta;   /* of false negatives; default: 0.7 */
} tp_tversky_options;

/* 1 minus Tversky's index, which weighs what is wrongly predicted against what is missed:
 *
 *     r = 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)
 *       = (alpha FP + beta FN) / (TP + alpha FP + beta FN + smooth)
 *
 * alpha = beta = 1/2 is Dice's coefficient (with twice the smooth), alpha = beta = 1 Jaccard's index.  A negative or
 * infinite factor is TP_BAD_ARGUMENT.  (Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation
 * using 3D fully convolutional deep networks", MLMI 2017.) */
TP_API tp_tensor tp_tversky(tp_tensor prediction, tp_tensor target, const tp_tversky_options *options);

typedef struct tp_focal_tversky_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per region */
    bool per_sample;           /* a region for each sample */
    bool per_class;            /* a region for each class */
    bool from_logits;          /* the prediction holds logits */
    tp_optional_number smooth; /* default: 1 */
    tp_optional_number alpha;  /* of false positives; default: 0.3 */
    tp_optional_number beta;   /* of false negatives; default: 0.7 */
    double gamma;              /* the exponent; default: 0.75 */
} tp_focal_tversky_options;

/* r = (the r of tp_tversky)^gamma.  Below 1 the exponent turns to regions that are nearly right, above 1 to those that are
 * still wrong.  The paper has the exponent 1 / gamma, of its gamma = 4/3.  gamma > 0, else TP_BAD_ARGUMENT.  Kink: with
 * gamma < 1 the slope is infinite where tversky is 0; the gradient is 0 there.  (Abraham and Khan, "A Novel Focal
 * Tversky Loss Function with Improved Attention U-Net for Lesion Segmentation", ISBI 2019.) */
TP_API tp_tensor tp_focal_tversky(tp_tensor prediction, tp_tensor target,
                                  const tp_focal_tversky_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_dice(prediction, ...)          tp_dice(TP_HERE(prediction), __VA_ARGS__)
#define tp_jaccard(prediction, ...)       tp_jaccard(TP_HERE(prediction), __VA_ARGS__)
#define tp_tversky(prediction, ...)       tp_tversky(TP_HERE(prediction), __VA_ARGS__)
#define tp_focal_tversky(prediction, ...) tp_focal_tversky(TP_HERE(prediction), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
