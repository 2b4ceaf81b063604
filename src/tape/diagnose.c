/* diagnose.c -- where a NaN or an infinity came from.
 *
 * The finite check fails only when a bad value reaches a result: a NaN in the untaken branch of a where is nobody's
 * fault.  From the bad element of the result this walks back, element by element, to the op that made it out of
 * finite operands.
 */
#include <math.h>

#include "tape.h"

typedef struct spot {
    int32_t step;
    int64_t element;
} spot;

static double value_at(const tp__step *step, int64_t i)
{
    if (step->dtype == TP_F32)
        return (double)((const float *)step->data)[i];
    return step->dtype == TP_F64 ? ((const double *)step->data)[i] : (double)((const int32_t *)step->data)[i];
}

/* For messages: a NaN's sign means nothing. */
static double shown_at(const tp__step *step, int64_t i)
{
    const double value = value_at(step, i);
    return isnan(value) ? fabs(value) : value;
}

static bool is_bad(const tp__step *step, int64_t i)
{
    return !isfinite(value_at(step, i));
}

/* The operand's element that a map reads for its element i. */
static int64_t operand_element(const tp__step *x, const tp__step *y, int64_t i)
{
    const tp_strides strides = tp__broadcast_strides(&x->shape, &y->shape);
    return tp__offset_of(&y->shape, &strides, i);
}

/* ---- One step back --------------------------------------------------------------------------------- */

enum { FEW = 8 };

typedef union cell {
    float f32;
    double f64;
    int32_t i32;
} cell;

/* Would the map's element be finite if operand `k` were 1 there?  Then that operand is to blame. */
static bool is_to_blame(const tp_program *program, const tp__step *step, int64_t i, int32_t k)
{
    cell value[FEW], y = {0};
    const void *x[FEW];

    for (int32_t j = 0; j < step->n; j++) {
        const tp__step *operand = &program->step[step->input[j]];
        const size_t size = tp_dtype_size(operand->dtype);
        x[j] = &value[j];
        memcpy(&value[j], (const char *)operand->data + (size_t)operand_element(operand, step, i) * size,
               size);
        if (j == k && operand->dtype == TP_F32)
            value[j].f32 = 1;
        else if (j == k)
            value[j].f64 = 1;
    }
    step->op->map[program->step[step->input[0]].dtype](1, &y, x, step->attr);
    return step->dtype == TP_F32 ? isfinite(y.f32) : isfinite(y.f64);
}

static bool back_through_map(const tp_program *program, spot *at)
{
    const tp__step *step = &program->step[at->step];
    spot found = {-1, 0};

    for (int32_t k = 0; k < step->n; k++) {
        const tp__step *operand = &program->step[step->input[k]];
        const int64_t element = operand_element(operand, step, at->element);
        if (operand->dtype == TP_I32 || !is_bad(operand, element))
            continue;
        const bool to_blame = step->n <= FEW && is_to_blame(program, step, at->element, k);
        if (found.step < 0 || to_blame)
            found = (spot){step->input[k], element};
        if (to_blame)
            break;
    }
    if (found.step >= 0)
        *at = found;
    return found.step >= 0;
}

static bool back_through_view(const tp_program *program, spot *at)
{
    const tp__step *step = &program->step[at->step];
    const tp__step *x = &program->step[step->input[0]];
    tp_strides strides = tp_row_major(&x->shape);
    step->op->view(&x->shape, &step->shape, step->attr, &strides);
    *at = (spot){step->input[0], tp__offset_of(&step->shape, &strides, at->element)};
    return true;
}

/* A bad element among those that fold into this one. */
static bool back_through_reduction(const tp_program *program, spot *at)
{
    const tp__step *step = &program->step[at->step];
    const tp__step *x = &program->step[step->input[0]];
    const tp_strides to_result = tp__broadcast_strides(&step->shape, &x->shape);

    for (int64_t i = 0; i < x->count; i++)
        if (is_bad(x, i) && tp__offset_of(&x->shape, &to_result, i) == at->element) {
            *at = (spot){step->input[0], i};
            return true;
        }
    return false;
}

