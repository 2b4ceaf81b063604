/* test_sequence.c -- ctc beside the sum over all paths, written out: values and derivatives up to the fourth; ragged batches,
 * targets without a path, lengths of 0, long sequences of extreme logits, labels that are wrong; greedy decoding. */
#include "evaluate.h"

#include <float.h>
#include <stdlib.h>

/* ---- All paths, one by one ------------------------------------------------------------------------- */

enum {
    MOST_FRAMES = 5,
    MOST_CLASSES = 4,
    MOST_SCORES = MOST_FRAMES * MOST_CLASSES,
    MOST_LABELS = 3,
    ORDERS = 3
};

typedef struct problem {
    int frames, classes, labels;
    int32_t blank, label[MOST_LABELS];
    double x[MOST_SCORES];         /* log-probabilities, by frames */
    double v[ORDERS][MOST_SCORES]; /* directions */
} problem;

/* What differences of log p are: with f_i the sum of direction i along a path, means under the paths' posterior. */
typedef struct moments {
    double p;               /* the sum over all paths */
    double of[1 << ORDERS]; /* of the product of the f_i of a subset */
    double with_class[1 << ORDERS]
                     [MOST_SCORES]; /* the same times whether the path has that class in that frame */
} moments;

static bool stands_for(const problem *q, const int32_t *path)
{
    int32_t labels[MOST_FRAMES];
    const int64_t n = tp_ctc_greedy(path, q->frames, 1, q->blank, labels);
    return n == q->labels && memcmp(labels, q->label, (size_t)n * sizeof *labels) == 0;
}

static void add_path(const problem *q, const int32_t *path, moments *m)
{
    double log_p = 0, f[ORDERS] = {0};
    for (int t = 0; t < q->frames; t++) {
        log_p += q->x[t * q->classes + path[t]];
        for (int k = 0; k < ORDERS; k++)
            f[k] += q->v[k][t * q->classes + path[t]];
    }
    m->p += exp(log_p);
    for (int a = 0; a < 1 << ORDERS; a++) {
        double product = exp(log_p);
        for (int k = 0; k < ORDERS; k++)
            product *= a >> k & 1 ? f[k] : 1;
        m->of[a] += product;
        for (int t = 0; t < q->frames; t++)
            m->with_class[a][t * q->classes + path[t]] += product;
    }
}

static moments all_paths(const problem *q)
{
    moments m = {0};
    int32_t path[MOST_FRAMES] = {0};
    int64_t count = 1;
    for (int t = 0; t < q->frames; t++)
        count *= q->classes;
    for (int64_t k = 0; k < count; k++) {
        int64_t rest = k;
        for (int t = 0; t < q->frames; t++, rest /= q->classes)
            path[t] = (int32_t)(rest % q->classes);
        if (stands_for(q, path))
            add_path(q, path, &m);
    }
    for (int a = 0; a < 1 << ORDERS; a++) {
        m.of[a] /= m.p;
        for (int i = 0; i < q->frames * q->classes; i++)
            m.with_class[a][i] /= m.p;
    }
    return m;
}

/* The derivative of log p along the first k directions and element i: the joint cumulant of their f_i and of the class. */
static double cumulant(const moments *m, int k, int i)
{
    const double *e = m->of, x = m->with_class[0][i];
    const double xa = m->with_class[1][i], xb = m->with_class[2][i], xab = m->with_class[3][i];
    const double xc = m->with_class[4][i], xac = m->with_class[5][i], xbc = m->with_class[6][i],
                 xabc = m->with_class[7][i];
    if (k == 0)
        return x;
    if (k == 1)
        return xa - e[1] * x;
    if (k == 2)
        return xab - e[1] * xb - e[2] * xa - x * e[3] + 2 * e[1] * e[2] * x;
    return xabc - x * e[7] - e[1] * xbc - e[2] * xac - e[4] * xab - xa * e[6] - xb * e[5] - xc * e[3] +
           2 * (x * e[1] * e[6] + x * e[2] * e[5] + x * e[4] * e[3] + e[1] * e[2] * xc + e[1] * e[4] * xb +
                e[2] * e[4] * xa) -
           6 * x * e[1] * e[2] * e[4];
}

