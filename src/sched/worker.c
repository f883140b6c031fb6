/*
 * worker.c - agents as processes: start, feed, hear, end.
 *
 * Both pipes are non-blocking: what an agent does not read is kept here, what
 * it says is read whenever it comes, so neither side can block the other. An
 * agent is gone when it has been reaped; what it said until then is heard
 * first.
 */
#include "base/fd.h"
#include "proc/launch.h"
#include "sched/sched_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHUNK = 64 * 1024,
	LINE_MAX_BYTES = 8 * 1024 * 1024, /* of one answer; the rest is lost */
	LAST_READS = 16,		  /* as much as a pipe can hold */
	WORDS = 8			  /* for zlaunch, at most */
};

static struct sched_worker *find(const struct sched *s, uint32_t id)
{
	struct sched_worker *w;

	HASH_FIND(hh, s->workers, &id, sizeof(id), w);
	return w;
}

/* ---- hearing ------------------------------------------------------------ */

/* Whole lines are answered, the rest is kept. */
static void hear(struct sched_worker *w, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t n = slice_find(bytes, '\n');
		bool is_whole = n < bytes.len;

		if (w->line.len + n > LINE_MAX_BYTES)
			w->is_line_cut = true;
		if (!w->is_line_cut)
			str_add(&w->line, slice_head(bytes, n));
		bytes = slice_from(bytes, is_whole ? n + 1 : n);
		if (!is_whole)
			return;
		if (w->is_line_cut)
			log_line(LOG_LEVEL_WARNING,
				 "%s[%ld]: a line of over %d bytes is lost",
				 w->name, (long)w->child.pid, LINE_MAX_BYTES);
		else
			sched_answer(w->sched, w, str_slice(&w->line));
		w->is_line_cut = false;
		if (w->line.cap > CHUNK) /* one long line is no habit */
			str_done(&w->line);
		else
			str_clear(&w->line);
	}
}

enum heard { HEARD, NOTHING_YET, NOTHING_MORE };

/* Reads once what is there. */
static enum heard read_some(struct sched_worker *w)
{
	static char chunk[CHUNK]; /* one event is dealt with at a time */
	ssize_t n;

	do
		n = read(w->child.out_fd, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		hear(w, slice_make(chunk, (size_t)n));
	if (n > 0)
		return HEARD;
	return n < 0 && errno == EAGAIN ? NOTHING_YET : NOTHING_MORE;
}

static void close_output(struct sched_worker *w)
{
	if (w->out_event != NULL)
		event_free(w->out_event);
	w->out_event = NULL;
	fd_close(w->child.out_fd);
	w->child.out_fd = -1;
}

/* ---- feeding ------------------------------------------------------------ */

static void close_input(struct sched_worker *w)
{
	if (w->in_event != NULL)
		event_free(w->in_event);
	w->in_event = NULL;
	fd_close(w->child.in_fd);
	w->child.in_fd = -1;
}

static void on_output(evutil_socket_t fd, short what, void *context)
{
	struct sched_worker *w = context;
	struct sched *s = w->sched;

	(void)fd;
	(void)what;
	if (read_some(w) == NOTHING_MORE) {
		uint32_t id = w->id;

		close_output(w);
		sched_workers_reap(s); /* w may be gone behind this */
		w = find(s, id);
		/* Who cannot answer is of no use, even if it lives. */
		if (w != NULL) {
			close_input(w);
			kill(-w->child.pid, SIGTERM);
		}
	}
	sched_settle(s);
}

/* Writes what the pipe takes. */
static void flush(struct sched_worker *w)
{
	while (w->child.in_fd >= 0 && w->written < w->to_write.len) {
		ssize_t n = write(w->child.in_fd, w->to_write.p + w->written,
				  w->to_write.len - w->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(w->in_event, NULL);
			return;
		}
		if (n < 0) { /* it does not listen any more: it will end */
			close_input(w);
			return;
		}
		w->written += (size_t)n;
	}
	str_clear(&w->to_write);
	w->written = 0;
	if (w->is_stopping)
		close_input(w);
}

static void on_room(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	flush(context);
}

void sched_worker_feed(struct sched *s, const struct queue_action *a)
{
	struct sched_worker *w = find(s, a->agent);
	struct err err;

	if (w == NULL)
		return;
	/* What cannot be said in a line cannot be delivered by anybody. */
	if (jobline_print_job(&w->to_write, a->name, !w->is_bound, a->host,
			      &err) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		jobline_print_idle(&w->to_write);
	}
	if (!w->is_fed) {
		w->is_fed = true;
		w->next_fed = s->fed;
		s->fed = w;
	}
}

/* Between a feed and this nobody is forgotten: both are of one settling. */
void sched_workers_flush(struct sched *s)
{
	struct sched_worker *w;

	while ((w = s->fed) != NULL) {
		s->fed = w->next_fed;
		w->is_fed = false;
		flush(w);
	}
}

void sched_worker_stop(struct sched *s, uint32_t id)
{
	struct sched_worker *w = find(s, id);

	if (w == NULL || w->is_stopping)
		return;
	w->is_stopping = true;
	jobline_print_stop(&w->to_write);
	flush(w);
}

void sched_worker_kill(struct sched *s, uint32_t id)
{
	struct sched_worker *w = find(s, id);

	if (w == NULL)
		return;
	log_line(LOG_LEVEL_WARNING, "%s[%ld]: %s", w->name, (long)w->child.pid,
		 w->is_killed ? "killed" : "silent for too long: terminated");
	kill(-w->child.pid, w->is_killed ? SIGKILL : SIGTERM);
	w->is_killed = true;
}

/* ---- starting ----------------------------------------------------------- */

/* The words for zlaunch; the array is of the arena. */
static char **limits(struct sched *s, const struct schedconf_clause *c,
		     struct arena *a)
{
	char **words = arena_array(a, WORDS, sizeof(*words));
	size_t n = 0;
	struct slice w[WORDS];

