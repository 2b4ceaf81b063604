/* convolution.c -- a convolution and its two gradients, images and adjoint given and all results wanted as the tape stores them,
 * beside the bare convolutions of the same sizes (bare.h). */
#include "bare.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <cblas.h>

typedef struct shapes {
    const char *name;
    int images, in, out, size, kernel; /* square; padded to keep the size */
} shapes;

static const shapes all_shapes[] = {
    {"conv2d 3->32 128x128 3x3", 8, 3, 32, 128, 3},
    {"conv2d 32->64 64x64 3x3", 8, 32, 64, 64, 3},
    {"conv2d 64->64 64x64 1x1", 8, 64, 64, 64, 1},
};

typedef struct setup {
    const shapes *of;
    tp_tape *tape;
    tp_program *program;
    tp_tensor output[3]; /* y, dx, dw */
    const float *x, *w;
    float *columns, *y; /* of one image */
    int64_t depth, places;
    bare *bare;
} setup;

/* ---- By hand ------------------------------------------------------------------------------------------- */

static void run_bare(void *state)
{
    bare_run(((setup *)state)->bare);
}

/* The columns of one image, the slow way. */
static void make_columns(const setup *s, int image)
{
    const int n = s->of->size, k = s->of->kernel;
    float *to = s->columns;
    for (int c = 0; c < s->of->in; c++)
        for (int e = 0; e < k * k; e++)
            for (int p = 0; p < n * n; p++) {
                const int i = p / n + e / k - k / 2, j = p % n + e % k - k / 2;
                const bool inside = i >= 0 && i < n && j >= 0 && j < n;
                *to++ = inside ? s->x[((int64_t)(image * s->of->in + c) * n + i) * n + j] : 0;
            }
}

/* The result of the last image beside a product of matrices. */
static bool agrees(suite *b, const setup *s)
{
    const int64_t count = s->of->out * s->places;
    const float *y = tp_values(s->output[0], TP_F32);
    make_columns(s, s->of->images - 1);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->of->out, (int)s->places, (int)s->depth, 1, s->w,
                (int)s->depth, s->columns, (int)s->places, 0, s->y, (int)s->places);
    return bench_agree_f32(b, s->of->name, "convolution", count, y + (s->of->images - 1) * count, s->y, 1e-5);
}

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static void record(setup *s)
{
    const shapes *p = s->of;
    const int64_t half = p->kernel / 2;
    const tp_tensor wrt[] = {bench_leaf(s->tape, TP_SHAPE(p->images, p->in, p->size, p->size), 1, &s->x),
                             bench_leaf(s->tape, TP_SHAPE(p->out, p->in, p->kernel, p->kernel), 2, &s->w)};
    s->output[0] =
        tp_conv2d(wrt[0], wrt[1], (tp_tensor){0}, &(tp_convolution_options){.padding = {half, half}});
    const float *adjoint;
    const tp_tensor g = bench_leaf(s->tape, tp_shape_of(s->output[0]), 3, &adjoint);
    tp_vector_jacobian(s->output[0], g, wrt, 2, s->output + 1, NULL);
}

static void run_case(suite *b, const shapes *of, int threads)
{
    setup s = {.of = of};
    if (!bench_wants(b, of->name, of->images, threads))
        return;
    bench_threads(threads);
    bench_blas_threads(threads);
    s.tape = tp_tape_create(NULL);
    record(&s);
    s.depth = (int64_t)of->in * of->kernel * of->kernel;
    s.places = (int64_t)of->size * of->size;
    s.columns = bench_allocate((size_t)(s.depth * s.places) * sizeof(float));
    s.y = bench_allocate((size_t)(of->out * s.places) * sizeof(float));
    s.bare = bare_create(&(bare_shape){of->images, of->in, of->out, of->size, of->kernel, true}, 1);
    s.program = bench_compile(b, of->name, s.output, 3);
    const size_t bytes =
        sizeof(float) * ((size_t)(of->images * (of->in + of->out) * s.places) + (size_t)(of->out * s.depth));
    if (s.program != NULL && agrees(b, &s))
        bench_row(b, &(row){.name = of->name,
                            .dtype = "f32",
                            .n = of->images,
                            .threads = threads,
                            .hand = run_bare,
                            .state = &s,
                            .program = s.program,
                            .leaves = bytes,
                            .outputs = bytes});
    tp_program_destroy(s.program);
    tp_tape_destroy(s.tape);
    free(s.columns);
    free(s.y);
    bare_destroy(s.bare);
}

void bench_convolution(suite *s)
{
    for (size_t i = 0; i < sizeof all_shapes / sizeof *all_shapes; i++)
        for (int threads = 1; threads <= 2; threads++)
            run_case(s, &all_shapes[i], threads);
}
