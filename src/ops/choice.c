/* choice.c -- comparisons, where, cast. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"

/* ---- Comparisons ----------------------------------------------------------------------------------- */

TP_MAP2(equal, a == b)
TP_MAP2_I32(equal, a == b)
TP_MAP2(not_equal, a != b)
TP_MAP2_I32(not_equal, a != b)
TP_MAP2(less, a < b)
TP_MAP2_I32(less, a < b)
TP_MAP2(less_equal, a <= b)
TP_MAP2_I32(less_equal, a <= b)

#define COMPARISON(NAME)                                                                                     \
    {                                                                                                        \
        .name = #NAME, .kind = TP_MAP, .arity = 2, .flags = TP_OP_FINITE | TP_OP_CHEAP,                      \
        .vjp = tp_zero_derivative, TP_MAP_KERNELS_I32(NAME)                                                  \
    }

static const tp_op equal = COMPARISON(equal);
static const tp_op not_equal = COMPARISON(not_equal);
const tp_op tp__less = COMPARISON(less);
const tp_op tp__less_equal = COMPARISON(less_equal);

static tp_tensor compare(const tp_op *op, tp_tensor a, tp_tensor b)
{
    return tp_record(op, (tp_tensor[]){a, b}, 2, NULL);
}

tp_tensor tp_equal(tp_tensor a, tp_tensor b)
{
    return compare(&equal, a, b);
}

tp_tensor tp_not_equal(tp_tensor a, tp_tensor b)
{
    return compare(&not_equal, a, b);
}

tp_tensor tp_less(tp_tensor a, tp_tensor b)
{
    return compare(&tp__less, a, b);
}

tp_tensor tp_less_equal(tp_tensor a, tp_tensor b)
{
    return compare(&tp__less_equal, a, b);
}

/* The swapped operands keep the place of the first one that was written, and its tape gets the errors. */
static tp_tensor compare_swapped(const tp_op *op, tp_tensor a, tp_tensor b)
{
    const tp_tensor swapped[] = {tp_locate(b, a.file, a.line), a};
    return tp_record_on(a.tape != NULL ? a.tape : b.tape, op, swapped, 2, NULL);
}

tp_tensor tp_greater(tp_tensor a, tp_tensor b)
{
    return compare_swapped(&tp__less, a, b);
}

tp_tensor tp_greater_equal(tp_tensor a, tp_tensor b)
{
    return compare_swapped(&tp__less_equal, a, b);
}

/* ---- keep, drop: a value or 0 ----------------------------------------------------------------------- */

static tp_tensor record_mask(const tp_op *op, tp_tensor mask, tp_tensor x)
{
    return tp_record(op, (tp_tensor[]){mask, x}, 2, NULL);
}

TP_MAP2(keep, a != 0 ? b : 0)
TP_MAP2_I32(keep, a != 0 ? b : 0)
TP_MAP2(drop, a != 0 ? 0 : b)
TP_MAP2_I32(drop, a != 0 ? 0 : b)

static void keep_vjp(const tp_vjp *d)
{
    d->dx[1] = record_mask(&tp__keep, d->x[0], d->g);
}

static void drop_vjp(const tp_vjp *d)
{
    d->dx[1] = record_mask(&tp__drop, d->x[0], d->g);
}

TP_FUSED3(keep_equal, a == b ? c : 0)
TP_FUSED3(keep_less, a < b ? c : 0)
TP_FUSED3(keep_less_equal, a <= b ? c : 0)
TP_FUSED3(drop_equal, a == b ? 0 : c)
TP_FUSED3(drop_less, a < b ? 0 : c)
TP_FUSED3(drop_less_equal, a <= b ? 0 : c)
TP_FUSED3(keep_mul, a != 0 ? b * c : 0)
TP_FUSED3(drop_mul, a != 0 ? 0 : b * c)

