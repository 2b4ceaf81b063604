/* difference.h -- the slope of a function of one number from its values alone, with an error bar. */
#ifndef TAPIR_SRC_DIFFERENCE_H
#define TAPIR_SRC_DIFFERENCE_H

#include <stdbool.h>

/* The function at one step. */
typedef struct tp__sample {
    double t;    /* the step really taken, after rounding */
    double f;    /* f(t) - f(0); NaN or infinite outside the domain */
    double size; /* sum of the magnitudes that f(t) was added up from, but for those that are the same at 0 */
    double base; /* the same for f(0) */
} tp__sample;

typedef struct tp__curve {
    /* Fills *s for a step of about t.  False: give up (out of memory). */
    bool (*sample)(void *user, double t, tp__sample *s);
    void *user;
    double scale;     /* a natural size of steps, > 0: the size of what is varied */
    double epsilon;   /* of the arithmetic: DBL_EPSILON or FLT_EPSILON */
    double magnitude; /* f(0) may be off by this times epsilon, since it was computed with larger numbers */
} tp__curve;

/* When an estimate is good enough to stop: the expected slope was met, and the error bar is small. */
typedef struct tp__goal {
    double expected; /* NaN: never stop early */
    double relative; /* error bar and distance, relative to |expected| */
    double absolute; /* error bar */
} tp__goal;

typedef struct tp__slope {
    double low, high; /* the slopes of both sides, or both the slope where it is smooth */
    double bar;       /* the true values are within this; infinite: no estimate */
    double doubt;     /* a kink of this half width could hide in the noise of the one-sided slopes */
    double step;      /* the smallest that the estimate is made of */
    double rise;      /* the largest change of f by steps up to the scale */
    int samples;      /* spent */
} tp__slope;

/* False when `sample` gave up. */
bool tp__slope_at_zero(const tp__curve *curve, tp__goal goal, tp__slope *slope);

#endif
