/* recorded.c -- tp_check_recorded: the function is a graph that is there already. */
#include "checker.h"

typedef struct graph {
    tp_tensor loss;
    const tp_tensor *wrt;
    int n;
} graph;

/* A map for nodes 0 .. loss; NULL: out of memory. */
static tp_tensor *make_map(const tp_tape *from, const tp_allocator *allocator)
{
    const size_t bytes = (size_t)from->count * sizeof(tp_tensor);
    tp_tensor *map = tp__allocate(allocator, bytes);
    return map != NULL ? memset(map, 0, bytes) : NULL;
}

static void release_map(const tp_tape *from, const tp_allocator *allocator, tp_tensor *map)
{
    tp__release(allocator, map, (size_t)from->count * sizeof *map);
}

/* A tp_loss_function. */
static tp_tensor record_graph(const tp_tensor *x, void *user)
{
    const graph *g = user;
    tp_tape *to = x[0].tape;
    tp_tensor *map = make_map(g->loss.tape, &to->allocator);

    if (map == NULL)
        return tp_fail(x[0], TP_OUT_OF_MEMORY, "out of memory");
    for (int k = 0; k < g->n; k++)
        map[g->wrt[k].id] = x[k];
    const bool fine = tp__replay_node(&(tp__replay){g->loss.tape, to, map}, g->loss.id);
    const tp_tensor y = fine ? map[g->loss.id] : tp__invalid(to);
    release_map(g->loss.tape, &to->allocator, map);
    return y;
}

/* ---- Where to check -------------------------------------------------------------------------------- */

/* The values of tensors between leaves and loss, computed on a tape of their own. */
typedef struct point {
    tp_tape *tape;
    tp_program *program;
    tp_tensor *x; /* leaves as they are, others as outputs of the program */
    int n;
} point;

static void release_point(point *p, const tp_allocator *allocator)
{
    tp_program_destroy(p->program);
    tp_tape_destroy(p->tape);
    tp__release(allocator, p->x, (size_t)p->n * sizeof *p->x);
}

static bool compute_between(point *p, const tp_tensor *wrt, tp_tensor *map, tp_tensor *output)
{
    const tp__replay replay = {wrt[0].tape, p->tape, map};
    int outputs = 0;

    for (int k = 0; k < p->n; k++) {
        p->x[k] = wrt[k];
        if (tp_op_of(wrt[k])->kind == TP_LEAF)
            continue;
        if (!tp__replay_node(&replay, wrt[k].id))
            return false;
        p->x[k] = output[outputs++] = map[wrt[k].id];
    }
    if (outputs == 0)
        return true;
    p->program = tp_compile(output, outputs, &(tp_compile_options){.freeze_random = true});
    return p->program != NULL && tp_run(p->program) == TP_OK;
}

static bool make_point(point *p, const tp_tensor *wrt, int n, tp_check_report *report)
{
    const tp_tape *from = wrt[0].tape;
    const tp_allocator *allocator = &from->allocator;
    const size_t bytes = (size_t)n * sizeof(tp_tensor);
    tp_tensor *map = make_map(from, allocator), *output = tp__allocate(allocator, bytes);
    bool fine = false;

    *p = (point){.n = n, .x = tp__allocate(allocator, bytes)};
    p->tape = tp_tape_create(
        &(tp_tape_options){.allocator = *allocator, .seed = from->seed, .verify_ops = TP_VERIFY_NEVER});
    if (map == NULL || output == NULL || p->x == NULL || p->tape == NULL) {
        tp__report_error(report, TP_OUT_OF_MEMORY, "out of memory");
    } else {
        fine = compute_between(p, wrt, map, output);
        if (!fine)
            tp__report_error(report, tp_tape_status(p->tape), "%s", tp_tape_message(p->tape));
    }
    release_map(from, allocator, map);
    tp__release(allocator, output, bytes);
    return fine;
}

/* ---- tp_check_recorded ----------------------------------------------------------------------------- */

static bool check_loss(tp_tensor loss, const tp_tensor *wrt, int n, const char *name, tp_check_report *report)
{
    if (loss.tape == NULL || !tp_is_valid(loss))
        return tp__report_error(report, TP_BAD_HANDLE, "%s: the loss is %s", name,
                                loss.tape == NULL ? "absent"
                                : loss.id < 0     ? "invalid"
                                                  : "stale: the tape was rewound past it");
    for (int k = 0; k < n; k++)
        if (wrt[k].tape != loss.tape)
            return tp__report_error(report, TP_BAD_HANDLE,
                                    "%s: wrt[%d] belongs to another tape than the loss", name, k);
    return true;
}

bool tp_check_recorded(tp_tensor loss, const tp_tensor *wrt, int n, const tp_check_options *options,
                       tp_check_report *report)
{
    static const char name[] = "tp_check_recorded";
    tp_check_report own;
    tp__settings settings;
    point p;

    report = tp__start_report(report != NULL ? report : &own);
    if (!tp__prepare(&settings, options, wrt, n, name, report) || !check_loss(loss, wrt, n, name, report))
        return false;
    graph g = {loss, wrt, n};
    if (make_point(&p, wrt, n, report))
        tp__check_either(record_graph, &g, p.x, n, &settings, true, report);
    tp__describe_verdict(report, name, wrt, n);
    release_point(&p, &loss.tape->allocator);
    return report->verdict == TP_CHECK_PASSED;
}
