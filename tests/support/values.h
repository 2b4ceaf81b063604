/* values.h -- what tests of recorded graphs share: random numbers, leaves with given values, computing a tensor,
 * comparing.
 *
 * Values travel as doubles, whatever the tensor's dtype.  What goes wrong (a bad handle, a program that does not
 * compile or run) fails the running cmocka test with the tape's message.
 */
#ifndef TAPIR_TESTS_VALUES_H
#define TAPIR_TESTS_VALUES_H

#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/program.h>

/* ---- Random numbers: the same on every machine ------------------------------------------------------ */

typedef struct generator {
    uint64_t state;
} generator;

generator seeded(uint64_t seed);
uint64_t next_bits(generator *g);
double next_between(generator *g, double low, double high); /* representable as a float */
int64_t next_below(generator *g, int64_t n);
bool next_chance(generator *g, double probability);

/* ---- Leaves ------------------------------------------------------------------------------------------ */

enum { VALUES_MAX = 8192 }; /* elements that these helpers handle */

/* A parameter or a constant that holds `values`, converted to `dtype`. */
tp_tensor make_leaf(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *values);
tp_tensor make_constant(tp_tape *tape, tp_dtype dtype, tp_shape shape, const double *values);

/* Write the values of a leaf; read those of a leaf or of a computed output. */
void set_values(tp_tensor leaf, const double *values);
void get_values(tp_tensor tensor, double *values);

/* ---- Computing --------------------------------------------------------------------------------------- */

/* Fails the test unless the tape has no error. */
void assert_no_error(const tp_tape *tape);

/* Fails the test unless the tape has this error and its message contains `text`; then clears it. */
void assert_error(tp_tape *tape, tp_status status, const char *text);

/* How compile_all compiles, beside freezing random numbers: as a default program unless a test sets otherwise. */
extern tp_compile_options compile_options;

tp_program *compile_all(const tp_tensor *outputs, int n);
void run_ok(tp_program *program);

/* The values of one tensor: compile, run, read, destroy.  The first VALUES_MAX at most must be all. */
void compute(tp_tensor y, double *values);
double compute_one(tp_tensor y);

/* d loss / d leaf, of the leaf's count. */
void compute_gradient(tp_tensor loss, tp_tensor leaf, double *values);

/* The Hessian of loss times `direction`, of the leaf's count. */
void compute_hvp(tp_tensor loss, tp_tensor leaf, const double *direction, double *values);

/* ---- Comparing --------------------------------------------------------------------------------------- */

/* x rounded to f32.  A call: gcc 12 forgets such roundings of neighbours that it turns into a vector. */
double as_f32(double x);

/* The same bits, but that every NaN is the same. */
bool same_f64(double a, double b);

/* Distance in units of the last place of `b` in the dtype's precision; 0 for two NaN, infinite for one, or for the
 * wrong infinity. */
double ulps_apart(tp_dtype dtype, double a, double b);

/* |a - b| <= tolerance max(1, |b|); NaN matches NaN, infinities must agree.  `what` is for the message. */
void assert_close(const char *what, const double *a, const double *b, int64_t n, double tolerance);
void assert_same(const char *what, const double *a, const double *b, int64_t n); /* same_f64 */

#endif