static bool back_through_any(const tp_program *program, spot *at)
{
    const tp__step *step = &program->step[at->step];
    for (int32_t k = 0; k < step->n; k++)
        if (program->step[step->input[k]].bad >= 0) {
            *at = (spot){step->input[k], program->step[step->input[k]].bad};
            return true;
        }
    return false;
}

static bool back_through_assign(const tp_program *program, spot *at)
{
    const tp__step *step = &program->step[at->step];
    const tp__step *value = &program->step[step->input[1]];
    *at = (spot){step->input[1], operand_element(value, step, at->element)};
    return true;
}

/* False when `at` is the origin. */
static bool step_back(const tp_program *program, spot *at)
{
    switch (program->step[at->step].op->kind) {
    case TP_MAP: return back_through_map(program, at);
    case TP_VIEW: return back_through_view(program, at);
    case TP_REDUCE: return back_through_reduction(program, at);
    case TP_CALL: return back_through_any(program, at);
    case TP_ASSIGN: return back_through_assign(program, at);
    case TP_LEAF:
    case TP_SOURCE:
    case TP_GROUP: return false;
    }
    return false;
}

/* ---- In words -------------------------------------------------------------------------------------- */

/* "log of -0.31", or "matmul of f32[2,3], f32[3,4]" where elements do not correspond. */
static void describe_operation(const tp_program *program, spot at, tp__text *text)
{
    const tp__step *step = &program->step[at.step];
    char operand_text[TP_TEXT_SIZE];

    tp__text_add(text, "%s", step->op->name);
    for (int32_t k = 0; k < step->n; k++) {
        const tp__step *x = &program->step[step->input[k]];
        tp__text_add(text, k > 0 ? ", " : " of ");
        if (step->op->kind == TP_MAP)
            tp__text_add(text, "%.9g", shown_at(x, operand_element(x, step, at.element)));
        else
            tp__text_add(text, "%s", tp_describe(x->dtype, &x->shape, operand_text));
    }
}

/* The forward op whose derivative this is, with its operands at the same element. */
static void describe_forward_cause(const tp_program *program, spot at, tp__text *text)
{
    int32_t origin = program->step[at.step].origin;
    if (origin < 0)
        return;
    while (program->step[origin].origin >= 0)
        origin = program->step[origin].origin;
    const tp__step *forward = &program->step[origin];
    tp__text_add(text, ", in the gradient of ");
    if (forward->op->kind == TP_MAP && tp_shape_equal(forward->shape, program->step[at.step].shape))
        describe_operation(program, (spot){origin, at.element}, text);
    else
        tp__text_add(text, "%s", forward->op->name);
}

static void describe_spot(const tp_program *program, spot at, tp__text *text)
{
    const tp__step *step = &program->step[at.step];
    const double value = shown_at(step, at.element);

    tp__text_scope(text, step->place.scope);
    if (step->op->kind == TP_LEAF) {
        tp__text_add(text, "%s holds %g (element %lld)", step->op->name, value, (long long)at.element);
    } else {
        describe_operation(program, at, text);
        tp__text_add(text, " (element %lld) gave %g", (long long)at.element, value);
    }
    describe_forward_cause(program, at, text);
    tp__text_place(text, step->place);
}

void tp__explain_not_finite(tp_program *program, int32_t step, tp__text *text)
{
    spot at = {step, program->step[step].bad};
    while (step_back(program, &at))
        continue;
    describe_spot(program, at, text);
}

void tp__explain_hidden(tp_program *program)
{
    for (int32_t s = 0; s < program->steps; s++) {
        const tp__step *step = &program->step[s];
        if (step->hidden == 0)
            continue;
        const int32_t last = step->input[step->n - 1];
        spot at = {last, operand_element(&program->step[last], step, step->hidden_at)};
        while (step_back(program, &at))
            continue;
        tp__text text = {program->hidden_message, sizeof program->hidden_message, 0};
        tp__text_add(&text, "the strong zero hid: ");
        describe_spot(program, at, &text);
        return;
    }
}
