/* indexing.c -- picking and adding up by index, on one thread, beside plain loops that check no index: an element of each of
 * 1000 columns (gather), and rows of a table (index_select), with what their gradients come to.  The loops' sums are in float,
 * Tapir's in double. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

typedef struct setup {
    pass pass; /* p is what is picked from or added up; g the result */
    int64_t rows, columns,
        size; /* gather: rows of `size` elements, columns of the index; select: table rows, their length */
    int64_t picked; /* select: rows that are picked */
    int32_t *index;
    float *hand;
    tp_program *program;
} setup;

static void run_bound(void *state)
{
    bench_pass(&((setup *)state)->pass);
}

/* ---- By hand ------------------------------------------------------------------------------------------- */

static void hand_gather(void *state)
{
    const setup *s = state;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->pass.p + r * s->size;
        const int32_t *index = s->index + r * s->columns;
        float *y = s->hand + r * s->columns;
        for (int64_t k = 0; k < s->columns; k++)
            y[k] = x[index[k]];
    }
}

static void hand_scatter(void *state)
{
    const setup *s = state;
    memset(s->hand, 0, (size_t)(s->rows * s->size) * sizeof *s->hand);
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x = s->pass.p + r * s->columns;
        const int32_t *index = s->index + r * s->columns;
        float *y = s->hand + r * s->size;
        for (int64_t k = 0; k < s->columns; k++)
            y[index[k]] += x[k];
    }
}

static void hand_select(void *state)
{
    const setup *s = state;
    for (int64_t k = 0; k < s->picked; k++)
        memcpy(s->hand + k * s->columns, s->pass.p + s->index[k] * s->columns,
               (size_t)s->columns * sizeof *s->hand);
}

static void hand_add(void *state)
{
    const setup *s = state;
    memset(s->hand, 0, (size_t)(s->rows * s->columns) * sizeof *s->hand);
    for (int64_t k = 0; k < s->picked; k++) {
        const float *x = s->pass.p + k * s->columns;
        float *y = s->hand + s->index[k] * s->columns;
        for (int64_t j = 0; j < s->columns; j++)
            y[j] += x[j];
    }
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

/* Records y from x and the index, and sets what both are compared by. */
typedef tp_tensor recorder(tp_tensor x, tp_tensor index, const setup *s);

static tp_tensor record_gather(tp_tensor x, tp_tensor index, const setup *s)
{
    (void)s;
    return tp_take_along_axis(x, index, 1);
}

static tp_tensor record_scatter(tp_tensor x, tp_tensor index, const setup *s)
{
    return tp_scatter_add(tp_full(x.tape, TP_F32, TP_SHAPE(s->rows, s->size), 0), index, x, 1);
}

static tp_tensor record_select(tp_tensor x, tp_tensor index, const setup *s)
{
    (void)s;
    return tp_index_select(x, index, 0);
}

static tp_tensor record_add(tp_tensor x, tp_tensor index, const setup *s)
{
    return tp_index_add(tp_full(x.tape, TP_F32, TP_SHAPE(s->rows, s->columns), 0), index, x, 0);
}

static void run_case(suite *s, const char *name, setup state, tp_shape x_shape, tp_shape index_shape,
                     int64_t limit, recorder *record, work *hand)
{
    const int64_t x_count = tp_shape_count(x_shape), indices = tp_shape_count(index_shape);

    if (!bench_wants(s, name, x_count, 1))
        return;
    bench_threads(1);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, x_shape), index = tp_input(tape, TP_I32, index_shape);
    const tp_tensor y = record(x, index, &state);
    const int64_t count = tp_count_of(y), most = count > x_count ? count : x_count;
    float *data = tp_leaf_data(x, TP_F32), *number = bench_allocate((size_t)indices * sizeof *number);
    state.index = tp_leaf_data(index, TP_I32);
    bench_fill(data, x_count, -1, 1, 1);
    bench_fill(number, indices, 0, (double)limit, 2);
    for (int64_t i = 0; i < indices; i++)
        state.index[i] = (int32_t)number[i];
    state.hand = bench_allocate((size_t)count * sizeof(float));
    state.pass =
        (pass){.n = x_count, .threads = 1, .p = data, .g = bench_allocate((size_t)most * sizeof(float))};
    state.program = bench_compile(s, name, &y, 1);
    hand(&state);
    if (state.program != NULL &&
        bench_agree_f32(s, name, "result", count, tp_values(y, TP_F32), state.hand, 1e-6))
        bench_row(s, &(row){.name = name,
                            .dtype = "f32",
                            .n = x_count,
                            .threads = 1,
                            .hand = hand,
                            .bound = run_bound,
                            .state = &state,
                            .program = state.program,
                            .leaves = (size_t)(x_count + indices) * sizeof(float),
                            .outputs = (size_t)count * sizeof(float)});
    tp_program_destroy(state.program);
    tp_tape_destroy(tape);
    free(number);
    free(state.hand);
    free(state.pass.g);
}

void bench_indexing(suite *s)
{
    const setup gather = {.rows = 1000, .columns = 1000, .size = 1000};
    const setup select = {.rows = 10000, .columns = 64, .picked = 100000};
    const tp_shape square = TP_SHAPE(1000, 1000), table = TP_SHAPE(10000, 64), picked = TP_SHAPE(100000, 64);

    run_case(s, "gather 1000x1000", gather, square, square, 1000, record_gather, hand_gather);
    run_case(s, "gather_gradient 1000x1000", gather, square, square, 1000, record_scatter, hand_scatter);
    run_case(s, "index_select 100000 of 10000x64", select, table, TP_SHAPE(100000), 10000, record_select,
             hand_select);
    run_case(s, "index_select_gradient 10000x64", select, picked, TP_SHAPE(100000), 10000, record_add,
             hand_add);
}
