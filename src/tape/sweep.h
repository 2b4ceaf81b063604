/* sweep.h -- differentiation, inside: one node's rule (rule.c), the reverse sweep over them (gradient.c), the forward one
 * (forward.c), and values that are recomputed for the reverse sweep (checkpoint.c).
 */
#ifndef TAPIR_SRC_SWEEP_H
#define TAPIR_SRC_SWEEP_H

#include "tape.h"

static inline bool tp__is_floating(tp_dtype dtype)
{
    return dtype == TP_F32 || dtype == TP_F64;
}

/* ---- One node's rule ------------------------------------------------------------------------------- */

enum { TP__RULE_FEW = 8 }; /* operands that need no allocation */

typedef struct tp__rule {
    tp_tape *tape;
    const tp__node *node;
    tp_tensor y;  /* what the rule sees as the node's value, */
    tp_tensor *x; /* and as its operands' */
    tp_tensor *dx;
    bool *need, *finite;
    void *many; /* memory of these four, if they are many */
    size_t bytes;
    int32_t outer_origin;
    const tp__place *outer_inside;
    tp_tensor few[2 * TP__RULE_FEW];
    bool few_flags[2 * TP__RULE_FEW];
} tp__rule;

/* Prepares the rule of node `id`: y and x are the nodes themselves, nothing is needed.  What is recorded
 * until the end is the node's gradient.  False after storing an error ("mode: ..."); end it all the same. */
bool tp__rule_begin(tp__rule *r, tp_tape *tape, int32_t id, const char *mode);
void tp__rule_end(tp__rule *r);

/* Fills dx by the node's rule; false when that stored an error. */
bool tp__rule_run(tp__rule *r, tp_tensor g);

/* dx[k], which is there, as a tensor of the operand's dtype; invalid after storing what is wrong with it. */
tp_tensor tp__rule_result(const tp__rule *r, int32_t k);

/* The same summed over the axes along which the operand was broadcast. */
tp_tensor tp__sum_to_operand(const tp__rule *r, int32_t k, tp_tensor v);

/* ---- Masks ----------------------------------------------------------------------------------------- */

enum { TP__MOST_MASKS = 4 };

/* The masks on a tensor, outermost first. */
typedef struct tp__masks {
    tp_tensor node[TP__MOST_MASKS];
    int n;
} tp__masks;

tp_tensor tp__take_masks_off(tp_tensor x, tp__masks *masks);
tp_tensor tp__put_masks_on(tp_tensor x, const tp__masks *masks);

/* ---- The reverse sweep ------------------------------------------------------------------------------- */

typedef struct tp__sweep {
    tp_tape *tape;
    const char *mode;  /* for messages */
    int32_t low, high; /* ids that matter: from the oldest wrt to the newest y */
    bool *active;      /* [id - low]: depends on a wrt */
    int32_t *adjoint;  /* [id - low]: node of its adjoint so far, or -1 */
    int32_t *
        substitute; /* [id], up to high: recomputed node that rules see instead, or -1; NULL: there are none */
    bool strong_zero;
} tp__sweep;

/* The gradient of the sum over j of sum(seed[j] * y[j]), with respect to wrt.  All are valid, and seed[j] is as y[j]; out may
 * be wrt.  On an error out is undefined. */
tp_status tp__pull_back(const char *mode, const tp_tensor *y, const tp_tensor *seed, int m,
                        const tp_tensor *wrt, int n, tp_tensor *out, bool strong_zero);

/* What stands for a node's value in rules: the node itself, unless it was recomputed. */
tp_tensor tp__value_of(const tp__sweep *s, int32_t id);

/* Arguments of everything that differentiates, checked; `mode` begins the messages. */
tp_status tp__check_differentiated(const char *mode, tp_tensor y);
tp_status tp__check_one_element(const char *mode, tp_tensor loss);
tp_status tp__check_wrt(const char *mode, tp_tensor y, const tp_tensor *wrt, int n);

/* `x` with dtype and shape of `like`, or invalid after storing an error: the seed, direction[k]. */
tp_tensor tp__conform(const char *mode, const char *what, int k, tp_tensor x, tp_tensor like);

/* The gradient of a loss, checks included. */
tp_status tp__gradient(const char *mode, tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out);

/* What the status must be after something stored an error, or was given a tensor that is invalid already. */
tp_status tp__failed(const tp_tape *tape);

/* Makes out[0..n) invalid unless the status is TP_OK, which it returns. */
tp_status tp__leave(tp_status status, tp_tape *tape, tp_tensor *out, int n);

/* ---- The forward sweep ------------------------------------------------------------------------------- */

/* The derivative of y along direction, which is as wrt; all are valid.  Invalid after storing an error. */
tp_tensor tp__push_forward(const char *mode, tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction,
                           int n);

/* ---- Recomputed values ------------------------------------------------------------------------------- */

extern const tp_op tp__checkpoint_op;

/* At a checkpoint's node, to which the adjoint g has come: records what it stands for again, from copies of its boundary
 * that wait for g, and lets the sweep's rules see that.  False after storing an error. */
bool tp__recompute(tp__sweep *s, int32_t id, tp_tensor g);

#endif
