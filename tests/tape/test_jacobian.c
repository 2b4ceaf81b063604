/* test_jacobian.c -- Jacobians and Hessians: known values in both modes, shapes, blocks, limits. */
#include "modes_test.h"

/* ---- Jacobians ---------------------------------------------------------------------------------------- */

static const tp_jacobian_mode all_modes[] = {TP_FEWER_SWEEPS, TP_REVERSE_MODE, TP_FORWARD_MODE};

/* y[i][j] = sum over k of a[i][k] w[k][j]: d y[i][j] / d w[k][l] = a[i][k] if j is l. */
static void test_jacobian_of_a_product(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6}, w[] = {1, -1, 2, 0.5, 3, -3};
    double expected[2 * 2 * 3 * 2];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor left = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), a),
                    right = leaf_of(tape, TP_SHAPE(3, 2), w);
    const tp_tensor y = tp_matmul(left, right);
    tp_tensor out;
    (void)state;

    for (int i = 0, n = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int k = 0; k < 3; k++)
                for (int l = 0; l < 2; l++)
                    expected[n++] = j == l ? a[i * 3 + k] : 0;
    for (size_t m = 0; m < COUNT_OF(all_modes); m++) {
        assert_int_equal(tp_jacobian(y, right, &out, &(tp_jacobian_options){.mode = all_modes[m]}), TP_OK);
        expect_shape(out, TP_SHAPE(2, 2, 3, 2));
        expect_values(out, expected, 24);
        expect_same(out, out);
    }
    tp_tape_destroy(tape);
}

/* The mode with fewer sweeps is taken. */
static void test_fewer_sweeps(void **state)
{
    double a[40] = {0};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor few = vector(tape, 3, a), many = vector(tape, 40, a);
    const tp_tensor tall = tp_mul(many, tp_sum(tp_exp(few))), wide = tp_mul(few, tp_sum(tp_exp(many)));
    const tp_jacobian_options limited = {.most_sweeps = 3};
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_jacobian(tall, few, &out, &limited), TP_OK);
    expect_shape(out, TP_SHAPE(40, 3));
    assert_int_equal(tp_jacobian(wide, many, &out, &limited), TP_OK);
    expect_shape(out, TP_SHAPE(3, 40));
    assert_int_equal(tp_jacobian(tall, many, &out, &limited), TP_BAD_ARGUMENT);
    expect_error(tape, TP_BAD_ARGUMENT,
                 "jacobian: 40 sweeps for a matrix of 40 by 40 are more than most_sweeps, 3");
    assert_int_equal(
        tp_jacobian(tall, few, &out, &(tp_jacobian_options){.mode = TP_REVERSE_MODE, .most_sweeps = 3}),
        TP_BAD_ARGUMENT);
    expect_error(tape, TP_BAD_ARGUMENT, "jacobian: 40 sweeps for a matrix of 40 by 3");
    assert_int_equal(tp_jacobian(tall, many, &out, &(tp_jacobian_options){.most_sweeps = 40}), TP_OK);
    tp_tape_destroy(tape);
}

