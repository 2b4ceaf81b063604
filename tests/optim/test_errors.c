/* test_errors.c -- what is wrong with a call is told, at its line and by name; every message of src/optim has a row here.  NULL
 * and bad handles; allocations that fail.
 */
#include "../tape/tape_test.h" /* first: it asks for POSIX */

#include <glob.h>

#include "../tape/error_scan.h"
#include "optim_test.h"

typedef struct leaves {
    tp_tape *tape, *other;
    tp_tensor w, b, n, x, i, loss, stale, foreign, poison, g;
} leaves;

static leaves make_leaves(void)
{
    leaves l = {.tape = tp_tape_create(NULL), .other = tp_tape_create(NULL)};
    for (int k = 0; k < 300; k++)
        l.foreign = tp_parameter(l.other, TP_F64, TP_SHAPE(3), NULL);
    l.w = tp_parameter(l.tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, 3});
    l.b = tp_parameter(l.tape, TP_F64, TP_SHAPE_0D, NULL);
    l.n = tp_parameter(l.tape, TP_F32, TP_SHAPE(3), NULL);
    l.i = tp_parameter(l.tape, TP_I32, TP_SHAPE(3), NULL);
    l.x = tp_input(l.tape, TP_F64, TP_SHAPE(3));
    l.loss = tp_sum(tp_square(tp_add(tp_mul(l.w, l.x), l.b)));
    l.g = tp_mul(l.x, l.x);
    l.poison = (tp_tensor){.tape = l.tape, .id = -1};
    const tp_mark mark = tp_tape_mark(l.tape);
    l.stale = tp_parameter(l.tape, TP_F64, TP_SHAPE(3), NULL);
    tp_tape_rewind(mark);
    return l;
}

static void drop(leaves *l)
{
    tp_tape_destroy(l->tape);
    tp_tape_destroy(l->other);
}

/* ---- Rows -------------------------------------------------------------------------------------------- */

static char seen[100][TP_TEXT_SIZE * 4]; /* every message that a row met */
static size_t seens;

/* The call returned nothing, and its tape says this, at a line of this file (or of the list of optimisers). */
static void expect_fault(const leaves *l, bool returned, tp_status status, const char *text)
{
    assert_false(returned);
    if (tp_tape_status(l->tape) != status || strstr(tp_tape_message(l->tape), text) == NULL)
        fail_msg("%s: \"%s\" instead of \"%s\"", tp_status_name(tp_tape_status(l->tape)),
                 tp_tape_message(l->tape), text);
    if (strstr(tp_tape_message(l->tape), "test_errors.c:") == NULL)
        fail_msg("\"%s\" does not name the line", tp_tape_message(l->tape));
    assert_true(seens < COUNT_OF(seen));
    snprintf(seen[seens++], sizeof seen[0], "%s", tp_tape_message(l->tape));
    tp_tape_clear_error(l->tape);
}

#define EXPECT(CALL, STATUS, TEXT) expect_fault(&l, tp_is_valid(CALL), STATUS, TEXT)