static const tp_fusion keep_fusion[] = {
    {&equal, 0, NULL, 0, TP_FUSED_KERNELS(keep_equal)},
    {&tp__less, 0, NULL, 0, TP_FUSED_KERNELS(keep_less)},
    {&tp__less_equal, 0, NULL, 0, TP_FUSED_KERNELS(keep_less_equal)},
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(keep_mul)},
    {.inner = NULL},
};

static const tp_fusion drop_fusion[] = {
    {&equal, 0, NULL, 0, TP_FUSED_KERNELS(drop_equal)},
    {&tp__less, 0, NULL, 0, TP_FUSED_KERNELS(drop_less)},
    {&tp__less_equal, 0, NULL, 0, TP_FUSED_KERNELS(drop_less_equal)},
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(drop_mul)},
    {.inner = NULL},
};

/* What one of them keeps and what the other keeps of something else are one choice. */
static tp_tensor kept_first(tp_tensor mask, tp_tensor kept, tp_tensor dropped)
{
    return tp_where(mask, kept, dropped);
}

static tp_tensor dropped_first(tp_tensor mask, tp_tensor dropped, tp_tensor kept)
{
    return tp_where(mask, kept, dropped);
}

static tp_tensor keep_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return tp__mask_before_put(&tp__keep, x[0], x[1]);
}

static tp_tensor drop_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return tp__mask_before_put(&tp__drop, x[0], x[1]);
}

#define MASK(NAME, OPPOSITE, JOIN)                                                                           \
    {                                                                                                        \
        .name = #NAME, .kind = TP_MAP, .arity = 2, .flags = TP_OP_FINITE | TP_OP_HIDES | TP_OP_MASKS,        \
        .vjp = NAME##_vjp, .opposite = &tp__##OPPOSITE, .join = JOIN, .simplify = NAME##_simplify,           \
        .fusion = NAME##_fusion, TP_MAP_KERNELS_I32(NAME)                                                    \
    }

const tp_op tp__keep = MASK(keep, drop, kept_first);
const tp_op tp__drop = MASK(drop, keep, dropped_first);

/* ---- where ----------------------------------------------------------------------------------------- */

TP_MAP3(where, a != 0 ? b : c)
TP_MAP3_I32(where, a != 0 ? b : c)

static void where_vjp(const tp_vjp *d)
{
    if (d->need[1])
        d->dx[1] = record_mask(&tp__keep, d->x[0], d->g);
    if (d->need[2])
        d->dx[2] = record_mask(&tp__drop, d->x[0], d->g);
}

static tp_tensor where_simplify(const tp_tensor *x, int n, const void *attr)
{
    double value;
    (void)n, (void)attr;
    if (tp_is_scalar_constant(x[0], &value))
        return value != 0 ? x[1] : x[2];
    return x[1].id == x[2].id ? x[1] : (tp_tensor){0};
}

TP_FUSED4(where_equal, a == b ? c : d)
TP_FUSED4(where_not_equal, a != b ? c : d)
TP_FUSED4(where_less, a < b ? c : d)
TP_FUSED4(where_less_equal, a <= b ? c : d)

static const tp_fusion where_fusion[] = {
    {&equal, 0, NULL, 0, TP_FUSED_KERNELS(where_equal)},
    {&not_equal, 0, NULL, 0, TP_FUSED_KERNELS(where_not_equal)},
    {&tp__less, 0, NULL, 0, TP_FUSED_KERNELS(where_less)},
    {&tp__less_equal, 0, NULL, 0, TP_FUSED_KERNELS(where_less_equal)},
    {.inner = NULL},
};

const tp_op tp__where = {
    .name = "where",
    .kind = TP_MAP,
    .arity = 3,
    .flags = TP_OP_FINITE,
    .vjp = where_vjp,
    .simplify = where_simplify,
    .fusion = where_fusion,
    TP_MAP_KERNELS_I32(where),
};

