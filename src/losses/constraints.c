/* constraints.c -- constraints as expressions, and their penalties. */
#include <math.h>

#include <tapir/constraints.h>

#include "common.h"

/* ---- Making them ------------------------------------------------------------------------------------- */

static const char *const scope_of_kind[] = {"equals", "at_most", "at_least"};

static tp_constraint nothing(tp_tensor at, const char *name)
{
    return (tp_constraint){.name = name, .parts = 1, .part = {{.value = tp__loss_invalid(at)}}};
}

static bool operands(tp_tensor at, tp_tensor *a, tp_tensor *b)
{
    if (a->tape == at.tape && tp_dtype_of(*a) == TP_WEAK && tp_is_valid(*a) && tp_is_valid(*b))
        *a = tp_cast(*a, tp_dtype_of(*b));
    return tp__loss_operand(at, *b, "bound") && tp__loss_float(at, *a, "constrained tensor") &&
           tp__loss_option(at, b, "bound", tp_dtype_of(*a));
}

/* Is a <= b (or a = b) known to be false?  A NaN is in no relation. */
static bool refuted(tp_tensor a, tp_tensor b, bool equality)
{
    double x, y;
    if (!tp_is_scalar_constant(a, &x) || !tp_is_scalar_constant(b, &y))
        return false;
    return equality ? !(x == y) : !(x <= y);
}

typedef enum relation { EQUALS, AT_MOST, AT_LEAST } relation;

static tp_constraint related(tp_tensor a, tp_tensor b, relation what)
{
    const tp_tensor at = tp__loss_at(a, b);
    tp_constraint c = nothing(at, scope_of_kind[what]);

    tp_scope_begin(at.tape, c.name);
    if (operands(at, &a, &b)) {
        c.part[0].equality = what == EQUALS;
        if (refuted(what == AT_LEAST ? b : a, what == AT_LEAST ? a : b, what == EQUALS))
            tp_fail(at, TP_BAD_VALUE, "the two numbers are not so: there is no feasible point");
        else
            c.part[0].value = what == AT_LEAST ? tp_sub(b, a) : tp_sub(a, b);
    }
    tp_scope_end(at.tape);
    return c;
}

tp_constraint tp_equals(tp_tensor a, tp_tensor b)
{
    return related(a, b, EQUALS);
}

tp_constraint tp_at_most(tp_tensor a, tp_tensor b)
{
    return related(a, b, AT_MOST);
}

tp_constraint tp_at_least(tp_tensor a, tp_tensor b)
{
    return related(a, b, AT_LEAST);
}

tp_constraint tp_between(tp_tensor x, tp_tensor low, tp_tensor high)
{
    const tp_tensor at = tp__loss_at(x, low);
    tp_constraint c = nothing(at, "between");

    tp_scope_begin(at.tape, c.name);
    if (operands(at, &x, &low) && operands(at, &x, &high)) {
        double value = 0;
        if (refuted(low, high, false)) {
            tp_is_scalar_constant(low, &value);
            tp_fail(at, TP_BAD_VALUE,
                    "the lower bound, %g, is not below the upper one: there is no feasible point", value);
        } else {
            c.parts = 2;
            c.part[0].value = tp_sub(low, x);
            c.part[1].value = tp_sub(x, high);
        }
    }
    tp_scope_end(at.tape);
    return c;
}

/* x - total summed over the last axis, in *sum; false after an error. */
static bool row_sums(tp_tensor x, double total, bool positive, tp_tensor *sum)
{
    if (!tp__loss_float(x, x, "constrained tensor"))
        return false;
    const tp_shape shape = tp_shape_of(x);
    if (shape.rank == 0)
        tp_fail(x, TP_BAD_SHAPE,
                "the constrained tensor is a single number, but must have an axis to sum over");
    else if (!isfinite(total) || (positive && total < 0) || (shape.dim[shape.rank - 1] == 0 && total != 0))
        tp_fail(x, TP_BAD_VALUE, "the sum cannot be %g: there is no feasible point", total);
    else
        *sum = tp__loss_plus(tp_sum_over(x, TP_AXES(-1), false), -total);
    return tp_is_valid(*sum);
}

tp_constraint tp_sums_to(tp_tensor x, double total)
{
    tp_constraint c = nothing(x, "sums_to");

    tp_scope_begin(x.tape, c.name);
    c.part[0].equality = row_sums(x, total, false, &c.part[0].value);
    tp_scope_end(x.tape);
    return c;
}

tp_constraint tp_simplex(tp_tensor x, double total)
{
    tp_constraint c = nothing(x, "simplex");

    tp_scope_begin(x.tape, c.name);
    if (row_sums(x, total, true, &c.part[0].value)) {
        c.parts = 2;
        c.part[0].equality = true;
        c.part[1] = (tp_constraint_part){.value = tp_neg(x), .per_row = true};
    }
    tp_scope_end(x.tape);
    return c;
}

