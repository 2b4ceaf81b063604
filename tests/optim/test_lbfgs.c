/* test_lbfgs.c -- L-BFGS beyond the golden cases: several parameters, f32, failing and infinite losses, going on from saved state,
 * reasons to stop. */
#include "optim_test.h"

/* A ravine in five dimensions, over a matrix and a vector of different dtypes. */
static tp_tensor ravine(tp_tensor matrix, tp_tensor vector)
{
    const tp_tensor part[2] = {tp_reshape(matrix, TP_SHAPE(-1)), tp_cast(vector, tp_dtype_of(matrix))};
    const tp_tensor x = tp_concat(part, 2, 0), here = tp_slice(x, 0, 0, -1, 1),
                    next = tp_slice(x, 0, 1, TP_END, 1);
    const tp_tensor one = tp_scalar(x.tape, 1);
    return tp_sum(
        tp_add(tp_scale(tp_square(tp_sub(next, tp_square(here))), 10), tp_square(tp_sub(one, here))));
}

typedef struct problem {
    tp_tape *tape;
    tp_tensor x[2], loss;
} problem;

static problem make_problem(tp_dtype first, tp_dtype second)
{
    const double start[4] = {0.25, 0.5, 0.25, 2}, last = 0.5;
    problem p = {.tape = tp_tape_create(NULL)};
    p.x[0] = make_leaf(p.tape, first, TP_SHAPE(2, 2), start);
    p.x[1] = make_leaf(p.tape, second, TP_SHAPE(1), &last);
    p.loss = ravine(p.x[0], p.x[1]);
    return p;
}

static void several_parameters(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        const tp_dtype first = k & 1 ? TP_F32 : TP_F64, second = k & 2 ? TP_F32 : TP_F64;
        const bool narrow = k != 0;
        problem p = make_problem(first, second);
        tp_lbfgs o;
        assert_int_equal(tp_lbfgs_create(&o, p.loss, p.x, 2, NULL), TP_OK);
        for (int call = 0; call < 20 && (call == 0 || o.stop < TP_LBFGS_GRADIENT); call++)
            assert_int_equal(tp_lbfgs_step(&o), TP_OK);
        assert_true(o.stop >= TP_LBFGS_GRADIENT);
        for (int i = 0; i < 4; i++)
            assert_true(fabs(element(p.x[0], i) - 1) < (narrow ? 1e-3 : 1e-6));
        assert_true(fabs(element(p.x[1], 0) - 1) < (narrow ? 1e-3 : 1e-6));
        assert_true(o.total_evaluations >= o.total_iterations && o.total_iterations > 5);
        assert_no_error(p.tape);
        tp_lbfgs_destroy(&o);
        tp_tape_destroy(p.tape);
    }
}

/* Vectors and numbers, written back, continue with the same bits; so does a history that went round. */
static void saved_state(void **state)
{
    static double vectors[64], numbers[64], at[5];
    double end[2][5];
    const tp_lbfgs_options options = {.iterations = 2, .evaluations = 100, .history = 3};
    (void)state;
    for (int resumed = 0; resumed < 2; resumed++) {
        problem p = make_problem(TP_F64, TP_F64);
        tp_lbfgs o;
        assert_int_equal(tp_lbfgs_create(&o, p.loss, p.x, 2, &options), TP_OK);
        assert_true(tp_count_of(o.vectors) <= 64 && tp_count_of(o.numbers) <= 64);
        if (resumed) {
            set_values(o.vectors, vectors);
            set_values(o.numbers, numbers);
            set_values(p.x[0], at);
            set_values(p.x[1], at + 4);
        } else {
            for (int call = 0; call < 4; call++)
                assert_int_equal(tp_lbfgs_step(&o), TP_OK);
            get_values(o.vectors, vectors);
            get_values(o.numbers, numbers);
            get_values(p.x[0], at);
            get_values(p.x[1], at + 4);
        }
        for (int call = 0; call < 2; call++)
            assert_int_equal(tp_lbfgs_step(&o), TP_OK);
        assert_int_equal(o.total_iterations, 12);
        get_values(p.x[0], end[resumed]);
        get_values(p.x[1], end[resumed] + 4);
        tp_lbfgs_destroy(&o);
        tp_tape_destroy(p.tape);
    }
    assert_memory_equal(end[0], end[1], sizeof end[0]);
}

/* -log x: infinite at 0, NaN beyond.  The search backs off from there. */
static void a_loss_with_an_edge(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){0.01, 5});
    const tp_tensor loss = tp_sum(tp_sub(x, tp_log(x)));
    tp_lbfgs o;
    assert_int_equal(tp_lbfgs_create(&o, loss, &x, 1, &(tp_lbfgs_options){.learning_rate = 100}), TP_OK);
    for (int call = 0; call < 10; call++)
        assert_int_equal(tp_lbfgs_step(&o), TP_OK);
    assert_true(fabs(element(x, 0) - 1) < 1e-4 && fabs(element(x, 1) - 1) < 1e-4);
    tp_lbfgs_destroy(&o);
    tp_tape_destroy(tape);
}

