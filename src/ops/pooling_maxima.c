/* pooling_maxima.c -- positions of maxima, elements picked by them, and put back.
 *
 * A position is the number of an element in its image, row by row: the same for every channel of a block.  Positions come from the
 * op that finds them, so kernels check no more than that they stay inside the arrays.
 */
#include <string.h>

#include "matrices.h"
#include "pooling.h"

/* ---- Windows of 2 x 2, f32: a row of them at once ------------------------------------------------------------- */

/* The windows on one image: `rows` of n each.  Window j of a row lies on two rows of the image, a and b, 2 j elements from their
 * starts; `at` is the position of a's start. */
typedef struct quads {
    int64_t rows, n, width;
    int32_t at;
} quads;

/* The position in a window: of the first element that equals the largest one, or of the first NaN. */
static inline int32_t quad_position(float v0, float v1, float v2, float v3, int32_t width)
{
    const float above = v0 > v1 ? v0 : v1, below = v2 > v3 ? v2 : v3;
    const float largest = above > below ? above : below; /* NaN if v3 is; wrong for others */
    int32_t at = v2 == largest ? width : width + 1;
    at = v1 == largest ? 1 : at;
    at = v0 == largest ? 0 : at;
    at = v2 != v2 ? width : at;
    at = v1 != v1 ? 1 : at;
    return v0 != v0 ? 0 : at;
}

/* Of plain images: `length` neighbours at once. */
TP__INLINED void quad_positions_by(int64_t length, quads q, int32_t *restrict y, const float *restrict a,
                                   const float *restrict b)
{
    const int32_t width = (int32_t)q.width;
    for (int64_t j = 0; j < q.n; j += length) {
        const int64_t start = tp__block_start(q.n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) y[i] =
            q.at + 2 * (int32_t)i + quad_position(a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1], width);
    }
}

TP__INLINED void quad_positions_of(int64_t inner, quads q, int32_t *restrict y, const float *restrict a,
                                   const float *restrict b)
{
    const int32_t width = (int32_t)q.width;
    for (int64_t j = 0; j < q.n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t e = 2 * j * inner + k;
            y[j * inner + k] =
                q.at + 2 * (int32_t)j + quad_position(a[e], a[e + inner], b[e], b[e + inner], width);
        }
}

TP_INSTRUCTION_SETS
static void quad_positions(quads q, int64_t inner, int32_t *y, const float *x)
{
    const int64_t row = q.width * inner;
    for (int64_t i = 0; i < q.rows; i++, y += q.n * inner, x += 2 * row, q.at += 2 * (int32_t)q.width) {
        if (inner == 16)
            quad_positions_of(16, q, y, x, x + row);
        else if (inner == 8)
            quad_positions_of(8, q, y, x, x + row);
        else if (inner > 1)
            quad_positions_of(inner, q, y, x, x + row);
        else if (q.n >= 16)
            quad_positions_by(16, q, y, x, x + row);
        else if (q.n >= 8)
            quad_positions_by(8, q, y, x, x + row);
        else if (q.n >= 4)
            quad_positions_by(4, q, y, x, x + row);
        else
            quad_positions_by(1, q, y, x, x + row);
    }
}

/* Choosing by bits keeps compilers from branching. */
static inline uint32_t mask(bool all)
{
    return all ? UINT32_MAX : 0;
}

static inline uint32_t quad_element(uint32_t v0, uint32_t v1, uint32_t v2, uint32_t v3, uint32_t width,
                                    uint32_t p)
{
    return (v0 & mask(p == 0)) | (v1 & mask(p == 1)) | (v2 & mask(p == width)) | (v3 & mask(p == width + 1));
}

TP__INLINED void quad_pick_by(int64_t length, quads q, uint32_t *restrict y, const int32_t *restrict at,
                              const uint32_t *restrict a, const uint32_t *restrict b)
{
    for (int64_t j = 0; j < q.n; j += length) {
        const int64_t start = tp__block_start(q.n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) y[i] =
            quad_element(a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1], (uint32_t)q.width,
                         (uint32_t)at[i] - (uint32_t)q.at - 2 * (uint32_t)i);
    }
}

