/* sums.c -- sums on their way from partials to a result. */
#include "sums.h"

tp_status tp__store_sums(const tp_call *c, int64_t first, int64_t n, const tp_partial *sum)
{
    if (c->y.dtype == TP_F32) {
        float *y = (float *)c->y.data + first;
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)sum[i].f;
    } else if (c->y.dtype == TP_F64) {
        double *y = (double *)c->y.data + first;
        for (int64_t i = 0; i < n; i++)
            y[i] = sum[i].f;
    } else {
        int32_t *y = (int32_t *)c->y.data + first;
        for (int64_t i = 0; i < n; i++) {
            if (sum[i].i < INT32_MIN || sum[i].i > INT32_MAX)
                return tp_call_fail(c, "the sum %lld does not fit i32 (element %lld)", (long long)sum[i].i,
                                    (long long)(first + i));
            y[i] = (int32_t)sum[i].i;
        }
    }
    return TP_OK;
}
