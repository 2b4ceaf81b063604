/* random_graph.c -- records instructions; random_graph_make.c makes them. */
#include <math.h>

#include "random_graph.h"

/* ---- One instruction ------------------------------------------------------------------------------------- */

static tp_tensor number(tp_tensor at, double value)
{
    return tp_scalar(at.tape, value);
}

static tp_tensor record_unary(const instruction *i, tp_tensor x)
{
    switch (i->p[0]) {
    case 0: return tp_neg(x);
    case 1: return tp_tanh(x);
    case 2: return tp_sigmoid(x);
    case 3: return tp_softplus(x);
    case 4: return tp_exp(tp_scale(x, 0.25));
    case 5: return tp_expm1(tp_scale(x, -0.25));
    case 6: return tp_square(x);
    case 7: return tp_scale(x, i->number);
    case 8: return tp_log1p(tp_square(x));
    case 9: return tp_sqrt(tp_add(tp_square(x), number(x, 0.5)));
    case 10: return tp_log(tp_add(tp_square(x), number(x, 0.5)));
    case 11: return tp_div(number(x, 1), tp_add(number(x, 1), tp_square(x)));
    case 12: return tp_abs(x);
    case 13: return tp_relu(x);
    case 14: return tp_clamp(x, -fabs(i->number), fabs(i->number));
    case 15: return tp_mul(x, tp_sign(x));
    case 16: return tp_stop_gradient(tp_full(x.tape, tp_dtype_of(x), tp_shape_of(x), i->number));
    case 17: return tp_add(x, tp_cast(tp_cast(x, TP_I32), tp_dtype_of(x)));
    default: return tp_sub(number(x, i->number), x);
    }
}

static tp_tensor record_binary(const instruction *i, tp_tensor a, tp_tensor b)
{
    switch (i->p[0]) {
    case 0: return tp_add(a, b);
    case 1: return tp_sub(a, b);
    case 2: return tp_mul(a, b);
    case 3: return tp_div(a, tp_add(tp_square(b), number(b, 1)));
    case 4: return tp_div(a, b);
    case 5: return tp_maximum(a, b);
    case 6: return tp_minimum(a, b);
    case 7: return tp_mul(a, tp_less(a, b));
    case 8: return tp_mul(b, tp_greater_equal(a, b));
    default: return tp_mul(a, tp_not_equal(a, b));
    }
}

static tp_tensor singular(const instruction *i, tp_tensor x)
{
    switch (i->p[0]) {
    case 0: return tp_log(x);
    case 1: return tp_sqrt(x);
    case 2: return tp_div(number(x, 0.25), x);
    case 3: return tp_mul(x, tp_log(x));
    case 4: return tp_log1p(tp_neg(tp_exp(tp_neg(x))));
    default: return tp_div(x, tp_sqrt(x));
    }
}

static tp_tensor record_guarded(const instruction *i, tp_tensor x)
{
    return tp_where(tp_greater(x, number(x, i->number)), singular(i, x), number(x, 0));
}

static tp_tensor record_reduction(const instruction *i, tp_tensor x)
{
    const bool keepdims = i->p[1] != 0;
    switch (i->p[0]) {
    case 0: return tp_sum_over(x, i->axes, keepdims);
    case 1: return tp_mean_over(x, i->axes, keepdims);
    case 2: return tp_max_over(x, i->axes, keepdims);
    case 3: return tp_min_over(x, i->axes, keepdims);
    case 4: return tp_prod_over(tp_scale(x, 0.5), i->axes, keepdims);
    case 5: return tp_norm_over(x, i->axes, keepdims);
    case 6: return tp_var_over(x, i->axes, 0, keepdims);
    case 7: return tp_std_over(x, i->axes, 0, keepdims);
    case 8: return tp_vector_norm_over(x, i->axes, 1, keepdims);
    default: return tp_logsumexp_over(x, i->axes, keepdims);
    }
}

static tp_tensor record_along(const instruction *i, tp_tensor x)
{
    const int axis = (int)i->p[1];
    switch (i->p[0]) {
    case 0: return tp_softmax(x, axis);
    case 1: return tp_log_softmax(x, axis);
    case 2: return tp_cumsum(x, axis);
    case 3: return tp_cumprod(x, axis);
    case 4: return tp_sort(x, axis, false);
    default: return tp_topk(x, 2, axis, true);
    }
}

