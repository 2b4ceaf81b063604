/* golden_losses.h -- runs the golden cases of a family of losses: values, gradients, Hessian-vector products; in f64, on
 * permuted views, and in f32.
 *
 * A family's test lists every loss of its file with its number of cases; a loss that is not listed fails the test, and so
 * does a number that is not the file's.
 */
#ifndef TAPIR_TESTS_GOLDEN_LOSSES_H
#define TAPIR_TESTS_GOLDEN_LOSSES_H

#include <tapir/losses.h>

#include "golden.h"

/* One case being recorded. */
typedef struct golden_run golden_run;

/* The input of that name, of the run's dtype (i32 for an i64 block), or an absent tensor.  Each is asked for once. */
tp_tensor golden_operand(golden_run *r, const char *name);

/* The case, for its options; the tape. */
const golden_case *golden_case_of(const golden_run *r);
tp_tape *golden_tape_of(const golden_run *r);

/* The option `reduction`; TP_MEAN when there is none. */
tp_reduction golden_reduction(const golden_run *r);

/* {true, the option}. */
tp_optional_number golden_optional(const golden_run *r, const char *key);

typedef struct golden_loss {
    const char *op;
    tp_tensor (*record)(golden_run *r);
    int cases;
    double f32;             /* what to ask of f32; 0: 3e-6, relative to at least 1 */
    const char *deviation;  /* a case whose value is 0 here and NaN in the file: an empty mean */
    const char *beyond_f32; /* words of cases' names that f32 cannot hold, separated by blanks; NULL: none */
} golden_loss;

/* Runs every case of tests/golden/<file>; `second_order` of them have Hessian-vector products. */
void golden_run_losses(const char *file, const golden_loss *loss, int n, int second_order);

#endif
