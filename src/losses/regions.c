/* regions.c -- the regions of a segmentation. */
#include "regions.h"

bool tp__regions_of(tp__regions *regions, tp_tensor x, const char *name, bool per_sample, bool per_class)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    *regions = (tp__regions){.size = 1};
    if (shape.rank < (per_class ? 2 : per_sample)) {
        tp_fail(x, TP_BAD_SHAPE, "the %s is %s, but must be %s", name,
                tp_describe(tp_dtype_of(x), &shape, text), per_class ? "[N, C, ...]" : "[N, ...]");
        return false;
    }
    for (int d = 0; d < shape.rank; d++) {
        if ((d == 0 && per_sample) || (d == 1 && per_class))
            continue;
        regions->axes.axis[regions->axes.n++] = d;
        regions->size *= shape.dim[d];
    }
    regions->size += regions->size == 0;
    return true;
}
