/* tapir/opaque.h -- a function that Tapir cannot see into: a simulation, a solver, a measuring device.
 *
 *     static int orbit(const double *x, size_t n, double *y, size_t m, void *user);     a callback of yours
 *     ...
 *     tp_tensor positions = tp_opaque(parameters, TP_SHAPE(100, 2), orbit, &settings, NULL);
 *     tp_tensor loss = tp_mse(positions, measured, NULL);
 *     tp_gradient(loss, &parameters, 1, &gradient);
 *
 * It is an op like any other: what it is computed from and what is computed of it may be recorded ops, and gradients pass
 * through.  Only that its derivative comes from calling the function again at other places, so that it is not exact, costs
 * evaluations, and has an error bar, which tp_opaque_report tells.  What can be recorded is better recorded.
 *
 * Let phi(x) = sum over j of g[j] y[j](x), with the adjoint g of the result.  The gradient by x is that of this one number,
 * however many y there are.  With an adjoint that is 0 everywhere it is 0, and nothing is called.
 *
 *     method                    d phi / d x[i]                                                evaluations (error bars: more)
 *     TP_OPAQUE_CENTRAL         (phi(x + h e_i) - phi(x - h e_i)) / 2 h                       2 n  (2 n)
 *     TP_OPAQUE_FORWARD         (phi(x + h e_i) - phi(x)) / h                                 n    (n); in f32 one more
 *     TP_OPAQUE_RICHARDSON      central ones at h, h/2, h/4, ..., extrapolated to h = 0       6 n to 20 n
 *     TP_OPAQUE_SPSA            mean over directions d = (+-1, +-1, ...) of
 *                               (phi(x + h d) - phi(x - h d)) / 2 h d_i                       2 directions, whatever n is
 *     TP_OPAQUE_PARAMETER_SHIFT (phi(x + pi/2 e_i) - phi(x - pi/2 e_i)) / 2                   2 n
 *
 * (Richardson, Phil. Trans. A 226, 1927; Ridders, Advances in Engineering Software 4, 1982.  SPSA, simultaneous perturbation:
 * Spall, IEEE Trans. Automatic Control 37, 1992; its directions are random numbers of the tape, new ones each run.
 * Parameter shift: Mitarai et al., Phys. Rev. A 98, 2018, and Schuld et al., Phys. Rev. A 99, 2019; it is exact where phi
 * is a + b cos(x[i] + c) in each x[i], as expectation values of quantum circuits are in the angles of rotations exp(-i x P / 2).)
 *
 * Steps.  h is relative to max(|x[i]|, typical).  It balances what the formula leaves out against the noise of phi:
 * with r = noise / (sum |g[j] y[j]|), at least the rounding of f64, h = 2 sqrt(r) for forward differences, cbrt(3 r) for
 * central ones and SPSA, at most 0.1; Richardson's first step is r^(1/7), between 1/64 and 1/4.  The noise is measured at each gradient
 * from 7 calls at close points along one direction (Moré and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33,
 * 2011), unless you give it.
 *
 * The error bar of an element is twice an estimate of what the formula leaves out, plus four times what the noise can do.  For
 * SPSA it is three standard errors.  It is made when there is a report.
 *
 * Second derivatives do not exist: differentiating the gradient is TP_NO_DERIVATIVE, "opaque_gradient has no derivative".  So
 * are Hessian-vector products and forward mode through the op.
 *
 * The callback.  x has n numbers, y has room for m and all must be written; f32 tensors are converted.  It must give equal
 * results for equal x, unless .stochastic says that it does not.  The run ends, with the callback's name and your line, and
 * nothing is assigned, when it
 *
 *   - returns anything but 0, or NaN; when a gradient is computed, an infinity as well;
 *   - writes outside y, or not all of it        (with .guard)
 *   - answers differently to equal calls        (with .verify)
 *   - records on, runs or writes to the tape whose program is calling it.
 *
 * In a debug build (where NDEBUG is not defined when your source is compiled) .guard and .verify are set.
 */
