/* test_checkpoint.c -- tp_checkpoint: the gradient's bits stay, memory falls, and what is recomputed runs when the backward
 * pass has come there, with the same random numbers.
 */
#include "tape_test.h"

#include <tapir/check.h>
#include <tapir/modes.h>

#include "tape.h"
#include "values.h"

/* ---- A chain of layers -------------------------------------------------------------------------------- */

enum { MOST_LAYERS = 64, WIDTH = 16, BATCH = 256 };

typedef struct chain {
    int layers;
    int every; /* checkpoint so often; 0: never */
    int outer; /* and around so many of these; 0: none */
    bool drops, shares, inner_wrt;
    tp_dtype dtype;
    tp_gradient_options options;
} chain;

typedef struct recorded {
    tp_tape *tape;
    tp_tensor w[MOST_LAYERS + 2], out[MOST_LAYERS + 3];
    int wrt, outputs;
} recorded;

static tp_tensor make_matrix(tp_tape *tape, tp_dtype dtype, int64_t rows, int64_t columns, uint64_t seed)
{
    double values[VALUES_MAX];
    generator random = seeded(seed);
    for (int64_t i = 0; i < rows * columns; i++)
        values[i] = next_between(&random, -0.5, 0.5);
    return make_leaf(tape, dtype, TP_SHAPE(rows, columns), values);
}

static tp_tensor layer(const chain *c, tp_tensor h, tp_tensor w)
{
    h = tp_tanh(tp_matmul(h, w));
    if (!c->drops)
        return h;
    const tp_tensor kept = tp_less(tp_uniform(h.tape, c->dtype, tp_shape_of(h)), tp_scalar(h.tape, 0.75));
    return tp_scale(tp_mul(h, kept), 1 / 0.75);
}

static recorded record_chain(const chain *c, uint64_t seed)
{
    recorded r = {.tape = tp_tape_create(&(tp_tape_options){.seed = seed})};
    const tp_tensor x = make_matrix(r.tape, c->dtype, BATCH, WIDTH, 1);
    for (int k = 0; k < c->layers; k++)
        r.w[k] = c->shares && k > 0 ? r.w[0] : make_matrix(r.tape, c->dtype, WIDTH, WIDTH, (uint64_t)k + 2);
    r.wrt = c->shares ? 1 : c->layers;

    tp_tensor h = x, from = x, outer_from = x;
    for (int k = 0; k < c->layers; k++) {
        h = layer(c, h, r.w[k]);
        if (c->inner_wrt && k == c->layers / 2 + 1)
            r.w[r.wrt++] = h;
        if (c->every > 0 && (k + 1) % c->every == 0)
            from = h = tp_checkpoint(h, &from, 1);
        if (c->outer > 0 && (k + 1) % (c->every * c->outer) == 0)
            from = outer_from = h = tp_checkpoint(h, &outer_from, 1);
    }
    const tp_tensor loss = tp_mean(tp_square(tp_add(h, x)));
    r.w[r.wrt++] = x;
    r.out[0] = loss;
    assert_int_equal(tp_vector_jacobian(loss, tp_scalar(r.tape, 1), r.w, r.wrt, r.out + 1, &c->options),
                     TP_OK);
    r.outputs = r.wrt + 1;
    assert_no_error(r.tape);
    return r;
}

static size_t size_of_output(const recorded *r, int k)
{
    return (size_t)tp_count_of(r->out[k]) * tp_dtype_size(tp_dtype_of(r->out[k]));
}

/* Both chains in `runs` runs, each bit the same; the memory of the first in units of the second's. */
static double compare_chains(const chain *a, const chain *b, const tp_compile_options *options, int runs)
{
    recorded one = record_chain(a, 7), two = record_chain(b, 7);
    tp_program *p = tp_compile(one.out, one.outputs, options), *q = tp_compile(two.out, two.outputs, options);
    const double factor = (double)tp_program_memory(p) / (double)tp_program_memory(q);

    assert_int_equal(one.outputs, two.outputs);
    for (int run = 0; run < runs; run++) {
        run_ok(p);
        run_ok(q);
        for (int k = 0; k < one.outputs; k++)
            assert_memory_equal(tp_program_output(p, k, a->dtype), tp_program_output(q, k, a->dtype),
                                size_of_output(&one, k));
    }
    tp_program_destroy(p);
    tp_program_destroy(q);
    tp_tape_destroy(one.tape);
    tp_tape_destroy(two.tape);
    return factor;
}

