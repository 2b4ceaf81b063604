/* tapir/tape.h -- the tape: tensors, leaves, places, errors, gradients.
 *
 * Recording computes nothing: every call below that returns a tp_tensor appends one node to a tape and
 * returns a handle to it.  Values exist only in leaves and, after tp_run (tapir/program.h), in the outputs
 * of a program.
 *
 * Errors are sticky.  A bad call stores the first error on its tape (status, message, the op, the
 * operands' shapes, the open scopes, your file and line) and returns an invalid handle; ops on an invalid
 * handle return invalid handles quietly; tp_compile refuses.  Check once, at the end:
 *
 *     if (tp_tape_status(tape) != TP_OK)
 *         fprintf(stderr, "%s\n", tp_tape_message(tape));
 *
 * Nothing here prints or aborts, and no call crashes on NULL or on a bad handle.
 *
 * Threads: different tapes may be used by different threads at once; one tape by one thread at a time.
 */
#ifndef TAPIR_TAPE_H
#define TAPIR_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef TP_API
#if defined(__GNUC__)
#define TP_API __attribute__((visibility("default")))
#else
#define TP_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types ----------------------------------------------------------------------------------------- */

#define TP_MAX_RANK 8

typedef struct tp_tape tp_tape;

typedef enum tp_status {
    TP_OK = 0,
    TP_OUT_OF_MEMORY, /* the tape's allocator returned NULL */
    TP_BAD_ARGUMENT,  /* NULL, NaN or otherwise senseless argument or option */
    TP_BAD_HANDLE,    /* absent, stale (from before a rewind) or another tape's tensor */
    TP_BAD_SHAPE,     /* shapes or axes that do not fit together */
    TP_BAD_DTYPE,     /* dtypes that do not fit together */
    TP_BAD_STATE,     /* a call that is not allowed now, e.g. reading a value that was not computed */
    TP_BAD_VALUE,     /* a value found bad at run time, e.g. a label outside its range */
    TP_NO_DERIVATIVE, /* a gradient was asked for through an op without a derivative rule */
    TP_NOT_FINITE,    /* the finite check of tp_run found a NaN or an infinity */
    TP_WRONG_DERIVATIVE /* an op of yours, verified on its first use, has another derivative than its rule says */
} tp_status;

/* "out of memory", "bad shape", ...; never NULL. */
TP_API const char *tp_status_name(tp_status status);

/* Element types.  TP_WEAK is the dtype of a tp_scalar that has not met a tensor yet. */
typedef enum tp_dtype { TP_F32 = 0, TP_F64 = 1, TP_I32 = 2, TP_WEAK = 3 } tp_dtype;

#define TP_DTYPE_COUNT 3 /* dtypes that have elements */

/* "f32", "f64", "i32", "weak"; "?" for anything else. */
TP_API const char *tp_dtype_name(tp_dtype dtype);

/* Bytes per element; 0 for TP_WEAK. */
TP_API size_t tp_dtype_size(tp_dtype dtype);

/* A shape: rank 0 to 8, every size >= 0, product < 2^62.  Unused sizes are 0. */
typedef struct tp_shape {
    int64_t rank;
    int64_t dim[TP_MAX_RANK];
} tp_shape;

