/* channels.c -- channels in blocks, and back: [n,channels,...] and [n,channels/block,...,block].
 *
 * For each image and each block it is the transpose of a matrix [block, places].  That of a tile is done in registers, so that
 * whole lines of the cache are read and written.
 */
#include <string.h>

#include <tapir/ops.h>

#include "convolution.h"

typedef struct channels_attr {
    int64_t block;
} channels_attr;

/* ---- Tiles: 16 x 16 or 8 x 8 elements of 4 bytes ---------------------------------------------------------- */

/* gcc 12 and clang have it; elsewhere elements are moved one by one. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAS_TILES
#endif
#endif

/* Rows of `from`, and of `to`, are so many elements apart. */
typedef struct strides {
    int64_t from, to;
} strides;

#ifdef HAS_TILES

typedef uint32_t vector16 __attribute__((vector_size(64)));
typedef uint32_t vector8 __attribute__((vector_size(32)));

/* One step of a transpose in log2(SIZE) steps: in each square of 2 S rows and columns, the upper right and the lower left square
 * of S change places. */
#define TRADE(VECTOR, SIZE, S, KEEP, TAKE)                                                                   \
    for (int i = 0; i < SIZE; i++)                                                                           \
        if ((i & S) == 0) {                                                                                  \
            const VECTOR upper = row[i], lower = row[i + S];                                                 \
            row[i] = __builtin_shufflevector(upper, lower, KEEP);                                            \
            row[i + S] = __builtin_shufflevector(upper, lower, TAKE);                                        \
        }
#define KEEP16_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define TAKE16_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define KEEP16_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define TAKE16_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define KEEP16_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define TAKE16_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define KEEP16_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define TAKE16_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define KEEP8_4  0, 1, 2, 3, 8, 9, 10, 11
#define TAKE8_4  4, 5, 6, 7, 12, 13, 14, 15
#define KEEP8_2  0, 1, 8, 9, 4, 5, 12, 13
#define TAKE8_2  2, 3, 10, 11, 6, 7, 14, 15
#define KEEP8_1  0, 8, 2, 10, 4, 12, 6, 14
#define TAKE8_1  1, 9, 3, 11, 5, 13, 7, 15

TP_INSTRUCTION_SETS
static void transpose16(uint32_t *to, const uint32_t *from, strides apart, int64_t tiles, strides next)
{
    for (int64_t t = 0; t < tiles; t++, from += next.from, to += next.to) {
        vector16 row[16];
        for (int i = 0; i < 16; i++)
            memcpy(&row[i], from + i * apart.from, sizeof row[i]);
        TRADE(vector16, 16, 8, KEEP16_8, TAKE16_8)
        TRADE(vector16, 16, 4, KEEP16_4, TAKE16_4)
        TRADE(vector16, 16, 2, KEEP16_2, TAKE16_2)
        TRADE(vector16, 16, 1, KEEP16_1, TAKE16_1)
        for (int i = 0; i < 16; i++)
            memcpy(to + i * apart.to, &row[i], sizeof row[i]);
    }
}

TP_INSTRUCTION_SETS
static void transpose8(uint32_t *to, const uint32_t *from, strides apart, int64_t tiles, strides next)
{
    for (int64_t t = 0; t < tiles; t++, from += next.from, to += next.to) {
        vector8 row[8];
        for (int i = 0; i < 8; i++)
            memcpy(&row[i], from + i * apart.from, sizeof row[i]);
        TRADE(vector8, 8, 4, KEEP8_4, TAKE8_4)
        TRADE(vector8, 8, 2, KEEP8_2, TAKE8_2)
        TRADE(vector8, 8, 1, KEEP8_1, TAKE8_1)
        for (int i = 0; i < 8; i++)
            memcpy(to + i * apart.to, &row[i], sizeof row[i]);
    }
}

/* Returns how many places it did.  From blocks of 16 goes by halves: lines of 16 channels whose distance is a power of two share a
 * set of the first cache, which has not that many ways. */
static int64_t transpose_tiles(uint32_t *to, const uint32_t *from, int64_t block, int64_t places,
                               bool to_blocks)
{
    const strides apart = to_blocks ? (strides){places, block} : (strides){block, places};
    if (to_blocks && block == 16) {
        transpose16(to, from, apart, places / 16, (strides){16, 16 * 16});
        return places / 16 * 16;
    }
    const int64_t tiles = places / 8;
    for (int64_t half = 0; half < block; half += 8)
        if (to_blocks)
            transpose8(to, from, apart, tiles, (strides){8, 8 * 8});
        else
            transpose8(to + half * places, from + half, apart, tiles, (strides){8 * block, 8});
    return tiles * 8;
}

#endif

/* ---- Matrices ------------------------------------------------------------------------------------------- */

/* Element (i, j) goes from from[i * apart.from + j] to to[j * apart.to + i]. */
static void transpose_part(char *to, const char *from, int64_t rows, int64_t columns, strides apart,
                           size_t size)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            memcpy(to + (size_t)(j * apart.to + i) * size, from + (size_t)(i * apart.from + j) * size, size);
}

