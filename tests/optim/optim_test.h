/* optim_test.h -- what the tests of the optimisers share: all optimisers in one list. */
#ifndef TAPIR_TESTS_OPTIM_TEST_H
#define TAPIR_TESTS_OPTIM_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/op.h>
#include <tapir/tapir.h>

#include "values.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* The i-th number of a leaf. */
static inline double element(tp_tensor leaf, int64_t i)
{
    double value[VALUES_MAX];
    get_values(leaf, value);
    return value[i];
}

/* What all options have in common. */
typedef struct base_options {
    double learning_rate;
    tp_tensor rate;
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;
} base_options;

#define BASE                                                                                                 \
    .learning_rate = b->learning_rate, .rate = b->rate, .gradients = b->gradients,                           \
    .optimiser = b->optimiser, .weight_decay = b->weight_decay

typedef tp_tensor recorder(tp_tensor loss, const tp_tensor *x, int n, const base_options *b);

static inline tp_tensor plain_sgd(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_sgd(loss, x, n, &(tp_sgd_options){BASE});
}

static inline tp_tensor nesterov(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_sgd(loss, x, n, &(tp_sgd_options){BASE, .momentum = 0.9, .nesterov = true});
}

static inline tp_tensor dampened(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_sgd(loss, x, n, &(tp_sgd_options){BASE, .momentum = 0.5, .dampening = 0.25});
}

static inline tp_tensor lion(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_lion(loss, x, n, &(tp_lion_options){BASE});
}

static inline tp_tensor adam(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adam(loss, x, n, &(tp_adam_options){BASE});
}

static inline tp_tensor amsgrad(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adam(loss, x, n, &(tp_adam_options){BASE, .amsgrad = true, .beta2 = {true, 0.9}});
}

static inline tp_tensor adamw(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adamw(loss, x, n, &(tp_adam_options){BASE});
}

static inline tp_tensor adamax(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adamax(loss, x, n, &(tp_adamax_options){BASE});
}

static inline tp_tensor radam(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_radam(loss, x, n, &(tp_radam_options){BASE});
}

static inline tp_tensor nadam(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_nadam(loss, x, n, &(tp_nadam_options){BASE});
}

static inline tp_tensor rmsprop(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_rmsprop(loss, x, n, &(tp_rmsprop_options){BASE});
}

static inline tp_tensor centred(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_rmsprop(loss, x, n, &(tp_rmsprop_options){BASE, .centred = true, .momentum = 0.5});
}

static inline tp_tensor adagrad(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adagrad(loss, x, n, &(tp_adagrad_options){BASE, .rate_decay = 0.1, .initial = 0.5});
}

static inline tp_tensor adadelta(tp_tensor loss, const tp_tensor *x, int n, const base_options *b)
{
    return tp_adadelta(loss, x, n, &(tp_adadelta_options){BASE});
}

enum { MAX_SLOTS = 3 };

static const struct named_optimiser {
    const char *name;
    recorder *record;
    int slots, scalars;
    double default_rate;
    int mean; /* the slot that may be negative; -1: none */
} optimisers[] = {
    {"sgd", plain_sgd, 0, 1, 1e-3, 0},    {"sgd", nesterov, 1, 1, 1e-3, 0},
    {"sgd", dampened, 1, 1, 1e-3, 0},     {"lion", lion, 1, 1, 1e-4, 0},
    {"adam", adam, 2, 1, 1e-3, 0},        {"adam", amsgrad, 3, 1, 1e-3, 0},
    {"adamw", adamw, 2, 1, 1e-3, 0},      {"adamax", adamax, 2, 1, 2e-3, 0},
    {"radam", radam, 2, 1, 1e-3, 0},      {"nadam", nadam, 2, 2, 2e-3, 0},
    {"rmsprop", rmsprop, 1, 1, 1e-2, -1}, {"rmsprop", centred, 3, 1, 1e-2, 1},
    {"adagrad", adagrad, 1, 1, 1e-2, -1}, {"adadelta", adadelta, 2, 1, 1, -1},
};

#define FOR_EACH_OPTIMISER(o)                                                                                \
    for (const struct named_optimiser *o = optimisers; o < optimisers + COUNT_OF(optimisers); o++)

#endif
