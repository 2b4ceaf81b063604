/* labelled.c -- all pairs of a batch, told apart by labels: supcon multi_similarity circle_pairs circle. */
#include <math.h>

#include "batch.h"

/* Embeddings with labels, and their cosines. */
typedef struct labelled {
    tp_tensor cosine;          /* [N, N] */
    tp_tensor same, different; /* masks: another row of the same label; of another label */
    tp_tensor other;           /* mask: another row */
} labelled;

static bool begin(labelled *b, tp_tensor x, tp_tensor labels)
{
    const tp_tensor at = tp__loss_at(x, labels);

    if (!tp__batch_of(at, x, "embedding") || !tp__batch_labels(x, &labels))
        return false;
    const tp_tensor z = tp__normalised(x), equal = tp__same_label(x, labels);
    b->cosine = tp_matmul(z, tp_transpose(z, 0, 1));
    b->other = tp__loss_minus(1, tp__same_row(x));
    b->same = tp_mul(equal, b->other);
    b->different = tp__loss_minus(1, equal);
    return true;
}

static tp_tensor by_rows(tp_tensor x)
{
    return tp_sum_over(x, TP_AXES(1), false);
}

/* log(1 + sum exp x) over what the mask leaves of each row; 0 where that is nothing. */
static tp_tensor log_1_plus_sum(tp_tensor mask, tp_tensor x)
{
    return tp_softplus(tp_logsumexp_over(tp__only_where(mask, x), TP_AXES(1), false));
}

static bool positive(tp_tensor at, double value, const char *name)
{
    if (value > 0 && value < HUGE_VAL)
        return true;
    tp_fail(at, TP_BAD_ARGUMENT, "%s must be positive and finite, not %g", name, value);
    return false;
}

/* ---- supcon ------------------------------------------------------------------------------------------ */

static tp_tensor supcon(tp_tensor x, tp_tensor labels, const tp_supcon_options *o)
{
    const double temperature = tp__loss_default(o->temperature, 0.1),
                 base = tp__loss_default(o->base_temperature, temperature);
    labelled b;

    if (!begin(&b, x, labels) || !positive(x, temperature, "the temperature") ||
        !positive(x, base, "the base temperature"))
        return tp__loss_invalid(tp__loss_at(x, labels));
    const tp_tensor zero = tp__loss_number(x, 0), one = tp__loss_number(x, 1);
    const tp_tensor s = tp_scale(b.cosine, 1 / temperature), count = by_rows(b.same);
    const tp_tensor has_any = tp_greater(count, zero);
    const tp_tensor own = tp_div(by_rows(tp_mul(b.same, s)), tp_where(has_any, count, one));
    const tp_tensor all = tp_logsumexp_over(tp__only_where(b.other, s), TP_AXES(1), false);
    const tp_tensor r = tp_where(has_any, tp_scale(tp_sub(all, own), temperature / base), zero);
    return tp__loss_reduce(r, o->weight, has_any, o->reduction);
}

