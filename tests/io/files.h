/* files.h -- what the tests of files share: a directory of their own, and files made byte by byte. */
#ifndef TAPIR_TESTS_FILES_H
#define TAPIR_TESTS_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tapir/op.h>
#include <tapir/tapir.h>

static char directory[64];

static inline int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/tapir_io_XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

/* How many files are there; with `drop` they are removed. */
static inline int files_there(bool drop)
{
    int n = 0;
    DIR *d = opendir(directory);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[400];
        if (e->d_name[0] == '.')
            continue;
        n++;
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (drop)
            unlink(path);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

static inline int drop_directory(void **state)
{
    (void)state;
    files_there(true);
    return rmdir(directory);
}

/* Valid until the next call but three. */
static inline const char *in_directory(const char *name)
{
    static char path[4][160];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static inline void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline size_t read_bytes(const char *path, void *bytes, size_t most)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, most, file);
    fclose(file);
    return n;
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

typedef struct meter {
    size_t largest, held;
    int calls, refused; /* the call with this number fails; 0: none */
} meter;

static inline void *metered_allocate(size_t size, size_t alignment, void *user)
{
    meter *m = user;
    if (++m->calls == m->refused)
        return NULL;
    m->largest = size > m->largest ? size : m->largest;
    m->held += size;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static inline void metered_release(void *memory, size_t size, void *user)
{
    ((meter *)user)->held -= size;
    free(memory);
}

#endif