/* The k-th of a fixed sequence in [-1, 1). */
static double number(int64_t k)
{
    uint32_t x = 2654435769u * (uint32_t)(k + 1);
    x = (x ^ x >> 16) * 2246822519u;
    x = (x ^ x >> 13) * 3266489917u;
    return (double)(x >> 8) / 8388608 - 1;
}

static void check_all_orders(const problem *q)
{
    const int64_t n = q->frames * q->classes;
    const moments m = all_paths(q);
    tp_tape *tape = tp_tape_create(NULL);
    const tp_shape shape = TP_SHAPE(q->frames, 1, q->classes);
    const tp_tensor x = tp_parameter(tape, TP_F64, shape, q->x);
    const tp_tensor r = tp_ctc_nll(x, tp_constant(tape, TP_I32, TP_SHAPE(1, MOST_LABELS), q->label),
                                   tp_constant(tape, TP_I32, TP_SHAPE(1), &(int32_t){q->frames}),
                                   tp_constant(tape, TP_I32, TP_SHAPE(1), &(int32_t){q->labels}), q->blank);
    tp_tensor out[ORDERS + 2] = {r}, slope = tp_sum(r);
    double got[MOST_SCORES];

    for (int k = 0; k <= ORDERS; k++) {
        tp_gradient(slope, &x, 1, &out[k + 1]);
        if (k < ORDERS)
            slope = tp_sum(tp_mul(out[k + 1], tp_constant(tape, TP_F64, shape, q->v[k])));
    }
    tp_program *program = evaluate(out, ORDERS + 2);
    read_doubles(r, got, 1);
    if (!(m.p > 0)) {
        assert_true(isinf(got[0]) && got[0] > 0);
        tp_program_destroy(program);
        tp_tape_destroy(tape);
        return;
    }
    assert_close(got[0], -log(m.p), 1e-13);
    for (int k = 0; k <= ORDERS; k++) {
        read_doubles(out[k + 1], got, n);
        for (int i = 0; i < n; i++)
            if (!(fabs(got[i] + cumulant(&m, k, i)) <= 1e-11))
                fail_msg("%d frames, %d labels, order %d, element %d: %.17g is not %.17g", q->frames,
                         q->labels, k + 1, i, got[i], -cumulant(&m, k, i));
    }
    tp_program_destroy(program);
    tp_tape_destroy(tape);
}

/* Every target of up to three labels, for each blank, in one to five frames. */
static void all_targets(int frames, int classes, int32_t blank)
{
    problem q = {.frames = frames, .classes = classes, .blank = blank};
    for (int i = 0; i < frames * classes; i++) {
        q.x[i] = 1.5 * number(i + 7 * frames);
        for (int k = 0; k < ORDERS; k++)
            q.v[k][i] = number(100 * (k + 1) + i);
    }
    for (q.labels = 0; q.labels <= MOST_LABELS; q.labels++) {
        int count = 1;
        for (int k = 0; k < q.labels; k++)
            count *= classes - 1;
        for (int number_of = 0; number_of < count; number_of++) {
            int rest = number_of;
            for (int k = 0; k < q.labels; k++, rest /= classes - 1)
                q.label[k] = (blank + 1 + rest % (classes - 1)) % classes;
            check_all_orders(&q);
        }
    }
}

static void every_path(void **state)
{
    (void)state;
    for (int frames = 1; frames <= MOST_FRAMES; frames++)
        for (int32_t blank = 0; blank < 3; blank++)
            all_targets(frames, 3, blank);
    all_targets(4, 2, 1);
    all_targets(4, 4, 2);
}

/* ---- Batches ----------------------------------------------------------------------------------------- */

/* T = 6, N = 4, C = 4, and far more room for labels than there are; the sequences' padding is as wrong as can be. */
enum { T = 6, N = 4, C = 4, S = 20 };
static const int32_t lengths[N] = {6, 3, 5, 0}, label_counts[N] = {3, 1, 0, 0};
static const int32_t targets[N][S] = {{1, 1, 3}, {2, 99, -5}, {0, 0, 0}, {-1, 4, 0}};

static void fill_scores(double *x, bool padded)
{
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++)
            for (int c = 0; c < C; c++)
                x[(t * N + n) * C + c] =
                    padded && t >= lengths[n] ? (double)NAN : 2 * number((t * N + n) * C + c);
}

typedef struct loss {
    tp_tape *tape;
    tp_tensor x, r, gradient, hvp;
    tp_program *program;
} loss;

