/* classes.c -- scores with a class axis, and class indices. */
#include "classes.h"

/* ---- Checking -------------------------------------------------------------------------------------- */

static void derive_shapes(tp__classes *c)
{
    c->one_row.rank = c->shape.rank;
    c->rows_kept = c->shape;
    c->rows_kept.dim[c->axis] = 1;
    for (int d = 0; d < c->shape.rank; d++) {
        c->one_row.dim[d] = d == c->axis ? c->count : 1;
        if (d != c->axis)
            c->rows.dim[c->rows.rank++] = c->shape.dim[d];
    }
}

bool tp__classes_of(tp__classes *c, tp_tensor scores, const char *name, tp_optional_int axis)
{
    char text[TP_TEXT_SIZE];

    *c = (tp__classes){
        .scores = scores, .name = name, .dtype = tp_dtype_of(scores), .shape = tp_shape_of(scores)};
    tp_describe(c->dtype, &c->shape, text);
    if (c->dtype != TP_F32 && c->dtype != TP_F64) {
        tp_fail(scores, TP_BAD_DTYPE, "the %s are %s, but must be f32 or f64", name, text);
        return false;
    }
    if (c->shape.rank == 0) {
        tp_fail(scores, TP_BAD_SHAPE, "the %s are %s: they need a class axis", name, text);
        return false;
    }
    c->axis = tp_normal_axis(axis.given ? axis.value : c->shape.rank > 1, c->shape.rank);
    if (c->axis < 0) {
        tp_fail(scores, TP_BAD_SHAPE, "class axis %d is out of range for the %s %s", (int)axis.value, name,
                text);
        return false;
    }
    c->count = c->shape.dim[c->axis];
    if (c->count == 0) {
        tp_fail(scores, TP_BAD_SHAPE, "the %s are %s: there are no classes on axis %d", name, text, c->axis);
        return false;
    }
    derive_shapes(c);
    return true;
}

bool tp__classes_weigh(tp__classes *c, tp_tensor weight)
{
    const tp_shape shape = tp_shape_of(weight);
    char text[TP_TEXT_SIZE];

    if (weight.tape == NULL)
        return true;
    if (!tp__loss_option(c->scores, &weight, "class weight", c->dtype))
        return false;
    if (shape.rank != 1 || shape.dim[0] != c->count) {
        tp_fail(c->scores, TP_BAD_SHAPE,
                "the class weight is %s, but must have one number for each of the %lld classes",
                tp_describe(tp_dtype_of(weight), &shape, text), (long long)c->count);
        return false;
    }
    c->weight = tp_reshape(weight, c->one_row);
    return true;
}

bool tp__classes_target(const tp__classes *c, tp_tensor target, bool indices, bool probabilities)
{
    const tp_dtype dtype = tp_dtype_of(target);
    const tp_shape shape = tp_shape_of(target);
    const tp_shape *expected = dtype == TP_I32 ? &c->rows : &c->shape;
    char got[TP_TEXT_SIZE], wanted[TP_TEXT_SIZE], either[64];

    tp_describe(dtype, &shape, got);
    tp_describe(dtype, expected, wanted);
    snprintf(either, sizeof either, "%s%s%s%s", indices ? "i32 (class indices)" : "",
             indices && probabilities ? " or " : "", probabilities ? tp_dtype_name(c->dtype) : "",
             probabilities ? " (probabilities)" : "");
    if (dtype == TP_I32 ? !indices : (!probabilities || dtype != c->dtype))
        tp_fail(c->scores, TP_BAD_DTYPE, "the target is %s, but must be %s", got, either);
    else if (!tp_shape_equal(shape, *expected))
        tp_fail(c->scores, TP_BAD_SHAPE, "the target is %s, but %s must be %s: the %s' shape%s", got,
                dtype == TP_I32 ? "class indices" : "probabilities", wanted, c->name,
                dtype == TP_I32 ? " without the class axis" : "");
    else
        return true;
    return false;
}

/* ---- Class indices ---------------------------------------------------------------------------------- */

tp__class_labels tp__classes_labels(const tp__classes *c, tp_tensor target)
{
    const tp_tensor at = c->scores;
    const tp_tensor classes = tp_reshape(tp__loss_counter(at, c->count), c->one_row);
    const tp_tensor label =
        tp_check_index(tp__loss_here(at, target), c->count, c->ignore.given, c->ignore.value);
    const tp_tensor hit = tp_equal(tp_reshape(label, c->rows_kept), classes);
    return (tp__class_labels){label, tp_cast(hit, c->dtype)};
}

tp_tensor tp__classes_sum(const tp__classes *c, tp_tensor x)
{
    return tp_sum_over(x, TP_AXES(c->axis), false);
}

tp_tensor tp__classes_pick(const tp__classes *c, const tp__class_labels *y, tp_tensor x)
{
    return tp__classes_sum(c, tp_where(y->hit, x, tp_scalar_of(x.tape, c->dtype, 0)));
}

tp_tensor tp__classes_without_ignored(const tp__classes *c, const tp__class_labels *y, tp_tensor r,
                                      tp_tensor *mass)
{
    const tp_tensor zero = tp_scalar_of(r.tape, c->dtype, 0), one = tp_scalar_of(r.tape, c->dtype, 1);

    if (!c->ignore.given)
        return r;
    const tp_tensor ignored = tp_cast(tp_equal(y->label, tp_scalar(r.tape, c->ignore.value)), c->dtype);
    *mass = tp_where(ignored, zero, mass->tape != NULL ? *mass : one);
    return tp_where(ignored, zero, r);
}
