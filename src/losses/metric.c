/* metric.c -- pairs and triplets of embeddings: contrastive triplet_margin triplet_squared cosine_embedding. */
#include <math.h>

#include "common.h"

/* ---- Operands ---------------------------------------------------------------------------------------- */

/* The place of a loss of three. */
static tp_tensor at_of(tp_tensor a, tp_tensor b, tp_tensor c)
{
    return tp__loss_at(tp__loss_at(a, b), c);
}

/* Are these embeddings of one dtype and shape?  The second takes the loss's place. */
static bool check_two(tp_tensor at, tp_tensor a, const char *a_name, tp_tensor *b, const char *b_name)
{
    const tp_shape shape = tp_shape_of(a);
    char text[TP_TEXT_SIZE];

    if (!tp__loss_float(at, a, a_name) || !tp__loss_operand(at, *b, b_name) ||
        !tp__loss_alike(*b, b_name, a, a_name))
        return false;
    *b = tp__loss_here(at, *b);
    if (shape.rank > 0)
        return true;
    tp_fail(a, TP_BAD_SHAPE, "the %s is %s: it needs an axis of features", a_name,
            tp_describe(tp_dtype_of(a), &shape, text));
    return false;
}

/* Converts the pairs' label; it has the rows' shape or is one number. */
static bool check_label(tp_tensor embedding, tp_tensor *label, const char *name)
{
    tp_shape rows = tp_shape_of(embedding);
    const tp_shape own = tp_shape_of(*label);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (!tp__loss_label(embedding, label, name, tp_dtype_of(embedding)))
        return false;
    rows.dim[--rows.rank] = 0;
    if (own.rank == 0 || tp_shape_equal(own, rows))
        return true;
    tp_fail(embedding, TP_BAD_SHAPE, "the %s is %s, but must be %s, one number per pair", name,
            tp_describe(tp_dtype_of(*label), &own, got),
            tp_describe(tp_dtype_of(embedding), &rows, expected));
    return false;
}

static tp_tensor sum_of_features(tp_tensor x)
{
    return tp_sum_over(x, TP_AXES(-1), false);
}

/* ---- contrastive ------------------------------------------------------------------------------------- */

