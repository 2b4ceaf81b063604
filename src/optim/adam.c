/* adam.c -- tp_adam, tp_adamw, tp_adamax, tp_radam, tp_nadam.
 *
 * What depends on t alone is one number for all elements.  Dividing sqrt(v) by s = sqrt(1 - beta2^t) is left out, and
 * epsilon and the learning rate are multiplied by s instead.
 */
#include <math.h>

#include "common.h"

/* Checked options that this family shares. */
typedef struct moments {
    double beta1, beta2, epsilon;
} moments;

static moments moments_of(tp_optional_number beta1, tp_optional_number beta2, tp_optional_number epsilon)
{
    return (moments){tp__given_or(beta1, 0.9), tp__given_or(beta2, 0.999), tp__given_or(epsilon, 1e-8)};
}

static bool check_moments(const tp__update *u, moments m)
{
    return tp__check_fraction(u, m.beta1, "beta1 must be in [0, 1)") &&
           tp__check_fraction(u, m.beta2, "beta2 must be in [0, 1)") &&
           tp__check_not_negative(u, m.epsilon, "epsilon must not be negative");
}

/* ---- adam, adamw ------------------------------------------------------------------------------------- */

enum { ADAM_RATE, ADAM_EPSILON, ADAM_KEPT }; /* scalars: rate s / (1 - beta1^t), epsilon s, 1 - rate w */

/* adamw's w, which is not in the common part: there it would decay the gradient. */
typedef struct adam_options {
    tp_adam_options of;
    double decay;
} adam_options;

static moments adam_moments(const tp__update *u)
{
    const tp_adam_options *o = &((const adam_options *)u->options)->of;
    return moments_of(o->beta1, o->beta2, o->epsilon);
}

static bool adam_check(tp__update *u)
{
    const adam_options *o = u->options;
    u->slots = o->of.amsgrad ? 3 : 2;
    return check_moments(u, adam_moments(u)) &&
           tp__check_not_negative(u, o->decay, "the weight decay must not be negative");
}

static void adam_prepare(tp__update *u)
{
    const adam_options *o = u->options;
    const moments m = adam_moments(u);
    const tp_tensor s = tp_sqrt(tp__bias(u, m.beta2));

    u->scalar[ADAM_RATE] = tp_div(tp_mul(u->rate, s), tp__bias(u, m.beta1));
    u->scalar[ADAM_EPSILON] = tp_scale(s, m.epsilon);
    u->scalar[ADAM_KEPT] = tp__one_minus(u, tp_scale(u->rate, o->decay));
}

static tp_tensor adam_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const adam_options *o = u->options;
    const moments m = adam_moments(u);

    g = tp__decayed(u, g, x);
    s[0] = tp__average(s[0], g, m.beta1);
    s[1] = tp__average_square(s[1], g, m.beta2);
    if (o->of.amsgrad)
        s[2] = tp_maximum(s[2], s[1]);
    const tp_tensor size = tp_add(tp__root(s[o->of.amsgrad ? 2 : 1]), tp__scalar_for(u, ADAM_EPSILON, x));
    const tp_tensor kept = o->decay != 0 ? tp_mul(x, tp__scalar_for(u, ADAM_KEPT, x)) : x;
    return tp__minus(kept, tp__scalar_for(u, ADAM_RATE, x), tp_div(s[0], size));
}

static const tp__rule adam = {"adam", adam_check, adam_prepare, adam_apply};
static const tp__rule adamw = {"adamw", adam_check, adam_prepare, adam_apply};

static tp_tensor record_adam(const tp__rule *rule, tp_tensor loss, const tp_tensor *parameters, int n,
                             const tp_adam_options *options, bool decoupled)
{
    adam_options o = {.of = options != NULL ? *options : (tp_adam_options){0}};
    tp__common common = {o.of.learning_rate != 0 ? o.of.learning_rate : 1e-3, o.of.rate, o.of.gradients,
                         o.of.optimiser, o.of.weight_decay};
    if (decoupled) {
        o.decay = common.weight_decay != 0 ? common.weight_decay : 0.01;
        common.weight_decay = 0;
    }
    return tp__optimise(rule, loss, parameters, n, &common, &o);
}

