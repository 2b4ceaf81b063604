/* test_report.c -- verdicts, messages and errors of the checker; no memory, no leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapir/cmocka.h>
#include <tapir/scalar.h>
#include <tapir/tapir.h>

#define FUNCTION(NAME, EXPRESSION)                                                                           \
    static tp_tensor NAME(const tp_tensor *x, void *user)                                                    \
    {                                                                                                        \
        (void)user;                                                                                          \
        return EXPRESSION;                                                                                   \
    }

FUNCTION(sum_square, tp_sum(tp_square(x[0])))
FUNCTION(sum_sqrt, tp_sum(tp_sqrt(x[0])))
FUNCTION(sum_log, tp_sum(tp_log(x[0])))
FUNCTION(element_log, tp_log(x[0]))
FUNCTION(square, tp_square(x[0]))

static const float some[6] = {1, 2, 3, 4, 5, 6};

static tp_tensor some_f32(tp_tape *tape, int64_t count)
{
    return tp_parameter(tape, TP_F32, TP_SHAPE(count), some);
}

static void assert_says(const tp_check_report *r, const char *says)
{
    if (strstr(r->message, says) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", says, r->message);
}

/* ---- A wrong op ------------------------------------------------------------------------------------- */

TP_MAP1(double_op, 2 * x)

static void wrong_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_where(tp_greater(d->x[0], tp_scalar(d->y.tape, 2.5)), tp_scalar(d->y.tape, 1),
                                     tp_scalar(d->y.tape, 2)));
}

static const tp_op my_double = {
    .name = "my_double", .kind = TP_MAP, .arity = 1, .vjp = wrong_rule, TP_MAP_KERNELS(double_op)};
static const tp_op no_rule = {.name = "no_rule", .kind = TP_MAP, .arity = 1, TP_MAP_KERNELS(double_op)};

static tp_tensor with_op(const tp_tensor *x, void *user)
{
    const tp_tensor at = TP_HERE(x[0]);
    return tp_sum(tp_record(user, &at, 1, NULL));
}

/* A rule for first derivatives only. */
TP_MAP1(cosh_op, TP_EXP(x) + TP_EXP(-x))
TP_MAP1(sinh_op, TP_EXP(x) - TP_EXP(-x))
static const tp_op sinh_only = {.name = "sinh_only", .kind = TP_MAP, .arity = 1, TP_MAP_KERNELS(sinh_op)};

static void once_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_record(&sinh_only, d->x, 1, NULL));
}

static const tp_op cosh_once = {
    .name = "cosh_once", .kind = TP_MAP, .arity = 1, .vjp = once_rule, TP_MAP_KERNELS(cosh_op)};

/* ---- Verdicts -------------------------------------------------------------------------------------- */

static void test_names(void **unused)
{
    (void)unused;
    assert_string_equal(tp_verdict_name(TP_CHECK_ERROR), "error");
    assert_string_equal(tp_verdict_name(TP_CHECK_FAILED), "failed");
    assert_string_equal(tp_verdict_name(TP_CHECK_INCONCLUSIVE), "inconclusive");
    assert_string_equal(tp_verdict_name(TP_CHECK_PASSED), "passed");
    assert_string_equal(tp_verdict_name((tp_verdict)9), "unknown verdict");
}

static void test_passed(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, 6);
    tp_check_report r;

    assert_true(tp_check_gradient(sum_square, NULL, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_PASSED);
    assert_int_equal(r.status, TP_OK);
    assert_string_equal(r.message, "6 derivatives agree with finite differences");
    assert_true(r.checked == 6 && r.failed == 0 && r.inconclusive == 0 && r.order == 1 && !r.second);
    assert_null(r.fault_op);
    assert_true(tp_check_gradient(sum_square, NULL, &x, 1, &(tp_check_options){.second = true}, &r));
    assert_true(r.checked == 12 && r.second);
    assert_true(tp_check_gradient(sum_square, NULL, &x, 1, NULL, NULL));
    tp_tape_destroy(tape);
}

