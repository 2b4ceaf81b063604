/* shape.c -- shapes, strides, broadcasting, and walking them. */
#include "tape.h"

const char *tp_dtype_name(tp_dtype dtype)
{
    switch (dtype) {
    case TP_F32: return "f32";
    case TP_F64: return "f64";
    case TP_I32: return "i32";
    case TP_WEAK: return "weak";
    }
    return "?";
}

size_t tp_dtype_size(tp_dtype dtype)
{
    switch (dtype) {
    case TP_F32: return sizeof(float);
    case TP_F64: return sizeof(double);
    case TP_I32: return sizeof(int32_t);
    case TP_WEAK: break;
    }
    return 0;
}

const char *tp__shape_fault(const tp_shape *shape)
{
    const int64_t limit = (int64_t)1 << 59; /* times 8 bytes stays below 2^62 */
    int64_t product = 1;

    if (shape->rank < 0 || shape->rank > TP_MAX_RANK)
        return "rank is outside 0..8";
    for (int64_t d = 0; d < shape->rank; d++) {
        const int64_t size = shape->dim[d];
        if (size < 0)
            return "negative size";
        /* Zero sizes do not excuse the others: some op may drop the zero axis. */
        if (size > 0 && product > limit / size)
            return "too many elements";
        product *= size > 0 ? size : 1;
    }
    return NULL;
}

int64_t tp_shape_count(tp_shape shape)
{
    int64_t count = 1;
    for (int64_t d = 0; d < shape.rank && d < TP_MAX_RANK; d++)
        if (shape.dim[d] <= 0)
            return 0;
    for (int64_t d = 0; d < shape.rank && d < TP_MAX_RANK; d++) {
        if (count > INT64_MAX / shape.dim[d])
            return INT64_MAX;
        count *= shape.dim[d];
    }
    return count;
}

static bool has_rank(const tp_shape *shape)
{
    return shape != NULL && shape->rank >= 0 && shape->rank <= TP_MAX_RANK;
}

bool tp_shape_equal(tp_shape a, tp_shape b)
{
    if (a.rank != b.rank || a.rank < 0 || a.rank > TP_MAX_RANK)
        return false;
    for (int64_t d = 0; d < a.rank; d++)
        if (a.dim[d] != b.dim[d])
            return false;
    return true;
}

const char *tp_describe(tp_dtype dtype, const tp_shape *shape, char text[TP_TEXT_SIZE])
{
    tp__text t = {text, TP_TEXT_SIZE, 0};
    if (text == NULL)
        return "";
    tp__text_add(&t, "%s[", tp_dtype_name(dtype));
    for (int64_t d = 0; shape != NULL && d < shape->rank && d < TP_MAX_RANK; d++)
        tp__text_add(&t, d > 0 ? ",%lld" : "%lld", (long long)shape->dim[d]);
    tp__text_add(&t, "]");
    return text;
}

bool tp_broadcast(const tp_shape *a, const tp_shape *b, tp_shape *out)
{
    if (!has_rank(a) || !has_rank(b) || out == NULL)
        return false;
    tp_shape y = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int64_t d = 1; d <= y.rank; d++) { /* from the last axis */
        const int64_t p = d <= a->rank ? a->dim[a->rank - d] : 1;
        const int64_t q = d <= b->rank ? b->dim[b->rank - d] : 1;
        if (p != q && p != 1 && q != 1)
            return false;
        y.dim[y.rank - d] = p == 1 ? q : p;
    }
    *out = y;
    return true;
}

int tp_normal_axis(int axis, int64_t rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return axis < 0 ? axis + (int)rank : axis;
}

tp_strides tp_row_major(const tp_shape *shape)
{
    tp_strides s = {0};
    int64_t step = 1;
    if (shape == NULL || tp__shape_fault(shape) != NULL)
        return s;
    for (int64_t d = shape->rank - 1; d >= 0; d--) {
        s.stride[d] = shape->dim[d] == 1 ? 0 : step;
        step *= shape->dim[d];
    }
    return s;
}

