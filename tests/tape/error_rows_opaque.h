/* error_rows_opaque.h -- what is wrong with an opaque callback, or with what it does. */
#ifndef TAPIR_TESTS_ERROR_ROWS_OPAQUE_H
#define TAPIR_TESTS_ERROR_ROWS_OPAQUE_H

#include <tapir/opaque.h>

#include "error_rows.h"

/* ---- Callbacks that go wrong, each in its way ---- */

typedef enum fault {
    NO_FAULT,
    NO_NAME, /* and returns 3 */
    RETURN_3,
    GIVE_NAN,
    GIVE_INFINITY,
    LEAVE_ONE,
    WRITE_BEFORE,
    WRITE_BEHIND,
    COUNT_UP,
    OWN_RECORD,
    OWN_SCALAR,
    OWN_LEAF,
    OWN_COMPILE,
    OWN_RUN,
    OWN_WRITE,
    OWN_REWIND,
    OWN_DESTROY,
    OWN_DESTROY_TAPE,
    OWN_READ,
    DERIVATIVE_4,
    DERIVATIVE_WRONG
} fault;

typedef struct opaque_state {
    fault fault;
    bool only_elsewhere; /* not at x = 1, where the fixture's parameters are */
    int calls;
    fixture *f;
    tp_mark mark;
} opaque_state;

/* A callback that lives on the tape it serves. */
static inline int misbehave(const opaque_state *s, const double *x)
{
    fixture *f = s->f;
    const tp_tensor a = f->a23;
    const double one[6] = {1};
    switch (s->fault) {
    case OWN_RECORD: return tp_is_valid(tp_exp(a));
    case OWN_SCALAR: return tp_is_valid(tp_scalar(f->tape, x[0] + 0.123));
    case OWN_LEAF: return tp_is_valid(tp_parameter(f->tape, TP_F64, TP_SHAPE(6), one));
    case OWN_COMPILE: return tp_compile(&a, 1, NULL) != NULL;
    case OWN_RUN: return tp_run(f->program) == TP_OK;
    case OWN_WRITE: return tp_write(f->d23, one, 6) == TP_OK;
    case OWN_REWIND: return tp_tape_rewind(s->mark) == TP_OK;
    case OWN_DESTROY: return (tp_program_destroy(f->program), 0);
    case OWN_DESTROY_TAPE: return (tp_tape_destroy(f->tape), 0);
    case OWN_READ: return tp_item(tp_exp(a)) > 0;
    default: return 0;
    }
}

static inline int faulty(const double *x, size_t n, double *y, size_t m, void *user)
{
    opaque_state *s = user;
    bool moved = false;

    for (size_t i = 0; i < n; i++)
        moved = moved || x[i] != 1;
    for (size_t j = 0; j < m; j++)
        y[j] = x[j % n] * x[j % n];
    s->calls++;
    if (s->only_elsewhere && !moved)
        return 0;
    if (s->fault == RETURN_3 || s->fault == NO_NAME)
        return 3;
    if (s->fault == GIVE_NAN)
        y[1] = NAN;
    if (s->fault == GIVE_INFINITY)
        y[1] = INFINITY;
    if (s->fault == LEAVE_ONE)
        memcpy(&y[1], &(uint64_t){0x7ff8756e77726974u}, sizeof *y); /* as it was */
    if (s->fault == WRITE_BEFORE)
        y[-1] = 0;
    if (s->fault == WRITE_BEHIND)
        y[m] = 0;
    if (s->fault == COUNT_UP)
        y[1] = s->calls;
    return misbehave(s, x);
}

static inline int derivative_of_faulty(const double *x, size_t n, const double *g, size_t m, double *dx,
                                       void *user)
{
    const opaque_state *s = user;
    for (size_t i = 0; i < n; i++)
        dx[i] = 0;
    for (size_t j = 0; j < m; j++)
        dx[j % n] += 2 * x[j % n] * g[j];
    if (s->fault == DERIVATIVE_WRONG)
        dx[1] *= 1.01;
    return s->fault == DERIVATIVE_4 ? 4 : 0;
}

static inline const char *meaning(int returned, void *user)
{
    (void)user;
    return returned == 3 ? "the step became too small" : NULL;
}

static opaque_state opaque_now;

/* Compile and run the op, or its gradient; the error is at the line of the op. */
static inline void run_faulty(fixture *f, fault what, bool gradient, tp_opaque_options options)
{
    tp_tensor y, dx;
    opaque_now =
        (opaque_state){.fault = what, .only_elsewhere = gradient, .f = f, .mark = tp_tape_mark(f->tape)};
    options.name = what == NO_NAME ? NULL : "simulate";
    options.guard = options.guard || what == LEAVE_ONE;
    PLACE(f), y = tp_opaque(f->d23, TP_SHAPE(2), faulty, &opaque_now, &options);
    if (gradient)
        assert_int_equal(tp_gradient(tp_sum(y), &f->d23, 1, &dx), TP_OK);
    compile(f, gradient ? dx : y);
    f->gives_status = true;
    f->returned = tp_run(f->program);
    opaque_now.fault = NO_FAULT;
}

