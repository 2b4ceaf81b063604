/* op_rows.h -- one row, or several, for every constructor of tapir/ops/: what the walks over all ops use.
 *
 * A new op needs a row here; tests/ops/test_walk.c fails when a constructor or an op has none.
 */
#ifndef TAPIR_TESTS_OP_ROWS_H
#define TAPIR_TESTS_OP_ROWS_H

#include "values.h"

enum {
    ROW_MAP = 1,            /* its operands broadcast against each other */
    ROW_I32 = 2,            /* takes i32 as well, and yields integers of integers */
    ROW_NO_DIFFERENCES = 4, /* its derivative is not that of its value (stop_gradient) */
    ROW_ROUNDS = 8,         /* goes through f32: differences are coarse; it is linear */
    ROW_RANDOM = 16,        /* its numbers depend on the dtype */
    ROW_ASKS = 32,          /* its builder asks an operand for its dtype: only for valid ones */
    ROW_ABSOLUTE = 64 /* where its value is below 1, its error is counted in units of the last place of 1 */
};

typedef struct op_row {
    const char *constructor; /* as in the header: "tp_add" */
    const char *variant;     /* what is special about this row, or NULL */
    int n;                   /* operands */
    tp_tensor (*build)(const tp_tensor *x, const struct op_row *row);
    tp_shape shape[3];
    double low, high; /* where operands are sampled */
    double kink[2];   /* operands keep away from these */
    int kinks;
    unsigned flags;

    /* Of a map: the value of one element, by libm; one of these. */
    double (*value1)(double x);
    double (*value2)(double a, double b);
    double (*value3)(double a, double b, double c);

    /* Which function, for rows that share a builder. */
    tp_tensor (*unary)(tp_tensor x);
    tp_tensor (*binary)(tp_tensor a, tp_tensor b);
    tp_tensor (*over)(tp_tensor x, tp_axes axes, bool keepdims);
    tp_tensor (*along)(tp_tensor x, int axis);
    tp_axes axes;
    bool keepdims;
    int correction;
} op_row;

/* All of them. */
const op_row *op_rows(int *count);

/* "tp_sum_over (axes 0,2)" */
const char *row_name(const op_row *row, char text[128]);

/* value1, value2 or value3 of a map's operands. */
bool row_has_value(const op_row *row);
double row_value(const op_row *row, const double *x);

/* Is `got` within 4 units in the last place of `expected` (of 1 where ROW_ABSOLUTE says so)? */
bool row_value_fits(const op_row *row, tp_dtype dtype, double got, double expected);

/* What the files op_rows_*.c add theirs to. */
enum { OP_ROWS_MAX = 1024 };
typedef struct op_row_table {
    op_row row[OP_ROWS_MAX];
    int n;
} op_row_table;
void add_row(op_row_table *table, op_row row);
void add_map_rows(op_row_table *table);
void add_function_rows(op_row_table *table);
void add_reduction_rows(op_row_table *table);
void add_structure_rows(op_row_table *table);
void add_indexing_rows(op_row_table *table);
void add_ordering_rows(op_row_table *table);
void add_arrange_rows(op_row_table *table);
void add_random_rows(op_row_table *table);
void add_linalg_rows(op_row_table *table);
void add_mode_rows(op_row_table *table);
void add_convolution_rows(op_row_table *table);
void add_sequence_rows(op_row_table *table);

/* ---- Sampling ---------------------------------------------------------------------------------------- */

/* Values for all operands of a graph: all different by a safe distance, and away from the row's kinks, so that
 * differences do not cross one.  `total` is how many will be drawn. */
typedef struct sampler {
    generator random;
    const op_row *row;
    int64_t total, drawn;
    int64_t order[VALUES_MAX];
} sampler;

void start_sampler(sampler *s, const op_row *row, int64_t total, uint64_t seed);
void draw_values(sampler *s, double *values, int64_t n);

/* ---- Operands in all forms --------------------------------------------------------------------------- */

typedef enum operand_form {
    FORM_LEAF,
    FORM_INTERIOR,     /* leaf + 0.05 leaf^3 */
    FORM_PERMUTED,     /* axes in reverse */
    FORM_SLICED,       /* every second element along every axis */
    FORM_EXPANDED,     /* every second axis repeats one element */
    FORM_RESHAPED,     /* from a flat leaf */
    FORM_CONCATENATED, /* leaf and leaf, sliced back to the first */
    FORM_FLIPPED,      /* every axis backwards */
    FORMS
} operand_form;

const char *form_name(operand_form form);

/* The shape of the leaf that make_operand makes. */
tp_shape leaf_shape_for(operand_form form, tp_shape shape);

/* An operand of `shape` over a new leaf (*leaf), or over a constant, with values from the sampler. */
tp_tensor make_operand(tp_tape *tape, operand_form form, tp_dtype dtype, tp_shape shape, sampler *s,
                       bool constant, tp_tensor *leaf);

/* ---- A row as a loss --------------------------------------------------------------------------------- */

/* sum(weight y) + sum(y^2) / 2: every element of y has an adjoint of its own, which depends on the operands. */
tp_tensor loss_of(tp_tensor y, uint64_t seed);

#endif
