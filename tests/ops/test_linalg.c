/* test_linalg.c -- factorizations and systems against what defines them, at sizes that LAPACK cuts into blocks and at size
 * 0, batches, what cannot be computed, and NaN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "values.h"

/* ---- Matrices ----------------------------------------------------------------------------------------------- */

enum { SIDE = 150 };
static double storage[4][2 * SIDE * SIDE];

static double tolerance_of(tp_dtype dtype)
{
    return dtype == TP_F32 ? 2e-4 : 1e-11;
}

static tp_tensor big_leaf(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *x)
{
    static float single[2 * SIDE * SIDE];
    for (int64_t i = 0; i < tp_shape_count(shape); i++)
        single[i] = (float)x[i];
    return tp_parameter(tape, dtype, shape, dtype == TP_F32 ? (const void *)single : x);
}

/* Random in [-1, 1], and `shift` on the diagonal. */
static tp_tensor random_square(tp_tape *tape, tp_dtype dtype, int64_t n, double shift, uint64_t seed)
{
    generator g = seeded(seed);
    for (int64_t i = 0; i < n * n; i++)
        storage[0][i] = next_between(&g, -1, 1) + (i / n == i % n ? shift : 0);
    return big_leaf(tape, dtype, TP_SHAPE(n, n), storage[0]);
}

static tp_tensor random_columns(tp_tape *tape, tp_dtype dtype, int64_t n, int64_t m)
{
    generator g = seeded(77);
    for (int64_t i = 0; i < n * m; i++)
        storage[1][i] = next_between(&g, -1, 1);
    return big_leaf(tape, dtype, TP_SHAPE(n, m), storage[1]);
}

static tp_tensor identity(tp_tensor like)
{
    const tp_tensor n = tp_iota(like.tape, tp_dtype_of(like), tp_shape_of(like).dim[0]);
    return tp_equal(tp_reshape(n, TP_SHAPE(-1, 1)), n);
}

static tp_tensor transposed(tp_tensor x)
{
    return tp_transpose(x, -2, -1);
}

/* The largest |a - b|. */
static double distance(tp_tensor a, tp_tensor b)
{
    return compute_one(tp_cast(tp_max(tp_abs(tp_sub(a, b))), TP_F64));
}

static void expect_near(const char *what, tp_tensor a, tp_tensor b, double scale)
{
    const double d = distance(a, b);
    assert_no_error(a.tape);
    if (!(d <= scale * tolerance_of(tp_dtype_of(a))))
        fail_msg("%s: the difference is %g", what, d);
}

/* The lower or upper triangle, with ones on the diagonal if they are meant. */
static tp_tensor triangle_of(tp_tensor a, const tp_triangular_options *o)
{
    const tp_tensor n = tp_iota(a.tape, tp_dtype_of(a), tp_shape_of(a).dim[0]);
    const tp_tensor row = tp_reshape(n, TP_SHAPE(-1, 1)), zero = tp_scalar(a.tape, 0);
    const tp_tensor inside = o->upper ? tp_less(row, n) : tp_less(n, row);
    const tp_tensor diagonal = o->unit_diagonal ? identity(a) : tp_mul(identity(a), a);
    return tp_add(tp_where(inside, a, zero), diagonal);
}

/* ---- What defines them -------------------------------------------------------------------------------------- */

