/* loss_rows_segmentation.h -- the rows of loss_rows.h for include/tapir/losses/segmentation.h. */
#ifndef TAPIR_TESTS_LOSS_ROWS_SEGMENTATION_H
#define TAPIR_TESTS_LOSS_ROWS_SEGMENTATION_H

/* ---- Overlaps -------------------------------------------------------------------------------------- */

RULE(row_dice)
{
    return tp_dice(x[0], x[1], &(tp_dice_options){COMMON});
}

RULE(row_dice_sample)
{
    return tp_dice(x[0], x[1], &(tp_dice_options){COMMON, .per_sample = true, .smooth = {true, 0}});
}

RULE(row_dice_class)
{
    return tp_dice(x[0], x[1],
                   &(tp_dice_options){COMMON, .per_class = true, .from_logits = true, .smooth = {true, 0.1}});
}

RULE(row_dice_squared)
{
    return tp_dice(x[0], x[1], &(tp_dice_options){COMMON, .per_sample = true, .squared = true});
}

RULE(row_dice_squared_logits)
{
    return tp_dice(x[0], x[1], &(tp_dice_options){COMMON, .squared = true, .from_logits = true});
}

RULE(row_jaccard)
{
    return tp_jaccard(x[0], x[1], &(tp_jaccard_options){COMMON, .per_sample = true, .per_class = true});
}

RULE(row_jaccard_logits)
{
    return tp_jaccard(x[0], x[1], &(tp_jaccard_options){COMMON, .from_logits = true});
}

RULE(row_tversky)
{
    return tp_tversky(
        x[0], x[1], &(tp_tversky_options){COMMON, .per_sample = true, .alpha = {true, 0}, .beta = {true, 2}});
}

RULE(row_tversky_logits)
{
    return tp_tversky(x[0], x[1], &(tp_tversky_options){COMMON, .from_logits = true});
}

RULE(row_focal_tversky)
{
    return tp_focal_tversky(x[0], x[1], &(tp_focal_tversky_options){COMMON, .per_sample = true});
}

RULE(row_focal_tversky_square)
{
    return tp_focal_tversky(x[0], x[1], &(tp_focal_tversky_options){COMMON, .from_logits = true, .gamma = 2});
}

RULE(row_generalised_dice)
{
    return tp_generalised_dice(x[0], x[1], &(tp_generalised_dice_options){COMMON});
}

RULE(row_generalised_dice_sample)
{
    return tp_generalised_dice(x[0], x[1],
                               &(tp_generalised_dice_options){COMMON, .per_sample = true, .epsilon = 0.5});
}

/* ---- Pixels and overlap together --------------------------------------------------------------------- */

RULE(row_bce_dice)
{
    return tp_bce_dice(x[0], x[1], &(tp_bce_dice_options){COMMON, .dice_weight = {true, 0.5}});
}

RULE(row_bce_dice_sample)
{
    return tp_bce_dice(x[0], x[1],
                       &(tp_bce_dice_options){COMMON, .per_sample = true, .bce_weight = {true, 2}});
}

RULE(row_bce_dice_class)
{
    return tp_bce_dice(x[0], x[1], &(tp_bce_dice_options){COMMON, .per_sample = true, .per_class = true});
}

RULE(row_combo)
{
    return tp_combo(x[0], x[1], &(tp_combo_options){COMMON, .alpha = {true, 0.7}, .beta = {true, 0.2}});
}

RULE(row_combo_logits)
{
    return tp_combo(x[0], x[1],
                    &(tp_combo_options){COMMON, .per_sample = true, .from_logits = true, .epsilon = 0.2});
}

/* ---- By sorted errors -------------------------------------------------------------------------------- */

RULE(row_lovasz_hinge)
{
    return tp_lovasz_hinge(x[0], x[1], &(tp_lovasz_hinge_options){COMMON});
}

RULE(row_lovasz_hinge_sample)
{
    return tp_lovasz_hinge(x[0], x[1], &(tp_lovasz_hinge_options){COMMON, .per_sample = true});
}

RULE(row_lovasz_softmax)
{
    return tp_lovasz_softmax(x[0], x[1], &(tp_lovasz_softmax_options){COMMON});
}

RULE(row_lovasz_softmax_sample)
{
    return tp_lovasz_softmax(x[0], x[1],
                             &(tp_lovasz_softmax_options){COMMON, .per_sample = true, .ignore = {true, 0}});
}

RULE(row_lovasz_softmax_first)
{
    return tp_lovasz_softmax(x[0], x[1],
                             &(tp_lovasz_softmax_options){COMMON, .all_classes = true, .axis = {true, 0}});
}

/* ---- The rows -------------------------------------------------------------------------------------- */

