/* test_errors.c -- every error message, and how errors stick. */
#include "error_rows.h"
#include "error_rows_arrange.h"
#include "error_rows_channels.h"
#include "error_rows_convolution.h"
#include "error_rows_elementwise.h"
#include "error_rows_indexing.h"
#include "error_rows_linalg.h"
#include "error_rows_modes.h"
#include "error_rows_opaque.h"
#include "error_rows_ops.h"
#include "error_rows_ordering.h"
#include "error_rows_program.h"
#include "error_rows_random.h"
#include "error_rows_record.h"
#include "error_rows_sequence.h"
#include "error_rows_tape.h"
#include "error_rows_validate.h"
#include "error_rows_views.h"
#include "error_scan.h"

#include <glob.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS(SOURCE, ROWS)                                                                                   \
    {                                                                                                        \
        "src/" SOURCE, ROWS, COUNT_OF(ROWS), false                                                           \
    }
#define USE_ROWS(SOURCE, ROWS)                                                                               \
    {                                                                                                        \
        "src/" SOURCE, ROWS, COUNT_OF(ROWS), true                                                            \
    }

static const error_rows all_rows[] = {
    ROWS("tape/tape.c", tape_rows),
    USE_ROWS("tape/tape.c", tape_use_rows),
    ROWS("tape/shape.c", shape_rows),
    ROWS("tape/leaf.c", leaf_rows),
    USE_ROWS("tape/leaf.c", leaf_use_rows),
    ROWS("tape/record.c", record_rows),
    ROWS("tape/validate.c", validate_rows),
    ROWS("tape/gradient.c", gradient_rows),
    ROWS("tape/status.c", gradient_rows), /* what is wrong with a handle */
    ROWS("tape/rule.c", rule_rows),
    ROWS("tape/forward.c", forward_rows),
    ROWS("tape/modes.c", modes_rows),
    ROWS("tape/checkpoint.c", checkpoint_rows),
    ROWS("tape/program.c", program_rows),
    USE_ROWS("tape/program.c", program_use_rows),
    USE_ROWS("tape/reference.c", reference_rows),
    USE_ROWS("tape/diagnose.c", diagnose_rows),
    ROWS("ops/arithmetic.c", arithmetic_rows),
    ROWS("ops/choice.c", choice_rows),
    ROWS("ops/operands.c", operands_rows),
    ROWS("ops/special.c", special_rows),
    ROWS("ops/axes.c", axes_rows),
    ROWS("ops/reductions.c", reduction_rows),
    ROWS("ops/statistics.c", statistics_rows),
    ROWS("ops/control.c", control_rows),
    USE_ROWS("ops/control.c", control_use_rows),
    ROWS("ops/matmul.c", matmul_rows),
    ROWS("ops/convolution.c", convolution_rows),
    ROWS("ops/channels.c", channels_rows),
    ROWS("ops/channel_sums.c", sums_rows),
    ROWS("ops/convolution_blocked.c", in_blocks_rows),
    USE_ROWS("ops/convolution_blocked.c", in_blocks_use_rows),
    ROWS("ops/pooling.c", pooling_rows),
    ROWS("ops/ctc.c", ctc_rows),
    USE_ROWS("ops/ctc_kernels.c", ctc_use_rows),
    ROWS("ops/resampling.c", resampling_rows),
    ROWS("ops/normalization.c", normalization_rows),
    ROWS("ops/shape.c", view_rows),
    ROWS("ops/slice.c", slice_rows),
    ROWS("ops/source.c", source_rows),
    ROWS("ops/indexing.c", indexing_rows),
    ROWS("ops/arrange.c", arrange_rows),
    ROWS("ops/diagonal.c", diagonal_rows),
    ROWS("ops/padding.c", padding_rows),
    ROWS("ops/random.c", random_rows),
    USE_ROWS("ops/indexing.c", indexing_use_rows),
    ROWS("ops/argmax.c", argmax_rows),
    ROWS("ops/opaque.c", opaque_rows),
    USE_ROWS("ops/opaque.c", opaque_use_rows),
    USE_ROWS("tape/reference.c", intrusion_rows),
    USE_ROWS("tape/status.c", intrusion_rows), /* how a kernel uses its own tape */
    USE_ROWS("tape/tape.c", intrusion_rows),
    USE_ROWS("tape/leaf.c", intrusion_rows),
    USE_ROWS("tape/record.c", intrusion_rows),
    USE_ROWS("tape/program.c", intrusion_rows),
    ROWS("ops/axes.c", ordering_axes_rows),
    ROWS("ops/ordering.c", ordering_rows),
    USE_ROWS("ops/cumulative.c", cumulative_use_rows),
    USE_ROWS("ops/sums.c", sums_use_rows),
    ROWS("ops/matrices.c", matrices_rows),
    ROWS("ops/matmul.c", outer_rows),
    USE_ROWS("ops/matrices.c", triangular_use_rows), /* the names of matrices */
    USE_ROWS("ops/triangular.c", triangular_use_rows),
    ROWS("ops/linear_solve.c", solve_rows),
    USE_ROWS("ops/linear_solve.c", solve_use_rows),
    ROWS("ops/einsum.c", einsum_rows),
};

