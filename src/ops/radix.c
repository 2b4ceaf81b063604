/* radix.c -- sorts of values, and of pairs of a key and something else. */
#include "radix.h"

#include <string.h>

/* Measured for random keys: up to FEW keys insertion is fastest; digits of 8 bits pay while counting dominates; longer
 * digits save passes. */
enum { FEW = 40, MANY = 768, SHORT_DIGIT = 8, LONG_DIGIT = 11 };

/* Turns counts into where each digit's keys start. */
static void find_starts(int bits, uint32_t *count)
{
    uint32_t start = 0;
    for (int d = 0; d < 1 << bits; d++) {
        const uint32_t here = count[d];
        count[d] = start;
        start += here;
    }
}

/* ---- Keys of 32 bits ------------------------------------------------------------------------------- */

static void insert_32(int64_t n, uint32_t *key)
{
    for (int64_t i = 1; i < n; i++) {
        const uint32_t k = key[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] > k; j--)
            key[j] = key[j - 1];
        key[j] = k;
    }
}

/* `bits` is given as a constant.  All digits are counted in one pass over the keys. */
static inline uint32_t *radix_32(int bits, int64_t n, uint32_t *key, uint32_t *other)
{
    const uint32_t mask = ((uint32_t)1 << bits) - 1;
    const int digits = (32 + bits - 1) / bits;
    uint32_t count[3 << LONG_DIGIT]; /* as many as 4 << SHORT_DIGIT, and more */

    memset(count, 0, sizeof *count * ((size_t)digits << bits));
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < digits; d++)
            count[((uint32_t)d << bits) + (key[i] >> d * bits & mask)]++;
    for (int d = 0; d < digits; d++) {
        uint32_t *next = count + (d << bits), *sorted = other;
        if ((int64_t)next[key[0] >> d * bits & mask] == n)
            continue; /* all keys have this digit */
        find_starts(bits, next);
        for (int64_t i = 0; i < n; i++)
            sorted[next[key[i] >> d * bits & mask]++] = key[i];
        other = key;
        key = sorted;
    }
    return key;
}

/* Returns where the keys are in order: in `key` or in `other`. */
static const uint32_t *sort_32(int64_t n, uint32_t *key, uint32_t *other)
{
    if (n > FEW)
        return n < MANY ? radix_32(SHORT_DIGIT, n, key, other) : radix_32(LONG_DIGIT, n, key, other);
    insert_32(n, key);
    return key;
}

static void sort_i32(int64_t n, uint32_t flip, const int32_t *x, int32_t *y, uint32_t *key)
{
    for (int64_t i = 0; i < n; i++)
        key[i] = tp__key_i32(x[i], flip);
    const uint32_t *sorted = sort_32(n, key, key + n);
    for (int64_t i = 0; i < n; i++)
        y[i] = (int32_t)((int64_t)(sorted[i] ^ flip) + INT32_MIN);
}

TP_INSTRUCTION_SETS
static void keys_of_f32(int64_t n, uint32_t flip, const float *x, uint32_t *key)
{
    for (int64_t i = 0; i < n; i++)
        key[i] = tp__key_f32(x[i], flip);
}

/* Zeros of either sign have one key, and come out as +0.  Their signs are written again, in the order of x. */
static void restore_zeros_f32(int64_t n, uint32_t zero, const uint32_t *sorted, const float *x, float *y)
{
    int64_t at = 0, end = n; /* the first zero is in at .. end */
    while (at < end) {
        const int64_t middle = at + (end - at) / 2;
        if (sorted[middle] < zero)
            at = middle + 1;
        else
            end = middle;
    }
    for (int64_t i = 0; at < n && sorted[at] == zero; i++)
        if (x[i] == 0)
            y[at++] = x[i];
}

static void sort_f32(int64_t n, uint32_t flip, const float *x, float *y, uint32_t *key)
{
    const uint32_t sign = (uint32_t)1 << 31;

    keys_of_f32(n, flip, x, key);
    const uint32_t *sorted = sort_32(n, key, key + n);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t k = sorted[i] ^ flip;
        y[i] = tp__from_bits_f32(k ^ (((k >> 31) - 1) | sign));
    }
    restore_zeros_f32(n, sign ^ flip, sorted, x, y);
}

/* ---- Values of 64 bits, and pairs ------------------------------------------------------------------ */

static void insert_64(int64_t n, uint64_t *key, int low)
{
    for (int64_t i = 1; i < n; i++) {
        const uint64_t k = key[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] >> low > k >> low; j--)
            key[j] = key[j - 1];
        key[j] = k;
    }
}

/* By the bits from `low` on. */
static uint64_t *sort_64(int64_t n, uint64_t *key, uint64_t *other, int low)
{
    const int bits = n < MANY ? SHORT_DIGIT : LONG_DIGIT;
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint32_t count[1 << LONG_DIGIT];

    if (n <= FEW) {
        insert_64(n, key, low);
        return key;
    }
    for (int shift = low; shift < 64; shift += bits) {
        memset(count, 0, sizeof *count << bits);
        for (int64_t i = 0; i < n; i++)
            count[key[i] >> shift & mask]++;
        if ((int64_t)count[key[0] >> shift & mask] == n)
            continue;
        find_starts(bits, count);
        for (int64_t i = 0; i < n; i++)
            other[count[key[i] >> shift & mask]++] = key[i];
        uint64_t *sorted = other;
        other = key;
        key = sorted;
    }
    return key;
}

uint64_t *tp__sort_pairs(int64_t n, uint64_t *key, uint64_t *other)
{
    return sort_64(n, key, other, 32);
}

static void restore_zeros_f64(int64_t n, uint64_t zero, const uint64_t *sorted, const double *x, double *y)
{
    int64_t at = 0, end = n;
    while (at < end) {
        const int64_t middle = at + (end - at) / 2;
        if (sorted[middle] < zero)
            at = middle + 1;
        else
            end = middle;
    }
    for (int64_t i = 0; at < n && sorted[at] == zero; i++)
        if (x[i] == 0)
            y[at++] = x[i];
}

static void sort_f64(int64_t n, uint64_t flip, const double *x, double *y, uint64_t *key)
{
    const uint64_t sign = (uint64_t)1 << 63;

    for (int64_t i = 0; i < n; i++)
        key[i] = tp__key_f64(x[i], flip);
    const uint64_t *sorted = sort_64(n, key, key + n, 0);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t k = sorted[i] ^ flip;
        y[i] = tp__from_bits_f64(k ^ (((k >> 63) - 1) | sign));
    }
    restore_zeros_f64(n, sign ^ flip, sorted, x, y);
}

void tp__sort_values(tp_dtype dtype, int64_t n, bool descending, const void *x, void *y, void *scratch)
{
    if (dtype == TP_F32)
        sort_f32(n, descending ? UINT32_MAX : 0, x, y, scratch);
    else if (dtype == TP_F64)
        sort_f64(n, descending ? UINT64_MAX : 0, x, y, scratch);
    else
        sort_i32(n, descending ? UINT32_MAX : 0, x, y, scratch);
}
