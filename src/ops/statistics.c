/* statistics.c -- mean var std median quantile norm logsumexp softmax log_softmax, composed of other ops. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"

/* ---- What they are taken over ---------------------------------------------------------------------- */

/* False after storing the error, in the op's own name: what follows divides, or takes roots or logarithms. */
static bool begin(tp_tensor x, const char *op_name, tp_axes axes, uint64_t *mask)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x)) {
        tp_sum(x); /* says what is wrong with it */
        return false;
    }
    if (tp_dtype_of(x) == TP_I32) {
        tp_fail(x, TP_BAD_DTYPE, "%s: it needs f32 or f64, not %s", op_name,
                tp_describe(TP_I32, &shape, text));
        return false;
    }
    return tp__axes_mask(x, op_name, axes, mask);
}

/* False after storing the error, when there is a result but nothing that it could be taken of. */
static bool has_elements(tp_tensor x, const char *op_name, uint64_t mask)
{
    const tp_shape shape = tp_shape_of(x), result = tp__reduced(&shape, mask, true);
    char text[TP_TEXT_SIZE];

    if (tp__masked_count(&shape, mask) > 0 || tp_shape_count(result) == 0)
        return true;
    tp_fail(x, TP_BAD_SHAPE, "%s: there is none of no elements: %s", op_name,
            tp_describe(tp_dtype_of(x), &shape, text));
    return false;
}

static tp_tensor invalid_like(tp_tensor x)
{
    return (tp_tensor){.tape = x.tape, .id = -1};
}

/* Drops the axes that a reduction kept, unless they are wanted. */
static tp_tensor finish(tp_tensor kept, uint64_t mask, bool keepdims)
{
    return keepdims || !tp_is_valid(kept) ? kept : tp__drop_axes(kept, mask);
}

/* ---- mean, var, std -------------------------------------------------------------------------------- */

static tp_tensor mean_kept(tp_tensor x, tp_axes axes, uint64_t mask)
{
    const tp_shape shape = tp_shape_of(x);
    return tp_div(tp_sum_over(x, axes, true), tp_scalar(x.tape, (double)tp__masked_count(&shape, mask)));
}

tp_tensor tp_mean(tp_tensor x)
{
    return tp_mean_over(x, tp__all_axes(x), false);
}

tp_tensor tp_mean_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    uint64_t mask;
    if (!begin(x, "mean", axes, &mask) || !has_elements(x, "mean", mask))
        return invalid_like(x);
    return finish(mean_kept(x, axes, mask), mask, keepdims);
}

static tp_tensor variance(tp_tensor x, const char *op_name, tp_axes axes, int correction, bool keepdims)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask;

    if (!begin(x, op_name, axes, &mask) || !has_elements(x, op_name, mask))
        return invalid_like(x);
    const int64_t n = tp__masked_count(&shape, mask);
    if (correction != 0 && correction != 1)
        return tp_fail(x, TP_BAD_ARGUMENT, "%s: the correction must be 0 or 1, but is %d", op_name,
                       correction);
    const tp_tensor mean = mean_kept(x, axes, mask);
    if (n <= correction && tp_count_of(mean) > 0)
        return tp_fail(x, TP_BAD_SHAPE, "%s: %lld element(s) are too few for correction %d", op_name,
                       (long long)n, correction);
    const tp_tensor squares = tp_sum_over(tp_square(tp_sub(x, mean)), axes, true);
    return finish(tp_div(squares, tp_scalar(x.tape, (double)(n - correction))), mask, keepdims);
}

/* The root's infinite slope at 0 is never taken: the strong zero turns it into the gradient 0. */
static tp_tensor flat_root(tp_tensor x)
{
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_where(tp_equal(x, zero), zero, tp_sqrt(x));
}

tp_tensor tp_var(tp_tensor x, int correction)
{
    return tp_var_over(x, tp__all_axes(x), correction, false);
}

tp_tensor tp_var_over(tp_tensor x, tp_axes axes, int correction, bool keepdims)
{
    return variance(x, "var", axes, correction, keepdims);
}

tp_tensor tp_std(tp_tensor x, int correction)
{
    return tp_std_over(x, tp__all_axes(x), correction, false);
}

tp_tensor tp_std_over(tp_tensor x, tp_axes axes, int correction, bool keepdims)
{
    return flat_root(variance(x, "std", axes, correction, keepdims));
}

/* ---- median, quantile ------------------------------------------------------------------------------ */

/* Between a and b, a share t of the way.  The difference is infinite or NaN where one of them is infinite, or where they are
 * far apart: there the weighted sum is the way, which for equal numbers would not be exact. */
static tp_tensor between(tp_tensor a, tp_tensor b, double t)
{
    const tp_tensor step = tp_sub(b, a), zero = tp_scalar(a.tape, 0);
    const tp_tensor is_finite = tp_equal(tp_sub(step, step), zero);
    return tp_where(is_finite, tp_add(a, tp_scale(step, t)), tp_add(tp_scale(a, 1 - t), tp_scale(b, t)));
}

