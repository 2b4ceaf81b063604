/* network.c -- a small convolutional network and a U-Net. */
#include "network.h"

#include <math.h>
#include <stdio.h>

/* ---- The networks ------------------------------------------------------------------------------------ */

typedef struct plan {
    const char *name;
    int in, out, kernel;
} plan;

static const plan small_net_layers[] = {{"full", 1, 32, 3}, {"half", 32, 64, 3}, {"head", 64, 1, 1}};

/* Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015, with fewer levels and
 * channels, and zeros around every image so that sizes stay. */
static const plan u_net_layers[] = {
    {"down.full.0", 1, 16, 3},   {"down.full.1", 16, 16, 3},  {"down.half.0", 16, 32, 3},
    {"down.half.1", 32, 32, 3},  {"quarter.0", 32, 64, 3},    {"quarter.1", 64, 64, 3},
    {"up.half", 64 + 32, 32, 3}, {"up.full", 32 + 16, 16, 3}, {"head", 16, 1, 1}};

static void make_layers(network *n)
{
    const plan *p = n->kind == SMALL_NET ? small_net_layers : u_net_layers;
    const size_t count = n->kind == SMALL_NET ? sizeof small_net_layers / sizeof *small_net_layers
                                              : sizeof u_net_layers / sizeof *u_net_layers;
    for (size_t k = 0; k < count; k++)
        n->layer[k] = tp_make_conv2d(
            n->weights, p[k].name, p[k].in, p[k].out, p[k].kernel, p[k].kernel,
            &(tp_layer_options){.convolution = {.padding = {p[k].kernel / 2, p[k].kernel / 2}}});
}

static tp_tensor convolve(const tp_conv2d_layer *layer, tp_tensor x)
{
    return tp_relu(tp_apply_conv2d(layer, x));
}

static tp_tensor halved(tp_tensor x)
{
    return tp_max_pool2d(x, 2, 2, NULL);
}

/* Twice as large, with the channels of `skip`, which is as large, behind its own. */
static tp_tensor doubled_beside(tp_tensor x, tp_tensor skip)
{
    const tp_shape s = tp_shape_of(skip);
    return tp_concat((tp_tensor[]){tp_upsample_nearest(x, s.dim[2], s.dim[3]), skip}, 2, 1);
}

/* Logits of half the height and width. */
static tp_tensor small_net(const tp_conv2d_layer *layer, tp_tensor image)
{
    const tp_tensor half = halved(convolve(&layer[0], image));
    return tp_apply_conv2d(&layer[2], convolve(&layer[1], half));
}

/* Logits as large as the image. */
static tp_tensor u_net(const tp_conv2d_layer *layer, tp_tensor image)
{
    const tp_tensor full = convolve(&layer[1], convolve(&layer[0], image));
    const tp_tensor half = convolve(&layer[3], convolve(&layer[2], halved(full)));
    const tp_tensor quarter = convolve(&layer[5], convolve(&layer[4], halved(half)));
    const tp_tensor up_half = convolve(&layer[6], doubled_beside(quarter, half));
    const tp_tensor up_full = convolve(&layer[7], doubled_beside(up_half, full));
    return tp_apply_conv2d(&layer[8], up_full);
}

static tp_tensor logits_of(const network *n, tp_tensor image)
{
    return n->kind == SMALL_NET ? small_net(n->layer, image) : u_net(n->layer, image);
}

/* ---- The loss ---------------------------------------------------------------------------------------- */

/* Fills term[], the loss first; returns how many there are.  Dice is of each picture by itself, so that one with few objects counts
 * as much as one with many, and a mean over the batch.  Cross-entropy, a mean over the pixels, tells each of them where to go
 * even while Dice, a ratio of sums, hardly does. */
static int record_loss(loss_kind kind, tp_tensor logits, tp_tensor mask, tp_tensor weight, tp_named *term)
{
    const tp_tensor dice =
        tp_dice(logits, mask, &(tp_dice_options){.per_sample = true, .from_logits = true, .weight = weight});
    term[0] = (tp_named){"loss", dice};
    if (kind == DICE)
        return 1;
    const tp_tensor of_pixels =
        weight.tape != NULL ? tp_reshape(weight, TP_SHAPE(-1, 1, 1, 1)) : (tp_tensor){0};
    const tp_tensor bce =
        tp_bce_with_logits(logits, mask, &(tp_bce_with_logits_options){.weight = of_pixels});
    term[0].tensor = tp_add(dice, bce);
    term[1] = (tp_named){"dice", dice};
    term[2] = (tp_named){"bce", bce};
    return 3;
}

/* ---- First values ------------------------------------------------------------------------------------ */

/* Weights and biases uniform within 1 / sqrt(inputs), as PyTorch begins: the collection's first values are uniform within
 * sqrt(6 / inputs) and zeros. */
