/* op_in_release.c -- a source compiled as in a release build. */
#ifndef NDEBUG
#define NDEBUG
#endif
#include "op_in_builds.h"

tp_tensor record_in_release(const tp_op *op, tp_tensor x)
{
    return tp_record(op, &x, 1, NULL);
}

tp_tensor record_on_in_release(const tp_op *op, tp_tensor x)
{
    return tp_record_on(x.tape, op, &x, 1, NULL);
}
