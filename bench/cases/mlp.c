/* mlp.c -- a training step of a small network, forward, backward and Adam in one program, beside its bare matrix
 * products; and what recording, differentiating and compiling it costs. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

enum { LAYERS = 3, PARAMETERS = 2 * LAYERS };

/* A learning rate so small that thousands of steps leave the network as it was. */
static const double RATE = 1e-7, DECAY1 = 0.9, EPSILON = 1e-8;

typedef struct network {
    const char *name;
    int layers, batch, size[LAYERS + 1];
    bool classifies; /* cross-entropy, else mean squared error */
} network;

static const network networks[] = {
    {"mlp 784-256-128-10", 3, 128, {784, 256, 128, 10}, true},
    {"mlp 20-64-32-1", 3, 32, {20, 64, 32, 1}, false},
};

typedef struct setup {
    const network *net;
    tp_tape *tape;
    tp_tensor x, y, parameter[PARAMETERS];
    tp_optimiser adam;
    tp_tensor output[2];
    tp_program *program;
    /* By hand: values and their gradients, layer by layer; size[0] is the input. */
    float *a[LAYERS + 1], *da[LAYERS + 1], *gradient[PARAMETERS];
    const float *start[PARAMETERS]; /* the parameters before the first step */
    double loss;
    int64_t nodes;
} setup;

static int64_t size_of_parameter(const network *net, int k)
{
    return k % 2 == 0 ? (int64_t)net->size[k / 2] * net->size[k / 2 + 1] : net->size[k / 2 + 1];
}

/* ---- Recorded ------------------------------------------------------------------------------------------ */

static tp_tensor record_loss(const setup *s)
{
    tp_tensor h = s->x;
    for (int l = 0; l < s->net->layers; l++) {
        h = tp_add(tp_matmul(h, s->parameter[2 * l]), s->parameter[2 * l + 1]);
        if (l + 1 < s->net->layers)
            h = tp_relu(h);
    }
    return s->net->classifies ? tp_cross_entropy(h, s->y, NULL) : tp_mse(h, s->y, NULL);
}

static void record(setup *s)
{
    s->output[0] = record_loss(s);
    s->output[1] = tp_adam(s->output[0], s->parameter, 2 * s->net->layers,
                           &(tp_adam_options){.learning_rate = RATE,
                                              .optimiser = &s->adam,
                                              .beta1 = {true, DECAY1},
                                              .epsilon = {true, EPSILON}});
}

static void create(setup *s)
{
    const network *net = s->net;
    tp_tape *tape = s->tape = tp_tape_create(NULL);
    s->x = tp_input(tape, TP_F32, TP_SHAPE(net->batch, net->size[0]));
    s->y = net->classifies ? tp_input(tape, TP_I32, TP_SHAPE(net->batch))
                           : tp_input(tape, TP_F32, TP_SHAPE(net->batch, net->size[net->layers]));
    for (int k = 0; k < 2 * net->layers; k++) {
        const int64_t rows = net->size[k / 2], columns = net->size[k / 2 + 1];
        const tp_shape shape = k % 2 == 0 ? TP_SHAPE(rows, columns) : TP_SHAPE(columns);
        const double spread = k % 2 == 0 ? sqrt(6.0 / (double)rows) : 0.1;
        s->parameter[k] = tp_parameter(tape, TP_F32, shape, NULL);
        bench_fill(tp_leaf_data(s->parameter[k], TP_F32), size_of_parameter(net, k), -spread, spread,
                   (uint64_t)k + 1);
    }

    bench_fill(tp_leaf_data(s->x, TP_F32), (int64_t)net->batch * net->size[0], 0, 1, 77);
    if (!net->classifies)
        bench_fill(tp_leaf_data(s->y, TP_F32), (int64_t)net->batch * net->size[net->layers], -1, 1, 78);
    for (int i = 0; i < net->batch && net->classifies; i++)
        ((int32_t *)tp_leaf_data(s->y, TP_I32))[i] = i % net->size[net->layers];
}

