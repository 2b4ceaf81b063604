/* convolution.c -- conv2d conv1d conv_transpose2d: three ops, each other's derivatives.
 *
 * sum(result * conv2d(images, weight)) is linear in each of the three.  The ops here are its derivatives by the result (the
 * convolution itself), by the images (the transposed convolution) and by the weight; so the derivatives of each of them
 * are the other two, with one operand in the place of the adjoint.
 */
#include "convolution.h"

#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

/* ---- Shapes ----------------------------------------------------------------------------------------- */

int64_t tp__convolution_places(const tp__convolution *a, int axis, int64_t length, int64_t extent)
{
    const int64_t room = length + 2 * a->padding[axis] - a->dilation[axis] * (extent - 1) - 1;
    return room < 0 ? 0 : room / a->stride[axis] + 1;
}

bool tp__convolution_is_pointwise(const tp__convolution_parts *p, const tp__convolution *a)
{
    for (int axis = 0; axis < 2; axis++)
        if (p->weight.dim[2 + axis] != 1 || a->stride[axis] != 1 || a->padding[axis] != 0)
            return false;
    return a->groups == 1;
}

tp__convolution_parts tp__convolution_shapes(tp__convolution_role role, const tp_shape *x_shape,
                                             const tp__convolution *a)
{
    tp__convolution_parts p = {0};

    if (role == TP__CONVOLUTION) {
        p.images = x_shape[0];
        p.weight = x_shape[1];
        p.result = (tp_shape){4, {p.images.dim[0], p.weight.dim[0]}};
        for (int axis = 0; axis < 2; axis++)
            p.result.dim[2 + axis] =
                tp__convolution_places(a, axis, p.images.dim[2 + axis], p.weight.dim[2 + axis]);
    } else if (role == TP__CONVOLUTION_IMAGES) {
        p.result = x_shape[0];
        p.weight = x_shape[1];
        p.images = (tp_shape){4, {p.result.dim[0], p.weight.dim[1] * a->groups, a->size[0], a->size[1]}};
    } else {
        p.images = x_shape[0];
        p.result = x_shape[1];
        p.weight = (tp_shape){4, {p.result.dim[1], p.images.dim[1] / a->groups, a->size[0], a->size[1]}};
    }
    return p;
}

/* NULL, or what is wrong with the attributes: they are counted in, so that no sum of them overflows. */
static const char *attribute_fault(tp_inference *i, const tp__convolution *a)
{
    i->fault = TP_BAD_ARGUMENT;
    if (a->groups < 1 || a->groups > INT32_MAX)
        return "there must be at least 1 group";
    for (int axis = 0; axis < 2; axis++) {
        if (a->stride[axis] < 1 || a->dilation[axis] < 1)
            return "strides and dilations must be at least 1, along both axes";
        if (a->padding[axis] < 0)
            return "the padding must not be negative";
        if (a->stride[axis] > INT32_MAX || a->dilation[axis] > INT32_MAX || a->padding[axis] > INT32_MAX)
            return "strides, dilations and paddings must be below 2^31";
    }
    i->fault = TP_BAD_SHAPE;
    return NULL;
}

/* NULL, or why there is no such convolution. */
static const char *parts_fault(const tp__convolution_parts *p, const tp__convolution *a)
{
    if (p->weight.dim[1] * a->groups != p->images.dim[1])
        return "the images must have groups times as many channels as the weight";
    if (p->weight.dim[0] % a->groups != 0)
        return "the groups must divide the output channels";
    if (p->weight.dim[0] != p->result.dim[1])
        return "the weight is not for that many channels";
    for (int axis = 2; axis < 4; axis++) {
        if (p->weight.dim[axis] < 1)
            return "the kernel must not be empty";
        if (p->images.dim[axis] > INT32_MAX)
            return "the images or the kernel are larger than the BLAS can count";
        if (p->images.dim[axis] < 1 && p->result.dim[axis] > 0)
            return "the padding leaves nothing of the images";
        if (p->result.dim[axis] < 1)
            return "the kernel is larger than the padded images";
    }
    const int64_t plane = p->weight.dim[2] * p->weight.dim[3];
    if (plane > INT32_MAX || p->weight.dim[1] * plane > INT32_MAX ||
        p->result.dim[2] * p->result.dim[3] > INT32_MAX)
        return "the images or the kernel are larger than the BLAS can count";
    return NULL;
}

