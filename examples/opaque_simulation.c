/* opaque_simulation.c -- the same fit twice: a damped pendulum that Tapir cannot see into, and the same pendulum recorded.
 *
 * A pendulum swings, its angle is measured fifty times, not quite exactly, and one asks for its frequency, its damping and the
 * angle it started from.  First the simulation is a C callback, of which Tapir sees numbers alone, so that a gradient takes
 * several simulations; then its steps are recorded, so that the gradient is exact and takes one.  L-BFGS does both fits.
 *
 * The exit status is not 0 if the two answers differ by more than 1e-5, or miss the truth by more than 2 %.
 */
#define _POSIX_C_SOURCE 200809L
#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { PARAMETERS = 3, MEASUREMENTS = 50, STEPS_BETWEEN = 4 };

static const double STEP = 0.05, NOISE = 0.01, AGREEMENT = 1e-5, MISS = 0.02;
static const char *const name[PARAMETERS] = {"stiffness g/L", "damping", "first angle"};
static const double truth[PARAMETERS] = {4.0, 0.3, 1.2}, start[PARAMETERS] = {3.2, 0.6, 0.9};

/* ---- The pendulum as a callback ----------------------------------------------------------------------- */

/* angle' = speed,  speed' = -stiffness sin(angle) - damping speed */
static double acceleration(const double *p, double angle, double speed)
{
    return -p[0] * sin(angle) - p[1] * speed;
}

/* One step of the classical Runge-Kutta method. */
static void advance(const double *p, double *angle, double *speed)
{
    static const double part[4] = {0, 0.5, 0.5, 1}, weight[4] = {1, 2, 2, 1};
    double da = 0, ds = 0, a_sum = 0, s_sum = 0;
    for (int k = 0; k < 4; k++) {
        const double a = *angle + part[k] * STEP * da, s = *speed + part[k] * STEP * ds;
        da = s;
        ds = acceleration(p, a, s);
        a_sum += weight[k] * da;
        s_sum += weight[k] * ds;
    }
    *angle += STEP / 6 * a_sum;
    *speed += STEP / 6 * s_sum;
}

static int simulate(const double *x, size_t n, double *y, size_t m, void *user)
{
    double angle = x[2], speed = 0;
    (void)n, (void)user;
    for (size_t j = 0; j < m; j++) {
        for (int k = 0; k < STEPS_BETWEEN; k++)
            advance(x, &angle, &speed);
        y[j] = angle;
    }
    return 0;
}

static tp_tensor call_simulation(tp_tensor x, tp_opaque_report *report)
{
    return tp_opaque(x, TP_SHAPE(MEASUREMENTS), simulate, NULL,
                     &(tp_opaque_options){.name = "the pendulum", .report = report});
}

/* ---- The pendulum on the tape: the same formulas in tensors ---------------------------------------------- */

static tp_tensor moved(tp_tensor x, double step, tp_tensor slope)
{
    return tp_add(x, tp_scale(slope, step));
}

static void record_step(const tp_tensor *p, tp_tensor *angle, tp_tensor *speed)
{
    static const double part[4] = {0, 0.5, 0.5, 1}, weight[4] = {1, 2, 2, 1};
    tp_tensor da = tp_scalar(p[0].tape, 0), ds = da, a_sum = da, s_sum = da;
    for (int k = 0; k < 4; k++) {
        const tp_tensor a = moved(*angle, part[k] * STEP, da), s = moved(*speed, part[k] * STEP, ds);
        da = s;
        ds = tp_neg(tp_add(tp_mul(p[0], tp_sin(a)), tp_mul(p[1], s)));
        a_sum = moved(a_sum, weight[k], da);
        s_sum = moved(s_sum, weight[k], ds);
    }
    *angle = moved(*angle, STEP / 6, a_sum);
    *speed = moved(*speed, STEP / 6, s_sum);
}

static tp_tensor record_simulation(tp_tensor x)
{
    tp_tensor p[PARAMETERS], angle[MEASUREMENTS];
    for (int k = 0; k < PARAMETERS; k++)
        p[k] = tp_slice(x, 0, k, k + 1, 1);
    tp_tensor now = p[2], speed = tp_scale(p[2], 0);
    for (int j = 0; j < MEASUREMENTS; j++) {
        for (int k = 0; k < STEPS_BETWEEN; k++)
            record_step(p, &now, &speed);
        angle[j] = now;
    }
    return tp_concat(angle, MEASUREMENTS, 0);
}

