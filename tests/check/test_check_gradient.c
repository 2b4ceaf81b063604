/* test_check_gradient.c -- right derivatives are accepted: composites, kinks, any scale, any shape, any size. */
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

static uint64_t state = 7;

static double uniform(double low, double high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

static tp_tensor random_f32(tp_tape *tape, tp_shape shape, double low, double high)
{
    const int64_t count = tp_shape_count(shape);
    float *values = malloc((size_t)count * sizeof *values + 1);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)uniform(low, high);
    const tp_tensor x = tp_parameter(tape, TP_F32, shape, values);
    free(values);
    return x;
}

#define F64(tape, ...)                                                                                       \
    tp_parameter((tape), TP_F64, TP_SHAPE((int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))),      \
                 ((double[]){__VA_ARGS__}))
#define I32(tape, ...)                                                                                       \
    tp_constant((tape), TP_I32, TP_SHAPE((int64_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))),     \
                ((int32_t[]){__VA_ARGS__}))

static const tp_check_options second = {.second = true};

/* ---- Functions ------------------------------------------------------------------------------------- */

#define FUNCTION(NAME, EXPRESSION)                                                                           \
    static tp_tensor NAME(const tp_tensor *x, void *user)                                                    \
    {                                                                                                        \
        (void)user;                                                                                          \
        return EXPRESSION;                                                                                   \
    }

FUNCTION(sum_log, tp_sum(tp_log(x[0])))
FUNCTION(sum_sqrt, tp_sum(tp_sqrt(x[0])))
FUNCTION(sum_square, tp_sum(tp_square(x[0])))
FUNCTION(sum_cube, tp_sum(tp_mul(x[0], tp_square(x[0]))))
FUNCTION(sum_inverse, tp_sum(tp_div(tp_scalar(x[0].tape, 1), x[0])))
FUNCTION(sum_tanh, tp_sum(tp_tanh(x[0])))
FUNCTION(softplus, tp_softplus(x[0]))
FUNCTION(softmax, tp_softmax(x[0], -1))
FUNCTION(log_softmax, tp_log_softmax(x[0], -1))
FUNCTION(logsumexp, tp_logsumexp(x[0]))
FUNCTION(sum_softmax, tp_sum(tp_softmax(x[0], -1)))
FUNCTION(sum_relu, tp_sum(tp_relu(x[0])))
FUNCTION(sum_abs, tp_sum(tp_abs(x[0])))
FUNCTION(norm, tp_norm(x[0]))
FUNCTION(largest, tp_max(x[0]))
FUNCTION(product, tp_prod(x[0]))
FUNCTION(larger, tp_sum(tp_maximum(x[0], x[1])))
FUNCTION(clamped, tp_sum(tp_clamp(x[0], -1, 1)))
FUNCTION(mse, tp_mse(x[0], x[1], NULL))
FUNCTION(huber, tp_huber(x[0], x[1], NULL))
FUNCTION(cross_entropy, tp_cross_entropy(x[0], x[1], NULL))
FUNCTION(count_positive, tp_sum(tp_greater(x[0], tp_scalar(x[0].tape, 0))))
FUNCTION(sum_sign, tp_sum(tp_sign(x[0])))
FUNCTION(on_top, tp_add(tp_scalar(x[0].tape, 1e9), tp_sum(tp_square(x[0]))))
FUNCTION(variance, tp_var(x[0], 0))
FUNCTION(identity, x[0])
FUNCTION(safe_log,
         tp_sum(tp_where(tp_greater(x[0], tp_scalar(x[0].tape, 0)), tp_log(x[0]), tp_scalar(x[0].tape, 0))))
FUNCTION(dropout, tp_mean(tp_mul(tp_square(x[0]), tp_uniform(x[0].tape, TP_F32, tp_shape_of(x[0])))))
FUNCTION(straight_through, tp_sum(tp_square(tp_add(x[0], tp_stop_gradient(tp_sub(tp_sign(x[0]), x[0]))))))
FUNCTION(detached, tp_sum(tp_mul(tp_square(x[0]), tp_stop_gradient(tp_exp(x[0])))))
FUNCTION(constant, tp_scalar(x[0].tape, 3))
FUNCTION(stopped, tp_sum(tp_stop_gradient(x[0])))

static tp_tensor network(const tp_tensor *x, void *user)
{
    (void)user;
    const tp_tensor hidden = tp_relu(tp_add(tp_matmul(x[0], x[1]), x[2]));
    return tp_cross_entropy(tp_matmul(hidden, x[3]), x[4], NULL);
}

