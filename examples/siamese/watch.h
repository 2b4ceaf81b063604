/* watch.h -- what a training run shows and leaves behind: a line of progress, and a file of losses. */
#ifndef SIAMESE_WATCH_H
#define SIAMESE_WATCH_H

#include <stdbool.h>

typedef struct watch {
    int steps, step;
    double *loss; /* of each step */
    double started, shown;
    bool terminal;
} watch;

bool watch_start(watch *w, int steps);

/* After each step.  Shows a line now and then if stdout is a terminal. */
void watch_step(watch *w, double loss);

/* Clears the line.  Returns the seconds since the start. */
double watch_stop(watch *w);

/* The mean loss of the last `steps` steps. */
double watch_recent(const watch *w, int steps);

/* Writes "step,loss" lines: to a new file beside `path`, which then takes its place, so that `path` is never half
 * written.  False after a message on stderr. */
bool watch_write(const watch *w, const char *path);

void watch_free(watch *w);

#endif
