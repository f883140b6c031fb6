/*
 * sched.c - the event loop: signals, time, and what the queue wants done.
 *
 * Order at the end: TERM or INT makes the queue stop all agents; they finish
 * what they are at; when the last one is gone, or after a minute, the loop
 * ends. What is left in the spool is there at the next start.
 */
#include "sched/sched.h"

#include "base/fd.h"
#include "sched/logfile.h"
#include "sched/sched_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 250 };
enum { PATIENCE_MS = 200 };		   /* see struct queue_config */
enum { SETTLE_MS = 50, SETTLE_STEP = 32 }; /* then others have their turn */
enum { AWAY_MS = 24 * 3600 * 1000 };	   /* nobody is away for so long */
enum { OWN_FILES = 80 }; /* descriptors that are not agents' */
enum { END_SECONDS = 60, AGENTS_DEFAULT = 1000, JUMP_MS = 60 * 1000 };

/* ---- clock -------------------------------------------------------------- */

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t sched_now(struct sched *s)
{
	int64_t steady = clock_ms(CLOCK_BOOTTIME);
	int64_t wall = clock_ms(CLOCK_REALTIME), gap;

	if (s->clock_offset == 0)
		s->clock_offset = wall - steady;
	steady += s->clock_offset;
	gap = wall - steady;
	if (gap - s->clock_gap > JUMP_MS || s->clock_gap - gap > JUMP_MS) {
		log_line(LOG_LEVEL_WARNING,
			 "the clock was set by %lld s: ages and waits of the "
			 "queue go on as they were",
			 (long long)(gap - s->clock_gap) / 1000);
		s->clock_gap = gap;
	}
	return steady;
}

int64_t sched_wall(const struct sched *s, int64_t queue_ms)
{
	return queue_ms + s->clock_gap;
}

/* The pid's file gets this time. */
static void set_sign(const struct sched *s, int64_t ms)
{
	const struct timespec at = { (time_t)(ms / 1000), 0 };
	const struct timespec times[2] = { at, at };

	if (futimens(s->lock_fd, times) < 0) {
		/* Then there is none. */
	}
}

void sched_beat(struct sched *s)
{
	int64_t now = sched_now(s);

	/* Without mail there are no ages to be kept. */
	if (queue_count(s->queue).messages == 0)
		now = sched_wall(s, now);
	set_sign(s, now);
}

/*
 * Has somebody set the clock while nobody ran, or before? If it is behind the
 * last sign of life, or far ahead of it, the queue's clock goes on from there:
 * no mail is to expire because a clock is wrong, nor because nobody could try.
 */
static void learn_clock(struct sched *s)
{
	int64_t wall = clock_ms(CLOCK_REALTIME), last, away;
	struct stat st;

	if (fstat(s->lock_fd, &st) < 0 || st.st_size == 0)
		return;
	last = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	away = wall - last;
	if (away > -JUMP_MS && away < AWAY_MS)
		return;
	log_line(LOG_LEVEL_WARNING,
		 "by its clock the queue was last served %lld s %s: ages and "
		 "waits go on as they were",
		 (long long)(away < 0 ? -away : away) / 1000,
		 away < 0 ? "in the future" : "ago");
	s->clock_offset = last - clock_ms(CLOCK_BOOTTIME);
	s->clock_gap = away;
}

/* ---- configuration ------------------------------------------------------ */

static int find_clause(void *context, struct slice channel, struct slice host)
{
	struct sched *s = context;
	int found = schedconf_find(&s->config.conf, channel, host);

	if (found < 0)
		log_line(LOG_LEVEL_ERROR,
			 "no clause of %s is for %.*s/%.*s: its mail waits",
			 s->o->config_file, SLICE_ARG(channel),
			 SLICE_ARG(host));
	return found < 0 ? QUEUE_NO_CLAUSE : found;
}

/* As many agents as there are descriptors for, four each, at most. */
static unsigned max_agents(const struct schedconf *conf)
{
	struct rlimit limit;
	unsigned wanted =
	    conf->max_agents > 0 ? conf->max_agents : AGENTS_DEFAULT;
	rlim_t possible = 64;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
			possible = limit.rlim_cur > OWN_FILES
				       ? (limit.rlim_cur - OWN_FILES) / 4
				       : 0;
	}
	if (possible < 1)
		possible = 1;
	return possible < wanted ? (unsigned)possible : wanted;
}

