/* fault.c -- when a check failed: which op is to blame. */
#include "checker.h"

/* ---- A node by itself ------------------------------------------------------------------------------ */

/* Records again node `user` (a tp_tensor) from x as its operands. */
static tp_tensor record_same_op(const tp_tensor *x, void *user)
{
    enum { FEW = 8 };
    const tp_tensor *of = user;
    const tp__node *node = tp__node_at(of->tape, of->id);
    tp_tensor few[FEW], *operand = few;
    tp_tape *tape = x[0].tape;
    const size_t bytes = (size_t)node->n * sizeof *operand;

    if (node->n > FEW)
        operand = tp__allocate(&tape->allocator, bytes);
    if (operand == NULL)
        return tp_fail(x[0], TP_OUT_OF_MEMORY, "%s: out of memory", node->op->name);
    for (int32_t k = 0; k < node->n; k++) {
        const tp__node *from = tp__node_at(of->tape, node->input[k]);
        operand[k] = x[k];
        if (from->op == &tp__scalar_op) /* rules may look for known numbers */
            operand[k] = tp_scalar_of(tape, from->dtype, ((const tp__scalar_attr *)from->attr)->value);
    }
    const tp_tensor y = tp_record_on(tape, node->op, operand, node->n, node->attr);
    if (operand != few)
        tp__release(&tape->allocator, operand, bytes);
    return y;
}

/* Checks a node's rule at its operands' values, with respect to those that depend on the variables. */
static bool is_wrong(const tp__scratch *s, int32_t id, const bool *active, bool second)
{
    enum { ELEMENTS = 64, DIRECTIONS = 6 };
    const tp__node *node = tp__node_at(s->tape, id);
    tp_tensor handle = tp__handle(s->tape, id);
    tp__settings settings = *s->settings;
    tp_check_report report;
    tp__arena arena = {.allocator = &s->tape->allocator};
    tp_tensor *x = tp__arena_take(&arena, (size_t)node->n * sizeof *x);
    bool *wrt = tp__arena_take(&arena, (size_t)node->n * sizeof *wrt);
    bool wrong = false;

    if (x != NULL && wrt != NULL) {
        for (int32_t k = 0; k < node->n; k++) {
            x[k] = tp__handle(s->tape, node->input[k]);
            wrt[k] = active[node->input[k]];
        }
        settings.wrt = wrt;
        settings.second = second;
        settings.with_adjoint = false;
        settings.max_elements = settings.max_elements < ELEMENTS ? settings.max_elements : ELEMENTS;
        settings.directions = settings.directions < DIRECTIONS ? settings.directions : DIRECTIONS;
        tp__start_report(&report);
        tp__check_once(record_same_op, &handle, x, node->n, &settings, false, &report);
        wrong = report.verdict == TP_CHECK_FAILED;
    }
    tp__arena_clear(&arena);
    return wrong;
}

/* ---- The walk -------------------------------------------------------------------------------------- */

/* The strong zero departs from the derivative on purpose, and tp_stop_gradient does by name. */
static bool can_be_blamed(const tp__node *node, const bool *active)
{
    bool depends = false;
    for (int32_t k = 0; k < node->n; k++)
        depends = depends || active[node->input[k]];
    return depends && tp__is_float(node->dtype) && !(node->op->flags & TP_OP_HIDES) &&
           !tp__stops_gradient(node->op);
}

static void blame(const tp__scratch *s, int32_t id, tp_check_report *report)
{
    const tp__node *node = tp__node_at(s->tape, id), *outer = node;
    tp__text scope = {report->fault_scope, sizeof report->fault_scope, 0};

    while (outer->origin >= 0)
        outer = tp__node_at(s->tape, outer->origin);
    report->fault_op = node->op->name;
    report->fault_in = outer != node ? outer->op->name : NULL;
    report->fault_file = node->place.file;
    report->fault_line = (int)node->place.line;
    tp__text_scope(&scope, node->place.scope);
    if (scope.used >= 2) /* without the colon */
        report->fault_scope[scope.used - 2] = '\0';
}

typedef struct walk {
    tp__scratch *s;
    const bool *needed, *active;
    tp_check_report *report;
} walk;

static bool blame_first(const walk *w, bool second)
{
    for (int32_t id = 0; id < w->s->tape->count; id++) {
        const tp__node *node = tp__node_at(w->s->tape, id);
        /* Of the rules' rules, those of the ops that the user recorded. */
        if (w->needed[id] && (!second || node->origin < 0) && can_be_blamed(node, w->active) &&
            is_wrong(w->s, id, w->active, second)) {
            blame(w->s, id, w->report);
            return true;
        }
    }
    return false;
}

void tp__find_fault(tp__scratch *s, const tp_tensor *tensor, int n, bool second, tp_check_report *report)
{
    const size_t count = (size_t)s->tape->count;
    bool *needed = tp__arena_take(&s->arena, count * sizeof *needed);
    bool *active = tp__arena_take(&s->arena, count * sizeof *active);
    tp_tensor *list = tp__arena_take(&s->arena, count * sizeof *list);
    const walk w = {s, needed, active, report};
    int listed = 0;

    if (needed == NULL || active == NULL || list == NULL)
        return;
    tp__mark_needed(s->tape, tensor, n, needed);
    tp__mark_active(s, s->n + 1, active);
    for (int32_t id = 0; id < s->tape->count; id++)
        if (needed[id])
            list[listed++] = tp__handle(s->tape, id);
    tp_tape_clear_error(s->tape); /* a rule that could not be recorded left one */
    tp_program *program = tp_compile(list, listed, &(tp_compile_options){.freeze_random = true});
    if (program != NULL && tp_run(program) == TP_OK && !blame_first(&w, false) && second)
        blame_first(&w, true);
    tp_program_destroy(program);
}