static tp_tensor record_source(const instruction *i, tp_tensor x)
{
    const tp_shape shape = tp_shape_of(x);
    if (i->p[0] == 0 && shape.rank > 0)
        return tp_mul(x, tp_scale(tp_iota(x.tape, tp_dtype_of(x), shape.dim[shape.rank - 1]), 0.25));
    return tp_mul(x, tp_full(x.tape, tp_dtype_of(x), shape, i->number));
}

/* Well conditioned, whatever x: t t^T + 2 with t = tanh x. */
static tp_tensor definite(tp_tensor x)
{
    const tp_tensor t = tp_tanh(x), gram = tp_matmul(t, tp_transpose(t, -2, -1));
    const tp_shape s = tp_shape_of(gram);
    if (!tp_is_valid(gram) || s.rank < 2)
        return gram;
    const tp_shape side = TP_SHAPE(s.dim[s.rank - 1]);
    return tp_add(gram, tp_diagonal_embed(tp_full(x.tape, tp_dtype_of(x), side, 2), 0));
}

static tp_tensor record_linalg(const instruction *i, const tp_tensor *x)
{
    switch (i->p[0]) {
    case 0: return tp_solve(definite(x[0]), x[1]);
    case 1: return tp_triangular_solve(definite(x[0]), x[1], &(tp_triangular_options){.upper = true});
    case 2: return tp_einsum("...ij,...kj->...ki", x, 2);
    case 3: return tp_solve(definite(x[0]), x[0]);
    case 4: return tp_triangular_solve(definite(x[0]), x[0], &(tp_triangular_options){.transpose = true});
    case 5: return tp_cholesky(definite(x[0]), NULL);
    case 6: return tp_inverse(definite(x[0]));
    case 7: return tp_slogdet(definite(x[0]), NULL);
    case 8: return tp_scale(tp_det(definite(x[0])), 0.01);
    default: return tp_einsum("...ij,ij->j...", (tp_tensor[]){x[0], x[0]}, 2);
    }
}

static tp_tensor record_structure(const instruction *i, const tp_tensor *x)
{
    switch (i->kind) {
    case I_RESHAPE: return tp_reshape(x[0], i->shape);
    case I_PERMUTE: return tp_permute(x[0], i->axes);
    case I_SLICE: return tp_slice(x[0], (int)i->p[0], i->p[1], i->p[2], i->p[3]);
    case I_EXPAND: return tp_expand(x[0], i->shape);
    case I_SUM_TO: return tp_sum_to(x[0], i->shape);
    case I_CONCAT: return tp_concat((tp_tensor[]){x[0], x[1], x[0]}, i->p[1] ? 3 : 2, (int)i->p[0]);
    case I_MATMUL: return tp_matmul(x[0], x[1]);
    default: return (tp_tensor){0};
    }
}

/* n indices: n - 1 + start, ... start + 1, start, but none beyond the size.  No constant, which would be another leaf each
 * time. */
static tp_tensor make_index(tp_tape *tape, int64_t n, int64_t start, int64_t size)
{
    const tp_tensor back = tp_flip(tp_iota(tape, TP_I32, n), TP_AXES(0));
    return tp_minimum(tp_add(back, tp_scalar(tape, (double)start)), tp_scalar(tape, (double)(size - 1)));
}

/* Picks along an axis and adds up. */
static tp_tensor record_indexing(const instruction *i, tp_tensor x, int axis)
{
    const tp_shape shape = tp_shape_of(x);
    const int64_t size = shape.dim[axis];
    tp_shape line = {.rank = shape.rank};
    for (int d = 0; d < shape.rank; d++)
        line.dim[d] = d == axis ? size : 1;
    const tp_tensor each = make_index(x.tape, size, i->p[2], size),
                    list = make_index(x.tape, 3, i->p[3], size);
    const tp_tensor index = tp_expand(tp_reshape(each, line), shape);
    switch (i->p[0]) {
    case 0: return tp_take_along_axis(x, index, axis);
    case 1: return tp_scatter_add(tp_scale(x, 0.5), index, x, axis);
    case 2: return tp_index_select(x, list, axis);
    default: return tp_index_add(tp_tanh(x), list, tp_index_select(x, list, axis), axis);
    }
}

