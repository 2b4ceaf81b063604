/* overlay.h -- an image of what was predicted. */
#ifndef SEGMENTATION_OVERLAY_H
#define SEGMENTATION_OVERLAY_H

#include "pictures.h"

enum { OVERLAY_COLUMNS = 4, OVERLAY_ROWS = 3, OVERLAY_GAP = 4 };

/* Writes a PPM file of up to OVERLAY_COLUMNS times OVERLAY_ROWS of the pictures, evenly chosen.  Each stands beside itself
 * with the predicted mask over it: green where it is right, red where it is wrong, blue what it missed.  Small
 * pictures are enlarged by a whole factor.
 *
 * The file appears complete or not at all: it is written beside `path`, flushed to the disk, and renamed.  False after a
 * message on stderr. */
bool overlay_write(const char *path, const pictures *p, const uint8_t *predicted);

#endif
