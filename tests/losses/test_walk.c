/* test_walk.c -- what holds for every loss: derivatives of first and second order, weights and what a mean divides by,
 * nothing to average, NaN that is left out, places, operands that are no tensors. */
#include "evaluate.h"
#include "loss_rows.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include <tapir/cmocka.h>

#include "golden.h"

typedef struct sizes {
    int64_t n, d, c;
} sizes;

static const sizes usual = {3, 4, 3};

enum { MOST = 256 };

/* ---- Operands -------------------------------------------------------------------------------------- */

/* "2N" is twice N. */
static tp_shape shape_of(const char *letters, sizes s)
{
    tp_shape shape = {0};
    int64_t factor = 1;
    for (; *letters != '\0' && *letters != '?'; letters++) {
        if (*letters == '2') {
            factor = 2;
            continue;
        }
        const int64_t size = *letters == 'N' ? s.n : *letters == 'D' ? s.d : *letters == 'C' ? s.c : 1;
        shape.dim[shape.rank++] = factor * size;
        factor = 1;
    }
    return shape;
}

/* The k-th of a fixed sequence in [0, 1), without pattern: equal differences would be ties. */
static double fraction(int k)
{
    uint32_t x = 2654435769u * (uint32_t)(k + 1);
    x = (x ^ x >> 16) * 2246822519u;
    x = (x ^ x >> 13) * 3266489917u;
    return (double)(x >> 8) / 16777216;
}

static double value_of_kind(kind what, int k)
{
    const double u = fraction(k);
    switch (what) {
    case NUMBER: return 4 * u - 2;
    case POSITIVE: return 0.2 + 1.8 * u;
    case PROBABILITY: return 0.05 + 0.9 * u;
    case LOGARITHM: return log(0.05 + 0.9 * u);
    case LABEL:
    case LABEL_I32: return u < 0.5;
    case SIGN:
    case SIGN_I32: return u < 0.5 ? 1 : -1;
    default: return floor(2 * u);
    }
}

static bool is_whole(kind what)
{
    return what >= LABEL_I32;
}

static bool is_constant(kind what)
{
    return what == LABEL || what == SIGN || is_whole(what);
}

static int32_t whole_of_kind(kind what, int i, sizes s, int first)
{
    switch (what) {
    case CLASS: return (int32_t)((double)s.c * fraction(first + i));
    case LIST: return i % 2 == 0 ? (int32_t)(i / 2 % s.c) : -1;
    case TARGET: return s.c > 1 ? 1 + (int32_t)(i % (s.c - 1)) : 0;
    case FRAMES: return (int32_t)s.d - i % 2;
    case LABELS: return s.c > 1 ? i % 3 : 0;
    default: return (int32_t)value_of_kind(what, first + i);
    }
}

/* An operand of a row; `first` tells operands apart.  All numbers are `fill` unless that is 0. */
static tp_tensor operand(tp_tape *tape, tp_dtype dtype, kind what, tp_shape shape, sizes s, int first,
                         double fill)
{
    double wide[MOST];
    float narrow[MOST];
    int32_t whole[MOST];
    const int64_t count = tp_shape_count(shape);

    assert_in_range((uintmax_t)count, 0, MOST);
    for (int i = 0; i < count; i++) {
        wide[i] = fill != 0 && !is_whole(what) ? fill : value_of_kind(what, first + i);
        narrow[i] = (float)wide[i];
        if (is_whole(what))
            whole[i] = whole_of_kind(what, i, s, first);
    }
    if (is_whole(what))
        return tp_parameter(tape, TP_I32, shape, whole);
    return tp_parameter(tape, dtype, shape, dtype == TP_F32 ? (void *)narrow : (void *)wide);
}

/* The row's operands, and behind them a weight per element of r, all of it `weight_fill` unless that is negative.
 * Returns how many operands there are. */
static int make_operands(const loss_row *row, tp_tape *tape, tp_dtype dtype, sizes s, double fill,
                         double weight_fill, tp_tensor x[MOST_OPERANDS + 1])
{
    double wide[MOST];
    float narrow[MOST];
    int n = 0;

    for (; n < MOST_OPERANDS && row->x[n].kind != 0; n++)
        x[n] =
            operand(tape, dtype, row->x[n].kind, shape_of(row->x[n].shape, s), s, 17 * n, n == 0 ? fill : 0);
    const tp_shape r = shape_of(row->r, s);
    for (int i = 0; i < tp_shape_count(r); i++) {
        wide[i] = weight_fill >= 0 ? weight_fill : 0.5 + fraction(100 + i);
        narrow[i] = (float)wide[i];
    }
    x[n] = tp_parameter(tape, dtype, r, dtype == TP_F32 ? (void *)narrow : (void *)wide);
    return n;
}

