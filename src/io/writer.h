/* writer.h -- a file that appears complete or not at all. */
#ifndef TAPIR_IO_WRITER_H
#define TAPIR_IO_WRITER_H

#include <stdio.h>

#include "stream.h"

#define TP__PATH 4096

typedef struct tp__writer {
    FILE *file; /* write here, with stdio */
    const char *path;
    char temporary[TP__PATH];
} tp__writer;

/* Opens a temporary file in the directory of `path`, which must outlive the writer; false, and why, if it cannot. */
bool tp__writer_open(tp__writer *w, const char *path, tp__fault *fault);

/* Flushes the file to the disk and gives it its name; with a fault, or when that fails, removes it instead. */
bool tp__writer_close(tp__writer *w, tp__fault *fault);

/* `count` values of `element` bytes, least significant byte first. */
void tp__io_write_values(FILE *file, const void *values, int64_t count, size_t element);

#endif
