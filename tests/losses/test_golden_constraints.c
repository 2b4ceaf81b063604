/* test_golden_constraints.c -- every golden case of the families losses_constraints and losses_multitask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/constraints.h>
#include <tapir/ops.h>
#include <tapir/terms.h>

#include "golden_losses.h"

static double number(const golden_run *r, const char *key)
{
    return golden_number(golden_case_of(r), key);
}

static tp_tensor scalar(const golden_run *r, double value)
{
    return tp_scalar(golden_tape_of(r), value);
}

/* ---- Constraints ------------------------------------------------------------------------------------- */

static tp_tensor sum_to_one(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x");
    return tp_penalty(tp_sums_to(x, number(r, "total")), 1,
                      &(tp_penalty_options){.shape = number(r, "norm") == 1 ? TP_PENALTY_L1 : TP_PENALTY_L2,
                                            .reduction = golden_reduction(r)});
}

static tp_tensor bounds(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), lo = golden_operand(r, "lo"), hi = golden_operand(r, "hi");
    return tp_penalty(tp_between(x, lo, hi), 1,
                      &(tp_penalty_options){.shape = number(r, "power") == 1 ? TP_PENALTY_L1 : TP_PENALTY_L2,
                                            .reduction = golden_reduction(r)});
}

static tp_tensor l1(golden_run *r)
{
    return tp_l1_penalty(golden_operand(r, "x"), number(r, "lambda"));
}

static tp_tensor l2(golden_run *r)
{
    return tp_l2_penalty(golden_operand(r, "x"), number(r, "lambda"));
}

static tp_tensor elastic_net(golden_run *r)
{
    return tp_elastic_net(golden_operand(r, "x"), number(r, "alpha"), number(r, "l1_ratio"));
}

static tp_tensor group_lasso(golden_run *r)
{
    const golden_block *b = golden_get(golden_case_of(r), GOLDEN_IN, "groups");
    int64_t groups = 0;
    for (int64_t i = 0; i < b->count; i++)
        groups = b->i64[i] >= groups ? b->i64[i] + 1 : groups;
    const tp_tensor x = golden_operand(r, "x");
    return tp_group_lasso(x, golden_operand(r, "groups"), groups, number(r, "lambda"));
}

static tp_tensor barrier_bounds(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), lo = golden_operand(r, "lo"), hi = golden_operand(r, "hi");
    return tp_penalty(tp_between(x, lo, hi), number(r, "mu"),
                      &(tp_penalty_options){.shape = TP_PENALTY_BARRIER, .reduction = TP_SUM});
}

/* A x and b, in this order of operands. */
static tp_tensor product(golden_run *r, tp_tensor *b)
{
    const tp_tensor a = golden_operand(r, "A"), x = golden_operand(r, "x");
    *b = golden_operand(r, "b");
    return tp_matmul(a, x);
}

static tp_tensor barrier_linear(golden_run *r)
{
    tp_tensor b;
    const tp_tensor ax = product(r, &b);
    return tp_penalty(tp_at_most(ax, b), number(r, "mu"),
                      &(tp_penalty_options){.shape = TP_PENALTY_BARRIER, .reduction = TP_SUM});
}

static tp_tensor barrier_extension(golden_run *r)
{
    return tp_penalty(tp_at_most(golden_operand(r, "z"), scalar(r, 0)), 1,
                      &(tp_penalty_options){.shape = TP_PENALTY_BARRIER,
                                            .sharpness = number(r, "t"),
                                            .reduction = golden_reduction(r)});
}

static tp_tensor tv1d(golden_run *r)
{
    return tp_total_variation(golden_operand(r, "x"), number(r, "lambda"), (int)number(r, "power"));
}

static tp_tensor tv2d(golden_run *r)
{
    const bool isotropic = golden_is(golden_case_of(r), "kind", "isotropic");
    return tp_total_variation_2d(golden_operand(r, "x"), number(r, "lambda"),
                                 &(tp_total_variation_options){isotropic, number(r, "eps")});
}

