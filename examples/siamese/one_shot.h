/* one_shot.h -- one drawing of each of several new characters is known: which of them is another drawing nearest to? */
#ifndef SIAMESE_ONE_SHOT_H
#define SIAMESE_ONE_SHOT_H

#include "characters.h"

/* Turns `count` images of side by side pixels into as many vectors of `width` numbers. */
typedef struct view_of {
    int width;
    bool (*describe)(void *user, const float *images, int count, int side, float *out);
    void *user;
} view_of;

/* Views without a network: pixels, whose distances are Euclidean; pixels of length 1, the order of whose distances is that of
 * their angles; the same after a mean over 5 by 5 pixels, with zeros around the image. */
bool describe_pixels(void *user, const float *images, int count, int side, float *out);
bool describe_directions(void *user, const float *images, int count, int side, float *out);
bool describe_blurred(void *user, const float *images, int count, int side, float *out);

/* Right answers, in per cent: in the random episodes of few and of many ways, and in the published runs. */
typedef struct scores {
    double few, many, runs;
} scores;

/* False when memory runs out, or a description fails. */
bool one_shot_scores(const characters *c, const view_of *v, scores *out);

#endif
