/* classification.c -- tp_cross_entropy. */
#include "common.h"

/* What both kinds of target need. */
typedef struct setup {
    tp_tensor logits;
    tp_dtype dtype;
    int axis;           /* of the classes */
    int64_t classes;    /* C */
    tp_shape shape;     /* of the logits */
    tp_shape rows;      /* the same without the class axis */
    tp_shape rows_kept; /* the same with a class axis of size 1 */
    tp_shape one_row;   /* C at the class axis, else 1 */
    tp_tensor weight;   /* class weights as one_row, or absent */
    double smoothing;   /* label_smoothing */
    tp_optional_int ignore;
} setup;

/* ---- Checking -------------------------------------------------------------------------------------- */

static bool check_logits(setup *s, const tp_cross_entropy_options *o)
{
    char text[TP_TEXT_SIZE];

    tp_describe(s->dtype, &s->shape, text);
    if (s->dtype != TP_F32 && s->dtype != TP_F64) {
        tp_fail(s->logits, TP_BAD_DTYPE, "the logits are %s, but must be f32 or f64", text);
        return false;
    }
    if (s->shape.rank == 0) {
        tp_fail(s->logits, TP_BAD_SHAPE, "the logits are %s: they need a class axis", text);
        return false;
    }
    s->axis = tp_normal_axis(o->axis.given ? o->axis.value : s->shape.rank > 1, s->shape.rank);
    if (s->axis < 0) {
        tp_fail(s->logits, TP_BAD_SHAPE, "class axis %d is out of range for the logits %s",
                (int)o->axis.value, text);
        return false;
    }
    s->classes = s->shape.dim[s->axis];
    if (s->classes == 0) {
        tp_fail(s->logits, TP_BAD_SHAPE, "the logits are %s: there are no classes on axis %d", text, s->axis);
        return false;
    }
    return true;
}

static void derive_shapes(setup *s)
{
    s->one_row.rank = s->shape.rank;
    s->rows_kept = s->shape;
    s->rows_kept.dim[s->axis] = 1;
    for (int d = 0; d < s->shape.rank; d++) {
        s->one_row.dim[d] = d == s->axis ? s->classes : 1;
        if (d != s->axis)
            s->rows.dim[s->rows.rank++] = s->shape.dim[d];
    }
}

static bool check_class_weight(setup *s, tp_tensor weight)
{
    const tp_shape shape = tp_shape_of(weight);
    char text[TP_TEXT_SIZE];

    if (weight.tape == NULL)
        return true;
    if (!tp__loss_option(s->logits, &weight, "class weight", s->dtype))
        return false;
    if (shape.rank != 1 || shape.dim[0] != s->classes) {
        tp_fail(s->logits, TP_BAD_SHAPE,
                "the class weight is %s, but must have one number for each of the %lld classes",
                tp_describe(tp_dtype_of(weight), &shape, text), (long long)s->classes);
        return false;
    }
    s->weight = tp_reshape(weight, s->one_row);
    return true;
}

static bool check_options(setup *s, const tp_cross_entropy_options *o)
{
    s->smoothing = o->label_smoothing;
    s->ignore = o->ignore;
    if (!(s->smoothing >= 0 && s->smoothing <= 1)) {
        tp_fail(s->logits, TP_BAD_ARGUMENT, "label_smoothing must be in [0, 1], not %g", s->smoothing);
        return false;
    }
    return check_class_weight(s, o->class_weight);
}

static bool check_target(const setup *s, tp_tensor target)
{
    const tp_dtype dtype = tp_dtype_of(target);
    const tp_shape shape = tp_shape_of(target);
    const tp_shape *expected = dtype == TP_I32 ? &s->rows : &s->shape;
    char got[TP_TEXT_SIZE], wanted[TP_TEXT_SIZE];

    tp_describe(dtype, &shape, got);
    tp_describe(dtype, expected, wanted);
    if (dtype != TP_I32 && dtype != s->dtype)
        tp_fail(s->logits, TP_BAD_DTYPE,
                "the target is %s, but must be i32 (class indices) or %s (probabilities)", got,
                tp_dtype_name(s->dtype));
    else if (!tp_shape_equal(shape, *expected))
        tp_fail(s->logits, TP_BAD_SHAPE, "the target is %s, but %s must be %s: the logits' shape%s", got,
                dtype == TP_I32 ? "class indices" : "probabilities", wanted,
                dtype == TP_I32 ? " without the class axis" : "");
    else if (dtype != TP_I32 && s->ignore.given)
        tp_fail(s->logits, TP_BAD_ARGUMENT,
                "ignore needs class indices: give ignored rows a weight of 0 instead");
    else
        return true;
    return false;
}

