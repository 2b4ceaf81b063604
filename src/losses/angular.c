/* angular.c -- cross-entropy of cosines with a margin: arcface cosface. */
#include <math.h>

#include "batch.h"
#include "classes.h"

typedef struct angles {
    tp_tensor cosine; /* [N, C] */
    tp__classes c;
    tp__class_labels y;
} angles;

static bool begin(angles *a, tp_tensor x, tp_tensor classes, tp_tensor target)
{
    const tp_tensor at = tp__loss_at(tp__loss_at(x, classes), target);
    const tp_shape shape = tp_shape_of(x), own = tp_shape_of(classes);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    if (!tp__batch_of(at, x, "embedding") || !tp__batch_of(at, classes, "class vectors tensor") ||
        !tp__loss_operand(at, target, "target"))
        return false;
    if (tp_dtype_of(classes) != tp_dtype_of(x) || own.dim[1] != shape.dim[1]) {
        tp_fail(x, tp_dtype_of(classes) != tp_dtype_of(x) ? TP_BAD_DTYPE : TP_BAD_SHAPE,
                "the class vectors are %s, but must have the embedding's dtype and number of features, %s",
                tp_describe(tp_dtype_of(classes), &own, got), tp_describe(tp_dtype_of(x), &shape, expected));
        return false;
    }
    classes = tp__loss_here(at, classes);
    const tp_tensor product = tp_matmul(tp__normalised(x), tp_transpose(tp__normalised(classes), 0, 1));
    a->cosine = tp_clamp(product, -1, 1); /* rounding may lead beyond */
    if (!tp__classes_of(&a->c, a->cosine, "cosines", (tp_optional_int){0}) ||
        !tp__classes_target(&a->c, target, true, false))
        return false;
    a->y = tp__classes_labels(&a->c, target);
    return true;
}

/* Cross-entropy of the cosines, of which those of the rows' own classes are `own`. */
static tp_tensor finish(const angles *a, tp_tensor own, const tp_arcface_options *o)
{
    const double scale = tp__loss_default(o->scale, 64);

    if (!(scale > 0 && scale < HUGE_VAL))
        return tp_fail(a->cosine, TP_BAD_ARGUMENT, "the scale must be positive and finite, not %g", scale);
    const tp_tensor z = tp_scale(tp_where(a->y.hit, own, a->cosine), scale);
    const tp_tensor r = tp_neg(tp__classes_pick(&a->c, &a->y, tp_log_softmax(z, 1)));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

static tp_tensor at_of(tp_tensor x, tp_tensor classes, tp_tensor target)
{
    return tp__loss_at(tp__loss_at(x, classes), target);
}

/* ---- arcface ----------------------------------------------------------------------------------------- */

/* cos(angle + m) = cos cos m - sin sin m; the root of 0 has the gradient 0, as a norm has. */
static tp_tensor turned(tp_tensor cosine, double m)
{
    const tp_tensor zero = tp__loss_number(cosine, 0), rest = tp__loss_minus(1, tp_square(cosine));
    const tp_tensor sine = tp_where(tp_less_equal(rest, zero), zero, tp_sqrt(rest));
    return tp_sub(tp_scale(cosine, cos(m)), tp_scale(sine, sin(m)));
}

static tp_tensor arcface(tp_tensor x, tp_tensor classes, tp_tensor target, const tp_arcface_options *o)
{
    const double m = tp__loss_given(o->margin, 0.5), pi = 3.14159265358979323846;
    angles a;

    if (!begin(&a, x, classes, target))
        return tp__loss_invalid(at_of(x, classes, target));
    if (!(m >= 0 && m <= pi))
        return tp_fail(x, TP_BAD_ARGUMENT, "the margin must be in [0, pi], not %g", m);
    const double least = o->easy_margin ? 0 : cos(pi - m), loss = o->easy_margin ? 0 : m * sin(pi - m);
    const tp_tensor near = tp_greater(a.cosine, tp__loss_number(a.cosine, least));
    const tp_tensor own = tp_where(near, turned(a.cosine, m), tp__loss_plus(a.cosine, -loss));
    return finish(&a, own, o);
}

tp_tensor tp_arcface(tp_tensor x, tp_tensor classes, tp_tensor target, const tp_arcface_options *options)
{
    tp_tape *tape = at_of(x, classes, target).tape;

    tp_scope_begin(tape, "arcface");
    const tp_tensor loss = arcface(x, classes, target, options != NULL ? options : &(tp_arcface_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- cosface ----------------------------------------------------------------------------------------- */

static tp_tensor cosface(tp_tensor x, tp_tensor classes, tp_tensor target, const tp_arcface_options *o)
{
    const double m = tp__loss_given(o->margin, 0.35);
    angles a;

    if (!begin(&a, x, classes, target))
        return tp__loss_invalid(at_of(x, classes, target));
    if (!isfinite(m))
        return tp_fail(x, TP_BAD_ARGUMENT, "the margin must be finite, not %g", m);
    return finish(&a, tp__loss_plus(a.cosine, -m), o);
}

tp_tensor tp_cosface(tp_tensor x, tp_tensor classes, tp_tensor target, const tp_arcface_options *options)
{
    tp_tape *tape = at_of(x, classes, target).tape;

    tp_scope_begin(tape, "cosface");
    const tp_tensor loss = cosface(x, classes, target, options != NULL ? options : &(tp_arcface_options){0});
    tp_scope_end(tape);
    return loss;
}
