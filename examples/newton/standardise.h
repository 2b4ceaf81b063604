/* standardise.h -- features of mean 0 and deviation 1. */
#ifndef STANDARDISE_H
#define STANDARDISE_H

/* Every column of x[rows][columns] but the first, which is the constant 1.  mean[j] and deviation[j], unless NULL, become what
 * the column had. */
void standardise(double *x, int rows, int columns, double *mean, double *deviation);

#endif
