/* steps.c -- whole training steps of two small convolutional networks, forward, backward and Adam in one program, beside the bare
 * convolutions of the step (bare.h); and the memory that they take beside what must live at once. */
#include "steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A learning rate so small that thousands of steps leave the network as it was. */
static const double RATE = 1e-9, DECAY1 = 0.9;

static const step_network networks[] = {
    {"segmentation step",
     true,
     8,
     3,
     128,
     {{8, 3, 32, 128, 3, false}, {8, 32, 64, 64, 3, true}, {8, 64, 1, 64, 1, true}},
     3},
    {"siamese step", false, 192, 1, 28, {{192, 1, 32, 28, 3, false}, {192, 32, 64, 14, 3, true}}, 2},
};

typedef struct setup {
    const step_network *net;
    tp_tape *tape;
    tp_collection *layers;
    tp_conv2d_layer convolution[STEP_CONVOLUTIONS];
    tp_dense_layer dense;
    tp_tensor image, target, output[2];
    const tp_tensor *parameter; /* the layers', weight and bias in turn */
    tp_optimiser adam;
    tp_program *program;
    bare *bare;
} setup;

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor part(tp_tensor x, int k)
{
    const int64_t rows = tp_shape_of(x).dim[0] / 3;
    return tp_slice(x, 0, k * rows, (k + 1) * rows, 1);
}

static tp_tensor record_loss(const setup *s)
{
    tp_tensor h = tp_relu(tp_apply_conv2d(&s->convolution[0], s->image));
    h = tp_max_pool2d(h, 2, 2, NULL);
    h = tp_relu(tp_apply_conv2d(&s->convolution[1], h));
    if (s->net->segments)
        return tp_dice(tp_sigmoid(tp_apply_conv2d(&s->convolution[2], h)), s->target,
                       &(tp_dice_options){.smooth = {true, STEP_DICE_EPSILON}});
    h = tp_reshape(tp_max_pool2d(h, 2, 2, NULL), TP_SHAPE(s->net->images, -1));
    h = tp_apply_dense(&s->dense, h);
    return tp_triplet_margin(part(h, 0), part(h, 1), part(h, 2),
                             &(tp_triplet_options){.margin = {true, STEP_MARGIN}});
}

static void make_layers(setup *s)
{
    const step_network *net = s->net;
    static const char *const names[STEP_CONVOLUTIONS] = {"first", "second", "third"};
    for (int k = 0; k < net->convolutions; k++) {
        const bare_shape *c = &net->convolution[k];
        const int64_t half = c->kernel / 2;
        const tp_layer_options options = {.convolution = {.padding = {half, half}}};
        s->convolution[k] =
            tp_make_conv2d(s->layers, names[k], c->in, c->out, c->kernel, c->kernel, &options);
    }
    if (!net->segments)
        s->dense =
            tp_make_dense(s->layers, "dense", 64 * (int64_t)net->size * net->size / 16, STEP_FEATURES, NULL);
}

static void create(setup *s)
{
    const step_network *net = s->net;
    const int64_t n = net->images, c = net->channels, size = net->size;
    s->tape = tp_tape_create(NULL);
    s->layers = tp_collection_create(s->tape, &(tp_collection_options){.seed = 1});
    make_layers(s);
    s->image = tp_input(s->tape, TP_F32, TP_SHAPE(n, c, size, size));
    bench_fill(tp_leaf_data(s->image, TP_F32), n * c * size * size, 0, 1, 77);
    if (net->segments) {
        const int64_t places = n * size * size / 4;
        s->target = tp_input(s->tape, TP_F32, TP_SHAPE(n, 1, size / 2, size / 2));
        float *target = tp_leaf_data(s->target, TP_F32);
        bench_fill(target, places, 0, 1, 78);
        for (int64_t i = 0; i < places; i++)
            target[i] = target[i] < 0.25f ? 1 : 0;
    }
    s->output[0] = record_loss(s);
    tp_collection_parameters(s->layers, &s->parameter);
    s->output[1] =
        tp_adam(s->output[0], s->parameter, STEP_PARAMETERS,
                &(tp_adam_options){.learning_rate = RATE, .optimiser = &s->adam, .beta1 = {true, DECAY1}});
}

/* ---- Agreement ----------------------------------------------------------------------------------------- */