static tp_tensor equality_penalty(golden_run *r)
{
    tp_tensor b;
    const tp_tensor ax = product(r, &b);
    return tp_penalty(tp_equals(ax, b), number(r, "rho") / 2, &(tp_penalty_options){.reduction = TP_SUM});
}

static tp_tensor inequality_penalty(golden_run *r)
{
    tp_tensor b;
    const tp_tensor ax = product(r, &b);
    return tp_penalty(tp_at_most(ax, b), number(r, "rho") / 2, &(tp_penalty_options){.reduction = TP_SUM});
}

static tp_tensor augmented(golden_run *r)
{
    const tp_tensor h = golden_operand(r, "h"), lambda = golden_operand(r, "lam"), g = golden_operand(r, "g"),
                    mu = golden_operand(r, "mu");
    const tp_tensor rho = scalar(r, number(r, "rho"));
    return tp_add(tp_augmented_equality(h, lambda, rho), tp_augmented_inequality(g, mu, rho));
}

static tp_tensor orthogonality(golden_run *r)
{
    return tp_orthogonality(golden_operand(r, "W"), number(r, "lambda"));
}

static tp_tensor entropy(golden_run *r)
{
    return tp_entropy(golden_operand(r, "logits"), &(tp_loss_options){.reduction = golden_reduction(r)});
}

static void constraints(void **state)
{
    static const golden_loss losses[] = {
        {"sum_to_one", sum_to_one, 20, 0, NULL, NULL},
        {"bounds", bounds, 16, 0, NULL, NULL},
        {"l1_penalty", l1, 7, 0, NULL, NULL},
        {"l2_penalty", l2, 7, 0, NULL, NULL},
        {"elastic_net", elastic_net, 7, 0, NULL, NULL},
        {"group_lasso", group_lasso, 6, 0, NULL, NULL},
        {"log_barrier_bounds", barrier_bounds, 9, 0, NULL, "near"},
        {"log_barrier_linear", barrier_linear, 4, 0, NULL, NULL},
        {"log_barrier_ext", barrier_extension, 9, 0, NULL, NULL},
        {"tv1d", tv1d, 6, 0, NULL, NULL},
        {"tv2d", tv2d, 6, 0, NULL, NULL},
        {"equality_penalty", equality_penalty, 5, 0, NULL, NULL},
        {"inequality_penalty", inequality_penalty, 5, 0, NULL, NULL},
        {"augmented_lagrangian", augmented, 5, 0, NULL, NULL},
        {"orthogonality", orthogonality, 3, 0, NULL, NULL},
        {"entropy", entropy, 5, 0, NULL, NULL},
    };
    (void)state;
    golden_run_losses("losses_constraints.txt", losses, sizeof losses / sizeof *losses, 32);
}

/* ---- Several tasks ----------------------------------------------------------------------------------- */

static tp_tensor mse_plus_ce(golden_run *r)
{
    const tp_tensor pred = golden_operand(r, "pred"), target = golden_operand(r, "target"),
                    logits = golden_operand(r, "logits"), labels = golden_operand(r, "labels");
    const tp_term term[] = {{"mse", tp_mse(pred, target, NULL), number(r, "w_mse"), false},
                            {"ce", tp_cross_entropy(logits, labels, NULL), number(r, "w_ce"), true}};
    return tp_terms_total(term, 2, NULL, NULL);
}

static int make_terms(golden_run *r, tp_term *term)
{
    const golden_block *b = golden_get(golden_case_of(r), GOLDEN_IN, "losses");
    const golden_block *kind = golden_find(golden_case_of(r), GOLDEN_IN, "kind");
    const tp_tensor losses = golden_operand(r, "losses");
    assert_true(b->count <= TP_TERMS_MOST);
    for (int k = 0; k < (int)b->count; k++)
        term[k] = (tp_term){"a task", tp_slice(losses, 0, k, k + 1, 1), 1, kind != NULL && kind->i64[k] == 1};
    return (int)b->count;
}

