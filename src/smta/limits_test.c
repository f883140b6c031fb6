/*
 * limits_test.c - what zlaunch is told, and what is made of its answer.
 */
#include "smta/limits.h"

#include "base/keyword.h"
#include "base/log.h"
#include "base/test.h"
#include "smta/smta.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set(struct smta_options *o, const char *own)
{
	struct err err;

	if (smta_options_own(o, slice_of(own), &err) < 0)
		fail_msg("%s", err.text);
}

static void test_without_limits_there_are_no_words(void **state)
{
	struct smta_options o = smta_options_default();
	struct arena *a = arena_new();

	(void)state;
	set(&o, "timeout=1");
	set(&o, "loop-guard");
	set(&o, "environment=A=1");
	assert_null(limits_words(&o, a));
	assert_int_equal(limits_user(&o).len, 0);
	smta_options_done(&o);
	arena_free(a);
}

static void test_words_are_the_options_own(void **state)
{
	struct smta_options o = smta_options_default();
	struct arena *a = arena_new();
	char *const *words;

	(void)state;
	set(&o, "user=uucp");
	set(&o, "no-network");
	set(&o, "user=daemon");
	words = limits_words(&o, a);
	assert_string_equal(words[0], "user=uucp");
	assert_string_equal(words[1], "no-network");
	assert_string_equal(words[2], "user=daemon");
	assert_null(words[3]);
	assert_slice_is(limits_user(&o), "daemon");
	smta_options_done(&o);
	arena_free(a);
}

/* ---- a zlaunch that is played ------------------------------------------ */

static void keep_line(void *context, enum log_level level, struct slice line)
{
	struct str *log = context;

	str_addf(log, "%d:", (int)level);
	str_add(log, line);
	str_addc(log, '\n');
}

/* What comes of a zlaunch that runs this script; what is logged. */
static int check_with(const char *script, struct str *log, struct err *err)
{
	char name[] = "/tmp/limits_testXXXXXX";
	FILE *f = fdopen(mkstemp(name), "w");
	struct smta_options o = smta_options_default();
	struct smta_mailer m = { .path = "/bin/true" };
	struct arena *a = arena_new();
	char *envp[] = { (char *)"X=y", NULL };
	int r;

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	fclose(f);
	set(&o, "cpu=3");
	set(&o, "no-network");
	m.limits = limits_words(&o, a);
	o.launcher = name;
	o.envp = envp;
	log_to(keep_line, log);
	r = smta_check_limits(&o, &m, err);
	log_to(NULL, NULL);
	unlink(name);
	smta_options_done(&o);
	arena_free(a);
	return r;
}

static void test_answers_of_zlaunch(void **state)
{
	static const struct {
		const char *script;
		int want;
		const char *log, *why;
	} rows[] = {
		{ "exit 0", 0, "", "" },
		/* it is told everything, and to check */
		{ "test \"$*\" = 'cpu=3 no-network --check'", 0, "", "" },
		{ "test \"$X\" = y", 0, "", "" },
		{ "echo weak; echo weaker >&2", 0, "1:weak\n1:weaker\n", "" },
		{ "echo not to be had; echo more; exit 1", -1, "",
		  "not to be had" },
		{ "exit 1", -1, "", "limits: zlaunch ended with status 1" },
		{ "kill -9 $$", -1, "", "limits: zlaunch ended with signal 9" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str log = STR_INIT;
		struct err err = { 0 };

		assert_int_equal(check_with(rows[i].script, &log, &err),
				 rows[i].want);
		assert_slice_is(str_slice(&log), rows[i].log);
		assert_string_equal(err.text, rows[i].why);
		str_done(&log);
	}
}

static void test_zlaunch_that_is_missing(void **state)
{
	struct smta_options o = smta_options_default();
	struct smta_mailer m = { .path = "/bin/true" };
	struct arena *a = arena_new();
	char *envp[] = { NULL };
	struct err err = { 0 };

	(void)state;
	o.launcher = "/nonexistent/zlaunch";
	o.envp = envp;
	/* nobody asks for it */
	assert_int_equal(smta_check_limits(&o, &m, &err), 0);
	set(&o, "cpu=3");
	m.limits = limits_words(&o, a);
	assert_int_equal(smta_check_limits(&o, &m, &err), -1);
	assert_string_equal(err.text,
			    "limits: cannot execute /nonexistent/zlaunch: No "
			    "such file or directory");
	smta_options_done(&o);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_limits_there_are_no_words),
		cmocka_unit_test(test_words_are_the_options_own),
		cmocka_unit_test(test_answers_of_zlaunch),
		cmocka_unit_test(test_zlaunch_that_is_missing),
	};

	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
