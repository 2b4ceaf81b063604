/* modes.c -- Hessian-vector products, forward mode, Jacobians and Hessians: sweeps, and their results put together. */
#include "sweep.h"

#include <tapir/modes.h>
#include <tapir/ops.h>

enum { MOST_SWEEPS = 4096 }; /* unless the caller says otherwise */

/* ---- Arguments ------------------------------------------------------------------------------------- */

static tp_status check_arrays(const char *mode, tp_tensor y, int n, bool given)
{
    if (y.tape == NULL)
        return TP_BAD_HANDLE;
    if (n < 0 || !given)
        return tp__fail(y.tape, TP_BAD_ARGUMENT, tp__place_of(y), "%s: wrt, direction or out is missing",
                        mode);
    return TP_OK;
}

static tp_status check(const char *mode, tp_tensor y, const tp_tensor *wrt, int n)
{
    const tp_status status = tp__check_differentiated(mode, y);
    return status == TP_OK ? tp__check_wrt(mode, y, wrt, n) : status;
}

/* Room for n tensors; NULL after storing the error. */
static tp_tensor *allocate_tensors(const char *mode, tp_tensor at, int64_t n)
{
    tp_tensor *x = tp__allocate(&at.tape->allocator, (size_t)n * sizeof *x);
    if (x == NULL)
        tp__fail(at.tape, TP_OUT_OF_MEMORY, tp__place_of(at), "%s: out of memory", mode);
    return x;
}

static void release_tensors(tp_tape *tape, tp_tensor *x, int64_t n)
{
    tp__release(&tape->allocator, x, (size_t)n * sizeof *x);
}

/* The directions as wrt; false after storing an error. */
static bool conform_directions(const char *mode, tp_tensor at, const tp_tensor *wrt,
                               const tp_tensor *direction, int n, tp_tensor *out)
{
    for (int k = 0; k < n; k++) {
        out[k] = tp__conform(mode, "direction", k, direction[k], tp_locate(wrt[k], at.file, at.line));
        if (out[k].id < 0)
            return false;
    }
    return true;
}

/* ---- Products with a direction --------------------------------------------------------------------- */

/* `room` for the gradient, and for the directions as seeds. */
static tp_status hessian_vector(const char *mode, tp_tensor loss, const tp_tensor *wrt,
                                const tp_tensor *direction, int n, tp_tensor *out, tp_tensor *room)
{
    const tp_status status = tp__gradient(mode, loss, wrt, n, room);
    if (status != TP_OK || n == 0)
        return status;
    if (tp__check_wrt(mode, loss, wrt, n) != TP_OK || /* recording the gradient may have bypassed one */
        !conform_directions(mode, loss, wrt, direction, n, room + n))
        return tp__failed(loss.tape);
    return tp__pull_back(mode, room, room + n, n, wrt, n, out, true);
}

tp_status tp_hessian_vector(tp_tensor loss, const tp_tensor *wrt, const tp_tensor *direction, int n,
                            tp_tensor *out)
{
    static const char mode[] = "hessian_vector";
    tp_status status =
        check_arrays(mode, loss, n, n == 0 || (wrt != NULL && direction != NULL && out != NULL));
    if (status == TP_OK) {
        tp_tensor *room = allocate_tensors(mode, loss, 2 * (int64_t)n);
        status = room != NULL ? hessian_vector(mode, loss, wrt, direction, n, out, room) : TP_OUT_OF_MEMORY;
        release_tensors(loss.tape, room, 2 * (int64_t)n);
    }
    return tp__leave(status, loss.tape, out, n);
}

static tp_status jvp(const char *mode, tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction, int n,
                     tp_tensor *out)
{
    const tp_status status = check(mode, y, wrt, n);
    if (status != TP_OK)
        return status;
    if (tp_dtype_of(y) == TP_WEAK) { /* a known number depends on nothing */
        *out = tp_scalar(y.tape, 0);
        return TP_OK;
    }
    tp_tensor *conformed = allocate_tensors(mode, y, n);
    *out = tp__invalid(y.tape);
    if (conformed != NULL && conform_directions(mode, y, wrt, direction, n, conformed))
        *out = tp__push_forward(mode, y, wrt, conformed, n);
    release_tensors(y.tape, conformed, n);
    return out->id >= 0 ? TP_OK : tp__failed(y.tape);
}

