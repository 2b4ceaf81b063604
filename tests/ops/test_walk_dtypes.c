/* test_walk_dtypes.c -- every row in f32 and, where it is taken, i32, against f64; the same bits in every run; and the
 * same bits for an element wherever it stands and however many there are.
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

/* ---- A row, its gradients and Hessian-vector products, in one dtype -------------------------------------- */

typedef struct outcome {
    int64_t count; /* y, gradients, Hessian-vector products, one after the other */
    double value[VALUES_MAX];
} outcome;

static void add_outcome(outcome *o, tp_tensor y)
{
    get_values(y, o->value + o->count);
    o->count += tp_count_of(y);
}

static tp_tensor row_on(tp_tape *tape, const op_row *row, tp_dtype dtype, tp_tensor *leaf)
{
    tp_tensor x[3];
    sampler s;
    start_sampler(&s, row, 128, 11);
    for (int k = 0; k < row->n; k++)
        x[k] = make_operand(tape, FORM_LEAF, dtype, row->shape[k], &s, false, &leaf[k]);
    return row->build(x, row);
}

/* outputs: y, n gradients, n products of the Hessian with the gradient. */
static int record_all(tp_tensor y, const tp_tensor *leaf, int n, tp_tensor output[7])
{
    tp_tensor slope = tp_scalar_of(y.tape, tp_dtype_of(y), 0);
    output[0] = y;
    assert_int_equal(tp_gradient(loss_of(y, 12), leaf, n, output + 1), TP_OK);
    for (int k = 0; k < n; k++)
        slope = tp_add(slope, tp_scale(tp_sum(output[1 + k]), 0.25 * (k + 1)));
    assert_int_equal(tp_gradient(slope, leaf, n, output + 1 + n), TP_OK);
    return 1 + 2 * n;
}

static void evaluate_row(const op_row *row, tp_dtype dtype, outcome *o)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor leaf[3], output[7];
    const tp_tensor y = row_on(tape, row, dtype, leaf);
    const int n = record_all(y, leaf, row->n, output);

    tp_program *program = compile_all(output, n);
    run_ok(program);
    o->count = 0;
    for (int k = 0; k < n; k++)
        add_outcome(o, output[k]);
    assert_no_error(tape);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_f32_is_near_f64(void **state)
{
    static outcome f32, f64;
    int count;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++) {
        char name[128];
        if (row[r].flags & ROW_RANDOM)
            continue;
        evaluate_row(&row[r], TP_F32, &f32);
        evaluate_row(&row[r], TP_F64, &f64);
        assert_int_equal(f32.count, f64.count);
        assert_close(row_name(&row[r], name), f32.value, f64.value, f64.count, 1e-5);
    }
}

/* ---- i32 ------------------------------------------------------------------------------------------------ */

static void evaluate_integers(const op_row *row, tp_dtype dtype, outcome *o)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3];
    generator g = seeded(13);

    for (int k = 0; k < row->n; k++) {
        double values[128];
        const int64_t n = tp_shape_count(row->shape[k]);
        for (int64_t i = 0; i < n; i++)
            values[i] = (double)(next_below(&g, 5) - 2);
        x[k] = make_leaf(tape, dtype, row->shape[k], values);
    }
    const tp_tensor y = row->build(x, row);
    assert_no_error(tape);
    assert_int_equal(tp_dtype_of(y), dtype);
    o->count = tp_count_of(y);
    compute(y, o->value);
    tp_tape_destroy(tape);
}

static void test_i32_is_f64(void **state)
{
    static outcome i32, f64;
    int count, cases = 0;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++) {
        char name[128];
        if (!(row[r].flags & ROW_I32))
            continue;
        evaluate_integers(&row[r], TP_I32, &i32);
        evaluate_integers(&row[r], TP_F64, &f64);
        assert_int_equal(i32.count, f64.count);
        assert_close(row_name(&row[r], name), i32.value, f64.value, f64.count, 0);
        cases++;
    }
    assert_in_range(cases, 90, 1000);
}

/* ---- The same bits in every run -------------------------------------------------------------------------- */

static void check_runs(const op_row *row, tp_dtype dtype)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor leaf[3], output[7];
    static double first[VALUES_MAX], again[VALUES_MAX];
    char name[128];
    const tp_tensor y = row_on(tape, row, dtype, leaf);
    const int n = record_all(y, leaf, row->n, output);

    for (int k = 0; k < n; k++) {
        tp_program *program = compile_all(&output[k], 1), *all = compile_all(output, n);
        run_ok(program);
        get_values(output[k], first);
        run_ok(program);
        get_values(output[k], again);
        assert_same(row_name(row, name), again, first, tp_count_of(output[k]));
        run_ok(all);
        get_values(output[k], again);
        assert_same(row_name(row, name), again, first, tp_count_of(output[k]));
        tp_program_destroy(program);
        tp_program_destroy(all);
    }
    tp_tape_destroy(tape);
}

