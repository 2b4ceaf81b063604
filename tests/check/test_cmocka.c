/* test_cmocka.c -- the assertions of tapir/cmocka.h: what passes, and how a failure looks.  Started again with an
 * argument, this program is the suite that fails. */
#define _POSIX_C_SOURCE 200809L /* popen */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <tapir/cmocka.h>
#include <tapir/tapir.h>

static const char *program;

TP_MAP1(half, x / 2)

static void half_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(d->g, 0.5);
}

static void wrong_rule(const tp_vjp *d)
{
    d->dx[0] = tp_scale(d->g, -0.5);
}

static const tp_op right_half = {
    .name = "right_half", .kind = TP_MAP, .arity = 1, .vjp = half_rule, TP_MAP_KERNELS(half)};
static const tp_op wrong_half = {
    .name = "wrong_half", .kind = TP_MAP, .arity = 1, .vjp = wrong_rule, TP_MAP_KERNELS(half)};

typedef struct choice {
    const tp_op *op;
    double factor;
} choice;

static tp_tensor loss(const tp_tensor *x, void *user)
{
    const choice *c = user;
    return tp_scale(tp_sum(tp_record(c->op, x, 1, NULL)), c->factor);
}

static tp_tensor make_x(tp_tape *tape)
{
    return tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1, 3});
}

static void test_passes(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = make_x(tape);

    tp_assert_gradient(loss, &(choice){&right_half, 2}, (tp_tensor[]){x}, 1, NULL);
    tp_assert_recorded(tp_sum(tp_exp(x)), &x, 1, &(tp_check_options){.second = true, .seed = 1});
    tp_assert_op(&right_half, &x, 1, NULL, NULL);
    tp_tape_destroy(tape);
}

/* ---- The suite that fails -------------------------------------------------------------------------- */

enum { FIRST_LINE = __LINE__ };

static void fails_gradient(void **state)
{
    const tp_tensor x = make_x(*state);
    tp_assert_gradient(loss, &(choice){&wrong_half, 2}, &x, 1, NULL);
}

static void fails_recorded(void **state)
{
    const tp_tensor x = make_x(*state);
    tp_assert_recorded(tp_record(&wrong_half, &x, 1, NULL), &x, 1, NULL);
}

static void fails_op(void **state)
{
    const tp_tensor x = make_x(*state);
    tp_assert_op(&wrong_half, &x, 1, NULL, NULL);
}

static int set_up(void **state)
{
    *state = tp_tape_create(NULL);
    return *state == NULL;
}

static int tear_down(void **state)
{
    tp_tape_destroy(*state);
    return 0;
}

static int run_failing_suite(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fails_gradient, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fails_recorded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fails_op, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void assert_line(const char *output, int line)
{
    char place[64];
    snprintf(place, sizeof place, "test_cmocka.c:%d: error: Failure!", line);
    if (strstr(output, place) == NULL)
        fail_msg("\"%s\" is not in:\n%s", place, output);
}

static void test_failures(void **state)
{
    (void)state;
    char command[4096], output[8192];
    snprintf(command, sizeof command, "'%s' fail 2>&1", program);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    assert_int_not_equal(pclose(pipe), 0);
    assert_non_null(strstr(output, "is -1, but finite differences give 1 +- "));
    assert_non_null(strstr(output, "op at fault: wrong_half"));
    assert_line(output, FIRST_LINE + 5);
    assert_line(output, FIRST_LINE + 11);
    assert_line(output, FIRST_LINE + 17);
    assert_non_null(strstr(output, "3 FAILED TEST(S)"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_passes), cmocka_unit_test(test_failures)};

    program = argv[0];
    return argc > 1 ? run_failing_suite() : cmocka_run_group_tests(tests, NULL, NULL);
}
