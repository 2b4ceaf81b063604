/* model.c -- networks that map an image to FEATURES numbers. */
#include "model.h"
#include "losses.h"
#include "random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HIDDEN = 512, CHECKED = 2 };

/* ---- The embedding ------------------------------------------------------------------------------------ */

static tp_tensor dense(tp_tensor x, const tp_tensor *parameter)
{
    const tp_dense_layer layer = {parameter[0], parameter[1]};
    return tp_apply_dense(&layer, x);
}

/* The relu of the largest is the largest relu, and a quarter of the work. */
static tp_tensor convolution(tp_tensor x, const tp_tensor *parameter)
{
    const tp_conv2d_layer layer = {parameter[0], parameter[1], {.padding = {1, 1}}};
    return tp_relu(tp_max_pool2d(tp_apply_conv2d(&layer, x), 2, 2, NULL));
}

/* Shared weights: the images of all parts of a batch go through one embedding. */
static tp_tensor embedding(const model_options *o, tp_tensor image, const tp_tensor *parameter)
{
    const int64_t n = tp_shape_of(image).dim[0];
    tp_tensor h;

    if (o->net == CONVOLUTIONAL) {
        h = tp_reshape(image, TP_SHAPE(n, 1, o->side, o->side));
        h = convolution(convolution(h, parameter), parameter + 2);
        h = dense(tp_reshape(h, TP_SHAPE(n, -1)), parameter + 4);
    } else
        h = dense(tp_relu(dense(image, parameter)), parameter + 2);
    return o->on_sphere ? tp_div(h, tp_norm_over(h, TP_AXES(-1), true)) : h;
}

static void make_layers(model *m)
{
    const int quarter = m->o.side / 4;

    if (m->o.net == CONVOLUTIONAL) {
        tp_make_conv2d(m->layers, "first", 1, 32, 3, 3, NULL);
        tp_make_conv2d(m->layers, "second", 32, 64, 3, 3, NULL);
        tp_make_dense(m->layers, "features", 64 * quarter * quarter, FEATURES, NULL);
    } else {
        tp_make_dense(m->layers, "hidden", m->pixels, HIDDEN, NULL);
        tp_make_dense(m->layers, "features", HIDDEN, FEATURES, NULL);
    }
    m->parameters = tp_collection_parameters(m->layers, &m->parameter);
}

/* As PyTorch does it: weights and biases uniform within 1 / sqrt(fan-in), so that its figures can be compared with. */
static void first_values(const model *m)
{
    random_state r = {m->o.seed};
    for (int k = 0; k < m->parameters; k++) {
        const tp_tensor weight = m->parameter[k - k % 2];
        const int64_t fan_in = tp_count_of(weight) / tp_shape_of(weight).dim[0];
        float *value = tp_leaf_data(m->parameter[k], TP_F32);
        for (int64_t i = 0; i < tp_count_of(m->parameter[k]); i++)
            value[i] = (float)random_between(&r, 1 / sqrt((double)fan_in));
    }
}

/* ---- Programs ---------------------------------------------------------------------------------------- */

static tp_tensor record(const model_options *o, tp_tensor image, tp_tensor label, const tp_tensor *parameter)
{
    return record_loss(o, embedding(o, image, parameter), label);
}

bool model_create(model *m, const model_options *options)
{
    const loss_kind loss = options->loss;
    *m = (model){.o = *options,
                 .pixels = options->side * options->side,
                 .images = loss == ALL_TRIPLETS ? CLASSES * EACH : BATCH * (loss == TRIPLETS ? 3 : 2)};
    tp_tape *tape = m->tape = tp_tape_create(NULL);
    m->layers = tp_collection_create(tape, NULL);
    make_layers(m);
    if (tp_tape_status(tape) != TP_OK)
        return false;
    first_values(m);

    m->image = tp_input(tape, TP_F32, TP_SHAPE(m->images, m->pixels));
    m->label = tp_input(tape, TP_I32, TP_SHAPE(BATCH));
    m->loss = record(&m->o, m->image, m->label, m->parameter);
    tp_lint_report remarks;
    if (tp_lint(m->loss, m->parameter, m->parameters, &remarks) != 0)
        fputs(remarks.message, stderr);
    const tp_tensor step =
        tp_adam(m->loss, m->parameter, m->parameters, &(tp_adam_options){.optimiser = &m->adam});
    m->train = tp_compile((tp_tensor[]){m->loss, step}, 2, NULL);

    m->shown = tp_input(tape, TP_F32, TP_SHAPE(AT_ONCE, m->pixels));
    m->features = embedding(&m->o, m->shown, m->parameter);
    m->embed = tp_compile(&m->features, 1, NULL);
    return tp_tape_status(tape) == TP_OK;
}

void model_destroy(model *m)
{
    tp_program_destroy(m->train);
    tp_program_destroy(m->embed);
    tp_collection_destroy(m->layers);
    tp_tape_destroy(m->tape);
}

bool model_embed(model *m, const float *images, int count, float *features)
{
    float *shown = tp_leaf_data(m->shown, TP_F32);
    for (int done = 0; done < count; done += AT_ONCE) {
        const int n = count - done < AT_ONCE ? count - done : AT_ONCE;
        memcpy(shown, images + (size_t)done * (size_t)m->pixels,
               (size_t)n * (size_t)m->pixels * sizeof *shown);
        if (tp_run(m->embed) != TP_OK)
            return false;
        memcpy(features + (size_t)done * FEATURES, tp_values(m->features, TP_F32),
               (size_t)n * FEATURES * sizeof *features);
    }
    return true;
}

/* ---- The check --------------------------------------------------------------------------------------- */

/* x: the parameters, the images, the labels.  Of pairs and triplets the first CHECKED rows of each part. */
static tp_tensor loss_to_check(const tp_tensor *x, void *user)
{
    const model *m = user;
    const tp_tensor all = x[m->parameters];
    const int64_t parts = m->images / BATCH;
    tp_tensor image, label = tp_slice(x[m->parameters + 1], 0, 0, CHECKED, 1);

    if (m->o.loss == ALL_TRIPLETS)
        image = tp_slice(all, 0, 0, CHECKED * EACH, 1);
    else
        image = tp_reshape(tp_slice(tp_reshape(all, TP_SHAPE(parts, BATCH, m->pixels)), 1, 0, CHECKED, 1),
                           TP_SHAPE(parts * CHECKED, m->pixels));
    return record(&m->o, image, label, x);
}

bool model_check(const model *m, tp_check_report *report)
{
    bool weights_only[MOST_PARAMETERS + 2] = {false};
    tp_tensor x[MOST_PARAMETERS + 2];

    for (int k = 0; k < m->parameters; k++) {
        x[k] = m->parameter[k];
        weights_only[k] = true;
    }
    x[m->parameters] = m->image;
    x[m->parameters + 1] = m->label;
    return tp_check_gradient(loss_to_check, (void *)m, x, m->parameters + 2,
                             &(tp_check_options){.wrt = weights_only, .directions = 8}, report);
}
