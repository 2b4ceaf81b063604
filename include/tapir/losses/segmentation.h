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

typedef struct tp_generalised_dice_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per sample, if per_sample */
    bool per_sample;        /* an r for each sample */
    double epsilon;         /* default: 1e-6 */
} tp_generalised_dice_options;

/* Generalised Dice loss of several classes, in which a class counts the more the smaller it is: prediction and target are
 * [N, C, ...], the prediction holding probabilities.  With TP, FP and FN of each class over samples and pixels (or, with
 * .per_sample, over the pixels of a sample) and w[c] = 1 / max((sum t)^2, epsilon):
 *
 *     r = sum_c w[c] (FP + FN) / max(sum_c w[c] (2 TP + FP + FN), epsilon)
 *       = 1 - 2 sum_c w[c] sum p t / sum_c w[c] (sum p + sum t)             where that sum is at least epsilon
 *
 * so r is 0-d, or [N].  A class that is not in the target has the weight 1 / epsilon, and outweighs all others as soon as
 * anything of it is predicted: 1e-6 is a hard lesson, 1 a mild one.  A target's gradient includes that of w.  Nothing
 * there and nothing predicted: r = 0.  epsilon > 0, else TP_BAD_ARGUMENT.  (Sudre et al., "Generalised Dice overlap
 * as a deep learning loss function for highly unbalanced segmentations", DLMIA 2017.) */
TP_API tp_tensor tp_generalised_dice(tp_tensor prediction, tp_tensor target,
                                     const tp_generalised_dice_options *options);

/* ---- Pixels and overlap together --------------------------------------------------------------------- */

typedef struct tp_bce_dice_options {
    tp_reduction reduction;         /* default: mean */
    tp_tensor weight;               /* per region */
    bool per_sample;                /* a region for each sample */
    bool per_class;                 /* a region for each class */
    tp_optional_number smooth;      /* default: 1 */
    tp_optional_number bce_weight;  /* default: 1 */
    tp_optional_number dice_weight; /* default: 1 */
} tp_bce_dice_options;

/* Binary cross-entropy, which sees every pixel, and Dice, which sees the whole, of logits:
 *
 *     r = bce_weight mean over the region of bce_with_logits(logits, t) + dice_weight dice(logits, t)
 *
 * both as exact as they are alone, by tp_bce_with_logits and by tp_dice with .from_logits.  A weight that is negative or
 * infinite is TP_BAD_ARGUMENT. */
TP_API tp_tensor tp_bce_dice(tp_tensor logits, tp_tensor target, const tp_bce_dice_options *options);

typedef struct tp_combo_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per region */
    bool per_sample;           /* a region for each sample */
    bool per_class;            /* a region for each class */
    bool from_logits;          /* the prediction holds logits */
    tp_optional_number smooth; /* default: 1 */
    tp_optional_number alpha;  /* of the cross-entropy, that of Dice being 1 - alpha; default: 0.5 */
    tp_optional_number beta;   /* of t = 1, that of t = 0 being 1 - beta; default: 0.5 */
    double epsilon;            /* what is cut off on either side; default: 1e-7 */
} tp_combo_options;

/* Combo loss: a cross-entropy that weighs what is missed (beta > 1/2) or wrongly predicted (beta < 1/2), less Dice's
 * coefficient.  With q = p, cut to [epsilon, 1 - epsilon]:
 *
 *     r = alpha mean over the region of -(beta t log q + (1 - beta) (1 - t) log(1 - q))
 *         - (1 - alpha) (2 sum p t + smooth) / (sum p + sum t + smooth)
 *
 * which at its best is about -(1 - alpha), not 0.  Where p was cut, it passes no gradient to the logarithms.  alpha and
 * beta in [0, 1], 0 < epsilon < 1/2, else TP_BAD_ARGUMENT.  (Taghanaki et al., "Combo loss: Handling input and output
 * imbalance in multi-organ segmentation", Computerized Medical Imaging and Graphics 75, 2019.) */
TP_API tp_tensor tp_combo(tp_tensor prediction, tp_tensor target, const tp_combo_options *options);

/* ---- By sorted errors -------------------------------------------------------------------------------- */

typedef struct tp_lovasz_hinge_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per region */
    bool per_sample;        /* a region for each sample */
} tp_lovasz_hinge_options;

/* Lovasz's extension of Jaccard's loss, of logits and labels t of 0 and 1.  The errors e = 1 - logits (2 t - 1) of a region's
 * pixels are put in descending order, the labels g alongside; with G = sum g and J[k] the Jaccard loss of getting the first
 * k pixels wrong:
 *
 *     J[k] = 1 - (G - (g[1] + ... + g[k])) / (G + k - (g[1] + ... + g[k])),      J[0] = 0
 *     r = sum_k max(0, e[k]) (J[k] - J[k - 1])
 *
 * which is convex and piecewise linear in the logits: second derivatives are 0.  In a region without any t = 1, J[k] = 1 from
 * the first on and r is the largest error; a region without pixels has r = 0.  The differences of J are computed without
 * subtracting its values, so many pixels lose no digits.  The labels are of the logits' dtype or i32 and meant as
 * constants.  Kinks: gradient 0 at e = 0; of errors that tie, the one that comes first counts as the larger.  (Berman,
 * Triki and Blaschko, "The Lovasz-Softmax loss", CVPR 2018.) */
TP_API tp_tensor tp_lovasz_hinge(tp_tensor logits, tp_tensor target, const tp_lovasz_hinge_options *options);

typedef struct tp_lovasz_softmax_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per region */
    bool per_sample;        /* a region for each sample: the first of the axes that are not the classes' */
    bool all_classes;       /* classes that do not occur count, too */
    tp_optional_int ignore; /* pixels with this label are left out */
    tp_optional_int axis;   /* of the classes, as in tapir/losses/classification.h */
} tp_lovasz_softmax_options;

/* The same of class probabilities p (of tp_softmax, not logits) and class indices y, as in tapir/losses/classification.h:
 * prediction [P, C], or [N, C, ...], and target i32 without the class axis.  For each class c, with
 * e = |[y = c] - p[c]| and g = [y = c] in descending order of e, and J as above:
 *
 *     r = mean over the classes of sum_k e[k] (J[k] - J[k - 1])
 *
 * over the classes that occur in the region, or over all.  Pixels that are ignored have no part in any class; if no class
 * occurs r = 0.  Kinks: gradient 0 at e = 0; ties as above.  (As above.) */
TP_API tp_tensor tp_lovasz_softmax(tp_tensor prediction, tp_tensor target,
                                   const tp_lovasz_softmax_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_dice(prediction, ...)             tp_dice(TP_HERE(prediction), __VA_ARGS__)
#define tp_jaccard(prediction, ...)          tp_jaccard(TP_HERE(prediction), __VA_ARGS__)
#define tp_tversky(prediction, ...)          tp_tversky(TP_HERE(prediction), __VA_ARGS__)
#define tp_focal_tversky(prediction, ...)    tp_focal_tversky(TP_HERE(prediction), __VA_ARGS__)
#define tp_generalised_dice(prediction, ...) tp_generalised_dice(TP_HERE(prediction), __VA_ARGS__)
#define tp_bce_dice(logits, ...)             tp_bce_dice(TP_HERE(logits), __VA_ARGS__)
#define tp_combo(prediction, ...)            tp_combo(TP_HERE(prediction), __VA_ARGS__)
#define tp_lovasz_hinge(logits, ...)         tp_lovasz_hinge(TP_HERE(logits), __VA_ARGS__)
#define tp_lovasz_softmax(prediction, ...)   tp_lovasz_softmax(TP_HERE(prediction), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
