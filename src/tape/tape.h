/* The private side of the tape.  Included by src/tape and src/check only. */
#ifndef TAPIR_SRC_TAPE_H
#define TAPIR_SRC_TAPE_H

#include <stdarg.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/program.h>

#define TP__MESSAGE   1024
#define TP__ALIGNMENT 64
#define TP__CHUNK     256 /* nodes per chunk; chunks never move, so a rule may keep a node pointer */

/* ---- Memory ---------------------------------------------------------------------------------------- */

/* A bump allocator: blocks in a list, newest first.  What was allocated last can be given back by cutting. */
typedef struct tp__block {
    struct tp__block *next;
    size_t size, used; /* of the bytes after this header */
    uint64_t pad;      /* keeps the bytes aligned to 16 */
} tp__block;

typedef struct tp__arena {
    const tp_allocator *allocator;
    tp__block *head;
} tp__arena;

void *tp__allocate(const tp_allocator *allocator, size_t size); /* aligned to TP__ALIGNMENT; NULL when out */
void tp__release(const tp_allocator *allocator, void *memory, size_t size);
void *tp__arena_take(tp__arena *arena, size_t size); /* aligned to 16, zeroed; NULL when out of memory */
void tp__arena_cut(tp__arena *arena,
                   const void *position); /* frees `position` and all that was taken after it */
void tp__arena_clear(tp__arena *arena);

/* ---- Nodes ----------------------------------------------------------------------------------------- */

typedef struct tp__scope { /* interned: one per path, as old as the tape */
    struct tp__scope *parent, *next;
    int32_t index;
    char name[];
} tp__scope;

typedef struct tp__place {
    const char *file; /* NULL: unknown */
    int32_t line;
    const tp__scope *scope; /* NULL: none */
} tp__place;

typedef enum tp__leaf_kind { TP__INPUT, TP__PARAMETER, TP__CONSTANT } tp__leaf_kind;

typedef struct tp__leaf {
    void *data;
    size_t bytes; /* allocated */
    int64_t count;
    tp_dtype dtype;
    tp_dtype declared; /* as the user asked; differs from dtype on a tape that keeps f32 as f64 */
    tp__leaf_kind kind;
    bool written;
    int32_t users; /* programs that point here */
} tp__leaf;

typedef struct tp__node {
    const tp_op *op;
    tp_shape shape;
    tp_dtype dtype;
    int32_t n;      /* operands */
    int32_t *input; /* their ids, smaller than this node's; in the tape's arena, the attributes behind them */
    void *attr;     /* op->attr_size bytes, or NULL */
    tp__leaf *leaf; /* of a TP_LEAF that has memory */
    tp__place place; /* the user's */
    int32_t origin;  /* a gradient node: the node whose derivative rule recorded it; else -1 */
    uint32_t epoch;
    uint32_t ordinal; /* of an impure source among such: keys its random numbers */
    uint32_t hash;
    int32_t chain; /* next older node in the same hash bucket, or -1 */
    bool bypassed; /* a simplification reads its operands in its stead: no gradient with respect to it */
} tp__node;

struct tp_tape {
    tp_allocator allocator;
    uint64_t seed;
    uint64_t runs; /* successful runs: keys random numbers */
    tp__node **chunk;
    int32_t count, chunks, chunk_capacity;
    uint32_t epoch;
    uint32_t impure;
    tp__arena arena;  /* inputs and attributes, in node order */
    tp__arena scopes; /* names, never cut */
    tp__scope *scope_list;
    const tp__scope *scope; /* open */
    int32_t scope_count;
    int32_t *bucket; /* newest node of each hash bucket, or -1 */
    int32_t buckets;
    const char *here_file; /* set by tp_locate_tape, consumed by the next call that takes a tape */
    int32_t here_line;
    int32_t origin;          /* >= 0: recording inside this node's derivative rule */
    const tp__place *inside; /* then its place */
    bool keep_double;        /* the checker's tapes: leaves and casts of f32 become f64 */
    tp_verify_ops verify_ops;
    const struct tp__verified
        *verified;  /* ops that were; the checker's business, which asks for them by itself */
    bool blocked;   /* a recording error: nothing compiles */
    bool rewrites;  /* records for a program only: the user's nodes do not change */
    bool destroyed; /* waits for its programs */
    tp_status status;
    char message[TP__MESSAGE];
    tp_error_handler on_error;
    void *on_error_user;
    struct tp_program *programs;
    uint64_t stamp; /* orders the runs of programs */
    /* The step whose kernel is running, and how that used this tape, which it must not: refused, and the run fails.  A kernel
     * may have threads. */
    const struct tp__step *running;
    _Atomic(const char *) intrusion;
};

