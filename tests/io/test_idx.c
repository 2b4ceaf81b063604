/* test_idx.c -- tp_idx_read of plain files: sound ones of every type, and every kind of damage. */
#define _POSIX_C_SOURCE 200809L
#include "idx_files.h"

/* ---- Sound files ----------------------------------------------------------------------------------- */

static void sound_bytes(void **state)
{
    tp_idx array;
    tp_io_report report;
    meter m;
    (void)state;
    const bytes f = small_file();
    write_file(&f);
    const tp_idx_options o = metered(&m);
    assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_OK);
    assert_int_equal(report.status, TP_OK);
    assert_string_equal(report.message, "");
    assert_int_equal(m.held, 6);
    expect_small(&array);
    tp_idx_free(&array);
    assert_int_equal(m.held, 0);
    assert_null(array.data);
    tp_idx_free(&array);
    tp_idx_free(NULL);
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    expect_small(&array);
    tp_idx_free(&array);
}

/* Every element type, big-endian in the file, and what tp_idx_copy makes of it. */
static void every_type(void **state)
{
    static const struct {
        tp_idx_type type;
        size_t n;
        unsigned char b[16];
        double value[2];
    } rows[] = {
        {TP_IDX_U8, 2, {7, 250}, {7, 250}},
        {TP_IDX_I8, 2, {7, 250}, {7, -6}},
        {TP_IDX_I16, 4, {0x01, 0x02, 0xff, 0xfe}, {258, -2}},
        {TP_IDX_I32, 8, {0x01, 0x02, 0x03, 0x04, 0x80, 0, 0, 0}, {16909060, -2147483648.0}},
        {TP_IDX_F32, 8, {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, {1.5, -2}},
        {TP_IDX_F64, 16, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0}, {1.5, -2}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const bool whole = k < 4;
        double wide[2];
        float narrow[1];
        int32_t number[2] = {1, 1};
        tp_idx array;
        bytes f = header((int)rows[k].type, 1, (const uint32_t[]){2});
        put(&f, rows[k].b, rows[k].n);
        write_file(&f);
        assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
        assert_int_equal(array.type, rows[k].type);
        assert_int_equal(tp_idx_copy(&array, 0, 2, TP_F64, 1, wide), TP_OK);
        assert_true(wide[0] == rows[k].value[0] && wide[1] == rows[k].value[1]);
        assert_int_equal(tp_idx_copy(&array, 1, 1, TP_F32, 0.5, narrow), TP_OK);
        assert_true((double)narrow[0] == 0.5 * rows[k].value[1]);
        assert_int_equal(tp_idx_copy(&array, 0, 2, TP_I32, 1, number), whole ? TP_OK : TP_BAD_ARGUMENT);
        assert_true(!whole || (number[0] == rows[k].value[0] && number[1] == rows[k].value[1]));
        tp_idx_free(&array);
    }
}

static void bad_copies(void **state)
{
    tp_idx array;
    double out[8];
    (void)state;
    const bytes f = small_file();
    write_file(&f);
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    assert_int_equal(tp_idx_copy(NULL, 0, 1, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, -1, 1, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 0, -1, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 0, 7, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 6, 1, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 7, INT64_MAX, TP_F64, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 0, 1, TP_F64, 1, NULL), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 0, 1, TP_WEAK, 1, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 0, 1, TP_I32, 2, out), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_copy(&array, 6, 0, TP_F64, 1, NULL), TP_OK);
    tp_idx_free(&array);
}

/* No elements, and as many dimensions as there can be. */
static void empty_and_deep(void **state)
{
    tp_idx array;
    (void)state;
    bytes f = header(TP_IDX_F64, 3, (const uint32_t[]){4, 0, 0xffffffff});
    write_file(&f);
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    assert_int_equal(array.count, 0);
    assert_null(array.data);
    tp_idx_free(&array);
    f = header(TP_IDX_U8, 8, (const uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1});
    put(&f, "x", 1);
    write_file(&f);
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    assert_int_equal(array.shape.rank, 8);
    assert_int_equal(array.count, 1);
    tp_idx_free(&array);
}

