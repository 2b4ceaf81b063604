/* tapir/ops/random.h -- random numbers, and what is done with them.  The conventions are in tapir/ops.h.
 *
 * Each tensor made here has numbers of its own, new ones at each run of a program.  They depend only on the tape's seed, on how
 * many such tensors were recorded before, and on the number of runs before; not on threads, not on what else is recorded.
 * The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).  Programs compiled
 * with .freeze_random, and the gradient checker, draw the same numbers at each run.
 */
#ifndef TAPIR_OPS_RANDOM_H
#define TAPIR_OPS_RANDOM_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Uniform in [0, 1); f32 or f64, multiples of 2^-24 or 2^-53. */
TP_API tp_tensor tp_uniform(tp_tape *tape, tp_dtype dtype, tp_shape shape);

/* Normal with mean 0 and variance 1; f32 or f64: the quantiles (Wichura's AS 241) of the 2^32 or 2^63 evenly spread numbers in
 * (0, 1), so that f32 reaches to +-6.3 and f64 to +-9.1. */
TP_API tp_tensor tp_normal(tp_tape *tape, tp_dtype dtype, tp_shape shape);

/* 1 with the given probability, else 0; any dtype, all with the same pattern.  The probability, in [0, 1], is rounded to a
 * multiple of 2^-32; one that differs from element to element: tp_less(tp_uniform(...), probability). */
TP_API tp_tensor tp_bernoulli(tp_tape *tape, tp_dtype dtype, tp_shape shape, double probability);

/* The numbers 0, 1, ..., n - 1 in random order, as i32: every order as likely as any other, but for the 2^-53 of the uniform
 * numbers that it is made of. */
TP_API tp_tensor tp_permutation(tp_tape *tape, int64_t n);

/* While training, every element of x is 0 with the given probability, whatever it was, else x / (1 - probability): so its
 * expectation is x.  The gradient goes through the elements that were kept, scaled alike.  When not training, x itself: the
 * programs for training and for evaluation are two recordings.  0 drops nothing, 1 everything; f32 and f64 only. */
TP_API tp_tensor tp_dropout(tp_tensor x, double probability, bool training);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_uniform(tape, ...)     tp_uniform(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_normal(tape, ...)      tp_normal(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_bernoulli(tape, ...)   tp_bernoulli(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_permutation(tape, ...) tp_permutation(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_dropout(x, ...)        tp_dropout(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
