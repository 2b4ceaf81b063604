/* judge.c -- derivative against slope, element by element.  The rules are in tapir/check.h. */
#include <math.h>

#include "checker.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* ---- One verdict ----------------------------------------------------------------------------------- */

/* What is compared: one element, or a direction. */
typedef struct trial {
    double analytic;
    double slack;   /* round-off of `analytic` */
    double typical; /* size of what it is in the company of */
    double scale;   /* of the steps */
} trial;

static double distance_to(const tp__slope *slope, double a)
{
    return a < slope->low ? slope->low - a : a > slope->high ? a - slope->high : 0;
}

/* Does this derivative, or anything within its error bar, matter for numbers of this size?  (A relative change of x
 * changes f by less than 4e-9 of what f is made of.) */
static bool is_negligible(const tp__objective *o, const tp__slope *slope, double own, double scale)
{
    const double size = larger(o->sensitivity, slope->rise);
    return larger(own, slope->bar) * scale <= 0x1p24 * o->scratch->epsilon * size;
}

/* *badness orders elements of one verdict: how many times the allowed error was made. */
static tp_verdict decide(const tp__objective *o, const tp__slope *slope, const trial *t, double *badness)
{
    const double r = o->scratch->settings->tolerance, a = t->analytic;
    const double numeric = larger(fabs(slope->low), fabs(slope->high));
    const double own = larger(fabs(a), numeric), error = distance_to(slope, a);

    *badness = INFINITY;
    if (isnan(a))
        return TP_CHECK_FAILED;
    if (!(slope->bar < INFINITY))
        return TP_CHECK_INCONCLUSIVE;
    if (isinf(a))
        return slope->bar <= 1e-3 * numeric ? TP_CHECK_FAILED : TP_CHECK_INCONCLUSIVE;
    const double margin = slope->bar + t->slack + r * own;
    *badness = error > 0 ? error / margin : 0;
    if (!(error <= margin)) {
        /* f may be rounded on the way, where it cannot be seen from outside. */
        const double hidden = larger(slope->doubt, o->scratch->epsilon * o->sensitivity / slope->step);
        if (!o->undefined && !(error <= margin + hidden))
            return TP_CHECK_FAILED;
        return larger(error, slope->bar) <= r * t->typical ? TP_CHECK_PASSED : TP_CHECK_INCONCLUSIVE;
    }
    const double precise = larger(larger(r, 1e-3) * own, r * t->typical);
    if (slope->bar <= precise || is_negligible(o, slope, own, t->scale))
        return TP_CHECK_PASSED;
    *badness = slope->bar / precise;
    return TP_CHECK_INCONCLUSIVE;
}

/* The round-off of a derivative: as measured by moving x by its last bit, and at least that of the adjoints.  No more
 * than belongs to such numbers: where the derivative jumps it moves by anything. */
static double slack_of(const tp__objective *o, double jitter, double typical, double scale)
{
    const double r = o->scratch->settings->tolerance, epsilon = o->scratch->epsilon;
    const double most = 256 * epsilon * o->sensitivity / scale;
    return larger(smaller(4 * jitter, larger(r * typical, most)),
                  smaller(32 * epsilon * o->adjoint_magnitude, most));
}

static tp__goal goal_of(const tp__objective *o, const trial *t)
{
    const double r = o->scratch->settings->tolerance;
    return (tp__goal){t->analytic, r, 1e-3 * r * t->typical};
}

/* ---- The report ------------------------------------------------------------------------------------ */

typedef struct judging {
    tp__objective *o;
    tp_check_report *report;
    double *badness; /* of the report's worst */
    bool seen_nan;
} judging;

/* Counts it, and makes it the report's worst if it is. */
static void note(judging *j, tp_verdict verdict, const tp__slope *slope, const trial *t, double badness,
                 int x, int64_t element)
{
    tp_check_report *r = j->report;

    r->checked++;
    r->failed += verdict == TP_CHECK_FAILED;
    r->inconclusive += verdict == TP_CHECK_INCONCLUSIVE;
    const tp_verdict worst = r->order == 0 ? TP_CHECK_PASSED : r->verdict;
    if (r->order != 0 && (verdict > worst || (verdict == worst && !(badness > *j->badness))))
        return;
    *j->badness = badness;
    r->verdict = verdict;
    r->order = j->o->order;
    r->x = x;
    r->element = element;
    r->analytic = t->analytic;
    r->low = slope->low;
    r->high = slope->high;
    r->numeric = t->analytic > slope->high  ? slope->high
                 : t->analytic < slope->low ? slope->low
                                            : t->analytic;
    if (slope->low == slope->high || isnan(t->analytic))
        r->numeric = slope->low;
    r->error_bar = slope->bar;
}

