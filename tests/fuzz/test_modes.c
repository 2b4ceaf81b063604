/* test_modes.c -- seeded random graphs: forward mode against the gradient, Hessian-vector products in three ways, and
 * checkpoints at random places, which must not change a bit.
 *
 *     TAPIR_FUZZ_SEED=n     only that seed
 *     TAPIR_FUZZ_COUNT=n    so many seeds (default 500), from TAPIR_FUZZ_FIRST on (default 1)
 *
 * A failure prints its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tapir/modes.h>

#include "random_graph.h"

enum { MOST_LEAVES = 6 };

static uint64_t current_seed;
static bool busy;

/* ---- Products with a direction ------------------------------------------------------------------------- */

static tp_tensor numbers_like(tp_tensor x, generator *random)
{
    double values[GRAPH_ELEMENTS];
    for (int64_t i = 0; i < tp_count_of(x); i++)
        values[i] = next_between(random, -1, 1);
    return make_constant(x.tape, tp_dtype_of(x), tp_shape_of(x), values);
}

static void add_products(tp_tensor *sum, double *size, tp_tensor a, tp_tensor b)
{
    double x[VALUES_MAX], y[VALUES_MAX];
    compute(a, x);
    compute(b, y);
    *sum = tp_add(*sum, tp_sum(tp_mul(a, b)));
    for (int64_t i = 0; i < tp_count_of(a); i++)
        *size += fabs(x[i] * y[i]);
}

static void expect_near(const char *what, const double *a, const double *b, int64_t n, double tolerance)
{
    double size = 1;
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(b[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * size))
            fail_msg("%s: element %lld is %.17g instead of %.17g", what, (long long)i, a[i], b[i]);
}

/* <u, J v> = <J' u, v> for any tensor of the graph. */
static void check_forward(const random_graph *graph, const tp_tensor *x, const tp_tensor *leaf, int leaves,
                          const tp_tensor *direction, generator *random)
{
    const tp_tensor y = x[next_below(random, graph->n)], u = numbers_like(y, random);
    tp_tensor tangent, g[MOST_LEAVES];
    tp_tensor one = tp_scalar_of(y.tape, TP_F64, 0), other = one;
    double size = 1;

    if (tp_is_scalar_constant(y, NULL))
        return;
    assert_int_equal(tp_jvp(y, leaf, direction, leaves, &tangent), TP_OK);
    assert_int_equal(tp_vector_jacobian(y, u, leaf, leaves, g, NULL), TP_OK);
    add_products(&one, &size, u, tangent);
    for (int k = 0; k < leaves; k++)
        add_products(&other, &size, g[k], direction[k]);
    const double a = compute_one(one), b = compute_one(other);
    if (!(fabs(a - b) <= 1e-11 * size))
        fail_msg("<u, J v> is %.17g, but <J' u, v> %.17g", a, b);
}

static void check_second_order(tp_tensor loss, const tp_tensor *leaf, int leaves, const tp_tensor *direction)
{
    tp_tensor g[MOST_LEAVES], second[MOST_LEAVES], plain[MOST_LEAVES], forward;
    tp_tensor slope = tp_scalar_of(loss.tape, TP_F64, 0);
    double a[VALUES_MAX], b[VALUES_MAX], c[VALUES_MAX];

    assert_int_equal(tp_hessian_vector(loss, leaf, direction, leaves, second), TP_OK);
    assert_int_equal(tp_gradient(loss, leaf, leaves, g), TP_OK);
    for (int k = 0; k < leaves; k++)
        slope = tp_add(slope, tp_sum(tp_mul(g[k], direction[k])));
    assert_int_equal(tp_gradient(slope, leaf, leaves, plain), TP_OK);
    for (int k = 0; k < leaves; k++) {
        assert_int_equal(tp_jvp(g[k], leaf, direction, leaves, &forward), TP_OK);
        compute(second[k], a);
        compute(plain[k], b);
        compute(forward, c);
        expect_near("Hessian times direction", a, b, tp_count_of(leaf[k]), 1e-9);
        expect_near("forward mode over the gradient", c, b, tp_count_of(leaf[k]), 1e-9);
    }
}

/* ---- Checkpoints ----------------------------------------------------------------------------------------- */

/* A view as a checkpoint is, of which nothing is recomputed: what is recorded around both is the same. */
static bool same_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr, (void)s;
    return true;
}

static void pass_on(const tp_vjp *d)
{
    d->dx[0] = d->g;
}

/* Its number keeps those apart that stand for different checkpoints of one tensor. */
static const tp_op opaque = {.name = "opaque",
                             .kind = TP_VIEW,
                             .arity = 1,
                             .attr_size = sizeof(int64_t),
                             .vjp = pass_on,
                             .view = same_view};

typedef struct variant {
    tp_tape *tape;
    tp_tensor x[GRAPH_MAX], leaf[MOST_LEAVES], loss, gradient[MOST_LEAVES];
    int64_t wrapped[GRAPH_MAX]; /* the checkpoint's node, or 0 */
    int leaves;
} variant;

