/* batch.c -- every row of a batch against every other: info_nce nt_xent n_pairs. */
#include <math.h>

#include "batch.h"

/* ---- Shared ------------------------------------------------------------------------------------------ */

bool tp__batch_of(tp_tensor at, tp_tensor x, const char *name)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp__loss_float(at, x, name))
        return false;
    if (shape.rank != 2)
        tp_fail(at, TP_BAD_SHAPE, "the %s is %s, but must be [N, D]: N rows of D features", name,
                tp_describe(tp_dtype_of(x), &shape, text));
    return shape.rank == 2;
}

bool tp__batch_labels(tp_tensor x, tp_tensor *labels)
{
    const tp_shape rows = TP_SHAPE(tp_shape_of(x).dim[0]), own = tp_shape_of(*labels);
    const tp_dtype dtype = tp_dtype_of(*labels);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (!tp__loss_operand(x, *labels, "labels tensor"))
        return false;
    *labels = tp__loss_here(x, *labels);
    if (dtype == TP_I32 && tp_shape_equal(own, rows))
        return true;
    tp_fail(x, dtype == TP_I32 ? TP_BAD_SHAPE : TP_BAD_DTYPE, "the labels are %s, but must be %s",
            tp_describe(dtype, &own, got), tp_describe(TP_I32, &rows, expected));
    return false;
}

tp_tensor tp__normalised(tp_tensor x)
{
    return tp_div(x, tp_clamp(tp_norm_over(x, TP_AXES(-1), true), 1e-12, HUGE_VAL));
}

static tp_tensor equal_pairs(tp_tensor x, tp_tensor numbers)
{
    const int64_t n = tp_shape_of(x).dim[0];
    const tp_tensor down = tp_reshape(numbers, TP_SHAPE(n, 1)), across = tp_reshape(numbers, TP_SHAPE(1, n));
    return tp_cast(tp_equal(down, across), tp_dtype_of(x));
}

tp_tensor tp__same_row(tp_tensor x)
{
    return equal_pairs(x, tp__loss_counter(x, tp_shape_of(x).dim[0]));
}

tp_tensor tp__same_label(tp_tensor x, tp_tensor labels)
{
    return equal_pairs(x, labels);
}

tp_tensor tp__only_where(tp_tensor mask, tp_tensor x)
{
    return tp_where(mask, x, tp__loss_number(x, -HUGE_VAL));
}

static tp_tensor along_features(tp_tensor x)
{
    return tp_sum_over(x, TP_AXES(-1), false);
}

/* log sum exp of each row (axis 1) or column (axis 0). */
static tp_tensor lse(tp_tensor s, int axis)
{
    return tp_logsumexp_over(s, TP_AXES(axis), false);
}

/* Two batches of one shape; the second takes the loss's place. */
static bool check_batches(tp_tensor a, const char *a_name, tp_tensor *b, const char *b_name)
{
    const tp_tensor at = tp__loss_at(a, *b);

    if (!tp__batch_of(at, a, a_name) || !tp__loss_operand(at, *b, b_name) ||
        !tp__loss_alike(*b, b_name, a, a_name))
        return false;
    *b = tp__loss_here(at, *b);
    return true;
}

/* The same, and a positive temperature, whose reciprocal is *factor. */
static bool check_views(tp_tensor a, const char *a_name, tp_tensor *b, const char *b_name, double temperature,
                        double *factor)
{
    if (!check_batches(a, a_name, b, b_name))
        return false;
    *factor = 1 / temperature;
    if (!(temperature > 0))
        tp_fail(a, TP_BAD_ARGUMENT, "the temperature must be positive, not %g", temperature);
    return temperature > 0;
}

/* ---- info_nce ---------------------------------------------------------------------------------------- */

