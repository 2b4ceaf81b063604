/* tapir/check.h -- is this derivative right?
 *
 *     tp_check_report report;
 *     if (!tp_check_gradient(my_loss, &data, (tp_tensor[]){prediction, target}, 2, NULL, &report))
 *         fprintf(stderr, "%s\n", report.message);
 *
 * prints, for example,
 *
 *     gradient of x[0] at [3,1] is 0.52, but finite differences give 1.04 +- 3e-10; op at fault: my_square at
 *     loss.c:17
 *
 * How it works.  The function is recorded again on a scratch tape, where f32 becomes f64 (tp_dtype_on), random
 * numbers are the same in every run, and nothing is assigned; your tape is left alone.  There it is differentiated,
 * and every partial derivative is compared with the slope of the function itself:
 *
 *  - The slope of f at 0, with f(t) = function(x + t d), comes from central differences
 *    D(h) = (f(h) - f(-h)) / 2h at h, h/2, h/4, ..., extrapolated to h = 0 (Richardson, Phil. Trans. A 226, 1927;
 *    with the choice of steps and the error estimate of Ridders, Advances in Engineering Software 4, 1982).  Steps
 *    start relative to |x| and at absolute sizes, from very large to very small, and the estimate with the smallest
 *    error bar wins, among estimates that contradict each other the one from smaller steps.
 *  - The error bar is twice the last change of the extrapolation (truncation), plus the round-off of f carried
 *    through it.  The round-off is at least that of the numbers f was added up from; where it matters it is measured,
 *    by f at very close points (in the spirit of More and Wild, SIAM J. Sci. Comput. 33, 2011).  Differences that do
 *    not converge as h goes to 0 give no estimate.
 *  - Left and right slopes are extrapolated in the same way from one-sided differences.  Where they differ by more
 *    than their error bars there is a kink, and every value between them is right.  Where f is NaN or infinite on
 *    one side, only the other counts.  Where f jumps, the slopes are those beside the jump.
 *
 * What is judged.  With analytic derivative a, slopes low <= high (equal where smooth), error bar b, and
 * tolerance r, an element
 *
 *     fails            when a is NaN, or further from [low, high] than b + r max(|a|, |low|, |high|): also a small
 *                      element in the company of large ones must be right in itself.
 *     passes           when it does not fail, and the estimate is precise enough to tell right from wrong:
 *                      b <= max(r, 1e-3) max(|a|, |low|, |high|), or b <= r times the largest |a| of all elements.
 *                      Or when it does not matter: a relative change of x changes f, by a or by b, less than 4e-9 of
 *                      the numbers that f is computed from.
 *     is inconclusive  otherwise: f is too noisy, not finite around x, or has an infinite slope there.
 *
 * Two kinds of rounding are forgiven besides: that of a, as measured by moving x by one unit in the last place (at
 * most r times the largest element); and that of numbers on the way to f, times their adjoints, divided by the smallest
 * step.  What would fail but for the latter is inconclusive.
 *
 * The verdict is "failed" if an element failed, else "inconclusive" if one was inconclusive, else "passed".
 *
 * Results of any shape.  A result of one element is differentiated as it is.  Any other is weighted: the check is
 * about sum c[i] y[i] with fixed pseudo-random weights c, |c| in 0.5 .. 1.5.
 *
 * Large inputs.  With more than max_elements elements in all, slopes are taken along random directions over all
 * elements (+1 or -1 times the typical size of x, or times |x| where that fails), and for a sample of single
 * elements.  Elements where the gradient jumps at x (a kink) stay out of the directions; some of them are in the
 * sample.  When a direction fails it is halved again and again until the element is found.
 *
 * Second derivatives (.second): with a fixed pseudo-random v, s = sum v[i] g[i] of the gradient g is again a function
 * of x.  Its gradient, the Hessian times v, is judged in the same way.
 *
 * tp_stop_gradient means that no gradient passes, so finite differences keep what it yields fixed, too.  An op whose
 * derivative is zero by convention (comparisons, sign) is right away from its jumps, where its slope is zero.
 *
 * The op at fault.  When the check fails, every op between x and the result is checked by itself in the same way, at
 * the values its operands have there, first to last.  The first that fails is named, with scopes and your line.
 *
 * Ops that have only an f32 kernel cannot be recorded in f64; then the whole check is repeated in f32, with a
 * default tolerance of 1e-3.
 */
#ifndef TAPIR_CHECK_H
#define TAPIR_CHECK_H

