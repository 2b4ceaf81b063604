/* first_use.c -- a user's op is verified when a tape first records it.
 *
 * tp_record, as a macro, tells whether it is compiled in a debug build; so only ops of users come here, and the tape need
 * not know about the checker.  Each tape remembers which ops were verified.  The check itself is that of tp_check_gradient,
 * with few elements, on tapes that verify nothing.
 */
#include <math.h>

#include "checker.h"

#include <tapir/ops.h>

enum {
    FEW = 1024,       /* operands and result have no more elements than this, all together */
    SMALL_SIZE = 2,   /* else their sizes become 2, 3, ..., equal ones equal and larger ones larger */
    EACH_ELEMENT = 32 /* up to so many elements each is looked at; else a sample, and directions */
};

struct tp__verified { /* in the tape's memory */
    const struct tp__verified *next;
    const tp_op *op;
};

static bool was_verified(const tp_tape *tape, const tp_op *op)
{
    for (const struct tp__verified *v = tape->verified; v != NULL; v = v->next)
        if (v->op == op)
            return true;
    return false;
}

/* False when out of memory. */
static bool remember(tp_tape *tape, const tp_op *op)
{
    struct tp__verified *v = tp_tape_keep(tape, sizeof *v);
    if (v == NULL)
        return false;
    *v = (struct tp__verified){tape->verified, op};
    tape->verified = v;
    return true;
}

/* ---- Operands to try it at --------------------------------------------------------------------------- */

/* Where to draw them, and what became of it. */
typedef struct attempt {
    const tp__subject *subject;
    const tp_tensor *x; /* as the user recorded */
    tp_allocator allocator;
    tp_dtype dtype; /* of known numbers without one */
    tp_shape *shape;
    double low, high;
    bool as_recorded; /* the shapes are */
    bool zeros;       /* i32 operands are, else 0, 1, 0, 1, ... or the values they have */
    tp__scratch draw; /* random numbers, memory */
    tp_tape *tape;
    tp_tensor *operand;
    bool *wrt;
} attempt;

/* The smallest size above `size` among the operands' sizes; 0 if there is none. */
static int64_t next_size(const attempt *a, int64_t size)
{
    int64_t next = 0;
    for (int k = 0; k < a->subject->n; k++) {
        const tp_shape shape = tp_shape_of(a->x[k]);
        for (int64_t d = 0; d < shape.rank; d++)
            if (shape.dim[d] > size && (next == 0 || shape.dim[d] < next))
                next = shape.dim[d];
    }
    return next;
}

/* Sizes above 1, in their order, become 2, 3, ...: what was equal, larger or 1 remains so. */
static void shrink(attempt *a)
{
    int64_t small = SMALL_SIZE;

    a->as_recorded = false;
    for (int64_t size = next_size(a, 1); size > 0; size = next_size(a, size), small++)
        for (int k = 0; k < a->subject->n; k++) {
            const tp_shape shape = tp_shape_of(a->x[k]);
            for (int64_t d = 0; d < shape.rank; d++)
                if (shape.dim[d] == size)
                    a->shape[k].dim[d] = size < small ? size : small;
        }
}

static bool are_few(const attempt *a, int64_t more)
{
    for (int k = 0; k < a->subject->n && more <= FEW; k++)
        more += tp_shape_count(a->shape[k]);
    return more <= FEW;
}

static tp_tensor draw_labels(attempt *a, int k)
{
    const tp__leaf *leaf = tp__resolve(a->x[k], NULL)->leaf;
    const int64_t count = tp_shape_count(a->shape[k]);

    if (a->as_recorded && !a->zeros && leaf != NULL && leaf->written)
        return tp_constant(a->tape, TP_I32, a->shape[k], leaf->data);
    int32_t *labels = tp__arena_take(&a->draw.arena, (size_t)count * sizeof *labels);
    if (labels == NULL)
        return tp__invalid(a->tape);
    for (int64_t i = 0; i < count; i++)
        labels[i] = a->zeros ? 0 : (int32_t)(i % 2);
    return tp_constant(a->tape, TP_I32, a->shape[k], labels);
}

static tp_tensor draw_floats(attempt *a, int k, tp_dtype dtype, const double *known)
{
    const tp_tensor x = tp_parameter(a->tape, dtype, a->shape[k], NULL);
    void *data = tp_is_valid(x) ? tp_leaf_data(x, dtype) : NULL;

    for (int64_t i = 0; data != NULL && i < tp_count_of(x); i++) {
        const double value = known != NULL ? *known : a->low + (a->high - a->low) * tp__random(&a->draw);
        if (dtype == TP_F32)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
    }
    return x;
}

