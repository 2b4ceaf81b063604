/* writer.c -- see writer.h.  Who is killed while writing leaves the old file, and a temporary one beside it. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"
#include "writer.h"

static bool fail(tp__fault *fault, const char *reason)
{
    if (fault->status == TP_OK)
        *fault = (tp__fault){TP_BAD_VALUE, -1, reason};
    return false;
}

/* A name that no other process and no other call of this one uses.  Not mkstemp: its file would be readable by its owner
 * only, whatever the umask says. */
static int create(tp__writer *w)
{
    for (int k = 0; k < 1000; k++) {
        const int n =
            snprintf(w->temporary, sizeof w->temporary, "%s.tmp-%ld-%d", w->path, (long)getpid(), k);
        if (n < 0 || (size_t)n >= sizeof w->temporary) {
            errno = ENAMETOOLONG;
            return -1;
        }
        const int descriptor = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

bool tp__writer_open(tp__writer *w, const char *path, tp__fault *fault)
{
    *w = (tp__writer){.path = path};
    const int descriptor = create(w);
    if (descriptor < 0)
        return fail(fault, strerror(errno));
    w->file = fdopen(descriptor, "wb");
    if (w->file != NULL)
        return true;
    fail(fault, strerror(errno));
    close(descriptor);
    unlink(w->temporary);
    return false;
}

/* So that the new name is on the disk, too.  Some file systems cannot; then there is nothing to be done. */
static void flush_directory(const tp__writer *w)
{
    char directory[TP__PATH];
    const char *slash = strrchr(w->path, '/');
    const size_t n = slash == NULL ? 0 : slash == w->path ? 1 : (size_t)(slash - w->path);

    memcpy(directory, n > 0 ? w->path : ".", n > 0 ? n : 1);
    directory[n > 0 ? n : 1] = '\0';
    const int descriptor = open(directory, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    fsync(descriptor);
    close(descriptor);
}

bool tp__writer_close(tp__writer *w, tp__fault *fault)
{
    if (ferror(w->file) || fflush(w->file) != 0 || fsync(fileno(w->file)) != 0)
        fail(fault, strerror(errno));
    if (fclose(w->file) != 0)
        fail(fault, strerror(errno));
    if (fault->status == TP_OK && rename(w->temporary, w->path) != 0)
        fail(fault, strerror(errno));
    if (fault->status != TP_OK) {
        unlink(w->temporary);
        return false;
    }
    flush_directory(w);
    return true;
}

void tp__io_write_values(FILE *file, const void *values, int64_t count, size_t element)
{
    const uint16_t probe = 1;
    unsigned char first, turned[8];

    memcpy(&first, &probe, 1);
    if (first == 1) {
        if (count > 0)
            fwrite(values, element, (size_t)count, file);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(turned, (const unsigned char *)values + (size_t)i * element, element);
        tp__io_own_order(turned, 1, element, false);
        fwrite(turned, 1, element, file);
    }
}
