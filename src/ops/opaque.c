/* opaque.c -- opaque, opaque_gradient: a user's callback as an op; what is asked of it; its report. */
#include "opaque.h"

#include <math.h>
#include <string.h>
#include <tapir/ops.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { DONE_VALUE = 1, DONE_DERIVATIVE = 2 }; /* bits of *state: what was verified */

/* ---- Calling ----------------------------------------------------------------------------------------- */

/* NaNs that nobody computes: what was not written, and what must not be. */
static const uint64_t unwritten_bits = 0x7ff8756e77726974u, guard_bits = 0x7ff8677561726421u;

static bool has_bits(double number, uint64_t bits)
{
    uint64_t own;
    memcpy(&own, &number, sizeof own);
    return own == bits;
}

static void fill_bits(double *y, int64_t n, uint64_t bits)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(&y[i], &bits, sizeof bits);
}

static void arm(double *y, int64_t count)
{
    fill_bits(y - TP__GUARD, TP__GUARD, guard_bits);
    fill_bits(y, count, unwritten_bits);
    fill_bits(y + count, TP__GUARD, guard_bits);
}

static bool is_intact(const double *guard)
{
    for (int i = 0; i < TP__GUARD; i++)
        if (!has_bits(guard[i], guard_bits))
            return false;
    return true;
}

/* What is wrong with an output, the worst first. */
static tp__opaque_fault look(const double *y, int64_t count, int returned, bool guarded, bool finite)
{
    tp__opaque_fault f = {.returned = returned, .input = -1};

    if (guarded && !is_intact(y - TP__GUARD))
        f.kind = TP__BEFORE;
    else if (guarded && !is_intact(y + count))
        f.kind = TP__BEHIND;
    else if (returned != 0)
        f.kind = TP__RETURNED;
    for (int64_t j = 0; j < count && f.kind == TP__FINE; j++) {
        f.element = j;
        if (guarded && has_bits(y[j], unwritten_bits))
            f.kind = TP__UNWRITTEN;
        else if (isnan(y[j]))
            f.kind = TP__NAN;
        else if (finite && isinf(y[j]))
            f.kind = TP__INFINITE;
    }
    return f;
}

bool tp__opaque_evaluate(tp__opaque_caller *c, const double *x, double *y)
{
    const tp__opaque_attr *a = c->attr;

    if (a->guard)
        arm(y, c->m);
    c->calls++;
    const int returned = a->function(x, (size_t)c->n, y, (size_t)c->m, a->user);
    c->fault = look(y, c->m, returned, a->guard, c->finite);
    return c->fault.kind == TP__FINE;
}

/* ---- Saying what is wrong ---------------------------------------------------------------------------- */

/* `of` is "" for the function, else "the derivative of ". */
static tp_status fail_with(const tp_call *c, const tp__opaque_attr *a, const char *of, tp__opaque_fault f,
                           int64_t count)
{
    char where[TP_TEXT_SIZE] = "";
    const long long element = (long long)f.element;
    const char *meaning =
        f.kind == TP__RETURNED && a->describe != NULL ? a->describe(f.returned, a->user) : "";

    if (f.input >= 0)
        snprintf(where, sizeof where, ", with x[%lld] moved by %.3g", (long long)f.input, f.shift);
    else if (f.input == -2)
        snprintf(where, sizeof where, ", with all of x moved by %.3g of their size", f.shift);
    switch (f.kind) {
    case TP__RETURNED:
        if (meaning == NULL || meaning[0] == '\0')
            return tp_call_fail(c, "%s%s returned %d%s", of, a->name, f.returned, where);
        return tp_call_fail(c, "%s%s returned %d (%s)%s", of, a->name, f.returned, meaning, where);
    case TP__UNWRITTEN:
        return tp_call_fail(c, "%s%s does not write number %lld of its output%s", of, a->name, element,
                            where);
    case TP__NAN:
        return tp_call_fail(c, "%s%s gives NaN as number %lld of its output%s", of, a->name, element, where);
    case TP__INFINITE:
        return tp_call_fail(c, "%s%s gives an infinity as number %lld of its output%s", of, a->name, element,
                            where);
    case TP__BEFORE:
        return tp_call_fail(c, "%s%s writes before the beginning of its output%s", of, a->name, where);
    case TP__BEHIND:
        return tp_call_fail(c, "%s%s writes past the end of its output, which has room for %lld%s", of,
                            a->name, (long long)count, where);
    case TP__FINE: break;
    }
    return TP_OK;
}

/* ---- Memory ------------------------------------------------------------------------------------------ */

