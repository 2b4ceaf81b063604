/* test_files.c -- the fuzz targets of tests/fuzz/io on the files that stand there: sound ones, from which the fuzzer begins, and
 * what it found. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#define LLVMFuzzerTestOneInput fuzz_npy
#include "io/fuzz_npy.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_idx
#include "io/fuzz_idx.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_parameters
#include "io/fuzz_parameters.c"

/* Each file, and each of its prefixes and single changed bytes. */
static void try_file(int (*target)(const uint8_t *, size_t), const char *path)
{
    uint8_t bytes[4096], changed[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    target(bytes, n);
    for (size_t k = 0; k < n; k++) {
        target(bytes, k);
        for (unsigned v = 0; v < 256; v += 51) {
            memcpy(changed, bytes, n);
            changed[k] = (uint8_t)v;
            target(changed, n);
        }
    }
}

static void try_all(int (*target)(const uint8_t *, size_t), const char *directory)
{
    char pattern[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/tests/fuzz/io/%s/*", TAPIR_SOURCE_DIR, directory);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++)
        try_file(target, found.gl_pathv[k]);
    globfree(&found);
}

static void npy(void **state)
{
    (void)state;
    try_all(fuzz_npy, "npy");
}

static void idx(void **state)
{
    (void)state;
    try_all(fuzz_idx, "idx");
}

static void parameters(void **state)
{
    (void)state;
    try_all(fuzz_parameters, "parameters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(npy), cmocka_unit_test(idx),
                                       cmocka_unit_test(parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
