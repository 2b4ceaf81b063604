/* test_golden_reader.c -- the reader of the golden cases: right files are read, wrong ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "golden.h"

static golden_reader *open_text(const char *text)
{
    FILE *stream = tmpfile();

    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, strlen(text), stream), strlen(text));
    rewind(stream);
    return golden_open_stream(stream, "text");
}

static const char two_cases[] = "case pad.all\n"
                                "opt op pad\n"
                                "opt mode reflect\n"
                                "opt width 1 -2 3\n"
                                "opt value 1e-07\n"
                                "opt limit -inf\n"
                                "opt keepdim 1\n"
                                "opt p 3\n"
                                "opt tol 1e-05\n"
                                "in x f64 2 2 3\n"
                                "0.5 -1 nan inf\n"
                                "-inf 2.5e-3\n"
                                "in index i64 1 2\n"
                                "-3 9007199254740993\n"
                                "in empty f64 2 0 4\n"
                                "out out f64 0\n"
                                "4\n"
                                "cot out f64 0\n"
                                "1\n"
                                "grad x f64 2 2 3\n"
                                "1 2 3 4 5 6\n"
                                "dir x f64 2 2 3\n"
                                "1 1 1 1 1 1\n"
                                "hvp x f64 2 2 3\n"
                                "0 0 0 0 0 0\n"
                                "end\n"
                                "case pad.none\n"
                                "opt op pad\n"
                                "end\n";

static void test_reads_options(void **state)
{
    (void)state;
    golden_reader *reader = open_text(two_cases);
    const golden_case *c = golden_next(reader);
    double number[3];
    int64_t integer[3];

    assert_non_null(c);
    assert_string_equal(c->name, "pad.all");
    assert_string_equal(c->op, "pad");
    assert_int_equal(c->line, 1);
    assert_int_equal(c->option_count, 7);
    assert_string_equal(golden_string(c, "mode"), "reflect");
    assert_true(golden_is(c, "mode", "reflect"));
    assert_false(golden_is(c, "mode", "constant"));
    assert_int_equal(golden_list(c, "width", number, 3), 3);
    assert_true(number[0] == 1 && number[1] == -2 && number[2] == 3);
    assert_int_equal(golden_integers(c, "width", integer, 3), 3);
    assert_true(integer[0] == 1 && integer[1] == -2 && integer[2] == 3);
    assert_true(golden_number(c, "value") == 1e-7);
    assert_true(golden_number(c, "limit") == -(double)INFINITY);
    assert_int_equal(golden_integer(c, "p"), 3);
    assert_true(golden_switch(c, "keepdim"));
    assert_false(golden_switch(c, "kink"));
    assert_false(golden_has(c, "kink"));
    assert_true(golden_number_or(c, "p", 7) == 3);
    assert_true(golden_number_or(c, "q", 7) == 7);
    assert_true(golden_tolerance(c, GOLDEN_TOLERANCE) == 1e-5);

    c = golden_next(reader);
    assert_non_null(c);
    assert_string_equal(c->name, "pad.none");
    assert_int_equal(c->line, 27);
    assert_int_equal(c->option_count + c->block_count, 0);
    assert_true(golden_tolerance(c, GOLDEN_TOLERANCE) == GOLDEN_TOLERANCE);
    assert_null(golden_next(reader));
}

static void test_reads_blocks(void **state)
{
    (void)state;
    golden_reader *reader = open_text(two_cases);
    const golden_case *c = golden_next(reader);

    assert_int_equal(c->block_count, 8);
    const golden_block *x = golden_get(c, GOLDEN_IN, "x");
    assert_int_equal(x->line, 10);
    assert_int_equal(x->rank, 2);
    assert_int_equal(x->dim[0], 2);
    assert_int_equal(x->dim[1], 3);
    assert_int_equal(x->count, 6);
    assert_null(x->i64);
    assert_true(x->f64[0] == 0.5 && x->f64[1] == -1 && isnan(x->f64[2]) && x->f64[5] == 2.5e-3);
    assert_true(x->f64[3] == (double)INFINITY && x->f64[4] == -(double)INFINITY);

    const golden_block *index = golden_get(c, GOLDEN_IN, "index");
    assert_null(index->f64);
    assert_int_equal(index->i64[0], -3);
    assert_true(index->i64[1] == 9007199254740993); /* not a double */

    assert_int_equal(golden_get(c, GOLDEN_IN, "empty")->count, 0);
    const golden_block *out = golden_get(c, GOLDEN_OUT, "out");
    assert_int_equal(out->rank, 0);
    assert_int_equal(out->count, 1);
    assert_true(out->f64[0] == 4);
    assert_true(golden_get(c, GOLDEN_GRAD, "x")->f64[5] == 6);
    assert_true(golden_get(c, GOLDEN_DIR, "x")->f64[0] == 1);
    assert_true(golden_get(c, GOLDEN_HVP, "x")->f64[0] == 0);
    assert_null(golden_find(c, GOLDEN_GRAD, "out"));
    golden_stop(reader);
}

