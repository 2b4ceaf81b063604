/* planner.h -- shared by the planner's two halves, group.c and lower.c. */
#ifndef TAPIR_SRC_PLANNER_H
#define TAPIR_SRC_PLANNER_H

#include "plan.h"

/* What the planner knows of a step. */
typedef struct placed {
    int32_t base;        /* the step whose values these are: itself, or the one it is a view of */
    tp_strides strides;  /* of its own dimensions in the base's memory */
    tp__kernel *kernel;  /* that computes it; NULL for leaves, scalars, views */
    bool row;            /* in its kernel: a row value */
    bool total;          /* in its kernel: a row value, of all rows together */
    bool stored;         /* has memory */
    bool is_copy;        /* a view that had to become a copy */
    bool waits;          /* to be placed with its first reader (group.c) */
    bool read_elsewhere; /* by another kernel than its own: it is in memory anyway */
    bool is_output;
    bool is_block; /* a known number that must stand repeated over a block */
    int32_t phase;
    int32_t last; /* order of the last kernel that reads its memory; INT32_MAX: an output */
    int32_t copied_from;
    tp_strides copied_strides;
    tp__operand value; /* lower.c: where its kernel finds it */
    tp__leaf *leaf;    /* in_place.c: whose memory it may have, or NULL */
} placed;

typedef struct planner {
    tp_program *program;
    struct tp__plan *plan;
    placed *at; /* by step */
    tp__kernel **by_order;
    int32_t kernel_capacity;
    bool failed; /* out of memory */
} planner;

/* group.c: kernels, and which step belongs to which.  False when out of memory. */
bool tp__group(planner *p);

/* Strides by the kernel's dimensions of a full value, or a row value, computed in it. */
tp_strides tp__natural(const tp__kernel *kernel, bool row);
bool tp__same_strides(const tp__kernel *kernel, const tp_strides *a, const tp_strides *b);

/* Strides by the kernel's dimensions with which `step` reads an operand in its base's memory. */
tp_strides tp__access(const planner *p, const tp__kernel *kernel, const tp__step *step, bool row,
                      int32_t operand);

/* in_place.c: may a loop write the value over the old one, as far as its own reading goes? */
bool tp__may_overwrite(const tp__kernel *kernel, int32_t value, int32_t old);

/* Which computed values are written right where an assignment wants them. */
void tp__assign_in_place(planner *p);

/* lower.c: a loop kernel's instructions. */
bool tp__lower(planner *p, tp__kernel *kernel);

#endif
