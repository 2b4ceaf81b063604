/* common.c -- checks arguments, takes the gradient, applies a rule to every parameter, groups the assignments. */
#include <math.h>
#include <string.h>

#include "common.h"

/* ---- Checks ------------------------------------------------------------------------------------------ */

bool tp__check_handle(tp_tensor at, tp_tensor x, const char *what, int k)
{
    const char *fault = tp_handle_fault(at.tape, x);
    char name[32];

    if (fault == NULL || (x.tape == at.tape && x.id < 0))
        return fault == NULL;
    snprintf(name, sizeof name, k >= 0 ? "%s %d" : "%s", what, k);
    tp_fail(at, TP_BAD_HANDLE, "the %s %s", name, fault);
    return false;
}

bool tp__is_float(tp_tensor x)
{
    return tp_dtype_of(x) == TP_F32 || tp_dtype_of(x) == TP_F64;
}

tp_tensor tp__at_place(tp_tensor x, tp_tensor at)
{
    return at.file != NULL ? tp_locate(x, at.file, at.line) : x;
}

static bool check_parameter(const tp__update *u, const tp_tensor *parameters, int k)
{
    const tp_tensor x = parameters[k];
    if (!tp__check_handle(u->at, x, "parameter", k))
        return false;
    if (strcmp(tp_op_of(x)->name, "parameter") != 0) {
        tp_fail(u->at, TP_BAD_ARGUMENT, "the parameter %d is made by %s, but must be made by tp_parameter", k,
                tp_op_of(x)->name);
        return false;
    }
    if (!tp__is_float(x)) {
        tp_fail(u->at, TP_BAD_DTYPE, "the parameter %d is %s, but must be f32 or f64", k,
                tp_dtype_name(tp_dtype_of(x)));
        return false;
    }
    for (int j = 0; j < k; j++)
        if (parameters[j].id == x.id) {
            tp_fail(u->at, TP_BAD_ARGUMENT, "the parameter %d is the parameter %d again", k, j);
            return false;
        }
    return true;
}

static bool check_gradient(const tp__update *u, tp_tensor x, int k)
{
    const tp_tensor g = u->common.gradients[k];
    if (!tp__check_handle(u->at, g, "gradient", k))
        return false;
    const tp_shape is = tp_shape_of(g), wanted = tp_shape_of(x);
    const bool same_dtype = tp_dtype_of(g) == tp_dtype_of(x);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (same_dtype && tp_shape_equal(is, wanted))
        return true;
    tp_fail(u->at, same_dtype ? TP_BAD_SHAPE : TP_BAD_DTYPE, "the gradient %d is %s, but its parameter is %s",
            k, tp_describe(tp_dtype_of(g), &is, got), tp_describe(tp_dtype_of(x), &wanted, expected));
    return false;
}

bool tp__check_tensors(const tp__update *u, tp_tensor loss, const tp_tensor *parameters, int n)
{
    if (parameters == NULL || n <= 0) {
        tp_fail(u->at, TP_BAD_ARGUMENT, "there are no parameters");
        return false;
    }
    if (u->common.gradients == NULL && !tp__check_handle(u->at, loss, "loss", -1))
        return false;
    for (int k = 0; k < n; k++)
        if (!check_parameter(u, parameters, k))
            return false;
    for (int k = 0; u->common.gradients != NULL && k < n; k++)
        if (!check_gradient(u, parameters[k], k))
            return false;
    return true;
}

bool tp__require(const tp__update *u, bool holds, const char *wanted, double value)
{
    if (!holds)
        tp_fail(u->at, TP_BAD_ARGUMENT, "%s, not %g", wanted, value);
    return holds;
}

bool tp__check_fraction(const tp__update *u, double value, const char *wanted)
{
    return tp__require(u, value >= 0 && value < 1, wanted, value);
}

bool tp__check_not_negative(const tp__update *u, double value, const char *wanted)
{
    return tp__require(u, value >= 0 && value < HUGE_VAL, wanted, value);
}

double tp__given_or(tp_optional_number number, double otherwise)
{
    return number.given ? number.value : otherwise;
}

/* ---- Leaves ------------------------------------------------------------------------------------------ */

