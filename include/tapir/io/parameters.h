/* tapir/io/parameters.h -- parameters in files, as safetensors (github.com/huggingface/safetensors), which Python reads and
 * writes:
 *
 *     const tp_named model[] = {{"layer.weight", w}, {"layer.bias", b}};
 *     tp_io_report report;
 *     if (tp_save_parameters("model.safetensors", model, 2, NULL, &report) != TP_OK)
 *         fprintf(stderr, "%s\n", report.message);
 *
 *     from safetensors.numpy import load_file
 *     load_file("model.safetensors")["layer.weight"]
 *
 * To go on training later, save the leaves of the optimiser's step as well (tp_step_leaves).
 */
#ifndef TAPIR_IO_PARAMETERS_H
#define TAPIR_IO_PARAMETERS_H

#include <tapir/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor and what it is called. */
typedef struct tp_named {
    const char *name;
    tp_tensor tensor;
} tp_named;

typedef struct tp_load_options {
    bool allow_extra;       /* the file may hold tensors that are not asked for */
    bool allow_missing;     /* parameters that the file lacks keep their values */
    int64_t max_bytes;      /* of values in the file; default: 2^40 */
    tp_allocator allocator; /* of all memory that loading takes; zero: the C library's */
} tp_load_options;

typedef struct tp_save_options {
    const char *note; /* UTF-8, kept as "note" in the file's metadata; NULL: none */
} tp_save_options;

/* Saves named[0..n): leaves, or outputs of a program that has run; f32, f64 and i32 become F32, F64 and I32.  Names are UTF-8,
 * not "__metadata__", and all different.
 *
 * The file appears complete or not at all: it is written beside `path` (PATH.tmp-...), flushed to the disk, and renamed, so
 * that whoever is killed while saving leaves the last complete file.  TP_BAD_ARGUMENT: names, n or path are senseless;
 * TP_BAD_HANDLE, TP_BAD_STATE: a tensor is none or has no values; TP_BAD_VALUE: the file cannot be written.
 * `options` and `report` may be NULL. */
TP_API tp_status tp_save_parameters(const char *path, const tp_named *named, int n,
                                    const tp_save_options *options, tp_io_report *report);

/* Loads named[0..n), inputs or parameters, by name; dtype and shape must be the file's.  The whole file is read and checked
 * first: header, names, offsets (contiguous, from the first byte of the values to the last), sizes; unless all is right
 * nothing is written to any parameter.  TP_BAD_VALUE: the file cannot be read, is no sound safetensors file, or does not
 * fit; the report says where and why.  Others as above. */
TP_API tp_status tp_load_parameters(const char *path, const tp_named *named, int n,
                                    const tp_load_options *options, tp_io_report *report);

#ifdef __cplusplus
}
#endif

#endif