TP__INLINED void quad_pick_of(int64_t inner, quads q, uint32_t *restrict y, const int32_t *restrict at,
                              const uint32_t *restrict a, const uint32_t *restrict b)
{
    for (int64_t j = 0; j < q.n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t e = 2 * j * inner + k;
            y[j * inner + k] = quad_element(a[e], a[e + inner], b[e], b[e + inner], (uint32_t)q.width,
                                            (uint32_t)at[j * inner + k] - (uint32_t)q.at - 2 * (uint32_t)j);
        }
}

TP_INSTRUCTION_SETS
static void quad_pick(quads q, int64_t inner, uint32_t *y, const int32_t *at, const uint32_t *x)
{
    const int64_t row = q.width * inner, windows = q.n * inner;
    for (int64_t i = 0; i < q.rows;
         i++, y += windows, at += windows, x += 2 * row, q.at += 2 * (int32_t)q.width) {
        if (inner == 16)
            quad_pick_of(16, q, y, at, x, x + row);
        else if (inner == 8)
            quad_pick_of(8, q, y, at, x, x + row);
        else if (inner > 1)
            quad_pick_of(inner, q, y, at, x, x + row);
        else if (q.n >= 16)
            quad_pick_by(16, q, y, at, x, x + row);
        else if (q.n >= 8)
            quad_pick_by(8, q, y, at, x, x + row);
        else if (q.n >= 4)
            quad_pick_by(4, q, y, at, x, x + row);
        else
            quad_pick_by(1, q, y, at, x, x + row);
    }
}

TP__INLINED void quad_put_by(int64_t length, quads q, uint32_t *restrict a, uint32_t *restrict b,
                             const int32_t *restrict at, const uint32_t *restrict g)
{
    const uint32_t width = (uint32_t)q.width;
    for (int64_t j = 0; j < q.n; j += length) {
        const int64_t start = tp__block_start(q.n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++)
        {
            const uint32_t p = (uint32_t)at[i] - (uint32_t)q.at - 2 * (uint32_t)i;
            a[2 * i] = g[i] & mask(p == 0);
            a[2 * i + 1] = g[i] & mask(p == 1);
            b[2 * i] = g[i] & mask(p == width);
            b[2 * i + 1] = g[i] & mask(p == width + 1);
        }
    }
}

TP__INLINED void quad_put_of(int64_t inner, quads q, uint32_t *restrict a, uint32_t *restrict b,
                             const int32_t *restrict at, const uint32_t *restrict g)
{
    const uint32_t width = (uint32_t)q.width;
    for (int64_t j = 0; j < q.n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t e = 2 * j * inner + k;
            const uint32_t p = (uint32_t)at[j * inner + k] - (uint32_t)q.at - 2 * (uint32_t)j;
            const uint32_t value = g[j * inner + k];
            a[e] = value & mask(p == 0);
            a[e + inner] = value & mask(p == 1);
            b[e] = value & mask(p == width);
            b[e + inner] = value & mask(p == width + 1);
        }
}

TP_INSTRUCTION_SETS
static void quad_put(quads q, int64_t inner, uint32_t *y, const int32_t *at, const uint32_t *g)
{
    const int64_t row = q.width * inner, windows = q.n * inner;
    for (int64_t i = 0; i < q.rows;
         i++, g += windows, at += windows, y += 2 * row, q.at += 2 * (int32_t)q.width) {
        if (inner == 16)
            quad_put_of(16, q, y, y + row, at, g);
        else if (inner == 8)
            quad_put_of(8, q, y, y + row, at, g);
        else if (inner > 1)
            quad_put_of(inner, q, y, y + row, at, g);
        else if (q.n >= 16)
            quad_put_by(16, q, y, y + row, at, g);
        else if (q.n >= 8)
            quad_put_by(8, q, y, y + row, at, g);
        else if (q.n >= 4)
            quad_put_by(4, q, y, y + row, at, g);
        else
            quad_put_by(1, q, y, y + row, at, g);
        for (int64_t k = 2 * windows; k < row; k++) /* a last column that is in no window */
            y[k] = y[row + k] = 0;
    }
}

static quads quads_of(const tp__windows *w)
{
    return (quads){w->count[0], w->count[1], w->size[1], 0};
}

static void find_in_quads(const tp_call *c, const tp__windows *w)
{
    const int64_t image = w->size[0] * w->size[1] * w->inner, windows = w->count[0] * w->count[1] * w->inner;
    for (int64_t o = 0; o < w->outer; o++)
        quad_positions(quads_of(w), w->inner, (int32_t *)c->y.data + o * windows,
                       (const float *)c->x[0].data + o * image);
}

