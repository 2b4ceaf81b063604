/* monitor.c -- tp_monitor_...: the line, the history, and when to stop.  The plot is in monitor_plot.c. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tapir/op.h>

#include "monitor.h"
#include "reader.h"

static double now(const tp_monitor *m)
{
    struct timespec t = {0};
    if (m->options.clock != NULL)
        return m->options.clock(m->options.clock_user);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- A monitor's life -------------------------------------------------------------------------------- */

static bool check_terms(const tp_named *terms, int n)
{
    if (terms == NULL || n < 1)
        return false;
    for (int k = 0; k < n; k++) {
        if (!tp_is_valid(terms[k].tensor))
            return false;
        if (terms[k].name == NULL || n > TP__MOST_TERMS || tp_count_of(terms[k].tensor) != 1) {
            tp_fail(terms[k].tensor, TP_BAD_ARGUMENT,
                    "monitor: there must be 1 to %d terms, each with a name and of one element",
                    TP__MOST_TERMS);
            return false;
        }
    }
    return true;
}

static bool check_monitor_options(tp_tensor at, const tp_monitor_options *o)
{
    const char *wrong = NULL;
    if ((o->allocator.allocate == NULL) != (o->allocator.release == NULL))
        wrong = "an allocator needs both functions";
    else if (o->steps < 0 || !(o->interval >= 0) || !(o->csv_interval >= 0))
        wrong = "steps and intervals must not be negative";
    else if (o->csv != NULL && strlen(o->csv) >= sizeof((tp_monitor *)0)->csv)
        wrong = "the name of the CSV file is too long";
    if (wrong != NULL)
        tp_fail(at, TP_BAD_ARGUMENT, "monitor: %s", wrong);
    return wrong == NULL;
}

tp_monitor *tp_monitor_create(const tp_named *terms, int n, const tp_monitor_options *options)
{
    const tp_monitor_options o = options != NULL ? *options : (tp_monitor_options){0};

    if (!check_terms(terms, n) || !check_monitor_options(terms[0].tensor, &o))
        return NULL;
    const tp_allocator allocator = tp__io_allocator(&o.allocator);
    tp_monitor *m = tp__io_allocate(&allocator, sizeof *m);
    if (m == NULL) {
        tp_fail(terms[0].tensor, TP_OUT_OF_MEMORY, "monitor: out of memory");
        return NULL;
    }
    m->options = o;
    m->allocator = allocator;
    m->terms = n;
    for (int k = 0; k < n; k++) {
        m->tensor[k] = terms[k].tensor;
        snprintf(m->name[k], sizeof m->name[k], "%s", terms[k].name);
    }
    if (o.csv != NULL)
        snprintf(m->csv, sizeof m->csv, "%s", o.csv);
    FILE *stream = o.stream != NULL ? o.stream : stderr;
    if (o.progress == TP_PROGRESS_ALWAYS || (o.progress == TP_PROGRESS_ON_TERMINAL && isatty(fileno(stream))))
        m->stream = stream;
    m->start = m->written = now(m);
    m->shown = -HUGE_VAL;
    return m;
}

/* ---- The line ---------------------------------------------------------------------------------------- */

