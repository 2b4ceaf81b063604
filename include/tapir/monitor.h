/* tapir/monitor.h -- watch a training run: progress, history, plot, and a stop at the first NaN.
 *
 *     const tp_named terms[] = {{"loss", loss}, {"penalty", penalty}};
 *     tp_monitor *monitor = tp_monitor_create(terms, 2, &(tp_monitor_options){.steps = 1000, .csv = "history.csv"});
 *     for (int epoch = 0; epoch < 10; epoch++) {
 *         while (tp_batches_next(batches) > 0 && tp_monitor_run(monitor, train)) {}
 *         tp_monitor_epoch(monitor, tp_batches_mean(held_out, validate, validation_loss));
 *     }
 *     if (tp_monitor_stopped(monitor))
 *         fprintf(stderr, "%s\n", tp_monitor_message(monitor));
 *     tp_monitor_destroy(monitor);
 *
 * shows, on a terminal, one line that is written again and again:
 *
 *     [########............]  41 %  step 410/1000  epoch 4  203 steps/s  3 s left  loss 0.0231  penalty 0.00011
 *
 * To learn where a NaN came from, compile the training program with .check_finite: then the run fails before anything is assigned,
 * and the monitor's message is that of the program, which names the op, its operands' values and the line.
 */
#ifndef TAPIR_MONITOR_H
#define TAPIR_MONITOR_H

#include <tapir/io.h>
#include <tapir/program.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tp_monitor tp_monitor;

typedef enum tp_progress {
    TP_PROGRESS_ON_TERMINAL = 0, /* only when the stream is a terminal */
    TP_PROGRESS_ALWAYS,
    TP_PROGRESS_NEVER
} tp_progress;

typedef struct tp_monitor_options {
    int64_t steps;        /* in all, for the bar and the time that is left; 0: unknown */
    tp_progress progress; /* when to show the line */
    FILE *stream;         /* where; NULL: stderr */
    double interval;      /* seconds between two lines; default 0.1 */
    const char *csv;      /* the history is kept in this file; NULL: in none */
    double
        csv_interval; /* seconds between two writings of it; default 10.  It is also written at the end of an epoch */
    bool go_on;                  /* a term that is NaN or infinite does not stop the run */
    double (*clock)(void *user); /* seconds; NULL: the monotonic clock */
    void *clock_user;
    tp_allocator allocator; /* zero: the C library's */
} tp_monitor_options;

/* Watches terms[0..n), outputs of one element of the programs that are run.  Names are copied.  NULL when n is not 1 to 64, a
 * name or a tensor is missing, has not one element, or memory runs out; an error on the tape says why. */
TP_API tp_monitor *tp_monitor_create(const tp_named *terms, int n, const tp_monitor_options *options);

/* Runs the program once, keeps the terms and shows them.  True to go on; false when the run failed, or a term is NaN or infinite:
 * from then on nothing is run any more, and the message says why. */
TP_API bool tp_monitor_run(tp_monitor *monitor, tp_program *program);

/* An epoch is over; `validation` is its validation loss, or NaN when there is none. */
TP_API void tp_monitor_epoch(tp_monitor *monitor, double validation);

/* Has it stopped; why ("" if it has not). */
TP_API bool tp_monitor_stopped(const tp_monitor *monitor);
TP_API const char *tp_monitor_message(const tp_monitor *monitor);

/* The history: row k of so many, and in it term number `term` (n stands for the validation loss, NaN where there is none). */
TP_API int64_t tp_monitor_count(const tp_monitor *monitor);
TP_API double tp_monitor_value(const tp_monitor *monitor, int64_t k, int term);

/* Writes the history as CSV: step, epoch, seconds, the terms, validation.  The file appears complete or not at all.  The columns
 * of names with commas, quotes or line ends are quoted. */
TP_API tp_status tp_monitor_write(tp_monitor *monitor, const char *path, tp_io_report *report);

/* Draws the terms over the steps as an SVG file by gnuplot, on a logarithmic axis if all values are positive.  TP_BAD_STATE when
 * there is nothing to draw, or gnuplot is not installed or fails; TP_BAD_VALUE when a file cannot be written. */
TP_API tp_status tp_monitor_plot(tp_monitor *monitor, const char *path, tp_io_report *report);

/* Ends the line, writes the CSV file a last time, and frees the monitor.  NULL is ignored.  Returns what writing did. */
TP_API tp_status tp_monitor_destroy(tp_monitor *monitor);

#ifdef __cplusplus
}
#endif

#endif