tp_tensor tp_supcon(tp_tensor x, tp_tensor labels, const tp_supcon_options *options)
{
    tp_tape *tape = tp__loss_at(x, labels).tape;

    tp_scope_begin(tape, "supcon");
    const tp_tensor loss = supcon(x, labels, options != NULL ? options : &(tp_supcon_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- multi_similarity -------------------------------------------------------------------------------- */

static tp_tensor multi_similarity(tp_tensor x, tp_tensor labels, const tp_multi_similarity_options *o)
{
    const double alpha = tp__loss_default(o->alpha, 2), beta = tp__loss_default(o->beta, 50),
                 base = tp__loss_given(o->base, 0.5);
    labelled b;

    if (!begin(&b, x, labels) || !positive(x, alpha, "alpha") || !positive(x, beta, "beta"))
        return tp__loss_invalid(tp__loss_at(x, labels));
    const tp_tensor excess = tp__loss_plus(b.cosine, -base);
    const tp_tensor together = tp_scale(log_1_plus_sum(b.same, tp_scale(excess, -alpha)), 1 / alpha);
    const tp_tensor apart = tp_scale(log_1_plus_sum(b.different, tp_scale(excess, beta)), 1 / beta);
    return tp__loss_reduce(tp_add(together, apart), o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_multi_similarity(tp_tensor x, tp_tensor labels, const tp_multi_similarity_options *options)
{
    tp_tape *tape = tp__loss_at(x, labels).tape;

    tp_scope_begin(tape, "multi_similarity");
    const tp_tensor loss =
        multi_similarity(x, labels, options != NULL ? options : &(tp_multi_similarity_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- circle ------------------------------------------------------------------------------------------ */

typedef struct exponents {
    tp_tensor positive, negative;
} exponents;

/* gamma times the weighted distance of each similarity from where it should be, in absolute value. */
static exponents circle_exponents(tp_tensor sp, tp_tensor sn, double m, double gamma, bool detach)
{
    tp_tensor ap = tp_relu(tp__loss_minus(1 + m, sp)), an = tp_relu(tp__loss_plus(sn, m));
    if (detach) {
        ap = tp_stop_gradient(ap);
        an = tp_stop_gradient(an);
    }
    return (exponents){tp_scale(tp_mul(ap, tp__loss_plus(sp, m - 1)), -gamma),
                       tp_scale(tp_mul(an, tp__loss_plus(sn, -m)), gamma)};
}

/* 0 for an empty set, of which the logsumexp is -inf. */
static tp_tensor circle_of(exponents e)
{
    return tp_softplus(tp_add(tp_logsumexp(e.negative), tp_logsumexp(e.positive)));
}

static tp_tensor circle_pairs(tp_tensor sp, tp_tensor sn, const tp_circle_options *o)
{
    const tp_tensor at = tp__loss_at(sp, sn);
    const double gamma = tp__loss_default(o->gamma, 80);

    if (!tp__loss_float(at, sp, "positive similarities tensor") ||
        !tp__loss_operand(at, sn, "negative similarities tensor") ||
        !tp__loss_option(at, &sn, "negative similarities tensor", tp_dtype_of(sp)) ||
        !positive(at, gamma, "gamma"))
        return tp__loss_invalid(at);
    if (tp_count_of(sp) == 0 || tp_count_of(sn) == 0)
        return tp_add(tp_sum(tp_scale(sp, 0)), tp_sum(tp_scale(sn, 0)));
    return circle_of(circle_exponents(sp, sn, tp__loss_given(o->margin, 0.4), gamma, o->detach));
}

tp_tensor tp_circle_pairs(tp_tensor positive, tp_tensor negative, const tp_circle_options *options)
{
    tp_tape *tape = tp__loss_at(positive, negative).tape;

    tp_scope_begin(tape, "circle_pairs");
    const tp_tensor loss =
        circle_pairs(positive, negative, options != NULL ? options : &(tp_circle_options){0});
    tp_scope_end(tape);
    return loss;
}

/* Each pair once: those above the diagonal. */
static tp_tensor circle(tp_tensor x, tp_tensor labels, const tp_circle_options *o)
{
    const double gamma = tp__loss_default(o->gamma, 80);
    labelled b;

    if (!begin(&b, x, labels) || !positive(x, gamma, "gamma"))
        return tp__loss_invalid(tp__loss_at(x, labels));
    const int64_t n = tp_shape_of(x).dim[0];
    if (n == 0)
        return tp_sum(tp_scale(x, 0));
    const tp_tensor row = tp__loss_counter(x, n);
    const tp_tensor above =
        tp_cast(tp_less(tp_reshape(row, TP_SHAPE(n, 1)), tp_reshape(row, TP_SHAPE(1, n))), tp_dtype_of(x));
    exponents e = circle_exponents(b.cosine, b.cosine, tp__loss_given(o->margin, 0.4), gamma, o->detach);
    e.positive = tp__only_where(tp_mul(b.same, above), e.positive);
    e.negative = tp__only_where(tp_mul(b.different, above), e.negative);
    return circle_of(e);
}

tp_tensor tp_circle(tp_tensor x, tp_tensor labels, const tp_circle_options *options)
{
    tp_tape *tape = tp__loss_at(x, labels).tape;

    tp_scope_begin(tape, "circle");
    const tp_tensor loss = circle(x, labels, options != NULL ? options : &(tp_circle_options){0});
    tp_scope_end(tape);
    return loss;
}
