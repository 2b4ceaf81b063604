/* test_structure.c -- values of views and concat, element by element from their definitions, zero sizes included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

/* ---- Arrays by index ------------------------------------------------------------------------------------ */

typedef struct array {
    tp_shape shape;
    double *x;
} array;

static double element(array a, const int64_t *index)
{
    int64_t at = 0;
    for (int64_t d = 0; d < a.shape.rank; d++)
        at = at * a.shape.dim[d] + index[d];
    return a.x[at];
}

static void unravel(tp_shape shape, int64_t linear, int64_t *index)
{
    for (int64_t d = shape.rank - 1; d >= 0; d--) {
        index[d] = linear % shape.dim[d];
        linear /= shape.dim[d];
    }
}

/* 1, 2, 3, ... : every element is another one. */
static array counted(tp_shape shape, double *storage)
{
    for (int64_t i = 0; i < tp_shape_count(shape); i++)
        storage[i] = (double)(i + 1);
    return (array){shape, storage};
}

static void expect(const char *what, tp_tensor y, tp_shape shape, const double *expected)
{
    static double got[VALUES_MAX];
    assert_no_error(y.tape);
    if (!tp_shape_equal(tp_shape_of(y), shape))
        fail_msg("%s: wrong shape", what);
    compute(y, got);
    assert_same(what, got, expected, tp_shape_count(shape));
}

static double storage[3][VALUES_MAX], expected[VALUES_MAX];

/* ---- Views ---------------------------------------------------------------------------------------------- */

static void check_permute(tp_dtype dtype, tp_shape shape, tp_axes axes)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(shape, storage[0]);
    tp_shape moved = {.rank = shape.rank};
    int64_t index[TP_MAX_RANK] = {0}, from[TP_MAX_RANK] = {0};

    for (int k = 0; k < axes.n; k++)
        moved.dim[k] = shape.dim[axes.axis[k]];
    for (int64_t i = 0; i < tp_shape_count(moved); i++) {
        unravel(moved, i, index);
        for (int k = 0; k < axes.n; k++)
            from[axes.axis[k]] = index[k];
        expected[i] = element(a, from);
    }
    const tp_tensor x = make_leaf(tape, dtype, shape, a.x), y = tp_permute(x, axes);
    expect("permute", y, moved, expected);
    for (int k = 0; k < axes.n; k++)
        axes.axis[k] -= axes.n; /* counted from the end */
    assert_int_equal(tp_permute(x, axes).id, y.id);
    tp_tape_destroy(tape);
}

static void test_permute(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++) {
        check_permute(dtype, TP_SHAPE(2, 3, 4), TP_AXES(2, 0, 1));
        check_permute(dtype, TP_SHAPE(2, 3, 4), TP_AXES(0, 2, 1));
        check_permute(dtype, TP_SHAPE(2, 3, 4), TP_AXES(0, 1, 2));
        check_permute(dtype, TP_SHAPE(1, 3, 1, 2), TP_AXES(3, 0, 2, 1));
        check_permute(dtype, TP_SHAPE(3, 0, 2), TP_AXES(2, 1, 0));
        check_permute(dtype, TP_SHAPE(2, 1, 2, 1, 2, 1, 2, 3), TP_AXES(7, 6, 5, 4, 3, 2, 1, 0));
    }
}

static void check_permute_of_permute(tp_shape shape, tp_axes p, tp_axes q)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(shape, storage[0]);
    tp_shape moved = {.rank = 3};
    int64_t index[3] = {0}, from[3] = {0};

    for (int k = 0; k < 3; k++)
        moved.dim[k] = shape.dim[p.axis[q.axis[k]]];
    for (int64_t i = 0; i < tp_shape_count(moved); i++) {
        unravel(moved, i, index);
        for (int k = 0; k < 3; k++)
            from[p.axis[q.axis[k]]] = index[k];
        expected[i] = element(a, from);
    }
    expect("permute of permute", tp_permute(tp_permute(make_leaf(tape, TP_F64, shape, a.x), p), q), moved,
           expected);
    tp_tape_destroy(tape);
}

