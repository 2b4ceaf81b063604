/* overlay.c -- pictures and predicted masks as a PPM file (netpbm.sourceforge.net/doc/ppm.html). */
#define _POSIX_C_SOURCE 200809L
#include "overlay.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Drawing ----------------------------------------------------------------------------------------- */

typedef struct sheet {
    int height, width;
    uint8_t *colour; /* [height, width, 3] */
} sheet;

/* Grey between the darkest and the lightest pixel of the picture. */
typedef struct greys {
    float dark, light;
} greys;

static greys greys_of(const float *picture, int pixels)
{
    greys g = {picture[0], picture[0]};
    for (int k = 0; k < pixels; k++) {
        g.dark = fminf(g.dark, picture[k]);
        g.light = fmaxf(g.light, picture[k]);
    }
    return g;
}

/* Half grey and half the colour of right, wrong or missed; grey where there is nothing and nothing was said. */
static void tint(uint8_t grey, bool said, bool is, uint8_t *colour)
{
    const bool hit[3] = {said && !is, said && is, !said && is};
    for (int c = 0; c < 3; c++)
        colour[c] = said || is ? (uint8_t)(grey / 2 + (hit[c] ? 127 : 0)) : grey;
}

/* Picture k twice, side by side, the second time with the mask. */
static void draw_pair(sheet *s, const pictures *p, const uint8_t *predicted, int k, int top, int left,
                      int enlarge)
{
    const int pixels = p->height * p->width, height = p->height * enlarge, width = p->width * enlarge;
    const float *picture = p->image + (size_t)k * (size_t)pixels,
                *mask = p->mask + (size_t)k * (size_t)pixels;
    const greys g = greys_of(picture, pixels);
    const double scale = g.light > g.dark ? 255 / ((double)g.light - (double)g.dark) : 0;

    predicted += (size_t)k * (size_t)pixels;
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) {
            const int at = i / enlarge * p->width + j / enlarge;
            const uint8_t grey = (uint8_t)lrint(((double)picture[at] - (double)g.dark) * scale);
            uint8_t *plain = s->colour + 3 * ((size_t)(top + i) * (size_t)s->width + (size_t)(left + j));
            memset(plain, grey, 3);
            tint(grey, predicted[at] != 0, mask[at] >= 0.5f, plain + 3 * (size_t)width);
        }
}

static bool draw(sheet *s, const pictures *p, const uint8_t *predicted)
{
    const int most = OVERLAY_COLUMNS * OVERLAY_ROWS, shown = p->count < most ? p->count : most;
    const int columns = shown < OVERLAY_COLUMNS ? shown : OVERLAY_COLUMNS;
    const int rows = (shown + columns - 1) / columns, larger = p->height > p->width ? p->height : p->width;
    const int enlarge = larger < 128 ? 128 / larger : 1;
    const int down = p->height * enlarge + OVERLAY_GAP, across = 2 * p->width * enlarge + OVERLAY_GAP;

    *s = (sheet){.height = rows * down + OVERLAY_GAP, .width = columns * across + OVERLAY_GAP};
    s->colour = malloc((size_t)s->height * (size_t)s->width * 3);
    if (s->colour == NULL)
        return false;
    memset(s->colour, 255, (size_t)s->height * (size_t)s->width * 3);
    for (int k = 0; k < shown; k++)
        draw_pair(s, p, predicted, (int)((int64_t)k * p->count / shown), k / columns * down + OVERLAY_GAP,
                  k % columns * across + OVERLAY_GAP, enlarge);
    return true;
}

/* ---- Writing ----------------------------------------------------------------------------------------- */

static bool write_sheet(const sheet *s, FILE *file)
{
    const size_t size = (size_t)s->height * (size_t)s->width * 3;
    const bool fine = fprintf(file, "P6\n%d %d\n255\n", s->width, s->height) > 0 &&
                      fwrite(s->colour, 1, size, file) == size;
    return fflush(file) == 0 && fsync(fileno(file)) == 0 && fine;
}

static bool write_file(const sheet *s, const char *path)
{
    char temporary[1024];
    const int length = snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid());
    const bool fits = length < (int)sizeof temporary;
    FILE *file = fits ? fopen(temporary, "wb") : NULL;

    bool fine = file != NULL && write_sheet(s, file);
    if (file != NULL)
        fine = fclose(file) == 0 && fine;
    fine = fine && rename(temporary, path) == 0;
    if (!fine) {
        fprintf(stderr, "%s: %s\n", path, fits ? strerror(errno) : "the name is too long");
        if (file != NULL)
            unlink(temporary);
    }
    return fine;
}

bool overlay_write(const char *path, const pictures *p, const uint8_t *predicted)
{
    sheet s;
    if (!draw(&s, p, predicted)) {
        fprintf(stderr, "%s: no memory\n", path);
        return false;
    }
    const bool fine = write_file(&s, path);
    free(s.colour);
    return fine;
}