const char *tp__convolution_infer(tp_inference *i, tp__convolution_role role)
{
    const tp__convolution *a = i->attr;
    const char *fault = tp__float_fault(i);

    if (fault == NULL)
        fault = attribute_fault(i, a);
    if (fault != NULL)
        return fault;
    if (i->x_shape[0].rank != 4 || i->x_shape[1].rank != 4)
        return "images are [n,channels,height,width], the weight is [out,in/groups,height,width]";
    for (int d = 0; d < 4; d++)
        if (i->x_shape[0].dim[d] > INT32_MAX || i->x_shape[1].dim[d] > INT32_MAX)
            return "the images or the kernel are larger than the BLAS can count";
    const tp__convolution_parts p = tp__convolution_shapes(role, i->x_shape, a);
    fault = parts_fault(&p, a);
    if (fault != NULL)
        return fault;
    for (int axis = 0; axis < 2; axis++)
        if (tp__convolution_places(a, axis, p.images.dim[2 + axis], p.weight.dim[2 + axis]) !=
            p.result.dim[2 + axis])
            return "no convolution of images of this size has a result of that size";
    i->y_shape = role == TP__CONVOLUTION ? p.result : role == TP__CONVOLUTION_IMAGES ? p.images : p.weight;
    return NULL;
}

static const char *convolution_infer(tp_inference *i)
{
    return tp__convolution_infer(i, TP__CONVOLUTION);
}

static const char *images_infer(tp_inference *i)
{
    return tp__convolution_infer(i, TP__CONVOLUTION_IMAGES);
}

static const char *weight_infer(tp_inference *i)
{
    return tp__convolution_infer(i, TP__CONVOLUTION_WEIGHT);
}

/* ---- Derivatives -------------------------------------------------------------------------------------- */

static tp_tensor record(tp__convolution_role role, tp_tensor a, tp_tensor b, tp__convolution attr,
                        tp_tensor like);

/* Operands: images, weight.  The weight first: then the images, which may be large, are read no more. */
static void convolution_vjp(const tp_vjp *d)
{
    const tp__convolution *a = d->attr;
    if (d->need[1])
        d->dx[1] = record(TP__CONVOLUTION_WEIGHT, d->x[0], d->g, *a, d->x[1]);
    if (d->need[0])
        d->dx[0] = record(TP__CONVOLUTION_IMAGES, d->g, d->x[1], *a, d->x[0]);
}

/* Operands: result, weight. */
static void images_vjp(const tp_vjp *d)
{
    const tp__convolution *a = d->attr;
    if (d->need[0])
        d->dx[0] = record(TP__CONVOLUTION, d->g, d->x[1], *a, (tp_tensor){0});
    if (d->need[1])
        d->dx[1] = record(TP__CONVOLUTION_WEIGHT, d->g, d->x[0], *a, d->x[1]);
}

/* Operands: images, result. */
static void weight_vjp(const tp_vjp *d)
{
    const tp__convolution *a = d->attr;
    if (d->need[0])
        d->dx[0] = record(TP__CONVOLUTION_IMAGES, d->x[1], d->g, *a, d->x[0]);
    if (d->need[1])
        d->dx[1] = record(TP__CONVOLUTION, d->x[0], d->g, *a, (tp_tensor){0});
}

/* ---- Channels in blocks ------------------------------------------------------------------------------- */

bool tp__has_channels(tp__convolution_role role, int k)
{
    return k == 0 || role == TP__CONVOLUTION_WEIGHT;
}

static tp_tensor in_blocks(const tp_blocked *b, tp__convolution_role role)
{
    const tp__convolution *a = tp_blocked_attr(b);
    const tp_shape shape[2] = {tp_blocked_shape(b, 0), tp_blocked_shape(b, 1)};
    tp_tensor x[2];
    bool any = false;

    if (tp__convolution_block(role, shape, tp_blocked_dtype(b), a) != tp_block_of(b))
        return (tp_tensor){0};
    for (int k = 0; k < 2; k++)
        any = any || (tp__has_channels(role, k) && tp_is_blocked(b, k));
    const bool plain = !any && tp__convolution_is_fast_plain(role, shape, a);
    for (int k = 0; k < 2; k++) {
        x[k] = plain || !tp__has_channels(role, k) ? (tp_tensor){0} : tp_blocked_operand(b, k);
        if (x[k].tape == NULL)
            x[k] = tp_plain_operand(b, k);
    }
    return tp__record_blocked_convolution(role, x[0], x[1], *a, tp_block_of(b), (tp_tensor){0});
}