static const tp_compile_options reference = {.reference = true};

static void check_chain(chain c, const tp_compile_options *options)
{
    chain plain = c;
    plain.every = plain.outer = 0;
    compare_chains(&plain, &c, options, 2);
}

static void test_bits_stay(void **state)
{
    (void)state;
    for (int o = 0; o < 2; o++) {
        const tp_compile_options *options = o == 0 ? NULL : &reference;
        for (tp_dtype dtype = TP_F32; dtype <= TP_F64; dtype++)
            for (int every = 1; every <= 7; every += 2)
                check_chain((chain){.layers = 7, .every = every, .dtype = dtype}, options);
        check_chain((chain){.layers = 9, .every = 2, .shares = true}, options);
        check_chain((chain){.layers = 9, .every = 3, .inner_wrt = true}, options);
        check_chain((chain){.layers = 9, .every = 3, .options = {.no_strong_zero = true}}, options);
        check_chain((chain){.layers = 8, .every = 2, .outer = 2}, options);
        check_chain((chain){.layers = 8, .every = 4, .outer = 2, .shares = true}, options);
        check_chain((chain){.layers = 8, .every = 1, .outer = 4, .inner_wrt = true}, options);
    }
}

/* The random numbers of the forward pass, in every run. */
static void test_bits_stay_with_random_numbers(void **state)
{
    (void)state;
    for (int o = 0; o < 2; o++) {
        const tp_compile_options *options = o == 0 ? NULL : &reference;
        check_chain((chain){.layers = 6, .every = 2, .drops = true}, options);
        check_chain((chain){.layers = 6, .every = 3, .drops = true, .dtype = TP_F64}, options);
        check_chain((chain){.layers = 8, .every = 2, .outer = 2, .drops = true}, options);
    }
    check_chain((chain){.layers = 6, .every = 2, .drops = true},
                &(tp_compile_options){.freeze_random = true});
}

/* 20 layers of tanh(matmul), of which every 4th is kept: 2.6 times less; 64 and every 8th: 4.7 times.  What is asked leaves
 * room for a planner that keeps less of the plain gradient. */
static void test_memory_falls(void **state)
{
    const chain plain20 = {.layers = 20}, every4 = {.layers = 20, .every = 4}, plain64 = {.layers = 64},
                every8 = {.layers = 64, .every = 8};
    (void)state;
    const double a = compare_chains(&plain20, &every4, NULL, 1),
                 b = compare_chains(&plain64, &every8, NULL, 1);
    print_message("20 layers: %.2f times less memory; 64 layers: %.2f\n", a, b);
    assert_true(a > 1.6);
    assert_true(b > 2.5);
}

/* ---- What runs when ----------------------------------------------------------------------------------- */

/* Calls that say when they run: forward +k, backward -k. */
enum { MOST_EVENTS = 64 };
typedef struct diary {
    int event[MOST_EVENTS], n;
} diary;

typedef struct step_attr {
    diary *diary;
    int64_t number;
} step_attr;

static tp_status note(const tp_call *c, int sign)
{
    const step_attr *a = c->attr;
    if (a->diary->n == MOST_EVENTS)
        return tp_call_fail(c, "the diary is full");
    a->diary->event[a->diary->n++] = sign * (int)a->number;
    for (int64_t i = 0; i < tp_shape_count(c->y.shape); i++)
        ((double *)c->y.data)[i] = ((const double *)c->x[0].data)[i] * 1.5;
    return TP_OK;
}

static tp_status forward_run(const tp_call *c)
{
    return note(c, 1);
}

static tp_status backward_run(const tp_call *c)
{
    return note(c, -1);
}

/* Reads the forward result, so that it is needed. */
static const tp_op backward_op = {
    .name = "backward", .kind = TP_CALL, .arity = 2, .attr_size = sizeof(step_attr), .run = backward_run};

