/* quantile_regression.c -- lines below which a given part of the observations lies: Engel's food expenditure, and the progression
 * of diabetes.
 *
 * The pinball loss has a kink at every observation, where Newton's method is lost.  So |d| is replaced by sqrt(d^2 + width^2),
 * and the width falls while Newton follows, warm from the last one.  That comes as close as the width; then the solution is made
 * exact: a corner of the problem passes through as many observations as it has coefficients, those with the smallest residuals,
 * which is a linear system.  Whether that corner is the optimum is not assumed but proven, by the multipliers of its observations,
 * which must lie in [tau - 1, tau] (Koenker and Bassett, "Regression Quantiles", 1978).
 *
 * Everything is compared with the solutions of linear programs, ten digits.  The exit status is not 0 if one is off by more than
 * 1e-5, relatively, or not proven.
 */
#include <tapir/tapir.h>

#include "newton/diabetes.h"
#include "newton/standardise.h"
#include "quantile_regression/engel.h"

#include <math.h>
#include <stdio.h>

enum { MOST_ROWS = DIABETES_PEOPLE, MOST = DIABETES_COLUMNS + 1, MOST_STEPS = 60 };

typedef struct problem {
    const char *name;
    int rows, columns; /* the first column is 1, the others are standardised */
    double x[MOST_ROWS * MOST], y[MOST_ROWS], mean[MOST], deviation[MOST];
    bool raw; /* coefficients are reported for the features as they were */
} problem;

typedef struct reference {
    double tau, loss, w[MOST]; /* the mean pinball loss; coefficients */
} reference;

static const reference engel_references[] = {
    {0.05, 9.252414148, {124.8800318, 0.3433610593}}, {0.1, 16.46779623, {110.1415686, 0.4017657626}},
    {0.25, 30.13751405, {95.48349744, 0.4741032477}}, {0.5, 37.36155795, {81.48233338, 0.5601804627}},
    {0.75, 27.78404286, {62.39648106, 0.6440142649}}, {0.9, 14.43397318, {67.35081563, 0.6862995678}},
    {0.95, 8.08614552, {64.10396078, 0.7090685544}},
};

static const reference diabetes_references[] = {
    {0.1,
     8.515883003,
     {80.27451428, 4.047075307, 0.2812933192, 16.23799231, 5.53914916, -13.30588844, 0.2682504193,
      14.91119904, 20.22081949, 23.21101335, 0.5860901331}},
    {0.5,
     21.5207506,
     {151.8544555, 0.4477149899, -15.52507337, 22.1590782, 19.36370016, -40.74750791, 19.71207811,
      6.997457795, 12.26564152, 36.25506051, 2.416708807}},
    {0.9,
     9.087896943,
     {224.3865525, -3.946827308, -12.24754773, 24.20328926, 20.84222506, -86.04284398, 67.7888882,
      15.53322516, 1.209367318, 56.33060874, 7.06655445}},
};

/* ---- Problems ---------------------------------------------------------------------------------------- */

/* Rows of features, the last number of each being what is to be predicted. */
static void load(problem *p, const char *name, const float *table, int rows, int columns, bool raw)
{
    *p = (problem){.name = name, .rows = rows, .columns = columns, .raw = raw};
    for (int i = 0; i < rows; i++) {
        p->x[i * columns] = 1;
        for (int j = 1; j < columns; j++)
            p->x[i * columns + j] = (double)table[i * columns + j - 1];
        p->y[i] = (double)table[i * columns + columns - 1];
    }
    standardise(p->x, p->rows, p->columns, p->mean, p->deviation);
}

/* ---- Following the width ----------------------------------------------------------------------------- */

typedef struct model {
    tp_tape *tape;
    tp_tensor w, width, residual, smooth, loss, direction, slope;
    tp_program *newton, *look;
    int remarks; /* on the smoothed loss */
} model;

