/* test_places.c -- where a node comes from: file, line and scopes, also inside library losses, through function pointers
 * and in gradients; and how a tape prints.
 */
#include "tape_test.h"

#include <tapir/losses.h>

/* ---- Printing --------------------------------------------------------------------------------------- */

static char *printed(const tp_tape *tape)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    tp_tape_print(tape, stream);
    fclose(stream);
    return text;
}

static tp_tensor at(tp_tensor x, int line)
{
    return tp_locate(x, "model.c", line);
}

static void record_small_model(tp_tape *tape)
{
    const tp_tensor x = (tp_input)(tp_locate_tape(tape, "model.c", 10), TP_F32, TP_SHAPE(4, 2));
    const tp_tensor w = (tp_parameter)(tp_locate_tape(tape, "model.c", 11), TP_F32, TP_SHAPE(2), NULL);
    tp_tensor g;
    tp_scope_begin(tape, "net");
    const tp_tensor y = (tp_exp)((tp_mul)(at(x, 12), w));
    tp_scope_begin(tape, "loss");
    const tp_tensor loss = (tp_sum)(at(y, 13));
    tp_scope_end(tape);
    tp_scope_end(tape);
    (tp_concat_at)("model.c", 14, (tp_tensor[]){x, x}, 2, -1);
    (tp_iota)(tape, TP_I32, 3);
    (tp_gradient)(loss, &w, 1, &g);
    (tp_exp)(at((tp_assign)(w, g), 15));
}

static void test_print_is_this(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    (void)state;
    record_small_model(tape);
    char *text = printed(tape);
    assert_string_equal(text, "%0 = input : f32[4,2]  # model.c:10\n"
                              "%1 = parameter : f32[2]  # model.c:11\n"
                              "%2 = mul %0, %1 : f32[4,2]  # net: model.c:12\n"
                              "%3 = exp %2 : f32[4,2]  # net: model.c:12\n"
                              "%4 = sum %3 : f32[1,1]  # net/loss: model.c:13\n"
                              "%5 = reshape %4 : f32[]  # net/loss: model.c:13\n"
                              "%6 = concat %0, %0 : f32[4,4]  # model.c:14\n"
                              "%7 = iota : i32[3]\n"
                              "%8 = scalar 1 : weak[]\n"
                              "%9 = scalar 1 : f32[]\n"
                              "%10 = expand %9 : f32[1,1]  gradient of %5  # net/loss: model.c:13\n"
                              "%11 = expand %9 : f32[4,2]  gradient of %4  # net/loss: model.c:13\n"
                              "%12 = mul %3, %0 : f32[4,2]  gradient of %2  # net: model.c:12\n"
                              "%13 = guard %3, %12 : f32[4,2]  gradient of %2  # net: model.c:12\n"
                              "%14 = sum %13 : f32[1,2]  gradient of %2  # net: model.c:12\n"
                              "%15 = reshape %14 : f32[2]  gradient of %2  # net: model.c:12\n"
                              "%16 = assign %1, %15 : f32[2]  # model.c:11\n"
                              "error: exp: operand 0 is an assignment, which has no value at model.c:15\n");
    free(text);
    tp_tape_destroy(tape);
}

static void test_print_cuts_what_is_endless(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[500];
    (void)state;
    for (int k = 0; k < 500; k++)
        x[k] = tp_input(tape, TP_F32, TP_SHAPE(1, 1, 1, 1, 1, 1, 1, 99999));
    tp_concat(x, 500, 0);
    char *text = printed(tape);
    expect_text(text, "%500 = concat %0, %1, %2");
    free(text);
    tp_tape_destroy(tape);
}

/* ---- Lines ------------------------------------------------------------------------------------------ */

/* What stands after the # in the line of a node, or "". */
static void place_of(const tp_tape *tape, int64_t id, char place[400])
{
    char *text = printed(tape), start[24];
    place[0] = '\0';
    snprintf(start, sizeof start, "%%%d = ", (int)id);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, start, strlen(start)) == 0) {
            const char *mark = strstr(line, "  # ");
            snprintf(place, 400, "%s", mark != NULL ? mark + 4 : "");
            if (strstr(line, " = scalar ") != NULL) /* a number is shared by all who use it */
                snprintf(place, 400, "number");
        }
    free(text);
}