static tp_tensor record_arrangement(const instruction *i, tp_tensor x)
{
    const int axis = (int)i->p[1];
    const tp_pad_options mode = {.mode = (tp_pad_mode)(i->p[2] % 4), .value = 0.5};
    if (tp_shape_of(x).rank == 0)
        return tp_stack((tp_tensor[]){x, x, tp_neg(x)}, 3, -1);
    switch (i->p[0]) {
    case 4: return tp_flip(x, TP_AXES(axis));
    case 5: return tp_roll(x, axis, i->p[2]);
    case 6: return tp_pad(x, axis, i->p[2], i->p[3], &mode);
    case 7: return tp_pad(tp_pad(x, axis, 1, i->p[2], NULL), 0, i->p[3], 1, NULL);
    case 8: return tp_diagonal(x, i->p[2] - 1, axis, 0);
    case 9: return tp_diagonal_embed(x, i->p[2] - 2);
    case 10: return tp_tril(x, i->p[2] - 1);
    case 11: return tp_triu(x, i->p[2] - 1);
    case 12: return tp_tile(x, axis, i->p[2]);
    case 13: return tp_repeat(x, axis, i->p[2]);
    case 14: return tp_stack((tp_tensor[]){x, tp_neg(x)}, 2, axis);
    default: return record_indexing(i, x, axis);
    }
}

tp_tensor record_instruction(const random_graph *graph, int at, const tp_tensor *all, tp_tape *tape,
                             tp_dtype dtype)
{
    const instruction *i = &graph->at[at];
    tp_tensor x[4];

    for (int k = 0; k < i->n; k++)
        x[k] = all[i->x[k]];
    switch (i->kind) {
    case I_LEAF: return make_leaf(tape, dtype, i->shape, graph->value[at]);
    case I_CONSTANT: return make_constant(tape, dtype, i->shape, graph->value[at]);
    case I_UNARY: return record_unary(i, x[0]);
    case I_BINARY: return record_binary(i, x[0], x[1]);
    case I_WHERE: return tp_where(tp_greater(x[0], x[1]), x[2], x[3]);
    case I_GUARDED: return record_guarded(i, x[0]);
    case I_REDUCTION: return record_reduction(i, x[0]);
    case I_ALONG: return record_along(i, x[0]);
    case I_SOURCE: return record_source(i, x[0]);
    case I_ARRANGE: return record_arrangement(i, x[0]);
    case I_LINALG: return record_linalg(i, x);
    case I_FUNCTION: return record_function(i, x);
    case I_IMAGES: return record_images(i, x);
    default: return record_structure(i, x);
    }
}

/* ---- Graphs ---------------------------------------------------------------------------------------------- */

void record_graph(const random_graph *graph, tp_tape *tape, tp_dtype dtype, const int *order, tp_tensor *x)
{
    for (int k = 0; k < graph->n; k++) {
        const int i = order != NULL ? order[k] : k;
        x[i] = record_instruction(graph, i, x, tape, dtype);
    }
}

void shuffle_graph(const random_graph *graph, uint64_t seed, int *order)
{
    bool done[GRAPH_MAX] = {false};
    generator g = seeded(seed);

    for (int k = 0; k < graph->n;) {
        const int i = (int)next_below(&g, graph->n);
        bool ready = !done[i];
        for (int j = 0; j < graph->at[i].n; j++)
            ready = ready && done[graph->at[i].x[j]];
        if (!ready)
            continue;
        done[i] = true;
        order[k++] = i;
    }
}

tp_tensor graph_loss(const random_graph *graph, const tp_tensor *x)
{
    generator g = seeded(graph->seed ^ 0xABCDEF);
    tp_tensor loss = tp_scalar_of(x[0].tape, tp_dtype_of(x[0]), 0);

    for (int i = 0; i < graph->n; i++) {
        double weight[GRAPH_ELEMENTS];
        if (graph->used[i])
            continue;
        for (int64_t e = 0; e < tp_shape_count(graph->at[i].shape); e++)
            weight[e] = next_between(&g, -1, 1);
        const tp_tensor w = make_constant(x[i].tape, tp_dtype_of(x[i]), graph->at[i].shape, weight);
        loss = tp_add(loss, tp_sum(tp_mul(x[i], w)));
    }
    return loss;
}

int graph_leaves(const random_graph *graph, const tp_tensor *x, tp_tensor *leaf, int most)
{
    int n = 0;
    for (int i = 0; i < graph->n && n < most; i++)
        if (graph->at[i].kind == I_LEAF && tp_shape_count(graph->at[i].shape) > 0)
            leaf[n++] = x[i];
    return n;
}
