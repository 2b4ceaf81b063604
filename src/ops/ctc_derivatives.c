/* ctc_derivatives.c -- derivatives of the posteriors of ctc along k directions.
 *
 * Both recursions are run on numbers that carry their derivatives along: x + e1 v1 + .. + ek vk with ei^2 = 0 in place of x.
 * Such a jet has 2^k coefficients, one for each subset of the directions, numbered by its bits; the one of all of them,
 * carried to the posteriors, is what is sought.  Derivatives of exp and log of a sum are found from the smaller subsets:
 * for a subset A with the highest direction j, and B running through the subsets of A without j,
 *
 *     y = e^x:            y[A] = sum over B of y[B] x[A - B]
 *     y = log sum e^xi:   y[A] = sum over i and B of w_i[B] xi[A - B],       w_i = e^(xi - y)
 *
 * States are in a row here: blank 0, label 0, blank 1, ...
 */
#include <math.h>
#include <tapir/scalar.h>

#include "ctc.h"

enum { MOST_COEFFICIENTS = 1 << TP__CTC_MOST_DIRECTIONS };

typedef struct jets {
    const tp__ctc *p;
    const tp__ctc_sequence *s;
    int directions;
    unsigned all;              /* the subset of all directions: 2^k - 1 */
    int64_t size, states;      /* 2^k, 2 L + 1 */
    const tp_array *direction; /* of the call's operands */
    double *alpha;             /* [frames][states] jets */
    double *beta, *ahead;      /* [states] jets */
    double *row;               /* [classes] */
    double log_p[MOST_COEFFICIENTS];
} jets;

/* ---- Arithmetic of jets --------------------------------------------------------------------------------- */

static unsigned highest_bit(unsigned a)
{
    unsigned bit = 1;
    while (a >> 1 >= bit)
        bit <<= 1;
    return bit;
}

/* The sum over B of w[B] x[A - B]. */
static double product_part(unsigned a, const double *w, const double *x)
{
    const unsigned below = a & ~highest_bit(a);
    double sum = 0;
    for (unsigned b = below;; b = (b - 1) & below) {
        sum += w[b] * x[a & ~b];
        if (b == 0)
            return sum;
    }
}

/* y = log of the sum of e^x[i] for n <= 3 jets, none of which is -inf; of none, that. */
static void log_sum(const jets *j, int n, const double *const *x, double *y)
{
    double w[3][MOST_COEFFICIENTS], most = -(double)INFINITY, total = 0;

    for (int i = 0; i < n; i++)
        most = TP_MAX(most, x[i][0]);
    for (int i = 0; i < n; i++)
        total += w[i][0] = tp_exp_f64(x[i][0] - most);
    y[0] = n == 0 ? most : most + tp_log_f64(total);
    for (int i = 0; i < n; i++)
        w[i][0] /= total;
    for (unsigned a = 1; a <= j->all; a++) {
        double rest[MOST_COEFFICIENTS]; /* x[i] - y, in the subsets of a that w[i][a] needs */
        y[a] = 0;
        for (int i = 0; i < n; i++)
            y[a] += product_part(a, w[i], x[i]);
        for (int i = 0; i < n && a < j->all; i++) {
            for (unsigned b = 1; b <= a; b++)
                rest[b] = x[i][b] - y[b];
            w[i][a] = product_part(a, w[i], rest);
        }
    }
}

/* The coefficient of all directions in e^x. */
static double exp_of_all(const jets *j, const double *x)
{
    double y[MOST_COEFFICIENTS];
    y[0] = tp_exp_f64(x[0]);
    for (unsigned a = 1; a <= j->all; a++)
        y[a] = product_part(a, y, x);
    return y[j->all];
}

/* ---- States ------------------------------------------------------------------------------------------- */

static int64_t class_of(const jets *j, int64_t state)
{
    return state % 2 == 0 ? j->p->blank : j->s->label[state / 2];
}

/* Does the state lead to the one after the next? */
static bool skips(const jets *j, int64_t state)
{
    return state % 2 == 1 && state + 2 < j->states && class_of(j, state) != class_of(j, state + 2);
}

/* x += the log-probability of the state's class in frame t. */
static void add_emission(const jets *j, int64_t t, int64_t state, double *x)
{
    const int64_t at = (t * j->p->sequences + j->s->n) * j->p->classes + class_of(j, state);
    x[0] += tp__ctc_load(j->p->dtype, j->p->log_probs, at);
    for (int k = 0; k < j->directions; k++)
        x[1 << k] += tp__ctc_load(j->p->dtype, j->direction[k].data, at);
}

static void set_number(const jets *j, double *x, double value)
{
    x[0] = value;
    for (int64_t a = 1; a < j->size; a++)
        x[a] = 0;
}

/* Adds state `state` of a row to a list of jets, unless it is -inf. */
static void list(const jets *j, const double *row, int64_t state, const double **x, int *n)
{
    const double *jet = row + state * j->size;
    if (jet[0] != -(double)INFINITY)
        x[(*n)++] = jet;
}

/* ---- The recursions --------------------------------------------------------------------------------------- */

static double *alpha_row(const jets *j, int64_t t)
{
    return j->alpha + t * j->states * j->size;
}