static void pick_from_quads(const tp_call *c, const tp__windows *w)
{
    const int64_t image = w->size[0] * w->size[1] * w->inner, windows = w->count[0] * w->count[1] * w->inner;
    for (int64_t o = 0; o < w->outer; o++)
        quad_pick(quads_of(w), w->inner, (uint32_t *)c->y.data + o * windows,
                  (const int32_t *)c->x[1].data + o * windows, (const uint32_t *)c->x[0].data + o * image);
}

static void put_into_quads(const tp_call *c, const tp__windows *w)
{
    const int64_t image = w->size[0] * w->size[1] * w->inner, windows = w->count[0] * w->count[1] * w->inner,
                  covered = 2 * w->count[0] * w->size[1] * w->inner;
    for (int64_t o = 0; o < w->outer; o++) {
        uint32_t *y = (uint32_t *)c->y.data + o * image;
        quad_put(quads_of(w), w->inner, y, (const int32_t *)c->x[1].data + o * windows,
                 (const uint32_t *)c->x[0].data + o * windows);
        memset(y + covered, 0, (size_t)(image - covered) * sizeof *y); /* a last row */
    }
}

/* ---- Positions in any windows --------------------------------------------------------------------------------- */

/* n elements of every channel, `apart` from each other, meet the best ones so far of n windows, or if `many` is 0 of one window.
 * There is none yet where the position is -1. */
typedef struct meeting {
    int64_t n, apart, many;
    int32_t first, step; /* positions of the elements */
} meeting;

TP__INLINED void meet_f32_of(meeting m, int64_t inner, float *restrict best, int32_t *restrict at,
                             const float *restrict x)
{
    for (int64_t j = 0; j < m.n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t window = j * m.many * inner + k;
            const float value = x[j * m.apart * inner + k], before = best[window];
            const bool better = (at[window] < 0) | (!(value <= before) & (before == before));
            best[window] = better ? value : before;
            at[window] = better ? m.first + (int32_t)j * m.step : at[window];
        }
}

TP__INLINED void meet_f64_of(meeting m, int64_t inner, double *restrict best, int32_t *restrict at,
                             const double *restrict x)
{
    for (int64_t j = 0; j < m.n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t window = j * m.many * inner + k;
            const double value = x[j * m.apart * inner + k], before = best[window];
            const bool better = (at[window] < 0) | (!(value <= before) & (before == before));
            best[window] = better ? value : before;
            at[window] = better ? m.first + (int32_t)j * m.step : at[window];
        }
}

/* Side by side, in blocks of a constant length, the last of which overlaps the one before rather than being shorter: nothing
 * changes when an element meets its window twice. */
TP__INLINED void meet_f32_in_blocks(meeting m, int64_t block, float *best, int32_t *at, const float *x)
{
    for (int64_t j = 0; j < m.n; j += block) {
        const int64_t from = tp__block_start(m.n, block, j);
        meet_f32_of((meeting){block, 1, 1, m.first + (int32_t)from * m.step, m.step}, 1, best + from,
                    at + from, x + from);
    }
}

TP_INSTRUCTION_SETS
static void meet_f32(meeting m, int64_t inner, float *best, int32_t *at, const float *x)
{
    if (inner == 16)
        meet_f32_of(m, 16, best, at, x);
    else if (inner == 8)
        meet_f32_of(m, 8, best, at, x);
    else if (inner > 1)
        meet_f32_of(m, inner, best, at, x);
    else if (m.many == 0)
        meet_f32_of((meeting){m.n, m.apart, 0, m.first, m.step}, 1, best, at, x);
    else if (m.apart == 1 && m.n >= 16)
        meet_f32_in_blocks(m, 16, best, at, x);
    else if (m.apart == 1 && m.n >= 4)
        meet_f32_in_blocks(m, 4, best, at, x);
    else
        meet_f32_of((meeting){m.n, m.apart, 1, m.first, m.step}, 1, best, at, x);
}

TP_INSTRUCTION_SETS
static void meet_f64(meeting m, int64_t inner, double *best, int32_t *at, const double *x)
{
    if (inner == 1 && m.many == 0)
        meet_f64_of((meeting){m.n, m.apart, 0, m.first, m.step}, 1, best, at, x);
    else if (inner == 1)
        meet_f64_of((meeting){m.n, m.apart, 1, m.first, m.step}, 1, best, at, x);
    else
        meet_f64_of(m, inner, best, at, x);
}

