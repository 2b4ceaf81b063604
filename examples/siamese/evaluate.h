/* evaluate.h -- how well do distances tell classes that were never trained on? */
#ifndef SIAMESE_EVALUATE_H
#define SIAMESE_EVALUATE_H

#include "images.h"
#include "model.h"

/* The question: images of the classes first_class ... end_class - 1, each shown moved by up to `move` pixels. */
typedef struct question {
    const images *set;
    int first_class, end_class;
    double move;
    uint64_t seed;
} question;

/* Right answers in per cent, by distances of pixels and of features. */
typedef struct answer {
    double pixels, features;
    int asked;
} answer;

/* One-shot: one image of each class is known; which of them is nearest to another image?  `episodes` draws of one known
 * and one other image of each class. */
bool one_shot(model *m, const question *q, int episodes, answer *a);

/* The k nearest of `known` images per class decide; `asked` other images per class. */
bool nearest_neighbours(model *m, const question *q, int k, int known, int asked, answer *a);

#endif
