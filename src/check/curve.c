/* curve.c -- an objective along a line through the point, and its slope there. */
#include <math.h>

#include "checker.h"

typedef struct probe {
    tp__objective *o;
    tp__variable *x; /* one element; or */
    int64_t i;
    const double *direction; /* many */
    int64_t first, last;
} probe;

/* Adds up what differs from the point, with the error of the sum compensated (Neumaier, ZAMM 54, 1974). */
static void add_up(const tp__objective *o, tp__sample *s)
{
    double sum = 0, lost = 0;

    s->f = s->size = s->base = 0;
    for (int p = 0; p < o->parts; p++) {
        const tp__part *part = &o->part[p];
        const size_t size = tp_dtype_size(part->dtype);
        const char *now = tp_program_output(o->values, p, part->dtype), *base = part->base;
        for (int64_t i = 0; i < part->count; i++) {
            if (memcmp(now + (size_t)i * size, base + (size_t)i * size, size) == 0)
                continue;
            const double w = part->weight != NULL ? part->weight[i] : 1;
            const double y = tp__element(now, part->dtype, i), y0 = tp__element(base, part->dtype, i);
            const double term = w * (y - y0), total = sum + term;
            lost += fabs(sum) >= fabs(term) ? (sum - total) + term : (term - total) + sum;
            sum = total;
            s->size += fabs(w * y);
            s->base += fabs(w * y0);
        }
    }
    s->f = sum + lost;
    if (o->undefined && s->size == 0) /* a NaN may hide any change */
        s->f = NAN;
}

static bool sample_at(void *user, double t, tp__sample *s)
{
    const probe *p = user;
    const tp__objective *o = p->o;
    tp__scratch *scratch = o->scratch;

    s->t = t;
    if (p->x != NULL)
        s->t = tp__move(p->x, p->i, t);
    for (int k = 0; k < o->variables && p->direction != NULL; k++) {
        const tp__variable *x = &scratch->x[k];
        for (int64_t i = 0; x->checked && i < x->count; i++)
            if (x->first + i >= p->first && x->first + i < p->last)
                tp__move(x, i, t * p->direction[x->first + i]);
    }
    const tp_status status = tp_run(o->values);
    if (status == TP_OUT_OF_MEMORY)
        return tp__out_of_memory(scratch);
    if (status == TP_OK) {
        add_up(o, s);
    } else { /* an op refuses these operands: they are outside its domain */
        *s = (tp__sample){.t = s->t, .f = NAN};
        tp_tape_clear_error(scratch->tape);
    }
    return true;
}

bool tp__slope_of_element(tp__objective *o, int x, int64_t i, tp__goal goal, tp__slope *slope)
{
    tp__scratch *s = o->scratch;
    tp__variable *v = &s->x[x];
    probe p = {.o = o, .x = v, .i = i};
    const double size = fabs(v->point[i]);
    const tp__curve curve = {
        .sample = sample_at,
        .user = &p,
        .scale = isfinite(size) && size > 0 ? size : v->scale,
        .epsilon = s->epsilon,
        .magnitude = o->sensitivity,
    };
    const bool fine = tp__slope_at_zero(&curve, goal, slope);
    tp__move(v, i, 0);
    return fine;
}

bool tp__slope_along(tp__objective *o, const double *direction, int64_t first, int64_t last, tp__goal goal,
                     tp__slope *slope)
{
    probe p = {.o = o, .direction = direction, .first = first, .last = last};
    const tp__curve curve = {
        .sample = sample_at,
        .user = &p,
        .scale = 1,
        .epsilon = o->scratch->epsilon,
        .magnitude = o->sensitivity,
    };
    const bool fine = tp__slope_at_zero(&curve, goal, slope);
    tp__move_along(o, NULL, 0);
    return fine;
}

void tp__move_along(const tp__objective *o, const double *direction, double t)
{
    for (int k = 0; k < o->variables; k++) {
        const tp__variable *x = &o->scratch->x[k];
        for (int64_t i = 0; x->checked && i < x->count; i++)
            tp__move(x, i, direction != NULL ? t * direction[x->first + i] : 0);
    }
}