/* In one image, for the windows of a row. */
typedef struct search {
    const tp__windows *w;
    const tp_array *x;
    int64_t image;    /* its first element in x */
    void *best;       /* of every channel of every window */
    int32_t *at;      /* its position, in the result */
    float *separated; /* NULL, or room for the even elements of a row of the image, then the odd ones */
} search;

static void meet(const search *s, meeting m, int64_t window)
{
    const int64_t inner = s->w->inner, to = window * inner, from = s->image + m.first * inner;
    if (s->x->dtype == TP_F32)
        meet_f32(m, inner, (float *)s->best + to, s->at + to, (const float *)s->x->data + from);
    else
        meet_f64(m, inner, (double *)s->best + to, s->at + to, (const double *)s->x->data + from);
}

TP_INSTRUCTION_SETS
static void separate(int64_t n, float *restrict even, float *restrict odd, const float *restrict x)
{
    for (int64_t k = 0; k < n / 2; k++) {
        even[k] = x[2 * k];
        odd[k] = x[2 * k + 1];
    }
    if (n % 2 != 0)
        even[n / 2] = x[n - 1];
}

/* Row r of the image meets the windows, all of them at once. */
static void meet_by_taps(const search *s, int64_t r, const tp__taps *taps)
{
    const int64_t width = s->w->size[1], half = (width + 1) / 2;
    const int32_t stride = (int32_t)s->w->a->stride[1];

    if (s->separated != NULL)
        separate(width, s->separated, s->separated + half, (const float *)s->x->data + s->image + r * width);
    for (const tp__tap *t = taps->tap; t < taps->tap + taps->n; t++) {
        const int32_t first = (int32_t)(r * width + t->start);
        if (s->separated == NULL)
            meet(s, (meeting){t->n, stride, 1, first, stride}, t->first);
        else
            meet_f32((meeting){t->n, 1, 1, first, stride}, 1, (float *)s->best + t->first, s->at + t->first,
                     s->separated + t->start % 2 * half + t->start / 2);
    }
}

/* The windows of a row, all at once or, without taps, one by one. */
static void search_row(const search *s, tp__extent rows, const tp__taps *taps)
{
    const tp__pooling *a = s->w->a;
    const int64_t width = s->w->size[1], step = a->dilation[1];

    for (int64_t k = 0; k < s->w->count[1] * s->w->inner; k++)
        s->at[k] = -1;
    for (int64_t r = rows.start; r < rows.end && taps != NULL; r += a->dilation[0])
        meet_by_taps(s, r, taps);
    for (int64_t j = 0; j < s->w->count[1] && taps == NULL; j++) {
        const tp__extent columns = tp__window_extent(s->w, 1, j);
        const int64_t n = (columns.end - columns.start + step - 1) / step;
        for (int64_t r = rows.start; r < rows.end; r += a->dilation[0])
            meet(s, (meeting){n, step, 0, (int32_t)(r * width + columns.start), (int32_t)step}, j);
    }
}

size_t tp__position_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const tp__windows w = tp__windows_of(x_shape, attr);
    (void)n;
    return (size_t)(w.count[1] * w.inner + w.size[1] + 1) * sizeof(double);
}

tp_status tp__position_run(const tp_call *c)
{
    const tp__windows w = tp__windows_of(&c->x[0].shape, c->attr);
    const int64_t image = w.size[0] * w.size[1] * w.inner, windows = w.count[1] * w.inner;
    search s = {.w = &w, .x = &c->x[0], .best = c->scratch, .at = c->y.data};
    tp__taps taps;

    if (s.x->dtype == TP_F32 && tp__windows_are_quads(&w)) {
        find_in_quads(c, &w);
        return TP_OK;
    }
    memset(s.best, 0, (size_t)windows * sizeof(double)); /* it is read before it counts */
    if (s.x->dtype == TP_F32 && w.inner == 1 && w.a->stride[1] == 2)
        s.separated = (float *)c->scratch + windows;
    const bool at_once = tp__find_taps(&w, &taps);
    for (; s.image < w.outer * image; s.image += image)
        for (int64_t i = 0; i < w.count[0]; i++, s.at += windows)
            search_row(&s, tp__window_extent(&w, 0, i), at_once ? &taps : NULL);
    return TP_OK;
}

/* ---- Picked --------------------------------------------------------------------------------------------------- */

