/* opaque_difference.c -- the gradient of a function from its values: steps, noise, methods, error bars.
 *
 * Everything is about phi(x) = sum g[j] y[j](x), of which only changes are ever formed, each y[j] first: adding up two
 * values of phi and subtracting them would lose what they have in common.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "opaque.h"

enum { LADDER = 10 /* Richardson's steps, at most */, POINTS = 7 /* that measure noise */ };

/* ---- Values and changes ------------------------------------------------------------------------------ */

static double change_of(const tp__opaque_gradient *d, const double *up, const double *low)
{
    double sum = 0;
    for (int64_t j = 0; j < d->m; j++)
        if (d->g[j] != 0)
            sum += d->g[j] * (up[j] - low[j]);
    return sum;
}

static double scale_of(const tp__opaque_gradient *d, int64_t i)
{
    return fmax(fabs(d->x[i]), d->attr->typical);
}

/* x[i] + h is rounded: the step is what it really became. */
static double put_step(const tp__opaque_gradient *d, double *x, int64_t i, double h)
{
    volatile double moved = d->x[i] + h;
    x[i] = moved;
    return moved - d->x[i];
}

/* y at x with x[i] moved by about h; *step gets what it was moved by. */
static bool evaluate_at(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double h, double *y,
                        double *step)
{
    *step = put_step(d, c->x, i, h);
    const bool fine = tp__opaque_evaluate(c, c->x, y);
    if (!fine) {
        c->fault.input = i;
        c->fault.shift = *step;
    }
    c->x[i] = d->x[i];
    return fine;
}

/* (phi(x + h e_i) - phi(x - h e_i)) / 2 h */
static bool central(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double h, double *slope)
{
    double up, low;
    if (!evaluate_at(d, c, i, h, c->up, &up) || !evaluate_at(d, c, i, -h, c->low, &low))
        return false;
    *slope = change_of(d, c->up, c->low) / (up - low);
    return true;
}

/* ---- Noise ------------------------------------------------------------------------------------------- */

/* Moré and Wild, section 3: the k-th differences of values at equal distances are those of the noise alone, once k is
 * large enough for the smooth part to be gone; their mean square, divided by (2 k)! / (k!)^2, is its variance.  The first
 * level that agrees with the two after it tells; else the smallest, for the smooth part only adds. */
static double noise_in(double *value, int *still)
{
    double level[POINTS - 1], least = INFINITY;
    bool changes_sign[POINTS - 1];
    double factor = 1;

    *still = 0;
    for (int k = 1; k < POINTS; k++) {
        double sum = 0;
        bool up = false, down = false;
        for (int i = 0; i < POINTS - k; i++) {
            value[i] = value[i + 1] - value[i];
            sum += value[i] * value[i];
            up = up || value[i] > 0;
            down = down || value[i] < 0;
            *still += k == 1 && value[i] == 0;
        }
        factor *= (double)k / (2 * (2 * (double)k - 1)); /* (k!)^2 / (2 k)! */
        level[k - 1] = sqrt(factor * sum / (POINTS - k));
        changes_sign[k - 1] = up && down;
    }
    for (int k = 0; k < POINTS - 1; k++)
        least = fmin(least, level[k]);
    for (int k = 0; k + 2 < POINTS - 1; k++) {
        const double low = fmin(level[k], fmin(level[k + 1], level[k + 2]));
        const double high = fmax(level[k], fmax(level[k + 1], level[k + 2]));
        if (changes_sign[k] && high <= 4 * low)
            return level[k];
    }
    return least;
}

/* All elements move at once, by steps so small that what is smooth hardly changes.  Values that mostly do not move at all say
 * nothing: a staircase, say the tolerance of a solver, is wider. */
static bool measure_noise(tp__opaque_gradient *d)
{
    tp__opaque_caller *c = &d->caller[0];
    double step = 0x1p-33, value[POINTS];
    int still = POINTS;

    for (int probe = 0; probe < 3 && still >= POINTS / 2; probe++, step *= 0x1p7) {
        for (int k = 0; k < POINTS; k++) {
            for (int64_t i = 0; i < d->n; i++) {
                const double side = (i * 7 + i / 3) % 5 < 2 ? -1 : 1; /* any direction will do */
                put_step(d, c->x, i, side * (k - POINTS / 2) * step * scale_of(d, i));
            }
            if (!tp__opaque_evaluate(c, c->x, k == 0 ? c->low : c->up)) {
                c->fault.input = -2;
                c->fault.shift = (k - POINTS / 2) * step;
                return false;
            }
            value[k] = k == 0 ? 0 : change_of(d, c->up, c->low);
        }
        d->noise = noise_in(value, &still);
        if (still == POINTS - 1)
            d->noise = 0;
    }
    memcpy(c->x, d->x, (size_t)d->n * sizeof *d->x);
    return true;
}

