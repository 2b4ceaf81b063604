/* tapir/losses/sequence.h -- losses of labels whose places in a sequence are not known, and how well they were read.  The
 * conventions are in tapir/losses.h; r has one number per sequence.
 */
#ifndef TAPIR_LOSSES_SEQUENCE_H
#define TAPIR_LOSSES_SEQUENCE_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Connectionist temporal classification ------------------------------------------------------------- */

typedef struct tp_ctc_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per sequence, [N] */
    int64_t blank;          /* the class that stands for no label; default: 0 */
    bool zero_infinity; /* an infinite r, of a target that no path stands for, becomes 0, with gradient 0 */
    bool by_length;     /* r is divided by the number of labels (by 1 if there are none) */
} tp_ctc_options;

/* Connectionist temporal classification, CTC: with lp = log_softmax(logits) over the classes
 *
 *     r[n] = -log of the sum, over all paths that stand for the target, of the product of e^lp along the path
 *
 * A path has one class for each frame; it stands for what is left when its repeats are merged and then its blanks dropped.
 *
 *     logits           [T,N,C], f32 or f64: T frames of N sequences, C classes
 *     targets          [N,S], i32: row n begins with the target's labels; what follows them is not looked at
 *     input_lengths    [N], i32, each in [0, T]: frames beyond them take no part, even where they are NaN
 *     target_lengths   [N], i32, each in [0, S]; a target may be empty
 *
 * A target of L labels needs L frames, and one more between equal neighbours: r is infinite where there are fewer, and its
 * gradient NaN, unless .zero_infinity is set.  Of no frames and no labels r is 0.  A length out of range, and a label
 * outside [0, C) or equal to the blank, end the run with TP_BAD_VALUE and name their element.
 *
 * As everywhere TP_MEAN divides by the number of sequences (or the sum of their weights).  PyTorch's "mean" also divides
 * each r by its target's length: that is TP_MEAN with .by_length.
 * (Graves et al., "Connectionist Temporal Classification", ICML 2006.) */
TP_API tp_tensor tp_ctc(tp_tensor logits, tp_tensor targets, tp_tensor input_lengths,
                        tp_tensor target_lengths, const tp_ctc_options *options);

/* The same of log-probabilities, taken as they are: they need not sum to 1, and the gradient with respect to them is the
 * true one, minus the posterior probability of each class in each frame (PyTorch's is one to be passed through log_softmax). */
TP_API tp_tensor tp_ctc_log_probs(tp_tensor log_probs, tp_tensor targets, tp_tensor input_lengths,
                                  tp_tensor target_lengths, const tp_ctc_options *options);

/* ---- Evaluation: functions of plain arrays ------------------------------------------------------------- */

/* Greedy decoding: what the path of the best classes stands for, repeats merged and blanks dropped.  The best class of frame
 * t is best[t * stride]; for sequence n of tp_argmax_over(logits, TP_AXES(2), false), which is [T,N], that is `best + n` with stride N.  Writes
 * at most `frames` labels and returns how many; labels may be `best` itself if the stride is 1. */
TP_API int64_t tp_ctc_greedy(const int32_t *best, int64_t frames, int64_t stride, int32_t blank,
                             int32_t *labels);

/* How many labels must at least be inserted, deleted or replaced to make a[0..n) into b[0..m) (Levenshtein).  The label error
 * rate of a set of sequences is the sum of the distances between decoded and target, divided by the sum of the targets'
 * lengths.  `scratch` has room for m + 1 numbers. */
TP_API int64_t tp_edit_distance(const int32_t *a, int64_t n, const int32_t *b, int64_t m, int64_t *scratch);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_ctc(logits, ...)              tp_ctc(TP_HERE(logits), __VA_ARGS__)
#define tp_ctc_log_probs(log_probs, ...) tp_ctc_log_probs(TP_HERE(log_probs), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
