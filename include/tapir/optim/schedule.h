/* tapir/optim/schedule.h -- learning-rate schedules: plain functions from the number of a step to a rate.
 *
 * A schedule is a struct that you fill, and a function of it and of the step k = 0, 1, 2, ...; nothing is kept between calls
 * (but for the plateau), so training may start again anywhere:
 *
 *     const tp_cosine_decay decay = {.rate = 0.1, .steps = 1000};
 *     for (int64_t k = 0; k < 1000; k++) {
 *         tp_set_rate(adam.rate, tp_warm_up(tp_cosine_decay_rate(&decay, k), k, 50));
 *         tp_run(train);
 *     }
 *
 * A field of 0 means its default where one is named, else 0.  Senseless arguments (NULL, a negative step, no steps where some
 * are needed) give NaN, which tp_set_rate refuses.  Schedules are PyTorch's of the same names unless said otherwise.
 */
#ifndef TAPIR_OPTIM_SCHEDULE_H
#define TAPIR_OPTIM_SCHEDULE_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* rate * factor^floor(k / every) */
typedef struct tp_step_decay {
    double rate;
    int64_t every; /* >= 1 */
    double factor; /* default: 0.1 */
} tp_step_decay;
TP_API double tp_step_decay_rate(const tp_step_decay *s, int64_t k);

/* rate * factor^(how many milestones are <= k); the milestones may have any order. */
typedef struct tp_multi_step_decay {
    double rate;
    const int64_t *milestone;
    int milestones;
    double factor; /* default: 0.1 */
} tp_multi_step_decay;
TP_API double tp_multi_step_decay_rate(const tp_multi_step_decay *s, int64_t k);

/* rate * factor^k */
typedef struct tp_exponential_decay {
    double rate;
    double factor;
} tp_exponential_decay;
TP_API double tp_exponential_decay_rate(const tp_exponential_decay *s, int64_t k);

/* least + (rate - least) (1 - min(k, steps) / steps)^power; power 1 is linear decay. */
typedef struct tp_polynomial_decay {
    double rate;
    int64_t steps; /* >= 1 */
    double power;  /* default: 1 */
    double least;
} tp_polynomial_decay;
TP_API double tp_polynomial_decay_rate(const tp_polynomial_decay *s, int64_t k);

/* rate * (first + (last - first) min(k, steps) / steps): from one multiple of the rate to another. */
typedef struct tp_linear_change {
    double rate;
    double first, last;
    int64_t steps; /* >= 1 */
} tp_linear_change;
TP_API double tp_linear_change_rate(const tp_linear_change *s, int64_t k);

/* least + (rate - least) (1 + cos(pi k / steps)) / 2, which rises again beyond `steps`.  (Loshchilov and Hutter, "SGDR:
 * Stochastic Gradient Descent with Warm Restarts", 2017.) */
typedef struct tp_cosine_decay {
    double rate;
    int64_t steps; /* >= 1 */
    double least;
} tp_cosine_decay;
TP_API double tp_cosine_decay_rate(const tp_cosine_decay *s, int64_t k);

/* The same with warm restarts: in cycles of T = steps, steps * growth, steps * growth^2, ... steps each, at position j of one
 * least + (rate - least) (1 + cos(pi j / T)) / 2. */
typedef struct tp_cosine_restarts {
    double rate;
    int64_t steps;  /* of the first cycle, >= 1 */
    int64_t growth; /* >= 1; default: 1 */
    double least;
} tp_cosine_restarts;
TP_API double tp_cosine_restarts_rate(const tp_cosine_restarts *s, int64_t k);

/* One cycle over `steps` steps: from rate / divisor up to rate, then down to rate / divisor / last_divisor; with
 * three_phases down to rate / divisor in between.  The way up ends at step share * steps - 1, the middle phase at
 * 2 share * steps - 2, the last phase at steps - 1; beyond, the rate stays.  In each phase the rate follows half a cosine
 * wave, or a line.  (Smith and Topin, "Super-Convergence", 2018.) */
typedef struct tp_one_cycle {
    double rate;         /* the largest */
    int64_t steps;       /* >= 1 */
    double share;        /* of the way up, in (0, 1); default: 0.3 */
    double divisor;      /* default: 25 */
    double last_divisor; /* default: 1e4 */
    bool linear;
    bool three_phases;
} tp_one_cycle;
TP_API double tp_one_cycle_rate(const tp_one_cycle *s, int64_t k);

/* A linear start for any schedule: rate * min(1, (k + 1) / steps).  (Goyal et al., "Accurate, Large Minibatch SGD", 2017.) */
TP_API double tp_warm_up(double rate, int64_t k, int64_t steps);

/* Lowers the rate when a metric has stopped to improve.  `patience` bad reports in a row are suffered, at the next one the rate
 * becomes max(rate * factor, least), if that is more than `epsilon` less.  A report is good when the metric is better than
 * the best so far by the threshold:
 *
 *     metric < best (1 - threshold),  with .absolute: metric < best - threshold
 *     with .maximise: metric > best (1 + threshold),  or: metric > best + threshold
 *
 * A NaN is never good.  After a change the next `cooldown` reports are not counted as bad.
 *
 *     tp_plateau plateau = {.rate = 0.1};
 *     ...
 *     tp_set_rate(adam.rate, tp_plateau_report(&plateau, validation_loss));
 */
typedef struct tp_plateau {
    double rate;                  /* the present rate: set it at the start */
    double factor;                /* default: 0.1 */
    tp_optional_number patience;  /* default: 10 */
    tp_optional_number threshold; /* default: 1e-4 */
    tp_optional_number epsilon;   /* default: 1e-8 */
    bool maximise, absolute;
    int64_t cooldown;
    double least;
    /* What was seen so far; zero at the start. */
    bool reported;
    double best;
    int64_t bad, cooling;
} tp_plateau;

/* Takes a metric and returns the rate from now on; NaN for NULL. */
TP_API double tp_plateau_report(tp_plateau *s, double metric);

#ifdef __cplusplus
}
#endif

#endif
