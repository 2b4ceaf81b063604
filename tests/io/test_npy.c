/* test_npy.c -- .npy files: sound ones, every kind of damage, and that what is written is what NumPy writes. */
#define _POSIX_C_SOURCE 200809L
#include "files.h"

/* A file of format `major`.0 with this header and these values; returns its size. */
static size_t make(unsigned char *f, int major, const char *header, const void *values, size_t n)
{
    const size_t length = strlen(header);
    size_t at = 8;
    memcpy(f, "\x93NUMPY\x01\x00", 8);
    f[6] = (unsigned char)major;
    for (int k = 0; k < (major == 1 ? 2 : 4); k++)
        f[at++] = (unsigned char)(length >> 8 * k);
    memcpy(f + at, header, length);
    if (n > 0)
        memcpy(f + at + length, values, n);
    return at + length + n;
}

static void every_type(void **state)
{
    static const struct {
        const char *descr;
        tp_npy_type type;
        size_t n;
        unsigned char b[16];
        double value[2];
    } rows[] = {
        {"|u1", TP_NPY_U8, 2, {7, 250}, {7, 250}},
        {"<i4", TP_NPY_I32, 8, {1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff}, {513, -1}},
        {"<i8", TP_NPY_I64, 16, {1, 2, 0, 0, 0, 0, 0, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255}, {513, -2}},
        {"<f4", TP_NPY_F32, 8, {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, {1.5, -2}},
        {"<f8", TP_NPY_F64, 16, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}, {1.5, -2}},
    };
    const char *path = in_directory("a.npy");
    (void)state;
    for (int major = 1; major <= 2; major++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            unsigned char f[400];
            char header[200];
            double wide[2];
            float narrow[2];
            int32_t whole[2];
            tp_npy a;
            snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }   \n",
                     rows[k].descr);
            write_bytes(path, f, make(f, major, header, rows[k].b, rows[k].n));
            assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
            assert_int_equal(a.type, rows[k].type);
            assert_int_equal(a.count, 2);
            assert_int_equal(tp_npy_copy(&a, 0, 2, TP_F64, 1, wide), TP_OK);
            assert_int_equal(tp_npy_copy(&a, 1, 1, TP_F32, 0.5, narrow), TP_OK);
            assert_true(wide[0] == rows[k].value[0] && wide[1] == rows[k].value[1]);
            assert_true((double)narrow[0] == 0.5 * rows[k].value[1]);
            assert_int_equal(tp_npy_copy(&a, 0, 2, TP_I32, 1, whole), k < 3 ? TP_OK : TP_BAD_ARGUMENT);
            assert_true(k >= 3 || (whole[0] == rows[k].value[0] && whole[1] == rows[k].value[1]));
            tp_npy_free(&a);
        }
}

/* 64-bit labels that do not fit i32, and numbers beyond f32: refused, and nothing is copied. */
static void ranges(void **state)
{
    const char *path = in_directory("a.npy"), *descr[] = {"<i8", "<f8"};
    const int64_t beyond[2] = {7, (int64_t)INT32_MAX + 1}, just[2] = {INT32_MIN, INT32_MAX};
    const double large[2] = {1, 1e39};
    const void *values[] = {beyond, large};
    unsigned char f[400];
    char header[200];
    tp_npy a;
    (void)state;
    for (int k = 0; k < 2; k++) {
        int32_t whole[2] = {-5, -5};
        float narrow[2] = {-5, -5};
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}\n", descr[k]);
        write_bytes(path, f, make(f, 1, header, values[k], 16));
        assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
        assert_int_equal(k == 0 ? tp_npy_copy(&a, 0, 2, TP_I32, 1, whole)
                                : tp_npy_copy(&a, 0, 2, TP_F32, 1, narrow),
                         TP_BAD_VALUE);
        assert_true(whole[0] == -5 && narrow[0] == -5);
        assert_int_equal(tp_npy_copy(&a, 0, 3, TP_F64, 1, f), TP_BAD_ARGUMENT);
        assert_int_equal(tp_npy_copy(&a, -1, 1, TP_F64, 1, f), TP_BAD_ARGUMENT);
        assert_int_equal(tp_npy_copy(&a, 0, 1, TP_WEAK, 1, f), TP_BAD_ARGUMENT);
        assert_int_equal(tp_npy_copy(&a, 0, 1, TP_F64, 1, NULL), TP_BAD_ARGUMENT);
        tp_npy_free(&a);
    }
    int32_t whole[2];
    snprintf(header, sizeof header, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}\n");
    write_bytes(path, f, make(f, 1, header, just, 16));
    assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
    assert_int_equal(tp_npy_copy(&a, 0, 2, TP_I32, 1, whole), TP_OK);
    assert_true(whole[0] == INT32_MIN && whole[1] == INT32_MAX);
    tp_npy_free(&a);
}

