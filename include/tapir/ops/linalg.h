/* tapir/ops/linalg.h -- linear algebra: products, factorizations, systems, determinants.  f32 and f64.
 *
 * Matrices are the last two axes; leading axes are batches, which broadcast where there are several operands.  What a matrix
 * makes impossible (not positive definite, singular) ends the run with TP_BAD_VALUE and a message that names the matrix of
 * the batch.  A NaN or an infinity in a matrix that is factorized makes its whole result NaN.  Derivatives are recorded
 * with these same ops, so they have derivatives of any order.
 *
 * The other conventions are in tapir/ops.h.
 */
#ifndef TAPIR_OPS_LINALG_H
#define TAPIR_OPS_LINALG_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NumPy's matmul: [..., m, k] times [..., k, n], the leading axes broadcast; a 1-D a is a row, a 1-D b a column,
 * and that axis is dropped again.  k = 0 gives zeros.  By the system's CBLAS, which sums in an order and with threads of
 * its own; when m, n and k are small (none above 16, their product at most 512), sums are in double, over k in order.
 * A tp_transpose of an operand's last two axes costs nothing here. */
TP_API tp_tensor tp_matmul(tp_tensor a, tp_tensor b);

/* y[i,j] = a[i] b[j], of two vectors; also i32. */
TP_API tp_tensor tp_outer(tp_tensor a, tp_tensor b);

/* The Einstein sum of x[0] .. x[n-1], n <= 16, as NumPy's: "ij,jk->ik" is the matrix product, "bij,bjk->bik" one for each b,
 * "i,j->ij" the outer product, "ii->" the trace, "ij->ji" the transpose.  Each operand has a letter for each of its axes;
 * letters that the result lacks are summed over; one that an operand has twice takes its diagonal.  Without "->" the result
 * has the letters that are there once, in the alphabet's order, capitals first.  "..." stands for any axes, which
 * broadcast.  Recorded as permute, sum, products of elements, and tp_matmul wherever an index of two operands is summed; of
 * several operands first those two that need the fewest multiplications.  Wrong subscripts are TP_BAD_ARGUMENT. */
TP_API tp_tensor tp_einsum(const char *subscripts, const tp_tensor *x, int n);
TP_API tp_tensor tp_einsum_at(const char *file, int line, const char *subscripts, const tp_tensor *x, int n);

/* Sum of the diagonal of the last two axes; also i32. */
TP_API tp_tensor tp_trace(tp_tensor a);

/* ---- Symmetric positive definite matrices, triangles ------------------------------------------------- */

typedef struct tp_cholesky_options {
    bool upper; /* U = L^T instead, with U^T U */
} tp_cholesky_options;

/* Lower triangular L with L L^T = (a + a^T) / 2 and a positive diagonal, zeros above it; so the gradient of a is symmetric.
 * A leading minor that is not positive ends the run.  Derivative: Murray, "Differentiation of the Cholesky
 * decomposition", 2016. */
TP_API tp_tensor tp_cholesky(tp_tensor a, const tp_cholesky_options *options);

typedef struct tp_triangular_options {
    bool upper;         /* the upper triangle of a, else the lower */
    bool transpose;     /* T^T x = b instead of T x = b */
    bool unit_diagonal; /* ones on the diagonal, whatever a has there */
} tp_triangular_options;

/* x with T x = b, where T is a triangle of a: [..., n, n] for b [..., n, m], columns, or [n], a vector.  The rest of a is not
 * read and has gradient 0.  A 0 on the diagonal ends the run. */
TP_API tp_tensor tp_triangular_solve(tp_tensor a, tp_tensor b, const tp_triangular_options *options);

/* ---- General square matrices, by LU with row interchanges -------------------------------------------- */

/* x with a x = b: [..., n, n] for b [..., n, m], columns, or [n], a vector.  A pivot that is exactly 0 ends the run. */
TP_API tp_tensor tp_solve(tp_tensor a, tp_tensor b);

/* The inverse; a pivot that is exactly 0 ends the run.  To multiply with it, tp_solve is faster and more accurate. */
TP_API tp_tensor tp_inverse(tp_tensor a);

/* The determinant, [...]; 0 for a singular matrix, but its gradient goes through the inverse and ends the run there. */
TP_API tp_tensor tp_det(tp_tensor a);

/* log |det a|, [...], which the determinant's range does not limit; and in *sign, unless NULL, its sign: -1, 1, or 0 for a
 * singular matrix, whose logarithm is -inf.  The sign has derivative 0. */
TP_API tp_tensor tp_slogdet(tp_tensor a, tp_tensor *sign);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_matmul(a, ...)           tp_matmul(TP_HERE(a), __VA_ARGS__)
#define tp_outer(a, ...)            tp_outer(TP_HERE(a), __VA_ARGS__)
#define tp_trace(a)                 tp_trace(TP_HERE(a))
#define tp_cholesky(a, ...)         tp_cholesky(TP_HERE(a), __VA_ARGS__)
#define tp_triangular_solve(a, ...) tp_triangular_solve(TP_HERE(a), __VA_ARGS__)
#define tp_solve(a, ...)            tp_solve(TP_HERE(a), __VA_ARGS__)
#define tp_inverse(a)               tp_inverse(TP_HERE(a))
#define tp_det(a)                   tp_det(TP_HERE(a))
#define tp_slogdet(a, ...)          tp_slogdet(TP_HERE(a), __VA_ARGS__)

/* An array may be written as (tp_tensor[]){a, b}, whose comma would part it if the macro named it. */
#define tp_einsum(...) tp_einsum_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
