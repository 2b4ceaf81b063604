/* tapir/modes.h -- derivatives beyond the gradient: Hessian-vector products, forward mode, Jacobians, Hessians; and values
 * recomputed to save memory.
 *
 * All of them record ordinary tensors, as tp_gradient does (tapir/tape.h): nothing is computed before tp_run, what is not
 * needed is not computed, and the results can be differentiated again.  What is said there of wrt holds here: leaves or
 * any other tensors, f32 or f64, zeros where nothing is reached, an error for a tensor that was simplified away.  On an
 * error the status is returned and stored, and every out is invalid.
 */
#ifndef TAPIR_MODES_H
#define TAPIR_MODES_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Products with a direction --------------------------------------------------------------------- */

/* The Hessian of `loss` (one element) with respect to all of wrt[0..n) together, times a direction: out[k], of the shape of
 * wrt[k], is the derivative of the gradient for wrt[k] when all of wrt move along `direction`, that is
 * sum over l of d^2 loss / (d wrt[k] d wrt[l]) * direction[l].  direction[k] has the shape and dtype of wrt[k] or
 * broadcasts to it; a tp_scalar will do.
 *
 * It is the reverse sweep over the reverse sweep (Pearlmutter, Neural Computation 6, 1994), with direction as seed, so it
 * costs a few gradients whatever the size of wrt.  The direction is kept fixed: one that is computed from wrt (the
 * gradient, for H g) is not differentiated.  A loss that is a sum of terms of one element each has a diagonal Hessian,
 * which is what a direction of ones then gives. */
TP_API tp_status tp_hessian_vector(tp_tensor loss, const tp_tensor *wrt, const tp_tensor *direction, int n,
                                   tp_tensor *out);

/* Forward mode: *out, of y's shape and dtype, is the derivative of y (any shape, f32 or f64) when all of wrt[0..n) move
 * along `direction`, as above: sum over k of (d y / d wrt[k]) * direction[k].
 *
 * One sweep from wrt to y, by the same rules as the gradient: a map's rule at an adjoint of 1 is its local derivative, and
 * any other op's rule is linear in the adjoint, so that its own derivative by the adjoint, a reverse sweep over what
 * the rule recorded, is the forward one.  An op whose rule records something without a derivative has no forward mode
 * (TP_NO_DERIVATIVE); a rule that is not linear in the adjoint has none either, but that is not noticed.
 *
 * Strong zero: where the tangent or the local derivative of an elementwise op is exactly 0, the other does not matter, even
 * if it is infinite or NaN.  So the branch that `where` did not take contributes nothing, as in the gradient.  Two
 * differences at singular points only: sqrt(x * x) at 0 is 0 here and NaN in the gradient, and infinite
 * derivatives that cancel, as in sqrt(x) - sqrt(x) at 0, are NaN here and 0 there. */
TP_API tp_status tp_jvp(tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction, int n, tp_tensor *out);

/* ---- Matrices -------------------------------------------------------------------------------------- */

typedef enum tp_jacobian_mode {
    TP_FEWER_SWEEPS = 0, /* forward where wrt has fewer elements than y, else reverse */
    TP_REVERSE_MODE,     /* a tp_vector_jacobian for every element of y */
    TP_FORWARD_MODE      /* a tp_jvp for every element of wrt */
} tp_jacobian_mode;

typedef struct tp_jacobian_options {
    tp_jacobian_mode mode;
    int64_t most_sweeps; /* more are an error; 0: 4096 */
} tp_jacobian_options;

/* *out = d y / d wrt, of shape y.shape followed by wrt.shape (rank 8 at most) and wrt's dtype:
 * out[i..., j...] = d y[i...] / d wrt[j...].  Either may have no elements.
 *
 * Cost: as many sweeps as y or wrt has elements, whichever are fewer; each is recorded, so recording takes time and memory
 * in that proportion, and running takes as much as so many gradients (or forward sweeps), but for what they share.
 * More than most_sweeps are TP_BAD_ARGUMENT: products with a direction need no matrix.  The two modes round differently. */
