/* random_graph_images.c -- convolutions, pooling, images of another size and batch normalization as instructions. */
#include "random_graph.h"

/* [n, c, h, w]: ones in front of fewer axes, the first of more made one. */
static tp_tensor as_images(tp_tensor x)
{
    const tp_shape s = tp_shape_of(x);
    tp_shape y = {4, {1, 1, 1, 1}};
    for (int64_t d = 0; d < s.rank; d++)
        y.dim[s.rank - d > 4 ? 0 : 4 - s.rank + d] *= s.dim[d];
    return tp_reshape(x, y);
}

/* With n along an axis, repeated from what is there or from its mean. */
static tp_tensor with_size(tp_tensor x, int axis, int64_t n)
{
    tp_shape s = tp_shape_of(x);
    if (s.dim[axis] != n && s.dim[axis] != 1)
        x = tp_mean_over(x, TP_AXES(axis), true);
    s.dim[axis] = n;
    return tp_expand(x, s);
}

/* [n c, h, w], as n c sequences of h channels. */
static tp_tensor as_sequences(tp_tensor x)
{
    const tp_shape s = tp_shape_of(x);
    return tp_reshape(x, TP_SHAPE(s.dim[0] * s.dim[1], s.dim[2], s.dim[3]));
}

static tp_convolution_options convolution_options(const instruction *i)
{
    return (tp_convolution_options){
        .stride = {1 + i->p[1], 1 + i->p[3]}, .padding = {i->p[2], i->p[1]}, .dilation = {1 + i->p[3], 1}};
}

static tp_tensor record_convolution(const instruction *i, tp_tensor x, tp_tensor w)
{
    tp_convolution_options o = convolution_options(i);
    const int64_t channels = tp_shape_of(x).dim[1];
    switch (i->p[0]) {
    case 0: return tp_conv2d(x, with_size(w, 1, channels), (tp_tensor){0}, &o);
    case 1: /* every channel by itself, and a bias */
        o.groups = channels;
        w = with_size(with_size(w, 1, 1), 0, channels);
        return tp_conv2d(x, w, tp_sum_over(w, TP_AXES(1, 2, 3), false), &o);
    case 2: return tp_conv_transpose2d(x, with_size(w, 0, channels), (tp_tensor){0}, &o);
    default:
        return tp_conv1d(as_sequences(x), as_sequences(with_size(w, 2, tp_shape_of(x).dim[2])),
                         (tp_tensor){0}, &o);
    }
}

static tp_pooling_options pooling_options(const instruction *i)
{
    return (tp_pooling_options){
        .stride = {1 + i->p[1], 1 + i->p[3]}, .padding = {i->p[2] > 0, 0}, .ceil_mode = i->p[2] == 2};
}

tp_tensor record_images(const instruction *i, const tp_tensor *x)
{
    const tp_tensor images = as_images(x[0]);
    const tp_shape s = tp_shape_of(images);
    const tp_pooling_options pooling = pooling_options(i);
    tp_pooling_options true_means = pooling;

    true_means.only_true_elements = i->p[3] == 1;
    if (i->p[0] < IMAGES_OF_TWO)
        return record_convolution(i, images, tp_scale(tp_tanh(as_images(x[1])), 0.5));
    switch (i->p[0]) {
    case IMAGES_OF_TWO: return tp_max_pool2d(images, 2, 1 + i->p[3], &pooling);
    case IMAGES_OF_TWO + 1: return tp_avg_pool2d(images, 2, 1 + i->p[3], &true_means);
    case IMAGES_OF_TWO + 2: return tp_upsample_nearest(images, s.dim[2] + i->p[1], 1 + i->p[2]);
    case IMAGES_OF_TWO + 3:
        return tp_upsample_bilinear(images, s.dim[2] + i->p[1], 1 + i->p[2],
                                    &(tp_bilinear_options){.align_corners = i->p[3] == 1});
    default: return tp_batch_norm(images, &(tp_batch_norm_options){.epsilon = {true, 0.5}}, NULL);
    }
}

/* In row-major order of y: is there an element that small steps could make the largest of its window? */
static bool has_rivals(const double *image, tp_shape s, const tp_pooling_options *o, int64_t row,
                       int64_t column, int64_t width, double margin)
{
    double best = -1e300;
    int near = 0;
    for (int turn = 0; turn < 2; turn++) /* the largest, then those near it */
        for (int64_t a = 0; a < 2; a++)
            for (int64_t b = 0; b < width; b++) {
                const int64_t h = row * o->stride[0] - o->padding[0] + a,
                              w = column * o->stride[1] - o->padding[1] + b;
                if (h < 0 || h >= s.dim[2] || w < 0 || w >= s.dim[3])
                    continue;
                const double value = image[h * s.dim[3] + w];
                if (turn == 0)
                    best = value > best ? value : best;
                else
                    near += best - value <= margin;
            }
    return near > 1;
}

bool images_are_safe(const instruction *i, tp_tensor x, double margin)
{
    double value[VALUES_MAX];
    if (i->p[0] != IMAGES_OF_TWO)
        return true;
    const tp_tensor images = as_images(x);
    const tp_shape s = tp_shape_of(images), y = tp_shape_of(record_images(i, &x));
    const tp_pooling_options o = pooling_options(i);
    compute(images, value);
    for (int64_t k = 0; k < s.dim[0] * s.dim[1]; k++)
        for (int64_t row = 0; row < y.dim[2]; row++)
            for (int64_t column = 0; column < y.dim[3]; column++)
                if (has_rivals(value + k * s.dim[2] * s.dim[3], s, &o, row, column, 1 + i->p[3], margin))
                    return false;
    return true;
}