tp_strides tp__broadcast_strides(const tp_shape *x, const tp_shape *y)
{
    const tp_strides own = tp_row_major(x);
    tp_strides s = {0};
    for (int64_t d = 1; d <= x->rank; d++)
        s.stride[y->rank - d] = own.stride[x->rank - d];
    return s;
}

int64_t tp__offset_of(const tp_shape *shape, const tp_strides *strides, int64_t linear)
{
    int64_t offset = strides->offset;
    for (int64_t d = shape->rank - 1; d >= 0; d--) {
        offset += linear % shape->dim[d] * strides->stride[d];
        linear /= shape->dim[d];
    }
    return offset;
}

/* One run along the last axis. */
static void gather_run(char *out, const char *data, size_t size, int64_t stride, int64_t n)
{
    if (stride == 1) {
        memcpy(out, data, (size_t)n * size);
    } else if (size == sizeof(uint32_t)) {
        const uint32_t *x = (const uint32_t *)(const void *)data;
        uint32_t *y = (uint32_t *)(void *)out;
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i * stride];
    } else {
        const uint64_t *x = (const uint64_t *)(const void *)data;
        uint64_t *y = (uint64_t *)(void *)out;
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i * stride];
    }
}

/* How many of the next n elements, from element `at` on, lie along the last axis. */
static int64_t run_from(const tp_shape *shape, int64_t at, int64_t n)
{
    const int64_t last = shape->rank > 0 ? shape->dim[shape->rank - 1] : 1, left = last - at % last;
    return left < n ? left : n;
}

/* How many elements the axes have over which the last axis is repeated, itself included. */
static int64_t repeated_length(const tp_shape *shape, const tp_strides *strides)
{
    int64_t length = 1, d = shape->rank - 1;
    if (d >= 0)
        length = shape->dim[d--];
    while (d >= 0 && strides->stride[d] == 0)
        length *= shape->dim[d--];
    return length;
}

/* The first `run` bytes are there: the same again and again, `bytes` in all. */
static void repeat_run(char *out, size_t run, size_t bytes)
{
    while (run < bytes) {
        const size_t more = run < bytes - run ? run : bytes - run;
        memcpy(out + run, out, more);
        run += more;
    }
}

void tp__gather(void *out, const void *data, size_t size, const tp_shape *shape, const tp_strides *strides,
                int64_t start, int64_t n)
{
    const int64_t stride = shape->rank > 0 ? strides->stride[shape->rank - 1] : 0;
    const int64_t last = shape->rank > 0 ? shape->dim[shape->rank - 1] : 1,
                  repeated = repeated_length(shape, strides);

    for (int64_t done = 0, run; done < n; done += run) {
        char *to = (char *)out + (size_t)done * size;
        const int64_t at = start + done, offset = tp__offset_of(shape, strides, at);
        run = run_from(shape, at, n - done);
        gather_run(to, (const char *)data + offset * (int64_t)size, size, stride, run);
        if (run == last && repeated > last) {
            const int64_t left = repeated - at % repeated;
            run = left < n - done ? left : n - done;
            repeat_run(to, (size_t)last * size, (size_t)run * size);
        }
    }
}

void tp__scatter(void *data, const void *values, size_t size, const tp_shape *shape,
                 const tp_strides *strides, int64_t start, int64_t n)
{
    const int64_t stride = shape->rank > 0 ? strides->stride[shape->rank - 1] : 0;

    for (int64_t done = 0, run; done < n; done += run) {
        run = run_from(shape, start + done, n - done);
        char *out = (char *)data + tp__offset_of(shape, strides, start + done) * (int64_t)size;
        const char *in = (const char *)values + (size_t)done * size;
        if (stride == 1)
            memcpy(out, in, (size_t)run * size);
        else
            for (int64_t i = 0; i < run; i++)
                memcpy(out + i * stride * (int64_t)size, in + (size_t)i * size, size);
    }
}