/* Each wrong file, and a part of what must be said about it, line number first. */
static const struct {
    const char *text;
    const char *says;
} malformed[] = {
    {"case a.b\nopt op a\nin x f64 1 3\n1 2\n", ":4: the file ends in the middle of a block"},
    {"case a.b\nopt op a\nin x f64 1 3\n1 2\nend\n", ":5: in x: `end` where value 3 of 3 should be"},
    {"case a.b\nopt op a\nin x f64 1 3\n1 2\nout y f64 0\n", ":5: in x has 3 values, and here are more"},
    {"case a.b\nopt op a\nin x f64 1 2\n1 2 3\nend\n", ":4: in x has 2 values"},
    {"case a.b\nopt op a\nin x f64 1 2\n1 2\n3\nend\n", ":5: opt, a block or end expected, not `3`"},
    {"case a.b\nopt op a\n", ":2: the file ends in the middle of a case"},
    {"case a.b\nopt op a\nend", ":3: the last line is cut off"},
    {"case a.b\nopt op a\n\nend\n", ":3: blank line"},
    {"case a.b\r\n", ":1: byte 13"},
    {"case a.\xc3\xa4\n", ":1: byte 195"},
    {"case  a.b\n", ":1: words must be separated by single spaces"},
    {"case a.b \n", ":1: words must be separated by single spaces"},
    {" case a.b\n", ":1: words must be separated by single spaces"},
    {"opt op a\n", ":1: `case NAME` expected, not `opt`"},
    {"case\n", ":1: `case NAME` expected"},
    {"case a.b\nopt op a\nend\nend\n", ":4: `case NAME` expected, not `end`"},
    {"case a.b\nopt op a\nend\ncase a.b\n", ":4: a second case a.b"},
    {"case a.b\nend\n", ":2: case a.b has no `opt op`"},
    {"case a.b\nopt tau 1\n", ":2: the first option must be `opt op OPERATION`"},
    {"case a.b\nopt op c\n", ":2: case a.b is not a case of c"},
    {"case ab\nopt op ab\n", ":2: case ab is not a case of ab"},
    {"case a.b\nopt op a\nopt tau\n", ":3: opt needs a key and a value"},
    {"case a.b\nopt op a\nopt t 1\nopt t 2\n", ":4: opt t given twice"},
    {"case a.b\nopt op a\nin x f64 0\n1\nopt t 2\n", ":5: opt t after a block"},
    {"case a.b\nin x f64 0\n1\n", ":2: a block before `opt op`"},
    {"case a.b\nopt op a\nin x f64\n", ":3: in needs a name, a type and the number of axes"},
    {"case a.b\nopt op a\nin x f32 0\n1\n", ":3: in x cannot have the type f32"},
    {"case a.b\nopt op a\nout x f64 0\n1\ncot x i64 0\n1\n", ":5: cot x cannot have the type i64"},
    {"case a.b\nopt op a\nin x f64 9 1 1 1 1 1 1 1 1 1\n1\n", ":3: in x cannot have 9 axes"},
    {"case a.b\nopt op a\nin x f64 -1\n1\n", ":3: in x cannot have -1 axes"},
    {"case a.b\nopt op a\nin x f64 2 3\n1 2 3\n", ":3: in x has 1 sizes for 2 axes"},
    {"case a.b\nopt op a\nin x f64 1 -3\n", ":3: in x cannot have the size -3"},
    {"case a.b\nopt op a\nin x f64 1 3x\n", ":3: in x cannot have the size 3x"},
    {"case a.b\nopt op a\nin x f64 1 99999999999999999999\n", ":3: in x cannot have the size 9999"},
    {"case a.b\nopt op a\nin x f64 2 9999999 9999999\n", ":3: in x is too large"},
    {"case a.b\nopt op a\nin x f64 0\n1.5.2\nend\n", ":4: in x: `1.5.2` where value 1 of 1"},
    {"case a.b\nopt op a\nin x f64 0\n0x10\nend\n", ":4: in x: `0x10` where"},
    {"case a.b\nopt op a\nin x f64 0\n-nan\nend\n", ":4: in x: `-nan` where"},
    {"case a.b\nopt op a\nin x f64 0\n1e999\nend\n", ":4: in x: `1e999` where"},
    {"case a.b\nopt op a\nin x i64 0\n1.0\nend\n", ":4: in x: `1.0` where"},
    {"case a.b\nopt op a\nin x f64 0\n1\nin x f64 0\n1\n", ":5: in x given twice"},
    {"case a.b\nopt op a\nout x f64 0\n1\nin y f64 0\n1\n", ":5: in after out"},
    {"case a.b\nopt op a\ngrad x f64 0\n1\nend\n", ":5: grad x without an f64 in of that name"},
    {"case a.b\nopt op a\nin x i64 0\n1\ngrad x f64 0\n1\nend\n", ":7: grad x without an f64 in"},
    {"case a.b\nopt op a\nout y f64 0\n1\ncot y f64 1 1\n1\nend\n", ":7: cot y and out y differ in shape"},
    {"case a.b\nopt op a\nin x f64 0\n1\ndir x f64 0\n1\nend\n", ":7: dir x without hvp x"},
};

