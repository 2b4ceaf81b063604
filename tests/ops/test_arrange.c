/* test_arrange.c -- arrangements against a rule that says, for each element of the result, where it comes from; as a value,
 * behind and in front of elementwise ops, and as the operand of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "values.h"

/* ---- Rules ------------------------------------------------------------------------------------------------ */

/* From an index into the result (y) to one into the operand (x); false where there is none: the element is `otherwise`. */
typedef struct rule {
    const char *name;
    tp_tensor (*build)(tp_tensor x);
    bool (*source)(const tp_shape *shape, const int64_t *y, int64_t *x);
    double otherwise;
} rule;

static int64_t modulo(int64_t a, int64_t n)
{
    return (a % n + n) % n;
}

static void copy_index(const int64_t *y, int64_t *x)
{
    memcpy(x, y, TP_MAX_RANK * sizeof *x);
}

static tp_tensor build_flip(tp_tensor x)
{
    return tp_flip(x, TP_AXES(0, -1));
}

static bool source_flip(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = s->dim[0] - 1 - y[0];
    x[2] = s->dim[2] - 1 - y[2];
    return true;
}

static tp_tensor build_roll(tp_tensor x)
{
    return tp_roll(tp_roll(x, 1, -8), 2, 3);
}

static bool source_roll(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[1] = modulo(y[1] + 8, s->dim[1]);
    x[2] = modulo(y[2] - 3, s->dim[2]);
    return true;
}

static tp_tensor build_tile(tp_tensor x)
{
    return tp_tile(tp_repeat(x, 1, 3), 0, 2);
}

static bool source_tile(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = y[0] % s->dim[0];
    x[1] = y[1] / 3;
    return true;
}

/* ---- Padding: 1 before and 2 behind axis 0, 2 and 1 at axis 2 */

static tp_tensor pad_two(tp_tensor x, tp_pad_mode mode, double value)
{
    const tp_pad_options o = {mode, value};
    return tp_pad(tp_pad(x, 0, 1, 2, &o), 2, 2, 1, &o);
}

static tp_tensor build_constant(tp_tensor x)
{
    return pad_two(x, TP_PAD_CONSTANT, 7);
}

static bool source_constant(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = y[0] - 1;
    x[2] = y[2] - 2;
    return x[0] >= 0 && x[0] < s->dim[0] && x[2] >= 0 && x[2] < s->dim[2];
}

static tp_tensor build_reflect(tp_tensor x)
{
    return pad_two(x, TP_PAD_REFLECT, 0);
}

static int64_t mirrored(int64_t p, int64_t n)
{
    const int64_t around = modulo(p, 2 * n - 2);
    return around < n ? around : 2 * n - 2 - around;
}

static bool source_reflect(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = mirrored(y[0] - 1, s->dim[0]);
    x[2] = mirrored(y[2] - 2, s->dim[2]);
    return true;
}

static tp_tensor build_replicate(tp_tensor x)
{
    return pad_two(x, TP_PAD_REPLICATE, 0);
}

static int64_t clamped(int64_t p, int64_t n)
{
    return p < 0 ? 0 : p >= n ? n - 1 : p;
}

static bool source_replicate(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = clamped(y[0] - 1, s->dim[0]);
    x[2] = clamped(y[2] - 2, s->dim[2]);
    return true;
}

static tp_tensor build_circular(tp_tensor x)
{
    return pad_two(x, TP_PAD_CIRCULAR, 0);
}

static bool source_circular(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = modulo(y[0] - 1, s->dim[0]);
    x[2] = modulo(y[2] - 2, s->dim[2]);
    return true;
}

/* A padded axis in front: whole rows are copied. */
static tp_tensor build_pad_front(tp_tensor x)
{
    return tp_pad(x, 0, 2, 1, &(tp_pad_options){.value = 7});
}

static bool source_pad_front(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[0] = y[0] - 2;
    return x[0] >= 0 && x[0] < s->dim[0];
}

/* ---- Diagonals, triangles, new axes */

static tp_tensor build_diagonal(tp_tensor x)
{
    return tp_diagonal(x, -1, 2, 0);
}

static bool source_diagonal(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    x[1] = y[0];
    x[2] = y[1] + 1;
    x[0] = y[1];
    return true;
}

static tp_tensor build_diagonal_embed(tp_tensor x)
{
    return tp_diagonal_embed(x, 2);
}

static bool source_diagonal_embed(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    copy_index(y, x);
    return y[3] == y[2] + 2;
}

static tp_tensor build_tril(tp_tensor x)
{
    return tp_tril(x, 1);
}

static bool source_tril(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    copy_index(y, x);
    return y[2] - y[1] <= 1;
}

static tp_tensor build_triu(tp_tensor x)
{
    return tp_triu(x, -1);
}

static bool source_triu(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    copy_index(y, x);
    return y[2] - y[1] >= -1;
}

static tp_tensor build_stack(tp_tensor x)
{
    return tp_stack((tp_tensor[]){x, x, x}, 3, 2);
}

static bool source_stack(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    x[0] = y[0], x[1] = y[1], x[2] = y[3];
    return true;
}

/* The pieces in another order. */
static tp_tensor build_split(tp_tensor x)
{
    const int64_t size = tp_shape_of(x).dim[1], sizes[] = {2, size - 2, 0};
    tp_tensor piece[3];
    assert_int_equal(tp_split(x, -2, sizes, 3, piece), TP_OK);
    return tp_concat((tp_tensor[]){piece[1], piece[2], piece[0]}, 3, 1);
}

static bool source_split(const tp_shape *s, const int64_t *y, int64_t *x)
{
    copy_index(y, x);
    x[1] = (y[1] + 2) % s->dim[1];
    return true;
}

