/* fuzz_parameters.c -- any bytes as a safetensors file: loaded as a whole, or not at all. */
#define _GNU_SOURCE
#include "file.h"

static void load(const char *path, const uint8_t *data, size_t size, bool allow)
{
    watch w = {0, 0};
    tp_io_report report;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_named named[] = {{"w", tp_parameter(tape, TP_F32, TP_SHAPE(2), ((float[]){7, 7}))},
                              {"n", tp_parameter(tape, TP_I32, TP_SHAPE_0D, &(int32_t){7})}};
    const tp_load_options o = {.allow_extra = allow, .allow_missing = allow, .allocator = WATCHED(&w)};

    const tp_status status = tp_load_parameters(path, named, 2, &o, &report);
    check_report(status, &report);
    const float *v = tp_values(named[0].tensor, TP_F32);
    const int32_t *n = tp_values(named[1].tensor, TP_I32);
    must(status == TP_OK || (v[0] == 7 && v[1] == 7 && *n == 7), "a file that is refused changes nothing");
    check_watch(&w, data, size);
    tp_tape_destroy(tape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = as_file(data, size);
    if (path == NULL)
        return 0;
    load(path, data, size, false);
    load(path, data, size, true);
    return 0;
}
