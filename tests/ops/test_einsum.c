/* test_einsum.c -- Einstein sums of random subscripts against their definition, and which work they are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

/* ---- The definition ------------------------------------------------------------------------------------------ */

enum { LETTERS = 5, MOST_OPERANDS = 4 };
static const int64_t size_of[LETTERS] = {2, 3, 2, 1, 4};

/* Axes as letters 0 .. 4. */
typedef struct axes {
    int n, letter[8];
} axes;

static tp_shape shape_of(const axes *a)
{
    tp_shape shape = {.rank = a->n};
    for (int k = 0; k < a->n; k++)
        shape.dim[k] = size_of[a->letter[k]];
    return shape;
}

static int64_t offset_of(const axes *a, const int64_t *index)
{
    int64_t at = 0;
    for (int k = 0; k < a->n; k++)
        at = at * size_of[a->letter[k]] + index[a->letter[k]];
    return at;
}

/* y[...] += x0[...] x1[...] ... for every index of all letters that occur. */
static void by_definition(const axes *x, int n, const axes *y, double value[][VALUES_MAX], double *result)
{
    int64_t index[LETTERS] = {0};
    bool occurs[LETTERS] = {false};

    for (int k = 0; k < n; k++)
        for (int d = 0; d < x[k].n; d++)
            occurs[x[k].letter[d]] = true;
    memset(result, 0, (size_t)tp_shape_count(shape_of(y)) * sizeof *result);
    for (int letter = 0; letter >= 0;) {
        double product = 1;
        for (int k = 0; k < n; k++)
            product *= value[k][offset_of(&x[k], index)];
        result[offset_of(y, index)] += product;
        for (letter = LETTERS - 1; letter >= 0; letter--) { /* the next index of all */
            if (occurs[letter] && ++index[letter] < size_of[letter])
                break;
            index[letter] = 0;
        }
    }
}

/* ---- Random subscripts ----------------------------------------------------------------------------------------- */

static void write_axes(char *text, const axes *a)
{
    for (int k = 0; k < a->n; k++)
        text[strlen(text)] = (char)("jZaBk"[a->letter[k]]); /* zeros follow */
}

static void random_operand(generator *g, axes *a)
{
    a->n = (int)next_below(g, 5);
    for (int k = 0; k < a->n; k++)
        a->letter[k] = (int)next_below(g, LETTERS);
}

/* Some of the letters that occur, each once. */
static void random_result(generator *g, const axes *x, int n, axes *y)
{
    y->n = 0;
    for (int letter = 0; letter < LETTERS; letter++) {
        bool occurs = false;
        for (int k = 0; k < n; k++)
            for (int d = 0; d < x[k].n; d++)
                occurs = occurs || x[k].letter[d] == letter;
        if (!occurs || next_chance(g, 0.4))
            continue;
        const int at = (int)next_below(g, y->n + 1);
        memmove(y->letter + at + 1, y->letter + at, (size_t)(y->n - at) * sizeof *y->letter);
        y->letter[at] = letter;
        y->n++;
    }
}

static void check_random(uint64_t seed)
{
    static double value[MOST_OPERANDS][VALUES_MAX], expected[VALUES_MAX], got[VALUES_MAX];
    generator g = seeded(seed);
    tp_tape *tape = tp_tape_create(NULL);
    axes x[MOST_OPERANDS], y;
    tp_tensor leaf[MOST_OPERANDS];
    char text[64] = "";
    const int n = 1 + (int)next_below(&g, MOST_OPERANDS);

    for (int k = 0; k < n; k++) {
        random_operand(&g, &x[k]);
        write_axes(text, &x[k]);
        strcat(text, k + 1 < n ? "," : "->");
        for (int64_t i = 0; i < tp_shape_count(shape_of(&x[k])); i++)
            value[k][i] = (double)(next_below(&g, 7) - 3); /* exact in any order */
        leaf[k] = make_leaf(tape, TP_F64, shape_of(&x[k]), value[k]);
    }
    random_result(&g, x, n, &y);
    write_axes(text, &y);
    by_definition(x, n, &y, value, expected);
    const tp_tensor result = tp_einsum(text, leaf, n);
    assert_no_error(tape);
    if (!tp_shape_equal(tp_shape_of(result), shape_of(&y)))
        fail_msg("%s: wrong shape", text);
    compute(result, got);
    assert_close(text, got, expected, tp_count_of(result), 0);
    tp_tape_destroy(tape);
}

static void test_random_subscripts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1500; seed++)
        check_random(seed);
}

