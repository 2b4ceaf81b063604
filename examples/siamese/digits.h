/* digits.h -- the tour with images of a few classes, from IDX files. */
#ifndef SIAMESE_DIGITS_H
#define SIAMESE_DIGITS_H

#include "settings.h"

/* Trains, asks and tells; false after an error, or when the gradient is wrong. */
bool digits_tour(const settings *o);

#endif
