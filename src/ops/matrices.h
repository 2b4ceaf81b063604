/* matrices.h -- what the ops of linear algebra share.  Matrices are the last two axes of an operand, row-major; the axes
 * before them are batches, which broadcast.
 */
#ifndef TAPIR_SRC_OPS_MATRICES_H
#define TAPIR_SRC_OPS_MATRICES_H

#include <tapir/op.h>

/* ---- Shapes ----------------------------------------------------------------------------------------- */

/* Rows and columns of x, or of its transpose; x has rank 2 or more. */
int64_t tp__rows(const tp_shape *x, bool transposed);
int64_t tp__columns(const tp_shape *x, bool transposed);

/* The axes before the last two, or before the last `own`. */
tp_shape tp__batch_shape(const tp_shape *x, int64_t own);

/* NULL, or what is wrong: one dtype, f32 or f64; operand k holds square matrices. */
const char *tp__float_fault(tp_inference *i);
const char *tp__square_fault(const tp_inference *i, int k);

/* The shape rule of square matrices a solved for b: from the left, or from the right. */
const char *tp__solve_infer(tp_inference *i, bool right);

/* Does the BLAS count as far as these sizes? */
bool tp__blas_can_count(const tp_shape *x);

/* ---- Kernels ---------------------------------------------------------------------------------------- */

/* Walks over the matrices of y and those of up to two operands that belong to them, the operands' batches broadcast. */
typedef struct tp__batches {
    int64_t count; /* matrices of y */
    int64_t at[2]; /* the current one's number among the operand's own */
    int64_t rank, dim[TP_MAX_RANK], index[TP_MAX_RANK], stride[2][TP_MAX_RANK];
} tp__batches;

tp__batches tp__first_batch(const tp_call *c);
void tp__next_batch(tp__batches *b);

/* Matrix number k of an array. */
void *tp__matrix(const tp_array *array, int64_t k);

/* Element i of an array of f32 or f64. */
static inline double tp__get(tp_dtype dtype, const void *x, int64_t i)
{
    return dtype == TP_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static inline void tp__set(tp_dtype dtype, void *x, int64_t i, double value)
{
    if (dtype == TP_F32)
        ((float *)x)[i] = (float)value;
    else
        ((double *)x)[i] = value;
}

bool tp__all_finite(tp_dtype dtype, const void *x, int64_t n);

/* NaN everywhere: what is made of a matrix with a NaN or an infinity in it, whatever LAPACK would make of that. */
void tp__fill_nan(tp_dtype dtype, void *x, int64_t n);

/* "the matrix", or "matrix [1,0]" of a batch. */
const char *tp__matrix_name(const tp_shape *batch, int64_t k, char text[TP_TEXT_SIZE]);

/* ---- Recording -------------------------------------------------------------------------------------- */

/* A square matrix solved for `b`, a batch of matrices or, if it is 1-D, a vector, which is seen as one column. */
tp_tensor tp__record_solve(const tp_op *op, tp_tensor a, tp_tensor b, const void *attr);

/* op(a) op(b), where a flag transposes the last two axes. */
tp_tensor tp__product(tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b);

/* Is x a view that only swaps the last two axes?  tp_transpose(x, -2, -1) then yields what it was made of. */
bool tp__is_transpose(tp_tensor x);

#endif
