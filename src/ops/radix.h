/* radix.h -- numbers as unsigned keys in the same order, and stable sorts of such keys.
 *
 * Sorting is least-significant-digit radix sort (Knuth, The Art of Computer Programming 3, 5.2.5), insertion sort for few.
 */
#ifndef TAPIR_SRC_OPS_RADIX_H
#define TAPIR_SRC_OPS_RADIX_H

#include <tapir/op.h>
#include <tapir/scalar.h>

/* ---- Keys ------------------------------------------------------------------------------------------ *
 *
 * Keys compare as their numbers do, in descending order with `flip` all ones instead of 0.  Both zeros have one key; a NaN
 * has the largest, whatever the order. */

static inline uint32_t tp__key_f32(float x, uint32_t flip)
{
    const uint32_t bits = tp__bits_f32(x + 0.0f); /* which makes -0 0 */
    const uint32_t turned = (uint32_t) - (int32_t)(bits >> 31) | (uint32_t)1 << 31;
    return x != x ? UINT32_MAX : bits ^ turned ^ flip;
}

static inline uint64_t tp__key_f64(double x, uint64_t flip)
{
    const uint64_t bits = tp__bits_f64(x + 0.0);
    const uint64_t turned = (uint64_t) - (int64_t)(bits >> 63) | (uint64_t)1 << 63;
    return x != x ? UINT64_MAX : bits ^ turned ^ flip;
}

static inline uint32_t tp__key_i32(int32_t x, uint32_t flip)
{
    return (uint32_t)x ^ (uint32_t)1 << 31 ^ flip;
}

/* ---- Sorting --------------------------------------------------------------------------------------- */

/* y = the n elements of x in order: values alone.  Scratch for two keys for each of them. */
void tp__sort_values(tp_dtype dtype, int64_t n, bool descending, const void *x, void *y, void *scratch);

/* Sorts n keys, of which `other` has room for as many, by their bits 32 to 63: equal ones stay in their order, whatever the
 * bits below.  Returns which of the two has them in order. */
uint64_t *tp__sort_pairs(int64_t n, uint64_t *key, uint64_t *other);

#endif
