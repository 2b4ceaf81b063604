/* idx.c -- tp_idx_read, tp_idx_copy, tp_idx_free.
 *
 *     byte 0, 1   0
 *     byte 2      type
 *     byte 3      number of dimensions
 *     then        each size, 4 bytes, most significant first
 *     then        the values, most significant byte first
 */
#include <string.h>

#include "reader.h"

typedef struct reading {
    tp__reader r;
    tp_idx *out;
    size_t element;    /* bytes of one */
    int64_t announced; /* bytes of all values */
    int64_t max_bytes;
} reading;

static const char announcer[] = "sizes announce";

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

static void read_magic(reading *r)
{
    unsigned char magic[4];
    if (!tp__reader_take(&r->r, magic, sizeof magic, "the magic number"))
        return;
    if (magic[0] != 0 || magic[1] != 0)
        tp__reader_fail(&r->r, 0, "this is no IDX file: it begins with %02x %02x instead of 00 00", magic[0],
                        magic[1]);
    else if ((r->element = size_of_type(magic[2])) == 0)
        tp__reader_fail(&r->r, 2, "0x%02x is no element type of IDX", magic[2]);
    else if (magic[3] < 1 || magic[3] > TP_MAX_RANK)
        tp__reader_fail(&r->r, 3, "%d dimensions, but 1 to %d are possible", magic[3], TP_MAX_RANK);
    r->out->type = (tp_idx_type)magic[2];
    r->out->shape.rank = magic[3];
}

/* The sizes, and whether so many values are allowed and, as far as is known, there. */
static void read_sizes(reading *r)
{
    tp_shape *shape = &r->out->shape;
    unsigned char b[4];

    for (int d = 0; d < shape->rank && tp__reader_fine(&r->r); d++)
        if (tp__reader_take(&r->r, b, sizeof b, "the sizes"))
            shape->dim[d] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    if (!tp__reader_fine(&r->r))
        return;
    r->out->count = tp_shape_count(*shape); /* INT64_MAX when it is beyond that */
    if (r->out->count > r->max_bytes / (int64_t)r->element) {
        tp__reader_fail(&r->r, 4, "the sizes announce more than %lld bytes of values, the limit",
                        (long long)r->max_bytes);
        return;
    }
    r->announced = r->out->count * (int64_t)r->element;
}

/* ---- Public ------------------------------------------------------------------------------------------ */

static void read_all(reading *r, const char *path)
{
    tp_idx *out = r->out;
    r->r.stream = tp__stream_open(path, &r->r.allocator, &r->r.fault);
    if (r->r.stream == NULL)
        return;
    read_magic(r);
    if (tp__reader_fine(&r->r))
        read_sizes(r);
    if (tp__reader_fine(&r->r))
        out->data = tp__reader_values(&r->r, r->announced, announcer, &out->allocated);
    tp__stream_close(r->r.stream);
    if (tp__reader_fine(&r->r))
        tp__io_own_order(out->data, out->count, r->element, true);
}

tp_status tp_idx_read(const char *path, const tp_idx_options *options, tp_idx *out, tp_io_report *report)
{
    const tp_idx_options o = options != NULL ? *options : (tp_idx_options){0};
    reading r = {.out = out, .max_bytes = o.max_bytes != 0 ? o.max_bytes : (int64_t)1 << 30};
    const char *wrong = tp__reader_bad_argument(path, &o, out);

    if (out != NULL)
        *out = (tp_idx){0};
    if (wrong != NULL) {
        r.r.fault = (tp__fault){TP_BAD_ARGUMENT, -1, wrong};
    } else {
        out->allocator = r.r.allocator = tp__io_allocator(&o.allocator);
        read_all(&r, path);
        if (!tp__reader_fine(&r.r))
            tp_idx_free(out);
    }
    tp__io_report(report, path, "tp_idx_read", &r.r.fault);
    return r.r.fault.status;
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
