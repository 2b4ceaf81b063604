/* error_rows_constraints.h -- the rows of test_errors.c for constraints, regularisers and terms. */
#ifndef TAPIR_TESTS_ERROR_ROWS_CONSTRAINTS_H
#define TAPIR_TESTS_ERROR_ROWS_CONSTRAINTS_H

#define NUMBER(VALUE)     tp_scalar(w->tape, VALUE)
#define FIRST(CONSTRAINT) ((CONSTRAINT).part[0].value)

CALL(refuted_equals, FIRST(tp_equals(tp_scalar_of(w->tape, TP_F64, 1), NUMBER(2))))
CALL(refuted_bounds, FIRST(tp_between(w->n, NUMBER(1), NUMBER(0))))
CALL(sum_of_zero, FIRST(tp_sums_to(w->zero, 1)))
CALL(sum_of_none, FIRST(tp_sums_to(w->empty, 1)))
CALL(negative_simplex, FIRST(tp_simplex(w->nc, -1)))
CALL(negative_budget, FIRST(tp_sparse(w->n, -1)))
CALL(order_of_none, FIRST(tp_increasing(w->empty, 0)))
CALL(order_gap, FIRST(tp_decreasing(w->n, NAN)))
CALL(constraint_parts, tp_violation((tp_constraint){.parts = 3, .part[0].value = w->n}))
CALL(penalty_lambda, tp_penalty(tp_sums_to(w->nc, 1), -1, NULL))
CALL(penalty_shape, tp_penalty(tp_sums_to(w->nc, 1), 1, &(tp_penalty_options){.shape = (tp_penalty_shape)9}))
CALL(penalty_delta, tp_penalty(tp_sums_to(w->nc, 1), 1, &(tp_penalty_options){.delta = -1}))
CALL(penalty_barrier, tp_penalty(tp_sums_to(w->nc, 1), 1, &(tp_penalty_options){.shape = TP_PENALTY_BARRIER}))
CALL(penalty_factor, tp_penalty(tp_sums_to(w->nc, 1), 1, &(tp_penalty_options){.factor = w->n}))
CALL(adapt_shape, tp_adapt_factor(w->n, tp_sums_to(w->nc, 1), NULL))
CALL(adapt_growth, tp_adapt_factor(w->zero, tp_sums_to(w->nc, 1), &(tp_adapt_options){.growth = 0.5}))

static inline tp_tensor lagrangian_of(const world *w, tp_tensor objective, tp_constraint c, int n,
                                      const tp_augmented_options *o, bool out)
{
    tp_lagrangian l;
    (void)w;
    return tp_augmented_lagrangian(objective, &c, n, o, out ? &l : NULL);
}

CALL(rho_shape, tp_augmented_equality(w->n, w->n, w->n))
CALL(lagrangian_options,
     lagrangian_of(w, w->zero, tp_sums_to(w->nc, 1), 1, &(tp_augmented_options){.growth = 1}, true))
CALL(lagrangian_none, lagrangian_of(w, w->zero, tp_sums_to(w->nc, 1), 0, NULL, true))
CALL(lagrangian_parts, lagrangian_of(w, w->zero, (tp_constraint){0}, 1, NULL, true))
CALL(lagrangian_objective, lagrangian_of(w, w->n, tp_sums_to(w->nc, 1), 1, NULL, true))
CALL(lagrangian_out, lagrangian_of(w, w->zero, tp_sums_to(w->nc, 1), 1, NULL, false))

static inline tp_tensor kkt_of(const world *w, int m, bool read)
{
    tp_lagrangian l;
    tp_constraint c = tp_sums_to(w->nc, 1);
    tp_augmented_lagrangian(w->zero, &c, 1, NULL, &l);
    if (!read)
        return tp_kkt(&l, &c, 1, &w->nc, m);
    tp_kkt_read(tp_parameter(w->tape, TP_F64, TP_SHAPE(3), NULL), &c, 1, 0, NULL, NULL);
    return w->absent;
}

CALL(kkt_parameters, kkt_of(w, 0, false))
CALL(kkt_number, kkt_of(w, 1, true))

