/* golden_ops.h -- runs the golden cases of a family of ops: outputs, gradients, Hessian-vector products.
 *
 * A family's test lists every operation of its file: those with a builder, and those that do not exist yet.  An
 * operation in neither list fails the test.
 */
#ifndef TAPIR_TESTS_GOLDEN_OPS_H
#define TAPIR_TESTS_GOLDEN_OPS_H

#include "golden.h"
#include "values.h"

enum { GOLDEN_MAX_TENSORS = 8 };

/* One case being recorded.  x[k] is the k-th input of the file: f64, or i32 for an i64 block. */
typedef struct golden_record {
    const golden_case *c;
    tp_tape *tape;
    int n;
    tp_tensor x[GOLDEN_MAX_TENSORS];
    tp_tensor out[GOLDEN_MAX_TENSORS]; /* to be filled, in the order of the file's `out` blocks */
} golden_record;

typedef struct golden_op {
    const char *op;
    void (*build)(golden_record *r); /* NULL: there is no such op yet */
    tp_tensor (*unary)(tp_tensor x); /* instead of a builder */
    tp_tensor (*binary)(tp_tensor a, tp_tensor b);
} golden_op;

/* The input of that name, or an absent tensor. */
tp_tensor golden_input(const golden_record *r, const char *name);

/* Reduction options: the case's `axes` (all of them for the word all) and `keepdim`. */
tp_axes golden_axes(const golden_record *r);

/* Runs every case of tests/golden/<file> and prints how many.  Fails when a case does, when there are fewer than
 * `least`, or when an operation is not listed. */
void golden_run_ops(const char *file, const golden_op *op, int n, int least);

#endif
