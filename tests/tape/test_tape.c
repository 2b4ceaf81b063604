/* test_tape.c -- what recording merges, simplifies and folds, and what it must leave alone. */
#include "tape_test.h"

#include "lists.h"

/* ---- Merging ---------------------------------------------------------------------------------------- */

static void test_equal_ops_are_one_node(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_input(tape, TP_F32, TP_SHAPE(3)), b = tp_input(tape, TP_F32, TP_SHAPE(3));
    (void)state;

    const tp_tensor sum = tp_add(a, b);
    const int64_t count = tp_tape_count(tape);
    assert_int_equal(tp_add(a, b).id, sum.id);
    assert_int_equal(tp_tape_count(tape), count);
    assert_int_not_equal(tp_add(b, a).id, sum.id);
    assert_int_not_equal(tp_sub(a, b).id, sum.id);
    assert_int_not_equal(a.id, b.id); /* leaves are themselves */
    assert_int_equal(tp_sum_over(a, TP_AXES(0), true).id, tp_sum_over(a, TP_AXES(-1), true).id);
    assert_int_equal(tp_slice(a, 0, 0, 2, 1).id, tp_slice(a, -1, -3, -1, 1).id);
    assert_int_not_equal(tp_slice(a, 0, 0, 2, 1).id, tp_slice(a, 0, 1, 3, 1).id);
    assert_int_equal(tp_iota(tape, TP_F32, 4).id, tp_iota(tape, TP_F32, 4).id);
    assert_int_not_equal(tp_iota(tape, TP_F32, 4).id, tp_iota(tape, TP_F64, 4).id);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static double nan_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_scalars_are_told_apart_by_bits(void **state)
{
    const double values[] = {0.0,     -0.0, 1, NAN, nan_of(0x7ff8000000000123u), nan_of(0xfff8000000000000u),
                             INFINITY};
    tp_tape *tape = tp_tape_create(NULL);
    int32_t id[3][COUNT_OF(values)];
    (void)state;

    for (size_t k = 0; k < COUNT_OF(values); k++) {
        id[0][k] = tp_scalar(tape, values[k]).id;
        id[1][k] = tp_scalar_of(tape, TP_F32, values[k]).id;
        id[2][k] = tp_scalar_of(tape, TP_F64, values[k]).id;
        assert_int_equal(id[0][k], tp_scalar(tape, values[k]).id);
        assert_int_equal(id[1][k], tp_scalar_of(tape, TP_F32, values[k]).id);
    }
    for (size_t i = 0; i < 3 * COUNT_OF(values); i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(id[i / COUNT_OF(values)][i % COUNT_OF(values)],
                                 id[j / COUNT_OF(values)][j % COUNT_OF(values)]);
    tp_tape_destroy(tape);
}

static void scale_by_attribute(int64_t n, void *y, const void *const *x, const void *attr)
{
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = ((const float *)x[0])[i] * (float)*(const double *)attr;
}

static void test_attributes_are_told_apart_by_bits(void **state)
{
    static const tp_op op = {
        .name = "user", .kind = TP_MAP, .arity = 1, .attr_size = sizeof(double), .map = {scale_by_attribute}};
    static const tp_op effect = {.name = "effect",
                                 .kind = TP_MAP,
                                 .arity = 1,
                                 .flags = TP_OP_IMPURE,
                                 .attr_size = sizeof(double),
                                 .map = {scale_by_attribute}};
    const double values[] = {0.0, -0.0, NAN, nan_of(0x7ff8000000000123u)};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(3));
    (void)state;

    for (size_t i = 0; i < COUNT_OF(values); i++)
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            const int32_t a = tp_record(&op, &x, 1, &values[i]).id, b = tp_record(&op, &x, 1, &values[j]).id;
            assert_true((a == b) == (i == j));
            assert_int_not_equal(tp_record(&effect, &x, 1, &values[i]).id,
                                 tp_record(&effect, &x, 1, &values[j]).id);
        }
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_impure_ops_are_never_merged(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(3), NULL);
    (void)state;
    assert_int_not_equal(tp_uniform(tape, TP_F32, TP_SHAPE(3)).id, tp_uniform(tape, TP_F32, TP_SHAPE(3)).id);
    assert_int_not_equal(tp_assign(w, tp_exp(w)).id, tp_assign(w, tp_exp(w)).id);
    assert_int_not_equal(tp_parameter(tape, TP_F32, TP_SHAPE(3), NULL).id, w.id);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_merging_survives_growth(void **state)
{
    enum { NODES = 6000 }; /* more than 16 chunks, and the table grows five times */
    static int32_t id[NODES];
    memory m = {0};
    tp_tape *tape = tape_with(&m);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(3));
    (void)state;

    for (int k = 0; k < NODES; k++)
        id[k] =
            (k % 2 ? tp_scalar(tape, k) : tp_slice(tp_expand(x, TP_SHAPE(NODES, 3)), 0, k / 2, NODES, 1)).id;
    for (int k = 0; k < NODES; k++) {
        assert_int_equal(
            id[k],
            (k % 2 ? tp_scalar(tape, k) : tp_slice(tp_expand(x, TP_SHAPE(NODES, 3)), 0, k / 2, NODES, 1)).id);
        for (int j = k > 3 ? k - 3 : 0; j < k; j++)
            assert_int_not_equal(id[j], id[k]);
    }
    tp_tape_destroy(tape);
    assert_all_released(&m);
}

