/* test_walk_broadcast.c -- every elementwise row under every pattern of broadcasting: values against libm, element by
 * element, and gradients of orders 1 and 2 against differences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "differences.h"
#include "op_rows.h"

typedef struct pattern {
    const char *name;
    tp_shape shape[3];
} pattern;

static const pattern patterns[] = {
    {"same shape", {{2, {2, 3}}, {2, {2, 3}}, {2, {2, 3}}}},
    {"0-d", {{0, {0}}, {0, {0}}, {0, {0}}}},
    {"0-d first", {{0, {0}}, {2, {2, 3}}, {2, {2, 3}}}},
    {"0-d second", {{2, {2, 3}}, {0, {0}}, {2, {2, 3}}}},
    {"0-d but the last", {{0, {0}}, {0, {0}}, {2, {2, 3}}}},
    {"row", {{2, {2, 3}}, {1, {3}}, {1, {3}}}},
    {"row first", {{1, {3}}, {2, {2, 3}}, {1, {1}}}},
    {"column", {{2, {2, 3}}, {2, {2, 1}}, {0, {0}}}},
    {"column first", {{2, {2, 1}}, {2, {2, 3}}, {2, {2, 1}}}},
    {"both ways", {{2, {2, 1}}, {2, {1, 3}}, {2, {2, 3}}}},
    {"three ways", {{3, {2, 1, 1}}, {2, {3, 1}}, {1, {4}}}},
    {"rank difference", {{3, {2, 1, 3}}, {2, {4, 1}}, {1, {1}}}},
    {"axes of size 1", {{4, {1, 2, 1, 3}}, {3, {1, 1, 3}}, {2, {1, 1}}}},
    {"middle axis", {{3, {2, 1, 3}}, {3, {2, 4, 3}}, {3, {1, 4, 1}}}},
    {"single elements", {{1, {1}}, {3, {1, 1, 1}}, {2, {1, 1}}}},
    {"several tiles", {{2, {30, 1}}, {1, {50}}, {2, {1, 50}}}},
    {"several tiles, first the row", {{1, {1100}}, {2, {2, 1}}, {0, {0}}}},
    {"none", {{2, {0, 3}}, {2, {0, 3}}, {2, {0, 3}}}},
    {"none, of a row", {{2, {0, 3}}, {2, {1, 3}}, {1, {3}}}},
    {"none, of a column", {{2, {2, 1}}, {2, {2, 0}}, {1, {1}}}},
    {"none, both", {{2, {1, 0}}, {3, {2, 1, 1}}, {0, {0}}}},
};
enum { PATTERNS = sizeof patterns / sizeof *patterns, SMALL = 200 };

/* The element of an operand that element `linear` of the result reads, by NumPy's rules. */
static int64_t element_read(tp_shape x, tp_shape y, int64_t linear)
{
    int64_t at = 0, step = 1;
    for (int64_t d = 1; d <= y.rank; d++) {
        const int64_t size = y.dim[y.rank - d], index = linear % size;
        linear /= size;
        if (d > x.rank)
            continue;
        const int64_t own = x.dim[x.rank - d];
        at += own == 1 ? 0 : index * step;
        step *= own;
    }
    return at;
}

static tp_shape joint_shape(const tp_shape *shape, int n)
{
    tp_shape y = {.rank = 0};
    for (int k = 0; k < n; k++)
        y.rank = shape[k].rank > y.rank ? shape[k].rank : y.rank;
    for (int64_t d = 1; d <= y.rank; d++) {
        int64_t size = 1;
        for (int k = 0; k < n; k++)
            if (d <= shape[k].rank && shape[k].dim[shape[k].rank - d] != 1)
                size = shape[k].dim[shape[k].rank - d];
        y.dim[y.rank - d] = size;
    }
    return y;
}