extern const tp_op tp__scalar_op; /* attr: tp__scalar_attr */
typedef struct tp__scalar_attr {
    double value;
    int64_t dtype;
} tp__scalar_attr;

tp__node *tp__node_at(const tp_tape *tape, int32_t id);
tp_tensor tp__handle(tp_tape *tape, int32_t id); /* at the node's own place */
tp_tensor tp__invalid(tp_tape *tape);

/* The node of a handle, or NULL; then, if `what` is not NULL, the error is stored ("what: operand is ..."). */
tp__node *tp__resolve(tp_tensor tensor, const char *what);

/* validate.c: NULL, or why an op cannot be recorded, and why what its shape rule yields cannot be run (then i->fault is
 * the status). */
const char *tp__op_fault(const tp_op *op, int n, const void *attr);
const char *tp__inference_fault(const tp_op *op, tp_inference *i);

/* True, and the run will fail, when a kernel is running: it must not do `what` with its own tape. */
bool tp__is_intrusion(tp_tape *tape, const char *what);

tp__place tp__take_here(tp_tape *tape); /* the place that tp_locate_tape set, which is forgotten */
tp__place tp__place_of(tp_tensor tensor);

/* Append a node; no checks.  Inputs and attributes are copied.  NULL when out of memory (error stored). */
tp__node *tp__append(tp_tape *tape, const tp_op *op, tp_dtype dtype, const tp_shape *shape,
                     const int32_t *input, int n, const void *attr, tp__place place);

/* ---- Errors: all pass through tp__vfail ------------------------------------------------------------- */

typedef enum tp__severity {
    TP__RECORDING, /* nothing more compiles until cleared */
    TP__USING      /* reading, writing, running: stored, not in the way */
} tp__severity;

tp_status tp__vfail(tp_tape *tape, tp__severity severity, tp_status status, tp__place place,
                    const char *format, va_list args);
