/* test_convolution_blocked.c -- channels in blocks and back, exactly; the convolutions of such channels beside the plain ops'
 * own kernels: every role, strides, padding, dilation, groups, odd sizes, few channels; the same bits in every run.
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

#ifdef _OPENMP
#include <omp.h>
#endif

#include "convolution.h"
#include "onednn.h"
#include "values.h"

#define COUNT_OF(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* ---- Conversions ------------------------------------------------------------------------------------------ */

static void *bytes_of(tp_tensor y, size_t *bytes)
{
    *bytes = (size_t)tp_count_of(y) * tp_dtype_size(tp_dtype_of(y));
    void *copy = malloc(*bytes + 1);
    const void *values = tp_values(y, tp_dtype_of(y));
    assert_non_null(copy);
    assert_non_null(values);
    memcpy(copy, values, *bytes);
    return copy;
}

/* Any bits: what is moved is not looked at. */
static tp_tensor leaf_of_bits(tp_tape *tape, tp_dtype dtype, tp_shape shape)
{
    const tp_tensor x = tp_parameter(tape, dtype, shape, NULL);
    unsigned char *data = tp_leaf_data(x, dtype);
    generator random = seeded(7);
    for (size_t i = 0; i < (size_t)tp_shape_count(shape) * tp_dtype_size(dtype); i++)
        data[i] = (unsigned char)next_bits(&random);
    return x;
}

/* Where the element at row-major place i of a plain tensor lies when its channels are in blocks. */
static int64_t place_in_blocks(const tp_shape *plain, int64_t block, int64_t i)
{
    int64_t places = 1;
    for (int64_t d = 2; d < plain->rank; d++)
        places *= plain->dim[d];
    const int64_t place = i % places, channel = i / places % plain->dim[1],
                  image = i / places / plain->dim[1];
    return ((image * (plain->dim[1] / block) + channel / block) * places + place) * block + channel % block;
}

static void check_conversion(tp_shape shape, int64_t block, tp_dtype dtype)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf_of_bits(tape, dtype, shape), blocks = tp_channels_to_blocks(x, block);
    const tp_shape blocked = tp_shape_of(blocks);
    /* not of `blocks`, which would be x itself */
    const tp_tensor y = leaf_of_bits(tape, dtype, blocked), plain = tp_channels_from_blocks(y);
    tp_program *program = compile_all((tp_tensor[]){blocks, plain}, 2);
    size_t bytes, size = tp_dtype_size(dtype);

    run_ok(program);
    assert_true(tp_shape_equal(tp_shape_of(plain), shape));
    assert_int_equal(blocked.rank, shape.rank + 1);
    assert_int_equal(blocked.dim[shape.rank], block);
    char *from = bytes_of(x, &bytes), *to = bytes_of(blocks, &bytes), *back_from = bytes_of(y, &bytes),
         *back_to = bytes_of(plain, &bytes);
    for (int64_t i = 0; i < tp_shape_count(shape); i++) {
        const size_t at = (size_t)i * size, there = (size_t)place_in_blocks(&shape, block, i) * size;
        assert_memory_equal(to + there, from + at, size);
        assert_memory_equal(back_to + at, back_from + there, size);
    }
    free(from), free(to), free(back_from), free(back_to);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_conversions_move_every_element(void **state)
{
    static const struct {
        tp_shape shape;
        int64_t block;
    } all[] = {
        {{3, {2, 32, 37}}, 16},     {{4, {2, 16, 5, 7}}, 16},  {{5, {1, 48, 2, 3, 11}}, 16},
        {{3, {3, 8, 64}}, 8},       {{4, {1, 24, 9, 9}}, 8},   {{5, {2, 16, 3, 2, 5}}, 8},
        {{4, {2, 6, 3, 5}}, 3},     {{4, {2, 4, 3, 5}}, 1},    {{3, {1, 16, 1}}, 16},
        {{3, {2, 32, 15}}, 32},     {{2, {3, 32}}, 16},        {{4, {0, 16, 3, 3}}, 16},
        {{4, {2, 0, 3, 3}}, 8},     {{4, {2, 16, 0, 3}}, 16},  {{7, {1, 16, 1, 2, 3, 2, 2}}, 8},
        {{4, {1, 16, 160, 1}}, 16}, {{4, {1, 16, 1, 33}}, 16},
    };
    (void)state;
    for (size_t k = 0; k < COUNT_OF(all); k++)
        for (int dtype = 0; dtype < TP_DTYPE_COUNT; dtype++)
            check_conversion(all[k].shape, all[k].block, (tp_dtype)dtype);
}

