/* test_same_bits.c -- the planner and the interpreter give the bits of the reference executor, on random graphs whose sizes
 * cross blocks and tiles, for several numbers of threads.  A failing seed is printed; TAPIR_FUZZ_SEED runs it alone,
 * TAPIR_FUZZ_COUNT sets how many seeds run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/ops.h>
#include <tapir/program.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { LEAVES = 5, MOST_TENSORS = 160, MOST_OUTPUTS = 24, MOST_ELEMENTS = 40000 };

/* ---- A random graph -------------------------------------------------------------------------------- */

typedef struct graph {
    uint64_t state;
    tp_tape *tape;
    tp_dtype dtype;
    tp_tensor leaf[LEAVES], tensor[MOST_TENSORS], output[MOST_OUTPUTS];
    int tensors, outputs;
} graph;

static uint32_t draw(graph *g)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)(g->state >> 33);
}

static int pick(graph *g, int n)
{
    return (int)(draw(g) % (uint32_t)n);
}

static double number(graph *g)
{
    return (double)draw(g) / 2147483648.0 * 4 - 2;
}

static tp_tensor any(graph *g)
{
    return g->tensor[pick(g, g->tensors)];
}

static void push(graph *g, tp_tensor x)
{
    if (tp_is_valid(x) && tp_count_of(x) <= MOST_ELEMENTS && g->tensors < MOST_TENSORS)
        g->tensor[g->tensors++] = x;
    tp_tape_clear_error(g->tape); /* shapes that happen not to fit */
}

static void fill(graph *g, tp_tensor leaf)
{
    const int64_t n = tp_count_of(leaf);
    for (int64_t i = 0; i < n; i++)
        if (g->dtype == TP_F32)
            ((float *)tp_leaf_data(leaf, TP_F32))[i] = (float)number(g);
        else
            ((double *)tp_leaf_data(leaf, TP_F64))[i] = number(g);
}

/* The first leaf has the whole shape, the others miss axes or have some of size 1. */
static void make_leaves(graph *g)
{
    static const tp_shape whole[] = {
        {3, {7, 5, 3}},   {2, {40, 33}},      {2, {3, 1100}},   {2, {64, 10}},     {1, {2000}},
        {2, {2500, 3}},   {3, {5, 6, 7}},     {2, {300, 12}},   {3, {4, 1, 9}},    {3, {2, 0, 3}},
        {1, {1030}},      {3, {9, 70, 20}},   {3, {2, 3, 700}}, {2, {1100, 17}},   {2, {1, 600}},
        {3, {40, 8, 30}}, {2, {5, 2048 * 3}}, {2, {30, 30}},    {3, {6, 6, 6}}, /* square: a transposed operand has the same dimensions */
        {2, {6, 1024}},   {3, {5, 3, 1500}},  {3, {9, 2, 200}}, {3, {2, 2, 2048}},
    };
    const tp_shape full = whole[pick(g, (int)(sizeof whole / sizeof *whole))];
    for (int k = 0; k < LEAVES; k++) {
        const int missing = k > 0 && pick(g, 3) == 0 ? pick(g, (int)full.rank) : 0;
        tp_shape shape = {.rank = full.rank - missing};
        for (int64_t d = 0; d < shape.rank; d++)
            shape.dim[d] = k > 0 && pick(g, 4) == 0 ? 1 : full.dim[d + missing];
        g->leaf[k] = tp_parameter(g->tape, g->dtype, shape, NULL);
        fill(g, g->leaf[k]);
        push(g, g->leaf[k]);
    }
}

static tp_tensor elementwise(graph *g, tp_tensor a, tp_tensor b)
{
    const tp_tensor constant = tp_scalar(g->tape, number(g));
    switch (pick(g, 15)) {
    case 13: return tp_mul(tp_sigmoid(a), tp_softplus(a));
    case 14: return tp_mul(tp_sub(constant, a), tp_scale(tp_square(b), 0.5));
    case 0: return tp_add(a, b);
    case 1: return tp_mul(a, b);
    case 2: return tp_sub(tp_mul(a, b), a);
    case 3: return tp_tanh(a);
    case 4: return tp_div(a, tp_add(tp_square(b), tp_scalar(g->tape, 1)));
    case 5: return tp_where(tp_greater(a, b), a, b);
    case 6: return tp_maximum(a, constant);
    case 7: return tp_abs(a);
    case 8: return tp_relu(tp_sub(a, constant));
    case 9: return tp_clamp(a, -1, 1);
    case 10: return tp_cast(tp_cast(a, TP_I32), g->dtype);
    case 11: return tp_uniform(g->tape, g->dtype, tp_shape_of(a));
    default: return tp_where(tp_less_equal(tp_abs(a), constant), tp_exp(a), tp_log(b));
    }
}

