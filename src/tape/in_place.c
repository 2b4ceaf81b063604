/* in_place.c -- values written over what nobody reads any more; assignments whose new value is written into the leaf right
 * away, instead of waiting for the end of the run.
 *
 * Allowed where no reader of the leaf's old value can tell: all of them run before the instruction that writes the new one,
 * or are it, or work on the same element earlier in the same sweep; and where nothing can fail any more, so that a run that
 * fails has changed no leaf.
 */
#include "planner.h"

typedef struct candidate {
    const planner *p;
    int32_t leaf, value; /* steps: the leaf, and the base that is computed for it */
    const tp__kernel *kernel;
} candidate;

/* ---- Other kernels --------------------------------------------------------------------------------- */

static bool can_fail(const tp_program *program, const tp__kernel *k)
{
    if (!k->is_loop)
        return program->step[k->step].op->kind == TP_CALL &&
               !(program->step[k->step].op->flags & TP_OP_INFALLIBLE);
    for (int32_t i = 0; i < k->instructions; i++)
        if (k->instruction[i].kind == TP__FOLD && k->instruction[i].dtype == TP_I32)
            return true;
    return false;
}

static bool loop_reads(const tp__kernel *k, int32_t base)
{
    for (int32_t i = 0; i < k->instructions; i++)
        for (int32_t j = 0; j < k->instruction[i].n; j++)
            if (k->instruction[i].x[j].step == base)
                return true;
    return false;
}

static bool step_reads(const planner *p, const tp__kernel *k, int32_t base)
{
    const tp__step *step = &p->program->step[k->step];
    if (k->copies)
        return k->copied_from == base;
    for (int32_t j = 0; j < step->n; j++)
        if (p->at[step->input[j]].base == base)
            return true;
    return false;
}

static bool later_kernels_allow(const candidate *c)
{
    for (const tp__kernel *k = c->kernel; k != NULL; k = k->next) {
        if (can_fail(c->p->program, k))
            return false;
        if (k != c->kernel && (k->is_loop ? loop_reads(k, c->leaf) : step_reads(c->p, k, c->leaf)))
            return false;
    }
    return true;
}

/* ---- The kernel itself ----------------------------------------------------------------------------- */

/* The instruction that writes the value; -1 where several do (a row that waits there), or none. */
static int32_t writer_of(const tp__kernel *k, int32_t value)
{
    int32_t writer = -1;
    for (int32_t i = 0; i < k->instructions; i++) {
        if (k->instruction[i].y.step != value)
            continue;
        if (writer >= 0)
            return -1;
        writer = i;
    }
    return writer;
}

/* Do both lie at the same element of memory of the same form? */
static bool same_elements(const tp__kernel *k, const tp__operand *x, const tp__operand *y)
{
    if (x->kind != y->kind || x->single || x->size != y->size || x->offset != y->offset)
        return false;
    return x->kind == TP__FULL || (x->kind == TP__RUN && !y->single &&
                                   memcmp(x->outer, y->outer, (size_t)k->outer * sizeof *x->outer) == 0);
}

bool tp__may_overwrite(const tp__kernel *k, int32_t value, int32_t old)
{
    const int32_t writer = writer_of(k, value);
    if (writer < 0 || k->instruction[writer].kind != TP__APPLY || k->instruction[writer].row)
        return false;
    const tp__operand *y = &k->instruction[writer].y;
    for (int32_t i = 0; i < k->instructions; i++)
        for (int32_t j = 0; j < k->instruction[i].n; j++) {
            const tp__operand *x = &k->instruction[i].x[j];
            if (x->step == old && (i > writer || !same_elements(k, x, y)))
                return false;
        }
    return y->kind == TP__FULL || y->kind == TP__RUN;
}

/* ---- The program ----------------------------------------------------------------------------------- */

static bool is_output(const planner *p, int32_t base)
{
    for (int32_t k = 0; k < p->program->outputs; k++) {
        const int32_t s = p->program->output[k].step;
        if (p->program->step[s].op->kind != TP_ASSIGN && p->at[s].base == base)
            return true;
    }
    return false;
}

void tp__assign_in_place(planner *p)
{
    for (int32_t s = 0; s < p->program->steps; s++) {
        const tp__step *step = &p->program->step[s];
        if (step->op->kind != TP_ASSIGN || step->count == 0 || p->at[s].base == s)
            continue;
        const candidate c = {p, step->input[0], p->at[s].base, p->at[p->at[s].base].kernel};
        if (c.kernel->is_loop && !is_output(p, c.leaf) && !is_output(p, c.value) &&
            tp__may_overwrite(c.kernel, c.value, c.leaf) && later_kernels_allow(&c))
            p->at[c.value].leaf = p->program->step[c.leaf].leaf;
    }
}
