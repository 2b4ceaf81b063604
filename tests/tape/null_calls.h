/* null_calls.h -- every op as a call with an operand x that may be bad, and another, y. */
#ifndef TAPIR_TESTS_NULL_CALLS_H
#define TAPIR_TESTS_NULL_CALLS_H

#include "tape_test.h"

/* What a call returns beyond the last of a group. */
static const tp_tensor no_more = {.id = -7};

#include "null_calls_convolution.h"
#include "null_calls_elementwise.h"
#include "null_calls_indexing.h"
#include "null_calls_linalg.h"
#include "null_calls_sequence.h"

static inline tp_tensor call_elementwise(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_neg(x);
    case 1: return tp_add(x, y);
    case 2: return tp_sub(x, y);
    case 3: return tp_mul(x, y);
    case 4: return tp_div(x, y);
    case 5: return tp_scale(x, 2);
    case 6: return tp_square(x);
    case 7: return tp_abs(x);
    case 8: return tp_sign(x);
    case 9: return tp_maximum(x, y);
    case 10: return tp_minimum(x, y);
    case 11: return tp_clamp(x, -1, 1);
    case 12: return tp_sqrt(x);
    case 13: return tp_exp(x);
    case 14: return tp_expm1(x);
    case 15: return tp_log(x);
    case 16: return tp_log1p(x);
    case 17: return tp_tanh(x);
    case 18: return tp_sigmoid(x);
    case 19: return tp_softplus(x);
    case 20: return tp_relu(x);
    case 21: return tp_softplus_tail(x);
    case 22: return tp_sigmoid_tail(x);
    default: return no_more;
    }
}

static inline tp_tensor call_choice(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_equal(x, y);
    case 1: return tp_not_equal(x, y);
    case 2: return tp_less(x, y);
    case 3: return tp_less_equal(x, y);
    case 4: return tp_greater(x, y);
    case 5: return tp_greater_equal(x, y);
    case 6: return tp_where(x, y, y);
    case 7: return tp_where(y, x, y);
    case 8: return tp_where(y, y, x);
    case 9: return tp_cast(x, TP_F64);
    case 10: return tp_cast(x, TP_F32);
    case 11: return tp_guard(x, y);
    case 12: return tp_guard(y, x);
    case 13: return tp_stop_gradient(x);
    case 14: return tp_check_index(x, 3, false, 0);
    case 15: return tp_assign(x, y);
    case 16: return tp_assign(y, x);
    case 17: return tp_matmul(x, y);
    case 18: return tp_matmul(y, x);
    case 19: return tp_group((tp_tensor[]){x, y}, 2);
    case 20: return tp_concat((tp_tensor[]){x, y}, 2, 0);
    case 21: return tp_concat((tp_tensor[]){y, y, y, y, y, y, y, y, x}, 9, 0);
    default: return no_more;
    }
}

static inline tp_tensor call_reduction(int k, tp_tensor x, tp_tensor y)
{
    (void)y;
    switch (k) {
    case 0: return tp_sum(x);
    case 1: return tp_sum_over(x, TP_AXES(0), true);
    case 2: return tp_prod(x);
    case 3: return tp_prod_over(x, TP_AXES(0), false);
    case 4: return tp_max(x);
    case 5: return tp_max_over(x, TP_AXES(-1), false);
    case 6: return tp_min(x);
    case 7: return tp_min_over(x, TP_AXES(0), true);
    case 8: return tp_mean(x);
    case 9: return tp_mean_over(x, TP_AXES(0), false);
    case 10: return tp_var(x, 0);
    case 11: return tp_var_over(x, TP_AXES(0), 1, false);
    case 12: return tp_norm(x);
    case 13: return tp_norm_over(x, TP_AXES(0), true);
    case 14: return tp_logsumexp(x);
    case 15: return tp_logsumexp_over(x, TP_AXES(0), false);
    case 16: return tp_softmax(x, 0);
    case 17: return tp_log_softmax(x, -1);
    case 18: return tp_reshape(x, TP_SHAPE(-1));
    case 19: return tp_permute(x, TP_AXES(0));
    case 20: return tp_transpose(x, 0, 1);
    case 21: return tp_expand(x, TP_SHAPE(3, 4));
    case 22: return tp_sum_to(x, TP_SHAPE(4));
    case 23: return tp_slice(x, 0, 0, TP_END, 1);
    default: return no_more;
    }
}

static inline tp_tensor call_ordering(int k, tp_tensor x, tp_tensor y)
{
    (void)y;
    switch (k) {
    case 0: return tp_argmax(x);
    case 1: return tp_argmax_over(x, TP_AXES(0), true);
    case 2: return tp_argmin(x);
    case 3: return tp_argmin_over(x, TP_AXES(-1), false);
    case 4: return tp_any(x);
    case 5: return tp_any_over(x, TP_AXES(0), true);
    case 6: return tp_all(x);
    case 7: return tp_all_over(x, TP_AXES(0), true);
    case 8: return tp_std(x, 1);
    case 9: return tp_std_over(x, TP_AXES(0), 0, true);
    case 10: return tp_vector_norm(x, 1);
    case 11: return tp_vector_norm_over(x, TP_AXES(0), HUGE_VAL, true);
    case 12: return tp_cumsum(x, 0);
    case 13: return tp_cumprod(x, -1);
    case 14: return tp_sort(x, 0, true);
    case 15: return tp_argsort(x, -1, false);
    case 16: return tp_topk(x, 2, 0, true);
    case 17: return tp_argtopk(x, 0, -1, false);
    case 18: return tp_median(x);
    case 19: return tp_median_over(x, TP_AXES(0), true);
    case 20: return tp_quantile(x, 0.25);
    case 21: return tp_quantile_over(x, TP_AXES(0), 0.25, false);
    default: return no_more;
    }
}

typedef tp_tensor (*op_caller)(int k, tp_tensor x, tp_tensor y);

static const op_caller callers[] = {
    call_elementwise, call_choice,      call_reduction, /* here and in null_calls_*.h */
    call_indexing,    call_arrangement, call_ordering,    call_linalg,   call_function,
    call_predicate,   call_activation,  call_convolution, call_sequence,
};

/* The k-th call of all with x and y; false beyond the last. */
static inline bool call_op(int k, tp_tensor x, tp_tensor y, tp_tensor *result)
{
    const tp_tensor nobody = {0};
    for (size_t c = 0; c < COUNT_OF(callers); c++) {
        int n = 0;
        while (callers[c](n, nobody, nobody).id != no_more.id)
            n++;
        if (k < n) {
            *result = callers[c](k, x, y);
            return true;
        }
        k -= n;
    }
    return false;
}

#endif
