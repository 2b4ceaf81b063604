/* tapir/optim.h -- optimisers and gradient clipping; learning-rate schedules and L-BFGS are in tapir/optim/.
 *
 * A step of an optimiser is recorded like everything else: the gradient, the new state and the new parameters are
 * tensors, which tp_assign gives to their leaves, and the call returns all assignments as one handle.  So one program
 * holds forward, backward and update:
 *
 *     tp_tensor step = tp_adam(loss, parameters, n, &(tp_adam_options){.learning_rate = 1e-2});
 *     tp_program *train = tp_compile((tp_tensor[]){loss, step}, 2, NULL);
 *     while (next_batch(x, y))
 *         tp_run(train);
 *
 * Nothing here has a kernel or a derivative of its own: all could be written the same way outside the library.
 *
 * parameters[0..n) were made by tp_parameter, f32 or f64 (mixed if you like), each once.  A parameter that the loss does
 * not reach has a gradient of zeros: without weight decay and momentum from before it stays as it is, with weight decay
 * it shrinks like the others.  As always, every read in a run sees the values from its start, and a run that fails
 * changes nothing: neither parameters nor state.  In the formulas below x is a parameter, g its gradient, t = 1, 2, ...
 * the number of the update; operations are elementwise; every state starts at 0 unless it says otherwise.
 *
 * Options come last; NULL means all defaults, and a zeroed field means its default.  Where 0 is a choice of its own
 * the field is a pair, {true, 0}.
 *
 * The learning rate is a leaf (0-d, f64), made from .learning_rate, so that it may change between runs without
 * compiling again:
 *
 *     tp_optimiser adam;
 *     tp_tensor step = tp_adam(loss, parameters, n, &(tp_adam_options){.optimiser = &adam});
 *     ...
 *     tp_set_rate(adam.rate, tp_cosine_rate(&schedule, k));      (tapir/optim/schedule.h)
 *
 * With .rate the step takes a tensor of yours instead (0-d, f32 or f64): a leaf that several optimisers share, or a
 * computed number.
 *
 * State (moments, the number of updates) is in parameters on the tape, made by the call.  `.optimiser` gives handles to
 * it; tp_step_leaves lists all leaves that a step changes, which is all that must be saved to go on later.  The number of
 * updates is counted in f64, and what depends on it alone, such as 1 - beta^t, is computed in f64 without cancellation,
 * whatever the parameters' dtype.
 *
 * Parameter groups, with rates of their own, are several calls and one program:
 *
 *     tp_tensor step[] = {tp_sgd(loss, body, n, &slow), tp_sgd(loss, head, m, &fast)};
 *     tp_program *train = tp_compile((tp_tensor[]){loss, step[0], step[1]}, 3, NULL);
 *
 * Two steps in one program that change the same leaf are an error of tp_compile.
 *
 * Gradients of your own (clipped, of several losses, accumulated over batches) are given as .gradients, n tensors of
 * the parameters' shapes and dtypes; the loss is then not differentiated, and may be absent:
 *
 *     tp_gradient(loss, parameters, n, g);
 *     tp_clip_by_norm(g, n, 1.0, NULL);
 *     tp_tensor step = tp_adam(loss, parameters, n, &(tp_adam_options){.gradients = g});
 *
 * Differentiating through a step: the new value of a leaf is tp_step_value(step, leaf), an ordinary tensor.  The
 * gradient of another loss of it, with respect to the learning rate for instance, is a meta-gradient.
 *
 * Errors, at recording: a loss, parameter or gradient that is absent, stale or another tape's (TP_BAD_HANDLE); no
 * parameters, one that was not made by tp_parameter or is there twice, options out of range (TP_BAD_ARGUMENT); dtypes and
 * shapes that do not fit (TP_BAD_DTYPE, TP_BAD_SHAPE); and those of tp_gradient.
 */
#ifndef TAPIR_OPTIM_H
#define TAPIR_OPTIM_H

#include <tapir/optim/lbfgs.h>
#include <tapir/optim/schedule.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Steps ------------------------------------------------------------------------------------------ */

/* What an optimiser made: filled by the call whose options point here. */
typedef struct tp_optimiser {
    tp_tensor step;  /* what the call returned */
    tp_tensor rate;  /* the learning rate's leaf, or the tensor that was given */
    tp_tensor count; /* updates made so far: a parameter, 0-d, f64 */
    int parameters;
    int slots;   /* leaves of state per parameter */
    int scalars; /* leaves of state for all of them together, `count` first */
} tp_optimiser;

