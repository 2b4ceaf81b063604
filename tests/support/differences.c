/* differences.c -- central differences with Richardson extrapolation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "differences.h"

enum { LEVELS = 3 };

typedef struct point { /* leaf values one after the other */
    int64_t count;
    double x[VALUES_MAX];
} point;

static void read_point(const differences *d, point *p)
{
    p->count = 0;
    for (int k = 0; k < d->n; k++) {
        assert_in_range((uintmax_t)(p->count + tp_count_of(d->leaf[k])), 0, VALUES_MAX);
        get_values(d->leaf[k], p->x + p->count);
        p->count += tp_count_of(d->leaf[k]);
    }
}

static void write_point(const differences *d, const point *p)
{
    const double *x = p->x;
    for (int k = 0; k < d->n; k++) {
        set_values(d->leaf[k], x);
        x += tp_count_of(d->leaf[k]);
    }
}

/* Runs the program with the leaves at x + t direction; its outputs' values one after the other. */
static void evaluate_at(const differences *d, tp_program *program, const tp_tensor *output, int outputs,
                        const point *at, const double *direction, double t, double *values)
{
    point moved = {.count = at->count};
    for (int64_t i = 0; i < at->count; i++)
        moved.x[i] = at->x[i] + t * direction[i];
    write_point(d, &moved);
    run_ok(program);
    for (int k = 0; k < outputs; k++) {
        get_values(output[k], values);
        values += tp_count_of(output[k]);
    }
}

/* How n values change along a direction. */
static void change_along(const differences *d, tp_program *program, const tp_tensor *output, int outputs,
                         int64_t n, const point *at, const double *direction, double step, double *slope)
{
    static double up[VALUES_MAX], down[VALUES_MAX], level[LEVELS][VALUES_MAX];
    for (int l = 0; l < LEVELS; l++) {
        const double h = ldexp(step, -l);
        evaluate_at(d, program, output, outputs, at, direction, h, up);
        evaluate_at(d, program, output, outputs, at, direction, -h, down);
        for (int64_t i = 0; i < n; i++)
            level[l][i] = (up[i] - down[i]) / (2 * h);
    }
    double factor = 4;
    for (int round = 1; round < LEVELS; round++, factor *= 4)
        for (int l = 0; l + round < LEVELS; l++)
            for (int64_t i = 0; i < n; i++)
                level[l][i] = (factor * level[l + 1][i] - level[l][i]) / (factor - 1);
    memcpy(slope, level[0], (size_t)n * sizeof *slope);
    write_point(d, at);
}

static void random_direction(const differences *d, int64_t n, double *direction)
{
    generator g = seeded(d->seed + 17);
    for (int64_t i = 0; i < n; i++)
        direction[i] = next_between(&g, 0.25, 1) * (next_chance(&g, 0.5) ? 1 : -1);
}

static void record_gradient(const differences *d, tp_tensor *gradient)
{
    if (tp_gradient(d->loss, d->leaf, d->n, gradient) != TP_OK)
        fail_msg("%s: tp_gradient: %s", d->what, tp_tape_message(d->loss.tape));
    for (int k = 0; k < d->n; k++)
        if (!tp_shape_equal(tp_shape_of(gradient[k]), tp_shape_of(d->leaf[k])))
            fail_msg("%s: gradient %d has another shape than its leaf", d->what, k);
}

static double step_of(const differences *d)
{
    return d->step != 0 ? d->step : 0.004;
}

static double tolerance_of(const differences *d)
{
    return d->tolerance != 0 ? d->tolerance : 1e-7;
}

static void get_all(const tp_tensor *x, int n, double *values)
{
    for (int k = 0; k < n; k++) {
        get_values(x[k], values);
        values += tp_count_of(x[k]);
    }
}

static double error_of(double recorded, double measured)
{
    const double error = fabs(recorded - measured) / fmax(1, fabs(measured));
    return error <= HUGE_VAL ? error : HUGE_VAL; /* also for NaN */
}

static void compare(const differences *d, int order, const double *recorded, const double *measured,
                    int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(error_of(recorded[i], measured[i]) <= tolerance_of(d)))
            fail_msg("%s: order %d, element %lld of all inputs: recorded %.15g, by differences %.15g",
                     d->what, order, (long long)i, recorded[i], measured[i]);
}

