/* test_mutants.c -- deliberately wrong derivative rules are rejected and named, by every checker; their correct twins
 * are accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#define TP_VERIFY_OPS 0 /* the checks of this file are to find what is wrong */
#include <tapir/cmocka.h>
#include <tapir/op.h>
#include <tapir/scalar.h>
#include <tapir/tapir.h>

/* ---- square: one operand --------------------------------------------------------------------------- */

TP_MAP1(square, x *x)
#define SQUARE(NAME, RULE)                                                                                   \
    static const tp_op NAME = {.name = #NAME, .kind = TP_MAP, .arity = 1, .vjp = RULE, TP_MAP_KERNELS(square)}

static tp_tensor square_gradient(const tp_vjp *d)
{
    return tp_mul(d->g, tp_scale(d->x[0], 2));
}

static void square_rule(const tp_vjp *d)
{
    d->dx[0] = square_gradient(d);
}

static void negated_rule(const tp_vjp *d)
{
    d->dx[0] = tp_neg(square_gradient(d));
}

static void tripled_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(square_gradient(d), 3);
}

static void percent_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(square_gradient(d), 1.01);
}

static void shifted_rule(const tp_vjp *d)
{
    d->dx[0] = tp_add(square_gradient(d), tp_scale(d->g, 1e-3));
}

static void zero_rule(const tp_vjp *d)
{
    (void)d;
}

static void nan_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(square_gradient(d), (double)NAN);
}

/* The element that iota counts as 2 gets nothing. */
static void hole_rule(const tp_vjp *d)
{
    const tp_shape shape = tp_shape_of(d->x[0]);
    const tp_tensor number = tp_iota(d->y.tape, tp_dtype_of(d->x[0]), tp_shape_count(shape));
    const tp_tensor keep = tp_not_equal(number, tp_scalar(d->y.tape, 2));
    d->dx[0] = tp_mul(square_gradient(d), tp_reshape(keep, shape));
}

/* Right as a number, but nothing can be differentiated any more. */
static void stopped_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(tp_stop_gradient(d->x[0]), 2));
}

SQUARE(correct_square, square_rule);
SQUARE(negated_square, negated_rule);
SQUARE(tripled_square, tripled_rule);
SQUARE(percent_square, percent_rule);
SQUARE(shifted_square, shifted_rule);
SQUARE(zero_square, zero_rule);
SQUARE(nan_square, nan_rule);
SQUARE(hole_square, hole_rule);
SQUARE(stopped_square, stopped_rule);

/* ---- cube: its rule records an op whose own rule is wrong ---------------------------------------------- */

TP_MAP1(cube, x *x *x)
TP_MAP1(cube_slope, 3 * x * x)

static void good_slope_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->x[0], 6));
}

static void bad_slope_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->x[0], 3));
}

static const tp_op good_slope = {
    .name = "good_slope", .kind = TP_MAP, .arity = 1, .vjp = good_slope_rule, TP_MAP_KERNELS(cube_slope)};
static const tp_op bad_slope = {
    .name = "bad_slope", .kind = TP_MAP, .arity = 1, .vjp = bad_slope_rule, TP_MAP_KERNELS(cube_slope)};

static void good_cube_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_record(&good_slope, d->x, 1, NULL));
}

static void bad_cube_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_record(&bad_slope, d->x, 1, NULL));
}

static const tp_op good_cube = {
    .name = "good_cube", .kind = TP_MAP, .arity = 1, .vjp = good_cube_rule, TP_MAP_KERNELS(cube)};
static const tp_op bad_cube = {
    .name = "bad_cube", .kind = TP_MAP, .arity = 1, .vjp = bad_cube_rule, TP_MAP_KERNELS(cube)};

/* ---- ratio: two operands --------------------------------------------------------------------------- */

TP_MAP2(ratio, a / b)
#define RATIO(NAME, RULE)                                                                                    \
    static const tp_op NAME = {.name = #NAME, .kind = TP_MAP, .arity = 2, .vjp = RULE, TP_MAP_KERNELS(ratio)}

static void ratio_rule(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, d->x[1]);
    d->dx[1] = tp_neg(tp_div(tp_mul(d->g, d->y), d->x[1]));
}