static void tensors(void **state)
{
    leaves l = make_leaves();
    const tp_tensor absent = {0};
    (void)state;
    EXPECT(tp_sgd(absent, &l.w, 1, NULL), TP_BAD_HANDLE, "sgd: the loss is absent");
    EXPECT(tp_adam(l.stale, &l.w, 1, NULL), TP_BAD_HANDLE, "adam: the loss is stale: the tape was rewound");
    EXPECT(tp_adam(l.loss, &l.foreign, 1, NULL), TP_BAD_HANDLE,
           "adam: the parameter 0 belongs to another tape");
    EXPECT(tp_lion(l.loss, (tp_tensor[]){l.w, absent}, 2, NULL), TP_BAD_HANDLE,
           "lion: the parameter 1 is absent");
    EXPECT(tp_lion(l.loss, &l.stale, 1, NULL), TP_BAD_HANDLE, "lion: the parameter 0 is stale");
    EXPECT(tp_nadam(l.loss, &l.x, 1, NULL), TP_BAD_ARGUMENT,
           "nadam: the parameter 0 is made by input, but must be made by tp_parameter");
    EXPECT(tp_nadam(l.loss, &l.g, 1, NULL), TP_BAD_ARGUMENT, "the parameter 0 is made by mul");
    EXPECT(tp_radam(l.loss, (tp_tensor[]){l.w, l.i}, 2, NULL), TP_BAD_DTYPE,
           "radam: the parameter 1 is i32, but must be f32 or f64");
    EXPECT(tp_adamax(l.loss, (tp_tensor[]){l.w, l.b, l.w}, 3, NULL), TP_BAD_ARGUMENT,
           "adamax: the parameter 2 is the parameter 0 again");
    EXPECT(tp_adamw(l.loss, &l.w, 0, NULL), TP_BAD_ARGUMENT, "adamw: there are no parameters");
    EXPECT(tp_adamw(l.loss, NULL, 2, NULL), TP_BAD_ARGUMENT, "adamw: there are no parameters");
    EXPECT(tp_adamw(l.loss, &l.w, -1, NULL), TP_BAD_ARGUMENT, "adamw: there are no parameters");
    EXPECT(tp_sgd(tp_square(l.w), &l.w, 1, NULL), TP_BAD_SHAPE,
           "sgd: gradient: the loss must have one element, but it is f64[3]");

    EXPECT(
        tp_sgd(l.loss, (tp_tensor[]){l.w, l.b}, 2, &(tp_sgd_options){.gradients = (tp_tensor[]){l.g, l.g}}),
        TP_BAD_SHAPE, "sgd: the gradient 1 is f64[3], but its parameter is f64[]");
    EXPECT(tp_sgd(l.loss, &l.n, 1, &(tp_sgd_options){.gradients = &l.g}), TP_BAD_DTYPE,
           "sgd: the gradient 0 is f64[3], but its parameter is f32[3]");
    EXPECT(tp_sgd(l.loss, &l.w, 1, &(tp_sgd_options){.gradients = &absent}), TP_BAD_HANDLE,
           "sgd: the gradient 0 is absent");
    EXPECT(tp_sgd(l.loss, &l.w, 1, &(tp_sgd_options){.rate = l.foreign}), TP_BAD_HANDLE,
           "sgd: the rate belongs to another tape");
    EXPECT(tp_sgd(l.loss, &l.w, 1, &(tp_sgd_options){.rate = l.g}), TP_BAD_SHAPE,
           "sgd: the rate is f64[3], but must be one number: 0-d, f32 or f64");
    EXPECT(tp_sgd(l.loss, &l.w, 1, &(tp_sgd_options){.rate = tp_scalar_of(l.tape, TP_I32, 1)}), TP_BAD_DTYPE,
           "sgd: the rate is i32[], but must be one number");
    tp_scope_begin(l.tape, "train");
    EXPECT(tp_rmsprop(absent, &l.w, 1, NULL), TP_BAD_HANDLE, "train/rmsprop: the loss is absent");
    drop(&l);
}

static void options(void **state)
{
    leaves l = make_leaves();
    const tp_optional_number one = {true, 1}, minus = {true, -1}, nan = {true, NAN};
    (void)state;
#define OF(OPTIMISER, ...) tp_##OPTIMISER(l.loss, &l.w, 1, &(tp_##OPTIMISER##_options){__VA_ARGS__})
    EXPECT(OF(sgd, .learning_rate = -0.1), TP_BAD_ARGUMENT,
           "sgd: the learning rate must be positive, not -0.1");
    EXPECT(OF(sgd, .learning_rate = NAN), TP_BAD_ARGUMENT, "the learning rate must be positive, not nan");
    EXPECT(OF(sgd, .learning_rate = HUGE_VAL), TP_BAD_ARGUMENT,
           "the learning rate must be positive, not inf");
    EXPECT(OF(sgd, .weight_decay = -1), TP_BAD_ARGUMENT,
           "sgd: the weight decay must not be negative, not -1");
    EXPECT(OF(sgd, .momentum = -0.5), TP_BAD_ARGUMENT, "sgd: the momentum must not be negative, not -0.5");
    EXPECT(OF(sgd, .momentum = 0.5, .dampening = 2), TP_BAD_ARGUMENT,
           "the dampening must be in [0, 1], not 2");
    EXPECT(OF(sgd, .nesterov = true), TP_BAD_ARGUMENT,
           "sgd: nesterov needs a momentum and no dampening, but the momentum is 0 and the dampening 0");
    EXPECT(OF(sgd, .nesterov = true, .momentum = 0.9, .dampening = 0.5), TP_BAD_ARGUMENT,
           "but the momentum is 0.9 and the dampening 0.5");
    EXPECT(OF(lion, .beta1 = one), TP_BAD_ARGUMENT, "lion: beta1 must be in [0, 1), not 1");
    EXPECT(OF(lion, .beta2 = minus), TP_BAD_ARGUMENT, "lion: beta2 must be in [0, 1), not -1");
    EXPECT(OF(adam, .beta1 = nan), TP_BAD_ARGUMENT, "adam: beta1 must be in [0, 1), not nan");
    EXPECT(OF(adam, .beta2 = one), TP_BAD_ARGUMENT, "adam: beta2 must be in [0, 1), not 1");
    EXPECT(OF(adam, .epsilon = minus), TP_BAD_ARGUMENT, "adam: epsilon must not be negative, not -1");
    EXPECT(tp_adamw(l.loss, &l.w, 1, &(tp_adam_options){.weight_decay = -2}), TP_BAD_ARGUMENT,
           "adamw: the weight decay must not be negative, not -2");
    EXPECT(OF(nadam, .momentum_decay = minus), TP_BAD_ARGUMENT,
           "nadam: the momentum decay must not be negative, not -1");
    EXPECT(OF(nadam, .beta1 = one), TP_BAD_ARGUMENT, "nadam: beta1 must be in [0, 1), not 1");
    EXPECT(OF(radam, .beta2 = one), TP_BAD_ARGUMENT, "radam: beta2 must be in [0, 1), not 1");
    EXPECT(OF(adamax, .epsilon = nan), TP_BAD_ARGUMENT, "adamax: epsilon must not be negative, not nan");
    EXPECT(OF(rmsprop, .alpha = one), TP_BAD_ARGUMENT, "rmsprop: alpha must be in [0, 1), not 1");
    EXPECT(OF(rmsprop, .epsilon = minus), TP_BAD_ARGUMENT, "rmsprop: epsilon must not be negative, not -1");
    EXPECT(OF(rmsprop, .momentum = -1), TP_BAD_ARGUMENT,
           "rmsprop: the momentum must not be negative, not -1");
    EXPECT(OF(adagrad, .rate_decay = -1), TP_BAD_ARGUMENT,
           "adagrad: the rate decay must not be negative, not -1");
    EXPECT(OF(adagrad, .initial = -1), TP_BAD_ARGUMENT,
           "adagrad: the initial sum must not be negative, not -1");
    EXPECT(OF(adadelta, .rho = one), TP_BAD_ARGUMENT, "adadelta: rho must be in [0, 1), not 1");
    EXPECT(OF(adadelta, .epsilon = -1), TP_BAD_ARGUMENT, "adadelta: epsilon must not be negative, not -1");
    drop(&l);
}

