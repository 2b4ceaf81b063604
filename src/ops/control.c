/* control.c -- stop_gradient, guard, assign, group, check_index. */
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"

/* ---- stop_gradient --------------------------------------------------------------------------------- */

static const char *same_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return NULL;
}

static bool same_view(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr, tp_strides *s)
{
    (void)x_shape, (void)y_shape, (void)attr, (void)s;
    return true;
}

static const tp_op stop_gradient = {
    .name = "stop_gradient",
    .kind = TP_VIEW,
    .arity = 1,
    .infer = same_infer,
    .vjp = tp_zero_derivative,
    .view = same_view,
};

tp_tensor tp_stop_gradient(tp_tensor x)
{
    return tp_dtype_of(x) == TP_WEAK && tp_is_valid(x) ? x : tp_record(&stop_gradient, &x, 1, NULL);
}

/* ---- guard ----------------------------------------------------------------------------------------- */

TP_MAP2(guard, a == 0 ? (T)0 : b)

/* Unmasked where v is finite, for a mask there would make the second derivative at a zero residual 0; and nothing where
 * the guard hid a NaN or an infinity.  Nothing to the adjoint. */
static void guard_vjp(const tp_vjp *d)
{
    const tp_tensor zero = tp_scalar(d->y.tape, 0), one = tp_scalar(d->y.tape, 1);
    const tp_tensor finite = tp_equal(tp_sub(d->x[1], d->x[1]), zero);
    const tp_tensor keep = tp_where(tp_equal(d->x[0], zero), finite, one);
    d->dx[1] = tp_where(keep, d->g, zero);
}

TP_FUSED3(guard_mul, a == 0 ? (T)0 : b * c)

static const tp_fusion guard_fusion[] = {
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(guard_mul)},
    {.inner = NULL},
};

const tp_op tp__guard = {
    .name = "guard",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE | TP_OP_HIDES,
    .vjp = guard_vjp,
    .fusion = guard_fusion,
    TP_MAP_KERNELS(guard),
};

tp_tensor tp_guard(tp_tensor g, tp_tensor v)
{
    return tp_record(&tp__guard, (tp_tensor[]){g, v}, 2, NULL);
}

/* ---- assign, group --------------------------------------------------------------------------------- */

static const char *assign_infer(tp_inference *i)
{
    if (!i->same_dtype)
        return "the value's dtype differs from the leaf's (convert with tp_cast)";
    if (!i->broadcasts || !tp_shape_equal(i->y_shape, i->x_shape[0]))
        return "the value does not broadcast to the leaf's shape";
    return NULL;
}

static const tp_op assign = {
    .name = "assign",
    .kind = TP_ASSIGN,
    .arity = 2,
    .flags = TP_OP_IMPURE,
    .infer = assign_infer,
};

tp_tensor tp_assign(tp_tensor leaf, tp_tensor value)
{
    return tp_record(&assign, (tp_tensor[]){leaf, value}, 2, NULL);
}

static const char *group_infer(tp_inference *i)
{
    i->y_shape = (tp_shape){0};
    i->y_dtype = TP_F32;
    return NULL;
}

static const tp_op group = {
    .name = "group",
    .kind = TP_GROUP,
    .arity = TP_ANY_ARITY,
    .infer = group_infer,
};

tp_tensor tp_group(const tp_tensor *x, int n)
{
    return tp_record(&group, x, n, NULL);
}

tp_tensor tp_group_at(const char *file, int line, const tp_tensor *x, int n)
{
    if (x != NULL && n > 0)
        tp_locate_tape(x[0].tape, file, line);
    return tp_group(x, n);
}

/* ---- check_index ----------------------------------------------------------------------------------- */

typedef struct check_attr {
    int64_t count;
    int32_t has_except, except;
} check_attr;

static const char *check_infer(tp_inference *i)
{
    if (i->x_dtype[0] != TP_I32) {
        i->fault = TP_BAD_DTYPE;
        return "indices must be i32";
    }
    return same_infer(i);
}

static tp_status check_run(const tp_call *c)
{
    const check_attr *a = c->attr;
    const int32_t *x = c->x[0].data;
    const int64_t n = tp_shape_count(c->y.shape);

    for (int64_t i = 0; i < n; i++)
        if ((x[i] < 0 || x[i] >= a->count) && !(a->has_except && x[i] == a->except))
            return tp_call_fail(c, "the index %d (element %lld) is outside [0, %lld)", (int)x[i],
                                (long long)i, (long long)a->count);
    memcpy(c->y.data, x, (size_t)n * sizeof *x);
    return TP_OK;
}

static const tp_op check_index = {
    .name = "check_index",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(check_attr),
    .infer = check_infer,
    .run = check_run,
};

tp_tensor tp_check_index(tp_tensor x, int64_t count, bool has_except, int32_t except)
{
    if (count < 0)
        return tp_fail(x, TP_BAD_ARGUMENT, "check_index: the count is negative: %lld", (long long)count);
    return tp_record(&check_index, &x, 1, &(check_attr){count, has_except, has_except ? except : 0});
}

const tp_op *const tp__control_ops[] = {&stop_gradient, &tp__guard, &assign, &group, &check_index, NULL};