static const tp_tensor no_weight;

/* ---- Derivatives ----------------------------------------------------------------------------------- */

typedef struct choice {
    const loss_row *row;
    tp_reduction reduction;
    bool weighted;
    int n;
} choice;

static tp_tensor chosen(const tp_tensor *x, void *user)
{
    const choice *c = user;
    return c->row->record(x, c->reduction, c->weighted ? x[c->n] : no_weight);
}

static void check_gradient(choice c, tp_dtype dtype)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[MOST_OPERANDS + 1];
    bool wrt[MOST_OPERANDS + 1] = {false};
    tp_check_report report;

    c.n = make_operands(c.row, tape, dtype, usual, 0, -1, x);
    for (int k = 0; k < c.n; k++)
        wrt[k] = !is_constant(c.row->x[k].kind);
    wrt[c.n] = c.weighted;
    if (!tp_check_gradient(chosen, &c, x, c.n + 1, &(tp_check_options){.second = true, .wrt = wrt}, &report))
        fail_msg("%s, reduction %d, %s, %s: %s", c.row->name, (int)c.reduction,
                 c.weighted ? "weighted" : "plain", tp_dtype_name(dtype), report.message);
    tp_tape_destroy(tape);
}

static void derivatives(void **state)
{
    (void)state;
    for (int k = 0; k < LOSS_ROWS; k++) {
        const loss_row *row = &loss_rows[k];
        check_gradient((choice){row, TP_MEAN, false, 0}, TP_F64);
        check_gradient((choice){row, TP_MEAN, false, 0}, TP_F32);
        if (row->own_reduction)
            continue;
        check_gradient((choice){row, TP_MEAN, true, 0}, TP_F64);
        check_gradient((choice){row, TP_NONE, true, 0}, TP_F64);
        check_gradient((choice){row, TP_MEAN_BY_BATCH, true, 0}, TP_F64);
    }
}

/* ---- Reductions ------------------------------------------------------------------------------------ */

