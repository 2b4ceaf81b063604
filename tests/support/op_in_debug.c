/* op_in_debug.c -- a source compiled as in a debug build. */
#undef NDEBUG
#include "op_in_builds.h"

tp_tensor record_in_debug(const tp_op *op, tp_tensor x)
{
    return tp_record(op, &x, 1, NULL);
}