static void forwards(const jets *j)
{
    for (int64_t t = 0; t < j->s->frames; t++)
        for (int64_t s = 0; s < j->states; s++) {
            double *y = alpha_row(j, t) + s * j->size;
            const double *x[3];
            int n = 0;
            if (t == 0) {
                set_number(j, y, s < 2 ? 0 : -(double)INFINITY);
            } else {
                const double *before = alpha_row(j, t - 1);
                list(j, before, s, x, &n);
                if (s > 0)
                    list(j, before, s - 1, x, &n);
                if (s > 1 && skips(j, s - 2))
                    list(j, before, s - 2, x, &n);
                log_sum(j, n, x, y);
            }
            add_emission(j, t, s, y);
        }
}

static void backward_step(const jets *j)
{
    for (int64_t s = 0; s < j->states; s++) {
        const double *x[3];
        int n = 0;
        list(j, j->ahead, s, x, &n);
        if (s + 1 < j->states)
            list(j, j->ahead, s + 1, x, &n);
        if (skips(j, s))
            list(j, j->ahead, s + 2, x, &n);
        log_sum(j, n, x, j->beta + s * j->size);
    }
}

/* The derivatives in frame t, whose beta is there; and beta + log-probability for the frame before. */
static void frame(const jets *j, int64_t t)
{
    double exponent[MOST_COEFFICIENTS];

    for (int64_t k = 0; k < j->p->classes; k++)
        j->row[k] = 0;
    for (int64_t s = 0; s < j->states; s++) {
        const double *alpha = alpha_row(j, t) + s * j->size, *beta = j->beta + s * j->size;
        double *ahead = j->ahead + s * j->size;
        for (int64_t a = 0; a < j->size; a++) {
            exponent[a] = alpha[a] + beta[a] - j->log_p[a];
            ahead[a] = beta[a];
        }
        if (exponent[0] != -(double)INFINITY)
            j->row[class_of(j, s)] += exp_of_all(j, exponent);
        add_emission(j, t, s, ahead);
    }
}

static void find_log_p(jets *j)
{
    const double *last = alpha_row(j, j->s->frames - 1), *x[3];
    int n = 0;
    for (int64_t s = j->states - 1; s >= 0 && s > j->states - 3; s--)
        list(j, last, s, x, &n);
    log_sum(j, n, x, j->log_p);
}

/* Is one of the directions 0 wherever the sequence reads it? */
static bool has_zero_direction(const jets *j)
{
    const tp__ctc *p = j->p;
    for (int k = 0; k < j->directions; k++) {
        bool zero = true;
        for (int64_t t = 0; t < j->s->frames && zero; t++)
            for (int64_t i = 0; i < p->classes && zero; i++)
                zero = tp__ctc_load(p->dtype, j->direction[k].data,
                                    (t * p->sequences + j->s->n) * p->classes + i) == 0;
        if (zero)
            return true;
    }
    return false;
}

/* Along a direction that is 0 the derivative is 0, also of what is NaN: the strong zero. */
static void one_sequence(const tp_call *c, jets *j)
{
    const tp__ctc *p = j->p;
    const int64_t end = has_zero_direction(j) ? 0 : j->s->frames;

    for (int64_t t = end; t < p->frames; t++)
        tp__ctc_store(c, p, t, j->s->n, NULL);
    if (end == 0)
        return;
    forwards(j);
    find_log_p(j);
    for (int64_t s = 0; s < j->states; s++)
        set_number(j, j->beta + s * j->size, s > j->states - 3 ? 0 : -(double)INFINITY);
    for (int64_t t = end - 1; t >= 0; t--) {
        frame(j, t);
        if (j->log_p[0] == -(double)INFINITY)
            tp__ctc_store_nan(c, p, t, j->s->n);
        else
            tp__ctc_store(c, p, t, j->s->n, j->row);
        backward_step(j);
    }
}

/* ---- The kernel ---------------------------------------------------------------------------------------- */

size_t tp__ctc_derivative_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const int64_t *x = x_shape[TP__CTC_LOG_PROBS].dim, states = 2 * x_shape[TP__CTC_TARGETS].dim[1] + 1;
    (void)attr;
    return x[1] == 0
               ? 0
               : ((size_t)((x[0] + 2) * states) * ((size_t)1 << (n - TP__CTC_DIRECTIONS)) + (size_t)x[2]) *
                     sizeof(double);
}

tp_status tp__ctc_derivative(const tp_call *c)
{
    const tp__ctc p = tp__ctc_of(c, true);
    const tp_status status = tp__ctc_check(c, &p);
    const int k = c->n - TP__CTC_DIRECTIONS;
    jets j = {.p = &p, .directions = k, .size = (int64_t)1 << k, .direction = c->x + TP__CTC_DIRECTIONS};

    j.all = (1u << k) - 1;
    for (int64_t n = 0; n < p.sequences && status == TP_OK; n++) {
        const tp__ctc_sequence s = tp__ctc_sequence_of(&p, n);
        j.s = &s;
        j.states = 2 * s.labels + 1;
        j.alpha = c->scratch;
        j.beta = j.alpha + s.frames * j.states * j.size;
        j.ahead = j.beta + j.states * j.size;
        j.row = j.ahead + j.states * j.size;
        one_sequence(c, &j);
    }
    return status;
}