/* ---- One fit ---------------------------------------------------------------------------------------------- */

typedef struct answer {
    double parameter[PARAMETERS], error; /* root mean square of what remains */
    double seconds, recording;           /* of the fit, and of recording and compiling before it */
    int64_t gradients, simulations;
    double bar; /* of the last gradient */
} answer;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool fit(const double *measured, bool opaque, answer *a)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_opaque_report report = {0};
    tp_lbfgs lbfgs = {0};
    const double began = now();

    tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(PARAMETERS), start);
    tp_tensor target = tp_constant(tape, TP_F64, TP_SHAPE(MEASUREMENTS), measured);
    tp_tensor angles = opaque ? call_simulation(x, &report) : record_simulation(x);
    tp_tensor loss = tp_mse(angles, target, NULL);
    tp_lint_report remarks; /* what commonly goes wrong, before any time is spent on it */
    if (tp_lint(loss, &x, 1, &remarks) != 0)
        fputs(remarks.message, stderr);
    tp_status status = tp_lbfgs_create(&lbfgs, loss, &x, 1, NULL);
    a->recording = now() - began;
    for (int k = 0; k < 10 && status == TP_OK && lbfgs.stop < TP_LBFGS_GRADIENT; k++)
        status = tp_lbfgs_step(&lbfgs);
    a->seconds = now() - began - a->recording;
    tp_read(x, a->parameter, PARAMETERS);
    a->gradients = lbfgs.total_evaluations;
    a->simulations = opaque ? report.evaluations : a->gradients;
    a->bar = report.error_bar;

    tp_program *last = tp_compile(&loss, 1, NULL);
    tp_run(last);
    a->error = sqrt(tp_item(loss));
    const bool fine = tp_tape_status(tape) == TP_OK && remarks.count == 0;
    if (!fine)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_program_destroy(last);
    tp_lbfgs_destroy(&lbfgs);
    tp_tape_destroy(tape);
    return fine;
}

/* ---- Both --------------------------------------------------------------------------------------------------- */

/* The true angles with normal noise, by Box and Muller's method from Marsaglia's xorshift64. */
static void measure(double *measured)
{
    uint64_t state = 88172645463325252u;
    simulate(truth, PARAMETERS, measured, MEASUREMENTS, NULL);
    for (int j = 0; j < MEASUREMENTS; j++) {
        double u[2];
        for (int k = 0; k < 2; k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u[k] = ((double)(state >> 11) + 0.5) / 9007199254740992.0;
        }
        measured[j] += NOISE * sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
    }
}

static bool compare(const answer *callback, const answer *recorded)
{
    bool fine = true;
    printf("%-28s %12s %14s %14s\n", "", "truth", "callback", "recorded");
    for (int k = 0; k < PARAMETERS; k++) {
        const double a = callback->parameter[k], b = recorded->parameter[k];
        printf("%-28s %12g %14.9f %14.9f\n", name[k], truth[k], a, b);
        fine = fine && fabs(a - b) <= AGREEMENT && fabs(a / truth[k] - 1) <= MISS &&
               fabs(b / truth[k] - 1) <= MISS;
    }
    printf("%-28s %12g %14.9f %14.9f\n", "what remains (rms)", NOISE, callback->error, recorded->error);
    printf("%-28s %12s %14lld %14lld\n", "losses and gradients", "", (long long)callback->gradients,
           (long long)recorded->gradients);
    printf("%-28s %12s %14lld %14lld\n", "simulations", "", (long long)callback->simulations,
           (long long)recorded->simulations);
    printf("%-28s %12s %14.2f %14.2f\n", "recording, compiling [ms]", "", 1e3 * callback->recording,
           1e3 * recorded->recording);
    printf("%-28s %12s %14.2f %14.2f\n", "fitting [ms]", "", 1e3 * callback->seconds,
           1e3 * recorded->seconds);
    printf("\nThe callback's last gradient is right to within %.1g, says its error bar.\n", callback->bar);
    printf(fine ? "Both answers agree to %g, and are within %g %% of the truth.\n"
                : "The answers differ by more than %g, or miss the truth by more than %g %%.\n",
           AGREEMENT, 100 * MISS);
    return fine;
}

int main(void)
{
    double measured[MEASUREMENTS];
    answer callback, recorded;

    measure(measured);
    if (!fit(measured, true, &callback) || !fit(measured, false, &recorded))
        return 1;
    return compare(&callback, &recorded) ? 0 : 1;
}
