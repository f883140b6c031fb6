/*
 * proc_test.c - real children of every kind: those that do as expected, and
 * those that never read, never end, die, or leave something behind.
 */
#include "proc/proc.h"

#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- helpers ----------------------------------------------------------- */

/* Input of `total` bytes that follow a pattern; fails behind `fail_at`. */
struct input {
	size_t total, given;
	size_t fail_at; /* SIZE_MAX: never */
};

static char pattern(size_t at)
{
	return (char)('a' + (at * 7 + at / 1000) % 26);
}

static ssize_t give(void *context, struct str *to, struct err *err)
{
	struct input *in = context;
	size_t n = in->total - in->given;

	if (in->given >= in->fail_at)
		return FAIL_CODE(err, EIO, "the input broke");
	if (n > 50000)
		n = 50000;
	str_reserve(to, n);
	for (size_t i = 0; i < n; i++)
		str_addc(to, pattern(in->given + i));
	in->given += n;
	return (ssize_t)n;
}

struct outcome {
	struct proc_result result;
	struct str output;
	int64_t ms;
};

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Runs a command that has path and argv, with defaults for the rest. */
static void run_command(struct proc_command c, struct input in,
			struct outcome *ret)
{
	int64_t begin = clock_ms();

	ret->output = STR_INIT;
	if (c.envp == NULL)
		c.envp = environ;
	if (c.output_max == 0)
		c.output_max = 1000;
	if (in.fail_at == 0)
		in.fail_at = SIZE_MAX;
	proc_run(&c, give, &in, &ret->output, &ret->result);
	ret->ms = clock_ms() - begin;
}

/* Runs a shell script with `size` bytes of input and a limit of time. */
static void run_script(const char *script, size_t size, unsigned timeout_ms,
		       struct outcome *ret)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	struct proc_command c = { .path = "/bin/sh",
				  .argv = argv,
				  .timeout_ms = timeout_ms,
				  .kill_after_ms = 200 };

	run_command(c, (struct input){ .total = size }, ret);
}

/* Runs a program with one argument: one that tells about itself. */
static void run_teller(const char *path, const char *argument,
		       enum proc_ids ids, struct outcome *ret)
{
	char *argv[] = { (char *)path, (char *)argument, NULL };
	struct proc_command c = {
		.path = path, .argv = argv, .ids = ids, .output_max = 10000
	};

	run_command(c, (struct input){ 0 }, ret);
}

/* Checks the line that begins with `name` of a /proc/PID/status. */
static void check_status(const struct outcome *o, const char *name,
			 const char *want)
{
	struct slice rest = str_slice(&o->output), line;

	while (slice_cut(&rest, '\n', &line))
		if (slice_starts(line, slice_of(name))) {
			assert_slice_is(
			    slice_trim(slice_from(line, strlen(name))), want);
			return;
		}
	fail_msg("no line %s", name);
}

static void check_exit(const struct outcome *o, int code)
{
	if (o->result.end != PROC_EXITED || o->result.code != code)
		fail_msg("end %d, code %d, signal %d: %s", o->result.end,
			 o->result.code, o->result.signal, o->result.err.text);
}

/* Is there, for a while at most, no live process of this number? */
static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 200; i++) {
		char name[64], state = 'Z';
		FILE *f;

		snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
		f = fopen(name, "re");
		if (f == NULL)
			return true;
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = 'Z';
		fclose(f);
		if (state == 'Z' || state == 'X')
			return true;
		usleep(10000);
	}
	return false;
}

/* ---- children that do as expected -------------------------------------- */

static void test_arguments_and_environment_reach_the_child(void **state)
{
	char *argv[] = { (char *)"name",
			 (char *)"-c",
			 (char *)"echo \"$0|$1|$2|$X\"; exit 7",
			 (char *)"two words",
			 (char *)"",
			 (char *)"$X;`id`",
			 NULL };
	char *envp[] = { (char *)"X=y z", NULL };
	struct proc_command c = { .path = "/bin/sh",
				  .argv = argv,
				  .envp = envp };
	struct outcome o;

	(void)state;
	run_command(c, (struct input){ 0 }, &o);
	check_exit(&o, 7);
	assert_slice_is(str_slice(&o.output), "two words||$X;`id`|y z\n");
	str_done(&o.output);
}

