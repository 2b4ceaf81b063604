/* train.c -- a training loop: a small network tells two spirals apart, with AdamW, clipped gradients and a learning rate that
 * warms up and then decays. */
#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>

enum { POINTS = 194, HIDDEN = 32, LAYERS = 3, PARAMETERS = 2 * LAYERS, STEPS = 1500 };

static const int width[LAYERS + 1] = {2, HIDDEN, HIDDEN, 2};

/* Two arms, one and a half turns each, the one half a turn ahead of the other. */
static void make_spirals(float *position, int32_t *label)
{
    for (int i = 0; i < POINTS; i++) {
        const double along = i / 2 / (double)(POINTS / 2),
                     angle = 3 * 3.14159265 * along + 3.14159265 * (i % 2);
        position[2 * i] = (float)((0.1 + along) * cos(angle));
        position[2 * i + 1] = (float)((0.1 + along) * sin(angle));
        label[i] = i % 2;
    }
}

/* Uniform numbers in [-bound, bound], different in each layer: one run of a program that makes them. */
static void initialise(tp_tensor weight, double bound)
{
    const tp_tensor number = tp_uniform(weight.tape, TP_F32, tp_shape_of(weight));
    const tp_tensor fill =
        tp_assign(weight, tp_scale(tp_sub(number, tp_scalar(weight.tape, 0.5)), 2 * bound));
    tp_program *program = tp_compile(&fill, 1, NULL);
    tp_run(program);
    tp_program_destroy(program);
}

static tp_tensor network(tp_tensor h, const tp_tensor *parameter)
{
    for (int l = 0; l < LAYERS; l++) {
        h = tp_add(tp_matmul(h, parameter[2 * l]), parameter[2 * l + 1]);
        if (l + 1 < LAYERS)
            h = tp_tanh(h);
    }
    return h;
}

/* The part of the rows whose label has the larger of the two scores. */
static tp_tensor accuracy(tp_tensor scores, tp_tensor label)
{
    const tp_tensor first = tp_slice(scores, 1, 0, 1, 1), second = tp_slice(scores, 1, 1, 2, 1);
    const tp_tensor guess = tp_reshape(tp_greater(second, first), TP_SHAPE(POINTS));
    return tp_mean(tp_equal(guess, tp_cast(label, TP_F32)));
}

int main(void)
{
    static float position[2 * POINTS];
    static int32_t label[POINTS];
    make_spirals(position, label);

    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_constant(tape, TP_F32, TP_SHAPE(POINTS, 2), position);
    tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(POINTS), label);
    tp_tensor parameter[PARAMETERS], gradient[PARAMETERS];
    for (int l = 0; l < LAYERS; l++) {
        parameter[2 * l] = tp_parameter(tape, TP_F32, TP_SHAPE(width[l], width[l + 1]), NULL);
        parameter[2 * l + 1] = tp_parameter(tape, TP_F32, TP_SHAPE(width[l + 1]), NULL);
        initialise(parameter[2 * l], sqrt(3.0 / width[l]));
    }

    /* Recorded once: loss, gradients, clipping, the step of the optimiser. */
    tp_tensor scores = network(x, parameter);
    tp_tensor loss = tp_cross_entropy(scores, y, NULL), right = accuracy(scores, y);
    tp_gradient(loss, parameter, PARAMETERS, gradient);
    tp_tensor norm = tp_clip_by_norm(gradient, PARAMETERS, 1.0, NULL);
    tp_optimiser adamw;
    tp_tensor step =
        tp_adamw(loss, parameter, PARAMETERS,
                 &(tp_adam_options){.gradients = gradient, .weight_decay = 1e-3, .optimiser = &adamw});
    tp_program *train = tp_compile((tp_tensor[]){loss, right, norm, step}, 4, NULL);

    tp_lint_report remarks; /* what commonly goes wrong, before any time is spent on it */
    if (tp_lint(loss, parameter, PARAMETERS, &remarks) != 0)
        fputs(remarks.message, stderr);

    /* Run many times; only the learning rate is new each time. */
    const tp_cosine_decay decay = {.rate = 0.02, .steps = STEPS};
    printf("  step     rate     loss   gradient   right\n");
    for (int k = 0; k < STEPS; k++) {
        const double rate = tp_warm_up(tp_cosine_decay_rate(&decay, k), k, 50);
        tp_set_rate(adamw.rate, rate);
        if (tp_run(train) != TP_OK)
            break;
        if (k % 250 == 0 || k == STEPS - 1)
            printf("%6d  %.5f  %.5f    %.5f   %5.1f %%\n", k, rate, tp_item(loss), tp_item(norm),
                   100 * tp_item(right));
    }

    const bool fine = tp_tape_status(tape) == TP_OK && remarks.count == 0;
    if (!fine)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_program_destroy(train);
    tp_tape_destroy(tape);
    return fine ? 0 : 1;
}
