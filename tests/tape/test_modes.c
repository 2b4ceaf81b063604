/* test_modes.c -- Hessian-vector products and forward mode: known values, singular points, what is left on the tape, and
 * failing allocations.  Jacobians and Hessians are in test_jacobian.c, all ops in tests/ops/test_walk_modes.c.
 */
#include "modes_test.h"
#include "tape.h"

/* ---- Hessian-vector products -------------------------------------------------------------------------- */

/* sum(a^2 b): its Hessian is 2 b for a and a, 2 a for a and b. */
static void test_hessian_vector_of_two(void **state)
{
    const double a[] = {1, 2, -3}, b[] = {4, -5, 6}, u[] = {1, -1, 2}, v[] = {0.5, 3, -2};
    double for_a[3], for_b[3];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor wrt[2] = {vector(tape, 3, a), vector(tape, 3, b)};
    const tp_tensor direction[2] = {constant(tape, 3, u), constant(tape, 3, v)};
    const tp_tensor loss = tp_sum(tp_mul(tp_square(wrt[0]), wrt[1]));
    tp_tensor out[2];
    (void)state;

    for (int i = 0; i < 3; i++) {
        for_a[i] = 2 * b[i] * u[i] + 2 * a[i] * v[i];
        for_b[i] = 2 * a[i] * u[i];
    }
    assert_int_equal(tp_hessian_vector(loss, wrt, direction, 2, out), TP_OK);
    expect_values(out[0], for_a, 3);
    expect_values(out[1], for_b, 3);
    assert_int_equal(tp_hessian_vector(loss, wrt, (tp_tensor[]){direction[0], tp_scalar(tape, 0)}, 2, out),
                     TP_OK);
    expect_values(out[1], for_b, 3);
    assert_int_equal(tp_hessian_vector(loss, wrt, direction, 0, NULL), TP_OK);
    tp_tape_destroy(tape);
}

/* The results may take the place of wrt or of the direction; a number and a single row will do as direction. */
static void test_results_in_place(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6};
    double expected[6];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = leaf_of(tape, TP_SHAPE(2, 3), a), loss = tp_sum(cube(w));
    (void)state;

    for (int i = 0; i < 6; i++)
        expected[i] = 6 * a[i] * 2;
    tp_tensor both = w, direction = tp_scalar(tape, 2);
    assert_int_equal(tp_hessian_vector(loss, &both, &direction, 1, &both), TP_OK);
    expect_shape(both, TP_SHAPE(2, 3));
    expect_values(both, expected, 6);
    direction = tp_full(tape, TP_F64, TP_SHAPE(3), 2);
    assert_int_equal(tp_hessian_vector(loss, &w, &direction, 1, &direction), TP_OK);
    expect_values(direction, expected, 6);

    for (int i = 0; i < 6; i++)
        expected[i] = 3 * a[i] * a[i] * 2;
    both = w, direction = tp_scalar(tape, 2);
    assert_int_equal(tp_jvp(cube(w), &both, &direction, 1, &both), TP_OK);
    expect_values(both, expected, 6);
    direction = tp_full(tape, TP_F64, TP_SHAPE(1, 3), 2);
    assert_int_equal(tp_jvp(cube(w), &w, &direction, 1, &direction), TP_OK);
    expect_values(direction, expected, 6);
    tp_tape_destroy(tape);
}

/* The direction is fixed, also when it is the gradient; and yet differentiable afterwards: d/dv sum(u H v) = H u. */
static void test_direction_is_fixed(void **state)
{
    const double a[] = {0.5, -1, 2};
    double hg[3], hu[3];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, a), loss = tp_sum(tp_mul(cube(w), w)); /* w^4 */
    const tp_tensor v = vector(tape, 3, (double[]){1, 2, 3}), u = constant(tape, 3, (double[]){3, -2, 1});
    tp_tensor g, out, again;
    (void)state;

    for (int i = 0; i < 3; i++) {
        hg[i] = 12 * a[i] * a[i] * 4 * a[i] * a[i] * a[i];
        hu[i] = 12 * a[i] * a[i] * (double[]){3, -2, 1}[i];
    }
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    assert_int_equal(tp_hessian_vector(loss, &w, &g, 1, &out), TP_OK);
    expect_values(out, hg, 3);
    assert_int_equal(tp_hessian_vector(loss, &w, &v, 1, &out), TP_OK);
    assert_int_equal(tp_gradient(tp_sum(tp_mul(u, out)), &v, 1, &again), TP_OK);
    expect_values(again, hu, 3);
    tp_tape_destroy(tape);
}

