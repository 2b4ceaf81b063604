/* reader.c -- see reader.h. */
#include <stdarg.h>
#include <string.h>

#include "reader.h"

/* First step of the growing buffer. */
enum { FIRST_BYTES = 1 << 16 };

/* ---- Faults ------------------------------------------------------------------------------------------ */

void tp__reader_fail(tp__reader *r, int64_t offset, const char *format, ...)
{
    va_list arguments;
    if (r->fault.status != TP_OK)
        return;
    va_start(arguments, format);
    vsnprintf(r->reason, sizeof r->reason, format, arguments);
    va_end(arguments);
    r->fault = (tp__fault){TP_BAD_VALUE, offset, r->reason};
}

void tp__reader_no_memory(tp__reader *r)
{
    if (tp__reader_fine(r))
        r->fault = (tp__fault){TP_OUT_OF_MEMORY, -1, "out of memory"};
}

bool tp__reader_fine(const tp__reader *r)
{
    return r->fault.status == TP_OK;
}

const char *tp__reader_bad_argument(const char *path, const tp_io_options *options, const void *out)
{
    if (path == NULL || out == NULL)
        return "the path or the result is NULL";
    if (options->max_bytes < 0)
        return "max_bytes must not be negative";
    if ((options->allocator.allocate == NULL) != (options->allocator.release == NULL))
        return "an allocator needs both functions";
    return NULL;
}

void tp__io_report(tp_io_report *report, const char *path, const char *caller, const tp__fault *fault)
{
    const char *name = path != NULL ? path : caller;
    if (report == NULL)
        return;
    *report = (tp_io_report){.status = fault->status, .offset = fault->offset};
    if (fault->status == TP_OK)
        report->offset = -1;
    else if (fault->offset >= 0)
        snprintf(report->message, sizeof report->message, "%s: at byte %lld: %s", name,
                 (long long)fault->offset, fault->reason);
    else
        snprintf(report->message, sizeof report->message, "%s: %s", name, fault->reason);
}

/* ---- Bytes ------------------------------------------------------------------------------------------- */

bool tp__reader_take(tp__reader *r, void *to, size_t n, const char *what)
{
    const size_t got = tp__stream_read(r->stream, to, n, &r->fault);
    if (got < n)
        tp__reader_fail(r, tp__stream_position(r->stream), "the file ends within %s", what);
    return tp__reader_fine(r);
}

/* Memory of `size` bytes; what is there is kept, and released where it was. */
static void *grow(tp__reader *r, void *old, size_t old_size, size_t used, size_t size)
{
    void *larger = r->allocator.allocate(size, 64, r->allocator.user);
    if (larger == NULL)
        tp__reader_no_memory(r);
    else if (used > 0)
        memcpy(larger, old, used);
    tp__io_release(&r->allocator, old, old_size);
    return larger;
}

static void fail_short(tp__reader *r, int64_t offset, int64_t there, int64_t announced, const char *announcer)
{
    tp__reader_fail(r, offset, "the file ends after %lld of the %lld bytes of values that its %s",
                    (long long)there, (long long)announced, announcer);
}

static void expect_end(tp__reader *r, const char *announcer)
{
    unsigned char extra;
    const int64_t position = tp__stream_position(r->stream);
    if (tp__stream_read(r->stream, &extra, 1, &r->fault) > 0)
        tp__reader_fail(r, position, "more bytes follow the values that the %s", announcer);
}

void *tp__reader_values(tp__reader *r, int64_t bytes, const char *announcer, size_t *allocated)
{
    const size_t wanted = (size_t)bytes;
    const int64_t left = tp__stream_left(r->stream), start = tp__stream_position(r->stream);
    size_t used = 0, held = 0;
    unsigned char *values = NULL;

    if (left >= 0 && left < bytes)
        fail_short(r, start + left, left, bytes, announcer);
    while (used < wanted && tp__reader_fine(r)) {
        size_t size = left >= 0 ? wanted : used == 0 ? FIRST_BYTES : 2 * used;
        size = size < wanted ? size : wanted;
        values = grow(r, values, held, used, size);
        held = values != NULL ? size : 0;
        if (values == NULL)
            break;
        used += tp__stream_read(r->stream, values + used, size - used, &r->fault);
        if (used < size)
            fail_short(r, tp__stream_position(r->stream), (int64_t)used, bytes, announcer);
    }
    if (tp__reader_fine(r))
        expect_end(r, announcer);
    if (!tp__reader_fine(r)) {
        tp__io_release(&r->allocator, values, held);
        values = NULL;
        held = 0;
    }
    *allocated = held;
    return values;
}

void tp__io_own_order(void *values, int64_t count, size_t element, bool most_significant_first)
{
    const uint16_t probe = 1;
    unsigned char first, *at = values;

    memcpy(&first, &probe, 1);
    if ((first == 0) == most_significant_first)
        return; /* it is the same */
    for (int64_t i = 0; i < count; i++, at += element)
        for (size_t a = 0, b = element - 1; a < b; a++, b--) {
            const unsigned char byte = at[a];
            at[a] = at[b];
            at[b] = byte;
        }
}

/* ---- Text -------------------------------------------------------------------------------------------- */

/* Length of the character that begins here, or 0 if none does. */
static size_t utf8_length(const unsigned char *c, size_t left)
{
    static const struct {
        unsigned char first, last; /* of the first byte */
        unsigned char low, high;   /* of the second */
        size_t length;
    } form[] = {{0x00, 0x7f, 0, 0xff, 1},    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

    for (size_t k = 0; k < sizeof form / sizeof *form; k++) {
        if (c[0] < form[k].first || c[0] > form[k].last)
            continue;
        if (form[k].length == 1)
            return 1;
        if (left < form[k].length || c[1] < form[k].low || c[1] > form[k].high)
            return 0;
        for (size_t i = 2; i < form[k].length; i++)
            if ((c[i] & 0xc0) != 0x80)
                return 0;
        return form[k].length;
    }
    return 0;
}

bool tp__is_utf8(const char *text, size_t n, size_t *at)
{
    for (*at = 0; *at < n;) {
        const size_t length = utf8_length((const unsigned char *)text + *at, n - *at);
        if (length == 0)
            return false;
        *at += length;
    }
    return true;
}