tp_constraint tp_sparse(tp_tensor x, double budget)
{
    tp_constraint c = nothing(x, "sparse");

    tp_scope_begin(x.tape, c.name);
    if (tp__loss_float(x, x, "constrained tensor")) {
        if (!(budget >= 0))
            tp_fail(x, TP_BAD_VALUE,
                    "the budget is %g, which no sum of sizes is below: there is no feasible point", budget);
        else
            c.part[0].value = tp__loss_plus(tp_sum(tp_abs(x)), -budget);
    }
    tp_scope_end(x.tape);
    return c;
}

static tp_constraint ordered(tp_tensor x, double gap, bool up, const char *name)
{
    tp_constraint c = nothing(x, name);

    tp_scope_begin(x.tape, name);
    if (tp__loss_float(x, x, "constrained tensor")) {
        const tp_shape shape = tp_shape_of(x);
        const int64_t n = shape.rank > 0 ? shape.dim[shape.rank - 1] : 0;
        if (n == 0)
            tp_fail(x, TP_BAD_SHAPE, "the constrained tensor must have elements along a last axis");
        else if (!isfinite(gap))
            tp_fail(x, TP_BAD_VALUE, "the gap must be finite, not %g: there is no feasible point", gap);
        else {
            const tp_tensor before = tp_slice(x, -1, 0, n - 1, 1), after = tp_slice(x, -1, 1, n, 1);
            c.part[0].value = tp__loss_plus(up ? tp_sub(before, after) : tp_sub(after, before), gap);
        }
    }
    tp_scope_end(x.tape);
    return c;
}

tp_constraint tp_increasing(tp_tensor x, double gap)
{
    return ordered(x, gap, true, "increasing");
}

tp_constraint tp_decreasing(tp_tensor x, double gap)
{
    return ordered(x, gap, false, "decreasing");
}

/* ---- How far from it -------------------------------------------------------------------------------- */

static tp_tensor excess(const tp_constraint_part *p)
{
    return p->equality ? p->value : tp_relu(p->value);
}

/* The parts are living tensors: those of a constraint that failed, or of none, are not. */
static bool check_parts(tp_tensor at, const tp_constraint *c)
{
    if (c->parts < 1 || c->parts > 2) {
        tp_fail(at, TP_BAD_ARGUMENT, "the constraint is not one that a function of tapir/constraints.h made");
        return false;
    }
    for (int k = 0; k < c->parts; k++)
        if (!tp__loss_float(at, c->part[k].value, "constraint"))
            return false;
    return true;
}

tp_tensor tp_violation_at(const char *file, int line, tp_constraint c)
{
    const tp_tensor made = c.part[0].value, at = file != NULL ? tp_locate(made, file, line) : made;
    tp_tensor worst = tp__loss_invalid(at);

    tp_scope_begin(at.tape, "violation");
    if (check_parts(at, &c)) {
        worst = tp__loss_number(at, 0);
        for (int k = 0; k < c.parts; k++) {
            c.part[k].value = tp__loss_here(at, c.part[k].value);
            if (tp_count_of(c.part[k].value) > 0)
                worst = tp_maximum(worst, tp_max(tp_abs(excess(&c.part[k]))));
        }
    }
    tp_scope_end(at.tape);
    return worst;
}

tp_tensor tp_violation(tp_constraint c)
{
    return tp_violation_at(NULL, 0, c);
}

/* ---- Penalties --------------------------------------------------------------------------------------- */

static tp_tensor huberised(tp_tensor v, double delta)
{
    const tp_tensor size = tp_abs(v);
    const tp_tensor linear = tp_scale(tp__loss_plus(size, -0.5 * delta), delta);
    return tp_where(tp_less_equal(size, tp__loss_number(v, delta)), tp_scale(tp_square(v), 0.5), linear);
}

/* Of c, not of max(c, 0): it acts before the constraint does. */
static tp_tensor barrier(tp_tensor c, double t)
{
    const tp_tensor logarithm = tp_neg(tp_log(tp_neg(c)));
    if (t == 0)
        return tp_where(tp_less(c, tp__loss_number(c, 0)), logarithm, tp__loss_number(c, HUGE_VAL));
    const double touch = 1 / (t * t);
    const tp_tensor tangent = tp__loss_plus(tp_scale(c, t), -log(touch) / t + 1 / t);
    return tp_where(tp_less_equal(c, tp__loss_number(c, -touch)), tp_scale(logarithm, 1 / t), tangent);
}

static tp_tensor shaped(const tp_constraint_part *p, const tp_penalty_options *o)
{
    const tp_tensor v = excess(p);

    switch (o->shape) {
    case TP_PENALTY_L1: return p->equality ? tp_abs(v) : v;
    case TP_PENALTY_HUBER: return huberised(v, tp__loss_default(o->delta, 1));
    case TP_PENALTY_BARRIER: return barrier(p->value, o->sharpness);
    case TP_PENALTY_INDICATOR: {
        const tp_tensor good =
            tp_less_equal(tp_abs(v), tp__loss_number(v, tp__loss_default(o->tolerance, 1e-6)));
        return tp_where(good, tp__loss_number(v, 0), tp__loss_number(v, HUGE_VAL));
    }
    default: return tp_square(v);
    }
}

