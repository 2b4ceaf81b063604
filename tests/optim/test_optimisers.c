/* test_optimisers.c -- every optimiser: its state, its learning rate, groups, gradients that are given, runs that fail, going
 * on from saved leaves, many parameters.
 */
#include "optim_test.h"

enum { MOST_LEAVES = 64, MOST_VALUES = 64 };

/* A loss of a [2,3] matrix, a single number and nothing, f64 and f32 mixed. */
typedef struct model {
    tp_tape *tape;
    tp_tensor x[3], target, loss;
} model;

static model make_model(void)
{
    const double start[6] = {0.5, -1, 2, 0, -0.25, 3}, one = 1.5;
    model m = {.tape = tp_tape_create(NULL)};
    m.x[0] = make_leaf(m.tape, TP_F64, TP_SHAPE(2, 3), start);
    m.x[1] = make_leaf(m.tape, TP_F32, TP_SHAPE_0D, &one);
    m.x[2] = tp_parameter(m.tape, TP_F64, TP_SHAPE(0, 2), NULL);
    m.target = tp_input(m.tape, TP_F64, TP_SHAPE(3));
    set_values(m.target, (double[]){1, 0.75, -0.5});
    const tp_tensor far = tp_mean(tp_square(tp_sub(m.x[0], m.target)));
    const tp_tensor product = tp_mul(tp_mean(m.x[0]), tp_cast(m.x[1], TP_F64));
    m.loss = tp_add(tp_add(far, tp_square(product)), tp_sum(m.x[2]));
    return m;
}

static void drop(model *m, tp_program *program)
{
    assert_no_error(m->tape);
    tp_program_destroy(program);
    tp_tape_destroy(m->tape);
}

/* All leaves that the step changes, one after the other; how many numbers. */
static int64_t read_leaves(tp_tensor step, double *values)
{
    tp_tensor leaf[MOST_LEAVES];
    const int n = tp_step_leaves(step, leaf, MOST_LEAVES);
    int64_t count = 0;
    for (int k = 0; k < n; k++) {
        get_values(leaf[k], values + count);
        count += tp_count_of(leaf[k]);
    }
    assert_in_range(count, 1, MOST_VALUES);
    return count;
}

/* ---- State ------------------------------------------------------------------------------------------- */

static void state_is_found(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        tp_optimiser made;
        tp_tensor leaf[MOST_LEAVES];
        double value[VALUES_MAX];
        const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.optimiser = &made});

        assert_true(tp_is_valid(step) && step.id == made.step.id);
        assert_int_equal(made.parameters, 3);
        assert_int_equal(made.slots, o->slots);
        assert_int_equal(made.scalars, o->scalars);
        assert_true(element(made.rate, 0) == o->default_rate && tp_dtype_of(made.rate) == TP_F64);
        assert_true(element(made.count, 0) == 0 && tp_dtype_of(made.count) == TP_F64);

        const int n = tp_step_leaves(step, leaf, MOST_LEAVES), each = 1 + o->slots;
        assert_int_equal(n, o->scalars + 3 * each);
        assert_int_equal(tp_step_leaves(step, NULL, 0), n);
        assert_int_equal(leaf[0].id, made.count.id);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(leaf[o->scalars + k * each].id, m.x[k].id);
            for (int s = 0; s < o->slots; s++) {
                const tp_tensor found = tp_optimiser_state(&made, k, s);
                assert_int_equal(leaf[o->scalars + k * each + 1 + s].id, found.id);
                assert_true(tp_shape_equal(tp_shape_of(found), tp_shape_of(m.x[k])));
                assert_int_equal(tp_dtype_of(found), tp_dtype_of(m.x[k]));
                get_values(found, value);
                for (int64_t i = 0; i < tp_count_of(found); i++)
                    assert_true(value[i] == (strcmp(o->name, "adagrad") == 0 ? 0.5 : 0));
            }
            assert_null(tp_optimiser_state(&made, k, o->slots).tape);
        }
        assert_null(tp_optimiser_state(&made, 3, 0).tape);
        assert_null(tp_optimiser_state(&made, -1, 0).tape);
        assert_null(tp_optimiser_state(&made, 0, -1).tape);
        assert_null(tp_optimiser_state(NULL, 0, 0).tape);
        drop(&m, NULL);
    }
}

