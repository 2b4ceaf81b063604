/* tapir/cmocka.h -- gradient checks as cmocka assertions.
 *
 *     #include <cmocka.h>            (after the headers that cmocka wants before it)
 *     #include <tapir/cmocka.h>
 *
 *     static void test_my_loss(void **state)
 *     {
 *         ...
 *         tp_assert_gradient(my_loss, &data, (tp_tensor[]){prediction, target}, 2, NULL);
 *     }
 *
 * A test fails, at the assertion's line and with the report's message, unless the verdict is "passed": an inconclusive
 * check fails, too.  The arguments are those of tp_check_gradient, tp_check_recorded and tp_op_verify. */
#ifndef TAPIR_CMOCKA_H
#define TAPIR_CMOCKA_H

#include <tapir/check.h>

/* Variadic, since literals among the arguments bring commas with them. */
#define tp_assert_gradient(...) tp_assert_checked_(tp_check_gradient(__VA_ARGS__, &tp_report_))
#define tp_assert_recorded(...) tp_assert_checked_(tp_check_recorded(__VA_ARGS__, &tp_report_))
#define tp_assert_op(...)       tp_assert_checked_(tp_op_verify(__VA_ARGS__, &tp_report_))

#define tp_assert_checked_(...)                                                                              \
    do {                                                                                                     \
        tp_check_report tp_report_;                                                                          \
        if (!(__VA_ARGS__))                                                                                  \
            fail_msg("%s", tp_report_.message);                                                              \
    } while (0)

#endif
