/*
 * zenv_test.c - zmailer.conf(5): the grammar, expansion, and which file.
 */
#include "conf/zenv.h"

#include "base/keyword.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checks that NAME has a value, or, with want NULL, that it has none. */
static void check_value(const struct zenv *z, const char *name,
			const char *want)
{
	struct slice value;

	if (want == NULL) {
		assert_false(zenv_get(z, name, &value));
		assert_null(zenv_cstr(z, name));
		return;
	}
	assert_true(zenv_get(z, name, &value));
	assert_slice_is(value, want);
	assert_string_equal(zenv_cstr(z, name), want);
}

static void test_lines_of_the_grammar(void **state)
{
	static const struct {
		const char *text, *want; /* the value of A */
	} rows[] = {
		{ "A=b\n", "b" },
		{ "A=b", "b" },
		{ "A=", "" },
		{ "", NULL },
		{ "A\n", NULL },
		{ "a=b\n", NULL },
		{ " A=b\n", NULL },
		{ "#A=b\n", NULL },
		{ "A =b\n", NULL },
		{ "AA=x\nA=b\n", "b" },
		{ "A=b\nA=c\n", "b" },
		{ "A=\nA=c\n", "" },
		{ "A= \t b \t \n", "b" },
		{ "A=b\r\n", "b" },
		{ "A=b \r \r\n", "b" },
		{ "A=b # c\n", "b # c" },
		{ "A=b=c\n", "b=c" },
		{ "A=\"b c\"\n", "b c" },
		{ "A='b c' \n", "b c" },
		{ "A=\" b \"\n", " b " },
		{ "A=\"b'\n", "\"b'" },
		{ "A=\"\n", "\"" },
		{ "A=\"\"\n", "" },
		{ "A=\"\"b\"\"\n", "\"b\"" },
		{ "A=x\"b\"\n", "x\"b\"" },
		{ "A=b\\\nB=c\n", "b\\" },
		{ "A=$B\nB=c\n", "$B" },
		{ "A=~x`y`\n", "~x`y`" },
		{ "A=\xc3\xbc\n", "\xc3\xbc" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct zenv *z = zenv_parse(slice_of(rows[i].text), "F", a);

		check_value(z, "A", rows[i].want);
		assert_string_equal(zenv_warning(z), "");
		arena_free(a);
	}
}

static void test_nul_ends_a_line_too(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(SLICE("A=b\0C=d\0\nE=f"), "F", a);

	(void)state;
	check_value(z, "A", "b");
	check_value(z, "C", "d");
	check_value(z, "E", "f");
	arena_free(a);
}

static void test_names_are_words(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z =
	    zenv_parse(SLICE("=x\n1A=x\nA-B=x\nexport C=x\n_D1=y\n"), "F", a);

	(void)state;
	check_value(z, "", NULL);
	check_value(z, "1A", NULL);
	check_value(z, "A-B", NULL);
	check_value(z, "export C", NULL);
	check_value(z, "C", NULL);
	check_value(z, "_D1", "y");
	arena_free(a);
}

static void test_values_expand_names_of_the_same_file(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "B=b\nA=x${B}y\n", "xby" },
		{ "A=x${B}y\nB=b\n", "xby" },
		{ "A=${B}${C}\nB=${C}\nC=c\n", "cc" },
		{ "A=x${NONE}y\n", "xy" },
		{ "A=\"${B}\"\nB='b c'\n", "b c" },
		{ "A=${MAILBIN}/x\n", "/usr/lib/zmailer/x" },
		{ "A=${MAILBIN}/x\nMAILBIN=/m\n", "/m/x" },
		{ "A=$${B}\nB=b\n", "$b" },
		{ "A=${}\n", "" },
		{ "A=${B C}\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct zenv *z = zenv_parse(slice_of(rows[i].text), "F", a);

		check_value(z, "A", rows[i].want);
		arena_free(a);
	}
}