static void test_nothing_to_differentiate(void **state)
{
    const double a[] = {1, 2};
    const double zero[2] = {0, 0};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 2, a), other = vector(tape, 2, a), number = tp_scalar(tape, 3);
    const tp_tensor one = tp_scalar(tape, 1);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_hessian_vector(tp_sum(cube(w)), &other, &one, 1, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_hessian_vector(tp_sum(w), &w, &one, 1, &out), TP_OK); /* linear */
    expect_values(out, zero, 2);
    assert_int_equal(tp_hessian_vector(number, &w, &one, 1, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_jvp(cube(w), &other, &one, 1, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_jvp(cube(w), NULL, NULL, 0, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_jvp(number, &w, &one, 1, &out), TP_OK);
    assert_true(tp_dtype_of(out) == TP_WEAK && tp_item(out) == 0);
    assert_int_equal(tp_jvp(tp_sign(w), &w, &one, 1, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_jvp(tp_stop_gradient(w), &w, &one, 1, &out), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_jacobian(tp_square(other), w, &out, NULL), TP_OK);
    expect_values(out, (double[]){0, 0, 0, 0}, 4);
    assert_int_equal(tp_jacobian(number, w, &out, NULL), TP_OK);
    expect_values(out, zero, 2);
    assert_int_equal(tp_hessian(number, w, &out, NULL), TP_OK);
    expect_values(out, (double[]){0, 0, 0, 0}, 4);
    tp_tape_destroy(tape);
}

/* ---- Forward mode ------------------------------------------------------------------------------------- */

static void test_jvp_of_itself_and_of_parts(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6}, d[] = {1, -1, 2, -2, 3, -3};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = leaf_of(tape, TP_SHAPE(2, 3), a), v = tp_constant(tape, TP_F64, TP_SHAPE(2, 3), d);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_jvp(w, &w, &v, 1, &out), TP_OK);
    expect_values(out, d, 6);
    assert_int_equal(tp_jvp(w, (tp_tensor[]){w, w}, (tp_tensor[]){v, v}, 2, &out), TP_OK); /* both move it */
    expect_values(out, (double[]){2, -2, 4, -4, 6, -6}, 6);
    assert_int_equal(tp_jvp(tp_transpose(w, 0, 1), &w, &v, 1, &out), TP_OK);
    expect_shape(out, TP_SHAPE(3, 2));
    expect_values(out, (double[]){1, -2, -1, 3, 2, -3}, 6);
    assert_int_equal(tp_jvp(tp_sum(w), &w, &v, 1, &out), TP_OK);
    expect_values(out, (double[]){0}, 1);
    assert_int_equal(tp_jvp(tp_max_over(w, TP_AXES(1), false), &w, &v, 1, &out), TP_OK);
    expect_values(out, (double[]){2, -3}, 2);
    assert_int_equal(tp_jvp(tp_prod_over(w, TP_AXES(1), false), &w, &v, 1, &out), TP_OK);
    expect_values(out, (double[]){1 * 6 - 1 * 3 + 2 * 2, -2 * 30 + 3 * 24 - 3 * 20}, 2);
    tp_tape_destroy(tape);
}

/* A wrt that depends on another one moves with it, and by its own direction as well. */
static void test_jvp_for_a_chain(void **state)
{
    const double a[] = {1, 2};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 2, a), s = tp_square(w), y = cube(s);
    const tp_tensor wrt[2] = {w, s}, direction[2] = {tp_scalar(tape, 1), tp_scalar(tape, 10)};
    tp_tensor out, g[2];
    (void)state;

    assert_int_equal(tp_jvp(y, wrt, direction, 2, &out), TP_OK); /* 3 s^2 (2 w + 10) */
    expect_values(out, (double[]){3 * 12, 3 * 16 * 14}, 2);
    assert_int_equal(tp_gradient(tp_sum(y), wrt, 2, g), TP_OK);
    expect_values(tp_add(g[0], tp_scale(g[1], 10)), (double[]){3 * 12, 3 * 16 * 14}, 2);
    tp_tape_destroy(tape);
}

