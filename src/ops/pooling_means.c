/* pooling_means.c -- means over windows; and their transpose, which gives every element its share of the windows over it.
 *
 * Both are sums along the height first, where what is added lies side by side, and then along the width: in double, from 0, in the
 * order of elements or windows.
 */
#include <string.h>

#include "matrices.h"
#include "pooling.h"

/* ---- Windows of 2 x 2: a row of them at once -------------------------------------------------------------------- */

/* Window j lies on two rows, a and b, 2 j elements from their starts. */
TP__INLINED double quad_mean(tp_dtype dtype, const void *a, const void *b, int64_t e, int64_t inner)
{
    const double left = 0.0 + tp__get(dtype, a, e) + tp__get(dtype, b, e),
                 right = 0.0 + tp__get(dtype, a, e + inner) + tp__get(dtype, b, e + inner);
    return (left + right) / 4;
}

/* Of plain images: `length` neighbours at once. */
TP__INLINED void quad_means_by(int64_t length, int64_t n, float *restrict y, const float *restrict a,
                               const float *restrict b)
{
    for (int64_t j = 0; j < n; j += length) {
        const int64_t start = tp__block_start(n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) y[i] =
            (float)quad_mean(TP_F32, a, b, 2 * i, 1);
    }
}

TP__INLINED void quad_means_of(tp_dtype dtype, int64_t inner, int64_t n, void *restrict y,
                               const void *restrict a, const void *restrict b)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++)
            tp__set(dtype, y, j * inner + k, quad_mean(dtype, a, b, 2 * j * inner + k, inner));
}

TP_INSTRUCTION_SETS
static void quad_means(tp_dtype dtype, int64_t inner, int64_t n, void *y, const void *a, const void *b)
{
    if (dtype == TP_F64)
        quad_means_of(TP_F64, inner, n, y, a, b);
    else if (inner == 16)
        quad_means_of(TP_F32, 16, n, y, a, b);
    else if (inner == 8)
        quad_means_of(TP_F32, 8, n, y, a, b);
    else if (inner > 1)
        quad_means_of(TP_F32, inner, n, y, a, b);
    else if (n >= 16)
        quad_means_by(16, n, y, a, b);
    else if (n >= 8)
        quad_means_by(8, n, y, a, b);
    else if (n >= 4)
        quad_means_by(4, n, y, a, b);
    else
        quad_means_by(1, n, y, a, b);
}

TP__INLINED double quad_share(tp_dtype dtype, const void *g, int64_t e)
{
    return 0.0 + tp__get(dtype, g, e) / 4;
}

TP__INLINED void quad_shares_by(int64_t length, int64_t n, float *restrict a, float *restrict b,
                                const float *restrict g)
{
    for (int64_t j = 0; j < n; j += length) {
        const int64_t start = tp__block_start(n, length, j);
        TP_SIMD_ for (int64_t i = start; i < start + length; i++) a[2 * i] = a[2 * i + 1] = b[2 * i] =
            b[2 * i + 1] = (float)quad_share(TP_F32, g, i);
    }
}

TP__INLINED void quad_shares_of(tp_dtype dtype, int64_t inner, int64_t n, void *restrict a, void *restrict b,
                                const void *restrict g)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++) {
            const int64_t e = 2 * j * inner + k;
            const double share = quad_share(dtype, g, j * inner + k);
            tp__set(dtype, a, e, share);
            tp__set(dtype, a, e + inner, share);
            tp__set(dtype, b, e, share);
            tp__set(dtype, b, e + inner, share);
        }
}

TP_INSTRUCTION_SETS
static void quad_shares(tp_dtype dtype, int64_t inner, int64_t n, void *a, void *b, const void *g)
{
    if (dtype == TP_F64)
        quad_shares_of(TP_F64, inner, n, a, b, g);
    else if (inner == 16)
        quad_shares_of(TP_F32, 16, n, a, b, g);
    else if (inner == 8)
        quad_shares_of(TP_F32, 8, n, a, b, g);
    else if (inner > 1)
        quad_shares_of(TP_F32, inner, n, a, b, g);
    else if (n >= 16)
        quad_shares_by(16, n, a, b, g);
    else if (n >= 8)
        quad_shares_by(8, n, a, b, g);
    else if (n >= 4)
        quad_shares_by(4, n, a, b, g);
    else
        quad_shares_by(1, n, a, b, g);
}

