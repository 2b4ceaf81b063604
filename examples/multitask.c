/* multitask.c -- two tasks, one network: the alcohol of a wine (a number) and its cultivar (a class) from its twelve other
 * measurements, by fixed weights of the two losses and by learned ones.
 *
 * A shared layer of 16 tanh units, a head for each task; squared error, cross-entropy and a decay, a small number times the sum of
 * all squared weights, make the loss.  Learned weights grow as the training losses fall, which leaves a given decay less and less
 * say; so for either way the decay is chosen by cross-validation within the training rows.
 *
 * Beside the results stand those of the best linear models, one for each task (least squares, softmax regression), on the same 53
 * wines that nothing was fitted to.  The exit status is not 0 if the network is not better at alcohol, or worse at cultivars.
 */
#include <tapir/tapir.h>

#include "multitask/wine.h"

#include <math.h>
#include <stdio.h>

enum { FEATURES = WINE_MEASUREMENTS - 1, HIDDEN = 16, PARAMETERS = 6, STEPS = 200, SEEDS = 5, FOLDS = 5 };

/* Of the linear models: least squares, and softmax regression with a squared penalty of 0.01 / 2. */
static const double linear_mse = 0.6340558127, linear_accuracy = 0.9811320755;

/* ---- Data -------------------------------------------------------------------------------------------- */

typedef struct part {
    int rows;
    float x[WINES * FEATURES], alcohol[WINES];
    int32_t cultivar[WINES];
} part;

static part train, test;

/* Every measurement in units of its deviation in the training rows, around its mean there. */
static void load(void)
{
    double mean[WINE_MEASUREMENTS] = {0}, square[WINE_MEASUREMENTS] = {0};
    int rows = 0;

    for (int i = 0; i < WINES; i++)
        rows += wine[i][WINE_IS_TEST] == 0;
    for (int i = 0; i < WINES; i++)
        for (int j = 0; j < WINE_MEASUREMENTS && wine[i][WINE_IS_TEST] == 0; j++)
            mean[j] += (double)wine[i][j] / rows;
    for (int i = 0; i < WINES; i++)
        for (int j = 0; j < WINE_MEASUREMENTS && wine[i][WINE_IS_TEST] == 0; j++)
            square[j] += pow((double)wine[i][j] - mean[j], 2) / rows;
    for (int i = 0; i < WINES; i++) {
        part *p = wine[i][WINE_IS_TEST] == 0 ? &train : &test;
        for (int j = 0; j < WINE_MEASUREMENTS; j++) {
            const float z = (float)(((double)wine[i][j] - mean[j]) / sqrt(square[j]));
            if (j == 0)
                p->alcohol[p->rows] = z;
            else
                p->x[p->rows * FEATURES + j - 1] = z;
        }
        p->cultivar[p->rows++] = (int32_t)wine[i][WINE_CLASS];
    }
}

/* ---- The network ------------------------------------------------------------------------------------- */

/* Weights and biases uniform within 1 / sqrt(inputs). */
static void make_parameters(tp_tape *tape, tp_tensor *w)
{
    const tp_shape shape[] = {
        TP_SHAPE(FEATURES, HIDDEN),       TP_SHAPE(HIDDEN),        TP_SHAPE(HIDDEN, 1), TP_SHAPE(1),
        TP_SHAPE(HIDDEN, WINE_CULTIVARS), TP_SHAPE(WINE_CULTIVARS)};
    tp_tensor fill[PARAMETERS];

    for (int k = 0; k < PARAMETERS; k++) {
        w[k] = tp_parameter(tape, TP_F32, shape[k], NULL);
        const tp_tensor u = tp_sub(tp_uniform(tape, TP_F32, shape[k]), tp_scalar(tape, 0.5));
        fill[k] = tp_assign(w[k], tp_scale(u, 2 / sqrt(k < 2 ? FEATURES : HIDDEN)));
    }
    tp_program *program = tp_compile(fill, PARAMETERS, NULL);
    tp_run(program);
    tp_program_destroy(program);
}

