/* one_shot.c -- episodes and published runs, by any view of the images. */
#include "one_shot.h"
#include "nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Views ------------------------------------------------------------------------------------------- */

bool describe_pixels(void *user, const float *images, int count, int side, float *out)
{
    (void)user;
    memcpy(out, images, (size_t)count * (size_t)(side * side) * sizeof *out);
    return true;
}

static void to_length_one(float *x, int n)
{
    double square = 0;
    for (int i = 0; i < n; i++)
        square += (double)x[i] * (double)x[i];
    for (int i = 0; i < n && square > 0; i++)
        x[i] = (float)((double)x[i] / sqrt(square));
}

bool describe_directions(void *user, const float *images, int count, int side, float *out)
{
    describe_pixels(user, images, count, side, out);
    for (int k = 0; k < count; k++)
        to_length_one(out + (size_t)k * (size_t)(side * side), side * side);
    return true;
}

static float sum_around(const float *image, int side, int row, int column)
{
    float sum = 0;
    for (int i = row < 2 ? 0 : row - 2; i <= row + 2 && i < side; i++)
        for (int j = column < 2 ? 0 : column - 2; j <= column + 2 && j < side; j++)
            sum += image[i * side + j];
    return sum;
}

bool describe_blurred(void *user, const float *images, int count, int side, float *out)
{
    const int pixels = side * side;
    (void)user;
    for (int k = 0; k < count; k++) {
        const float *image = images + (size_t)k * (size_t)pixels;
        float *to = out + (size_t)k * (size_t)pixels;
        for (int p = 0; p < pixels; p++)
            to[p] = sum_around(image, side, p / side, p % side);
        to_length_one(to, pixels);
    }
    return true;
}

/* ---- Scores ------------------------------------------------------------------------------------------ */

/* The vectors of all images, NULL after a failure. */
static float *describe(const tp_npy *images, int side, const view_of *v)
{
    const int count = (int)(images->count / (side * side));
    float *pixel = malloc((size_t)images->count * sizeof *pixel),
          *vector = malloc((size_t)count * (size_t)v->width * sizeof *vector);
    bool fine = pixel != NULL && vector != NULL && characters_copy(images, side * side, 0, count, pixel) &&
                v->describe(v->user, pixel, count, side, vector);
    free(pixel);
    if (!fine) {
        free(vector);
        vector = NULL;
    }
    return vector;
}

/* Vectors of one episode at a time, first those of the known images, then those of the others. */
static bool score_episodes(const tp_npy *episodes, const float *vector, int width, double *score)
{
    const int32_t *position = episodes->data;
    const int64_t n = episodes->shape.dim[0];
    const int ways = (int)episodes->shape.dim[2];
    float *row = malloc(2 * (size_t)ways * (size_t)width * sizeof *row);
    int64_t right = 0;

    for (int64_t e = 0; e < n && row != NULL; e++) {
        for (int k = 0; k < 2 * ways; k++)
            memcpy(row + (size_t)k * (size_t)width,
                   vector + (size_t)position[e * 2 * ways + k] * (size_t)width, (size_t)width * sizeof *row);
        for (int k = 0; k < ways; k++)
            right += nearest(row + (size_t)(ways + k) * (size_t)width, row, ways, width) == k;
    }
    *score = 100.0 * (double)right / (double)(n * ways);
    free(row);
    return row != NULL;
}

static double score_runs(const characters *c, const float *known, const float *asked, int width)
{
    const int32_t *answer = c->answer.data;
    const int64_t runs = c->answer.shape.dim[0], ways = c->answer.shape.dim[1];
    int64_t right = 0;
    for (int64_t q = 0; q < runs * ways; q++)
        right += nearest(asked + q * width, known + q / ways * ways * width, (int)ways, width) == answer[q];
    return 100.0 * (double)right / (double)(runs * ways);
}

bool one_shot_scores(const characters *c, const view_of *v, scores *out)
{
    float *vector = describe(&c->evaluation, c->side, v), *known = describe(&c->known, c->side, v),
          *asked = describe(&c->asked, c->side, v);
    const bool fine = vector != NULL && known != NULL && asked != NULL &&
                      score_episodes(&c->few, vector, v->width, &out->few) &&
                      score_episodes(&c->many, vector, v->width, &out->many);
    if (fine)
        out->runs = score_runs(c, known, asked, v->width);
    free(vector);
    free(known);
    free(asked);
    return fine;
}
