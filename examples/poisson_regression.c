/* poisson_regression.c -- days absent from school by Newton's method: Poisson regression, and negative binomial regression whose
 * spread is one more parameter.
 *
 * The exact Hessian is recorded (tp_hessian), also of the gamma functions in the negative binomial likelihood.  The results are
 * compared with those of R's glm and glm.nb, ten digits; the exit status is not 0 if one is off by more than 1e-5, relatively.
 */
#include <tapir/tapir.h>

#include "poisson_regression/quine.h"

#include <math.h>
#include <stdio.h>

enum { COEFFICIENTS = QUINE_COLUMNS + 1, MOST_STEPS = 100 };

static const char *const name[] = {"intercept",    "not Aboriginal", "boy",          "age group F1",
                                   "age group F2", "age group F3",   "slow learner", "theta"};

/* Coefficients, for the negative binomial also theta; and the mean negative log likelihood, of Poisson without log y!. */
static const double poisson_reference[] = {2.715380219,  -0.5336043252, 0.1615965891, -0.3339013641,
                                           0.2578283519, 0.4276938285,  0.3489429643};
static const double poisson_loss = -30.93079163;
static const double negbin_reference[] = {2.894579988,   -0.5693716972, 0.08232028631, -0.4484281491,
                                          0.08808015385, 0.3569009718,  0.2921091564,  1.274892646};
static const double negbin_loss = 3.743667871;

/* ---- Likelihoods ------------------------------------------------------------------------------------- */

typedef tp_tensor likelihood(tp_tensor x, tp_tensor y, tp_tensor w);

static tp_tensor poisson(tp_tensor x, tp_tensor y, tp_tensor w)
{
    return tp_poisson_nll(tp_matmul(x, w), y, NULL);
}

/* The last parameter is log theta; the variance is m + m^2 / theta.
 *
 *     -log p(y) = lgamma(theta) + lgamma(y + 1) - lgamma(y + theta) - theta log theta - y eta + (y + theta) log(theta + e^eta) */
static tp_tensor negative_binomial(tp_tensor x, tp_tensor y, tp_tensor w)
{
    const tp_tensor eta = tp_matmul(x, tp_slice(w, 0, 0, COEFFICIENTS, 1));
    const tp_tensor log_theta = tp_slice(w, 0, COEFFICIENTS, COEFFICIENTS + 1, 1), theta = tp_exp(log_theta);
    const tp_tensor of_theta = tp_sub(tp_lgamma(theta), tp_mul(theta, log_theta));
    const tp_tensor of_y = tp_sub(tp_lgamma(tp_add(y, tp_scalar(y.tape, 1))), tp_lgamma(tp_add(y, theta)));
    const tp_tensor both = tp_sub(tp_mul(tp_add(y, theta), tp_logaddexp(log_theta, eta)), tp_mul(y, eta));
    return tp_mean(tp_add(tp_add(of_theta, of_y), both));
}

/* ---- Newton ------------------------------------------------------------------------------------------ */

static double table[QUINE_CHILDREN][COEFFICIENTS], days[QUINE_CHILDREN];

/* From w to the optimum, halving a step for as long as it does not lower the loss.  Returns the loss, NaN after an error. */
static double minimise(likelihood *record, double *w, int n, int *steps)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_constant(tape, TP_F64, TP_SHAPE(QUINE_CHILDREN, COEFFICIENTS), table);
    tp_tensor y = tp_constant(tape, TP_F64, TP_SHAPE(QUINE_CHILDREN), days);
    tp_tensor p = tp_parameter(tape, TP_F64, TP_SHAPE(n), w), gradient, hessian;
    tp_tensor loss = record(x, y, p);
    tp_lint_report remarks; /* what commonly goes wrong, before any time is spent on it */
    const int remarked = tp_lint(loss, &p, 1, &remarks);
    tp_gradient(loss, &p, 1, &gradient);
    tp_hessian(loss, p, &hessian, NULL);
    tp_tensor direction = tp_solve(hessian, gradient), slope = tp_max(tp_abs(gradient));
    tp_program *newton = tp_compile((tp_tensor[]){loss, direction, slope}, 3, NULL);
    tp_program *look = tp_compile(&loss, 1, NULL);
    double value = NAN, change[COEFFICIENTS + 1], trial[COEFFICIENTS + 1];

    for (*steps = 0; *steps < MOST_STEPS && tp_run(newton) == TP_OK; ++*steps) {
        value = tp_item(loss);
        if (tp_item(slope) < 1e-10)
            break;
        tp_read(direction, change, n);
        for (double t = 1; t > 1e-9; t /= 2) {
            for (int k = 0; k < n; k++)
                trial[k] = w[k] - t * change[k];
            tp_write(p, trial, n);
            tp_run(look);
            if (tp_item(loss) <= value)
                break;
        }
        tp_read(p, w, n);
    }
    if (tp_tape_status(tape) != TP_OK || remarked != 0) {
        fprintf(stderr, "poisson_regression: %s\n%s", tp_tape_message(tape), remarks.message);
        value = NAN;
    }
    tp_program_destroy(newton);
    tp_program_destroy(look);
    tp_tape_destroy(tape);
    return value;
}

/* Prints what was found beside the reference; are all within 1e-5? */
static bool report(const char *title, const double *w, int n, const double *reference, double loss,
                   double reference_loss, int steps)
{
    double worst = fabs(loss / reference_loss - 1);

    printf("%s, %d Newton steps: mean loss %.10g, reference %.10g\n", title, steps, loss, reference_loss);
    for (int k = 0; k < n; k++) {
        worst = fmax(worst, fabs(w[k] / reference[k] - 1));
        printf("    %-16s %13.9f  %13.9f\n", name[k], w[k], reference[k]);
    }
    printf("    the largest relative difference is %.1e\n\n", worst);
    return worst <= 1e-5 && loss == loss;
}

int main(void)
{
    double w[COEFFICIENTS + 1] = {0}, total = 0;
    int steps;

    for (int i = 0; i < QUINE_CHILDREN; i++) {
        table[i][0] = 1;
        for (int j = 0; j < QUINE_COLUMNS; j++)
            table[i][j + 1] = (double)quine[i][j];
        days[i] = (double)quine[i][QUINE_COLUMNS];
        total += days[i];
    }
    w[0] = log(total / QUINE_CHILDREN);
    double loss = minimise(poisson, w, COEFFICIENTS, &steps);
    bool good = report("Poisson", w, COEFFICIENTS, poisson_reference, loss, poisson_loss, steps);

    w[COEFFICIENTS] = 0; /* theta = 1, and the coefficients from before */
    loss = minimise(negative_binomial, w, COEFFICIENTS + 1, &steps);
    w[COEFFICIENTS] = exp(w[COEFFICIENTS]);
    good =
        report("negative binomial", w, COEFFICIENTS + 1, negbin_reference, loss, negbin_loss, steps) && good;
    return good ? 0 : 1;
}
