/* tapir/layers.h -- layers of networks, and collections of their parameters.
 *
 *     tp_collection *net = tp_collection_create(tape, &(tp_collection_options){.seed = 1});
 *     tp_conv2d_layer conv = tp_make_conv2d(net, "conv", 1, 8, 3, 3, NULL);
 *     tp_batch_norm_layer norm = tp_make_batch_norm(net, "norm", 8);
 *     tp_dense_layer head = tp_make_dense(net, "head", 8 * 14 * 14, 10, NULL);
 *
 *     tp_tensor h = tp_relu(tp_apply_batch_norm(&norm, tp_apply_conv2d(&conv, x)));
 *     tp_tensor logits = tp_apply_dense(&head, tp_flatten(tp_max_pool2d(h, 2, 2, NULL), 1, -1));
 *
 *     const tp_tensor *parameter;
 *     int n = tp_collection_parameters(net, &parameter);
 *     tp_tensor step = tp_adam(loss, parameter, n, NULL);
 *     tp_program *train = tp_compile((tp_tensor[]){loss, step, tp_collection_updates(net)}, 3, NULL);
 *
 * A layer is a struct of tensors, which making it adds to a collection under names ("conv.weight", "conv.bias"); applying it
 * records ordinary ops.  Applying it twice shares its parameters.
 *
 * Errors, at recording, on the collection's tape: a name that is missing, or there already (TP_BAD_ARGUMENT); sizes below 1
 * (TP_BAD_SHAPE); no memory (TP_OUT_OF_MEMORY).  The layer's tensors are then invalid, and what is made of them is.  Applying a
 * layer has the errors of the ops that it is made of.
 */
#ifndef TAPIR_LAYERS_H
#define TAPIR_LAYERS_H

#include <tapir/io/parameters.h>
#include <tapir/ops.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Collections ---------------------------------------------------------------------------------------- */

/* Named parameters and running statistics, in the order in which they were made. */
typedef struct tp_collection tp_collection;

typedef struct tp_collection_options {
    uint64_t seed;          /* of first values: the same seed, dtypes and layers give the same bits */
    bool f64;               /* else f32 */
    bool evaluate;          /* what is applied is recorded for evaluation: running statistics, no dropout */
    bool switchable;        /* a leaf decides that in every run instead: tp_collection_switch */
    tp_allocator allocator; /* zero: the C library's */
} tp_collection_options;

/* NULL when memory ran out, there is no tape, or only one allocator function was given.  It must be destroyed before its
 * tape; the parameters themselves live as long as the tape. */
TP_API tp_collection *tp_collection_create(tp_tape *tape, const tp_collection_options *options);
TP_API void tp_collection_destroy(tp_collection *collection); /* NULL is ignored */

/* Of a switchable collection the leaf, f32 and 0-d, that is 0 for evaluation and not 0 (at first 1) for training; else absent. */
TP_API tp_tensor tp_collection_switch(const tp_collection *collection);

/* What is applied from now on is recorded for training or for evaluation: for two recordings that share parameters. */
TP_API void tp_collection_evaluate(tp_collection *collection, bool evaluate);

/* The parameters that an optimiser trains, valid until another is made; returns how many. */
TP_API int tp_collection_parameters(const tp_collection *collection, const tp_tensor **parameter);

/* All parameters and running statistics with their names, in the order in which they were made, valid until another is made:
 * what tp_save_parameters and tp_load_parameters take.  Returns how many. */
TP_API int tp_collection_named(const tp_collection *collection, const tp_named **named);

/* The parameter or statistic of that name; absent if there is none. */
TP_API tp_tensor tp_collection_find(const tp_collection *collection, const char *name);

/* The assignments of running statistics of all that was applied for training since the last call, as one handle for the
 * program's outputs; absent where there is none.  A layer that was applied twice has moved twice, in that order. */
TP_API tp_tensor tp_collection_updates(tp_collection *collection);

/* ---- First values ----------------------------------------------------------------------------------------- */

/* Kaiming: He et al., "Delving deep into rectifiers", 2015; Xavier: Glorot and Bengio, "Understanding the difficulty of
 * training deep feedforward neural networks", 2010.  With f the elements that a result is summed of (fan-in) and b those that an
 * operand goes into (fan-out): */
