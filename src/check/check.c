/* check.c -- whole checks. */
#include <math.h>

#include "checker.h"

/* ---- Errors ---------------------------------------------------------------------------------------- */

tp_check_report *tp__start_report(tp_check_report *report)
{
    memset(report, 0, sizeof *report);
    return report;
}

bool tp__report_error(tp_check_report *report, tp_status status, const char *format, ...)
{
    tp__text text = {report->message, sizeof report->message, 0};
    va_list args;

    report->verdict = TP_CHECK_ERROR;
    report->status = status;
    va_start(args, format);
    tp__text_vadd(&text, format, args);
    va_end(args);
    return false;
}

/* ---- Arguments ------------------------------------------------------------------------------------- */

static bool read_options(tp__settings *s, const tp_check_options *options, const char *name,
                         tp_check_report *report)
{
    const tp_check_options o = options != NULL ? *options : (tp_check_options){0};

    if (!(o.tolerance >= 0 && o.tolerance < 1))
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: the tolerance must be in [0, 1), but is %g",
                                name, o.tolerance);
    if (o.max_elements < 0)
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: max_elements must not be negative, but is %lld",
                                name, (long long)o.max_elements);
    if (o.directions < 0)
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: directions must not be negative, but is %d",
                                name, o.directions);
    *s = (tp__settings){
        .tolerance = o.tolerance,
        .max_elements = o.max_elements > 0 ? o.max_elements : 200,
        .directions = o.directions > 0 ? o.directions : 16,
        .second = o.second,
        .seed = o.seed,
        .wrt = o.wrt,
    };
    return true;
}

static bool check_tensors(const tp_tensor *x, int n, const bool *wrt, const char *name,
                          tp_check_report *report)
{
    bool any = false;

    if (x == NULL || n <= 0)
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: there is nothing to vary: x is NULL or n is %d",
                                name, n);
    for (int k = 0; k < n; k++) {
        const char *fault = tp_handle_fault(x[k].tape, x[k]);
        if (fault == NULL && tp_dtype_of(x[k]) == TP_WEAK)
            fault = "is a weak scalar: use tp_scalar_of";
        else if (fault == NULL && (tp_op_of(x[k])->kind == TP_ASSIGN || tp_op_of(x[k])->kind == TP_GROUP))
            fault = "has no value";
        if (fault != NULL)
            return tp__report_error(report, TP_BAD_HANDLE, "%s: x[%d] %s", name, k, fault);
        any = any || (tp__is_float(tp_dtype_of(x[k])) && (wrt == NULL || wrt[k]));
    }
    if (!any)
        return tp__report_error(report, TP_BAD_ARGUMENT,
                                "%s: there is nothing to vary: every x is i32 or left out by options.wrt",
                                name);
    return true;
}

bool tp__prepare(tp__settings *settings, const tp_check_options *options, const tp_tensor *x, int n,
                 const char *name, tp_check_report *report)
{
    return read_options(settings, options, name, report) && check_tensors(x, n, settings->wrt, name, report);
}

/* ---- One check ------------------------------------------------------------------------------------- */

static tp_verdict overall(const tp_check_report *report)
{
    if (report->failed > 0)
        return TP_CHECK_FAILED;
    return report->inconclusive > 0 ? TP_CHECK_INCONCLUSIVE : TP_CHECK_PASSED;
}

static void note_value(const tp__objective *o, tp_check_report *report)
{
    const tp__part *part = &o->part[0];
    tp__text text = {report->message, sizeof report->message, 0};
    if (part->count != 1)
        return;
    const double value =
        part->dtype == TP_F32 ? (double)*(const float *)part->base : *(const double *)part->base;
    if (!isfinite(value))
        tp__text_add(&text, "the function's value there is %s",
                     isnan(value) ? "nan"
                     : value > 0  ? "inf"
                                  : "-inf");
}

/* What an objective differentiates: where a fault is looked for. */
static void find_fault_of(tp__scratch *s, const tp__objective *first, bool second, tp_check_report *report)
{
    int n = 0;
    tp_tensor *of = tp__arena_take(&s->arena, (size_t)s->n * sizeof *of);

    if (of == NULL)
        return;
    if (!second)
        of[n++] = s->y;
    for (int k = 0; k < s->n && second; k++)
        if (s->x[k].checked)
            of[n++] = first->gradient[k];
    tp__find_fault(s, of, n, second, report);
}

void tp__check_once(tp_loss_function function, void *user, const tp_tensor *x, int n,
                    const tp__settings *settings, bool blame, tp_check_report *report)
{
    tp__settings own = *settings;
    tp__scratch s;
    tp__objective first = {0}, second = {0};
    bool rule = false;
    double badness = 0;

    if (own.tolerance == 0)
        own.tolerance = own.single ? 1e-3 : 1e-6;
    report->single = own.single;
    bool fine = tp__scratch_create(&s, &own, x, n) && tp__scratch_record(&s, function, user) &&
                tp__objective_first(&first, &s, &rule) && tp__judge(&first, report, &badness);
    if (fine)
        note_value(&first, report);
    const bool go_on = fine && own.second && report->failed == 0;
    if (go_on) {
        fine = tp__objective_second(&second, &first, &rule) && tp__judge(&second, report, &badness);
        report->second = fine;
        if (own.with_adjoint && s.status == TP_NO_DERIVATIVE)
            fine = true; /* an op need not have one */
    }
    if (fine) {
        report->verdict = overall(report);
    } else {
        tp__report_error(report, s.status, "%s", s.message);
        if (rule)
            report->verdict = TP_CHECK_FAILED;
    }
    if (report->verdict == TP_CHECK_FAILED && blame)
        find_fault_of(&s, &first, go_on, report);
    tp__objective_destroy(&first);
    tp__objective_destroy(&second);
    tp__scratch_destroy(&s);
}

void tp__check_either(tp_loss_function function, void *user, const tp_tensor *x, int n,
                      const tp__settings *settings, bool blame, tp_check_report *report)
{
    bool has_single = false;

    tp__check_once(function, user, x, n, settings, blame, report);
    for (int k = 0; k < n; k++)
        has_single = has_single || tp_dtype_of(x[k]) == TP_F32;
    /* An op without an f64 kernel, perhaps.  An error of the f32 check instead would tell nothing new. */
    if (!has_single || (report->status != TP_BAD_DTYPE && report->status != TP_BAD_SHAPE))
        return;
    tp__settings in_single = *settings;
    tp_check_report other;
    in_single.single = true;
    tp__check_once(function, user, x, n, &in_single, blame, tp__start_report(&other));
    if (other.verdict != TP_CHECK_ERROR && other.status == TP_OK)
        *report = other;
}

/* ---- tp_check_gradient ----------------------------------------------------------------------------- */

bool tp_check_gradient(tp_loss_function function, void *user, const tp_tensor *x, int n,
                       const tp_check_options *options, tp_check_report *report)
{
    static const char name[] = "tp_check_gradient";
    tp_check_report own;
    tp__settings settings;

    report = tp__start_report(report != NULL ? report : &own);
    if (function == NULL)
        return tp__report_error(report, TP_BAD_ARGUMENT, "%s: the function is NULL", name);
    if (!tp__prepare(&settings, options, x, n, name, report))
        return false;
    tp__check_either(function, user, x, n, &settings, true, report);
    tp__describe_verdict(report, name, x, n);
    return report->verdict == TP_CHECK_PASSED;
}
