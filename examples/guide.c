/* guide.c -- the program of docs/guide.md, section by section. */
#define _POSIX_C_SOURCE 200809L
#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { ROWS = 50, BATCH = 16, SHARES = 3 };

/* ---- First loss ------------------------------------------------------------------------------------- */

/* Squared error, and ten times as much for what a prediction has above `most`. */
static tp_tensor capped_mse(tp_tensor prediction, tp_tensor target, tp_tensor row_weight, double most)
{
    tp_tensor above = tp_relu(tp_sub(prediction, tp_scalar(prediction.tape, most)));
    tp_tensor each = tp_add(tp_square(tp_sub(prediction, target)), tp_scale(tp_square(above), 10));
    return tp_loss_reduce(each, row_weight, TP_MEAN);
}

/* ---- Verify ----------------------------------------------------------------------------------------- */

static tp_tensor capped_mse_of(const tp_tensor *x, void *user)
{
    (void)user;
    return capped_mse(x[0], x[1], (tp_tensor){0}, 1);
}

static bool verify(void)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[] = {tp_parameter(tape, TP_F64, TP_SHAPE(3), (double[]){0.5, 1.2, -0.4}),
                     tp_parameter(tape, TP_F64, TP_SHAPE(3), (double[]){0.4, 1.0, 0.1})};
    tp_check_report report;
    bool right = tp_check_gradient(capped_mse_of, NULL, x, 2, &(tp_check_options){.second = true}, &report);
    printf("%s\n", report.message);
    tp_tape_destroy(tape);
    return right;
}

/* ---- Constrain -------------------------------------------------------------------------------------- */

/* 0 where the shares sum to one and none is negative. */
static tp_tensor off_simplex(tp_tensor share)
{
    return tp_penalty(tp_simplex(share, 1), 1, NULL);
}

/* ---- The program ------------------------------------------------------------------------------------ */

/* Rows of numbers, their mixture by shares 0.2, 0.3 and 0.5, and whether it is above 0.5. */
static void make_data(float *x, float *mixture, float *high)
{
    static const float share[SHARES] = {0.2f, 0.3f, 0.5f};
    for (int i = 0; i < ROWS; i++) {
        mixture[i] = 0;
        for (int k = 0; k < SHARES; k++) {
            x[i * SHARES + k] = (float)(0.5 + 0.5 * sin(1 + 7.3 * i + 2.1 * k * (i + 1)));
            mixture[i] += share[k] * x[i * SHARES + k];
        }
        high[i] = mixture[i] > 0.5f ? 1 : 0;
    }
}

static bool fit(const char *path)
{
    static float rows[ROWS * SHARES], mixture[ROWS], high[ROWS];
    make_data(rows, mixture, high);
    tp_tape *tape = tp_tape_create(NULL);

    tp_tensor x = tp_input(tape, TP_F32, TP_SHAPE(BATCH, SHARES));
    tp_tensor y = tp_input(tape, TP_F32, TP_SHAPE(BATCH));
    tp_tensor is_high = tp_input(tape, TP_F32, TP_SHAPE(BATCH));
    tp_tensor row_weight = tp_input(tape, TP_F32, TP_SHAPE(BATCH));
    tp_tensor share = tp_parameter(tape, TP_F32, TP_SHAPE(SHARES), NULL);
    tp_tensor slope = tp_parameter(tape, TP_F32, TP_SHAPE(2), (float[]){1, 0});

    tp_tensor prediction = tp_matmul(x, share);
    tp_tensor first = tp_slice(slope, 0, 0, 1, 1), second = tp_slice(slope, 0, 1, 2, 1);
    tp_tensor logit = tp_add(tp_mul(prediction, first), second);

    tp_tensor fit_loss = capped_mse(prediction, y, row_weight, 1);
    tp_tensor class_loss =
        tp_bce_with_logits(logit, is_high, &(tp_bce_with_logits_options){.weight = row_weight});
    tp_tensor penalty = off_simplex(share);

    tp_term term[] = {{.name = "fit", .loss = fit_loss, .weight = 1},
                      {.name = "class", .loss = class_loss, .weight = 0.01, .classification = true},
                      {.name = "penalty", .loss = penalty, .weight = 1}};
    tp_terms terms;
    tp_tensor total = tp_terms_total(term, 3, NULL, &terms);

    tp_tensor parameters[] = {share, slope};
    tp_lint_report remarks;
    if (tp_lint(total, parameters, 2, &remarks) != 0)
        fputs(remarks.message, stderr);

    tp_tensor step = tp_adam(total, parameters, 2, &(tp_adam_options){.learning_rate = 0.02});
    tp_program *train = tp_compile((tp_tensor[]){total, fit_loss, class_loss, penalty, step}, 5,
                                   &(tp_compile_options){.check_finite = true});
    tp_program *validate = tp_compile(&fit_loss, 1, NULL);

    tp_batches *batches =
        tp_batches_create((tp_batch_column[]){{x, rows}, {y, mixture}, {is_high, high}}, 3, ROWS,
                          &(tp_batch_options){.shuffle = true, .seed = 1, .weight = row_weight});
    tp_named watched[] = {{"total", total}, {"fit", fit_loss}, {"class", class_loss}, {"penalty", penalty}};
    tp_monitor *monitor = tp_monitor_create(watched, 4, &(tp_monitor_options){.steps = 100 * 4});
    for (int epoch = 0; epoch < 100; epoch++) {
        while (tp_batches_next(batches) > 0 && tp_monitor_run(monitor, train)) {
        }
        tp_monitor_epoch(monitor, NAN);
    }
    if (tp_monitor_stopped(monitor))
        fprintf(stderr, "%s\n", tp_monitor_message(monitor));
    double left = tp_batches_mean(batches, validate, fit_loss);

    tp_named model[] = {{"share", share}, {"slope", slope}};
    tp_io_report report;
    if (tp_save_parameters(path, model, 2, NULL, &report) != TP_OK)
        fprintf(stderr, "%s\n", report.message);

    tp_write(share, ((float[]){0, 0, 0}), 3);
    if (tp_load_parameters(path, model, 2, NULL, &report) != TP_OK)
        fprintf(stderr, "%s\n", report.message);

    const float *found = tp_values(share, TP_F32);
    printf("shares %.2f %.2f %.2f, squared error %.1e\n", (double)found[0], (double)found[1],
           (double)found[2], left);
    bool fine = tp_tape_status(tape) == TP_OK && remarks.count == 0 && !tp_monitor_stopped(monitor) &&
                report.status == TP_OK && left < 1e-3;
    if (tp_tape_status(tape) != TP_OK)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_monitor_destroy(monitor);
    tp_batches_destroy(batches);
    tp_program_destroy(train);
    tp_program_destroy(validate);
    tp_tape_destroy(tape);
    return fine;
}

int main(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/tapir_guide_%ld.safetensors", (long)getpid());
    bool fine = verify() && fit(path);
    remove(path);
    return fine ? 0 : 1;
}
