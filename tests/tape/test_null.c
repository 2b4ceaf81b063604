/* test_null.c -- every public function with NULL, and with absent, invalid, stale and foreign tensors: no crash, a clear
 * status, and quiet where the error was told before.
 */
#include "tape_test.h"

#include <tapir/modes.h>

#include <glob.h>

#include "error_scan.h"
#include "null_calls.h"

/* ---- Every op --------------------------------------------------------------------------------------- */

typedef struct tapes {
    tp_tape *tape, *other;
    tp_tensor good, poison, stale, foreign;
} tapes;

static tapes make_tapes(void)
{
    tapes t = {.tape = tp_tape_create(NULL), .other = tp_tape_create(NULL)};
    for (int k = 0; k < 300; k++) /* ids that the first tape does not have */
        tp_input(t.other, TP_F32, TP_SHAPE(4));
    t.foreign = tp_input(t.other, TP_F32, TP_SHAPE(4));
    t.good = tp_parameter(t.tape, TP_F32, TP_SHAPE(4), NULL);
    t.poison = (tp_tensor){.tape = t.tape, .id = -1};
    const tp_mark mark = tp_tape_mark(t.tape);
    t.stale = tp_input(t.tape, TP_F32, TP_SHAPE(4));
    tp_tape_rewind(mark);
    tp_input(t.tape, TP_F32, TP_SHAPE(7)); /* has the id of the stale one */
    return t;
}

static void drop_tapes(tapes *t)
{
    tp_tape_destroy(t->tape);
    tp_tape_destroy(t->other);
}

static void test_ops_on_absent_tensors(void **state)
{
    const tp_tensor absent = {0};
    tp_tensor y;
    (void)state;
    for (int k = 0; call_op(k, absent, absent, &y); k++) {
        assert_false(tp_is_valid(y));
        assert_null(y.tape);
    }
}

static void test_ops_on_an_absent_and_a_good_tensor(void **state)
{
    tapes t = make_tapes();
    const tp_tensor absent = {0};
    tp_tensor y;
    (void)state;
    for (int k = 0; call_op(k, absent, t.good, &y); k++) {
        assert_false(tp_is_valid(y));
        if (y.tape != NULL) /* it took two */
            expect_error(t.tape, TP_BAD_HANDLE, "is absent");
        expect_ok(t.tape);
    }
    drop_tapes(&t);
}

static void test_ops_on_invalid_tensors_are_quiet(void **state)
{
    tapes t = make_tapes();
    tp_tensor y;
    (void)state;
    for (int k = 0; call_op(k, t.poison, t.good, &y); k++) {
        assert_false(tp_is_valid(y));
        assert_ptr_equal(y.tape, t.tape);
        expect_ok(t.tape);
    }
    for (int k = 0; call_op(k, t.poison, t.foreign, &y); k++) /* whatever else is wrong */
        assert_false(tp_is_valid(y));
    drop_tapes(&t);
}

static void test_ops_on_stale_tensors(void **state)
{
    tapes t = make_tapes();
    tp_tensor y;
    (void)state;
    for (int k = 0; call_op(k, t.stale, t.good, &y); k++) {
        assert_false(tp_is_valid(y));
        assert_ptr_equal(y.tape, t.tape);
        expect_error(t.tape, TP_BAD_HANDLE, "is stale: the tape was rewound past it");
    }
    drop_tapes(&t);
}

static void test_ops_on_foreign_tensors(void **state)
{
    tapes t = make_tapes();
    tp_tensor y, alone;
    (void)state;
    for (int k = 0; call_op(k, t.foreign, t.good, &y); k++) {
        if (tp_is_valid(y) && y.tape == t.other) { /* an op of one operand: nothing is wrong */
            assert_true(call_op(k, t.foreign, t.poison, &alone) && alone.id == y.id);
            continue;
        }
        assert_false(tp_is_valid(y));
        tp_tape *at = tp_tape_status(t.tape) != TP_OK ? t.tape : t.other;
        if (tp_tape_status(at) == TP_BAD_HANDLE)
            expect_error(at, TP_BAD_HANDLE, "belongs to another tape");
        tp_tape_clear_error(at); /* one operand of a wrong dtype or shape */
    }
    drop_tapes(&t);
}

