/* parameters.c -- tp_save_parameters, tp_load_parameters: safetensors (parameters.h has the format). */
#include <string.h>

#include "parameters.h"
#include "writer.h"

static const char *const dtype_name[TP_DTYPE_COUNT] = {[TP_F32] = "F32", [TP_F64] = "F64", [TP_I32] = "I32"};

/* ---- Names ------------------------------------------------------------------------------------------- */

/* Quadratic in n, as is finding a name below: models have hundreds of tensors, not millions. */
static bool check_names(tp__reader *r, const char *path, const tp_named *named, int n)
{
    size_t at;
    const char *wrong = NULL;

    if (path == NULL || n < 0 || (named == NULL && n > 0))
        wrong = "the path or the tensors are NULL";
    for (int k = 0; k < n && wrong == NULL; k++) {
        const char *name = named[k].name;
        if (name == NULL || !tp__is_utf8(name, strlen(name), &at))
            wrong = "a name is NULL or not UTF-8";
        else if (strcmp(name, "__metadata__") == 0)
            wrong = "no tensor can be called __metadata__";
        for (int i = 0; i < k && wrong == NULL; i++)
            if (strcmp(named[i].name, name) == 0)
                wrong = "two tensors have one name";
    }
    if (wrong != NULL)
        r->fault = (tp__fault){TP_BAD_ARGUMENT, -1, wrong};
    return wrong == NULL;
}

static bool fail_named(tp__reader *r, tp_status status, const char *name, const char *reason)
{
    tp__reader_fail(r, -1, "\"%.100s\" %s", name, reason);
    r->fault.status = status;
    return false;
}

/* ---- Saving ------------------------------------------------------------------------------------------ */