static bool check_options(tp_tensor at, const tp_constraint *c, double lambda, const tp_penalty_options *o)
{
    bool equality = false;
    for (int k = 0; k < c->parts; k++)
        equality |= c->part[k].equality;
    if (!(lambda >= 0 && lambda < HUGE_VAL))
        tp_fail(at, TP_BAD_ARGUMENT, "lambda must be finite and not negative, but is %g", lambda);
    else if ((unsigned)o->shape > TP_PENALTY_INDICATOR)
        tp_fail(at, TP_BAD_ARGUMENT, "the shape must be one of tp_penalty_shape's, not %d", (int)o->shape);
    else if (!(o->delta >= 0 && o->tolerance >= 0 && o->sharpness >= 0))
        tp_fail(at, TP_BAD_ARGUMENT, "delta, tolerance and sharpness must not be negative");
    else if (o->shape == TP_PENALTY_BARRIER && equality)
        tp_fail(at, TP_BAD_ARGUMENT, "a barrier needs an inside, which an equality does not have");
    else
        return true;
    return false;
}

static tp_tensor record_penalty(tp_tensor at, const tp_constraint *c, double lambda, tp_penalty_options o)
{
    tp_tensor r = {0};

    if (!check_parts(at, c) || !check_options(at, c, lambda, &o) ||
        !tp__loss_option(at, &o.factor, "factor", tp_dtype_of(at)))
        return tp__loss_invalid(at);
    if (o.factor.tape != NULL && tp_count_of(o.factor) != 1)
        return tp_fail(at, TP_BAD_SHAPE, "the factor must be one number");
    for (int k = 0; k < c->parts; k++) {
        const tp_constraint_part part = {.value = tp__loss_here(at, c->part[k].value),
                                         .equality = c->part[k].equality};
        const tp_tensor p = shaped(&part, &o);
        const tp_tensor own = c->part[k].per_row ? tp_sum_over(p, TP_AXES(-1), false) : p;
        r = r.tape != NULL ? tp_add(r, own) : own;
    }
    tp_tensor loss = tp__loss_reduce(r, o.weight, (tp_tensor){0}, o.reduction);
    if (o.factor.tape != NULL)
        loss = tp__loss_weighted(tp_reshape(o.factor, TP_SHAPE_0D), loss);
    return lambda != 0 ? tp_scale(loss, lambda) : tp__loss_weighted(tp__loss_number(at, 0), loss);
}

tp_tensor tp_penalty_at(const char *file, int line, tp_constraint constraint, double lambda,
                        const tp_penalty_options *options)
{
    const tp_tensor made = constraint.part[0].value;
    const tp_tensor at = file != NULL ? tp_locate(made, file, line) : made;

    tp_scope_begin(at.tape, "penalty");
    const tp_tensor loss =
        record_penalty(at, &constraint, lambda, options != NULL ? *options : (tp_penalty_options){0});
    tp_scope_end(at.tape);
    return loss;
}

tp_tensor tp_penalty(tp_constraint constraint, double lambda, const tp_penalty_options *options)
{
    return tp_penalty_at(NULL, 0, constraint, lambda, options);
}

/* ---- Adapting ---------------------------------------------------------------------------------------- */

static tp_tensor record_adaption(tp_tensor factor, tp_constraint c, const tp_adapt_options *o)
{
    const double tolerance = tp__loss_default(o->tolerance, 1e-4), growth = tp__loss_default(o->growth, 2),
                 largest = tp__loss_default(o->largest, 1e6);

    if (!tp__loss_float(factor, factor, "factor"))
        return tp__loss_invalid(factor);
    if (tp_count_of(factor) != 1)
        return tp_fail(factor, TP_BAD_SHAPE, "the factor to adapt must be one number");
    if (!(tolerance > 0 && growth > 1 && largest > 0 && growth < HUGE_VAL && largest < HUGE_VAL))
        return tp_fail(factor, TP_BAD_ARGUMENT,
                       "tolerance and largest must be positive, growth above 1, all finite");
    if (!check_parts(factor, &c))
        return tp__loss_invalid(factor);
    const tp_tensor violation = tp_cast(tp_violation(c), tp_dtype_of(factor));
    const tp_tensor grown = tp_minimum(tp_scale(factor, growth), tp__loss_number(factor, largest));
    const tp_tensor bad = tp_greater(violation, tp__loss_number(factor, tolerance));
    return tp_assign(factor, tp_where(bad, grown, factor));
}

tp_tensor tp_adapt_factor(tp_tensor factor, tp_constraint constraint, const tp_adapt_options *options)
{
    static const tp_adapt_options defaults = {0};

    tp_scope_begin(factor.tape, "adapt_factor");
    const tp_tensor step = record_adaption(factor, constraint, options != NULL ? options : &defaults);
    tp_scope_end(factor.tape);
    return step;
}