/* Every node from `first` on is at this line of this file, in this scope. */
static void expect_places(const tp_tape *tape, int64_t first, const char *scope, int line)
{
    char expected[400], place[400];
    snprintf(expected, sizeof expected, "%s%s:%d", scope, __FILE__, line);
    assert_true(tp_tape_count(tape) > first);
    for (int64_t id = first; id < tp_tape_count(tape); id++) {
        place_of(tape, id, place);
        if (strcmp(place, "number") != 0)
            assert_string_equal(place, expected);
    }
}

#define EXPECT_HERE(tape, scope, call)                                                                       \
    do {                                                                                                     \
        const int64_t first = tp_tape_count(tape);                                                           \
        call;                                                                                                \
        expect_places(tape, first, scope, __LINE__);                                                         \
    } while (0)

static void test_compositions_are_at_the_users_line(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4, 3));
    (void)state;

    EXPECT_HERE(tape, "", tp_logsumexp(x));
    EXPECT_HERE(tape, "", tp_softmax(x, 1));
    EXPECT_HERE(tape, "", tp_log_softmax(x, 0));
    EXPECT_HERE(tape, "", tp_mean(tp_exp(x)));
    EXPECT_HERE(tape, "", tp_var_over(x, TP_AXES(0), 1, false));
    EXPECT_HERE(tape, "", tp_norm(x));
    EXPECT_HERE(tape, "", tp_clamp(x, -1, 1));
    EXPECT_HERE(tape, "", tp_relu(tp_log(x)));
    EXPECT_HERE(tape, "", tp_greater(tp_tanh(x), x));
    EXPECT_HERE(tape, "", tp_matmul(x, tp_transpose(x, 0, 1)));
    EXPECT_HERE(tape, "", tp_concat((tp_tensor[]){x, x, x}, 3, 1));
    const tp_tensor image = tp_input(tape, TP_F32, TP_SHAPE(1, 3, 4, 4)),
                    kernel = tp_input(tape, TP_F32, TP_SHAPE(3, 3, 2, 2)),
                    bias = tp_input(tape, TP_F32, TP_SHAPE(3));
    EXPECT_HERE(tape, "", tp_conv2d(image, kernel, bias, NULL));
    EXPECT_HERE(tape, "", tp_conv_transpose2d(image, kernel, bias, NULL));
    EXPECT_HERE(tape, "", tp_max_pool2d(image, 2, 2, NULL));
    EXPECT_HERE(tape, "", tp_upsample_bilinear(image, 3, 7, NULL));
    EXPECT_HERE(tape, "batch_norm: ", tp_batch_norm(image, &(tp_batch_norm_options){.bias = bias}, NULL));
    EXPECT_HERE(tape, "", tp_uniform(tape, TP_F32, TP_SHAPE(3)));
    EXPECT_HERE(tape, "", tp_full(tape, TP_F32, TP_SHAPE(3), 7));
    EXPECT_HERE(tape, "", tp_iota(tape, TP_F32, 4));
    EXPECT_HERE(tape, "", tp_constant(tape, TP_F32, TP_SHAPE_0D, &(float){1}));
    expect_ok(tape);
    tp_tape_destroy(tape);
}

static void test_losses_are_at_the_users_line(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor p = tp_input(tape, TP_F32, TP_SHAPE(4, 3)), t = tp_input(tape, TP_F32, TP_SHAPE(4, 3));
    const tp_tensor labels = tp_input(tape, TP_I32, TP_SHAPE(4));
    (void)state;

    EXPECT_HERE(tape, "huber: ", tp_huber(p, t, NULL));
    tp_scope_begin(tape, "model");
    EXPECT_HERE(tape, "model/cross_entropy: ", tp_cross_entropy(p, labels, NULL));
    EXPECT_HERE(tape, "model/mse: ", tp_mse(t, p, NULL));
    tp_scope_end(tape);
    expect_ok(tape);
    const int line = __LINE__ + 1;
    tp_mse(p, tp_reshape(t, TP_SHAPE(3, 4)), NULL);
    char place[400];
    snprintf(place, sizeof place, "at %s:%d", __FILE__, line);
    expect_error(tape, TP_BAD_SHAPE, place);
    tp_tape_destroy(tape);
}

static void test_function_pointers_keep_the_operands_place(void **state)
{
    tp_tensor (*const functions[])(tp_tensor) = {tp_exp, tp_relu, tp_mean, tp_logsumexp};
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4));
    const int line = __LINE__ - 1;
    (void)state;

    for (size_t k = 0; k < COUNT_OF(functions); k++)
        functions[k](x);
    expect_places(tape, 0, "", line);
    const int64_t first = tp_tape_count(tape);
    functions[3](tp_locate(tp_tanh(x), __FILE__, 12345));
    expect_places(tape, first + 1, "", 12345);
    tp_tape_destroy(tape);
}