/* n windows on one image of `size` elements a channel. */
TP__INLINED void pick_4_of(int64_t n, int64_t inner, int64_t size, uint32_t *restrict y,
                           const uint32_t *restrict x, const int32_t *restrict at)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const uint32_t p = (uint32_t)at[j * inner + k];
            y[j * inner + k] = x[(p < size ? p : 0) * inner + k];
        }
}

static void pick_4(int64_t n, int64_t inner, int64_t size, uint32_t *y, const uint32_t *x, const int32_t *at)
{
    if (inner == 1)
        pick_4_of(n, 1, size, y, x, at);
    else
        pick_4_of(n, inner, size, y, x, at);
}

TP__INLINED void pick_8_of(int64_t n, int64_t inner, int64_t size, uint64_t *restrict y,
                           const uint64_t *restrict x, const int32_t *restrict at)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const uint32_t p = (uint32_t)at[j * inner + k];
            y[j * inner + k] = x[(p < size ? p : 0) * inner + k];
        }
}

static void pick_8(int64_t n, int64_t inner, int64_t size, uint64_t *y, const uint64_t *x, const int32_t *at)
{
    if (inner == 1)
        pick_8_of(n, 1, size, y, x, at);
    else
        pick_8_of(n, inner, size, y, x, at);
}

tp_status tp__pick_run(const tp_call *c)
{
    const tp__windows w = tp__windows_of(&c->x[0].shape, c->attr);
    const int64_t size = w.size[0] * w.size[1], n = w.count[0] * w.count[1];
    const int32_t *at = c->x[1].data;
    const bool narrow = tp_dtype_size(c->y.dtype) == sizeof(uint32_t);

    if (narrow && tp__windows_are_quads(&w)) {
        pick_from_quads(c, &w);
        return TP_OK;
    }
    for (int64_t o = 0; o < w.outer; o++, at += n * w.inner) {
        const int64_t from = o * size * w.inner, to = o * n * w.inner;
        if (narrow)
            pick_4(n, w.inner, size, (uint32_t *)c->y.data + to, (const uint32_t *)c->x[0].data + from, at);
        else
            pick_8(n, w.inner, size, (uint64_t *)c->y.data + to, (const uint64_t *)c->x[0].data + from, at);
    }
    return TP_OK;
}

/* ---- Put back: windows that lie apart ------------------------------------------------------------------------- */

/* n windows onto zeros: every element is written at most once. */
static void put_4(int64_t n, int64_t inner, int64_t size, uint32_t *y, const uint32_t *g, const int32_t *at)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const uint32_t p = (uint32_t)at[j * inner + k];
            if (p < size)
                y[p * inner + k] = g[j * inner + k];
        }
}

static void put_8(int64_t n, int64_t inner, int64_t size, uint64_t *y, const uint64_t *g, const int32_t *at)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const uint32_t p = (uint32_t)at[j * inner + k];
            if (p < size)
                y[p * inner + k] = g[j * inner + k];
        }
}

/* Row by row of windows, whose rows of the image are cleared right before, for the cache's sake. */
static void put_apart(const tp_call *c, const tp__windows *w)
{
    const int64_t size = w->size[0] * w->size[1], n = w->count[1] * w->inner, row = w->size[1] * w->inner;
    const size_t bytes = tp_dtype_size(c->y.dtype);
    const int32_t *at = c->x[1].data;

    for (int64_t o = 0, from = 0; o < w->outer; o++) {
        const int64_t to = o * size * w->inner;
        int64_t cleared = 0; /* rows */
        for (int64_t i = 0; i < w->count[0]; i++, from += n) {
            const int64_t end =
                i + 1 < w->count[0] ? tp__window_extent(w, 0, i).end : w->size[0]; /* the rest at last */
            memset((char *)c->y.data + (size_t)(to + cleared * row) * bytes, 0,
                   (size_t)((end - cleared) * row) * bytes);
            cleared = end;
            if (bytes == sizeof(uint32_t))
                put_4(w->count[1], w->inner, size, (uint32_t *)c->y.data + to,
                      (const uint32_t *)c->x[0].data + from, at + from);
            else
                put_8(w->count[1], w->inner, size, (uint64_t *)c->y.data + to,
                      (const uint64_t *)c->x[0].data + from, at + from);
        }
    }
}

/* ---- Put back: windows that overlap ----------------------------------------------------------------------------- */

