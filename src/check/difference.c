/* difference.c -- slopes by extrapolated differences.  See tapir/check.h for the method.
 *
 * Steps are unit * 2^e.  A ladder keeps f at both signs of every step evaluated so far, so the central, left and
 * right extrapolations share all samples, and "try other steps" means "evaluate more rungs".
 */
#include "difference.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

enum {
    RUNGS = 128,
    ORDER = 6,    /* most steps that an extrapolation combines, less one */
    UP = 4,       /* steps reach from 2^UP to 2^-DOWN times the scale, */
    DOWN = 36,    /* and from */
    HIGHEST = 17, /* 2^HIGHEST */
    LOWEST = -40, /* to 2^LOWEST */
    FIRST = 3,    /* the first step is 2^-FIRST times the scale */
    FEW = 4,      /* rungs of a first try */
    SOME = 8,     /* of a second */
    POINTS = 17,  /* of the noise probe */
    PROBES = 20   /* of different width, at most */
};

/* Not a power of two, since f may have a period that is one, but with few bits, so that x + h is exact. */
static const double unit = 1.171875;

typedef struct rung {
    int exponent;
    bool done;
    tp__sample side[2]; /* at -h and at +h */
} rung;

typedef struct ladder {
    const tp__curve *curve;
    rung rung[RUNGS]; /* largest step first */
    int rungs;
    double base;      /* the largest base of any sample: what f(0) is made of, as far as it varies at all */
    double noise;     /* measured; 0: not */
    bool is_complete; /* every rung is evaluated */
    int samples;
} ladder;

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* ---- Rungs ----------------------------------------------------------------------------------------- */

static void build_ladder(ladder *l, const tp__curve *curve)
{
    const int scale = ilogb(curve->scale);

    *l = (ladder){.curve = curve};
    for (int e = 1022; e >= -1021 && l->rungs < RUNGS; e--)
        if (e >= scale - DOWN && (e <= scale + UP || (e <= HIGHEST && e >= LOWEST)))
            l->rung[l->rungs++].exponent = e;
}

static bool take_sample(ladder *l, double t, tp__sample *s)
{
    l->samples++;
    if (!l->curve->sample(l->curve->user, t, s))
        return false;
    if (s->base > l->base && isfinite(s->base))
        l->base = s->base;
    return true;
}

/* Evaluates `count` rungs from the one of exponent `top` down.  False when f gave up. */
static bool evaluate(ladder *l, int top, int count)
{
    for (int i = 0; i < l->rungs; i++) {
        rung *r = &l->rung[i];
        if (r->done || r->exponent > top || r->exponent <= top - count)
            continue;
        const double h = ldexp(unit, r->exponent);
        if (!take_sample(l, -h, &r->side[0]) || !take_sample(l, h, &r->side[1]))
            return false;
        r->done = true;
    }
    return true;
}

/* ---- Extrapolation --------------------------------------------------------------------------------- */

/* AWAY: without the value at 0, for a function that jumps there. */
typedef enum side { LEFT, RIGHT, CENTRAL, LEFT_AWAY, RIGHT_AWAY } side;

typedef struct estimate {
    double value, bar;
    double step; /* the smallest that it is made of */
} estimate;

static const estimate nothing = {0, INFINITY, 0};

/* How far f at a sample may be off.  Measured noise is taken to grow with f, up to a point: that of a kernel which
 * computes in f32 does, that of a cancelled offset does not. */
static double round_off(const ladder *l, const tp__sample *s)
{
    const double size = larger(l->base, s->size);
    const double relative = l->base > 0 ? smaller(l->noise / l->base, 0x1p-20) : 0;
    const double noise = larger(l->noise, larger(relative, 2 * l->curve->epsilon) * size);
    /* What is exactly constant may vary by less than the rounding of a number met on the way. */
    return s->f == 0 ? larger(noise, l->curve->epsilon * l->curve->magnitude) : noise;
}

