/* error_rows_sequence.h -- rows for src/ops/ctc.c and ctc_kernels.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_SEQUENCE_H
#define TAPIR_TESTS_ERROR_ROWS_SEQUENCE_H

#include "error_rows.h"

/* ---- While recording ------------------------------------------------------------------------------------ */

/* What tp_ctc_nll takes: T = 4 frames, N = 2 sequences, C = 3 classes, S = 2 labels. */
typedef struct ctc_operands {
    tp_tensor x, targets, input_lengths, target_lengths;
} ctc_operands;

static ctc_operands ctc_of(fixture *f, const int32_t targets[4], const int32_t input_lengths[2],
                           const int32_t target_lengths[2])
{
    return (ctc_operands){tp_parameter(f->tape, TP_F32, TP_SHAPE(4, 2, 3), NULL),
                          tp_parameter(f->tape, TP_I32, TP_SHAPE(2, 2), targets),
                          tp_parameter(f->tape, TP_I32, TP_SHAPE(2), input_lengths),
                          tp_parameter(f->tape, TP_I32, TP_SHAPE(2), target_lengths)};
}

static ctc_operands ctc_good(fixture *f)
{
    return ctc_of(f, (int32_t[]){1, 2, 2, 1}, (int32_t[]){4, 4}, (int32_t[]){2, 2});
}

static tp_tensor i32_of(fixture *f, tp_shape shape)
{
    return tp_input(f->tape, TP_I32, shape);
}

static void ctc_of_integers(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, tp_ctc_nll(c.targets, c.targets, c.input_lengths, c.target_lengths, 0));
}

static void ctc_length_dtype(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, tp_ctc_nll(c.x, c.targets, c.input_lengths, f->a4, 0));
}

static void ctc_rank(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, tp_ctc_nll(f->a23, c.targets, c.input_lengths, c.target_lengths, 0));
}

static void ctc_targets(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    const tp_tensor three = i32_of(f, TP_SHAPE(3, 2));
    RESULT(f, tp_ctc_nll(c.x, three, c.input_lengths, c.target_lengths, 0));
}

static void ctc_too_long(fixture *f)
{
    const tp_tensor x = tp_input(f->tape, TP_F32, TP_SHAPE(4, 0, 3)),
                    targets = i32_of(f, TP_SHAPE(0, (int64_t)1 << 40)), none = i32_of(f, TP_SHAPE(0));
    RESULT(f, tp_ctc_nll(x, targets, none, none, 0));
}

static void ctc_lengths(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, tp_ctc_nll(c.x, c.targets, c.input_lengths, f->i3, 0));
}

static void ctc_blank(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, tp_ctc_nll(c.x, c.targets, c.input_lengths, c.target_lengths, 3));
}

/* The op "ctc_posterior" itself. */
static tp_tensor posterior_by_hand(fixture *f, const ctc_operands *c, tp_tensor alpha, tp_tensor direction,
                                   int n)
{
    static const int64_t blank = 0;
    tp_tensor x[12] = {c->x, alpha, c->targets, c->input_lengths, c->target_lengths}, gradient;
    for (int k = 5; k < n; k++)
        x[k] = direction;
    const tp_tensor r = tp_ctc_nll(c->x, c->targets, c->input_lengths, c->target_lengths, 0);
    tp_gradient(tp_sum(r), &c->x, 1, &gradient);
    for (int32_t id = 0; id < tp_tape_count(f->tape); id++) {
        const tp_tensor y = {.tape = f->tape, .id = id, .epoch = gradient.epoch};
        if (tp_is_valid(y) && strcmp(tp_op_of(y)->name, "ctc_posterior") == 0)
            return tp_record(tp_op_of(y), (x[0] = tp_locate(x[0], f->file, f->line), x), n, &blank);
    }
    return (tp_tensor){0};
}

static tp_tensor alpha_of(const ctc_operands *c)
{
    return tp_operand_of(tp_ctc_nll(c->x, c->targets, c->input_lengths, c->target_lengths, 0), 1);
}

static void ctc_few_operands(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, posterior_by_hand(f, &c, alpha_of(&c), c.x, 4));
}

static void ctc_other_alpha(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, posterior_by_hand(f, &c, c.x, c.x, 5));
}

static void ctc_direction(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, posterior_by_hand(f, &c, alpha_of(&c), f->a23, 6));
}

static void ctc_eighth_derivative(fixture *f)
{
    const ctc_operands c = ctc_good(f);
    RESULT(f, posterior_by_hand(f, &c, alpha_of(&c), c.x, 12));
}

