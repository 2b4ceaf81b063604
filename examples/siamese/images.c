/* images.c -- reading and showing images. */
#include "images.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Reading ----------------------------------------------------------------------------------------- */

/* The path that exists, without or with .gz; false when there is neither. */
static bool find_file(const char *directory, const char *part, const char *what, char *path, size_t size)
{
    static const char *const endings[] = {"", ".gz"};
    for (int k = 0; k < 2; k++) {
        snprintf(path, size, "%s/%s-%s-ubyte%s", directory, part, what, endings[k]);
        if (access(path, F_OK) == 0)
            return true;
    }
    snprintf(path, size, "%s/%s-%s-ubyte", directory, part, what); /* for the message */
    return false;
}

bool images_exist(const char *directory, const char *part)
{
    char path[1024];
    return find_file(directory, part, "images-idx3", path, sizeof path);
}

static bool read_file(const char *directory, const char *part, const char *what, tp_idx *out)
{
    char path[1024];
    tp_io_report report;

    find_file(directory, part, what, path, sizeof path);
    if (tp_idx_read(path, NULL, out, &report) == TP_OK)
        return true;
    fprintf(stderr, "%s\n", report.message);
    return false;
}

/* Images and labels belong together, and can be told apart by class. */
static bool check(const images *set, const char *directory)
{
    const tp_shape image = set->image.shape, label = set->label.shape;
    const char *fault = NULL;

    if (set->image.type != TP_IDX_U8 || image.rank != 3 || set->label.type != TP_IDX_U8 || label.rank != 1)
        fault = "these are not images and labels of bytes";
    else if (image.dim[0] != label.dim[0] || image.dim[0] == 0)
        fault = "there is not one label for each image";
    else if (image.dim[1] < 1 || image.dim[1] > 64 || image.dim[2] != image.dim[1])
        fault = "the images are not square, or larger than 64 by 64";
    if (fault != NULL)
        fprintf(stderr, "%s: %s\n", directory, fault);
    return fault == NULL;
}

static bool sort_by_class(images *set, const char *directory)
{
    const uint8_t *label = set->label.data;

    for (int i = 0; i < set->count; i++) {
        if (label[i] >= MOST_CLASSES) {
            fprintf(stderr, "%s: label %d is beyond %d classes\n", directory, label[i], MOST_CLASSES);
            return false;
        }
        set->classes = label[i] >= set->classes ? label[i] + 1 : set->classes;
        set->in_class[label[i]]++;
    }
    for (int c = 0; c < set->classes; c++) {
        set->of_class[c] = malloc(((size_t)set->in_class[c] + 1) * sizeof(int));
        if (set->of_class[c] == NULL || set->in_class[c] < 2) {
            fprintf(stderr, "%s: class %d has less than two images, or there is no memory\n", directory, c);
            return false;
        }
        set->in_class[c] = 0;
    }
    for (int i = 0; i < set->count; i++)
        set->of_class[label[i]][set->in_class[label[i]]++] = i;
    return true;
}

bool images_load(images *set, const char *directory, const char *part)
{
    *set = (images){0};
    if (!read_file(directory, part, "images-idx3", &set->image) ||
        !read_file(directory, part, "labels-idx1", &set->label) || !check(set, directory))
        return false;
    set->count = (int)set->image.shape.dim[0];
    set->rows = (int)set->image.shape.dim[1];
    set->columns = (int)set->image.shape.dim[2];
    set->pixels = set->rows * set->columns;
    set->brightest = 1;
    for (int64_t i = 0; i < set->image.count; i++)
        set->brightest = fmax(set->brightest, ((const uint8_t *)set->image.data)[i]);
    return sort_by_class(set, directory);
}

void images_free(images *set)
{
    for (int c = 0; c < MOST_CLASSES; c++)
        free(set->of_class[c]);
    tp_idx_free(&set->image);
    tp_idx_free(&set->label);
    *set = (images){0};
}

/* ---- Showing ----------------------------------------------------------------------------------------- */

/* A pixel of the image in the orientation: mirrored (1), upside down (2), rows and columns exchanged (4); 0 outside. */
static double pixel(const images *set, int i, int orientation, int row, int column)
{
    const int last = set->rows - 1;
    if (row < 0 || column < 0 || row > last || column > last)
        return 0;
    if (orientation & 1)
        column = last - column;
    if (orientation & 2)
        row = last - row;
    const int at = orientation & 4 ? column * set->columns + row : row * set->columns + column;
    return ((const uint8_t *)set->image.data)[(int64_t)i * set->pixels + at] / set->brightest;
}

/* By bilinear interpolation, so that a move may be a part of a pixel. */
void images_show(const images *set, int i, view v, float *out)
{
    const double down = floor(-v.y), right = floor(-v.x), y = -v.y - down, x = -v.x - right;

    for (int row = 0; row < set->rows; row++)
        for (int column = 0; column < set->columns; column++) {
            const int r = row + (int)down, c = column + (int)right;
            const double above =
                (1 - x) * pixel(set, i, v.orientation, r, c) + x * pixel(set, i, v.orientation, r, c + 1);
            const double below = (1 - x) * pixel(set, i, v.orientation, r + 1, c) +
                                 x * pixel(set, i, v.orientation, r + 1, c + 1);
            out[row * set->columns + column] = (float)((1 - y) * above + y * below);
        }
}

int images_pick(const images *set, int class_number, int but, random_state *r)
{
    int i;
    do
        i = set->of_class[class_number][random_below(r, set->in_class[class_number])];
    while (i == but);
    return i;
}
