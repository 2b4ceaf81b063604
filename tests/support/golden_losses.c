/* golden_losses.c -- records a golden case of a loss, differentiates it twice, in every mode, compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tapir/modes.h>
#include <tapir/ops.h>
#include <tapir/program.h>

#include "golden_losses.h"

/* How a case is presented. */
typedef struct variant {
    tp_dtype dtype;
    bool permuted; /* operands are permuted views of leaves that hold them with reversed axes */
} variant;

enum { MANY = 8 };

struct golden_run {
    const golden_case *c;
    const golden_loss *loss;
    variant v;
    tp_tape *tape;
    int inputs;
    tp_tensor input[MANY]; /* those with a gradient: the leaves */
    const golden_block *block[MANY];
};

/* ---- Operands ---------------------------------------------------------------------------------------- */

static tp_shape shape_of(const golden_block *b)
{
    tp_shape shape = {.rank = b->rank};
    for (int d = 0; d < b->rank; d++)
        shape.dim[d] = b->dim[d];
    return shape;
}

/* Where element i of the block lies in a row-major array with reversed axes. */
static int64_t reversed_position(const golden_block *b, int64_t i)
{
    int64_t at = 0, step = b->count;
    for (int d = b->rank - 1; d >= 0; d--) {
        step /= b->dim[d];
        at += i % b->dim[d] * step;
        i /= b->dim[d];
    }
    return at;
}

static tp_tensor leaf(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *values, int64_t count)
{
    if (dtype == TP_F64)
        return tp_parameter(tape, TP_F64, shape, values);
    float *narrow = calloc((size_t)count + 1, sizeof *narrow);
    int32_t *whole = calloc((size_t)count + 1, sizeof *whole);
    for (int64_t i = 0; i < count; i++) {
        if (dtype == TP_F32)
            narrow[i] = (float)values[i];
        else
            whole[i] = (int32_t)values[i];
    }
    const tp_tensor x = tp_parameter(tape, dtype, shape, dtype == TP_F32 ? (void *)narrow : (void *)whole);
    free(narrow);
    free(whole);
    return x;
}

/* The tensor as it is stored, or (the same function undoes it) as the block has it. */
static tp_tensor turned(const golden_run *r, const golden_block *b, tp_tensor x)
{
    tp_axes axes = {.n = b->rank};
    for (int d = 0; d < b->rank; d++)
        axes.axis[d] = b->rank - 1 - d;
    return r->v.permuted && b->rank > 1 ? tp_permute(x, axes) : x;
}

static tp_tensor leaf_of(const golden_run *r, const golden_block *b)
{
    const tp_dtype dtype = b->i64 != NULL ? TP_I32 : r->v.dtype;
    const bool reversed = r->v.permuted && b->rank > 1;
    tp_shape shape = shape_of(b);
    double *values = calloc((size_t)b->count + 1, sizeof *values);

    for (int64_t i = 0; i < b->count; i++)
        values[reversed ? reversed_position(b, i) : i] = b->i64 != NULL ? (double)b->i64[i] : b->f64[i];
    for (int d = 0; d < b->rank && reversed; d++)
        shape.dim[d] = b->dim[b->rank - 1 - d];
    const tp_tensor x = leaf(r->tape, dtype, shape, values, b->count);
    free(values);
    return x;
}

tp_tensor golden_operand(golden_run *r, const char *name)
{
    const golden_block *b = golden_find(r->c, GOLDEN_IN, name);
    if (b == NULL)
        return (tp_tensor){0};
    const tp_tensor x = leaf_of(r, b);
    if (golden_find(r->c, GOLDEN_GRAD, name) != NULL) {
        assert_true(r->inputs < MANY);
        r->input[r->inputs] = x;
        r->block[r->inputs++] = b;
    }
    return turned(r, b, x);
}

const golden_case *golden_case_of(const golden_run *r)
{
    return r->c;
}

tp_tape *golden_tape_of(const golden_run *r)
{
    return r->tape;
}

/* ---- Options ----------------------------------------------------------------------------------------- */

tp_reduction golden_reduction(const golden_run *r)
{
    static const struct {
        const char *word;
        tp_reduction reduction;
    } words[] = {{"mean", TP_MEAN}, {"sum", TP_SUM}, {"none", TP_NONE}, {"batchmean", TP_MEAN_BY_BATCH}};

    if (!golden_has(r->c, "reduction"))
        return TP_MEAN;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (golden_is(r->c, "reduction", words[k].word))
            return words[k].reduction;
    fail_msg("%s: unknown reduction", r->c->name);
    return TP_MEAN;
}

tp_optional_number golden_optional(const golden_run *r, const char *key)
{
    return (tp_optional_number){true, golden_number(r->c, key)};
}

/* ---- Checking ---------------------------------------------------------------------------------------- */

static void check_values(const golden_run *r, golden_kind kind, const char *name, tp_tensor x)
{
    const golden_block *b = golden_get(r->c, kind, name);
    const bool narrow = r->v.dtype == TP_F32;
    const double f32 = r->loss->f32 != 0 ? r->loss->f32 : 3e-6;
    double *values = calloc((size_t)b->count + 1, sizeof *values);
    const float *narrow_values = narrow ? tp_values(x, TP_F32) : NULL;

    if (!narrow)
        assert_int_equal(tp_read(x, values, b->count), TP_OK);
    else
        assert_non_null(narrow_values);
    for (int64_t i = 0; i < b->count && narrow; i++)
        values[i] = (double)narrow_values[i];
    assert_true(tp_shape_equal(tp_shape_of(x), shape_of(b)));
    if (kind == GOLDEN_OUT && r->loss->deviation != NULL && strcmp(r->c->name, r->loss->deviation) == 0) {
        assert_true(isnan(b->f64[0]));
        assert_true(values[0] == 0);
    } else if (narrow) {
        const int64_t wrong = golden_first_difference(b, values, f32);
        if (wrong >= 0)
            fail_msg("%s in f32: %s %s[%d] is %.9g, expected %.9g", r->c->name, golden_kind_name(kind), name,
                     (int)wrong, values[wrong], b->f64[wrong]);
    } else {
        golden_check(r->c, b, values, b->count, GOLDEN_TOLERANCE);
    }
    free(values);
}

