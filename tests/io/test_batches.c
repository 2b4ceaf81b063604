/* test_batches.c -- batches: every row once, orders that a seed gives, the last batch, the mean over an epoch. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>

#include "files.h"

enum { ROWS = 10, BATCH = 4 };

static const float numbers[2 * ROWS] = {0, 100, 1, 101, 2, 102, 3, 103, 4, 104,
                                        5, 105, 6, 106, 7, 107, 8, 108, 9, 109};
static const int32_t labels[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

typedef struct data {
    tp_tape *tape;
    tp_tensor x, y, weight;
    tp_batch_column column[2];
} data;

static data make(void)
{
    data d = {.tape = tp_tape_create(NULL)};
    d.x = tp_input(d.tape, TP_F32, TP_SHAPE(BATCH, 2));
    d.y = tp_input(d.tape, TP_I32, TP_SHAPE(BATCH));
    d.weight = tp_input(d.tape, TP_F32, TP_SHAPE(BATCH));
    d.column[0] = (tp_batch_column){d.x, numbers};
    d.column[1] = (tp_batch_column){d.y, labels};
    return d;
}

/* Goes through an epoch; row k of the data came as number order[k].  Both columns hold the same rows. */
static void epoch(const data *d, tp_batches *b, int64_t *order)
{
    int64_t n, at = 0;
    while ((n = tp_batches_next(b)) > 0) {
        const float *x = tp_values(d->x, TP_F32), *w = tp_values(d->weight, TP_F32);
        const int32_t *y = tp_values(d->y, TP_I32);
        for (int64_t k = 0; k < BATCH; k++) {
            assert_true(x[2 * k] == (float)y[k] && x[2 * k + 1] == (float)(100 + y[k]));
            assert_true(w[k] == (k < n ? 1 : 0));
            assert_int_equal(tp_batches_row(b, k), k < n ? y[k] : -1);
            assert_true(k < n || y[k] == y[0]);
            if (k < n)
                order[at++] = y[k];
        }
    }
    assert_int_equal(at, ROWS);
}

static void in_order(void **state)
{
    data d = make();
    int64_t order[ROWS];
    (void)state;
    tp_batches *b = tp_batches_create(d.column, 2, ROWS, &(tp_batch_options){.weight = d.weight});
    assert_non_null(b);
    assert_int_equal(tp_batches_count(b), 3);
    for (int e = 0; e < 2; e++) {
        assert_int_equal(tp_batches_epoch(b), e);
        epoch(&d, b, order);
        for (int k = 0; k < ROWS; k++)
            assert_int_equal(order[k], k);
    }
    tp_batches_destroy(b);
    tp_tape_destroy(d.tape);
}

