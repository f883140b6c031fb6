/*
 * proc_stop_test.c - a caller that must stop does not wait for its child.
 */
#include "proc/proc.h"

#include "base/test.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t was_told;

static void note_it(int sig)
{
	was_told = sig;
}

static bool must_stop(void)
{
	return was_told != 0;
}

static ssize_t no_input(void *context, struct str *to, struct err *err)
{
	(void)context;
	(void)to;
	(void)err;
	return 0;
}

static struct proc_result run(const char *script, struct str *output)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	char *envp[] = { NULL };
	const struct proc_command c = {
		.path = "/bin/sh",
		.argv = argv,
		.envp = envp,
		.ids = PROC_IDS_KEEP,
		.timeout_ms = 50000,
		.kill_after_ms = 200,
		.output_max = 100,
		.should_stop = must_stop,
	};
	struct proc_result result;

	proc_run(&c, no_input, NULL, output, &result);
	return result;
}

static void test_child_is_ended_when_we_must_stop(void **state)
{
	static const char *const scripts[] = {
		"echo begun; exec sleep 60",
		"trap '' TERM; echo begun; while :; do sleep 1; done",
	};
	struct sigaction act = { .sa_handler = note_it }, before;
	struct itimerval once = { { 0, 0 }, { 0, 300000 } };

	(void)state;
	sigaction(SIGALRM, &act, &before);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		time_t begin = time(NULL);
		struct str output = STR_INIT;

		was_told = 0;
		setitimer(ITIMER_REAL, &once, NULL);
		assert_int_equal(run(scripts[i], &output).end, PROC_TIMED_OUT);
		assert_slice_is(str_slice(&output), "begun\n");
		assert_in_range(time(NULL) - begin, 0, 40);
		str_done(&output);
	}
	sigaction(SIGALRM, &before, NULL);
}

static void test_child_that_ends_in_time_is_left_alone(void **state)
{
	struct str output = STR_INIT;
	struct proc_result result;

	(void)state;
	was_told = 0;
	result = run("exit 3", &output);
	assert_int_equal(result.end, PROC_EXITED);
	assert_int_equal(result.code, 3);
	str_done(&output);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_is_ended_when_we_must_stop),
		cmocka_unit_test(test_child_that_ends_in_time_is_left_alone),
	};

	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
