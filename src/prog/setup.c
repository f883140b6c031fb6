/*
 * setup.c - what both agents do before their body begins.
 */
#include "prog/setup.h"

#include "base/fd.h"
#include "base/log.h"
#include "spool/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Set by our own scheduler, whose liveness test is the byte lock. */
#define OUR_SCHEDULER "ZPOST_SCHEDULER"

/* Files: at least, of each job, and beside those of the jobs. */
enum { FDS_LEAST = 256, FDS_OF_JOB = 3, FDS_SPARE = 32 };

struct zenv *setup_zenv(struct arena *a)
{
	struct zenv *z;
	struct err err;

	if (zenv_load(secure_getenv("ZCONFIG"), a, &z, &err) != 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
	return z;
}

void setup_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	fd_close(fd);
}

const char *setup_beside(const char *name, struct arena *a)
{
	char path[PATH_MAX]; /* the kernel gives no longer one */
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path));
	struct slice folder;

	if (len < 0) {
		log_line(LOG_LEVEL_ERROR, "/proc/self/exe: %s",
			 strerror(errno));
		exit(EX_OSFILE);
	}
	folder = slice_make(path, (size_t)len);
	folder = slice_head(folder, slice_find_last(folder, '/'));
	return arena_printf(a, "%.*s/%s", SLICE_ARG(folder), name).p;
}

static int64_t wall_time(void)
{
	return (int64_t)time(NULL);
}

static void raise_fd_limit(unsigned n_jobs)
{
	rlim_t wanted = (rlim_t)n_jobs * FDS_OF_JOB + FDS_SPARE;
	struct rlimit limit;

	if (wanted < FDS_LEAST)
		wanted = FDS_LEAST;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_line(LOG_LEVEL_WARNING, "limit of open files stays low");
}

struct agent_options setup_agent(const char *program, unsigned n_jobs,
				 struct arena *a)
{
	struct agent_options o = {
		.program = program,
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.pid = getpid(),
		.wall_time = wall_time,
	};

	signal(SIGCHLD, SIG_DFL); /* ignored, it would hide exit codes */
	raise_fd_limit(n_jobs);
	agent_catch_signals();
	o.ta_id = arena_printf(a, "%s[%ld]", program, (long)o.pid);
	if (slot_pid_choose(o.pid, getppid(), getenv(OUR_SCHEDULER) != NULL,
			    &o.slot_pid) == SLOT_PID_NONE) {
		log_line(LOG_LEVEL_ERROR,
			 "%s: pid %ld does not fit the 6 bytes of a lock; set "
			 "the sysctl kernel.pid_max to 999999",
			 program, (long)o.pid);
		exit(EX_TEMPFAIL);
	}
	return o;
}

static void send_to_syslog(void *context, struct slice line)
{
	syslog_send(context, line);
}

struct syslog *setup_syslog(struct agent_options *o, const struct zenv *z,
			    const char *path, bool has_conversion)
{
	struct slice flags = SLICE(SYSLOG_FLAGS);
	struct syslog *hand;
	enum syslog_form form;

	(void)zenv_get(z, "SYSLOGFLG", &flags);
	form = syslog_form_of(flags);
	if (form == SYSLOG_NONE)
		return NULL;
	hand = syslog_new(path, o->program, o->pid);
	o->syslog = (struct syslog_sink){ .form = form,
					  .has_conversion = has_conversion,
					  .send = send_to_syslog,
					  .context = hand };
	return hand;
}