static void clipping(void **state)
{
    leaves l = make_leaves();
    const tp_tensor absent = {0};
    (void)state;
    tp_tensor g[2] = {l.g, absent};
    EXPECT(tp_clip_by_norm(g, 2, 1, NULL), TP_BAD_HANDLE, "clip_by_norm: the gradient 1 is absent");
    assert_false(tp_is_valid(g[0]) || tp_is_valid(g[1]));
    g[0] = l.g;
    EXPECT(tp_clip_by_norm(g, 1, 0, NULL), TP_BAD_ARGUMENT, "clip_by_norm: the norm must be positive, not 0");
    g[0] = l.g;
    EXPECT(tp_clip_by_norm(g, 1, NAN, NULL), TP_BAD_ARGUMENT, "the norm must be positive, not nan");
    g[0] = l.g;
    EXPECT(tp_clip_by_norm(g, 1, 1, &(tp_clip_options){.order = 3}), TP_BAD_ARGUMENT,
           "clip_by_norm: the order of the norm must be 1, 2 or infinite, not 3");
    g[0] = l.i;
    EXPECT(tp_clip_by_norm(g, 1, 1, NULL), TP_BAD_DTYPE, "the gradient 0 is i32, but must be f32 or f64");
    g[0] = l.g;
    g[1] = l.foreign;
    expect_fault(&l, tp_clip_by_value(g, 2, 1) == TP_OK, TP_BAD_HANDLE,
                 "clip_by_value: the gradient 1 belongs to another tape");
    assert_false(tp_is_valid(g[0]) || tp_is_valid(g[1]));
    g[0] = l.g;
    expect_fault(&l, tp_clip_by_value(g, 1, -1) == TP_OK, TP_BAD_ARGUMENT,
                 "clip_by_value: the limit must be positive, not -1");
    assert_false(tp_is_valid(g[0]));
    drop(&l);
}

static void rates(void **state)
{
    leaves l = make_leaves();
    (void)state;
    expect_fault(&l, tp_set_rate(l.b, NAN) == TP_OK, TP_BAD_ARGUMENT,
                 "tp_set_rate: the rate must be finite, not nan");
    expect_fault(&l, tp_set_rate(l.b, -HUGE_VAL) == TP_OK, TP_BAD_ARGUMENT, "must be finite, not -inf");
    expect_fault(&l, tp_set_rate(l.w, 1) == TP_OK, TP_BAD_SHAPE, "has 3 elements, but 1 were given");
    expect_fault(&l, tp_set_rate(l.loss, 1) == TP_OK, TP_BAD_ARGUMENT, "only inputs and parameters");
    assert_int_equal(tp_set_rate((tp_tensor){0}, 1), TP_BAD_HANDLE);
    assert_true(element(l.b, 0) == 0);
    drop(&l);
}

