/* json.h -- the strict part of JSON (RFC 8259) that headers of safetensors are made of: objects, strings, arrays of whole
 * numbers, each with its offset.
 *
 * Not cJSON: it keeps numbers as doubles, which are not exact for offsets beyond 2^53, takes a key that is there twice, and
 * its allocator is one for the whole process; and without it nothing could be loaded.
 */
#ifndef TAPIR_IO_JSON_H
#define TAPIR_IO_JSON_H

#include "reader.h"

typedef struct tp__json {
    tp__reader *r; /* takes the faults */
    char *text;    /* UTF-8; strings are decoded in place */
    size_t n, at;
    int64_t start; /* of the text in the file */
} tp__json;

/* A decoded string inside the text; it may hold any byte, 0 as well. */
typedef struct tp__json_string {
    const char *text;
    size_t n;
    size_t at; /* where it began */
} tp__json_string;

/* A fault at a position of the text; returns false. */
bool tp__json_fail(tp__json *j, size_t at, const char *reason);

/* Skips blanks, then takes the character if it comes next. */
bool tp__json_next_is(tp__json *j, char c);

/* Nothing but blanks follows. */
bool tp__json_at_end(tp__json *j);

/* Takes the character, or fails. */
bool tp__json_expect(tp__json *j, char c);

bool tp__json_take_string(tp__json *j, tp__json_string *s);

/* A whole number, 0 .. 2^63 - 1, without a fraction or an exponent. */
bool tp__json_take_number(tp__json *j, int64_t *value);

/* Between the elements of an array or object that ends with `end`: true when one more comes.  *first is true before the
 * first of them. */
bool tp__json_more(tp__json *j, char end, bool *first);

bool tp__json_is(const tp__json_string *s, const char *text);

#endif
