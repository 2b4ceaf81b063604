/* tapir/op.h -- define an op of your own.
 *
 * An op is one `static const tp_op` and its functions, in one file; nothing is registered anywhere.  The
 * built-in ops are made the same way.  docs/custom-op.md walks through one.
 */
#ifndef TAPIR_OP_H
#define TAPIR_OP_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an op is to the executor. */
typedef enum tp_kind {
    TP_LEAF = 0, /* input, parameter, constant (not for user ops) */
    TP_SOURCE,   /* no operands; element i depends on i only */
    TP_MAP,      /* y[i] from x[0][i], x[1][i], ... after broadcasting */
    TP_REDUCE,   /* one operand, some axes folded to size 1 */
    TP_VIEW,     /* the operand's elements seen with other strides */
    TP_CALL,     /* a kernel over whole contiguous arrays */
    TP_ASSIGN,   /* sets a leaf after the run (not for user ops) */
    TP_GROUP     /* several assignments as one handle (not for user ops) */
} tp_kind;

enum {
    /* Recording it twice gives two nodes (random numbers, effects). */
    TP_OP_IMPURE = 1 << 0,
    /* Its contributions are 0 wherever the adjoint is 0, whatever the operands, NaN included (add, where, ...): the
     * gradient needs no strong zero.  For maps and reductions only; others never have it. */
    TP_OP_FINITE = 1 << 1,
    /* A view that only repeats its operand by broadcasting: maps may read the operand itself. */
    TP_OP_REPEATS = 1 << 2,
    /* A map that may yield a finite value from a last operand that is not (the strong zero). */
    TP_OP_HIDES = 1 << 3,
    /* A map of (mask, value) that is the value or 0, as the mask says: the gradient takes the mask off before it applies a
     * rule and puts it on the contributions, which so need no other strong zero.  It names its opposite, which is the value
     * where this one is 0, and joins two values under one mask. */
    TP_OP_MASKS = 1 << 4,
    /* A call whose bits may depend on the number of threads. */
    TP_OP_THREAD_DEPENDENT = 1 << 5,
    /* A map that costs little more than reading its operands: it is rather computed again than stored. */
    TP_OP_CHEAP = 1 << 6,
    /* A call whose kernel never fails. */
    TP_OP_INFALLIBLE = 1 << 7,
    /* Its rule is on purpose not the derivative of its kernel (straight-through estimators, gradient reversal), so that it
     * is not verified on its first use. */
    TP_OP_SURROGATE = 1 << 8,
    /* A call on [n,channels,height,width] that treats every channel alike, and takes blocks of channels as a fifth axis as well. */
    TP_OP_PER_CHANNEL = 1 << 9,
    /* Takes an attribute-determined number of operands. */
    TP_ANY_ARITY = -1
};

/* ---- Shapes: what an op yields ---------------------------------------------------------------------- */

/* What a shape rule sees, and fills: y_shape and y_dtype.  On entry they are the operands' broadcast shape (or
 * 0-d if they do not broadcast) and the first operand's dtype. */
typedef struct tp_inference {
    int n;
    const tp_shape *x_shape;
    const tp_dtype *x_dtype;
    const void *attr;
    bool same_dtype; /* all operands have one dtype */
    bool broadcasts; /* the operands broadcast against each other */
    tp_shape y_shape;
    tp_dtype y_dtype;
    tp_status
        fault; /* what a returned reason is: preset to TP_BAD_SHAPE, or TP_BAD_DTYPE where dtypes differ */
} tp_inference;

/* Returns NULL, or the reason why these operands are wrong, in a few words; the tape adds the op's name, the
 * operands' shapes and the place. */
typedef const char *(*tp_infer_rule)(tp_inference *inference);

/* ---- Derivatives ------------------------------------------------------------------------------------ */

/* What a derivative rule sees.  It records, with ordinary ops, the contribution to each operand's adjoint:
 * dx[k] = sum over outputs of g * dy/dx[k].  It ignores broadcasting: dx[k] may have y's shape; it is summed to
 * x[k]'s shape elsewhere.  A dx[k] left alone means "derivative zero".  need[k] tells which are wanted; the others
 * may be left alone. */
typedef struct tp_vjp {
    tp_tensor g;        /* adjoint of y, of y's shape (for a map perhaps only broadcastable to it) */
    tp_tensor y;        /* the op's result */
    const tp_tensor *x; /* its operands */
    int n;
    const void *attr;
    const bool *need;
    tp_tensor *dx;
    bool *finite; /* set finite[k] when dx[k] is as TP_OP_FINITE says in this case (a constant factor) */
} tp_vjp;

typedef void (*tp_derivative_rule)(const tp_vjp *d);

/* The rule of an op whose derivative is zero wherever it has one (comparisons, rounding): it records nothing. */
TP_API void tp_zero_derivative(const tp_vjp *d);

/* ---- Kernels ---------------------------------------------------------------------------------------- */

/* y[i] = f(x[0][i], x[1][i], ...) for n contiguous elements; y may be one of the x[k]. */
typedef void (*tp_map_kernel)(int64_t n, void *y, const void *const *x, const void *attr);

/* The same where x[k] may be one number for all i: where bit k of `single` is set.  n > 0. */
typedef void (*tp_mixed_kernel)(int64_t n, void *y, const void *const *x, const void *attr, unsigned single);