/* All operands on a new tape; false when out of memory. */
static bool draw_operands(attempt *a)
{
    a->tape = tp_tape_create(&(tp_tape_options){.allocator = a->allocator, .verify_ops = TP_VERIFY_NEVER});
    a->draw.random = 1;
    for (int k = 0; k < a->subject->n && a->tape != NULL; k++) {
        const tp_dtype dtype = tp_dtype_of(a->x[k]) == TP_WEAK ? a->dtype : tp_dtype_of(a->x[k]);
        double known;
        const bool is_known = tp_is_scalar_constant(a->x[k], &known);
        if (dtype != TP_I32)
            a->operand[k] = draw_floats(a, k, dtype, is_known ? &known : NULL);
        else if (is_known)
            a->operand[k] = tp_expand(tp_scalar_of(a->tape, TP_I32, known), a->shape[k]);
        else
            a->operand[k] = draw_labels(a, k);
        a->wrt[k] = dtype != TP_I32 && !is_known;
    }
    return a->tape != NULL && tp_tape_status(a->tape) != TP_OUT_OF_MEMORY;
}

/* Does the op take them, and is its result finite there? */
static bool is_finite_there(const attempt *a)
{
    const tp__subject *s = a->subject;
    const tp_tensor y = tp_record_on(a->tape, s->op, a->operand, s->n, s->attr);
    const tp_dtype dtype = tp_dtype_of(y);
    const int64_t count = tp_count_of(y);
    if (!tp_is_valid(y) || !tp__is_float(dtype) || count == 0 || !are_few(a, count))
        return false;
    tp_program *program = tp_compile(&y, 1, NULL);
    bool finite = program != NULL && tp_run(program) == TP_OK;
    for (int64_t i = 0; i < count && finite; i++)
        finite = isfinite(tp__element(tp_program_output(program, 0, dtype), dtype, i));
    tp_program_destroy(program);
    return finite;
}

/* ---- The verdict ------------------------------------------------------------------------------------- */

/* What its report means for the user's tape: only a derivative that is surely another one is an error. */
static tp_status pronounce(tp_tensor y, const attempt *a, tp_check_report *report)
{
    char shape[TP_TEXT_SIZE], where[TP_TEXT_SIZE + 64] = "";

    if (report->status == TP_OUT_OF_MEMORY)
        return TP_OUT_OF_MEMORY;
    if (report->verdict != TP_CHECK_FAILED || report->status != TP_OK || !(report->error_bar < INFINITY))
        return TP_OK;
    tp__describe_verdict(report, "", a->operand, a->subject->n);
    if (report->element >= 0) {
        const tp_tensor x = a->operand[report->x];
        const tp_dtype dtype = tp_dtype_of(x);
        const tp_shape of = tp_shape_of(x);
        snprintf(where, sizeof where, ", here with x[%d] = %.6g (%s)", report->x,
                 tp__element(tp_values(x, dtype), dtype, report->element), tp_describe(dtype, &of, shape));
    }
    return tp__fail(y.tape, TP_WRONG_DERIVATIVE, tp__place_of(y),
                    "%s: wrong derivative: %s; verified on its first use%s", a->subject->op->name,
                    report->message, where);
}

/* Kernels that see whole arrays may have been written for one dtype, so they are tried in that which is recorded; others in
 * f64 if there is such a kernel. */
static void compare(const attempt *a, tp__settings *settings, tp_check_report *report)
{
    void *subject = (void *)(uintptr_t)a->subject;

    for (int k = 0; k < a->subject->n; k++)
        settings->single = settings->single || tp_dtype_of(a->operand[k]) == TP_F32;
    settings->single = settings->single && a->subject->op->kind == TP_CALL;
    (settings->single ? tp__check_once : tp__check_either)(tp__record_subject, subject, a->operand,
                                                           a->subject->n, settings, false, report);
}

/* The check, if the op is finite at operands in this range; *done then. */
static tp_status check_there(tp_tensor y, attempt *a, bool *done)
{
    const tp__subject *s = a->subject;
    tp_status status = draw_operands(a) ? TP_OK : TP_OUT_OF_MEMORY;

    if (status == TP_OK && is_finite_there(a)) {
        const tp_check_options options = {.max_elements = EACH_ELEMENT, .directions = 2, .wrt = a->wrt};
        tp__settings settings;
        tp_check_report report;
        *done = true;
        if (tp__prepare(&settings, &options, a->operand, s->n, s->op->name, tp__start_report(&report)))
            compare(a, &settings, &report);
        status = pronounce(y, a, &report);
    }
    if (a->tape != NULL && tp_tape_status(a->tape) == TP_OUT_OF_MEMORY)
        status = TP_OUT_OF_MEMORY;
    tp_tape_destroy(a->tape);
    tp__arena_clear(&a->draw.arena);
    return status;
}

