/* tapir/losses/classification.h -- losses of predicted probabilities and scores of classes.  The conventions are in
 * tapir/losses.h.
 *
 * "Logits" are scores of any size, whose sigmoid or softmax is the probability.  Losses over classes have a class axis:
 * by default 1, or 0 when the scores have rank 1; a row is what is left of the shape without that axis, and r has one
 * number per row.  Class indices are i32 of the rows' shape and are checked at run time: one outside [0, C), other than
 * `ignore`, ends the run with TP_BAD_VALUE and names its element.  Class weights are [C], one number per class.
 */
#ifndef TAPIR_LOSSES_CLASSIFICATION_H
#define TAPIR_LOSSES_CLASSIFICATION_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Yes or no, element by element ------------------------------------------------------------------- */

/* Binary cross-entropy of probabilities p against targets t in [0, 1]:
 *
 *     r = -(t log p + (1 - t) log(1 - p))         each logarithm at least -100
 *
 * A logarithm that was cut off at -100 passes no gradient, and p = 0 and p = 1 get none at all.  p outside [0, 1] gives
 * NaN.  If p is the sigmoid of something, bce_with_logits of that is exact where this is not.
 * The target is of p's dtype or i32; the mean with weights: see tapir/losses.h (PyTorch's is TP_MEAN_BY_COUNT). */
TP_API tp_tensor tp_bce(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

typedef struct tp_bce_with_logits_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    tp_tensor pos_weight;   /* factor of the positive part, broadcasts to r's shape; default: 1 */
} tp_bce_with_logits_options;

/* Binary cross-entropy of s = sigmoid(logits) against targets t in [0, 1]:
 *
 *     r = -(pos_weight t log s + (1 - t) log(1 - s))
 *
 * evaluated as x (h - t) + log(1 + e^-|x|), h being 1 where the logit x >= 0 and else 0: it never overflows, and
 * value and gradient, sigmoid(x) - t, keep their relative accuracy also where they are tiny (t = 1 and x = 40, say).
 * Infinite logits may give NaN.  The target is of the logits' dtype or i32. */
TP_API tp_tensor tp_bce_with_logits(tp_tensor logits, tp_tensor target,
                                    const tp_bce_with_logits_options *options);

typedef struct tp_focal_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    double alpha; /* weight of t = 1, that of t = 0 being 1 - alpha; default: 0.25; negative: 1 for both */
    tp_optional_number gamma; /* default: 2; {true, 0} is bce_with_logits times alpha's weights */
} tp_focal_options;

/* Focal loss: binary cross-entropy that counts elements less the better they are known already.  With s =
 * sigmoid(logits) and the probability of what is true, q = s t + (1 - s) (1 - t):
 *
 *     r = (alpha t + (1 - alpha) (1 - t)) (1 - q)^gamma bce_with_logits(logits, t)
 *
 * alpha <= 1 and gamma >= 0, else TP_BAD_ARGUMENT.  The target is of the logits' dtype or i32.  alpha does not count in
 * what a mean divides by.  (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.) */
TP_API tp_tensor tp_focal(tp_tensor logits, tp_tensor target, const tp_focal_options *options);

/* ---- One of several classes -------------------------------------------------------------------------- */

typedef struct tp_cross_entropy_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    tp_tensor class_weight; /* [C]; default: 1 each */
    double label_smoothing; /* in [0, 1] */
    tp_optional_int ignore; /* rows with this label are left out; only with class indices */
    tp_optional_int axis;   /* of the classes */
} tp_cross_entropy_options;

/* Cross-entropy of softmax(logits) against class indices or class probabilities.
 *
 * logits: f32 or f64, of C >= 1 classes.  With lp = log_softmax(logits), w = class_weight, e = label_smoothing:
 *
 *  - target i32, of the rows' shape: class indices y.
 *
 *        r = -(1 - e) w[y] lp[y] - e / C sum_c w[c] lp[c],     0 for ignored rows
 *
 *    TP_MEAN divides by the sum of weight w[y] over the rows that are not ignored: as PyTorch, the classes' weights
 *    count as weights of the rows.
 *
 *  - target of the logits' dtype and shape: probabilities t, which should sum to 1 along the class axis.  They may
 *    receive a gradient.
 *
 *        r = -sum_c w[c] ((1 - e) t[c] + e / C) lp[c]
 *
 *    TP_MEAN divides by the sum of `weight`, so without it by the number of rows, whatever the class weights: also as
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

typedef struct tp_nll_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    tp_tensor class_weight; /* [C]; default: 1 each */
    tp_optional_int ignore; /* rows with this label are left out */
    tp_optional_int axis;   /* of the classes */
} tp_nll_options;

