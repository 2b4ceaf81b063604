/* sequence.c -- ctc ctc_log_probs; greedy decoding and edit distance. */
#include <math.h>

#include "common.h"

/* ---- Connectionist temporal classification ------------------------------------------------------------- */

typedef struct sequences {
    tp_tensor scores, targets, input_lengths, target_lengths;
} sequences;

static tp_tensor place_of(const sequences *s)
{
    return tp__loss_at(tp__loss_at(s->scores, s->targets), tp__loss_at(s->input_lengths, s->target_lengths));
}

static tp_tensor ctc(const sequences *s, const char *name, bool logits, const tp_ctc_options *o)
{
    const tp_tensor at = place_of(s);

    if (!tp__loss_float(at, s->scores, name) || !tp__loss_operand(at, s->targets, "targets tensor") ||
        !tp__loss_operand(at, s->input_lengths, "input lengths tensor") ||
        !tp__loss_operand(at, s->target_lengths, "target lengths tensor"))
        return tp__loss_invalid(at);
    const bool three_axes = tp_shape_of(s->scores).rank == 3; /* else ctc_nll says what is wrong */
    const tp_tensor log_probs = logits && three_axes ? tp_log_softmax(s->scores, 2) : s->scores,
                    lengths = tp__loss_here(at, s->target_lengths);
    tp_tensor r = tp_ctc_nll(log_probs, tp__loss_here(at, s->targets), tp__loss_here(at, s->input_lengths),
                             lengths, o->blank);
    if (!tp_is_valid(r))
        return r;
    if (o->zero_infinity)
        r = tp_where(tp_equal(r, tp__loss_number(r, (double)INFINITY)), tp__loss_number(r, 0), r);
    if (o->by_length)
        r = tp_div(r, tp_maximum(tp_cast(lengths, tp_dtype_of(r)), tp__loss_number(r, 1)));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_ctc(tp_tensor logits, tp_tensor targets, tp_tensor input_lengths, tp_tensor target_lengths,
                 const tp_ctc_options *options)
{
    const sequences s = {logits, targets, input_lengths, target_lengths};
    tp_tape *tape = place_of(&s).tape;

    tp_scope_begin(tape, "ctc");
    const tp_tensor loss = ctc(&s, "logits tensor", true, options != NULL ? options : &(tp_ctc_options){0});
    tp_scope_end(tape);
    return loss;
}

tp_tensor tp_ctc_log_probs(tp_tensor log_probs, tp_tensor targets, tp_tensor input_lengths,
                           tp_tensor target_lengths, const tp_ctc_options *options)
{
    const sequences s = {log_probs, targets, input_lengths, target_lengths};
    tp_tape *tape = place_of(&s).tape;

    tp_scope_begin(tape, "ctc_log_probs");
    const tp_tensor loss =
        ctc(&s, "log-probabilities tensor", false, options != NULL ? options : &(tp_ctc_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- Evaluation ---------------------------------------------------------------------------------------- */

int64_t tp_ctc_greedy(const int32_t *best, int64_t frames, int64_t stride, int32_t blank, int32_t *labels)
{
    int32_t before = blank;
    int64_t count = 0;

    if (best == NULL || labels == NULL)
        return 0;
    for (int64_t t = 0; t < frames; t++) {
        const int32_t now = best[t * stride];
        if (now != blank && now != before)
            labels[count++] = now;
        before = now;
    }
    return count;
}

/* scratch[j] is the distance between what was read of a and b[0..j). */
int64_t tp_edit_distance(const int32_t *a, int64_t n, const int32_t *b, int64_t m, int64_t *scratch)
{
    if (n <= 0 || m <= 0 || a == NULL || b == NULL || scratch == NULL)
        return n > m ? n : m > 0 ? m : 0;
    for (int64_t j = 0; j <= m; j++)
        scratch[j] = j;
    for (int64_t i = 0; i < n; i++) {
        int64_t diagonal = scratch[0];
        scratch[0] = i + 1;
        for (int64_t j = 0; j < m; j++) {
            const int64_t above = scratch[j + 1], replaced = diagonal + (a[i] != b[j]);
            const int64_t one_more = 1 + (above < scratch[j] ? above : scratch[j]);
            scratch[j + 1] = replaced < one_more ? replaced : one_more;
            diagonal = above;
        }
    }
    return scratch[m];
}
