/* source.c -- full, iota: tensors from nothing. */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"

tp_tensor tp_full(tp_tape *tape, tp_dtype dtype, tp_shape shape, double value)
{
    return tp_expand(tp_scalar_of(tape, dtype, value), shape);
}

typedef struct source_attr {
    tp_shape shape;
    int64_t dtype;
} source_attr;

static const char *source_infer(tp_inference *i)
{
    const source_attr *a = i->attr;
    if (a->dtype < 0 || a->dtype >= TP_DTYPE_COUNT) {
        i->fault = TP_BAD_DTYPE;
        return "the dtype must be f32, f64 or i32";
    }
    i->y_shape = a->shape;
    i->y_dtype = (tp_dtype)a->dtype;
    return NULL;
}

/* ---- iota ------------------------------------------------------------------------------------------ */

static void iota_f32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    (void)attr, (void)key;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = (float)(start + i);
}

static void iota_f64(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    (void)attr, (void)key;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = (double)(start + i);
}

static void iota_i32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    (void)attr, (void)key;
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)y)[i] = (int32_t)(start + i);
}

static const char *iota_infer(tp_inference *i)
{
    const source_attr *a = i->attr;
    /* Beyond this, neighbours would be the same number. */
    const int64_t limit = a->dtype == TP_F32 ? (int64_t)1 << 24 : INT32_MAX;
    if (a->shape.dim[0] < 0)
        return "the length is negative";
    if (a->shape.dim[0] > limit) {
        i->fault = TP_BAD_DTYPE;
        return "the dtype cannot count that far";
    }
    return source_infer(i);
}

static const tp_op iota = {
    .name = "iota",
    .kind = TP_SOURCE,
    .attr_size = sizeof(source_attr),
    .infer = iota_infer,
    .source = {iota_f32, iota_f64, iota_i32},
};

tp_tensor tp_iota(tp_tape *tape, tp_dtype dtype, int64_t n)
{
    return tp_record_on(tape, &iota, NULL, 0, &(source_attr){{1, {n}}, tp_dtype_on(tape, dtype)});
}

const tp_op *const tp__source_ops[] = {&iota, NULL};