/* Among so many, some 18 pairs have the same 32 bits of hash: equal hashes alone make no equal nodes. */
static void test_colliding_hashes_are_told_apart(void **state)
{
    enum { NODES = 400000 };
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    for (int k = 0; k < NODES; k++)
        assert_int_equal(tp_scalar(tape, sqrt(k)).id, k);
    tp_tape_destroy(tape);
}

/* ---- Exact simplification --------------------------------------------------------------------------- */

static void test_simplifications_of_arithmetic(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2, 3)), y = tp_input(tape, TP_F32, TP_SHAPE(2, 3));
    const tp_tensor zero = tp_scalar(tape, 0), minus_zero = tp_scalar(tape, -0.0), one = tp_scalar(tape, 1);
    (void)state;

    const tp_tensor same[] = {
        tp_mul(x, one),
        tp_mul(one, x),
        tp_div(x, one),
        tp_sub(x, zero),
        tp_add(x, minus_zero),
        tp_add(minus_zero, x),
        tp_neg(tp_neg(x)),
        tp_mul(tp_scale(x, -1), tp_scalar(tape, -1)),
        tp_mul(x, tp_full(tape, TP_F32, TP_SHAPE(2, 3), 1)),
        tp_where(one, x, y),
        tp_where(tp_scalar(tape, NAN), x, y),
        tp_where(zero, y, x),
        tp_where(minus_zero, y, x),
        tp_where(y, x, x),
        tp_maximum(x, x),
        tp_minimum(x, x),
        tp_cast(x, TP_F32),
    };
    for (size_t k = 0; k < COUNT_OF(same); k++)
        if (same[k].id != x.id)
            fail_msg("simplification %d is not done: %s", (int)k, tp_op_of(same[k])->name);
    assert_int_equal(tp_scale(x, -1).id, tp_neg(x).id);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_simplifications_of_views(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2, 3)), one = tp_input(tape, TP_F32, TP_SHAPE(1, 3));
    const tp_tensor turned = tp_transpose(x, 0, 1), half = tp_slice(x, 1, 1, 3, 1);
    (void)state;

    assert_int_equal(tp_reshape(x, TP_SHAPE(2, -1)).id, x.id);
    assert_int_equal(tp_reshape(tp_reshape(x, TP_SHAPE(6)), TP_SHAPE(2, 3)).id, x.id);
    assert_int_equal(tp_reshape(tp_reshape(x, TP_SHAPE(6)), TP_SHAPE(3, 2)).id,
                     tp_reshape(x, TP_SHAPE(3, 2)).id);
    assert_int_equal(tp_permute(x, TP_AXES(0, 1)).id, x.id);
    assert_int_equal(tp_transpose(turned, 0, 1).id, x.id);
    assert_int_equal(tp_slice(x, 1, 0, TP_END, 1).id, x.id);
    assert_int_equal(tp_slice(half, 1, 1, 2, 1).id, tp_slice(x, 1, 2, 3, 1).id);
    assert_int_equal(tp_expand(x, TP_SHAPE(2, 3)).id, x.id);
    assert_int_equal(tp_expand(tp_expand(one, TP_SHAPE(2, 3)), TP_SHAPE(4, 2, 3)).id,
                     tp_expand(one, TP_SHAPE(4, 2, 3)).id);
    assert_int_equal(tp_sum_over(one, TP_AXES(0), true).id, one.id);
    assert_int_equal(tp_max_over(x, (tp_axes){0}, false).id, x.id);
    assert_int_equal(tp_sum_to(x, TP_SHAPE(2, 3)).id, x.id);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

