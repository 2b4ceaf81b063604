/* losses.c -- pairs and triplets by the library's losses; all triplets of a batch as a loss of one's own. */
#include "losses.h"

const char *loss_name(loss_kind kind)
{
    return kind == CONTRASTIVE ? "contrastive" : kind == TRIPLETS ? "triplet" : "all-triplets";
}

/* Part k of so many. */
static tp_tensor part(tp_tensor x, int k, int parts)
{
    const int64_t rows = tp_shape_of(x).dim[0] / parts;
    return tp_slice(x, 0, k * rows, (k + 1) * rows, 1);
}

/* Where similar pairs weigh little they do not pull all images of a class into one point, and with them whatever would tell new
 * classes apart. */
static tp_tensor contrastive(const model_options *o, tp_tensor features, tp_tensor label)
{
    tp_contrastive_options options = {.margin = o->margin};
    if (o->similar_weight > 0)
        options.weight = tp_where(label, tp_scalar_of(label.tape, TP_F32, 1),
                                  tp_scalar_of(label.tape, TP_F32, o->similar_weight));
    return tp_contrastive(part(features, 0, 2), part(features, 1, 2), label, &options);
}

/* ---- All triplets ------------------------------------------------------------------------------------ */

/* |a - b| along the last axis; of equal ones 0, with gradient 0. */
static tp_tensor distance(tp_tensor a, tp_tensor b)
{
    return tp_norm_over(tp_sub(a, b), TP_AXES(-1), false);
}

/* 1 where image a, its class's image number p and image n are a triplet: p is not a, and n is of another class. */
static tp_tensor triplets_of(tp_tape *tape, int64_t images)
{
    int32_t other[CLASSES * EACH * EACH], apart[CLASSES * EACH * CLASSES * EACH];

    for (int64_t a = 0; a < images; a++) {
        for (int64_t p = 0; p < EACH; p++)
            other[a * EACH + p] = p != a % EACH;
        for (int64_t n = 0; n < images; n++)
            apart[a * images + n] = n / EACH != a / EACH;
    }
    return tp_logical_and(tp_constant(tape, TP_I32, TP_SHAPE(images, EACH, 1), other),
                          tp_constant(tape, TP_I32, TP_SHAPE(images, 1, images), apart));
}

/* The mean of max(0, d(a, p) - d(a, n) + margin) over all triplets in which it is not 0: triplets that are right already do
 * not thin out what is to be learned from the others. */
static tp_tensor all_triplets(tp_tensor features, double margin)
{
    tp_tape *tape = features.tape;
    const int64_t n = tp_shape_of(features).dim[0], width = tp_shape_of(features).dim[1];
    const tp_tensor anchor = tp_reshape(features, TP_SHAPE(n / EACH, EACH, 1, width));
    const tp_tensor positive = tp_reshape(features, TP_SHAPE(n / EACH, 1, EACH, width));

    const tp_tensor near = tp_reshape(distance(anchor, positive), TP_SHAPE(n, EACH, 1));
    const tp_tensor far = distance(tp_unsqueeze(features, 1), tp_unsqueeze(features, 0)); /* [n, n] */
    const tp_tensor missing = tp_add(tp_sub(near, tp_unsqueeze(far, 1)), tp_scalar(tape, margin));
    const tp_tensor triplets = tp_cast(triplets_of(tape, n), tp_dtype_of(features)); /* [n, EACH, n] */
    const tp_tensor wrong = tp_logical_and(triplets, tp_greater(missing, tp_scalar(tape, 0)));

    const tp_tensor sum = tp_sum(tp_where(wrong, missing, tp_scalar(tape, 0)));
    return tp_div(sum, tp_maximum(tp_sum(wrong), tp_scalar(tape, 1)));
}

tp_tensor record_loss(const model_options *o, tp_tensor features, tp_tensor label)
{
    switch (o->loss) {
    case TRIPLETS:
        return tp_triplet_margin(part(features, 0, 3), part(features, 1, 3), part(features, 2, 3),
                                 &(tp_triplet_options){.margin = {true, o->margin}});
    case ALL_TRIPLETS: return all_triplets(features, o->margin);
    default: return contrastive(o, features, label);
    }
}
