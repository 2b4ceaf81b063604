/* monitor_plot.c -- tp_monitor_plot: a script for gnuplot, and running it. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor.h"
#include "reader.h"

extern char **environ;

/* Between single quotes, where only these themselves are special. */
static void write_quoted(FILE *file, const char *text)
{
    fputc('\'', file);
    for (; *text != '\0'; text++)
        fprintf(file, *text == '\'' ? "''" : "%c", *text == '\n' ? ' ' : *text);
    fputc('\'', file);
}

static bool all_positive(const tp_monitor *m)
{
    for (int64_t i = 0; i < m->rows; i++)
        for (int k = 0; k <= m->terms; k++)
            if (tp__row_values(m, i)[k] <= 0)
                return false;
    return true;
}

static bool has_validation(const tp_monitor *m)
{
    for (int64_t i = 0; i < m->rows; i++)
        if (isfinite(tp__row_values(m, i)[m->terms]))
            return true;
    return false;
}

/* The values stand in the script itself, a block for each curve. */
static void write_script(const tp_monitor *m, FILE *file, const char *picture)
{
    const int curves = m->terms + has_validation(m);

    fputs("set terminal svg size 800,480 background rgb 'white'\nset output ", file);
    write_quoted(file, picture);
    fputs("\nset xlabel 'step'\nset grid\n", file);
    if (all_positive(m))
        fputs("set logscale y\nset format y '%g'\n", file);
    for (int k = 0; k < curves; k++) {
        fputs(k == 0 ? "plot '-' with " : ", '-' with ", file);
        fputs(k < m->terms ? "lines noenhanced title " : "linespoints noenhanced title ", file);
        write_quoted(file, k < m->terms ? m->name[k] : "validation");
    }
    fputc('\n', file);
    for (int k = 0; k < curves; k++) {
        for (int64_t i = 0; i < m->rows; i++)
            if (isfinite(tp__row_values(m, i)[k]))
                fprintf(file, "%lld %.9g\n", (long long)m->row[i].step, tp__row_values(m, i)[k]);
        fputs("e\n", file);
    }
}

/* Runs it on the script, silently.  Not popen: a gnuplot that ends early would kill who writes to it by a signal. */
static bool run_gnuplot(char *script, tp__fault *fault)
{
    char program[] = "gnuplot", *const arguments[] = {program, script, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    const int failed = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    if (failed != 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
        *fault = (tp__fault){
            TP_BAD_STATE, -1,
            "no plot: gnuplot is not installed (Debian and Ubuntu: gnuplot-nox); tp_monitor_write writes the "
            "numbers"};
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        *fault = (tp__fault){TP_BAD_STATE, -1, "no plot: gnuplot failed"};
    return fault->status == TP_OK;
}

/* gnuplot writes to a temporary name, too; it would leave half a picture. */
static void plot(const tp_monitor *m, const char *path, tp__fault *fault)
{
    char script[TP__PATH], picture[TP__PATH];
    tp__writer w;
    const int n = snprintf(script, sizeof script, "%s.gnuplot-%ld", path, (long)getpid());

    if (n < 0 || (size_t)n + 5 > sizeof script) {
        *fault = (tp__fault){TP_BAD_VALUE, -1, strerror(ENAMETOOLONG)};
        return;
    }
    snprintf(picture, sizeof picture, "%.*s.svg", (int)sizeof picture - 5, script);
    if (!tp__writer_open(&w, script, fault))
        return;
    write_script(m, w.file, picture);
    if (tp__writer_close(&w, fault)) {
        if (run_gnuplot(script, fault) && rename(picture, path) != 0)
            *fault = (tp__fault){TP_BAD_VALUE, -1, strerror(errno)};
        unlink(script);
        unlink(picture);
    }
}

tp_status tp_monitor_plot(tp_monitor *m, const char *path, tp_io_report *report)
{
    tp__fault fault = {0};

    if (m == NULL || path == NULL)
        fault = (tp__fault){TP_BAD_ARGUMENT, -1, "the monitor or the path is NULL"};
    else if (strchr(path, '\n') != NULL)
        fault = (tp__fault){TP_BAD_ARGUMENT, -1, "the path has a line end"};
    else if (m->rows == 0)
        fault = (tp__fault){TP_BAD_STATE, -1, "no plot: there is no history yet"};
    else
        plot(m, path, &fault);
    tp__io_report(report, path, "tp_monitor_plot", &fault);
    return fault.status;
}