static void test_forged_ids(void **state)
{
    tapes t = make_tapes();
    static const int32_t ids[] = {-1, -2, INT32_MIN, INT32_MAX, 100000, 255, 256};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(ids); k++) {
        const tp_tensor forged = {.tape = t.tape, .id = ids[k]};
        float out[4] = {0};
        assert_false(tp_is_valid(forged));
        assert_false(tp_is_valid(tp_exp(forged)));
        assert_int_equal(tp_read(forged, out, 4), TP_BAD_HANDLE);
        assert_int_equal(tp_count_of(forged), 0);
        assert_null(tp_op_of(forged));
        tp_tape_clear_error(t.tape);
    }
    drop_tapes(&t);
}

/* ---- Everything else -------------------------------------------------------------------------------- */

static void test_null_tape(void **state)
{
    (void)state;
    const tp_mark mark = tp_tape_mark(NULL);
    tp_tape_destroy(NULL);
    assert_int_equal(tp_tape_status(NULL), TP_BAD_ARGUMENT);
    expect_text(tp_tape_message(NULL), "the tape is NULL");
    tp_tape_clear_error(NULL);
    assert_int_equal(tp_tape_count(NULL), 0);
    tp_tape_print(NULL, stdout);
    tp_tape_graph(NULL, stdout);
    assert_int_equal(tp_tape_rewind(mark), TP_BAD_ARGUMENT);
    tp_scope_begin(NULL, "a");
    tp_scope_end(NULL);
    assert_null(tp_locate_tape(NULL, "f", 1));
    assert_int_equal(tp_dtype_on(NULL, TP_F32), TP_F32);

    const tp_tensor made[] = {
        tp_input(NULL, TP_F32, TP_SHAPE(2)),
        tp_parameter(NULL, TP_F32, TP_SHAPE(2), NULL),
        tp_constant(NULL, TP_F32, TP_SHAPE(2), NULL),
        tp_scalar(NULL, 1),
        tp_scalar_of(NULL, TP_F32, 1),
        tp_full(NULL, TP_F32, TP_SHAPE(2), 1),
        tp_iota(NULL, TP_F32, 3),
        tp_uniform(NULL, TP_F32, TP_SHAPE(2)),
        tp_normal(NULL, TP_F32, TP_SHAPE(2)),
        tp_bernoulli(NULL, TP_F32, TP_SHAPE(2), 0.5),
        tp_bernoulli(NULL, TP_F32, TP_SHAPE(2), 7),
        tp_permutation(NULL, 3),
        tp_record_on(NULL, NULL, NULL, 0, NULL),
        tp_record_verified(true, NULL, NULL, 0, NULL),
        tp_record_verified_on(true, NULL, NULL, NULL, 0, NULL),
    };
    for (size_t k = 0; k < COUNT_OF(made); k++)
        assert_true(made[k].tape == NULL && !tp_is_valid(made[k]));
}

static void test_null_arguments_of_a_tape(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_op *neg = tp_op_of(tp_neg(tp_input(tape, TP_F32, TP_SHAPE(2))));
    (void)state;

    tp_tape_print(tape, NULL);
    tp_tape_graph(tape, NULL);
    tp_scope_begin(tape, NULL);
    tp_scope_end(tape);
    assert_false(tp_is_valid(tp_concat(NULL, 3, 0)) || tp_is_valid((tp_concat)(NULL, 3, 0)));
    assert_false(tp_is_valid(tp_group(NULL, 3)) || tp_is_valid((tp_group)(NULL, 3)));
    assert_false(tp_is_valid(tp_concat_at("f", 1, NULL, 3, 0)) || tp_is_valid(tp_group_at("f", 1, NULL, 3)));
    assert_false(tp_is_valid(tp_stack(NULL, 3, 0)) || tp_is_valid(tp_stack_at("f", 1, NULL, 3, 0)));
    assert_int_equal(tp_split((tp_tensor){0}, 0, NULL, 2, NULL), TP_BAD_ARGUMENT);
    assert_false(tp_is_valid(tp_einsum("i", NULL, 1)) || tp_is_valid(tp_einsum_at("f", 1, "i", NULL, 1)));
    tp_tensor nothing[1]; /* of no elements, none is looked at */
    memset(nothing, 0xA5, sizeof nothing);
    assert_false(tp_is_valid(tp_concat(nothing, 0, 0)) || tp_is_valid(tp_concat(nothing, -1, 0)));
    assert_false(tp_is_valid(tp_group(nothing, 0)) || tp_is_valid(tp_group(nothing, -1)));
    assert_false(tp_is_valid(tp_einsum("", nothing, 0)) || tp_is_valid(tp_einsum("", nothing, -1)));
    assert_null(tp_compile(nothing, 0, NULL));
    assert_false(tp_is_valid(tp_record(neg, NULL, 1, NULL)));
    assert_false(tp_is_valid(tp_record(neg, NULL, -1, NULL)));
    assert_false(tp_is_valid(tp_record_verified(true, neg, NULL, 1, NULL)));
    assert_null(tp_compile(NULL, 3, NULL));
    assert_null(tp_compile(&(tp_tensor){0}, 1, NULL));
    assert_null(tp_compile(&(tp_tensor){.tape = tape}, 0, NULL));
    assert_null(tp_compile(&(tp_tensor){.tape = tape}, -1, NULL));
    expect_ok(tape);
    tp_tape_destroy(tape);

    memory m = {0};
    assert_null(tp_tape_create(&(tp_tape_options){.allocator = {.allocate = memory_allocate, .user = &m}}));
    assert_null(tp_tape_create(&(tp_tape_options){.allocator = {.release = memory_release, .user = &m}}));
    m.fail_at = 1;
    assert_null(tape_with(&m));
}

