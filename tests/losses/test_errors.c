/* test_errors.c -- every message of src/losses/: a call that is wrong, and what the tape must say of it.  A scan of the
 * sources finds a message without a row. */
#include "evaluate.h"

#include <glob.h>
#include <stdio.h>

#include "../tape/error_scan.h"

/* Tensors by dtype and shape; n is N, c is C in what the losses expect. */
typedef struct world {
    tp_tape *tape;
    tp_tensor n, n1, c, nc, nd;            /* f64: [4] [4,1] [3] [4,3] [4,2] */
    tp_tensor zero, empty, cube;           /* f64: [] [4,0] [2,2,2] */
    tp_tensor narrow, narrow_c, narrow_nd; /* f32: [4] [3] [4,2] */
    tp_tensor whole, whole_n1, whole_nc;   /* i32: [4] [4,1] [4,3] */
    tp_tensor absent, stale, foreign;
} world;

typedef struct row {
    const char *source;
    tp_tensor (*call)(const world *w);
    tp_status status;
    const char *message; /* how it begins, scope and all */
} row;

#define CALL(NAME, ...)                                                                                      \
    static tp_tensor NAME(const world *w)                                                                    \
    {                                                                                                        \
        return __VA_ARGS__;                                                                                  \
    }

/* ---- common.c -------------------------------------------------------------------------------------- */

CALL(absent, tp_mse(w->n, w->absent, NULL))
CALL(foreign, tp_mse(w->n, w->foreign, NULL))
CALL(stale, tp_mse(w->n, w->stale, NULL))
CALL(whole, tp_mse(w->whole, w->whole, NULL))
CALL(narrow, tp_mse(w->n, w->narrow, NULL))
CALL(weight_shape, tp_mse(w->n, w->n, &(tp_loss_options){.weight = w->n1}))
CALL(unlike_dtype, tp_contrastive(w->nd, w->narrow_nd, w->n, NULL))
CALL(unlike_shape, tp_info_nce(w->nd, w->nc, NULL))
CALL(would_broadcast, tp_mse(w->n1, w->n, NULL))
CALL(different, tp_bce_with_logits(w->n, w->c, NULL))
CALL(reduction, tp_mae(w->n, w->n, &(tp_loss_options){.reduction = (tp_reduction)-1}))

/* ---- regression.c, ratio.c, likelihood.c ------------------------------------------------------------- */

CALL(delta, tp_huber(w->n, w->n, &(tp_huber_options){.delta = -1}))
CALL(delta_nan, tp_huber(w->n, w->n, &(tp_huber_options){.delta = NAN}))
CALL(beta, tp_smooth_l1(w->n, w->n, &(tp_smooth_l1_options){.beta = {true, -1}}))
CALL(tau, tp_quantile_loss(w->n, w->n, 1, NULL))
CALL(tukey, tp_tukey(w->n, w->n, &(tp_tukey_options){.c = -2}))
CALL(alpha, tp_barron(w->n, w->n, tp_scalar(w->tape, HUGE_VAL), NULL))
CALL(alpha_absent, tp_barron(w->n, w->n, w->absent, NULL))
CALL(scale_shape, tp_barron(w->n, w->n, tp_scalar(w->tape, 1), &(tp_barron_options){.c = w->n1}))
CALL(mape, tp_mape(w->n, w->n, &(tp_mape_options){.epsilon = -1}))
CALL(msle, tp_msle(w->n, w->n, &(tp_msle_options){.epsilon = -1}))
CALL(cosine_axis, tp_cosine_loss(w->nd, w->nd, &(tp_cosine_options){.axis = {true, 2}}))
CALL(cosine_none, tp_cosine_loss(w->zero, w->zero, NULL))
CALL(cosine_epsilon, tp_cosine_loss(w->nd, w->nd, &(tp_cosine_options){.epsilon = NAN}))
CALL(poisson, tp_poisson_nll(w->n, w->n, &(tp_poisson_nll_options){.epsilon = -1}))
CALL(variance, tp_gaussian_nll(w->nd, w->nd, w->c, NULL))
CALL(variance_epsilon, tp_gaussian_nll(w->nd, w->nd, w->nd, &(tp_gaussian_nll_options){.epsilon = -1}))

/* ---- binary.c -------------------------------------------------------------------------------------- */

