/* test_walk_sweep.c -- every row through the other doors of the reverse sweep: gradients with respect to interior tensors,
 * weighted by a seed, asked for twice, without the strong zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "op_rows.h"

typedef struct scene {
    tp_tape *tape;
    tp_tensor x[3], leaf[3], y, loss;
    char name[160];
} scene;

static scene open_scene(const op_row *row, operand_form form)
{
    scene s = {.tape = tp_tape_create(NULL)};
    sampler draws;
    char name[128];

    snprintf(s.name, sizeof s.name, "%s, %s operands", row_name(row, name), form_name(form));
    start_sampler(&draws, row, 512, 41);
    for (int k = 0; k < row->n; k++)
        s.x[k] = make_operand(s.tape, form, TP_F64, row->shape[k], &draws, false, &s.leaf[k]);
    s.y = row->build(s.x, row);
    s.loss = loss_of(s.y, 42);
    assert_no_error(s.tape);
    return s;
}

static void close_scene(scene *s)
{
    assert_no_error(s->tape);
    tp_tape_destroy(s->tape);
}

/* ---- With respect to any tensor ---------------------------------------------------------------------------- */

/* The gradients with operands that are leaves of the same values. */
static void gradients_of_leaves(const op_row *row, const scene *s, double got[3][VALUES_MAX])
{
    static double value[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3];

    for (int k = 0; k < row->n; k++) {
        compute(s->x[k], value);
        x[k] = make_leaf(tape, TP_F64, tp_shape_of(s->x[k]), value);
    }
    const tp_tensor loss = loss_of(row->build(x, row), 42);
    for (int k = 0; k < row->n; k++)
        compute_gradient(loss, x[k], got[k]);
    tp_tape_destroy(tape);
}

/* Refused is a view that the operation reads through: then there is no such derivative to give. */
static bool check_interior(const op_row *row, operand_form form)
{
    static double expected[3][VALUES_MAX], got[VALUES_MAX];
    scene s = open_scene(row, form);
    tp_tensor g[3];
    const bool given = tp_gradient(s.loss, s.x, row->n, g) == TP_OK;

    if (given) {
        gradients_of_leaves(row, &s, expected);
        for (int k = 0; k < row->n; k++) {
            compute(g[k], got);
            assert_close(s.name, got, expected[k], tp_count_of(s.x[k]), 1e-12);
        }
    } else {
        assert_error(s.tape, TP_BAD_ARGUMENT, "simplified away");
    }
    close_scene(&s);
    return given;
}

static void test_interior_tensors(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        assert_true(check_interior(&row[r], FORM_INTERIOR));
}

static void test_views(void **state)
{
    int count, given = 0;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        for (operand_form form = FORM_PERMUTED; form < FORMS; form++)
            given += check_interior(&row[r], form);
    assert_in_range(given, 3 * count, 6 * count);
}

/* ---- Weighted by a seed ------------------------------------------------------------------------------------ */

static void test_seeds(void **state)
{
    static double expected[VALUES_MAX], got[VALUES_MAX];
    int count;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++) {
        scene s = open_scene(&row[r], FORM_LEAF);
        const tp_shape shape = tp_shape_of(s.y);
        const tp_tensor line = tp_add(tp_iota(s.tape, TP_F64, shape.rank > 0 ? shape.dim[shape.rank - 1] : 1),
                                      tp_scalar(s.tape, 0.5));
        const tp_tensor seeds[] = {tp_scalar(s.tape, -1.5), tp_scalar_of(s.tape, TP_F64, 3),
                                   shape.rank > 0 ? line : tp_sum(line), tp_sub(s.y, tp_scalar(s.tape, 100))};
        for (int k = 0; k < 4; k++) {
            tp_tensor g[3];
            const tp_tensor fixed = tp_stop_gradient(seeds[k]);
            assert_int_equal(tp_vector_jacobian(s.y, seeds[k], s.leaf, row[r].n, g, NULL), TP_OK);
            for (int j = 0; j < row[r].n; j++) {
                compute_gradient(tp_sum(tp_mul(s.y, fixed)), s.leaf[j], expected);
                compute(g[j], got);
                assert_close(s.name, got, expected, tp_count_of(s.leaf[j]), 1e-12);
            }
        }
        close_scene(&s);
    }
}

/* ---- Twice, and in another order ---------------------------------------------------------------------------- */

