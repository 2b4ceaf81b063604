/* stream.c -- a file as bytes, plain or decompressed by zlib.
 *
 * zlib's inflate is called directly, not its gzread, which takes what follows a member without complaint, and cannot say
 * where in the file a fault is.
 */
#include <errno.h>
#include <string.h>

#include "memory.h"
#include "stream.h"

#ifdef TP_HAVE_ZLIB
#include <zlib.h>
#endif

enum { BUFFER = 1 << 15 };

struct tp__stream {
    FILE *file;
    tp_allocator allocator;
    bool compressed, ended; /* ended: the last member is complete, and nothing follows */
    bool member_over;       /* a member is complete; another may follow */
    int64_t position;       /* of the contents */
    int64_t consumed;       /* bytes of the file that were taken into the buffer */
    int64_t size;           /* of the file; -1: unknown */
#ifdef TP_HAVE_ZLIB
    z_stream z;
#endif
    unsigned char buffer[BUFFER];
    size_t buffered, at; /* buffer[at .. buffered) is still to be taken */
};

static void set_fault(tp__fault *fault, tp_status status, int64_t offset, const char *reason)
{
    if (fault->status == TP_OK)
        *fault = (tp__fault){status, offset, reason};
}

/* ---- The file's own bytes ---------------------------------------------------------------------------- */

/* Makes sure that something is in the buffer; false at the end of the file or at a fault. */
static bool fill(tp__stream *s, tp__fault *fault)
{
    if (s->at < s->buffered)
        return true;
    s->buffered = fread(s->buffer, 1, BUFFER, s->file);
    s->at = 0;
    s->consumed += (int64_t)s->buffered;
    if (s->buffered == 0 && ferror(s->file))
        set_fault(fault, TP_BAD_VALUE, s->consumed, strerror(errno));
    return s->buffered > 0;
}

/* Where in the file the next byte stands. */
static int64_t file_offset(const tp__stream *s)
{
    return s->consumed - (int64_t)(s->buffered - s->at);
}

static size_t read_plain(tp__stream *s, unsigned char *to, size_t n, tp__fault *fault)
{
    size_t got = 0;
    while (got < n && fill(s, fault)) {
        const size_t left = s->buffered - s->at, take = left < n - got ? left : n - got;
        memcpy(to + got, s->buffer + s->at, take);
        s->at += take;
        got += take;
    }
    return got;
}

/* ---- Compressed bytes -------------------------------------------------------------------------------- */

static bool is_gzip(const tp__stream *s)
{
    return s->buffered - s->at >= 2 && s->buffer[s->at] == 0x1f && s->buffer[s->at + 1] == 0x8b;
}

#ifdef TP_HAVE_ZLIB

bool tp_io_reads_gzip(void)
{
    return true;
}

/* zlib's memory is the user's, too; its size stands in front of it. */
typedef union block {
    size_t size;
    max_align_t alignment;
} block;

static void *allocate_for_zlib(void *allocator, unsigned items, unsigned size)
{
    const size_t all = sizeof(block) + (size_t)items * size;
    block *memory = tp__io_allocate(allocator, all);
    if (memory == NULL)
        return NULL;
    memory->size = all;
    return memory + 1;
}

static void release_for_zlib(void *allocator, void *memory)
{
    block *start = (block *)memory - 1;
    tp__io_release(allocator, start, start->size);
}

static bool start_inflating(tp__stream *s, tp__fault *fault)
{
    s->z.zalloc = allocate_for_zlib;
    s->z.zfree = release_for_zlib;
    s->z.opaque = &s->allocator;
    if (inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK)
        return true;
    set_fault(fault, TP_OUT_OF_MEMORY, -1, "out of memory");
    return false;
}

/* Behind a complete member: nothing, or another one. */
static bool next_member(tp__stream *s, tp__fault *fault)
{
    if (!fill(s, fault)) {
        s->ended = true;
        return false;
    }
    /* Its two first bytes may be parted by the buffer's end; zlib complains itself then. */
    if (s->buffer[s->at] != 0x1f || (s->buffered - s->at > 1 && !is_gzip(s))) {
        set_fault(fault, TP_BAD_VALUE, file_offset(s), "bytes follow the end of the compressed data");
        return false;
    }
    s->member_over = false;
    return inflateReset(&s->z) == Z_OK;
}