/* The difference quotient of rung i, and its error by round-off.  False when there is none. */
static bool quotient(const ladder *l, int i, side which, estimate *q)
{
    const rung *r = &l->rung[i];
    const tp__sample zero = {0};
    const tp__sample *minus, *plus;

    if (!r->done)
        return false;
    if (which == CENTRAL) {
        minus = &r->side[0];
        plus = &r->side[1];
    } else {
        plus = &r->side[which == RIGHT || which == RIGHT_AWAY];
        minus = &zero;
    }
    if (which == LEFT_AWAY || which == RIGHT_AWAY) {
        if (i == 0 || !l->rung[i - 1].done || l->rung[i - 1].exponent != r->exponent + 1)
            return false;
        minus = &l->rung[i - 1].side[which == RIGHT_AWAY];
    }
    const double run = plus->t - minus->t;
    const double noise = round_off(l, plus) + (minus == &zero ? round_off(l, plus) : round_off(l, minus));
    q->step = fabs(plus->t);
    q->value = (plus->f - minus->f) / run;
    q->bar = fabs(noise / run) + 4 * l->curve->epsilon * fabs(q->value);
    return run != 0 && isfinite(q->value) && isfinite(q->bar);
}

/* Do the quotients of the three smallest steps approach each other?  As h goes down to h/2, their changes should go
 * down to 1/4, one-sided to 1/2.  With an infinite slope they grow; with f ~ |x|^1.5 they go down to 0.71, and the
 * extrapolation would be wrong. */
static bool converges(const estimate q[3], side which)
{
    const double noise = q[0].bar + 2 * q[1].bar + q[2].bar, factor = which == CENTRAL ? 0.5 : 0.7;
    return fabs(q[2].value - q[1].value) <= factor * fabs(q[1].value - q[0].value) + noise;
}

/* best[i]: the best estimate among those whose smallest step is rung i.  An estimate needs three steps, since two may
 * agree by chance. */
static void extrapolate(const ladder *l, side which, estimate best[RUNGS])
{
    estimate old[ORDER + 1], row[ORDER + 1], last[3] = {nothing, nothing, nothing};
    int orders = -1; /* of `old` */

    for (int i = 0; i < l->rungs; i++) {
        best[i] = nothing;
        if (i > 0 && l->rung[i].exponent != l->rung[i - 1].exponent - 1)
            orders = -1;
        if (!quotient(l, i, which, &row[0])) {
            orders = -1;
            continue;
        }
        orders = orders + 1 < ORDER ? orders + 1 : ORDER;
        last[0] = last[1];
        last[1] = last[2];
        last[2] = row[0];
        double power = 1;
        for (int j = 1; j <= orders; j++) {
            power *= which == CENTRAL ? 4 : 2;
            row[j].value = (power * row[j - 1].value - old[j - 1].value) / (power - 1);
            row[j].bar = (power * row[j - 1].bar + old[j - 1].bar) / (power - 1);
            const double truncation =
                2 * larger(fabs(row[j].value - row[j - 1].value), fabs(row[j].value - old[j - 1].value));
            if (j >= 2 && truncation + row[j].bar < best[i].bar && converges(last, which))
                best[i] = (estimate){row[j].value, truncation + row[j].bar, row[0].step};
        }
        for (int j = 0; j <= orders; j++)
            old[j] = row[j];
    }
}

/* From the smallest steps to the largest: a smaller error bar wins if it does not contradict what smaller steps say.
 * Those can be trusted as far as their error bars, which are about noise; larger ones may have missed a detail. */
static estimate choose(const ladder *l, side which)
{
    estimate best[RUNGS], chosen = nothing;

    extrapolate(l, which, best);
    for (int i = l->rungs - 1; i >= 0; i--)
        if (best[i].bar < chosen.bar &&
            (!(chosen.bar < INFINITY) || fabs(best[i].value - chosen.value) <= best[i].bar + chosen.bar))
            chosen = best[i];
    return chosen;
}

static double beyond(double distance, double bar)
{
    return larger(0, distance - bar);
}

