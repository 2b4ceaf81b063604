/* test_walk_bad_input.c -- every row with operands that cannot be right: the result is an invalid handle, the tape has the
 * error that fits and a message that names the operands, and is as good as new once it is cleared.
 *
 * The wording of each message is the concern of tests/tape/test_errors.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_rows.h"

static int handled;

static void count_errors(tp_tape *tape, tp_status status, const char *message, void *user)
{
    (void)tape, (void)status, (void)message, (void)user;
    handled++;
}

typedef struct scene {
    tp_tape *tape, *other;
    tp_tensor x[3];
} scene;

static scene open_scene(const op_row *row, tp_dtype dtype)
{
    scene s = {.tape = tp_tape_create(&(tp_tape_options){.on_error = count_errors}),
               .other = tp_tape_create(&(tp_tape_options){.on_error = count_errors})};
    handled = 0;
    for (int k = 0; k < row->n; k++)
        s.x[k] = tp_parameter(s.tape, dtype, row->shape[k], NULL);
    return s;
}

/* Another op on the tape works; the failed one recorded nothing that does. */
static void close_scene(scene *s)
{
    tp_tape_clear_error(s->tape);
    assert_true(compute_one(tp_add(tp_scalar_of(s->tape, TP_F64, 1), tp_scalar(s->tape, 2))) == 3);
    assert_no_error(s->tape);
    tp_tape_destroy(s->tape);
    tp_tape_destroy(s->other);
}

/* The error goes to the tape of the first operand that has one. */
static void expect_error(const op_row *row, scene *s, const char *what, tp_status status, const char *text)
{
    char name[128];
    const tp_tensor y = row->build(s->x, row);
    const tp_tape *guilty = s->x[0].tape != NULL ? s->x[0].tape : s->tape;
    const char *message = tp_tape_message(guilty);

    row_name(row, name);
    if (tp_is_valid(y))
        fail_msg("%s, %s: the result is valid", name, what);
    if (tp_tape_status(guilty) != status)
        fail_msg("%s, %s: %s ('%s') instead of %s", name, what, tp_status_name(tp_tape_status(guilty)),
                 message, tp_status_name(status));
    if (strstr(message, text) == NULL)
        fail_msg("%s, %s: '%s' lacks '%s'", name, what, message, text);
    if (handled != 1)
        fail_msg("%s, %s: the handler was called %d times", name, what, handled);
    /* Ops on the result stay quiet, and nothing compiles. */
    assert_false(tp_is_valid(tp_exp(y)));
    assert_int_equal(handled, 1);
    assert_null(tp_compile(&y, 1, NULL));
}

/* ---- Handles ---------------------------------------------------------------------------------------------- */

typedef tp_tensor (*spoiler)(scene *s, tp_tensor x);

static tp_tensor absent(scene *s, tp_tensor x)
{
    (void)s, (void)x;
    return (tp_tensor){0};
}

static tp_tensor foreign(scene *s, tp_tensor x)
{
    return tp_parameter(s->other, tp_dtype_of(x), tp_shape_of(x), NULL);
}

static tp_tensor stale(scene *s, tp_tensor x)
{
    const tp_mark mark = tp_tape_mark(s->tape);
    const tp_tensor gone = tp_parameter(s->tape, tp_dtype_of(x), tp_shape_of(x), NULL);
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    return gone;
}

static void walk_handles(spoiler spoil, const char *what, const char *text)
{
    int count;
    const op_row *row = op_rows(&count);
    for (int r = 0; r < count; r++)
        for (int k = 0; k < row[r].n && !(row[r].flags & ROW_ASKS); k++) {
            scene s = open_scene(&row[r], TP_F64);
            s.x[k] = spoil(&s, s.x[k]);
            if (row[r].n > 1 || spoil == stale)
                expect_error(&row[r], &s, what, TP_BAD_HANDLE, text);
            else if (s.x[0].tape == NULL) /* there is no tape to complain to */
                assert_false(tp_is_valid(row[r].build(s.x, &row[r])));
            close_scene(&s);
        }
}

static void test_absent_operands(void **state)
{
    (void)state;
    walk_handles(absent, "absent operand", "absent");
}

static void test_foreign_operands(void **state)
{
    (void)state;
    walk_handles(foreign, "operand of another tape", "another tape");
}

static void test_stale_operands(void **state)
{
    (void)state;
    walk_handles(stale, "stale operand", "stale");
}

