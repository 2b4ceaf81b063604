/* test_golden_binary.c -- the golden cases ops_binary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_ops.h"

static void build_where(golden_record *r)
{
    r->out[0] = tp_where(golden_input(r, "cond"), golden_input(r, "a"), golden_input(r, "b"));
}

static const golden_op ops[] = {
    {"add", .binary = tp_add},       {"sub", .binary = tp_sub},         {"mul", .binary = tp_mul},
    {"div", .binary = tp_div},       {"maximum", .binary = tp_maximum}, {"minimum", .binary = tp_minimum},
    {"eq", .binary = tp_equal},      {"ne", .binary = tp_not_equal},    {"lt", .binary = tp_less},
    {"le", .binary = tp_less_equal}, {"gt", .binary = tp_greater},      {"ge", .binary = tp_greater_equal},
    {"where", .build = build_where}, {"pow", .binary = tp_pow},         {"atan2", .binary = tp_atan2},
    {"hypot", .binary = tp_hypot},   {"fmod", .binary = tp_fmod},
};

static void test_binary(void **state)
{
    (void)state;
    golden_run_ops("ops_binary.txt", ops, (int)(sizeof ops / sizeof *ops), 96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_binary)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