static tp_tensor info_nce(tp_tensor query, tp_tensor key, const tp_info_nce_options *o)
{
    double factor;

    if (!check_views(query, "query", &key, "key", tp__loss_default(o->temperature, 0.07), &factor))
        return tp__loss_invalid(tp__loss_at(query, key));
    const tp_tensor q = tp__normalised(query), k = tp__normalised(key);
    const tp_tensor s = tp_scale(tp_matmul(q, tp_transpose(k, 0, 1)), factor);
    const tp_tensor own = tp_scale(along_features(tp_mul(q, k)), factor); /* S's diagonal */
    tp_tensor r = tp_sub(lse(s, 1), own);
    if (o->symmetric)
        r = tp_scale(tp_add(r, tp_sub(lse(s, 0), own)), 0.5);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_info_nce(tp_tensor query, tp_tensor key, const tp_info_nce_options *options)
{
    tp_tape *tape = tp__loss_at(query, key).tape;

    tp_scope_begin(tape, "info_nce");
    const tp_tensor loss = info_nce(query, key, options != NULL ? options : &(tp_info_nce_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- nt_xent ----------------------------------------------------------------------------------------- */

static tp_tensor nt_xent(tp_tensor first, tp_tensor second, const tp_info_nce_options *o)
{
    double factor;

    if (!check_views(first, "first view", &second, "second view", tp__loss_default(o->temperature, 0.5),
                     &factor))
        return tp__loss_invalid(tp__loss_at(first, second));
    const tp_tensor a = tp__normalised(first), b = tp__normalised(second);
    const tp_tensor z = tp_concat((tp_tensor[]){a, b}, 2, 0);
    const tp_tensor s = tp_scale(tp_matmul(z, tp_transpose(z, 0, 1)), factor);
    const tp_tensor others = tp__only_where(tp__loss_minus(1, tp__same_row(z)), s);
    const tp_tensor pair = tp_scale(along_features(tp_mul(a, b)), factor);
    const tp_tensor r = tp_sub(lse(others, 1), tp_concat((tp_tensor[]){pair, pair}, 2, 0));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_nt_xent(tp_tensor first, tp_tensor second, const tp_info_nce_options *options)
{
    tp_tape *tape = tp__loss_at(first, second).tape;

    tp_scope_begin(tape, "nt_xent");
    const tp_tensor loss = nt_xent(first, second, options != NULL ? options : &(tp_info_nce_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- n_pairs ----------------------------------------------------------------------------------------- */

/* sum_j T_kj (logsumexp S_k - S_kj): the rows of T sum to 1. */
static tp_tensor n_pairs(tp_tensor anchor, tp_tensor positive, const tp_n_pairs_options *o)
{
    const tp_tensor at = tp__loss_at(anchor, positive);
    tp_tensor labels = o->labels, own;

    if (!check_batches(anchor, "anchor", &positive, "positive") ||
        (labels.tape != NULL && !tp__batch_labels(anchor, &labels)))
        return tp__loss_invalid(at);
    if (!(o->l2 >= 0))
        return tp_fail(anchor, TP_BAD_ARGUMENT, "l2 must not be negative, but is %g", o->l2);
    const tp_tensor s = tp_matmul(anchor, tp_transpose(positive, 0, 1));
    if (labels.tape != NULL) {
        const tp_tensor same = tp__same_label(anchor, labels);
        own = tp_div(along_features(tp_mul(same, s)), along_features(same));
    } else {
        own = along_features(tp_mul(anchor, positive));
    }
    tp_tensor r = tp_sub(lse(s, 1), own);
    if (o->l2 > 0) {
        const tp_tensor squares = tp_add(tp_square(anchor), tp_square(positive));
        r = tp_add(r, tp_scale(along_features(squares), o->l2 / 4));
    }
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_n_pairs(tp_tensor anchor, tp_tensor positive, const tp_n_pairs_options *options)
{
    tp_tape *tape = tp__loss_at(anchor, positive).tape;

    tp_scope_begin(tape, "n_pairs");
    const tp_tensor loss = n_pairs(anchor, positive, options != NULL ? options : &(tp_n_pairs_options){0});
    tp_scope_end(tape);
    return loss;
}
