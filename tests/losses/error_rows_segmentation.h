/* error_rows_segmentation.h -- the rows of test_errors.c for regions.c and segmentation.c. */
#ifndef TAPIR_TESTS_LOSSES_ERROR_ROWS_SEGMENTATION_H
#define TAPIR_TESTS_LOSSES_ERROR_ROWS_SEGMENTATION_H

/* ---- regions.c ------------------------------------------------------------------------------------- */

CALL(no_samples, tp_dice(w->zero, w->zero, &(tp_dice_options){.per_sample = true}))
CALL(samples_no_classes, tp_jaccard(w->n, w->n, &(tp_jaccard_options){.per_sample = true, .per_class = true}))

/* ---- segmentation.c -------------------------------------------------------------------------------- */

CALL(dice_shape, tp_dice(w->nc, w->nd, NULL))
CALL(smooth, tp_dice(w->nc, w->nc, &(tp_dice_options){.smooth = {true, -1}}))
CALL(smooth_infinite, tp_jaccard(w->nc, w->nc, &(tp_jaccard_options){.smooth = {true, HUGE_VAL}}))
CALL(tversky_alpha, tp_tversky(w->nc, w->nc, &(tp_tversky_options){.alpha = {true, -0.5}}))
CALL(tversky_beta, tp_tversky(w->nc, w->nc, &(tp_tversky_options){.beta = {true, NAN}}))
CALL(tversky_gamma, tp_focal_tversky(w->nc, w->nc, &(tp_focal_tversky_options){.gamma = -2}))
CALL(region_weight, tp_dice(w->nc, w->nc, &(tp_dice_options){.per_sample = true, .weight = w->nc}))

#define SEGMENTATION_ERROR_ROWS                                                                              \
    {"regions.c", no_samples, TP_BAD_SHAPE, "dice: the prediction is f64[], but must be [N, ...]"},          \
        {"regions.c", samples_no_classes, TP_BAD_SHAPE,                                                      \
         "jaccard: the prediction is f64[4], but must be [N, C, ...]"},                                      \
        {"common.c", dice_shape, TP_BAD_SHAPE,                                                               \
         "dice: the target is f64[4,2], but the prediction is f64[4,3]: the shapes must be equal"},          \
        {"common.c", region_weight, TP_BAD_SHAPE,                                                            \
         "dice: the weight is f64[4,3], which does not broadcast to the loss's shape f64[4]"},               \
        {"segmentation.c", smooth, TP_BAD_ARGUMENT,                                                          \
         "dice: smooth must be finite and not negative, but is -1"},                                         \
        {"segmentation.c", smooth_infinite, TP_BAD_ARGUMENT,                                                 \
         "jaccard: smooth must be finite and not negative, but is inf"},                                     \
        {"segmentation.c", tversky_alpha, TP_BAD_ARGUMENT,                                                   \
         "tversky: alpha must be finite and not negative, but is -0.5"},                                     \
        {"segmentation.c", tversky_beta, TP_BAD_ARGUMENT,                                                    \
         "tversky: beta must be finite and not negative, but is "},                                          \
        {"segmentation.c", tversky_gamma, TP_BAD_ARGUMENT,                                                   \
         "focal_tversky: gamma must be positive and finite, not -2"},

#endif