/* Every order after every other; with equal sizes a wrong one has the right shape. */
static void test_permute_of_permute(void **state)
{
    static const tp_axes order[] = {{3, {0, 1, 2}}, {3, {0, 2, 1}}, {3, {1, 0, 2}},
                                    {3, {1, 2, 0}}, {3, {2, 0, 1}}, {3, {2, 1, 0}}};
    (void)state;
    for (int p = 0; p < 6; p++)
        for (int q = 0; q < 6; q++) {
            check_permute_of_permute(TP_SHAPE(2, 3, 4), order[p], order[q]);
            check_permute_of_permute(TP_SHAPE(3, 3, 3), order[p], order[q]);
        }
}

static void test_transpose_swaps(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(2, 3, 4), NULL);
    (void)state;
    assert_int_equal(tp_transpose(x, 0, -1).id, tp_permute(x, TP_AXES(2, 1, 0)).id);
    assert_int_equal(tp_transpose(x, 1, 1).id, x.id);
    assert_int_equal(tp_transpose(tp_transpose(x, 0, 1), 1, 0).id, x.id);
    tp_tape_destroy(tape);
}

typedef struct range {
    int axis;
    int64_t start, stop, step;
    int64_t first, size, stride; /* what they mean */
} range;

static void check_slice(tp_dtype dtype, tp_shape shape, range r)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(shape, storage[0]);
    const int axis = r.axis < 0 ? r.axis + (int)shape.rank : r.axis;
    tp_shape cut = shape;
    int64_t index[TP_MAX_RANK] = {0};

    cut.dim[axis] = r.size;
    for (int64_t i = 0; i < tp_shape_count(cut); i++) {
        unravel(cut, i, index);
        index[axis] = r.first + index[axis] * r.stride;
        expected[i] = element(a, index);
    }
    expect("slice", tp_slice(make_leaf(tape, dtype, shape, a.x), r.axis, r.start, r.stop, r.step), cut,
           expected);
    tp_tape_destroy(tape);
}

static void test_slice(void **state)
{
    static const range ranges[] = {
        {0, 0, 2, 1, 0, 2, 1},
        {1, 1, 4, 1, 1, 3, 1},
        {1, 0, 5, 2, 0, 3, 2},
        {-1, 1, TP_END, 2, 1, 2, 2},
        {1, -3, -1, 1, 2, 2, 1},
        {1, 4, 2, 1, 0, 0, 1},
        {1, 5, 5, 1, 0, 0, 1},
        {1, TP_END, TP_END, 3, 0, 0, 1},
        {1, 0, TP_END, 100, 0, 1, 1},
        {2, 3, TP_END, 1, 3, 1, 1},
        {0, -2, TP_END, INT64_MAX, 0, 1, 1},
        {1, 0, 0, 1, 0, 0, 1},
    };
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++)
        for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
            check_slice(dtype, TP_SHAPE(2, 5, 4), ranges[k]);
    check_slice(TP_F64, TP_SHAPE(0, 5), (range){1, 1, 3, 1, 1, 2, 1});
}

/* Slices of slices are one slice of the whole. */
static void test_slices_of_slices(void **state)
{
    generator g = seeded(21);
    (void)state;
    for (int round = 0; round < 200; round++) {
        tp_tape *tape = tp_tape_create(NULL);
        const array a = counted(TP_SHAPE(60), storage[0]);
        tp_tensor x = make_leaf(tape, TP_F64, a.shape, a.x);
        int64_t n = 60;
        memcpy(expected, a.x, 60 * sizeof *expected);
        for (int depth = 0; depth < 4; depth++) {
            const int64_t start = next_below(&g, n + 1), stop = next_below(&g, n + 1),
                          step = 1 + next_below(&g, 4);
            int64_t size = 0;
            for (int64_t i = start; i < stop; i += step)
                expected[size++] = expected[i];
            x = tp_slice(x, 0, start, stop, step);
            n = size;
            expect("slice of slice", x, TP_SHAPE(n), expected);
        }
        tp_tape_destroy(tape);
    }
}

