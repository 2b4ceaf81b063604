/* tapir/losses/metric.h -- losses of embeddings: what belongs together is to be close, what does not far.  The conventions
 * are in tapir/losses.h.
 *
 * An embedding is a vector along the last axis; a row is what is left of the shape without it, and r has one number per
 * row unless a loss says otherwise.  Embeddings are f32 or f64, and those that are compared have one shape; none of these
 * losses broadcasts.  normalise(x) is x / max(|x|, 1e-12), |x| the 2-norm.  A norm has gradient 0 at the zero vector.
 */
#ifndef TAPIR_LOSSES_METRIC_H
#define TAPIR_LOSSES_METRIC_H

#include <tapir/losses/reduction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Pairs and triplets: [..., D] -------------------------------------------------------------------- */

typedef struct tp_contrastive_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    double margin;          /* default: 1 */
} tp_contrastive_options;

/* Contrastive loss of pairs.  With the distance d = |first - second| and y = 0 for a pair that belongs together, 1 for one
 * that does not (or a number between):
 *
 *     r = (1 - y) d^2 + y max(0, margin - d)^2
 *
 * The label y has the rows' shape, or is one number, of the embeddings' dtype or i32.  margin > 0, else TP_BAD_ARGUMENT.
 * Identical embeddings have gradient 0 and finite second derivatives.  (Hadsell, Chopra and LeCun, "Dimensionality
 * Reduction by Learning an Invariant Mapping", CVPR 2006, without its factor 1/2.) */
TP_API tp_tensor tp_contrastive(tp_tensor first, tp_tensor second, tp_tensor label,
                                const tp_contrastive_options *options);

typedef struct tp_triplet_options {
    tp_reduction reduction;     /* default: mean */
    tp_tensor weight;           /* per row */
    tp_optional_number margin;  /* default: 1 */
    double p;                   /* of the norm, >= 1, or HUGE_VAL; default: 2 */
    tp_optional_number epsilon; /* added to every difference; default: 1e-6 */
    bool swap; /* the negative's distance is that from anchor or positive, whichever is less */
} tp_triplet_options;

/* Triplet loss: the anchor is to be nearer to the positive than to the negative, by a margin.  With distance(u, v) =
 * (sum |u - v + epsilon|^p)^(1/p):
 *
 *     r = max(0, distance(anchor, positive) - distance(anchor, negative) + margin)
 *
 * epsilon keeps the distance of identical vectors from having no slope; with {true, 0} that slope is 0 instead.  p < 1 and
 * a negative epsilon are TP_BAD_ARGUMENT.  Kinks: at the corner the derivative of the maximum counts as 1; with .swap equal
 * distances share the gradient.  (Balntas et al., "Learning local feature descriptors with triplets and shallow
 * convolutional neural networks", BMVC 2016.) */
TP_API tp_tensor tp_triplet_margin(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                                   const tp_triplet_options *options);

typedef struct tp_triplet_squared_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per row */
    tp_optional_number margin; /* default: 0.2 */
} tp_triplet_squared_options;

/* The same with squared distances: r = max(0, |anchor - positive|^2 - |anchor - negative|^2 + margin).  Kink: gradient 0 at
 * the corner.  (Schroff et al., "FaceNet", CVPR 2015.) */
TP_API tp_tensor tp_triplet_squared(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                                    const tp_triplet_squared_options *options);

typedef struct tp_cosine_embedding_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    double margin;          /* in [-1, 1]; default: 0 */
} tp_cosine_embedding_options;

/* Pairs by their angle.  With cos = sum(first second) / sqrt((|first|^2 + 1e-12) (|second|^2 + 1e-12)):
 *
 *     r = 1 - cos                   where target > 0 (they belong together)
 *     r = max(0, cos - margin)      elsewhere
 *
 * The target is 1 or -1, in the rows' shape or one number, of the embeddings' dtype or i32.  Kink: at cos = margin the
 * derivative of the maximum counts as 1. */
TP_API tp_tensor tp_cosine_embedding(tp_tensor first, tp_tensor second, tp_tensor target,
                                     const tp_cosine_embedding_options *options);

