/* idx.c -- tp_idx_read, tp_idx_copy, tp_idx_free.
 *
 *     byte 0, 1   0
 *     byte 2      type
 *     byte 3      number of dimensions
 *     then        each size, 4 bytes, most significant first
 *     then        the values, most significant byte first
 */
#include <stdarg.h>
#include <string.h>

#include "memory.h"
#include "stream.h"

/* First step of the growing buffer. */
enum { FIRST_BYTES = 1 << 16 };

typedef struct reading {
    tp__stream *stream;
    tp_idx *out;
    size_t element;    /* bytes of one */
    int64_t announced; /* bytes of all values */
    int64_t max_bytes;
    tp__fault fault;
    char reason[160]; /* for faults whose reason has numbers */
} reading;

/* ---- Faults ------------------------------------------------------------------------------------------ */

/* Remembers the first fault; printf style. */
static void fail_at(reading *r, int64_t offset, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
static void fail_at(reading *r, int64_t offset, const char *format, ...)
{
    va_list arguments;
    if (r->fault.status != TP_OK)
        return;
    va_start(arguments, format);
    vsnprintf(r->reason, sizeof r->reason, format, arguments);
    va_end(arguments);
    r->fault = (tp__fault){TP_BAD_VALUE, offset, r->reason};
}

static bool fine(const reading *r)
{
    return r->fault.status == TP_OK;
}

/* ---- The header -------------------------------------------------------------------------------------- */

static size_t size_of_type(unsigned type)
{
    switch (type) {
    case TP_IDX_U8:
    case TP_IDX_I8: return 1;
    case TP_IDX_I16: return 2;
    case TP_IDX_I32:
    case TP_IDX_F32: return 4;
    case TP_IDX_F64: return 8;
    default: return 0;
    }
}

static bool read_exactly(reading *r, void *to, size_t n, const char *what)
{
    const size_t got = tp__stream_read(r->stream, to, n, &r->fault);
    if (got < n)
        fail_at(r, tp__stream_position(r->stream), "the file ends within %s", what);
    return fine(r);
}

static void read_magic(reading *r)
{
    unsigned char magic[4];
    if (!read_exactly(r, magic, sizeof magic, "the magic number"))
        return;
    if (magic[0] != 0 || magic[1] != 0)
        fail_at(r, 0, "this is no IDX file: it begins with %02x %02x instead of 00 00", magic[0], magic[1]);
    else if ((r->element = size_of_type(magic[2])) == 0)
        fail_at(r, 2, "0x%02x is no element type of IDX", magic[2]);
    else if (magic[3] < 1 || magic[3] > TP_MAX_RANK)
        fail_at(r, 3, "%d dimensions, but 1 to %d are possible", magic[3], TP_MAX_RANK);
    r->out->type = (tp_idx_type)magic[2];
    r->out->shape.rank = magic[3];
}

/* The sizes, and whether so many values are allowed and, as far as is known, there. */
static void read_sizes(reading *r)
{
    tp_shape *shape = &r->out->shape;
    unsigned char b[4];

    for (int d = 0; d < shape->rank && fine(r); d++)
        if (read_exactly(r, b, sizeof b, "the sizes"))
            shape->dim[d] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    if (!fine(r))
        return;
    r->out->count = tp_shape_count(*shape); /* INT64_MAX when it is beyond that */
    if (r->out->count > r->max_bytes / (int64_t)r->element) {
        fail_at(r, 4, "the sizes announce more than %lld bytes of values, the limit",
                (long long)r->max_bytes);
        return;
    }
    r->announced = r->out->count * (int64_t)r->element;
    const int64_t left = tp__stream_left(r->stream), end = tp__stream_position(r->stream);
    if (left >= 0 && left < r->announced)
        fail_at(r, end + left, "the file ends after %lld of the %lld bytes of values that its sizes announce",
                (long long)left, (long long)r->announced);
}

/* ---- The values -------------------------------------------------------------------------------------- */

/* Room for `size` bytes; what is there is kept. */
static bool grow(reading *r, size_t size, size_t used)
{
    tp_idx *out = r->out;
    void *larger = out->allocator.allocate(size, 64, out->allocator.user);
    if (larger == NULL) {
        if (fine(r))
            r->fault = (tp__fault){TP_OUT_OF_MEMORY, -1, "out of memory"};
        return false;
    }
    if (used > 0)
        memcpy(larger, out->data, used);
    tp__io_release(&out->allocator, out->data, out->allocated);
    out->data = larger;
    out->allocated = size;
    return true;
}

/* Takes memory as the values arrive: an announcement alone costs nothing. */
static void read_values(reading *r)
{
    const size_t wanted = (size_t)r->announced;
    const bool known = tp__stream_left(r->stream) >= 0; /* then they are all there */
    size_t used = 0;

    while (used < wanted && fine(r)) {
        size_t size = known ? wanted : used == 0 ? FIRST_BYTES : 2 * used;
        size = size < wanted ? size : wanted;
        if (!grow(r, size, used))
            return;
        const size_t got =
            tp__stream_read(r->stream, (unsigned char *)r->out->data + used, size - used, &r->fault);
        used += got;
        if (used < size)
            fail_at(r, tp__stream_position(r->stream),
                    "the file ends after %lld of the %lld bytes of values that its sizes announce",
                    (long long)used, (long long)wanted);
    }
}

static void expect_end(reading *r)
{
    unsigned char extra;
    const int64_t position = tp__stream_position(r->stream);
    if (tp__stream_read(r->stream, &extra, 1, &r->fault) > 0)
        fail_at(r, position, "more bytes follow the values that the sizes announce");
}

/* Elements of 2, 4 or 8 bytes from most significant first to this machine's order. */
static void to_own_order(tp_idx *array, size_t element)
{
    const uint16_t probe = 1;
    unsigned char first, *at = array->data;

    memcpy(&first, &probe, 1);
    if (first == 0)
        return; /* it is the same */
    for (int64_t i = 0; i < array->count; i++, at += element)
        for (size_t a = 0, b = element - 1; a < b; a++, b--) {
            const unsigned char byte = at[a];
            at[a] = at[b];
            at[b] = byte;
        }
}

/* ---- Public ------------------------------------------------------------------------------------------ */

static void write_report(tp_io_report *report, const char *path, const tp__fault *fault)
{
    if (report == NULL)
        return;
    *report = (tp_io_report){.status = fault->status, .offset = fault->offset};
    if (fault->status == TP_OK)
        report->offset = -1;
    else if (fault->offset >= 0)
        snprintf(report->message, sizeof report->message, "%s: at byte %lld: %s", path,
                 (long long)fault->offset, fault->reason);
    else
        snprintf(report->message, sizeof report->message, "%s: %s", path, fault->reason);
}

static void read_all(reading *r, const char *path)
{
    r->stream = tp__stream_open(path, &r->out->allocator, &r->fault);
    if (r->stream == NULL)
        return;
    read_magic(r);
    if (fine(r))
        read_sizes(r);
    if (fine(r))
        read_values(r);
    if (fine(r))
        expect_end(r);
    tp__stream_close(r->stream);
    if (fine(r) && r->element > 1)
        to_own_order(r->out, r->element);
}

/* What is wrong with the arguments, or NULL. */
static const char *bad_argument(const char *path, const tp_idx_options *o, const tp_idx *out)
{
    if (path == NULL || out == NULL)
        return "the path or the result is NULL";
    if (o->max_bytes < 0)
        return "max_bytes must not be negative";
    if ((o->allocator.allocate == NULL) != (o->allocator.release == NULL))
        return "an allocator needs both functions";
    return NULL;
}

tp_status tp_idx_read(const char *path, const tp_idx_options *options, tp_idx *out, tp_io_report *report)
{
    const tp_idx_options o = options != NULL ? *options : (tp_idx_options){0};
    reading r = {.out = out, .max_bytes = o.max_bytes != 0 ? o.max_bytes : (int64_t)1 << 30};
    const char *wrong = bad_argument(path, &o, out);

    if (out != NULL)
        *out = (tp_idx){0};
    if (wrong != NULL) {
        r.fault = (tp__fault){TP_BAD_ARGUMENT, -1, wrong};
    } else {
        out->allocator = tp__io_allocator(&o.allocator);
        read_all(&r, path);
        if (!fine(&r))
            tp_idx_free(out);
    }
    write_report(report, path != NULL ? path : "tp_idx_read", &r.fault);
    return r.fault.status;
}

/* Element i; every value of a type fits a double. */
static double element_of(const tp_idx *array, int64_t i)
{
    switch (array->type) {
    case TP_IDX_U8: return ((const uint8_t *)array->data)[i];
    case TP_IDX_I8: return ((const int8_t *)array->data)[i];
    case TP_IDX_I16: return ((const int16_t *)array->data)[i];
    case TP_IDX_I32: return ((const int32_t *)array->data)[i];
    case TP_IDX_F32: return (double)((const float *)array->data)[i];
    case TP_IDX_F64: return ((const double *)array->data)[i];
    }
    return 0;
}

tp_status tp_idx_copy(const tp_idx *array, int64_t first, int64_t count, tp_dtype dtype, double factor,
                      void *out)
{
    if (array == NULL || first < 0 || count < 0 || first > array->count || count > array->count - first ||
        (out == NULL && count > 0) || (unsigned)dtype >= TP_DTYPE_COUNT)
        return TP_BAD_ARGUMENT;
    if (dtype == TP_I32 && (factor != 1 || array->type == TP_IDX_F32 || array->type == TP_IDX_F64))
        return TP_BAD_ARGUMENT;
    for (int64_t i = 0; i < count; i++) {
        const double value = element_of(array, first + i) * factor;
        if (dtype == TP_F32)
            ((float *)out)[i] = (float)value;
        else if (dtype == TP_F64)
            ((double *)out)[i] = value;
        else
            ((int32_t *)out)[i] = (int32_t)value;
    }
    return TP_OK;
}

void tp_idx_free(tp_idx *array)
{
    if (array == NULL)
        return;
    tp__io_release(&array->allocator, array->data, array->allocated);
    *array = (tp_idx){0};
}