static void test_expansion_goes_eight_levels_deep(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z =
	    zenv_parse(SLICE("V0=0${V1}\nV1=1${V2}\nV2=2${V3}\nV3=3${V4}\n"
			     "V4=4${V5}\nV5=5${V6}\nV6=6${V7}\nV7=7${V8}\n"
			     "V8=8${V9}\nV9=9\nX=${X}x\n"),
		       "F", a);

	(void)state;
	check_value(z, "V1", "123456789");
	check_value(z, "V0", "012345678");
	check_value(z, "X", "");
	assert_string_equal(zenv_warning(z), "F:1: V0: ${} is nested too deep");
	arena_free(a);
}

/* Ten lines that would be 10^8 bytes, or 10^8 steps, without a bound. */
static void test_expansion_is_bounded(void **state)
{
	static const char *const leaves[] = { "0123456789", "" };

	(void)state;
	for (size_t i = 0; i < COUNT(leaves); i++) {
		struct arena *a = arena_new();
		struct str text = STR_INIT;
		struct slice value;
		struct zenv *z;

		for (unsigned v = 0; v < 8; v++) {
			str_addf(&text, "V%u=", v);
			for (unsigned k = 0; k < 10; k++)
				str_addf(&text, "${V%u}", v + 1);
			str_addc(&text, '\n');
		}
		str_addf(&text, "V8=%s\n", leaves[i]);
		z = zenv_parse(str_slice(&text), "F", a);
		assert_true(zenv_get(z, "V0", &value));
		assert_true(value.len <= ZENV_VALUE_MAX);
		assert_string_equal(zenv_warning(z),
				    "F:1: V0: too many ${} to expand");
		str_done(&text);
		arena_free(a);
	}
}

static void test_long_value_is_cut_and_told(void **state)
{
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct slice value;
	struct zenv *z;

	(void)state;
	str_adds(&text, "A=${B}${B}end\nB=");
	for (unsigned i = 0; i < ZENV_VALUE_MAX - 10; i++)
		str_addc(&text, 'b');
	z = zenv_parse(str_slice(&text), "F", a);
	assert_true(zenv_get(z, "A", &value));
	assert_int_equal(value.len, ZENV_VALUE_MAX - 10);
	assert_string_equal(zenv_warning(z),
			    "F:1: A: the value is too long when expanded");
	str_done(&text);
	arena_free(a);
}

static void test_unclosed_brace_is_kept_and_told(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(SLICE("\nA=x${B\nB=b\n"), "F", a);

	(void)state;
	check_value(z, "A", "x${B");
	assert_string_equal(zenv_warning(z), "F:2: A: \"${\" without \"}\"");
	arena_free(a);
}

static void test_compiled_defaults(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(slice_make(NULL, 0), "", a);

	(void)state;
	check_value(z, "ZCONFIG", "/etc/zmailer/zmailer.conf");
	check_value(z, "MAILBIN", "/usr/lib/zmailer");
	check_value(z, "MAILSHARE", "/etc/zmailer");
	check_value(z, "MAILVAR", "/etc/zmailer");
	check_value(z, "POSTOFFICE", "/var/spool/postoffice");
	check_value(z, "LOGDIR", "/var/log/mail");
	check_value(z, "PATH", NULL);
	assert_string_equal(zenv_file(z), "");
	arena_free(a);
}

static void test_text_is_expanded_for_others(void **state)
{
	static const struct {
		const char *in, *want;
		bool is_good;
	} rows[] = {
		{ "plain", "plain", true },
		{ "${MAILBIN}/x", "/m/x", true },
		{ "a${E}b", "ab", true },
		{ "a${NONE}b", "ab", false },
		{ "${MAILBIN", "${MAILBIN", false },
		{ "$u${MAILBIN}$", "$u/m$", true },
		{ "", "", true },
	};
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(SLICE("MAILBIN=/m\nE=\n"), "F", a);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str to = STR_INIT;

		assert_int_equal(zenv_expand(z, slice_of(rows[i].in), &to),
				 rows[i].is_good);
		assert_slice_is(str_slice(&to), rows[i].want);
		str_done(&to);
	}
	arena_free(a);
}

