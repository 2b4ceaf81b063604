/* npy.c -- tp_npy_read, tp_npy_copy, tp_npy_free, tp_npy_write.
 *
 *     bytes 0-5   \x93NUMPY
 *     bytes 6, 7  major and minor version
 *     then        length of the header, 2 bytes (version 1) or 4 (version 2), least significant first
 *     then        the header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, blanks, a newline
 *     then        the values
 */
#include <math.h>
#include <string.h>

#include "reader.h"
#include "writer.h"

enum { MOST_HEADER = 10000 };

static const struct {
    tp_npy_type type;
    const char *descr;
    size_t size;
} npy_types[] = {{TP_NPY_U8, "|u1", 1},
                 {TP_NPY_I32, "<i4", 4},
                 {TP_NPY_I64, "<i8", 8},
                 {TP_NPY_F32, "<f4", 4},
                 {TP_NPY_F64, "<f8", 8}};
enum { TYPES = sizeof npy_types / sizeof *npy_types };

typedef struct reading {
    tp__reader r;
    tp_npy *out;
    size_t element;
    int64_t max_bytes;
    int64_t start; /* of the header in the file */
    size_t length, at;
    unsigned seen; /* keys: bit 0 descr, 1 fortran_order, 2 shape */
    char header[MOST_HEADER + 1];
} reading;

/* ---- The header: a literal of Python ------------------------------------------------------------------ */

static bool bad(reading *r, const char *reason)
{
    tp__reader_fail(&r->r, r->start + (int64_t)r->at, "%s", reason);
    return false;
}

static void skip_blanks(reading *r)
{
    while (r->header[r->at] == ' ' || r->header[r->at] == '\n' || r->header[r->at] == '\t')
        r->at++;
}

/* This character comes next, after blanks. */
static bool next_is(reading *r, char c)
{
    skip_blanks(r);
    if (r->header[r->at] != c)
        return false;
    r->at++;
    return true;
}

/* A string of plain characters between ' or "; it points into the header, which is cut behind it. */
static const char *take_string(reading *r)
{
    skip_blanks(r);
    const char quote = r->header[r->at];
    if (quote != '\'' && quote != '"') {
        bad(r, "the header must have a string here");
        return NULL;
    }
    char *start = r->header + r->at + 1, *end = strchr(start, quote);
    if (end == NULL || memchr(start, '\\', (size_t)(end - start)) != NULL) {
        bad(r, "the string that begins here does not end, or has a backslash");
        return NULL;
    }
    *end = '\0';
    r->at = (size_t)(end - r->header) + 1;
    return start;
}

static bool take_descr(reading *r)
{
    skip_blanks(r);
    const size_t at = r->at;
    const char *descr = r->header[at] == '[' ? "[...]" : take_string(r);

    if (descr == NULL)
        return false;
    for (int k = 0; k < TYPES; k++)
        if (strcmp(descr, npy_types[k].descr) == 0) {
            r->out->type = npy_types[k].type;
            r->element = npy_types[k].size;
            return true;
        }
    tp__reader_fail(&r->r, r->start + (int64_t)at,
                    "elements of type '%.24s' cannot be read: only <f4, <f8, <i4, <i8 and |u1 can%s", descr,
                    descr[0] == '>' ? "; it is big-endian, numpy's astype makes it little-endian" : "");
    return false;
}

static bool take_order(reading *r)
{
    skip_blanks(r);
    const char *at = r->header + r->at;
    if (strncmp(at, "True", 4) == 0)
        return bad(r,
                   "the array is in Fortran order, which cannot be read: save numpy.ascontiguousarray of it");
    if (strncmp(at, "False", 5) != 0)
        return bad(r, "fortran_order must be True or False");
    r->at += 5;
    return true;
}

/* A size without sign; older files have an L behind it. */
static bool take_size(reading *r, int64_t *size)
{
    const char *digits = "0123456789";
    skip_blanks(r);
    const size_t n = strspn(r->header + r->at, digits);
    *size = 0;
    if (n == 0)
        return bad(r, "a size must be a whole number that is not negative");
    for (size_t k = 0; k < n; k++) {
        const int digit = r->header[r->at + k] - '0';
        if (*size > (INT64_MAX - digit) / 10)
            return bad(r, "the size is beyond 64 bits");
        *size = 10 * *size + digit;
    }
    r->at += n;
    if (r->header[r->at] == 'L')
        r->at++;
    return true;
}

