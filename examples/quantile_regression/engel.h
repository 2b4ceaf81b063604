/* engel.h -- the table in engel.c. */
#ifndef TAPIR_EXAMPLES_QUANTILE_REGRESSION_ENGEL_H
#define TAPIR_EXAMPLES_QUANTILE_REGRESSION_ENGEL_H

enum { ENGEL_HOUSEHOLDS = 235 };

/* A household a row: income and expenditure on food, in francs a year. */
extern const float engel[ENGEL_HOUSEHOLDS][2];

#endif
