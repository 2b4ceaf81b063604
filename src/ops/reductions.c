/* reductions.c -- sum prod max min any all over any axes.  The ops keep the reduced axes with size 1; a reshape drops them. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>

#include "axes.h"
#include "channel_sums.h"
#include "lists.h"

typedef struct axes_attr {
    uint64_t mask; /* bit d: axis d is reduced */
} axes_attr;

/* ---- Axes ------------------------------------------------------------------------------------------ */

static const char *reduce_infer(tp_inference *i)
{
    const axes_attr *a = i->attr;
    i->y_shape = i->x_shape[0];
    for (int64_t d = 0; d < i->y_shape.rank; d++)
        if (a->mask >> d & 1)
            i->y_shape.dim[d] = 1;
    return NULL;
}

static const char *nonempty_infer(tp_inference *i)
{
    const axes_attr *a = i->attr;
    reduce_infer(i);
    if (tp__masked_count(i->x_shape, a->mask) == 0 && tp_shape_count(i->y_shape) > 0)
        return "there is no largest or smallest of no elements";
    return NULL;
}

/* Folding one element is that element. */
static tp_tensor reduce_simplify(const tp_tensor *x, int n, const void *attr)
{
    const axes_attr *a = attr;
    const tp_shape shape = tp_shape_of(x[0]);
    (void)n;
    return tp__masked_count(&shape, a->mask) == 1 ? x[0] : (tp_tensor){0};
}

static tp_tensor reduce_mask(const tp_op *op, tp_tensor x, uint64_t mask, bool keepdims)
{
    const tp_tensor y = tp_record(op, &x, 1, &(axes_attr){mask});
    return keepdims || !tp_is_valid(y) ? y : tp__drop_axes(y, mask);
}

static tp_tensor reduce_over(const tp_op *op, tp_tensor x, tp_axes axes, bool keepdims)
{
    uint64_t mask = 0;
    if (tp_is_valid(x) && !tp__axes_mask(x, op->name, axes, &mask))
        return (tp_tensor){.tape = x.tape, .id = -1};
    return reduce_mask(op, x, mask, keepdims);
}

static tp_tensor reduce_all(const tp_op *op, tp_tensor x)
{
    return reduce_over(op, x, tp__all_axes(x), false);
}

/* ---- sum ------------------------------------------------------------------------------------------- */

TP_FOLD(sum, -0.0, a + b) /* -0: adding it changes nothing, not even a zero's sign */
TP_FOLD_I32(sum, 0, a + b)

TP_FUSED_FOLD1(sum_square, -0.0, a + b, x *x)
TP_FUSED_FOLD2(sum_mul, -0.0, a + b, c *d)
TP_FUSED_FOLD2(sum_keep, -0.0, a + b, c != 0 ? d : 0)
TP_FUSED_FOLD3(sum_where, -0.0, a + b, c != 0 ? d : e)
TP_FUSED_FOLD2(sum_square_of_sub, -0.0, a + b, (c - d) * (c - d))
TP_FUSED_FOLD3(sum_mul_mul, -0.0, a + b, c *d *e)
TP_FUSED_FOLD1(sum_neg, -0.0, a + b, -x)
TP_FUSED_FOLD2(sum_guard, -0.0, a + b, c == 0 ? (T)0 : d)
TP_FUSED_FOLD3(sum_guard_mul, -0.0, a + b, c == 0 ? (T)0 : d * e)
static const tp_fusion sum_fusion[] = {
    {&tp__neg, 0, NULL, 0, TP_FUSED_FOLDS(sum_neg)},
    {&tp__guard, 0, NULL, 0, TP_FUSED_FOLDS(sum_guard)},
    {&tp__guard, 0, &tp__mul, 1, TP_FUSED_FOLDS(sum_guard_mul)},
    {&tp__mul, 0, &tp__mul, 0, TP_FUSED_FOLDS(sum_mul_mul)},
    {&tp__square, 0, &tp__sub, 0, TP_FUSED_FOLDS(sum_square_of_sub)},
    {&tp__square, 0, NULL, 0, TP_FUSED_FOLDS(sum_square)},
    {&tp__mul, 0, NULL, 0, TP_FUSED_FOLDS(sum_mul)},
    {&tp__keep, 0, NULL, 0, TP_FUSED_FOLDS(sum_keep)},
    {&tp__where, 0, NULL, 0, TP_FUSED_FOLDS(sum_where)},
    {.inner = NULL},
};

static const tp_op sum;

