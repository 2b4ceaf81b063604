/* common.h -- what the losses share. */
#ifndef TAPIR_LOSSES_COMMON_H
#define TAPIR_LOSSES_COMMON_H

#include <tapir/losses.h>
#include <tapir/op.h>
#include <tapir/ops.h>

/* ---- Checking operands ------------------------------------------------------------------------------- */

/* The tensor at whose place a loss reports its errors: the first that has a tape. */
tp_tensor tp__loss_at(tp_tensor a, tp_tensor b);

/* What a loss returns after an error. */
tp_tensor tp__loss_invalid(tp_tensor at);

/* x at at's place: what is recorded with it belongs to the loss's line, not to where x was made. */
tp_tensor tp__loss_here(tp_tensor at, tp_tensor x);

/* Is x a living tensor of at's tape?  If not, an error that calls it by its name is stored (none for an invalid
 * handle, the consequence of an earlier error). */
bool tp__loss_operand(tp_tensor at, tp_tensor x, const char *name);

/* The same, and x is f32 or f64. */
bool tp__loss_float(tp_tensor at, tp_tensor x, const char *name);

/* The optional tensor *x: true when it is absent, or alive and of the dtype.  A weak scalar is converted, and *x takes
 * at's place. */
bool tp__loss_option(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype);

/* The same for labels, which may be i32 and are converted then. */
bool tp__loss_label(tp_tensor at, tp_tensor *x, const char *name, tp_dtype dtype);

/* Does x (absent or valid) broadcast to a loss of this shape and no larger one? */
bool tp__loss_fits(tp_tensor at, tp_tensor x, const char *name, const tp_shape *shape);

/* Has x, an operand of the dtype and shape of `like`?  Both were checked to be alive, `like` to be f32 or f64. */
bool tp__loss_alike(tp_tensor x, const char *name, tp_tensor like, const char *like_name);

/* ---- Elementwise losses ------------------------------------------------------------------------------ */

/* r, from a prediction and a target that were checked.  It may find its parameters wrong and fail. */
typedef tp_tensor (*tp__element_rule)(tp_tensor prediction, tp_tensor target, const void *parameters);

typedef struct tp__elementwise {
    const char *scope;
    const char *prediction; /* its name in messages */
    bool takes_labels;      /* the target may be i32 */
    tp__element_rule rule;
} tp__elementwise;

/* Checks the operands, applies the rule and reduces, all in the loss's scope. */
tp_tensor tp__elementwise_loss(const tp__elementwise *loss, tp_tensor prediction, tp_tensor target,
                               const tp_loss_options *options, const void *parameters);

/* Operands of a loss with more than these two: true when they are as an elementwise loss wants them; the target is
 * converted where that is allowed. */
bool tp__loss_pair(tp_tensor at, tp_tensor prediction, const char *name, tp_tensor *target, bool takes_labels,
                   bool broadcast);

/* ---- Reducing ---------------------------------------------------------------------------------------- */

/* tp_loss_reduce, and the mean counts element i as weight[i] mass[i].  Both are optional; r contains mass already. */
tp_tensor tp__loss_reduce(tp_tensor r, tp_tensor weight, tp_tensor mass, tp_reduction reduction);

/* ---- Pieces ------------------------------------------------------------------------------------------ */

/* A number of x's dtype. */
tp_tensor tp__loss_number(tp_tensor x, double value);

/* 0, 1, ... n - 1 as i32, at x's place. */
tp_tensor tp__loss_counter(tp_tensor x, int64_t n);

/* number - x, and x + number */
tp_tensor tp__loss_minus(double number, tp_tensor x);
tp_tensor tp__loss_plus(tp_tensor x, double number);

/* factor * x, but 0 where the factor is 0, whatever x is. */
tp_tensor tp__loss_weighted(tp_tensor factor, tp_tensor x);

/* a / b, but 0 where b is 0, whatever a is. */
tp_tensor tp__loss_ratio(tp_tensor a, tp_tensor b);

/* x^p for x >= 0 and a number p > 0. */
tp_tensor tp__loss_power(tp_tensor x, double p);

/* max(x, low), with the gradient of x also below `low`. */
tp_tensor tp__loss_floor(tp_tensor x, double low);

/* An option that may be zero: its value, or the default. */
double tp__loss_given(tp_optional_number option, double otherwise);

/* An option for which zero stands for the default. */
double tp__loss_default(double option, double otherwise);

#endif
