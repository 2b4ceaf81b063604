/* characters.h -- Omniglot (Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program
 * induction", Science 350, 2015) as .npy files: handwritten characters, each drawn once by twenty people. */
#ifndef SIAMESE_CHARACTERS_H
#define SIAMESE_CHARACTERS_H

#include <tapir/tapir.h>

enum { DRAWINGS = 20 };

typedef struct characters {
    int side, pixels;
    int classes, unseen; /* to learn from, and to be asked about */
    /* background_images, evaluation_images: u8 [DRAWINGS classes, side, side], the drawings of a class one after another */
    tp_npy background, evaluation;
    /* episodes5, episodes20: i32 [episodes, 2, ways], positions in `evaluation`; of each class one image that is known, and one
     * that is asked about */
    tp_npy few, many;
    /* oneshot_train, oneshot_test: u8 [runs, ways, side, side], the published runs; oneshot_answer: i32 [runs, ways], which of
     * the known images is of the asked one's class */
    tp_npy known, asked, answer;
} characters;

/* Does the directory hold these files? */
bool characters_exist(const char *directory);

/* False after a message on stderr. */
bool characters_load(characters *c, const char *directory);
void characters_free(characters *c);

/* Images first ... first + count - 1 as numbers from 0 to 1. */
bool characters_copy(const tp_npy *images, int pixels, int first, int count, float *out);

#endif