static model record(const problem *p, double tau)
{
    model m = {.tape = tp_tape_create(NULL)};
    tp_tensor x = tp_constant(m.tape, TP_F64, TP_SHAPE(p->rows, p->columns), p->x), gradient, hessian;
    tp_tensor y = tp_constant(m.tape, TP_F64, TP_SHAPE(p->rows), p->y);
    m.w = tp_parameter(m.tape, TP_F64, TP_SHAPE(p->columns), NULL);
    m.width = tp_parameter(m.tape, TP_F64, TP_SHAPE_0D, NULL);

    tp_tensor prediction = tp_matmul(x, m.w);
    m.residual = tp_sub(y, prediction);
    m.loss = tp_quantile_loss(prediction, y, tau, NULL);
    tp_tensor size = tp_sqrt(tp_add(tp_square(m.residual), tp_square(m.width)));
    m.smooth = tp_mean(tp_add(tp_scale(size, 0.5), tp_scale(m.residual, tau - 0.5)));
    tp_lint_report remarks; /* what commonly goes wrong, before any time is spent on it */
    m.remarks = tp_lint(m.smooth, &m.w, 1, &remarks);
    if (m.remarks != 0)
        fprintf(stderr, "quantile_regression: %s", remarks.message);
    tp_gradient(m.smooth, &m.w, 1, &gradient);
    tp_hessian(m.smooth, m.w, &hessian, NULL);
    m.direction = tp_solve(hessian, gradient);
    m.slope = tp_sum(tp_mul(gradient, m.direction));
    m.newton = tp_compile((tp_tensor[]){m.smooth, m.direction, m.slope}, 3, NULL);
    m.look = tp_compile((tp_tensor[]){m.smooth, m.loss, m.residual}, 3, NULL);
    return m;
}

static bool fine(const model *m)
{
    if (tp_tape_status(m->tape) != TP_OK)
        fprintf(stderr, "quantile_regression: %s\n", tp_tape_message(m->tape));
    return tp_tape_status(m->tape) == TP_OK && m->remarks == 0;
}

/* Newton's method with steps halved until the loss falls as it should (Armijo); returns the number of steps. */
static int minimise(model *m, double *w, int n)
{
    double change[MOST], trial[MOST];
    int steps = 0;

    for (; steps < MOST_STEPS && tp_run(m->newton) == TP_OK; steps++) {
        const double value = tp_item(m->smooth), slope = tp_item(m->slope);
        if (!(slope > 1e-13 * value))
            break;
        tp_read(m->direction, change, n);
        for (double t = 1; t > 1e-9; t /= 2) {
            for (int k = 0; k < n; k++)
                trial[k] = w[k] - t * change[k];
            tp_write(m->w, trial, n);
            tp_run(m->look);
            if (tp_item(m->smooth) <= value - 1e-4 * t * slope)
                break;
        }
        tp_read(m->w, w, n);
    }
    return steps;
}

/* ---- The corner -------------------------------------------------------------------------------------- */

/* The n observations with the smallest residuals. */
static void nearest(const problem *p, const double *residual, int *chosen)
{
    bool taken[MOST_ROWS] = {false};
    for (int k = 0; k < p->columns; k++) {
        int best = -1;
        for (int i = 0; i < p->rows; i++)
            if (!taken[i] && (best < 0 || fabs(residual[i]) < fabs(residual[best])))
                best = i;
        taken[best] = true;
        chosen[k] = best;
    }
}

/* Goes to the corner through the chosen observations, and says whether it is the optimum: there 0 must be among the subgradients,
 * sum over the others of x (tau - [r < 0]) + sum over the chosen of x a = 0 with every a in [tau - 1, tau]. */
