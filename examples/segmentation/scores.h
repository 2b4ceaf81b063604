/* scores.h -- how well do predicted masks agree with the true ones? */
#ifndef SEGMENTATION_SCORES_H
#define SEGMENTATION_SCORES_H

#include <stdint.h>

/* Pixels, by what was predicted and what is true. */
typedef struct counts {
    int64_t true_positive, false_positive, false_negative, true_negative;
} counts;

counts count_pixels(const uint8_t *predicted, const float *mask, int64_t pixels);

/* 2 TP / (2 TP + FP + FN) and TP / (TP + FP + FN), which are 1 where there is nothing and nothing was predicted; and the part of
 * all pixels that is right. */
double dice_of(counts c);
double iou_of(counts c);
double accuracy_of(counts c);

/* Over several pictures: pooled is of the sum of all counts, per picture the mean of each one's. */
typedef struct score {
    double dice, dice_per_picture, iou, accuracy;
} score;

score score_pictures(const uint8_t *predicted, const float *mask, int count, int64_t pixels);

/* Otsu's threshold ("A threshold selection method from gray-level histograms", 1979) of one picture, on 256 levels between its
 * darkest and its lightest pixel; the smaller of the two sides is taken for the objects.  What can be had without learning. */
void otsu(const float *picture, int64_t pixels, uint8_t *predicted);

/* Every pixel becomes four. */
void double_mask(const uint8_t *mask, int height, int width, uint8_t *doubled);

#endif
