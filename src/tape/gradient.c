/* gradient.c -- the reverse sweep.  It records; it never sees a number.
 *
 * Everything that every derivative rule needs happens here, once: the strong zero, summing a contribution to its
 * operand's shape, and adding up the contributions of several uses.
 */
#include "sweep.h"

#include <tapir/ops.h>

/* a + b; where opposite masks make each 0 where the other is not, that is a choice. */
static tp_tensor add_up(tp_tensor a, tp_tensor b)
{
    const tp_op *op = tp__resolve(a, NULL)->op;
    if ((op->flags & TP_OP_MASKS) && op->opposite == tp__resolve(b, NULL)->op &&
        tp_operand_of(a, 0).id == tp_operand_of(b, 0).id)
        return op->join(tp_operand_of(a, 0), tp_operand_of(a, 1), tp_operand_of(b, 1));
    return tp_add(a, b);
}

/* ---- One contribution ------------------------------------------------------------------------------ */

/* Is v = g * (local derivative) already 0 wherever g is? */
static bool needs_guard(const tp__sweep *s, const tp__node *node, tp_tensor g, bool finite)
{
    double value;
    if (!s->strong_zero || finite || (node->op->flags & TP_OP_FINITE))
        return false;
    if (node->op->kind != TP_MAP && node->op->kind != TP_REDUCE)
        return false;
    return !(tp_is_scalar_constant(g, &value) && value != 0);
}

static bool add_to_adjoint(const tp__sweep *s, int32_t id, tp_tensor v)
{
    int32_t *adjoint = &s->adjoint[id - s->low];
    if (*adjoint >= 0 && v.id >= 0)
        v = add_up(tp_locate(tp__handle(s->tape, *adjoint), v.file, v.line), v);
    *adjoint = v.id;
    return v.id >= 0;
}

static bool add_contribution(const tp__sweep *s, const tp__rule *r, int32_t k, tp_tensor g,
                             const tp__masks *masks)
{
    tp_tensor v = tp__rule_result(r, k);
    if (v.id < 0)
        return false;
    if (needs_guard(s, r->node, g, r->finite[k]))
        v = tp_guard(g, v);
    v = tp__sum_to_operand(r, k, tp__put_masks_on(v, masks));
    return add_to_adjoint(s, r->node->input[k], v);
}

/* ---- One node -------------------------------------------------------------------------------------- */

tp_tensor tp__value_of(const tp__sweep *s, int32_t id)
{
    const int32_t other = s->substitute != NULL && id <= s->high ? s->substitute[id] : -1;
    return tp__handle(s->tape, other >= 0 ? other : id);
}

/* Runs the node's rule and spreads what it yields.  Before an elementwise rule is applied, masks are taken off its
 * adjoint: what it contributes to elements that a mask zeroes is 0, and the mask sees to that at the end better than a
 * guard at every op. */
static bool apply_rule(const tp__sweep *s, tp__rule *r, tp_tensor g)
{
    const tp__node *node = r->node;
    tp__masks masks = {.n = 0};

    r->y = tp__value_of(s, r->y.id);
    for (int32_t k = 0; k < node->n; k++) {
        const int32_t input = node->input[k];
        r->x[k] = tp_locate(tp__value_of(s, input), node->place.file, node->place.line);
        r->need[k] = input >= s->low && s->active[input - s->low];
    }
    if (node->op->kind != TP_MAP)
        g = tp_expand(g, node->shape);
    else if (s->strong_zero)
        g = tp__take_masks_off(g, &masks);
    g = tp_locate(g, node->place.file, node->place.line);
    if (!tp__rule_run(r, g))
        return false;
    for (int32_t k = 0; k < node->n; k++)
        if (r->need[k] && r->dx[k].tape != NULL && !add_contribution(s, r, k, g, &masks))
            return false;
    return !s->tape->blocked;
}

static bool differentiate_node(tp__sweep *s, int32_t id)
{
    const tp_tensor g = tp__handle(s->tape, s->adjoint[id - s->low]);
    double value;
    tp__rule r;

    if (s->strong_zero && tp_is_scalar_constant(g, &value) && value == 0)
        return true;
    const bool fine = tp__rule_begin(&r, s->tape, id, s->mode) &&
                      (r.node->op != &tp__checkpoint_op || tp__recompute(s, id, g)) && apply_rule(s, &r, g);
    tp__rule_end(&r);
    return fine;
}

/* ---- The sweep ------------------------------------------------------------------------------------- */

static void mark_active(const tp__sweep *s, const tp_tensor *wrt, int n)
{
    for (int k = 0; k < n; k++)
        s->active[wrt[k].id - s->low] = true;
    for (int32_t id = s->low; id <= s->high; id++) {
        const tp__node *node = tp__node_at(s->tape, id);
        if (!tp__is_floating(node->dtype) || node->op->vjp == tp_zero_derivative)
            continue;
        for (int32_t k = 0; k < node->n && !s->active[id - s->low]; k++)
            s->active[id - s->low] = node->input[k] >= s->low && s->active[node->input[k] - s->low];
    }
}