/* The noise of phi, given or measured, but at least the rounding of the numbers it is made of. */
static bool find_noise(tp__opaque_gradient *d)
{
    double square = 0;

    d->size = 0;
    for (int64_t j = 0; j < d->m; j++) {
        square += d->g[j] * d->g[j];
        d->size += d->g[j] != 0 ? fabs(d->g[j] * d->y[j]) : 0;
    }
    const bool needed = d->with_bars || (d->attr->step == 0 && d->method != TP_OPAQUE_PARAMETER_SHIFT);
    d->noise = d->attr->noise_given ? d->attr->noise * sqrt(square) : 0;
    if (!d->attr->noise_given && needed && !measure_noise(d))
        return false;
    d->noise = fmax(d->noise, DBL_EPSILON / 2 * d->size);
    return true;
}

/* ---- Steps ------------------------------------------------------------------------------------------- */

/* Relative to the scale of an element. */
static double relative_step(const tp__opaque_gradient *d)
{
    const double r = d->size > 0 ? fmax(d->noise / d->size, DBL_EPSILON / 2) : DBL_EPSILON / 2;

    if (d->attr->step > 0)
        return d->attr->step;
    if (d->method == TP_OPAQUE_RICHARDSON)
        return fmin(fmax(pow(r, 1.0 / 7), 0x1p-6), 0.25);
    if (d->method == TP_OPAQUE_FORWARD)
        return fmin(2 * sqrt(r), 0.1);
    return fmin(cbrt(3 * r), 0.1);
}

/* ---- One element, by each method --------------------------------------------------------------------- */

typedef bool element_slope(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double step);

static bool forward_slope(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double step)
{
    const double h = step * scale_of(d, i);
    double up, down;

    if (!evaluate_at(d, c, i, h, c->up, &up))
        return false;
    const double rise = change_of(d, c->up, d->y);
    d->slope[i] = rise / up;
    if (!d->with_bars)
        return true;
    if (!evaluate_at(d, c, i, -h, c->low, &down))
        return false;
    const double fall = change_of(d, c->low, d->y);
    d->bar[i] = fabs(rise / up - fall / down) + 4 * 2 * d->noise / h; /* the half of it is h phi'' / 2 */
    return true;
}

static bool central_slope(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double step)
{
    const double h = step * scale_of(d, i);
    double wide;

    if (!central(d, c, i, h, &d->slope[i]))
        return false;
    if (!d->with_bars)
        return true;
    if (!central(d, c, i, 2 * h, &wide))
        return false;
    d->bar[i] =
        2 * fabs(wide - d->slope[i]) / 3 + 4 * d->noise / h; /* h^2 phi''' / 6 is a third of their distance */
    return true;
}

static bool shifted_slope(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double step)
{
    const double quarter = 1.57079632679489661923;
    double up, low;

    (void)step;
    if (!evaluate_at(d, c, i, quarter, c->up, &up) || !evaluate_at(d, c, i, -quarter, c->low, &low))
        return false;
    d->slope[i] = change_of(d, c->up, c->low) / 2;
    if (d->with_bars)
        d->bar[i] = 4 * d->noise;
    return true;
}

/* Ridders' tableau: row k has the slope at h / 2^k and what extrapolation makes of it; the best entry is the one with the
 * smallest bar.  Entry j of a row is of order 2 j + 2, and noise in it is hardly more than that of the row's slope. */
static bool extrapolated_slope(const tp__opaque_gradient *d, tp__opaque_caller *c, int64_t i, double step)
{
    double before[LADDER], row[LADDER], h = step * scale_of(d, i);

    d->bar[i] = INFINITY;
    for (int k = 0; k < LADDER; k++, h /= 2) {
        double power = 1, best = INFINITY;
        if (!central(d, c, i, h, &row[0]))
            return false;
        for (int j = 1; j <= k; j++) {
            power *= 4;
            row[j] = row[j - 1] + (row[j - 1] - before[j - 1]) / (power - 1);
            const double left_out = fmax(fabs(row[j] - row[j - 1]), fabs(row[j] - before[j - 1]));
            const double bar = 2 * left_out + 4 * 1.5 * d->noise / h;
            best = fmin(best, bar);
            if (bar < d->bar[i]) {
                d->bar[i] = bar;
                d->slope[i] = row[j];
            }
        }
        if (k >= 2 && best > 2 * d->bar[i]) /* noise has taken over */
            break;
        memcpy(before, row, sizeof row);
    }
    return true;
}