static const double *as_doubles(const tp_array *a, int64_t n, double *room)
{
    if (a->dtype == TP_F64)
        return a->data;
    for (int64_t i = 0; i < n; i++)
        room[i] = (double)((const float *)a->data)[i];
    return room;
}

static void give(const tp_array *to, const double *from, int64_t n)
{
    if (to->dtype == TP_F64 && n > 0)
        memcpy(to->data, from, (size_t)n * sizeof *from);
    for (int64_t i = 0; i < n && to->dtype == TP_F32; i++)
        ((float *)to->data)[i] = (float)from[i];
}

/* The next `count` numbers of the scratch. */
static double *take(double **next, int64_t count)
{
    double *taken = *next;
    *next += count;
    return taken;
}

static double *take_guarded(double **next, int64_t count)
{
    return take(next, count + 2 * TP__GUARD) + TP__GUARD;
}

/* More numbers than any memory holds are no request: their bytes must be countable. */
static size_t bytes_of(double numbers)
{
    return numbers < 0x1p58 ? (size_t)numbers * sizeof(double) : SIZE_MAX / 2;
}

/* ---- opaque ------------------------------------------------------------------------------------------ */

static const char *opaque_infer(tp_inference *i)
{
    if (i->x_dtype[0] != TP_F32 && i->x_dtype[0] != TP_F64) {
        i->fault = TP_BAD_DTYPE;
        return "it needs f32 or f64";
    }
    i->y_shape = ((const tp__opaque_attr *)i->attr)->shape;
    return NULL;
}

static size_t opaque_scratch(const tp_shape *x_shape, int n, const void *attr)
{
    const tp__opaque_attr *a = attr;
    (void)n;
    return bytes_of((double)tp_shape_count(x_shape[0]) +
                    2 * ((double)tp_shape_count(a->shape) + 2 * TP__GUARD));
}

/* Equal calls, equal bits. */
static tp_status verify_value(const tp_call *call, tp__opaque_caller *c, const double *x, const double *y,
                              double *again)
{
    const tp__opaque_attr *a = call->attr;

    if (!tp__opaque_evaluate(c, x, again))
        return fail_with(call, a, "", c->fault, c->m);
    for (int64_t j = 0; j < c->m && !a->stochastic; j++)
        if (memcmp(&y[j], &again[j], sizeof *y) != 0)
            return tp_call_fail(call,
                                "%s gives %.17g, then %.17g as number %lld of its output for the same x (set "
                                ".stochastic if that is meant)",
                                a->name, y[j], again[j], (long long)j);
    *a->state |= DONE_VALUE;
    return TP_OK;
}

static tp_status opaque_run(const tp_call *call)
{
    const tp__opaque_attr *a = call->attr;
    double *next = call->scratch;
    tp__opaque_caller c = {
        .attr = a, .n = tp_shape_count(call->x[0].shape), .m = tp_shape_count(call->y.shape)};
    const double *x = as_doubles(&call->x[0], c.n, take(&next, c.n));
    double *room = take_guarded(&next, c.m), *again = take_guarded(&next, c.m);
    double *y = call->y.dtype == TP_F64 && !a->guard ? call->y.data : room;
    tp_status status = TP_OK;

    if (!tp__opaque_evaluate(&c, x, y))
        status = fail_with(call, a, "", c.fault, c.m);
    else if (a->state != NULL && !(*a->state & DONE_VALUE))
        status = verify_value(call, &c, x, y, again);
    if (y == room)
        give(&call->y, y, c.m);
    if (a->report != NULL)
        a->report->evaluations += c.calls;
    return status;
}

static void opaque_vjp(const tp_vjp *d);

static const tp_op opaque = {
    .name = "opaque",
    .kind = TP_CALL,
    .arity = 1,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(tp__opaque_attr),
    .infer = opaque_infer,
    .vjp = opaque_vjp,
    .run = opaque_run,
    .scratch_size = opaque_scratch,
};

/* ---- opaque_gradient --------------------------------------------------------------------------------- */

/* Of x, the adjoint, y and, for directions, random numbers. */
static const char *gradient_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return NULL;
}

static size_t gradient_scratch(const tp_shape *x_shape, int operands, const void *attr)
{
    const tp__opaque_attr *a = attr;
    const double n = (double)tp_shape_count(x_shape[0]), m = (double)tp_shape_count(a->shape);
    (void)operands;
    return bytes_of(4 * n + 2 * TP__GUARD + 2 * m + (m + 2 * TP__GUARD) + a->directions +
                    a->threads * (n + 2 * (m + 2 * TP__GUARD)));
}