/* What IEEE arithmetic says of these is not what algebra says. */
static void test_inexact_simplifications_are_not_done(void **state)
{
    static const float special[] = {-0.0f, 0.0f, 1.5f, -1.5f, INFINITY, -INFINITY, NAN, 1e-40f};
    enum { N = COUNT_OF(special) };
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(N), special);
    const tp_tensor zero = tp_scalar(tape, 0), minus_zero = tp_scalar(tape, -0.0);
    const tp_tensor y[] = {tp_add(x, zero),         tp_sub(x, minus_zero),  tp_mul(x, zero),
                           tp_mul(minus_zero, x),   tp_sub(x, x),           tp_div(x, x),
                           tp_sub(zero, x),         tp_div(zero, x),        tp_add(zero, x),
                           tp_div(tp_mul(x, x), x), tp_sub(tp_add(x, x), x)};
    float out[N];
    (void)state;

    for (size_t k = 0; k < COUNT_OF(y); k++) {
        evaluate(y[k], out, N);
        for (int i = 0; i < N; i++) {
            volatile float v = special[i], z = 0.0f, m = -0.0f; /* the compiler must not know */
            const float expected[] = {v + z, v - m, v * z, m * v,     v - v,    v / v,
                                      z - v, z / v, z + v, v * v / v, v + v - v};
            if (!(same_bits(out[i], expected[k]) || (isnan(out[i]) && isnan(expected[k]))))
                fail_msg("case %d at %g: %g, not %g", (int)k, (double)v, (double)out[i], (double)expected[k]);
        }
    }
    tp_tape_destroy(tape);
}

/* ---- Folding ---------------------------------------------------------------------------------------- */

static const double fold_floats[] = {0.0,   -0.0, 1,    -1,   0.5,      2,         -3.7, 0.1,
                                     1e-40, 87.5, -104, 1e38, INFINITY, -INFINITY, NAN};
static const double fold_integers[] = {0, 1, -1, 7, INT32_MAX, INT32_MIN, 65536};

/* The value of a 0-d tensor, in a program of its own, as bytes. */
static void bytes_of(tp_tensor y, unsigned char bytes[8])
{
    tp_program *program = compile_one(y);
    assert_non_null(program);
    assert_int_equal(tp_run(program), TP_OK);
    memset(bytes, 0, 8);
    memcpy(bytes, tp_program_output(program, 0, tp_dtype_of(y)), tp_dtype_size(tp_dtype_of(y)));
    tp_program_destroy(program);
}

static tp_tensor leaf_of(tp_tape *tape, tp_dtype dtype, double value)
{
    const float f32 = (float)value;
    const int32_t i32 = dtype == TP_I32 ? (int32_t)value : 0;
    const void *data = dtype == TP_F32 ? (const void *)&f32 : dtype == TP_I32 ? (const void *)&i32 : &value;
    return tp_parameter(tape, dtype, TP_SHAPE_0D, data);
}

/* One op on one set of numbers: folded, and run by a program. */
static void check_fold(const tp_op *op, tp_dtype dtype, const double *value)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor known[3], leaf[3];
    unsigned char folded[8], computed[8];

    for (int k = 0; k < op->arity; k++) {
        known[k] = tp_scalar_of(tape, dtype, value[k]);
        leaf[k] = leaf_of(tape, dtype, value[k]);
    }
    const tp_tensor a = tp_record(op, known, op->arity, NULL), b = tp_record(op, leaf, op->arity, NULL);
    expect_ok(tape);
    assert_true(tp_is_scalar_constant(a, NULL));
    assert_int_equal(tp_dtype_of(a), tp_dtype_of(b));
    bytes_of(a, folded);
    bytes_of(b, computed);
    if (memcmp(folded, computed, 8) != 0)
        fail_msg("%s of %s %g, %g, %g: folded and computed differ", op->name, tp_dtype_name(dtype), value[0],
                 value[1], value[2]);
    tp_tape_destroy(tape);
}

static void check_folds_of(const tp_op *op, tp_dtype dtype)
{
    const double *from = dtype == TP_I32 ? fold_integers : fold_floats;
    const size_t n = dtype == TP_I32 ? COUNT_OF(fold_integers) : COUNT_OF(fold_floats);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (op->arity > 1 ? n : 1); j++)
            check_fold(op, dtype, (double[]){from[i], from[j], from[(i + 2 * j) % n]});
}

static void test_folding_runs_the_kernel(void **state)
{
    const tp_op *const *const lists[] = {tp__arithmetic_ops, tp__function_ops, tp__choice_ops,
                                         tp__control_ops};
    int maps = 0;
    (void)state;
    for (size_t l = 0; l < COUNT_OF(lists); l++)
        for (const tp_op *const *op = lists[l]; *op != NULL; op++)
            for (int dtype = 0; dtype < TP_DTYPE_COUNT; dtype++)
                if ((*op)->kind == TP_MAP && (*op)->map[dtype] != NULL && (*op)->attr_size == 0) {
                    check_folds_of(*op, (tp_dtype)dtype);
                    maps++;
                }
    assert_true(maps > 50);
}

