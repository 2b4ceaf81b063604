/* random.h -- the random numbers of the example: the same on every machine for the same seed. */
#ifndef SIAMESE_RANDOM_H
#define SIAMESE_RANDOM_H

#include <stdint.h>

typedef struct random_state {
    uint64_t state;
} random_state;

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
static inline uint64_t random_bits(random_state *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In [0, 1). */
static inline double random_unit(random_state *r)
{
    return (double)(random_bits(r) >> 11) * 0x1p-53;
}

/* In [-size, size). */
static inline double random_between(random_state *r, double size)
{
    return (2 * random_unit(r) - 1) * size;
}

/* 0 ... n - 1; the bias of the remainder is below 2^-50 here. */
static inline int random_below(random_state *r, int n)
{
    return (int)(random_bits(r) % (uint64_t)n);
}

#endif
