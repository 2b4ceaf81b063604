/* padding.c -- pad, and its transpose for the modes that repeat elements. */
#include <float.h>
#include <math.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "sums.h"

typedef struct pad_attr {
    int64_t before[TP_MAX_RANK], after[TP_MAX_RANK]; /* 0 beyond the rank */
    int64_t mode;
    double value;
} pad_attr;

/* ---- Shapes ---------------------------------------------------------------------------------------- */

/* Why an axis of `size` cannot be padded so. */
static const char *axis_fault(int64_t mode, int64_t size, int64_t before, int64_t after)
{
    const int64_t limit = (int64_t)1 << 60;
    if (before < 0 || after < 0)
        return "the padding is negative";
    if (before > limit || after > limit)
        return "too many elements";
    if (before == 0 && after == 0)
        return NULL;
    const int64_t more = before > after ? before : after;
    if (mode == TP_PAD_REFLECT && more >= size)
        return "reflected padding must be smaller than the axis";
    if (mode == TP_PAD_CIRCULAR && more > size)
        return "circular padding must not be larger than the axis";
    if (mode == TP_PAD_REPLICATE && size == 0)
        return "there is no edge to repeat";
    return NULL;
}

static const char *pad_infer(tp_inference *i)
{
    const pad_attr *a = i->attr;
    for (int64_t d = 0; d < i->y_shape.rank; d++) {
        const char *fault = axis_fault(a->mode, i->y_shape.dim[d], a->before[d], a->after[d]);
        if (fault != NULL)
            return fault;
        i->y_shape.dim[d] += a->before[d] + a->after[d];
    }
    return NULL;
}

static const char *unpad_infer(tp_inference *i)
{
    const pad_attr *a = i->attr;
    bool fits = a->mode > TP_PAD_CONSTANT && a->mode <= TP_PAD_CIRCULAR;
    for (int64_t d = 0; d < i->y_shape.rank && fits; d++) {
        const int64_t before = a->before[d], after = a->after[d], padded = i->y_shape.dim[d];
        fits = before >= 0 && after >= 0 && before <= padded && after <= padded - before &&
               axis_fault(a->mode, padded - before - after, before, after) == NULL;
        i->y_shape.dim[d] -= fits ? before + after : 0;
    }
    return fits ? NULL : "the operand is not of a padded shape";
}

/* ---- Walking a padded array, row by row ---------------------------------------------------------------- */

/* The array without padding as [axes ..., width], where only the last of the axes and those before it are padded. */
typedef struct frame {
    const pad_attr *attr;
    int64_t rank; /* of the axes; 0: nothing is padded */
    int64_t size[TP_MAX_RANK], stride[TP_MAX_RANK];
    int64_t width;
    int64_t rows; /* of the padded array: all its axes but the last */
} frame;

static frame frame_of(const tp_shape *whole, const pad_attr *a)
{
    frame f = {.attr = a, .width = 1, .rows = 1};
    for (int64_t d = whole->rank - 1; d >= 0; d--) {
        if (f.rank == 0 && a->before[d] == 0 && a->after[d] == 0) {
            f.width *= whole->dim[d];
            continue;
        }
        f.rank = f.rank > 0 ? f.rank : d + 1;
        f.size[d] = whole->dim[d];
        f.stride[d] = d == f.rank - 1 ? f.width : f.stride[d + 1] * whole->dim[d + 1];
        if (d < f.rank - 1)
            f.rows *= whole->dim[d] + a->before[d] + a->after[d];
    }
    return f;
}

/* Where position p of an axis, counted from its first own element, comes from; -1: from nowhere. */
static int64_t source_of(int64_t mode, int64_t p, int64_t size)
{
    if (p >= 0 && p < size)
        return p;
    switch (mode) {
    case TP_PAD_REFLECT: return p < 0 ? -p : 2 * (size - 1) - p;
    case TP_PAD_REPLICATE: return p < 0 ? 0 : size - 1;
    case TP_PAD_CIRCULAR: return p < 0 ? p + size : p - size;
    default: return -1;
    }
}