static bool take_shape(reading *r)
{
    tp_shape *shape = &r->out->shape;
    bool comma = true;

    if (!next_is(r, '('))
        return bad(r, "the shape must be a tuple");
    while (!next_is(r, ')')) {
        if (!comma)
            return bad(r, "the shape must have a comma or an end here");
        if (shape->rank == TP_MAX_RANK)
            return bad(r, "the array has more than 8 dimensions");
        if (!take_size(r, &shape->dim[shape->rank++]))
            return false;
        comma = next_is(r, ',');
    }
    if (shape->rank == 1 && !comma)
        return bad(r, "a tuple of one size needs a comma");
    return true;
}

static bool take_entry(reading *r)
{
    static const char *const key[] = {"descr", "fortran_order", "shape"};
    static bool (*const take[])(reading *) = {take_descr, take_order, take_shape};
    const size_t at = r->at;
    const char *name = take_string(r);

    for (unsigned k = 0; name != NULL && k < 3; k++) {
        if (strcmp(name, key[k]) != 0)
            continue;
        if ((r->seen & 1u << k) != 0)
            break;
        r->seen |= 1u << k;
        return next_is(r, ':') ? take[k](r) : bad(r, "the header must have a colon here");
    }
    tp__reader_fail(&r->r, r->start + (int64_t)at,
                    "the header's keys must be descr, fortran_order and shape, each once");
    return false;
}

static bool parse_header(reading *r)
{
    bool comma = true;

    if (strlen(r->header) != r->length) {
        r->at = strlen(r->header);
        return bad(r, "the header has a byte 0");
    }
    if (!next_is(r, '{'))
        return bad(r, "the header must begin with {");
    while (!next_is(r, '}')) {
        if (!comma)
            return bad(r, "the header must have a comma or an end here");
        if (!take_entry(r))
            return false;
        comma = next_is(r, ',');
    }
    skip_blanks(r);
    if (r->at != r->length)
        return bad(r, "more follows the end of the header");
    if (r->seen != 7)
        return bad(r, "the header lacks descr, fortran_order or shape");
    return true;
}