/* A pipe has no size: values are taken as they come. */
static void from_a_pipe(void **state)
{
    char command[300], fifo[128];
    tp_idx array;
    (void)state;
    bytes f = header(TP_IDX_U8, 1, (const uint32_t[]){3000});
    for (int i = 0; i < 3000; i++)
        put(&f, &(const unsigned char){(unsigned char)i}, 1);
    write_file(&f);
    snprintf(fifo, sizeof fifo, "%s/fifo", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(command, sizeof command, "cat '%s' >'%s' &", path, fifo);
    assert_int_equal(system(command), 0); /* NOLINT: our own words */
    assert_int_equal(tp_idx_read(fifo, NULL, &array, NULL), TP_OK);
    unlink(fifo);
    assert_int_equal(array.count, 3000);
    assert_int_equal(((unsigned char *)array.data)[2999], (unsigned char)2999);
    tp_idx_free(&array);
}

/* ---- Damage ---------------------------------------------------------------------------------------- */

/* Every prefix of a sound file is refused, and says where it ends. */
static void truncated(void **state)
{
    const bytes whole = small_file();
    (void)state;
    for (size_t n = 0; n < whole.n; n++) {
        bytes f = whole;
        char text[100];
        f.n = n;
        snprintf(text, sizeof text, "the file ends after %d of the 6 bytes of values that its sizes announce",
                 (int)n - 12);
        expect_fault(&f, (int64_t)n,
                     n < 4    ? "the file ends within the magic number"
                     : n < 12 ? "the file ends within the sizes"
                              : text);
    }
}

static void trailing(void **state)
{
    bytes f = small_file();
    (void)state;
    put(&f, "!", 1);
    expect_fault(&f, 18, "more bytes follow the values that the sizes announce");
    f = header(TP_IDX_U8, 1, (const uint32_t[]){0});
    put(&f, "!", 1);
    expect_fault(&f, 8, "more bytes follow");
}

static void wrong_magic(void **state)
{
    bytes f = small_file();
    (void)state;
    f.b[0] = 'P';
    f.b[1] = 'K';
    expect_fault(&f, 0, "this is no IDX file: it begins with 50 4b instead of 00 00");
    f = small_file();
    f.b[1] = 1;
    expect_fault(&f, 0, "this is no IDX file: it begins with 00 01 instead of 00 00");
    for (int type = 0; type < 256; type++) {
        const bool known = type == 8 || type == 9 || (type >= 11 && type <= 14);
        char text[64];
        f = small_file();
        f.b[2] = (unsigned char)type;
        snprintf(text, sizeof text, "0x%02x is no element type of IDX", (unsigned)type);
        if (!known)
            expect_fault(&f, 2, text);
    }
    f = small_file();
    f.b[3] = 0;
    expect_fault(&f, 3, "0 dimensions, but 1 to 8 are possible");
    f.b[3] = 255;
    expect_fault(&f, 3, "255 dimensions, but 1 to 8 are possible");
}

/* Sizes that lie: beyond the file, beyond the limit, beyond 64 bits. */
static void huge_sizes(void **state)
{
    (void)state;
    bytes f = header(TP_IDX_U8, 3, (const uint32_t[]){60000, 28, 28});
    put(&f, "only this", 9);
    expect_fault(&f, 25, "the file ends after 9 of the 47040000 bytes of values that its sizes announce");
    f = header(TP_IDX_F64, 2, (const uint32_t[]){1u << 14, 1u << 13}); /* exactly the limit */
    expect_fault(&f, 12, "the file ends after 0 of the 1073741824 bytes");
    f = header(TP_IDX_F64, 2, (const uint32_t[]){1u << 14, (1u << 13) + 1});
    expect_fault(&f, 4, "the sizes announce more than 1073741824 bytes of values, the limit");
    f = header(TP_IDX_F64, 8, (const uint32_t[]){~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u}); /* 2^259 bytes */
    expect_fault(&f, 4, "the sizes announce more than");
    f = header(TP_IDX_U8, 4, (const uint32_t[]){1u << 31, 1u << 31, 4, 1}); /* 2^64, which wraps to 0 */
    expect_fault(&f, 4, "the sizes announce more than");

    tp_idx array;
    tp_io_report report;
    f = small_file();
    write_file(&f);
    assert_int_equal(tp_idx_read(path, &(tp_idx_options){.max_bytes = 5}, &array, &report), TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "more than 5 bytes of values"));
    assert_int_equal(tp_idx_read(path, &(tp_idx_options){.max_bytes = 6}, &array, &report), TP_OK);
    tp_idx_free(&array);
}