static char *element(const tp_array *x, int64_t i)
{
    return (char *)x->data + (size_t)i * tp_dtype_size(x->dtype);
}

static void mean_of_quads(const tp_call *c, const tp__windows *w)
{
    const int64_t row = w->size[1] * w->inner, windows = w->count[1] * w->inner;
    for (int64_t o = 0; o < w->outer; o++)
        for (int64_t i = 0; i < w->count[0]; i++) {
            const char *x = element(&c->x[0], (o * w->size[0] + 2 * i) * row);
            quad_means(c->y.dtype, w->inner, w->count[1], element(&c->y, (o * w->count[0] + i) * windows), x,
                       x + (size_t)row * tp_dtype_size(c->y.dtype));
        }
}

static void share_by_quads(const tp_call *c, const tp__windows *w)
{
    const int64_t row = w->size[1] * w->inner, windows = w->count[1] * w->inner;
    const size_t size = tp_dtype_size(c->y.dtype), uncovered = (size_t)(row - 2 * windows) * size;

    for (int64_t o = 0; o < w->outer; o++) {
        for (int64_t i = 0; i < w->count[0]; i++) {
            char *a = element(&c->y, (o * w->size[0] + 2 * i) * row), *b = a + (size_t)row * size;
            quad_shares(c->y.dtype, w->inner, w->count[1], a, b,
                        element(&c->x[0], (o * w->count[0] + i) * windows));
            memset(b - uncovered, 0, uncovered); /* a last column that is in no window */
            memset(b + (size_t)row * size - uncovered, 0, uncovered);
        }
        for (int64_t i = 2 * w->count[0]; i < w->size[0]; i++) /* a last row */
            memset(element(&c->y, (o * w->size[0] + i) * row), 0, (size_t)row * size);
    }
}

/* ---- Lines of sums ---------------------------------------------------------------------------------------------- */

TP__INLINED void add_rows_of(tp_dtype dtype, int64_t rows, int64_t n, double *restrict sum,
                             const void *restrict x)
{
    for (int64_t k = 0; k < n; k++) {
        double s = sum[k];
        for (int64_t r = 0; r < rows; r++)
            s += tp__get(dtype, x, r * n + k);
        sum[k] = s;
    }
}

/* sum += x, of one row or of two, one below the other. */
TP_INSTRUCTION_SETS
static void add_rows(tp_dtype dtype, int64_t rows, int64_t n, double *sum, const void *x)
{
    if (dtype == TP_F32 && rows == 2)
        add_rows_of(TP_F32, 2, n, sum, x);
    else if (dtype == TP_F32)
        add_rows_of(TP_F32, rows, n, sum, x);
    else
        add_rows_of(TP_F64, rows, n, sum, x);
}

TP__INLINED void add_apart_of(int64_t n, int64_t inner, int64_t to, int64_t from, double *restrict sum,
                              const double *restrict x)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++)
            sum[j * to * inner + k] += x[j * from * inner + k];
}

/* Elements of x, `from` apart, are added to sums, `to` apart; 0: to one and the same, or one and the same. */
TP_INSTRUCTION_SETS
static void add_apart(int64_t n, int64_t inner, int64_t to, int64_t from, double *sum, const double *x)
{
    if (inner == 16)
        add_apart_of(n, 16, to, from, sum, x);
    else if (inner == 8)
        add_apart_of(n, 8, to, from, sum, x);
    else if (inner > 1)
        add_apart_of(n, inner, to, from, sum, x);
    else if (to == 1 && from == 1)
        add_apart_of(n, 1, 1, 1, sum, x);
    else if (to == 1 && from == 2)
        add_apart_of(n, 1, 1, 2, sum, x);
    else if (to == 1 && from == 0)
        add_apart_of(n, 1, 1, 0, sum, x);
    else if (to == 0)
        add_apart_of(n, 1, 0, from, sum, x);
    else
        add_apart_of(n, 1, to, from, sum, x);
}

TP__INLINED void divide_of(tp_dtype dtype, int64_t n, int64_t inner, void *restrict y,
                           const double *restrict sum, const double *restrict divisor, double by)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++)
            tp__set(dtype, y, j * inner + k, sum[j * inner + k] / (by * divisor[j]));
}