static void test_both_outputs_come_through_one_pipe(void **state)
{
	struct outcome o;

	(void)state;
	run_script("echo one; echo two >&2; printf three", 0, 0, &o);
	check_exit(&o, 0);
	assert_slice_is(str_slice(&o.output), "one\ntwo\nthree");
	assert_false(o.result.closed_early || o.result.output_cut);
	str_done(&o.output);
}

static void test_errors_can_be_kept_out_of_the_output(void **state)
{
	char *argv[] = { (char *)"sh", (char *)"-c",
			 (char *)"echo one; echo two >&2; printf three", NULL };
	struct proc_command c = { .path = "/bin/sh",
				  .argv = argv,
				  .keeps_stderr = true };
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	struct outcome o;
	char text[16];

	(void)state;
	assert_true(saved >= 0 && pipe2(pipe_fds, O_CLOEXEC) == 0);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	run_command(c, (struct input){ 0 }, &o);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pipe_fds[1]);
	check_exit(&o, 0);
	assert_slice_is(str_slice(&o.output), "one\nthree");
	assert_int_equal(read(pipe_fds[0], text, sizeof(text)), 4);
	assert_memory_equal(text, "two\n", 4);
	close(pipe_fds[0]);
	str_done(&o.output);
}

static void test_ten_megabytes_in_both_directions_at_once(void **state)
{
	const size_t size = 10 * 1024 * 1024;
	char *argv[] = { (char *)"cat", NULL };
	struct proc_command c = { .path = "/bin/cat",
				  .argv = argv,
				  .timeout_ms = 60000,
				  .output_max = size + 1 };
	struct outcome o;

	(void)state;
	run_command(c, (struct input){ .total = size }, &o);
	check_exit(&o, 0);
	assert_int_equal(o.output.len, size);
	for (size_t i = 0; i < size; i++)
		if (o.output.p[i] != pattern(i))
			fail_msg("byte %zu is wrong", i);
	assert_false(o.result.closed_early || o.result.output_cut);
	str_done(&o.output);
}

static void test_output_before_any_reading(void **state)
{
	struct outcome o;

	(void)state;
	run_script("head -c 300000 /dev/zero; wc -c", 300000, 30000, &o);
	check_exit(&o, 0);
	assert_int_equal(o.output.len, 1000);
	assert_true(o.result.output_cut);
	assert_false(o.result.closed_early);
	str_done(&o.output);
}

