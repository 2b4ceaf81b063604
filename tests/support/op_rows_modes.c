/* op_rows_modes.c -- rows of tp_checkpoint: what it stands for is recomputed in every walk over derivatives. */
#include <tapir/modes.h>

#include "op_rows.h"

static tp_tensor build_map(const tp_tensor *x, const op_row *row)
{
    const tp_tensor y = tp_exp(tp_mul(tp_tanh(x[0]), x[1]));
    return tp_checkpoint(tp_sub(y, x[0]), x, row->n);
}

/* Of the second operand nothing is said: it is kept. */
static tp_tensor build_product(const tp_tensor *x, const op_row *row)
{
    (void)row;
    return tp_checkpoint(tp_softmax(tp_matmul(tp_square(x[0]), x[1]), -1), x, 1);
}

/* One inside another, a view as boundary, and a reduction at the end. */
static tp_tensor build_nested(const tp_tensor *x, const op_row *row)
{
    const tp_tensor from = tp_transpose(x[0], 0, 1), a = tp_sigmoid(from),
                    b = tp_checkpoint(tp_mul(a, from), &from, 1);
    const tp_tensor c = tp_checkpoint(tp_logsumexp_over(tp_square(b), TP_AXES(0), true), &b, 1);
    (void)row;
    return tp_checkpoint(tp_mul(c, tp_slice(tp_concat((tp_tensor[]){b, b}, 2, 0), 0, 1, 3, 1)), x, 1);
}

void add_mode_rows(op_row_table *t)
{
    const char *const name = "tp_checkpoint";
    add_row(t, (op_row){.constructor = name,
                        .variant = "of maps",
                        .n = 2,
                        .build = build_map,
                        .shape = {{2, {2, 3}}, {2, {2, 3}}}});
    add_row(t, (op_row){.constructor = name,
                        .variant = "of a product",
                        .n = 2,
                        .build = build_product,
                        .shape = {{2, {2, 3}}, {2, {3, 2}}}});
    add_row(
        t,
        (op_row){
            .constructor = name, .variant = "nested", .n = 1, .build = build_nested, .shape = {{2, {2, 3}}}});
}
