/* objective.c -- something to be differentiated: its values, and its derivative as recorded. */
#include <math.h>
#include <tapir/ops.h>

#include "checker.h"

/* ---- Derivative ------------------------------------------------------------------------------------ */

/* wrt = the leaves of the checked variables; their number. */
static int list_checked(const tp__objective *o, tp_tensor *wrt)
{
    int n = 0;
    for (int k = 0; k < o->variables; k++)
        if (o->scratch->x[k].checked)
            wrt[n++] = o->scratch->x[k].leaf;
    return n;
}

/* Adds the derivative of sum(weight * part) to o->gradient. */
static bool differentiate_part(tp__objective *o, tp_tensor part, tp_tensor weight, tp_tensor *wrt,
                               tp_tensor *out, bool *rule)
{
    tp__scratch *s = o->scratch;
    const int n = list_checked(o, wrt);
    const tp_status status = weight.tape == NULL ? tp_gradient(part, wrt, n, out)
                                                 : tp_vector_jacobian(part, weight, wrt, n, out, NULL);
    bool valid = status == TP_OK;

    for (int i = 0; i < n; i++)
        valid = valid && tp_is_valid(out[i]);
    if (!valid) {
        *rule = status != TP_OUT_OF_MEMORY && status != TP_NO_DERIVATIVE;
        if (s->tape->status != TP_OK)
            return tp__scratch_fail_with_tape(s);
        return tp__scratch_fail(s, TP_BAD_HANDLE,
                                "a derivative rule yields an invalid tensor, or one of another tape");
    }
    for (int k = 0, i = 0; k < o->variables; k++)
        if (s->x[k].checked) {
            o->gradient[k] = o->gradient[k].tape == NULL ? out[i] : tp_add(o->gradient[k], out[i]);
            if (!tp_is_valid(o->gradient[k]))
                return tp__scratch_fail_with_tape(s);
            i++;
        }
    return tp__measure_sensitivity(o, part, weight);
}

/* ---- Values ---------------------------------------------------------------------------------------- */

/* What the user stopped; a derivative rule that stops something is not excused. */
static bool is_stopped(const tp__node *node)
{
    return tp__stops_gradient(node->op) && node->origin < 0;
}

/* part.value: the parts with what stopped gradients replaced by constants. */
static bool hold_stopped_fixed(tp__objective *o, const tp_tensor *parts)
{
    tp__scratch *s = o->scratch;
    int n;
    const tp_tensor *stopped = tp__list_needed(s, parts, o->parts, is_stopped, &n);

    for (int k = 0; k < o->parts; k++)
        o->part[k].value = o->part[k].tensor;
    if (stopped == NULL || n == 0)
        return stopped != NULL;
    tp_program *program = tp__compile_and_run(s, stopped, n);
    tp_tensor *map = tp__arena_take(&s->arena, (size_t)s->tape->count * sizeof *map);
    if (program == NULL || map == NULL) {
        tp_program_destroy(program);
        return tp__out_of_memory(s);
    }
    bool fine = true;
    for (int k = 0; k < n; k++) {
        const tp_dtype dtype = tp_dtype_of(stopped[k]);
        map[stopped[k].id] =
            tp_constant(s->tape, dtype, tp_shape_of(stopped[k]), tp_program_output(program, k, dtype));
        fine = fine && tp_is_valid(map[stopped[k].id]);
    }
    tp_program_destroy(program);
    const tp__replay replay = {s->tape, s->tape, map};
    for (int k = 0; k < o->parts && fine; k++) {
        const int32_t id = o->part[k].tensor.id;
        fine = tp__replay_node(&replay, id);
        o->part[k].value = map[id];
    }
    return fine || tp__scratch_fail_with_tape(s);
}

