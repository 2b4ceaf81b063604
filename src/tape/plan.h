/* plan.h -- what the planner hands to the interpreter: kernels in order, each a small typed program over blocks.
 *
 * A loop kernel runs over kept x reduced dimensions.  Its elements have a linear order, the kernel order; a block is a
 * run of at most TP__BLOCK elements in it:
 *
 *     TP__FLAT     no reduction, or all dimensions reduced: one row
 *     TP__ROWS     reduced dimensions last: a block is several short rows, or a part of a long one
 *     TP__COLUMNS  reduced dimensions first: a block is a part of one line of kept elements
 *     TP__MIXED    anything else: as TP__ROWS, over dimensions put in that order; what lies in runs of some length is read
 *                  and written in place, a block to a run, else gathered and scattered
 *
 * Where every row is a whole number of tiles, rows may also be folded into one number for all of them (a total), which only
 * other kernels read.
 *
 * A value is full (one per element) or a row value (one per kept index).  A reduction makes a row value out of a full one;
 * what reads it again as a full one belongs to the next phase, for which the row is swept once more, unless the
 * whole row fits into the block.
 */
#ifndef TAPIR_SRC_PLAN_H
#define TAPIR_SRC_PLAN_H

#include "tape.h"

/* Kept elements in one block of TP__COLUMNS: the accumulators of a fold stay in the first-level cache. */
enum { TP__COLUMN_BLOCK = 256 };

/* Elements in one block: large enough that running an instruction costs little beside its work, small enough that a dozen
 * blocks stay in the first-level cache.  Divides TP_TILE. */
enum { TP__BLOCK = 1024 };

enum { TP__MOST_OPERANDS = 8 }; /* of an instruction */

typedef enum tp__mode { TP__FLAT, TP__ROWS, TP__COLUMNS, TP__MIXED } tp__mode;

typedef enum tp__operand_kind {
    TP__FIXED,    /* the same memory for every block: a constant, repeated */
    TP__FULL,     /* memory in kernel order, by element */
    TP__ROW,      /* memory by row */
    TP__LINE,     /* memory by element of the row, the same for every row */
    TP__RUN,      /* memory with strides of its own for the outer dimensions of a kernel with runs */
    TP__REGISTER, /* a block in the thread's scratch */
    TP__SPILL     /* a whole row in the thread's scratch, by element of the row */
} tp__operand_kind;

typedef struct tp__operand {
    tp__operand_kind kind;
    int32_t size;  /* of an element */
    int32_t step;  /* whose memory, or -1 */
    bool single;   /* one number for the whole block */
    size_t offset; /* in the thread's scratch, or in the step's memory */
    char *memory;
    /* Of block b the address is (in_scratch ? scratch + offset : memory) + b.index[index] * stride. */
    bool in_scratch;
    uint8_t index;
    int64_t stride;
    const int64_t *outer; /* of TP__RUN: bytes, by outer dimension in kernel order */
} tp__operand;

/* What block.index holds. */
enum { TP__AT_NOTHING, TP__AT_ELEMENT, TP__AT_ROW, TP__AT_COLUMN, TP__INDEX_COUNT };

typedef enum tp__instruction_kind {
    TP__GATHER,  /* memory with other strides into a register */
    TP__SCATTER, /* the reverse */
    TP__SPREAD,  /* row values to elements */
    TP__APPLY,   /* a map */
    TP__FOLD     /* a reduction */
} tp__instruction_kind;

typedef struct tp__instruction {
    tp__instruction_kind kind;
    bool row;      /* works on row values */
    bool total;    /* a fold over all rows */
    bool once;     /* fills a register that all blocks of a swept row read */
    bool steady;   /* fills a register with the same for all blocks of whole rows: a thread does it once */
    bool dropped;  /* nothing reads it: another instruction does its work */
    int32_t phase; /* row instructions of a phase come before its full ones */
    int32_t step;
    int32_t before; /* the instruction that it was made for, or -1 */
    tp_map_kernel map;
    tp_mixed_kernel mixed;    /* preferred, if there is one */
    unsigned singles, single; /* combinations of single operands that it can have; those that they are */
    const tp_op *fused, *innermost; /* ops that a pair's kernel took in, or NULL */
    int32_t fused_operand;          /* where */
    const tp_op *part;              /* what it shares with others (tp_sharing), or NULL */
    int32_t shared_by;              /* of the instruction that computes the part: of which step; else -1 */
    const tp_fold *reduction;
    const void *attr;
    tp_dtype dtype; /* of the result */
    int32_t n;
    tp__operand *x;
    tp__operand y;
    tp_strides strides; /* of a gather or scatter, by the dimensions in kernel order */
    size_t fold;        /* offset of a fold's state in the scratch: lanes, then levels */
    int32_t fold_number;
    int32_t slot; /* in the frame: where y's address stands, and behind it those of x[0], x[1], ... */
    int32_t
        moving; /* the first of the kernel's moving operands that is this instruction's or a later one's */
} tp__instruction;

/* An operand whose address is another for every block. */
typedef struct tp__moving {
    int32_t slot;
    const tp__operand *operand;
} tp__moving;

typedef struct tp__kernel {
    struct tp__kernel *next;
    int32_t order;
    bool is_loop; /* else one step, run as the reference executor does */
    int32_t step; /* of a kernel that is no loop */
    bool copies;  /* then: a view that must be a copy, of that memory with those strides */
    int32_t copied_from;
    tp_strides copied_strides;
    tp_shape space; /* of a loop: its dimensions without those of size 1 */
    uint32_t mask;  /* bit d: dimension d is reduced */
    int32_t *node;  /* steps */
    int32_t nodes, node_capacity;

    tp__mode mode;
    tp_shape shape; /* the dimensions in kernel order */
    tp_shape row_shape;
    int64_t rows, length;
    int32_t phases;
    bool whole_rows; /* a block holds whole rows */
    int64_t run;     /* TP__MIXED: elements that follow each other in memory, too; 0: too few */
    int32_t outer;   /* dimensions before those of a run */
    tp__instruction *instruction;
    int32_t instructions;
    size_t register_bytes;
    size_t scratch; /* bytes per thread */
    /* The frame: all operands' addresses, for each thread; most stay the same from block to block and run to run. */
    size_t frame; /* of the first thread, within plan->frames */
    int32_t slots;
    tp__moving *moving;
    int32_t movings;
    int32_t folds;
    bool totals;   /* some folds are over all rows */
    int64_t tiles; /* of all elements, for such folds and those of a single row */
    int64_t cost;  /* elements times instructions */
} tp__kernel;

struct tp__plan {
    tp__kernel *kernel; /* in order */
    int32_t kernels;
    size_t scratch;  /* the largest of any kernel, for one thread */
    size_t partials; /* bytes for the partial folds of single rows split among threads */
    size_t frames;   /* addresses in the frames of all kernels, for one thread */
    void **frame_memory;
    int32_t threads;
    bool always_parallel;
    char *scratch_memory, *partial_memory;
};

/* plan.c: fills program->plan, gives every stored value its place, and allocates the program's memory. */
bool tp__plan(tp_program *program);

/* interpret.c */
tp_status tp__plan_run(tp_program *program);

#endif
