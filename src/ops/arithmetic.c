/* arithmetic.c -- neg add sub mul div abs sign maximum minimum, and what is composed of them. */
#include <math.h>
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar.h>

#include "lists.h"

static tp_tensor record1(const tp_op *op, tp_tensor x)
{
    return tp_record(op, &x, 1, NULL);
}

static tp_tensor record2(const tp_op *op, tp_tensor a, tp_tensor b)
{
    return tp_record(op, (tp_tensor[]){a, b}, 2, NULL);
}

/* i32 wraps: the sum of unsigned numbers is defined, and so is its conversion with gcc and clang. */
#define WRAP(OPERATION) (int32_t)((uint32_t)a OPERATION(uint32_t) b)

/* ---- Constants among the operands ------------------------------------------------------------------- */

static bool is_constant(tp_tensor x, double value)
{
    double known;
    return tp_is_scalar_constant(x, &known) && known == value && signbit(known) == signbit(value);
}

static bool is_finite_constant(tp_tensor x)
{
    double known;
    return tp_is_scalar_constant(x, &known) && isfinite(known);
}

/* ---- neg ------------------------------------------------------------------------------------------- */

TP_MAP1(neg, -x)
TP_MAP1_I32(neg, (int32_t)(0u - (uint32_t)x))

static void neg_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_neg(d->g);
}

static tp_tensor neg_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return tp_op_of(x[0]) == &tp__neg ? tp_operand_of(x[0], 0) : (tp_tensor){0};
}

TP_FUSED2(neg_mul, -(a *b))
static const tp_fusion neg_fusion[] = {
    {&tp__mul, 0, NULL, 0, TP_FUSED_KERNELS(neg_mul)},
    {.inner = NULL},
};

const tp_op tp__neg = {
    .name = "neg",
    .kind = TP_MAP,
    .arity = 1,
    .flags = TP_OP_FINITE | TP_OP_CHEAP,
    .vjp = neg_vjp,
    .simplify = neg_simplify,
    .fusion = neg_fusion,
    TP_MAP_KERNELS_I32(neg),
};

tp_tensor tp_neg(tp_tensor x)
{
    return record1(&tp__neg, x);
}

/* ---- add ------------------------------------------------------------------------------------------- */

TP_MAP2(add, a + b)
TP_MAP2_I32(add, WRAP(+))

static void add_vjp(const tp_vjp *d)
{
    d->dx[0] = d->g;
    d->dx[1] = d->g;
}

/* x + -0 is x; x + 0 is not when x is -0. */
static tp_tensor add_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    if (is_constant(x[1], -0.0))
        return x[0];
    return is_constant(x[0], -0.0) ? x[1] : (tp_tensor){0};
}

TP_FUSED3(mul_add, a *b + c)
TP_FUSED3(add_mul, a + b * c)
TP_FUSED3(guard_add, (a == 0 ? (T)0 : b) + c)
TP_FUSED3(add_guard, a + (b == 0 ? (T)0 : c))
TP_FUSED4(add_guard_mul, a + (b == 0 ? (T)0 : c * d))
TP_FUSED2(neg_add, b - a)
TP_FUSED2(add_neg, a - b)
TP_FUSED3(keep_add, (a != 0 ? b : 0) + c)
TP_FUSED3(add_keep, a + (b != 0 ? c : 0))
TP_FUSED3(drop_add, (a != 0 ? 0 : b) + c)
TP_FUSED3(add_drop, a + (b != 0 ? 0 : c))

TP_FUSED4(keep_less_add, (a < b ? c : 0) + d)
TP_FUSED4(add_keep_less, a + (b < c ? d : 0))
TP_FUSED4(drop_less_equal_add, (a <= b ? 0 : c) + d)
TP_FUSED4(add_drop_less_equal, a + (b <= c ? 0 : d))