/* A call that records nothing leaves no place behind for the next one. */
static void test_no_place_is_left_behind(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4));
    const int line = __LINE__ - 1;
    (void)state;

    tp_concat(&x, 0, 0);
    tp_group(&x, 0);
    tp_full(tape, TP_WEAK, TP_SHAPE(1), 0);
    tp_iota(tape, TP_WEAK, 1);
    tp_scalar(tape, 1);
    tp_tape_clear_error(tape);
    (tp_exp)(x);
    expect_places(tape, tp_tape_count(tape) - 1, "", line);
    tp_tape_destroy(tape);
}

static void test_gradients_are_at_the_forward_line(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE(4), NULL);
    tp_tensor g, h;
    (void)state;

    tp_scope_begin(tape, "net");
    const int line = __LINE__ + 1;
    const tp_tensor loss = tp_sum(tp_exp(tp_mul(w, tp_tanh(w))));
    tp_scope_end(tape);
    tp_scope_begin(tape, "training");
    const int64_t first = tp_tape_count(tape);
    tp_gradient(loss, &w, 1, &g);
    expect_places(tape, first, "net: ", line);
    const int second_line = __LINE__ + 1;
    const tp_tensor square = tp_sum(tp_mul(g, g));
    const int64_t second = tp_tape_count(tape);
    tp_gradient(square, &w, 1, &h);
    char place[400], expected[400], outer[400];
    snprintf(expected, sizeof expected, "net: %s:%d", __FILE__, line);
    snprintf(outer, sizeof outer, "training: %s:%d", __FILE__, second_line);
    for (int64_t id = second; id < tp_tape_count(tape);
         id++) { /* of the first gradient's line, or of the square's */
        place_of(tape, id, place);
        if (strcmp(place, "number") != 0 && strcmp(place, outer) != 0)
            assert_string_equal(place, expected);
    }
    expect_ok(tape);
    tp_tape_destroy(tape);
}

/* ---- Scopes ----------------------------------------------------------------------------------------- */

static void test_scopes_nest_and_return(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(4));
    char name[8] = "a";
    (void)state;

    tp_scope_begin(tape, name);
    strcpy(name, "zzz"); /* it was copied */
    EXPECT_HERE(tape, "a: ", tp_exp(x));
    tp_scope_begin(tape, "b");
    EXPECT_HERE(tape, "a/b: ", tp_log(x));
    tp_scope_end(tape);
    EXPECT_HERE(tape, "a: ", tp_tanh(x));
    tp_scope_begin(tape, "");
    tp_scope_begin(tape, NULL);
    EXPECT_HERE(tape, "a/?/?: ", tp_neg(x));
    tp_scope_end(tape);
    tp_scope_end(tape);
    tp_scope_end(tape);
    EXPECT_HERE(tape, "", tp_abs(x));
    expect_ok(tape);
    tp_tape_destroy(tape);
}

/* Someone forgot tp_scope_end in a loop, or names scopes after what they read: the message still says what is wrong. */
static void test_many_and_long_scopes_leave_room(void **state)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_I32, TP_SHAPE(4));
    static char name[5000];
    (void)state;

    memset(name, 'n', sizeof name - 1);
    for (int k = 0; k < 20000; k++)
        tp_scope_begin(tape, "step");
    for (int k = 0; k < 20; k++)
        tp_scope_begin(tape, name);
    const int line = __LINE__ + 1;
    tp_exp(x);
    char place[400];
    snprintf(place, sizeof place, "exp: there is no kernel for this dtype: i32[4] at %s:%d", __FILE__, line);
    expect_text(tp_tape_message(tape), ".../nnn");
    expect_error(tape, TP_BAD_DTYPE, place);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_is_this),
        cmocka_unit_test(test_print_cuts_what_is_endless),
        cmocka_unit_test(test_compositions_are_at_the_users_line),
        cmocka_unit_test(test_losses_are_at_the_users_line),
        cmocka_unit_test(test_function_pointers_keep_the_operands_place),
        cmocka_unit_test(test_no_place_is_left_behind),
        cmocka_unit_test(test_gradients_are_at_the_forward_line),
        cmocka_unit_test(test_scopes_nest_and_return),
        cmocka_unit_test(test_many_and_long_scopes_leave_room),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