/* Sums in double of some rows of an image: those from `base` on.  The rows of any window fit. */
typedef struct band {
    const tp__windows *w;
    double *sum;
    int64_t base, rows, row; /* row: its elements */
} band;

static int64_t rows_of_band(const tp__windows *w)
{
    enum { IN_CACHE = 1 << 12 }; /* elements */
    const int64_t row = w->size[1] * w->inner;
    const int64_t window = w->a->dilation[0] * (w->a->window[0] - 1) + 1;
    int64_t rows = row > 0 ? IN_CACHE / row : 1;
    if (rows < 2 * window) /* so that few are moved */
        rows = 2 * window;
    return rows < w->size[0] ? rows : w->size[0];
}

/* Rows up to `end` are done: into the result from `to` on; those after them move to the front. */
static void move_band(band *b, const tp_array *y, int64_t to, int64_t end)
{
    const int64_t done = end - b->base, summed = done < b->rows ? done : b->rows, kept = b->rows - summed;
    to += b->base * b->row;
    for (int64_t k = 0; k < summed * b->row; k++)
        tp__set(y->dtype, y->data, to + k, b->sum[k]);
    for (int64_t k = summed * b->row; k < done * b->row; k++) /* rows between windows */
        tp__set(y->dtype, y->data, to + k, 0);
    memmove(b->sum, b->sum + summed * b->row, (size_t)(kept * b->row) * sizeof *b->sum);
    memset(b->sum + kept * b->row, 0, (size_t)(summed * b->row) * sizeof *b->sum);
    b->base = end;
}

/* n windows; the sums are those of `size` elements of every channel from position `start` on. */
TP__INLINED void add_windows_of(tp_dtype dtype, int64_t n, int64_t inner, int64_t start, int64_t size,
                                double *restrict sum, const void *restrict g, const int32_t *restrict at)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const uint64_t p = (uint64_t)(at[j * inner + k] - start);
            if (p < (uint64_t)size)
                sum[(int64_t)p * inner + k] += tp__get(dtype, g, j * inner + k);
        }
}

/* One row of windows, from element `from` of g on. */
static void add_row(const band *b, const tp_call *c, int64_t from)
{
    const int64_t n = b->w->count[1], inner = b->w->inner, width = b->w->size[1], size = b->rows * width,
                  start = b->base * width;
    const int32_t *at = (const int32_t *)c->x[1].data + from;

    if (c->y.dtype == TP_F64)
        add_windows_of(TP_F64, n, inner, start, size, b->sum, (const double *)c->x[0].data + from, at);
    else if (inner == 1)
        add_windows_of(TP_F32, n, 1, start, size, b->sum, (const float *)c->x[0].data + from, at);
    else
        add_windows_of(TP_F32, n, inner, start, size, b->sum, (const float *)c->x[0].data + from, at);
}

/* Row by row of windows, in their order. */
static void put_sums(const tp_call *c, const tp__windows *w)
{
    band b = {.w = w, .sum = c->scratch, .rows = rows_of_band(w), .row = w->size[1] * w->inner};
    int64_t from = 0;

    memset(b.sum, 0, (size_t)(b.rows * b.row) * sizeof *b.sum);
    for (int64_t o = 0; o < w->outer; o++) {
        const int64_t to = o * w->size[0] * b.row;
        b.base = 0;
        for (int64_t i = 0; i < w->count[0]; i++, from += w->count[1] * w->inner) {
            const int64_t start = i * w->a->stride[0] - w->a->padding[0]; /* no later one reaches above it */
            if (tp__window_extent(w, 0, i).end > b.base + b.rows)
                move_band(&b, &c->y, to, start);
            add_row(&b, c, from);
        }
        move_band(&b, &c->y, to, w->size[0]);
    }
}

size_t tp__put_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const tp__windows w = tp__windows_back(x_shape, attr);
    (void)n;
    return tp__windows_are_apart(&w) ? 0 : (size_t)(rows_of_band(&w) * w.size[1] * w.inner) * sizeof(double);
}

tp_status tp__put_run(const tp_call *c)
{
    const tp__windows w = tp__windows_back(&c->x[0].shape, c->attr);

    if (!tp__windows_are_apart(&w))
        put_sums(c, &w);
    else if (c->y.dtype == TP_F32 && tp__windows_are_quads(&w))
        put_into_quads(c, &w);
    else
        put_apart(c, &w);
    return TP_OK;
}
