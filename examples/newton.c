/* newton.c -- gradient descent, Adam and Newton's method on the same two least-squares problems: how many steps until the loss
 * is within one part in 100,000 of the optimum?
 *
 *     newton [--data DIR] [--csv FILE] [--plot FILE.svg]
 *
 * Newton's step is part of the program like any other: the exact Hessian is recorded by tp_hessian, and the system is
 * solved by its Cholesky factor.
 *
 * --data DIR   read the diabetes table from DIR/diabetes_x.npy and DIR/diabetes_y.npy (f32, 442 x 10 and 442), and its exact
 *              optimum from DIR/reference.txt, instead of the table and the optimum that are built in
 * --csv FILE   write the loss of every step
 * --plot FILE  draw them, if gnuplot is installed
 *
 * The exit status is not 0 if a method misses the optimum.
 */
#define _POSIX_C_SOURCE 200809L
#include <tapir/tapir.h>

#include "newton/diabetes.h"
#include "newton/standardise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = DIABETES_PEOPLE, MOST_COLUMNS = DIABETES_COLUMNS + 1, MOST_STEPS = 20000 };

static const double CLOSE = 1e-5; /* of the optimum, beyond it */

/* ---- Problems --------------------------------------------------------------------------------------- */

/* Predict y by x w, where x has a column of ones at the front and the others are standardised. */
typedef struct problem {
    const char *name;
    int rows, columns;
    double x[MOST_ROWS * MOST_COLUMNS], y[MOST_ROWS];
    double optimum; /* the least mean squared error */
    double descent_rate, adam_rate;
} problem;

/* Standard normal numbers by Box and Muller's method, from Marsaglia's xorshift64. */
static double normal(uint64_t *state)
{
    double u[2];
    for (int k = 0; k < 2; k++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        u[k] = ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
    }
    return sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
}

/* The least mean squared error, by Householder reflections that zero the columns of [x | y] below the diagonal one after the
 * other: what is left of y below them is the residual.  Plain C, so that the optimum is not Tapir's own word. */
static double least_squares(const problem *p)
{
    static double q[MOST_ROWS * (MOST_COLUMNS + 1)];
    const int n = p->columns + 1;
    double residual = 0;

    for (int i = 0; i < p->rows; i++) {
        memcpy(q + i * n, p->x + i * p->columns, (size_t)p->columns * sizeof *q);
        q[i * n + p->columns] = p->y[i];
    }
    for (int k = 0; k < p->columns; k++) {
        double norm = 0;
        for (int i = k; i < p->rows; i++)
            norm += q[i * n + k] * q[i * n + k];
        norm = q[k * n + k] > 0 ? -sqrt(norm) : sqrt(norm);
        q[k * n + k] -= norm; /* column k is now the vector v of the reflection, v^T v = -2 norm v_k */
        for (int j = k + 1; j < n; j++) {
            double along = 0;
            for (int i = k; i < p->rows; i++)
                along += q[i * n + k] * q[i * n + j];
            for (int i = k; i < p->rows; i++)
                q[i * n + j] += along / (norm * q[k * n + k]) * q[i * n + k];
        }
    }
    for (int i = p->columns; i < p->rows; i++)
        residual += q[i * n + p->columns] * q[i * n + p->columns];
    return residual / p->rows;
}

/* A hundred points of a known plane, with noise of deviation 0.5. */
static void make_plane(problem *p)
{
    static const double slope[] = {1, -2, 0.5, 3, -1};
    uint64_t state = 20240229;

    *p = (problem){
        .name = "a plane, 100 x 5", .rows = 100, .columns = 6, .descent_rate = 0.25, .adam_rate = 0.2};
    for (int i = 0; i < p->rows; i++) {
        double *x = p->x + i * p->columns;
        x[0] = 1;
        p->y[i] = 2 + 0.5 * normal(&state);
        for (int j = 1; j < p->columns; j++) {
            x[j] = normal(&state);
            p->y[i] += slope[j - 1] * x[j];
        }
    }
    standardise(p->x, p->rows, p->columns, NULL, NULL);
    p->optimum = least_squares(p);
}

/* An .npy file of n numbers. */
static bool read_floats(const char *directory, const char *name, int n, float *values)
{
    char path[1024];
    tp_npy array;
    tp_io_report report;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (tp_npy_read(path, NULL, &array, &report) != TP_OK) {
        fprintf(stderr, "newton: %s\n", report.message);
        return false;
    }
    const bool fine = array.count == n && tp_npy_copy(&array, 0, n, TP_F32, 1, values) == TP_OK;
    if (!fine)
        fprintf(stderr, "newton: %s: not %d numbers of f32's range\n", path, n);
    tp_npy_free(&array);
    return fine;
}

