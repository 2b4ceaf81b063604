/* digits.c -- a tour with images of a few classes: half of them are for training, the other half is asked about. */
#include "digits.h"
#include "evaluate.h"
#include "images.h"
#include "train.h"

#include <stdio.h>

enum { EPISODES = 2000, FEW = 5, MORE = 20, ASKED = 150, DENSE_STEPS = 4000, CONVOLUTIONAL_STEPS = 2000 };

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

static bool same_sign(sign a, sign b)
{
    return a.class_number == b.class_number && a.orientation == b.orientation;
}

static sign other_sign(shows *s, sign but)
{
    sign other;
    do
        other = random_sign(s);
    while (same_sign(other, but));
    return other;
}

static void show(shows *s, sign what, int image, float *out)
{
    const double x = random_between(&s->random, s->move), y = random_between(&s->random, s->move);
    images_show(s->set, image, (view){x, y, what.orientation}, out);
}

/* A pair or a triplet: row i of each part.  Half of the similar images are the same one, moved otherwise. */
static void fill_row(shows *s, const model *m, int i, float *image, int32_t *label)
{
    const size_t row = (size_t)i * (size_t)m->pixels, part = (size_t)BATCH * (size_t)m->pixels;
    const sign same = random_sign(s), other = other_sign(s, same);
    const int first = images_pick(s->set, same.class_number, -1, &s->random);
    const bool once_more = random_below(&s->random, 2) == 0;
    const int similar = once_more ? first : images_pick(s->set, same.class_number, first, &s->random);
    const int different = images_pick(s->set, other.class_number, -1, &s->random);

    show(s, same, first, image + row);
    label[i] = m->o.loss == CONTRASTIVE ? i % 2 : 0;
    if (m->o.loss == TRIPLETS)
        show(s, other, different, image + 2 * part + row);
    if (label[i] == 0)
        show(s, same, similar, image + part + row);
    else
        show(s, other, different, image + part + row);
}

/* EACH images of one sign, which is none of the `n` before it. */
static void fill_sign(shows *s, const model *m, sign *signs, int n, float *image)
{
    for (bool new = false; !new;) {
        signs[n] = random_sign(s);
        new = true;
        for (int k = 0; k < n; k++)
            new = new && !same_sign(signs[k], signs[n]);
    }
    for (int k = 0; k < EACH; k++)
        show(s, signs[n], images_pick(s->set, signs[n].class_number, -1, &s->random),
             image + (size_t)(n * EACH + k) * (size_t)m->pixels);
}

static void fill(void *user, const model *m)
{
    shows *s = user;
    float *image = tp_leaf_data(m->image, TP_F32);
    int32_t *label = tp_leaf_data(m->label, TP_I32);
    sign signs[CLASSES];

    if (m->o.loss == ALL_TRIPLETS)
        for (int i = 0; i < CLASSES; i++)
            fill_sign(s, m, signs, i, image);
    else
        for (int i = 0; i < BATCH; i++)
            fill_row(s, m, i, image, label);
}

/* ---- Questions --------------------------------------------------------------------------------------- */

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
    char text[96];

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

/* ---- The tour ---------------------------------------------------------------------------------------- */

static bool tour(const settings *o, const images *set, const images *asked)
{
    const int trained = set->classes / 2, side = set->rows;
    const double move = side * 3 / 16.0;
    const loss_kind loss = o->has_loss ? o->loss : CONTRASTIVE;
    const model_options options = {.net = o->net,
                                   .loss = loss,
                                   .side = side,
                                   .on_sphere = true,
                                   .margin = loss == CONTRASTIVE ? 1 : 0.3,
                                   .similar_weight = 0.1,
                                   .seed = o->seed};
    shows s = {.set = set, .classes = trained, .move = move, .random = {o->seed}};
    const lesson l = {.fill = fill,
                      .user = &s,
                      .rate = 3e-3,
                      .decays = true,
                      .steps = o->steps > 0      ? o->steps
                               : o->net == DENSE ? DENSE_STEPS
                                                 : CONVOLUTIONAL_STEPS,
                      .csv = o->csv};
    model m;

    bool fine = model_create(&m, &options);
    printf(
        "A Siamese network, %s: %d pixels become a point on the sphere in %d dimensions; %d images of %d by\n"
        "%d pixels, shown moved by up to %.3g pixels, and in training also turned and mirrored, which counts as\n"
        "another class.\n\n",
        o->net == DENSE ? "dense" : "convolutional", set->pixels, FEATURES, set->count, side, side, move);
    fine = fine && check_gradient(&l, &m) && train(&l, &m) && ask(&m, asked, trained, move);
    if (tp_tape_status(m.tape) != TP_OK)
        fprintf(stderr, "%s\n", tp_tape_message(m.tape));
    model_destroy(&m);
    return fine;
}

/* Do the parts fit together, and is there enough in them? */
static const char *fault_of(const settings *o, const images *set, const images *test)
{
    if (set->classes < 4 || set->rows < 4)
        return "too few classes, or too small images";
    if (o->has_loss && o->loss == ALL_TRIPLETS && set->classes / 2 * ORIENTATIONS < CLASSES)
        return "too few classes for the loss of all triplets";
    if (test->count > 0 && (test->classes != set->classes || test->pixels != set->pixels))
        return "the two parts do not fit together";
    return NULL;
}

bool digits_tour(const settings *o)
{
    images set = {0}, test = {0};
    const bool has_test = images_exist(o->data, "t10k");
    bool fine = images_load(&set, o->data, "train") && (!has_test || images_load(&test, o->data, "t10k"));
    const char *fault = fine ? fault_of(o, &set, &test) : NULL;

    if (fault != NULL)
        fprintf(stderr, "%s: %s\n", o->data, fault);
    fine = fine && fault == NULL && tour(o, &set, has_test ? &test : &set);
    images_free(&set);
    images_free(&test);
    return fine;
}
