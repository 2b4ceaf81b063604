/* checker.h -- what the parts of the gradient checker share.
 *
 *     scratch.c     the scratch tape: variables with values, the function recorded on it
 *     replay.c      recorded nodes, recorded again (on another tape, or with some kept fixed)
 *     objective.c   something to be differentiated there: its values, and its derivative as recorded
 *     magnitude.c   how large the numbers are that it is computed with
 *     curve.c       it along a line
 *     difference.c  the slope of a curve
 *     judge.c       derivative against slope, element by element
 *     fault.c       which op is wrong
 *     check.c       whole checks: tp_check_gradient
 *     words.c       verdicts in words
 *     recorded.c    tp_check_recorded
 *     verify.c      tp_op_verify
 *     first_use.c   the verification of a user's op when it is first recorded
 */
#ifndef TAPIR_SRC_CHECKER_H
#define TAPIR_SRC_CHECKER_H

#include <tapir/check.h>

#include "difference.h"
#include "tape.h"

/* ---- Settings -------------------------------------------------------------------------------------- */

/* The caller's options with their defaults. */
typedef struct tp__settings {
    double tolerance;
    int64_t max_elements;
    int directions;
    bool second;
    bool single;       /* record in f32 as it is */
    bool with_adjoint; /* second derivatives by the weights, too: for a single op */
    uint64_t seed;
    const bool *wrt;
} tp__settings;

/* ---- Scratch tape ---------------------------------------------------------------------------------- */

typedef struct tp__variable {
    tp_tensor leaf;
    bool checked;
    void *live;    /* the leaf's memory */
    double *point; /* where the check takes place; NULL for i32 */
    int64_t count;
    int64_t first; /* number of its element 0 among all checked elements */
    double scale;  /* root mean square of the point, or 1 */
} tp__variable;

typedef struct tp__scratch {
    const tp__settings *settings;
    tp_tape *tape;
    tp__arena arena; /* on the caller's allocator; freed at once */
    tp__variable *x; /* n of the caller's, then that of the weights */
    tp_tensor *leaf; /* the leaves of x, as the function gets them */
    int n;
    tp_tensor y;
    int64_t weights; /* elements of y; 0: it has one, and needs no weight */
    double *weight;
    double epsilon;
    uint64_t random;
    tp_status status; /* why not; the message goes with it */
    char message[TP__MESSAGE];
} tp__scratch;

/* Makes the tape, with a leaf for each x.  The scratch must be destroyed even when this fails (returns false). */
bool tp__scratch_create(tp__scratch *s, const tp__settings *settings, const tp_tensor *x, int n);
void tp__scratch_destroy(tp__scratch *s);

/* Records the function, and adds the weights of its result to the variables. */
bool tp__scratch_record(tp__scratch *s, tp_loss_function function, void *user);

