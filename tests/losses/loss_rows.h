/* loss_rows.h -- every loss of include/tapir/losses/, with its options, for the walk over all of them (test_walk.c).
 *
 * A row says what its operands are like, and records the loss with a given reduction and weight.
 */
#ifndef TAPIR_TESTS_LOSS_ROWS_H
#define TAPIR_TESTS_LOSS_ROWS_H

#include <tapir/losses.h>
#include <tapir/ops.h>

/* What an operand holds. */
typedef enum kind {
    NUMBER = 1,  /* -2 .. 2 */
    POSITIVE,    /* 0.2 .. 2 */
    PROBABILITY, /* 0.05 .. 0.95 */
    LOGARITHM,   /* of a probability */
    LABEL,       /* 0 or 1, a constant of the loss's dtype */
    SIGN,        /* -1 or 1, a constant of the loss's dtype */
    LABEL_I32,   /* 0 or 1 */
    SIGN_I32,    /* -1 or 1 */
    CLASS,       /* a class index */
    GROUP,       /* small i32 numbers */
    LIST,        /* class indices ended by -1 */
    TARGET,      /* class indices that are not 0 */
    FRAMES,      /* lengths up to D */
    LABELS       /* lengths up to 2 of targets that D frames have room for */
} kind;

enum { MOST_OPERANDS = 4 };

typedef struct loss_row {
    const char *name; /* of the function, without tp_, and what is special about it */
    const char *scope;
    struct {
        kind kind;
        const char *shape; /* sizes by letter: N rows, D features, C classes, 1; "?" last: it is optional */
    } x[MOST_OPERANDS];
    const char *r;      /* r's shape, likewise */
    bool own_reduction; /* it has no options for reduction and weight */
    bool counts_itself; /* a mean divides by more than the weights (class weights, rows that do not count) */
    bool by_products;   /* it has matrix products, through which the strong zero does not reach */
    tp_tensor (*record)(const tp_tensor *x, tp_reduction reduction, tp_tensor weight);
} loss_row;

#define RULE(NAME) static inline tp_tensor NAME(const tp_tensor *x, tp_reduction reduction, tp_tensor weight)
#define COMMON     .reduction = reduction, .weight = weight

/* ---- Regression ------------------------------------------------------------------------------------ */

RULE(row_mse)
{
    return tp_mse(x[0], x[1], &(tp_loss_options){COMMON});
}

RULE(row_mse_broadcast)
{
    return tp_mse(x[0], x[1], &(tp_loss_options){COMMON, .broadcast = true});
}

RULE(row_mae)
{
    return tp_mae(x[0], x[1], &(tp_loss_options){COMMON});
}

RULE(row_huber)
{
    return tp_huber(x[0], x[1], &(tp_huber_options){COMMON, .delta = 0.75});
}

RULE(row_smooth_l1)
{
    return tp_smooth_l1(x[0], x[1], &(tp_smooth_l1_options){COMMON, .beta = {true, 0.75}});
}

RULE(row_quantile)
{
    return tp_quantile_loss(x[0], x[1], 0.3, &(tp_loss_options){COMMON});
}

RULE(row_log_cosh)
{
    return tp_log_cosh(x[0], x[1], &(tp_loss_options){COMMON});
}

RULE(row_tukey)
{
    return tp_tukey(x[0], x[1], &(tp_tukey_options){COMMON, .c = 1.5});
}

RULE(row_barron)
{
    return tp_barron(x[0], x[1], tp_scalar(x[0].tape, -0.7),
                     &(tp_barron_options){COMMON, .c = tp_scalar(x[0].tape, 0.8)});
}

RULE(row_barron_cauchy)
{
    return tp_barron(x[0], x[1], tp_scalar(x[0].tape, 0), &(tp_barron_options){COMMON});
}

RULE(row_barron_learnt)
{
    return tp_barron(x[0], x[1], x[2], &(tp_barron_options){COMMON, .c = x[3]});
}

RULE(row_mape)
{
    return tp_mape(x[0], x[1], &(tp_mape_options){COMMON, .epsilon = 0.3});
}

RULE(row_msle)
{
    return tp_msle(x[0], x[1], &(tp_msle_options){COMMON});
}

RULE(row_cosine_loss)
{
    return tp_cosine_loss(x[0], x[1], &(tp_cosine_options){COMMON, .epsilon = 0.01});
}

