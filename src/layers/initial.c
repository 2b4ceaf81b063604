/* initial.c -- first values of parameters, from a seed. */
#include "initial.h"

#include <math.h>
#include <tapir/op.h>

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t mixed(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static const uint64_t GOLDEN = UINT64_C(0x9E3779B97F4A7C15);

/* Number i of a stream, in (0, 1). */
static double uniform(uint64_t stream, uint64_t i)
{
    return ((double)(mixed(stream + (i + 1) * GOLDEN) >> 12) + 0.5) * 0x1p-52;
}

/* By Box and Muller, each number of two uniform ones. */
static double normal(uint64_t stream, uint64_t i)
{
    const double turn = 6.283185307179586 * uniform(stream, 2 * i + 1);
    return sqrt(-2 * log(uniform(stream, 2 * i))) * cos(turn);
}

/* The half-width of a uniform distribution or the deviation of a normal one. */
static double width_of(tp_tensor leaf, tp_initial initial)
{
    const tp_shape s = tp_shape_of(leaf);
    const double count = (double)tp_count_of(leaf), in = s.rank < 2 ? count : count / (double)s.dim[0],
                 out = s.rank < 2 ? count : count / (double)s.dim[1];
    switch (initial) {
    case TP_KAIMING_UNIFORM: return sqrt(6 / in);
    case TP_KAIMING_NORMAL: return sqrt(2 / in);
    case TP_XAVIER_UNIFORM: return sqrt(6 / (in + out));
    case TP_XAVIER_NORMAL: return sqrt(2 / (in + out));
    case TP_ZEROS:
    case TP_ONES: break;
    }
    return 0;
}

bool tp__fill_initial(tp_tensor leaf, tp_initial initial, uint64_t seed, uint64_t number)
{
    const uint64_t stream = mixed(seed + GOLDEN) ^ mixed((number + 1) * GOLDEN);
    const bool is_normal = initial == TP_KAIMING_NORMAL || initial == TP_XAVIER_NORMAL;
    const tp_dtype dtype = tp_dtype_of(leaf);

    if (initial < TP_KAIMING_UNIFORM || initial > TP_ONES) {
        tp_fail(leaf, TP_BAD_ARGUMENT, "there are no first values of kind %d", (int)initial);
        return false;
    }
    const double width = width_of(leaf, initial), constant = initial == TP_ONES ? 1 : 0;
    void *data = tp_leaf_data(leaf, dtype);
    for (int64_t i = 0; data != NULL && i < tp_count_of(leaf); i++) {
        const uint64_t k = (uint64_t)i;
        const double value = width == 0  ? constant
                             : is_normal ? width * normal(stream, k)
                                         : width * (2 * uniform(stream, k) - 1);
        if (dtype == TP_F32)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
    }
    return data != NULL;
}
