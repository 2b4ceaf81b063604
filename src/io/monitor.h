/* monitor.h -- what monitor.c and monitor_plot.c share. */
#ifndef TAPIR_IO_MONITOR_H
#define TAPIR_IO_MONITOR_H

#include <tapir/monitor.h>

#include "memory.h"
#include "writer.h"

enum { TP__MOST_TERMS = 64, TP__TERM_NAME = 64 };

/* A row of the history; its values follow in `value`, terms + 1 of them. */
typedef struct tp__row {
    int64_t step, epoch;
    double seconds;
} tp__row;

struct tp_monitor {
    tp_monitor_options options;
    tp_allocator allocator;
    FILE *stream; /* NULL: quiet */
    int terms;
    tp_tensor tensor[TP__MOST_TERMS];
    char name[TP__MOST_TERMS][TP__TERM_NAME];
    tp__row *row;
    double *value;
    int64_t rows, capacity;
    int64_t epoch;
    double start, shown, written; /* times; shown, written: of the last line and file */
    int width;                    /* of the last line */
    bool stopped;
    char csv[1024]; /* "": none */
    char message[1100];
};

static inline const double *tp__row_values(const tp_monitor *m, int64_t k)
{
    return m->value + k * (m->terms + 1);
}

#endif