static void check_values(const char *what, const op_row *row, const tp_tensor *x, tp_tensor y,
                         const tp_shape *shape)
{
    static double operand[3][VALUES_MAX], got[VALUES_MAX];
    const tp_shape expected = joint_shape(shape, row->n);

    if (!tp_shape_equal(tp_shape_of(y), expected))
        fail_msg("%s: wrong shape", what);
    for (int k = 0; k < row->n; k++)
        compute(x[k], operand[k]);
    compute(y, got);
    for (int64_t i = 0; row_has_value(row) && i < tp_count_of(y); i++) {
        double at[3];
        for (int k = 0; k < row->n; k++)
            at[k] = operand[k][element_read(shape[k], expected, i)];
        const double reference = row_value(row, at);
        if (!row_value_fits(row, TP_F64, got[i], reference))
            fail_msg("%s: element %lld is %.17g instead of %.17g", what, (long long)i, got[i], reference);
    }
}

static void check_derivatives(const char *what, const op_row *row, tp_tensor y, const tp_tensor *leaf, int n)
{
    differences d = {.what = what, .leaf = leaf, .n = n};
    if (row->flags & ROW_NO_DIFFERENCES)
        return;
    if (row->flags & ROW_ROUNDS)
        d.step = 0.25, d.tolerance = 1e-5;
    d.loss = loss_of(y, 8);
    if (tp_count_of(y) > SMALL && d.step == 0)
        d.step = 0.0005, d.tolerance = 1e-6; /* the samples lie closer together */
    if (tp_count_of(y) > SMALL)
        check_one_direction(&d);
    else
        check_first_order(&d);
    check_second_order(&d);
}

static void broadcast_case(const op_row *row, const pattern *p, operand_form form, unsigned need)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3], leaf[3], wanted[3];
    sampler s;
    int64_t total = 0;
    int n = 0;
    char name[128], what[256];

    snprintf(what, sizeof what, "%s, %s, %s operands, need %x", row_name(row, name), p->name, form_name(form),
             need);
    for (int k = 0; k < row->n; k++)
        total += tp_shape_count(leaf_shape_for(form, p->shape[k]));
    start_sampler(&s, row, total, 7);
    for (int k = 0; k < row->n; k++) {
        x[k] = make_operand(tape, form, TP_F64, p->shape[k], &s, !(need >> k & 1), &leaf[k]);
        if (need >> k & 1)
            wanted[n++] = leaf[k];
    }
    const tp_tensor y = row->build(x, row);
    assert_no_error(tape);
    check_values(what, row, x, y, p->shape);
    check_derivatives(what, row, y, wanted, n);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* The larger ones only with leaves. */
static bool fits(const pattern *p)
{
    return tp_shape_count(joint_shape(p->shape, 3)) <= SMALL;
}

static int broadcast_form(operand_form form)
{
    int count, cases = 0;
    const op_row *row = op_rows(&count);

    for (int r = 0; r < count; r++)
        for (int p = 0; p < PATTERNS && (row[r].flags & ROW_MAP); p++)
            for (unsigned need = 1; need < 1u << row[r].n; need++, cases++)
                if (form == FORM_LEAF || fits(&patterns[p]))
                    broadcast_case(&row[r], &patterns[p], form, need);
    return cases;
}

static void test_leaves(void **state)
{
    (void)state;
    assert_in_range((uintmax_t)broadcast_form(FORM_LEAF), 1500, 100000);
}

static void test_interior_nodes(void **state)
{
    (void)state;
    broadcast_form(FORM_INTERIOR);
}

static void test_permuted_views(void **state)
{
    (void)state;
    broadcast_form(FORM_PERMUTED);
}

static void test_strided_slices(void **state)
{
    (void)state;
    broadcast_form(FORM_SLICED);
}

static void test_expanded_views(void **state)
{
    (void)state;
    broadcast_form(FORM_EXPANDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),         cmocka_unit_test(test_interior_nodes),
        cmocka_unit_test(test_permuted_views), cmocka_unit_test(test_strided_slices),
        cmocka_unit_test(test_expanded_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
