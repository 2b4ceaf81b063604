/* tapir/constraints.h -- what a solution should be like: penalties, augmented Lagrangians, regularisers.
 *
 * A constraint is an expression that should be 0, or at most 0, element by element.  It becomes a term of the loss,
 *
 *     loss = tp_add(tp_cross_entropy(z, y, NULL), tp_penalty(tp_sums_to(p, 1), 10, NULL));      probabilities
 *     loss = tp_add(tp_mse(p, y, NULL), tp_penalty(tp_between(p, zero, one), 10, NULL));        a bounded output
 *     loss = tp_add(tp_mse(p, y, NULL), tp_l1_penalty(w, 1e-3));                                sparse weights
 *
 * or, together with others, an augmented Lagrangian, which meets it exactly with a finite weight.
 *
 * Like the losses (tapir/losses.h) all of this is compositions of ops: f32 or f64, gradients of any order, options last.
 * Operands of one constraint have one dtype; a bound may be a weak scalar.
 *
 * Constraints that nothing can meet.  Where numbers show it (bounds 1 and 0, a simplex of total -1) recording it is an
 * error, TP_BAD_VALUE.  Where only values do, penalties and multipliers stay finite, and tp_kkt_read says so.
 */
#ifndef TAPIR_CONSTRAINTS_H
#define TAPIR_CONSTRAINTS_H

#include <tapir/losses/reduction.h>
#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Constraints ------------------------------------------------------------------------------------ */

typedef struct tp_constraint_part {
    tp_tensor value;      /* c: should be 0 (equality), else at most 0 */
    tp_tensor multiplier; /* of tp_augmented_lagrangian: a leaf of c's shape, absent before */
    bool equality;
    bool per_row; /* its penalties are summed over the last axis */
} tp_constraint_part;

/* Made by the functions below; `name` is for reports, and yours to change. */
typedef struct tp_constraint {
    const char *name;
    int parts;
    tp_constraint_part part[2];
} tp_constraint;

TP_API tp_constraint tp_equals(tp_tensor a, tp_tensor b);                    /* a = b */
TP_API tp_constraint tp_at_most(tp_tensor a, tp_tensor b);                   /* a <= b */
TP_API tp_constraint tp_at_least(tp_tensor a, tp_tensor b);                  /* a >= b */
TP_API tp_constraint tp_between(tp_tensor x, tp_tensor low, tp_tensor high); /* low <= x <= high */

/* The sum over the last axis is `total`; that, and no element is negative. */
TP_API tp_constraint tp_sums_to(tp_tensor x, double total);
TP_API tp_constraint tp_simplex(tp_tensor x, double total);

/* Sparsity: the sum of |x| over all elements is at most `budget`, the convex stand-in for few that are not 0. */
TP_API tp_constraint tp_sparse(tp_tensor x, double budget);

/* Along the last axis each element is at least `gap` above (below) the one before it; 0: monotone. */
TP_API tp_constraint tp_increasing(tp_tensor x, double gap);
TP_API tp_constraint tp_decreasing(tp_tensor x, double gap);

/* How far the constraint is missed at worst: the largest |c| (equality) or max(c, 0); 0-d, 0 for no elements. */
TP_API tp_tensor tp_violation(tp_constraint constraint);
TP_API tp_tensor tp_violation_at(const char *file, int line, tp_constraint constraint);

/* ---- Penalties --------------------------------------------------------------------------------------- */

/* With v = c for an equality, else max(c, 0): */
typedef enum tp_penalty_shape {
    TP_PENALTY_L2 = 0, /* v^2 */
    TP_PENALTY_L1,     /* |v|; exact: a finite weight suffices.  Kink: 0 at 0 */
    TP_PENALTY_HUBER,  /* v^2 / 2 for |v| <= delta, else delta (|v| - delta / 2) */
    TP_PENALTY_BARRIER, /* inequalities only: -log(-c), infinite with gradient 0 where c >= 0; see .sharpness */
    TP_PENALTY_INDICATOR /* 0 where |v| <= tolerance, else infinite; gradient 0 */
} tp_penalty_shape;

typedef struct tp_penalty_options {
    tp_penalty_shape shape;
    tp_reduction
        reduction; /* of r, which has c's shape; of tp_between the broadcast one, of tp_simplex one per row */
    tp_tensor weight; /* per element of r, as in a loss */
    tp_tensor factor; /* of the result: one number, such as a leaf that changes between runs; default: 1 */
    double delta;     /* of TP_PENALTY_HUBER; default: 1 */
    double tolerance; /* of TP_PENALTY_INDICATOR; default: 1e-6 */
    /* t of the barrier's extension, defined for every c: -log(-c) / t for c <= -1/t^2, from there on the tangent
     * t c - log(1/t^2) / t + 1/t.  Default: none.  (Kervadec et al., "Constrained Deep Networks: Lagrangian Optimization
     * via Log-Barrier Extensions", 2019.) */
    double sharpness;
} tp_penalty_options;