/* Elements start .. start + n - 1 of a source, in row-major order of its shape. */
typedef void (*tp_source_kernel)(int64_t start, int64_t n, void *y, const void *attr,
                                 const uint64_t random_key[3]);

/* How a reduction folds.  x[0] are its elements (of a fold with a map fused into it: x[0], x[1], ... the map's operands).
 * Elements are taken in row-major order in tiles of TP_TILE; `tile` folds one tile of
 * n <= TP_TILE contiguous elements (n = 0 gives the identity) with TP_LANES accumulators, element i into
 * accumulator i % TP_LANES, and these as a fixed tree; tiles are merged pairwise.  A partial is 8 bytes: a double
 * for f32 and f64, an int64_t for i32. */
#define TP_TILE  1024
#define TP_LANES 16
typedef union tp_partial {
    double f;
    int64_t i;
} tp_partial;
typedef struct tp_fold {
    tp_partial (*tile)(int64_t n, const void *const *x);
    tp_partial (*merge)(tp_partial a, tp_partial b);
    void (*strip)(int64_t n, tp_partial *lane, const void *const *x); /* part of a tile into its lanes */
    tp_partial (*close)(const tp_partial *lane);                      /* the tree over the lanes of a tile */
    void (*accumulate)(int64_t n, tp_partial *a, const void *const *x); /* a[i] = a[i] folded with x[0][i] */
    void (*merge_all)(int64_t n, tp_partial *a, const tp_partial *b);   /* a[i] = a[i] merged with b[i] */
    void (*rows)(int64_t rows, int64_t n, tp_partial *p,
                 const void *const *x); /* p[r] = tile(n, row r), 0 < n <= TP_TILE */
} tp_fold;

/* Strides of a view, in elements: element (i0, i1, ...) of y is x_data[offset + sum i_d * stride[d]]. */
typedef struct tp_strides {
    int64_t offset;
    int64_t stride[TP_MAX_RANK];
} tp_strides;

/* Rewrites the operand's strides (for x_shape) into those of the result (for y_shape).  Returns false when
 * they cannot be expressed (a reshape of scattered elements); never false for a row-major operand. */
typedef bool (*tp_view_rule)(const tp_shape *x_shape, const tp_shape *y_shape, const void *attr,
                             tp_strides *strides);

/* A whole array, row-major without gaps. */
typedef struct tp_array {
    void *data;
    tp_dtype dtype;
    tp_shape shape;
} tp_array;

/* What the kernel of a TP_CALL sees.  It must write every element of y and nothing else.  It must not use the tape whose
 * program is running it: recording, compiling, running, writing are refused, and the run fails. */
typedef struct tp_call {
    tp_array y;
    const tp_array *x;
    int n;
    const void *attr;
    void *scratch; /* scratch_size bytes, aligned to 64 */
    struct tp_failure *failure;
} tp_call;

/* Returns TP_OK, or what tp_call_fail returned. */
typedef tp_status (*tp_call_kernel)(const tp_call *call);

