/* lists.h -- every op of every family, NULL-terminated; read by tests only. */
#ifndef TAPIR_SRC_OPS_LISTS_H
#define TAPIR_SRC_OPS_LISTS_H

#include <tapir/op.h>

extern const tp_op *const tp__argmax_ops[];
extern const tp_op *const tp__cumulative_ops[];
extern const tp_op *const tp__ordering_ops[];
extern const tp_op *const tp__arithmetic_ops[];
extern const tp_op *const tp__function_ops[];
extern const tp_op *const tp__power_ops[];
extern const tp_op *const tp__trigonometric_ops[];
extern const tp_op *const tp__hyperbolic_ops[];
extern const tp_op *const tp__special_ops[];
extern const tp_op *const tp__activation_ops[];
extern const tp_op *const tp__rounding_ops[];
extern const tp_op *const tp__predicate_ops[];
extern const tp_op *const tp__choice_ops[];
extern const tp_op *const tp__reduction_ops[];
extern const tp_op *const tp__shape_ops[];
extern const tp_op *const tp__slice_ops[];
extern const tp_op *const tp__matmul_ops[];
extern const tp_op *const tp__triangular_ops[];
extern const tp_op *const tp__solve_ops[];
extern const tp_op *const tp__source_ops[];
extern const tp_op *const tp__control_ops[];
extern const tp_op *const tp__indexing_ops[];
extern const tp_op *const tp__arrange_ops[];
extern const tp_op *const tp__diagonal_ops[];
extern const tp_op *const tp__padding_ops[];
extern const tp_op *const tp__random_ops[];
extern const tp_op *const tp__convolution_ops[];
extern const tp_op *const tp__pooling_ops[];
extern const tp_op *const tp__resampling_ops[];
extern const tp_op *const tp__ctc_ops[];

/* Ops that another family's fusions name. */
extern const tp_op tp__neg, tp__add, tp__sub, tp__mul, tp__square, tp__keep, tp__drop, tp__where, tp__guard,
    tp__less, tp__less_equal;

/* A mask (keep or drop, by `op`) over what the gradient of max_pool2d put where the maxima were: on what is put, if the mask
 * is made of the images (relu before pooling), so that the images need not be kept.  Or an absent tensor (pooling.c). */
tp_tensor tp__mask_before_put(const tp_op *op, tp_tensor mask, tp_tensor x);

/* What max_pool2d's gradient puts, which has the same sum over an image; else x. */
tp_tensor tp__before_put(tp_tensor x);

#endif