tp_status tp_jvp(tp_tensor y, const tp_tensor *wrt, const tp_tensor *direction, int n, tp_tensor *out)
{
    static const char mode[] = "jvp";
    tp_status status =
        check_arrays(mode, y, n, out != NULL && (n == 0 || (wrt != NULL && direction != NULL)));
    tp_tensor tangent = tp__invalid(y.tape); /* out may be wrt or direction */
    if (status == TP_OK)
        status = jvp(mode, y, wrt, direction, n, &tangent);
    if (out != NULL)
        *out = status == TP_OK ? tangent : tp__invalid(y.tape);
    return status;
}

/* ---- Matrices: rows or columns ------------------------------------------------------------------------ */

/* A Jacobian being recorded: of y with respect to wrt[0..n), which have `columns` elements. */
typedef struct jacobian {
    const char *mode;
    tp_tensor y;
    const tp_tensor *wrt;
    int n;
    tp_dtype dtype;
    int64_t rows, columns;
    tp_tensor *room; /* for n tensors */
    tp_tensor *line; /* rows, or columns as rows */
    int64_t lines;
} jacobian;

/* A tensor like `like` with a 1 at one element. */
static tp_tensor one_hot(tp_tensor like, tp_tensor at, int64_t element)
{
    const int64_t count = tp_count_of(like);
    tp_tape *tape = tp_locate_tape(like.tape, at.file, at.line);
    if (count == 1)
        return tp_expand(tp_scalar_of(tape, tp_dtype_of(like), 1), tp_shape_of(like));
    const tp_tensor index = tp_reshape(tp_iota(tape, tp_dtype_of(like), count), tp_shape_of(like));
    return tp_equal(index, tp_scalar(like.tape, (double)element));
}

static tp_tensor as_line(tp_tensor x)
{
    return tp_reshape(x, TP_SHAPE(1, tp_count_of(x)));
}

/* Stores one line; false when it is invalid. */
static bool add_line(jacobian *j, tp_tensor line)
{
    j->line[j->lines++] = line;
    return line.id >= 0;
}

/* The gradient of each element of y. */
static bool add_rows(jacobian *j)
{
    for (int64_t i = 0; i < j->rows; i++) {
        const tp_tensor seed = one_hot(j->y, j->y, i);
        if (seed.id < 0 || tp__pull_back(j->mode, &j->y, &seed, 1, j->wrt, j->n, j->room, true) != TP_OK)
            return false;
        for (int k = 0; k < j->n; k++)
            j->room[k] = as_line(j->room[k]);
        if (!add_line(j, j->n > 1 ? tp_concat(j->room, j->n, 1) : j->room[0]))
            return false;
    }
    return true;
}

/* The derivative of y by each element of wrt. */
static bool add_columns(jacobian *j)
{
    for (int k = 0; k < j->n; k++)
        for (int64_t i = 0; i < tp_count_of(j->wrt[k]); i++) {
            const tp_tensor direction = one_hot(j->wrt[k], j->y, i);
            if (direction.id < 0)
                return false;
            const tp_tensor column = tp__push_forward(j->mode, j->y, &j->wrt[k], &direction, 1);
            if (!add_line(j, tp_cast(as_line(column), j->dtype)))
                return false;
        }
    return true;
}

/* ---- Matrices: the whole ------------------------------------------------------------------------------ */

static bool is_forward(const jacobian *j, const tp_jacobian_options *options)
{
    const tp_jacobian_mode mode = options != NULL ? options->mode : TP_FEWER_SWEEPS;
    return mode == TP_FORWARD_MODE || (mode == TP_FEWER_SWEEPS && j->columns < j->rows);
}

static tp_status check_sweeps(const jacobian *j, int64_t sweeps, const tp_jacobian_options *options)
{
    const int64_t most = options != NULL && options->most_sweeps != 0 ? options->most_sweeps : MOST_SWEEPS;
    const tp__place place = tp__place_of(j->y);
    if (options != NULL && (options->mode < TP_FEWER_SWEEPS || options->mode > TP_FORWARD_MODE))
        return tp__fail(j->y.tape, TP_BAD_ARGUMENT, place, "%s: there is no such mode: %d", j->mode,
                        (int)options->mode);
    if (most < 0 || most > INT32_MAX)
        return tp__fail(j->y.tape, TP_BAD_ARGUMENT, place, "%s: most_sweeps must be 0..%d, but is %lld",
                        j->mode, (int)INT32_MAX, (long long)most);
    if (sweeps > most)
        return tp__fail(
            j->y.tape, TP_BAD_ARGUMENT, place,
            "%s: %lld sweeps for a matrix of %lld by %lld are more than most_sweeps, %lld (a product "
            "with a direction, tp_jvp or tp_hessian_vector, needs one)",
            j->mode, (long long)sweeps, (long long)j->rows, (long long)j->columns, (long long)most);
    return TP_OK;
}

