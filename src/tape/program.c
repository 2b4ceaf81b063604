/* program.c -- compile: copy the needed nodes; run: check, compute, assign. */
#include "plan.h"

/* ---- Failing --------------------------------------------------------------------------------------- */

tp_status tp__run_fail(tp_program *program, tp_status status, const tp__step *step, const char *format, ...)
{
    tp__text text = {program->message, sizeof program->message, 0};
    tp__place place = step != NULL ? step->place : (tp__place){0};
    va_list args;

    program->tape->running = NULL; /* a kernel that fails is over */
    tp__text_scope(&text, place.scope);
    va_start(args, format);
    tp__text_vadd(&text, format, args);
    va_end(args);
    tp__text_place(&text, place);
    return tp__fail_using(program->tape, status, (tp__place){0}, "%s", program->message);
}

static tp_status compile_fault(tp_tape *tape, tp_tensor at, tp_status status, const char *reason)
{
    return tp__fail(tape, status, tp__place_of(at), "tp_compile: %s", reason);
}

/* ---- Which nodes ----------------------------------------------------------------------------------- */

/* step_of[id] becomes 0 for every node that the outputs need, else -1. */
static void find_needed(const tp_program *program, const int32_t *output, int n, int32_t *step_of,
                        int32_t count)
{
    for (int32_t id = 0; id < count; id++)
        step_of[id] = -1;
    for (int k = 0; k < n; k++)
        step_of[output[k]] = 0;
    for (int32_t id = count - 1; id >= 0; id--) {
        const tp__node *node = tp__node_at(program->tape, id);
        if (step_of[id] < 0)
            continue;
        for (int32_t k = 0; k < node->n; k++)
            step_of[node->input[k]] = 0;
        if (program->options.check_finite && node->origin >= 0) /* to name a gradient's cause */
            step_of[node->origin] = 0;
    }
}

static bool copy_node(tp_program *program, int32_t id, const int32_t *step_of)
{
    const tp__node *node = tp__node_at(program->tape, id);
    tp__step *step = &program->step[step_of[id]];

    *step = (tp__step){
        .op = node->op,
        .shape = node->shape,
        .count = tp_shape_count(node->shape),
        .dtype = node->dtype,
        .n = node->n,
        .leaf = node->leaf,
        .data = node->leaf != NULL ? node->leaf->data : NULL,
        .place = node->place,
        .origin = node->origin >= 0 ? step_of[node->origin] : -1,
        .id = id,
        .ordinal = node->ordinal,
        .bad = -1,
    };
    step->input = tp__arena_take(&program->arena, (size_t)node->n * sizeof *step->input);
    step->attr = tp__arena_take(&program->arena, node->op->attr_size);
    if (step->input == NULL || step->attr == NULL)
        return false;
    for (int32_t k = 0; k < node->n; k++)
        step->input[k] = step_of[node->input[k]];
    if (node->op->attr_size > 0)
        memcpy(step->attr, node->attr, node->op->attr_size);
    return true;
}

static bool copy_nodes(tp_program *program, const int32_t *output, int32_t *step_of, int32_t count)
{
    find_needed(program, output, program->outputs, step_of, count);
    for (int32_t id = 0; id < count; id++)
        if (step_of[id] >= 0)
            step_of[id] = program->steps++;
    program->step = tp__arena_take(&program->arena, (size_t)program->steps * sizeof *program->step);
    if (program->step == NULL)
        return false;
    for (int32_t id = 0; id < count; id++)
        if (step_of[id] >= 0 && !copy_node(program, id, step_of))
            return false;
    for (int32_t k = 0; k < program->outputs; k++)
        program->output[k].step = step_of[output[k]];
    return true;
}

/* Which leaves are read, which assigned; false after storing an error. */
static bool check_leaf_uses(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__step *step = &program->step[s];
        const bool assigns = step->op->kind == TP_ASSIGN;
        for (int32_t k = assigns ? 1 : 0; k < step->n; k++)
            program->step[step->input[k]].is_read = true;
        if (!assigns)
            continue;
        tp__step *target = &program->step[step->input[0]];
        if (target->is_assigned) {
            char text[TP_TEXT_SIZE];
            tp__fail(program->tape, TP_BAD_STATE, step->place,
                     "tp_compile: two assignments change the same %s %s", target->op->name,
                     tp_describe(target->dtype, &target->shape, text));
            return false;
        }
        target->is_assigned = true;
    }
    for (int32_t k = 0; k < program->outputs; k++)
        program->step[program->output[k].step].is_read = true;
    return true;
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

static size_t rounded(size_t bytes)
{
    return (bytes + TP__ALIGNMENT - 1) & ~(size_t)(TP__ALIGNMENT - 1);
}

