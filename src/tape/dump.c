/* dump.c -- a program's plan, and a tape, for people to look at. */
#include "plan.h"

static const char *const mode_name[] = {
    [TP__FLAT] = "flat", [TP__ROWS] = "rows", [TP__COLUMNS] = "columns", [TP__MIXED] = "rows, gathered"};

/* ---- What a kernel reads and writes ------------------------------------------------------------------ */

typedef struct traffic {
    int64_t read, written; /* bytes */
} traffic;

static int64_t bytes_of(const tp_program *program, int32_t s)
{
    const tp__step *step = &program->step[s];
    return step->count * (int64_t)tp_dtype_size(step->dtype);
}

static bool is_first_written(const tp__kernel *k, int32_t i, int32_t s)
{
    for (int32_t j = 0; j < i; j++)
        if (k->instruction[j].y.step == s)
            return false;
    return true;
}

static bool is_first_read(const tp__kernel *k, int32_t i, int32_t operand, int32_t s)
{
    for (int32_t j = 0; j <= i; j++)
        for (int32_t m = 0; m < (j < i ? k->instruction[j].n : operand); m++)
            if (k->instruction[j].x[m].step == s)
                return false;
    return is_first_written(k, i, s);
}

/* Memory operands once each; constants are not counted, nor is what the kernel itself wrote before. */
static traffic loop_traffic(const tp_program *program, const tp__kernel *k)
{
    traffic t = {0};
    for (int32_t i = 0; i < k->instructions; i++) {
        const tp__instruction *instruction = &k->instruction[i];
        if (instruction->y.step >= 0 && is_first_written(k, i, instruction->y.step))
            t.written += bytes_of(program, instruction->y.step);
        for (int32_t m = 0; m < instruction->n; m++) {
            const int32_t s = instruction->x[m].step;
            if (s >= 0 && program->step[s].op != &tp__scalar_op && is_first_read(k, i, m, s))
                t.read += bytes_of(program, s);
        }
    }
    return t;
}

static traffic traffic_of(const tp_program *program, const tp__kernel *k)
{
    if (k->is_loop)
        return loop_traffic(program, k);
    const tp__step *step = &program->step[k->step];
    traffic t = {.written = bytes_of(program, k->step)};
    for (int32_t m = 0; m < step->n; m++)
        t.read += bytes_of(program, step->input[m]);
    return t;
}

/* ---- Text ------------------------------------------------------------------------------------------ */

static void print_operand(const tp_program *program, const tp__kernel *k, const tp__operand *o, FILE *stream)
{
    const tp__step *step = o->step >= 0 ? &program->step[o->step] : NULL;
    if (step != NULL && step->op == &tp__scalar_op)
        fprintf(stream, " %g", ((const tp__scalar_attr *)step->attr)->value);
    else if (step != NULL)
        fprintf(stream, " %%%d", (int)step->id);
    else if (o->kind == TP__SPILL)
        fprintf(stream, " row%zu", o->offset / TP__ALIGNMENT);
    else
        fprintf(stream, " r%zu", o->offset / k->register_bytes);
}

static void print_instruction(const tp_program *program, const tp__kernel *k, const tp__instruction *i,
                              FILE *stream)
{
    static const char *const name[] = {[TP__GATHER] = "gather",
                                       [TP__SCATTER] = "scatter",
                                       [TP__SPREAD] = "spread",
                                       [TP__APPLY] = "",
                                       [TP__FOLD] = "fold "};
    const bool named = i->kind == TP__APPLY || i->kind == TP__FOLD;

    fprintf(stream, "    phase %d %s ", (int)i->phase,
            i->row    ? "by row    "
            : i->once ? "once a row"
                      : "by element");
    print_operand(program, k, &i->y, stream);
    const char *op = i->shared_by >= 0 ? i->part->name : program->step[i->step].op->name;
    fprintf(stream, " = %s%s%s", name[i->kind], named ? op : "", i->fused != NULL ? " of " : "");
    if (i->fused != NULL)
        fprintf(stream, "%s%s%s", i->fused->name, i->innermost != NULL ? " of " : "",
                i->innermost != NULL ? i->innermost->name : "");
    for (int32_t m = 0; m < i->n; m++)
        print_operand(program, k, &i->x[m], stream);
    fprintf(stream, "\n");
}

