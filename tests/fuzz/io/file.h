/* file.h -- what the fuzz targets share: the input as a file in memory, and an allocator that watches. */
#ifndef TAPIR_TESTS_FUZZ_FILE_H
#define TAPIR_TESTS_FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tapir/tapir.h>

/* Held by no check of the library's: a message, and the end, which libFuzzer takes for a find. */
static inline void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* The input as a file; its path.  NULL where the system has no files in memory. */
static inline const char *as_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int file = -1;
    if (file < 0)
        file = memfd_create("input", 0);
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        return NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}

typedef struct watch {
    size_t held, most;
} watch;

static inline void *watched_allocate(size_t size, size_t alignment, void *user)
{
    watch *w = user;
    w->held += size;
    w->most = w->held > w->most ? w->held : w->most;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static inline void watched_release(void *memory, size_t size, void *user)
{
    ((watch *)user)->held -= size;
    free(memory);
}

#define WATCHED(W)                                                                                           \
    {                                                                                                        \
        watched_allocate, watched_release, (W)                                                               \
    }

/* What a reader may take: some fixed part, and a multiple of what the file has.  gzip may hold a thousand times its size. */
static inline void check_watch(const watch *w, const uint8_t *data, size_t size)
{
    const bool compressed = size > 1 && data[0] == 0x1f && data[1] == 0x8b;
    must(w->held == 0, "all memory is released");
    must(w->most <= ((size_t)1 << 18) + (compressed ? 4096 : 64) * size,
         "memory is in proportion to the file");
}

static inline void check_report(tp_status status, const tp_io_report *report)
{
    must(status == report->status, "the report has the status");
    must((status == TP_OK) == (report->message[0] == '\0'),
         "there is a message if and only if something is wrong");
}

#endif
