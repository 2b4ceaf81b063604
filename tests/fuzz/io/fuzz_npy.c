/* fuzz_npy.c -- any bytes as a .npy file. */
#define _GNU_SOURCE
#include "file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = as_file(data, size);
    watch w = {0, 0};
    tp_io_report report;
    tp_npy array;
    if (path == NULL)
        return 0;

    const tp_status status = tp_npy_read(path, &(tp_io_options){.allocator = WATCHED(&w)}, &array, &report);
    check_report(status, &report);
    must(status == TP_OK || array.data == NULL, "nothing is left of a file that is refused");
    if (status == TP_OK) {
        must(array.count == tp_shape_count(array.shape), "the count is that of the shape");
        double *copy = malloc((size_t)array.count * sizeof *copy + 1);
        must(tp_npy_copy(&array, 0, array.count, TP_F64, 1, copy) == TP_OK, "all elements can be copied");
        free(copy);
    }
    tp_npy_free(&array);
    check_watch(&w, data, size);
    return 0;
}