/* Fills the slope from both sides and, unless the function jumps there, the middle. */
static void combine_sides(tp__slope *slope, estimate left, estimate right, estimate middle)
{
    const bool has_left = left.bar < INFINITY, has_right = right.bar < INFINITY;
    const double gap = fabs(left.value - right.value), reach = left.bar + right.bar;

    if (has_left && has_right && gap > reach &&
        fabs(middle.value - (left.value + right.value) / 2) <= middle.bar + reach) {
        slope->low = smaller(left.value, right.value);
        slope->high = larger(left.value, right.value);
        slope->bar = larger(left.bar, right.bar);
        slope->step = smaller(left.step, right.step);
        slope->doubt = 0;
        return;
    }
    estimate e = middle;
    if (!(e.bar < INFINITY))
        e = left.bar < right.bar ? left : right;
    else if (has_left && has_right)
        e.bar = larger(e.bar, larger(beyond(fabs(e.value - left.value), left.bar),
                                     beyond(fabs(e.value - right.value), right.bar)));
    slope->low = slope->high = e.value;
    slope->bar = e.bar;
    slope->step = e.step;
    slope->doubt = has_left && has_right ? (gap + reach) / 2 : 0;
}

/* The largest change of f by steps up to the scale. */
static double rise_of(const ladder *l)
{
    const int scale = ilogb(l->curve->scale);
    double rise = 0;

    for (int i = 0; i < l->rungs; i++)
        for (int k = 0; k < 2 && l->rung[i].done && l->rung[i].exponent <= scale; k++)
            if (isfinite(l->rung[i].side[k].f))
                rise = larger(rise, fabs(l->rung[i].side[k].f));
    return rise;
}

/* Does f jump at 0 on this side?  Then even the smallest step moves it about as far as one 256 times larger.  Told
 * from a complete ladder only: what is steep looks the same from afar. */
static bool jumps(const ladder *l, int k)
{
    int smallest = -1;
    for (int i = l->rungs - 1; i >= 0 && smallest < 0; i--)
        if (isfinite(l->rung[i].side[k].f))
            smallest = i;
    if (!l->is_complete || smallest < 8)
        return false;
    const tp__sample *near = &l->rung[smallest].side[k], *far = &l->rung[smallest - 8].side[k];
    return fabs(near->f) > 0.5 * fabs(far->f) && fabs(near->f) > 4 * round_off(l, near);
}

static void combine(const ladder *l, tp__slope *slope)
{
    const bool left = jumps(l, 0), right = jumps(l, 1);
    combine_sides(slope, choose(l, left ? LEFT_AWAY : LEFT), choose(l, right ? RIGHT_AWAY : RIGHT),
                  left || right ? nothing : choose(l, CENTRAL));
    slope->samples = l->samples;
    slope->rise = rise_of(l);
}

/* ---- Noise ----------------------------------------------------------------------------------------- */

/* f at POINTS steps around 0, spread unevenly, or rounding might follow a pattern.  *fine is false when f is not finite
 * there; false: f gave up. */
static bool sample_row(ladder *l, double step, tp__sample s[POINTS], bool *fine)
{
    *fine = true;
    for (int k = 0; k < POINTS && *fine; k++) {
        const int at = k - POINTS / 2;
        s[k] = (tp__sample){0};
        if (at != 0 && !take_sample(l, step * (at + 0.3 * sin(at * 2.4)), &s[k]))
            return false;
        *fine = isfinite(s[k].f);
    }
    return true;
}

static int count_changes(const tp__sample s[POINTS])
{
    int changes = 0;
    for (int k = 1; k < POINTS; k++)
        changes += s[k].f != s[k - 1].f;
    return changes;
}

/* Makes `v` orthogonal to `basis`. */
static void take_out(double v[POINTS], const double basis[POINTS])
{
    double dot = 0, norm = 0;
    for (int k = 0; k < POINTS; k++) {
        dot += v[k] * basis[k];
        norm += basis[k] * basis[k];
    }
    for (int k = 0; k < POINTS && norm > 0; k++)
        v[k] -= dot / norm * basis[k];
}

/* The noise's standard deviation: that of what is left of f besides a parabola.  0 when it changes sign as seldom as
 * what is left of a smooth function, a kink or a jump, or is the rounding of this very sum. */