/* The run ends with TP_BAD_VALUE and this message (printf style); the op's name, scope and place are added. */
TP_API tp_status tp_call_fail(const tp_call *call, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* ---- Channels in blocks ------------------------------------------------------------------------------ */

/* Libraries compute some calls on images faster when the channels of [n, channels, ...] lie in blocks of b:
 * [n, channels / b, ..., b].  tp_compile finds calls that ask for that (tp_op.block) and records them again in this form
 * (tp_op.blocked), with what lies between them; nobody else sees that.  What the rule sees: */
typedef struct tp_blocked tp_blocked;
TP_API int64_t tp_block_of(const tp_blocked *b); /* b */
TP_API const void *tp_blocked_attr(const tp_blocked *b);
TP_API tp_shape tp_blocked_shape(const tp_blocked *b,
                                 int k); /* of operand k, or (-1) the result, as it was recorded */
TP_API tp_dtype tp_blocked_dtype(const tp_blocked *b); /* of the result */
TP_API int tp_blocked_operands(const tp_blocked *b);   /* how many there are */
TP_API bool tp_is_blocked(const tp_blocked *b, int k); /* operand k is there in blocks without a conversion */

/* Operand k as it was recorded, and in blocks (absent if its channels are not a multiple of b, or its rank is below 3): converted
 * where need be. */
TP_API tp_tensor tp_plain_operand(const tp_blocked *b, int k);
TP_API tp_tensor tp_blocked_operand(const tp_blocked *b, int k);

/* The conversions: x [n, channels, ...] of rank 2 to 7, of any dtype, with channels a multiple of the block; and back.  Each is the
 * other's derivative. */
TP_API tp_tensor tp_channels_to_blocks(tp_tensor x, int64_t block);
TP_API tp_tensor tp_channels_from_blocks(tp_tensor x);

/* ---- The op ----------------------------------------------------------------------------------------- */

/* Two ops (or three) in one instruction: this map or reduction with its operand number `operand` made by the map `inner`.  The
 * kernel's operands are this op's with the inner op's in the place of that one; its results are the same to the bit.  A
 * reduction has `fold`, a map `mixed`. */
typedef struct tp_fusion {
    const struct tp_op *inner;
    int operand;
    const struct tp_op *innermost; /* NULL, or what made the inner op's operand, taken in as well */
    int innermost_operand;
    tp_mixed_kernel mixed[TP_DTYPE_COUNT];
    unsigned singles; /* as in tp_op */
    const tp_fold *fold[TP_DTYPE_COUNT];
} tp_fusion;

/* The kernels of a TP_FUSED or TP_FUSED_FOLD in the list of an op's fusions, which ends with {.inner = NULL}. */
#define TP_FUSED_KERNELS(NAME) .mixed = {NAME##_f32_mixed, NAME##_f64_mixed}, .singles = NAME##_singles
#define TP_FUSED_FOLDS(NAME)   .fold = {&NAME##_f32_fold, &NAME##_f64_fold}

/* A map of one operand x that can also be computed from x and a value that other maps of x need as well (sigmoid and
 * softplus: e^-|x|).  Where two such maps of one x meet in a loop, that value is computed once.  The results are the same
 * to the bit. */
typedef struct tp_sharing {
    const struct tp_op *part;           /* a map of x; its own kernels are all that matters */
    tp_mixed_kernel of[TP_DTYPE_COUNT]; /* of x and the part */
} tp_sharing;

/* Fields that are zero have the stated default, so that a definition names only what the op has. */
typedef struct tp_op {
    const char *name;
    tp_kind kind;
    int arity;        /* number of operands, or TP_ANY_ARITY */
    unsigned flags;   /* TP_OP_... */
    size_t attr_size; /* bytes of the attribute struct; it must have no padding (it is compared as bytes) */
    /* NULL: operands broadcast, share one dtype for which there is a kernel, and so does the result. */
    tp_infer_rule infer;
    /* NULL: no derivative; asking for a gradient through the op is an error. */
    tp_derivative_rule vjp;
    /* NULL: none.  Returns an equal tensor that is already there or cheaper, exact to the bit for all operands,
     * or (tp_tensor){0} when there is none. */
    tp_tensor (*simplify)(const tp_tensor *x, int n, const void *attr);
    /* Of TP_OP_MASKS: join(mask, a, b) is this op's value of a plus the opposite's of b. */
    const struct tp_op *opposite;
    tp_tensor (*join)(tp_tensor mask, tp_tensor a, tp_tensor b);
    /* By the operands' dtype; NULL where the op does not take it. */
    tp_map_kernel map[TP_DTYPE_COUNT];
    /* NULL, or the same kernels for operands that are single numbers, in the combinations that `singles` allows: if its bit
     * m is set, `single` may be m.  TP_MAP2 and TP_MAP3 make them. */
    tp_mixed_kernel mixed[TP_DTYPE_COUNT];
    unsigned singles;
    const tp_fusion *fusion;   /* NULL, or a list that ends with an inner op of NULL */
    const tp_sharing *sharing; /* NULL: none */
    tp_source_kernel source[TP_DTYPE_COUNT];
    const tp_fold *reduce[TP_DTYPE_COUNT];
    tp_view_rule view;
    tp_call_kernel run;
    size_t (*scratch_size)(const tp_shape *x_shape, int n, const void *attr); /* NULL: none */
    /* Of a call that is faster on channels in blocks: of how many; 0 for no gain; by its
     * first 8 operands.  NULL: never asks for blocks. */
    int64_t (*block)(const tp_shape *x_shape, tp_dtype dtype, const void *attr);
    /* NULL, or records the op in blocks: it returns the result in blocks or as it was recorded, as its shape tells, or
     * (tp_tensor){0} when the op had better be recorded as it was.  An op that asks for no blocks itself is only met with
     * an operand in blocks. */
    tp_tensor (*blocked)(const tp_blocked *b);
    const char *expression; /* a map's scalar expression, as text */
    double low, high;       /* where tests sample operands; both 0: -2 .. 2 */
} tp_op;

/* Record one op.  `attr` points to attr_size bytes, which are copied (NULL if attr_size is 0).  The op must
 * outlive the tape.  Weak scalars among the operands take the others' dtype. */
TP_API tp_tensor tp_record(const tp_op *op, const tp_tensor *x, int n, const void *attr);

/* The same on a given tape: for sources, which have no operands. */
TP_API tp_tensor tp_record_on(tp_tape *tape, const tp_op *op, const tp_tensor *x, int n, const void *attr);

/* Verified on first use.  In a debug build of yours -- where this header is compiled without NDEBUG, as with assert --
 * tp_record compares the op's derivative rule with finite differences of its kernel when a tape records the op for the
 * first time.  A rule that is wrong is an error of that call, TP_WRONG_DERIVATIVE, for instance
 *
 *     my_square: wrong derivative: gradient of x[0] at [2] is -1.55869086, but finite differences give -3.11738172 +-
 *     8.6e-15; verified on its first use, here with x[0] = 1.88401 (f32[5]) at train.c:42
 *
 *  - Operands are of the dtypes and shapes that are recorded, or of the same rank and few elements when they are many; an
 *    infer rule must refuse what the kernel cannot take.  Their values are random, from op->low .. op->high, or if the
 *    result is not finite there, from other ranges; known numbers and the values of i32 leaves are as they are.  What is
 *    differentiated is the sum of the result's elements, with random weights of 0.5 .. 1.5 and either sign.
 *  - It costs some hundred to two thousand calls of the kernel with few elements, once per op and tape.
 *  - Without a verdict there is no error: no derivative, no operand that has one, i32 operands that other ops computed (whose
 *    meaning cannot be guessed), an i32 result, a kernel that fails or is not finite at such values.  TP_OP_IMPURE and TP_OP_SURROGATE ops are left alone.
 *  - tp_op_verify (tapir/check.h) looks at much more, at operands of your choice.
 *
 * tp_tape_options.verify_ops changes when; defining TP_VERIFY_OPS as 0 or 1 before the header is included changes it for one
 * source file.  The functions themselves, without the macros, verify nothing. */
TP_API tp_tensor tp_record_verified(bool debug, const tp_op *op, const tp_tensor *x, int n, const void *attr);
TP_API tp_tensor tp_record_verified_on(bool debug, tp_tape *tape, const tp_op *op, const tp_tensor *x, int n,
                                       const void *attr);
#ifndef TP_VERIFY_OPS
#ifdef NDEBUG
#define TP_VERIFY_OPS 0
#else
#define TP_VERIFY_OPS 1
#endif
#endif
#ifndef TP_NO_PLACE /* Tapir's own ops are verified by its tests */
#define tp_record(...)    tp_record_verified(TP_VERIFY_OPS, __VA_ARGS__)
#define tp_record_on(...) tp_record_verified_on(TP_VERIFY_OPS, __VA_ARGS__)
#endif

/* Store an error on the tape, at the tensor's place, and return an invalid handle: for constructors that find their
 * arguments wrong before they record.  printf style; say what was expected. */
TP_API tp_tensor tp_fail(tp_tensor at, tp_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* NULL if x is a living tensor of the tape; else why not, for a message "the target ...": "is absent", "belongs to another
 * tape", "is stale: the tape was rewound past it", or "is invalid", which needs no message: the error that made it so has one. */
TP_API const char *tp_handle_fault(const tp_tape *tape, tp_tensor x);

/* Zeroed memory that lives as long as the tape, for what an op must remember between runs; an attribute points to it.  Rewinding
 * does not give it back.  NULL when memory ran out, and for a NULL tape. */
TP_API void *tp_tape_keep(tp_tape *tape, size_t size);

/* ---- Looking at nodes ------------------------------------------------------------------------------- */

/* The op that made a tensor (leaves have ops too: "input", "parameter", "constant", "scalar"); NULL for an invalid
 * one.  Its k-th operand; its attributes. */
TP_API const tp_op *tp_op_of(tp_tensor tensor);
TP_API tp_tensor tp_operand_of(tp_tensor tensor, int k);
TP_API const void *tp_attr_of(tp_tensor tensor);

/* The dtype that leaves, scalars and casts of `dtype` get on this tape: the same, but for the gradient checker's tapes,
 * which keep f32 as f64. */
TP_API tp_dtype tp_dtype_on(const tp_tape *tape, tp_dtype dtype);

/* "f32[6,3]" in text, cut to the buffer; returns text. */
#define TP_TEXT_SIZE 128
TP_API const char *tp_describe(tp_dtype dtype, const tp_shape *shape, char text[TP_TEXT_SIZE]);

/* The shape a and b broadcast to by NumPy's rules; false when they do not. */
TP_API bool tp_broadcast(const tp_shape *a, const tp_shape *b, tp_shape *out);

/* Row-major strides of a shape, in elements (0 for axes of size 1). */
TP_API tp_strides tp_row_major(const tp_shape *shape);

/* The axis as 0 .. rank-1, or -1 when it is out of range. */
TP_API int tp_normal_axis(int axis, int64_t rank);

/* ---- Instruction sets ------------------------------------------------------------------------------ */

/* Before a kernel's definition: the compiler makes it for each of these instruction sets, and the loader picks the best
 * that the machine has.  The bits of the results are the same (docs/math.md).  With gcc on x86-64 only: clang gives what
 * picks a static kernel a global name, so that two of the same name would collide.  Not under sanitizers, which are
 * not ready when the loader picks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define TP_ONE_INSTRUCTION_SET
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(TP_ONE_INSTRUCTION_SET)
#define TP_INSTRUCTION_SETS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define TP_INSTRUCTION_SETS
#endif

/* ---- Map kernels from one scalar expression --------------------------------------------------------- */

/* TP_MAP1(softplus, TP_MAX(x, (T)0) + TP_LOG1P(TP_EXP(-TP_ABS(x)))) defines the f32 and f64 loops of a map of
 * one operand x; of two, a and b; of three, a, b and c.  T is float or double.  TP_FUSED2, 3 and 4 do the same for the
 * kernel of a tp_fusion, of operands a, b (, c and d).  TP_..._I32 defines the i32 loop of
 * the same name.  Use with TP_MAP_KERNELS(softplus) or TP_MAP_KERNELS_I32(softplus) inside the tp_op.  The scalar
 * functions are in tapir/scalar.h. */
#if defined(_OPENMP) || defined(TP_OPENMP_SIMD) /* the compiler knows the pragma */
#define TP_SIMD_ _Pragma("omp simd")
#else
#define TP_SIMD_
#endif

#define TP_LOAD_(NAME, K) const T NAME = ((const T *)x_[K])[i_];

#if defined(__GNUC__)
#define TP_UNUSED_ __attribute__((unused))
#else
#define TP_UNUSED_
#endif

/* One loop over a map of one operand. */
#define TP_MAP1_LOOP_(NAME, TYPE, EXPRESSION)                                                                \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME(int64_t n_, void *y_, const void *const *x_, const void *attr)                          \
    {                                                                                                        \
        typedef TYPE T;                                                                                      \
        T *y = (T *)y_;                                                                                      \
        (void)attr;                                                                                          \
        TP_SIMD_ for (int64_t i_ = 0; i_ < n_; i_++)                                                         \
        {                                                                                                    \
            TP_LOAD_(x, 0)                                                                                   \
            y[i_] = (T)(EXPRESSION);                                                                         \
        }                                                                                                    \
    }                                                                                                        \
    TP_UNUSED_ static void NAME##_mixed(int64_t n_, void *y_, const void *const *x_, const void *attr,       \
                                        unsigned single_)                                                    \
    {                                                                                                        \
        (void)single_; /* that is never set */                                                               \
        NAME(n_, y_, x_, attr);                                                                              \
    }

/* Of several operands: one loop for each combination of single numbers among them. */
#define TP_EITHER_(NAME, K) const T NAME = (single >> K & 1) ? NAME##_one_ : ((const T *)x_[K])[i_];
#define TP_ONE_(NAME, K)    const T NAME##_one_ = ((const T *)x_[K])[0];
#define TP_LOADS2_          TP_EITHER_(a, 0) TP_EITHER_(b, 1)
#define TP_LOADS3_          TP_LOADS2_ TP_EITHER_(c, 2)
#define TP_LOADS4_          TP_LOADS3_ TP_EITHER_(d, 3)
#define TP_ONES2_           TP_ONE_(a, 0) TP_ONE_(b, 1)
#define TP_ONES3_           TP_ONES2_ TP_ONE_(c, 2)
#define TP_ONES4_           TP_ONES3_ TP_ONE_(d, 3)
#define TP_CASE_(SINGLE, LOADS, EXPRESSION)                                                                  \
    case SINGLE: {                                                                                           \
        enum { single = SINGLE };                                                                            \
        TP_SIMD_ for (int64_t i_ = 0; i_ < n_; i_++)                                                         \
        {                                                                                                    \
            LOADS                                                                                            \
            y[i_] = (T)(EXPRESSION);                                                                         \
        }                                                                                                    \
        break;                                                                                               \
    }
#define TP_CASES2_(LOADS, EXPRESSION)                                                                        \
    TP_CASE_(0, LOADS, EXPRESSION) TP_CASE_(1, LOADS, EXPRESSION) TP_CASE_(2, LOADS, EXPRESSION)
#define TP_CASES3_(LOADS, EXPRESSION)                                                                        \
    TP_CASES2_(LOADS, EXPRESSION)                                                                            \
    TP_CASE_(3, LOADS, EXPRESSION)                                                                           \
    TP_CASE_(4, LOADS, EXPRESSION) TP_CASE_(5, LOADS, EXPRESSION) TP_CASE_(6, LOADS, EXPRESSION)
#define TP_CASES4_(LOADS, EXPRESSION)                                                                        \
    TP_CASES3_(LOADS, EXPRESSION)                                                                            \
    TP_CASE_(7, LOADS, EXPRESSION)                                                                           \
    TP_CASE_(8, LOADS, EXPRESSION)                                                                           \
    TP_CASE_(9, LOADS, EXPRESSION)                                                                           \
    TP_CASE_(10, LOADS, EXPRESSION)                                                                          \
    TP_CASE_(11, LOADS, EXPRESSION)                                                                          \
    TP_CASE_(12, LOADS, EXPRESSION) TP_CASE_(13, LOADS, EXPRESSION) TP_CASE_(14, LOADS, EXPRESSION)
#define TP_MIXED_LOOPS_(NAME, TYPE, ONES, LOADS, CASES, EXPRESSION)                                          \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME##_mixed(int64_t n_, void *y_, const void *const *x_, const void *attr,                  \
                             unsigned single_)                                                               \
    {                                                                                                        \
        typedef TYPE T;                                                                                      \
        T *y = (T *)y_;                                                                                      \
        ONES(void) attr;                                                                                     \
        switch (single_) {                                                                                   \
            CASES(LOADS, EXPRESSION)                                                                         \
        default: break;                                                                                      \
        }                                                                                                    \
    }
