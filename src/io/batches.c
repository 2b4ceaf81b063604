/* batches.c -- see tapir/io/batches.h. */
#include <math.h>
#include <string.h>

#include <tapir/io/batches.h>
#include <tapir/op.h>

#include "memory.h"

typedef struct column {
    tp_tensor leaf;
    tp_dtype dtype;
    const unsigned char *data;
    size_t row; /* bytes */
} column;

struct tp_batches {
    tp_allocator allocator;
    column *column;
    int columns;
    tp_batch_options options;
    int64_t rows, batch;
    int64_t *order;      /* of rows */
    int64_t epoch, at;   /* at: first row of the next batch; 0: an epoch begins */
    int64_t first, real; /* of the current batch */
};

/* ---- Order ------------------------------------------------------------------------------------------- */

/* Steele, Lea and Flood's SplitMix64 (OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n - 1, each as likely: what would favour the small ones is drawn again. */
static int64_t below(uint64_t *state, int64_t n)
{
    const uint64_t bound = (uint64_t)n, excess = (0 - bound) % bound;
    uint64_t draw = next_random(state);
    while (draw < excess)
        draw = next_random(state);
    return (int64_t)(draw % bound);
}

/* Fisher and Yates, from the identity each time: epoch e has the same order however one came there. */
static void shuffle(tp_batches *b)
{
    uint64_t state = b->options.seed;
    state = next_random(&state) + (uint64_t)b->epoch;
    for (int64_t i = 0; i < b->rows; i++)
        b->order[i] = i;
    for (int64_t i = b->rows - 1; b->options.shuffle && i > 0; i--) {
        const int64_t k = below(&state, i + 1), t = b->order[i];
        b->order[i] = b->order[k];
        b->order[k] = t;
    }
}

/* ---- Checking ---------------------------------------------------------------------------------------- */

static bool check_leaf(tp_tensor at, tp_tensor leaf, int64_t batch, const char *name)
{
    const tp_shape shape = tp_shape_of(leaf);
    char text[TP_TEXT_SIZE];

    if (leaf.tape != at.tape || !tp_is_writable(leaf))
        tp_fail(at, TP_BAD_HANDLE, "batches: the %s must be an input or a parameter of one tape", name);
    else if (shape.rank == 0 || shape.dim[0] == 0 || (batch > 0 && shape.dim[0] != batch))
        tp_fail(at, TP_BAD_SHAPE, "batches: the %s is %s, but its first size must be that of a batch%s", name,
                tp_describe(tp_dtype_of(leaf), &shape, text), batch > 0 ? ", as in the first" : "");
    else
        return true;
    return false;
}

static bool check_options(tp_tensor at, const tp_batch_options *o, int64_t rows, int64_t batch)
{
    if ((o->allocator.allocate == NULL) != (o->allocator.release == NULL)) {
        tp_fail(at, TP_BAD_ARGUMENT, "batches: an allocator needs both functions");
        return false;
    }
    if (o->drop_last && rows < batch) {
        tp_fail(at, TP_BAD_ARGUMENT, "batches: with .drop_last, %lld rows make no batch of %lld",
                (long long)rows, (long long)batch);
        return false;
    }
    if (o->weight.tape != NULL) {
        if (!check_leaf(at, o->weight, batch, "weight"))
            return false;
        if (tp_shape_of(o->weight).rank != 1 || tp_dtype_of(o->weight) == TP_I32) {
            tp_fail(at, TP_BAD_SHAPE, "batches: the weight must be f32 or f64, one number for each row");
            return false;
        }
    } else if (rows % batch != 0 && !o->drop_last) {
        tp_fail(
            at, TP_BAD_ARGUMENT,
            "batches: %lld rows are no whole number of batches of %lld: give a .weight, or set .drop_last",
            (long long)rows, (long long)batch);
        return false;
    }
    return true;
}

static bool check(const tp_batch_column *columns, int n, int64_t rows, const tp_batch_options *o)
{
    if (columns == NULL || n < 1 || columns[0].leaf.tape == NULL)
        return false;
    const tp_tensor at = columns[0].leaf;
    for (int k = 0; k < n; k++) {
        if (!check_leaf(at, columns[k].leaf, k > 0 ? tp_shape_of(at).dim[0] : 0, "leaf of a column"))
            return false;
        if (columns[k].data == NULL) {
            tp_fail(at, TP_BAD_ARGUMENT, "batches: the data of column %d are NULL", k);
            return false;
        }
    }
    if (rows < 1 || rows > INT64_MAX / 64) {
        tp_fail(at, TP_BAD_ARGUMENT, "batches: there must be rows");
        return false;
    }
    return check_options(at, o, rows, tp_shape_of(at).dim[0]);
}

