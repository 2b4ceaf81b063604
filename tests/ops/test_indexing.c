/* test_indexing.c -- picking and adding up by index against plain loops, at sizes beyond the kernels' blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

/* ---- Arrays as [outer, axis, inner] --------------------------------------------------------------------- */

typedef struct size {
    int64_t outer, whole, part, inner;
} size;

static const size sizes[] = {{1, 5, 7, 1},       {3, 1000, 900, 1}, {2000, 9, 3, 1},     {1, 5000, 300, 40},
                             {2, 3, 2, 1500},    {1, 1, 100000, 1}, {4, 40, 50, 33},     {1, 70000, 2, 3},
                             {3, 7, 0, 2},       {2, 50, 5000, 2},  {1, 30000, 3000, 1}, {1, 3000, 3000, 360},
                             {2, 30000, 300, 40}}; /* more sums than are kept at once */
enum { SIZES = sizeof sizes / sizeof *sizes };

static void *allocate(int64_t count, size_t size_of_one)
{
    void *memory = calloc((size_t)count + 1, size_of_one);
    assert_non_null(memory);
    return memory;
}

static tp_shape shape_of(const size *s, int64_t axis)
{
    return TP_SHAPE(s->outer, axis, s->inner);
}

typedef struct scene {
    tp_tape *tape;
    size s;
    tp_dtype dtype;
    tp_tensor whole, part, list, each; /* parameters, and indices for the axis and for each element */
    int32_t *list_value, *each_value;
    generator random;
} scene;

static void fill(scene *s, tp_tensor leaf)
{
    const int64_t n = tp_count_of(leaf);
    for (int64_t i = 0; i < n; i++)
        if (s->dtype == TP_F32)
            ((float *)tp_leaf_data(leaf, TP_F32))[i] = (float)next_between(&s->random, -2, 2);
        else if (s->dtype == TP_F64)
            ((double *)tp_leaf_data(leaf, TP_F64))[i] = next_between(&s->random, -2, 2);
        else
            ((int32_t *)tp_leaf_data(leaf, TP_I32))[i] = (int32_t)next_below(&s->random, 100) - 50;
}

static tp_tensor make_index(scene *s, tp_shape shape, int32_t **value)
{
    const int64_t n = tp_shape_count(shape);
    *value = allocate(n, sizeof **value);
    for (int64_t i = 0; i < n; i++)
        (*value)[i] = (int32_t)next_below(&s->random, s->s.whole);
    return tp_constant(s->tape, TP_I32, shape, *value);
}

static scene open_scene(const size *of, tp_dtype dtype)
{
    scene s = {.tape = tp_tape_create(NULL), .s = *of, .dtype = dtype, .random = seeded((uint64_t)of->whole)};
    s.whole = tp_parameter(s.tape, dtype, shape_of(of, of->whole), NULL);
    s.part = tp_parameter(s.tape, dtype, shape_of(of, of->part), NULL);
    fill(&s, s.whole);
    fill(&s, s.part);
    s.list = make_index(&s, TP_SHAPE(of->part), &s.list_value);
    s.each = make_index(&s, shape_of(of, of->part), &s.each_value);
    return s;
}

static void close_scene(scene *s)
{
    assert_no_error(s->tape);
    tp_tape_destroy(s->tape);
    free(s->list_value);
    free(s->each_value);
}

static double value_at(tp_dtype dtype, const void *data, int64_t i)
{
    return dtype == TP_F32   ? (double)((const float *)data)[i]
           : dtype == TP_F64 ? ((const double *)data)[i]
                             : (double)((const int32_t *)data)[i];
}

/* The same bits as `expected`, rounded to the dtype. */
static void expect(const scene *s, const char *what, tp_tensor y, const double *expected)
{
    tp_program *program = compile_all(&y, 1);
    run_ok(program);
    const void *got = tp_values(y, s->dtype);
    for (int64_t i = 0; i < tp_count_of(y); i++) {
        const double wanted = s->dtype == TP_F32 ? as_f32(expected[i]) : expected[i];
        if (!same_f64(value_at(s->dtype, got, i), wanted))
            fail_msg("%s of %s [%lld, %lld, %lld] and %lld: element %lld is %.17g instead of %.17g", what,
                     tp_dtype_name(s->dtype), (long long)s->s.outer, (long long)s->s.whole,
                     (long long)s->s.inner, (long long)s->s.part, (long long)i, value_at(s->dtype, got, i),
                     wanted);
    }
    tp_program_destroy(program);
}

/* ---- Plain loops ---------------------------------------------------------------------------------------- */

/* Element (o, k, j) of the part belongs to this element of the whole. */
static int64_t partner(const scene *s, int64_t at, bool by_list)
{
    const int64_t inner = s->s.inner, j = at % inner, k = at / inner % s->s.part, o = at / inner / s->s.part;
    return (o * s->s.whole + (by_list ? s->list_value[k] : s->each_value[at])) * inner + j;
}

static void check_picks(scene *s)
{
    const int64_t n = tp_count_of(s->part);
    const void *x = tp_leaf_data(s->whole, s->dtype);
    double *expected = allocate(n, sizeof *expected);

    for (int64_t i = 0; i < n; i++)
        expected[i] = value_at(s->dtype, x, partner(s, i, false));
    expect(s, "take_along_axis", tp_take_along_axis(s->whole, s->each, 1), expected);
    for (int64_t i = 0; i < n; i++)
        expected[i] = value_at(s->dtype, x, partner(s, i, true));
    expect(s, "index_select", tp_index_select(s->whole, s->list, 1), expected);
    free(expected);
}

