/* tape_test.h -- what the tests of the tape share: an allocator that counts and fails, and a look at errors. */
#ifndef TAPIR_TESTS_TAPE_TEST_H
#define TAPIR_TESTS_TAPE_TEST_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/program.h>
#include <tapir/tape.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- An allocator that counts ----------------------------------------------------------------------- */

typedef struct memory {
    int64_t calls;   /* of allocate */
    int64_t blocks;  /* alive */
    int64_t fail_at; /* this call fails, counted from 1; 0: none */
    bool fail_on;    /* and all after it */
    int faults;      /* releases with another size, or of what was not allocated */
} memory;

typedef struct block_header {
    size_t size;
    uint64_t magic;
    char pad[48]; /* 64 bytes in all: keeps the block's alignment */
} block_header;

static const uint64_t block_magic = 0x7461706972746573u;

/* Exactly `size` bytes, so that the sanitizers see one too many; not zeroed; nothing beyond a gigabyte. */
static inline void *memory_allocate(size_t size, size_t alignment, void *user)
{
    memory *m = user;
    void *raw = NULL;
    const int64_t call = ++m->calls;

    if (call == m->fail_at || (m->fail_on && call > m->fail_at))
        return NULL;
    if (alignment > sizeof(block_header) || size > (size_t)1 << 30)
        return NULL;
    if (posix_memalign(&raw, sizeof(block_header), sizeof(block_header) + size) != 0)
        return NULL;
    *(block_header *)raw = (block_header){.size = size, .magic = block_magic};
    m->blocks++;
    return memset((char *)raw + sizeof(block_header), 0xA5, size);
}

static inline void memory_release(void *data, size_t size, void *user)
{
    memory *m = user;
    block_header *header = (block_header *)(void *)((char *)data - sizeof *header);

    if (header->magic != block_magic || header->size != size)
        m->faults++;
    header->magic = 0;
    m->blocks--;
    free(header);
}

static inline tp_allocator memory_allocator(memory *m)
{
    return (tp_allocator){memory_allocate, memory_release, m};
}

static inline tp_tape *tape_with(memory *m)
{
    return tp_tape_create(&(tp_tape_options){.allocator = memory_allocator(m)});
}

static inline void assert_all_released(const memory *m)
{
    assert_int_equal(m->blocks, 0);
    assert_int_equal(m->faults, 0);
}

/* ---- Errors ----------------------------------------------------------------------------------------- */

static inline void expect_text(const char *text, const char *fragment)
{
    if (strstr(text, fragment) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, fragment);
}

static inline void expect_ok(const tp_tape *tape)
{
    if (tp_tape_status(tape) != TP_OK)
        fail_msg("unexpected error: %s", tp_tape_message(tape));
}

/* The tape's error is this one; it is forgotten. */
static inline void expect_error(tp_tape *tape, tp_status status, const char *fragment)
{
    if (tp_tape_status(tape) != status)
        fail_msg("%s (%s) where %s was expected: %s", tp_status_name(tp_tape_status(tape)),
                 tp_tape_message(tape), tp_status_name(status), fragment);
    expect_text(tp_tape_message(tape), fragment);
    tp_tape_clear_error(tape);
}

/* ---- Running ---------------------------------------------------------------------------------------- */

static inline tp_program *compile_one(tp_tensor output)
{
    return tp_compile(&output, 1, NULL);
}

/* Compile, run once, read f32 values. */
static inline void evaluate(tp_tensor output, float *values, int64_t count)
{
    tp_program *program = compile_one(output);
    if (program == NULL || tp_run(program) != TP_OK || tp_read(output, values, count) != TP_OK)
        fail_msg("%s", tp_tape_message(output.tape));
    tp_program_destroy(program);
}

static inline float evaluate1(tp_tensor output)
{
    float value = NAN;
    evaluate(output, &value, 1);
    return value;
}

static inline bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

#endif