RULE(row_cosine_loss_first)
{
    return tp_cosine_loss(x[0], x[1], &(tp_cosine_options){COMMON, .axis = {true, 0}, .broadcast = true});
}

RULE(row_poisson)
{
    return tp_poisson_nll(x[0], x[1], &(tp_poisson_nll_options){COMMON, .full = true});
}

RULE(row_poisson_rate)
{
    return tp_poisson_nll(x[0], x[1], &(tp_poisson_nll_options){COMMON, .rate = true});
}

RULE(row_gaussian)
{
    return tp_gaussian_nll(x[0], x[1], x[2], &(tp_gaussian_nll_options){COMMON, .full = true});
}

/* ---- Classification -------------------------------------------------------------------------------- */

RULE(row_bce)
{
    return tp_bce(x[0], x[1], &(tp_loss_options){COMMON});
}

RULE(row_bce_with_logits)
{
    return tp_bce_with_logits(x[0], x[1], &(tp_bce_with_logits_options){COMMON});
}

RULE(row_bce_pos_weight)
{
    return tp_bce_with_logits(x[0], x[1], &(tp_bce_with_logits_options){COMMON, .pos_weight = x[2]});
}

RULE(row_focal)
{
    return tp_focal(x[0], x[1], &(tp_focal_options){COMMON});
}

RULE(row_focal_half)
{
    return tp_focal(x[0], x[1], &(tp_focal_options){COMMON, .alpha = -1, .gamma = {true, 0.5}});
}

RULE(row_kl_div)
{
    return tp_kl_div(x[0], x[1], &(tp_kl_div_options){COMMON});
}

RULE(row_kl_div_log)
{
    return tp_kl_div(x[0], x[1], &(tp_kl_div_options){COMMON, .log_target = true});
}

RULE(row_cross_entropy)
{
    return tp_cross_entropy(
        x[0], x[1], &(tp_cross_entropy_options){COMMON, .class_weight = x[2], .label_smoothing = 0.1});
}

RULE(row_cross_entropy_soft)
{
    return tp_cross_entropy(x[0], x[1], &(tp_cross_entropy_options){COMMON});
}

RULE(row_nll)
{
    return tp_nll(x[0], x[1], &(tp_nll_options){COMMON, .class_weight = x[2], .ignore = {true, 0}});
}

RULE(row_categorical)
{
    return tp_categorical_cross_entropy(
        x[0], x[1], &(tp_categorical_cross_entropy_options){COMMON, .label_smoothing = 0.2});
}

RULE(row_focal_categorical)
{
    return tp_focal_categorical(
        x[0], x[1], &(tp_focal_categorical_options){COMMON, .class_weight = x[2], .ignore = {true, 0}});
}

RULE(row_focal_categorical_power)
{
    return tp_focal_categorical(x[0], x[1], &(tp_focal_categorical_options){COMMON, .gamma = {true, 1.5}});
}

RULE(row_multilabel_soft)
{
    return tp_multilabel_soft_margin(x[0], x[1], &(tp_multilabel_options){COMMON, .class_weight = x[2]});
}

/* ---- Margins --------------------------------------------------------------------------------------- */

RULE(row_hinge)
{
    return tp_hinge(x[0], x[1], &(tp_hinge_options){COMMON});
}

RULE(row_squared_hinge)
{
    return tp_squared_hinge(x[0], x[1], &(tp_hinge_options){COMMON, .margin = {true, 0.5}});
}

RULE(row_soft_margin)
{
    return tp_soft_margin(x[0], x[1], &(tp_loss_options){COMMON});
}

RULE(row_hinge_embedding)
{
    return tp_hinge_embedding(x[0], x[1], &(tp_hinge_options){COMMON});
}

RULE(row_margin_ranking)
{
    return tp_margin_ranking(x[0], x[1], x[2], &(tp_ranking_options){COMMON, .margin = 0.5});
}

RULE(row_categorical_hinge)
{
    return tp_categorical_hinge(x[0], x[1], &(tp_categorical_hinge_options){COMMON});
}

RULE(row_multi_margin)
{
    return tp_multi_margin(x[0], x[1], &(tp_multi_margin_options){COMMON, .class_weight = x[2], .power = 2});
}

RULE(row_multilabel_margin)
{
    return tp_multilabel_margin(x[0], x[1], &(tp_multilabel_margin_options){COMMON});
}

/* ---- Embeddings ------------------------------------------------------------------------------------ */

