/* convolution_kernels.c -- convolutions as matrix products by CBLAS.
 *
 * For a group of channels of one image, the patches that the kernel sees are the columns of a matrix
 * [channels * kernel, places]: the result is the weight times it.  Columns are made for a few rows of places at a time, so
 * that they are still in the cache when the product reads them.  A kernel of one element that moves by one has the images
 * themselves for columns.
 *
 * Images are taken in order, blocks from the top: sums over them do not depend on threads other than the BLAS's.
 */
#include <cblas.h>
#include <string.h>

#include "convolution.h"

/* ---- Geometry ------------------------------------------------------------------------------------------ */

typedef struct geometry {
    int64_t images, groups;
    int64_t in, out; /* channels of one group */
    int64_t h, w, kh, kw, ho, wo;
    const tp__convolution *a;
    int64_t depth;     /* rows of the columns' matrix: in * kh * kw */
    int64_t places;    /* its columns in all: ho * wo */
    int64_t rows;      /* rows of places made at once */
    bool is_pointwise; /* the images are the columns */
} geometry;

static geometry geometry_of(const tp__convolution_parts *p, const tp__convolution *a)
{
    enum { IN_CACHE = 1 << 16 }; /* elements */
    geometry g = {.images = p->images.dim[0],
                  .groups = a->groups,
                  .in = p->weight.dim[1],
                  .out = p->weight.dim[0] / a->groups,
                  .h = p->images.dim[2],
                  .w = p->images.dim[3],
                  .kh = p->weight.dim[2],
                  .kw = p->weight.dim[3],
                  .ho = p->result.dim[2],
                  .wo = p->result.dim[3],
                  .a = a};
    g.depth = g.in * g.kh * g.kw;
    g.places = g.ho * g.wo;
    g.is_pointwise = g.kh == 1 && g.kw == 1 && a->stride[0] == 1 && a->stride[1] == 1 && a->padding[0] == 0 &&
                     a->padding[1] == 0;
    const int64_t one = g.depth * g.wo, rows = one > 0 ? IN_CACHE / one : 1;
    g.rows = g.is_pointwise || rows > g.ho ? g.ho : rows < 1 ? 1 : rows;
    return g;
}

/* Room for the columns of one block, in f64. */
static size_t scratch_for(tp__convolution_role role, const tp_shape *x_shape, const tp__convolution *a)
{
    const tp__convolution_parts p = tp__convolution_shapes(role, x_shape, a);
    const geometry g = geometry_of(&p, a);
    return g.is_pointwise ? 0 : (size_t)(g.depth * g.rows * g.wo) * sizeof(double);
}

size_t tp__convolve_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return scratch_for(TP__CONVOLUTION, x_shape, attr);
}

size_t tp__convolve_images_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return scratch_for(TP__CONVOLUTION_IMAGES, x_shape, attr);
}

size_t tp__convolve_weight_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n;
    return scratch_for(TP__CONVOLUTION_WEIGHT, x_shape, attr);
}

/* Element i of an array. */
static void *at(const tp_array *x, int64_t i)
{
    return (char *)x->data + (size_t)i * tp_dtype_size(x->dtype);
}

/* The places first .. last - 1 of a row whose element k of the kernel falls on the image. */
typedef struct span {
    int64_t first, last;
    int64_t start; /* where the first one falls */
} span;

static span span_of(const geometry *g, int64_t k)
{
    const int64_t stride = g->a->stride[1], shift = k * g->a->dilation[1] - g->a->padding[1];
    span s = {.first = shift < 0 ? (-shift + stride - 1) / stride : 0,
              .last = shift < g->w ? (g->w - shift + stride - 1) / stride : 0};
    if (s.last > g->wo)
        s.last = g->wo;
    if (s.first > s.last)
        s.first = s.last;
    s.start = s.first * stride + shift;
    return s;
}

/* The image's row that element k of the kernel meets at a row of places; outside [0, h) in the padding. */
static int64_t image_row(const geometry *g, int64_t row, int64_t k)
{
    return row * g->a->stride[0] - g->a->padding[0] + k * g->a->dilation[0];
}

/* ---- Columns -------------------------------------------------------------------------------------------- */

