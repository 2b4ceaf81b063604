/* source.c -- full, iota, uniform: tensors from nothing. */
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

/* ---- uniform --------------------------------------------------------------------------------------- */

/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
static void philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        const uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q,
                                  (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The 128 random bits number `block` of a node's run: counter (block, run) under a key of seed and node. */
static void random_block(int64_t block, const uint64_t key[3], uint32_t bits[4])
{
    bits[0] = (uint32_t)block;
    bits[1] = (uint32_t)((uint64_t)block >> 32) ^ (uint32_t)(key[2] >> 32) << 8;
    bits[2] = (uint32_t)key[2];
    bits[3] = (uint32_t)key[1];
    philox(bits, (uint32_t)key[0], (uint32_t)(key[0] >> 32));
}

static void uniform_f32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t bits[4];
    (void)attr;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = start + i;
        if (i == 0 || at % 4 == 0)
            random_block(at / 4, key, bits);
        ((float *)y)[i] = (float)(bits[at % 4] >> 8) * 0x1p-24f;
    }
}

static void uniform_f64(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t bits[4];
    (void)attr;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = start + i;
        if (i == 0 || at % 2 == 0)
            random_block(at / 2, key, bits);
        const uint64_t word = (uint64_t)bits[at % 2 * 2 + 1] << 32 | bits[at % 2 * 2];
        ((double *)y)[i] = (double)(word >> 11) * 0x1p-53;
    }
}

static const char *uniform_infer(tp_inference *i)
{
    const source_attr *a = i->attr;
    if (a->dtype != TP_F32 && a->dtype != TP_F64) {
        i->fault = TP_BAD_DTYPE;
        return "the dtype must be f32 or f64";
    }
    return source_infer(i);
}

static const tp_op uniform = {
    .name = "uniform",
    .kind = TP_SOURCE,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(source_attr),
    .infer = uniform_infer,
    .source = {uniform_f32, uniform_f64},
};

tp_tensor tp_uniform(tp_tape *tape, tp_dtype dtype, tp_shape shape)
{
    return tp_record_on(tape, &uniform, NULL, 0, &(source_attr){shape, tp_dtype_on(tape, dtype)});
}

const tp_op *const tp__source_ops[] = {&iota, &uniform, NULL};
