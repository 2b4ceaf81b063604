/* common.h -- what the losses share. */
#ifndef TAPIR_LOSSES_COMMON_H
#define TAPIR_LOSSES_COMMON_H

#include <tapir/losses.h>
#include <tapir/op.h>
#include <tapir/ops.h>

/* The tensor at whose place a loss reports its errors: the first that has a tape. */
tp_tensor tp__loss_at(tp_tensor a, tp_tensor b);

/* What a loss returns after an error. */
tp_tensor tp__loss_invalid(tp_tensor at);

/* Is x a living tensor of at's tape?  If not, an error that calls it by its name is stored (none for an invalid
 * handle, the consequence of an earlier error). */
bool tp__loss_operand(tp_tensor at, tp_tensor x, const char *name);

/* The optional per-element or per-class tensor *x: true when it is absent, or alive and of the dtype.  A weak
 * scalar is converted, and *x takes at's place. */
bool tp__loss_option(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype);

/* tp_loss_reduce, and the mean counts element i as weight[i] mass[i].  Both are optional; r contains mass already. */
tp_tensor tp__loss_reduce(tp_tensor r, tp_tensor weight, tp_tensor mass, tp_reduction reduction);

/* factor * x, but 0 where the factor is 0, whatever x is. */
tp_tensor tp__loss_weighted(tp_tensor factor, tp_tensor x);

#endif