/* Sums in double in the source's order from 0, rounded; then x is added, in its own dtype. */
static void check_sums(scene *s)
{
    const int64_t n = tp_count_of(s->part), whole = tp_count_of(s->whole);
    const void *x = tp_leaf_data(s->whole, s->dtype), *source = tp_leaf_data(s->part, s->dtype);
    double *expected = allocate(whole, sizeof *expected);

    for (int by_list = 0; by_list < 2; by_list++) {
        for (int64_t i = 0; i < whole; i++)
            expected[i] = 0;
        for (int64_t i = 0; i < n; i++)
            expected[partner(s, i, by_list)] += value_at(s->dtype, source, i);
        const tp_tensor zero = tp_full(s->tape, s->dtype, tp_shape_of(s->whole), 0);
        expect(s, by_list ? "index_add alone" : "scatter_add alone",
               by_list ? tp_index_add(zero, s->list, s->part, 1) : tp_scatter_add(zero, s->each, s->part, 1),
               expected);
        for (int64_t i = 0; i < whole; i++) {
            const double sum = s->dtype == TP_F32 ? as_f32(expected[i]) : expected[i];
            expected[i] = value_at(s->dtype, x, i) + sum;
        }
        expect(s, by_list ? "index_add" : "scatter_add",
               by_list ? tp_index_add(s->whole, s->list, s->part, 1)
                       : tp_scatter_add(s->whole, s->each, s->part, 1),
               expected);
    }
    free(expected);
}

static void test_against_loops(void **state)
{
    (void)state;
    for (int k = 0; k < SIZES; k++)
        for (int dtype = TP_F32; dtype <= TP_I32; dtype++) {
            scene s = open_scene(&sizes[k], (tp_dtype)dtype);
            check_picks(&s);
            check_sums(&s);
            close_scene(&s);
        }
}

/* ---- Sums ------------------------------------------------------------------------------------------------ */

/* In f32 alone, adding 1 to 2^24 changes nothing. */
static void test_sums_are_taken_in_double(void **state)
{
    enum { N = 100 };
    double source[N];
    const int32_t index[N] = {0};
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    for (int i = 0; i < N; i++)
        source[i] = i == 0 ? 0x1p24 : 1;
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(N), source),
                    zero = tp_full(tape, TP_F32, TP_SHAPE(1), 0);
    const tp_tensor at = tp_constant(tape, TP_I32, TP_SHAPE(N), index);
    assert_true(compute_one(tp_scatter_add(zero, at, x, 0)) == 0x1p24 + 100);
    assert_true(compute_one(tp_index_add(zero, at, x, 0)) == 0x1p24 + 100);
    tp_tape_destroy(tape);
}

/* Adding the sums to zeros that happen to be zero, and to known ones, gives the same bits. */
static void test_known_zeros_change_nothing(void **state)
{
    const double source[] = {-0.0, 1, -1, -0.0}, zeros[3] = {0};
    double a[3], b[3];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(4), source),
                    known = tp_full(tape, TP_F32, TP_SHAPE(3), 0);
    const tp_tensor at = tp_constant(tape, TP_I32, TP_SHAPE(4), (int32_t[]){0, 1, 1, 0});
    (void)state;
    compute(tp_scatter_add(make_leaf(tape, TP_F32, TP_SHAPE(3), zeros), at, x, 0), a);
    compute(tp_scatter_add(known, at, x, 0), b);
    assert_same("scatter_add", a, b, 3);
    assert_same("scatter_add", a, (double[]){0, 0, 0}, 3);
    assert_false(signbit(a[0]));
    compute(tp_index_add(known, at, x, 0), b);
    assert_same("index_add", a, b, 3);
    tp_tape_destroy(tape);
}

/* ---- Bad indices ------------------------------------------------------------------------------------------ */

/* In the last block of many; nothing is assigned by such a run, and the next is fine again. */
static void test_a_bad_index_changes_nothing(void **state)
{
    enum { ROWS = 25, COLUMNS = 300 };
    static int32_t index[ROWS * COLUMNS];
    static double ones[ROWS * COLUMNS];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(ROWS, 4), NULL);
    const tp_tensor at = tp_input(tape, TP_I32, TP_SHAPE(ROWS, COLUMNS));
    double got[ROWS * 4];
    (void)state;

    for (int i = 0; i < ROWS * COLUMNS; i++)
        ones[i] = 1, index[i] = i % 4;
    const tp_tensor source = make_constant(tape, TP_F32, TP_SHAPE(ROWS, COLUMNS), ones);
    const tp_tensor step[] = {tp_assign(x, tp_scatter_add(x, at, source, 1)), tp_take_along_axis(x, at, 1)};
    tp_program *add = compile_all(step, 1), *pick = compile_all(step + 1, 1);
    for (int bad = -1; bad <= 4; bad += 5) {
        index[ROWS * COLUMNS - 7] = bad;
        tp_write(at, index, ROWS * COLUMNS);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(tp_run(k == 0 ? add : pick), TP_BAD_VALUE);
            assert_error(tape, TP_BAD_VALUE,
                         bad < 0 ? "the index -1 (element 7493) is outside [0, 4)"
                                 : "the index 4 (element 7493) is outside [0, 4)");
        }
        get_values(x, got);
        for (int i = 0; i < ROWS * 4; i++)
            assert_true(got[i] == 0);
    }
    index[ROWS * COLUMNS - 7] = 0;
    tp_write(at, index, ROWS * COLUMNS);
    run_ok(add);
    get_values(x, got);
    assert_true(got[0] == 75);
    tp_program_destroy(add);
    tp_program_destroy(pick);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_loops),
        cmocka_unit_test(test_sums_are_taken_in_double),
        cmocka_unit_test(test_known_zeros_change_nothing),
        cmocka_unit_test(test_a_bad_index_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
