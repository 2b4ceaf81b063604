/* test_golden_metric.c -- every golden case of the family losses_metric. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tapir/ops.h>

#include "golden_losses.h"

static double number(const golden_run *r, const char *key)
{
    return golden_number(golden_case_of(r), key);
}

static bool flag(const golden_run *r, const char *key)
{
    return golden_switch(golden_case_of(r), key);
}

/* ---- Pairs and triplets ---------------------------------------------------------------------------- */

static tp_tensor contrastive(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "x1"), b = golden_operand(r, "x2"), y = golden_operand(r, "y");
    return tp_contrastive(
        a, b, y, &(tp_contrastive_options){.reduction = golden_reduction(r), .margin = number(r, "margin")});
}

static tp_tensor triplet_margin(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "anchor"), p = golden_operand(r, "positive"),
                    n = golden_operand(r, "negative");
    return tp_triplet_margin(a, p, n,
                             &(tp_triplet_options){.reduction = golden_reduction(r),
                                                   .margin = golden_optional(r, "margin"),
                                                   .p = number(r, "p"),
                                                   .epsilon = golden_optional(r, "eps"),
                                                   .swap = flag(r, "swap")});
}

static tp_tensor triplet_squared(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "anchor"), p = golden_operand(r, "positive"),
                    n = golden_operand(r, "negative");
    return tp_triplet_squared(a, p, n,
                              &(tp_triplet_squared_options){.reduction = golden_reduction(r),
                                                            .margin = golden_optional(r, "margin")});
}

static tp_tensor cosine_embedding(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "x1"), b = golden_operand(r, "x2"), t = golden_operand(r, "target");
    return tp_cosine_embedding(
        a, b, t,
        &(tp_cosine_embedding_options){.reduction = golden_reduction(r), .margin = number(r, "margin")});
}

/* ---- Batches --------------------------------------------------------------------------------------- */

static tp_tensor info_nce(golden_run *r)
{
    const tp_tensor q = golden_operand(r, "query"), k = golden_operand(r, "key");
    return tp_info_nce(q, k,
                       &(tp_info_nce_options){.reduction = golden_reduction(r),
                                              .temperature = number(r, "temperature"),
                                              .symmetric = flag(r, "symmetric")});
}

static tp_tensor nt_xent(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "z1"), b = golden_operand(r, "z2");
    return tp_nt_xent(
        a, b,
        &(tp_info_nce_options){.reduction = golden_reduction(r), .temperature = number(r, "temperature")});
}

static tp_tensor n_pairs(golden_run *r)
{
    const tp_tensor a = golden_operand(r, "anchor"), p = golden_operand(r, "positive");
    return tp_n_pairs(
        a, p, &(tp_n_pairs_options){.labels = golden_operand(r, "labels"), .l2 = number(r, "l2_reg")});
}

static tp_tensor supcon(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), labels = golden_operand(r, "labels");
    return tp_supcon(x, labels,
                     &(tp_supcon_options){.temperature = number(r, "temperature"),
                                          .base_temperature = number(r, "base_temperature")});
}

static tp_tensor multi_similarity(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), labels = golden_operand(r, "labels");
    return tp_multi_similarity(x, labels,
                               &(tp_multi_similarity_options){.alpha = number(r, "alpha"),
                                                              .beta = number(r, "beta"),
                                                              .base = golden_optional(r, "base")});
}

static tp_circle_options circle_options(const golden_run *r)
{
    return (tp_circle_options){
        .margin = golden_optional(r, "margin"), .gamma = number(r, "gamma"), .detach = flag(r, "detach")};
}

static tp_tensor circle_pairs(golden_run *r)
{
    const tp_circle_options o = circle_options(r);
    const tp_tensor sp = golden_operand(r, "sp"), sn = golden_operand(r, "sn");
    return tp_circle_pairs(sp, sn, &o);
}

static tp_tensor circle(golden_run *r)
{
    const tp_circle_options o = circle_options(r);
    const tp_tensor x = golden_operand(r, "x"), labels = golden_operand(r, "labels");
    return tp_circle(x, labels, &o);
}

/* ---- Class vectors --------------------------------------------------------------------------------- */

static tp_tensor arcface(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), w = golden_operand(r, "weight"),
                    t = golden_operand(r, "target");
    return tp_arcface(x, w, t,
                      &(tp_arcface_options){.reduction = golden_reduction(r),
                                            .scale = number(r, "scale"),
                                            .margin = golden_optional(r, "margin"),
                                            .easy_margin = flag(r, "easy_margin")});
}

static tp_tensor cosface(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), w = golden_operand(r, "weight"),
                    t = golden_operand(r, "target");
    return tp_cosface(x, w, t,
                      &(tp_arcface_options){.reduction = golden_reduction(r),
                                            .scale = number(r, "scale"),
                                            .margin = golden_optional(r, "margin")});
}

static const golden_loss losses[] = {
    {.op = "contrastive", .record = contrastive, .cases = 16},
    {.op = "triplet_margin", .record = triplet_margin, .cases = 27},
    {.op = "triplet_squared", .record = triplet_squared, .cases = 8},
    {.op = "cosine_embedding", .record = cosine_embedding, .cases = 10},
    {.op = "info_nce", .record = info_nce, .cases = 12},
    {.op = "nt_xent", .record = nt_xent, .cases = 8},
    {.op = "n_pairs", .record = n_pairs, .cases = 9},
    {.op = "supcon", .record = supcon, .cases = 6},
    {.op = "multi_similarity", .record = multi_similarity, .cases = 6},
    {.op = "circle_pairs", .record = circle_pairs, .cases = 9},
    {.op = "circle", .record = circle, .cases = 4},
    {.op = "arcface", .record = arcface, .cases = 13},
    {.op = "cosface", .record = cosface, .cases = 6},
};

static void every_case(void **state)
{
    (void)state;
    golden_run_losses("losses_metric.txt", losses, sizeof losses / sizeof *losses, 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
