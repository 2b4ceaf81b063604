/* test_blocks.c -- channels in blocks: programs compute the same, the tape stays as it was, and blocks reach as far as they can.
 *
 * The op that asks for blocks is a test's own: it multiplies channel c by c + 1, and can do so either way.
 */
#include "tape_test.h"

#include <tapir/modes.h>

#include "tape.h"

enum { BLOCK = 4 };

/* ---- An op that likes blocks -------------------------------------------------------------------------- */

typedef struct scale_attr {
    int64_t block; /* 0: as recorded */
} scale_attr;

static int runs_in_blocks, runs_plain;

static const char *scale_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return i->x_shape[0].rank < 3 ? "the rank must be 3 or more" : NULL;
}

static tp_status scale_run(const tp_call *c)
{
    const tp_shape *s = &c->y.shape;
    const int64_t block = ((const scale_attr *)c->attr)->block;
    const int64_t inner = block > 0 ? block : 1, count = tp_shape_count(*s);
    int64_t rest = 1;

    for (int64_t d = 2; d < s->rank - (block > 0); d++)
        rest *= s->dim[d];
    *(block > 0 ? &runs_in_blocks : &runs_plain) += 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t channel = i / (rest * inner) % s->dim[1] * inner + i % inner;
        if (c->y.dtype == TP_F32)
            ((float *)c->y.data)[i] = (float)(channel + 1) * ((const float *)c->x[0].data)[i];
        else
            ((double *)c->y.data)[i] = (double)(channel + 1) * ((const double *)c->x[0].data)[i];
    }
    return TP_OK;
}

static void scale_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_record(tp_op_of(d->y), &d->g, 1, d->attr);
}

static int64_t scale_block(const tp_shape *x_shape, tp_dtype dtype, const void *attr)
{
    (void)attr;
    return dtype == TP_F32 && x_shape[0].dim[1] % BLOCK == 0 ? BLOCK : 0;
}

static tp_tensor scale_blocked(const tp_blocked *b);

static const tp_op scale = {
    .name = "scale_channels",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(scale_attr),
    .infer = scale_infer,
    .vjp = scale_vjp,
    .run = scale_run,
    .block = scale_block,
    .blocked = scale_blocked,
};

static tp_tensor scale_blocked(const tp_blocked *b)
{
    const tp_tensor x = tp_blocked_operand(b, 0);
    if (x.tape == NULL || tp_dtype_of(x) != TP_F32)
        return (tp_tensor){0};
    return tp_record(&scale, &x, 1, &(scale_attr){tp_block_of(b)});
}

static tp_tensor scale_channels(tp_tensor x)
{
    return tp_record(&scale, &x, 1, &(scale_attr){0});
}

/* ---- Graphs ------------------------------------------------------------------------------------------- */

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static tp_tensor leaf(tp_tape *tape, tp_shape shape, uint32_t *random)
{
    const tp_tensor x = tp_parameter(tape, TP_F32, shape, NULL);
    float *values = tp_leaf_data(x, TP_F32);
    for (int64_t i = 0; i < tp_shape_count(shape); i++)
        values[i] = (float)(draw(random) % 2001) / 1000 - 1;
    return x;
}