/* Other ways to write the same header. */
static void header_forms(void **state)
{
    static const char *const header[] = {
        "{\"shape\": (1, 2), \"descr\": \"|u1\", \"fortran_order\": False}",
        "{'descr':'|u1','fortran_order':False,'shape':(1,2)}",
        "{ 'fortran_order' : False , 'shape' : ( 1L , 2L , ) , 'descr' : '|u1' , }\n",
    };
    (void)state;
    for (size_t k = 0; k < sizeof header / sizeof *header; k++) {
        unsigned char f[300];
        tp_npy a;
        write_bytes(in_directory("a.npy"), f, make(f, 1, header[k], "\1\2", 2));
        assert_int_equal(tp_npy_read(in_directory("a.npy"), NULL, &a, NULL), TP_OK);
        assert_true(tp_shape_equal(a.shape, TP_SHAPE(1, 2)));
        tp_npy_free(&a);
    }
}

static void expect_fault(const unsigned char *f, size_t n, int64_t offset, const char *text)
{
    const char *path = in_directory("a.npy");
    char message[TP_IO_MESSAGE];
    tp_io_report report;
    tp_npy a = {.count = 7};
    meter m = {0};
    write_bytes(path, f, n);
    const tp_io_options o = {.allocator = {metered_allocate, metered_release, &m}};
    if (tp_npy_read(path, &o, &a, &report) != TP_BAD_VALUE)
        fail_msg("read without the fault: %s", text);
    snprintf(message, sizeof message, "%s: at byte %lld: %s", path, (long long)offset, text);
    if (strncmp(report.message, message, strlen(message)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", report.message, message);
    assert_int_equal(report.offset, offset);
    assert_int_equal(m.held, 0);
    assert_in_range(m.largest, 0, 1 << 17);
    assert_null(a.data);
    assert_int_equal(a.count, 0);
}

static void bad_headers(void **state)
{
#define U1 "{'descr': '|u1', 'fortran_order': False, 'shape': "
    static const struct {
        const char *header;
        int at; /* in the header */
        const char *text;
    } rows[] = {
        {"['descr']", 0, "the header must begin with {"},
        {"{descr: 1}", 1, "the header must have a string here"},
        {"{'descr", 1, "the string that begins here does not end"},
        {"{'des\\'cr': 1}", 1, "the string that begins here does not end, or has a backslash"},
        {"{'descr' '<f4'}", 9, "the header must have a colon here"},
        {"{'colour': 1}", 1, "the header's keys must be descr, fortran_order and shape, each once"},
        {"{'descr': '<f4', 'descr': '<f4'}", 17, "the header's keys must be"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': ()}", 10,
         "elements of type '>f4' cannot be read: only <f4, <f8, <i4, <i8 and |u1 can; it is big-endian"},
        {"{'descr': '<f2'}", 10, "elements of type '<f2' cannot be read"},
        {"{'descr': '|O'}", 10, "elements of type '|O' cannot be read"},
        {"{'descr': [('a', '<f4')]}", 10, "elements of type '[...]' cannot be read"},
        {"{'fortran_order': True}", 18, "the array is in Fortran order, which cannot be read"},
        {"{'fortran_order': 0}", 18, "fortran_order must be True or False"},
        {U1 "3}", 50, "the shape must be a tuple"},
        {U1 "(-1,)}", 51, "a size must be a whole number that is not negative"},
        {U1 "(1.5,)}", 52, "the shape must have a comma or an end here"},
        {U1 "(6)}", 53, "a tuple of one size needs a comma"},
        {U1 "(99999999999999999999,)}", 51, "the size is beyond 64 bits"},
        {U1 "(1,1,1,1,1,1,1,1,1)}", 67, "the array has more than 8 dimensions"},
        {U1 "(1,)", 54, "the header must have a comma or an end here"},
        {U1 "(1,)} x", 56, "more follows the end of the header"},
        {"{'descr': '|u1', 'shape': (1,)}", 31, "the header lacks descr, fortran_order or shape"},
        {U1 "(4294967296, 4294967296)}", 0, "the shape announces more than 1073741824 bytes of values"},
        {U1 "(1073741825,)}", 0, "the shape announces more than 1073741824 bytes of values, the limit"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        unsigned char f[400];
        expect_fault(f, make(f, 1, rows[k].header, "\1", 1), 10 + rows[k].at, rows[k].text);
    }
    unsigned char f[400];
    size_t n = make(f, 1, U1 "(60000, 28)}", "only this", 9);
    expect_fault(f, n, (int64_t)n,
                 "the file ends after 9 of the 1680000 bytes of values that its shape announces");
    n = make(f, 1, U1 "(2,)}", "abc", 3);
    expect_fault(f, n, (int64_t)n - 1, "more bytes follow the values that the shape announces");
    n = make(f, 1, U1 "(2,)}", "ab", 2);
    f[12] = 0;
    expect_fault(f, n, 12, "the header has a byte 0");
    f[6] = 3;
    expect_fault(f, n, 6, "format 3.0 cannot be read: only 1.0 and 2.0 can");
    f[0] = 'x';
    expect_fault(f, n, 0, "this is no .npy file");
    make(f, 2, U1 "(2,)}", "ab", 2);
    memset(f + 8, 0xff, 4);
    expect_fault(f, n, 8, "the header has 4294967295 bytes, but at most 10000 are allowed");
}

/* Every prefix is refused; any byte changed to anything does no harm. */
static void damaged(void **state)
{
    unsigned char f[400], g[400];
    const size_t n = make(f, 1, U1 "(2, 3), }\n", "abcdef", 6);
    const char *path = in_directory("a.npy");
    (void)state;
    for (size_t k = 0; k < n; k++) {
        tp_npy a;
        write_bytes(path, f, k);
        assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_BAD_VALUE);
    }
    for (size_t at = 0; at < n; at++)
        for (int value = 0; value < 256; value += 15) {
            tp_npy a;
            meter m = {0};
            const tp_io_options o = {.allocator = {metered_allocate, metered_release, &m}};
            memcpy(g, f, n);
            g[at] = (unsigned char)value;
            write_bytes(path, g, n);
            const tp_status status = tp_npy_read(path, &o, &a, NULL);
            assert_true(status == TP_OK || status == TP_BAD_VALUE);
            tp_npy_free(&a);
            assert_int_equal(m.held, 0);
        }
}

static void no_memory(void **state)
{
    unsigned char f[400];
    const char *path = in_directory("a.npy");
    write_bytes(path, f, make(f, 1, U1 "(2, 3), }\n", "abcdef", 6));
    (void)state;
    for (int k = 1; k <= 2; k++) {
        tp_npy a;
        meter m = {.refused = k};
        const tp_io_options o = {.allocator = {metered_allocate, metered_release, &m}};
        assert_int_equal(tp_npy_read(path, &o, &a, NULL), TP_OUT_OF_MEMORY);
        assert_int_equal(m.held, 0);
    }
}

/* To the byte what numpy.save writes for arange(6, dtype float32).reshape(2, 3), for a 1-d and a 0-d array. */
static void as_numpy(void **state)
{
    static const struct {
        tp_shape shape;
        const char *text;
    } rows[] = {
        {{2, {2, 3}}, "(2, 3), }"}, {{1, {6}}, "(6,), }"}, {{0, {0}}, "(), }"}, {{2, {0, 4}}, "(0, 4), }"}};
    const float values[6] = {0, 1, 2, 3, 4, 5};
    const char *path = in_directory("b.npy");
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char expected[200];
        unsigned char f[400];
        tp_npy a;
        memcpy(expected, "\x93NUMPY\x01\x00\x76\x00", 10);
        const int64_t count = tp_shape_count(rows[k].shape);
        snprintf(expected + 10, 119, "%-117s\n", "");
        char header[160];
        snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': %s", rows[k].text);
        memcpy(expected + 10, header, strlen(header));
        assert_int_equal(tp_npy_write(path, TP_F32, rows[k].shape, values, NULL), TP_OK);
        assert_int_equal(read_bytes(path, f, sizeof f), 128 + 4 * count);
        assert_memory_equal(f, expected, 128);
        assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
        assert_true(tp_shape_equal(a.shape, rows[k].shape));
        assert_true(count == 0 || memcmp(a.data, values, 4 * (size_t)count) == 0);
        tp_npy_free(&a);
    }
}

static void other_dtypes_and_errors(void **state)
{
    const double wide[2] = {1.5, -2};
    const int32_t whole[2] = {3, INT32_MIN};
    tp_npy a;
    tp_io_report report;
    const char *path = in_directory("b.npy");
    (void)state;
    assert_int_equal(tp_npy_write(path, TP_F64, TP_SHAPE(2), wide, NULL), TP_OK);
    assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
    assert_true(a.type == TP_NPY_F64 && memcmp(a.data, wide, sizeof wide) == 0);
    tp_npy_free(&a);
    assert_int_equal(tp_npy_write(path, TP_I32, TP_SHAPE(2), whole, NULL), TP_OK);
    assert_int_equal(tp_npy_read(path, NULL, &a, NULL), TP_OK);
    assert_true(a.type == TP_NPY_I32 && memcmp(a.data, whole, sizeof whole) == 0);
    tp_npy_free(&a);
    tp_npy_free(&a);
    tp_npy_free(NULL);
    assert_int_equal(tp_npy_write(NULL, TP_I32, TP_SHAPE(2), whole, &report), TP_BAD_ARGUMENT);
    assert_string_equal(report.message, "tp_npy_write: the path is NULL");
    assert_int_equal(tp_npy_write(path, TP_WEAK, TP_SHAPE(2), whole, &report), TP_BAD_DTYPE);
    assert_non_null(strstr(report.message, "the dtype must be f32, f64 or i32"));
    assert_int_equal(tp_npy_write(path, TP_I32, TP_SHAPE(2, -1), whole, &report), TP_BAD_SHAPE);
    assert_non_null(strstr(report.message, "the shape is none"));
    assert_int_equal(tp_npy_write(path, TP_I32, TP_SHAPE(2), NULL, &report), TP_BAD_ARGUMENT);
    assert_non_null(strstr(report.message, "the data are NULL"));
    assert_int_equal(tp_npy_write(in_directory("missing/b.npy"), TP_I32, TP_SHAPE(2), whole, &report),
                     TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "No such file or directory"));
    assert_int_equal(tp_npy_read(NULL, NULL, &a, &report), TP_BAD_ARGUMENT);
    assert_int_equal(tp_npy_read(path, &(tp_io_options){.max_bytes = 7}, &a, &report), TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "more than 7 bytes"));
    assert_int_equal(files_there(false), 2); /* no temporary file is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),   cmocka_unit_test(ranges),
        cmocka_unit_test(header_forms), cmocka_unit_test(bad_headers),
        cmocka_unit_test(damaged),      cmocka_unit_test(no_memory),
        cmocka_unit_test(as_numpy),     cmocka_unit_test(other_dtypes_and_errors),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