static const char *reason_of(int result, const tp__stream *s)
{
    if (result == Z_MEM_ERROR)
        return "out of memory";
    return s->z.msg != NULL ? s->z.msg : "the compressed data are damaged";
}

static size_t read_compressed(tp__stream *s, unsigned char *to, size_t n, tp__fault *fault)
{
    size_t got = 0;
    while (got < n && !s->ended) {
        if (s->member_over && !next_member(s, fault))
            break;
        if (!fill(s, fault)) {
            set_fault(fault, TP_BAD_VALUE, file_offset(s), "the file ends within the compressed data");
            break;
        }
        const size_t room = n - got < BUFFER ? n - got : BUFFER, input = s->buffered - s->at;
        s->z.next_in = s->buffer + s->at;
        s->z.avail_in = (uInt)input;
        s->z.next_out = to + got;
        s->z.avail_out = (uInt)room;
        const int result = inflate(&s->z, Z_NO_FLUSH);
        s->at += input - s->z.avail_in;
        got += room - s->z.avail_out;
        s->member_over = result == Z_STREAM_END;
        if (result != Z_OK && result != Z_STREAM_END) {
            set_fault(fault, result == Z_MEM_ERROR ? TP_OUT_OF_MEMORY : TP_BAD_VALUE, file_offset(s),
                      reason_of(result, s));
            break;
        }
    }
    return got;
}

static void stop_inflating(tp__stream *s)
{
    inflateEnd(&s->z);
}

#else

bool tp_io_reads_gzip(void)
{
    return false;
}

static bool start_inflating(tp__stream *s, tp__fault *fault)
{
    set_fault(fault, TP_BAD_VALUE, file_offset(s),
              "the file is compressed by gzip, and this Tapir was built without zlib: decompress it first "
              "(gunzip)");
    return false;
}

static size_t read_compressed(tp__stream *s, unsigned char *to, size_t n, tp__fault *fault)
{
    (void)s, (void)to, (void)n, (void)fault;
    return 0;
}

static void stop_inflating(tp__stream *s)
{
    (void)s;
}

#endif

/* ---- Both -------------------------------------------------------------------------------------------- */

/* The size of a file that has one; a pipe has none. */
static int64_t size_of(FILE *file)
{
    if (fseek(file, 0, SEEK_END) != 0)
        return -1;
    const long size = ftell(file);
    return fseek(file, 0, SEEK_SET) == 0 ? (int64_t)size : -1;
}

tp__stream *tp__stream_open(const char *path, const tp_allocator *allocator, tp__fault *fault)
{
    tp__stream *s = tp__io_allocate(allocator, sizeof *s);
    if (s == NULL) {
        set_fault(fault, TP_OUT_OF_MEMORY, -1, "out of memory");
        return NULL;
    }
    s->allocator = *allocator;
    s->file = fopen(path, "rb");
    if (s->file == NULL) {
        set_fault(fault, TP_BAD_VALUE, -1, strerror(errno));
        tp__io_release(allocator, s, sizeof *s);
        return NULL;
    }
    s->size = size_of(s->file);
    fill(s, fault);
    if (fault->status == TP_OK && is_gzip(s)) {
        if (start_inflating(s, fault))
            s->compressed = true;
    }
    if (fault->status == TP_OK)
        return s;
    tp__stream_close(s);
    return NULL;
}

size_t tp__stream_read(tp__stream *s, void *to, size_t n, tp__fault *fault)
{
    const size_t got = s->compressed ? read_compressed(s, to, n, fault) : read_plain(s, to, n, fault);
    s->position += (int64_t)got;
    return got;
}

int64_t tp__stream_position(const tp__stream *s)
{
    return s->position;
}

int64_t tp__stream_left(const tp__stream *s)
{
    return s->compressed || s->size < 0 ? -1 : s->size - s->position;
}

void tp__stream_close(tp__stream *s)
{
    const tp_allocator allocator = s->allocator;
    if (s->compressed)
        stop_inflating(s);
    fclose(s->file);
    tp__io_release(&allocator, s, sizeof *s);
}