/* lambda (and .factor) times the reduced penalty of a constraint.  lambda is finite and not negative.  A factor or lambda
 * of 0 leaves the penalty out, also where it is infinite. */
TP_API tp_tensor tp_penalty(tp_constraint constraint, double lambda, const tp_penalty_options *options);
TP_API tp_tensor tp_penalty_at(const char *file, int line, tp_constraint constraint, double lambda,
                               const tp_penalty_options *options);

typedef struct tp_adapt_options {
    double tolerance; /* violation that is good enough; default: 1e-4 */
    double growth;    /* > 1; default: 2 */
    double largest;   /* default: 1e6 */
} tp_adapt_options;

/* An assignment for a program: the leaf `factor` (one number) grows while the constraint is violated:
 * factor = min(growth factor, largest) where the violation is above the tolerance. */
TP_API tp_tensor tp_adapt_factor(tp_tensor factor, tp_constraint constraint, const tp_adapt_options *options);

/* ---- Augmented Lagrangian ---------------------------------------------------------------------------- */

/* sum lambda h + rho / 2 sum h^2, for h = 0.  The multiplier has h's shape; rho is one number. */
TP_API tp_tensor tp_augmented_equality(tp_tensor h, tp_tensor multiplier, tp_tensor rho);

/* 1 / (2 rho) sum (max(0, mu + rho g)^2 - mu^2), for g <= 0. */
TP_API tp_tensor tp_augmented_inequality(tp_tensor g, tp_tensor multiplier, tp_tensor rho);

typedef struct tp_augmented_options {
    double rho;         /* at the start; default: 10 */
    double growth;      /* of rho, > 1; default: 4 */
    double progress;    /* in (0, 1): rho grows unless the violation fell to this part; default: 0.25 */
    double largest_rho; /* default: 1e8 */
    double
        multiplier_bound; /* |multipliers| stay below it, so that nothing overflows where no point is feasible;
                                 * default: 1e10 */
} tp_augmented_options;

typedef struct tp_lagrangian {
    tp_tensor objective;
    tp_tensor loss;      /* to be minimised for fixed multipliers: objective + the terms above */
    tp_tensor rho;       /* a leaf, one number */
    tp_tensor violation; /* max of |h| and |max(g, -mu / rho)|: 0 when feasible and complementary */
    tp_tensor previous;  /* a leaf: the violation at the last step */
    tp_tensor step;      /* the update, one handle */
} tp_lagrangian;

/* The augmented Lagrangian of an objective (one element) and constraints[0..n), of its dtype.  Makes a leaf of zeros for each
 * part's multiplier, part[].multiplier, and records the update:
 *
 *     lambda = lambda + rho h,   mu = max(0, mu + rho g),   rho = growth rho unless violation <= progress previous
 *
 * Alternate: some runs of an optimiser of `loss`, one run of a program of `step`.  Returns `loss`.  (Nocedal and Wright,
 * "Numerical Optimization", 2006, chapter 17; Birgin and Martinez, "Practical Augmented Lagrangian Methods", 2014.) */
TP_API tp_tensor tp_augmented_lagrangian(tp_tensor objective, tp_constraint *constraints, int n,
                                         const tp_augmented_options *options, tp_lagrangian *out);

/* ---- Reports ----------------------------------------------------------------------------------------- */

/* Of one constraint. */
typedef struct tp_constraint_report {
    const char *name;
    double violation;       /* as tp_violation */
    double multiplier;      /* the largest |multiplier| */
    double complementarity; /* the largest |mu g| of inequalities */
    double residual;        /* the larger of violation and complementarity */
} tp_constraint_report;

/* Of all of them. */
typedef struct tp_kkt_report {
    double stationarity; /* the largest |d/dx (objective + sum of multiplier c)| */
    double violation, complementarity;
    double residual;      /* the largest of these three */
    double infeasibility; /* the largest |d/dx (sum of v^2) / 2| */
    /* Violated by more than `tolerance`, but no small step makes it less (infeasibility <= 1e-3 violation): most likely
     * there is no feasible point. */
    bool stuck;
} tp_kkt_report;

/* Records what tp_kkt_read needs, one tensor, an output of a program of yours.  Run it after the update step: the multipliers
 * are then those of the point. */
TP_API tp_tensor tp_kkt(const tp_lagrangian *lagrangian, const tp_constraint *constraints, int n,
                        const tp_tensor *parameters, int m);

/* Reads it after a run: row[0..n) (unless NULL) and *report (unless NULL).  As tp_read. */
TP_API tp_status tp_kkt_read(tp_tensor kkt, const tp_constraint *constraints, int n, double tolerance,
                             tp_constraint_report *row, tp_kkt_report *report);