static void write_string(FILE *file, const char *s)
{
    fputc('"', file);
    for (; *s != '\0'; s++)
        if (*s == '"' || *s == '\\')
            fprintf(file, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(file, "\\u%04x", (unsigned)*s);
        else
            fputc(*s, file);
    fputc('"', file);
}

/* The length is filled in later, and the header padded, so that the values begin at a multiple of 8. */
static void write_header(FILE *file, const tp_named *named, int n, const char *note)
{
    int64_t offset = 0;

    fwrite("\0\0\0\0\0\0\0\0", 1, 8, file);
    fputc('{', file);
    if (note != NULL) {
        fputs("\"__metadata__\":{\"note\":", file);
        write_string(file, note);
        fputs(n > 0 ? "}," : "}", file);
    }
    for (int k = 0; k < n; k++) {
        const tp_tensor t = named[k].tensor;
        const tp_shape shape = tp_shape_of(t);
        const int64_t bytes = tp_count_of(t) * (int64_t)tp_dtype_size(tp_dtype_of(t));
        write_string(file, named[k].name);
        fprintf(file, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name[tp_dtype_of(t)]);
        for (int d = 0; d < shape.rank; d++)
            fprintf(file, d > 0 ? ",%lld" : "%lld", (long long)shape.dim[d]);
        fprintf(file, "],\"data_offsets\":[%lld,%lld]}%s", (long long)offset, (long long)(offset + bytes),
                k + 1 < n ? "," : "");
        offset += bytes;
    }
    fputc('}', file);
    long length = ftell(file) - 8;
    for (; length % 8 != 0; length++)
        fputc(' ', file);
    fseek(file, 0, SEEK_SET);
    for (int k = 0; k < 8; k++)
        fputc((int)((unsigned long)length >> 8 * k & 0xff), file);
    fseek(file, 0, SEEK_END);
}

static bool check_values(tp__reader *r, const tp_named *named, int n)
{
    for (int k = 0; k < n; k++) {
        const tp_tensor t = named[k].tensor;
        if (!tp_is_valid(t) || tp_dtype_of(t) == TP_WEAK)
            return fail_named(r, TP_BAD_HANDLE, named[k].name, "is no tensor with a dtype");
        if (tp_count_of(t) > 0 && tp_values(t, tp_dtype_of(t)) == NULL)
            return fail_named(r, TP_BAD_STATE, named[k].name, "has no values yet");
    }
    return true;
}

static bool check_note(tp__reader *r, const char *note)
{
    size_t at;
    if (note != NULL && !tp__is_utf8(note, strlen(note), &at))
        r->fault = (tp__fault){TP_BAD_ARGUMENT, -1, "the note is not UTF-8"};
    return tp__reader_fine(r);
}

tp_status tp_save_parameters(const char *path, const tp_named *named, int n, const tp_save_options *options,
                             tp_io_report *report)
{
    const tp_save_options o = options != NULL ? *options : (tp_save_options){0};
    tp__reader r = {0};
    tp__writer w;

    if (check_names(&r, path, named, n) && check_note(&r, o.note) && check_values(&r, named, n) &&
        tp__writer_open(&w, path, &r.fault)) {
        write_header(w.file, named, n, o.note);
        for (int k = 0; k < n; k++) {
            const tp_dtype dtype = tp_dtype_of(named[k].tensor);
            if (tp_count_of(named[k].tensor) > 0)
                tp__io_write_values(w.file, tp_values(named[k].tensor, dtype), tp_count_of(named[k].tensor),
                                    tp_dtype_size(dtype));
        }
        tp__writer_close(&w, &r.fault);
    }
    tp__io_report(report, path, "tp_save_parameters", &r.fault);
    return r.fault.status;
}

/* ---- Loading ----------------------------------------------------------------------------------------- */

typedef struct loading {
    tp__reader r;
    tp__header header;
    const tp_named *named;
    int n;
    tp_load_options options;
} loading;

static const tp__entry *find_entry(const loading *l, const char *name)
{
    for (size_t k = 0; k < l->header.entries; k++)
        if (tp__json_is(&l->header.entry[k].name, name))
            return &l->header.entry[k];
    return NULL;
}

static bool same_shape(const tp__entry *e, const tp_shape *shape)
{
    return e->rank == shape->rank && memcmp(e->dim, shape->dim, (size_t)e->rank * sizeof *e->dim) == 0;
}

static void describe_entry(const tp__entry *e, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s[", e->dtype);
    for (int d = 0; d < e->rank && d < TP_MAX_RANK && n < size; d++)
        n += (size_t)snprintf(text + n, size - n, d > 0 ? ",%lld" : "%lld", (long long)e->dim[d]);
    if (n < size)
        snprintf(text + n, size - n, e->rank > TP_MAX_RANK ? ",...]" : "]");
}

static bool check_parameter(loading *l, const tp_named *p)
{
    const tp__entry *e = find_entry(l, p->name);
    const tp_shape shape = tp_shape_of(p->tensor);
    char wanted[192], got[192];

    if (e == NULL) {
        if (!l->options.allow_missing)
            tp__reader_fail(&l->r, -1, "the file has no tensor \"%.100s\"", p->name);
        return l->options.allow_missing;
    }
    if (strcmp(e->dtype, dtype_name[tp_dtype_of(p->tensor)]) == 0 && same_shape(e, &shape))
        return true;
    tp__entry copy = {.rank = shape.rank};
    strcpy(copy.dtype, dtype_name[tp_dtype_of(p->tensor)]);
    memcpy(copy.dim, shape.dim, sizeof copy.dim);
    describe_entry(&copy, wanted, sizeof wanted);
    describe_entry(e, got, sizeof got);
    tp__reader_fail(&l->r, 8 + (int64_t)e->name.at, "the tensor \"%.40s\" is %.64s, but the parameter %.64s",
                    p->name, got, wanted);
    return false;
}

/* Every parameter against the file, and the other way round. */
static bool check_fit(loading *l)
{
    for (int k = 0; k < l->n; k++)
        if (!check_parameter(l, &l->named[k]))
            return false;
    for (size_t i = 0; i < l->header.entries && !l->options.allow_extra; i++) {
        const tp__entry *e = &l->header.entry[i];
        bool wanted = false;
        for (int k = 0; k < l->n && !wanted; k++)
            wanted = tp__json_is(&e->name, l->named[k].name);
        if (!wanted) {
            tp__reader_fail(&l->r, 8 + (int64_t)e->name.at,
                            "the file's tensor \"%.*s\" is not asked for: .allow_extra passes over it",
                            (int)(e->name.n < 100 ? e->name.n : 100), e->name.text);
            return false;
        }
    }
    return true;
}

static bool check_leaves(tp__reader *r, const tp_named *named, int n)
{
    for (int k = 0; k < n; k++)
        if (!tp_is_valid(named[k].tensor) || !tp_is_writable(named[k].tensor))
            return fail_named(r, TP_BAD_HANDLE, named[k].name, "is no input or parameter");
    return true;
}

/* Nothing can go wrong any more. */
static void write_leaves(const loading *l, unsigned char *values)
{
    for (int k = 0; k < l->n; k++) {
        const tp_tensor t = l->named[k].tensor;
        const tp__entry *e = find_entry(l, l->named[k].name);
        const int64_t count = tp_count_of(t);
        if (e == NULL || count == 0)
            continue;
        tp__io_own_order(values + e->begin, count, tp_dtype_size(tp_dtype_of(t)), false);
        memcpy(tp_leaf_data(t, tp_dtype_of(t)), values + e->begin, (size_t)(e->end - e->begin));
    }
}

static void load_all(loading *l, const char *path)
{
    tp__reader *r = &l->r;
    size_t allocated = 0;
    unsigned char *values = NULL;

    r->stream = tp__stream_open(path, &r->allocator, &r->fault);
    if (r->stream == NULL)
        return;
    if (tp__header_read(r, &l->header) && check_fit(l)) {
        const size_t n = l->header.entries;
        const int64_t bytes = n > 0 ? l->header.entry[n - 1].end : 0;
        if (bytes > l->options.max_bytes)
            tp__reader_fail(r, 8, "the offsets announce more than %lld bytes of values, the limit",
                            (long long)l->options.max_bytes);
        else
            values = tp__reader_values(r, bytes, "offsets announce", &allocated);
    }
    tp__stream_close(r->stream);
    if (tp__reader_fine(r))
        write_leaves(l, values);
    tp__io_release(&r->allocator, values, allocated);
    tp__header_free(r, &l->header);
}

tp_status tp_load_parameters(const char *path, const tp_named *named, int n, const tp_load_options *options,
                             tp_io_report *report)
{
    loading l = {.named = named, .n = n, .options = options != NULL ? *options : (tp_load_options){0}};
    const tp_io_options io = {.max_bytes = l.options.max_bytes, .allocator = l.options.allocator};
    const char *wrong = tp__reader_bad_argument(path, &io, &l);

    if (l.options.max_bytes == 0)
        l.options.max_bytes = (int64_t)1 << 40;
    if (wrong != NULL)
        l.r.fault = (tp__fault){TP_BAD_ARGUMENT, -1, wrong};
    l.r.allocator = tp__io_allocator(&io.allocator);
    if (wrong == NULL && check_names(&l.r, path, named, n) && check_leaves(&l.r, named, n))
        load_all(&l, path);
    tp__io_report(report, path, "tp_load_parameters", &l.r.fault);
    return l.r.fault.status;
}