static struct queue_config queue_config(struct sched *s)
{
	return (struct queue_config){
		.clauses = s->config.clauses,
		.n_clauses = s->config.conf.n_clauses,
		.max_agents = max_agents(&s->config.conf),
		.start_rate = s->o->start_rate,
		.report_delay = (int64_t)s->config.conf.report_interval * 1000,
		.patience = PATIENCE_MS,
		.find = find_clause,
		.news = sched_tell_news,
		.context = s,
		.seed = (uint64_t)sched_now(s),
	};
}

/* An empty file is rather one that could not be written than one meant so. */
static bool has_no_clause(const struct sched *s, const struct schedconf *conf,
			  struct err *err)
{
	if (conf->n_clauses == 0)
		err_set(err, 0, "%s: not one clause that could serve mail",
			s->o->config_file);
	return conf->n_clauses == 0;
}

static int load(struct sched *s, struct sched_config *ret, struct err *err)
{
	struct sched_config c = { .arena = arena_new() };

	if (schedconf_load(s->o->config_file, s->o->zenv, c.arena, &c.conf,
			   err) < 0 ||
	    has_no_clause(s, &c.conf, err) ||
	    routes_load(s->o->routes_file, c.arena, &c.routes, err) < 0) {
		arena_free(c.arena);
		return -1;
	}
	sched_forms_load(&c, s->o->zenv);
	c.clauses =
	    arena_array(c.arena, c.conf.n_clauses + 1, sizeof(*c.clauses));
	for (size_t i = 0; i < c.conf.n_clauses; i++)
		c.clauses[i] = c.conf.clauses[i].queue;
	*ret = c;
	return 0;
}

static void set_own_priority(const struct schedconf *conf)
{
	int now = getpriority(PRIO_PROCESS, 0);

	if (conf->has_syspriority)
		now = conf->syspriority;
	else if (conf->has_sysnice)
		now += conf->sysnice;
	else
		return;
	if (setpriority(PRIO_PROCESS, 0, now) < 0)
		log_line(LOG_LEVEL_WARNING, "own priority %d: %s", now,
			 strerror(errno));
}

/* They may have been rotated. */
static void reopen_logs(struct sched *s)
{
	if (s->o->reopen_log != NULL)
		s->o->reopen_log();
	sched_event_reopen(s);
	logfile_reopen(s->statistics);
}

static bool carry_out_all(struct sched *s, int64_t until);

int sched_reload(struct sched *s, struct err *err)
{
	struct sched_config c;
	struct queue_config config;

	reopen_logs(s);
	sched_service_reload(s);
	sched_control_listen(s);
	if (load(s, &c, err) < 0) {
		log_line(LOG_LEVEL_ERROR,
			 "%s: the configuration before stays in force",
			 err->text);
		sched_event(s, "reload", "file", s->o->config_file, "failed",
			    err->text, NULL);
		return -1;
	}
	/* What it wants so far is in terms of the old clauses. */
	while (!carry_out_all(s, INT64_MAX))
		continue;
	/* The queue looks at the old clauses until it has the new ones. */
	s->old_config = s->config;
	s->config = c;
	config = queue_config(s);
	queue_reload(s->queue, &config, sched_now(s));
	arena_free(s->old_config.arena);
	s->old_config = (struct sched_config){ 0 };
	log_line(LOG_LEVEL_INFO, "%s: read again, %zu clauses",
		 s->o->config_file, c.conf.n_clauses);
	sched_event(s, "reload", "file", s->o->config_file, NULL);
	sched_scan_all(s);
	return 0;
}

/* ---- the queue's wishes ------------------------------------------------- */

static void carry_out(struct sched *s, const struct queue_action *a)
{
	switch (a->kind) {
	case QUEUE_START:
		sched_worker_start(s, a);
		break;
	case QUEUE_FEED:
		sched_worker_feed(s, a);
		break;
	case QUEUE_STOP:
		sched_worker_stop(s, a->agent);
		break;
	case QUEUE_KILL:
		sched_worker_kill(s, a->agent);
		break;
	case QUEUE_LOOK:
		sched_look(s, a->name);
		break;
	case QUEUE_EXPIRE:
		sched_expire(s, a);
		break;
	case QUEUE_DELAY:
		sched_delay(s, a);
		break;
	case QUEUE_REPORT:
		sched_report(s, a->name);
		break;
	case QUEUE_FINISH:
		sched_finish(s, a->name);
		break;
	}
}

/* False: it is time that others had their turn, and more is left. */
static bool carry_out_all(struct sched *s, int64_t until)
{
	struct queue_action a;

	for (unsigned n = 1; queue_next(s->queue, &a); n++) {
		carry_out(s, &a);
		if (n % SETTLE_STEP == 0 && sched_now(s) >= until)
			return false;
	}
	return true;
}