static void few_leaves_are_written_at_most(void **state)
{
    (void)state;
    model m = make_model();
    tp_tensor leaf[3] = {{0}, {0}, {0}};
    const tp_tensor step = tp_adam(m.loss, m.x, 3, NULL);
    assert_int_equal(tp_step_leaves(step, leaf, 2), 10);
    assert_true(tp_is_valid(leaf[0]) && tp_is_valid(leaf[1]) && leaf[2].tape == NULL);
    assert_int_equal(tp_step_leaves(step, leaf, -1), 10);
    assert_int_equal(tp_step_leaves(m.loss, leaf, 3), 0); /* no step */
    assert_int_equal(tp_step_leaves((tp_tensor){0}, leaf, 3), 0);
    /* Any assignment is a step. */
    const tp_tensor own = tp_assign(m.x[1], tp_square(m.x[1]));
    assert_int_equal(tp_step_leaves(own, leaf, 3), 1);
    assert_int_equal(leaf[0].id, m.x[1].id);
    drop(&m, NULL);
}

static void values_of_a_step(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        double before[6], after[6];
        const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.1});
        const tp_tensor value = tp_step_value(step, m.x[0]);
        assert_true(tp_shape_equal(tp_shape_of(value), TP_SHAPE(2, 3)));
        assert_null(tp_step_value(step, m.target).tape);
        assert_null(tp_step_value(step, (tp_tensor){0}).tape);
        assert_null(tp_step_value((tp_tensor){0}, m.x[0]).tape);
        assert_null(tp_step_value(m.loss, m.x[0]).tape);
        compute(value, before); /* without assigning it */
        assert_true(element(m.x[0], 0) == 0.5);
        tp_program *program = compile_all(&step, 1);
        run_ok(program);
        get_values(m.x[0], after);
        assert_memory_equal(before, after, sizeof after);
        drop(&m, program);
    }
}

/* ---- Running ----------------------------------------------------------------------------------------- */

static void losses_fall(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        tp_optimiser made;
        const tp_tensor step =
            o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.05, .optimiser = &made});
        tp_program *program = compile_all((tp_tensor[]){m.loss, step}, 2);
        run_ok(program);
        const double first = tp_item(m.loss);
        for (int k = 1; k < 200; k++)
            run_ok(program);
        assert_true(tp_item(m.loss) < 0.999 * first);
        assert_true(element(made.count, 0) == 200);
        drop(&m, program);
    }
}

/* The f32 parameters of a program have the bits of its node-by-node run. */
static void same_bits_as_the_reference(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        double value[2][MOST_VALUES];
        int64_t count = 0;
        for (int reference = 0; reference < 2; reference++) {
            model m = make_model();
            const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.1});
            tp_program *program =
                tp_compile(&step, 1, &(tp_compile_options){.reference = reference, .always_parallel = true});
            for (int k = 0; k < 7; k++)
                run_ok(program);
            count = read_leaves(step, value[reference]);
            drop(&m, program);
        }
        assert_memory_equal(value[0], value[1], (size_t)count * sizeof *value[0]);
    }
}

static void failed_runs_change_nothing(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        double before[MOST_VALUES], after[MOST_VALUES];
        const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.1});
        tp_program *program = tp_compile(&step, 1, &(tp_compile_options){.check_finite = true});
        run_ok(program);
        run_ok(program);
        const int64_t count = read_leaves(step, before);

        set_values(m.target, (double[]){1, NAN, 2});
        assert_int_equal(tp_run(program), TP_NOT_FINITE);
        tp_tape_clear_error(m.tape);
        assert_int_equal(read_leaves(step, after), count);
        assert_memory_equal(before, after, (size_t)count * sizeof *before);

        set_values(m.target, (double[]){1, 0, 2});
        run_ok(program);
        assert_true(element(m.x[0], 0) != 0.5);
        drop(&m, program);
    }
}

