/* scratch.c -- the tape on which a function is checked. */
#include <float.h>
#include <math.h>

#include "checker.h"

/* ---- Failing --------------------------------------------------------------------------------------- */

bool tp__scratch_fail(tp__scratch *s, tp_status status, const char *format, ...)
{
    if (s->status != TP_OK)
        return false;
    s->status = status;
    s->message[0] = '\0';
    tp__text text = {s->message, sizeof s->message, 0};
    va_list args;
    va_start(args, format);
    tp__text_vadd(&text, format, args);
    va_end(args);
    return false;
}

bool tp__scratch_fail_with_tape(tp__scratch *s)
{
    return tp__scratch_fail(s, s->tape->status != TP_OK ? s->tape->status : TP_BAD_STATE, "%s",
                            s->tape->message);
}

bool tp__out_of_memory(tp__scratch *s)
{
    return tp__scratch_fail(s, TP_OUT_OF_MEMORY, "out of memory");
}

double *tp__numbers(tp__scratch *s, int64_t count)
{
    double *numbers = tp__arena_take(&s->arena, (size_t)count * sizeof *numbers);
    if (numbers == NULL)
        tp__out_of_memory(s);
    return numbers;
}

/* ---- Random numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) ------------------------------------ */

static uint64_t next_random(tp__scratch *s)
{
    uint64_t z = s->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

double tp__random(tp__scratch *s)
{
    return (double)(next_random(s) >> 11) * 0x1p-53;
}

double tp__random_sign(tp__scratch *s)
{
    return next_random(s) >> 63 ? 1 : -1;
}

/* ---- Variables ------------------------------------------------------------------------------------- */

/* Sets up a float variable whose leaf is there, and whose memory is to be `point`. */
static bool attach(tp__scratch *s, tp__variable *x)
{
    const tp_dtype dtype = tp_dtype_of(x->leaf);
    double sum = 0;
    int64_t finite = 0;

    x->live = tp_leaf_data(x->leaf, dtype);
    if (x->live == NULL)
        return tp__scratch_fail_with_tape(s);
    for (int64_t i = 0; i < x->count; i++) {
        tp__move(x, i, 0);
        if (isfinite(x->point[i])) {
            sum += fabs(x->point[i]);
            finite++;
        }
    }
    x->scale = finite > 0 && sum > 0 && isfinite(sum) ? sum / (double)finite : 1;
    return true;
}

/* The numbers of a leaf, of a computed output, or of a known scalar, as doubles. */
static bool read_numbers(tp__scratch *s, tp_tensor from, int k, double *out)
{
    const tp_dtype dtype = tp_dtype_of(from);
    const int64_t count = tp_count_of(from);
    double value;

    if (tp_is_scalar_constant(from, &value)) {
        for (int64_t i = 0; i < count; i++)
            out[i] = value;
        return true;
    }
    const void *values = tp_values(from, dtype);
    if (values == NULL)
        return tp__scratch_fail(
            s, TP_BAD_STATE,
            "x[%d] has no values: it must be a leaf with values, or an output of a program that has "
            "run",
            k);
    for (int64_t i = 0; i < count; i++)
        out[i] = dtype == TP_F32   ? (double)((const float *)values)[i]
                 : dtype == TP_F64 ? ((const double *)values)[i]
                                   : (double)((const int32_t *)values)[i];
    return true;
}

static tp_tensor make_labels(tp__scratch *s, tp_shape shape, const double *numbers)
{
    const int64_t count = tp_shape_count(shape);
    int32_t *labels = tp__arena_take(&s->arena, (size_t)count * sizeof *labels);
    if (labels == NULL) {
        tp__out_of_memory(s);
        return (tp_tensor){0};
    }
    for (int64_t i = 0; i < count; i++)
        labels[i] = (int32_t)numbers[i];
    return tp_constant(s->tape, TP_I32, shape, labels);
}

static bool copy_variable(tp__scratch *s, tp_tensor from, int k)
{
    tp__variable *x = &s->x[k];
    const tp_dtype dtype = tp_dtype_of(from);
    const bool *wrt = s->settings->wrt;

    x->count = tp_count_of(from);
    x->checked = tp__is_float(dtype) && (wrt == NULL || wrt[k]);
    double *numbers = tp__numbers(s, x->count);
    if (numbers == NULL || !read_numbers(s, from, k, numbers))
        return false;
    if (dtype == TP_I32)
        x->leaf = make_labels(s, tp_shape_of(from), numbers);
    else
        x->leaf = tp_parameter(s->tape, dtype, tp_shape_of(from), NULL);
    s->leaf[k] = x->leaf;
    if (x->leaf.tape == NULL)
        return false;
    if (!tp_is_valid(x->leaf))
        return tp__scratch_fail_with_tape(s);
    if (dtype == TP_I32)
        return true;
    x->point = numbers;
    return attach(s, x);
}

double tp__move(const tp__variable *x, int64_t i, double t)
{
    const double to = x->point[i] + t;
    if (tp_dtype_of(x->leaf) == TP_F32) {
        ((float *)x->live)[i] = (float)to;
        return (double)(float)to - x->point[i];
    }
    ((double *)x->live)[i] = to;
    return to - x->point[i];
}

/* ---- The tape -------------------------------------------------------------------------------------- */

bool tp__scratch_create(tp__scratch *s, const tp__settings *settings, const tp_tensor *x, int n)
{
    const tp_tape *outer = x[0].tape;

    *s = (tp__scratch){.settings = settings, .n = n, .random = settings->seed};
    s->arena.allocator = &outer->allocator;
    s->epsilon = settings->single ? FLT_EPSILON : DBL_EPSILON;
    s->tape = tp_tape_create(&(tp_tape_options){
        .allocator = outer->allocator, .seed = outer->seed, .verify_ops = TP_VERIFY_NEVER});
    s->x = tp__arena_take(&s->arena, ((size_t)n + 1) * sizeof *s->x);
    s->leaf = tp__arena_take(&s->arena, (size_t)n * sizeof *s->leaf);
    if (s->tape == NULL || s->x == NULL || s->leaf == NULL)
        return tp__out_of_memory(s);
    s->tape->keep_double = !settings->single;
    for (int k = 0; k < n; k++)
        if (!copy_variable(s, x[k], k))
            return false;
    return true;
}

void tp__scratch_destroy(tp__scratch *s)
{
    tp_tape_destroy(s->tape);
    tp__arena_clear(&s->arena);
}

/* ---- Recording ------------------------------------------------------------------------------------- */

static bool accept_result(tp__scratch *s, tp_tensor y)
{
    if (s->tape->blocked)
        return tp__scratch_fail_with_tape(s);
    if (y.tape == NULL)
        return tp__scratch_fail(s, TP_BAD_HANDLE, "the function returned no tensor");
    if (y.tape != s->tape)
        return tp__scratch_fail(
            s, TP_BAD_HANDLE,
            "the function returned a tensor of another tape: it must record on that of x[0]");
    if (!tp_is_valid(y))
        return tp__scratch_fail(s, TP_BAD_HANDLE, "the function returned an invalid tensor");
    const tp_op *op = tp_op_of(y);
    if (op->kind == TP_ASSIGN || op->kind == TP_GROUP)
        return tp__scratch_fail(s, TP_BAD_ARGUMENT, "the function returned %s, which has no value", op->name);
    if (tp_dtype_of(y) == TP_I32)
        return tp__scratch_fail(s, TP_BAD_DTYPE,
                                "the function's result is i32: only f32 and f64 have a gradient");
    double value;
    if (tp_dtype_of(y) == TP_WEAK && tp_is_scalar_constant(y, &value))
        y = tp_scalar_of(s->tape, TP_F64, value);
    s->y = y;
    return tp_is_valid(y) || tp__scratch_fail_with_tape(s);
}

/* Results of one element weigh 1. */
static bool weigh_result(tp__scratch *s)
{
    tp__variable *w = &s->x[s->n];

    w->count = tp_count_of(s->y);
    w->checked = s->settings->with_adjoint;
    if (w->count == 1 && !w->checked)
        return true;
    s->weights = w->count;
    s->weight = tp__numbers(s, w->count);
    if (s->weight == NULL)
        return false;
    for (int64_t i = 0; i < w->count; i++)
        s->weight[i] = (double)(float)(tp__random_sign(s) * (0.5 + tp__random(s)));
    w->leaf = tp_parameter(s->tape, tp_dtype_of(s->y), tp_shape_of(s->y), NULL);
    if (!tp_is_valid(w->leaf))
        return tp__scratch_fail_with_tape(s);
    w->point = s->weight;
    return attach(s, w);
}

bool tp__scratch_record(tp__scratch *s, tp_loss_function function, void *user)
{
    if (!accept_result(s, function(s->leaf, user)))
        return false;
    tp_tape_clear_error(s->tape);
    return weigh_result(s);
}
