/* convolution_blocked.c -- the three products of convolution.c over channels in blocks, by oneDNN, in f32.
 *
 * Only the rewriting of a program's graph records them, where tp__convolution_block says that they are worth it; whoever
 * differentiates sees the plain ops.
 */
#include "convolution.h"

#include <string.h>
#include <tapir/ops.h>

#include "onednn.h"

typedef struct blocked_attr {
    tp__convolution plain;
    int64_t block;
    int64_t
        room; /* bytes of scratch: what oneDNN asked for with the number of threads at the time of recording */
} blocked_attr;

/* ---- Shapes --------------------------------------------------------------------------------------------- */

static tp_shape plain_shape(const tp_shape *x)
{
    if (x->rank != 5)
        return *x;
    return (tp_shape){4, {x->dim[0], x->dim[1] * x->dim[4], x->dim[2], x->dim[3]}};
}

static tp_shape shape_in_blocks(const tp_shape *x, int64_t block)
{
    if (x->dim[1] % block != 0)
        return *x;
    return (tp_shape){5, {x->dim[0], x->dim[1] / block, x->dim[2], x->dim[3], block}};
}

/* A kernel of one element that moves by one is as good a matrix product when all is plain; so whoever gives images (or a result) plain,
 * though their channels would make blocks, gets a plain result. */
static bool stays_plain(tp__convolution_role role, const tp_shape *plain, const tp_shape *given,
                        const blocked_attr *a)
{
    const tp__convolution_parts p = tp__convolution_shapes(role, plain, &a->plain);
    return role != TP__CONVOLUTION_WEIGHT && given[0].rank == 4 && given[0].dim[1] % a->block == 0 &&
           tp__convolution_is_pointwise(&p, &a->plain);
}

static const char *infer(tp_inference *i, tp__convolution_role role)
{
    const blocked_attr *a = i->attr;
    tp_shape plain[2];
    tp_inference as_plain = *i;

    if (a->block < 1)
        return "a block has at least 1 channel";
    for (int k = 0; k < 2; k++) {
        const tp_shape *x = &i->x_shape[k];
        if (x->rank == 5 && (!tp__has_channels(role, k) || x->dim[4] != a->block))
            return "channels in blocks are [n,channels/block,height,width,block], and a weight has none";
        plain[k] = plain_shape(x);
    }
    as_plain.x_shape = plain;
    as_plain.attr = &a->plain;
    const char *fault = tp__convolution_infer(&as_plain, role);
    i->fault = as_plain.fault;
    if (fault != NULL)
        return fault;
    if (i->x_dtype[0] != TP_F32) {
        i->fault = TP_BAD_DTYPE;
        return "channels in blocks need f32";
    }
    i->y_shape = role == TP__CONVOLUTION_WEIGHT || stays_plain(role, plain, i->x_shape, a)
                     ? as_plain.y_shape
                     : shape_in_blocks(&as_plain.y_shape, a->block);
    return NULL;
}

static const char *convolution_infer(tp_inference *i)
{
    return infer(i, TP__CONVOLUTION);
}

static const char *images_infer(tp_inference *i)
{
    return infer(i, TP__CONVOLUTION_IMAGES);
}

static const char *weight_infer(tp_inference *i)
{
    return infer(i, TP__CONVOLUTION_WEIGHT);
}

static bool is_empty(const tp__convolution_parts *p)
{
    return tp_shape_count(p->images) == 0 || tp_shape_count(p->weight) == 0 || tp_shape_count(p->result) == 0;
}

/* ---- Kernels -------------------------------------------------------------------------------------------- */

/* Of operands as they are: in blocks or plain. */
static tp__onednn_convolution by_onednn(tp__convolution_role role, const tp_shape *x, const blocked_attr *a)
{
    const tp_shape plain[2] = {plain_shape(&x[0]), plain_shape(&x[1])};
    tp__onednn_convolution c = {.role = role,
                                .parts = tp__convolution_shapes(role, plain, &a->plain),
                                .a = &a->plain,
                                .block = a->block};
    const bool plain_result = stays_plain(role, plain, x, a);
    c.images_in_blocks = role != TP__CONVOLUTION_IMAGES
                             ? x[0].rank == 5
                             : c.parts.images.dim[1] % a->block == 0 && !plain_result;
    c.result_in_blocks = role != TP__CONVOLUTION ? x[role == TP__CONVOLUTION_IMAGES ? 0 : 1].rank == 5
                                                 : c.parts.result.dim[1] % a->block == 0 && !plain_result;
    return c;
}

static tp_status run(const tp_call *call, tp__convolution_role role)
{
    const tp_shape shape[2] = {call->x[0].shape, call->x[1].shape};
    const blocked_attr *a = call->attr;
    const tp__onednn_convolution c = by_onednn(role, shape, a);
    void *first = call->x[0].data, *second = call->x[1].data, *y = call->y.data;
    char left[TP_TEXT_SIZE], right[TP_TEXT_SIZE];

    if (is_empty(&c.parts)) {
        memset(y, 0, (size_t)tp_shape_count(call->y.shape) * sizeof(float));
        return TP_OK;
    }
    void *const data[3][3] = {{first, second, y}, {y, second, first}, {first, y, second}};
    const char *fault = tp__onednn_run(&c, data[role], call->scratch, (size_t)a->room);
    if (fault == NULL)
        return TP_OK;
    return tp_call_fail(call, "oneDNN did not compute this of %s and %s: %s",
                        tp_describe(TP_F32, &shape[0], left), tp_describe(TP_F32, &shape[1], right), fault);
}

