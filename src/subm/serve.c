/*
 * serve.c - the trusted process that queues what ordinary users submit.
 *
 * One round of the loop: epoll tells which connections have something; of each
 * one buffer is read and understood, which may stage messages; then all that
 * are staged are settled together and answered. While the disk is written the
 * next messages gather in the sockets: the busier, the larger the groups.
 *
 * The socket is there before the spool is cleaned, so that who comes meanwhile
 * waits instead of being turned away.
 */
#include "subm/serve.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/unixsock.h"
#include "spool/recover.h"
#include "subm/serve_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, TICK_MS = 1000, TIDY_SECONDS = 60, GATHER_MAX = 8 };

static int64_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec + 1; /* 0 means never */
}

/* ---- the log ------------------------------------------------------------ */

/* NULL: the service itself. */
void serve_log(struct serve *s, struct subm_person *person, const char *format,
	       ...)
{
	struct subm_person *payer = person != NULL ? person : &s->self;
	char text[ERR_TEXT_MAX];
	uint64_t n_unsaid;
	va_list ap;

	if (!subm_person_may_log(payer, s->now, &n_unsaid))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (person == NULL)
		log_line(LOG_LEVEL_ERROR, "%s", text);
	else
		log_line(LOG_LEVEL_WARNING, "uid %ju: %s",
			 (uintmax_t)person->uid, text);
	if (n_unsaid > 0)
		log_line(LOG_LEVEL_WARNING,
			 "%ju lines like that before it were not"
			 " logged",
			 (uintmax_t)n_unsaid);
}

static void tell_unsaid(uid_t uid, uint64_t n_unsaid)
{
	log_line(LOG_LEVEL_WARNING, "uid %ju: %ju more lines were not logged",
		 (uintmax_t)uid, (uintmax_t)n_unsaid);
}

/* ---- rules -------------------------------------------------------------- */

struct serve_rules *serve_rules_use(struct serve_rules *rules)
{
	rules->n_users++;
	return rules;
}

void serve_rules_drop(struct serve_rules *rules)
{
	if (rules == NULL || --rules->n_users > 0)
		return;
	arena_free(rules->r.arena);
	free(rules);
}

/* Those of the configuration, used once. */
static int read_rules(struct serve *s, struct serve_rules **ret,
		      struct err *err)
{
	struct serve_rules *rules = mem_zero(1, sizeof(*rules));
	int code = s->o->read_rules(s->o->context, &rules->r, err);

	if (code == EX_OK)
		*ret = serve_rules_use(rules);
	else
		free(rules);
	return code;
}

/* Messages that have begun go on under the rules before. */
static void reload(struct serve *s)
{
	struct serve_rules *rules, *before = s->rules;
	struct err err = { 0 };

	if (read_rules(s, &rules, &err) != EX_OK) {
		log_line(LOG_LEVEL_ERROR,
			 "%s: the configuration before stays in"
			 " force",
			 err.text);
		return;
	}
	if (strcmp(rules->r.site.postoffice, before->r.site.postoffice) != 0) {
		log_line(LOG_LEVEL_ERROR,
			 "POSTOFFICE is another: this takes a"
			 " restart; the configuration before stays in force");
		serve_rules_drop(rules);
		return;
	}
	s->rules = rules;
	s->office.hash_levels = rules->r.site.hash_levels;
	subm_people_renew(&s->people, rules->r.trusted);
	serve_rules_drop(before);
	log_line(LOG_LEVEL_INFO, "configuration read again");
}

/* ---- the loop ----------------------------------------------------------- */

/* Marks the events that are no connection's. */
enum { TAG_LISTENER, TAG_STOP, TAG_RELOAD };

static int watch_fd(struct serve *s, int fd, uint64_t tag, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = tag };

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return FAIL_CODE(err, errno, "epoll: %s", strerror(errno));
	return 0;
}

