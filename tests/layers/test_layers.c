/* test_layers.c -- collections and layers: names, first values, sharing, running statistics, training and evaluation, errors,
 * memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../tape/error_scan.h"
#include "values.h"
#include <tapir/layers.h>
#include <tapir/losses.h>
#include <tapir/optim.h>

static tp_collection *make_collection(tp_tape *tape, uint64_t seed, bool switchable)
{
    tp_collection *c = tp_collection_create(
        tape, &(tp_collection_options){.seed = seed, .f64 = true, .switchable = switchable});
    assert_non_null(c);
    return c;
}

/* ---- Collections --------------------------------------------------------------------------------------- */

static void test_names_in_the_order_they_were_made(void **state)
{
    static const char *const expected[] = {"a.weight",       "a.bias",        "n.weight", "n.bias",
                                           "n.running_mean", "n.running_var", "scale",    "c.weight"};
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 1, false);
    const tp_tensor *parameter;
    const tp_named *named;
    (void)state;

    const tp_dense_layer a = tp_make_dense(c, "a", 3, 2, NULL);
    tp_make_batch_norm(c, "n", 4);
    tp_make_parameter(c, "scale", TP_SHAPE(2), TP_ONES);
    tp_make_conv2d(c, "c", 4, 6, 3, 2, &(tp_layer_options){.no_bias = true, .convolution = {.groups = 2}});
    assert_int_equal(tp_collection_named(c, &named), 8);
    for (int k = 0; k < 8; k++)
        assert_string_equal(named[k].name, expected[k]);
    assert_true(tp_shape_equal(tp_shape_of(named[7].tensor), TP_SHAPE(6, 2, 3, 2)));
    assert_int_equal(tp_collection_parameters(c, &parameter), 6); /* without the statistics */
    assert_int_equal(parameter[1].id, a.bias.id);
    assert_int_equal(tp_collection_find(c, "a.weight").id, a.weight.id);
    assert_null(tp_collection_find(c, "a").tape);
    for (int k = 0; k < 40; k++) { /* more than there is room for at first */
        char name[32];
        snprintf(name, sizeof name, "more %d", k);
        tp_make_parameter(c, name, TP_SHAPE(1), TP_ZEROS);
    }
    assert_int_equal(tp_collection_parameters(c, &parameter), 46);
    assert_int_equal(parameter[1].id, a.bias.id);
    assert_int_equal(tp_collection_named(c, &named), 48);
    assert_string_equal(named[47].name, "more 39");
    assert_string_equal(named[2].name, "n.weight");
    assert_no_error(tape);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* Mean, mean square and largest absolute value of first values [40, 30]. */
static void check_distribution(tp_initial initial, double variance, double bound)
{
    tp_tape *tape = tp_tape_create(NULL);
    double x[1200], again[1200], sum = 0, squares = 0, most = 0;
    for (int round = 0; round < 2; round++) { /* the same seed, the same bits; another, other ones */
        tp_collection *c = make_collection(tape, 7, false), *other = make_collection(tape, 8, false);
        get_values(tp_make_parameter(c, "w", TP_SHAPE(40, 30), initial), round == 0 ? x : again);
        if (round == 1) {
            assert_same("once more", again, x, 1200);
            get_values(tp_make_parameter(other, "w", TP_SHAPE(40, 30), initial), again);
            assert_true(again[0] != x[0] && again[1199] != x[1199]);
            get_values(tp_make_parameter(c, "w2", TP_SHAPE(40, 30), initial), again);
            assert_true(again[0] != x[0] && again[1199] != x[1199]);
        }
        tp_collection_destroy(c);
        tp_collection_destroy(other);
    }
    for (int i = 0; i < 1200; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    }
    assert_true(fabs(sum / 1200) < 4 * sqrt(variance / 1200));
    assert_true(fabs(squares / 1200 / variance - 1) < 0.2);
    assert_true(most <= bound && most > 0.95 * (bound < 1 ? bound : 0));
    tp_tape_destroy(tape);
}

