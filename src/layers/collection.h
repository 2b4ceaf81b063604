/* collection.h -- what the layers see of a collection. */
#ifndef TAPIR_SRC_LAYERS_COLLECTION_H
#define TAPIR_SRC_LAYERS_COLLECTION_H

#include <tapir/layers.h>

enum { TP__NAME_MAX = 240 }; /* bytes of a name, with its end */

/* A leaf called NAME or, unless `part` is NULL, NAME.part.  A statistic is not trained. */
tp_tensor tp__collection_add(tp_collection *c, const char *name, const char *part, tp_shape shape,
                             tp_initial initial, bool is_statistic);

/* What batch normalization goes by: a leaf, or else the flag. */
tp_tensor tp__collection_training(const tp_collection *c, bool *evaluate);

/* A statistic's value after what was applied so far: its leaf, or what will be assigned to it.  And a new such value. */
tp_tensor tp__collection_value(const tp_collection *c, tp_tensor leaf);
void tp__collection_move(tp_collection *c, tp_tensor leaf, tp_tensor value);

#endif
