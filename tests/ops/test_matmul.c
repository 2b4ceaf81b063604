/* test_matmul.c -- matrix products element by element from the definition: all forms, all transpose flags, zero sizes, and
 * sizes that a BLAS cuts into blocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differences.h"

/* ---- The definition --------------------------------------------------------------------------------------- */

typedef struct operand {
    tp_shape shape; /* as stored, rank >= 2 */
    bool transposed;
    double *x;
} operand;

static int64_t rows_of(const operand *a)
{
    return a->shape.dim[a->shape.rank - (a->transposed ? 1 : 2)];
}

static int64_t columns_of(const operand *a)
{
    return a->shape.dim[a->shape.rank - (a->transposed ? 2 : 1)];
}

/* Element (i, j) of op(a) in the batch whose indices, of `batch`, are in `index`. */
static double element(const operand *a, tp_shape batch, const int64_t *index, int64_t i, int64_t j)
{
    const int64_t own = a->shape.rank - 2;
    int64_t at = 0;
    for (int64_t d = 0; d < own; d++)
        at = at * a->shape.dim[d] + (a->shape.dim[d] == 1 ? 0 : index[batch.rank - own + d]);
    at = at * a->shape.dim[own] + (a->transposed ? j : i);
    return a->x[at * a->shape.dim[own + 1] + (a->transposed ? i : j)];
}

static tp_shape batch_of(const operand *a, const operand *b)
{
    tp_shape pa = a->shape, pb = b->shape, batch;
    pa.rank -= 2;
    pb.rank -= 2;
    assert_true(tp_broadcast(&pa, &pb, &batch));
    return batch;
}

/* op(a) op(b); returns its shape. */
static tp_shape product(const operand *a, const operand *b, double *y)
{
    const tp_shape batch = batch_of(a, b);
    tp_shape shape = batch;
    int64_t index[TP_MAX_RANK] = {0};

    for (int64_t n = 0; n < tp_shape_count(batch); n++) {
        for (int64_t d = batch.rank - 1, rest = n; d >= 0; d--) {
            index[d] = rest % batch.dim[d];
            rest /= batch.dim[d];
        }
        for (int64_t i = 0; i < rows_of(a); i++)
            for (int64_t j = 0; j < columns_of(b); j++) {
                double sum = 0;
                for (int64_t k = 0; k < columns_of(a); k++)
                    sum += element(a, batch, index, i, k) * element(b, batch, index, k, j);
                *y++ = sum;
            }
    }
    shape.dim[shape.rank++] = rows_of(a);
    shape.dim[shape.rank++] = columns_of(b);
    return shape;
}

/* ---- Small products, exact in any order ----------------------------------------------------------------------- */

static void fill(double *x, int64_t n, uint64_t seed)
{
    generator g = seeded(seed);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(next_below(&g, 17) - 8);
}

/* The op of small products, or that of large ones, at any size and with flags that no constructor takes: what gradients
 * record. */
static tp_tensor record_with_flags(tp_tensor a, tp_tensor b, bool small, bool transpose_a, bool transpose_b)
{
    const int64_t side = small ? 1 : 64;
    const tp_tensor any = tp_parameter(a.tape, tp_dtype_of(a), TP_SHAPE(side, side), NULL);
    const tp_op *op = tp_op_of(tp_matmul(any, any));
    const int32_t attr[2] = {transpose_a, transpose_b};

    assert_non_null(op);
    assert_int_equal(op->attr_size, sizeof attr);
    return tp_record(op, (tp_tensor[]){a, b}, 2, attr);
}

static tp_shape stored(tp_shape batch, int64_t rows, int64_t columns, bool transposed)
{
    batch.dim[batch.rank++] = transposed ? columns : rows;
    batch.dim[batch.rank++] = transposed ? rows : columns;
    return batch;
}

/* How a product is recorded: by the constructor, with transposed views, or as the op itself. */
typedef enum recording { CONSTRUCTED, SMALL_OP, LARGE_OP, RECORDINGS } recording;

static tp_tensor record(recording how, tp_tensor a, tp_tensor b, bool transpose_a, bool transpose_b)
{
    if (how != CONSTRUCTED)
        return record_with_flags(a, b, how == SMALL_OP, transpose_a, transpose_b);
    return tp_matmul(transpose_a ? tp_transpose(a, -1, -2) : a, transpose_b ? tp_transpose(b, -1, -2) : b);
}