static void test_output_is_kept_to_the_limit(void **state)
{
	static const struct {
		const char *script;
		bool is_cut;
	} rows[] = {
		{ "head -c 999 /dev/zero", false },
		{ "head -c 1000 /dev/zero", false },
		{ "head -c 1001 /dev/zero", true },
		{ "head -c 5000000 /dev/zero", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct outcome o;

		run_script(rows[i].script, 0, 30000, &o);
		check_exit(&o, 0);
		assert_int_equal(o.output.len, i == 0 ? 999 : 1000);
		assert_int_equal(o.result.output_cut, rows[i].is_cut);
		str_done(&o.output);
	}
}

static void test_exit_without_output(void **state)
{
	struct outcome o;

	(void)state;
	run_script("exec >&- 2>&-; cat; exit 75", 100000, 30000, &o);
	check_exit(&o, 75);
	assert_int_equal(o.output.len, 0);
	str_done(&o.output);
}

/* ---- children that do not ---------------------------------------------- */

static void test_what_cannot_be_executed_is_not_started(void **state)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = {
		{ "/nonexistent/program", ENOENT },
		{ "/etc/passwd", EACCES },
		{ "/etc", EACCES },
		{ "/etc/passwd/x", ENOTDIR },
		{ "", ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *argv[] = { (char *)"x", NULL };
		struct proc_command c = { .path = rows[i].path, .argv = argv };
		struct str want = STR_INIT;
		struct outcome o;

		run_command(c, (struct input){ .total = 10 }, &o);
		assert_int_equal(o.result.end, PROC_NOT_STARTED);
		assert_int_equal(o.result.step, PROC_STEP_EXEC);
		assert_int_equal(o.result.err.code, rows[i].code);
		str_addf(&want, "cannot execute %s: %s", rows[i].path,
			 strerror(rows[i].code));
		assert_string_equal(o.result.err.text, str_cstr(&want));
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		str_done(&want);
		str_done(&o.output);
	}
}

static void test_too_long_arguments_are_not_started(void **state)
{
	struct str longest = STR_INIT;
	char *argv[] = { (char *)"true", NULL, NULL };
	struct proc_command c = { .path = "/bin/true", .argv = argv };
	struct outcome o;

	(void)state;
	for (int i = 0; i < 200000; i++)
		str_addc(&longest, 'x');
	argv[1] = longest.p;
	run_command(c, (struct input){ .total = 10 }, &o);
	assert_int_equal(o.result.end, PROC_NOT_STARTED);
	assert_int_equal(o.result.err.code, E2BIG);
	str_done(&longest);
	str_done(&o.output);
}

static void test_no_descriptors_left_is_not_started(void **state)
{
	struct rlimit before, tight;
	struct outcome o;
	int free_fd = dup(0);

	(void)state;
	assert_true(free_fd > 0);
	close(free_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t more = 0; more < 4; more++) {
		tight = before;
		tight.rlim_cur = (rlim_t)free_fd + more;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		run_script("exit 0", 0, 0, &o);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(o.result.end, PROC_NOT_STARTED);
		assert_int_equal(o.result.step, PROC_STEP_PIPE);
		assert_int_equal(o.result.err.code, EMFILE);
		str_done(&o.output);
	}
	assert_int_equal(dup(0), free_fd); /* nothing stayed open */
	close(free_fd);
}

static void test_child_that_never_reads_may_succeed(void **state)
{
	struct outcome o;

	(void)state;
	run_script("echo ok; exit 0", 1000000, 30000, &o);
	check_exit(&o, 0);
	assert_true(o.result.closed_early);
	assert_slice_is(str_slice(&o.output), "ok\n");
	str_done(&o.output);
}

static void test_child_that_closes_its_input_early_goes_on(void **state)
{
	struct outcome o;

	(void)state;
	run_script("head -c 10; exec <&-; sleep 0.3; echo; exit 3", 1000000,
		   30000, &o);
	check_exit(&o, 3);
	assert_true(o.result.closed_early);
	assert_int_equal(o.output.len, 11);
	str_done(&o.output);
}

static void test_child_that_never_reads_nor_ends_is_killed(void **state)
{
	struct outcome o;

	(void)state;
	run_script("echo begun; exec sleep 60", 1000000, 300, &o);
	assert_int_equal(o.result.end, PROC_TIMED_OUT);
	assert_slice_is(str_slice(&o.output), "begun\n");
	assert_in_range(o.ms, 300, 5000);
	str_done(&o.output);
}

static void test_child_that_never_ends_its_output_is_killed(void **state)
{
	struct outcome o;

	(void)state;
	run_script("exec yes", 100, 300, &o);
	assert_int_equal(o.result.end, PROC_TIMED_OUT);
	assert_int_equal(o.output.len, 1000);
	assert_true(o.result.output_cut);
	assert_in_range(o.ms, 300, 5000);
	str_done(&o.output);
}

static void test_child_that_closes_all_and_stays_is_killed(void **state)
{
	struct outcome o;

	(void)state;
	run_script("exec <&- >&- 2>&-; sleep 60", 100, 300, &o);
	assert_int_equal(o.result.end, PROC_TIMED_OUT);
	assert_in_range(o.ms, 300, 5000);
	str_done(&o.output);
}

/* The shell ignores TERM and so does its child, both of one group. */
static void test_whole_group_is_killed_when_term_does_not_help(void **state)
{
	struct outcome o;
	int leader, member;

	(void)state;
	run_script(
	    "trap '' TERM; sleep 60 & echo $$ $!; while :; do wait; done", 100,
	    300, &o);
	assert_int_equal(o.result.end, PROC_TIMED_OUT);
	assert_in_range(o.ms, 500, 5000);
	assert_int_equal(sscanf(str_cstr(&o.output), "%d %d", &leader, &member),
			 2);
	assert_true(is_gone(leader));
	assert_true(is_gone(member));
	str_done(&o.output);
}

/* The leader obeys TERM, its child does not and keeps the output open. */
static void test_member_that_outlives_its_leader_is_killed(void **state)
{
	struct outcome o;
	int member;

	(void)state;
	run_script("(trap '' TERM; exec sleep 60) & echo $!; wait", 100, 300,
		   &o);
	assert_int_equal(o.result.end, PROC_TIMED_OUT);
	assert_in_range(o.ms, 500, 5000);
	assert_int_equal(sscanf(str_cstr(&o.output), "%d", &member), 1);
	assert_true(is_gone(member));
	str_done(&o.output);
}

static void test_time_within_the_limit_is_no_timeout(void **state)
{
	struct outcome o;

	(void)state;
	run_script("sleep 0.2; exit 4", 10, 20000, &o);
	check_exit(&o, 4);
	str_done(&o.output);
}

static void test_death_by_signal_is_told(void **state)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGPIPE,
				       SIGUSR1 };

	(void)state;
	for (size_t i = 0; i < COUNT(signals); i++) {
		struct str script = STR_INIT;
		struct outcome o;

		str_addf(&script, "ulimit -c 0; echo dying; kill -%d $$",
			 signals[i]);
		run_script(str_cstr(&script), 10, 30000, &o);
		assert_int_equal(o.result.end, PROC_SIGNALED);
		assert_int_equal(o.result.signal, signals[i]);
		assert_slice_is(str_slice(&o.output), "dying\n");
		str_done(&script);
		str_done(&o.output);
	}
}