/* y = sum / divisor */
TP_INSTRUCTION_SETS
static void divide(tp_dtype dtype, int64_t n, int64_t inner, void *y, const double *sum,
                   const double *divisor, double by)
{
    if (dtype == TP_F64)
        divide_of(TP_F64, n, inner, y, sum, divisor, by);
    else if (inner == 1)
        divide_of(TP_F32, n, 1, y, sum, divisor, by);
    else if (inner == 8)
        divide_of(TP_F32, n, 8, y, sum, divisor, by);
    else if (inner == 16)
        divide_of(TP_F32, n, 16, y, sum, divisor, by);
    else
        divide_of(TP_F32, n, inner, y, sum, divisor, by);
}

TP__INLINED void add_quotients_of(tp_dtype dtype, int64_t n, int64_t inner, double *restrict sum,
                                  const void *restrict x, const double *restrict divisor, double by)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < inner; k++)
            sum[j * inner + k] += tp__get(dtype, x, j * inner + k) / (by * divisor[j]);
}

/* sum += x / divisor */
TP_INSTRUCTION_SETS
static void add_quotients(tp_dtype dtype, int64_t n, int64_t inner, double *sum, const void *x,
                          const double *divisor, double by)
{
    if (dtype == TP_F64)
        add_quotients_of(TP_F64, n, inner, sum, x, divisor, by);
    else if (inner == 1)
        add_quotients_of(TP_F32, n, 1, sum, x, divisor, by);
    else if (inner == 8)
        add_quotients_of(TP_F32, n, 8, sum, x, divisor, by);
    else if (inner == 16)
        add_quotients_of(TP_F32, n, 16, sum, x, divisor, by);
    else
        add_quotients_of(TP_F32, n, inner, sum, x, divisor, by);
}

TP__INLINED void store_of(tp_dtype dtype, int64_t n, void *restrict y, const double *restrict sum)
{
    for (int64_t k = 0; k < n; k++)
        tp__set(dtype, y, k, sum[k]);
}

TP_INSTRUCTION_SETS
static void store(tp_dtype dtype, int64_t n, void *y, const double *sum)
{
    if (dtype == TP_F32)
        store_of(TP_F32, n, y, sum);
    else
        store_of(TP_F64, n, y, sum);
}

/* ---- Any windows -------------------------------------------------------------------------------------------------- */

/* What a window is divided by is a product of two: by how many rows and by how many columns. */
static double divisor_along(const tp__windows *w, int axis, int64_t i)
{
    const tp__pooling *a = w->a;
    const tp__extent e = tp__window_extent(w, axis, i);
    const int64_t start = i * a->stride[axis] - a->padding[axis], past = w->size[axis] + a->padding[axis],
                  end = start + a->window[axis];
    return (double)(a->only_true ? e.end - e.start : (end < past ? end : past) - start);
}

/* Lines, an element for each channel of a block: of each window of a row, and of each column of the image. */
typedef struct lines {
    tp__windows w;
    tp__taps taps;
    bool at_once;         /* a row of windows is taken by taps */
    int64_t row, windows; /* elements of a line of the image, of the windows */
    double *divisor;      /* of the columns of each window */
    double *by_window, *by_column;
} lines;

static size_t lines_size(const tp__windows *w)
{
    return (size_t)(w->count[1] + (w->count[1] + w->size[1]) * w->inner) * sizeof(double);
}

static void make_lines(lines *l, const tp__windows *w, double *scratch)
{
    l->w = *w;
    l->at_once = tp__find_taps(w, &l->taps);
    l->row = w->size[1] * w->inner;
    l->windows = w->count[1] * w->inner;
    l->divisor = scratch;
    l->by_window = scratch + w->count[1];
    l->by_column = l->by_window + l->windows;
    for (int64_t j = 0; j < w->count[1]; j++)
        l->divisor[j] = divisor_along(w, 1, j);
}

static void clear(double *line, int64_t n)
{
    memset(line, 0, (size_t)n * sizeof *line);
}

/* Each window's sum of its columns. */
static void gather_columns(const lines *l)
{
    const int64_t inner = l->w.inner;

    clear(l->by_window, l->windows);
    for (int64_t k = 0; k < l->taps.n && l->at_once; k++) {
        const tp__tap t = l->taps.tap[k];
        add_apart(t.n, inner, 1, l->w.a->stride[1], l->by_window + t.first * inner,
                  l->by_column + t.start * inner);
    }
    for (int64_t j = 0; j < l->w.count[1] && !l->at_once; j++) {
        const tp__extent e = tp__window_extent(&l->w, 1, j);
        add_apart(e.end - e.start, inner, 0, 1, l->by_window + j * inner, l->by_column + e.start * inner);
    }
}