/* Batches of m x k and k x n matrices, each perhaps stored transposed. */
static void check_one(recording how, tp_dtype dtype, tp_shape batch_a, tp_shape batch_b,
                      const int64_t size[3], int flags)
{
    static double xa[VALUES_MAX], xb[VALUES_MAX], expected[VALUES_MAX], got[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    const operand a = {stored(batch_a, size[0], size[1], flags & 1), flags & 1, xa};
    const operand b = {stored(batch_b, size[1], size[2], flags >> 1), flags >> 1, xb};

    fill(xa, tp_shape_count(a.shape), 51);
    fill(xb, tp_shape_count(b.shape), 52);
    const tp_tensor leaf[] = {make_leaf(tape, dtype, a.shape, xa), make_leaf(tape, dtype, b.shape, xb)};
    const tp_tensor y = record(how, leaf[0], leaf[1], a.transposed, b.transposed);
    const tp_shape shape = product(&a, &b, expected);
    assert_no_error(tape);
    assert_true(tp_shape_equal(tp_shape_of(y), shape));
    compute(y, got);
    assert_close("matmul", got, expected, tp_shape_count(shape), 0);
    if (dtype == TP_F64 && tp_shape_count(a.shape) + tp_shape_count(b.shape) > 0) {
        differences d = {.what = "matmul", .loss = tp_sum(tp_square(y)), .leaf = leaf, .n = 2};
        check_one_direction(&d);
        check_second_order(&d);
    }
    tp_tape_destroy(tape);
}

static void check_product(tp_dtype dtype, tp_shape batch_a, tp_shape batch_b, const int64_t size[3],
                          int flags)
{
    for (recording how = CONSTRUCTED; how < RECORDINGS; how++)
        check_one(how, dtype, batch_a, batch_b, size, flags);
}

static void test_all_forms(void **state)
{
    static const tp_shape batch[][2] = {
        {{0, {0}}, {0, {0}}},       {{1, {3}}, {0, {0}}},      {{0, {0}}, {1, {3}}},
        {{1, {3}}, {1, {3}}},       {{2, {4, 1}}, {1, {3}}},   {{2, {2, 1}}, {2, {1, 3}}},
        {{1, {1}}, {0, {0}}},       {{0, {0}}, {2, {2, 2}}},   {{1, {0}}, {0, {0}}},
        {{2, {1, 2}}, {2, {0, 1}}}, {{3, {2, 1, 2}}, {0, {0}}}};
    static const int64_t size[][3] = {{2, 3, 4}, {1, 1, 1}, {1, 4, 1}, {3, 1, 2},
                                      {2, 0, 3}, {0, 2, 3}, {2, 3, 0}};
    (void)state;
    for (size_t p = 0; p < sizeof batch / sizeof *batch; p++)
        for (size_t q = 0; q < sizeof size / sizeof *size; q++)
            for (int flags = 0; flags < 4; flags++) {
                check_product(TP_F32, batch[p][0], batch[p][1], size[q], flags);
                check_product(TP_F64, batch[p][0], batch[p][1], size[q], flags);
            }
}

/* Sizes around what kernels take at a time. */
static void test_larger_sizes(void **state)
{
    static const int64_t size[][3] = {{33, 17, 65}, {64, 64, 64}, {7, 129, 31},
                                      {1, 120, 40}, {90, 3, 1},   {65, 66, 1}};
    (void)state;
    for (size_t q = 0; q < sizeof size / sizeof *size; q++)
        for (int flags = 0; flags < 4; flags++) {
            check_product(TP_F32, TP_SHAPE_0D, TP_SHAPE_0D, size[q], flags);
            check_product(TP_F64, TP_SHAPE_0D, TP_SHAPE_0D, size[q], flags);
        }
}

/* ---- What a product costs ----------------------------------------------------------------------------------------- */

/* The product and its gradients are that many calls, copies included, and no loop. */
static void expect_calls(const char *what, tp_tensor y, const tp_tensor *leaf, int calls, bool reproducible)
{
    tp_tensor output[3] = {y};
    const tp_tensor seed = tp_parameter(y.tape, tp_dtype_of(y), tp_shape_of(y), NULL);
    assert_int_equal(tp_vector_jacobian(y, seed, leaf, 2, output + 1, NULL), TP_OK);
    tp_program *program = tp_compile(output, 3, NULL);
    assert_non_null(program);
    const tp_program_summary r = tp_program_report(program);
    if (r.calls != calls || r.loops != 0 || r.reproducible != reproducible)
        fail_msg("%s: %d calls, %d loops%s", what, r.calls, r.loops, r.reproducible ? "" : ", by the BLAS");
    tp_program_destroy(program);
}

static void test_transposes_are_not_copied(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(32, 64), NULL),
                    w = tp_parameter(tape, TP_F32, TP_SHAPE(48, 64), NULL),
                    a = tp_parameter(tape, TP_F32, TP_SHAPE(5, 8, 2), NULL),
                    b = tp_parameter(tape, TP_F32, TP_SHAPE(5, 8, 4), NULL);
    (void)state;
    expect_calls("x w^T", tp_matmul(x, tp_transpose(w, 0, 1)), (tp_tensor[]){x, w}, 3, false);
    expect_calls("w x^T", tp_matmul(w, tp_transpose(x, 0, 1)), (tp_tensor[]){x, w}, 3, false);
    expect_calls("a^T b", tp_matmul(tp_transpose(a, 1, 2), b), (tp_tensor[]){a, b}, 3, true);
    tp_tape_destroy(tape);
}

