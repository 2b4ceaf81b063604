/* gradient.c -- the reverse sweep.  It records; it never sees a number.
 *
 * Everything that every derivative rule needs happens here, once: the strong zero, summing a contribution to its
 * operand's shape, and adding up the contributions of several uses.
 */
#include "tape.h"

#include <tapir/ops.h>

typedef struct sweep {
    tp_tape *tape;
    int32_t low, high; /* ids that matter: from the oldest wrt to y */
    bool *active;      /* [id - low]: depends on a wrt */
    int32_t *adjoint;  /* [id - low]: node of its adjoint so far, or -1 */
    bool strong_zero;
} sweep;

static bool is_float(tp_dtype dtype)
{
    return dtype == TP_F32 || dtype == TP_F64;
}

/* ---- Masks ----------------------------------------------------------------------------------------- */

enum { MOST_MASKS = 4 };

/* The masks on an adjoint, outermost first. */
typedef struct masks {
    tp_tensor node[MOST_MASKS];
    int n;
} masks;

/* The adjoint of an elementwise op without its masks.  What the op contributes to elements that a mask zeroes is 0, and
 * the mask sees to that at the end better than a guard at every op. */
static tp_tensor take_masks_off(const sweep *s, const tp__node *node, tp_tensor g, masks *m)
{
    m->n = 0;
    if (!s->strong_zero || node->op->kind != TP_MAP)
        return g;
    while (m->n < MOST_MASKS && (tp__resolve(g, NULL)->op->flags & TP_OP_MASKS)) {
        m->node[m->n++] = g;
        g = tp_operand_of(g, 1);
    }
    return g;
}

static tp_tensor put_masks_on(tp_tensor v, const masks *m)
{
    for (int k = m->n - 1; k >= 0; k--)
        v = tp_record(tp_op_of(m->node[k]), (tp_tensor[]){tp_operand_of(m->node[k], 0), v}, 2, NULL);
    return v;
}

/* ---- One contribution ------------------------------------------------------------------------------ */

/* Is v = g * (local derivative) already 0 wherever g is? */
static bool needs_guard(const sweep *s, const tp__node *node, tp_tensor g, bool finite)
{
    double value;
    if (!s->strong_zero || finite || (node->op->flags & TP_OP_FINITE))
        return false;
    if (node->op->kind != TP_MAP && node->op->kind != TP_REDUCE)
        return false;
    return !(tp_is_scalar_constant(g, &value) && value != 0);
}

static tp_tensor contribution_fault(tp_tensor v, const tp__node *node, int k, const tp__node *operand)
{
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];
    const tp_shape shape = tp_shape_of(v);
    tp_describe(tp_dtype_of(v), &shape, got);
    tp_describe(operand->dtype, &operand->shape, expected);
    return tp_fail(v, TP_BAD_SHAPE, "gradient of %s: its rule yields %s for operand %d, which is %s",
                   node->op->name, got, k, expected);
}

/* The sum of `v` over the axes along which the operand was broadcast. */
static tp_tensor sum_to_operand(tp_tensor v, const tp__node *node, int k, const tp__node *operand)
{
    tp_shape joint;
    if (tp_dtype_of(v) != operand->dtype)
        return contribution_fault(v, node, k, operand);
    /* A map's contribution stands for one of y's shape, however few elements it has itself. */
    if (node->op->kind == TP_MAP) {
        const tp_shape shape = tp_shape_of(v);
        if (!tp_broadcast(&shape, &node->shape, &joint) || !tp_shape_equal(joint, node->shape))
            return contribution_fault(v, node, k, operand);
        if (tp_shape_equal(node->shape, operand->shape))
            return v; /* adding it up broadcasts it */
        v = tp_expand(v, node->shape);
    }
    const tp_shape shape = tp_shape_of(v);
    if (tp_shape_equal(shape, operand->shape))
        return v;
    if (!tp_broadcast(&shape, &operand->shape, &joint) || !tp_shape_equal(joint, shape))
        return contribution_fault(v, node, k, operand);
    return tp_sum_to(v, operand->shape);
}

