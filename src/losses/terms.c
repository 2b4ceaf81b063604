/* terms.c -- named, weighted terms of a loss. */
#include <math.h>
#include <string.h>

#include <tapir/terms.h>

#include "common.h"

/* ---- The total --------------------------------------------------------------------------------------- */

static bool check_terms(tp_tensor at, const tp_term *term, int n)
{
    for (int k = 0; k < n; k++) {
        if (!tp__loss_operand(at, term[k].loss, "term") || !tp__loss_float(at, term[k].loss, "term"))
            return false;
        if (tp_dtype_of(term[k].loss) != tp_dtype_of(at) || tp_count_of(term[k].loss) != 1) {
            tp_fail(at, TP_BAD_SHAPE, "the term '%s' must be one number of the first term's dtype",
                    term[k].name != NULL ? term[k].name : "");
            return false;
        }
        if (!isfinite(term[k].weight)) {
            tp_fail(at, TP_BAD_ARGUMENT, "the weight of '%s' must be finite, not %g",
                    term[k].name != NULL ? term[k].name : "", term[k].weight);
            return false;
        }
    }
    return true;
}

/* A leaf of the terms' dtype with these values. */
static tp_tensor new_vector(tp_tensor at, const double *values, int n, bool constant)
{
    const bool f32 = tp_dtype_of(at) == TP_F32;
    float narrow[TP_TERMS_MOST];

    for (int k = 0; k < n; k++)
        narrow[k] = (float)values[k];
    tp_tape *tape = at.file != NULL ? tp_locate_tape(at.tape, at.file, at.line) : at.tape;
    const void *data = f32 ? (const void *)narrow : (const void *)values;
    return constant ? tp_constant(tape, tp_dtype_of(at), TP_SHAPE(n), data)
                    : tp_parameter(tape, tp_dtype_of(at), TP_SHAPE(n), data);
}

/* *x, if given, is a vector of n; else a new leaf with these values. */
static bool vector(tp_tensor at, tp_tensor *x, const char *name, const double *values, int n)
{
    if (x->tape == NULL) {
        *x = new_vector(at, values, n, false);
        return tp_is_valid(*x);
    }
    if (!tp__loss_option(at, x, name, tp_dtype_of(at)))
        return false;
    const bool fits = tp_shape_equal(tp_shape_of(*x), TP_SHAPE(n));
    if (!fits)
        tp_fail(at, TP_BAD_SHAPE, "the %s must be a vector with a number for each of the %d terms", name, n);
    return fits;
}

static tp_tensor record_total(tp_tensor at, tp_terms *t, const tp_terms_options *o)
{
    const bool learned = o->learned || o->log_variances.tape != NULL;
    double weights[TP_TERMS_MOST], share[TP_TERMS_MOST], zeros[TP_TERMS_MOST] = {0};
    tp_tensor loss[TP_TERMS_MOST];

    if (!check_terms(at, t->term, t->n))
        return tp__loss_invalid(at);
    for (int k = 0; k < t->n; k++) {
        loss[k] = tp_reshape(tp__loss_here(at, t->term[k].loss), TP_SHAPE(1));
        weights[k] = t->term[k].weight;
        share[k] = t->term[k].classification ? 1 : 0.5;
    }
    t->weights = o->weights;
    t->log_variances = o->log_variances;
    if (!vector(at, &t->weights, "weights", weights, t->n) ||
        (learned && !vector(at, &t->log_variances, "log variances", zeros, t->n)))
        return tp__loss_invalid(at);
    t->values = tp_concat(loss, t->n, 0);
    if (!learned)
        return tp_sum(tp__loss_weighted(t->weights, t->values));
    const tp_tensor s = t->log_variances;
    const tp_tensor precision = tp_mul(new_vector(at, share, t->n, true), tp_exp(tp_neg(s)));
    const tp_tensor weighted = tp_mul(precision, tp__loss_weighted(t->weights, t->values));
    return tp_sum(tp_add(weighted, tp_scale(s, 0.5)));
}

tp_tensor tp_terms_total_at(const char *file, int line, const tp_term *term, int n,
                            const tp_terms_options *options, tp_terms *out)
{
    static const tp_terms_options defaults = {0};
    if (out != NULL)
        *out = (tp_terms){0};
    if (term == NULL || n < 1)
        return (tp_tensor){0};
    const tp_tensor first = term[0].loss, at = file != NULL ? tp_locate(first, file, line) : first;
    tp_terms t = {.n = n, .term = term};

    tp_scope_begin(at.tape, "terms");
    if (n > TP_TERMS_MOST)
        t.total = tp_fail(at, TP_BAD_ARGUMENT, "at most %d terms are possible, not %d", TP_TERMS_MOST, n);
    else
        t.total = record_total(at, &t, options != NULL ? options : &defaults);
    tp_scope_end(at.tape);
    if (out != NULL)
        *out = t;
    return t.total;
}

tp_tensor tp_terms_total(const tp_term *term, int n, const tp_terms_options *options, tp_terms *out)
{
    return tp_terms_total_at(NULL, 0, term, n, options, out);
}

