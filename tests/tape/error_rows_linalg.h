/* error_rows_linalg.h -- rows for linear algebra, but for tp_matmul. */
#ifndef TAPIR_TESTS_ERROR_ROWS_LINALG_H
#define TAPIR_TESTS_ERROR_ROWS_LINALG_H

#include "error_rows.h"

/* f64[n,n], or a batch of two. */
static inline tp_tensor square(fixture *f, int64_t n, const double *values)
{
    return tp_parameter(f->tape, TP_F64, TP_SHAPE(n, n), values);
}

static inline tp_tensor two_squares(fixture *f, int64_t n, const double *values)
{
    return tp_parameter(f->tape, TP_F64, TP_SHAPE(2, 1, n, n), values);
}

/* The run of what was recorded at the row's place fails. */
static inline void run_fails(fixture *f, tp_tensor y)
{
    compile(f, y);
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

/* ---- matrices.c -------------------------------------------------------------------------------------- */

static void solve_dtypes(fixture *f)
{
    RESULT(f, tp_solve(tp_full(f->tape, TP_F64, TP_SHAPE(3, 3), 1), f->a32));
}

static void invert_integers(fixture *f)
{
    RESULT(f, tp_inverse(f->i23));
}

static void invert_oblong(fixture *f)
{
    RESULT(f, tp_inverse(f->a23));
}

static void factorize_a_vector(fixture *f)
{
    RESULT(f, tp_cholesky(f->a4, NULL));
}

static void solve_for_a_number(fixture *f)
{
    RESULT(f, tp_solve(tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1), tp_scalar_of(f->tape, TP_F32, 1)));
}

static void solve_for_another_size(fixture *f)
{
    RESULT(f, tp_triangular_solve(tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1), f->a32, NULL));
}

static void solve_for_a_vector_of_another_size(fixture *f)
{
    RESULT(f, tp_solve(tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1), f->a4));
}

static void solve_for_many(fixture *f)
{
    const tp_tensor many = tp_full(f->tape, TP_F32, TP_SHAPE(2, (int64_t)1 << 31), 1);
    RESULT(f, tp_solve(tp_full(f->tape, TP_F32, TP_SHAPE(2, 2), 1), many));
}

static void solve_batches(fixture *f)
{
    const tp_tensor a = tp_full(f->tape, TP_F32, TP_SHAPE(2, 2, 2), 1);
    RESULT(f, tp_solve(a, tp_full(f->tape, TP_F32, TP_SHAPE(3, 2, 1), 1)));
}

static const error_row matrices_rows[] = {
    {"system of two dtypes",
     solve_dtypes,
     TP_BAD_DTYPE,
     {"solve: the operands' dtypes differ (convert with tp_cast): f64[3,3], f32[3,2]"}},
    {"inverse of integers", invert_integers, TP_BAD_DTYPE, {"inverse: it needs f32 or f64: i32[2,3]"}},
    {"inverse of no square",
     invert_oblong,
     TP_BAD_SHAPE,
     {"inverse: the last two axes must be a square matrix: f32[2,3]"}},
    {"factor of a vector",
     factorize_a_vector,
     TP_BAD_SHAPE,
     {"cholesky: the last two axes must be a square matrix: f32[4]"}},
    {"system for a number",
     solve_for_a_number,
     TP_BAD_SHAPE,
     {"solve: the right-hand side must have at least one axis: f32[2,2], f32[]"}},
    {"system for another size",
     solve_for_another_size,
     TP_BAD_SHAPE,
     {"triangular_solve: the right-hand side does not have the matrix's size: f32[2,2], f32[3,2]"}},
    {"system for a vector of another size",
     solve_for_a_vector_of_another_size,
     TP_BAD_SHAPE,
     {"solve: the right-hand side does not have the matrix's size: f32[2,2], f32[4,1]"}},
    {"system for too many",
     solve_for_many,
     TP_BAD_SHAPE,
     {"solve: a matrix is larger than LAPACK can count: f32[2,2], f32[2,2147483648]"}},
    {"systems of unlike batches",
     solve_batches,
     TP_BAD_SHAPE,
     {"solve: the leading axes do not broadcast: f32[2,2,2], f32[3,2,1]"}},
};

/* ---- matmul.c: outer --------------------------------------------------------------------------------- */

static void outer_of_matrices(fixture *f)
{
    RESULT(f, tp_outer(f->a4, f->a23));
}

static const error_row outer_rows[] = {
    {"outer product of a matrix",
     outer_of_matrices,
     TP_BAD_SHAPE,
     {"outer: the operands must be vectors: f32[4], f32[2,3]"}},
};

/* ---- triangular.c, linear_solve.c -------------------------------------------------------------------- */

static void indefinite(fixture *f)
{
    const tp_tensor y = (PLACE(f), tp_cholesky(square(f, 3, (double[]){1, 0, 0, 0, -1, 0, 0, 0, 1}), NULL));
    run_fails(f, y);
}