/* An operand that failed before: quiet, and the first error stays. */
static void test_failed_operands(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        for (int k = 0; k < row[r].n; k++) {
            scene s = open_scene(&row[r], TP_F64);
            const tp_tensor vector = tp_parameter(s.tape, TP_F64, TP_SHAPE(5), NULL);
            s.x[k] = tp_reshape(vector, TP_SHAPE(7));
            assert_int_equal(handled, 1);
            expect_error(&row[r], &s, "failed operand", TP_BAD_SHAPE, "reshape");
            close_scene(&s);
        }
}

/* ---- Shapes and dtypes -------------------------------------------------------------------------------------- */

static void test_shapes_that_do_not_broadcast(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        if (!(row[r].flags & ROW_MAP) || row[r].n < 2)
            continue;
        for (int k = 0; k < row[r].n; k++) {
            scene s = open_scene(&row[r], TP_F32);
            s.x[k] = tp_parameter(s.tape, TP_F32, TP_SHAPE(4, 3), NULL);
            expect_error(&row[r], &s, "shapes", TP_BAD_SHAPE, "f32[4,3]");
            assert_non_null(strstr(tp_tape_message(s.tape), "f32[2,3]"));
            close_scene(&s);
        }
    }
}

static void test_mixed_dtypes(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        for (int k = 0; k < row[r].n && row[r].n > 1; k++) {
            if (k == 0 && strcmp(row[r].constructor, "tp_where") == 0)
                continue; /* a condition may have any dtype */
            scene s = open_scene(&row[r], TP_F32);
            s.x[k] = tp_parameter(s.tape, TP_F64, row[r].shape[k], NULL);
            expect_error(&row[r], &s, "dtypes", TP_BAD_DTYPE, "f64[");
            close_scene(&s);
        }
}

static const char *const float_only[] = {
    "tp_div",         "tp_sqrt",      "tp_exp",
    "tp_expm1",       "tp_log",       "tp_log1p",
    "tp_tanh",        "tp_sigmoid",   "tp_softplus",
    "tp_mean",        "tp_mean_over", "tp_var",
    "tp_var_over",    "tp_norm",      "tp_norm_over",
    "tp_softmax",     "tp_logsumexp", "tp_matmul",
    "tp_log_softmax", "tp_guard",     "tp_logsumexp_over",
    "tp_einsum",      "tp_cholesky",  "tp_triangular_solve",
    "tp_solve",       "tp_inverse",   "tp_det",
    "tp_slogdet",
};

static bool takes_floats_only(const op_row *row)
{
    for (size_t k = 0; k < sizeof float_only / sizeof *float_only; k++)
        if (strcmp(row->constructor, float_only[k]) == 0)
            return true;
    return false;
}

static void test_integers_where_there_is_no_kernel(void **state)
{
    int count, cases = 0;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        if (!takes_floats_only(&row[r]))
            continue;
        scene s = open_scene(&row[r], TP_I32);
        expect_error(&row[r], &s, "i32", TP_BAD_DTYPE, "i32");
        close_scene(&s);
        cases++;
    }
    assert_in_range(cases, 60, 1000);
}

/* ---- Axes --------------------------------------------------------------------------------------------------- */

static void test_axes_out_of_range(void **state)
{
    static const tp_axes axes[] = {{1, {3}},       {1, {-4}}, {2, {0, 0}},          {2, {1, -2}},
                                   {3, {0, 1, 7}}, {-1, {0}}, {9, {0, 1, 2, 0, 0}}, {1, {2147483647}}};
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        for (size_t k = 0; k < sizeof axes / sizeof *axes; k++) {
            op_row bad = row[r];
            if (bad.over == NULL && (bad.along == NULL || axes[k].n != 1))
                continue;
            bad.axes = axes[k];
            scene s = open_scene(&bad, TP_F32);
            expect_error(&bad, &s, "axes", TP_BAD_SHAPE, "ax");
            close_scene(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_operands),
        cmocka_unit_test(test_foreign_operands),
        cmocka_unit_test(test_stale_operands),
        cmocka_unit_test(test_failed_operands),
        cmocka_unit_test(test_shapes_that_do_not_broadcast),
        cmocka_unit_test(test_mixed_dtypes),
        cmocka_unit_test(test_integers_where_there_is_no_kernel),
        cmocka_unit_test(test_axes_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
