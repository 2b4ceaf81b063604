/* test_golden_unary.c -- the golden cases ops_unary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_ops.h"

static tp_tensor number(tp_tensor at, double value)
{
    return tp_scalar(at.tape, value);
}

static void build_clamp(golden_record *r)
{
    r->out[0] = tp_clamp(r->x[0], golden_number(r->c, "lo"), golden_number(r->c, "hi"));
}

static void build_softplus(golden_record *r)
{
    const double beta = golden_number(r->c, "beta");
    r->out[0] = tp_scale(tp_softplus(tp_scale(r->x[0], beta)), 1 / beta);
}

static tp_tensor where_self(tp_tensor x)
{
    const tp_tensor positive = tp_greater(x, number(x, 0));
    return tp_where(positive, tp_mul(x, tp_log(tp_where(positive, x, number(x, 1)))), number(x, 0));
}

/* The same without the inner where: the strong zero does its work. */
static tp_tensor where_self_plainly(tp_tensor x)
{
    return tp_where(tp_greater(x, number(x, 0)), tp_mul(x, tp_log(x)), number(x, 0));
}

static void build_elu(golden_record *r)
{
    r->out[0] = tp_elu(r->x[0], golden_number(r->c, "alpha"));
}

static void build_leaky_relu(golden_record *r)
{
    r->out[0] = tp_leaky_relu(r->x[0], golden_number(r->c, "slope"));
}

static void build_gelu(golden_record *r)
{
    r->out[0] = golden_is(r->c, "approximate", "tanh") ? tp_gelu_tanh(r->x[0]) : tp_gelu(r->x[0]);
}

static const golden_op ops[] = {
    {"neg", .unary = tp_neg},
    {"abs", .unary = tp_abs},
    {"sign", .unary = tp_sign},
    {"square", .unary = tp_square},
    {"sqrt", .unary = tp_sqrt},
    {"rsqrt", .unary = tp_rsqrt},
    {"exp", .unary = tp_exp},
    {"expm1", .unary = tp_expm1},
    {"log", .unary = tp_log},
    {"log1p", .unary = tp_log1p},
    {"sin", .unary = tp_sin},
    {"cos", .unary = tp_cos},
    {"tan", .unary = tp_tan},
    {"asin", .unary = tp_asin},
    {"acos", .unary = tp_acos},
    {"atan", .unary = tp_atan},
    {"sinh", .unary = tp_sinh},
    {"cosh", .unary = tp_cosh},
    {"tanh", .unary = tp_tanh},
    {"asinh", .unary = tp_asinh},
    {"acosh", .unary = tp_acosh},
    {"atanh", .unary = tp_atanh},
    {"sigmoid", .unary = tp_sigmoid},
    {"logsigmoid", .unary = tp_log_sigmoid},
    {"relu", .unary = tp_relu},
    {"selu", .unary = tp_selu},
    {"silu", .unary = tp_silu},
    {"mish", .unary = tp_mish},
    {"erf", .unary = tp_erf},
    {"erfc", .unary = tp_erfc},
    {"reciprocal", .unary = tp_reciprocal},
    {"floor", .unary = tp_floor},
    {"ceil", .unary = tp_ceil},
    {"round", .unary = tp_round},
    {"leaky_relu", .build = build_leaky_relu},
    {"elu", .build = build_elu},
    {"gelu", .build = build_gelu},
    {"softplus", .build = build_softplus},
    {"clamp", .build = build_clamp},
    {"where_self", .unary = where_self},
};

static void test_unary(void **state)
{
    (void)state;
    golden_run_ops("ops_unary.txt", ops, (int)(sizeof ops / sizeof *ops), 199);
}

static void test_untaken_branch(void **state)
{
    golden_op plain[sizeof ops / sizeof *ops];
    (void)state;
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        plain[k] = (golden_op){.op = ops[k].op};
        if (ops[k].unary == where_self)
            plain[k].unary = where_self_plainly;
    }
    golden_run_ops("ops_unary.txt", plain, (int)(sizeof ops / sizeof *ops), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_untaken_branch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