static void indefinite_in_a_batch(fixture *f)
{
    const tp_tensor y = (PLACE(f), tp_cholesky(two_squares(f, 2, (double[]){2, 1, 1, 2, 1, 2, 2, 1}), NULL));
    run_fails(f, y);
}

static void zero_on_the_diagonal(fixture *f)
{
    const tp_tensor a = two_squares(f, 2, (double[]){1, 7, 7, 1, 1, 7, 7, 0});
    const tp_tensor b = tp_parameter(f->tape, TP_F64, TP_SHAPE(3, 2, 1), NULL);
    const tp_tensor y = (PLACE(f), tp_triangular_solve(a, b, NULL));
    run_fails(f, y);
}

static const error_row triangular_use_rows[] = {
    {"indefinite matrix",
     indefinite,
     TP_BAD_VALUE,
     {"cholesky: the matrix is not positive definite: its leading minor of order 2 is not positive"}},
    {"indefinite matrix in a batch",
     indefinite_in_a_batch,
     TP_BAD_VALUE,
     {"cholesky: matrix [1,0] is not positive definite: its leading minor of order 2 is not positive"}},
    {"zero on the diagonal",
     zero_on_the_diagonal,
     TP_BAD_VALUE,
     {"triangular_solve: matrix [1,0] is singular: element 1 of its diagonal is 0"}},
};

static void singular_system(fixture *f)
{
    const tp_tensor b = tp_parameter(f->tape, TP_F64, TP_SHAPE(2), NULL);
    const tp_tensor y = (PLACE(f), tp_solve(square(f, 2, (double[]){1, 2, 2, 4}), b));
    run_fails(f, y);
}

static void singular_in_a_batch(fixture *f)
{
    const tp_tensor y = (PLACE(f), tp_inverse(two_squares(f, 2, (double[]){1, 2, 3, 4, 0, 1, 0, 1})));
    run_fails(f, y);
}

static const error_row solve_use_rows[] = {
    {"singular system",
     singular_system,
     TP_BAD_VALUE,
     {"solve: the matrix is singular: pivot 2 of its LU factorization is 0"}},
    {"singular matrix in a batch",
     singular_in_a_batch,
     TP_BAD_VALUE,
     {"inverse: matrix [1,0] is singular: pivot", "of its LU factorization is 0"}},
};

static void trace_of_a_vector(fixture *f)
{
    RESULT(f, tp_trace(f->a4));
}

static const error_row solve_rows[] = {
    {"trace of a vector",
     trace_of_a_vector,
     TP_BAD_SHAPE,
     {"trace: the operand must have at least two axes: f32[4]"}},
};

/* ---- einsum.c ---------------------------------------------------------------------------------------- */

/* The tape of the errors is that of the first operand that has one. */
static void sum_absent(fixture *f)
{
    RESULT(f, tp_einsum("ij,j", (tp_tensor[]){f->a23, f->absent}, 2));
}

static void sum_foreign(fixture *f)
{
    RESULT(f, tp_einsum("ij,j", (tp_tensor[]){f->a23, f->foreign}, 2));
}

static void sum_stale(fixture *f)
{
    RESULT(f, tp_einsum("ij,j", (tp_tensor[]){f->a23, f->stale}, 2));
}

static void sum_dtypes(fixture *f)
{
    RESULT(f, tp_einsum("ij,ij", (tp_tensor[]){f->a23, f->d23}, 2));
}

static void sum_integers(fixture *f)
{
    RESULT(f, tp_einsum("ij", &f->i23, 1));
}

static void sum_without_subscripts(fixture *f)
{
    RESULT(f, tp_einsum(NULL, &f->a23, 1));
}

static void sum_of_many(fixture *f)
{
    tp_tensor x[17];
    for (int k = 0; k < 17; k++)
        x[k] = f->a4;
    RESULT(f, tp_einsum("i", x, 17));
}

static void sum_of_digits(fixture *f)
{
    RESULT(f, tp_einsum("i2->i", &f->a23, 1));
}

static void two_ellipses(fixture *f)
{
    RESULT(f, tp_einsum("...i...->i", &f->a23, 1));
}

static void two_dots(fixture *f)
{
    RESULT(f, tp_einsum("i..->i", &f->a23, 1));
}

static void too_few_axes_named(fixture *f)
{
    RESULT(f, tp_einsum("i,j->ij", (tp_tensor[]){f->a4, f->a23}, 2));
}

static void too_many_axes_named(fixture *f)
{
    RESULT(f, tp_einsum("...ijk->i", &f->a23, 1));
}

static void too_few_operands(fixture *f)
{
    RESULT(f, tp_einsum("ij,jk->ik", &f->a23, 1));
}

static void index_of_two_sizes(fixture *f)
{
    RESULT(f, tp_einsum("ij,jk->ik", (tp_tensor[]){f->a23, f->a23}, 2));
}

static void diagonal_of_an_oblong(fixture *f)
{
    RESULT(f, tp_einsum("ZZ", &f->a23, 1));
}

static void ellipses_of_two_sizes(fixture *f)
{
    RESULT(f, tp_einsum("...i,...i", (tp_tensor[]){f->a23, f->a32}, 2));
}