static void step_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_record(&backward_op, (tp_tensor[]){d->g, d->y}, 2, d->attr);
}

static const tp_op forward_op = {.name = "forward",
                                 .kind = TP_CALL,
                                 .arity = 1,
                                 .attr_size = sizeof(step_attr),
                                 .vjp = step_vjp,
                                 .run = forward_run};

static const tp_op impure_op = {.name = "impure",
                                .kind = TP_CALL,
                                .arity = 1,
                                .flags = TP_OP_IMPURE,
                                .attr_size = sizeof(step_attr),
                                .vjp = step_vjp,
                                .run = forward_run};

static tp_tensor forward_step(tp_tensor x, diary *l, int number)
{
    return tp_record(&forward_op, &x, 1, &(step_attr){l, number});
}

typedef void (*diary_check)(const diary *l, const int *expected);

static void run_both_ways(tp_tensor loss, tp_tensor wrt, diary *l, diary_check check, const int *expected)
{
    tp_tensor out[2] = {loss};
    assert_int_equal(tp_gradient(loss, &wrt, 1, &out[1]), TP_OK);
    for (int o = 0; o < 2; o++) {
        tp_program *program = tp_compile(out, 2, o == 0 ? NULL : &reference);
        l->n = 0;
        run_ok(program);
        check(l, expected);
        tp_program_destroy(program);
    }
}

/* `expected` ends with a 0. */
static void check_order(const diary *l, const int *expected)
{
    for (int k = 0; k < l->n; k++)
        if (l->event[k] != expected[k])
            fail_msg("event %d is %d instead of %d", k, l->event[k], expected[k]);
    assert_int_equal(expected[l->n], 0);
}

static void expect_events(tp_tensor loss, tp_tensor wrt, diary *l, const int *expected)
{
    run_both_ways(loss, wrt, l, check_order, expected);
}

static tp_tensor six_steps(tp_tensor x, diary *l, int every)
{
    tp_tensor h = x, from = x;
    for (int k = 1; k <= 6; k++) {
        h = forward_step(h, l, k);
        if (k % every == 0)
            from = h = tp_checkpoint(h, &from, 1);
    }
    return h;
}

/* Each stretch again, just before the backward pass goes through it. */
static void test_recomputed_when_needed(void **state)
{
    diary l = {.n = 0};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){1, 2});
    static const int by_two[] = {1, 2, 3, 4, 5, 6, 5, 6, -6, -5, 3, 4, -4, -3, 1, 2, -2, -1, 0};
    static const int by_three[] = {1, 2, 3, 4, 5, 6, 4, 5, 6, -6, -5, -4, 1, 2, 3, -3, -2, -1, 0};
    (void)state;

    expect_events(tp_sum(tp_square(six_steps(x, &l, 2))), x, &l, by_two);
    /* An adjoint that is known from the start does not draw the recomputation forward. */
    expect_events(tp_sum(six_steps(x, &l, 3)), x, &l, by_three);
    const tp_tensor weight = tp_constant(tape, TP_F64, TP_SHAPE(2), (double[]){3, 4});
    expect_events(tp_sum(tp_mul(tp_exp(weight), six_steps(x, &l, 3))), x, &l, by_three);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* A checkpoint around three, of which each is one: the whole again to get at its inner boundaries, then each. */
static void test_nested_when_needed(void **state)
{
    diary l = {.n = 0};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){1, 2});
    const tp_tensor h = six_steps(x, &l, 2), y = tp_checkpoint(h, &x, 1);
    /* The second time 5 and 6 are left out: nothing reads them. */
    static const int expected[] = {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, -6, -5, 3, 4, -4, -3, 1, 2, -2, -1, 0};
    (void)state;

    expect_events(tp_sum(tp_square(y)), x, &l, expected);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static int last_of(const diary *l, int event, int *times)
{
    int last = -1;
    *times = 0;
    for (int k = 0; k < l->n; k++)
        if (l->event[k] == event)
            last = k, ++*times;
    return last;
}

static void check_impure(const diary *l, const int *expected_times)
{
    int times, back;
    for (int k = 1; k <= 3; k++) {
        const int again = last_of(l, k, &times);
        assert_true(again < last_of(l, -k, &back) && back == 1);
        assert_int_equal(times, expected_times[k - 1]);
    }
    assert_int_equal(l->event[2], 3);
}

