/* error_rows.h -- one row for each error message: a call that is wrong, and what the tape must say of it.
 *
 * The rows are in error_rows_*.h, by the source that has the message; test_errors.c runs them, and reads the sources
 * for a message without a row.
 */
#ifndef TAPIR_TESTS_ERROR_ROWS_H
#define TAPIR_TESTS_ERROR_ROWS_H

#include "tape_test.h"

typedef struct fixture {
    memory memory;
    tp_tape *tape, *other;
    tp_tensor a23, a32, a4, d23; /* parameters: f32[2,3], f32[3,2], f32[4], f64[2,3]; by name all ones */
    tp_tensor i3, i23;           /* parameters: i32[3] = 0 5 -1, i32[2,3] = 2^31 - 1 everywhere */
    tp_tensor input;             /* f32[2,3], not written */
    tp_tensor constant;          /* f32[3] */
    tp_tensor number;            /* weak, 2 */
    tp_tensor absent, poison, stale, foreign;
    tp_program *program; /* destroyed after the row */
    /* What the misuse gave, and where. */
    tp_tensor result;
    tp_status returned;
    bool gives_tensor, gives_status;
    const char *file;
    int line; /* 0: the message cannot know */
    /* What the handler saw. */
    int handled;
    tp_status handled_status;
    char handled_message[1200];
} fixture;

enum { ROW_FRAGMENTS = 5 };

typedef struct error_row {
    const char *name;
    void (*misuse)(fixture *f);
    tp_status status;
    const char *fragment[ROW_FRAGMENTS]; /* in this order in the message */
} error_row;

typedef struct error_rows {
    const char *source;
    const error_row *row;
    size_t count;
    bool using_errors; /* of reading, writing, running: recording goes on */
} error_rows;

/* The call is on the line where these stand. */
#define PLACE(f)        ((f)->file = __FILE__, (f)->line = __LINE__)
#define RESULT(f, ...)  (PLACE(f), (f)->gives_tensor = true, (f)->result = (__VA_ARGS__))
#define RETURNS(f, ...) (PLACE(f), (f)->gives_status = true, (f)->returned = (__VA_ARGS__))
/* For what has no place of its own. */
#define RETURNS_NOWHERE(f, ...) ((f)->gives_status = true, (f)->returned = (__VA_ARGS__))

/* The next allocation but `others` fails. */
static inline void fail_allocation(fixture *f, int others)
{
    f->memory.fail_at = f->memory.calls + 1 + others;
}

/* Compile f->program. */
static inline void compile(fixture *f, tp_tensor output)
{
    f->program = compile_one(output);
    assert_non_null(f->program);
}

/* f32[2,0] */
static inline tp_tensor nothing(fixture *f)
{
    return tp_input(f->tape, TP_F32, TP_SHAPE(2, 0));
}

#endif
