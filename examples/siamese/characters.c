/* characters.c -- reading Omniglot. */
#include "characters.h"

#include <stdio.h>
#include <unistd.h>

static void path_of(char *path, size_t size, const char *directory, const char *name)
{
    snprintf(path, size, "%s/%s.npy", directory, name);
}

bool characters_exist(const char *directory)
{
    static const char *const names[] = {"background_images", "evaluation_images"};
    char path[1024];
    for (int k = 0; k < 2; k++) {
        path_of(path, sizeof path, directory, names[k]);
        if (access(path, F_OK) != 0)
            return false;
    }
    return true;
}

static bool fail(const char *directory, const char *name, const char *fault)
{
    fprintf(stderr, "%s/%s.npy: %s\n", directory, name, fault);
    return false;
}

static bool read_array(const char *directory, const char *name, tp_npy_type type, int64_t rank, tp_npy *out)
{
    char path[1024];
    tp_io_report report;

    path_of(path, sizeof path, directory, name);
    if (tp_npy_read(path, NULL, out, &report) != TP_OK) {
        fprintf(stderr, "%s\n", report.message);
        return false;
    }
    if (out->type != type || out->shape.rank != rank || out->count == 0)
        return fail(directory, name, "not of the expected type and shape");
    return true;
}

/* i32 elements in 0 ... limit - 1? */
static bool within(const tp_npy *index, int64_t limit)
{
    const int32_t *value = index->data;
    for (int64_t i = 0; i < index->count; i++)
        if (value[i] < 0 || value[i] >= limit)
            return false;
    return true;
}

static bool square(const tp_npy *images, int axis, int64_t side)
{
    return images->shape.dim[axis] == side && images->shape.dim[axis + 1] == side;
}

static bool check(const characters *c, const char *directory)
{
    const int64_t *const runs = c->known.shape.dim;

    if (c->side < 4 || c->side > 64 || !square(&c->background, 1, c->side) || c->classes < 64 ||
        c->background.shape.dim[0] != (int64_t)c->classes * DRAWINGS)
        return fail(directory, "background_images", "not twenty square images of each of many classes");
    if (!square(&c->evaluation, 1, c->side))
        return fail(directory, "evaluation_images", "of another size than background_images");
    if (c->few.shape.dim[1] != 2 || !within(&c->few, c->evaluation.shape.dim[0]))
        return fail(directory, "episodes5", "not pairs of positions of images");
    if (c->many.shape.dim[1] != 2 || !within(&c->many, c->evaluation.shape.dim[0]))
        return fail(directory, "episodes20", "not pairs of positions of images");
    if (!square(&c->known, 2, c->side) || !tp_shape_equal(c->known.shape, c->asked.shape))
        return fail(directory, "oneshot_train", "does not fit to the other images");
    if (c->answer.shape.dim[0] != runs[0] || c->answer.shape.dim[1] != runs[1] ||
        !within(&c->answer, runs[1]))
        return fail(directory, "oneshot_answer", "not an answer for each image of oneshot_test");
    return true;
}

bool characters_load(characters *c, const char *directory)
{
    *c = (characters){0};
    if (!read_array(directory, "background_images", TP_NPY_U8, 3, &c->background) ||
        !read_array(directory, "evaluation_images", TP_NPY_U8, 3, &c->evaluation) ||
        !read_array(directory, "episodes5", TP_NPY_I32, 3, &c->few) ||
        !read_array(directory, "episodes20", TP_NPY_I32, 3, &c->many) ||
        !read_array(directory, "oneshot_train", TP_NPY_U8, 4, &c->known) ||
        !read_array(directory, "oneshot_test", TP_NPY_U8, 4, &c->asked) ||
        !read_array(directory, "oneshot_answer", TP_NPY_I32, 2, &c->answer))
        return false;
    c->side = (int)c->background.shape.dim[1];
    c->pixels = c->side * c->side;
    c->classes = (int)(c->background.shape.dim[0] / DRAWINGS);
    c->unseen = (int)(c->evaluation.shape.dim[0] / DRAWINGS);
    return check(c, directory);
}

void characters_free(characters *c)
{
    tp_npy *const all[] = {&c->background, &c->evaluation, &c->few,   &c->many,
                           &c->known,      &c->asked,      &c->answer};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        tp_npy_free(all[k]);
}

bool characters_copy(const tp_npy *images, int pixels, int first, int count, float *out)
{
    return tp_npy_copy(images, (int64_t)first * pixels, (int64_t)count * pixels, TP_F32, 1 / 255.0, out) ==
           TP_OK;
}
