/* random_graph_make.c -- draws instructions, keeps those whose values are harmless. */
#include <math.h>
#include <string.h>

#include "random_graph.h"

static const double margin = 0.03; /* how near a kink the point may be */

typedef struct maker {
    random_graph *graph;
    generator random;
    tp_tape *tape;
    tp_tensor x[GRAPH_MAX];
} maker;

static int below(maker *m, int64_t n)
{
    return (int)next_below(&m->random, n);
}

/* ---- Leaves ---------------------------------------------------------------------------------------------- */

static tp_shape random_shape(maker *m)
{
    static const int64_t sizes[] = {1, 2, 2, 3, 3, 4};
    tp_shape shape = {.rank = below(m, 4)};
    for (int64_t d = 0; d < shape.rank; d++)
        shape.dim[d] = sizes[below(m, 6)];
    if (shape.rank > 0 && next_chance(&m->random, 0.03))
        shape.dim[below(m, shape.rank)] = 0;
    return shape;
}

static int add(maker *m, instruction i)
{
    random_graph *graph = m->graph;
    const int at = graph->n;

    graph->at[at] = i;
    m->x[at] = record_instruction(graph, at, m->x, m->tape, TP_F64);
    for (int k = 0; k < i.n; k++)
        graph->used[i.x[k]] = true;
    return graph->n++;
}

static void add_leaf(maker *m, instruction_kind kind, tp_shape shape)
{
    double *value = m->graph->value[m->graph->n];
    for (int64_t e = 0; e < tp_shape_count(shape); e++)
        value[e] = next_between(&m->random, -1.5, 1.5);
    add(m, (instruction){.kind = kind, .shape = shape});
}

/* A leaf, a constant with the same values, and their difference: exactly 0, but not its derivative. */
static void add_zero_residual(maker *m)
{
    const tp_shape shape = random_shape(m);
    random_graph *graph = m->graph;
    const int leaf = graph->n;

    add_leaf(m, I_LEAF, shape);
    memcpy(graph->value[leaf + 1], graph->value[leaf], sizeof graph->value[leaf]);
    add(m, (instruction){.kind = I_CONSTANT, .shape = shape});
    add(m, (instruction){.kind = I_BINARY, .n = 2, .x = {leaf, leaf + 1}, .p = {1}, .shape = shape});
    memset(graph->value[leaf + 2], 0, sizeof graph->value[leaf + 2]);
}

/* ---- Is a candidate harmless? ------------------------------------------------------------------------------ */

static bool away_from_zero(tp_tensor x)
{
    double value[VALUES_MAX];
    compute(x, value);
    for (int64_t e = 0; e < tp_count_of(x); e++)
        if (!(fabs(value[e]) > margin))
            return false;
    return true;
}

/* One winner in each group, by a margin. */
static bool has_clear_winners(tp_tensor x, tp_tensor kept)
{
    double behind[VALUES_MAX];
    int64_t winners = 0;
    const tp_tensor gap = tp_sub(x, kept);

    compute(gap, behind);
    for (int64_t e = 0; e < tp_count_of(gap); e++) {
        winners += behind[e] == 0;
        if (behind[e] != 0 && fabs(behind[e]) <= margin)
            return false;
    }
    return winners == tp_count_of(kept);
}

static bool unary_is_safe(const instruction *i, tp_tensor x)
{
    if (i->p[0] == 12 || i->p[0] == 13 || i->p[0] == 15)
        return away_from_zero(x);
    if (i->p[0] == 14)
        return away_from_zero(tp_sub(tp_abs(x), tp_scalar(x.tape, fabs(i->number))));
    if (i->p[0] == 17) { /* steps at every whole number but 0 */
        const tp_tensor one = tp_scalar(x.tape, 1), zero = tp_scalar(x.tape, 0);
        const tp_tensor whole = tp_cast(tp_cast(x, TP_I32), TP_F64), rest = tp_sub(x, whole);
        return away_from_zero(tp_sub(tp_abs(rest), one)) &&
               away_from_zero(tp_where(tp_equal(whole, zero), one, rest));
    }
    return true;
}

static bool reduction_is_safe(const instruction *i, tp_tensor x)
{
    if (i->p[0] == 2)
        return has_clear_winners(x, tp_max_over(x, i->axes, true));
    if (i->p[0] == 3)
        return has_clear_winners(x, tp_min_over(x, i->axes, true));
    if (i->p[0] == 7)
        return away_from_zero(tp_std_over(x, i->axes, 0, true));
    if (i->p[0] == 8)
        return away_from_zero(x);
    return i->p[0] != 5 || away_from_zero(tp_norm_over(x, i->axes, true));
}

/* No neighbours that small steps could swap. */
static bool order_is_safe(const instruction *i, tp_tensor x)
{
    const int axis = (int)i->p[1];
    const int64_t n = tp_shape_of(x).rank > 0 ? tp_shape_of(x).dim[axis] : 0;
    if (i->p[0] < 4 || n < 2)
        return true;
    const tp_tensor sorted = tp_sort(x, axis, false);
    return away_from_zero(tp_sub(tp_slice(sorted, axis, 1, n, 1), tp_slice(sorted, axis, 0, n - 1, 1)));
}