static double noise_in(const tp__sample s[POINTS])
{
    double basis[3][POINTS], rest[POINTS], sum = 0, largest = 0;
    int changes = 0;

    for (int k = 0; k < POINTS; k++) {
        const double t = s[k].t / s[POINTS - 1].t;
        basis[0][k] = 1;
        basis[1][k] = t;
        basis[2][k] = t * t;
        rest[k] = s[k].f;
        largest = larger(largest, fabs(s[k].f));
    }
    take_out(basis[1], basis[0]);
    take_out(basis[2], basis[0]);
    take_out(basis[2], basis[1]);
    for (int j = 0; j < 3; j++)
        take_out(rest, basis[j]);
    for (int k = 0; k < POINTS; k++) {
        sum += rest[k] * rest[k];
        changes += k > 0 && (rest[k] < 0) != (rest[k - 1] < 0);
    }
    const double noise = sqrt(sum / (POINTS - 3));
    return changes > POINTS / 3 && noise > 4 * DBL_EPSILON * largest ? noise : 0;
}

/* Steps that small that f seems constant say nothing; the first that move it show its noise.  A staircase is noise
 * when its steps can be the rounding of a number that was met on the way, else it is what f is. */
static bool measure_noise(ladder *l)
{
    const tp__curve *c = l->curve;
    const double widest = larger(c->scale, 1) / 1024;
    double step = c->scale * c->epsilon * 256;
    tp__sample s[POINTS];
    int moving = 0;
    bool was_flat = false;

    /* What was flat is a staircase more often than not. */
    for (int probe = 0; probe < PROBES && moving < (was_flat ? 6 : 3) && step <= widest;
         probe++, step *= moving > 0 ? 5 : 19) {
        bool fine;
        if (!sample_row(l, step, s, &fine))
            return false;
        if (!fine)
            return true;
        if (count_changes(s) < POINTS / 2) {
            was_flat = true;
            continue;
        }
        moving++;
        const double noise = noise_in(s);
        if (!(noise > 0))
            continue;
        const double limit = smaller(c->epsilon * 0x1p32, 0x1p-12); /* of amplified rounding */
        if (!was_flat || noise <= limit * c->magnitude)
            l->noise = larger(l->noise, 5 * noise);
        return true;
    }
    return true;
}

/* ---- The slope ------------------------------------------------------------------------------------- */

static bool is_met(tp__goal goal, const tp__slope *s)
{
    const double near = goal.relative * fabs(goal.expected);
    return s->bar <= larger(near, goal.absolute) && goal.expected >= s->low - s->bar - near &&
           goal.expected <= s->high + s->bar + near;
}

static bool is_flat(const ladder *l)
{
    for (int i = 0; i < l->rungs; i++)
        for (int k = 0; l->rung[i].done && k < 2; k++)
            if (l->rung[i].side[k].f != 0)
                return false;
    return true;
}

bool tp__slope_at_zero(const tp__curve *curve, tp__goal goal, tp__slope *slope)
{
    const int scale = ilogb(curve->scale);
    const int tries[][2] = {{scale - FIRST, FEW}, {-FIRST, FEW}, {scale - FIRST, SOME}};
    ladder l;

    build_ladder(&l, curve);
    for (int k = 0; k < 3; k++) {
        const int before = l.samples;
        if (!evaluate(&l, tries[k][0], tries[k][1]))
            return false;
        if (l.samples == before)
            continue;
        combine(&l, slope);
        if (is_met(goal, slope))
            return true;
    }
    if (!evaluate(&l, INT_MAX / 2, INT_MAX / 2 + 2048))
        return false;
    if (!is_flat(&l) && !measure_noise(&l))
        return false;
    l.is_complete = true;
    combine(&l, slope);
    /* Perhaps f moves by rounding alone, and a pattern in it was taken for a jump or for something to converge to. */
    const double rounding = curve->epsilon * curve->magnitude;
    if (slope->bar > 1e-3 * fabs(slope->low) && slope->rise <= 64 * rounding && l.noise < rounding) {
        tp__slope noisy;
        l.noise = rounding;
        combine(&l, &noisy);
        if (noisy.bar < slope->bar)
            *slope = noisy;
    }
    return true;
}
