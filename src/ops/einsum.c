/* einsum.c -- Einstein sums, recorded as diagonals, sums, products of elements and products of matrices. */
#include <stdio.h>
#include <string.h>
#include <tapir/op.h>
#include <tapir/ops.h>

#include "matrices.h"

/* Indices: A-Z, a-z, and the axes of an ellipsis counted from its end. */
enum { LETTERS = 52, INDICES = LETTERS + TP_MAX_RANK, MOST_OPERANDS = 16 };

/* A tensor and the index of each of its axes. */
typedef struct term {
    tp_tensor x;
    int n;
    int index
        [INDICES]; /* of a result that is only being thought about there may be more than a tensor can have */
} term;

typedef struct einsum {
    const char *text;
    tp_tensor at; /* the first operand with a tape, for errors */
    term operand[MOST_OPERANDS];
    int n;
    term result; /* without a tensor */
    int64_t size[INDICES];
    int ellipsis; /* axes that the longest ellipsis stands for */
} einsum;

static const tp_tensor none = {0};

static bool has(const term *t, int index)
{
    for (int k = 0; k < t->n; k++)
        if (t->index[k] == index)
            return true;
    return false;
}

/* ---- Errors ---------------------------------------------------------------------------------------- */

/* "f32[2,3], f32[3,4]" */
static const char *describe_operands(const tp_tensor *x, int n, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < n && used < size; k++) {
        char one[TP_TEXT_SIZE];
        const tp_shape shape = tp_shape_of(x[k]);
        used += (size_t)snprintf(text + used, size - used, "%s%s", k > 0 ? ", " : "",
                                 tp_describe(tp_dtype_of(x[k]), &shape, one));
    }
    return text;
}

static bool check_operands(const einsum *e, const tp_tensor *x, int n)
{
    char text[4 * TP_TEXT_SIZE];
    for (int k = 0; k < n; k++) {
        const char *fault = tp_handle_fault(e->at.tape, x[k]);
        if (fault != NULL && !(x[k].tape == e->at.tape && x[k].id < 0))
            tp_fail(e->at, TP_BAD_HANDLE, "einsum: operand %d %s", k, fault);
        if (fault != NULL)
            return false;
    }
    for (int k = 0; k < n; k++) {
        const tp_dtype dtype = tp_dtype_of(x[k]);
        if (dtype == tp_dtype_of(x[0]) && (dtype == TP_F32 || dtype == TP_F64))
            continue;
        tp_fail(e->at, TP_BAD_DTYPE,
                "einsum: the operands must all be f32 or all f64 (convert with tp_cast): %s",
                describe_operands(x, n, text, sizeof text));
        return false;
    }
    return true;
}

/* ---- Reading the subscripts ------------------------------------------------------------------------ */

static int index_of_letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

static char letter_of_index(int index)
{
    return (char)(index < 26 ? 'A' + index : 'a' + index - 26);
}

/* The indices of one operand or of the result, up to a comma, an arrow or the end; *ellipsis is where among them "..."
 * stands, or -1.  NULL when there is something else; then the error is stored. */
static const char *read_term(const einsum *e, const char *at, term *t, int *ellipsis)
{
    *ellipsis = -1;
    t->n = 0;
    for (; *at != '\0' && *at != ',' && strncmp(at, "->", 2) != 0; at++) {
        if (*at == ' ')
            continue;
        if (strncmp(at, "...", 3) == 0 && *ellipsis < 0) {
            *ellipsis = t->n;
            at += 2;
        } else if (index_of_letter(*at) >= 0 && t->n < LETTERS) {
            t->index[t->n++] = index_of_letter(*at);
        } else {
            tp_fail(e->at, TP_BAD_ARGUMENT,
                    "einsum: \"%s\": there should be a letter or one \"...\" at \"%s\"", e->text, at);
            return NULL;
        }
    }
    return at;
}

/* Puts the indices of `axes` axes where the ellipsis stands. */
static void open_ellipsis(term *t, int ellipsis, int axes)
{
    memmove(t->index + ellipsis + axes, t->index + ellipsis, (size_t)(t->n - ellipsis) * sizeof *t->index);
    for (int k = 0; k < axes; k++)
        t->index[ellipsis + k] = LETTERS + axes - 1 - k;
    t->n += axes;
}

