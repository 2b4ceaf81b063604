/* evaluate.c -- one-shot episodes and nearest neighbours. */
#include "evaluate.h"
#include "nearest.h"

#include <stdlib.h>

enum { MOST_NEIGHBOURS = 16 };

/* Images as pixels and as features, row by row. */
typedef struct points {
    int count;
    float *pixel, *feature;
} points;

static void drop(points *p)
{
    free(p->pixel);
    free(p->feature);
}

static bool make(points *p, int count, int pixels)
{
    *p = (points){.count = count,
                  .pixel = malloc((size_t)count * (size_t)pixels * sizeof(float)),
                  .feature = malloc((size_t)count * FEATURES * sizeof(float))};
    return p->pixel != NULL && p->feature != NULL;
}

static view moved(random_state *r, double move)
{
    const double x = random_between(r, move), y = random_between(r, move);
    return (view){x, y, 0};
}

/* ---- One-shot ---------------------------------------------------------------------------------------- */

/* An episode's rows: the known image of each class, then the other one. */
static void show_episode(const question *q, float *pixel, random_state *r)
{
    const int ways = q->end_class - q->first_class, n = q->set->pixels;
    for (int k = 0; k < ways; k++) {
        const int known = images_pick(q->set, q->first_class + k, -1, r);
        const int other = images_pick(q->set, q->first_class + k, known, r);
        images_show(q->set, known, moved(r, q->move), pixel + k * n);
        images_show(q->set, other, moved(r, q->move), pixel + (ways + k) * n);
    }
}

/* How many of the episode's other images are nearest to the known one of their class? */
static int right_answers(const float *rows, int ways, int n)
{
    int right = 0;
    for (int k = 0; k < ways; k++)
        right += nearest(rows + (ways + k) * n, rows, ways, n) == k;
    return right;
}

static void to_per_cent(answer *a)
{
    a->pixels *= 100.0 / a->asked;
    a->features *= 100.0 / a->asked;
}

bool one_shot(model *m, const question *q, int episodes, answer *a)
{
    const int ways = q->end_class - q->first_class, together = AT_ONCE / (2 * ways);
    random_state r = {q->seed};
    points p;
    bool fine = make(&p, together * 2 * ways, q->set->pixels);

    *a = (answer){0};
    for (int done = 0; done < episodes && fine; done += together) {
        const int n = together < episodes - done ? together : episodes - done;
        for (int e = 0; e < n; e++)
            show_episode(q, p.pixel + e * 2 * ways * m->pixels, &r);
        fine = model_embed(m, p.pixel, n * 2 * ways, p.feature);
        for (int e = 0; e < n && fine; e++) {
            a->pixels += right_answers(p.pixel + e * 2 * ways * m->pixels, ways, m->pixels);
            a->features += right_answers(p.feature + e * 2 * ways * FEATURES, ways, FEATURES);
            a->asked += ways;
        }
    }
    to_per_cent(a);
    drop(&p);
    return fine;
}

/* ---- Nearest neighbours ------------------------------------------------------------------------------ */

/* `each` images per class from its list, beginning at `from`. */
static bool show_many(model *m, const question *q, int from, int each, random_state *r, points *p)
{
    const int ways = q->end_class - q->first_class;
    if (!make(p, each * ways, q->set->pixels))
        return false;
    for (int i = 0; i < p->count; i++) {
        const int image = q->set->of_class[q->first_class + i / each][from + i % each];
        images_show(q->set, image, moved(r, q->move), p->pixel + (size_t)i * (size_t)q->set->pixels);
    }
    return model_embed(m, p->pixel, p->count, p->feature);
}

/* The class (row / each) that most of the k nearest rows have; of equals, the one with the nearest row. */
static int vote(const float *x, const float *rows, int count, int n, int k, int each)
{
    double least[MOST_NEIGHBOURS];
    int row[MOST_NEIGHBOURS], found = 0, best = 0, most = 0;

    for (int i = 0; i < count; i++) {
        const double d = squared_distance(x, rows + (size_t)i * (size_t)n, n);
        int at = found < k ? found++ : k;
        for (; at > 0 && d < least[at - 1]; at--)
            if (at < k) {
                least[at] = least[at - 1];
                row[at] = row[at - 1];
            }
        if (at < k) {
            least[at] = d;
            row[at] = i;
        }
    }
    for (int i = found - 1; i >= 0; i--) {
        int votes = 0;
        for (int j = 0; j < found; j++)
            votes += row[j] / each == row[i] / each;
        if (votes >= most) {
            most = votes;
            best = row[i] / each;
        }
    }
    return best;
}

bool nearest_neighbours(model *m, const question *q, int k, int known, int asked, answer *a)
{
    random_state r = {q->seed};
    points gallery = {0}, query = {0};
    const bool fine = show_many(m, q, 0, known, &r, &gallery) && show_many(m, q, known, asked, &r, &query);

    *a = (answer){0};
    for (int i = 0; i < query.count && fine; i++) {
        a->pixels += vote(query.pixel + (size_t)i * (size_t)m->pixels, gallery.pixel, gallery.count,
                          m->pixels, k, known) == i / asked;
        a->features += vote(query.feature + (size_t)i * FEATURES, gallery.feature, gallery.count, FEATURES, k,
                            known) == i / asked;
        a->asked++;
    }
    to_per_cent(a);
    drop(&gallery);
    drop(&query);
    return fine;
}