/* Counts rows and columns; the latter must be of one dtype. */
static tp_status measure(jacobian *j)
{
    j->rows = tp_count_of(j->y);
    j->dtype = tp_dtype_of(j->wrt[0]);
    for (int k = 0; k < j->n; k++) {
        const int64_t count = tp_count_of(j->wrt[k]);
        if (tp_dtype_of(j->wrt[k]) != j->dtype)
            return tp__fail(j->y.tape, TP_BAD_DTYPE, tp__place_of(j->y),
                            "%s: wrt[%d] is %s, but wrt[0] %s: a matrix has one dtype", j->mode, k,
                            tp_dtype_name(tp_dtype_of(j->wrt[k])), tp_dtype_name(j->dtype));
        j->columns = count > INT64_MAX - j->columns ? INT64_MAX : j->columns + count;
    }
    return TP_OK;
}

static tp_tensor zeros(const jacobian *j)
{
    tp_tape *tape = tp_locate_tape(j->y.tape, j->y.file, j->y.line);
    return tp_full(tape, j->dtype, TP_SHAPE(j->rows, j->columns), 0);
}

static tp_tensor record_lines(jacobian *j, bool forward, int64_t sweeps)
{
    const int64_t places = sweeps + j->n;
    tp_tensor matrix = tp__invalid(j->y.tape);

    j->line = allocate_tensors(j->mode, j->y, places);
    if (j->line == NULL)
        return matrix;
    j->room = j->line + sweeps;
    if (forward ? add_columns(j) : add_rows(j))
        matrix = j->lines > 1 ? tp_concat(j->line, (int)j->lines, 0) : j->line[0];
    release_tensors(j->y.tape, j->line, places);
    return forward ? tp_transpose(matrix, 0, 1) : matrix;
}

/* The matrix of rows x columns, or an invalid tensor.  y and wrt were checked. */
static tp_tensor record_matrix(const char *mode, tp_tensor y, const tp_tensor *wrt, int n,
                               const tp_jacobian_options *options)
{
    jacobian j = {.mode = mode, .y = y, .wrt = wrt, .n = n};
    if (measure(&j) != TP_OK)
        return tp__invalid(y.tape);
    const bool forward = is_forward(&j, options);
    const int64_t sweeps = forward ? j.columns : j.rows;
    if (j.rows == 0 || j.columns == 0 || tp_dtype_of(y) == TP_WEAK)
        return zeros(&j);
    return check_sweeps(&j, sweeps, options) == TP_OK ? record_lines(&j, forward, sweeps)
                                                      : tp__invalid(y.tape);
}

/* ---- Jacobians ---------------------------------------------------------------------------------------- */

static tp_status finish(tp_tensor matrix, tp_tensor *out)
{
    *out = matrix;
    return matrix.id >= 0 ? TP_OK : tp__failed(matrix.tape);
}

/* A matrix as a tensor of y's shape followed by wrt's; they fit, by check_rank. */
static tp_tensor unfold(tp_tensor matrix, tp_tensor y, tp_tensor wrt)
{
    tp_shape shape = tp_shape_of(y);
    const tp_shape more = tp_shape_of(wrt);
    for (int64_t d = 0; d < more.rank; d++)
        shape.dim[shape.rank++] = more.dim[d];
    return matrix.id >= 0 ? tp_reshape(matrix, shape) : matrix;
}

static tp_status check_rank(const char *mode, tp_tensor at, tp_tensor y, tp_tensor wrt)
{
    const tp_shape a = tp_shape_of(y), b = tp_shape_of(wrt);
    char y_text[TP_TEXT_SIZE], wrt_text[TP_TEXT_SIZE];
    if (a.rank + b.rank <= TP_MAX_RANK)
        return TP_OK;
    return tp__fail(at.tape, TP_BAD_SHAPE, tp__place_of(at),
                    "%s: the derivative of %s by %s would have rank %lld, more than 8 (reshape them, or use "
                    "tp_jacobian_matrix)",
                    mode, tp_describe(tp_dtype_of(y), &a, y_text),
                    tp_describe(tp_dtype_of(wrt), &b, wrt_text), (long long)(a.rank + b.rank));
}

