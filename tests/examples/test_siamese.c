/* test_siamese.c -- examples/siamese with a small made-up set in Omniglot's files: what is read, refused, scored; and the tour. */
#define _POSIX_C_SOURCE 200809L
#include "../io/files.h"

#include "siamese/characters.h"
#include "siamese/omniglot.h"
#include "siamese/one_shot.h"

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    TEST_CLASSES = 64,
    IMAGES = TEST_CLASSES * DRAWINGS,
    WAYS = 5,
    RUNS = 3
};

/* ---- Files ------------------------------------------------------------------------------------------- */

static void write_npy(const char *name, const char *type, const char *shape, const void *data, size_t bytes)
{
    uint8_t file[128 + IMAGES * PIXELS] = "\x93NUMPY\x01";
    char header[119];
    const int length = snprintf(header, sizeof header,
                                "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    memset(header + length, ' ', sizeof header - 2 - (size_t)length);
    header[117] = '\n';
    file[8] = 118;
    memcpy(file + 10, header, 118);
    memcpy(file + 128, data, bytes);
    write_bytes(in_directory(name), file, 128 + bytes);
}

/* Every class has its own pattern of bits; drawings differ in the last row, where the k-th has a pixel that is a little grey. */
static void draw(int class_number, int k, uint8_t *image)
{
    memset(image, 0, PIXELS);
    for (int bit = 0; bit < 10; bit++)
        memset(image + 4 * bit, (class_number + 1) >> bit & 1 ? 255 : 0, 4);
    image[PIXELS - SIDE + k % SIDE] = (uint8_t)(20 + k);
}

static void write_set(void)
{
    static uint8_t images[IMAGES * PIXELS];
    int32_t episodes[2 * WAYS], answer[RUNS * WAYS];
    uint8_t known[RUNS * WAYS * PIXELS], asked[RUNS * WAYS * PIXELS];

    for (int i = 0; i < IMAGES; i++)
        draw(i / DRAWINGS, i % DRAWINGS, images + (size_t)i * PIXELS);
    write_npy("background_images.npy", "|u1", "1280, 8, 8", images, sizeof images);
    write_npy("evaluation_images.npy", "|u1", "1280, 8, 8", images, sizeof images);
    for (int k = 0; k < WAYS; k++) { /* of the first WAYS classes */
        episodes[k] = k * DRAWINGS;
        episodes[WAYS + k] = k * DRAWINGS + 7;
    }
    write_npy("episodes5.npy", "<i4", "1, 2, 5", episodes, sizeof episodes);
    episodes[WAYS] = episodes[WAYS + 1]; /* one that is not what it is said to be */
    write_npy("episodes20.npy", "<i4", "1, 2, 5", episodes, sizeof episodes);
    for (int q = 0; q < RUNS * WAYS; q++) {
        draw(q, 0, known + q * PIXELS);
        draw(q / WAYS * WAYS + (q + 2) % WAYS, 3, asked + q * PIXELS);
        answer[q] = (q + 2) % WAYS;
    }
    write_npy("oneshot_train.npy", "|u1", "3, 5, 8, 8", known, sizeof known);
    write_npy("oneshot_test.npy", "|u1", "3, 5, 8, 8", asked, sizeof asked);
    write_npy("oneshot_answer.npy", "<i4", "3, 5", answer, sizeof answer);
}

static int set_up(void **state)
{
    const int failed = make_directory(state);
    write_set();
    return failed;
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

static void test_reads(void **state)
{
    characters c;
    float image[2 * PIXELS];
    (void)state;

    assert_true(characters_exist(directory));
    assert_false(characters_exist("/"));
    assert_true(characters_load(&c, directory));
    assert_int_equal(c.side, SIDE);
    assert_int_equal(c.classes, TEST_CLASSES);
    assert_int_equal(c.unseen, TEST_CLASSES);
    assert_true(characters_copy(&c.background, PIXELS, IMAGES - 2, 2, image));
    assert_true(image[24] == 1 && image[0] == 0);
    assert_float_equal(image[PIXELS + PIXELS - SIDE + 3], 39 / 255.0f, 1e-7f);
    assert_false(characters_copy(&c.background, PIXELS, IMAGES - 1, 2, image));
    characters_free(&c);
}

/* Each of the files, not there or with something in it that does not fit. */
static void test_refuses(void **state)
{
    static uint8_t zeros[IMAGES * PIXELS];
    const int32_t beyond[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, IMAGES}, answers[15] = {WAYS};
    const struct {
        const char *name, *type, *shape;
        const void *data;
        size_t bytes;
    } rows[] = {
        {"background_images.npy", "|u1", "1280, 64", zeros, IMAGES * PIXELS},
        {"background_images.npy", "|u1", "1280, 4, 16", zeros, IMAGES * PIXELS},
        {"background_images.npy", "|u1", "1279, 8, 8", zeros, (IMAGES - 1) * PIXELS},
        {"background_images.npy", "|u1", "20, 8, 8", zeros, DRAWINGS * PIXELS},
        {"background_images.npy", "|u1", "0, 8, 8", zeros, 0},
        {"evaluation_images.npy", "|u1", "1280, 4, 4", zeros, IMAGES * 16},
        {"evaluation_images.npy", "<i4", "1, 8, 8", zeros, 4 * PIXELS},
        {"episodes5.npy", "<i4", "1, 2, 5", beyond, sizeof beyond},
        {"episodes20.npy", "<i4", "1, 2, 5", beyond, sizeof beyond},
        {"episodes20.npy", "<i4", "2, 1, 5", zeros, 40},
        {"oneshot_train.npy", "|u1", "3, 5, 4, 4", zeros, 15 * 16},
        {"oneshot_test.npy", "|u1", "3, 4, 8, 8", zeros, 12 * PIXELS},
        {"oneshot_answer.npy", "<i4", "3, 5", answers, sizeof answers},
        {"oneshot_answer.npy", "<i4", "5, 3", zeros, sizeof answers},
    };
    characters c;
    (void)state;

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        write_npy(rows[k].name, rows[k].type, rows[k].shape, rows[k].data, rows[k].bytes);
        assert_false(characters_load(&c, directory));
        characters_free(&c);
        unlink(in_directory(rows[k].name));
        assert_false(characters_load(&c, directory));
        characters_free(&c);
        write_set();
    }
    assert_true(characters_load(&c, directory));
    characters_free(&c);
}

/* ---- Scores ------------------------------------------------------------------------------------------ */

static bool fails(void *user, const float *images, int count, int side, float *out)
{
    (void)user, (void)images, (void)count, (void)side, (void)out;
    return false;
}

static void test_scores(void **state)
{
    characters c;
    scores s;
    (void)state;

    assert_true(characters_load(&c, directory));
    assert_true(one_shot_scores(&c, &(view_of){PIXELS, describe_pixels, NULL}, &s));
    assert_true(s.few == 100 && s.many == 80 && s.runs == 100);
    assert_true(one_shot_scores(&c, &(view_of){PIXELS, describe_directions, NULL}, &s));
    assert_true(s.few == 100 && s.many == 80 && s.runs == 100);
    assert_true(one_shot_scores(&c, &(view_of){PIXELS, describe_blurred, NULL}, &s));
    assert_true(s.few > 20 && s.runs > 20);
    assert_false(one_shot_scores(&c, &(view_of){PIXELS, fails, NULL}, &s));
    characters_free(&c);
}

/* Sums over 5 by 5 pixels around one, cut off at the edges, then of length 1. */
static void test_blur(void **state)
{
    float image[PIXELS] = {0}, blurred[PIXELS];
    (void)state;

    image[1 * SIDE + 6] = 0.5f;
    assert_true(describe_blurred(NULL, image, 1, SIDE, blurred));
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            assert_float_equal(blurred[i * SIDE + j], i <= 3 && j >= 4 ? 0.25f : 0, 1e-6f);
}

/* ---- The tour ---------------------------------------------------------------------------------------- */

static void test_tour(void **state)
{
    (void)state;
    for (loss_kind loss = CONTRASTIVE; loss <= ALL_TRIPLETS; loss++)
        for (net_kind net = DENSE; net <= CONVOLUTIONAL; net++)
            assert_true(omniglot_tour(&(settings){.data = directory,
                                                  .has_loss = true,
                                                  .loss = loss,
                                                  .has_net = true,
                                                  .net = net,
                                                  .steps = 3,
                                                  .seed = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads), cmocka_unit_test(test_refuses), cmocka_unit_test(test_scores),
        cmocka_unit_test(test_blur),  cmocka_unit_test(test_tour),
    };
    return cmocka_run_group_tests(tests, set_up, drop_directory);
}
