/* random.c -- uniform normal bernoulli permutation dropout.
 *
 * Element i of a source takes the words number i (or 2 i and 2 i + 1) of a stream that is a function of a counter: so its value
 * depends on i alone, whatever part of the tensor is made, and by which thread.
 */
#include <tapir/op.h>
#include <tapir/ops.h>

#include "lists.h"
#include "normal_quantile.h"

typedef struct random_attr {
    tp_shape shape;
    int64_t dtype;
    double probability; /* of bernoulli; else 0 */
} random_attr;

static const char *random_infer(tp_inference *i)
{
    const random_attr *a = i->attr;
    i->y_shape = a->shape;
    i->y_dtype = (tp_dtype)a->dtype;
    return NULL;
}

/* ---- Words ----------------------------------------------------------------------------------------- */

/* Words that are made at once; a multiple of 4. */
enum { WORDS = 256, BLOCKS = WORDS / 4 + 1 };

/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.  Block b is the four words
 * of the counter (b, run) under a key of seed and node. */
TP_INSTRUCTION_SETS
static void make_blocks(int64_t first, int64_t n, const uint64_t key[3], uint32_t *word)
{
    const uint32_t run_low = (uint32_t)key[2], run_high = (uint32_t)(key[2] >> 32) << 8;
    TP_SIMD_ for (int64_t b = 0; b < n; b++)
    {
        uint32_t c0 = (uint32_t)(first + b), c1 = (uint32_t)((uint64_t)(first + b) >> 32) ^ run_high;
        uint32_t c2 = run_low, c3 = (uint32_t)key[1];
        uint32_t k0 = (uint32_t)key[0], k1 = (uint32_t)(key[0] >> 32);
        for (int round = 0; round < 10; round++) {
            const uint64_t p = (uint64_t)0xD2511F53u * c0, q = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)q;
            c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        word[4 * b] = c0;
        word[4 * b + 1] = c1;
        word[4 * b + 2] = c2;
        word[4 * b + 3] = c3;
    }
}

/* Where words first .. first + n - 1 of the stream, n <= WORDS, are put into `memory`. */
static const uint32_t *make_words(int64_t first, int64_t n, const uint64_t key[3],
                                  uint32_t memory[4 * BLOCKS])
{
    const int64_t skipped = first % 4;
    make_blocks(first / 4, (skipped + n + 3) / 4, key, memory);
    return memory + skipped;
}

/* ---- uniform --------------------------------------------------------------------------------------- */

TP_INSTRUCTION_SETS
static void uniform_f32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t memory[4 * BLOCKS];
    (void)attr;
    for (int64_t done = 0; done < n; done += WORDS) {
        const int64_t here = n - done < WORDS ? n - done : WORDS;
        const uint32_t *word = make_words(start + done, here, key, memory);
        float *out = (float *)y + done;
        for (int64_t i = 0; i < here; i++)
            out[i] = (float)(int32_t)(word[i] >> 8) * 0x1p-24f;
    }
}

TP_INSTRUCTION_SETS
static void uniform_f64(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t memory[4 * BLOCKS];
    (void)attr;
    for (int64_t done = 0; done < n; done += WORDS / 2) {
        const int64_t here = n - done < WORDS / 2 ? n - done : WORDS / 2;
        const uint32_t *word = make_words(2 * (start + done), 2 * here, key, memory);
        double *out = (double *)y + done;
        for (int64_t i = 0; i < here; i++) /* the upper 53 bits of the two words */
            out[i] = (double)(int32_t)(word[2 * i + 1] >> 1) * 0x1p-31 +
                     (double)(int32_t)((word[2 * i + 1] & 1) << 21 | word[2 * i] >> 11) * 0x1p-53;
    }
}

static const char *float_infer(tp_inference *i)
{
    const random_attr *a = i->attr;
    if (a->dtype != TP_F32 && a->dtype != TP_F64) {
        i->fault = TP_BAD_DTYPE;
        return "the dtype must be f32 or f64";
    }
    return random_infer(i);
}

static const tp_op uniform = {
    .name = "uniform",
    .kind = TP_SOURCE,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(random_attr),
    .infer = float_infer,
    .source = {uniform_f32, uniform_f64},
};

static tp_tensor record_source(tp_tape *tape, const tp_op *op, tp_dtype dtype, tp_shape shape,
                               double probability)
{
    return tp_record_on(tape, op, NULL, 0, &(random_attr){shape, tp_dtype_on(tape, dtype), probability});
}

tp_tensor tp_uniform(tp_tape *tape, tp_dtype dtype, tp_shape shape)
{
    return record_source(tape, &uniform, dtype, shape, 0);
}

/* ---- normal ---------------------------------------------------------------------------------------- */

