/* adaptive.c -- tp_rmsprop, tp_adagrad, tp_adadelta. */
#include "common.h"

enum { RATE }; /* the scalar of all three */

static void rate_prepare(tp__update *u)
{
    u->scalar[RATE] = u->rate;
}

/* ---- rmsprop ----------------------------------------------------------------------------------------- */

static bool rmsprop_check(tp__update *u)
{
    const tp_rmsprop_options *o = u->options;
    u->slots = 1 + o->centred + (o->momentum != 0);
    return tp__check_fraction(u, tp__given_or(o->alpha, 0), "alpha must be in [0, 1)") &&
           tp__check_not_negative(u, tp__given_or(o->epsilon, 0), "epsilon must not be negative") &&
           tp__check_not_negative(u, o->momentum, "the momentum must not be negative");
}

static tp_tensor rmsprop_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const tp_rmsprop_options *o = u->options;
    const double alpha = tp__given_or(o->alpha, 0.99);
    const int last = u->slots - 1;

    g = tp__decayed(u, g, x);
    s[0] = tp__average_square(s[0], g, alpha);
    if (o->centred)
        s[1] = tp__average(s[1], g, alpha);
    const tp_tensor root = o->centred ? tp_sqrt(tp_relu(tp_sub(s[0], tp_mul(s[1], s[1])))) : tp__root(s[0]);
    tp_tensor d = tp_div(g, tp_add(root, tp_scalar(u->tape, tp__given_or(o->epsilon, 1e-8))));
    if (o->momentum != 0)
        d = s[last] = tp_add(tp_scale(s[last], o->momentum), d);
    return tp__minus(x, tp__scalar_for(u, RATE, x), d);
}

static const tp__rule rmsprop = {"rmsprop", rmsprop_check, rate_prepare, rmsprop_apply};

tp_tensor tp_rmsprop(tp_tensor loss, const tp_tensor *parameters, int n, const tp_rmsprop_options *options)
{
    const tp_rmsprop_options o = options != NULL ? *options : (tp_rmsprop_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 1e-2, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(&rmsprop, loss, parameters, n, &common, &o);
}

/* ---- adagrad ----------------------------------------------------------------------------------------- */

static bool adagrad_check(tp__update *u)
{
    const tp_adagrad_options *o = u->options;
    u->slots = 1;
    u->initial = o->initial;
    return tp__check_not_negative(u, o->rate_decay, "the rate decay must not be negative") &&
           tp__check_not_negative(u, o->initial, "the initial sum must not be negative") &&
           tp__check_not_negative(u, tp__given_or(o->epsilon, 0), "epsilon must not be negative");
}

/* rate / (1 + (t - 1) rate_decay) */
static void adagrad_prepare(tp__update *u)
{
    const tp_adagrad_options *o = u->options;
    const tp_tensor one = tp__number(u, 1), before = tp_sub(u->number, one);
    u->scalar[RATE] =
        o->rate_decay != 0 ? tp_div(u->rate, tp_add(tp_scale(before, o->rate_decay), one)) : u->rate;
}

static tp_tensor adagrad_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const tp_adagrad_options *o = u->options;

    g = tp__decayed(u, g, x);
    s[0] = tp_add(s[0], tp_mul(g, g));
    const tp_tensor size = tp_add(tp__root(s[0]), tp_scalar(u->tape, tp__given_or(o->epsilon, 1e-10)));
    return tp__minus(x, tp__scalar_for(u, RATE, x), tp_div(g, size));
}

static const tp__rule adagrad = {"adagrad", adagrad_check, adagrad_prepare, adagrad_apply};

tp_tensor tp_adagrad(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adagrad_options *options)
{
    const tp_adagrad_options o = options != NULL ? *options : (tp_adagrad_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 1e-2, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(&adagrad, loss, parameters, n, &common, &o);
}

/* ---- adadelta ---------------------------------------------------------------------------------------- */

static bool adadelta_check(tp__update *u)
{
    const tp_adadelta_options *o = u->options;
    u->slots = 2;
    return tp__check_fraction(u, tp__given_or(o->rho, 0), "rho must be in [0, 1)") &&
           tp__check_not_negative(u, o->epsilon, "epsilon must not be negative");
}

static tp_tensor adadelta_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const tp_adadelta_options *o = u->options;
    const double rho = tp__given_or(o->rho, 0.9);
    const tp_tensor epsilon = tp_scalar(u->tape, o->epsilon != 0 ? o->epsilon : 1e-6);

    g = tp__decayed(u, g, x);
    s[0] = tp__average_square(s[0], g, rho);
    const tp_tensor ratio = tp_div(tp_sqrt(tp_add(s[1], epsilon)), tp_sqrt(tp_add(s[0], epsilon)));
    const tp_tensor e = tp_mul(ratio, g);
    s[1] = tp__average_square(s[1], e, rho);
    return tp__minus(x, tp__scalar_for(u, RATE, x), e);
}

static const tp__rule adadelta = {"adadelta", adadelta_check, rate_prepare, adadelta_apply};

tp_tensor tp_adadelta(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adadelta_options *options)
{
    const tp_adadelta_options o = options != NULL ? *options : (tp_adadelta_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 1, o.rate, o.gradients, o.optimiser,
                               o.weight_decay};
    return tp__optimise(&adadelta, loss, parameters, n, &common, &o);
}