/* Does some operand depend on a wrt, or is it one? */
static bool leads_on(const tp__sweep *s, int32_t id)
{
    const tp__node *node = tp__node_at(s->tape, id);
    if (s->adjoint[id - s->low] < 0 || !s->active[id - s->low])
        return false;
    for (int32_t k = 0; k < node->n; k++)
        if (node->input[k] >= s->low && s->active[node->input[k] - s->low])
            return true;
    return false;
}

static bool run_sweep(tp__sweep *s)
{
    for (int32_t id = s->high; id >= s->low; id--)
        if (leads_on(s, id) && !differentiate_node(s, id))
            return false;
    return true;
}

static tp_tensor result_for(const tp__sweep *s, tp_tensor wrt)
{
    const tp__node *node = tp__node_at(s->tape, wrt.id);
    const int32_t adjoint = s->adjoint[wrt.id - s->low];
    tp_tensor g = adjoint >= 0 ? tp__handle(s->tape, adjoint) : tp_scalar_of(s->tape, node->dtype, 0);
    return tp_expand(tp_locate(g, wrt.file, wrt.line), node->shape);
}

static tp_status sweep_with_memory(tp__sweep *s, const tp_tensor *y, const tp_tensor *seed, int m,
                                   const tp_tensor *wrt, int n, tp_tensor *out)
{
    const size_t span = (size_t)(s->high - s->low) + 1;
    memset(s->active, 0, span);
    for (size_t i = 0; i < span; i++)
        s->adjoint[i] = -1;
    mark_active(s, wrt, n);
    for (int j = 0; j < m; j++)
        if (!add_to_adjoint(s, y[j].id, seed[j]))
            return tp__failed(s->tape);
    if (!run_sweep(s))
        return tp__failed(s->tape);
    for (int k = 0; k < n; k++) {
        out[k] = result_for(s, wrt[k]);
        if (out[k].id < 0)
            return tp__failed(s->tape);
    }
    return TP_OK;
}

tp_status tp__pull_back(const char *mode, const tp_tensor *y, const tp_tensor *seed, int m,
                        const tp_tensor *wrt, int n, tp_tensor *out, bool strong_zero)
{
    tp__sweep s = {
        .tape = y[0].tape, .mode = mode, .low = y[0].id, .high = y[0].id, .strong_zero = strong_zero};
    for (int i = 0; i < m + n; i++) {
        const int32_t id = i < m ? y[i].id : wrt[i - m].id;
        s.low = id < s.low ? id : s.low;
        s.high = id > s.high ? id : s.high;
    }
    const tp_allocator *allocator = &s.tape->allocator;
    const size_t span = (size_t)(s.high - s.low) + 1;
    s.active = tp__allocate(allocator, span);
    s.adjoint = tp__allocate(allocator, span * sizeof *s.adjoint);
    tp_status status;
    if (s.active == NULL || s.adjoint == NULL)
        status = tp__fail(s.tape, TP_OUT_OF_MEMORY, tp__place_of(y[0]), "%s: out of memory", mode);
    else
        status = sweep_with_memory(&s, y, seed, m, wrt, n, out);
    tp__release(allocator, s.active, span);
    tp__release(allocator, s.adjoint, span * sizeof *s.adjoint);
    tp__release(allocator, s.substitute, ((size_t)s.high + 1) * sizeof *s.substitute);
    return status;
}

/* ---- Arguments ------------------------------------------------------------------------------------- */

tp_status tp__failed(const tp_tape *tape)
{
    return tape->status != TP_OK ? tape->status : TP_BAD_HANDLE;
}

tp_status tp__leave(tp_status status, tp_tape *tape, tp_tensor *out, int n)
{
    for (int k = 0; status != TP_OK && out != NULL && k < n; k++) /* not before: out may be wrt */
        out[k] = tp__invalid(tape);
    return status;
}

tp_status tp__check_differentiated(const char *mode, tp_tensor y)
{
    const tp__node *node = tp__resolve(y, mode);
    if (node == NULL)
        return tp__failed(y.tape);
    if (node->op->kind == TP_ASSIGN || node->op->kind == TP_GROUP)
        return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "%s: %s has no value", mode,
                        node->op->name);
    if (node->dtype == TP_I32)
        return tp__fail(y.tape, TP_BAD_DTYPE, tp__place_of(y), "%s: the differentiated tensor is i32", mode);
    return TP_OK;
}

tp_status tp__check_one_element(const char *mode, tp_tensor loss)
{
    char text[TP_TEXT_SIZE];
    const tp_shape shape = tp_shape_of(loss);
    if (!tp_is_valid(loss) || tp_count_of(loss) == 1)
        return TP_OK;
    return tp__fail(loss.tape, TP_BAD_SHAPE, tp__place_of(loss),
                    "%s: the loss must have one element, but it is %s (reduce it, or use "
                    "tp_vector_jacobian)",
                    mode, tp_describe(tp_dtype_of(loss), &shape, text));
}