static void lbfgs(void **state)
{
    leaves l = make_leaves();
    tp_lbfgs o;
    (void)state;
#define CREATE(LOSS, PARAMETER, N, ...)                                                                      \
    (tp_lbfgs_create(&o, LOSS, PARAMETER, N, &(tp_lbfgs_options){__VA_ARGS__}) == TP_OK)
    expect_fault(&l, CREATE(l.loss, &l.x, 1, .history = 1), TP_BAD_ARGUMENT,
                 "lbfgs: the parameter 0 is made by input");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .learning_rate = -1), TP_BAD_ARGUMENT,
                 "lbfgs: the learning rate must be positive, not -1");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .iterations = -1), TP_BAD_ARGUMENT,
                 "lbfgs: the iterations must be positive, not -1");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .evaluations = -2), TP_BAD_ARGUMENT,
                 "lbfgs: the evaluations must be positive, not -2");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .history = -2), TP_BAD_ARGUMENT,
                 "lbfgs: the history must be positive, not -2");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .gradient_tolerance = {true, -2}), TP_BAD_ARGUMENT,
                 "lbfgs: the gradient tolerance must not be negative, not -2");
    expect_fault(&l, CREATE(l.loss, &l.w, 1, .change_tolerance = {true, NAN}), TP_BAD_ARGUMENT,
                 "lbfgs: the change tolerance must not be negative, not nan");
    const tp_tensor nothing = tp_parameter(l.tape, TP_F64, TP_SHAPE(0), NULL);
    expect_fault(&l, CREATE(l.loss, &nothing, 1, .history = 1), TP_BAD_ARGUMENT,
                 "lbfgs: the parameters must have elements, not 0");
    expect_fault(&l, tp_lbfgs_create(NULL, l.loss, &l.w, 1, NULL) == TP_OK, TP_BAD_ARGUMENT,
                 "lbfgs: there is nothing to fill: it is NULL");
    expect_fault(&l, CREATE(tp_square(l.w), &l.w, 1, .history = 1), TP_BAD_SHAPE,
                 "the loss must have one element");
    assert_null(o.evaluate); /* nothing is left */
    assert_int_equal(tp_lbfgs_step(&o), TP_BAD_ARGUMENT);
    tp_lbfgs_destroy(&o);
    assert_int_equal(tp_lbfgs_step(NULL), TP_BAD_ARGUMENT);
    tp_lbfgs_destroy(NULL);
    assert_int_equal(tp_lbfgs_create(&o, (tp_tensor){0}, NULL, 1, NULL), TP_BAD_HANDLE);
    assert_int_equal(tp_lbfgs_create(&o, l.poison, &l.w, 1, NULL), TP_BAD_HANDLE);
    assert_int_equal(tp_tape_status(l.tape), TP_OK);
    drop(&l);
}

