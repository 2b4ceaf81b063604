/* bare.h -- the convolutions of a training step by bare calls, one after another and with nothing between them: what a step
 * cannot do without.
 *
 * For each convolution its result, the gradient of its weight and, where the step needs it, that of its images, without
 * biases.  By oneDNN's primitives if the build found it: made once, with whatever memory layouts they like best, and with
 * nothing converted from one to the next.  Else by the CBLAS: the matrix products of columns of patches that are there
 * already. */
#ifndef TAPIR_BENCH_BARE_H
#define TAPIR_BENCH_BARE_H

#include <stdbool.h>

typedef struct bare_shape {
    int images, in, out, size, kernel; /* square; padded to keep the size */
    bool gradient_of_images;
} bare_shape;

typedef struct bare bare;

/* "oneDNN 2.6.3" or "CBLAS". */
const char *bare_library(void);

/* For the number of threads set last by bench_threads and bench_blas_threads.  Exits with a message if it cannot. */
bare *bare_create(const bare_shape *convolution, int n);
void bare_run(void *bare);
void bare_destroy(bare *b);

#endif