CALL(l1_factor, tp_l1_penalty(w->n, NAN))
CALL(net_ratio, tp_elastic_net(w->n, 1, 2))
CALL(lasso_shape, tp_group_lasso(w->n, w->whole_n1, 2, 1))
CALL(lasso_dtype, tp_group_lasso(w->n, w->n, 2, 1))
CALL(lasso_groups, tp_group_lasso(w->n, w->whole, -1, 1))
CALL(variation_axes, tp_total_variation_2d(w->n, 1, NULL))
CALL(variation_power, tp_total_variation(w->n, 1, 3))
CALL(variation_epsilon, tp_total_variation_2d(w->nc, 1, &(tp_total_variation_options){.epsilon = -1}))
CALL(no_matrix, tp_orthogonality(w->n, 1))
CALL(entropy_classes, tp_entropy(w->zero, NULL))

static inline tp_tensor total_of(tp_tensor a, tp_tensor b, double weight, int n, tp_tensor weights)
{
    const tp_term term[] = {{"first", a, 1, false}, {"second", b, weight, false}};
    return tp_terms_total(term, n, &(tp_terms_options){.weights = weights}, NULL);
}

CALL(term_shape, total_of(w->zero, w->n, 1, 2, w->absent))
CALL(term_weight, total_of(w->zero, w->zero, NAN, 2, w->absent))
CALL(term_weights, total_of(w->zero, w->zero, 1, 2, w->n))
CALL(term_many, total_of(w->zero, w->zero, 1, 65, w->absent))

static inline tp_tensor misuse_terms(const world *w, int what)
{
    const tp_term term[] = {{"first", w->zero, 1, false}};
    tp_terms t;
    tp_terms_total(term, 1, NULL, &t);
    if (what == 0)
        tp_terms_value(&t, "second");
    else if (what == 1)
        tp_terms_weigh(&t, "first", NAN);
    else
        tp_terms_gradients(&t, NULL, 0, NULL, NULL);
    return w->absent;
}

CALL(term_name, misuse_terms(w, 0))
CALL(term_new_weight, misuse_terms(w, 1))
CALL(term_parameters, misuse_terms(w, 2))