CALL(pos_weight, tp_bce_with_logits(w->n, w->n, &(tp_bce_with_logits_options){.pos_weight = w->n1}))
CALL(focal_alpha, tp_focal(w->n, w->n, &(tp_focal_options){.alpha = 1.5}))
CALL(focal_gamma, tp_focal(w->n, w->n, &(tp_focal_options){.gamma = {true, -1}}))

/* ---- classes.c, classification.c ---------------------------------------------------------------------- */

CALL(scores_whole, tp_cross_entropy(w->whole_nc, w->whole, NULL))
CALL(scores_zero, tp_cross_entropy(w->zero, w->whole, NULL))
CALL(class_axis, tp_nll(w->nc, w->whole, &(tp_nll_options){.axis = {true, -3}}))
CALL(no_classes, tp_nll(w->empty, w->whole, NULL))
CALL(class_weight, tp_nll(w->nc, w->whole, &(tp_nll_options){.class_weight = w->n}))
CALL(class_weight_dtype, tp_nll(w->nc, w->whole, &(tp_nll_options){.class_weight = w->narrow_c}))
CALL(no_indices, tp_nll(w->nc, w->nc, NULL))
CALL(no_probabilities, tp_categorical_cross_entropy(w->nc, w->whole, NULL))
CALL(either, tp_cross_entropy(w->nc, w->narrow, NULL))
CALL(index_shape, tp_focal_categorical(w->nc, w->whole_n1, NULL))
CALL(probability_shape, tp_cross_entropy(w->nc, w->n, NULL))
CALL(scores_absent, tp_nll(w->absent, w->whole, NULL))
CALL(smoothing, tp_cross_entropy(w->nc, w->whole, &(tp_cross_entropy_options){.label_smoothing = 2}))
CALL(ignore, tp_cross_entropy(w->nc, w->nc, &(tp_cross_entropy_options){.ignore = {true, 0}}))
CALL(cce_epsilon,
     tp_categorical_cross_entropy(w->nc, w->nc, &(tp_categorical_cross_entropy_options){.epsilon = 0.75}))
CALL(gamma_categorical,
     tp_focal_categorical(w->nc, w->whole, &(tp_focal_categorical_options){.gamma = {true, -1}}))

/* ---- margin.c, multi.c ------------------------------------------------------------------------------- */

CALL(hinge_margin, tp_hinge(w->n, w->n, &(tp_hinge_options){.margin = {true, NAN}}))
CALL(embedding_margin, tp_hinge_embedding(w->n, w->n, &(tp_hinge_options){.margin = {true, HUGE_VAL}}))
CALL(ranking, tp_margin_ranking(w->n, w->c, w->n, NULL))
CALL(categorical_margin,
     tp_categorical_hinge(w->nc, w->nc, &(tp_categorical_hinge_options){.margin = {true, NAN}}))
CALL(power, tp_multi_margin(w->nc, w->whole, &(tp_multi_margin_options){.power = 3}))
CALL(lists_rank, tp_multilabel_margin(w->cube, w->whole, NULL))
CALL(lists_empty, tp_multilabel_margin(w->empty, w->whole, NULL))
CALL(lists_shape, tp_multilabel_margin(w->nc, w->whole, NULL))
CALL(lists_dtype, tp_multilabel_margin(w->nc, w->nc, NULL))

/* ---- metric.c, batch.c, labelled.c, angular.c ---------------------------------------------------------- */

CALL(no_features, tp_contrastive(w->zero, w->zero, w->zero, NULL))
CALL(label_shape, tp_contrastive(w->nd, w->nd, w->n1, NULL))
CALL(contrastive_margin, tp_contrastive(w->nd, w->nd, w->n, &(tp_contrastive_options){.margin = -1}))
CALL(triplet_margin, tp_triplet_margin(w->nd, w->nd, w->nd, &(tp_triplet_options){.margin = {true, NAN}}))
CALL(triplet_p, tp_triplet_margin(w->nd, w->nd, w->nd, &(tp_triplet_options){.p = 0.5}))
CALL(triplet_epsilon, tp_triplet_margin(w->nd, w->nd, w->nd, &(tp_triplet_options){.epsilon = {true, -1}}))
CALL(squared_margin,
     tp_triplet_squared(w->nd, w->nd, w->nd, &(tp_triplet_squared_options){.margin = {true, NAN}}))