/* Notes the sizes of an operand's axes; those of an ellipsis broadcast. */
static bool note_sizes(einsum *e, int number)
{
    const term *t = &e->operand[number];
    const tp_shape shape = tp_shape_of(t->x);
    char text[TP_TEXT_SIZE];

    for (int k = 0; k < t->n; k++) {
        int64_t *size = &e->size[t->index[k]];
        const bool broadcasts = t->index[k] >= LETTERS;
        if (*size < 0 || (broadcasts && *size == 1))
            *size = shape.dim[k];
        if (*size == shape.dim[k] || (broadcasts && shape.dim[k] == 1))
            continue;
        tp_describe(tp_dtype_of(t->x), &shape, text);
        if (broadcasts)
            tp_fail(e->at, TP_BAD_SHAPE,
                    "einsum: \"%s\": the axes of \"...\" do not broadcast at operand %d, %s", e->text, number,
                    text);
        else
            tp_fail(e->at, TP_BAD_SHAPE,
                    "einsum: \"%s\": the index %c is %lld long in operand %d, %s, but %lld before it",
                    e->text, letter_of_index(t->index[k]), (long long)shape.dim[k], number, text,
                    (long long)*size);
        return false;
    }
    return true;
}

static bool fit_operand(einsum *e, int number, int ellipsis)
{
    term *t = &e->operand[number];
    const tp_shape shape = tp_shape_of(t->x);
    const int rest = (int)shape.rank - t->n;
    char text[TP_TEXT_SIZE];

    if (rest < 0 || (rest > 0 && ellipsis < 0)) {
        tp_fail(e->at, TP_BAD_SHAPE, "einsum: \"%s\" names %d axes of operand %d, which is %s", e->text, t->n,
                number, tp_describe(tp_dtype_of(t->x), &shape, text));
        return false;
    }
    if (ellipsis >= 0)
        open_ellipsis(t, ellipsis, rest);
    e->ellipsis = ellipsis >= 0 && rest > e->ellipsis ? rest : e->ellipsis;
    return note_sizes(e, number);
}

/* Without an arrow: the axes of the ellipses, then the indices that are there once, in the alphabet's order. */
static void imply_result(einsum *e)
{
    term *y = &e->result;
    y->n = 0;
    open_ellipsis(y, 0, e->ellipsis);
    for (int index = 0; index < LETTERS; index++) {
        int times = 0;
        for (int k = 0; k < e->n; k++)
            for (int d = 0; d < e->operand[k].n; d++)
                times += e->operand[k].index[d] == index;
        if (times == 1)
            y->index[y->n++] = index;
    }
}

static bool read_result(einsum *e, const char *at)
{
    term *y = &e->result;
    int ellipsis;

    at = read_term(e, at, y, &ellipsis);
    if (at == NULL)
        return false;
    for (int k = 0; k < y->n; k++) {
        term before = *y;
        before.n = k;
        if (has(&before, y->index[k]) || e->size[y->index[k]] < 0) {
            tp_fail(e->at, TP_BAD_ARGUMENT, "einsum: \"%s\": the index %c of the result is %s", e->text,
                    letter_of_index(y->index[k]),
                    has(&before, y->index[k]) ? "named twice" : "in no operand");
            return false;
        }
    }
    if (*at != '\0' || (ellipsis < 0 && e->ellipsis > 0)) {
        tp_fail(e->at, TP_BAD_ARGUMENT,
                *at != '\0' ? "einsum: \"%s\": there can be one result"
                            : "einsum: \"%s\": the result lacks \"...\"",
                e->text);
        return false;
    }
    if (ellipsis >= 0)
        open_ellipsis(y, ellipsis, e->ellipsis);
    return true;
}

static bool read_subscripts(einsum *e, const tp_tensor *x, int n)
{
    const char *at = e->text;
    int written = 1, ellipsis;

    for (const char *c = at; *c != '\0' && strncmp(c, "->", 2) != 0; c++)
        written += *c == ',';
    if (written != n) {
        tp_fail(e->at, TP_BAD_ARGUMENT, "einsum: \"%s\" is for %d operand(s), but there are %d", e->text,
                written, n);
        return false;
    }
    for (int k = 0; k < INDICES; k++)
        e->size[k] = -1;
    for (e->n = 0; e->n < n; e->n++) {
        e->operand[e->n].x = x[e->n];
        at = read_term(e, at, &e->operand[e->n], &ellipsis);
        if (at == NULL || !fit_operand(e, e->n, ellipsis))
            return false;
        at += *at == ',';
    }
    if (*at != '\0')
        return read_result(e, at + strlen("->"));
    imply_result(e);
    return true;
}

/* ---- One operand ----------------------------------------------------------------------------------- */

static void drop(term *t, int axis)
{
    t->n--;
    memmove(t->index + axis, t->index + axis + 1, (size_t)(t->n - axis) * sizeof *t->index);
}

/* Axes a < b, which have the same index, as one, which is the last. */
static void take_diagonal(term *t, int a, int b)
{
    const int index = t->index[a];
    t->x = tp_diagonal(t->x, 0, a, b);
    drop(t, b);
    drop(t, a);
    t->index[t->n++] = index;
}