static void test_asked_for_twice(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        scene s = open_scene(&row[r], FORM_LEAF);
        tp_tensor wrt[6], g[6], again[3];
        for (int k = 0; k < row[r].n; k++)
            wrt[k] = wrt[2 * row[r].n - 1 - k] = s.leaf[k];
        assert_int_equal(tp_gradient(s.loss, wrt, 2 * row[r].n, g), TP_OK);
        for (int k = 0; k < row[r].n; k++)
            assert_int_equal(g[k].id, g[2 * row[r].n - 1 - k].id);
        const int64_t nodes = tp_tape_count(s.tape);
        assert_int_equal(tp_gradient(s.loss, s.leaf, row[r].n, again), TP_OK);
        assert_int_equal(tp_tape_count(s.tape), nodes);
        for (int k = 0; k < row[r].n; k++)
            assert_int_equal(again[k].id, g[k].id);
        close_scene(&s);
    }
}

/* ---- Without the strong zero --------------------------------------------------------------------------------- */

/* Where no adjoint is 0 the guard changes nothing. */
static void test_without_the_strong_zero(void **state)
{
    static double expected[VALUES_MAX], got[VALUES_MAX];
    const tp_gradient_options plain = {.no_strong_zero = true};
    int count;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++) {
        scene s = open_scene(&row[r], FORM_INTERIOR);
        tp_tensor g[3];
        assert_int_equal(tp_vector_jacobian(s.loss, tp_scalar(s.tape, 1), s.leaf, row[r].n, g, &plain),
                         TP_OK);
        for (int k = 0; k < row[r].n; k++) {
            compute_gradient(s.loss, s.leaf[k], expected);
            compute(g[k], got);
            assert_close(s.name, got, expected, tp_count_of(s.leaf[k]), 1e-12);
        }
        close_scene(&s);
    }
}

/* ---- Rules that yield less than y's shape --------------------------------------------------------------------- */

static void plus_twice_kernel(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = ((const double *)x[0])[i] + 2 * ((const double *)x[1])[i];
}

/* Right where the adjoint is 1: the contributions are single numbers, one of them weak. */
static void plus_twice_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_scalar_of(d->y.tape, TP_F64, 1);
    d->dx[1] = tp_scalar(d->y.tape, 2);
}

static const tp_op plus_twice = {
    .name = "plus_twice",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE | TP_OP_SURROGATE,
    .vjp = plus_twice_vjp,
    .map = {NULL, plus_twice_kernel},
};

static void test_contributions_that_broadcast(void **state)
{
    static const tp_shape shape[] = {{2, {2, 3}}, {1, {3}}, {2, {2, 1}}, {0, {0}}, {2, {1, 3}}};
    static const double share[] = {1, 2, 3, 6, 2}; /* elements of y that read one of the operand */
    (void)state;
    for (int k = 0; k < 5; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor a = tp_parameter(tape, TP_F64, shape[0], NULL),
                        b = tp_parameter(tape, TP_F64, shape[k], NULL);
        const tp_tensor y = tp_record(&plus_twice, (tp_tensor[]){a, b}, 2, NULL);
        const tp_tensor z =
            tp_record(&plus_twice, (tp_tensor[]){y, b}, 2, NULL); /* the adjoint of y is a number */
        double got[6];

        compute_gradient(tp_sum(y), b, got);
        for (int64_t i = 0; i < tp_count_of(b); i++)
            assert_true(got[i] == 2 * share[k]);
        compute_gradient(tp_sum(z), b, got);
        for (int64_t i = 0; i < tp_count_of(b); i++)
            assert_true(got[i] == 4 * share[k]);
        compute_gradient(tp_sum(z), a, got);
        for (int i = 0; i < 6; i++)
            assert_true(got[i] == 1);
        assert_no_error(tape);
        tp_tape_destroy(tape);
    }
}

/* An op without derivative is no obstacle behind an adjoint that is known to be 0, and is named elsewhere. */
static void test_known_zero_adjoints(void **state)
{
    static const tp_op rigid = {
        .name = "rigid", .kind = TP_MAP, .arity = 2, .map = {NULL, plus_twice_kernel}};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), NULL);
    const tp_tensor y = tp_record(&rigid, (tp_tensor[]){x, x}, 2, NULL);
    double got[2];
    tp_tensor g;

    (void)state;
    compute_gradient(tp_sum(tp_add(tp_scale(y, 0), x)), x, got);
    assert_same("behind a 0", got, (double[]){1, 1}, 2);
    assert_int_equal(tp_gradient(tp_sum(y), &x, 1, &g), TP_NO_DERIVATIVE);
    assert_error(tape, TP_NO_DERIVATIVE, "rigid");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interior_tensors),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_asked_for_twice),
        cmocka_unit_test(test_without_the_strong_zero),
        cmocka_unit_test(test_contributions_that_broadcast),
        cmocka_unit_test(test_known_zero_adjoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