tp_tensor tp_where(tp_tensor condition, tp_tensor a, tp_tensor b)
{
    const tp_dtype asked = tp_dtype_of(condition);
    const tp_dtype wanted = tp_dtype_of(a) != TP_WEAK ? tp_dtype_of(a) : tp_dtype_of(b);
    double known;

    if (asked == TP_WEAK && tp_is_scalar_constant(condition, &known)) /* it may not fit the others' dtype */
        condition = tp_locate(tp_scalar(condition.tape, known != 0), condition.file, condition.line);
    /* Converting first would make 0.5 a 0. */
    if (asked != wanted && asked != TP_WEAK && wanted != TP_WEAK)
        condition = tp_cast(tp_not_equal(condition, tp_scalar(condition.tape, 0)), wanted);
    return tp_record(&tp__where, (tp_tensor[]){condition, a, b}, 3, NULL);
}

/* ---- cast ------------------------------------------------------------------------------------------ */

static int32_t to_i32(double value)
{
    if (!(value > -2147483649.0))
        return INT32_MIN; /* NaN too */
    return value >= 2147483648.0 ? INT32_MAX : (int32_t)value;
}

TP_INSTRUCTION_SETS
static void f64_to_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = (float)((const double *)x[0])[i];
}

TP_INSTRUCTION_SETS
static void i32_to_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = (float)((const int32_t *)x[0])[i];
}

TP_INSTRUCTION_SETS
static void f32_to_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = (double)((const float *)x[0])[i];
}

TP_INSTRUCTION_SETS
static void i32_to_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = (double)((const int32_t *)x[0])[i];
}

static void f32_to_i32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)y)[i] = to_i32((double)((const float *)x[0])[i]);
}

static void f64_to_i32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)y)[i] = to_i32(((const double *)x[0])[i]);
}

static const char *cast_infer(tp_inference *i, tp_dtype dtype)
{
    i->y_dtype = dtype;
    return NULL;
}

static const char *to_f32_infer(tp_inference *i)
{
    return cast_infer(i, TP_F32);
}

static const char *to_f64_infer(tp_inference *i)
{
    return cast_infer(i, TP_F64);
}

static const char *to_i32_infer(tp_inference *i)
{
    return cast_infer(i, TP_I32);
}

static void cast_vjp(const tp_vjp *d)
{
    const tp_dtype from = tp_dtype_of(d->x[0]);
    if (from != TP_I32 && tp_dtype_of(d->y) != TP_I32)
        d->dx[0] = tp_cast(d->g, from);
}

#define CAST(TYPE)                                                                                           \
    .kind = TP_MAP, .arity = 1, .flags = TP_OP_FINITE, .infer = to_##TYPE##_infer, .vjp = cast_vjp

static const tp_op cast[TP_DTYPE_COUNT] = {
    [TP_F32] = {.name = "cast_f32", CAST(f32), .map = {NULL, f64_to_f32, i32_to_f32}},
    [TP_F64] = {.name = "cast_f64", CAST(f64), .map = {f32_to_f64, NULL, i32_to_f64}},
    [TP_I32] = {.name = "cast_i32", CAST(i32), .map = {f32_to_i32, f64_to_i32, NULL}},
};

tp_tensor tp_cast(tp_tensor x, tp_dtype dtype)
{
    double value;
    if ((unsigned)dtype >= TP_DTYPE_COUNT)
        return tp_fail(x, TP_BAD_DTYPE, "cast: the dtype must be f32, f64 or i32");
    dtype = tp_dtype_on(x.tape, dtype);
    if (tp_dtype_of(x) == dtype)
        return x;
    if (tp_dtype_of(x) == TP_WEAK && tp_is_scalar_constant(x, &value))
        return tp_locate(tp_scalar_of(x.tape, dtype, dtype == TP_I32 ? to_i32(value) : value), x.file,
                         x.line);
    return tp_record(&cast[dtype], &x, 1, NULL);
}

const tp_op *const tp__choice_ops[] = {&equal,        &not_equal,    &tp__less, &tp__less_equal,
                                       &tp__where,    &tp__keep,     &tp__drop, &cast[TP_F32],
                                       &cast[TP_F64], &cast[TP_I32], NULL};
