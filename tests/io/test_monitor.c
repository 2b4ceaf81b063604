/* test_monitor.c -- the line, the history, the CSV file, the plot, and the stop at a NaN. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>

#include "files.h"

static double seconds;

static double fake_clock(void *user)
{
    (void)user;
    return seconds;
}

/* loss = mean(w^2), which the program halves in every run; penalty = sum w. */
typedef struct training {
    tp_tape *tape;
    tp_tensor w, loss, penalty;
    tp_named terms[2];
    tp_program *program;
} training;

static training make(bool check_finite)
{
    training t = {.tape = tp_tape_create(NULL)};
    t.w = tp_parameter(t.tape, TP_F32, TP_SHAPE(2), (float[]){4, 4});
    t.loss = tp_mean(tp_log(tp_exp(tp_square(t.w))));
    t.penalty = tp_sum(t.w);
    t.terms[0] = (tp_named){"loss", t.loss};
    t.terms[1] = (tp_named){"a, \"b\"", t.penalty};
    const tp_tensor step = tp_assign(t.w, tp_scale(t.w, 0.5));
    t.program = tp_compile((tp_tensor[]){t.loss, t.penalty, step}, 3,
                           &(tp_compile_options){.check_finite = check_finite});
    return t;
}

static void drop(training *t)
{
    assert_int_equal(tp_tape_status(t->tape), TP_OK);
    tp_program_destroy(t->program);
    tp_tape_destroy(t->tape);
}

/* What was shown, byte by byte. */
static void the_line(void **state)
{
    training t = make(false);
    char *text = NULL;
    size_t size = 0;
    (void)state;
    FILE *stream = open_memstream(&text, &size);
    seconds = 100;
    tp_monitor *m = tp_monitor_create(
        t.terms, 2,
        &(tp_monitor_options){
            .steps = 4, .progress = TP_PROGRESS_ALWAYS, .stream = stream, .clock = fake_clock});
    assert_non_null(m);
    seconds = 110;
    assert_true(tp_monitor_run(m, t.program));
    seconds = 110.05; /* too soon for another line */
    assert_true(tp_monitor_run(m, t.program));
    tp_monitor_epoch(m, 0.25);
    seconds = 700;
    assert_true(tp_monitor_run(m, t.program));
    assert_int_equal(tp_monitor_destroy(m), TP_OK);
    fclose(stream);
    const char *expected =
        "\r[#####...............]  25 %  step 1/4  0.1 steps/s  30 s left  loss 16  a, \"b\" 8"
        "\r[##########..........]  50 %  step 2/4  0.199 steps/s  10 s left  loss 4  a, \"b\" 4"
        "  validation 0.25\n"
        "\r[###############.....]  75 %  step 3/4  epoch 1  0.005 steps/s  3 min left  loss 1  a, \"b\" 2"
        "\r[###############.....]  75 %  step 3/4  epoch 1  0.005 steps/s  3 min left  loss 1  a, \"b\" 2\n";
    assert_string_equal(text, expected);
    free(text);
    drop(&t);
}

/* Nothing is shown where there is no terminal, or where it is not wanted. */
static void quiet(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        training t = make(false);
        FILE *stream = tmpfile();
        tp_monitor *m = tp_monitor_create(
            t.terms, 2,
            &(tp_monitor_options){.stream = stream,
                                  .progress = k == 0 ? TP_PROGRESS_ON_TERMINAL : TP_PROGRESS_NEVER});
        assert_true(tp_monitor_run(m, t.program));
        tp_monitor_epoch(m, NAN);
        tp_monitor_destroy(m);
        assert_int_equal(ftell(stream), 0);
        fclose(stream);
        drop(&t);
    }
}