static bool add_contribution(const sweep *s, const tp__node *node, int k, tp_tensor g, tp_tensor v,
                             bool finite, const masks *m)
{
    const int32_t id = node->input[k];
    const tp__node *operand = tp__node_at(s->tape, id);
    int32_t *adjoint = &s->adjoint[id - s->low];

    if (v.tape != s->tape || tp__resolve(v, NULL) == NULL) {
        if (!s->tape->blocked) /* else the rule's own error is the one to report */
            tp__fail(s->tape, TP_BAD_HANDLE, node->place, "gradient of %s: its rule yields %s for operand %d",
                     node->op->name, v.tape != s->tape ? "another tape's tensor" : "an invalid tensor", k);
        return false;
    }
    if (tp_dtype_of(v) == TP_WEAK) {
        double value = 0;
        tp_is_scalar_constant(v, &value);
        v = tp_locate(tp_scalar_of(s->tape, operand->dtype, value), v.file, v.line);
    }
    if (needs_guard(s, node, g, finite))
        v = tp_guard(g, v);
    v = put_masks_on(v, m);
    v = sum_to_operand(v, node, k, operand);
    if (*adjoint >= 0)
        v = tp_add(tp_locate(tp__handle(s->tape, *adjoint), v.file, v.line), v);
    *adjoint = v.id;
    return v.id >= 0;
}

/* ---- One node -------------------------------------------------------------------------------------- */

enum { FEW = 8 };

typedef struct rule_arrays {
    tp_tensor *x, *dx;
    bool *need, *finite;
} rule_arrays;

/* Runs the node's rule and spreads what it yields. */
static bool apply_rule(const sweep *s, int32_t id, tp_tensor g, rule_arrays a)
{
    const tp__node *node = tp__node_at(s->tape, id);
    const tp__place place = node->place;

    for (int k = 0; k < node->n; k++) {
        const int32_t input = node->input[k];
        a.x[k] = tp_locate(tp__handle(s->tape, input), place.file, place.line);
        a.dx[k] = (tp_tensor){0};
        a.finite[k] = false;
        a.need[k] = input >= s->low && s->active[input - s->low];
    }
    masks m;
    g = take_masks_off(s, node, g, &m);
    if (node->op->kind != TP_MAP)
        g = tp_expand(g, node->shape);
    const tp_vjp d = {
        .g = tp_locate(g, place.file, place.line),
        .y = tp__handle(s->tape, id),
        .x = a.x,
        .n = node->n,
        .attr = node->attr,
        .need = a.need,
        .dx = a.dx,
        .finite = a.finite,
    };
    node->op->vjp(&d);
    for (int k = 0; k < node->n; k++)
        if (a.need[k] && a.dx[k].tape != NULL && !add_contribution(s, node, k, d.g, a.dx[k], a.finite[k], &m))
            return false;
    return !s->tape->blocked;
}

static bool differentiate_node(const sweep *s, int32_t id)
{
    tp_tape *tape = s->tape;
    tp__node *node = tp__node_at(tape, id);
    const tp_tensor g = tp__handle(tape, s->adjoint[id - s->low]);
    double value;
    tp_tensor x[FEW], dx[FEW];
    bool need[FEW], finite[FEW], fine = false;

    if (s->strong_zero && tp_is_scalar_constant(g, &value) && value == 0)
        return true;
    if (node->op->vjp == NULL) {
        tp__fail(tape, TP_NO_DERIVATIVE, node->place, "gradient: %s has no derivative", node->op->name);
        return false;
    }
    const int32_t outer_origin = tape->origin;
    const tp__place *outer_inside = tape->inside;
    tape->origin = id;
    tape->inside = &node->place;
    if (node->n <= FEW) {
        fine = apply_rule(s, id, g, (rule_arrays){x, dx, need, finite});
    } else {
        const size_t each = 2 * sizeof *x + 2 * sizeof *need, n = (size_t)node->n;
        tp_tensor *many = tp__allocate(&tape->allocator, each * n);
        bool *flags = many != NULL ? (bool *)(many + 2 * n) : NULL;
        if (many != NULL)
            fine = apply_rule(s, id, g, (rule_arrays){many, many + n, flags, flags + n});
        else
            tp__fail(tape, TP_OUT_OF_MEMORY, node->place, "gradient: out of memory");
        tp__release(&tape->allocator, many, each * n);
    }
    tape->origin = outer_origin;
    tape->inside = outer_inside;
    return fine;
}

/* ---- The sweep ------------------------------------------------------------------------------------- */