/* Squared distances are used as they come from the sum: d^2 of a root has no curvature at d = 0. */
static tp_tensor contrastive(tp_tensor first, tp_tensor second, tp_tensor label,
                             const tp_contrastive_options *o)
{
    const tp_tensor at = at_of(first, second, label);
    const double margin = tp__loss_default(o->margin, 1);

    if (!check_two(at, first, "first embedding", &second, "second embedding") ||
        !check_label(first, &label, "label"))
        return tp__loss_invalid(at);
    if (!(margin > 0 && margin < HUGE_VAL))
        return tp_fail(first, TP_BAD_ARGUMENT, "the margin must be positive and finite, not %g", margin);
    const tp_tensor difference = tp_sub(first, second);
    const tp_tensor squared = sum_of_features(tp_square(difference));
    const tp_tensor distance = tp_norm_over(difference, TP_AXES(-1), false); /* of the same sum */
    const tp_tensor missing = tp_square(tp_relu(tp__loss_minus(margin, distance)));
    const tp_tensor r = tp_add(tp_mul(tp__loss_minus(1, label), squared), tp_mul(label, missing));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_contrastive(tp_tensor first, tp_tensor second, tp_tensor label,
                         const tp_contrastive_options *options)
{
    tp_tape *tape = at_of(first, second, label).tape;

    tp_scope_begin(tape, "contrastive");
    const tp_tensor loss =
        contrastive(first, second, label, options != NULL ? options : &(tp_contrastive_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- triplet_margin ---------------------------------------------------------------------------------- */

static tp_tensor distance(tp_tensor u, tp_tensor v, double p, double epsilon)
{
    const tp_axes last = TP_AXES(-1);
    const tp_tensor d = tp_sub(u, v), z = epsilon != 0 ? tp__loss_plus(d, epsilon) : d;

    if (p == 2)
        return tp_norm_over(z, last, false);
    if (p == HUGE_VAL)
        return tp_max_over(tp_abs(z), last, false);
    return tp__loss_power(sum_of_features(tp__loss_power(tp_abs(z), p)), 1 / p);
}

static tp_tensor triplet_margin(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                                const tp_triplet_options *o)
{
    const tp_tensor at = at_of(anchor, positive, negative);
    const double margin = tp__loss_given(o->margin, 1), p = tp__loss_default(o->p, 2),
                 epsilon = tp__loss_given(o->epsilon, 1e-6);

    if (!check_two(at, anchor, "anchor", &positive, "positive") ||
        !check_two(at, anchor, "anchor", &negative, "negative"))
        return tp__loss_invalid(at);
    if (!isfinite(margin))
        return tp_fail(anchor, TP_BAD_ARGUMENT, "the margin must be finite, not %g", margin);
    if (!(p >= 1))
        return tp_fail(anchor, TP_BAD_ARGUMENT, "p must be at least 1, not %g", p);
    if (!(epsilon >= 0))
        return tp_fail(anchor, TP_BAD_ARGUMENT, "epsilon must not be negative, but is %g", epsilon);
    const tp_tensor near = distance(anchor, positive, p, epsilon);
    tp_tensor far = distance(anchor, negative, p, epsilon);
    if (o->swap)
        far = tp_minimum(far, distance(positive, negative, p, epsilon));
    const tp_tensor r = tp_clamp(tp__loss_plus(tp_sub(near, far), margin), 0, HUGE_VAL);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_triplet_margin(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                            const tp_triplet_options *options)
{
    tp_tape *tape = at_of(anchor, positive, negative).tape;

    tp_scope_begin(tape, "triplet_margin");
    const tp_tensor loss =
        triplet_margin(anchor, positive, negative, options != NULL ? options : &(tp_triplet_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- triplet_squared --------------------------------------------------------------------------------- */

static tp_tensor triplet_squared(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                                 const tp_triplet_squared_options *o)
{
    const tp_tensor at = at_of(anchor, positive, negative);
    const double margin = tp__loss_given(o->margin, 0.2);

    if (!check_two(at, anchor, "anchor", &positive, "positive") ||
        !check_two(at, anchor, "anchor", &negative, "negative"))
        return tp__loss_invalid(at);
    if (!isfinite(margin))
        return tp_fail(anchor, TP_BAD_ARGUMENT, "the margin must be finite, not %g", margin);
    const tp_tensor near = sum_of_features(tp_square(tp_sub(anchor, positive)));
    const tp_tensor far = sum_of_features(tp_square(tp_sub(anchor, negative)));
    const tp_tensor r = tp_relu(tp__loss_plus(tp_sub(near, far), margin));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_triplet_squared(tp_tensor anchor, tp_tensor positive, tp_tensor negative,
                             const tp_triplet_squared_options *options)
{
    tp_tape *tape = at_of(anchor, positive, negative).tape;

    tp_scope_begin(tape, "triplet_squared");
    const tp_tensor loss = triplet_squared(anchor, positive, negative,
                                           options != NULL ? options : &(tp_triplet_squared_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- cosine_embedding -------------------------------------------------------------------------------- */

static tp_tensor squared_length(tp_tensor x)
{
    return tp__loss_plus(sum_of_features(tp_square(x)), 1e-12);
}

static tp_tensor cosine_embedding(tp_tensor first, tp_tensor second, tp_tensor target,
                                  const tp_cosine_embedding_options *o)
{
    const tp_tensor at = at_of(first, second, target);

    if (!check_two(at, first, "first embedding", &second, "second embedding") ||
        !check_label(first, &target, "target"))
        return tp__loss_invalid(at);
    if (!(o->margin >= -1 && o->margin <= 1))
        return tp_fail(first, TP_BAD_ARGUMENT, "the margin must be in [-1, 1], not %g", o->margin);
    const tp_tensor lengths = tp_sqrt(tp_mul(squared_length(first), squared_length(second)));
    const tp_tensor cosine = tp_div(sum_of_features(tp_mul(first, second)), lengths);
    const tp_tensor excess = tp_clamp(tp__loss_plus(cosine, -o->margin), 0, HUGE_VAL);
    const tp_tensor together = tp_greater(target, tp__loss_number(target, 0));
    const tp_tensor r = tp_where(together, tp__loss_minus(1, cosine), excess);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_cosine_embedding(tp_tensor first, tp_tensor second, tp_tensor target,
                              const tp_cosine_embedding_options *options)
{
    tp_tape *tape = at_of(first, second, target).tape;

    tp_scope_begin(tape, "cosine_embedding");
    const tp_tensor loss = cosine_embedding(first, second, target,
                                            options != NULL ? options : &(tp_cosine_embedding_options){0});
    tp_scope_end(tape);
    return loss;
}
