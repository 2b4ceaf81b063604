/* op_rows_sequence.c -- rows of tapir/ops/sequence.h.  Targets and lengths are constants that the builder makes. */
#include "op_rows.h"

typedef struct target {
    tp_shape log_probs; /* [T,N,C] */
    int64_t longest;    /* S */
    int64_t blank;
    int32_t labels[8], input_lengths[3], target_lengths[3];
} target;

static const target rows[] = {
    {{3, {4, 2, 3}},
     2,
     0,
     {1, 2, 2, 2},
     {4, 3},
     {2, 2}},                                    /* ragged; equal neighbours with no frame to spare */
    {{3, {5, 1, 3}}, 3, 2, {1, 1, 0}, {5}, {3}}, /* the last class is the blank */
    {{3, {3, 3, 2}}, 2, 0, {-9, 9, 1, 0, 1, 1}, {3, 2, 0}, {0, 1, 0}}, /* empty targets, no frames, padding */
    {{3, {2, 2, 2}}, 0, 1, {0}, {2, 1}, {0, 0}},                       /* no room for labels */
    {{3, {3, 1, 1}}, 1, 0, {0}, {3}, {0}},                             /* nothing but the blank */
    {{3, {1, 1, 4}}, 1, 3, {2}, {1}, {1}},                             /* one frame */
    {{3, {3, 0, 2}}, 1, 0, {0}, {0}, {0}},                             /* no sequences */
    {{3, {0, 2, 2}}, 1, 0, {1, 1}, {0, 0}, {0, 0}},                    /* no frames at all */
    {{3, {4, 1, 3}}, 2, 1, {0, 2}, {4}, {2}},                          /* another label may follow at once */
};

static tp_tensor build_ctc(const tp_tensor *x, const op_row *row)
{
    const target *of = &rows[row->correction];
    const int64_t n = of->log_probs.dim[1];
    tp_tape *tape = x[0].tape;
    const tp_tensor targets = tp_constant(tape, TP_I32, TP_SHAPE(n, of->longest), of->labels),
                    input_lengths = tp_constant(tape, TP_I32, TP_SHAPE(n), of->input_lengths),
                    target_lengths = tp_constant(tape, TP_I32, TP_SHAPE(n), of->target_lengths);
    return tp_ctc_nll(x[0], targets, input_lengths, target_lengths, of->blank);
}

void add_sequence_rows(op_row_table *t)
{
    for (int k = 0; k < (int)(sizeof rows / sizeof *rows); k++)
        add_row(t, (op_row){.constructor = "tp_ctc_nll",
                            .n = 1,
                            .build = build_ctc,
                            .correction = k,
                            .shape = {rows[k].log_probs}});
}