tp_status tp__check_wrt(const char *mode, tp_tensor y, const tp_tensor *wrt, int n)
{
    for (int k = 0; k < n; k++) {
        const char *fault = tp_handle_fault(y.tape, wrt[k]);
        if (fault != NULL)
            return tp__fail(y.tape, TP_BAD_HANDLE, tp__place_of(y), "%s: wrt[%d] %s", mode, k, fault);
        const tp__node *node = tp__resolve(wrt[k], NULL);
        if (node->op->kind == TP_ASSIGN || node->op->kind == TP_GROUP)
            fault = "is an assignment, which has no value";
        else if (tp__is_floating(node->dtype) && tp_is_scalar_constant(wrt[k], NULL))
            fault = "is a known number, which folds into what uses it: make it a parameter";
        else if (node->bypassed)
            fault = "was simplified away where it is used: take what it was made of";
        if (fault != NULL)
            return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "%s: wrt[%d] (%s) %s", mode, k,
                            node->op->name, fault);
        if (!tp__is_floating(node->dtype))
            return tp__fail(y.tape, TP_BAD_DTYPE, tp__place_of(y),
                            "%s: wrt[%d] is %s; only f32 and f64 have gradients", mode, k,
                            tp_dtype_name(node->dtype));
    }
    return TP_OK;
}

tp_tensor tp__conform(const char *mode, const char *what, int k, tp_tensor x, tp_tensor like)
{
    tp_tape *tape = like.tape;
    char name[64];
    snprintf(name, sizeof name, k < 0 ? "the %s" : "%s[%d]", what, k);

    const char *fault = tp_handle_fault(tape, x);
    if (fault != NULL) {
        if (x.tape != tape || x.id >= 0) /* an invalid one has its error already */
            tp__fail(tape, TP_BAD_HANDLE, tp__place_of(like), "%s: %s %s", mode, name, fault);
        return tp__invalid(tape);
    }
    const tp_dtype dtype = tp_dtype_of(like);
    if (tp_dtype_of(x) == TP_WEAK)
        x = tp_scalar_of(tape, dtype, tp_item(x));
    if (tp_is_valid(x) && tp_dtype_of(x) != dtype) {
        tp__fail(tape, TP_BAD_DTYPE, tp__place_of(like), "%s: %s is %s, the tensor %s", mode, name,
                 tp_dtype_name(tp_dtype_of(x)), tp_dtype_name(dtype));
        return tp__invalid(tape);
    }
    return tp_expand(tp_locate(x, like.file, like.line), tp_shape_of(like));
}

/* ---- Public ---------------------------------------------------------------------------------------- */

static tp_status vector_jacobian(const char *mode, tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n,
                                 tp_tensor *out, const tp_gradient_options *options)
{
    tp_status status = tp__check_differentiated(mode, y);
    if (status == TP_OK)
        status = tp__check_wrt(mode, y, wrt, n);
    if (status != TP_OK)
        return status;
    if (tp_dtype_of(y) == TP_WEAK) { /* a known number depends on nothing */
        for (int k = 0; k < n; k++)
            out[k] = tp_expand(tp_scalar_of(y.tape, tp_dtype_of(wrt[k]), 0), tp_shape_of(wrt[k]));
        return y.tape->blocked ? y.tape->status : TP_OK;
    }
    seed = tp__conform(mode, "seed", -1, seed, y);
    if (!tp_is_valid(seed))
        return tp__failed(y.tape);
    return tp__pull_back(mode, &y, &seed, 1, wrt, n, out, options == NULL || !options->no_strong_zero);
}

static tp_status checked_vector_jacobian(const char *mode, tp_tensor y, tp_tensor seed, const tp_tensor *wrt,
                                         int n, tp_tensor *out, const tp_gradient_options *options)
{
    if (y.tape == NULL)
        return TP_BAD_HANDLE;
    if (n < 0 || (n > 0 && (wrt == NULL || out == NULL)))
        return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "%s: wrt or out is NULL", mode);
    return vector_jacobian(mode, y, seed, wrt, n, out, options);
}

tp_status tp_vector_jacobian(tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n, tp_tensor *out,
                             const tp_gradient_options *options)
{
    return tp__leave(checked_vector_jacobian("gradient", y, seed, wrt, n, out, options), y.tape, out, n);
}

tp_status tp__gradient(const char *mode, tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out)
{
    const tp_status status = tp__check_one_element(mode, loss);
    if (status != TP_OK)
        return tp__leave(status, loss.tape, out, n);
    const tp_tensor one = loss.tape != NULL ? tp_scalar(loss.tape, 1) : (tp_tensor){0};
    return tp__leave(checked_vector_jacobian(mode, loss, one, wrt, n, out, NULL), loss.tape, out, n);
}

tp_status tp_gradient(tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out)
{
    return tp__gradient("gradient", loss, wrt, n, out);
}
