/* test_golden_linalg.c -- the golden cases ops_linalg. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "golden_ops.h"

static void build_cholesky(golden_record *r)
{
    r->out[0] = tp_cholesky(r->x[0], NULL);
}

/* The factor of x x^T + shift 1. */
static void build_cholesky_gram(golden_record *r)
{
    const tp_tensor x = r->x[0], gram = tp_matmul(x, tp_transpose(x, -2, -1));
    const tp_tensor n = tp_iota(r->tape, TP_F64, tp_shape_of(gram).dim[tp_shape_of(gram).rank - 1]);
    const tp_tensor identity = tp_equal(tp_reshape(n, TP_SHAPE(-1, 1)), n);
    r->out[0] = tp_cholesky(tp_add(gram, tp_scale(identity, golden_number(r->c, "shift"))), NULL);
}

static void build_triangular_solve(golden_record *r)
{
    const tp_triangular_options options = {.upper = golden_switch(r->c, "upper"),
                                           .transpose = golden_switch(r->c, "trans"),
                                           .unit_diagonal = golden_switch(r->c, "unit")};
    r->out[0] = tp_triangular_solve(r->x[0], r->x[1], &options);
}

static void build_slogdet(golden_record *r)
{
    r->out[1] = tp_slogdet(r->x[0], &r->out[0]);
}

static void build_einsum(golden_record *r)
{
    r->out[0] = tp_einsum(golden_string(r->c, "equation"), r->x, r->n);
}

/* The logarithm of the normal density of x with mean m and covariance S. */
static void build_gaussian_logpdf(golden_record *r)
{
    const tp_tensor x = golden_input(r, "x"), m = golden_input(r, "m"), s = golden_input(r, "S");
    const tp_tensor factor = tp_cholesky(s, NULL);
    const tp_tensor y = tp_triangular_solve(factor, tp_sub(x, m), NULL);
    const double n = (double)tp_count_of(x), pi = 3.14159265358979323846;
    const tp_tensor logdet = tp_scale(tp_slogdet(factor, NULL), 2);
    r->out[0] =
        tp_scale(tp_add(tp_add(tp_sum(tp_square(y)), logdet), tp_scalar(r->tape, n * log(2 * pi))), -0.5);
}

static const golden_op ops[] = {
    {"matmul", .binary = tp_matmul},
    {"outer", .binary = tp_outer},
    {"cholesky", .build = build_cholesky},
    {"cholesky_gram", .build = build_cholesky_gram},
    {"solve", .binary = tp_solve},
    {"triangular_solve", .build = build_triangular_solve},
    {"inverse", .unary = tp_inverse},
    {"det", .unary = tp_det},
    {"slogdet", .build = build_slogdet},
    {"trace", .unary = tp_trace},
    {"gaussian_logpdf", .build = build_gaussian_logpdf},
    {"einsum", .build = build_einsum},
};

static void test_every_case(void **state)
{
    (void)state;
    golden_run_ops("ops_linalg.txt", ops, (int)(sizeof ops / sizeof *ops), 67);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