static void set_up(tp__opaque_gradient *d, const tp_call *call, tp__opaque_caller *caller, double **next)
{
    const tp__opaque_attr *a = call->attr;
    const int64_t n = tp_shape_count(call->y.shape), m = tp_shape_count(call->x[1].shape);

    *d = (tp__opaque_gradient){
        .attr = a, .n = n, .m = m, .caller = caller, .callers = a->threads, .method = a->method};
    d->x = as_doubles(&call->x[0], n, take(next, n));
    d->g = as_doubles(&call->x[1], m, take(next, m));
    d->y = as_doubles(&call->x[2], m, take(next, m));
    d->y_is_exact = call->x[2].dtype == TP_F64 && !a->stochastic;
    d->direction = call->n > 3 ? call->x[3].data : NULL;
    d->change = take(next, a->directions);
    d->slope = take(next, n);
    d->bar = take(next, n);
    d->value = take_guarded(next, m);
    d->with_bars = a->report != NULL && !a->report->no_error_bars;
    for (int t = 0; t < a->threads; t++) {
        caller[t] = (tp__opaque_caller){.attr = a, .n = n, .m = m, .finite = true};
        caller[t].x = take(next, n);
        caller[t].up = take_guarded(next, m);
        caller[t].low = take_guarded(next, m);
        if (n > 0)
            memcpy(caller[t].x, d->x, (size_t)n * sizeof *d->x);
    }
}

/* Callers share the elements in order: the first caller's fault is the first element's. */
static tp_status fail_with_first(const tp_call *call, const tp__opaque_gradient *d)
{
    for (int t = 0; t < d->callers; t++)
        if (d->caller[t].fault.kind != TP__FINE)
            return fail_with(call, d->attr, "", d->caller[t].fault, d->m);
    return TP_OK;
}

/* ---- The user's own derivative ---- */

/* Right: as near to the slope as its error bar says, or at a kink between both slopes. */
static bool is_right(tp__opaque_gradient *d, int64_t i, double given)
{
    const double near = d->bar[i] + 1e-6 * fmax(fabs(given), fabs(d->slope[i]));
    double left, right;

    if (fabs(given - d->slope[i]) <= near)
        return true;
    if (!tp__opaque_one_sided(d, i, &left, &right))
        return false;
    return given >= fmin(left, right) - near && given <= fmax(left, right) + near &&
           fabs(right - left) > 1e-3 * fmax(fabs(left), fabs(right));
}

static tp_status verify_derivative(const tp_call *call, tp__opaque_gradient *d, const double *given)
{
    const bool with_bars = d->with_bars;
    d->method = TP_OPAQUE_RICHARDSON;
    d->with_bars = true;
    if (!tp__opaque_differences(d))
        return fail_with_first(call, d);
    for (int64_t i = 0; i < d->n; i++)
        if (!is_right(d, i, given[i]))
            return tp_call_fail(call,
                                "the derivative of %s gives %.9g for x[%lld], but differences of its values "
                                "give %.9g +- %.2g",
                                d->attr->name, given[i], (long long)i, d->slope[i], d->bar[i]);
    d->with_bars = with_bars;
    if (!d->is_zero) /* which tells nothing */
        *d->attr->state |= DONE_DERIVATIVE;
    return TP_OK;
}

static tp_status run_derivative(const tp_call *call, tp__opaque_gradient *d, double *dx)
{
    const tp__opaque_attr *a = d->attr;

    arm(dx, d->n);
    const int returned = a->derivative(d->x, (size_t)d->n, d->g, (size_t)d->m, dx, a->user);
    const tp__opaque_fault fault = look(dx, d->n, returned, a->guard, false);
    if (a->report != NULL)
        a->report->derivatives++;
    if (fault.kind != TP__FINE)
        return fail_with(call, a, "the derivative of ", fault, d->n);
    if (a->state != NULL && !(*a->state & DONE_DERIVATIVE)) {
        const tp_status status = verify_derivative(call, d, dx);
        if (status != TP_OK)
            return status;
    }
    memcpy(d->slope, dx, (size_t)d->n * sizeof *dx);
    for (int64_t i = 0; i < d->n; i++)
        d->bar[i] = 0;
    return TP_OK;
}

/* ---- Either ---- */

static void fill_report(const tp__opaque_gradient *d, tp_opaque_report *r)
{
    int64_t calls = 0;
    for (int t = 0; t < d->callers; t++)
        calls += d->caller[t].calls;
    r->evaluations += calls;
    r->gradients++;
    r->gradient_evaluations = calls;
    r->noise = d->noise;
    r->error_bar = 0;
    r->worst = 0;
    for (int64_t i = 0; i < d->n; i++)
        if (!(d->bar[i] <= r->error_bar)) {
            r->error_bar = d->bar[i];
            r->worst = i;
        }
    if (r->error_bars != NULL && d->n > 0)
        memcpy(r->error_bars, d->bar, (size_t)d->n * sizeof *d->bar);
}