static void shuffled(void **state)
{
    data d = make();
    int64_t order[3][ROWS], again[ROWS], sum = 0;
    (void)state;
    const tp_batch_options o = {.shuffle = true, .seed = 5, .weight = d.weight};
    tp_batches *b = tp_batches_create(d.column, 2, ROWS, &o), *c = tp_batches_create(d.column, 2, ROWS, &o);
    for (int e = 0; e < 3; e++) {
        bool seen[ROWS] = {false};
        epoch(&d, b, order[e]);
        for (int k = 0; k < ROWS; k++) {
            assert_false(seen[order[e][k]]);
            seen[order[e][k]] = true;
            sum += order[e][k] == k;
        }
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    assert_memory_not_equal(order[1], order[2], sizeof order[0]);
    assert_in_range(sum, 0, 12);
    tp_batches_restart(c, 2); /* as after loading: the same order of epoch 2 */
    epoch(&d, c, again);
    assert_memory_equal(again, order[2], sizeof again);
    tp_batches_destroy(b);
    tp_batches_destroy(c);
    b = tp_batches_create(d.column, 2, ROWS,
                          &(tp_batch_options){.shuffle = true, .seed = 6, .weight = d.weight});
    epoch(&d, b, again);
    assert_memory_not_equal(again, order[0], sizeof again);
    tp_batches_destroy(b);
    tp_tape_destroy(d.tape);
}

/* Each row comes to each place about as often. */
static void evenly(void **state)
{
    data d = make();
    int64_t order[ROWS];
    int seen[ROWS][ROWS] = {{0}};
    (void)state;
    tp_batches *b =
        tp_batches_create(d.column, 2, ROWS, &(tp_batch_options){.shuffle = true, .weight = d.weight});
    for (int e = 0; e < 2000; e++) {
        epoch(&d, b, order);
        for (int k = 0; k < ROWS; k++)
            seen[k][order[k]]++;
    }
    for (int k = 0; k < ROWS * ROWS; k++)
        assert_in_range(seen[k / ROWS][k % ROWS], 130, 270); /* 200, standard deviation 13 */
    tp_batches_destroy(b);
    tp_tape_destroy(d.tape);
}

static void dropped(void **state)
{
    data d = make();
    (void)state;
    tp_batches *b = tp_batches_create(d.column, 2, ROWS, &(tp_batch_options){.drop_last = true});
    assert_int_equal(tp_batches_count(b), 2);
    for (int e = 0; e < 2; e++) {
        assert_int_equal(tp_batches_next(b), 4);
        assert_int_equal(tp_batches_next(b), 4);
        assert_int_equal(tp_batches_next(b), 0);
    }
    assert_int_equal(tp_batches_epoch(b), 2);
    tp_batches_destroy(b);
    tp_tape_destroy(d.tape);
}

/* The loss of a filled batch, and its gradient, are those of its rows. */
static void the_mean(void **state)
{
    data d = make();
    double all = 0;
    (void)state;
    const tp_tensor w = tp_parameter(d.tape, TP_F32, TP_SHAPE(2), (float[]){1, 0.5f});
    const tp_tensor loss =
        tp_mse(tp_matmul(d.x, w), tp_cast(d.y, TP_F32), &(tp_loss_options){.weight = d.weight});
    tp_program *program = tp_compile(&loss, 1, NULL);
    tp_batches *b =
        tp_batches_create(d.column, 2, ROWS, &(tp_batch_options){.shuffle = true, .weight = d.weight});
    tp_batches_next(b); /* in the middle of an epoch: it begins again */
    const double mean = tp_batches_mean(b, program, loss);
    for (int k = 0; k < ROWS; k++)
        all += pow((double)numbers[2 * k + 1] / 2, 2) / ROWS;
    assert_true(fabs(mean - all) <= 1e-6 * all);
    assert_true(isnan(tp_batches_mean(NULL, program, loss)));
    assert_int_equal(tp_tape_status(d.tape), TP_OK);
    assert_true(isnan(tp_batches_mean(b, NULL, loss)));
    tp_batches_destroy(b);
    tp_program_destroy(program);
    tp_tape_destroy(d.tape);
}

static void expect_error(data *d, const tp_batch_column *c, int n, int64_t rows, tp_batch_options o,
                         const char *text)
{
    assert_null(tp_batches_create(c, n, rows, &o));
    if (strstr(tp_tape_message(d->tape), text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tp_tape_message(d->tape), text);
    tp_tape_clear_error(d->tape);
}

static void bad_arguments(void **state)
{
    data d = make();
    tp_batch_column c[2] = {d.column[0], d.column[1]};
    (void)state;
    expect_error(&d, c, 2, ROWS, (tp_batch_options){0},
                 "batches: 10 rows are no whole number of batches of 4: give a .weight, or set .drop_last");
    expect_error(&d, c, 2, 3, (tp_batch_options){.drop_last = true},
                 "batches: with .drop_last, 3 rows make no batch of 4");
    expect_error(&d, c, 2, 0, (tp_batch_options){0}, "batches: there must be rows");
    expect_error(&d, c, 2, 8, (tp_batch_options){.weight = d.x},
                 "batches: the weight must be f32 or f64, one number for each row");
    expect_error(&d, c, 2, 8, (tp_batch_options){.weight = d.y}, "batches: the weight must be f32 or f64");
    expect_error(&d, c, 2, 8, (tp_batch_options){.allocator = {.release = metered_release}},
                 "batches: an allocator needs both functions");
    for (int k = 1; k <= 3; k++) {
        meter m = {.refused = k};
        expect_error(&d, c, 2, 8, (tp_batch_options){.allocator = {metered_allocate, metered_release, &m}},
                     "batches: out of memory");
        assert_int_equal(m.held, 0);
    }
    c[1].data = NULL;
    expect_error(&d, c, 2, 8, (tp_batch_options){0}, "batches: the data of column 1 are NULL");
    c[1] = (tp_batch_column){tp_input(d.tape, TP_F32, TP_SHAPE(5)), numbers};
    expect_error(
        &d, c, 2, 8, (tp_batch_options){0},
        "batches: the leaf of a column is f32[5], but its first size must be that of a batch, as in the first");
    c[0] = (tp_batch_column){tp_input(d.tape, TP_F32, TP_SHAPE_0D), numbers};
    expect_error(&d, c, 1, 8, (tp_batch_options){0},
                 "batches: the leaf of a column is f32[], but its first size");
    c[0] = (tp_batch_column){tp_add(d.x, d.x), numbers};
    expect_error(&d, c, 1, 8, (tp_batch_options){0},
                 "batches: the leaf of a column must be an input or a parameter of one tape");
    assert_null(tp_batches_create(NULL, 1, 4, NULL));
    assert_null(tp_batches_create(&(tp_batch_column){0}, 1, 4, NULL));
    assert_int_equal(tp_batches_next(NULL), 0);
    assert_int_equal(tp_batches_row(NULL, 0), -1);
    assert_int_equal(tp_batches_count(NULL), 0);
    assert_int_equal(tp_batches_epoch(NULL), 0);
    tp_batches_restart(NULL, 0);
    tp_batches_destroy(NULL);
    tp_tape_destroy(d.tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order), cmocka_unit_test(shuffled), cmocka_unit_test(evenly),
        cmocka_unit_test(dropped),  cmocka_unit_test(the_mean), cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
