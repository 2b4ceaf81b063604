/* constraints_lagrangian.c -- augmented Lagrangians, their update, and how far a point is from the Karush-Kuhn-Tucker
 * conditions. */
#include <math.h>

#include <tapir/constraints.h>

#include "common.h"

/* ---- One part ---------------------------------------------------------------------------------------- */

static bool check_term(tp_tensor c, tp_tensor *multiplier, tp_tensor *rho)
{
    const tp_shape shape = tp_shape_of(c);

    if (!tp__loss_float(c, c, "constraint") || !tp__loss_operand(c, *multiplier, "multiplier") ||
        !tp__loss_operand(c, *rho, "rho") || !tp__loss_option(c, multiplier, "multiplier", tp_dtype_of(c)) ||
        !tp__loss_option(c, rho, "rho", tp_dtype_of(c)) ||
        !tp__loss_fits(c, *multiplier, "multiplier", &shape))
        return false;
    if (tp_count_of(*rho) != 1)
        tp_fail(c, TP_BAD_SHAPE, "rho must be one number");
    else
        *rho = tp_reshape(*rho, TP_SHAPE_0D);
    return tp_count_of(*rho) == 1;
}

/* sum(multiplier * x) + rho / 2 sum(x^2): with the factor outside, its derivative is one product and a sum. */
static tp_tensor weighted_with_squares(tp_tensor x, tp_tensor multiplier, tp_tensor rho)
{
    return tp_add(tp_sum(tp_mul(multiplier, x)), tp_mul(tp_sum(tp_square(x)), tp_scale(rho, 0.5)));
}

static tp_tensor equality_term(tp_tensor h, tp_tensor lambda, tp_tensor rho)
{
    return weighted_with_squares(h, lambda, rho);
}

/* (max(0, mu + rho g)^2 - mu^2) / (2 rho) multiplied out: mu s + rho s^2 / 2 with s = max(g, -mu / rho).  A difference of squares
 * would lose digits.  At the tie the derivative by s is 0 whichever side it takes. */
static tp_tensor inequality_term(tp_tensor g, tp_tensor mu, tp_tensor rho)
{
    const tp_tensor idle = tp_mul(mu, tp_div(tp_scalar(mu.tape, -1), rho)); /* one division, not one each */
    const tp_tensor s = tp_where(tp_greater(g, idle), g, idle);
    return weighted_with_squares(s, mu, rho);
}

tp_tensor tp_augmented_equality(tp_tensor h, tp_tensor multiplier, tp_tensor rho)
{
    tp_scope_begin(h.tape, "augmented_equality");
    const bool fine = check_term(h, &multiplier, &rho);
    const tp_tensor term = fine ? equality_term(h, multiplier, rho) : tp__loss_invalid(h);
    tp_scope_end(h.tape);
    return term;
}

tp_tensor tp_augmented_inequality(tp_tensor g, tp_tensor multiplier, tp_tensor rho)
{
    tp_scope_begin(g.tape, "augmented_inequality");
    const bool fine = check_term(g, &multiplier, &rho);
    const tp_tensor term = fine ? inequality_term(g, multiplier, rho) : tp__loss_invalid(g);
    tp_scope_end(g.tape);
    return term;
}

/* ---- All of them ------------------------------------------------------------------------------------- */

/* Options with the defaults filled in. */
typedef struct settings {
    double rho, growth, progress, largest, bound;
} settings;

static bool check_settings(tp_tensor at, const tp_augmented_options *o, settings *s)
{
    *s = (settings){tp__loss_default(o->rho, 10), tp__loss_default(o->growth, 4),
                    tp__loss_default(o->progress, 0.25), tp__loss_default(o->largest_rho, 1e8),
                    tp__loss_default(o->multiplier_bound, 1e10)};
    if (s->rho > 0 && s->growth > 1 && s->growth < HUGE_VAL && s->progress > 0 && s->progress < 1 &&
        s->largest >= s->rho && s->largest < HUGE_VAL && s->bound > 0 && s->bound < HUGE_VAL)
        return true;
    tp_fail(
        at, TP_BAD_ARGUMENT,
        "rho and multiplier_bound must be positive, growth above 1, progress in (0, 1), largest_rho not below "
        "rho, all finite");
    return false;
}

/* Every constraint is alive and of the objective's dtype.  With `multipliers` each part has one of its shape, too. */
static bool check_constraints(tp_tensor at, const tp_constraint *c, int n, bool multipliers)
{
    if (n < 1 || c == NULL) {
        tp_fail(at, TP_BAD_ARGUMENT, "at least one constraint is needed, not %d", n);
        return false;
    }
    for (int k = 0; k < n; k++) {
        if (c[k].parts < 1 || c[k].parts > 2) {
            tp_fail(at, TP_BAD_ARGUMENT,
                    "constraint %d is not one that a function of tapir/constraints.h made", k);
            return false;
        }
        for (int j = 0; j < c[k].parts; j++) {
            tp_tensor value = c[k].part[j].value, multiplier = c[k].part[j].multiplier;
            if (!tp__loss_operand(at, value, "constraint") ||
                !tp__loss_option(at, &value, "constraint", tp_dtype_of(at)))
                return false;
            if (multipliers && !tp__loss_operand(at, multiplier, "multiplier"))
                return false;
        }
    }
    return true;
}