static void finish(loss *l, tp_tensor r)
{
    tp_tensor total = tp_sum(r);
    l->r = r;
    tp_gradient(total, &l->x, 1, &l->gradient);
    total = tp_sum(tp_square(l->gradient));
    tp_gradient(total, &l->x, 1, &l->hvp);
    l->program = evaluate((tp_tensor[]){l->r, l->gradient, l->hvp}, 3);
}

static void drop(loss *l)
{
    tp_program_destroy(l->program);
    tp_tape_destroy(l->tape);
}

static loss batch(const double *x, tp_dtype dtype, const tp_ctc_options *o)
{
    loss l = {.tape = tp_tape_create(NULL)};
    float narrow[T * N * C];
    for (int i = 0; i < T * N * C; i++)
        narrow[i] = (float)x[i];
    l.x = tp_parameter(l.tape, dtype, TP_SHAPE(T, N, C), dtype == TP_F64 ? (const void *)x : (void *)narrow);
    finish(&l, tp_ctc(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(N, S), targets),
                      tp_constant(l.tape, TP_I32, TP_SHAPE(N), lengths),
                      tp_constant(l.tape, TP_I32, TP_SHAPE(N), label_counts), o));
    return l;
}

/* Sequence n alone, without its padding. */
static loss alone(const double *x, int n)
{
    loss l = {.tape = tp_tape_create(NULL)};
    double own[T * C] = {0};
    for (int i = 0; i < lengths[n] * C; i++)
        own[i] = x[(i / C * N + n) * C + i % C];
    l.x = tp_parameter(l.tape, TP_F64, TP_SHAPE(lengths[n], 1, C), own);
    finish(&l, tp_ctc(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(1, label_counts[n]), targets[n]),
                      tp_constant(l.tape, TP_I32, TP_SHAPE(1), &lengths[n]),
                      tp_constant(l.tape, TP_I32, TP_SHAPE(1), &label_counts[n]),
                      &(tp_ctc_options){.reduction = TP_NONE}));
    return l;
}

/* A batch is its sequences, to the bit; frames behind them are not looked at and get 0. */
static void ragged(void **state)
{
    const tp_ctc_options none = {.reduction = TP_NONE};
    double x[T * N * C], r[N], g[T * N * C], h[T * N * C];
    (void)state;
    fill_scores(x, true);
    loss all = batch(x, TP_F64, &none);
    read_doubles(all.r, r, N);
    read_doubles(all.gradient, g, T * N * C);
    read_doubles(all.hvp, h, T * N * C);
    for (int n = 0; n < N; n++) {
        double own[T * C], own_h[T * C], value;
        loss one = alone(x, n);
        read_doubles(one.r, &value, 1);
        read_doubles(one.gradient, own, lengths[n] * C);
        read_doubles(one.hvp, own_h, lengths[n] * C);
        assert_true(value == r[n] && isfinite(value));
        for (int i = 0; i < T * C; i++) {
            const int at = (i / C * N + n) * C + i % C;
            const bool inside = i < lengths[n] * C;
            assert_true(g[at] == (inside ? own[i] : 0));
            assert_true(h[at] == (inside ? own_h[i] : 0));
        }
        drop(&one);
    }
    assert_true(r[3] == 0 && !signbit(r[3]));
    drop(&all);
}

static void single_precision(void **state)
{
    double x[T * N * C], wide[T * N * C], narrow[T * N * C];
    (void)state;
    fill_scores(x, false);
    for (int i = 0; i < T * N * C; i++)
        x[i] = (double)(float)x[i];
    loss a = batch(x, TP_F64, NULL), b = batch(x, TP_F32, NULL);
    assert_close(tp_item(b.r), tp_item(a.r), 1e-6);
    const tp_tensor pairs[][2] = {{a.gradient, b.gradient}, {a.hvp, b.hvp}};
    for (int k = 0; k < 2; k++) {
        read_doubles(pairs[k][0], wide, T * N * C);
        read_doubles(pairs[k][1], narrow, T * N * C);
        for (int i = 0; i < T * N * C; i++)
            assert_close(narrow[i], wide[i], 1e-6);
    }
    drop(&a);
    drop(&b);
}