static void fill(tp_tensor leaf, double value)
{
    const tp_dtype dtype = tp_dtype_of(leaf);
    const int64_t n = tp_count_of(leaf);
    void *data = tp_is_valid(leaf) ? tp_leaf_data(leaf, dtype) : NULL;

    for (int64_t i = 0; data != NULL && i < n; i++)
        if (dtype == TP_F32)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
}

tp_tensor tp__new_leaf(const tp__update *u, tp_dtype dtype, tp_shape shape, double initial)
{
    const tp_tensor leaf = tp_parameter(tp_locate_tape(u->tape, u->at.file, u->at.line), dtype, shape, NULL);
    if (initial != 0)
        fill(leaf, initial);
    return leaf;
}

void tp__assign(tp__update *u, tp_tensor leaf, tp_tensor value)
{
    if (u->assignments == TP__CHUNK) {
        u->assignment[0] = tp_group(u->assignment, TP__CHUNK);
        u->assignments = 1;
    }
    u->assignment[u->assignments++] = tp_assign(leaf, value);
}

tp_tensor tp__new_scalar(tp__update *u, double initial)
{
    u->scalars++;
    return tp__new_leaf(u, TP_F64, TP_SHAPE_0D, initial);
}

/* The learning rate as it is used; made->rate as the user sees it. */
static bool take_rate(tp__update *u, tp_optimiser *made)
{
    const tp__common *c = &u->common;
    tp_tensor rate = c->rate;

    if (rate.tape == NULL) {
        if (!tp__require(u, c->learning_rate > 0 && c->learning_rate < HUGE_VAL,
                         "the learning rate must be positive", c->learning_rate))
            return false;
        rate = tp__new_leaf(u, TP_F64, TP_SHAPE_0D, c->learning_rate);
    } else if (!tp__check_handle(u->at, rate, "rate", -1)) {
        return false;
    }
    if (tp_dtype_of(rate) == TP_I32 || tp_shape_of(rate).rank != 0) {
        const tp_shape shape = tp_shape_of(rate);
        char text[TP_TEXT_SIZE];
        tp_fail(u->at, tp_dtype_of(rate) == TP_I32 ? TP_BAD_DTYPE : TP_BAD_SHAPE,
                "the rate is %s, but must be one number: 0-d, f32 or f64",
                tp_describe(tp_dtype_of(rate), &shape, text));
        return false;
    }
    made->rate = rate;
    u->rate = tp_cast(tp__at_place(rate, u->at), TP_F64);
    return tp_is_valid(u->rate);
}

/* ---- Numbers ----------------------------------------------------------------------------------------- */

tp_tensor tp__number(const tp__update *u, double value)
{
    return tp_scalar_of(u->tape, TP_F64, value);
}

tp_tensor tp__one_minus(const tp__update *u, tp_tensor x)
{
    return tp_sub(tp__number(u, 1), x);
}

tp_tensor tp__power(const tp__update *u, double base, tp_tensor exponent)
{
    return base > 0 ? tp_exp(tp_scale(exponent, log(base))) : tp__number(u, 0);
}

/* 1 - beta^t loses digits where beta^t is near 1, that is in the first steps. */
tp_tensor tp__bias(const tp__update *u, double beta)
{
    return beta > 0 ? tp_neg(tp_expm1(tp_scale(u->number, log(beta)))) : tp__number(u, 1);
}

tp_tensor tp__scalar_for(const tp__update *u, int k, tp_tensor x)
{
    return tp_cast(u->scalar[k], tp_dtype_of(x));
}

/* ---- Pieces of rules --------------------------------------------------------------------------------- */

tp_tensor tp__decayed(const tp__update *u, tp_tensor g, tp_tensor x)
{
    return u->common.weight_decay != 0 ? tp_add(g, tp_scale(x, u->common.weight_decay)) : g;
}

tp_tensor tp__average(tp_tensor m, tp_tensor g, double beta)
{
    return tp_add(tp_scale(m, beta), tp_scale(g, 1 - beta));
}

/* As v + (1 - beta) (g g - v), two instructions instead of three.  Never negative: (1 - beta) v rounds to at most v. */
tp_tensor tp__average_square(tp_tensor v, tp_tensor g, double beta)
{
    return tp_add(v, tp_scale(tp_sub(tp_mul(g, g), v), 1 - beta));
}