/* The state of parameter number k: slot 0, 1, ... in the order in which the optimiser below names them.  Absent when there
 * is none. */
TP_API tp_tensor tp_optimiser_state(const tp_optimiser *optimiser, int k, int slot);

/* The leaves that a step changes (an optimiser's, or any tp_assign and tp_group): at most `capacity` of them go to leaf[],
 * which may be NULL if that is 0; returns how many there are.  Of an optimiser: `count`, further scalars, then each
 * parameter followed by its state. */
TP_API int tp_step_leaves(tp_tensor step, tp_tensor *leaf, int capacity);

/* The value that a step assigns to `leaf`, an ordinary tensor; absent when it assigns none. */
TP_API tp_tensor tp_step_value(tp_tensor step, tp_tensor leaf);

/* Writes a learning rate into a 0-d leaf, f32 or f64.  TP_BAD_ARGUMENT, and nothing is written, when it is NaN or
 * infinite; else as tp_write. */
TP_API tp_status tp_set_rate(tp_tensor rate, double value);

/* ---- Gradient descent ------------------------------------------------------------------------------- */

typedef struct tp_sgd_options {
    double learning_rate;       /* default: 1e-3 */
    tp_tensor rate;             /* instead of it; see "The learning rate" */
    const tp_tensor *gradients; /* instead of the loss's; see "Gradients of your own" */
    tp_optimiser *optimiser;    /* filled unless NULL */
    double weight_decay;        /* w; default: 0 */
    double momentum;            /* m; default: 0 */
    double dampening;           /* d; default: 0 */
    bool nesterov;              /* needs momentum and no dampening */
} tp_sgd_options;

/* Stochastic gradient descent.
 *
 *     g = g + w x
 *     b = m b + (1 - d) g, but b = g at t = 1         only with momentum
 *     g = g + m b with nesterov, else b               only with momentum
 *     x = x - rate g
 *
 * State with momentum: b.  (Sutskever et al., "On the importance of initialization and momentum in deep learning",
 * 2013; the form is PyTorch's.) */
TP_API tp_tensor tp_sgd(tp_tensor loss, const tp_tensor *parameters, int n, const tp_sgd_options *options);

typedef struct tp_lion_options {
    double learning_rate; /* default: 1e-4 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;      /* w; default: 0 */
    tp_optional_number beta1; /* in [0, 1); default: 0.9 */
    tp_optional_number beta2; /* in [0, 1); default: 0.99 */
} tp_lion_options;

/* Lion, the sign of an interpolated momentum, with decoupled weight decay.
 *
 *     x = (1 - rate w) x - rate sign(beta1 m + (1 - beta1) g)
 *     m = beta2 m + (1 - beta2) g
 *
 * State: m.  (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.) */
TP_API tp_tensor tp_lion(tp_tensor loss, const tp_tensor *parameters, int n, const tp_lion_options *options);

/* ---- Adam and its kin ------------------------------------------------------------------------------- */

/* Of tp_adam and tp_adamw. */
typedef struct tp_adam_options {
    double learning_rate; /* default: 1e-3 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;        /* w; default: 0, of tp_adamw 0.01 */
    tp_optional_number beta1;   /* in [0, 1); default: 0.9 */
    tp_optional_number beta2;   /* in [0, 1); default: 0.999 */
    tp_optional_number epsilon; /* >= 0; default: 1e-8 */
    bool amsgrad;
} tp_adam_options;

/* Adam.
 *
 *     g = g + w x
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     u = v, with amsgrad: max(u, v)
 *     x = x - rate / (1 - beta1^t) m / (sqrt(u) / sqrt(1 - beta2^t) + epsilon)
 *
 * computed as x - (rate s / (1 - beta1^t)) m / (sqrt(u) + epsilon s), where s = sqrt(1 - beta2^t) and the brackets are one
 * number for all elements.  State: m, v, with amsgrad u.  (Kingma and Ba, "Adam: A Method for Stochastic
 * Optimization", 2015; Reddi et al., "On the Convergence of Adam and Beyond", 2018.) */
TP_API tp_tensor tp_adam(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adam_options *options);

/* AdamW: the decay is of the parameter, not of the gradient.  x = (1 - rate w) x first, then as tp_adam with w = 0, the
 * gradient being that of the x from before.  A weight decay of 0 is the default, 0.01: for none take tp_adam.  State as
 * tp_adam.  (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.) */
TP_API tp_tensor tp_adamw(tp_tensor loss, const tp_tensor *parameters, int n, const tp_adam_options *options);

