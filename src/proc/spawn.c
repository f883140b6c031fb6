/*
 * spawn.c - start one child without copying the parent.
 *
 * Between vfork() and exec the child shares our memory and we stand still.
 * So it makes system calls only, writes nothing but the struct failure, and
 * all signals are blocked meanwhile: a handler of ours that ran in the child
 * would run on our data. Ids are set by the bare system calls, since the C
 * library's wrappers may try to tell other threads.
 */
#include "proc/spawn.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says before it ends unstarted; shared by vfork(). */
struct failure {
	enum proc_step step;
	int code; /* errno; 0: the program was executed */
};

/* All the child needs, made ready before it exists. */
struct launch {
	const struct proc_command *command;
	int in_fd, out_fd; /* its ends of the pipes; both are above 2 */
	pid_t parent;
	uid_t uid;
	gid_t gid;
	volatile struct failure *failure;
};

/* Closes what lies above the standard three, on any kernel. */
static void close_others(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return; /* everything of ours is close-on-exec anyway */
	for (rlim_t fd = 3; fd < limit.rlim_cur && fd < 65536; fd++)
		close((int)fd);
}

/*
 * Default dispositions for all signals, then none blocked. By the bare system
 * call, since the C library would keep its two own ones (32, 33) as they are,
 * and they too may have come to us ignored. All zero is the default action,
 * no flags and an empty mask, in whatever order the kernel has them.
 */
static void reset_signals(void)
{
	static const uint64_t act[8];
	const size_t set_size = (_NSIG - 1) / 8;
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		syscall(SYS_rt_sigaction, s, act, NULL, set_size);
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
	    dup2(l->out_fd, STDERR_FILENO) < 0 || setpgid(0, 0) < 0)
		goto failed;
	close_others();
	l->failure->step = PROC_STEP_IDS;
	if (!set_ids(l))
		goto failed;
	/* After the change of ids, which would clear it. Without it we can do.
	 */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != l->parent)
		_exit(127); /* the parent died before the line above */
	reset_signals();
	l->failure->step = PROC_STEP_EXEC;
	execve(l->command->path, l->command->argv, l->command->envp);
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
 * A close-on-exec pipe with both ends above the standard three, since dup2()
 * onto itself would leave a descriptor to be closed by exec. Whatever is
 * returned, the caller closes the ends that are not negative.
 */
static int make_pipe(int ret_fds[2])
{
	int saved;

	if (pipe2(ret_fds, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int high = ret_fds[i];

		if (high > STDERR_FILENO)
			continue;
		ret_fds[i] = fcntl(high, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
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

int spawn_child(const struct proc_command *command, struct spawned *ret_child,
		enum proc_step *ret_step, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	volatile struct failure failure = { .step = PROC_STEP_PIPE };
	struct launch l = { .command = command,
			    .parent = getpid(),
			    .uid = getuid(),
			    .gid = getgid(),
			    .failure = &failure };
	pid_t pid = -1;

	if (make_pipe(in) < 0 || make_pipe(out) < 0 ||
	    fd_set_nonblocking(in[1], true) < 0 ||
	    fd_set_nonblocking(out[0], true) < 0) {
		failure.code = errno;
		goto out;
	}
	l.in_fd = in[0];
	l.out_fd = out[1];
	pid = launch_blocked(&l);
	if (pid < 0)
		goto out;
	*ret_child =
	    (struct spawned){ .pid = pid,
			      .in_fd = in[1],
			      .out_fd = out[0],
			      .pid_fd = (int)syscall(SYS_pidfd_open, pid, 0) };
	in[1] = out[0] = -1; /* given to *ret_child */
out:
	fd_close(in[0]);
	fd_close(in[1]);
	fd_close(out[0]);
	fd_close(out[1]);
	if (pid > 0)
		return 0;
	*ret_step = failure.step;
	return FAIL_CODE(err, failure.code, "%s %s: %s",
			 step_text(failure.step), command->path,
			 strerror(failure.code));
}