static tp_status convolution_run(const tp_call *call)
{
    return run(call, TP__CONVOLUTION);
}

static tp_status images_run(const tp_call *call)
{
    return run(call, TP__CONVOLUTION_IMAGES);
}

static tp_status weight_run(const tp_call *call)
{
    return run(call, TP__CONVOLUTION_WEIGHT);
}

static size_t scratch_size(const tp_shape *x_shape, int n, const void *attr)
{
    (void)x_shape, (void)n;
    return (size_t)((const blocked_attr *)attr)->room;
}

static const tp_op convolution = {
    .name = "conv2d_in_blocks",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(blocked_attr),
    .infer = convolution_infer,
    .run = convolution_run,
    .scratch_size = scratch_size,
};

static const tp_op convolution_images = {
    .name = "conv_transpose2d_in_blocks",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(blocked_attr),
    .infer = images_infer,
    .run = images_run,
    .scratch_size = scratch_size,
};

static const tp_op convolution_weight = {
    .name = "conv2d_weight_in_blocks",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(blocked_attr),
    .infer = weight_infer,
    .run = weight_run,
    .scratch_size = scratch_size,
};

/* ---- Recording ------------------------------------------------------------------------------------------ */

/* The scratch that oneDNN needs; 0 where the operands are wrong, which is said when they are recorded. */
static int64_t room_for(tp__convolution_role role, tp_tensor x, tp_tensor other, const blocked_attr *a)
{
    if (!tp_is_valid(x) || !tp_is_valid(other))
        return 0;
    const tp_shape shape[2] = {tp_shape_of(x), tp_shape_of(other)};
    const tp_dtype dtype[2] = {tp_dtype_of(x), tp_dtype_of(other)};
    tp_inference i = {
        .n = 2, .x_shape = shape, .x_dtype = dtype, .attr = a, .same_dtype = dtype[0] == dtype[1]};
    if (infer(&i, role) != NULL)
        return 0;
    const tp__onednn_convolution c = by_onednn(role, shape, a);
    return is_empty(&c.parts) ? 0 : (int64_t)tp__onednn_scratch(&c);
}

tp_tensor tp__record_blocked_convolution(tp__convolution_role role, tp_tensor a, tp_tensor b,
                                         tp__convolution attr, int64_t block, tp_tensor like)
{
    static const tp_op *const op[] = {&convolution, &convolution_images, &convolution_weight};
    blocked_attr blocked = {attr, block, 0};
    for (int axis = 0; axis < 2 && like.tape != NULL; axis++)
        blocked.plain.size[axis] = role == TP__CONVOLUTION ? 0 : tp_shape_of(like).dim[2 + axis];
    blocked.room = room_for(role, a, b, &blocked);
    return tp_record(op[role], (tp_tensor[]){a, b}, 2, &blocked);
}

static double multiplications(const tp__convolution_parts *p)
{
    return (double)tp_shape_count(p->result) * (double)p->weight.dim[1] * (double)p->weight.dim[2] *
           (double)p->weight.dim[3];
}

/* What is measured to be worth it, of what has a kernel.  A call costs some 5 us, which is what 1e5 multiplications cost otherwise, or 5e5
 * of a pointwise convolution; and the weight is reordered, which must be used often enough to pay.  Images of a few channels
 * get their gradient as if these were a whole block. */
static bool is_worth_it(const tp__onednn_convolution *c)
{
    const tp__convolution_parts *p = &c->parts;
    const double least = tp__convolution_is_pointwise(p, c->a) ? 5e5 : 1e5;
    return multiplications(p) >= least && p->result.dim[0] * p->result.dim[2] * p->result.dim[3] >= 32 &&
           (c->role != TP__CONVOLUTION_IMAGES || c->images_in_blocks || 2 * p->images.dim[1] >= c->block);
}

int64_t tp__convolution_block(tp__convolution_role role, const tp_shape *x_shape, tp_dtype dtype,
                              const tp__convolution *a)
{
    enum { MOST = (1 << 29) - 1 }; /* elements of an array whose bytes an int32_t counts */
    const int64_t block = tp__onednn_block();
    if (block == 0 || dtype != TP_F32)
        return 0;
    const tp__convolution_parts p = tp__convolution_shapes(role, x_shape, a);
    if (is_empty(&p) || tp_shape_count(p.images) > MOST || tp_shape_count(p.result) > MOST)
        return 0;
    const tp__onednn_convolution c = {.role = role,
                                      .parts = p,
                                      .a = a,
                                      .block = block,
                                      .images_in_blocks = p.images.dim[1] % block == 0,
                                      .result_in_blocks = p.result.dim[1] % block == 0};
    const bool any = c.images_in_blocks || c.result_in_blocks;
    return any && is_worth_it(&c) && tp__onednn_has_kernel(&c) ? block : 0;
}

bool tp__convolution_is_fast_plain(tp__convolution_role role, const tp_shape *x_shape,
                                   const tp__convolution *a)
{
    enum { FEW = 32 }; /* channels: below that products wait for memory */
    const tp__convolution_parts p = tp__convolution_shapes(role, x_shape, a);
    return tp__onednn_block() == 16 && tp__convolution_is_pointwise(&p, a) && p.images.dim[1] >= FEW &&
           p.result.dim[1] >= FEW;
}