#define OPAQUE_ROW(NAME, FAULT, GRADIENT, ...)                                                               \
    static void NAME(fixture *f)                                                                             \
    {                                                                                                        \
        run_faulty(f, FAULT, GRADIENT, (tp_opaque_options){__VA_ARGS__});                                    \
    }

OPAQUE_ROW(opaque_returned, RETURN_3, false, .step = 0)
OPAQUE_ROW(opaque_nameless, NO_NAME, false, .step = 0)
OPAQUE_ROW(opaque_returned_nearby, RETURN_3, true, .step = 0)
OPAQUE_ROW(opaque_returned_meaning, RETURN_3, false, .describe = meaning)
OPAQUE_ROW(opaque_returned_elsewhere, RETURN_3, true, .step = 0.125)
OPAQUE_ROW(opaque_returned_around, RETURN_3, true, .method = TP_OPAQUE_SPSA, .step = 0.125)
OPAQUE_ROW(opaque_nan, GIVE_NAN, false, .step = 0)
OPAQUE_ROW(opaque_nan_elsewhere, GIVE_NAN, true, .method = TP_OPAQUE_FORWARD, .step = 0.25)
OPAQUE_ROW(opaque_infinity, GIVE_INFINITY, true, .method = TP_OPAQUE_PARAMETER_SHIFT)
OPAQUE_ROW(opaque_unwritten, LEAVE_ONE, false, .guard = true)
OPAQUE_ROW(opaque_before, WRITE_BEFORE, false, .guard = true)
OPAQUE_ROW(opaque_behind, WRITE_BEHIND, false, .guard = true)
OPAQUE_ROW(opaque_counts, COUNT_UP, false, .verify = true)
OPAQUE_ROW(opaque_records, OWN_RECORD, false, .step = 0)
OPAQUE_ROW(opaque_scalar, OWN_SCALAR, false, .step = 0)
OPAQUE_ROW(opaque_leaf, OWN_LEAF, false, .step = 0)
OPAQUE_ROW(opaque_compiles, OWN_COMPILE, false, .step = 0)
OPAQUE_ROW(opaque_runs, OWN_RUN, false, .step = 0)
OPAQUE_ROW(opaque_writes, OWN_WRITE, false, .step = 0)
OPAQUE_ROW(opaque_rewinds, OWN_REWIND, false, .step = 0)
OPAQUE_ROW(opaque_destroys, OWN_DESTROY, false, .step = 0)
OPAQUE_ROW(opaque_destroys_tape, OWN_DESTROY_TAPE, false, .step = 0)
OPAQUE_ROW(opaque_reads, OWN_READ, false, .step = 0)
OPAQUE_ROW(opaque_derivative_fails, DERIVATIVE_4, true, .derivative = derivative_of_faulty)
OPAQUE_ROW(opaque_derivative_wrong, DERIVATIVE_WRONG, true, .derivative = derivative_of_faulty,
           .verify = true)

static const error_row opaque_use_rows[] = {
    {"a callback returns 3", opaque_returned, TP_BAD_VALUE, {"opaque: simulate returned 3 at "}},
    {"and says what it means",
     opaque_returned_meaning,
     TP_BAD_VALUE,
     {"opaque: simulate returned 3 (the step became too small) at "}},
    {"away from x",
     opaque_returned_elsewhere,
     TP_BAD_VALUE,
     {"opaque_gradient: simulate returned 3, with x[0] moved by 0.125 at "}},
    {"without a name", opaque_nameless, TP_BAD_VALUE, {"opaque: the callback returned 3 at "}},
    {"while its noise is measured",
     opaque_returned_nearby,
     TP_BAD_VALUE,
     {"opaque_gradient: simulate returned 3, with all of x moved by -3.49e-10 of their size"}},
    {"in a direction",
     opaque_returned_around,
     TP_BAD_VALUE,
     {"opaque_gradient: simulate returned 3, with all of x moved by 0.125 of their size"}},
    {"a callback gives NaN",
     opaque_nan,
     TP_BAD_VALUE,
     {"opaque: simulate gives NaN as number 1 of its output at "}},
    {"away from x",
     opaque_nan_elsewhere,
     TP_BAD_VALUE,
     {"opaque_gradient: simulate gives NaN as number 1 of its output", ", with x[0] moved by 0.25 at "}},
    {"a callback gives an infinity",
     opaque_infinity,
     TP_BAD_VALUE,
     {"opaque_gradient: simulate gives an infinity as number 1 of its output, with x[0] moved by 1.57"}},
    {"a callback leaves a number",
     opaque_unwritten,
     TP_BAD_VALUE,
     {"opaque: simulate does not write number 1 of its output at "}},
    {"a callback writes before its output",
     opaque_before,
     TP_BAD_VALUE,
     {"opaque: simulate writes before the beginning of its output at "}},
    {"a callback writes past its output",
     opaque_behind,
     TP_BAD_VALUE,
     {"opaque: simulate writes past the end of its output, which has room for 2 at "}},
    {"a callback counts its calls",
     opaque_counts,
     TP_BAD_VALUE,
     {"opaque: simulate gives 1, then 2 as number 1 of its output for the same x (set .stochastic if that is "
      "meant) at "}},
    {"a derivative returns 4",
     opaque_derivative_fails,
     TP_BAD_VALUE,
     {"opaque_gradient: the derivative of simulate returned 4"}},
    {"a derivative is wrong",
     opaque_derivative_wrong,
     TP_BAD_VALUE,
     {"opaque_gradient: the derivative of simulate gives 2.02 for x[1], but differences of its values give 2 +- "}},
};

