/* quine.h -- the table in quine.c. */
#ifndef TAPIR_EXAMPLES_POISSON_REGRESSION_QUINE_H
#define TAPIR_EXAMPLES_POISSON_REGRESSION_QUINE_H

enum { QUINE_CHILDREN = 146, QUINE_COLUMNS = 6 };

/* A child a row: not Aboriginal? boy? age group F1? F2? F3? slow learner? (1 for yes); days absent. */
extern const float quine[QUINE_CHILDREN][QUINE_COLUMNS + 1];

#endif