/* Of the rows of an array that is not empty. */
static tp_tensor row_quantile(tp_tensor rows, double q)
{
    const tp_shape shape = tp_shape_of(rows);
    const int64_t n = shape.dim[shape.rank - 1];
    const double at = q * (double)(n - 1), below = floor(at);
    const int64_t k = (int64_t)below;
    const tp_tensor sorted = tp_sort(rows, -1, false);
    const tp_tensor low = tp_slice(sorted, -1, k, k + 1, 1), last = tp_slice(sorted, -1, n - 1, n, 1);
    const tp_tensor value =
        at == below ? low : between(low, tp_slice(sorted, -1, k + 1, k + 2, 1), at - below);
    return tp_where(tp_not_equal(last, last), last, value); /* a NaN is sorted last */
}

static tp_tensor quantile(tp_tensor x, const char *op_name, tp_axes axes, double q, bool keepdims)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask;

    if (!begin(x, op_name, axes, &mask) || !has_elements(x, op_name, mask))
        return invalid_like(x);
    if (!(q >= 0 && q <= 1))
        return tp_fail(x, TP_BAD_ARGUMENT, "%s: q must be between 0 and 1, but is %g", op_name, q);
    if (mask == 0)
        return x;
    const tp_shape y = tp__reduced(&shape, mask, keepdims);
    if (tp_shape_count(y) == 0)
        return tp_full(x.tape, tp_dtype_of(x), y, 0);
    return tp_reshape(row_quantile(tp__as_rows(x, mask), q), y);
}

tp_tensor tp_median(tp_tensor x)
{
    return tp_median_over(x, tp__all_axes(x), false);
}

tp_tensor tp_median_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return quantile(x, "median", axes, 0.5, keepdims);
}

tp_tensor tp_quantile(tp_tensor x, double q)
{
    return tp_quantile_over(x, tp__all_axes(x), q, false);
}

tp_tensor tp_quantile_over(tp_tensor x, tp_axes axes, double q, bool keepdims)
{
    return quantile(x, "quantile", axes, q, keepdims);
}

/* ---- norm ------------------------------------------------------------------------------------------ */

tp_tensor tp_norm(tp_tensor x)
{
    return tp_norm_over(x, tp__all_axes(x), false);
}

tp_tensor tp_norm_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    uint64_t mask;
    if (!begin(x, "norm", axes, &mask))
        return invalid_like(x);
    return flat_root(tp_sum_over(tp_square(x), axes, keepdims));
}

tp_tensor tp_vector_norm(tp_tensor x, double order)
{
    return tp_vector_norm_over(x, tp__all_axes(x), order, false);
}

tp_tensor tp_vector_norm_over(tp_tensor x, tp_axes axes, double order, bool keepdims)
{
    uint64_t mask;
    if (!begin(x, "vector_norm", axes, &mask))
        return invalid_like(x);
    if (order == 2)
        return tp_norm_over(x, axes, keepdims);
    if (order == 1)
        return tp_sum_over(tp_abs(x), axes, keepdims);
    if (order != HUGE_VAL)
        return tp_fail(x, TP_BAD_ARGUMENT, "vector_norm: the order must be 1, 2 or infinity, but is %g",
                       order);
    return has_elements(x, "vector_norm", mask) ? tp_max_over(tp_abs(x), axes, keepdims) : invalid_like(x);
}

/* ---- logsumexp, softmax ---------------------------------------------------------------------------- */

/* The largest along the axes, or 0 where that is infinite: subtracting it changes no result, only avoids overflow, so
 * no gradient needs to pass. */
static tp_tensor shift_of(tp_tensor x, tp_axes axes)
{
    const tp_tensor largest = tp_max_over(x, axes, true), infinite = tp_scalar(x.tape, HUGE_VAL);
    return tp_stop_gradient(tp_where(tp_equal(tp_abs(largest), infinite), tp_scalar(x.tape, 0), largest));
}

tp_tensor tp_logsumexp(tp_tensor x)
{
    return tp_logsumexp_over(x, tp__all_axes(x), false);
}

tp_tensor tp_logsumexp_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    uint64_t mask;
    if (!begin(x, "logsumexp", axes, &mask) || !has_elements(x, "logsumexp", mask))
        return invalid_like(x);
    const tp_tensor shift = shift_of(x, axes), zero = tp_scalar(x.tape, 0);
    const tp_tensor sum = tp_sum_over(tp_exp(tp_sub(x, shift)), axes, true);
    /* 0 where every element is -inf: there the logarithm is not taken, so its slope does not count. */
    const tp_tensor log = tp_where(tp_equal(sum, zero), tp_scalar(x.tape, -HUGE_VAL), tp_log(sum));
    return finish(tp_add(log, shift), mask, keepdims);
}

tp_tensor tp_softmax(tp_tensor x, int axis)
{
    const tp_axes axes = TP_AXES(axis);
    uint64_t mask;
    if (!begin(x, "softmax", axes, &mask) || !has_elements(x, "softmax", mask))
        return invalid_like(x);
    const tp_tensor e = tp_exp(tp_sub(x, shift_of(x, axes)));
    return tp_div(e, tp_sum_over(e, axes, true));
}

tp_tensor tp_log_softmax(tp_tensor x, int axis)
{
    const tp_axes axes = TP_AXES(axis);
    uint64_t mask;
    if (!begin(x, "log_softmax", axes, &mask) || !has_elements(x, "log_softmax", mask))
        return invalid_like(x);
    const tp_tensor centred = tp_sub(x, shift_of(x, axes));
    return tp_sub(centred, tp_log(tp_sum_over(tp_exp(centred), axes, true)));
}
