/* test_constraints.c -- constraints, augmented Lagrangians and terms beyond their golden values: derivatives, what changes between
 * runs, problems with known optima, problems without a feasible point. */
#include "evaluate.h"

#include <stdlib.h>

#include <tapir/cmocka.h>

/* ---- Derivatives ------------------------------------------------------------------------------------- */

typedef tp_tensor recorder(tp_tensor x);

static tp_tensor one_of_each(tp_tensor x)
{
    const tp_tensor low = tp_scalar(x.tape, -0.7), high = tp_scalar(x.tape, 0.6);
    const tp_penalty_options huber = {.shape = TP_PENALTY_HUBER, .delta = 0.3, .reduction = TP_SUM};
    tp_tensor sum = tp_penalty(tp_between(x, low, high), 1.5, &huber);
    sum = tp_add(sum, tp_penalty(tp_sums_to(x, 0.4), 2, &huber));
    sum = tp_add(sum, tp_penalty(tp_simplex(x, 1), 2, NULL));
    sum = tp_add(sum, tp_penalty(tp_increasing(x, 0.1), 1, NULL));
    sum = tp_add(sum, tp_penalty(tp_decreasing(x, 0), 1, &(tp_penalty_options){.shape = TP_PENALTY_L1}));
    sum = tp_add(sum, tp_penalty(tp_sparse(x, 1), 0.5, NULL));
    return tp_add(sum, tp_penalty(tp_at_least(x, tp_scalar(x.tape, -3)), 0.5,
                                  &(tp_penalty_options){.shape = TP_PENALTY_BARRIER}));
}

static tp_tensor regularisers(tp_tensor x)
{
    tp_tensor sum = tp_add(tp_l1_penalty(x, 0.3), tp_elastic_net(x, 0.2, 0.7));
    sum = tp_add(sum, tp_total_variation(x, 0.4, 2));
    sum = tp_add(sum, tp_total_variation_2d(x, 0.4, &(tp_total_variation_options){true, 0.01}));
    sum = tp_add(sum, tp_orthogonality(x, 0.1));
    return tp_add(sum, tp_entropy(x, NULL));
}

static tp_tensor recorded(const tp_tensor *x, void *user)
{
    recorder *const *f = user;
    return (*f)(x[0]);
}

static void derivatives(void **state)
{
    static const double wide[] = {0.9, -0.95, 0.31, -0.2, 0.73, 0.11, -1.4, 0.52};
    recorder *all[] = {one_of_each, regularisers};
    float narrow[8];
    (void)state;

    for (int k = 0; k < 8; k++)
        narrow[k] = (float)wide[k];
    for (int f = 0; f < 2; f++)
        for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
            tp_tape *tape = tp_tape_create(NULL);
            const void *data = dtype == TP_F32 ? (const void *)narrow : (const void *)wide;
            const tp_tensor x = tp_parameter(tape, (tp_dtype)dtype, TP_SHAPE(4, 2), data);
            tp_check_report report;
            if (!tp_check_gradient(recorded, &all[f], &x, 1, &(tp_check_options){.second = true}, &report))
                fail_msg("%d, %s: %s", f, tp_dtype_name((tp_dtype)dtype), report.message);
            tp_tape_destroy(tape);
        }
}

/* ---- Penalties --------------------------------------------------------------------------------------- */

static void values(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_constant(tape, TP_F64, TP_SHAPE(2, 2), (double[]){0.5, 0.75, -0.25, 1.25});
    const tp_tensor zero = tp_scalar(tape, 0), one = tp_scalar(tape, 1);
    const tp_penalty_options l1 = {.shape = TP_PENALTY_L1, .reduction = TP_SUM};
    const tp_penalty_options indicator = {.shape = TP_PENALTY_INDICATOR};
    const tp_tensor empty = tp_input(tape, TP_F64, TP_SHAPE(0, 3));
    (void)state;

    assert_true(value_of(tp_penalty(tp_between(x, zero, one), 3, &l1)) == 1.5);
    assert_true(value_of(tp_violation(tp_between(x, zero, one))) == 0.25);
    assert_true(value_of(tp_penalty(tp_simplex(x, 1), 2, NULL)) == 2 * (0.0625 + 0.0625) / 2);
    assert_true(value_of(tp_penalty(tp_at_least(x, one), 1, &l1)) == 2);
    assert_true(value_of(tp_penalty(tp_equals(x, one), 4, NULL)) == 0.25 + 0.0625 + 1.5625 + 0.0625);
    assert_true(value_of(tp_penalty(tp_sparse(x, 2.5), 1, &l1)) == 0.25);
    assert_true(value_of(tp_penalty(tp_increasing(x, 0), 1, &l1)) == 0);
    assert_true(value_of(tp_penalty(tp_decreasing(x, 0), 1, &l1)) == 1.75);
    assert_true(isinf(value_of(tp_penalty(tp_between(x, zero, one), 1, &indicator))));
    assert_true(value_of(tp_penalty(tp_between(x, zero, one), 0, &indicator)) == 0);
    assert_true(value_of(tp_penalty(tp_at_most(x, tp_scalar(tape, 2)), 1, &indicator)) == 0);
    assert_true(value_of(tp_penalty(tp_sums_to(empty, 1), 1, NULL)) == 0);
    assert_true(value_of(tp_violation(tp_sums_to(empty, 1))) == 0);
    assert_tape_fine(tape);
    tp_tape_destroy(tape);
}

