/* test_first_use.c -- ops of users are verified when a tape first records them: wrong rules are an error at the user's line,
 * everything else is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TP_VERIFY_OPS 1 /* as in a debug build, whatever this one is */
#include <tapir/op.h>
#include <tapir/scalar.h>
#include <tapir/tapir.h>

#include "op_in_builds.h"

static const double few[6] = {-1.5, -0.5, 0.25, 0.5, 1, 2};

static tp_tensor few_numbers(tp_tape *tape)
{
    return tp_parameter(tape, TP_F64, TP_SHAPE(6), few);
}

/* ---- Ops --------------------------------------------------------------------------------------------- */

TP_MAP1(square, x *x)

static void right_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->x[0], 2));
}

static void wrong_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->x[0]);
}

static void nan_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(d->g, (double)NAN);
}

#define SQUARE(NAME, ...)                                                                                    \
    static const tp_op NAME = {.name = #NAME, .kind = TP_MAP, .arity = 1, TP_MAP_KERNELS(square), __VA_ARGS__}

SQUARE(good_square, .vjp = right_rule);
SQUARE(bad_square, .vjp = wrong_rule);
SQUARE(nan_square, .vjp = nan_rule);
SQUARE(no_derivative, .vjp = NULL);
SQUARE(surrogate, .vjp = wrong_rule, .flags = TP_OP_SURROGATE);
SQUARE(impure, .vjp = wrong_rule, .flags = TP_OP_IMPURE);

TP_MAP1(root, TP_SQRT(x))
TP_MAP1(everywhere_nan, x *(T)NAN)

static void right_root_rule(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, tp_scale(d->y, 2));
}

static const tp_op good_root = {
    .name = "good_root", .kind = TP_MAP, .arity = 1, .vjp = right_root_rule, TP_MAP_KERNELS(root)};
static const tp_op bad_root = {
    .name = "bad_root", .kind = TP_MAP, .arity = 1, .vjp = right_rule, TP_MAP_KERNELS(root)};
static const tp_op nowhere = {
    .name = "nowhere", .kind = TP_MAP, .arity = 1, .vjp = right_rule, TP_MAP_KERNELS(everywhere_nan)};

/* The distance of two vectors of the same length: a call that counts its kernel's calls. */
typedef struct counted_attr {
    int64_t *calls;
} counted_attr;

static const char *distance_infer(tp_inference *i)
{
    if (i->x_shape[0].rank != 1 || !tp_shape_equal(i->x_shape[0], i->x_shape[1]))
        return "the operands must be vectors of one length";
    i->y_shape = TP_SHAPE_0D;
    return i->same_dtype ? NULL : "the operands' dtypes differ";
}

static tp_status distance_run(const tp_call *call)
{
    const int64_t n = call->x[0].shape.dim[0];
    double sum = 0;

    ++*((const counted_attr *)call->attr)->calls;
    if (call->y.dtype == TP_F32) {
        const float *a = call->x[0].data, *b = call->x[1].data;
        for (int64_t i = 0; i < n; i++)
            sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
        *(float *)call->y.data = (float)sum;
        return TP_OK;
    }
    const double *a = call->x[0].data, *b = call->x[1].data;
    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    *(double *)call->y.data = sum;
    return TP_OK;
}

static void distance_rule(const tp_vjp *d)
{
    const tp_tensor slope = tp_mul(d->g, tp_scale(tp_sub(d->x[0], d->x[1]), 2));
    d->dx[0] = slope;
    d->dx[1] = tp_neg(slope);
}

static void wrong_distance_rule(const tp_vjp *d)
{
    distance_rule(d);
    d->dx[1] = tp_neg(d->dx[1]); /* the sign of the second operand */
}

#define DISTANCE(NAME, RULE)                                                                                 \
    static const tp_op NAME = {.name = #NAME,                                                                \
                               .kind = TP_CALL,                                                              \
                               .arity = 2,                                                                   \
                               .attr_size = sizeof(counted_attr),                                            \
                               .infer = distance_infer,                                                      \
                               .vjp = RULE,                                                                  \
                               .run = distance_run}