static void initialise(network *n, int layers)
{
    tp_tensor fill[2 * MOST_LAYERS];

    for (int k = 0; k < layers; k++) {
        const tp_tensor weight = n->layer[k].weight, bias = n->layer[k].bias;
        const tp_shape s = tp_shape_of(weight);
        const double bound = 1 / sqrt((double)(s.dim[1] * s.dim[2] * s.dim[3]));
        const tp_tensor number = tp_uniform(n->tape, TP_F32, tp_shape_of(bias));
        fill[2 * k] = tp_assign(weight, tp_scale(weight, sqrt(1 / 6.0)));
        fill[2 * k + 1] = tp_assign(bias, tp_scale(tp_sub(number, tp_scalar(n->tape, 0.5)), 2 * bound));
    }
    tp_program *program = tp_compile(fill, 2 * layers, NULL);
    tp_run(program);
    tp_program_destroy(program);
}

/* ---- Programs ---------------------------------------------------------------------------------------- */

static bool looked_at(const network *n, const tp_tensor *parameter, int parameters)
{
    tp_lint_report remarks;
    if (tp_lint(n->term[0].tensor, parameter, parameters, &remarks) == 0)
        return true;
    fputs(remarks.message, stderr);
    return false;
}

static void record_batch(network *n, int height, int width)
{
    const int part = n->kind == SMALL_NET ? 2 : 1;

    n->image = tp_input(n->tape, TP_F32, TP_SHAPE(BATCH, 1, height, width));
    n->mask = tp_input(n->tape, TP_F32, TP_SHAPE(BATCH, 1, height / part, width / part));
    n->weight = tp_input(n->tape, TP_F32, TP_SHAPE(BATCH));
    const tp_tensor logits = logits_of(n, n->image);
    n->probability = tp_sigmoid(logits);
    n->terms = record_loss(n->loss_kind, logits, n->mask, n->weight, n->term);
}

static void compile(network *n, const tp_tensor *parameter, int parameters)
{
    tp_tensor output[MOST_TERMS + 1];

    for (int k = 0; k < n->terms; k++)
        output[k] = n->term[k].tensor;
    output[n->terms] =
        tp_adam(n->term[0].tensor, parameter, parameters, &(tp_adam_options){.optimiser = &n->adam});
    n->train = tp_compile(output, n->terms + 1, NULL);
    n->predict = tp_compile(&n->probability, 1, NULL);
}

bool network_create(network *n, net_kind kind, loss_kind loss, int height, int width, uint64_t seed)
{
    const tp_tensor *parameter;

    *n = (network){.kind = kind, .loss_kind = loss};
    n->tape = tp_tape_create(&(tp_tape_options){.seed = seed});
    n->weights = tp_collection_create(n->tape, &(tp_collection_options){.seed = seed});
    make_layers(n);
    const int parameters = tp_collection_parameters(n->weights, &parameter);
    initialise(n, parameters / 2);
    record_batch(n, height, width);
    const bool fine = looked_at(n, parameter, parameters);
    compile(n, parameter, parameters);
    return fine && tp_tape_status(n->tape) == TP_OK;
}

void network_destroy(network *n)
{
    tp_program_destroy(n->train);
    tp_program_destroy(n->predict);
    tp_collection_destroy(n->weights);
    tp_tape_destroy(n->tape);
}

/* The last batch may be filled up: only its real rows are looked at. */
bool network_predict(const network *n, const float *image, int count, uint8_t *predicted)
{
    const int64_t pixels = tp_count_of(n->mask) / BATCH;
    tp_batches *batches = tp_batches_create((tp_batch_column[]){{n->image, image}}, 1, count,
                                            &(tp_batch_options){.weight = n->weight});
    int64_t rows = 0, done = 0;

    while ((rows = tp_batches_next(batches)) > 0 && tp_run(n->predict) == TP_OK) {
        const float *probability = tp_values(n->probability, TP_F32);
        for (int64_t k = 0; k < rows * pixels; k++)
            predicted[done * pixels + k] = probability[k] > 0.5f;
        done += rows;
    }
    tp_batches_destroy(batches);
    return done == count;
}

/* ---- The check --------------------------------------------------------------------------------------- */

bool network_check(const network *n, tp_check_report *report)
{
    enum { PICTURES = 2, SIDE = 8 };
    const tp_tensor *parameter;
    tp_named term[MOST_TERMS];
    const int parameters = tp_collection_parameters(n->weights, &parameter);
    const tp_tensor number = tp_normal(n->tape, TP_F32, TP_SHAPE(PICTURES, 1, SIDE, SIDE));
    const tp_tensor image = tp_input(n->tape, TP_F32, tp_shape_of(number));

    const tp_tensor fill = tp_assign(image, number);
    tp_program *program = tp_compile(&fill, 1, NULL);
    tp_run(program);
    tp_program_destroy(program);

    const tp_tensor logits = logits_of(n, image), zero = tp_scalar(n->tape, 0);
    const tp_tensor shown =
        tp_slice(tp_slice(image, 2, 0, tp_shape_of(logits).dim[2], 1), 3, 0, tp_shape_of(logits).dim[3], 1);
    const tp_tensor mask = tp_cast(tp_greater(shown, zero), TP_F32);
    record_loss(n->loss_kind, logits, mask, (tp_tensor){0}, term);
    return tp_check_recorded(term[0].tensor, parameter, parameters, NULL, report);
}
