/* segmentation.c -- which pixels of a picture belong to the objects?  A small convolutional network, or a U-Net, learns to
 * colour them in, by the Dice loss with or without cross-entropy.
 *
 *     segmentation [--data DIR] [--net small|unet] [--loss dice|dice_bce] [--epochs N] [--rate R]
 *                  [--schedule constant|cosine] [--seed N] [--save FILE] [--overlay FILE] [--csv FILE]
 *
 * Without --data it makes its own pictures, handwritten digits on textured backgrounds, and the exit status says whether the
 * network finds them far better than a threshold does (it does after two epochs).
 *
 * --data is a directory of train_images.npy and train_masks.npy, test_images.npy and test_masks.npy, which examples/data/README.md
 * describes.  The published figures that are printed beside the example's own are for the set of cell nuclei described there, on
 * which
 *
 *     OMP_NUM_THREADS=1 segmentation --data nuclei --rate 3e-3 --schedule cosine
 *
 * reached a pooled Dice of 0.866, 0.873 and 0.874 with the seeds 1, 2 and 3, and at the constant rate of the published figures 0.863,
 * 0.854 and 0.866: 20 epochs of 7.6 s of processor time, 280 MiB.  With oneDNN (tapir's CMake finds it) seed 1 reached 0.867, in 2.8 s
 * an epoch and 240 MiB.  Rounding alone moves such a figure by up to a point.  The small net with --loss dice: 0.779.
 */
#define _POSIX_C_SOURCE 200809L
#include "segmentation/digits.h"
#include "segmentation/network.h"
#include "segmentation/overlay.h"
#include "segmentation/pictures.h"
#include "segmentation/scores.h"
#include "siamese/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Of the pictures that are made up.  Digits of the file from TEST_DIGITS on are in test pictures only. */
enum { SIDE = 48, TRAIN_PICTURES = 240, TEST_PICTURES = 60, TEST_DIGITS = 1257, DIGITS = 1797 };

/* ---- Options ----------------------------------------------------------------------------------------- */

typedef struct settings {
    net_kind net;
    loss_kind loss;
    const char *data, *save, *overlay, *csv;
    int epochs;  /* 0: by default */
    double rate; /* of learning */
    bool cosine; /* falling to 0 by half a cosine, not constant */
    uint64_t seed;
} settings;

static int usage(void)
{
    fprintf(
        stderr,
        "usage: segmentation [--data DIR] [--net small|unet] [--loss dice|dice_bce] [--epochs N] [--rate R]\n"
        "                    [--schedule constant|cosine] [--seed N] [--save FILE] [--overlay FILE] [--csv FILE]\n\n"
        "  --data      directory of {train,test}_{images,masks}.npy; default: digits on textured backgrounds\n"
        "  --net       default: unet\n"
        "  --loss      default: dice_bce\n"
        "  --epochs    of training; default: 20, of the digits 10\n"
        "  --rate      of learning; default: 1e-3\n"
        "  --schedule  of the rate; cosine: it falls to 0 by half a cosine; default: constant\n"
        "  --save      file for the weights (safetensors)\n"
        "  --overlay   file for an image of test pictures and what was predicted (PPM)\n"
        "  --csv       file for the loss of each step\n");
    return 2;
}

