/*
 * spawn.c - start one child without copying the parent.
 *
 * Between vfork() and exec the child shares our memory and we stand still.
 * So it makes system calls only, writes nothing but the struct failure, and
 * all signals are blocked meanwhile: a handler of ours that ran in the child
 * would run on our data. Ids are set by the bare system calls, since the C
 * library's wrappers may try to tell other threads.
 *
 * Whatever else is to be set is left to zlaunch, which is executed first and
 * then executes the program: it may look up names and open files, which a
 * child that shares our memory may not.
 */
#include "proc/spawn.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the launcher finds its end of the report pipe. */
enum { REPORT_FD = 3 };

/* What the child says before it ends unstarted; shared by vfork(). */
struct failure {
	enum proc_step step;
	int code; /* errno; 0: the program was executed */
};

/* All the child needs, made ready before it exists. */
struct launch {
	const struct proc_command *command;
	const char *path; /* the program's, or the launcher's */
	char *const *argv;
	int in_fd, out_fd; /* its ends of the pipes, above those it gets */
	int report_fd;	   /* the launcher's end; -1: there is no launcher */
	pid_t parent;
	uid_t uid;
	gid_t gid;
	volatile struct failure *failure;
};

/* Closes everything from `first` on, on any kernel. */
static void close_others(unsigned first)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, first, ~0U, 0U) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return; /* everything of ours is close-on-exec anyway */
	for (rlim_t fd = first; fd < limit.rlim_cur && fd < 65536; fd++)
		close((int)fd);
}

static uint64_t signal_bit(int s)
{
	return UINT64_C(1) << (s - 1);
}

uint64_t proc_ignored_signals(void)
{
	struct sigaction act;
	uint64_t set = 0;

	for (int s = 1; s < _NSIG; s++)
		if (sigaction(s, NULL, &act) < 0 || act.sa_handler == SIG_IGN)
			set |= signal_bit(s);
	return set;
}

/*
 * Default dispositions for what is ignored (exec does it for what is caught),
 * then none blocked. By the bare system call, since the C library would keep
 * its two own ones (32, 33) as they are, and they too may have come to us
 * ignored. All zero is the default action, no flags and an empty mask, in
 * whatever order the kernel has them.
 */
static void reset_signals(uint64_t ignored)
{
	static const uint64_t act[8];
	const size_t set_size = (_NSIG - 1) / 8;
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		if (ignored == 0 || (ignored & signal_bit(s)) != 0)
			syscall(SYS_rt_sigaction, s, act, NULL, set_size);
	/* By now it may wait: our parent is dead, and its handler, which we
	 * still have, would swallow it. */
	syscall(SYS_rt_sigaction, SIGTERM, act, NULL, set_size);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool set_ids(const struct launch *l)
{
	if (l->command->ids == PROC_IDS_KEEP)
		return true;
	return syscall(SYS_setresgid, l->gid, l->gid, l->gid) == 0 &&
	       syscall(SYS_setresuid, l->uid, l->uid, l->uid) == 0;
}

/* Runs in the child, in our memory, and never comes back. */
static _Noreturn void child_main(const struct launch *l)
{
	l->failure->step = PROC_STEP_SETUP;
	if (dup2(l->in_fd, STDIN_FILENO) < 0 ||
	    dup2(l->out_fd, STDOUT_FILENO) < 0 ||
	    (!l->command->keeps_stderr && dup2(l->out_fd, STDERR_FILENO) < 0) ||
	    setpgid(0, 0) < 0)
		goto failed;
	if (l->report_fd >= 0 && dup2(l->report_fd, REPORT_FD) < 0)
		goto failed;
	close_others(l->report_fd >= 0 ? REPORT_FD + 1 : STDERR_FILENO + 1);
	l->failure->step = PROC_STEP_IDS;
	if (!set_ids(l))
		goto failed;
	/* After the change of ids, which would clear it. Without it we can do.
	 */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != l->parent)
		_exit(127); /* the parent died before the line above */
	reset_signals(l->command->ignored_signals);
	l->failure->step = PROC_STEP_EXEC;
	execve(l->path, l->argv, l->command->envp);
failed:
	l->failure->code = errno;
	_exit(127);
}

/* In a function of its own, so that no local of the caller is clobbered. */
static __attribute__((noinline)) pid_t launch_child(const struct launch *l)
{
	pid_t pid = vfork();

	if (pid == 0)
		child_main(l);
	return pid;
}

/*
 * A close-on-exec pipe with both ends above `last`, the last descriptor of
 * the child, since dup2() onto itself would leave a descriptor to be closed
 * by exec. Whatever is returned, the caller closes the ends that are not
 * negative.
 */
