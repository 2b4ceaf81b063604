/* reader.h -- what the readers of files share: the first fault, values that are taken as they arrive, reports. */
#ifndef TAPIR_IO_READER_H
#define TAPIR_IO_READER_H

#include "memory.h"
#include "stream.h"

typedef struct tp__reader {
    tp__stream *stream;
    tp_allocator allocator;
    tp__fault fault;  /* the first */
    char reason[240]; /* of faults whose reason has numbers */
} tp__reader;

/* Remembers the first fault of a file; printf style. */
void tp__reader_fail(tp__reader *r, int64_t offset, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

bool tp__reader_fine(const tp__reader *r);

/* Exactly n bytes of what is called `what`; false, and a fault, when the file ends before. */
bool tp__reader_take(tp__reader *r, void *to, size_t n, const char *what);

/* `bytes` bytes of values, all that is left of the file: returned in memory of *allocated bytes, NULL when there are
 * none or at a fault.  Memory is taken as the values arrive: what `announcer` announces alone costs nothing. */
void *tp__reader_values(tp__reader *r, int64_t bytes, const char *announcer, size_t *allocated);

/* Out of memory, as a fault. */
void tp__reader_no_memory(tp__reader *r);

/* What is wrong with the arguments of a reader, or NULL. */
const char *tp__reader_bad_argument(const char *path, const tp_io_options *options, const void *out);

/* Turns values of `element` bytes around, if this machine's byte order is not the one that the file has. */
void tp__io_own_order(void *values, int64_t count, size_t element, bool most_significant_first);

/* Fills *report (NULL: ignored).  The path may be NULL, then `caller` stands for it. */
void tp__io_report(tp_io_report *report, const char *path, const char *caller, const tp__fault *fault);

/* Is it UTF-8 (RFC 3629: shortest forms, no surrogates)?  If not, *at is where it is not. */
bool tp__is_utf8(const char *text, size_t n, size_t *at);

#endif
