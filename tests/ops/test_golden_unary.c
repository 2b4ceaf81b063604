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

/* ---- Composed here ----------------------------------------------------------------------------------------- */

static tp_tensor reciprocal(tp_tensor x)
{
    return tp_div(number(x, 1), x);
}

static tp_tensor logsigmoid(tp_tensor x)
{
    return tp_neg(tp_softplus(tp_neg(x)));
}

static tp_tensor silu(tp_tensor x)
{
    return tp_mul(x, tp_sigmoid(x));
}

static tp_tensor mish(tp_tensor x)
{
    return tp_mul(x, tp_tanh(tp_softplus(x)));
}

static tp_tensor exponential_below_0(tp_tensor x, double alpha)
{
    return tp_where(tp_greater(x, number(x, 0)), x, tp_scale(tp_expm1(x), alpha));
}

static void build_elu(golden_record *r)
{
    r->out[0] = exponential_below_0(r->x[0], golden_number(r->c, "alpha"));
}

static void build_selu(golden_record *r)
{
    r->out[0] = tp_scale(exponential_below_0(r->x[0], 1.6732632423543772848170429916717),
                         1.0507009873554804934193349852946);
}

static void build_leaky_relu(golden_record *r)
{
    const tp_tensor x = r->x[0];
    r->out[0] = tp_where(tp_greater(x, number(x, 0)), x, tp_scale(x, golden_number(r->c, "slope")));
}

static const golden_op ops[] = {
    {"neg", .unary = tp_neg},
    {"abs", .unary = tp_abs},
    {"sign", .unary = tp_sign},
    {"square", .unary = tp_square},
    {"sqrt", .unary = tp_sqrt},
    {"exp", .unary = tp_exp},
    {"expm1", .unary = tp_expm1},
    {"log", .unary = tp_log},
    {"log1p", .unary = tp_log1p},
    {"tanh", .unary = tp_tanh},
    {"sigmoid", .unary = tp_sigmoid},
    {"relu", .unary = tp_relu},
    {"softplus", .build = build_softplus},
    {"clamp", .build = build_clamp},
    {"where_self", .unary = where_self},
    /* composed in this file */
    {"reciprocal", .unary = reciprocal},
    {"logsigmoid", .unary = logsigmoid},
    {"silu", .unary = silu},
    {"mish", .unary = mish},
    {"elu", .build = build_elu},
    {"selu", .build = build_selu},
    {"leaky_relu", .build = build_leaky_relu},
    /* not there yet */
    {.op = "rsqrt"},
    {.op = "sin"},
    {.op = "cos"},
    {.op = "tan"},
    {.op = "asin"},
    {.op = "acos"},
    {.op = "atan"},
    {.op = "sinh"},
    {.op = "cosh"},
    {.op = "asinh"},
    {.op = "acosh"},
    {.op = "atanh"},
    {.op = "erf"},
    {.op = "erfc"},
    {.op = "floor"},
    {.op = "ceil"},
    {.op = "round"},
    {.op = "gelu"},
};

static void test_unary(void **state)
{
    (void)state;
    golden_run_ops("ops_unary.txt", ops, (int)(sizeof ops / sizeof *ops), 111);
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
