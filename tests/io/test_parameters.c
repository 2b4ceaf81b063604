/* test_parameters.c -- safetensors: what is saved is loaded again, damaged and hostile files change nothing, and whoever is
 * killed while saving leaves a complete file. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "files.h"

/* ---- Sound files ----------------------------------------------------------------------------------- */

typedef struct model {
    tp_tape *tape;
    tp_named named[4];
} model;

static model make(float first)
{
    model m = {.tape = tp_tape_create(NULL)};
    const float w[6] = {first, 1, 2, 3, 4, 5};
    m.named[0] = (tp_named){"layer.weight", tp_parameter(m.tape, TP_F32, TP_SHAPE(2, 3), w)};
    m.named[1] =
        (tp_named){"scale \"\xc3\xa9\"", tp_parameter(m.tape, TP_F64, TP_SHAPE_0D, &(double){(double)first})};
    m.named[2] =
        (tp_named){"steps", tp_parameter(m.tape, TP_I32, TP_SHAPE(2), (int32_t[]){(int32_t)first, -7})};
    m.named[3] = (tp_named){"nothing", tp_parameter(m.tape, TP_F32, TP_SHAPE(0, 3), NULL)};
    return m;
}

static void expect_first(const model *m, float first)
{
    assert_true(((const float *)tp_values(m->named[0].tensor, TP_F32))[0] == first);
    assert_true(((const float *)tp_values(m->named[0].tensor, TP_F32))[5] == 5);
    assert_true(tp_item(m->named[1].tensor) == (double)first);
    assert_int_equal(((const int32_t *)tp_values(m->named[2].tensor, TP_I32))[0], (int)first);
}

static void there_and_back(void **state)
{
    const char *path = in_directory("m.safetensors");
    model a = make(42), b = make(0);
    tp_io_report report;
    (void)state;
    files_there(true);
    assert_int_equal(tp_save_parameters(path, a.named, 4, &(tp_save_options){"a \"note\"\n"}, &report),
                     TP_OK);
    assert_string_equal(report.message, "");
    tp_named turned[4] = {b.named[3], b.named[1], b.named[0], b.named[2]};
    assert_int_equal(tp_load_parameters(path, turned, 4, NULL, &report), TP_OK);
    expect_first(&b, 42);
    assert_int_equal(tp_save_parameters(path, a.named, 0, NULL, NULL), TP_OK);
    assert_int_equal(tp_load_parameters(path, NULL, 0, NULL, NULL), TP_OK);
    assert_int_equal(files_there(false), 1);
    tp_tape_destroy(a.tape);
    tp_tape_destroy(b.tape);
}

/* To the byte: the header is padded with blanks to a multiple of 8, the values follow. */
static void the_format(void **state)
{
    static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ";
    unsigned char f[200];
    const char *path = in_directory("m.safetensors");
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    const tp_named w = {"w", tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1.5f, -2})};
    assert_int_equal(tp_save_parameters(path, &w, 1, NULL, NULL), TP_OK);
    const size_t n = sizeof header - 1, all = read_bytes(path, f, sizeof f);
    assert_int_equal(n % 8, 0);
    assert_int_equal(all, 8 + n + 8);
    assert_int_equal(f[0], n);
    assert_memory_equal(f + 1, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(f + 8, header, n);
    assert_memory_equal(f + 8 + n, "\0\0\xc0\x3f\0\0\0\xc0", 8);
    tp_tape_destroy(tape);
}

/* ---- Damage ---------------------------------------------------------------------------------------- */

typedef struct fixture {
    tp_tape *tape;
    tp_named w; /* f32[2], 7 and 7 */
} fixture;

static fixture make_fixture(void)
{
    fixture f = {.tape = tp_tape_create(NULL)};
    f.w = (tp_named){"w", tp_parameter(f.tape, TP_F32, TP_SHAPE(2), (float[]){7, 7})};
    return f;
}

static void expect_untouched(const fixture *f)
{
    const float *v = tp_values(f->w.tensor, TP_F32);
    assert_true(v[0] == 7 && v[1] == 7);
}