static void test_there_and_back_is_nothing(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(2, 16, 3)), b = tp_channels_to_blocks(x, 8);
    assert_int_equal(tp_channels_from_blocks(b).id, x.id);
    const tp_tensor y = tp_input(tape, TP_F32, TP_SHAPE(2, 2, 3, 8)), p = tp_channels_from_blocks(y);
    assert_int_equal(tp_channels_to_blocks(p, 8).id, y.id);
    assert_int_not_equal(tp_channels_to_blocks(p, 16).id, y.id);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static void test_conversions_are_each_others_derivative(void **state)
{
    double x[48], weight[48], g[48];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_shape shape = TP_SHAPE(2, 8, 3), blocked = TP_SHAPE(2, 2, 3, 4);
    (void)state;
    for (int i = 0; i < 48; i++)
        x[i] = i, weight[i] = 100 - i;
    const tp_tensor a = make_leaf(tape, TP_F64, shape, x), w = make_constant(tape, TP_F64, blocked, weight);
    compute_gradient(tp_sum(tp_mul(tp_channels_to_blocks(a, 4), w)), a, g);
    for (int64_t i = 0; i < 48; i++)
        assert_true(g[i] == weight[place_in_blocks(&shape, 4, i)]);
    const tp_tensor b = make_leaf(tape, TP_F64, blocked, x), v = make_constant(tape, TP_F64, shape, weight);
    compute_gradient(tp_sum(tp_mul(tp_channels_from_blocks(b), v)), b, g);
    for (int64_t i = 0; i < 48; i++)
        assert_true(g[place_in_blocks(&shape, 4, i)] == weight[i]);
    tp_tape_destroy(tape);
}

/* ---- Convolutions ----------------------------------------------------------------------------------------- */

typedef struct geometry {
    int64_t n, in, h, w, out, kh, kw;
    tp__convolution a;
} geometry;

#define SIMPLE                                                                                               \
    {                                                                                                        \
        {1, 1}, {0, 0}, {1, 1}, 1,                                                                           \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }
#define PADDED(P)                                                                                            \
    {                                                                                                        \
        {1, 1}, {P, P}, {1, 1}, 1,                                                                           \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }

static const geometry geometries[] = {
    {2, 32, 9, 11, 16, 3, 3, PADDED(1)},
    {1, 16, 8, 8, 48, 1, 1, SIMPLE},
    {3, 64, 9, 7, 48, 1, 1, SIMPLE},
    {2, 3, 8, 9, 32, 1, 1, SIMPLE},
    {4, 5, 8, 9, 7, 1, 1, SIMPLE},
    {2, 32, 7, 7, 32, 1, 1, {{2, 2}, {0, 0}, {1, 1}, 1, {0, 0}}},
    {3, 3, 17, 13, 32, 3, 3, PADDED(1)}, /* the first layer of colours */
    {2, 1, 12, 10, 16, 5, 5, PADDED(2)}, /* of grey */
    {1, 3, 33, 31, 64, 7, 7, {{2, 2}, {3, 3}, {1, 1}, 1, {0, 0}}},
    {2, 5, 9, 9, 16, 3, 3, PADDED(1)}, /* plain images that no kernel takes */
    {2, 32, 9, 8, 1, 1, 1, SIMPLE},    /* the last layer, of one channel */
    {2, 16, 9, 8, 3, 3, 3, PADDED(1)},
    {2, 32, 12, 10, 32, 3, 3, {{2, 3}, {1, 0}, {1, 1}, 1, {0, 0}}},
    {1, 16, 14, 15, 32, 3, 3, {{1, 1}, {2, 2}, {2, 2}, 1, {0, 0}}},
    {1, 16, 13, 9, 16, 3, 2, {{2, 1}, {1, 1}, {2, 3}, 1, {0, 0}}},
    {2, 64, 6, 5, 32, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 2, {0, 0}}},  /* groups of 32 channels and 16 */
    {2, 32, 9, 7, 32, 3, 3, {{1, 1}, {1, 1}, {1, 1}, 32, {0, 0}}}, /* each channel by itself */
    {1, 16, 1, 1, 16, 1, 1, SIMPLE},
    {1, 16, 1, 40, 16, 1, 5, {{1, 1}, {0, 2}, {1, 1}, 1, {0, 0}}}, /* of lines */
    {1, 16, 5, 4, 16, 5, 4, SIMPLE},                               /* one place */
};