static void look_at(tp_tensor x)
{
    double value = 7;
    assert_false(tp_is_valid(x));
    assert_int_equal(tp_shape_of(x).rank, 0);
    assert_int_equal(tp_dtype_of(x), TP_WEAK);
    assert_int_equal(tp_count_of(x), 0);
    assert_false(tp_is_scalar_constant(x, NULL));
    assert_false(tp_is_scalar_constant(x, &value));
    assert_true(value == 7);
    assert_false(tp_is_writable(x));
    assert_null(tp_op_of(x));
    assert_null(tp_attr_of(x));
    assert_null(tp_operand_of(x, 0).tape);
    assert_int_equal(tp_locate(x, "f", 3).line, 3);
}

static void use_values_of(tp_tensor x)
{
    float out[4] = {9, 9, 9, 9};
    assert_int_equal(tp_write_as(x, TP_F32, out, 4), TP_BAD_HANDLE);
    assert_int_equal(tp_write_as(x, TP_F32, NULL, 4), TP_BAD_HANDLE);
    assert_int_equal(tp_read_as(x, TP_F32, out, 4), TP_BAD_HANDLE);
    assert_int_equal(tp_read_as(x, TP_F32, NULL, 4), TP_BAD_HANDLE);
    assert_true(isnan(tp_item(x)));
    assert_null(tp_leaf_data(x, TP_F32));
    assert_null(tp_values(x, TP_F32));
    assert_true(out[0] == 9 && out[3] == 9);
}

static void differentiate(tp_tensor x, tp_tensor good)
{
    tp_tensor out[2] = {good, good};
    assert_int_not_equal(tp_gradient(x, &good, 1, out), TP_OK);
    assert_false(tp_is_valid(out[0]));
    assert_int_not_equal(tp_gradient(x, NULL, 1, out), TP_OK);
    assert_int_not_equal(tp_gradient(x, &good, 1, NULL), TP_OK);
    assert_int_not_equal(tp_gradient(x, &good, -1, out), TP_OK);
    out[0] = out[1] = good;
    assert_int_not_equal(tp_vector_jacobian(x, good, (tp_tensor[]){good, good}, 2, out, NULL), TP_OK);
    assert_false(tp_is_valid(out[0]) || tp_is_valid(out[1]));
    assert_int_not_equal(tp_vector_jacobian(x, good, NULL, 1, out, NULL), TP_OK);
}

