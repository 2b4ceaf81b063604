/* ctc.h -- what the kernels of connectionist temporal classification share.
 *
 * A target of L labels has L + 1 blank states, before, between and behind them, and L label states.  A path through the
 * frames begins in blank 0 or label 0, ends in blank L or label L - 1, and goes
 *
 *     to blank k  from blank k  and label k - 1
 *     to label k  from label k, blank k, and label k - 1 if that is another label
 */
#ifndef TAPIR_SRC_OPS_CTC_H
#define TAPIR_SRC_OPS_CTC_H

#include <tapir/op.h>

/* Operands of all the ops; then the directions, of which there may be some. */
enum {
    TP__CTC_LOG_PROBS,
    TP__CTC_ALPHA,
    TP__CTC_TARGETS,
    TP__CTC_INPUT_LENGTHS,
    TP__CTC_TARGET_LENGTHS,
    TP__CTC_DIRECTIONS,
    TP__CTC_MOST_DIRECTIONS = 6,
    TP__CTC_LANES = 8 /* rows of states are a multiple of it long, so that loops over them have no rest */
};

typedef struct tp__ctc_attr {
    int64_t blank;
} tp__ctc_attr;

/* The operands of a call. */
typedef struct tp__ctc {
    int64_t frames, sequences, classes; /* T, N, C */
    int64_t longest;                    /* S */
    int64_t width;                      /* of a row of blank or of label states */
    int64_t blank;
    tp_dtype dtype;
    const void *log_probs;
    const int32_t *targets, *input_lengths, *target_lengths;
} tp__ctc;

/* One of the sequences. */
typedef struct tp__ctc_sequence {
    int64_t n, frames, labels;
    int64_t width; /* as above, of as many states as this target has */
    const int32_t *label;
} tp__ctc_sequence;

/* At least S + 2: there is a state of probability 0 behind the last blank. */
int64_t tp__ctc_width(int64_t labels);

/* Whether the operands include alpha. */
tp__ctc tp__ctc_of(const tp_call *c, bool with_alpha);
tp__ctc_sequence tp__ctc_sequence_of(const tp__ctc *p, int64_t n);

/* Fails for a length or a label out of range, and for a label that is the blank. */
tp_status tp__ctc_check(const tp_call *c, const tp__ctc *p);

/* Element i of an array of f32 or f64. */
static inline double tp__ctc_load(tp_dtype dtype, const void *x, int64_t i)
{
    return dtype == TP_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* Row (t, n) of an array [T,N,C] is set to `value`, or all zeros where that is NULL; or to NaN. */
void tp__ctc_store(const tp_call *c, const tp__ctc *p, int64_t t, int64_t n, const double *value);
void tp__ctc_store_nan(const tp_call *c, const tp__ctc *p, int64_t t, int64_t n);

/* ctc_kernels.c: log alpha [N,T,2 width], r [N], posteriors [T,N,C]. */
tp_status tp__ctc_alpha(const tp_call *c);
tp_status tp__ctc_nll(const tp_call *c);
tp_status tp__ctc_posterior(const tp_call *c);
size_t tp__ctc_alpha_scratch(const tp_shape *x_shape, int n, const void *attr);
size_t tp__ctc_posterior_scratch(const tp_shape *x_shape, int n, const void *attr);

/* ctc_derivatives.c: derivatives of the posteriors along one direction and more. */
tp_status tp__ctc_derivative(const tp_call *c);
size_t tp__ctc_derivative_scratch(const tp_shape *x_shape, int n, const void *attr);

#endif