static void swapped_rule(const tp_vjp *d)
{
    d->dx[1] = tp_div(d->g, d->x[1]);
    d->dx[0] = tp_neg(tp_div(tp_mul(d->g, d->y), d->x[1]));
}

static void second_forgotten_rule(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, d->x[1]);
}

/* Wrong only when the first operand needs no gradient. */
static void careless_rule(const tp_vjp *d)
{
    const double factor = d->need[0] ? -1 : 1;
    d->dx[0] = tp_div(d->g, d->x[1]);
    d->dx[1] = tp_scale(tp_div(tp_mul(d->g, d->y), d->x[1]), factor);
}

RATIO(correct_ratio, ratio_rule);
RATIO(swapped_ratio, swapped_rule);
RATIO(forgetful_ratio, second_forgotten_rule);
RATIO(careless_ratio, careless_rule);

/* ---- product: a matrix product in plain C ------------------------------------------------------------ */

static const char *product_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return i->same_dtype && i->y_dtype != TP_I32 ? NULL : "f32 or f64";
}

static double get(const tp_array *a, int64_t i)
{
    return a->dtype == TP_F32 ? (double)((const float *)a->data)[i] : ((const double *)a->data)[i];
}

static void set(const tp_array *a, int64_t i, double value)
{
    if (a->dtype == TP_F32)
        ((float *)a->data)[i] = (float)value;
    else
        ((double *)a->data)[i] = value;
}

static tp_status product_run(const tp_call *c)
{
    const int64_t n = c->y.shape.dim[0];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++)
                sum += get(&c->x[0], i * n + k) * get(&c->x[1], k * n + j);
            set(&c->y, i * n + j, sum);
        }
    return TP_OK;
}

static void product_rule(const tp_vjp *d)
{
    d->dx[0] = tp_matmul(d->g, tp_transpose(d->x[1], 0, 1));
    d->dx[1] = tp_matmul(tp_transpose(d->x[0], 0, 1), d->g);
}

static void untransposed_rule(const tp_vjp *d)
{
    d->dx[0] = tp_matmul(d->g, d->x[1]);
    d->dx[1] = tp_matmul(tp_transpose(d->x[0], 0, 1), d->g);
}

static void result_transposed_rule(const tp_vjp *d)
{
    d->dx[0] = tp_matmul(d->g, tp_transpose(d->x[1], 0, 1));
    d->dx[1] = tp_transpose(tp_matmul(tp_transpose(d->x[0], 0, 1), d->g), 0, 1);
}

#define PRODUCT(NAME, RULE)                                                                                  \
    static const tp_op NAME = {                                                                              \
        .name = #NAME, .kind = TP_CALL, .arity = 2, .infer = product_infer, .vjp = RULE, .run = product_run}
PRODUCT(correct_product, product_rule);
PRODUCT(untransposed_product, untransposed_rule);
PRODUCT(transposed_product, result_transposed_rule);

/* ---- row_scale: y[i,j] = x[i,j] w[j] in plain C, so that it broadcasts by itself ------------------------ */

static tp_status row_scale_run(const tp_call *c)
{
    const int64_t n = c->x[1].shape.dim[0], count = tp_shape_count(c->y.shape);
    for (int64_t i = 0; i < count; i++)
        set(&c->y, i, get(&c->x[0], i) * get(&c->x[1], i % n));
    return TP_OK;
}

static void row_scale_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->x[1]);
    d->dx[1] = tp_sum_over(tp_mul(d->g, d->x[0]), TP_AXES(0), false);
}

/* Only the first row. */
static void unsummed_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->x[1]);
    d->dx[1] = tp_reshape(tp_slice(tp_mul(d->g, d->x[0]), 0, 0, 1, 1), tp_shape_of(d->x[1]));
}

