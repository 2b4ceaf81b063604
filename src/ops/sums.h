/* sums.h -- calls that add up many elements keep the sums as partials: in double, or in int64_t for i32. */
#ifndef TAPIR_SRC_OPS_SUMS_H
#define TAPIR_SRC_OPS_SUMS_H

#include <tapir/op.h>

/* n sums, rounded, become elements first .. first + n - 1 of y; the run fails where one of i32 does not fit. */
tp_status tp__store_sums(const tp_call *call, int64_t first, int64_t n, const tp_partial *sum);

#endif