/* n elements of x, `stride` apart. */
static void copy_line(char *to, const char *from, int64_t n, int64_t stride, size_t size)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)n * size);
    } else if (size == sizeof(uint32_t)) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)to)[i] = ((const uint32_t *)(const void *)from)[i * stride];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)to)[i] = ((const uint64_t *)(const void *)from)[i * stride];
    }
}

/* One row of the matrix: what element (ky, kx) of the kernel meets in one channel, at `rows` rows of places from `row`. */
static char *make_line(const geometry *g, char *to, const char *channel, int64_t ky, span s, int64_t row,
                       int64_t rows, size_t size)
{
    const size_t before = (size_t)s.first * size, after = (size_t)(g->wo - s.last) * size,
                 line = (size_t)g->wo * size;
    for (int64_t r = row; r < row + rows; r++, to += line) {
        const int64_t y = image_row(g, r, ky);
        if (y < 0 || y >= g->h || s.first == s.last) {
            memset(to, 0, line);
            continue;
        }
        memset(to, 0, before);
        copy_line(to + before, channel + (size_t)(y * g->w + s.start) * size, s.last - s.first,
                  g->a->stride[1], size);
        memset(to + line - after, 0, after);
    }
    return to;
}

static void make_columns(const geometry *g, char *to, const char *x, int64_t row, int64_t rows, size_t size)
{
    for (int64_t c = 0; c < g->in; c++, x += (size_t)(g->h * g->w) * size)
        for (int64_t ky = 0; ky < g->kh; ky++)
            for (int64_t kx = 0; kx < g->kw; kx++)
                to = make_line(g, to, x, ky, span_of(g, kx), row, rows, size);
}

/* y[i * stride] += x[i] */
static void add_line(tp_dtype dtype, void *y, const void *x, int64_t n, int64_t stride)
{
    if (dtype == TP_F32 && stride == 1)
        for (int64_t i = 0; i < n; i++)
            ((float *)y)[i] += ((const float *)x)[i];
    else if (dtype == TP_F32)
        for (int64_t i = 0; i < n; i++)
            ((float *)y)[i * stride] += ((const float *)x)[i];
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)y)[i * stride] += ((const double *)x)[i];
}

/* The transpose of make_columns: what it copied from an element is added to that. */
static void add_columns(const geometry *g, tp_array *y, int64_t start, const char *from, int64_t row,
                        int64_t rows)
{
    const size_t size = tp_dtype_size(y->dtype);
    for (int64_t c = 0; c < g->in; c++, start += g->h * g->w)
        for (int64_t ky = 0; ky < g->kh; ky++)
            for (int64_t kx = 0; kx < g->kw; kx++) {
                const span s = span_of(g, kx);
                for (int64_t r = row; r < row + rows; r++, from += (size_t)g->wo * size) {
                    const int64_t at_row = image_row(g, r, ky);
                    if (at_row >= 0 && at_row < g->h && s.first < s.last)
                        add_line(y->dtype, at(y, start + at_row * g->w + s.start),
                                 from + (size_t)s.first * size, s.last - s.first, g->a->stride[1]);
                }
            }
}

/* ---- Products ------------------------------------------------------------------------------------------- */

/* c = op(a) op(b), or added to c; matrices are row-major with rows `lda`, `ldb`, `ldc` apart. */
typedef struct product {
    bool transpose_a, transpose_b, add;
    int64_t m, n, k, lda, ldb, ldc;
} product;

static void multiply(tp_dtype dtype, const product *p, const void *a, const void *b, void *c)
{
    const CBLAS_TRANSPOSE ta = p->transpose_a ? CblasTrans : CblasNoTrans,
                          tb = p->transpose_b ? CblasTrans : CblasNoTrans;
    const int m = (int)p->m, n = (int)p->n, k = (int)p->k, lda = (int)p->lda, ldb = (int)p->ldb,
              ldc = (int)p->ldc;
    if (dtype == TP_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, p->add ? 1 : 0, c, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, p->add ? 1 : 0, c, ldc);
}

/* ---- The loops over images, groups and blocks ------------------------------------------------------------- */

