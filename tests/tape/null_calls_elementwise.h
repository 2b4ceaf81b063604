/* null_calls_elementwise.h -- the functions of tapir/ops/elementwise.h and activations.h, for null_calls.h. */
#ifndef TAPIR_TESTS_NULL_CALLS_ELEMENTWISE_H
#define TAPIR_TESTS_NULL_CALLS_ELEMENTWISE_H

static inline tp_tensor call_function(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_rsqrt(x);
    case 1: return tp_reciprocal(x);
    case 2: return tp_exp2(x);
    case 3: return tp_log2(x);
    case 4: return tp_log10(x);
    case 5: return tp_pow(x, y);
    case 6: return tp_pow(y, x);
    case 7: return tp_hypot(x, y);
    case 8: return tp_fmod(y, x);
    case 9: return tp_logaddexp(x, y);
    case 10: return tp_xlogy(y, x);
    case 11: return tp_sin(x);
    case 12: return tp_cos(x);
    case 13: return tp_tan(x);
    case 14: return tp_asin(x);
    case 15: return tp_acos(x);
    case 16: return tp_atan(x);
    case 17: return tp_atan2(y, x);
    case 18: return tp_sinh(x);
    case 19: return tp_cosh(x);
    case 20: return tp_asinh(x);
    case 21: return tp_acosh(x);
    case 22: return tp_atanh(x);
    case 23: return tp_erf(x);
    case 24: return tp_erfc(x);
    case 25: return tp_normal_pdf(x);
    case 26: return tp_normal_cdf(x);
    case 27: return tp_lgamma(x);
    case 28: return tp_digamma(x);
    case 29: return tp_polygamma(x, 2);
    default: return no_more;
    }
}

static inline tp_tensor call_predicate(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_floor(x);
    case 1: return tp_ceil(x);
    case 2: return tp_round(x);
    case 3: return tp_trunc(x);
    case 4: return tp_isnan(x);
    case 5: return tp_isinf(x);
    case 6: return tp_isfinite(x);
    case 7: return tp_logical_not(x);
    case 8: return tp_logical_and(x, y);
    case 9: return tp_logical_or(y, x);
    case 10: return tp_logical_xor(x, y);
    case 11: return tp_nan_to_num(x, NULL);
    default: return no_more;
    }
}

static inline tp_tensor call_activation(int k, tp_tensor x, tp_tensor y)
{
    (void)y;
    switch (k) {
    case 0: return tp_leaky_relu(x, 0.1);
    case 1: return tp_elu(x, 1);
    case 2: return tp_selu(x);
    case 3: return tp_log_sigmoid(x);
    case 4: return tp_silu(x);
    case 5: return tp_mish(x);
    case 6: return tp_gelu(x);
    case 7: return tp_gelu_tanh(x);
    default: return no_more;
    }
}

#endif
