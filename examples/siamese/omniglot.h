/* omniglot.h -- the tour with Omniglot. */
#ifndef SIAMESE_OMNIGLOT_H
#define SIAMESE_OMNIGLOT_H

#include "settings.h"

/* Trains on the background characters, asks about the others, and tells; false after an error, when the gradient is wrong, or
 * when what was trained as usual falls short of 85 % of 20 ways and 80 % of the published runs. */
bool omniglot_tour(const settings *o);

#endif