static void check_size(tp_dtype dtype, int64_t n)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double scale = (double)n;
    const tp_tensor a = random_square(tape, dtype, n, 2 * sqrt((double)n), 5),
                    b = random_columns(tape, dtype, n, 1 + n / 3);
    const tp_tensor gram = tp_add(tp_matmul(a, transposed(a)), identity(a));

    const tp_tensor lower = tp_cholesky(gram, NULL),
                    upper = tp_cholesky(gram, &(tp_cholesky_options){.upper = true});
    expect_near("L L^T", tp_matmul(lower, transposed(lower)), gram, 10 * scale);
    expect_near("U^T U", tp_matmul(transposed(upper), upper), gram, 10 * scale);
    expect_near("L is lower", lower, triangle_of(lower, &(tp_triangular_options){.upper = false}), 0);
    const tp_tensor halves[] = {tp_slice(a, 0, n / 3, TP_END, 1), tp_slice(a, 0, 0, n / 3, 1)};
    const tp_tensor mixed = tp_concat(halves, 2, 0); /* every pivot is in another row */
    expect_near("a x", tp_matmul(mixed, tp_solve(mixed, b)), b, scale);
    expect_near("a^-1 a", tp_matmul(tp_inverse(mixed), mixed), identity(a), scale);
    for (int k = 0; k < 8; k++) {
        const tp_triangular_options o = {k & 1, k & 2, k & 4};
        const tp_tensor scaled = k & 4 ? tp_scale(a, 1 / scale) : a, t = triangle_of(scaled, &o);
        const tp_tensor x = tp_triangular_solve(scaled, b, &o);
        expect_near("T x", tp_matmul(o.transpose ? transposed(t) : t, x), b, 10 * scale);
    }
    /* |det a| is the product of L's diagonal, where L L^T = a a^T. */
    const tp_tensor factor = tp_cholesky(tp_matmul(a, transposed(a)), NULL);
    expect_near("log |det|", tp_slogdet(a, NULL),
                tp_sum(tp_log(tp_sum_over(tp_mul(factor, identity(a)), TP_AXES(1), false))), 10 * scale);
    tp_tape_destroy(tape);
}

static void test_sizes(void **state)
{
    static const int64_t size[] = {1, 2, 3, 5, 17, 64, 65, 150};
    (void)state;
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        check_size(TP_F32, size[k]);
        check_size(TP_F64, size[k]);
    }
}

static void expect_values(const char *what, tp_tensor y, tp_shape shape, const double *expected)
{
    double got[16];
    assert_no_error(y.tape);
    assert_true(tp_shape_equal(tp_shape_of(y), shape));
    compute(y, got);
    assert_same(what, got, expected, tp_shape_count(shape));
}

static void test_size_zero(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor none = tp_parameter(tape, TP_F64, TP_SHAPE(2, 0, 0), NULL),
                    no_batch = tp_parameter(tape, TP_F64, TP_SHAPE(0, 3, 3), NULL);
    tp_tensor sign, g;

    (void)state;
    expect_values("det", tp_det(none), TP_SHAPE(2), (double[]){1, 1});
    expect_values("log", tp_slogdet(none, &sign), TP_SHAPE(2), (double[]){0, 0});
    expect_values("sign", sign, TP_SHAPE(2), (double[]){1, 1});
    expect_values("trace", tp_trace(none), TP_SHAPE(2), (double[]){0, 0});
    expect_values("inverse", tp_inverse(none), TP_SHAPE(2, 0, 0), NULL);
    expect_values("det of none", tp_det(no_batch), TP_SHAPE(0), NULL);
    expect_values("cholesky of none", tp_cholesky(no_batch, NULL), TP_SHAPE(0, 3, 3), NULL);
    assert_int_equal(tp_gradient(tp_sum(tp_det(none)), &none, 1, &g), TP_OK);
    expect_values("gradient", g, TP_SHAPE(2, 0, 0), NULL);
    tp_tape_destroy(tape);
}

/* ---- Batches ------------------------------------------------------------------------------------------------- */

