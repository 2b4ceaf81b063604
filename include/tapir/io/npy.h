/* tapir/io/npy.h -- NumPy's .npy files (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 *
 * Read: format 1.0 and 2.0, plain or compressed by gzip, C order, little-endian, elements '<f4', '<f8', '<i4', '<i8' and
 * '|u1'.  Anything else is refused with the reason.  Written: format 1.0.
 */
#ifndef TAPIR_IO_NPY_H
#define TAPIR_IO_NPY_H

#include <tapir/io.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tp_npy_type { TP_NPY_U8 = 1, TP_NPY_I32, TP_NPY_I64, TP_NPY_F32, TP_NPY_F64 } tp_npy_type;

/* The contents of a file. */
typedef struct tp_npy {
    tp_npy_type type;
    tp_shape shape;
    int64_t count; /* of elements */
    void *data;    /* they, row-major; NULL when there are none */
    /* private */
    tp_allocator allocator;
    size_t allocated;
} tp_npy;

/* Reads a file.  Memory and errors as in tp_idx_read; a header of more than 10,000 bytes is refused, as NumPy does.  At most
 * 8 dimensions. */
TP_API tp_status tp_npy_read(const char *path, const tp_io_options *options, tp_npy *out,
                             tp_io_report *report);

/* Copies elements first ... first + count - 1 to `out` as `dtype` (f32, f64 or i32), each times `factor`; for i32 the
 * factor must be 1 and the file's elements whole.  Elements of f64 or 64 bits are rounded to the nearest f32 or f64.
 * TP_BAD_ARGUMENT if the array has not these elements or an argument is senseless; TP_BAD_VALUE if an element does not fit
 * i32, or a finite one not f32.  Then nothing is written. */
TP_API tp_status tp_npy_copy(const tp_npy *array, int64_t first, int64_t count, tp_dtype dtype, double factor,
                             void *out);

/* Frees the values and empties *array.  NULL, or an empty one, is ignored. */
TP_API void tp_npy_free(tp_npy *array);

/* Writes an array of f32, f64 or i32 (shape's count of `dtype`, row-major).  The file appears complete or not at all: it is
 * written beside `path` (PATH.tmp-...), flushed to the disk, and renamed.  TP_BAD_ARGUMENT, TP_BAD_SHAPE, TP_BAD_DTYPE, or
 * TP_BAD_VALUE if it cannot be written; then a file that was there stays.  `report` may be NULL. */
TP_API tp_status tp_npy_write(const char *path, tp_dtype dtype, tp_shape shape, const void *data,
                              tp_io_report *report);

#ifdef __cplusplus
}
#endif

#endif