/* The transpose.  Of the windows over an element, the first has it as its last tap. */
static void scatter_windows(const lines *l)
{
    const int64_t inner = l->w.inner;

    clear(l->by_column, l->row);
    for (int64_t k = l->taps.n - 1; k >= 0 && l->at_once; k--) {
        const tp__tap t = l->taps.tap[k];
        add_apart(t.n, inner, l->w.a->stride[1], 1, l->by_column + t.start * inner,
                  l->by_window + t.first * inner);
    }
    for (int64_t j = 0; j < l->w.count[1] && !l->at_once; j++) {
        const tp__extent e = tp__window_extent(&l->w, 1, j);
        add_apart(e.end - e.start, inner, 1, 0, l->by_column + e.start * inner, l->by_window + j * inner);
    }
}

static void mean_row(const lines *l, const tp_call *c, int64_t outer, int64_t i)
{
    const tp__extent rows = tp__window_extent(&l->w, 0, i);

    clear(l->by_column, l->row);
    for (int64_t r = rows.start; r < rows.end; r += 2)
        add_rows(c->y.dtype, rows.end - r < 2 ? 1 : 2, l->row, l->by_column,
                 element(&c->x[0], (outer * l->w.size[0] + r) * l->row));
    gather_columns(l);
    divide(c->y.dtype, l->w.count[1], l->w.inner, element(&c->y, (outer * l->w.count[0] + i) * l->windows),
           l->by_window, l->divisor, divisor_along(&l->w, 0, i));
}

size_t tp__mean_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const tp__windows w = tp__windows_of(x_shape, attr);
    (void)n;
    return lines_size(&w);
}

tp_status tp__mean_run(const tp_call *c)
{
    const tp__windows w = tp__windows_of(&c->x[0].shape, c->attr);
    lines l;

    if (tp__windows_are_quads(&w)) {
        mean_of_quads(c, &w);
        return TP_OK;
    }
    make_lines(&l, &w, c->scratch);
    for (int64_t o = 0; o < w.outer; o++)
        for (int64_t i = 0; i < w.count[0]; i++)
            mean_row(&l, c, o, i);
    return TP_OK;
}

/* ---- The transpose ------------------------------------------------------------------------------------------------ */

/* The rows of windows over row r. */
static tp__extent windows_over(const tp__windows *w, int64_t r)
{
    const int64_t stride = w->a->stride[0], from = r + w->a->padding[0] - w->a->window[0] + 1;
    tp__extent e = {from <= 0 ? 0 : (from + stride - 1) / stride, (r + w->a->padding[0]) / stride + 1};
    if (e.end > w->count[0])
        e.end = w->count[0];
    return e;
}

static void share_row(const lines *l, const tp_call *c, int64_t outer, tp__extent over, char *y)
{
    clear(l->by_window, l->windows);
    for (int64_t i = over.start; i < over.end; i++)
        add_quotients(c->y.dtype, l->w.count[1], l->w.inner, l->by_window,
                      element(&c->x[0], (outer * l->w.count[0] + i) * l->windows), l->divisor,
                      divisor_along(&l->w, 0, i));
    scatter_windows(l);
    store(c->y.dtype, l->row, y, l->by_column);
}

size_t tp__share_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const tp__windows w = tp__windows_back(x_shape, attr);
    (void)n;
    return lines_size(&w);
}

tp_status tp__share_run(const tp_call *c)
{
    const tp__windows w = tp__windows_back(&c->x[0].shape, c->attr);
    lines l;

    if (tp__windows_are_quads(&w)) {
        share_by_quads(c, &w);
        return TP_OK;
    }
    make_lines(&l, &w, c->scratch);
    const size_t bytes = (size_t)l.row * tp_dtype_size(c->y.dtype);
    for (int64_t o = 0; o < w.outer; o++) {
        tp__extent before = {-1, -1};
        for (int64_t r = 0; r < w.size[0]; r++) {
            const tp__extent over = windows_over(&w, r);
            char *y = element(&c->y, (o * w.size[0] + r) * l.row);
            if (over.start == before.start && over.end == before.end)
                memcpy(y, y - bytes, bytes); /* the same windows */
            else
                share_row(&l, c, o, over, y);
            before = over;
        }
    }
    return TP_OK;
}
