/* golden.h -- reads the golden cases of tests/golden (format: tests/golden/README.md).
 *
 *     golden_reader *reader = golden_open("ops_unary.txt");
 *     const golden_case *c;
 *     while ((c = golden_next(reader)) != NULL) {
 *         const golden_block *x = golden_get(c, GOLDEN_IN, "x");
 *         ... compute y from x->f64 and golden_number(c, "beta") ...
 *         golden_check(c, golden_get(c, GOLDEN_OUT, "out"), y, x->count, GOLDEN_TOLERANCE);
 *     }
 *
 * Reads one case at a time.  Whatever is wrong (a file that is missing or malformed, a case that lacks what the
 * test asks for, a value that is not close) fails the running cmocka test, and says the file, line and case.
 */
#ifndef TAPIR_TESTS_GOLDEN_H
#define TAPIR_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define GOLDEN_MAX_RANK  8
#define GOLDEN_TOLERANCE 1e-9 /* for cases that do not say `tol` */

typedef enum golden_kind {
    GOLDEN_IN,   /* an input; an i64 input, or one without GRAD, is a constant */
    GOLDEN_OUT,  /* an output */
    GOLDEN_COT,  /* the seed of an output: L = sum of cot * out */
    GOLDEN_GRAD, /* dL/d input */
    GOLDEN_DIR,  /* a direction in which the inputs with GRAD move together */
    GOLDEN_HVP   /* how their GRAD changes along it */
} golden_kind;

typedef struct golden_option {
    const char *key;
    int count;          /* words after the key, at least 1 */
    const char **value; /* they */
} golden_option;

typedef struct golden_block {
    golden_kind kind;
    const char *name;
    int line; /* of its header */
    int rank;
    int64_t dim[GOLDEN_MAX_RANK];
    int64_t count; /* product of dim; 1 for rank 0 */
    double *f64;   /* the values, row-major: one of these two, the other NULL */
    int64_t *i64;
} golden_block;

typedef struct golden_case {
    const char *file;
    int line;         /* of the word `case` */
    const char *name; /* operation.tag */
    const char *op;   /* operation */
    int option_count; /* without `op` */
    const golden_option *option;
    int block_count; /* in the file's order */
    const golden_block *block;
} golden_case;

typedef struct golden_reader golden_reader;

/* A path without a slash is a file in tests/golden. */
golden_reader *golden_open(const char *path);

/* The same for an open stream, which the reader will close; `name` is for messages. */
golden_reader *golden_open_stream(FILE *stream, const char *name);

/* The next case, valid until the next call; NULL after the last one, when the reader is freed. */
const golden_case *golden_next(golden_reader *reader);

/* For a test that stops before the end.  NULL is fine. */
void golden_stop(golden_reader *reader);

/* The same without failing the test: the case, or NULL with *error NULL at the end and otherwise
 * "file:line: what is wrong".  Never frees the reader; *error lives as long as it does. */
const golden_case *golden_read(golden_reader *reader, const char **error);

/* ---- Options: the plain ones must be there -------------------------------------------------------- */

bool golden_has(const golden_case *c, const char *key);
double golden_number(const golden_case *c, const char *key);
double golden_number_or(const golden_case *c, const char *key, double otherwise);
int64_t golden_integer(const golden_case *c, const char *key);
const char *golden_string(const golden_case *c, const char *key); /* one word */
bool golden_is(const golden_case *c, const char *key, const char *word);
bool golden_switch(const golden_case *c, const char *key); /* 0 or 1; absent (as kink, c1 may be) is false */

/* Fills at most `capacity` numbers and returns how many there are; more than `capacity` fails. */
int golden_list(const golden_case *c, const char *key, double *value, int capacity);
int golden_integers(const golden_case *c, const char *key, int64_t *value, int capacity);

/* ---- Blocks ---------------------------------------------------------------------------------------- */

const golden_block *golden_find(const golden_case *c, golden_kind kind, const char *name); /* or NULL */
const golden_block *golden_get(const golden_case *c, golden_kind kind, const char *name);
const char *golden_kind_name(golden_kind kind); /* "in", "out", ... */

/* A word of the file as a number: a decimal number, inf, -inf or nan; a decimal integer.  False if it is none. */
bool golden_parse_f64(const char *word, double *value);
bool golden_parse_i64(const char *word, int64_t *value);

/* ---- Comparing ------------------------------------------------------------------------------------- */

/* |a - b| <= tolerance max(1, |b|); NaN matches NaN, infinities must agree, the sign of zero is ignored. */
bool golden_close(double a, double b, double tolerance);

/* What to ask of a case: its own `tol` if it has one, else `otherwise`. */
double golden_tolerance(const golden_case *c, double otherwise);

/* The first element of `value` that is not close to the block's, or -1. */
int64_t golden_first_difference(const golden_block *block, const double *value, double tolerance);

/* Fails unless value[0..count) has the block's length and is close to it, within the case's own `tol` or else
 * `tolerance`. */
void golden_check(const golden_case *c, const golden_block *block, const double *value, int64_t count,
                  double tolerance);

#endif