/* ---- By hand ------------------------------------------------------------------------------------------- */

static void multiply(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, const float *b,
                     float *y)
{
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a, transpose_a ? m : k, b,
                transpose_b ? k : n, 0, y, n);
}

static void forward_product(const setup *s, int l)
{
    const network *net = s->net;
    multiply(false, false, net->batch, net->size[l + 1], net->size[l], s->a[l], s->start[2 * l], s->a[l + 1]);
}

/* The gradients of layer l's weights and, but for the first layer, of its input. */
static void backward_products(const setup *s, int l)
{
    const network *net = s->net;
    multiply(true, false, net->size[l], net->size[l + 1], net->batch, s->a[l], s->da[l + 1],
             s->gradient[2 * l]);
    if (l > 0)
        multiply(false, true, net->batch, net->size[l], net->size[l + 1], s->da[l + 1], s->start[2 * l],
                 s->da[l]);
}

static void run_products(void *state)
{
    const setup *s = state;
    for (int l = 0; l < s->net->layers; l++)
        forward_product(s, l);
    for (int l = s->net->layers; l-- > 0;)
        backward_products(s, l);
    bench_sink = (double)s->gradient[0][0];
}

/* The gradient of the loss with respect to the last layer's result, and the loss. */
static void loss_by_hand(setup *s)
{
    const network *net = s->net;
    const int columns = net->size[net->layers];
    const double share = 1 / (double)net->batch;

    s->loss = 0;
    for (int r = 0; r < net->batch; r++) {
        const float *z = s->a[net->layers] + r * columns;
        float *dz = s->da[net->layers] + r * columns;
        double total = 0;
        for (int c = 0; c < columns; c++)
            total += exp((double)z[c]);
        if (net->classifies)
            s->loss += share * (log(total) - (double)z[r % columns]);
        for (int c = 0; c < columns; c++) {
            const double target =
                net->classifies ? 0 : (double)((float *)tp_leaf_data(s->y, TP_F32))[r * columns + c];
            const double d = (double)z[c] - target;
            dz[c] = (float)(net->classifies ? share * (exp((double)z[c]) / total - (c == r % columns))
                                            : 2 * share * d / columns);
            s->loss += net->classifies ? 0 : share * d * d / columns;
        }
    }
}

static void gradient_by_hand(setup *s)
{
    const network *net = s->net;
    for (int l = 0; l < net->layers; l++) {
        const int columns = net->size[l + 1];
        forward_product(s, l);
        for (int i = 0; i < net->batch * columns; i++) {
            const float z = s->a[l + 1][i] + s->start[2 * l + 1][i % columns];
            s->a[l + 1][i] = l + 1 < net->layers && z < 0 ? 0 : z;
        }
    }
    loss_by_hand(s);
    for (int l = net->layers; l-- > 0;) {
        const int columns = net->size[l + 1];
        for (int i = 0; i < net->batch * columns; i++) {
            if (l + 1 < net->layers && s->a[l + 1][i] <= 0)
                s->da[l + 1][i] = 0;
            s->gradient[2 * l + 1][i % columns] += s->da[l + 1][i];
        }
        backward_products(s, l);
    }
}

