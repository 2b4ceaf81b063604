/* test_golden_regression.c -- every golden case of the family losses_regression. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/ops.h>

#include "golden_losses.h"

/* Prediction and target, and what every loss takes. */
typedef struct pair {
    tp_tensor p, t;
    tp_reduction reduction;
    bool broadcast;
} pair;

static pair pair_of(golden_run *r)
{
    pair x = {golden_operand(r, "pred"), golden_operand(r, "target"), golden_reduction(r), false};

    x.broadcast = !tp_shape_equal(tp_shape_of(x.p), tp_shape_of(x.t));
    if (x.broadcast) { /* only when asked for */
        assert_false(tp_is_valid(tp_mse(x.p, x.t, NULL)));
        assert_non_null(strstr(tp_tape_message(golden_tape_of(r)), "set .broadcast if that is meant at /"));
        tp_tape_clear_error(golden_tape_of(r));
    }
    return x;
}

#define COMMON .reduction = x.reduction, .broadcast = x.broadcast

static double number(const golden_run *r, const char *key)
{
    return golden_number(golden_case_of(r), key);
}

static tp_tensor mse(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_mse(x.p, x.t, &(tp_loss_options){COMMON});
}

static tp_tensor l1(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_mae(x.p, x.t, &(tp_loss_options){COMMON});
}

static tp_tensor smooth_l1(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_smooth_l1(x.p, x.t, &(tp_smooth_l1_options){COMMON, .beta = golden_optional(r, "beta")});
}

static tp_tensor huber(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_huber(x.p, x.t, &(tp_huber_options){COMMON, .delta = number(r, "delta")});
}

static tp_tensor quantile(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_quantile_loss(x.p, x.t, number(r, "tau"), &(tp_loss_options){COMMON});
}

static tp_tensor log_cosh(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_log_cosh(x.p, x.t, &(tp_loss_options){COMMON});
}

static tp_tensor tukey(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_tukey(x.p, x.t, &(tp_tukey_options){COMMON, .c = number(r, "c")});
}

static tp_tensor poisson_nll(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_poisson_nll(x.p, x.t,
                          &(tp_poisson_nll_options){
                              COMMON, .rate = !golden_switch(golden_case_of(r), "log_input"),
                              .full = golden_switch(golden_case_of(r), "full"), .epsilon = number(r, "eps")});
}

static tp_tensor gaussian_nll(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_gaussian_nll(x.p, x.t, golden_operand(r, "var"),
                           &(tp_gaussian_nll_options){COMMON,
                                                      .full = golden_switch(golden_case_of(r), "full"),
                                                      .epsilon = number(r, "eps")});
}

static tp_tensor mape(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_mape(x.p, x.t,
                   &(tp_mape_options){COMMON, .epsilon = number(r, "eps"), .scale = number(r, "scale")});
}

static tp_tensor msle(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_msle(x.p, x.t, &(tp_msle_options){COMMON, .epsilon = number(r, "eps")});
}

static tp_tensor cosine_loss(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_cosine_loss(
        x.p, x.t,
        &(tp_cosine_options){COMMON, .axis = {true, (int32_t)golden_integer(golden_case_of(r), "axis")},
                             .epsilon = number(r, "eps")});
}

static tp_tensor barron(golden_run *r)
{
    const pair x = pair_of(r);
    return tp_barron(x.p, x.t, tp_scalar(golden_tape_of(r), number(r, "alpha")),
                     &(tp_barron_options){COMMON, .c = tp_scalar(golden_tape_of(r), number(r, "c"))});
}

static tp_tensor barron_ac(golden_run *r)
{
    const pair x = pair_of(r);
    const tp_tensor alpha = golden_operand(r, "alpha");
    return tp_barron(x.p, x.t, alpha, &(tp_barron_options){COMMON, .c = golden_operand(r, "c")});
}

static const golden_loss losses[] = {
    {.op = "mse", .record = mse, .cases = 7},
    {.op = "l1", .record = l1, .cases = 7},
    {.op = "smooth_l1", .record = smooth_l1, .cases = 14},
    {.op = "huber", .record = huber, .cases = 11},
    {.op = "quantile", .record = quantile, .cases = 10},
    {.op = "log_cosh", .record = log_cosh, .cases = 7},
    {.op = "tukey", .record = tukey, .cases = 11},
    {.op = "poisson_nll", .record = poisson_nll, .cases = 16},
    {.op = "gaussian_nll", .record = gaussian_nll, .cases = 10},
    {.op = "mape", .record = mape, .cases = 9},
    {.op = "msle", .record = msle, .cases = 7},
    {.op = "cosine_loss", .record = cosine_loss, .cases = 12},
    {.op = "barron", .record = barron, .cases = 18},
    {.op = "barron_ac", .record = barron_ac, .cases = 6},
};

static void every_case(void **state)
{
    (void)state;
    golden_run_losses("losses_regression.txt", losses, sizeof losses / sizeof *losses, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