/* Negative log likelihood: r = -w[y] prediction[y], the prediction holding log-probabilities and the target class
 * indices y; 0 for ignored rows.  TP_MEAN divides as that of cross_entropy with class indices.  Of log_softmax(logits)
 * it is cross_entropy. */
TP_API tp_tensor tp_nll(tp_tensor prediction, tp_tensor target, const tp_nll_options *options);

typedef struct tp_categorical_cross_entropy_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    double label_smoothing; /* in [0, 1] */
    double epsilon;         /* in (0, 1/2]; default: 1e-7 */
    tp_optional_int axis;   /* of the classes */
} tp_categorical_cross_entropy_options;

/* Cross-entropy of probabilities that come without their logits.  q = prediction / sum of prediction along the class
 * axis, cut to [epsilon, 1 - epsilon]; t = target (1 - e) + e / C with e = label_smoothing:
 *
 *     r = -sum_c t[c] log q[c]
 *
 * What was cut passes no gradient.  The target has the prediction's dtype and shape.  A row whose sum is 0 gives NaN. */
TP_API tp_tensor tp_categorical_cross_entropy(tp_tensor prediction, tp_tensor target,
                                              const tp_categorical_cross_entropy_options *options);

typedef struct tp_focal_categorical_options {
    tp_reduction reduction;   /* default: mean */
    tp_tensor weight;         /* per row */
    tp_tensor class_weight;   /* [C], "alpha"; default: 1 each */
    tp_optional_number gamma; /* default: 2; {true, 0} is cross_entropy */
    tp_optional_int ignore;   /* rows with this label are left out */
    tp_optional_int axis;     /* of the classes */
} tp_focal_categorical_options;

/* Focal loss of several classes: with lp = log_softmax(logits)[y] and class indices y
 *
 *     r = -w[y] (1 - e^lp)^gamma lp,     0 for ignored rows
 *
 * gamma >= 0, else TP_BAD_ARGUMENT.  TP_MEAN divides by the sum of `weight` over the rows that are not ignored; the
 * classes' weights do not count in it.  (Lin et al., ICCV 2017.) */
TP_API tp_tensor tp_focal_categorical(tp_tensor logits, tp_tensor target,
                                      const tp_focal_categorical_options *options);

/* ---- Several classes at once ------------------------------------------------------------------------- */

typedef struct tp_multilabel_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    tp_tensor class_weight; /* [C]; default: 1 each */
    tp_optional_int axis;   /* of the classes */
} tp_multilabel_options;

/* Binary cross-entropy of every class, the mean over the classes:
 *
 *     r = -1 / C sum_c w[c] (t[c] log s[c] + (1 - t[c]) log(1 - s[c])),      s = sigmoid(logits)
 *
 * evaluated as bce_with_logits.  The target has the logits' shape, and their dtype or i32. */
TP_API tp_tensor tp_multilabel_soft_margin(tp_tensor logits, tp_tensor target,
                                           const tp_multilabel_options *options);

/* ---- Distributions ----------------------------------------------------------------------------------- */

typedef struct tp_kl_div_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    bool log_target;        /* the target holds log-probabilities, too */
} tp_kl_div_options;

/* Kullback and Leibler's divergence of target from prediction, elementwise; the prediction holds log-probabilities:
 *
 *     r = target (log target - prediction),       0 where the target is 0
 *     r = exp(target) (target - prediction)       with .log_target
 *
 * Summed over the outcomes of one distribution that is the divergence; TP_MEAN, which also divides by the number of
 * outcomes, is not: of a batch take TP_MEAN_BY_BATCH. */
TP_API tp_tensor tp_kl_div(tp_tensor prediction, tp_tensor target, const tp_kl_div_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_bce(prediction, ...)         tp_bce(TP_HERE(prediction), __VA_ARGS__)
#define tp_bce_with_logits(logits, ...) tp_bce_with_logits(TP_HERE(logits), __VA_ARGS__)
#define tp_focal(logits, ...)           tp_focal(TP_HERE(logits), __VA_ARGS__)
#define tp_cross_entropy(logits, ...)   tp_cross_entropy(TP_HERE(logits), __VA_ARGS__)
#define tp_nll(prediction, ...)         tp_nll(TP_HERE(prediction), __VA_ARGS__)
#define tp_categorical_cross_entropy(prediction, ...)                                                        \
    tp_categorical_cross_entropy(TP_HERE(prediction), __VA_ARGS__)
#define tp_focal_categorical(logits, ...)      tp_focal_categorical(TP_HERE(logits), __VA_ARGS__)
#define tp_multilabel_soft_margin(logits, ...) tp_multilabel_soft_margin(TP_HERE(logits), __VA_ARGS__)
#define tp_kl_div(prediction, ...)             tp_kl_div(TP_HERE(prediction), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