/* ---- Implicit results and ellipses ------------------------------------------------------------------------------ */

static void expect_same(const char *implied, const char *said, tp_shape a, tp_shape b)
{
    tp_tape *tape = tp_tape_create(NULL);
    double values[64];
    for (int k = 0; k < 64; k++)
        values[k] = k % 5 - 2;
    const tp_tensor x[] = {make_leaf(tape, TP_F64, a, values), make_leaf(tape, TP_F64, b, values)};
    const tp_tensor y = tp_einsum(implied, x, 2), z = tp_einsum(said, x, 2);
    assert_no_error(tape);
    if (y.id != z.id)
        fail_msg("%s is another tensor than %s", implied, said);
    tp_tape_destroy(tape);
}

static void test_implied_results(void **state)
{
    (void)state;
    expect_same("ij,jk", "ij,jk->ik", TP_SHAPE(2, 3), TP_SHAPE(3, 2));
    expect_same("kj,ji", "kj,ji->ik", TP_SHAPE(2, 3), TP_SHAPE(3, 2));
    expect_same(" b a , a C ", "ba,aC->Cb", TP_SHAPE(2, 3), TP_SHAPE(3, 2)); /* capitals come first */
    expect_same("...a,a...", "...a,a...->...", TP_SHAPE(2, 3), TP_SHAPE(3, 2));
    expect_same("a...,b...", "a...,b...->...ab", TP_SHAPE(2, 3), TP_SHAPE(2, 1));
    expect_same("...,...", "...,...->...", TP_SHAPE_0D, TP_SHAPE(2, 3));
}

static void test_broadcast_ellipsis(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    double got[16];
    const tp_tensor x[] = {make_leaf(tape, TP_F64, TP_SHAPE(2, 1, 2), (double[]){1, 2, 3, 4}),
                           make_leaf(tape, TP_F64, TP_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6})};
    const tp_tensor y = tp_einsum("...i,i...->...", x, 2); /* [2,1] with [3] */
    (void)state;
    assert_no_error(tape);
    assert_true(tp_shape_equal(tp_shape_of(y), TP_SHAPE(2, 3)));
    compute(y, got);
    assert_same("broadcast", got, (double[]){9, 12, 15, 19, 26, 33}, 6);
    tp_tape_destroy(tape);
}

/* ---- The work -------------------------------------------------------------------------------------------------- */

/* One call of the BLAS and nothing else, also in the gradients: no operand is copied for it. */
static void expect_products_only(const char *subscripts, tp_shape a, tp_shape b, int calls)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[] = {tp_parameter(tape, TP_F32, a, NULL), tp_parameter(tape, TP_F32, b, NULL)};
    const tp_tensor y = tp_einsum(subscripts, x, 2), seed = tp_parameter(tape, TP_F32, tp_shape_of(y), NULL);
    tp_tensor output[3] = {y};
    assert_int_equal(tp_vector_jacobian(y, seed, x, 2, output + 1, NULL), TP_OK);
    tp_program *program = tp_compile(output, 3, NULL);
    assert_non_null(program);
    const tp_program_summary r = tp_program_report(program);
    if (r.calls != calls || r.loops != 0)
        fail_msg("%s: %d calls, %d loops", subscripts, r.calls, r.loops);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_products_copy_nothing(void **state)
{
    (void)state;
    expect_products_only("ij,jk->ik", TP_SHAPE(20, 30), TP_SHAPE(30, 40), 3);
    expect_products_only("ij,kj->ik", TP_SHAPE(20, 30), TP_SHAPE(40, 30), 3);
    expect_products_only("ji,jk->ik", TP_SHAPE(30, 20), TP_SHAPE(30, 40), 3);
    expect_products_only("ji,kj->ik", TP_SHAPE(30, 20), TP_SHAPE(40, 30), 3);
    expect_products_only("ij,jk->ki", TP_SHAPE(20, 30), TP_SHAPE(30, 40), 3);
    expect_products_only("bij,bkj->bik", TP_SHAPE(2, 20, 30), TP_SHAPE(2, 40, 30), 3);
    expect_products_only("bij,jk->bik", TP_SHAPE(2, 20, 30), TP_SHAPE(30, 40), 3);
    expect_products_only("ijk,jkl->il", TP_SHAPE(20, 3, 10), TP_SHAPE(3, 10, 40), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_subscripts),
        cmocka_unit_test(test_implied_results),
        cmocka_unit_test(test_broadcast_ellipsis),
        cmocka_unit_test(test_products_copy_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
