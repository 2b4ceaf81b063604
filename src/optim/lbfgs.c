/* lbfgs.c -- tp_lbfgs: programs that take the parameters as one vector, the two-loop recursion, the iteration. */
#include <math.h>
#include <string.h>

#include "common.h"
#include "lbfgs.h"

/* Rows of `vectors`: the last direction, the gradient it came from, then s and y of each pair in turn. */
enum { DIRECTION, GRADIENT_BEFORE, PAIRS };

/* Rows of `work`: x, the gradient there, three more for the line search, x before the call. */
enum { X, GRADIENT, TRIALS, X_BEFORE = TRIALS + 3, WORK_ROWS };

/* `numbers`: counts; the last step t, 0 if none; scale of the first guess of H; pairs there are, the oldest of them; then for each
 * 1 / s.y, and room for the recursion. */
enum { ITERATIONS, EVALUATIONS, STEP, SCALE, COUNT, OLDEST, RHO };

/* ---- Options ----------------------------------------------------------------------------------------- */

static double gradient_tolerance(const tp_lbfgs *o)
{
    return tp__given_or(o->options.gradient_tolerance, 1e-7);
}

static double change_tolerance(const tp_lbfgs *o)
{
    return tp__given_or(o->options.change_tolerance, 1e-9);
}

static void put_defaults(tp_lbfgs_options *o)
{
    if (o->learning_rate == 0)
        o->learning_rate = 1;
    if (o->iterations == 0)
        o->iterations = 20;
    if (o->evaluations == 0)
        o->evaluations = o->iterations + o->iterations / 4;
    if (o->history == 0)
        o->history = 10;
}

/* ---- Programs ---------------------------------------------------------------------------------------- */

/* Many tensors as one vector of f64, of whatever length the list is. */
typedef struct joiner {
    tp_tensor part[TP__CHUNK];
    int parts;
} joiner;

static void join(joiner *j, tp_tensor x)
{
    if (j->parts == TP__CHUNK) {
        j->part[0] = tp_concat(j->part, TP__CHUNK, 0);
        j->parts = 1;
    }
    j->part[j->parts++] = tp_reshape(tp_cast(x, TP_F64), TP_SHAPE(-1));
}

static tp_tensor joined(const joiner *j)
{
    return tp_concat(j->part, j->parts, 0);
}

static tp_tensor flat_gradient(tp_tensor loss, const tp_tensor *parameters, int n)
{
    joiner j = {.parts = 0};
    tp_tensor g[TP__SWEEP];
    for (int first = 0; first < n; first += TP__SWEEP) {
        const int count = n - first < TP__SWEEP ? n - first : TP__SWEEP;
        if (tp_gradient(loss, parameters + first, count, g) != TP_OK)
            return (tp_tensor){.tape = loss.tape, .id = -1};
        for (int k = 0; k < count; k++)
            join(&j, g[k]);
    }
    return joined(&j);
}

/* Assigns the point to the parameters, piece by piece. */
static tp_tensor record_scatter(tp__update *u, tp_tensor point, const tp_tensor *parameters, int n)
{
    int64_t at = 0;
    for (int k = 0; k < n; k++) {
        const int64_t count = tp_count_of(parameters[k]);
        const tp_tensor piece = tp_reshape(tp_slice(point, 0, at, at + count, 1), tp_shape_of(parameters[k]));
        tp__assign(u, tp__at_place(parameters[k], u->at), tp_cast(piece, tp_dtype_of(parameters[k])));
        at += count;
    }
    return tp_group(u->assignment, u->assignments);
}

static bool compile_programs(tp_lbfgs *o, tp__update *u, tp_tensor loss, const tp_tensor *parameters, int n)
{
    const tp_compile_options frozen = {.freeze_random = true};
    joiner j = {.parts = 0};
    tp_tensor output[2] = {tp_cast(loss, TP_F64), flat_gradient(loss, parameters, n)};

    for (int k = 0; k < n; k++)
        join(&j, tp__at_place(parameters[k], u->at));
    const tp_tensor all = joined(&j), placed = record_scatter(u, o->point, parameters, n);
    o->evaluate = tp_compile(output, 2, &frozen);
    o->gather = tp_compile(&all, 1, NULL);
    o->scatter = tp_compile(&placed, 1, NULL);
    return o->evaluate != NULL && o->gather != NULL && o->scatter != NULL;
}

/* ---- Create, destroy --------------------------------------------------------------------------------- */