/* Where row number `row` of the padded array comes from in the other: the first own element of its last axis, or -1. */
static int64_t row_source(const frame *f, int64_t row)
{
    int64_t at = 0;
    for (int64_t d = f->rank - 2; d >= 0; d--) {
        const int64_t length = f->size[d] + f->attr->before[d] + f->attr->after[d];
        const int64_t p = source_of(f->attr->mode, row % length - f->attr->before[d], f->size[d]);
        if (p < 0)
            return -1;
        at += p * f->stride[d];
        row /= length;
    }
    return at;
}

/* ---- pad ------------------------------------------------------------------------------------------- */

/* n elements, all of them the padding's value. */
static void fill(char *y, tp_dtype dtype, int64_t n, double value)
{
    for (int64_t i = 0; i < n; i++)
        if (dtype == TP_F32)
            ((float *)(void *)y)[i] = (float)value;
        else if (dtype == TP_F64)
            ((double *)(void *)y)[i] = value;
        else
            ((int32_t *)(void *)y)[i] = (int32_t)value;
}

/* One row of the padded array: before, the own elements, after. */
static void pad_row(const tp_call *c, const frame *f, char *y, const char *x)
{
    const int64_t d = f->rank - 1, before = f->attr->before[d], after = f->attr->after[d], size = f->size[d];
    const size_t width = (size_t)f->width * tp_dtype_size(c->y.dtype);

    for (int64_t p = -before; p < size + after; p++, y += width) {
        if (p == 0 && size > 0) {
            memcpy(y, x, (size_t)size * width);
            y += (size_t)(size - 1) * width;
            p = size - 1;
            continue;
        }
        const int64_t from = source_of(f->attr->mode, p, size);
        if (from < 0)
            fill(y, c->y.dtype, f->width, f->attr->value);
        else
            memcpy(y, x + (size_t)from * width, width);
    }
}

static tp_status pad_run(const tp_call *c)
{
    const pad_attr *a = c->attr;
    const frame f = frame_of(&c->x[0].shape, a);
    const size_t size = tp_dtype_size(c->y.dtype);
    char *y = c->y.data;

    if (f.rank == 0) {
        memcpy(y, c->x[0].data, (size_t)f.width * size);
        return TP_OK;
    }
    const int64_t length = (f.size[f.rank - 1] + a->before[f.rank - 1] + a->after[f.rank - 1]) * f.width;
    for (int64_t row = 0; row < f.rows; row++, y += (size_t)length * size) {
        const int64_t from = row_source(&f, row);
        if (from < 0)
            fill(y, c->y.dtype, length, a->value);
        else
            pad_row(c, &f, y, (const char *)c->x[0].data + (size_t)from * size);
    }
    return TP_OK;
}

static const tp_op pad, unpad;

static void pad_vjp(const tp_vjp *d)
{
    const pad_attr *a = d->attr;
    const tp_shape x = tp_shape_of(d->x[0]);

    if (a->mode != TP_PAD_CONSTANT) {
        d->dx[0] = tp_record(&unpad, &d->g, 1, a);
        return;
    }
    d->dx[0] = d->g;
    for (int k = 0; k < x.rank; k++)
        d->dx[0] = tp_slice(d->dx[0], k, a->before[k], a->before[k] + x.dim[k], 1);
}

/* Padding of padding in the same mode, as one op where each axis is padded once, or in constant mode with the same number. */
static bool can_join(const pad_attr *first, const pad_attr *then)
{
    if (first->mode != then->mode || memcmp(&first->value, &then->value, sizeof first->value) != 0)
        return false;
    for (int d = 0; d < TP_MAX_RANK; d++)
        if (first->mode != TP_PAD_CONSTANT && (first->before[d] > 0 || first->after[d] > 0) &&
            (then->before[d] > 0 || then->after[d] > 0))
            return false;
    return true;
}

static tp_tensor pad_simplify(const tp_tensor *x, int n, const void *attr)
{
    pad_attr joint = *(const pad_attr *)attr;
    bool padded = false;

    (void)n;
    for (int d = 0; d < TP_MAX_RANK; d++)
        padded = padded || joint.before[d] > 0 || joint.after[d] > 0;
    if (!padded)
        return x[0];
    if (tp_op_of(x[0]) != &pad || !can_join(tp_attr_of(x[0]), &joint))
        return (tp_tensor){0};
    const pad_attr *first = tp_attr_of(x[0]);
    for (int d = 0; d < TP_MAX_RANK; d++) {
        joint.before[d] += first->before[d];
        joint.after[d] += first->after[d];
    }
    const tp_tensor inner = tp_operand_of(x[0], 0);
    return tp_record(&pad, &inner, 1, &joint);
}