RULE(row_contrastive)
{
    return tp_contrastive(x[0], x[1], x[2], &(tp_contrastive_options){COMMON, .margin = 4});
}

RULE(row_triplet)
{
    return tp_triplet_margin(x[0], x[1], x[2], &(tp_triplet_options){COMMON, .swap = true});
}

RULE(row_triplet_p1)
{
    return tp_triplet_margin(x[0], x[1], x[2], &(tp_triplet_options){COMMON, .p = 1});
}

RULE(row_triplet_p3)
{
    return tp_triplet_margin(
        x[0], x[1], x[2], &(tp_triplet_options){COMMON, .p = 3, .epsilon = {true, 0}, .margin = {true, 3}});
}

RULE(row_triplet_max)
{
    return tp_triplet_margin(x[0], x[1], x[2],
                             &(tp_triplet_options){COMMON, .p = HUGE_VAL, .margin = {true, 3}});
}

RULE(row_triplet_squared)
{
    return tp_triplet_squared(x[0], x[1], x[2], &(tp_triplet_squared_options){COMMON, .margin = {true, 3}});
}

RULE(row_cosine_embedding)
{
    return tp_cosine_embedding(x[0], x[1], x[2], &(tp_cosine_embedding_options){COMMON, .margin = -0.9});
}

RULE(row_info_nce)
{
    return tp_info_nce(x[0], x[1], &(tp_info_nce_options){COMMON, .temperature = 0.5, .symmetric = true});
}

RULE(row_nt_xent)
{
    return tp_nt_xent(x[0], x[1], &(tp_info_nce_options){COMMON});
}

RULE(row_n_pairs)
{
    return tp_n_pairs(x[0], x[1], &(tp_n_pairs_options){COMMON, .l2 = 0.02});
}

RULE(row_n_pairs_labels)
{
    return tp_n_pairs(x[0], x[1], &(tp_n_pairs_options){COMMON, .labels = x[2]});
}

RULE(row_supcon)
{
    return tp_supcon(x[0], x[1], &(tp_supcon_options){COMMON, .temperature = 0.5});
}

RULE(row_multi_similarity)
{
    return tp_multi_similarity(x[0], x[1], &(tp_multi_similarity_options){COMMON, .beta = 10});
}

RULE(row_circle_pairs)
{
    (void)reduction, (void)weight;
    return tp_circle_pairs(x[0], x[1], &(tp_circle_options){.gamma = 2});
}

RULE(row_circle)
{
    (void)reduction, (void)weight;
    return tp_circle(x[0], x[1], &(tp_circle_options){.gamma = 2});
}

RULE(row_arcface)
{
    return tp_arcface(x[0], x[1], x[2], &(tp_arcface_options){COMMON, .scale = 4});
}

RULE(row_cosface)
{
    return tp_cosface(x[0], x[1], x[2], &(tp_arcface_options){COMMON, .scale = 4});
}

#include "loss_rows_segmentation.h"

/* ---- Sequences ------------------------------------------------------------------------------------- */

RULE(row_ctc)
{
    return tp_ctc(x[0], x[1], x[2], x[3], &(tp_ctc_options){COMMON});
}

RULE(row_ctc_lenient)
{
    return tp_ctc(x[0], x[1], x[2], x[3],
                  &(tp_ctc_options){COMMON, .zero_infinity = true, .by_length = true});
}

RULE(row_ctc_log_probs)
{
    return tp_ctc_log_probs(x[0], x[1], x[2], x[3], &(tp_ctc_options){COMMON});
}

/* ---- The rows -------------------------------------------------------------------------------------- */