/* A listener that is not listened to would wake us without end. */
static void watch_listener(struct serve *s, bool *is_watched)
{
	struct epoll_event event = { .data.u64 = TAG_LISTENER };

	if (s->stopping != 0 || *is_watched == !s->is_full)
		return;
	event.events = s->is_full ? 0 : EPOLLIN;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->listener, &event) == 0)
		*is_watched = !s->is_full;
}

/* Nobody is to find a socket behind which there is nobody. */
static void close_listener(struct serve *s)
{
	int dir;

	if (s->listener < 0)
		return;
	dir = open(s->rules->r.site.postoffice, O_PATH | O_CLOEXEC);
	if (dir >= 0)
		(void)unlinkat(dir, WIRE_SOCKET, 0);
	fd_close(dir);
	fd_close(s->listener);
	s->listener = -1;
}

static void tell_manager(const struct serve *s, struct slice state)
{
	struct err err;

	if (unixsock_notify(s->o->manager_socket, state, &err) < 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
}

/* Who has come is let in; nobody else. */
static void begin_end(struct serve *s)
{
	(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->o->stop_fd, NULL);
	tell_manager(s, SLICE("STOPPING=1"));
	serve_accept(s, SERVE_SLOTS);
	close_listener(s);
	s->stopping = s->now;
}

static void on_event(struct serve *s, const struct epoll_event *event)
{
	struct serve_connection *c = serve_find(s, event->data.u64);

	if (c == NULL)
		return;
	if ((event->events & (EPOLLERR | EPOLLHUP)) != 0 &&
	    (event->events & EPOLLIN) == 0) {
		serve_close(s, c); /* gone; its messages that ended stay */
		return;
	}
	if ((event->events & EPOLLIN) != 0 && c->state != SERVE_CLOSING)
		serve_read(s, c);
	serve_touch(s, c);
}

static void empty(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		continue;
}

/* Waits so long for events, and does what they ask for; -1 with errno. */
static int take_events(struct serve *s, int timeout)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll, events, EVENTS_MAX, timeout);

	s->now = seconds_now();
	for (int i = 0; i < n; i++)
		switch (events[i].data.u64) {
		case TAG_LISTENER:
			serve_accept(s, SERVE_ACCEPTS);
			break;
		case TAG_STOP:
			begin_end(s);
			break;
		case TAG_RELOAD:
			empty(s->o->reload_fd);
			reload(s);
			break;
		default:
			on_event(s, &events[i]);
		}
	return n;
}

/*
 * Who has sent a message meanwhile shares the wait that comes. It is not waited
 * for anybody: a single client would pay for it.
 */
static void gather(struct serve *s)
{
	for (int i = 0; i < GATHER_MAX && s->n_ended > 0; i++)
		if (take_events(s, 0) <= 0)
			return;
}

static int loop(struct serve *s, struct err *err)
{
	bool is_watched = true;
	int64_t tended = s->now, tidied = s->now;

	while (s->stopping == 0 || s->n_connections > 0) {
		bool is_busy = s->n_connections > 0 || s->is_full;
		int n;

		s->round++;
		n = take_events(s, s->n_delayed > 0 ? 0
				   : is_busy	    ? TICK_MS
						    : -1);
		if (n < 0 && errno != EINTR) {
			err_set(err, errno, "epoll: %s", strerror(errno));
			return EX_OSERR;
		}
		serve_resume(s); /* who is new comes first */
		gather(s);
		if (s->n_ended > 0)
			serve_settle(s);
		serve_tend(s, s->now != tended);
		if (s->now != tended)
			s->is_full = s->n_connections >= s->o->max_connections;
		tended = s->now;
		if (s->now - tidied >= TIDY_SECONDS) {
			subm_people_tidy(&s->people, s->now, tell_unsaid);
			tidied = s->now;
		}
		watch_listener(s, &is_watched);
	}
	return EX_OK;
}

/* ---- beginning and end -------------------------------------------------- */

/*
 * Opens the lock's file, making it if need be. What root makes is the spool
 * owner's, who may serve the next time; what is there already is left alone.
 */