/* ---- All pairs of a batch: [N, D] -------------------------------------------------------------------- */

typedef struct tp_info_nce_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row of r */
    double temperature;     /* default: 0.07 for info_nce, 0.5 for nt_xent */
    bool symmetric;         /* info_nce only: half of both directions (CLIP) */
} tp_info_nce_options;

/* Row k of the query belongs to row k of the key, and to no other.  With S = normalise(query) normalise(key)^T / temperature:
 *
 *     r_k = -log_softmax(S_k)[k],       with .symmetric the mean of that and of the same for S^T
 *
 * ("Representation Learning with Contrastive Predictive Coding", 2018; CLIP, 2021.) */
TP_API tp_tensor tp_info_nce(tp_tensor query, tp_tensor key, const tp_info_nce_options *options);

/* SimCLR's loss of two views of the same N things.  z = normalise([first; second]), 2N rows, S = z z^T / temperature
 * without its diagonal: r_k = -log_softmax(S_k)[the other view of k], 2N numbers.  .symmetric is not looked at.  ("A Simple
 * Framework for Contrastive Learning of Visual Representations", ICML 2020.) */
TP_API tp_tensor tp_nt_xent(tp_tensor first, tp_tensor second, const tp_info_nce_options *options);

typedef struct tp_n_pairs_options {
    tp_reduction reduction; /* default: mean */
    tp_tensor weight;       /* per row */
    tp_tensor labels;       /* i32 [N]; default: every row its own */
    double l2;              /* of the regulariser; default: 0 */
} tp_n_pairs_options;

/* N-pair loss.  S = anchor positive^T, T_kj = 1 / (number of rows with k's label) for those rows j, else 0:
 *
 *     r_k = -sum_j T_kj log_softmax(S_k)[j] + l2 / 4 (|anchor_k|^2 + |positive_k|^2)
 *
 * ("Improved Deep Metric Learning with Multi-class N-pair Loss Objective", NIPS 2016; the regulariser as in TensorFlow's
 * npairs_loss.) */
TP_API tp_tensor tp_n_pairs(tp_tensor anchor, tp_tensor positive, const tp_n_pairs_options *options);

typedef struct tp_supcon_options {
    tp_reduction reduction;  /* default: mean */
    tp_tensor weight;        /* per row */
    double temperature;      /* default: 0.1 */
    double base_temperature; /* r has the factor temperature / base_temperature; default: the temperature */
} tp_supcon_options;

/* Supervised contrastive loss of x [N, D] with i32 labels [N].  S = normalise(x) normalise(x)^T / temperature, and P(k) are
 * the other rows with k's label:
 *
 *     r_k = log sum over a != k of exp S_ka - mean over P(k) of S_kl,      0 where P(k) is empty
 *
 * TP_MEAN divides by the (weights of the) rows whose P(k) is not empty.  (Khosla et al., "Supervised Contrastive Learning",
 * NeurIPS 2020, "L_out".) */
TP_API tp_tensor tp_supcon(tp_tensor x, tp_tensor labels, const tp_supcon_options *options);

typedef struct tp_multi_similarity_options {
    tp_reduction reduction;  /* default: mean */
    tp_tensor weight;        /* per row */
    double alpha;            /* default: 2 */
    double beta;             /* default: 50 */
    tp_optional_number base; /* default: 0.5 */
} tp_multi_similarity_options;

/* Multi-similarity loss of x [N, D] with i32 labels [N], without mining.  S = normalise(x) normalise(x)^T, P and Q are the
 * other rows with k's label and with another:
 *
 *     r_k = 1 / alpha log(1 + sum_P exp(-alpha (S_kl - base))) + 1 / beta log(1 + sum_Q exp(beta (S_kl - base)))
 *
 * alpha, beta > 0, else TP_BAD_ARGUMENT.  (Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric
 * Learning", CVPR 2019.) */
TP_API tp_tensor tp_multi_similarity(tp_tensor x, tp_tensor labels,
                                     const tp_multi_similarity_options *options);