#ifndef TAPIR_OPAQUE_H
#define TAPIR_OPAQUE_H

#include <tapir/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[0..m) from x[0..n); 0, or what went wrong. */
typedef int (*tp_opaque_function)(const double *x, size_t n, double *y, size_t m, void *user);

/* dx[i] = sum over j of g[j] dy[j]/dx[i], the vector-Jacobian product of a function; 0, or what went wrong. */
typedef int (*tp_opaque_derivative)(const double *x, size_t n, const double *g, size_t m, double *dx,
                                    void *user);

typedef enum tp_opaque_method {
    TP_OPAQUE_CENTRAL = 0,
    TP_OPAQUE_FORWARD,
    TP_OPAQUE_RICHARDSON,
    TP_OPAQUE_SPSA,
    TP_OPAQUE_PARAMETER_SHIFT
} tp_opaque_method;

/* Zeroed by you, filled by every run of the op and of its gradient.  It must live as long as the programs do. */
typedef struct tp_opaque_report {
    int64_t evaluations;          /* calls of the function so far, for whatever reason */
    int64_t derivatives;          /* calls of your derivative so far */
    int64_t gradients;            /* computed so far */
    int64_t gradient_evaluations; /* of the function, for the last of them */
    double noise;                 /* of phi, its standard deviation, as the last gradient took it */
    double error_bar;             /* the largest of the last gradient's elements; 0 with your derivative */
    int64_t worst;                /* which element has it */
    /* You set these. */
    double *error_bars; /* NULL, or where the bars of all n elements go */
    bool no_error_bars; /* no evaluations are spent on them: they are infinite */
} tp_opaque_report;

typedef struct tp_opaque_options {
    tp_opaque_method method;
    tp_opaque_derivative derivative; /* used instead of a method */
    const char *name;                /* in messages; must live as long as the tape; default: "the callback" */
    /* NULL, or what a value that the callback returned means, for the message. */
    const char *(*describe)(int returned, void *user);
    double step;    /* h, relative as above; default: from the noise.  Not of the parameter shift. */
    double typical; /* size of an x[i] that is nearly 0; default: 1 */
    tp_optional_number noise; /* standard deviation of each y; {true, 0}: rounding alone; default: measured */
    int directions;           /* of SPSA; default: 1 */
    bool
        thread_safe; /* may be called from several threads at once: gradients are, from as many as OpenMP has when the op
                       * is recorded.  Their bits do not depend on it. */
    bool stochastic;          /* equal calls may differ */
    bool guard;               /* look at the words around y after every call */
    bool verify;              /* in the first run: call twice, and compare your derivative with differences */
    tp_opaque_report *report; /* filled unless NULL */
} tp_opaque_options;

/* The function of all elements of x (f32 or f64, any shape, row-major), as a tensor of the given shape and of x's dtype.
 *
 * Errors, at recording: no function, options out of range (TP_BAD_ARGUMENT); x is i32 or a number without a dtype
 * (TP_BAD_DTYPE); a bad shape.  When running: see above (TP_BAD_VALUE; TP_BAD_STATE for use of its own tape).  A derivative of
 * yours that is further from differences than their error bar (and 1e-6 of its size), at a kink from both slopes and all
 * between, ends the run that verifies it. */
TP_API tp_tensor tp_opaque(tp_tensor x, tp_shape shape, tp_opaque_function function, void *user,
                           const tp_opaque_options *options);

/* The same with .guard and .verify. */
TP_API tp_tensor tp_opaque_verified(tp_tensor x, tp_shape shape, tp_opaque_function function, void *user,
                                    const tp_opaque_options *options);

#ifndef TP_NO_PLACE
#ifdef NDEBUG
#define tp_opaque(x, ...) tp_opaque(TP_HERE(x), __VA_ARGS__)
#else
#define tp_opaque(x, ...) tp_opaque_verified(TP_HERE(x), __VA_ARGS__)
#endif
#endif

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