static const tp_op pad = {
    .name = "pad",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(pad_attr),
    .infer = pad_infer,
    .vjp = pad_vjp,
    .simplify = pad_simplify,
    .run = pad_run,
};

/* ---- unpad: every element added to the one it came from ------------------------------------------------ */

static size_t unpad_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const pad_attr *a = attr;
    int64_t count = 1;
    (void)n;
    for (int64_t d = 0; d < x_shape->rank; d++)
        count *= x_shape->dim[d] - a->before[d] - a->after[d];
    return (size_t)count * sizeof(tp_partial);
}

static void add_elements(tp_partial *sum, const tp_array *g, int64_t start, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (g->dtype == TP_F32)
            sum[i].f += (double)((const float *)g->data)[start + i];
        else if (g->dtype == TP_F64)
            sum[i].f += ((const double *)g->data)[start + i];
        else
            sum[i].i += ((const int32_t *)g->data)[start + i];
}

static tp_status unpad_run(const tp_call *c)
{
    const pad_attr *a = c->attr;
    const frame f = frame_of(&c->y.shape, a);
    const int64_t count = tp_shape_count(c->y.shape), last = f.rank - 1;
    tp_partial *sum = c->scratch;
    int64_t at = 0; /* in the padded array, which is read in its own order */

    memset(sum, 0, (size_t)count * sizeof *sum);
    if (f.rank == 0)
        add_elements(sum, &c->x[0], 0, count);
    for (int64_t row = 0; row < f.rows && f.rank > 0; row++) {
        tp_partial *to = sum + row_source(&f, row);
        for (int64_t p = -a->before[last]; p < f.size[last] + a->after[last]; p++, at += f.width)
            add_elements(to + source_of(a->mode, p, f.size[last]) * f.width, &c->x[0], at, f.width);
    }
    return tp__store_sums(c, 0, count, sum);
}

static void unpad_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_record(&pad, &d->g, 1, d->attr);
}

static const tp_op unpad = {
    .name = "unpad",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(pad_attr),
    .infer = unpad_infer,
    .vjp = unpad_vjp,
    .run = unpad_run,
    .scratch_size = unpad_scratch,
};

/* ---- Constructor ----------------------------------------------------------------------------------- */

static const char *value_fault(tp_dtype dtype, double value)
{
    if (dtype == TP_I32 && !(value >= INT32_MIN && value <= INT32_MAX && value == floor(value)))
        return "is no 32-bit integer";
    if (dtype == TP_F32 && isfinite(value) && fabs(value) > (double)FLT_MAX)
        return "is beyond the range of f32";
    return NULL;
}

tp_tensor tp_pad(tp_tensor x, int axis, int64_t before, int64_t after, const tp_pad_options *options)
{
    const tp_pad_options o = options != NULL ? *options : (tp_pad_options){TP_PAD_CONSTANT, 0};
    const tp_shape shape = tp_shape_of(x);
    const int d = tp_normal_axis(axis, shape.rank);
    pad_attr attr = {.mode = o.mode, .value = o.value};
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_record(&pad, &x, 1, &attr);
    if (d < 0)
        return tp_fail(x, TP_BAD_SHAPE, "pad: axis %d is out of range for %s", axis,
                       tp_describe(tp_dtype_of(x), &shape, text));
    if ((int)o.mode < TP_PAD_CONSTANT || o.mode > TP_PAD_CIRCULAR)
        return tp_fail(x, TP_BAD_ARGUMENT, "pad: there is no mode %d", (int)o.mode);
    if (o.mode != TP_PAD_CONSTANT)
        attr.value = 0;
    const char *fault = value_fault(tp_dtype_of(x), attr.value);
    if (fault != NULL)
        return tp_fail(x, TP_BAD_DTYPE, "pad: the value %.15g %s", attr.value, fault);
    attr.before[d] = before;
    attr.after[d] = after;
    return tp_record(&pad, &x, 1, &attr);
}

const tp_op *const tp__padding_ops[] = {&pad, &unpad, NULL};