static double norm(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* The loss by hand after a step of length `by` along every parameter's gradient, which is what Adam's first moments are. */
static double loss_along(const setup *s, double by)
{
    double *moved[STEP_PARAMETERS];
    for (int k = 0; k < STEP_PARAMETERS; k++) {
        const int64_t n = tp_count_of(s->parameter[k]);
        const float *w = tp_values(s->parameter[k], TP_F32);
        const float *m = tp_values(tp_optimiser_state(&s->adam, k, 0), TP_F32);
        const double length = norm(m, n);
        moved[k] = bench_allocate((size_t)n * sizeof(double));
        for (int64_t i = 0; i < n; i++)
            moved[k][i] = (double)w[i] + by * (double)m[i] / length;
    }
    const double loss = step_loss_by_hand(s->net, moved, tp_values(s->image, TP_F32),
                                          s->net->segments ? tp_values(s->target, TP_F32) : NULL);
    for (int k = 0; k < STEP_PARAMETERS; k++)
        free(moved[k]);
    return loss;
}

/* Once at the start: the loss; and how fast it grows along the gradients, which is the sum of their lengths. */
static bool agrees(suite *b, const setup *s)
{
    const double small = 1e-5;
    double lengths = 0;
    for (int k = 0; k < STEP_PARAMETERS; k++)
        lengths += norm(tp_values(tp_optimiser_state(&s->adam, k, 0), TP_F32), tp_count_of(s->parameter[k])) /
                   (1 - DECAY1);
    return bench_agree(b, s->net->name, "loss", tp_item(s->output[0]), loss_along(s, 0), 1e-5) &&
           bench_agree(b, s->net->name, "slope along the gradient", lengths,
                       (loss_along(s, small) - loss_along(s, -small)) / (2 * small), 1e-3);
}

/* ---- Memory -------------------------------------------------------------------------------------------- */

static size_t bytes_of_leaves(const setup *s)
{
    size_t leaves = (size_t)tp_count_of(s->image) + (s->net->segments ? (size_t)tp_count_of(s->target) : 0);
    for (int k = 0; k < STEP_PARAMETERS; k++)
        leaves += 3 * (size_t)tp_count_of(s->parameter[k]); /* with Adam's moments */
    return leaves * sizeof(float);
}

/* What must live at once, from the shapes.  A convolution and a pooling have their operand and their result whole; what is
 * elementwise happens in place; a pooling keeps a position of four bytes for each window, and a relu before it keeps nothing, since
 * the largest element tells.  Then there are these moments, forward and backward, with a1, a2 the convolutions' results, p1, p2
 * those of the poolings, and as many positions:
 *
 *     the first pooling, and its gradient    a1, p1, positions
 *     the second convolution                 p1, positions, a2
 *     the second pooling                     p1, positions, a2, p2, positions
 *
 * A program that ran each image through the network by itself would need less. */
static size_t bytes_at_once(const step_network *net)
{
    const size_t n = (size_t)net->images, place = (size_t)net->size * (size_t)net->size;
    const size_t a1 = n * 32 * place, p1 = a1 / 4, a2 = n * 64 * place / 4, p2 = a2 / 4;
    const size_t first = a1 + 2 * p1, second = 2 * p1 + a2 + (net->segments ? 0 : 2 * p2);
    return sizeof(float) * (first > second ? first : second);
}

static void say_memory(const suite *b, const setup *s)
{
    const double mib = 1024 * 1024, program = (double)tp_program_memory(s->program) / mib,
                 least = (double)bytes_at_once(s->net) / mib;
    struct rusage used;
    if (b->csv || b->plan)
        return;
    printf("    the program has %.2f MiB, at least %.2f must live at once: %.2f", program, least,
           program / least);
    if (b->profile && getrusage(RUSAGE_SELF, &used) == 0) /* nothing else has run but earlier rows */
        printf("; the process had up to %.1f MiB", (double)used.ru_maxrss / 1024);
    printf("\n");
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void run_bare(void *state)
{
    bare_run(((setup *)state)->bare);
}

static void run_case(suite *b, const step_network *net, int threads)
{
    setup s = {.net = net};
    if (!bench_wants(b, net->name, net->images, threads))
        return;
    bench_threads(threads);
    bench_blas_threads(threads);
    create(&s);
    s.program = bench_compile(b, net->name, s.output, 2);
    const bool alone = b->profile || b->plan;
    if (s.program != NULL && (alone || agrees(b, &s))) {
        if (!alone)
            s.bare = bare_create(net->convolution, net->convolutions);
        bench_row(b, &(row){.name = net->name,
                            .dtype = "f32",
                            .n = net->images,
                            .threads = threads,
                            .hand = run_bare,
                            .state = &s,
                            .program = s.program,
                            .leaves = bytes_of_leaves(&s),
                            .outputs = bytes_at_once(net)});
        say_memory(b, &s);
        if (!alone)
            bare_destroy(s.bare);
    }
    tp_program_destroy(s.program);
    tp_collection_destroy(s.layers);
    tp_tape_destroy(s.tape);
}

void bench_steps(suite *s)
{
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (int threads = 1; threads <= 2; threads++)
            run_case(s, &networks[i], threads);
}