/* ---- Single elements ------------------------------------------------------------------------------- */

static bool judge_element(judging *j, int64_t i)
{
    tp__objective *o = j->o;
    const tp__scratch *s = o->scratch;
    int64_t at = i;
    const int k = tp__variable_of(o, &at);
    const tp__variable *x = &s->x[k];
    const double scale = larger(fabs(x->point[at]), x->scale);
    const trial t = {
        .analytic = o->analytic[i],
        .slack = slack_of(o, o->jitter[i], o->typical, scale),
        .typical = o->typical,
        .scale = scale,
    };
    tp__slope slope = {.low = NAN, .high = NAN, .bar = INFINITY};
    double badness;

    /* One NaN may come with thousands, and each is lost anyway. */
    if (!(isnan(t.analytic) && j->seen_nan) && !tp__slope_of_element(o, k, at, goal_of(o, &t), &slope))
        return false;
    j->seen_nan = j->seen_nan || isnan(t.analytic);
    const tp_verdict verdict = decide(o, &slope, &t, &badness);
    note(j, verdict, &slope, &t, badness, k, at);
    return true;
}

/* ---- Directions ------------------------------------------------------------------------------------ */

typedef struct directions {
    double *v, *plus, *minus;
    bool *kink; /* elements met where the gradient jumps */
} directions;

static trial trial_along(const tp__objective *o, const double *v, int64_t first, int64_t last)
{
    trial t = {.scale = 1};
    double squares = 0, round_off = 0;

    for (int64_t i = first; i < last; i++) {
        if (v[i] == 0)
            continue;
        const double term = o->analytic[i] * v[i];
        t.analytic += term;
        squares += term * term;
        round_off += fabs(term) * 4 * o->scratch->epsilon + o->jitter[i] * fabs(v[i]);
    }
    t.typical = sqrt(squares);
    t.slack = slack_of(o, round_off, t.typical, 1);
    return t;
}

static bool judge_along(tp__objective *o, const double *v, int64_t first, int64_t last, tp_verdict *verdict,
                        tp__slope *slope, trial *t, double *badness)
{
    *t = trial_along(o, v, first, last);
    if (!tp__slope_along(o, v, first, last, goal_of(o, t), slope))
        return false;
    *verdict = decide(o, slope, t, badness);
    return true;
}

/* +1 or -1 times the typical size of the variable, or times that of the element itself. */
static void draw(const tp__objective *o, double *v, bool by_element)
{
    for (int k = 0; k < o->variables; k++) {
        const tp__variable *x = &o->scratch->x[k];
        for (int64_t i = 0; x->checked && i < x->count; i++) {
            const double own = fabs(x->point[i]);
            v[x->first + i] = tp__random_sign(o->scratch) * (by_element && own > 0 ? own : x->scale);
        }
    }
}

static bool jumps(const tp__objective *o, double g, double moved)
{
    return !(fabs(moved - g) <= 1e-3 * (fabs(g) + 1e-3 * o->typical));
}

/* Leaves out elements whose gradient changes at once, for there the slope of a sum of kinks tells nothing; and those
 * that are NaN, which have failed already. */
static void leave_out_kinks(tp__objective *o, directions *d)
{
    const double tiny = o->scratch->settings->single ? 0x1p-14 : 0x1p-30;
    bool fine = true;

    tp__move_along(o, d->v, tiny);
    fine = tp__objective_gradient(o, d->plus);
    tp__move_along(o, d->v, -tiny);
    fine = tp__objective_gradient(o, d->minus) && fine;
    tp__move_along(o, NULL, 0);
    for (int64_t i = 0; i < o->total; i++) {
        const double g = o->analytic[i];
        if (!isfinite(g) || (fine && (jumps(o, g, d->plus[i]) || jumps(o, g, d->minus[i])))) {
            d->kink[i] = true;
            d->v[i] = 0;
        }
    }
}

