/* tapir/ops/sources.h -- tensors made of nothing: numbers, counters, random numbers.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_SOURCES_H
#define TAPIR_OPS_SOURCES_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor of `shape` that is `value` everywhere.  Takes no memory. */
TP_API tp_tensor tp_full(tp_tape *tape, tp_dtype dtype, tp_shape shape, double value);

/* 0, 1, ..., n - 1. */
TP_API tp_tensor tp_iota(tp_tape *tape, tp_dtype dtype, int64_t n);

/* Uniform random numbers in [0, 1), new ones at each run of a program; f32 or f64, multiples of 2^-24 or 2^-53.
 * They depend only on the tape's seed, on the order of recording and on the number of runs before, not on threads.
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
TP_API tp_tensor tp_uniform(tp_tape *tape, tp_dtype dtype, tp_shape shape);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_full(tape, ...)    tp_full(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_iota(tape, ...)    tp_iota(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_uniform(tape, ...) tp_uniform(TP_HERE_TAPE(tape), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