/* ---- Names ------------------------------------------------------------------------------------------- */

static int position(const tp_terms *t, const char *name)
{
    for (int k = 0; t != NULL && name != NULL && k < t->n; k++)
        if (t->term[k].name != NULL && strcmp(t->term[k].name, name) == 0)
            return k;
    if (t != NULL && t->total.tape != NULL)
        tp_fail(t->total, TP_BAD_ARGUMENT, "there is no term of the name '%s'", name != NULL ? name : "");
    return -1;
}

tp_status tp_terms_weigh(const tp_terms *terms, const char *name, double weight)
{
    const int k = position(terms, name);

    if (k < 0)
        return TP_BAD_ARGUMENT;
    if (!isfinite(weight)) {
        tp_fail(terms->total, TP_BAD_ARGUMENT, "the new weight of '%s' must be finite, not %g", name, weight);
        return TP_BAD_ARGUMENT;
    }
    if (tp_dtype_of(terms->weights) == TP_F32) {
        float *w = tp_leaf_data(terms->weights, TP_F32);
        if (w != NULL)
            w[k] = (float)weight;
        return w != NULL ? TP_OK : TP_BAD_STATE;
    }
    double *w = tp_leaf_data(terms->weights, TP_F64);
    if (w != NULL)
        w[k] = weight;
    return w != NULL ? TP_OK : TP_BAD_STATE;
}

static double value_at(const tp_terms *t, int k)
{
    const void *values = tp_values(t->values, tp_dtype_of(t->values));
    if (values == NULL)
        return NAN;
    return tp_dtype_of(t->values) == TP_F32 ? (double)((const float *)values)[k]
                                            : ((const double *)values)[k];
}

double tp_terms_value(const tp_terms *terms, const char *name)
{
    const int k = position(terms, name);
    return k >= 0 ? value_at(terms, k) : (double)NAN;
}

void tp_terms_print(const tp_terms *terms, FILE *stream)
{
    if (terms == NULL || stream == NULL)
        return;
    for (int k = 0; k < terms->n; k++)
        fprintf(stream, "%s%s %g", k > 0 ? "  " : "", terms->term[k].name != NULL ? terms->term[k].name : "?",
                value_at(terms, k));
    fputc('\n', stream);
}

/* ---- Gradients --------------------------------------------------------------------------------------- */

enum { AT_ONCE = 16 };

/* The gradient of term k by some parameters, as one row. */
static tp_tensor flat_gradient(tp_tensor at, tp_tensor loss, const tp_tensor *parameters, int m)
{
    tp_tensor g[AT_ONCE];

    if (tp_gradient(tp__loss_here(at, loss), parameters, m, g) != TP_OK)
        return tp__loss_invalid(at);
    for (int k = 0; k < m; k++)
        g[k] = tp_reshape(tp_cast(g[k], tp_dtype_of(at)), TP_SHAPE(1, tp_count_of(g[k])));
    return tp_concat(g, m, 1);
}

/* Products of the terms' gradients with each other, [n,n]. */
static tp_tensor gram(const tp_terms *t, const tp_tensor *parameters, int m)
{
    tp_tensor sum = {0}, row[TP_TERMS_MOST];

    for (int from = 0; from < m; from += AT_ONCE) {
        const int here = m - from < AT_ONCE ? m - from : AT_ONCE;
        for (int k = 0; k < t->n; k++)
            row[k] = flat_gradient(t->total, t->term[k].loss, parameters + from, here);
        const tp_tensor all = tp_concat(row, t->n, 0), product = tp_matmul(all, tp_transpose(all, 0, 1));
        sum = sum.tape != NULL ? tp_add(sum, product) : product;
    }
    return sum;
}

tp_status tp_terms_gradients(const tp_terms *terms, const tp_tensor *parameters, int m, tp_tensor *norms,
                             tp_tensor *cosines)
{
    if (terms == NULL || terms->total.tape == NULL)
        return TP_BAD_HANDLE;
    const tp_tensor at = terms->total;
    tp_tensor length = tp__loss_invalid(at), cosine = length;

    tp_scope_begin(at.tape, "terms_gradients");
    if (m < 1 || parameters == NULL)
        tp_fail(at, TP_BAD_ARGUMENT, "at least one parameter is needed, not %d", m);
    else if (tp_is_valid(at)) {
        const tp_tensor products = gram(terms, parameters, m);
        length = tp_sqrt(tp_diagonal(products, 0, 0, 1));
        const tp_tensor scale = tp_outer(length, length), zero = tp__loss_number(at, 0);
        const tp_tensor none = tp_less_equal(scale, zero);
        cosine = tp_where(none, zero, tp_div(products, tp_where(none, tp__loss_number(at, 1), scale)));
    }
    tp_scope_end(at.tape);
    if (norms != NULL)
        *norms = length;
    if (cosines != NULL)
        *cosines = cosine;
    return tp_tape_status(at.tape);
}