/* Of channels in blocks: all of every image, or a sum for each channel. */
static tp_tensor sum_blocked(const tp_blocked *b)
{
    const axes_attr *a = tp_blocked_attr(b);
    const tp_tensor x = tp__before_put(tp_blocked_operand(b, 0)); /* either way whole images are summed */
    const tp_shape y = tp_blocked_shape(b, -1);
    const uint64_t all = ((uint64_t)1 << y.rank) - 1, behind = all & ~(uint64_t)3;

    if ((a->mask | 1) == (all | 1)) /* channels and what follows them */
        return tp_reshape(tp_record(&sum, &x, 1, &(axes_attr){a->mask | (all + 1)}), y);
    if ((a->mask | 1) == (behind | 1) && tp_dtype_of(x) == TP_F32)
        return tp__sum_per_channel(x, !(a->mask & 1));
    return (tp_tensor){0};
}

static void sum_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_expand(d->g, tp_shape_of(d->x[0]));
}

static const tp_op sum = {
    .name = "sum",
    .kind = TP_REDUCE,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .attr_size = sizeof(axes_attr),
    .infer = reduce_infer,
    .vjp = sum_vjp,
    .simplify = reduce_simplify,
    .fusion = sum_fusion,
    .blocked = sum_blocked,
    TP_FOLDS_I32(sum),
};

tp_tensor tp_sum(tp_tensor x)
{
    return reduce_all(&sum, x);
}

tp_tensor tp_sum_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return reduce_over(&sum, x, axes, keepdims);
}

tp_tensor tp_sum_to(tp_tensor x, tp_shape shape)
{
    const tp_shape own = tp_shape_of(x);
    tp_shape joint;
    uint64_t mask = 0;

    if (!tp_is_valid(x))
        return tp_record(&sum, &x, 1, &(axes_attr){0});
    if (shape.rank < 0 || shape.rank > TP_MAX_RANK || !tp_broadcast(&own, &shape, &joint) ||
        !tp_shape_equal(joint, own)) {
        char from[TP_TEXT_SIZE], to[TP_TEXT_SIZE];
        return tp_fail(x, TP_BAD_SHAPE, "sum_to: %s does not come from broadcasting %s",
                       tp_describe(tp_dtype_of(x), &own, from), tp_describe(tp_dtype_of(x), &shape, to));
    }
    for (int64_t d = 0; d < own.rank; d++) {
        const int64_t e = d - (own.rank - shape.rank);
        if (e < 0 || (shape.dim[e] == 1 && own.dim[d] != 1))
            mask |= (uint64_t)1 << d;
    }
    return tp_reshape(mask != 0 ? reduce_mask(&sum, x, mask, true) : x, shape);
}

/* ---- prod ------------------------------------------------------------------------------------------ */

TP_FOLD(prod, 1.0, a *b)
static int64_t saturating_product(int64_t a, int64_t b)
{
    /* Beyond i32 the run fails anyway; a zero factor later must still make it 0. */
    const int64_t limit = (int64_t)1 << 40;
    if (a != 0 && b != 0 && (a > limit / (b < 0 ? -b : b) || a < -limit / (b < 0 ? -b : b)))
        return (a < 0) == (b < 0) ? limit : -limit;
    return a * b;
}
TP_FOLD_I32(prod, 1, saturating_product(a, b))

/* The gradient of the product along the last axis of x, of size n: the product as a tree of ordinary multiplications that
 * pairs the halves, and back.  No division, so exact with zeros among the factors, and differentiable at any order.  It
 * is written out rather than asked of tp_vector_jacobian: slices of x may simplify to slices of what x is made of, on
 * which x then has no bearing. */
static tp_tensor product_gradient(tp_tensor x, tp_tensor g)
{
    const tp_shape shape = tp_shape_of(x);
    const int64_t n = shape.dim[shape.rank - 1], half = n / 2;

    if (n <= 1 || !tp_is_valid(x))
        return g;
    const tp_tensor a = tp_slice(x, -1, 0, half, 1), b = tp_slice(x, -1, half, 2 * half, 1);
    const tp_tensor rest = tp_slice(x, -1, 2 * half, n, 1);
    const tp_tensor pairs = tp_mul(a, b);
    const tp_tensor up =
        product_gradient(n % 2 == 1 ? tp_concat((tp_tensor[]){pairs, rest}, 2, -1) : pairs, g);
    const tp_tensor to_pairs = tp_slice(up, -1, 0, half, 1);
    const tp_tensor to_rest = tp_slice(up, -1, half, half + n % 2, 1);
    return tp_concat((tp_tensor[]){tp_guard(to_pairs, tp_mul(to_pairs, b)),
                                   tp_guard(to_pairs, tp_mul(to_pairs, a)), to_rest},
                     n % 2 == 1 ? 3 : 2, -1);
}