/* Without a line search it steps beyond the edge: the parameters are as before. */
static void not_finite(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(1), (double[]){5});
    const tp_tensor loss = tp_sum(tp_sub(x, tp_log(x)));
    tp_lbfgs o;
    assert_int_equal(
        tp_lbfgs_create(&o, loss, &x, 1, &(tp_lbfgs_options){.learning_rate = 100, .fixed_step = true}),
        TP_OK);
    assert_int_equal(tp_lbfgs_step(&o), TP_NOT_FINITE);
    assert_true(element(x, 0) == 5);
    set_values(x, (double[]){-1});
    assert_int_equal(tp_lbfgs_step(&o), TP_NOT_FINITE); /* from the start */
    assert_true(element(x, 0) == -1);
    set_values(x, (double[]){1});
    assert_int_equal(tp_lbfgs_step(&o), TP_OK); /* where the gradient is 0 */
    assert_int_equal(o.stop, TP_LBFGS_GRADIENT);
    tp_lbfgs_destroy(&o);
    tp_tape_destroy(tape);
}

/* A label that does not exist ends a run, and so the call; another one lets it go on. */
static void failing_runs(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(1, 3), NULL),
                    label = tp_input(tape, TP_I32, TP_SHAPE(1));
    tp_lbfgs o;
    assert_int_equal(tp_lbfgs_create(&o, tp_cross_entropy(x, label, NULL), &x, 1, NULL), TP_OK);
    set_values(label, (double[]){7});
    assert_int_equal(tp_lbfgs_step(&o), TP_BAD_VALUE);
    assert_error(tape, TP_BAD_VALUE, "the index 7");
    assert_true(element(x, 0) == 0);
    set_values(label, (double[]){2});
    assert_int_equal(tp_lbfgs_step(&o), TP_OK);
    assert_true(element(x, 2) > 1 && element(x, 0) < -0.5);
    tp_lbfgs_destroy(&o);
    tp_tape_destroy(tape);
}

static void reasons_to_stop(void **state)
{
    static const struct {
        tp_lbfgs_options options;
        tp_lbfgs_stop stop;
    } rows[] = {
        {{.iterations = 1}, TP_LBFGS_ITERATIONS},
        {{.iterations = 50, .evaluations = 3}, TP_LBFGS_EVALUATIONS},
        {{.iterations = 50, .evaluations = 1000, .gradient_tolerance = {true, 1e-3}}, TP_LBFGS_GRADIENT},
        {{.iterations = 50,
          .evaluations = 1000,
          .gradient_tolerance = {true, 0},
          .change_tolerance = {true, 1e9}},
         TP_LBFGS_SLOPE},
        {{.iterations = 50, .evaluations = 1000, .learning_rate = 1e-9, .fixed_step = true}, TP_LBFGS_CHANGE},
    };
    (void)state;
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        problem p = make_problem(TP_F64, TP_F64);
        tp_lbfgs o;
        assert_int_equal(tp_lbfgs_create(&o, p.loss, p.x, 2, &rows[k].options), TP_OK);
        assert_int_equal(tp_lbfgs_step(&o), TP_OK);
        if (o.stop != rows[k].stop)
            fail_msg("row %d stops for reason %d", (int)k, (int)o.stop);
        tp_lbfgs_destroy(&o);
        tp_tape_destroy(p.tape);
    }
    /* A steep but tiny loss changes less than the parameters do. */
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){1});
    tp_lbfgs o;
    assert_int_equal(tp_lbfgs_create(&o, tp_scale(tp_square(x), 1e-4), &x, 1,
                                     &(tp_lbfgs_options){.fixed_step = true,
                                                         .gradient_tolerance = {true, 0},
                                                         .change_tolerance = {true, 3.9998e-8}}),
                     TP_OK);
    assert_int_equal(tp_lbfgs_step(&o), TP_OK);
    assert_int_equal(o.stop, TP_LBFGS_LOSS);
    tp_lbfgs_destroy(&o);
    tp_tape_destroy(tape);
}

/* Longer lists than fit into one concat or one sweep. */
static void many_parameters(void **state)
{
    enum { MANY = 300 };
    static tp_tensor x[MANY], term[MANY];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    tp_lbfgs o;
    for (int k = 0; k < MANY; k++) {
        x[k] = tp_parameter(tape, TP_F64, TP_SHAPE(1), NULL);
        term[k] = tp_scale(tp_square(tp_sub(x[k], tp_scalar(tape, k))), 0.5);
    }
    assert_int_equal(tp_lbfgs_create(&o, tp_sum(tp_concat(term, MANY, 0)), x, MANY, NULL), TP_OK);
    assert_int_equal(tp_lbfgs_step(&o), TP_OK);
    for (int k = 0; k < MANY; k++)
        assert_true(fabs(element(x[k], 0) - k) < 1e-6);
    tp_lbfgs_destroy(&o);
    tp_tape_destroy(tape);
}

/* The programs own what they need, but the state's leaves went with the tape's end. */
static void rewound_tapes(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){1});
    const tp_mark mark = tp_tape_mark(tape);
    tp_lbfgs o;
    assert_int_equal(tp_lbfgs_create(&o, tp_square(x), &x, 1, NULL), TP_OK);
    assert_int_equal(tp_tape_rewind(mark), TP_BAD_STATE); /* in use */
    tp_tape_clear_error(tape);
    assert_int_equal(tp_lbfgs_step(&o), TP_OK);
    tp_lbfgs_destroy(&o);
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    assert_int_equal(tp_lbfgs_step(&o), TP_BAD_ARGUMENT);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_parameters),  cmocka_unit_test(saved_state),
        cmocka_unit_test(a_loss_with_an_edge), cmocka_unit_test(not_finite),
        cmocka_unit_test(failing_runs),        cmocka_unit_test(reasons_to_stop),
        cmocka_unit_test(many_parameters),     cmocka_unit_test(rewound_tapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