static void check_expand(tp_shape from, tp_shape to)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(from, storage[0]);
    int64_t index[TP_MAX_RANK] = {0}, own[TP_MAX_RANK] = {0};

    for (int64_t i = 0; i < tp_shape_count(to); i++) {
        unravel(to, i, index);
        for (int64_t d = 0; d < from.rank; d++)
            own[d] = from.dim[d] == 1 ? 0 : index[d + to.rank - from.rank];
        expected[i] = element(a, own);
    }
    expect("expand", tp_expand(make_leaf(tape, TP_F64, from, a.x), to), to, expected);
    tp_tape_destroy(tape);
}

static void test_expand(void **state)
{
    (void)state;
    check_expand(TP_SHAPE_0D, TP_SHAPE(2, 3));
    check_expand(TP_SHAPE(3), TP_SHAPE(2, 3));
    check_expand(TP_SHAPE(2, 1), TP_SHAPE(2, 3));
    check_expand(TP_SHAPE(1, 3, 1), TP_SHAPE(4, 2, 3, 5));
    check_expand(TP_SHAPE(1, 3), TP_SHAPE(0, 3));
    check_expand(TP_SHAPE(2, 3), TP_SHAPE(2, 3));
    check_expand(TP_SHAPE(1), TP_SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
}

static void check_reshape(tp_shape from, tp_shape asked, tp_shape to)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(from, storage[0]);
    const tp_tensor x = make_leaf(tape, TP_F64, from, a.x);

    expect("reshape", tp_reshape(x, asked), to, a.x);
    expect("reshape back", tp_reshape(tp_reshape(x, asked), from), from, a.x);
    tp_tape_destroy(tape);
}

static void test_reshape(void **state)
{
    (void)state;
    check_reshape(TP_SHAPE(2, 3), TP_SHAPE(6), TP_SHAPE(6));
    check_reshape(TP_SHAPE(2, 3), TP_SHAPE(3, -1), TP_SHAPE(3, 2));
    check_reshape(TP_SHAPE(1), TP_SHAPE_0D, TP_SHAPE_0D);
    check_reshape(TP_SHAPE_0D, TP_SHAPE(1, -1), TP_SHAPE(1, 1));
    check_reshape(TP_SHAPE(4, 6), TP_SHAPE(2, 2, 3, 2), TP_SHAPE(2, 2, 3, 2));
    /* without elements */
    check_reshape(TP_SHAPE(0, 3), TP_SHAPE(2, 0, 5), TP_SHAPE(2, 0, 5));
    check_reshape(TP_SHAPE(0, 3), TP_SHAPE(7, 9, 0), TP_SHAPE(7, 9, 0));
    check_reshape(TP_SHAPE(0, 3, 4), TP_SHAPE(-1, 3, 4), TP_SHAPE(0, 3, 4));
    check_reshape(TP_SHAPE(5, 0), TP_SHAPE(0), TP_SHAPE(0));
    check_reshape(TP_SHAPE(3, 0), TP_SHAPE(3, -1), TP_SHAPE(3, 0));
}