static tp_tensor build_unsqueeze(tp_tensor x)
{
    return tp_squeeze(tp_unsqueeze(tp_unsqueeze(x, 1), -1), TP_AXES(1));
}

static bool source_unsqueeze(const tp_shape *s, const int64_t *y, int64_t *x)
{
    (void)s;
    copy_index(y, x);
    return true;
}

static const rule rules[] = {
    {"flip", build_flip, source_flip, 0},
    {"roll", build_roll, source_roll, 0},
    {"tile and repeat", build_tile, source_tile, 0},
    {"pad with a number", build_constant, source_constant, 7},
    {"pad in front", build_pad_front, source_pad_front, 7},
    {"pad reflected", build_reflect, source_reflect, 0},
    {"pad with the edge", build_replicate, source_replicate, 0},
    {"pad circular", build_circular, source_circular, 0},
    {"diagonal", build_diagonal, source_diagonal, 0},
    {"diagonal_embed", build_diagonal_embed, source_diagonal_embed, 0},
    {"tril", build_tril, source_tril, 0},
    {"triu", build_triu, source_triu, 0},
    {"stack", build_stack, source_stack, 0},
    {"split", build_split, source_split, 0},
    {"unsqueeze and squeeze", build_unsqueeze, source_unsqueeze, 0},
};

/* ---- Checking ---------------------------------------------------------------------------------------------- */

static int64_t linear_index(const tp_shape *shape, const int64_t *index)
{
    int64_t at = 0;
    for (int64_t d = 0; d < shape->rank; d++)
        at = at * shape->dim[d] + index[d];
    return at;
}

static void check_rule(const rule *r, tp_dtype dtype, tp_shape shape)
{
    static double value[VALUES_MAX], got[VALUES_MAX], expected[VALUES_MAX];
    tp_tape *tape = tp_tape_create(NULL);
    char what[128];

    for (int64_t i = 0; i < tp_shape_count(shape); i++)
        value[i] = (double)(i % 1000) + 11; /* not what is padded with */
    const tp_tensor x = make_leaf(tape, dtype, shape, value), y = r->build(x);
    assert_no_error(tape);
    const tp_shape to = tp_shape_of(y);
    int64_t index[TP_MAX_RANK] = {0}, from[TP_MAX_RANK] = {0};
    for (int64_t i = 0; i < tp_shape_count(to); i++) {
        for (int64_t d = to.rank - 1, rest = i; d >= 0; rest /= to.dim[d--])
            index[d] = rest % to.dim[d];
        expected[i] = r->source(&shape, index, from) ? value[linear_index(&shape, from)] : r->otherwise;
    }
    snprintf(what, sizeof what, "%s of %s", r->name, tp_dtype_name(dtype));
    compute(y, got);
    assert_same(what, got, expected, tp_shape_count(to));

    /* Behind one elementwise op, and in front of another. */
    const tp_tensor minus = tp_neg(r->build(tp_neg(x)));
    for (int64_t i = 0; i < tp_shape_count(to); i++)
        expected[i] = expected[i] == r->otherwise ? -expected[i] : expected[i];
    compute(minus, got);
    assert_close(what, got, expected, tp_shape_count(to), 0);
    tp_tape_destroy(tape);
}

static void test_every_element_comes_from_where_it_should(void **state)
{
    static const tp_shape shape[] = {{3, {4, 5, 6}}, {3, {3, 2, 30}}, {3, {5, 7, 3}}};
    (void)state;
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
            for (int dtype = TP_F32; dtype <= TP_I32; dtype++)
                check_rule(&rules[k], (tp_dtype)dtype, shape[s]);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------- */

static void expect_one_node(tp_tensor a, tp_tensor b)
{
    assert_true(tp_is_valid(a) && tp_is_valid(b));
    assert_int_equal(a.id, b.id);
}

/* What does nothing is no node; what is done twice is one. */
static void test_simplifications(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(2, 3), NULL);
    const tp_pad_options seven = {.value = 7}, edge = {.mode = TP_PAD_REPLICATE};
    (void)state;

    expect_one_node(tp_flip(tp_flip(x, TP_AXES(0)), TP_AXES(0)), x);
    expect_one_node(tp_flip(tp_flip(x, TP_AXES(0)), TP_AXES(1)), tp_flip(x, TP_AXES(0, 1)));
    expect_one_node(tp_flip(x, (tp_axes){0}), x);
    expect_one_node(tp_roll(x, 1, 3), x);
    expect_one_node(tp_roll(tp_roll(x, 1, 1), 1, -1), x);
    expect_one_node(tp_roll(tp_roll(x, 1, 1), 1, 1), tp_roll(x, 1, -1));
    expect_one_node(tp_pad(x, 1, 0, 0, &seven), x);
    expect_one_node(tp_pad(tp_pad(x, 1, 1, 0, &seven), 0, 2, 0, &seven),
                    tp_pad(tp_pad(x, 0, 2, 0, &seven), 1, 1, 0, &seven));
    expect_one_node(tp_pad(tp_pad(x, 1, 1, 0, NULL), 1, 2, 5, NULL), tp_pad(x, 1, 3, 5, NULL));
    expect_one_node(tp_pad(tp_pad(x, 1, 1, 0, &edge), 0, 2, 0, &edge),
                    tp_pad(tp_pad(x, 0, 2, 0, &edge), 1, 1, 0, &edge));
    assert_int_not_equal(tp_pad(tp_pad(x, 1, 1, 0, NULL), 1, 2, 5, &seven).id, tp_pad(x, 1, 3, 5, &seven).id);
    expect_one_node(tp_squeeze(tp_unsqueeze(x, 1), TP_AXES(1)), x);
    expect_one_node(tp_tile(x, 0, 1), x);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_element_comes_from_where_it_should),
        cmocka_unit_test(test_simplifications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