/* A barrier outside of its inside: infinite, and a gradient of zeros, not NaN. */
static void barrier_outside(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){2, 1});
    const tp_penalty_options barrier = {.shape = TP_PENALTY_BARRIER, .reduction = TP_SUM};
    double g[2];
    (void)state;

    const tp_tensor loss = tp_penalty(tp_at_most(x, tp_scalar(tape, 1)), 1, &barrier);
    assert_true(isinf(gradient_of(loss, x, g, 2)));
    assert_true(g[0] == 0 && g[1] == 0);
    tp_tape_destroy(tape);
}

/* A factor is a leaf: scheduled by writing to it, adapted by a recorded step. */
static void factors(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(1), (double[]){3});
    const tp_tensor factor = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){1});
    const tp_constraint c = tp_at_most(x, tp_scalar(tape, 1));
    const tp_tensor loss = tp_penalty(c, 2, &(tp_penalty_options){.factor = factor});
    const tp_tensor grow = tp_adapt_factor(factor, c, &(tp_adapt_options){.growth = 3, .largest = 10});
    tp_program *program = tp_compile((tp_tensor[]){loss, grow}, 2, NULL);
    const double expected[] = {8, 24, 72, 80, 80};
    (void)state;

    assert_tape_fine(tape);
    for (int k = 0; k < 5; k++) {
        assert_int_equal(tp_run(program), TP_OK);
        assert_true(tp_item(loss) == expected[k]);
    }
    tp_write(x, (double[]){0}, 1);
    tp_write(factor, (double[]){0.5}, 1);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(tp_item(loss) == 0 && tp_item(factor) == 0.5);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Augmented Lagrangians --------------------------------------------------------------------------- */

typedef struct outcome {
    double x[2];
    tp_constraint_report row[2];
    tp_kkt_report all;
    double rho;
} outcome;

/* Minimises |x - (2, 1)|^2 subject to constraints by Newton's method, exact in a step where nothing switches. */
static outcome solve(tp_dtype dtype, int n, tp_constraint (*make)(tp_tensor x, int k), int rounds)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, dtype, TP_SHAPE(2), NULL);
    const tp_tensor target = tp_cast(tp_constant(tape, TP_F64, TP_SHAPE(2), (double[]){2, 1}), dtype);
    tp_constraint c[2];
    tp_lagrangian l;
    tp_tensor g, h;
    outcome result;

    for (int k = 0; k < n; k++)
        c[k] = make(x, k);
    const tp_tensor loss = tp_augmented_lagrangian(tp_sum(tp_square(tp_sub(x, target))), c, n, NULL, &l);
    tp_gradient(loss, &x, 1, &g);
    tp_hessian(loss, x, &h, NULL);
    const tp_tensor step = tp_assign(x, tp_sub(x, tp_solve(h, g))), kkt = tp_kkt(&l, c, n, &x, 1);
    tp_program *inner = tp_compile((tp_tensor[]){loss, step}, 2, NULL);
    tp_program *outer = tp_compile(&l.step, 1, NULL), *report = tp_compile(&kkt, 1, NULL);
    assert_tape_fine(tape);
    for (int round = 0; round < rounds; round++) {
        for (int k = 0; k < 6; k++)
            assert_int_equal(tp_run(inner), TP_OK);
        assert_int_equal(tp_run(outer), TP_OK);
    }
    assert_int_equal(tp_run(report), TP_OK);
    assert_int_equal(tp_kkt_read(kkt, c, n, 1e-6, result.row, &result.all), TP_OK);
    result.rho = tp_item(l.rho);
    read_doubles(x, result.x, 2);
    tp_program_destroy(inner);
    tp_program_destroy(outer);
    tp_program_destroy(report);
    tp_tape_destroy(tape);
    return result;
}

