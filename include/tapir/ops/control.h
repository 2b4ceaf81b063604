/* tapir/ops/control.h -- what gradients pass, assignments, checks at run time.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_CONTROL_H
#define TAPIR_OPS_CONTROL_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x, through which no gradient passes. */
TP_API tp_tensor tp_stop_gradient(tp_tensor x);

/* v, but 0 where g is 0, also if v is NaN or infinite there.  This is what the reverse sweep wraps around
 * contributions (strong zero), g being the adjoint.  The gradient passes to v as if it were v everywhere, but for the
 * elements where a NaN or an infinity was hidden, and not to g. */
TP_API tp_tensor tp_guard(tp_tensor g, tp_tensor v);

/* When a program with this handle among its outputs has run, `leaf` (an input or parameter) holds `value`,
 * broadcast to its shape.  All reads in the run see the old value.  The handle has no value of its own.  One
 * assignment to a leaf per program. */
TP_API tp_tensor tp_assign(tp_tensor leaf, tp_tensor value);

/* Several assignments as one handle. */
TP_API tp_tensor tp_group(const tp_tensor *x, int n);
TP_API tp_tensor tp_group_at(const char *file, int line, const tp_tensor *x, int n);

/* x (i32), checked at run time: an element outside [0, count), other than `except` if has_except, ends the run with
 * TP_BAD_VALUE and a message that names element and value. */
TP_API tp_tensor tp_check_index(tp_tensor x, int64_t count, bool has_except, int32_t except);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_stop_gradient(x)    tp_stop_gradient(TP_HERE(x))
#define tp_guard(g, ...)       tp_guard(TP_HERE(g), __VA_ARGS__)
#define tp_assign(leaf, ...)   tp_assign(TP_HERE(leaf), __VA_ARGS__)
#define tp_check_index(x, ...) tp_check_index(TP_HERE(x), __VA_ARGS__)

/* An array may be written as (tp_tensor[]){a, b}, whose comma would part it if the macro named it. */
#define tp_group(...) tp_group_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
