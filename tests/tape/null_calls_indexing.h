/* null_calls_indexing.h -- the calls of tapir/ops/indexing.h for null_calls.h. */
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
    default: return no_more;
    }
}

#endif
