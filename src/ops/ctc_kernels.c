/* ctc_kernels.c -- the forward and the backward recursion of ctc, in log space and in double.
 *
 *     alpha_t(s) = log of the sum over paths through frames 0 .. t that end in state s
 *     beta_t(s)  = log of the sum over paths through frames t + 1 .. that begin in a state that s leads to
 *
 * A row of alpha is `width` blank states and then `width` label states.  States that a target does not have are -inf, in
 * particular the last blank of a row, which stands where label -1 would.  So loops over states have no special cases.
 */
#include <math.h>
#include <string.h>
#include <tapir/scalar.h>

#include "ctc.h"

/* ---- Operands ----------------------------------------------------------------------------------------- */

tp__ctc tp__ctc_of(const tp_call *c, bool with_alpha)
{
    const tp_array *x = c->x + (with_alpha ? 1 : 0); /* so that targets are x[1] */
    const int64_t *dim = c->x[0].shape.dim;
    return (tp__ctc){.frames = dim[0],
                     .sequences = dim[1],
                     .classes = dim[2],
                     .longest = x[1].shape.dim[1],
                     .width = tp__ctc_width(x[1].shape.dim[1]),
                     .blank = ((const tp__ctc_attr *)c->attr)->blank,
                     .dtype = c->x[0].dtype,
                     .log_probs = c->x[0].data,
                     .targets = x[1].data,
                     .input_lengths = x[2].data,
                     .target_lengths = x[3].data};
}

tp__ctc_sequence tp__ctc_sequence_of(const tp__ctc *p, int64_t n)
{
    return (tp__ctc_sequence){.n = n,
                              .frames = p->input_lengths[n],
                              .labels = p->target_lengths[n],
                              .width = tp__ctc_width(p->target_lengths[n]),
                              .label = p->targets + n * p->longest};
}

static tp_status check_labels(const tp_call *c, const tp__ctc *p, int64_t n)
{
    for (int64_t e = n * p->longest; e < n * p->longest + p->target_lengths[n]; e++) {
        if (p->targets[e] < 0 || p->targets[e] >= p->classes)
            return tp_call_fail(c, "the label %d (element %lld) is outside [0, %lld)", (int)p->targets[e],
                                (long long)e, (long long)p->classes);
        if (p->targets[e] == p->blank)
            return tp_call_fail(c, "the label %d (element %lld) is the blank", (int)p->targets[e],
                                (long long)e);
    }
    return TP_OK;
}

tp_status tp__ctc_check(const tp_call *c, const tp__ctc *p)
{
    tp_status status = TP_OK;
    for (int64_t n = 0; n < p->sequences && status == TP_OK; n++) {
        if (p->input_lengths[n] < 0 || p->input_lengths[n] > p->frames)
            return tp_call_fail(c, "the input length %d (element %lld) is outside [0, %lld]",
                                (int)p->input_lengths[n], (long long)n, (long long)p->frames);
        if (p->target_lengths[n] < 0 || p->target_lengths[n] > p->longest)
            return tp_call_fail(c, "the target length %d (element %lld) is outside [0, %lld]",
                                (int)p->target_lengths[n], (long long)n, (long long)p->longest);
        status = check_labels(c, p, n);
    }
    return status;
}

void tp__ctc_store(const tp_call *c, const tp__ctc *p, int64_t t, int64_t n, const double *value)
{
    const int64_t at = (t * p->sequences + n) * p->classes;
    if (p->dtype == TP_F64 && value != NULL)
        memcpy((double *)c->y.data + at, value, (size_t)p->classes * sizeof(double));
    else if (value == NULL)
        memset((char *)c->y.data + (size_t)at * tp_dtype_size(p->dtype), 0,
               (size_t)p->classes * tp_dtype_size(p->dtype));
    else
        for (int64_t k = 0; k < p->classes; k++)
            ((float *)c->y.data)[at + k] = (float)value[k];
}

void tp__ctc_store_nan(const tp_call *c, const tp__ctc *p, int64_t t, int64_t n)
{
    const int64_t at = (t * p->sequences + n) * p->classes;
    for (int64_t k = 0; k < p->classes; k++) {
        if (p->dtype == TP_F32)
            ((float *)c->y.data)[at + k] = NAN;
        else
            ((double *)c->y.data)[at + k] = (double)NAN;
    }
}

/* ---- Rows of states ----------------------------------------------------------------------------------- */

static void fill(double *x, int64_t n, double value)
{
    for (int64_t k = 0; k < n; k++)
        x[k] = value;
}

/* 1 where label k - 1 leads to label k, else 0; one more than the width. */
static void fill_skips(const tp__ctc_sequence *s, double *skip)
{
    fill(skip, s->width + 1, 0);
    for (int64_t k = 1; k < s->labels; k++)
        if (s->label[k] != s->label[k - 1])
            skip[k] = 1;
}

