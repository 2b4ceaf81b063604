/* tapir/ops.h -- the operations a loss is written with.
 *
 * Conventions, unless an op says otherwise:
 *  - Operands broadcast by NumPy's rules and have one dtype (f32, f64, where stated also i32); weak scalars
 *    (tp_scalar) take it.  The result has that dtype.
 *  - Axes may be negative and count from the end.
 *  - NaN goes in, NaN comes out, through every op that looks at the element.
 *  - Floating results are the same bits wherever an element stands; docs/math.md has the accuracy of each function.
 *  - i32 arithmetic wraps modulo 2^32; sums and products of i32 that do not fit are an error of the run.
 *  - Errors: see tapir/tape.h.  Shapes that do not fit are TP_BAD_SHAPE, dtypes TP_BAD_DTYPE.
 *  - "Kink" says what the derivative is where there is none.
 */
#ifndef TAPIR_OPS_H
#define TAPIR_OPS_H

#include <tapir/ops/activations.h>
#include <tapir/ops/control.h>
#include <tapir/ops/convolution.h>
#include <tapir/ops/elementwise.h>
#include <tapir/ops/indexing.h>
#include <tapir/ops/linalg.h>
#include <tapir/ops/normalization.h>
#include <tapir/ops/ordering.h>
#include <tapir/ops/pooling.h>
#include <tapir/ops/random.h>
#include <tapir/ops/reductions.h>
#include <tapir/ops/sequence.h>
#include <tapir/ops/shape.h>
#include <tapir/ops/sources.h>

#endif
