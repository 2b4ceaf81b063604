/* multi.c -- margins between the scores of classes: categorical_hinge multi_margin multilabel_margin. */
#include <math.h>

#include "classes.h"

static bool check_margin(tp_tensor at, double margin)
{
    if (isfinite(margin))
        return true;
    tp_fail(at, TP_BAD_ARGUMENT, "the margin must be finite, not %g", margin);
    return false;
}

/* ---- categorical_hinge ------------------------------------------------------------------------------- */

static tp_tensor categorical_hinge(tp_tensor prediction, tp_tensor target,
                                   const tp_categorical_hinge_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    const double margin = tp__loss_given(o->margin, 1);
    tp__classes c;

    if (!tp__loss_pair(at, prediction, "prediction", &target, true, false) ||
        !tp__classes_of(&c, prediction, "predictions", o->axis) || !check_margin(prediction, margin))
        return tp__loss_invalid(at);
    const tp_tensor right = tp__classes_sum(&c, tp_mul(target, prediction));
    const tp_tensor wrong =
        tp_max_over(tp_mul(tp__loss_minus(1, target), prediction), TP_AXES(c.axis), false);
    const tp_tensor r = tp_relu(tp__loss_plus(tp_sub(wrong, right), margin));
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_categorical_hinge(tp_tensor prediction, tp_tensor target,
                               const tp_categorical_hinge_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "categorical_hinge");
    const tp_tensor loss =
        categorical_hinge(prediction, target, options != NULL ? options : &(tp_categorical_hinge_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- multi_margin ------------------------------------------------------------------------------------ */

static tp_tensor multi_margin(tp_tensor prediction, tp_tensor target, const tp_multi_margin_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);
    const double margin = tp__loss_given(o->margin, 1);
    tp__classes c;

    if (!tp__loss_operand(at, prediction, "prediction") || !tp__loss_operand(at, target, "target") ||
        !tp__classes_of(&c, prediction, "predictions", o->axis) || !tp__classes_weigh(&c, o->class_weight) ||
        !tp__classes_target(&c, target, true, false) || !check_margin(prediction, margin))
        return tp__loss_invalid(at);
    if (o->power < 0 || o->power > 2)
        return tp_fail(prediction, TP_BAD_ARGUMENT, "the power must be 1 or 2, not %d", o->power);
    const tp__class_labels y = tp__classes_labels(&c, target);
    const tp_tensor own = tp_reshape(tp__classes_pick(&c, &y, prediction), c.rows_kept);
    tp_tensor excess = tp_relu(tp_add(prediction, tp__loss_minus(margin, own)));
    if (o->power == 2)
        excess = tp_square(excess);
    const tp_tensor others = tp_where(y.hit, tp__loss_number(prediction, 0), excess);
    tp_tensor r = tp_mean_over(others, TP_AXES(c.axis), false);
    if (c.weight.tape != NULL)
        r = tp__loss_weighted(tp__classes_pick(&c, &y, c.weight), r);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_multi_margin(tp_tensor prediction, tp_tensor target, const tp_multi_margin_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "multi_margin");
    const tp_tensor loss =
        multi_margin(prediction, target, options != NULL ? options : &(tp_multi_margin_options){0});
    tp_scope_end(tape);
    return loss;
}

/* ---- multilabel_margin ------------------------------------------------------------------------------- */

static bool check_lists(tp_tensor prediction, tp_tensor target)
{
    const tp_shape shape = tp_shape_of(prediction), own = tp_shape_of(target);
    char got[TP_TEXT_SIZE], expected[TP_TEXT_SIZE];

    tp_describe(tp_dtype_of(prediction), &shape, expected);
    if (shape.rank != 1 && shape.rank != 2)
        tp_fail(prediction, TP_BAD_SHAPE, "the predictions are %s, but must be [N, C] or [C]", expected);
    else if (shape.dim[shape.rank - 1] == 0)
        tp_fail(prediction, TP_BAD_SHAPE, "the predictions are %s: there are no classes", expected);
    else if (tp_dtype_of(target) != TP_I32 || !tp_shape_equal(own, shape))
        tp_fail(prediction, tp_dtype_of(target) != TP_I32 ? TP_BAD_DTYPE : TP_BAD_SHAPE,
                "the target is %s, but must be i32 (lists of class indices) in the predictions' shape, %s",
                tp_describe(tp_dtype_of(target), &own, got), expected);
    else
        return true;
    return false;
}

/* Lists [N, C] of class indices as a mask [N, C], i32: 1 at the listed classes.  An entry counts if no -1 stands at or
 * before it. */
static tp_tensor listed_classes(tp_tensor lists, int64_t classes)
{
    const tp_tensor position = tp__loss_counter(lists, classes), minus_one = tp_scalar(lists.tape, -1);
    const tp_tensor down = tp_reshape(position, TP_SHAPE(classes, 1));
    const tp_tensor not_after = tp_less_equal(position, down); /* [C, C]: column stands at or before row */
    const tp_tensor rows = tp_reshape(lists, TP_SHAPE(-1, 1, classes));
    const tp_tensor ends = tp_mul(tp_equal(rows, minus_one), not_after); /* [N, C, C] */
    const tp_tensor counts =
        tp_equal(tp_sum_over(ends, TP_AXES(2), false), tp_scalar(lists.tape, 0)); /* [N, C] */
    const tp_tensor entry = tp_check_index(tp_where(counts, lists, minus_one), classes, true, -1);
    const tp_tensor hits = tp_equal(tp_reshape(entry, TP_SHAPE(-1, 1, classes)), down);
    return tp_max_over(hits, TP_AXES(2), false);
}

static tp_tensor multilabel_margin(tp_tensor prediction, tp_tensor target,
                                   const tp_multilabel_margin_options *o)
{
    const tp_tensor at = tp__loss_at(prediction, target);

    if (!tp__loss_float(at, prediction, "prediction") || !tp__loss_operand(at, target, "target") ||
        !check_lists(prediction, target))
        return tp__loss_invalid(at);
    const tp_shape shape = tp_shape_of(prediction);
    const int64_t classes = shape.dim[shape.rank - 1], rows = shape.rank == 2 ? shape.dim[0] : 1;
    const tp_tensor lists = tp_reshape(tp__loss_here(at, target), TP_SHAPE(rows, classes));
    const tp_tensor listed = tp_cast(listed_classes(lists, classes), tp_dtype_of(prediction));
    const tp_tensor a = tp_reshape(prediction, TP_SHAPE(rows, classes, 1)),
                    b = tp_reshape(prediction, TP_SHAPE(rows, 1, classes));
    const tp_tensor pairs = tp_mul(tp_reshape(listed, TP_SHAPE(rows, classes, 1)),
                                   tp_reshape(tp__loss_minus(1, listed), TP_SHAPE(rows, 1, classes)));
    const tp_tensor excess = tp_relu(tp__loss_minus(1, tp_sub(a, b)));
    const tp_tensor sum =
        tp_sum_over(tp_where(pairs, excess, tp__loss_number(prediction, 0)), TP_AXES(1, 2), false);
    const tp_tensor r = tp_scale(shape.rank == 2 ? sum : tp_sum(sum), 1 / (double)classes);
    return tp__loss_reduce(r, o->weight, (tp_tensor){0}, o->reduction);
}

tp_tensor tp_multilabel_margin(tp_tensor prediction, tp_tensor target,
                               const tp_multilabel_margin_options *options)
{
    tp_tape *tape = tp__loss_at(prediction, target).tape;

    tp_scope_begin(tape, "multilabel_margin");
    const tp_tensor loss =
        multilabel_margin(prediction, target, options != NULL ? options : &(tp_multilabel_margin_options){0});
    tp_scope_end(tape);
    return loss;
}