/* Integers have no tangent, and what they choose or index has. */
static void test_jvp_beside_integers(void **state)
{
    const double a[] = {1, 2, 3};
    const int32_t pick[] = {0, 1, 0}, index[] = {2, 0, 1};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, a);
    const tp_tensor which = tp_constant(tape, TP_I32, TP_SHAPE(3), pick),
                    label = tp_constant(tape, TP_I32, TP_SHAPE(3), index);
    const tp_tensor one = tp_scalar(tape, 1), checked = tp_check_index(label, 3, false, 0);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_jvp(tp_where(which, tp_square(w), cube(w)), &w, &one, 1, &out), TP_OK);
    expect_values(out, (double[]){3, 4, 27}, 3);
    assert_int_equal(tp_jvp(tp_mul(tp_cast(checked, TP_F64), tp_square(w)), &w, &one, 1, &out), TP_OK);
    expect_values(out, (double[]){4, 0, 6}, 3);
    assert_int_equal(tp_jvp(tp_cast(tp_cast(w, TP_I32), TP_F64), &w, &one, 1, &out), TP_OK);
    expect_values(out, (double[]){0, 0, 0}, 3);
    tp_tape_destroy(tape);
}

/* Dtypes change on the way. */
static void test_jvp_through_casts(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1, 2});
    const tp_tensor y = cube(tp_cast(w, TP_F64)), one = tp_scalar(tape, 1);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_jvp(y, &w, &one, 1, &out), TP_OK);
    assert_int_equal(tp_dtype_of(out), TP_F64);
    expect_values(out, (double[]){3, 12}, 2);
    for (tp_jacobian_mode mode = TP_REVERSE_MODE; mode <= TP_FORWARD_MODE; mode++) {
        assert_int_equal(tp_jacobian(y, w, &out, &(tp_jacobian_options){.mode = mode}), TP_OK);
        assert_int_equal(tp_dtype_of(out), TP_F32);
        expect_values(out, (double[]){3, 0, 0, 12}, 4);
    }
    tp_tape_destroy(tape);
}

/* Nine operands and more need memory of their own. */
static void test_jvp_of_many_operands(void **state)
{
    double d[9];
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor part[9], out;
    (void)state;

    for (int k = 0; k < 9; k++)
        d[k] = k - 3.5;
    const tp_tensor w = vector(tape, 9, d), v = constant(tape, 9, d);
    for (int k = 0; k < 9; k++)
        part[k] = tp_slice(w, 0, 8 - k, 9 - k, 1);
    assert_int_equal(tp_jvp(tp_concat(part, 9, 0), &w, &v, 1, &out), TP_OK);
    expect_values(out, (double[]){4.5, 3.5, 2.5, 1.5, 0.5, -0.5, -1.5, -2.5, -3.5}, 9);
    tp_tape_destroy(tape);
}

/* Ops that the program for `x` has, by name. */
static int count_ops(tp_tensor x, const char *name)
{
    int count = 0;
    tp_program *program = compile_all(&x, 1);
    for (int32_t s = 0; s < program->steps; s++)
        count += strcmp(program->step[s].op->name, name) == 0;
    tp_program_destroy(program);
    return count;
}

