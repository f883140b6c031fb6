/*
 * launch_test.c - the launcher's words, what it says, and what it executes.
 */
#include "proc/launch.h"

#include "base/keyword.h"
#include "proc/test_launch.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

/* ---- words ------------------------------------------------------------- */

static void test_well_formed_words_are_understood(void **state)
{
	static const char *const rows[] = {
		"cpu=1",
		"cpu=4294967295",
		"directory=/",
		"directory=/a b",
		"file-size=0",
		"file-size=10K",
		"file-size=8388607T",
		"group=mail",
		"group=8",
		"memory=1",
		"memory=9223372036854775807",
		"memory=500M",
		"memory=2G",
		"nice=0",
		"nice=19",
		"nice=-20",
		"no-network",
		"no-new-privileges",
		"processes=1",
		"read-only",
		"read-write=/tmp",
		"umask=0",
		"umask=022",
		"umask=0777",
		"umask=000777",
		"user=nobody",
		"user=4294967294",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = { 0 };

		if (launch_check_word(slice_of(rows[i]), &err) < 0)
			fail_msg("%s: %s", rows[i], err.text);
	}
}

static void test_malformed_words_are_named(void **state)
{
	static const char bytes[] = "a number of bytes, such as 500M";
	static const char seconds[] = "a number of seconds from 1";
	static const struct {
		const char *word, *expected;
	} rows[] = {
		{ "cpu", seconds },
		{ "cpu=", seconds },
		{ "cpu=0", seconds },
		{ "cpu=-1", seconds },
		{ "cpu=1s", seconds },
		{ "cpu=4294967296", seconds },
		{ "directory=", "an absolute path" },
		{ "directory=tmp", "an absolute path" },
		{ "file-size=K", bytes },
		{ "file-size=1k", bytes },
		{ "file-size=1KK", bytes },
		{ "file-size=8388608T", bytes },
		{ "group=", "a group's name or number" },
		{ "memory=0", bytes },
		{ "memory= 1", bytes },
		{ "memory=9223372036854775808", bytes },
		{ "memory=0x10", bytes },
		{ "nice=20", "a number from -20 to 19" },
		{ "nice=-21", "a number from -20 to 19" },
		{ "nice=--1", "a number from -20 to 19" },
		{ "nice=-", "a number from -20 to 19" },
		{ "nice=+1", "a number from -20 to 19" },
		{ "no-network=", "no value" },
		{ "no-new-privileges=yes", "no value" },
		{ "processes=0", "a number from 1" },
		{ "read-only=/", "no value" },
		{ "read-write", "an absolute path" },
		{ "read-write=./x", "an absolute path" },
		{ "umask=", "an octal number up to 777" },
		{ "umask=8", "an octal number up to 777" },
		{ "umask=1000", "an octal number up to 777" },
		{ "umask=7777777777777777777777", "an octal number up to 777" },
		{ "user=", "a user's name or number" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = STR_INIT;
		struct err err = { 0 };

		str_addf(&want, "%s: expected %s", rows[i].word,
			 rows[i].expected);
		assert_int_equal(
		    launch_check_word(slice_of(rows[i].word), &err), -1);
		assert_string_equal(err.text, str_cstr(&want));
		str_done(&want);
	}
}

static void test_unknown_words_are_named(void **state)
{
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "", ": unknown word" },
		{ "=", ": unknown word" },
		{ "CPU=1", "CPU: unknown word" },
		{ "cpus=1", "cpus: unknown word" },
		{ "read-onl", "read-onl: unknown word" },
		{ "--check", "--check: unknown word" },
		{ "--", "--: unknown word" },
		{ "report=3", "report: unknown word" }, /* proc's own */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(
		    launch_check_word(slice_of(rows[i].word), &err), -1);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void test_wrong_arguments_are_a_usage_error(void **state)
{
	static const char usage[] = "zlaunch: expected: [word ...] -- path "
				    "argv0 [argument ...], or: [word ...] "
				    "--check\n";
	static const struct {
		const char *words, *said;
	} rows[] = {
		{ "cpu=1", usage },
		{ "--", usage },
		{ "-- /bin/true", usage },
		{ "--check more", usage },
		{ "--checks", usage },
		{ "--help", usage },
		{ "cpu=x -- /bin/true true",
		  "zlaunch: cpu=x: expected a number of seconds from 1\n" },
		{ "-x -- /bin/true true", "zlaunch: -x: unknown word\n" },
		{ "report=77 --check",
		  "zlaunch: report: Bad file descriptor\n" },
		{ "report=2 --check",
		  "zlaunch: report=2: expected a descriptor from 3\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ran r;

		run_zlaunch(rows[i].words, &r);
		check_said(&r, EX_USAGE, rows[i].said);
	}
}

/* ---- reports ----------------------------------------------------------- */

static void test_report_is_read_back(void **state)
{
	static const struct {
		const char *text;
		bool is_report;
		enum proc_step step;
		int code;
		const char *why;
	} rows[] = {
		{ "", false, 0, 0, NULL },
		{ "\n", false, 0, 0, NULL },
		{ "limits", false, 0, 0, NULL },
		{ "other 1 text\n", false, 0, 0, NULL },
		{ "limits x text\n", false, 0, 0, NULL },
		{ "limits 0\n", true, PROC_STEP_LIMITS, 0, "" },
		{ "limits 13 nice: a b\n", true, PROC_STEP_LIMITS, 13,
		  "nice: a b" },
		{ "exec 2 cannot execute /x\n", true, PROC_STEP_EXEC, 2,
		  "cannot execute /x" },
		{ "exec 7 cut sho", true, PROC_STEP_EXEC, 7, "cut sho" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum proc_step step = PROC_STEP_PIPE;
		struct err why = { 0 };

		assert_int_equal(
		    launch_read_report(slice_of(rows[i].text), &step, &why),
		    rows[i].is_report);
		if (!rows[i].is_report) {
			assert_int_equal(step, PROC_STEP_PIPE);
			continue;
		}
		assert_int_equal(step, rows[i].step);
		assert_int_equal(why.code, rows[i].code);
		assert_string_equal(why.text, rows[i].why);
	}
}

/* ---- execution --------------------------------------------------------- */

static void test_arguments_environment_and_status_pass_through(void **state)
{
	char *argv[] = { (char *)"name",
			 (char *)"-c",
			 (char *)"cat; echo \"$0|$1|$2|$X\"; exit 7",
			 (char *)"--",
			 (char *)"",
			 (char *)"cpu=x",
			 NULL };
	char *limits[] = { (char *)"cpu=60", NULL };
	struct proc_command c = { .path = "/bin/sh",
				  .argv = argv,
				  .launcher = TEST_SELF,
				  .limits = limits };
	struct ran r;

	(void)state;
	setenv("X", "y z", 1);
	run_command(&c, &r);
	unsetenv("X");
	check_said(&r, 7, "--||cpu=x|y z\n");
}

static void test_limits_without_words_are_none(void **state)
{
	(void)state;
	check_script("", "echo yes", "yes\n");
}

static void test_failing_exec_is_not_started(void **state)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = {
		{ "/nonexistent/program", ENOENT },
		{ "/etc/passwd", EACCES },
		{ "/etc/passwd/x", ENOTDIR },
	};
	char *argv[] = { (char *)"x", NULL };
	char *limits[] = { (char *)"cpu=60", NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct proc_command c = { .path = rows[i].path,
					  .argv = argv,
					  .launcher = TEST_SELF,
					  .limits = limits };
		struct str want = STR_INIT;
		struct ran r;

		str_addf(&want, "cannot execute %s: %s", rows[i].path,
			 strerror(rows[i].code));
		run_command(&c, &r);
		assert_int_equal(r.result.end, PROC_NOT_STARTED);
		assert_int_equal(r.result.step, PROC_STEP_EXEC);
		assert_int_equal(r.result.err.code, rows[i].code);
		assert_string_equal(r.result.err.text, str_cstr(&want));
		assert_int_equal(r.output.len, 0);
		str_done(&want);
	}
}

static void test_missing_launcher_is_not_started(void **state)
{
	char *argv[] = { (char *)"true", NULL };
	char *limits[] = { (char *)"cpu=60", NULL };
	struct proc_command c = { .path = "/bin/true",
				  .argv = argv,
				  .launcher = "/nonexistent/zlaunch",
				  .limits = limits };
	struct ran r;

	(void)state;
	run_command(&c, &r);
	assert_int_equal(r.result.end, PROC_NOT_STARTED);
	assert_int_equal(r.result.step, PROC_STEP_EXEC);
	assert_int_equal(r.result.err.code, ENOENT);
	assert_string_equal(r.result.err.text,
			    "cannot execute /nonexistent/zlaunch: No such file "
			    "or directory");
}

static void test_limit_that_cannot_be_set_is_not_started(void **state)
{
	struct ran r;

	(void)state;
	run_limited("directory=/nonexistent", "echo ran", &r);
	assert_int_equal(r.result.end, PROC_NOT_STARTED);
	assert_int_equal(r.result.step, PROC_STEP_LIMITS);
	assert_int_equal(r.result.err.code, ENOENT);
	assert_string_equal(
	    r.result.err.text,
	    "directory=/nonexistent: No such file or directory");
	assert_int_equal(r.output.len, 0);
}

static void test_too_long_arguments_are_not_started(void **state)
{
	struct str longest = STR_INIT;
	char *argv[] = { (char *)"true", NULL, NULL };
	char *limits[] = { (char *)"cpu=60", NULL };
	struct proc_command c = { .path = "/bin/true",
				  .argv = argv,
				  .launcher = TEST_SELF,
				  .limits = limits };
	struct ran r;

	(void)state;
	for (int i = 0; i < 200000; i++)
		str_addc(&longest, 'x');
	argv[1] = longest.p;
	run_command(&c, &r);
	assert_int_equal(r.result.end, PROC_NOT_STARTED);
	assert_int_equal(r.result.err.code, E2BIG);
	str_done(&longest);
}

static void test_program_has_three_descriptors(void **state)
{
	/* 3 is the directory that ls itself reads */
	(void)state;
	check_script("cpu=60", "exec ls /proc/self/fd", "0\n1\n2\n3\n");
}

static void test_program_leads_its_group_with_default_signals(void **state)
{
	(void)state;
	check_script("cpu=60",
		     "read pid name state parent group rest </proc/$$/stat;"
		     "test $pid = $group && test $pid = $$ &&"
		     "grep -E '^Sig(Blk|Ign)' /proc/self/status",
		     "SigBlk:\t0000000000000000\n"
		     "SigIgn:\t0000000000000000\n");
}

static void test_time_out_ends_a_limited_program(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"60", NULL };
	char *limits[] = { (char *)"cpu=60", NULL };
	struct proc_command c = { .path = "/bin/sleep",
				  .argv = argv,
				  .envp = environ,
				  .launcher = TEST_SELF,
				  .limits = limits,
				  .timeout_ms = 300 };
	struct str output = STR_INIT;
	struct proc_result result;

	(void)state;
	proc_run(&c, no_input, NULL, &output, &result);
	assert_int_equal(result.end, PROC_TIMED_OUT);
	str_done(&output);
}

static void test_failure_by_hand_is_told_on_standard_error(void **state)
{
	struct ran r;

	(void)state;
	run_zlaunch("directory=/nonexistent -- /bin/true true", &r);
	check_said(&r, EX_OSERR,
		   "zlaunch: directory=/nonexistent: No such file or "
		   "directory\n");
	run_zlaunch("-- /nonexistent x", &r);
	check_said(&r, EX_OSERR,
		   "zlaunch: cannot execute /nonexistent: No such file or "
		   "directory\n");
}

static void test_check_says_nothing_and_executes_nothing(void **state)
{
	struct ran r;

	(void)state;
	run_zlaunch("--check", &r);
	check_said(&r, 0, "");
	run_zlaunch("cpu=1 directory=/ file-size=0 memory=1G nice=19 umask=77 "
		    "no-new-privileges --check",
		    &r);
	check_said(&r, 0, "");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_well_formed_words_are_understood),
		cmocka_unit_test(test_malformed_words_are_named),
		cmocka_unit_test(test_unknown_words_are_named),
		cmocka_unit_test(test_wrong_arguments_are_a_usage_error),
		cmocka_unit_test(test_report_is_read_back),
		cmocka_unit_test(
		    test_arguments_environment_and_status_pass_through),
		cmocka_unit_test(test_limits_without_words_are_none),
		cmocka_unit_test(test_failing_exec_is_not_started),
		cmocka_unit_test(test_missing_launcher_is_not_started),
		cmocka_unit_test(test_limit_that_cannot_be_set_is_not_started),
		cmocka_unit_test(test_too_long_arguments_are_not_started),
		cmocka_unit_test(test_program_has_three_descriptors),
		cmocka_unit_test(
		    test_program_leads_its_group_with_default_signals),
		cmocka_unit_test(test_time_out_ends_a_limited_program),
		cmocka_unit_test(
		    test_failure_by_hand_is_told_on_standard_error),
		cmocka_unit_test(test_check_says_nothing_and_executes_nothing),
	};

	test_launch_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