static tp_tensor new_leaf(tp_tensor at, tp_shape shape, double value)
{
    const float narrow = (float)value;
    const bool f32 = tp_dtype_of(at) == TP_F32;
    tp_tape *tape = at.file != NULL ? tp_locate_tape(at.tape, at.file, at.line) : at.tape;
    return tp_parameter(tape, tp_dtype_of(at), shape,
                        value == 0 ? NULL
                        : f32      ? (const void *)&narrow
                                   : (const void *)&value);
}

/* lambda + rho h, or max(0, mu + rho g), kept inside the bound. */
static tp_tensor next_multiplier(const tp_constraint_part *p, tp_tensor rho, double bound)
{
    const tp_tensor next = tp_add(p->multiplier, tp_mul(rho, p->value));
    return tp_clamp(next, p->equality ? -bound : 0, bound);
}

/* |h|, or |max(g, -mu / rho)|: not 0 either where an inactive constraint still has a multiplier. */
static tp_tensor missed(const tp_constraint_part *p, tp_tensor rho)
{
    if (p->equality)
        return tp_abs(p->value);
    return tp_abs(tp_maximum(p->value, tp_neg(tp_div(p->multiplier, rho))));
}

static tp_tensor larger(tp_tensor so_far, tp_tensor x)
{
    return tp_count_of(x) > 0 ? tp_maximum(so_far, tp_max(x)) : so_far;
}

/* The assignments are chained two by two, so that there is no limit to how many there are. */
static tp_tensor also(tp_tensor steps, tp_tensor leaf, tp_tensor value)
{
    const tp_tensor both[] = {steps, tp_assign(leaf, value)};
    return steps.tape != NULL ? tp_group(both, 2) : both[1];
}

static void record_lagrangian(tp_constraint *c, int n, const settings *s, tp_lagrangian *l)
{
    const tp_tensor at = l->objective;

    l->rho = new_leaf(at, TP_SHAPE_0D, s->rho);
    l->previous = new_leaf(at, TP_SHAPE_0D, HUGE_VAL);
    l->violation = tp__loss_number(at, 0);
    l->loss = tp_reshape(at, TP_SHAPE_0D);
    for (int k = 0; k < n; k++)
        for (int j = 0; j < c[k].parts; j++) {
            tp_constraint_part *p = &c[k].part[j];
            p->value = tp__loss_here(at, p->value);
            p->multiplier = new_leaf(at, tp_shape_of(p->value), 0);
            const tp_tensor term = p->equality ? equality_term(p->value, p->multiplier, l->rho)
                                               : inequality_term(p->value, p->multiplier, l->rho);
            l->loss = tp_add(l->loss, term);
            l->violation = larger(l->violation, missed(p, l->rho));
            l->step = also(l->step, p->multiplier, next_multiplier(p, l->rho, s->bound));
        }
    const tp_tensor fell = tp_less_equal(l->violation, tp_scale(l->previous, s->progress));
    const tp_tensor grown = tp_minimum(tp_scale(l->rho, s->growth), tp__loss_number(at, s->largest));
    l->step = also(l->step, l->rho, tp_where(fell, l->rho, grown));
    l->step = also(l->step, l->previous, l->violation);
}

tp_tensor tp_augmented_lagrangian(tp_tensor objective, tp_constraint *constraints, int n,
                                  const tp_augmented_options *options, tp_lagrangian *out)
{
    static const tp_augmented_options defaults = {0};
    const tp_tensor invalid = tp__loss_invalid(objective);
    tp_lagrangian l = {.objective = objective};
    settings s;

    tp_scope_begin(objective.tape, "augmented_lagrangian");
    bool fine = tp__loss_float(objective, objective, "objective");
    if (fine && tp_count_of(objective) != 1) {
        tp_fail(objective, TP_BAD_SHAPE, "the objective must be one number");
        fine = false;
    }
    if (fine && out == NULL) {
        tp_fail(objective, TP_BAD_ARGUMENT, "a place for the result is needed, not NULL");
        fine = false;
    }
    fine = fine && check_constraints(objective, constraints, n, false) &&
           check_settings(objective, options != NULL ? options : &defaults, &s);
    if (fine)
        record_lagrangian(constraints, n, &s, &l);
    else
        l = (tp_lagrangian){invalid, invalid, invalid, invalid, invalid, invalid};
    tp_scope_end(objective.tape);
    if (out != NULL)
        *out = l;
    return l.loss;
}

/* ---- Karush-Kuhn-Tucker ------------------------------------------------------------------------------ */

enum { AT_ONCE = 16, OVERALL = 2, PER_CONSTRAINT = 3 };