/* Is the index wanted in the result, or in an operand other than two? */
static bool is_needed(const einsum *e, int index, int a, int b)
{
    for (int k = 0; k < e->n; k++)
        if (k != a && k != b && has(&e->operand[k], index))
            return true;
    return has(&e->result, index);
}

/* No index twice, none that nobody else has, none of an ellipsis that only broadcasts. */
static void prepare(const einsum *e, int number, term *t)
{
    tp_axes alone = {0};
    tp_shape kept = {0};
    term left = {.n = 0};

    for (int a = 0; a < t->n; a++)
        for (int b = a + 1; b < t->n; b++)
            if (t->index[a] == t->index[b]) {
                take_diagonal(t, a, b);
                a = -1; /* the axes have moved: from the start */
                break;
            }
    const tp_shape shape = tp_shape_of(t->x);
    for (int k = 0; k < t->n; k++) {
        if (!is_needed(e, t->index[k], number, number)) {
            alone.axis[alone.n++] = k;
        } else if (shape.dim[k] == e->size[t->index[k]]) {
            kept.dim[kept.rank++] = shape.dim[k];
            left.index[left.n++] = t->index[k];
        }
    }
    left.x = tp_reshape(tp_sum_over(t->x, alone, false), kept);
    *t = left;
}

/* ---- Two operands ---------------------------------------------------------------------------------- */

/* The indices of t that are (or are not) in `other` and (or not) needed. */
typedef struct group {
    int n, index[INDICES];
    int64_t size;
} group;

static void add(const einsum *e, group *g, int index)
{
    g->index[g->n++] = index;
    g->size *= e->size[index];
}

typedef struct split {
    group batch, summed, a, b; /* in both and needed; in both and not; in one only */
} split;

static split split_indices(const einsum *e, int i, int j)
{
    const term *a = &e->operand[i], *b = &e->operand[j];
    split s = {{0, {0}, 1}, {0, {0}, 1}, {0, {0}, 1}, {0, {0}, 1}};
    for (int k = 0; k < a->n; k++) {
        const int index = a->index[k];
        add(e, !has(b, index) ? &s.a : is_needed(e, index, i, j) ? &s.batch : &s.summed, index);
    }
    for (int k = 0; k < b->n; k++)
        if (!has(a, b->index[k]))
            add(e, &s.b, b->index[k]);
    return s;
}

static void append(term *t, const group *g)
{
    for (int k = 0; k < g->n; k++)
        t->index[t->n++] = g->index[k];
}

static bool same_order(const term *t, const group *first, const group *second, const group *third)
{
    term want = {.n = 0};
    append(&want, first);
    append(&want, second);
    append(&want, third);
    return want.n == t->n && memcmp(want.index, t->index, (size_t)t->n * sizeof *t->index) == 0;
}

/* t's axes in the order of `order`, which has all of t's indices and axes of size 1 for others. */
static tp_tensor spread(const term *t, const term *order)
{
    const tp_shape own = tp_shape_of(t->x);
    tp_shape lifted = {.rank = order->n};
    tp_axes axes = {.n = order->n};
    const int ones = order->n - t->n;
    int one = 0;

    for (int d = 0; d < order->n; d++)
        lifted.dim[d] = d < ones ? 1 : own.dim[d - ones];
    for (int d = 0; d < order->n; d++) {
        axes.axis[d] = has(t, order->index[d]) ? ones : one++;
        for (int k = 0; k < t->n; k++)
            if (t->index[k] == order->index[d])
                axes.axis[d] = ones + k;
    }
    return tp_permute(tp_expand(t->x, lifted), axes); /* expand, as a reshape of a view may be a copy */
}

/* [batch, rows, columns]; transposed as a view, which a product of matrices sees through, or a copy. */
static tp_tensor as_matrices(const term *t, const group *batch, const group *rows, const group *columns)
{
    if (same_order(t, batch, columns, rows))
        return tp_transpose(tp_reshape(t->x, TP_SHAPE(batch->size, columns->size, rows->size)), 1, 2);
    term order = {.n = 0};
    append(&order, batch);
    append(&order, rows);
    append(&order, columns);
    return tp_reshape(spread(t, &order), TP_SHAPE(batch->size, rows->size, columns->size));
}

static void multiply_elements(term *y, const term *a, const term *b, const split *s)
{
    tp_axes summed = {0};
    *y = *a;
    append(y, &s->b);
    y->x = tp_mul(spread(a, y), spread(b, y));
    for (int k = y->n - 1; k >= 0; k--)
        for (int j = 0; j < s->summed.n; j++)
            if (y->index[k] == s->summed.index[j]) {
                summed.axis[summed.n++] = k;
                drop(y, k);
                break;
            }
    y->x = tp_sum_over(y->x, summed, false);
}