/* Writes text into a new file and returns its name, good until the next. */
static const char *make_file(const char *text, mode_t mode)
{
	static char name[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/zenv_testXXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return name;
}

static void test_zconfig_names_the_file(void **state)
{
	const char *name = make_file("MAILBIN=/m\n", 0644);
	struct arena *a = arena_new();
	struct err err = { 0 };
	struct zenv *z;

	(void)state;
	assert_int_equal(zenv_load(name, a, &z, &err), 0);
	assert_string_equal(zenv_file(z), name);
	check_value(z, "MAILBIN", "/m");
	unlink(name);
	arena_free(a);
}

static void test_unreadable_zconfig_falls_back_with_a_warning(void **state)
{
	static const char *const names[] = { "/nonexistent/zmailer.conf",
					     "/tmp" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct arena *a = arena_new();
		struct err err = { 0 };
		struct zenv *z;

		assert_int_equal(zenv_load(names[i], a, &z, &err), 1);
		assert_non_null(strstr(err.text, names[i]));
		assert_string_not_equal(zenv_file(z), names[i]);
		assert_non_null(zenv_cstr(z, "MAILBIN"));
		arena_free(a);
	}
}

static void test_no_file_at_all_is_no_warning(void **state)
{
	struct arena *a = arena_new();
	struct err err = { 0 };
	struct zenv *z;
	bool has_default = access(ZENV_DEFAULT_FILE, R_OK) == 0;
	int r = zenv_load("", a, &z, &err);

	(void)state;
	assert_string_equal(zenv_file(z), has_default ? ZENV_DEFAULT_FILE : "");
	if (!has_default)
		assert_int_equal(r, 0);
	assert_int_equal(zenv_load(NULL, a, &z, &err), r);
	arena_free(a);
}

static void test_file_writable_by_others_is_told_to_root(void **state)
{
	const char *name = make_file("MAILBIN=/m\n", 0664);
	struct arena *a = arena_new();
	struct err err = { 0 };
	struct zenv *z;
	int r = zenv_load(name, a, &z, &err);

	(void)state;
	assert_int_equal(r, geteuid() == 0 ? 1 : 0);
	if (r == 1)
		assert_non_null(strstr(err.text, "can write it"));
	check_value(z, "MAILBIN", "/m");
	unlink(name);
	arena_free(a);
}

static void test_trouble_in_the_file_is_told_with_its_line(void **state)
{
	const char *name = make_file("A=b\nB=${C\n", 0644);
	struct arena *a = arena_new();
	struct err err = { 0 };
	struct str want = STR_INIT;
	struct zenv *z;

	(void)state;
	str_addf(&want, "%s:2: B: \"${\" without \"}\"", name);
	assert_int_equal(zenv_load(name, a, &z, &err), 1);
	assert_string_equal(err.text, str_cstr(&want));
	unlink(name);
	str_done(&want);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_the_grammar),
		cmocka_unit_test(test_nul_ends_a_line_too),
		cmocka_unit_test(test_names_are_words),
		cmocka_unit_test(test_values_expand_names_of_the_same_file),
		cmocka_unit_test(test_expansion_goes_eight_levels_deep),
		cmocka_unit_test(test_expansion_is_bounded),
		cmocka_unit_test(test_long_value_is_cut_and_told),
		cmocka_unit_test(test_unclosed_brace_is_kept_and_told),
		cmocka_unit_test(test_compiled_defaults),
		cmocka_unit_test(test_text_is_expanded_for_others),
		cmocka_unit_test(test_zconfig_names_the_file),
		cmocka_unit_test(
		    test_unreadable_zconfig_falls_back_with_a_warning),
		cmocka_unit_test(test_no_file_at_all_is_no_warning),
		cmocka_unit_test(test_file_writable_by_others_is_told_to_root),
		cmocka_unit_test(
		    test_trouble_in_the_file_is_told_with_its_line),
	};

	return TEST_RUN(tests);
}
