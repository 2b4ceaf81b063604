/* model.c -- four convolutions along time, the second of which halves it:
 *
 *     conv 5, h  relu    conv 5, h, stride 2  relu    conv 5, h  relu    conv 1, 11 classes
 *
 * A batch holds strings of different lengths.  What lies behind an end is set to zero after each layer, so that a string is read
 * as if it were alone.
 */
#include "model.h"

/* ---- Layers -------------------------------------------------------------------------------------------- */

/* 1 inside of each string, 0 behind its end: [batch, 1, frames]. */
static tp_tensor inside(tp_tensor length, int64_t frames)
{
    const tp_tensor t = tp_iota(length.tape, TP_I32, frames);
    return tp_cast(tp_less(t, tp_reshape(length, TP_SHAPE(-1, 1, 1))), TP_F32);
}

typedef struct layer {
    tp_tensor weight, bias;
    tp_convolution_options options;
} layer;

static layer make_layer(tp_collection *net, const char *weight, const char *bias, int64_t in, int64_t out,
                        int64_t width, int64_t stride)
{
    return (layer){tp_make_parameter(net, weight, TP_SHAPE(out, in, width), TP_KAIMING_UNIFORM),
                   tp_make_parameter(net, bias, TP_SHAPE(out), TP_ZEROS),
                   {.stride = {stride}, .padding = {width / 2}}};
}

static tp_tensor apply(const layer *l, tp_tensor x)
{
    return tp_conv1d(x, l->weight, l->bias, &l->options);
}

/* Scores of the classes: [frames, batch, classes]. */
static tp_tensor scores(model *m, int64_t features, int64_t frames, int64_t h)
{
    const layer first = make_layer(m->net, "first.weight", "first.bias", features, h, 5, 1),
                second = make_layer(m->net, "second.weight", "second.bias", h, h, 5, 2),
                third = make_layer(m->net, "third.weight", "third.bias", h, h, 5, 1),
                last = make_layer(m->net, "last.weight", "last.bias", h, CLASSES, 1, 1);
    const tp_tensor whole = inside(m->length, frames), half = inside(m->halved, m->frames);

    tp_tensor y = tp_mul(tp_relu(apply(&first, m->x)), whole);
    y = tp_mul(tp_relu(apply(&second, y)), half);
    y = tp_mul(tp_relu(apply(&third, y)), half);
    return tp_permute(apply(&last, y), TP_AXES(2, 0, 1));
}

/* ---- The model ----------------------------------------------------------------------------------------- */

static void make_leaves(model *m, const strings *like)
{
    m->x = tp_input(m->tape, TP_F32, TP_SHAPE(BATCH, like->features, like->frames));
    m->length = tp_input(m->tape, TP_I32, TP_SHAPE(BATCH));
    m->halved = tp_input(m->tape, TP_I32, TP_SHAPE(BATCH));
    m->target = tp_input(m->tape, TP_I32, TP_SHAPE(BATCH, like->labels));
    m->target_length = tp_input(m->tape, TP_I32, TP_SHAPE(BATCH));
    m->weight = tp_input(m->tape, TP_F32, TP_SHAPE(BATCH));
}

/* The sum of -log p divided by the number of labels, of the strings that are no copies to fill the batch. */
static tp_tensor loss_per_label(const model *m, tp_tensor logits)
{
    const tp_tensor sum = tp_ctc(logits, m->target, m->halved, m->target_length,
                                 &(tp_ctc_options){.reduction = TP_SUM, .weight = m->weight});
    return tp_div(sum, tp_sum(tp_mul(m->weight, tp_cast(m->target_length, TP_F32))));
}

static bool compile(model *m)
{
    const tp_tensor *parameter;
    tp_tensor gradient[16];
    const int n = tp_collection_parameters(m->net, &parameter);

    for (int k = 0; k < n; k++)
        m->weights += (int)tp_count_of(parameter[k]);
    tp_gradient(m->loss, parameter, n, gradient);
    tp_clip_by_norm(gradient, n, 5, NULL);
    const tp_tensor step =
        tp_adam(m->loss, parameter, n, &(tp_adam_options){.gradients = gradient, .optimiser = &m->adam});
    m->train = tp_compile((tp_tensor[]){m->loss, step}, 2, NULL);
    m->read = tp_compile((tp_tensor[]){m->loss, m->best}, 2, NULL);
    return tp_tape_status(m->tape) == TP_OK;
}

bool model_create(model *m, const strings *like, int64_t h, uint64_t seed)
{
    *m = (model){.tape = tp_tape_create(NULL), .frames = (like->frames + 1) / 2};
    m->net = tp_collection_create(m->tape, &(tp_collection_options){.seed = seed});
    make_leaves(m, like);
    const tp_tensor logits = scores(m, like->features, like->frames, h);
    m->loss = loss_per_label(m, logits);
    m->best = tp_argmax_over(logits, TP_AXES(2), false);
    return compile(m);
}

tp_batches *model_batches(const model *m, const strings *s, bool shuffle, uint64_t seed)
{
    const tp_batch_column columns[] = {{m->x, s->x},
                                       {m->length, s->length},
                                       {m->halved, s->halved},
                                       {m->target, s->target},
                                       {m->target_length, s->target_length}};
    return tp_batches_create(columns, 5, s->count,
                             &(tp_batch_options){.shuffle = shuffle, .seed = seed, .weight = m->weight});
}

void model_destroy(model *m)
{
    tp_program_destroy(m->train);
    tp_program_destroy(m->read);
    tp_collection_destroy(m->net);
    tp_tape_destroy(m->tape);
    *m = (model){0};
}
