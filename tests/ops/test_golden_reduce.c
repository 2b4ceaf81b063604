/* test_golden_reduce.c -- the golden cases ops_reduce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_ops.h"

typedef tp_tensor (*reduction)(tp_tensor x, tp_axes axes, bool keepdims);

static void reduce(golden_record *r, reduction over)
{
    r->out[0] = over(r->x[0], golden_axes(r), golden_switch(r->c, "keepdim"));
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

static void build_var(golden_record *r)
{
    r->out[0] = tp_var_over(r->x[0], golden_axes(r), (int)golden_integer(r->c, "correction"),
                            golden_switch(r->c, "keepdim"));
}

static void build_std(golden_record *r)
{
    r->out[0] = tp_std_over(r->x[0], golden_axes(r), (int)golden_integer(r->c, "correction"),
                            golden_switch(r->c, "keepdim"));
}

static void build_norm(golden_record *r)
{
    r->out[0] = tp_vector_norm_over(r->x[0], golden_axes(r), golden_number(r->c, "p"),
                                    golden_switch(r->c, "keepdim"));
}

static void build_argmax(golden_record *r)
{
    reduce(r, tp_argmax_over);
}

static void build_argmin(golden_record *r)
{
    reduce(r, tp_argmin_over);
}

static const golden_op ops[] = {
    {"sum", .build = build_sum},       {"mean", .build = build_mean},           {"max", .build = build_max},
    {"min", .build = build_min},       {"prod", .build = build_prod},           {"var", .build = build_var},
    {"std", .build = build_std},       {"logsumexp", .build = build_logsumexp}, {"norm", .build = build_norm},
    {"argmax", .build = build_argmax}, {"argmin", .build = build_argmin},
};

static void test_reduce(void **state)
{
    (void)state;
    golden_run_ops("ops_reduce.txt", ops, (int)(sizeof ops / sizeof *ops), 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reduce)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