static size_t add(char *line, size_t size, size_t used, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;
static size_t add(char *line, size_t size, size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(line + used, size - used, format, arguments);
    va_end(arguments);
    return n < 0 ? used : used + (size_t)n < size ? used + (size_t)n : size - 1;
}

static size_t add_time_left(char *line, size_t size, size_t used, double seconds)
{
    if (seconds < 100)
        return add(line, size, used, "  %.0f s left", seconds);
    if (seconds < 6000)
        return add(line, size, used, "  %.0f min left", seconds / 60);
    return add(line, size, used, "  %.1f h left", seconds / 3600);
}

/* What is left takes as long per step as what was done. */
static size_t format_line(const tp_monitor *m, double time, char *line, size_t size)
{
    enum { BAR = 20 };
    const int64_t step = m->rows, steps = m->options.steps;
    const double elapsed = time - m->start, rate = elapsed > 0 ? (double)step / elapsed : 0;
    size_t used = 0;

    if (steps > 0) {
        const double part = step < steps ? (double)step / (double)steps : 1;
        char bar[BAR + 1] = "....................";
        memset(bar, '#', (size_t)(part * BAR));
        used = add(line, size, used, "[%s] %3.0f %%  step %lld/%lld", bar, floor(100 * part), (long long)step,
                   (long long)steps);
    } else {
        used = add(line, size, used, "step %lld", (long long)step);
    }
    if (m->epoch > 0)
        used = add(line, size, used, "  epoch %lld", (long long)m->epoch);
    if (rate > 0)
        used = add(line, size, used, "  %.3g steps/s", rate);
    if (rate > 0 && steps > step)
        used = add_time_left(line, size, used, (double)(steps - step) / rate);
    for (int k = 0; k < m->terms && step > 0; k++)
        used = add(line, size, used, "  %s %.4g", m->name[k], tp__row_values(m, step - 1)[k]);
    return used;
}

/* Over the line that is there, of which nothing must be left. */
static void show(tp_monitor *m, double time, bool last)
{
    char line[512];
    if (m->stream == NULL)
        return;
    const int width = (int)format_line(m, time, line, sizeof line);
    fprintf(m->stream, "\r%-*s%s", m->width, line, last ? "\n" : "");
    fflush(m->stream);
    m->width = width;
    m->shown = time;
}

/* ---- The history ------------------------------------------------------------------------------------- */

static void *grown(tp_monitor *m, void *old, size_t element, int64_t capacity)
{
    void *larger = tp__io_allocate(&m->allocator, (size_t)capacity * element);
    if (larger != NULL && m->rows > 0)
        memcpy(larger, old, (size_t)m->rows * element);
    return larger;
}

static bool make_room(tp_monitor *m)
{
    if (m->rows < m->capacity)
        return true;
    const int64_t capacity = m->capacity > 0 ? 2 * m->capacity : 256;
    const size_t values = (size_t)(m->terms + 1) * sizeof *m->value;
    tp__row *row = grown(m, m->row, sizeof *row, capacity);
    double *value = grown(m, m->value, values, capacity);
    if (row == NULL || value == NULL) {
        tp__io_release(&m->allocator, row, (size_t)capacity * sizeof *row);
        tp__io_release(&m->allocator, value, (size_t)capacity * values);
        return false;
    }
    tp__io_release(&m->allocator, m->row, (size_t)m->capacity * sizeof *row);
    tp__io_release(&m->allocator, m->value, (size_t)m->capacity * values);
    m->row = row;
    m->value = value;
    m->capacity = capacity;
    return true;
}

static void write_field(FILE *file, const char *name)
{
    if (strpbrk(name, ",\"\r\n") == NULL) {
        fprintf(file, ",%s", name);
        return;
    }
    fputs(",\"", file);
    for (; *name != '\0'; name++)
        fprintf(file, *name == '"' ? "\"\"" : "%c", *name);
    fputc('"', file);
}

static void write_rows(const tp_monitor *m, FILE *file)
{
    fputs("step,epoch,seconds", file);
    for (int k = 0; k < m->terms; k++)
        write_field(file, m->name[k]);
    fputs(",validation\n", file);
    for (int64_t i = 0; i < m->rows; i++) {
        const double *value = tp__row_values(m, i);
        fprintf(file, "%lld,%lld,%.6f", (long long)m->row[i].step, (long long)m->row[i].epoch,
                m->row[i].seconds);
        for (int k = 0; k < m->terms; k++)
            fprintf(file, ",%.9g", value[k]);
        if (isnan(value[m->terms]))
            fputs(",\n", file);
        else
            fprintf(file, ",%.9g\n", value[m->terms]);
    }
}

tp_status tp_monitor_write(tp_monitor *m, const char *path, tp_io_report *report)
{
    tp__fault fault = {0};
    tp__writer w;

    if (m == NULL || path == NULL)
        fault = (tp__fault){TP_BAD_ARGUMENT, -1, "the monitor or the path is NULL"};
    else if (tp__writer_open(&w, path, &fault)) {
        write_rows(m, w.file);
        tp__writer_close(&w, &fault);
    }
    tp__io_report(report, path, "tp_monitor_write", &fault);
    return fault.status;
}

/* Seldom enough that writing takes a small part of the time, however long the history is. */
static void write_csv(tp_monitor *m, bool at_once)
{
    const double interval = m->options.csv_interval > 0 ? m->options.csv_interval : 10, time = now(m);
    if (m->csv[0] == '\0' || (!at_once && time - m->written < interval))
        return;
    tp_monitor_write(m, m->csv, NULL);
    m->written = now(m) + 10 * (now(m) - time);
}

/* ---- Steps ------------------------------------------------------------------------------------------- */

static bool stop(tp_monitor *m, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
static bool stop(tp_monitor *m, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(m->message, sizeof m->message, format, arguments);
    va_end(arguments);
    m->stopped = true;
    return false;
}

/* The terms of the run, as a row; the index of the first that is not finite, or -1. */
static int keep(tp_monitor *m, double time)
{
    double *value = m->value + m->rows * (m->terms + 1);
    int bad = -1;

    for (int k = 0; k < m->terms; k++) {
        value[k] = tp_item(m->tensor[k]);
        if (bad < 0 && !isfinite(value[k]))
            bad = k;
    }
    value[m->terms] = NAN;
    m->row[m->rows] = (tp__row){m->rows + 1, m->epoch, time - m->start};
    m->rows++;
    return bad;
}

bool tp_monitor_run(tp_monitor *m, tp_program *program)
{
    if (m == NULL || m->stopped)
        return false;
    if (!make_room(m))
        return stop(m, "step %lld: out of memory", (long long)m->rows + 1);
    if (tp_run(program) != TP_OK)
        return stop(m, "step %lld: %s", (long long)m->rows + 1, tp_program_message(program));
    const double time = now(m), interval = m->options.interval > 0 ? m->options.interval : 0.1;
    const int bad = keep(m, time);
    if (time - m->shown >= interval || m->rows == m->options.steps)
        show(m, time, false);
    write_csv(m, false);
    if (bad < 0 || m->options.go_on)
        return true;
    return stop(m,
                "step %lld: %s is %g; compile the program with .check_finite to learn where that came from",
                (long long)m->rows, m->name[bad], tp__row_values(m, m->rows - 1)[bad]);
}

void tp_monitor_epoch(tp_monitor *m, double validation)
{
    if (m == NULL || m->stopped)
        return;
    if (m->rows > 0)
        m->value[(m->rows - 1) * (m->terms + 1) + m->terms] = validation;
    if (m->stream != NULL) {
        char line[512];
        size_t used = format_line(m, now(m), line, sizeof line);
        if (!isnan(validation))
            used = add(line, sizeof line, used, "  validation %.4g", validation);
        fprintf(m->stream, "\r%-*s\n", m->width, line);
        fflush(m->stream);
        m->width = 0;
    }
    m->epoch++;
    write_csv(m, true);
}

/* ---- Looking at it ------------------------------------------------------------------------------------- */

bool tp_monitor_stopped(const tp_monitor *m)
{
    return m != NULL && m->stopped;
}

const char *tp_monitor_message(const tp_monitor *m)
{
    return m != NULL ? m->message : "";
}

int64_t tp_monitor_count(const tp_monitor *m)
{
    return m != NULL ? m->rows : 0;
}

double tp_monitor_value(const tp_monitor *m, int64_t k, int term)
{
    return m == NULL || k < 0 || k >= m->rows || term < 0 || term > m->terms ? NAN
                                                                             : tp__row_values(m, k)[term];
}

tp_status tp_monitor_destroy(tp_monitor *m)
{
    tp_status status = TP_OK;
    if (m == NULL)
        return status;
    if (m->width > 0)
        show(m, now(m), true);
    if (m->csv[0] != '\0')
        status = tp_monitor_write(m, m->csv, NULL);
    const tp_allocator allocator = m->allocator;
    tp__io_release(&allocator, m->row, (size_t)m->capacity * sizeof *m->row);
    tp__io_release(&allocator, m->value, (size_t)m->capacity * (size_t)(m->terms + 1) * sizeof *m->value);
    tp__io_release(&allocator, m, sizeof *m);
    return status;
}
