/* ctc.c -- reads strings of digits of which only the order of the digits is known, not where they are: a small convolutional
 * network, trained by connectionist temporal classification.
 *
 *     ctc [--data DIR] [--epochs N] [--seed N]
 *
 * By default the frames of a string are the pixel columns of handwritten digits, side by side; other data (spoken digits, say) in
 * the same files are read by --data.  Beside the results stand those of the same network trained with PyTorch, from first values
 * of its own.  The exit status is 0 if the loss's gradient is right and the strings are not read much worse than by that after as
 * many epochs.
 */
#include <tapir/tapir.h>

#include "ctc/model.h"
#include "ctc/strings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct settings {
    const char *data;
    int epochs;
    uint64_t seed;
} settings;

static bool parse(settings *s, int argc, char **argv)
{
    *s = (settings){.data = TAPIR_EXAMPLE_DATA "/digit_strings", .epochs = 60, .seed = 1};
    for (int k = 1; k < argc; k += 2) {
        const char *value = k + 1 < argc ? argv[k + 1] : NULL;
        if (value == NULL)
            return false;
        if (strcmp(argv[k], "--data") == 0)
            s->data = value;
        else if (strcmp(argv[k], "--epochs") == 0)
            s->epochs = atoi(value);
        else if (strcmp(argv[k], "--seed") == 0)
            s->seed = strtoull(value, NULL, 10);
        else
            return false;
    }
    return s->epochs > 0;
}

/* ---- What others reached ------------------------------------------------------------------------------- */

/* The same network and loss in PyTorch: Adam at 2e-3, batches of 16, gradients clipped at a norm of 5; errors per label on the
 * test strings, in percent. */
typedef struct baseline {
    int epochs;
    double errors, right;
} baseline;

static const baseline of_columns[] = {{10, 31.11, 34.4}, {20, 11.30, 67.5}, {60, 8.33, 73.5}, {0}};
static const baseline of_speech[] = {{10, 11.33, 63.0}, {20, 8.00, 74.0}, {50, 3.00, 87.7}, {0}};

/* ---- Reading ------------------------------------------------------------------------------------------- */

typedef struct score {
    int64_t labels, errors, strings, right;
    double loss; /* per label */
} score;

/* What the model reads in row k of the batch; returns how many labels. */
static int64_t decode(const model *m, int64_t k, int32_t *labels)
{
    const int32_t *best = tp_values(m->best, TP_I32), *frames = tp_leaf_data(m->halved, TP_I32);
    return tp_ctc_greedy(best + k, frames[k], BATCH, 0, labels);
}

static bool evaluate(const model *m, const strings *s, score *out)
{
    int32_t *labels = calloc((size_t)m->frames + 1, sizeof *labels);
    int64_t *scratch = calloc((size_t)s->labels + 1, sizeof *scratch), here;
    tp_batches *batches = model_batches(m, s, false, 0);
    bool fine = labels != NULL && scratch != NULL && batches != NULL;

    *out = (score){0};
    while (fine && (here = tp_batches_next(batches)) > 0) {
        int64_t labels_here = 0;
        fine = tp_run(m->read) == TP_OK;
        for (int64_t k = 0; k < here && fine; k++) {
            const int64_t row = tp_batches_row(batches, k), n = decode(m, k, labels);
            const int64_t errors =
                tp_edit_distance(labels, n, s->target + row * s->labels, s->target_length[row], scratch);
            labels_here += s->target_length[row];
            out->errors += errors;
            out->right += errors == 0;
            out->strings++;
        }
        out->labels += labels_here;
        out->loss += fine ? tp_item(m->loss) * (double)labels_here : 0;
    }
    out->loss /= (double)out->labels;
    tp_batches_destroy(batches);
    free(labels);
    free(scratch);
    return fine;
}

/* ---- Showing ------------------------------------------------------------------------------------------- */

static void print_digits(const char *what, const int32_t *label, int64_t n)
{
    printf("   %s ", what);
    for (int64_t k = 0; k < n; k++)
        printf("%d", (int)label[k] - 1);
    printf("\n");
}

/* String i as it looks, what it says, and what is read. */
static bool show(const model *m, const strings *s, int64_t i)
{
    int32_t *labels = calloc((size_t)m->frames + 1, sizeof *labels);
    tp_batches *batches = model_batches(m, s, false, 0);
    bool fine = labels != NULL && batches != NULL;
    int64_t k = -1, here;

    while (fine && k < 0 && (here = tp_batches_next(batches)) > 0)
        k = i < here ? i : (i -= here, -1);
    fine = fine && k >= 0 && tp_run(m->read) == TP_OK;
    if (fine) {
        const int64_t row = tp_batches_row(batches, k);
        for (int64_t f = 0; f < s->features; f++) {
            printf("   ");
            for (int64_t t = 0; t < s->length[row]; t++)
                putchar(" .:-=+*#%@"[(int)(9 * s->x[(row * s->features + f) * s->frames + t])]);
            printf("\n");
        }
        print_digits("written:", s->target + row * s->labels, s->target_length[row]);
        print_digits("read:   ", labels, decode(m, k, labels));
    }
    tp_batches_destroy(batches);
    free(labels);
    return fine;
}

