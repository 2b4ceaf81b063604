/* siamese.c -- a Siamese network: an embedding that brings images of one class together and keeps others apart, and that is
 * then asked about classes it has never seen.
 *
 *     siamese [--loss contrastive|triplet] [--data DIR] [--steps N] [--seed N] [--csv FILE]
 */
#include "siamese/evaluate.h"
#include "siamese/images.h"
#include "siamese/model.h"
#include "siamese/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EPISODES = 2000, FEW = 5, MORE = 20, ASKED = 150 };

typedef struct settings {
    loss_kind kind;
    const char *data, *csv;
    int steps;
    uint64_t seed;
} settings;

static int usage(void)
{
    fprintf(
        stderr,
        "usage: siamese [--loss contrastive|triplet] [--data DIR] [--steps N] [--seed N] [--csv FILE]\n\n"
        "  --loss   default: contrastive\n"
        "  --data   directory with train-images-idx3-ubyte and train-labels-idx1-ubyte (also .gz; t10k-...,\n"
        "           if there, are asked about); default: the digits of examples/data\n"
        "  --steps  of training; default: 6000\n"
        "  --csv    file for the loss of each step\n");
    return 2;
}

static bool parse(settings *s, int argc, char **argv)
{
    *s = (settings){.data = TAPIR_EXAMPLE_DATA "/digits", .steps = 6000, .seed = 1};
    for (int k = 1; k < argc; k += 2) {
        const char *value = k + 1 < argc ? argv[k + 1] : NULL;
        if (value == NULL)
            return false;
        if (strcmp(argv[k], "--loss") == 0 && strcmp(value, "contrastive") == 0)
            s->kind = CONTRASTIVE;
        else if (strcmp(argv[k], "--loss") == 0 && strcmp(value, "triplet") == 0)
            s->kind = TRIPLET;
        else if (strcmp(argv[k], "--data") == 0)
            s->data = value;
        else if (strcmp(argv[k], "--csv") == 0)
            s->csv = value;
        else if (strcmp(argv[k], "--steps") == 0)
            s->steps = atoi(value);
        else if (strcmp(argv[k], "--seed") == 0)
            s->seed = strtoull(value, NULL, 10);
        else
            return false;
    }
    return s->steps > 0;
}

/* ---- Batches ----------------------------------------------------------------------------------------- */

/* What training shows: images of the first `classes` classes, moved, in any of the orientations.  An orientation makes
 * a class of its own: a digit on its side is another sign. */
typedef struct shows {
    const images *set;
    int classes;
    double move;
    random_state random;
} shows;

typedef struct sign {
    int class_number, orientation;
} sign;

static sign random_sign(shows *s)
{
    const int class_number = random_below(&s->random, s->classes);
    return (sign){class_number, random_below(&s->random, ORIENTATIONS)};
}

static sign other_sign(shows *s, sign but)
{
    sign other;
    do
        other = random_sign(s);
    while (other.class_number == but.class_number && other.orientation == but.orientation);
    return other;
}

static void show(shows *s, sign what, int image, float *out)
{
    const double x = random_between(&s->random, s->move), y = random_between(&s->random, s->move);
    images_show(s->set, image, (view){x, y, what.orientation}, out);
}

/* Row i of each part.  Half of the similar images are the same one, moved otherwise. */
static void fill_row(shows *s, const model *m, int i, float *image, int32_t *label)
{
    const size_t row = (size_t)i * (size_t)m->pixels, part = (size_t)BATCH * (size_t)m->pixels;
    const sign same = random_sign(s), other = other_sign(s, same);
    const int first = images_pick(s->set, same.class_number, -1, &s->random);
    const bool once_more = random_below(&s->random, 2) == 0;
    const int similar = once_more ? first : images_pick(s->set, same.class_number, first, &s->random);
    const int different = images_pick(s->set, other.class_number, -1, &s->random);

    show(s, same, first, image + row);
    label[i] = m->kind == CONTRASTIVE ? i % 2 : 0;
    if (m->kind == TRIPLET)
        show(s, other, different, image + 2 * part + row);
    if (label[i] == 0)
        show(s, same, similar, image + part + row);
    else
        show(s, other, different, image + part + row);
}

static void fill_batch(shows *s, const model *m)
{
    float *image = tp_leaf_data(m->image, TP_F32);
    int32_t *label = tp_leaf_data(m->label, TP_I32);
    for (int i = 0; i < BATCH; i++)
        fill_row(s, m, i, image, label);
}

/* ---- The tour ---------------------------------------------------------------------------------------- */

static bool verify(shows *s, const model *m)
{
    tp_check_report report;

    fill_batch(s, m);
    const bool passed = model_check(m, &report);
    printf("1. Is the gradient of the %s loss right?  verdict: %s\n   (%s)\n\n",
           m->kind == TRIPLET ? "triplet" : "contrastive", tp_verdict_name(report.verdict), report.message);
    return passed;
}