/* ---- Composites ------------------------------------------------------------------------------------ */

static void test_composites(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = random_f32(tape, TP_SHAPE(4, 3), -2, 2), b = random_f32(tape, TP_SHAPE(4, 3), -2, 2);
    const tp_tensor c = random_f32(tape, TP_SHAPE(4, 1), 0.5, 2);

    tp_assert_gradient(mse, NULL, (tp_tensor[]){a, b}, 2, &second);
    tp_assert_gradient(huber, NULL, (tp_tensor[]){a, b}, 2, &second);
    tp_assert_gradient(cross_entropy, NULL, (tp_tensor[]){a, I32(tape, 2, 0, 1, 1)}, 2, &second);
    tp_assert_gradient(larger, NULL, (tp_tensor[]){a, c}, 2, &second);
    tp_assert_gradient(softmax, NULL, &a, 1, &second);
    tp_assert_gradient(log_softmax, NULL, &a, 1, &second);
    tp_assert_gradient(logsumexp, NULL, &a, 1, &second);
    tp_assert_gradient(softplus, NULL, &a, 1, &second);
    tp_assert_gradient(variance, NULL, &a, 1, &second);
    tp_assert_gradient(norm, NULL, &a, 1, &second);
    tp_assert_gradient(product, NULL, &a, 1, &second);
    tp_assert_gradient(sum_tanh, NULL, &a, 1, &second);
    const tp_tensor layers[] = {random_f32(tape, TP_SHAPE(5, 4), -1, 1),
                                random_f32(tape, TP_SHAPE(4, 6), -1, 1), random_f32(tape, TP_SHAPE(6), -1, 1),
                                random_f32(tape, TP_SHAPE(6, 3), -1, 1), I32(tape, 0, 2, 1, 1, 0)};
    tp_assert_gradient(network, NULL, layers, 5, &second);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

/* A gradient that is zero everywhere is nothing but round-off. */
static void test_zero_gradients(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = random_f32(tape, TP_SHAPE(4, 5), -2, 2);

    for (int i = 0; i < 20; i++) {
        const tp_tensor y = random_f32(tape, TP_SHAPE(3, 4), -3, 3);
        tp_assert_gradient(sum_softmax, NULL, &y, 1, &second);
    }
    tp_assert_gradient(constant, NULL, &x, 1, &second);
    tp_assert_gradient(stopped, NULL, &x, 1, &second);
    tp_assert_gradient(sum_square, NULL, (tp_tensor[]){F64(tape, 0, 0, 0)}, 1, &second);
    tp_tape_destroy(tape);
}

/* ---- Kinks ----------------------------------------------------------------------------------------- */

static void test_kinks(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = F64(tape, 0, -1, 2, 0, 1), y = F64(tape, 0, 0, 2, 1, 1), zero = F64(tape, 0, 0, 0);

    tp_assert_gradient(sum_relu, NULL, &x, 1, &second);
    tp_assert_gradient(sum_abs, NULL, &x, 1, &second);
    tp_assert_gradient(clamped, NULL, &x, 1, &second);
    tp_assert_gradient(larger, NULL, (tp_tensor[]){x, y}, 2, &second);
    tp_assert_gradient(largest, NULL, (tp_tensor[]){F64(tape, 2, 1, 2, 2)}, 1, NULL);
    tp_assert_gradient(product, NULL, &x, 1, &second);
    tp_assert_gradient(norm, NULL, &zero, 1, NULL);
    tp_assert_gradient(huber, NULL, (tp_tensor[]){x, F64(tape, 1, -1, 1, -1, 1)}, 2, NULL);
    tp_assert_gradient(sum_sign, NULL, &x, 1, NULL);
    tp_assert_gradient(count_positive, NULL, &x, 1, NULL);
    tp_assert_gradient(safe_log, NULL, (tp_tensor[]){F64(tape, -1, 2, 0.5, -3)}, 1, &second);
    /* Near a kink, at any distance. */
    for (double distance = 1e-12; distance < 1; distance *= 10) {
        tp_assert_gradient(sum_relu, NULL, (tp_tensor[]){F64(tape, distance, -distance)}, 1, &second);
        tp_assert_gradient(sum_abs, NULL, (tp_tensor[]){F64(tape, distance, -distance)}, 1, &second);
        tp_assert_gradient(clamped, NULL, (tp_tensor[]){F64(tape, 1 + distance, 1 - distance)}, 1, NULL);
    }
    tp_tape_destroy(tape);
}

/* Padding with zeros, in a large input: many kinks at once, also of opposite kinds. */
FUNCTION(mixed_kinks, tp_sum(tp_mul(tp_relu(x[0]), x[1])))

static void test_many_kinks(void **unused)
{
    (void)unused;
    enum { N = 4000 };
    static float values[N], factors[N];
    tp_tape *tape = tp_tape_create(NULL);

    for (int i = 0; i < N; i++) {
        values[i] = i % 3 ? (float)uniform(-1, 1) : 0;
        factors[i] = (float)uniform(-1, 1);
    }
    const tp_tensor x[2] = {tp_parameter(tape, TP_F32, TP_SHAPE(N), values),
                            tp_constant(tape, TP_F32, TP_SHAPE(N), factors)};
    tp_assert_gradient(mixed_kinks, NULL, x, 2, &(tp_check_options){.wrt = (bool[]){true, false}});
    tp_assert_gradient(mixed_kinks, NULL, x, 2, &second);
    tp_tape_destroy(tape);
}

/* ---- Scales ---------------------------------------------------------------------------------------- */

static void test_scales(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor mixed = F64(tape, 1e-8, 1e-3, 1, 1e4, 1e8);
    const tp_loss_function positive[] = {sum_log, sum_sqrt, sum_square, sum_cube, sum_inverse};
    const tp_loss_function any[] = {sum_tanh, softplus, softmax,  logsumexp,
                                    norm,     sum_abs,  sum_relu, variance};

    for (int e = -8; e <= 8; e++) {
        const double s = pow(10, e);
        const tp_tensor x = F64(tape, s, 2.7 * s, 0.31 * s), y = F64(tape, -s, 2.7 * s, 0.31 * s);
        for (size_t k = 0; k < sizeof positive / sizeof positive[0]; k++)
            tp_assert_gradient(positive[k], NULL, &x, 1, &second);
        for (size_t k = 0; k < sizeof any / sizeof any[0]; k++)
            tp_assert_gradient(any[k], NULL, &y, 1, NULL);
        tp_assert_gradient(mse, NULL, (tp_tensor[]){x, y}, 2, &second);
        tp_assert_gradient(huber, NULL, (tp_tensor[]){x, y}, 2, NULL);
    }
    for (size_t k = 0; k < sizeof positive / sizeof positive[0]; k++)
        tp_assert_gradient(positive[k], NULL, &mixed, 1, NULL);
    for (size_t k = 0; k < sizeof any / sizeof any[0]; k++)
        tp_assert_gradient(any[k], NULL, &mixed, 1, NULL);
    tp_tape_destroy(tape);
}

/* Data that is hardly more than the noise of f32, small residuals, and a large value that hardly varies. */
static void test_noise(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor tiny = random_f32(tape, TP_SHAPE(20), -1e-7, 1e-7),
                    x = random_f32(tape, TP_SHAPE(20), 1, 2);
    float near[20];

    assert_int_equal(tp_read(x, near, 20), TP_OK);
    for (int i = 0; i < 20; i++)
        near[i] *= 1 + (float)(i % 3 - 1) * 1.2e-7f;
    const tp_tensor y = tp_parameter(tape, TP_F32, TP_SHAPE(20), near);

    tp_assert_gradient(sum_tanh, NULL, &tiny, 1, &second);
    tp_assert_gradient(softmax, NULL, &tiny, 1, &second);
    tp_assert_gradient(sum_abs, NULL, &tiny, 1, NULL);
    tp_assert_gradient(variance, NULL, &tiny, 1, &second);
    tp_assert_gradient(mse, NULL, (tp_tensor[]){x, y}, 2, &second);
    tp_assert_gradient(huber, NULL, (tp_tensor[]){x, y}, 2, &second);
    tp_assert_gradient(on_top, NULL, &x, 1, &second);
    tp_tape_destroy(tape);
}

/* Confident softmax: gradients from 1e-1 down to 1e-44, and values that round to 0. */
static void test_saturation(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    for (int i = 0; i < 100; i++) {
        double logits[12];
        for (int j = 0; j < 12; j++)
            logits[j] = uniform(-100, 100) * (i % 10) / 9;
        const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(3, 4), logits);
        tp_assert_gradient(cross_entropy, NULL, (tp_tensor[]){x, I32(tape, i % 4, 0, 3)}, 2, NULL);
    }
    tp_tape_destroy(tape);
}