static void print_kernel(const tp_program *program, const tp__kernel *k, FILE *stream)
{
    const traffic t = traffic_of(program, k);
    char text[TP_TEXT_SIZE];

    if (k->is_loop) {
        fprintf(stream, "kernel %d: loop over %s, %s", (int)k->order,
                tp_describe(TP_WEAK, &k->space, text) + 4, k->run > 0 ? "rows" : mode_name[k->mode]);
        if (k->run > 0)
            fprintf(stream, ", in runs of %lld", (long long)k->run);
        if (k->mode != TP__FLAT)
            fprintf(stream, ", %lld x %lld", (long long)k->rows, (long long)k->length);
        fprintf(stream, "; reads %lld bytes, writes %lld, %d instructions, %zu bytes of scratch per thread\n",
                (long long)t.read, (long long)t.written, (int)k->instructions, k->scratch);
        for (int32_t i = 0; i < k->instructions; i++)
            print_instruction(program, k, &k->instruction[i], stream);
        return;
    }
    const tp__step *step = &program->step[k->step];
    fprintf(stream, "kernel %d: %s%s; reads %lld bytes, writes %lld\n    %%%d =", (int)k->order,
            k->copies ? "copy for " : "", step->op->name, (long long)t.read, (long long)t.written,
            (int)step->id);
    for (int32_t m = 0; m < step->n; m++)
        fprintf(stream, " %%%d", (int)program->step[step->input[m]].id);
    fprintf(stream, "\n");
}

void tp_program_dump(const tp_program *program, FILE *stream)
{
    if (program == NULL || stream == NULL)
        return;
    if (program->plan == NULL) {
        fprintf(stream, "reference executor: %d steps, node by node\n", (int)program->steps);
        return;
    }
    for (const tp__kernel *k = program->plan->kernel; k != NULL; k = k->next)
        print_kernel(program, k, stream);
    fprintf(stream, "%zu bytes in all\n", program->memory_size);
}

tp_program_summary tp_program_report(const tp_program *program)
{
    tp_program_summary r = {.reproducible = true};
    if (program == NULL)
        return r;
    r.memory = program->memory_size;
    for (int32_t s = 0; s < program->steps; s++)
        r.reproducible = r.reproducible && !(program->step[s].op->flags & TP_OP_THREAD_DEPENDENT);
    if (program->plan == NULL) {
        r.calls = program->steps;
        return r;
    }
    for (const tp__kernel *k = program->plan->kernel; k != NULL; k = k->next) {
        const traffic t = traffic_of(program, k);
        *(k->is_loop ? &r.loops : &r.calls) += 1;
        r.instructions += k->instructions;
        r.bytes_read += t.read;
        r.bytes_written += t.written;
    }
    return r;
}

/* ---- Graphviz -------------------------------------------------------------------------------------- */

void tp_tape_graph(const tp_tape *tape, FILE *stream)
{
    if (tape == NULL || stream == NULL)
        return;
    fprintf(stream, "digraph tape {\n    node [shape=box, fontname=\"sans-serif\"];\n");
    for (int32_t id = 0; id < tape->count; id++) {
        const tp__node *node = tp__node_at(tape, id);
        char text[TP_TEXT_SIZE];
        fprintf(stream, "    n%d [label=\"%%%d %s\\n%s\"%s];\n", (int)id, (int)id, node->op->name,
                tp_describe(node->dtype, &node->shape, text),
                node->op->kind == TP_LEAF ? ", style=filled"
                : node->origin >= 0       ? ", style=dashed"
                                          : "");
        for (int32_t k = 0; k < node->n; k++)
            fprintf(stream, "    n%d -> n%d;\n", (int)node->input[k], (int)id);
    }
    fprintf(stream, "}\n");
}

static void graph_step(const tp_program *program, int32_t s, FILE *stream)
{
    const tp__step *step = &program->step[s];
    char text[TP_TEXT_SIZE];
    fprintf(stream, "    n%d [label=\"%%%d %s\\n%s\"];\n", (int)s, (int)step->id, step->op->name,
            tp_describe(step->dtype, &step->shape, text));
}

void tp_program_graph(const tp_program *program, FILE *stream)
{
    if (program == NULL || stream == NULL)
        return;
    fprintf(stream, "digraph program {\n    node [shape=box, fontname=\"sans-serif\"];\n");
    for (int32_t s = 0; s < program->steps; s++)
        graph_step(program, s, stream);
    for (const tp__kernel *k = program->plan != NULL ? program->plan->kernel : NULL; k != NULL; k = k->next) {
        fprintf(stream, "    subgraph cluster%d { label=\"kernel %d\";", (int)k->order, (int)k->order);
        for (int32_t i = 0; i < (k->is_loop ? k->nodes : 1); i++)
            fprintf(stream, " n%d;", (int)(k->is_loop ? k->node[i] : k->step));
        fprintf(stream, " }\n");
    }
    for (int32_t s = 0; s < program->steps; s++)
        for (int32_t k = 0; k < program->step[s].n; k++)
            fprintf(stream, "    n%d -> n%d;\n", (int)program->step[s].input[k], (int)s);
    fprintf(stream, "}\n");
}