CALL(angle_margin, tp_cosine_embedding(w->nd, w->nd, w->n, &(tp_cosine_embedding_options){.margin = 1.5}))
CALL(batch_rank, tp_nt_xent(w->n, w->n, NULL))
CALL(batch_labels, tp_supcon(w->nd, w->whole_n1, NULL))
CALL(batch_labels_dtype, tp_supcon(w->nd, w->n, NULL))
CALL(temperature, tp_info_nce(w->nd, w->nd, &(tp_info_nce_options){.temperature = -1}))
CALL(l2, tp_n_pairs(w->nd, w->nd, &(tp_n_pairs_options){.l2 = -1}))
CALL(supcon_temperature, tp_supcon(w->nd, w->whole, &(tp_supcon_options){.temperature = -1}))
CALL(supcon_base, tp_supcon(w->nd, w->whole, &(tp_supcon_options){.base_temperature = NAN}))
CALL(beta_sign, tp_multi_similarity(w->nd, w->whole, &(tp_multi_similarity_options){.beta = -1}))
CALL(circle_gamma, tp_circle(w->nd, w->whole, &(tp_circle_options){.gamma = -1}))
CALL(circle_pairs, tp_circle_pairs(w->n, w->narrow, NULL))
CALL(class_vectors, tp_arcface(w->nd, w->nc, w->whole, NULL))
CALL(arc_scale, tp_arcface(w->nd, w->nd, w->whole, &(tp_arcface_options){.scale = -1}))
CALL(arc_margin, tp_arcface(w->nd, w->nd, w->whole, &(tp_arcface_options){.margin = {true, 4}}))
CALL(cos_margin, tp_cosface(w->nd, w->nd, w->whole, &(tp_arcface_options){.margin = {true, NAN}}))

#include "error_rows_constraints.h"
#include "error_rows_segmentation.h"