static bool is_safe(maker *m, const instruction *i)
{
    const tp_tensor x = m->x[i->x[0]];
    switch (i->kind) {
    case I_UNARY: return unary_is_safe(i, x);
    case I_BINARY:
        if (i->p[0] == 4)
            return away_from_zero(m->x[i->x[1]]);
        return i->p[0] < 5 || i->x[0] == i->x[1] || away_from_zero(tp_sub(x, m->x[i->x[1]]));
    case I_WHERE: return i->x[0] == i->x[1] || away_from_zero(tp_sub(x, m->x[i->x[1]]));
    case I_GUARDED: return away_from_zero(tp_sub(x, tp_scalar(x.tape, i->number)));
    case I_REDUCTION: return reduction_is_safe(i, x);
    case I_ALONG: return order_is_safe(i, x);
    case I_IMAGES: return images_are_safe(i, x, margin);
    default: return true;
    }
}

/* Keeps the instruction if it records, is small, finite and away from kinks. */
static bool try_add(maker *m, instruction i)
{
    random_graph *graph = m->graph;
    double *value = graph->value[graph->n];
    const tp_mark mark = tp_tape_mark(m->tape);

    graph->at[graph->n] = i;
    const tp_tensor y = record_instruction(graph, graph->n, m->x, m->tape, TP_F64);
    bool fine =
        tp_is_valid(y) && tp_count_of(y) <= GRAPH_ELEMENTS && tp_shape_of(y).rank <= 5 && is_safe(m, &i);
    if (fine) {
        i.shape = tp_shape_of(y);
        compute(y, value);
        for (int64_t e = 0; e < tp_count_of(y); e++)
            fine = fine && fabs(value[e]) <= 20;
    }
    tp_tape_clear_error(m->tape);
    tp_tape_rewind(mark);
    if (fine)
        add(m, i);
    return fine;
}

/* ---- Drawing ----------------------------------------------------------------------------------------------- */

/* Recent values are likelier, so that graphs grow deep. */
static int pick(maker *m)
{
    const int n = m->graph->n;
    return next_chance(&m->random, 0.6) && n > 6 ? n - 1 - below(m, 6) : below(m, n);
}

static tp_axes random_axes(maker *m, int rank, bool all)
{
    tp_axes axes = {.n = 0};
    int order[TP_MAX_RANK] = {0};
    for (int k = 0; k < rank; k++) {
        const int j = below(m, k + 1);
        order[k] = order[j];
        order[j] = k;
    }
    for (int k = 0; k < rank; k++)
        if (all || next_chance(&m->random, 0.5))
            axes.axis[axes.n++] = next_chance(&m->random, 0.5) ? order[k] : order[k] - rank;
    return axes;
}

/* Another shape with as many elements. */
static tp_shape regrouped(maker *m, tp_shape shape)
{
    tp_shape y = {.rank = 0};
    for (int64_t d = 0; d < shape.rank; d++) {
        if (y.rank > 0 && next_chance(&m->random, 0.5))
            y.dim[y.rank - 1] *= shape.dim[d];
        else if (shape.dim[d] == 4 && next_chance(&m->random, 0.5))
            y.dim[y.rank++] = 2, y.dim[y.rank++] = 2;
        else
            y.dim[y.rank++] = shape.dim[d];
        if (y.rank < 4 && next_chance(&m->random, 0.2))
            y.dim[y.rank++] = 1;
    }
    return y;
}

static tp_shape enlarged(maker *m, tp_shape shape)
{
    tp_shape y = shape;
    for (int64_t d = 0; d < y.rank; d++)
        if (y.dim[d] == 1)
            y.dim[d] = 1 + below(m, 3);
    if (y.rank < 4 && next_chance(&m->random, 0.5)) {
        memmove(y.dim + 1, y.dim, (size_t)y.rank * sizeof *y.dim);
        y.dim[0] = 1 + below(m, 3);
        y.rank++;
    }
    return y;
}

static tp_shape diminished(maker *m, tp_shape shape)
{
    tp_shape y = shape;
    for (int64_t d = 0; d < y.rank; d++)
        if (next_chance(&m->random, 0.5))
            y.dim[d] = 1;
    if (y.rank > 0 && next_chance(&m->random, 0.4)) {
        memmove(y.dim, y.dim + 1, (size_t)(y.rank - 1) * sizeof *y.dim);
        y.dim[--y.rank] = 0;
    }
    return y;
}

static void draw_slice(maker *m, instruction *i, tp_shape s)
{
    const int64_t axis = below(m, s.rank > 0 ? s.rank : 1), size = s.rank > 0 ? s.dim[axis] : 1;
    const int64_t start = below(m, size + 1);
    i->p[0] = next_chance(&m->random, 0.5) ? axis : axis - s.rank;
    i->p[1] = start;
    i->p[2] = next_chance(&m->random, 0.5) ? TP_END : start + below(m, size - start + 1);
    i->p[3] = 1 + below(m, 3);
}

