/* random_graph.h -- seeded random graphs of ops, as lists of instructions that can be recorded on any tape.
 *
 * Values stay finite and small, and the point stays away from kinks, so that the loss can be compared with
 * differences.  Untaken branches may be NaN or infinite; residuals may be exactly 0; sizes may be 0.
 */
#ifndef TAPIR_TESTS_RANDOM_GRAPH_H
#define TAPIR_TESTS_RANDOM_GRAPH_H

#include "values.h"

enum { GRAPH_MAX = 64, GRAPH_ELEMENTS = 96 };

typedef enum instruction_kind {
    I_LEAF,
    I_CONSTANT,
    I_UNARY,     /* p[0]: which; number: its parameter */
    I_BINARY,    /* p[0]: which */
    I_WHERE,     /* where(x0 > x1, x2, x3) */
    I_GUARDED,   /* where(x0 > number, f(x0), 0), f singular below; p[0]: which */
    I_REDUCTION, /* p[0]: which; axes; keepdims: p[1] */
    I_ALONG,     /* softmax, running sums, ...; p[0]: which; p[1]: axis */
    I_RESHAPE,   /* to shape */
    I_PERMUTE,   /* axes */
    I_SLICE,     /* p: axis, start, stop, step */
    I_EXPAND,    /* to shape */
    I_SUM_TO,    /* to shape */
    I_CONCAT,    /* x0, x1 (and x0 again if p[1]); p[0]: axis */
    I_MATMUL,
    I_SOURCE,   /* x0 times an iota or a full; p[0]: which */
    I_ARRANGE,  /* flip, roll, pad, ... and picking by index; p[0]: which; p[1]: axis; p[2], p[3]: amounts */
    I_LINALG,   /* x0, and perhaps x1, in a system or a factorization; p[0]: which */
    I_FUNCTION, /* an elementwise function of x0, and perhaps x1; p[0]: which; number: its parameter */
    I_IMAGES, /* x0 convolved with x1, pooled or resized; p[0]: which; p[1], p[2], p[3]: strides, padding, sizes */
    I_KINDS
} instruction_kind;

/* Of the variants of I_FUNCTION: those of one operand come first. */
enum { FUNCTIONS_OF_ONE = 35, FUNCTIONS = 40 };

/* Of those of I_IMAGES: those of two operands, which come first; then the maximum pooling, which has kinks. */
enum { IMAGES_OF_TWO = 4, IMAGES = 9 };

typedef struct instruction {
    instruction_kind kind;
    int n, x[4];
    int64_t p[4];
    double number;
    tp_axes axes;
    tp_shape shape; /* of the result */
} instruction;

typedef struct random_graph {
    uint64_t seed;
    int n;
    instruction at[GRAPH_MAX];
    double value[GRAPH_MAX][GRAPH_ELEMENTS]; /* at the point */
    bool used[GRAPH_MAX];
} random_graph;

void make_graph(random_graph *graph, uint64_t seed);

/* One instruction on a tape; x are the values so far, by instruction. */
tp_tensor record_instruction(const random_graph *graph, int i, const tp_tensor *x, tp_tape *tape,
                             tp_dtype dtype);

/* An I_FUNCTION of the operands x[0] and x[1]. */
tp_tensor record_function(const instruction *i, const tp_tensor *x);

/* An I_IMAGES, and whether small steps leave the maxima of its pooling where they are. */
tp_tensor record_images(const instruction *i, const tp_tensor *x);
bool images_are_safe(const instruction *i, tp_tensor x, double margin);

/* All of them, in the order of `order` (NULL: as they are). */
void record_graph(const random_graph *graph, tp_tape *tape, tp_dtype dtype, const int *order, tp_tensor *x);

/* Another order in which operands still come before their users. */
void shuffle_graph(const random_graph *graph, uint64_t seed, int *order);

/* Weighted sum of everything that nothing else uses. */
tp_tensor graph_loss(const random_graph *graph, const tp_tensor *x);

/* The leaves that have elements, at most `most`. */
int graph_leaves(const random_graph *graph, const tp_tensor *x, tp_tensor *leaf, int most);

#endif
