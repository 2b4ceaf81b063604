/* lint.c -- see tapir/lint.h.
 *
 * Patterns are found among the nodes that the loss needs.  Whether a gradient arrives is not guessed: it is recorded, looked
 * at, and rewound; what an empty denominator is worth now is run.  Errors on the way are put aside, so that the tape ends
 * as it began.
 */
#include <tapir/lint.h>
#include <tapir/ops.h>

#include "tape.h"

enum {
    NEEDED = 1,  /* the loss needs it */
    DEPENDS = 2, /* it depends on a parameter */
    KEPT = 4     /* it was bypassed before */
};

typedef struct lint {
    tp_tape *tape;
    int32_t loss;
    int32_t nodes; /* of the tape as it was */
    unsigned char *mark;
    tp_tensor *parameter;
    int n;
    tp_lint_report *report;
} lint;

/* ---- Remarks ----------------------------------------------------------------------------------------- */

static void remark(lint *l, tp_lint_kind kind, int parameter, const tp__node *at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void remark(lint *l, tp_lint_kind kind, int parameter, const tp__node *at, const char *format, ...)
{
    tp_lint_report *r = l->report;
    if (r->count++ >= TP_LINT_MOST)
        return;
    tp_lint_remark *m = &r->remark[r->count - 1];
    *m = (tp_lint_remark){
        .kind = kind, .parameter = parameter, .file = at->place.file, .line = at->place.line};
    tp__text text = {m->text, sizeof m->text, 0};
    va_list arguments;
    tp__text_scope(&text, at->place.scope);
    va_start(arguments, format);
    tp__text_vadd(&text, format, arguments);
    va_end(arguments);
    tp__text_place(&text, at->place);
    for (int k = 0; k < r->count - 1; k++)
        if (strcmp(r->remark[k].text, m->text) == 0) { /* said already: a loss may read its logits twice */
            r->count--;
            return;
        }
}

static void write_message(tp_lint_report *r)
{
    tp__text text = {r->message, sizeof r->message, 0};
    for (int k = 0; k < r->count && k < TP_LINT_MOST; k++)
        tp__text_add(&text, "%s\n", r->remark[k].text);
}

/* ---- Nodes ------------------------------------------------------------------------------------------- */

static const tp__node *node_at(const lint *l, int32_t id)
{
    return tp__node_at(l->tape, id);
}

static const tp__node *operand(const lint *l, const tp__node *node, int k)
{
    return node_at(l, node->input[k]);
}

static bool is(const tp__node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* What a tensor shows, seen with other strides, dtype or order. */
static const tp__node *behind_views(const lint *l, const tp__node *node)
{
    while (node->n == 1 && ((node->op->kind == TP_VIEW && !is(node, "stop_gradient")) || is(node, "cast") ||
                            is(node, "contiguous")))
        node = operand(l, node, 0);
    return node;
}

static bool mark_needed(lint *l)
{
    l->mark = tp__allocate(&l->tape->allocator, (size_t)l->nodes);
    if (l->mark == NULL)
        return false;
    memset(l->mark, 0, (size_t)l->nodes);
    l->mark[l->loss] = NEEDED;
    for (int32_t id = l->loss; id >= 0; id--) {
        const tp__node *node = node_at(l, id);
        for (int32_t k = 0; (l->mark[id] & NEEDED) != 0 && k < node->n; k++)
            l->mark[node->input[k]] |= NEEDED;
    }
    for (int k = 0; k < l->n; k++)
        l->mark[l->parameter[k].id] |= DEPENDS;
    for (int32_t id = 0; id < l->nodes; id++) {
        const tp__node *node = node_at(l, id);
        for (int32_t k = 0; k < node->n; k++)
            l->mark[id] |= l->mark[node->input[k]] & DEPENDS;
        l->mark[id] |= node->bypassed ? KEPT : 0;
    }
    return true;
}

/* ---- Probabilities and logits ------------------------------------------------------------------------ */

static bool is_softmax(const lint *l, const tp__node *node)
{
    if (!is(node, "div"))
        return false;
    const tp__node *e = operand(l, node, 0), *sum = behind_views(l, operand(l, node, 1));
    return is(e, "exp") && is(sum, "sum") && behind_views(l, operand(l, sum, 0)) == e;
}

typedef enum probability { NONE, SIGMOID, SOFTMAX } probability;

static probability probability_of(const lint *l, const tp__node *node)
{
    node = behind_views(l, node);
    return is(node, "sigmoid") ? SIGMOID : is_softmax(l, node) ? SOFTMAX : NONE;
}

/* x of e^(x - s), where s stops the gradient: what softmax, log_softmax, logsumexp and cross_entropy begin with. */
static const tp__node *shifted(const lint *l, const tp__node *e)
{
    if (!is(e, "exp"))
        return NULL;
    const tp__node *sub = behind_views(l, operand(l, e, 0));
    if (!is(sub, "sub") || !is(behind_views(l, operand(l, sub, 1)), "stop_gradient"))
        return NULL;
    return operand(l, sub, 0);
}

static void look_at_softmax(lint *l, const tp__node *node)
{
    const tp__node *x = shifted(l, node);
    if (x == NULL && is_softmax(l, node) && shifted(l, operand(l, node, 0)) == NULL)
        x = operand(l, operand(l, node, 0), 0); /* a plain one */
    const probability p = x != NULL ? probability_of(l, x) : NONE;
    if (p == SOFTMAX)
        remark(l, TP_LINT_SOFTMAX_TWICE, -1, node,
               "the softmax of a softmax: leave one out (losses take logits)");
    else if (p == SIGMOID)
        remark(l, TP_LINT_PROBABILITIES, -1, node,
               "the softmax of a sigmoid: leave the sigmoid out (losses take logits)");
}

/* The logits of log1p(e^-|x|), as bce_with_logits has it: x times its sign; or plain. */
static const tp__node *logits_of_log1p(const lint *l, const tp__node *node)
{
    const tp__node *e = operand(l, node, 0);
    if (!is(e, "exp"))
        return NULL;
    const tp__node *x = operand(l, e, 0);
    if (is(x, "neg"))
        x = operand(l, x, 0);
    if (is(x, "abs"))
        return operand(l, x, 0);
    if (!is(x, "mul"))
        return x;
    return probability_of(l, operand(l, x, 0)) != NONE ? operand(l, x, 0) : operand(l, x, 1);
}

static void look_at_sigmoid(lint *l, const tp__node *node)
{
    const bool takes_logits =
        is(node, "sigmoid") || is(node, "softplus") || is(node, "sigmoid_tail") || is(node, "softplus_tail");
    const tp__node *x = takes_logits        ? operand(l, node, 0)
                        : is(node, "log1p") ? logits_of_log1p(l, node)
                                            : NULL;
    const probability p = x != NULL ? probability_of(l, x) : NONE;
    if (p != NONE)
        remark(
            l, TP_LINT_PROBABILITIES, -1, node,
            "probabilities where logits are expected: this is of what a %s made; leave that out, or take a loss "
            "of probabilities (bce, dice)",
            p == SIGMOID ? "sigmoid" : "softmax");
}

/* ---- Broadcasting ------------------------------------------------------------------------------------ */

static void look_at_broadcast(lint *l, const tp__node *node)
{
    char text[3][TP_TEXT_SIZE];
    if (node->op->kind != TP_MAP || node->n != 2)
        return;
    const tp__node *a = operand(l, node, 0), *b = operand(l, node, 1);
    const int64_t count = tp_shape_count(a->shape);
    if (count < 2 || count != tp_shape_count(b->shape) || count >= tp_shape_count(node->shape) ||
        a->shape.rank == b->shape.rank)
        return;
    if ((l->mark[node->input[0]] & DEPENDS) == (l->mark[node->input[1]] & DEPENDS))
        return; /* not a prediction and a target */
    remark(l, TP_LINT_BROADCAST, -1, node, "%s of %s and %s is %s: was that meant?  Reshape one of them",
           node->op->name, tp_describe(a->dtype, &a->shape, text[0]),
           tp_describe(b->dtype, &b->shape, text[1]), tp_describe(node->dtype, &node->shape, text[2]));
}

/* ---- Empty denominators ------------------------------------------------------------------------------ */

/* b of a / b or of a / (b = 0 ? 1 : b), as losses have it; NULL if it is not a single number that varies. */
static const tp__node *denominator(const lint *l, const tp__node *node, int32_t *id)
{
    if (!is(node, "div"))
        return NULL;
    *id = node->input[1];
    const tp__node *b = node_at(l, *id);
    if (is(b, "where") && is(operand(l, b, 0), "equal")) {
        *id = b->input[2];
        b = node_at(l, *id);
    }
    return tp_shape_count(b->shape) == 1 && b->dtype != TP_WEAK ? b : NULL;
}

/* Is it 0 with what is in the leaves?  No when that cannot be told. */
static bool is_zero_now(const lint *l, int32_t id)
{
    const tp_tensor b = tp__handle(l->tape, id);
    const uint64_t runs = l->tape->runs;
    double value = 1;

    if (tp_is_scalar_constant(b, &value))
        return value == 0;
    tp_program *program = tp_compile(&b, 1, &(tp_compile_options){.reference = true});
    if (program != NULL && tp_run(program) == TP_OK)
        value = tp_item(b);
    tp_program_destroy(program);
    l->tape->runs = runs;
    return value == 0;
}

static void look_at_denominator(lint *l, const tp__node *node)
{
    int32_t id;
    if (node->op->kind == TP_REDUCE && tp_shape_count(operand(l, node, 0)->shape) == 0)
        remark(l, TP_LINT_EMPTY, -1, node, "%s over no elements", node->op->name);
    else if (denominator(l, node, &id) != NULL && is_zero_now(l, id))
        remark(
            l, TP_LINT_EMPTY, -1, node,
            "an empty denominator: what this divides by is 0 now (weights that are all 0, no target that counts)");
}

/* ---- Gradients --------------------------------------------------------------------------------------- */

/* The last op between the parameter and the loss through which no gradient passes, or NULL. */
static const tp__node *culprit(lint *l, int32_t parameter)
{
    const tp__node *found = NULL;
    unsigned char *reached = tp__allocate(&l->tape->allocator, (size_t)l->nodes);
    if (reached == NULL)
        return NULL;
    memset(reached, 0, (size_t)l->nodes);
    reached[parameter] = 1;
    for (int32_t id = parameter + 1; id <= l->loss; id++) {
        const tp__node *node = node_at(l, id);
        bool touched = false;
        for (int32_t k = 0; k < node->n; k++)
            touched = touched || reached[node->input[k]] != 0;
        if (!touched || (l->mark[id] & NEEDED) == 0)
            continue;
        if (node->op->vjp == tp_zero_derivative)
            found = node;
        else
            reached[id] = 1;
    }
    tp__release(&l->tape->allocator, reached, (size_t)l->nodes);
    return found;
}

static void remark_no_gradient(lint *l, int k)
{
    const tp__node *end = culprit(l, l->parameter[k].id), *p = node_at(l, l->parameter[k].id);
    if (end != NULL && end->place.file != NULL)
        remark(
            l, TP_LINT_NO_GRADIENT, k, p,
            "parameter %d receives no gradient: its way to the loss ends at %s (%s:%d), whose derivative is zero; made",
            k, end->op->name, end->place.file, (int)end->place.line);
    else
        remark(l, TP_LINT_NO_GRADIENT, k, p, "parameter %d receives no gradient: it is zero everywhere; made",
               k);
}

static bool is_zero(tp_tensor t)
{
    double value = 1;
    return tp_is_scalar_constant(t, &value) && value == 0;
}

/* Records the gradient of parameter k, looks, and rewinds. */
static void look_at_gradient(lint *l, int k)
{
    const tp_mark mark = tp_tape_mark(l->tape);
    tp_tensor g;

    if (tp_gradient(tp__handle(l->tape, l->loss), &l->parameter[k], 1, &g) != TP_OK) {
        remark(l, TP_LINT_NO_GRADIENT, k, node_at(l, l->parameter[k].id),
               "parameter %d receives no gradient: %s", k, l->tape->message);
        tp_tape_clear_error(l->tape);
    } else if (is_zero(g)) {
        remark_no_gradient(l, k);
    }
    tp_tape_rewind(mark);
    for (int32_t id = 0; id < l->nodes; id++)
        tp__node_at(l->tape, id)->bypassed = (l->mark[id] & KEPT) != 0;
}

static void look_at_parameters(lint *l)
{
    bool any = false;
    for (int k = 0; k < l->n; k++)
        any = any || (l->mark[l->parameter[k].id] & NEEDED) != 0;
    if (!any) {
        remark(l, TP_LINT_CONSTANT, -1, node_at(l, l->loss), "the loss depends on no parameter");
        return;
    }
    for (int k = 0; k < l->n; k++) {
        if ((l->mark[l->parameter[k].id] & NEEDED) != 0)
            look_at_gradient(l, k);
        else
            remark(l, TP_LINT_UNREACHED, k, node_at(l, l->parameter[k].id),
                   "parameter %d is not part of the loss; made", k);
    }
}

/* ---- Public ------------------------------------------------------------------------------------------ */

static void look(lint *l)
{
    look_at_parameters(l);
    for (int32_t id = 0; id <= l->loss; id++) {
        const tp__node *node = node_at(l, id);
        if ((l->mark[id] & NEEDED) == 0 || node->origin >= 0)
            continue; /* gradients in the loss have patterns of their own */
        look_at_broadcast(l, node);
        look_at_softmax(l, node);
        look_at_sigmoid(l, node);
        look_at_denominator(l, node);
    }
}

/* The leaves that are trained, if the caller named none. */
static bool is_parameter(const tp__node *node)
{
    return node->leaf != NULL && node->leaf->kind == TP__PARAMETER && node->dtype != TP_I32;
}

static const char *gather(lint *l, const tp_tensor *parameters, int n)
{
    for (int32_t id = 0; n == 0 && id < l->loss; id++)
        l->n += is_parameter(node_at(l, id));
    l->n = n > 0 ? n : l->n;
    l->parameter = tp__allocate(&l->tape->allocator, (size_t)(l->n + 1) * sizeof *l->parameter);
    if (l->parameter == NULL)
        return "lint: out of memory";
    for (int k = 0; k < n; k++) {
        if (parameters[k].tape != l->tape || !tp_is_valid(parameters[k]))
            return "lint: a parameter is no living tensor of the loss's tape";
        l->parameter[k] = parameters[k];
    }
    for (int32_t id = 0, k = 0; n == 0 && id < l->loss; id++)
        if (is_parameter(node_at(l, id)))
            l->parameter[k++] = tp__handle(l->tape, id);
    return mark_needed(l) ? NULL : "lint: out of memory";
}

static int refuse(tp_lint_report *r, tp_status status, const char *message)
{
    tp__text text = {r->message, sizeof r->message, 0};
    r->status = status;
    r->count = 0;
    tp__text_add(&text, "%s\n", message);
    return -1;
}

/* With the tape's errors put aside. */
static const char *look_quietly(lint *l, const tp_tensor *parameters, int n)
{
    tp_tape *tape = l->tape;
    const tp_status status = tape->status;
    const bool blocked = tape->blocked;
    const tp_error_handler handler = tape->on_error;
    char message[TP__MESSAGE];

    memcpy(message, tape->message, sizeof message);
    tape->on_error = NULL;
    tape->blocked = false;
    tape->status = TP_OK;
    const char *wrong = gather(l, parameters, n);
    if (wrong == NULL)
        look(l);
    tp__release(&tape->allocator, l->mark, (size_t)l->nodes);
    tp__release(&tape->allocator, l->parameter, (size_t)(l->n + 1) * sizeof *l->parameter);
    tape->on_error = handler;
    tape->blocked = blocked;
    tape->status = status;
    memcpy(tape->message, message, sizeof message);
    return wrong;
}

int tp_lint(tp_tensor loss, const tp_tensor *parameters, int n, tp_lint_report *report)
{
    tp_lint_report own, *r = report != NULL ? report : &own;

    memset(r, 0, sizeof *r);
    if (!tp_is_valid(loss))
        return refuse(r, TP_BAD_HANDLE, "lint: the loss is no living tensor");
    if (tp_count_of(loss) != 1 || (tp_dtype_of(loss) != TP_F32 && tp_dtype_of(loss) != TP_F64))
        return refuse(r, TP_BAD_SHAPE, "lint: the loss must have one element, f32 or f64");
    const tp_kind made_by = tp_op_of(loss)->kind;
    if (made_by == TP_ASSIGN || made_by == TP_GROUP)
        return refuse(r, TP_BAD_ARGUMENT, "lint: an assignment is no loss");
    if (n < 0 || (parameters == NULL && n > 0))
        return refuse(r, TP_BAD_ARGUMENT, "lint: the parameters are NULL");
    lint l = {.tape = loss.tape, .loss = loss.id, .nodes = loss.tape->count, .report = r};
    const char *wrong = look_quietly(&l, parameters, n);
    if (wrong != NULL)
        return refuse(r, strstr(wrong, "memory") != NULL ? TP_OUT_OF_MEMORY : TP_BAD_HANDLE, wrong);
    write_message(r);
    return r->count;
}
