/* test_walk.c -- every row of tests/support/op_rows.h, differentiated at orders 1 and 2 and compared with differences:
 * each subset of operands that need a gradient, operands as leaves, interior nodes and views, one tensor twice.
 *
 * And nothing is missing: every constructor of tapir/ops/ has a row, every op of src/ops/lists.h is on some row's tape.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differences.h"
#include "lists.h"
#include "op_rows.h"
#include "tape.h"

/* ---- Gradients ---------------------------------------------------------------------------------------- */

enum { MANY_INPUTS = 40 }; /* more are checked in random directions, not one by one */

static void check_both_orders(const char *what, const op_row *row, tp_tensor loss, const tp_tensor *leaf,
                              int n)
{
    differences d = {.what = what, .loss = loss, .leaf = leaf, .n = n};
    int64_t inputs = 0;

    if (row->flags & ROW_ROUNDS)
        d.step = 0.25, d.tolerance = 1e-5;
    for (int k = 0; k < n; k++)
        inputs += tp_count_of(leaf[k]);
    if (inputs <= MANY_INPUTS) {
        check_first_order(&d);
    } else {
        for (d.seed = 0; d.seed < 6; d.seed++)
            check_one_direction(&d);
    }
    check_second_order(&d);
}

/* The operands whose bit of `need` is not set are constants. */
static void walk_case(const op_row *row, operand_form form, unsigned need)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3], leaf[3], wanted[3];
    sampler s;
    int64_t total = 0;
    int n = 0;
    char name[128], what[256];

    snprintf(what, sizeof what, "%s, %s operands, need %x", row_name(row, name), form_name(form), need);
    for (int k = 0; k < row->n; k++)
        total += tp_shape_count(leaf_shape_for(form, row->shape[k]));
    start_sampler(&s, row, total, 1);
    for (int k = 0; k < row->n; k++) {
        x[k] = make_operand(tape, form, TP_F64, row->shape[k], &s, !(need >> k & 1), &leaf[k]);
        if (need >> k & 1)
            wanted[n++] = leaf[k];
    }
    const tp_tensor loss = loss_of(row->build(x, row), 2);
    assert_no_error(tape);
    check_both_orders(what, row, loss, wanted, n);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void walk_form(operand_form form)
{
    int count;
    const op_row *row = op_rows(&count);
    for (int r = 0; r < count; r++)
        for (unsigned need = 1; need < 1u << row[r].n; need++)
            if (!(row[r].flags & ROW_NO_DIFFERENCES))
                walk_case(&row[r], form, need);
}

static void test_leaves(void **state)
{
    (void)state;
    walk_form(FORM_LEAF);
}

static void test_interior_nodes(void **state)
{
    (void)state;
    walk_form(FORM_INTERIOR);
}

static void test_permuted_views(void **state)
{
    (void)state;
    walk_form(FORM_PERMUTED);
}

static void test_strided_slices(void **state)
{
    (void)state;
    walk_form(FORM_SLICED);
}

static void test_expanded_views(void **state)
{
    (void)state;
    walk_form(FORM_EXPANDED);
}

static void test_reshaped_views(void **state)
{
    (void)state;
    walk_form(FORM_RESHAPED);
}

static void test_flipped_views(void **state)
{
    (void)state;
    walk_form(FORM_FLIPPED);
}

static void test_concatenated(void **state)
{
    (void)state;
    walk_form(FORM_CONCATENATED);
}

/* ---- One tensor as several operands -------------------------------------------------------------------- */

/* Operands of one shape share a leaf; `twist` makes the second a view of it. */
static void alias_case(const op_row *row, bool twist)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor leaf, x[3];
    sampler s;
    char name[128], what[256];

    snprintf(what, sizeof what, "%s of one tensor%s", row_name(row, name), twist ? " and its mirror" : "");
    start_sampler(&s, row, tp_shape_count(row->shape[0]), 3);
    x[0] = make_operand(tape, FORM_LEAF, TP_F64, row->shape[0], &s, false, &leaf);
    for (int k = 1; k < row->n; k++) {
        const tp_axes swap = TP_AXES(1, 0);
        x[k] = !twist ? x[0] : tp_reshape(tp_permute(tp_reshape(x[0], TP_SHAPE(3, 2)), swap), TP_SHAPE(2, 3));
    }
    const tp_tensor loss = loss_of(row->build(x, row), 4);
    assert_no_error(tape);
    check_both_orders(what, row, loss, &leaf, 1);
    tp_tape_destroy(tape);
}