/* After one step from zero moments m is (1 - decay) times the gradient, and w follows from it. */
static bool agrees(suite *b, const setup *s)
{
    const char *name = s->net->name;
    bool fine = bench_agree(b, name, "loss", tp_item(s->output[0]), s->loss, 1e-5);
    for (int k = 0; k < 2 * s->net->layers && fine; k++) {
        const int64_t n = size_of_parameter(s->net, k);
        const float *m = tp_values(tp_optimiser_state(&s->adam, k, 0), TP_F32),
                    *w = tp_values(s->parameter[k], TP_F32);
        float *expected = bench_allocate((size_t)n * sizeof *expected);

        for (int64_t i = 0; i < n; i++)
            expected[i] = (float)((1 - DECAY1) * (double)s->gradient[k][i]);
        fine = bench_agree_f32(b, name, "first moment", n, m, expected, 1e-5);
        for (int64_t i = 0; i < n; i++) {
            const double g = (double)m[i] / (1 - DECAY1);
            expected[i] = (float)((double)s->start[k][i] - RATE * g / (fabs(g) + EPSILON));
        }
        fine = fine && bench_agree_f32(b, name, "parameter", n, w, expected, 1e-6);
        free(expected);
    }
    return fine;
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static void prepare_by_hand(setup *s)
{
    const network *net = s->net;
    for (int l = 0; l <= net->layers; l++) {
        const size_t bytes = (size_t)net->batch * (size_t)net->size[l] * sizeof(float);
        s->a[l] = bench_allocate(bytes);
        s->da[l] = bench_allocate(bytes);
        if (l == 0)
            memcpy(s->a[l], tp_values(s->x, TP_F32), bytes);
    }
    for (int k = 0; k < 2 * net->layers; k++) {
        const size_t bytes = (size_t)size_of_parameter(net, k) * sizeof(float);
        float *start = bench_allocate(bytes);
        s->gradient[k] = bench_allocate(bytes);
        s->start[k] = memcpy(start, tp_values(s->parameter[k], TP_F32), bytes);
    }
}

static void release_by_hand(setup *s)
{
    for (int l = 0; l <= s->net->layers; l++) {
        free(s->a[l]);
        free(s->da[l]);
    }
    for (int k = 0; k < 2 * s->net->layers; k++) {
        free(s->gradient[k]);
        free((void *)s->start[k]);
    }
}

static void run_case(suite *b, const network *net, int threads)
{
    setup s = {.net = net};
    if (!bench_wants(b, net->name, net->batch, threads))
        return;
    bench_threads(threads);
    bench_blas_threads(threads);
    create(&s);
    prepare_by_hand(&s);
    record(&s);
    gradient_by_hand(&s);
    s.program = bench_compile(b, net->name, s.output, 2);
    if (s.program != NULL && agrees(b, &s)) {
        size_t leaves = (size_t)(net->batch * (net->size[0] + 1) + 2);
        for (int k = 0; k < 2 * net->layers; k++)
            leaves += 3 * (size_t)size_of_parameter(net, k);
        bench_row(b, &(row){.name = net->name,
                            .dtype = "f32",
                            .n = net->batch,
                            .threads = threads,
                            .hand = run_products,
                            .state = &s,
                            .program = s.program,
                            .leaves = leaves * sizeof(float),
                            .outputs = sizeof(float)});
    }
    tp_program_destroy(s.program);
    tp_tape_destroy(s.tape);
    release_by_hand(&s);
}

void bench_mlp(suite *s)
{
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (int threads = 1; threads <= 2; threads++)
            run_case(s, &networks[i], threads);
}

/* ---- Recording ----------------------------------------------------------------------------------------- */

static void run_record(void *state)
{
    setup *s = state;
    const tp_mark mark = tp_tape_mark(s->tape);
    record(s);
    s->nodes = tp_tape_count(s->tape) - mark.count;
    tp_program_destroy(tp_compile(s->output, 2, NULL));
    tp_tape_rewind(mark);
}

/* Record, differentiate, compile, destroy, rewind; nanoseconds per node, those of the gradient included. */
void bench_record(suite *b)
{
    const char *names[] = {"record 784-256-128-10", "record 20-64-32-1"};
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        setup s = {.net = &networks[i]};
        if (!bench_wants(b, names[i], networks[i].batch, 1))
            continue;
        bench_threads(1);
        bench_blas_threads(1);
        create(&s);
        run_record(&s);
        if (tp_tape_status(s.tape) == TP_OK)
            bench_row(b, &(row){.name = names[i],
                                .dtype = "f32",
                                .n = s.nodes,
                                .threads = 1,
                                .tapir = run_record,
                                .state = &s,
                                .per = (double)s.nodes});
        tp_tape_destroy(s.tape);
    }
}