#define SEGMENTATION_LOSS_ROWS                                                                               \
    {"dice", "dice", {{PROBABILITY, "ND"}, {PROBABILITY, "ND"}}, "", .record = row_dice},                    \
        {"dice, one number", "dice", {{PROBABILITY, ""}, {LABEL, ""}}, "", .record = row_dice},              \
        {"dice, per sample",                                                                                 \
         "dice",                                                                                             \
         {{PROBABILITY, "ND"}, {LABEL_I32, "ND"}},                                                           \
         "N",                                                                                                \
         .record = row_dice_sample},                                                                         \
        {"dice, per class", "dice", {{NUMBER, "NCD"}, {LABEL, "NCD"}}, "C", .record = row_dice_class},       \
        {"dice, squared",                                                                                    \
         "dice",                                                                                             \
         {{PROBABILITY, "ND1"}, {PROBABILITY, "ND1"}},                                                       \
         "N",                                                                                                \
         .record = row_dice_squared},                                                                        \
        {"dice, squared, logits",                                                                            \
         "dice",                                                                                             \
         {{NUMBER, "NC"}, {LABEL_I32, "NC"}},                                                                \
         "",                                                                                                 \
         .record = row_dice_squared_logits},                                                                 \
        {"jaccard", "jaccard", {{PROBABILITY, "NCD"}, {PROBABILITY, "NCD"}}, "NC", .record = row_jaccard},   \
        {"jaccard, logits",                                                                                  \
         "jaccard",                                                                                          \
         {{NUMBER, "ND"}, {LABEL_I32, "ND"}},                                                                \
         "",                                                                                                 \
         .record = row_jaccard_logits},                                                                      \
        {"tversky", "tversky", {{PROBABILITY, "NC"}, {PROBABILITY, "NC"}}, "N", .record = row_tversky},      \
        {"tversky, logits",                                                                                  \
         "tversky",                                                                                          \
         {{NUMBER, "ND"}, {PROBABILITY, "ND"}},                                                              \
         "",                                                                                                 \
         .record = row_tversky_logits},                                                                      \
        {"focal_tversky",                                                                                    \
         "focal_tversky",                                                                                    \
         {{PROBABILITY, "ND"}, {PROBABILITY, "ND"}},                                                         \
         "N",                                                                                                \
         .record = row_focal_tversky},                                                                       \
        {"focal_tversky, squared",                                                                           \
         "focal_tversky",                                                                                    \
         {{NUMBER, "ND"}, {LABEL_I32, "ND"}},                                                                \
         "",                                                                                                 \
         .record = row_focal_tversky_square},                                                                \
        {"generalised_dice",                                                                                 \
         "generalised_dice",                                                                                 \
         {{PROBABILITY, "NCD"}, {PROBABILITY, "NCD"}},                                                       \
         "",                                                                                                 \
         .record = row_generalised_dice},                                                                    \
        {"generalised_dice, per sample",                                                                     \
         "generalised_dice",                                                                                 \
         {{PROBABILITY, "NCD"}, {LABEL, "NCD"}},                                                             \
         "N",                                                                                                \
         .record = row_generalised_dice_sample},                                                             \
        {"bce_dice", "bce_dice", {{NUMBER, "ND"}, {PROBABILITY, "ND"}}, "", .record = row_bce_dice},         \
        {"bce_dice, per sample",                                                                             \
         "bce_dice",                                                                                         \
         {{NUMBER, "ND"}, {LABEL_I32, "ND"}},                                                                \
         "N",                                                                                                \
         .record = row_bce_dice_sample},                                                                     \
        {"bce_dice, per class",                                                                              \
         "bce_dice",                                                                                         \
         {{NUMBER, "NCD"}, {LABEL, "NCD"}},                                                                  \
         "NC",                                                                                               \
         .record = row_bce_dice_class},                                                                      \
        {"combo", "combo", {{PROBABILITY, "ND"}, {PROBABILITY, "ND"}}, "", .record = row_combo},             \
        {"combo, logits", "combo", {{NUMBER, "ND"}, {LABEL_I32, "ND"}}, "N", .record = row_combo_logits},    \
        {"lovasz_hinge",                                                                                     \
         "lovasz_hinge",                                                                                     \
         {{NUMBER, "ND"}, {LABEL_I32, "ND"}},                                                                \
         "",                                                                                                 \
         .record = row_lovasz_hinge},                                                                        \
        {"lovasz_hinge, per sample",                                                                         \
         "lovasz_hinge",                                                                                     \
         {{NUMBER, "NCD"}, {LABEL, "NCD"}},                                                                  \
         "N",                                                                                                \
         .record = row_lovasz_hinge_sample},                                                                 \
        {"lovasz_softmax",                                                                                   \
         "lovasz_softmax",                                                                                   \
         {{PROBABILITY, "NCD"}, {CLASS, "ND"}},                                                              \
         "",                                                                                                 \
         .record = row_lovasz_softmax},                                                                      \
        {"lovasz_softmax, per sample",                                                                       \
         "lovasz_softmax",                                                                                   \
         {{PROBABILITY, "NC1"}, {CLASS, "N1"}},                                                              \
         "N",                                                                                                \
         .record = row_lovasz_softmax_sample},                                                               \
        {"lovasz_softmax, first",                                                                            \
         "lovasz_softmax",                                                                                   \
         {{PROBABILITY, "CND"}, {CLASS, "ND"}},                                                              \
         "",                                                                                                 \
         .record = row_lovasz_softmax_first},

#endif
