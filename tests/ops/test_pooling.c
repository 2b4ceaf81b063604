/* test_pooling.c -- pooling and resampling: against loops over windows written out, in f32 and f64; and with channels in blocks,
 * [n,channels/b,height,width,b], with the bits of plain images.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#define TP_VERIFY_OPS 0 /* not with positions that no position op made */

#include <tapir/cmocka.h>

#include "lists.h"
#include "values.h"

/* n images of `channels`, which are also taken in blocks. */
typedef struct geometry {
    int64_t n, channels, block, h, w, window[2];
    tp_pooling_options o;
} geometry;

static const geometry geometries[] = {
    {2, 16, 16, 6, 8, {2, 2}, {0}},
    {1, 8, 8, 7, 9, {2, 2}, {0}}, /* a row and a column are left over */
    {1, 4, 2, 6, 31, {2, 2}, {0}},
    {2, 4, 4, 5, 37, {2, 2}, {0}},
    {1, 8, 8, 4, 5, {2, 2}, {0}},
    {2, 6, 3, 7, 35, {2, 2}, {.ceil_mode = true}},
    {1, 16, 16, 5, 40, {3, 3}, {.stride = {1, 1}, .padding = {1, 1}}},
    {1, 16, 8, 9, 37, {3, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
    {1, 10, 5, 8, 11, {2, 3}, {.stride = {1, 2}, .padding = {1, 1}, .ceil_mode = true}},
    {1, 16, 16, 8, 9, {2, 3}, {.stride = {3, 4}}}, /* rows and columns in no window */
    {2, 8, 8, 9, 10, {1, 2}, {.stride = {4, 1}}},  /* they lie apart along one axis alone */
    {1, 16, 16, 13, 33, {3, 3}, {.stride = {1, 1}, .padding = {1, 1}, .only_true_elements = true}},
    {1, 4, 2, 30, 33, {4, 5}, {.stride = {3, 3}, .padding = {2, 1}, .ceil_mode = true}},
    {1, 8, 8, 5, 70, {3, 66}, {.stride = {1, 2}}}, /* windows taken one by one */
    {2, 8, 8, 6, 7, {6, 7}, {0}},
    {1, 8, 8, 1, 1, {1, 1}, {0}},
    {0, 8, 8, 4, 4, {2, 2}, {0}},
    {2, 0, 8, 4, 4, {3, 3}, {.stride = {1, 1}}},
    /* from here on with dilation: of maxima alone */
    {1, 16, 16, 9, 19, {2, 3}, {.stride = {1, 1}, .dilation = {3, 2}}},
    {1, 8, 8, 11, 20, {3, 2}, {.stride = {1, 2}, .padding = {1, 1}, .dilation = {2, 3}, .ceil_mode = true}},
    {1, 8, 8, 9, 23, {2, 2}, {.stride = {3, 3}, .padding = {1, 1}, .dilation = {2, 2}}},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries, WITH_DILATION = 3 };

static bool is_dilated(const geometry *g)
{
    return g->o.dilation[0] > 0;
}

/* ---- Windows written out ---------------------------------------------------------------------------------- */

static int64_t option(const int64_t given[2], int axis, int64_t otherwise)
{
    return given[0] == 0 && given[1] == 0 ? otherwise : given[axis];
}

/* Is element e of an axis in window i of it, and as which of its elements? */
static bool is_in(const geometry *g, int axis, int64_t i, int64_t e)
{
    const int64_t away = e - i * option(g->o.stride, axis, g->window[axis]) + option(g->o.padding, axis, 0);
    const int64_t step = option(g->o.dilation, axis, 1);
    return away >= 0 && away % step == 0 && away / step < g->window[axis];
}

/* What a window is divided by, along an axis: its elements that are no padding, or all that are not beyond the padding. */
static double divisor(const geometry *g, int axis, int64_t i)
{
    const int64_t size = axis == 0 ? g->h : g->w, padding = option(g->o.padding, axis, 0);
    double n = 0;
    for (int64_t e = -padding; e < size + padding; e++)
        n += is_in(g, axis, i, e) && (!g->o.only_true_elements || (e >= 0 && e < size));
    return n;
}

typedef struct expected {
    double position[VALUES_MAX], largest[VALUES_MAX], mean[VALUES_MAX];
    double put[VALUES_MAX], share[VALUES_MAX]; /* of adjoints */
} expected;

/* The window's largest element, or its first NaN; the adjoint goes there, and to all of them. */
static void expect_window(const geometry *g, expected *e, const double *x, double adjoint, int64_t channel,
                          int64_t at, int64_t i, int64_t j)
{
    const double all = divisor(g, 0, i) * divisor(g, 1, j);
    int64_t best = -1;
    double sum = 0;
    for (int64_t p = 0; p < g->h * g->w; p++) {
        if (!is_in(g, 0, i, p / g->w) || !is_in(g, 1, j, p % g->w))
            continue;
        const double value = x[channel + p];
        sum += value;
        e->share[channel + p] += adjoint / all;
        if (best < 0 || value > x[channel + best] || (isnan(value) && !isnan(x[channel + best])))
            best = p;
    }
    assert_true(best >= 0);
    e->position[at] = (double)best;
    e->largest[at] = x[channel + best];
    e->mean[at] = sum / all;
    e->put[channel + best] += adjoint;
}

static void expect_all(const geometry *g, expected *e, const double *x, const double *adjoint, int64_t ho,
                       int64_t wo)
{
    memset(e, 0, sizeof *e);
    for (int64_t at = 0; at < g->n * g->channels * ho * wo; at++)
        expect_window(g, e, x, adjoint[at], at / (ho * wo) * g->h * g->w, at, at / wo % ho, at % wo);
}

/* ---- Values ----------------------------------------------------------------------------------------------- */

/* With ties, zeros of both signs, infinities, and NaN if asked for. */
static void make_values(double *x, int64_t n, uint64_t seed, bool with_nan)
{
    generator random = seeded(seed);
    for (int64_t i = 0; i < n; i++) {
        const double choice = next_between(&random, 0, 1);
        x[i] = next_between(&random, -1, 1);
        if (choice < 0.3)
            x[i] = choice < 0.1 ? 0.5 : choice < 0.2 ? 0 : -0.0;
        else if (with_nan && choice < 0.5)
            x[i] = choice < 0.4 ? NAN : choice < 0.45 ? INFINITY : -INFINITY;
    }
}

/* Channels in blocks: where element i of [n,channels,places] is in [n,channels/b,places,b]. */
static void to_blocks(const geometry *g, int64_t places, const double *x, double *y)
{
    for (int64_t i = 0; i < g->n * g->channels * places; i++) {
        const int64_t channel = i / places, b = g->block;
        y[(channel / b * places + i % places) * b + channel % b] = x[i];
    }
}

static tp_shape in_blocks(const geometry *g, int64_t h, int64_t w)
{
    return TP_SHAPE(g->n, g->channels / g->block, h, w, g->block);
}

static const tp_op *op_named(const tp_op *const *ops, const char *name)
{
    for (; *ops != NULL; ops++)
        if (strcmp((*ops)->name, name) == 0)
            return *ops;
    fail_msg("there is no op %s", name);
    return NULL;
}

static const tp_op *pooling_op(const char *name)
{
    return op_named(tp__pooling_ops, name);
}

/* ---- Pooling ---------------------------------------------------------------------------------------------- */

typedef struct fixture {
    const geometry *g;
    tp_tape *tape;
    tp_dtype dtype;
    int64_t ho, wo;
    double x[VALUES_MAX], adjoint[VALUES_MAX];
    tp_tensor image, seed;
    expected e;
} fixture;

static void make_fixture(fixture *f, const geometry *g, tp_dtype dtype, bool with_nan)
{
    *f = (fixture){.g = g, .tape = tp_tape_create(NULL), .dtype = dtype};
    const tp_shape shape = TP_SHAPE(g->n, g->channels, g->h, g->w);
    make_values(f->x, tp_shape_count(shape), 1, with_nan);
    f->image = make_leaf(f->tape, dtype, shape, f->x);
    const tp_shape windows = tp_shape_of(tp_max_pool2d(f->image, g->window[0], g->window[1], &g->o));
    assert_no_error(f->tape);
    f->ho = windows.dim[2], f->wo = windows.dim[3];
    make_values(f->adjoint, tp_shape_count(windows), 2, false);
    f->seed = make_leaf(f->tape, dtype, windows, f->adjoint);
    expect_all(g, &f->e, f->x, f->adjoint, f->ho, f->wo);
}

static tp_tensor gradient_of(const fixture *f, tp_tensor y)
{
    tp_tensor g;
    assert_int_equal(tp_vector_jacobian(y, f->seed, &f->image, 1, &g, NULL), TP_OK);
    return g;
}

/* y, and the op that made it of an operand in blocks: the same bits. */
static void check_blocks(const fixture *f, const char *what, tp_tensor y, const tp_tensor *x, int n)
{
    static double plain[VALUES_MAX], expected_blocks[VALUES_MAX], got[VALUES_MAX];
    const tp_tensor blocked = tp_record(tp_op_of(y), x, n, tp_attr_of(y));
    const tp_shape shape = tp_shape_of(y), b = in_blocks(f->g, shape.dim[2], shape.dim[3]);
    assert_no_error(f->tape);
    assert_true(tp_op_of(y)->flags & TP_OP_PER_CHANNEL);
    assert_true(tp_shape_equal(tp_shape_of(blocked), b));
    compute(y, plain);
    compute(blocked, got);
    to_blocks(f->g, shape.dim[2] * shape.dim[3], plain, expected_blocks);
    assert_same(what, got, expected_blocks, tp_count_of(y));
}

static tp_tensor leaf_in_blocks(const fixture *f, tp_dtype dtype, int64_t h, int64_t w, const double *x)
{
    static double blocks[VALUES_MAX];
    to_blocks(f->g, h * w, x, blocks);
    return make_leaf(f->tape, dtype, in_blocks(f->g, h, w), blocks);
}

static double tolerance(tp_dtype dtype)
{
    return dtype == TP_F32 ? 1e-6 : 1e-14;
}

static void check_maxima(const geometry *g, tp_dtype dtype, bool with_nan)
{
    static fixture f;
    static double got[VALUES_MAX];
    make_fixture(&f, g, dtype, with_nan);
    const tp_tensor y = tp_max_pool2d(f.image, g->window[0], g->window[1], &g->o), at = tp_operand_of(y, 1),
                    dx = gradient_of(&f, y);
    assert_ptr_equal(tp_op_of(at), pooling_op("max_pool2d"));
    assert_ptr_equal(tp_op_of(y), pooling_op("max_pool2d_pick"));
    assert_ptr_equal(tp_op_of(dx), pooling_op("max_pool2d_put"));
    compute(at, got);
    assert_same("positions", got, f.e.position, tp_count_of(at));
    compute(y, got);
    assert_same("maxima", got, f.e.largest, tp_count_of(y));
    compute(dx, got);
    assert_close("gradient of maxima", got, f.e.put, tp_count_of(dx), tolerance(dtype));

    const tp_tensor x_blocks = leaf_in_blocks(&f, dtype, g->h, g->w, f.x),
                    seed_blocks = leaf_in_blocks(&f, dtype, f.ho, f.wo, f.adjoint),
                    at_blocks = leaf_in_blocks(&f, TP_I32, f.ho, f.wo, f.e.position);
    check_blocks(&f, "positions in blocks", at, &x_blocks, 1);
    check_blocks(&f, "maxima of blocks", y, (tp_tensor[]){x_blocks, at_blocks}, 2);
    check_blocks(&f, "gradient of maxima of blocks", dx, (tp_tensor[]){seed_blocks, at_blocks}, 2);
    tp_tape_destroy(f.tape);
}

static void check_means(const geometry *g, tp_dtype dtype)
{
    static fixture f;
    static double got[VALUES_MAX];
    make_fixture(&f, g, dtype, false);
    const tp_tensor y = tp_avg_pool2d(f.image, g->window[0], g->window[1], &g->o), dx = gradient_of(&f, y);
    compute(y, got);
    assert_close("means", got, f.e.mean, tp_count_of(y), tolerance(dtype));
    compute(dx, got);
    assert_close("gradient of means", got, f.e.share, tp_count_of(dx), tolerance(dtype));

    const tp_tensor x_blocks = leaf_in_blocks(&f, dtype, g->h, g->w, f.x),
                    seed_blocks = leaf_in_blocks(&f, dtype, f.ho, f.wo, f.adjoint);
    check_blocks(&f, "means of blocks", y, &x_blocks, 1);
    check_blocks(&f, "gradient of means of blocks", dx, &seed_blocks, 1);
    tp_tape_destroy(f.tape);
}

static void test_maxima(void **state)
{
    (void)state;
    for (int k = 0; k < GEOMETRIES; k++)
        for (int variant = 0; variant < 4; variant++)
            check_maxima(&geometries[k], variant % 2 ? TP_F64 : TP_F32, variant > 1);
}

static void test_means(void **state)
{
    (void)state;
    for (int k = 0; k < GEOMETRIES - WITH_DILATION; k++) {
        assert_false(is_dilated(&geometries[k]));
        check_means(&geometries[k], TP_F32);
        check_means(&geometries[k], TP_F64);
    }
    assert_true(is_dilated(&geometries[GEOMETRIES - WITH_DILATION]));
}

/* The gradient of the gradient is picked at the same positions, at every order; of means, it is a mean. */
static void test_derivatives_of_derivatives(void **state)
{
    static fixture f;
    (void)state;
    make_fixture(&f, &geometries[7], TP_F64, false);
    const geometry *g = f.g;
    for (int k = 0; k < 2; k++) {
        const tp_tensor y = k == 0 ? tp_max_pool2d(f.image, g->window[0], g->window[1], &g->o)
                                   : tp_avg_pool2d(f.image, g->window[0], g->window[1], &g->o);
        const tp_tensor dx = gradient_of(&f, y);
        tp_tensor again;
        assert_int_equal(tp_vector_jacobian(dx, f.image, &f.seed, 1, &again, NULL), TP_OK);
        assert_int_equal(again.id, y.id); /* it is the very same node */
    }
    tp_tape_destroy(f.tape);
}

/* Positions that no position op made: nothing is read or written outside (as sanitizers see). */
static void test_bad_positions_stay_inside(void **state)
{
    static const int bad[] = {-1, INT32_MAX, INT32_MIN, 1 << 20};
    static fixture f;
    static double wild[VALUES_MAX], got[VALUES_MAX];
    (void)state;
    for (int k = 0; k < GEOMETRIES; k++) {
        make_fixture(&f, &geometries[k], k % 2 ? TP_F32 : TP_F64, false);
        const geometry *g = f.g;
        const tp_tensor y = tp_max_pool2d(f.image, g->window[0], g->window[1], &g->o),
                        dx = gradient_of(&f, y);
        const tp_shape windows = tp_shape_of(y);
        for (int64_t i = 0; i < tp_shape_count(windows); i++)
            wild[i] = bad[i % 4];
        const tp_tensor at = make_leaf(f.tape, TP_I32, windows, wild);
        /* The function, which unlike the macro verifies nothing: these are no positions of maxima. */
        compute((tp_record)(tp_op_of(y), (tp_tensor[]){f.image, at}, 2, tp_attr_of(y)), got);
        compute((tp_record)(tp_op_of(dx), (tp_tensor[]){f.seed, at}, 2, tp_attr_of(dx)), got);
        for (int64_t i = 0; i < tp_count_of(dx); i++)
            assert_true(got[i] == 0);
        tp_tape_destroy(f.tape);
    }
}

/* ---- Other sizes ------------------------------------------------------------------------------------------ */

typedef struct sizes {
    int64_t h, w, to_h, to_w;
} sizes;

static const sizes resizings[] = {
    {3, 5, 6, 10}, {3, 37, 6, 74}, {2, 13, 4, 26}, {1, 1, 2, 2}, {2, 2, 4, 4}, {1, 20, 2, 40},
    {3, 4, 9, 8},  {5, 7, 3, 11},  {6, 9, 4, 3},   {4, 3, 1, 1}, {3, 3, 3, 6},
};
enum { NEAREST, LINEAR, ALIGNED };

/* How much of element e is in place j, of an axis that goes from `size` elements to `to` places. */
static double part(int mode, int64_t size, int64_t to, int64_t j, int64_t e)
{
    double at = mode == NEAREST  ? floor((double)(j * size) / (double)to)
                : mode == LINEAR ? ((double)j + 0.5) * (double)size / (double)to - 0.5
                : to > 1         ? (double)j * (double)(size - 1) / (double)(to - 1)
                                 : 0;
    at = fmin(fmax(at, 0), (double)(size - 1));
    return fmax(0, 1 - fabs(at - (double)e));
}

/* y from x, or for the transpose x from y. */
static void resize_by_hand(int mode, int64_t images, sizes s, double *x, double *y, bool transposed)
{
    memset(transposed ? x : y, 0, (size_t)(images * (transposed ? s.h * s.w : s.to_h * s.to_w)) * sizeof *x);
    for (int64_t p = 0; p < images * s.to_h * s.to_w; p++)
        for (int64_t e = 0; e < s.h * s.w; e++) {
            const double weight = part(mode, s.h, s.to_h, p / s.to_w % s.to_h, e / s.w) *
                                  part(mode, s.w, s.to_w, p % s.to_w, e % s.w);
            double *const element = &x[p / (s.to_h * s.to_w) * s.h * s.w + e];
            if (transposed)
                *element += weight * y[p];
            else
                y[p] += weight * *element;
        }
}

static tp_tensor resize(int mode, tp_tensor x, sizes s)
{
    return mode == NEAREST ? tp_upsample_nearest(x, s.to_h, s.to_w)
                           : tp_upsample_bilinear(x, s.to_h, s.to_w, &(tp_bilinear_options){mode == ALIGNED});
}

/* Every op between y and what it was made of, on its operand in blocks. */
static void check_chain_in_blocks(const fixture *f, tp_tensor y, const tp_op *op)
{
    static double values[VALUES_MAX];
    for (; tp_op_of(y) == op; y = tp_operand_of(y, 0)) {
        const tp_tensor x = tp_operand_of(y, 0);
        compute(x, values);
        const tp_tensor blocks =
            leaf_in_blocks(f, f->dtype, tp_shape_of(x).dim[2], tp_shape_of(x).dim[3], values);
        check_blocks(f, op->name, y, &blocks, 1);
    }
}

static void check_resizing(int mode, sizes s, tp_dtype dtype)
{
    static const geometry images = {.n = 1, .channels = 16, .block = 8};
    static fixture f;
    static double got[VALUES_MAX], expected_y[VALUES_MAX], expected_dx[VALUES_MAX];
    f = (fixture){.g = &images, .tape = tp_tape_create(NULL), .dtype = dtype};
    make_values(f.x, 16 * s.h * s.w, 1, false);
    make_values(f.adjoint, 16 * s.to_h * s.to_w, 2, false);
    f.image = make_leaf(f.tape, dtype, TP_SHAPE(1, 16, s.h, s.w), f.x);
    f.seed = make_leaf(f.tape, dtype, TP_SHAPE(1, 16, s.to_h, s.to_w), f.adjoint);
    resize_by_hand(mode, 16, s, f.x, expected_y, false);
    resize_by_hand(mode, 16, s, expected_dx, f.adjoint, true);

    const tp_tensor y = resize(mode, f.image, s), dx = gradient_of(&f, y);
    compute(y, got);
    assert_close("resized", got, expected_y, tp_count_of(y), tolerance(dtype));
    compute(dx, got);
    assert_close("gradient of the resized", got, expected_dx, tp_count_of(dx), 4 * tolerance(dtype));
    check_chain_in_blocks(&f, y, op_named(tp__resampling_ops, "upsample"));
    check_chain_in_blocks(&f, dx, op_named(tp__resampling_ops, "upsample_transpose"));
    tp_tape_destroy(f.tape);
}

static void test_other_sizes(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof resizings / sizeof *resizings; k++)
        for (int mode = NEAREST; mode <= ALIGNED; mode++) {
            check_resizing(mode, resizings[k], TP_F32);
            check_resizing(mode, resizings[k], TP_F64);
        }
}

/* The same element is never multiplied by 0: an infinity beside it does not make it NaN. */
static void test_a_weight_of_zero_hides_the_other(void **state)
{
    double y[8];
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F32, TP_SHAPE(1, 1, 1, 4), (double[]){1, INFINITY, 3, NAN});
    (void)state;
    compute(tp_upsample_bilinear(x, 1, 8, NULL), y);
    assert_same("twice", y, (double[]){1, INFINITY, INFINITY, INFINITY, INFINITY, NAN, NAN, NAN}, 8);
    compute(tp_upsample_bilinear(x, 1, 7, &(tp_bilinear_options){.align_corners = true}), y);
    assert_same("aligned", y, (double[]){1, INFINITY, INFINITY, INFINITY, 3, NAN, NAN}, 7);
    tp_tape_destroy(tape);
}

