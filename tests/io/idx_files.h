/* idx_files.h -- what the tests of IDX files share: the files made byte by byte, and what is wrong with them. */
#ifndef TAPIR_TESTS_IDX_FILES_H
#define TAPIR_TESTS_IDX_FILES_H

#include <sys/stat.h>

#include "files.h"

/* ---- Files ----------------------------------------------------------------------------------------- */

enum { MOST = 4096 };

typedef struct bytes {
    size_t n;
    unsigned char b[MOST];
} bytes;

static char path[128];

static inline int make_place(void **state)
{
    if (make_directory(state) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/data.idx", directory);
    return 0;
}

static inline void put(bytes *f, const void *b, size_t n)
{
    assert_true(f->n + n <= MOST);
    if (n > 0)
        memcpy(f->b + f->n, b, n);
    f->n += n;
}

static inline bytes header(int type, int rank, const uint32_t *size)
{
    bytes f = {0};
    put(&f, (const unsigned char[]){0, 0, (unsigned char)type, (unsigned char)rank}, 4);
    for (int d = 0; d < rank; d++)
        put(&f,
            (const unsigned char[]){(unsigned char)(size[d] >> 24), (unsigned char)(size[d] >> 16),
                                    (unsigned char)(size[d] >> 8), (unsigned char)size[d]},
            4);
    return f;
}

static inline void write_file(const bytes *f)
{
    write_bytes(path, f->b, f->n);
}

/* u8 [2,3] */
static inline bytes small_file(void)
{
    bytes f = header(TP_IDX_U8, 2, (const uint32_t[]){2, 3});
    put(&f, (const unsigned char[]){0, 1, 2, 127, 128, 255}, 6);
    return f;
}

static inline void expect_small(const tp_idx *array)
{
    static const unsigned char values[6] = {0, 1, 2, 127, 128, 255};
    assert_int_equal(array->type, TP_IDX_U8);
    assert_true(tp_shape_equal(array->shape, TP_SHAPE(2, 3)));
    assert_int_equal(array->count, 6);
    assert_memory_equal(array->data, values, 6);
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

static inline tp_idx_options metered(meter *m)
{
    *m = (meter){0};
    return (tp_idx_options){.allocator = {metered_allocate, metered_release, m}};
}

/* ---- Faults ---------------------------------------------------------------------------------------- */

/* The file (NULL: the one that is there) is refused with this message behind its name, and little memory was taken.
 * offset -1: the message has none; -2: it does not matter. */
static inline void expect_fault(const bytes *f, int64_t offset, const char *text)
{
    char message[TP_IO_MESSAGE];
    tp_io_report report;
    tp_idx array = {.count = 77};
    meter m;

    if (f != NULL)
        write_file(f);
    const tp_idx_options o = metered(&m);
    if (tp_idx_read(path, &o, &array, &report) != TP_BAD_VALUE)
        fail_msg("read without the fault: %s", text);
    if (offset >= 0)
        snprintf(message, sizeof message, "%s: at byte %lld: %s", path, (long long)offset, text);
    else
        snprintf(message, sizeof message, "%s: %s", path, text);
    if (offset == -2 ? strstr(report.message, text) == NULL
                     : strncmp(report.message, message, strlen(message)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", report.message, message);
    assert_int_equal(report.status, TP_BAD_VALUE);
    assert_true(offset == -2 || report.offset == offset);
    assert_int_equal(m.held, 0);
    assert_in_range(m.largest, 0, 1 << 17);
    assert_null(array.data);
    assert_int_equal(array.count, 0);
}

/* Each of the file's allocations in turn fails: an error, and nothing leaks. */
static inline void expect_no_memory(int allocations)
{
    for (int k = 1; k <= allocations; k++) {
        tp_idx array;
        tp_io_report report;
        meter m;
        const tp_idx_options o = metered(&m);
        m.refused = k;
        assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_OUT_OF_MEMORY);
        assert_non_null(strstr(report.message, "out of memory"));
        assert_int_equal(m.calls, k);
        assert_int_equal(m.held, 0);
        assert_null(array.data);
    }
}

#endif