/* Impure ops run once: the stretch ends before, and begins again after. */
static void test_impure_ops_run_once(void **state)
{
    diary l = {.n = 0};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(2), (double[]){1, 2});
    const tp_tensor a = forward_step(x, &l, 1), b = tp_record(&impure_op, &a, 1, &(step_attr){&l, 2});
    const tp_tensor c = forward_step(b, &l, 3), y = tp_checkpoint(c, &x, 1);
    (void)state;

    run_both_ways(tp_sum(tp_square(y)), x, &l, check_impure, (const int[]){2, 1, 2});
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- Other structures --------------------------------------------------------------------------------- */

/* Values, gradients and second derivatives with and without, to the bit but for the last. */
typedef tp_tensor (*builder)(const tp_tensor *x, bool checkpoints);

static void check_builder(builder build, int n, const tp_shape *shape)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[4], g[2][4], hvp[2][4], tangent[2], direction[4], loss[2];
    double value[VALUES_MAX], a[VALUES_MAX], b[VALUES_MAX];
    generator random = seeded(3);

    for (int k = 0; k < n; k++) {
        for (int64_t i = 0; i < tp_shape_count(shape[k]); i++)
            value[i] = next_between(&random, -1, 1);
        x[k] = make_leaf(tape, TP_F64, shape[k], value);
        direction[k] = make_constant(tape, TP_F64, shape[k], value);
    }
    for (int with = 0; with < 2; with++) {
        const tp_tensor y = build(x, with);
        loss[with] = tp_mean(tp_square(tp_add(y, tp_scalar(tape, 0.25))));
        assert_int_equal(tp_gradient(loss[with], x, n, g[with]), TP_OK);
        assert_int_equal(tp_hessian_vector(loss[with], x, direction, n, hvp[with]), TP_OK);
        const int64_t before = tp_tape_count(tape);
        assert_int_equal(tp_jvp(y, x, direction, n, &tangent[with]), TP_OK);
        for (int32_t id = (int32_t)before; id < tp_tape_count(tape); id++) /* it recomputes nothing */
            assert_string_not_equal(tp__node_at(tape, id)->op->name, "wait");
    }
    assert_int_not_equal(loss[0].id, loss[1].id);
    compute(tangent[0], a);
    compute(tangent[1], b);
    assert_same("forward mode", b, a, tp_count_of(tangent[0]));
    for (int k = 0; k < n; k++) {
        compute(g[0][k], a);
        compute(g[1][k], b);
        assert_same("gradient", b, a, tp_count_of(x[k]));
        compute(hvp[0][k], a);
        compute(hvp[1][k], b);
        assert_close("second derivative", b, a, tp_count_of(x[k]), 1e-12);
    }
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

static tp_tensor maybe(tp_tensor y, const tp_tensor *boundary, int n, bool checkpoints)
{
    return checkpoints ? tp_checkpoint(y, boundary, n) : y;
}

/* What is recomputed is used outside, too; and the boundary twice, inside and outside. */
static tp_tensor build_skips(const tp_tensor *x, bool checkpoints)
{
    const tp_tensor a = tp_tanh(tp_matmul(x[0], x[1])), b = tp_exp(tp_mul(a, a)),
                    y = maybe(tp_mul(b, x[0]), x, 1, checkpoints);
    return tp_add(tp_add(y, a), tp_mul(x[0], b));
}

/* Several boundaries, one of integers, one a view, one of no use; weights that are functions of leaves. */
static tp_tensor build_boundaries(const tp_tensor *x, bool checkpoints)
{
    const int32_t which[] = {0, 1, 1};
    const tp_tensor choice = tp_constant(x[0].tape, TP_I32, TP_SHAPE(3), which);
    const tp_tensor from[] = {tp_square(x[0]), tp_transpose(x[1], 0, 1), tp_neg(choice), tp_exp(x[1])};
    const tp_tensor weight = tp_softmax(x[1], 0);
    const tp_tensor product = tp_matmul(from[0], tp_mul(tp_matmul(from[1], weight), weight));
    const tp_tensor y = tp_where(tp_cast(tp_neg(from[2]), TP_F64), product, tp_tanh(product));
    return maybe(y, from, 4, checkpoints);
}