tp_tensor tp_adam(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adam_options *options)
{
    return record_adam(&adam, loss, parameters, n, options, false);
}

tp_tensor tp_adamw(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adam_options *options)
{
    return record_adam(&adamw, loss, parameters, n, options, true);
}

/* ---- adamax ------------------------------------------------------------------------------------------ */

enum { ADAMAX_RATE }; /* scalar: rate / (1 - beta1^t) */

static moments adamax_moments(const tp__update *u)
{
    const tp_adamax_options *o = u->options;
    return moments_of(o->beta1, o->beta2, o->epsilon);
}

static bool adamax_check(tp__update *u)
{
    u->slots = 2;
    return check_moments(u, adamax_moments(u));
}

static void adamax_prepare(tp__update *u)
{
    u->scalar[ADAMAX_RATE] = tp_div(u->rate, tp__bias(u, adamax_moments(u).beta1));
}

static tp_tensor adamax_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const moments m = adamax_moments(u);

    g = tp__decayed(u, g, x);
    s[0] = tp__average(s[0], g, m.beta1);
    s[1] = tp_maximum(tp_scale(s[1], m.beta2), tp_add(tp_abs(g), tp_scalar(u->tape, m.epsilon)));
    return tp__minus(x, tp__scalar_for(u, ADAMAX_RATE, x), tp_div(s[0], s[1]));
}

static const tp__rule adamax = {"adamax", adamax_check, adamax_prepare, adamax_apply};

static tp_tensor record_adamax(const tp__rule *rule, tp_tensor loss, const tp_tensor *parameters, int n,
                               const tp_adamax_options *options, double default_rate)
{
    const tp_adamax_options o = options != NULL ? *options : (tp_adamax_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : default_rate, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(rule, loss, parameters, n, &common, &o);
}

tp_tensor tp_adamax(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adamax_options *options)
{
    return record_adamax(&adamax, loss, parameters, n, options, 2e-3);
}

/* ---- radam ------------------------------------------------------------------------------------------- */

/* Scalars: is r > 5; the factor of m / size, size being sqrt(v) + epsilon if so, else 1. */
enum { RADAM_RECTIFIED, RADAM_RATE };

/* sqrt((r - 4) (r - 2) q / ((q - 4) (q - 2) r)) sqrt(1 - beta2^t) for r > 5 */
static tp_tensor rectification(const tp__update *u, tp_tensor r, double q, tp_tensor bias)
{
    const tp_tensor two = tp__number(u, 2), four = tp__number(u, 4);
    const tp_tensor ratio = tp_div(tp_mul(tp_sub(r, four), tp_sub(r, two)), r);
    return tp_sqrt(tp_mul(tp_scale(ratio, q / ((q - 4) * (q - 2))), bias));
}

static void radam_prepare(tp__update *u)
{
    const moments m = adamax_moments(u);
    const double q = 2 / (1 - m.beta2) - 1;
    const tp_tensor bias = tp__bias(u, m.beta2), five = tp__number(u, 5);
    const tp_tensor step = tp_div(u->rate, tp__bias(u, m.beta1));

    u->scalar[RADAM_RECTIFIED] = tp__number(u, 0);
    u->scalar[RADAM_RATE] = step;
    if (!(q > 5)) /* nor will r ever be: it grows towards q */
        return;
    const tp_tensor power = tp_mul(u->number, tp__power(u, m.beta2, u->number));
    const tp_tensor r = tp_sub(tp__number(u, q), tp_scale(tp_div(power, bias), 2));
    const tp_tensor rectified = tp_greater(r, five);
    const tp_tensor factor =
        rectification(u, tp_where(rectified, r, five), q, bias); /* no root of what is < 0 */

    u->scalar[RADAM_RECTIFIED] = rectified;
    u->scalar[RADAM_RATE] = tp_where(rectified, tp_mul(step, factor), step);
}

static tp_tensor radam_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const moments m = adamax_moments(u);

    g = tp__decayed(u, g, x);
    s[0] = tp__average(s[0], g, m.beta1);
    s[1] = tp__average_square(s[1], g, m.beta2);
    const tp_tensor size =
        tp_where(tp__scalar_for(u, RADAM_RECTIFIED, x), tp_add(tp__root(s[1]), tp_scalar(u->tape, m.epsilon)),
                 tp_scalar(u->tape, 1));
    return tp__minus(x, tp__scalar_for(u, RADAM_RATE, x), tp_div(s[0], size));
}

