/* test_golden_reduce.c -- the golden cases ops_reduce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "golden_ops.h"

typedef tp_tensor (*reduction)(tp_tensor x, tp_axes axes, bool keepdims);

static void reduce_of(golden_record *r, tp_tensor x, reduction over)
{
    r->out[0] = over(x, golden_axes(r), golden_switch(r->c, "keepdim"));
}

static void reduce(golden_record *r, reduction over)
{
    reduce_of(r, r->x[0], over);
}

static void build_sum(golden_record *r)
{
    reduce(r, tp_sum_over);
}

static void build_mean(golden_record *r)
{
    reduce(r, tp_mean_over);
}

static void build_max(golden_record *r)
{
    reduce(r, tp_max_over);
}

static void build_min(golden_record *r)
{
    reduce(r, tp_min_over);
}

static void build_prod(golden_record *r)
{
    reduce(r, tp_prod_over);
}

static void build_logsumexp(golden_record *r)
{
    reduce(r, tp_logsumexp_over);
}

static tp_tensor variance(const golden_record *r)
{
    return tp_var_over(r->x[0], golden_axes(r), (int)golden_integer(r->c, "correction"),
                       golden_switch(r->c, "keepdim"));
}

static void build_var(golden_record *r)
{
    r->out[0] = variance(r);
}

/* Gradient 0 where the variance is 0. */
static void build_std(golden_record *r)
{
    const tp_tensor v = variance(r), zero = tp_scalar(r->tape, 0);
    r->out[0] = tp_where(tp_equal(v, zero), zero, tp_sqrt(v));
}

/* p = 2 is tp_norm; 1 and infinity are composed of others. */
static void build_norm(golden_record *r)
{
    const double p = golden_number(r->c, "p");
    assert_true(p == 1 || p == 2 || isinf(p));
    if (p == 2)
        reduce(r, tp_norm_over);
    else
        reduce_of(r, tp_abs(r->x[0]), p == 1 ? tp_sum_over : tp_max_over);
}

static const golden_op ops[] = {
    {"sum", .build = build_sum},
    {"mean", .build = build_mean},
    {"max", .build = build_max},
    {"min", .build = build_min},
    {"prod", .build = build_prod},
    {"var", .build = build_var},
    {"std", .build = build_std},
    {"logsumexp", .build = build_logsumexp},
    {"norm", .build = build_norm},
    /* not there yet */
    {.op = "argmax"},
    {.op = "argmin"},
};

static void test_reduce(void **state)
{
    (void)state;
    golden_run_ops("ops_reduce.txt", ops, (int)(sizeof ops / sizeof *ops), 114);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reduce)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