DISTANCE(good_distance, distance_rule);
DISTANCE(bad_distance, wrong_distance_rule);

/* x[labels[i]], of a vector of exactly 3; the kernel refuses other labels. */
static const char *pick_infer(tp_inference *i)
{
    if (i->x_dtype[0] != TP_F64 || i->x_dtype[1] != TP_I32 || !tp_shape_equal(i->x_shape[0], TP_SHAPE(3)))
        return "picks i32 labels of f64[3]";
    i->y_shape = i->x_shape[1];
    i->y_dtype = TP_F64;
    return NULL;
}

static tp_status pick_run(const tp_call *call)
{
    const int32_t *label = call->x[1].data;
    for (int64_t i = 0; i < tp_shape_count(call->y.shape); i++) {
        if (label[i] < 0 || label[i] > 2)
            return tp_call_fail(call, "no such label: %d", label[i]);
        ((double *)call->y.data)[i] = ((const double *)call->x[0].data)[label[i]];
    }
    return TP_OK;
}

static void pick_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_sum_to(tp_mul(d->g, tp_scale(tp_cast(d->x[1], TP_F64), 0)), TP_SHAPE_0D),
                      tp_scale(d->x[0], 0)); /* always 0: wrong */
}

static const tp_op bad_pick = {
    .name = "bad_pick", .kind = TP_CALL, .arity = 2, .infer = pick_infer, .vjp = pick_rule, .run = pick_run};

/* ---- Helpers ----------------------------------------------------------------------------------------- */

static void assert_message(const tp_tape *tape, const char *part)
{
    if (strstr(tp_tape_message(tape), part) == NULL)
        fail_msg("'%s' lacks '%s'", tp_tape_message(tape), part);
}

/* Records a map of few numbers; the status afterwards. */
static tp_status record_one(const tp_op *op, const tp_tape_options *options)
{
    tp_tape *tape = tp_tape_create(options);
    const tp_tensor x = few_numbers(tape), y = tp_record(op, &x, 1, NULL);
    const tp_status status = tp_tape_status(tape);
    assert_int_equal(tp_is_valid(y), status == TP_OK);
    tp_tape_destroy(tape);
    return status;
}

/* ---- Tests ------------------------------------------------------------------------------------------- */

static void a_wrong_rule_is_an_error_where_it_is_used(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = few_numbers(tape), good = tp_record(&good_square, &x, 1, NULL);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    assert_true(tp_is_valid(good));

    tp_scope_begin(tape, "my_loss");
    char place[128];
    snprintf(place, sizeof place, " at %s:%d", __FILE__, __LINE__ + 1);
    const tp_tensor y = tp_record(&bad_square, (tp_tensor[]){tp_neg(x)}, 1, NULL);
    tp_scope_end(tape);
    assert_false(tp_is_valid(y));
    assert_int_equal(tp_tape_status(tape), TP_WRONG_DERIVATIVE);
    assert_message(tape, "my_loss: bad_square: wrong derivative: gradient of x[0] at [");
    assert_message(tape, ", but finite differences give ");
    assert_message(tape, "; verified on its first use, here with x[0] = ");
    assert_message(tape, " (f64[6])");
    assert_message(tape, place);
    double rule, slope, at;
    assert_int_equal(sscanf(strstr(tp_tape_message(tape), "] is "),
                            "] is %lf, but finite differences give %lf", &rule, &slope),
                     2);
    assert_int_equal(sscanf(strstr(tp_tape_message(tape), "x[0] = "), "x[0] = %lf", &at), 1);
    /* d(square) weighs the result by c: the rule gives c x, the slope is 2 c x. */
    assert_true(fabs(slope - 2 * rule) < 1e-6 && fabs(rule / at) < 1.5 && fabs(rule / at) > 0.5);
    tp_tape_destroy(tape);
}