/* ---- Public ------------------------------------------------------------------------------------------ */

tp_batches *tp_batches_create(const tp_batch_column *columns, int n, int64_t rows,
                              const tp_batch_options *options)
{
    const tp_batch_options o = options != NULL ? *options : (tp_batch_options){0};

    if (!check(columns, n, rows, &o))
        return NULL;
    const tp_allocator allocator = tp__io_allocator(&o.allocator);
    tp_batches *b = tp__io_allocate(&allocator, sizeof *b);
    if (b != NULL) {
        *b = (tp_batches){.allocator = allocator, .columns = n, .rows = rows, .options = o};
        b->column = tp__io_allocate(&allocator, (size_t)n * sizeof *b->column);
        b->order = tp__io_allocate(&allocator, (size_t)rows * sizeof *b->order);
    }
    if (b == NULL || b->column == NULL || b->order == NULL) {
        tp_fail(columns[0].leaf, TP_OUT_OF_MEMORY, "batches: out of memory");
        tp_batches_destroy(b);
        return NULL;
    }
    b->batch = tp_shape_of(columns[0].leaf).dim[0];
    for (int k = 0; k < n; k++) {
        const tp_tensor leaf = columns[k].leaf;
        const size_t elements = (size_t)(tp_count_of(leaf) / b->batch);
        b->column[k] =
            (column){leaf, tp_dtype_of(leaf), columns[k].data, elements * tp_dtype_size(tp_dtype_of(leaf))};
    }
    return b;
}

static bool write_column(const tp_batches *b, const column *c)
{
    unsigned char *to = tp_leaf_data(c->leaf, c->dtype);
    if (to == NULL && c->row > 0)
        return false;
    for (int64_t k = 0; k < b->batch && c->row > 0; k++) {
        const int64_t row = b->order[b->first + (k < b->real ? k : 0)];
        memcpy(to + (size_t)k * c->row, c->data + (size_t)row * c->row, c->row);
    }
    return true;
}

static bool write_weight(const tp_batches *b)
{
    const tp_dtype dtype = tp_dtype_of(b->options.weight);
    void *to = tp_leaf_data(b->options.weight, dtype);
    for (int64_t k = 0; to != NULL && k < b->batch; k++) {
        if (dtype == TP_F32)
            ((float *)to)[k] = k < b->real ? 1 : 0;
        else
            ((double *)to)[k] = k < b->real ? 1 : 0;
    }
    return to != NULL;
}

int64_t tp_batches_next(tp_batches *b)
{
    if (b == NULL)
        return 0;
    const int64_t left = b->rows - b->at;
    b->real = left < b->batch ? left : b->batch;
    if (b->real == 0 || (b->real < b->batch && b->options.drop_last)) {
        b->epoch += b->at > 0;
        b->at = b->real = 0;
        return 0;
    }
    if (b->at == 0)
        shuffle(b);
    b->first = b->at;
    bool fine = true;
    for (int k = 0; k < b->columns && fine; k++)
        fine = write_column(b, &b->column[k]);
    if (fine && b->options.weight.tape != NULL)
        fine = write_weight(b);
    if (!fine)
        return b->real = 0;
    b->at += b->real;
    return b->real;
}

int64_t tp_batches_row(const tp_batches *b, int64_t k)
{
    return b == NULL || k < 0 || k >= b->real ? -1 : b->order[b->first + k];
}

int64_t tp_batches_count(const tp_batches *b)
{
    if (b == NULL)
        return 0;
    return b->rows / b->batch + (b->rows % b->batch != 0 && !b->options.drop_last);
}

int64_t tp_batches_epoch(const tp_batches *b)
{
    return b != NULL ? b->epoch : 0;
}

void tp_batches_restart(tp_batches *b, int64_t epoch)
{
    if (b == NULL)
        return;
    b->epoch = epoch;
    b->at = b->real = 0;
}

double tp_batches_mean(tp_batches *b, tp_program *program, tp_tensor loss)
{
    double sum = 0, rows = 0;
    int64_t n;

    if (b == NULL)
        return NAN;
    tp_batches_restart(b, b->epoch);
    while ((n = tp_batches_next(b)) > 0) {
        if (tp_run(program) != TP_OK)
            return NAN;
        sum += (double)n * tp_item(loss);
        rows += (double)n;
    }
    return rows > 0 ? sum / rows : NAN;
}

void tp_batches_destroy(tp_batches *b)
{
    if (b == NULL)
        return;
    const tp_allocator allocator = b->allocator;
    tp__io_release(&allocator, b->column, (size_t)b->columns * sizeof *b->column);
    tp__io_release(&allocator, b->order, (size_t)b->rows * sizeof *b->order);
    tp__io_release(&allocator, b, sizeof *b);
}
