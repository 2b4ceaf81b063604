/* clip.c -- tp_clip_by_norm, tp_clip_by_value. */
#include <math.h>

#include "common.h"

static tp_tensor invalid_on(tp_tape *tape)
{
    return (tp_tensor){.tape = tape, .id = tape != NULL ? -1 : 0};
}

/* The first gradient that knows a tape, at the user's line. */
static tp_tensor find_place(const char *file, int line, const tp_tensor *gradients, int n)
{
    tp_tensor at = {0};
    for (int k = 0; gradients != NULL && at.tape == NULL && k < n; k++)
        at = gradients[k];
    return file != NULL ? tp_locate(at, file, line) : at;
}

static bool check_gradients(tp_tensor at, const tp_tensor *gradients, int n)
{
    for (int k = 0; k < n; k++) {
        if (!tp__check_handle(at, gradients[k], "gradient", k))
            return false;
        if (!tp__is_float(gradients[k])) {
            tp_fail(at, TP_BAD_DTYPE, "the gradient %d is %s, but must be f32 or f64", k,
                    tp_dtype_name(tp_dtype_of(gradients[k])));
            return false;
        }
    }
    return true;
}

static void spoil(tp_tape *tape, tp_tensor *gradients, int n)
{
    for (int k = 0; gradients != NULL && k < n; k++)
        gradients[k] = invalid_on(tape);
}

/* ---- By norm ----------------------------------------------------------------------------------------- */

/* One gradient's part of the norm, before the root. */
static tp_tensor part_of_norm(tp_tensor g, double order)
{
    const tp_tensor wide = tp_cast(g, TP_F64);
    if (order == 1)
        return tp_sum(tp_abs(wide));
    return order == 2 ? tp_sum(tp_mul(wide, wide)) : tp_max(tp_abs(wide));
}

static tp_tensor norm_of(tp_tensor at, const tp_tensor *gradients, int n, double order)
{
    tp_tensor norm = {0};
    for (int k = 0; k < n; k++) {
        if (tp_count_of(gradients[k]) == 0)
            continue;
        const tp_tensor part = part_of_norm(tp__at_place(gradients[k], at), order);
        if (norm.tape == NULL)
            norm = part;
        else
            norm = order <= 2 ? tp_add(norm, part) : tp_maximum(norm, part);
    }
    if (norm.tape == NULL)
        return tp_scalar_of(at.tape, TP_F64, 0);
    return order == 2 ? tp_sqrt(norm) : norm;
}

static tp_tensor clip_by_norm(tp_tensor at, tp_tensor *gradients, int n, double max_norm, double order)
{
    if (!(max_norm > 0))
        return tp_fail(at, TP_BAD_ARGUMENT, "the norm must be positive, not %g", max_norm);
    if (order != 1 && order != 2 && order != HUGE_VAL)
        return tp_fail(at, TP_BAD_ARGUMENT, "the order of the norm must be 1, 2 or infinite, not %g", order);
    if (!check_gradients(at, gradients, n))
        return invalid_on(at.tape);

    const tp_tensor norm = norm_of(at, gradients, n, order), one = tp_scalar_of(at.tape, TP_F64, 1);
    const tp_tensor guarded = tp_add(norm, tp_scalar_of(at.tape, TP_F64, 1e-6));
    const tp_tensor factor = tp_minimum(one, tp_div(tp_scalar_of(at.tape, TP_F64, max_norm), guarded));
    for (int k = 0; k < n; k++)
        gradients[k] = tp_mul(tp__at_place(gradients[k], at), tp_cast(factor, tp_dtype_of(gradients[k])));
    return norm;
}

tp_tensor tp_clip_by_norm_at(const char *file, int line, tp_tensor *gradients, int n, double max_norm,
                             const tp_clip_options *options)
{
    const double order = options != NULL && options->order != 0 ? options->order : 2;
    const tp_tensor at = find_place(file, line, gradients, n);
    if (at.tape == NULL)
        return at;

    tp_scope_begin(at.tape, "clip_by_norm");
    const tp_tensor norm = clip_by_norm(at, gradients, n, max_norm, order);
    tp_scope_end(at.tape);
    if (!tp_is_valid(norm))
        spoil(at.tape, gradients, n);
    return norm;
}

tp_tensor tp_clip_by_norm(tp_tensor *gradients, int n, double max_norm, const tp_clip_options *options)
{
    return tp_clip_by_norm_at(NULL, 0, gradients, n, max_norm, options);
}

/* ---- By value ---------------------------------------------------------------------------------------- */

static bool clip_by_value(tp_tensor at, tp_tensor *gradients, int n, double limit)
{
    if (!(limit > 0)) {
        tp_fail(at, TP_BAD_ARGUMENT, "the limit must be positive, not %g", limit);
        return false;
    }
    if (!check_gradients(at, gradients, n))
        return false;
    for (int k = 0; k < n; k++) {
        gradients[k] = tp_clamp(tp__at_place(gradients[k], at), -limit, limit);
        if (!tp_is_valid(gradients[k]))
            return false;
    }
    return true;
}

tp_status tp_clip_by_value_at(const char *file, int line, tp_tensor *gradients, int n, double limit)
{
    const tp_tensor at = find_place(file, line, gradients, n);
    if (at.tape == NULL)
        return n > 0 ? TP_BAD_HANDLE : TP_OK;

    tp_scope_begin(at.tape, "clip_by_value");
    const bool fine = clip_by_value(at, gradients, n, limit);
    tp_scope_end(at.tape);
    if (fine)
        return TP_OK;
    spoil(at.tape, gradients, n);
    return tp_tape_status(at.tape) != TP_OK ? tp_tape_status(at.tape) : TP_BAD_HANDLE;
}

tp_status tp_clip_by_value(tp_tensor *gradients, int n, double limit)
{
    return tp_clip_by_value_at(NULL, 0, gradients, n, limit);
}