/* A matrix that a whole batch shares gets its gradient from one product. */
static void test_a_shared_matrix_is_multiplied_once(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(2, 16, 30, 64), NULL),
                    w = tp_parameter(tape, TP_F32, TP_SHAPE(64, 48), NULL);
    (void)state;
    expect_calls("x w", tp_matmul(x, w), (tp_tensor[]){x, w}, 3, false);
    tp_tape_destroy(tape);
}

/* A view that was seen through is refused a gradient, for it would be 0. */
static void test_transposes_that_are_seen_through(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(32, 64), NULL), view = tp_transpose(x, 0, 1);
    tp_tensor g;
    (void)state;
    assert_int_equal(tp_gradient(tp_sum(tp_matmul(x, view)), &view, 1, &g), TP_BAD_ARGUMENT);
    assert_error(tape, TP_BAD_ARGUMENT, "simplified away");
    tp_tape_destroy(tape);
}

/* ---- Vectors: a 1-D operand is a row or a column, and its axis goes --------------------------------------------- */

static void expect(const char *what, tp_tensor y, tp_shape shape, const double *expected)
{
    double got[8];
    assert_no_error(y.tape);
    assert_true(tp_shape_equal(tp_shape_of(y), shape));
    compute(y, got);
    assert_same(what, got, expected, tp_shape_count(shape));
}

static void test_vectors(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const double x[] = {1, 2, 3, 4, 5, 6};
    const tp_tensor v = make_leaf(tape, TP_F64, TP_SHAPE(3), x),
                    m = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), x);
    const tp_tensor none = tp_parameter(tape, TP_F64, TP_SHAPE(0), NULL);

    (void)state;
    expect("vv", tp_matmul(v, v), TP_SHAPE_0D, (double[]){14});
    expect("mv", tp_matmul(m, v), TP_SHAPE(2), (double[]){14, 32});
    expect("vm", tp_matmul(v, tp_transpose(m, 0, 1)), TP_SHAPE(2), (double[]){14, 32});
    expect("batch v", tp_matmul(tp_reshape(m, TP_SHAPE(2, 1, 3)), v), TP_SHAPE(2, 1), (double[]){14, 32});
    expect("v batch", tp_matmul(v, tp_reshape(m, TP_SHAPE(2, 3, 1))), TP_SHAPE(2, 1), (double[]){14, 32});
    expect("none", tp_matmul(none, none), TP_SHAPE_0D, (double[]){0});
    tp_tape_destroy(tape);
}

static void test_what_does_not_fit(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor v = tp_parameter(tape, TP_F64, TP_SHAPE(3), NULL),
                    w = tp_parameter(tape, TP_F64, TP_SHAPE(4), NULL);
    const tp_tensor a = tp_parameter(tape, TP_F64, TP_SHAPE(2, 4, 3), NULL);
    const tp_tensor b = tp_parameter(tape, TP_F64, TP_SHAPE(5, 3, 4), NULL);

    (void)state;
    assert_false(tp_is_valid(tp_matmul(v, w)));
    assert_error(tape, TP_BAD_SHAPE, "matmul: the inner dimensions differ: f64[3], f64[4]");
    assert_false(tp_is_valid(tp_matmul(a, w)));
    assert_error(tape, TP_BAD_SHAPE, "inner dimensions");
    assert_false(tp_is_valid(tp_matmul(a, b)));
    assert_error(tape, TP_BAD_SHAPE, "leading axes");
    assert_false(tp_is_valid(tp_matmul(tp_scalar_of(tape, TP_F64, 2), v)));
    assert_error(tape, TP_BAD_SHAPE, "at least one axis");
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms),
        cmocka_unit_test(test_larger_sizes),
        cmocka_unit_test(test_transposes_are_not_copied),
        cmocka_unit_test(test_a_shared_matrix_is_multiplied_once),
        cmocka_unit_test(test_transposes_that_are_seen_through),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