/* Summed over the wrong axis: another shape. */
static void misshapen_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->x[1]);
    d->dx[1] = tp_sum_over(tp_mul(d->g, d->x[0]), TP_AXES(1), false);
}

static void integer_rule(const tp_vjp *d)
{
    d->dx[0] = tp_cast(tp_mul(d->g, d->x[1]), TP_I32);
    d->dx[1] = tp_sum_over(tp_mul(d->g, d->x[0]), TP_AXES(0), false);
}

#define ROW_SCALE(NAME, RULE)                                                                                \
    static const tp_op NAME = {.name = #NAME,                                                                \
                               .kind = TP_CALL,                                                              \
                               .arity = 2,                                                                   \
                               .infer = product_infer,                                                       \
                               .vjp = RULE,                                                                  \
                               .run = row_scale_run}
ROW_SCALE(correct_row_scale, row_scale_rule);
ROW_SCALE(unsummed_row_scale, unsummed_rule);
ROW_SCALE(misshapen_row_scale, misshapen_rule);
ROW_SCALE(integer_row_scale, integer_rule);

/* ---- The table ------------------------------------------------------------------------------------- */

typedef struct mutant {
    const tp_op *op, *twin;
    tp_shape shape[2];
    bool second;         /* wrong at second order only */
    const tp_op *blamed; /* NULL: op itself */
    const char *says;    /* part of the message */
} mutant;

static const mutant mutants[] = {
    {&negated_square, &correct_square, {{2, {3, 2}}}, false, NULL, "but finite differences give"},
    {&tripled_square, &correct_square, {{2, {3, 2}}}, false, NULL, "gradient of x[0] at ["},
    {&percent_square, &correct_square, {{2, {3, 2}}}, false, NULL, NULL},
    {&shifted_square, &correct_square, {{2, {3, 2}}}, false, NULL, NULL},
    {&zero_square, &correct_square, {{2, {3, 2}}}, false, NULL, " is 0, but"},
    {&nan_square, &correct_square, {{2, {3, 2}}}, false, NULL, " is nan, but"},
    {&hole_square, &correct_square, {{2, {3, 2}}}, false, NULL, "x[0] at [1,0] is 0, but"},
    {&stopped_square, &correct_square, {{2, {3, 2}}}, true, NULL, "second derivative"},
    {&bad_cube, &good_cube, {{2, {3, 2}}}, true, &bad_slope, "bad_slope, in the derivative of bad_cube, at"},
    {&swapped_ratio, &correct_ratio, {{2, {3, 2}}, {2, {3, 2}}}, false, NULL, NULL},
    {&swapped_ratio, &correct_ratio, {{2, {3, 2}}, {1, {2}}}, false, NULL, NULL},
    {&forgetful_ratio, &correct_ratio, {{2, {3, 2}}, {1, {2}}}, false, NULL, "gradient of x[1]"},
    {&untransposed_product, &correct_product, {{2, {3, 3}}, {2, {3, 3}}}, false, NULL, "gradient of x[0]"},
    {&transposed_product, &correct_product, {{2, {3, 3}}, {2, {3, 3}}}, false, NULL, "gradient of x[1]"},
    {&unsummed_row_scale, &correct_row_scale, {{2, {3, 2}}, {1, {2}}}, false, NULL, "gradient of x[1]"},
    {&misshapen_row_scale,
     &correct_row_scale,
     {{2, {3, 2}}, {1, {2}}},
     false,
     NULL,
     "gradient of misshapen_row_scale: its rule yields f64[3] for operand 1, which is f64[2]"},
    {&integer_row_scale,
     &correct_row_scale,
     {{2, {3, 2}}, {1, {2}}},
     false,
     NULL,
     "its rule yields i32[3,2] for operand 0, which is f64[3,2]"},
};
enum { MUTANTS = sizeof mutants / sizeof mutants[0] };