/* ---- One row ---------------------------------------------------------------------------------------- */

static void note_error(tp_tape *tape, tp_status status, const char *message, void *user)
{
    fixture *f = user;
    f->handled++;
    f->handled_status = status;
    snprintf(f->handled_message, sizeof f->handled_message, "%s", message);
    assert_ptr_equal(tape, f->tape);
    assert_int_equal(tp_tape_status(tape), status);
}

static void make_tensors(fixture *f)
{
    const float ones[6] = {1, 1, 1, 1, 1, 1};
    const double doubles[6] = {1, 1, 1, 1, 1, 1};
    const int32_t labels[3] = {0, 5, -1},
                  large[6] = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    tp_tape *tape = f->tape;

    f->a23 = tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), ones);
    f->a32 = tp_parameter(tape, TP_F32, TP_SHAPE(3, 2), ones);
    f->a4 = tp_parameter(tape, TP_F32, TP_SHAPE(4), ones);
    f->d23 = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), doubles);
    f->i3 = tp_parameter(tape, TP_I32, TP_SHAPE(3), labels);
    f->i23 = tp_parameter(tape, TP_I32, TP_SHAPE(2, 3), large);
    f->input = tp_input(tape, TP_F32, TP_SHAPE(2, 3));
    f->constant = tp_constant(tape, TP_F32, TP_SHAPE(3), ones);
    f->number = tp_scalar(tape, 2);
    f->poison = (tp_tensor){.tape = tape, .id = -1};
    f->foreign = tp_parameter(f->other, TP_F32, TP_SHAPE(2, 3), ones);
    const tp_mark mark = tp_tape_mark(tape);
    f->stale = tp_exp(f->a23);
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    expect_ok(tape);
}

static void make_fixture(fixture *f)
{
    *f = (fixture){0};
    f->tape = tp_tape_create(&(tp_tape_options){
        .allocator = memory_allocator(&f->memory), .on_error = note_error, .on_error_user = f});
    f->other = tape_with(&f->memory);
    make_tensors(f);
}

static void drop_fixture(fixture *f)
{
    tp_program_destroy(f->program);
    tp_tape_destroy(f->tape);
    tp_tape_destroy(f->other);
    assert_all_released(&f->memory);
}

/* Row by row in a message, each fragment after the one before. */
static void check_message(const fixture *f, const error_row *row)
{
    const char *message = tp_tape_message(f->tape), *rest = message;
    char place[600];

    if (tp_tape_status(f->tape) != row->status)
        fail_msg("%s where %s was expected: \"%s\"", tp_status_name(tp_tape_status(f->tape)),
                 tp_status_name(row->status), message);
    for (int k = 0; k < ROW_FRAGMENTS && row->fragment[k] != NULL; k++) {
        const char *found = strstr(rest, row->fragment[k]);
        if (found == NULL)
            fail_msg("\"%s\" does not contain \"%s\"", message, row->fragment[k]);
        else
            rest = found + strlen(row->fragment[k]);
    }
    snprintf(place, sizeof place, " at %s:%d", f->file != NULL ? f->file : "", f->line);
    const size_t length = strlen(message), tail = strlen(place);
    if (f->line > 0 && (length < tail || strcmp(message + length - tail, place) != 0))
        fail_msg("\"%s\" does not end with \"%s\"", message, place);
    if (f->line == 0 && strstr(message, " at ") != NULL)
        fail_msg("\"%s\" names a place", message);
}

