/* wine.h -- the table in wine.c. */
#ifndef TAPIR_EXAMPLES_MULTITASK_WINE_H
#define TAPIR_EXAMPLES_MULTITASK_WINE_H

enum {
    WINES = 178,
    WINE_MEASUREMENTS = 13,
    WINE_CLASS = 13,
    WINE_IS_TEST = 14,
    WINE_COLUMNS = 15,
    WINE_CULTIVARS = 3
};

/* A wine a row: thirteen measurements, alcohol first; the cultivar, 0 to 2; and 1 for a row to test with, else 0. */
extern const float wine[WINES][WINE_COLUMNS];

#endif
