/* digits.h -- pictures made up: handwritten digits, enlarged, on textured backgrounds, with exact masks. */
#ifndef SEGMENTATION_DIGITS_H
#define SEGMENTATION_DIGITS_H

#include "pictures.h"

enum { DIGIT_SIDE = 8, DIGIT_INK = 16 };

/* Draws a digit, DIGIT_SIDE rows of as many numbers 0 (paper) to DIGIT_INK, into a picture and its mask, both of height by
 * width pixels: enlarged to size by size pixels, its upper left corner at (top, left); what is outside the picture is lost.
 *
 * Its ink is interpolated linearly between the centres of its pixels.  The mask becomes 1 where there is at least half of the
 * most ink.  The picture goes over into `grey` around that edge, and is nearer to `grey` than to what it was before
 * exactly where the mask is 1 (half way on the edge itself). */
void digits_draw(const uint8_t *digit, double top, double left, double size, float grey, int height,
                 int width, float *picture, float *mask);

/* Makes `count` pictures of side by side pixels, prepared, with one to three of the digits number first ... end - 1 of the
 * IDX file in each.  Lighter or darker than a background of slanting light, stripes and noise.  The same numbers and seed give the
 * same pictures.  False after a message on stderr. */
bool digits_make(pictures *p, const char *file, int first, int end, int count, int side, uint64_t seed);

#endif
