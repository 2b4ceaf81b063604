/* pictures.c -- reading pictures, and preparing them. */
#include "pictures.h"

#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t pixels(const pictures *p)
{
    return (size_t)p->height * (size_t)p->width;
}

bool pictures_create(pictures *p, int count, int height, int width)
{
    *p = (pictures){.count = count, .height = height, .width = width};
    const size_t n = (size_t)count * pixels(p);
    p->image = calloc(n, sizeof *p->image);
    p->mask = calloc(n, sizeof *p->mask);
    p->half = calloc(n / 4, sizeof *p->half);
    if (p->image != NULL && p->mask != NULL && p->half != NULL)
        return true;
    fprintf(stderr, "no memory for %d pictures\n", count);
    pictures_free(p);
    return false;
}

void pictures_free(pictures *p)
{
    free(p->image);
    free(p->mask);
    free(p->half);
    *p = (pictures){0};
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

static bool read_file(const char *directory, const char *part, const char *what, tp_npy *out)
{
    char path[1024];
    tp_io_report report;

    snprintf(path, sizeof path, "%s/%s_%s.npy", directory, part, what);
    if (tp_npy_read(path, NULL, out, &report) == TP_OK)
        return true;
    fprintf(stderr, "%s\n", report.message);
    return false;
}

/* Why pictures and masks do not belong together, or cannot be used; NULL if they do and can. */
static const char *fault_of(const tp_npy *image, const tp_npy *mask)
{
    const tp_shape i = image->shape, m = mask->shape;

    if (image->type != TP_NPY_U8 || i.rank != 4 || i.dim[1] != 1)
        return "the pictures are not u8 of shape [n, 1, height, width]";
    if (mask->type != TP_NPY_U8 || m.rank != 3 || m.dim[0] != i.dim[0] || m.dim[1] != i.dim[2] ||
        m.dim[2] != i.dim[3])
        return "the masks are not u8 of shape [n, height, width], with the pictures' sizes";
    if (i.dim[0] < 1 || i.dim[2] < 4 || i.dim[3] < 4 || i.dim[2] % 4 != 0 || i.dim[3] % 4 != 0)
        return "there are no pictures, or their sides are no multiples of 4";
    if (i.dim[2] > 1024 || i.dim[3] > 1024)
        return "the pictures are larger than 1024 by 1024";
    for (int64_t k = 0; k < mask->count; k++)
        if (((const uint8_t *)mask->data)[k] > 1)
            return "a mask has other numbers than 0 and 1";
    return NULL;
}

bool pictures_load(pictures *p, const char *directory, const char *part)
{
    tp_npy image = {0}, mask = {0};

    *p = (pictures){0};
    bool fine = read_file(directory, part, "images", &image) && read_file(directory, part, "masks", &mask);
    const char *fault = fine ? fault_of(&image, &mask) : NULL;
    if (fault != NULL)
        fprintf(stderr, "%s: %s: %s\n", directory, part, fault);
    fine = fine && fault == NULL &&
           pictures_create(p, (int)image.shape.dim[0], (int)image.shape.dim[2], (int)image.shape.dim[3]);
    if (fine) {
        tp_npy_copy(&image, 0, image.count, TP_F32, 1, p->image);
        tp_npy_copy(&mask, 0, mask.count, TP_F32, 1, p->mask);
        pictures_prepare(p);
    }
    tp_npy_free(&image);
    tp_npy_free(&mask);
    return fine;
}

/* ---- Preparing --------------------------------------------------------------------------------------- */

static void standardise(float *x, size_t n)
{
    double mean = 0, square = 0;

    for (size_t k = 0; k < n; k++)
        mean += (double)x[k] / (double)n;
    for (size_t k = 0; k < n; k++)
        square += ((double)x[k] - mean) * ((double)x[k] - mean) / (double)n;
    const double deviation = square > 0 ? sqrt(square) : 1;
    for (size_t k = 0; k < n; k++)
        x[k] = (float)(((double)x[k] - mean) / deviation);
}

static void halve(const float *mask, int height, int width, float *half)
{
    for (int i = 0; i < height / 2; i++)
        for (int j = 0; j < width / 2; j++) {
            const float *above = mask + 2 * i * width + 2 * j, *below = above + width;
            half[i * (width / 2) + j] = above[0] + above[1] + below[0] + below[1] >= 2 ? 1 : 0;
        }
}

void pictures_prepare(pictures *p)
{
    const size_t n = pixels(p);
    for (int k = 0; k < p->count; k++) {
        standardise(p->image + (size_t)k * n, n);
        halve(p->mask + (size_t)k * n, p->height, p->width, p->half + (size_t)k * (n / 4));
    }
}

static void exchange(float *a, float *b)
{
    const float kept = *a;
    *a = *b;
    *b = kept;
}

void mirror(float *image, int64_t count, int64_t height, int64_t width, bool sideways, bool upside_down)
{
    for (int64_t row = 0; row < count * height && sideways; row++)
        for (int64_t j = 0; j < width / 2; j++)
            exchange(image + row * width + j, image + (row + 1) * width - 1 - j);
    for (int64_t k = 0; k < count && upside_down; k++)
        for (int64_t i = 0; i < height / 2; i++)
            for (int64_t j = 0; j < width; j++)
                exchange(image + (k * height + i) * width + j,
                         image + ((k + 1) * height - 1 - i) * width + j);
}
