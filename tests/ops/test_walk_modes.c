/* test_walk_modes.c -- every row through the other modes of differentiation: forward mode against the gradient
 * (<u, J v> = <J' u, v>), Jacobians by rows and by columns against both, Hessian-vector products against the gradient of
 * the gradient and forward mode over it, in f32 too, and in both executors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include <tapir/modes.h>

#include "op_rows.h"

enum { MOST_OUTPUTS = 32, FEW_SWEEPS = 30 };

/* A row, recorded; all that is derived from it is an output of one program. */
typedef struct scene {
    const op_row *row;
    tp_tape *tape;
    char name[160];
    tp_tensor leaf[3], direction[3], y, weight, loss;
    tp_tensor output[MOST_OUTPUTS];
    int outputs;
} scene;

static tp_tensor numbers_like(tp_tensor x, uint64_t seed)
{
    double values[VALUES_MAX];
    generator random = seeded(seed);
    for (int64_t i = 0; i < tp_count_of(x); i++)
        values[i] = next_between(&random, 0.25, 1) * (next_chance(&random, 0.5) ? 1 : -1);
    return make_constant(x.tape, tp_dtype_of(x), tp_shape_of(x), values);
}

static scene open_scene(const op_row *row, operand_form form, tp_dtype dtype)
{
    scene s = {.row = row, .tape = tp_tape_create(NULL)};
    tp_tensor x[3];
    sampler draws;
    char name[128];
    int64_t total = 0;

    snprintf(s.name, sizeof s.name, "%s, %s operands", row_name(row, name), form_name(form));
    for (int k = 0; k < row->n; k++)
        total += tp_shape_count(leaf_shape_for(form, row->shape[k]));
    start_sampler(&draws, row, total, 61);
    for (int k = 0; k < row->n; k++) {
        x[k] = make_operand(s.tape, form, dtype, row->shape[k], &draws, false, &s.leaf[k]);
        s.direction[k] = numbers_like(s.leaf[k], (uint64_t)k + 62);
    }
    s.y = row->build(x, row);
    s.weight = numbers_like(s.y, 71);
    s.loss = loss_of(s.y, 72);
    assert_no_error(s.tape);
    return s;
}

static void close_scene(scene *s)
{
    assert_no_error(s->tape);
    tp_tape_destroy(s->tape);
}

static int add_output(scene *s, tp_tensor x)
{
    if (tp_tape_status(s->tape) != TP_OK)
        fail_msg("%s: %s", s->name, tp_tape_message(s->tape));
    assert_in_range(s->outputs, 0, MOST_OUTPUTS - 1);
    s->output[s->outputs] = x;
    return s->outputs++;
}