bool tp__opaque_one_sided(tp__opaque_gradient *d, int64_t i, double *left, double *right)
{
    tp__opaque_caller *c = &d->caller[0];
    double step;
    const double r = d->size > 0 ? d->noise / d->size : 0;
    const double h = fmin(2 * sqrt(fmax(r, DBL_EPSILON)), 0.1) * scale_of(d, i);

    if (!evaluate_at(d, c, i, 0, c->low, &step) || !evaluate_at(d, c, i, h, c->up, &step))
        return false;
    *right = change_of(d, c->up, c->low) / step;
    if (!evaluate_at(d, c, i, -h, c->up, &step))
        return false;
    *left = change_of(d, c->up, c->low) / step;
    return true;
}

/* ---- All elements ------------------------------------------------------------------------------------ */

static element_slope *const slope_by[] = {
    [TP_OPAQUE_CENTRAL] = central_slope,         [TP_OPAQUE_FORWARD] = forward_slope,
    [TP_OPAQUE_RICHARDSON] = extrapolated_slope, [TP_OPAQUE_SPSA] = NULL,
    [TP_OPAQUE_PARAMETER_SHIFT] = shifted_slope,
};

/* Caller t takes a share of the elements: which thread does which is no matter. */
static void share_of_slopes(tp__opaque_gradient *d, int t, double step)
{
    tp__opaque_caller *c = &d->caller[t];
    const int64_t first = d->n * t / d->callers, end = d->n * (t + 1) / d->callers;

    for (int64_t i = first; i < end; i++)
        if (!slope_by[d->method](d, c, i, step))
            return;
}

static bool phi_along(tp__opaque_gradient *d, tp__opaque_caller *c, const double *direction, double step,
                      double *change)
{
    for (int side = 1; side >= -1; side -= 2) {
        for (int64_t i = 0; i < d->n; i++)
            put_step(d, c->x, i, (direction[i] != 0 ? step : -step) * side * scale_of(d, i));
        if (!tp__opaque_evaluate(c, c->x, side > 0 ? c->up : c->low)) {
            c->fault.input = -2;
            c->fault.shift = step;
            return false;
        }
    }
    *change = change_of(d, c->up, c->low);
    return true;
}

static void share_of_directions(tp__opaque_gradient *d, int t, double step)
{
    tp__opaque_caller *c = &d->caller[t];
    const int64_t n = d->attr->directions, first = n * t / d->callers, end = n * (t + 1) / d->callers;

    for (int64_t k = first; k < end; k++)
        if (!phi_along(d, c, d->direction + k * d->n, step, &d->change[k]))
            break;
    memcpy(c->x, d->x, (size_t)d->n * sizeof *d->x);
}

/* The error of an element is what the other elements add to the change, of either sign: about the change itself. */
static void combine_directions(tp__opaque_gradient *d, double step)
{
    const int64_t k = d->attr->directions;
    double square = 0;

    for (int64_t j = 0; j < k; j++)
        square += d->change[j] * d->change[j] / (double)k;
    for (int64_t i = 0; i < d->n; i++) {
        const double h = step * scale_of(d, i);
        double sum = 0;
        for (int64_t j = 0; j < k; j++)
            sum += d->direction[j * d->n + i] != 0 ? d->change[j] : -d->change[j];
        d->slope[i] = sum / (2 * h * (double)k);
        if (d->with_bars)
            d->bar[i] = 3 * (sqrt(square) + 2 * d->noise) / (2 * h * sqrt((double)k));
    }
}

static bool has_no_fault(const tp__opaque_gradient *d)
{
    for (int t = 0; t < d->callers; t++)
        if (d->caller[t].fault.kind != TP__FINE)
            return false;
    return true;
}

/* y at x as the callback gives it: what the op has, unless that was rounded. */
static bool find_value(tp__opaque_gradient *d)
{
    if (d->y_is_exact || d->method != TP_OPAQUE_FORWARD)
        return true;
    d->y = d->value;
    return tp__opaque_evaluate(&d->caller[0], d->x, d->value);
}

bool tp__opaque_differences(tp__opaque_gradient *d)
{
    const bool along = d->method == TP_OPAQUE_SPSA;

    d->is_zero = true;
    for (int64_t j = 0; j < d->m; j++)
        d->is_zero = d->is_zero && d->g[j] == 0;
    for (int64_t i = 0; i < d->n; i++)
        d->slope[i] = d->bar[i] = 0;
    if (d->is_zero)
        return true;
    if (!find_value(d) || !find_noise(d))
        return false;
    const double step = relative_step(d);
    if (!d->with_bars)
        for (int64_t i = 0; i < d->n; i++)
            d->bar[i] = INFINITY;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(d->callers) if (d->callers > 1)
#endif
    for (int t = 0; t < d->callers; t++) {
        if (along)
            share_of_directions(d, t, step);
        else
            share_of_slopes(d, t, step);
    }
    if (!has_no_fault(d))
        return false;
    if (along)
        combine_directions(d, step);
    return true;
}
