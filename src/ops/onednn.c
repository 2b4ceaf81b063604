/* onednn.c -- convolutions of f32 by oneDNN.
 *
 * oneDNN compiles a kernel for each convolution and keeps it (a cache of its own, which threads share), so that engine, descriptors and
 * primitive are made anew for each run, in a few microseconds, and nothing is kept here.  A kernel says how it wants the
 * weight and, where the channels given to it are not a multiple of its blocks, images or result; these are reordered
 * through the scratch.
 */
#include "onednn.h"

#ifdef TP_HAVE_ONEDNN

#include <oneapi/dnnl/dnnl_debug.h>

#include "onednn_calls.h"

enum { IMAGES, WEIGHT, RESULT, PARTS };

typedef struct job {
    const tp__onednn_convolution *of;
    tp__onednn_engine on;
    dnnl_primitive_desc_t primitive;
    dnnl_memory_desc_t given[PARTS]; /* how the arrays lie */
    dnnl_memory_desc_t used[PARTS];  /* how the kernel wants them */
    size_t scratchpad;               /* what it needs beside */
} job;

/* ---- Descriptors ---------------------------------------------------------------------------------------- */

int64_t tp__onednn_block(void)
{
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
        return 16;
    return (isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2 ? 8 : 0;
}

static dnnl_format_tag_t tag_of(bool in_blocks, int64_t block)
{
    if (!in_blocks)
        return dnnl_nchw;
    return block == 16 ? dnnl_nChw16c : block == 8 ? dnnl_nChw8c : dnnl_format_tag_undef;
}

static dnnl_status_t describe(dnnl_memory_desc_t *to, const tp_shape *shape, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {0};
    for (int64_t d = 0; d < shape->rank; d++)
        dims[d] = shape->dim[d];
    return dnnl_memory_desc_init_by_tag(to, (int)shape->rank, dims, dnnl_f32, tag);
}

/* The weight with its groups, if there are several, as an axis of their own. */
static tp_shape weight_shape(const tp__onednn_convolution *c)
{
    const tp_shape *w = &c->parts.weight;
    if (c->a->groups == 1)
        return *w;
    return (tp_shape){5, {c->a->groups, w->dim[0] / c->a->groups, w->dim[1], w->dim[2], w->dim[3]}};
}

/* What the kernels know by themselves for a role. */
static dnnl_status_t operation(dnnl_convolution_desc_t *to, const tp__onednn_convolution *c,
                               const dnnl_memory_desc_t part[PARTS])
{
    const dnnl_dims_t strides = {c->a->stride[0], c->a->stride[1]},
                      dilations = {c->a->dilation[0] - 1, c->a->dilation[1] - 1},
                      padding = {c->a->padding[0], c->a->padding[1]};
    switch (c->role) {
    case TP__CONVOLUTION:
        return dnnl_dilated_convolution_forward_desc_init(to, dnnl_forward_training, dnnl_convolution_direct,
                                                          &part[IMAGES], &part[WEIGHT], NULL, &part[RESULT],
                                                          strides, dilations, padding, padding);
    case TP__CONVOLUTION_IMAGES:
        return dnnl_dilated_convolution_backward_data_desc_init(to, dnnl_convolution_direct, &part[IMAGES],
                                                                &part[WEIGHT], &part[RESULT], strides,
                                                                dilations, padding, padding);
    default:
        return dnnl_dilated_convolution_backward_weights_desc_init(to, dnnl_convolution_direct, &part[IMAGES],
                                                                   &part[WEIGHT], NULL, &part[RESULT],
                                                                   strides, dilations, padding, padding);
    }
}

/* ---- Choosing a kernel ---------------------------------------------------------------------------------- */

static const dnnl_memory_desc_t *wanted(dnnl_primitive_desc_t primitive, tp__convolution_role role, int part)
{
    static const dnnl_query_t query[3][PARTS] = {
        {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
        {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md},
    };
    return dnnl_primitive_desc_query_md(primitive, query[role][part], 0);
}

/* The kernel for images and result in these formats, and a weight in any. */
static dnnl_status_t choose(job *j, dnnl_format_tag_t images, dnnl_format_tag_t result,
                            dnnl_scratchpad_mode_t mode)
{
    const tp_shape weight = weight_shape(j->of);
    dnnl_convolution_desc_t description;
    dnnl_primitive_attr_t attributes = NULL;

    dnnl_status_t status = describe(&j->used[IMAGES], &j->of->parts.images, images);
    if (status == dnnl_success)
        status = describe(&j->used[RESULT], &j->of->parts.result, result);
    if (status == dnnl_success)
        status = describe(&j->used[WEIGHT], &weight, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = operation(&description, j->of, j->used);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, mode);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&j->primitive, &description, attributes, j->on.engine, NULL);
    if (attributes != NULL)
        dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* Arrays as they are given, if there is a good kernel for that (there is for plain images of 1 or 3 channels); else all in
 * blocks, the last of them filled up with zeros. */
static dnnl_status_t choose_best(job *j, dnnl_scratchpad_mode_t mode)
{
    const tp__onednn_convolution *c = j->of;
    const dnnl_format_tag_t in_blocks = tag_of(true, c->block),
                            images = tag_of(c->images_in_blocks, c->block),
                            result = tag_of(c->result_in_blocks, c->block);
    dnnl_status_t status = choose(j, images, result, mode);
    if ((status == dnnl_success && !tp__onednn_is_reference(j->primitive)) ||
        (images == in_blocks && result == in_blocks))
        return status;
    if (j->primitive != NULL)
        dnnl_primitive_desc_destroy(j->primitive);
    j->primitive = NULL;
    return choose(j, in_blocks, in_blocks, mode);
}

static dnnl_status_t start(job *j, const tp__onednn_convolution *c, dnnl_scratchpad_mode_t mode)
{
    *j = (job){.of = c};
    const tp_shape weight = weight_shape(c);
    const dnnl_format_tag_t plain_weight = weight.rank == 5 ? dnnl_goihw : dnnl_oihw;

    dnnl_status_t status = tp__onednn_open(&j->on);
    if (status == dnnl_success)
        status = describe(&j->given[IMAGES], &c->parts.images, tag_of(c->images_in_blocks, c->block));
    if (status == dnnl_success)
        status = describe(&j->given[RESULT], &c->parts.result, tag_of(c->result_in_blocks, c->block));
    if (status == dnnl_success)
        status = describe(&j->given[WEIGHT], &weight, plain_weight);
    if (status == dnnl_success)
        status = choose_best(j, mode);
    if (status != dnnl_success)
        return status;
    for (int k = 0; k < PARTS; k++)
        j->used[k] = *wanted(j->primitive, c->role, k);
    j->scratchpad =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(j->primitive, dnnl_query_scratchpad_md, 0));
    return status;
}

static void finish(job *j)
{
    if (j->primitive != NULL)
        dnnl_primitive_desc_destroy(j->primitive);
    tp__onednn_close(&j->on);
}

bool tp__onednn_has_kernel(const tp__onednn_convolution *c)
{
    job j;
    if (tp__onednn_is_pointwise(c))
        return tp__onednn_pointwise_has_kernel(c);
    const bool has =
        start(&j, c, dnnl_scratchpad_mode_user) == dnnl_success && !tp__onednn_is_reference(j.primitive);
    finish(&j);
    return has;
}

/* ---- Scratch: the arrays that are reordered, each from a multiple of 64 on, then the scratchpad ----------- */

static bool is_reordered(const job *j, int part)
{
    return !dnnl_memory_desc_equal(&j->given[part], &j->used[part]);
}

static size_t reordered_bytes(const job *j)
{
    size_t bytes = 0;
    for (int k = 0; k < PARTS; k++)
        bytes += is_reordered(j, k) ? tp__onednn_rounded(dnnl_memory_desc_get_size(&j->used[k])) : 0;
    return bytes;
}

size_t tp__onednn_scratch(const tp__onednn_convolution *c)
{
    job j;
    if (tp__onednn_is_pointwise(c))
        return tp__onednn_pointwise_scratch(c);
    const bool started = start(&j, c, dnnl_scratchpad_mode_user) == dnnl_success;
    const size_t bytes = started ? reordered_bytes(&j) + tp__onednn_rounded(j.scratchpad) : 0;
    finish(&j);
    return bytes;
}

/* ---- Running -------------------------------------------------------------------------------------------- */

static dnnl_status_t reorder(const job *j, const dnnl_memory_desc_t *from_how, void *from,
                             const dnnl_memory_desc_t *to_how, void *to)
{
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&description, from_how, j->on.engine, to_how, j->on.engine, NULL);
    if (status != dnnl_success)
        return status;
    const tp__onednn_argument argument[] = {{DNNL_ARG_FROM, from_how, from}, {DNNL_ARG_TO, to_how, to}};
    status = tp__onednn_execute(&j->on, description, argument, 2);
    dnnl_primitive_desc_destroy(description);
    return status;
}

