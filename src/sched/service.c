/*
 * service.c - the submission service (submit(8) with --serve) as a child.
 *
 * It has a process of its own, since it waits for the disk all the time. Its
 * log is ours. An end that nobody asked for is followed by a new start, after
 * 1, 2, 4 and so on up to 60 seconds; one that has served for a minute begins
 * at 1 again. Should we be killed the kernel sends it TERM.
 */
#include "base/fd.h"
#include "sched/sched_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { WAIT_FIRST = 1, WAIT_MOST = 60 };
enum { GOOD_MS = 60 * 1000 }; /* served so long, it was no false start */

static void wait_for_start(struct sched *s)
{
	struct sched_service *v = &s->service;
	struct timeval wait = { .tv_sec = (time_t)v->wait };

	log_line(LOG_LEVEL_WARNING,
		 "the submission service is started again in %u s", v->wait);
	event_add(v->start_event, &wait);
	v->wait = 2 * v->wait < WAIT_MOST ? 2 * v->wait : WAIT_MOST;
}

static char *word(struct arena *a, const char *name, const char *value)
{
	return (char *)(uintptr_t)arena_printf(a, "%s=%s", name, value).p;
}

/* PATH and ZCONFIG as we have them, and what every child of ours gets. */
static char **environment(const struct sched *s, struct arena *a)
{
	char **envp = arena_array(a, s->o->n_environment + 3, sizeof(*envp));
	const char *path = zenv_cstr(s->o->zenv, "PATH");
	size_t n = 0;

	if (path != NULL)
		envp[n++] = word(a, "PATH", path);
	if (zenv_file(s->o->zenv)[0] != '\0')
		envp[n++] = word(a, "ZCONFIG", zenv_file(s->o->zenv));
	for (size_t i = 0; i < s->o->n_environment; i++)
		envp[n++] = (char *)(uintptr_t)s->o->environment[i];
	return envp;
}

static int spawn(struct sched *s, struct spawned *ret, struct err *err)
{
	static char name[] = "submit", serve[] = "--serve";
	char *argv[] = { name, serve, NULL };
	struct arena *a = arena_new();
	const struct proc_command command = {
		.path = s->o->submit_program,
		.argv = argv,
		.envp = environment(s, a),
		.ids = PROC_IDS_KEEP,
		.keeps_stderr = true,
	};
	enum proc_step step;
	int r = spawn_child(&command, ret, &step, err);

	arena_free(a);
	return r;
}

static void start(struct sched *s)
{
	struct sched_service *v = &s->service;
	struct spawned child;
	struct err err;

	if (spawn(s, &child, &err) < 0) {
		log_line(LOG_LEVEL_ERROR, "the submission service: %s",
			 err.text);
		wait_for_start(s);
		return;
	}
	/* It reads nothing of ours and says what it has to say in the log. */
	fd_close(child.in_fd);
	fd_close(child.out_fd);
	fd_close(child.report_fd);
	fd_close(child.pid_fd);
	v->pid = child.pid;
	v->started = sched_now(s);
	sched_tell_service(s, v->pid, NULL);
}

static void on_start(evutil_socket_t fd, short what, void *context)
{
	struct sched *s = context;

	(void)fd;
	(void)what;
	if (s->service.pid == 0)
		start(s);
}

void sched_service_begin(struct sched *s)
{
	struct sched_service *v = &s->service;

	if (s->o->submit_program == NULL)
		return;
	v->wait = WAIT_FIRST;
	v->start_event = evtimer_new(s->base, on_start, s);
	if (v->start_event == NULL)
		mem_exhausted();
	start(s);
}

void sched_service_reap(struct sched *s)
{
	struct sched_service *v = &s->service;
	int status;

	if (v->pid == 0 || waitpid(v->pid, &status, WNOHANG) != v->pid)
		return;
	sched_tell_service(s, v->pid, &status);
	v->pid = 0;
	if (WIFSIGNALED(status))
		log_line(LOG_LEVEL_ERROR,
			 "the submission service was ended by signal %d",
			 WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 || !s->is_ending)
		log_line(LOG_LEVEL_ERROR,
			 "the submission service ended, exit status %d",
			 WEXITSTATUS(status));
	if (s->is_ending)
		return;
	if (sched_now(s) - v->started >= GOOD_MS)
		v->wait = WAIT_FIRST;
	wait_for_start(s);
}

void sched_service_reload(struct sched *s)
{
	struct sched_service *v = &s->service;

	if (v->start_event == NULL || s->is_ending)
		return;
	if (v->pid != 0) {
		kill(v->pid, SIGHUP);
		return;
	}
	/* Perhaps what kept it from starting has been mended. */
	event_del(v->start_event);
	v->wait = WAIT_FIRST;
	start(s);
}

void sched_service_stop(struct sched *s)
{
	struct sched_service *v = &s->service;

	if (v->start_event != NULL)
		event_del(v->start_event);
	if (v->pid != 0)
		kill(v->pid, SIGTERM);
}

void sched_service_end(struct sched *s)
{
	struct sched_service *v = &s->service;

	if (v->start_event != NULL)
		event_free(v->start_event);
	v->start_event = NULL;
	if (v->pid == 0)
		return;
	kill(v->pid, SIGKILL);
	while (waitpid(v->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	v->pid = 0;
}