#define TP_MAPN_LOOPS_(NAME, TYPE, ONES, LOADS, CASES, EXPRESSION)                                           \
    TP_MIXED_LOOPS_(NAME, TYPE, ONES, LOADS, CASES, EXPRESSION)                                              \
    static void NAME(int64_t n_, void *y_, const void *const *x_, const void *attr)                          \
    {                                                                                                        \
        if (n_ > 0)                                                                                          \
            NAME##_mixed(n_, y_, x_, attr, 0);                                                               \
    }

/* Combinations that the cases above have, as the bits of `singles`. */
#define TP_SINGLES2_ 0x0006u
#define TP_SINGLES3_ 0x007eu
#define TP_SINGLES4_ 0x7ffeu

#define TP_MAP1(NAME, EXPRESSION)                                                                            \
    TP_MAP1_LOOP_(NAME##_f32, float, EXPRESSION)                                                             \
    TP_MAP1_LOOP_(NAME##_f64, double, EXPRESSION)                                                            \
    enum { NAME##_singles = 0 };                                                                             \
    TP_UNUSED_ static const char NAME##_expression[] = #EXPRESSION;
#define TP_MAPN_(NAME, N, EXPRESSION, TEXT)                                                                  \
    TP_MAPN_LOOPS_(NAME##_f32, float, TP_ONES##N##_, TP_LOADS##N##_, TP_CASES##N##_, EXPRESSION)             \
    TP_MAPN_LOOPS_(NAME##_f64, double, TP_ONES##N##_, TP_LOADS##N##_, TP_CASES##N##_, EXPRESSION)            \
    enum { NAME##_singles = TP_SINGLES##N##_ };                                                              \
    TP_UNUSED_ static const char NAME##_expression[] = TEXT;
#define TP_MAP2(NAME, EXPRESSION) TP_MAPN_(NAME, 2, EXPRESSION, #EXPRESSION)
#define TP_MAP3(NAME, EXPRESSION) TP_MAPN_(NAME, 3, EXPRESSION, #EXPRESSION)
#define TP_FUSED_(NAME, N, EXPRESSION)                                                                       \
    TP_MIXED_LOOPS_(NAME##_f32, float, TP_ONES##N##_, TP_LOADS##N##_, TP_CASES##N##_, EXPRESSION)            \
    TP_MIXED_LOOPS_(NAME##_f64, double, TP_ONES##N##_, TP_LOADS##N##_, TP_CASES##N##_, EXPRESSION)           \
    enum { NAME##_singles = TP_SINGLES##N##_ };
#define TP_FUSED2(NAME, EXPRESSION)   TP_FUSED_(NAME, 2, EXPRESSION)
#define TP_FUSED3(NAME, EXPRESSION)   TP_FUSED_(NAME, 3, EXPRESSION)
#define TP_FUSED4(NAME, EXPRESSION)   TP_FUSED_(NAME, 4, EXPRESSION)
#define TP_MAP1_I32(NAME, EXPRESSION) TP_MAP1_LOOP_(NAME##_i32, int32_t, EXPRESSION)
#define TP_MAP2_I32(NAME, EXPRESSION)                                                                        \
    TP_MAPN_LOOPS_(NAME##_i32, int32_t, TP_ONES2_, TP_LOADS2_, TP_CASES2_, EXPRESSION)
#define TP_MAP3_I32(NAME, EXPRESSION)                                                                        \
    TP_MAPN_LOOPS_(NAME##_i32, int32_t, TP_ONES3_, TP_LOADS3_, TP_CASES3_, EXPRESSION)

#define TP_MAP_KERNELS(NAME)                                                                                 \
    .map = {NAME##_f32, NAME##_f64}, .mixed = {NAME##_f32_mixed, NAME##_f64_mixed},                          \
    .singles = NAME##_singles, .expression = NAME##_expression
#define TP_MAP_KERNELS_I32(NAME)                                                                             \
    .map = {NAME##_f32, NAME##_f64, NAME##_i32},                                                             \
    .mixed = {NAME##_f32_mixed, NAME##_f64_mixed, NAME##_i32_mixed}, .singles = NAME##_singles,              \
    .expression = NAME##_expression
/* The first of these as an assignment, for C++17, which has no designated initializers. */
#define TP_SET_MAP_KERNELS(OP, NAME)                                                                         \
    ((OP).map[TP_F32] = NAME##_f32, (OP).map[TP_F64] = NAME##_f64, (OP).mixed[TP_F32] = NAME##_f32_mixed,    \
     (OP).mixed[TP_F64] = NAME##_f64_mixed, (OP).singles = NAME##_singles,                                   \
     (OP).expression = NAME##_expression)

/* ---- Reductions from one scalar expression ---------------------------------------------------------- */

/* TP_FOLD(sum, -0.0, a + b) defines the fold of f32 and f64, in double; TP_FOLD_I32 that of i32, in int64_t.
 * `a` is the fold so far, `b` the next element or fold; a and b may swap and regroup as tp_fold says.  Folding
 * the identity must change nothing, not even the sign of a zero.  Use with TP_FOLDS(sum).
 *
 * TP_FOLD_CHOICE is for folds whose result is always one of the elements, and for which grouping changes nothing (the
 * largest, the smallest): f32 is folded as f32.
 *
 * TP_FUSED_FOLD1(sum_of_square, -0.0, a + b, x * x) defines the fold of a map's results, for a tp_fusion; TP_FUSED_FOLD2
 * that of a map of c and d, TP_FUSED_FOLD3 of c, d and e. */
#define TP_FOLD_LOADS1_ TP_LOAD_(x, 0)
#define TP_FOLD_LOADS2_ TP_LOAD_(c, 0) TP_LOAD_(d, 1)
#define TP_FOLD_LOADS3_ TP_LOAD_(c, 0) TP_LOAD_(d, 1) TP_LOAD_(e, 2)

/* The element at `i_`, after its map. */
#define TP_ELEMENT_(TYPE, WIDE, LOADS, ELEMENT)                                                              \
    typedef TYPE T;                                                                                          \
    LOADS const T element_ = (T)(ELEMENT);                                                                   \
    const WIDE b = (WIDE)element_;

/* Inlined into the tree's function, the lanes would lie in memory (gcc 12): twice the time. */
#if defined(__GNUC__)
#define TP_APART_ __attribute__((noinline))
#else
#define TP_APART_
#endif

/* One step of the tree over TP_LANES lanes. */
#define TP_HALVE_(NAME, HALF)                                                                                \
    for (int l = 0; l < HALF; l++)                                                                           \
        lane[l] = NAME##_of(lane[l], lane[l + HALF]);

/* GROUP elements of a lane are folded among themselves before they meet the lane. */
#define TP_FOLD_FUNCTIONS_(NAME, TYPE, WIDE, FIELD, IDENTITY, EXPRESSION, LOADS, ELEMENT, GROUP)             \
    static inline WIDE NAME##_of(WIDE a, WIDE b)                                                             \
    {                                                                                                        \
        return (EXPRESSION);                                                                                 \
    }                                                                                                        \
    static inline WIDE NAME##_at(int64_t i_, const void *const *x_)                                          \
    {                                                                                                        \
        TP_ELEMENT_(TYPE, WIDE, LOADS, ELEMENT)                                                              \
        return b;                                                                                            \
    }                                                                                                        \
    TP_INSTRUCTION_SETS TP_APART_ static void NAME##_into(int64_t n_, WIDE *lane, const void *const *x_)     \
    {                                                                                                        \
        int64_t i_ = 0;                                                                                      \
        for (; GROUP == 4 && i_ + 4 * TP_LANES <= n_; i_ += 4 * TP_LANES)                                    \
            TP_SIMD_ for (int l = 0; l < TP_LANES; l++)                                                      \
            {                                                                                                \
                const WIDE low = NAME##_of(NAME##_at(i_ + l, x_), NAME##_at(i_ + l + TP_LANES, x_));         \
                const WIDE high =                                                                            \
                    NAME##_of(NAME##_at(i_ + l + 2 * TP_LANES, x_), NAME##_at(i_ + l + 3 * TP_LANES, x_));   \
                lane[l] = NAME##_of(lane[l], NAME##_of(low, high));                                          \
            }                                                                                                \
        for (; i_ + TP_LANES <= n_; i_ += TP_LANES)                                                          \
            TP_SIMD_ for (int l = 0; l < TP_LANES; l++)                                                      \
            {                                                                                                \
                lane[l] = NAME##_of(lane[l], NAME##_at(i_ + l, x_));                                         \
            }                                                                                                \
        for (int l = 0; i_ + l < n_; l++)                                                                    \
            lane[l] = NAME##_of(lane[l], NAME##_at(i_ + l, x_));                                             \
    }                                                                                                        \
    static inline WIDE NAME##_tree(WIDE *lane)                                                               \
    {                                                                                                        \
        TP_HALVE_(NAME, 8) TP_HALVE_(NAME, 4) TP_HALVE_(NAME, 2) TP_HALVE_(NAME, 1) return lane[0];          \
    }                                                                                                        \
    TP_INSTRUCTION_SETS                                                                                      \
    static tp_partial NAME##_tile(int64_t n_, const void *const *x_)                                         \
    {                                                                                                        \
        WIDE lane[TP_LANES];                                                                                 \
        for (int l = 0; l < TP_LANES; l++)                                                                   \
            lane[l] = (IDENTITY);                                                                            \
        NAME##_into(n_, lane, x_);                                                                           \
        return (tp_partial){.FIELD = NAME##_tree(lane)};                                                     \
    }                                                                                                        \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME##_strip(int64_t n_, tp_partial *lane_, const void *const *x_)                           \
    {                                                                                                        \
        WIDE lane[TP_LANES];                                                                                 \
        for (int l = 0; l < TP_LANES; l++)                                                                   \
            lane[l] = (WIDE)lane_[l].FIELD;                                                                  \
        NAME##_into(n_, lane, x_);                                                                           \
        for (int l = 0; l < TP_LANES; l++)                                                                   \
            lane_[l].FIELD = lane[l];                                                                        \
    }                                                                                                        \
    static tp_partial NAME##_close(const tp_partial *lane_)                                                  \
    {                                                                                                        \
        WIDE lane[TP_LANES];                                                                                 \
        for (int l = 0; l < TP_LANES; l++)                                                                   \
            lane[l] = (WIDE)lane_[l].FIELD;                                                                  \
        return (tp_partial){.FIELD = NAME##_tree(lane)};                                                     \
    }                                                                                                        \
    static tp_partial NAME##_merge(tp_partial p_, tp_partial q_)                                             \
    {                                                                                                        \
        return (tp_partial){.FIELD = NAME##_of((WIDE)p_.FIELD, (WIDE)q_.FIELD)};                             \
    }                                                                                                        \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME##_merge_all(int64_t n_, tp_partial *p_, const tp_partial *q_)                           \
    {                                                                                                        \
        TP_SIMD_ for (int64_t i_ = 0; i_ < n_; i_++)                                                         \
        {                                                                                                    \
            p_[i_].FIELD = NAME##_of((WIDE)p_[i_].FIELD, (WIDE)q_[i_].FIELD);                                \
        }                                                                                                    \
    }                                                                                                        \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME##_accumulate(int64_t n_, tp_partial *p_, const void *const *x_)                         \
    {                                                                                                        \
        TP_SIMD_ for (int64_t i_ = 0; i_ < n_; i_++)                                                         \
        {                                                                                                    \
            p_[i_].FIELD = NAME##_of((WIDE)p_[i_].FIELD, NAME##_at(i_, x_));                                 \
        }                                                                                                    \
    }                                                                                                        \
    TP_INSTRUCTION_SETS                                                                                      \
    static void NAME##_rows(int64_t rows_, int64_t n_, tp_partial *p_, const void *const *x_)                \
    {                                                                                                        \
        enum { AT_ONCE_ = 32 };                                                                              \
        WIDE lane[TP_LANES][AT_ONCE_];                                                                       \
        for (int64_t first = 0; first < rows_; first += AT_ONCE_) {                                          \
            const int64_t here = rows_ - first < AT_ONCE_ ? rows_ - first : AT_ONCE_;                        \
            const int64_t used = n_ < TP_LANES ? n_ : TP_LANES;                                              \
            for (int64_t l = 0; l < used; l++)                                                               \
                TP_SIMD_ for (int64_t r = 0; r < here; r++)                                                  \
                {                                                                                            \
                    lane[l][r] = NAME##_at((first + r) * n_ + l, x_);                                        \
                }                                                                                            \
            for (int64_t i_ = TP_LANES; i_ < n_; i_++)                                                       \
                TP_SIMD_ for (int64_t r = 0; r < here; r++)                                                  \
                {                                                                                            \
                    lane[i_ % TP_LANES][r] =                                                                 \
                        NAME##_of(lane[i_ % TP_LANES][r], NAME##_at((first + r) * n_ + i_, x_));             \
                }                                                                                            \
            for (int64_t half = TP_LANES / 2; half > 0; half /= 2)                                           \
                for (int64_t l = 0; l < half && l + half < used; l++)                                        \
                    TP_SIMD_ for (int64_t r = 0; r < here; r++)                                              \
                    {                                                                                        \
                        lane[l][r] = NAME##_of(lane[l][r], lane[l + half][r]);                               \
                    }                                                                                        \
            for (int64_t r = 0; r < here; r++)                                                               \
                p_[first + r].FIELD = lane[0][r];                                                            \
        }                                                                                                    \
    }                                                                                                        \
    static const tp_fold NAME##_fold = {NAME##_tile,       NAME##_merge,     NAME##_strip, NAME##_close,     \
                                        NAME##_accumulate, NAME##_merge_all, NAME##_rows};

#define TP_FOLD(NAME, IDENTITY, EXPRESSION)                                                                  \
    TP_FOLD_FUNCTIONS_(NAME##_f32, float, double, f, IDENTITY, EXPRESSION, TP_FOLD_LOADS1_, x, 1)            \
    TP_FOLD_FUNCTIONS_(NAME##_f64, double, double, f, IDENTITY, EXPRESSION, TP_FOLD_LOADS1_, x, 1)
#define TP_FOLD_CHOICE(NAME, IDENTITY, EXPRESSION)                                                           \
    TP_FOLD_FUNCTIONS_(NAME##_f32, float, float, f, (float)(IDENTITY), EXPRESSION, TP_FOLD_LOADS1_, x, 4)    \
    TP_FOLD_FUNCTIONS_(NAME##_f64, double, double, f, IDENTITY, EXPRESSION, TP_FOLD_LOADS1_, x, 4)
#define TP_FOLD_I32(NAME, IDENTITY, EXPRESSION)                                                              \
    TP_FOLD_FUNCTIONS_(NAME##_i32, int32_t, int64_t, i, IDENTITY, EXPRESSION, TP_FOLD_LOADS1_, x, 1)
#define TP_FUSED_FOLD_(NAME, IDENTITY, EXPRESSION, LOADS, ELEMENT)                                           \
    TP_FOLD_FUNCTIONS_(NAME##_f32, float, double, f, IDENTITY, EXPRESSION, LOADS, ELEMENT, 1)                \
    TP_FOLD_FUNCTIONS_(NAME##_f64, double, double, f, IDENTITY, EXPRESSION, LOADS, ELEMENT, 1)
#define TP_FUSED_FOLD1(NAME, IDENTITY, EXPRESSION, ELEMENT)                                                  \
    TP_FUSED_FOLD_(NAME, IDENTITY, EXPRESSION, TP_FOLD_LOADS1_, ELEMENT)
#define TP_FUSED_FOLD2(NAME, IDENTITY, EXPRESSION, ELEMENT)                                                  \
    TP_FUSED_FOLD_(NAME, IDENTITY, EXPRESSION, TP_FOLD_LOADS2_, ELEMENT)
#define TP_FUSED_FOLD3(NAME, IDENTITY, EXPRESSION, ELEMENT)                                                  \
    TP_FUSED_FOLD_(NAME, IDENTITY, EXPRESSION, TP_FOLD_LOADS3_, ELEMENT)
#define TP_FOLDS(NAME)     .reduce = {&NAME##_f32_fold, &NAME##_f64_fold}
#define TP_FOLDS_I32(NAME) .reduce = {&NAME##_f32_fold, &NAME##_f64_fold, &NAME##_i32_fold}

#ifdef __cplusplus
}
#endif

#endif
