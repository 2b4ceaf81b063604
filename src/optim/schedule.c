/* schedule.c -- learning rates as functions of the step. */
#include <math.h>

#include <tapir/optim/schedule.h>

static const double pi = 3.14159265358979323846;

static double or_default(double value, double otherwise)
{
    return value != 0 ? value : otherwise;
}

static double fraction(int64_t k, int64_t steps)
{
    return (double)(k < steps ? k : steps) / (double)steps;
}

/* Half a cosine wave from one number, at p = 0, to another, at p = 1. */
static double half_wave(double from, double to, double p)
{
    return to + (from - to) * (1 + cos(pi * p)) / 2;
}

double tp_step_decay_rate(const tp_step_decay *s, int64_t k)
{
    if (s == NULL || k < 0 || s->every < 1)
        return NAN;
    return s->rate * pow(or_default(s->factor, 0.1), (double)(k / s->every));
}

double tp_multi_step_decay_rate(const tp_multi_step_decay *s, int64_t k)
{
    int passed = 0;
    if (s == NULL || k < 0 || (s->milestone == NULL && s->milestones > 0))
        return NAN;
    for (int i = 0; i < s->milestones; i++)
        passed += s->milestone[i] <= k;
    return s->rate * pow(or_default(s->factor, 0.1), passed);
}

double tp_exponential_decay_rate(const tp_exponential_decay *s, int64_t k)
{
    return s != NULL && k >= 0 ? s->rate * pow(s->factor, (double)k) : NAN;
}

double tp_polynomial_decay_rate(const tp_polynomial_decay *s, int64_t k)
{
    if (s == NULL || k < 0 || s->steps < 1)
        return NAN;
    return s->least + (s->rate - s->least) * pow(1 - fraction(k, s->steps), or_default(s->power, 1));
}

double tp_linear_change_rate(const tp_linear_change *s, int64_t k)
{
    if (s == NULL || k < 0 || s->steps < 1)
        return NAN;
    return s->rate * (s->first + (s->last - s->first) * fraction(k, s->steps));
}

double tp_cosine_decay_rate(const tp_cosine_decay *s, int64_t k)
{
    if (s == NULL || k < 0 || s->steps < 1)
        return NAN;
    return half_wave(s->rate, s->least, (double)k / (double)s->steps);
}

double tp_cosine_restarts_rate(const tp_cosine_restarts *s, int64_t k)
{
    if (s == NULL || k < 0 || s->steps < 1 || s->growth < 0)
        return NAN;
    int64_t length = s->steps;
    if (s->growth <= 1)
        k %= length;
    while (k >= length) {
        k -= length;
        length = length <= INT64_MAX / s->growth ? length * s->growth : INT64_MAX;
    }
    return half_wave(s->rate, s->least, (double)k / (double)length);
}

double tp_one_cycle_rate(const tp_one_cycle *s, int64_t k)
{
    if (s == NULL || k < 0 || s->steps < 1)
        return NAN;
    const double share = or_default(s->share, 0.3), steps = (double)s->steps, at = (double)k;
    const double first = s->rate / or_default(s->divisor, 25);
    const double level[4] = {first, s->rate, s->three_phases ? first : 0,
                             first / or_default(s->last_divisor, 1e4)};
    const double end[4] = {0, share * steps - 1, 2 * share * steps - 2, steps - 1};

    /* Without the middle phase its end and level are left out. */
    for (int i = 0; i < 3; i++) {
        const int to = i == 1 && !s->three_phases ? 3 : i + 1;
        if (at > end[to] && to < 3)
            continue;
        const double p = end[to] > end[i] && at < end[to] ? (at - end[i]) / (end[to] - end[i]) : 1;
        return s->linear ? level[i] + p * (level[to] - level[i]) : half_wave(level[i], level[to], p);
    }
    return level[3];
}

double tp_warm_up(double rate, int64_t k, int64_t steps)
{
    if (k < 0)
        return NAN;
    return k < steps ? rate * (((double)k + 1) / (double)steps) : rate;
}

/* ---- Plateau ----------------------------------------------------------------------------------------- */

static bool is_better(const tp_plateau *s, double metric)
{
    const double threshold = s->threshold.given ? s->threshold.value : 1e-4;
    if (!s->reported)
        return !isnan(metric) && metric != (s->maximise ? -HUGE_VAL : HUGE_VAL);
    if (s->maximise)
        return metric > (s->absolute ? s->best + threshold : s->best * (1 + threshold));
    return metric < (s->absolute ? s->best - threshold : s->best * (1 - threshold));
}

double tp_plateau_report(tp_plateau *s, double metric)
{
    if (s == NULL)
        return NAN;
    if (is_better(s, metric)) {
        s->reported = true;
        s->best = metric;
        s->bad = 0;
    } else {
        s->bad++;
    }
    if (s->cooling > 0) {
        s->cooling--;
        s->bad = 0;
    }
    if ((double)s->bad > (s->patience.given ? s->patience.value : 10)) {
        const double lower = fmax(s->rate * or_default(s->factor, 0.1), s->least);
        if (s->rate - lower > (s->epsilon.given ? s->epsilon.value : 1e-8))
            s->rate = lower;
        s->cooling = s->cooldown;
        s->bad = 0;
    }
    return s->rate;
}
