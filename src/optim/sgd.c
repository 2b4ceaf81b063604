/* sgd.c -- tp_sgd, tp_lion. */
#include "common.h"

/* ---- sgd --------------------------------------------------------------------------------------------- */

enum { SGD_RATE, SGD_SHARE }; /* scalars: the gradient's share in the momentum, 1 - d, at first 1 */

static bool sgd_check(tp__update *u)
{
    const tp_sgd_options *o = u->options;
    u->slots = o->momentum != 0;
    if (!tp__check_not_negative(u, o->momentum, "the momentum must not be negative") ||
        !tp__require(u, o->dampening >= 0 && o->dampening <= 1, "the dampening must be in [0, 1]",
                     o->dampening))
        return false;
    if (!o->nesterov || (o->momentum > 0 && o->dampening == 0))
        return true;
    tp_fail(u->at, TP_BAD_ARGUMENT,
            "nesterov needs a momentum and no dampening, but the momentum is %g and the dampening %g",
            o->momentum, o->dampening);
    return false;
}

static void sgd_prepare(tp__update *u)
{
    const tp_sgd_options *o = u->options;
    u->scalar[SGD_RATE] = u->rate;
    if (o->dampening != 0)
        u->scalar[SGD_SHARE] = tp_where(tp_equal(u->number, tp__number(u, 1)), tp__number(u, 1),
                                        tp__number(u, 1 - o->dampening));
}

static tp_tensor sgd_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const tp_sgd_options *o = u->options;

    g = tp__decayed(u, g, x);
    if (o->momentum != 0) {
        const tp_tensor share = o->dampening != 0 ? tp_mul(g, tp__scalar_for(u, SGD_SHARE, x)) : g;
        s[0] = tp_add(tp_scale(s[0], o->momentum), share);
        g = o->nesterov ? tp_add(g, tp_scale(s[0], o->momentum)) : s[0];
    }
    return tp__minus(x, tp__scalar_for(u, SGD_RATE, x), g);
}

static const tp__rule sgd = {"sgd", sgd_check, sgd_prepare, sgd_apply};

tp_tensor tp_sgd(tp_tensor loss, const tp_tensor *parameters, int n, const tp_sgd_options *options)
{
    const tp_sgd_options o = options != NULL ? *options : (tp_sgd_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 1e-3, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(&sgd, loss, parameters, n, &common, &o);
}

/* ---- lion -------------------------------------------------------------------------------------------- */

enum { LION_RATE, LION_KEPT }; /* scalars: 1 - rate w */

static bool lion_check(tp__update *u)
{
    const tp_lion_options *o = u->options;
    u->slots = 1;
    return tp__check_fraction(u, tp__given_or(o->beta1, 0), "beta1 must be in [0, 1)") &&
           tp__check_fraction(u, tp__given_or(o->beta2, 0), "beta2 must be in [0, 1)");
}

static void lion_prepare(tp__update *u)
{
    u->scalar[LION_RATE] = u->rate;
    u->scalar[LION_KEPT] = tp__one_minus(u, tp_scale(u->rate, u->common.weight_decay));
}

static tp_tensor lion_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const tp_lion_options *o = u->options;
    const tp_tensor direction = tp_sign(tp__average(s[0], g, tp__given_or(o->beta1, 0.9)));
    const tp_tensor kept = u->common.weight_decay != 0 ? tp_mul(x, tp__scalar_for(u, LION_KEPT, x)) : x;

    s[0] = tp__average(s[0], g, tp__given_or(o->beta2, 0.99));
    return tp__minus(kept, tp__scalar_for(u, LION_RATE, x), direction);
}

static const tp__rule lion = {"lion", lion_check, lion_prepare, lion_apply};

tp_tensor tp_lion(tp_tensor loss, const tp_tensor *parameters, int n, const tp_lion_options *options)
{
    const tp_lion_options o = options != NULL ? *options : (tp_lion_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 1e-4, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(&lion, loss, parameters, n, &common, &o);
}