/* An element whose gradients were all 0 has v = 0, where the root's derivative is infinite: to second order it would meet
 * that of g^2, which is 0.  As for a norm, the derivative there is 0. */
tp_tensor tp__root(tp_tensor v)
{
    const tp_tensor zero = tp_scalar(v.tape, 0);
    return tp_where(tp_equal(v, zero), zero, tp_sqrt(v));
}

tp_tensor tp__minus(tp_tensor x, tp_tensor factor, tp_tensor d)
{
    return tp_sub(x, tp_mul(factor, d));
}

/* ---- Recording --------------------------------------------------------------------------------------- */

static void update_parameter(tp__update *u, const tp__rule *rule, tp_tensor x, tp_tensor g)
{
    tp_tensor leaf[TP__MOST_SLOTS], state[TP__MOST_SLOTS];

    for (int s = 0; s < u->slots; s++)
        state[s] = leaf[s] = tp__new_leaf(u, tp_dtype_of(x), tp_shape_of(x), s == 0 ? u->initial : 0);
    x = tp__at_place(x, u->at);
    const tp_tensor y = rule->apply(u, x, tp__at_place(g, u->at), state);
    tp__assign(u, x, y);
    for (int s = 0; s < u->slots; s++)
        tp__assign(u, leaf[s], state[s]);
}

/* The public headers give no memory, so long lists of gradients are taken in parts; equal nodes are merged. */
static bool update_parameters(tp__update *u, const tp__rule *rule, tp_tensor loss,
                              const tp_tensor *parameters, int n)
{
    tp_tensor g[TP__SWEEP];
    for (int first = 0; first < n; first += TP__SWEEP) {
        const int count = n - first < TP__SWEEP ? n - first : TP__SWEEP;
        if (u->common.gradients != NULL)
            memcpy(g, u->common.gradients + first, (size_t)count * sizeof *g);
        else if (tp_gradient(loss, parameters + first, count, g) != TP_OK)
            return false;
        for (int k = 0; k < count; k++)
            update_parameter(u, rule, parameters[first + k], g[k]);
    }
    return true;
}

static tp_tensor record(tp__update *u, const tp__rule *rule, tp_tensor loss, const tp_tensor *parameters,
                        int n, tp_optimiser *made)
{
    const tp_tensor invalid = {.tape = u->tape, .id = -1};
    if (!tp__check_tensors(u, loss, parameters, n) ||
        !tp__check_not_negative(u, u->common.weight_decay, "the weight decay must not be negative") ||
        !rule->check(u) || !take_rate(u, made))
        return invalid;
    made->count = tp__new_scalar(u, 0);
    u->number = tp_add(made->count, tp__number(u, 1));
    tp__assign(u, made->count, u->number);
    if (rule->prepare != NULL)
        rule->prepare(u);
    if (!update_parameters(u, rule, loss, parameters, n))
        return invalid;
    made->parameters = n;
    made->slots = u->slots;
    made->scalars = u->scalars;
    return tp_group(u->assignment, u->assignments);
}

tp_tensor tp__find_place(tp_tensor loss, const tp_tensor *parameters, int n, const tp_tensor *gradients)
{
    tp_tensor at = loss;
    for (int k = 0; at.tape == NULL && parameters != NULL && k < n; k++)
        at = parameters[k];
    for (int k = 0; at.tape == NULL && gradients != NULL && k < n; k++)
        at = gradients[k];
    return loss.file != NULL ? tp_locate(at, loss.file, loss.line) : at;
}

tp_tensor tp__optimise(const tp__rule *rule, tp_tensor loss, const tp_tensor *parameters, int n,
                       const tp__common *common, const void *options)
{
    const tp_tensor at = tp__find_place(loss, parameters, n, common->gradients);
    tp__update u = {.tape = at.tape, .at = at, .options = options, .common = *common};
    tp_optimiser made = {.step = {.tape = at.tape, .id = -1}};

    if (at.tape != NULL) {
        tp_scope_begin(at.tape, rule->name);
        made.step = record(&u, rule, loss, parameters, n, &made);
        tp_scope_end(at.tape);
    }
    if (!tp_is_valid(made.step)) /* nothing half made */
        made = (tp_optimiser){.step = {.tape = at.tape, .id = at.tape != NULL ? -1 : 0}};
    if (common->optimiser != NULL)
        *common->optimiser = made;
    return made.step;
}