/* Of the stand-in for an adjoint nothing is left, but in a rule that looks at the adjoint's value. */
static void test_jvp_leaves_no_reverse_sweep(void **state)
{
    const double a[] = {1, 2, 3, 4, 5, 6};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = leaf_of(tape, TP_SHAPE(2, 3), a), one = tp_scalar(tape, 1);
    const tp_tensor y = tp_softmax(tp_matmul(tp_tanh(tp_transpose(w, 0, 1)), tp_slice(w, 1, 0, 2, 1)), 1);
    tp_tensor out;
    (void)state;

    assert_int_equal(tp_jvp(y, &w, &one, 1, &out), TP_OK);
    assert_int_equal(count_ops(out, "any_adjoint"), 0);
    assert_int_equal(count_ops(out, "matmul"), 3); /* the product and one for each operand */
    assert_int_equal(tp_jvp(tp_max_over(w, TP_AXES(0), true), &w, &one, 1, &out), TP_OK);
    assert_int_equal(count_ops(out, "any_adjoint"), 0);
    assert_int_equal(tp_jvp(tp_prod(w), &w, &one, 1, &out), TP_OK);
    assert_int_equal(count_ops(out, "any_adjoint"), 1);
    tp_tape_destroy(tape);
}

/* ---- Singular points ---------------------------------------------------------------------------------- */

static double jvp_at(tp_tensor (*f)(tp_tensor), double x)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 1, &x), one = tp_scalar(tape, 1);
    tp_tensor out;
    assert_int_equal(tp_jvp(f(w), &w, &one, 1, &out), TP_OK);
    const double value = compute_one(out);
    tp_tape_destroy(tape);
    return value;
}

static double gradient_at(tp_tensor (*f)(tp_tensor), double x)
{
    double value;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 1, &x);
    compute_gradient(tp_sum(f(w)), w, &value);
    tp_tape_destroy(tape);
    return value;
}

static tp_tensor x_log_x(tp_tensor x)
{
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_where(tp_greater(x, zero), tp_mul(x, tp_log(x)), zero);
}

static tp_tensor unused_root(tp_tensor x)
{
    return tp_add(tp_square(x), tp_mul(tp_full(x.tape, TP_F64, TP_SHAPE(1), 0), tp_sqrt(x)));
}

static tp_tensor weighted_root(tp_tensor x)
{
    const tp_tensor weight = tp_constant(x.tape, TP_F64, TP_SHAPE(1), (double[]){0});
    return tp_add(x, tp_guard(weight, tp_mul(weight, tp_sqrt(x))));
}

static tp_tensor root_of_square(tp_tensor x)
{
    return tp_sqrt(tp_mul(x, x));
}

static tp_tensor root_minus_root(tp_tensor x)
{
    return tp_sub(tp_sqrt(x), tp_sqrt(tp_mul(x, tp_constant(x.tape, TP_F64, TP_SHAPE(1), (double[]){1}))));
}

static tp_tensor product_with_infinity(tp_tensor x)
{
    return tp_prod(
        tp_concat((tp_tensor[]){x, tp_log(tp_sub(x, x)), tp_full(x.tape, TP_F64, TP_SHAPE(1), 0)}, 3, 0));
}

/* Its rule asks whether the adjoint is 0: the stand-in must not be. */
static tp_tensor infinite_factor(tp_tensor x)
{
    const tp_tensor infinite = tp_constant(x.tape, TP_F64, TP_SHAPE(1), (double[]){INFINITY});
    return tp_prod(tp_concat((tp_tensor[]){x, infinite}, 2, 0));
}

static void test_strong_zero_forwards(void **state)
{
    (void)state;
    assert_true(jvp_at(x_log_x, 0) == 0);
    assert_true(jvp_at(x_log_x, -1) == 0);
    assert_true(fabs(jvp_at(x_log_x, 1) - 1) < 1e-15);
    assert_true(jvp_at(unused_root, 0) == 0 && gradient_at(unused_root, 0) == 0);
    assert_true(jvp_at(weighted_root, 0) == 1 && gradient_at(weighted_root, 0) == 1);
    assert_true(jvp_at(tp_norm, 0) == 0 && gradient_at(tp_norm, 0) == 0);
    assert_true(isinf(jvp_at(tp_sqrt, 0)) && isinf(gradient_at(tp_sqrt, 0)));
    assert_true(isinf(jvp_at(infinite_factor, 2)) && isinf(gradient_at(infinite_factor, 2)));
    /* The two that the header names. */
    assert_true(jvp_at(root_of_square, 0) == 0 && isnan(gradient_at(root_of_square, 0)));
    assert_true(isnan(jvp_at(root_minus_root, 0)));
    /* The tangents 1 and -1 cancel while recording: log's infinite slope is not asked for. */
    assert_true(jvp_at(product_with_infinity, 2) == 0 && gradient_at(product_with_infinity, 2) == 0);
}