static void history(void **state)
{
    training t = make(false);
    char text[1000] = "";
    const char *path = in_directory("history.csv");
    (void)state;
    seconds = 0;
    tp_monitor *m = tp_monitor_create(t.terms, 2, &(tp_monitor_options){.csv = path, .clock = fake_clock});
    for (int k = 0; k < 2; k++) {
        seconds += 1;
        assert_true(tp_monitor_run(m, t.program));
    }
    assert_int_equal(files_there(false), 0); /* not yet */
    tp_monitor_epoch(m, 0.5);
    assert_int_equal(files_there(false), 1);
    seconds += 11;
    assert_true(tp_monitor_run(m, t.program));
    read_bytes(path, text, sizeof text - 1);
    assert_string_equal(text, "step,epoch,seconds,loss,\"a, \"\"b\"\"\",validation\n"
                              "1,0,1.000000,16,8,\n2,0,2.000000,4,4,0.5\n3,1,13.000000,1,2,\n");
    assert_int_equal(tp_monitor_count(m), 3);
    assert_true(tp_monitor_value(m, 1, 0) == 4 && tp_monitor_value(m, 1, 2) == 0.5);
    assert_true(isnan(tp_monitor_value(m, 0, 2)) && isnan(tp_monitor_value(m, 3, 0)) &&
                isnan(tp_monitor_value(m, 0, 3)));
    for (int k = 0; k < 600; k++) /* more rows than the first allocation holds */
        assert_true(tp_monitor_run(m, t.program));
    assert_true(tp_monitor_value(m, 0, 0) == 16 && tp_monitor_count(m) == 603);
    tp_io_report report;
    assert_int_equal(tp_monitor_write(m, in_directory("no/such.csv"), &report), TP_BAD_VALUE);
    assert_int_equal(tp_monitor_write(m, NULL, &report), TP_BAD_ARGUMENT);
    assert_int_equal(tp_monitor_destroy(m), TP_OK);
    assert_int_equal(files_there(true), 1);
    drop(&t);
}

/* With check_finite: where it came from, and nothing was assigned.  Without: which term. */
static void stops(void **state)
{
    (void)state;
    for (int check = 0; check < 2; check++) {
        training t = make(check == 1);
        tp_monitor *m = tp_monitor_create(t.terms, 2, NULL);
        assert_true(tp_monitor_run(m, t.program));
        assert_false(tp_monitor_stopped(m));
        assert_string_equal(tp_monitor_message(m), "");
        tp_write(t.w, ((float[]){1, 40}), 2);
        assert_false(tp_monitor_run(m, t.program));
        assert_true(tp_monitor_stopped(m));
        if (strstr(tp_monitor_message(m), check == 1 ? "exp" : "step 2: loss is inf; compile the program") ==
            NULL)
            fail_msg("%s", tp_monitor_message(m));
        assert_true(strncmp(tp_monitor_message(m), "step 2: ", 8) == 0);
        assert_true(check == 0 || strstr(tp_monitor_message(m), "test_monitor.c") != NULL);
        assert_true(((const float *)tp_values(t.w, TP_F32))[1] == (check == 1 ? 40 : 20));
        assert_false(tp_monitor_run(m, t.program));
        tp_monitor_destroy(m);
        if (check == 1)
            tp_tape_clear_error(t.tape);
        drop(&t);
    }
    training t = make(false);
    tp_monitor *m = tp_monitor_create(t.terms, 2, &(tp_monitor_options){.go_on = true});
    tp_write(t.w, ((float[]){1, 40}), 2);
    assert_true(tp_monitor_run(m, t.program));
    tp_monitor_destroy(m);
    drop(&t);
}

