/* tapir/ops/sources.h -- tensors made of nothing: numbers, counters.  The conventions are in tapir/ops.h. */
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

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_full(tape, ...) tp_full(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_iota(tape, ...) tp_iota(TP_HERE_TAPE(tape), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
