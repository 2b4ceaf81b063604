/* initial.h -- first values of parameters. */
#ifndef TAPIR_SRC_LAYERS_INITIAL_H
#define TAPIR_SRC_LAYERS_INITIAL_H

#include <tapir/layers.h>

/* Fills the leaf, number `number` of its collection; false after storing the error. */
bool tp__fill_initial(tp_tensor leaf, tp_initial initial, uint64_t seed, uint64_t number);

#endif
