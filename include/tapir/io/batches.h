/* tapir/io/batches.h -- rows of data, batch by batch, into the leaves of a program.
 *
 *     tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(32, 10)), y = tp_input(tape, TP_F32, TP_SHAPE(32));
 *     tp_tensor weight = tp_input(tape, TP_F32, TP_SHAPE(32));
 *     tp_tensor loss = tp_mse(model(x), y, &(tp_loss_options){.weight = weight});
 *     ...
 *     tp_batches *batches = tp_batches_create((tp_batch_column[]){{x, features}, {y, targets}}, 2, 442,
 *                                             &(tp_batch_options){.shuffle = true, .weight = weight});
 *     for (int epoch = 0; epoch < 100; epoch++)
 *         while (tp_batches_next(batches) > 0)
 *             tp_run(train);
 *     tp_batches_destroy(batches);
 *
 * Shapes are fixed when they are recorded, so the last batch of an epoch, when rows are left over, is filled up with copies of
 * its first row, and `weight` tells them apart: 1 for a row, 0 for a copy.  A weighted mean divides by the sum of the
 * weights, so the loss and its gradient are those of the rows alone.
 */
#ifndef TAPIR_IO_BATCHES_H
#define TAPIR_IO_BATCHES_H

#include <tapir/program.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tp_batches tp_batches;

/* A leaf of shape [batch, ...] and all rows that it is to hold: rows * (...) elements of its dtype.  The data are not copied
 * and must outlive the batches. */
typedef struct tp_batch_column {
    tp_tensor leaf; /* an input or a parameter */
    const void *data;
} tp_batch_column;

typedef struct tp_batch_options {
    bool
        shuffle; /* another order in every epoch, which depends on the seed and the number of the epoch alone */
    uint64_t seed;          /* of the order */
    tp_tensor weight;       /* an input or a parameter [batch], f32 or f64; absent: none */
    bool drop_last;         /* leave out what does not fill a batch */
    tp_allocator allocator; /* zero: the C library's */
} tp_batch_options;

/* NULL, and an error on the tape of the first leaf, when a leaf is absent, no input or parameter, 0-d or of another batch size
 * than the first; when rows would be left over and there is neither .weight nor .drop_last; or when memory runs out. */
TP_API tp_batches *tp_batches_create(const tp_batch_column *columns, int n, int64_t rows,
                                     const tp_batch_options *options);

/* Writes the next batch to the leaves and returns how many of its rows are real; 0 at the end of an epoch, or after an error
 * (on the tape).  The call after a 0 begins the next epoch. */
TP_API int64_t tp_batches_next(tp_batches *batches);

/* Which row stands at position `k` of the current batch; -1 if k is out of range or there is none. */
TP_API int64_t tp_batches_row(const tp_batches *batches, int64_t k);

/* Batches of one epoch. */
TP_API int64_t tp_batches_count(const tp_batches *batches);

/* Epochs that were completed; and to go on at the start of epoch number `epoch`, as after loading saved parameters. */
TP_API int64_t tp_batches_epoch(const tp_batches *batches);
TP_API void tp_batches_restart(tp_batches *batches, int64_t epoch);

/* The mean of `loss`, an output of one element of `program`, over the batches of one epoch from its start, each counted by
 * its real rows: the validation loss.  NaN when a run fails. */
TP_API double tp_batches_mean(tp_batches *batches, tp_program *program, tp_tensor loss);

/* NULL is ignored. */
TP_API void tp_batches_destroy(tp_batches *batches);

#ifdef __cplusplus
}
#endif

#endif