static bool prepare_values(tp__objective *o)
{
    tp__scratch *s = o->scratch;
    tp_tensor *values = tp__arena_take(&s->arena, (size_t)o->parts * sizeof *values);

    if (values == NULL)
        return tp__out_of_memory(s);
    for (int k = 0; k < o->parts; k++)
        values[k] = o->part[k].tensor;
    if (!hold_stopped_fixed(o, values))
        return false;
    for (int k = 0; k < o->parts; k++)
        values[k] = o->part[k].value;
    o->values = tp__compile_and_run(s, values, o->parts);
    if (o->values == NULL)
        return false;
    for (int k = 0; k < o->parts; k++) {
        tp__part *p = &o->part[k];
        const size_t bytes = (size_t)p->count * tp_dtype_size(p->dtype);
        p->base = tp__arena_take(&s->arena, bytes);
        if (p->base == NULL)
            return tp__out_of_memory(s);
        if (bytes > 0)
            memcpy(p->base, tp_program_output(o->values, k, p->dtype), bytes);
        for (int64_t i = 0; i < p->count; i++)
            o->undefined = o->undefined || isnan(tp__element(p->base, p->dtype, i));
    }
    return true;
}

/* ---- The derivative's values ------------------------------------------------------------------------- */

bool tp__objective_gradient(tp__objective *o, double *out)
{
    const tp__scratch *s = o->scratch;
    if (o->slopes == NULL)
        return true;
    if (tp_run(o->slopes) != TP_OK)
        return false;
    for (int k = 0, output = 0; k < o->variables; k++) {
        const tp__variable *x = &s->x[k];
        if (!x->checked)
            continue;
        const tp_dtype dtype = tp_dtype_of(o->gradient[k]);
        const void *data = tp_program_output(o->slopes, output++, dtype);
        for (int64_t i = 0; i < x->count; i++)
            out[x->first + i] = tp__element(data, dtype, i);
    }
    return true;
}

/* The gradient's round-off: how it changes when the variables do by their last bit. */
static bool measure_jitter(tp__objective *o)
{
    enum { NUDGES = 8 };
    tp__scratch *s = o->scratch;
    double *moved = tp__numbers(s, o->total), *nudge = tp__numbers(s, o->total);

    if (moved == NULL || nudge == NULL)
        return false;
    for (int j = 0; j < NUDGES; j++) {
        for (int k = 0; k < o->variables; k++)
            for (int64_t i = 0; s->x[k].checked && i < s->x[k].count; i++)
                nudge[s->x[k].first + i] = tp__random_sign(s) * fabs(s->x[k].point[i]) * s->epsilon;
        tp__move_along(o, nudge, 1);
        if (tp__objective_gradient(o, moved))
            for (int64_t i = 0; i < o->total; i++) {
                const double change = fabs(moved[i] - o->analytic[i]);
                o->jitter[i] = change > o->jitter[i] ? change : o->jitter[i];
            }
        tp__move_along(o, NULL, 0);
    }
    return true;
}

static bool prepare_slopes(tp__objective *o)
{
    tp__scratch *s = o->scratch;
    tp_tensor *outputs = tp__arena_take(&s->arena, (size_t)o->variables * sizeof *outputs);
    int n = 0;

    o->total = 0;
    for (int k = 0; k < o->variables; k++)
        if (s->x[k].checked) {
            s->x[k].first = o->total;
            o->total += s->x[k].count;
        }
    o->analytic = tp__numbers(s, o->total);
    o->jitter = tp__numbers(s, o->total);
    if (outputs == NULL || o->analytic == NULL || o->jitter == NULL)
        return tp__out_of_memory(s);
    for (int k = 0; k < o->variables; k++)
        if (s->x[k].checked)
            outputs[n++] = o->gradient[k];
    if (n == 0)
        return true;
    o->slopes = tp_compile(outputs, n, &(tp_compile_options){.freeze_random = true});
    if (o->slopes == NULL || !tp__objective_gradient(o, o->analytic))
        return tp__scratch_fail_with_tape(s);
    for (int64_t i = 0; i < o->total; i++)
        if (isfinite(o->analytic[i]) && fabs(o->analytic[i]) > o->typical)
            o->typical = fabs(o->analytic[i]);
    return measure_jitter(o);
}