static bool check(tp_lbfgs *o, const tp__update *u, tp_tensor loss, const tp_tensor *parameters, int n)
{
    const tp_lbfgs_options *of = &o->options;
    if (!tp__check_tensors(u, loss, parameters, n))
        return false;
    for (int k = 0; k < n; k++)
        o->n += tp_count_of(parameters[k]);
    return tp__require(u, o->n > 0, "the parameters must have elements", 0) &&
           tp__require(u, of->learning_rate > 0 && of->learning_rate < HUGE_VAL,
                       "the learning rate must be positive", of->learning_rate) &&
           tp__require(u, of->iterations > 0, "the iterations must be positive", of->iterations) &&
           tp__require(u, of->evaluations > 0, "the evaluations must be positive", of->evaluations) &&
           tp__require(u, of->history > 0, "the history must be positive", of->history) &&
           tp__check_not_negative(u, gradient_tolerance(o), "the gradient tolerance must not be negative") &&
           tp__check_not_negative(u, change_tolerance(o), "the change tolerance must not be negative");
}

static bool create(tp_lbfgs *o, tp__update *u, tp_tensor loss, const tp_tensor *parameters, int n)
{
    if (!check(o, u, loss, parameters, n))
        return false;
    const int64_t pairs = o->options.history;
    o->vectors = tp__new_leaf(u, TP_F64, TP_SHAPE(PAIRS + 2 * pairs, o->n), 0);
    o->numbers = tp__new_leaf(u, TP_F64, TP_SHAPE(RHO + 2 * pairs), 0);
    o->work = tp__new_leaf(u, TP_F64, TP_SHAPE(WORK_ROWS, o->n), 0);
    o->point = tp__new_leaf(u, TP_F64, TP_SHAPE(o->n), 0);
    return tp_is_valid(o->point) && compile_programs(o, u, loss, parameters, n);
}

tp_status tp_lbfgs_create(tp_lbfgs *lbfgs, tp_tensor loss, const tp_tensor *parameters, int n,
                          const tp_lbfgs_options *options)
{
    const tp_tensor at = tp__find_place(loss, parameters, n, NULL);
    if (lbfgs == NULL) {
        tp_fail(at, TP_BAD_ARGUMENT, "lbfgs: there is nothing to fill: it is NULL");
        return TP_BAD_ARGUMENT;
    }
    *lbfgs = (tp_lbfgs){.options = options != NULL ? *options : (tp_lbfgs_options){0}};
    put_defaults(&lbfgs->options);
    if (at.tape == NULL)
        return TP_BAD_HANDLE;

    tp__update u = {.tape = at.tape, .at = at};
    tp_scope_begin(at.tape, "lbfgs");
    const bool fine = create(lbfgs, &u, loss, parameters, n);
    tp_scope_end(at.tape);
    if (fine)
        return TP_OK;
    tp_lbfgs_destroy(lbfgs);
    return tp_tape_status(at.tape) != TP_OK ? tp_tape_status(at.tape) : TP_BAD_HANDLE;
}

void tp_lbfgs_destroy(tp_lbfgs *lbfgs)
{
    if (lbfgs == NULL)
        return;
    tp_program_destroy(lbfgs->evaluate);
    tp_program_destroy(lbfgs->gather);
    tp_program_destroy(lbfgs->scatter);
    *lbfgs = (tp_lbfgs){0};
}

/* ---- Vectors ----------------------------------------------------------------------------------------- */

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double largest(int64_t n, const double *a)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i]) <= most)) /* a NaN stays */
            most = fabs(a[i]);
    return most;
}

static void add_scaled(int64_t n, double *y, double factor, const double *x)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* ---- One call ---------------------------------------------------------------------------------------- */

typedef struct call {
    tp_lbfgs *o;
    int64_t n;
    double *vectors, *work, *numbers;
    double *g; /* the gradient at x: a row of `work` */
    double loss;
    int evaluations;
} call;

static double *vector(const call *c, int64_t row)
{
    return c->vectors + row * c->n;
}

static double *work_row(const call *c, int64_t row)
{
    return c->work + row * c->n;
}

/* Row of s of the k-th pair, the oldest being 0; that of y follows. */
static int64_t pair_of(const call *c, int64_t k)
{
    return ((int64_t)c->numbers[OLDEST] + k) % c->o->options.history;
}

static double *change_of_x(const call *c, int64_t k)
{
    return vector(c, PAIRS + 2 * pair_of(c, k));
}

static double *change_of_g(const call *c, int64_t k)
{
    return vector(c, PAIRS + 2 * pair_of(c, k) + 1);
}