/* The next tensor of a chain on [n, channels, h, w]. */
static tp_tensor step(tp_tensor x, tp_tensor other, int kind, uint32_t *random)
{
    const tp_shape s = tp_shape_of(x);
    tp_tape *tape = x.tape;

    switch (kind) {
    case 0: return scale_channels(x);
    case 1: return tp_add(x, leaf(tape, TP_SHAPE(s.dim[1], 1, 1), random));
    case 2: return tp_relu(x);
    case 3: return tp_mul(x, leaf(tape, TP_SHAPE(s.dim[0], 1, s.dim[2], s.dim[3]), random));
    case 4: return tp_sub(x, tp_mean_over(x, TP_AXES(0, 2, 3), true));
    case 5: return tp_sub(x, tp_mean_over(x, TP_AXES(2, 3), true));
    case 6: return tp_mul(x, tp_sigmoid(tp_mean_over(x, TP_AXES(1, 2, 3), true)));
    case 7: return tp_sub(x, tp_logsumexp_over(x, TP_AXES(1), true));
    case 8: return tp_reshape(tp_tanh(tp_reshape(x, TP_SHAPE(s.dim[0], s.dim[1], -1))), s);
    case 9: return tp_add(x, tp_mul(leaf(tape, TP_SHAPE(s.dim[3]), random), leaf(tape, s, random)));
    case 10: return tp_where(tp_greater(x, tp_scalar(tape, 0.1)), x, tp_scale(x, 0.25));
    case 11: return tp_add(x, tp_permute(tp_permute(other, TP_AXES(0, 1, 3, 2)), TP_AXES(0, 1, 3, 2)));
    case 12: return tp_mul(x, other);
    case 13: return tp_sub(x, tp_max_over(x, TP_AXES(2, 3), true));
    case 14: return tp_add(x, tp_flip(x, TP_AXES(1)));
    case 15: return tp_mul(x, tp_sum(x));
    case 16: return tp_checkpoint(tp_sin(x), &other, 1);
    case 17: return tp_sub(x, tp_expand(tp_mean_over(x, TP_AXES(0, 2, 3), true), s));
    default: return tp_mul(x, tp_bernoulli(tape, TP_F32, s, 0.5));
    }
}

enum { KINDS = 19, STEPS = 7, OUTPUTS = 4 };

/* A chain of random steps, its loss and gradients. */
static void record_chain(tp_tape *tape, uint32_t seed, tp_tensor *output)
{
    uint32_t random = seed;
    const tp_shape s =
        TP_SHAPE(1 + draw(&random) % 3, BLOCK * (1 + draw(&random) % 3), 1 + draw(&random) % 4, 3);
    const tp_tensor first = leaf(tape, s, &random);
    tp_tensor x = scale_channels(first), before = first, middle = x;

    for (int i = 0; i < STEPS; i++) {
        const tp_tensor next = step(x, before, (int)(draw(&random) % KINDS), &random);
        before = x;
        x = tp_scale(next, 0.5);
        if (i == 2)
            middle = before;
    }
    output[0] = tp_mean(tp_square(scale_channels(x)));
    output[1] = x;
    assert_int_equal(tp_gradient(output[0], (tp_tensor[]){first, middle}, 2, output + 2), TP_OK);
}

static void expect_close(const float *a, const float *b, int64_t n, double tolerance, uint32_t seed)
{
    double largest = 1e-3;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)a[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * largest))
            fail_msg("graph %u, element %d: %.9g and %.9g", seed, (int)i, (double)a[i], (double)b[i]);
}

static void run_with(tp_tape *tape, const tp_tensor *output, tp_compile_options options, float **values)
{
    options.freeze_random = true;
    tp_program *program = tp_compile(output, OUTPUTS, &options);
    assert_non_null(program);
    assert_int_equal(tp_run(program), TP_OK);
    for (int k = 0; k < OUTPUTS; k++) {
        const int64_t n = tp_count_of(output[k]);
        values[k] = malloc((size_t)n * sizeof(float));
        assert_int_equal(tp_read(output[k], values[k], n), TP_OK);
    }
    tp_program_destroy(program);
    assert_int_equal(tp_tape_status(tape), TP_OK);
}

static void test_same_values(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor output[OUTPUTS];
        float *plain[OUTPUTS], *blocked[OUTPUTS], *reference[OUTPUTS];

        record_chain(tape, seed, output);
        const int64_t count = tp_tape_count(tape);
        run_with(tape, output, (tp_compile_options){.plain_channels = true}, plain);
        runs_in_blocks = runs_plain = 0;
        run_with(tape, output, (tp_compile_options){0}, blocked);
        assert_true(runs_in_blocks >= 2);
        assert_int_equal(runs_plain, 0);
        run_with(tape, output, (tp_compile_options){.reference = true}, reference);
        assert_int_equal(tp_tape_count(tape), count);
        for (int k = 0; k < OUTPUTS; k++) {
            const int64_t n = tp_count_of(output[k]);
            expect_close(plain[k], blocked[k], n, 1e-4, seed);
            assert_memory_equal(blocked[k], reference[k], (size_t)n * sizeof(float));
            free(plain[k]), free(blocked[k]), free(reference[k]);
        }
        tp_tape_destroy(tape);
    }
}