/* Of tp_adamax and tp_radam. */
typedef struct tp_adamax_options {
    double learning_rate; /* default: 2e-3, of tp_radam 1e-3 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;        /* w; default: 0 */
    tp_optional_number beta1;   /* in [0, 1); default: 0.9 */
    tp_optional_number beta2;   /* in [0, 1); default: 0.999 */
    tp_optional_number epsilon; /* >= 0; default: 1e-8 */
} tp_adamax_options;

typedef tp_adamax_options tp_radam_options;

/* Adamax: Adam with a maximum for the second moment.
 *
 *     g = g + w x
 *     m = beta1 m + (1 - beta1) g
 *     u = max(beta2 u, |g| + epsilon)
 *     x = x - rate / (1 - beta1^t) m / u
 *
 * State: m, u.  With epsilon 0 an element whose gradients were all 0 becomes NaN.  (Kingma and Ba, 2015.) */
TP_API tp_tensor tp_adamax(tp_tensor loss, const tp_tensor *parameters, int n,
                           const tp_adamax_options *options);

/* RAdam: Adam that goes without the second moment until its variance is known.
 *
 *     g = g + w x
 *     m = beta1 m + (1 - beta1) g,  h = m / (1 - beta1^t)
 *     v = beta2 v + (1 - beta2) g^2
 *     q = 2 / (1 - beta2) - 1,      r = q - 2 t beta2^t / (1 - beta2^t)
 *     if r > 5:  x = x - rate h sqrt((r - 4) (r - 2) q / ((q - 4) (q - 2) r)) sqrt(1 - beta2^t) / (sqrt(v) + epsilon)
 *     else:      x = x - rate h
 *
 * State: m, v.  (Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020.) */
TP_API tp_tensor tp_radam(tp_tensor loss, const tp_tensor *parameters, int n,
                          const tp_radam_options *options);

typedef struct tp_nadam_options {
    double learning_rate; /* default: 2e-3 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;               /* w; default: 0 */
    tp_optional_number beta1;          /* in [0, 1); default: 0.9 */
    tp_optional_number beta2;          /* in [0, 1); default: 0.999 */
    tp_optional_number epsilon;        /* >= 0; default: 1e-8 */
    tp_optional_number momentum_decay; /* psi >= 0; default: 4e-3 */
} tp_nadam_options;

/* NAdam: Adam with Nesterov's momentum.
 *
 *     g = g + w x
 *     mu(t) = beta1 (1 - 0.96^(t psi) / 2),   p(t) = mu(1) mu(2) ... mu(t)
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     x = x - rate (mu(t+1) m / (1 - p(t+1)) + (1 - mu(t)) g / (1 - p(t))) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * State: m, v; and p, a scalar that starts at 1.  (Dozat, "Incorporating Nesterov Momentum into Adam", 2016.) */
TP_API tp_tensor tp_nadam(tp_tensor loss, const tp_tensor *parameters, int n,
                          const tp_nadam_options *options);

/* ---- Adaptive rates without momentum ----------------------------------------------------------------- */

typedef struct tp_rmsprop_options {
    double learning_rate; /* default: 1e-2 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;        /* w; default: 0 */
    tp_optional_number alpha;   /* in [0, 1); default: 0.99 */
    tp_optional_number epsilon; /* >= 0; default: 1e-8 */
    double momentum;            /* m; default: 0 */
    bool centred;
} tp_rmsprop_options;

/* RMSprop.
 *
 *     g = g + w x
 *     v = alpha v + (1 - alpha) g^2
 *     a = alpha a + (1 - alpha) g            only if centred
 *     r = sqrt(v) + epsilon, centred: sqrt(max(v - a^2, 0)) + epsilon
 *     b = m b + g / r,  x = x - rate b       with momentum
 *     x = x - rate g / r                     without
 *
 * The maximum matters only where rounding makes v - a^2 negative.  State: v; if centred a; with momentum b.  (Tieleman
 * and Hinton, "Lecture 6.5 - RMSProp", 2012; centred: Graves, "Generating Sequences With Recurrent Neural Networks",
 * 2013.) */
TP_API tp_tensor tp_rmsprop(tp_tensor loss, const tp_tensor *parameters, int n,
                            const tp_rmsprop_options *options);

typedef struct tp_adagrad_options {
    double learning_rate; /* default: 1e-2 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;        /* w; default: 0 */
    double rate_decay;          /* default: 0 */
    double initial;             /* what s starts at, >= 0; default: 0 */
    tp_optional_number epsilon; /* >= 0; default: 1e-10 */
} tp_adagrad_options;

