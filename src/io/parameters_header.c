/* parameters_header.c -- reads and checks the header of a safetensors file. */
#include <stdlib.h>
#include <string.h>

#include "parameters.h"

/* A header of 16 MiB has some hundred thousand tensors. */
#define MOST_HEADER ((int64_t)1 << 24)

static const struct {
    const char *name;
    int64_t bits;
} dtypes[] = {{"BOOL", 8}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
              {"I16", 16}, {"U16", 16}, {"F16", 16}, {"BF16", 16},   {"I32", 32},
              {"U32", 32}, {"F32", 32}, {"F64", 64}, {"I64", 64},    {"U64", 64}};

/* ---- One tensor -------------------------------------------------------------------------------------- */

static bool take_dtype(tp__json *j, tp__entry *e, int64_t *bits)
{
    tp__json_string s;
    if (!tp__json_take_string(j, &s))
        return false;
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
        if (tp__json_is(&s, dtypes[k].name)) {
            memcpy(e->dtype, s.text, s.n);
            *bits = dtypes[k].bits;
            return true;
        }
    return tp__json_fail(j, s.at, "this is no dtype of safetensors");
}

/* Also the number of elements, which must be below 2^58 so that nothing overflows. */
static bool take_shape(tp__json *j, tp__entry *e, int64_t *count)
{
    const int64_t most = (int64_t)1 << 58;
    bool first = true, zero = false;

    if (!tp__json_expect(j, '['))
        return false;
    const size_t at = j->at - 1;
    *count = 1;
    while (tp__json_more(j, ']', &first)) {
        int64_t size;
        if (!tp__json_take_number(j, &size))
            return false;
        if (e->rank < TP_MAX_RANK)
            e->dim[e->rank] = size;
        e->rank++;
        zero = zero || size == 0;
        if (size > 0 && *count > most / size)
            return tp__json_fail(j, at, "the shape has too many elements");
        *count *= size > 0 ? size : 1;
    }
    *count = zero ? 0 : *count;
    return tp__reader_fine(j->r);
}

static bool take_offsets(tp__json *j, tp__entry *e)
{
    if (!tp__json_expect(j, '['))
        return false;
    const size_t at = j->at - 1;
    if (!tp__json_take_number(j, &e->begin) || !tp__json_expect(j, ',') ||
        !tp__json_take_number(j, &e->end) || !tp__json_expect(j, ']'))
        return false;
    return e->begin <= e->end || tp__json_fail(j, at, "the values end before they begin");
}

static bool take_tensor(tp__json *j, tp__entry *e)
{
    int64_t bits = 0, count = 0;
    unsigned seen = 0;
    bool first = true;

    if (!tp__json_expect(j, '{'))
        return false;
    const size_t at = j->at - 1;
    while (tp__json_more(j, '}', &first)) {
        tp__json_string key;
        if (!tp__json_take_string(j, &key) || !tp__json_expect(j, ':'))
            return false;
        const unsigned k = tp__json_is(&key, "dtype")          ? 1
                           : tp__json_is(&key, "shape")        ? 2
                           : tp__json_is(&key, "data_offsets") ? 4
                                                               : 0;
        if (k == 0 || (seen & k) != 0)
            return tp__json_fail(j, key.at, "a tensor has dtype, shape and data_offsets, each once");
        seen |= k;
        if (!(k == 1 ? take_dtype(j, e, &bits) : k == 2 ? take_shape(j, e, &count) : take_offsets(j, e)))
            return false;
    }
    if (!tp__reader_fine(j->r))
        return false;
    if (seen != 7)
        return tp__json_fail(j, at, "a tensor has dtype, shape and data_offsets, each once");
    if (e->end - e->begin != count * (bits / 8)) {
        tp__reader_fail(j->r, j->start + (int64_t)at,
                        "the offsets leave %lld bytes for a tensor whose dtype and shape take %lld",
                        (long long)(e->end - e->begin), (long long)(count * (bits / 8)));
        return false;
    }
    return true;
}

/* ---- All of them ------------------------------------------------------------------------------------- */

static bool take_metadata(tp__json *j)
{
    bool first = true;
    tp__json_string s;
    if (!tp__json_expect(j, '{'))
        return false;
    while (tp__json_more(j, '}', &first))
        if (!tp__json_take_string(j, &s) || !tp__json_expect(j, ':') || !tp__json_take_string(j, &s))
            return false;
    return tp__reader_fine(j->r);
}

