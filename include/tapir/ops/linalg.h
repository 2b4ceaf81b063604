/* tapir/ops/linalg.h -- matrix products.  The conventions are in tapir/ops.h. */
#ifndef TAPIR_OPS_LINALG_H
#define TAPIR_OPS_LINALG_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NumPy's matmul: [..., m, k] times [..., k, n], the leading axes broadcast; a 1-D a is a row, a 1-D b a column,
 * and that axis is dropped again.  k = 0 gives zeros.  By the system's CBLAS. */
TP_API tp_tensor tp_matmul(tp_tensor a, tp_tensor b);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_matmul(a, ...) tp_matmul(TP_HERE(a), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