tp_status tp_jacobian(tp_tensor y, tp_tensor wrt, tp_tensor *out, const tp_jacobian_options *options)
{
    static const char mode[] = "jacobian";
    tp_status status = check_arrays(mode, y, 1, out != NULL);
    if (status == TP_OK)
        status = check(mode, y, &wrt, 1);
    if (status == TP_OK)
        status = check_rank(mode, y, y, wrt);
    if (status == TP_OK)
        status = finish(unfold(record_matrix(mode, y, &wrt, 1, options), y, wrt), out);
    return tp__leave(status, y.tape, out, 1);
}

tp_status tp_jacobian_matrix(tp_tensor y, const tp_tensor *wrt, int n, tp_tensor *out,
                             const tp_jacobian_options *options)
{
    static const char mode[] = "jacobian_matrix";
    tp_status status = check_arrays(mode, y, n, out != NULL && wrt != NULL && n > 0);
    if (status == TP_OK)
        status = check(mode, y, wrt, n);
    if (status == TP_OK)
        status = finish(record_matrix(mode, y, wrt, n, options), out);
    return tp__leave(status, y.tape, out, 1);
}

/* ---- Hessians ----------------------------------------------------------------------------------------- */

/* The gradients as one column, for the forward mode; `gradient` is overwritten. */
static tp_tensor joined_gradient(tp_tensor *gradient, int n)
{
    for (int k = 0; k < n; k++)
        gradient[k] = tp_reshape(gradient[k], TP_SHAPE(tp_count_of(gradient[k])));
    return tp_concat(gradient, n, 0);
}

/* Row by row of blocks, since the gradient for one wrt has nothing to do with the rows of another. */
static tp_tensor record_blocks(const char *mode, tp_tensor *gradient, const tp_tensor *wrt, int n,
                               const tp_jacobian_options *options)
{
    for (int k = 0; k < n; k++) {
        gradient[k] = record_matrix(mode, gradient[k], wrt, n, options);
        if (gradient[k].id < 0)
            return gradient[k];
    }
    return n > 1 ? tp_concat(gradient, n, 0) : gradient[0];
}

/* `room` for n tensors. */
static tp_tensor record_hessian(const char *mode, tp_tensor loss, const tp_tensor *wrt, int n,
                                const tp_jacobian_options *options, tp_tensor *room)
{
    jacobian j = {.mode = mode, .y = loss, .wrt = wrt, .n = n};
    if (tp__gradient(mode, loss, wrt, n, room) != TP_OK || tp__check_wrt(mode, loss, wrt, n) != TP_OK ||
        measure(&j) != TP_OK)
        return tp__invalid(loss.tape);
    for (int k = 0; k < n; k++)
        room[k] = tp_locate(room[k], loss.file, loss.line);
    j.rows = j.columns;
    if (check_sweeps(&j, j.columns, options) != TP_OK)
        return tp__invalid(loss.tape);
    if (!is_forward(&j, options) || n == 1)
        return record_blocks(mode, room, wrt, n, options);
    return record_matrix(mode, joined_gradient(room, n), wrt, n, options);
}

static tp_status hessian(const char *mode, tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out,
                         const tp_jacobian_options *options)
{
    tp_tensor *room = allocate_tensors(mode, loss, n);
    if (room == NULL)
        return TP_OUT_OF_MEMORY;
    const tp_tensor matrix = record_hessian(mode, loss, wrt, n, options, room);
    release_tensors(loss.tape, room, n);
    return finish(matrix, out);
}

tp_status tp_hessian(tp_tensor loss, tp_tensor wrt, tp_tensor *out, const tp_jacobian_options *options)
{
    static const char mode[] = "hessian";
    tp_status status = check_arrays(mode, loss, 1, out != NULL);
    if (status == TP_OK && tp_is_valid(wrt))
        status = check_rank(mode, loss, wrt, wrt);
    if (status == TP_OK)
        status = hessian(mode, loss, &wrt, 1, out, options);
    if (status == TP_OK)
        status = finish(unfold(*out, wrt, wrt), out);
    return tp__leave(status, loss.tape, out, 1);
}

tp_status tp_hessian_matrix(tp_tensor loss, const tp_tensor *wrt, int n, tp_tensor *out,
                            const tp_jacobian_options *options)
{
    static const char mode[] = "hessian_matrix";
    tp_status status = check_arrays(mode, loss, n, out != NULL && wrt != NULL && n > 0);
    if (status == TP_OK)
        status = hessian(mode, loss, wrt, n, out, options);
    return tp__leave(status, loss.tape, out, 1);
}
