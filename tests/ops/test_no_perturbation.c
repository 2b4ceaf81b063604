/* test_no_perturbation.c -- derivatives come from rules, never from running with changed inputs.
 *
 * While a program of a value, its gradients and its Hessian-vector products runs, the leaves' memory is read-only: a run
 * that changed an input, if only to put it back, would die.  A user's op is run once per run, whatever derivatives are
 * asked for.  And no source but the checker's and the opaque op's speaks of finite differences.
 */
#define _DEFAULT_SOURCE /* mmap's MAP_ANONYMOUS, dirent's d_type */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op_rows.h"

/* ---- Every allocation on pages of its own ------------------------------------------------------------------ */

static size_t whole_pages(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

static void *allocate_pages(size_t size, size_t alignment, void *user)
{
    (void)alignment, (void)user; /* a page is aligned to more */
    void *memory = mmap(NULL, whole_pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void release_pages(void *memory, size_t size, void *user)
{
    (void)user;
    munmap(memory, whole_pages(size));
}

static void protect(tp_tensor leaf, int protection)
{
    const size_t size = (size_t)tp_count_of(leaf) * tp_dtype_size(tp_dtype_of(leaf));
    void *data = tp_leaf_data(leaf, tp_dtype_of(leaf));

    assert_non_null(data);
    assert_int_equal((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    assert_int_equal(mprotect(data, whole_pages(size ? size : 1), protection), 0);
}

/* y, its gradients and Hessian-vector products; returns how many. */
static int record_derivatives(const op_row *row, tp_tensor y, const tp_tensor *leaf, tp_tensor *output)
{
    tp_tensor slope = tp_scalar_of(y.tape, TP_F64, 0);
    output[0] = y;
    assert_int_equal(tp_gradient(loss_of(y, 31), leaf, row->n, output + 1), TP_OK);
    for (int k = 0; k < row->n; k++)
        slope = tp_add(slope, tp_sum(output[1 + k]));
    assert_int_equal(tp_gradient(slope, leaf, row->n, output + 1 + row->n), TP_OK);
    return 1 + 2 * row->n;
}

static void run_protected(const op_row *row, operand_form form)
{
    const tp_allocator allocator = {allocate_pages, release_pages, NULL};
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.allocator = allocator});
    tp_tensor x[3], leaf[3], output[7];
    sampler s;

    start_sampler(&s, row, 512, 32);
    for (int k = 0; k < row->n; k++)
        x[k] = make_operand(tape, form, TP_F64, row->shape[k], &s, false, &leaf[k]);
    const int n = record_derivatives(row, row->build(x, row), leaf, output);
    tp_program *program = compile_all(output, n);
    for (int k = 0; k < row->n; k++)
        protect(leaf[k], PROT_READ);
    run_ok(program);
    run_ok(program);
    for (int k = 0; k < row->n; k++)
        protect(leaf[k], PROT_READ | PROT_WRITE);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

static void test_leaves_are_only_read(void **state)
{
    int count;
    const op_row *row = op_rows(&count);
    (void)state;
    for (int r = 0; r < count; r++) {
        run_protected(&row[r], FORM_LEAF);
        run_protected(&row[r], FORM_SLICED);
    }
}

/* The same with the finite check, which looks at every value. */
static void test_the_finite_check_only_reads(void **state)
{
    const tp_allocator allocator = {allocate_pages, release_pages, NULL};
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.allocator = allocator});
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, 0, 2});
    tp_tensor g;

    (void)state;
    assert_int_equal(tp_gradient(tp_sum(tp_log(x)), &x, 1, &g), TP_OK);
    tp_program *program = tp_compile(&g, 1, &(tp_compile_options){.check_finite = true});
    assert_non_null(program);
    protect(x, PROT_READ);
    assert_int_equal(tp_run(program), TP_NOT_FINITE);
    protect(x, PROT_READ | PROT_WRITE);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- A user's op that counts its runs ----------------------------------------------------------------------- */

typedef struct counting_attr {
    int *runs;
} counting_attr;

static tp_status counting_run(const tp_call *call)
{
    const double *x = call->x[0].data;
    double *y = call->y.data;
    const int64_t n = tp_shape_count(call->y.shape);

    ++*((const counting_attr *)call->attr)->runs;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * x[i] * x[i];
    return TP_OK;
}

static void counting_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_scale(tp_square(d->x[0]), 3));
}

static const char *counting_infer(tp_inference *i)
{
    i->y_shape = i->x_shape[0];
    return NULL;
}

static const tp_op counting = {
    .name = "counting_cube",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(counting_attr),
    .infer = counting_infer,
    .vjp = counting_vjp,
    .run = counting_run,
};

static void test_a_kernel_runs_once(void **state)
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.verify_ops = TP_VERIFY_NEVER});
    const tp_tensor x = make_leaf(tape, TP_F64, TP_SHAPE(3), (double[]){1, -2, 3});
    int runs = 0;
    const tp_tensor y = tp_record(&counting, &x, 1, &(counting_attr){&runs}), loss = tp_sum(tp_square(y));
    tp_tensor g, h;
    double got[3];

    (void)state;
    assert_int_equal(tp_gradient(loss, &x, 1, &g), TP_OK);
    assert_int_equal(tp_gradient(tp_sum(g), &x, 1, &h), TP_OK);
    assert_int_equal(runs, 0); /* recording computes nothing */
    tp_program *program = compile_all((tp_tensor[]){loss, g, h}, 3);
    assert_int_equal(runs, 0);
    for (int round = 1; round <= 3; round++) {
        run_ok(program);
        assert_int_equal(runs, round);
    }
    get_values(g, got);
    assert_same("gradient", got, (double[]){6, -192, 1458}, 3);
    get_values(h, got);
    assert_same("second derivative", got, (double[]){30, 480, 2430}, 3);
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* ---- What the sources say ------------------------------------------------------------------------------------ */

static const char *const telling[] = {
    "finite difference",  "finite-difference",   "finite_difference", "central difference",
    "forward difference", "difference quotient", "perturb",           "richardson"};

static void scan_file(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        for (char *c = line; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        for (size_t k = 0; k < sizeof telling / sizeof *telling; k++)
            if (strstr(line, telling[k]) != NULL)
                fail_msg("%s:%d says '%s'", path, number, telling[k]);
    }
    fclose(file);
}

/* Every file below, but for the checker and the opaque op's (opaque*.c); returns how many. */
static int scan_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    int files = 0;

    if (directory == NULL)
        fail_msg("cannot open %s", folder);
    while ((entry = readdir(directory)) != NULL) {
        char path[1024];
        struct stat about;
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "check") == 0 ||
            strncmp(entry->d_name, "opaque", 6) == 0)
            continue;
        assert_in_range(snprintf(path, sizeof path, "%s/%s", folder, entry->d_name), 1, sizeof path - 1);
        assert_int_equal(stat(path, &about), 0);
        if (S_ISDIR(about.st_mode)) {
            files += scan_folder(path);
        } else {
            scan_file(path);
            files++;
        }
    }
    closedir(directory);
    return files;
}

static void test_no_source_speaks_of_differences(void **state)
{
    (void)state;
    assert_in_range(scan_folder(TAPIR_SOURCE_DIR "/src"), 20, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_are_only_read),
        cmocka_unit_test(test_the_finite_check_only_reads),
        cmocka_unit_test(test_a_kernel_runs_once),
        cmocka_unit_test(test_no_source_speaks_of_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
