/* layers.c -- dense, conv2d, batch norm, dropout. */
#include <tapir/op.h>
#include <tapir/optim.h>

#include "collection.h"

static const tp_layer_options defaults = {0};

static tp_tensor no_layer(tp_tensor x)
{
    return tp_fail(x, TP_BAD_ARGUMENT, "there is no layer to apply");
}

/* ---- Dense ------------------------------------------------------------------------------------------------- */

static tp_tensor make_bias(tp_collection *c, const char *name, int64_t out, const tp_layer_options *o)
{
    return o->no_bias ? (tp_tensor){0} : tp__collection_add(c, name, "bias", TP_SHAPE(out), TP_ZEROS, false);
}

tp_dense_layer tp_make_dense(tp_collection *c, const char *name, int64_t in, int64_t out,
                             const tp_layer_options *options)
{
    const tp_layer_options *o = options != NULL ? options : &defaults;
    const tp_tensor weight = tp__collection_add(c, name, "weight", TP_SHAPE(out, in), o->initial, false);
    return (tp_dense_layer){weight, make_bias(c, name, out, o)};
}

tp_tensor tp_apply_dense(const tp_dense_layer *layer, tp_tensor x)
{
    if (layer == NULL)
        return no_layer(x);
    if (!tp_is_valid(layer->weight)) /* which is an error of the tape already, or of nobody's tape */
        return tp_matmul(x, layer->weight);
    const tp_tensor y = tp_matmul(x, tp_transpose(tp_locate(layer->weight, x.file, x.line), 0, 1));
    return layer->bias.tape != NULL ? tp_add(y, layer->bias) : y;
}

/* ---- Convolution --------------------------------------------------------------------------------------------- */

tp_conv2d_layer tp_make_conv2d(tp_collection *c, const char *name, int64_t in, int64_t out, int64_t height,
                               int64_t width, const tp_layer_options *options)
{
    const tp_layer_options *o = options != NULL ? options : &defaults;
    const int64_t groups = o->convolution.groups > 0 ? o->convolution.groups : 1;
    const tp_shape shape = TP_SHAPE(out, in % groups == 0 ? in / groups : 0, height, width);
    const tp_tensor weight = tp__collection_add(c, name, "weight", shape, o->initial, false);
    return (tp_conv2d_layer){weight, make_bias(c, name, out, o), o->convolution};
}

tp_tensor tp_apply_conv2d(const tp_conv2d_layer *layer, tp_tensor x)
{
    return layer == NULL ? no_layer(x) : tp_conv2d(x, layer->weight, layer->bias, &layer->options);
}

/* ---- Batch normalization --------------------------------------------------------------------------------------- */

tp_batch_norm_layer tp_make_batch_norm(tp_collection *c, const char *name, int64_t channels)
{
    const tp_shape shape = TP_SHAPE(channels);
    tp_batch_norm_layer layer = {.collection = c};
    layer.weight = tp__collection_add(c, name, "weight", shape, TP_ONES, false);
    layer.bias = tp__collection_add(c, name, "bias", shape, TP_ZEROS, false);
    layer.running_mean = tp__collection_add(c, name, "running_mean", shape, TP_ZEROS, true);
    layer.running_variance = tp__collection_add(c, name, "running_var", shape, TP_ONES, true);
    return layer;
}

/* `moved` is what the leaf would become if it were as it is now; it is as applications before this one have left it. */
static void move(tp_collection *c, tp_tensor leaf, tp_tensor moved, double momentum)
{
    const tp_tensor before = tp__collection_value(c, leaf);
    if (before.id != leaf.id)
        moved = tp_add(moved, tp_scale(tp_sub(before, leaf), 1 - momentum));
    tp__collection_move(c, leaf, moved);
}

tp_tensor tp_apply_batch_norm(const tp_batch_norm_layer *layer, tp_tensor x)
{
    if (layer == NULL)
        return no_layer(x);
    tp_batch_norm_options o = {.weight = layer->weight,
                               .bias = layer->bias,
                               .running_mean = layer->running_mean,
                               .running_variance = layer->running_variance,
                               .momentum = layer->momentum,
                               .epsilon = layer->epsilon};
    tp_tensor update = {0};

    if (layer->collection != NULL)
        o.training = tp__collection_training(layer->collection, &o.evaluate);
    const tp_tensor y = tp_batch_norm(x, &o, &update);
    if (tp_is_valid(update)) {
        const double momentum = o.momentum.given ? o.momentum.value : 0.1;
        move(layer->collection, layer->running_mean, tp_step_value(update, layer->running_mean), momentum);
        move(layer->collection, layer->running_variance, tp_step_value(update, layer->running_variance),
             momentum);
    }
    return y;
}

/* ---- Dropout ------------------------------------------------------------------------------------------------------ */

tp_tensor tp_apply_dropout(const tp_collection *c, tp_tensor x, double probability)
{
    bool evaluate = false;
    const tp_tensor training = c != NULL ? tp__collection_training(c, &evaluate) : (tp_tensor){0};
    if (training.tape == NULL)
        return tp_dropout(x, probability, !evaluate);
    const tp_tensor dropped = tp_dropout(x, probability, true);
    if (!tp_is_valid(dropped))
        return dropped;
    const tp_tensor trains = tp_not_equal(tp_locate(training, x.file, x.line), tp_scalar(x.tape, 0));
    return tp_where(trains, dropped, x);
}