/* Numbers that are no one's inverse or double. */
static void make_operands(tp_tape *tape, const mutant *m, tp_dtype dtype, tp_tensor x[2])
{
    for (int k = 0; k < m->op->arity; k++) {
        double f64[9];
        float f32[9];
        for (int i = 0; i < 9; i++) {
            f64[i] = (k == 0 ? 0.3 : 0.7) + 0.17 * i - (k == 0 && i % 2 ? 1.1 : 0);
            f32[i] = (float)f64[i];
        }
        x[k] = tp_parameter(tape, dtype, m->shape[k], dtype == TP_F32 ? (void *)f32 : (void *)f64);
    }
}

/* ---- A loss around the op -------------------------------------------------------------------------- */

typedef struct around {
    const tp_op *op;
    int line; /* on which the op was recorded */
} around;

static tp_tensor loss_around(const tp_tensor *x, void *user)
{
    around *a = user;
    tp_tensor operand[2] = {x[0]};

    tp_scope_begin(x[0].tape, "outer");
    for (int k = 1; k < a->op->arity; k++)
        operand[k] = tp_tanh(x[k]);
    tp_scope_begin(x[0].tape, "inner");
    a->line = __LINE__ + 1;
    operand[0] = TP_HERE(tp_sigmoid(operand[0]));
    const tp_tensor y = tp_record(a->op, operand, a->op->arity, NULL);
    tp_scope_end(x[0].tape);
    const tp_tensor loss = tp_mean(tp_exp(tp_scale(y, 0.5)));
    tp_scope_end(x[0].tape);
    return loss;
}

static void assert_fault(const tp_check_report *r, const mutant *m, const around *a)
{
    const tp_op *blamed = m->blamed != NULL ? m->blamed : m->op;
    if (r->fault_op == NULL || strcmp(r->fault_op, blamed->name) != 0)
        fail_msg("%s: blamed %s: %s", m->op->name, r->fault_op ? r->fault_op : "nobody", r->message);
    assert_string_equal(r->fault_scope, "outer/inner");
    assert_non_null(strstr(r->fault_file, "test_mutants.c"));
    assert_int_equal(r->fault_line, a->line);
    assert_non_null(strstr(r->message, "op at fault: outer/inner/"));
}

static void assert_rejected(const tp_check_report *r, const mutant *m)
{
    if (r->verdict != TP_CHECK_FAILED)
        fail_msg("%s was not rejected: %s: %s", m->op->name, tp_verdict_name(r->verdict), r->message);
}

static void test_check_gradient(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++)
        for (int i = 0; i < MUTANTS; i++) {
            const mutant *m = &mutants[i];
            const tp_check_options second = {.second = true};
            tp_tape *tape = tp_tape_create(NULL);
            tp_tensor x[2];
            tp_check_report report;
            around a = {m->op, 0}, twin = {m->twin, 0};

            make_operands(tape, m, (tp_dtype)dtype, x);
            tp_assert_gradient(loss_around, &twin, x, m->op->arity, &second);
            if (m->second) {
                tp_assert_gradient(loss_around, &a, x, m->op->arity, NULL);
                assert_false(tp_check_gradient(loss_around, &a, x, m->op->arity, &second, &report));
                assert_int_equal(report.order, 2);
            } else {
                assert_false(tp_check_gradient(loss_around, &a, x, m->op->arity, NULL, &report));
            }
            assert_rejected(&report, m);
            assert_fault(&report, m, &a);
            assert_int_equal(tp_tape_status(tape), TP_OK);
            tp_tape_destroy(tape);
        }
}

static void test_check_recorded(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++)
        for (int i = 0; i < MUTANTS; i++) {
            const mutant *m = &mutants[i];
            const tp_check_options second = {.second = true};
            tp_tape *tape = tp_tape_create(NULL);
            tp_tensor x[2];
            tp_check_report report;
            around a = {m->op, 0}, twin = {m->twin, 0};

            make_operands(tape, m, (tp_dtype)dtype, x);
            const tp_tensor right = loss_around(x, &twin), wrong = loss_around(x, &a);
            tp_assert_recorded(right, x, m->op->arity, &second);
            assert_false(tp_check_recorded(wrong, x, m->op->arity, m->second ? &second : NULL, &report));
            assert_rejected(&report, m);
            assert_fault(&report, m, &a);
            assert_int_equal(tp_tape_status(tape), TP_OK);
            tp_tape_destroy(tape);
        }
}