/* All outputs by both executors, bit for bit. */
static void compute_outputs(const scene *s, double value[MOST_OUTPUTS][VALUES_MAX])
{
    static double again[VALUES_MAX];
    for (int way = 0; way < 2; way++) {
        tp_program *program = tp_compile(s->output, s->outputs,
                                         &(tp_compile_options){.freeze_random = true, .reference = way == 1});
        assert_non_null(program);
        run_ok(program);
        for (int k = 0; k < s->outputs; k++) {
            get_values(s->output[k], way == 0 ? value[k] : again);
            if (way == 1)
                assert_same(s->name, again, value[k], tp_count_of(s->output[k]));
        }
        tp_program_destroy(program);
    }
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double size_of(const double *a, int64_t n)
{
    return sqrt(dot(a, a, n));
}

static void assert_near(const scene *s, const char *what, double a, double b, double scale)
{
    if (!(fabs(a - b) <= scale))
        fail_msg("%s: %s: %.17g and %.17g", s->name, what, a, b);
}

/* ---- Forward against reverse ------------------------------------------------------------------------- */

typedef struct derived {
    int tangent, weight;                                            /* outputs */
    int gradient[3], direction[3], second[3], plain[3], forward[3]; /* by leaf */
} derived;

static derived derive(scene *s)
{
    tp_tensor out[3], g[3], slope, along = tp_scalar_of(s->tape, tp_dtype_of(s->loss), 0);
    const int n = s->row->n;
    derived d;

    tp_jvp(s->y, s->leaf, s->direction, n, &slope);
    d.tangent = add_output(s, slope);
    d.weight = add_output(s, s->weight);
    tp_vector_jacobian(s->y, s->weight, s->leaf, n, out, NULL);
    tp_gradient(s->loss, s->leaf, n, g);
    for (int k = 0; k < n; k++) {
        d.gradient[k] = add_output(s, out[k]);
        d.direction[k] = add_output(s, s->direction[k]);
        along = tp_add(along, tp_sum(tp_mul(g[k], s->direction[k])));
    }
    tp_gradient(along, s->leaf, n, out);
    for (int k = 0; k < n; k++)
        d.plain[k] = add_output(s, out[k]);
    tp_hessian_vector(s->loss, s->leaf, s->direction, n, out);
    for (int k = 0; k < n; k++) {
        d.second[k] = add_output(s, out[k]);
        tp_jvp(g[k], s->leaf, s->direction, n, &slope);
        d.forward[k] = add_output(s, slope);
    }
    assert_true(tp_shape_equal(tp_shape_of(s->output[d.tangent]), tp_shape_of(s->y)));
    return d;
}

static void walk_case(const op_row *row, operand_form form)
{
    static double value[MOST_OUTPUTS][VALUES_MAX];
    scene s = open_scene(row, form, TP_F64);
    const derived d = derive(&s);
    const int64_t rows = tp_count_of(s.y);
    double columns = 0, scale;

    compute_outputs(&s, value);
    for (int k = 0; k < row->n; k++)
        columns += dot(value[d.gradient[k]], value[d.direction[k]], tp_count_of(s.leaf[k]));
    scale = 1e-12 * (1 + size_of(value[d.tangent], rows) * size_of(value[d.weight], rows));
    if (row->flags & ROW_ROUNDS)
        scale *= 1e5;
    assert_near(&s, "<u, J v> and <J' u, v>", dot(value[d.weight], value[d.tangent], rows), columns, scale);
    for (int k = 0; k < row->n; k++) {
        const int64_t n = tp_count_of(s.leaf[k]);
        scale = (row->flags & ROW_ROUNDS ? 1e-5 : 1e-10) * (1 + size_of(value[d.plain[k]], n));
        for (int64_t i = 0; i < n; i++) {
            assert_near(&s, "Hessian times v and gradient of gradient times v", value[d.second[k]][i],
                        value[d.plain[k]][i], scale);
            assert_near(&s, "Hessian times v and forward mode over the gradient", value[d.forward[k]][i],
                        value[d.plain[k]][i], scale);
        }
    }
    close_scene(&s);
}

static void walk_form(operand_form form)
{
    int count;
    const op_row *row = op_rows(&count);
    for (int r = 0; r < count; r++)
        walk_case(&row[r], form);
}

static void test_leaves(void **state)
{
    (void)state;
    walk_form(FORM_LEAF);
}

static void test_interior_nodes(void **state)
{
    (void)state;
    walk_form(FORM_INTERIOR);
}

static void test_views(void **state)
{
    (void)state;
    for (operand_form form = FORM_PERMUTED; form < FORMS; form++)
        walk_form(form);
}

/* ---- Jacobians --------------------------------------------------------------------------------------- */

/* J by rows and by columns are the same, J v is the tangent, J' u the gradient. */
static void jacobian_case(const op_row *row)
{
    static double value[MOST_OUTPUTS][VALUES_MAX];
    scene s = open_scene(row, FORM_LEAF, TP_F64);
    const int64_t rows = tp_count_of(s.y);
    const double small = row->flags & ROW_ROUNDS ? 1e-6 : 1e-11;
    int64_t columns = 0, at = 0;
    int matrix[2];

    for (int k = 0; k < row->n; k++)
        columns += tp_count_of(s.leaf[k]);
    if (rows > FEW_SWEEPS || columns > FEW_SWEEPS || rows * columns > VALUES_MAX) {
        close_scene(&s);
        return;
    }
    const derived d = derive(&s);
    for (int way = 0; way < 2; way++) {
        const tp_jacobian_options options = {.mode = way == 0 ? TP_REVERSE_MODE : TP_FORWARD_MODE};
        tp_tensor out;
        tp_jacobian_matrix(s.y, s.leaf, row->n, &out, &options);
        matrix[way] = add_output(&s, out);
        assert_true(tp_shape_equal(tp_shape_of(out), TP_SHAPE(rows, columns)));
    }
    compute_outputs(&s, value);
    for (int64_t i = 0; i < rows * columns; i++)
        assert_near(&s, "J by rows and by columns", value[matrix[1]][i], value[matrix[0]][i],
                    small * (1 + fabs(value[matrix[0]][i])));
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0, scale = 1;
        for (int k = 0; k < row->n; k++) {
            const double *part = value[matrix[0]] + at;
            at += tp_count_of(s.leaf[k]);
            sum += dot(part, value[d.direction[k]], tp_count_of(s.leaf[k]));
            scale += size_of(part, tp_count_of(s.leaf[k]));
        }
        assert_near(&s, "J v", value[d.tangent][i], sum, small * scale);
    }
    for (int k = 0, first = 0; k < row->n; first += (int)tp_count_of(s.leaf[k++]))
        for (int64_t j = 0; j < tp_count_of(s.leaf[k]); j++) {
            double sum = 0, scale = 1;
            for (int64_t i = 0; i < rows; i++) {
                sum += value[matrix[1]][i * columns + first + j] * value[d.weight][i];
                scale += fabs(value[matrix[1]][i * columns + first + j]);
            }
            assert_near(&s, "J' u", value[d.gradient[k]][j], sum, small * scale);
        }
    close_scene(&s);
}

static void test_jacobians(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++)
        jacobian_case(&row[r]);
}

/* ---- f32 ---------------------------------------------------------------------------------------------- */

static void test_f32(void **state)
{
    static double wide[MOST_OUTPUTS][VALUES_MAX], narrow[MOST_OUTPUTS][VALUES_MAX];
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        if (row[r].flags & ROW_RANDOM)
            continue;
        scene a = open_scene(&row[r], FORM_LEAF, TP_F64), b = open_scene(&row[r], FORM_LEAF, TP_F32);
        const derived d = derive(&a);
        derive(&b);
        compute_outputs(&a, wide);
        compute_outputs(&b, narrow);
        const int64_t rows = tp_count_of(a.y);
        for (int64_t i = 0; i < rows; i++)
            assert_near(&a, "f32 and f64", narrow[d.tangent][i], wide[d.tangent][i],
                        1e-4 * (1 + size_of(wide[d.tangent], rows)));
        for (int k = 0; k < row[r].n; k++)
            for (int64_t i = 0; i < tp_count_of(a.leaf[k]); i++)
                assert_near(&a, "f32 and f64, second order", narrow[d.second[k]][i], wide[d.second[k]][i],
                            1e-3 * (1 + size_of(wide[d.second[k]], tp_count_of(a.leaf[k]))));
        close_scene(&a);
        close_scene(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves), cmocka_unit_test(test_interior_nodes),
        cmocka_unit_test(test_views),  cmocka_unit_test(test_jacobians),
        cmocka_unit_test(test_f32),
    };
    return cmocka_run_group_tests_name("walk_modes", tests, NULL, NULL);
}