/* TP_MEAN divides by the number of sequences, by_length each r by its labels. */
static void by_length(void **state)
{
    double x[T * N * C], r[N], divided[N];
    (void)state;
    fill_scores(x, false);
    loss plain = batch(x, TP_F64, &(tp_ctc_options){.reduction = TP_NONE}),
         each = batch(x, TP_F64, &(tp_ctc_options){.reduction = TP_NONE, .by_length = true}),
         mean = batch(x, TP_F64, &(tp_ctc_options){.by_length = true});
    read_doubles(plain.r, r, N);
    read_doubles(each.r, divided, N);
    for (int n = 0; n < N; n++)
        assert_true(divided[n] == r[n] / fmax(label_counts[n], 1));
    assert_close(tp_item(mean.r), (divided[0] + divided[1] + divided[2] + divided[3]) / 4, 1e-15);
    drop(&plain);
    drop(&each);
    drop(&mean);
}

/* ---- Without a path ------------------------------------------------------------------------------------ */

/* Two frames for "1 1", which needs three, beside a sequence that is fine. */
static loss impossible(bool zero_infinity, bool ruled_out, tp_tensor weight, tp_tape *tape)
{
    loss l = {.tape = tape};
    double x[2 * 2 * 3];
    for (int i = 0; i < 12; i++)
        x[i] = number(i);
    if (ruled_out) /* the other sequence's label has probability 0 in both frames */
        x[5] = x[11] = -(double)INFINITY;
    l.x = tp_parameter(tape, TP_F64, TP_SHAPE(2, 2, 3), x);
    finish(&l, tp_ctc_log_probs(l.x, tp_constant(tape, TP_I32, TP_SHAPE(2, 2), (int32_t[]){1, 1, 2, 0}),
                                tp_constant(tape, TP_I32, TP_SHAPE(2), (int32_t[]){2, 2}),
                                tp_constant(tape, TP_I32, TP_SHAPE(2), (int32_t[]){2, 1}),
                                &(tp_ctc_options){
                                    .reduction = TP_NONE, .zero_infinity = zero_infinity, .weight = weight}));
    return l;
}

static void check_impossible(bool zero_infinity, bool ruled_out, bool weighted)
{
    tp_tape *tape = tp_tape_create(NULL);
    const tp_tensor weight = tp_constant(tape, TP_F64, TP_SHAPE(2), (double[]){0, 0});
    double r[2], g[12], h[12];
    loss l = impossible(zero_infinity, ruled_out, weighted ? weight : (tp_tensor){0}, tape);
    read_doubles(l.r, r, 2);
    read_doubles(l.gradient, g, 12);
    read_doubles(l.hvp, h, 12);
    for (int n = 0; n < 2; n++) {
        const bool infinite = n == 0 || ruled_out, zero = infinite ? zero_infinity || weighted : weighted;
        assert_true(zero ? r[n] == 0 : infinite ? isinf(r[n]) && r[n] > 0 : isfinite(r[n]) && r[n] != 0);
        for (int i = 0; i < 6; i++) {
            const int at = i / 3 * 6 + 3 * n + i % 3;
            if (zero)
                assert_true(g[at] == 0 && h[at] == 0);
            else
                assert_true(infinite ? isnan(g[at]) && isnan(h[at]) : isfinite(g[at]) && isfinite(h[at]));
        }
    }
    drop(&l);
}

static void without_a_path(void **state)
{
    (void)state;
    for (int k = 0; k < 8; k++)
        check_impossible(k & 1, k & 2, k & 4);
}

/* A class that is ruled out beside one that is not: -inf takes no part, and the derivatives are finite. */
static void ruled_out_class(void **state)
{
    loss l = {.tape = tp_tape_create(NULL)};
    const double inf = (double)INFINITY, x[] = {-inf, -0.5, -1, -0.25, -inf, -inf, -0.125, -2, -inf};
    double r, g[9], h[9];
    (void)state;
    l.x = tp_parameter(l.tape, TP_F64, TP_SHAPE(3, 1, 3), x);
    finish(&l, tp_ctc_log_probs(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(1, 1), (int32_t[]){1}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){3}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){1}), NULL));
    r = tp_item(l.r);
    read_doubles(l.gradient, g, 9);
    read_doubles(l.hvp, h, 9);
    assert_close(r, 0.875, 1e-15); /* the one path: 1, blank, blank */
    for (int i = 0; i < 9; i++) {
        assert_close(g[i], i == 1 || i == 3 || i == 6 ? -1 : 0, 1e-15);
        assert_close(h[i], 0, 1e-15);
    }
    drop(&l);
}

