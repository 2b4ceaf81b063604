/* tapir/ops/activations.h -- functions of one number that layers and losses put between other things.  The conventions
 * are in tapir/ops.h.
 */
#ifndef TAPIR_OPS_ACTIVATIONS_H
#define TAPIR_OPS_ACTIVATIONS_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- With a kink at 0 (f32 and f64; relu also i32) ----------------------------------------------------- */

/* max(x, 0), NaN kept; kink: 0 at 0. */
TP_API tp_tensor tp_relu(tp_tensor x);

/* x above 0, slope x elsewhere; kink: slope at 0.  The slope must be finite; 0.01 is usual.  (Maas, Hannun and Ng,
 * "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.) */
TP_API tp_tensor tp_leaky_relu(tp_tensor x, double slope);

/* x above 0, alpha (e^x - 1) elsewhere; kink: alpha at 0.  Alpha must be finite; 1 is usual.  (Clevert, Unterthiner and
 * Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2015.) */
TP_API tp_tensor tp_elu(tp_tensor x, double alpha);

/* s elu(x) with alpha = 1.6732632423543772..., s = 1.0507009873554804..., which keep mean 0 and variance 1; kink: s alpha
 * at 0.  (Klambauer, Unterthiner, Mayr and Hochreiter, "Self-Normalizing Neural Networks", 2017.) */
TP_API tp_tensor tp_selu(tp_tensor x);

/* ---- Smooth (f32 and f64) ------------------------------------------------------------------------------ */

/* 1 / (1 + e^-x).  The derivative is y (1 - y), to an absolute accuracy of one rounding: it is 0 where y rounds to 1, above
 * 17 in f32 and 37 in f64. */
TP_API tp_tensor tp_sigmoid(tp_tensor x);

/* log(1 / (1 + e^-x)), accurate in both tails, and so is its derivative sigmoid(-x). */
TP_API tp_tensor tp_log_sigmoid(tp_tensor x);

/* log(1 + e^x) without overflow.  With a sharpness b, which makes it nearer to relu, it is
 * tp_scale(tp_softplus(tp_scale(x, b)), 1 / b). */
TP_API tp_tensor tp_softplus(tp_tensor x);

/* What softplus and sigmoid have beyond the ramp and the step that they approach, to the last digit where they are nearly
 * there:
 *
 *   softplus_tail   softplus(x) - max(x, 0) = log(1 + e^-|x|); derivative sigmoid_tail(x)
 *   sigmoid_tail    sigmoid(x) where x < 0, sigmoid(x) - 1 where x >= 0
 *
 * Kink of the first, jump of the second: at 0 all derivatives are those of x >= 0.  So x h + softplus_tail(x), with h =
 * (x >= 0), is softplus(x) with all its derivatives also at 0. */
TP_API tp_tensor tp_softplus_tail(tp_tensor x);
TP_API tp_tensor tp_sigmoid_tail(tp_tensor x);

/* x times a gate that goes from 0 to 1; each is NaN at -infinity, as 0 times infinity is.
 *
 *   silu        x sigmoid(x), also known as swish.  (Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units for Neural
 *               Network Function Approximation in Reinforcement Learning", 2017.)
 *   mish        x tanh(log(1 + e^x)).  (Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.)
 *   gelu        x normal_cdf(x).  (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.)
 *   gelu_tanh   its approximation by x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, from the same paper. */
TP_API tp_tensor tp_silu(tp_tensor x);
TP_API tp_tensor tp_mish(tp_tensor x);
TP_API tp_tensor tp_gelu(tp_tensor x);
TP_API tp_tensor tp_gelu_tanh(tp_tensor x);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_relu(x)            tp_relu(TP_HERE(x))
#define tp_leaky_relu(x, ...) tp_leaky_relu(TP_HERE(x), __VA_ARGS__)
#define tp_elu(x, ...)        tp_elu(TP_HERE(x), __VA_ARGS__)
#define tp_selu(x)            tp_selu(TP_HERE(x))
#define tp_sigmoid(x)         tp_sigmoid(TP_HERE(x))
#define tp_log_sigmoid(x)     tp_log_sigmoid(TP_HERE(x))
#define tp_softplus(x)        tp_softplus(TP_HERE(x))
#define tp_softplus_tail(x)   tp_softplus_tail(TP_HERE(x))
#define tp_sigmoid_tail(x)    tp_sigmoid_tail(TP_HERE(x))
#define tp_silu(x)            tp_silu(TP_HERE(x))
#define tp_mish(x)            tp_mish(TP_HERE(x))
#define tp_gelu(x)            tp_gelu(TP_HERE(x))
#define tp_gelu_tanh(x)       tp_gelu_tanh(TP_HERE(x))
#endif

#ifdef __cplusplus
}
#endif

#endif