typedef struct answer {
    tp_tensor alcohol, cultivar; /* a number; three logits */
} answer;

static answer network(const part *p, const tp_tensor *w)
{
    const tp_tensor x = tp_constant(w[0].tape, TP_F32, TP_SHAPE(p->rows, FEATURES), p->x);
    const tp_tensor h = tp_tanh(tp_add(tp_matmul(x, w[0]), w[1]));
    const tp_tensor number = tp_add(tp_matmul(h, w[2]), w[3]);
    return (answer){tp_reshape(number, TP_SHAPE(p->rows)), tp_add(tp_matmul(h, w[4]), w[5])};
}

static tp_tensor alcohol_loss(const part *p, answer a)
{
    return tp_mse(a.alcohol, tp_constant(a.alcohol.tape, TP_F32, TP_SHAPE(p->rows), p->alcohol), NULL);
}

static tp_tensor labels(const part *p, tp_tape *tape)
{
    return tp_constant(tape, TP_I32, TP_SHAPE(p->rows), p->cultivar);
}

/* ---- Training ---------------------------------------------------------------------------------------- */

/* How the two losses are weighed. */
typedef struct plan {
    const char *name;
    double cultivar_weight;
    bool learned;
    double decay;
} plan;

typedef struct result {
    double mse, entropy, accuracy; /* on rows that were not trained on */
    double weight[2];              /* what the two losses were multiplied by in the end */
    bool fine;
} result;

static void evaluate(const part *p, const tp_tensor *w, result *r)
{
    const answer a = network(p, w);
    const tp_tensor label = labels(p, w[0].tape), mse = alcohol_loss(p, a);
    const tp_tensor entropy = tp_cross_entropy(a.cultivar, label, NULL);
    const tp_tensor hit = tp_equal(tp_argmax_over(a.cultivar, TP_AXES(1), false), label);
    const tp_tensor accuracy = tp_mean(tp_cast(hit, TP_F32));
    tp_program *program = tp_compile((tp_tensor[]){mse, entropy, accuracy}, 3, NULL);
    tp_run(program);
    r->mse = tp_item(mse);
    r->entropy = tp_item(entropy);
    r->accuracy = tp_item(accuracy);
    tp_program_destroy(program);
}

/* Fits the network to some rows and looks at others. */
static result fit(const part *rows, const part *others, const plan *p, uint64_t seed, bool talk)
{
    tp_tape *tape = tp_tape_create(&(tp_tape_options){.seed = seed});
    tp_tensor w[PARAMETERS + 1], squares = tp_scalar_of(tape, TP_F32, 0), norms, cosines;
    tp_terms terms;
    result r = {.weight = {1, p->cultivar_weight}};

    make_parameters(tape, w);
    for (int k = 0; k < PARAMETERS; k++)
        squares = tp_add(squares, tp_l2_penalty(w[k], 1));
    const answer a = network(rows, w);
    const tp_term term[] = {
        {"alcohol", alcohol_loss(rows, a), 1, false},
        {"cultivar", tp_cross_entropy(a.cultivar, labels(rows, tape), NULL), p->cultivar_weight, true}};
    tp_tensor total = tp_terms_total(term, 2, &(tp_terms_options){.learned = p->learned}, &terms);
    total = tp_add(total, tp_scale(squares, p->decay));
    tp_terms_gradients(&terms, w, 2, &norms, &cosines); /* at the shared layer */
    w[PARAMETERS] = terms.log_variances;
    const int trained = p->learned ? PARAMETERS + 1 : PARAMETERS;
    tp_lint_report remarks; /* what commonly goes wrong, before any time is spent on it */
    if (tp_lint(total, w, trained, &remarks) != 0)
        fprintf(stderr, "multitask: %s", remarks.message);
    const tp_tensor step = tp_adam(total, w, trained, &(tp_adam_options){.learning_rate = 1e-2});
    tp_program *program = tp_compile((tp_tensor[]){total, terms.values, norms, cosines, step}, 5, NULL);
    for (int k = 0; k <= STEPS && tp_run(program) == TP_OK; k++)
        if (talk && (k == 0 || k == STEPS / 2 || k == STEPS)) {
            float cosine[4] = {0};
            tp_read(cosines, cosine, 4);
            printf("    step %3d: total %.4f, cosine of the two gradients %6.3f, ", k, tp_item(total),
                   (double)cosine[1]);
            tp_terms_print(&terms, stdout);
        }
    if (p->learned) {
        float s[2] = {0};
        tp_read(terms.log_variances, s, 2);
        r.weight[0] = 0.5 * exp(-(double)s[0]);
        r.weight[1] = p->cultivar_weight * exp(-(double)s[1]);
    }
    evaluate(others, w, &r);
    r.fine = tp_tape_status(tape) == TP_OK && remarks.count == 0;
    if (!r.fine)
        fprintf(stderr, "multitask: %s\n", tp_tape_message(tape));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return r;
}