static size_t step_bytes(const tp__step *step)
{
    if (step->leaf != NULL || step->op->kind == TP_GROUP)
        return 0;
    return rounded((size_t)step->count * tp_dtype_size(step->dtype));
}

/* Bytes that a call needs: its operand descriptions, then the op's own scratch.  SIZE_MAX when out of memory. */
static size_t call_bytes_of(tp_program *program, const tp__step *step)
{
    const size_t arrays = rounded((size_t)step->n * sizeof(tp_array));
    if (step->op->scratch_size == NULL)
        return arrays;
    tp_shape *shape = tp__arena_take(&program->arena, (size_t)step->n * sizeof *shape);
    if (shape == NULL)
        return SIZE_MAX;
    for (int32_t k = 0; k < step->n; k++)
        shape[k] = program->step[step->input[k]].shape;
    const size_t scratch = step->op->scratch_size(shape, step->n, step->attr);
    tp__arena_cut(&program->arena, shape);
    return scratch < SIZE_MAX / 4 ? arrays + rounded(scratch) : SIZE_MAX;
}

/* What runs of single steps need besides values: a block per operand of a map, and the largest call's scratch. */
bool tp__measure_scratch(tp_program *program, size_t *block_bytes, size_t *call_bytes)
{
    *block_bytes = *call_bytes = 0;
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__step *step = &program->step[s];
        size_t blocks = 0, call = 0;
        if (step->op->kind == TP_MAP || step->op->kind == TP_REDUCE)
            blocks = ((size_t)step->n + 1) * TP_TILE * sizeof(double);
        else if (step->op->kind == TP_CALL)
            call = call_bytes_of(program, step);
        if (call == SIZE_MAX)
            return false;
        *block_bytes = blocks > *block_bytes ? blocks : *block_bytes;
        *call_bytes = call > *call_bytes ? call : *call_bytes;
    }
    return true;
}

/* An output that is a leaf keeps the value from the start of the run. */
static bool is_snapshot(const tp__step *step)
{
    return step->leaf != NULL;
}

size_t tp__snapshot_bytes(const tp_program *program)
{
    size_t total = 0;
    for (int32_t k = 0; k < program->outputs; k++)
        if (is_snapshot(&program->step[program->output[k].step]))
            total += rounded(program->step[program->output[k].step].leaf->bytes);
    return total;
}

char *tp__place_snapshots(tp_program *program, char *next)
{
    for (int32_t k = 0; k < program->outputs; k++) {
        const tp__step *step = &program->step[program->output[k].step];
        if (is_snapshot(step)) {
            program->output[k].snapshot = next;
            next += rounded(step->leaf->bytes);
        }
    }
    return next;
}

/* All that the program holds, or SIZE_MAX when that cannot be counted. */
static size_t total_bytes(const tp_program *program, size_t scratch_bytes)
{
    const size_t limit = SIZE_MAX / 4; /* no value alone is larger: one sum stays below SIZE_MAX */
    size_t total = scratch_bytes;
    for (int32_t s = 0; s < program->steps && total <= limit; s++)
        total += step_bytes(&program->step[s]);
    return total <= limit ? total + tp__snapshot_bytes(program) : SIZE_MAX;
}

static bool place_values(tp_program *program)
{
    size_t block_bytes, call_bytes;
    if (!tp__measure_scratch(program, &block_bytes, &call_bytes))
        return false;
    const size_t total = total_bytes(program, block_bytes + call_bytes);
    program->memory = total < SIZE_MAX ? tp__allocate(&program->tape->allocator, total) : NULL;
    if (program->memory == NULL)
        return false;
    program->memory_size = total;

    char *next = program->memory;
    program->block = next;
    next += block_bytes;
    program->call_scratch = next;
    next += call_bytes;
    for (int32_t s = 0; s < program->steps; s++) {
        tp__step *step = &program->step[s];
        if (step->leaf == NULL && step->op->kind != TP_GROUP)
            step->data = next;
        next += step_bytes(step);
    }
    tp__place_snapshots(program, next);
    return true;
}

static void fill_scalar(const tp__step *step)
{
    const double value = ((const tp__scalar_attr *)step->attr)->value;
    if (step->dtype == TP_F32)
        *(float *)step->data = (float)value;
    else if (step->dtype == TP_I32)
        *(int32_t *)step->data = (int32_t)value;
    else
        *(double *)step->data = value;
}

/* ---- Compile --------------------------------------------------------------------------------------- */

static void release_program(tp_program *program)
{
    const tp_allocator *allocator = &program->tape->allocator;
    tp__release(allocator, program->memory, program->memory_size);
    tp__arena_clear(&program->arena);
    tp__release(allocator, program, sizeof *program);
}