/* Many operands; reductions; everything from leaves. */
static tp_tensor build_many(const tp_tensor *x, bool checkpoints)
{
    tp_tensor part[10];
    for (int k = 0; k < 10; k++)
        part[k] = tp_sum_over(tp_exp(tp_scale(x[k % 2], 0.1 * k)), TP_AXES(k % 2), true);
    for (int k = 0; k < 10; k++)
        part[k] = tp_reshape(part[k], TP_SHAPE(3));
    const tp_tensor joined = tp_concat(part, 10, 0);
    return maybe(tp_mul(tp_logsumexp(joined), tp_prod(tp_slice(joined, 0, 0, 4, 1))), x, 2, checkpoints);
}

/* Two stretches that overlap: from the same boundary, through the same tensors. */
static tp_tensor build_overlap(const tp_tensor *x, bool checkpoints)
{
    const tp_tensor a = tp_tanh(tp_matmul(x[0], x[1])), b = tp_exp(a);
    const tp_tensor first = maybe(tp_mul(b, a), x, 2, checkpoints),
                    second = maybe(tp_sub(tp_square(b), first), x, 2, checkpoints);
    return tp_matmul(first, second);
}

/* Of the next stretch the boundary is inside this one. */
static tp_tensor build_crossing(const tp_tensor *x, bool checkpoints)
{
    const tp_tensor a = tp_tanh(tp_matmul(x[0], x[1])), b = tp_exp(a), c = tp_mul(b, a);
    const tp_tensor first = maybe(c, x, 1, checkpoints);
    return tp_add(first, maybe(tp_square(tp_sigmoid(b)), &a, 1, checkpoints));
}

static tp_tensor build_strong_zero(const tp_tensor *x, bool checkpoints)
{
    const tp_tensor zero = tp_scalar(x[0].tape, 0), positive = tp_greater(x[0], zero);
    const tp_tensor y = tp_where(positive, tp_mul(tp_log(x[0]), tp_sqrt(x[0])), tp_sub(x[0], x[1]));
    return tp_relu(maybe(y, x, 2, checkpoints));
}

static void test_structures(void **state)
{
    static const builder all[] = {build_skips,   build_boundaries, build_many,
                                  build_overlap, build_crossing,   build_strong_zero};
    const tp_shape shape[] = {{2, {3, 3}}, {2, {3, 3}}};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(all); k++)
        check_builder(all[k], 2, shape);
}

static void test_empty_and_single(void **state)
{
    const tp_shape empty[] = {{2, {0, 3}}, {2, {3, 3}}}, single[] = {{2, {1, 1}}, {2, {1, 1}}};
    (void)state;
    check_builder(build_overlap, 2, single);
    check_builder(build_strong_zero, 2, single);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, empty[0], NULL);
    const tp_tensor w = make_leaf(tape, TP_F64, empty[1], (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
    const tp_tensor y = tp_checkpoint(tp_tanh(tp_matmul(x, w)), &x, 1);
    double g[9];
    compute_gradient(tp_sum(y), w, g);
    for (int k = 0; k < 9; k++)
        assert_true(g[k] == 0);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* ---- The node ----------------------------------------------------------------------------------------- */

static void test_the_value_is_the_tensor(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, 3});
    const tp_tensor y = tp_exp(tp_square(x)), c = tp_checkpoint(y, &x, 1);
    const tp_tensor number = tp_scalar(tape, 2), full = tp_full(tape, TP_F64, TP_SHAPE(3), 4);
    double a[3], b[3];
    (void)state;

    assert_true(tp_shape_equal(tp_shape_of(c), TP_SHAPE(3)));
    compute(y, a);
    compute(c, b);
    assert_same("value", b, a, 3);
    assert_int_equal(tp_checkpoint(y, &x, 1).id, c.id);
    assert_int_equal(tp_checkpoint(number, &x, 1).id, number.id); /* known numbers need no computing */
    assert_int_equal(tp_checkpoint(full, &x, 1).id, full.id);
    tp_program *plain = compile_all(&y, 1), *program = compile_all(&c, 1);
    assert_int_equal(tp_program_memory(program), tp_program_memory(plain));
    tp_program_destroy(program);
    tp_program_destroy(plain);
    assert_no_error(tape);
    tp_tape_destroy(tape);
}

