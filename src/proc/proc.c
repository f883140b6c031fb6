/*
 * proc.c - run a program to its end: one loop over input, output and exit.
 *
 * The run has three phases. While RUNNING it is fed; when time is up or the
 * input cannot be given whole, its group gets TERM and is TERMINATING; when
 * that does not help in time, KILL and it is KILLED. The child is not reaped
 * before the last signal was sent, so the group's number cannot have passed
 * to a stranger.
 */
#include "proc/proc.h"

#include "base/fd.h"
#include "proc/launch.h"
#include "proc/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK = 16 * 1024,	/* one read of output */
	ROUNDS = 16,		/* reads or writes before the clock is asked */
	KILL_AFTER_MS = 1000,	/* default of kill_after_ms */
	GRACE_MS = 500,		/* for output behind the child's exit */
	GIVE_UP_MS = 10 * 1000, /* for a child that even KILL does not end */
	TICK_MS = 20,		/* between looks, where there is no pidfd */
	ASK_MS = 1000		/* between two times should_stop is asked */
};

enum phase { RUNNING, TERMINATING, KILLED };

struct run {
	const struct proc_command *command;
	proc_source *source;
	void *context;
	struct str *output;
	struct proc_result *ret;
	struct spawned child;
	struct str pending; /* from the source; the first `sent` are written */
	size_t sent;
	size_t kept; /* bytes added to *output */
	enum phase phase;
	bool is_judged; /* ret->end holds already */
	bool has_exited, has_given_up;
	int64_t limit; /* when the phase ends, in ms; -1: never */
	int64_t grace; /* when output is no longer waited for; -1: not yet */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_input(struct run *r)
{
	fd_close(r->child.in_fd);
	r->child.in_fd = -1;
}

static void close_output(struct run *r)
{
	fd_close(r->child.out_fd);
	r->child.out_fd = -1;
}

/* ---- ending it --------------------------------------------------------- */

/* Decides what the result is, once and for all, and asks the group to end. */
static void terminate(struct run *r, enum proc_end end)
{
	unsigned after = r->command->kill_after_ms;

	r->ret->end = end;
	r->is_judged = true;
	r->phase = TERMINATING;
	r->limit = now_ms() + (after > 0 ? after : KILL_AFTER_MS);
	kill(-r->child.pid, SIGTERM);
}

/* The limit of the phase has come. */
static void on_limit(struct run *r)
{
	switch (r->phase) {
	case RUNNING:
		err_set(&r->ret->err, ETIMEDOUT, "%s: %s", r->command->path,
			strerror(ETIMEDOUT));
		terminate(r, PROC_TIMED_OUT);
		break;
	case TERMINATING:
		kill(-r->child.pid, SIGKILL);
		r->phase = KILLED;
		r->limit = now_ms() + GIVE_UP_MS;
		if (r->has_exited)
			r->grace = now_ms() + GRACE_MS;
		break;
	case KILLED:
		r->has_given_up = true;
		break;
	}
}

static void on_exit_seen(struct run *r)
{
	r->has_exited = true;
	if (r->child.in_fd >= 0 && !r->is_judged)
		r->ret->closed_early = true;
	close_input(r);
	if (r->phase == RUNNING) /* what it did, it did in time */
		r->limit = -1;
	if (r->phase != TERMINATING)
		r->grace = now_ms() + GRACE_MS;
}

/* Has it ended? Leaves it unreaped. */
static void look_for_exit(struct run *r)
{
	siginfo_t info = { 0 };

	if (r->has_exited)
		return;
	if (waitid(P_PID, (id_t)r->child.pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) < 0)
		on_exit_seen(r); /* reaped behind our back: see reap() */
	else if (info.si_pid == r->child.pid)
		on_exit_seen(r);
}

/* Takes the exit status, which decides unless we already have. */
static void reap(struct run *r)
{
	struct proc_result *ret = r->ret;
	int status = 0;
	pid_t pid;

	do
		pid = waitpid(r->child.pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (r->is_judged)
		return;
	if (pid < 0) {
		ret->end = PROC_LOST;
		err_set(&ret->err, errno, "cannot wait for %s: %s",
			r->command->path, strerror(errno));
	} else if (WIFSIGNALED(status)) {
		ret->end = PROC_SIGNALED;
		ret->signal = WTERMSIG(status);
		ret->dumped_core = WCOREDUMP(status);
	} else {
		ret->end = PROC_EXITED;
		ret->code = WEXITSTATUS(status);
	}
}

/* The launcher may have ended before there was a program to judge. */
static void read_report(struct run *r)
{
	struct proc_result *ret = r->ret;
	struct str text = STR_INIT;

	if (fd_read_all(r->child.report_fd, 0, 2 * ERR_TEXT_MAX, &text) < 0) {
		/* what it says counts, whether or not that is all */
	}
	if (!r->is_judged &&
	    launch_read_report(str_slice(&text), &ret->step, &ret->err))
		ret->end = PROC_NOT_STARTED;
	str_done(&text);
}

/* ---- input and output -------------------------------------------------- */

/* Makes sure that something is pending; false: there is no more to feed. */
static bool refill(struct run *r)
{
	ssize_t n;

	if (r->sent < r->pending.len)
		return true;
	str_clear(&r->pending);
	r->sent = 0;
	n = r->source(r->context, &r->pending, &r->ret->err);
	if (n < 0)
		terminate(r, PROC_SOURCE_FAILED);
	if (n == 0)
		close_input(r);
	return n > 0;
}

/* Writes what the pipe takes without waiting. */
static void feed(struct run *r)
{
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n;

		if (r->phase != RUNNING || r->child.in_fd < 0 || !refill(r))
			return;
		n = write(r->child.in_fd, r->pending.p + r->sent,
			  r->pending.len - r->sent);
		if (n >= 0) {
			r->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EPIPE) {
			r->ret->closed_early = true;
			close_input(r);
		} else if (errno != EINTR) {
			err_set(&r->ret->err, errno, "cannot write to %s: %s",
				r->command->path, strerror(errno));
			terminate(r, PROC_WRITE_FAILED);
		}
	}
}

/* Reads what is there without waiting. */
static void drain(struct run *r)
{
	char chunk[CHUNK];

	for (int i = 0; i < ROUNDS && r->child.out_fd >= 0; i++) {
		ssize_t n = read(r->child.out_fd, chunk, sizeof(chunk));
		size_t room = r->command->output_max - r->kept, take;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_output(r);
			return;
		}
		take = (size_t)n < room ? (size_t)n : room;
		str_add(r->output, slice_make(chunk, take));
		r->kept += take;
		if (take < (size_t)n)
			r->ret->output_cut = true;
	}
}