/* ---- Comparing --------------------------------------------------------------------------------------- */

static void copy_row(part *to, const part *from, int i)
{
    for (int j = 0; j < FEATURES; j++)
        to->x[to->rows * FEATURES + j] = from->x[i * FEATURES + j];
    to->alcohol[to->rows] = from->alcohol[i];
    to->cultivar[to->rows++] = from->cultivar[i];
}

/* The decay with the least sum of squared error and cross-entropy on the fifth of the training rows that is left out in turn. */
static double choose_decay(plan p)
{
    static const double decays[] = {0.01, 0.02, 0.04, 0.08, 0.16, 0.32};
    static part most, rest;
    double best = HUGE_VAL, chosen = decays[0];

    for (size_t d = 0; d < sizeof decays / sizeof *decays; d++) {
        double score = 0;
        p.decay = decays[d];
        for (int fold = 0; fold < FOLDS; fold++) {
            most.rows = rest.rows = 0;
            for (int i = 0; i < train.rows; i++)
                copy_row(i % FOLDS == fold ? &rest : &most, &train, i);
            const result r = fit(&most, &rest, &p, 1, false);
            score += r.fine ? (r.mse + r.entropy) / FOLDS : HUGE_VAL;
        }
        if (score < best) {
            best = score;
            chosen = decays[d];
        }
    }
    return chosen;
}

/* The mean over some seeds. */
static bool compare(plan p)
{
    result mean = {.fine = true};

    p.decay = choose_decay(p);
    printf("%s, decay %g:\n", p.name, p.decay);
    for (int seed = 1; seed <= SEEDS; seed++) {
        const result r = fit(&train, &test, &p, (uint64_t)seed, seed == 1);
        mean.mse += r.mse / SEEDS;
        mean.accuracy += r.accuracy / SEEDS;
        for (int k = 0; k < 2; k++)
            mean.weight[k] += r.weight[k] / SEEDS;
        mean.fine = mean.fine && r.fine;
    }
    printf(
        "    test: squared error %.4f, accuracy %.4f   (weights in the end %.3g, %.3g; means of %d seeds)\n\n",
        mean.mse, mean.accuracy, mean.weight[0], mean.weight[1], SEEDS);
    return mean.fine && mean.mse < linear_mse && mean.accuracy >= linear_accuracy - 1e-6;
}

int main(void)
{
    load();
    printf("%d wines to learn from, %d to test with.\n\n", train.rows, test.rows);
    const bool fixed = compare((plan){"weights 1 and 0.5", 0.5, false, 0});
    const bool learned = compare((plan){"learned weights", 1, true, 0});
    printf("linear models: squared error %.4f, accuracy %.4f\n", linear_mse, linear_accuracy);
    return fixed && learned ? 0 : 1;
}