static bool corner(model *m, const problem *p, double tau, double *w)
{
    const int n = p->columns;
    double residual[MOST_ROWS], x[MOST * MOST], y[MOST], pull[MOST] = {0}, a[MOST];
    int chosen[MOST];
    bool inside = true, in[MOST_ROWS] = {false};

    tp_run(m->look);
    tp_read(m->residual, residual, p->rows);
    nearest(p, residual, chosen);
    for (int k = 0; k < n; k++) {
        in[chosen[k]] = true;
        y[k] = p->y[chosen[k]];
        for (int j = 0; j < n; j++)
            x[k * n + j] = p->x[chosen[k] * n + j];
    }
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < n && !in[i]; j++)
            pull[j] -= p->x[i * n + j] * (residual[i] < 0 ? tau - 1 : tau);

    tp_tensor matrix = tp_constant(m->tape, TP_F64, TP_SHAPE(n, n), x);
    tp_tensor at = tp_solve(matrix, tp_constant(m->tape, TP_F64, TP_SHAPE(n), y));
    tp_tensor multiplier =
        tp_solve(tp_transpose(matrix, 0, 1), tp_constant(m->tape, TP_F64, TP_SHAPE(n), pull));
    tp_program *program = tp_compile((tp_tensor[]){at, multiplier}, 2, NULL);
    if (tp_run(program) == TP_OK) {
        tp_read(at, w, n);
        tp_read(multiplier, a, n);
        for (int k = 0; k < n; k++)
            inside = inside && a[k] >= tau - 1 - 1e-9 && a[k] <= tau + 1e-9;
    }
    tp_program_destroy(program);
    tp_write(m->w, w, n);
    tp_run(m->look);
    return inside;
}

/* ---- Results ----------------------------------------------------------------------------------------- */

static double largest_difference(const problem *p, const reference *r, const double *w)
{
    double worst = 0, raw[MOST];

    raw[0] = w[0];
    for (int j = 1; j < p->columns; j++) {
        raw[j] = p->raw ? w[j] / p->deviation[j] : w[j];
        if (p->raw)
            raw[0] -= raw[j] * p->mean[j];
    }
    for (int j = 0; j < p->columns; j++)
        worst = fmax(worst, fabs(raw[j] / r->w[j] - 1));
    return worst;
}

static bool solve(const problem *p, const reference *r)
{
    model m = record(p, r->tau);
    double w[MOST] = {0};
    int steps = 0;

    tp_write(m.w, w, p->columns);
    for (double width = 100; width > 1e-5; width /= 4) {
        tp_write(m.width, &width, 1);
        steps += minimise(&m, w, p->columns);
    }
    const double followed = tp_item(m.loss);
    const bool proven = corner(&m, p, r->tau, w);
    const double loss = tp_item(m.loss), off = largest_difference(p, r, w);
    printf("    %-8s %5.2f %6d  %12.9g  %12.9g  %12.9g  %8.1e  %s\n", p->name, r->tau, steps, followed, loss,
           r->loss, off, proven ? "yes" : "no");
    const bool good = fine(&m) && proven && fabs(loss / r->loss - 1) <= 1e-5 && off <= 1e-5 &&
                      fabs(followed / r->loss - 1) <= 1e-5;
    tp_program_destroy(m.newton);
    tp_program_destroy(m.look);
    tp_tape_destroy(m.tape);
    return good;
}

int main(void)
{
    static problem p;
    bool good = true;

    printf("    %-8s %5s %6s  %12s  %12s  %12s  %8s  %s\n", "table", "tau", "steps", "followed", "corner",
           "reference", "off by", "proven");
    load(&p, "engel", engel[0], ENGEL_HOUSEHOLDS, 2, true);
    for (size_t k = 0; k < sizeof engel_references / sizeof *engel_references; k++)
        good = solve(&p, &engel_references[k]) && good;
    load(&p, "diabetes", diabetes[0], DIABETES_PEOPLE, DIABETES_COLUMNS + 1, false);
    for (size_t k = 0; k < sizeof diabetes_references / sizeof *diabetes_references; k++)
        good = solve(&p, &diabetes_references[k]) && good;
    printf("\nMean pinball losses; \"off by\": the largest relative difference of a coefficient.\n");
    return good ? 0 : 1;
}