static void test_every_run_gives_the_same_bits(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        check_runs(&row[r], TP_F32);
        check_runs(&row[r], TP_F64);
    }
}

/* ---- One value, one result ------------------------------------------------------------------------------- */

/* y of operands of `shape`, and the same for each element alone. */
static void check_size(const op_row *row, tp_dtype dtype, tp_shape shape)
{
    static double operand[3][VALUES_MAX], y[VALUES_MAX], alone[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[3], single[3];
    const int64_t n = tp_shape_count(shape);
    generator g = seeded(14);
    char name[128], what[192];

    snprintf(what, sizeof what, "%s of %lld elements", row_name(row, name), (long long)n);
    for (int k = 0; k < row->n; k++) {
        for (int64_t i = 0; i < n; i++)
            operand[k][i] = next_between(&g, row->low, row->high);
        x[k] = make_leaf(tape, dtype, shape, operand[k]);
        single[k] = tp_parameter(tape, dtype, TP_SHAPE(1), NULL);
    }
    const tp_tensor whole = row->build(x, row), part = row->build(single, row);
    assert_true(tp_shape_equal(tp_shape_of(whole), shape));
    compute(whole, y);
    tp_program *program = compile_all(&part, 1);
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < row->n; k++)
            set_values(single[k], &operand[k][i]);
        run_ok(program);
        get_values(part, &alone[i]);
    }
    assert_same(what, y, alone, n);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_an_element_has_one_result(void **state)
{
    static const tp_shape shape[] = {{0, {0}},    {1, {0}},    {1, {1}},       {1, {7}},      {1, {1023}},
                                     {1, {1024}}, {1, {1025}}, {3, {3, 5, 7}}, {2, {2, 1025}}};
    int count;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++)
        for (size_t k = 0; k < sizeof shape / sizeof *shape && (row[r].flags & ROW_MAP); k++) {
            check_size(&row[r], TP_F32, shape[k]);
            check_size(&row[r], TP_F64, shape[k]);
        }
}

/* ---- Known numbers fold to what the kernel gives ------------------------------------------------------------- */

static void check_fold(const op_row *row, tp_dtype dtype, const double *at)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor known[3], full[3], leaf[3];
    double folded[6], computed[6], value;
    char name[128];

    for (int k = 0; k < row->n; k++) {
        known[k] = tp_scalar_of(tape, dtype, at[k]);
        full[k] = tp_full(tape, dtype, k == 0 ? TP_SHAPE(2, 1) : TP_SHAPE(3), at[k]);
        leaf[k] = make_leaf(tape, dtype, TP_SHAPE_0D, &at[k]);
    }
    const tp_tensor y = row->build(known, row), spread = row->build(full, row);
    row_name(row, name);
    if (!tp_is_scalar_constant(y, &value) || !tp_is_scalar_constant(spread, NULL))
        fail_msg("%s of known numbers is not known", name);
    computed[0] = compute_one(row->build(leaf, row));
    folded[0] = compute_one(y);
    assert_same(name, folded, computed, 1);
    assert_same(name, &value, computed, 1);
    compute(spread, folded);
    for (int64_t i = 0; i < tp_count_of(spread); i++)
        assert_same(name, &folded[i], computed, 1);
    tp_tape_destroy(tape);
}

static void test_known_numbers_fold(void **state)
{
    static const double points[][3] = {
        {0.75, 1.5, -2}, {-0.5, 0.25, 3}, {0, -0.0, 1}, {-0.0, 0, 2}, {1e-3, 1e3, -1}};
    int count;
    const op_row *row = op_rows(&count);

    (void)state;
    for (int r = 0; r < count; r++)
        for (size_t k = 0; k < sizeof points / sizeof *points && row_has_value(&row[r]); k++) {
            const double at[3] = {as_f32(points[k][0]), as_f32(points[k][1]), as_f32(points[k][2])};
            check_fold(&row[r], TP_F32, at);
            check_fold(&row[r], TP_F64, at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32_is_near_f64),
        cmocka_unit_test(test_i32_is_f64),
        cmocka_unit_test(test_every_run_gives_the_same_bits),
        cmocka_unit_test(test_an_element_has_one_result),
        cmocka_unit_test(test_known_numbers_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
