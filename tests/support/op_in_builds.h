/* op_in_builds.h -- an op recorded by sources that are compiled with NDEBUG and without. */
#ifndef TAPIR_TESTS_OP_IN_BUILDS_H
#define TAPIR_TESTS_OP_IN_BUILDS_H

#include <tapir/op.h>

tp_tensor record_in_debug(const tp_op *op, tp_tensor x);
tp_tensor record_in_release(const tp_op *op, tp_tensor x);
tp_tensor record_on_in_release(const tp_op *op, tp_tensor x);

#endif