void check_first_order(const differences *d)
{
    static point at;
    static double recorded[VALUES_MAX], measured[VALUES_MAX], direction[VALUES_MAX];
    tp_tensor gradient[DIFFERENCES_MAX_LEAVES];

    read_point(d, &at);
    record_gradient(d, gradient);
    tp_program *with_gradient = compile_all(gradient, d->n);
    run_ok(with_gradient);
    get_all(gradient, d->n, recorded);
    tp_program_destroy(with_gradient);

    tp_program *program = compile_all(&d->loss, 1);
    memset(direction, 0, sizeof direction);
    for (int64_t i = 0; i < at.count; i++) {
        direction[i] = 1;
        change_along(d, program, &d->loss, 1, 1, &at, direction, step_of(d), &measured[i]);
        direction[i] = 0;
    }
    tp_program_destroy(program);
    compare(d, 1, recorded, measured, at.count);
}

/* The recorded and the measured derivative of the loss in one direction. */
static void first_order_in_direction(const differences *d, double step, double *recorded, double *measured)
{
    static point at;
    static double values[VALUES_MAX], direction[VALUES_MAX];
    tp_tensor gradient[DIFFERENCES_MAX_LEAVES];

    read_point(d, &at);
    record_gradient(d, gradient);
    tp_program *with_gradient = compile_all(gradient, d->n);
    run_ok(with_gradient);
    get_all(gradient, d->n, values);
    tp_program_destroy(with_gradient);

    tp_program *program = compile_all(&d->loss, 1);
    random_direction(d, at.count, direction);
    change_along(d, program, &d->loss, 1, 1, &at, direction, step, measured);
    tp_program_destroy(program);
    *recorded = 0;
    for (int64_t i = 0; i < at.count; i++)
        *recorded += values[i] * direction[i];
}

void check_one_direction(const differences *d)
{
    double recorded, measured;
    first_order_in_direction(d, step_of(d), &recorded, &measured);
    compare(d, 1, &recorded, &measured, 1);
}

/* sum over the leaves of gradient * direction, which is a constant of the tape */
static tp_tensor slope_along(const differences *d, const tp_tensor *gradient, const double *direction)
{
    tp_tensor slope = tp_scalar_of(d->loss.tape, TP_F64, 0);
    for (int k = 0; k < d->n; k++) {
        const tp_tensor c = make_constant(d->loss.tape, TP_F64, tp_shape_of(d->leaf[k]), direction);
        slope = tp_add(slope, tp_sum(tp_mul(gradient[k], c)));
        direction += tp_count_of(d->leaf[k]);
    }
    return slope;
}

static int64_t second_order(const differences *d, double step, double *recorded, double *measured)
{
    static point at;
    static double direction[VALUES_MAX];
    tp_tensor gradient[DIFFERENCES_MAX_LEAVES], second[DIFFERENCES_MAX_LEAVES];

    read_point(d, &at);
    random_direction(d, at.count, direction);
    record_gradient(d, gradient);
    differences again = *d;
    again.loss = slope_along(d, gradient, direction);
    record_gradient(&again, second);

    tp_program *program = compile_all(second, d->n);
    run_ok(program);
    get_all(second, d->n, recorded);
    tp_program_destroy(program);

    program = compile_all(gradient, d->n);
    change_along(d, program, gradient, d->n, at.count, &at, direction, step, measured);
    tp_program_destroy(program);
    return at.count;
}

void check_second_order(const differences *d)
{
    static double recorded[VALUES_MAX], measured[VALUES_MAX];
    const int64_t n = second_order(d, step_of(d), recorded, measured);
    compare(d, 2, recorded, measured, n);
}

static double error_at_step(const differences *d, int order, double step)
{
    static double recorded[VALUES_MAX], measured[VALUES_MAX];
    int64_t n = 1;
    double worst = 0;

    if (order == 1)
        first_order_in_direction(d, step, recorded, measured);
    else
        n = second_order(d, step, recorded, measured);
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, error_of(recorded[i], measured[i]));
    return worst;
}

double worst_error(const differences *d, int order)
{
    double best = HUGE_VAL;
    for (double step = step_of(d); step >= step_of(d) / 1000 && !(best <= tolerance_of(d)); step /= 10)
        best = fmin(best, error_at_step(d, order, step));
    return best;
}