static tp_tensor weighted_sum(golden_run *r)
{
    tp_term term[TP_TERMS_MOST];
    const int n = make_terms(r, term);
    return tp_terms_total(term, n, &(tp_terms_options){.weights = golden_operand(r, "weights")}, NULL);
}

static tp_tensor kendall(golden_run *r)
{
    tp_term term[TP_TERMS_MOST];
    const int n = make_terms(r, term);
    return tp_terms_total(term, n, &(tp_terms_options){.log_variances = golden_operand(r, "log_var")}, NULL);
}

static tp_tensor kendall_mse_ce(golden_run *r)
{
    const tp_tensor pred = golden_operand(r, "pred"), target = golden_operand(r, "target"),
                    logits = golden_operand(r, "logits"), labels = golden_operand(r, "labels");
    const tp_term term[] = {{"mse", tp_mse(pred, target, NULL), 1, false},
                            {"ce", tp_cross_entropy(logits, labels, NULL), 1, true}};
    return tp_terms_total(term, 2, &(tp_terms_options){.log_variances = golden_operand(r, "log_var")}, NULL);
}

static tp_tensor elu(tp_tensor x)
{
    return tp_elu(x, 1);
}

static tp_tensor activation(const golden_run *r, tp_tensor x)
{
    static const struct {
        const char *name;
        tp_tensor (*f)(tp_tensor);
    } all[] = {{"tanh", tp_tanh}, {"relu", tp_relu}, {"sigmoid", tp_sigmoid},
               {"gelu", tp_gelu}, {"silu", tp_silu}, {"softplus", tp_softplus},
               {"elu", elu}};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (golden_is(golden_case_of(r), "act", all[k].name))
            return all[k].f(x);
    fail_msg("unknown activation");
    return x;
}

static tp_tensor two_heads(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), w1 = golden_operand(r, "W1"), b1 = golden_operand(r, "b1"),
                    w2 = golden_operand(r, "W2"), b2 = golden_operand(r, "b2"), w3 = golden_operand(r, "W3"),
                    b3 = golden_operand(r, "b3"), target = golden_operand(r, "target"),
                    labels = golden_operand(r, "labels");
    const tp_tensor h = activation(r, tp_add(tp_matmul(x, w1), b1));
    const tp_tensor p = tp_add(tp_matmul(h, w2), b2), z = tp_add(tp_matmul(h, w3), b3);
    const tp_tensor size = tp_add(tp_l2_penalty(w1, 1), tp_add(tp_l2_penalty(w2, 1), tp_l2_penalty(w3, 1)));
    const tp_term term[] = {{"mse", tp_mse(p, target, NULL), 1, false},
                            {"ce", tp_cross_entropy(z, labels, NULL), number(r, "w_ce"), true},
                            {"weights", size, number(r, "lambda") / 2, false}};
    return tp_terms_total(term, 3, NULL, NULL);
}

static tp_tensor shared_nodes(golden_run *r)
{
    const tp_tensor x = golden_operand(r, "x"), y = golden_operand(r, "y");
    tp_tensor before = y, a = x;
    for (int k = 0; k < (int)number(r, "steps"); k++) {
        const tp_tensor next =
            tp_sub(tp_add(tp_tanh(tp_mul(a, y)), tp_scale(tp_mul(a, a), 0.25)), tp_sin(before));
        before = a;
        a = next;
    }
    return tp_add(tp_sum(a), tp_sum(tp_mul(x, a)));
}

static void several_tasks(void **state)
{
    static const golden_loss losses[] = {
        {"mse_plus_ce", mse_plus_ce, 2, 0, NULL, NULL}, {"weighted_sum", weighted_sum, 2, 0, NULL, NULL},
        {"kendall", kendall, 4, 0, NULL, NULL},         {"kendall_mse_ce", kendall_mse_ce, 2, 0, NULL, NULL},
        {"mlp_two_heads", two_heads, 3, 0, NULL, NULL}, {"shared_nodes", shared_nodes, 4, 0, NULL, NULL},
    };
    (void)state;
    golden_run_losses("losses_multitask.txt", losses, sizeof losses / sizeof *losses, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constraints),
        cmocka_unit_test(several_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
