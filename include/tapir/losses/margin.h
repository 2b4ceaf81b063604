/* tapir/losses/margin.h -- losses that are content once a score is on the right side by a margin.  The conventions are
 * in tapir/losses.h; "class axis", "row", "class indices" and "class weights" are those of tapir/losses/classification.h.
 */
#ifndef TAPIR_LOSSES_MARGIN_H
#define TAPIR_LOSSES_MARGIN_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Yes or no, element by element: labels 1 and -1 -------------------------------------------------- */

typedef struct tp_hinge_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per element, row or pair */
    bool broadcast;            /* as in tp_loss_options */
    tp_optional_number margin; /* default: 1 */
} tp_hinge_options;

/* Hinge loss: r = max(0, margin - target prediction).  The target (1 or -1, or a number between) is of the prediction's
 * dtype or i32.  Kink: gradient 0 where target prediction = margin.  With margin 0 the perceptron's loss. */
TP_API tp_tensor tp_hinge(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options);

/* r = max(0, margin - target prediction)^2.  Kink: second derivative 0 where target prediction = margin. */
TP_API tp_tensor tp_squared_hinge(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options);

/* The logistic loss of a score: r = log(1 + e^(-target prediction)), without overflow.  The target is 1 or -1, of the
 * prediction's dtype or i32. */
TP_API tp_tensor tp_soft_margin(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

/* Of a distance (or dissimilarity) of two things and whether they belong together:
 *
 *     r = prediction                         where target > 0 (they do)
 *     r = max(0, margin - prediction)        elsewhere
 *
 * The target is 1 or -1, of the prediction's dtype or i32.  Kink: at prediction = margin the derivative is -1. */
TP_API tp_tensor tp_hinge_embedding(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options);

typedef struct tp_ranking_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per pair */
    double margin;          /* default: 0 */
} tp_ranking_options;

/* Which of two scores is larger: r = max(0, margin - target (first - second)), elementwise; target is 1 when the first
 * should be, else -1, of the scores' dtype or i32.  All have one shape, or the target is a single number.  Kink: where the
 * difference is just the margin the derivative of the maximum counts as 1. */
TP_API tp_tensor tp_margin_ranking(tp_tensor first, tp_tensor second, tp_tensor target,
                                   const tp_ranking_options *options);

/* ---- One of several classes -------------------------------------------------------------------------- */

typedef struct tp_categorical_hinge_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per row */
    tp_optional_number margin; /* default: 1 */
    tp_optional_int axis;      /* of the classes */
} tp_categorical_hinge_options;

/* r = max(0, margin + max_c((1 - t[c]) x[c]) - sum_c t[c] x[c]) by rows, x being the prediction's scores and t the target,
 * one-hot or soft, of the prediction's dtype (or i32) and shape.  Kinks: scores that tie in the maximum share the gradient;
 * gradient 0 at the corner. */
TP_API tp_tensor tp_categorical_hinge(tp_tensor prediction, tp_tensor target,
                                      const tp_categorical_hinge_options *options);

typedef struct tp_multi_margin_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per row */
    tp_tensor class_weight;    /* [C]; default: 1 each */
    tp_optional_number margin; /* default: 1 */
    int power;                 /* 1 or 2; default: 1 */
    tp_optional_int axis;      /* of the classes */
} tp_multi_margin_options;

/* Of class indices y:
 *
 *     r = w[y] / C sum over c != y of max(0, margin - x[y] + x[c])^power
 *
 * The classes' weights do not count in what a mean divides by.  Another power is TP_BAD_ARGUMENT.  Kink: gradient 0 at
 * the corner. */
TP_API tp_tensor tp_multi_margin(tp_tensor prediction, tp_tensor target,
                                 const tp_multi_margin_options *options);

typedef struct tp_multilabel_margin_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
} tp_multilabel_margin_options;

/* Of several classes each: prediction [N, C] or [C]; target i32 of the same shape, each row a list of class indices ended by
 * the first -1 (or by the row's end).  With Y the set of them:
 *
 *     r = 1 / C sum over a in Y, b not in Y of max(0, 1 - (x[a] - x[b]))
 *
 * What follows the first -1 is not looked at; an index outside [0, C) before it ends the run with TP_BAD_VALUE.  An index
 * that is listed twice counts once.  Takes memory for N C^2 numbers at most.  Kink: gradient 0 at the corner. */
TP_API tp_tensor tp_multilabel_margin(tp_tensor prediction, tp_tensor target,
                                      const tp_multilabel_margin_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_hinge(prediction, ...)             tp_hinge(TP_HERE(prediction), __VA_ARGS__)
#define tp_squared_hinge(prediction, ...)     tp_squared_hinge(TP_HERE(prediction), __VA_ARGS__)
#define tp_soft_margin(prediction, ...)       tp_soft_margin(TP_HERE(prediction), __VA_ARGS__)
#define tp_hinge_embedding(prediction, ...)   tp_hinge_embedding(TP_HERE(prediction), __VA_ARGS__)
#define tp_margin_ranking(first, ...)         tp_margin_ranking(TP_HERE(first), __VA_ARGS__)
#define tp_categorical_hinge(prediction, ...) tp_categorical_hinge(TP_HERE(prediction), __VA_ARGS__)
#define tp_multi_margin(prediction, ...)      tp_multi_margin(TP_HERE(prediction), __VA_ARGS__)
#define tp_multilabel_margin(prediction, ...) tp_multilabel_margin(TP_HERE(prediction), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