static void sleep_until(struct sched *s, int64_t at, int64_t now)
{
	int64_t ms = at > now ? at - now : 0;
	struct timeval wait = { (time_t)(ms / 1000),
				(suseconds_t)(ms % 1000 * 1000) };

	if (at < 0)
		event_del(s->wake_event);
	else
		event_add(s->wake_event, &wait);
}

void sched_settle(struct sched *s)
{
	int64_t begun = sched_now(s), now;
	bool is_all;

	do {
		now = sched_now(s);
		queue_run(s->queue, now);
		is_all = carry_out_all(s, begun + SETTLE_MS);
		sched_workers_flush(s);
	} while (is_all && queue_wake(s->queue) >= 0 &&
		 queue_wake(s->queue) <= now);
	sleep_until(s, is_all ? queue_wake(s->queue) : now, now);
	if (s->is_ending && s->workers == NULL && s->service.pid == 0)
		event_base_loopbreak(s->base);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	sched_settle(context);
}

/* ---- signals ------------------------------------------------------------ */

static void begin_end(struct sched *s)
{
	struct timeval last = { END_SECONDS, 0 };

	if (s->is_ending) {
		event_base_loopbreak(s->base); /* asked twice: at once */
		return;
	}
	s->is_ending = true;
	sched_tell_manager(s, "STOPPING=1");
	log_line(LOG_LEVEL_INFO, "ending: agents finish what they are at");
	sched_service_stop(s);
	queue_shut(s->queue, sched_now(s));
	event_base_loopexit(s->base, &last);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct sched *s = context;
	struct err err;

	(void)what;
	if (number == SIGHUP || number == SIGUSR1) {
		if (sched_reload(s, &err) < 0) {
			/* It is in the log. */
		}
	} else if (number == SIGCHLD) {
		sched_workers_reap(s);
		sched_service_reap(s);
	} else {
		begin_end(s);
	}
	sched_settle(s);
}

static void catch_signals(struct sched *s)
{
	static const int numbers[] = { SIGHUP, SIGUSR1, SIGCHLD, SIGTERM,
				       SIGINT };

	signal(SIGXFSZ, SIG_IGN); /* a log at its limit loses lines, no more */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		if (s->signals[i] == NULL)
			mem_exhausted();
		event_add(s->signals[i], NULL);
	}
}

/* ---- begin and end ------------------------------------------------------ */

/* The pid that the lock's file names; 0 if it names none. */
static pid_t lock_owner(int fd)
{
	struct str text = STR_INIT;
	uint64_t pid = 0;

	if (lseek(fd, 0, SEEK_SET) == 0 && fd_read_all(fd, 0, 20, &text) == 0 &&
	    text.len > 0)
		text.len--;
	if (!slice_uint(str_slice(&text), INT32_MAX, &pid))
		pid = 0;
	str_done(&text);
	return (pid_t)pid;
}

/*
 * The lock goes when its owner does, however that is; but a child that it was
 * just starting may keep it for moments.
 */
static int take_lock(struct sched *s, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const struct timespec moment = { 0, 20 * 1000 * 1000 };
	pid_t owner = 0;

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(s->lock_fd, F_OFD_SETLK, &lock) == 0)
			return 0;
		owner = lock_owner(s->lock_fd);
		if (owner == 0 || kill(owner, 0) == 0 || errno != ESRCH)
			break;
		nanosleep(&moment, NULL);
	}
	return FAIL_CODE(err, EAGAIN, "another scheduler (pid %ld) serves %s",
			 (long)owner, s->o->postoffice);
}

static void write_pid(struct sched *s)
{
	struct str pid = STR_INIT;

	str_addf(&pid, "%ld\n", (long)getpid());
	if (lseek(s->lock_fd, 0, SEEK_SET) < 0 ||
	    ftruncate(s->lock_fd, 0) < 0 ||
	    fd_write_all(s->lock_fd, str_slice(&pid)) < 0)
		log_line(LOG_LEVEL_WARNING, ".pid.scheduler: %s",
			 strerror(errno));
	str_done(&pid);
}