/* The number of a line "key 1 number". */
static bool read_reference(const char *directory, const char *key, double *number)
{
    char path[1024], line[4096];
    bool found = false;
    snprintf(path, sizeof path, "%s/reference.txt", directory);
    FILE *file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), " 1 %lf", number) == 1;
    if (file != NULL)
        fclose(file);
    if (!found)
        fprintf(stderr, "newton: %s: no %s\n", path, key);
    return found;
}

static bool load_diabetes(problem *p, const char *directory)
{
    static float x[DIABETES_PEOPLE * DIABETES_COLUMNS], y[DIABETES_PEOPLE];

    *p = (problem){.name = "diabetes, 442 x 10",
                   .rows = DIABETES_PEOPLE,
                   .columns = MOST_COLUMNS,
                   .optimum = 2859.696391, /* by another program, to these digits */
                   .descent_rate = 0.2,
                   .adam_rate = 2};
    for (int i = 0; i < p->rows; i++) {
        memcpy(x + i * DIABETES_COLUMNS, diabetes[i], sizeof *x * DIABETES_COLUMNS);
        y[i] = diabetes[i][DIABETES_COLUMNS];
    }
    if (directory != NULL && !(read_floats(directory, "diabetes_x.npy", p->rows * DIABETES_COLUMNS, x) &&
                               read_floats(directory, "diabetes_y.npy", p->rows, y) &&
                               read_reference(directory, "diabetes.ols.mse", &p->optimum)))
        return false;
    for (int i = 0; i < p->rows; i++) {
        p->x[i * p->columns] = 1;
        p->y[i] = (double)y[i];
        for (int j = 1; j < p->columns; j++)
            p->x[i * p->columns + j] = (double)x[i * DIABETES_COLUMNS + j - 1];
    }
    standardise(p->x, p->rows, p->columns, NULL, NULL);
    return true;
}

/* ---- Methods ---------------------------------------------------------------------------------------- */

typedef enum method { DESCENT, ADAM, NEWTON, METHODS } method;

static const char *const method_name[METHODS] = {"gradient descent", "Adam", "Newton"};

/* w - H^-1 g, with H = L L^T. */
static tp_tensor newton_step(tp_tensor loss, tp_tensor w)
{
    tp_tensor gradient, hessian;
    tp_gradient(loss, &w, 1, &gradient);
    tp_hessian(loss, w, &hessian, NULL);
    tp_tensor factor = tp_cholesky(hessian, NULL);
    tp_tensor half = tp_triangular_solve(factor, gradient, NULL);
    tp_tensor change = tp_triangular_solve(factor, half, &(tp_triangular_options){.transpose = true});
    return tp_assign(w, tp_sub(w, change));
}

static tp_tensor record_step(method m, const problem *p, tp_tensor loss, tp_tensor w)
{
    switch (m) {
    case DESCENT: return tp_sgd(loss, &w, 1, &(tp_sgd_options){.learning_rate = p->descent_rate});
    case ADAM: return tp_adam(loss, &w, 1, &(tp_adam_options){.learning_rate = p->adam_rate});
    default: return newton_step(loss, w);
    }
}

typedef struct history {
    int steps;    /* to the optimum, or all */
    bool arrived; /* and stayed no better than the optimum, which nothing can be */
    double loss[MOST_STEPS + 1];
} history;

/* From w = 0; loss[k] is that after k steps. */
static bool follow(method m, const problem *p, history *h)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_constant(tape, TP_F64, TP_SHAPE(p->rows, p->columns), p->x);
    tp_tensor y = tp_constant(tape, TP_F64, TP_SHAPE(p->rows), p->y);
    tp_tensor w = tp_parameter(tape, TP_F64, TP_SHAPE(p->columns), NULL);

    tp_tensor loss = tp_mse(tp_matmul(x, w), y, NULL);
    tp_lint_report remarks;
    if (tp_lint(loss, &w, 1, &remarks) != 0)
        fprintf(stderr, "newton: %s", remarks.message);
    tp_tensor step = record_step(m, p, loss, w);
    tp_program *program = tp_compile((tp_tensor[]){loss, step}, 2, NULL);

    for (h->steps = 0; tp_run(program) == TP_OK; h->steps++) {
        h->loss[h->steps] = tp_item(loss); /* of the w before this run's step */
        const double above = h->loss[h->steps] / p->optimum - 1;
        h->arrived = above <= CLOSE && above >= -1e-8;
        if (above <= CLOSE || h->steps == MOST_STEPS)
            break;
    }
    const bool fine = tp_tape_status(tape) == TP_OK && remarks.count == 0;
    if (!fine)
        fprintf(stderr, "newton: %s\n", tp_tape_message(tape));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return fine;
}