static bool train(shows *s, const model *m, const settings *o)
{
    const tp_cosine_decay decay = {.rate = 3e-3, .steps = o->steps};
    watch w;

    if (!watch_start(&w, o->steps))
        return false;
    for (int k = 0; k < o->steps; k++) {
        fill_batch(s, m);
        tp_set_rate(m->adam.rate, tp_cosine_decay_rate(&decay, k));
        if (tp_run(m->train) != TP_OK)
            break;
        watch_step(&w, tp_item(m->loss));
    }
    const double seconds = watch_stop(&w);
    bool fine = w.step == o->steps;
    if (fine)
        printf(
            "2. Trained on classes 0 to %d: %d steps of %d %s in %.1f s.  Mean loss of the first and last\n"
            "   hundred steps: %.4f, %.4f.\n",
            s->classes - 1, w.step, BATCH, m->kind == TRIPLET ? "triplets" : "pairs", seconds,
            watch_recent(&(watch){.step = w.step < 100 ? w.step : 100, .loss = w.loss}, 100),
            watch_recent(&w, 100));
    if (fine && o->csv != NULL && (fine = watch_write(&w, o->csv)))
        printf("   The loss of every step is in %s.\n", o->csv);
    printf("\n");
    watch_free(&w);
    return fine;
}

static void show_answer(const char *what, const answer *a)
{
    printf("   %-44s %6.1f %%     %6.1f %%     %+5.1f\n", what, a->pixels, a->features,
           a->features - a->pixels);
}

/* The k nearest of `known` images per class, if there are so many. */
static bool ask_neighbours(model *m, const question *q, int k, int known)
{
    int least = q->set->count;
    char text[64];
    answer a;

    for (int c = q->first_class; c < q->end_class; c++)
        least = q->set->in_class[c] < least ? q->set->in_class[c] : least;
    if (least < 2 * known)
        return true;
    const int asked = ASKED < least - known ? ASKED : least - known;
    if (!nearest_neighbours(m, q, k, known, asked, &a))
        return false;
    snprintf(text, sizeof text, "the %d nearest of %d per class, moved", k, known);
    show_answer(text, &a);
    return true;
}

static bool ask_one_shot(model *m, const question *q, const char *how, answer *a)
{
    char text[64];

    if (!one_shot(m, q, EPISODES, a))
        return false;
    snprintf(text, sizeof text, "one-shot, %s", how);
    show_answer(text, a);
    return true;
}

/* In words, what the numbers say. */
static void conclude(const answer *moved, const answer *still, double move, int trained)
{
    const double gain = moved->features - moved->pixels, loss = still->pixels - still->features;

    printf(
        "\n   What was shown: a network that has only seen other classes recognises a new one by one image of it, both\n"
        "   moved by up to %.3g pixels, in %.0f of 100 cases; comparing pixels does in %.0f.  That is %s.\n",
        move, moved->features, moved->pixels,
        gain >= 20  ? "a large gain"
        : gain >= 3 ? "a gain"
                    : "no gain worth the name");
    if (loss > 0)
        printf(
            "   Where images do not move pixels compare well as they are, and the embedding does worse by %.0f: made from\n"
            "   %d classes, it loses some of what tells others apart.\n",
            loss, trained);
    else
        printf("   Where images do not move it does no worse either.\n");
}

static bool ask(model *m, const images *set, int first_class, double move)
{
    const int ways = set->classes - first_class;
    question q = {.set = set, .first_class = first_class, .end_class = set->classes, .seed = 2024};
    answer moved, still;
    char how[64];

    printf(
        "3. Asked about classes %d to %d, of which it has seen no image.  One-shot: one image of each class is\n"
        "   known, which of them is another image nearest to?  %d questions; guessing is right in %.0f %%.\n\n"
        "                                                 raw pixels    embedding    gain\n",
        first_class, set->classes - 1, EPISODES * ways, 100.0 / ways);
    snprintf(how, sizeof how, "moved by up to %.3g pixels", move);
    q.move = move;
    bool fine =
        ask_one_shot(m, &q, how, &moved) && ask_neighbours(m, &q, 3, FEW) && ask_neighbours(m, &q, 5, MORE);
    q.move = 0;
    fine = fine && ask_one_shot(m, &q, "in place, as they are in the data", &still);
    if (fine)
        conclude(&moved, &still, move, first_class);
    return fine;
}

static bool tour(const settings *o, const images *set, const images *asked)
{
    const int trained = set->classes / 2;
    const double move = set->columns * 3 / 16.0;
    shows s = {.set = set, .classes = trained, .move = move, .random = {o->seed}};
    model m;

    bool fine = model_create(&m, o->kind, set->pixels, o->seed);
    printf(
        "A Siamese network: %d pixels, %d hidden units, a point on the sphere in %d dimensions; %d images of %d by\n"
        "%d pixels, shown moved by up to %.3g pixels, and in training also turned and mirrored, which counts as\n"
        "another class.\n\n",
        set->pixels, HIDDEN, FEATURES, set->count, set->rows, set->columns, move);
    fine = fine && verify(&s, &m) && train(&s, &m, o) && ask(&m, asked, trained, move);
    if (tp_tape_status(m.tape) != TP_OK)
        fprintf(stderr, "%s\n", tp_tape_message(m.tape));
    model_destroy(&m);
    return fine;
}

int main(int argc, char **argv)
{
    settings o;
    images set = {0}, test = {0};

    if (!parse(&o, argc, argv))
        return usage();
    const bool has_test = images_exist(o.data, "t10k");
    bool fine = images_load(&set, o.data, "train") && (!has_test || images_load(&test, o.data, "t10k"));
    if (fine &&
        (set.classes < 4 || (has_test && (test.classes != set.classes || test.pixels != set.pixels)))) {
        fprintf(stderr, "%s: too few classes, or the two parts do not fit together\n", o.data);
        fine = false;
    }
    fine = fine && tour(&o, &set, has_test ? &test : &set);
    images_free(&set);
    images_free(&test);
    return fine ? 0 : 1;
}