static tp_constraint line(tp_tensor x, int k)
{
    (void)k;
    return tp_sums_to(x, 1);
}

/* The nearest point of x1 + x2 = 1 to (2, 1) is (1, 0), where the gradient is -2 (1, 1). */
static void equality(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
        const outcome r = solve((tp_dtype)dtype, 1, line, 14);
        const double tolerance = dtype == TP_F32 ? 1e-5 : 1e-10;
        assert_close(r.x[0], 1, tolerance);
        assert_close(r.x[1], 0, tolerance);
        assert_close(r.row[0].multiplier, 2, tolerance);
        assert_true(r.all.residual < 10 * tolerance && !r.all.stuck);
        assert_string_equal(r.row[0].name, "sums_to");
    }
}

static tp_constraint box(tp_tensor x, int k)
{
    tp_tape *tape = x.tape;
    return k == 0 ? tp_at_most(x, tp_scalar(tape, 1.5))
                  : tp_between(x, tp_scalar(tape, -1), tp_scalar(tape, 5));
}

/* One bound is active with multiplier 1, all others are not and have none. */
static void inequality(void **state)
{
    (void)state;
    const outcome r = solve(TP_F64, 2, box, 20);
    assert_close(r.x[0], 1.5, 1e-9);
    assert_close(r.x[1], 1, 1e-9);
    assert_close(r.row[0].multiplier, 1, 1e-8);
    assert_true(r.row[1].multiplier == 0);
    assert_true(r.all.residual < 1e-8);
}

static tp_constraint contradiction(tp_tensor x, int k)
{
    return tp_sums_to(x, k == 0 ? 1 : 3);
}

/* No point has both sums: everything stays finite, and the report says it. */
static void no_feasible_point(void **state)
{
    (void)state;
    const outcome r = solve(TP_F64, 2, contradiction, 60);
    assert_true(r.all.stuck);
    assert_close(r.x[0] + r.x[1], 2, 1e-3);
    assert_close(r.all.violation, 1, 1e-3);
    assert_true(isfinite(r.row[0].multiplier) && r.row[0].multiplier <= 1e10 && r.rho <= 1e8);
}

/* ---- Terms ------------------------------------------------------------------------------------------- */

