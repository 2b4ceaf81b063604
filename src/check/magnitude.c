/* magnitude.c -- how large the numbers are that an objective is computed with: what its round-off is made of. */
#include <math.h>
#include <tapir/ops.h>

#include "checker.h"

/* Compiles and runs once; NULL after storing why not. */
tp_program *tp__compile_and_run(tp__scratch *s, const tp_tensor *outputs, int n)
{
    tp_program *program = tp_compile(outputs, n, &(tp_compile_options){.freeze_random = true});
    if (program == NULL || tp_run(program) != TP_OK) {
        tp__scratch_fail_with_tape(s);
        tp_program_destroy(program);
        return NULL;
    }
    return program;
}

/* Handles of all nodes that `roots` need and `pick` picks; *n their number. */
tp_tensor *tp__list_needed(tp__scratch *s, const tp_tensor *roots, int root_count,
                           bool (*pick)(const tp__node *), int *n)
{
    const int32_t count = s->tape->count;
    bool *needed = tp__arena_take(&s->arena, (size_t)count * sizeof *needed);
    tp_tensor *list = tp__arena_take(&s->arena, (size_t)count * sizeof *list);

    *n = 0;
    if (needed == NULL || list == NULL) {
        tp__out_of_memory(s);
        return NULL;
    }
    tp__mark_needed(s->tape, roots, root_count, needed);
    for (int32_t id = 0; id < count; id++)
        if (needed[id] && pick(tp__node_at(s->tape, id)))
            list[(*n)++] = tp__handle(s->tape, id);
    return list;
}

double tp__element(const void *data, tp_dtype dtype, int64_t i)
{
    return dtype == TP_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

/* The largest finite |value|. */
static void raise_to(double *largest, double value)
{
    if (isfinite(value) && fabs(value) > *largest)
        *largest = fabs(value);
}

static bool is_number(const tp__node *node)
{
    return tp__is_float(node->dtype);
}

/* The adjoints of nodes[0..n), which the rules that were needed before yield without any other; false: some rule would
 * not. */
static bool record_adjoints(tp_tensor part, tp_tensor weight, const tp_tensor *nodes, int n,
                            tp_tensor *adjoint)
{
    if (weight.tape == NULL)
        weight = tp_scalar(part.tape, 1);
    bool fine = tp_vector_jacobian(part, weight, nodes, n, adjoint, NULL) == TP_OK;
    for (int k = 0; k < n && fine; k++)
        fine = tp_is_valid(adjoint[k]);
    return fine;
}

/* A number u, rounded, changes the objective by up to |adjoint of u| epsilon |u|. */
bool tp__measure_sensitivity(tp__objective *o, tp_tensor part, tp_tensor weight)
{
    tp__scratch *s = o->scratch;
    const size_t count = (size_t)s->tape->count;
    int n = 0;
    const tp_tensor *needed = tp__list_needed(s, &part, 1, is_number, &n);
    bool *active = tp__arena_take(&s->arena, count * sizeof *active);
    tp_tensor *both = tp__arena_take(&s->arena, 2 * count * sizeof *both);

    if (needed == NULL || active == NULL || both == NULL)
        return tp__out_of_memory(s);
    tp__mark_active(s, o->variables, active);
    int listed = 0;
    for (int k = 0; k < n; k++)
        if (active[needed[k].id])
            both[listed++] = needed[k];
    if (listed == 0 || !record_adjoints(part, weight, both, listed, both + listed)) {
        const bool no_memory = s->tape->status == TP_OUT_OF_MEMORY;
        tp_tape_clear_error(s->tape);
        return !no_memory || tp__out_of_memory(s);
    }
    tp_program *program = tp__compile_and_run(s, both, 2 * listed);
    if (program == NULL)
        return false;
    for (int k = 0; k < listed; k++) {
        const tp_dtype dtype = tp_dtype_of(both[k]);
        const void *value = tp_program_output(program, k, dtype);
        const void *adjoint = tp_program_output(program, listed + k, dtype);
        for (int64_t i = 0; i < tp_count_of(both[k]); i++) {
            const double a = tp__element(adjoint, dtype, i);
            raise_to(&o->adjoint_magnitude, a);
            raise_to(&o->sensitivity, a * tp__element(value, dtype, i));
        }
    }
    tp_program_destroy(program);
    return true;
}