static void test_first_values(void **state)
{
    double x[3];
    (void)state;
    check_distribution(TP_KAIMING_UNIFORM, 2.0 / 30, sqrt(6.0 / 30));
    check_distribution(TP_KAIMING_NORMAL, 2.0 / 30, HUGE_VAL);
    check_distribution(TP_XAVIER_UNIFORM, 2.0 / 70, sqrt(6.0 / 70));
    check_distribution(TP_XAVIER_NORMAL, 2.0 / 70, HUGE_VAL);

    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = tp_collection_create(tape, NULL);
    const tp_tensor ones = tp_make_parameter(c, "ones", TP_SHAPE(3), TP_ONES),
                    zeros = tp_make_parameter(c, "zeros", TP_SHAPE(3), TP_ZEROS);
    assert_int_equal(tp_dtype_of(ones), TP_F32);
    get_values(ones, x);
    assert_same("ones", x, (double[]){1, 1, 1}, 3);
    get_values(zeros, x);
    assert_same("zeros", x, (double[]){0, 0, 0}, 3);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* ---- Layers ---------------------------------------------------------------------------------------------- */

static void test_a_layer_is_its_ops(void **state)
{
    const double x[] = {1, 2, 3, -1, 0, 1};
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 3, false);
    double got[4], w[6];
    (void)state;

    const tp_dense_layer layer = tp_make_dense(c, "d", 3, 2, NULL);
    set_values(layer.bias, (double[]){10, 20});
    get_values(layer.weight, w);
    compute(tp_apply_dense(&layer, make_leaf(tape, TP_F64, TP_SHAPE(2, 3), x)), got);
    for (int i = 0; i < 2; i++)
        for (int o = 0; o < 2; o++) {
            double sum = o == 0 ? 10 : 20;
            for (int k = 0; k < 3; k++)
                sum += x[3 * i + k] * w[3 * o + k];
            assert_close("dense", &got[2 * i + o], &sum, 1, 1e-14);
        }

    const tp_conv2d_layer conv =
        tp_make_conv2d(c, "c", 1, 1, 2, 2, &(tp_layer_options){.convolution = {.stride = {1, 2}}});
    set_values(conv.weight, (double[]){1, 10, 100, 1000});
    set_values(conv.bias, (double[]){0.5});
    const double image[] = {1, 2, 3, 4, 5, 6, 7, 8};
    compute(tp_apply_conv2d(&conv, make_leaf(tape, TP_F64, TP_SHAPE(1, 1, 2, 4), image)), got);
    assert_same("conv2d", got, (double[]){6521.5, 8743.5}, 2);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* Applied twice, a layer has the sum of both gradients. */
static void test_sharing_is_applying_twice(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 3, false);
    double g[1];
    (void)state;
    const tp_dense_layer layer = tp_make_dense(c, "d", 1, 1, &(tp_layer_options){.no_bias = true});
    set_values(layer.weight, (double[]){2});
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(1, 1), (double[]){3});
    compute_gradient(tp_sum(tp_apply_dense(&layer, tp_apply_dense(&layer, x))), layer.weight, g);
    assert_same("d/dw w^2 x", g, (double[]){12}, 1);
    assert_int_equal(tp_collection_parameters(c, NULL), 1);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* Running statistics of a layer that was applied to two batches: moved by the first, then by the second. */
static void test_shared_statistics_move_twice(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 3, true);
    double mean, variance;
    (void)state;
    tp_batch_norm_layer norm = tp_make_batch_norm(c, "n", 1);
    norm.momentum = (tp_optional_number){true, 0.25};
    const tp_tensor first = make_leaf(tape, TP_F64, TP_SHAPE(2, 1), (double[]){4, 8}),
                    second = make_leaf(tape, TP_F64, TP_SHAPE(2, 1), (double[]){-2, 0});
    const tp_tensor left = tp_apply_batch_norm(&norm, first), right = tp_apply_batch_norm(&norm, second),
                    y = tp_add(left, right);
    const tp_tensor updates = tp_collection_updates(c);
    assert_null(tp_collection_updates(c).tape); /* handed over once */
    tp_program *program = compile_all((tp_tensor[]){y, updates}, 2);

    run_ok(program);
    get_values(norm.running_mean, &mean);
    get_values(norm.running_variance, &variance);
    assert_close("mean", &mean, &(double){0.75 * (0.25 * 6) - 0.25}, 1, 1e-14);
    assert_close("variance", &variance, &(double){0.75 * (0.75 + 0.25 * 8) + 0.25 * 2}, 1, 1e-14);

    assert_int_equal(tp_write(tp_collection_switch(c), (&(float){0}), 1), TP_OK); /* evaluation */
    run_ok(program);
    double values[2], again;
    get_values(y, values);
    const double expected = (2 - 2 * mean) / sqrt(variance + 1e-5);
    assert_close("evaluated", values, &expected, 1, 1e-14);
    get_values(norm.running_mean, &again);
    assert_same("kept", &again, &mean, 1);
    tp_program_destroy(program);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* Two recordings instead of a switch. */