/* As in batch norm, which reduces the first and the last axes. */
static tp_tensor normalised(tp_tensor a)
{
    const tp_axes axes = TP_AXES(0, -1);
    const tp_tensor var = tp_var_over(a, axes, 0, true), one = tp_scalar(a.tape, 1);
    return tp_mul(tp_sub(a, tp_mean_over(a, axes, true)), tp_div(one, tp_sqrt(tp_add(var, one))));
}

static tp_tensor reduction(graph *g, tp_tensor a)
{
    const int rank = (int)tp_shape_of(a).rank;
    const bool keepdims = pick(g, 2);
    if (rank == 0)
        return tp_square(a);
    switch (pick(g, 10)) {
    case 9: return rank > 1 ? normalised(a) : tp_square(a);
    case 0: return tp_sum(a);
    case 1: return tp_sum_over(a, TP_AXES(pick(g, rank)), keepdims);
    case 2: return tp_max_over(a, TP_AXES(pick(g, rank)), true);
    case 3: return tp_softmax(a, pick(g, rank));
    case 4: return tp_log_softmax(a, pick(g, rank));
    case 5: return tp_mean_over(a, TP_AXES(pick(g, rank)), true);
    case 6: return tp_sum_over(a, TP_AXES(0, rank - 1), keepdims);
    case 7: return tp_norm(a);
    default: return tp_var_over(a, TP_AXES(pick(g, rank)), 0, true);
    }
}

/* Views with strides of either sign, and calls. */
static tp_tensor arrangement(graph *g, tp_tensor a, int axis)
{
    const tp_shape shape = tp_shape_of(a);
    const tp_pad_options mode = {.mode = (tp_pad_mode)pick(g, 4), .value = 0.25};
    switch (pick(g, 7)) {
    case 0: return tp_flip(a, TP_AXES(axis));
    case 1: return tp_flip(a, TP_AXES(0, (int)shape.rank - 1));
    case 2: return tp_roll(a, axis, pick(g, 5));
    case 3: return tp_pad(a, axis, pick(g, 3), pick(g, 3), &mode);
    case 4: return tp_diagonal(a, pick(g, 3) - 1, axis, pick(g, (int)shape.rank));
    case 5: return tp_reshape(tp_flip(a, TP_AXES(axis)), TP_SHAPE(-1));
    default: return tp_tril(a, pick(g, 3) - 1);
    }
}

static tp_tensor structure(graph *g, tp_tensor a, tp_tensor b)
{
    const tp_shape shape = tp_shape_of(a);
    const int rank = (int)shape.rank, axis = rank > 0 ? pick(g, rank) : 0;
    if (rank == 0)
        return tp_expand(a, TP_SHAPE(3, 1));
    switch (pick(g, 10)) {
    case 8:
    case 9: return arrangement(g, a, axis);
    case 0: return tp_transpose(a, axis, pick(g, rank));
    case 1: return tp_slice(a, axis, pick(g, 2) && shape.dim[axis] > 0, TP_END, 1 + pick(g, 2));
    case 2: return tp_reshape(a, TP_SHAPE(-1));
    case 3: return tp_matmul(a, tp_transpose(b, 0, 1));
    case 4: return tp_concat((tp_tensor[]){a, a, b}, 2 + pick(g, 2), axis);
    case 5: return rank == 3 ? tp_permute(a, TP_AXES(2, 0, 1)) : tp_stop_gradient(a);
    case 6: return rank == 3 ? tp_sum_over(a, TP_AXES(0, 2), true) : tp_reshape(a, TP_SHAPE(1, -1));
    default: return tp_sum_to(tp_add(a, b), shape);
    }
}

static void make_tensors(graph *g)
{
    for (int left = 3 + pick(g, 25); left > 0; left--) {
        const tp_tensor a = any(g), b = any(g);
        const int kind = pick(g, 10);
        push(g, kind < 5 ? elementwise(g, a, b) : kind < 8 ? reduction(g, a) : structure(g, a, b));
    }
}

/* A loss, its gradient, at times the gradient of that, some tensors on the way, and assignments, a swap among them. */
static void choose_outputs(graph *g)
{
    tp_tensor loss = tp_sum(tp_tanh(any(g))), d[LEAVES], h[LEAVES];
    for (int i = 0; i < 2; i++)
        loss = tp_add(loss, tp_sum(tp_sigmoid(any(g))));
    g->output[g->outputs++] = loss;
    if (tp_gradient(loss, g->leaf, LEAVES, d) == TP_OK) {
        for (int k = 0; k < LEAVES; k++)
            g->output[g->outputs++] = d[k];
        if (pick(g, 2) && tp_gradient(tp_sum(tp_square(d[0])), g->leaf, LEAVES, h) == TP_OK)
            g->output[g->outputs++] = h[pick(g, LEAVES)];
        if (pick(g, 2))
            g->output[g->outputs++] = tp_assign(g->leaf[0], tp_sub(g->leaf[0], tp_scale(d[0], 0.1)));
        else
            g->output[g->outputs++] = tp_assign(g->leaf[0], g->leaf[1]);
    }
    tp_tape_clear_error(g->tape);
    for (int i = pick(g, 2) ? 6 : 0; i > 0; i--) /* what is no output need not be stored */
        g->output[g->outputs++] = any(g);
    int kept = 0;
    for (int i = 0; i < g->outputs; i++)
        if (tp_is_valid(g->output[i]))
            g->output[kept++] = g->output[i];
    g->outputs = kept;
}

