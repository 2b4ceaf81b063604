/* diabetes.h -- the table in diabetes.c. */
#ifndef TAPIR_EXAMPLES_NEWTON_DIABETES_H
#define TAPIR_EXAMPLES_NEWTON_DIABETES_H

enum { DIABETES_PEOPLE = 442, DIABETES_COLUMNS = 10 };

/* A person a row: ten measurements, and in the last column the number to predict. */
extern const float diabetes[DIABETES_PEOPLE][DIABETES_COLUMNS + 1];

#endif