static void test_reshapes_that_do_not_fit(void **state)
{
    static const tp_shape wrong[][2] = {
        {{2, {2, 3}}, {1, {5}}},
        {{2, {2, 3}}, {2, {-1, 4}}},
        {{2, {2, 3}}, {2, {-1, -1}}},
        {{2, {2, 3}}, {2, {-2, -3}}},
        {{2, {0, 3}}, {2, {5, 3}}},
        {{2, {0, 3}}, {2, {0, -1}}},
        {{2, {2, 3}}, {2, {0, 6}}},
        {{2, {2, 3}}, {0, {0}}},
        {{2, {2, 3}}, {2, {INT64_MAX, INT64_MAX}}},
        {{2, {2, 3}}, {9, {6}}},
        {{2, {0, 3}}, {3, {5, 0, -7}}},
        {{2, {2, 3}}, {3, {1LL << 32, 1LL << 32, 6}}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = tp_parameter(tape, TP_F64, wrong[k][0], NULL);
        if (tp_is_valid(tp_reshape(x, wrong[k][1])))
            fail_msg("reshape %d was accepted", (int)k);
        assert_error(tape, TP_BAD_SHAPE, "reshape: ");
        tp_tape_destroy(tape);
    }
}

/* ---- Views of views as results of one program ------------------------------------------------------------------ */

/* The slice has no gaps in what is permuted, but has in the permuted result. */
static void test_views_of_results(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const array a = counted(TP_SHAPE(3, 2), storage[0]);
    const tp_tensor x = tp_neg(make_leaf(tape, TP_F64, a.shape, a.x)), moved = tp_transpose(x, 0, 1);
    const tp_tensor column = tp_slice(moved, 1, 1, 2, 1);
    tp_program *program = compile_all((tp_tensor[]){moved, column}, 2);
    double got[6];

    (void)state;
    run_ok(program);
    get_values(moved, got);
    assert_same("permuted", got, (double[]){-1, -3, -5, -2, -4, -6}, 6);
    get_values(column, got);
    assert_same("a column of it", got, (double[]){-3, -4}, 2);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- concat ---------------------------------------------------------------------------------------------- */

static void check_concat(tp_dtype dtype, const tp_shape *shape, int n, int axis)
{
    tp_tape *tape = tp_tape_create(NULL);
    array a[3];
    tp_tensor x[3];
    tp_shape joined = shape[0];
    const int d = axis < 0 ? axis + (int)joined.rank : axis;
    int64_t index[TP_MAX_RANK] = {0};

    joined.dim[d] = 0;
    for (int k = 0; k < n; k++) {
        a[k] = counted(shape[k], storage[k]);
        for (int64_t i = 0; i < tp_shape_count(shape[k]); i++)
            a[k].x[i] += 100 * k;
        x[k] = make_leaf(tape, dtype, shape[k], a[k].x);
        joined.dim[d] += shape[k].dim[d];
    }
    for (int64_t i = 0; i < tp_shape_count(joined); i++) {
        int k = 0;
        unravel(joined, i, index);
        while (index[d] >= shape[k].dim[d])
            index[d] -= shape[k++].dim[d];
        expected[i] = element(a[k], index);
    }
    expect("concat", tp_concat(x, n, axis), joined, expected);
    tp_tape_destroy(tape);
}

static void test_concat(void **state)
{
    (void)state;
    for (tp_dtype dtype = TP_F32; dtype <= TP_I32; dtype++) {
        check_concat(dtype, (tp_shape[]){TP_SHAPE(2), TP_SHAPE(3)}, 2, 0);
        check_concat(dtype, (tp_shape[]){TP_SHAPE(2, 3), TP_SHAPE(1, 3), TP_SHAPE(3, 3)}, 3, 0);
        check_concat(dtype, (tp_shape[]){TP_SHAPE(2, 3), TP_SHAPE(2, 1), TP_SHAPE(2, 0)}, 3, -1);
        check_concat(dtype, (tp_shape[]){TP_SHAPE(2, 0, 3), TP_SHAPE(2, 2, 3), TP_SHAPE(2, 1, 3)}, 3, 1);
        check_concat(dtype, (tp_shape[]){TP_SHAPE(0, 3), TP_SHAPE(0, 2)}, 2, 1);
        check_concat(dtype, (tp_shape[]){TP_SHAPE(2, 3)}, 1, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permute),          cmocka_unit_test(test_permute_of_permute),
        cmocka_unit_test(test_transpose_swaps),  cmocka_unit_test(test_slice),
        cmocka_unit_test(test_slices_of_slices), cmocka_unit_test(test_expand),
        cmocka_unit_test(test_reshape),          cmocka_unit_test(test_reshapes_that_do_not_fit),
        cmocka_unit_test(test_views_of_results), cmocka_unit_test(test_concat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
