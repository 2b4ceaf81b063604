/* tapir/losses/regression.h -- losses of predicted numbers.  The conventions are in tapir/losses.h.
 *
 * Unless a loss says otherwise: prediction and target are f32 or f64 and have the same shape, or the target is a single
 * number, or .broadcast lets them broadcast (r has the broadcast shape); r is elementwise; d = prediction - target; and
 * both may receive gradients.
 */
#ifndef TAPIR_LOSSES_REGRESSION_H
#define TAPIR_LOSSES_REGRESSION_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- By the difference ------------------------------------------------------------------------------- */

/* Mean squared error: r = d^2. */
TP_API tp_tensor tp_mse(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

/* Mean absolute error, "L1": r = |d|.  Kink: gradient 0 at d = 0. */
TP_API tp_tensor tp_mae(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

typedef struct tp_huber_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    double delta;           /* default: 1 */
} tp_huber_options;

/* Huber's loss:
 *
 *     r = d^2 / 2                     where |d| <= delta
 *     r = delta (|d| - delta / 2)     elsewhere
 *
 * Its gradient is d clamped to [-delta, delta].  delta > 0 (0 stands for the default, 1); a negative or NaN delta is
 * TP_BAD_ARGUMENT, an infinite one gives d^2 / 2 everywhere.  Kink: at |d| = delta the second derivative is that of the
 * square, 1.  (Huber, "Robust Estimation of a Location Parameter", 1964.) */
TP_API tp_tensor tp_huber(tp_tensor prediction, tp_tensor target, const tp_huber_options *options);

typedef struct tp_smooth_l1_options {
    tp_reduction reduction;  /* default: mean */
    tp_tensor weight;        /* per element */
    bool broadcast;          /* as in tp_loss_options */
    tp_optional_number beta; /* default: 1; {true, 0} is mae */
} tp_smooth_l1_options;

/* Smooth L1: r = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2: huber divided by its delta.  beta >= 0, else
 * TP_BAD_ARGUMENT.  Kink: at |d| = beta the second derivative is that of |d|, 0.  (Girshick, "Fast R-CNN", 2015.) */
TP_API tp_tensor tp_smooth_l1(tp_tensor prediction, tp_tensor target, const tp_smooth_l1_options *options);

/* The quantile or pinball loss: r = max(tau (target - prediction), (tau - 1) (target - prediction)).  Its minimum over a
 * sample is the sample's tau-quantile.  0 < tau < 1, else TP_BAD_ARGUMENT.  Kink: at d = 0 the gradient is 1/2 - tau, the
 * mean of both sides.  (Koenker and Bassett, "Regression Quantiles", Econometrica 1978.) */
TP_API tp_tensor tp_quantile_loss(tp_tensor prediction, tp_tensor target, double tau,
                                  const tp_loss_options *options);

/* r = log cosh d: like d^2 / 2 near 0, like |d| - log 2 far away, smooth everywhere.  Its gradient is tanh d.  Without
 * overflow, and to full relative accuracy near 0. */
TP_API tp_tensor tp_log_cosh(tp_tensor prediction, tp_tensor target, const tp_loss_options *options);

typedef struct tp_tukey_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    double c;               /* default: 4.685, which is 95 % efficient for normal d of variance 1 */
} tp_tukey_options;

/* Tukey's biweight: r = c^2 / 6 (1 - (1 - (d / c)^2)^3) where |d| <= c, else c^2 / 6, so that far outliers have no
 * gradient.  c > 0, else TP_BAD_ARGUMENT.  (Beaton and Tukey, "The Fitting of Power Series, Meaning Polynomials,
 * Illustrated on Band-Spectroscopic Data", Technometrics 1974.) */
TP_API tp_tensor tp_tukey(tp_tensor prediction, tp_tensor target, const tp_tukey_options *options);

typedef struct tp_barron_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    tp_tensor c;            /* scale of d: 0-d, or broadcasting to r's shape; default: 1 */
} tp_barron_options;

/* Barron's general robust loss.  With z = (d / c)^2 and b = |alpha - 2|:
 *
 *     r = b / alpha ((z / b + 1)^(alpha / 2) - 1)
 *
 * and its limits where alpha is a known number (tp_scalar): z / 2 for 2, log(1 + z / 2) for 0 (Cauchy or Lorentzian),
 * 1 - exp(-z / 2) for -inf (Welsch); 1 is a smooth |d|, -2 Geman and McClure's.  alpha and c are 0-d or broadcast to r's
 * shape, and may be parameters that are learnt: then an alpha of exactly 0 or 2 gives NaN.  A known alpha of NaN or +inf
 * is TP_BAD_ARGUMENT.  ("A General and Adaptive Robust Loss Function", CVPR 2019.) */
TP_API tp_tensor tp_barron(tp_tensor prediction, tp_tensor target, tp_tensor alpha,
                           const tp_barron_options *options);

/* ---- By the ratio ------------------------------------------------------------------------------------ */

typedef struct tp_mape_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    double epsilon;         /* default: 1e-7 */
    double scale;           /* default: 100, for per cent */
} tp_mape_options;