/* The gradient recorded again is the same tensor. */
static void test_recorded_twice_is_recorded_once(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, 3});
    const tp_tensor noisy = tp_mul(tp_exp(x), tp_uniform(tape, TP_F64, TP_SHAPE(3)));
    const tp_tensor loss = tp_sum(tp_square(tp_checkpoint(tp_tanh(noisy), &x, 1)));
    tp_tensor first, again;
    (void)state;

    assert_int_equal(tp_gradient(loss, &x, 1, &first), TP_OK);
    const int64_t count = tp_tape_count(tape);
    assert_int_equal(tp_gradient(loss, &x, 1, &again), TP_OK);
    assert_int_equal(again.id, first.id);
    assert_int_equal(tp_tape_count(tape), count);
    tp_tape_destroy(tape);
}

/* What is recorded again is at its first place, in its scope, and draws no number of its own. */
static void test_places_and_ordinals(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, 3});
    (void)state;

    tp_scope_begin(tape, "inner");
    const int line = __LINE__ + 1;
    const tp_tensor y = tp_tanh(tp_mul(tp_exp(x), tp_uniform(tape, TP_F64, TP_SHAPE(3))));
    tp_scope_end(tape);
    const int32_t before = (int32_t)tp_tape_count(tape);
    tp_tensor g;
    assert_int_equal(tp_gradient(tp_sum(tp_square(tp_checkpoint(y, &x, 1))), &x, 1, &g), TP_OK);
    int again = 0;
    for (int32_t id = before; id < tp_tape_count(tape); id++) {
        const tp__node *node = tp__node_at(tape, id);
        const char *name = node->op->name;
        if (strcmp(name, "exp") != 0 && strcmp(name, "tanh") != 0 && strcmp(name, "redraw") != 0)
            continue;
        again++;
        assert_int_equal(node->place.line, line);
        assert_non_null(node->place.scope);
        assert_string_equal(node->place.scope->name, "inner");
    }
    assert_int_equal(again, 3);
    assert_int_equal(tape->impure, 1);
    assert_null(tape->inside);
    assert_int_equal(tape->origin, -1);
    tp_tape_destroy(tape);
}

/* Programs need nothing of the tape. */
static void test_programs_outlive_the_recording(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 2, 3});
    tp_program *program[2];
    (void)state;

    for (int with = 0; with < 2; with++) {
        const tp_mark mark = tp_tape_mark(tape);
        tp_tensor y = tp_tanh(tp_mul(tp_exp(x), tp_uniform(tape, TP_F64, TP_SHAPE(3)))), g;
        y = maybe(y, &x, 1, with);
        assert_int_equal(tp_gradient(tp_sum(tp_square(y)), &x, 1, &g), TP_OK);
        program[with] = tp_compile(&g, 1, &(tp_compile_options){.freeze_random = true});
        assert_int_equal(tp_tape_rewind(mark), TP_OK);
    }
    for (int k = 0; k < 100; k++)
        tp_exp(tp_scale(x, k));
    tp_tape_destroy(tape);
    for (int with = 0; with < 2; with++)
        run_ok(program[with]);
    assert_memory_equal(tp_program_output(program[0], 0, TP_F64), tp_program_output(program[1], 0, TP_F64),
                        24);
    tp_program_destroy(program[0]);
    tp_program_destroy(program[1]);
}

/* ---- With the rest of the library --------------------------------------------------------------------- */

static tp_tensor noisy_penalty(const tp_tensor *x, void *user)
{
    const tp_tensor noise = tp_uniform(x[0].tape, TP_F32, TP_SHAPE(2, 2));
    const tp_tensor h = tp_tanh(tp_add(tp_matmul(x[0], x[1]), noise)), y = tp_mul(h, noise);
    const tp_tensor loss = tp_sum(tp_square(tp_checkpoint(y, x, 2)));
    tp_tensor g;
    (void)user;
    tp_gradient(loss, x, 1, &g);
    return tp_add(loss, tp_sum(tp_square(g)));
}