typedef struct tp_circle_options {
    tp_optional_number margin; /* m; default: 0.4 */
    double gamma;              /* default: 80 */
    bool detach;               /* a_p and a_n are constants for the gradient, as in the published code */
} tp_circle_options;

/* Circle loss of similarities: `positive` of pairs that belong together, `negative` of pairs that do not, of any shape and
 * number.  With a_p = max(0, 1 + m - s_p), a_n = max(0, s_n + m) the result is the 0-d
 *
 *     softplus(logsumexp(gamma a_n (s_n - m)) + logsumexp(-gamma a_p (s_p - 1 + m)))
 *
 * and 0, with gradient 0, when there are none of one kind.  gamma > 0, else TP_BAD_ARGUMENT.  (Sun et al., "Circle Loss",
 * CVPR 2020.) */
TP_API tp_tensor tp_circle_pairs(tp_tensor positive, tp_tensor negative, const tp_circle_options *options);

/* The same of the cosines of all pairs of rows of x [N, D]; they belong together if their i32 labels [N] are equal. */
TP_API tp_tensor tp_circle(tp_tensor x, tp_tensor labels, const tp_circle_options *options);

/* ---- Against vectors of the classes ------------------------------------------------------------------ */

typedef struct tp_arcface_options {
    tp_reduction reduction;    /* default: mean */
    tp_tensor weight;          /* per row */
    double scale;              /* default: 64 */
    tp_optional_number margin; /* default: 0.5 (an angle) for arcface, 0.35 (of the cosine) for cosface */
    bool easy_margin;          /* arcface only */
} tp_arcface_options;

/* Cross-entropy of cosines: x [N, D], one vector per class in `classes` [C, D], class indices target i32 [N].  With cos =
 * normalise(x) normalise(classes)^T, cut to [-1, 1], r is cross_entropy(scale z), where z is cos but for the row's own class:
 *
 *     arcface    cos(angle + margin)      where cos > cos(pi - margin), else cos - margin sin(pi - margin);
 *                                         with .easy_margin where cos > 0, else cos
 *     cosface    cos - margin
 *
 * scale > 0, else TP_BAD_ARGUMENT.  Kink: at cos = 1 and -1 the sine has gradient 0.  (Deng et al., "ArcFace", CVPR 2019;
 * Wang et al., "CosFace", CVPR 2018.) */
TP_API tp_tensor tp_arcface(tp_tensor x, tp_tensor classes, tp_tensor target,
                            const tp_arcface_options *options);
TP_API tp_tensor tp_cosface(tp_tensor x, tp_tensor classes, tp_tensor target,
                            const tp_arcface_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_contrastive(first, ...)      tp_contrastive(TP_HERE(first), __VA_ARGS__)
#define tp_triplet_margin(anchor, ...)  tp_triplet_margin(TP_HERE(anchor), __VA_ARGS__)
#define tp_triplet_squared(anchor, ...) tp_triplet_squared(TP_HERE(anchor), __VA_ARGS__)
#define tp_cosine_embedding(first, ...) tp_cosine_embedding(TP_HERE(first), __VA_ARGS__)
#define tp_info_nce(query, ...)         tp_info_nce(TP_HERE(query), __VA_ARGS__)
#define tp_nt_xent(first, ...)          tp_nt_xent(TP_HERE(first), __VA_ARGS__)
#define tp_n_pairs(anchor, ...)         tp_n_pairs(TP_HERE(anchor), __VA_ARGS__)
#define tp_supcon(x, ...)               tp_supcon(TP_HERE(x), __VA_ARGS__)
#define tp_multi_similarity(x, ...)     tp_multi_similarity(TP_HERE(x), __VA_ARGS__)
#define tp_circle_pairs(positive, ...)  tp_circle_pairs(TP_HERE(positive), __VA_ARGS__)
#define tp_circle(x, ...)               tp_circle(TP_HERE(x), __VA_ARGS__)
#define tp_arcface(x, ...)              tp_arcface(TP_HERE(x), __VA_ARGS__)
#define tp_cosface(x, ...)              tp_cosface(TP_HERE(x), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
