/* error_scan.h -- reads C sources for messages: string literals of two words or more, outside comments and directives.
 */
#ifndef TAPIR_TESTS_ERROR_SCAN_H
#define TAPIR_TESTS_ERROR_SCAN_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_LITERAL = 512 };

typedef struct scan {
    char *text;     /* the source */
    const char *at; /* where the next literal is looked for */
} scan;

static inline bool scan_open(scan *s, const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = 0;

    *s = (scan){0};
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
        return false;
    rewind(file);
    s->text = malloc((size_t)size + 1);
    const size_t got = fread(s->text, 1, (size_t)size, file);
    s->text[got] = '\0';
    s->at = s->text;
    fclose(file);
    return got == (size_t)size;
}

static inline void scan_close(scan *s)
{
    free(s->text);
}

/* Past a directive: to the end of the line, and of those that it continues on. */
static inline const char *scan_past_directive(const char *at)
{
    while (*at != '\0' && !(*at == '\n' && at[-1] != '\\'))
        at++;
    return at;
}

static inline const char *scan_past_comment(const char *at)
{
    const char *end = strstr(at + 2, "*/");
    return end != NULL ? end + 2 : at + strlen(at);
}

/* At the next opening quotation mark of a string, or at the end. */
static inline const char *scan_to_string(const char *at, bool *only_space)
{
    bool line_start = false;
    *only_space = true;
    while (*at != '\0' && *at != '"') {
        if (at[0] == '/' && at[1] == '*') {
            at = scan_past_comment(at);
            continue;
        }
        if (at[0] == '#' && line_start) {
            at = scan_past_directive(at);
            continue;
        }
        line_start = *at == '\n' || (line_start && isspace((unsigned char)*at));
        *only_space = *only_space && isspace((unsigned char)*at);
        if (*at == '\'') /* '"' is no string */
            at += at[1] == '\\' ? 3 : 2;
        at++;
    }
    return at;
}

/* Copies one string; at is its opening mark; returns what follows. */
static inline const char *scan_string(const char *at, char *out, size_t *used)
{
    for (at++; *at != '\0' && *at != '"'; at++) {
        char c = *at;
        if (c == '\\')
            c = *++at == 'n' ? '\n' : *at == '0' ? '\0' : *at;
        if (*used + 1 < SCAN_LITERAL)
            out[(*used)++] = c;
    }
    out[*used] = '\0';
    return *at == '"' ? at + 1 : at;
}

/* The next literal, with the ones that continue it; false at the end. */
static inline bool scan_next(scan *s, char literal[SCAN_LITERAL])
{
    bool only_space;
    size_t used = 0;

    s->at = scan_to_string(s->at, &only_space);
    if (*s->at == '\0')
        return false;
    do {
        s->at = scan_string(s->at, literal, &used);
        const char *next = scan_to_string(s->at, &only_space);
        if (!only_space || *next == '\0')
            break;
        s->at = next;
    } while (true);
    return true;
}

/* ---- Formats ---------------------------------------------------------------------------------------- */

/* Replaces each conversion by a '\n'. */
static inline void scan_skeleton(const char *format, char skeleton[SCAN_LITERAL])
{
    size_t used = 0;
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '%' && at[1] == '%') {
            at++;
        } else if (*at == '%') {
            at++;
            at += strspn(at, "-+ #0123456789.*hlzjt");
            skeleton[used++] = '\n';
            if (*at == '\0')
                break;
            continue;
        }
        skeleton[used++] = *at;
    }
    skeleton[used] = '\0';
}

static inline int scan_words(const char *skeleton)
{
    int words = 0;
    bool inside = false;
    for (; *skeleton != '\0'; skeleton++) {
        const bool letter = isalnum((unsigned char)*skeleton) || *skeleton == '_';
        words += letter && !inside;
        inside = letter;
    }
    return words;
}

/* Does `text` contain the pieces of the skeleton, in order? */
static inline bool scan_covers(const char *text, const char *skeleton)
{
    char copy[SCAN_LITERAL];
    snprintf(copy, sizeof copy, "%s", skeleton);
    for (char *piece = strtok(copy, "\n"); piece != NULL; piece = strtok(NULL, "\n")) {
        char *end = piece + strlen(piece);
        while (*piece == ' ')
            piece++;
        while (end > piece && end[-1] == ' ')
            *--end = '\0';
        if (scan_words(piece) == 0)
            continue;
        text = strstr(text, piece);
        if (text == NULL)
            return false;
        text += strlen(piece);
    }
    return true;
}

#endif