typedef enum tp_initial {
    TP_KAIMING_UNIFORM = 0, /* within +-sqrt(6 / f) */
    TP_KAIMING_NORMAL,      /* variance 2 / f */
    TP_XAVIER_UNIFORM,      /* within +-sqrt(6 / (f + b)) */
    TP_XAVIER_NORMAL,       /* variance 2 / (f + b) */
    TP_ZEROS,
    TP_ONES
} tp_initial;

/* A parameter of your own.  Its shape is [out, in, ...]: f is in times what follows, b is out times that; of fewer than two axes
 * both are the number of elements. */
TP_API tp_tensor tp_make_parameter(tp_collection *collection, const char *name, tp_shape shape,
                                   tp_initial initial);

/* ---- Layers ----------------------------------------------------------------------------------------------- */

typedef struct tp_layer_options {
    tp_initial initial; /* of the weight; the bias begins with zeros */
    bool no_bias;
    tp_convolution_options convolution; /* of tp_make_conv2d */
} tp_layer_options;

/* x weight^T + bias: NAME.weight [out, in], NAME.bias [out]. */
typedef struct tp_dense_layer {
    tp_tensor weight, bias;
} tp_dense_layer;

TP_API tp_dense_layer tp_make_dense(tp_collection *collection, const char *name, int64_t in, int64_t out,
                                    const tp_layer_options *options);
TP_API tp_tensor tp_apply_dense(const tp_dense_layer *layer, tp_tensor x); /* [..., in] to [..., out] */

/* tp_conv2d: NAME.weight [out, in / groups, height, width], NAME.bias [out]. */
typedef struct tp_conv2d_layer {
    tp_tensor weight, bias;
    tp_convolution_options options;
} tp_conv2d_layer;

TP_API tp_conv2d_layer tp_make_conv2d(tp_collection *collection, const char *name, int64_t in, int64_t out,
                                      int64_t height, int64_t width, const tp_layer_options *options);
TP_API tp_tensor tp_apply_conv2d(const tp_conv2d_layer *layer, tp_tensor x);

/* tp_batch_norm: NAME.weight and NAME.bias, ones and zeros at first, and the statistics NAME.running_mean and
 * NAME.running_var, zeros and ones, which tp_collection_updates moves. */
typedef struct tp_batch_norm_layer {
    tp_collection *collection;
    tp_tensor weight, bias, running_mean, running_variance;
    tp_optional_number momentum, epsilon; /* as in tp_batch_norm_options */
} tp_batch_norm_layer;

TP_API tp_batch_norm_layer tp_make_batch_norm(tp_collection *collection, const char *name, int64_t channels);
TP_API tp_tensor tp_apply_batch_norm(const tp_batch_norm_layer *layer, tp_tensor x);

/* tp_dropout when the collection trains, else x. */
TP_API tp_tensor tp_apply_dropout(const tp_collection *collection, tp_tensor x, double probability);

/* ---- Places ------------------------------------------------------------------------------------------ */

/* Notes the caller's place for what is made next; returns the collection. */
TP_API tp_collection *tp_collection_locate(tp_collection *collection, const char *file, int line);

#ifndef TP_NO_PLACE
#define TP_HERE_IN(collection)               tp_collection_locate((collection), __FILE__, __LINE__)
#define tp_collection_updates(collection)    tp_collection_updates(TP_HERE_IN(collection))
#define tp_make_parameter(collection, ...)   tp_make_parameter(TP_HERE_IN(collection), __VA_ARGS__)
#define tp_make_dense(collection, ...)       tp_make_dense(TP_HERE_IN(collection), __VA_ARGS__)
#define tp_make_conv2d(collection, ...)      tp_make_conv2d(TP_HERE_IN(collection), __VA_ARGS__)
#define tp_make_batch_norm(collection, ...)  tp_make_batch_norm(TP_HERE_IN(collection), __VA_ARGS__)
#define tp_apply_dense(layer, x)             tp_apply_dense((layer), TP_HERE(x))
#define tp_apply_conv2d(layer, x)            tp_apply_conv2d((layer), TP_HERE(x))
#define tp_apply_batch_norm(layer, x)        tp_apply_batch_norm((layer), TP_HERE(x))
#define tp_apply_dropout(collection, x, ...) tp_apply_dropout((collection), TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
