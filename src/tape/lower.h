/* lower.h -- shared by lower.c, which makes a loop kernel's instructions, and arrange.c, which makes fewer of them and gives
 * them an order and places. */
#ifndef TAPIR_SRC_LOWER_H
#define TAPIR_SRC_LOWER_H

#include "planner.h"

typedef struct lowering {
    planner *p;
    tp__kernel *kernel;
    int32_t order[TP_MAX_RANK]; /* dimension of the space, by dimension in kernel order */
    int32_t capacity;
    tp__instruction *instruction;
    bool failed;
} lowering;

tp__instruction *tp__emit(lowering *l, tp__instruction_kind kind, int32_t step, int32_t phase, bool row,
                          int32_t n);

/* A register is named by the instruction that fills it, until it is given a place. */
tp__operand tp__register_of(const lowering *l, const tp__instruction *filler);

/* arrange.c.  False when out of memory. */
bool tp__arrange(lowering *l);

#endif
