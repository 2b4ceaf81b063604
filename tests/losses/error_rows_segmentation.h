/* error_rows_segmentation.h -- the rows of test_errors.c for regions.c, segmentation.c and lovasz.c. */
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

CALL(generalised_rank, tp_generalised_dice(w->n, w->n, NULL))
CALL(generalised_epsilon, tp_generalised_dice(w->nc, w->nc, &(tp_generalised_dice_options){.epsilon = -1}))
CALL(bce_dice_smooth, tp_bce_dice(w->nc, w->nc, &(tp_bce_dice_options){.smooth = {true, -1}}))
CALL(bce_dice_bce, tp_bce_dice(w->nc, w->nc, &(tp_bce_dice_options){.bce_weight = {true, -2}}))
CALL(bce_dice_dice, tp_bce_dice(w->nc, w->nc, &(tp_bce_dice_options){.dice_weight = {true, HUGE_VAL}}))
CALL(combo_alpha, tp_combo(w->nc, w->nc, &(tp_combo_options){.alpha = {true, 1.5}}))
CALL(combo_beta, tp_combo(w->nc, w->nc, &(tp_combo_options){.beta = {true, -0.5}}))
CALL(combo_epsilon, tp_combo(w->nc, w->nc, &(tp_combo_options){.epsilon = 0.5}))

/* ---- lovasz.c -------------------------------------------------------------------------------------- */

CALL(lovasz_shape, tp_lovasz_hinge(w->nc, w->nd, NULL))
CALL(lovasz_samples, tp_lovasz_hinge(w->zero, w->zero, &(tp_lovasz_hinge_options){.per_sample = true}))
CALL(lovasz_indices, tp_lovasz_softmax(w->nc, w->nc, NULL))
CALL(lovasz_axis, tp_lovasz_softmax(w->nc, w->whole, &(tp_lovasz_softmax_options){.axis = {true, 2}}))
CALL(lovasz_row, tp_lovasz_softmax(w->c, tp_full(w->tape, TP_I32, TP_SHAPE_0D, 0),
                                   &(tp_lovasz_softmax_options){.per_sample = true}))

#define SEGMENTATION_ERROR_ROWS                                                                                \
    {"regions.c", no_samples, TP_BAD_SHAPE, "dice: the prediction is f64[], but must be [N, ...]"},            \
        {"regions.c", samples_no_classes, TP_BAD_SHAPE,                                                        \
         "jaccard: the prediction is f64[4], but must be [N, C, ...]"},                                        \
        {"common.c", dice_shape, TP_BAD_SHAPE,                                                                 \
         "dice: the target is f64[4,2], but the prediction is f64[4,3]: the shapes must be equal"},            \
        {"common.c", region_weight, TP_BAD_SHAPE,                                                              \
         "dice: the weight is f64[4,3], which does not broadcast to the loss's shape f64[4]"},                 \
        {"segmentation.c", smooth, TP_BAD_ARGUMENT,                                                            \
         "dice: smooth must be finite and not negative, but is -1"},                                           \
        {"segmentation.c", smooth_infinite, TP_BAD_ARGUMENT,                                                   \
         "jaccard: smooth must be finite and not negative, but is inf"},                                       \
        {"segmentation.c", tversky_alpha, TP_BAD_ARGUMENT,                                                     \
         "tversky: alpha must be finite and not negative, but is -0.5"},                                       \
        {"segmentation.c", tversky_beta, TP_BAD_ARGUMENT,                                                      \
         "tversky: beta must be finite and not negative, but is "},                                            \
        {"segmentation.c", tversky_gamma, TP_BAD_ARGUMENT,                                                     \
         "focal_tversky: gamma must be positive and finite, not -2"},                                          \
        {"regions.c", generalised_rank, TP_BAD_SHAPE,                                                          \
         "generalised_dice: the prediction is f64[4], but must be [N, C, ...]"},                               \
        {"segmentation.c", generalised_epsilon, TP_BAD_ARGUMENT,                                               \
         "generalised_dice: epsilon must be positive and finite, not -1"},                                     \
        {"segmentation.c", bce_dice_smooth, TP_BAD_ARGUMENT,                                                   \
         "bce_dice: smooth must be finite and not negative, but is -1"},                                       \
        {"segmentation.c", bce_dice_bce, TP_BAD_ARGUMENT,                                                      \
         "bce_dice: bce_weight must be finite and not negative, but is -2"},                                   \
        {"segmentation.c", bce_dice_dice, TP_BAD_ARGUMENT,                                                     \
         "bce_dice: dice_weight must be finite and not negative, but is inf"},                                 \
        {"segmentation.c", combo_alpha, TP_BAD_ARGUMENT, "combo: alpha must be in [0, 1], not 1.5"},           \
        {"segmentation.c", combo_beta, TP_BAD_ARGUMENT, "combo: beta must be in [0, 1], not -0.5"},            \
        {"segmentation.c", combo_epsilon, TP_BAD_ARGUMENT, "combo: epsilon must be in (0, 1/2), not 0.5"},     \
        {"common.c", lovasz_shape, TP_BAD_SHAPE,                                                               \
         "lovasz_hinge: the target is f64[4,2], but the logits tensor is f64[4,3]: the shapes must be equal"}, \
        {"regions.c", lovasz_samples, TP_BAD_SHAPE,                                                            \
         "lovasz_hinge: the logits tensor is f64[], but must be [N, ...]"},                                    \
        {"classes.c", lovasz_indices, TP_BAD_DTYPE,                                                            \
         "lovasz_softmax: the target is f64[4,3], but must be i32 (class indices) at"},                        \
        {"classes.c", lovasz_axis, TP_BAD_SHAPE,                                                               \
         "lovasz_softmax: class axis 2 is out of range for the predictions f64[4,3]"},                         \
        {"lovasz.c", lovasz_row, TP_BAD_SHAPE,                                                                 \
         "lovasz_softmax: the predictions are f64[3]: they need an axis of samples beside that of the classes"},

#endif