/* In the op's own range, and where most functions are defined. */
static tp_status check_somewhere(tp_tensor y, attempt *a, bool has_labels)
{
    const tp_op *op = a->subject->op;
    const bool own = op->low != 0 || op->high != 0;
    const double range[][2] = {{own ? op->low : -2, own ? op->high : 2}, {0.25, 0.95}, {1.25, 2}};
    tp_status status = TP_OK;
    bool done = false;

    for (int zeros = 0; zeros <= (has_labels ? 1 : 0); zeros++)
        for (size_t k = 0; k < sizeof range / sizeof *range && !done && status == TP_OK; k++) {
            a->zeros = zeros == 1;
            a->low = range[k][0];
            a->high = range[k][1];
            status = check_there(y, a, &done);
        }
    return status;
}

static tp_status check_recorded_op(tp_tensor y, const tp__subject *subject, const tp_tensor *x)
{
    tp__arena arena = {.allocator = &y.tape->allocator};
    const size_t n = (size_t)subject->n;
    attempt a = {
        .subject = subject,
        .x = x,
        .allocator = y.tape->allocator,
        .dtype = tp_dtype_of(y),
        .shape = tp__arena_take(&arena, n * sizeof *a.shape),
        .as_recorded = true,
        .operand = tp__arena_take(&arena, n * sizeof *a.operand),
        .wrt = tp__arena_take(&arena, n * sizeof *a.wrt),
    };
    tp_status status = TP_OUT_OF_MEMORY;
    bool has_labels = false;

    a.draw.arena.allocator = &a.allocator;
    if (a.shape != NULL && a.operand != NULL && a.wrt != NULL) {
        for (int k = 0; k < subject->n; k++) {
            a.shape[k] = tp_shape_of(x[k]);
            has_labels = has_labels || tp_dtype_of(x[k]) == TP_I32;
        }
        if (!are_few(&a, tp_count_of(y)))
            shrink(&a);
        status = check_somewhere(y, &a, has_labels);
    }
    tp__arena_clear(&arena);
    return status;
}

/* ---- Which ops --------------------------------------------------------------------------------------- */

/* Are they labels of the user's?  What other ops computed, such as positions, may mean something that no guess does. */
static bool are_labels(tp_tensor x)
{
    const tp__node *node = tp__resolve(x, NULL);
    while (node->op->kind == TP_VIEW)
        node = tp__node_at(x.tape, node->input[0]);
    return node->leaf != NULL;
}

/* Is there something to compare?  If not now, then perhaps when it is recorded again. */
static bool is_comparable(tp_tensor y, const tp_op *op, const tp_tensor *x, int n)
{
    bool any = false;

    if (op->vjp == NULL || (op->flags & (TP_OP_IMPURE | TP_OP_SURROGATE)))
        return false;
    if (!tp__is_float(tp_dtype_of(y)) || tp_count_of(y) == 0)
        return false;
    for (int k = 0; k < n; k++) {
        any = any || (tp__is_float(tp_dtype_of(x[k])) && !tp_is_scalar_constant(x[k], NULL));
        if (tp_count_of(x[k]) == 0)
            return false;
        if (tp_dtype_of(x[k]) == TP_I32 && !tp_is_scalar_constant(x[k], NULL) && !are_labels(x[k]))
            return false;
    }
    return any;
}

static tp_tensor verify(bool debug, tp_tensor y, const tp_op *op, const tp_tensor *x, int n, const void *attr)
{
    tp_tape *tape = y.tape;

    if (!tp_is_valid(y) || tape->verify_ops == TP_VERIFY_NEVER ||
        (tape->verify_ops == TP_VERIFY_IN_DEBUG && !debug) || tape->status != TP_OK ||
        was_verified(tape, op) || !is_comparable(y, op, x, n))
        return y;
    const tp__subject subject = {op, attr, n};
    const tp_status status = remember(tape, op) ? check_recorded_op(y, &subject, x) : TP_OUT_OF_MEMORY;
    if (status == TP_OUT_OF_MEMORY)
        tp__fail(tape, status, tp__place_of(y), "%s: out of memory while verifying it", op->name);
    return status == TP_OK ? y : tp__invalid(tape);
}

tp_tensor tp_record_verified(bool debug, const tp_op *op, const tp_tensor *x, int n, const void *attr)
{
    return verify(debug, tp_record(op, x, n, attr), op, x, n, attr);
}

tp_tensor tp_record_verified_on(bool debug, tp_tape *tape, const tp_op *op, const tp_tensor *x, int n,
                                const void *attr)
{
    return verify(debug, tp_record_on(tape, op, x, n, attr), op, x, n, attr);
}
