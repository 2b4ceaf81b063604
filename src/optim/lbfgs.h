/* lbfgs.h -- what L-BFGS and its line search share. */
#ifndef TAPIR_OPTIM_LBFGS_PRIVATE_H
#define TAPIR_OPTIM_LBFGS_PRIVATE_H

#include <tapir/optim/lbfgs.h>

/* A point on the line x + t d. */
typedef struct tp__point {
    double t, loss, slope; /* slope: g.d */
    double *g;
} tp__point;

/* Sets x + t d, runs, and fills the point but for its memory `g`. */
typedef tp_status (*tp__evaluator)(void *user, tp__point *at);

typedef struct tp__search {
    tp__evaluator evaluate;
    void *user;
    double longest;          /* largest |d| */
    double change_tolerance; /* brackets smaller than this are left alone */
    double *row[3];          /* memory for gradients */
} tp__search;

/* From `start` (t = 0), trying `t` first: a point that fulfils the strong Wolfe conditions, or the best that was found.  Its g
 * is one of the rows, or start's.  Returns what a failed evaluation returned. */
tp_status tp__strong_wolfe(tp__search *search, tp__point start, double t, tp__point *found);

#endif