static bool parse_pair(settings *s, const char *option, const char *value)
{
    const bool small = strcmp(value, "small") == 0, dice = strcmp(value, "dice") == 0;
    const bool cosine = strcmp(value, "cosine") == 0;

    if (strcmp(option, "--net") == 0 && (small || strcmp(value, "unet") == 0))
        s->net = small ? SMALL_NET : U_NET;
    else if (strcmp(option, "--loss") == 0 && (dice || strcmp(value, "dice_bce") == 0))
        s->loss = dice ? DICE : DICE_BCE;
    else if (strcmp(option, "--schedule") == 0 && (cosine || strcmp(value, "constant") == 0))
        s->cosine = cosine;
    else if (strcmp(option, "--rate") == 0)
        return (s->rate = atof(value)) > 0;
    else if (strcmp(option, "--data") == 0)
        s->data = value;
    else if (strcmp(option, "--save") == 0)
        s->save = value;
    else if (strcmp(option, "--overlay") == 0)
        s->overlay = value;
    else if (strcmp(option, "--csv") == 0)
        s->csv = value;
    else if (strcmp(option, "--epochs") == 0)
        return (s->epochs = atoi(value)) > 0;
    else if (strcmp(option, "--seed") == 0)
        s->seed = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

static bool parse(settings *s, int argc, char **argv)
{
    *s = (settings){.net = U_NET, .loss = DICE_BCE, .rate = 1e-3, .seed = 1};
    for (int k = 1; k < argc; k += 2)
        if (k + 1 >= argc || !parse_pair(s, argv[k], argv[k + 1]))
            return false;
    if (s->epochs == 0)
        s->epochs = s->data != NULL ? 20 : 10;
    return true;
}

/* ---- Training ---------------------------------------------------------------------------------------- */

static double processor_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* What the network yields is as large as the pictures, or half as large. */
static const float *masks_for(const network *n, const pictures *p)
{
    return n->kind == SMALL_NET ? p->half : p->mask;
}

/* The batch in the leaves, mirrored in one of four ways. */
static void mirror_batch(const network *n, random_state *r)
{
    const int way = random_below(r, 4);
    const tp_shape image = tp_shape_of(n->image), mask = tp_shape_of(n->mask);
    mirror(tp_leaf_data(n->image, TP_F32), BATCH, image.dim[2], image.dim[3], way & 1, way & 2);
    mirror(tp_leaf_data(n->mask, TP_F32), BATCH, mask.dim[2], mask.dim[3], way & 1, way & 2);
}

/* One epoch; a line about it if `talk`.  False when it had to stop. */
static bool train_epoch(const network *n, tp_batches *batches, tp_monitor *monitor, const settings *s,
                        random_state *r, bool talk)
{
    const tp_cosine_decay decay = {.rate = s->rate, .steps = s->epochs * tp_batches_count(batches)};
    const double began = processor_seconds();
    double sum[MOST_TERMS] = {0};
    int steps = 0;

    while (tp_batches_next(batches) > 0) {
        mirror_batch(n, r);
        const double rate = s->cosine ? tp_cosine_decay_rate(&decay, tp_monitor_count(monitor)) : s->rate;
        if (tp_set_rate(n->adam.rate, rate) != TP_OK || !tp_monitor_run(monitor, n->train))
            return false;
        for (int k = 0; k < n->terms; k++)
            sum[k] += tp_item(n->term[k].tensor);
        steps++;
    }
    tp_monitor_epoch(monitor, NAN);
    if (!talk)
        return true;
    printf("   epoch %3lld", (long long)tp_batches_epoch(batches));
    for (int k = 0; k < n->terms; k++)
        printf("   %s %.4f", n->term[k].name, sum[k] / steps);
    printf("   (%.1f s of processor time)\n", processor_seconds() - began);
    fflush(stdout);
    return true;
}

/* *kept: the loss of each step is in its file, if there is to be one.  That it is not costs nothing else. */
static bool train(const network *n, const pictures *p, const settings *s, bool *kept)
{
    random_state random = {s->seed};
    tp_batches *batches =
        tp_batches_create((tp_batch_column[]){{n->image, p->image}, {n->mask, masks_for(n, p)}}, 2, p->count,
                          &(tp_batch_options){.shuffle = true, .seed = s->seed, .weight = n->weight});
    tp_monitor *monitor = tp_monitor_create(
        n->term, n->terms,
        &(tp_monitor_options){.steps = s->epochs * tp_batches_count(batches), .csv = s->csv});

    printf("2. Training: %d pictures of %d by %d pixels, %d at a time.  Means of each epoch:\n", p->count,
           p->height, p->width, BATCH);
    bool fine = monitor != NULL;
    for (int epoch = 1; epoch <= s->epochs && fine; epoch++)
        fine =
            train_epoch(n, batches, monitor, s, &random, epoch == 1 || epoch == s->epochs || epoch % 5 == 0);
    if (monitor != NULL && tp_monitor_stopped(monitor))
        fprintf(stderr, "%s\n", tp_monitor_message(monitor));
    *kept = tp_monitor_destroy(monitor) == TP_OK;
    if (!*kept)
        fprintf(stderr, "%s: cannot be written\n", s->csv);
    tp_batches_destroy(batches);
    return fine;
}

/* ---- Testing ----------------------------------------------------------------------------------------- */

static void print_score(const char *who, score s)
{
    printf("   %-46s %8.4f %11.4f %10.4f %10.4f\n", who, s.dice, s.dice_per_picture, s.iou, s.accuracy);
}

/* Figures for the nuclei set, by the same networks in PyTorch 1.13, trained in the same way at a constant rate of 1e-3: one seed
 * each, so that a point more or less says nothing. */
static const struct baseline {
    net_kind net;
    loss_kind loss;
    const char *who;
    score score; /* of the small net in half size, unless doubled */
} pytorch_baselines[] = {
    {SMALL_NET, DICE, "PyTorch, small net, Dice, 5 epochs", {0.7458, 0.7640, 0.5946, 0.9313}},
    {SMALL_NET, DICE, "PyTorch, small net, Dice, 20 epochs", {0.7792, 0.7927, 0.6382, 0.9384}},
    {SMALL_NET, DICE, "PyTorch, small net, Dice, 60 epochs", {0.8252, 0.8330, 0.7024, 0.9491}},
    {SMALL_NET, DICE, "  the last one's masks doubled", {0.8081, 0.7994, 0.6779, 0.9458}},
    {U_NET, DICE, "PyTorch, U-Net, Dice, 5 epochs", {0.7815, 0.7761, 0.6413, 0.9351}},
    {U_NET, DICE, "PyTorch, U-Net, Dice, 25 epochs", {0.8516, 0.8467, 0.7415, 0.9588}},
    {U_NET, DICE_BCE, "PyTorch, U-Net, Dice + BCE, 5 epochs", {0.8077, 0.8078, 0.6775, 0.9483}},
    {U_NET, DICE_BCE, "PyTorch, U-Net, Dice + BCE, 20 epochs", {0.8660, 0.8551, 0.7637, 0.9623}},
};

static void print_baselines(net_kind net)
{
    printf("\n   Published for the nuclei set, the same networks:\n");
    for (size_t k = 0; k < sizeof pytorch_baselines / sizeof *pytorch_baselines; k++)
        if (pytorch_baselines[k].net == net)
            print_score(pytorch_baselines[k].who, pytorch_baselines[k].score);
}

/* The network's masks, in `full` as large as the pictures, beside those of a threshold. */
static bool compare(const network *n, const pictures *p, const settings *s, uint8_t *own, uint8_t *full,
                    bool *better)
{
    const int64_t pixels = (int64_t)p->height * p->width, of_net = tp_count_of(n->mask) / BATCH;
    char who[64];

    for (int k = 0; k < p->count; k++)
        otsu(p->image + k * pixels, pixels, full + k * pixels);
    const score threshold = score_pictures(full, p->mask, p->count, pixels);
    if (!network_predict(n, p->image, p->count, own))
        return false;
    const score network_score = score_pictures(own, masks_for(n, p), p->count, of_net);
    for (int k = 0; k < p->count; k++)
        if (of_net < pixels)
            double_mask(own + k * of_net, p->height / 2, p->width / 2, full + k * pixels);
        else
            memcpy(full + k * pixels, own + k * pixels, (size_t)pixels);

    printf("\n3. %d other pictures:%27s Dice pooled per picture IoU pooled pixel acc.\n", p->count, "");
    snprintf(who, sizeof who, "%s, %s, %d epoch%s", n->kind == SMALL_NET ? "small net" : "U-Net",
             n->loss_kind == DICE ? "Dice" : "Dice + BCE", s->epochs, s->epochs == 1 ? "" : "s");
    print_score(who, network_score);
    const score full_score = score_pictures(full, p->mask, p->count, pixels);
    if (n->kind == SMALL_NET)
        print_score("  its masks doubled, against the full ones", full_score);
    print_score("Otsu's threshold of each, without learning", threshold);
    *better = full_score.dice > threshold.dice + 0.1;
    return true;
}

/* ---- The tour ---------------------------------------------------------------------------------------- */

static bool verify(const network *n)
{
    tp_check_report report;
    const bool passed = network_check(n, &report);
    printf("1. Is the gradient of the loss right?  verdict: %s\n   (%s)\n\n", tp_verdict_name(report.verdict),
           report.message);
    return passed;
}

static bool save(const network *n, const char *path)
{
    const tp_named *named;
    tp_io_report report;
    const int count = tp_collection_named(n->weights, &named);

    if (tp_save_parameters(path, named, count, NULL, &report) == TP_OK)
        return true;
    fprintf(stderr, "%s\n", report.message);
    return false;
}

/* What --save and --overlay ask for: each is tried, whatever became of the other. */
static bool keep(const network *n, const pictures *test, const uint8_t *predicted, const settings *s)
{
    const bool has_weights = s->save == NULL || save(n, s->save);
    const bool has_overlay = s->overlay == NULL || overlay_write(s->overlay, test, predicted);

    if (s->save != NULL && has_weights)
        printf("\n   The weights: %s\n", s->save);
    if (s->overlay != NULL && has_overlay)
        printf("\n   Some of the pictures: %s (green: right, red: wrong, blue: missed)\n", s->overlay);
    return has_weights && has_overlay;
}

static bool ask(const network *n, const pictures *test, const settings *s)
{
    const size_t pixels = (size_t)test->count * (size_t)test->height * (size_t)test->width;
    uint8_t *own = malloc(pixels), *full = malloc(pixels);
    bool better = false;

    bool fine = own != NULL && full != NULL && compare(n, test, s, own, full, &better);
    if (fine && s->data != NULL)
        print_baselines(s->net);
    fine = fine && keep(n, test, full, s);
    if (fine && s->data == NULL) {
        printf("\n   What was shown: the network finds the digits %s a threshold does.\n",
               better ? "far better than" : "no better than, or hardly better than,");
        fine = better;
    }
    free(own);
    free(full);
    return fine;
}

static bool tour(const settings *s, const pictures *training, const pictures *test)
{
    network n;
    struct rusage used;
    bool kept = true;

    bool fine = network_create(&n, s->net, s->loss, training->height, training->width, s->seed) &&
                verify(&n) && train(&n, training, s, &kept) && ask(&n, test, s);
    if (tp_tape_status(n.tape) != TP_OK)
        fprintf(stderr, "%s\n", tp_tape_message(n.tape));
    network_destroy(&n);
    if (getrusage(RUSAGE_SELF, &used) == 0)
        printf("\n   %.1f s of processor time, at most %.0f MiB of memory.\n", processor_seconds(),
               (double)used.ru_maxrss / 1024);
    return fine && kept;
}

static bool load(const settings *s, pictures *training, pictures *test)
{
    if (s->data != NULL)
        return pictures_load(training, s->data, "train") && pictures_load(test, s->data, "test");
    const char *file = TAPIR_EXAMPLE_DATA "/digits/train-images-idx3-ubyte";
    return digits_make(training, file, 0, TEST_DIGITS, TRAIN_PICTURES, SIDE, s->seed) &&
           digits_make(test, file, TEST_DIGITS, DIGITS, TEST_PICTURES, SIDE, s->seed + 1);
}

int main(int argc, char **argv)
{
    settings s;
    pictures training = {0}, test = {0};

    if (!parse(&s, argc, argv))
        return usage();
    bool fine = load(&s, &training, &test);
    if (fine && (training.height != test.height || training.width != test.width)) {
        fprintf(stderr, "%s: the pictures to train and to test with are not of one size\n", s.data);
        fine = false;
    }
    fine = fine && tour(&s, &training, &test);
    pictures_free(&training);
    pictures_free(&test);
    return fine ? 0 : 1;
}