static tp_tensor leaf(tp_tape *tape, tp_shape shape, uint64_t seed, bool absolute)
{
    const tp_tensor x = tp_parameter(tape, TP_F32, shape, NULL);
    float *data = tp_leaf_data(x, TP_F32);
    generator random = seeded(seed);
    for (int64_t i = 0; i < tp_shape_count(shape); i++) {
        const float value = (float)next_between(&random, -1, 1);
        data[i] = absolute ? fabsf(value) : value;
    }
    return x;
}

typedef struct operands {
    tp_tensor images, weight, result;
} operands;

static operands make_operands(tp_tape *tape, const geometry *g, bool absolute)
{
    const tp_shape images = TP_SHAPE(g->n, g->in, g->h, g->w),
                   weight = TP_SHAPE(g->out, g->in / g->a.groups, g->kh, g->kw);
    const tp_shape result = TP_SHAPE(g->n, g->out, tp__convolution_places(&g->a, 0, g->h, g->kh),
                                     tp__convolution_places(&g->a, 1, g->w, g->kw));
    return (operands){leaf(tape, images, 1, absolute), leaf(tape, weight, 2, absolute),
                      leaf(tape, result, 3, absolute)};
}

/* The convolution and its gradients by the plain ops. */
static void record_plain(const geometry *g, const operands *o, tp_tensor y[3])
{
    const tp_convolution_options options = {.stride = {g->a.stride[0], g->a.stride[1]},
                                            .padding = {g->a.padding[0], g->a.padding[1]},
                                            .dilation = {g->a.dilation[0], g->a.dilation[1]},
                                            .groups = g->a.groups};
    y[0] = tp_conv2d(o->images, o->weight, (tp_tensor){0}, &options);
    assert_int_equal(tp_vector_jacobian(y[0], o->result, (tp_tensor[]){o->images, o->weight}, 2, y + 1, NULL),
                     TP_OK);
}

static tp_tensor in_blocks(tp_tensor x, int64_t block)
{
    return tp_shape_of(x).dim[1] % block == 0 ? tp_channels_to_blocks(x, block) : x;
}

static tp_tensor as_plain(tp_tensor x)
{
    return tp_shape_of(x).rank == 5 ? tp_channels_from_blocks(x) : x;
}

/* `plain`: what makes blocks is not in blocks either. */
static void record_in_blocks(const geometry *g, const operands *o, int64_t block, bool plain, tp_tensor y[3])
{
    const tp_tensor images = plain ? o->images : in_blocks(o->images, block),
                    result = plain ? o->result : in_blocks(o->result, block);
    y[0] = as_plain(
        tp__record_blocked_convolution(TP__CONVOLUTION, images, o->weight, g->a, block, (tp_tensor){0}));
    y[1] = as_plain(
        tp__record_blocked_convolution(TP__CONVOLUTION_IMAGES, result, o->weight, g->a, block, images));
    y[2] = tp__record_blocked_convolution(TP__CONVOLUTION_WEIGHT, images, result, g->a, block, o->weight);
}

static void check_close(const char *what, tp_tensor y, tp_tensor expected, tp_tensor magnitude)
{
    const float *a = tp_values(y, TP_F32), *b = tp_values(expected, TP_F32),
                *m = tp_values(magnitude, TP_F32);
    assert_true(tp_shape_equal(tp_shape_of(y), tp_shape_of(expected)));
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(m);
    for (int64_t i = 0; i < tp_count_of(y); i++)
        if (!(fabsf(a[i] - b[i]) <= 2e-6f * m[i]))
            fail_msg("%s: element %lld is %g, not %g", what, (long long)i, (double)a[i], (double)b[i]);
}