static const tp_fusion add_fusion[] = {
    {&tp__keep, 0, &tp__less, 0, TP_FUSED_KERNELS(keep_less_add)},
    {&tp__keep, 1, &tp__less, 0, TP_FUSED_KERNELS(add_keep_less)},
    {&tp__drop, 0, &tp__less_equal, 0, TP_FUSED_KERNELS(drop_less_equal_add)},
    {&tp__drop, 1, &tp__less_equal, 0, TP_FUSED_KERNELS(add_drop_less_equal)},
    {&tp__mul, 0, NULL, 0, TP_FUSED_KERNELS(mul_add)},
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(add_mul)},
    {&tp__guard, 0, NULL, 0, TP_FUSED_KERNELS(guard_add)},
    {&tp__guard, 1, NULL, 0, TP_FUSED_KERNELS(add_guard)},
    {&tp__guard, 1, &tp__mul, 1, TP_FUSED_KERNELS(add_guard_mul)},
    {&tp__neg, 0, NULL, 0, TP_FUSED_KERNELS(neg_add)},
    {&tp__neg, 1, NULL, 0, TP_FUSED_KERNELS(add_neg)},
    {&tp__keep, 0, NULL, 0, TP_FUSED_KERNELS(keep_add)},
    {&tp__keep, 1, NULL, 0, TP_FUSED_KERNELS(add_keep)},
    {&tp__drop, 0, NULL, 0, TP_FUSED_KERNELS(drop_add)},
    {&tp__drop, 1, NULL, 0, TP_FUSED_KERNELS(add_drop)},
    {.inner = NULL},
};

const tp_op tp__add = {
    .name = "add",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE | TP_OP_CHEAP,
    .vjp = add_vjp,
    .simplify = add_simplify,
    .fusion = add_fusion,
    TP_MAP_KERNELS_I32(add),
};

tp_tensor tp_add(tp_tensor a, tp_tensor b)
{
    return record2(&tp__add, a, b);
}

/* ---- sub ------------------------------------------------------------------------------------------- */

TP_MAP2(sub, a - b)
TP_MAP2_I32(sub, WRAP(-))

static void sub_vjp(const tp_vjp *d)
{
    d->dx[0] = d->g;
    d->dx[1] = tp_neg(d->g);
}

static tp_tensor sub_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return is_constant(x[1], 0.0) ? x[0] : (tp_tensor){0};
}

TP_FUSED3(mul_sub, a *b - c)
TP_FUSED3(sub_mul, a - b * c)
TP_FUSED2(sub_neg, a + b)

static const tp_fusion sub_fusion[] = {
    {&tp__mul, 0, NULL, 0, TP_FUSED_KERNELS(mul_sub)},
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(sub_mul)},
    {&tp__neg, 1, NULL, 0, TP_FUSED_KERNELS(sub_neg)},
    {.inner = NULL},
};

const tp_op tp__sub = {
    .name = "sub",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE | TP_OP_CHEAP,
    .vjp = sub_vjp,
    .simplify = sub_simplify,
    .fusion = sub_fusion,
    TP_MAP_KERNELS_I32(sub),
};

tp_tensor tp_sub(tp_tensor a, tp_tensor b)
{
    return record2(&tp__sub, a, b);
}

static const tp_op sign; /* below; a product takes it in */

/* ---- mul ------------------------------------------------------------------------------------------- */

TP_MAP2(mul, a *b)
TP_MAP2_I32(mul, WRAP(*))

static void mul_vjp(const tp_vjp *d)
{
    for (int k = 0; k < 2; k++) {
        if (!d->need[k])
            continue;
        d->dx[k] = tp_mul(d->g, d->x[1 - k]);
        d->finite[k] = is_finite_constant(d->x[1 - k]);
    }
}

static tp_tensor mul_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    for (int k = 0; k < 2; k++) {
        if (is_constant(x[k], 1))
            return x[1 - k];
        if (is_constant(x[k], -1))
            return tp_neg(x[1 - k]);
    }
    return (tp_tensor){0};
}