/* The largest |d loss / d parameter|. */
static tp_tensor largest_slope(tp_tensor loss, const tp_tensor *parameters, int m)
{
    tp_tensor worst = tp__loss_number(loss, 0), g[AT_ONCE];

    for (int from = 0; from < m; from += AT_ONCE) {
        const int here = m - from < AT_ONCE ? m - from : AT_ONCE;
        if (tp_gradient(loss, parameters + from, here, g) != TP_OK)
            return tp__loss_invalid(loss);
        for (int k = 0; k < here; k++)
            worst = larger(worst, tp_cast(tp_abs(g[k]), tp_dtype_of(loss)));
    }
    return worst;
}

/* Adds the parts' sums to what will be differentiated, and appends the constraint's three numbers to `row`. */
static tp_tensor one_constraint(tp_tensor row, const tp_constraint *c, tp_tensor *lagrangian,
                                tp_tensor *squares)
{
    const tp_tensor zero = tp__loss_number(*lagrangian, 0);
    tp_tensor violation = zero, multiplier = zero, complementarity = zero;

    for (int j = 0; j < c->parts; j++) {
        const tp_constraint_part *p = &c->part[j];
        const tp_tensor value = tp__loss_here(*lagrangian, p->value);
        const tp_tensor v = p->equality ? value : tp_relu(value);
        *lagrangian = tp_add(*lagrangian, tp_sum(tp_mul(p->multiplier, value)));
        *squares = tp_add(*squares, tp_scale(tp_sum(tp_square(v)), 0.5));
        violation = larger(violation, tp_abs(v));
        multiplier = larger(multiplier, tp_abs(p->multiplier));
        if (!p->equality)
            complementarity = larger(complementarity, tp_abs(tp_mul(p->multiplier, value)));
    }
    const tp_tensor four[] = {row, tp_reshape(violation, TP_SHAPE(1)), tp_reshape(multiplier, TP_SHAPE(1)),
                              tp_reshape(complementarity, TP_SHAPE(1))};
    return row.tape != NULL ? tp_concat(four, 4, 0) : tp_concat(four + 1, 3, 0);
}

static tp_tensor record_kkt(const tp_lagrangian *l, const tp_constraint *c, int n,
                            const tp_tensor *parameters, int m)
{
    const tp_tensor at = l->objective;
    tp_tensor rows = {0}, lagrangian = tp_reshape(at, TP_SHAPE_0D), squares = tp__loss_number(at, 0);

    if (!tp__loss_float(at, at, "objective") || !check_constraints(at, c, n, true))
        return tp__loss_invalid(at);
    if (m < 1 || parameters == NULL)
        return tp_fail(at, TP_BAD_ARGUMENT, "at least one parameter is needed, not %d", m);
    for (int k = 0; k < n; k++)
        rows = one_constraint(rows, &c[k], &lagrangian, &squares);
    const tp_tensor all[] = {tp_reshape(largest_slope(lagrangian, parameters, m), TP_SHAPE(1)),
                             tp_reshape(largest_slope(squares, parameters, m), TP_SHAPE(1)), rows};
    return tp_cast(tp_concat(all, 3, 0), TP_F64);
}

tp_tensor tp_kkt(const tp_lagrangian *lagrangian, const tp_constraint *constraints, int n,
                 const tp_tensor *parameters, int m)
{
    if (lagrangian == NULL)
        return (tp_tensor){0};
    tp_scope_begin(lagrangian->objective.tape, "kkt");
    const tp_tensor kkt = record_kkt(lagrangian, constraints, n, parameters, m);
    tp_scope_end(lagrangian->objective.tape);
    return kkt;
}

tp_status tp_kkt_read(tp_tensor kkt, const tp_constraint *constraints, int n, double tolerance,
                      tp_constraint_report *row, tp_kkt_report *report)
{
    const double *x = tp_values(kkt, TP_F64);
    tp_kkt_report all = {0};

    if (x == NULL)
        return kkt.tape != NULL ? tp_tape_status(kkt.tape) : TP_BAD_HANDLE;
    if (n < 1 || constraints == NULL || tp_count_of(kkt) != OVERALL + (int64_t)PER_CONSTRAINT * n) {
        tp_fail(kkt, TP_BAD_ARGUMENT, "kkt_read: the number of constraints, %d, is not what was recorded", n);
        return TP_BAD_ARGUMENT;
    }
    all.stationarity = x[0];
    all.infeasibility = x[1];
    x += OVERALL;
    for (int k = 0; k < n; k++, x += PER_CONSTRAINT) {
        if (row != NULL)
            row[k] = (tp_constraint_report){constraints[k].name, x[0], x[1], x[2], fmax(x[0], x[2])};
        all.violation = fmax(all.violation, x[0]);
        all.complementarity = fmax(all.complementarity, x[2]);
    }
    all.residual = fmax(all.stationarity, fmax(all.violation, all.complementarity));
    all.stuck = all.violation > tolerance && all.infeasibility <= 1e-3 * all.violation;
    if (report != NULL)
        *report = all;
    return TP_OK;
}