/* The checker replays checkpoints, what they recompute, and numbers drawn again, in double. */
static void test_the_checker_knows_them(void **state)
{
    tp_check_report report;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x[] = {tp_parameter(tape, TP_F32, TP_SHAPE(2, 2), (float[]){0.1f, -0.2f, 0.3f, 0.4f}),
                           tp_parameter(tape, TP_F32, TP_SHAPE(2, 2), (float[]){0.5f, -0.6f, 0.7f, 0.8f})};
    (void)state;
    if (!tp_check_gradient(noisy_penalty, NULL, x, 2, &(tp_check_options){.second = true}, &report))
        fail_msg("%s", report.message);
    if (!tp_check_recorded(noisy_penalty(x, NULL), x, 2, NULL, &report))
        fail_msg("%s", report.message);
    assert_false(report.single);
    tp_tape_destroy(tape);
}

/* With check_finite the message is that of the op that did it. */
static void test_nan_is_found(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(2), (double[]){0, 4});
    const tp_tensor y = tp_checkpoint(tp_exp(tp_sqrt(x)), &x, 1);
    tp_tensor g;
    (void)state;

    assert_int_equal(tp_gradient(tp_sum(y), &x, 1, &g), TP_OK);
    tp_program *program = tp_compile(&g, 1, &(tp_compile_options){.check_finite = true});
    assert_int_equal(tp_run(program), TP_NOT_FINITE);
    expect_text(tp_program_message(program), "(element 0) gave inf, in the gradient of sqrt of 0");
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static double play(memory *m, tp_tape **made)
{
    tp_tape *tape = *made = tape_with(m);
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3, 3), (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
    tp_tensor h = tp_mul(tp_tanh(x), tp_uniform(tape, TP_F64, TP_SHAPE(3, 3))), from = x, part[9], g = x;
    for (int k = 0; k < 9; k++)
        part[k] = h;
    h = tp_checkpoint(tp_matmul(x, tp_slice(tp_concat(part, 9, 0), 0, 0, 3, 1)), &from, 1);
    from = h;
    h = tp_checkpoint(tp_exp(tp_scale(h, 0.01)), &from, 1);
    tp_gradient(tp_sum(h), &x, 1, &g);
    tp_program *program = tp_compile(&g, 1, NULL);
    double sum = 0;
    if (program != NULL && tp_run(program) == TP_OK)
        for (int k = 0; k < 9; k++)
            sum += ((const double *)tp_program_output(program, 0, TP_F64))[k];
    tp_program_destroy(program);
    return sum;
}

static void test_each_allocation_fails(void **state)
{
    double fine = 0;
    (void)state;
    for (int fail_on = 0; fail_on < 2; fail_on++)
        for (int64_t k = 1;; k++) {
            memory m = {.fail_at = k, .fail_on = fail_on};
            tp_tape *tape;
            const double sum = play(&m, &tape);
            const bool failed = m.calls >= k;
            if (tape != NULL)
                assert_int_equal(tp_tape_status(tape), failed ? TP_OUT_OF_MEMORY : TP_OK);
            tp_tape_destroy(tape);
            assert_all_released(&m);
            if (failed)
                continue;
            assert_true(k > 25);
            fine = fail_on == 0 ? sum : fine;
            assert_true(sum != 0 && same_f64(sum, fine));
            break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_stay),
        cmocka_unit_test(test_bits_stay_with_random_numbers),
        cmocka_unit_test(test_memory_falls),
        cmocka_unit_test(test_recomputed_when_needed),
        cmocka_unit_test(test_nested_when_needed),
        cmocka_unit_test(test_impure_ops_run_once),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_empty_and_single),
        cmocka_unit_test(test_the_value_is_the_tensor),
        cmocka_unit_test(test_recorded_twice_is_recorded_once),
        cmocka_unit_test(test_places_and_ordinals),
        cmocka_unit_test(test_programs_outlive_the_recording),
        cmocka_unit_test(test_the_checker_knows_them),
        cmocka_unit_test(test_nan_is_found),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