static void mark_active(const sweep *s, const tp_tensor *wrt, int n)
{
    for (int k = 0; k < n; k++)
        s->active[wrt[k].id - s->low] = true;
    for (int32_t id = s->low; id <= s->high; id++) {
        const tp__node *node = tp__node_at(s->tape, id);
        for (int32_t k = 0; k < node->n && !s->active[id - s->low] && is_float(node->dtype); k++)
            s->active[id - s->low] = node->input[k] >= s->low && s->active[node->input[k] - s->low];
    }
}

/* Does some operand depend on a wrt, or is it one? */
static bool leads_on(const sweep *s, int32_t id)
{
    const tp__node *node = tp__node_at(s->tape, id);
    if (s->adjoint[id - s->low] < 0 || !s->active[id - s->low])
        return false;
    for (int32_t k = 0; k < node->n; k++)
        if (node->input[k] >= s->low && s->active[node->input[k] - s->low])
            return true;
    return false;
}

static bool run_sweep(const sweep *s)
{
    for (int32_t id = s->high; id >= s->low; id--)
        if (leads_on(s, id) && !differentiate_node(s, id))
            return false;
    return true;
}

static tp_tensor result_for(const sweep *s, tp_tensor wrt)
{
    const tp__node *node = tp__node_at(s->tape, wrt.id);
    const int32_t adjoint = wrt.id <= s->high ? s->adjoint[wrt.id - s->low] : -1;
    tp_tensor g = adjoint >= 0 ? tp__handle(s->tape, adjoint) : tp_scalar_of(s->tape, node->dtype, 0);
    return tp_expand(tp_locate(g, wrt.file, wrt.line), node->shape);
}

static tp_status sweep_with_memory(sweep *s, tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n,
                                   tp_tensor *out)
{
    const size_t span = (size_t)(s->high - s->low) + 1;
    memset(s->active, 0, span);
    for (size_t i = 0; i < span; i++)
        s->adjoint[i] = -1;
    if (y.id >= s->low) {
        mark_active(s, wrt, n);
        s->adjoint[y.id - s->low] = seed.id;
        if (!run_sweep(s))
            return s->tape->status;
    }
    for (int k = 0; k < n; k++) {
        out[k] = result_for(s, wrt[k]);
        if (out[k].id < 0)
            return s->tape->status;
    }
    return TP_OK;
}

static tp_status sweep_from(tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n, tp_tensor *out,
                            const tp_gradient_options *options)
{
    sweep s = {.tape = y.tape,
               .low = y.id,
               .high = y.id,
               .strong_zero = options == NULL || !options->no_strong_zero};
    for (int k = 0; k < n; k++) {
        s.low = wrt[k].id < s.low ? wrt[k].id : s.low;
        s.high = wrt[k].id > s.high ? wrt[k].id : s.high;
    }
    const size_t span = (size_t)(s.high - s.low) + 1;
    s.active = tp__allocate(&s.tape->allocator, span);
    s.adjoint = tp__allocate(&s.tape->allocator, span * sizeof *s.adjoint);
    tp_status status;
    if (s.active == NULL || s.adjoint == NULL)
        status = tp__fail(s.tape, TP_OUT_OF_MEMORY, tp__place_of(y), "gradient: out of memory");
    else
        status = sweep_with_memory(&s, y, seed, wrt, n, out);
    tp__release(&s.tape->allocator, s.active, span);
    tp__release(&s.tape->allocator, s.adjoint, span * sizeof *s.adjoint);
    return status;
}

void tp_zero_derivative(const tp_vjp *d)
{
    (void)d;
}

/* ---- Public ---------------------------------------------------------------------------------------- */

