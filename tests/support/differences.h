/* differences.h -- derivatives of a recorded loss against central differences, for tests.
 *
 * Independent of the library's own checker.  Central differences at three steps, each half of the one before, are
 * extrapolated (Richardson), which leaves an error of about step^6.
 */
#ifndef TAPIR_TESTS_DIFFERENCES_H
#define TAPIR_TESTS_DIFFERENCES_H

#include "values.h"

enum { DIFFERENCES_MAX_LEAVES = 8 };

typedef struct differences {
    const char *what; /* for messages */
    tp_tensor loss;   /* one element, f64 */
    const tp_tensor *leaf;
    int n;            /* leaves that get a gradient: parameters or inputs, f64 */
    double step;      /* the largest change of an element; 0: 0.004 */
    double tolerance; /* relative to max(1, |derivative|); 0: 1e-7 */
    uint64_t seed;    /* of directions */
} differences;

/* Every partial derivative. */
void check_first_order(const differences *d);

/* The derivative in one random direction: for losses with many inputs. */
void check_one_direction(const differences *d);

/* The Hessian times one random direction: recorded, and as the change of the recorded gradient. */
void check_second_order(const differences *d);

/* The same without failing: the worst error over all elements, divided by max(1, |derivative|).  Tries also smaller
 * steps and returns the best, so that a kink nearby does no harm.  order is 1 (in one direction) or 2. */
double worst_error(const differences *d, int order);

#endif
