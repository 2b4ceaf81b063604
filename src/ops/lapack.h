/* lapack.h -- the entry points of LAPACK that Tapir calls.  They are Fortran's: arguments by address, matrices by columns, and
 * behind the last argument the length of each character argument, which implementations in C ignore.
 *
 * A row-major matrix is the transpose to them; the kernels say how that is made good without copying.
 */
#ifndef TAPIR_SRC_OPS_LAPACK_H
#define TAPIR_SRC_OPS_LAPACK_H

#include <stddef.h>

/* Cholesky: a = U^T U or L L^T.  info > 0: the leading minor of that order is not positive. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info, size_t uplo_length);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t uplo_length);

/* LU with row interchanges: a = P L U.  info > 0: that diagonal element of U is exactly 0. */
void sgetrf_(const int *m, const int *n, float *a, const int *lda, int *pivot, int *info);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivot, int *info);

/* The inverse from that. */
void sgetri_(const int *n, float *a, const int *lda, const int *pivot, float *work, const int *work_size,
             int *info);
void dgetri_(const int *n, double *a, const int *lda, const int *pivot, double *work, const int *work_size,
             int *info);

#endif