/* Which part of the distribution lies beyond the result, on its side: 31 bits of one word, 62 of two, and a half, so that it is
 * neither 0 nor above 1/2. */
static inline double part_of_one(uint32_t word)
{
    const uint32_t low = (int32_t)word < 0 ? ~word : word;
    return ((double)(int32_t)low + 0.5) * 0x1p-32;
}

static inline double part_of_two(uint32_t low, uint32_t high)
{
    const uint32_t flip = (int32_t)high < 0 ? ~(uint32_t)0 : 0;
    return ((double)(int32_t)(high ^ flip) * 0x1p31 + (double)(int32_t)((low ^ flip) >> 1) + 0.5) * 0x1p-63;
}

/* z[i] = |quantile| of u[i].  The tails are few: they are collected. */
TP_INSTRUCTION_SETS
static void quantiles(int64_t n, double *z, const double *u)
{
    double tail[WORDS];
    int32_t at[WORDS];
    int64_t tails = 0;

    for (int64_t i = 0; i < n; i++)
        z[i] = tp__quantile_centre(u[i]);
    for (int64_t i = 0; i < n; i++) {
        at[tails] = (int32_t)i;
        tail[tails] = u[i];
        tails += u[i] < TP__QUANTILE_CENTRE;
    }
    for (int64_t k = 0; k < tails; k++)
        tail[k] = tp__quantile_tail(tail[k]);
    for (int64_t k = 0; k < tails; k++)
        z[at[k]] = tail[k];
}

TP_INSTRUCTION_SETS
static void normal_f32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t memory[4 * BLOCKS];
    double u[WORDS], z[WORDS];
    (void)attr;
    for (int64_t done = 0; done < n; done += WORDS) {
        const int64_t here = n - done < WORDS ? n - done : WORDS;
        const uint32_t *word = make_words(start + done, here, key, memory);
        float *out = (float *)y + done;
        for (int64_t i = 0; i < here; i++)
            u[i] = part_of_one(word[i]);
        quantiles(here, z, u);
        for (int64_t i = 0; i < here; i++)
            out[i] = (float)((int32_t)word[i] < 0 ? z[i] : -z[i]);
    }
}

TP_INSTRUCTION_SETS
static void normal_f64(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    uint32_t memory[4 * BLOCKS];
    double u[WORDS], z[WORDS];
    (void)attr;
    for (int64_t done = 0; done < n; done += WORDS / 2) {
        const int64_t here = n - done < WORDS / 2 ? n - done : WORDS / 2;
        const uint32_t *word = make_words(2 * (start + done), 2 * here, key, memory);
        double *out = (double *)y + done;
        for (int64_t i = 0; i < here; i++)
            u[i] = part_of_two(word[2 * i], word[2 * i + 1]);
        quantiles(here, z, u);
        for (int64_t i = 0; i < here; i++)
            out[i] = (int32_t)word[2 * i + 1] < 0 ? z[i] : -z[i];
    }
}

static const tp_op normal = {
    .name = "normal",
    .kind = TP_SOURCE,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(random_attr),
    .infer = float_infer,
    .source = {normal_f32, normal_f64},
};

tp_tensor tp_normal(tp_tape *tape, tp_dtype dtype, tp_shape shape)
{
    return record_source(tape, &normal, dtype, shape, 0);
}

/* ---- bernoulli ------------------------------------------------------------------------------------- */

/* A word below this is a 1.  Probabilities that are nearly 0 or 1 are, and have no such number. */
static uint32_t threshold_of(double probability)
{
    return (uint32_t)(probability * 0x1p32 + 0.5);
}

TP_INSTRUCTION_SETS
static void bernoulli_f32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    const uint32_t threshold = threshold_of(((const random_attr *)attr)->probability);
    uint32_t memory[4 * BLOCKS];
    for (int64_t done = 0; done < n; done += WORDS) {
        const int64_t here = n - done < WORDS ? n - done : WORDS;
        const uint32_t *word = make_words(start + done, here, key, memory);
        float *out = (float *)y + done;
        for (int64_t i = 0; i < here; i++)
            out[i] = word[i] < threshold ? 1.0f : 0.0f;
    }
}

TP_INSTRUCTION_SETS
static void bernoulli_f64(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    const uint32_t threshold = threshold_of(((const random_attr *)attr)->probability);
    uint32_t memory[4 * BLOCKS];
    for (int64_t done = 0; done < n; done += WORDS) {
        const int64_t here = n - done < WORDS ? n - done : WORDS;
        const uint32_t *word = make_words(start + done, here, key, memory);
        double *out = (double *)y + done;
        for (int64_t i = 0; i < here; i++)
            out[i] = word[i] < threshold ? 1.0 : 0.0;
    }
}

