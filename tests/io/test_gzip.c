/* test_gzip.c -- tp_idx_read of files compressed by gzip: sound, cut anywhere, changed anywhere, followed by more.  Without
 * zlib: the message that says so.
 *
 * The compressed files are written here as stored and fixed-code deflate blocks, so that the test needs no zlib itself. */
#define _POSIX_C_SOURCE 200809L
#include "idx_files.h"

/* ---- Compressing ----------------------------------------------------------------------------------- */

static uint32_t crc32_of(const unsigned char *b, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put_little(bytes *f, uint32_t value, int n)
{
    for (int k = 0; k < n; k++)
        put(f, &(const unsigned char){(unsigned char)(value >> 8 * k)}, 1);
}

/* One gzip member that stores `contents`. */
static void put_member(bytes *f, const unsigned char *contents, size_t n)
{
    put(f, (const unsigned char[]){0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, 10);
    put(f, &(const unsigned char){1}, 1); /* the last block, stored */
    put_little(f, (uint32_t)n, 2);
    put_little(f, ~(uint32_t)n, 2);
    put(f, contents, n);
    put_little(f, crc32_of(contents, n), 4);
    put_little(f, (uint32_t)n, 4);
}

static bytes compressed_small(void)
{
    const bytes plain = small_file();
    bytes f = {0};
    put_member(&f, plain.b, plain.n);
    return f;
}

/* Bits, least significant first. */
typedef struct bits {
    bytes *f;
    uint32_t held;
    int n;
} bits;

static void put_bits(bits *b, uint32_t value, int n)
{
    b->held |= value << b->n;
    b->n += n;
    for (; b->n >= 8; b->n -= 8, b->held >>= 8)
        put(b->f, &(const unsigned char){(unsigned char)b->held}, 1);
}

/* Fixed codes: bytes below 144 are 8 bits from 00110000, most significant first; 258 times the byte before is
 * 11000101, then the distance 00000. */
static void put_code(bits *b, uint32_t code, int n)
{
    for (int k = n - 1; k >= 0; k--)
        put_bits(b, code >> k & 1, 1);
}

/* A member of the contents as literals and 1 + 258 `runs` zeros, 160 to a byte.  Its check sum is wrong, so that reading to
 * the end shows. */
static bytes bomb(const bytes *contents, int runs)
{
    bytes f = {0};
    bits b = {&f, 0, 0};
    put(&f, (const unsigned char[]){0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, 10);
    put_bits(&b, 1, 1); /* last */
    put_bits(&b, 1, 2); /* fixed codes */
    for (size_t i = 0; i < contents->n; i++) {
        if (contents->b[i] < 144)
            put_code(&b, 0x30u + contents->b[i], 8);
        else
            put_code(&b, 0x190u + contents->b[i] - 144, 9);
    }
    put_code(&b, 0x30, 8);
    for (int k = 0; k < runs; k++) {
        put_code(&b, 0xc5, 8);
        put_code(&b, 0, 5);
    }
    put_code(&b, 0, 7);
    put_bits(&b, 0, 7);
    put_little(&f, 0, 4); /* check sum */
    put_little(&f, 0, 4); /* length */
    return f;
}

/* ---- Sound ----------------------------------------------------------------------------------------- */

static void sound(void **state)
{
    tp_idx array;
    tp_io_report report;
    meter m;
    (void)state;
    const bytes f = compressed_small();
    write_file(&f);
    const tp_idx_options o = metered(&m);
    assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_OK);
    assert_string_equal(report.message, "");
    assert_int_equal(m.held, 6);
    expect_small(&array);
    tp_idx_free(&array);
    assert_int_equal(m.held, 0);
}

/* Members in a row are one file, wherever the contents are cut. */
static void members(void **state)
{
    const bytes plain = small_file();
    (void)state;
    for (size_t cut = 0; cut <= plain.n; cut++) {
        tp_idx array;
        bytes f = {0};
        put_member(&f, plain.b, cut);
        put_member(&f, plain.b + cut, plain.n - cut);
        write_file(&f);
        assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
        expect_small(&array);
        tp_idx_free(&array);
    }
}

/* Larger than the buffers on the way. */
static void large(void **state)
{
    enum { N = 300000, PART = 3000 };
    static unsigned char values[N];
    tp_idx array;
    FILE *file = fopen(path, "wb");
    (void)state;
    assert_non_null(file);
    bytes f = header(TP_IDX_U8, 1, (const uint32_t[]){N}), member = {0};
    put_member(&member, f.b, f.n);
    assert_int_equal(fwrite(member.b, 1, member.n, file), member.n);
    for (int i = 0; i < N; i++)
        values[i] = (unsigned char)((unsigned)i * 7919u >> 5);
    for (int at = 0; at < N; at += PART) {
        member.n = 0;
        put_member(&member, values + at, PART);
        assert_int_equal(fwrite(member.b, 1, member.n, file), member.n);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    assert_int_equal(array.count, N);
    assert_memory_equal(array.data, values, N);
    tp_idx_free(&array);
}

/* ---- Damage ---------------------------------------------------------------------------------------- */

static void truncated(void **state)
{
    const bytes whole = compressed_small();
    (void)state;
    for (size_t n = 2; n < whole.n; n++) {
        bytes f = whole;
        f.n = n;
        expect_fault(&f, (int64_t)n, "the file ends within the compressed data");
    }
    bytes twice = whole; /* within the second member */
    put(&twice, whole.b, 5);
    expect_fault(&twice, (int64_t)twice.n, "the file ends within the compressed data");
}

/* Any byte changed: refused, or (the time of the header, say) no change at all. */
static void any_byte(void **state)
{
    const bytes whole = compressed_small();
    (void)state;
    for (size_t at = 0; at < whole.n; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes f = whole;
            tp_idx array;
            meter m;
            const tp_idx_options o = metered(&m);
            f.b[at] = (unsigned char)(f.b[at] ^ 1 << bit);
            write_file(&f);
            const tp_status status = tp_idx_read(path, &o, &array, NULL);
            assert_true(status == TP_OK || status == TP_BAD_VALUE);
            if (status == TP_OK) {
                assert_in_range(at, 3,
                                10); /* flags, time, system, bits between a block's head and its bytes */
                expect_small(&array);
            }
            tp_idx_free(&array);
            assert_int_equal(m.held, 0);
        }
}

static void check_sum(void **state)
{
    bytes f = compressed_small();
    (void)state;
    f.b[f.n - 8] ^= 1;
    expect_fault(&f, -2, "incorrect data check");
    f = compressed_small();
    f.b[f.n - 1] ^= 1;
    expect_fault(&f, -2, "incorrect length check");
}

static void trailing(void **state)
{
    bytes f = compressed_small();
    const int64_t end = (int64_t)f.n;
    (void)state;
    put(&f, "!!", 2);
    expect_fault(&f, end, "bytes follow the end of the compressed data");
    f = compressed_small();
    put_member(&f, (const unsigned char *)"!", 1); /* sound gzip, but more than the sizes announce */
    expect_fault(&f, 18, "more bytes follow the values that the sizes announce");
    f = compressed_small();
    put_member(&f, NULL, 0); /* nothing more: fine */
    write_file(&f);
    tp_idx array;
    assert_int_equal(tp_idx_read(path, NULL, &array, NULL), TP_OK);
    tp_idx_free(&array);
}

/* The damage of plain files is told by the offset in what was compressed. */
static void inner_damage(void **state)
{
    bytes plain = small_file(), f = {0};
    (void)state;
    plain.b[2] = 0x55;
    put_member(&f, plain.b, plain.n);
    expect_fault(&f, 2, "0x55 is no element type of IDX");
    f.n = 0;
    plain = small_file();
    put_member(&f, plain.b, plain.n - 1);
    expect_fault(&f, 17, "the file ends after 5 of the 6 bytes of values that its sizes announce");
    f.n = 0;
    plain = header(TP_IDX_F64, 3, (const uint32_t[]){60000, 28, 28}); /* 376 MB that are not there */
    put_member(&f, plain.b, plain.n);
    expect_fault(&f, 16, "the file ends after 0 of the 376320000 bytes of values that its sizes announce");
}

/* A file that is small and inflates to much: only what its header announces is ever held, and that below the limit. */
static void inflating_without_end(void **state)
{
    bytes plain = header(TP_IDX_U8, 1, (const uint32_t[]){1});
    (void)state;
    bytes f = bomb(&plain, 2000); /* half a million zeros */
    expect_fault(&f, 9, "more bytes follow the values that the sizes announce");

    plain = header(TP_IDX_U8, 1, (const uint32_t[]){2000 * 258 + 1});
    f = bomb(&plain, 2000);
    write_file(&f);
    tp_idx array;
    tp_io_report report;
    meter m;
    tp_idx_options o = metered(&m);
    assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_BAD_VALUE); /* its check sum is wrong */
    assert_non_null(strstr(report.message, "incorrect data check"));
    assert_in_range(m.largest, 0, 2000 * 258 + 1);
    assert_int_equal(m.held, 0);
    o = metered(&m);
    o.max_bytes = 1000;
    assert_int_equal(tp_idx_read(path, &o, &array, &report), TP_BAD_VALUE);
    assert_non_null(strstr(report.message, "more than 1000 bytes of values, the limit"));
    assert_in_range(m.largest, 0, 1 << 17); /* the stream's own */
}

static void out_of_memory(void **state)
{
    (void)state;
    const bytes f = compressed_small();
    write_file(&f);
    expect_no_memory(4); /* the stream, zlib's state and window, the values */
}

/* ---- Without zlib ---------------------------------------------------------------------------------- */

static void without_zlib(void **state)
{
    const bytes f = compressed_small();
    (void)state;
    expect_fault(&f, 0, "the file is compressed by gzip, and this Tapir was built without zlib");
}

int main(void)
{
    const struct CMUnitTest with[] = {
        cmocka_unit_test(sound),
        cmocka_unit_test(members),
        cmocka_unit_test(large),
        cmocka_unit_test(truncated),
        cmocka_unit_test(any_byte),
        cmocka_unit_test(check_sum),
        cmocka_unit_test(trailing),
        cmocka_unit_test(inner_damage),
        cmocka_unit_test(inflating_without_end),
        cmocka_unit_test(out_of_memory),
    };
    const struct CMUnitTest without[] = {cmocka_unit_test(without_zlib)};
    if (tp_io_reads_gzip())
        return cmocka_run_group_tests(with, make_place, drop_directory);
    return cmocka_run_group_tests(without, make_place, drop_directory);
}
