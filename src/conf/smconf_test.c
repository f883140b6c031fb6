/*
 * smconf_test.c - sm.conf(5): the manual's entries, and errors that say where.
 */
#include "conf/smconf.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The eight examples of the manual, between a comment and ignored lines. */
static const char examples[] =
    "# mailer flags path argv\n"
    "local\tmS\tsm/localm\tlocalm -r $g $u\n"
    "prog\t-\t/bin/sh\t\tsh -c $u\n"
    "\n"
    " tty rs this line begins with a blank\n"
    "\ttty rs this one with a TAB\n"
    "tty\trs\t/usr/local/to\tto $u\n"
    "uucp\tU\t/usr/bin/uux\tuux - -r -a$g -gC $h!rmail ($u)\n"
    "usenet\tm\tsm/usenet\tusenet $u\n"
    "ean\tmn\t/lib/ean/gwsmean\tgwsmean -d $u\n"
    "test\tn\tsm/test\ttest $u\n"
    "smsgw\tnS\t${MAILBIN}/sms-gw\tsms-gw $g $u\n"
    "uucp\tn\t/never\tthe first entry of a name wins\n";

/* Finds a mailer in a text that is called F. */
static int find(struct slice text, struct slice mailer, struct arena *a,
		struct smconf_mailer *ret, struct err *err)
{
	struct smconf_source source = { text, "F" };

	return smconf_find(source, mailer, a, ret, err);
}

static void test_manual_examples_parse(void **state)
{
	static const struct {
		const char *mailer, *flags, *path, *argv;
		unsigned line;
	} rows[] = {
		{ "local", "mS", "sm/localm", "localm|-r|$g|$u", 2 },
		{ "prog", "-", "/bin/sh", "sh|-c|$u", 3 },
		{ "tty", "rs", "/usr/local/to", "to|$u", 7 },
		{ "uucp", "U", "/usr/bin/uux",
		  "uux|-|-r|-a$g|-gC|$h!rmail|($u)", 8 },
		{ "usenet", "m", "sm/usenet", "usenet|$u", 9 },
		{ "ean", "mn", "/lib/ean/gwsmean", "gwsmean|-d|$u", 10 },
		{ "test", "n", "sm/test", "test|$u", 11 },
		{ "smsgw", "nS", "${MAILBIN}/sms-gw", "sms-gw|$g|$u", 12 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct str argv = STR_INIT;
		struct smconf_mailer m;
		struct err err;

		assert_int_equal(find(slice_of(examples),
				      slice_of(rows[i].mailer), a, &m, &err),
				 0);
		assert_slice_is(m.name, rows[i].mailer);
		assert_slice_is(m.flags, rows[i].flags);
		assert_slice_is(m.path, rows[i].path);
		for (size_t k = 0; k < m.argc; k++) {
			str_adds(&argv, k > 0 ? "|" : "");
			str_add(&argv, m.argv[k]);
		}
		assert_slice_is(str_slice(&argv), rows[i].argv);
		assert_int_equal(m.line, rows[i].line);
		str_done(&argv);
		arena_free(a);
	}
}

static void test_errors_name_file_and_line(void **state)
{
	static const struct {
		const char *text, *mailer, *want;
	} rows[] = {
		{ "a - p a\n", "b", "mailer 'b' not found in F" },
		{ "", "b", "mailer 'b' not found in F" },
		{ "#b - p a\n b - p a\n", "b", "mailer 'b' not found in F" },
		{ "bb - p a\nB - p a\n", "b", "mailer 'b' not found in F" },
		{ "x\nb\n", "b", "F:2: mailer 'b': no flags (\"-\" for none)" },
		{ "b -", "b", "F:1: mailer 'b': no path of the program" },
		{ "b - p \t \n", "b",
		  "F:1: mailer 'b': no argv[0], the program's own name" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct smconf_mailer m;
		struct err err;

		assert_int_equal(find(slice_of(rows[i].text),
				      slice_of(rows[i].mailer), a, &m, &err),
				 -1);
		assert_string_equal(err.text, rows[i].want);
		arena_free(a);
	}
}

static void test_bad_line_of_another_mailer_is_passed_over(void **state)
{
	struct arena *a = arena_new();
	struct smconf_mailer m;
	struct err err;

	(void)state;
	assert_int_equal(
	    find(SLICE("lonely\nx -\nb\tn  /p b"), SLICE("b"), a, &m, &err), 0);
	assert_slice_is(m.path, "/p");
	assert_int_equal(m.argc, 1);
	arena_free(a);
}

static void test_nul_in_a_word_is_refused(void **state)
{
	struct arena *a = arena_new();
	struct smconf_mailer m;
	struct err err;

	(void)state;
	assert_int_equal(
	    find(SLICE("b - /p b x\0y\n"), SLICE("b"), a, &m, &err), -1);
	assert_string_equal(err.text, "F:1: mailer 'b': a NUL in the line");
	arena_free(a);
}

static void test_carriage_return_at_line_end_is_dropped(void **state)
{
	struct arena *a = arena_new();
	struct smconf_mailer m;
	struct err err;

	(void)state;
	assert_int_equal(
	    find(SLICE("\r\nb - /p b $u\r\n"), SLICE("b"), a, &m, &err), 0);
	assert_slice_is(m.argv[1], "$u");
	arena_free(a);
}

static void test_any_number_of_words_and_any_length(void **state)
{
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct smconf_mailer m;
	struct err err;

	(void)state;
	str_adds(&text, "b - /p b");
	for (unsigned i = 0; i < 5000; i++)
		str_addf(&text, " word%u", i);
	str_addc(&text, ' ');
	for (unsigned i = 0; i < 20000; i++)
		str_addc(&text, 'x');
	assert_int_equal(find(str_slice(&text), SLICE("b"), a, &m, &err), 0);
	assert_int_equal(m.argc, 5002);
	assert_slice_is(m.argv[5000], "word4999");
	assert_int_equal(m.argv[5001].len, 20000);
	str_done(&text);
	arena_free(a);
}

static void test_file_is_read_and_kept(void **state)
{
	char name[] = "/tmp/smconf_testXXXXXX";
	int fd = mkstemp(name);
	struct arena *a = arena_new();
	struct smconf_mailer m;
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "# c\nb - /bin/true true $u\n") > 0);
	close(fd);
	assert_int_equal(smconf_load(name, SLICE("b"), a, &m, &err), 0);
	assert_slice_is(m.path, "/bin/true");
	assert_int_equal(m.line, 2);
	unlink(name);
	assert_int_equal(smconf_load(name, SLICE("b"), a, &m, &err), -1);
	assert_int_equal(err.code, ENOENT);
	assert_non_null(strstr(err.text, name));
	assert_int_equal(smconf_load("/tmp", SLICE("b"), a, &m, &err), -1);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_examples_parse),
		cmocka_unit_test(test_errors_name_file_and_line),
		cmocka_unit_test(
		    test_bad_line_of_another_mailer_is_passed_over),
		cmocka_unit_test(test_nul_in_a_word_is_refused),
		cmocka_unit_test(test_carriage_return_at_line_end_is_dropped),
		cmocka_unit_test(test_any_number_of_words_and_any_length),
		cmocka_unit_test(test_file_is_read_and_kept),
	};

	return TEST_RUN(tests);
}
