/* put_back.c -- elements put back where a view took them. */
#include "put_back.h"

#include <string.h>

#include <tapir/ops.h>

/* n elements, `stride` apart in y. */
static void put_line(char *y, const char *x, size_t size, int64_t n, int64_t stride)
{
    if (stride == 1) {
        memcpy(y, x, (size_t)n * size);
    } else if (size == sizeof(uint32_t)) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)y)[i * stride] = ((const uint32_t *)(const void *)x)[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)y)[i * stride] = ((const uint64_t *)(const void *)x)[i];
    }
}

void tp__put_back(const tp_call *c, const tp_strides *s)
{
    const tp_shape *xs = &c->x[0].shape;
    const size_t size = tp_dtype_size(c->y.dtype);
    const int64_t count = tp_shape_count(*xs), line = xs->rank > 0 ? xs->dim[xs->rank - 1] : 1;
    const int64_t stride = xs->rank > 0 ? s->stride[xs->rank - 1] : 1;
    int64_t index[TP_MAX_RANK] = {0}, at = s->offset;

    memset(c->y.data, 0, (size_t)tp_shape_count(c->y.shape) * size);
    for (int64_t i = 0; i < count; i += line) {
        put_line((char *)c->y.data + at * (int64_t)size, (const char *)c->x[0].data + i * (int64_t)size, size,
                 line, stride);
        for (int64_t d = xs->rank - 2; d >= 0; d--) { /* count like an odometer */
            at += s->stride[d];
            if (++index[d] < xs->dim[d])
                break;
            at -= s->stride[d] * xs->dim[d];
            index[d] = 0;
        }
    }
}