typedef struct block {
    int64_t image;     /* where its channels begin */
    int64_t weight;    /* of the group: its first element */
    int64_t result;    /* the first element of its places in the group's first channel */
    int64_t row, rows; /* of places */
    int64_t columns;   /* rows * wo */
    bool first;        /* of all blocks of its group */
} block;

typedef void (*block_kernel)(const tp_call *c, const geometry *g, const block *b);

static void for_each_block(const tp_call *c, const geometry *g, block_kernel run)
{
    for (int64_t i = 0; i < g->images; i++)
        for (int64_t group = 0; group < g->groups; group++)
            for (int64_t row = 0; row < g->ho; row += g->rows) {
                const int64_t rows = g->ho - row < g->rows ? g->ho - row : g->rows,
                              number = i * g->groups + group;
                run(c, g,
                    &(block){.image = number * g->in * g->h * g->w,
                             .weight = group * g->out * g->depth,
                             .result = number * g->out * g->places + row * g->wo,
                             .row = row,
                             .rows = rows,
                             .columns = rows * g->wo,
                             .first = i == 0 && row == 0});
            }
}

/* The columns of a block, made in the scratch, or the images. */
static const void *columns_of(const tp_call *c, const geometry *g, const block *b, const tp_array *images)
{
    if (g->is_pointwise)
        return at(images, b->image);
    make_columns(g, c->scratch, at(images, b->image), b->row, b->rows, tp_dtype_size(images->dtype));
    return c->scratch;
}

/* result = weight columns */
static void convolve_block(const tp_call *c, const geometry *g, const block *b)
{
    const product p = {
        .m = g->out, .n = b->columns, .k = g->depth, .lda = g->depth, .ldb = b->columns, .ldc = g->places};
    multiply(c->y.dtype, &p, at(&c->x[1], b->weight), columns_of(c, g, b, &c->x[0]), at(&c->y, b->result));
}

/* columns = weight^T result */
static void convolve_images_block(const tp_call *c, const geometry *g, const block *b)
{
    const product p = {.transpose_a = true,
                       .m = g->depth,
                       .n = b->columns,
                       .k = g->out,
                       .lda = g->depth,
                       .ldb = g->places,
                       .ldc = b->columns};
    void *columns = g->is_pointwise ? at(&c->y, b->image) : c->scratch;
    tp_array y = c->y;
    multiply(y.dtype, &p, at(&c->x[1], b->weight), at(&c->x[0], b->result), columns);
    if (!g->is_pointwise)
        add_columns(g, &y, b->image, columns, b->row, b->rows);
}

/* weight = sum of result columns^T */
static void convolve_weight_block(const tp_call *c, const geometry *g, const block *b)
{
    const product p = {.transpose_b = true,
                       .add = !b->first,
                       .m = g->out,
                       .n = g->depth,
                       .k = b->columns,
                       .lda = g->places,
                       .ldb = b->columns,
                       .ldc = g->depth};
    multiply(c->y.dtype, &p, at(&c->x[1], b->result), columns_of(c, g, b, &c->x[0]), at(&c->y, b->weight));
}

static tp_status run(const tp_call *c, tp__convolution_role role, block_kernel kernel)
{
    const tp_shape shapes[2] = {c->x[0].shape, c->x[1].shape};
    const tp__convolution_parts p = tp__convolution_shapes(role, shapes, c->attr);
    const geometry g = geometry_of(&p, c->attr);

    const bool is_empty = g.images == 0 || g.depth == 0 || g.out == 0; /* no library is called with zeros */
    if (is_empty || (role == TP__CONVOLUTION_IMAGES && !g.is_pointwise))
        memset(c->y.data, 0, (size_t)tp_shape_count(c->y.shape) * tp_dtype_size(c->y.dtype));
    if (!is_empty)
        for_each_block(c, &g, kernel);
    return TP_OK;
}

tp_status tp__convolve(const tp_call *c)
{
    return run(c, TP__CONVOLUTION, convolve_block);
}

tp_status tp__convolve_images(const tp_call *c)
{
    return run(c, TP__CONVOLUTION_IMAGES, convolve_images_block);
}

tp_status tp__convolve_weight(const tp_call *c)
{
    return run(c, TP__CONVOLUTION_WEIGHT, convolve_weight_block);
}