static graph make_graph(uint64_t seed)
{
    graph g = {.state = seed * 7919 + 13, .tape = tp_tape_create(&(tp_tape_options){.seed = seed})};
    for (int i = 0; i < 5; i++)
        draw(&g);
    g.dtype = pick(&g, 2) ? TP_F32 : TP_F64;
    make_leaves(&g);
    make_tensors(&g);
    choose_outputs(&g);
    return g;
}

/* ---- Comparing ------------------------------------------------------------------------------------- */

/* Bits, but for those of a NaN. */
static bool same_values(tp_dtype dtype, const void *a, const void *b, int64_t n)
{
    const size_t size = tp_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        const char *p = (const char *)a + (size_t)i * size, *q = (const char *)b + (size_t)i * size;
        if (memcmp(p, q, size) == 0)
            continue;
        const double x = dtype == TP_F32 ? (double)((const float *)a)[i] : ((const double *)a)[i];
        const double y = dtype == TP_F32 ? (double)((const float *)b)[i] : ((const double *)b)[i];
        if (x == x || y == y)
            return false;
    }
    return true;
}

static void *copy_of(tp_tensor leaf)
{
    const size_t bytes = (size_t)tp_count_of(leaf) * tp_dtype_size(tp_dtype_of(leaf));
    void *copy = malloc(bytes + 1);
    memcpy(copy, tp_values(leaf, tp_dtype_of(leaf)), bytes);
    return copy;
}

static void restore(tp_tensor leaf, const void *values)
{
    memcpy(tp_leaf_data(leaf, tp_dtype_of(leaf)), values,
           (size_t)tp_count_of(leaf) * tp_dtype_size(tp_dtype_of(leaf)));
}

static void set_threads(int threads)
{
#ifdef _OPENMP
    omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

static int compare_programs(const graph *g, uint64_t seed, tp_program *expected, tp_program *got, int threads)
{
    int compared = 0;
    for (int k = 0; k < g->outputs; k++) {
        const tp_dtype dtype = tp_dtype_of(g->output[k]);
        const void *a = tp_program_output(expected, k, dtype), *b = tp_program_output(got, k, dtype);
        if (a == NULL && b == NULL)
            continue; /* an assignment */
        if (a == NULL || b == NULL || !same_values(dtype, a, b, tp_count_of(g->output[k])))
            fail_msg("seed %llu, %d threads: output %d differs", (unsigned long long)seed, threads, k);
        compared++;
    }
    return compared;
}

static int check_seed(uint64_t seed)
{
    graph g = make_graph(seed);
    void *before = copy_of(g.leaf[0]);
    tp_program *reference =
        tp_compile(g.output, g.outputs, &(tp_compile_options){.reference = true, .freeze_random = true});
    int compared = 0;

    if (reference == NULL || tp_run(reference) != TP_OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, tp_tape_message(g.tape));
    void *after = copy_of(g.leaf[0]);
    for (int threads = 1; threads <= 4; threads++) {
        set_threads(threads);
        restore(g.leaf[0], before);
        tp_program *program = tp_compile(
            g.output, g.outputs, &(tp_compile_options){.freeze_random = true, .always_parallel = true});
        if (program == NULL || tp_run(program) != TP_OK)
            fail_msg("seed %llu: %s", (unsigned long long)seed, tp_tape_message(g.tape));
        compared += compare_programs(&g, seed, reference, program, threads);
        if (!same_values(g.dtype, after, tp_values(g.leaf[0], g.dtype), tp_count_of(g.leaf[0])))
            fail_msg("seed %llu, %d threads: the assigned leaf differs", (unsigned long long)seed, threads);
        tp_program_destroy(program);
    }
    tp_program_destroy(reference);
    tp_tape_destroy(g.tape);
    free(before);
    free(after);
    return compared;
}

/* ---- Tests ----------------------------------------------------------------------------------------- */

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void test_random_graphs(void **state)
{
    const uint64_t count = setting("TAPIR_FUZZ_COUNT", 500), alone = setting("TAPIR_FUZZ_SEED", UINT64_MAX);
    int compared = 0;
    (void)state;

    if (alone != UINT64_MAX) {
        check_seed(alone);
        return;
    }
    for (uint64_t seed = 0; seed < count; seed++)
        compared += check_seed(seed);
    assert_true(compared > (int)count * 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
