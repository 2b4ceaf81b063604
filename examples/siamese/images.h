/* images.h -- labelled images from IDX files, and how one is shown: moved, and in one of eight orientations. */
#ifndef SIAMESE_IMAGES_H
#define SIAMESE_IMAGES_H

#include <tapir/tapir.h>

#include "random.h"

enum { MOST_CLASSES = 16, ORIENTATIONS = 8 };

typedef struct images {
    tp_idx image, label; /* as read */
    int count, rows, columns, pixels;
    int classes;
    int *of_class[MOST_CLASSES]; /* indices of each class's images */
    int in_class[MOST_CLASSES];
    double brightest;
} images;

/* Reads DIRECTORY/PART-images-idx3-ubyte and ...-labels-idx1-ubyte, or the same with .gz.  False after a message on
 * stderr. */
bool images_load(images *set, const char *directory, const char *part);
bool images_exist(const char *directory, const char *part);
void images_free(images *set);

/* Where an image is shown: moved by (x, y) pixels, and turned or mirrored, one of ORIENTATIONS. */
typedef struct view {
    double x, y;
    int orientation;
} view;

/* Writes image i as `pixels` numbers in [0, 1]; what moves out of the frame is lost. */
void images_show(const images *set, int i, view v, float *out);

/* A random image of a class, other than `but` if the class has another. */
int images_pick(const images *set, int class_number, int but, random_state *r);

#endif
