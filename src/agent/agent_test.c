/*
 * agent_test.c - lines in and reports out over a socket, as the scheduler
 * gives them; signals at every moment that matters.
 */
#include "agent/agent.h"

#include "base/fd.h"
#include "base/test.h"
#include "spool/test_files.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>

/* ---- the scheduler's side ----------------------------------------------- */

static struct agent_options options;

struct link {
	struct agent *agent;
	int fd; /* the scheduler's end */
	struct str heard;
};

/* Standard input and output are one socket, as the scheduler makes them. */
static void link_open(struct link *l)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	l->fd = fds[0];
	l->heard = STR_INIT;
	options = (struct agent_options){ .program = "smtp",
					  .in_fd = fds[1],
					  .out_fd = fds[1],
					  .pid = 4711 };
	l->agent = agent_new(&options);
}

static void hang_up(struct link *l)
{
	fd_close(l->fd);
	l->fd = -1;
}

static void link_close(struct link *l)
{
	agent_free(l->agent);
	fd_close(options.in_fd);
	hang_up(l);
	str_done(&l->heard);
}

static void feed(struct link *l, const char *text)
{
	assert_int_equal(fd_write_all(l->fd, slice_of(text)), 0);
}

/* Feeds and lets the agent read it, without waiting. */
static void give(struct link *l, const char *text)
{
	feed(l, text);
	agent_read(l->agent);
}

/* The scheduler sends no more, but still listens. */
static void give_end(struct link *l)
{
	assert_int_equal(shutdown(l->fd, SHUT_WR), 0);
	agent_read(l->agent);
}

/* What has arrived at the scheduler since last asked. */
static const char *hear(struct link *l)
{
	ssize_t n;

	str_clear(&l->heard);
	str_reserve(&l->heard, 65536);
	n = recv(l->fd, l->heard.p, 65536, MSG_DONTWAIT);
	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	l->heard.len = n > 0 ? (size_t)n : 0;
	l->heard.p[l->heard.len] = '\0';
	return l->heard.p;
}

/* All lines that are there, as "KIND name|host" each. */
static void print_lines(struct link *l, struct str *to)
{
	static const char letters[] = {
		[JOBLINE_JOB] = 'J',	  [JOBLINE_IDLE] = 'I',
		[JOBLINE_STOP] = 'S',	  [JOBLINE_IGNORED] = '#',
		[JOBLINE_TOO_LONG] = 'L',
	};
	struct jobline line;

	while (agent_has_line(l->agent)) {
		assert_true(agent_next_line(l->agent, &line));
		str_addc(to, letters[line.kind]);
		if (line.kind == JOBLINE_JOB)
			str_addf(to, " %.*s%s%.*s", SLICE_ARG(line.name),
				 line.has_host ? "|" : "",
				 SLICE_ARG(line.host));
		str_addc(to, '\n');
	}
	assert_false(agent_next_line(l->agent, &line));
}

static void check_lines(struct link *l, const char *want)
{
	struct str text = STR_INIT;

	print_lines(l, &text);
	assert_slice_is(str_slice(&text), want);
	str_done(&text);
}

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- lines in ----------------------------------------------------------- */

static void test_lines_come_in_order_and_as_they_are(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	check_lines(&l, "");
	give(&l, "123\nA/B/456\tmx.example\n#idle\n#what\n7\t\n");
	check_lines(&l, "J 123\nJ A/B/456|mx.example\nI\n#\nJ 7|\n");
	check_lines(&l, "");
	link_close(&l);
}

static void push_chunk(void *context, struct slice chunk)
{
	struct link *l = context;

	assert_int_equal(fd_write_all(l->fd, chunk), 0);
	agent_read(l->agent);
}

static void test_chunks_do_not_matter(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct link l;

		link_open(&l);
		test_split(SLICE("123\thost\nA/9\n#idle\n\n4\n"), seed,
			   push_chunk, &l);
		check_lines(&l, "J 123|host\nJ A/9\nI\nS\n");
		link_close(&l);
	}
}

static void test_stop_line_stops_once_whatever_lies_behind_it(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n\n2\n\n");
	check_lines(&l, "J 1\nS\n");
	give(&l, "3\n");
	check_lines(&l, "");
	give_end(&l);
	check_lines(&l, "");
	link_close(&l);
}

static void test_end_of_file_stops_once_behind_the_last_line(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n2\thost\n");
	give_end(&l);
	check_lines(&l, "J 1\nJ 2|host\nS\n");
	agent_read(l.agent); /* does not even look */
	check_lines(&l, "");
	link_close(&l);
}

static void test_partial_last_line_is_dropped(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n2\thost");
	check_lines(&l, "J 1\n");
	give_end(&l);
	check_lines(&l, "S\n");
	link_close(&l);
}

