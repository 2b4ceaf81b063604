/* error_rows_random.h -- rows for src/ops/random.c. */
#ifndef TAPIR_TESTS_ERROR_ROWS_RANDOM_H
#define TAPIR_TESTS_ERROR_ROWS_RANDOM_H

#include "error_rows.h"

static void uniform_dtype(fixture *f)
{
    RESULT(f, tp_uniform(f->tape, TP_I32, TP_SHAPE(3)));
}

static void normal_dtype(fixture *f)
{
    RESULT(f, tp_normal(f->tape, TP_WEAK, TP_SHAPE(3)));
}

static void bernoulli_dtype(fixture *f)
{
    RESULT(f, tp_bernoulli(f->tape, (tp_dtype)9, TP_SHAPE(3), 0.5));
}

static void bernoulli_above_one(fixture *f)
{
    RESULT(f, tp_bernoulli(f->tape, TP_F32, TP_SHAPE(3), 1.5));
}

static void bernoulli_below_zero(fixture *f)
{
    RESULT(f, tp_bernoulli(f->tape, TP_F32, TP_SHAPE(3), -1e-12));
}

static void bernoulli_nan(fixture *f)
{
    RESULT(f, tp_bernoulli(f->tape, TP_F32, TP_SHAPE(3), NAN));
}

static void permutation_negative(fixture *f)
{
    RESULT(f, tp_permutation(f->tape, -1));
}

static void permutation_long(fixture *f)
{
    RESULT(f, tp_permutation(f->tape, (int64_t)1 << 31));
}

static void shuffle_by_hand(fixture *f)
{
    const tp_op *shuffle = tp_op_of(tp_permutation(f->tape, 4));
    RESULT(f, tp_record(shuffle, (tp_tensor[]){TP_HERE(f->a4)}, 1, NULL));
}

static void dropout_integers(fixture *f)
{
    RESULT(f, tp_dropout(f->i23, 0.5, true));
}

static void dropout_probability(fixture *f)
{
    RESULT(f, tp_dropout(f->a23, NAN, false));
}

static const error_row random_rows[] = {
    {"random integers", uniform_dtype, TP_BAD_DTYPE, {"uniform: the dtype must be f32 or f64"}},
    {"weak normal numbers", normal_dtype, TP_BAD_DTYPE, {"normal: the dtype must be f32 or f64"}},
    {"coins of no dtype", bernoulli_dtype, TP_BAD_DTYPE, {"bernoulli: the dtype must be f32, f64 or i32"}},
    {"a probability above 1",
     bernoulli_above_one,
     TP_BAD_ARGUMENT,
     {"bernoulli: the probability must be in [0, 1]"}},
    {"a probability below 0",
     bernoulli_below_zero,
     TP_BAD_ARGUMENT,
     {"bernoulli: the probability must be in [0, 1]"}},
    {"a probability of NaN",
     bernoulli_nan,
     TP_BAD_ARGUMENT,
     {"bernoulli: the probability must be in [0, 1]"}},
    {"permutation of -1", permutation_negative, TP_BAD_SHAPE, {"permutation: uniform: negative size"}},
    {"permutation too long",
     permutation_long,
     TP_BAD_SHAPE,
     {"permutation: shuffle: i32 cannot count that far: f64[2147483648]"}},
    {"shuffle by hand", shuffle_by_hand, TP_BAD_DTYPE, {"shuffle: it needs a vector of f64: f32[4]"}},
    {"dropout of integers", dropout_integers, TP_BAD_DTYPE, {"dropout: it needs f32 or f64, not i32[2,3]"}},
    {"dropout of NaN",
     dropout_probability,
     TP_BAD_ARGUMENT,
     {"dropout: the probability must be in [0, 1], not nan"}},
};

#endif
