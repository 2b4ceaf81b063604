/* lovasz.c -- Lovasz's extension of Jaccard's loss, by sorted errors: lovasz_hinge lovasz_softmax. */
#include "classes.h"
#include "regions.h"

/* ---- What an error counts ---------------------------------------------------------------------------- */

/* J[k] - J[k - 1] of labels g along the last axis.  With I = G - (g[1] + ... + g[k]), the intersection that is left, and the
 * union U = I + k, both of k:
 *
 *     J[k] - J[k - 1] = (I + g) / (U - (1 - g)) - I / U = (g U + (1 - g) I) / (U (U - (1 - g)))
 *
 * U - (1 - g), the union of k - 1, is 0 only for the first of a region without any label: J[1] = 1 there. */
static tp_tensor steps_of(tp_tensor g)
{
    const tp_shape shape = tp_shape_of(g);
    const tp_tensor count = tp_cast(tp__loss_counter(g, shape.dim[shape.rank - 1]), tp_dtype_of(g));
    const tp_tensor left = tp_sub(tp_sum_over(g, TP_AXES(-1), true), tp_cumsum(g, -1));
    const tp_tensor all = tp_add(left, tp__loss_plus(count, 1)), other = tp__loss_minus(1, g);
    const tp_tensor before = tp_sub(all, other), one = tp__loss_number(g, 1);
    const tp_tensor none = tp_equal(before, tp__loss_number(g, 0));
    const tp_tensor step =
        tp_div(tp_add(tp_mul(g, all), tp_mul(other, left)), tp_where(none, one, tp_mul(all, before)));
    return tp_where(none, one, step);
}

/* sum_k e[k] (J[k] - J[k - 1]) along the last axis, the errors being at least 0 and `order` their positions from large to
 * small.  The steps are put where their errors are, rather than the errors in order: so the gradient by the errors is
 * elementwise. */
static tp_tensor extension(tp_tensor errors, tp_tensor order, tp_tensor labels)
{
    const tp_tensor steps = steps_of(tp_take_along_axis(labels, order, -1));
    const tp_tensor nothing =
        tp_expand(tp__loss_here(labels, tp__loss_number(labels, 0)), tp_shape_of(labels));
    const tp_tensor factor = tp_scatter_add(nothing, order, steps, -1);
    return tp_sum_over(tp_mul(errors, factor), TP_AXES(-1), false);
}

/* ---- lovasz_hinge ------------------------------------------------------------------------------------ */

static tp_tensor lovasz_hinge(tp_tensor logits, tp_tensor target, const tp_lovasz_hinge_options *o)
{
    const tp_tensor at = tp__loss_at(logits, target);
    tp__regions regions;

    if (!tp__loss_pair(at, logits, "logits tensor", &target, true, false) ||
        !tp__regions_of(&regions, logits, "logits tensor", o->per_sample, false))
        return tp__loss_invalid(at);
    const tp_shape shape = tp_shape_of(logits);
    const int64_t samples = o->per_sample ? shape.dim[0] : 1;
    const tp_shape flat = TP_SHAPE(samples, samples > 0 ? tp_count_of(logits) / samples : regions.size);
    const tp_tensor t = tp_reshape(tp_expand(target, shape), flat), x = tp_reshape(logits, flat);
    const tp_tensor e = tp__loss_minus(1, tp_mul(x, tp__loss_plus(tp_scale(t, 2), -1)));
    const tp_tensor r = extension(tp_relu(e), tp_argsort(e, -1, true), t);
    return tp__loss_reduce(o->per_sample ? r : tp_reshape(r, TP_SHAPE_0D), o->weight, (tp_tensor){0},
                           o->reduction);
}

tp_tensor tp_lovasz_hinge(tp_tensor logits, tp_tensor target, const tp_lovasz_hinge_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "lovasz_hinge");
    const tp_tensor loss =
        lovasz_hinge(logits, target, options != NULL ? options : &(tp_lovasz_hinge_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- lovasz_softmax ---------------------------------------------------------------------------------- */

/* x, of the scores' shape, as [samples, classes, pixels of a sample]. */
static tp_tensor by_class(const tp__classes *c, tp_tensor x, bool per_sample)
{
    const int64_t samples = per_sample ? c->rows.dim[0] : 1;
    int64_t pixels = 1;
    tp_axes axes = {.n = 0};

    for (int d = per_sample; d < c->rows.rank; d++)
        pixels *= c->rows.dim[d];
    for (int d = 0; d < c->shape.rank; d++) {
        if (d == c->axis)
            continue;
        if (axes.n == per_sample)
            axes.axis[axes.n++] = c->axis;
        axes.axis[axes.n++] = d;
    }
    if (axes.n < c->shape.rank) /* the classes are behind all others */
        axes.axis[axes.n++] = c->axis;
    return tp_reshape(tp_permute(x, axes), TP_SHAPE(samples, c->count, pixels));
}

static tp_tensor lovasz_softmax(tp_tensor prediction, tp_tensor target, const tp_lovasz_softmax_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    char text[TP_TEXT_SIZE];
    tp__classes c;

    if (!tp__loss_operand(at, prediction, "prediction") || !tp__loss_operand(at, target, "target") ||
        !tp__classes_of(&c, prediction, "predictions", o->axis) ||
        !tp__classes_target(&c, target, true, false))
        return tp__loss_invalid(at);
    if (o->per_sample && c.rows.rank == 0)
        return tp_fail(at, TP_BAD_SHAPE,
                       "the predictions are %s: they need an axis of samples beside that of the classes",
                       tp_describe(c.dtype, &c.shape, text));
    c.ignore = o->ignore;
    const tp__class_labels y = tp__classes_labels(&c, target);
    const tp_tensor zero = tp__loss_number(prediction, 0);
    tp_tensor hit = y.hit, e = tp_abs(tp_sub(hit, prediction));
    if (c.ignore.given) {
        const tp_tensor except = tp_scalar(prediction.tape, c.ignore.value);
        const tp_tensor ignored = tp_reshape(tp_cast(tp_equal(y.label, except), c.dtype), c.rows_kept);
        hit = tp_where(ignored, zero, hit);
        e = tp_where(ignored, zero, e);
    }
    const tp_tensor errors = by_class(&c, e, o->per_sample), g = by_class(&c, hit, o->per_sample);
    const tp_tensor each = extension(errors, tp_argsort(errors, -1, true), g); /* [samples, classes] */
    tp_tensor r;
    if (o->all_classes) {
        r = tp_mean_over(each, TP_AXES(-1), false);
    } else {
        const tp_tensor occurs = tp_greater(tp_sum_over(g, TP_AXES(-1), false), zero);
        r = tp__loss_ratio(tp_sum_over(tp_where(occurs, each, zero), TP_AXES(-1), false),
                           tp_sum_over(occurs, TP_AXES(-1), false));
    }
    return tp__loss_reduce(o->per_sample ? r : tp_reshape(r, TP_SHAPE_0D), o->weight, (tp_tensor){0},
                           o->reduction);
}

tp_tensor tp_lovasz_softmax(tp_tensor prediction, tp_tensor target, const tp_lovasz_softmax_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "lovasz_softmax");
    const tp_tensor loss =
        lovasz_softmax(prediction, target, options != NULL ? options : &(tp_lovasz_softmax_options){0});
    tp_scope_end(tape);
    return loss;
}