/* ---- Shapes ---------------------------------------------------------------------------------------- */

static void test_shapes(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const double two = 2;
    const tp_tensor scalar = tp_parameter(tape, TP_F64, TP_SHAPE_0D, &two);
    const tp_tensor empty = tp_parameter(tape, TP_F32, TP_SHAPE(3, 0), NULL), single = F64(tape, 0.5);
    const tp_tensor eight = random_f32(tape, TP_SHAPE(1, 2, 1, 2, 1, 2, 1, 2), -1, 1);
    tp_check_report report;

    tp_assert_gradient(sum_tanh, NULL, &scalar, 1, &second);
    tp_assert_gradient(identity, NULL, &scalar, 1, &second);
    tp_assert_gradient(sum_log, NULL, &single, 1, &second);
    tp_assert_gradient(softmax, NULL, &eight, 1, &second);
    tp_assert_gradient(identity, NULL, &eight, 1, &second);
    tp_assert_gradient(identity, NULL, &empty, 1, &second);
    assert_true(tp_check_gradient(sum_tanh, NULL, &empty, 1, &second, &report));
    assert_int_equal(report.checked, 0);
    tp_assert_gradient(larger, NULL, (tp_tensor[]){empty, tp_parameter(tape, TP_F32, TP_SHAPE_0D, NULL)}, 2,
                       NULL);
    tp_assert_gradient(sum_square, NULL, (tp_tensor[]){tp_full(tape, TP_F32, TP_SHAPE(2, 2), 3)}, 1, NULL);
    tp_assert_gradient(sum_square, NULL, (tp_tensor[]){tp_scalar_of(tape, TP_F32, 0.1)}, 1, NULL);
    tp_tape_destroy(tape);
}