TP_INSTRUCTION_SETS
static void bernoulli_i32(int64_t start, int64_t n, void *y, const void *attr, const uint64_t key[3])
{
    const uint32_t threshold = threshold_of(((const random_attr *)attr)->probability);
    uint32_t memory[4 * BLOCKS];
    for (int64_t done = 0; done < n; done += WORDS) {
        const int64_t here = n - done < WORDS ? n - done : WORDS;
        const uint32_t *word = make_words(start + done, here, key, memory);
        int32_t *out = (int32_t *)y + done;
        for (int64_t i = 0; i < here; i++)
            out[i] = word[i] < threshold;
    }
}

static const char *bernoulli_infer(tp_inference *i)
{
    const random_attr *a = i->attr;
    if (a->dtype < 0 || a->dtype >= TP_DTYPE_COUNT) {
        i->fault = TP_BAD_DTYPE;
        return "the dtype must be f32, f64 or i32";
    }
    if (!(a->probability >= 0 && a->probability * 0x1p32 + 0.5 < 0x1p32)) {
        i->fault = TP_BAD_ARGUMENT;
        return "the probability must be in [0, 1]";
    }
    return random_infer(i);
}

static const tp_op bernoulli = {
    .name = "bernoulli",
    .kind = TP_SOURCE,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(random_attr),
    .infer = bernoulli_infer,
    .source = {bernoulli_f32, bernoulli_f64, bernoulli_i32},
};

tp_tensor tp_bernoulli(tp_tape *tape, tp_dtype dtype, tp_shape shape, double probability)
{
    const double threshold = probability * 0x1p32 + 0.5;
    if (probability <= 1 && threshold >= 0x1p32)
        return tp_full(tape, dtype, shape, 1);
    if (probability >= 0 && threshold < 1)
        return tp_full(tape, dtype, shape, 0);
    return record_source(tape, &bernoulli, dtype, shape, probability);
}

/* ---- dropout --------------------------------------------------------------------------------------- */

tp_tensor tp_dropout(tp_tensor x, double probability, bool training)
{
    const tp_dtype dtype = tp_dtype_of(x);
    const tp_shape shape = tp_shape_of(x);
    char text[TP_TEXT_SIZE];

    if (!tp_is_valid(x))
        return tp_scale(x, 1);
    if (dtype != TP_F32 && dtype != TP_F64)
        return tp_fail(x, TP_BAD_DTYPE, "dropout: it needs f32 or f64, not %s",
                       tp_describe(dtype, &shape, text));
    if (!(probability >= 0 && probability <= 1))
        return tp_fail(x, TP_BAD_ARGUMENT, "dropout: the probability must be in [0, 1], not %g", probability);
    if (!training || probability == 0)
        return x;
    tp_tape *tape = tp_locate_tape(x.tape, x.file, x.line);
    if (probability == 1)
        return tp_full(tape, dtype, shape, 0);
    const tp_tensor kept = tp_locate(tp_bernoulli(tape, dtype, shape, 1 - probability), x.file, x.line);
    return tp_where(kept, tp_scale(x, 1 / (1 - probability)), tp_scalar(x.tape, 0));
}

/* ---- permutation ----------------------------------------------------------------------------------- */

static const char *permutation_infer(tp_inference *i)
{
    if (i->x_dtype[0] != TP_F64 || i->x_shape[0].rank != 1) {
        i->fault = TP_BAD_DTYPE;
        return "it needs a vector of f64";
    }
    if (i->x_shape[0].dim[0] > INT32_MAX)
        return "i32 cannot count that far";
    i->y_dtype = TP_I32;
    return NULL;
}

/* Fisher and Yates' shuffle, from the inside out: number i takes any of the places 0 .. i, whose number moves to place i. */
static tp_status permutation_run(const tp_call *c)
{
    const int32_t n = (int32_t)c->y.shape.dim[0];
    const double *uniform_number = c->x[0].data;
    int32_t *y = c->y.data;

    for (int32_t i = 0; i < n; i++) {
        const double place = uniform_number[i] * ((double)i + 1);
        const int32_t at = place >= 0 && place < (double)i + 1 ? (int32_t)place : i;
        y[i] = y[at];
        y[at] = i;
    }
    return TP_OK;
}

static const tp_op permutation = {
    .name = "shuffle",
    .kind = TP_CALL,
    .arity = 1,
    .infer = permutation_infer,
    .run = permutation_run,
};

tp_tensor tp_permutation(tp_tape *tape, int64_t n)
{
    tp_scope_begin(tape, "permutation");
    const tp_tensor draws = tp_uniform(tape, TP_F64, TP_SHAPE(n));
    const tp_tensor y = tp_record(&permutation, &draws, 1, NULL);
    tp_scope_end(tape);
    return y;
}

const tp_op *const tp__random_ops[] = {&uniform, &normal, &bernoulli, &permutation, NULL};