static void test_recorded_for_evaluation(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 3, false);
    double y[64];
    int zeros = 0;
    (void)state;
    const tp_batch_norm_layer norm = tp_make_batch_norm(c, "n", 2);
    const tp_tensor x = tp_full(tape, TP_F64, TP_SHAPE(8, 8), 3);
    compute(tp_apply_dropout(c, x, 0.5), y);
    for (int i = 0; i < 64; i++) {
        assert_true(y[i] == 0 || y[i] == 6);
        zeros += y[i] == 0;
    }
    assert_in_range(zeros, 16, 48);

    tp_collection_evaluate(c, true);
    assert_int_equal(tp_apply_dropout(c, x, 0.5).id, x.id);
    compute(tp_apply_batch_norm(&norm, make_leaf(tape, TP_F64, TP_SHAPE(1, 2), (double[]){3, -4})), y);
    assert_close("statistics 0 and 1", y, (double[]){3 / sqrt(1 + 1e-5), -4 / sqrt(1 + 1e-5)}, 2, 1e-14);
    assert_null(tp_collection_updates(c).tape);
    tp_collection_destroy(c);

    c = make_collection(tape, 3, true); /* dropout behind a switch */
    const tp_tensor switched = tp_apply_dropout(c, x, 1);
    compute(switched, y);
    assert_same("all dropped", y, (double[]){0, 0}, 2);
    assert_int_equal(tp_write(tp_collection_switch(c), (&(float){0}), 1), TP_OK);
    compute(switched, y);
    assert_same("none dropped", y, (double[]){3, 3}, 2);
    assert_no_error(tape);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* A small network learns which half of an image is bright. */
static void test_a_network_trains(void **state)
{
    enum { IMAGES = 32 };
    tp_tape *tape = tp_tape_create(NULL);
    tp_collection *c = make_collection(tape, 5, false);
    double pixel[IMAGES * 16], label[IMAGES], first, last;
    generator random = seeded(4);
    const tp_tensor *parameter;
    (void)state;
    for (int i = 0; i < IMAGES * 16; i++)
        pixel[i] = next_between(&random, -0.5, 0.5) + (i % 4 / 2 == i / 16 % 2 ? 1 : 0);
    for (int i = 0; i < IMAGES; i++)
        label[i] = i % 2;
    const tp_conv2d_layer conv =
        tp_make_conv2d(c, "conv", 1, 4, 3, 3, &(tp_layer_options){.convolution = {.padding = {1, 1}}});
    const tp_batch_norm_layer norm = tp_make_batch_norm(c, "norm", 4);
    const tp_dense_layer head =
        tp_make_dense(c, "head", 16, 1, &(tp_layer_options){.initial = TP_XAVIER_UNIFORM});

    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(IMAGES, 1, 4, 4), pixel);
    const tp_tensor h = tp_relu(tp_apply_batch_norm(&norm, tp_apply_conv2d(&conv, x)));
    const tp_tensor pooled = tp_reshape(tp_max_pool2d(h, 2, 2, NULL), TP_SHAPE(IMAGES, 16));
    const tp_tensor logit = tp_reshape(tp_apply_dense(&head, pooled), TP_SHAPE(IMAGES));
    const tp_tensor loss =
        tp_bce_with_logits(logit, make_constant(tape, TP_F64, TP_SHAPE(IMAGES), label), NULL);
    const int n = tp_collection_parameters(c, &parameter);
    const tp_tensor step = tp_adam(loss, parameter, n, &(tp_adam_options){.learning_rate = 0.05});
    tp_program *train = compile_all((tp_tensor[]){loss, step, tp_collection_updates(c)}, 3);
    run_ok(train);
    first = tp_item(loss);
    for (int k = 0; k < 60; k++)
        run_ok(train);
    last = tp_item(loss);
    assert_true(first > 0.3 && last < 0.05);
    tp_program_destroy(train);
    tp_collection_destroy(c);
    tp_tape_destroy(tape);
}

/* Another network of the same layers computes the same after it has loaded what the first one saved. */
static void test_saved_and_loaded(void **state)
{
    static const char path[] = "test_layers.safetensors";
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    double y[2][4];
    (void)state;
    for (int k = 0; k < 2; k++) {
        tp_collection *c = make_collection(tape, (uint64_t)k, false);
        const tp_named *named;
        const tp_dense_layer dense = tp_make_dense(c, "dense", 3, 2, NULL);
        const tp_batch_norm_layer norm = tp_make_batch_norm(c, "norm", 2);
        const int n = tp_collection_named(c, &named);
        if (k == 0) {
            set_values(norm.running_mean, (double[]){2, 3});
            assert_int_equal(tp_save_parameters(path, named, n, NULL, NULL), TP_OK);
        } else {
            assert_int_equal(tp_load_parameters(path, named, n, NULL, NULL), TP_OK);
        }
        tp_collection_evaluate(c, true);
        compute(tp_apply_batch_norm(&norm, tp_apply_dense(&dense, x)), y[k]);
        tp_collection_destroy(c);
    }
    assert_same("loaded", y[1], y[0], 4);
    remove(path);
    tp_tape_destroy(tape);
}