/* Nor do those that end in the middle, when parameters that have nothing to do with the fault may have been computed. */
static void runs_with_bad_labels_change_nothing(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor label = tp_input(tape, TP_I32, TP_SHAPE(2)),
                        x[2] = {tp_parameter(tape, TP_F32, TP_SHAPE(6), (float[]){1, -2, 3, 0.5f, -1, 2}),
                                tp_parameter(tape, TP_F64, TP_SHAPE(2, 3), (double[]){0, 1, 2, 2, 1, 0})};
        const tp_tensor loss =
            tp_add(tp_cast(tp_sum(tp_square(x[0])), TP_F64), tp_cross_entropy(x[1], label, NULL));
        const tp_tensor step = o->record(loss, x, 2, &(base_options){.learning_rate = 0.1});
        double before[MOST_VALUES], after[MOST_VALUES];
        tp_program *program = compile_all((tp_tensor[]){loss, step}, 2);
        set_values(label, (double[]){0, 2});
        run_ok(program);
        const int64_t count = read_leaves(step, before);

        set_values(label, (double[]){0, 3});
        assert_int_equal(tp_run(program), TP_BAD_VALUE);
        tp_tape_clear_error(tape);
        assert_int_equal(read_leaves(step, after), count);
        assert_memory_equal(before, after, (size_t)count * sizeof *before);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* Another tape whose leaves get the saved values goes on with the same bits. */
static void saved_leaves_are_all_there_is(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        double saved[MOST_LEAVES][8], value[2][MOST_VALUES];
        int64_t count = 0;
        for (int resumed = 0; resumed < 2; resumed++) {
            model m = make_model();
            tp_tensor leaf[MOST_LEAVES];
            const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.1});
            const int leaves = tp_step_leaves(step, leaf, MOST_LEAVES);
            tp_program *program = compile_all(&step, 1);
            for (int k = 0; k < (resumed ? 0 : 5); k++)
                run_ok(program);
            for (int k = 0; k < leaves; k++)
                if (resumed)
                    set_values(leaf[k], saved[k]);
                else
                    get_values(leaf[k], saved[k]);
            for (int k = 0; k < 5; k++)
                run_ok(program);
            count = read_leaves(step, value[resumed]);
            drop(&m, program);
        }
        assert_memory_equal(value[0], value[1], (size_t)count * sizeof *value[0]);
    }
}

/* ---- The learning rate ------------------------------------------------------------------------------- */

static void the_rate_changes_between_runs(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        tp_optimiser made;
        double x[3][6];
        const tp_tensor step = o->record(m.loss, m.x, 3, &(base_options){.optimiser = &made});
        tp_program *program = compile_all(&step, 1);
        get_values(m.x[0], x[0]);
        assert_int_equal(tp_set_rate(made.rate, 0), TP_OK); /* no rate, no change, decoupled decay included */
        run_ok(program);
        get_values(m.x[0], x[1]);
        assert_memory_equal(x[0], x[1], sizeof x[0]);
        assert_int_equal(tp_set_rate(made.rate, 0.25), TP_OK);
        run_ok(program);
        get_values(m.x[0], x[2]);
        assert_true(x[2][0] != x[0][0]);
        assert_true(element(made.count, 0) == 2);
        drop(&m, program);
    }
}