static void nothing_is_said_without_a_verdict(void **state)
{
    (void)state;
    assert_int_equal(record_one(&good_square, NULL), TP_OK);
    assert_int_equal(record_one(&bad_square, NULL), TP_WRONG_DERIVATIVE);
    assert_int_equal(record_one(&nan_square, NULL), TP_WRONG_DERIVATIVE);
    assert_int_equal(record_one(&no_derivative, NULL), TP_OK);
    assert_int_equal(record_one(&surrogate, NULL), TP_OK);
    assert_int_equal(record_one(&impure, NULL), TP_OK);
    assert_int_equal(record_one(&good_root, NULL), TP_OK); /* NaN below 0, so it is tried elsewhere */
    assert_int_equal(record_one(&bad_root, NULL), TP_WRONG_DERIVATIVE);
    assert_int_equal(record_one(&nowhere, NULL), TP_OK);
}

static void a_tape_says_when(void **state)
{
    (void)state;
    const tp_tape_options never = {.verify_ops = TP_VERIFY_NEVER}, always = {.verify_ops = TP_VERIFY_ALWAYS};

    assert_int_equal(record_one(&bad_square, &never), TP_OK);
    assert_int_equal(record_one(&bad_square, &always), TP_WRONG_DERIVATIVE);
}

static tp_status record_in_build(tp_tensor (*record)(const tp_op *op, tp_tensor x), tp_verify_ops when)
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.verify_ops = when});
    record(&bad_square, few_numbers(tape));
    const tp_status status = tp_tape_status(tape);
    tp_tape_destroy(tape);
    return status;
}

static void a_release_build_verifies_when_asked(void **state)
{
    (void)state;
    assert_int_equal(record_in_build(record_in_debug, TP_VERIFY_IN_DEBUG), TP_WRONG_DERIVATIVE);
    assert_int_equal(record_in_build(record_in_debug, TP_VERIFY_NEVER), TP_OK);
    assert_int_equal(record_in_build(record_in_release, TP_VERIFY_IN_DEBUG), TP_OK);
    assert_int_equal(record_in_build(record_in_release, TP_VERIFY_ALWAYS), TP_WRONG_DERIVATIVE);
    assert_int_equal(record_in_build(record_on_in_release, TP_VERIFY_ALWAYS), TP_WRONG_DERIVATIVE);
}

/* Kernel calls when two vectors of n f32 are recorded, once and again. */
static int64_t calls_for(const tp_op *op, int64_t n, tp_status expected)
{
    int64_t calls = 0;
    const counted_attr attr = {&calls};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {tp_input(tape, TP_F32, TP_SHAPE(n)), tp_input(tape, TP_F32, TP_SHAPE(n))};

    tp_record(op, x, 2, &attr);
    assert_int_equal(tp_tape_status(tape), expected);
    const int64_t once = calls;
    if (expected == TP_OK) {
        tp_record(op, (tp_tensor[]){x[1], x[0]}, 2, &attr);
        assert_int_equal(tp_tape_status(tape), TP_OK);
        assert_int_equal(calls, once); /* one tape verifies an op once */
    }
    tp_tape_destroy(tape);
    return once;
}

static void it_takes_few_calls_of_the_kernel(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 7, 500, 1000000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t good = calls_for(&good_distance, sizes[k], TP_OK),
                      bad = calls_for(&bad_distance, sizes[k], TP_WRONG_DERIVATIVE);
        print_message("%lld elements: %lld and %lld calls\n", (long long)sizes[k], (long long)good,
                      (long long)bad);
        assert_true(good > 0 && good < 4000 && bad > 0 && bad < 4000);
    }
    assert_int_equal(calls_for(&good_distance, 0, TP_OK), 0);
}