	w[n++] = arena_printf(a, "directory=%s/transport", s->o->postoffice);
	if (c->group.len > 0 && c->user.len == 0)
		w[n++] = arena_printf(a, "group=%.*s", SLICE_ARG(c->group));
	if (c->user.len > 0)
		w[n++] = arena_printf(a, "user=%.*s", SLICE_ARG(c->user));
	if (c->user.len > 0 && c->group.len > 0)
		w[n++] = arena_printf(a, "group=%.*s", SLICE_ARG(c->group));
	if (c->has_priority)
		w[n++] = arena_printf(a, "nice=%d", c->priority);
	else if (c->has_nice)
		w[n++] = arena_printf(a, "nice=%d",
				      c->nice < -20  ? -20
				      : c->nice > 19 ? 19
						     : c->nice);
	for (size_t i = 0; i < n; i++)
		words[i] = (char *)(uintptr_t)w[i].p;
	return words;
}

static void add_variable(struct sched *s, const char *name, char **envp,
			 size_t *n, struct arena *a)
{
	struct slice value;

	if (zenv_get(s->o->zenv, name, &value))
		envp[(*n)++] = (char *)(uintptr_t)arena_printf(
				   a, "%s=%.*s", name, SLICE_ARG(value))
				   .p;
}

/* NAME=value words of the command; TZ; PATH and ZCONFIG of ZENV. */
static char **environment(struct sched *s, char **own, struct arena *a)
{
	char **envp = arena_array(a, SCHEDCONF_WORDS_MAX + 8, sizeof(*envp));
	static char mark[] = "ZPOST_SCHEDULER=1";
	size_t n = 0;

	while (own[n] != NULL) {
		envp[n] = own[n];
		n++;
	}
	add_variable(s, "PATH", envp, &n, a);
	add_variable(s, "ZCONFIG", envp, &n, a);
	for (size_t i = 0; i < s->o->n_environment; i++)
		envp[n++] = (char *)(uintptr_t)s->o->environment[i];
	envp[n++] = mark;
	return envp;
}

/* Starts the process of w. -1 with err: nothing runs. */
static int spawn(struct sched *s, struct sched_worker *w,
		 const struct queue_action *action, struct arena *a,
		 struct err *err)
{
	const struct schedconf_clause *c =
	    &s->config.conf.clauses[action->clause];
	const struct schedconf_for who = { s->o->zenv, action->channel,
					   action->host };
	struct schedconf_command made;
	struct proc_command command = { .ids = PROC_IDS_KEEP,
					.launcher = s->o->launcher };
	enum proc_step step;

