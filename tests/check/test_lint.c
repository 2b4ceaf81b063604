/* test_lint.c -- every remark of tp_lint, with its place; and no false alarm on the library's own losses and on what they are
 * used for. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include <tapir/op.h>
#include <tapir/tapir.h>

#include "../losses/loss_rows.h"

enum { N = 6, D = 4, C = 3 };

static tp_tensor parameter(tp_tape *tape, tp_shape shape)
{
    float v[64];
    for (int k = 0; k < 64; k++)
        v[k] = 0.1f * (float)(k % 7) - 0.25f;
    return tp_parameter(tape, TP_F32, shape, v);
}

/* One remark, of this kind, on this line of this file, that says so; the tape is as it was. */
static void expect(tp_tensor loss, const tp_tensor *p, int n, tp_lint_kind wanted, int line, const char *text)
{
    tp_lint_report r;
    const int64_t count = tp_tape_count(loss.tape);
    if (tp_lint(loss, p, n, &r) != 1)
        fail_msg("%d remarks instead of one:\n%s", r.count, r.message);
    assert_int_equal(r.status, TP_OK);
    assert_int_equal(r.remark[0].kind, wanted);
    if (strstr(r.message, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", r.message, text);
    assert_non_null(r.remark[0].file);
    assert_non_null(strstr(r.remark[0].file, "test_lint.c"));
    assert_int_equal(r.remark[0].line, line);
    assert_int_equal(tp_tape_count(loss.tape), count);
    assert_int_equal(tp_tape_status(loss.tape), TP_OK);
    tp_program *program = tp_compile(&loss, 1, NULL);
    assert_non_null(program);
    tp_program_destroy(program);
}

static void expect_none(tp_tensor loss, const tp_tensor *p, int n, const char *what)
{
    tp_lint_report r;
    if (tp_lint(loss, p, n, &r) != 0)
        fail_msg("%s: %s", what, r.message);
    assert_string_equal(r.message, "");
}

/* ---- Parameters ------------------------------------------------------------------------------------ */

static void parameters(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = parameter(tape, TP_SHAPE(N));
    int line = __LINE__ + 1;
    const tp_tensor b = tp_parameter(tape, TP_F32, TP_SHAPE(N), NULL);
    const tp_tensor pair[] = {a, b};

    expect(tp_mean(tp_square(a)), pair, 2, TP_LINT_UNREACHED, line,
           "parameter 1 is not part of the loss; made at");
    expect(tp_mean(tp_mul(a, tp_floor(b))), pair, 2, TP_LINT_NO_GRADIENT, line,
           "parameter 1 receives no gradient: its way to the loss ends at floor (");
    expect(tp_mean(tp_mul(a, tp_stop_gradient(tp_exp(b)))), pair, 2, TP_LINT_NO_GRADIENT, line,
           "ends at stop_gradient (");
    expect(tp_mean(tp_where(tp_greater(b, a), a, tp_square(a))), pair, 2, TP_LINT_NO_GRADIENT, line,
           "ends at less (");
    expect(tp_mean(tp_add(a, tp_cast(tp_cast(b, TP_I32), TP_F32))), pair, 2, TP_LINT_NO_GRADIENT, line,
           "parameter 1 receives no gradient");
    /* The same without a list: all parameters. */
    expect(tp_mean(tp_square(a)), NULL, 0, TP_LINT_UNREACHED, line, "parameter 1 is not part of the loss");
    line = __LINE__ + 1;
    expect(tp_mean(tp_exp(tp_input(tape, TP_F32, TP_SHAPE(N)))), pair, 2, TP_LINT_CONSTANT, line,
           "the loss depends on no parameter at");
    expect_none(tp_mean(tp_mul(a, b)), pair, 2, "both");
    tp_tape_destroy(tape);
}

/* ---- Broadcasting ---------------------------------------------------------------------------------- */

static void broadcast(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(N, D)), y = tp_input(tape, TP_F32, TP_SHAPE(N));
    const tp_tensor w = parameter(tape, TP_SHAPE(D, 1));
    const tp_tensor prediction = tp_matmul(x, w);
    const int line = __LINE__ + 1;
    const tp_tensor difference = tp_sub(prediction, y);
    expect(tp_mean(tp_square(difference)), &w, 1, TP_LINT_BROADCAST, line,
           "sub of f32[6,1] and f32[6] is f32[6,6]: was that meant?");
    expect_none(tp_mean(tp_square(tp_sub(prediction, tp_reshape(y, TP_SHAPE(N, 1))))), &w, 1, "reshaped");
    /* All pairs, on purpose; a bias; columns that are centred. */
    const tp_tensor column = tp_reshape(prediction, TP_SHAPE(N, 1)), row = tp_reshape(y, TP_SHAPE(1, N));
    expect_none(tp_mean(tp_square(tp_sub(column, row))), &w, 1, "pairs");
    expect_none(tp_mean(tp_square(tp_add(x, tp_reshape(w, TP_SHAPE(D))))), &w, 1, "bias");
    tp_tape_destroy(tape);
}

/* ---- Logits ---------------------------------------------------------------------------------------- */

static void logits(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = parameter(tape, TP_SHAPE(N, C));
    const tp_tensor y = tp_constant(tape, TP_I32, TP_SHAPE(N), (int32_t[N]){0, 1, 2, 0, 1, 2});
    const tp_tensor t = tp_full(tape, TP_F32, TP_SHAPE(N, C), 0.5), p = tp_softmax(x, 1), q = tp_sigmoid(x);
    const tp_tensor flat = tp_exp(x), own = tp_div(flat, tp_sum_over(flat, TP_AXES(1), true));
    const tp_tensor again = tp_exp(own), half = tp_softmax(tp_scale(x, 0.5), 1);
    const tp_tensor other = tp_full(tape, TP_F32, TP_SHAPE(C, N), 0.5);
    int line = __LINE__ + 1;
    expect(tp_cross_entropy(p, y, NULL), &x, 1, TP_LINT_SOFTMAX_TWICE, line,
           "cross_entropy: the softmax of a softmax");
    line = __LINE__ + 1;
    expect(tp_cross_entropy(tp_transpose(tp_softmax(x, 0), 0, 1), other, NULL), &x, 1, TP_LINT_SOFTMAX_TWICE,
           line, "the softmax of");
    line = __LINE__ + 1;
    expect(tp_cross_entropy(own, y, NULL), &x, 1, TP_LINT_SOFTMAX_TWICE, line, "the softmax of a softmax");
    line = __LINE__ + 1;
    const tp_tensor twice = tp_div(again, tp_sum_over(again, TP_AXES(1), true));
    expect(tp_mean(tp_square(twice)), &x, 1, TP_LINT_SOFTMAX_TWICE, line, "the softmax of a softmax");
    line = __LINE__ + 1;
    const tp_tensor sum = tp_softmax(half, 1);
    expect(tp_mean(tp_square(sum)), &x, 1, TP_LINT_SOFTMAX_TWICE, line, "the softmax of a softmax");
    line = __LINE__ + 1;
    expect(tp_cross_entropy(q, y, NULL), &x, 1, TP_LINT_PROBABILITIES, line, "the softmax of a sigmoid");
    line = __LINE__ + 1;
    expect(tp_bce_with_logits(q, t, NULL), &x, 1, TP_LINT_PROBABILITIES, line,
           "bce_with_logits: probabilities where logits are expected: this is of what a sigmoid made");
    line = __LINE__ + 1;
    expect(tp_bce_with_logits(p, t, NULL), &x, 1, TP_LINT_PROBABILITIES, line, "of what a softmax made");
    line = __LINE__ + 1;
    expect(tp_bce(tp_sigmoid(q), t, NULL), &x, 1, TP_LINT_PROBABILITIES, line, "of what a sigmoid made");
    expect_none(tp_bce(q, t, NULL), &x, 1, "bce");
    line = __LINE__ + 1;
    expect(tp_dice(q, t, &(tp_dice_options){.from_logits = true}), &x, 1, TP_LINT_PROBABILITIES, line,
           "of what a sigmoid made");
    expect_none(tp_dice(q, t, NULL), &x, 1, "dice");
    const tp_tensor steep = tp_sigmoid(tp_scale(x, 3));
    line = __LINE__ + 1; /* once, though its two terms read the logits in two ways */
    expect(tp_bce_dice(steep, t, NULL), &x, 1, TP_LINT_PROBABILITIES, line, "of what a sigmoid made");
    expect_none(tp_bce(p, t, NULL), &x, 1, "bce of softmax");
    expect_none(tp_cross_entropy(x, y, NULL), &x, 1, "cross_entropy");
    expect_none(tp_mean(tp_log(p)), &x, 1, "log of softmax");
    expect_none(tp_mean(tp_softmax(tp_matmul(p, tp_transpose(p, 0, 1)), 1)), &x, 1, "attention");
    tp_tape_destroy(tape);
}

/* ---- Empty denominators ------------------------------------------------------------------------------ */

static void empty(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = parameter(tape, TP_SHAPE(N, C));
    const tp_tensor y = tp_parameter(tape, TP_I32, TP_SHAPE(N), (int32_t[N]){2, 2, 2, 2, 2, 2});
    const tp_tensor weight = tp_input(tape, TP_F32, TP_SHAPE(N, C)),
                    t = tp_full(tape, TP_F32, TP_SHAPE(N, C), 0);
    const tp_tensor unknown = tp_mse(x, tp_exp(t), &(tp_loss_options){.weight = weight});
    expect_none(unknown, &x, 1, "weights that are not there yet");
    tp_write(weight, (float[N * C]){0}, N * C);
    int line = __LINE__ + 1;
    const tp_tensor weighted = tp_mse(x, tp_exp(t), &(tp_loss_options){.weight = weight});
    tp_lint_report r;
    assert_int_equal(tp_lint(weighted, &x, 1, &r), 1);
    assert_int_equal(r.remark[0].kind, TP_LINT_EMPTY);
    line = __LINE__ + 1;
    const tp_tensor ignored = tp_cross_entropy(x, y, &(tp_cross_entropy_options){.ignore = {true, 2}});
    expect(ignored, &x, 1, TP_LINT_EMPTY, line,
           "cross_entropy: an empty denominator: what this divides by is 0 now");
    tp_write(y, ((int32_t[N]){2, 2, 2, 2, 2, 1}), N);
    tp_write(weight, (float[N * C]){1}, N * C);
    expect_none(ignored, &x, 1, "one that counts");
    expect_none(weighted, &x, 1, "one that counts");
    line = __LINE__ + 1;
    const tp_tensor none = tp_sum(tp_slice(x, 0, 2, 2, 1));
    expect(tp_add(none, tp_sum(x)), &x, 1, TP_LINT_EMPTY, line, "sum over no elements");
    tp_tape_destroy(tape);
}

/* ---- No false alarm -------------------------------------------------------------------------------- */

static tp_tensor operand(tp_tape *tape, kind what, const char *letters, int first)
{
    tp_shape shape = {0};
    double factor = 1, u;
    float v[256];
    int32_t whole[256];

    for (; *letters != '\0' && *letters != '?'; letters++) {
        if (*letters == '2') {
            factor = 2;
            continue;
        }
        shape.dim[shape.rank++] = (int64_t)factor * (*letters == 'N'   ? N
                                                     : *letters == 'D' ? D
                                                     : *letters == 'C' ? C
                                                                       : 1);
        factor = 1;
    }
    for (int i = 0; i < tp_shape_count(shape); i++) {
        u = fmod(0.1 + 0.618034 * (double)(first + i), 1);
        v[i] = (float)(what == NUMBER        ? 4 * u - 2
                       : what == POSITIVE    ? 0.2 + u
                       : what == PROBABILITY ? 0.05 + 0.9 * u
                       : what == LOGARITHM   ? log(0.05 + 0.9 * u)
                       : what == SIGN        ? (u < 0.5 ? -1 : 1)
                                             : floor(2 * u));
        whole[i] = what == SIGN_I32 ? (u < 0.5 ? -1 : 1)
                   : what == LIST   ? (i % 2 == 0 ? i / 2 % C : -1)
                   : what == CLASS  ? (int32_t)(C * u)
                                    : (int32_t)floor(2 * u);
    }
    return what >= LABEL_I32 ? tp_parameter(tape, TP_I32, shape, whole)
                             : tp_parameter(tape, TP_F32, shape, v);
}

/* Every loss, from numbers, and from a layer. */
static void losses(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof loss_rows / sizeof *loss_rows; k++)
        for (int reduction = TP_MEAN; reduction <= TP_SUM; reduction++) {
            const loss_row *row = &loss_rows[k];
            tp_tape *tape = tp_tape_create(NULL);
            tp_tensor x[MOST_OPERANDS] = {{0}};
            for (int i = 0; i < MOST_OPERANDS && row->x[i].kind != 0; i++)
                x[i] = operand(tape, row->x[i].kind, row->x[i].shape, 17 * i);
            const tp_tensor w = tp_parameter(tape, TP_F32, TP_SHAPE_0D, &(float){1}), first = x[0];
            x[0] = tp_mul(x[0], w);
            const tp_tensor loss = row->record(x, (tp_reduction)reduction, (tp_tensor){0});
            if (tp_tape_status(tape) != TP_OK)
                fail_msg("%s: %s", row->name, tp_tape_message(tape));
            expect_none(loss, (tp_tensor[]){first, w}, 2, row->name);
            tp_tape_destroy(tape);
        }
}