static void labels_are_those_that_are_there(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(3), NULL),
                    labels = tp_constant(tape, TP_I32, TP_SHAPE(2), (int32_t[]){2, 2});
    assert_false(tp_is_valid(tp_record(&bad_pick, (tp_tensor[]){x, labels}, 2, NULL)));
    assert_message(tape, "bad_pick: wrong derivative: gradient of x[0] at [2]");
    tp_tape_destroy(tape);

    tape = tp_tape_create(NULL); /* none are there yet: 0 and 1 */
    const tp_tensor z = tp_parameter(tape, TP_F64, TP_SHAPE(3), NULL),
                    unknown = tp_input(tape, TP_I32, TP_SHAPE(4));
    assert_false(tp_is_valid(tp_record(&bad_pick, (tp_tensor[]){z, unknown}, 2, NULL)));
    assert_int_equal(tp_tape_status(tape), TP_WRONG_DERIVATIVE);
    tp_tape_destroy(tape);

    tape = tp_tape_create(NULL); /* rearranged, they still are labels; computed, they may be anything */
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(3), NULL),
                    given = tp_input(tape, TP_I32, TP_SHAPE(2, 2));
    assert_true(tp_is_valid(tp_record(&bad_pick, (tp_tensor[]){w, tp_add(given, given)}, 2, NULL)));
    assert_int_equal(tp_tape_status(tape), TP_OK);
    const tp_tensor flat = tp_reshape(given, TP_SHAPE(4));
    assert_false(tp_is_valid(tp_record(&bad_pick, (tp_tensor[]){w, flat}, 2, NULL)));
    tp_tape_destroy(tape);
}

/* Rules that record ops of the user's: those are verified when the gradient first records them. */
static void twice_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_record(&bad_square, &d->x[0], 1, NULL));
}

TP_MAP1(third, x *x *x / 3)
static const tp_op cube_third = {
    .name = "cube_third", .kind = TP_MAP, .arity = 1, .vjp = twice_rule, TP_MAP_KERNELS(third)};

static void ops_of_rules_are_verified_too(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = few_numbers(tape), y = tp_record(&cube_third, &x, 1, NULL);
    tp_tensor gradient;
    assert_int_equal(tp_tape_status(tape), TP_OK); /* its own rule is right */
    tp_gradient(tp_sum(y), &x, 1, &gradient);
    assert_int_equal(tp_tape_status(tape), TP_WRONG_DERIVATIVE);
    assert_message(tape, "bad_square: wrong derivative");
    tp_tape_destroy(tape);
}

/* The checker must be able to say what is wrong by itself. */
static void checks_are_not_in_the_way_of_checks(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = few_numbers(tape);
    tp_check_report report;
    assert_false(tp_op_verify(&bad_square, &x, 1, NULL, NULL, &report));
    assert_int_equal(report.verdict, TP_CHECK_FAILED);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

/* ---- Out of memory ----------------------------------------------------------------------------------- */

typedef struct ration {
    int64_t left, held;
} ration;

static void *allocate(size_t size, size_t alignment, void *user)
{
    ration *r = user;
    if (r->left-- <= 0)
        return NULL;
    void *memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    r->held += memory != NULL;
    return memory;
}

static void release(void *memory, size_t size, void *user)
{
    (void)size;
    ((ration *)user)->held -= memory != NULL;
    free(memory);
}

static void out_of_memory_is_said_and_nothing_leaks(void **state)
{
    (void)state;
    tp_status status = TP_OUT_OF_MEMORY;
    int64_t failures = 0;

    for (int64_t allowed = 1; status == TP_OUT_OF_MEMORY && allowed < 100000; allowed++) {
        ration r = {allowed, 0};
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.allocator = {allocate, release, &r}});
        if (tape == NULL)
            continue;
        const tp_tensor x = few_numbers(tape), y = tp_record(&good_square, &x, 1, NULL);
        status = tp_tape_status(tape);
        assert_true(status == TP_OK || status == TP_OUT_OF_MEMORY);
        assert_int_equal(tp_is_valid(y), status == TP_OK);
        if (strstr(tp_tape_message(tape), "good_square: out of memory while verifying it") != NULL)
            failures++;
        tp_tape_destroy(tape);
        assert_int_equal(r.held, 0);
    }
    assert_int_equal(status, TP_OK);
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_rule_is_an_error_where_it_is_used),
        cmocka_unit_test(nothing_is_said_without_a_verdict),
        cmocka_unit_test(a_tape_says_when),
        cmocka_unit_test(a_release_build_verifies_when_asked),
        cmocka_unit_test(it_takes_few_calls_of_the_kernel),
        cmocka_unit_test(labels_are_those_that_are_there),
        cmocka_unit_test(ops_of_rules_are_verified_too),
        cmocka_unit_test(checks_are_not_in_the_way_of_checks),
        cmocka_unit_test(out_of_memory_is_said_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