TP_FUSED3(mul_mul, a *b *c)
TP_FUSED3(mul_by_mul, a *(b *c))
TP_FUSED2(square_mul, a *a *b)
TP_FUSED2(mul_square, a *(b *b))
TP_FUSED2(sign_mul, TP_SIGN(a) * b)
TP_FUSED2(mul_sign, a *TP_SIGN(b))
TP_FUSED3(sub_by_mul, (a - b) * c)
TP_FUSED3(mul_by_sub, a *(b - c))
static const tp_fusion mul_fusion[] = {
    {&tp__mul, 0, NULL, 0, TP_FUSED_KERNELS(mul_mul)},
    {&tp__mul, 1, NULL, 0, TP_FUSED_KERNELS(mul_by_mul)},
    {&tp__square, 0, NULL, 0, TP_FUSED_KERNELS(square_mul)},
    {&tp__square, 1, NULL, 0, TP_FUSED_KERNELS(mul_square)},
    {&sign, 0, NULL, 0, TP_FUSED_KERNELS(sign_mul)},
    {&sign, 1, NULL, 0, TP_FUSED_KERNELS(mul_sign)},
    {&tp__sub, 0, NULL, 0, TP_FUSED_KERNELS(sub_by_mul)},
    {&tp__sub, 1, NULL, 0, TP_FUSED_KERNELS(mul_by_sub)},
    {.inner = NULL},
};

const tp_op tp__mul = {
    .name = "mul",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_CHEAP,
    .vjp = mul_vjp,
    .simplify = mul_simplify,
    .fusion = mul_fusion,
    TP_MAP_KERNELS_I32(mul),
};

tp_tensor tp_mul(tp_tensor a, tp_tensor b)
{
    return record2(&tp__mul, a, b);
}

tp_tensor tp_scale(tp_tensor x, double factor)
{
    return x.tape == NULL ? x : tp_mul(x, tp_scalar(x.tape, factor));
}

/* ---- square ---------------------------------------------------------------------------------------- */

TP_MAP1(square, x *x)
TP_MAP1_I32(square, (int32_t)((uint32_t)x *(uint32_t)x))

static void square_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(tp_scale(d->g, 2), d->x[0]);
}

TP_FUSED2(square_of_sub, (a - b) * (a - b))
static const tp_fusion square_fusion[] = {
    {&tp__sub, 0, NULL, 0, TP_FUSED_KERNELS(square_of_sub)},
    {.inner = NULL},
};

const tp_op tp__square = {
    .name = "square",
    .kind = TP_MAP,
    .arity = 1,
    .flags = TP_OP_CHEAP,
    .vjp = square_vjp,
    .fusion = square_fusion,
    TP_MAP_KERNELS_I32(square),
};

tp_tensor tp_square(tp_tensor x)
{
    return record1(&tp__square, x);
}

/* ---- div ------------------------------------------------------------------------------------------- */

TP_MAP2(div, a / b)

static void div_vjp(const tp_vjp *d)
{
    double divisor;
    const tp_tensor quotient = tp_div(d->g, d->x[1]);
    d->dx[0] = quotient;
    d->finite[0] = tp_is_scalar_constant(d->x[1], &divisor) && divisor != 0 && !isnan(divisor);
    if (d->need[1])
        d->dx[1] = tp_neg(tp_mul(quotient, d->y));
}

static tp_tensor div_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return is_constant(x[1], 1) ? x[0] : (tp_tensor){0};
}

static const tp_op divide = {
    .name = "div",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = div_vjp,
    .simplify = div_simplify,
    TP_MAP_KERNELS(div),
    .low = 0.5,
    .high = 2,
};

tp_tensor tp_div(tp_tensor a, tp_tensor b)
{
    return record2(&divide, a, b);
}

/* ---- abs, sign ------------------------------------------------------------------------------------- */

TP_MAP1(sign, TP_SIGN(x))
TP_MAP1_I32(sign, (x > 0) - (x < 0))