static tp_status check_wrt(tp_tensor y, const tp_tensor *wrt, int n)
{
    for (int k = 0; k < n; k++) {
        const char *fault = NULL;
        const tp__node *node = NULL;
        if (wrt[k].tape == NULL)
            fault = "is absent";
        else if (wrt[k].tape != y.tape)
            fault = "belongs to another tape";
        else if ((node = tp__resolve(wrt[k], NULL)) == NULL)
            fault = wrt[k].id < 0 ? "is invalid" : "is stale: the tape was rewound past it";
        if (fault != NULL)
            return tp__fail(y.tape, TP_BAD_HANDLE, tp__place_of(y), "gradient: wrt[%d] %s", k, fault);
        if (node->op->kind == TP_ASSIGN || node->op->kind == TP_GROUP)
            fault = "is an assignment, which has no value";
        else if (is_float(node->dtype) && tp_is_scalar_constant(wrt[k], NULL))
            fault = "is a known number, which folds into what uses it: make it a parameter";
        else if (node->bypassed)
            fault = "was simplified away where it is used: take what it was made of";
        if (fault != NULL)
            return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "gradient: wrt[%d] (%s) %s", k,
                            node->op->name, fault);
        if (!is_float(node->dtype))
            return tp__fail(y.tape, TP_BAD_DTYPE, tp__place_of(y),
                            "gradient: wrt[%d] is %s; only f32 and f64 have gradients", k,
                            tp_dtype_name(node->dtype));
    }
    return TP_OK;
}

static tp_status vector_jacobian(tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n, tp_tensor *out,
                                 const tp_gradient_options *options)
{
    const tp__node *node = tp__resolve(y, "gradient");
    if (node == NULL)
        return y.tape->status != TP_OK ? y.tape->status : TP_BAD_HANDLE;
    if (node->op->kind == TP_ASSIGN || node->op->kind == TP_GROUP)
        return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "gradient: %s has no value",
                        node->op->name);
    if (node->dtype == TP_I32)
        return tp__fail(y.tape, TP_BAD_DTYPE, tp__place_of(y), "gradient: the differentiated tensor is i32");
    const tp_status status = check_wrt(y, wrt, n);
    if (status != TP_OK)
        return status;
    if (node->dtype == TP_WEAK) { /* a known number depends on nothing */
        for (int k = 0; k < n; k++)
            out[k] = tp_expand(tp_scalar_of(y.tape, tp_dtype_of(wrt[k]), 0), tp_shape_of(wrt[k]));
        return y.tape->blocked ? y.tape->status : TP_OK;
    }
    if (seed.tape != y.tape)
        return tp__fail(y.tape, TP_BAD_HANDLE, tp__place_of(y), "gradient: the seed %s",
                        seed.tape == NULL ? "is absent" : "belongs to another tape");
    if (tp_dtype_of(seed) == TP_WEAK && tp_is_valid(seed))
        seed = tp_scalar_of(y.tape, node->dtype, tp_item(seed));
    if (tp_is_valid(seed) && tp_dtype_of(seed) != node->dtype)
        return tp__fail(y.tape, TP_BAD_DTYPE, tp__place_of(y), "gradient: the seed is %s, the tensor %s",
                        tp_dtype_name(tp_dtype_of(seed)), tp_dtype_name(node->dtype));
    seed = tp_expand(tp_locate(seed, y.file, y.line), node->shape);
    if (!tp_is_valid(seed))
        return y.tape->status != TP_OK ? y.tape->status : TP_BAD_HANDLE;
    return sweep_from(y, seed, wrt, n, out, options);
}

tp_status tp_vector_jacobian(tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n, tp_tensor *out,
                             const tp_gradient_options *options)
{
    tp_status status = TP_BAD_HANDLE;
    if (y.tape != NULL && (n < 0 || (n > 0 && (wrt == NULL || out == NULL))))
        status = tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "gradient: wrt or out is NULL");
    else if (y.tape != NULL)
        status = vector_jacobian(y, seed, wrt, n, out, options);
    for (int k = 0; status != TP_OK && out != NULL && k < n; k++) /* not before: out may be wrt */
        out[k] = tp__invalid(y.tape);
    return status;
}

tp_status tp_gradient(tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out)
{
    if (loss.tape != NULL && tp_is_valid(loss) && tp_count_of(loss) != 1) {
        char text[TP_TEXT_SIZE];
        const tp_shape shape = tp_shape_of(loss);
        for (int k = 0; out != NULL && k < n; k++)
            out[k] = tp__invalid(loss.tape);
        return tp__fail(loss.tape, TP_BAD_SHAPE, tp__place_of(loss),
                        "gradient: the loss must have one element, but it is %s (reduce it, or use "
                        "tp_vector_jacobian)",
                        tp_describe(tp_dtype_of(loss), &shape, text));
    }
    const tp_tensor one = loss.tape != NULL ? tp_scalar(loss.tape, 1) : (tp_tensor){0};
    return tp_vector_jacobian(loss, one, wrt, n, out, NULL);
}
