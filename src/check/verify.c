/* verify.c -- tp_op_verify: all that can be told about one op. */
#include <float.h>
#include <math.h>

#include "checker.h"

typedef tp__subject subject;

tp_tensor tp__record_subject(const tp_tensor *x, void *user)
{
    const subject *op = user;
    return tp_record_on(x[0].tape, op->op, x, op->n, op->attr);
}

static double element(const void *data, tp_dtype dtype, int64_t i)
{
    return dtype == TP_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static bool fail(tp_check_report *report, const subject *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Verdict "failed": the op does not do what it must. */
static bool fail(tp_check_report *report, const subject *op, const char *format, ...)
{
    tp__text text = {report->message, sizeof report->message, 0};
    va_list args;

    report->verdict = TP_CHECK_FAILED;
    report->fault_op = op->op->name;
    report->message[0] = '\0';
    va_start(args, format);
    tp__text_vadd(&text, format, args);
    va_end(args);
    return false;
}

static bool fail_with_scratch(tp_check_report *report, const tp__scratch *s)
{
    return tp__report_error(report, s->status, "%s", s->message);
}

static bool fail_with_tape(tp_check_report *report, const tp_tape *tape)
{
    return tp__report_error(report, tp_tape_status(tape), "%s", tp_tape_message(tape));
}

/* ---- The rule: linear in the adjoint, whatever is needed --------------------------------------------- */

typedef struct rule_test {
    tp__scratch *s;
    const subject *op;
    tp_check_report *report;
    tp_tensor *wrt, *out;
    int checked; /* operands that are differentiated */
} rule_test;

static void write_weights(const rule_test *t, const double *g, const double *h, double a, double b)
{
    const tp__variable *w = &t->s->x[t->s->n];
    for (int64_t i = 0; i < w->count; i++)
        tp__move(w, i, a * g[i] + b * h[i] - w->point[i]);
}

/* The contributions to all differentiated operands, one after the other; false when the run fails. */
static bool contributions(const rule_test *t, tp_program *program, double *out)
{
    if (tp_run(program) != TP_OK)
        return fail_with_tape(t->report, t->s->tape);
    for (int k = 0; k < t->checked; k++) {
        const tp_dtype dtype = tp_dtype_of(t->out[k]);
        const void *data = tp_program_output(program, k, dtype);
        for (int64_t i = 0; i < tp_count_of(t->out[k]); i++)
            *out++ = element(data, dtype, i);
    }
    return true;
}

/* Operand and element of contribution i. */
static int operand_of(const rule_test *t, int64_t *i)
{
    for (int k = 0, at = 0; k < t->s->n; k++)
        if (t->s->x[k].checked) {
            const int64_t count = tp_count_of(t->out[at++]);
            if (*i < count)
                return k;
            *i -= count;
        }
    return -1;
}

static bool is_linear(const rule_test *t, tp_program *program, int64_t total)
{
    tp__scratch *s = t->s;
    const double a = 1.75, b = -0.625;
    double *g = tp__numbers(s, s->weights), *h = tp__numbers(s, s->weights), *of[3];

    for (int k = 0; k < 3; k++)
        of[k] = tp__numbers(s, total);
    if (g == NULL || h == NULL || of[0] == NULL || of[1] == NULL || of[2] == NULL)
        return fail_with_scratch(t->report, s);
    for (int64_t i = 0; i < s->weights; i++) {
        g[i] = (double)(float)(2 * tp__random(s) - 1);
        h[i] = (double)(float)(2 * tp__random(s) - 1);
    }
    for (int k = 0; k < 3; k++) {
        write_weights(t, g, h, k == 0 ? 1 : k == 1 ? 0 : a, k == 0 ? 0 : k == 1 ? 1 : b);
        if (!contributions(t, program, of[k]))
            return false;
    }
    double size = 0;
    for (int64_t i = 0; i < total; i++) {
        const double own = fabs(a * of[0][i]) + fabs(b * of[1][i]);
        size = isfinite(own) && own > size ? own : size;
    }
    for (int64_t i = 0; i < total; i++) {
        const double expected = a * of[0][i] + b * of[1][i];
        if (!isfinite(expected) || fabs(of[2][i] - expected) <= 0x1p12 * s->epsilon * size)
            continue;
        int64_t at = i;
        const int k = operand_of(t, &at);
        return fail(
            t->report, t->op,
            "%s: its derivative rule is not linear in the adjoint: for adjoints g, h and %g g + %g h it gives "
            "%.9g, %.9g and %.9g to operand %d, element %lld",
            t->op->op->name, a, b, of[0][i], of[1][i], of[2][i], k, (long long)at);
    }
    return true;
}

/* The rule, asked for one operand alone, must say the same as when asked for all. */
static bool same_when_alone(const rule_test *t, tp_program *all, int64_t total)
{
    tp__scratch *s = t->s;
    double *expected = tp__numbers(s, total);

    if (expected == NULL)
        return fail_with_scratch(t->report, s);
    if (!contributions(t, all, expected))
        return false;
    for (int k = 0; k < t->checked; k++) {
        tp_tensor alone = {0};
        const tp_status status = tp_vector_jacobian(s->y, s->x[s->n].leaf, &t->wrt[k], 1, &alone, NULL);
        if (status == TP_OUT_OF_MEMORY)
            return fail_with_tape(t->report, s->tape);
        if (status != TP_OK || !tp_is_valid(alone))
            return fail(t->report, t->op,
                        "%s: its derivative rule fails when one operand alone needs a gradient: %s",
                        t->op->op->name, tp_tape_message(s->tape));
        expected += k > 0 ? tp_count_of(t->out[k - 1]) : 0;
        if (alone.id == t->out[k].id)
            continue;
        tp_program *program = tp_compile(&alone, 1, NULL);
        const tp_dtype dtype = tp_dtype_of(alone);
        bool same = true;
        if (program == NULL || tp_run(program) != TP_OK) {
            tp_program_destroy(program);
            return fail_with_tape(t->report, s->tape);
        }
        for (int64_t i = 0; i < tp_count_of(alone); i++) {
            const double got = element(tp_program_output(program, 0, dtype), dtype, i);
            same = same &&
                   (got == expected[i] || fabs(got - expected[i]) <= 0x1p6 * s->epsilon * fabs(expected[i]) ||
                    isnan(expected[i]));
        }
        tp_program_destroy(program);
        if (!same) {
            int64_t at = 0;
            for (int j = 0; j < k; j++)
                at += tp_count_of(t->out[j]);
            return fail(
                t->report, t->op,
                "%s: its derivative rule gives another result to operand %d when no other operand needs a "
                "gradient",
                t->op->op->name, operand_of(t, &at));
        }
    }
    return true;
}

static bool check_rule(tp__scratch *s, const subject *op, tp_check_report *report)
{
    rule_test t = {.s = s, .op = op, .report = report};
    int64_t total = 0;

    t.wrt = tp__arena_take(&s->arena, (size_t)s->n * sizeof *t.wrt);
    t.out = tp__arena_take(&s->arena, (size_t)s->n * sizeof *t.out);
    if (t.wrt == NULL || t.out == NULL)
        return tp__out_of_memory(s) || fail_with_scratch(report, s);
    for (int k = 0; k < s->n; k++)
        if (s->x[k].checked) {
            t.wrt[t.checked++] = s->x[k].leaf;
            total += s->x[k].count;
        }
    tp_program *program = NULL;
    if (tp_vector_jacobian(s->y, s->x[s->n].leaf, t.wrt, t.checked, t.out, NULL) == TP_OK)
        program = tp_compile(t.out, t.checked, NULL);
    if (program == NULL)
        return fail_with_tape(report, s->tape);
    const bool fine = is_linear(&t, program, total) && same_when_alone(&t, program, total);
    tp_program_destroy(program);
    return fine;
}

/* ---- The kernel ------------------------------------------------------------------------------------ */

/* Runs with the result's memory filled with `fill` before, and copies the result. */
static bool run_into(tp_program *program, bool poison, int fill, void *out, size_t bytes, tp_dtype dtype)
{
    if (tp_run(program) != TP_OK)
        return false;
    if (poison && bytes > 0) {
        /* The memory is the program's own, and nobody else reads it before the next run writes it. */
        memset((void *)(uintptr_t)tp_program_output(program, 0, dtype), fill, bytes);
        if (tp_run(program) != TP_OK)
            return false;
    }
    if (bytes > 0)
        memcpy(out, tp_program_output(program, 0, dtype), bytes);
    return true;
}

/* Equal calls write the same bits, and all of them. */
static bool check_repeats(tp__scratch *s, const subject *op, tp_check_report *report)
{
    const tp_dtype dtype = tp_dtype_of(s->y);
    const size_t size = tp_dtype_size(dtype), bytes = (size_t)tp_count_of(s->y) * size;
    const bool poison = op->op->kind == TP_CALL; /* other kernels are called element by element */
    char *a = tp__arena_take(&s->arena, bytes), *b = tp__arena_take(&s->arena, bytes);
    tp_program *program = tp_compile(&s->y, 1, &(tp_compile_options){.freeze_random = true});

    if (a == NULL || b == NULL || program == NULL) {
        tp_program_destroy(program);
        return tp__out_of_memory(s) || fail_with_scratch(report, s);
    }
    const bool ran =
        run_into(program, poison, 0x5A, a, bytes, dtype) && run_into(program, poison, 0xA5, b, bytes, dtype);
    tp_program_destroy(program);
    if (!ran)
        return fail_with_tape(report, s->tape);
    for (int64_t i = 0; i < tp_count_of(s->y); i++)
        if (memcmp(a + (size_t)i * size, b + (size_t)i * size, size) != 0)
            return fail(report, op, "%s: two equal calls of its kernel gave %.9g and %.9g for element %lld%s",
                        op->op->name, element(a, dtype, i), element(b, dtype, i), (long long)i,
                        poison ? ": is it always written?" : "");
    return true;
}

/* Records the op on leaves of one dtype, at the point rounded to f32 and moved by `nudge` units of its last place, and
 * computes it.  NULL when the op does not take the dtype, or the run fails. */
static double *compute_as(tp__scratch *s, const subject *op, tp_dtype dtype, double nudge)
{
    tp_tape *tape =
        tp_tape_create(&(tp_tape_options){.allocator = s->tape->allocator, .verify_ops = TP_VERIFY_NEVER});
    tp_tensor *x = tp__arena_take(&s->arena, (size_t)s->n * sizeof *x);
    double *out = tp__numbers(s, tp_count_of(s->y));

    for (int k = 0; k < s->n && tape != NULL && x != NULL; k++) {
        const tp__variable *v = &s->x[k];
        const tp_shape shape = tp_shape_of(v->leaf);
        if (v->point == NULL) {
            x[k] = tp_constant(tape, TP_I32, shape, tp_values(v->leaf, TP_I32));
            continue;
        }
        x[k] = tp_parameter(tape, dtype, shape, NULL);
        void *live = tp_is_valid(x[k]) ? tp_leaf_data(x[k], dtype) : NULL;
        for (int64_t i = 0; live != NULL && i < v->count; i++) {
            const double value =
                (double)(float)v->point[i] * (1 + nudge * tp__random_sign(s) * (double)FLT_EPSILON);
            if (dtype == TP_F32)
                ((float *)live)[i] = (float)value;
            else
                ((double *)live)[i] = value;
        }
    }
    tp_tensor y = {0};
    if (tape != NULL && x != NULL && out != NULL)
        y = tp_record_on(tape, op->op, x, op->n, op->attr);
    tp_program *program = tp_is_valid(y) && tp_dtype_of(y) == dtype ? tp_compile(&y, 1, NULL) : NULL;
    const bool fine = program != NULL && tp_run(program) == TP_OK;
    if (tape == NULL || tp_tape_status(tape) == TP_OUT_OF_MEMORY)
        tp__out_of_memory(s);
    for (int64_t i = 0; fine && i < tp_count_of(y); i++)
        out[i] = element(tp_program_output(program, 0, dtype), dtype, i);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return fine ? out : NULL;
}

/* The f32 kernel against the f64 one: as near as rounding the operands moves the latter. */
static bool check_precisions(tp__scratch *s, const subject *op, tp_check_report *report)
{
    enum { NUDGES = 3 };
    const int64_t count = tp_count_of(s->y);
    const double *single = compute_as(s, op, TP_F32, 0), *twice = compute_as(s, op, TP_F64, 0),
                 *moved[NUDGES];
    double size = 0;

    bool both = single != NULL && twice != NULL;

    for (int j = 0; j < NUDGES && both; j++) {
        moved[j] = compute_as(s, op, TP_F64, 1);
        both = moved[j] != NULL;
    }
    if (!both) /* it does not take both, or there was no memory to tell */
        return s->status == TP_OK || fail_with_scratch(report, s);
    for (int64_t i = 0; i < count; i++)
        size = isfinite(twice[i]) && fabs(twice[i]) > size ? fabs(twice[i]) : size;
    for (int64_t i = 0; i < count; i++) {
        double spread = 0;
        for (int j = 0; j < NUDGES; j++)
            spread = fabs(moved[j][i] - twice[i]) > spread ? fabs(moved[j][i] - twice[i]) : spread;
        const double own = op->op->kind == TP_MAP ? fabs(twice[i]) : size;
        const double allowed = 16 * spread + 64 * (double)FLT_EPSILON * own + 64 * (double)FLT_MIN;
        const bool both_nan = isnan(single[i]) && isnan(twice[i]);
        const bool both_infinite = isinf(single[i]) && fabs(twice[i]) > 0.99 * (double)FLT_MAX &&
                                   signbit(single[i]) == signbit(twice[i]);
        if (both_nan || both_infinite || fabs(single[i] - twice[i]) <= allowed)
            continue;
        return fail(report, op, "%s: its f32 kernel gives %.9g for element %lld, but the f64 kernel %.9g",
                    op->op->name, single[i], (long long)i, twice[i]);
    }
    return true;
}

/* ---- tp_op_verify ---------------------------------------------------------------------------------- */

/* An op whose kernel cannot be trusted fails for that, whatever slopes it seems to have. */
static void check_the_rest(const subject *op, const tp_tensor *x, const tp__settings *settings,
                           bool right_so_far, tp_check_report *report)
{
    tp__scratch s;
    subject copy = *op;

    if (!tp__scratch_create(&s, settings, x, op->n) || !tp__scratch_record(&s, tp__record_subject, &copy))
        fail_with_scratch(report, &s);
    else if (check_repeats(&s, op, report) && right_so_far && check_rule(&s, op, report))
        check_precisions(&s, op, report);
    tp__scratch_destroy(&s);
}

bool tp_op_verify(const tp_op *op, const tp_tensor *x, int n, const void *attr,
                  const tp_check_options *options, tp_check_report *report)
{
    static const char name[] = "tp_op_verify";
    tp_check_report own;
    tp__settings settings;

    report = tp__start_report(report != NULL ? report : &own);
    if (op == NULL || op->name == NULL)
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: the op or its name is NULL", name);
    if (!tp__prepare(&settings, options, x, n, name, report))
        return false;
    subject s = {op, attr, n};
    settings.second = settings.with_adjoint = true;
    tp__check_either(tp__record_subject, &s, x, n, &settings, false, report);
    if (report->verdict == TP_CHECK_FAILED)
        report->fault_op = op->name;
    settings.single = report->single;
    if (report->verdict != TP_CHECK_ERROR) {
        tp_check_report rest;
        check_the_rest(&s, x, &settings, report->verdict != TP_CHECK_FAILED, tp__start_report(&rest));
        if (rest.message[0] != '\0') {
            report->verdict = rest.verdict;
            report->status = rest.status;
            report->fault_op = rest.fault_op;
            memcpy(report->message, rest.message, sizeof rest.message);
            return false;
        }
    }
    tp__describe_verdict(report, name, x, n);
    return report->verdict == TP_CHECK_PASSED;
}