static void test_input_that_cannot_be_read_is_its_end(void **state)
{
	int fds[2];
	struct link l;

	(void)state;
	link_open(&l);
	/* Not an end: there is just nothing to be read. */
	assert_int_equal(fd_set_nonblocking(options.in_fd, true), 0);
	agent_read(l.agent);
	check_lines(&l, "");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(fds[1], options.in_fd), options.in_fd);
	fd_close(fds[0]);
	fd_close(fds[1]);
	agent_read(l.agent);
	check_lines(&l, "S\n");
	link_close(&l);
}

static void test_endless_line_is_one_line_to_be_answered(void **state)
{
	struct str text = STR_INIT;
	struct link l;

	(void)state;
	link_open(&l);
	for (int i = 0; i < 3 * JOBLINE_MAX; i++)
		str_addc(&text, '1');
	feed(&l, str_cstr(&text));
	while (agent_wait(l.agent, 0))
		check_lines(&l, "");
	give(&l, "\n123\n");
	check_lines(&l, "L\nJ 123\n");
	str_done(&text);
	link_close(&l);
}

static void test_stopping_leaves_fed_lines_alone(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n2\n3\n");
	agent_stop(l.agent);
	assert_int_equal(agent_exit_status(l.agent), 0);
	check_lines(&l, "S\n");
	link_close(&l);
}

static void test_first_trouble_is_the_exit_status(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n");
	agent_give_up(l.agent, 65);
	agent_give_up(l.agent, 70);
	check_lines(&l, "S\n");
	assert_int_equal(agent_exit_status(l.agent), 65);
	link_close(&l);
}

/* ---- waiting ------------------------------------------------------------ */

static void test_everything_is_said_before_waiting(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	assert_string_equal(hear(&l), "");
	assert_false(agent_wait(l.agent, 0));
	assert_string_equal(hear(&l), "#hungry\n");
	agent_add(l.agent, SLICE("7/64\t\tok3 \n"));
	agent_resync(l.agent, SLICE("A/7"));
	agent_hungry(l.agent);
	assert_string_equal(hear(&l), "");
	assert_false(agent_wait(l.agent, 0));
	assert_string_equal(hear(&l), "7/64\t\tok3 \n#resync A/7\n#hungry\n");
	assert_false(agent_wait(l.agent, 0));
	assert_string_equal(hear(&l), "");
	link_close(&l);
}

static void test_wait_ends_with_input_or_its_timeout(void **state)
{
	int64_t begin = clock_ms();
	struct link l;

	(void)state;
	link_open(&l);
	assert_false(agent_wait(l.agent, 50));
	assert_true(clock_ms() - begin >= 50);
	feed(&l, "12");
	assert_true(agent_wait(l.agent, -1));
	check_lines(&l, "");
	feed(&l, "3\n");
	assert_true(agent_wait(l.agent, 60000));
	check_lines(&l, "J 123\n");
	hang_up(&l);
	assert_true(agent_wait(l.agent, -1));
	assert_true(agent_wait(l.agent, -1)); /* the end is still there */
	check_lines(&l, "S\n");
	assert_true(clock_ms() - begin < 10000);
	link_close(&l);
}

/* Descriptors 0, 1 and 2 are one open file: the scheduler's too, perhaps. */
static void test_socket_stays_blocking(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	feed(&l, "1\n");
	assert_true(agent_wait(l.agent, -1));
	assert_int_equal(fcntl(options.in_fd, F_GETFL) & O_NONBLOCK, 0);
	link_close(&l);
}

/* ---- reports out -------------------------------------------------------- */

static void test_comments_are_one_clean_line(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	agent_comment(l.agent, "%s", "a\r\n7/64\t\tok3\a\n");
	agent_comment(l.agent, "%s %d%%", "b", 7);
	agent_resync(l.agent, SLICE("a\n#hungry"));
	agent_flush(l.agent);
	assert_string_equal(hear(&l), "#hungry\n"
				      "# smtp:4711: a  7/64  ok3? \n"
				      "# smtp:4711: b 7%\n"
				      "#resync a?#hungry\n");
	link_close(&l);
}

/* Reads lines, late; exits 0 if none is missing and all are in order. */
static void slow_scheduler(int fd, unsigned lines)
{
	char line[64], want[64];
	FILE *in;

	usleep(100000);
	in = fdopen(fd, "r");
	for (unsigned i = 0; i < lines; i++) {
		snprintf(want, sizeof(want), "%u/64 ok3\n", i);
		if (fgets(line, sizeof(line), in) == NULL ||
		    strcmp(line, want) != 0)
			_exit(1);
	}
	_exit(0);
}