/* Whose files are to be believed. */
static int learn_owners(struct sched *s, struct err *err)
{
	struct stat office, transport;

	if (fstat(s->postoffice_dir, &office) < 0 ||
	    fstat(s->transport_dir, &transport) < 0)
		return FAIL_CODE(err, errno, "%s: %s", s->o->postoffice,
				 strerror(errno));
	s->office_uid = office.st_uid;
	s->transport_uid = transport.st_uid;
	s->transport_gid = transport.st_gid;
	if ((transport.st_mode & S_IWOTH) != 0)
		log_line(LOG_LEVEL_WARNING,
			 "%s/transport: everybody may write there, and so lose "
			 "mail",
			 s->o->postoffice);
	return 0;
}

/* Opens the postoffice, of which only one scheduler can be the one. */
static int take_postoffice(struct sched *s, struct err *err)
{
	const int dir = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	s->postoffice_dir = open(s->o->postoffice, dir);
	s->transport_dir = s->postoffice_dir < 0
			       ? -1
			       : openat(s->postoffice_dir, "transport", dir);
	if (s->transport_dir < 0) {
		err_set(err, errno, "%s/transport: %s", s->o->postoffice,
			strerror(errno));
		return EX_OSFILE;
	}
	if (learn_owners(s, err) < 0)
		return EX_OSFILE;
	s->lock_fd = openat(s->postoffice_dir, ".pid.scheduler",
			    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (s->lock_fd < 0) {
		err_set(err, errno, "%s/.pid.scheduler: %s", s->o->postoffice,
			strerror(errno));
		return EX_OSFILE;
	}
	if (take_lock(s, err) < 0)
		return EX_UNAVAILABLE;
	learn_clock(s);
	write_pid(s);
	set_sign(s, sched_now(s));
	return EX_OK;
}

static void end(struct sched *s)
{
	sched_service_end(s);
	sched_workers_free(s);
	sched_control_end(s); /* its cursors are the queue's */
	sched_expiries_end(s);
	sched_reports_end(s);
	queue_free(s->queue);
	sched_orphans_end(s);
	sched_scan_end(s);
	sched_asides_free(s);
	if (s->wake_event != NULL)
		event_free(s->wake_event);
	for (size_t i = 0; i < sizeof(s->signals) / sizeof(s->signals[0]); i++)
		if (s->signals[i] != NULL)
			event_free(s->signals[i]);
	/* To be told once more is no crash. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	sched_scrape_end(s);
	sched_tell_end(s);
	logfile_close(s->statistics);
	sched_event_end(s);
	sched_metrics_free(s->metrics);
	if (s->base != NULL)
		event_base_free(s->base);
	arena_free(s->config.arena);
	fd_close(s->lock_fd);
	fd_close(s->transport_dir);
	fd_close(s->postoffice_dir);
}

static int begin(struct sched *s, struct err *err)
{
	struct queue_config config;
	int r;

	if (load(s, &s->config, err) < 0)
		return EX_CONFIG;
	r = take_postoffice(s, err);
	if (r != EX_OK)
		return r;
	s->metrics = sched_metrics_new();
	if (sched_event_begin(s, err) < 0 || sched_statistics_begin(s, err) < 0)
		return EX_OSFILE;
	set_own_priority(&s->config.conf);
	config = queue_config(s);
	s->queue = queue_new(&config);
	s->base = event_base_new();
	if (s->base == NULL) {
		err_set(err, 0, "no event loop can be had");
		return EX_OSERR;
	}
	s->wake_event = event_new(s->base, -1, 0, on_wake, s);
	if (s->wake_event == NULL)
		mem_exhausted();
	catch_signals(s);
	if (sched_expiries_begin(s, err) < 0 || sched_reports_begin(s, err) < 0)
		return EX_OSERR;
	sched_control_begin(s);
	if (sched_scrape_begin(s, err) < 0)
		return EX_OSFILE;
	sched_scan_begin(s);
	sched_orphans_begin(s);
	return EX_OK;
}

int sched_run(const struct sched_options *o, struct err *err)
{
	struct sched s = { .o = o,
			   .postoffice_dir = -1,
			   .transport_dir = -1,
			   .lock_fd = -1,
			   .notify_fd = -1 };
	int r = begin(&s, err);

	if (r == EX_OK) {
		log_line(LOG_LEVEL_INFO, "serving %s, %zu clauses",
			 o->postoffice, s.config.conf.n_clauses);
		sched_event(&s, "start", "postoffice", o->postoffice, NULL);
		sched_service_begin(&s);
		sched_tell_manager(&s, "READY=1");
		sched_settle(&s);
		event_base_dispatch(s.base);
		sched_event(&s, "end", NULL);
		sched_beat(&s);
	}
	end(&s);
	return r;
}