static const loss_row loss_rows[] = {
    SEGMENTATION_LOSS_ROWS{"mse", "mse", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_mse},
    {"mse, one number", "mse", {{NUMBER, ""}, {NUMBER, ""}}, "", .record = row_mse},
    {"mse, broadcast", "mse", {{NUMBER, "N1"}, {NUMBER, "D"}}, "ND", .record = row_mse_broadcast},
    {"mae", "mae", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_mae},
    {"huber", "huber", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_huber},
    {"smooth_l1", "smooth_l1", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_smooth_l1},
    {"quantile_loss", "quantile_loss", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_quantile},
    {"log_cosh", "log_cosh", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_log_cosh},
    {"tukey", "tukey", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_tukey},
    {"barron", "barron", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_barron},
    {"barron, Cauchy", "barron", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_barron_cauchy},
    {"barron, learnt",
     "barron",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {PROBABILITY, ""}, {POSITIVE, "D?"}},
     "ND",
     .record = row_barron_learnt},
    {"mape", "mape", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_mape},
    {"msle", "msle", {{POSITIVE, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_msle},
    {"cosine_loss", "cosine_loss", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "N", .record = row_cosine_loss},
    {"cosine_loss, broadcast",
     "cosine_loss",
     {{NUMBER, "DN"}, {NUMBER, "D1"}},
     "N",
     .record = row_cosine_loss_first},
    {"poisson_nll", "poisson_nll", {{NUMBER, "ND"}, {POSITIVE, "ND"}}, "ND", .record = row_poisson},
    {"poisson_nll, rate",
     "poisson_nll",
     {{POSITIVE, "ND"}, {POSITIVE, "ND"}},
     "ND",
     .record = row_poisson_rate},
    {"gaussian_nll",
     "gaussian_nll",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {POSITIVE, "N1"}},
     "ND",
     .record = row_gaussian},
    {"bce", "bce", {{PROBABILITY, "ND"}, {PROBABILITY, "ND"}}, "ND", .record = row_bce},
    {"bce, i32", "bce", {{PROBABILITY, "ND"}, {LABEL_I32, "ND"}}, "ND", .record = row_bce},
    {"bce_with_logits",
     "bce_with_logits",
     {{NUMBER, "ND"}, {PROBABILITY, "ND"}},
     "ND",
     .record = row_bce_with_logits},
    {"bce_with_logits, i32",
     "bce_with_logits",
     {{NUMBER, "ND"}, {LABEL_I32, "ND"}},
     "ND",
     .record = row_bce_with_logits},
    {"bce_with_logits, pos_weight",
     "bce_with_logits",
     {{NUMBER, "ND"}, {PROBABILITY, "ND"}, {POSITIVE, "D?"}},
     "ND",
     .record = row_bce_pos_weight},
    {"focal", "focal", {{NUMBER, "ND"}, {PROBABILITY, "ND"}}, "ND", .record = row_focal},
    {"focal, gamma 1/2", "focal", {{NUMBER, "ND"}, {LABEL, "ND"}}, "ND", .record = row_focal_half},
    {"kl_div", "kl_div", {{LOGARITHM, "ND"}, {PROBABILITY, "ND"}}, "ND", .record = row_kl_div},
    {"kl_div, log", "kl_div", {{LOGARITHM, "ND"}, {LOGARITHM, "ND"}}, "ND", .record = row_kl_div_log},
    {"cross_entropy",
     "cross_entropy",
     {{NUMBER, "NCD"}, {CLASS, "ND"}, {POSITIVE, "C?"}},
     "ND",
     .counts_itself = true,
     .record = row_cross_entropy},
    {"cross_entropy, soft",
     "cross_entropy",
     {{NUMBER, "NC"}, {PROBABILITY, "NC"}},
     "N",
     .record = row_cross_entropy_soft},
    {"nll",
     "nll",
     {{LOGARITHM, "NCD"}, {CLASS, "ND"}, {POSITIVE, "C?"}},
     "ND",
     .counts_itself = true,
     .record = row_nll},
    {"categorical_cross_entropy",
     "categorical_cross_entropy",
     {{POSITIVE, "NC"}, {PROBABILITY, "NC"}},
     "N",
     .record = row_categorical},
    {"focal_categorical",
     "focal_categorical",
     {{NUMBER, "NC"}, {CLASS, "N"}, {POSITIVE, "C?"}},
     "N",
     .counts_itself = true,
     .record = row_focal_categorical},
    {"focal_categorical, gamma 3/2",
     "focal_categorical",
     {{NUMBER, "NC"}, {CLASS, "N"}},
     "N",
     .record = row_focal_categorical_power},
    {"multilabel_soft_margin",
     "multilabel_soft_margin",
     {{NUMBER, "NC"}, {LABEL_I32, "NC"}, {POSITIVE, "C?"}},
     "N",
     .record = row_multilabel_soft},
    {"hinge", "hinge", {{NUMBER, "ND"}, {SIGN_I32, "ND"}}, "ND", .record = row_hinge},
    {"squared_hinge", "squared_hinge", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "ND", .record = row_squared_hinge},
    {"soft_margin", "soft_margin", {{NUMBER, "ND"}, {SIGN, "ND"}}, "ND", .record = row_soft_margin},
    {"hinge_embedding",
     "hinge_embedding",
     {{NUMBER, "ND"}, {SIGN_I32, "ND"}},
     "ND",
     .record = row_hinge_embedding},
    {"margin_ranking",
     "margin_ranking",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {SIGN_I32, "ND"}},
     "ND",
     .record = row_margin_ranking},
    {"categorical_hinge",
     "categorical_hinge",
     {{NUMBER, "NC"}, {PROBABILITY, "NC"}},
     "N",
     .record = row_categorical_hinge},
    {"multi_margin",
     "multi_margin",
     {{NUMBER, "NC"}, {CLASS, "N"}, {POSITIVE, "C?"}},
     "N",
     .record = row_multi_margin},
    {"multilabel_margin",
     "multilabel_margin",
     {{NUMBER, "NC"}, {LIST, "NC"}},
     "N",
     .record = row_multilabel_margin},
    {"contrastive",
     "contrastive",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {PROBABILITY, "N"}},
     "N",
     .record = row_contrastive},
    {"contrastive, i32",
     "contrastive",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {LABEL_I32, "N"}},
     "N",
     .record = row_contrastive},
    {"triplet_margin",
     "triplet_margin",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .record = row_triplet},
    {"triplet_margin, p 1",
     "triplet_margin",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .record = row_triplet_p1},
    {"triplet_margin, p 3",
     "triplet_margin",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .record = row_triplet_p3},
    {"triplet_margin, p inf",
     "triplet_margin",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .record = row_triplet_max},
    {"triplet_squared",
     "triplet_squared",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .record = row_triplet_squared},
    {"cosine_embedding",
     "cosine_embedding",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {SIGN_I32, "N"}},
     "N",
     .record = row_cosine_embedding},
    {"info_nce",
     "info_nce",
     {{NUMBER, "ND"}, {NUMBER, "ND"}},
     "N",
     .by_products = true,
     .record = row_info_nce},
    {"nt_xent",
     "nt_xent",
     {{NUMBER, "ND"}, {NUMBER, "ND"}},
     "2N",
     .by_products = true,
     .record = row_nt_xent},
    {"n_pairs", "n_pairs", {{NUMBER, "ND"}, {NUMBER, "ND"}}, "N", .by_products = true, .record = row_n_pairs},
    {"n_pairs, labels",
     "n_pairs",
     {{NUMBER, "ND"}, {NUMBER, "ND"}, {GROUP, "N?"}},
     "N",
     .by_products = true,
     .record = row_n_pairs_labels},
    {"supcon",
     "supcon",
     {{NUMBER, "ND"}, {GROUP, "N"}},
     "N",
     .by_products = true,
     .counts_itself = true,
     .record = row_supcon},
    {"multi_similarity",
     "multi_similarity",
     {{NUMBER, "ND"}, {GROUP, "N"}},
     "N",
     .by_products = true,
     .record = row_multi_similarity},
    {"circle_pairs",
     "circle_pairs",
     {{NUMBER, "N"}, {NUMBER, "D"}},
     "",
     .own_reduction = true,
     .record = row_circle_pairs},
    {"circle", "circle", {{NUMBER, "ND"}, {GROUP, "N"}}, "", .own_reduction = true, .record = row_circle},
    {"arcface",
     "arcface",
     {{NUMBER, "ND"}, {NUMBER, "CD"}, {CLASS, "N"}},
     "N",
     .by_products = true,
     .record = row_arcface},
    {"cosface",
     "cosface",
     {{NUMBER, "ND"}, {NUMBER, "CD"}, {CLASS, "N"}},
     "N",
     .by_products = true,
     .record = row_cosface},
    {"ctc", "ctc", {{NUMBER, "DNC"}, {TARGET, "N21"}, {FRAMES, "N"}, {LABELS, "N"}}, "N", .record = row_ctc},
    {"ctc, lenient",
     "ctc",
     {{NUMBER, "DNC"}, {TARGET, "N21"}, {FRAMES, "N"}, {LABELS, "N"}},
     "N",
     .record = row_ctc_lenient},
    {"ctc_log_probs",
     "ctc_log_probs",
     {{LOGARITHM, "DNC"}, {TARGET, "N21"}, {FRAMES, "N"}, {LABELS, "N"}},
     "N",
     .record = row_ctc_log_probs},
};

enum { LOSS_ROWS = sizeof loss_rows / sizeof *loss_rows };

#undef RULE
#undef COMMON

#endif
