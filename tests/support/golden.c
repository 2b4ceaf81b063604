/* golden.c -- the reader of golden.h; what a test asks a case for is in golden_case.c.
 *
 * Reading needs no look-ahead: a line's first word says what it is, and a block's header says how many
 * values follow.  What a case needs is freed when the next one is read.
 */
#include "golden.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_OPTIONS 32
#define MAX_BLOCKS  64
#define MAX_COUNT   ((int64_t)1 << 26) /* values in a block; a larger number is a mistake */

typedef struct memory {
    struct memory *next;
    max_align_t data[];
} memory;

struct golden_reader {
    FILE *stream;
    char *path;
    int line_number;
    char *line; /* the current line, cut into words */
    size_t capacity;
    char **word;
    int words, word_capacity;

    char **seen; /* the names of the cases so far */
    int seen_count;

    golden_case current;
    golden_option option[MAX_OPTIONS];
    golden_block block[MAX_BLOCKS];
    memory *arena; /* all that the current case points to */
    char error[512];
};

/* ---- Memory: a test without memory may stop --------------------------------------------------------- */

static void *need(void *pointer)
{
    if (pointer == NULL) {
        fprintf(stderr, "golden: out of memory\n");
        abort();
    }
    return pointer;
}

static void *take(golden_reader *reader, size_t size)
{
    memory *m = need(malloc(sizeof *m + (size > 0 ? size : 1)));
    m->next = reader->arena;
    reader->arena = m;
    return m->data;
}

static char *copy_text(golden_reader *reader, const char *text)
{
    const size_t size = strlen(text) + 1;
    return memcpy(take(reader, size), text, size);
}

static void clear_arena(golden_reader *reader)
{
    while (reader->arena != NULL) {
        memory *next = reader->arena->next;
        free(reader->arena);
        reader->arena = next;
    }
}

/* ---- Errors ---------------------------------------------------------------------------------------- */

