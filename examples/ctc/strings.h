/* strings.h -- strings of digits as sequences of frames, read from .npy files. */
#ifndef TAPIR_EXAMPLES_CTC_STRINGS_H
#define TAPIR_EXAMPLES_CTC_STRINGS_H

#include <stdbool.h>
#include <stdint.h>

enum { DIGITS = 10, CLASSES = DIGITS + 1 }; /* class 0 is the blank, digit d is class d + 1 */

typedef struct strings {
    int64_t count, features;
    int64_t frames, labels;   /* of the longest */
    int32_t *length, *halved; /* [count]: frames, and half of them, rounded up */
    int32_t *target_length;   /* [count] */
    int32_t *target;          /* [count, most labels]: classes, then zeros */
    float *x;                 /* [count, features, most frames], zeros behind the end */
} strings;

/* DIRECTORY/PART_columns.npy (bytes 0 to 16) or PART_frames.npy (f32), both [all frames, features], with PART_..._offsets,
 * PART_labels and PART_label_offsets.  False, and a message on stderr, when they cannot be read or do not fit together. */
bool strings_load(strings *s, const char *directory, const char *part);
void strings_free(strings *s);

/* The same with room for more frames and labels, as another part may have. */
bool strings_widen(strings *s, int64_t frames, int64_t labels);

/* Is DIRECTORY one of columns of pixels? */
bool strings_are_columns(const char *directory);

#endif
