/* golden_case.c -- what a test asks a golden case for: options, blocks, comparisons (golden.h). */
#include "golden.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Words ----------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {"in", "out", "cot", "grad", "dir", "hvp"};

const char *golden_kind_name(golden_kind kind)
{
    return kind_names[kind];
}

/* strtod alone would also take hexadecimal and "infinity". */
bool golden_parse_f64(const char *word, double *value)
{
    char *end;

    if (strcmp(word, "nan") == 0)
        return *value = (double)NAN, true;
    if (strcmp(word, "inf") == 0 || strcmp(word, "-inf") == 0)
        return *value = word[0] == '-' ? -(double)INFINITY : (double)INFINITY, true;
    if (word[strspn(word, "0123456789+-.e")] != '\0')
        return false;
    *value = strtod(word, &end);
    return end != word && *end == '\0' && isfinite(*value);
}

bool golden_parse_i64(const char *word, int64_t *value)
{
    char *end;

    if (word[strspn(word, "0123456789-")] != '\0')
        return false;
    errno = 0;
    const long long number = strtoll(word, &end, 10);
    *value = number;
    return end != word && *end == '\0' && errno == 0;
}

/* ---- Options --------------------------------------------------------------------------------------- */

static const golden_option *find_option(const golden_case *c, const char *key)
{
    for (int i = 0; i < c->option_count; i++)
        if (strcmp(c->option[i].key, key) == 0)
            return &c->option[i];
    return NULL;
}

static void fail_case(const golden_case *c, const char *what, const char *key, const char *detail)
{
    fail_msg("%s:%d: case %s: %s %s%s", c->file, c->line, c->name, what, key, detail);
}

bool golden_has(const golden_case *c, const char *key)
{
    return find_option(c, key) != NULL;
}

/* The option, which must be there and have one word. */
static const char *one_word(const golden_case *c, const char *key)
{
    const golden_option *option = find_option(c, key);

    if (option == NULL)
        fail_case(c, "option", key, " is missing");
    else if (option->count != 1)
        fail_case(c, "option", key, " is a list");
    else
        return option->value[0];
    return "";
}

double golden_number(const golden_case *c, const char *key)
{
    double value = 0;

    if (!golden_parse_f64(one_word(c, key), &value))
        fail_case(c, "option", key, " is not a number");
    return value;
}

double golden_number_or(const golden_case *c, const char *key, double otherwise)
{
    return golden_has(c, key) ? golden_number(c, key) : otherwise;
}

int64_t golden_integer(const golden_case *c, const char *key)
{
    int64_t value = 0;

    if (!golden_parse_i64(one_word(c, key), &value))
        fail_case(c, "option", key, " is not an integer");
    return value;
}

const char *golden_string(const golden_case *c, const char *key)
{
    return one_word(c, key);
}

bool golden_is(const golden_case *c, const char *key, const char *word)
{
    return strcmp(one_word(c, key), word) == 0;
}

bool golden_switch(const golden_case *c, const char *key)
{
    if (!golden_has(c, key))
        return false;
    const int64_t value = golden_integer(c, key);
    if (value != 0 && value != 1)
        fail_case(c, "option", key, " is neither 0 nor 1");
    return value == 1;
}

/* The option, which must be there and have no more words than `capacity`. */
static const golden_option *list_option(const golden_case *c, const char *key, int capacity)
{
    const golden_option *option = find_option(c, key);

    if (option == NULL)
        fail_case(c, "option", key, " is missing");
    else if (option->count > capacity)
        fail_case(c, "option", key, " is longer than the test has room for");
    return option;
}

int golden_list(const golden_case *c, const char *key, double *value, int capacity)
{
    const golden_option *option = list_option(c, key, capacity);

    for (int i = 0; i < option->count; i++)
        if (!golden_parse_f64(option->value[i], &value[i]))
            fail_case(c, "option", key, " is not a list of numbers");
    return option->count;
}

int golden_integers(const golden_case *c, const char *key, int64_t *value, int capacity)
{
    const golden_option *option = list_option(c, key, capacity);

    for (int i = 0; i < option->count; i++)
        if (!golden_parse_i64(option->value[i], &value[i]))
            fail_case(c, "option", key, " is not a list of integers");
    return option->count;
}

/* ---- Blocks and values ----------------------------------------------------------------------------- */

const golden_block *golden_find(const golden_case *c, golden_kind kind, const char *name)
{
    for (int i = 0; i < c->block_count; i++)
        if (c->block[i].kind == kind && strcmp(c->block[i].name, name) == 0)
            return &c->block[i];
    return NULL;
}

const golden_block *golden_get(const golden_case *c, golden_kind kind, const char *name)
{
    const golden_block *block = golden_find(c, kind, name);

    if (block == NULL)
        fail_case(c, golden_kind_name(kind), name, " is missing");
    return block;
}

bool golden_close(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs(a - b) <= tolerance * fmax(1, fabs(b)); /* a NaN tolerance: false */
}

double golden_tolerance(const golden_case *c, double otherwise)
{
    return golden_number_or(c, "tol", otherwise);
}

static double value_at(const golden_block *block, int64_t i)
{
    return block->f64 != NULL ? block->f64[i] : (double)block->i64[i];
}

int64_t golden_first_difference(const golden_block *block, const double *value, double tolerance)
{
    for (int64_t i = 0; i < block->count; i++)
        if (!golden_close(value[i], value_at(block, i), tolerance))
            return i;
    return -1;
}

void golden_check(const golden_case *c, const golden_block *block, const double *value, int64_t count,
                  double tolerance)
{
    const double allowed = golden_tolerance(c, tolerance);

    if (count != block->count)
        fail_msg("%s:%d: case %s: %s %s has %" PRId64 " values, not %" PRId64, c->file, block->line, c->name,
                 golden_kind_name(block->kind), block->name, block->count, count);
    const int64_t i = golden_first_difference(block, value, allowed);
    if (i >= 0)
        fail_msg("%s:%d: case %s: %s %s, element %" PRId64 " is %.17g, should be %.17g (tolerance %g)",
                 c->file, block->line, c->name, golden_kind_name(block->kind), block->name, i, value[i],
                 value_at(block, i), allowed);
}
