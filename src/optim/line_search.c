/* line_search.c -- a line search for the strong Wolfe conditions: bracket, then zoom (Nocedal and Wright, "Numerical
 * Optimization", algorithms 3.5 and 3.6), with the safeguards of minFunc's, which PyTorch's has as well. */
#include <math.h>
#include <stdbool.h>

#include "lbfgs.h"

static const double c1 = 1e-4, c2 = 0.9;
enum { MOST_TRIALS = 25 };

typedef struct bracket {
    tp__point end[2];
    int low; /* the end with the lower loss */
    bool done;
    int trials;
} bracket;

/* The minimum of the cubic through two points with their slopes, within bounds; their middle if there is none. */
static double cubic_minimum(const tp__point *a, const tp__point *b, double least, double most)
{
    const tp__point *left = a->t <= b->t ? a : b, *right = a->t <= b->t ? b : a;
    const double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t);
    const double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return (least + most) / 2;
    const double d2 = sqrt(square);
    const double t =
        right->t - (right->t - left->t) * ((right->slope + d2 - d1) / (right->slope - left->slope + 2 * d2));
    return isfinite(t) ? fmin(fmax(t, least), most) : (least + most) / 2;
}

/* The loss falls enough; infinite and NaN ones do not. */
static bool falls(const tp__point *start, const tp__point *at)
{
    return at->loss <= start->loss + c1 * at->t * start->slope;
}

static bool is_flat(const tp__point *start, const tp__point *at)
{
    return fabs(at->slope) <= -c2 * start->slope;
}

static void set_low(bracket *b)
{
    b->low = b->end[1].loss < b->end[0].loss; /* not one that is NaN: the first one never is */
}

/* Goes on until a point is good, or there must be one between the last two. */
static tp_status find_bracket(tp__search *s, const tp__point *start, double t, bracket *b)
{
    tp__point before = *start, at = {.t = t, .g = s->row[0]};
    tp_status status = s->evaluate(s->user, &at);

    for (; status == TP_OK && b->trials < MOST_TRIALS; b->trials++) {
        const bool rises = !falls(start, &at) || (b->trials > 1 && at.loss >= before.loss);
        b->done = !rises && is_flat(start, &at);
        if (b->done)
            before = at;
        if (rises || b->done || at.slope >= 0)
            break;
        const double least = at.t + 0.01 * (at.t - before.t), most = 10 * at.t;
        const tp__point next = {.t = cubic_minimum(&before, &at, least, most),
                                .g = at.g == s->row[0] ? s->row[1] : s->row[0]};
        before = at;
        at = next;
        status = s->evaluate(s->user, &at);
    }
    b->end[0] = b->trials < MOST_TRIALS ? before : *start;
    b->end[1] = at;
    set_low(b);
    return status;
}

/* A point inside the bracket, kept away from its ends when the last trials came too close. */
static double next_trial(const bracket *b, bool *was_close)
{
    const double least = fmin(b->end[0].t, b->end[1].t), most = fmax(b->end[0].t, b->end[1].t);
    const double t = cubic_minimum(&b->end[0], &b->end[1], least, most), margin = 0.1 * (most - least);
    const bool close = fmin(most - t, t - least) < margin;

    if (close && (*was_close || t >= most || t <= least)) {
        *was_close = false;
        return fabs(t - most) < fabs(t - least) ? most - margin : least + margin;
    }
    *was_close = close;
    return t;
}

/* Puts the trial in the place of one end; returns the memory that is free now. */
static double *narrow(bracket *b, const tp__point *start, const tp__point *at)
{
    tp__point *low = &b->end[b->low], *high = &b->end[1 - b->low];
    double *freed = high->g;

    if (!falls(start, at) || at->loss >= low->loss) {
        *high = *at;
        set_low(b);
        return freed;
    }
    b->done = is_flat(start, at);
    if (!b->done && at->slope * (high->t - low->t) >= 0)
        *high = *low; /* the minimum is on the other side of the trial */
    else
        freed = low->g;
    *low = *at;
    return freed;
}

static tp_status zoom(tp__search *s, const tp__point *start, bracket *b)
{
    double *free_row = s->row[2];
    bool was_close = false;

    for (; !b->done && b->trials < MOST_TRIALS; b->trials++) {
        if (fabs(b->end[1].t - b->end[0].t) * s->longest < s->change_tolerance)
            break;
        tp__point at = {.t = next_trial(b, &was_close), .g = free_row};
        const tp_status status = s->evaluate(s->user, &at);
        if (status != TP_OK)
            return status;
        free_row = narrow(b, start, &at);
    }
    return TP_OK;
}

tp_status tp__strong_wolfe(tp__search *s, tp__point start, double t, tp__point *found)
{
    bracket b = {.low = 0};
    tp_status status = find_bracket(s, &start, t, &b);
    if (status == TP_OK)
        status = zoom(s, &start, &b);
    *found = b.end[b.low];
    return status;
}
