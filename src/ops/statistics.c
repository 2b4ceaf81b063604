/* statistics.c -- mean var norm logsumexp softmax log_softmax, composed of other ops. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "axes.h"

/* False after storing the error: what follows divides or takes logarithms. */
static bool is_floating(tp_tensor x, const char *op_name)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];
    if (tp_dtype_of(x) != TP_I32)
        return true;
    tp_fail(x, TP_BAD_DTYPE, "%s: it needs f32 or f64, not %s", op_name, tp_describe(TP_I32, &shape, text));
    return false;
}

static tp_tensor invalid_like(tp_tensor x)
{
    return (tp_tensor){.tape = x.tape, .id = -1};
}

/* Elements that fold into one; the axes were checked by the first reduction. */
static int64_t reduced_count(tp_tensor x, tp_axes axes)
{
    const tp_shape shape = tp_shape_of(x);
    uint64_t mask;
    return tp__axes_mask(x, "mean", axes, &mask) ? tp__masked_count(&shape, mask) : 0;
}

/* Drops the axes that a reduction kept, unless they are wanted. */
static tp_tensor finish(tp_tensor kept, tp_axes axes, bool keepdims)
{
    uint64_t mask;
    if (keepdims || !tp_is_valid(kept) || !tp__axes_mask(kept, "mean", axes, &mask))
        return kept;
    return tp__drop_axes(kept, mask);
}

/* ---- mean, var ------------------------------------------------------------------------------------- */

static tp_tensor mean_kept(tp_tensor x, tp_axes axes, const char *op_name)
{
    if (!is_floating(x, op_name))
        return invalid_like(x);
    const tp_tensor sum = tp_sum_over(x, axes, true);
    if (!tp_is_valid(sum))
        return sum;
    const int64_t n = reduced_count(x, axes);
    if (n == 0 && tp_count_of(sum) > 0)
        return tp_fail(x, TP_BAD_SHAPE, "mean: there is no mean of no elements");
    return tp_div(sum, tp_scalar(x.tape, (double)n));
}

tp_tensor tp_mean(tp_tensor x)
{
    return tp_mean_over(x, tp__all_axes(x), false);
}

tp_tensor tp_mean_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return finish(mean_kept(x, axes, "mean"), axes, keepdims);
}

tp_tensor tp_var(tp_tensor x, int correction)
{
    return tp_var_over(x, tp__all_axes(x), correction, false);
}

tp_tensor tp_var_over(tp_tensor x, tp_axes axes, int correction, bool keepdims)
{
    const tp_tensor mean = mean_kept(x, axes, "var");
    if (!tp_is_valid(mean))
        return mean;
    const int64_t n = reduced_count(x, axes);
    if (correction != 0 && correction != 1)
        return tp_fail(x, TP_BAD_ARGUMENT, "var: the correction must be 0 or 1, but is %d", correction);
    if (n <= correction && tp_count_of(mean) > 0)
        return tp_fail(x, TP_BAD_SHAPE, "var: %lld element(s) are too few for correction %d", (long long)n,
                       correction);
    const tp_tensor squares = tp_sum_over(tp_square(tp_sub(x, mean)), axes, true);
    return finish(tp_div(squares, tp_scalar(x.tape, (double)(n - correction))), axes, keepdims);
}

/* ---- norm ------------------------------------------------------------------------------------------ */

tp_tensor tp_norm(tp_tensor x)
{
    return tp_norm_over(x, tp__all_axes(x), false);
}

tp_tensor tp_norm_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    if (!is_floating(x, "norm"))
        return invalid_like(x);
    const tp_tensor squares = tp_sum_over(tp_square(x), axes, keepdims);
    if (!tp_is_valid(squares))
        return squares;
    /* The root's infinite slope at 0 is never taken: the strong zero turns it into the gradient 0. */
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_where(tp_equal(squares, zero), zero, tp_sqrt(squares));
}

/* ---- logsumexp, softmax ---------------------------------------------------------------------------- */

/* The largest along the axes, or 0 where that is infinite: subtracting it changes no result, only avoids overflow, so
 * no gradient needs to pass. */
static tp_tensor shift_of(tp_tensor x, tp_axes axes, const char *op_name)
{
    if (!is_floating(x, op_name))
        return invalid_like(x);
    const tp_tensor largest = tp_max_over(x, axes, true);
    if (!tp_is_valid(largest))
        return largest;
    const tp_tensor infinite = tp_scalar(x.tape, HUGE_VAL);
    return tp_stop_gradient(tp_where(tp_equal(tp_abs(largest), infinite), tp_scalar(x.tape, 0), largest));
}

tp_tensor tp_logsumexp(tp_tensor x)
{
    return tp_logsumexp_over(x, tp__all_axes(x), false);
}

tp_tensor tp_logsumexp_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_tensor shift = shift_of(x, axes, "logsumexp");
    const tp_tensor sum = tp_sum_over(tp_exp(tp_sub(x, shift)), axes, true);
    return finish(tp_add(tp_log(sum), shift), axes, keepdims);
}

tp_tensor tp_softmax(tp_tensor x, int axis)
{
    const tp_axes axes = TP_AXES(axis);
    const tp_tensor e = tp_exp(tp_sub(x, shift_of(x, axes, "softmax")));
    return tp_div(e, tp_sum_over(e, axes, true));
}

tp_tensor tp_log_softmax(tp_tensor x, int axis)
{
    const tp_axes axes = TP_AXES(axis);
    const tp_tensor centred = tp_sub(x, shift_of(x, axes, "log_softmax"));
    return tp_sub(centred, tp_log(tp_sum_over(tp_exp(centred), axes, true)));
}
