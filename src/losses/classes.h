/* classes.h -- scores with a class axis, and class indices: what the losses over classes share. */
#ifndef TAPIR_LOSSES_CLASSES_H
#define TAPIR_LOSSES_CLASSES_H

#include "common.h"

typedef struct tp__classes {
    tp_tensor scores;
    const char *name; /* what messages call them, as in "the NAME are ...": logits, predictions */
    tp_dtype dtype;
    int axis;           /* of the classes */
    int64_t count;      /* C */
    tp_shape shape;     /* of the scores */
    tp_shape rows;      /* the same without the class axis */
    tp_shape rows_kept; /* the same with a class axis of size 1 */
    tp_shape one_row;   /* C at the class axis, else 1 */
    tp_tensor weight;   /* class weights as one_row, or absent */
    tp_optional_int ignore;
} tp__classes;

/* Fills all but weight and ignore from scores, name and an axis (default: 1, or 0 for rank 1); false after an error. */
bool tp__classes_of(tp__classes *c, tp_tensor scores, const char *name, tp_optional_int axis);

/* Takes the class weight, [C] or absent. */
bool tp__classes_weigh(tp__classes *c, tp_tensor weight);

/* Is the target i32 of the rows' shape, or of the scores' dtype and shape, if they are wanted? */
bool tp__classes_target(const tp__classes *c, tp_tensor target, bool indices, bool probabilities);

/* Checked class indices: the labels, in the rows' shape, and a mask that is 1 at each row's class.  Comparing with 0, 1, ...
 * C-1 instead of gathering is elementwise, and meets a softmax in one loop. */
typedef struct tp__class_labels {
    tp_tensor label, hit;
} tp__class_labels;
tp__class_labels tp__classes_labels(const tp__classes *c, tp_tensor target);

/* x[label] of each row, x having the scores' shape or that of one row; a NaN of another class does no harm. */
tp_tensor tp__classes_pick(const tp__classes *c, const tp__class_labels *y, tp_tensor x);

/* Sum over the classes. */
tp_tensor tp__classes_sum(const tp__classes *c, tp_tensor x);

/* Ignored rows of r become 0, and those of *mass, which counts rows in a mean and may be absent, where all count 1. */
tp_tensor tp__classes_without_ignored(const tp__classes *c, const tp__class_labels *y, tp_tensor r,
                                      tp_tensor *mass);

#endif
