/* json.c -- see json.h. */
#include <string.h>

#include "json.h"

bool tp__json_fail(tp__json *j, size_t at, const char *reason)
{
    tp__reader_fail(j->r, j->start + (int64_t)at, "%s", reason);
    return false;
}

static void skip_blanks(tp__json *j)
{
    while (j->at < j->n && memchr(" \t\r\n", j->text[j->at], 4) != NULL)
        j->at++;
}

bool tp__json_next_is(tp__json *j, char c)
{
    skip_blanks(j);
    if (j->at == j->n || j->text[j->at] != c)
        return false;
    j->at++;
    return true;
}

bool tp__json_expect(tp__json *j, char c)
{
    if (tp__json_next_is(j, c))
        return true;
    tp__reader_fail(j->r, j->start + (int64_t)j->at, "the header must have %c here", c);
    return false;
}

bool tp__json_at_end(tp__json *j)
{
    skip_blanks(j);
    return j->at == j->n;
}

/* ---- Strings ----------------------------------------------------------------------------------------- */

/* Four hexadecimal digits, or -1. */
static int32_t hex(const tp__json *j, size_t at)
{
    int32_t value = 0;
    if (at + 4 > j->n)
        return -1;
    for (size_t k = at; k < at + 4; k++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = j->text[k] != '\0' ? strchr(digits, j->text[k]) : NULL;
        if (digit == NULL)
            return -1;
        value = 16 * value + (int32_t)((digit - digits) % 16);
    }
    return value;
}

/* The character of \uXXXX, or of two that are a pair of surrogates; at j->at, behind the u.  -1: there is none. */
static int32_t take_unicode(tp__json *j)
{
    const int32_t high = hex(j, j->at);
    j->at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || j->at + 6 > j->n || j->text[j->at] != '\\' || j->text[j->at + 1] != 'u')
        return -1;
    const int32_t low = hex(j, j->at + 2);
    j->at += 6;
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Never longer than the escape that it stood for. */
static char *put_character(char *to, int32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

static char *take_escape(tp__json *j, char *to)
{
    static const char from[] = "\"\\/bfnrt", as[] = "\"\\/\b\f\n\r\t";
    const size_t at = j->at - 1;
    const char c = j->at < j->n ? j->text[j->at++] : '\0';
    const char *simple = c != '\0' ? strchr(from, c) : NULL;
    int32_t character = -1;

    if (simple != NULL) {
        *to = as[simple - from];
        return to + 1;
    }
    if (c == 'u' && (character = take_unicode(j)) >= 0)
        return put_character(to, character);
    tp__json_fail(j, at, "no escape of JSON begins with this backslash");
    return NULL;
}

bool tp__json_take_string(tp__json *j, tp__json_string *s)
{
    if (!tp__json_expect(j, '"'))
        return false;
    s->at = j->at - 1;
    s->text = j->text + j->at;
    char *to = j->text + j->at;
    while (j->at < j->n && j->text[j->at] != '"') {
        const char c = j->text[j->at++];
        if ((unsigned char)c < 0x20)
            return tp__json_fail(j, j->at - 1, "a control character stands in a string");
        if (c != '\\')
            *to++ = c;
        else if ((to = take_escape(j, to)) == NULL)
            return false;
    }
    if (j->at >= j->n)
        return tp__json_fail(j, s->at, "the string that begins here does not end");
    j->at++;
    s->n = (size_t)(to - s->text);
    return true;
}

bool tp__json_is(const tp__json_string *s, const char *text)
{
    return s->n == strlen(text) && memcmp(s->text, text, s->n) == 0;
}

/* ---- Numbers and lists ------------------------------------------------------------------------------- */

bool tp__json_take_number(tp__json *j, int64_t *value)
{
    skip_blanks(j);
    const size_t start = j->at;
    *value = 0;
    for (; j->at < j->n && j->text[j->at] >= '0' && j->text[j->at] <= '9'; j->at++) {
        const int digit = j->text[j->at] - '0';
        if (*value > (INT64_MAX - digit) / 10)
            return tp__json_fail(j, start, "the number is beyond 64 bits");
        *value = 10 * *value + digit;
    }
    if (j->at == start || (j->at - start > 1 && j->text[start] == '0'))
        return tp__json_fail(j, start, "there must be a whole number here, not negative");
    if (j->at < j->n && memchr(".eE", j->text[j->at], 3) != NULL)
        return tp__json_fail(j, start, "the number must be whole, without fraction and exponent");
    return true;
}

bool tp__json_more(tp__json *j, char end, bool *first)
{
    if (*first) {
        *first = false;
        return !tp__json_next_is(j, end);
    }
    if (tp__json_next_is(j, ','))
        return true;
    tp__json_expect(j, end);
    return false;
}
