/* lookup.c -- one_hot, embedding: compositions. */
#include <tapir/op.h>
#include <tapir/ops.h>

tp_tensor tp_one_hot(tp_tensor index, int64_t classes, tp_dtype dtype)
{
    tp_scope_begin(index.tape, "one_hot");
    const tp_tensor checked = tp_unsqueeze(tp_check_index(index, classes, false, 0), -1);
    const tp_tensor number = tp_iota(tp_locate_tape(index.tape, index.file, index.line), TP_I32, classes);
    const tp_tensor y = tp_cast(tp_equal(checked, number), dtype);
    tp_scope_end(index.tape);
    return y;
}

/* y, through which no gradient passes to the rows of the given index. */
static tp_tensor without_padding(tp_tensor y, tp_tensor index, int32_t padding)
{
    tp_shape rows = tp_shape_of(index);
    const int64_t rank = tp_shape_of(y).rank;
    while (rows.rank < rank)
        rows.dim[rows.rank++] = 1;
    const tp_tensor at = tp_locate(index, y.file, y.line);
    const tp_tensor is_padding = tp_reshape(tp_equal(at, tp_scalar(y.tape, padding)), rows);
    return tp_where(is_padding, tp_stop_gradient(y), y);
}

tp_tensor tp_embedding(tp_tensor table, tp_tensor index, const tp_embedding_options *options)
{
    tp_tape *tape = table.tape != NULL ? table.tape : index.tape;
    tp_scope_begin(tape, "embedding");
    tp_tensor y = tp_index_select(table, index, 0);
    if (options != NULL && options->padding.given && tp_is_valid(y))
        y = without_padding(y, index, options->padding.value);
    tp_scope_end(tape);
    return y;
}
