/* modes_test.h -- what the tests of tapir/modes.h share. */
#ifndef TAPIR_TESTS_MODES_TEST_H
#define TAPIR_TESTS_MODES_TEST_H

#include "tape_test.h"

#include <tapir/modes.h>

#include "values.h"

static inline tp_tensor leaf_of(tp_tape *tape, tp_shape shape, const double *values)
{
    return tp_parameter(tape, TP_F64, shape, values);
}

static inline tp_tensor vector(tp_tape *tape, int64_t n, const double *values)
{
    return leaf_of(tape, TP_SHAPE(n), values);
}

static inline tp_tensor constant(tp_tape *tape, int64_t n, const double *values)
{
    return tp_constant(tape, TP_F64, TP_SHAPE(n), values);
}

static inline void expect_values(tp_tensor x, const double *expected, int64_t n)
{
    double got[VALUES_MAX];
    assert_no_error(x.tape);
    assert_int_equal(tp_count_of(x), n);
    compute(x, got);
    assert_close("values", got, expected, n, 1e-12);
}

static inline void expect_shape(tp_tensor x, tp_shape shape)
{
    assert_no_error(x.tape);
    assert_true(tp_shape_equal(tp_shape_of(x), shape));
}

/* Bit for bit, however it is run. */
static inline void expect_same(tp_tensor a, tp_tensor b)
{
    double first[VALUES_MAX], second[VALUES_MAX];
    assert_int_equal(tp_count_of(a), tp_count_of(b));
    compute(a, first);
    compile_options.reference = true;
    compute(b, second);
    compile_options.reference = false;
    assert_same("both", first, second, tp_count_of(a));
}

static inline tp_tensor cube(tp_tensor x)
{
    return tp_mul(x, tp_square(x));
}

#endif