static void terms(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = tp_parameter(tape, (tp_dtype)dtype, TP_SHAPE(2), NULL);
        tp_terms t;
        tp_tensor g, norms, cosines;
        double out[4];

        const tp_tensor three = tp_constant(tape, TP_F64, TP_SHAPE(2), (double[]){3, 4});
        const tp_tensor to = tp_cast(three, (tp_dtype)dtype);
        const tp_term term[] = {
            {"dot", tp_sum(tp_mul(x, to)), 2, false},
            {"first", tp_slice(x, 0, 0, 1, 1), 0.5, false},
            {"none", tp_log(tp_sub(tp_sum(x), tp_scalar(tape, 1))), 0, false},
        };
        const tp_tensor total = tp_terms_total(term, 3, NULL, &t);
        tp_gradient(total, &x, 1, &g);
        assert_int_equal(tp_terms_gradients(&t, &x, 1, &norms, &cosines), TP_OK);
        const tp_tensor pair = tp_slice(tp_slice(cosines, 0, 0, 2, 1), 1, 0, 2, 1);
        tp_program *program = tp_compile((tp_tensor[]){total, g, t.values, norms, pair}, 5, NULL);
        assert_tape_fine(tape);

        assert_int_equal(tp_run(program), TP_OK);
        read_doubles(g, out, 2);
        assert_true(tp_item(total) == 0 && out[0] == 6.5 && out[1] == 8);
        assert_true(tp_terms_value(&t, "dot") == 0 && isnan(tp_terms_value(&t, "none")));
        read_doubles(norms, out, 3);
        assert_close(out[0], 5, 1e-6);
        assert_close(out[1], 1, 1e-6);
        read_doubles(pair, out, 4);
        assert_close(out[1], 0.6, 1e-6);
        assert_close(out[3], 1, 1e-6);

        assert_int_equal(tp_terms_weigh(&t, "dot", 0), TP_OK); /* the same program */
        assert_int_equal(tp_run(program), TP_OK);
        read_doubles(g, out, 2);
        assert_true(out[0] == 0.5 && out[1] == 0);
        FILE *stream = tmpfile();
        char text[64] = "";
        tp_terms_print(&t, stream);
        rewind(stream);
        assert_non_null(fgets(text, sizeof text, stream));
        assert_int_equal(strncmp(text, "dot 0  first 0  none ", 21), 0);
        fclose(stream);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* exp(-s) L / 2 + s / 2 is least at s = log L. */
static void learned_weights(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_term term[] = {{"a", tp_scalar_of(tape, TP_F64, 0.25), 1, false},
                            {"b", tp_scalar_of(tape, TP_F64, 3), 1, false}};
    tp_terms t;
    double s[2];
    (void)state;

    const tp_tensor total = tp_terms_total(term, 2, &(tp_terms_options){.learned = true}, &t);
    const tp_tensor step = tp_sgd(total, &t.log_variances, 1, &(tp_sgd_options){.learning_rate = 0.5});
    tp_program *program = tp_compile((tp_tensor[]){total, step}, 2, NULL);
    assert_tape_fine(tape);
    for (int k = 0; k < 300; k++)
        assert_int_equal(tp_run(program), TP_OK);
    read_doubles(t.log_variances, s, 2);
    assert_close(s[0], log(0.25), 1e-9);
    assert_close(s[1], log(3), 1e-9);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Calls without anything -------------------------------------------------------------------------- */

static void null_calls(void **state)
{
    const tp_tensor none = {0};
    const tp_constraint nothing = {0};
    tp_terms t = {0};
    tp_tensor out;
    (void)state;

    assert_null(tp_penalty(nothing, 1, NULL).tape);
    assert_null(tp_penalty(tp_equals(none, none), 1, NULL).tape);
    assert_null(tp_penalty(tp_between(none, none, none), 1, NULL).tape);
    assert_null(tp_penalty(tp_simplex(none, 1), 1, NULL).tape);
    assert_null(tp_penalty(tp_sparse(none, 1), 1, NULL).tape);
    assert_null(tp_penalty(tp_increasing(none, 1), 1, NULL).tape);
    assert_null(tp_violation(nothing).tape);
    assert_null(tp_adapt_factor(none, nothing, NULL).tape);
    assert_null(tp_augmented_equality(none, none, none).tape);
    assert_null(tp_augmented_inequality(none, none, none).tape);
    assert_null(tp_augmented_lagrangian(none, NULL, 1, NULL, NULL).tape);
    assert_null(tp_kkt(NULL, NULL, 1, NULL, 1).tape);
    assert_int_equal(tp_kkt_read(none, NULL, 1, 0, NULL, NULL), TP_BAD_HANDLE);
    assert_null(tp_l1_penalty(none, 1).tape);
    assert_null(tp_l2_penalty(none, 1).tape);
    assert_null(tp_elastic_net(none, 1, 1).tape);
    assert_null(tp_group_lasso(none, none, 1, 1).tape);
    assert_null(tp_total_variation(none, 1, 1).tape);
    assert_null(tp_total_variation_2d(none, 1, NULL).tape);
    assert_null(tp_orthogonality(none, 1).tape);
    assert_null(tp_entropy(none, NULL).tape);
    assert_null(tp_terms_total(NULL, 1, NULL, NULL).tape);
    assert_null(tp_terms_total(&(tp_term){0}, 1, NULL, &t).tape);
    assert_int_equal(tp_terms_weigh(NULL, "", 1), TP_BAD_ARGUMENT);
    assert_true(isnan(tp_terms_value(NULL, NULL)));
    tp_terms_print(NULL, NULL);
    assert_int_equal(tp_terms_gradients(NULL, NULL, 0, &out, NULL), TP_BAD_HANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives),       cmocka_unit_test(values),   cmocka_unit_test(barrier_outside),
        cmocka_unit_test(factors),           cmocka_unit_test(equality), cmocka_unit_test(inequality),
        cmocka_unit_test(no_feasible_point), cmocka_unit_test(terms),    cmocka_unit_test(learned_weights),
        cmocka_unit_test(null_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