static bool read_header(reading *r)
{
    static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    unsigned char b[8], size[4] = {0};

    if (!tp__reader_take(&r->r, b, sizeof b, "the magic number"))
        return false;
    if (memcmp(b, magic, sizeof magic) != 0)
        tp__reader_fail(&r->r, 0, "this is no .npy file: it does not begin with \\x93NUMPY");
    else if ((b[6] != 1 && b[6] != 2) || b[7] != 0)
        tp__reader_fail(&r->r, 6, "format %d.%d cannot be read: only 1.0 and 2.0 can", b[6], b[7]);
    if (!tp__reader_fine(&r->r) ||
        !tp__reader_take(&r->r, size, b[6] == 1 ? 2 : 4, "the length of the header"))
        return false;
    const uint32_t length =
        size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
    if (length > MOST_HEADER) {
        tp__reader_fail(&r->r, 8, "the header has %lu bytes, but at most %d are allowed",
                        (unsigned long)length, MOST_HEADER);
        return false;
    }
    r->start = tp__stream_position(r->r.stream);
    r->length = length;
    return tp__reader_take(&r->r, r->header, length, "the header") && parse_header(r);
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

static void read_all(reading *r, const char *path)
{
    tp_npy *out = r->out;
    r->r.stream = tp__stream_open(path, &r->r.allocator, &r->r.fault);
    if (r->r.stream == NULL)
        return;
    if (read_header(r)) {
        out->count = tp_shape_count(out->shape); /* INT64_MAX when it is beyond that */
        if (out->count > r->max_bytes / (int64_t)r->element)
            tp__reader_fail(&r->r, r->start, "the shape announces more than %lld bytes of values, the limit",
                            (long long)r->max_bytes);
        else
            out->data = tp__reader_values(&r->r, out->count * (int64_t)r->element, "shape announces",
                                          &out->allocated);
    }
    tp__stream_close(r->r.stream);
    if (tp__reader_fine(&r->r))
        tp__io_own_order(out->data, out->count, r->element, false);
}

tp_status tp_npy_read(const char *path, const tp_io_options *options, tp_npy *out, tp_io_report *report)
{
    const tp_io_options o = options != NULL ? *options : (tp_io_options){0};
    reading r = {.out = out, .max_bytes = o.max_bytes != 0 ? o.max_bytes : (int64_t)1 << 30};
    const char *wrong = tp__reader_bad_argument(path, &o, out);

    if (out != NULL)
        *out = (tp_npy){0};
    if (wrong != NULL) {
        r.r.fault = (tp__fault){TP_BAD_ARGUMENT, -1, wrong};
    } else {
        out->allocator = r.r.allocator = tp__io_allocator(&o.allocator);
        read_all(&r, path);
        if (!tp__reader_fine(&r.r))
            tp_npy_free(out);
    }
    tp__io_report(report, path, "tp_npy_read", &r.r.fault);
    return r.r.fault.status;
}

void tp_npy_free(tp_npy *array)
{
    if (array == NULL)
        return;
    tp__io_release(&array->allocator, array->data, array->allocated);
    *array = (tp_npy){0};
}

/* ---- Copying ----------------------------------------------------------------------------------------- */

/* Element i as a double: exact but for 64-bit integers beyond 2^53. */
static double element_of(const tp_npy *array, int64_t i)
{
    switch (array->type) {
    case TP_NPY_U8: return ((const uint8_t *)array->data)[i];
    case TP_NPY_I32: return ((const int32_t *)array->data)[i];
    case TP_NPY_I64: return (double)((const int64_t *)array->data)[i];
    case TP_NPY_F32: return (double)((const float *)array->data)[i];
    case TP_NPY_F64: return ((const double *)array->data)[i];
    }
    return 0;
}

static bool is_whole(const tp_npy *array)
{
    return array->type == TP_NPY_U8 || array->type == TP_NPY_I32 || array->type == TP_NPY_I64;
}

/* A double that rounds to an infinite f32 although it is finite is beyond the range of f32. */
static bool fits(double value, tp_dtype dtype)
{
    if (dtype == TP_I32)
        return value >= INT32_MIN && value <= INT32_MAX;
    return dtype == TP_F64 || !isfinite(value) || fabs(value) < 0x1.ffffffp127;
}

tp_status tp_npy_copy(const tp_npy *array, int64_t first, int64_t count, tp_dtype dtype, double factor,
                      void *out)
{
    if (array == NULL || first < 0 || count < 0 || first > array->count || count > array->count - first ||
        (out == NULL && count > 0) || (unsigned)dtype >= TP_DTYPE_COUNT)
        return TP_BAD_ARGUMENT;
    if (dtype == TP_I32 && (factor != 1 || !is_whole(array)))
        return TP_BAD_ARGUMENT;
    for (int64_t i = 0; i < count; i++)
        if (!fits(element_of(array, first + i) * factor, dtype))
            return TP_BAD_VALUE;
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

/* ---- Writing ----------------------------------------------------------------------------------------- */

/* Magic, version, length, and a header padded so that the values begin at a multiple of 64, as NumPy does. */
static void write_header(FILE *file, tp_dtype dtype, const tp_shape *shape)
{
    static const char *const descr[TP_DTYPE_COUNT] = {[TP_F32] = "<f4", [TP_F64] = "<f8", [TP_I32] = "<i4"};
    char header[384];
    int n =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[dtype]);

    for (int d = 0; d < shape->rank; d++)
        n += snprintf(header + n, sizeof header - (size_t)n, d + 1 < shape->rank ? "%lld, " : "%lld",
                      (long long)shape->dim[d]);
    n += snprintf(header + n, sizeof header - (size_t)n, shape->rank == 1 ? ",), }" : "), }");
    while ((10 + n + 1) % 64 != 0)
        header[n++] = ' ';
    header[n++] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc(n & 0xff, file);
    fputc(n >> 8, file);
    fwrite(header, 1, (size_t)n, file);
}

static tp__fault bad_array(const char *path, tp_dtype dtype, const tp_shape *shape, const void *data)
{
    const int64_t count = tp_shape_count(*shape);
    bool negative = shape->rank < 0 || shape->rank > TP_MAX_RANK;
    for (int d = 0; d < shape->rank && !negative; d++)
        negative = shape->dim[d] < 0;
    if (path == NULL)
        return (tp__fault){TP_BAD_ARGUMENT, -1, "the path is NULL"};
    if ((unsigned)dtype >= TP_DTYPE_COUNT)
        return (tp__fault){TP_BAD_DTYPE, -1, "the dtype must be f32, f64 or i32"};
    if (negative || count == INT64_MAX)
        return (tp__fault){TP_BAD_SHAPE, -1, "the shape is none"};
    if (data == NULL && count > 0)
        return (tp__fault){TP_BAD_ARGUMENT, -1, "the data are NULL"};
    return (tp__fault){0};
}

tp_status tp_npy_write(const char *path, tp_dtype dtype, tp_shape shape, const void *data,
                       tp_io_report *report)
{
    tp__fault fault = bad_array(path, dtype, &shape, data);
    tp__writer w;

    if (fault.status == TP_OK && tp__writer_open(&w, path, &fault)) {
        write_header(w.file, dtype, &shape);
        tp__io_write_values(w.file, data, tp_shape_count(shape), tp_dtype_size(dtype));
        tp__writer_close(&w, &fault);
    }
    tp__io_report(report, path, "tp_npy_write", &fault);
    return fault.status;
}