/* ---- The tour ------------------------------------------------------------------------------------------ */

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* The loss is looked at and checked on the first batch, before anything is trained. */
static bool verify(const model *m, const strings *train)
{
    const tp_tensor *parameter;
    const int n = tp_collection_parameters(m->net, &parameter);
    tp_batches *batches = model_batches(m, train, false, 0);
    tp_check_report report = {.verdict = TP_CHECK_ERROR};
    tp_lint_report remarks = {.count = 1};

    if (batches != NULL && tp_batches_next(batches) > 0) {
        if (tp_lint(m->loss, parameter, n, &remarks) != 0)
            fputs(remarks.message, stderr);
        tp_check_recorded(m->loss, parameter, n, NULL, &report);
        printf("1. Is the gradient right?  verdict: %s\n   (%s)\n\n", tp_verdict_name(report.verdict),
               report.message);
    }
    tp_batches_destroy(batches);
    return report.verdict >= TP_CHECK_INCONCLUSIVE && remarks.count == 0;
}

static bool train(model *m, const strings *s, const settings *o)
{
    tp_batches *batches = model_batches(m, s, true, o->seed);
    const double start = seconds();
    bool fine = batches != NULL;

    printf("2. Training; the mean of -log p per label:\n");
    for (int epoch = 0; epoch < o->epochs && fine; epoch++) {
        double sum = 0;
        int64_t steps = 0;
        tp_set_rate(m->adam.rate, 2e-3);
        while (tp_batches_next(batches) > 0 && (fine = tp_run(m->train) == TP_OK)) {
            sum += tp_item(m->loss);
            steps++;
        }
        if ((epoch + 1) % 10 == 0 || epoch == 0 || epoch + 1 == o->epochs)
            printf("   epoch %3d  %.4f\n", epoch + 1, sum / (double)steps);
        fflush(stdout);
    }
    printf("   %.1f s of processor time.\n\n", seconds() - start);
    tp_batches_destroy(batches);
    return fine;
}

/* The results beside those of others; true unless they are much worse than those of as many epochs or fewer. */
static bool compare(const score *ours, int epochs, const baseline *others)
{
    const double errors = 100 * (double)ours->errors / (double)ours->labels;
    const baseline *nearest = NULL;

    printf("                      epochs   errors per label   strings right\n");
    for (; others->epochs > 0; others++) {
        printf("   PyTorch            %6d           %6.2f %%        %6.1f %%\n", others->epochs,
               others->errors, others->right);
        if (others->epochs <= epochs)
            nearest = others;
    }
    printf("   this program       %6d           %6.2f %%        %6.1f %%     (-log p per label: %.3f)\n",
           epochs, errors, 100 * (double)ours->right / (double)ours->strings, ours->loss);
    return nearest == NULL || errors <= 1.5 * nearest->errors;
}

static bool tour(const settings *o, const strings *known, const strings *asked)
{
    const bool columns = strings_are_columns(o->data);
    model m;
    score result;

    bool fine = model_create(&m, known, columns ? 48 : 96, o->seed);
    printf(
        "Strings of digits: %lld to learn from, %lld to be asked about; frames of %lld numbers, at most %lld of\n"
        "them; a network of %d weights.\n\n",
        (long long)known->count, (long long)asked->count, (long long)known->features,
        (long long)known->frames, m.weights);
    fine = fine && verify(&m, known) && train(&m, known, o) && evaluate(&m, asked, &result);
    if (fine) {
        printf("3. Asked about strings that it has never seen:\n\n");
        fine = compare(&result, o->epochs, columns ? of_columns : of_speech);
        printf("\n");
        fine = (!columns || show(&m, asked, 2)) && fine;
    }
    if (tp_tape_status(m.tape) != TP_OK)
        fprintf(stderr, "%s\n", tp_tape_message(m.tape));
    model_destroy(&m);
    return fine;
}

int main(int argc, char **argv)
{
    settings o;
    strings known = {0}, asked = {0};

    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: ctc [--data DIR] [--epochs N] [--seed N]\n");
        return 2;
    }
    bool fine = strings_load(&known, o.data, "train") && strings_load(&asked, o.data, "test");
    if (fine && known.features != asked.features) {
        fprintf(stderr, "%s: the frames of the two parts differ\n", o.data);
        fine = false;
    }
    fine = fine && strings_widen(&known, asked.frames, asked.labels) &&
           strings_widen(&asked, known.frames, known.labels) && tour(&o, &known, &asked);
    strings_free(&known);
    strings_free(&asked);
    return fine ? 0 : 1;
}