static void result_twice(fixture *f)
{
    RESULT(f, tp_einsum("ij->ii", &f->a23, 1));
}

static void result_of_nothing(fixture *f)
{
    RESULT(f, tp_einsum("ij->ik", &f->a23, 1));
}

static void two_results(fixture *f)
{
    RESULT(f, tp_einsum("ij->i,j", &f->a23, 1));
}

static void digit_in_the_result(fixture *f)
{
    RESULT(f, tp_einsum("ij->i2", &f->a23, 1));
}

static void result_without_ellipsis(fixture *f)
{
    RESULT(f, tp_einsum("...j->j", &f->a23, 1));
}

static void nine_axes_on_the_way(fixture *f)
{
    const tp_tensor x = tp_full(f->tape, TP_F32, TP_SHAPE(1, 1, 1, 1, 1), 1);
    RESULT(f, tp_einsum("abcde,fghij->abcdefghij", (tp_tensor[]){x, x}, 2));
}

static const error_row einsum_rows[] = {
    {"sum of absent", sum_absent, TP_BAD_HANDLE, {"einsum: operand 1 is absent"}},
    {"sum of foreign", sum_foreign, TP_BAD_HANDLE, {"einsum: operand 1 belongs to another tape"}},
    {"sum of stale", sum_stale, TP_BAD_HANDLE, {"einsum: operand 1 is stale: the tape was rewound past it"}},
    {"sum of two dtypes",
     sum_dtypes,
     TP_BAD_DTYPE,
     {"einsum: the operands must all be f32 or all f64 (convert with tp_cast): f32[2,3], f64[2,3]"}},
    {"sum of integers",
     sum_integers,
     TP_BAD_DTYPE,
     {"einsum: the operands must all be f32 or all f64 (convert with tp_cast): i32[2,3]"}},
    {"sum without subscripts",
     sum_without_subscripts,
     TP_BAD_ARGUMENT,
     {"einsum: the subscripts are missing"}},
    {"sum of many", sum_of_many, TP_BAD_ARGUMENT, {"einsum: at most 16 operands are possible"}},
    {"sum of digits",
     sum_of_digits,
     TP_BAD_ARGUMENT,
     {"einsum: \"i2->i\": there should be a letter or one \"...\" at \"2->i\""}},
    {"two ellipses",
     two_ellipses,
     TP_BAD_ARGUMENT,
     {"einsum: \"...i...->i\": there should be a letter or one \"...\" at \"...->i\""}},
    {"two dots",
     two_dots,
     TP_BAD_ARGUMENT,
     {"einsum: \"i..->i\": there should be a letter or one \"...\" at \"..->i\""}},
    {"too few axes named",
     too_few_axes_named,
     TP_BAD_SHAPE,
     {"einsum: \"i,j->ij\" names 1 axes of operand 1, which is f32[2,3]"}},
    {"too many axes named",
     too_many_axes_named,
     TP_BAD_SHAPE,
     {"einsum: \"...ijk->i\" names 3 axes of operand 0, which is f32[2,3]"}},
    {"too few operands",
     too_few_operands,
     TP_BAD_ARGUMENT,
     {"einsum: \"ij,jk->ik\" is for 2 operand(s), but there are 1"}},
    {"index of two sizes",
     index_of_two_sizes,
     TP_BAD_SHAPE,
     {"einsum: \"ij,jk->ik\": the index j is 2 long in operand 1, f32[2,3], but 3 before it"}},
    {"diagonal of an oblong",
     diagonal_of_an_oblong,
     TP_BAD_SHAPE,
     {"einsum: \"ZZ\": the index Z is 3 long in operand 0, f32[2,3], but 2 before it"}},
    {"ellipses of two sizes",
     ellipses_of_two_sizes,
     TP_BAD_SHAPE,
     {"einsum: \"...i,...i\": the axes of \"...\" do not broadcast at operand 1, f32[3,2]"}},
    {"index twice in the result",
     result_twice,
     TP_BAD_ARGUMENT,
     {"einsum: \"ij->ii\": the index i of the result is named twice"}},
    {"index of nothing in the result",
     result_of_nothing,
     TP_BAD_ARGUMENT,
     {"einsum: \"ij->ik\": the index k of the result is in no operand"}},
    {"two results", two_results, TP_BAD_ARGUMENT, {"einsum: \"ij->i,j\": there can be one result"}},
    {"digit in the result",
     digit_in_the_result,
     TP_BAD_ARGUMENT,
     {"einsum: \"ij->i2\": there should be a letter or one \"...\" at \"2\""}},
    {"result without an ellipsis",
     result_without_ellipsis,
     TP_BAD_ARGUMENT,
     {"einsum: \"...j->j\": the result lacks \"...\""}},
    {"nine axes on the way",
     nine_axes_on_the_way,
     TP_BAD_SHAPE,
     {"einsum: \"abcde,fghij->abcdefghij\" needs a tensor of 10 axes on the way; at most 8 are possible"}},
};

#endif