static void check_consequences(fixture *f, const error_row *row, bool using_error)
{
    char message[1200];
    snprintf(message, sizeof message, "%s", tp_tape_message(f->tape));
    assert_int_equal(f->handled, 1);
    assert_int_equal(f->handled_status, row->status);
    assert_string_equal(f->handled_message, message);
    if (f->gives_status)
        assert_int_equal(f->returned, row->status);
    if (f->gives_tensor) {
        assert_ptr_equal(f->result.tape, f->tape);
        assert_false(tp_is_valid(f->result));
        assert_false(tp_is_valid(tp_add(f->result, f->a4)));
    }

    f->memory.fail_at = 0;
    tp_program *program = compile_one(f->a4);
    assert_int_equal(program != NULL, using_error);
    tp_program_destroy(program);
    assert_false(tp_is_valid(tp_add(f->a23, f->a4))); /* an error, but not the first */
    assert_int_equal(f->handled, 1);
    assert_string_equal(tp_tape_message(f->tape), message);

    tp_tape_clear_error(f->tape);
    expect_ok(f->tape);
    assert_string_equal(tp_tape_message(f->tape), "");
    program = compile_one(tp_neg(f->a4));
    assert_non_null(program);
    assert_int_equal(tp_run(program), TP_OK);
    tp_program_destroy(program);
}

typedef struct row_state {
    const error_row *row;
    bool using_error;
} row_state;

static void run_row(void **state)
{
    const row_state *s = *state;
    static fixture f; /* outlives a failed assertion, which jumps */
    make_fixture(&f);
    s->row->misuse(&f);
    check_message(&f, s->row);
    check_consequences(&f, s->row, s->using_error);
    drop_fixture(&f);
}

/* ---- Every message has a row ------------------------------------------------------------------------ */

/* Two words, but no error message; test_tape.c and test_program.c look at these. */
static const char *const not_errors[] = {"  gradient of %%%d", "the strong zero hid: "};

static bool is_exempt(const char *literal)
{
    for (size_t k = 0; k < COUNT_OF(not_errors); k++)
        if (strcmp(literal, not_errors[k]) == 0)
            return true;
    for (int status = TP_OK; status <= TP_WRONG_DERIVATIVE + 1; status++)
        if (strcmp(literal, tp_status_name((tp_status)status)) == 0)
            return true;
    return strcmp(literal, tp_tape_message(NULL)) == 0 || strcmp(literal, tp_program_message(NULL)) == 0;
}

static int rows_that_cover(const char *source, const char *skeleton)
{
    int count = 0;
    for (size_t g = 0; g < COUNT_OF(all_rows); g++)
        for (size_t r = 0; r < all_rows[g].count && strcmp(all_rows[g].source, source) == 0; r++) {
            char text[1200] = "";
            for (int k = 0; k < ROW_FRAGMENTS && all_rows[g].row[r].fragment[k] != NULL; k++) {
                strncat(text, all_rows[g].row[r].fragment[k], sizeof text - strlen(text) - 2);
                strcat(text, "\n");
            }
            count += scan_covers(text, skeleton);
        }
    return count;
}

/* How often the same literal stands in the source up to `s->at`. */
static int times_so_far(const scan *s, const char *literal)
{
    scan again = {s->text, s->text};
    char other[SCAN_LITERAL];
    int times = 0;
    while (again.at < s->at && scan_next(&again, other))
        times += strcmp(literal, other) == 0;
    return times;
}

static int messages_without_row(const char *path, int *messages)
{
    char literal[SCAN_LITERAL], skeleton[SCAN_LITERAL];
    const char *source = strstr(path, "src/");
    int missing = 0;
    scan s;

    assert_true(scan_open(&s, path));
    while (scan_next(&s, literal)) {
        scan_skeleton(literal, skeleton);
        if (scan_words(skeleton) < 2 || is_exempt(literal))
            continue;
        ++*messages;
        if (rows_that_cover(source, skeleton) < times_so_far(&s, literal)) {
            print_error("%s: no row for \"%s\"\n", source, literal);
            missing++;
        }
    }
    scan_close(&s);
    return missing;
}