static const row rows[] = {
    CONSTRAINT_ERROR_ROWS SEGMENTATION_ERROR_ROWS{"common.c", absent, TP_BAD_HANDLE,
                                                  "mse: the target is absent"},
    {"common.c", foreign, TP_BAD_HANDLE, "mse: the target belongs to another tape"},
    {"common.c", stale, TP_BAD_HANDLE, "mse: the target is stale: the tape was rewound past it"},
    {"common.c", whole, TP_BAD_DTYPE, "mse: the prediction is i32, but must be f32 or f64"},
    {"common.c", narrow, TP_BAD_DTYPE,
     "mse: the target is f32, but the loss is f64 (convert it with tp_cast)"},
    {"common.c", weight_shape, TP_BAD_SHAPE,
     "mse: the weight is f64[4,1], which does not broadcast to the loss's shape f64[4]"},
    {"common.c", unlike_dtype, TP_BAD_DTYPE,
     "contrastive: the second embedding is f32[4,2], but must be as the first embedding, f64[4,2]"},
    {"common.c", unlike_shape, TP_BAD_SHAPE,
     "info_nce: the key is f64[4,3], but must be as the query, f64[4,2]"},
    {"common.c", would_broadcast, TP_BAD_SHAPE,
     "mse: the target is f64[4] and the prediction f64[4,1]: the loss would be f64[4,4]; reshape one of them, "
     "or set .broadcast if that is meant"},
    {"common.c", different, TP_BAD_SHAPE,
     "bce_with_logits: the target is f64[3], but the logits tensor is f64[4]: the shapes must be equal"},
    {"common.c", reduction, TP_BAD_ARGUMENT, "mae: the reduction must be one of tp_reduction's, not -1"},

    {"regression.c", delta, TP_BAD_ARGUMENT, "huber: delta must be positive, not -1"},
    {"regression.c", delta_nan, TP_BAD_ARGUMENT, "huber: delta must be positive, not "},
    {"regression.c", beta, TP_BAD_ARGUMENT, "smooth_l1: beta must not be negative, but is -1"},
    {"regression.c", tau, TP_BAD_ARGUMENT, "quantile_loss: tau must be between 0 and 1, not 1"},
    {"regression.c", tukey, TP_BAD_ARGUMENT, "tukey: c must be positive and finite, not -2"},
    {"regression.c", alpha, TP_BAD_ARGUMENT, "barron: alpha must be a number or -inf, not inf"},
    {"common.c", alpha_absent, TP_BAD_HANDLE, "barron: the alpha is absent"},
    {"regression.c", scale_shape, TP_BAD_SHAPE,
     "barron: the scale c is f64[4,1], which does not broadcast to the loss's shape f64[4]"},
    {"ratio.c", mape, TP_BAD_ARGUMENT, "mape: epsilon must be positive, not -1"},
    {"ratio.c", msle, TP_BAD_ARGUMENT, "msle: epsilon must be above -1, not -1"},
    {"ratio.c", cosine_axis, TP_BAD_SHAPE, "cosine_loss: axis 2 is out of range for the prediction f64[4,2]"},
    {"ratio.c", cosine_none, TP_BAD_SHAPE, "cosine_loss: axis -1 is out of range for the prediction f64[]"},
    {"ratio.c", cosine_epsilon, TP_BAD_ARGUMENT, "cosine_loss: epsilon must be positive, not "},
    {"likelihood.c", poisson, TP_BAD_ARGUMENT, "poisson_nll: epsilon must not be negative, but is -1"},
    {"likelihood.c", variance, TP_BAD_SHAPE,
     "gaussian_nll: the variance is f64[3], but must be as the loss, f64[4,2], or have one number for each row "
     "of it"},
    {"likelihood.c", variance_epsilon, TP_BAD_ARGUMENT, "gaussian_nll: epsilon must be positive, not -1"},

    {"binary.c", pos_weight, TP_BAD_SHAPE,
     "bce_with_logits: the positive weight is f64[4,1], which does not broadcast to the loss's shape f64[4]"},
    {"binary.c", focal_alpha, TP_BAD_ARGUMENT, "focal: alpha must be at most 1, not 1.5"},
    {"binary.c", focal_gamma, TP_BAD_ARGUMENT, "focal: gamma must not be negative, but is -1"},

    {"classes.c", scores_whole, TP_BAD_DTYPE,
     "cross_entropy: the logits are i32[4,3], but must be f32 or f64"},
    {"classes.c", scores_zero, TP_BAD_SHAPE, "cross_entropy: the logits are f64[]: they need a class axis"},
    {"classes.c", class_axis, TP_BAD_SHAPE,
     "nll: class axis -3 is out of range for the predictions f64[4,3]"},
    {"classes.c", no_classes, TP_BAD_SHAPE,
     "nll: the predictions are f64[4,0]: there are no classes on axis 1"},
    {"classes.c", class_weight, TP_BAD_SHAPE,
     "nll: the class weight is f64[4], but must have one number for each of the 3 classes"},
    {"classes.c", class_weight_dtype, TP_BAD_DTYPE, "nll: the class weight is f32, but the loss is f64"},
    {"classes.c", no_indices, TP_BAD_DTYPE,
     "nll: the target is f64[4,3], but must be i32 (class indices) at"},
    {"classes.c", no_probabilities, TP_BAD_DTYPE,
     "categorical_cross_entropy: the target is i32[4], but must be f64 (probabilities)"},
    {"classes.c", either, TP_BAD_DTYPE,
     "cross_entropy: the target is f32[4], but must be i32 (class indices) or f64 (probabilities)"},
    {"classes.c", index_shape, TP_BAD_SHAPE,
     "focal_categorical: the target is i32[4,1], but class indices must be i32[4]: the logits' shape without "
     "the class axis"},
    {"classes.c", probability_shape, TP_BAD_SHAPE,
     "cross_entropy: the target is f64[4], but probabilities must be f64[4,3]: the logits' shape"},
    {"classification.c", scores_absent, TP_BAD_HANDLE, "nll: the predictions tensor is absent"},
    {"classification.c", smoothing, TP_BAD_ARGUMENT,
     "cross_entropy: label_smoothing must be in [0, 1], not 2"},
    {"classification.c", ignore, TP_BAD_ARGUMENT,
     "cross_entropy: ignore needs class indices: give ignored rows a weight of 0 instead"},
    {"classification.c", cce_epsilon, TP_BAD_ARGUMENT,
     "categorical_cross_entropy: epsilon must be in (0, 1/2], not 0.75"},
    {"classification.c", gamma_categorical, TP_BAD_ARGUMENT,
     "focal_categorical: gamma must not be negative, but is -1"},

    {"margin.c", hinge_margin, TP_BAD_ARGUMENT, "hinge: the margin must be finite, not "},
    {"margin.c", embedding_margin, TP_BAD_ARGUMENT, "hinge_embedding: the margin must be finite, not inf"},
    {"margin.c", ranking, TP_BAD_SHAPE,
     "margin_ranking: the second score is f64[3], but must be as the first score, f64[4]"},
    {"multi.c", categorical_margin, TP_BAD_ARGUMENT, "categorical_hinge: the margin must be finite, not "},
    {"multi.c", power, TP_BAD_ARGUMENT, "multi_margin: the power must be 1 or 2, not 3"},
    {"multi.c", lists_rank, TP_BAD_SHAPE,
     "multilabel_margin: the predictions are f64[2,2,2], but must be [N, C] or [C]"},
    {"multi.c", lists_empty, TP_BAD_SHAPE,
     "multilabel_margin: the predictions are f64[4,0]: there are no classes"},
    {"multi.c", lists_shape, TP_BAD_SHAPE,
     "multilabel_margin: the target is i32[4], but must be i32 (lists of class indices) in the predictions' "
     "shape, f64[4,3]"},
    {"multi.c", lists_dtype, TP_BAD_DTYPE, "multilabel_margin: the target is f64[4,3], but must be i32"},

    {"metric.c", no_features, TP_BAD_SHAPE,
     "contrastive: the first embedding is f64[]: it needs an axis of features"},
    {"metric.c", label_shape, TP_BAD_SHAPE,
     "contrastive: the label is f64[4,1], but must be f64[4], one number per pair"},
    {"metric.c", contrastive_margin, TP_BAD_ARGUMENT,
     "contrastive: the margin must be positive and finite, not -1"},
    {"metric.c", triplet_margin, TP_BAD_ARGUMENT, "triplet_margin: the margin must be finite, not "},
    {"metric.c", triplet_p, TP_BAD_ARGUMENT, "triplet_margin: p must be at least 1, not 0.5"},
    {"metric.c", triplet_epsilon, TP_BAD_ARGUMENT, "triplet_margin: epsilon must not be negative, but is -1"},
    {"metric.c", squared_margin, TP_BAD_ARGUMENT, "triplet_squared: the margin must be finite, not "},
    {"metric.c", angle_margin, TP_BAD_ARGUMENT, "cosine_embedding: the margin must be in [-1, 1], not 1.5"},
    {"batch.c", batch_rank, TP_BAD_SHAPE,
     "nt_xent: the first view is f64[4], but must be [N, D]: N rows of D features"},
    {"batch.c", batch_labels, TP_BAD_SHAPE, "supcon: the labels are i32[4,1], but must be i32[4]"},
    {"batch.c", batch_labels_dtype, TP_BAD_DTYPE, "supcon: the labels are f64[4], but must be i32[4]"},
    {"batch.c", temperature, TP_BAD_ARGUMENT, "info_nce: the temperature must be positive, not -1"},
    {"batch.c", l2, TP_BAD_ARGUMENT, "n_pairs: l2 must not be negative, but is -1"},
    {"labelled.c", supcon_temperature, TP_BAD_ARGUMENT,
     "supcon: the temperature must be positive and finite, not -1"},
    {"labelled.c", supcon_base, TP_BAD_ARGUMENT,
     "supcon: the base temperature must be positive and finite, not "},
    {"labelled.c", beta_sign, TP_BAD_ARGUMENT, "multi_similarity: beta must be positive and finite, not -1"},
    {"labelled.c", circle_gamma, TP_BAD_ARGUMENT, "circle: gamma must be positive and finite, not -1"},
    {"labelled.c", circle_pairs, TP_BAD_DTYPE,
     "circle_pairs: the negative similarities tensor is f32, but the loss is f64"},
    {"angular.c", class_vectors, TP_BAD_SHAPE,
     "arcface: the class vectors are f64[4,3], but must have the embedding's dtype and number of features, "
     "f64[4,2]"},
    {"angular.c", arc_scale, TP_BAD_ARGUMENT, "arcface: the scale must be positive and finite, not -1"},
    {"angular.c", arc_margin, TP_BAD_ARGUMENT, "arcface: the margin must be in [0, pi], not 4"},
    {"angular.c", cos_margin, TP_BAD_ARGUMENT, "cosface: the margin must be finite, not "},
};

