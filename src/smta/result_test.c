/*
 * result_test.c - every way a mailer can end, and what is reported.
 */
#include "smta/result.h"

#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void check(const struct diag *d, enum fate fate, const char *status,
		  const char *diagnostic, const char *text)
{
	assert_int_equal(d->fate, fate);
	assert_slice_is(d->status, status);
	assert_slice_is(d->diagnostic, diagnostic);
	assert_slice_is(d->text, text);
	assert_int_equal(d->remote_mta.len, 0);
	assert_non_null(d->reason);
}

#define S "x-local; 500 "

struct exit_row {
	int code;
	enum fate fate;
	const char *status, *diagnostic, *text;
};

static void check_exits(const struct exit_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct proc_result run = { .end = PROC_EXITED,
					   .code = rows[i].code };
		struct arena *a = arena_new();
		struct diag d = result_of_run(&run, SLICE("out\n"), a);

		check(&d, rows[i].fate, rows[i].status, rows[i].diagnostic,
		      rows[i].text);
		arena_free(a);
	}
}

static void test_exit_0_is_delivered(void **state)
{
	static const struct exit_row rows[] = {
		{ 0, FATE_RELAYED, "2.5.0", "smtp;250 (Delivered)", "out" },
	};

	(void)state;
	check_exits(rows, COUNT(rows));
}

static void test_five_exit_codes_are_permanent(void **state)
{
	static const struct exit_row rows[] = {
		{ 65, FATE_FAILED, "5.3.0", S "(Data format error)",
		  "out[exit status 65/65 (data format error)]" },
		{ 67, FATE_FAILED, "5.1.1",
		  "x-local; 521 (No such target user)",
		  "out[exit status 67/67 (addressee unknown)]" },
		{ 68, FATE_FAILED, "5.3.0", S "(Target host unknown)",
		  "out[exit status 68/68 (host name unknown)]" },
		{ 69, FATE_FAILED, "5.3.0", S "(Service unavailable)",
		  "out[exit status 69/69 (service unavailable)]" },
		{ 77, FATE_FAILED, "5.2.0", "x-local; 520 (Permission denied)",
		  "out[exit status 77/77 (permission denied)] (this is "
		  "abnormal, investigate!)" },
	};

	(void)state;
	check_exits(rows, COUNT(rows));
}

static void test_other_listed_exit_codes_are_temporary(void **state)
{
	static const struct exit_row rows[] = {
		{ 64, FATE_DEFERRED, "4.3.0", S "(Command line usage error)",
		  "out[exit status 64/75 (command line usage error)]" },
		{ 66, FATE_DEFERRED, "4.3.0",
		  "x-local; 530 (Cannot open input)",
		  "out[exit status 66/75 (cannot open input)]" },
		{ 70, FATE_DEFERRED, "4.3.0", S "(Internal software error)",
		  "out[exit status 70/75 (internal software error)]" },
		{ 71, FATE_DEFERRED, "4.3.0", S "(System error)",
		  "out[exit status 71/75 (system error)]" },
		{ 72, FATE_DEFERRED, "4.3.0", S "(Critical OS file missing)",
		  "out[exit status 72/75 (critical OS file missing)]" },
		{ 73, FATE_DEFERRED, "4.2.1", S "(Can't create output file)",
		  "out[exit status 73/75 (can't create output file)]" },
		{ 74, FATE_DEFERRED, "4.2.2", S "(Input/Output error)",
		  "out[exit status 74/75 (input/output error)]" },
		{ 75, FATE_DEFERRED, "4.3.0", S "(Temporary failure)",
		  "out[exit status 75/75 (temporary failure)]" },
		{ 76, FATE_DEFERRED, "4.3.0", S "(Remote error in protocol)",
		  "out[exit status 76/75 (remote error in protocol)]" },
	};

	(void)state;
	check_exits(rows, COUNT(rows));
}

static void test_every_code_that_is_not_listed_is_temporary(void **state)
{
	(void)state;
	for (int code = 1; code < 256; code++) {
		struct proc_result run = { .end = PROC_EXITED, .code = code };
		struct arena *a;
		struct diag d;
		char want[64];

		if (code >= 64 && code <= 77)
			continue;
		a = arena_new();
		d = result_of_run(&run, SLICE("x"), a);
		snprintf(want, sizeof(want), "x[exit status %d/%d]", code,
			 code);
		check(&d, FATE_DEFERRED, "4.3.0", S "(Unknown exit status)",
		      want);
		arena_free(a);
	}
}

static void test_death_by_signal_is_temporary(void **state)
{
	static const struct {
		const char *output;
		bool dumped;
		const char *want;
	} rows[] = {
		{ "dying\nmore\n", false, "dying [signal 11]" },
		{ "", false, "[signal 11]" },
		{ "\n", false, "[signal 11]" },
		{ "dying", true, "dying [signal 11 (Core dumped)]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct proc_result run = { .end = PROC_SIGNALED,
					   .signal = 11,
					   .dumped_core = rows[i].dumped };
		struct arena *a = arena_new();
		struct diag d =
		    result_of_run(&run, slice_of(rows[i].output), a);

		check(&d, FATE_DEFERRED, "4.3.0", S "(failed on signal)",
		      rows[i].want);
		arena_free(a);
	}
}