/* Each system by itself gives the same bits as in the batch, whichever operand is shared. */
static void check_batch(tp_shape batch_a, tp_shape batch_b)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_shape sa = batch_a, sb = batch_b, joint;
    double xa[64], xb[64], got[128], one[4];
    generator g = seeded(9);

    sa.dim[sa.rank++] = 2;
    sa.dim[sa.rank++] = 2;
    sb.dim[sb.rank++] = 2;
    sb.dim[sb.rank++] = 1;
    for (int64_t i = 0; i < tp_shape_count(sa); i++)
        xa[i] = next_between(&g, 1, 2) * (i % 4 == 1 ? -1 : 1);
    for (int64_t i = 0; i < tp_shape_count(sb); i++)
        xb[i] = next_between(&g, -1, 1);
    const tp_tensor a = make_leaf(tape, TP_F64, sa, xa), b = make_leaf(tape, TP_F64, sb, xb);
    assert_true(tp_broadcast(&batch_a, &batch_b, &joint));
    compute(tp_solve(a, b), got);

    for (int64_t k = 0; k < tp_shape_count(joint); k++) {
        int64_t at[2] = {0, 0}, rest = k, step[2] = {1, 1};
        for (int64_t d = 1; d <= joint.rank; d++) {
            const int64_t index = rest % joint.dim[joint.rank - d];
            rest /= joint.dim[joint.rank - d];
            if (d <= batch_a.rank) {
                at[0] += batch_a.dim[batch_a.rank - d] == 1 ? 0 : index * step[0];
                step[0] *= batch_a.dim[batch_a.rank - d];
            }
            if (d <= batch_b.rank) {
                at[1] += batch_b.dim[batch_b.rank - d] == 1 ? 0 : index * step[1];
                step[1] *= batch_b.dim[batch_b.rank - d];
            }
        }
        compute(tp_solve(make_leaf(tape, TP_F64, TP_SHAPE(2, 2), xa + 4 * at[0]),
                         make_leaf(tape, TP_F64, TP_SHAPE(2, 1), xb + 2 * at[1])),
                one);
        assert_same("batch", got + 2 * k, one, 2);
    }
    tp_tape_destroy(tape);
}

static void test_batches(void **state)
{
    (void)state;
    check_batch(TP_SHAPE(3), TP_SHAPE(3));
    check_batch(TP_SHAPE_0D, TP_SHAPE(3));
    check_batch(TP_SHAPE(3), TP_SHAPE_0D);
    check_batch(TP_SHAPE(2, 1), TP_SHAPE(3));
    check_batch(TP_SHAPE(1, 3), TP_SHAPE(2, 1));
    check_batch(TP_SHAPE(2, 3), TP_SHAPE(2, 3));
}

/* A shared factor is used for all its systems, and only for them: matrix 0, 1, 0, 1. */
static void test_shared_matrices_alternate(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(1, 2, 1, 1), (double[]){2, 4}),
                    b = make_leaf(tape, TP_F64, TP_SHAPE(2, 1, 1, 1), (double[]){8, 16});
    (void)state;
    expect_values("alternate", tp_solve(a, b), TP_SHAPE(2, 2, 1, 1), (double[]){4, 2, 8, 4});
    tp_tape_destroy(tape);
}

/* ---- Determinants -------------------------------------------------------------------------------------------- */

static void test_determinants(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor swapped = make_leaf(tape, TP_F64, TP_SHAPE(2, 2), (double[]){0, 2, 3, 0}),
                    singular = make_leaf(tape, TP_F64, TP_SHAPE(2, 2), (double[]){1, 2, 2, 4}),
                    wide = make_leaf(
                        tape, TP_F64, TP_SHAPE(4, 4),
                        (double[]){1e200, 0, 0, 0, 0, 1e200, 0, 0, 0, 0, -1e-200, 0, 0, 0, 0, 3e-200}),
                    huge = make_leaf(tape, TP_F64, TP_SHAPE(2, 2), (double[]){1e300, 0, 0, 1e300});
    tp_tensor sign;
    double log_of_wide;

    (void)state;
    expect_values("swapped", tp_det(swapped), TP_SHAPE_0D, (double[]){-6});
    expect_values("singular", tp_det(singular), TP_SHAPE_0D, (double[]){0});
    expect_values("log of 0", tp_slogdet(singular, &sign), TP_SHAPE_0D, (double[]){-INFINITY});
    expect_values("sign of 0", sign, TP_SHAPE_0D, (double[]){0});
    compute(tp_slogdet(wide, &sign), &log_of_wide);
    assert_close("log", &log_of_wide, (double[]){log(3)}, 1, 1e-12);
    expect_values("sign", sign, TP_SHAPE_0D, (double[]){-1});
    assert_true(fabs(compute_one(tp_det(wide)) + 3) < 1e-12);
    expect_values("beyond the range", tp_det(huge), TP_SHAPE_0D, (double[]){INFINITY});
    tp_tape_destroy(tape);
}

