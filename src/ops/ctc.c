/* ctc.c -- ctc_nll: connectionist temporal classification.
 *
 * Three ops.  "ctc_alpha" is the forward recursion, log alpha of every frame and state.  "ctc_nll" reads -log p off its end.
 * "ctc_posterior", minus the gradient of that, is the backward recursion, and its derivatives.  The last two have the
 * log-probabilities and alpha as operands: alpha spares them the forward recursion, what they yield is a function of the
 * log-probabilities alone, and all of the derivative is with respect to these.
 *
 * log p is the log of a sum of exponentials, so its derivatives are the posterior probabilities, covariances, and so on:
 * symmetric multilinear forms.  With k directions v the op yields
 *
 *     D(x; v1, .., vk) = d/dx of the derivative of log p along v1, .., vk            (k = 0: the posteriors)
 *
 * whose own derivatives, by symmetry, are the same op: along one more direction, or with one of them replaced.
 */
#include "ctc.h"

#include <tapir/ops.h>

#include "lists.h"

/* ---- Shapes ------------------------------------------------------------------------------------------- */

int64_t tp__ctc_width(int64_t labels)
{
    return (labels + 2 + TP__CTC_LANES - 1) / TP__CTC_LANES * TP__CTC_LANES;
}

/* NULL, or what is wrong with targets and lengths, which are i32. */
static const char *integers_fault(tp_inference *i, int targets)
{
    for (int k = targets; k < targets + 3; k++)
        if (i->x_dtype[k] != TP_I32) {
            i->fault = TP_BAD_DTYPE;
            return "targets and lengths must be i32";
        }
    return NULL;
}

/* NULL, or what is wrong with log-probabilities, targets and lengths, of which the last three begin at `targets`. */
static const char *operands_fault(tp_inference *i, int targets)
{
    const tp_shape *x = i->x_shape, *y = i->x_shape + targets;
    const int64_t blank = ((const tp__ctc_attr *)i->attr)->blank;

    i->fault = TP_BAD_DTYPE;
    if (i->x_dtype[0] == TP_I32)
        return "the log-probabilities must be f32 or f64";
    const char *fault = integers_fault(i, targets);
    if (fault != NULL)
        return fault;
    i->fault = TP_BAD_SHAPE;
    if (x[0].rank != 3)
        return "log-probabilities are [frames,n,classes]";
    if (y[0].rank != 2 || y[0].dim[0] != x[0].dim[1])
        return "the targets must be [n,labels]";
    if (y[0].dim[1] > INT32_MAX || x[0].dim[0] > INT32_MAX)
        return "the sequences are longer than i32 can count";
    for (int k = 1; k < 3; k++)
        if (y[k].rank != 1 || y[k].dim[0] != x[0].dim[1])
            return "the lengths must be [n]";
    if (blank < 0 || blank >= x[0].dim[2]) {
        i->fault = TP_BAD_ARGUMENT;
        return "the blank must be one of the classes";
    }
    return NULL;
}

/* [N,T,2 width] */
static tp_shape alpha_shape(const tp_shape *log_probs, const tp_shape *targets)
{
    return (tp_shape){3, {log_probs->dim[1], log_probs->dim[0], 2 * tp__ctc_width(targets->dim[1])}};
}

static const char *alpha_infer(tp_inference *i)
{
    const char *fault = operands_fault(i, 1);
    if (fault == NULL) {
        i->y_shape = alpha_shape(&i->x_shape[0], &i->x_shape[1]);
        i->y_dtype = TP_F64;
    }
    return fault;
}

/* What operands the other two have in common. */
static const char *with_alpha_fault(tp_inference *i)
{
    i->fault = TP_BAD_SHAPE; /* not that the operands' dtypes differ, as they should */
    if (i->n < TP__CTC_DIRECTIONS)
        return "it needs five operands";
    const char *fault = operands_fault(i, TP__CTC_TARGETS);
    if (fault != NULL)
        return fault;
    const tp_shape alpha = alpha_shape(&i->x_shape[TP__CTC_LOG_PROBS], &i->x_shape[TP__CTC_TARGETS]);
    if (i->x_dtype[TP__CTC_ALPHA] != TP_F64 || !tp_shape_equal(i->x_shape[TP__CTC_ALPHA], alpha))
        return "the second operand must be what ctc_alpha makes of the others";
    return NULL;
}

static const char *nll_infer(tp_inference *i)
{
    i->y_shape = (tp_shape){1, {i->x_shape[0].dim[1]}};
    return with_alpha_fault(i);
}

