/* tapir/program.h -- compile what was recorded, and run it.
 *
 * Record once, compile once, run many times.  tp_run does no graph work and allocates nothing.
 */
#ifndef TAPIR_PROGRAM_H
#define TAPIR_PROGRAM_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tp_program tp_program;

typedef struct tp_compile_options {
    /* After every node look for NaN and infinity.  When one reaches an output or an assignment the run fails with
     * TP_NOT_FINITE before anything is assigned, and the message names where it came from: the first guilty op,
     * its operands' values, scope and line, and for a gradient the forward value that caused it. */
    bool check_finite;
    /* Run node by node, storing every value: slow and simple, the same results. */
    bool reference;
    /* Split every loop among threads, however small: for tests.  Else only work that is worth it. */
    bool always_parallel;
    /* Use the same random numbers in every run. */
    bool freeze_random;
    /* Leave the channels of images as they lie, so that Tapir's own kernels compute the convolutions, and not a library that
     * wants them in blocks.  Always so with check_finite. */
    bool plain_channels;
} tp_compile_options;

/* A program that computes outputs[0..n) (tensors, and assignments such as tp_assign or an optimiser's step) from
 * the leaves.  NULL, and an error on the tape, when the tape has a recording error, an output is invalid, or two
 * assignments change the same leaf.  It uses the leaves' memory and owns copies of everything else it needs, so
 * the tape may go on recording or be rewound. */
TP_API tp_program *tp_compile(const tp_tensor *outputs, int n, const tp_compile_options *options);

/* Run it: every read of a leaf sees the leaf's value at the start of the run; assignments take effect at the end,
 * all of them or, when anything fails, none.  Returns the status of this run; a failed run changes no leaf, and
 * its outputs count as not computed.  The message is in tp_program_message, and on the tape if that had none. */
TP_API tp_status tp_run(tp_program *program);

/* The message of the last run or failed read; "" if it went well. */
TP_API const char *tp_program_message(const tp_program *program);

/* Values of output `index` of the last run, for callers that rewound the tape and have no handle any more.
 * NULL when it has not run, the index is out of range, the dtype is another, or the output is an assignment. */
TP_API const void *tp_program_output(const tp_program *program, int index, tp_dtype dtype);

/* Bytes of values that the program holds, leaves not counted. */
TP_API size_t tp_program_memory(const tp_program *program);

/* What a program is made of. */
typedef struct tp_program_summary {
    int loops;          /* fused loops over blocks */
    int calls;          /* library calls, copies, and steps run one by one */
    int instructions;   /* in all loops */
    int64_t bytes_read; /* by one run, every operand of a kernel counted once */
    int64_t bytes_written;
    size_t memory; /* as tp_program_memory */
    bool
        reproducible; /* the same bits for any number of threads; false where a library does not promise it */
} tp_program_summary;
TP_API tp_program_summary tp_program_report(const tp_program *program);

/* The plan in words: every kernel, what it reads and writes, its instructions. */
TP_API void tp_program_dump(const tp_program *program, FILE *stream);

/* The same, and a tape, as a Graphviz graph: kernels are clusters, gradient nodes dashed. */
TP_API void tp_program_graph(const tp_program *program, FILE *stream);
TP_API void tp_tape_graph(const tp_tape *tape, FILE *stream);

/* How many elements the strong zero kept from being NaN or infinite in the last run; counted only with
 * check_finite.  When not 0 and `message` is not NULL, *message gets a text that names the first. */
TP_API int64_t tp_program_hidden(const tp_program *program, const char **message);

/* NULL is ignored. */
TP_API void tp_program_destroy(tp_program *program);

#ifdef __cplusplus
}
#endif

#endif