static tp__entry *new_entry(tp__reader *r, tp__header *h)
{
    if (h->entries == h->capacity) {
        const size_t capacity = h->capacity > 0 ? 2 * h->capacity : 16;
        tp__entry *larger = tp__io_allocate(&r->allocator, capacity * sizeof *larger);
        if (larger == NULL) {
            tp__reader_no_memory(r);
            return NULL;
        }
        if (h->entries > 0)
            memcpy(larger, h->entry, h->entries * sizeof *larger);
        tp__io_release(&r->allocator, h->entry, h->capacity * sizeof *larger);
        h->entry = larger;
        h->capacity = capacity;
    }
    return &h->entry[h->entries++];
}

static int by_name(const void *a, const void *b)
{
    const tp__json_string *x = &((const tp__entry *)a)->name, *y = &((const tp__entry *)b)->name;
    const int c = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return c != 0 ? c : x->n < y->n ? -1 : x->n > y->n ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

static int by_offset(const void *a, const void *b)
{
    const tp__entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end; /* those without elements first */
}

/* Each name once, and the values one after the other without gap or overlap. */
static bool check_entries(tp__json *j, tp__header *h)
{
    int64_t end = 0;

    if (h->entries == 0)
        return true;
    qsort(h->entry, h->entries, sizeof *h->entry, by_name);
    for (size_t k = 1; k < h->entries; k++)
        if (h->entry[k].name.n == h->entry[k - 1].name.n &&
            memcmp(h->entry[k].name.text, h->entry[k - 1].name.text, h->entry[k].name.n) == 0)
            return tp__json_fail(j, h->entry[k].name.at, "a tensor of this name was there already");
    qsort(h->entry, h->entries, sizeof *h->entry, by_offset);
    for (size_t k = 0; k < h->entries; k++) {
        const tp__entry *e = &h->entry[k];
        if (e->begin != end) {
            tp__reader_fail(j->r, j->start + (int64_t)e->name.at,
                            "the values of this tensor begin at offset %lld, but those before it end at %lld",
                            (long long)e->begin, (long long)end);
            return false;
        }
        end = e->end;
    }
    return true;
}

static bool parse(tp__json *j, tp__header *h)
{
    bool first = true, metadata = false;
    size_t at;

    if (!tp__is_utf8(j->text, j->n, &at))
        return tp__json_fail(j, at, "the header is not UTF-8");
    if (j->n == 0 || j->text[0] != '{')
        return tp__json_fail(j, 0, "the header must begin with {");
    j->at = 1;
    while (tp__json_more(j, '}', &first)) {
        tp__json_string name;
        if (!tp__json_take_string(j, &name) || !tp__json_expect(j, ':'))
            return false;
        if (tp__json_is(&name, "__metadata__")) {
            if (metadata)
                return tp__json_fail(j, name.at, "__metadata__ was there already");
            metadata = true;
            if (!take_metadata(j))
                return false;
            continue;
        }
        tp__entry *e = new_entry(j->r, h);
        if (e == NULL)
            return false;
        e->name = name;
        if (!take_tensor(j, e))
            return false;
    }
    if (tp__reader_fine(j->r) && !tp__json_at_end(j))
        return tp__json_fail(j, j->at, "more follows the end of the header");
    return tp__reader_fine(j->r) && check_entries(j, h);
}

/* Takes memory as the text arrives. */
static bool read_text(tp__reader *r, tp__header *h, size_t length)
{
    size_t used = 0;
    while (used < length) {
        size_t size = used == 0 ? (size_t)1 << 16 : 2 * used;
        size = size < length ? size : length;
        char *larger = tp__io_allocate(&r->allocator, size);
        if (larger == NULL) {
            tp__reader_no_memory(r);
            return false;
        }
        if (used > 0)
            memcpy(larger, h->text, used);
        tp__io_release(&r->allocator, h->text, h->text_size);
        h->text = larger;
        h->text_size = size;
        if (!tp__reader_take(r, larger + used, size - used, "the header"))
            return false;
        used = size;
    }
    return true;
}

bool tp__header_read(tp__reader *r, tp__header *h)
{
    unsigned char b[8];
    uint64_t length = 0;

    if (!tp__reader_take(r, b, sizeof b, "the length of the header"))
        return false;
    for (int k = 7; k >= 0; k--)
        length = length << 8 | b[k];
    if (length > (uint64_t)MOST_HEADER) {
        tp__reader_fail(
            r, 0, "the header has %llu bytes, but at most %lld are allowed: this may be no safetensors file",
            (unsigned long long)length, (long long)MOST_HEADER);
        return false;
    }
    if (!read_text(r, h, (size_t)length))
        return false;
    h->start = 8 + (int64_t)length;
    tp__json j = {.r = r, .text = h->text, .n = (size_t)length, .start = 8};
    return parse(&j, h);
}

void tp__header_free(tp__reader *r, tp__header *h)
{
    tp__io_release(&r->allocator, h->text, h->text_size);
    tp__io_release(&r->allocator, h->entry, h->capacity * sizeof *h->entry);
}