/* A file of this header and n bytes of zeros; returns its size. */
static size_t compose(unsigned char *f, const char *header, size_t length, size_t n)
{
    memset(f, 0, 8 + length + n);
    for (int k = 0; k < 4; k++)
        f[k] = (unsigned char)(length >> 8 * k);
    memcpy(f + 8, header, length);
    return 8 + length + n;
}

/* offset -1: the message has none. */
static void expect_fault(const unsigned char *f, size_t n, int64_t offset, const char *text)
{
    const char *path = in_directory("bad.safetensors");
    char message[TP_IO_MESSAGE];
    tp_io_report report;
    fixture x = make_fixture();
    meter m = {0};
    write_bytes(path, f, n);
    const tp_load_options o = {.allocator = {metered_allocate, metered_release, &m}};
    if (tp_load_parameters(path, &x.w, 1, &o, &report) != TP_BAD_VALUE)
        fail_msg("loaded without the fault: %s", text);
    if (offset >= 0)
        snprintf(message, sizeof message, "%s: at byte %lld: %s", path, (long long)offset, text);
    else
        snprintf(message, sizeof message, "%s: %s", path, text);
    if (strncmp(report.message, message, strlen(message)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", report.message, message);
    assert_int_equal(report.offset, offset);
    assert_int_equal(m.held, 0);
    assert_in_range(m.largest, 0, 1 << 17);
    expect_untouched(&x);
    tp_tape_destroy(x.tape);
}

#define W(BEFORE, DTYPE, SHAPE, OFFSETS)                                                                     \
    BEFORE "\"dtype\":\"" DTYPE "\",\"shape\":" SHAPE ",\"data_offsets\":" OFFSETS "}}"

static void bad_headers(void **state)
{
    static const struct {
        const char *header;
        int at; /* in the header; -1: nowhere */
        const char *text;
    } rows[] = {
        {"", 0, "the header must begin with {"},
        {" {}", 0, "the header must begin with {"},
        {"{}", -9, "the file has no tensor \"w\""},
        {"{} {}", 3, "more follows the end of the header"},
        {"{\"w\"", 4, "the header must have : here"},
        {"{\"w\":[", 5, "the header must have { here"},
        {"{\"w", 1, "the string that begins here does not end"},
        {"{\"a\nb\":", 3, "a control character stands in a string"},
        {"{\"\\x\":", 2, "no escape of JSON begins with this backslash"},
        {"{\"\\u12g4\":", 2, "no escape of JSON begins with this backslash"},
        {"{\"\\ud800\":", 2, "no escape of JSON begins with this backslash"},
        {"{\"\\ud800\\u0041\":", 2, "no escape of JSON begins with this backslash"},
        {"{\"\xff\":", 2, "the header is not UTF-8"},
        {"{\"\xc0\x80\":", 2, "the header is not UTF-8"},
        {"{\"\xed\xa0\x80\":", 2, "the header is not UTF-8"},
        {"{\"\xe2\x82", 2, "the header is not UTF-8"},
        {"{\"__metadata__\":{\"a\":1}}", 21, "the header must have \" here"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 19, "__metadata__ was there already"},
        {"{\"w\":{}}", 5, "a tensor has dtype, shape and data_offsets, each once"},
        {"{\"w\":{\"colour\":1}}", 6, "a tensor has dtype, shape and data_offsets, each once"},
        {"{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 20, "a tensor has dtype, shape and data_offsets"},
        {"{\"w\":{\"dtype\":\"f32\"}}", 14, "this is no dtype of safetensors"},
        {"{\"w\":{\"shape\":[-1]}}", 15, "there must be a whole number here, not negative"},
        {"{\"w\":{\"shape\":[01]}}", 15, "there must be a whole number here, not negative"},
        {"{\"w\":{\"shape\":[1.0]}}", 15, "the number must be whole, without fraction and exponent"},
        {"{\"w\":{\"shape\":[1e3]}}", 15, "the number must be whole"},
        {"{\"w\":{\"shape\":[9223372036854775808]}}", 15, "the number is beyond 64 bits"},
        {"{\"w\":{\"shape\":[4294967296,4294967296]}}", 14, "the shape has too many elements"},
        {"{\"w\":{\"shape\":[2 3]}}", 17, "the header must have ] here"},
        {"{\"w\":{\"data_offsets\":[8,0]}}", 21, "the values end before they begin"},
        {"{\"w\":{\"data_offsets\":[8]}}", 23, "the header must have , here"},
        {W("{\"w\":{", "F32", "[2]", "[0,4]"), 5,
         "the offsets leave 4 bytes for a tensor whose dtype and shape take 8"},
        {W("{\"w\":{", "F32", "[2]", "[8,16]"), 1,
         "the values of this tensor begin at offset 8, but those before it end at 0"},
        {W("{\"v\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]},\"w\":{", "F32", "[2]", "[4,12]"),
         53, "the values of this tensor begin at offset 4, but those before it end at 6"},
        {W("{\"w\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"\\u0077\":{", "F32", "[2]",
           "[0,8]"),
         53, "a tensor of this name was there already"},
        {W("{\"w\":{", "F64", "[1]", "[0,8]"), 1, "the tensor \"w\" is F64[1], but the parameter F32[2]"},
        {W("{\"w\":{", "F32", "[2,1]", "[0,8]"), 1, "the tensor \"w\" is F32[2,1], but the parameter F32[2]"},
        {W("{\"w\":{", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 1,
         "the tensor \"w\" is F32[1,1,1,1,1,1,1,1,...], but the parameter F32[2]"},
        {W("{\"v\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"w\":{", "F32", "[2]", "[0,8]"),
         1, "the file's tensor \"v\" is not asked for: .allow_extra passes over it"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        unsigned char f[600];
        const size_t n = compose(f, rows[k].header, strlen(rows[k].header), 8);
        expect_fault(f, n, rows[k].at == -9 ? -1 : 8 + rows[k].at, rows[k].text);
    }
}

static void bad_sizes(void **state)
{
    static const char good[] = W("{\"w\":{", "F32", "[2]", "[0,8]");
    unsigned char f[300];
    (void)state;
    size_t n = compose(f, good, sizeof good - 1, 8);
    for (size_t k = 0; k < n; k++) { /* every prefix */
        char text[100];
        const size_t header = 8 + sizeof good - 1;
        snprintf(text, sizeof text,
                 "the file ends after %d of the 8 bytes of values that its offsets announce",
                 (int)k - (int)header);
        expect_fault(f, k, (int64_t)k,
                     k < 8        ? "the file ends within the length of the header"
                     : k < header ? "the file ends within the header"
                                  : text);
    }
    n = compose(f, good, sizeof good - 1, 9);
    expect_fault(f, n, (int64_t)n - 1, "more bytes follow the values that the offsets announce");
    memset(f, 0xff, 8);
    expect_fault(f, n, 0, "the header has 18446744073709551615 bytes, but at most 16777216 are allowed");
    memcpy(f, "\0\0\0\1\0\0\0\0", 8); /* 16 MiB, which are not there */
    expect_fault(f, n, (int64_t)n, "the file ends within the header");
}

/* Any byte changed to anything: loaded as a whole, or not at all. */
static void any_byte(void **state)
{
    static const char good[] = W("{\"w\":{", "F32", "[2]", "[0,8]");
    const char *path = in_directory("bad.safetensors");
    unsigned char f[300], g[300];
    const size_t n = compose(f, good, sizeof good - 1, 8);
    (void)state;
    for (size_t at = 0; at < n; at++)
        for (int value = 0; value < 256; value += 5) {
            fixture x = make_fixture();
            memcpy(g, f, n);
            g[at] = (unsigned char)value;
            write_bytes(path, g, n);
            if (tp_load_parameters(path, &x.w, 1, NULL, NULL) != TP_OK)
                expect_untouched(&x);
            else
                assert_memory_equal(tp_values(x.w.tensor, TP_F32), g + n - 8, 8);
            tp_tape_destroy(x.tape);
        }
}

/* Extra tensors, of dtypes that Tapir has not, and missing ones, if that is meant. */
static void allowed(void **state)
{
    static const char header[] =
        W("{\"__metadata__\":{\"format\":\"pt\"},\"v\":{\"dtype\":\"BF16\",\"shape\":[3],"
          "\"data_offsets\":[8,14]},\"\\u0077\":{",
          "F32", "[2]", "[0,8]") "   \n";
    const char *path = in_directory("more.safetensors");
    unsigned char f[400];
    fixture x = make_fixture();
    tp_named two[2] = {x.w, {"other", tp_parameter(x.tape, TP_F64, TP_SHAPE(1), (double[]){3})}};
    tp_io_report report;
    (void)state;
    write_bytes(path, f, compose(f, header, sizeof header - 1, 14));
    assert_int_equal(tp_load_parameters(path, two, 1, NULL, &report), TP_BAD_VALUE);
    assert_int_equal(tp_load_parameters(path, two, 2, &(tp_load_options){.allow_extra = true}, &report),
                     TP_BAD_VALUE);
    expect_untouched(&x);
    assert_int_equal(tp_load_parameters(path, two, 2,
                                        &(tp_load_options){.allow_extra = true, .allow_missing = true},
                                        &report),
                     TP_OK);
    assert_true(((const float *)tp_values(x.w.tensor, TP_F32))[0] == 0);
    assert_true(tp_item(two[1].tensor) == 3);
    assert_int_equal(
        tp_load_parameters(path, two, 1, &(tp_load_options){.allow_extra = true, .max_bytes = 13}, &report),
        TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "the offsets announce more than 13 bytes of values, the limit"));
    tp_tape_destroy(x.tape);
}

/* ---- No sense, no memory, no room -------------------------------------------------------------------- */

static void expect_bad(tp_status got, tp_status status, const tp_io_report *report, const char *text)
{
    assert_int_equal(got, status);
    assert_int_equal(report->status, status);
    if (strstr(report->message, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", report->message, text);
}

static void bad_arguments(void **state)
{
    const char *path = in_directory("m.safetensors");
    model m = make(1);
    tp_io_report r;
    (void)state;
    expect_bad(tp_save_parameters(NULL, m.named, 4, NULL, &r), TP_BAD_ARGUMENT, &r,
               "the path or the tensors are NULL");
    expect_bad(tp_save_parameters(path, NULL, 4, NULL, &r), TP_BAD_ARGUMENT, &r,
               "the path or the tensors are NULL");
    expect_bad(tp_load_parameters(NULL, m.named, 4, NULL, &r), TP_BAD_ARGUMENT, &r, "the path");
    expect_bad(tp_load_parameters(path, m.named, 4, &(tp_load_options){.max_bytes = -1}, &r), TP_BAD_ARGUMENT,
               &r, "max_bytes must not be negative");
    expect_bad(tp_save_parameters(path, m.named, 4, &(tp_save_options){"\xff"}, &r), TP_BAD_ARGUMENT, &r,
               "the note is not UTF-8");
    m.named[1].name = "\x80";
    expect_bad(tp_save_parameters(path, m.named, 4, NULL, &r), TP_BAD_ARGUMENT, &r,
               "a name is NULL or not UTF-8");
    m.named[1].name = "__metadata__";
    expect_bad(tp_load_parameters(path, m.named, 4, NULL, &r), TP_BAD_ARGUMENT, &r,
               "no tensor can be called __metadata__");
    m.named[1].name = m.named[0].name;
    expect_bad(tp_save_parameters(path, m.named, 4, NULL, &r), TP_BAD_ARGUMENT, &r,
               "two tensors have one name");
    m.named[1] = (tp_named){"s", tp_scalar(m.tape, 1)};
    expect_bad(tp_save_parameters(path, m.named, 4, NULL, &r), TP_BAD_HANDLE, &r,
               "\"s\" is no tensor with a dtype");
    m.named[1] = (tp_named){"s", (tp_tensor){0}};
    expect_bad(tp_save_parameters(path, m.named, 4, NULL, &r), TP_BAD_HANDLE, &r, "\"s\" is no tensor");
    expect_bad(tp_load_parameters(path, m.named, 4, NULL, &r), TP_BAD_HANDLE, &r,
               "\"s\" is no input or parameter");
    m.named[1] = (tp_named){"s", tp_add(m.named[0].tensor, m.named[0].tensor)};
    expect_bad(tp_save_parameters(path, m.named, 4, NULL, &r), TP_BAD_STATE, &r, "\"s\" has no values yet");
    tp_tape_destroy(m.tape);
}

static void no_memory(void **state)
{
    const char *path = in_directory("m.safetensors");
    model a = make(3), b = make(1);
    int k = 1;
    (void)state;
    assert_int_equal(tp_save_parameters(path, a.named, 4, NULL, NULL), TP_OK);
    for (tp_status status = TP_OUT_OF_MEMORY; status != TP_OK; k++) {
        meter m = {.refused = k};
        const tp_load_options o = {.allocator = {metered_allocate, metered_release, &m}};
        status = tp_load_parameters(path, b.named, 4, &o, NULL);
        assert_true(status == TP_OK || status == TP_OUT_OF_MEMORY);
        assert_int_equal(m.held, 0);
        expect_first(&b, status == TP_OK ? 3 : 1);
    }
    assert_int_equal(k, 6); /* stream, header, entries, values, and one run with all of them */
    tp_tape_destroy(a.tape);
    tp_tape_destroy(b.tape);
}

/* No room on the disk: the old file stays, and no temporary one. */
static void no_room(void **state)
{
    const char *path = in_directory("m.safetensors");
    model a = make(3), b = make(1);
    tp_io_report report;
    struct rlimit old, small;
    (void)state;
    files_there(true);
    assert_int_equal(tp_save_parameters(path, a.named, 4, NULL, NULL), TP_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const tp_status status = tp_save_parameters(path, b.named, 4, NULL, &report);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    expect_bad(status, TP_BAD_VALUE, &report, "File too large");
    assert_int_equal(files_there(false), 1);
    assert_int_equal(tp_load_parameters(path, b.named, 4, NULL, NULL), TP_OK);
    expect_first(&b, 3);
    expect_bad(tp_save_parameters(in_directory("no/m"), a.named, 4, NULL, &report), TP_BAD_VALUE, &report,
               "No such file");
    tp_tape_destroy(a.tape);
    tp_tape_destroy(b.tape);
}

/* ---- Killed ---------------------------------------------------------------------------------------- */

enum { LARGE = 200000 };

/* Saves for ever: all elements are 0, then all 1, ... */
static void save_for_ever(const char *path)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_named w = {"w", tp_parameter(tape, TP_F32, TP_SHAPE(LARGE), NULL)};
    float *v = tp_leaf_data(w.tensor, TP_F32);
    for (int round = 0;; round++) {
        for (int i = 0; i < LARGE; i++)
            v[i] = (float)round;
        if (tp_save_parameters(path, &w, 1, NULL, NULL) != TP_OK)
            _exit(1);
    }
}

/* A child is killed at some moment while it saves: what is there is one of its complete files. */
static void killed(void **state)
{
    const char *path = in_directory("killed.safetensors");
    tp_tape *tape = tp_tape_create(NULL);
    const tp_named w = {"w", tp_parameter(tape, TP_F32, TP_SHAPE(LARGE), NULL)};
    (void)state;
    files_there(true);
    assert_int_equal(tp_save_parameters(path, &w, 1, NULL, NULL), TP_OK);
    for (int k = 0; k < 12; k++) {
        tp_io_report report;
        int status;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_for_ever(path);
        nanosleep(&(struct timespec){.tv_nsec = 20000000 + 1700000 * k}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (tp_load_parameters(path, &w, 1, NULL, &report) != TP_OK)
            fail_msg("%s", report.message);
        const float *v = tp_values(w.tensor, TP_F32);
        for (int i = 1; i < LARGE; i++)
            assert_true(v[i] == v[0]);
    }
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed), /* first: before anything has started threads */
        cmocka_unit_test(there_and_back), cmocka_unit_test(the_format), cmocka_unit_test(bad_headers),
        cmocka_unit_test(bad_sizes),      cmocka_unit_test(any_byte),   cmocka_unit_test(allowed),
        cmocka_unit_test(bad_arguments),  cmocka_unit_test(no_memory),  cmocka_unit_test(no_room),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
