/* test_cpp.cpp -- the public headers from C++17: record, differentiate, run, read; function pointers; an op in C++. */
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
extern "C" {
#include <cmocka.h>
}

#include <tapir/cmocka.h>
#include <tapir/op.h>
#include <tapir/scalar_exponential.h>
#include <tapir/scalar_gamma.h>
#include <tapir/scalar_special.h>
#include <tapir/scalar_trigonometric.h>
#include <tapir/tapir.h>

#include <string>
#include <vector>

namespace
{

tp_tensor bounded_mse(tp_tensor prediction, tp_tensor target, double low, double high)
{
    const tp_tensor below = tp_relu(tp_sub(tp_scalar(prediction.tape, low), prediction));
    const tp_tensor above = tp_relu(tp_sub(prediction, tp_scalar(prediction.tape, high)));
    const tp_tensor outside = tp_add(tp_mean(tp_square(below)), tp_mean(tp_square(above)));
    return tp_add(tp_mse(prediction, target, nullptr), tp_scale(outside, 10));
}

void test_a_loss_trains(void **)
{
    tp_tape *tape = tp_tape_create(nullptr);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4, 2));
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), nullptr);
    const tp_tensor target = tp_constant(tape, TP_F32, TP_SHAPE(4), std::vector<float>{1, 2, 3, 4}.data());
    const tp_tensor y = tp_sum_over(tp_mul(x, w), TP_AXES(-1), false);
    tp_tensor g;

    tp_scope_begin(tape, "train");
    const tp_tensor loss = bounded_mse(y, target, 0, 5);
    tp_scope_end(tape);
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    const tp_tensor outputs[] = {loss, tp_assign(w, tp_sub(w, tp_scale(g, 0.05)))};
    tp_compile_options options = {};
    options.check_finite = true;
    tp_program *program = tp_compile(outputs, 2, &options);
    assert_non_null(program);

    const float data[] = {1, 0, 1, 1, 2, 1, 2, 2};
    std::vector<float> weights(2);
    assert_int_equal(tp_write(x, data, 8), TP_OK);
    double first = 0, last = 0;
    for (int step = 0; step < 200; step++) {
        assert_int_equal(tp_run(program), TP_OK);
        last = tp_item(loss);
        first = step == 0 ? last : first;
    }
    assert_true(first == 7.5 && last < 1e-3);
    assert_int_equal(tp_read(w, weights.data(), 2), TP_OK);
    assert_true(weights[0] > 0.9f && weights[0] < 1.1f && weights[1] > 0.9f && weights[1] < 1.1f);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

void test_an_optimiser(void **)
{
    tp_tape *tape = tp_tape_create(nullptr);
    const tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(3), nullptr);
    const tp_tensor loss = tp_sum(tp_square(tp_sub(w, tp_scalar(tape, 2))));
    tp_optimiser adam;
    tp_adam_options options = {};
    options.optimiser = &adam;
    options.beta1 = {true, 0.5};
    tp_tensor g;
    assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
    tp_clip_by_norm(&g, 1, 1, nullptr);
    options.gradients = &g;
    const tp_tensor outputs[] = {loss, tp_adam(loss, &w, 1, &options)};
    tp_program *program = tp_compile(outputs, 2, nullptr);
    assert_non_null(program);
    tp_cosine_decay decay = {};
    decay.rate = 0.5;
    decay.steps = 100;
    for (int64_t k = 0; k < 100; k++) {
        assert_int_equal(tp_set_rate(adam.rate, tp_cosine_decay_rate(&decay, k)), TP_OK);
        assert_int_equal(tp_run(program), TP_OK);
    }
    assert_true(tp_item(loss) < 1e-2);
    tp_program_destroy(program);

    tp_lbfgs lbfgs;
    assert_int_equal(tp_lbfgs_create(&lbfgs, loss, &w, 1, nullptr), TP_OK);
    assert_int_equal(tp_lbfgs_step(&lbfgs), TP_OK);
    assert_true(lbfgs.stop == TP_LBFGS_GRADIENT);
    tp_lbfgs_destroy(&lbfgs);
    tp_tape_destroy(tape);
}

