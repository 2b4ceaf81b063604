/* test_docs.c -- what README.md and docs/ show is true: their C code stands, to the letter, in a program of examples/, and
 * the messages are those that Tapir writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/op.h>
#include <tapir/tapir.h>

/* The whole file, to be freed. */
static char *text_of(const char *path)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", TAPIR_SOURCE_DIR, path);
    FILE *file = fopen(full, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", full);
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    char *text = calloc((size_t)size + 1, 1);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* ---- Code ------------------------------------------------------------------------------------------- */

/* Every ```c block of the page is a part of the program, or of the other one.  Returns how many there are. */
static int check_code(const char *page, const char *program, const char *other)
{
    static const char start[] = "```c\n", end[] = "```\n";
    char *text = text_of(page), *code = text_of(program), *more = text_of(other);
    int blocks = 0;

    for (char *at = text; (at = strstr(at, start)) != NULL; blocks++) {
        at += sizeof start - 1;
        char *stop = strstr(at, end);
        assert_non_null(stop);
        *stop = '\0';
        if (strstr(code, at) == NULL && strstr(more, at) == NULL)
            fail_msg("%s shows code that is not in %s:\n%s", page, program, at);
        at = stop + 1;
    }
    free(text);
    free(code);
    free(more);
    return blocks;
}

static void code(void **state)
{
    (void)state;
    assert_int_equal(check_code("README.md", "examples/hello.c", "examples/hello.c"), 1);
    assert_int_equal(check_code("docs/custom-op.md", "examples/custom_op.c", "examples/custom_op.c"), 4);
    assert_int_equal(check_code("docs/guide.md", "examples/guide.c", "examples/opaque_simulation.c"), 12);
}

/* ---- Messages --------------------------------------------------------------------------------------- */

/* The page has the tape's message, apart from the place at its end, as a line (indented) or a part of one. */
static void assert_shown(const char *page, tp_tape *tape, const char *before, const char *after)
{
    char expected[2048], *text = text_of(page);
    char *place = strstr(strcpy(expected, tp_tape_message(tape)), " at /");

    if (place == NULL)
        place = strstr(expected, " at tests/");
    assert_non_null(place);
    *place = '\0';
    char shown[4096];
    snprintf(shown, sizeof shown, "%s%s%s", before, expected, after);
    if (strstr(text, shown) == NULL)
        fail_msg("%s lacks: %s", page, shown);
    tp_tape_clear_error(tape);
    free(text);
}

static tp_tensor vector_only(tp_tensor x);

/* The page's op with a wrong rule: it forgets the 2. */
TP_MAP1(my_square, x *x)

static void my_square_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, d->x[0]);
}

static const tp_op my_square = {
    .name = "my_square", .kind = TP_MAP, .arity = 1, .vjp = my_square_vjp, TP_MAP_KERNELS(my_square)};

static void messages(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor prediction = tp_input(tape, TP_F32, TP_SHAPE(64, 1));
    tp_mse(prediction, tp_input(tape, TP_F32, TP_SHAPE(64)), NULL);
    assert_shown("README.md", tape, "\n    ", " at train.c:42\n");

    const tp_tensor labels = tp_constant(tape, TP_I32, TP_SHAPE(4), (int32_t[]){0, 1, 9, 10});
    const tp_tensor loss = tp_cross_entropy(tp_full(tape, TP_F32, TP_SHAPE(4, 10), 0), labels, NULL);
    tp_program *program = tp_compile(&loss, 1, NULL);
    assert_int_equal(tp_run(program), TP_BAD_VALUE);
    assert_shown("README.md", tape, "\n    ", " at train.c:42\n");
    tp_program_destroy(program);

    vector_only(tp_input(tape, TP_F64, TP_SHAPE(2, 3)));
    assert_shown("docs/custom-op.md", tape, "`", " at train.c:12`");

    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(5));
    tp_record_verified(true, &my_square, &x, 1, NULL);
    assert_shown("docs/custom-op.md", tape, "\n    ", " at train.c:42\n");
    tp_tape_destroy(tape);
}

/* The shape rule of the page's cumsum. */
static const char *vector_infer(tp_inference *i)
{
    return i->x_shape[0].rank != 1 ? "the operand must be a vector" : NULL;
}

static tp_status no_run(const tp_call *call)
{
    (void)call;
    return TP_OK;
}

static const tp_op cumsum = {
    .name = "cumsum", .kind = TP_CALL, .arity = 1, .infer = vector_infer, .run = no_run};

static tp_tensor vector_only(tp_tensor x)
{
    return tp_record(&cumsum, &x, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code),
        cmocka_unit_test(messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