/* After a step and a gradient penalty are recorded, too. */
static void training(void **state)
{
    (void)state;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(N, D)), y = tp_input(tape, TP_F32, TP_SHAPE(N, C));
    const tp_tensor w = parameter(tape, TP_SHAPE(D, C)), b = parameter(tape, TP_SHAPE(C)), p[] = {w, b};
    const tp_tensor h = tp_softmax(tp_add(tp_matmul(x, w), b), 1);
    const tp_tensor data = tp_mse(h, y, NULL);
    tp_tensor g;
    tp_gradient(data, &w, 1, &g);
    const tp_tensor loss = tp_add(data, tp_scale(tp_sum(tp_square(g)), 0.1));
    const tp_tensor step = tp_adam(loss, p, 2, NULL);
    expect_none(loss, p, 2, "with a penalty");
    expect_none(loss, NULL, 0, "all parameters before it");
    tp_program *program = tp_compile((tp_tensor[]){loss, step}, 2, NULL);
    assert_non_null(program);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* The tape keeps its error and its random numbers, and nothing is aborted. */
static void leaves_no_trace(void **state)
{
    (void)state;
    double without = 0, with = 0;
    for (int look = 0; look < 2; look++) {
        tp_tape *tape = tp_tape_create(&(tp_tape_options){.on_error = tp_abort_on_error, .seed = 3});
        const tp_tensor a = parameter(tape, TP_SHAPE(N)), u = tp_uniform(tape, TP_F32, TP_SHAPE(N));
        const tp_tensor loss = tp_div(tp_sum(tp_mul(a, u)), tp_sum(u));
        tp_program *program = tp_compile(&loss, 1, NULL);
        if (look == 1)
            expect_none(loss, &a, 1, "random");
        assert_int_equal(tp_run(program), TP_OK);
        *(look == 1 ? &with : &without) = tp_item(loss);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
    assert_true(with == without);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = parameter(tape, TP_SHAPE(N)), loss = tp_mean(tp_square(a));
    tp_add(a, parameter(tape, TP_SHAPE(N + 1)));
    char before[512];
    snprintf(before, sizeof before, "%s", tp_tape_message(tape));
    assert_int_equal(tp_lint(loss, &a, 1, NULL), 0);
    assert_string_equal(tp_tape_message(tape), before);
    assert_int_equal(tp_tape_status(tape), TP_BAD_SHAPE);
    tp_tape_destroy(tape);
}

static void bad_arguments(void **state)
{
    (void)state;
    tp_lint_report r;
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor a = parameter(tape, TP_SHAPE(N)), loss = tp_mean(a);
    assert_int_equal(tp_lint((tp_tensor){0}, NULL, 0, &r), -1);
    assert_string_equal(r.message, "lint: the loss is no living tensor\n");
    assert_int_equal(r.status, TP_BAD_HANDLE);
    assert_int_equal(tp_lint(a, NULL, 0, &r), -1);
    assert_string_equal(r.message, "lint: the loss must have one element, f32 or f64\n");
    const tp_tensor one = tp_parameter(tape, TP_F32, TP_SHAPE_0D, NULL), set = tp_assign(one, loss);
    assert_int_equal(tp_lint(set, NULL, 0, &r), -1);
    assert_string_equal(r.message, "lint: an assignment is no loss\n");
    assert_int_equal(tp_lint(loss, NULL, 2, &r), -1);
    assert_string_equal(r.message, "lint: the parameters are NULL\n");
    assert_int_equal(tp_lint(loss, &(tp_tensor){0}, 1, &r), -1);
    assert_string_equal(r.message, "lint: a parameter is no living tensor of the loss's tape\n");
    assert_int_equal(tp_lint(loss, &(tp_tensor){0}, 1, NULL), -1);
    assert_int_equal(tp_tape_status(tape), TP_OK);
    tp_tape_destroy(tape);
}

/* More remarks than there is room for are counted. */
static void many(void **state)
{
    (void)state;
    tp_tensor p[TP_LINT_MOST + 4];
    tp_lint_report r;
    tp_tape *tape = tp_tape_create(NULL);
    for (int k = 0; k < TP_LINT_MOST + 4; k++)
        p[k] = parameter(tape, TP_SHAPE(N));
    assert_int_equal(tp_lint(tp_mean(p[0]), p, TP_LINT_MOST + 4, &r), TP_LINT_MOST + 3);
    assert_int_equal(r.remark[TP_LINT_MOST - 1].parameter, TP_LINT_MOST);
    tp_tape_destroy(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters),      cmocka_unit_test(broadcast),     cmocka_unit_test(logits),
        cmocka_unit_test(empty),           cmocka_unit_test(losses),        cmocka_unit_test(training),
        cmocka_unit_test(leaves_no_trace), cmocka_unit_test(bad_arguments), cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