static void test_large_inputs(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = random_f32(tape, TP_SHAPE(100, 70), -2, 2),
                    y = random_f32(tape, TP_SHAPE(100, 70), 1, 2);
    tp_check_report report;

    assert_true(tp_check_gradient(mse, NULL, (tp_tensor[]){x, y}, 2, NULL, &report));
    assert_true(report.checked < 200);
    tp_assert_gradient(softmax, NULL, &x, 1, &second);
    tp_assert_gradient(sum_log, NULL, &y, 1, &second);
    tp_assert_gradient(sum_relu, NULL, &x, 1, NULL);
    /* As many as are asked for. */
    assert_true(tp_check_gradient(sum_tanh, NULL, &x, 1, &(tp_check_options){.max_elements = 7000}, &report));
    assert_int_equal(report.checked, 7000);
    /* Sizes that differ by element. */
    double mixed[1000];
    for (int i = 0; i < 1000; i++)
        mixed[i] = pow(10, uniform(-8, 8));
    tp_assert_gradient(sum_log, NULL, (tp_tensor[]){tp_parameter(tape, TP_F64, TP_SHAPE(1000), mixed)}, 1,
                       NULL);
    tp_tape_destroy(tape);
}

/* ---- What a function may do ------------------------------------------------------------------------ */

static void test_random_numbers_are_frozen(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 5});
    const tp_tensor x = random_f32(tape, TP_SHAPE(6), -1, 1);
    tp_assert_gradient(dropout, NULL, &x, 1, &second);
    tp_tape_destroy(tape);
}

static void test_stopped_gradients_are_held_fixed(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = random_f32(tape, TP_SHAPE(6), 0.5, 1);
    tp_assert_gradient(straight_through, NULL, &x, 1, &second);
    tp_assert_gradient(detached, NULL, &x, 1, &second);
    tp_tape_destroy(tape);
}

/* f32 as such would spoil every difference. */
static tp_tensor speaks_f32(const tp_tensor *x, void *user)
{
    (void)user;
    tp_tape *tape = x[0].tape;
    const float weight[3] = {0.1f, 0.2f, 0.3f};
    tp_tensor y = tp_mul(tp_cast(x[0], TP_F32), tp_constant(tape, TP_F32, TP_SHAPE(3), weight));
    y = tp_add(y, tp_scalar_of(tape, TP_F32, 0.7));
    y = tp_mul(y, tp_add(tp_iota(tape, TP_F32, 3), tp_full(tape, TP_F32, TP_SHAPE(3), 1.1)));
    y = tp_mul(y, tp_cast(tp_constant(tape, TP_I32, TP_SHAPE(3), (int32_t[]){1, 2, 3}), TP_F32));
    const tp_tensor input = tp_input(tape, TP_F32, TP_SHAPE(3));
    tp_write(input, weight, 3);
    return tp_cast(tp_sum(tp_exp(tp_add(y, input))), TP_F32);
}