/* Mean absolute percentage error: r = scale |d| / max(|target|, epsilon).  epsilon > 0, else TP_BAD_ARGUMENT.  Kink:
 * gradient 0 at d = 0; a |target| of epsilon counts as above it. */
TP_API tp_tensor tp_mape(tp_tensor prediction, tp_tensor target, const tp_mape_options *options);

typedef struct tp_msle_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    double epsilon;         /* default: 1e-7 */
} tp_msle_options;

/* Mean squared logarithmic error: r = (log(1 + max(prediction, epsilon)) - log(1 + max(target, epsilon)))^2.  What is below
 * epsilon gets no gradient.  epsilon > -1, else TP_BAD_ARGUMENT. */
TP_API tp_tensor tp_msle(tp_tensor prediction, tp_tensor target, const tp_msle_options *options);

typedef struct tp_cosine_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    bool broadcast;         /* as in tp_loss_options */
    tp_optional_int axis;   /* of the vectors; default: the last */
    double epsilon;         /* default: 1e-8 */
} tp_cosine_options;

/* One minus the cosine of the angle between vectors along an axis; r has the shape without it:
 *
 *     r = 1 - sum(prediction target) / (max(|prediction|, epsilon) max(|target|, epsilon))
 *
 * epsilon > 0, else TP_BAD_ARGUMENT.  Kink: a norm below epsilon has the gradient of |x|^2 / (2 epsilon) instead of 0 (as
 * PyTorch); so a zero vector is no trap. */
TP_API tp_tensor tp_cosine_loss(tp_tensor prediction, tp_tensor target, const tp_cosine_options *options);

/* ---- Likelihoods ------------------------------------------------------------------------------------- */

typedef struct tp_poisson_nll_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* as in tp_loss_options */
    bool rate;              /* the prediction is the rate itself; default: its logarithm */
    bool full;              /* with Stirling's approximation of log target! */
    double epsilon;         /* added to a rate before its logarithm is taken; default: 1e-8 */
} tp_poisson_nll_options;

/* Negative log likelihood of counts under a Poisson distribution, without the target's own term log target!:
 *
 *     r = exp(prediction) - target prediction                  the prediction being log rate
 *     r = prediction - target log(prediction + epsilon)        with .rate
 *
 * .full adds target log target - target + log(2 pi target) / 2 where target > 1.  epsilon >= 0, else TP_BAD_ARGUMENT. */
TP_API tp_tensor tp_poisson_nll(tp_tensor prediction, tp_tensor target,
                                const tp_poisson_nll_options *options);

typedef struct tp_gaussian_nll_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per element */
    bool broadcast;         /* let prediction and target broadcast against each other */
    bool full;              /* with the constant log(2 pi) / 2 */
    double epsilon;         /* the smallest variance; default: 1e-6 */
} tp_gaussian_nll_options;

/* Negative log likelihood of the target under a normal distribution with the predicted mean and variance.  With
 * v = max(variance, epsilon):
 *
 *     r = (log v + d^2 / v) / 2
 *
 * The variance has r's shape, or that with a last axis of 1, or that without the last axis (one per row).  epsilon > 0,
 * else TP_BAD_ARGUMENT.  Kink: a variance below epsilon gets the gradient of r at v = epsilon (as PyTorch), so that it
 * can grow again.  (Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994.) */
TP_API tp_tensor tp_gaussian_nll(tp_tensor prediction, tp_tensor target, tp_tensor variance,
                                 const tp_gaussian_nll_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_mse(prediction, ...)           tp_mse(TP_HERE(prediction), __VA_ARGS__)
#define tp_mae(prediction, ...)           tp_mae(TP_HERE(prediction), __VA_ARGS__)
#define tp_huber(prediction, ...)         tp_huber(TP_HERE(prediction), __VA_ARGS__)
#define tp_smooth_l1(prediction, ...)     tp_smooth_l1(TP_HERE(prediction), __VA_ARGS__)
#define tp_quantile_loss(prediction, ...) tp_quantile_loss(TP_HERE(prediction), __VA_ARGS__)
#define tp_log_cosh(prediction, ...)      tp_log_cosh(TP_HERE(prediction), __VA_ARGS__)
#define tp_tukey(prediction, ...)         tp_tukey(TP_HERE(prediction), __VA_ARGS__)
#define tp_barron(prediction, ...)        tp_barron(TP_HERE(prediction), __VA_ARGS__)
#define tp_mape(prediction, ...)          tp_mape(TP_HERE(prediction), __VA_ARGS__)
#define tp_msle(prediction, ...)          tp_msle(TP_HERE(prediction), __VA_ARGS__)
#define tp_cosine_loss(prediction, ...)   tp_cosine_loss(TP_HERE(prediction), __VA_ARGS__)
#define tp_poisson_nll(prediction, ...)   tp_poisson_nll(TP_HERE(prediction), __VA_ARGS__)
#define tp_gaussian_nll(prediction, ...)  tp_gaussian_nll(TP_HERE(prediction), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