static void prod_vjp(const tp_vjp *d)
{
    const axes_attr *a = d->attr;
    const tp_tensor x = d->x[0];
    const tp_shape shape = tp_shape_of(x);
    tp_axes order = {.n = (int)shape.rank}, back = order;
    tp_shape moved = {.rank = shape.rank}, rows = {0};
    int at = 0;

    if (tp_count_of(x) == 0)
        return;
    for (int pass = 0; pass < 2; pass++)
        for (int axis = 0; axis < shape.rank; axis++)
            if ((int)(a->mask >> axis & 1) == pass)
                order.axis[at++] = axis;
    for (int k = 0; k < order.n; k++) {
        back.axis[order.axis[k]] = k;
        moved.dim[k] = shape.dim[order.axis[k]];
        if (!(a->mask >> order.axis[k] & 1))
            rows.dim[rows.rank++] = moved.dim[k];
    }
    tp_shape one = rows;
    rows.dim[rows.rank++] = tp__masked_count(&shape, a->mask);
    one.dim[one.rank++] = 1;
    const tp_tensor dx = product_gradient(tp_reshape(tp_permute(x, order), rows), tp_reshape(d->g, one));
    d->dx[0] = tp_permute(tp_reshape(dx, moved), back);
}

static const tp_op prod = {
    .name = "prod",
    .kind = TP_REDUCE,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .attr_size = sizeof(axes_attr),
    .infer = reduce_infer,
    .vjp = prod_vjp,
    .simplify = reduce_simplify,
    TP_FOLDS_I32(prod),
};

tp_tensor tp_prod(tp_tensor x)
{
    return reduce_all(&prod, x);
}

tp_tensor tp_prod_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return reduce_over(&prod, x, axes, keepdims);
}

/* ---- max, min -------------------------------------------------------------------------------------- */

TP_FOLD_CHOICE(max, -HUGE_VAL, TP_MAX(a, b))
TP_FOLD_I32(max, INT64_MIN, a > b ? a : b)
TP_FOLD_CHOICE(min, HUGE_VAL, TP_MIN(a, b))
TP_FOLD_I32(min, INT64_MAX, a < b ? a : b)

/* Elements that tie share the adjoint evenly. */
static void extremum_vjp(const tp_vjp *d)
{
    const axes_attr *a = d->attr;
    const tp_tensor wins = tp_equal(d->x[0], d->y);
    const tp_tensor winners = reduce_mask(&sum, wins, a->mask, true);
    d->dx[0] = tp_where(wins, tp_div(d->g, winners), tp_scalar(d->g.tape, 0));
}

static const tp_op max = {
    .name = "max",
    .kind = TP_REDUCE,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .attr_size = sizeof(axes_attr),
    .infer = nonempty_infer,
    .vjp = extremum_vjp,
    .simplify = reduce_simplify,
    TP_FOLDS_I32(max),
};

static const tp_op min = {
    .name = "min",
    .kind = TP_REDUCE,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .attr_size = sizeof(axes_attr),
    .infer = nonempty_infer,
    .vjp = extremum_vjp,
    .simplify = reduce_simplify,
    TP_FOLDS_I32(min),
};

tp_tensor tp_max(tp_tensor x)
{
    return reduce_all(&max, x);
}

tp_tensor tp_max_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return reduce_over(&max, x, axes, keepdims);
}

tp_tensor tp_min(tp_tensor x)
{
    return reduce_all(&min, x);
}

tp_tensor tp_min_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    return reduce_over(&min, x, axes, keepdims);
}

/* ---- any, all -------------------------------------------------------------------------------------- */

/* How often a condition holds.  Counting instead of max and min has an answer for no elements, and leaves nothing to
 * differentiate. */
static tp_tensor count_over(const char *op_name, tp_tensor holds, tp_axes axes, bool keepdims)
{
    uint64_t mask = 0;
    if (tp_is_valid(holds) && !tp__axes_mask(holds, op_name, axes, &mask))
        return (tp_tensor){.tape = holds.tape, .id = -1};
    return reduce_mask(&sum, holds, mask, keepdims);
}

tp_tensor tp_any(tp_tensor x)
{
    return tp_any_over(x, tp__all_axes(x), false);
}

tp_tensor tp_any_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_not_equal(count_over("any", tp_not_equal(x, zero), axes, keepdims), zero);
}

tp_tensor tp_all(tp_tensor x)
{
    return tp_all_over(x, tp__all_axes(x), false);
}

tp_tensor tp_all_over(tp_tensor x, tp_axes axes, bool keepdims)
{
    const tp_tensor zero = tp_scalar(x.tape, 0);
    return tp_equal(count_over("all", tp_equal(x, zero), axes, keepdims), zero);
}

const tp_op *const tp__reduction_ops[] = {&sum, &prod, &max, &min, NULL};
