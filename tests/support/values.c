/* values.c -- random numbers, leaves, computing and comparing for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "values.h"

/* ---- Random numbers: splitmix64 ---------------------------------------------------------------------- */

static uint64_t scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Scrambled, for neighbouring states would yield the same numbers, one later. */
generator seeded(uint64_t seed)
{
    return (generator){scramble(seed + 0x632BE59BD9B4E019u)};
}

uint64_t next_bits(generator *g)
{
    return scramble(g->state += 0x9E3779B97F4A7C15u);
}

double next_between(generator *g, double low, double high)
{
    const double unit = (double)(next_bits(g) >> 11) * 0x1p-53;
    return as_f32(low + (high - low) * unit);
}

int64_t next_below(generator *g, int64_t n)
{
    return (int64_t)(next_bits(g) % (uint64_t)n);
}

bool next_chance(generator *g, double probability)
{
    return (double)(next_bits(g) >> 11) * 0x1p-53 < probability;
}

/* ---- Leaves ------------------------------------------------------------------------------------------ */

typedef union buffer {
    float f32[VALUES_MAX];
    double f64[VALUES_MAX];
    int32_t i32[VALUES_MAX];
} buffer;

static void to_dtype(buffer *b, tp_dtype dtype, const double *values, int64_t n)
{
    assert_in_range((uintmax_t)n, 0, VALUES_MAX);
    for (int64_t i = 0; i < n; i++) {
        if (dtype == TP_F32)
            b->f32[i] = (float)values[i];
        else if (dtype == TP_I32)
            b->i32[i] = (int32_t)values[i];
        else
            b->f64[i] = values[i];
    }
}

static void from_dtype(double *values, tp_dtype dtype, const buffer *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = dtype == TP_F32 ? (double)b->f32[i] : dtype == TP_I32 ? (double)b->i32[i] : b->f64[i];
}

tp_tensor make_leaf(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *values)
{
    buffer b;
    to_dtype(&b, dtype, values, tp_shape_count(shape));
    return tp_parameter(tape, dtype, shape, &b);
}

tp_tensor make_constant(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *values)
{
    buffer b;
    to_dtype(&b, dtype, values, tp_shape_count(shape));
    return tp_constant(tape, dtype, shape, &b);
}

void set_values(tp_tensor leaf, const double *values)
{
    buffer b;
    to_dtype(&b, tp_dtype_of(leaf), values, tp_count_of(leaf));
    if (tp_write_as(leaf, tp_dtype_of(leaf), &b, tp_count_of(leaf)) != TP_OK)
        fail_msg("%s", tp_tape_message(leaf.tape));
}

void get_values(tp_tensor tensor, double *values)
{
    buffer b;
    assert_in_range((uintmax_t)tp_count_of(tensor), 0, VALUES_MAX);
    if (tp_read_as(tensor, tp_dtype_of(tensor), &b, tp_count_of(tensor)) != TP_OK)
        fail_msg("%s", tp_tape_message(tensor.tape));
    from_dtype(values, tp_dtype_of(tensor), &b, tp_count_of(tensor));
}

/* ---- Computing --------------------------------------------------------------------------------------- */

void assert_no_error(const tp_tape *tape)
{
    if (tp_tape_status(tape) != TP_OK)
        fail_msg("%s: %s", tp_status_name(tp_tape_status(tape)), tp_tape_message(tape));
}

void assert_error(tp_tape *tape, tp_status status, const char *text)
{
    const char *message = tp_tape_message(tape);
    if (tp_tape_status(tape) != status || strstr(message, text) == NULL)
        fail_msg("expected %s with '%s', but it is %s: '%s'", tp_status_name(status), text,
                 tp_status_name(tp_tape_status(tape)), message);
    tp_tape_clear_error(tape);
}

tp_compile_options compile_options;

tp_program *compile_all(const tp_tensor *outputs, int n)
{
    tp_compile_options options = compile_options;
    options.freeze_random = true;
    tp_program *program = tp_compile(outputs, n, &options);
    if (program == NULL)
        fail_msg("tp_compile: %s", n > 0 ? tp_tape_message(outputs[0].tape) : "nothing to compute");
    return program;
}

void run_ok(tp_program *program)
{
    if (tp_run(program) != TP_OK)
        fail_msg("tp_run: %s", tp_program_message(program));
}

void compute(tp_tensor y, double *values)
{
    tp_program *program = compile_all(&y, 1);
    run_ok(program);
    get_values(y, values);
    tp_program_destroy(program);
}

double compute_one(tp_tensor y)
{
    double value;
    assert_int_equal(tp_count_of(y), 1);
    compute(y, &value);
    return value;
}

static tp_tensor gradient_of(tp_tensor loss, tp_tensor leaf)
{
    tp_tensor g;
    if (tp_gradient(loss, &leaf, 1, &g) != TP_OK)
        fail_msg("%s", tp_tape_message(loss.tape));
    assert_true(tp_shape_equal(tp_shape_of(g), tp_shape_of(leaf)));
    return g;
}

void compute_gradient(tp_tensor loss, tp_tensor leaf, double *values)
{
    compute(gradient_of(loss, leaf), values);
}

void compute_hvp(tp_tensor loss, tp_tensor leaf, const double *direction, double *values)
{
    const tp_tensor d = make_constant(leaf.tape, tp_dtype_of(leaf), tp_shape_of(leaf), direction);
    compute(gradient_of(tp_sum(tp_mul(gradient_of(loss, leaf), d)), leaf), values);
}

/* ---- Comparing --------------------------------------------------------------------------------------- */

double as_f32(double x)
{
    return (double)(float)x;
}

bool same_f64(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

double ulps_apart(tp_dtype dtype, double a, double b)
{
    int exponent;

    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    if (!isfinite(a) || !isfinite(b))
        return HUGE_VAL;
    frexp(b, &exponent);
    const int digits = dtype == TP_F32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    const int smallest = dtype == TP_F32 ? FLT_MIN_EXP : DBL_MIN_EXP;
    return fabs(a - b) / ldexp(1, (exponent > smallest ? exponent : smallest) - digits);
}

static bool is_close(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

void assert_close(const char *what, const double *a, const double *b, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!is_close(a[i], b[i], tolerance))
            fail_msg("%s: element %lld is %.17g instead of %.17g", what, (long long)i, a[i], b[i]);
}

void assert_same(const char *what, const double *a, const double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!same_f64(a[i], b[i]))
            fail_msg("%s: element %lld is %.17g instead of %.17g, bit for bit", what, (long long)i, a[i],
                     b[i]);
}
