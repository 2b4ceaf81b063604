/* onednn_calls.h -- what is called for every primitive of oneDNN (onednn_calls.c), and one kind of them. */
#ifndef TAPIR_SRC_OPS_ONEDNN_CALLS_H
#define TAPIR_SRC_OPS_ONEDNN_CALLS_H

#include <oneapi/dnnl/dnnl.h>

#include "onednn.h"

typedef struct tp__onednn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} tp__onednn_engine;

/* What was opened is closed, also after a failure. */
dnnl_status_t tp__onednn_open(tp__onednn_engine *e);
void tp__onednn_close(tp__onednn_engine *e);

bool tp__onednn_is_reference(const_dnnl_primitive_desc_t description);

typedef struct tp__onednn_argument {
    int name;
    const dnnl_memory_desc_t *how;
    void *data;
} tp__onednn_argument;

/* Makes a primitive and runs it over n arguments, 4 at most. */
dnnl_status_t tp__onednn_execute(const tp__onednn_engine *e, const_dnnl_primitive_desc_t description,
                                 const tp__onednn_argument *argument, int n);

static inline size_t tp__onednn_rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* ---- Kernels of one element that move by one, of plain arrays: matrix products (onednn_pointwise.c) --------- */

bool tp__onednn_is_pointwise(const tp__onednn_convolution *c);
bool tp__onednn_pointwise_has_kernel(const tp__onednn_convolution *c);
size_t tp__onednn_pointwise_scratch(const tp__onednn_convolution *c);
dnnl_status_t tp__onednn_run_pointwise(const tp__onednn_convolution *c, void *const data[3], void *scratch,
                                       size_t room);

#endif
