/* stream.h -- the bytes of a file, decompressed if need be. */
#ifndef TAPIR_IO_STREAM_H
#define TAPIR_IO_STREAM_H

#include <stdio.h>

#include <tapir/io.h>

typedef struct tp__stream tp__stream;

/* Where and why; offset -1 is nowhere in particular. */
typedef struct tp__fault {
    tp_status status; /* TP_OK: none */
    int64_t offset;
    const char *reason;
} tp__fault;

/* Opens a file, or returns NULL and why not.  The allocator is copied. */
tp__stream *tp__stream_open(const char *path, const tp_allocator *allocator, tp__fault *fault);

/* Reads up to n bytes; fewer only at the end or at a fault. */
size_t tp__stream_read(tp__stream *s, void *to, size_t n, tp__fault *fault);

/* Bytes read so far. */
int64_t tp__stream_position(const tp__stream *s);

/* Bytes that are still to come, or -1 if only reading can tell. */
int64_t tp__stream_left(const tp__stream *s);

void tp__stream_close(tp__stream *s);

#endif