/* Steps for what the outputs need. */
static bool copy_recorded(tp_program *program, int32_t *output)
{
    tp_tape *tape = program->tape;
    const int32_t count = tape->count;
    int32_t *step_of = tp__allocate(&tape->allocator, (size_t)count * sizeof *step_of);
    const bool copied = step_of != NULL && copy_nodes(program, output, step_of, count);
    tp__release(&tape->allocator, step_of, (size_t)count * sizeof *step_of);
    return copied;
}

/* The same, from nodes recorded for that, of which nothing remains. */
static bool copy_in_blocks(tp_program *program, int32_t *output)
{
    const tp_mark mark = tp_tape_mark(program->tape);
    const bool copied =
        tp__block_channels(program->tape, output, program->outputs) && copy_recorded(program, output);
    if (program->tape->count > mark.count)
        tp_tape_rewind(mark);
    return copied;
}

static bool name_outputs(tp_program *program, const int32_t *output)
{
    program->output = tp__arena_take(&program->arena, (size_t)program->outputs * sizeof *program->output);
    for (int32_t k = 0; program->output != NULL && k < program->outputs; k++) {
        program->output[k].id = output[k];
        program->output[k].epoch = tp__node_at(program->tape, output[k])->epoch;
    }
    return program->output != NULL;
}

static bool build(tp_program *program, int32_t *output)
{
    tp_tape *tape = program->tape;
    const bool plain = program->options.plain_channels || program->options.check_finite;
    const bool copied =
        name_outputs(program, output) && (plain ? copy_recorded : copy_in_blocks)(program, output);

    if (copied && !check_leaf_uses(program))
        return false;
    const bool reference = program->options.check_finite || program->options.reference;
    if (!copied || !(reference ? place_values(program) : tp__plan(program))) {
        tp__fail(tape, TP_OUT_OF_MEMORY, (tp__place){0}, "tp_compile: out of memory");
        return false;
    }
    for (int32_t s = 0; s < program->steps; s++) {
        if (reference && program->step[s].op == &tp__scalar_op)
            fill_scalar(&program->step[s]);
        if (program->step[s].leaf != NULL)
            program->step[s].leaf->users++;
    }
    return true;
}

/* `output` may change. */
static tp_program *compile(tp_tape *tape, int32_t *output, int n, const tp_compile_options *options)
{
    tp_program *program = tp__allocate(&tape->allocator, sizeof *program);
    if (program == NULL) {
        tp__fail(tape, TP_OUT_OF_MEMORY, (tp__place){0}, "tp_compile: out of memory");
        return NULL;
    }
    memset(program, 0, sizeof *program);
    program->tape = tape;
    program->arena.allocator = &tape->allocator;
    program->outputs = n;
    if (options != NULL)
        program->options = *options;
    if (!build(program, output)) {
        release_program(program);
        return NULL;
    }
    program->next = tape->programs;
    tape->programs = program;
    return program;
}

/* ids of the outputs; false after storing an error. */
static bool resolve_outputs(tp_tape *tape, const tp_tensor *outputs, int n, int32_t *id)
{
    for (int k = 0; k < n; k++) {
        tp_tensor x = outputs[k];
        const char *fault = NULL;
        if (x.tape == NULL)
            fault = "an output is absent";
        else if (x.tape != tape)
            fault = "the outputs belong to different tapes";
        else if (!tp_is_valid(x))
            fault = x.id < 0 ? "an output is invalid" : "an output is stale: the tape was rewound past it";
        if (fault != NULL) {
            compile_fault(tape, x.tape == tape ? x : tp__invalid(tape), TP_BAD_HANDLE, fault);
            return false;
        }
        if (tp_dtype_of(x) == TP_WEAK)
            x = tp_scalar_of(tape, TP_F64, tp_item(x));
        if (x.id < 0)
            return false;
        id[k] = x.id;
    }
    return true;
}

tp_program *tp_compile(const tp_tensor *outputs, int n, const tp_compile_options *options)
{
    tp_tape *tape = NULL;
    for (int k = 0; outputs != NULL && k < n && tape == NULL; k++)
        tape = outputs[k].tape;
    if (tape == NULL || tape->blocked || tp__is_intrusion(tape, "compiled a program of it"))
        return NULL;
    int32_t *id = tp__allocate(&tape->allocator, (size_t)n * sizeof *id);
    if (id == NULL) {
        tp__fail(tape, TP_OUT_OF_MEMORY, (tp__place){0}, "tp_compile: out of memory");
        return NULL;
    }
    tp_program *program = resolve_outputs(tape, outputs, n, id) ? compile(tape, id, n, options) : NULL;
    tp__release(&tape->allocator, id, (size_t)n * sizeof *id);
    return program;
}

