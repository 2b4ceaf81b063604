/* nearest.c -- the nearest row, by looking at all of them. */
#include "nearest.h"

#include <math.h>
#include <stddef.h>

double squared_distance(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

int nearest(const float *x, const float *rows, int count, int n)
{
    int best = 0;
    double least = HUGE_VAL;
    for (int k = 0; k < count; k++) {
        const double d = squared_distance(x, rows + (size_t)k * (size_t)n, n);
        if (d < least) {
            least = d;
            best = k;
        }
    }
    return best;
}