void test_function_pointers(void **)
{
    tp_tensor (*const functions[])(tp_tensor) = {tp_exp, tp_log, tp_tanh, &tp_softplus, tp_mean};
    tp_tensor (*const two)(tp_tensor, tp_tensor) = tp_maximum;
    tp_tape *tape = tp_tape_create(nullptr);
    tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(3), nullptr);
    for (auto function : functions)
        x = two(function(x), tp_scalar(tape, 0.5));
    assert_true(tp_is_valid(x));
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

void test_macros_know_the_line(void **)
{
    tp_tape *tape = tp_tape_create(nullptr);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2, 3)), y = tp_input(tape, TP_F32, TP_SHAPE(4));
    const tp_tensor parts[] = {x, y};
    assert_false(tp_is_valid(tp_add(x, y)));
    std::string expected = "add: the operands' shapes do not broadcast: f32[2,3], f32[4] at ";
    expected += std::string(__FILE__) + ":" + std::to_string(__LINE__ - 2);
    assert_string_equal(tp_tape_message(tape), expected.c_str());
    tp_tape_clear_error(tape);
    assert_false(tp_is_valid(tp_concat(parts, 2, 0)));
    expected = std::string(" at ") + __FILE__ + ":" + std::to_string(__LINE__ - 1);
    assert_non_null(std::strstr(tp_tape_message(tape), expected.c_str()));
    tp_tape_destroy(tape);
}

void test_shapes_and_dtypes(void **)
{
    assert_int_equal(TP_SHAPE(7, 8, 9).rank, 3);
    assert_int_equal(TP_SHAPE(7, 8, 9).dim[2], 9);
    assert_int_equal(TP_SHAPE_0D.rank, 0);
    assert_int_equal(TP_AXES(0, -1).n, 2);
    assert_int_equal(TP_AXES(0, -1).axis[1], -1);
    tp_tape *tape = tp_tape_create(nullptr);
    const double d[] = {0.5};
    const int32_t i[] = {3};
    double d_out = 0;
    int32_t i_out = 0;
    const tp_tensor a = tp_input(tape, TP_F64, TP_SHAPE(1)), b = tp_input(tape, TP_I32, TP_SHAPE(1));
    assert_int_equal(tp_write(a, d, 1), TP_OK);
    assert_int_equal(tp_write(b, i, 1), TP_OK);
    assert_int_equal(tp_read(a, &d_out, 1), TP_OK);
    assert_int_equal(tp_read(b, &i_out, 1), TP_OK);
    assert_true(d_out == 0.5 && i_out == 3);
    assert_int_equal(tp_write(a, i, 1), TP_BAD_DTYPE);
    assert_int_equal(TP_VERSION[0] - 48, TP_VERSION_MAJOR);
    tp_tape_destroy(tape);
}

/* ---- An op in C++ ----------------------------------------------------------------------------------- */

void cube_f32(int64_t n, void *y, const void *const *x, const void *)
{
    const float *in = static_cast<const float *>(x[0]);
    for (int64_t k = 0; k < n; k++)
        static_cast<float *>(y)[k] = in[k] * in[k] * in[k];
}

void cube_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(tp_square(d->x[0]), 3));
}

tp_op make_cube()
{
    tp_op op = {};
    op.name = "cube";
    op.kind = TP_MAP;
    op.arity = 1;
    op.vjp = cube_vjp;
    op.map[TP_F32] = cube_f32;
    return op;
}

void test_an_op_in_cpp(void **)
{
    static const tp_op cube = make_cube();
    tp_tape *tape = tp_tape_create(nullptr);
    const float value = 2;
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE_0D, &value);
    const tp_tensor y = tp_record(&cube, &w, 1, nullptr);
    tp_tensor g;
    assert_int_equal(tp_gradient(y, &w, 1, &g), TP_OK);
    const tp_tensor outputs[] = {y, g};
    tp_program *program = tp_compile(outputs, 2, nullptr);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(tp_item(y) == 8 && tp_item(g) == 12);
    assert_true(*static_cast<const float *>(tp_program_output(program, 1, TP_F32)) == 12);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- Scalar expressions in C++ ---------------------------------------------------------------------- */