/* Adagrad.
 *
 *     g = g + w x
 *     s = s + g^2
 *     x = x - rate / (1 + (t - 1) rate_decay) g / (sqrt(s) + epsilon)
 *
 * State: s, which starts at `initial`.  (Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic
 * Optimization", 2011.) */
TP_API tp_tensor tp_adagrad(tp_tensor loss, const tp_tensor *parameters, int n,
                            const tp_adagrad_options *options);

typedef struct tp_adadelta_options {
    double learning_rate; /* default: 1 */
    tp_tensor rate;       /* as in tp_sgd_options, like the next two */
    const tp_tensor *gradients;
    tp_optimiser *optimiser;
    double weight_decay;    /* w; default: 0 */
    tp_optional_number rho; /* in [0, 1); default: 0.9 */
    double epsilon;         /* > 0: with 0 nothing would ever move; default: 1e-6 */
} tp_adadelta_options;

/* Adadelta.
 *
 *     g = g + w x
 *     v = rho v + (1 - rho) g^2
 *     e = sqrt(u + epsilon) / sqrt(v + epsilon) g
 *     u = rho u + (1 - rho) e^2
 *     x = x - rate e
 *
 * State: v, u.  (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.) */
TP_API tp_tensor tp_adadelta(tp_tensor loss, const tp_tensor *parameters, int n,
                             const tp_adadelta_options *options);

/* ---- Clipping --------------------------------------------------------------------------------------- */

typedef struct tp_clip_options {
    double order; /* of the norm: 1, 2 or infinite (HUGE_VAL); default: 2 */
} tp_clip_options;

/* Clips gradients[0..n), taken together as one vector, to a norm of at most max_norm > 0: with N the norm of all
 * elements, each gradient is replaced in the array by itself times min(1, max_norm / (N + 1e-6)).  Returns N, before
 * clipping: 0-d, f64.  The norm is computed in f64 also of f32 gradients, whose squares could overflow.  A NaN among the
 * gradients makes all of them NaN, and so does an infinity where it stands, everything else 0: see .check_finite of
 * tp_compile.  f32 or f64; on an error every gradient becomes invalid.  (Pascanu et al., "On the difficulty of
 * training recurrent neural networks", 2013.) */
TP_API tp_tensor tp_clip_by_norm(tp_tensor *gradients, int n, double max_norm,
                                 const tp_clip_options *options);
TP_API tp_tensor tp_clip_by_norm_at(const char *file, int line, tp_tensor *gradients, int n, double max_norm,
                                    const tp_clip_options *options);

/* Replaces each element of gradients[0..n) by the nearest number of [-limit, limit], limit > 0.  NaN stays NaN.  Returns
 * the status, which is stored on the tape; on an error every gradient becomes invalid. */
TP_API tp_status tp_clip_by_value(tp_tensor *gradients, int n, double limit);
TP_API tp_status tp_clip_by_value_at(const char *file, int line, tp_tensor *gradients, int n, double limit);

/* ---- Places ----------------------------------------------------------------------------------------- */

#ifndef TP_NO_PLACE
#define tp_set_rate(rate, ...) tp_set_rate(TP_HERE(rate), __VA_ARGS__)
#define tp_sgd(loss, ...)      tp_sgd(TP_HERE(loss), __VA_ARGS__)
#define tp_lion(loss, ...)     tp_lion(TP_HERE(loss), __VA_ARGS__)
#define tp_adam(loss, ...)     tp_adam(TP_HERE(loss), __VA_ARGS__)
#define tp_adamw(loss, ...)    tp_adamw(TP_HERE(loss), __VA_ARGS__)
#define tp_adamax(loss, ...)   tp_adamax(TP_HERE(loss), __VA_ARGS__)
#define tp_radam(loss, ...)    tp_radam(TP_HERE(loss), __VA_ARGS__)
#define tp_nadam(loss, ...)    tp_nadam(TP_HERE(loss), __VA_ARGS__)
#define tp_rmsprop(loss, ...)  tp_rmsprop(TP_HERE(loss), __VA_ARGS__)
#define tp_adagrad(loss, ...)  tp_adagrad(TP_HERE(loss), __VA_ARGS__)
#define tp_adadelta(loss, ...) tp_adadelta(TP_HERE(loss), __VA_ARGS__)
#define tp_clip_by_norm(...)   tp_clip_by_norm_at(__FILE__, __LINE__, __VA_ARGS__)
#define tp_clip_by_value(...)  tp_clip_by_value_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