static void test_op_verify(void **state)
{
    (void)state;
    for (int dtype = TP_F32; dtype <= TP_F64; dtype++)
        for (int i = 0; i < MUTANTS; i++) {
            const mutant *m = &mutants[i];
            tp_tape *tape = tp_tape_create(NULL);
            tp_tensor x[2];
            tp_check_report report;

            make_operands(tape, m, (tp_dtype)dtype, x);
            tp_assert_op(m->twin, x, m->op->arity, NULL, NULL);
            assert_false(tp_op_verify(m->op, x, m->op->arity, NULL, NULL, &report));
            assert_rejected(&report, m);
            assert_string_equal(report.fault_op, m->op->name);
            if (m->says != NULL && m->blamed == NULL && strstr(report.message, m->says) == NULL)
                fail_msg("\"%s\" is not in \"%s\"", m->says, report.message);
            tp_tape_destroy(tape);
        }
}

/* Large operands: directions find the element that is wrong. */
static void test_many_elements(void **state)
{
    (void)state;
    for (int i = 0; i < MUTANTS; i++) {
        const mutant *m = &mutants[i];
        if (m->op->arity != 1)
            continue;
        tp_tape *tape = tp_tape_create(NULL);
        static float values[3000];
        tp_check_report report;
        around a = {m->op, 0}, twin = {m->twin, 0};

        for (int j = 0; j < 3000; j++)
            values[j] = (float)(0.2 + 0.001 * (j % 977) - (j % 2 ? 0.9 : 0));
        const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(3, 1000), values);
        tp_assert_gradient(loss_around, &twin, &x, 1, &(tp_check_options){.second = true});
        assert_false(
            tp_check_gradient(loss_around, &a, &x, 1, &(tp_check_options){.second = m->second}, &report));
        assert_rejected(&report, m);
        assert_fault(&report, m, &a);
        if (m->op == &hole_square)
            assert_int_equal(report.element, 2);
        tp_tape_destroy(tape);
    }
}

/* One element slightly off, whatever its size and that of its company. */
typedef struct slip {
    double factor;
    int element, loss;
} slip;

static slip slipped; /* a rule has no other way to know */

TP_MAP1(same, x)

static void slip_rule(const tp_vjp *d)
{
    tp_tape *tape = d->y.tape;
    const tp_tensor number = tp_iota(tape, tp_dtype_of(d->x[0]), tp_count_of(d->x[0]));
    const tp_tensor here = tp_equal(number, tp_scalar(tape, slipped.element));
    d->dx[0] = tp_where(here, tp_scale(d->g, slipped.factor), d->g);
}

static const tp_op slip_op = {
    .name = "slip_op", .kind = TP_MAP, .arity = 1, .vjp = slip_rule, TP_MAP_KERNELS(same)};

static tp_tensor loss_after_slip(const tp_tensor *x, void *user)
{
    const tp_tensor y = tp_record(&slip_op, x, 1, NULL);
    const slip *s = user;
    switch (s->loss) {
    case 0: return tp_sum(tp_square(y));
    case 1: return tp_add(tp_scalar(y.tape, 1e6), tp_sum(tp_square(y)));
    case 2: return tp_sum(tp_log(tp_abs(y)));
    case 3: return tp_norm(y);
    case 4: return tp_var(y, 1);
    case 5: return tp_prod(y);
    default: return tp_scale(tp_sum(tp_mul(y, tp_exp(tp_iota(y.tape, tp_dtype_of(y), 12)))), 1e-20);
    }
}