static const error_row ctc_rows[] = {
    {"ctc of i32",
     ctc_of_integers,
     TP_BAD_DTYPE,
     {"ctc_alpha: the log-probabilities must be f32 or f64: i32[2,2], i32[2,2], i32[2], i32[2]"}},
    {"ctc with lengths of f32",
     ctc_length_dtype,
     TP_BAD_DTYPE,
     {"ctc_alpha: targets and lengths must be i32: f32[4,2,3], i32[2,2], i32[2], f32[4]"}},
    {"ctc of a matrix",
     ctc_rank,
     TP_BAD_SHAPE,
     {"ctc_alpha: log-probabilities are [frames,n,classes]: f32[2,3], i32[2,2], i32[2], i32[2]"}},
    {"ctc with targets of others",
     ctc_targets,
     TP_BAD_SHAPE,
     {"ctc_alpha: the targets must be [n,labels]: f32[4,2,3], i32[3,2], i32[2], i32[2]"}},
    {"ctc with endless targets",
     ctc_too_long,
     TP_BAD_SHAPE,
     {"ctc_alpha: the sequences are longer than i32 can count: f32[4,0,3], i32[0,1099511627776]"}},
    {"ctc with lengths of others",
     ctc_lengths,
     TP_BAD_SHAPE,
     {"ctc_alpha: the lengths must be [n]: f32[4,2,3], i32[2,2], i32[2], i32[3]"}},
    {"ctc with no such blank",
     ctc_blank,
     TP_BAD_ARGUMENT,
     {"ctc_alpha: the blank must be one of the classes: f32[4,2,3], i32[2,2], i32[2], i32[2]"}},
    {"ctc_posterior of four",
     ctc_few_operands,
     TP_BAD_SHAPE,
     {"ctc_posterior: it needs five operands: f32[4,2,3], f64[2,4,16], i32[2,2], i32[2]"}},
    {"ctc_posterior of another alpha",
     ctc_other_alpha,
     TP_BAD_SHAPE,
     {"ctc_posterior: the second operand must be what ctc_alpha makes of the others: f32[4,2,3], f32[4,2,3]"}},
    {"ctc_posterior along another shape",
     ctc_direction,
     TP_BAD_SHAPE,
     {"ctc_posterior: a direction must be as the log-probabilities: f32[4,2,3], f64[2,4,16]"}},
    {"the eighth derivative of ctc",
     ctc_eighth_derivative,
     TP_NO_DERIVATIVE,
     {"ctc_posterior: there are no derivatives of ctc_nll beyond the seventh: f32[4,2,3], f64[2,4,16]"}},
};

/* ---- While running -------------------------------------------------------------------------------------- */

static void run_ctc(fixture *f, const int32_t targets[4], const int32_t input_lengths[2],
                    const int32_t target_lengths[2])
{
    const ctc_operands c = ctc_of(f, targets, input_lengths, target_lengths);
    compile(f, (PLACE(f), tp_ctc_nll(c.x, c.targets, c.input_lengths, c.target_lengths, 0)));
    f->gives_status = true;
    f->returned = tp_run(f->program);
}

static void ctc_label(fixture *f)
{
    run_ctc(f, (int32_t[]){1, 2, 3, 1}, (int32_t[]){4, 4}, (int32_t[]){2, 2});
}

static void ctc_negative_label(fixture *f)
{
    run_ctc(f, (int32_t[]){1, -2, 2, 1}, (int32_t[]){4, 4}, (int32_t[]){2, 2});
}

static void ctc_label_is_blank(fixture *f)
{
    run_ctc(f, (int32_t[]){1, 2, 1, 0}, (int32_t[]){4, 4}, (int32_t[]){2, 2});
}

static void ctc_many_frames(fixture *f)
{
    run_ctc(f, (int32_t[]){1, 2, 2, 1}, (int32_t[]){4, 5}, (int32_t[]){2, 2});
}

static void ctc_many_labels(fixture *f)
{
    run_ctc(f, (int32_t[]){1, 2, 2, 1}, (int32_t[]){4, 4}, (int32_t[]){3, 2});
}

static void ctc_negative_length(fixture *f)
{
    run_ctc(f, (int32_t[]){1, 2, 2, 1}, (int32_t[]){4, 4}, (int32_t[]){2, -1});
}

static const error_row ctc_use_rows[] = {
    {"label beyond the classes",
     ctc_label,
     TP_BAD_VALUE,
     {"ctc_alpha: the label 3 (element 2) is outside [0, 3)"}},
    {"label below 0",
     ctc_negative_label,
     TP_BAD_VALUE,
     {"ctc_alpha: the label -2 (element 1) is outside [0, 3)"}},
    {"label that is the blank",
     ctc_label_is_blank,
     TP_BAD_VALUE,
     {"ctc_alpha: the label 0 (element 3) is the blank"}},
    {"more frames than there are",
     ctc_many_frames,
     TP_BAD_VALUE,
     {"ctc_alpha: the input length 5 (element 1) is outside [0, 4]"}},
    {"more labels than there are",
     ctc_many_labels,
     TP_BAD_VALUE,
     {"ctc_alpha: the target length 3 (element 0) is outside [0, 2]"}},
    {"target of negative length",
     ctc_negative_length,
     TP_BAD_VALUE,
     {"ctc_alpha: the target length -1 (element 1) is outside [0, 2]"}},
};

#endif