static void test_refuses_malformed_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        golden_reader *reader = open_text(malformed[i].text);
        const char *error = NULL;
        while (golden_read(reader, &error) != NULL)
            continue;
        if (error == NULL || strstr(error, malformed[i].says) == NULL)
            fail_msg("row %zu: said \"%s\", should say \"%s\"", i, error != NULL ? error : "",
                     malformed[i].says);
        const char *again = NULL;
        assert_null(golden_read(reader, &again)); /* an error stays */
        assert_non_null(again);
        golden_stop(reader);
    }
}

static void test_empty_file_has_no_case(void **state)
{
    (void)state;
    assert_null(golden_next(open_text("")));
}

static void test_close(void **state)
{
    const double inf = (double)INFINITY, nan = (double)NAN;

    (void)state;
    assert_true(golden_close(1, 1 + 1e-10, 1e-9));
    assert_false(golden_close(1, 1 + 1e-8, 1e-9));
    assert_true(golden_close(1e-10, 0, 1e-9)); /* absolute below 1 */
    assert_false(golden_close(1e-8, 0, 1e-9));
    assert_true(golden_close(1e6, 1e6 + 1e-4, 1e-9)); /* relative above */
    assert_false(golden_close(1e6, 1e6 + 1e-2, 1e-9));
    assert_false(golden_close(-1, 1, 1e-9)); /* signed */
    assert_true(golden_close(-0.0, 0.0, 0));
    assert_true(golden_close(nan, nan, 1e-9));
    assert_false(golden_close(nan, 0, 1e-9));
    assert_false(golden_close(0, nan, 1e-9));
    assert_true(golden_close(inf, inf, 1e-9));
    assert_false(golden_close(inf, -inf, 1e-9));
    assert_false(golden_close(1e308, inf, 1e-9));
    assert_false(golden_close(inf, 1e308, 1e-9));
    assert_false(golden_close(1e308, -1e308, 1e-9)); /* the difference overflows */
    assert_false(golden_close(1, 1, nan));
}

static void test_first_difference(void **state)
{
    (void)state;
    golden_reader *reader = open_text(two_cases);
    const golden_case *c = golden_next(reader);
    const double right[] = {1, 2, 3, 4, 5, 6}, wrong[] = {1, 2, 3, 4, -5, (double)NAN};

    assert_int_equal(golden_first_difference(golden_get(c, GOLDEN_GRAD, "x"), right, 0), -1);
    assert_int_equal(golden_first_difference(golden_get(c, GOLDEN_GRAD, "x"), wrong, 1e-9), 4);
    assert_int_equal(golden_first_difference(golden_get(c, GOLDEN_IN, "empty"), NULL, 1e-9), -1);
    golden_check(c, golden_get(c, GOLDEN_GRAD, "x"), right, 6, GOLDEN_TOLERANCE);
    golden_stop(reader);
}

/* Every file that is here: how many cases it has, and that no value is lost on the way. */
static void test_reads_the_real_files(void **state)
{
    static const struct {
        const char *file;
        int cases;
    } family[] = {
        {"losses_regression.txt", 145}, {"losses_classification.txt", 243},
        {"ops_unary.txt", 199},         {"ops_binary.txt", 96},
        {"ops_reduce.txt", 128},        {"ops_shape.txt", 82},
        {"ops_linalg.txt", 67},         {"ops_nn.txt", 61},
    };

    (void)state;
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        golden_reader *reader = golden_open(family[i].file);
        const golden_case *c;
        int cases = 0;

        while ((c = golden_next(reader)) != NULL) {
            bool has_output = false;
            for (int b = 0; b < c->block_count; b++)
                has_output = has_output || c->block[b].kind == GOLDEN_OUT;
            if (!has_output)
                fail_msg("%s: case %s has no output", c->file, c->name);
            cases++;
        }
        assert_int_equal(cases, family[i].cases);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_options),
        cmocka_unit_test(test_reads_blocks),
        cmocka_unit_test(test_refuses_malformed_files),
        cmocka_unit_test(test_empty_file_has_no_case),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_first_difference),
        cmocka_unit_test(test_reads_the_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