static void test_f32_becomes_f64(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[2] = {random_f32(tape, TP_SHAPE(3), -1, 1), F64(tape, 0.3, 0.4, 0.5)};
    tp_check_report report;

    for (int k = 0; k < 2; k++) {
        assert_true(tp_check_gradient(speaks_f32, NULL, &x[k], 1, &second, &report));
        assert_false(report.single);
        assert_true(report.error_bar < 1e-8 * fabs(report.analytic));
    }
    tp_tape_destroy(tape);
}

/* An op that knows f32 only is checked in f32. */
static void only_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)attr;
    for (int64_t i = 0; i < n; i++)
        ((float *)y)[i] = ((const float *)x[0])[i] * ((const float *)x[0])[i];
}

static void square_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->x[0], 2));
}

static void wrong_square_rule(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(d->x[0], 2.05));
}

static const tp_op f32_square = {
    .name = "f32_square", .kind = TP_MAP, .arity = 1, .vjp = square_rule, .map = {only_f32}};
static const tp_op wrong_f32_square = {
    .name = "wrong_f32_square", .kind = TP_MAP, .arity = 1, .vjp = wrong_square_rule, .map = {only_f32}};

static tp_tensor mean_of_op(const tp_tensor *x, void *user)
{
    return tp_mean(tp_record(user, x, 1, NULL));
}

static void test_f32_only(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = random_f32(tape, TP_SHAPE(5), 0.5, 2);
    tp_check_report report;

    assert_true(tp_check_gradient(mean_of_op, (void *)&f32_square, &x, 1, &second, &report));
    assert_true(report.single);
    assert_false(tp_check_gradient(mean_of_op, (void *)&wrong_f32_square, &x, 1, NULL, &report));
    assert_int_equal(report.verdict, TP_CHECK_FAILED);
    assert_string_equal(report.fault_op, "wrong_f32_square");
    tp_assert_op(&f32_square, &x, 1, NULL, NULL);
    assert_false(tp_op_verify(&wrong_f32_square, &x, 1, NULL, NULL, &report));
    assert_int_equal(report.verdict, TP_CHECK_FAILED);
    tp_tape_destroy(tape);
}

/* A gradient penalty: the function itself differentiates. */
static tp_tensor penalty(const tp_tensor *x, void *user)
{
    (void)user;
    tp_tensor g;
    tp_gradient(tp_sum(tp_tanh(tp_mul(x[0], x[1]))), x, 1, &g);
    return tp_mean(tp_square(g));
}

static void test_gradient_of_a_gradient(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[2] = {random_f32(tape, TP_SHAPE(4), -1, 1), random_f32(tape, TP_SHAPE(4), -1, 1)};
    tp_assert_gradient(penalty, NULL, x, 2, &second);
    tp_tape_destroy(tape);
}

/* Values may come from a program that has run. */
static void test_computed_x(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = random_f32(tape, TP_SHAPE(4), -1, 1), y = tp_exp(a);
    tp_program *program = tp_compile(&y, 1, NULL);

    assert_int_equal(tp_run(program), TP_OK);
    tp_assert_gradient(sum_log, NULL, &y, 1, &second);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Nothing is left on the caller's tape. */
static void test_leaves_the_tape_alone(void **unused)
{
    (void)unused;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = random_f32(tape, TP_SHAPE(4), -1, 1);
    const int64_t count = tp_tape_count(tape);
    float before[4], after[4];

    assert_int_equal(tp_read(x, before, 4), TP_OK);
    tp_assert_gradient(sum_tanh, NULL, &x, 1, &second);
    assert_false(tp_check_gradient(sum_log, NULL, &x, 1, NULL, NULL));
    assert_int_equal(tp_tape_count(tape), count);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    assert_int_equal(tp_read(x, after, 4), TP_OK);
    assert_memory_equal(before, after, sizeof before);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_composites),
        cmocka_unit_test(test_zero_gradients),
        cmocka_unit_test(test_kinks),
        cmocka_unit_test(test_many_kinks),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_large_inputs),
        cmocka_unit_test(test_random_numbers_are_frozen),
        cmocka_unit_test(test_stopped_gradients_are_held_fixed),
        cmocka_unit_test(test_f32_becomes_f64),
        cmocka_unit_test(test_f32_only),
        cmocka_unit_test(test_gradient_of_a_gradient),
        cmocka_unit_test(test_computed_x),
        cmocka_unit_test(test_leaves_the_tape_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