/* ---- Higher orders ------------------------------------------------------------------------------------ */

/* sum(sin-like): forward over reverse, reverse over forward and reverse over reverse agree; and the third order. */
static void test_orders_agree(void **state)
{
    const double a[] = {0.3, -0.7, 1.1}, d[] = {1, -2, 0.5};
    double hvp[3], other[3], third[3], expected[3];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, a), v = constant(tape, 3, d);
    const tp_tensor loss = tp_mul(tp_sum(tp_tanh(w)), tp_logsumexp(w));
    tp_tensor g, out, slope;
    (void)state;

    assert_int_equal(tp_hessian_vector(loss, &w, &v, 1, &out), TP_OK);
    compute(out, hvp);
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    assert_int_equal(tp_jvp(g, &w, &v, 1, &slope), TP_OK);
    compute(slope, other);
    assert_close("forward over reverse", other, hvp, 3, 1e-13);
    assert_int_equal(tp_jvp(loss, &w, &v, 1, &slope), TP_OK);
    compute_gradient(slope, w, other);
    assert_close("reverse over forward", other, hvp, 3, 1e-13);

    const tp_tensor curvature = tp_sum(tp_mul(out, v));
    compute_gradient(curvature, w, third);
    assert_int_equal(tp_jvp(out, &w, &v, 1, &slope), TP_OK);
    compute(slope, expected);
    assert_close("third order", third, expected, 3, 1e-12);
    assert_int_equal(tp_hessian_vector(curvature, &w, &v, 1, &out), TP_OK);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- The tape ----------------------------------------------------------------------------------------- */

/* Recording the same again appends nothing but stand-ins, and yields the same tensors. */
static void test_recorded_twice_is_recorded_once(void **state)
{
    const double a[] = {1, 2, 3};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, a), v = constant(tape, 3, a), loss = tp_logsumexp(tp_tanh(w));
    tp_tensor first[4], again[4];
    (void)state;

    for (int pass = 0; pass < 2; pass++) {
        tp_tensor *out = pass == 0 ? first : again;
        tp_hessian_vector(loss, &w, &v, 1, &out[0]);
        tp_jvp(loss, &w, &v, 1, &out[1]);
        tp_jacobian(tp_softmax(w, 0), w, &out[2], NULL);
        tp_hessian(loss, w, &out[3], NULL);
    }
    for (int k = 0; k < 4; k++)
        assert_int_equal(again[k].id, first[k].id);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_nodes_know_the_line(void **state)
{
    const double a[] = {1, 2, 3};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(3), a), one = tp_scalar(tape, 1);
    tp_tensor out;
    (void)state;

    const int32_t first = (int32_t)tp_tape_count(tape);
    const tp_tensor y = tp_softmax(tp_tanh(w), 0), loss = tp_sum(tp_square(y));
    tp_jvp(y, &w, &one, 1, &out);
    tp_hessian_vector(loss, &w, &one, 1, &out);
    tp_jacobian(y, w, &out, &(tp_jacobian_options){.mode = TP_FORWARD_MODE});
    assert_int_equal(tp_hessian(loss, w, &out, NULL), TP_OK);
    for (int32_t id = first; id < tp_tape_count(tape); id++)
        if (tp__node_at(tape, id)->op != &tp__scalar_op)
            assert_string_equal(tp__node_at(tape, id)->place.file, __FILE__);
    tp_tape_destroy(tape);
}