/* ---- Errors ------------------------------------------------------------------------------------------------ */

typedef struct misuse {
    const char *message; /* how it begins */
    tp_status status;
    void (*call)(tp_collection *c);
} misuse;

static void no_name(tp_collection *c)
{
    assert_false(tp_is_valid(tp_make_dense(c, NULL, 1, 1, NULL).weight));
}

static void empty_name(tp_collection *c)
{
    assert_false(tp_is_valid(tp_make_parameter(c, "", TP_SHAPE(1), TP_ONES)));
}

static void long_name(tp_collection *c)
{
    char name[300] = {0};
    memset(name, 'a', 299);
    assert_false(tp_is_valid(tp_make_dense(c, name, 1, 1, NULL).bias));
}

static void same_name(tp_collection *c)
{
    const tp_dense_layer once = tp_make_dense(c, "a", 1, 1, NULL), twice = tp_make_dense(c, "a", 1, 1, NULL);
    assert_true(tp_is_valid(once.weight) && !tp_is_valid(twice.weight) && !tp_is_valid(twice.bias));
    assert_false(tp_is_valid(tp_apply_dense(&twice, tp_apply_dense(&once, once.weight))));
}

static void no_size(tp_collection *c)
{
    assert_false(tp_is_valid(tp_make_batch_norm(c, "a", 0).bias));
}

static void odd_groups(tp_collection *c)
{
    const tp_layer_options options = {.convolution = {.groups = 2}};
    assert_false(tp_is_valid(tp_make_conv2d(c, "a", 3, 4, 1, 1, &options).weight));
}

static void no_such_values(tp_collection *c)
{
    assert_false(tp_is_valid(tp_make_parameter(c, "a", TP_SHAPE(1), (tp_initial)17)));
}

static void no_layer_dense(tp_collection *c)
{
    assert_false(tp_is_valid(tp_apply_dense(NULL, tp_make_parameter(c, "x", TP_SHAPE(1, 1), TP_ONES))));
}

static void no_layer_conv2d(tp_collection *c)
{
    assert_false(tp_is_valid(tp_apply_conv2d(NULL, tp_make_parameter(c, "x", TP_SHAPE(1, 1), TP_ONES))));
}

static void no_layer_batch_norm(tp_collection *c)
{
    assert_false(tp_is_valid(tp_apply_batch_norm(NULL, tp_make_parameter(c, "x", TP_SHAPE(1, 1), TP_ONES))));
}

static const misuse misuses[] = {
    {"a layer or a parameter needs a name", TP_BAD_ARGUMENT, no_name},
    {"a layer or a parameter needs a name", TP_BAD_ARGUMENT, empty_name},
    {"the name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is too long", TP_BAD_ARGUMENT, long_name},
    {"the collection has a parameter named 'a.weight' already", TP_BAD_ARGUMENT, same_name},
    {"the sizes of 'a.weight' must be at least 1, but one is 0", TP_BAD_SHAPE, no_size},
    {"the sizes of 'a.weight' must be at least 1, but one is 0", TP_BAD_SHAPE, odd_groups},
    {"there are no first values of kind 17", TP_BAD_ARGUMENT, no_such_values},
    {"there is no layer to apply", TP_BAD_ARGUMENT, no_layer_dense},
    {"there is no layer to apply", TP_BAD_ARGUMENT, no_layer_conv2d},
    {"there is no layer to apply", TP_BAD_ARGUMENT, no_layer_batch_norm},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof misuses / sizeof *misuses; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        tp_collection *c = make_collection(tape, 1, false);
        misuses[k].call(c);
        if (strncmp(tp_tape_message(tape), misuses[k].message, strlen(misuses[k].message)) != 0)
            fail_msg("'%s' instead of '%s'", tp_tape_message(tape), misuses[k].message);
        assert_non_null(strstr(tp_tape_message(tape), "test_layers.c:"));
        assert_error(tape, misuses[k].status, "");
        tp_collection_destroy(c);
        tp_tape_destroy(tape);
    }
}

