/* scores.c -- counts of pixels, and Otsu's threshold. */
#include "scores.h"

#include <math.h>

/* ---- Scores ------------------------------------------------------------------------------------------ */

counts count_pixels(const uint8_t *predicted, const float *mask, int64_t pixels)
{
    counts c = {0};
    for (int64_t k = 0; k < pixels; k++) {
        const int said = predicted[k] != 0, is = mask[k] >= 0.5f;
        c.true_positive += said && is;
        c.false_positive += said && !is;
        c.false_negative += !said && is;
        c.true_negative += !said && !is;
    }
    return c;
}

static double ratio(double part, double all)
{
    return all > 0 ? part / all : 1;
}

double dice_of(counts c)
{
    const double twice = 2 * (double)c.true_positive;
    return ratio(twice, twice + (double)c.false_positive + (double)c.false_negative);
}

double iou_of(counts c)
{
    const double both = (double)c.true_positive;
    return ratio(both, both + (double)c.false_positive + (double)c.false_negative);
}

double accuracy_of(counts c)
{
    const double right = (double)c.true_positive + (double)c.true_negative;
    return ratio(right, right + (double)c.false_positive + (double)c.false_negative);
}

score score_pictures(const uint8_t *predicted, const float *mask, int count, int64_t pixels)
{
    score s = {0};
    counts all = {0};

    for (int k = 0; k < count; k++) {
        const counts c = count_pixels(predicted + k * pixels, mask + k * pixels, pixels);
        all.true_positive += c.true_positive;
        all.false_positive += c.false_positive;
        all.false_negative += c.false_negative;
        all.true_negative += c.true_negative;
        s.dice_per_picture += dice_of(c) / count;
    }
    s.dice = dice_of(all);
    s.iou = iou_of(all);
    s.accuracy = accuracy_of(all);
    return s;
}

/* ---- Otsu's threshold -------------------------------------------------------------------------------- */

enum { LEVELS = 256 };

static int level(float value, float low, float high)
{
    const int l = (int)((double)(value - low) / (double)(high - low) * LEVELS);
    return l < LEVELS ? l : LEVELS - 1;
}

/* The last level of the dark side: where the variance between the two sides, w0 w1 (mean0 - mean1)^2, is largest. */
static int best_split(const int64_t *histogram, int64_t pixels)
{
    double sum = 0, dark_sum = 0, dark = 0, most = -1;
    int best = 0;

    for (int l = 0; l < LEVELS; l++)
        sum += (double)histogram[l] * l;
    for (int l = 0; l < LEVELS - 1; l++) {
        dark += (double)histogram[l];
        dark_sum += (double)histogram[l] * l;
        const double light = (double)pixels - dark;
        if (dark == 0 || light == 0)
            continue;
        const double apart = dark_sum / dark - (sum - dark_sum) / light;
        if (dark * light * apart * apart > most) {
            most = dark * light * apart * apart;
            best = l;
        }
    }
    return best;
}

void otsu(const float *picture, int64_t pixels, uint8_t *predicted)
{
    int64_t histogram[LEVELS] = {0}, light = 0;
    float low = picture[0], high = picture[0];

    for (int64_t k = 0; k < pixels; k++) {
        low = fminf(low, picture[k]);
        high = fmaxf(high, picture[k]);
    }
    if (!(low < high))
        high = low + 1;
    for (int64_t k = 0; k < pixels; k++)
        histogram[level(picture[k], low, high)]++;
    const int split = best_split(histogram, pixels);
    for (int64_t k = 0; k < pixels; k++)
        light += predicted[k] = level(picture[k], low, high) > split;
    for (int64_t k = 0; k < pixels && 2 * light > pixels; k++)
        predicted[k] = !predicted[k];
}

void double_mask(const uint8_t *mask, int height, int width, uint8_t *doubled)
{
    for (int i = 0; i < 2 * height; i++)
        for (int j = 0; j < 2 * width; j++)
            doubled[i * 2 * width + j] = mask[i / 2 * width + j / 2];
}