/* The tape has no error, else the test fails with its message. */
static void expect_fine(const golden_run *r)
{
    if (tp_tape_status(r->tape) != TP_OK)
        fail_msg("%s: %s", r->c->name, tp_tape_message(r->tape));
}

static tp_tensor seed_of(const golden_run *r)
{
    const golden_block *seed = golden_get(r->c, GOLDEN_COT, "out");
    return turned(r, seed, leaf_of(r, seed));
}

/* How the Hessian times a direction is recorded. */
typedef enum second_mode {
    GRADIENT_OF_SLOPE,
    HESSIAN_VECTOR,
    FORWARD_OVER_REVERSE,
    SECOND_MODES
} second_mode;

/* Records hvp[mode][k], if the case has directions, and returns whether it has. */
static bool record_second(const golden_run *r, tp_tensor loss, const tp_tensor *gradient,
                          tp_tensor hvp[SECOND_MODES][MANY])
{
    tp_tensor along = tp_scalar_of(r->tape, r->v.dtype, 0), direction[MANY];
    int directions = 0;

    for (int k = 0; k < r->inputs; k++) {
        const golden_block *block = golden_find(r->c, GOLDEN_DIR, r->block[k]->name);
        direction[k] = block != NULL ? leaf_of(r, block) : tp_scalar(r->tape, 0);
        directions += block != NULL;
        along = tp_add(along, tp_sum(tp_mul(gradient[k], direction[k])));
    }
    if (directions == 0)
        return false;
    tp_gradient(along, r->input, r->inputs, hvp[GRADIENT_OF_SLOPE]);
    tp_hessian_vector(tp_sum(tp_mul(seed_of(r), loss)), r->input, direction, r->inputs, hvp[HESSIAN_VECTOR]);
    for (int k = 0; k < r->inputs; k++)
        tp_jvp(gradient[k], r->input, direction, r->inputs, &hvp[FORWARD_OVER_REVERSE][k]);
    return true;
}

static bool check_case(const golden_case *c, const golden_loss *loss, variant v)
{
    golden_run r = {.c = c, .loss = loss, .v = v, .tape = tp_tape_create(NULL)};
    tp_tensor gradient[MANY], hvp[SECOND_MODES][MANY], output[(1 + SECOND_MODES) * MANY + 1];
    int outputs = 0;

    const tp_tensor value = loss->record(&r);
    output[outputs++] = value;
    if (r.inputs > 0)
        tp_vector_jacobian(value, seed_of(&r), r.input, r.inputs, gradient, NULL);
    const int modes = r.inputs > 0 && record_second(&r, value, gradient, hvp) ? SECOND_MODES : 0;
    for (int k = 0; k < r.inputs; k++) {
        output[outputs++] = gradient[k] = turned(&r, r.block[k], gradient[k]);
        for (int m = 0; m < modes; m++)
            output[outputs++] = hvp[m][k] = turned(&r, r.block[k], hvp[m][k]);
    }
    tp_program *program = tp_compile(output, outputs, NULL);
    expect_fine(&r);
    if (tp_run(program) != TP_OK)
        fail_msg("%s: %s", c->name, tp_program_message(program));
    check_values(&r, GOLDEN_OUT, "out", value);
    for (int k = 0; k < r.inputs; k++) {
        check_values(&r, GOLDEN_GRAD, r.block[k]->name, gradient[k]);
        for (int m = 0; m < modes; m++)
            check_values(&r, GOLDEN_HVP, r.block[k]->name, hvp[m][k]);
    }
    tp_program_destroy(program);
    tp_tape_destroy(r.tape);
    return modes > 0;
}

/* Is the part of the case's name after the dot one of these words? */
static bool is_listed(const golden_case *c, const char *words)
{
    const char *tag = strchr(c->name, '.');
    const size_t length = strlen(tag + 1);

    for (const char *at = words; at != NULL && *at != '\0';) {
        const size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, tag + 1, word) == 0)
            return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

void golden_run_losses(const char *file, const golden_loss *loss, int n, int second_order)
{
    static const variant plain = {TP_F64, false}, permuted = {TP_F64, true}, narrow = {TP_F32, false};
    golden_reader *reader = golden_open(file);
    const golden_case *c;
    int *seen = calloc((size_t)n, sizeof *seen), second = 0;

    while ((c = golden_next(reader)) != NULL) {
        int k = 0;
        while (k < n && strcmp(loss[k].op, c->op) != 0)
            k++;
        if (k == n)
            fail_msg("%s: no test for %s", file, c->op);
        seen[k]++;
        second += check_case(c, &loss[k], plain);
        check_case(c, &loss[k], permuted);
        if (!is_listed(c, loss[k].beyond_f32))
            check_case(c, &loss[k], narrow);
    }
    for (int k = 0; k < n; k++)
        if (seen[k] != loss[k].cases)
            fail_msg("%s: %d cases of %s instead of %d", file, seen[k], loss[k].op, loss[k].cases);
    free(seen);
    assert_int_equal(second, second_order);
}
