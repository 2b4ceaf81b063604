/* onednn_pointwise.c -- convolutions of plain arrays by kernels of one element that move by one: matrix products of oneDNN.
 *
 * An image is a matrix [channels, places].  The result is weight times image, the gradient of the image weight^T times result; that
 * of the weight is the sum over the images of result times image^T, in order.  Compiled where oneDNN was found.
 */
#include "onednn_calls.h"

#include <string.h>

/* c = a b, or c + a b, for each of a batch. */
typedef struct product {
    tp__onednn_engine on;
    dnnl_memory_desc_t a, b, c;
    dnnl_primitive_desc_t description;
    size_t scratchpad;
} product;

bool tp__onednn_is_pointwise(const tp__onednn_convolution *c)
{
    return !c->images_in_blocks && !c->result_in_blocks && tp__convolution_is_pointwise(&c->parts, c->a);
}

/* ---- Making a product ------------------------------------------------------------------------------------ */

/* A batch of matrices [rows, columns], stored so or transposed. */
static dnnl_status_t describe(dnnl_memory_desc_t *to, int64_t batch, int64_t rows, int64_t columns,
                              bool transposed)
{
    const dnnl_dims_t dims = {batch, rows, columns};
    return dnnl_memory_desc_init_by_tag(to, 3, dims, dnnl_f32, transposed ? dnnl_acb : dnnl_abc);
}

static dnnl_status_t describe_all(product *p, const tp__onednn_convolution *c)
{
    const int64_t n = c->parts.images.dim[0], in = c->parts.images.dim[1], out = c->parts.result.dim[1],
                  places = c->parts.result.dim[2] * c->parts.result.dim[3];
    const bool by_weight = c->role == TP__CONVOLUTION_WEIGHT, by_images = c->role == TP__CONVOLUTION_IMAGES;
    const int64_t rows = by_images ? in : out,
                  inner = by_weight   ? places
                          : by_images ? out
                                      : in,
                  columns = by_weight ? in : places, batch = by_weight ? 1 : n;

    dnnl_status_t status = describe(&p->a, 1, rows, inner, by_images);
    if (status == dnnl_success)
        status = describe(&p->b, batch, inner, columns, by_weight);
    return status == dnnl_success ? describe(&p->c, batch, rows, columns, false) : status;
}

static dnnl_status_t attributes_for(dnnl_primitive_attr_t *to, bool add, dnnl_scratchpad_mode_t mode)
{
    dnnl_post_ops_t after = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(to);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*to, mode);
    if (!add || status != dnnl_success)
        return status;
    status = dnnl_post_ops_create(&after);
    if (status == dnnl_success)
        status = dnnl_post_ops_append_sum(after, 1);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*to, after);
    if (after != NULL)
        dnnl_post_ops_destroy(after);
    return status;
}

static dnnl_status_t start(product *p, const tp__onednn_convolution *c, bool add, dnnl_scratchpad_mode_t mode)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_matmul_desc_t operation;

    *p = (product){0};
    dnnl_status_t status = tp__onednn_open(&p->on);
    if (status == dnnl_success)
        status = describe_all(p, c);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&operation, &p->a, &p->b, NULL, &p->c);
    if (status == dnnl_success)
        status = attributes_for(&attributes, add, mode);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&p->description, &operation, attributes, p->on.engine, NULL);
    if (attributes != NULL)
        dnnl_primitive_attr_destroy(attributes);
    if (status == dnnl_success)
        p->scratchpad = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0));
    return status;
}

static void finish(product *p)
{
    if (p->description != NULL)
        dnnl_primitive_desc_destroy(p->description);
    tp__onednn_close(&p->on);
}

bool tp__onednn_pointwise_has_kernel(const tp__onednn_convolution *c)
{
    product p;
    const bool has = start(&p, c, false, dnnl_scratchpad_mode_user) == dnnl_success &&
                     !tp__onednn_is_reference(p.description);
    finish(&p);
    return has;
}

size_t tp__onednn_pointwise_scratch(const tp__onednn_convolution *c)
{
    size_t most = 0;
    for (int add = 0; add < 2; add++) {
        product p;
        if (start(&p, c, add, dnnl_scratchpad_mode_user) == dnnl_success && p.scratchpad > most)
            most = p.scratchpad;
        finish(&p);
    }
    return most;
}

/* ---- Running --------------------------------------------------------------------------------------------- */

static dnnl_status_t multiply(const product *p, const void *a, const void *b, void *c, void *scratch)
{
    const tp__onednn_argument argument[] = {
        {DNNL_ARG_SRC, &p->a, (void *)(uintptr_t)a},
        {DNNL_ARG_WEIGHTS, &p->b, (void *)(uintptr_t)b},
        {DNNL_ARG_DST, &p->c, c},
        {DNNL_ARG_SCRATCHPAD, dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0),
         scratch},
    };
    return tp__onednn_execute(&p->on, p->description, argument, p->scratchpad > 0 ? 4 : 3);
}

/* Images first .. last - 1; all of them at once, but for the weight. */
static dnnl_status_t run_some(const tp__onednn_convolution *c, void *const data[3], int64_t first,
                              int64_t last, void *scratch, size_t room)
{
    const int64_t image = c->parts.images.dim[1] * c->parts.images.dim[2] * c->parts.images.dim[3],
                  result = c->parts.result.dim[1] * c->parts.result.dim[2] * c->parts.result.dim[3];
    product p;

    dnnl_status_t status = start(&p, c, first > 0, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && p.scratchpad > room) { /* for more threads than were counted on */
        finish(&p);
        status = start(&p, c, first > 0, dnnl_scratchpad_mode_library);
    }
    for (int64_t i = first; i < last && status == dnnl_success; i++) {
        const float *const x = (const float *)data[0] + i * image, *const r =
                                                                       (const float *)data[2] + i * result;
        if (c->role == TP__CONVOLUTION_WEIGHT)
            status = multiply(&p, r, x, data[1], scratch);
        else if (c->role == TP__CONVOLUTION_IMAGES)
            status = multiply(&p, data[1], data[2], data[0], scratch);
        else
            status = multiply(&p, data[1], data[0], data[2], scratch);
    }
    finish(&p);
    return status;
}

dnnl_status_t tp__onednn_run_pointwise(const tp__onednn_convolution *c, void *const data[3], void *scratch,
                                       size_t room)
{
    const dnnl_status_t status = run_some(c, data, 0, 1, scratch, room);
    if (status != dnnl_success || c->role != TP__CONVOLUTION_WEIGHT || c->parts.images.dim[0] == 1)
        return status;
    return run_some(c, data, 1, c->parts.images.dim[0], scratch, room);
}