static const tp__rule radam = {"radam", adamax_check, radam_prepare, radam_apply};

tp_tensor tp_radam(tp_tensor loss, const tp_tensor *parameters, int n, const tp_radam_options *options)
{
    return record_adamax(&radam, loss, parameters, n, options, 1e-3);
}

/* ---- nadam ------------------------------------------------------------------------------------------- */

/* Scalars: the factors of m and g, and epsilon s. */
enum { NADAM_MOMENT, NADAM_GRADIENT, NADAM_EPSILON };

static moments nadam_moments(const tp__update *u)
{
    const tp_nadam_options *o = u->options;
    return moments_of(o->beta1, o->beta2, o->epsilon);
}

static double momentum_decay(const tp__update *u)
{
    return tp__given_or(((const tp_nadam_options *)u->options)->momentum_decay, 4e-3);
}

static bool nadam_check(tp__update *u)
{
    u->slots = 2;
    return check_moments(u, nadam_moments(u)) &&
           tp__check_not_negative(u, momentum_decay(u), "the momentum decay must not be negative");
}

/* beta1 (1 - 0.96^(t psi) / 2) */
static tp_tensor momentum_at(const tp__update *u, tp_tensor t)
{
    const tp_tensor power = tp__power(u, 0.96, tp_scale(t, momentum_decay(u)));
    return tp_scale(tp__one_minus(u, tp_scale(power, 0.5)), nadam_moments(u).beta1);
}

static void nadam_prepare(tp__update *u)
{
    const moments m = nadam_moments(u);
    const tp_tensor s = tp_sqrt(tp__bias(u, m.beta2)), rate = tp_mul(u->rate, s);
    const tp_tensor now = momentum_at(u, u->number),
                    next = momentum_at(u, tp_add(u->number, tp__number(u, 1)));
    const tp_tensor before = tp__new_scalar(u, 1), product = tp_mul(before, now);

    tp__assign(u, before, product);
    u->scalar[NADAM_MOMENT] = tp_div(tp_mul(rate, next), tp__one_minus(u, tp_mul(product, next)));
    u->scalar[NADAM_GRADIENT] = tp_div(tp_mul(rate, tp__one_minus(u, now)), tp__one_minus(u, product));
    u->scalar[NADAM_EPSILON] = tp_scale(s, m.epsilon);
}

static tp_tensor nadam_apply(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s)
{
    const moments m = nadam_moments(u);

    g = tp__decayed(u, g, x);
    s[0] = tp__average(s[0], g, m.beta1);
    s[1] = tp__average_square(s[1], g, m.beta2);
    const tp_tensor d = tp_add(tp_mul(s[0], tp__scalar_for(u, NADAM_MOMENT, x)),
                               tp_mul(g, tp__scalar_for(u, NADAM_GRADIENT, x)));
    const tp_tensor size = tp_add(tp__root(s[1]), tp__scalar_for(u, NADAM_EPSILON, x));
    return tp_sub(x, tp_div(d, size));
}

static const tp__rule nadam = {"nadam", nadam_check, nadam_prepare, nadam_apply};

tp_tensor tp_nadam(tp_tensor loss, const tp_tensor *parameters, int n, const tp_nadam_options *options)
{
    const tp_nadam_options o = options != NULL ? *options : (tp_nadam_options){0};
    const tp__common common = {o.learning_rate != 0 ? o.learning_rate : 2e-3, o.rate, o.gradients,
                               o.optimiser, o.weight_decay};
    return tp__optimise(&nadam, loss, parameters, n, &common, &o);
}
