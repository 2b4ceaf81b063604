/* first_loss.c -- a loss of your own: its value, its gradient, a check of the gradient, and training with it. */
#include <tapir/op.h>
#include <tapir/scalar.h>
#include <tapir/tapir.h>

#include <stdio.h>
#include <string.h>

/* ---- The loss --------------------------------------------------------------------------------------- */

/* Mean squared error that also keeps predictions inside [lo, hi].  No derivative is written anywhere. */
static tp_tensor bounded_mse(tp_tensor prediction, tp_tensor target, double lo, double hi, double weight)
{
    tp_tensor below = tp_relu(tp_sub(tp_scalar(prediction.tape, lo), prediction));
    tp_tensor above = tp_relu(tp_sub(prediction, tp_scalar(prediction.tape, hi)));
    tp_tensor outside = tp_add(tp_mean(tp_square(below)), tp_mean(tp_square(above)));
    return tp_add(tp_mse(prediction, target, NULL), tp_scale(outside, weight));
}

/* The same as a function of {weights, hours, outcome}, for the checker. */
static tp_tensor exam_loss(const tp_tensor *x, void *user)
{
    (void)user;
    return bounded_mse(tp_matmul(x[1], x[0]), x[2], 0, 1, 10);
}

/* ---- An op with a mistake ---------------------------------------------------------------------------- */

/* y = x / (1 + |x|), a smooth step.  Its derivative is 1 / (1 + |x|)^2, but here the square was forgotten. */
TP_MAP1(smooth_step, x / ((T)1 + TP_ABS(x)))

static void forgetful_vjp(const tp_vjp *d)
{
    tp_tensor one_plus_size = tp_add(tp_abs(d->x[0]), tp_scalar(d->g.tape, 1));
    d->dx[0] = tp_div(d->g, one_plus_size);
}

static void right_vjp(const tp_vjp *d)
{
    tp_tensor one_plus_size = tp_add(tp_abs(d->x[0]), tp_scalar(d->g.tape, 1));
    d->dx[0] = tp_div(d->g, tp_square(one_plus_size));
}

static const tp_op forgetful = {
    .name = "smooth_step", .kind = TP_MAP, .arity = 1, .vjp = forgetful_vjp, TP_MAP_KERNELS(smooth_step)};
static const tp_op right = {
    .name = "smooth_step", .kind = TP_MAP, .arity = 1, .vjp = right_vjp, TP_MAP_KERNELS(smooth_step)};

/* The exam again, with predictions squeezed through the op that `user` points to. */
static tp_tensor stepped_loss(const tp_tensor *x, void *user)
{
    tp_tensor score = tp_matmul(x[1], x[0]);
    tp_tensor prediction = tp_record(user, &score, 1, NULL);
    return bounded_mse(prediction, x[2], 0, 1, 10);
}

/* ---- Data ------------------------------------------------------------------------------------------- */

enum { STUDENTS = 8 };

static const float hours_values[STUDENTS * 2] = {/* hours of study, and 1 for the intercept */
                                                 0.5f, 1, 1, 1, 1.5f, 1, 2, 1, 2.5f, 1, 3, 1, 3.5f, 1, 4, 1};
static const float outcome_values[STUDENTS] = {0,    0.25f, 0,     0.5f,
                                               0.5f, 1,     0.75f, 1}; /* part of the exam solved */

/* ---- The tour --------------------------------------------------------------------------------------- */

static void show_gradient(tp_tensor loss, tp_tensor weights)
{
    tp_tensor gradient;
    float slope[2] = {0};

    tp_gradient(loss, &weights, 1, &gradient); /* more nodes on the same tape */
    tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
    tp_run(program);
    tp_read(gradient, slope, 2);
    printf(
        "1. A loss and its gradient\n\n"
        "   Eight students, a straight line from hours of study to the part of an exam solved.  The loss is mean\n"
        "   squared error, plus a penalty for predictions outside [0, 1].\n\n"
        "       loss      %9.5f\n"
        "       gradient  %9.5f  by the slope\n"
        "                 %9.5f  by the intercept\n\n",
        tp_item(loss), (double)slope[0], (double)slope[1]);
    tp_program_destroy(program);
}

/* Indented, and broken between words. */
static void show_verdict(const tp_check_report *report)
{
    int column = 100, length;

    printf("       verdict: %s", tp_verdict_name(report->verdict));
    for (const char *word = report->message; *word != '\0'; word += length + (word[length] == ' ')) {
        length = (int)strcspn(word, " ");
        if (column + 1 + length > 100)
            column = printf("\n      ") - 1;
        column += printf(" %.*s", length, word);
    }
    printf("\n\n");
}

static void show_checks(const tp_tensor *x)
{
    tp_check_report report;
    const bool weights_only[3] = {true, false, false};
    const tp_check_options options = {.second = true, .wrt = weights_only};

    printf(
        "2. Is the gradient right?\n\n"
        "   The checker records the loss again in double precision and compares it with finite differences, and the\n"
        "   second derivatives too.\n\n");
    tp_check_gradient(exam_loss, NULL, x, 3, &options, &report);
    show_verdict(&report);

    printf(
        "3. And if a derivative is wrong?\n\n"
        "   Here is an op with a derivative written by hand, y = x / (1 + |x|), whose author forgot a square.  The\n"
        "   checker finds the op and the line that used it:\n\n");
    tp_check_gradient(stepped_loss, (void *)&forgetful, x, 3, &options, &report);
    show_verdict(&report);
    printf("   With the square:\n\n");
    tp_check_gradient(stepped_loss, (void *)&right, x, 3, &options, &report);
    show_verdict(&report);
}

static void train(tp_tensor loss, tp_tensor weights)
{
    tp_tensor step = tp_sgd(loss, &weights, 1, &(tp_sgd_options){.learning_rate = 0.02});
    tp_program *program = tp_compile((tp_tensor[]){loss, step}, 2, NULL);

    printf(
        "4. Training\n\n"
        "   Loss, gradient and the step of gradient descent are one program, which runs again and again.\n\n");
    for (int i = 0, next = 1; i <= 256 && tp_run(program) == TP_OK; i++)
        if (i == 0 || i == next) {
            printf("       step %3d   loss %.5f\n", i, tp_item(loss));
            next = i == 0 ? 1 : 2 * i;
        }

    float w[2] = {0};
    tp_read(weights, w, 2);
    printf("\n   The line found: %.3f per hour, %+.3f at the start.\n", (double)w[0], (double)w[1]);
    tp_program_destroy(program);
}

int main(void)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor weights = tp_parameter(tape, TP_F32, TP_SHAPE(2, 1), (float[]){0.45f, -0.4f});
    tp_tensor hours = tp_constant(tape, TP_F32, TP_SHAPE(STUDENTS, 2), hours_values);
    tp_tensor outcome = tp_constant(tape, TP_F32, TP_SHAPE(STUDENTS, 1), outcome_values);

    tp_tensor loss = bounded_mse(tp_matmul(hours, weights), outcome, 0, 1, 10);
    show_gradient(loss, weights);
    show_checks((tp_tensor[]){weights, hours, outcome});
    train(loss, weights);

    const bool fine = tp_tape_status(tape) == TP_OK; /* errors are sticky: one check for everything above */
    if (!fine)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_tape_destroy(tape);
    return fine ? 0 : 1;
}