TP_API tp_status tp_jacobian(tp_tensor y, tp_tensor wrt, tp_tensor *out, const tp_jacobian_options *options);

/* The same with respect to several tensors of one dtype, flattened and side by side: *out is a matrix of count(y) rows and
 * count(wrt[0]) + count(wrt[1]) + ... columns, rows and columns in row-major order of y and of each wrt.  For
 * Gauss-Newton and Levenberg-Marquardt. */
TP_API tp_status tp_jacobian_matrix(tp_tensor y, const tp_tensor *wrt, int n, tp_tensor *out,
                                    const tp_jacobian_options *options);

/* *out = d^2 loss / d wrt^2, of shape wrt.shape followed by wrt.shape: the Jacobian of the gradient, with as many sweeps
 * over the gradient as wrt has elements.
 *
 * The Hessian is symmetric, but each row is computed by itself, so out[i,j] and out[j,i] may differ by rounding;
 * (H + transpose(H)) / 2 is symmetric to the bit. */
TP_API tp_status tp_hessian(tp_tensor loss, tp_tensor wrt, tp_tensor *out,
                            const tp_jacobian_options *options);

/* The same with respect to several tensors of one dtype as one square matrix of blocks, over all their elements in the
 * order of tp_jacobian_matrix.  For Newton's method. */
TP_API tp_status tp_hessian_matrix(tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out,
                                   const tp_jacobian_options *options);

/* ---- Recomputing ----------------------------------------------------------------------------------- */

/* y itself, but a gradient that passes through the returned tensor computes what lies between boundary[0..n) and y again
 * when the backward pass arrives there, instead of keeping it from the forward pass: less memory (tp_program_memory) for at
 * most the time of that stretch of the forward pass.  Use the returned tensor in place of y:
 *
 *     for (int k = 0; k < layers; k++) {
 *         const tp_tensor from = h;
 *         ... several layers from `from` to h ...
 *         h = tp_checkpoint(h, &from, 1);
 *     }
 *
 * keeps one tensor per round, and while going back the inside of one round.  With about sqrt(L) rounds for L layers memory
 * grows with sqrt(L) (Griewank, Optimization Methods and Software 1, 1992); checkpoints may be nested.
 *
 *  - Gradients do not change by a bit, as far as the ops in between compute the same twice.  (Except that no op simplifies
 *    past a checkpoint: if y is a view, and a view of it would have read what y is a view of, sums may change order.)
 *  - Everything that y needs and that depends on the boundary is recomputed; what does not (a function of the weights
 *    alone), is kept.  Leaves need not be named, unless everything is to be recomputed from them.
 *  - Random numbers drawn between are drawn again, the same ones.  Other impure ops run once, and their results are kept.
 *  - What is used elsewhere, too, or is an output of the program, is kept on that account.
 *  - The boundary is copied once when the backward pass arrives.
 *  - Gradients with respect to tensors in between are as ever; forward mode (tp_jvp) recomputes nothing; a second
 *    reverse sweep keeps what the first one recomputed.
 *
 * Errors: no boundary, or nothing to recompute between it and y (TP_BAD_ARGUMENT); y of i32 (TP_BAD_DTYPE). */
TP_API tp_tensor tp_checkpoint(tp_tensor y, const tp_tensor *boundary, int n);

/* ---- Places ---------------------------------------------------------------------------------------- */

#ifndef TP_NO_PLACE
#define tp_hessian_vector(loss, ...) tp_hessian_vector(TP_HERE(loss), __VA_ARGS__)
#define tp_jvp(y, ...)               tp_jvp(TP_HERE(y), __VA_ARGS__)
#define tp_jacobian(y, ...)          tp_jacobian(TP_HERE(y), __VA_ARGS__)
#define tp_jacobian_matrix(y, ...)   tp_jacobian_matrix(TP_HERE(y), __VA_ARGS__)
#define tp_hessian(loss, ...)        tp_hessian(TP_HERE(loss), __VA_ARGS__)
#define tp_hessian_matrix(loss, ...) tp_hessian_matrix(TP_HERE(loss), __VA_ARGS__)
#define tp_checkpoint(y, ...)        tp_checkpoint(TP_HERE(y), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