/* Any byte changed to anything: no crash, no excess, and what is accepted has the values of its header. */
static void any_byte(void **state)
{
    const bytes whole = small_file();
    (void)state;
    for (size_t at = 0; at < whole.n; at++)
        for (int value = 0; value < 256; value += at < 12 ? 1 : 51) {
            bytes f = whole;
            tp_idx array;
            meter m;
            const tp_idx_options o = metered(&m);
            f.b[at] = (unsigned char)value;
            write_file(&f);
            const tp_status status = tp_idx_read(path, &o, &array, NULL);
            assert_true(status == TP_OK || status == TP_BAD_VALUE);
            assert_true(status != TP_OK || m.held == 6);
            tp_idx_free(&array);
            assert_int_equal(m.held, 0);
        }
}

/* ---- No file, no memory, no sense -------------------------------------------------------------------- */

static void no_file(void **state)
{
    char elsewhere[128];
    tp_idx array;
    tp_io_report report;
    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/missing", directory);
    assert_int_equal(tp_idx_read(elsewhere, NULL, &array, &report), TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "/missing: No such file or directory"));
    assert_int_equal(report.offset, -1);
    assert_int_equal(tp_idx_read(directory, NULL, &array, &report), TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "Is a directory"));
}

static void bad_arguments(void **state)
{
    tp_idx array = {.count = 5};
    tp_io_report report;
    (void)state;
    assert_int_equal(tp_idx_read(NULL, NULL, &array, &report), TP_BAD_ARGUMENT);
    assert_string_equal(report.message, "tp_idx_read: the path or the result is NULL");
    assert_int_equal(array.count, 0);
    assert_int_equal(tp_idx_read(path, NULL, NULL, &report), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_read(NULL, NULL, NULL, NULL), TP_BAD_ARGUMENT);
    assert_int_equal(tp_idx_read(path, &(tp_idx_options){.max_bytes = -1}, &array, &report), TP_BAD_ARGUMENT);
    assert_non_null(strstr(report.message, "max_bytes must not be negative"));
    const tp_idx_options half = {.allocator = {.release = metered_release}};
    assert_int_equal(tp_idx_read(path, &half, &array, &report), TP_BAD_ARGUMENT);
    assert_non_null(strstr(report.message, "an allocator needs both functions"));
}

static void out_of_memory(void **state)
{
    tp_idx array;
    tp_io_report report;
    meter m;
    (void)state;
    const bytes f = small_file();
    write_file(&f);
    expect_no_memory(2); /* the stream, the values */
    const tp_idx_options o = metered(&m);
    assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_OK);
    tp_idx_free(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_bytes),    cmocka_unit_test(every_type),  cmocka_unit_test(bad_copies),
        cmocka_unit_test(empty_and_deep), cmocka_unit_test(from_a_pipe), cmocka_unit_test(truncated),
        cmocka_unit_test(trailing),       cmocka_unit_test(wrong_magic), cmocka_unit_test(huge_sizes),
        cmocka_unit_test(any_byte),       cmocka_unit_test(no_file),     cmocka_unit_test(bad_arguments),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_place, drop_directory);
}
