/* words.c -- verdicts in words. */
#include <math.h>

#include "checker.h"

const char *tp_verdict_name(tp_verdict verdict)
{
    switch (verdict) {
    case TP_CHECK_ERROR: return "error";
    case TP_CHECK_FAILED: return "failed";
    case TP_CHECK_INCONCLUSIVE: return "inconclusive";
    case TP_CHECK_PASSED: return "passed";
    }
    return "unknown verdict";
}

/* " at [3,1]"; nothing for a 0-d tensor. */
static void add_index(tp__text *text, tp_shape shape, int64_t element)
{
    int64_t index[TP_MAX_RANK];

    for (int64_t d = shape.rank - 1; d >= 0; d--) {
        index[d] = element % shape.dim[d];
        element /= shape.dim[d];
    }
    for (int64_t d = 0; d < shape.rank; d++)
        tp__text_add(text, d > 0 ? ",%lld" : " at [%lld", (long long)index[d]);
    if (shape.rank > 0)
        tp__text_add(text, "]");
}

static void add_worst(tp__text *text, const tp_check_report *r, const tp_tensor *x, int n)
{
    tp__text_add(text, r->order == 2 ? "second derivative (Hessian times a random vector)" : "gradient");
    if (r->element < 0) {
        tp__text_add(text, " along a random direction");
    } else if (r->x >= n) {
        tp__text_add(text, " by the adjoint, element %lld,", (long long)r->element);
    } else {
        tp__text_add(text, " of x[%d]", r->x);
        add_index(text, tp_shape_of(x[r->x]), r->element);
    }
    if (isnan(r->analytic)) /* not "-nan" */
        tp__text_add(text, " is nan, but finite differences give ");
    else
        tp__text_add(text, " is %.9g, but finite differences give ", r->analytic + 0.0); /* nor "-0" */
    if (!(r->error_bar < INFINITY))
        tp__text_add(text, "no value there");
    else if (r->low < r->high)
        tp__text_add(text, "%.9g .. %.9g +- %.1e (a kink)", r->low, r->high, r->error_bar);
    else
        tp__text_add(text, "%.9g +- %.1e", r->numeric + 0.0, r->error_bar);
}

static void add_fault(tp__text *text, const tp_check_report *r)
{
    if (r->fault_op == NULL)
        return;
    tp__text_add(text, "; op at fault: %s%s%s", r->fault_scope, r->fault_scope[0] != '\0' ? "/" : "",
                 r->fault_op);
    if (r->fault_in != NULL)
        tp__text_add(text, ", in the derivative of %s,", r->fault_in);
    tp__text_place(text, (tp__place){r->fault_file, r->fault_line, NULL});
}

void tp__describe_verdict(tp_check_report *r, const char *subject, const tp_tensor *x, int n)
{
    char note[TP_CHECK_MESSAGE];
    memcpy(note, r->message, sizeof note);
    r->message[0] = '\0';
    tp__text text = {r->message, sizeof r->message, 0};

    switch (r->verdict) {
    case TP_CHECK_ERROR: tp__text_add(&text, "%s: %s", subject, note); return;
    case TP_CHECK_FAILED:
        if (r->status == TP_OK)
            add_worst(&text, r, x, n);
        else
            tp__text_add(&text, "%s", note);
        add_fault(&text, r);
        if (r->status == TP_OK && note[0] != '\0')
            tp__text_add(&text, "; %s", note);
        return;
    case TP_CHECK_INCONCLUSIVE:
        tp__text_add(&text,
                     "%lld of %lld derivatives could not be judged; the worst: ", (long long)r->inconclusive,
                     (long long)r->checked);
        add_worst(&text, r, x, n);
        if (note[0] != '\0')
            tp__text_add(&text, "; %s", note);
        return;
    case TP_CHECK_PASSED:
        tp__text_add(&text, "%lld derivatives agree with finite differences", (long long)r->checked);
        return;
    }
}