static void test_every_message_has_a_row(void **state)
{
    static const char *const patterns[] = {TAPIR_SOURCE_DIR "/src/tape/*.c", TAPIR_SOURCE_DIR "/src/ops/*.c"};
    int missing = 0, messages = 0;
    (void)state;

    for (size_t p = 0; p < COUNT_OF(patterns); p++) {
        glob_t found;
        assert_int_equal(glob(patterns[p], 0, NULL, &found), 0);
        for (size_t k = 0; k < found.gl_pathc; k++)
            if (strstr(found.gl_pathv[k], "src/tape/dump.c") == NULL) /* prints plans, reports nothing */
                missing += messages_without_row(found.gl_pathv[k], &messages);
        globfree(&found);
    }
    assert_true(messages > 100); /* else the reading went wrong */
    assert_int_equal(missing, 0);
}

/* ---- Sticking --------------------------------------------------------------------------------------- */

static void test_abort_on_error_aborts_in_the_call(void **state)
{
    int status;
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka's own handler would report a failed test */
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(3);
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.on_error = tp_abort_on_error});
        tp_exp(tp_input(tape, TP_I32, TP_SHAPE(2)));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_using_error_leaves_the_first_message(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2));
    float out[2];
    (void)state;

    assert_int_equal(tp_read(x, out, 2), TP_BAD_STATE);
    tp_tensor bad =
        tp_matmul(x, tp_scalar(tape, 1)); /* a recording error after it: blocks, but is not the first */
    assert_false(tp_is_valid(bad));
    assert_null(compile_one(x));
    expect_error(tape, TP_BAD_STATE, "not written");
    tp_tape_destroy(tape);
}

static void clear_in_handler(tp_tape *tape, tp_status status, const char *message, void *user)
{
    (void)status, (void)message;
    ++*(int *)user;
    tp_tape_clear_error(tape);
}

static void test_handler_may_clear(void **state)
{
    int errors = 0;
    tp_tape *tape =
        tp_tape_create(&(tp_tape_options){.on_error = clear_in_handler, .on_error_user = &errors});
    const tp_tensor x = tp_input(tape, TP_I32, TP_SHAPE(2));
    (void)state;

    assert_false(tp_is_valid(tp_exp(x)));
    assert_false(tp_is_valid(tp_log(x)));
    assert_int_equal(errors, 2);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_message_has_scopes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_I32, TP_SHAPE(2));
    (void)state;

    tp_scope_begin(tape, "model");
    tp_scope_begin(tape, "head");
    tp_exp(x);
    expect_error(tape, TP_BAD_DTYPE, "model/head: exp: there is no kernel for this dtype: i32[2] at ");
    tp_tape_destroy(tape);
}

static void test_fail_is_never_ok(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2));
    (void)state;

    assert_false(tp_is_valid(tp_fail(x, TP_OK, "no reason")));
    expect_error(tape, TP_BAD_ARGUMENT, "no reason");
    tp_tape_destroy(tape);
}

enum { MOST_TESTS = 2000 };

int main(void)
{
    static struct CMUnitTest tests[MOST_TESTS] = {
        cmocka_unit_test(test_every_message_has_a_row),
        cmocka_unit_test(test_abort_on_error_aborts_in_the_call),
        cmocka_unit_test(test_using_error_leaves_the_first_message),
        cmocka_unit_test(test_handler_may_clear),
        cmocka_unit_test(test_message_has_scopes),
        cmocka_unit_test(test_fail_is_never_ok),
    };
    static row_state state[MOST_TESTS];
    size_t count = 6;

    for (size_t g = 0; g < COUNT_OF(all_rows); g++)
        for (size_t r = 0; r < all_rows[g].count && count < MOST_TESTS; r++, count++) {
            state[count] = (row_state){&all_rows[g].row[r], all_rows[g].using_errors};
            tests[count] = (struct CMUnitTest){all_rows[g].row[r].name, run_row, NULL, NULL, &state[count]};
        }
    return _cmocka_run_group_tests("errors", tests, count, NULL, NULL);
}