static void rates_of_your_own(void **state)
{
    (void)state;
    model m = make_model();
    double x[3], third[6], one = 1.5;
    tp_optimiser made;
    get_values(m.x[0], third);
    /* One leaf for two groups, f32 for f64 parameters. */
    const tp_tensor rate = tp_parameter(m.tape, TP_F32, TP_SHAPE_0D, (float[]){0.5f});
    const tp_tensor step[2] = {
        tp_sgd(m.loss, &m.x[0], 1, &(tp_sgd_options){.rate = rate, .optimiser = &made}),
        tp_sgd(m.loss, &m.x[1], 1, &(tp_sgd_options){.rate = tp_scale(rate, 0.5)}), /* computed */
    };
    tp_tensor g[2];
    tp_gradient(m.loss, m.x, 2, g);
    assert_int_equal(made.rate.id, rate.id);
    tp_program *program = compile_all((tp_tensor[]){step[0], step[1], g[0], g[1]}, 4);
    for (int k = 0; k < 3; k++) {
        double slope[6], next[6];
        assert_int_equal(tp_set_rate(rate, 0.5 / (k + 1)), TP_OK);
        run_ok(program);
        get_values(g[0], slope);
        get_values(g[1], x);
        get_values(m.x[0], next);
        for (int i = 0; i < 6; i++) {
            third[i] -= (double)(float)(0.5 / (k + 1)) * slope[i];
            assert_true(next[i] == third[i]);
        }
        one = (double)((float)one - (float)(0.5 / (k + 1)) * 0.5f * (float)x[0]);
        assert_true(element(m.x[1], 0) == one);
    }
    drop(&m, program);
}

static void a_known_rate(void **state)
{
    (void)state;
    model m = make_model();
    const tp_tensor step = tp_sgd(m.loss, m.x, 2, &(tp_sgd_options){.rate = tp_scalar(m.tape, 0.125)});
    tp_tensor g;
    double slope[6];
    tp_gradient(m.loss, &m.x[0], 1, &g);
    compute(g, slope);
    tp_program *program = compile_all(&step, 1);
    run_ok(program);
    assert_true(element(m.x[0], 5) == 3 - 0.125 * slope[5]);
    drop(&m, program);
}

/* ---- Groups ------------------------------------------------------------------------------------------ */

static void groups_with_rates_of_their_own(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        double together[6], apart[6];
        for (int split = 0; split < 2; split++) {
            model m = make_model();
            const base_options fast = {.learning_rate = 0.1};
            tp_tensor step[2] = {o->record(m.loss, &m.x[0], split ? 1 : 2, &fast)};
            if (split)
                step[1] = o->record(m.loss, &m.x[1], 1, &fast);
            tp_program *program = compile_all(step, 1 + split);
            for (int k = 0; k < 3; k++)
                run_ok(program);
            get_values(m.x[0], split ? apart : together);
            drop(&m, program);
        }
        assert_memory_equal(together, apart, sizeof apart);
    }
}

static void two_steps_for_one_parameter(void **state)
{
    (void)state;
    model m = make_model();
    const tp_tensor step[2] = {tp_sgd(m.loss, m.x, 2, NULL), tp_adam(m.loss, &m.x[1], 1, NULL)};
    assert_null(tp_compile(step, 2, NULL));
    assert_error(m.tape, TP_BAD_STATE, "two assignments change the same parameter f32[]");
    drop(&m, NULL);
}

/* ---- Gradients --------------------------------------------------------------------------------------- */

static void given_gradients(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        double of_loss[MOST_VALUES], of_gradients[MOST_VALUES];
        int64_t count = 0;
        for (int given = 0; given < 2; given++) {
            model m = make_model();
            const tp_tensor absent = {0};
            tp_tensor g[3];
            tp_gradient(m.loss, m.x, 3, g);
            const tp_tensor step =
                given ? o->record(absent, m.x, 3, &(base_options){.learning_rate = 0.1, .gradients = g})
                      : o->record(m.loss, m.x, 3, &(base_options){.learning_rate = 0.1});
            tp_program *program = compile_all(&step, 1);
            for (int k = 0; k < 3; k++)
                run_ok(program);
            count = read_leaves(step, given ? of_gradients : of_loss);
            drop(&m, program);
        }
        assert_memory_equal(of_loss, of_gradients, (size_t)count * sizeof *of_loss);
    }
}