static void differentiate_otherwise(tp_tensor x, tp_tensor good)
{
    tp_tensor out[2] = {good, good}, two[2] = {good, good};
    tp_status status[8];
    int n = 0;
    status[n++] = tp_hessian_vector(x, two, two, 2, out);
    assert_false(tp_is_valid(out[0]) || tp_is_valid(out[1]));
    status[n++] = tp_jvp(x, two, two, 2, &out[0]);
    status[n++] = tp_jvp(good, &x, &good, 1, &out[0]);
    status[n++] = tp_jvp(good, &good, &x, 1, &out[0]);
    status[n++] = tp_jacobian(x, good, &out[0], NULL);
    status[n++] = tp_jacobian_matrix(x, two, 2, &out[0], NULL);
    status[n++] = tp_hessian(x, good, &out[0], NULL);
    status[n++] = tp_hessian_matrix(x, two, 2, &out[0], NULL);
    while (n > 0)
        assert_int_not_equal(status[--n], TP_OK);
    assert_false(tp_is_valid(out[0]));
    assert_int_not_equal(tp_hessian_vector(x, NULL, NULL, 1, NULL), TP_OK);
    assert_int_not_equal(tp_jvp(x, NULL, NULL, -1, NULL), TP_OK);
    assert_int_not_equal(tp_jacobian(x, x, NULL, NULL), TP_OK);
    assert_int_not_equal(tp_jacobian_matrix(x, NULL, 1, NULL, NULL), TP_OK);
    assert_int_not_equal(tp_hessian(x, x, NULL, NULL), TP_OK);
    assert_int_not_equal(tp_hessian_matrix(x, NULL, 1, NULL, NULL), TP_OK);
    assert_false(tp_is_valid(tp_checkpoint(x, &good, 1)) || tp_is_valid(tp_checkpoint(good, &x, 1)));
    assert_false(tp_is_valid(tp_checkpoint(x, NULL, 1)) || tp_is_valid(tp_checkpoint(x, &x, -1)));
}

/* Nothing asked for is nothing wrong; and the gradients may take the place of what they are for. */
static void test_gradient_arrays(void **state)
{
    tapes t = make_tapes();
    const tp_tensor loss = tp_sum(tp_exp(t.good));
    tp_tensor both[2] = {t.good, t.good}, one;
    (void)state;
    assert_int_equal(tp_gradient(loss, NULL, 0, NULL), TP_OK);
    assert_int_equal(tp_gradient(loss, &t.good, 1, &one), TP_OK);
    assert_int_equal(tp_gradient(loss, both, 2, both), TP_OK);
    assert_true(both[0].id == one.id && both[1].id == one.id);
    assert_int_equal(tp_gradient(t.good, both, 2, both), TP_BAD_SHAPE);
    assert_false(tp_is_valid(both[0]) || tp_is_valid(both[1]));
    drop_tapes(&t);
}

static void test_looking_at_bad_tensors(void **state)
{
    tapes t = make_tapes();
    const tp_tensor bad[] = {{0}, t.poison, t.stale};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(bad); k++) {
        look_at(bad[k]);
        expect_ok(t.tape);
        use_values_of(bad[k]);
        assert_int_equal(tp_tape_status(t.tape), bad[k].tape != NULL ? TP_BAD_HANDLE : TP_OK);
        tp_tape_clear_error(t.tape);
        differentiate(bad[k], t.good);
        differentiate_otherwise(bad[k], t.good);
        assert_null(tp_compile(&bad[k], 1, NULL));
        assert_false(tp_is_valid(tp_fail(bad[k], TP_BAD_SHAPE, "never said")));
        tp_tape_clear_error(t.tape);
    }
    drop_tapes(&t);
}

static void test_faults_of_handles(void **state)
{
    tapes t = make_tapes();
    (void)state;
    assert_null(tp_handle_fault(t.tape, t.good));
    expect_text(tp_handle_fault(t.tape, (tp_tensor){0}), "is absent");
    expect_text(tp_handle_fault(t.tape, t.poison), "is invalid");
    expect_text(tp_handle_fault(t.tape, t.stale), "is stale");
    expect_text(tp_handle_fault(NULL, t.good), "belongs to another tape");
    expect_ok(t.tape);
    drop_tapes(&t);
}

static void test_the_librarys_allocator(void **state)
{
    const tp_allocator a = tp_library_allocator();
    char *block = a.allocate(100, 64, a.user);
    (void)state;
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    a.release(block, 100, a.user);
    a.release(NULL, 0, a.user);
    assert_null(a.allocate(SIZE_MAX - 10, 64, a.user));
}

static void test_null_program(void **state)
{
    const char *message = NULL;
    (void)state;
    assert_int_equal(tp_run(NULL), TP_BAD_ARGUMENT);
    expect_text(tp_program_message(NULL), "the program is NULL");
    assert_null(tp_program_output(NULL, 0, TP_F32));
    assert_int_equal(tp_program_memory(NULL), 0);
    assert_int_equal(tp_program_hidden(NULL, NULL), 0);
    assert_int_equal(tp_program_hidden(NULL, &message), 0);
    assert_string_equal(message, "");
    tp_program_dump(NULL, stdout);
    tp_program_graph(NULL, stdout);
    assert_int_equal(tp_program_report(NULL).memory, 0);
    tp_program_destroy(NULL);
}