#define INTRUSION(WHAT)                                                                                      \
    {                                                                                                        \
        "opaque: what it calls used the tape whose program is running: it " WHAT " at "                      \
    }

static const error_row intrusion_rows[] = {
    {"a callback records", opaque_records, TP_BAD_STATE, INTRUSION("recorded on it")},
    {"a callback makes a scalar", opaque_scalar, TP_BAD_STATE, INTRUSION("recorded on it")},
    {"a callback makes a leaf", opaque_leaf, TP_BAD_STATE, INTRUSION("recorded on it")},
    {"a callback compiles", opaque_compiles, TP_BAD_STATE, INTRUSION("compiled a program of it")},
    {"a callback runs its program", opaque_runs, TP_BAD_STATE, INTRUSION("ran a program of it")},
    {"a callback writes to a leaf", opaque_writes, TP_BAD_STATE, INTRUSION("wrote to a leaf")},
    {"a callback rewinds", opaque_rewinds, TP_BAD_STATE, INTRUSION("rewound it")},
    {"a callback destroys its program", opaque_destroys, TP_BAD_STATE,
     INTRUSION("destroyed a program of it")},
    {"a callback destroys its tape", opaque_destroys_tape, TP_BAD_STATE, INTRUSION("destroyed it")},
    {"a callback reads what it recorded", opaque_reads, TP_BAD_STATE, INTRUSION("recorded or read on it")},
};

/* ---- Recording ---- */

static void opaque_without_function(fixture *f)
{
    RESULT(f, tp_opaque(f->d23, TP_SHAPE(2), NULL, NULL, NULL));
}

static void opaque_of_integers(fixture *f)
{
    RESULT(f, tp_opaque(f->i3, TP_SHAPE(2), faulty, NULL, NULL));
}

static void opaque_method(fixture *f)
{
    const tp_opaque_options options = {.method = (tp_opaque_method)5};
    RESULT(f, tp_opaque(f->d23, TP_SHAPE(2), faulty, NULL, &options));
}

static void opaque_step(fixture *f)
{
    RESULT(f, tp_opaque(f->d23, TP_SHAPE(2), faulty, NULL, &(tp_opaque_options){.step = -1}));
}

static void opaque_noise(fixture *f)
{
    RESULT(f, tp_opaque(f->d23, TP_SHAPE(2), faulty, NULL, &(tp_opaque_options){.noise = {true, NAN}}));
}

static void opaque_directions(fixture *f)
{
    RESULT(f, tp_opaque(f->d23, TP_SHAPE(2), faulty, NULL, &(tp_opaque_options){.directions = -1}));
}

static void opaque_memory(fixture *f)
{
    tp_tensor y = f->d23;
    f->memory.fail_on = true;
    fail_allocation(f, 0);
    for (int k = 0; k < 100000 && tp_is_valid(y); k++)
        RESULT(f, y = tp_opaque(f->d23, TP_SHAPE(2), faulty, NULL, &(tp_opaque_options){.verify = true}));
    f->memory.fail_on = false;
}

static const error_row opaque_rows[] = {
    {"no function", opaque_without_function, TP_BAD_ARGUMENT, {"opaque: the function is NULL"}},
    {"integers", opaque_of_integers, TP_BAD_DTYPE, {"opaque: it needs f32 or f64: i32[3]"}},
    {"no method", opaque_method, TP_BAD_ARGUMENT, {"opaque: there is no such method"}},
    {"a negative step",
     opaque_step,
     TP_BAD_ARGUMENT,
     {"opaque: step and typical size must be positive, or 0 for the default"}},
    {"a noise of NaN",
     opaque_noise,
     TP_BAD_ARGUMENT,
     {"opaque: the noise must be a number that is not negative"}},
    {"negative directions",
     opaque_directions,
     TP_BAD_ARGUMENT,
     {"opaque: the number of directions is negative"}},
    {"no memory", opaque_memory, TP_OUT_OF_MEMORY, {"opaque: out of memory while recording"}},
};

#endif
