/* random_graph_functions.c -- elementwise functions as instructions, of arguments at which they are smooth. */
#include "random_graph.h"

static tp_tensor number(tp_tensor at, double value)
{
    return tp_scalar(at.tape, value);
}

/* Above `least`, whatever x. */
static tp_tensor above(tp_tensor x, double least)
{
    return tp_add(tp_square(x), number(x, least));
}

/* Between -0.8 and 0.8. */
static tp_tensor inside(tp_tensor x)
{
    return tp_scale(tp_tanh(x), 0.8);
}

static tp_tensor record_power(const instruction *i, tp_tensor x)
{
    switch (i->p[0]) {
    case 0: return tp_rsqrt(above(x, 0.5));
    case 1: return tp_reciprocal(above(x, 0.7));
    case 2: return tp_exp2(tp_scale(x, 0.25));
    case 3: return tp_log2(above(x, 0.5));
    case 4: return tp_log10(above(x, 0.5));
    case 5: return tp_pow(above(x, 0.5), number(x, i->number));
    case 6: return tp_pow(x, number(x, 3));
    case 7: return tp_lgamma(above(x, 0.5));
    case 8: return tp_digamma(above(x, 1));
    default: return tp_polygamma(above(x, 1), 1);
    }
}

static tp_tensor record_transcendental(const instruction *i, tp_tensor x)
{
    switch (i->p[0]) {
    case 10: return tp_sin(x);
    case 11: return tp_cos(tp_scale(x, 2));
    case 12: return tp_tan(inside(x));
    case 13: return tp_asin(inside(x));
    case 14: return tp_acos(inside(x));
    case 15: return tp_atan(x);
    case 16: return tp_sinh(tp_scale(x, 0.25));
    case 17: return tp_cosh(tp_scale(x, -0.25));
    case 18: return tp_asinh(x);
    case 19: return tp_acosh(above(x, 1.5));
    case 20: return tp_atanh(inside(x));
    case 21: return tp_erf(x);
    case 22: return tp_erfc(tp_scale(x, 0.5));
    case 23: return tp_normal_cdf(x);
    default: return tp_normal_pdf(x);
    }
}

/* Functions with steps, and logic, of numbers between 1.5 and 2, where nothing jumps. */
static tp_tensor record_steps(tp_tensor x)
{
    const tp_tensor w = tp_add(tp_scale(inside(x), 0.25), number(x, 1.75)), one = number(x, 1);
    const tp_tensor steps = tp_mul(tp_add(tp_floor(w), tp_ceil(w)), tp_sub(tp_round(w), tp_trunc(w)));
    const tp_tensor never = tp_logical_xor(tp_greater(w, one), tp_less(w, number(x, 2)));
    return tp_where(tp_logical_or(never, tp_less(w, one)), tp_log(tp_neg(w)),
                    tp_mul(steps, tp_mul(x, tp_fmod(w, one))));
}

static tp_tensor record_activation(const instruction *i, tp_tensor x)
{
    switch (i->p[0]) {
    case 25: return tp_log_sigmoid(x);
    case 26: return tp_silu(x);
    case 27: return tp_mish(x);
    case 28: return tp_gelu(x);
    case 29: return tp_gelu_tanh(x);
    case 30: return tp_where(tp_logical_not(tp_isfinite(x)), number(x, 0), tp_nan_to_num(x, NULL));
    case 31: return tp_softplus_tail(above(x, 0.1)); /* both have kinks at 0 */
    case 32: return tp_sigmoid_tail(tp_neg(above(x, 0.1)));
    case 33: return record_steps(x);
    default: return tp_add(x, tp_mul(tp_floor(number(x, i->number)), tp_round(number(x, 1.5))));
    }
}

static tp_tensor record_pair(const instruction *i, tp_tensor a, tp_tensor b)
{
    switch (i->p[0]) {
    case FUNCTIONS_OF_ONE: return tp_pow(above(a, 0.5), tp_scale(b, 0.5));
    case FUNCTIONS_OF_ONE + 1: return tp_hypot(a, above(b, 0.5));
    case FUNCTIONS_OF_ONE + 2: return tp_atan2(a, above(b, 0.5));
    case FUNCTIONS_OF_ONE + 3: return tp_logaddexp(a, b);
    default: return tp_xlogy(a, above(b, 0.5));
    }
}

tp_tensor record_function(const instruction *i, const tp_tensor *x)
{
    if (i->p[0] < 10)
        return record_power(i, x[0]);
    if (i->p[0] < 25)
        return record_transcendental(i, x[0]);
    return i->p[0] < FUNCTIONS_OF_ONE ? record_activation(i, x[0]) : record_pair(i, x[0], x[1]);
}