/* ---- Long sequences -------------------------------------------------------------------------------------- */

static long double log_sum(long double a, long double b)
{
    const long double most = a > b ? a : b, least = a > b ? b : a;
    return most == -(long double)INFINITY ? most : most + log1pl(expl(least - most));
}

/* -log p by the recursion over states in a row. */
static double reference(int frames, int classes, const double *lp, int labels, const int32_t *label)
{
    long double alpha[128];
    const int states = 2 * labels + 1;
    assert_in_range((uintmax_t)states, 1, 127);
    for (int t = 0; t < frames; t++)
        for (int s = states - 1; s >= 0;
             s--) { /* downwards, so that the states before are still the old ones */
            const int32_t c = s % 2 == 0 ? 0 : label[s / 2];
            long double sum = t == 0 ? (s < 2 ? 0 : -(long double)INFINITY) : alpha[s];
            if (t > 0 && s > 0)
                sum = log_sum(sum, alpha[s - 1]);
            if (t > 0 && s > 2 && s % 2 == 1 && c != label[s / 2 - 1])
                sum = log_sum(sum, alpha[s - 2]);
            alpha[s] = sum + (long double)lp[t * classes + c];
        }
    return (double)-log_sum(alpha[states - 1], labels > 0 ? alpha[states - 2] : -(long double)INFINITY);
}

/* Posteriors sum to 1 in each frame, whatever the size of the logits. */
static void long_sequences(void **state)
{
    enum { FRAMES = 200, CLASSES = 30, MANY = 40 };
    static double x[FRAMES * CLASSES], g[FRAMES * CLASSES];
    static const double sizes[] = {1, 30, 1000};
    int32_t label[MANY];
    (void)state;
    for (int k = 0; k < MANY; k++)
        label[k] = 1 + (k / 2 * 7) % (CLASSES - 1);
    for (int s = 0; s < 3; s++) {
        loss l = {.tape = tp_tape_create(NULL)};
        for (int i = 0; i < FRAMES * CLASSES; i++)
            x[i] = sizes[s] * (number(i) - 1);
        l.x = tp_parameter(l.tape, TP_F64, TP_SHAPE(FRAMES, 1, CLASSES), x);
        finish(&l, tp_ctc_log_probs(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(1, MANY), label),
                                    tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){FRAMES}),
                                    tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){MANY}), NULL));
        const double r = tp_item(l.r), expected = reference(FRAMES, CLASSES, x, MANY, label);
        assert_true(fabs(r - expected) <= 1e-14 * expected);
        read_doubles(l.gradient, g, FRAMES * CLASSES);
        for (int t = 0; t < FRAMES; t++) {
            double sum = 0;
            for (int c = 0; c < CLASSES; c++)
                sum += g[t * CLASSES + c];
            assert_close(sum, -1, 1e-9);
        }
        drop(&l);
    }
}

/* Where the target is all but certain, r keeps its digits. */
static void almost_certain(void **state)
{
    loss l = {.tape = tp_tape_create(NULL)};
    const double q = exp(-40), x[] = {-40, -q, -40, -q}; /* of the blank and of the label, but for q^2 */
    (void)state;
    l.x = tp_parameter(l.tape, TP_F64, TP_SHAPE(2, 1, 2), x);
    finish(&l, tp_ctc_log_probs(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(1, 2), (int32_t[]){1, 0}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){1}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){1}), NULL));
    assert_true(fabs(tp_item(l.r) - q) <= 1e-15 * q);
    drop(&l);
    l.tape = tp_tape_create(NULL);
    l.x = tp_parameter(l.tape, TP_F64, TP_SHAPE(2, 1, 2), x);
    finish(&l, tp_ctc_log_probs(l.x, tp_constant(l.tape, TP_I32, TP_SHAPE(1, 2), (int32_t[]){1, 0}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){2}),
                                tp_constant(l.tape, TP_I32, TP_SHAPE(1), (int32_t[]){1}), NULL));
    assert_true(fabs(tp_item(l.r)) <= 1e-14 * q); /* all paths but that of two blanks: q^2 is missing */
    drop(&l);
}

/* ---- Bad labels ---------------------------------------------------------------------------------------- */

