/* test_rewind.c -- mark and rewind: what goes, what stays, and that an old handle never means a new tensor. */
#include "tape_test.h"

static void test_rewind_drops_and_keeps(void **state)
{
    memory m = {0};
    tp_tape *tape = tape_with(&m);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1, 2}), before = tp_exp(w);
    const tp_mark mark = tp_tape_mark(tape);
    const int64_t blocks = m.blocks;
    float out[2];
    (void)state;

    const tp_tensor leaf = tp_parameter(tape, TP_F32, TP_SHAPE(5), NULL), after = tp_neg(before);
    assert_int_equal(m.blocks, blocks + 2);
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    assert_int_equal(m.blocks, blocks); /* the leaf's memory is given back */
    assert_int_equal(tp_tape_count(tape), 2);
    assert_true(tp_is_valid(w) && tp_is_valid(before));
    assert_false(tp_is_valid(leaf) || tp_is_valid(after));
    assert_int_equal(tp_read(w, out, 2), TP_OK);
    assert_true(out[0] == 1 && out[1] == 2);
    assert_int_equal(tp_exp(w).id, before.id);
    assert_int_equal(tp_tape_rewind(mark), TP_OK); /* again, with nothing to drop */
    expect_ok(tape);
    tp_tape_destroy(tape);
    assert_all_released(&m);
}

static void test_recording_again_does_not_revive_handles(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), NULL);
    const tp_mark mark = tp_tape_mark(tape);
    tp_tensor old = {0}, now = {0};
    (void)state;

    for (int round = 0; round < 50; round++) {
        now = tp_exp(w);
        assert_true(tp_is_valid(now));
        assert_int_equal(now.id, 1);
        if (round > 0) {
            assert_false(tp_is_valid(old));
            assert_false(tp_is_valid(tp_add(now, old)));
            expect_error(tape, TP_BAD_HANDLE, "add: operand 1 is stale");
        }
        old = now;
        assert_int_equal(tp_tape_rewind(mark), TP_OK);
    }
    tp_tape_destroy(tape);
}

static void test_marks_nest(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_mark empty = tp_tape_mark(tape);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), NULL);
    const tp_mark outer = tp_tape_mark(tape);
    const tp_tensor a = tp_exp(w);
    const tp_mark inner = tp_tape_mark(tape);
    (void)state;

    tp_log(a);
    assert_int_equal(tp_tape_rewind(inner), TP_OK);
    assert_true(tp_is_valid(a));
    assert_int_equal(tp_tape_rewind(outer), TP_OK);
    assert_false(tp_is_valid(a));
    assert_int_equal(tp_tape_rewind(inner), TP_BAD_STATE);
    expect_error(tape, TP_BAD_STATE, "already rewound past this mark");
    tp_exp(w); /* as long as it was, but another recording */
    assert_int_equal(tp_tape_rewind(inner), TP_BAD_STATE);
    expect_error(tape, TP_BAD_STATE, "already rewound past this mark");
    assert_int_equal(tp_tape_count(tape), 2);
    assert_int_equal(tp_tape_rewind(outer), TP_OK);
    assert_int_equal(tp_tape_rewind(empty), TP_OK);
    assert_int_equal(tp_tape_count(tape), 0);
    assert_false(tp_is_valid(w));
    tp_tape_destroy(tape);
}

static void test_programs_survive(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){3, 4});
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor y = tp_sum(tp_square(w));
    tp_program *program = tp_compile((tp_tensor[]){y, tp_assign(w, tp_scale(w, 2))}, 2, NULL);
    (void)state;

    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    tp_tensor other = tp_log(w); /* has y's id or not: it is not y */
    while (other.id < y.id)
        other = tp_log(other);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(*(const float *)tp_program_output(program, 0, TP_F32) == 25);
    assert_int_equal(tp_run(program), TP_OK);
    assert_true(*(const float *)tp_program_output(program, 0, TP_F32) == 100);
    assert_null(tp_values(other, TP_F32));
    expect_error(tape, TP_BAD_STATE, "not computed");
    assert_true(isnan(tp_item(y)));
    expect_error(tape, TP_BAD_HANDLE, "tp_item: the tensor is stale");
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_used_leaves_hold_the_tape(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), NULL), y = tp_exp(w);
    tp_program *a = compile_one(y), *b = compile_one(w);
    (void)state;

    assert_int_equal(tp_tape_rewind(mark), TP_BAD_STATE);
    assert_true(tp_is_valid(w) && tp_is_valid(y)); /* nothing changed */
    assert_int_equal(tp_tape_count(tape), 2);
    tp_program_destroy(a);
    assert_int_equal(tp_tape_rewind(mark), TP_BAD_STATE);
    tp_program_destroy(b);
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    expect_error(tape, TP_BAD_STATE, "is used by a program");
    tp_tape_destroy(tape);
}

static void test_scopes_are_rewound(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_I32, TP_SHAPE(2));
    (void)state;

    tp_scope_begin(tape, "a");
    const tp_mark mark = tp_tape_mark(tape);
    tp_scope_begin(tape, "b");
    assert_int_equal(tp_tape_rewind(mark), TP_OK);
    tp_exp(x);
    expect_error(tape, TP_BAD_DTYPE, "a: exp: ");
    tp_scope_end(tape);
    assert_int_equal(tp_tape_rewind(mark), TP_OK); /* opens it again */
    tp_scope_end(tape);
    expect_ok(tape);
    tp_scope_end(tape);
    expect_error(tape, TP_BAD_STATE, "no scope is open");
    tp_tape_destroy(tape);
}

