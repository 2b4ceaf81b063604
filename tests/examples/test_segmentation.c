/* test_segmentation.c -- the parts of examples/segmentation.c: exact masks, reading, scores, the overlay, the networks. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>

#include "../io/files.h"

#include "../../examples/segmentation/digits.h"
#include "../../examples/segmentation/network.h"
#include "../../examples/segmentation/overlay.h"
#include "../../examples/segmentation/pictures.h"
#include "../../examples/segmentation/scores.h"

static const char digits_file[] = TAPIR_SOURCE_DIR "/examples/data/digits/train-images-idx3-ubyte";

/* ---- Digits ---------------------------------------------------------------------------------------- */

static void make_digit(uint8_t *digit, unsigned seed)
{
    for (int k = 0; k < DIGIT_SIDE * DIGIT_SIDE; k++)
        digit[k] = (uint8_t)((unsigned)k * 7919 * seed % (DIGIT_INK + 1));
}

/* Enlarged by an odd whole number, the middle of a pixel's block is the pixel itself: there the mask is known. */
static void enlarged(void **state)
{
    (void)state;
    enum { EACH = 5, EDGE = 4, SIDE = EACH * DIGIT_SIDE + 2 * EDGE };
    for (unsigned seed = 1; seed <= 5; seed++) {
        uint8_t digit[DIGIT_SIDE * DIGIT_SIDE];
        float picture[SIDE * SIDE] = {0}, mask[SIDE * SIDE] = {0};

        make_digit(digit, seed);
        digits_draw(digit, EDGE, EDGE, EACH * DIGIT_SIDE, 1, SIDE, SIDE, picture, mask);
        for (int i = 0; i < DIGIT_SIDE; i++)
            for (int j = 0; j < DIGIT_SIDE; j++) {
                const int at = (EDGE + i * EACH + EACH / 2) * SIDE + EDGE + j * EACH + EACH / 2;
                assert_true(mask[at] == (digit[i * DIGIT_SIDE + j] >= DIGIT_INK / 2 ? 1 : 0));
            }
        /* On a background of 0 the grey 1 shows the edge: the picture is above a half exactly where the mask is. */
        for (int k = 0; k < SIDE * SIDE; k++)
            assert_true(mask[k] == 1 ? picture[k] >= 0.5f : mask[k] == 0 && picture[k] <= 0.5f);
        for (int j = 0; j < SIDE; j++)
            assert_true(mask[j] == 0 && mask[j * SIDE] == 0);
    }
}

/* What is outside the picture is lost, on every side. */
static void beyond_the_edge(void **state)
{
    (void)state;
    enum { SIDE = 12, AROUND = 64, ALL = SIDE * SIDE + 2 * AROUND };
    const double places[][2] = {{-9, 3}, {3, -9}, {9, 3}, {3, 9}, {-9.5, -9.5}, {40, 0}, {0, -40}};
    uint8_t digit[DIGIT_SIDE * DIGIT_SIDE];

    memset(digit, DIGIT_INK, sizeof digit);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        float picture[ALL] = {0}, mask[ALL] = {0}, covered = 0;
        digits_draw(digit, places[p][0], places[p][1], 12, 1, SIDE, SIDE, picture + AROUND, mask + AROUND);
        for (int k = 0; k < ALL; k++) {
            const bool outside = k < AROUND || k >= AROUND + SIDE * SIDE;
            assert_true(!outside || (picture[k] == 0 && mask[k] == 0));
            covered += mask[k];
        }
        assert_true(p < 5 ? covered > 0 : covered == 0);
    }
}

static float mean_of(const float *x, int n, float *deviation)
{
    double mean = 0, square = 0;
    for (int k = 0; k < n; k++)
        mean += (double)x[k] / n;
    for (int k = 0; k < n; k++)
        square += ((double)x[k] - mean) * ((double)x[k] - mean) / n;
    *deviation = (float)sqrt(square);
    return (float)mean;
}

static void check_half(const pictures *p, int k)
{
    const int h = p->height / 2, w = p->width / 2;
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++) {
            int covered = 0;
            for (int b = 0; b < 4; b++)
                covered += p->mask[(k * p->height + 2 * i + b / 2) * p->width + 2 * j + b % 2] != 0 ? 1 : 0;
            assert_true(p->half[(k * h + i) * w + j] == (covered >= 2 ? 1 : 0));
        }
}