static void test_what_could_not_be_done_is_temporary(void **state)
{
	static const struct {
		enum proc_end end;
		enum proc_step step;
		const char *status, *diagnostic, *text;
	} rows[] = {
		{ PROC_NOT_STARTED, PROC_STEP_PIPE,
		  "4.3.0 (Out of system resources, pipe creation failed)",
		  S "(pipe creation error, out of system resources ?)", "why" },
		{ PROC_NOT_STARTED, PROC_STEP_FORK,
		  "4.3.0 (Out of system resources, fork failed)",
		  S "(fork failure, out of system resources ?)", "why" },
		{ PROC_NOT_STARTED, PROC_STEP_SETUP,
		  "4.3.5 (mailer could not be set up)",
		  S "(mailer could not be set up)", "why" },
		{ PROC_NOT_STARTED, PROC_STEP_IDS,
		  "4.3.5 (ids could not be set)", S "(ids could not be set)",
		  "why" },
		{ PROC_NOT_STARTED, PROC_STEP_LIMITS,
		  "4.3.5 (limits could not be set)",
		  S "(limits could not be set)", "why" },
		{ PROC_NOT_STARTED, PROC_STEP_EXEC,
		  "4.3.5 (mailer could not be executed)",
		  S "(mailer could not be executed)", "why" },
		{ PROC_TIMED_OUT, 0, "4.3.0 (mailer timed out)",
		  S "(mailer timed out)", "out [timed out and killed]" },
		{ PROC_SOURCE_FAILED, 0, "4.3.0 (message could not be read)",
		  S "(message could not be read)", "why" },
		{ PROC_WRITE_FAILED, 0,
		  "4.3.0 (Write to target failed for some reason)",
		  S "(Write to target failed for some reason)",
		  "write error: why" },
		{ PROC_LOST, 0, "4.3.0 (exit status unknown)",
		  S "(exit status unknown)", "why" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct proc_result run = { .end = rows[i].end,
					   .step = rows[i].step };
		struct arena *a = arena_new();
		struct diag d;

		err_set(&run.err, EIO, "why");
		d = result_of_run(&run, SLICE("out\n"), a);
		check(&d, FATE_DEFERRED, rows[i].status, rows[i].diagnostic,
		      rows[i].text);
		arena_free(a);
	}
}

static void test_first_line_is_made_clean_and_cut(void **state)
{
	struct proc_result run = { .end = PROC_EXITED, .code = 0 };
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct diag d;

	(void)state;
	d = result_of_run(&run, SLICE("a\tb\1c\033[1m\x7f\0\xc3\xbc\r\nnext\n"),
			  a);
	assert_slice_is(d.text, "a b?c?[1m??\xc3\xbc");
	d = result_of_run(&run, SLICE("\nsecond\n"), a);
	assert_slice_is(d.text, "");
	d = result_of_run(&run, slice_make(NULL, 0), a);
	assert_slice_is(d.text, "");
	for (int i = 0; i < 2000; i++)
		str_addc(&text, 'x');
	run.code = 75;
	d = result_of_run(&run, str_slice(&text), a);
	assert_int_equal(d.text.len,
			 RESULT_TEXT_MAX +
			     strlen("[exit status 75/75 (temporary failure)]"));
	str_done(&text);
	arena_free(a);
}

static void test_status_in_the_output_counts_if_it_agrees(void **state)
{
	static const struct {
		int code;
		const char *output, *status;
	} rows[] = {
		{ 77, "5.2.2 mailbox full", "5.2.2" },
		{ 67, "5.1.6", "5.1.6" },
		{ 75, "4.2.2 over quota\n", "4.2.2" },
		{ 1, "4.2.2 over quota", "4.2.2" },
		{ 0, "2.1.5 done", "2.1.5" },
		/* one that says something else than the exit code does not */
		{ 75, "5.2.2 mailbox full", "4.3.0" },
		{ 67, "4.2.2 over quota", "5.1.1" },
		{ 0, "5.2.2 mailbox full", "2.5.0" },
		{ 67, "2.0.0 fine", "5.1.1" },
		{ 67, " 5.1.6 blank before", "5.1.1" },
		{ 67, "5.1.6x", "5.1.6" },
		{ 67, "5.1.6.7", "5.1.1" },
		{ 67, "5.1", "5.1.1" },
		{ 67, "user\n5.1.6 second line", "5.1.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct proc_result run = { .end = PROC_EXITED,
					   .code = rows[i].code };
		struct arena *a = arena_new();
		struct diag d =
		    result_of_run(&run, slice_of(rows[i].output), a);

		if (!slice_eq(d.status, slice_of(rows[i].status)))
			fail_msg("%s: %.*s", rows[i].output,
				 SLICE_ARG(d.status));
		arena_free(a);
	}
}

static void test_output_is_cut_into_lines(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },	    { "a", "[a]" },
		{ "a\n", "[a]" },   { "a\r\nb", "[a][b]" },
		{ "\n\n", "[][]" }, { "a\n\nb\n", "[a][][b]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice rest = slice_of(rows[i].in), line;
		struct str got = STR_INIT;

		while (result_next_line(&rest, &line))
			str_addf(&got, "[%.*s]", SLICE_ARG(line));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_0_is_delivered),
		cmocka_unit_test(test_five_exit_codes_are_permanent),
		cmocka_unit_test(test_other_listed_exit_codes_are_temporary),
		cmocka_unit_test(
		    test_every_code_that_is_not_listed_is_temporary),
		cmocka_unit_test(test_death_by_signal_is_temporary),
		cmocka_unit_test(test_what_could_not_be_done_is_temporary),
		cmocka_unit_test(test_first_line_is_made_clean_and_cut),
		cmocka_unit_test(test_status_in_the_output_counts_if_it_agrees),
		cmocka_unit_test(test_output_is_cut_into_lines),
	};

	return TEST_RUN(tests);
}