/* The reduced values against the sum of the elements' own. */
static void check_reductions(const loss_row *row, tp_dtype dtype, sizes s, bool weighted)
{
    const double tolerance = dtype == TP_F32 ? 1e-5 : 1e-13;
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x[MOST_OPERANDS + 1], out[5];
    double r[MOST], w[MOST], sum = 0, weights = 0, value[5];
    const int n = make_operands(row, tape, dtype, s, 0, -1, x);
    const tp_shape shape = shape_of(row->r, s);
    const int64_t count = tp_shape_count(shape);

    for (int reduction = TP_MEAN; reduction <= TP_MEAN_BY_BATCH; reduction++)
        out[reduction] = row->record(x, (tp_reduction)reduction, weighted ? x[n] : no_weight);
    tp_program *program = evaluate(out, 5);
    assert_true(tp_shape_equal(tp_shape_of(out[TP_NONE]), shape));
    assert_int_equal(tp_dtype_of(out[TP_NONE]), dtype);
    read_doubles(out[TP_NONE], r, count);
    read_doubles(x[n], w, count);
    for (int i = 0; i < count; i++) {
        assert_true(isfinite(r[i]));
        sum += r[i];
        weights += weighted ? w[i] : 1;
    }
    for (int reduction = TP_MEAN; reduction <= TP_MEAN_BY_BATCH; reduction++)
        value[reduction] = reduction == TP_NONE ? 0 : tp_item(out[reduction]);
    assert_close(value[TP_SUM], sum, tolerance);
    assert_close(value[TP_MEAN_BY_COUNT], sum / (double)count, tolerance);
    assert_close(value[TP_MEAN_BY_BATCH], sum / (double)(shape.rank > 0 ? shape.dim[0] : 1), tolerance);
    if (!row->counts_itself)
        assert_close(value[TP_MEAN], sum / weights, tolerance);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void reductions(void **state)
{
    static const sizes some[] = {{3, 4, 3}, {1, 1, 1}, {5, 3, 2}, {2, 7, 5}};
    (void)state;
    for (int k = 0; k < LOSS_ROWS; k++)
        for (int s = 0; s < 4 && !loss_rows[k].own_reduction; s++)
            for (int v = 0; v < 4; v++)
                check_reductions(&loss_rows[k], v & 1 ? TP_F32 : TP_F64, some[s], v & 2);
}

/* Value and derivatives of both orders are exactly 0. */
static void expect_zero(const loss_row *row, tp_tensor loss, const tp_tensor *x, int n)
{
    for (int k = 0; k < n; k++) {
        double g[MOST], h[MOST];
        tp_tensor first;
        if (is_constant(row->x[k].kind))
            continue;
        const int64_t count = tp_count_of(x[k]);
        if (!(gradient_of(loss, x[k], g, count) == 0))
            fail_msg("%s: the loss is not 0", row->name);
        tp_gradient(loss, &x[k], 1, &first);
        gradient_of(tp_sum(first), x[k], h, count);
        for (int i = 0; i < count; i++)
            if (!(g[i] == 0 && h[i] == 0))
                fail_msg("%s: derivatives %g, %g by operand %d", row->name, g[i], h[i], k);
    }
}

/* No rows, or only rows of weight 0, whatever they hold. */
static void nothing_to_average(void **state)
{
    (void)state;
    for (int k = 0; k < LOSS_ROWS; k++) {
        const loss_row *row = &loss_rows[k];
        for (int reduction = TP_MEAN; reduction <= TP_MEAN_BY_BATCH; reduction++) {
            if (reduction == TP_NONE || (row->own_reduction && reduction != TP_MEAN))
                continue;
            tp_tape *tape = tp_tape_create(NULL);
            tp_tensor x[MOST_OPERANDS + 1];
            int n = make_operands(row, tape, TP_F64, (sizes){0, 4, 3}, 0, -1, x);
            if (shape_of(row->r, (sizes){0, 4, 3}).rank > 0 || row->own_reduction)
                expect_zero(row, row->record(x, (tp_reduction)reduction, no_weight), x, n);
            n = make_operands(row, tape, TP_F64, usual, 0, 0, x);
            if (!row->own_reduction)
                expect_zero(row, row->record(x, (tp_reduction)reduction, x[n]), x, n);
            n = make_operands(row, tape, TP_F64, usual, NAN, 0, x);
            if (!row->own_reduction && !row->by_products)
                expect_zero(row, row->record(x, (tp_reduction)reduction, x[n]), x, n);
            assert_tape_fine(tape);
            tp_tape_destroy(tape);
        }
    }
}

/* ---- Operands that are no tensors ------------------------------------------------------------------ */

static void expect_refused(const loss_row *row, tp_tape *tape, const tp_tensor *x, tp_status status,
                           const char *word)
{
    assert_false(tp_is_valid(row->record(x, TP_MEAN, no_weight)));
    if (tp_tape_status(tape) != status || strstr(tp_tape_message(tape), word) == NULL ||
        strncmp(tp_tape_message(tape), row->scope, strlen(row->scope)) != 0)
        fail_msg("%s: expected '%s' with \"%s\", got '%s': %s", row->name, tp_status_name(status), word,
                 tp_status_name(tp_tape_status(tape)), tp_tape_message(tape));
    tp_tape_clear_error(tape);
}

static void check_bad_operand(const loss_row *row, tp_tape *tape, const tp_tensor *good, int n, int k)
{
    tp_tape *other = tp_tape_create(NULL);
    tp_tensor x[MOST_OPERANDS + 1];
    const tp_mark mark = tp_tape_mark(tape);
    const tp_tensor stale = tp_input(tape, TP_F64, tp_shape_of(good[k]));

    memcpy(x, good, (size_t)(n + 1) * sizeof *x);
    tp_tape_rewind(mark);
    x[k] = (tp_tensor){.tape = tape, .id = -1}; /* the consequence of an error is not another one */
    assert_false(tp_is_valid(row->record(x, TP_MEAN, no_weight)));
    assert_tape_fine(tape);
    x[k] = stale;
    expect_refused(row, tape, x, TP_BAD_HANDLE, "stale");
    if (k > 0) { /* the first tells whose tape it is */
        x[k] = tp_input(other, tp_dtype_of(good[k]), tp_shape_of(good[k]));
        expect_refused(row, tape, x, TP_BAD_HANDLE, "belongs to another tape");
    }
    x[k] = tp_input(tape, TP_F32, tp_shape_of(good[k]));
    if (k > 0 && !(is_whole(row->x[k].kind) && tp_dtype_of(good[0]) == TP_F32))
        expect_refused(row, tape, x, TP_BAD_DTYPE, "f32");
    x[k] = (tp_tensor){0};
    if (strchr(row->x[k].shape, '?') == NULL)
        expect_refused(row, tape, x, TP_BAD_HANDLE, "absent");
    tp_tape_destroy(other);
}

static void bad_operands(void **state)
{
    const tp_tensor nobody[MOST_OPERANDS + 1] = {{0}};
    (void)state;
    for (int r = 0; r < LOSS_ROWS; r++) {
        const loss_row *row = &loss_rows[r];
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor x[MOST_OPERANDS + 1];
        const int n = make_operands(row, tape, TP_F64, usual, 0, -1, x);
        for (int k = 0; k < n; k++)
            check_bad_operand(row, tape, x, n, k);
        if (strstr(row->name, "barron") == NULL) /* its rule here asks the first operand for its tape */
            assert_null(row->record(nobody, TP_MEAN, no_weight).tape);
        if (!row->own_reduction) {
            assert_false(tp_is_valid(row->record(x, (tp_reduction)9, no_weight)));
            assert_error(tape, TP_BAD_ARGUMENT, "must be one of tp_reduction's, not 9", "loss_rows");
            assert_false(tp_is_valid(row->record(x, TP_MEAN, tp_input(tape, TP_F64, TP_SHAPE(11)))));
            assert_error(tape, TP_BAD_SHAPE, "which does not broadcast to the loss's shape", "loss_rows");
        }
        tp_tape_destroy(tape);
    }
}

/* ---- Places, passes -------------------------------------------------------------------------------- */

/* Every node of a loss lies in its scope, at the line of the call. */
static void places(void **state)
{
    (void)state;
    for (int k = 0; k < LOSS_ROWS; k++) {
        const loss_row *row = &loss_rows[k];
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor x[MOST_OPERANDS + 1];
        const int n = make_operands(row, tape, TP_F64, usual, 0, -1, x);
        const int64_t before = tp_tape_count(tape);
        row->record(x, TP_MEAN, x[n]);
        assert_tape_fine(tape);

        FILE *stream = tmpfile();
        char text[512], scope[64];
        snprintf(scope, sizeof scope, " %s: ", row->scope);
        tp_tape_print(tape, stream);
        rewind(stream);
        for (int64_t line = 0; fgets(text, sizeof text, stream) != NULL; line++)
            if (line >= before && strstr(text, " scalar ") == NULL &&
                (strstr(text, "loss_rows") == NULL || strstr(text, scope) == NULL))
                fail_msg("%s: a node elsewhere: %s", row->name, text);
        fclose(stream);
        tp_tape_destroy(tape);
    }
}

/* The mean of an elementwise loss and its gradient are one pass over memory. */
static void one_pass(void **state)
{
    (void)state;
    for (int k = 0; k < LOSS_ROWS; k++) {
        const loss_row *row = &loss_rows[k];
        const bool elementwise = strcmp(row->x[0].shape, "ND") == 0 && strcmp(row->r, "ND") == 0 &&
                                 row->x[2].kind == 0 && !row->counts_itself;
        if (!elementwise)
            continue;
        tp_tape *tape = tp_tape_create(NULL);
        tp_tensor x[MOST_OPERANDS + 1], gradient;
        make_operands(row, tape, TP_F32, (sizes){15, 17, 3}, 0, -1, x);
        const tp_tensor loss = row->record(x, TP_MEAN, no_weight);
        tp_gradient(loss, x, 1, &gradient);
        tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
        assert_tape_fine(tape);
        const tp_program_summary summary = tp_program_report(program);
        if (summary.loops != 1 || summary.calls != 0)
            fail_msg("%s: %d loops, %d calls", row->name, summary.loops, summary.calls);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* ---- Completeness ---------------------------------------------------------------------------------- */

static bool has_row(const char *name, size_t length)
{
    for (int k = 0; k < LOSS_ROWS; k++)
        if (strncmp(loss_rows[k].name, name, length) == 0 && strchr(",", loss_rows[k].name[length]) != NULL)
            return true;
    return false;
}

static void every_loss_has_a_row(void **state)
{
    static const char start[] = "TP_API tp_tensor tp_";
    glob_t found;
    int losses = 0;
    char text[512];
    (void)state;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/include/tapir/losses/*.h", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        FILE *header = fopen(found.gl_pathv[k], "r");
        assert_non_null(header);
        while (fgets(text, sizeof text, header) != NULL) {
            if (strncmp(text, start, sizeof start - 1) != 0)
                continue;
            const char *name = text + sizeof start - 1;
            const size_t length = strcspn(name, "(");
            if (strncmp(name, "loss_reduce", length) == 0)
                continue;
            losses++;
            if (!has_row(name, length))
                fail_msg("no row for tp_%.*s", (int)length, name);
        }
        fclose(header);
    }
    globfree(&found);
    assert_true(losses > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives),
        cmocka_unit_test(reductions),
        cmocka_unit_test(nothing_to_average),
        cmocka_unit_test(bad_operands),
        cmocka_unit_test(places),
        cmocka_unit_test(one_pass),
        cmocka_unit_test(every_loss_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
