/* null_calls_indexing.h -- the calls of tapir/ops/indexing.h, and of the arrangements of shape.h, for null_calls.h. */
#ifndef TAPIR_TESTS_NULL_CALLS_INDEXING_H
#define TAPIR_TESTS_NULL_CALLS_INDEXING_H

static inline tp_tensor call_indexing(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_take_along_axis(x, y, 0);
    case 1: return tp_take_along_axis(y, x, 0);
    case 2: return tp_index_select(x, y, 0);
    case 3: return tp_index_select(y, x, 0);
    case 4: return tp_scatter_add(x, y, y, 0);
    case 5: return tp_scatter_add(y, x, y, 0);
    case 6: return tp_scatter_add(y, y, x, 0);
    case 7: return tp_index_add(x, y, y, -1);
    case 8: return tp_index_add(y, x, y, 0);
    case 9: return tp_index_add(y, y, x, 0);
    case 10: return tp_one_hot(x, 3, TP_F32);
    case 11: return tp_embedding(x, y, NULL);
    case 12: return tp_embedding(y, x, &(tp_embedding_options){{true, 0}});
    default: return no_more;
    }
}

/* The pieces of x put together again. */
static inline tp_tensor call_split(tp_tensor x)
{
    tp_tensor piece[2];
    tp_split(x, 0, (int64_t[]){1, 2}, 2, piece);
    return tp_add(piece[0], piece[1]);
}

static inline tp_tensor call_arrangement(int k, tp_tensor x, tp_tensor y)
{
    switch (k) {
    case 0: return tp_squeeze(x, (tp_axes){0});
    case 1: return tp_unsqueeze(x, 0);
    case 2: return tp_stack((tp_tensor[]){x, y}, 2, 0);
    case 3: return tp_stack((tp_tensor[]){y, y, y, y, y, y, y, y, x}, 9, -1);
    case 4: return call_split(x);
    case 5: return tp_tile(x, 0, 2);
    case 6: return tp_repeat(x, -1, 2);
    case 7: return tp_flip(x, TP_AXES(0));
    case 8: return tp_roll(x, 0, 1);
    case 9: return tp_pad(x, 0, 1, 2, NULL);
    case 10: return tp_pad(x, 0, 1, 0, &(tp_pad_options){.mode = TP_PAD_REFLECT});
    case 11: return tp_diagonal(x, 0, 0, 1);
    case 12: return tp_diagonal_embed(x, 1);
    case 13: return tp_tril(x, 0);
    case 14: return tp_triu(x, -1);
    case 15: return tp_dropout(x, 1, true); /* with 0.5 it would be another one each time */
    case 16: return tp_dropout(x, 0, false);
    default: return no_more;
    }
}

#endif
