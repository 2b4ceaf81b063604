/* tapir/terms.h -- a loss of several named terms: tasks, penalties, regularisers.
 *
 *     const tp_term term[] = {{"alcohol", mse, 1}, {"cultivar", cross_entropy, 0.5}};
 *     tp_terms terms;
 *     tp_tensor total = tp_terms_total(term, 2, NULL, &terms);
 *     tp_tensor step = tp_adam(total, parameters, n, NULL);
 *     tp_program *train = tp_compile((tp_tensor[]){total, terms.values, step}, 3, NULL);
 *
 * One forward pass gives the total and, in terms.values, every term's value.  The weights are a leaf, terms.weights: tp_write or
 * tp_terms_weigh changes them between runs, and nothing is planned again.
 */
#ifndef TAPIR_TERMS_H
#define TAPIR_TERMS_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TP_TERMS_MOST 64

typedef struct tp_term {
    const char *name;
    tp_tensor loss;      /* one element, f32 or f64; all terms have one dtype */
    double weight;       /* at the start; finite */
    bool classification; /* a cross-entropy rather than a squared error: see .learned */
} tp_term;

typedef struct tp_terms_options {
    tp_tensor weights; /* instead of a new leaf: [n], of the terms' dtype */
    /* The weights are learned, too: with a log variance s[k] per term the total is
     *
     *     sum of c[k] exp(-s[k]) weight[k] loss[k] + s[k] / 2,     c = 1 for a classification, else 1/2
     *
     * s is a parameter that starts at 0, terms.log_variances: give it to the optimiser with the others.  (Kendall, Gal and
     * Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics", 2018.) */
    bool learned;
    tp_tensor log_variances; /* instead of a new leaf; implies .learned */
} tp_terms_options;

typedef struct tp_terms {
    int n;
    const tp_term *term;     /* the array that was given, for names: it must live as long */
    tp_tensor total;         /* 0-d: the sum of weight[k] loss[k], or as .learned says */
    tp_tensor values;        /* [n]: each term's own value, without weights */
    tp_tensor weights;       /* [n]: a leaf */
    tp_tensor log_variances; /* [n]: a leaf; absent unless learned */
} tp_terms;

/* The total of term[0..n), n at most TP_TERMS_MOST.  A term with weight 0 has no part in the total and sends no gradient, whatever
 * its value. */
TP_API tp_tensor tp_terms_total(const tp_term *term, int n, const tp_terms_options *options, tp_terms *out);
TP_API tp_tensor tp_terms_total_at(const char *file, int line, const tp_term *term, int n,
                                   const tp_terms_options *options, tp_terms *out);

/* Changes the weight of the term of that name: TP_BAD_ARGUMENT if there is none or the weight is not finite. */
TP_API tp_status tp_terms_weigh(const tp_terms *terms, const char *name, double weight);

/* After a run of a program with terms.values among its outputs: the value of the term of that name.  NaN, and an error on the tape,
 * if there is none. */
TP_API double tp_terms_value(const tp_terms *terms, const char *name);

/* After such a run: each term's name and value, on one line. */
TP_API void tp_terms_print(const tp_terms *terms, FILE *stream);

/* How the terms pull at parameters[0..m): norms [n] are the lengths of d loss[k] / d parameters, without weights; cosines [n,n] are
 * those between them, 0 where one is 0.  Outputs for a program, and what GradNorm or PCGrad begin with. */
TP_API tp_status tp_terms_gradients(const tp_terms *terms, const tp_tensor *parameters, int m,
                                    tp_tensor *norms, tp_tensor *cosines);

#ifndef TP_NO_PLACE
#define tp_terms_total(...) tp_terms_total_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
