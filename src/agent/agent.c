/*
 * agent.c - the scheduler's side of an agent: lines in, reports out.
 *
 * Descriptors 0, 1 and 2 may be one socket, so O_NONBLOCK is never set: the
 * agent polls before it reads and writes; what is written at once then is no
 * more than surely fits. A signal is only a flag; a self-pipe makes sure that a
 * poll which is about to begin sees it too.
 */
#include "agent/agent.h"

#include "base/log.h"
#include "base/mem.h"
#include "taproto/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_STEP = 64 * 1024,
	WRITE_STEP = PIPE_BUF, /* fits wherever poll(2) says writable */
	GRACE_MS = 3000	       /* for a scheduler that does not read */
};

struct agent {
	const struct agent_options *options;
	struct jobline_reader reader;
	struct str in, out;
	bool is_at_end;	    /* nothing more will come from the scheduler */
	bool is_stopping;   /* take no further lines */
	bool has_said_stop; /* JOBLINE_STOP was given */
	bool is_mute;	    /* the scheduler hears nothing any more */
	int exit_status;
	void (*hear)(void *context, const struct agent_settled *done);
	void *hear_context;
};

/* Set by the handler alone; the pipe wakes a poll. */
static volatile sig_atomic_t signal_came;
static int signal_pipe[2] = { -1, -1 };

static void on_signal(int number)
{
	int saved = errno;
	ssize_t n;

	(void)number;
	signal_came = 1;
	n = write(signal_pipe[1], "", 1);
	(void)n; /* a full pipe wakes the poll just as well */
	errno = saved;
}

void agent_catch_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act = { .sa_handler = on_signal }, old;

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		log_line(LOG_LEVEL_WARNING, "no pipe for signals");
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		if (sigaction(caught[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &act, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

bool agent_is_interrupted(void)
{
	return signal_came != 0;
}

struct agent *agent_new(const struct agent_options *o)
{
	struct agent *a = mem_zero(1, sizeof(*a));

	a->options = o;
	agent_hungry(a);
	return a;
}

void agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	jobline_reader_done(&a->reader);
	str_done(&a->in);
	str_done(&a->out);
	free(a);
}

const struct agent_options *agent_options(const struct agent *a)
{
	return a->options;
}

/* ---- lines in ---------------------------------------------------------- */

void agent_read(struct agent *a)
{
	ssize_t n;

	if (a->is_at_end)
		return;
	str_clear(&a->in);
	str_reserve(&a->in, READ_STEP);
	n = read(a->options->in_fd, a->in.p, READ_STEP);
	if (n > 0)
		jobline_feed(&a->reader, slice_make(a->in.p, (size_t)n));
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		a->is_at_end = true;
}

bool agent_wait(struct agent *a, int timeout_ms)
{
	struct pollfd p[2] = {
		{ .fd = a->options->in_fd, .events = POLLIN },
		{ .fd = signal_pipe[0], .events = POLLIN },
	};

	agent_flush(a);
	if (a->is_at_end || agent_is_interrupted())
		return true;
	if (poll(p, 2, timeout_ms) <= 0)
		return agent_is_interrupted();
	if (p[0].revents != 0)
		agent_read(a);
	return p[0].revents != 0 || agent_is_interrupted();
}

static bool must_stop(const struct agent *a)
{
	return a->is_stopping || agent_is_interrupted();
}

bool agent_has_line(const struct agent *a)
{
	if (a->has_said_stop)
		return false;
	return must_stop(a) || jobline_ready(&a->reader) || a->is_at_end;
}

bool agent_next_line(struct agent *a, struct jobline *ret)
{
	struct jobline stop = { .kind = JOBLINE_STOP };

	if (a->has_said_stop)
		return false;
	if (!must_stop(a) && jobline_next(&a->reader, ret)) {
		a->has_said_stop = ret->kind == JOBLINE_STOP;
		return true;
	}
	if (!must_stop(a) && !a->is_at_end)
		return false;
	a->has_said_stop = true;
	*ret = stop;
	return true;
}

void agent_stop(struct agent *a)
{
	a->is_stopping = true;
}

void agent_give_up(struct agent *a, int exit_status)
{
	a->is_stopping = true;
	if (a->exit_status == 0)
		a->exit_status = exit_status;
}

int agent_exit_status(const struct agent *a)
{
	return a->exit_status;
}

void agent_listen(struct agent *a,
		  void (*hear)(void *context, const struct agent_settled *done),
		  void *context)
{
	a->hear = hear;
	a->hear_context = context;
}

void agent_tell(struct agent *a, const struct agent_settled *done)
{
	if (a->hear != NULL)
		a->hear(a->hear_context, done);
}

/* ---- reports out ------------------------------------------------------- */

void agent_hungry(struct agent *a)
{
	report_print_hungry(&a->out);
}

void agent_resync(struct agent *a, struct slice name)
{
	report_print_resync(&a->out, name);
}

void agent_comment(struct agent *a, const char *format, ...)
{
	struct str text = STR_INIT;
	char *said = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	str_addf(&text, "%s:%ld: ", a->options->program, (long)a->options->pid);
	str_add(&text, slice_make(said, (size_t)n));
	report_print_comment(&a->out, str_slice(&text));
	free(said);
	str_done(&text);
}

void agent_add(struct agent *a, struct slice lines)
{
	str_add(&a->out, lines);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Waits until something can be written: for ever, but once a signal has come
 * only until *give_up_at (0: not set yet). False, errno set, if that is over.
 */
static bool wait_for_room(const struct agent *a, int64_t *give_up_at)
{
	struct pollfd p[2] = {
		{ .fd = a->options->out_fd, .events = POLLOUT },
		{ .fd = signal_pipe[0], .events = POLLIN },
	};

	for (;;) {
		int64_t left = -1;
		int n;

		if (agent_is_interrupted()) {
			p[1].fd = -1; /* it stays readable */
			if (*give_up_at == 0)
				*give_up_at = now_ms() + GRACE_MS;
			left = *give_up_at - now_ms();
			if (left < 0)
				left = 0;
		}
		n = poll(p, 2, (int)left);
		if (n > 0 && p[0].revents != 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (n == 0) {
			errno = ETIMEDOUT;
			return false;
		}
	}
}

static int write_out(const struct agent *a, struct slice s)
{
	int64_t give_up_at = 0;

	while (s.len > 0) {
		ssize_t n;

		if (!wait_for_room(a, &give_up_at))
			return -1;
		n = write(a->options->out_fd, s.p,
			  s.len < WRITE_STEP ? s.len : WRITE_STEP);
		if (n > 0)
			s = slice_from(s, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return 0;
}

void agent_flush(struct agent *a)
{
	if (a->out.len == 0)
		return;
	if (!a->is_mute && write_out(a, str_slice(&a->out)) < 0) {
		/* A scheduler that is gone needs no telling. */
		a->is_mute = true;
		a->is_at_end = true;
		agent_give_up(a, errno == EPIPE ? EX_OK : EX_IOERR);
	}
	str_clear(&a->out);
}