/* After the rows above: is every literal of two words covered by what they met? */
static void every_message_has_a_row(void **state)
{
    glob_t found;
    int missing = 0, messages = 0;
    (void)state;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/src/optim/*.c", 0, NULL, &found), 0);
    for (size_t f = 0; f < found.gl_pathc; f++) {
        char literal[SCAN_LITERAL], skeleton[SCAN_LITERAL];
        scan s;
        assert_true(scan_open(&s, found.gl_pathv[f]));
        while (scan_next(&s, literal)) {
            bool covered = false;
            scan_skeleton(literal, skeleton);
            if (scan_words(skeleton) < 2)
                continue;
            messages++;
            for (size_t k = 0; k < seens && !covered; k++)
                covered = scan_covers(seen[k], skeleton);
            if (!covered) {
                print_error("%s: no row meets \"%s\"\n", found.gl_pathv[f], literal);
                missing++;
            }
        }
        scan_close(&s);
    }
    globfree(&found);
    assert_true(messages > 25);
    assert_int_equal(missing, 0);
}

/* ---- Bad handles are quiet --------------------------------------------------------------------------- */

static void bad_handles(void **state)
{
    leaves l = make_leaves();
    const tp_tensor absent = {0};
    (void)state;
    FOR_EACH_OPTIMISER(o)
    {
        tp_optimiser made;
        memset(&made, 0xA5, sizeof made);
        base_options b = {.optimiser = &made};
        assert_null(o->record(absent, NULL, 3, &b).tape);
        assert_null(o->record(absent, &absent, 1, &b).tape);
        assert_null(made.step.tape);
        /* The consequence of an earlier error is none. */
        assert_false(tp_is_valid(o->record(l.poison, &l.w, 1, &b)));
        assert_ptr_equal(made.step.tape, l.tape);
        assert_false(tp_is_valid(made.step) || tp_is_valid(made.rate) || tp_is_valid(made.count));
        assert_true(made.parameters == 0 && made.slots == 0 && made.scalars == 0);
        assert_false(tp_is_valid(o->record(l.loss, &l.poison, 1, &b)));
        b.gradients = &l.poison;
        assert_false(tp_is_valid(o->record(l.loss, &l.w, 1, &b)));
        b = (base_options){.rate = l.poison};
        assert_false(tp_is_valid(o->record(l.loss, &l.w, 1, &b)));
        assert_int_equal(tp_tape_status(l.tape), TP_OK);
    }
    assert_null(tp_sgd(absent, NULL, 0, NULL).tape);
    assert_null(tp_clip_by_norm(NULL, 2, 1, NULL).tape);
    assert_null((tp_clip_by_norm)(NULL, 2, 1, NULL).tape);
    assert_int_equal(tp_clip_by_value(NULL, 2, 1), TP_BAD_HANDLE);
    assert_int_equal((tp_clip_by_value)(NULL, 0, 1), TP_OK);
    tp_tensor g[2] = {l.g, l.poison};
    assert_false(tp_is_valid(tp_clip_by_norm(g, 2, 1, NULL)));
    assert_false(tp_is_valid(g[0]));
    g[0] = l.g;
    assert_int_equal(tp_clip_by_value(g, 2, 1), TP_BAD_HANDLE);
    assert_false(tp_is_valid(g[0]));
    assert_int_equal(tp_tape_status(l.tape), TP_OK);
    drop(&l);
}

/* Function pointers have no place of their own. */
static void by_pointer(void **state)
{
    leaves l = make_leaves();
    tp_tensor (*const optimiser)(tp_tensor, const tp_tensor *, int, const tp_adam_options *) = tp_adam;
    (void)state;
    assert_true(tp_is_valid(optimiser(l.loss, &l.w, 1, NULL)));
    tp_tensor g = l.g;
    assert_true(tp_is_valid((tp_clip_by_norm)(&g, 1, 1, NULL)));
    assert_int_equal((tp_clip_by_value)(&g, 1, 1), TP_OK);
    assert_no_error(l.tape);
    drop(&l);
}

/* ---- Memory ------------------------------------------------------------------------------------------ */

/* Everything once; true when it went well. */
static bool use_all(memory *m)
{
    tp_tape *tape = tape_with(m);
    if (tape == NULL)
        return false;
    tp_tensor x[2] = {tp_parameter(tape, TP_F32, TP_SHAPE(5), NULL),
                      tp_parameter(tape, TP_F32, TP_SHAPE_0D, NULL)};
    const tp_tensor loss = tp_sum(tp_square(tp_add(x[0], x[1])));
    tp_tensor g[2];
    tp_lbfgs lbfgs = {0};
    bool fine = tp_gradient(loss, x, 2, g) == TP_OK && tp_is_valid(tp_clip_by_norm(g, 2, 1, NULL)) &&
                tp_clip_by_value(g, 2, 1) == TP_OK;
    const tp_tensor step = tp_nadam(loss, x, 2, &(tp_nadam_options){.gradients = g});
    tp_program *program = tp_compile((tp_tensor[]){loss, step}, 2, NULL);
    fine = fine && program != NULL && tp_run(program) == TP_OK;
    fine = tp_lbfgs_create(&lbfgs, loss, x, 2, NULL) == TP_OK && fine;
    fine = fine && tp_lbfgs_step(&lbfgs) == TP_OK;
    assert_true(fine || tp_tape_status(tape) == TP_OUT_OF_MEMORY);
    tp_lbfgs_destroy(&lbfgs);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return fine;
}

static void failing_allocations(void **state)
{
    bool fine = false;
    (void)state;
    for (int on = 0; on < 2; on++)
        for (int64_t k = 1; !fine || k == 1; k++) {
            memory m = {.fail_at = k, .fail_on = on == 1};
            fine = use_all(&m);
            assert_all_released(&m);
            assert_true(k < 2000);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors),
        cmocka_unit_test(options),
        cmocka_unit_test(clipping),
        cmocka_unit_test(rates),
        cmocka_unit_test(lbfgs),
        cmocka_unit_test(every_message_has_a_row), /* behind all rows */
        cmocka_unit_test(bad_handles),
        cmocka_unit_test(by_pointer),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