static void test_one_tensor_as_several_operands(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        bool alike = row[r].n > 1 && !(row[r].flags & ROW_NO_DIFFERENCES);
        for (int k = 1; k < row[r].n; k++)
            alike = alike && tp_shape_equal(row[r].shape[k], row[r].shape[0]);
        if (!alike)
            continue;
        alias_case(&row[r], false);
        if (row[r].flags & ROW_MAP)
            alias_case(&row[r], true);
    }
}

/* A gradient that nothing reaches is zeros, and an unused operand does not disturb. */
static void test_unreached_is_zero(void **state)
{
    const double values[] = {1, 2, 3, 4, 5, 6};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), values),
                    b = make_leaf(tape, TP_F64, TP_SHAPE(3), values);
    tp_tensor g[3];
    double got[6];

    (void)state;
    const tp_tensor before = tp_square(b), loss = tp_sum(tp_exp(a)), after = tp_square(b);
    assert_int_equal(tp_gradient(loss, (tp_tensor[]){b, before, after}, 3, g), TP_OK);
    for (int k = 0; k < 3; k++) {
        assert_true(tp_shape_equal(tp_shape_of(g[k]), TP_SHAPE(3)));
        compute(g[k], got);
        assert_same("unreached", got, (double[]){0, 0, 0}, 3);
    }
    tp_tape_destroy(tape);
}

/* ---- Nothing is missing -------------------------------------------------------------------------------- */

static char *read_source(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", TAPIR_SOURCE_DIR, path);
    FILE *file = fopen(full, "r");
    if (file == NULL)
        fail_msg("cannot open %s", full);
    char *text = calloc(1, 1 << 17);
    assert_non_null(text);
    assert_in_range(fread(text, 1, 1 << 17, file), 1, (1 << 17) - 1);
    fclose(file);
    return text;
}

/* The identifier after each `prefix` in the text, one by one; false at the end. */
static bool next_name(const char **text, const char *prefix, char name[64])
{
    *text = strstr(*text, prefix);
    if (*text == NULL)
        return false;
    *text += strlen(prefix);
    const size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    snprintf(name, 64, "%.*s", (int)length, *text);
    return true;
}

static int constructors_without_row(const char *path)
{
    char *header = read_source(path), name[64];
    const char *at = header;
    int count, missing = 0;
    const op_row *row = op_rows(&count);

    while (next_name(&at, "TP_API tp_tensor ", name)) {
        const size_t length = strlen(name);
        bool found = length > 3 && strcmp(name + length - 3, "_at") == 0; /* the same with a place */
        for (int r = 0; r < count && !found; r++)
            found = strcmp(row[r].constructor, name) == 0;
        if (!found)
            print_message("%s has no row in tests/support/op_rows_*.c\n", name);
        missing += !found;
    }
    free(header);
    return missing;
}