static void check_slow_scheduler(bool is_nonblocking)
{
	enum { LINES = 100000 };
	struct str text = STR_INIT;
	struct link l;
	pid_t child;

	link_open(&l);
	agent_flush(l.agent);
	assert_string_equal(hear(&l), "#hungry\n");
	assert_int_equal(fd_set_nonblocking(options.out_fd, is_nonblocking), 0);
	child = test_fork();
	if (child == 0)
		slow_scheduler(l.fd, LINES);
	for (unsigned i = 0; i < LINES; i++)
		str_addf(&text, "%u/64 ok3\n", i);
	agent_add(l.agent, str_slice(&text));
	agent_flush(l.agent);
	assert_int_equal(test_wait(child), 0);
	str_done(&text);
	link_close(&l);
}

static void test_slow_scheduler_gets_everything(void **state)
{
	(void)state;
	check_slow_scheduler(false);
	/* Somebody who shares the descriptor may have made it so. */
	check_slow_scheduler(true);
}

static void test_scheduler_that_is_gone_ends_the_work(void **state)
{
	struct link l;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	link_open(&l);
	give(&l, "1\n2\n");
	hang_up(&l);
	agent_flush(l.agent);
	check_lines(&l, "S\n");
	assert_int_equal(agent_exit_status(l.agent), 0);
	agent_hungry(l.agent);
	agent_flush(l.agent); /* into nowhere, without harm */
	assert_true(agent_wait(l.agent, -1));
	link_close(&l);
	signal(SIGPIPE, SIG_DFL);
}

/* That is nobody's wish, and must not look like one. */
static void test_output_that_fails_is_told_by_the_exit_status(void **state)
{
	struct link l;

	(void)state;
	link_open(&l);
	give(&l, "1\n");
	options.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(options.out_fd >= 0);
	agent_flush(l.agent);
	check_lines(&l, "S\n");
	assert_int_equal(agent_exit_status(l.agent), EX_IOERR);
	fd_close(options.out_fd);
	link_close(&l);
}

/* Says more than anybody holds who does not read, and is told to end. */
static _Noreturn void say_much(int fd)
{
	struct str text = STR_INIT;
	struct agent *a;
	pid_t parent = getpid(), child;

	alarm(20); /* seconds */
	agent_catch_signals();
	options.out_fd = fd;
	a = agent_new(&options);
	for (unsigned i = 0; i < 100000; i++)
		str_addf(&text, "%u/64 ok3\n", i);
	agent_add(a, str_slice(&text));
	child = fork();
	if (child == 0) {
		usleep(100000);
		kill(parent, SIGTERM);
		_exit(0);
	}
	if (child < 0)
		_exit(1);
	agent_flush(a);
	if (!agent_is_interrupted() || agent_exit_status(a) != EX_IOERR)
		_exit(2);
	agent_add(a, str_slice(&text));
	agent_flush(a); /* into nowhere, without a wait */
	str_done(&text);
	agent_free(a);
	_exit(0);
}

static void test_signal_ends_the_wait_for_a_scheduler_that_sleeps(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct link l;
		int fds[2];
		pid_t child;

		link_open(&l);
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		child = test_fork();
		if (child == 0)
			say_much(i == 0 ? options.out_fd : fds[1]);
		assert_int_equal(test_wait(child), 0);
		fd_close(fds[0]);
		fd_close(fds[1]);
		link_close(&l);
	}
}

/* It may still hold the other end of our input. */
static void test_output_that_is_closed_ends_all_waiting(void **state)
{
	struct link l;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	link_open(&l);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fd_close(fds[0]);
	options.out_fd = fds[1];
	assert_true(agent_wait(l.agent, -1));
	check_lines(&l, "S\n");
	fd_close(fds[1]);
	link_close(&l);
	signal(SIGPIPE, SIG_DFL);
}

static void test_nothing_to_free(void **state)
{
	(void)state;
	agent_free(NULL);
}

/* ---- signals: in processes of their own, since the flag stays up -------- */

/* The signal that comes between the agent's look at its flag and its poll. */
static int signal_before_poll;

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec t = { .tv_sec = timeout_ms / 1000,
			      .tv_nsec = timeout_ms % 1000 * 1000000L };

	if (signal_before_poll != 0)
		raise(signal_before_poll);
	return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &t, NULL,
			    0);
}

enum { CHILD_LIMIT = 20 }; /* seconds; then it is ended */

/* Runs a test that sets the flag in a child. */
static void in_child(void (*run)(int number), int number)
{
	pid_t child = test_fork();

	if (child == 0) {
		alarm(CHILD_LIMIT);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		run(number);
		_exit(0);
	}
	assert_int_equal(test_wait(child), 0);
}

static void stop_by_signal(int number)
{
	struct link l;

	agent_catch_signals();
	link_open(&l);
	give(&l, "1\n2\n");
	assert_false(agent_is_interrupted());
	raise(number);
	assert_true(agent_is_interrupted());
	assert_true(agent_wait(l.agent, -1));
	assert_string_equal(hear(&l), "#hungry\n");
	check_lines(&l, "S\n");
	assert_int_equal(agent_exit_status(l.agent), 0);
}