static void test_grandchild_with_the_output_open_is_not_waited_for(void **state)
{
	struct outcome o;
	int grandchild;

	(void)state;
	run_script("sleep 60 & echo $!; exit 5", 10, 30000, &o);
	check_exit(&o, 5);
	assert_in_range(o.ms, 0, 5000);
	assert_int_equal(sscanf(str_cstr(&o.output), "%d", &grandchild), 1);
	assert_int_equal(kill(grandchild, 0), 0); /* and it is left alone */
	kill(grandchild, SIGKILL);
	str_done(&o.output);
}

static void test_endless_grandchild_is_not_read_for_ever(void **state)
{
	struct outcome o;
	int grandchild;

	(void)state;
	run_script("yes & echo $!; exit 0", 10, 30000, &o);
	check_exit(&o, 0);
	assert_in_range(o.ms, 0, 5000);
	if (sscanf(str_cstr(&o.output), "%d", &grandchild) == 1)
		kill(grandchild, SIGKILL);
	str_done(&o.output);
}

/* Only a child that saw the end of its input could print "whole". */
static void test_broken_source_never_looks_like_the_end(void **state)
{
	static const char *const scripts[] = {
		"cat >/dev/null; echo whole",
		"trap '' TERM; cat >/dev/null; echo whole",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		char *argv[] = { (char *)"sh", (char *)"-c", (char *)scripts[i],
				 NULL };
		struct proc_command c = { .path = "/bin/sh",
					  .argv = argv,
					  .timeout_ms = 30000,
					  .kill_after_ms = 200 };
		struct outcome o;

		run_command(
		    c, (struct input){ .total = 500000, .fail_at = 100000 },
		    &o);
		assert_int_equal(o.result.end, PROC_SOURCE_FAILED);
		assert_string_equal(o.result.err.text, "the input broke");
		assert_int_equal(o.result.err.code, EIO);
		assert_int_equal(o.output.len, 0);
		str_done(&o.output);
	}
}

/* ---- what the child is given ------------------------------------------- */

static void test_child_has_three_descriptors(void **state)
{
	struct outcome o;
	int extra[20];

	(void)state;
	for (size_t i = 0; i < COUNT(extra); i++) {
		extra[i] = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */
		assert_true(extra[i] > 0);
	}
	assert_true(dup2(extra[0], 200) == 200);
	run_teller("/bin/ls", "/proc/self/fd", PROC_IDS_KEEP, &o);
	check_exit(&o, 0);
	/* 3 is the directory that ls itself reads */
	assert_slice_is(str_slice(&o.output), "0\n1\n2\n3\n");
	for (size_t i = 0; i < COUNT(extra); i++)
		close(extra[i]);
	close(200);
	str_done(&o.output);
}