static tp_tensor convolution_in_blocks(const tp_blocked *b)
{
    return in_blocks(b, TP__CONVOLUTION);
}

static tp_tensor images_in_blocks(const tp_blocked *b)
{
    return in_blocks(b, TP__CONVOLUTION_IMAGES);
}

static tp_tensor weight_in_blocks(const tp_blocked *b)
{
    return in_blocks(b, TP__CONVOLUTION_WEIGHT);
}

static int64_t convolution_block(const tp_shape *x_shape, tp_dtype dtype, const void *attr)
{
    return tp__convolution_block(TP__CONVOLUTION, x_shape, dtype, attr);
}

static int64_t images_block(const tp_shape *x_shape, tp_dtype dtype, const void *attr)
{
    return tp__convolution_block(TP__CONVOLUTION_IMAGES, x_shape, dtype, attr);
}

static int64_t weight_block(const tp_shape *x_shape, tp_dtype dtype, const void *attr)
{
    return tp__convolution_block(TP__CONVOLUTION_WEIGHT, x_shape, dtype, attr);
}

/* ---- The ops ------------------------------------------------------------------------------------------ */

static const tp_op convolution = {
    .name = "conv2d",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(tp__convolution),
    .infer = convolution_infer,
    .vjp = convolution_vjp,
    .run = tp__convolve,
    .scratch_size = tp__convolve_scratch,
    .block = convolution_block,
    .blocked = convolution_in_blocks,
};

static const tp_op convolution_images = {
    .name = "conv_transpose2d",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(tp__convolution),
    .infer = images_infer,
    .vjp = images_vjp,
    .run = tp__convolve_images,
    .scratch_size = tp__convolve_images_scratch,
    .block = images_block,
    .blocked = images_in_blocks,
};

static const tp_op convolution_weight = {
    .name = "conv2d_weight",
    .kind = TP_CALL,
    .arity = 2,
    .flags = TP_OP_THREAD_DEPENDENT,
    .attr_size = sizeof(tp__convolution),
    .infer = weight_infer,
    .vjp = weight_vjp,
    .run = tp__convolve_weight,
    .scratch_size = tp__convolve_weight_scratch,
    .block = weight_block,
    .blocked = weight_in_blocks,
};

/* The last two sizes of the result are those of `like`, where the operands do not tell them. */
static tp_tensor record(tp__convolution_role role, tp_tensor a, tp_tensor b, tp__convolution attr,
                        tp_tensor like)
{
    static const tp_op *const op[] = {&convolution, &convolution_images, &convolution_weight};
    for (int axis = 0; axis < 2; axis++)
        attr.size[axis] = role == TP__CONVOLUTION ? 0 : tp_shape_of(like).dim[2 + axis];
    return tp_record(op[role], (tp_tensor[]){a, b}, 2, &attr);
}

/* ---- Recording ---------------------------------------------------------------------------------------- */

static void default_pair(int64_t to[2], const int64_t given[2])
{
    const bool none = given[0] == 0 && given[1] == 0;
    to[0] = none ? 1 : given[0];
    to[1] = none ? 1 : given[1];
}

static tp__convolution attributes(const tp_convolution_options *o)
{
    static const tp_convolution_options defaults = {0};
    tp__convolution a = {0};
    if (o == NULL)
        o = &defaults;
    default_pair(a.stride, o->stride);
    default_pair(a.dilation, o->dilation);
    a.padding[0] = o->padding[0];
    a.padding[1] = o->padding[1];
    a.groups = o->groups == 0 ? 1 : o->groups;
    return a;
}