/* Bias, relu and pooling: the mask goes to what is put back, and the sum of that is the bias's gradient. */
static void record_pooled(tp_tape *tape, const tp_pooling_options *options, tp_tensor *output)
{
    uint32_t random = 11;
    const tp_tensor x = leaf(tape, TP_SHAPE(2, 8, 7, 6), &random), bias = leaf(tape, TP_SHAPE(8), &random);
    const tp_tensor y = tp_relu(tp_add(scale_channels(x), tp_reshape(bias, TP_SHAPE(8, 1, 1))));
    output[1] = tp_max_pool2d(y, 2, 3, options);
    output[0] = tp_mean(tp_square(scale_channels(output[1])));
    assert_int_equal(tp_gradient(output[0], (tp_tensor[]){x, bias}, 2, output + 2), TP_OK);
}

static void test_pooled(void **state)
{
    const tp_pooling_options overlap = {.stride = {1, 2}, .padding = {1, 0}};
    const tp_pooling_options *const options[] = {NULL, &overlap};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor output[OUTPUTS];
        float *plain[OUTPUTS], *blocked[OUTPUTS];
        record_pooled(tape, options[i], output);
        run_with(tape, output, (tp_compile_options){.plain_channels = true}, plain);
        run_with(tape, output, (tp_compile_options){0}, blocked);
        for (int k = 0; k < OUTPUTS; k++) {
            expect_close(plain[k], blocked[k], tp_count_of(output[k]), 1e-6, (uint32_t)i);
            free(plain[k]), free(blocked[k]);
        }
        tp_tape_destroy(tape);
    }
}

/* ---- The tape stays as it was --------------------------------------------------------------------------- */

/* Recording in blocks reads past reshapes and repeats; none of that may keep a later gradient from being asked for. */
static void test_gradient_after_compiling(void **state)
{
    uint32_t random = 1;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = scale_channels(leaf(tape, TP_SHAPE(2, 4, 3, 2), &random));
    const tp_tensor b = leaf(tape, TP_SHAPE(4), &random), column = tp_reshape(b, TP_SHAPE(4, 1, 1));
    const tp_tensor repeated = tp_expand(column, tp_shape_of(x));
    const tp_tensor flat = tp_reshape(tp_mul(x, repeated), TP_SHAPE(2, 4, 6));
    const tp_tensor loss = tp_mean(tp_square(scale_channels(tp_reshape(flat, tp_shape_of(x)))));
    tp_tensor gradient[3];
    (void)state;

    tp_scope_begin(tape, "open");
    tp_program *program = tp_compile(&loss, 1, NULL);
    assert_non_null(program);
    assert_int_equal(tp_run(program), TP_OK);
    const double value = tp_item(loss);
    tp_program_destroy(program);

    assert_int_equal(tp_gradient(loss, (tp_tensor[]){b, column, x}, 3, gradient), TP_OK);
    assert_true(tp_is_valid(gradient[0]) && tp_is_valid(gradient[1]) && tp_is_valid(gradient[2]));
    tp_scope_end(tape);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    assert_true(value > 0);
    tp_tape_destroy(tape);
}

/* A step of descent, whose new parameters are assigned, with an output that is a leaf and one given twice. */
static void test_training_step(void **state)
{
    double loss_after[2];
    (void)state;

    for (int plain = 0; plain < 2; plain++) {
        uint32_t random = 7;
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = leaf(tape, TP_SHAPE(3, 8, 2, 5), &random),
                        w = leaf(tape, TP_SHAPE(8, 1, 1), &random);
        const tp_tensor y = tp_tanh(tp_mul(scale_channels(x), w)),
                        loss = tp_mean(tp_square(scale_channels(y)));
        tp_tensor g;
        assert_int_equal(tp_gradient(loss, &w, 1, &g), TP_OK);
        const tp_tensor outputs[] = {loss, w, loss, tp_assign(w, tp_sub(w, tp_scale(g, 0.01))), y};
        tp_program *program = tp_compile(outputs, 5, &(tp_compile_options){.plain_channels = plain});
        assert_non_null(program);
        float before[8], old[8];
        assert_int_equal(tp_read(w, before, 8), TP_OK);
        for (int i = 0; i < 20; i++)
            assert_int_equal(tp_run(program), TP_OK);
        assert_int_equal(tp_read(w, old, 8), TP_OK);
        assert_memory_not_equal(before, old, sizeof old);
        loss_after[plain] = tp_item(loss);
        assert_non_null(tp_program_output(program, 4, TP_F32));
        tp_program_destroy(program);
        assert_int_equal(tp_tape_status(tape), TP_OK);
        tp_tape_destroy(tape);
    }
    assert_true(fabs(loss_after[0] - loss_after[1]) < 1e-5 * loss_after[1]);
}