/* The log-probabilities of the labels in frame t; returns that of the blank. */
static double gather(const tp__ctc *p, const tp__ctc_sequence *s, int64_t t, double *e)
{
    const int64_t at = (t * p->sequences + s->n) * p->classes;
    if (p->dtype == TP_F32) {
        const float *x = (const float *)p->log_probs + at;
        for (int64_t k = 0; k < s->labels; k++)
            e[k] = (double)x[s->label[k]];
        return (double)x[p->blank];
    }
    const double *x = (const double *)p->log_probs + at;
    for (int64_t k = 0; k < s->labels; k++)
        e[k] = x[s->label[k]];
    return x[p->blank];
}

/* log(e^a + e^b); of nothing but -inf, that. */
static inline double log_sum(double a, double b)
{
    const double most = TP_MAX(a, b), least = TP_MIN(a, b);
    const double y = most + TP_SOFTPLUS(least - most);
    return most == -(double)INFINITY ? most : y;
}

/* From alpha of a frame to that of the next, where the blank has the log-probability `blank` and the labels e.  What leads to
 * blank k, from blank k and label k - 1, is also what leads to label k from elsewhere, unless label k - 1 is the same. */
TP_INSTRUCTION_SETS
static void forward_step(int64_t n, int64_t width, const double *before, const double *skip, double blank,
                         const double *e, double *restrict after)
{
    const double *label = before + width, *previous = label - 1;
    TP_SIMD_ for (int64_t k = 0; k < n; k++)
    {
        const double from_both = log_sum(before[k], previous[k]);
        const double from_elsewhere = skip[k] != 0 ? from_both : before[k];
        after[k] = from_both + blank;
        after[width + k] = log_sum(label[k], from_elsewhere) + e[k];
    }
}

/* From beta + log-probability of a frame (blanks, labels) to beta of the frame before.  Element n of each is -inf. */
TP_INSTRUCTION_SETS
static void backward_step(int64_t n, const double *blank, const double *label, const double *skip,
                          double *restrict to_blank, double *restrict to_label)
{
    TP_SIMD_ for (int64_t k = 0; k < n; k++)
    {
        to_blank[k] = log_sum(blank[k], label[k]);
    }
    TP_SIMD_ for (int64_t k = 0; k < n; k++)
    {
        to_label[k] = log_sum(label[k], skip[k + 1] != 0 ? to_blank[k + 1] : blank[k + 1]);
    }
}

/* q = e^(alpha + beta - log p), and beta + e takes beta's place. */
TP_INSTRUCTION_SETS
static void weigh(int64_t n, const double *alpha, double log_p, const double *e, double *restrict beta,
                  double *restrict q)
{
    TP_SIMD_ for (int64_t k = 0; k < n; k++)
    {
        q[k] = TP_EXP(alpha[k] + beta[k] - log_p);
        beta[k] = beta[k] + e[k];
    }
}

/* ---- Forwards ----------------------------------------------------------------------------------------- */

size_t tp__ctc_alpha_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    return (size_t)(2 * tp__ctc_width(x_shape[1].dim[1]) + 1) * sizeof(double);
}

static void first_row(const tp__ctc_sequence *s, int64_t width, double blank, const double *e, double *row)
{
    fill(row, 2 * width, -(double)INFINITY);
    row[0] = blank;
    if (s->labels > 0)
        row[width] = e[0];
}

static void forwards(const tp__ctc *p, const tp__ctc_sequence *s, double *scratch, double *row)
{
    double *skip = scratch, *e = scratch + p->width + 1;
    const int64_t width = p->width, rest = width - s->width;

    fill_skips(s, skip);
    fill(e, s->width, -(double)INFINITY);
    for (int64_t t = 0; t < s->frames; t++, row += 2 * width) {
        const double blank = gather(p, s, t, e);
        if (t == 0) {
            first_row(s, width, blank, e, row);
            continue;
        }
        forward_step(s->width, width, row - 2 * width, skip, blank, e, row);
        fill(row + s->width, rest, -(double)INFINITY);
        fill(row + width + s->width, rest, -(double)INFINITY);
    }
    fill(row, 2 * width * (p->frames - s->frames), -(double)INFINITY);
}

tp_status tp__ctc_alpha(const tp_call *c)
{
    const tp__ctc p = tp__ctc_of(c, false);
    const tp_status status = tp__ctc_check(c, &p);

    for (int64_t n = 0; n < p.sequences && status == TP_OK; n++) {
        const tp__ctc_sequence s = tp__ctc_sequence_of(&p, n);
        forwards(&p, &s, c->scratch, (double *)c->y.data + n * p.frames * 2 * p.width);
    }
    return status;
}

/* ---- At the end --------------------------------------------------------------------------------------- */

static double log_probability(const tp__ctc *p, const tp__ctc_sequence *s, const double *alpha)
{
    if (s->frames == 0)
        return s->labels == 0 ? 0 : -(double)INFINITY;
    const double *last = alpha + (s->n * p->frames + s->frames - 1) * 2 * p->width;
    return log_sum(last[s->labels], last[p->width + s->labels - 1]); /* of no labels that is -inf */
}