/* Gradients that are views with gaps, or one number everywhere. */
static void views_as_gradients(void **state)
{
    double x[6] = {1, 2, 3, 4, 5, 6}, g[12], now[6];
    (void)state;
    for (int i = 0; i < 12; i++)
        g[i] = i / 8.0 - 0.5;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor leaf = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), x);
    const tp_tensor wide = make_constant(tape, TP_F64, TP_SHAPE(3, 4), g);
    const tp_tensor turned = tp_transpose(tp_slice(wide, 1, 0, TP_END, 2), 0, 1);
    const tp_tensor number = tp_full(tape, TP_F64, TP_SHAPE(2, 3), 0.25);
    const tp_sgd_options of_view = {.learning_rate = 0.5, .gradients = &turned, .momentum = 0.5},
                         of_number = {.learning_rate = 0.5, .gradients = &number};
    const tp_tensor step[2] = {tp_sgd(wide, &leaf, 1, &of_view), tp_sgd(wide, &leaf, 1, &of_number)};
    for (int k = 0; k < 2; k++) {
        tp_program *program = compile_all(&step[k], 1);
        run_ok(program);
        get_values(leaf, now);
        for (int i = 0; i < 6; i++) {
            x[i] -= 0.5 * (k == 0 ? g[i % 3 * 4 + i / 3 * 2] : 0.25);
            assert_true(now[i] == x[i]);
        }
        tp_program_destroy(program);
    }
    tp_tape_destroy(tape);
}

/* Half batches, accumulated in leaves by one program and used by another, are one batch. */
static void accumulated_gradients(void **state)
{
    const double data[4] = {1, -2, 0.5, 4};
    double whole = 0, halves = 0;
    (void)state;
    for (int parts = 1; parts <= 2; parts++) {
        tp_tape *tape = tp_tape_create(NULL);
        const int64_t n = 4 / parts;
        const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE_0D, (double[]){0.25});
        const tp_tensor sum = tp_parameter(tape, TP_F64, TP_SHAPE_0D, NULL),
                        x = tp_input(tape, TP_F64, TP_SHAPE(n));
        tp_tensor g;
        tp_gradient(tp_scale(tp_sum(tp_square(tp_sub(tp_mul(w, x), tp_scalar(tape, 1)))), 0.25), &w, 1, &g);
        const tp_tensor collect = tp_assign(sum, tp_add(sum, g));
        const tp_tensor change[2] = {
            tp_adam((tp_tensor){0}, &w, 1, &(tp_adam_options){.learning_rate = 0.1, .gradients = &sum}),
            tp_assign(sum, tp_scalar(tape, 0)),
        };
        tp_program *gather = compile_all(&collect, 1), *train = compile_all(change, 2);
        for (int k = 0; k < 3; k++) {
            for (int part = 0; part < parts; part++) {
                set_values(x, data + part * n);
                run_ok(gather);
            }
            run_ok(train);
        }
        *(parts == 1 ? &whole : &halves) = element(w, 0);
        tp_program_destroy(gather);
        tp_program_destroy(train);
        tp_tape_destroy(tape);
    }
    assert_true(fabs(whole - halves) <= 1e-14 && whole != 0.25);
}

/* A parameter that the loss does not reach: it stays, but for weight decay. */
static void unreached_parameters(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        for (int decay = 0; decay < 2; decay++) {
            tp_tape *tape = tp_tape_create(NULL);
            const tp_tensor x[2] = {tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){1, -2}),
                                    tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){3, -4})};
            const tp_tensor loss = tp_sum(tp_square(x[0]));
            const base_options options = {.learning_rate = 0.1, .weight_decay = decay ? 0.5 : 0};
            const tp_tensor step = o->record(loss, x, 2, &options);
            tp_program *program = compile_all(&step, 1);
            for (int k = 0; k < 3; k++)
                run_ok(program);
            const bool decays = decay || strcmp(o->name, "adamw") == 0;
            assert_true(decays ? element(x[1], 0) < 3 && element(x[1], 1) > -4
                               : element(x[1], 0) == 3 && element(x[1], 1) == -4);
            assert_true(element(x[0], 0) < 1);
            tp_program_destroy(program);
            tp_tape_destroy(tape);
        }
    }
}