static int make_pipe(int ret_fds[2], int last)
{
	int saved;

	if (pipe2(ret_fds, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int high = ret_fds[i];

		if (high > last)
			continue;
		ret_fds[i] = fcntl(high, F_DUPFD_CLOEXEC, last + 1);
		saved = errno;
		close(high);
		errno = saved;
		if (ret_fds[i] < 0)
			return -1; /* the caller closes the other end */
	}
	return 0;
}

static const char *step_text(enum proc_step step)
{
	static const char *const texts[] = {
		[PROC_STEP_PIPE] = "cannot make pipes for",
		[PROC_STEP_FORK] = "cannot fork for",
		[PROC_STEP_SETUP] = "cannot set up descriptors for",
		[PROC_STEP_IDS] = "cannot set user and group ids for",
		[PROC_STEP_LIMITS] = "cannot set limits for",
		[PROC_STEP_EXEC] = "cannot execute",
	};

	return texts[step];
}

/* Starts l with all signals blocked; the pid, or -1 with *failure filled. */
static pid_t launch_blocked(const struct launch *l)
{
	sigset_t all, before;
	pid_t pid;

	l->failure->step = PROC_STEP_FORK;
	l->failure->code = 0;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = launch_child(l);
	if (pid < 0)
		l->failure->code = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid > 0 && l->failure->code != 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		pid = -1;
	}
	return pid;
}

static size_t count(char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

/*
 * The launcher's arguments: its words, then the program's path and arguments.
 * The array is given; the strings are borrowed.
 */
static char **launcher_argv(const struct proc_command *c)
{
	static char name[] = "zlaunch", report[] = "report=3", dashes[] = "--";
	size_t n_limits = count(c->limits), n_args = count(c->argv), n = 0;
	char **argv = mem_zero(n_limits + n_args + 5, sizeof(*argv));

	argv[n++] = name;
	memcpy(argv + n, c->limits, n_limits * sizeof(*argv));
	n += n_limits;
	argv[n++] = report;
	argv[n++] = dashes;
	argv[n++] = (char *)c->path;
	memcpy(argv + n, c->argv, n_args * sizeof(*argv));
	return argv;
}

/* The three pipes of a child, as pairs of a reading and a writing end. */
struct pipes {
	int in[2], out[2], report[2];
};

static int make_pipes(struct pipes *p, bool has_report)
{
	int last = has_report ? REPORT_FD : STDERR_FILENO;

	if (make_pipe(p->in, last) < 0 || make_pipe(p->out, last) < 0 ||
	    fd_set_nonblocking(p->in[1], true) < 0 ||
	    fd_set_nonblocking(p->out[0], true) < 0)
		return -1;
	if (has_report && (make_pipe(p->report, last) < 0 ||
			   fd_set_nonblocking(p->report[0], true) < 0))
		return -1;
	return 0;
}

static void close_pipes(struct pipes *p)
{
	for (size_t i = 0; i < 2; i++) {
		fd_close(p->in[i]);
		fd_close(p->out[i]);
		fd_close(p->report[i]);
	}
}

int spawn_child(const struct proc_command *command, struct spawned *ret_child,
		enum proc_step *ret_step, struct err *err)
{
	struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	volatile struct failure failure = { .step = PROC_STEP_PIPE };
	bool has_launcher = command->launcher != NULL;
	char **argv = has_launcher ? launcher_argv(command) : NULL;
	struct launch l = { .command = command,
			    .path = has_launcher ? command->launcher
						 : command->path,
			    .argv = has_launcher ? argv : command->argv,
			    .parent = getpid(),
			    .uid = getuid(),
			    .gid = getgid(),
			    .failure = &failure };
	pid_t pid = -1;

	if (make_pipes(&p, has_launcher) < 0) {
		failure.code = errno;
		goto out;
	}
	l.in_fd = p.in[0];
	l.out_fd = p.out[1];
	l.report_fd = p.report[1];
	pid = launch_blocked(&l);
	if (pid < 0)
		goto out;
	*ret_child =
	    (struct spawned){ .pid = pid,
			      .in_fd = p.in[1],
			      .out_fd = p.out[0],
			      .report_fd = p.report[0],
			      .pid_fd = (int)syscall(SYS_pidfd_open, pid, 0) };
	p.in[1] = p.out[0] = p.report[0] = -1; /* given to *ret_child */
out:
	close_pipes(&p);
	free(argv);
	if (pid > 0)
		return 0;
	*ret_step = failure.step;
	return FAIL_CODE(err, failure.code, "%s %s: %s",
			 step_text(failure.step), l.path,
			 strerror(failure.code));
}
