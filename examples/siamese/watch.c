/* watch.c -- progress and history. */
#define _POSIX_C_SOURCE 200809L
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool watch_start(watch *w, int steps)
{
    *w = (watch){.steps = steps,
                 .loss = malloc(((size_t)steps + 1) * sizeof *w->loss),
                 .started = now(),
                 .terminal = isatty(STDOUT_FILENO) == 1};
    return w->loss != NULL;
}

double watch_recent(const watch *w, int steps)
{
    double sum = 0;
    const int n = steps < w->step ? steps : w->step;
    for (int k = w->step - n; k < w->step; k++)
        sum += w->loss[k];
    return n > 0 ? sum / n : 0;
}

void watch_step(watch *w, double loss)
{
    const double time = now(), spent = time - w->started;

    w->loss[w->step++] = loss;
    if (!w->terminal || time - w->shown < 0.1)
        return;
    w->shown = time;
    const double rate = w->step / (spent > 0 ? spent : 1e-9);
    printf("\r   step %d of %d   loss %.4f   %.0f steps/s   %.0f s to go \033[K", w->step, w->steps,
           watch_recent(w, 100), rate, (w->steps - w->step) / rate);
    fflush(stdout);
}

double watch_stop(watch *w)
{
    if (w->terminal)
        printf("\r\033[K");
    return now() - w->started;
}

static bool write_lines(const watch *w, FILE *file)
{
    bool fine = fprintf(file, "step,loss\n") > 0;
    for (int k = 0; k < w->step && fine; k++)
        fine = fprintf(file, "%d,%.9g\n", k + 1, w->loss[k]) > 0;
    return fflush(file) == 0 && fsync(fileno(file)) == 0 && fine;
}

bool watch_write(const watch *w, const char *path)
{
    char temporary[1024];
    const int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    const int descriptor = length < (int)sizeof temporary ? mkstemp(temporary) : -1;
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;

    bool fine = file != NULL && write_lines(w, file);
    if (file != NULL)
        fine = fclose(file) == 0 && fine;
    fine = fine && rename(temporary, path) == 0;
    if (!fine) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (descriptor >= 0)
            unlink(temporary);
    }
    return fine;
}

void watch_free(watch *w)
{
    free(w->loss);
    *w = (watch){0};
}