static void test_each_signal_stops_before_the_next_line(void **state)
{
	(void)state;
	in_child(stop_by_signal, SIGINT);
	in_child(stop_by_signal, SIGTERM);
	in_child(stop_by_signal, SIGHUP);
	in_child(stop_by_signal, SIGQUIT);
}

static void ignore_signal(int number)
{
	struct link l;

	signal(number, SIG_IGN);
	agent_catch_signals();
	link_open(&l);
	raise(number);
	raise(SIGPIPE);
	assert_false(agent_is_interrupted());
	give(&l, "1\n");
	check_lines(&l, "J 1\n");
}

static void test_signals_that_were_ignored_stay_so(void **state)
{
	(void)state;
	in_child(ignore_signal, SIGINT);
	in_child(ignore_signal, SIGTERM);
	in_child(ignore_signal, SIGHUP);
	in_child(ignore_signal, SIGQUIT);
}

static void signal_too_soon(int number)
{
	struct link l;

	agent_catch_signals();
	link_open(&l);
	signal_before_poll = number;
	assert_true(agent_wait(l.agent, -1));
	check_lines(&l, "S\n");
}

static void test_signal_just_before_the_poll_is_not_lost(void **state)
{
	(void)state;
	in_child(signal_too_soon, SIGTERM);
}

static void signal_while_waiting(int number)
{
	int64_t begin = clock_ms();
	struct link l;
	pid_t child;

	agent_catch_signals();
	link_open(&l);
	child = test_fork();
	if (child == 0) {
		usleep(100000);
		kill(getppid(), number);
		_exit(0);
	}
	assert_true(agent_wait(l.agent, 60000));
	assert_true(agent_is_interrupted());
	assert_true(clock_ms() - begin < 10000);
	assert_int_equal(test_wait(child), 0);
}

static void test_signal_ends_a_wait(void **state)
{
	(void)state;
	in_child(signal_while_waiting, SIGTERM);
}

static void many_signals(int number)
{
	struct link l;

	agent_catch_signals();
	link_open(&l);
	/* More than the pipe that wakes the poll can hold. */
	for (int i = 0; i < 70000; i++)
		raise(number);
	errno = 0;
	raise(number);
	assert_int_equal(errno, 0); /* nobody else's call seems to fail */
	assert_true(agent_wait(l.agent, -1));
	check_lines(&l, "S\n");
}

static void test_flood_of_signals_does_not_block(void **state)
{
	(void)state;
	in_child(many_signals, SIGTERM);
}

/* A file that may not grow is an error to be reported, not our death. */
static void file_size_signal(int number)
{
	agent_catch_signals();
	raise(number);
	assert_false(agent_is_interrupted());
}

static void test_file_size_limit_does_not_kill(void **state)
{
	(void)state;
	in_child(file_size_signal, SIGXFSZ);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_in_order_and_as_they_are),
		cmocka_unit_test(test_chunks_do_not_matter),
		cmocka_unit_test(
		    test_stop_line_stops_once_whatever_lies_behind_it),
		cmocka_unit_test(
		    test_end_of_file_stops_once_behind_the_last_line),
		cmocka_unit_test(test_partial_last_line_is_dropped),
		cmocka_unit_test(test_input_that_cannot_be_read_is_its_end),
		cmocka_unit_test(test_endless_line_is_one_line_to_be_answered),
		cmocka_unit_test(test_stopping_leaves_fed_lines_alone),
		cmocka_unit_test(test_first_trouble_is_the_exit_status),
		cmocka_unit_test(test_everything_is_said_before_waiting),
		cmocka_unit_test(test_wait_ends_with_input_or_its_timeout),
		cmocka_unit_test(test_socket_stays_blocking),
		cmocka_unit_test(test_comments_are_one_clean_line),
		cmocka_unit_test(test_slow_scheduler_gets_everything),
		cmocka_unit_test(test_scheduler_that_is_gone_ends_the_work),
		cmocka_unit_test(
		    test_output_that_fails_is_told_by_the_exit_status),
		cmocka_unit_test(
		    test_signal_ends_the_wait_for_a_scheduler_that_sleeps),
		cmocka_unit_test(test_output_that_is_closed_ends_all_waiting),
		cmocka_unit_test(test_nothing_to_free),
		cmocka_unit_test(test_each_signal_stops_before_the_next_line),
		cmocka_unit_test(test_signals_that_were_ignored_stay_so),
		cmocka_unit_test(test_signal_just_before_the_poll_is_not_lost),
		cmocka_unit_test(test_signal_ends_a_wait),
		cmocka_unit_test(test_flood_of_signals_does_not_block),
		cmocka_unit_test(test_file_size_limit_does_not_kill),
	};

	return TEST_RUN(tests);
}
