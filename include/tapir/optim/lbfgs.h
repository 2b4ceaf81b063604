/* tapir/optim/lbfgs.h -- L-BFGS: for losses without noise, and where each evaluation is dear.
 *
 * Its steps depend on values, so it is no recorded update but a driver: it compiles loss and gradient, runs them at points of
 * its choice and writes the parameters.
 *
 *     tp_lbfgs lbfgs;
 *     tp_lbfgs_create(&lbfgs, loss, parameters, n, NULL);
 *     for (int k = 0; k < 100 && tp_lbfgs_step(&lbfgs) == TP_OK && lbfgs.stop < TP_LBFGS_GRADIENT; k++)
 *         printf("%g\n", lbfgs.loss);
 *     tp_lbfgs_destroy(&lbfgs);
 */
#ifndef TAPIR_OPTIM_LBFGS_H
#define TAPIR_OPTIM_LBFGS_H

#include <tapir/program.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tp_lbfgs_options {
    double learning_rate; /* the step that is tried first; default: 1 */
    int iterations;       /* of one call, at most; default: 20 */
    int evaluations;      /* of one call, after which no iteration begins; default: 5/4 of those */
    int history;          /* pairs kept; default: 10 */
    tp_optional_number gradient_tolerance; /* on the largest |g|; default: 1e-7 */
    tp_optional_number
        change_tolerance; /* on the largest change of a parameter, and of the loss; default: 1e-9 */
    bool fixed_step;      /* no line search: every step is learning_rate times the direction */
} tp_lbfgs_options;

/* Why a call of tp_lbfgs_step ended. */
typedef enum tp_lbfgs_stop {
    TP_LBFGS_ITERATIONS = 0, /* as many as the options allow */
    TP_LBFGS_EVALUATIONS,    /* the same */
    TP_LBFGS_GRADIENT,       /* largest |g| within the tolerance */
    TP_LBFGS_SLOPE,          /* the direction goes down by less than the tolerance */
    TP_LBFGS_CHANGE,         /* the parameters changed by no more than the tolerance */
    TP_LBFGS_LOSS            /* the loss changed by less than the tolerance */
} tp_lbfgs_stop;

typedef struct tp_lbfgs {
    double loss; /* at the start of the last call of tp_lbfgs_step */
    tp_lbfgs_stop stop;
    int64_t total_iterations, total_evaluations;
    /* The state, parameters on the tape, f64: to be saved and written back.  `vectors` has one row per vector: the last
     * direction, the last gradient, the pairs. */
    tp_tensor vectors, numbers;
    /* Private. */
    tp_lbfgs_options options;
    tp_tensor work, point;
    tp_program *evaluate, *gather, *scatter;
    int64_t n;
} tp_lbfgs;

/* Prepares *lbfgs for the parameters (as for the optimisers of tapir/optim.h; all elements together are one vector).  All
 * memory is in leaves on the tape: 2 history + 8 vectors of f64.  Random numbers in the loss are frozen, so that a line
 * search sees one function.  Returns the status, which is stored on the tape; on an error there is nothing to destroy. */
TP_API tp_status tp_lbfgs_create(tp_lbfgs *lbfgs, tp_tensor loss, const tp_tensor *parameters, int n,
                                 const tp_lbfgs_options *options);

/* Up to options.iterations iterations
 *
 *     d = -H g                    H by the two-loop recursion from the pairs s, y; -g in the very first iteration
 *     x = x + t d                 t by the line search, or the learning rate
 *     s = t d,  y = change of g   kept if s.y > 1e-10; the oldest pair goes when there are more than `history`
 *
 * starting with t = learning_rate, in the very first iteration learning_rate min(1, 1 / sum |g|).  The line search ensures
 * the strong Wolfe conditions with c1 = 1e-4 and c2 = 0.9: it brackets, then zooms, with cubic interpolation, in at most 25
 * evaluations.  Pairs and direction live on between calls, as in PyTorch's LBFGS, whose steps these are.  Inputs may be written
 * between calls.
 *
 * TP_NOT_FINITE when loss or gradient are not finite at the start or wherever the line search ended; that, and a run that
 * fails, leave the parameters as they were before the call.  (Nocedal and Wright, "Numerical Optimization", 2nd ed., 2006,
 * algorithms 3.5, 3.6, 7.4.) */
TP_API tp_status tp_lbfgs_step(tp_lbfgs *lbfgs);

/* NULL, and what was never prepared but zeroed, are ignored. */
TP_API void tp_lbfgs_destroy(tp_lbfgs *lbfgs);

#ifndef TP_NO_PLACE
#define tp_lbfgs_create(lbfgs, loss, ...) tp_lbfgs_create(lbfgs, TP_HERE(loss), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