void tp_program_destroy(tp_program *program)
{
    if (program == NULL)
        return;
    tp_tape *tape = program->tape;
    if (tp__is_intrusion(tape, "destroyed a program of it"))
        return;
    for (tp_program **link = &tape->programs; *link != NULL; link = &(*link)->next)
        if (*link == program) {
            *link = program->next;
            break;
        }
    for (int32_t s = 0; s < program->steps; s++)
        if (program->step[s].leaf != NULL)
            program->step[s].leaf->users--;
    release_program(program);
    if (tape->destroyed)
        tp_tape_destroy(tape);
}

/* ---- Run ------------------------------------------------------------------------------------------- */

static tp_status check_inputs_written(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__step *step = &program->step[s];
        char text[TP_TEXT_SIZE];
        if (step->leaf != NULL && step->is_read && !step->leaf->written)
            return tp__run_fail(program, TP_BAD_STATE, step, "tp_run: the input %s was not written yet",
                                tp_describe(step->dtype, &step->shape, text));
    }
    return TP_OK;
}

static bool is_committed(const tp__step *step)
{
    return step->op->kind == TP_ASSIGN;
}

static tp_status check_results_finite(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        bool matters = is_committed(&program->step[s]);
        for (int32_t k = 0; k < program->outputs; k++)
            matters = matters || program->output[k].step == s;
        if (!matters || program->step[s].bad < 0)
            continue;
        char cause[TP__MESSAGE];
        tp__text text = {cause, sizeof cause, 0};
        tp__explain_not_finite(program, s, &text);
        return tp__run_fail(program, TP_NOT_FINITE, NULL, "%s", cause);
    }
    return TP_OK;
}

static void take_snapshots(tp_program *program)
{
    for (int32_t k = 0; k < program->outputs; k++) {
        const tp__step *step = &program->step[program->output[k].step];
        if (program->output[k].snapshot != NULL)
            memcpy(program->output[k].snapshot, step->leaf->data, step->leaf->bytes);
    }
}

static void assign_all(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__step *step = &program->step[s];
        if (!is_committed(step))
            continue;
        tp__leaf *leaf = program->step[step->input[0]].leaf;
        if (step->data != leaf->data) /* else it was written in place */
            memcpy(leaf->data, step->data, leaf->bytes);
        leaf->written = true;
    }
}

tp_status tp_run(tp_program *program)
{
    if (program == NULL)
        return TP_BAD_ARGUMENT;
    tp_tape *tape = program->tape;
    if (tp__is_intrusion(tape, "ran a program of it"))
        return TP_BAD_STATE;
    program->message[0] = program->hidden_message[0] = '\0';
    program->has_values = false;
    for (int32_t s = 0; s < program->steps && program->options.check_finite; s++) {
        program->step[s].bad = -1;
        program->step[s].hidden = 0;
    }

    tp_status status = check_inputs_written(program);
    if (status == TP_OK)
        status = program->plan != NULL ? tp__plan_run(program) : tp__reference_run(program);
    if (status == TP_OK && program->options.check_finite)
        status = check_results_finite(program);
    if (status != TP_OK)
        return status;
    take_snapshots(program);
    assign_all(program);
    tape->runs++;
    program->has_values = true;
    program->stamp = ++tape->stamp;
    return TP_OK;
}

/* ---- Results --------------------------------------------------------------------------------------- */

const void *tp__output_data(const tp_program *program, int32_t output)
{
    const tp__output *o = &program->output[output];
    const tp_kind kind = program->step[o->step].op->kind;
    if (kind == TP_ASSIGN || kind == TP_GROUP)
        return NULL;
    return o->snapshot != NULL ? o->snapshot : program->step[o->step].data;
}

const void *tp_program_output(const tp_program *program, int index, tp_dtype dtype)
{
    if (program == NULL || !program->has_values || index < 0 || index >= program->outputs)
        return NULL;
    if (program->step[program->output[index].step].dtype != dtype)
        return NULL;
    return tp__output_data(program, index);
}

const char *tp_program_message(const tp_program *program)
{
    return program == NULL ? "the program is NULL: did tp_compile fail?" : program->message;
}

size_t tp_program_memory(const tp_program *program)
{
    return program == NULL ? 0 : program->memory_size;
}

int64_t tp_program_hidden(const tp_program *program, const char **message)
{
    int64_t hidden = 0;
    for (int32_t s = 0; program != NULL && s < program->steps; s++)
        hidden += program->step[s].hidden;
    if (message != NULL)
        *message = program != NULL ? program->hidden_message : "";
    return hidden;
}