/* Every way of choosing by type: one operand, two, a number and one; and functions that <cmath> overloads. */
TP_MAP1(folded, TP_ABS(x) / ((T)1 + TP_SQRT(x * x + TP_EXP(x))) + TP_MAX(x, 0) * TP_SIN(x) + TP_ERF(x) +
                    TP_LGAMMA(TP_ABS(x) + 1) + TP_POLYGAMMA(1, TP_ABS(x) + (T)0.5) + TP_FLOOR(x))
TP_MAP2(bent, TP_POW(TP_ABS(a) + (T)0.5, b) + TP_HYPOT(a, b) + TP_FMOD(a, TP_ABS(b) + (T)1))

template <class F> tp_op make_map(const char *name, int arity, F set)
{
    tp_op op = {};
    op.name = name;
    op.kind = TP_MAP;
    op.arity = arity;
    set(op);
    return op;
}

double folded_by_hand(double x)
{
    double trigamma = 0; /* sum of 1 / (z + k)^2, with the rest as an integral */
    const double z = std::fabs(x) + 0.5;
    for (int k = 0; k < 100000; k++)
        trigamma += 1 / ((z + k) * (z + k));
    trigamma += 1 / (z + 100000 - 0.5);
    return std::fabs(x) / (1 + std::sqrt(x * x + std::exp(x))) + (x > 0 ? x : 0) * std::sin(x) + std::erf(x) +
           std::lgamma(std::fabs(x) + 1) + trigamma + std::floor(x);
}

double bent_by_hand(double a, double b)
{
    return std::pow(std::fabs(a) + 0.5, b) + std::hypot(a, b) + std::fmod(a, std::fabs(b) + 1);
}

void test_scalar_functions_go_by_type(void **)
{
    static const tp_op one = make_map("folded", 1, [](tp_op &op) { TP_SET_MAP_KERNELS(op, folded); });
    static const tp_op two = make_map("bent", 2, [](tp_op &op) { TP_SET_MAP_KERNELS(op, bent); });
    const double x[3] = {-1.25, 0.5, 2.75}, z[3] = {0.75, -1.5, 1.25};
    const tp_dtype dtypes[] = {TP_F32, TP_F64};

    for (const tp_dtype dtype : dtypes) {
        tp_tape *tape = tp_tape_create(nullptr);
        const tp_tensor a = tp_constant(tape, TP_F64, TP_SHAPE(3), x),
                        b = tp_constant(tape, TP_F64, TP_SHAPE(3), z);
        const tp_tensor operands[] = {tp_cast(a, dtype), tp_cast(b, dtype)};
        const tp_tensor y[] = {tp_cast(tp_record(&one, operands, 1, nullptr), TP_F64),
                               tp_cast(tp_record(&two, operands, 2, nullptr), TP_F64)};
        tp_program *program = tp_compile(y, 2, nullptr);
        assert_int_equal(tp_run(program), TP_OK);
        const double tolerance = dtype == TP_F32 ? 1e-5 : 1e-9;
        for (int i = 0; i < 3; i++) {
            const double got[] = {static_cast<const double *>(tp_program_output(program, 0, TP_F64))[i],
                                  static_cast<const double *>(tp_program_output(program, 1, TP_F64))[i]};
            assert_true(std::fabs(got[0] - folded_by_hand(x[i])) <= tolerance * 10);
            assert_true(std::fabs(got[1] - bent_by_hand(x[i], z[i])) <= tolerance * 10);
        }
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_a_loss_trains),
        cmocka_unit_test(test_an_optimiser),
        cmocka_unit_test(test_function_pointers),
        cmocka_unit_test(test_macros_know_the_line),
        cmocka_unit_test(test_shapes_and_dtypes),
        cmocka_unit_test(test_an_op_in_cpp),
        cmocka_unit_test(test_scalar_functions_go_by_type),
    };
    return cmocka_run_group_tests_name("cpp", tests, nullptr, nullptr);
}