static void multiply_matrices(const einsum *e, term *y, const term *a, const term *b, const split *s)
{
    tp_shape shape = {0};
    append(y, &s->batch);
    append(y, &s->a);
    append(y, &s->b);
    for (int k = 0; k < y->n; k++)
        shape.dim[shape.rank++] = e->size[y->index[k]];
    const tp_tensor left = as_matrices(a, &s->batch, &s->a, &s->summed),
                    right = as_matrices(b, &s->batch, &s->summed, &s->b);
    y->x = tp_reshape(tp__product(left, right, false, false), shape);
}

/* The last product yields its rows before its columns: which operand's indices does the result have first? */
static bool second_comes_first(const einsum *e, const split *s)
{
    for (int k = 0; k < e->result.n && e->n == 2; k++) {
        for (int j = 0; j < s->a.n; j++)
            if (e->result.index[k] == s->a.index[j])
                return false;
        for (int j = 0; j < s->b.n; j++)
            if (e->result.index[k] == s->b.index[j])
                return true;
    }
    return false;
}

/* Replaces operands i < j by their product, summed over what nobody else needs. */
static bool contract(einsum *e, int i, int j)
{
    const split s = split_indices(e, i, j);
    const bool with_sums = s.summed.n > 0 && s.a.n + s.b.n > 0;
    const int axes = s.batch.n + s.a.n + s.b.n + (with_sums ? 0 : s.summed.n);
    term y = {.n = 0};

    if (axes > TP_MAX_RANK) {
        tp_fail(e->at, TP_BAD_SHAPE,
                "einsum: \"%s\" needs a tensor of %d axes on the way; at most 8 are possible", e->text, axes);
        return false;
    }
    if (with_sums && second_comes_first(e, &s))
        multiply_matrices(e, &y, &e->operand[j], &e->operand[i], &(split){s.batch, s.summed, s.b, s.a});
    else if (with_sums)
        multiply_matrices(e, &y, &e->operand[i], &e->operand[j], &s);
    else
        multiply_elements(&y, &e->operand[i], &e->operand[j], &s);
    e->operand[i] = y;
    e->n--;
    memmove(e->operand + j, e->operand + j + 1, (size_t)(e->n - j) * sizeof *e->operand);
    return tp_is_valid(y.x);
}

/* ---- All of them ----------------------------------------------------------------------------------- */

/* The pair with the fewest multiplications; of equals the first. */
static void cheapest_pair(const einsum *e, int *first, int *second)
{
    double least = 0;
    *second = 0;
    for (int i = 0; i < e->n; i++)
        for (int j = i + 1; j < e->n; j++) {
            const split s = split_indices(e, i, j);
            const double cost =
                (double)s.batch.size * (double)s.summed.size * (double)s.a.size * (double)s.b.size;
            if (*second == 0 || cost < least) {
                least = cost;
                *first = i;
                *second = j;
            }
        }
}

/* The result's indices in the order in which they were asked for. */
static tp_tensor in_order(const einsum *e)
{
    return spread(&e->operand[0], &e->result);
}

static tp_tensor evaluate(einsum *e)
{
    for (int k = 0; k < e->n; k++)
        prepare(e, k, &e->operand[k]);
    while (e->n > 1) {
        int i = 0, j = 1;
        cheapest_pair(e, &i, &j);
        if (!contract(e, i, j))
            return (tp_tensor){.tape = e->at.tape, .id = -1};
    }
    return in_order(e);
}

tp_tensor tp_einsum(const char *subscripts, const tp_tensor *x, int n)
{
    einsum e = {.text = subscripts};

    for (int k = 0; x != NULL && k < n && k < MOST_OPERANDS && e.at.tape == NULL; k++)
        e.at = x[k];
    if (e.at.tape == NULL)
        return none;
    if (subscripts == NULL || n > MOST_OPERANDS)
        return tp_fail(e.at, TP_BAD_ARGUMENT,
                       subscripts == NULL ? "einsum: the subscripts are missing"
                                          : "einsum: at most 16 operands are possible");
    if (!check_operands(&e, x, n) || !read_subscripts(&e, x, n))
        return (tp_tensor){.tape = e.at.tape, .id = -1};
    return evaluate(&e);
}

tp_tensor tp_einsum_at(const char *file, int line, const char *subscripts, const tp_tensor *x, int n)
{
    tp_tensor here[MOST_OPERANDS];
    for (int k = 0; x != NULL && k < n && k < MOST_OPERANDS; k++)
        here[k] = tp_locate(x[k], file, line);
    return tp_einsum(subscripts, x != NULL ? here : NULL, n); /* which looks at no more, but counts them */
}