enum { ROWS = sizeof rows / sizeof *rows };

/* ---- The rows --------------------------------------------------------------------------------------- */

static world make_world(tp_tape *other)
{
    tp_tape *tape = tp_tape_create(NULL);
    world w = {
        .tape = tape,
        .n = tp_input(tape, TP_F64, TP_SHAPE(4)),
        .n1 = tp_input(tape, TP_F64, TP_SHAPE(4, 1)),
        .c = tp_input(tape, TP_F64, TP_SHAPE(3)),
        .nc = tp_input(tape, TP_F64, TP_SHAPE(4, 3)),
        .nd = tp_input(tape, TP_F64, TP_SHAPE(4, 2)),
        .zero = tp_input(tape, TP_F64, TP_SHAPE_0D),
        .empty = tp_input(tape, TP_F64, TP_SHAPE(4, 0)),
        .cube = tp_input(tape, TP_F64, TP_SHAPE(2, 2, 2)),
        .narrow = tp_input(tape, TP_F32, TP_SHAPE(4)),
        .narrow_c = tp_input(tape, TP_F32, TP_SHAPE(3)),
        .narrow_nd = tp_input(tape, TP_F32, TP_SHAPE(4, 2)),
        .whole = tp_input(tape, TP_I32, TP_SHAPE(4)),
        .whole_n1 = tp_input(tape, TP_I32, TP_SHAPE(4, 1)),
        .whole_nc = tp_input(tape, TP_I32, TP_SHAPE(4, 3)),
        .foreign = tp_input(other, TP_F64, TP_SHAPE(4)),
    };
    const tp_mark mark = tp_tape_mark(tape);
    w.stale = tp_input(tape, TP_F64, TP_SHAPE(4));
    tp_tape_rewind(mark);
    assert_tape_fine(tape);
    return w;
}