static void test_folding_of_repeated_numbers(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = tp_full(tape, TP_F32, TP_SHAPE(2, 1), 3), b = tp_full(tape, TP_F32, TP_SHAPE(4), 0.5);
    const tp_tensor y = tp_mul(a, b), part = tp_slice(tp_reshape(y, TP_SHAPE(8)), 0, 2, 5, 1);
    double value = 0;
    (void)state;

    assert_true(tp_is_scalar_constant(y, &value) && value == 1.5);
    assert_true(tp_shape_equal(tp_shape_of(y), TP_SHAPE(2, 4)));
    assert_true(tp_is_scalar_constant(part, &value) && value == 1.5);
    assert_true(tp_shape_equal(tp_shape_of(part), TP_SHAPE(3)));
    assert_false(tp_is_scalar_constant(tp_uniform(tape, TP_F32, TP_SHAPE_0D), &value));
    assert_false(tp_is_scalar_constant(tp_constant(tape, TP_F32, TP_SHAPE_0D, &(float){1}), &value));
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_weak_scalars_are_computed_in_double(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE_0D, &(float){3});
    const tp_tensor weak = tp_add(tp_scalar(tape, 0.1), tp_scalar(tape, 0.2));
    double value = 0;
    (void)state;

    assert_int_equal(tp_dtype_of(weak), TP_WEAK);
    assert_true(tp_is_scalar_constant(weak, &value) && value == 0.1 + 0.2);
    assert_true(tp_item(weak) == 0.1 + 0.2);
    const tp_tensor y = tp_mul(x, weak);
    assert_int_equal(tp_dtype_of(y), TP_F32);
    assert_int_equal(tp_dtype_of(tp_operand_of(y, 1)), TP_F32);
    assert_true(tp_is_scalar_constant(tp_operand_of(y, 1), &value) &&
                value == 0.1 + 0.2); /* the double is kept */
    assert_true(same_bits(evaluate1(y), 3 * (float)(0.1 + 0.2)));
    assert_int_equal(tp_dtype_of(tp_less(tp_scalar(tape, 1), tp_scalar(tape, 2))), TP_WEAK);
    assert_true(tp_item(tp_exp(tp_scalar(tape, 0))) == 1);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_weak_scalars_take_the_dtype_they_meet(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor i = tp_parameter(tape, TP_I32, TP_SHAPE(2), (int32_t[]){3, -4});
    const tp_tensor d = tp_parameter(tape, TP_F64, TP_SHAPE_0D, &(double){1});
    int32_t out[2];
    double item;
    (void)state;

    const tp_tensor doubled = tp_scale(i, 2);
    tp_program *program = tp_compile((tp_tensor[]){doubled, tp_scalar(tape, 0.1)}, 2, NULL);
    assert_int_equal(tp_run(program), TP_OK);
    assert_int_equal(tp_read(doubled, out, 2), TP_OK);
    assert_true(out[0] == 6 && out[1] == -8);
    assert_true(*(const double *)tp_program_output(program, 1, TP_F64) == 0.1);
    tp_program_destroy(program);
    item = 1 + 0.1;
    const tp_tensor sum = tp_add(d, tp_scalar(tape, 0.1));
    program = compile_one(sum);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(tp_item(sum) == item);
    tp_program_destroy(program);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_ops_are_one_node),
        cmocka_unit_test(test_scalars_are_told_apart_by_bits),
        cmocka_unit_test(test_attributes_are_told_apart_by_bits),
        cmocka_unit_test(test_impure_ops_are_never_merged),
        cmocka_unit_test(test_merging_survives_growth),
        cmocka_unit_test(test_colliding_hashes_are_told_apart),
        cmocka_unit_test(test_simplifications_of_arithmetic),
        cmocka_unit_test(test_simplifications_of_views),
        cmocka_unit_test(test_inexact_simplifications_are_not_done),
        cmocka_unit_test(test_folding_runs_the_kernel),
        cmocka_unit_test(test_folding_of_repeated_numbers),
        cmocka_unit_test(test_weak_scalars_are_computed_in_double),
        cmocka_unit_test(test_weak_scalars_take_the_dtype_they_meet),
    };
    return cmocka_run_group_tests_name("tape", tests, NULL, NULL);
}