static void plots(void **state)
{
    training t = make(false);
    char text[4000] = "", *old = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    const char *path = in_directory("a'b.svg");
    tp_io_report report;
    (void)state;
    files_there(true);
    tp_monitor *m = tp_monitor_create(t.terms, 2, NULL);
    assert_int_equal(tp_monitor_plot(m, path, &report), TP_BAD_STATE);
    assert_non_null(strstr(report.message, "no plot: there is no history yet"));
    for (int k = 0; k < 5; k++)
        tp_monitor_run(m, t.program);
    tp_monitor_epoch(m, 3);
    setenv("PATH", directory, 1);
    assert_int_equal(tp_monitor_plot(m, path, &report), TP_BAD_STATE);
    assert_non_null(strstr(report.message, "no plot: gnuplot is not installed"));
    /* A gnuplot of our own, which keeps the script as the picture; then one that fails. */
    const char *own = in_directory("gnuplot");
    static const char copy[] = "#!/bin/sh\n/bin/cp \"$1\" \"$1.svg\"\n", bad[] = "#!/bin/sh\nexit 3\n";
    write_bytes(own, copy, sizeof copy - 1);
    char command[300];
    setenv("PATH", old, 1);
    snprintf(command, sizeof command, "chmod +x '%s'", own);
    assert_int_equal(system(command), 0);
    setenv("PATH", directory, 1);
    if (tp_monitor_plot(m, path, &report) != TP_OK)
        fail_msg("%s", report.message);
    read_bytes(path, text, sizeof text - 1);
    assert_non_null(strstr(text, "set logscale y"));
    assert_non_null(strstr(
        text, "plot '-' with lines noenhanced title 'loss', '-' with lines noenhanced title 'a, \"b\"', "
              "'-' with linespoints noenhanced title 'validation'\n1 16\n2 4\n3 1\n"));
    assert_non_null(strstr(text, "a''b.svg"));
    assert_int_equal(files_there(false), 2);
    write_bytes(own, bad, sizeof bad - 1);
    assert_int_equal(tp_monitor_plot(m, path, &report), TP_BAD_STATE);
    assert_non_null(strstr(report.message, "no plot: gnuplot failed"));
    assert_int_equal(files_there(false), 2);
    assert_int_equal(tp_monitor_plot(m, NULL, &report), TP_BAD_ARGUMENT);
    assert_int_equal(tp_monitor_plot(m, "a\nb", &report), TP_BAD_ARGUMENT);
    setenv("PATH", old, 1);
    free(old);
    tp_monitor_destroy(m);
    drop(&t);
}

static void expect_refused(training *t, const tp_named *terms, int n, tp_monitor_options o, const char *text)
{
    assert_null(tp_monitor_create(terms, n, &o));
    if (strstr(tp_tape_message(t->tape), text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tp_tape_message(t->tape), text);
    tp_tape_clear_error(t->tape);
}

static void bad_arguments(void **state)
{
    training t = make(false);
    char path[2000];
    const tp_named wide = {"w", t.w}, nameless = {NULL, t.loss};
    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    expect_refused(&t, &wide, 1, (tp_monitor_options){0},
                   "monitor: there must be 1 to 64 terms, each with a name");
    expect_refused(&t, &nameless, 1, (tp_monitor_options){0}, "monitor: there must be 1 to 64 terms");
    expect_refused(&t, t.terms, 2, (tp_monitor_options){.steps = -1},
                   "monitor: steps and intervals must not be negative");
    expect_refused(&t, t.terms, 2, (tp_monitor_options){.interval = NAN}, "monitor: steps and intervals");
    expect_refused(&t, t.terms, 2, (tp_monitor_options){.csv = path},
                   "monitor: the name of the CSV file is too long");
    expect_refused(&t, t.terms, 2, (tp_monitor_options){.allocator = {.release = metered_release}},
                   "monitor: an allocator needs both functions");
    meter m = {.refused = 1};
    expect_refused(&t, t.terms, 2, (tp_monitor_options){.allocator = {metered_allocate, metered_release, &m}},
                   "monitor: out of memory");
    for (int k = 2; k <= 3; k++) { /* no room for the history */
        m = (meter){.refused = k};
        tp_monitor *monitor = tp_monitor_create(
            t.terms, 2, &(tp_monitor_options){.allocator = {metered_allocate, metered_release, &m}});
        assert_false(tp_monitor_run(monitor, t.program));
        assert_string_equal(tp_monitor_message(monitor), "step 1: out of memory");
        tp_monitor_destroy(monitor);
        assert_int_equal(m.held, 0);
    }
    assert_null(tp_monitor_create(NULL, 1, NULL));
    assert_null(tp_monitor_create(&(tp_named){"a", {0}}, 1, NULL));
    assert_false(tp_monitor_run(NULL, t.program));
    assert_false(tp_monitor_stopped(NULL));
    assert_string_equal(tp_monitor_message(NULL), "");
    assert_int_equal(tp_monitor_count(NULL), 0);
    assert_true(isnan(tp_monitor_value(NULL, 0, 0)));
    assert_int_equal(tp_monitor_write(NULL, "x", NULL), TP_BAD_ARGUMENT);
    assert_int_equal(tp_monitor_plot(NULL, "x", NULL), TP_BAD_ARGUMENT);
    assert_int_equal(tp_monitor_destroy(NULL), TP_OK);
    tp_monitor_epoch(NULL, 0);
    drop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line), cmocka_unit_test(quiet), cmocka_unit_test(history),
        cmocka_unit_test(stops),    cmocka_unit_test(plots), cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
