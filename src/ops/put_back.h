/* put_back.h -- the kernel that the transposes of views share. */
#ifndef TAPIR_SRC_OPS_PUT_BACK_H
#define TAPIR_SRC_OPS_PUT_BACK_H

#include <tapir/op.h>

/* y is zeros, and the elements of x[0] where `strides`, by x[0]'s axes, say in y. */
void tp__put_back(const tp_call *call, const tp_strides *strides);

#endif