static tp_status gradient_run(const tp_call *call)
{
    const tp__opaque_attr *a = call->attr;
    tp__opaque_caller caller[TP__OPAQUE_THREADS];
    tp__opaque_gradient d;
    double *next = call->scratch;
    tp_status status = TP_OK;

    double *dx = take_guarded(&next, tp_shape_count(call->y.shape));
    set_up(&d, call, caller, &next);
    if (a->derivative != NULL)
        status = run_derivative(call, &d, dx);
    else if (!tp__opaque_differences(&d))
        status = fail_with_first(call, &d);
    give(&call->y, d.slope, d.n);
    if (a->report != NULL)
        fill_report(&d, a->report);
    return status;
}

static const tp_op opaque_gradient = {
    .name = "opaque_gradient",
    .kind = TP_CALL,
    .arity = TP_ANY_ARITY,
    .flags = TP_OP_IMPURE,
    .attr_size = sizeof(tp__opaque_attr),
    .infer = gradient_infer,
    .run = gradient_run,
    .scratch_size = gradient_scratch,
};

static void opaque_vjp(const tp_vjp *d)
{
    const tp__opaque_attr *a = d->attr;
    tp_tensor operand[4] = {d->x[0], d->g, d->y};
    int n = 3;

    if (a->method == TP_OPAQUE_SPSA && a->derivative == NULL) {
        const tp_shape shape = TP_SHAPE(a->directions, tp_count_of(d->x[0]));
        tp_locate_tape(d->g.tape, d->g.file, d->g.line);
        operand[n++] = tp_bernoulli(d->g.tape, TP_F64, shape, 0.5);
    }
    d->dx[0] = tp_record(&opaque_gradient, operand, n, a);
}

/* ---- Recording --------------------------------------------------------------------------------------- */

static const char *options_fault(const tp_opaque_options *o)
{
    if ((unsigned)o->method > TP_OPAQUE_PARAMETER_SHIFT)
        return "there is no such method";
    if (!(o->step >= 0 && isfinite(o->step)) || !(o->typical >= 0 && isfinite(o->typical)))
        return "step and typical size must be positive, or 0 for the default";
    if (o->noise.given && !(o->noise.value >= 0 && isfinite(o->noise.value)))
        return "the noise must be a number that is not negative";
    if (o->directions < 0)
        return "the number of directions is negative";
    return NULL;
}

static int threads_for(const tp_opaque_options *o)
{
    int threads = 1;
#ifdef _OPENMP
    if (o->thread_safe)
        threads = omp_get_max_threads();
#else
    (void)o;
#endif
    return threads < 1 ? 1 : threads > TP__OPAQUE_THREADS ? TP__OPAQUE_THREADS : threads;
}

tp_tensor tp_opaque(tp_tensor x, tp_shape shape, tp_opaque_function function, void *user,
                    const tp_opaque_options *options)
{
    const tp_opaque_options o = options != NULL ? *options : (tp_opaque_options){0};
    const char *fault = function == NULL ? "the function is NULL" : options_fault(&o);

    if (fault != NULL)
        return tp_fail(x, TP_BAD_ARGUMENT, "opaque: %s", fault);
    for (int64_t k = shape.rank < 0 ? 0 : shape.rank; k < TP_MAX_RANK; k++)
        shape.dim[k] = 0;
    tp__opaque_attr a = {
        .function = function,
        .derivative = o.derivative,
        .user = user,
        .name = o.name != NULL ? o.name : "the callback",
        .describe = o.describe,
        .report = o.report,
        .shape = shape,
        .step = o.step,
        .typical = o.typical > 0 ? o.typical : 1,
        .noise = o.noise.given ? o.noise.value : 0,
        .method = (int32_t)o.method,
        .noise_given = o.noise.given,
        .directions = o.directions > 0 ? o.directions : 1,
        .threads = threads_for(&o),
        .stochastic = o.stochastic,
        .guard = o.guard,
    };
    if (o.verify && tp_is_valid(x)) {
        a.state = tp_tape_keep(x.tape, sizeof *a.state);
        if (a.state == NULL)
            return tp_fail(x, TP_OUT_OF_MEMORY, "opaque: out of memory while recording");
    }
    return tp_record(&opaque, &x, 1, &a);
}

tp_tensor tp_opaque_verified(tp_tensor x, tp_shape shape, tp_opaque_function function, void *user,
                             const tp_opaque_options *options)
{
    tp_opaque_options o = options != NULL ? *options : (tp_opaque_options){0};
    o.guard = o.verify = true;
    return tp_opaque(x, shape, function, user, &o);
}