/* Masks of the images go before what is put back: relu, and a mask that keeps. */
static tp_tensor masked_and_pooled(const tp_tensor *x, void *user)
{
    const tp_tensor above = tp_greater(x[0], tp_scalar(x[0].tape, 0.25)), zero = tp_scalar(x[0].tape, 0);
    const tp_tensor y = user != NULL ? tp_relu(x[0]) : tp_where(above, x[0], zero);
    const tp_pooling_options options = {.stride = {1, 2}};
    return tp_sum(tp_square(tp_max_pool2d(y, 2, 2, &options)));
}

static void test_masks_before_putting(void **state)
{
    int relu = 0;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2, 3, 4, 4), NULL);
    double *values = tp_leaf_data(x, TP_F64);
    (void)state;

    for (int i = 0; i < 96; i++)
        values[i] = (double)(i * 37 % 101 - 50) / 40;
    for (int k = 0; k < 2; k++)
        tp_assert_gradient(masked_and_pooled, k == 0 ? &relu : NULL, &x, 1, NULL);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_before_putting),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_means),
        cmocka_unit_test(test_derivatives_of_derivatives),
        cmocka_unit_test(test_bad_positions_stay_inside),
        cmocka_unit_test(test_other_sizes),
        cmocka_unit_test(test_a_weight_of_zero_hides_the_other),
    };
    return cmocka_run_group_tests_name("pooling", tests, NULL, NULL);
}