static void test_every_constructor_has_a_row(void **state)
{
    glob_t found;
    int missing = 0;
    (void)state;

    assert_int_equal(glob(TAPIR_SOURCE_DIR "/include/tapir/ops/*.h", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++)
        missing += constructors_without_row(found.gl_pathv[k] + strlen(TAPIR_SOURCE_DIR "/"));
    globfree(&found);
    assert_int_equal(missing, 0);
}

typedef struct family {
    const char *name;
    const tp_op *const *op;
} family;

static const family families[] = {
    {"tp__arithmetic_ops", tp__arithmetic_ops},
    {"tp__function_ops", tp__function_ops},
    {"tp__choice_ops", tp__choice_ops},
    {"tp__reduction_ops", tp__reduction_ops},
    {"tp__shape_ops", tp__shape_ops},
    {"tp__slice_ops", tp__slice_ops},
    {"tp__matmul_ops", tp__matmul_ops},
    {"tp__source_ops", tp__source_ops},
    {"tp__control_ops", tp__control_ops},
    {"tp__indexing_ops", tp__indexing_ops},
    {"tp__argmax_ops", tp__argmax_ops},
    {"tp__cumulative_ops", tp__cumulative_ops},
    {"tp__arrange_ops", tp__arrange_ops},
    {"tp__diagonal_ops", tp__diagonal_ops},
    {"tp__padding_ops", tp__padding_ops},
    {"tp__random_ops", tp__random_ops},
    {"tp__triangular_ops", tp__triangular_ops},
    {"tp__solve_ops", tp__solve_ops},
    {"tp__ordering_ops", tp__ordering_ops},
    {"tp__power_ops", tp__power_ops},
    {"tp__trigonometric_ops", tp__trigonometric_ops},
    {"tp__hyperbolic_ops", tp__hyperbolic_ops},
    {"tp__special_ops", tp__special_ops},
    {"tp__activation_ops", tp__activation_ops},
    {"tp__rounding_ops", tp__rounding_ops},
    {"tp__predicate_ops", tp__predicate_ops},
    {"tp__convolution_ops", tp__convolution_ops},
    {"tp__pooling_ops", tp__pooling_ops},
    {"tp__resampling_ops", tp__resampling_ops},
    {"tp__ctc_ops", tp__ctc_ops},
};
enum { FAMILIES = sizeof families / sizeof *families, SEEN_MAX = 1024 };

static void test_every_list_is_known(void **state)
{
    char *header = read_source("src/ops/lists.h"), name[64];
    const char *at = header;

    (void)state;
    while (next_name(&at, "extern const tp_op *const ", name)) {
        bool found = false;
        for (int f = 0; f < FAMILIES && !found; f++)
            found = strcmp(families[f].name, name) == 0;
        if (!found)
            fail_msg("src/ops/lists.h has %s, which is not in the families of this test", name);
    }
    free(header);
}

typedef struct seen_ops {
    const tp_op *op[SEEN_MAX];
    int n;
} seen_ops;

static bool was_seen(const seen_ops *seen, const tp_op *op)
{
    for (int k = 0; k < seen->n; k++)
        if (seen->op[k] == op)
            return true;
    return false;
}

static void note_ops(seen_ops *seen, const tp_tape *tape)
{
    for (int32_t id = 0; id < tp_tape_count(tape); id++) {
        const tp_op *op = tp__node_at(tape, id)->op;
        if (was_seen(seen, op))
            continue;
        assert_in_range((uintmax_t)seen->n, 0, SEEN_MAX - 1);
        seen->op[seen->n++] = op;
    }
}

/* Records the row and its gradient. */
static void note_row(seen_ops *seen, const op_row *row)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3], leaf[3], g[3];
    sampler s;

    start_sampler(&s, row, 256, 5);
    for (int k = 0; k < row->n; k++)
        x[k] = make_operand(tape, FORM_LEAF, TP_F64, row->shape[k], &s, false, &leaf[k]);
    assert_int_equal(tp_gradient(loss_of(row->build(x, row), 6), leaf, row->n, g), TP_OK);
    note_ops(seen, tape);
    tp_tape_destroy(tape);
}

static void test_every_op_is_on_some_tape(void **state)
{
    seen_ops seen = {.n = 0};
    int count, missing = 0;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++)
        note_row(&seen, &row[r]);
    for (int f = 0; f < FAMILIES; f++)
        for (const tp_op *const *op = families[f].op; *op != NULL; op++)
            if (!was_seen(&seen, *op)) {
                print_message("%s of %s is on no row's tape\n", (*op)->name, families[f].name);
                missing++;
            }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_constructor_has_a_row),
        cmocka_unit_test(test_every_list_is_known),
        cmocka_unit_test(test_every_op_is_on_some_tape),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_interior_nodes),
        cmocka_unit_test(test_permuted_views),
        cmocka_unit_test(test_strided_slices),
        cmocka_unit_test(test_expanded_views),
        cmocka_unit_test(test_reshaped_views),
        cmocka_unit_test(test_concatenated),
        cmocka_unit_test(test_flipped_views),
        cmocka_unit_test(test_one_tensor_as_several_operands),
        cmocka_unit_test(test_unreached_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