/* ---- Making ---------------------------------------------------------------------------------------- */

static bool start(tp__objective *o, tp__scratch *s, int order, int parts, int variables)
{
    *o = (tp__objective){.scratch = s, .order = order, .parts = parts, .variables = variables};
    o->part = tp__arena_take(&s->arena, (size_t)parts * sizeof *o->part);
    o->gradient = tp__arena_take(&s->arena, (size_t)variables * sizeof *o->gradient);
    return (o->part != NULL && o->gradient != NULL) || tp__out_of_memory(s);
}

static void set_part(tp__part *part, tp_tensor tensor, const double *weight)
{
    *part = (tp__part){
        .tensor = tensor, .dtype = tp_dtype_of(tensor), .count = tp_count_of(tensor), .weight = weight};
}

bool tp__objective_first(tp__objective *o, tp__scratch *s, bool *rule)
{
    if (!start(o, s, 1, 1, s->n))
        return false;
    tp_tensor *room = tp__arena_take(&s->arena, 2 * (size_t)s->n * sizeof *room);
    if (room == NULL)
        return tp__out_of_memory(s);
    set_part(&o->part[0], s->y, s->weight);
    const tp_tensor weight = s->weight != NULL ? s->x[s->n].leaf : (tp_tensor){0};
    return differentiate_part(o, s->y, weight, room, room + s->n, rule) && prepare_values(o) &&
           prepare_slopes(o);
}

/* A fixed random direction for one part, as numbers and as a leaf. */
static bool make_direction(tp__scratch *s, tp_tensor like, double **numbers, tp_tensor *leaf)
{
    const tp_dtype dtype = tp_dtype_of(like);
    const int64_t count = tp_count_of(like);

    *numbers = tp__numbers(s, count);
    *leaf = tp_parameter(s->tape, dtype, tp_shape_of(like), NULL);
    void *live = tp_is_valid(*leaf) ? tp_leaf_data(*leaf, dtype) : NULL;
    if (*numbers == NULL || live == NULL)
        return tp__scratch_fail_with_tape(s);
    for (int64_t i = 0; i < count; i++) {
        const float v = (float)(tp__random_sign(s) * (0.5 + tp__random(s)));
        (*numbers)[i] = (double)v;
        if (dtype == TP_F32)
            ((float *)live)[i] = v;
        else
            ((double *)live)[i] = (double)v;
    }
    return true;
}

bool tp__objective_second(tp__objective *o, const tp__objective *first, bool *rule)
{
    tp__scratch *s = first->scratch;
    const int variables = s->n + (s->settings->with_adjoint ? 1 : 0);
    int parts = 0;

    for (int k = 0; k < first->variables; k++)
        parts += s->x[k].checked;
    if (!start(o, s, 2, parts, variables))
        return false;
    tp_tensor *room = tp__arena_take(&s->arena, 2 * (size_t)variables * sizeof *room);
    if (room == NULL)
        return tp__out_of_memory(s);
    for (int k = 0, p = 0; k < first->variables; k++) {
        double *numbers;
        tp_tensor direction;
        if (!s->x[k].checked)
            continue;
        if (!make_direction(s, first->gradient[k], &numbers, &direction))
            return false;
        set_part(&o->part[p++], first->gradient[k], numbers);
        if (!differentiate_part(o, first->gradient[k], direction, room, room + variables, rule))
            return false;
    }
    return prepare_values(o) && prepare_slopes(o);
}

void tp__objective_destroy(tp__objective *o)
{
    tp_program_destroy(o->values);
    tp_program_destroy(o->slopes);
    o->values = o->slopes = NULL;
}

int tp__variable_of(const tp__objective *o, int64_t *i)
{
    for (int k = 0; k < o->variables; k++) {
        const tp__variable *x = &o->scratch->x[k];
        if (x->checked && *i >= x->first && *i < x->first + x->count) {
            *i -= x->first;
            return k;
        }
    }
    return -1;
}
