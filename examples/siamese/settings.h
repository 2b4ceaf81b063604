/* settings.h -- what the command line says. */
#ifndef SIAMESE_SETTINGS_H
#define SIAMESE_SETTINGS_H

#include "model.h"

typedef struct settings {
    bool has_net, has_loss; /* given; else whatever suits the data */
    net_kind net;
    loss_kind loss;
    int steps; /* 0: as many as suit the data */
    uint64_t seed;
    const char *data, *csv; /* csv may be NULL */
} settings;

#endif
