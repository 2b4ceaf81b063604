/* digits.c -- pictures of digits on textured backgrounds. */
#include "digits.h"

#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>

#include "../siamese/random.h"

static const double turn = 6.283185307179586;

static double between(random_state *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

/* ---- A digit ----------------------------------------------------------------------------------------- */

static double ink(const uint8_t *digit, int row, int column)
{
    const bool inside = row >= 0 && row < DIGIT_SIDE && column >= 0 && column < DIGIT_SIDE;
    return inside ? digit[row * DIGIT_SIDE + column] : 0;
}

/* Between the centres of the pixels, the first of which is at (0, 0). */
static double ink_at(const uint8_t *digit, double y, double x)
{
    const int row = (int)floor(y), column = (int)floor(x);
    const double down = y - row, right = x - column;
    return (1 - down) * ((1 - right) * ink(digit, row, column) + right * ink(digit, row, column + 1)) +
           down * ((1 - right) * ink(digit, row + 1, column) + right * ink(digit, row + 1, column + 1));
}

void digits_draw(const uint8_t *digit, double top, double left, double size, float grey, int height,
                 int width, float *picture, float *mask)
{
    const double scale = DIGIT_SIDE / size;

    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) {
            const double y = (i + 0.5 - top) * scale - 0.5, x = (j + 0.5 - left) * scale - 0.5;
            if (y <= -1 || x <= -1 || y >= DIGIT_SIDE || x >= DIGIT_SIDE)
                continue;
            /* 0 and 1 a quarter of the ink away from the edge. */
            const double over = 2 * ink_at(digit, y, x) / DIGIT_INK - 0.5;
            const double part = over < 0 ? 0 : over > 1 ? 1 : over;
            float *at = picture + i * width + j;
            *at = (float)((1 - part) * (double)*at + part * (double)grey);
            if (part >= 0.5)
                mask[i * width + j] = 1;
        }
}

/* ---- A picture --------------------------------------------------------------------------------------- */

/* Light that falls off to one side, stripes in two directions, noise. */
static void draw_background(float *picture, int side, random_state *r)
{
    const double slope = between(r, 0, 0.5), to = between(r, 0, turn);
    double strength[2], down[2], right[2], phase[2];

    for (int k = 0; k < 2; k++) {
        const double direction = between(r, 0, turn), frequency = turn / between(r, 4, 16);
        strength[k] = between(r, 0, 0.15);
        down[k] = frequency * sin(direction);
        right[k] = frequency * cos(direction);
        phase[k] = between(r, 0, turn);
    }
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            const double y = (i + 0.5) / side - 0.5, x = (j + 0.5) / side - 0.5;
            double light = slope * (y * sin(to) + x * cos(to)) + between(r, -0.1, 0.1);
            for (int k = 0; k < 2; k++)
                light += strength[k] * sin(down[k] * i + right[k] * j + phase[k]);
            picture[i * side + j] = (float)light;
        }
}

static void draw_picture(const tp_idx *digit, int first, int end, int side, random_state *r, float *picture,
                         float *mask)
{
    const int digits = 1 + random_below(r, 3);
    const double sign = random_below(r, 2) == 0 ? -1 : 1;

    draw_background(picture, side, r);
    for (int k = 0; k < digits; k++) {
        const uint8_t *which =
            (const uint8_t *)digit->data + (first + random_below(r, end - first)) * DIGIT_SIDE * DIGIT_SIDE;
        const double size = between(r, side / 3.0, side / 1.8), top = between(r, 0, side - size),
                     left = between(r, 0, side - size);
        const float grey = (float)(sign * between(r, 0.3, 0.5));
        digits_draw(which, top, left, size, grey, side, side, picture, mask);
    }
}

bool digits_make(pictures *p, const char *file, int first, int end, int count, int side, uint64_t seed)
{
    tp_idx digit;
    tp_io_report report;
    random_state random = {seed};

    *p = (pictures){0};
    if (tp_idx_read(file, NULL, &digit, &report) != TP_OK) {
        fprintf(stderr, "%s\n", report.message);
        return false;
    }
    const tp_shape s = digit.shape;
    bool fine = digit.type == TP_IDX_U8 && s.rank == 3 && first >= 0 && first < end && end <= s.dim[0] &&
                s.dim[1] == DIGIT_SIDE && s.dim[2] == DIGIT_SIDE;
    if (!fine)
        fprintf(stderr, "%s: these are not %d digits of %d by %d pixels\n", file, end, DIGIT_SIDE,
                DIGIT_SIDE);
    fine = fine && pictures_create(p, count, side, side);
    for (int k = 0; k < count && fine; k++) {
        const size_t at = (size_t)k * (size_t)side * (size_t)side;
        draw_picture(&digit, first, end, side, &random, p->image + at, p->mask + at);
    }
    if (fine)
        pictures_prepare(p);
    tp_idx_free(&digit);
    return fine;
}