static void test_jacobian_shapes(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = leaf_of(tape, TP_SHAPE(2, 3), a), number = leaf_of(tape, TP_SHAPE_0D, a),
                    none = leaf_of(tape, TP_SHAPE(2, 0), a);
    tp_tensor out;
    (void)state;

    for (size_t m = 0; m < COUNT_OF(all_modes); m++) {
        const tp_jacobian_options options = {.mode = all_modes[m]};
        assert_int_equal(tp_jacobian(tp_sum(w), w, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(2, 3));
        expect_values(out, (double[]){1, 1, 1, 1, 1, 1}, 6);
        assert_int_equal(tp_jacobian(tp_mul(w, number), number, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(2, 3));
        expect_values(out, a, 6);
        assert_int_equal(tp_jacobian(tp_square(number), number, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE_0D);
        expect_values(out, (double[]){2}, 1);
        assert_int_equal(tp_jacobian(number, number, &out, &options), TP_OK);
        expect_values(out, (double[]){1}, 1);
        assert_int_equal(tp_jacobian(tp_exp(none), none, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(2, 0, 2, 0));
        assert_int_equal(tp_jacobian(tp_sum(none), none, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(2, 0));
        assert_int_equal(tp_jacobian(tp_slice(w, 1, 1, 1, 1), w, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(2, 0, 2, 3));
        assert_int_equal(tp_jacobian(tp_reshape(w, TP_SHAPE(3, 2)), w, &out, &options), TP_OK);
        expect_shape(out, TP_SHAPE(3, 2, 2, 3));
        tp_run(NULL);
    }
    tp_program *program = compile_all(&out, 1);
    run_ok(program);
    for (int i = 0; i < 36; i++)
        assert_true(((const double *)tp_program_output(program, 0, TP_F64))[i] == (i % 7 == 0));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* The blocks of two parameters side by side, whichever way. */
static void test_jacobian_matrix(void **state)
{
    const double a[] = {1, 2}, b[] = {3, 4, 5};
    const double expected[] = {/* */
                               3, 0, 1, 0, 0, 4, 0, 0, 1, 0, 5, 0, 0, 0, 1,
                               0, 3, 2, 0, 0, 0, 4, 0, 2, 0, 0, 5, 0, 0, 2};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor wrt[2] = {leaf_of(tape, TP_SHAPE(2, 1), a), vector(tape, 3, b)};
    const tp_tensor y = tp_mul(wrt[0], wrt[1]); /* outer product */
    tp_tensor out;
    (void)state;
    for (size_t m = 0; m < COUNT_OF(all_modes); m++) {
        assert_int_equal(tp_jacobian_matrix(y, wrt, 2, &out, &(tp_jacobian_options){.mode = all_modes[m]}),
                         TP_OK);
        expect_shape(out, TP_SHAPE(6, 5));
        expect_values(out, expected, 30);
    }
    tp_tape_destroy(tape);
}

/* ---- Hessians ----------------------------------------------------------------------------------------- */

static void test_hessian_of_a_quadratic_form(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6, 7, 8, 10}, x[] = {0.5, -1, 2};
    double expected[9];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, x), matrix = tp_constant(tape, TP_F64, TP_SHAPE(3, 3), a);
    const tp_tensor loss = tp_matmul(w, tp_matmul(matrix, w));
    tp_tensor out;
    (void)state;

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            expected[3 * i + j] = a[3 * i + j] + a[3 * j + i];
    for (size_t m = 0; m < COUNT_OF(all_modes); m++) {
        assert_int_equal(tp_hessian(loss, w, &out, &(tp_jacobian_options){.mode = all_modes[m]}), TP_OK);
        expect_shape(out, TP_SHAPE(3, 3));
        expect_values(out, expected, 9);
    }
    tp_tape_destroy(tape);
}

/* A small network: the block matrix against Hessian-vector products, each block against tp_hessian, symmetry. */
static void test_hessian_of_a_network(void **state)
{
    enum { N = 4 + 2 + 2, ROWS = 5 };
    double value[10], matrix[N * N], mirrored[N * N], row[N], block[16];
    generator random = seeded(5);
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor out, second[3], direction[3];
    (void)state;

    for (int i = 0; i < 10; i++)
        value[i] = next_between(&random, -1, 1);
    const tp_tensor wrt[3] = {leaf_of(tape, TP_SHAPE(2, 2), value), vector(tape, 2, value + 4),
                              leaf_of(tape, TP_SHAPE(2, 1), value + 6)};
    const tp_tensor x = tp_constant(tape, TP_F64, TP_SHAPE(ROWS, 2), value);
    const tp_tensor hidden = tp_tanh(tp_add(tp_matmul(x, wrt[0]), wrt[1]));
    const tp_tensor loss = tp_mean(tp_square(tp_sub(tp_matmul(hidden, wrt[2]), tp_scalar(tape, 0.3))));

    assert_int_equal(tp_hessian_matrix(loss, wrt, 3, &out, NULL), TP_OK);
    expect_shape(out, TP_SHAPE(N, N));
    expect_same(out, out);
    compute(out, matrix);
    for (int i = 0, k = 0, first = 0; i < N; i++) {
        if (i == first + tp_count_of(wrt[k]))
            first = i, k++;
        double unit[4] = {0};
        unit[i - first] = 1;
        for (int l = 0; l < 3; l++)
            direction[l] = l == k ? tp_constant(tape, TP_F64, tp_shape_of(wrt[l]), unit) : tp_scalar(tape, 0);
        assert_int_equal(tp_hessian_vector(loss, wrt, direction, 3, second), TP_OK);
        for (int l = 0, at = 0; l < 3; at += (int)tp_count_of(wrt[l]), l++)
            compute(second[l], row + at);
        assert_close("row", matrix + N * i, row, N, 1e-12);
        for (int j = 0; j < N; j++)
            mirrored[N * j + i] = matrix[N * i + j];
    }
    assert_close("mirrored", mirrored, matrix, N * N, 1e-12);
    compute(tp_scale(tp_add(out, tp_transpose(out, 0, 1)), 0.5), matrix);
    for (int i = 0; i < N * N; i++)
        assert_true(same_f64(matrix[i], matrix[i % N * N + i / N]));

    assert_int_equal(tp_hessian(loss, wrt[0], &out, NULL), TP_OK);
    expect_shape(out, TP_SHAPE(2, 2, 2, 2));
    compute(out, block);
    for (int i = 0; i < 16; i++)
        assert_true(fabs(block[i] - matrix[N * (i / 4) + i % 4]) < 1e-12);
    assert_int_equal(tp_hessian_matrix(loss, wrt, 3, &out, &(tp_jacobian_options){.mode = TP_FORWARD_MODE}),
                     TP_OK);
    compute(out, mirrored);
    assert_close("forward", mirrored, matrix, N * N, 1e-12);
    tp_tape_destroy(tape);
}

static void test_hessian_shapes(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor number = leaf_of(tape, TP_SHAPE_0D, (double[]){3}),
                    none = leaf_of(tape, TP_SHAPE(0), NULL);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_hessian(cube(number), number, &out, NULL), TP_OK);
    expect_shape(out, TP_SHAPE_0D);
    expect_values(out, (double[]){18}, 1);
    assert_int_equal(tp_hessian(tp_sum(none), none, &out, NULL), TP_OK);
    expect_shape(out, TP_SHAPE(0, 0));
    const tp_tensor both[2] = {none, number}, loss = tp_add(tp_sum(tp_exp(none)), cube(number));
    for (size_t m = 0; m < COUNT_OF(all_modes); m++) {
        assert_int_equal(tp_hessian_matrix(loss, both, 2, &out, &(tp_jacobian_options){.mode = all_modes[m]}),
                         TP_OK);
        expect_shape(out, TP_SHAPE(1, 1));
        expect_values(out, (double[]){18}, 1);
    }
    tp_tape_destroy(tape);
}

/* A direction of exact zeros meets infinite derivatives in a Jacobian by columns: they stay on its diagonal. */
static void test_jacobian_at_infinite_slopes(void **state)
{
    const double a[] = {0, 4}, expected[] = {INFINITY, 0, 0, 0.25};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 2, a);
    tp_tensor out;
    (void)state;
    for (tp_jacobian_mode mode = TP_REVERSE_MODE; mode <= TP_FORWARD_MODE; mode++) {
        assert_int_equal(tp_jacobian(tp_sqrt(w), w, &out, &(tp_jacobian_options){.mode = mode}), TP_OK);
        expect_values(out, expected, 4);
    }
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jacobian_of_a_product),
        cmocka_unit_test(test_fewer_sweeps),
        cmocka_unit_test(test_jacobian_shapes),
        cmocka_unit_test(test_jacobian_matrix),
        cmocka_unit_test(test_hessian_of_a_quadratic_form),
        cmocka_unit_test(test_hessian_of_a_network),
        cmocka_unit_test(test_hessian_shapes),
        cmocka_unit_test(test_jacobian_at_infinite_slopes),
    };
    return cmocka_run_group_tests_name("jacobian", tests, NULL, NULL);
}