/* A matrix [block, places] becomes [places, block], or the other way round. */
static void transpose(void *to, const void *from, int64_t block, int64_t places, bool to_blocks, size_t size)
{
    const strides apart = to_blocks ? (strides){places, block} : (strides){block, places};
    int64_t done = 0;

#ifdef HAS_TILES
    if (size == sizeof(uint32_t) && (block == 16 || block == 8))
        done = transpose_tiles(to, from, block, places, to_blocks);
#endif
    const size_t plain = (size_t)done * size, in_blocks = (size_t)(done * block) * size;
    if (to_blocks)
        transpose_part((char *)to + in_blocks, (const char *)from + plain, block, places - done, apart, size);
    else
        transpose_part((char *)to + plain, (const char *)from + in_blocks, places - done, block, apart, size);
}

static tp_status move_channels(const tp_call *c, const tp_shape *plain, int64_t block, bool to_blocks)
{
    const int64_t count = tp_shape_count(*plain);
    if (count == 0)
        return TP_OK;
    const int64_t matrices = plain->dim[0] * (plain->dim[1] / block), each = count / matrices;
    const size_t size = tp_dtype_size(c->y.dtype);
    const char *from = c->x[0].data;
    char *to = c->y.data;

#ifdef _OPENMP
    enum { WORTH_A_TEAM = 1 << 17 }; /* bytes */
#pragma omp parallel for if (matrices > 1 && (size_t)count * size >= WORTH_A_TEAM)
#endif
    for (int64_t m = 0; m < matrices; m++) {
        const size_t at = (size_t)(m * each) * size;
        transpose(to + at, from + at, block, each / block, to_blocks, size);
    }
    return TP_OK;
}

/* ---- The ops -------------------------------------------------------------------------------------------- */

static const tp_op to_blocks, from_blocks;

static const char *to_blocks_infer(tp_inference *i)
{
    const int64_t block = ((const channels_attr *)i->attr)->block;
    const tp_shape *x = &i->x_shape[0];

    if (block < 1)
        return "a block has at least 1 channel";
    if (x->rank < 2 || x->rank >= TP_MAX_RANK || x->dim[1] % block != 0)
        return "the channels, axis 1, must be a multiple of the block";
    i->y_shape = *x;
    i->y_shape.dim[1] /= block;
    i->y_shape.dim[i->y_shape.rank++] = block;
    return NULL;
}

static const char *from_blocks_infer(tp_inference *i)
{
    const tp_shape *x = &i->x_shape[0];
    if (x->rank < 3)
        return "channels in blocks are [n,channels/block,...,block]";
    i->y_shape = *x;
    i->y_shape.dim[1] *= x->dim[x->rank - 1];
    i->y_shape.dim[--i->y_shape.rank] = 0;
    return NULL;
}

static tp_status to_blocks_run(const tp_call *c)
{
    return move_channels(c, &c->x[0].shape, ((const channels_attr *)c->attr)->block, true);
}

static tp_status from_blocks_run(const tp_call *c)
{
    const tp_shape *x = &c->x[0].shape;
    return move_channels(c, &c->y.shape, x->dim[x->rank - 1], false);
}

static void to_blocks_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_channels_from_blocks(d->g);
}

static void from_blocks_vjp(const tp_vjp *d)
{
    const tp_shape x = tp_shape_of(d->x[0]);
    d->dx[0] = tp_channels_to_blocks(d->g, x.dim[x.rank - 1]);
}

/* There and back is where it was. */
static tp_tensor to_blocks_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n;
    if (tp_op_of(x[0]) != &from_blocks)
        return (tp_tensor){0};
    const tp_tensor blocks = tp_operand_of(x[0], 0);
    const tp_shape shape = tp_shape_of(blocks);
    return shape.dim[shape.rank - 1] == ((const channels_attr *)attr)->block ? blocks : (tp_tensor){0};
}

static tp_tensor from_blocks_simplify(const tp_tensor *x, int n, const void *attr)
{
    (void)n, (void)attr;
    return tp_op_of(x[0]) == &to_blocks ? tp_operand_of(x[0], 0) : (tp_tensor){0};
}

static const tp_op to_blocks = {
    .name = "channels_to_blocks",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_INFALLIBLE,
    .attr_size = sizeof(channels_attr),
    .infer = to_blocks_infer,
    .vjp = to_blocks_vjp,
    .simplify = to_blocks_simplify,
    .run = to_blocks_run,
};

static const tp_op from_blocks = {
    .name = "channels_from_blocks",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_INFALLIBLE,
    .infer = from_blocks_infer,
    .vjp = from_blocks_vjp,
    .simplify = from_blocks_simplify,
    .run = from_blocks_run,
};

tp_tensor tp_channels_to_blocks(tp_tensor x, int64_t block)
{
    return tp_record(&to_blocks, &x, 1, &(channels_attr){block});
}

tp_tensor tp_channels_from_blocks(tp_tensor x)
{
    return tp_record(&from_blocks, &x, 1, NULL);
}