/* ---- the loop ---------------------------------------------------------- */

/* How long poll(2) may sleep at most. */
static int wait_ms(const struct run *r)
{
	int64_t until = r->limit, left;

	if (r->grace >= 0 && (until < 0 || r->grace < until))
		until = r->grace;
	left = until < 0 ? -1 : until - now_ms();
	if (until >= 0 && left < 0)
		left = 0;
	if (r->child.pid_fd < 0 && !r->has_exited &&
	    (left < 0 || left > TICK_MS))
		left = TICK_MS;
	if (r->command->should_stop != NULL && (left < 0 || left > ASK_MS))
		left = ASK_MS;
	return left > 60 * 1000 ? 60 * 1000 : (int)left;
}

/* Sleeps until something can be done, and does it. */
static void step(struct run *r)
{
	bool wants_write = r->phase == RUNNING && r->child.in_fd >= 0;
	struct pollfd fds[] = {
		{ .fd = wants_write ? r->child.in_fd : -1, .events = POLLOUT },
		{ .fd = r->child.out_fd, .events = POLLIN },
		{ .fd = r->has_exited ? -1 : r->child.pid_fd,
		  .events = POLLIN },
	};
	int n = poll(fds, 3, wait_ms(r));

	if (n > 0 && fds[1].revents != 0)
		drain(r);
	if (n > 0 && fds[0].revents != 0)
		feed(r);
	if (r->child.pid_fd < 0 || (n > 0 && fds[2].revents != 0))
		look_for_exit(r);
	if (r->phase == RUNNING && !r->has_exited &&
	    r->command->should_stop != NULL && r->command->should_stop())
		on_limit(r);
	else if (r->limit >= 0 && now_ms() >= r->limit)
		on_limit(r);
}

static bool is_over(struct run *r)
{
	if (r->has_given_up)
		return true;
	if (!r->has_exited)
		return false;
	if (r->child.out_fd >= 0 && r->phase != TERMINATING &&
	    now_ms() >= r->grace) {
		drain(r); /* what it wrote itself is in the pipe by now */
		close_output(r);
	}
	return r->child.out_fd < 0;
}

void proc_run(const struct proc_command *command, proc_source *source,
	      void *context, struct str *output, struct proc_result *ret)
{
	struct run r = { .command = command,
			 .source = source,
			 .context = context,
			 .output = output,
			 .ret = ret,
			 .limit = -1,
			 .grace = -1 };

	*ret = (struct proc_result){ .end = PROC_NOT_STARTED };
	if (spawn_child(command, &r.child, &ret->step, &ret->err) < 0)
		return;
	if (command->timeout_ms > 0)
		r.limit = now_ms() + command->timeout_ms;
	feed(&r);
	while (!is_over(&r))
		step(&r);
	if (r.phase != RUNNING)
		kill(-r.child.pid, SIGKILL); /* who is left of the group */
	if (r.has_exited)
		reap(&r);
	if (r.has_exited && r.child.report_fd >= 0)
		read_report(&r);
	close_input(&r);
	close_output(&r);
	fd_close(r.child.report_fd);
	fd_close(r.child.pid_fd);
	str_done(&r.pending);
}
