/* opaque.h -- what opaque.c and opaque_difference.c share: the op's attributes, one guarded call, one gradient. */
#ifndef TAPIR_SRC_OPS_OPAQUE_H
#define TAPIR_SRC_OPS_OPAQUE_H

#include <tapir/op.h>
#include <tapir/opaque.h>

enum {
    TP__GUARD = 8,          /* words before and behind an output */
    TP__OPAQUE_THREADS = 64 /* at most */
};

typedef struct tp__opaque_attr {
    tp_opaque_function function;
    tp_opaque_derivative derivative;
    void *user;
    const char *name;
    const char *(*describe)(int returned, void *user);
    tp_opaque_report *report;
    int64_t *state; /* NULL: nothing to verify; else what was verified already, kept by the tape */
    tp_shape shape; /* of y */
    double step, typical, noise;
    int32_t method, noise_given, directions, threads, stochastic, guard;
} tp__opaque_attr;

/* ---- Calling ----------------------------------------------------------------------------------------- */

typedef enum tp__opaque_fault_kind {
    TP__FINE = 0,
    TP__RETURNED,  /* something that is not 0 */
    TP__UNWRITTEN, /* left an element as it was */
    TP__NAN,
    TP__INFINITE,
    TP__BEFORE, /* wrote before its output */
    TP__BEHIND  /* or behind it */
} tp__opaque_fault_kind;

typedef struct tp__opaque_fault {
    tp__opaque_fault_kind kind;
    int returned;
    int64_t element; /* of the output */
    int64_t input;   /* x[input] was moved, by `shift`; -1: none, -2: several */
    double shift;
} tp__opaque_fault;

/* One thread's way of calling. */
typedef struct tp__opaque_caller {
    const tp__opaque_attr *attr;
    int64_t n, m;
    double *x;        /* n: the point, moved in one element or several */
    double *up, *low; /* m each, with TP__GUARD words around */
    bool finite;      /* an infinity is a fault */
    int64_t calls;
    tp__opaque_fault fault; /* the first */
} tp__opaque_caller;

/* y[0..m) = function(x); with .guard, y has TP__GUARD words around.  False, and the fault, when it is not right. */
bool tp__opaque_evaluate(tp__opaque_caller *c, const double *x, double *y);

/* ---- The gradient ------------------------------------------------------------------------------------ */

typedef struct tp__opaque_gradient {
    const tp__opaque_attr *attr;
    int64_t n, m;
    const double *x, *g, *y; /* y as the op gave it: rounded, if that is f32 */
    bool y_is_exact;
    double *value;           /* m with TP__GUARD words around: room for y, where it is not exact */
    const double *direction; /* SPSA: directions times n of 0 or 1 */
    double *change;          /* SPSA: one number per direction */
    double *slope, *bar;     /* n each: the results */
    tp__opaque_caller *caller;
    int callers;
    int method; /* the attributes' but when a derivative is verified */
    bool with_bars;
    double noise; /* of phi */
    double size;  /* sum |g y| */
    bool is_zero; /* the adjoint is 0 everywhere: nothing was called */
} tp__opaque_gradient;

/* False: one of the callers has a fault. */
bool tp__opaque_differences(tp__opaque_gradient *d);

/* The slopes on both sides of x[i]. */
bool tp__opaque_one_sided(tp__opaque_gradient *d, int64_t i, double *left, double *right);

#endif