static void bad_labels(void **state)
{
    static const struct {
        int32_t target[2], frames, labels;
        const char *message;
    } bad[] = {
        {{1, 3}, 2, 2, "ctc: ctc_alpha: the label 3 (element 1) is outside [0, 3)"},
        {{0, 1}, 2, 1, "ctc: ctc_alpha: the label 0 (element 0) is the blank"},
        {{1, 2}, 3, 2, "ctc: ctc_alpha: the input length 3 (element 0) is outside [0, 2]"},
        {{1, 2}, 2, 3, "ctc: ctc_alpha: the target length 3 (element 0) is outside [0, 2]"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        tp_tape *tape = tp_tape_create(NULL);
        const tp_tensor x = tp_parameter(tape, TP_F32, TP_SHAPE(2, 1, 3), (float[]){1, 2, 3, 4, 5, 6});
        const tp_tensor r = tp_ctc(x, tp_constant(tape, TP_I32, TP_SHAPE(1, 2), bad[k].target),
                                   tp_constant(tape, TP_I32, TP_SHAPE(1), &bad[k].frames),
                                   tp_constant(tape, TP_I32, TP_SHAPE(1), &bad[k].labels), NULL);
        tp_tensor gradient;
        tp_gradient(r, &x, 1, &gradient);
        const tp_tensor step = tp_assign(x, tp_sub(x, gradient));
        tp_program *program = tp_compile((tp_tensor[]){r, step}, 2, NULL);
        assert_tape_fine(tape);
        assert_int_equal(tp_run(program), TP_BAD_VALUE);
        assert_error(tape, TP_BAD_VALUE, bad[k].message, "test_sequence.c");
        assert_true(((const float *)tp_values(x, TP_F32))[5] == 6); /* nothing was assigned */
        tp_program_destroy(program);
        tp_tape_destroy(tape);
    }
}

/* ---- Evaluation ------------------------------------------------------------------------------------------ */

static void greedy(void **state)
{
    const int32_t best[] = {3, 0, 3, 3, 3, 3, 0, 1, 3, 1, 0, 0, 2, 2}; /* two sequences, side by side */
    int32_t labels[7], own[] = {0, 2, 2, 0, 2};
    (void)state;
    assert_int_equal(tp_ctc_greedy(best, 7, 2, 0, labels), 3); /* 3 3 3 0 3 0 2 */
    assert_true(labels[0] == 3 && labels[1] == 3 && labels[2] == 2);
    assert_int_equal(tp_ctc_greedy(best + 1, 7, 2, 3, labels), 4); /* 0 3 3 1 1 0 2 */
    assert_true(labels[0] == 0 && labels[1] == 1 && labels[2] == 0 && labels[3] == 2);
    assert_int_equal(tp_ctc_greedy(own, 5, 1, 0, own), 2); /* in place */
    assert_true(own[0] == 2 && own[1] == 2);
    assert_int_equal(tp_ctc_greedy(best, 0, 1, 0, labels), 0);
    assert_int_equal(tp_ctc_greedy(best, -1, 1, 0, labels), 0);
    assert_int_equal(tp_ctc_greedy(NULL, 3, 1, 0, labels), 0);
    assert_int_equal(tp_ctc_greedy(best, 3, 1, 0, NULL), 0);
}

static int64_t distance(const char *a, const char *b)
{
    int32_t x[16], y[16];
    int64_t scratch[17];
    const int64_t n = (int64_t)strlen(a), m = (int64_t)strlen(b);
    for (int64_t i = 0; i < n; i++)
        x[i] = a[i];
    for (int64_t i = 0; i < m; i++)
        y[i] = b[i];
    return tp_edit_distance(x, n, y, m, scratch);
}

static void edit_distance(void **state)
{
    (void)state;
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("sitting", "kitten"), 3);
    assert_int_equal(distance("intention", "execution"), 5);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("abc", "abc"), 0);
    assert_int_equal(distance("abc", "bc"), 1);
    assert_int_equal(distance("ab", "ba"), 2);
    assert_int_equal(tp_edit_distance(NULL, 0, (int32_t[]){1}, 1, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path),       cmocka_unit_test(ragged),
        cmocka_unit_test(single_precision), cmocka_unit_test(by_length),
        cmocka_unit_test(without_a_path),   cmocka_unit_test(ruled_out_class),
        cmocka_unit_test(long_sequences),   cmocka_unit_test(almost_certain),
        cmocka_unit_test(bad_labels),       cmocka_unit_test(greedy),
        cmocka_unit_test(edit_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