/* The same recording gets the same random numbers. */
static void test_random_ops_are_rewound(void **state)
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = 5});
    const tp_mark mark = tp_tape_mark(tape);
    const tp_compile_options frozen = {.freeze_random = true};
    float first[8], again[8], second[8];
    (void)state;

    for (int round = 0; round < 2; round++) {
        const tp_tensor a = tp_uniform(tape, TP_F32, TP_SHAPE(8)), b = tp_uniform(tape, TP_F32, TP_SHAPE(8));
        tp_program *program = tp_compile((tp_tensor[]){a, b}, 2, &frozen);
        assert_int_equal(tp_run(program), TP_OK);
        tp_read(a, round == 0 ? first : again, 8);
        tp_read(b, second, 8);
        tp_program_destroy(program);
        assert_int_equal(tp_tape_rewind(mark), TP_OK);
    }
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, second, sizeof first);
    expect_ok(tape);
    tp_tape_destroy(tape);
}

/* ---- A long random history -------------------------------------------------------------------------- */

enum { MOST_NODES = 3000, MOST_MARKS = 40 };

/* What the tape should hold. */
typedef struct history {
    tp_tape *tape;
    tp_tensor node[MOST_NODES];
    size_t kind[MOST_NODES], a[MOST_NODES], b[MOST_NODES]; /* how each was recorded */
    size_t nodes;
    tp_mark mark[MOST_MARKS];
    size_t marked_nodes[MOST_MARKS];
    size_t marks;
    tp_tensor stale[64];
    size_t stales;
    uint64_t random;
} history;

static size_t draw(history *h, size_t below)
{
    h->random = h->random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(h->random >> 33) % below;
}

static tp_tensor record_kind(const history *h, size_t kind, size_t a, size_t b)
{
    switch (kind) {
    case 0: return tp_parameter(h->tape, TP_F32, TP_SHAPE(2), NULL);
    case 1: return tp_uniform(h->tape, TP_F32, TP_SHAPE(2));
    case 2: return tp_tanh(h->node[a]);
    case 3: return tp_add(h->node[a], h->node[b]);
    default: return tp_slice(tp_concat((tp_tensor[]){h->node[a], h->node[b]}, 2, 0), 0, 0, 4, 2);
    }
}

static void record_some(history *h)
{
    for (size_t left = draw(h, 60); left > 0 && h->nodes < MOST_NODES; left--) {
        const size_t kind = h->nodes == 0 ? 0 : draw(h, 5), n = h->nodes;
        h->kind[n] = kind;
        h->a[n] = n > 0 ? draw(h, n) : 0;
        h->b[n] = n > 0 ? draw(h, n) : 0;
        h->node[n] = record_kind(h, kind, h->a[n], h->b[n]);
        assert_true(tp_is_valid(h->node[n]));
        h->nodes++;
    }
}

/* Still what was recorded: the operands, and for what is pure, the node that recording it again finds. */
static void check_node(const history *h, size_t n)
{
    const tp_tensor x = h->node[n];
    assert_true(tp_is_valid(x));
    if (h->kind[n] >= 2) {
        const int64_t count = tp_tape_count(h->tape);
        assert_int_equal(record_kind(h, h->kind[n], h->a[n], h->b[n]).id, x.id);
        assert_int_equal(tp_tape_count(h->tape), count);
    }
    if (h->kind[n] == 2 || h->kind[n] == 3) {
        assert_string_equal(tp_op_of(x)->name, h->kind[n] == 2 ? "tanh" : "add");
        assert_int_equal(tp_operand_of(x, 0).id, h->node[h->a[n]].id);
    }
    if (h->kind[n] == 3)
        assert_int_equal(tp_operand_of(x, 1).id, h->node[h->b[n]].id);
}

static void rewind_some(history *h)
{
    const size_t m = draw(h, h->marks);
    for (size_t n = h->marked_nodes[m]; n < h->nodes && n < h->marked_nodes[m] + 8; n++)
        if (!tp_is_valid(h->node[n]) || h->node[n].id >= h->mark[m].count)
            h->stale[h->stales++ % COUNT_OF(h->stale)] = h->node[n];
    assert_int_equal(tp_tape_rewind(h->mark[m]), TP_OK);
    h->nodes = h->marked_nodes[m];
    h->marks = m + 1;
}

static void test_long_history(void **state)
{
    static history h;
    memory m = {0};
    (void)state;

    h = (history){.tape = tape_with(&m), .random = 12345};
    for (int round = 0; round < 400; round++) {
        record_some(&h);
        if (h.marks < MOST_MARKS) {
            h.marked_nodes[h.marks] = h.nodes;
            h.mark[h.marks++] = tp_tape_mark(h.tape);
        }
        if (draw(&h, 3) == 0 || h.nodes > MOST_NODES - 100)
            rewind_some(&h);
        for (int k = 0; k < 40 && h.nodes > 0; k++)
            check_node(&h, draw(&h, h.nodes));
        for (size_t k = 0; k < h.stales && k < COUNT_OF(h.stale); k++)
            assert_false(tp_is_valid(h.stale[k]));
    }
    expect_ok(h.tape);
    assert_true(h.stales > 100);
    tp_tape_destroy(h.tape);
    assert_all_released(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewind_drops_and_keeps),
        cmocka_unit_test(test_recording_again_does_not_revive_handles),
        cmocka_unit_test(test_marks_nest),
        cmocka_unit_test(test_programs_survive),
        cmocka_unit_test(test_used_leaves_hold_the_tape),
        cmocka_unit_test(test_scopes_are_rewound),
        cmocka_unit_test(test_random_ops_are_rewound),
        cmocka_unit_test(test_long_history),
    };
    return cmocka_run_group_tests_name("rewind", tests, NULL, NULL);
}