tp_status tp__fail(tp_tape *tape, tp_status status, tp__place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
tp_status tp__fail_using(tp_tape *tape, tp_status status, tp__place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Text cut to its buffer.  tp__text_add appends. */
typedef struct tp__text {
    char *start;
    size_t size, used;
} tp__text;
void tp__text_vadd(tp__text *text, const char *format, va_list args);
void tp__text_add(tp__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tp__text_scope(tp__text *text, const tp__scope *scope); /* "a/b: " */
void tp__text_place(tp__text *text, tp__place place);        /* " at train.c:42" */

/* ---- Shapes ---------------------------------------------------------------------------------------- */

/* NULL, or why the shape is none. */
const char *tp__shape_fault(const tp_shape *shape);

/* Strides to read an operand of shape x while walking shape y (0 along broadcast axes). */
tp_strides tp__broadcast_strides(const tp_shape *x, const tp_shape *y);

/* Copy elements start .. start + n - 1, in row-major order of `shape`, seen through `strides`. */
void tp__gather(void *out, const void *data, size_t size, const tp_shape *shape, const tp_strides *strides,
                int64_t start, int64_t n);

/* The reverse: put n values there. */
void tp__scatter(void *data, const void *values, size_t size, const tp_shape *shape,
                 const tp_strides *strides, int64_t start, int64_t n);

/* Offset of the linear-th element of `shape` seen through `strides`. */
int64_t tp__offset_of(const tp_shape *shape, const tp_strides *strides, int64_t linear);

/* ---- Programs -------------------------------------------------------------------------------------- */

typedef struct tp__step { /* a node's copy inside a program */
    const tp_op *op;
    tp_shape shape;
    int64_t count;
    tp_dtype dtype;
    int32_t n;
    int32_t *input; /* steps */
    void *attr;
    void *data; /* its values: in the program's memory, or the leaf's */
    tp__leaf *leaf;
    tp__place place;
    int32_t origin; /* step, or -1 */
    int32_t id;     /* on the tape */
    uint32_t ordinal;
    int64_t bad;    /* with check_finite: first element that is NaN or infinite, or -1 */
    int64_t hidden; /* with check_finite: elements that a TP_OP_HIDES map kept finite */
    int64_t hidden_at;
    bool is_read;     /* a leaf whose value matters */
    bool is_assigned; /* a leaf that an assignment changes */
} tp__step;

typedef struct tp__output {
    int32_t step;
    int32_t id; /* on the tape, of what the user named */
    uint32_t epoch;
    void *snapshot; /* of a leaf's value, NULL for anything else */
} tp__output;

struct tp_program {
    tp_tape *tape;
    struct tp__plan *plan; /* NULL: the reference executor */
    tp_program *next;
    tp__arena arena; /* steps and what they point to, but for values */
    tp__step *step;
    int32_t steps;
    tp__output *output;
    int32_t outputs;
    void *memory; /* values and scratch */
    size_t memory_size;
    void *block; /* scratch: one block per map operand */
    void *call_scratch;
    tp_compile_options options;
    bool has_values;
    uint64_t stamp;
    char message[TP__MESSAGE];
    char hidden_message[TP__MESSAGE];
};

/* blocks.c: records what the outputs need again where channels in blocks are a gain, and names the new outputs.  False when out
 * of memory, or after storing an error. */
bool tp__block_channels(tp_tape *tape, int32_t *output, int n);

/* reference.c: compute every step, node by node.  Nothing is assigned. */
tp_status tp__reference_run(tp_program *program);

/* Scratch of single steps: blocks for maps and reductions, and what calls ask for.  False when out of memory. */
bool tp__measure_scratch(tp_program *program, size_t *block_bytes, size_t *call_bytes);

/* Memory for outputs that are leaves; the second returns what follows it. */
size_t tp__snapshot_bytes(const tp_program *program);
char *tp__place_snapshots(tp_program *program, char *next);

/* A call that draws the numbers of a random source again (checkpoint.c): the source, and what keys its numbers. */
typedef struct tp__redraw_attr {
    const tp_op *source;
    tp_shape shape;
    int64_t dtype, ordinal;
    unsigned char attr[96]; /* the source's */
} tp__redraw_attr;
tp_status tp__redraw_run(const tp_call *call);

/* Run one step that no loop kernel takes; count > 0. */
tp_status tp__reference_step(tp_program *program, tp__step *step);

/* Tiles of a reduction, pairwise: level[k] holds the fold of 2^k tiles, as the digits of a binary counter. */
void tp__push_tile(const tp_fold *reduction, tp_partial level[64], uint64_t tiles_before, tp_partial p);
tp_partial tp__fold_levels(const tp_fold *reduction, const tp_partial level[64], uint64_t tiles);

/* Convert a partial to the step's dtype and store it as element i; false when it does not fit. */
bool tp__store_partial(tp_dtype dtype, void *data, int64_t i, tp_partial p);
tp_status tp__fail_unfit(tp_program *program, const tp__step *step, int64_t value, int64_t element);

/* The values of an output by step. */
const void *tp__output_data(const tp_program *program, int32_t output);

/* diagnose.c: the element where a non-finite value of `step` came from, as a message. */
void tp__explain_not_finite(tp_program *program, int32_t step, tp__text *text);
void tp__explain_hidden(tp_program *program);

/* Fail a run: message on the program and, if it has none, on the tape. */
tp_status tp__run_fail(tp_program *program, tp_status status, const tp__step *step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