/* ---- Results ---------------------------------------------------------------------------------------- */

enum { PROBLEMS = 2 };
static problem problems[PROBLEMS];
static history histories[PROBLEMS][METHODS];

static void show(void)
{
    printf(
        "Steps from 0 until the mean squared error is within one part in 100,000 of the least possible:\n\n"
        "    %-20s %-18s %8s  %12s  %12s\n",
        "problem", "method", "steps", "loss", "least loss");
    for (int k = 0; k < PROBLEMS; k++)
        for (method m = DESCENT; m < METHODS; m++) {
            const history *h = &histories[k][m];
            printf("    %-20s %-18s %8d  %12.6g  %12.6g%s\n", m == DESCENT ? problems[k].name : "",
                   method_name[m], h->steps, h->loss[h->steps], problems[k].optimum,
                   h->arrived ? "" : "  not reached");
        }
    printf(
        "\nNewton's method takes one step, since the loss is a parabola: its Hessian is the same everywhere.\n");
}

static bool write_csv(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "newton: cannot write %s\n", path);
        return false;
    }
    fprintf(file, "problem,method,step,loss,excess\n");
    for (int k = 0; k < PROBLEMS; k++)
        for (method m = DESCENT; m < METHODS; m++)
            for (int i = 0; i <= histories[k][m].steps; i++)
                fprintf(file, "\"%s\",%s,%d,%.12g,%.6g\n", problems[k].name, method_name[m], i,
                        histories[k][m].loss[i], histories[k][m].loss[i] / problems[k].optimum - 1);
    const bool fine = ferror(file) == 0;
    return fclose(file) == 0 && fine;
}

/* How far above the optimum, by step, both on logarithmic axes.  False when there is no gnuplot. */
static bool plot(const char *path)
{
    if (system("command -v gnuplot >/dev/null 2>&1") != 0)
        return false;
    FILE *gnuplot = popen("gnuplot", "w");
    if (gnuplot == NULL)
        return false;
    fprintf(
        gnuplot,
        "set terminal svg size 900,420 background rgb 'white'\nset output '%s'\nset multiplot layout 1,%d\n"
        "set logscale xy\nset format y '1e%%T'\nset xlabel 'step + 1'\n"
        "set ylabel 'loss above the least, relative'\nset yrange [1e-6:*]\n",
        path, PROBLEMS);
    for (int k = 0; k < PROBLEMS; k++) {
        fprintf(gnuplot, "set title '%s'\nplot ", problems[k].name);
        for (method m = DESCENT; m < METHODS; m++)
            fprintf(gnuplot, "'-' with linespoints pointsize 0.3 title '%s'%s", method_name[m],
                    m + 1 < METHODS ? ", " : "\n");
        for (method m = DESCENT; m < METHODS; m++) {
            for (int i = 0; i <= histories[k][m].steps; i++)
                fprintf(gnuplot, "%d %.6g\n", i + 1,
                        fmax(histories[k][m].loss[i] / problems[k].optimum - 1, 1e-6));
            fprintf(gnuplot, "e\n");
        }
    }
    return pclose(gnuplot) == 0;
}

int main(int argc, char **argv)
{
    const char *data = NULL, *csv = NULL, *picture = NULL;
    bool fine = true;

    for (int i = 1; i < argc; i += 2) {
        const char **option = strcmp(argv[i], "--data") == 0   ? &data
                              : strcmp(argv[i], "--csv") == 0  ? &csv
                              : strcmp(argv[i], "--plot") == 0 ? &picture
                                                               : NULL;
        if (option == NULL || i + 1 == argc) {
            fprintf(stderr, "usage: newton [--data DIR] [--csv FILE] [--plot FILE.svg]\n");
            return 2;
        }
        *option = argv[i + 1];
    }
    make_plane(&problems[0]);
    if (!load_diabetes(&problems[1], data))
        return 1;
    for (int k = 0; k < PROBLEMS; k++)
        for (method m = DESCENT; m < METHODS; m++)
            fine = follow(m, &problems[k], &histories[k][m]) && histories[k][m].arrived && fine;
    show();
    if (csv != NULL)
        fine = write_csv(csv) && fine;
    if (picture != NULL && !plot(picture))
        fprintf(stderr, "newton: no plot: gnuplot is not installed, or failed\n");
    return fine ? 0 : 1;
}