/* ---- The two kinds of target ------------------------------------------------------------------------ */

/* (1 - e) x + e / C y */
static tp_tensor smoothed(const setup *s, tp_tensor x, tp_tensor y)
{
    if (s->smoothing == 0)
        return x;
    return tp_add(tp_scale(x, 1 - s->smoothing), tp_scale(y, s->smoothing / (double)s->classes));
}

/* -sum over the classes of w[c] x[c], by rows. */
static tp_tensor sum_over_classes(const setup *s, tp_tensor x)
{
    if (s->weight.tape != NULL)
        x = tp__loss_weighted(s->weight, x);
    return tp_neg(tp_sum_over(x, TP_AXES(s->axis), false));
}

/* No gather: comparing with 0, 1, ... C-1 is elementwise and meets the softmax in one loop.  *mass: how much each row
 * counts in a mean; left absent where all count 1. */
static tp_tensor from_indices(const setup *s, tp_tensor target, tp_tensor *mass)
{
    tp_tape *tape = tp_locate_tape(s->logits.tape, s->logits.file, s->logits.line);
    const tp_tensor classes = tp_reshape(tp_iota(tape, TP_I32, s->classes), s->one_row);
    const tp_tensor zero = tp_scalar_of(tape, s->dtype, 0);
    const tp_tensor label = tp_check_index(tp_locate(target, s->logits.file, s->logits.line), s->classes,
                                           s->ignore.given, s->ignore.value);
    const tp_tensor hit = tp_cast(tp_equal(tp_reshape(label, s->rows_kept), classes), s->dtype);
    const tp_tensor lp = tp_log_softmax(s->logits, s->axis);
    tp_tensor r = sum_over_classes(s, smoothed(s, tp_where(hit, lp, zero), lp));

    if (s->weight.tape != NULL)
        *mass = tp_sum_over(tp_where(hit, s->weight, zero), TP_AXES(s->axis), false);
    if (s->ignore.given) {
        const tp_tensor ignored = tp_cast(tp_equal(label, tp_scalar(tape, s->ignore.value)), s->dtype);
        r = tp_where(ignored, zero, r);
        *mass = tp_where(ignored, zero, mass->tape != NULL ? *mass : tp_scalar_of(tape, s->dtype, 1));
    }
    return r;
}

static tp_tensor from_probabilities(const setup *s, tp_tensor target)
{
    const tp_tensor one = tp_scalar(target.tape, 1);
    const tp_tensor lp = tp_log_softmax(s->logits, s->axis);
    return sum_over_classes(s, tp__loss_weighted(smoothed(s, target, one), lp));
}

static tp_tensor cross_entropy(tp_tensor logits, tp_tensor target, const tp_cross_entropy_options *o)
{
    const tp_tensor at = tp__loss_at(logits, target);
    tp_tensor mass = {0};
    setup s = {.logits = logits, .dtype = tp_dtype_of(logits), .shape = tp_shape_of(logits)};

    if (!tp__loss_operand(at, logits, "logits tensor") || !tp__loss_operand(at, target, "target"))
        return tp__loss_invalid(at);
    if (!check_logits(&s, o))
        return tp__loss_invalid(at);
    derive_shapes(&s);
    if (!check_options(&s, o) || !check_target(&s, target))
        return tp__loss_invalid(at);
    const tp_tensor r =
        tp_dtype_of(target) == TP_I32 ? from_indices(&s, target, &mass) : from_probabilities(&s, target);
    return tp__loss_reduce(r, o->weight, mass, o->reduction);
}

tp_tensor tp_cross_entropy(tp_tensor logits, tp_tensor target, const tp_cross_entropy_options *options)
{
    tp_tape *tape = tp__loss_at(logits, target).tape;

    tp_scope_begin(tape, "cross_entropy");
    const tp_tensor loss =
        cross_entropy(logits, target, options != NULL ? options : &(tp_cross_entropy_options){0});
    tp_scope_end(tape);
    return loss;
}
