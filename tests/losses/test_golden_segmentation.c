/* test_golden_segmentation.c -- every golden case of the family losses_segmentation. */
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

/* ---- Overlaps -------------------------------------------------------------------------------------- */

static tp_tensor dice(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_dice(p, t,
                   &(tp_dice_options){.per_sample = flag(r, "per_sample"),
                                      .from_logits = flag(r, "from_logits"),
                                      .squared = flag(r, "squared"),
                                      .smooth = golden_optional(r, "smooth")});
}

static tp_tensor jaccard(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_jaccard(p, t,
                      &(tp_jaccard_options){.per_sample = flag(r, "per_sample"),
                                            .from_logits = flag(r, "from_logits"),
                                            .smooth = golden_optional(r, "smooth")});
}

static tp_tensor tversky(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_tversky(p, t,
                      &(tp_tversky_options){.per_sample = flag(r, "per_sample"),
                                            .from_logits = flag(r, "from_logits"),
                                            .smooth = golden_optional(r, "smooth"),
                                            .alpha = golden_optional(r, "alpha"),
                                            .beta = golden_optional(r, "beta")});
}

static tp_tensor focal_tversky(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_focal_tversky(p, t,
                            &(tp_focal_tversky_options){.per_sample = flag(r, "per_sample"),
                                                        .from_logits = flag(r, "from_logits"),
                                                        .smooth = golden_optional(r, "smooth"),
                                                        .alpha = golden_optional(r, "alpha"),
                                                        .beta = golden_optional(r, "beta"),
                                                        .gamma = number(r, "gamma")});
}

static tp_tensor generalised_dice(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_generalised_dice(p, t, &(tp_generalised_dice_options){.epsilon = number(r, "eps")});
}

/* ---- Pixels and overlap together --------------------------------------------------------------------- */

static tp_tensor bce_dice(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_bce_dice(x, t,
                       &(tp_bce_dice_options){.per_sample = flag(r, "per_sample"),
                                              .smooth = golden_optional(r, "smooth"),
                                              .bce_weight = golden_optional(r, "w_bce"),
                                              .dice_weight = golden_optional(r, "w_dice")});
}

static tp_tensor combo(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    return tp_combo(p, t,
                    &(tp_combo_options){.from_logits = flag(r, "from_logits"),
                                        .smooth = golden_optional(r, "smooth"),
                                        .alpha = golden_optional(r, "alpha"),
                                        .beta = golden_optional(r, "beta"),
                                        .epsilon = number(r, "eps")});
}

/* ---- By sorted errors -------------------------------------------------------------------------------- */

static tp_tensor lovasz_hinge(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "logits"), t = golden_operand(r, "target");
    return tp_lovasz_hinge(x, t, &(tp_lovasz_hinge_options){.per_sample = flag(r, "per_sample")});
}

/* The class axis is the last one. */
static tp_tensor lovasz_softmax(golden_run *r)
{
    const tp_tensor p = golden_operand(r, "pred"), t = golden_operand(r, "target");
    const bool all = golden_is(golden_case_of(r), "classes", "all");
    return tp_lovasz_softmax(p, t, &(tp_lovasz_softmax_options){.all_classes = all});
}

static const golden_loss losses[] = {
    {.op = "dice", .record = dice, .cases = 19},
    {.op = "jaccard", .record = jaccard, .cases = 19},
    {.op = "tversky", .record = tversky, .cases = 19},
    {.op = "focal_tversky", .record = focal_tversky, .cases = 14},
    {.op = "generalised_dice", .record = generalised_dice, .cases = 6},
    {.op = "lovasz_hinge", .record = lovasz_hinge, .cases = 10},
    {.op = "lovasz_softmax", .record = lovasz_softmax, .cases = 6},
    {.op = "bce_dice", .record = bce_dice, .cases = 9},
    {.op = "combo", .record = combo, .cases = 6},
};

static void every_case(void **state)
{
    (void)state;
    golden_run_losses("losses_segmentation.txt", losses, sizeof losses / sizeof *losses, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
