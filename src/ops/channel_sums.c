/* channel_sums.c -- sums per channel, where channels lie in blocks: of [n, channels / b, ..., b] over all that is between.
 *
 * The planner's loops fold along rows or columns; here each row is a column of short lines, for which a kernel of its own is
 * several times as fast.
 */
#include "channel_sums.h"

#include <tapir/ops.h>

typedef struct sums_attr {
    int64_t by_image; /* one sum for each image */
} sums_attr;

static const char *sums_infer(tp_inference *i)
{
    const sums_attr *a = i->attr;
    const tp_shape *x = &i->x_shape[0];

    if (i->x_dtype[0] != TP_F32) {
        i->fault = TP_BAD_DTYPE;
        return "the tensor must be f32";
    }
    if (x->rank < 4)
        return "the tensor must be [n,channels/b,...,b]";
    i->y_shape = *x;
    for (int64_t d = 0; d < x->rank - 1; d++)
        if (d != 1 && (d != 0 || !a->by_image))
            i->y_shape.dim[d] = 1;
    return NULL;
}

/* Adds rows of 16 numbers to 16 sums; two rows at once, so that no addition waits for the one before. */
enum { WIDE = 16 };
static const double NOTHING = -0.0; /* adding it changes nothing, not even a zero's sign */

TP_INSTRUCTION_SETS
static void add_wide_rows(int64_t rows, double *sum, const float *x)
{
    double even[WIDE], odd[WIDE];
    int64_t i = 0;

    for (int64_t j = 0; j < WIDE; j++)
        even[j] = odd[j] = NOTHING;
    for (; i + 2 <= rows; i += 2)
        TP_SIMD_ for (int64_t j = 0; j < WIDE; j++)
        {
            even[j] += (double)x[i * WIDE + j];
            odd[j] += (double)x[(i + 1) * WIDE + j];
        }
    for (int64_t j = 0; j < WIDE && i < rows; j++)
        even[j] += (double)x[i * WIDE + j];
    for (int64_t j = 0; j < WIDE; j++)
        sum[j] += even[j] + odd[j];
}

/* Adds lines of `block` numbers to as many sums; where they divide it, several lines are one wide row. */
static void add_lines(int64_t lines, int64_t block, double *sum, const float *x)
{
    const int64_t rows = WIDE % block == 0 ? lines * block / WIDE : 0;
    double wide[WIDE];

    for (int64_t j = 0; j < WIDE; j++)
        wide[j] = NOTHING;
    add_wide_rows(rows, wide, x);
    for (int64_t j = 0; j < WIDE && rows > 0; j++)
        sum[j % block] += wide[j];
    for (int64_t i = rows * WIDE; i < lines * block; i++)
        sum[i % block] += (double)x[i];
}

static size_t sums_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    (void)n, (void)attr;
    return (size_t)x_shape[0].dim[x_shape[0].rank - 1] * sizeof(double);
}

static tp_status sums_run(const tp_call *c)
{
    const sums_attr *a = c->attr;
    const tp_shape *xs = &c->x[0].shape;
    const int64_t images = xs->dim[0], blocks = xs->dim[1], block = xs->dim[xs->rank - 1];
    const int64_t together = a->by_image ? 1 : images,
                  lines = tp_shape_count(*xs) / (images * blocks * block);
    double *sum = c->scratch;

    for (int64_t first = 0; first < images; first += together)
        for (int64_t k = 0; k < blocks; k++) {
            float *y = (float *)c->y.data + (first * blocks + k) * block;
            for (int64_t j = 0; j < block; j++)
                sum[j] = NOTHING;
            for (int64_t i = first; i < first + together; i++)
                add_lines(lines, block, sum, (const float *)c->x[0].data + (i * blocks + k) * lines * block);
            for (int64_t j = 0; j < block; j++)
                y[j] = (float)sum[j];
        }
    return TP_OK;
}

static void sums_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_expand(d->g, tp_shape_of(d->x[0]));
}

static const tp_op sums = {
    .name = "sum_per_channel",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_INFALLIBLE,
    .attr_size = sizeof(sums_attr),
    .infer = sums_infer,
    .vjp = sums_vjp,
    .run = sums_run,
    .scratch_size = sums_scratch,
};

tp_tensor tp__sum_per_channel(tp_tensor x, bool by_image)
{
    return tp_record(&sums, &x, 1, &(sums_attr){by_image});
}
