/* pictures.h -- pictures with masks: from .npy files, and what a network is given of them. */
#ifndef SEGMENTATION_PICTURES_H
#define SEGMENTATION_PICTURES_H

#include <stdbool.h>
#include <stdint.h>

/* Grey pictures, one after another, and what they show: a mask is 1 on the objects and 0 elsewhere. */
typedef struct pictures {
    int count, height, width; /* height and width are multiples of 4: the networks halve them twice */
    float *image;             /* [count, height, width] */
    float *mask;              /* the same */
    float *half;              /* masks in half the size, [count, height / 2, width / 2] */
} pictures;

/* Zeros.  False, and nothing to free, when memory runs out. */
bool pictures_create(pictures *p, int count, int height, int width);
void pictures_free(pictures *p);

/* Reads DIRECTORY/PART_images.npy, u8 [n, 1, height, width], and DIRECTORY/PART_masks.npy, u8 [n, height, width] of 0 and 1.
 * False after a message on stderr. */
bool pictures_load(pictures *p, const char *directory, const char *part);

/* What remains to be done with pictures and masks: every picture is standardised by its own mean and deviation (a picture of
 * one grey becomes zeros), and the masks are halved: 1 where at least two of the four pixels are. */
void pictures_prepare(pictures *p);

/* Exchanges left and right, or up and down, or both, in `count` images of the same size. */
void mirror(float *image, int64_t count, int64_t height, int64_t width, bool sideways, bool upside_down);

#endif