tp_status tp__ctc_nll(const tp_call *c)
{
    const tp__ctc p = tp__ctc_of(c, true);
    const tp_status status = tp__ctc_check(c, &p);

    for (int64_t n = 0; n < p.sequences && status == TP_OK; n++) {
        const tp__ctc_sequence s = tp__ctc_sequence_of(&p, n);
        const double r = 0 - log_probability(&p, &s, c->x[TP__CTC_ALPHA].data);
        if (p.dtype == TP_F32)
            ((float *)c->y.data)[n] = (float)r;
        else
            ((double *)c->y.data)[n] = r;
    }
    return status;
}

/* ---- Backwards ---------------------------------------------------------------------------------------- */

/* Rows of states: of beta one element longer, and e of labels and of blanks; then a row of classes. */
typedef struct workspace {
    double *skip, *blank, *label, *to_blank, *to_label, *e, *e_blank, *q, *row;
} workspace;

enum { WORKSPACE_ROWS = 8 };

static int64_t padded(int64_t width)
{
    return width + TP__CTC_LANES;
}

static workspace workspace_in(double *scratch, const tp__ctc *p)
{
    const int64_t step = padded(p->width);
    workspace w;
    double **const part[] = {&w.skip, &w.blank, &w.label, &w.to_blank, &w.to_label, &w.e, &w.e_blank, &w.q};
    for (int k = 0; k < WORKSPACE_ROWS; k++)
        *part[k] = scratch + k * step;
    w.row = scratch + WORKSPACE_ROWS * step;
    return w;
}

size_t tp__ctc_posterior_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    const int64_t width = tp__ctc_width(x_shape[TP__CTC_TARGETS].dim[1]);
    return (size_t)(WORKSPACE_ROWS * padded(width) + x_shape[TP__CTC_LOG_PROBS].dim[2]) * sizeof(double);
}

static void swap(double **a, double **b)
{
    double *const old = *a;
    *a = *b;
    *b = old;
}

/* beta of the last frame: 0 where a path may end.  The elements behind the rows stay as they are. */
static void last_row(const tp__ctc_sequence *s, workspace *w)
{
    double *const row[] = {w->to_blank, w->to_label, w->blank, w->label};
    for (int k = 0; k < 4; k++)
        fill(row[k], s->width + 1, -(double)INFINITY);
    w->to_blank[s->labels] = 0;
    if (s->labels > 0)
        w->to_label[s->labels - 1] = 0;
}

/* The posteriors of frame t, whose beta is in to_blank and to_label; then these are beta + e. */
static void frame(const tp__ctc *p, const tp__ctc_sequence *s, int64_t t, const double *alpha, double log_p,
                  workspace *w)
{
    double sum = 0;

    fill(w->e_blank, s->width, gather(p, s, t, w->e));
    fill(w->row, p->classes, 0);
    weigh(s->width, alpha, log_p, w->e_blank, w->to_blank, w->q);
    for (int64_t k = 0; k <= s->labels; k++)
        sum += w->q[k];
    w->row[p->blank] = sum;
    weigh(s->width, alpha + p->width, log_p, w->e, w->to_label, w->q);
    for (int64_t k = 0; k < s->labels; k++)
        w->row[s->label[k]] += w->q[k];
}

static void backwards(const tp_call *c, const tp__ctc *p, const tp__ctc_sequence *s)
{
    const double *alpha = c->x[TP__CTC_ALPHA].data, log_p = log_probability(p, s, alpha);
    workspace w = workspace_in(c->scratch, p);

    fill_skips(s, w.skip);
    fill(w.e, s->width, -(double)INFINITY);
    last_row(s, &w);
    for (int64_t t = s->frames - 1; t >= 0; t--) {
        if (log_p == -(double)INFINITY) {
            tp__ctc_store_nan(c, p, t, s->n);
            continue;
        }
        frame(p, s, t, alpha + (s->n * p->frames + t) * 2 * p->width, log_p, &w);
        tp__ctc_store(c, p, t, s->n, w.row);
        swap(&w.blank, &w.to_blank);
        swap(&w.label, &w.to_label);
        if (t > 0)
            backward_step(s->width, w.blank, w.label, w.skip, w.to_blank, w.to_label);
    }
    for (int64_t t = s->frames; t < p->frames; t++)
        tp__ctc_store(c, p, t, s->n, NULL);
}

tp_status tp__ctc_posterior(const tp_call *c)
{
    const tp__ctc p = tp__ctc_of(c, true);
    const tp_status status = tp__ctc_check(c, &p);

    for (int64_t n = 0; n < p.sequences && status == TP_OK; n++) {
        const tp__ctc_sequence s = tp__ctc_sequence_of(&p, n);
        backwards(c, &p, &s);
    }
    return status;
}
