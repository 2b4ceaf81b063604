/* standardise.c -- features of mean 0 and deviation 1. */
#include "standardise.h"

#include <math.h>
#include <stddef.h>

void standardise(double *x, int rows, int columns, double *mean, double *deviation)
{
    for (int j = 1; j < columns; j++) {
        double sum = 0, square = 0;
        for (int i = 0; i < rows; i++)
            sum += x[i * columns + j] / rows;
        for (int i = 0; i < rows; i++)
            square += pow(x[i * columns + j] - sum, 2) / rows;
        for (int i = 0; i < rows; i++)
            x[i * columns + j] = (x[i * columns + j] - sum) / sqrt(square);
        if (mean != NULL)
            mean[j] = sum;
        if (deviation != NULL)
            deviation[j] = sqrt(square);
    }
}