/* Whichever allocation fails: no program, the tape as it was, nothing leaks. */
static void test_out_of_memory(void **state)
{
    int64_t calls = 0;
    bool done = false;
    (void)state;

    for (int64_t fail = 1; !done; fail++) {
        memory m = {0};
        uint32_t random = 3;
        tp_tape *tape = tape_with(&m);
        const tp_tensor x = leaf(tape, TP_SHAPE(2, 4, 3, 2), &random);
        const tp_tensor y = tp_relu(scale_channels(x));
        const int64_t count = tp_tape_count(tape);
        m.fail_at = m.calls + fail;
        tp_program *program = tp_compile(&y, 1, NULL);
        done = program != NULL;
        assert_int_equal(tp_tape_count(tape), count);
        assert_int_equal(tp_tape_status(tape), done ? TP_OK : TP_OUT_OF_MEMORY);
        calls = fail;
        tp_program_destroy(program);
        tp_tape_destroy(tape);
        assert_all_released(&m);
    }
    assert_true(calls > 5);
}

/* ---- How far blocks reach --------------------------------------------------------------------------------- */

/* Values that are converted, of all that the program computes. */
static int conversions(const tp_tensor *output, int n)
{
    tp_program *program = tp_compile(output, n, &(tp_compile_options){.reference = true});
    int found = 0;

    assert_non_null(program);
    for (int32_t s = 0; s < program->steps; s++)
        found += strcmp(program->step[s].op->name, "channels_to_blocks") == 0 ||
                 strcmp(program->step[s].op->name, "channels_from_blocks") == 0;
    tp_program_destroy(program);
    return found;
}

static void expect_conversions(tp_tensor y, int expected)
{
    const int found = conversions(&y, 1);
    if (found != expected)
        fail_msg("%d conversions instead of %d", found, expected);
}

static void test_reach(void **state)
{
    uint32_t random = 5;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = leaf(tape, TP_SHAPE(2, 8, 4, 4), &random), bias = leaf(tape, TP_SHAPE(8), &random);
    const tp_tensor mask = leaf(tape, TP_SHAPE(2, 1, 4, 4), &random);
    const tp_tensor y = tp_relu(tp_mul(tp_add(scale_channels(x), tp_reshape(bias, TP_SHAPE(8, 1, 1))), mask));
    tp_tensor gradient[2];
    (void)state;

    expect_conversions(scale_channels(x), 2);                    /* in and out */
    expect_conversions(scale_channels(y), 2);                    /* nothing in between */
    expect_conversions(tp_sum(y), 1);                            /* in */
    expect_conversions(tp_sum_over(y, TP_AXES(2, 3), false), 1); /* channels alone lie as they did */
    expect_conversions(tp_sum_over(y, TP_AXES(0, 2, 3), true), 1);
    expect_conversions(tp_sum_over(y, TP_AXES(1), true), 2);
    expect_conversions(tp_sum(tp_reshape(y, TP_SHAPE(2, 8, 16))), 1);
    expect_conversions(tp_sum(tp_mul(y, x)), 1); /* x in blocks is there already */
    expect_conversions(tp_relu(x), 0);           /* no op asks */
    assert_int_equal(tp_gradient(tp_sum(scale_channels(y)), (tp_tensor[]){x, bias}, 2, gradient), TP_OK);
    assert_int_equal(conversions(gradient, 2), 2);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_values),
        cmocka_unit_test(test_pooled),
        cmocka_unit_test(test_gradient_after_compiling),
        cmocka_unit_test(test_training_step),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