static void made_up(void **state)
{
    (void)state;
    enum { COUNT = 12, SIDE = 32, PIXELS = SIDE * SIDE };
    pictures p, again, other;

    assert_true(digits_make(&p, digits_file, 0, 100, COUNT, SIDE, 7));
    assert_true(digits_make(&again, digits_file, 0, 100, COUNT, SIDE, 7));
    assert_true(digits_make(&other, digits_file, 0, 100, COUNT, SIDE, 8));
    assert_memory_equal(p.image, again.image, COUNT * PIXELS * sizeof(float));
    assert_memory_equal(p.mask, again.mask, COUNT * PIXELS * sizeof(float));
    assert_memory_not_equal(p.image, other.image, COUNT * PIXELS * sizeof(float));
    assert_memory_not_equal(p.mask, other.mask, COUNT * PIXELS * sizeof(float));
    for (int k = 0; k < COUNT; k++) {
        float deviation, covered = 0;
        assert_true(fabsf(mean_of(p.image + k * PIXELS, PIXELS, &deviation)) < 1e-5f);
        assert_true(fabsf(deviation - 1) < 1e-5f);
        for (int j = 0; j < PIXELS; j++) {
            const float m = p.mask[k * PIXELS + j];
            assert_true(m == 0 || m == 1);
            covered += m;
        }
        assert_true(covered > 10 && covered < PIXELS / 2);
        check_half(&p, k);
    }
    pictures_free(&p);
    pictures_free(&again);
    pictures_free(&other);

    assert_false(digits_make(&p, digits_file, 0, 100000, COUNT, SIDE, 7));
    assert_false(digits_make(&p, digits_file, 5, 5, COUNT, SIDE, 7));
    assert_false(digits_make(&p, in_directory("none"), 0, 5, COUNT, SIDE, 7));
}

/* ---- Files ----------------------------------------------------------------------------------------- */

