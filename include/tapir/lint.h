/* tapir/lint.h -- what commonly goes wrong with a loss, said before it is trained.
 *
 *     tp_lint_report report;
 *     if (tp_lint(loss, parameters, n, &report) != 0)
 *         fputs(report.message, stderr);
 *
 * prints, for example,
 *
 *     the softmax of a softmax: leave one out (cross_entropy takes logits) at train.c:31
 *
 * A remark is about what is recorded, and is no error: the loss can be compiled and run.  What is looked at:
 *
 *  - TP_LINT_CONSTANT: the loss depends on none of the parameters.
 *  - TP_LINT_UNREACHED: it does not depend on this one.
 *  - TP_LINT_NO_GRADIENT: it does, but no gradient arrives: every way between them passes an op whose derivative is zero
 *    (rounding, comparisons, argmax, tp_stop_gradient), or one that has none.
 *  - TP_LINT_BROADCAST: a prediction and a target of as many elements, but of different rank, such as [n,1] and [n], became
 *    [n,n].  (The losses of tapir/losses.h refuse that; this is about your own.)
 *  - TP_LINT_SOFTMAX_TWICE: softmax, or a loss that takes logits, of what softmax made.
 *  - TP_LINT_PROBABILITIES: a sigmoid, or a loss that takes logits, of what a sigmoid made; a softmax of it.
 *  - TP_LINT_EMPTY: a sum over no elements; or the loss divides by a number that is 0 for what is in the leaves now, such as the
 *    sum of weights that are all 0, or the number of targets of which all are ignored.  (Only when all leaves that this number
 *    needs have values.)
 */
#ifndef TAPIR_LINT_H
#define TAPIR_LINT_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tp_lint_kind {
    TP_LINT_CONSTANT = 1,
    TP_LINT_UNREACHED,
    TP_LINT_NO_GRADIENT,
    TP_LINT_BROADCAST,
    TP_LINT_SOFTMAX_TWICE,
    TP_LINT_PROBABILITIES,
    TP_LINT_EMPTY
} tp_lint_kind;

#define TP_LINT_MOST 16
#define TP_LINT_TEXT 240

typedef struct tp_lint_remark {
    tp_lint_kind kind;
    int parameter;    /* which of them it is about; -1: none of them */
    const char *file; /* where the op or the parameter was recorded; NULL when unknown */
    int line;
    char text[TP_LINT_TEXT]; /* in words, with scopes and the place */
} tp_lint_remark;

typedef struct tp_lint_report {
    tp_status status; /* TP_OK, or why the loss could not be looked at */
    int count;        /* remarks: the first TP_LINT_MOST are below */
    tp_lint_remark remark[TP_LINT_MOST];
    char message[TP_LINT_MOST * TP_LINT_TEXT]; /* all of them, a line each; or the error */
} tp_lint_report;

/* Looks at a loss of one element with respect to parameters[0..n); NULL and 0: all f32 and f64 parameters that were made before
 * the loss.  Returns the number of remarks; -1 if the loss or a parameter is invalid, the loss has not one element or is an assignment, or memory
 * runs out (the report says so, the tape's status stays as it is).  The tape is left as it was; nothing is written.  `report`
 * may be NULL. */
TP_API int tp_lint(tp_tensor loss, const tp_tensor *parameters, int n, tp_lint_report *report);

#ifdef __cplusplus
}
#endif

#endif