static void every_row(void **state)
{
    (void)state;
    tp_tape *other = tp_tape_create(NULL);
    for (int k = 0; k < ROWS; k++) {
        world w = make_world(other);
        assert_false(tp_is_valid(rows[k].call(&w)));
        if (strncmp(tp_tape_message(w.tape), rows[k].message, strlen(rows[k].message)) != 0)
            fail_msg("\"%s\" does not begin with \"%s\"", tp_tape_message(w.tape), rows[k].message);
        if (strstr(tp_tape_message(w.tape), "test_errors.c:") == NULL &&
            strstr(tp_tape_message(w.tape), "error_rows_") == NULL)
            fail_msg("\"%s\" does not name the call's line", tp_tape_message(w.tape));
        assert_error(w.tape, rows[k].status, "", "");
        tp_tape_destroy(w.tape);
    }
    tp_tape_destroy(other);
}

/* ---- The scan --------------------------------------------------------------------------------------- */

static bool is_covered(const char *source, const char *skeleton)
{
    for (int k = 0; k < ROWS; k++)
        if (strcmp(rows[k].source, source) == 0 && scan_covers(rows[k].message, skeleton))
            return true;
    return false;
}

/* A sentence has a verb; names of operands have none. */
static bool is_message(const char *skeleton)
{
    static const char *const verbs[] = {" is ", " are ", " must ", " would ", " needs ", " belongs ", "is "};
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++)
        if (strstr(skeleton, verbs[k]) != NULL)
            return true;
    return false;
}

static void every_message_has_a_row(void **state)
{
    char literal[SCAN_LITERAL], skeleton[SCAN_LITERAL];
    int messages = 0, missing = 0;
    glob_t found;
    (void)state;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/src/losses/*.c", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        const char *source = strrchr(found.gl_pathv[k], '/') + 1;
        scan s;
        assert_true(scan_open(&s, found.gl_pathv[k]));
        while (scan_next(&s, literal)) {
            scan_skeleton(literal, skeleton);
            if (scan_words(skeleton) < 2 || !is_message(skeleton))
                continue;
            messages++;
            if (!is_covered(source, skeleton)) {
                print_error("%s: no row for \"%s\"\n", source, literal);
                missing++;
            }
        }
        scan_close(&s);
    }
    globfree(&found);
    assert_true(messages > 40); /* else the reading went wrong */
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(every_message_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