static void test_program_output_arguments(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(2), NULL);
    tp_program *program = tp_compile((tp_tensor[]){tp_neg(w), tp_assign(w, tp_exp(w))}, 2, NULL);
    (void)state;

    tp_program_dump(program, NULL);
    tp_program_graph(program, NULL);
    assert_null(tp_program_output(program, 0, TP_F32)); /* not run */
    assert_int_equal(tp_run(program), TP_OK);
    assert_non_null(tp_program_output(program, 0, TP_F32));
    assert_null(tp_program_output(program, 0, TP_F64));
    assert_null(tp_program_output(program, 1, TP_F32)); /* an assignment */
    assert_null(tp_program_output(program, 2, TP_F32));
    assert_null(tp_program_output(program, -1, TP_F32));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_names_of_anything(void **state)
{
    (void)state;
    assert_string_equal(tp_status_name(TP_BAD_SHAPE), "bad shape");
    assert_string_equal(tp_status_name((tp_status)-1), "unknown status");
    assert_string_equal(tp_dtype_name((tp_dtype)99), "?");
    assert_int_equal(tp_dtype_size(TP_WEAK), 0);
    assert_int_equal(tp_dtype_size((tp_dtype)99), 0);
}

static void test_shapes_of_anything(void **state)
{
    const tp_shape fine = TP_SHAPE(2, 3), nine = {.rank = 9}, negative = {.rank = -1};
    const int64_t large = (int64_t)1 << 40;
    char text[TP_TEXT_SIZE];
    tp_shape out;
    (void)state;

    assert_int_equal(tp_shape_count(TP_SHAPE_0D), 1);
    assert_int_equal(tp_shape_count(TP_SHAPE(large, large)), INT64_MAX);
    assert_int_equal(tp_shape_count(TP_SHAPE(large, large, 0)), 0);
    assert_int_equal(tp_shape_count(TP_SHAPE(3, -1)), 0);
    assert_false(tp_shape_equal(nine, nine));
    assert_false(tp_shape_equal(negative, negative));
    assert_false(tp_broadcast(NULL, &fine, &out) || tp_broadcast(&fine, NULL, &out));
    assert_false(tp_broadcast(&fine, &fine, NULL));
    assert_false(tp_broadcast(&nine, &fine, &out) || tp_broadcast(&fine, &negative, &out));
    assert_int_equal(tp_row_major(NULL).stride[0], 0);
    assert_int_equal(tp_row_major(&nine).stride[0], 0);
    assert_int_equal(tp_row_major(&TP_SHAPE(large, large, large)).stride[0], 0);
    assert_string_equal(tp_describe(TP_F32, &fine, text), "f32[2,3]");
    assert_string_equal(tp_describe(TP_F32, NULL, text), "f32[]");
    assert_string_equal(tp_describe((tp_dtype)99, &nine, text), "?[0,0,0,0,0,0,0,0]");
    assert_string_equal(tp_describe(TP_F32, &fine, NULL), "");
    assert_int_equal(tp_normal_axis(INT32_MIN, 8), -1);
    assert_int_equal(tp_normal_axis(0, 0), -1);
    assert_null(tp_tape_keep(NULL, 8));
    tp_zero_derivative(NULL);
    assert_int_equal(tp_call_fail(NULL, "x"), TP_BAD_VALUE);
    assert_int_equal(tp_call_fail(&(tp_call){0}, "x"), TP_BAD_VALUE);
}

/* Rules get one; nobody else has any. */
static void test_no_channels_in_blocks(void **state)
{
    (void)state;
    assert_int_equal(tp_block_of(NULL), 0);
    assert_null(tp_blocked_attr(NULL));
    assert_int_equal(tp_blocked_shape(NULL, 0).rank, 0);
    assert_int_equal(tp_blocked_dtype(NULL), TP_F32);
    assert_int_equal(tp_blocked_operands(NULL), 0);
    assert_false(tp_is_blocked(NULL, 0));
    assert_null(tp_plain_operand(NULL, 0).tape);
    assert_null(tp_blocked_operand(NULL, -1).tape);
}