/* y + bias, one number for each channel (axis 1), unless the bias is absent. */
static tp_tensor add_bias(tp_tensor y, tp_tensor bias, const char *op_name)
{
    const tp_shape shape = tp_shape_of(y), own = tp_shape_of(bias);
    char text[TP_TEXT_SIZE];

    if (bias.tape == NULL || !tp_is_valid(y))
        return y;
    if (!tp_is_valid(bias))
        return tp_add(y, bias); /* which says what is wrong with it, if that has not been said */
    if (own.rank != 1 || own.dim[0] != shape.dim[1])
        return tp_fail(y, TP_BAD_SHAPE, "%s: the bias must have the shape [%lld], but is %s", op_name,
                       (long long)shape.dim[1], tp_describe(tp_dtype_of(bias), &own, text));
    tp_shape channels = {.rank = shape.rank};
    for (int64_t d = 0; d < shape.rank; d++)
        channels.dim[d] = d == 1 ? -1 : 1;
    if (shape.dim[1] == 0)
        channels.dim[1] = 0;
    return tp_add(y, tp_reshape(tp_locate(bias, y.file, y.line), channels));
}

tp_tensor tp_conv2d(tp_tensor x, tp_tensor weight, tp_tensor bias, const tp_convolution_options *options)
{
    const tp__convolution a = attributes(options);
    return add_bias(record(TP__CONVOLUTION, x, weight, a, (tp_tensor){0}), bias, "conv2d");
}

/* [a, b, l] as [a, b, 1, l]; of another rank, as it is. */
static tp_tensor with_height(tp_tensor x)
{
    return tp_is_valid(x) && tp_shape_of(x).rank == 3 ? tp_unsqueeze(x, 2) : x;
}

tp_tensor tp_conv1d(tp_tensor x, tp_tensor weight, tp_tensor bias, const tp_convolution_options *options)
{
    tp__convolution a = attributes(options);
    const tp_shape xs = tp_shape_of(x), ws = tp_shape_of(weight);
    char left[TP_TEXT_SIZE], right[TP_TEXT_SIZE];

    if (tp_is_valid(x) && tp_is_valid(weight) && (xs.rank != 3 || ws.rank != 3))
        return tp_fail(x, TP_BAD_SHAPE,
                       "conv1d: sequences are [n,channels,length], the weight is [out,in/groups,length]: "
                       "%s, %s",
                       tp_describe(tp_dtype_of(x), &xs, left), tp_describe(tp_dtype_of(weight), &ws, right));
    a.stride[1] = a.stride[0];
    a.padding[1] = a.padding[0];
    a.dilation[1] = a.dilation[0];
    a.stride[0] = a.dilation[0] = 1;
    a.padding[0] = 0;
    const tp_tensor y = record(TP__CONVOLUTION, with_height(x), with_height(weight), a, (tp_tensor){0});
    return add_bias(tp_is_valid(y) ? tp_squeeze(y, TP_AXES(2)) : y, bias, "conv1d");
}

/* The size of the images; 0 where nothing is left, so that the shape rule says so. */
static int64_t transposed_size(const tp__convolution *a, int axis, int64_t places, int64_t extent,
                               int64_t more)
{
    const int64_t size =
        (places - 1) * a->stride[axis] - 2 * a->padding[axis] + a->dilation[axis] * (extent - 1) + 1 + more;
    return places < 1 || size < 0 ? 0 : size;
}

tp_tensor tp_conv_transpose2d(tp_tensor x, tp_tensor weight, tp_tensor bias,
                              const tp_convolution_options *options)
{
    tp__convolution a = attributes(options);
    const tp_shape xs = tp_shape_of(x), ws = tp_shape_of(weight);

    for (int axis = 0; axis < 2; axis++) {
        const int64_t more = options == NULL ? 0 : options->output_padding[axis];
        if (more < 0 || (more > 0 && more >= a.stride[axis]))
            return tp_fail(x, TP_BAD_ARGUMENT,
                           "conv_transpose2d: the output padding must be at least 0 and below the stride, "
                           "but is %lld",
                           (long long)more);
        if (xs.rank == 4 && ws.rank == 4 && a.stride[axis] <= INT32_MAX && a.padding[axis] <= INT32_MAX &&
            a.dilation[axis] <= INT32_MAX && xs.dim[2 + axis] <= INT32_MAX && ws.dim[2 + axis] <= INT32_MAX)
            a.size[axis] = transposed_size(&a, axis, xs.dim[2 + axis], ws.dim[2 + axis], more);
    }
    const tp_tensor y = tp_record(&convolution_images, (tp_tensor[]){x, weight}, 2, &a);
    return add_bias(y, bias, "conv_transpose2d");
}

const tp_op *const tp__convolution_ops[] = {&convolution, &convolution_images, &convolution_weight, NULL};
