/* nearest.h -- distances between vectors of n numbers. */
#ifndef SIAMESE_NEAREST_H
#define SIAMESE_NEAREST_H

double squared_distance(const float *a, const float *b, int n);

/* Which of `count` rows is nearest to x? */
int nearest(const float *x, const float *rows, int count, int n);

#endif
