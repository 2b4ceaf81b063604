/* strings.c -- reading strings of digits. */
#define _POSIX_C_SOURCE 200809L
#include "strings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tapir/io/npy.h>

/* ---- Files ------------------------------------------------------------------------------------------- */

bool strings_are_columns(const char *directory)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/train_columns.npy", directory);
    return access(path, F_OK) == 0;
}

typedef struct files {
    tp_npy frames, frame_offsets, labels, label_offsets;
} files;

static bool read_one(const char *directory, const char *part, const char *what, tp_npy *out)
{
    char path[1024];
    tp_io_report report;
    snprintf(path, sizeof path, "%s/%s_%s.npy", directory, part, what);
    if (tp_npy_read(path, NULL, out, &report) == TP_OK)
        return true;
    fprintf(stderr, "%s\n", report.message);
    return false;
}

/* Offsets begin with 0, do not fall, and end with `end`. */
static bool are_offsets(const tp_npy *a, int64_t count, int64_t end)
{
    const int32_t *o = a->data;
    if (a->type != TP_NPY_I32 || a->shape.rank != 1 || a->count != count + 1 || o[0] != 0 || o[count] != end)
        return false;
    for (int64_t i = 0; i < count; i++)
        if (o[i + 1] < o[i])
            return false;
    return true;
}

static const char *fault_of(const files *f)
{
    const int64_t count = f->frame_offsets.count - 1;
    const int32_t *label = f->labels.data;

    if (f->frames.shape.rank != 2 || f->frames.shape.dim[1] < 1)
        return "the frames are not rows of features";
    if (count < 1 || !are_offsets(&f->frame_offsets, count, f->frames.shape.dim[0]))
        return "the offsets of the frames are wrong";
    if (f->labels.type != TP_NPY_I32 || !are_offsets(&f->label_offsets, count, f->labels.count))
        return "the offsets of the labels are wrong";
    for (int64_t i = 0; i < f->labels.count; i++)
        if (label[i] < 0 || label[i] >= DIGITS)
            return "a label is no digit";
    return NULL;
}

/* ---- Laying out -------------------------------------------------------------------------------------- */

static int64_t longest(const tp_npy *offsets)
{
    const int32_t *o = offsets->data;
    int64_t most = 1;
    for (int64_t i = 0; i + 1 < offsets->count; i++)
        most = o[i + 1] - o[i] > most ? o[i + 1] - o[i] : most;
    return most;
}

static bool allocate(strings *s)
{
    const size_t count = (size_t)s->count;
    s->length = calloc(count, sizeof *s->length);
    s->halved = calloc(count, sizeof *s->halved);
    s->target_length = calloc(count, sizeof *s->target_length);
    s->target = calloc(count * (size_t)s->labels, sizeof *s->target);
    s->x = calloc(count * (size_t)(s->features * s->frames), sizeof *s->x);
    if (s->length != NULL && s->halved != NULL && s->target_length != NULL && s->target != NULL &&
        s->x != NULL)
        return true;
    fprintf(stderr, "out of memory\n");
    return false;
}

/* Frames become columns: a sequence for each feature, as tp_conv1d wants them.  Bytes are up to 16. */
static bool lay_out(strings *s, const files *f)
{
    const int32_t *frame = f->frame_offsets.data, *label = f->label_offsets.data, *digit = f->labels.data;
    const double factor = f->frames.type == TP_NPY_U8 ? 1.0 / 16 : 1;
    float *row = calloc((size_t)s->features, sizeof *row);
    bool fine = row != NULL;

    for (int64_t i = 0; i < s->count && fine; i++) {
        s->length[i] = frame[i + 1] - frame[i];
        s->halved[i] = (s->length[i] + 1) / 2;
        s->target_length[i] = label[i + 1] - label[i];
        for (int64_t k = 0; k < s->target_length[i]; k++)
            s->target[i * s->labels + k] = digit[label[i] + k] + 1;
        for (int64_t t = 0; t < s->length[i] && fine; t++) {
            fine = tp_npy_copy(&f->frames, (frame[i] + t) * s->features, s->features, TP_F32, factor, row) ==
                   TP_OK;
            for (int64_t k = 0; k < s->features; k++)
                s->x[(i * s->features + k) * s->frames + t] = row[k];
        }
    }
    free(row);
    return fine;
}

bool strings_load(strings *s, const char *directory, const char *part)
{
    const bool columns = strings_are_columns(directory);
    files f = {0};

    *s = (strings){0};
    bool fine = read_one(directory, part, columns ? "columns" : "frames", &f.frames) &&
                read_one(directory, part, columns ? "column_offsets" : "frame_offsets", &f.frame_offsets) &&
                read_one(directory, part, "labels", &f.labels) &&
                read_one(directory, part, "label_offsets", &f.label_offsets);
    const char *fault = fine ? fault_of(&f) : NULL;
    if (fault != NULL)
        fprintf(stderr, "%s, %s: %s\n", directory, part, fault);
    fine = fine && fault == NULL;
    if (fine) {
        s->count = f.frame_offsets.count - 1;
        s->features = f.frames.shape.dim[1];
        s->frames = longest(&f.frame_offsets);
        s->labels = longest(&f.label_offsets);
        fine = allocate(s) && lay_out(s, &f);
    }
    tp_npy_free(&f.frames);
    tp_npy_free(&f.frame_offsets);
    tp_npy_free(&f.labels);
    tp_npy_free(&f.label_offsets);
    return fine;
}

bool strings_widen(strings *s, int64_t frames, int64_t labels)
{
    strings wide = {.count = s->count, .features = s->features, .frames = frames, .labels = labels};
    if (frames <= s->frames && labels <= s->labels)
        return true;
    wide.frames = frames > s->frames ? frames : s->frames;
    wide.labels = labels > s->labels ? labels : s->labels;
    if (!allocate(&wide)) {
        strings_free(&wide);
        return false;
    }
    memcpy(wide.length, s->length, (size_t)s->count * sizeof *s->length);
    memcpy(wide.halved, s->halved, (size_t)s->count * sizeof *s->halved);
    memcpy(wide.target_length, s->target_length, (size_t)s->count * sizeof *s->target_length);
    for (int64_t i = 0; i < s->count; i++)
        memcpy(wide.target + i * wide.labels, s->target + i * s->labels,
               (size_t)s->labels * sizeof *s->target);
    for (int64_t r = 0; r < s->count * s->features; r++)
        memcpy(wide.x + r * wide.frames, s->x + r * s->frames, (size_t)s->frames * sizeof *s->x);
    strings_free(s);
    *s = wide;
    return true;
}

void strings_free(strings *s)
{
    free(s->length);
    free(s->halved);
    free(s->target_length);
    free(s->target);
    free(s->x);
    *s = (strings){0};
}
