/* evaluate.h -- what the tests of the losses share. */
#ifndef TAPIR_TESTS_LOSSES_EVALUATE_H
#define TAPIR_TESTS_LOSSES_EVALUATE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tapir/tapir.h>

static inline void assert_tape_fine(const tp_tape *tape)
{
    if (tp_tape_status(tape) != TP_OK)
        fail_msg("%s: %s", tp_status_name(tp_tape_status(tape)), tp_tape_message(tape));
}

/* Computes x[0..n); the program, whose outputs can be read until it is destroyed. */
static inline tp_program *evaluate(const tp_tensor *x, int n)
{
    tp_program *program = tp_compile(x, n, NULL);
    assert_tape_fine(x[0].tape);
    assert_non_null(program);
    if (tp_run(program) != TP_OK)
        fail_msg("%s", tp_program_message(program));
    return program;
}

/* The values of a computed f32 or f64 tensor as doubles. */
static inline void read_doubles(tp_tensor x, double *out, int64_t count)
{
    assert_int_equal(tp_count_of(x), count);
    if (tp_dtype_of(x) == TP_F64) {
        assert_int_equal(tp_read(x, out, count), TP_OK);
        return;
    }
    const float *values = tp_values(x, TP_F32);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)values[i];
}

/* The value of a tensor with one element. */
static inline double value_of(tp_tensor x)
{
    tp_program *program = evaluate(&x, 1);
    const double value = tp_item(x);
    assert_tape_fine(x.tape);
    tp_program_destroy(program);
    return value;
}

/* Value and gradient of a loss with one element. */
static inline double gradient_of(tp_tensor loss, tp_tensor wrt, double *gradient, int64_t count)
{
    tp_tensor g;
    tp_gradient(loss, &wrt, 1, &g);
    tp_program *program = evaluate((tp_tensor[]){loss, g}, 2);
    const double value = tp_item(loss);
    read_doubles(g, gradient, count);
    tp_program_destroy(program);
    return value;
}

static inline void assert_close(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* The tape's error: its status, its text and the file it names; then forgets it. */
static inline void assert_error(tp_tape *tape, tp_status status, const char *text, const char *file)
{
    if (tp_tape_status(tape) != status)
        fail_msg("status '%s' instead of '%s': %s", tp_status_name(tp_tape_status(tape)),
                 tp_status_name(status), tp_tape_message(tape));
    if (strstr(tp_tape_message(tape), text) == NULL)
        fail_msg("the message\n  %s\nlacks\n  %s", tp_tape_message(tape), text);
    if (strstr(tp_tape_message(tape), file) == NULL)
        fail_msg("the message\n  %s\ndoes not name %s", tp_tape_message(tape), file);
    tp_tape_clear_error(tape);
}

#endif