static int open_lock(int dir)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dir, "submit.lock", flags | O_CREAT | O_EXCL, 0600);
	struct stat st;

	if (fd < 0)
		return errno == EEXIST ? openat(dir, "submit.lock", flags) : -1;
	if (geteuid() == 0 && fstat(dir, &st) == 0 && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0) {
		/* Then it stays ours, and serves us. */
	}
	return fd;
}

/* Only one may serve a spool, and clean it. */
static int lock_office(const char *postoffice, int *ret_fd, struct err *err)
{
	int dir = open(postoffice, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0) {
		err_set(err, errno, "%s: %s", postoffice, strerror(errno));
		return EX_CANTCREAT;
	}
	fd = open_lock(dir);
	if (fd < 0)
		err_set(err, errno, "%s/submit.lock: %s", postoffice,
			strerror(errno));
	fd_close(dir);
	if (fd < 0)
		return EX_CANTCREAT;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err_set(err, errno, "%s: another process serves this spool",
			postoffice);
		fd_close(fd);
		return EX_TEMPFAIL;
	}
	*ret_fd = fd;
	return EX_OK;
}

static int clean(struct serve *s, struct err *err)
{
	struct recovered done;

	if (spool_recover(s->rules->r.site.postoffice, &s->office,
			  RECOVER_ORPHAN_AGE, &done, err) < 0)
		return EX_CANTCREAT;
	if (done.published + done.removed > 0)
		log_line(LOG_LEVEL_INFO,
			 "%zu messages recovered, %zu files"
			 " without one removed",
			 done.published, done.removed);
	if (done.left > 0)
		log_line(LOG_LEVEL_ERROR,
			 "%zu message files without a control "
			 "file, and no other: left alone; is transport/ what "
			 "it should be?",
			 done.left);
	return create_office_recovers(&s->office, err) < 0 ? EX_CANTCREAT
							   : EX_OK;
}

static int start(struct serve *s, struct err *err)
{
	const struct subm_site *site = &s->rules->r.site;
	int code;

	if (create_office_open(site->postoffice, site->hash_levels, &s->office,
			       err) < 0)
		return EX_CANTCREAT;
	s->listener = unixsock_listen(site->postoffice, WIRE_SOCKET, err);
	if (s->listener < 0)
		return EX_CANTCREAT;
	code = clean(s, err);
	if (code != EX_OK)
		return code;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		err_set(err, errno, "epoll: %s", strerror(errno));
		return EX_OSERR;
	}
	if (watch_fd(s, s->listener, TAG_LISTENER, err) < 0 ||
	    watch_fd(s, s->o->stop_fd, TAG_STOP, err) < 0 ||
	    watch_fd(s, s->o->reload_fd, TAG_RELOAD, err) < 0)
		return EX_OSERR;
	log_line(LOG_LEVEL_INFO, "serving %s", site->postoffice);
	tell_manager(s, SLICE("READY=1"));
	return EX_OK;
}

static void end(struct serve *s)
{
	close_listener(s);
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i] != NULL)
			serve_close(s, s->slots[i]);
	subm_people_done(&s->people);
	serve_rules_drop(s->rules);
	fd_close(s->epoll);
	create_office_close(&s->office);
	free(s->ended);
	free(s->buffer);
}

int subm_serve(const struct subm_serve_options *o, struct err *err)
{
	struct serve s = {
		.o = o,
		.people = { .source = o->people },
		.office = { .queue_dir = -1, .transport_dir = -1 },
		.listener = -1,
		.epoll = -1,
		.now = seconds_now(),
	};
	int lock = -1, code;

	assert(o->max_connections > 0 && o->max_connections <= SERVE_SLOTS);
	code = read_rules(&s, &s.rules, err);
	if (code != EX_OK)
		return code;
	s.people.trusted = s.rules->r.trusted;
	code = lock_office(s.rules->r.site.postoffice, &lock, err);
	s.buffer = mem_alloc(SERVE_READ_MAX);
	if (code == EX_OK)
		code = start(&s, err);
	if (code == EX_OK)
		code = loop(&s, err);
	end(&s);
	fd_close(lock);
	return code;
}