static void test_rewinding(void **state)
{
    const double a[] = {1, 2, 3};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = vector(tape, 3, a), one = tp_scalar(tape, 1), loss = tp_sum(cube(w));
    const tp_mark mark = tp_tape_mark(tape);
    tp_program *program[2];
    tp_tensor out;
    (void)state;

    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(tp_hessian_vector(loss, &w, &one, 1, &out), TP_OK);
        program[pass] = compile_all(&out, 1);
        assert_int_equal(tp_tape_rewind(mark), TP_OK);
        assert_false(tp_is_valid(out));
    }
    for (int pass = 0; pass < 2; pass++) {
        run_ok(program[pass]);
        const double *values = tp_program_output(program[pass], 0, TP_F64);
        assert_true(values[0] == 6 && values[1] == 12 && values[2] == 18);
        tp_program_destroy(program[pass]);
    }
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Failing allocations ------------------------------------------------------------------------------ */

static double play(memory *m, tp_tape **made)
{
    const double a[] = {0.5, 1, 1.5};
    tp_tape *tape = *made = tape_with(m);
    const tp_tensor w = vector(tape, 3, a), v = vector(tape, 2, a), one = tp_scalar(tape, 1);
    tp_tensor part[9], out[7];
    tp_tensor h = tp_mul(tp_tanh(w), tp_sum(v));
    for (int k = 0; k < 9; k++)
        part[k] = tp_slice(h, 0, k % 3, k % 3 + 1, 1);
    h = tp_prod(tp_exp(tp_concat(part, 9, 0)));
    const tp_tensor both[2] = {w, v}, ones[2] = {one, one};
    tp_hessian_vector(h, both, ones, 2, out);
    tp_jvp(tp_concat(part, 9, 0), both, ones, 2, &out[2]);
    tp_jacobian(tp_softmax(w, 0), w, &out[3], NULL);
    tp_jacobian_matrix(tp_mul(w, tp_sum(v)), both, 2, &out[4], NULL);
    tp_hessian(tp_logsumexp(w), w, &out[5], NULL);
    tp_hessian_matrix(h, both, 2, &out[6], NULL);
    double sum = 0;
    tp_program *program = tp_compile(out, 7, NULL);
    if (program != NULL && tp_run(program) == TP_OK)
        for (int k = 0; k < 7; k++)
            sum += *(const double *)tp_program_output(program, k, TP_F64);
    tp_program_destroy(program);
    return sum;
}

static void test_each_allocation_fails(void **state)
{
    double fine = 0;
    (void)state;
    for (int fail_on = 0; fail_on < 2; fail_on++)
        for (int64_t k = 1;; k++) {
            memory m = {.fail_at = k, .fail_on = fail_on};
            tp_tape *tape;
            const double sum = play(&m, &tape);
            const bool failed = m.calls >= k;
            if (tape != NULL)
                assert_int_equal(tp_tape_status(tape), failed ? TP_OUT_OF_MEMORY : TP_OK);
            tp_tape_destroy(tape);
            assert_all_released(&m);
            if (failed)
                continue;
            assert_true(k > 60);
            fine = fail_on == 0 ? sum : fine;
            assert_true(sum != 0 && same_f64(sum, fine));
            break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hessian_vector_of_two),
        cmocka_unit_test(test_results_in_place),
        cmocka_unit_test(test_direction_is_fixed),
        cmocka_unit_test(test_nothing_to_differentiate),
        cmocka_unit_test(test_jvp_of_itself_and_of_parts),
        cmocka_unit_test(test_jvp_for_a_chain),
        cmocka_unit_test(test_jvp_beside_integers),
        cmocka_unit_test(test_jvp_through_casts),
        cmocka_unit_test(test_jvp_of_many_operands),
        cmocka_unit_test(test_jvp_leaves_no_reverse_sweep),
        cmocka_unit_test(test_strong_zero_forwards),
        cmocka_unit_test(test_orders_agree),
        cmocka_unit_test(test_recorded_twice_is_recorded_once),
        cmocka_unit_test(test_nodes_know_the_line),
        cmocka_unit_test(test_rewinding),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests_name("modes", tests, NULL, NULL);
}