/* ---- Many parameters, and places --------------------------------------------------------------------- */

/* More than fit into one group or one sweep: the same as one long parameter. */
static void many_parameters(void **state)
{
    enum { MANY = 600 };
    static tp_tensor x[MANY], square[MANY], leaf[4 * MANY];
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    double start[MANY], after[MANY];
    tp_optimiser made;
    for (int k = 0; k < MANY; k++) {
        start[k] = k / 100.0 - 2;
        x[k] = make_leaf(tape, TP_F64, TP_SHAPE_0D, &start[k]);
        square[k] = tp_reshape(tp_square(x[k]), TP_SHAPE(1));
    }
    const tp_tensor all = make_leaf(tape, TP_F64, TP_SHAPE(MANY), start);
    const tp_tensor loss = tp_sum(tp_concat(square, MANY, 0));
    const tp_tensor step =
        tp_adam(loss, x, MANY, &(tp_adam_options){.learning_rate = 0.1, .optimiser = &made});
    const tp_tensor other =
        tp_adam(tp_sum(tp_square(all)), &all, 1, &(tp_adam_options){.learning_rate = 0.1});

    assert_int_equal(tp_step_leaves(step, leaf, 4 * MANY), 1 + 3 * MANY);
    for (int k = 0; k < MANY; k++) {
        assert_int_equal(leaf[1 + 3 * k].id, x[k].id);
        assert_int_equal(leaf[3 + 3 * k].id, tp_optimiser_state(&made, k, 1).id);
    }
    tp_program *program = compile_all((tp_tensor[]){step, other}, 2);
    for (int k = 0; k < 3; k++)
        run_ok(program);
    get_values(all, after);
    for (int k = 0; k < MANY; k++)
        assert_true(element(x[k], 0) == after[k]);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* All that a step records, but for plain numbers, stands at its line and in its scope. */
static void places(void **state)
{
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        model m = make_model();
        char line[256], scope[32];
        int here = 0, elsewhere = 0;
        tp_tensor g[3];
        tp_gradient(m.loss, m.x, 3, g);
        const int64_t first = tp_tape_count(m.tape);
        o->record(m.loss, m.x, 3, &(base_options){.gradients = g});

        snprintf(scope, sizeof scope, "# %s: ", o->name);
        FILE *stream = tmpfile();
        tp_tape_print(m.tape, stream);
        rewind(stream);
        for (int64_t k = 0; fgets(line, sizeof line, stream) != NULL; k++) {
            if (k < first || strstr(line, "= scalar") != NULL)
                continue;
            const bool placed = strstr(line, "optim_test.h:") != NULL && strstr(line, scope) != NULL;
            here += placed;
            elsewhere += !placed;
        }
        fclose(stream);
        assert_true(here > 5 && elsewhere == 0);
        drop(&m, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_is_found),
        cmocka_unit_test(few_leaves_are_written_at_most),
        cmocka_unit_test(values_of_a_step),
        cmocka_unit_test(losses_fall),
        cmocka_unit_test(same_bits_as_the_reference),
        cmocka_unit_test(failed_runs_change_nothing),
        cmocka_unit_test(runs_with_bad_labels_change_nothing),
        cmocka_unit_test(saved_leaves_are_all_there_is),
        cmocka_unit_test(the_rate_changes_between_runs),
        cmocka_unit_test(rates_of_your_own),
        cmocka_unit_test(a_known_rate),
        cmocka_unit_test(groups_with_rates_of_their_own),
        cmocka_unit_test(two_steps_for_one_parameter),
        cmocka_unit_test(given_gradients),
        cmocka_unit_test(views_as_gradients),
        cmocka_unit_test(accumulated_gradients),
        cmocka_unit_test(unreached_parameters),
        cmocka_unit_test(many_parameters),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