/* x[i], recomputed from a few tensors before it, if it depends on them. */
static tp_tensor try_checkpoint(variant *v, int i, generator *random)
{
    tp_tensor from[4];
    const int n = 1 + (int)next_below(random, 4);
    for (int k = 0; k < n; k++)
        from[k] = v->x[next_below(random, i)];
    const tp_tensor y = tp_checkpoint(v->x[i], from, n);
    v->wrapped[i] = tp_is_valid(y) && y.id != v->x[i].id ? y.id : 0;
    if (tp_is_valid(y))
        return y;
    assert_error(v->tape, TP_BAD_ARGUMENT, "checkpoint: nothing lies between");
    return v->x[i];
}

/* With checkpoints, or with opaque views where `places` has them. */
static void record_variant(variant *v, const random_graph *graph, uint64_t seed, const int64_t *places)
{
    generator random = seeded(seed);
    v->tape = tp_tape_create(NULL);
    for (int i = 0; i < graph->n; i++) {
        v->x[i] = record_instruction(graph, i, v->x, v->tape, TP_F64);
        v->wrapped[i] = 0;
        if (places == NULL && i > 0 && next_chance(&random, 0.4))
            v->x[i] = try_checkpoint(v, i, &random);
        else if (places != NULL && places[i] != 0)
            v->x[i] = tp_record(&opaque, &v->x[i], 1, &places[i]);
    }
    v->loss = graph_loss(graph, v->x);
    v->leaves = graph_leaves(graph, v->x, v->leaf, MOST_LEAVES);
    if (tp_gradient(v->loss, v->leaf, v->leaves, v->gradient) != TP_OK)
        fail_msg("tp_gradient: %s", tp_tape_message(v->tape));
}

static int check_checkpoints(const random_graph *graph)
{
    static variant with, without;
    static const tp_compile_options way[] = {{.reference = true}, {.always_parallel = true}};
    double a[VALUES_MAX], b[VALUES_MAX];
    int count = 0;

    record_variant(&with, graph, graph->seed + 99, NULL);
    record_variant(&without, graph, 0, with.wrapped);
    for (int i = 0; i < graph->n; i++)
        count += with.wrapped[i] != 0;
    for (size_t w = 0; w < sizeof way / sizeof *way && with.leaves > 0; w++) {
        tp_program *p = tp_compile(with.gradient, with.leaves, &way[w]),
                   *q = tp_compile(without.gradient, without.leaves, &way[w]);
        assert_non_null(p);
        assert_non_null(q);
        run_ok(p);
        run_ok(q);
        for (int k = 0; k < with.leaves; k++) {
            get_values(with.gradient[k], a);
            get_values(without.gradient[k], b);
            assert_same("gradient with checkpoints", a, b, tp_count_of(with.leaf[k]));
        }
        tp_program_destroy(p);
        tp_program_destroy(q);
    }
    assert_no_error(with.tape);
    tp_tape_destroy(with.tape);
    tp_tape_destroy(without.tape);
    return count;
}

/* ---- Seeds ----------------------------------------------------------------------------------------------- */

static int checkpoints;

static void check_seed(uint64_t seed)
{
    static random_graph graph;
    tp_tensor x[GRAPH_MAX], leaf[MOST_LEAVES], direction[MOST_LEAVES];
    generator random = seeded(seed + 1000);

    current_seed = seed;
    busy = true;
    make_graph(&graph, seed);
    tp_tape *tape = tp_tape_create(NULL);
    record_graph(&graph, tape, TP_F64, NULL, x);
    const tp_tensor loss = graph_loss(&graph, x);
    const int leaves = graph_leaves(&graph, x, leaf, MOST_LEAVES);
    for (int k = 0; k < leaves; k++)
        direction[k] = numbers_like(leaf[k], &random);
    if (leaves > 0) {
        for (int k = 0; k < 3; k++)
            check_forward(&graph, x, leaf, leaves, direction, &random);
        check_second_order(loss, leaf, leaves, direction);
    }
    assert_no_error(tape);
    tp_tape_destroy(tape);
    checkpoints += check_checkpoints(&graph);
    busy = false;
}

static int tell_seed(void **state)
{
    (void)state;
    if (busy)
        print_error("failing seed: TAPIR_FUZZ_SEED=%llu\n", (unsigned long long)current_seed);
    busy = false;
    return 0;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void test_seeds(void **state)
{
    const uint64_t only = number_from("TAPIR_FUZZ_SEED", 0);
    const uint64_t first = only != 0 ? only : number_from("TAPIR_FUZZ_FIRST", 1);
    const uint64_t count = only != 0 ? 1 : number_from("TAPIR_FUZZ_COUNT", 500);
    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++)
        check_seed(seed);
    assert_true(count < 100 || (uint64_t)checkpoints > 2 * count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_seeds, tell_seed),
    };
    return cmocka_run_group_tests_name("fuzz_modes", tests, NULL, NULL);
}