/* Stores why the check cannot go on (the first reason stays); returns false. */
bool tp__scratch_fail(tp__scratch *s, tp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool tp__scratch_fail_with_tape(tp__scratch *s); /* the tape's message */
bool tp__out_of_memory(tp__scratch *s);

double *tp__numbers(tp__scratch *s, int64_t count); /* zeros from the arena; NULL: out of memory, stored */
double tp__random(tp__scratch *s);                  /* in [0, 1) */
double tp__random_sign(tp__scratch *s);

/* Writes x = point[i] + t into the leaf; returns the step really made. */
double tp__move(const tp__variable *x, int64_t i, double t);

static inline bool tp__is_float(tp_dtype dtype)
{
    return dtype == TP_F32 || dtype == TP_F64;
}

/* An op that keeps its operand and declares its derivative zero: tp_stop_gradient.  Finite differences hold it
 * fixed. */
static inline bool tp__stops_gradient(const tp_op *op)
{
    return op->kind == TP_VIEW && op->vjp == tp_zero_derivative;
}

/* ---- Replay ---------------------------------------------------------------------------------------- */

typedef struct tp__replay {
    const tp_tape *from;
    tp_tape *to;
    tp_tensor *map; /* by id on `from`; what has a tape is used instead of that node */
} tp__replay;

/* Records again on `to` all that node `id` needs.  Nodes none of whose operands change stay when both tapes are one.
 * False after storing an error on `to`. */
bool tp__replay_node(const tp__replay *r, int32_t id);

/* needed[id] for all nodes that the tensors need. */
void tp__mark_needed(const tp_tape *tape, const tp_tensor *tensor, int n, bool *needed);

/* active[id], false before, for those that depend on a checked variable among the first, by floats all the way. */
void tp__mark_active(const tp__scratch *s, int variables, bool *active);

/* ---- Objective ------------------------------------------------------------------------------------- */

/* One of the tensors whose weighted sum is differentiated. */
typedef struct tp__part {
    tp_tensor tensor; /* differentiated */
    tp_tensor value;  /* evaluated: the same with stopped gradients held fixed */
    tp_dtype dtype;
    int64_t count;
    const double *weight;
    void *base; /* its values at the point, as they are in memory */
} tp__part;

typedef struct tp__objective {
    tp__scratch *scratch;
    int order; /* 1: the function, 2: its gradient times a direction */
    tp__part *part;
    int parts;
    int variables;       /* which of scratch->x are differentiated: those checked among the first */
    int64_t total;       /* elements in all */
    tp_tensor *gradient; /* by variable; absent where it is not checked */
    tp_program *values, *slopes;
    double *analytic;   /* the derivative as recorded, by element */
    double *jitter;     /* its round-off */
    double typical;     /* the largest finite |analytic| */
    double sensitivity; /* the largest |adjoint of u| |u| of all numbers u that depend on the variables */
    double adjoint_magnitude; /* the largest |adjoint of u| */
    bool undefined;           /* a value of the parts is NaN at the point */
} tp__objective;

/* Order 1 from the recorded function; order 2 from the objective of order 1.  False: see scratch->status, except that
 * `*rule` says that a derivative rule is to blame. */
bool tp__objective_first(tp__objective *o, tp__scratch *s, bool *rule);
bool tp__objective_second(tp__objective *o, const tp__objective *first, bool *rule);
void tp__objective_destroy(tp__objective *o);

/* Computes `analytic` at the point, or with every element moved by one unit in the last place, into `out`. */
bool tp__objective_gradient(tp__objective *o, double *out);

/* The slope at the point: of element i of variable x alone, or along a direction (by element) of which only elements
 * first .. last - 1 move. */
bool tp__slope_of_element(tp__objective *o, int x, int64_t i, tp__goal goal, tp__slope *slope);
bool tp__slope_along(tp__objective *o, const double *direction, int64_t first, int64_t last, tp__goal goal,
                     tp__slope *slope);

/* Moves all leaves to point + t direction; NULL: back to the point. */
void tp__move_along(const tp__objective *o, const double *direction, double t);

/* The variable of an element, and its number there. */
int tp__variable_of(const tp__objective *o, int64_t *element);

/* ---- Magnitudes ------------------------------------------------------------------------------------ */

double tp__element(const void *data, tp_dtype dtype, int64_t i);

/* Compiles and runs once; NULL after storing why not. */
tp_program *tp__compile_and_run(tp__scratch *s, const tp_tensor *outputs, int n);

/* Handles of all nodes that `roots` need and `pick` picks; *n their number.  NULL: out of memory. */
tp_tensor *tp__list_needed(tp__scratch *s, const tp_tensor *roots, int root_count,
                           bool (*pick)(const tp__node *), int *n);
/* Raises o->sensitivity and o->adjoint_magnitude to those of one part. */
bool tp__measure_sensitivity(tp__objective *o, tp_tensor part, tp_tensor weight);

/* ---- Judging --------------------------------------------------------------------------------------- */

/* Judges all elements, or directions and a sample; adds to the report's counts, and keeps the worst there, *badness
 * telling how bad.  False when it could not go on. */
bool tp__judge(tp__objective *o, tp_check_report *report, double *badness);

/* ---- Fault ----------------------------------------------------------------------------------------- */

/* Fills the fault fields of the report with the first op, among those that the tensors need and that depend on the
 * variables, whose own rule is wrong.  If there is none and `second`, the first whose rule's rule is wrong. */
void tp__find_fault(tp__scratch *s, const tp_tensor *tensor, int n, bool second, tp_check_report *report);

/* ---- Whole checks ---------------------------------------------------------------------------------- */

/* A report that says nothing yet. */
tp_check_report *tp__start_report(tp_check_report *report);

/* The verdict "error", with a message; returns false. */
bool tp__report_error(tp_check_report *report, tp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The settings with their defaults; false when an option makes no sense, or x[0..n) cannot be checked: the report has
 * the error, which begins with `name`. */
bool tp__prepare(tp__settings *settings, const tp_check_options *options, const tp_tensor *x, int n,
                 const char *name, tp_check_report *report);

/* One check.  `blame`: look for the op at fault.  The report gets a message only if it is an error. */
void tp__check_once(tp_loss_function function, void *user, const tp_tensor *x, int n,
                    const tp__settings *settings, bool blame, tp_check_report *report);

/* The same in f64 and, when that cannot be recorded, in f32. */
void tp__check_either(tp_loss_function function, void *user, const tp_tensor *x, int n,
                      const tp__settings *settings, bool blame, tp_check_report *report);

/* A single op as a function: a tp_loss_function, and what its `user` points to. */
typedef struct tp__subject {
    const tp_op *op;
    const void *attr;
    int n;
} tp__subject;
tp_tensor tp__record_subject(const tp_tensor *x, void *user);

/* Puts the verdict into words: the report's message, which begins with `subject`. */
void tp__describe_verdict(tp_check_report *report, const char *subject, const tp_tensor *x, int n);

#endif
