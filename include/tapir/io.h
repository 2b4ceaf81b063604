/* tapir/io.h -- files: IDX here, .npy in tapir/io/npy.h, saved parameters in tapir/io/parameters.h, and batches of rows in
 * tapir/io/batches.h.
 *
 * A file may be truncated, corrupt or hostile: whatever it holds, reading it ends with its contents or with a message
 * that names the file, the offset and the reason, and takes no more memory than the file has data for.
 *
 * IDX is the format of the MNIST family of data sets (yann.lecun.com/exdb/mnist): a big-endian header of type and sizes,
 * then the values in row-major order.
 */
#ifndef TAPIR_IO_H
#define TAPIR_IO_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong. */
#define TP_IO_MESSAGE 512
typedef struct tp_io_report {
    tp_status status;
    int64_t
        offset; /* in the uncompressed contents, or of a fault of the compression itself in the file; -1: nowhere */
    char message[TP_IO_MESSAGE]; /* "FILE: at byte OFFSET: REASON"; "" when all went well */
} tp_io_report;

/* Of the readers below. */
typedef struct tp_io_options {
    int64_t max_bytes;      /* of values; a file that announces more is refused; default: 2^30 */
    tp_allocator allocator; /* of all memory that reading takes; zero: the C library's */
} tp_io_options;

/* True when files compressed by gzip can be read: Tapir was built with zlib. */
TP_API bool tp_io_reads_gzip(void);

/* Element types of IDX. */
typedef enum tp_idx_type {
    TP_IDX_U8 = 0x08,
    TP_IDX_I8 = 0x09,
    TP_IDX_I16 = 0x0B,
    TP_IDX_I32 = 0x0C,
    TP_IDX_F32 = 0x0D,
    TP_IDX_F64 = 0x0E
} tp_idx_type;

/* The contents of a file. */
typedef struct tp_idx {
    tp_idx_type type;
    tp_shape shape;
    int64_t count; /* of elements */
    void *data;    /* they, in this machine's byte order; NULL when there are none */
    /* private */
    tp_allocator allocator;
    size_t allocated;
} tp_idx;

typedef tp_io_options tp_idx_options;

/* Reads a file, plain or compressed by gzip (which its first bytes tell, not its name).
 *
 * Memory for values is taken as they arrive, at most twice what is there, whatever the header announces; beside it some
 * 80 KiB while reading.  TP_BAD_VALUE: the
 * file cannot be read or is no sound IDX file; bytes behind the last value are a fault, too.  TP_BAD_ARGUMENT: path or out
 * is NULL, or an option is senseless; TP_OUT_OF_MEMORY.  Then *out is empty.  `options` and `report` may be NULL. */
TP_API tp_status tp_idx_read(const char *path, const tp_idx_options *options, tp_idx *out,
                             tp_io_report *report);

/* Copies elements first ... first + count - 1 to `out` as `dtype` (f32, f64 or i32), each times `factor`; for i32 the
 * factor must be 1 and the elements whole (no f32 or f64).  TP_BAD_ARGUMENT and nothing is written if the array has not
 * these elements, or an argument is senseless. */
TP_API tp_status tp_idx_copy(const tp_idx *array, int64_t first, int64_t count, tp_dtype dtype, double factor,
                             void *out);

/* Frees the values and empties *array.  NULL, or an empty one, is ignored. */
TP_API void tp_idx_free(tp_idx *array);

#ifdef __cplusplus
}
#endif

#include <tapir/io/batches.h>
#include <tapir/io/npy.h>
#include <tapir/io/parameters.h>

#endif