static void test_failed(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {some_f32(tape, 1), tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), some)};
    tp_check_report r;

    assert_false(tp_check_gradient(with_op, (void *)&my_double, &x[1], 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    assert_int_equal(r.status, TP_OK);
    assert_true(r.checked == 6 && r.failed == 4 && r.inconclusive == 0);
    assert_true(r.order == 1 && r.x == 0 && r.element >= 2 && r.analytic == 1);
    assert_true(fabs(r.numeric - 2) <= r.error_bar && r.low == r.high && r.error_bar < 1e-9);
    assert_says(&r, "gradient of x[0] at [");
    assert_says(&r, "] is 1, but finite differences give 2 +- ");
    assert_says(&r, "; op at fault: my_double at ");
    assert_says(&r, "test_report.c:");
    /* Right where it is right. */
    assert_true(tp_check_gradient(with_op, (void *)&my_double, &x[0], 1, NULL, &r));
    tp_tape_destroy(tape);
}

/* At a kink both slopes are reported. */
TP_MAP1(abs_op, TP_ABS(x))

static void kink_rule(const tp_vjp *d)
{
    d->dx[0] =
        tp_mul(d->g, tp_add(tp_sign(d->x[0]), tp_scale(tp_equal(d->x[0], tp_scalar(d->y.tape, 0)), 1.5)));
}

static const tp_op bad_abs = {
    .name = "bad_abs", .kind = TP_MAP, .arity = 1, .vjp = kink_rule, TP_MAP_KERNELS(abs_op)};

static void test_failed_at_a_kink(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE_0D, NULL);
    tp_check_report r;

    assert_false(tp_check_gradient(with_op, (void *)&bad_abs, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    assert_true(fabs(r.low + 1) < 1e-9 && fabs(r.high - 1) < 1e-9 && r.numeric == r.high &&
                r.analytic == 1.5);
    assert_says(&r, "gradient of x[0] is 1.5, but finite differences give -1 .. 1 +- ");
    assert_says(&r, " (a kink); op at fault: bad_abs at ");
    tp_tape_destroy(tape);
}

static void test_inconclusive(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor edge = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){0, 4});
    tp_check_report r;

    /* The slope of sqrt at 0 is infinite: right, but beyond any difference. */
    assert_false(tp_check_gradient(sum_sqrt, NULL, &edge, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_INCONCLUSIVE);
    assert_true(r.checked == 2 && r.failed == 0 && r.inconclusive == 1 && r.element == 0);
    assert_says(
        &r, "1 of 2 derivatives could not be judged; the worst: gradient of x[0] at [0] is inf, but finite "
            "differences give ");
    tp_tape_destroy(tape);
}

static void test_outside_the_domain(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(3), (double[]){-1, 2, 3});
    tp_check_report r;

    /* log's rule yields 1 / x, a number, where log is none. */
    assert_false(tp_check_gradient(sum_log, NULL, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_INCONCLUSIVE);
    assert_says(&r, "3 of 3 derivatives could not be judged");
    assert_says(&r, "but finite differences give no value there; the function's value there is nan");
    assert_true(isinf(r.error_bar));
    /* Element by element, the others can be judged. */
    assert_false(tp_check_gradient(element_log, NULL, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_INCONCLUSIVE);
    assert_int_equal(r.inconclusive, 1);
    /* A NaN from a rule always fails. */
    assert_false(tp_check_gradient(sum_sqrt, NULL, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    assert_says(&r, "gradient of x[0] at [0] is nan, but finite differences give no value there");
    assert_says(&r, "; the function's value there is nan");
    tp_tape_destroy(tape);
}

static void test_second_derivatives(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, 2);
    tp_check_report r;

    assert_true(tp_check_gradient(with_op, (void *)&cosh_once, &x, 1, NULL, &r));
    assert_false(
        tp_check_gradient(with_op, (void *)&cosh_once, &x, 1, &(tp_check_options){.second = true}, &r));
    assert_int_equal(r.verdict, TP_CHECK_ERROR);
    assert_int_equal(r.status, TP_NO_DERIVATIVE);
    assert_says(&r, "tp_check_gradient: gradient: sinh_only has no derivative at ");
    /* An op by itself need not have any. */
    assert_true(tp_op_verify(&cosh_once, &x, 1, NULL, NULL, &r));
    assert_false(r.second);
    tp_tape_destroy(tape);
}

/* ---- Options --------------------------------------------------------------------------------------- */

static void test_options(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {some_f32(tape, 6), some_f32(tape, 3)};
    tp_check_report r;

    assert_true(
        tp_check_gradient(sum_square, NULL, x, 2, &(tp_check_options){.wrt = (bool[]){false, true}}, &r));
    assert_int_equal(r.checked, 3);
    assert_true(tp_check_gradient(sum_square, NULL, x, 1,
                                  &(tp_check_options){.max_elements = 2, .directions = 3}, &r));
    assert_true(r.checked >= 3 && r.checked < 9);
    /* 2 against 2.05 is right within a tolerance of a tenth. */
    assert_true(tp_check_gradient(square, NULL, x, 1, &(tp_check_options){.tolerance = 0.1, .seed = 9}, &r));

    const struct {
        tp_check_options options;
        const char *says;
    } bad[] = {
        {{.tolerance = (double)NAN}, "tp_check_gradient: the tolerance must be in [0, 1), but is "},
        {{.tolerance = -0.1}, "tp_check_gradient: the tolerance must be in [0, 1), but is -0.1"},
        {{.tolerance = 1}, "tp_check_gradient: the tolerance must be in [0, 1), but is 1"},
        {{.tolerance = (double)INFINITY}, "tp_check_gradient: the tolerance must be in [0, 1), but is inf"},
        {{.max_elements = -1}, "tp_check_gradient: max_elements must not be negative, but is -1"},
        {{.directions = -2}, "tp_check_gradient: directions must not be negative, but is -2"},
        {{.wrt = (bool[]){false, false}},
         "tp_check_gradient: there is nothing to vary: every x is i32 or left out by options.wrt"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_false(tp_check_gradient(sum_square, NULL, x, 2, &bad[k].options, &r));
        assert_int_equal(r.verdict, TP_CHECK_ERROR);
        assert_int_equal(r.status, TP_BAD_ARGUMENT);
        assert_says(&r, bad[k].says);
    }
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

/* ---- Bad arguments --------------------------------------------------------------------------------- */

static tp_tensor returns_user(const tp_tensor *x, void *user)
{
    (void)x;
    return *(tp_tensor *)user;
}

static tp_tensor adds_user(const tp_tensor *x, void *user)
{
    return tp_sum(tp_add(x[0], *(tp_tensor *)user));
}

FUNCTION(bad_shape, tp_sum(tp_add(x[0], tp_reshape(x[0], TP_SHAPE(1, 2, 3, 4)))))
FUNCTION(assigns, tp_assign(x[0], tp_exp(x[0])))
FUNCTION(is_integer, tp_cast(x[0], TP_I32))
FUNCTION(reads_unwritten, tp_sum(tp_add(x[0], tp_input(x[0].tape, TP_F32, TP_SHAPE_0D))))
FUNCTION(bad_index,
         tp_add(tp_sum(x[0]), tp_cast(tp_check_index(tp_cast(tp_sum(x[0]), TP_I32), 2, false, 0), TP_F32)))

static void test_bad_arguments(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    tp_tensor x = some_f32(tape, 2), far = some_f32(other, 2), nothing = {0},
              poison = {.tape = tape, .id = -1};
    const tp_tensor input = tp_input(tape, TP_F32, TP_SHAPE(2)), not_run = tp_exp(x),
                    weak = tp_scalar(tape, 2);
    const tp_tensor label = tp_constant(tape, TP_I32, TP_SHAPE(2), (int32_t[]){1, 2});
    const tp_tensor assigned = tp_assign(x, not_run);
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor stale = tp_tanh(x);
    tp_tape_rewind(mark);
    const struct {
        tp_loss_function function;
        void *user;
        const tp_tensor *x;
        int n;
        tp_status status;
        const char *says;
    } rows[] = {
        {NULL, NULL, &x, 1, TP_BAD_ARGUMENT, "tp_check_gradient: the function is NULL"},
        {sum_square, NULL, NULL, 1, TP_BAD_ARGUMENT,
         "tp_check_gradient: there is nothing to vary: x is NULL or n is 1"},
        {sum_square, NULL, &x, 0, TP_BAD_ARGUMENT,
         "tp_check_gradient: there is nothing to vary: x is NULL or n is 0"},
        {sum_square, NULL, &x, -3, TP_BAD_ARGUMENT, "x is NULL or n is -3"},
        {sum_square, NULL, &nothing, 1, TP_BAD_HANDLE, "tp_check_gradient: x[0] is absent"},
        {sum_square, NULL, &poison, 1, TP_BAD_HANDLE, "tp_check_gradient: x[0] is invalid"},
        {sum_square, NULL, &stale, 1, TP_BAD_HANDLE, "x[0] is stale: the tape was rewound past it"},
        {sum_square, NULL, &weak, 1, TP_BAD_HANDLE, "x[0] is a weak scalar: use tp_scalar_of"},
        {sum_square, NULL, &assigned, 1, TP_BAD_HANDLE, "x[0] has no value"},
        {sum_square, NULL, &label, 1, TP_BAD_ARGUMENT, "there is nothing to vary: every x is i32"},
        {sum_square, NULL, &input, 1, TP_BAD_STATE,
         "tp_check_gradient: x[0] has no values: it must be a leaf with"},
        {sum_square, NULL, &not_run, 1, TP_BAD_STATE,
         "tp_check_gradient: x[0] has no values: it must be a leaf with"},
        {returns_user, &nothing, &x, 1, TP_BAD_HANDLE, "tp_check_gradient: the function returned no tensor"},
        {returns_user, &far, &x, 1, TP_BAD_HANDLE,
         "the function returned a tensor of another tape: it must record on"},
        {returns_user, &x, &x, 1, TP_BAD_HANDLE, "the function returned a tensor of another tape"},
        {adds_user, &x, &x, 1, TP_BAD_HANDLE,
         "tp_check_gradient: add: operand 1 belongs to another tape at "},
        {bad_shape, NULL, &x, 1, TP_BAD_SHAPE,
         "tp_check_gradient: reshape: the number of elements differs: f64[2] to"},
        {assigns, NULL, &x, 1, TP_BAD_ARGUMENT,
         "tp_check_gradient: the function returned assign, which has no value"},
        {is_integer, NULL, &x, 1, TP_BAD_DTYPE, "tp_check_gradient: the function's result is i32"},
        {reads_unwritten, NULL, &x, 1, TP_BAD_STATE,
         "tp_check_gradient: tp_run: the input f64[] was not written yet"},
        {bad_index, NULL, &x, 1, TP_BAD_VALUE,
         "tp_check_gradient: check_index: the index 3 (element 0) is outside"},
        {with_op, (void *)&no_rule, &x, 1, TP_NO_DERIVATIVE,
         "tp_check_gradient: gradient: no_rule has no derivative"},
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tp_check_report r;
        assert_false(tp_check_gradient(rows[k].function, rows[k].user, rows[k].x, rows[k].n, NULL, &r));
        if (r.verdict != TP_CHECK_ERROR || r.status != rows[k].status ||
            strstr(r.message, rows[k].says) == NULL)
            fail_msg("row %d: %s, %s: \"%s\", not \"%s\"", (int)k, tp_verdict_name(r.verdict),
                     tp_status_name(r.status), r.message, rows[k].says);
        assert_false(tp_check_gradient(rows[k].function, rows[k].user, rows[k].x, rows[k].n, NULL, NULL));
    }
    /* An invalid result without an error. */
    static tp_tensor broken;
    broken = (tp_tensor){.id = -1};
    tp_check_report r;
    assert_false(tp_check_gradient(returns_user, &broken, &x, 1, NULL, &r));
    assert_says(&r, "the function returned no tensor");
    tp_tape_destroy(tape);
    tp_tape_destroy(other);
}

static tp_status fails_when_negative(const tp_call *c)
{
    for (int64_t i = 0; i < tp_shape_count(c->y.shape); i++) {
        const double x = ((const double *)c->x[0].data)[i];
        if (x < 0)
            return tp_call_fail(c, "%g is negative", x);
        ((double *)c->y.data)[i] = 3 * x;
    }
    return TP_OK;
}

static void triple_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(d->g, 3);
}

static const char *f64_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return i->x_dtype[0] == TP_F64 ? NULL : "f64 only";
}

static const tp_op picky = {.name = "picky",
                            .kind = TP_CALL,
                            .arity = 1,
                            .infer = f64_infer,
                            .vjp = triple_rule,
                            .run = fails_when_negative};

/* What a kernel refuses is outside the domain; at x itself it is an error. */
static void test_kernels_that_refuse(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor fine = tp_parameter(tape, TP_F64, TP_SHAPE(3), (double[]){0, 1e-9, 2});
    const tp_tensor bad = tp_parameter(tape, TP_F64, TP_SHAPE(1), (double[]){-1});
    tp_check_report r;

    tp_assert_gradient(with_op, (void *)&picky, &fine, 1, NULL);
    tp_assert_op(&picky, &fine, 1, NULL, NULL);
    assert_false(tp_check_gradient(with_op, (void *)&picky, &bad, 1, NULL, &r));
    assert_int_equal(r.status, TP_BAD_VALUE);
    assert_says(&r, "tp_check_gradient: picky: -1 is negative at ");
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

static void test_op_verify_errors(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {some_f32(tape, 2), some_f32(tape, 2)};
    const tp_op nameless = {.kind = TP_MAP, .arity = 1};
    tp_check_report r;

    assert_false(tp_op_verify(NULL, x, 1, NULL, NULL, &r));
    assert_says(&r, "tp_op_verify: the op or its name is NULL");
    assert_false(tp_op_verify(&nameless, x, 1, NULL, NULL, &r));
    assert_says(&r, "tp_op_verify: the op or its name is NULL");
    assert_false(tp_op_verify(&my_double, NULL, 1, NULL, NULL, &r));
    assert_int_equal(r.status, TP_BAD_ARGUMENT);
    assert_false(tp_op_verify(&my_double, x, 2, NULL, NULL, NULL));
    assert_false(tp_op_verify(&my_double, x, 2, NULL, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_ERROR);
    assert_int_equal(r.status, TP_BAD_ARGUMENT);
    assert_says(&r, "tp_op_verify: my_double: wrong number of operands");
    assert_false(tp_op_verify(&no_rule, x, 1, NULL, NULL, &r));
    assert_int_equal(r.status, TP_NO_DERIVATIVE);
    assert_false(tp_op_verify(&my_double, x, 1, NULL, &(tp_check_options){.tolerance = -1}, &r));
    assert_says(&r, "tp_op_verify: the tolerance must be in [0, 1), but is -1");
    tp_tape_destroy(tape);
}

/* ---- Rules that cannot even be recorded -------------------------------------------------------------- */

static tp_tensor elsewhere; /* on another tape */

static void foreign_rule(const tp_vjp *d)
{
    d->dx[0] = elsewhere;
}

static void broken_rule(const tp_vjp *d)
{
    d->dx[0] = tp_matmul(d->g, tp_reshape(d->x[0], TP_SHAPE(7)));
}

static const tp_op foreign = {
    .name = "foreign", .kind = TP_MAP, .arity = 1, .vjp = foreign_rule, TP_MAP_KERNELS(double_op)};
static const tp_op broken = {
    .name = "broken", .kind = TP_MAP, .arity = 1, .vjp = broken_rule, TP_MAP_KERNELS(double_op)};

static void test_rules_that_cannot_be_recorded(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL), *other = tp_tape_create(NULL);
    const tp_tensor x = some_f32(tape, 2);
    tp_check_report r;

    elsewhere = some_f32(other, 2);
    assert_false(tp_check_gradient(with_op, (void *)&foreign, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    assert_int_equal(r.status, TP_BAD_HANDLE);
    assert_string_equal(r.fault_op, "foreign");
    assert_false(tp_check_gradient(with_op, (void *)&broken, &x, 1, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    assert_int_equal(r.status, TP_BAD_SHAPE);
    assert_says(&r, "reshape: the number of elements differs");
    assert_says(&r, "; op at fault: broken at ");
    assert_false(tp_op_verify(&broken, &x, 1, NULL, NULL, &r));
    assert_int_equal(r.verdict, TP_CHECK_FAILED);
    tp_tape_destroy(tape);
    tp_tape_destroy(other);
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

typedef struct purse {
    int64_t left; /* allocations that still succeed */
    bool refused;
    int64_t held, size;
} purse;

static void *take(size_t size, size_t alignment, void *user)
{
    purse *p = user;
    if (p->left == 0) {
        p->refused = true;
        return NULL;
    }
    p->left--;
    p->held++;
    p->size += (int64_t)size;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void give(void *memory, size_t size, void *user)
{
    purse *p = user;
    p->held--;
    p->size -= (int64_t)size;
    free(memory);
}

typedef bool (*checker)(tp_tensor x, tp_check_report *r);

static bool check_second(tp_tensor x, tp_check_report *r)
{
    return tp_check_gradient(sum_square, NULL, &x, 1, &(tp_check_options){.second = true}, r);
}

static bool check_wrong(tp_tensor x, tp_check_report *r)
{
    return tp_check_gradient(with_op, (void *)&my_double, &x, 1, NULL, r);
}

static bool check_graph(tp_tensor x, tp_check_report *r)
{
    const tp_tensor between = tp_stop_gradient(tp_exp(x)), y = tp_mul(between, x);
    return tp_check_recorded(y, (tp_tensor[]){x, between}, 2, NULL, r);
}

static bool verify(tp_tensor x, tp_check_report *r)
{
    return tp_op_verify(tp_op_of(tp_exp(x)), &x, 1, NULL, NULL, r);
}

static bool check_large(tp_tensor x, tp_check_report *r)
{
    return tp_check_gradient(square, NULL, &x, 1, &(tp_check_options){.max_elements = 3, .directions = 2}, r);
}

/* Every allocation fails once. */
static void test_out_of_memory(void **unused)
{
    (void)unused;
    const checker checkers[] = {check_second, check_wrong, check_graph, verify, check_large};
    for (int c = 0; c < 5; c++) {
        bool done = false;
        for (int64_t n = 0; !done; n++) {
            purse p = {.left = -1};
            tp_tape *tape = tp_tape_create(&(tp_tape_options){.allocator = {take, give, &p}});
            const tp_tensor x = some_f32(tape, 6);
            tp_check_report r;

            p.left = n;
            const bool passed = checkers[c](x, &r);
            done = !p.refused;
            p.left = -1;
            if (!done && !(r.verdict == TP_CHECK_ERROR && r.status == TP_OUT_OF_MEMORY) && c != 1 &&
                tp_tape_status(tape) != TP_OUT_OF_MEMORY)
                fail_msg("checker %d, allocation %d: %s: %s", c, (int)n, tp_verdict_name(r.verdict),
                         r.message);
            if (done)
                assert_int_equal(passed, c != 1);
            else
                assert_false(passed);
            tp_tape_destroy(tape);
            assert_int_equal(p.held, 0);
            assert_int_equal(p.size, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_passed),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_failed_at_a_kink),
        cmocka_unit_test(test_inconclusive),
        cmocka_unit_test(test_outside_the_domain),
        cmocka_unit_test(test_second_derivatives),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_kernels_that_refuse),
        cmocka_unit_test(test_op_verify_errors),
        cmocka_unit_test(test_rules_that_cannot_be_recorded),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
