/* constrained.c -- one problem with constraints, solved by penalties and by an augmented Lagrangian.
 *
 * The nearest point to a given one that is a probability distribution: sum 1, nothing negative.  Its exact solution takes a
 * sort (Held, Wolfe and Crowder, "Validation of subgradient optimization", 1974), in plain C below.
 *
 * A penalty meets a constraint only as its factor grows, and is off by about 1 / factor; the multipliers of an augmented
 * Lagrangian take over that force, and the same factor is exact.  The exit status is not 0 if it is not, or if the report of a
 * problem without a feasible point does not say so.
 */
#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>

enum { N = 8, NEWTON_STEPS = 12, ROUNDS = 30 };

static const double given[N] = {0.9, 0.55, -0.3, 0.2, 0.45, -0.1, 0.05, 0.32};

/* ---- The exact solution ------------------------------------------------------------------------------ */

/* max(given - t, 0) with the t for which that sums to 1; returns half the squared distance. */
static double exact_solution(double *x)
{
    double sorted[N], sum = 0, shift = 0, distance = 0;

    for (int i = 0; i < N; i++) { /* in descending order, by insertion */
        int at = i;
        for (; at > 0 && sorted[at - 1] < given[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = given[i];
    }
    for (int k = 0; k < N; k++) {
        sum += sorted[k];
        if (sorted[k] > (sum - 1) / (k + 1))
            shift = (sum - 1) / (k + 1);
    }
    for (int i = 0; i < N; i++) {
        x[i] = fmax(given[i] - shift, 0);
        distance += 0.5 * (x[i] - given[i]) * (x[i] - given[i]);
    }
    return distance;
}

/* ---- Solving ----------------------------------------------------------------------------------------- */

/* A step of Newton's method: exact where no inequality becomes active or inactive. */
static tp_tensor newton(tp_tensor loss, tp_tensor x)
{
    tp_tensor gradient, hessian;
    tp_gradient(loss, &x, 1, &gradient);
    tp_hessian(loss, x, &hessian, NULL);
    return tp_assign(x, tp_sub(x, tp_solve(hessian, gradient)));
}

typedef struct problem {
    tp_tape *tape;
    tp_tensor x, objective;
} problem;

static problem new_problem(void)
{
    problem p = {.tape = tp_tape_create(NULL)};
    p.x = tp_parameter(p.tape, TP_F64, TP_SHAPE(N), NULL);
    tp_tensor to = tp_constant(p.tape, TP_F64, TP_SHAPE(N), given);
    p.objective = tp_scale(tp_sum(tp_square(tp_sub(p.x, to))), 0.5);
    return p;
}

/* Says what went wrong, if anything did. */
static bool fine(const tp_tape *tape)
{
    if (tp_tape_status(tape) != TP_OK)
        fprintf(stderr, "constrained: %s\n", tp_tape_message(tape));
    return tp_tape_status(tape) == TP_OK;
}

static void show(const char *method, double factor, double loss, double violation, const double *x,
                 const double *exact)
{
    double off = 0;
    for (int i = 0; i < N; i++)
        off = fmax(off, fabs(x[i] - exact[i]));
    printf("    %-22s %8g  %12.8f  %12.3g  %12.3g\n", method, factor, loss, violation, off);
}

/* What commonly goes wrong with a loss; false, and said, if it looks like that. */
static bool looks_right(tp_tensor loss, tp_tensor x)
{
    tp_lint_report remarks;
    const bool right = tp_lint(loss, &x, 1, &remarks) == 0;
    if (!right)
        fprintf(stderr, "constrained: %s", remarks.message);
    return right;
}

/* The same program for every factor, which is a leaf. */
static bool by_penalty(const double *exact)
{
    static const double factors[] = {1, 10, 100, 1000, 10000};
    problem p = new_problem();
    double x[N], before = HUGE_VAL;

    tp_tensor factor = tp_parameter(p.tape, TP_F64, TP_SHAPE_0D, (double[]){1});
    tp_constraint c = tp_simplex(p.x, 1);
    tp_tensor loss =
        tp_add(p.objective, tp_penalty(c, 1, &(tp_penalty_options){.factor = factor, .reduction = TP_SUM}));
    bool good = looks_right(loss, p.x);
    tp_tensor step = newton(loss, p.x), violation = tp_violation(c);
    tp_program *program = tp_compile((tp_tensor[]){p.objective, violation, step}, 3, NULL);
    for (int k = 0; k < (int)(sizeof factors / sizeof *factors); k++) {
        tp_write(factor, &factors[k], 1);
        for (int i = 0; i <= NEWTON_STEPS; i++)
            tp_run(program);
        if (!fine(p.tape))
            break;
        tp_read(p.x, x, N);
        show(k == 0 ? "squared penalty" : "", factors[k], tp_item(p.objective), tp_item(violation), x, exact);
        good = good && tp_item(violation) < before; /* it must fall */
        before = tp_item(violation);
    }
    good = fine(p.tape) && good;
    tp_program_destroy(program);
    tp_tape_destroy(p.tape);
    return good;
}

/* Rounds of Newton steps and one update of the multipliers, until the conditions of Karush, Kuhn and Tucker hold.  Of a problem
 * without a feasible point (stuck) they never do. */
static bool by_multipliers(const double *exact, double optimum, tp_constraint also, problem p, bool stuck)
{
    tp_constraint c[] = {tp_simplex(p.x, 1), also};
    const int n = also.parts > 0 ? 2 : 1;
    tp_constraint_report row[2];
    tp_kkt_report report = {.residual = HUGE_VAL};
    tp_lagrangian l;
    double x[N];
    int round = 0;

    tp_tensor loss = tp_augmented_lagrangian(p.objective, c, n, NULL, &l);
    const bool right = looks_right(loss, p.x);
    tp_tensor step = newton(loss, p.x), kkt = tp_kkt(&l, c, n, &p.x, 1);
    tp_program *inner = tp_compile(&step, 1, NULL), *outer = tp_compile(&l.step, 1, NULL);
    tp_program *look = tp_compile((tp_tensor[]){kkt, p.objective}, 2, NULL);
    while (fine(p.tape) && round < ROUNDS && !(report.residual < 1e-9)) {
        for (int i = 0; i < NEWTON_STEPS; i++)
            tp_run(inner);
        tp_run(outer);
        tp_run(look);
        tp_kkt_read(kkt, c, n, 1e-6, row, &report);
        round++;
    }
    bool good = right && fine(p.tape) && report.stuck == stuck;
    if (good) {
        const double value = tp_item(p.objective);
        tp_read(p.x, x, N);
        if (!stuck) {
            show("augmented Lagrangian", tp_item(l.rho), value, report.violation, x, exact);
            good = fabs(value - optimum) <= 1e-8;
        }
        printf("\n    %-12s  %12s  %12s  %15s   after %d rounds%s\n", "constraint", "violation", "multiplier",
               "complementarity", round, report.stuck ? ": stuck, no feasible point" : "");
        for (int k = 0; k < n; k++)
            printf("    %-12s  %12.3g  %12.8g  %15.3g\n", row[k].name, row[k].violation, row[k].multiplier,
                   row[k].complementarity);
        printf("    stationarity %.3g\n", report.stationarity);
    }
    tp_program_destroy(inner);
    tp_program_destroy(outer);
    tp_program_destroy(look);
    return good;
}

int main(void)
{
    double exact[N];
    const double optimum = exact_solution(exact);

    printf("Half the squared distance to a point, among probability distributions of %d numbers:\n\n", N);
    printf("    %-22s %8s  %12s  %12s  %12s\n", "method", "factor", "loss", "violation", "off by");
    bool good = by_penalty(exact);
    problem p = new_problem();
    good = by_multipliers(exact, optimum, (tp_constraint){0}, p, false) && good;
    tp_tape_destroy(p.tape);
    printf("\n    exact: loss %.8f\n", optimum);

    printf("\nThe same with every probability at most 0.1, which cannot sum to 1:\n");
    p = new_problem();
    good = by_multipliers(exact, optimum, tp_at_most(p.x, tp_scalar(p.tape, 0.1)), p, true) && good;
    tp_tape_destroy(p.tape);
    return good ? 0 : 1;
}
