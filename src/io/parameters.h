/* parameters.h -- the header of a safetensors file: parameters_header.c fills it, parameters.c uses it.
 *
 *     bytes 0-7   n, the length of the header, least significant byte first
 *     then        the header: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, padded with blanks;
 *                 "__metadata__" maps strings to strings
 *     then        the values, to which the offsets refer: contiguous, without gaps
 */
#ifndef TAPIR_IO_PARAMETERS_PRIVATE_H
#define TAPIR_IO_PARAMETERS_PRIVATE_H

#include "json.h"

typedef struct tp__entry {
    tp__json_string name;
    char dtype[12];
    int64_t rank;
    int64_t dim[TP_MAX_RANK]; /* the first ones */
    int64_t begin, end;       /* bytes of the values */
} tp__entry;

typedef struct tp__header {
    tp__entry *entry; /* in the order of their values */
    size_t entries, capacity;
    int64_t start; /* of the values in the file */
    char *text;
    size_t text_size;
} tp__header;

/* Reads and checks the header, all but the end of the values against that of the file; false at a fault. */
bool tp__header_read(tp__reader *r, tp__header *h);
void tp__header_free(tp__reader *r, tp__header *h);

#endif
