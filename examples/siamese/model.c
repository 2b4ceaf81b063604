/* model.c -- a dense network that maps an image to a point on a sphere. */
#include "model.h"

#include <math.h>
#include <string.h>

/* ---- The embedding and its loss ----------------------------------------------------------------------- */

/* parameter: {weights, bias} of the hidden layer and of the features. */
static tp_tensor embedding(tp_tensor image, const tp_tensor *parameter)
{
    const tp_tensor hidden = tp_relu(tp_add(tp_matmul(image, parameter[0]), parameter[1]));
    const tp_tensor point = tp_add(tp_matmul(hidden, parameter[2]), parameter[3]);
    return tp_div(point, tp_norm_over(point, TP_AXES(-1), true));
}

/* Part k of the batch's parts. */
static tp_tensor part(tp_tensor points, int k, int parts)
{
    const int64_t rows = tp_shape_of(points).dim[0] / parts;
    return tp_slice(points, 0, k * rows, (k + 1) * rows, 1);
}

/* Shared weights: the images of all parts go through one embedding.  Similar pairs weigh little, or they pull all images of
 * a class into one point, and with them whatever would tell new classes apart. */
static tp_tensor record_loss(loss_kind kind, tp_tensor image, tp_tensor label, const tp_tensor *parameter)
{
    if (kind == TRIPLET) {
        const tp_tensor points = embedding(image, parameter);
        return tp_triplet_margin(part(points, 0, 3), part(points, 1, 3), part(points, 2, 3),
                                 &(tp_triplet_options){.margin = {true, 0.3}});
    }
    const tp_tensor points = embedding(image, parameter);
    const tp_tensor weight =
        tp_where(label, tp_scalar_of(image.tape, TP_F32, 1), tp_scalar_of(image.tape, TP_F32, 0.1));
    return tp_contrastive(part(points, 0, 2), part(points, 1, 2), label,
                          &(tp_contrastive_options){.weight = weight});
}

/* ---- Programs ---------------------------------------------------------------------------------------- */

/* Uniform in [-bound, bound]; one run of a program that makes them. */
static void initialise(tp_tensor weight, double bound)
{
    const tp_tensor number = tp_uniform(weight.tape, TP_F32, tp_shape_of(weight));
    const tp_tensor centred = tp_sub(number, tp_scalar(weight.tape, 0.5));
    const tp_tensor fill = tp_assign(weight, tp_scale(centred, 2 * bound));
    tp_program *program = tp_compile(&fill, 1, NULL);
    tp_run(program);
    tp_program_destroy(program);
}

bool model_create(model *m, loss_kind kind, int pixels, uint64_t seed)
{
    *m = (model){.kind = kind, .pixels = pixels, .parts = kind == TRIPLET ? 3 : 2};
    tp_tape *tape = m->tape = tp_tape_create(&(tp_tape_options){.seed = seed});

    m->parameter[0] = tp_parameter(tape, TP_F32, TP_SHAPE(pixels, HIDDEN), NULL);
    m->parameter[1] = tp_parameter(tape, TP_F32, TP_SHAPE(HIDDEN), NULL);
    m->parameter[2] = tp_parameter(tape, TP_F32, TP_SHAPE(HIDDEN, FEATURES), NULL);
    m->parameter[3] = tp_parameter(tape, TP_F32, TP_SHAPE(FEATURES), NULL);
    initialise(m->parameter[0], sqrt(6.0 / pixels));
    initialise(m->parameter[2], sqrt(3.0 / HIDDEN));

    m->image = tp_input(tape, TP_F32, TP_SHAPE(m->parts * BATCH, pixels));
    m->label = tp_input(tape, TP_I32, TP_SHAPE(BATCH));
    m->loss = record_loss(kind, m->image, m->label, m->parameter);
    tp_lint_report remarks;
    if (tp_lint(m->loss, m->parameter, PARAMETERS, &remarks) != 0)
        fputs(remarks.message, stderr);
    const tp_tensor step =
        tp_adam(m->loss, m->parameter, PARAMETERS, &(tp_adam_options){.optimiser = &m->adam});
    m->train = tp_compile((tp_tensor[]){m->loss, step}, 2, NULL);

    m->shown = tp_input(tape, TP_F32, TP_SHAPE(AT_ONCE, pixels));
    m->features = embedding(m->shown, m->parameter);
    m->embed = tp_compile(&m->features, 1, NULL);
    return tp_tape_status(tape) == TP_OK;
}

void model_destroy(model *m)
{
    tp_program_destroy(m->train);
    tp_program_destroy(m->embed);
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

/* x: the parameters, the images, the labels. */
static tp_tensor loss_to_check(const tp_tensor *x, void *user)
{
    const model *m = user;
    return record_loss(m->kind, x[PARAMETERS], x[PARAMETERS + 1], x);
}

bool model_check(const model *m, tp_check_report *report)
{
    const bool weights_only[PARAMETERS + 2] = {true, true, true, true, false, false};
    tp_tensor x[PARAMETERS + 2];

    memcpy(x, m->parameter, sizeof m->parameter);
    x[PARAMETERS] = m->image;
    x[PARAMETERS + 1] = m->label;
    return tp_check_gradient(loss_to_check, (void *)m, x, PARAMETERS + 2,
                             &(tp_check_options){.wrt = weights_only}, report);
}