static void test_standard_descriptors_of_ours_may_be_closed(void **state)
{
	int saved[3];
	struct outcome o;

	(void)state;
	fflush(stdout);
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	}
	run_script("cat; echo end", 5, 30000, &o);
	for (int fd = 0; fd < 3; fd++) {
		if (saved[fd] >= 0)
			dup2(saved[fd], fd);
		close(saved[fd]);
	}
	check_exit(&o, 0);
	assert_int_equal(o.output.len, 5 + strlen("end\n"));
	str_done(&o.output);
}

static void ignore_it(int signal_number)
{
	(void)signal_number;
}

/* Those that the C library keeps to itself; a parent may ignore them. */
static void ignore_internal_signals(void)
{
	uint64_t act[8] = { (uintptr_t)SIG_IGN };

	for (int s = 32; s < SIGRTMIN; s++)
		assert_int_equal(syscall(SYS_rt_sigaction, s, act, NULL, 8), 0);
}

/* Whether the caller has asked which signals it ignores, or has not. */
static void check_default_signals(uint64_t ignored)
{
	char *argv[] = { "cat", "/proc/self/status", NULL };
	struct proc_command c = { .path = "/bin/cat",
				  .argv = argv,
				  .output_max = 10000,
				  .ignored_signals = ignored };
	struct outcome o;

	run_command(c, (struct input){ 0 }, &o);
	check_exit(&o, 0);
	check_status(&o, "SigBlk:", "0000000000000000");
	check_status(&o, "SigIgn:", "0000000000000000");
	check_status(&o, "SigCgt:", "0000000000000000");
	str_done(&o.output);
}

static void test_child_has_default_signals_none_blocked(void **state)
{
	struct sigaction act = { .sa_handler = ignore_it }, before;
	sigset_t some, mask, after;

	(void)state;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	sigaddset(&some, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &some, &mask);
	sigaction(SIGTERM, &act, &before);
	signal(SIGHUP, SIG_IGN);
	signal(SIGRTMIN + 1, SIG_IGN);
	ignore_internal_signals();
	check_default_signals(0);
	check_default_signals(proc_ignored_signals());
	/* and ours are as they were */
	sigprocmask(SIG_SETMASK, &mask, &after);
	assert_int_equal(sigismember(&after, SIGUSR1), 1);
	assert_int_equal(sigismember(&after, SIGUSR2), 0);
	sigaction(SIGTERM, &before, &act);
	assert_true(act.sa_handler == ignore_it);
	assert_true(signal(SIGHUP, SIG_DFL) == SIG_IGN);
	signal(SIGRTMIN + 1, SIG_DFL);
}

static void test_child_leads_a_process_group(void **state)
{
	struct outcome o;

	(void)state;
	run_script("read pid name state parent group rest </proc/$$/stat;"
		   "test $pid = $group && test $pid = $$",
		   0, 0, &o);
	check_exit(&o, 0);
	str_done(&o.output);
}

static void test_ids_are_the_real_ones_or_kept(void **state)
{
	struct outcome real, kept;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(setresgid(0, 65534, 0), 0);
	assert_int_equal(setresuid(0, 65534, 0), 0);
	run_teller("/bin/cat", "/proc/self/status", PROC_IDS_REAL, &real);
	run_teller("/bin/cat", "/proc/self/status", PROC_IDS_KEEP, &kept);
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(setresgid(0, 0, 0), 0);
	check_exit(&real, 0);
	check_exit(&kept, 0);
	/* real, effective, saved, file system */
	check_status(&real, "Uid:", "0\t0\t0\t0");
	check_status(&real, "Gid:", "0\t0\t0\t0");
	check_status(&kept, "Uid:", "0\t65534\t65534\t65534");
	check_status(&kept, "Gid:", "0\t65534\t65534\t65534");
	str_done(&real.output);
	str_done(&kept.output);
}