static void test_nobody(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(1, 1), (double[]){1}), *parameter;
    const tp_collection_options half = {.allocator = {.release = (void (*)(void *, size_t, void *))abort}};
    (void)state;
    assert_null(tp_collection_create(NULL, NULL));
    assert_null(tp_collection_create(tape, &half));
    tp_collection_destroy(NULL);
    tp_collection_evaluate(NULL, true);
    assert_null(tp_collection_switch(NULL).tape);
    assert_int_equal(tp_collection_parameters(NULL, &parameter), 0);
    assert_int_equal(tp_collection_named(NULL, NULL), 0);
    assert_null(tp_collection_find(NULL, "a").tape);
    assert_null(tp_collection_updates(NULL).tape);
    assert_null(tp_make_parameter(NULL, "a", TP_SHAPE(1), TP_ONES).tape);
    const tp_dense_layer dense = tp_make_dense(NULL, "a", 1, 1, NULL);
    assert_false(tp_is_valid(tp_apply_dense(&dense, x)));
    assert_error(tape, TP_BAD_HANDLE, "absent");
    const tp_conv2d_layer conv = tp_make_conv2d(NULL, "a", 1, 1, 1, 1, NULL);
    assert_false(tp_is_valid(tp_apply_conv2d(&conv, x)));
    assert_error(tape, TP_BAD_HANDLE, "absent");
    const tp_batch_norm_layer norm = tp_make_batch_norm(NULL, "a", 1);
    assert_true(tp_is_valid(tp_apply_batch_norm(&norm, x))); /* normalized by the batch, without parameters */
    assert_true(tp_is_valid(tp_apply_dropout(NULL, x, 0.5)));
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Memory -------------------------------------------------------------------------------------------------- */

typedef struct counter {
    int calls, fail_at; /* 0: none fails */
    size_t used;
} counter;

static void *count_allocate(size_t size, size_t alignment, void *user)
{
    counter *m = user;
    if (++m->calls == m->fail_at)
        return NULL;
    m->used += size;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void count_release(void *memory, size_t size, void *user)
{
    ((counter *)user)->used -= size;
    free(memory);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (int fail_at = 1;; fail_at++) {
        counter m = {.fail_at = fail_at};
        tp_tape *tape = tp_tape_create(NULL);
        tp_collection *c = tp_collection_create(
            tape, &(tp_collection_options){.allocator = {count_allocate, count_release, &m}});
        for (int k = 0; k < 20 && c != NULL; k++) {
            char name[16];
            snprintf(name, sizeof name, "p%d", k);
            if (tp_is_valid(tp_make_parameter(c, name, TP_SHAPE(2), TP_ONES)))
                continue;
            assert_error(tape, TP_OUT_OF_MEMORY, "out of memory for the name 'p");
        }
        tp_collection_destroy(c);
        tp_tape_destroy(tape);
        assert_int_equal(m.used, 0);
        if (m.calls < fail_at)
            break;
        assert_true(fail_at < 100);
    }
}

/* Every message in src/layers/ is one of those above. */
static void test_every_message_has_a_row(void **state)
{
    static const char *const known[] = {"a layer or a parameter needs a name",
                                        "the name '%.40s...' is too long",
                                        "the collection has a parameter named '%s' already",
                                        "the sizes of '%s' must be at least 1, but one is %lld",
                                        "out of memory for the name '%s'",
                                        "there are no first values of kind %d",
                                        "there is no layer to apply"};
    glob_t found;
    int literals = 0;
    (void)state;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/src/layers/*.c", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        scan s;
        char literal[SCAN_LITERAL], skeleton[SCAN_LITERAL];
        assert_true(scan_open(&s, found.gl_pathv[k]));
        while (scan_next(&s, literal)) {
            bool is_known = false;
            scan_skeleton(literal, skeleton);
            if (scan_words(skeleton) < 2)
                continue;
            for (size_t j = 0; j < sizeof known / sizeof *known; j++)
                is_known = is_known || strcmp(known[j], literal) == 0;
            if (!is_known)
                fail_msg("%s: no row for \"%s\"", found.gl_pathv[k], literal);
            literals++;
        }
        scan_close(&s);
    }
    globfree(&found);
    assert_int_equal(literals, sizeof known / sizeof *known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_in_the_order_they_were_made),
        cmocka_unit_test(test_first_values),
        cmocka_unit_test(test_a_layer_is_its_ops),
        cmocka_unit_test(test_sharing_is_applying_twice),
        cmocka_unit_test(test_shared_statistics_move_twice),
        cmocka_unit_test(test_recorded_for_evaluation),
        cmocka_unit_test(test_a_network_trains),
        cmocka_unit_test(test_saved_and_loaded),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_every_message_has_a_row),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
