/* bare.c -- bare convolutions, by oneDNN or by the CBLAS. */
#include "bare.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 4 };

static void *must(void *made)
{
    if (made == NULL) {
        fprintf(stderr, "bench: a bare convolution cannot be made\n");
        exit(1);
    }
    return made;
}

#ifdef BENCH_ONEDNN

/* ---- oneDNN -------------------------------------------------------------------------------------------- */

#include <oneapi/dnnl/dnnl.h>

#define TEXT_OF_(...) #__VA_ARGS__
#define TEXT_OF(...)  TEXT_OF_(__VA_ARGS__)

enum { ARGUMENTS = 3 };

typedef struct call {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[ARGUMENTS];
} call;

struct bare {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int calls;
    call call[3 * MOST];
};

static void require(dnnl_status_t status)
{
    must(status == dnnl_success ? (void *)&bench_sink : NULL);
}

/* Memory of its own in the layout that the primitive asks for, filled with numbers of an ordinary size. */
static dnnl_exec_arg_t argument_of(const bare *b, const_dnnl_primitive_desc_t description, dnnl_query_t what,
                                   int name)
{
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(description, what, 0);
    dnnl_exec_arg_t argument = {.arg = name};
    void *data = NULL;

    require(dnnl_memory_create(&argument.memory, layout, b->engine, DNNL_MEMORY_ALLOCATE));
    require(dnnl_memory_get_data_handle(argument.memory, &data));
    bench_fill(data, (int64_t)(dnnl_memory_desc_get_size(layout) / sizeof(float)), -1, 1, (uint64_t)name);
    return argument;
}

/* The three roles of a convolution: which memories are its arguments. */
typedef struct role {
    dnnl_query_t what[ARGUMENTS];
    int name[ARGUMENTS];
} role;

static const role forward = {{dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
                             {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}},
                  by_weight = {{dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md},
                               {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}},
                  by_images = {{dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
                               {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}};

static dnnl_primitive_desc_t add_call(bare *b, const role *r, const dnnl_convolution_desc_t *convolution,
                                      dnnl_primitive_desc_t hint)
{
    call *c = &b->call[b->calls++];
    dnnl_primitive_desc_t description;

    require(dnnl_primitive_desc_create(&description, convolution, NULL, b->engine, hint));
    for (int k = 0; k < ARGUMENTS; k++)
        c->argument[k] = argument_of(b, description, r->what[k], r->name[k]);
    require(dnnl_primitive_create(&c->primitive, description));
    return description;
}

static void any_layout(dnnl_memory_desc_t *m, int n, int channels, int height, int width)
{
    require(dnnl_memory_desc_init_by_tag(m, 4, (dnnl_dims_t){n, channels, height, width}, dnnl_f32,
                                         dnnl_format_tag_any));
}

static void add_convolution(bare *b, const bare_shape *s)
{
    const dnnl_dims_t one = {1, 1}, half = {s->kernel / 2, s->kernel / 2};
    dnnl_memory_desc_t x, w, y;
    dnnl_convolution_desc_t convolution;

    any_layout(&x, s->images, s->in, s->size, s->size);
    any_layout(&w, s->out, s->in, s->kernel, s->kernel);
    any_layout(&y, s->images, s->out, s->size, s->size);
    require(dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_training, dnnl_convolution_direct,
                                               &x, &w, NULL, &y, one, half, half));
    const dnnl_primitive_desc_t hint = add_call(b, &forward, &convolution, NULL);
    require(dnnl_convolution_backward_weights_desc_init(&convolution, dnnl_convolution_direct, &x, &w, NULL,
                                                        &y, one, half, half));
    dnnl_primitive_desc_destroy(add_call(b, &by_weight, &convolution, hint));
    if (s->gradient_of_images) {
        require(dnnl_convolution_backward_data_desc_init(&convolution, dnnl_convolution_direct, &x, &w, &y,
                                                         one, half, half));
        dnnl_primitive_desc_destroy(add_call(b, &by_images, &convolution, hint));
    }
    dnnl_primitive_desc_destroy(hint);
}

const char *bare_library(void)
{
    static const char name[] = TEXT_OF(oneDNN DNNL_VERSION_MAJOR.DNNL_VERSION_MINOR.DNNL_VERSION_PATCH);
    return name;
}

bare *bare_create(const bare_shape *convolution, int n)
{
    bare *b = must(calloc(1, sizeof *b));
    require(dnnl_engine_create(&b->engine, dnnl_cpu, 0));
    require(dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags));
    for (int i = 0; i < n; i++)
        add_convolution(b, &convolution[i]);
    return b;
}

void bare_run(void *state)
{
    const bare *b = state;
    for (int i = 0; i < b->calls; i++)
        require(dnnl_primitive_execute(b->call[i].primitive, b->stream, ARGUMENTS, b->call[i].argument));
    require(dnnl_stream_wait(b->stream));
}

void bare_destroy(bare *b)
{
    for (int i = 0; i < b->calls; i++) {
        for (int k = 0; k < ARGUMENTS; k++)
            dnnl_memory_destroy(b->call[i].argument[k].memory);
        dnnl_primitive_destroy(b->call[i].primitive);
    }
    dnnl_stream_destroy(b->stream);
    dnnl_engine_destroy(b->engine);
    free(b);
}

#else

/* ---- Matrix products ----------------------------------------------------------------------------------- */

#include <cblas.h>

/* Of one image, the same for all of them. */
typedef struct products {
    bare_shape of;
    float *columns, *w, *y, *dw, *dcolumns;
} products;

struct bare {
    int n;
    products convolution[MOST];
};

static float *numbers(int64_t n, uint64_t seed)
{
    float *x = bench_allocate((size_t)n * sizeof *x);
    bench_fill(x, n, -1, 1, seed);
    return x;
}

const char *bare_library(void)
{
    return "CBLAS";
}

bare *bare_create(const bare_shape *convolution, int n)
{
    bare *b = must(calloc(1, sizeof *b));
    b->n = n;
    for (int i = 0; i < n; i++) {
        const bare_shape *s = &convolution[i];
        const int64_t depth = (int64_t)s->in * s->kernel * s->kernel, places = (int64_t)s->size * s->size;
        b->convolution[i] = (products){.of = *s,
                                       .columns = numbers(depth * places, 1),
                                       .w = numbers(s->out * depth, 2),
                                       .y = numbers(s->out * places, 3),
                                       .dw = numbers(s->out * depth, 4),
                                       .dcolumns = numbers(depth * places, 5)};
    }
    return b;
}

static void run_products(const products *p)
{
    const int out = p->of.out, depth = p->of.in * p->of.kernel * p->of.kernel,
              places = p->of.size * p->of.size;

    for (int i = 0; i < p->of.images; i++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out, places, depth, 1, p->w, depth, p->columns,
                    places, 0, p->y, places);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, out, depth, places, 1, p->y, places, p->columns,
                    places, i > 0, p->dw, depth);
        if (p->of.gradient_of_images)
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, depth, places, out, 1, p->w, depth, p->y,
                        places, 0, p->dcolumns, places);
    }
}

void bare_run(void *state)
{
    const bare *b = state;
    for (int i = 0; i < b->n; i++)
        run_products(&b->convolution[i]);
}

void bare_destroy(bare *b)
{
    for (int i = 0; i < b->n; i++) {
        free(b->convolution[i].columns);
        free(b->convolution[i].w);
        free(b->convolution[i].y);
        free(b->convolution[i].dw);
        free(b->convolution[i].dcolumns);
    }
    free(b);
}

#endif