/* Stores "path:line: message" and returns false, so that a parser may `return wrong(...)`. */
static bool wrong(golden_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(golden_reader *reader, const char *format, ...)
{
    va_list args;
    int used = snprintf(reader->error, sizeof reader->error, "%s:%d: ", reader->path, reader->line_number);
    if (used < 0 || (size_t)used >= sizeof reader->error)
        used = 0;
    va_start(args, format);
    vsnprintf(reader->error + used, sizeof reader->error - (size_t)used, format, args);
    va_end(args);
    return false;
}

/* ---- Lines and words ------------------------------------------------------------------------------- */

/* Read a line and cut it into words.  False at the end of the file (no error set) or with an error. */
static bool next_line(golden_reader *reader)
{
    size_t length = 0;
    int c;

    while ((c = getc(reader->stream)) != EOF && c != '\n') {
        if (length == 0)
            reader->line_number++;
        if (c < 32 || c > 126)
            return wrong(reader, "byte %d: the file must be plain ASCII with lines ended by \\n", c);
        if (length + 2 > reader->capacity) {
            reader->capacity = reader->capacity < 128 ? 128 : 2 * reader->capacity;
            reader->line = need(realloc(reader->line, reader->capacity));
        }
        reader->line[length++] = (char)c;
    }
    if (ferror(reader->stream))
        return wrong(reader, "cannot be read: %s", strerror(errno));
    if (c == EOF)
        return length > 0 ? wrong(reader, "the last line is cut off") : false;
    if (length == 0) {
        reader->line_number++;
        return wrong(reader, "blank line");
    }
    reader->line[length] = '\0';

    reader->words = 0;
    for (char *at = reader->line;;) {
        char *space = strchr(at, ' ');
        if (space == at || *at == '\0')
            return wrong(reader, "words must be separated by single spaces");
        if (reader->words == reader->word_capacity) {
            reader->word_capacity = reader->word_capacity < 16 ? 16 : 2 * reader->word_capacity;
            reader->word = need(realloc(reader->word, (size_t)reader->word_capacity * sizeof *reader->word));
        }
        reader->word[reader->words++] = at;
        if (space == NULL)
            return true;
        *space = '\0';
        at = space + 1;
    }
}

/* As next_line where the file must not end. */
static bool next_line_of(golden_reader *reader, const char *what)
{
    reader->error[0] = '\0';
    if (next_line(reader))
        return true;
    return reader->error[0] != '\0' ? false : wrong(reader, "the file ends in the middle of %s", what);
}

/* ---- Cases ----------------------------------------------------------------------------------------- */

static int kind_of(const char *word)
{
    for (int kind = GOLDEN_IN; kind <= GOLDEN_HVP; kind++)
        if (strcmp(word, golden_kind_name((golden_kind)kind)) == 0)
            return kind;
    return -1;
}

static bool read_option(golden_reader *reader)
{
    golden_case *c = &reader->current;

    if (reader->words < 3)
        return wrong(reader, "opt needs a key and a value");
    if (c->block_count > 0)
        return wrong(reader, "opt %s after a block", reader->word[1]);
    if (c->op == NULL) {
        const size_t length = strlen(reader->word[2]);
        if (strcmp(reader->word[1], "op") != 0 || reader->words != 3)
            return wrong(reader, "the first option must be `opt op OPERATION`");
        if (strncmp(c->name, reader->word[2], length) != 0 || c->name[length] != '.')
            return wrong(reader, "case %s is not a case of %s", c->name, reader->word[2]);
        c->op = copy_text(reader, reader->word[2]);
        return true;
    }
    if (strcmp(reader->word[1], "op") == 0 || golden_has(c, reader->word[1]))
        return wrong(reader, "opt %s given twice", reader->word[1]);
    if (c->option_count == MAX_OPTIONS)
        return wrong(reader, "more than %d options", MAX_OPTIONS);

    golden_option *option = &reader->option[c->option_count++];
    option->key = copy_text(reader, reader->word[1]);
    option->count = reader->words - 2;
    option->value = take(reader, (size_t)option->count * sizeof *option->value);
    for (int i = 0; i < option->count; i++)
        option->value[i] = copy_text(reader, reader->word[i + 2]);
    return true;
}

static bool read_values(golden_reader *reader, golden_block *block)
{
    for (int64_t done = 0; done < block->count; done += reader->words) {
        if (!next_line_of(reader, "a block"))
            return false;
        if (reader->words > block->count - done)
            return wrong(reader, "%s %s has %" PRId64 " values, and here are more",
                         golden_kind_name(block->kind), block->name, block->count);
        for (int i = 0; i < reader->words; i++) {
            const bool fine = block->f64 != NULL ? golden_parse_f64(reader->word[i], &block->f64[done + i])
                                                 : golden_parse_i64(reader->word[i], &block->i64[done + i]);
            if (!fine)
                return wrong(reader, "%s %s: `%s` where value %" PRId64 " of %" PRId64 " should be",
                             golden_kind_name(block->kind), block->name, reader->word[i], done + i + 1,
                             block->count);
        }
    }
    return true;
}

/* KIND NAME TYPE NDIM d0 d1 ..., and its values. */
static bool read_block(golden_reader *reader, golden_kind kind)
{
    golden_case *c = &reader->current;
    const char *kind_name = golden_kind_name(kind);
    int64_t rank = 0;

    if (c->op == NULL)
        return wrong(reader, "a block before `opt op`");
    if (reader->words < 4)
        return wrong(reader, "%s needs a name, a type and the number of axes", kind_name);
    if (c->block_count > 0 && reader->block[c->block_count - 1].kind > kind)
        return wrong(reader, "%s after %s", kind_name,
                     golden_kind_name(reader->block[c->block_count - 1].kind));
    if (golden_find(c, kind, reader->word[1]) != NULL)
        return wrong(reader, "%s %s given twice", kind_name, reader->word[1]);
    if (c->block_count == MAX_BLOCKS)
        return wrong(reader, "more than %d blocks", MAX_BLOCKS);

    const bool is_f64 = strcmp(reader->word[2], "f64") == 0;
    if (!is_f64 && (strcmp(reader->word[2], "i64") != 0 || kind > GOLDEN_OUT))
        return wrong(reader, "%s %s cannot have the type %s", kind_name, reader->word[1], reader->word[2]);
    if (!golden_parse_i64(reader->word[3], &rank) || rank < 0 || rank > GOLDEN_MAX_RANK)
        return wrong(reader, "%s %s cannot have %s axes", kind_name, reader->word[1], reader->word[3]);
    if (reader->words != 4 + rank)
        return wrong(reader, "%s %s has %d sizes for %d axes", kind_name, reader->word[1], reader->words - 4,
                     (int)rank);

    golden_block *block = &reader->block[c->block_count];
    *block = (golden_block){.kind = kind, .line = reader->line_number, .rank = (int)rank, .count = 1};
    for (int i = 0; i < block->rank; i++) {
        if (!golden_parse_i64(reader->word[i + 4], &block->dim[i]) || block->dim[i] < 0 ||
            block->dim[i] > MAX_COUNT)
            return wrong(reader, "%s %s cannot have the size %s", kind_name, reader->word[1],
                         reader->word[i + 4]);
        block->count *= block->dim[i];
        if (block->count > MAX_COUNT)
            return wrong(reader, "%s %s is too large", kind_name, reader->word[1]);
    }
    block->name = copy_text(reader, reader->word[1]);
    if (is_f64)
        block->f64 = take(reader, (size_t)block->count * sizeof *block->f64);
    else
        block->i64 = take(reader, (size_t)block->count * sizeof *block->i64);
    if (!read_values(reader, block))
        return false;
    c->block_count++;
    return true;
}

/* Every block that belongs to another one has its shape: cot to an output, grad, dir and hvp to an input. */
static bool blocks_agree(golden_reader *reader)
{
    const golden_case *c = &reader->current;

    for (int i = 0; i < c->block_count; i++) {
        const golden_block *block = &c->block[i];
        if (block->kind == GOLDEN_IN || block->kind == GOLDEN_OUT)
            continue;
        const golden_kind of = block->kind == GOLDEN_COT ? GOLDEN_OUT : GOLDEN_IN;
        const golden_block *other = golden_find(c, of, block->name);
        if (other == NULL || other->f64 == NULL)
            return wrong(reader, "%s %s without an f64 %s of that name", golden_kind_name(block->kind),
                         block->name, golden_kind_name(of));
        if (other->rank != block->rank || memcmp(other->dim, block->dim, sizeof block->dim) != 0)
            return wrong(reader, "%s %s and %s %s differ in shape", golden_kind_name(block->kind),
                         block->name, golden_kind_name(of), block->name);

        const golden_kind partner = block->kind == GOLDEN_DIR ? GOLDEN_HVP : GOLDEN_DIR;
        if (block->kind >= GOLDEN_DIR && golden_find(c, partner, block->name) == NULL)
            return wrong(reader, "%s %s without %s %s", golden_kind_name(block->kind), block->name,
                         golden_kind_name(partner), block->name);
    }
    return true;
}

/* Remember the case's name; false if there was one of that name before. */
static bool name_is_new(golden_reader *reader, const char *name)
{
    for (int i = 0; i < reader->seen_count; i++)
        if (strcmp(reader->seen[i], name) == 0)
            return false;
    reader->seen = need(realloc(reader->seen, ((size_t)reader->seen_count + 1) * sizeof *reader->seen));
    reader->seen[reader->seen_count] = need(malloc(strlen(name) + 1));
    strcpy(reader->seen[reader->seen_count++], name);
    return true;
}

static bool read_case(golden_reader *reader)
{
    golden_case *c = &reader->current;

    if (strcmp(reader->word[0], "case") != 0 || reader->words != 2)
        return wrong(reader, "`case NAME` expected, not `%s`", reader->word[0]);
    if (!name_is_new(reader, reader->word[1]))
        return wrong(reader, "a second case %s", reader->word[1]);
    clear_arena(reader);
    *c = (golden_case){.file = reader->path,
                       .line = reader->line_number,
                       .name = copy_text(reader, reader->word[1]),
                       .option = reader->option,
                       .block = reader->block};

    for (;;) {
        if (!next_line_of(reader, "a case"))
            return false;
        const int kind = kind_of(reader->word[0]);
        if (kind >= 0) {
            if (!read_block(reader, (golden_kind)kind))
                return false;
        } else if (strcmp(reader->word[0], "opt") == 0) {
            if (!read_option(reader))
                return false;
        } else if (strcmp(reader->word[0], "end") == 0 && reader->words == 1) {
            return c->op != NULL ? blocks_agree(reader) : wrong(reader, "case %s has no `opt op`", c->name);
        } else {
            return wrong(reader, "opt, a block or end expected, not `%s`", reader->word[0]);
        }
    }
}

const golden_case *golden_read(golden_reader *reader, const char **error)
{
    const bool ok = reader->error[0] == '\0' && next_line(reader) && read_case(reader);

    *error = reader->error[0] != '\0' ? reader->error : NULL;
    return ok ? &reader->current : NULL;
}

/* ---- For tests: what is wrong fails the test -------------------------------------------------------- */

golden_reader *golden_open_stream(FILE *stream, const char *name)
{
    golden_reader *reader = need(calloc(1, sizeof *reader));

    reader->stream = stream;
    reader->path = need(malloc(strlen(name) + 1));
    strcpy(reader->path, name);
    return reader;
}

golden_reader *golden_open(const char *path)
{
    static const char folder[] = TAPIR_SOURCE_DIR "/tests/golden/";
    char full[4096];

    snprintf(full, sizeof full, "%s%s", strchr(path, '/') == NULL ? folder : "", path);
    FILE *stream = fopen(full, "rb");
    if (stream == NULL)
        fail_msg("%s: %s", full, strerror(errno));
    return golden_open_stream(stream, full);
}

const golden_case *golden_next(golden_reader *reader)
{
    const char *error;
    const golden_case *c = golden_read(reader, &error);

    if (error != NULL) {
        char message[sizeof reader->error];
        strcpy(message, error);
        golden_stop(reader);
        fail_msg("%s", message);
    }
    if (c == NULL)
        golden_stop(reader);
    return c;
}

void golden_stop(golden_reader *reader)
{
    if (reader == NULL)
        return;
    clear_arena(reader);
    fclose(reader->stream);
    for (int i = 0; i < reader->seen_count; i++)
        free(reader->seen[i]);
    free(reader->seen);
    free(reader->word);
    free(reader->line);
    free(reader->path);
    free(reader);
}