static void test_signal_to_us_does_not_end_the_run(void **state)
{
	struct sigaction act = { .sa_handler = ignore_it }, before;
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	struct outcome o;

	(void)state;
	sigaction(SIGALRM, &act, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	run_script("cat | wc -c; sleep 0.3; exit 6", 3000000, 30000, &o);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	check_exit(&o, 6);
	assert_int_equal(atoi(str_cstr(&o.output)), 3000000);
	str_done(&o.output);
}

static void test_child_dies_with_us(void **state)
{
	char name[] = "/tmp/proc_testXXXXXX";
	int fd = mkstemp(name), status;
	struct str script = STR_INIT;
	char text[32] = "";
	pid_t us;

	(void)state;
	assert_true(fd >= 0);
	str_addf(&script, "echo $$ >%s; exec sleep 60", name);
	fflush(stdout);
	us = fork();
	assert_true(us >= 0);
	if (us == 0) {
		struct outcome o;

		run_script(str_cstr(&script), 1000000, 30000, &o);
		_exit(0);
	}
	for (int i = 0; i < 500 && strchr(text, '\n') == NULL; i++) {
		usleep(10000);
		assert_true(pread(fd, text, sizeof(text) - 1, 0) >= 0);
	}
	kill(us, SIGKILL);
	assert_int_equal(waitpid(us, &status, 0), us);
	assert_true(atoi(text) > 1);
	assert_true(is_gone(atoi(text)));
	close(fd);
	unlink(name);
	str_done(&script);
}

static void test_unknown_end_is_no_exit(void **state)
{
	struct outcome o;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	run_script("exit 0", 0, 30000, &o);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(o.result.end, PROC_LOST);
	assert_int_equal(o.result.err.code, ECHILD);
	str_done(&o.output);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_arguments_and_environment_reach_the_child),
		cmocka_unit_test(test_both_outputs_come_through_one_pipe),
		cmocka_unit_test(test_errors_can_be_kept_out_of_the_output),
		cmocka_unit_test(test_ten_megabytes_in_both_directions_at_once),
		cmocka_unit_test(test_output_before_any_reading),
		cmocka_unit_test(test_output_is_kept_to_the_limit),
		cmocka_unit_test(test_exit_without_output),
		cmocka_unit_test(test_what_cannot_be_executed_is_not_started),
		cmocka_unit_test(test_too_long_arguments_are_not_started),
		cmocka_unit_test(test_no_descriptors_left_is_not_started),
		cmocka_unit_test(test_child_that_never_reads_may_succeed),
		cmocka_unit_test(
		    test_child_that_closes_its_input_early_goes_on),
		cmocka_unit_test(
		    test_child_that_never_reads_nor_ends_is_killed),
		cmocka_unit_test(
		    test_child_that_never_ends_its_output_is_killed),
		cmocka_unit_test(
		    test_child_that_closes_all_and_stays_is_killed),
		cmocka_unit_test(
		    test_whole_group_is_killed_when_term_does_not_help),
		cmocka_unit_test(
		    test_member_that_outlives_its_leader_is_killed),
		cmocka_unit_test(test_time_within_the_limit_is_no_timeout),
		cmocka_unit_test(test_death_by_signal_is_told),
		cmocka_unit_test(
		    test_grandchild_with_the_output_open_is_not_waited_for),
		cmocka_unit_test(test_endless_grandchild_is_not_read_for_ever),
		cmocka_unit_test(test_broken_source_never_looks_like_the_end),
		cmocka_unit_test(test_child_has_three_descriptors),
		cmocka_unit_test(
		    test_standard_descriptors_of_ours_may_be_closed),
		cmocka_unit_test(test_child_has_default_signals_none_blocked),
		cmocka_unit_test(test_child_leads_a_process_group),
		cmocka_unit_test(test_ids_are_the_real_ones_or_kept),
		cmocka_unit_test(test_signal_to_us_does_not_end_the_run),
		cmocka_unit_test(test_child_dies_with_us),
		cmocka_unit_test(test_unknown_end_is_no_exit),
	};

	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