/* clang-format off */
#define CONSTRAINT_ERROR_ROWS \
    {"constraints.c", refuted_equals, TP_BAD_VALUE, \
     "equals: the two numbers are not so: there is no feasible point"}, \
    {"constraints.c", refuted_bounds, TP_BAD_VALUE, \
     "between: the lower bound, 1, is not below the upper one: there is no feasible point"}, \
    {"constraints.c", sum_of_zero, TP_BAD_SHAPE, \
     "sums_to: the constrained tensor is a single number, but must have an axis to sum over"}, \
    {"constraints.c", sum_of_none, TP_BAD_VALUE, "sums_to: the sum cannot be 1: there is no feasible point"}, \
    {"constraints.c", negative_simplex, TP_BAD_VALUE, \
     "simplex: the sum cannot be -1: there is no feasible point"}, \
    {"constraints.c", negative_budget, TP_BAD_VALUE, \
     "sparse: the budget is -1, which no sum of sizes is below: there is no feasible point"}, \
    {"constraints.c", order_of_none, TP_BAD_SHAPE, \
     "increasing: the constrained tensor must have elements along a last axis"}, \
    {"constraints.c", order_gap, TP_BAD_VALUE, \
     "decreasing: the gap must be finite, not nan: there is no feasible point"}, \
    {"constraints.c", constraint_parts, TP_BAD_ARGUMENT, \
     "violation: the constraint is not one that a function of tapir/constraints.h made"}, \
    {"constraints.c", penalty_lambda, TP_BAD_ARGUMENT, \
     "penalty: lambda must be finite and not negative, but is -1"}, \
    {"constraints.c", penalty_shape, TP_BAD_ARGUMENT, \
     "penalty: the shape must be one of tp_penalty_shape's, not 9"}, \
    {"constraints.c", penalty_delta, TP_BAD_ARGUMENT, \
     "penalty: delta, tolerance and sharpness must not be negative"}, \
    {"constraints.c", penalty_barrier, TP_BAD_ARGUMENT, \
     "penalty: a barrier needs an inside, which an equality does not have"}, \
    {"constraints.c", penalty_factor, TP_BAD_SHAPE, "penalty: the factor must be one number"}, \
    {"constraints.c", adapt_shape, TP_BAD_SHAPE, "adapt_factor: the factor to adapt must be one number"}, \
    {"constraints.c", adapt_growth, TP_BAD_ARGUMENT, \
     "adapt_factor: tolerance and largest must be positive, growth above 1, all finite"}, \
    {"constraints_lagrangian.c", rho_shape, TP_BAD_SHAPE, "augmented_equality: rho must be one number"}, \
    {"constraints_lagrangian.c", lagrangian_options, TP_BAD_ARGUMENT, \
     "augmented_lagrangian: rho and multiplier_bound must be positive, growth above 1, progress in (0, 1), " \
     "largest_rho not below rho, all finite"}, \
    {"constraints_lagrangian.c", lagrangian_none, TP_BAD_ARGUMENT, \
     "augmented_lagrangian: at least one constraint is needed, not 0"}, \
    {"constraints_lagrangian.c", lagrangian_parts, TP_BAD_ARGUMENT, \
     "augmented_lagrangian: constraint 0 is not one that a function of tapir/constraints.h made"}, \
    {"constraints_lagrangian.c", lagrangian_objective, TP_BAD_SHAPE, \
     "augmented_lagrangian: the objective must be one number"}, \
    {"constraints_lagrangian.c", lagrangian_out, TP_BAD_ARGUMENT, \
     "augmented_lagrangian: a place for the result is needed, not NULL"}, \
    {"constraints_lagrangian.c", kkt_parameters, TP_BAD_ARGUMENT, \
     "kkt: at least one parameter is needed, not 0"}, \
    {"constraints_lagrangian.c", kkt_number, TP_BAD_ARGUMENT, \
     "kkt_read: the number of constraints, 1, is not what was recorded"}, \
    {"constraints_regularisers.c", l1_factor, TP_BAD_ARGUMENT, \
     "l1_penalty: the factor must be finite, not nan"}, \
    {"constraints_regularisers.c", net_ratio, TP_BAD_ARGUMENT, \
     "elastic_net: the ratio must be in [0, 1], not 2"}, \
    {"constraints_regularisers.c", lasso_shape, TP_BAD_SHAPE, \
     "group_lasso: the tensor and its groups must be vectors of one length"}, \
    {"constraints_regularisers.c", lasso_dtype, TP_BAD_DTYPE, \
     "group_lasso: the groups are f64, but must be i32"}, \
    {"constraints_regularisers.c", lasso_groups, TP_BAD_ARGUMENT, \
     "group_lasso: the number of groups must not be negative"}, \
    {"constraints_regularisers.c", variation_axes, TP_BAD_SHAPE, \
     "total_variation_2d: the tensor must have elements along its last two axes"}, \
    {"constraints_regularisers.c", variation_power, TP_BAD_ARGUMENT, \
     "total_variation: the power must be 1 or 2, not 3"}, \
    {"constraints_regularisers.c", variation_epsilon, TP_BAD_ARGUMENT, \
     "total_variation_2d: epsilon must be positive, not -1"}, \
    {"constraints_regularisers.c", no_matrix, TP_BAD_SHAPE, "orthogonality: the tensor must be a matrix"}, \
    {"constraints_regularisers.c", entropy_classes, TP_BAD_SHAPE, \
     "entropy: the logits tensor must have classes along its last axis"}, \
    {"terms.c", term_shape, TP_BAD_SHAPE, \
     "terms: the term 'second' must be one number of the first term's dtype"}, \
    {"terms.c", term_weight, TP_BAD_ARGUMENT, "terms: the weight of 'second' must be finite, not nan"}, \
    {"terms.c", term_weights, TP_BAD_SHAPE, \
     "terms: the weights must be a vector with a number for each of the 2 terms"}, \
    {"terms.c", term_many, TP_BAD_ARGUMENT, "terms: at most 64 terms are possible, not 65"}, \
    {"terms.c", term_name, TP_BAD_ARGUMENT, "there is no term of the name 'second'"}, \
    {"terms.c", term_new_weight, TP_BAD_ARGUMENT, "the new weight of 'first' must be finite, not nan"}, \
    {"terms.c", term_parameters, TP_BAD_ARGUMENT, "terms_gradients: at least one parameter is needed, not 0"},
/* clang-format on */

#endif