static bool is_finite(const call *c, const tp__point *at)
{
    return isfinite(at->loss) && isfinite(largest(c->n, at->g));
}

/* Parameters = x + t d. */
static tp_status move(const call *c, double t)
{
    double *point = tp_leaf_data(c->o->point, TP_F64);
    memcpy(point, work_row(c, X), (size_t)c->n * sizeof *point);
    if (t != 0)
        add_scaled(c->n, point, t, vector(c, DIRECTION));
    return tp_run(c->o->scatter);
}

/* Loss and gradient at the present parameters. */
static tp_status evaluate(call *c, tp__point *at)
{
    const tp_status status = tp_run(c->o->evaluate);
    c->evaluations++;
    c->numbers[EVALUATIONS]++;
    if (status != TP_OK)
        return status;
    at->loss = *(const double *)tp_program_output(c->o->evaluate, 0, TP_F64);
    memcpy(at->g, tp_program_output(c->o->evaluate, 1, TP_F64), (size_t)c->n * sizeof *at->g);
    at->slope = dot(c->n, at->g, vector(c, DIRECTION));
    return TP_OK;
}

static tp_status evaluate_on_line(void *user, tp__point *at)
{
    const tp_status status = move(user, at->t);
    return status == TP_OK ? evaluate(user, at) : status;
}

/* What the last step told about the curvature. */
static void store_pair(call *c)
{
    const int64_t count = (int64_t)c->numbers[COUNT], most = c->o->options.history;
    const double *before = vector(c, GRADIENT_BEFORE), *d = vector(c, DIRECTION);
    double curvature = 0, square = 0;

    for (int64_t i = 0; i < c->n; i++) {
        const double y = c->g[i] - before[i];
        curvature += y * (c->numbers[STEP] * d[i]);
        square += y * y;
    }
    if (!(curvature > 1e-10))
        return;
    if (count == most)
        c->numbers[OLDEST] = (double)pair_of(c, 1);
    else
        c->numbers[COUNT]++;
    const int64_t k = (int64_t)c->numbers[COUNT] - 1;
    for (int64_t i = 0; i < c->n; i++) {
        change_of_x(c, k)[i] = c->numbers[STEP] * d[i];
        change_of_g(c, k)[i] = c->g[i] - before[i];
    }
    c->numbers[RHO + pair_of(c, k)] = 1 / curvature;
    c->numbers[SCALE] = curvature / square;
}

/* d = -H g by the two-loop recursion. */
static void set_direction(call *c)
{
    double *d = vector(c, DIRECTION), *alpha = c->numbers + RHO + c->o->options.history;
    const double *rho = c->numbers + RHO;
    const int64_t count = (int64_t)c->numbers[COUNT];

    for (int64_t i = 0; i < c->n; i++)
        d[i] = -c->g[i];
    for (int64_t k = count; k-- > 0;) {
        alpha[k] = dot(c->n, change_of_x(c, k), d) * rho[pair_of(c, k)];
        add_scaled(c->n, d, -alpha[k], change_of_g(c, k));
    }
    for (int64_t i = 0; i < c->n && count > 0; i++)
        d[i] *= c->numbers[SCALE];
    for (int64_t k = 0; k < count; k++) {
        const double beta = dot(c->n, change_of_g(c, k), d) * rho[pair_of(c, k)];
        add_scaled(c->n, d, alpha[k] - beta, change_of_x(c, k));
    }
}

static double first_try(const call *c)
{
    double size = 0;
    if (c->numbers[ITERATIONS] > 1)
        return c->o->options.learning_rate;
    for (int64_t i = 0; i < c->n; i++)
        size += fabs(c->g[i]);
    return fmin(1, 1 / size) * c->o->options.learning_rate;
}

static tp_status search(call *c, double slope, double t, tp__point *found)
{
    tp__search s = {.evaluate = evaluate_on_line,
                    .user = c,
                    .longest = largest(c->n, vector(c, DIRECTION)),
                    .change_tolerance = change_tolerance(c->o)};
    int rows = 0;
    for (int64_t r = GRADIENT; rows < 3; r++) /* those that do not hold the present gradient */
        if (work_row(c, r) != c->g)
            s.row[rows++] = work_row(c, r);
    return tp__strong_wolfe(&s, (tp__point){.loss = c->loss, .slope = slope, .g = c->g}, t, found);
}