/* Distances are measured in what the sums of absolute values are. */
static void check_geometry(int k, int64_t block, bool plain)
{
    static const char *const role[] = {"result", "gradient of the images", "gradient of the weight"};
    const geometry *g = &geometries[k];
    tp_tape *tape = tp_tape_create(NULL);
    const operands o = make_operands(tape, g, false), absolute = make_operands(tape, g, true);
    tp_tensor y[9];

    record_plain(g, &o, y);
    record_plain(g, &absolute, y + 3);
    record_in_blocks(g, &o, block, plain, y + 6);
    assert_no_error(tape);
    tp_program *program = compile_all(y, 9);
    run_ok(program);
    for (int r = 0; r < 3; r++) {
        char what[96];
        snprintf(what, sizeof what, "geometry %d, blocks of %d%s, %s", k, (int)block,
                 plain ? " but plain" : "", role[r]);
        check_close(what, y[6 + r], y[r], y[3 + r]);
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Blocks that are not this machine's best are computed as well. */
static void test_blocks_agree_with_the_plain_ops(void **state)
{
    (void)state;
    if (tp__onednn_block() == 0)
        skip();
    for (size_t k = 0; k < COUNT_OF(geometries); k++) {
        check_geometry((int)k, 16, false);
        check_geometry((int)k, 8, false);
        check_geometry((int)k, 16, true);
    }
}

/* ---- What else must hold ---------------------------------------------------------------------------------- */

static void set_threads(int n)
{
#ifdef _OPENMP
    omp_set_num_threads(n);
#else
    (void)n;
#endif
}

/* Of 32 channels in blocks, which a stride of 2 gathers in a scratchpad for each thread. */
static tp_program *record_strided(tp_tape *tape, tp_tensor y[3])
{
    const geometry g = {4, 32, 20, 20, 32, 1, 1, {{2, 2}, {0, 0}, {1, 1}, 1, {0, 0}}};
    const operands o = make_operands(tape, &g, false);
    record_in_blocks(&g, &o, tp__onednn_block(), false, y);
    return compile_all(y, 3);
}

static void test_every_run_gives_the_same_bits(void **state)
{
    (void)state;
    if (tp__onednn_block() == 0)
        skip();
    for (int threads = 1; threads <= 3; threads++) {
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor y[3];
        set_threads(threads);
        tp_program *program = record_strided(tape, y);
        run_ok(program);
        for (int r = 0; r < 3; r++) {
            size_t bytes;
            void *first = bytes_of(y[r], &bytes);
            for (int again = 0; again < 5; again++) {
                run_ok(program);
                assert_memory_equal(tp_values(y[r], TP_F32), first, bytes);
            }
            free(first);
        }
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
    set_threads(2);
}

/* The scratch was counted for one thread. */
static void test_more_threads_than_were_counted_on(void **state)
{
    tp_tensor y[3];
    void *alone[3];
    size_t bytes;
    (void)state;
    if (tp__onednn_block() == 0)
        skip();
    tp_tape *tape = tp_tape_create(NULL);
    set_threads(1);
    tp_program *program = record_strided(tape, y);
    run_ok(program);
    for (int r = 0; r < 3; r++)
        alone[r] = bytes_of(y[r], &bytes);
    set_threads(4);
    run_ok(program);
    for (int r = 0; r < 3; r++) {
        const float *together = tp_values(y[r], TP_F32), *one = alone[r];
        for (int64_t i = 0; i < tp_count_of(y[r]); i++)
            assert_true(fabsf(together[i] - one[i]) <= 1e-4f);
        free(alone[r]);
    }
    set_threads(2);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Arrays that begin anywhere: as an allocator of the user's may give them. */
static void test_arrays_need_no_alignment(void **state)
{
    enum { IMAGES = 2 * 32 * 6 * 6, WEIGHT = 32 * 32, MOST = IMAGES + 8 };
    static float at[2][3][MOST];
    static char scratch[1 << 16];
    const tp__convolution a = {{1, 1}, {0, 0}, {1, 1}, 1, {0, 0}};
    tp__onednn_convolution c = {
        .parts = {TP_SHAPE(2, 32, 6, 6), TP_SHAPE(32, 32, 1, 1), TP_SHAPE(2, 32, 6, 6)},
        .a = &a,
        .block = tp__onednn_block(),
        .images_in_blocks = true,
        .result_in_blocks = true};
    generator random = seeded(5);
    (void)state;
    if (tp__onednn_block() == 0)
        skip();
    for (int role = 0; role < 3; role++) {
        c.role = (tp__convolution_role)role;
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < IMAGES; i++)
                at[0][k][i] = at[1][k][i + 1] = (float)next_between(&random, -1, 1);
        for (int shift = 0; shift < 2; shift++) {
            void *const data[3] = {at[shift][0] + shift, at[shift][1] + shift, at[shift][2] + shift};
            assert_null(tp__onednn_run(&c, data, scratch, sizeof scratch));
        }
        for (int k = 0; k < 3; k++)
            assert_memory_equal(at[0][k], at[1][k] + 1, (k == 1 ? WEIGHT : IMAGES) * sizeof(float));
    }
}

static void test_of_nothing(void **state)
{
    const tp__convolution a = {{1, 1}, {1, 1}, {1, 1}, 1, {3, 3}};
    tp_tape *tape = tp_tape_create(NULL);
    double dw[16 * 16 * 9], zeros[16 * 16 * 9] = {0};
    (void)state;
    const tp_tensor none = tp_input(tape, TP_F32, TP_SHAPE(0, 1, 4, 4, 16)),
                    w = leaf(tape, TP_SHAPE(16, 16, 3, 3), 1, false);
    const tp_tensor y = tp__record_blocked_convolution(TP__CONVOLUTION, none, w, a, 16, (tp_tensor){0});
    assert_true(tp_shape_equal(tp_shape_of(y), TP_SHAPE(0, 1, 4, 4, 16)));
    compute(y, dw);
    compute(tp__record_blocked_convolution(TP__CONVOLUTION_WEIGHT, none, none, a, 16, w), dw);
    assert_same("gradient of the weight", dw, zeros, 16 * 16 * 9);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static int64_t block_for(tp_dtype dtype, tp_shape images, tp_shape weight)
{
    const tp__convolution a = {{1, 1}, {1, 1}, {1, 1}, 1, {0, 0}};
    return tp__convolution_block(TP__CONVOLUTION, (const tp_shape[]){images, weight}, dtype, &a);
}

static void test_when_blocks_are_asked_for(void **state)
{
    const int64_t best = tp__onednn_block();
    (void)state;
    assert_int_equal(block_for(TP_F32, TP_SHAPE(4, 32, 16, 16), TP_SHAPE(64, 32, 3, 3)), best);
    assert_int_equal(block_for(TP_F32, TP_SHAPE(4, 3, 16, 16), TP_SHAPE(64, 3, 3, 3)), best);
    assert_int_equal(block_for(TP_F64, TP_SHAPE(4, 32, 16, 16), TP_SHAPE(64, 32, 3, 3)), 0);
    assert_int_equal(block_for(TP_F32, TP_SHAPE(4, 31, 16, 16), TP_SHAPE(63, 31, 3, 3)), 0);
    assert_int_equal(block_for(TP_F32, TP_SHAPE(1, 16, 3, 3), TP_SHAPE(16, 16, 3, 3)), 0);
    assert_int_equal(block_for(TP_F32, TP_SHAPE(0, 32, 16, 16), TP_SHAPE(64, 32, 3, 3)), 0);
    assert_int_equal(block_for(TP_F32, TP_SHAPE(1 << 20, 32, 64, 64), TP_SHAPE(64, 32, 3, 3)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions_move_every_element),
        cmocka_unit_test(test_there_and_back_is_nothing),
        cmocka_unit_test(test_conversions_are_each_others_derivative),
        cmocka_unit_test(test_blocks_agree_with_the_plain_ops),
        cmocka_unit_test(test_every_run_gives_the_same_bits),
        cmocka_unit_test(test_more_threads_than_were_counted_on),
        cmocka_unit_test(test_arrays_need_no_alignment),
        cmocka_unit_test(test_of_nothing),
        cmocka_unit_test(test_when_blocks_are_asked_for),
    };
    return cmocka_run_group_tests_name("convolution_blocked", tests, NULL, NULL);
}