static void test_single_elements_at_any_scale(void **state)
{
    (void)state;
    const double factor[] = {1, 1.0001, 1.01, -1, 0};
    unsigned random = 1;
    for (int loss = 0; loss < 7; loss++)
        for (int exponent = -4; exponent <= 4; exponent += 2)
            for (int k = 0; k < 5; k++) {
                double values[12];
                for (int i = 0; i < 12; i++) {
                    random = random * 1664525u + 1013904223u;
                    values[i] =
                        pow(10, exponent) * (0.1 + 1.9 * (random >> 8) / 16777216.0) * (i % 3 ? 1 : -1);
                }
                tp_tape *tape = tp_tape_create(NULL);
                const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(12), values);
                tp_check_report r;

                slipped = (slip){factor[k], (int)(random >> 8) % 12, loss};
                tp_check_gradient(loss_after_slip, &slipped, &x, 1, NULL, &r);
                if (r.verdict != (k == 0 ? TP_CHECK_PASSED : TP_CHECK_FAILED))
                    fail_msg("loss %d, scale 1e%d, factor %g: %s: %s", loss, exponent, factor[k],
                             tp_verdict_name(r.verdict), r.message);
                if (k > 0) {
                    assert_int_equal(r.element, slipped.element);
                    assert_string_equal(r.fault_op, "slip_op");
                }
                tp_tape_destroy(tape);
            }
}

/* ---- What only tp_op_verify can see ------------------------------------------------------------------ */

/* Right for the adjoints that a check happens to use, but not linear. */
static void threshold_rule(const tp_vjp *d)
{
    const tp_tensor limit = tp_scalar(d->y.tape, 0.4);
    d->dx[0] = tp_where(tp_greater(tp_abs(d->g), limit), square_gradient(d), tp_scalar(d->y.tape, 0));
}

SQUARE(threshold_square, threshold_rule);

static tp_status lazy_run(const tp_call *c)
{
    for (int64_t i = 0; i + 1 < tp_shape_count(c->y.shape); i++)
        set(&c->y, i, 2 * get(&c->x[0], i));
    return TP_OK;
}

static void double_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(d->g, 2);
}

static const tp_op lazy = {
    .name = "lazy", .kind = TP_CALL, .arity = 1, .infer = product_infer, .vjp = double_rule, .run = lazy_run};

static void coarse_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = 2.001f * ((const float *)x[0])[i];
}

static void exact_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((double *)y)[i] = 2 * ((const double *)x[0])[i];
}

static const tp_op two_minds = {
    .name = "two_minds", .kind = TP_MAP, .arity = 1, .vjp = double_rule, .map = {coarse_f32, exact_f64}};

static void assert_verify_says(const tp_op *op, int n, const char *says)
{
    tp_tape *tape = tp_tape_create(NULL);
    const float values[4] = {0.3f, -0.8f, 1.2f, 2.1f};
    const tp_tensor x[2] = {tp_parameter(tape, TP_F32, TP_SHAPE(4), values),
                            tp_parameter(tape, TP_F32, TP_SHAPE(4), values)};
    tp_check_report report;

    assert_false(tp_op_verify(op, x, n, NULL, NULL, &report));
    if (strstr(report.message, says) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", says, report.message);
    assert_int_equal(report.verdict, TP_CHECK_FAILED);
    assert_string_equal(report.fault_op, op->name);
    tp_tape_destroy(tape);
}

static void test_what_only_verify_sees(void **state)
{
    (void)state;
    assert_verify_says(
        &threshold_square, 1,
        "threshold_square: its derivative rule is not linear in the adjoint: for adjoints g, h and 1.75 "
        "g + -0.625 h it gives ");
    assert_verify_says(
        &careless_ratio, 2,
        "careless_ratio: its derivative rule gives another result to operand 1 when no other operand "
        "needs a gradient");
    assert_verify_says(&lazy, 1, "lazy: two equal calls of its kernel gave ");
    assert_verify_says(&lazy, 1, "for element 3: is it always written?");
    assert_verify_says(&two_minds, 1, "two_minds: its f32 kernel gives ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_gradient),
        cmocka_unit_test(test_check_recorded),
        cmocka_unit_test(test_op_verify),
        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_what_only_verify_sees),
        cmocka_unit_test(test_single_elements_at_any_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
