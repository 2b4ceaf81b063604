/* common.h -- what the optimisers share: a step is a rule, applied to every parameter. */
#ifndef TAPIR_OPTIM_COMMON_H
#define TAPIR_OPTIM_COMMON_H

#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/optim.h>

enum {
    TP__MOST_SLOTS = 3, /* leaves of state per parameter */
    TP__SCALARS = 4,    /* numbers of a rule */
    TP__CHUNK = 64,     /* assignments per group: groups nest, so that no memory is needed for their list */
    TP__SWEEP = 256     /* parameters per gradient */
};

/* The fields that all options begin with. */
typedef struct tp__common {
    double learning_rate; /* defaults are already put in */
    tp_tensor rate;
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;
} tp__common;

/* A step being recorded. */
typedef struct tp__update {
    tp_tape *tape;
    tp_tensor at; /* at the user's line: where errors are reported and nodes belong */
    const void *options;
    tp__common common;
    tp_tensor rate, number;        /* 0-d, f64: the learning rate, and t */
    tp_tensor scalar[TP__SCALARS]; /* 0-d, f64: what the rule computes once for all elements */
    int slots, scalars;            /* leaves of state, per parameter and for all */
    double initial;                /* what slot 0 starts at */
    tp_tensor assignment[TP__CHUNK];
    int assignments;
} tp__update;

typedef struct tp__rule {
    const char *name;
    /* Checks the options and says how many slots there are; false after storing an error. */
    bool (*check)(tp__update *u);
    /* Fills u->scalar; NULL if there are none. */
    void (*prepare)(tp__update *u);
    /* The new x; state s[0..slots) is replaced by the new state. */
    tp_tensor (*apply)(const tp__update *u, tp_tensor x, tp_tensor g, tp_tensor *s);
} tp__rule;

tp_tensor tp__optimise(const tp__rule *rule, tp_tensor loss, const tp_tensor *parameters, int n,
                       const tp__common *common, const void *options);

/* Is x a living tensor of at's tape?  If not an error that calls it "the <what> <k>" (without the number if k < 0) is stored;
 * none for an invalid handle, the consequence of an earlier error. */
bool tp__check_handle(tp_tensor at, tp_tensor x, const char *what, int k);
bool tp__is_float(tp_tensor x);

/* x at the place of `at`, if that has one. */
tp_tensor tp__at_place(tp_tensor x, tp_tensor at);

bool tp__check_tensors(const tp__update *u, tp_tensor loss, const tp_tensor *parameters, int n);

/* The first tensor that knows a tape, at the loss's place. */
tp_tensor tp__find_place(tp_tensor loss, const tp_tensor *parameters, int n, const tp_tensor *gradients);

/* `wanted`, such as "beta1 must be in [0, 1)", or an error that tells the value. */
bool tp__require(const tp__update *u, bool holds, const char *wanted, double value);
double tp__given_or(tp_optional_number number, double otherwise);
bool tp__check_fraction(const tp__update *u, double value, const char *wanted);
bool tp__check_not_negative(const tp__update *u, double value, const char *wanted);

/* ---- Numbers, 0-d and f64 ---- */
tp_tensor tp__number(const tp__update *u, double value);
tp_tensor tp__one_minus(const tp__update *u, tp_tensor x);
tp_tensor tp__power(const tp__update *u, double base, tp_tensor exponent); /* base^exponent, 0 <= base */
tp_tensor tp__bias(const tp__update *u, double beta);                      /* 1 - beta^t */

/* A parameter at the user's line. */
tp_tensor tp__new_leaf(const tp__update *u, tp_dtype dtype, tp_shape shape, double initial);

/* Another leaf of state for all parameters, assigned `value`, which the caller makes of it. */
tp_tensor tp__new_scalar(tp__update *u, double initial);
void tp__assign(tp__update *u, tp_tensor leaf, tp_tensor value);

/* u->scalar[k] in x's dtype. */
tp_tensor tp__scalar_for(const tp__update *u, int k, tp_tensor x);

/* ---- Pieces of rules ---- */
tp_tensor tp__decayed(const tp__update *u, tp_tensor g, tp_tensor x); /* g + w x */
tp_tensor tp__average(tp_tensor m, tp_tensor g, double beta);         /* beta m + (1 - beta) g */
tp_tensor tp__average_square(tp_tensor v, tp_tensor g, double beta);  /* beta v + (1 - beta) g^2 */
tp_tensor tp__root(tp_tensor v);                                      /* sqrt(v), derivative 0 at 0 */
tp_tensor tp__minus(tp_tensor x, tp_tensor factor, tp_tensor d);      /* x - factor d */

#endif
