/* regions.h -- the regions of a segmentation: what its losses sum over, one r for each. */
#ifndef TAPIR_LOSSES_REGIONS_H
#define TAPIR_LOSSES_REGIONS_H

#include "common.h"

typedef struct tp__regions {
    tp_axes axes; /* the axes within a region */
    int64_t size; /* elements of a region, at least 1 so that a mean may divide by it */
} tp__regions;

/* Axis 0 goes through samples, axis 1 through classes; false after an error, which calls x by its name. */
bool tp__regions_of(tp__regions *regions, tp_tensor x, const char *name, bool per_sample, bool per_class);

#endif