static instruction draw(maker *m)
{
    static const instruction_kind likely[] = {
        I_UNARY,   I_UNARY,   I_UNARY,  I_BINARY,   I_BINARY,    I_BINARY,    I_BINARY,  I_WHERE,
        I_GUARDED, I_GUARDED, I_ALONG,  I_RESHAPE,  I_PERMUTE,   I_SLICE,     I_EXPAND,  I_SUM_TO,
        I_CONCAT,  I_MATMUL,  I_MATMUL, I_SOURCE,   I_REDUCTION, I_REDUCTION, I_ARRANGE, I_ARRANGE,
        I_ARRANGE, I_LINALG,  I_LINALG, I_FUNCTION, I_FUNCTION,  I_FUNCTION,  I_IMAGES,  I_IMAGES};
    instruction i = {.kind = likely[below(m, (int64_t)(sizeof likely / sizeof *likely))]};
    static const int operands[I_KINDS] = {
        [I_UNARY] = 1,  [I_BINARY] = 2,   [I_WHERE] = 4,   [I_GUARDED] = 1, [I_REDUCTION] = 1,
        [I_ALONG] = 1,  [I_RESHAPE] = 1,  [I_PERMUTE] = 1, [I_SLICE] = 1,   [I_EXPAND] = 1,
        [I_SUM_TO] = 1, [I_CONCAT] = 2,   [I_MATMUL] = 2,  [I_SOURCE] = 1,  [I_ARRANGE] = 1,
        [I_LINALG] = 1, [I_FUNCTION] = 1, [I_IMAGES] = 1};
    static const int variants[I_KINDS] = {
        [I_UNARY] = 19, [I_BINARY] = 10,  [I_GUARDED] = 6, [I_REDUCTION] = 10,       [I_ALONG] = 6,
        [I_SOURCE] = 2, [I_ARRANGE] = 15, [I_LINALG] = 10, [I_FUNCTION] = FUNCTIONS, [I_IMAGES] = IMAGES};
    if (variants[i.kind] > 0)
        i.p[0] = below(m, variants[i.kind]);
    i.n = operands[i.kind];
    if ((i.kind == I_LINALG && i.p[0] < 3) || (i.kind == I_FUNCTION && i.p[0] >= FUNCTIONS_OF_ONE) ||
        (i.kind == I_IMAGES && i.p[0] < IMAGES_OF_TWO))
        i.n = 2;
    for (int k = 0; k < i.n; k++)
        i.x[k] = pick(m);
    if (i.n > 1 && next_chance(&m->random, 0.1))
        i.x[1] = i.x[0];
    const tp_shape s = m->graph->at[i.x[0]].shape;
    i.number = i.kind == I_GUARDED ? next_between(&m->random, 0.1, 0.4) : next_between(&m->random, -1.5, 1.5);
    if (i.kind == I_REDUCTION || i.kind == I_PERMUTE)
        i.axes = random_axes(m, (int)s.rank, i.kind == I_PERMUTE);
    if (i.kind == I_REDUCTION || i.kind == I_CONCAT)
        i.p[1] = below(m, 2);
    if (i.kind == I_ALONG || i.kind == I_ARRANGE)
        i.p[1] = below(m, s.rank > 0 ? s.rank : 1);
    if (i.kind == I_CONCAT)
        i.p[0] = below(m, s.rank > 0 ? s.rank : 1) - s.rank;
    if (i.kind == I_ARRANGE)
        i.p[2] = below(m, 4), i.p[3] = below(m, 3);
    if (i.kind == I_IMAGES)
        i.p[1] = below(m, 2), i.p[2] = below(m, 3), i.p[3] = below(m, 2);
    if (i.kind == I_SLICE)
        draw_slice(m, &i, s);
    i.shape = i.kind == I_RESHAPE  ? regrouped(m, s)
              : i.kind == I_EXPAND ? enlarged(m, s)
              : i.kind == I_SUM_TO ? diminished(m, s)
                                   : s;
    return i;
}

void make_graph(random_graph *graph, uint64_t seed)
{
    maker m = {.graph = graph, .random = seeded(seed), .tape = tp_tape_create(NULL)};

    memset(graph, 0, sizeof *graph);
    graph->seed = seed;
    const int leaves = 2 + below(&m, 3), size = 6 + below(&m, 30);
    for (int k = 0; k < leaves; k++)
        add_leaf(&m, I_LEAF,
                 k > 0 && next_chance(&m.random, 0.4) ? graph->at[k - 1].shape : random_shape(&m));
    add_leaf(&m, I_CONSTANT, random_shape(&m));
    if (next_chance(&m.random, 0.5))
        add_zero_residual(&m);
    for (int tries = 0; graph->n < leaves + size && tries < 2000; tries++)
        try_add(&m, draw(&m));
    tp_tape_destroy(m.tape);
}