static const char *posterior_infer(tp_inference *i)
{
    const char *fault = with_alpha_fault(i);
    if (fault != NULL)
        return fault;
    if (i->n > TP__CTC_DIRECTIONS + TP__CTC_MOST_DIRECTIONS) {
        i->fault = TP_NO_DERIVATIVE;
        return "there are no derivatives of ctc_nll beyond the seventh";
    }
    for (int k = TP__CTC_DIRECTIONS; k < i->n; k++)
        if (i->x_dtype[k] != i->x_dtype[0] || !tp_shape_equal(i->x_shape[k], i->x_shape[0]))
            return "a direction must be as the log-probabilities";
    i->y_shape = i->x_shape[0];
    return NULL;
}

/* ---- Derivatives -------------------------------------------------------------------------------------- */

static tp_tensor posterior_of(const tp_tensor *x, int n, int64_t blank);

/* A sequence with adjoint 0 (left out by its weight, or by zero_infinity) gets 0 also where the posterior is NaN. */
static void nll_vjp(const tp_vjp *d)
{
    const tp__ctc_attr *a = d->attr;
    if (!d->need[TP__CTC_LOG_PROBS])
        return;
    const tp_tensor g = tp_unsqueeze(d->g, -1);
    const tp_tensor posterior = posterior_of(d->x, TP__CTC_DIRECTIONS, a->blank);
    d->dx[TP__CTC_LOG_PROBS] = tp_guard(g, tp_neg(tp_mul(g, posterior)));
}

static void posterior_vjp(const tp_vjp *d)
{
    const tp__ctc_attr *a = d->attr;
    tp_tensor x[TP__CTC_DIRECTIONS + TP__CTC_MOST_DIRECTIONS + 1];

    for (int k = 0; k < d->n; k++)
        x[k] = d->x[k];
    if (d->need[TP__CTC_LOG_PROBS]) {
        x[d->n] = d->g;
        d->dx[TP__CTC_LOG_PROBS] = posterior_of(x, d->n + 1, a->blank);
    }
    for (int k = TP__CTC_DIRECTIONS; k < d->n; k++)
        if (d->need[k]) {
            x[k] = d->g;
            d->dx[k] = posterior_of(x, d->n, a->blank);
            x[k] = d->x[k];
        }
}

/* ---- The ops ------------------------------------------------------------------------------------------ */

static const tp_op alpha = {
    .name = "ctc_alpha",
    .kind = TP_CALL,
    .arity = 4,
    .attr_size = sizeof(tp__ctc_attr),
    .infer = alpha_infer,
    .vjp = tp_zero_derivative, /* see above */
    .run = tp__ctc_alpha,
    .scratch_size = tp__ctc_alpha_scratch,
};

static const tp_op nll = {
    .name = "ctc_nll",
    .kind = TP_CALL,
    .arity = TP__CTC_DIRECTIONS,
    .attr_size = sizeof(tp__ctc_attr),
    .infer = nll_infer,
    .vjp = nll_vjp,
    .run = tp__ctc_nll,
};

static tp_status posterior_run(const tp_call *c)
{
    return c->n == TP__CTC_DIRECTIONS ? tp__ctc_posterior(c) : tp__ctc_derivative(c);
}

static size_t posterior_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    return n == TP__CTC_DIRECTIONS ? tp__ctc_posterior_scratch(x_shape, n, attr)
                                   : tp__ctc_derivative_scratch(x_shape, n, attr);
}

static const tp_op posterior = {
    .name = "ctc_posterior",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .attr_size = sizeof(tp__ctc_attr),
    .infer = posterior_infer,
    .vjp = posterior_vjp,
    .run = posterior_run,
    .scratch_size = posterior_scratch,
};

static tp_tensor posterior_of(const tp_tensor *x, int n, int64_t blank)
{
    return tp_record(&posterior, x, n, &(tp__ctc_attr){blank});
}

tp_tensor tp_ctc_nll(tp_tensor log_probs, tp_tensor targets, tp_tensor input_lengths,
                     tp_tensor target_lengths, int64_t blank)
{
    const tp__ctc_attr a = {blank};
    const tp_tensor of[] = {log_probs, targets, input_lengths, target_lengths};
    const tp_tensor table = tp_record(&alpha, of, 4, &a);
    const tp_tensor x[] = {log_probs, table, targets, input_lengths, target_lengths};
    return tp_record(&nll, x, TP__CTC_DIRECTIONS, &a);
}

const tp_op *const tp__ctc_ops[] = {&alpha, &nll, &posterior, NULL};