#include <tapir/op.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tp_verdict {
    TP_CHECK_ERROR = 0,    /* could not be checked: see status */
    TP_CHECK_FAILED,       /* a derivative is wrong */
    TP_CHECK_INCONCLUSIVE, /* none is known to be wrong, but some could not be judged */
    TP_CHECK_PASSED
} tp_verdict;

/* "error", "failed", "inconclusive", "passed"; never NULL. */
TP_API const char *tp_verdict_name(tp_verdict verdict);

typedef struct tp_check_options {
    double tolerance;     /* r above, below 1; default 1e-6 (1e-3 when checked in f32) */
    int64_t max_elements; /* above this, directions and a sample; default 200 */
    int directions;       /* how many; default 16 */
    bool second;          /* second derivatives too */
    uint64_t seed;        /* of directions, samples and weights */
    const bool *wrt;      /* wrt[k]: check x[k]; NULL: every x that is f32 or f64 */
} tp_check_options;

#define TP_CHECK_MESSAGE 1024

typedef struct tp_check_report {
    tp_verdict verdict;
    /* TP_OK when there is a verdict.  With TP_CHECK_ERROR: why not.  With TP_CHECK_FAILED not TP_OK when a derivative
     * rule could not even be recorded, e.g. yields a wrong shape. */
    tp_status status;
    int64_t checked, failed, inconclusive; /* elements and directions, of first and second derivatives */
    bool second;                           /* second derivatives were checked */
    bool single;                           /* checked in f32, for want of f64 kernels */

    /* The worst of them.  order 0: nothing was checked. */
    int order;       /* 1: gradient, 2: second derivative */
    int x;           /* which x; for tp_op_verify the number of operands stands for the adjoint */
    int64_t element; /* in row-major order; -1: a direction over all elements */
    double analytic;
    double numeric;   /* the slope; at a kink that value between both slopes which is nearest to `analytic` */
    double low, high; /* left and right slopes, the smaller first; equal where smooth */
    double error_bar; /* infinite when there is no estimate */

    /* The op at fault; fault_op is NULL when nothing failed, or no single op can be blamed. */
    const char *fault_op; /* its name: lives as long as the op */
    const char *fault_in; /* when it was recorded by a derivative rule: that op's name; else NULL */
    char fault_scope[128];
    const char *fault_file; /* NULL when unknown */
    int fault_line;

    char message[TP_CHECK_MESSAGE]; /* the verdict in words; never empty */
} tp_check_report;

/* Records a loss from its arguments, which it finds in x[0..n): leaves on the checker's tape, x[0].tape, with the
 * shapes and values of the tensors that were given to the check.  It must record on that tape only, the same each
 * time (it may be called more than once), and returns the result, f32 or f64 of any shape. */
typedef tp_tensor (*tp_loss_function)(const tp_tensor *x, void *user);

/* Check the gradient of a function at the values of x[0..n): leaves, or outputs of a program that has run.  Those
 * that are f32 or f64 are varied, i32 ones are constants.
 *
 * Returns true when the verdict is "passed", and only then.  `options` NULL: all defaults.  `report` may be NULL.
 * Errors are in the report and not on the tape (but for reading an x that has no values). */
TP_API bool tp_check_gradient(tp_loss_function function, void *user, const tp_tensor *x, int n,
                              const tp_check_options *options, tp_check_report *report);

/* The same for a tensor that is already recorded, of any shape, with respect to wrt[0..n): leaves or tensors in
 * between (then what they were computed from does not vary).  All leaves that it needs must have values. */
TP_API bool tp_check_recorded(tp_tensor loss, const tp_tensor *wrt, int n, const tp_check_options *options,
                              tp_check_report *report);

/* Check a single op, yours or a built-in one, at the values of the operands x[0..n):
 *
 *  - its rule yields contributions of the right dtype and shape, the same whichever operands need one;
 *  - they are linear in the adjoint: rule(a g + b h) = a rule(g) + b rule(h);
 *  - they agree with finite differences, by sign, size and position; and so does the rule of the rule by operands
 *    and adjoint, unless it has none: that is no fault, and report->second tells;
 *  - equal calls of the kernel write the same bits, and every element;
 *  - the f32 kernel agrees with the f64 one, where the op has both: within 64 units of f32's last place (of the element
 *    for a map, of the largest element otherwise), and 16 times what rounding the operands to f32 changes.
 *
 * `attr` as for tp_record.  options->wrt picks operands; options->second is taken as set. */
TP_API bool tp_op_verify(const tp_op *op, const tp_tensor *x, int n, const void *attr,
                         const tp_check_options *options, tp_check_report *report);

#ifdef __cplusplus
}
#endif

#endif