	if (schedconf_command(c->command, &who, a, &made, err) < 0)
		return -1;
	if (made.argv[0][0] != '/')
		made.argv[0] = (char *)(uintptr_t)arena_printf(
				   a, "%s/%s", s->o->agents_dir, made.argv[0])
				   .p;
	command.path = made.argv[0];
	command.argv = made.argv;
	command.limits = limits(s, c, a);
	command.envp = environment(s, made.environment, a);
	w->name = strdup(strrchr(made.argv[0], '/') + 1);
	if (w->name == NULL)
		mem_exhausted();
	return spawn_child(&command, &w->child, &step, err);
}

static void free_worker(struct sched_worker *w)
{
	close_input(w);
	close_output(w);
	fd_close(w->child.report_fd);
	fd_close(w->child.pid_fd);
	str_done(&w->to_write);
	str_done(&w->line);
	str_done(&w->channel);
	str_done(&w->progress.message);
	free(w->name);
	free(w);
}

void sched_worker_start(struct sched *s, const struct queue_action *a)
{
	struct sched_worker *w = mem_zero(1, sizeof(*w));
	struct arena *arena = arena_new();
	struct err err;

	w->sched = s;
	w->id = a->agent;
	w->is_bound = s->config.clauses[a->clause].is_host_bound;
	w->child = (struct spawned){ -1, -1, -1, -1, -1 };
	if (spawn(s, w, a, arena, &err) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start an agent for %.*s: %s",
			 SLICE_ARG(a->channel), err.text);
		sched_tell_agent_failed(s, a);
		free_worker(w);
		queue_agent_gone(s->queue, a->agent, true, sched_now(s));
		goto out;
	}
	w->out_event = event_new(s->base, w->child.out_fd, EV_READ | EV_PERSIST,
				 on_output, w);
	w->in_event = event_new(s->base, w->child.in_fd, EV_WRITE, on_room, w);
	if (w->out_event == NULL || w->in_event == NULL)
		mem_exhausted();
	event_add(w->out_event, NULL);
	sched_tell_agent_start(s, w, a);
	HASH_ADD(hh, s->workers, id, sizeof(w->id), w);
out:
	arena_free(arena);
}

/* ---- ending ------------------------------------------------------------- */

/* What zlaunch has to say when there was no program. */
static void tell_launch(struct sched_worker *w)
{
	struct str text = STR_INIT;
	enum proc_step step;
	struct err err;

	if (w->child.report_fd >= 0 &&
	    fd_read_all(w->child.report_fd, 0, 2 * ERR_TEXT_MAX, &text) >= 0 &&
	    launch_read_report(str_slice(&text), &step, &err))
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	str_done(&text);
}

/* It is reaped: hears its last words and forgets it. */
static void bury(struct sched *s, struct sched_worker *w)
{
	bool is_bad = !WIFEXITED(w->status) || WEXITSTATUS(w->status) != 0;

	/* A grandchild may keep it open, and talk: what is there by now counts.
	 */
	for (int i = 0; i < LAST_READS && w->child.out_fd >= 0; i++)
		if (read_some(w) != HEARD)
			break;
	tell_launch(w);
	if (w->line.len > 0)
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: lost %zu bytes: '%.*s'",
			 w->name, (long)w->child.pid, w->line.len,
			 SLICE_ARG(slice_head(str_slice(&w->line), 200)));
	if (WIFSIGNALED(w->status))
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: ended by signal %d",
			 w->name, (long)w->child.pid, WTERMSIG(w->status));
	else if (is_bad)
		log_line(LOG_LEVEL_WARNING, "%s[%ld]: exit status %d", w->name,
			 (long)w->child.pid, WEXITSTATUS(w->status));
	sched_tell_agent_end(s, w);
	HASH_DELETE(hh, s->workers, w);
	queue_agent_gone(s->queue, w->id, is_bad, sched_now(s));
	free_worker(w);
}

void sched_workers_reap(struct sched *s)
{
	struct sched_worker *w, *next;

	for (w = s->workers; w != NULL; w = next) {
		int status;

		next = w->hh.next;
		if (waitpid(w->child.pid, &status, WNOHANG) != w->child.pid)
			continue;
		w->status = status;
		bury(s, w);
	}
}

void sched_workers_free(struct sched *s)
{
	struct sched_worker *w = s->workers, *next;

	HASH_CLEAR(hh, s->workers);
	for (; w != NULL; w = next) {
		next = w->hh.next;
		kill(-w->child.pid, SIGKILL);
		while (waitpid(w->child.pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		free_worker(w);
	}
}