/* The gradient of a singular matrix's determinant is not computed, and not made up either. */
static void test_gradient_of_a_singular_determinant(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double values[] = {1, 2, 2, 4};
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2, 2), values);
    tp_tensor g;

    (void)state;
    assert_int_equal(tp_gradient(tp_det(a), &a, 1, &g), TP_OK);
    tp_program *program = tp_compile(&g, 1, NULL);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    assert_error(tape, TP_BAD_VALUE, "inverse: the matrix is singular");
    set_values(a, (double[]){1, 2, 3, 4}); /* and the program still works */
    assert_int_equal(tp_run(program), TP_OK);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- NaN and what is not read --------------------------------------------------------------------------------- */

static void expect_all_nan(const char *what, tp_tensor y)
{
    double got[16];
    compute(y, got);
    for (int64_t i = 0; i < tp_count_of(y); i++)
        if (!isnan(got[i]))
            fail_msg("%s: element %d is %g", what, (int)i, got[i]);
}

static void check_bad_element(tp_dtype dtype, double bad)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double good[] = {2, 1, 1, 2};
    double values[8] = {2, 1, 1, 2, 2, 1, 1, bad};
    const tp_tensor both = make_leaf(tape, dtype, TP_SHAPE(2, 2, 2), values),
                    b = make_leaf(tape, dtype, TP_SHAPE(2), good);
    tp_tensor sign;

    const tp_tensor results[] = {tp_cholesky(both, NULL), tp_solve(both, b), tp_inverse(both), tp_det(both),
                                 tp_slogdet(both, &sign)};
    for (size_t k = 0; k < sizeof results / sizeof *results; k++) {
        const tp_tensor fine = tp_slice(results[k], 0, 0, 1, 1);
        double got[8];
        expect_all_nan(tp_op_of(results[k])->name, tp_slice(results[k], 0, 1, 2, 1));
        compute(fine, got);
        for (int64_t i = 0; i < tp_count_of(fine); i++)
            assert_true(isfinite(got[i]));
    }
    expect_all_nan("sign", tp_slice(sign, 0, 1, 2, 1));
    tp_tape_destroy(tape);
}

static void test_nan_in_nan_out(void **state)
{
    (void)state;
    check_bad_element(TP_F64, NAN);
    check_bad_element(TP_F32, NAN);
    check_bad_element(TP_F64, INFINITY);
}

static void test_what_is_not_read(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = make_leaf(tape, TP_F64, TP_SHAPE(2, 2), (double[]){NAN, NAN, 2, NAN}),
                    b = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){1, 5});
    const tp_tensor x = tp_triangular_solve(a, b, &(tp_triangular_options){.unit_diagonal = true});
    tp_tensor g;

    (void)state;
    expect_values("x", x, TP_SHAPE(2), (double[]){1, 3});
    assert_int_equal(tp_gradient(tp_sum(x), &a, 1, &g), TP_OK);
    expect_values("gradient", g, TP_SHAPE(2, 2), (double[]){0, 0, -1, 0});
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_size_zero),
        cmocka_unit_test(test_batches),        cmocka_unit_test(test_shared_matrices_alternate),
        cmocka_unit_test(test_determinants),   cmocka_unit_test(test_gradient_of_a_singular_determinant),
        cmocka_unit_test(test_nan_in_nan_out), cmocka_unit_test(test_what_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
