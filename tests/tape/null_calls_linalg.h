/* null_calls_linalg.h -- the calls of tapir/ops/linalg.h for null_calls.h, but for tp_matmul. */
#ifndef TAPIR_TESTS_NULL_CALLS_LINALG_H
#define TAPIR_TESTS_NULL_CALLS_LINALG_H

static inline tp_tensor call_linalg(int k, tp_tensor x, tp_tensor y)
{
    tp_tensor sign;
    switch (k) {
    case 0: return tp_outer(x, y);
    case 1: return tp_outer(y, x);
    case 2: return tp_einsum("ij,jk", (tp_tensor[]){x, y}, 2);
    case 3: return tp_einsum("ij,jk", (tp_tensor[]){y, x}, 2);
    case 4: return tp_trace(x);
    case 5: return tp_cholesky(x, NULL);
    case 6: return tp_cholesky(x, &(tp_cholesky_options){.upper = true});
    case 7: return tp_triangular_solve(x, y, NULL);
    case 8: return tp_triangular_solve(y, x, NULL);
    case 9: return tp_solve(x, y);
    case 10: return tp_solve(y, x);
    case 11: return tp_inverse(x);
    case 12: return tp_det(x);
    case 13: return tp_slogdet(x, NULL);
    case 14: return (tp_slogdet(x, &sign), sign);
    default: return no_more;
    }
}

#endif
