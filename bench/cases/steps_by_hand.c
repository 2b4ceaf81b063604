/* steps_by_hand.c -- the losses of steps.c in plain C, to check them with. */
#include "steps.h"

#include <math.h>
#include <stdlib.h>

/* ---- Layers, one image each ---------------------------------------------------------------------------- */

typedef struct image {
    int channels, size;
    double *at; /* [channels, size, size] */
} image;

static image new_image(int channels, int size)
{
    return (image){channels, size,
                   bench_allocate((size_t)channels * (size_t)size * (size_t)size * sizeof(double))};
}

/* y += w x, where x lies (down, right) of y. */
static void add_shifted(double *y, const double *x, int n, int down, int right, double w)
{
    for (int i = down < 0 ? -down : 0; i < n && i + down < n; i++)
        for (int j = right < 0 ? -right : 0; j < n && j + right < n; j++)
            y[i * n + j] += w * x[(i + down) * n + j + right];
}

static image convolve(image x, int kernel, int out, const double *w, const double *bias)
{
    const int n = x.size, places = n * n, elements = kernel * kernel;
    const image y = new_image(out, n);
    for (int o = 0; o < out; o++) {
        double *to = y.at + o * places;
        for (int p = 0; p < places; p++)
            to[p] = bias[o];
        for (int c = 0; c < x.channels; c++)
            for (int e = 0; e < elements; e++)
                add_shifted(to, x.at + c * places, n, e / kernel - kernel / 2, e % kernel - kernel / 2,
                            w[(o * x.channels + c) * elements + e]);
    }
    return y;
}

static void relu(image x)
{
    for (int i = 0; i < x.channels * x.size * x.size; i++)
        x.at[i] = fmax(x.at[i], 0);
}

static image pool(image x)
{
    const int n = x.size / 2;
    const image y = new_image(x.channels, n);
    for (int c = 0; c < x.channels; c++)
        for (int p = 0; p < n * n; p++) {
            const double *from = x.at + (c * x.size + 2 * (p / n)) * x.size + 2 * (p % n);
            y.at[c * n * n + p] = fmax(fmax(from[0], from[1]), fmax(from[x.size], from[x.size + 1]));
        }
    return y;
}

/* What both networks begin with. */
static image trunk(const step_network *net, double *const *parameter, const float *from)
{
    const image x = new_image(net->channels, net->size);
    for (int i = 0; i < net->channels * net->size * net->size; i++)
        x.at[i] = (double)from[i];
    const image first = convolve(x, 3, net->convolution[0].out, parameter[0], parameter[1]);
    relu(first);
    const image half = pool(first);
    const image second = convolve(half, 3, net->convolution[1].out, parameter[2], parameter[3]);
    relu(second);
    free(x.at);
    free(first.at);
    free(half.at);
    return second;
}

/* ---- Losses -------------------------------------------------------------------------------------------- */

static double dice_loss(const step_network *net, double *const *parameter, const float *from,
                        const float *target)
{
    const int pixels = net->channels * net->size * net->size, places = net->size * net->size / 4;
    double both = 0, all = 0;
    for (int b = 0; b < net->images; b++) {
        const image h = trunk(net, parameter, from + b * pixels);
        const image z = convolve(h, 1, 1, parameter[4], parameter[5]);
        for (int p = 0; p < places; p++) {
            const double y = 1 / (1 + exp(-z.at[p])), t = (double)target[b * places + p];
            both += y * t;
            all += y + t;
        }
        free(h.at);
        free(z.at);
    }
    return 1 - (2 * both + STEP_DICE_EPSILON) / (all + STEP_DICE_EPSILON);
}

static void embed(const step_network *net, double *const *parameter, const float *from, double *feature)
{
    const image h = trunk(net, parameter, from), x = pool(h);
    const int n = x.channels * x.size * x.size;
    for (int f = 0; f < STEP_FEATURES; f++) {
        feature[f] = parameter[5][f];
        for (int i = 0; i < n; i++)
            feature[f] += parameter[4][f * n + i] * x.at[i];
    }
    free(h.at);
    free(x.at);
}

static double distance(const double *a, const double *b)
{
    double sum = 0;
    for (int f = 0; f < STEP_FEATURES; f++)
        sum += pow(a[f] - b[f] + 1e-6, 2);
    return sqrt(sum);
}

static double triplet_loss(const step_network *net, double *const *parameter, const float *from)
{
    const int pixels = net->channels * net->size * net->size, part = net->images / 3 * STEP_FEATURES;
    double *feature = bench_allocate(3 * (size_t)part * sizeof *feature), loss = 0;
    for (int b = 0; b < net->images; b++)
        embed(net, parameter, from + b * pixels, feature + b * STEP_FEATURES);
    for (const double *f = feature; f < feature + part; f += STEP_FEATURES)
        loss += fmax(0, distance(f, f + part) - distance(f, f + 2 * part) + STEP_MARGIN);
    free(feature);
    return loss * STEP_FEATURES / part;
}

double step_loss_by_hand(const step_network *net, double *const *parameter, const float *images,
                         const float *target)
{
    return net->segments ? dice_loss(net, parameter, images, target) : triplet_loss(net, parameter, images);
}
