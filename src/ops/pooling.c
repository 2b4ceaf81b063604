/* pooling.c -- max_pool2d, avg_pool2d.
 *
 * The positions of maxima are an op of its own, with zero derivative.  Picking elements by them, and putting elements back where
 * they were picked, are linear and each other's derivative; so are a mean and its transpose.
 *
 * The ops also take channels in blocks (pooling.h), which no constructor records.
 */
#include "pooling.h"

#include <tapir/ops.h>

#include "lists.h"
#include "matrices.h"

/* ---- Shapes ------------------------------------------------------------------------------------------- */

int64_t tp__window_count(const tp__pooling *a, int axis, int64_t length)
{
    const int64_t stride = a->stride[axis],
                  room = length + 2 * a->padding[axis] - a->dilation[axis] * (a->window[axis] - 1) - 1;
    int64_t n = room < 0 ? 0 : (room + (a->ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (a->ceil_mode && n > 1 && (n - 1) * stride >= length + a->padding[axis])
        n--; /* it would begin beyond the edge */
    return n;
}

/* Does window i hold an element of the axis? */
static bool holds_something(const tp__pooling *a, int axis, int64_t length, int64_t i)
{
    const int64_t start = i * a->stride[axis] - a->padding[axis], step = a->dilation[axis];
    const int64_t first =
        start < 0 ? (-start + step - 1) / step : 0; /* of its elements, the first not before 0 */
    return first < a->window[axis] && start + first * step < length;
}

static const char *attribute_fault(tp_inference *i, const tp__pooling *a)
{
    i->fault = TP_BAD_ARGUMENT;
    for (int axis = 0; axis < 2; axis++) {
        if (a->window[axis] < 1)
            return "the window must have at least 1 element along both axes";
        if (a->stride[axis] < 1 || a->dilation[axis] < 1)
            return "strides and dilations must be at least 1, along both axes";
        if (a->padding[axis] < 0)
            return "the padding must not be negative";
        if (a->window[axis] > INT32_MAX || a->stride[axis] > INT32_MAX || a->dilation[axis] > INT32_MAX ||
            a->padding[axis] > INT32_MAX)
            return "windows, strides, dilations and paddings must be below 2^31";
    }
    i->fault = TP_BAD_SHAPE;
    return NULL;
}

/* What all shape rules begin with. */
static const char *images_fault(tp_inference *i)
{
    const char *fault = tp__float_fault(i);
    if (fault == NULL)
        fault = attribute_fault(i, i->attr);
    if (fault == NULL && i->x_shape[0].rank != 4 && i->x_shape[0].rank != 5)
        fault = "images are [n,channels,height,width]";
    if (fault == NULL && (i->x_shape[0].dim[2] > INT32_MAX || i->x_shape[0].dim[3] > INT32_MAX))
        fault = "the images are too large to count their elements in i32";
    return fault;
}

/* Sets height and width of y to those of the windows over an image of the given size. */
static const char *count_windows(const tp__pooling *a, const int64_t *length, tp_shape *y)
{
    for (int axis = 0; axis < 2; axis++) {
        const int64_t n = tp__window_count(a, axis, length[axis]);
        if (n < 1)
            return "the window is larger than the padded images";
        for (int64_t i = 0; i < n; i++)
            if (!holds_something(a, axis, length[axis], i))
                return "there is a window with nothing but padding in it";
        y->dim[2 + axis] = n;
    }
    return NULL;
}

static const char *windows_infer(tp_inference *i)
{
    const char *fault = images_fault(i);
    if (fault != NULL)
        return fault;
    i->y_shape = i->x_shape[0];
    return count_windows(i->attr, &i->x_shape[0].dim[2], &i->y_shape);
}

/* Of the windows' shape: the images. */
static const char *images_infer(tp_inference *i)
{
    const tp__pooling *a = i->attr;
    const char *fault = images_fault(i);
    tp_shape windows = i->x_shape[0];

    if (fault == NULL)
        fault = count_windows(a, a->size, &windows);
    if (fault != NULL)
        return fault;
    if (!tp_shape_equal(windows, i->x_shape[0]))
        return "images of this size have another number of windows";
    i->y_shape = i->x_shape[0];
    i->y_shape.dim[2] = a->size[0];
    i->y_shape.dim[3] = a->size[1];
    return NULL;
}

static const char *position_infer(tp_inference *i)
{
    const char *fault = windows_infer(i);
    i->y_dtype = TP_I32;
    if (fault == NULL && i->x_shape[0].dim[2] * i->x_shape[0].dim[3] > INT32_MAX)
        return "the images are too large to count their elements in i32";
    return fault;
}

/* Of one operand alone, by the rule of an op of one. */
static const char *infer_from(tp_inference *i, tp_infer_rule rule)
{
    tp_inference first = *i;
    first.n = 1;
    first.same_dtype = true;
    const char *fault = rule(&first);
    i->y_shape = first.y_shape;
    i->fault = first.fault;
    return fault;
}

/* Operand 1 are the positions of maxima, one for each window. */
static const char *positions_fault(tp_inference *i, const tp_shape *windows)
{
    if (i->x_dtype[1] != TP_I32) {
        i->fault = TP_BAD_DTYPE;
        return "positions must be i32";
    }
    return tp_shape_equal(i->x_shape[1], *windows) ? NULL : "there must be one position for each window";
}

static const char *pick_infer(tp_inference *i)
{
    const char *fault = infer_from(i, windows_infer);
    return fault != NULL ? fault : positions_fault(i, &i->y_shape);
}

static const char *put_infer(tp_inference *i)
{
    const char *fault = infer_from(i, images_infer);
    return fault != NULL ? fault : positions_fault(i, &i->x_shape[0]);
}

/* ---- Maxima ------------------------------------------------------------------------------------------- */

/* What all of them are: no kernel can fail, and channels may be in blocks. */
enum { FLAGS = TP_OP_INFALLIBLE | TP_OP_PER_CHANNEL };

static void pick_vjp(const tp_vjp *d);
static void put_vjp(const tp_vjp *d);

static const tp_op position = {
    .name = "max_pool2d",
    .kind = TP_CALL,
    .arity = 1,
    .flags = FLAGS,
    .attr_size = sizeof(tp__pooling),
    .infer = position_infer,
    .vjp = tp_zero_derivative,
    .run = tp__position_run,
    .scratch_size = tp__position_scratch,
};

static const tp_op pick = {
    .name = "max_pool2d_pick",
    .kind = TP_CALL,
    .arity = 2,
    .flags = FLAGS,
    .attr_size = sizeof(tp__pooling),
    .infer = pick_infer,
    .vjp = pick_vjp,
    .run = tp__pick_run,
};

static const tp_op put = {
    .name = "max_pool2d_put",
    .kind = TP_CALL,
    .arity = 2,
    .flags = FLAGS,
    .attr_size = sizeof(tp__pooling),
    .infer = put_infer,
    .vjp = put_vjp,
    .run = tp__put_run,
    .scratch_size = tp__put_scratch,
};

/* The attributes of an op that yields windows of such images, or such images. */
static tp__pooling without_size(const tp_vjp *d)
{
    tp__pooling a = *(const tp__pooling *)d->attr;
    a.size[0] = a.size[1] = 0;
    return a;
}

static tp__pooling with_size(const tp_vjp *d)
{
    tp__pooling a = *(const tp__pooling *)d->attr;
    const tp_shape images = tp_shape_of(d->x[0]);
    a.size[0] = images.dim[2];
    a.size[1] = images.dim[3];
    return a;
}

static void pick_vjp(const tp_vjp *d)
{
    const tp__pooling a = with_size(d);
    d->dx[0] = tp_record(&put, (tp_tensor[]){d->g, d->x[1]}, 2, &a);
}

static void put_vjp(const tp_vjp *d)
{
    const tp__pooling a = without_size(d);
    d->dx[0] = tp_record(&pick, (tp_tensor[]){d->g, d->x[1]}, 2, &a);
}

/* ---- Means ------------------------------------------------------------------------------------------------ */

static void mean_vjp(const tp_vjp *d);
static void share_vjp(const tp_vjp *d);

static const tp_op mean_pool = {
    .name = "avg_pool2d",
    .kind = TP_CALL,
    .arity = 1,
    .flags = FLAGS,
    .attr_size = sizeof(tp__pooling),
    .infer = windows_infer,
    .vjp = mean_vjp,
    .run = tp__mean_run,
    .scratch_size = tp__mean_scratch,
};

static const tp_op share = {
    .name = "avg_pool2d_transpose",
    .kind = TP_CALL,
    .arity = 1,
    .flags = FLAGS,
    .attr_size = sizeof(tp__pooling),
    .infer = images_infer,
    .vjp = share_vjp,
    .run = tp__share_run,
    .scratch_size = tp__share_scratch,
};

static void mean_vjp(const tp_vjp *d)
{
    const tp__pooling a = with_size(d);
    d->dx[0] = tp_record(&share, &d->g, 1, &a);
}

static void share_vjp(const tp_vjp *d)
{
    const tp__pooling a = without_size(d);
    d->dx[0] = tp_record(&mean_pool, &d->g, 1, &a);
}

/* ---- Masks -------------------------------------------------------------------------------------------- */

/* The mask at the positions of the maxima of y, of which it is a map with known numbers; or an absent tensor. */
static tp_tensor picked_mask(tp_tensor mask, tp_tensor y, tp_tensor at)
{
    enum { MOST = 2 };
    const tp_op *op = tp_op_of(mask);
    tp_tensor x[MOST];
    bool of_y = false;

    if (op->kind != TP_MAP || op->arity > MOST || (op->flags & TP_OP_IMPURE))
        return (tp_tensor){0};
    for (int k = 0; k < op->arity; k++) {
        x[k] = tp_operand_of(mask, k);
        if (x[k].id == y.id) {
            x[k] = tp_record(&pick, (tp_tensor[]){y, at}, 2, tp_attr_of(at));
            of_y = true;
        } else if (!tp_is_scalar_constant(x[k], NULL)) {
            return (tp_tensor){0};
        }
    }
    return of_y ? tp_record(op, x, op->arity, tp_attr_of(mask)) : (tp_tensor){0};
}

tp_tensor tp__mask_before_put(const tp_op *op, tp_tensor mask, tp_tensor x)
{
    if (tp_op_of(x) != &put || tp_op_of(tp_operand_of(x, 1)) != &position)
        return (tp_tensor){0};
    const tp_tensor g = tp_operand_of(x, 0), at = tp_operand_of(x, 1);
    const tp_tensor picked = picked_mask(mask, tp_operand_of(at, 0), at);
    if (picked.tape == NULL)
        return (tp_tensor){0};
    return tp_record(&put, (tp_tensor[]){tp_record(op, (tp_tensor[]){picked, g}, 2, NULL), at}, 2,
                     tp_attr_of(x));
}

tp_tensor tp__before_put(tp_tensor x)
{
    return tp_op_of(x) == &put ? tp_operand_of(x, 0) : x;
}

/* ---- Recording ---------------------------------------------------------------------------------------------- */

static void set_pair(int64_t to[2], const int64_t given[2], int64_t first, int64_t second)
{
    const bool none = given[0] == 0 && given[1] == 0;
    to[0] = none ? first : given[0];
    to[1] = none ? second : given[1];
}

static tp__pooling attributes(int64_t height, int64_t width, const tp_pooling_options *o)
{
    static const tp_pooling_options defaults = {0};
    tp__pooling a = {.window = {height, width}};
    if (o == NULL)
        o = &defaults;
    set_pair(a.stride, o->stride, height, width);
    set_pair(a.padding, o->padding, 0, 0);
    set_pair(a.dilation, o->dilation, 1, 1);
    a.ceil_mode = o->ceil_mode;
    a.only_true = o->only_true_elements;
    return a;
}

tp_tensor tp__plain_images(tp_tensor x, const char *name)
{
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];
    return shape.rank != 5 ? x
                           : tp_fail(x, TP_BAD_SHAPE, "%s: images are [n,channels,height,width]: %s", name,
                                     tp_describe(tp_dtype_of(x), &shape, text));
}

tp_tensor tp_max_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options)
{
    tp__pooling a = attributes(height, width, options);
    a.only_true = 0;
    x = tp__plain_images(x, "max_pool2d");
    const tp_tensor at = tp_record(&position, &x, 1, &a);
    return tp_record(&pick, (tp_tensor[]){x, at}, 2, &a);
}

tp_tensor tp_avg_pool2d(tp_tensor x, int64_t height, int64_t width, const tp_pooling_options *options)
{
    const tp__pooling a = attributes(height, width, options);
    if (a.dilation[0] != 1 || a.dilation[1] != 1)
        return tp_fail(x, TP_BAD_ARGUMENT, "avg_pool2d: its windows have no dilation");
    x = tp__plain_images(x, "avg_pool2d");
    return tp_record(&mean_pool, &x, 1, &a);
}

const tp_op *const tp__pooling_ops[] = {&position, &pick, &put, &mean_pool, &share, NULL};