static const tp_op sign = {
    .name = "sign",
    .kind = TP_MAP,
    .arity = 1,
    .flags = TP_OP_FINITE,
    .vjp = tp_zero_derivative,
    TP_MAP_KERNELS_I32(sign),
};

tp_tensor tp_sign(tp_tensor x)
{
    return record1(&sign, x);
}

TP_MAP1(abs, TP_ABS(x))
TP_MAP1_I32(abs, x < 0 ? (int32_t)(0u - (uint32_t)x) : x)

static void abs_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_sign(d->x[0]));
}

static const tp_op absolute = {
    .name = "abs",
    .kind = TP_MAP,
    .arity = 1,
    .flags = TP_OP_CHEAP,
    .vjp = abs_vjp,
    TP_MAP_KERNELS_I32(abs),
};

tp_tensor tp_abs(tp_tensor x)
{
    return record1(&absolute, x);
}

/* ---- maximum, minimum ------------------------------------------------------------------------------ */

/* g to the operand that won, half of it to each at a tie. */
static void pass_to_winner(const tp_vjp *d, tp_tensor first_wins, tp_tensor second_wins)
{
    const tp_tensor zero = tp_scalar(d->g.tape, 0);
    const tp_tensor shared = tp_where(tp_equal(d->x[0], d->x[1]), tp_scale(d->g, 0.5), zero);
    d->dx[0] = tp_where(first_wins, d->g, shared);
    d->dx[1] = tp_where(second_wins, d->g, shared);
}

TP_MAP2(maximum, TP_MAX(a, b))
TP_MAP2_I32(maximum, a > b ? a : b)

static void maximum_vjp(const tp_vjp *d)
{
    pass_to_winner(d, tp_greater(d->x[0], d->x[1]), tp_less(d->x[0], d->x[1]));
}

static tp_tensor same_operand(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return x[0].id == x[1].id ? x[0] : (tp_tensor){0};
}

static const tp_op maximum = {
    .name = "maximum",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE,
    .vjp = maximum_vjp,
    .simplify = same_operand,
    TP_MAP_KERNELS_I32(maximum),
};

tp_tensor tp_maximum(tp_tensor a, tp_tensor b)
{
    return record2(&maximum, a, b);
}

TP_MAP2(minimum, TP_MIN(a, b))
TP_MAP2_I32(minimum, a < b ? a : b)

static void minimum_vjp(const tp_vjp *d)
{
    pass_to_winner(d, tp_less(d->x[0], d->x[1]), tp_greater(d->x[0], d->x[1]));
}

static const tp_op minimum = {
    .name = "minimum",
    .kind = TP_MAP,
    .arity = 2,
    .flags = TP_OP_FINITE,
    .vjp = minimum_vjp,
    .simplify = same_operand,
    TP_MAP_KERNELS_I32(minimum),
};

tp_tensor tp_minimum(tp_tensor a, tp_tensor b)
{
    return record2(&minimum, a, b);
}

/* ---- clamp ----------------------------------------------------------------------------------------- */

tp_tensor tp_clamp(tp_tensor x, double low, double high)
{
    if (x.tape == NULL)
        return x;
    if (!(low <= high))
        return tp_fail(x, TP_BAD_ARGUMENT, "clamp: the bounds must be low <= high, but are %g and %g", low,
                       high);
    tp_tensor y = x;
    if (high < HUGE_VAL)
        y = tp_where(tp_greater(x, tp_scalar(x.tape, high)), tp_scalar(x.tape, high), y);
    if (low > -HUGE_VAL)
        y = tp_where(tp_less(x, tp_scalar(x.tape, low)), tp_scalar(x.tape, low), y);
    return y;
}

const tp_op *const tp__arithmetic_ops[] = {&tp__neg, &tp__add,  &tp__sub, &tp__mul, &divide, &tp__square,
                                           &sign,    &absolute, &maximum, &minimum, NULL};
