/* train.c -- a monitored run of training steps. */
#include "train.h"

#include <stdio.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool check_gradient(const lesson *l, const model *m)
{
    tp_check_report report;

    l->fill(l->user, m);
    const bool passed = model_check(m, &report);
    printf("1. Is the gradient of the %s loss right?  verdict: %s\n   (%s)\n\n", loss_name(m->o.loss),
           tp_verdict_name(report.verdict), report.message);
    return passed;
}

static double mean_loss(const tp_monitor *monitor, int64_t from, int64_t to)
{
    double sum = 0;
    for (int64_t k = from; k < to; k++)
        sum += tp_monitor_value(monitor, k, 0);
    return sum / (double)(to - from);
}

bool train(const lesson *l, const model *m)
{
    const tp_cosine_decay decay = {.rate = l->rate, .steps = l->steps};
    const double start = seconds();
    tp_monitor *monitor = tp_monitor_create(&(tp_named){"loss", m->loss}, 1,
                                            &(tp_monitor_options){.steps = l->steps, .csv = l->csv});
    bool fine = monitor != NULL;

    for (int k = 0; k < l->steps && fine; k++) {
        l->fill(l->user, m);
        tp_set_rate(m->adam.rate, l->decays ? tp_cosine_decay_rate(&decay, k) : l->rate);
        fine = tp_monitor_run(monitor, m->train);
    }
    if (fine) {
        const int64_t n = l->steps, few = n < 100 ? n : 100;
        printf(
            "2. Trained: %d steps of %d images in %.1f s.  Mean loss of the first and last hundred steps: %.4f, "
            "%.4f.\n",
            l->steps, m->images, seconds() - start, mean_loss(monitor, 0, few),
            mean_loss(monitor, n - few, n));
        if (m->o.loss == ALL_TRIPLETS)
            printf("   (It is a mean over the triplets that are not right yet, and need not fall.)\n");
        if (l->csv != NULL)
            printf("   The loss of every step is in %s.\n", l->csv);
        printf("\n");
    } else
        fprintf(stderr, "%s\n", tp_monitor_message(monitor));
    return tp_monitor_destroy(monitor) == TP_OK && fine;
}