/* TP_SHAPE(64, 20) is a matrix's shape; TP_SHAPE_0D is that of a single number. */
#ifdef __cplusplus
#define TP_SHAPE(...) (::tp_detail::shape(__VA_ARGS__))
#define TP_SHAPE_0D   (tp_shape{})
#else
#define TP_SHAPE(...)                                                                                        \
    ((tp_shape){(int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define TP_SHAPE_0D ((tp_shape){0, {0}})
#endif

/* A set of axes for reductions: TP_AXES(0, -1).  Negative axes count from the end. */
typedef struct tp_axes {
    int n;
    int axis[TP_MAX_RANK];
} tp_axes;

#ifdef __cplusplus
#define TP_AXES(...) (::tp_detail::axes(__VA_ARGS__))
#else
#define TP_AXES(...) ((tp_axes){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#endif

/* A number that an option may have: {true, 0}. */
typedef struct tp_optional_int {
    bool given;
    int32_t value;
} tp_optional_int;

/* A handle to a recorded node, passed by value.  The tape owns what it stands for; nothing is freed one by
 * one.  (tp_tensor){0} means "absent" where a tensor is optional.  Treat the fields as private, except
 * `tape`. */
typedef struct tp_tensor {
    tp_tape *tape;
    const char *file; /* where the user made it; NULL when unknown */
    int32_t line;
    int32_t id;     /* position on the tape; negative in an invalid handle */
    uint32_t epoch; /* tells a handle from before a rewind from a new one with the same id */
} tp_tensor;

/* An optional number among options, for which 0 is not the default: {true, 0}. */
typedef struct tp_optional_number {
    bool given;
    double value;
} tp_optional_number;

/* ---- The tape -------------------------------------------------------------------------------------- */

/* Every byte of a tape and of its programs comes from here.  `alignment` is a power of two; `size` at
 * release is the size that was asked for. */
typedef struct tp_allocator {
    void *(*allocate)(size_t size, size_t alignment, void *user);
    void (*release)(void *memory, size_t size, void *user);
    void *user;
} tp_allocator;

/* The C library's, which a zeroed option stands for. */
TP_API tp_allocator tp_library_allocator(void);

/* Called at the first error, from inside the guilty call: a breakpoint here shows the culprit. */
typedef void (*tp_error_handler)(tp_tape *tape, tp_status status, const char *message, void *user);

/* When an op of your own is compared with finite differences as a tape first records it (tp_record in tapir/op.h). */
typedef enum tp_verify_ops {
    TP_VERIFY_IN_DEBUG = 0, /* where tp_record is compiled without NDEBUG, as assert is */
    TP_VERIFY_ALWAYS,
    TP_VERIFY_NEVER
} tp_verify_ops;

typedef struct tp_tape_options {
    tp_allocator allocator;    /* zero: the C library's */
    uint64_t seed;             /* of random ops */
    tp_error_handler on_error; /* NULL: errors are only stored */
    void *on_error_user;
    tp_verify_ops verify_ops;
} tp_tape_options;

/* A new tape, or NULL when memory ran out (or only one allocator function was given).  NULL options: all
 * defaults. */
TP_API tp_tape *tp_tape_create(const tp_tape_options *options);

/* Frees the tape and all it recorded.  Programs may be destroyed before or after; a tape lives on in secret
 * until its last program is gone.  NULL is ignored. */
TP_API void tp_tape_destroy(tp_tape *tape);

/* The first error since creation or tp_tape_clear_error; TP_BAD_ARGUMENT for a NULL tape. */
TP_API tp_status tp_tape_status(const tp_tape *tape);

/* Its message: op, shapes, what was expected, scopes and place.  "" when there is none; never NULL. */
TP_API const char *tp_tape_message(const tp_tape *tape);

/* Forget the error.  Invalid handles stay invalid. */
TP_API void tp_tape_clear_error(tp_tape *tape);

/* A tp_error_handler that prints the message to stderr and calls abort(). */
TP_API void tp_abort_on_error(tp_tape *tape, tp_status status, const char *message, void *user);

/* Number of nodes recorded. */
TP_API int64_t tp_tape_count(const tp_tape *tape);

/* One line per node: id, op, dtype, shape, operands, scope, place. */
TP_API void tp_tape_print(const tp_tape *tape, FILE *stream);

/* ---- Mark and rewind ------------------------------------------------------------------------------- */

typedef struct tp_mark {
    tp_tape *tape;
    int32_t count;
    int32_t scope;
    uint32_t epoch;
} tp_mark;

/* Remember how far the tape is recorded. */
TP_API tp_mark tp_tape_mark(tp_tape *tape);

/* Drop every node recorded since; handles to them become stale (using one is an error, never another
 * tensor).  Leaves from before survive with their values; programs keep working, since they own copies of what
 * they need.  TP_BAD_STATE, and nothing changes, when a leaf made since is used by a living program, or when
 * the tape was already rewound past the mark. */
TP_API tp_status tp_tape_rewind(tp_mark mark);

/* ---- Scopes and places ----------------------------------------------------------------------------- */

/* Name what is recorded until the matching end; scopes nest and appear in messages as a path, such as
 * bounded_mse/huber.  The name is copied. */
TP_API void tp_scope_begin(tp_tape *tape, const char *name);
TP_API void tp_scope_end(tp_tape *tape);

/* The same tensor, marked with a place in the user's source.  The macros below and in ops.h do this to the
 * first tensor of every call, so that nodes (also those recorded inside a library loss) know your line. */
TP_API tp_tensor tp_locate(tp_tensor tensor, const char *file, int line);

/* The same for calls that take a tape: the next such call on `tape` is at this place.  Returns `tape`. */
TP_API tp_tape *tp_locate_tape(tp_tape *tape, const char *file, int line);

/* ---- Leaves ---------------------------------------------------------------------------------------- */

/* A leaf that you fill before each run (tp_write).  Running a program before its inputs were written is an
 * error. */
TP_API tp_tensor tp_input(tp_tape *tape, tp_dtype dtype, tp_shape shape);

/* A leaf that is trained: starts with `values` (shape's count of `dtype`, copied), or zeros when NULL, and
 * may be changed by tp_write or tp_assign. */
TP_API tp_tensor tp_parameter(tp_tape *tape, tp_dtype dtype, tp_shape shape, const void *values);

/* A leaf that never changes: `values` are copied; NULL is an error unless the shape has no elements. */
TP_API tp_tensor tp_constant(tp_tape *tape, tp_dtype dtype, tp_shape shape, const void *values);

/* A weakly typed number: it takes the dtype of the tensor it meets.  Among themselves such numbers are
 * computed in double at once.  Meeting i32, a number that is not an integer of 32 bits is an error; meeting
 * f32, a finite number beyond its range. */
TP_API tp_tensor tp_scalar(tp_tape *tape, double value);

/* The same with a dtype from the start: a 0-d tensor. */
TP_API tp_tensor tp_scalar_of(tp_tape *tape, tp_dtype dtype, double value);

/* ---- Values ---------------------------------------------------------------------------------------- */

/* tp_write(leaf, data, count): copy `count` elements into an input or parameter.  The dtype is that of the
 * pointer; it and the count must be the leaf's, else TP_BAD_DTYPE / TP_BAD_SHAPE and nothing is written.
 *
 * tp_read(tensor, data, count): copy out the values of a leaf, or of an output of a program that has run.
 * TP_BAD_STATE, and nothing is written, when the values are not there yet.
 *
 * Errors of reading, writing and running are stored on the tape as any other, but do not stop it from
 * recording and running on. */
TP_API tp_status tp_write_as(tp_tensor leaf, tp_dtype dtype, const void *data, int64_t count);
TP_API tp_status tp_read_as(tp_tensor tensor, tp_dtype dtype, void *data, int64_t count);

#ifndef __cplusplus
#define TP_DTYPE_OF(pointer)                                                                                 \
    _Generic((pointer), float *                                                                              \
             : TP_F32, const float *                                                                         \
             : TP_F32, double *                                                                              \
             : TP_F64, const double *                                                                        \
             : TP_F64, int32_t *                                                                             \
             : TP_I32, const int32_t *                                                                       \
             : TP_I32)
#else
#define TP_DTYPE_OF(pointer) (::tp_detail::dtype_of(pointer))
#endif
#define tp_write(leaf, data, count)  tp_write_as(TP_HERE(leaf), TP_DTYPE_OF(data), (data), (count))
#define tp_read(tensor, data, count) tp_read_as(TP_HERE(tensor), TP_DTYPE_OF(data), (data), (count))

/* The value of a tensor with one element (leaf, scalar or computed output) as a double; NaN, and an error on
 * the tape, when it has more elements or is not computed yet. */
TP_API double tp_item(tp_tensor tensor);

/* The memory of an input or parameter, for reading and writing in place; it stays where it is as long as
 * the leaf lives, and counts as written.  NULL, and an error on the tape, for anything else or another dtype. */
TP_API void *tp_leaf_data(tp_tensor leaf, tp_dtype dtype);

/* The values of a leaf or of a computed output, row-major, valid until the next tp_run or the end of the
 * program.  NULL, and an error on the tape, when they are not there or of another dtype. */
TP_API const void *tp_values(tp_tensor tensor, tp_dtype dtype);

/* ---- Looking at tensors ---------------------------------------------------------------------------- */

/* True when the handle stands for a living node. */
TP_API bool tp_is_valid(tp_tensor tensor);

/* Shape, dtype, element count of a tensor; 0-d, TP_WEAK and 0 for an invalid one. */
TP_API tp_shape tp_shape_of(tp_tensor tensor);
TP_API tp_dtype tp_dtype_of(tp_tensor tensor);
TP_API int64_t tp_count_of(tp_tensor tensor);

/* True when the tensor is one known number everywhere (tp_scalar, tp_full and folded results); *value gets
 * it unless NULL. */
TP_API bool tp_is_scalar_constant(tp_tensor tensor, double *value);

/* True for an input or a parameter: what tp_write and tp_assign may change. */
TP_API bool tp_is_writable(tp_tensor tensor);

/* Product of a shape's sizes (1 for 0-d); 0 when one is negative, INT64_MAX when it is beyond that. */
TP_API int64_t tp_shape_count(tp_shape shape);
TP_API bool tp_shape_equal(tp_shape a, tp_shape b);

/* ---- Gradients ------------------------------------------------------------------------------------- */

/* Record the gradient of `loss` (one element, f32 or f64) with respect to wrt[0..n): out[k] gets a tensor of
 * the shape of wrt[k].  wrt may be leaves or any other tensors.  The gradients are ordinary tensors: they can be
 * computed with, and differentiated again.
 *
 *  - A wrt that the loss does not reach gets zeros.
 *  - Equal pure expressions are one tensor: a gradient with respect to one is with respect to all of them.  One that was
 *    simplified away where it is used, or a known number, is TP_BAD_ARGUMENT.
 *  - Strong zero: where the adjoint of an element is exactly 0, it contributes 0, also against an infinite or
 *    NaN local derivative.  So where(x > 0, log(x), 0) has gradient 0 at x <= 0.  (Elementwise and reducing
 *    ops; not matrix products.)
 *  - An op without derivative on the way from wrt to loss is TP_NO_DERIVATIVE, named.
 *
 * On an error the status is returned and stored, and every out[k] is invalid. */
TP_API tp_status tp_gradient(tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out);

typedef struct tp_gradient_options {
    bool no_strong_zero; /* multiply adjoints as IEEE arithmetic does: 0 * inf is NaN */
} tp_gradient_options;

/* The same for a tensor `y` of any shape, weighted by `seed` of y's shape (or broadcastable to it):
 * the gradient of sum(seed * y). */
TP_API tp_status tp_vector_jacobian(tp_tensor y, tp_tensor seed, const tp_tensor *wrt, int n, tp_tensor *out,
                                    const tp_gradient_options *options);

/* ---- Places: every call takes the line it stands on ------------------------------------------------- */

#ifdef TP_NO_PLACE /* library sources: the user's place travels inwards */
#define TP_HERE(tensor)    (tensor)
#define TP_HERE_TAPE(tape) (tape)
#else
#define TP_HERE(tensor)    tp_locate((tensor), __FILE__, __LINE__)
#define TP_HERE_TAPE(tape) tp_locate_tape((tape), __FILE__, __LINE__)

#define tp_input(tape, ...)        tp_input(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_parameter(tape, ...)    tp_parameter(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_constant(tape, ...)     tp_constant(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_scalar(tape, ...)       tp_scalar(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_scalar_of(tape, ...)    tp_scalar_of(TP_HERE_TAPE(tape), __VA_ARGS__)
#define tp_item(tensor)            tp_item(TP_HERE(tensor))
#define tp_leaf_data(leaf, ...)    tp_leaf_data(TP_HERE(leaf), __VA_ARGS__)
#define tp_values(tensor, ...)     tp_values(TP_HERE(tensor), __VA_ARGS__)
#define tp_gradient(loss, ...)     tp_gradient(TP_HERE(loss), __VA_ARGS__)
#define tp_vector_jacobian(y, ...) tp_vector_jacobian(TP_HERE(y), __VA_ARGS__)
#endif

#ifdef __cplusplus
} /* extern "C" */

namespace tp_detail
{
template <class... D> constexpr tp_shape shape(D... d)
{
    static_assert(sizeof...(D) <= TP_MAX_RANK, "a shape has at most 8 axes");
    return tp_shape{static_cast<int64_t>(sizeof...(D)), {static_cast<int64_t>(d)...}};
}
template <class... A> constexpr tp_axes axes(A... a)
{
    static_assert(sizeof...(A) <= TP_MAX_RANK, "at most 8 axes");
    return tp_axes{static_cast<int>(sizeof...(A)), {static_cast<int>(a)...}};
}
constexpr tp_dtype dtype_of(const float *)
{
    return TP_F32;
}
constexpr tp_dtype dtype_of(const double *)
{
    return TP_F64;
}
constexpr tp_dtype dtype_of(const int32_t *)
{
    return TP_I32;
}
} // namespace tp_detail
#endif

#endif