/* A .npy file of bytes. */
static void write_npy(const char *name, const char *shape, const uint8_t *values, size_t count)
{
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    const int n = snprintf(header + 10, sizeof header - 10,
                           "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
    header[10 + n] = ' ';
    header[127] = '\n';
    FILE *file = fopen(in_directory(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, sizeof header, file), sizeof header);
    assert_int_equal(fwrite(values, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void read_from_files(void **state)
{
    (void)state;
    uint8_t image[2 * 4 * 8], mask[2 * 4 * 8];
    pictures p;

    for (int k = 0; k < 64; k++) {
        image[k] = (uint8_t)(k < 32 ? 3 * k + 10 : 200); /* the second one is of one grey */
        mask[k] = (uint8_t)(k * 5 % 7 < 3);
    }
    write_npy("a_images.npy", "(2, 1, 4, 8)", image, 64);
    write_npy("a_masks.npy", "(2, 4, 8)", mask, 64);
    assert_true(pictures_load(&p, directory, "a"));
    assert_true(p.count == 2 && p.height == 4 && p.width == 8);
    for (int k = 0; k < 64; k++) {
        /* 3 k + 10, standardised: the deviation of 0 .. 31 is sqrt((32^2 - 1) / 12). */
        const double expected = k < 32 ? (k - 15.5) / sqrt(1023 / 12.0) : 0;
        assert_true(fabs((double)p.image[k] - expected) < 1e-6);
        assert_true(p.mask[k] == (float)mask[k]);
    }
    check_half(&p, 0);
    check_half(&p, 1);
    pictures_free(&p);

    assert_false(pictures_load(&p, directory, "b")); /* there is none */
    const struct {
        const char *image, *mask;
    } bad[] = {{"(2, 4, 8)", "(2, 4, 8)"},      {"(2, 2, 4, 4)", "(2, 4, 4)"},
               {"(2, 1, 4, 8)", "(2, 8, 4)"},   {"(1, 1, 8, 8)", "(2, 4, 8)"},
               {"(2, 1, 16, 2)", "(2, 16, 2)"}, {"(0, 1, 4, 8)", "(0, 4, 8)"},
               {"(2, 1, 4, 8)", "(2, 1, 4, 8)"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const size_t n = bad[k].image[1] == '0' ? 0 : 64;
        write_npy("b_images.npy", bad[k].image, image, n);
        write_npy("b_masks.npy", bad[k].mask, mask, n);
        assert_false(pictures_load(&p, directory, "b"));
    }
    mask[63] = 2;
    write_npy("b_images.npy", "(2, 1, 4, 8)", image, 64);
    write_npy("b_masks.npy", "(2, 4, 8)", mask, 64);
    assert_false(pictures_load(&p, directory, "b"));
    assert_true(p.image == NULL && p.mask == NULL && p.half == NULL);
    files_there(true);
}

/* ---- Mirrors ----------------------------------------------------------------------------------------- */

static void mirrors(void **state)
{
    (void)state;
    const float x[2 * 2 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const float expected[4][12] = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                   {3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10},
                                   {4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9},
                                   {6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7}};
    for (int way = 0; way < 4; way++) {
        float y[12];
        memcpy(y, x, sizeof y);
        mirror(y, 2, 2, 3, way & 1, way & 2);
        assert_memory_equal(y, expected[way], sizeof y);
        mirror(y, 2, 2, 3, way & 1, way & 2);
        assert_memory_equal(y, x, sizeof y);
    }
}

/* ---- Scores ------------------------------------------------------------------------------------------ */

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static void scores(void **state)
{
    (void)state;
    const uint8_t predicted[12] = {1, 1, 1, 0, 0, 0, /**/ 0, 0, 0, 0, 0, 0};
    const float mask[12] = {1, 1, 0, 1, 0, 0, /**/ 0, 0, 0, 0, 0, 0};

    const counts c = count_pixels(predicted, mask, 6);
    assert_true(c.true_positive == 2 && c.false_positive == 1 && c.false_negative == 1);
    assert_int_equal(c.true_negative, 2);
    assert_true(near(dice_of(c), 4 / 6.0) && near(iou_of(c), 2 / 4.0) && near(accuracy_of(c), 4 / 6.0));

    /* Nothing there and nothing predicted is right. */
    const counts nothing = count_pixels(predicted + 6, mask + 6, 6);
    assert_true(dice_of(nothing) == 1 && iou_of(nothing) == 1 && accuracy_of(nothing) == 1);
    const counts missed = count_pixels(predicted + 6, mask, 6);
    assert_true(dice_of(missed) == 0 && iou_of(missed) == 0);

    const score both = score_pictures(predicted, mask, 2, 6);
    assert_true(near(both.dice, 4 / 6.0) && near(both.dice_per_picture, (4 / 6.0 + 1) / 2));
    assert_true(near(both.iou, 0.5) && near(both.accuracy, 10 / 12.0));
}

static void thresholds(void **state)
{
    (void)state;
    float picture[100];
    uint8_t said[100];

    for (int turned = 0; turned < 2; turned++) { /* 30 light pixels on dark, then 30 dark ones on light */
        for (int k = 0; k < 100; k++) {
            const float grey = (k < 30 ? 5.f : 1.f) + 0.01f * (float)(k % 10);
            picture[k] = turned ? -grey : grey;
        }
        otsu(picture, 100, said);
        for (int k = 0; k < 100; k++)
            assert_int_equal(said[k], k < 30);
    }
    for (int k = 0; k < 100; k++)
        picture[k] = 2;
    otsu(picture, 100, said); /* of one grey: nothing */
    for (int k = 0; k < 100; k++)
        assert_int_equal(said[k], 0);
}

static void doubled(void **state)
{
    (void)state;
    const uint8_t mask[6] = {1, 0, 0, 0, 1, 1};
    const uint8_t expected[24] = {1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1};
    uint8_t out[24];
    double_mask(mask, 2, 3, out);
    assert_memory_equal(out, expected, sizeof out);
}

/* ---- The overlay ------------------------------------------------------------------------------------- */

static void overlay(void **state)
{
    (void)state;
    enum { SIDE = 4, PIXELS = SIDE * SIDE, LARGE = 128 / SIDE };
    static uint8_t bytes[1 << 20];
    pictures p;
    uint8_t said[2 * PIXELS] = {0};

    assert_true(pictures_create(&p, 2, SIDE, SIDE));
    p.image[0] = p.image[PIXELS] = -1; /* black; the second picture has white in all its other pixels */
    for (int k = 1; k < PIXELS; k++)
        p.image[PIXELS + k] = 1;
    said[0] = said[1] = 1; /* the first right, the second wrong, the third missed */
    p.mask[0] = p.mask[2] = 1;
    assert_true(overlay_write(in_directory("overlay.ppm"), &p, said));
    assert_int_equal(files_there(false), 1);

    const size_t n = read_bytes(in_directory("overlay.ppm"), bytes, sizeof bytes);
    const int width = 2 * (2 * 128 + OVERLAY_GAP) + OVERLAY_GAP, height = 128 + 2 * OVERLAY_GAP;
    char header[64];
    const int start = snprintf(header, sizeof header, "P6\n%d %d\n255\n", width, height);
    assert_memory_equal(bytes, header, (size_t)start);
    assert_int_equal(n, start + 3 * width * height);
    const struct {
        int pair, row, column; /* in pixels of the picture, the tinted half being columns 4 to 7 */
        uint8_t colour[3];
    } expected[] = {{0, 0, 0, {0, 0, 0}},       {0, 0, 1, {255, 255, 255}}, {0, 0, 4, {0, 127, 0}},
                    {0, 0, 5, {254, 127, 127}}, {0, 0, 6, {127, 127, 254}}, {0, 3, 7, {255, 255, 255}},
                    {1, 0, 4, {0, 0, 0}},       {1, 0, 5, {255, 255, 255}}};
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++)
        for (int at = 0; at < LARGE; at += LARGE - 1) {
            const int row = OVERLAY_GAP + expected[k].row * LARGE + at;
            const int column =
                OVERLAY_GAP + expected[k].pair * (256 + OVERLAY_GAP) + expected[k].column * LARGE + at;
            assert_memory_equal(bytes + start + 3 * (row * width + column), expected[k].colour, 3);
        }

    /* What cannot be written leaves nothing behind. */
    assert_false(overlay_write(in_directory("none/overlay.ppm"), &p, said));
    assert_int_equal(files_there(true), 1);
    pictures_free(&p);
}

/* ---- The networks ------------------------------------------------------------------------------------ */

enum { SMALL = 8, IN_SMALL = SMALL * SMALL };

static float made_number(int k)
{
    return (float)sin(k * 12.9898 + 1);
}

static void fill(const network *n, int real)
{
    float *image = tp_leaf_data(n->image, TP_F32), *mask = tp_leaf_data(n->mask, TP_F32),
          *weight = tp_leaf_data(n->weight, TP_F32);
    const int pixels = (int)tp_count_of(n->mask) / BATCH;

    for (int k = 0; k < BATCH * IN_SMALL; k++)
        image[k] = k < real * IN_SMALL ? made_number(k) : 100;
    for (int k = 0; k < BATCH * pixels; k++)
        mask[k] = k < real * pixels ? made_number(k) > 0 ? 1 : 0 : 1;
    for (int k = 0; k < BATCH; k++)
        weight[k] = k < real ? 1 : 0;
}

/* Both parts of the loss by their formulas, from the probabilities; the batch is filled up behind `real` pictures. */
static void check_loss(const network *n, int real)
{
    const int pixels = (int)tp_count_of(n->mask) / BATCH;
    double dice = 0, bce = 0;

    fill(n, real);
    tp_tensor output[] = {n->term[0].tensor, n->probability};
    tp_program *program = tp_compile(output, 2, NULL);
    assert_int_equal(tp_run(program), TP_OK);
    const float *p = tp_values(n->probability, TP_F32), *t = tp_values(n->mask, TP_F32);
    for (int b = 0; b < real; b++) {
        double both = 0, all = 0;
        for (int k = b * pixels; k < (b + 1) * pixels; k++) {
            both += (double)p[k] * (double)t[k];
            all += (double)p[k] + (double)t[k];
            bce -= log(t[k] == 1 ? (double)p[k] : 1 - (double)p[k]) / (real * pixels);
        }
        dice += (1 - (2 * both + 1) / (all + 1)) / real;
    }
    assert_true(fabs(tp_item(output[0]) - (n->loss_kind == DICE ? dice : dice + bce)) < 1e-5);
    tp_program_destroy(program);
}

/* As in PyTorch: within 1 / sqrt(inputs), and not within much less. */
static void check_first_values(const tp_conv2d_layer *layer)
{
    const tp_shape s = tp_shape_of(layer->weight);
    const float bound = 1 / sqrtf((float)(s.dim[1] * s.dim[2] * s.dim[3]));
    const float *weight = tp_values(layer->weight, TP_F32), *bias = tp_values(layer->bias, TP_F32);
    float largest = 0, some_bias = 0;

    for (int64_t k = 0; k < tp_count_of(layer->weight); k++)
        largest = fmaxf(largest, fabsf(weight[k]));
    for (int64_t k = 0; k < s.dim[0]; k++)
        some_bias = fmaxf(some_bias, fabsf(bias[k]));
    assert_true(largest <= bound * 1.00001f && largest > 0.5f * bound);
    assert_true(some_bias <= bound * 1.00001f && some_bias > 0);
}

static void networks(void **state)
{
    (void)state;
    const int64_t weights[] = {18881, 106417};
    const int layers[] = {3, 9};

    for (int kind = 0; kind < 2; kind++)
        for (int loss = 0; loss < 2; loss++) {
            network n;
            const tp_tensor *parameter;
            tp_check_report report;
            int64_t count = 0;

            assert_true(network_create(&n, (net_kind)kind, (loss_kind)loss, SMALL, SMALL, 3));
            for (int k = tp_collection_parameters(n.weights, &parameter); k-- > 0;)
                count += tp_count_of(parameter[k]);
            assert_int_equal(count, weights[kind]);
            for (int k = 0; k < layers[kind]; k++)
                check_first_values(&n.layer[k]);
            check_loss(&n, BATCH);
            check_loss(&n, 3);
            assert_true(network_check(&n, &report));

            /* A step makes the loss of the same batch smaller. */
            fill(&n, BATCH);
            assert_int_equal(tp_run(n.train), TP_OK);
            const double before = tp_item(n.term[0].tensor);
            assert_int_equal(tp_run(n.train), TP_OK);
            assert_true(tp_item(n.term[0].tensor) < before);

            /* The rate is what is set: at 0 a step changes nothing. */
            assert_int_equal(tp_set_rate(n.adam.rate, 0), TP_OK);
            assert_int_equal(tp_run(n.train), TP_OK);
            const double still = tp_item(n.term[0].tensor);
            assert_int_equal(tp_run(n.train), TP_OK);
            assert_true(tp_item(n.term[0].tensor) == still);
            network_destroy(&n);
        }
}

/* Pictures in batches, the last one not full, as one by one. */
static void predictions(void **state)
{
    (void)state;
    enum { COUNT = BATCH + 3 };
    float image[COUNT * IN_SMALL];
    uint8_t all[COUNT * IN_SMALL], one[IN_SMALL];
    network n;

    for (int k = 0; k < COUNT * IN_SMALL; k++)
        image[k] = made_number(k);
    assert_true(network_create(&n, U_NET, DICE_BCE, SMALL, SMALL, 5));
    fill(&n, BATCH);
    for (int step = 0; step < 100; step++) /* so that there is something to tell apart */
        assert_int_equal(tp_run(n.train), TP_OK);
    memset(all, 9, sizeof all);
    assert_true(network_predict(&n, image, COUNT, all));
    int positive = 0;
    for (int k = 0; k < COUNT; k++) {
        assert_true(network_predict(&n, image + k * IN_SMALL, 1, one));
        assert_memory_equal(all + k * IN_SMALL, one, sizeof one);
        for (int j = 0; j < IN_SMALL; j++)
            positive += one[j];
    }
    assert_true(positive > 0 && positive < COUNT * IN_SMALL);
    network_destroy(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enlarged),        cmocka_unit_test(beyond_the_edge), cmocka_unit_test(made_up),
        cmocka_unit_test(read_from_files), cmocka_unit_test(mirrors),         cmocka_unit_test(scores),
        cmocka_unit_test(thresholds),      cmocka_unit_test(doubled),         cmocka_unit_test(overlay),
        cmocka_unit_test(networks),        cmocka_unit_test(predictions),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
