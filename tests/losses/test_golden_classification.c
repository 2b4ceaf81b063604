/* test_golden_classification.c -- every golden case of the family losses_classification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/ops.h>

#include "golden_losses.h"

static double number(const golden_run *r, const char *key)
{
    return golden_number(golden_case_of(r), key);
}

/* The file's means divide by the count, whatever the weights of elements. */
static tp_reduction by_count(const golden_run *r)
{
    const tp_reduction reduction = golden_reduction(r);
    return reduction == TP_MEAN ? TP_MEAN_BY_COUNT : reduction;
}

/* The class axis is the last one. */
static const tp_optional_int last = {true, -1};

static tp_optional_int ignore_of(const golden_run *r)
{
    return (tp_optional_int){true, (int32_t)golden_integer(golden_case_of(r), "ignore_index")};
}

/* ---- Yes or no ------------------------------------------------------------------------------------- */

static tp_tensor bce(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_bce(p, t, &(tp_loss_options){.reduction = by_count(r), .weight = golden_operand(r, "weight")});
}

static tp_tensor bce_with_logits(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target"),
                    weight = golden_operand(r, "weight");
    return tp_bce_with_logits(x, t,
                              &(tp_bce_with_logits_options){.reduction = by_count(r),
                                                            .weight = weight,
                                                            .pos_weight = golden_operand(r, "pos_weight")});
}

static tp_tensor focal_binary(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target");
    return tp_focal(x, t,
                    &(tp_focal_options){.reduction = golden_reduction(r),
                                        .alpha = number(r, "alpha"),
                                        .gamma = golden_optional(r, "gamma")});
}

static tp_tensor kl_div(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_kl_div(p, t,
                     &(tp_kl_div_options){.reduction = golden_reduction(r),
                                          .log_target = golden_switch(golden_case_of(r), "log_target")});
}

/* ---- Classes --------------------------------------------------------------------------------------- */

static tp_tensor cross_entropy(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target");
    return tp_cross_entropy(x, t,
                            &(tp_cross_entropy_options){
                                .reduction = golden_reduction(r),
                                .class_weight = golden_operand(r, "weight"),
                                .label_smoothing = number(r, "label_smoothing"),
                                .ignore = tp_dtype_of(t) == TP_I32 ? ignore_of(r) : (tp_optional_int){0},
                            });
}

static tp_tensor nll(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_nll(p, t,
                  &(tp_nll_options){.reduction = golden_reduction(r),
                                    .class_weight = golden_operand(r, "weight"),
                                    .ignore = ignore_of(r)});
}

static tp_tensor categorical_crossentropy(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_categorical_cross_entropy(
        p, t,
        &(tp_categorical_cross_entropy_options){.reduction = golden_reduction(r),
                                                .label_smoothing = number(r, "label_smoothing"),
                                                .epsilon = number(r, "eps"),
                                                .axis = last});
}

static tp_tensor focal_categorical(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target");
    return tp_focal_categorical(x, t,
                                &(tp_focal_categorical_options){.reduction = golden_reduction(r),
                                                                .class_weight = golden_operand(r, "alpha"),
                                                                .gamma = golden_optional(r, "gamma")});
}

static tp_tensor multilabel_soft_margin(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target");
    return tp_multilabel_soft_margin(x, t,
                                     &(tp_multilabel_options){.reduction = golden_reduction(r),
                                                              .class_weight = golden_operand(r, "weight"),
                                                              .axis = last});
}

/* ---- Margins --------------------------------------------------------------------------------------- */

typedef tp_tensor hinge_loss(tp_tensor prediction, tp_tensor target, const tp_hinge_options *options);

static tp_tensor hinge_by(golden_run *r, hinge_loss *loss)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return loss(
        p, t, &(tp_hinge_options){.reduction = golden_reduction(r), .margin = golden_optional(r, "margin")});
}

static tp_tensor hinge(golden_run *r)
{
    return hinge_by(r, tp_hinge);
}

static tp_tensor squared_hinge(golden_run *r)
{
    return hinge_by(r, tp_squared_hinge);
}

static tp_tensor hinge_embedding(golden_run *r)
{
    return hinge_by(r, tp_hinge_embedding);
}

static tp_tensor soft_margin(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_soft_margin(p, t, &(tp_loss_options){.reduction = golden_reduction(r)});
}

static tp_tensor margin_ranking(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "x1"), b = golden_operand(r, "x2"), t = golden_operand(r, "target");
    return tp_margin_ranking(
        a, b, t, &(tp_ranking_options){.reduction = golden_reduction(r), .margin = number(r, "margin")});
}

static tp_tensor categorical_hinge(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_categorical_hinge(p, t,
                                &(tp_categorical_hinge_options){.reduction = golden_reduction(r),
                                                                .margin = golden_optional(r, "margin"),
                                                                .axis = last});
}

static tp_tensor multi_margin(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_multi_margin(p, t,
                           &(tp_multi_margin_options){.reduction = golden_reduction(r),
                                                      .class_weight = golden_operand(r, "weight"),
                                                      .margin = golden_optional(r, "margin"),
                                                      .power = (int)golden_integer(golden_case_of(r), "p")});
}

static tp_tensor multilabel_margin(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_multilabel_margin(p, t, &(tp_multilabel_margin_options){.reduction = golden_reduction(r)});
}

static const golden_loss losses[] = {
    {.op = "bce", .record = bce, .cases = 13, .beyond_f32 = "tiny"}, /* 0.999999 */
    {.op = "bce_with_logits", .record = bce_with_logits, .cases = 15},
    {.op = "focal_binary", .record = focal_binary, .cases = 10},
    {.op = "kl_div", .record = kl_div, .cases = 14},
    {.op = "cross_entropy",
     .record = cross_entropy,
     .cases = 72,
     .deviation = "cross_entropy.all_ignored_mean"},
    {.op = "nll", .record = nll, .cases = 12},
    {.op = "categorical_crossentropy", .record = categorical_crossentropy, .cases = 11},
    {.op = "focal_categorical", .record = focal_categorical, .cases = 13},
    {.op = "multilabel_soft_margin", .record = multilabel_soft_margin, .cases = 7},
    {.op = "hinge", .record = hinge, .cases = 9},
    {.op = "squared_hinge", .record = squared_hinge, .cases = 9},
    {.op = "hinge_embedding", .record = hinge_embedding, .cases = 7},
    {.op = "soft_margin", .record = soft_margin, .cases = 7},
    {.op = "margin_ranking", .record = margin_ranking, .cases = 8},
    {.op = "categorical_hinge", .record = categorical_hinge, .cases = 5},
    {.op = "multi_margin", .record = multi_margin, .cases = 24},
    {.op = "multilabel_margin", .record = multilabel_margin, .cases = 7},
};

static void every_case(void **state)
{
    (void)state;
    golden_run_losses("losses_classification.txt", losses, sizeof losses / sizeof *losses, 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