/* A direction failed: in which half does it still?  Down to one element, which is then judged by itself. */
static bool find_element(judging *j, const double *v, int64_t *first, int64_t *last)
{
    while (*last - *first > 1) {
        const int64_t middle = *first + (*last - *first) / 2, ends[3] = {*first, middle, *last};
        bool found = false;
        for (int half = 0; half < 2 && !found; half++) {
            tp__slope slope;
            trial t;
            tp_verdict verdict;
            double badness;
            if (!judge_along(j->o, v, ends[half], ends[half + 1], &verdict, &slope, &t, &badness))
                return false;
            found = verdict == TP_CHECK_FAILED;
            if (found) {
                *first = ends[half];
                *last = ends[half + 1];
            }
        }
        if (!found)
            return true;
    }
    return true;
}

static bool judge_direction(judging *j, directions *d)
{
    tp_verdict verdict = TP_CHECK_INCONCLUSIVE;
    tp__slope slope;
    trial t;
    double badness;

    for (int way = 0; way < 2 && verdict == TP_CHECK_INCONCLUSIVE; way++) {
        draw(j->o, d->v, way == 1);
        leave_out_kinks(j->o, d);
        if (!judge_along(j->o, d->v, 0, j->o->total, &verdict, &slope, &t, &badness))
            return false;
    }
    if (verdict == TP_CHECK_FAILED && j->report->failed == 0) {
        int64_t first = 0, last = j->o->total;
        if (!find_element(j, d->v, &first, &last))
            return false;
        if (last - first == 1)
            return judge_element(j, first);
    }
    note(j, verdict, &slope, &t, badness, 0, -1);
    return true;
}

/* ---- Which ----------------------------------------------------------------------------------------- */

static bool judge_all(judging *j)
{
    for (int64_t i = 0; i < j->o->total; i++)
        if (!judge_element(j, i))
            return false;
    return true;
}

static int64_t draw_index(const tp__objective *o, int64_t count)
{
    const int64_t i = (int64_t)(tp__random(o->scratch) * (double)count);
    return i < count ? i : count - 1;
}

/* Some of every variable, of NaN and kinks, and the largest. */
static bool judge_sample(judging *j, const directions *d)
{
    enum { SHARE = 8, KINKS = 8 };
    const tp__objective *o = j->o;
    const int64_t sample = o->scratch->settings->max_elements / SHARE + 1;
    int64_t largest = 0, kinks = 0;

    for (int64_t i = 0; i < o->total; i++) {
        if (fabs(o->analytic[i]) > fabs(o->analytic[largest]))
            largest = i;
        if (((d->kink[i] && kinks < KINKS) || isnan(o->analytic[i])) &&
            !(isnan(o->analytic[i]) && j->seen_nan)) {
            kinks++;
            if (!judge_element(j, i))
                return false;
        }
    }
    if (!judge_element(j, largest))
        return false;
    for (int k = 0; k < o->variables; k++) {
        const tp__variable *x = &o->scratch->x[k];
        const int64_t fair = (int64_t)((double)sample * (double)x->count / (double)o->total);
        for (int64_t i = 0; x->checked && x->count > 0 && i < fair + 2; i++)
            if (!judge_element(j, x->first + draw_index(o, x->count)))
                return false;
    }
    return true;
}

/* More failures would tell nothing new, and they take long. */
static bool is_worth_going_on(const judging *j)
{
    enum { ENOUGH = 3 };
    return j->report->failed < ENOUGH;
}

static bool judge_many(judging *j)
{
    tp__objective *o = j->o;
    tp__scratch *s = o->scratch;
    directions d = {
        .v = tp__numbers(s, o->total),
        .plus = tp__numbers(s, o->total),
        .minus = tp__numbers(s, o->total),
        .kink = tp__arena_take(&s->arena, (size_t)o->total * sizeof(bool)),
    };
    if (d.v == NULL || d.plus == NULL || d.minus == NULL || d.kink == NULL)
        return tp__out_of_memory(s);
    for (int k = 0; k < s->settings->directions && is_worth_going_on(j); k++)
        if (!judge_direction(j, &d))
            return false;
    return judge_sample(j, &d);
}

bool tp__judge(tp__objective *o, tp_check_report *report, double *badness)
{
    judging j = {.o = o, .report = report, .badness = badness};
    return o->total <= o->scratch->settings->max_elements ? judge_all(&j) : judge_many(&j);
}