/* The part that a role computes. */
static int result_of(tp__convolution_role role)
{
    return role == TP__CONVOLUTION ? RESULT : role == TP__CONVOLUTION_IMAGES ? IMAGES : WEIGHT;
}

static dnnl_status_t convolve(const job *j, void *const data[PARTS], char *scratchpad)
{
    static const int name[3][PARTS] = {
        {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
        {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
    };
    tp__onednn_argument argument[PARTS + 1];
    for (int k = 0; k < PARTS; k++)
        argument[k] = (tp__onednn_argument){name[j->of->role][k], &j->used[k], data[k]};
    argument[PARTS] = (tp__onednn_argument){
        DNNL_ARG_SCRATCHPAD, dnnl_primitive_desc_query_md(j->primitive, dnnl_query_scratchpad_md, 0),
        scratchpad};
    return tp__onednn_execute(&j->on, j->primitive, argument, scratchpad != NULL ? PARTS + 1 : PARTS);
}

static dnnl_status_t run(const job *j, void *const data[PARTS], char *scratch)
{
    const int result = result_of(j->of->role);
    void *used[PARTS];
    dnnl_status_t status = dnnl_success;

    for (int k = 0; k < PARTS && status == dnnl_success; k++) {
        used[k] = data[k];
        if (!is_reordered(j, k))
            continue;
        used[k] = scratch;
        scratch += tp__onednn_rounded(dnnl_memory_desc_get_size(&j->used[k]));
        if (k != result)
            status = reorder(j, &j->given[k], data[k], &j->used[k], used[k]);
    }
    if (status == dnnl_success)
        status = convolve(j, used, j->scratchpad > 0 ? scratch : NULL);
    if (status == dnnl_success && is_reordered(j, result))
        status = reorder(j, &j->used[result], used[result], &j->given[result], data[result]);
    return status;
}

static dnnl_status_t run_reordered(const tp__onednn_convolution *c, void *const data[PARTS], void *scratch,
                                   size_t room)
{
    job j;
    dnnl_status_t status = start(&j, c, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && reordered_bytes(&j) + tp__onednn_rounded(j.scratchpad) > room) {
        finish(&j);
        status = start(&j, c, dnnl_scratchpad_mode_library); /* which then asks for no scratchpad */
        if (status == dnnl_success && reordered_bytes(&j) > room)
            status = dnnl_out_of_memory;
    }
    if (status == dnnl_success)
        status = run(&j, data, scratch);
    finish(&j);
    return status;
}

const char *tp__onednn_run(const tp__onednn_convolution *c, void *const data[3], void *scratch, size_t room)
{
    const dnnl_status_t status = tp__onednn_is_pointwise(c) ? tp__onednn_run_pointwise(c, data, scratch, room)
                                                            : run_reordered(c, data, scratch, room);
    return status == dnnl_success ? NULL : dnnl_status2str(status);
}

#else /* without oneDNN */

int64_t tp__onednn_block(void)
{
    return 0;
}

bool tp__onednn_has_kernel(const tp__onednn_convolution *c)
{
    (void)c;
    return false;
}

size_t tp__onednn_scratch(const tp__onednn_convolution *c)
{
    (void)c;
    return 0;
}

const char *tp__onednn_run(const tp__onednn_convolution *c, void *const data[3], void *scratch, size_t room)
{
    (void)c, (void)data, (void)scratch, (void)room;
    return "unavailable";
}

#endif