/* Goes from x along d, and sets the parameters, x, the loss and the gradient. */
static tp_status walk_line(call *c, double slope, double t, bool last)
{
    tp__point found = {.t = t, .loss = c->loss, .g = c->g};
    tp_status status = TP_OK;

    if (!c->o->options.fixed_step)
        status = search(c, slope, t, &found);
    if (status == TP_OK)
        status = move(c, found.t);
    if (status == TP_OK && c->o->options.fixed_step && !last)
        status = evaluate(c, &found);
    if (status != TP_OK)
        return status;
    if (!is_finite(c, &found))
        return TP_NOT_FINITE;
    c->loss = found.loss;
    c->g = found.g;
    c->numbers[STEP] = found.t;
    add_scaled(c->n, work_row(c, X), found.t, vector(c, DIRECTION));
    return TP_OK;
}

/* One iteration; *ends when no further one may follow, for the reason in o->stop. */
static tp_status iterate(call *c, int iteration, bool *ends)
{
    tp_lbfgs *o = c->o;
    const double loss_before = c->loss, tolerance = change_tolerance(o);
    double *d = vector(c, DIRECTION);

    c->numbers[ITERATIONS]++;
    if (c->numbers[ITERATIONS] > 1)
        store_pair(c);
    set_direction(c);
    memcpy(vector(c, GRADIENT_BEFORE), c->g, (size_t)c->n * sizeof *c->g);
    const double slope = dot(c->n, c->g, d), t = first_try(c);
    const bool last = iteration == o->options.iterations;

    *ends = true;
    o->stop = TP_LBFGS_SLOPE;
    c->numbers[STEP] = t;
    if (slope > -tolerance)
        return TP_OK;
    const tp_status status = walk_line(c, slope, t, last);
    if (status != TP_OK)
        return status;
    if (last)
        o->stop = TP_LBFGS_ITERATIONS;
    else if (c->evaluations >= o->options.evaluations)
        o->stop = TP_LBFGS_EVALUATIONS;
    else if (largest(c->n, c->g) <= gradient_tolerance(o))
        o->stop = TP_LBFGS_GRADIENT;
    else if (largest(c->n, d) * fabs(c->numbers[STEP]) <= tolerance)
        o->stop = TP_LBFGS_CHANGE;
    else if (fabs(c->loss - loss_before) < tolerance)
        o->stop = TP_LBFGS_LOSS;
    else
        *ends = false;
    return TP_OK;
}

static tp_status begin(call *c)
{
    tp_status status = tp_run(c->o->gather);
    if (status != TP_OK)
        return status;
    const double *x = tp_program_output(c->o->gather, 0, TP_F64);
    memcpy(work_row(c, X), x, (size_t)c->n * sizeof *x);
    memcpy(work_row(c, X_BEFORE), x, (size_t)c->n * sizeof *x);

    tp__point at = {.g = c->g};
    status = evaluate(c, &at);
    c->loss = c->o->loss = at.loss;
    return status == TP_OK && !is_finite(c, &at) ? TP_NOT_FINITE : status;
}

/* As before the call; without a pair from the step that led nowhere. */
static void undo(call *c)
{
    memcpy(work_row(c, X), work_row(c, X_BEFORE), (size_t)c->n * sizeof *c->work);
    c->numbers[STEP] = 0;
    move(c, 0);
}

static tp_status run_call(call *c)
{
    tp_status status = begin(c);
    if (status != TP_OK)
        return status;
    c->o->stop = TP_LBFGS_GRADIENT;
    bool ends = largest(c->n, c->g) <= gradient_tolerance(c->o);
    for (int k = 1; status == TP_OK && !ends; k++)
        status = iterate(c, k, &ends);
    if (status != TP_OK)
        undo(c);
    return status;
}

tp_status tp_lbfgs_step(tp_lbfgs *lbfgs)
{
    if (lbfgs == NULL || lbfgs->evaluate == NULL)
        return TP_BAD_ARGUMENT;
    call c = {
        .o = lbfgs,
        .n = lbfgs->n,
        .vectors = tp_leaf_data(lbfgs->vectors, TP_F64),
        .work = tp_leaf_data(lbfgs->work, TP_F64),
        .numbers = tp_leaf_data(lbfgs->numbers, TP_F64),
    };
    if (c.vectors == NULL || c.work == NULL || c.numbers == NULL) /* the tape was rewound past them */
        return TP_BAD_HANDLE;
    c.g = work_row(&c, GRADIENT);
    const tp_status status = run_call(&c);
    lbfgs->total_iterations = (int64_t)c.numbers[ITERATIONS];
    lbfgs->total_evaluations = (int64_t)c.numbers[EVALUATIONS];
    return status;
}
