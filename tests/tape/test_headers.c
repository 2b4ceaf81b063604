/* test_headers.c -- every public header compiles alone, twice over, without extensions, as C11 and as C++17; so does the
 * C++ test.  Runs the compilers that are at hand.
 */
#include "tape_test.h"

#include <glob.h>

#define WARNINGS " -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I" TAPIR_SOURCE_DIR "/include "

/* The compiler's exit status. */
static int run_quietly(const char *command, const char *source)
{
    char line[2000];
    snprintf(line, sizeof line, "%s %s >/dev/null 2>&1", command, source);
    return system(line); /* NOLINT: our own words */
}

static bool is_at_hand(const char *compiler)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s", compiler);
    return run_quietly(command, "") == 0;
}

/* Compiles "#include <header>", twice, after `before`. */
static int compile_header(const char *compiler, const char *flags, const char *before, const char *header)
{
    char command[1900];
    snprintf(
        command, sizeof command,
        "printf '%s#include <tapir/%s>\\n#include <tapir/%s>\\nextern int not_empty;\\n' | %s %s" WARNINGS,
        before, header, header, compiler, flags);
    return run_quietly(command, "-");
}

static int faulty_headers(const char *compiler, const char *flags)
{
    /* An assertion for cmocka's users, who include cmocka first. */
    static const char needs_cmocka[] = "#include <stdarg.h>\\n#include <stddef.h>\\n#include <stdint.h>\\n"
                                       "#include <setjmp.h>\\n#include <cmocka.h>\\n";
    glob_t found;
    int faults = 0;
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/include/tapir/*.h", 0, NULL, &found), 0);
    assert_int_equal(glob(TAPIR_SOURCE_DIR "/include/tapir/*/*.h", GLOB_APPEND, NULL, &found), 0);
    assert_true(found.gl_pathc >= 12);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        const char *header = found.gl_pathv[k] + strlen(TAPIR_SOURCE_DIR "/include/tapir/");
        const char *before = strcmp(header, "cmocka.h") == 0 ? needs_cmocka : "";
        if (compile_header(compiler, flags, before, header) != 0) {
            print_error("%s %s: tapir/%s does not compile\n", compiler, flags, header);
            faults++;
        }
    }
    globfree(&found);
    return faults;
}

static void test_headers_are_c11(void **state)
{
    static const char *const compilers[] = {"cc", "gcc", "clang"};
    int tried = 0;
    (void)state;
    for (size_t k = 0; k < COUNT_OF(compilers); k++)
        if (is_at_hand(compilers[k])) {
            assert_int_equal(faulty_headers(compilers[k], "-std=c11 -pedantic-errors -x c"), 0);
            tried++;
        }
    if (tried == 0)
        skip();
}

static void test_headers_are_cpp17(void **state)
{
    static const char *const compilers[] = {"g++", "clang++"};
    int tried = 0;
    (void)state;
    for (size_t k = 0; k < COUNT_OF(compilers); k++)
        if (is_at_hand(compilers[k])) {
            char command[600];
            snprintf(command, sizeof command, "%s -std=c++17" WARNINGS, compilers[k]);
            assert_int_equal(faulty_headers(compilers[k], "-std=c++17 -x c++"), 0);
            assert_int_equal(run_quietly(command, TAPIR_SOURCE_DIR "/tests/cpp/test_cpp.cpp"), 0);
            tried++;
        }
    if (tried == 0)
        skip();
}

/* A header that would not compile is noticed. */
static void test_the_test_can_fail(void **state)
{
    (void)state;
    if (!is_at_hand("cc"))
        skip();
    assert_int_not_equal(compile_header("cc", "-std=c11 -x c", "", "no_such_header.h"), 0);
    assert_int_not_equal(compile_header("cc", "-std=c11 -pedantic-errors -x c",
                                        "int f(void) { return ({ 1; }); }\\n", "version.h"),
                         0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_c11),
        cmocka_unit_test(test_headers_are_cpp17),
        cmocka_unit_test(test_the_test_can_fail),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