/* ---- Regularisers: of all elements, no mean --------------------------------------------------------- */

TP_API tp_tensor tp_l1_penalty(tp_tensor x, double lambda); /* lambda sum |x|; kink: 0 at 0 */
TP_API tp_tensor tp_l2_penalty(tp_tensor x, double lambda); /* lambda sum x^2 */

/* alpha (ratio sum |x| + (1 - ratio) / 2 sum x^2), 0 <= ratio <= 1.  (Zou and Hastie, "Regularization and variable selection
 * via the elastic net", 2005, in scikit-learn's form.) */
TP_API tp_tensor tp_elastic_net(tp_tensor x, double alpha, double ratio);

/* lambda sum over groups of sqrt(size) |x_group|_2; group: i32, x's shape [n], numbers in [0, groups).  Kink: 0 where a group is
 * 0.  (Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006.) */
TP_API tp_tensor tp_group_lasso(tp_tensor x, tp_tensor group, int64_t groups, double lambda);

/* lambda sum |d|^power, power 1 or 2, d the differences of neighbours along the last axis. */
TP_API tp_tensor tp_total_variation(tp_tensor x, double lambda, int power);

typedef struct tp_total_variation_options {
    bool isotropic; /* lambda sum sqrt(dh^2 + dw^2 + epsilon) over the points that have both */
    double epsilon; /* default: 1e-12 */
} tp_total_variation_options;

/* lambda (sum |dh| + sum |dw|), differences along the last two axes.  (Rudin, Osher and Fatemi, "Nonlinear total variation
 * based noise removal algorithms", 1992, for the isotropic one.) */
TP_API tp_tensor tp_total_variation_2d(tp_tensor x, double lambda, const tp_total_variation_options *options);

TP_API tp_tensor tp_orthogonality(tp_tensor w, double lambda); /* lambda |w^T w - I|^2, w [n, k] */

/* Entropy of softmax(logits) over the last axis, one per row; a mean divides by rows (or weights).  Takes weight and reduction
 * as a loss. */
TP_API tp_tensor tp_entropy(tp_tensor logits, const tp_loss_options *options);

/* ---- Places ------------------------------------------------------------------------------------------ */

#ifndef TP_NO_PLACE
#define tp_equals(a, ...)               tp_equals(TP_HERE(a), __VA_ARGS__)
#define tp_at_most(a, ...)              tp_at_most(TP_HERE(a), __VA_ARGS__)
#define tp_at_least(a, ...)             tp_at_least(TP_HERE(a), __VA_ARGS__)
#define tp_between(x, ...)              tp_between(TP_HERE(x), __VA_ARGS__)
#define tp_sums_to(x, ...)              tp_sums_to(TP_HERE(x), __VA_ARGS__)
#define tp_simplex(x, ...)              tp_simplex(TP_HERE(x), __VA_ARGS__)
#define tp_sparse(x, ...)               tp_sparse(TP_HERE(x), __VA_ARGS__)
#define tp_increasing(x, ...)           tp_increasing(TP_HERE(x), __VA_ARGS__)
#define tp_decreasing(x, ...)           tp_decreasing(TP_HERE(x), __VA_ARGS__)
#define tp_violation(...)               tp_violation_at(__FILE__, __LINE__, __VA_ARGS__)
#define tp_penalty(...)                 tp_penalty_at(__FILE__, __LINE__, __VA_ARGS__)
#define tp_adapt_factor(factor, ...)    tp_adapt_factor(TP_HERE(factor), __VA_ARGS__)
#define tp_augmented_equality(h, ...)   tp_augmented_equality(TP_HERE(h), __VA_ARGS__)
#define tp_augmented_inequality(g, ...) tp_augmented_inequality(TP_HERE(g), __VA_ARGS__)
#define tp_augmented_lagrangian(o, ...) tp_augmented_lagrangian(TP_HERE(o), __VA_ARGS__)
#define tp_l1_penalty(x, ...)           tp_l1_penalty(TP_HERE(x), __VA_ARGS__)
#define tp_l2_penalty(x, ...)           tp_l2_penalty(TP_HERE(x), __VA_ARGS__)
#define tp_elastic_net(x, ...)          tp_elastic_net(TP_HERE(x), __VA_ARGS__)
#define tp_group_lasso(x, ...)          tp_group_lasso(TP_HERE(x), __VA_ARGS__)
#define tp_total_variation(x, ...)      tp_total_variation(TP_HERE(x), __VA_ARGS__)
#define tp_total_variation_2d(x, ...)   tp_total_variation_2d(TP_HERE(x), __VA_ARGS__)
#define tp_orthogonality(w, ...)        tp_orthogonality(TP_HERE(w), __VA_ARGS__)
#define tp_entropy(logits, ...)         tp_entropy(TP_HERE(logits), __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif

#endif