/* ---- Nothing is left out ---------------------------------------------------------------------------- */

/* The name that is declared after TP_API at `at`, or an empty one. */
static void declared_name(const char *at, char name[64])
{
    const char *end = strchr(at, '(');
    const char *start = end;
    name[0] = '\0';
    while (start != NULL && start > at && (isalnum((unsigned char)start[-1]) || start[-1] == '_'))
        start--;
    if (start != NULL && end - start < 64 && strncmp(start, "tp_", 3) == 0)
        snprintf(name, 64, "%.*s", (int)(end - start), start);
}

/* Is there a call of it in one of the sources? */
static bool is_called(const char *name, const scan *sources, size_t n)
{
    char call[72];
    snprintf(call, sizeof call, "%s(", name);
    for (size_t k = 0; k < n; k++)
        if (strstr(sources[k].text, call) != NULL)
            return true;
    return false;
}

static int functions_not_called(const char *header, const scan *sources, size_t n, int *functions)
{
    char name[64];
    int missing = 0;
    scan s;

    assert_true(scan_open(&s, header));
    for (const char *at = s.text; (at = strstr(at, "TP_API ")) != NULL; at++) {
        declared_name(at, name);
        if (name[0] == '\0' || strcmp(name, "tp_abort_on_error") == 0) /* in test_errors.c */
            continue;
        ++*functions;
        if (!is_called(name, sources, n)) {
            print_error("%s: %s is not tried\n", header, name);
            missing++;
        }
    }
    scan_close(&s);
    return missing;
}

static void find_all(const char *const *patterns, size_t n, glob_t *found)
{
    for (size_t p = 0; p < n; p++) {
        char pattern[600];
        snprintf(pattern, sizeof pattern, "%s/%s", TAPIR_SOURCE_DIR, patterns[p]);
        assert_int_equal(glob(pattern, p > 0 ? GLOB_APPEND : 0, NULL, found), 0);
    }
}

/* Here, or in null_calls.h and its parts. */
static void test_every_public_function_is_tried(void **state)
{
    enum { MOST_SOURCES = 32 };
    static const char *const headers[] = {"include/tapir/tape.h", "include/tapir/program.h",
                                          "include/tapir/op.h", "include/tapir/ops/*.h"};
    static const char *const sources[] = {"tests/tape/test_null.c", "tests/tape/null_calls*.h"};
    glob_t header = {0}, source = {0};
    scan text[MOST_SOURCES];
    int missing = 0, functions = 0;
    (void)state;

    find_all(headers, COUNT_OF(headers), &header);
    find_all(sources, COUNT_OF(sources), &source);
    assert_in_range(source.gl_pathc, 2, MOST_SOURCES);
    for (size_t k = 0; k < source.gl_pathc; k++)
        assert_true(scan_open(&text[k], source.gl_pathv[k]));
    for (size_t k = 0; k < header.gl_pathc; k++)
        missing += functions_not_called(header.gl_pathv[k], text, source.gl_pathc, &functions);
    for (size_t k = 0; k < source.gl_pathc; k++)
        scan_close(&text[k]);
    globfree(&header);
    globfree(&source);
    assert_true(functions > 100);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops_on_absent_tensors),
        cmocka_unit_test(test_ops_on_an_absent_and_a_good_tensor),
        cmocka_unit_test(test_ops_on_invalid_tensors_are_quiet),
        cmocka_unit_test(test_ops_on_stale_tensors),
        cmocka_unit_test(test_ops_on_foreign_tensors),
        cmocka_unit_test(test_forged_ids),
        cmocka_unit_test(test_null_tape),
        cmocka_unit_test(test_null_arguments_of_a_tape),
        cmocka_unit_test(test_gradient_arrays),
        cmocka_unit_test(test_looking_at_bad_tensors),
        cmocka_unit_test(test_faults_of_handles),
        cmocka_unit_test(test_the_librarys_allocator),
        cmocka_unit_test(test_null_program),
        cmocka_unit_test(test_program_output_arguments),
        cmocka_unit_test(test_names_of_anything),
        cmocka_unit_test(test_shapes_of_anything),
        cmocka_unit_test(test_no_channels_in_blocks),
        cmocka_unit_test(test_every_public_function_is_tried),
    };
    return cmocka_run_group_tests_name("null", tests, NULL, NULL);
}
