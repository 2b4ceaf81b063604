/* tapir/ops/sequence.h -- labels of unsegmented sequences.  The conventions are in tapir/ops.h; the losses made of this are in
 * tapir/losses/sequence.h.
 */
#ifndef TAPIR_OPS_SEQUENCE_H
#define TAPIR_OPS_SEQUENCE_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Connectionist temporal classification: r[n] = -log p(target n), where p sums over all alignments of the target with the
 * frames.  A frame path, one class for each frame, stands for what is left when repeats are merged and then blanks are
 * dropped; p is the sum over the paths that stand for the target of the product of their frames' probabilities.
 *
 *     log_probs        [T,N,C], f32 or f64: log-probabilities of C classes in T frames of N sequences
 *     targets          [N,S], i32: row n begins with the target's labels; what follows them is not looked at
 *     input_lengths    [N], i32, each in [0, T]: frames beyond them are not looked at, and have gradient 0
 *     target_lengths   [N], i32, each in [0, S]
 *     blank            the class that stands for no label, in [0, C)
 *     r                [N]
 *
 * Two equal labels side by side need a frame for a blank between them.  Where the frames do not suffice, and where every
 * path has a class of probability 0, r is infinite and its gradient NaN.  Of no frames and no labels r is 0.
 *
 * The sums are taken in double, in log space, forwards and backwards in time.  The gradient, minus the posterior probability
 * of each class in each frame, is that with respect to free log_probs: after tp_log_softmax it is the loss's gradient with
 * respect to the logits.  Derivatives of any order up to 7 are there.
 *
 * TP_BAD_VALUE at run time: a length out of range, a label outside [0, C), or a label that is the blank.
 * (Graves et al., "Connectionist Temporal Classification", ICML 2006.) */
TP_API tp_tensor tp_ctc_nll(tp_tensor log_probs, tp_tensor targets, tp_tensor input_lengths,
                            tp_tensor target_lengths, int64_t blank);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_ctc_nll(log_probs, ...) tp_ctc_nll(TP_HERE(log_probs), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
